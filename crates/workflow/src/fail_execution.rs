//! The function that ends an execution as failed with the error that was caught before, so that it can be redriven.
//!
//! A redrive of an execution that ended in a Fail state enters the Fail state again and fails again
//! (AWS, "Redrive behavior of individual states"). This function fails once for each redrive count.

use serde_json::{Value, json};

/// Its name, as a workflow's `FunctionName` ends.
pub const NAME: &str = "fail-execution";

/// The failure of the execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Error name.
    pub error: String,
    /// What happened.
    pub message: String,
}

/// Fails with `error` and `cause` of the input, unless the execution was redriven since.
///
/// `failed_in` and `now_in` are the context's `$$.Execution` at the failure and now. After a redrive the second has
/// the higher `RedriveCount` (an execution that never was redriven has none), the function succeeds, and the work
/// goes on. A cause that is a function's failure itself is not wrapped a second time.
///
/// # Errors
/// [`Failure`]: the failure to end with.
pub fn fail_execution(input: &Value) -> Result<Value, Failure> {
    let count = |name: &str| {
        input
            .get(name)
            .and_then(|run| run.get("RedriveCount"))
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    if count("now_in") > count("failed_in") {
        return Ok(json!({ "redriven": true }));
    }
    let text = |name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default();
    let (error, cause) = (text("error"), text("cause"));
    let inner = serde_json::from_str::<Value>(cause).ok();
    let inner = inner.filter(|inner| inner.get("errorType").and_then(Value::as_str) == Some(error));
    let message = inner
        .as_ref()
        .and_then(|inner| inner.get("errorMessage")?.as_str())
        .unwrap_or(cause);
    Err(Failure {
        error: error.to_owned(),
        message: message.to_owned(),
    })
}
