//! The interpreter against executions recorded on AWS Step Functions (`tests/data/asl`, see its README and
//! licence). Every case is run twice: undisturbed, and with the execution serialised and read back between
//! any two signals. Compared are status, output or error, the effective parameters of every task call, and
//! the events with their details.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::{SignedDuration, Timestamp};
use lakehand::workflow::data_flow::format_timestamp;
use lakehand::workflow::interpreter::{TaskCall, TimerId};
use lakehand::workflow::{
    Command, Definition, Execution, ExecutionContext, HistoryEvent, Outcome, Signal,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/asl");

fn read(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(format!("{DATA}/{path}")).unwrap()).unwrap()
}

/// What a run gave.
struct Run {
    outcome: Option<Outcome>,
    history: Vec<HistoryEvent>,
    calls: Vec<TaskCall>,
}

fn context() -> ExecutionContext {
    // The recorder's placeholders, so that recorded Context objects compare equal.
    ExecutionContext {
        id: "arn:aws:states:us-east-1:111111111111:execution:<ArnPart_0idx>:<ExecArnPart_0idx>"
            .into(),
        name: "<ExecArnPart_0idx>".into(),
        role_arn: "snf_role_arn".into(),
        start_time: "2026-11-21T09:00:00Z".parse().unwrap(),
        state_machine_id: "arn:aws:states:us-east-1:111111111111:stateMachine:<ArnPart_0idx>"
            .into(),
        state_machine_name: "<ArnPart_0idx>".into(),
    }
}

/// Runs a case; each signal comes a second after the one before, timers when they are due.
fn run(definition: &Definition, input: &Value, results: &[Value], disturb: bool) -> Run {
    let mut execution = Execution::new(input.clone(), context());
    let mut now = execution.context().start_time;
    let mut history = Vec::new();
    let mut calls = Vec::new();
    let mut timers: BTreeMap<(Timestamp, TimerId), ()> = BTreeMap::new();
    let mut signals = VecDeque::from([Signal::Start]);
    let mut answers: HashMap<String, VecDeque<Value>> = HashMap::new();
    for result in results {
        let state = result["state"].as_str().unwrap().to_owned();
        answers.entry(state).or_default().push_back(result.clone());
    }
    let mut numbers = 0.0_f64;
    let mut random = move || {
        numbers = (numbers + 0.618_033_988_75).fract();
        numbers
    };
    for _ in 0..10_000 {
        let signal = match signals.pop_front() {
            Some(signal) => signal,
            None => match timers.pop_first() {
                Some(((until, timer), ())) => {
                    now = now.max(until);
                    Signal::TimerFired { timer }
                }
                None => break,
            },
        };
        if disturb {
            let stored = serde_json::to_string(&execution).unwrap();
            execution = serde_json::from_str(&stored).unwrap();
        }
        let step = execution.handle(definition, signal, now, &mut random);
        history.extend(step.events);
        for command in step.commands {
            match command {
                Command::ScheduleTask(call) => {
                    let task = call.task;
                    signals.push_back(Signal::TaskStarted { task });
                    let answer = answers
                        .get_mut(&call.state)
                        .and_then(VecDeque::pop_front)
                        .unwrap_or_else(|| panic!("an unexpected call of {}", call.state));
                    calls.push(*call);
                    signals.extend(answer_signal(task, &answer));
                }
                Command::StartTimer { timer, until } => {
                    timers.insert((until, timer), ());
                }
                Command::CancelTimer { timer } => timers.retain(|(_, id), ()| *id != timer),
                Command::CancelTask { .. } | Command::Finished(_) => {}
            }
        }
        now = now.checked_add(SignedDuration::from_millis(1)).unwrap();
    }
    Run {
        outcome: execution.outcome().cloned(),
        history,
        calls,
    }
}

/// The recorded answer as a signal; for a time-out nothing comes, the interpreter's own timer fires.
fn answer_signal(task: lakehand::workflow::interpreter::TaskId, answer: &Value) -> Option<Signal> {
    let event = answer["event"].as_str().unwrap();
    if event.ends_with("Succeeded") {
        let output = answer["result"].clone();
        return Some(Signal::TaskSucceeded { task, output });
    }
    if event.ends_with("TimedOut") {
        return None;
    }
    let cause = match &answer["cause"] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    Some(Signal::TaskFailed {
        task,
        error: answer["error"].as_str().unwrap().to_owned(),
        cause,
    })
}

/// Strings that hold a JSON object, array or string become what they hold, at every depth.
fn unfold(value: &Value) -> Value {
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner) if inner.is_object() || inner.is_array() || inner.is_string() => {
                unfold(&inner)
            }
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(unfold).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), unfold(field)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// Equality up to what the recorder replaced: times and the ARN of a Map Run.
fn same(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::String(wanted), Value::String(found)) => match wanted.as_str() {
            "<start-time>" | "<entered-time>" => found
                .parse::<Timestamp>()
                .is_ok_and(|instant| format_timestamp(instant) == *found),
            wanted if wanted.contains("<MapRunArnPart") => found.contains(":mapRun:"),
            wanted => wanted == found,
        },
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len()
                && wanted
                    .iter()
                    .zip(found)
                    .all(|(wanted, found)| same(wanted, found))
        }
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.len() == found.len()
                && wanted
                    .iter()
                    .all(|(name, wanted)| found.get(name).is_some_and(|found| same(wanted, found)))
        }
        _ => expected == actual,
    }
}

fn agree(expected: &Value, actual: &Value) -> bool {
    same(&unfold(expected), &unfold(actual))
}

/// An event in the form of the recordings: without times and what the recorder dropped.
fn recorded_form(event: &HistoryEvent) -> Value {
    let mut event = serde_json::to_value(event).unwrap();
    let fields = event.as_object_mut().unwrap();
    fields.remove("timestamp");
    for details in fields.values_mut().filter_map(Value::as_object_mut) {
        details.remove("inputDetails");
        details.remove("outputDetails");
        details.remove("roleArn");
        details.remove("assignedVariablesDetails");
    }
    event
}

fn compare_outcome(expected: &Value, run: &Run) -> Result<(), String> {
    let (status, result) = match &run.outcome {
        Some(Outcome::Succeeded { output }) => ("SUCCEEDED", output.clone()),
        Some(Outcome::Failed { error, .. }) => ("FAILED", json!(error)),
        Some(Outcome::TimedOut) => ("TIMED_OUT", Value::Null),
        Some(Outcome::Aborted { error, .. }) => ("ABORTED", json!(error)),
        None => ("RUNNING", Value::Null),
    };
    let wanted = &expected[if status == "SUCCEEDED" {
        "output"
    } else {
        "error"
    }];
    if expected["status"] != status || !agree(wanted, &result) {
        return Err(format!("expected {expected}, got {:?}", run.outcome));
    }
    if let Some(Outcome::Failed { cause, .. }) = &run.outcome
        && !agree(&expected["cause"], &json!(cause))
    {
        return Err(format!(
            "expected the cause {}, got {cause:?}",
            expected["cause"]
        ));
    }
    Ok(())
}

fn compare_history(expected: &[Value], run: &Run) -> Result<(), String> {
    let actual: Vec<Value> = run.history.iter().map(recorded_form).collect();
    let merged = expected.iter().any(|event| event["id"].is_array());
    if !merged {
        if expected.len() != actual.len() {
            return Err(format!("{} events, not {}", actual.len(), expected.len()));
        }
        for (wanted, found) in expected.iter().zip(&actual) {
            if !agree(wanted, found) {
                return Err(format!("expected the event\n  {wanted}\ngot\n  {found}"));
            }
        }
        return Ok(());
    }
    // Merged events have no order of their own, and some are missing: each must have happened.
    let mut left = actual;
    for wanted in expected {
        let place = left.iter().position(|found| {
            let mut found = found.clone();
            let fields = found.as_object_mut().unwrap();
            for field in ["id", "previousEventId"] {
                fields.insert(field.to_owned(), wanted[field].clone());
            }
            agree(wanted, &found)
        });
        match place {
            Some(place) => drop(left.remove(place)),
            None => return Err(format!("no event like {wanted}")),
        }
    }
    Ok(())
}

fn check(case: &Value, recording: &Value, definition: &Definition) -> Result<(), String> {
    let results = recording["task_results"].as_array().unwrap();
    let plain = run(definition, &case["input"], results, false);
    let disturbed = run(definition, &case["input"], results, true);
    compare_outcome(&case["expected"], &plain)?;
    if plain.history != disturbed.history {
        return Err("a stored and restored execution has another history".to_owned());
    }
    if plain.calls.len() != results.len() {
        return Err(format!(
            "{} task calls, not {}",
            plain.calls.len(),
            results.len()
        ));
    }
    for call in &plain.calls {
        let known = results.iter().any(|result| {
            result["state"] == call.state.as_str()
                && agree(&result["scheduled_parameters"], &call.parameters)
        });
        if !known {
            return Err(format!(
                "no recorded call has the parameters {}",
                call.parameters
            ));
        }
    }
    match recording["history"].as_array() {
        Some(history) => compare_history(history, &plain),
        None => Ok(()),
    }
}

#[test]
fn every_recording_is_reproduced() {
    let index = read("index.json");
    let mut failures = Vec::new();
    let mut count = 0;
    for scenario in index["scenarios"].as_array().unwrap() {
        let templates = read(scenario["template"].as_str().unwrap());
        let recordings = read(scenario["snapshot"].as_str().unwrap());
        for case in scenario["cases"].as_array().unwrap() {
            count += 1;
            let id = case["id"].as_str().unwrap();
            let text = templates[case["definition"].as_str().unwrap()].to_string();
            let result = Definition::parse(&text)
                .map_err(|invalid| invalid.to_string())
                .and_then(|definition| check(case, &recordings[id], &definition));
            if let Err(problem) = result {
                failures.push(format!("{}/{id}: {problem}", scenario["name"]));
            }
        }
    }
    assert!(
        count >= 200,
        "the recordings are not complete: {count} cases"
    );
    assert!(
        failures.is_empty(),
        "{} of {count} recordings differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
