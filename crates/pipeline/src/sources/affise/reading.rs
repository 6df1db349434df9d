//! Reading one piece of a listing so that nothing is lost while its pages shift.
//!
//! Affise pages by offset. A row that is added or removed while pages are read moves all rows behind
//! it, and then a page repeats rows or leaves some out. So the server's own count is the measure: a
//! piece is read when as many different rows were seen as the server ever counted in it, or when one
//! round of all pages had a count that stood still and just as many rows. Until then it is read
//! again, a bounded number of times; rows that came twice are merged by their key later.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    Affise, Cursor, PageSink, SourceError, Stream,
    envelope::{self, Identity, Page},
    listing,
    slice::Slice,
};
use crate::jobs::Level;
use crate::sources::http::{Fault, HttpRequest, Verdict};

/// How often a piece is read before it is halved or given up.
const ROUNDS: u8 = 4;
/// How often a page that looks odd is asked for again at once.
const SECOND_LOOKS: u8 = 2;
/// Pages in a row without a new row, after which paging is taken for endless.
const STALLED_PAGES: u32 = 20;
/// Rows in a piece of several days from which on it is halved before it is read: reading a smaller
/// piece again costs less.
const MANY_ROWS: u64 = 20_000;

/// How reading a piece ended well.
pub(super) enum Ended {
    /// Every row of it was seen.
    Whole,
    /// It is large and better read in these parts.
    TooMany(Vec<Slice>),
}

/// How a round ended.
enum Round {
    Done,
    TooMany(Vec<Slice>),
    Again,
}

/// What was seen of the current piece.
#[derive(Default)]
struct Seen {
    /// Row -> the last round that saw it.
    rows: HashMap<Identity, u8>,
    round: u8,
    /// Of the current round:
    rows_in_round: u64,
    repeats_in_round: u64,
    /// Least and most that the server counted.
    counted: Option<(u64, u64)>,
    stalled: u32,
    order: DefaultHasher,
    /// Rows and order of the round before.
    before: Option<(u64, u64)>,
    /// Whether repeats stay when a page is asked for again: then a second look is no use.
    repeats_are_lasting: bool,
}

impl Seen {
    fn start_round(&mut self) {
        if self.round > 0 {
            self.before = Some((self.rows_in_round, self.order.finish()));
        }
        self.round += 1;
        self.rows_in_round = 0;
        self.repeats_in_round = 0;
        self.counted = None;
        self.stalled = 0;
        self.order = DefaultHasher::new();
        self.repeats_are_lasting = false;
    }

    /// Whether a row of the page was seen in this round already, or comes twice in it.
    fn repeats(&self, page: &Page) -> bool {
        let mut own = std::collections::HashSet::with_capacity(page.identities.len());
        page.identities
            .iter()
            .any(|row| self.rows.get(row) == Some(&self.round) || !own.insert(*row))
    }

    fn add(&mut self, page: &Page) {
        let mut new = false;
        for row in &page.identities {
            let again = self.rows.insert(*row, self.round) == Some(self.round);
            self.repeats_in_round += u64::from(again);
            new |= !again;
            row.hash(&mut self.order);
        }
        self.rows_in_round += page.identities.len() as u64;
        if let Some(total) = page.pagination.total {
            let (least, most) = self.counted.unwrap_or((total, total));
            self.counted = Some((least.min(total), most.max(total)));
        }
        self.stalled = if new { 0 } else { self.stalled + 1 };
    }

    /// Whether all rows were seen: as many as the server ever counted, or as many in this round as it
    /// counted all the time; without a count, whether none came twice.
    fn is_whole(&self, most: Option<u64>) -> bool {
        let still = self.repeats_in_round == 0
            && self.counted == Some((self.rows_in_round, self.rows_in_round));
        match most {
            Some(most) => still || self.rows.len() as u64 >= most,
            None => self.repeats_in_round == 0,
        }
    }

    /// Whether two rounds gave the same rows in the same order: then the server's answer stands.
    fn is_lasting(&self) -> bool {
        self.before == Some((self.rows_in_round, self.order.finish()))
    }
}

impl Affise {
    /// Reads a piece from the cursor's page on.
    pub(super) async fn read_slice(
        &self,
        stream: Stream,
        cursor: &mut Cursor,
        slice: Slice,
        sink: &mut dyn PageSink,
    ) -> Result<Ended, SourceError> {
        let mut seen = Seen::default();
        seen.start_round();
        if cursor.page > 1 {
            recall(&mut seen, cursor, sink).await?;
        }
        loop {
            match self
                .read_round(stream, cursor, slice, &mut seen, sink)
                .await?
            {
                Round::Done => return Ok(Ended::Whole),
                Round::TooMany(parts) => return Ok(Ended::TooMany(parts)),
                Round::Again if seen.round < ROUNDS => {}
                Round::Again => return Err(shifting(stream, slice, &seen, cursor.most)),
            }
            let line = format!(
                "{stream} {slice}: rows shifted between pages ({} seen of {}), reading it again",
                seen.rows.len(),
                cursor
                    .most
                    .map_or_else(|| "an unknown number".to_owned(), |most| most.to_string()),
            );
            self.client.log().line(Level::Warn, &line);
            seen.start_round();
        }
    }

    /// Reads all pages of a piece once, from the cursor's page on.
    async fn read_round(
        &self,
        stream: Stream,
        cursor: &mut Cursor,
        slice: Slice,
        seen: &mut Seen,
        sink: &mut dyn PageSink,
    ) -> Result<Round, SourceError> {
        loop {
            let page = self
                .page_with_second_looks(stream, slice, cursor.page, seen)
                .await?;
            cursor.most = cursor.most.max(page.pagination.total);
            if cursor.page == 1
                && slice.is_several_days()
                && page.pagination.total.is_some_and(|total| total > MANY_ROWS)
                && let Some(parts) = slice.split()
            {
                return Ok(Round::TooMany(parts));
            }
            seen.add(&page);
            if slice.is_changed() {
                envelope::raise(&mut cursor.newest_change, page.newest_change.as_deref());
            }
            envelope::raise(&mut cursor.newest_creation, page.newest_creation.as_deref());
            let next = next_page(stream, slice, cursor.page, &page, seen)?;
            let round = match next {
                Some(next) => {
                    cursor.page = next;
                    None
                }
                None => Some(self.end_round(stream, slice, cursor, seen)),
            };
            let resume = resume(
                cursor,
                round.as_ref(),
                seen,
                sink.position() + page.rows.len() as u64,
            );
            sink.page(&page.rows, resume, self.client.calls()).await?;
            if let Some(round) = round {
                cursor.page = 1;
                return Ok(round);
            }
        }
    }

    /// Judges a round after its last page.
    fn end_round(&self, stream: Stream, slice: Slice, cursor: &mut Cursor, seen: &Seen) -> Round {
        if seen.is_whole(cursor.most) {
            self.note_what_is_gone(stream, slice, cursor, seen);
            return Round::Done;
        }
        if !seen.is_lasting() {
            return Round::Again;
        }
        let note = format!(
            "{stream} {slice}: the server counts {}, and gave the same {} rows twice, {} of them more than once",
            cursor
                .most
                .map_or_else(|| "nothing".to_owned(), |most| most.to_string()),
            seen.rows_in_round,
            seen.repeats_in_round,
        );
        self.client.log().line(Level::Warn, &note);
        cursor.note(note);
        Round::Done
    }

    /// Affise answers a request for old clicks with none, which must not be taken for a quiet day.
    fn note_what_is_gone(&self, stream: Stream, slice: Slice, cursor: &mut Cursor, seen: &Seen) {
        let old = slice
            .last_day()
            .is_some_and(|day| day < cursor.oldest_clicks);
        if stream == Stream::AffiseClicks && old && seen.rows.is_empty() {
            let note = format!(
                "{stream} {slice}: none came, and Affise keeps clicks for seven days; what was collected earlier stays"
            );
            self.client.log().line(Level::Warn, &note);
            cursor.note(note);
        }
    }

    /// A page; asked for again when it repeats rows or is not the page that was asked for.
    async fn page_with_second_looks(
        &self,
        stream: Stream,
        slice: Slice,
        number: u64,
        seen: &mut Seen,
    ) -> Result<Page, SourceError> {
        let mut page = self.page(stream, slice, number).await?;
        for _ in 0..SECOND_LOOKS {
            let other = page.pagination.page.is_some_and(|given| given != number);
            let ends_nowhere = page.pagination.next.is_some_and(|next| next <= number);
            let odd = other || ends_nowhere || (!seen.repeats_are_lasting && seen.repeats(&page));
            if !odd {
                break;
            }
            let again = self.page(stream, slice, number).await?;
            let lasting = again.identities == page.identities;
            page = again;
            if lasting {
                seen.repeats_are_lasting = true;
                break;
            }
        }
        Ok(page)
    }

    pub(super) async fn page(
        &self,
        stream: Stream,
        slice: Slice,
        number: u64,
    ) -> Result<Page, SourceError> {
        let (path, collection) = listing(stream)?;
        let mut query = slice.query(stream, &self.settings.timezone);
        query.push(("page", number.to_string()));
        query.push(("limit", self.settings.page_limit.to_string()));
        let what = format!("{stream} {slice}, page {number}");
        let request = HttpRequest::get(path, what).query(query);
        let read = |body: bytes::Bytes| match envelope::page(&body, collection) {
            Ok(page) => Verdict::Good(page),
            Err(problem) => self.verdict_on(&request.what, problem),
        };
        self.client.get(&request, read).await
    }
}

/// What an earlier attempt saw of the piece and made durable.
async fn recall(
    seen: &mut Seen,
    cursor: &Cursor,
    sink: &mut dyn PageSink,
) -> Result<(), SourceError> {
    for row in sink.recall(cursor.since).await? {
        if let Ok(row) = std::str::from_utf8(&row) {
            seen.rows
                .insert(envelope::Head::read(row).identity, seen.round);
        }
    }
    seen.rows_in_round = seen.rows.len() as u64;
    seen.counted = cursor.most.map(|most| (most, most));
    Ok(())
}

/// Where to go on once the page is durable. `position` is the row after it.
fn resume(cursor: &Cursor, round: Option<&Round>, seen: &Seen, position: u64) -> serde_json::Value {
    let mut resume = cursor.clone();
    match round {
        Some(Round::Done) => {
            resume.left.pop_front();
            resume.begin_slice(position);
        }
        None if seen.round == 1 => {}
        // Rows of several rounds are not told apart when they are recalled: begin the piece anew.
        _ => resume.begin_slice(position),
    }
    serde_json::to_value(&resume).unwrap_or_default()
}

/// The number of the next page, as the server gives it; `None` at the end.
fn next_page(
    stream: Stream,
    slice: Slice,
    number: u64,
    page: &Page,
    seen: &Seen,
) -> Result<Option<u64>, SourceError> {
    let Some(next) = page.pagination.next else {
        return Ok(None);
    };
    let endless = |why: String| {
        let what = format!("{stream} {slice}, page {number}");
        let advice =
            "the source's paging is broken: redrive the execution later, and tell its support";
        Err(SourceError::Exhausted {
            what,
            tries: u32::from(seen.round),
            fault: Fault::Shifting,
            why,
            advice,
        })
    };
    if next <= number {
        return endless(format!("it names page {next} as the next one"));
    }
    if seen.stalled >= STALLED_PAGES {
        return endless(format!(
            "{STALLED_PAGES} pages in a row held no new row, and there is to be a next one"
        ));
    }
    Ok(Some(next))
}

fn shifting(stream: Stream, slice: Slice, seen: &Seen, most: Option<u64>) -> SourceError {
    SourceError::Exhausted {
        what: format!("{stream} {slice}"),
        tries: u32::from(seen.round),
        fault: Fault::Shifting,
        why: match most {
            Some(most) => format!(
                "only {} of {most} rows could be seen while pages shift",
                seen.rows.len()
            ),
            None => "rows came twice while pages shift".to_owned(),
        },
        advice: "rows are changing quickly: redrive the execution later, or collect shorter windows",
    }
}
