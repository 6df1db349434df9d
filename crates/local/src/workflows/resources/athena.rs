//! `athena:startQueryExecution.sync`: statements go to the embedded engine.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{TaskCall, TaskFailure, text_parameter};
use lakehand_pipeline::{
    jobs::Level,
    ports::{Clock, QueryEngine, QueryError},
};

/// Runs `QueryString` with `ExecutionParameters` put in, and answers with Athena's `QueryExecution`.
pub(super) async fn run_statement(
    engine: &dyn QueryEngine,
    clock: &dyn Clock,
    call: TaskCall,
) -> Result<Value, TaskFailure> {
    let template = text_parameter(
        &call.parameters,
        "QueryString",
        "athena:startQueryExecution",
    )?;
    let values: Vec<&str> = match call.parameters.get("ExecutionParameters") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        Some(_) => {
            return Err(TaskFailure::new(
                "Athena.InvalidRequestException",
                "ExecutionParameters is not a list of texts",
            ));
        }
    };
    let sql = with_parameters(template, &values)
        .map_err(|why| TaskFailure::new("Athena.InvalidRequestException", why))?;
    let submitted = clock.now();
    let id = uuid::Uuid::now_v7().to_string();
    (call.submitted.0)(json!({ "QueryExecutionId": id }));
    let result = engine.execute(&sql, &call.cancel).await;
    let execution = |state: &str, reason: Option<Value>, scanned: u64| {
        let mut status = json!({ "State": state, "SubmissionDateTime": millis(submitted), "CompletionDateTime": millis(clock.now()) });
        if let (Some(status), Some(Value::Object(reason))) = (status.as_object_mut(), reason) {
            status.extend(reason);
        }
        json!({
            "QueryExecutionId": id,
            "Query": sql,
            "QueryExecutionContext": call.parameters.get("QueryExecutionContext").unwrap_or(&Value::Null),
            "WorkGroup": call.parameters.get("WorkGroup").unwrap_or(&Value::Null),
            "Statistics": { "DataScannedInBytes": scanned, "TotalExecutionTimeInMillis": millis(clock.now()) - millis(submitted) },
            "Status": status,
        })
    };
    match result {
        Ok(summary) => {
            let text = format!(
                "{}: {} rows, {} bytes read, {} ms",
                summary.statement, summary.rows, summary.bytes_scanned, summary.elapsed_ms
            );
            call.log.line(Level::Info, &text);
            Ok(json!({ "QueryExecution": execution("SUCCEEDED", None, summary.bytes_scanned) }))
        }
        Err(error) => {
            let message = error.to_string();
            call.log.line(Level::Error, &message);
            let state = if matches!(error, QueryError::Cancelled) {
                "CANCELLED"
            } else {
                "FAILED"
            };
            let reason = json!({
                "StateChangeReason": message,
                "AthenaError": { "ErrorCategory": category(&error), "Retryable": error.is_transient(), "ErrorMessage": message },
            });
            Err(TaskFailure::new(
                "States.TaskFailed",
                execution(state, Some(reason), 0).to_string(),
            ))
        }
    }
}

fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// Athena's `ErrorCategory`: 1 the system, 2 the user, 3 others.
fn category(error: &QueryError) -> u8 {
    match error {
        QueryError::Refused { .. } => 2,
        QueryError::Conflict { .. } | QueryError::Failed { .. } => 1,
        QueryError::Cancelled => 3,
    }
}

/// Puts SQL literals in the place of `?`, outside of strings, quoted names and comments.
fn with_parameters(sql: &str, values: &[&str]) -> Result<String, String> {
    if values.is_empty() {
        return Ok(sql.to_owned());
    }
    let mut values_left = values.iter();
    let mut text = String::with_capacity(sql.len() + 32);
    let mut rest = sql;
    while let Some(found) = rest.find(['?', '\'', '"', '-', '/']) {
        let (before, at) = rest.split_at(found);
        text.push_str(before);
        let length = match at.as_bytes() {
            [b'?', ..] => {
                let value = values_left
                    .next()
                    .ok_or("the statement has more '?' than ExecutionParameters has values")?;
                text.push_str(value);
                rest = &at[1..];
                continue;
            }
            [quote @ (b'\'' | b'"'), ..] => at[1..]
                .find(char::from(*quote))
                .map_or(at.len(), |end| end + 2),
            [b'-', b'-', ..] => at.find('\n').map_or(at.len(), |end| end + 1),
            [b'/', b'*', ..] => at.find("*/").map_or(at.len(), |end| end + 2),
            _ => 1,
        };
        text.push_str(&at[..length]);
        rest = &at[length..];
    }
    text.push_str(rest);
    if values_left.next().is_some() {
        return Err("ExecutionParameters has more values than the statement has '?'".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_go_where_question_marks_are_code() {
        let sql = "SELECT '?', \"a?\", 'it''s ?' -- why?\n, /* ? */ ? - ? / 2 FROM t WHERE a = ?";
        assert_eq!(
            with_parameters(sql, &["1", "date '2026-01-01'", "'x?y'"]).unwrap(),
            "SELECT '?', \"a?\", 'it''s ?' -- why?\n, /* ? */ 1 - date '2026-01-01' / 2 FROM t WHERE a = 'x?y'"
        );
        assert!(with_parameters("SELECT ?", &["1", "2"]).is_err());
        assert!(with_parameters("SELECT ?, ?", &["1"]).is_err());
        assert_eq!(
            with_parameters("SELECT 'é?", &["1"]).unwrap_err(),
            "ExecutionParameters has more values than the statement has '?'"
        );
    }
}
