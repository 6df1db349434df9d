//! Does what an execution's commands say, with mocks for tasks and a clock that the caller moves.

use super::config::{Mocks, Response};
use crate::definition::{Definition, ResourceKind, StateKind};
use crate::history::HistoryEvent;
use crate::interpreter::{
    Command, Execution, ExecutionContext, Outcome, Signal, TaskCall, TimerId,
};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// How far a run has come.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// It has ended.
    Finished(Outcome),
    /// Nothing happens before this time.
    WaitUntil(Timestamp),
    /// Nothing will ever happen.
    Stuck,
}

/// One mocked execution.
pub struct Driver<'a> {
    definition: &'a Definition,
    mocks: &'a Mocks,
    execution: Execution,
    random: Box<dyn FnMut() -> f64 + 'a>,
    timers: BTreeMap<TimerId, Timestamp>,
    tasks: VecDeque<TaskCall>,
    calls: HashMap<String, u64>,
    history: Vec<HistoryEvent>,
    scheduled: Vec<TaskCall>,
}

impl<'a> Driver<'a> {
    /// Starts an execution.
    #[must_use]
    pub fn start(
        definition: &'a Definition,
        mocks: &'a Mocks,
        input: Value,
        context: ExecutionContext,
        random: Box<dyn FnMut() -> f64 + 'a>,
    ) -> Driver<'a> {
        let now = context.start_time;
        let mut driver = Driver {
            definition,
            mocks,
            execution: Execution::new(input, context),
            random,
            timers: BTreeMap::new(),
            tasks: VecDeque::new(),
            calls: HashMap::new(),
            history: Vec::new(),
            scheduled: Vec::new(),
        };
        driver.signal(Signal::Start, now);
        driver
    }

    /// The history so far.
    #[must_use]
    pub fn history(&self) -> &[HistoryEvent] {
        &self.history
    }

    /// The tasks called so far, in order.
    #[must_use]
    pub fn scheduled(&self) -> &[TaskCall] {
        &self.scheduled
    }

    /// Does what can be done at `now`: answers tasks, fires timers that are due.
    pub fn advance(&mut self, now: Timestamp) -> Progress {
        loop {
            if let Some(outcome) = self.execution.outcome() {
                return Progress::Finished(outcome.clone());
            }
            if let Some(call) = self.tasks.pop_front() {
                self.answer(&call, now);
                continue;
            }
            let due = self.timers.iter().min_by_key(|(id, until)| (**until, **id));
            match due.map(|(timer, until)| (*timer, *until)) {
                None => return Progress::Stuck,
                Some((_, until)) if until > now => return Progress::WaitUntil(until),
                Some((timer, _)) => {
                    self.timers.remove(&timer);
                    self.signal(Signal::TimerFired { timer }, now);
                }
            }
        }
    }

    /// Runs to the end on a virtual clock that jumps from timer to timer.
    pub fn run_fast(&mut self) -> Progress {
        let mut now = self.execution.context().start_time;
        loop {
            match self.advance(now) {
                Progress::WaitUntil(until) => now = until,
                done => return done,
            }
        }
    }

    fn answer(&mut self, call: &TaskCall, now: Timestamp) {
        let task = call.task;
        let count = self.calls.entry(call.state.clone()).or_default();
        let number = *count;
        *count += 1;
        self.signal(Signal::TaskStarted { task }, now);
        let signal = match self.mocks.response(&call.state, number) {
            Ok(Response::Return(value)) => Signal::TaskSucceeded {
                task,
                output: self.result_of(call, value),
            },
            Ok(Response::Throw { error, cause }) => Signal::TaskFailed {
                task,
                error: error.clone(),
                cause: cause.clone(),
            },
            // A missing mock is a fault of the test; nothing in the definition may catch it.
            Err(problem) => Signal::TaskFailed {
                task,
                error: "States.Runtime".to_owned(),
                cause: Some(problem),
            },
        };
        self.signal(signal, now);
    }

    /// A function called by its own ARN gives its payload; a mock may hold the answer of `lambda:invoke`.
    fn result_of(&self, call: &TaskCall, value: &Value) -> Value {
        const ANSWER: [&str; 7] = [
            "ExecutedVersion",
            "FunctionError",
            "LogResult",
            "Payload",
            "SdkHttpMetadata",
            "SdkResponseMetadata",
            "StatusCode",
        ];
        let direct = self.definition.state(&call.state).is_some_and(|state| {
            matches!(&state.kind, StateKind::Task(task) if task.resource.kind == ResourceKind::Lambda)
        });
        match value {
            Value::Object(fields)
                if direct
                    && fields.contains_key("StatusCode")
                    && fields.keys().all(|name| ANSWER.contains(&name.as_str())) =>
            {
                fields.get("Payload").cloned().unwrap_or_default()
            }
            other => other.clone(),
        }
    }

    fn signal(&mut self, signal: Signal, now: Timestamp) {
        let step = self
            .execution
            .handle(self.definition, signal, now, &mut *self.random);
        self.history.extend(step.events);
        for command in step.commands {
            match command {
                Command::ScheduleTask(call) => {
                    self.scheduled.push((*call).clone());
                    self.tasks.push_back(*call);
                }
                Command::StartTimer { timer, until } => {
                    self.timers.insert(timer, until);
                }
                Command::CancelTask { task } => self.tasks.retain(|call| call.task != task),
                Command::CancelTimer { timer } => {
                    self.timers.remove(&timer);
                }
                Command::Finished(_) => {}
            }
        }
    }
}
