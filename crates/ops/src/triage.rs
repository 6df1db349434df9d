//! Why an execution failed, and what to do: the error matched against `assets/remedies.toml`.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};
use serde::Deserialize;
use serde_json::Value;

use super::{
    model::RootCause,
    stages::{failed_stage, stage_name},
};
use lakehand_workflow::history::{ExecutionStatus, Timeline, unwrap_cause};

/// Whether the same input may succeed without a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retry {
    /// It may.
    Yes,
    /// It will not.
    No,
    /// It may; if it fails again it will not.
    Once,
    /// After the time the text names.
    Later,
    /// Nobody can tell from the text.
    Maybe,
}

impl Retry {
    fn helps(self) -> Option<bool> {
        match self {
            Self::Yes | Self::Once | Self::Later => Some(true),
            Self::No => Some(false),
            Self::Maybe => None,
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    /// Row of the fact sheet: `A1`, `L7`, `H2`.
    pub id: String,
    /// What the error looks like; `None` for symptoms that no error text tells of.
    pub pattern: Option<String>,
    /// What is behind it.
    pub cause: String,
    /// Whether to try again.
    pub retry: Retry,
    /// What to do.
    pub remedy: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    remedy: Vec<Remedy>,
}

struct Compiled {
    rows: Vec<Remedy>,
    patterns: RegexSet,
}

/// Patterns of rows without one match nothing.
const NEVER: &str = r"[^\s\S]";

/// The table of the binary. A test holds that it parses; were it broken all the same, nothing matches.
static TABLE: LazyLock<Compiled> = LazyLock::new(|| {
    compile(include_str!("../../../assets/remedies.toml")).unwrap_or_else(|_| Compiled {
        rows: Vec::new(),
        patterns: RegexSet::empty(),
    })
});

fn compile(text: &str) -> Result<Compiled, String> {
    let table: Table = toml::from_str(text).map_err(|error| error.to_string())?;
    let patterns = table
        .remedy
        .iter()
        .map(|row| row.pattern.as_deref().unwrap_or(NEVER));
    let patterns = RegexSet::new(patterns).map_err(|error| error.to_string())?;
    Ok(Compiled {
        rows: table.remedy,
        patterns,
    })
}

/// The first row that fits an error name, its message and its cause as recorded.
#[must_use]
pub fn remedy_for(error: &str, message: &str, cause: &str) -> Option<&'static Remedy> {
    let table: &'static Compiled = &TABLE;
    let text = if message == cause {
        format!("{error}: {message}")
    } else {
        format!("{error}: {message}\n{cause}")
    };
    table
        .patterns
        .matches(&text)
        .iter()
        .next()
        .and_then(|row| table.rows.get(row))
}

/// Every row, for help pages.
#[must_use]
pub fn remedies() -> &'static [Remedy] {
    &TABLE.rows
}

/// The innermost error and message: out of Lambda's and Step Functions' JSON, and of Athena's `QueryExecution`.
#[must_use]
pub fn innermost(error: &str, cause: &str) -> (String, String) {
    let (mut error, mut message) = unwrap_cause(error, cause);
    if let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(&message) {
        let execution = fields.get("QueryExecution").unwrap_or(&Value::Null);
        let status = fields.get("Status").or_else(|| execution.get("Status"));
        let reason = status.and_then(|status| {
            let said = status.get("StateChangeReason").and_then(Value::as_str);
            said.or_else(|| status.get("AthenaError")?.get("ErrorMessage")?.as_str())
        });
        if let Some(reason) = reason {
            message = reason.to_owned();
            static CODE: LazyLock<Option<Regex>> =
                LazyLock::new(|| Regex::new(r"^([A-Z][A-Z_]{3,}): ").ok());
            if let Some(code) = CODE.as_ref().and_then(|code| {
                code.captures(&message)?
                    .get(1)
                    .map(|code| code.as_str().to_owned())
            }) {
                error = code;
            }
        }
    }
    (error, message)
}

/// Whether trying again at once is in vain, and later is not: what the table says of the row that a cause shows.
#[must_use]
pub fn is_better_later(cause: &RootCause) -> bool {
    let shown = |row: &&Remedy| cause.remedy.as_ref() == Some(&row.remedy);
    let row = remedies().iter().find(shown);
    row.is_some_and(|row| row.retry == Retry::Later)
}

/// Why the execution ended as it did; `None` while it runs and after a success.
#[must_use]
pub fn root_cause(timeline: &Timeline) -> Option<RootCause> {
    let head = &timeline.head;
    if matches!(
        head.status,
        ExecutionStatus::Running | ExecutionStatus::Succeeded
    ) {
        return None;
    }
    let stage = failed_stage(timeline);
    let failure = stage.and_then(|index| timeline.stages[index].failure.as_ref());
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (raw_error, raw_cause) = match (head.status, failure) {
        (ExecutionStatus::Failed, Some(failure)) => (text(&failure.error), text(&failure.cause)),
        (ExecutionStatus::TimedOut, _) if head.error.is_none() => (
            "States.Timeout".to_owned(),
            "the workflow's TimeoutSeconds passed".to_owned(),
        ),
        _ => (text(&head.error), text(&head.cause)),
    };
    let (error, cause) = innermost(&raw_error, &raw_cause);
    let error = match (error.is_empty(), head.status) {
        (true, ExecutionStatus::Aborted) => "stopped".to_owned(),
        _ => error,
    };
    let remedy = remedy_for(&error, &cause, &raw_cause)
        .or_else(|| remedy_for(&raw_error, &cause, &raw_cause));
    Some(RootCause {
        stage: stage
            .map(|index| stage_name(timeline, index))
            .unwrap_or_default(),
        error,
        cause,
        meaning: remedy.map(|row| row.cause.clone()),
        remedy: remedy.map(|row| row.remedy.clone()),
        retry_helps: remedy.and_then(|row| row.retry.helps()),
        others: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(error: &str, message: &str) -> &'static str {
        remedy_for(error, message, message).map_or("none", |row| row.id.as_str())
    }

    #[test]
    fn the_table_parses_and_has_every_row_of_the_fact_sheet() {
        let table = compile(include_str!("../../../assets/remedies.toml")).unwrap();
        let mut ids: Vec<&str> = table.rows.iter().map(|row| row.id.as_str()).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "an id stands twice");
        let sheet = (1..=18)
            .map(|n| format!("A{n}"))
            .chain((1..=8).map(|n| format!("G{n}")));
        let sheet = sheet
            .chain((1..=12).map(|n| format!("L{n}")))
            .chain((1..=15).map(|n| format!("S{n}")));
        for id in sheet {
            assert!(ids.contains(&id.as_str()), "{id} is missing");
        }
    }

    #[test]
    fn a_cause_tells_by_its_remedy_whether_later_is_better() {
        for row in remedies() {
            let cause = RootCause {
                stage: "Collect".to_owned(),
                error: "E".to_owned(),
                cause: String::new(),
                meaning: Some(row.cause.clone()),
                remedy: Some(row.remedy.clone()),
                retry_helps: row.retry.helps(),
                others: Vec::new(),
            };
            assert_eq!(
                is_better_later(&cause),
                row.retry == Retry::Later,
                "{}: two rows with one remedy differ",
                row.id
            );
        }
    }

    #[test]
    fn messages_as_they_come_find_their_row() {
        let cases = [
            (
                "States.TaskFailed",
                "ICEBERG_COMMIT_ERROR: Failed to commit Iceberg update to table: analytics.daily",
                "A1",
            ),
            (
                "States.TaskFailed",
                "HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of 100 open writers for partitions",
                "A2",
            ),
            (
                "Athena.TooManyRequestsException",
                "You have exceeded the limit for the number of queries you can run concurrently",
                "A3",
            ),
            (
                "States.TaskFailed",
                "ICEBERG_FILESYSTEM_ERROR: Cannot create a table on a non-empty location: s3://x-std/gold/t",
                "A16",
            ),
            (
                "States.TaskFailed",
                "Query exhausted resources at this scale factor",
                "A4",
            ),
            (
                "States.TaskFailed",
                "Bytes scanned limit was exceeded",
                "A5",
            ),
            (
                "States.TaskFailed",
                "HIVE_BAD_DATA: Malformed Parquet file. Field spend's type DOUBLE",
                "A6",
            ),
            (
                "States.TaskFailed",
                "SYNTAX_ERROR: line 4:12: mismatched input 'FORM'",
                "A8",
            ),
            (
                "States.TaskFailed",
                "HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split s3://b/x: Slow Down (Service: Amazon S3; Status Code: 503)",
                "A9",
            ),
            (
                "States.TaskFailed",
                "HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split s3://b/x: FileNotFoundException",
                "A10",
            ),
            (
                "States.TaskFailed",
                "Access Denied (Service: Amazon S3; Status Code: 403; Error Code: AccessDenied)",
                "A11",
            ),
            (
                "States.TaskFailed",
                "MERGE_TARGET_ROW_MULTIPLE_MATCHES: One MERGE target table row matched more than one source row",
                "A14",
            ),
            (
                "States.TaskFailed",
                "GENERIC_INTERNAL_ERROR: unexpected",
                "A17",
            ),
            (
                "Glue.CrawlerRunningException",
                "Crawler with name x has already started",
                "G1",
            ),
            (
                "Glue.EntityNotFoundException",
                "Crawler entry with name x does not exist",
                "G8",
            ),
            (
                "Sandbox.Timedout",
                "RequestId: 1 Error: Task timed out after 900.00 seconds",
                "L1",
            ),
            (
                "Runtime.ExitError",
                "RequestId: 1 Error: Runtime exited with error: signal: killed",
                "L2",
            ),
            (
                "Runtime.InvalidEntrypoint",
                "RequestId: 1 Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap]",
                "L3",
            ),
            (
                "Lambda.TooManyRequestsException",
                "Rate Exceeded. (Service: Lambda, Status Code: 429)",
                "L4",
            ),
            (
                "Lambda.AWSLambdaException",
                "An internal error occurred",
                "L5",
            ),
            (
                "AccessDeniedException",
                "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: ssm:GetParameter on resource: y",
                "L6",
            ),
            (
                "StorageError",
                "could not write part-0.parquet: No space left on device (os error 28)",
                "L12",
            ),
            (
                "States.DataLimitExceeded",
                "The state/task 'X' returned a result with a size exceeding the maximum",
                "L10",
            ),
            ("States.Timeout", "", "S2"),
            ("States.HeartbeatTimeout", "", "S2"),
            (
                "States.Runtime",
                "An error occurred while executing the state 'A': Invalid path '$.x'",
                "S3",
            ),
            (
                "States.NoChoiceMatched",
                "There is no choice rule satisfied",
                "S4",
            ),
            (
                "ExpiredTokenException",
                "The security token included in the request is expired",
                "S12",
            ),
            (
                "AccessDeniedException",
                "not authorized to perform: s3:GetObject with an explicit deny in a service control policy",
                "S13",
            ),
            (
                "TransientSourceError",
                "Affise answered 502 to GET /3.0/stats/clicks five times",
                "H10",
            ),
            (
                "TransientPlatformError",
                "could not write s3://b/x: PutObject on s3://b/x failed: ServiceUnavailable: busy",
                "H14",
            ),
            (
                "TransientSourceError",
                "Affise answered HTTP 429 to GET /3.0/stats/clicks",
                "L9",
            ),
            (
                "BadCredentials",
                "Affise answered HTTP 403: the API key is wrong",
                "H3",
            ),
            (
                "LeaseHeld",
                "gold/daily_report_sub5 is being written by daily-report:x until 12:00",
                "H2",
            ),
            (
                "Lakehand.Interrupted",
                "the process that ran it ended without notice",
                "H1",
            ),
            (
                "DataContractError",
                "12% of the rows of affise.clicks went to quarantine",
                "H6",
            ),
            (
                "QualityCheckFailed",
                "sum of clicks: expected 10, found 9",
                "H7",
            ),
            (
                "Lambda.Unknown",
                "the job panicked: index out of bounds",
                "H8",
            ),
            ("States.TaskFailed", "something new", "S1"),
            ("Custom.Error", "something new", "none"),
        ];
        for (error, message, id) in cases {
            assert_eq!(row(error, message), id, "{error}: {message}");
        }
    }

    #[test]
    fn athena_and_lambda_causes_are_unwrapped() {
        let reason = "COLUMN_NOT_FOUND: line 3:8: Column 'x' cannot be resolved";
        let query = json!({ "QueryExecutionId": "q", "Status": { "State": "FAILED", "StateChangeReason": reason } });
        assert_eq!(
            innermost("States.TaskFailed", &query.to_string()),
            ("COLUMN_NOT_FOUND".to_owned(), reason.to_owned())
        );
        let child =
            json!({ "Status": "FAILED", "Error": "States.TaskFailed", "Cause": query.to_string() });
        assert_eq!(
            innermost("States.TaskFailed", &child.to_string()).0,
            "COLUMN_NOT_FOUND"
        );
        let lambda = json!({ "errorMessage": "key expired", "errorType": "BadCredentials" });
        assert_eq!(
            innermost("BadCredentials", &lambda.to_string()),
            ("BadCredentials".to_owned(), "key expired".to_owned())
        );
        assert_eq!(
            innermost("X", "plain"),
            ("X".to_owned(), "plain".to_owned())
        );
    }
}
