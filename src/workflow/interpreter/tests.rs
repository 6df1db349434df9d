#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::workflow::history::EventType;
use jiff::SignedDuration;
use serde_json::json;
use std::collections::BTreeMap;

const START: &str = "2026-11-21T09:00:00Z";

fn context() -> ExecutionContext {
    ExecutionContext {
        id: "arn:aws:states:eu-west-1:123456789012:execution:m:run".into(),
        name: "run".into(),
        role_arn: "role".into(),
        start_time: START.parse().unwrap(),
        state_machine_id: "arn:aws:states:eu-west-1:123456789012:stateMachine:m".into(),
        state_machine_name: "m".into(),
    }
}

/// A bench on which a test plays clock, timers and tasks.
struct Bench {
    definition: Definition,
    execution: Execution,
    now: Timestamp,
    events: Vec<HistoryEvent>,
    timers: BTreeMap<TimerId, Timestamp>,
    tasks: BTreeMap<TaskId, TaskCall>,
    cancelled: Vec<String>,
    random: f64,
}

impl Bench {
    fn of(definition: Value, input: Value) -> Bench {
        let definition = Definition::parse(&definition.to_string()).unwrap_or_else(|error| panic!("{error}"));
        Bench {
            definition,
            execution: Execution::new(input, context()),
            now: START.parse().unwrap(),
            events: Vec::new(),
            timers: BTreeMap::new(),
            tasks: BTreeMap::new(),
            cancelled: Vec::new(),
            random: 0.5,
        }
    }

    /// A machine of the given states that starts at `A`, started.
    fn start(states: Value, input: Value) -> Bench {
        let mut bench = Bench::of(json!({"StartAt": "A", "States": states}), input);
        bench.signal(Signal::Start);
        bench
    }

    fn signal(&mut self, signal: Signal) {
        // The execution survives storage between any two signals.
        self.execution = serde_json::from_str(&serde_json::to_string(&self.execution).unwrap()).unwrap();
        let sample = self.random;
        let step = self.execution.handle(&self.definition, signal, self.now, &mut || sample);
        self.take(step);
    }

    fn take(&mut self, step: Step) {
        self.events.extend(step.events);
        for command in step.commands {
            match command {
                Command::ScheduleTask(call) => {
                    self.tasks.insert(call.task, *call);
                }
                Command::StartTimer { timer, until } => {
                    self.timers.insert(timer, until);
                }
                Command::CancelTask { task } => {
                    let call = self.tasks.remove(&task).expect("only open tasks are cancelled");
                    self.cancelled.push(call.state);
                }
                Command::CancelTimer { timer } => {
                    self.timers.remove(&timer).expect("only open timers are cancelled");
                }
                Command::Finished(outcome) => {
                    assert_eq!(self.execution.outcome(), Some(&outcome));
                    assert!(self.tasks.is_empty() && self.timers.is_empty(), "nothing is outstanding at the end");
                }
            }
        }
    }

    fn task(&self, state: &str) -> TaskCall {
        self.tasks.values().find(|call| call.state == state).unwrap_or_else(|| panic!("{state} is not called")).clone()
    }

    fn succeed(&mut self, state: &str, output: Value) {
        let task = self.task(state).task;
        self.tasks.remove(&task);
        self.signal(Signal::TaskStarted { task });
        self.signal(Signal::TaskSucceeded { task, output });
    }

    fn fail(&mut self, state: &str, error: &str) {
        let task = self.task(state).task;
        self.tasks.remove(&task);
        self.signal(Signal::TaskFailed { task, error: error.into(), cause: Some(format!("{error} happened")) });
    }

    /// Fires the next timer; gives the seconds since the last signal.
    fn tick(&mut self) -> f64 {
        let (timer, until) = self.timers.iter().min_by_key(|(_, until)| **until).map(|(t, u)| (*t, *u)).expect("a timer");
        self.timers.remove(&timer);
        let waited = until.duration_since(self.now).as_secs_f64();
        self.now = until;
        self.signal(Signal::TimerFired { timer });
        waited
    }

    fn redrive(&mut self) {
        let step = self.execution.redrive(&self.definition, self.now, &mut || 0.5).unwrap();
        self.take(step);
    }

    fn output(&self) -> Value {
        match self.execution.outcome() {
            Some(Outcome::Succeeded { output }) => output.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn error(&self) -> (String, String) {
        match self.execution.outcome() {
            Some(Outcome::Failed { error, cause }) => (error.clone().unwrap_or_default(), cause.clone().unwrap_or_default()),
            other => panic!("{other:?}"),
        }
    }

    fn types(&self) -> Vec<&str> {
        self.events.iter().map(|event| event.event_type.name()).collect()
    }

    fn check_ids(&self) {
        for (place, event) in self.events.iter().enumerate() {
            assert_eq!(event.id, place as u64 + 1);
            assert!(event.previous_event_id < event.id);
        }
    }
}

fn task(extra: Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true});
    state.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    state
}

fn pass() -> Value {
    json!({"Type": "Pass", "End": true})
}

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
    let retry = json!([{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 8, "JitterStrategy": "FULL"}]);
    let mut bench = Bench::start(json!({"A": task(json!({"Retry": retry}))}), json!({}));
    bench.random = 0.25;
    bench.fail("A", "E");
    assert_eq!(bench.tick(), 2.0);
}

#[test]
fn each_retrier_counts_for_itself_and_the_context_counts_all() {
    let retry = json!([{"ErrorEquals": ["E"], "MaxAttempts": 1}, {"ErrorEquals": ["F"], "MaxAttempts": 1}]);
    let mut bench = Bench::start(json!({"A": task(json!({"Retry": retry, "Parameters": {"n.$": "$$.State.RetryCount"}}))}), json!({}));
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
        let mut bench = Bench::start(json!({"A": task(json!({"Catch": catch})), "B": pass()}), json!({}));
        bench.fail("A", error);
        bench.execution.status() == ExecutionStatus::Succeeded
    };
    assert!(caught("E", json!(["States.ALL"])) && caught("E", json!(["States.TaskFailed"])) && caught("E", json!(["x", "E"])));
    assert!(caught("States.Timeout", json!(["States.ALL"])) && caught("States.Timeout", json!(["States.Timeout"])));
    assert!(!caught("States.Timeout", json!(["States.TaskFailed"])));
    assert!(!caught("States.DataLimitExceeded", json!(["States.ALL"])) && caught("States.DataLimitExceeded", json!(["States.DataLimitExceeded"])));
    assert!(!caught("States.Runtime", json!(["States.ALL"])) && !caught("States.Runtime", json!(["States.Runtime"])));
    assert!(!caught("E", json!(["e"])));
}

#[test]
fn a_catcher_puts_the_error_where_its_result_path_says() {
    let with = |result_path: Value| {
        let mut catcher = json!({"ErrorEquals": ["States.ALL"], "Next": "B"});
        if !result_path.is_string() || result_path != "" {
            catcher["ResultPath"] = result_path;
        }
        let mut bench = Bench::start(json!({"A": task(json!({"Catch": [catcher], "OutputPath": "$.none"})), "B": pass()}), json!({"x": 1}));
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
    assert_eq!((call.timeout_seconds, call.heartbeat_seconds), (Some(60), Some(20)));
    for _ in 0..2 {
        bench.now = bench.now.checked_add(SignedDuration::from_secs(15)).unwrap();
        bench.signal(Signal::TaskHeartbeat { task: call.task });
    }
    assert_eq!(bench.tick(), 20.0);
    assert_eq!(bench.error(), ("States.Timeout".into(), String::new()));
    assert_eq!(bench.cancelled, ["A"]);
    assert_eq!(bench.types()[3..], ["TaskTimedOut", "ExecutionFailed"]);
    let mut bench = Bench::start(json!({"A": task(json!({"TimeoutSeconds": 60, "HeartbeatSeconds": 50}))}), json!({}));
    let catch_heartbeat = bench.tick();
    assert_eq!(catch_heartbeat, 50.0);
}

#[test]
fn a_missed_heartbeat_matches_its_own_name_and_timeout() {
    for name in ["States.HeartbeatTimeout", "States.Timeout"] {
        let catch = json!([{"ErrorEquals": [name], "Next": "B"}]);
        let mut bench = Bench::start(json!({"A": task(json!({"HeartbeatSeconds": 5, "Catch": catch})), "B": pass()}), json!({}));
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
    assert_eq!(bench.types(), ["ExecutionStarted", "WaitStateEntered", "WaitStateAborted", "ExecutionTimedOut"]);
}

#[test]
fn late_answers_change_nothing() {
    let mut bench = Bench::start(json!({"A": task(json!({"TimeoutSeconds": 5}))}), json!({}));
    let task = bench.task("A").task;
    bench.tick();
    let before = bench.execution.clone();
    bench.signal(Signal::TaskSucceeded { task, output: json!(1) });
    bench.signal(Signal::Start);
    bench.signal(Signal::Abort { error: None, cause: None });
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
        ["TaskFailed", "TaskStateAborted", "WaitStateAborted", "ParallelStateFailed", "ExecutionFailed"]
    );
    let failed = &bench.events[bench.events.len() - 2];
    assert_eq!(bench.events[failed.previous_event_id as usize - 1].event_type, EventType::TaskFailed);
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
    assert_eq!(bench.types().iter().filter(|name| **name == "ParallelStateFailed").count(), 1);
}

fn map(extra: Value, inner: Value) -> Value {
    let mut state = json!({"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "I", "States": {"I": inner}}});
    state.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    json!({"A": state})
}

#[test]
fn a_map_runs_as_many_items_at_once_as_it_may_and_keeps_their_order() {
    let fields = json!({"MaxConcurrencyPath": "$.at_once", "ItemsPath": "$.items", "ItemSelector": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "all.$": "$.at_once"}});
    let mut bench = Bench::start(map(fields, task(json!({}))), json!({"at_once": 2, "items": ["a", "b", "c"]}));
    assert_eq!(bench.tasks.len(), 2);
    let second = *bench.tasks.keys().nth(1).unwrap();
    assert_eq!(bench.tasks[&second].parameters, json!({"i": 1, "v": "b", "all": 2}));
    bench.tasks.remove(&second);
    bench.signal(Signal::TaskSucceeded { task: second, output: json!("B") });
    assert_eq!(bench.tasks.len(), 2);
    bench.succeed("I", json!("A"));
    bench.succeed("I", json!("C"));
    assert_eq!(bench.output(), json!(["A", "B", "C"]));
}

#[test]
fn inline_maps_run_forty_items_at_once_at_most() {
    let items: Vec<u64> = (0..100).collect();
    let bench = Bench::start(map(json!({}), task(json!({}))), json!(items));
    assert_eq!(bench.tasks.len(), 40);
}

#[test]
fn an_empty_map_is_done_at_once_and_items_must_be_an_array() {
    let bench = Bench::start(map(json!({}), pass()), json!([]));
    assert_eq!(bench.output(), json!([]));
    let bench = Bench::start(map(json!({"ItemsPath": "$.x"}), pass()), json!({"x": {}}));
    assert_eq!(bench.error().0, "States.Runtime");
    assert!(bench.error().1.ends_with("Reference path \"$.x\" must point to array."));
}

#[test]
fn a_distributed_map_fails_when_more_items_fail_than_tolerated() {
    let config = json!({"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I", "States": {"I": {
        "Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 0, "Next": "Bad"}], "Default": "Good"},
        "Good": pass(), "Bad": {"Type": "Fail", "Error": "Bad"}}});
    let run = |fields: Value, items: Value| {
        let mut state = json!({"Type": "Map", "End": true, "ItemProcessor": config});
        state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Bench::start(json!({"A": state}), items)
    };
    let bench = run(json!({"ToleratedFailureCount": 1}), json!([1, 0, 2]));
    assert_eq!(bench.output(), json!([1, 2]));
    assert_eq!(
        bench.types(),
        ["ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapRunStarted", "MapRunSucceeded", "MapStateSucceeded", "MapStateExited", "ExecutionSucceeded"]
    );
    let bench = run(json!({"ToleratedFailurePercentage": 30}), json!([1, 0, 2]));
    assert_eq!(bench.error(), ("States.ExceedToleratedFailureThreshold".into(), "The specified tolerated failure threshold was exceeded".into()));
    assert_eq!(bench.types()[3..], ["MapRunStarted", "MapRunFailed", "MapStateFailed", "ExecutionFailed"]);
    let bench = run(json!({}), json!([0]));
    assert_eq!(bench.error().0, "States.ExceedToleratedFailureThreshold");
}

#[test]
fn batches_give_several_items_to_one_child() {
    let state = json!({"A": {"Type": "Map", "End": true, "ItemSelector": {"v.$": "$$.Map.Item.Value"},
        "ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"day.$": "$$.Execution.Name"}},
        "ItemsPath": "$.items", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I", "States": {"I": pass()}}}});
    let bench = Bench::start(state, json!({"items": [1, 2, 3]}));
    assert_eq!(
        bench.output(),
        json!([{"BatchInput": {"day": "run"}, "Items": [{"v": 1}, {"v": 2}]}, {"BatchInput": {"day": "run"}, "Items": [{"v": 3}]}])
    );
}

#[test]
fn nested_maps_see_their_own_item() {
    let inner = json!({"Type": "Map", "End": true, "ItemSelector": {"inner.$": "$$.Map.Item.Value", "outer.$": "$"},
        "ItemsPath": "$.list", "ItemProcessor": {"StartAt": "J", "States": {"J": pass()}}});
    let fields = json!({"ItemSelector": {"list.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index"}});
    let bench = Bench::start(map(fields, inner), json!([[1], [2, 3]]));
    assert_eq!(bench.output()[1][1]["inner"], json!(3));
    assert_eq!(bench.output()[1][1]["outer"]["i"], json!(1));
    bench.check_ids();
}

#[test]
fn variables_are_assigned_after_all_of_them_are_computed() {
    let states = json!({
        "A": {"Type": "Pass", "Result": {"n": 1}, "Assign": {"x.$": "$.n", "y": 2}, "Next": "B"},
        "B": {"Type": "Pass", "Assign": {"x.$": "$y", "y.$": "$x"}, "Next": "C"},
        "C": {"Type": "Map", "ItemsPath": "$$.Execution.Input", "Next": "D", "ItemProcessor": {"StartAt": "I", "States": {
            "I": {"Type": "Pass", "Assign": {"x": "inner"}, "Next": "J"},
            "J": {"Type": "Pass", "Parameters": {"seen.$": "States.Format('{}{}', $x, $y)"}, "End": true}}}},
        "D": {"Type": "Choice", "Choices": [{"Variable": "$x", "NumericEquals": 2, "Next": "E", "Assign": {"z.$": "$[0].seen"}}]},
        "E": {"Type": "Pass", "Parameters": {"x.$": "$x", "y.$": "$y", "z.$": "$z"}, "End": true},
    });
    let bench = Bench::start(states, json!([0]));
    assert_eq!(bench.output(), json!({"x": 2, "y": 1, "z": "inner1"}));
    let exited = bench.events.iter().find(|event| event.event_type == EventType::PassStateExited).unwrap();
    let assigned = exited.details.assigned_variables.clone().unwrap();
    assert_eq!(assigned, BTreeMap::from([("x".to_owned(), "1".to_owned()), ("y".to_owned(), "2".to_owned())]));
    let bench = Bench::start(json!({"A": {"Type": "Pass", "Parameters": {"x.$": "$none"}, "End": true}}), json!({}));
    assert_eq!(bench.error().0, "States.Runtime");
}

#[test]
fn results_over_256_kib_end_in_data_limit_exceeded() {
    let big = json!("x".repeat(300_000));
    let mut bench = Bench::start(json!({"A": task(json!({}))}), json!({}));
    bench.succeed("A", big.clone());
    assert_eq!(
        bench.error(),
        ("States.DataLimitExceeded".into(), "The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit.".into())
    );
    assert!(bench.types().contains(&"TaskFailed"));
    let bench = Bench::start(json!({"A": {"Type": "Pass", "Result": big, "End": true}}), json!({}));
    assert_eq!(bench.error().0, "States.DataLimitExceeded");
}

#[test]
fn runtime_errors_pass_every_catcher() {
    let states = json!({
        "A": {"Type": "Parallel", "End": true, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}],
            "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Pass", "InputPath": "$.none", "End": true}}}]},
        "Z": pass(),
    });
    let bench = Bench::start(states, json!({}));
    assert_eq!(
        bench.error(),
        ("States.Runtime".into(), "An error occurred while executing the state 'B' (entered at the event id #4). Invalid path '$.none' : No results for path: $['none']".into())
    );
}

#[test]
fn a_choice_without_match_and_a_missing_variable_are_runtime_errors() {
    let choice = |rule: Value, input: Value| {
        let mut rule = rule;
        rule["Next"] = json!("B");
        Bench::start(json!({"A": {"Type": "Choice", "Choices": [rule]}, "B": pass()}), input)
    };
    let bench = choice(json!({"Variable": "$.x", "IsString": true}), json!({"x": 1}));
    assert_eq!(bench.error().0, "States.Runtime");
    assert!(bench.error().1.ends_with("Failed to transition out of the state. The state does not point to a next state."));
    let bench = choice(json!({"Variable": "$.x", "IsString": true}), json!({}));
    assert!(bench.error().1.ends_with("Invalid path '$.x': The choice state's condition path references an invalid value."));
    // What is not evaluated does no harm.
    let guarded = json!({"Or": [{"Variable": "$.x", "IsPresent": false}, {"Variable": "$.x", "NumericEquals": 1}]});
    assert_eq!(choice(guarded, json!({})).execution.status(), ExecutionStatus::Succeeded);
}

#[test]
fn comparison_operators_compare_values_of_their_own_type_only() {
    let holds = |test: Value, input: Value| {
        let mut rule = test;
        rule["Variable"] = json!("$.v");
        rule["Next"] = json!("B");
        let bench = Bench::start(json!({"A": {"Type": "Choice", "Choices": [rule], "Default": "C"}, "B": pass(), "C": {"Type": "Fail"}}), input);
        bench.execution.status() == ExecutionStatus::Succeeded
    };
    assert!(holds(json!({"StringLessThan": "b"}), json!({"v": "a"})));
    assert!(!holds(json!({"StringLessThan": "b"}), json!({"v": 1})));
    // UTF-16: a surrogate pair sorts before U+FF5E.
    assert!(holds(json!({"StringLessThan": "～"}), json!({"v": "😀"})));
    assert!(holds(json!({"StringGreaterThanEqualsPath": "$.w"}), json!({"v": "b", "w": "b"})));
    assert!(holds(json!({"NumericEquals": 9_007_199_254_740_993_u64}), json!({"v": 9_007_199_254_740_993_u64})));
    assert!(!holds(json!({"NumericEquals": 9_007_199_254_740_993_u64}), json!({"v": 9_007_199_254_740_992_u64})));
    assert!(holds(json!({"BooleanEqualsPath": "$.w"}), json!({"v": false, "w": false})));
    assert!(!holds(json!({"BooleanEquals": false}), json!({"v": null})));
    assert!(holds(json!({"TimestampLessThan": "2026-01-01T00:00:00Z"}), json!({"v": "2026-01-01T00:30:00+01:00"})));
    assert!(!holds(json!({"TimestampEquals": "2026-01-01T00:00:00Z"}), json!({"v": "2026-01-01"})));
    assert!(holds(json!({"IsTimestamp": true}), json!({"v": "2026-01-01T00:00:00.5Z"})));
    assert!(holds(json!({"IsNull": true}), json!({"v": null})) && holds(json!({"IsNumeric": false}), json!({"v": "1"})));
}

#[test]
fn string_patterns_agree_with_a_naive_matcher() {
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|cut| naive(rest, &text[cut..])),
            ['\\', escaped, rest @ ..] => text.first() == Some(escaped) && naive(rest, &text[1..]),
            [found, rest @ ..] => text.first() == Some(found) && naive(rest, &text[1..]),
        }
    }
    use proptest::prelude::*;
    let mut runner = proptest::test_runner::TestRunner::default();
    runner
        .run(&("(a|b|\\*|\\\\\\*|\\\\\\\\){0,6}", "[ab*\\\\]{0,8}"), |(pattern, text)| {
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(choice::matches(&pattern, &text), naive(&p, &t), "{} on {}", pattern, text);
            Ok(())
        })
        .unwrap();
}

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
    assert_eq!(bench.error(), ("States.Runtime".into(), "The execution reached the maximum number of history events (25000).".into()));
    assert!(matches!(bench.execution.redrive(&bench.definition, bench.now, &mut || 0.5), Err(NotRedrivable::TooManyEvents(MAX_EVENTS))));
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
    assert_eq!(resumed.iter().filter(|command| matches!(command, Command::StartTimer { .. })).count(), 2);
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
    bench.signal(Signal::TaskSubmitted { task: call.task, output: json!({"MessageId": "1"}) });
    bench.succeed("A", json!("done"));
    assert_eq!(bench.types()[2..6], ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]);
    assert_eq!(bench.events[4].details.resource.as_deref(), Some("sendMessage.waitForTaskToken"));
}

#[test]
fn a_stopped_execution_tells_what_it_stopped() {
    let mut bench = Bench::start(json!({"A": task(json!({}))}), json!({}));
    bench.signal(Signal::Abort { error: Some("Operator".into()), cause: None });
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
    assert_eq!(bench.types()[before..], ["ExecutionRedriven", "TaskScheduled"]);
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
    let mut again: Vec<(String, Value)> = bench.tasks.values().map(|call| (call.state.clone(), call.parameters.clone())).collect();
    again.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(again, [("C".to_owned(), json!({"items": [1, 2, 3]})), ("I".to_owned(), json!(2))]);
    bench.succeed("C", json!("C"));
    bench.succeed("I", json!("I2"));
    bench.succeed("I", json!("I3"));
    assert_eq!(bench.output(), json!(["B", "C", ["I1", "I2", "I3"]]));
    bench.check_ids();
}

#[test]
fn a_redrive_repeats_a_failed_map_item_only() {
    let mut bench = Bench::start(map(json!({"MaxConcurrency": 2}), task(json!({}))), json!([1, 2, 3]));
    bench.succeed("I", json!("one"));
    bench.fail("I", "E");
    assert_eq!(bench.error().0, "E");
    assert!(bench.types().contains(&"MapIterationAborted"));
    bench.redrive();
    let again: Vec<Value> = bench.tasks.values().map(|call| call.parameters.clone()).collect();
    assert_eq!(again, [json!(2), json!(3)]);
    bench.succeed("I", json!("two"));
    bench.succeed("I", json!("three"));
    assert_eq!(bench.output(), json!(["one", "two", "three"]));
}

#[test]
fn redrives_follow_the_services_rules() {
    let mut bench = Bench::start(json!({"A": task(json!({}))}), json!({}));
    let redrive = |bench: &mut Bench| bench.execution.redrive(&bench.definition, bench.now, &mut || 0.5);
    assert!(matches!(redrive(&mut bench), Err(NotRedrivable::Status("RUNNING"))));
    bench.fail("A", "E");
    bench.now = bench.now.checked_add(SignedDuration::from_hours(14 * 24 + 1)).unwrap();
    assert!(matches!(redrive(&mut bench), Err(NotRedrivable::TooOld(_))));
    bench.now = START.parse().unwrap();
    bench.redrive();
    bench.succeed("A", json!(1));
    assert!(matches!(redrive(&mut bench), Err(NotRedrivable::Status("SUCCEEDED"))));
    assert!(!bench.execution.is_redrivable());
}
