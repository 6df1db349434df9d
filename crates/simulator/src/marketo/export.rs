//! Bulk export: jobs, their queue, their files (`source-apis.md` 2.6).
//!
//! Nothing runs by itself: whoever asks moves the queue to where it would be by now. What a status
//! shows is refreshed only every so often, as Marketo's is.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::MarketoOptions;
use super::call::{Answer, Call, Reply};
use super::codes::Refusal;
use super::generate::DELETE;
use super::limits::Limits;
use super::listing::{datetime, lead_fields};
use super::wire;
use super::world::World;
use crate::calendar::{DAY_SECONDS, Span};
use crate::faults::FaultKind;
use crate::random::mix;

/// Jobs that are worked on at a time.
const RUNNING: usize = 2;
/// Jobs that are queued or worked on at a time.
const QUEUE: usize = 10;
/// Longest window of a filter.
const MOST_DAYS: i64 = 31;
/// How long files are kept.
const KEPT_DAYS: i64 = 7;
/// Columns of an activity file unless others are asked for.
const ACTIVITY_COLUMNS: [&str; 8] = [
    "marketoGUID",
    "leadId",
    "activityDate",
    "activityTypeId",
    "campaignId",
    "primaryAttributeValueId",
    "primaryAttributeValue",
    "attributes",
];

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exported {
    Leads,
    Activities,
}

/// What is done to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Enqueue,
    Status,
    File,
    Cancel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Created,
    Queued,
    Processing,
    Completed,
    Failed,
    Canceled,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Queued => "Queued",
            Self::Processing => "Processing",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
        }
    }

    const fn is_waiting(self) -> bool {
        matches!(self, Self::Queued | Self::Processing)
    }
}

#[derive(Debug)]
struct Order {
    fields: Vec<String>,
    headers: Vec<String>,
    separator: char,
    by_update: bool,
    span: Span,
    types: Vec<i64>,
}

#[derive(Debug)]
struct File {
    rows: u64,
    bytes: Bytes,
    checksum: String,
}

#[derive(Debug)]
struct Job {
    id: String,
    kind: Exported,
    order: Order,
    state: State,
    /// When it is done, once it is worked on.
    due: Option<Instant>,
    fails: bool,
    file: Option<File>,
    created: i64,
    queued: Option<i64>,
    finished: Option<i64>,
    /// What a status shows, and since when.
    shown: (State, Instant),
}

/// The jobs of the API user.
#[derive(Debug, Default)]
pub(super) struct Exports {
    jobs: Mutex<Vec<Job>>,
}

/// What a call to a job needs.
pub(super) struct Office<'a> {
    pub world: &'a World,
    pub options: &'a MarketoOptions,
    pub limits: &'a Limits,
    pub seed: u64,
    pub now: i64,
    /// A fault that twists the job or its file.
    pub twist: Option<FaultKind>,
}

impl Exports {
    fn held(&self) -> MutexGuard<'_, Vec<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `create.json`.
    pub(super) fn create(
        &self,
        office: &Office<'_>,
        kind: Exported,
        call: &Call,
    ) -> Result<Value, Refusal> {
        let order = order(office, kind, &call.json()?)?;
        let mut jobs = self.held();
        let number = mix(office.seed ^ mix(jobs.len() as u64 + 1));
        let job = Job {
            id: uuid::Builder::from_random_bytes(
                [number.to_be_bytes(), mix(number).to_be_bytes()]
                    .concat()
                    .try_into()
                    .unwrap_or([7; 16]),
            )
            .into_uuid()
            .to_string(),
            kind,
            order,
            state: State::Created,
            due: None,
            fails: false,
            file: None,
            created: office.now,
            queued: None,
            finished: None,
            shown: (State::Created, Instant::now()),
        };
        let row = job.status();
        jobs.push(job);
        Ok(json!({"success": true, "result": [row]}))
    }

    /// `export.json`: jobs of a kind, in certain states if asked for.
    pub(super) fn list(&self, office: &Office<'_>, kind: Exported, call: &Call) -> Value {
        let mut jobs = self.held();
        advance(&mut jobs, office);
        let refresh = office.options.status_refresh;
        jobs.iter_mut().for_each(|job| job.show(refresh));
        let states = call.list("status");
        let rows: Value = jobs
            .iter()
            .filter(|job| job.kind == kind)
            .filter(|job| states.is_empty() || states.contains(&job.shown.0.name()))
            .map(Job::status)
            .collect();
        json!({"success": true, "result": rows})
    }

    /// `{exportId}/{deed}.json`.
    pub(super) fn act(
        &self,
        office: &Office<'_>,
        kind: Exported,
        id: &str,
        deed: Deed,
        call: &Call,
    ) -> Result<Reply, Refusal> {
        let mut jobs = self.held();
        advance(&mut jobs, office);
        let waiting = jobs.iter().filter(|job| job.state.is_waiting()).count();
        let found = jobs.iter().position(|job| job.id == id && job.kind == kind);
        let Some(at) = found else {
            if deed == Deed::File {
                let missing = Answer::text(StatusCode::NOT_FOUND, "Export job not found");
                return Ok(Reply::Ready(missing));
            }
            return Err(Refusal::new("1013", format!("Export job '{id}' not found")));
        };
        let body = match deed {
            Deed::Enqueue => {
                jobs[at].enqueue(office, waiting)?;
                jobs[at].status()
            }
            Deed::Cancel => jobs[at].cancel()?,
            Deed::Status => {
                let job = &mut jobs[at];
                job.show(office.options.status_refresh);
                job.twisted_status(office.twist)
            }
            Deed::File => return Ok(Reply::Ready(jobs[at].download(office, call))),
        };
        Ok(Reply::Body(json!({"success": true, "result": [body]})))
    }
}

/// Moves the queue to where it would be by now.
fn advance(jobs: &mut [Job], office: &Office<'_>) {
    let now = Instant::now();
    loop {
        let running = jobs
            .iter()
            .filter(|job| job.state == State::Processing)
            .count();
        if let Some(job) = jobs
            .iter_mut()
            .find(|job| job.state == State::Processing && job.due.is_some_and(|due| due <= now))
        {
            job.finish(office);
        } else if running < RUNNING
            && let Some(job) = jobs.iter_mut().find(|job| job.state == State::Queued)
        {
            job.state = State::Processing;
            job.due = Some(now + office.options.export_time);
        } else {
            return;
        }
    }
}

impl Job {
    fn enqueue(&mut self, office: &Office<'_>, waiting: usize) -> Result<(), Refusal> {
        if self.state != State::Created {
            return Err(Refusal::of("1029-queued"));
        }
        if office.limits.bytes(office.now) >= office.options.export_bytes_a_day {
            return Err(Refusal::of("1029-quota"));
        }
        if waiting >= QUEUE {
            return Err(Refusal::of("1029-queue"));
        }
        self.fails = office.twist == Some(FaultKind::ExportFailed);
        self.state = State::Queued;
        self.queued = Some(office.now);
        self.shown = (State::Queued, Instant::now());
        Ok(())
    }

    /// The reply spells it otherwise than the status does.
    fn cancel(&mut self) -> Result<Value, Refusal> {
        if matches!(self.state, State::Completed | State::Failed) {
            return Err(Refusal::new("1003", "Export job has ended already"));
        }
        self.state = State::Canceled;
        self.shown = (State::Canceled, Instant::now());
        let mut row = self.status();
        row["status"] = json!("Cancelled");
        Ok(row)
    }

    fn finish(&mut self, office: &Office<'_>) {
        self.finished = Some(office.now);
        if self.fails {
            self.state = State::Failed;
            return;
        }
        let file = write(office, self.kind, &self.order);
        office.limits.exported(file.bytes.len() as u64, office.now);
        self.file = Some(file);
        self.state = State::Completed;
    }

    fn show(&mut self, refresh: Duration) {
        if self.shown.1.elapsed() >= refresh {
            self.shown = (self.state, Instant::now());
        }
    }

    fn status(&self) -> Value {
        let state = self.shown.0;
        let mut row = Map::new();
        let mut put = |name: &str, value: Value| row.insert(name.to_owned(), value);
        put("exportId", json!(self.id));
        put(
            "format",
            json!(if self.order.separator == ',' {
                "CSV"
            } else {
                "TSV"
            }),
        );
        put("status", json!(state.name()));
        put("createdAt", json!(wire::plain_stamp(self.created)));
        if let Some(queued) = self.queued {
            put("queuedAt", json!(wire::plain_stamp(queued)));
        }
        if state == State::Completed
            && let Some(file) = &self.file
        {
            put("startedAt", json!(wire::plain_stamp(self.created)));
            put(
                "finishedAt",
                json!(wire::plain_stamp(self.finished.unwrap_or(self.created))),
            );
            put("numberOfRecords", json!(file.rows));
            put("fileSize", json!(file.bytes.len()));
            put("fileChecksum", json!(file.checksum));
        }
        if state == State::Failed {
            put("errorMsg", json!("Export failed, please try again"));
        }
        Value::Object(row)
    }

    fn twisted_status(&self, twist: Option<FaultKind>) -> Value {
        let mut row = self.status();
        if twist == Some(FaultKind::WrongChecksum) && row.get("fileChecksum").is_some() {
            row["fileChecksum"] =
                json!(format!("sha256:{:064x}", mix(self.created.unsigned_abs())));
        }
        row
    }

    /// The file, whole or a range of it.
    fn download(&self, office: &Office<'_>, call: &Call) -> Answer {
        let expired = self
            .finished
            .is_some_and(|at| office.now - at > KEPT_DAYS * DAY_SECONDS);
        let file = match &self.file {
            Some(file) if !expired && office.twist != Some(FaultKind::FileMissing) => file,
            _ => return Answer::text(StatusCode::NOT_FOUND, "Export file is not available"),
        };
        let total = file.bytes.len();
        let mut answer = Answer {
            status: StatusCode::OK,
            media_type: "text/csv;charset=UTF-8",
            content_range: None,
            body: file.bytes.clone(),
        };
        if let Some(range) = &call.range {
            let Some((from, to)) = parse_range(range, total) else {
                let mut refused = Answer::text(StatusCode::RANGE_NOT_SATISFIABLE, "");
                refused.content_range = Some(format!("bytes */{total}"));
                return refused;
            };
            let (from, to) = match office.twist {
                // Bytes of somewhere else, and said so.
                Some(FaultKind::WrongRange) => (from / 2, (from / 2 + (to - from)).min(total - 1)),
                _ => (from, to),
            };
            answer.status = StatusCode::PARTIAL_CONTENT;
            answer.content_range = Some(format!("bytes {from}-{to}/{total}"));
            answer.body = file.bytes.slice(from..=to);
        }
        if office.twist == Some(FaultKind::TruncatedFile) {
            let end = answer.body.len() * 2 / 3;
            answer.body = answer.body.slice(..end);
        }
        answer
    }
}

/// Reads `bytes=a-b`, `bytes=a-` and `bytes=-n`: first and last byte.
fn parse_range(text: &str, total: usize) -> Option<(usize, usize)> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    let last = total.checked_sub(1)?;
    let (from, to) = match (from, to) {
        ("", length) => (total.saturating_sub(length.parse().ok()?), last),
        (from, "") => (from.parse().ok()?, last),
        (from, to) => (from.parse().ok()?, to.parse::<usize>().ok()?.min(last)),
    };
    (from <= to).then_some((from, to))
}

fn order(office: &Office<'_>, kind: Exported, body: &Value) -> Result<Order, Refusal> {
    let separator = match body.get("format").and_then(Value::as_str).unwrap_or("CSV") {
        "CSV" => ',',
        "TSV" => '\t',
        other => {
            return Err(Refusal::new(
                "1003",
                format!("Format '{other}' is not supported"),
            ));
        }
    };
    let asked: Vec<&str> = body
        .get("fields")
        .and_then(Value::as_array)
        .map(|fields| fields.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let fields = match kind {
        Exported::Leads if asked.is_empty() => {
            return Err(Refusal::new("1003", "fields must not be empty"));
        }
        Exported::Leads => lead_fields(office.world, &asked)?,
        Exported::Activities => activity_columns(&asked)?,
    };
    let renamed = body.get("columnHeaderNames");
    let header = |field: &String| {
        let name = renamed
            .and_then(|names| names.get(field))
            .and_then(Value::as_str);
        name.unwrap_or(field).to_owned()
    };
    let headers = fields.iter().map(header).collect();
    let (by_update, span, types) = filter(office, kind, body.get("filter"))?;
    Ok(Order {
        fields,
        headers,
        separator,
        by_update,
        span,
        types,
    })
}

fn activity_columns(asked: &[&str]) -> Result<Vec<String>, Refusal> {
    let known = |name: &&str| ACTIVITY_COLUMNS.contains(name) || **name == *"actionResult";
    if let Some(name) = asked.iter().find(|name| !known(name)) {
        return Err(Refusal::new("1003", format!("Field '{name}' is not valid")));
    }
    let columns = if asked.is_empty() {
        &ACTIVITY_COLUMNS[..]
    } else {
        asked
    };
    Ok(columns.iter().map(|name| (*name).to_owned()).collect())
}

fn filter(
    office: &Office<'_>,
    kind: Exported,
    filter: Option<&Value>,
) -> Result<(bool, Span, Vec<i64>), Refusal> {
    let filter = filter.and_then(Value::as_object);
    let filter = filter.ok_or_else(|| Refusal::new("1003", "filter must not be empty"))?;
    let mut types = Vec::new();
    let mut times = Vec::new();
    for (name, value) in filter {
        match (name.as_str(), kind) {
            ("createdAt" | "updatedAt", Exported::Leads) | ("createdAt", Exported::Activities) => {
                times.push((name == "updatedAt", value));
            }
            ("activityTypeIds", Exported::Activities) => {
                let list = value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_i64);
                types.extend(list);
            }
            (other, _) => {
                let message = format!("Unsupported filter type for target subscription: {other}");
                return Err(Refusal::new("1035", message));
            }
        }
    }
    let [(by_update, range)] = times[..] else {
        return Err(Refusal::new("1003", "exactly one filter of time is needed"));
    };
    if by_update && !office.options.updated_at_filter {
        return Err(Refusal::of("1035"));
    }
    Ok((by_update, span(range)?, types))
}

fn span(range: &Value) -> Result<Span, Refusal> {
    let at = |name: &str| {
        let text = range.get(name).and_then(Value::as_str).unwrap_or("");
        // Milliseconds are refused.
        let second = datetime(text).filter(|_| !text.contains('.'));
        second.ok_or_else(|| Refusal::new("1003", format!("Invalid {name} '{text}'")))
    };
    let (start, end) = (at("startAt")?, at("endAt")?);
    if start > end {
        return Err(Refusal::new("1003", "startAt is after endAt"));
    }
    if end - start > MOST_DAYS * DAY_SECONDS {
        return Err(Refusal::new(
            "1003",
            "the date range must be 31 days or less",
        ));
    }
    // The end is inclusive to the second.
    Ok(Span {
        start,
        end: end + 1,
    })
}

fn write(office: &Office<'_>, kind: Exported, order: &Order) -> File {
    let mut out = String::new();
    let headers = order.headers.iter().cloned().map(Some);
    wire::push_line(&mut out, order.separator, headers);
    let mut rows = 0;
    match kind {
        Exported::Leads => {
            for lead in office.world.leads(office.now) {
                let time = if order.by_update {
                    lead.updated
                } else {
                    lead.created
                };
                if order.span.contains(time) {
                    let cells = order
                        .fields
                        .iter()
                        .map(|field| wire::lead_cell(&lead, field));
                    wire::push_line(&mut out, order.separator, cells);
                    rows += 1;
                }
            }
        }
        Exported::Activities => {
            for entry in office.world.activities(order.span, office.now) {
                // Deleted leads are told of by REST alone.
                let wanted = order.types.is_empty() || order.types.contains(&entry.type_id);
                if wanted && entry.type_id != DELETE {
                    let activity = office.world.activity(entry);
                    let cells = order
                        .fields
                        .iter()
                        .map(|name| wire::activity_cell(&activity, name));
                    wire::push_line(&mut out, order.separator, cells);
                    rows += 1;
                }
            }
        }
    }
    let hash = Sha256::digest(out.as_bytes());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    File {
        rows,
        bytes: out.into(),
        checksum: format!("sha256:{hex}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_in_each_spelling() {
        assert_eq!(parse_range("bytes=0-0", 10), Some((0, 0)));
        assert_eq!(parse_range("bytes=4-", 10), Some((4, 9)));
        assert_eq!(parse_range("bytes=4-99", 10), Some((4, 9)));
        assert_eq!(parse_range("bytes=-3", 10), Some((7, 9)));
        assert_eq!(parse_range("bytes=10-12", 10), None);
        assert_eq!(parse_range("items=1-2", 10), None);
        assert_eq!(parse_range("bytes=0-0", 0), None);
    }
}
