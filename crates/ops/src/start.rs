//! What a start is made of on every platform: the execution's name and its input.

use serde_json::{Value, json};

use super::{OpsError, OpsErrorKind, OpsResult};
use lakehand_pipeline::{text::for_terminal, window::Window};

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
/// When there is a window, and the input is no JSON object to put it into.
pub fn input_with_window(input: Value, window: Option<Window>) -> OpsResult<Value> {
    let mut input = match input {
        Value::Null => json!({}),
        Value::Object(_) => input,
        // Only a window needs a place in it.
        other if window.is_none() => return Ok(other),
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

/// The workflow that reads from the sources.
pub const COLLECTION: &str = "collect";

/// The refusal of a collection whose days and streams `other` is collecting.
#[must_use]
pub fn collects_the_same(other: &str) -> OpsError {
    OpsError::new(
        OpsErrorKind::Conflict,
        format!("nothing was started: {other} collects the same streams of the same days"),
        "wait for it, or stop it with `lakehand runs stop ID`",
    )
}

/// Whether two collections would read the same streams of the same days. One that names no streams reads all of its
/// source's, and one without a window may read any day.
#[must_use]
pub fn collect_the_same(one: &Value, other: &Value) -> bool {
    let days = match (window_in(one), window_in(other)) {
        (Some(one), Some(other)) => one.from() <= other.to() && other.from() <= one.to(),
        _ => true,
    };
    let streams = |input: &Value| input.get("streams").and_then(Value::as_array).cloned();
    let streams = match (streams(one), streams(other)) {
        (Some(one), Some(other)) => one.iter().any(|stream| other.contains(stream)),
        _ => true,
    };
    days && streams
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_are_the_same_when_a_day_and_a_stream_are() {
        let input = |from: &str, to: &str, streams: &[&str]| json!({ "window": { "from": from, "to": to }, "streams": streams });
        let first = input(
            "2026-01-01",
            "2026-01-08",
            &["affise.clicks", "affise.offers"],
        );
        let same =
            |other: &Value| collect_the_same(&first, other) && collect_the_same(other, &first);
        assert!(same(&first));
        assert!(same(&input("2026-01-08", "2026-01-09", &["affise.clicks"])));
        assert!(!same(&input(
            "2026-01-09",
            "2026-01-10",
            &["affise.clicks"]
        )));
        assert!(!same(&input("2026-01-01", "2026-01-08", &["ga4.sessions"])));
        assert!(same(
            &json!({ "window": { "from": "2026-01-02", "to": "2026-01-02" } })
        ));
    }
}
