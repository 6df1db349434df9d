//! What Athena says of a statement that did not succeed, as the pipeline's errors.

use aws_sdk_athena::types::{QueryExecution, QueryExecutionState, QueryExecutionStatus};

use crate::call::{CallError, CallFailure};
use lakehand_pipeline::{ports::QueryError, text::for_terminal};

/// Codes of statements that no repetition mends.
const REFUSED: [&str; 22] = [
    "SYNTAX_ERROR",
    "TABLE_NOT_FOUND",
    "COLUMN_NOT_FOUND",
    "SCHEMA_NOT_FOUND",
    "CATALOG_NOT_FOUND",
    "FUNCTION_NOT_FOUND",
    "TABLE_ALREADY_EXISTS",
    "TYPE_MISMATCH",
    "AMBIGUOUS_NAME",
    "DUPLICATE_COLUMN_NAME",
    "EXPRESSION_NOT_AGGREGATE",
    "INVALID_FUNCTION_ARGUMENT",
    "INVALID_CAST_ARGUMENT",
    "INVALID_COLUMN_REFERENCE",
    "INVALID_TABLE_PROPERTY",
    "INVALID_PARAMETER_USAGE",
    "MISMATCHED_COLUMN_ALIASES",
    "MERGE_TARGET_ROW_MULTIPLE_MATCHES",
    "MISSING_TABLE",
    "NOT_SUPPORTED",
    "PERMISSION_DENIED",
    "VIEW_IS_STALE",
];

/// Words of failures that pass by themselves, where Athena does not say so itself.
const PASSING: [&str; 6] = [
    "Slow Down",
    "SlowDown",
    "TooManyRequests",
    "Rate exceeded",
    "exceeded the limit for the number of queries",
    "INTERNAL_ERROR",
];

/// A statement that Athena did not accept.
pub(super) fn not_started(error: &CallError) -> QueryError {
    if error.code == "InvalidRequestException" && reads_like_syntax(&error.message) {
        return QueryError::Refused {
            code: "SYNTAX_ERROR",
            message: error.message.clone(),
        };
    }
    QueryError::Failed {
        message: format!("{error}; {}", advice(error)),
        transient: error.is_transient(),
    }
}

fn reads_like_syntax(message: &str) -> bool {
    message.starts_with("line ")
        || [
            "mismatched input",
            "Queries of this type",
            "extraneous input",
            "no viable alternative",
        ]
        .iter()
        .any(|words| message.contains(words))
}

fn advice(error: &CallError) -> &'static str {
    if error
        .message
        .to_ascii_lowercase()
        .contains("output location")
    {
        "give the workgroup an output location, or set aws.query_results in the profile"
    } else {
        error.advice()
    }
}

/// A statement of which nothing more is heard; it is told to stop.
pub(super) fn lost(id: &str, error: &CallError) -> QueryError {
    let seen = error.failure != CallFailure::NotFound;
    QueryError::Failed {
        message: format!(
            "nothing more is known of the statement {id}: {error}; {}",
            error.advice()
        ),
        transient: seen && error.is_transient(),
    }
}

/// The execution when it succeeded, else why not.
pub(super) fn outcome(execution: QueryExecution) -> Result<QueryExecution, QueryError> {
    let status = execution.status();
    let reason = status.and_then(reason).unwrap_or_default();
    match status.and_then(|status| status.state()) {
        Some(QueryExecutionState::Succeeded) => Ok(execution),
        Some(QueryExecutionState::Cancelled) if reason.contains("limit") => {
            Err(QueryError::Failed {
                message: format!(
                    "{reason}; the workgroup's limit did its work: is the partition filter missing?"
                ),
                transient: false,
            })
        }
        Some(QueryExecutionState::Cancelled) => Err(QueryError::Cancelled),
        _ => {
            let says_retry = status
                .and_then(|status| status.athena_error())
                .is_some_and(|error| error.retryable());
            let id = execution.query_execution_id().unwrap_or_default();
            Err(failure(&reason, says_retry, id))
        }
    }
}

/// Athena's own words on how a statement stands.
pub(super) fn reason(status: &QueryExecutionStatus) -> Option<String> {
    let own = status.state_change_reason();
    let error = status
        .athena_error()
        .and_then(|error| error.error_message());
    let text = own.or(error)?;
    Some(for_terminal(text.trim()).into_owned())
}

/// A failed statement. The reason is `CODE: message`, or for some DDL only a message.
fn failure(reason: &str, says_retry: bool, id: &str) -> QueryError {
    let (code, message) = reason.split_once(": ").unwrap_or(("", reason));
    if code == "ICEBERG_COMMIT_ERROR" {
        return QueryError::Conflict {
            message: message.to_owned(),
        };
    }
    if let Some(code) = REFUSED.into_iter().find(|known| *known == code) {
        return QueryError::Refused {
            code,
            message: message.to_owned(),
        };
    }
    // Hive's DDL has no codes.
    if reason.contains("AlreadyExistsException") || reason.contains("already exists") {
        return QueryError::Refused {
            code: "TABLE_ALREADY_EXISTS",
            message: reason.to_owned(),
        };
    }
    let reason = if reason.is_empty() {
        "Athena gave no reason"
    } else {
        reason
    };
    QueryError::Failed {
        transient: says_retry || PASSING.iter().any(|words| reason.contains(words)),
        message: format!("{reason} (statement {id})"),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_athena::types::AthenaError;

    use super::*;

    fn ended(state: QueryExecutionState, reason: &str, retryable: bool) -> QueryExecution {
        let error = AthenaError::builder().retryable(retryable).build();
        let status = QueryExecutionStatus::builder()
            .state(state)
            .state_change_reason(reason)
            .athena_error(error)
            .build();
        QueryExecution::builder()
            .query_execution_id("q-1")
            .status(status)
            .build()
    }

    /// Reasons as section 7 of the fact sheet lists them.
    #[test]
    fn reasons_become_the_pipelines_errors() {
        let failed =
            |reason: &str| outcome(ended(QueryExecutionState::Failed, reason, false)).unwrap_err();
        assert!(matches!(
            failed("COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved"),
            QueryError::Refused { code: "COLUMN_NOT_FOUND", message } if message.starts_with("line 1:8")
        ));
        assert!(matches!(
            failed("ICEBERG_COMMIT_ERROR: Failed to commit Iceberg update to table"),
            QueryError::Conflict { .. }
        ));
        assert!(matches!(
            failed("HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split: Slow Down"),
            QueryError::Failed {
                transient: true,
                ..
            }
        ));
        assert!(matches!(
            failed("HIVE_BAD_DATA: Malformed Parquet file"),
            QueryError::Failed {
                transient: false,
                ..
            }
        ));
        assert!(matches!(
            failed(
                "FAILED: Execution Error, AlreadyExistsException(message:Table t already exists)"
            ),
            QueryError::Refused {
                code: "TABLE_ALREADY_EXISTS",
                ..
            }
        ));
        let told = outcome(ended(
            QueryExecutionState::Failed,
            "INSUFFICIENT_RESOURCES",
            true,
        ));
        assert!(matches!(
            told,
            Err(QueryError::Failed {
                transient: true,
                ..
            })
        ));
        let stopped = outcome(ended(QueryExecutionState::Cancelled, "", false));
        assert!(matches!(stopped, Err(QueryError::Cancelled)));
        let cut = outcome(ended(
            QueryExecutionState::Cancelled,
            "Bytes scanned limit was exceeded",
            false,
        ));
        assert!(matches!(
            cut,
            Err(QueryError::Failed {
                transient: false,
                ..
            })
        ));
    }
}
