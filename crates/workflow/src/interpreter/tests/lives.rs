//! Long executions, crashes, tokens, stops and redrives.

use super::*;

#[test]
fn a_loop_of_many_states_neither_recurses_nor_passes_25_000_events() {
    let states = json!({
        "A": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "B"},
        "B": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 5000, "Next": "A"}], "Default": "C"},
        "C": {"Type": "Succeed"},
    });
    let bench = Bench::start(states.clone(), json!({"n": 0}));
    assert_eq!(bench.output(), json!({"n": 5000}));
    assert_eq!(bench.events.len(), 1 + 4 * 5000 + 2 + 1);
    let mut states = states;
    states["B"]["Choices"][0]["NumericLessThan"] = json!(1_000_000);
    let mut bench = Bench::start(states, json!({"n": 0}));
    assert_eq!(bench.events.len() as u64, MAX_EVENTS);
    bench.check_ids();
    assert_eq!(
        bench.error(),
        (
            "States.Runtime".into(),
            "The execution reached the maximum number of history events (25000).".into()
        )
    );
    assert!(matches!(
        bench
            .execution
            .redrive(&bench.definition, bench.now, &mut || 0.5),
        Err(NotRedrivable::TooManyEvents(MAX_EVENTS))
    ));
    bench.signal(Signal::Start);
    assert_eq!(bench.events.len() as u64, MAX_EVENTS);
}

#[test]
fn after_a_crash_the_outstanding_tasks_and_timers_are_known() {
    let states = json!({"A": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "B", "States": {"B": task(json!({"TimeoutSeconds": 60}))}},
        {"StartAt": "C", "States": {"C": {"Type": "Wait", "Seconds": 9, "End": true}}},
    ]}});
    let mut bench = Bench::start(states, json!({}));
    let resumed = bench.execution.resume_commands();
    let call = bench.task("B");
    assert!(resumed.contains(&Command::ScheduleTask(Box::new(call.clone()))));
    assert_eq!(resumed.len(), 3);
    assert_eq!(
        resumed
            .iter()
            .filter(|command| matches!(command, Command::StartTimer { .. }))
            .count(),
        2
    );
    bench.tick();
    bench.succeed("B", json!(1));
    assert_eq!(bench.output(), json!([1, {}]));
    assert!(bench.execution.resume_commands().is_empty());
}

#[test]
fn wait_for_task_token_calls_have_a_token() {
    let state = json!({"A": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true, "Parameters": {"t.$": "$$.Task.Token"}}});
    let mut bench = Bench::start(state, json!({}));
    let call = bench.task("A");
    assert_eq!(json!(call.token), call.parameters["t"]);
    assert!(call.token.is_some());
    bench.signal(Signal::TaskSubmitted {
        task: call.task,
        output: json!({"MessageId": "1"}),
    });
    bench.succeed("A", json!("done"));
    assert_eq!(
        bench.types()[2..6],
        [
            "TaskScheduled",
            "TaskStarted",
            "TaskSubmitted",
            "TaskSucceeded"
        ]
    );
    assert_eq!(
        bench.events[4].details.resource.as_deref(),
        Some("sendMessage.waitForTaskToken")
    );
}

#[test]
fn a_stopped_execution_tells_what_it_stopped() {
    let mut bench = Bench::start(json!({"A": task(json!({}))}), json!({}));
    bench.signal(Signal::Abort {
        error: Some("Operator".into()),
        cause: None,
    });
    assert_eq!(bench.execution.status(), ExecutionStatus::Aborted);
    assert_eq!(bench.types()[3..], ["TaskStateAborted", "ExecutionAborted"]);
    assert_eq!(bench.execution.unfinished_states(), ["A"]);
}

#[test]
fn a_redrive_goes_on_at_the_failed_state_with_its_stored_input() {
    let states = json!({
        "A": {"Type": "Pass", "Parameters": {"from": "A"}, "Next": "B"},
        "B": task(json!({"Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 1}], "Parameters": {"in.$": "$.from", "redrives.$": "$$.Execution.RedriveCount[*]"}})),
    });
    let mut bench = Bench::start(states, json!({}));
    bench.fail("B", "E");
    bench.tick();
    bench.fail("B", "E");
    let before = bench.events.len();
    assert_eq!(bench.execution.unfinished_states(), ["B"]);
    bench.redrive();
    assert_eq!(
        bench.types()[before..],
        ["ExecutionRedriven", "TaskScheduled"]
    );
    assert_eq!(bench.events[before].details.redrive_count, Some(1));
    // The retrier counts from the beginning.
    assert_eq!(bench.task("B").attempt, 0);
    bench.fail("B", "E");
    bench.tick();
    assert_eq!(bench.task("B").parameters["in"], "A");
    bench.succeed("B", json!("ok"));
    assert_eq!(bench.output(), json!("ok"));
    assert_eq!(bench.execution.redrive_count(), 1);
    bench.check_ids();
}

#[test]
fn a_redrive_runs_only_what_did_not_succeed() {
    let states = json!({"A": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "B", "States": {"B": task(json!({}))}},
        {"StartAt": "C", "States": {"C": task(json!({}))}},
        {"StartAt": "M", "States": {"M": {"Type": "Map", "MaxConcurrency": 1, "End": true, "ItemsPath": "$.items",
            "ItemProcessor": {"StartAt": "I", "States": {"I": task(json!({}))}}}}},
    ]}});
    let mut bench = Bench::start(states, json!({"items": [1, 2, 3]}));
    bench.succeed("B", json!("B"));
    bench.succeed("I", json!("I1"));
    bench.fail("C", "E");
    assert_eq!(bench.execution.unfinished_states(), ["C", "I"]);
    bench.redrive();
    let mut again: Vec<(String, Value)> = bench
        .tasks
        .values()
        .map(|call| (call.state.clone(), call.parameters.clone()))
        .collect();
    again.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        again,
        [
            ("C".to_owned(), json!({"items": [1, 2, 3]})),
            ("I".to_owned(), json!(2))
        ]
    );
    bench.succeed("C", json!("C"));
    bench.succeed("I", json!("I2"));
    bench.succeed("I", json!("I3"));
    assert_eq!(bench.output(), json!(["B", "C", ["I1", "I2", "I3"]]));
    bench.check_ids();
}

#[test]
fn a_redrive_repeats_a_failed_map_item_only() {
    let mut bench = Bench::start(
        map(json!({"MaxConcurrency": 2}), task(json!({}))),
        json!([1, 2, 3]),
    );
    bench.succeed("I", json!("one"));
    bench.fail("I", "E");
    assert_eq!(bench.error().0, "E");
    assert!(bench.types().contains(&"MapIterationAborted"));
    bench.redrive();
    let again: Vec<Value> = bench
        .tasks
        .values()
        .map(|call| call.parameters.clone())
        .collect();
    assert_eq!(again, [json!(2), json!(3)]);
    bench.succeed("I", json!("two"));
    bench.succeed("I", json!("three"));
    assert_eq!(bench.output(), json!(["one", "two", "three"]));
}

#[test]
fn redrives_follow_the_services_rules() {
    let mut bench = Bench::start(json!({"A": task(json!({}))}), json!({}));
    let redrive = |bench: &mut Bench| {
        bench
            .execution
            .redrive(&bench.definition, bench.now, &mut || 0.5)
    };
    assert!(matches!(
        redrive(&mut bench),
        Err(NotRedrivable::Status("RUNNING"))
    ));
    bench.fail("A", "E");
    bench.now = bench
        .now
        .checked_add(SignedDuration::from_hours(14 * 24 + 1))
        .unwrap();
    assert!(matches!(redrive(&mut bench), Err(NotRedrivable::TooOld(_))));
    bench.now = START.parse().unwrap();
    bench.redrive();
    bench.succeed("A", json!(1));
    assert!(matches!(
        redrive(&mut bench),
        Err(NotRedrivable::Status("SUCCEEDED"))
    ));
    assert!(!bench.execution.is_redrivable());
}
