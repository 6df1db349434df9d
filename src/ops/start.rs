//! What a start is made of on every platform: the execution's name and its input.

use serde_json::{Value, json};

use super::{OpsError, OpsErrorKind, OpsResult};
use crate::pipeline::{text::for_terminal, window::Window};

/// The rule of Step Functions, a little stricter: 1 to 80 letters, digits, `-`, `_` and `.`.
///
/// # Errors
/// When the name breaks it.
pub fn checked_name(name: String) -> OpsResult<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=80).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(name);
    }
    Err(OpsError::new(
        OpsErrorKind::InvalidInput,
        format!("'{}' is not an execution name", for_terminal(&name)),
        "use 1 to 80 letters, digits, '-', '_' and '.'",
    ))
}

/// The input of an execution, with the window in it.
///
/// # Errors
/// When the input is no JSON object.
pub fn input_with_window(input: Value, window: Option<Window>) -> OpsResult<Value> {
    let mut input = match input {
        Value::Null => json!({}),
        Value::Object(_) => input,
        _ => {
            return Err(OpsError::new(
                OpsErrorKind::InvalidInput,
                "the input of an execution is not a JSON object",
                "give an object such as {\"window\":{\"from\":\"2026-01-01\",\"to\":\"2026-01-08\"}}",
            ));
        }
    };
    if let Some(window) = window {
        input["window"] =
            json!({ "from": window.from().to_string(), "to": window.to().to_string() });
    }
    Ok(input)
}

/// The execution that an input names as the one that started this one.
#[must_use]
pub fn parent_in(input: &Value) -> Option<super::ExecutionId> {
    let id = input.get("AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID")?;
    Some(id.as_str()?.into())
}

/// The window that an input names, if it does.
#[must_use]
pub fn window_in(input: &Value) -> Option<Window> {
    let day = |name: &str| {
        input
            .get("window")
            .and_then(|window| window.get(name))
            .and_then(Value::as_str)
    };
    Window::parse(day("from")?, day("to")?).ok()
}
