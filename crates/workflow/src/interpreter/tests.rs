#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod errors;
mod lives;
mod maps;
mod refused;
mod values;

use super::*;
use crate::history::EventType;
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
        let definition =
            Definition::parse(&definition.to_string()).unwrap_or_else(|error| panic!("{error}"));
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
        self.execution =
            serde_json::from_str(&serde_json::to_string(&self.execution).unwrap()).unwrap();
        let sample = self.random;
        let step = self
            .execution
            .handle(&self.definition, signal, self.now, &mut || sample);
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
                    let call = self
                        .tasks
                        .remove(&task)
                        .expect("only open tasks are cancelled");
                    self.cancelled.push(call.state);
                }
                Command::CancelTimer { timer } => {
                    self.timers
                        .remove(&timer)
                        .expect("only open timers are cancelled");
                }
                Command::Finished(outcome) => {
                    assert_eq!(self.execution.outcome(), Some(&outcome));
                    assert!(
                        self.tasks.is_empty() && self.timers.is_empty(),
                        "nothing is outstanding at the end"
                    );
                }
            }
        }
    }

    fn task(&self, state: &str) -> TaskCall {
        self.tasks
            .values()
            .find(|call| call.state == state)
            .unwrap_or_else(|| panic!("{state} is not called"))
            .clone()
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
        self.signal(Signal::TaskFailed {
            task,
            error: error.into(),
            cause: Some(format!("{error} happened")),
        });
    }

    /// Fires the next timer; gives the seconds since the last signal.
    fn tick(&mut self) -> f64 {
        let (timer, until) = self
            .timers
            .iter()
            .min_by_key(|(_, until)| **until)
            .map(|(t, u)| (*t, *u))
            .expect("a timer");
        self.timers.remove(&timer);
        let waited = until.duration_since(self.now).as_secs_f64();
        self.now = until;
        self.signal(Signal::TimerFired { timer });
        waited
    }

    fn redrive(&mut self) {
        let step = self
            .execution
            .redrive(&self.definition, self.now, &mut || 0.5)
            .unwrap();
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
            Some(Outcome::Failed { error, cause }) => (
                error.clone().unwrap_or_default(),
                cause.clone().unwrap_or_default(),
            ),
            other => panic!("{other:?}"),
        }
    }

    fn types(&self) -> Vec<&str> {
        self.events
            .iter()
            .map(|event| event.event_type.name())
            .collect()
    }

    fn check_ids(&self) {
        for (place, event) in self.events.iter().enumerate() {
            assert_eq!(event.id, place as u64 + 1);
            assert!(event.previous_event_id < event.id);
        }
    }
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

fn pass() -> Value {
    json!({"Type": "Pass", "End": true})
}

fn map(extra: Value, inner: Value) -> Value {
    let mut state = json!({"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "I", "States": {"I": inner}}});
    state
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    json!({"A": state})
}
