#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::mock::{Driver, MockConfig, Progress};
use crate::{Definition, ExecutionContext};
use serde_json::{Value, json};

/// The history of a mocked run.
fn history(states: Value, mocks: Value, input: Value) -> Vec<HistoryEvent> {
    let definition = json!({"StartAt": "A", "States": states}).to_string();
    let definition = Definition::parse(&definition).unwrap_or_else(|error| panic!("{error}"));
    let cases: serde_json::Map<String, Value> = mocks
        .as_object()
        .unwrap()
        .keys()
        .map(|state| (state.clone(), json!(state)))
        .collect();
    let config =
        json!({"StateMachines": {"m": {"TestCases": {"t": cases}}}, "MockedResponses": mocks});
    let mocks = MockConfig::parse(&config.to_string())
        .unwrap()
        .test_case("m", None)
        .unwrap();
    let context = ExecutionContext {
        id: "arn:aws:states:eu-west-1:1:execution:m:r".into(),
        name: "r".into(),
        role_arn: "role".into(),
        start_time: "2026-11-21T09:00:00.250Z".parse().unwrap(),
        state_machine_id: "arn:aws:states:eu-west-1:1:stateMachine:m".into(),
        state_machine_name: "m".into(),
    };
    let mut driver = Driver::start(&definition, &mocks, input, context, Box::new(|| 0.5));
    assert!(matches!(driver.run_fast(), Progress::Finished(_)));
    driver.history().to_vec()
}

fn task(extra: Value) -> Value {
    let mut state =
        json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true});
    state
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    state
}

#[test]
fn an_event_has_the_json_of_get_execution_history() {
    let events = history(
        json!({"A": {"Type": "Pass", "Result": [1], "End": true}}),
        json!({}),
        json!({"x": 1}),
    );
    assert_eq!(
        serde_json::to_value(&events[1]).unwrap(),
        json!({
            "timestamp": 1_795_251_600.25, "type": "PassStateEntered", "id": 2, "previousEventId": 0,
            "stateEnteredEventDetails": {"name": "A", "input": "{\"x\":1}", "inputDetails": {"truncated": false}}
        })
    );
    assert_eq!(
        serde_json::to_value(&events[2]).unwrap()["stateExitedEventDetails"],
        json!({"name": "A", "output": "[1]", "outputDetails": {"truncated": false}})
    );
    for event in &events {
        let text = serde_json::to_string(event).unwrap();
        assert_eq!(serde_json::from_str::<HistoryEvent>(&text).unwrap(), *event);
    }
}

#[test]
fn events_of_the_aws_cli_and_of_later_versions_can_be_read() {
    let event: HistoryEvent = serde_json::from_value(json!({
        "timestamp": "2026-11-21T09:00:00.250000+00:00", "type": "QuantumStateEntered", "id": 2, "previousEventId": 0,
        "stateEnteredEventDetails": {"name": "Q", "input": "{}", "new": 1}
    }))
    .unwrap();
    assert_eq!(
        event.event_type,
        EventType::Other("QuantumStateEntered".into())
    );
    assert_eq!(event.details.name.as_deref(), Some("Q"));
    let bare: HistoryEvent = serde_json::from_value(
        json!({"timestamp": 1, "type": "MapStateFailed", "id": 3, "previousEventId": 2}),
    )
    .unwrap();
    assert_eq!(
        serde_json::to_value(&bare)
            .unwrap()
            .as_object()
            .unwrap()
            .len(),
        4
    );
}

#[test]
fn stages_have_attempts_durations_and_results() {
    let events = history(
        json!({"A": task(json!({"Next": "B", "Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 7}]})).as_object().map(|state| {
            let mut state = state.clone();
            state.remove("End");
            Value::Object(state)
        }).unwrap(), "B": {"Type": "Succeed"}}),
        json!({"A": {"0-1": {"Throw": {"Error": "E", "Cause": "no"}}, "2": {"Return": 1}}}),
        json!({}),
    );
    let timeline = Timeline::of(&events);
    let stage = timeline.stage("A").unwrap();
    assert_eq!((stage.status, stage.attempts), (StageStatus::Succeeded, 3));
    assert_eq!(stage.resource.as_deref(), Some("lambda:invoke"));
    // 7 seconds, then 14.
    assert_eq!(
        stage
            .exited
            .unwrap()
            .duration_since(stage.entered)
            .as_secs(),
        21
    );
    assert_eq!(timeline.head.status, ExecutionStatus::Succeeded);
    assert_eq!(timeline.root_cause(), None);
    // After the first failure the stage waits for its next attempt.
    let failed = events
        .iter()
        .position(|event| event.event_type == EventType::TaskFailed)
        .unwrap();
    let early = Timeline::of(&events[..=failed]);
    assert_eq!(early.stage("A").unwrap().status, StageStatus::Retrying);
    assert_eq!(early.open_stages().count(), 1);
}

#[test]
fn the_root_cause_is_the_deepest_failure_with_its_message_unwrapped() {
    let cause = json!({"errorType": "ContractError", "errorMessage": "column os is missing", "stackTrace": []}).to_string();
    let nested =
        json!({"Error": "ContractError", "Cause": cause, "ExecutionArn": "arn"}).to_string();
    let events = history(
        json!({
            "A": {"Type": "Map", "Next": "Z", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "N"}], "ItemProcessor": {"StartAt": "P", "States": {
                "P": {"Type": "Parallel", "End": true, "Branches": [{"StartAt": "T", "States": {"T": task(json!({}))}}]}}}},
            "N": task(json!({"ResultPath": null, "End": false, "Next": "F"})),
            "F": {"Type": "Fail", "Error": "DailyReportFailed", "CausePath": "$.Cause"},
            "Z": {"Type": "Succeed"},
        }),
        json!({"T": {"0": {"Return": 1}, "1": {"Throw": {"Error": "States.TaskFailed", "Cause": nested}}}, "N": {"0": {"Return": {}}}}),
        json!([1, 2]),
    );
    let timeline = Timeline::of(&events);
    let root = timeline.root_cause().unwrap();
    assert_eq!(root.path, ["A", "P", "T"]);
    assert_eq!(
        (root.error.as_str(), root.message.as_str(), root.caught),
        ("ContractError", "column os is missing", true)
    );
    assert_eq!(timeline.head.error.as_deref(), Some("DailyReportFailed"));
    let map = timeline.stage("A").unwrap();
    assert_eq!(map.status, StageStatus::Caught);
    let progress = map.map.unwrap();
    assert_eq!(
        (
            progress.total,
            progress.started,
            progress.succeeded,
            progress.failed
        ),
        (2, 2, 1, 1)
    );
    assert_eq!(timeline.stage("F").unwrap().status, StageStatus::Failed);
    let tasks: Vec<Option<u64>> = timeline
        .stages
        .iter()
        .filter(|stage| stage.name == "T")
        .map(|stage| stage.map_index)
        .collect();
    assert_eq!(tasks.len(), 2);
    assert_eq!(timeline.stages[root.stage].status, StageStatus::Failed);
}

#[test]
fn a_state_that_cannot_be_executed_is_its_own_root_cause() {
    let events = history(
        json!({"A": {"Type": "Pass", "InputPath": "$.x", "End": true}}),
        json!({}),
        json!({}),
    );
    let root = Timeline::of(&events).root_cause().unwrap();
    assert_eq!(
        (root.path, root.error.as_str(), root.caught),
        (vec!["A".to_owned()], "States.Runtime", false)
    );
    assert!(root.message.contains("No results for path"));
}

#[test]
fn events_one_by_one_and_all_at_once_say_the_same() {
    let events = history(
        json!({"A": {"Type": "Map", "Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 1}], "End": true,
            "ItemProcessor": {"StartAt": "T", "States": {"T": task(json!({}))}}}}),
        json!({"T": {"0": {"Throw": {"Error": "E"}}, "1-9": {"Return": 1}}}),
        json!([1, 2, 3]),
    );
    let whole = Timeline::of(&events);
    let mut grown = Timeline::default();
    for end in 0..events.len() {
        // Pages overlap; a stored timeline goes on.
        grown.extend(&events[end.saturating_sub(3)..=end]);
        grown = serde_json::from_str(&serde_json::to_string(&grown).unwrap()).unwrap();
    }
    assert_eq!(grown, whole);
    assert_eq!(whole.head.status, ExecutionStatus::Succeeded);
    let map = whole.stage("A").unwrap();
    assert_eq!((map.attempts, map.map.unwrap().succeeded), (2, 3));
    assert!(
        whole
            .stages
            .iter()
            .filter(|stage| stage.name == "T")
            .any(|stage| stage.replaced)
    );
    assert_eq!(whole.open_stages().count(), 0);
}

#[test]
fn causes_that_are_no_json_stay_as_they_are() {
    assert_eq!(
        unwrap_cause("E", "plain {text"),
        ("E".into(), "plain {text".into())
    );
    assert_eq!(unwrap_cause("E", "[1]"), ("E".into(), "[1]".into()));
    assert_eq!(
        unwrap_cause("E", r#"{"other": 1}"#),
        ("E".into(), r#"{"other": 1}"#.into())
    );
    // Wrapped without end is unwrapped to an end.
    let mut text = "deep".to_owned();
    for _ in 0..5 {
        text = json!({"Error": "Inner", "Cause": text}).to_string();
    }
    assert_eq!(unwrap_cause("E", &text), ("Inner".into(), "deep".into()));
}
