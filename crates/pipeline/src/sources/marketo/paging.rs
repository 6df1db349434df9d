//! Activities by paging token, and leads by the activities that name them.
//!
//! The server walks its log in blocks: a page may be short or empty while `moreResult` is true. The end
//! is where it says so, or where everything on a page lies after the window.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Cursor, LeadField, Marketo,
    envelope::Page,
    plan::{ActivityPages, ChangedLeads, LEAD_CHANGES, Piece, Span},
    rows,
};
use crate::jobs::Level;
use crate::sources::{PageSink, SourceError, http::HttpRequest};

/// Most ids of one call.
const MOST_IDS: usize = 300;

/// What paging looks at in an activity.
#[derive(Deserialize)]
struct Seen {
    #[serde(rename = "activityDate")]
    date: Option<String>,
    #[serde(rename = "leadId")]
    lead: Option<i64>,
}

/// Where a row lies: inside the window, after it, or where it cannot be told (then it is kept).
fn is_after(row: &Seen, span: Span) -> Option<bool> {
    let at = rows::instant(row.date.as_deref()?)?;
    Some(at >= span.to)
}

/// A page, judged against the window.
struct Judged<'p> {
    inside: Vec<(&'p RawValue, Seen)>,
    /// Rows there were, and none before the end of the window.
    all_after: bool,
}

fn judge(page: &Page, span: Span) -> Judged<'_> {
    let mut inside = Vec::with_capacity(page.result.len());
    let mut after = 0;
    for row in &page.result {
        let seen = serde_json::from_str(row.get()).unwrap_or(Seen {
            date: None,
            lead: None,
        });
        if is_after(&seen, span) == Some(true) {
            after += 1;
        } else {
            inside.push((&**row, seen));
        }
    }
    Judged {
        all_after: after > 0 && inside.is_empty(),
        inside,
    }
}

impl Marketo {
    /// A token for an instant.
    async fn paging_token(&self, since: Timestamp) -> Result<String, SourceError> {
        let what = format!("a paging token for {since}");
        let since = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let request = HttpRequest::get("/rest/v1/activities/pagingtoken.json", what)
            .query(vec![("sinceDatetime", since)]);
        let page = self.ask(&request).await?;
        let missing =
            || super::envelope::refused(&request.what, "the answer holds none".to_owned());
        page.next.ok_or_else(missing)
    }

    /// One page of activities of at most ten types.
    async fn activity_page(
        &self,
        types: &[u32],
        span: Span,
        token: Option<&str>,
    ) -> Result<Page, SourceError> {
        let fetched;
        let token = match token {
            Some(token) => token,
            None => {
                fetched = self.paging_token(span.from).await?;
                &fetched
            }
        };
        let ids: Vec<String> = types.iter().map(ToString::to_string).collect();
        let ids = ids.join(",");
        let what = format!("activities of types {ids}, {span}");
        let request = HttpRequest::get("/rest/v1/activities.json", what).query(vec![
            ("nextPageToken", token.to_owned()),
            ("activityTypeIds", ids),
            ("batchSize", self.settings.batch_size.to_string()),
        ]);
        let page = self.ask(&request).await?;
        if page.more && page.next.is_none() {
            let why = "it says there is more, and not where".to_owned();
            return Err(super::envelope::refused(&request.what, why));
        }
        Ok(page)
    }

    /// Reads one page of the activities that are first in line.
    pub(super) async fn read_activities(
        &self,
        cursor: &mut Cursor,
        sink: &mut dyn PageSink,
    ) -> Result<(), SourceError> {
        let Some(Piece::Activities(ActivityPages { types, span, token })) =
            cursor.left.front().cloned()
        else {
            return Ok(());
        };
        let page = match self.activity_page(&types, span, token.as_deref()).await {
            Err(SourceError::Refused { why, .. }) if token.is_some() && why.contains("oken") => {
                let note =
                    format!("a paging token is not taken any more, {span} is read anew: {why}");
                self.client.log().line(Level::Warn, &note);
                cursor.note(note);
                self.activity_page(&types, span, None).await?
            }
            other => other?,
        };
        let judged = judge(&page, span);
        let rows = judged
            .inside
            .iter()
            .map(|(row, _)| rows::activity(row))
            .collect::<Result<Vec<Bytes>, _>>()
            .map_err(|error| super::envelope::refused("a page of activities", error.to_string()))?;
        if !page.more || judged.all_after {
            cursor.left.pop_front();
        } else if let Some(Piece::Activities(pages)) = cursor.left.front_mut() {
            pages.token = page.next;
        }
        sink.page(&rows, cursor.saved(), self.client.calls()).await
    }

    /// Reads one page of the activities that name leads, or one call of the leads themselves.
    pub(super) async fn read_changed_leads(
        &self,
        cursor: &mut Cursor,
        sink: &mut dyn PageSink,
    ) -> Result<(), SourceError> {
        let fields = self.lead_fields(cursor).await?;
        let mut types = self.activity_types().await?;
        types.retain(|id| LEAD_CHANGES.contains(id));
        while let Some(Piece::ChangedLeads(mut piece)) = cursor.left.front().cloned() {
            let rows = if piece.named {
                self.next_leads(&mut piece, &fields).await?
            } else {
                self.name_leads(&mut piece, &types).await?;
                Vec::new()
            };
            let done = piece.named && piece.ids.is_empty();
            cursor.left.pop_front();
            if !done {
                cursor.left.push_front(Piece::ChangedLeads(piece));
            }
            sink.page(&rows, cursor.saved(), self.client.calls())
                .await?;
        }
        Ok(())
    }

    async fn name_leads(&self, piece: &mut ChangedLeads, types: &[u32]) -> Result<(), SourceError> {
        if types.is_empty() {
            piece.named = true;
            return Ok(());
        }
        let page = self
            .activity_page(types, piece.span, piece.token.as_deref())
            .await?;
        let judged = judge(&page, piece.span);
        piece
            .ids
            .extend(judged.inside.iter().filter_map(|(_, seen)| seen.lead));
        piece.named = !page.more || judged.all_after;
        piece.token = page.next;
        Ok(())
    }

    /// The next few hundred leads, by a POST that means GET: so many ids do not fit into an address.
    async fn next_leads(
        &self,
        piece: &mut ChangedLeads,
        fields: &[LeadField],
    ) -> Result<Vec<Bytes>, SourceError> {
        let ids: Vec<i64> = piece.ids.iter().take(MOST_IDS).copied().collect();
        let Some(last) = ids.last() else {
            return Ok(Vec::new());
        };
        let values: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let (values, names) = (values.join(","), names.join(","));
        let size = self.settings.batch_size.to_string();
        let what = format!("{} leads", ids.len());
        let mut rows = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut form = vec![
                ("_method", "GET"),
                ("filterType", "id"),
                ("filterValues", &values),
                ("fields", &names),
                ("batchSize", &size),
            ];
            if let Some(token) = &next {
                form.push(("nextPageToken", token));
            }
            let request = HttpRequest::post("/rest/v1/leads.json", &*what)
                .query(vec![("_method", "GET".to_owned())])
                .form(&form);
            let page = self.ask(&request).await?;
            rows.extend(
                page.result
                    .iter()
                    .map(|row| Bytes::copy_from_slice(row.get().as_bytes())),
            );
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        piece.ids = piece.ids.split_off(&(last + 1));
        Ok(rows)
    }
}
