//! SQL statements of a profile, newest first: what ran, how long, what it read and cost, why it failed.
//!
//! Where the engine keeps a list of its own, it is that list (Athena's workgroup, whoever sent the statement). Elsewhere
//! they are the statements that executions ran, which the executions' events tell.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    CostEstimate, ExecutionStatus, ExecutionSummary, Operator, OpsError, OpsErrorKind, OpsResult,
    stages::stage_name,
};
use lakehand_workflow::history::{EventType, HistoryEvent, Timeline};

/// Executions looked through for statements, where the engine keeps no list.
const LOOKED_THROUGH: usize = 10;

/// How a statement stands, in Athena's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StatementState {
    /// It waits for room.
    Queued,
    /// It runs.
    Running,
    /// It came to its end.
    Succeeded,
    /// It did not.
    Failed,
    /// Somebody stopped it, or the workgroup's limit did.
    Cancelled,
}

impl StatementState {
    /// `RUNNING`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether it may still be stopped.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statement {
    /// The engine's id; elsewhere the execution, the stage that ran it and its event.
    pub id: String,
    /// `MERGE INTO`, `SELECT`, `CREATE TABLE`.
    pub kind: String,
    /// Its text.
    pub sql: String,
    /// How it stands.
    #[serde(rename = "status")]
    pub state: StatementState,
    /// When it was sent.
    #[serde(rename = "submitted_at")]
    pub submitted: Option<Timestamp>,
    /// When it ended.
    #[serde(rename = "ended_at")]
    pub ended: Option<Timestamp>,
    /// Milliseconds it waited for room.
    pub queued_ms: Option<u64>,
    /// Milliseconds it ran.
    pub run_ms: Option<u64>,
    /// Bytes it read.
    pub bytes_scanned: Option<u64>,
    /// What it cost, where that is known: DDL and what failed cost nothing.
    pub dollars: Option<f64>,
    /// Why it failed or was stopped.
    pub reason: Option<String>,
}

impl Statement {
    /// With its cost at this price a terabyte. `is_free`: the engine does not charge its kind.
    #[must_use]
    pub fn priced(mut self, is_free: bool, price_per_tb: f64) -> Self {
        self.dollars = self.bytes_scanned.map(|bytes| {
            let charged = !is_free && bytes > 0 && self.state != StatementState::Failed;
            match charged {
                true => CostEstimate::of(bytes, 1, price_per_tb).dollars,
                false => 0.0,
            }
        });
        self
    }

    /// The first line that says something.
    #[must_use]
    pub fn first_line(&self) -> &str {
        code_lines(&self.sql).next().unwrap_or_default()
    }
}

/// The lines of a statement that are neither empty nor a comment.
fn code_lines(sql: &str) -> impl Iterator<Item = &str> {
    sql.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("--"))
}

/// What a statement is called when the engine does not say: its first word, in capitals.
#[must_use]
pub fn kind_of(sql: &str) -> String {
    let word = code_lines(sql)
        .next()
        .and_then(|line| line.split_whitespace().next());
    word.unwrap_or_default().to_uppercase()
}

/// The statement in a task's parameters.
fn statement_of(parameters: &str) -> Option<String> {
    let parameters: Value = serde_json::from_str(parameters).ok()?;
    Some(parameters.get("QueryString")?.as_str()?.to_owned())
}

/// The statements that an execution ran, oldest first. A repeated task is a statement for each try.
pub(super) fn of_events(execution: &ExecutionSummary, events: &[HistoryEvent]) -> Vec<Statement> {
    let timeline = Timeline::of(events);
    let mut all = Vec::new();
    // Which statement the event of an id is about.
    let mut about: HashMap<u64, usize> = HashMap::new();
    for event in events {
        if event.event_type == EventType::TaskScheduled {
            let stage = timeline.stage_of(event.id);
            let stage = stage.map(|stage| stage_name(&timeline, stage));
            if let Some(statement) = begun(execution, &stage.unwrap_or_default(), event) {
                about.insert(event.id, all.len());
                all.push(statement);
            }
        } else if let Some(place) = about.get(&event.previous_event_id).copied() {
            about.insert(event.id, place);
            goes_on(&mut all[place], event);
        }
    }
    if execution.status != ExecutionStatus::Running {
        for left in all.iter_mut().filter(|one| one.state.is_under_way()) {
            left.state = StatementState::Cancelled;
        }
    }
    all
}

/// The statement of a task that was scheduled, if Athena's it is.
fn begun(execution: &ExecutionSummary, stage: &str, event: &HistoryEvent) -> Option<Statement> {
    let sql = statement_of(event.details.parameters.as_deref()?)?;
    Some(Statement {
        id: format!("{}/{stage}/{}", execution.id, event.id),
        kind: kind_of(&sql),
        sql,
        state: StatementState::Running,
        submitted: Some(event.timestamp),
        ended: None,
        queued_ms: None,
        run_ms: None,
        bytes_scanned: None,
        dollars: None,
        reason: None,
    })
}

/// What a further event of its task tells of a statement; what comes after its end tells nothing.
fn goes_on(statement: &mut Statement, event: &HistoryEvent) {
    if !statement.state.is_under_way() {
        return;
    }
    let details = &event.details;
    let parsed = |text: &Option<String>| {
        let value: Option<Value> = serde_json::from_str(text.as_deref()?).ok();
        value
    };
    statement.state = match event.event_type {
        EventType::TaskSucceeded => {
            let scanned = "/QueryExecution/Statistics/DataScannedInBytes";
            let output = parsed(&details.output);
            statement.bytes_scanned = output.and_then(|output| output.pointer(scanned)?.as_u64());
            StatementState::Succeeded
        }
        EventType::TaskFailed
        | EventType::TaskTimedOut
        | EventType::TaskSubmitFailed
        | EventType::TaskStartFailed => {
            let why = "/QueryExecution/Status/StateChangeReason";
            let told = parsed(&details.cause);
            let told = told.and_then(|cause| Some(cause.pointer(why)?.as_str()?.to_owned()));
            let own = details.cause.clone().or_else(|| details.error.clone());
            statement.reason = told.or(own);
            StatementState::Failed
        }
        EventType::TaskStateAborted => StatementState::Cancelled,
        _ => return,
    };
    statement.ended = Some(event.timestamp);
    let took = statement
        .submitted
        .map(|from| event.timestamp.duration_since(from).as_millis());
    statement.run_ms = took.and_then(|took| u64::try_from(took).ok());
}

fn not_found(id: &str) -> OpsError {
    OpsError::new(
        OpsErrorKind::NotFound,
        format!("there is no statement '{id}' among the newest ones"),
        "list them with `lakehand statements list`",
    )
}

impl Operator {
    /// The newest statements.
    pub(super) async fn list_statements(&self, limit: usize) -> OpsResult<Vec<Statement>> {
        match &self.parts.statements {
            Some(port) => port.list(limit).await,
            None => {
                let mut all = self.statements_of_executions().await?;
                all.truncate(limit);
                Ok(all)
            }
        }
    }

    /// Bytes at which the engine stops a statement. Nothing else hangs on it, so not knowing is no failure.
    pub(super) async fn scan_limit(&self) -> Option<u64> {
        self.parts.statements.as_ref()?.scan_limit().await.ok()?
    }

    /// One statement.
    pub(super) async fn show_statement(&self, id: &str) -> OpsResult<Statement> {
        match &self.parts.statements {
            Some(port) => port.show(id).await,
            None => {
                let all = self.statements_of_executions().await?;
                let found = all.into_iter().find(|statement| statement.id == id);
                found.ok_or_else(|| not_found(id))
            }
        }
    }

    /// Stops a statement.
    pub(super) async fn cancel_statement(&self, id: &str) -> OpsResult<()> {
        match &self.parts.statements {
            Some(port) => port.stop(id).await,
            None => {
                let statement = self.show_statement(id).await?;
                let execution = statement.id.split('/').next().unwrap_or_default();
                Err(OpsError::new(
                    OpsErrorKind::NotPossible,
                    format!("the statement {id} cannot be stopped alone on this machine"),
                    format!(
                        "stop its execution: lakehand runs stop {}",
                        lakehand_pipeline::text::shell_word(execution)
                    ),
                ))
            }
        }
    }

    async fn statements_of_executions(&self) -> OpsResult<Vec<Statement>> {
        let executions = self
            .parts
            .workflows
            .executions(None, LOOKED_THROUGH)
            .await?;
        let mut all = Vec::new();
        let price = self.parts.profile.datamart.price_per_tb;
        for execution in &executions {
            let events = self.parts.workflows.history(&execution.id, 0).await?;
            let statements = of_events(execution, &events).into_iter();
            // What is not charged reads nothing either.
            all.extend(statements.map(|statement| statement.priced(false, price)));
        }
        all.sort_by_key(|statement| std::cmp::Reverse(statement.submitted));
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(state: StatementState, bytes: u64) -> Statement {
        Statement {
            id: "q".to_owned(),
            kind: kind_of("-- why\n\n  select 1"),
            sql: "-- why\n\n  select 1".to_owned(),
            state,
            submitted: None,
            ended: None,
            queued_ms: None,
            run_ms: None,
            bytes_scanned: Some(bytes),
            dollars: None,
            reason: None,
        }
    }

    #[test]
    fn what_is_charged_is_ten_megabytes_at_least_and_nothing_for_what_failed() {
        let dollars = |state, bytes, free| statement(state, bytes).priced(free, 5.0).dollars;
        assert_eq!(dollars(StatementState::Succeeded, 1, false), Some(0.000_05));
        assert_eq!(
            dollars(StatementState::Cancelled, 2_000_000_000_000, false),
            Some(10.0)
        );
        assert_eq!(dollars(StatementState::Failed, 9, false), Some(0.0));
        assert_eq!(dollars(StatementState::Succeeded, 9, true), Some(0.0));
    }

    /// Events as Step Functions has them: one statement succeeds, one fails twice, one is cut off.
    #[test]
    fn what_an_execution_ran_is_told_by_its_events() {
        use serde_json::json;
        let scheduled = |id: u64, previous: u64, sql: &str| {
            let parameters = json!({ "QueryString": sql, "WorkGroup": "w" }).to_string();
            json!({ "id": id, "previousEventId": previous, "timestamp": 1000.0 + id as f64, "type": "TaskScheduled",
                "taskScheduledEventDetails": { "resourceType": "athena", "resource": "startQueryExecution.sync", "region": "r", "parameters": parameters } })
        };
        let entered = |id: u64, name: &str| json!({ "id": id, "previousEventId": id - 1, "timestamp": 1000.0, "type": "TaskStateEntered", "stateEnteredEventDetails": { "name": name, "input": "{}" } });
        let task = |id: u64, previous: u64, kind: &str, details: Value| {
            let field = format!("{}{}EventDetails", kind[..1].to_lowercase(), &kind[1..]);
            let mut event = json!({ "id": id, "previousEventId": previous, "timestamp": 1000.0 + id as f64, "type": kind });
            event[field] = details;
            event
        };
        let resource = |mut more: Value| {
            more["resourceType"] = "athena".into();
            more["resource"] = "startQueryExecution.sync".into();
            more
        };
        let output = json!({ "QueryExecution": { "Statistics": { "DataScannedInBytes": 2_000_000_000_u64 } } }).to_string();
        let cause = json!({ "QueryExecution": { "Status": { "StateChangeReason": "SYNTAX_ERROR: line 1:1" } } }).to_string();
        let failed = || resource(json!({ "error": "States.TaskFailed", "cause": cause }));
        let events = json!([
            { "id": 1, "previousEventId": 0, "timestamp": 1000.0, "type": "ExecutionStarted", "executionStartedEventDetails": { "input": "{}" } },
            entered(2, "Build"), scheduled(3, 2, "MERGE INTO t USING s"), task(4, 3, "TaskSubmitted", resource(json!({}))),
            task(5, 4, "TaskSucceeded", resource(json!({ "output": output }))),
            entered(6, "Again"), scheduled(7, 6, "SELEC"), task(8, 7, "TaskFailed", failed()),
            scheduled(9, 8, "SELEC"), task(10, 9, "TaskFailed", failed()),
            entered(11, "Last"), scheduled(12, 11, "SELECT 1"),
        ]);
        let events: Vec<HistoryEvent> = serde_json::from_value(events).unwrap();
        let execution = ExecutionSummary {
            id: "w:x".into(),
            name: "x".to_owned(),
            workflow: "w".into(),
            status: ExecutionStatus::Aborted,
            started: Timestamp::UNIX_EPOCH,
            ended: None,
            window: None,
            redrives: 0,
            current_stage: None,
            error: None,
            superseded: false,
            parent: None,
            idle: jiff::SignedDuration::ZERO,
        };
        let told: Vec<_> = of_events(&execution, &events)
            .into_iter()
            .map(|one| (one.id, one.state, one.run_ms, one.bytes_scanned, one.reason))
            .collect();
        let why = Some("SYNTAX_ERROR: line 1:1".to_owned());
        assert_eq!(
            told,
            [
                (
                    "w:x/Build/3".to_owned(),
                    StatementState::Succeeded,
                    Some(2_000),
                    Some(2_000_000_000),
                    None
                ),
                (
                    "w:x/Again/7".to_owned(),
                    StatementState::Failed,
                    Some(1_000),
                    None,
                    why.clone()
                ),
                (
                    "w:x/Again/9".to_owned(),
                    StatementState::Failed,
                    Some(1_000),
                    None,
                    why
                ),
                (
                    "w:x/Last/12".to_owned(),
                    StatementState::Cancelled,
                    None,
                    None,
                    None
                ),
            ]
        );
    }

    #[test]
    fn a_statement_is_called_by_its_first_word_behind_comments() {
        let one = statement(StatementState::Running, 0);
        assert_eq!(
            (one.kind.as_str(), one.first_line()),
            ("SELECT", "select 1")
        );
        assert_eq!(kind_of(""), "");
    }
}
