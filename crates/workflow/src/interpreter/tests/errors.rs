//! Retries, catchers, time-outs, branches that fail.

use super::*;

#[test]
fn retries_wait_longer_and_longer_up_to_the_longest_delay() {
    let retry = json!([{"ErrorEquals": ["E"], "IntervalSeconds": 3, "BackoffRate": 2, "MaxAttempts": 4, "MaxDelaySeconds": 10}]);
    let mut bench = Bench::start(json!({"A": task(json!({"Retry": retry}))}), json!({}));
    let mut waits = Vec::new();
    for attempt in 0..4 {
        assert_eq!(bench.task("A").attempt, attempt);
        bench.fail("A", "E");
        waits.push(bench.tick());
    }
    assert_eq!(waits, [3.0, 6.0, 10.0, 10.0]);
    bench.fail("A", "E");
    assert_eq!(bench.error(), ("E".into(), "E happened".into()));
    bench.check_ids();
}

#[test]
fn full_jitter_takes_a_random_part_of_the_delay() {
    let retry =
        json!([{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 8, "JitterStrategy": "FULL"}]);
    let mut bench = Bench::start(json!({"A": task(json!({"Retry": retry}))}), json!({}));
    bench.random = 0.25;
    bench.fail("A", "E");
    assert_eq!(bench.tick(), 2.0);
}

#[test]
fn each_retrier_counts_for_itself_and_the_context_counts_all() {
    let retry =
        json!([{"ErrorEquals": ["E"], "MaxAttempts": 1}, {"ErrorEquals": ["F"], "MaxAttempts": 1}]);
    let mut bench = Bench::start(
        json!({"A": task(json!({"Retry": retry, "Parameters": {"n.$": "$$.State.RetryCount"}}))}),
        json!({}),
    );
    bench.fail("A", "E");
    bench.tick();
    bench.fail("A", "F");
    bench.tick();
    assert_eq!(bench.task("A").parameters, json!({"n": 2}));
    bench.fail("A", "E");
    assert_eq!(bench.error().0, "E");
}

#[test]
fn wildcards_match_what_the_language_says() {
    let caught = |error: &str, names: Value| {
        let catch = json!([{"ErrorEquals": names, "Next": "B"}]);
        let mut bench = Bench::start(
            json!({"A": task(json!({"Catch": catch})), "B": pass()}),
            json!({}),
        );
        bench.fail("A", error);
        bench.execution.status() == ExecutionStatus::Succeeded
    };
    assert!(
        caught("E", json!(["States.ALL"]))
            && caught("E", json!(["States.TaskFailed"]))
            && caught("E", json!(["x", "E"]))
    );
    assert!(
        caught("States.Timeout", json!(["States.ALL"]))
            && caught("States.Timeout", json!(["States.Timeout"]))
    );
    assert!(!caught("States.Timeout", json!(["States.TaskFailed"])));
    assert!(
        caught("States.DataLimitExceeded", json!(["States.ALL"]))
            && !caught("States.DataLimitExceeded", json!(["States.TaskFailed"]))
            && caught(
                "States.DataLimitExceeded",
                json!(["States.DataLimitExceeded"])
            )
    );
    assert!(
        !caught("States.Runtime", json!(["States.ALL"]))
            && !caught("States.Runtime", json!(["States.Runtime"]))
    );
    assert!(!caught("E", json!(["e"])));
}

#[test]
fn a_catcher_puts_the_error_where_its_result_path_says() {
    let with = |result_path: Value| {
        let mut catcher = json!({"ErrorEquals": ["States.ALL"], "Next": "B"});
        if !result_path.is_string() || result_path != "" {
            catcher["ResultPath"] = result_path;
        }
        let mut bench = Bench::start(
            json!({"A": task(json!({"Catch": [catcher], "OutputPath": "$.none"})), "B": pass()}),
            json!({"x": 1}),
        );
        bench.fail("A", "E");
        bench.output()
    };
    let error = json!({"Error": "E", "Cause": "E happened"});
    assert_eq!(with(json!("")), error);
    assert_eq!(with(json!("$.e")), json!({"x": 1, "e": error}));
    assert_eq!(with(json!(null)), json!({"x": 1}));
}

#[test]
fn time_outs_and_heartbeats_are_the_interpreters_own() {
    let fields = json!({"TimeoutSeconds": 60, "HeartbeatSecondsPath": "$.beat"});
    let mut bench = Bench::start(json!({"A": task(fields)}), json!({"beat": 20}));
    let call = bench.task("A");
    assert_eq!(
        (call.timeout_seconds, call.heartbeat_seconds),
        (Some(60), Some(20))
    );
    for _ in 0..2 {
        bench.now = bench
            .now
            .checked_add(SignedDuration::from_secs(15))
            .unwrap();
        bench.signal(Signal::TaskHeartbeat { task: call.task });
    }
    assert_eq!(bench.tick(), 20.0);
    assert_eq!(bench.error(), ("States.Timeout".into(), String::new()));
    assert_eq!(bench.cancelled, ["A"]);
    assert_eq!(bench.types()[3..], ["TaskTimedOut", "ExecutionFailed"]);
    let mut bench = Bench::start(
        json!({"A": task(json!({"TimeoutSeconds": 60, "HeartbeatSeconds": 50}))}),
        json!({}),
    );
    let catch_heartbeat = bench.tick();
    assert_eq!(catch_heartbeat, 50.0);
}

#[test]
fn a_missed_heartbeat_matches_its_own_name_and_timeout() {
    for name in ["States.HeartbeatTimeout", "States.Timeout"] {
        let catch = json!([{"ErrorEquals": [name], "Next": "B"}]);
        let mut bench = Bench::start(
            json!({"A": task(json!({"HeartbeatSeconds": 5, "Catch": catch})), "B": pass()}),
            json!({}),
        );
        bench.tick();
        assert_eq!(bench.output()["Error"], "States.Timeout");
    }
}

#[test]
fn the_state_machine_has_a_time_out_of_its_own() {
    let definition = json!({"StartAt": "A", "TimeoutSeconds": 30, "States": {"A": {"Type": "Wait", "Seconds": 60, "End": true}}});
    let mut bench = Bench::of(definition, json!({}));
    bench.signal(Signal::Start);
    assert_eq!(bench.tick(), 30.0);
    assert_eq!(bench.execution.status(), ExecutionStatus::TimedOut);
    assert_eq!(
        bench.types(),
        [
            "ExecutionStarted",
            "WaitStateEntered",
            "WaitStateAborted",
            "ExecutionTimedOut"
        ]
    );
}

#[test]
fn late_answers_change_nothing() {
    let mut bench = Bench::start(json!({"A": task(json!({"TimeoutSeconds": 5}))}), json!({}));
    let task = bench.task("A").task;
    bench.tick();
    let before = bench.execution.clone();
    bench.signal(Signal::TaskSucceeded {
        task,
        output: json!(1),
    });
    bench.signal(Signal::Start);
    bench.signal(Signal::Abort {
        error: None,
        cause: None,
    });
    assert_eq!(bench.execution, before);
}

#[test]
fn a_failing_branch_stops_its_siblings() {
    let states = json!({"A": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "B", "States": {"B": task(json!({}))}},
        {"StartAt": "C", "States": {"C": task(json!({}))}},
        {"StartAt": "D", "States": {"D": {"Type": "Wait", "Seconds": 9, "End": true}}},
    ]}});
    let mut bench = Bench::start(states, json!({"in": 1}));
    assert_eq!(bench.task("B").parameters, json!({"in": 1}));
    bench.fail("B", "E");
    assert_eq!(bench.error().0, "E");
    assert_eq!(bench.cancelled, ["C"]);
    assert_eq!(
        bench.types()[bench.events.len() - 5..],
        [
            "TaskFailed",
            "TaskStateAborted",
            "WaitStateAborted",
            "ParallelStateFailed",
            "ExecutionFailed"
        ]
    );
    let failed = &bench.events[bench.events.len() - 2];
    assert_eq!(
        bench.events[failed.previous_event_id as usize - 1].event_type,
        EventType::TaskFailed
    );
    bench.check_ids();
}

#[test]
fn parallel_and_map_can_be_retried_and_caught() {
    let states = json!({
        "A": {"Type": "Parallel", "Next": "Z", "ResultPath": "$.r", "Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "Z"}],
            "Branches": [{"StartAt": "B", "States": {"B": task(json!({}))}}]},
        "Z": pass(),
    });
    let mut bench = Bench::start(states.clone(), json!({}));
    bench.fail("B", "E");
    bench.tick();
    bench.succeed("B", json!(7));
    assert_eq!(bench.output(), json!({"r": [7]}));
    let mut bench = Bench::start(states, json!({}));
    bench.fail("B", "E");
    bench.tick();
    bench.fail("B", "E");
    assert_eq!(bench.output()["e"]["Error"], "E");
    assert_eq!(
        bench
            .types()
            .iter()
            .filter(|name| **name == "ParallelStateFailed")
            .count(),
        1
    );
}
