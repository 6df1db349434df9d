//! Which functions an execution called, when, and under which request id.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use lakehand_ops::stages::stage_name;
use lakehand_workflow::history::{EventType, HistoryEvent, Timeline};

/// One try of one Lambda task.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// The event that scheduled it.
    pub event: u64,
    /// The function's name, without account and alias.
    pub function: String,
    /// The stage, with the Map and Parallel states around it.
    pub stage: String,
    /// From 1.
    pub attempt: u32,
    /// When it was scheduled.
    pub from: Timestamp,
    /// When it ended, if it has.
    pub to: Option<Timestamp>,
    /// The invocation's id, where the history tells it.
    pub request_id: Option<String>,
}

/// The calls of a history, in order.
pub(super) fn calls_of(events: &[HistoryEvent]) -> Vec<Call> {
    let timeline = Timeline::of(events);
    let mut calls: Vec<Call> = Vec::new();
    let mut attempts: HashMap<usize, u32> = HashMap::new();
    let mut owner: HashMap<u64, usize> = HashMap::new();
    for event in events {
        let stage = timeline.stage_of(event.id);
        if let (Some(function), Some(stage)) = (function_of(event), stage) {
            let attempt = attempts.entry(stage).or_default();
            *attempt += 1;
            owner.insert(event.id, calls.len());
            calls.push(Call {
                event: event.id,
                function,
                stage: stage_name(&timeline, stage),
                attempt: *attempt,
                from: event.timestamp,
                to: None,
                request_id: None,
            });
        } else if let Some(call) = owner.get(&event.previous_event_id).copied()
            && is_of_task(&event.event_type)
        {
            owner.insert(event.id, call);
            note(&mut calls[call], event);
        }
    }
    // What the execution's end cut off has no end of its own.
    let stopped = timeline.head.stopped;
    for call in &mut calls {
        call.to = call.to.or(stopped);
    }
    calls
}

fn is_of_task(kind: &EventType) -> bool {
    let name = kind.name();
    let of_state = kind.is_state_entered() || kind.is_state_exited();
    (name.starts_with("Task") || name.starts_with("LambdaFunction")) && !of_state
}

fn note(call: &mut Call, event: &HistoryEvent) {
    use EventType as T;
    let ends = matches!(
        event.event_type,
        T::TaskSucceeded
            | T::TaskFailed
            | T::TaskTimedOut
            | T::TaskStartFailed
            | T::TaskSubmitFailed
            | T::LambdaFunctionSucceeded
            | T::LambdaFunctionFailed
            | T::LambdaFunctionTimedOut
            | T::LambdaFunctionStartFailed
            | T::LambdaFunctionScheduleFailed
    );
    if ends {
        call.to = Some(event.timestamp);
    }
    let told = |text: &String| request_of(text);
    let found = event.details.output.as_ref().and_then(told);
    call.request_id = found
        .or_else(|| event.details.cause.as_ref().and_then(told))
        .or_else(|| call.request_id.take());
}

/// The request id in an answer of `lambda:invoke`, or in the cause of a failure.
fn request_of(text: &str) -> Option<String> {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        let told = value
            .pointer("/SdkResponseMetadata/RequestId")
            .or_else(|| value.get("requestId"))
            .and_then(Value::as_str);
        if let Some(id) = told {
            return Some(id.to_owned());
        }
    }
    let (_, rest) = text.split_once("RequestId: ")?;
    let id: String = rest
        .chars()
        .take_while(|c| c.is_ascii_hexdigit() || *c == '-')
        .collect();
    (id.len() == 36).then_some(id)
}

/// The name of the function that an event schedules.
fn function_of(event: &HistoryEvent) -> Option<String> {
    let named = match event.event_type {
        EventType::LambdaFunctionScheduled => event.details.resource.clone(),
        EventType::TaskScheduled if event.details.resource_type.as_deref() == Some("lambda") => {
            let parameters: Value =
                serde_json::from_str(event.details.parameters.as_deref()?).ok()?;
            parameters["FunctionName"].as_str().map(str::to_owned)
        }
        _ => None,
    }?;
    Some(name_of(&named).to_owned())
}

/// `NAME` of a name, a name with an alias, a partial or a whole ARN.
fn name_of(function: &str) -> &str {
    match function.split_once("function:") {
        Some((_, rest)) => rest.split(':').next().unwrap_or(rest),
        None => function.split(':').next().unwrap_or(function),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_known_by_its_name_however_it_is_called() {
        for given in [
            "collect",
            "collect:live",
            "123456789012:function:collect",
            "arn:aws:lambda:eu-west-1:123456789012:function:collect:7",
        ] {
            assert_eq!(name_of(given), "collect", "{given}");
        }
    }

    /// The recordings are of AWS itself (`tests/data/asl/README.md`).
    #[test]
    fn a_retried_function_of_a_recording_has_its_tries() {
        let event = |id: u64, previous: u64, kind: &str, details: Value| -> HistoryEvent {
            let mut json = serde_json::json!({ "id": id, "previousEventId": previous, "type": kind,
                "timestamp": format!("2026-01-31T09:00:{id:02}Z") });
            if let Some(key) = EventType::named(kind).details_key() {
                json[key] = details;
            }
            serde_json::from_value(json).unwrap()
        };
        let scheduled = serde_json::json!({ "resourceType": "lambda", "resource": "invoke", "region": "eu-west-1",
            "parameters": "{\"FunctionName\":\"arn:aws:lambda:eu-west-1:123456789012:function:p-collect\"}" });
        let id = "11111111-2222-3333-4444-555555555555";
        let events = [
            event(
                1,
                0,
                "ExecutionStarted",
                serde_json::json!({ "input": "{}" }),
            ),
            event(
                2,
                1,
                "TaskStateEntered",
                serde_json::json!({ "name": "Collect", "input": "{}" }),
            ),
            event(3, 2, "TaskScheduled", scheduled.clone()),
            event(
                4,
                3,
                "TaskStarted",
                serde_json::json!({ "resourceType": "lambda", "resource": "invoke" }),
            ),
            event(
                5,
                4,
                "TaskFailed",
                serde_json::json!({ "error": "Sandbox.Timedout",
                "cause": format!("{{\"errorMessage\":\"RequestId: {id} Error: Task timed out after 3.00 seconds\"}}") }),
            ),
            event(6, 5, "TaskScheduled", scheduled),
            event(
                7,
                6,
                "TaskStarted",
                serde_json::json!({ "resourceType": "lambda", "resource": "invoke" }),
            ),
        ];
        let calls = calls_of(&events);
        assert_eq!(calls.len(), 2);
        assert_eq!(
            (calls[0].function.as_str(), calls[0].stage.as_str()),
            ("p-collect", "Collect")
        );
        assert_eq!(calls[0].request_id.as_deref(), Some(id));
        assert_eq!(calls[0].to, Some(events[4].timestamp));
        assert_eq!((calls[1].attempt, calls[1].to), (2, None));
    }
}
