//! SQL statements of a profile, newest first: what ran, how long, what it read and cost, why it failed.
//!
//! Where the engine keeps a list of its own, it is that list (Athena's workgroup, whoever sent the statement). Elsewhere
//! they are the statements that executions ran, which the executions' events tell.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    CostEstimate, ExecutionSummary, Operator, OpsError, OpsErrorKind, OpsResult, Stage, StageStatus,
};

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
    /// The engine's id; elsewhere the execution and the stage that ran it.
    pub id: String,
    /// `MERGE INTO`, `SELECT`, `CREATE TABLE`.
    pub kind: String,
    /// Its text.
    pub sql: String,
    /// How it stands.
    pub state: StatementState,
    /// When it was sent.
    pub submitted: Option<Timestamp>,
    /// When it ended.
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

/// The statement in a stage's parameters or input.
pub(super) fn statement_of(input: &str) -> Option<String> {
    let input: serde_json::Value = serde_json::from_str(input).ok()?;
    Some(input.get("QueryString")?.as_str()?.to_owned())
}

/// The statement that a stage ran, if it ran one.
fn of_stage(execution: &ExecutionSummary, stage: &Stage) -> Option<Statement> {
    let sql = statement_of(stage.input.as_deref()?)?;
    let state = match stage.status {
        StageStatus::Running => StatementState::Running,
        StageStatus::Succeeded => StatementState::Succeeded,
        StageStatus::Failed => StatementState::Failed,
        _ => StatementState::Cancelled,
    };
    let took = stage.started.zip(stage.ended);
    Some(Statement {
        id: format!("{}/{}", execution.id, stage.name),
        kind: kind_of(&sql),
        sql,
        state,
        submitted: stage.started,
        ended: stage.ended,
        queued_ms: None,
        run_ms: took.and_then(|(from, to)| u64::try_from(to.duration_since(from).as_millis()).ok()),
        bytes_scanned: None,
        dollars: None,
        reason: stage.error.clone(),
    })
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
                    format!("stop its execution: lakehand runs stop {execution}"),
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
        for execution in &executions {
            let stages = self.stages_of(execution).await?;
            all.extend(stages.iter().filter_map(|stage| of_stage(execution, stage)));
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
