//! The one failure that an on-call engineer wants to see first.

use super::fold::{ExecutionStatus, FailureRecord, Timeline};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why an execution failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RootCause {
    /// Index of the failing stage, the deepest one.
    pub stage: usize,
    /// The names from the outermost state down to the failing one.
    pub path: Vec<String>,
    /// The error name of the innermost failure.
    pub error: String,
    /// What went wrong, taken out of however many JSON texts it was wrapped in.
    pub message: String,
    /// The cause as recorded.
    pub cause: Option<String>,
    /// The event that tells of it.
    pub event_id: u64,
    /// Whether a catcher took the failure, and the execution ended in a Fail state because of it.
    pub caught: bool,
}

pub(super) fn find(
    timeline: &Timeline,
    failed: Option<usize>,
    last_caught: Option<usize>,
) -> Option<RootCause> {
    if timeline.head.status != ExecutionStatus::Failed {
        return None;
    }
    let failed = failed?;
    let mut at = deepest(timeline, failed);
    let mut caught = false;
    // A Fail state at the end of a catcher only repeats what happened before it.
    if timeline.stages[at].state_type == "Fail"
        && let Some(earlier) = last_caught
        && timeline.stages[earlier].parent == timeline.stages[at].parent
    {
        at = deepest(timeline, earlier);
        caught = true;
    }
    let stage = &timeline.stages[at];
    let own = FailureRecord {
        error: timeline.head.error.clone(),
        cause: timeline.head.cause.clone(),
        event_id: timeline.head.last_event,
        at: stage.exited.unwrap_or(stage.entered),
    };
    let failure = stage.failure.as_ref().unwrap_or(&own);
    let (error, message) = unwrap_cause(
        failure.error.as_deref().unwrap_or_default(),
        failure.cause.as_deref().unwrap_or_default(),
    );
    Some(RootCause {
        stage: at,
        path: path_of(timeline, at),
        error,
        message,
        cause: failure.cause.clone(),
        event_id: failure.event_id,
        caught,
    })
}

fn deepest(timeline: &Timeline, mut stage: usize) -> usize {
    while let Some(child) = timeline.stages[stage].failed_child {
        stage = child;
    }
    stage
}

fn path_of(timeline: &Timeline, stage: usize) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = Some(stage);
    while let Some(index) = at {
        names.push(timeline.stages[index].name.clone());
        at = timeline.stages[index].parent;
    }
    names.reverse();
    names
}

/// Takes the innermost error and message out of a cause: a Lambda's `errorType` and `errorMessage`, a
/// nested execution's `Error` and `Cause`, an AWS SDK error's text. What is no JSON stays as it is.
#[must_use]
pub fn unwrap_cause(error: &str, cause: &str) -> (String, String) {
    let (mut error, mut message) = (error.to_owned(), cause.to_owned());
    for _ in 0..8 {
        let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(&message) else {
            break;
        };
        let text = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| fields.get(*name).and_then(Value::as_str))
                .map(str::to_owned)
        };
        if let Some(inner) = text(&["errorType", "Error", "error"]) {
            error = inner;
        }
        match text(&[
            "errorMessage",
            "Cause",
            "cause",
            "Message",
            "message",
            "AthenaError",
        ]) {
            Some(inner) => message = inner,
            None => break,
        }
    }
    (error, message)
}
