//! What an operator sees, as plain data: no platform type, no drawing.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::json;
use lakehand_pipeline::{jobs::Level, window::Window};
use lakehand_workflow::{definition::Graph, history::HistoryEvent};

/// A state machine's name: `daily-report`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkflowName(pub Arc<str>);

/// An execution's id: unique in its platform; an ARN on AWS, `<workflow>:<name>` here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutionId(pub Arc<str>);

/// A report's file name: `sub5-20260131-0900.csv`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReportName(pub Arc<str>);

macro_rules! text_type {
    ($($name:ident),*) => { $(
        impl From<&str> for $name { fn from(text: &str) -> Self { Self(text.into()) } }
        impl From<String> for $name { fn from(text: String) -> Self { Self(text.into()) } }
        impl fmt::Display for $name { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) } }
        impl AsRef<str> for $name { fn as_ref(&self) -> &str { &self.0 } }
    )* };
}
text_type!(WorkflowName, ExecutionId, ReportName);

/// Who and where we are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Profile name.
    pub profile: String,
    /// `local`; empty on AWS, where [`Connection`] tells it once it was asked for.
    pub account: String,
    /// `this machine`, or the AWS region.
    pub region: String,
    /// Folder or bucket of the lake, for people.
    pub lake: String,
    /// The profile's time zone name.
    pub time_zone: String,
    /// Whether changes are refused.
    pub read_only: bool,
    /// Whether each change needs the profile's name typed.
    pub protected: bool,
    /// Whether it can show itself with sample data.
    pub has_sample: bool,
    /// Whether it has a source or a credential of the user's own: its lake is meant for real data.
    pub is_configured: bool,
}

impl Identity {
    /// Whether sample data are worth an offer: they are there, and nothing of the user's own is.
    #[must_use]
    pub fn offers_sample(&self) -> bool {
        self.has_sample && !self.is_configured
    }
}

/// How the way to the platform stands, and what this process does there, as far as it is known without asking.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Connection {
    /// The account, once it is known.
    pub account: Option<String>,
    /// Who acts there.
    pub caller: Option<String>,
    /// How long ago a service last said "too many calls", while that matters.
    pub throttled_seconds_ago: Option<u64>,
    /// Why the operator's own credentials do not work any more.
    pub signed_out: Option<String>,
    /// They work, but are those of another account than the profile's: whose they are.
    pub other_account: Option<String>,
    /// The command that signs in.
    pub login_command: Option<String>,
    /// Calls so far, by `service:Operation`.
    pub calls: BTreeMap<String, u64>,
    /// Executions that run in this process and are cut off by its end; none where the platform is elsewhere.
    pub running_here: Vec<ExecutionId>,
    /// Executions that were started from here and run in processes of their own, which go on after the end of this one.
    pub running_apart: Vec<ExecutionId>,
    /// Whether the lake holds sample data.
    pub holds_sample: bool,
}

/// How an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExecutionStatus {
    /// Under way, its runner alive.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// A time limit passed.
    TimedOut,
    /// Stopped by an operator.
    Aborted,
    /// Its runner died (kill, power, crash); nothing is lost, redrive continues it.
    Interrupted,
}

impl ExecutionStatus {
    /// Whether nothing more will happen by itself.
    #[must_use]
    pub fn is_ended(self) -> bool {
        self != Self::Running
    }
}

/// How a stage of an execution stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StageStatus {
    /// Not reached (yet).
    NotReached,
    /// A Wait state, or a retry interval: until when, and why.
    Waiting {
        /// End of the wait.
        #[serde(rename = "waits_until")]
        until: Option<Timestamp>,
        /// `retry 2 of 5 after TransientSourceError`, `wait`.
        #[serde(rename = "waits_for")]
        why: String,
    },
    /// Working.
    Running,
    /// Done.
    Succeeded,
    /// Ended well, and left something out until an instant, because a quota is used up; `progress` says why.
    Parked {
        /// Not before.
        #[serde(rename = "parked_until")]
        until: Timestamp,
    },
    /// Failed, but the workflow caught it.
    Caught,
    /// Failed.
    Failed,
    /// Stopped because something else failed or the operator said so.
    Aborted,
    /// Its runner died in the middle.
    Interrupted,
}

/// One state of a workflow as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// State name; inside a Map or Parallel the outer names stand before it: `Collect / clicks[0]`.
    pub name: String,
    /// ASL type: `Task`, `Choice`, …
    pub kind: String,
    /// How it stands.
    #[serde(flatten)]
    pub status: StageStatus,
    /// When it was entered (the first time since the last redrive).
    #[serde(rename = "started_at")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(rename = "ended_at")]
    pub ended: Option<Timestamp>,
    /// Tries so far; 1 without a retry.
    pub attempts: u32,
    /// Last line of progress, already short: `12,500 rows, 25 calls`.
    pub progress: Option<String>,
    /// Error name, when it failed.
    pub error: Option<String>,
    /// Depth in Map/Parallel, 0 at the top.
    pub depth: u16,
    /// Input as JSON text.
    #[serde(
        serialize_with = "json::payload_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    pub input: Option<Arc<str>>,
    /// Output as JSON text.
    #[serde(
        serialize_with = "json::payload_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    pub output: Option<Arc<str>>,
    /// Time between ends and redrives of the execution while the stage was open.
    #[serde(rename = "idle_ms", serialize_with = "json::millis")]
    pub idle: SignedDuration,
}

impl Stage {
    /// How long it worked; `None` before its end.
    #[must_use]
    pub fn took(&self) -> Option<SignedDuration> {
        Some(worked(self.started?, self.ended?, self.idle))
    }
}

/// One line of an execution list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExecutionSummary {
    /// Id for further calls.
    pub id: ExecutionId,
    /// Short name for people.
    pub name: String,
    /// Its workflow.
    pub workflow: WorkflowName,
    /// How it stands.
    pub status: ExecutionStatus,
    /// Start.
    #[serde(rename = "started_at")]
    pub started: Timestamp,
    /// End.
    #[serde(rename = "ended_at")]
    pub ended: Option<Timestamp>,
    /// The window it works on, where its input names one.
    pub window: Option<Window>,
    /// Times it was redriven.
    pub redrives: u32,
    /// The stage it is in, or failed in.
    pub current_stage: Option<String>,
    /// Error name, when it failed.
    pub error: Option<String>,
    /// A later execution of the same workflow and window succeeded: shown as "fixed".
    pub superseded: bool,
    /// The execution that started it and waits for it, as far as it is known.
    pub parent: Option<ExecutionId>,
    /// Time between its ends and redrives, in which nothing of it ran.
    #[serde(rename = "idle_ms", serialize_with = "json::millis")]
    pub idle: SignedDuration,
}

impl ExecutionSummary {
    /// How long it worked; `None` before its end.
    #[must_use]
    pub fn took(&self) -> Option<SignedDuration> {
        Some(worked(self.started, self.ended?, self.idle))
    }

    /// Whether it says nothing of the newest days: it is a part of another execution, or its window had ended before the
    /// day before the one on which it was started, as `zone` counts days.
    #[must_use]
    pub fn stands_apart(&self, zone: &TimeZone) -> bool {
        let started = self.started.to_zoned(zone.clone()).date();
        let day_before = started.yesterday().unwrap_or(started);
        self.parent.is_some() || self.window.is_some_and(|window| window.to() < day_before)
    }
}

/// The executions that stand in a list by themselves, each with the number of those that it started; these are parts of
/// it, and come to as many as there are days.
#[must_use]
pub fn with_children(executions: &[ExecutionSummary]) -> Vec<(&ExecutionSummary, usize)> {
    let ids: HashSet<&ExecutionId> = executions.iter().map(|one| &one.id).collect();
    let mut children: HashMap<&ExecutionId, usize> = HashMap::new();
    let mut roots = Vec::new();
    for one in executions {
        match one.parent.as_ref().filter(|parent| ids.contains(parent)) {
            Some(parent) => *children.entry(parent).or_default() += 1,
            None => roots.push(one),
        }
    }
    roots
        .into_iter()
        .map(|one| (one, children.get(&one.id).copied().unwrap_or(0)))
        .collect()
}

/// Time between two instants, without that in which nothing ran.
fn worked(from: Timestamp, to: Timestamp, idle: SignedDuration) -> SignedDuration {
    let whole = to.duration_since(from).saturating_sub(idle);
    whole.max(SignedDuration::ZERO)
}

/// Why an execution failed, in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RootCause {
    /// The deepest stage that failed.
    pub stage: String,
    /// Error name.
    pub error: String,
    /// The cause's text, JSON unwrapped, control characters still in it.
    pub cause: String,
    /// What it means, from `assets/remedies.toml`, where a pattern matches.
    pub meaning: Option<String>,
    /// What to do.
    pub remedy: Option<String>,
    /// Whether the same input may succeed without a change.
    pub retry_helps: Option<bool>,
    /// What else failed beside it: the other streams of a collection, the other days of a backfill.
    pub others: Vec<OtherFailure>,
}

/// A failure beside the root cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherFailure {
    /// The stage.
    pub stage: String,
    /// Error name.
    pub error: String,
    /// The cause's text, JSON unwrapped, control characters still in it.
    pub cause: String,
}

/// Whether and why a redrive is possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redrive {
    /// Possible: which stages run again, and why that is safe.
    Possible {
        /// Stages that run again.
        stages: Vec<String>,
        /// `ReplaceWindow commits once; running it again changes nothing`; of stages that are not ours, what to check.
        safety: String,
        /// Whether `safety` is a guarantee: the definition is one that ships with the program.
        known: bool,
    },
    /// Not possible, and why.
    NotPossible {
        /// The reason.
        reason: String,
    },
}

/// One execution, whole.
#[derive(Debug, Clone, Serialize)]
pub struct ExecutionDetail {
    /// Header.
    pub summary: ExecutionSummary,
    /// Stages in order of first entry, then those not reached.
    pub stages: Vec<Stage>,
    /// Why it failed.
    pub root_cause: Option<RootCause>,
    /// Whether a redrive is possible.
    pub redrive: Redrive,
    /// Nodes and edges for drawing; same names as `stages`.
    #[serde(skip)]
    pub graph: Arc<Graph>,
    /// Events after the one asked for.
    #[serde(serialize_with = "json::events")]
    pub events: Vec<HistoryEvent>,
    /// Input as JSON text.
    #[serde(serialize_with = "json::payload")]
    pub input: Arc<str>,
    /// Output as JSON text, once it succeeded.
    #[serde(serialize_with = "json::payload_if_any")]
    pub output: Option<Arc<str>>,
}

/// One workflow on the Board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkflowCard {
    /// Name.
    pub name: WorkflowName,
    /// The definition's `Comment`.
    pub description: String,
    /// Stages of the newest execution, top level only; all `NotReached` when there is none.
    pub stages: Vec<Stage>,
    /// Newest first.
    pub executions: Vec<ExecutionSummary>,
    /// Next scheduled start.
    #[serde(rename = "next_run_at")]
    pub next_run: Option<Timestamp>,
    /// End of the newest success.
    #[serde(rename = "last_success_at")]
    pub last_success: Option<Timestamp>,
    /// Whether its definition reads a window from its input.
    #[serde(skip)]
    pub takes_window: bool,
}

/// How fresh a stream is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Freshness {
    /// `affise.clicks`.
    pub stream: String,
    /// When it was last collected to the end.
    #[serde(rename = "collected_at")]
    pub collected: Option<Timestamp>,
    /// Newest event day in silver.
    pub newest_day: Option<Date>,
    /// Rows of the last collection.
    pub rows: Option<u64>,
    /// Older than promised.
    pub late: bool,
    /// Until when a used-up quota keeps it from being collected; `None` once that has passed.
    pub parked_until: Option<Timestamp>,
    /// A note: why it waits, until when it is parked, quarantined rows.
    pub note: Option<String>,
    /// Whether the deployment has this stream: something collects it, or did.
    #[serde(skip)]
    pub is_deployed: bool,
}

/// An exported report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportSummary {
    /// File name.
    pub name: ReportName,
    /// Report: `sub5`.
    pub report: String,
    /// Window of its rows.
    pub window: Option<Window>,
    /// Rows without the header; `None` where no manifest tells.
    pub rows: Option<u64>,
    /// Bytes.
    pub bytes: u64,
    /// Written at.
    #[serde(rename = "created_at")]
    pub created: Timestamp,
    /// The execution that wrote it.
    pub execution: Option<String>,
    /// SHA-256, hex; `None` where no manifest tells.
    pub sha256: Option<String>,
    /// Where it lies in the lake.
    #[serde(skip)]
    pub key: String,
}

impl ReportSummary {
    /// `240 rows`, or that nobody knows.
    #[must_use]
    pub fn rows_in_words(&self, number: impl Fn(u64) -> String) -> String {
        match self.rows {
            Some(rows) => format!("{} rows", number(rows)),
            None => "rows unknown".to_owned(),
        }
    }
}

/// The Board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Board {
    /// When this was read.
    #[serde(rename = "read_at")]
    pub as_of: Timestamp,
    /// Today in the profile's time zone.
    pub today: Date,
    /// Every workflow.
    pub workflows: Vec<WorkflowCard>,
    /// Every stream.
    pub freshness: Vec<Freshness>,
    /// The newest checks of every table that was checked.
    pub quality: Vec<super::QualityBadge>,
    /// The newest report.
    pub latest_report: Option<ReportSummary>,
    /// What of all this could not be read, and why; empty when all of it was.
    pub unread: Vec<super::Unread>,
    /// Nothing was ever collected: offer the sample.
    pub lake_is_empty: bool,
}

impl Board {
    /// Why a workflow's card is empty, where that is because it could not be read.
    #[must_use]
    pub fn unread_workflow(&self, name: &WorkflowName) -> Option<&super::Unread> {
        let is_this =
            |part: &super::Part| matches!(part, super::Part::Workflow(own) if own == name);
        self.unread.iter().find(|unread| is_this(&unread.part))
    }
}

/// One structured log line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Position in the execution's log, from 1.
    pub line: u64,
    /// When.
    #[serde(rename = "logged_at")]
    pub at: Timestamp,
    /// How much it matters.
    pub level: Level,
    /// Stage.
    pub stage: String,
    /// Try of that stage, from 1.
    pub attempt: u32,
    /// Text.
    pub message: String,
}

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRequest {
    /// Workflow.
    pub workflow: WorkflowName,
    /// Window; the default one when absent.
    pub window: Option<Window>,
    /// Further input, merged into the execution's input object.
    pub input: serde_json::Value,
    /// Execution name; made from window and time when absent. The same name twice is refused.
    pub name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn execution(
        id: &str,
        parent: Option<&str>,
        started: &str,
        days: (&str, &str),
    ) -> ExecutionSummary {
        ExecutionSummary {
            id: id.into(),
            name: id.to_owned(),
            workflow: "daily-report".into(),
            status: ExecutionStatus::Succeeded,
            started: started.parse().unwrap(),
            ended: None,
            window: Some(Window::parse(days.0, days.1).unwrap()),
            redrives: 0,
            current_stage: None,
            error: None,
            superseded: false,
            parent: parent.map(Into::into),
            idle: SignedDuration::ZERO,
        }
    }

    #[test]
    fn executions_of_days_gone_by_and_parts_of_others_stand_apart() {
        let (utc, berlin) = (TimeZone::UTC, TimeZone::get("Europe/Berlin").unwrap());
        let of = |started: &str, days| execution("x", None, started, days);
        let today = of("2026-01-31T09:00:00Z", ("2026-01-24", "2026-01-31"));
        let yesterday = of("2026-01-31T09:00:00Z", ("2026-01-23", "2026-01-30"));
        let old = of("2026-01-31T09:00:00Z", ("2026-01-05", "2026-01-05"));
        assert!(!today.stands_apart(&utc) && !yesterday.stands_apart(&utc));
        assert!(old.stands_apart(&utc));
        // In Berlin it was the 1st of February already.
        let night = of("2026-01-31T23:30:00Z", ("2026-01-30", "2026-01-30"));
        assert!(!night.stands_apart(&utc) && night.stands_apart(&berlin));
        let days = ("2026-01-31", "2026-01-31");
        let part = execution("x", Some("backfill:y"), "2026-01-31T09:00:00Z", days);
        assert!(part.stands_apart(&utc));
    }

    #[test]
    fn parts_fold_under_the_execution_that_started_them() {
        let (at, days) = ("2026-01-31T09:00:00Z", ("2026-01-05", "2026-01-05"));
        let list = [
            execution("collect:2", Some("backfill:1"), at, days),
            execution("daily-report:3", Some("backfill:1"), at, days),
            execution("backfill:1", None, at, days),
            // Its parent is not in the list: it must not vanish.
            execution("collect:9", Some("backfill:0"), at, days),
            execution("daily-report:1", None, at, days),
        ];
        let shown: Vec<_> = with_children(&list)
            .into_iter()
            .map(|(one, parts)| (one.id.as_ref().to_owned(), parts))
            .collect();
        let expected = [("backfill:1", 2), ("collect:9", 0), ("daily-report:1", 0)];
        assert_eq!(shown, expected.map(|(id, parts)| (id.to_owned(), parts)));
    }
}
