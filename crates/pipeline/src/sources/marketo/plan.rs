//! The pieces a collection is asked for in.
//!
//! Activities arrive late: what happened in a window may be committed a day after it. So a collection
//! starts at its window or at the watermark less the overlap, whichever is earlier, and ends a little
//! before now. Short stretches are paged, long ones exported in windows of at most 31 days.

use std::{collections::BTreeSet, fmt};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Cursor, Marketo};
use crate::{
    dataset::Stream,
    jobs::Level,
    sources::{Passes, SourceError, SourceRequest},
};
use lakehand_config::MarketoMode;

/// Most types of one call.
const MOST_TYPES: usize = 10;
/// Longest window of a bulk export.
const MOST_DAYS: i64 = 31;
/// What a bulk file of activities may come to be: a fifth of the day's quota.
const BULK_FILE_BYTES: u64 = 100 << 20;
/// Types that tell of new and changed leads: bounced, unsubscribed, new, value changed, score changed, bounced
/// softly, merged.
pub(super) const LEAD_CHANGES: [u32; 7] = [8, 9, 12, 13, 22, 27, 32];
/// Types that end leads, which have to be read whatever is configured: merged, deleted.
const LEAD_ENDS: [u32; 2] = [32, DELETED];
/// Delete Lead: bulk exports do not have it.
const DELETED: u32 = 37;

/// A half-open stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Span {
    /// First instant inside.
    pub from: Timestamp,
    /// First instant after it.
    pub to: Timestamp,
}

impl Span {
    fn days(self) -> i64 {
        let seconds = self.to.duration_since(self.from).as_secs();
        (seconds + 86_399) / 86_400
    }

    /// At most so many days from its start, and what is left after them.
    fn split(self, days: i64) -> (Self, Option<Self>) {
        let end = self.from.checked_add(SignedDuration::from_hours(24 * days));
        match end {
            Ok(end) if end < self.to => {
                (Self { to: end, ..self }, Some(Self { from: end, ..self }))
            }
            _ => (self, None),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

/// Activities of a few types, page by page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ActivityPages {
    pub types: Vec<u32>,
    pub span: Span,
    /// Where the next page begins, once there was one.
    pub token: Option<String>,
}

/// Leads that activities name as new or changed, by their ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ChangedLeads {
    pub span: Span,
    /// Where the next page of activities begins.
    pub token: Option<String>,
    /// Whether all of them were seen.
    pub named: bool,
    /// Leads still to be asked for.
    pub ids: BTreeSet<i64>,
}

/// What a bulk export is filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum By {
    #[serde(rename = "createdAt")]
    Created,
    #[serde(rename = "updatedAt")]
    Updated,
}

impl By {
    /// The name of the filter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "createdAt",
            Self::Updated => "updatedAt",
        }
    }
}

/// One bulk export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Export {
    pub by: By,
    pub span: Span,
    /// The job, once it was made: a redrive goes on with it, because each costs quota.
    pub id: Option<String>,
    /// Rows of its file that are stored.
    pub rows_done: u64,
    /// Jobs made for it before this one.
    pub failures: u32,
}

impl Export {
    fn new(by: By, span: Span) -> Self {
        Self {
            by,
            span,
            id: None,
            rows_done: 0,
            failures: 0,
        }
    }
}

/// A part of a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "piece", rename_all = "snake_case")]
pub(super) enum Piece {
    /// Activities, page by page.
    Activities(ActivityPages),
    /// Leads, by the activities that name them.
    ChangedLeads(ChangedLeads),
    /// Activities to be exported, in windows whose length follows from the size of the first.
    History {
        /// What is left.
        span: Span,
    },
    /// A bulk export.
    Export(Export),
}

impl Piece {
    /// Leads that activities of a stretch name.
    pub(super) fn changed_leads(span: Span) -> Self {
        Self::ChangedLeads(ChangedLeads {
            span,
            token: None,
            named: false,
            ids: BTreeSet::new(),
        })
    }

    /// Leads to be exported, in windows of at most 31 days.
    fn lead_exports(by: By, span: Span) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut left = Some(span);
        while let Some(span) = left {
            let (window, rest) = span.split(MOST_DAYS);
            pieces.push(Self::Export(Export::new(by, window)));
            left = rest;
        }
        pieces
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Activities(pages) => {
                let types: Vec<String> = pages.types.iter().map(ToString::to_string).collect();
                write!(f, "activities of types {}, {}", types.join(","), pages.span)
            }
            Self::ChangedLeads(leads) => write!(f, "leads new or changed, {}", leads.span),
            Self::History { span } => write!(f, "bulk export of activities, {span}"),
            Self::Export(export) => {
                write!(f, "bulk export by {}, {}", export.by.name(), export.span)
            }
        }
    }
}

/// Takes the next window off the history: a day to learn the size, then as much as is sensible.
pub(super) fn take_from_history(cursor: &mut Cursor) {
    let Some(Piece::History { span }) = cursor.left.pop_front() else {
        return;
    };
    let days = match cursor.bytes_a_day {
        None => 1,
        Some(bytes) => {
            let days = BULK_FILE_BYTES / bytes.max(1);
            i64::try_from(days).unwrap_or(MOST_DAYS).clamp(1, MOST_DAYS)
        }
    };
    let (window, rest) = span.split(days);
    if let Some(span) = rest {
        cursor.left.push_front(Piece::History { span });
    }
    cursor
        .left
        .push_front(Piece::Export(Export::new(By::Created, window)));
}

impl Marketo {
    /// Plans a collection.
    ///
    /// # Errors
    /// [`SourceError::BadSettings`] for a window outside the calendar; others when types are asked for.
    pub(super) async fn plan(&self, request: &SourceRequest) -> Result<Cursor, SourceError> {
        let (start, end) = request
            .window
            .instants(&request.time_zone)
            .map_err(|error| SourceError::BadSettings {
                why: error.to_string(),
                advice: "choose another window",
            })?;
        let until = match self.settings.lag_minutes {
            // Whatever the instance has, should its clock be ahead of ours.
            0 => end,
            minutes => {
                let lag = SignedDuration::from_mins(i64::from(minutes));
                end.min(request.now.checked_sub(lag).unwrap_or(request.now))
            }
        };
        let mut cursor = Cursor {
            planned: Vec::new(),
            left: std::collections::VecDeque::new(),
            until,
            contiguous: request.passes == Passes::NewAndChanged || request.changed_since.is_none(),
            bytes_a_day: None,
            exports_done: (0, 0),
            notes: Vec::new(),
        };
        let pieces = if request.stream == Stream::MarketoLeads {
            self.plan_leads(request, start, until).await
        } else {
            self.plan_activities(request, start, until).await?
        };
        cursor.planned = pieces.iter().map(ToString::to_string).collect();
        cursor.left = pieces.into();
        Ok(cursor)
    }

    async fn plan_activities(
        &self,
        request: &SourceRequest,
        start: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Piece>, SourceError> {
        let from = match (request.passes, request.changed_since) {
            (Passes::NewAndChanged, Some(since)) => start.min(since),
            _ => start,
        };
        let span = Span { from, to };
        if from >= to {
            return Ok(Vec::new());
        }
        if self.takes_bulk(span).await {
            let mut pieces = vec![Piece::History { span }];
            if self.activity_types().await?.contains(&DELETED) {
                pieces.push(Piece::Activities(ActivityPages {
                    types: vec![DELETED],
                    span,
                    token: None,
                }));
            }
            return Ok(pieces);
        }
        self.activity_pieces(span).await
    }

    /// A stretch of activities page by page: every type, ten a call.
    ///
    /// # Errors
    /// As for every request.
    pub(super) async fn activity_pieces(&self, span: Span) -> Result<Vec<Piece>, SourceError> {
        let mut types = self.activity_types().await?;
        let wanted = &self.settings.activity_type_ids;
        if !wanted.is_empty() {
            types.retain(|id| LEAD_ENDS.contains(id));
            types.extend(wanted.iter().filter(|id| !LEAD_ENDS.contains(id)));
        }
        let pages = types.chunks(MOST_TYPES).map(|types| {
            Piece::Activities(ActivityPages {
                types: types.to_vec(),
                span,
                token: None,
            })
        });
        Ok(pages.collect())
    }

    async fn plan_leads(
        &self,
        request: &SourceRequest,
        start: Timestamp,
        to: Timestamp,
    ) -> Vec<Piece> {
        let back = SignedDuration::from_hours(24 * i64::from(self.settings.lead_history_days));
        let (from, by) = match (request.passes, request.changed_since) {
            (Passes::New, _) => (start, By::Created),
            (Passes::NewAndChanged, Some(since)) => (since, By::Updated),
            // The first time all leads are new to us.
            (Passes::NewAndChanged, None) => {
                let first = to.checked_sub(back).unwrap_or(start);
                (first.min(start), By::Created)
            }
        };
        let span = Span { from, to };
        if from >= to {
            return Vec::new();
        }
        if !self.takes_bulk(span).await {
            if request.changed_since.is_none() && request.passes == Passes::NewAndChanged {
                let line = format!(
                    "paging finds the leads that an activity since {from} names; one collection with mode = \"bulk\" brings the others"
                );
                self.client.log().line(Level::Warn, &line);
            }
            return vec![Piece::changed_leads(span)];
        }
        if by == By::Updated && !self.has_updated_filter().await {
            return self.without_updated_filter(span);
        }
        Piece::lead_exports(by, span)
    }

    /// New leads by their creation, changed ones by the activities that say so.
    pub(super) fn without_updated_filter(&self, span: Span) -> Vec<Piece> {
        let mut pieces = Piece::lead_exports(By::Created, span);
        pieces.push(Piece::changed_leads(span));
        pieces
    }

    async fn takes_bulk(&self, span: Span) -> bool {
        match self.settings.mode {
            MarketoMode::Rest => false,
            MarketoMode::Bulk => true,
            MarketoMode::Auto => {
                span.days() >= i64::from(self.settings.bulk_from_days)
                    && !self.bulk_is_parked().await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: &str, to: &str) -> Span {
        Span {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        }
    }

    #[test]
    fn windows_are_at_most_31_days_and_leave_nothing_out() {
        let all = span("2025-01-01T00:00:00Z", "2025-12-31T12:00:00Z");
        let pieces = Piece::lead_exports(By::Updated, all);
        let mut at = all.from;
        for piece in &pieces {
            let Piece::Export(export) = piece else {
                panic!("{piece}")
            };
            assert_eq!(export.span.from, at);
            assert!(export.span.days() <= 31);
            at = export.span.to;
        }
        assert_eq!((at, pieces.len()), (all.to, 12));
    }

    #[test]
    fn history_learns_the_size_of_a_day_first() {
        let all = span("2025-01-01T00:00:00Z", "2025-03-01T00:00:00Z");
        let mut cursor = Cursor {
            planned: Vec::new(),
            left: [Piece::History { span: all }].into(),
            until: all.to,
            contiguous: true,
            bytes_a_day: None,
            exports_done: (0, 0),
            notes: Vec::new(),
        };
        let mut lengths = Vec::new();
        while !cursor.left.is_empty() {
            take_from_history(&mut cursor);
            let Some(Piece::Export(export)) = cursor.left.pop_front() else {
                panic!()
            };
            lengths.push(export.span.days());
            cursor.bytes_a_day = Some(10 << 20);
        }
        assert_eq!(lengths, [1, 10, 10, 10, 10, 10, 8]);
    }
}
