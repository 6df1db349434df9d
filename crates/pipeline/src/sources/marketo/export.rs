//! Bulk jobs: create, enqueue, poll, download, hand over (`source-apis.md` 2.6).
//!
//! Each job costs quota, so its id is made durable before anything is done with it, and whoever comes
//! after a crash goes on with the same job. For the same reason a collection that is stopped leaves
//! its job running: the redrive finds it done. Only a job that nobody will come back to is cancelled.

use std::{sync::atomic::Ordering, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Cursor, LeadField, Marketo,
    csv::{CsvFile, RowKind},
    envelope::{Complaint, Page, refused},
    plan::{By, Export, Piece},
    usage::UNKNOWN,
};
use crate::{
    dataset::Stream,
    jobs::Level,
    sources::{
        PageSink, SourceError,
        http::{Fault, HttpRequest, Verdict},
    },
};
use lakehand_config::MarketoMode;

/// Jobs made for one window before it is given up.
const MOST_JOBS: u32 = 3;
/// Merge Leads.
const MERGED: u32 = 32;
/// Rows handed over at a time.
const BATCH: usize = 1_000;
/// Columns of an activity file.
const ACTIVITY_COLUMNS: [&str; 9] = [
    "marketoGUID",
    "leadId",
    "activityDate",
    "activityTypeId",
    "campaignId",
    "primaryAttributeValueId",
    "primaryAttributeValue",
    "attributes",
    "actionResult",
];

/// What a status says.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobStatus {
    #[serde(default)]
    pub export_id: String,
    #[serde(default)]
    pub status: String,
    pub number_of_records: Option<u64>,
    pub file_size: Option<u64>,
    pub file_checksum: Option<String>,
    pub error_msg: Option<String>,
}

/// Where a job is asked for, and what it is called.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// `leads` or `activities`.
    pub kind: &'static str,
    pub id: String,
}

impl Job {
    fn path(&self, deed: &str) -> String {
        format!("/bulk/v1/{}/export/{}/{deed}.json", self.kind, self.id)
    }

    /// A look at it, or at its file.
    pub(super) fn get(&self, deed: &str) -> HttpRequest {
        HttpRequest::get(
            self.path(deed),
            format!("the {deed} of bulk export {}", self.id),
        )
    }

    fn post(&self, deed: &str) -> HttpRequest {
        HttpRequest::post(
            self.path(deed),
            format!("to {deed} bulk export {}", self.id),
        )
    }
}

/// What became of an order to enqueue.
enum Enqueued {
    Yes,
    /// Ten others wait.
    QueueIsFull,
    /// The day's bytes are used up.
    NoQuota(String),
    /// There is no such job any more.
    Gone,
}

/// How a job ended.
enum Ended {
    Completed(Box<JobStatus>),
    /// It failed, was cancelled or is gone: another one has to be made.
    Lost(String),
    /// The day's bytes are used up.
    NoQuota(String),
}

fn first_status(what: &str, page: &Page) -> Result<JobStatus, SourceError> {
    let row = page.result.first().map_or("{}", |row| row.get());
    serde_json::from_str(row)
        .map_err(|error| refused(what, format!("the job is not as expected: {error}")))
}

fn kind_of(stream: Stream) -> &'static str {
    if stream == Stream::MarketoLeads {
        "leads"
    } else {
        "activities"
    }
}

/// A length for people: `45 s`, `4 min`.
fn spoken(seconds: u64) -> String {
    match seconds {
        0..90 => format!("{seconds} s"),
        _ => format!("{} min", (seconds + 30) / 60),
    }
}

impl Marketo {
    /// Reads the export that is first in line to its end.
    pub(super) async fn read_export(
        &self,
        stream: Stream,
        cursor: &mut Cursor,
        sink: &mut dyn PageSink,
    ) -> Result<(), SourceError> {
        let kind = kind_of(stream);
        let fields = if kind == "leads" {
            self.lead_fields(cursor).await?
        } else {
            Vec::new()
        };
        while let Some(Piece::Export(export)) = cursor.left.front().cloned() {
            let id = match export.id.clone() {
                Some(id) => id,
                None => match self.create(kind, &export, &fields).await? {
                    Some(id) => id,
                    None => return self.give_up_updated_filter(&export, cursor, sink).await,
                },
            };
            let job = Job { kind, id };
            if export.id.is_none() {
                self.set(cursor, |export| export.id = Some(job.id.clone()));
                // Durable before the job can cost anything.
                sink.checkpoint(cursor.saved(), self.client.calls()).await?;
            }
            let began = self.clock.now();
            let place = self.place(cursor, began);
            let line = format!("{place}{}, bulk export {}", self.calls_left(), job.id);
            self.client.log().line(Level::Info, &line);
            match self.run(&job, &place).await? {
                Ended::Completed(status) => {
                    let took = self.clock.now().duration_since(began).as_secs();
                    cursor.exports_done.0 += 1;
                    cursor.exports_done.1 += u64::try_from(took).unwrap_or(0);
                    if self.hand_over(&job, *status, &fields, cursor, sink).await? {
                        return Ok(());
                    }
                }
                Ended::Lost(why) => self.lose(&job, &why, cursor)?,
                Ended::NoQuota(why) => {
                    return self.without_bulk(&job, &export, why, cursor, sink).await;
                }
            }
        }
        Ok(())
    }

    fn set(&self, cursor: &mut Cursor, change: impl FnOnce(&mut Export)) {
        if let Some(Piece::Export(export)) = cursor.left.front_mut() {
            change(export);
        }
    }

    /// Makes a job; `None` when the subscription lacks the filter.
    async fn create(
        &self,
        kind: &'static str,
        export: &Export,
        fields: &[LeadField],
    ) -> Result<Option<String>, SourceError> {
        let order = self.order(kind, export, fields);
        let what = format!(
            "to create a bulk export of {kind} by {}, {}",
            export.by.name(),
            export.span
        );
        let request =
            HttpRequest::post(format!("/bulk/v1/{kind}/export/create.json"), what).json(&order);
        let no_filter = |complaint: &Complaint| {
            (complaint.code == "1035").then(|| Verdict::Good(Page::default()))
        };
        let page = self.ask_unless(&request, no_filter).await?;
        if page.result.is_empty() {
            return Ok(None);
        }
        let status = first_status(&request.what, &page)?;
        if status.export_id.is_empty() {
            return Err(refused(
                &request.what,
                "the answer names no exportId".to_owned(),
            ));
        }
        Ok(Some(status.export_id))
    }

    fn order(&self, kind: &str, export: &Export, fields: &[LeadField]) -> Value {
        // Milliseconds are refused, and the end counts: the last second inside.
        let spelled = |at: jiff::Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let end = export
            .span
            .to
            .checked_sub(jiff::SignedDuration::from_nanos(1));
        let mut filter = serde_json::Map::new();
        filter.insert(
            export.by.name().to_owned(),
            json!({"startAt": spelled(export.span.from), "endAt": spelled(end.unwrap_or(export.span.to))}),
        );
        let names: Value = if kind == "leads" {
            fields.iter().map(|field| field.name.as_str()).collect()
        } else {
            if !self.settings.activity_type_ids.is_empty() {
                let mut types = self.settings.activity_type_ids.clone();
                // Without merges it is not known which leads are gone.
                if !types.contains(&MERGED) {
                    types.push(MERGED);
                }
                filter.insert("activityTypeIds".to_owned(), json!(types));
            }
            json!(ACTIVITY_COLUMNS)
        };
        json!({"format": "CSV", "fields": names, "filter": filter})
    }

    /// 1035: the subscription cannot filter by change. Remembered, so that it is not asked for again.
    async fn give_up_updated_filter(
        &self,
        export: &Export,
        cursor: &mut Cursor,
        sink: &mut dyn PageSink,
    ) -> Result<(), SourceError> {
        if export.by == By::Created {
            let what = "to create a bulk export by createdAt";
            return Err(refused(
                what,
                "the subscription does not support the filter".to_owned(),
            ));
        }
        let note = "the subscription cannot export leads by updatedAt (1035): new ones come by createdAt, changed ones by their activities";
        self.client.log().line(Level::Warn, note);
        cursor.note(note.to_owned());
        self.remember_no_updated_filter().await;
        cursor.left.pop_front();
        for piece in self.without_updated_filter(export.span).into_iter().rev() {
            cursor.left.push_front(piece);
        }
        sink.checkpoint(cursor.saved(), self.client.calls()).await
    }

    /// Where the export at hand stands: `export 3 of 12, started 09:14 UTC, usually 4 min`.
    fn place(&self, cursor: &Cursor, began: Timestamp) -> String {
        let number = cursor.exports_done.0 + 1;
        let of = cursor.exports_done.0 + cursor.left.len() as u64;
        let started = began.strftime("%H:%M UTC");
        let usual = match cursor.exports_done {
            (0, _) => String::new(),
            (count, seconds) => format!(", usually {}", spoken(seconds / count)),
        };
        format!("export {number} of {of}, started {started}{usual}")
    }

    /// `, 48300 calls left`, if the day's use is known.
    fn calls_left(&self) -> String {
        match self.used_before.load(Ordering::Relaxed) {
            UNKNOWN => String::new(),
            before => {
                let used = before + self.client.calls();
                let left = self.settings.daily_calls.saturating_sub(used);
                format!(", {left} calls left")
            }
        }
    }

    /// Takes a job to its end: enqueued if it is not, looked at until it is over.
    async fn run(&self, job: &Job, place: &str) -> Result<Ended, SourceError> {
        let poll = Duration::from_secs(self.settings.poll_seconds);
        loop {
            let Some(status) = self.status(job).await? else {
                return Ok(Ended::Lost(
                    "the instance does not know it (any more)".to_owned(),
                ));
            };
            match status.status.as_str() {
                "Completed" => return Ok(Ended::Completed(Box::new(status))),
                "Failed" => {
                    let why = status
                        .error_msg
                        .unwrap_or_else(|| "no reason was given".to_owned());
                    return Ok(Ended::Lost(self.client.excerpt(why.as_bytes())));
                }
                "Canceled" | "Cancelled" => {
                    return Ok(Ended::Lost("somebody cancelled it".to_owned()));
                }
                "Created" => match self.enqueue(job).await? {
                    Enqueued::Yes => {}
                    Enqueued::QueueIsFull => {
                        let line =
                            format!("bulk export {}: ten others are queued; waiting", job.id);
                        self.client.log().line(Level::Info, &line);
                    }
                    Enqueued::NoQuota(why) => return Ok(Ended::NoQuota(why)),
                    Enqueued::Gone => {
                        return Ok(Ended::Lost("the instance does not know it".to_owned()));
                    }
                },
                "Queued" | "Processing" => {}
                other => {
                    let why = format!("its status is '{}'", self.client.excerpt(other.as_bytes()));
                    return Err(refused(&format!("bulk export {}", job.id), why));
                }
            }
            let line = format!("{place}, {}{}", status.status, self.calls_left());
            self.client.log().progress(&line);
            self.client
                .pause(&format!("bulk export {}", job.id), poll)
                .await?;
        }
    }

    /// The status of a job; `None` when there is no such job.
    pub(super) async fn status(&self, job: &Job) -> Result<Option<JobStatus>, SourceError> {
        let request = job.get("status");
        let gone = |complaint: &Complaint| {
            (complaint.code == "1013").then(|| Verdict::Good(Page::default()))
        };
        let page = self.ask_unless(&request, gone).await?;
        if page.result.is_empty() {
            return Ok(None);
        }
        first_status(&request.what, &page).map(Some)
    }

    /// The three meanings of 1029 are told apart by their text.
    async fn enqueue(&self, job: &Job) -> Result<Enqueued, SourceError> {
        const FULL: &str = "the queue is full";
        const QUOTA: &str = "the quota is used up: ";
        const GONE: &str = "there is no such job";
        let request = job.post("enqueue");
        let stop = |why: String| Some(Verdict::Refuse(refused("", why)));
        let special = |complaint: &Complaint| {
            if complaint.says("1029", "already") {
                // An order that was repeated: it has been taken.
                return Some(Verdict::Good(Page::default()));
            }
            if complaint.says("1029", "quota") {
                return stop(format!("{QUOTA}error 1029: {}", complaint.message));
            }
            match complaint.code.as_str() {
                "1029" => stop(FULL.to_owned()),
                "1013" => stop(GONE.to_owned()),
                _ => None,
            }
        };
        match self.ask_unless(&request, special).await {
            Ok(_) => Ok(Enqueued::Yes),
            Err(SourceError::Refused { why, .. }) if why == FULL => Ok(Enqueued::QueueIsFull),
            Err(SourceError::Refused { why, .. }) if why == GONE => Ok(Enqueued::Gone),
            Err(SourceError::Refused { why, .. }) if why.starts_with(QUOTA) => {
                Ok(Enqueued::NoQuota(why[QUOTA.len()..].to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    /// Forgets a job that is lost, so that another one is made; gives up after a few.
    fn lose(&self, job: &Job, why: &str, cursor: &mut Cursor) -> Result<(), SourceError> {
        let note = format!("bulk export {} was lost: {why}", job.id);
        self.client.log().line(Level::Warn, &note);
        cursor.note(note);
        let mut failures = 0;
        self.set(cursor, |export| {
            export.failures += 1;
            export.id = None;
            // Another job may order its rows otherwise.
            export.rows_done = 0;
            failures = export.failures;
        });
        if failures < MOST_JOBS {
            return Ok(());
        }
        Err(SourceError::Exhausted {
            what: format!("a bulk export of {}", job.kind),
            tries: failures,
            fault: Fault::ServerError,
            why: why.to_owned(),
            advice: "redrive the execution later; if it stays, look at the export under Admin > Integration",
        })
    }

    /// The day's bytes are used up: bulk is parked; in `auto` the window is paged instead.
    async fn without_bulk(
        &self,
        job: &Job,
        export: &Export,
        why: String,
        cursor: &mut Cursor,
        sink: &mut dyn PageSink,
    ) -> Result<(), SourceError> {
        let until = self.park_bulk(&why).await;
        // Nobody comes back to a job that was never enqueued.
        let cancelled = self.ask(&job.post("cancel")).await;
        self.set(cursor, |export| export.id = None);
        if self.settings.mode == MarketoMode::Bulk {
            sink.checkpoint(cursor.saved(), self.client.calls()).await?;
            cancelled?;
            return Err(SourceError::Quota {
                what: format!("a bulk export of {}", job.kind),
                why,
                until,
            });
        }
        let note = format!(
            "bulk exports are parked until {until} ({why}); {} is paged instead",
            export.span
        );
        self.client.log().line(Level::Warn, &note);
        cursor.note(note);
        cursor.left.pop_front();
        let mut span = export.span;
        if let Some(Piece::History { span: rest }) = cursor.left.front() {
            span.to = rest.to;
            cursor.left.pop_front();
        }
        let pieces = if job.kind == "leads" {
            vec![Piece::changed_leads(span)]
        } else {
            self.activity_pieces(span).await?
        };
        pieces
            .into_iter()
            .rev()
            .for_each(|piece| cursor.left.push_front(piece));
        sink.checkpoint(cursor.saved(), self.client.calls()).await
    }

    /// Downloads the file and hands its rows over; false when another job has to be made.
    async fn hand_over(
        &self,
        job: &Job,
        status: JobStatus,
        fields: &[LeadField],
        cursor: &mut Cursor,
        sink: &mut dyn PageSink,
    ) -> Result<bool, SourceError> {
        let expected = status.number_of_records;
        let Some(file) = self.download(job, status, cursor).await? else {
            self.lose(job, "it is complete and yet has no file", cursor)?;
            return Ok(false);
        };
        self.count_bytes(file.size, cursor);
        let kind = if job.kind == "leads" {
            RowKind::Lead(fields.to_vec())
        } else {
            RowKind::Activity
        };
        let mut csv = CsvFile::open(file.path, kind);
        let mut rows_done = match cursor.left.front() {
            Some(Piece::Export(export)) => export.rows_done,
            _ => 0,
        };
        let mut skip = rows_done;
        loop {
            let (after, batch) = csv.batch(BATCH).await?;
            csv = after;
            if batch.is_empty() {
                break;
            }
            let skipped = usize::try_from(skip).unwrap_or(usize::MAX).min(batch.len());
            skip -= skipped as u64;
            let rows = &batch[skipped..];
            rows_done += rows.len() as u64;
            self.set(cursor, |export| export.rows_done = rows_done);
            sink.page(rows, cursor.saved(), self.client.calls()).await?;
        }
        if let Some(expected) = expected.filter(|expected| *expected != rows_done) {
            let why = format!("its file holds {rows_done} rows, and its status says {expected}");
            return Err(refused(&format!("bulk export {}", job.id), why));
        }
        cursor.left.pop_front();
        sink.page(&[], cursor.saved(), self.client.calls()).await?;
        Ok(true)
    }

    /// What a file weighs: against the quota, and to choose the next window.
    fn count_bytes(&self, bytes: u64, cursor: &mut Cursor) {
        self.add_exported(bytes);
        if let Some(Piece::Export(export)) = cursor.left.front() {
            let seconds = export.span.to.duration_since(export.span.from).as_secs();
            let days = u64::try_from(seconds).unwrap_or(0).div_ceil(86_400).max(1);
            // The heaviest day seen, so that the guess errs on the small side.
            cursor.bytes_a_day = cursor.bytes_a_day.max(Some(bytes / days));
        }
    }
}
