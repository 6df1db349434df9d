//! One signal at work: the turn-taking of threads, events, timers, the end of an execution.

use super::environment::ThreadEnvironment;
use super::failure::Failure;
use super::state::{
    ActiveState, Execution, PendingTimer, Phase, Position, Purpose, Thread, ThreadId,
};
use super::{Command, MAX_EVENTS, Outcome, Signal, Step, TaskId, TimerId};
use crate::data_flow::EvaluationError;
use crate::definition::{Definition, MachineId, State};
use crate::history::{EventDetails, EventType, HistoryEvent};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// An execution together with what one signal needs.
pub(super) struct Run<'a> {
    pub(super) execution: &'a mut Execution,
    pub(super) definition: &'a Definition,
    pub(super) now: Timestamp,
    random: RefCell<&'a mut dyn FnMut() -> f64>,
    step: Step,
    /// The history is full.
    full: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        execution: &'a mut Execution,
        definition: &'a Definition,
        now: Timestamp,
        random: &'a mut dyn FnMut() -> f64,
    ) -> Self {
        Run {
            execution,
            definition,
            now,
            random: RefCell::new(random),
            step: Step::default(),
            full: false,
        }
    }

    pub(super) fn signal(mut self, signal: Signal) -> Step {
        if self.execution.outcome.is_some() {
            return self.step;
        }
        match signal {
            Signal::Start => self.start(),
            Signal::TaskStarted { task } => self.task_started(task),
            Signal::TaskSubmitted { task, output } => self.task_submitted(task, &output),
            Signal::TaskSucceeded { task, output } => self.task_succeeded(task, output),
            Signal::TaskFailed { task, error, cause } => self.task_failed(task, error, cause),
            Signal::TaskHeartbeat { task } => self.heartbeat(task),
            Signal::TimerFired { timer } => self.timer_fired(timer),
            Signal::Abort { error, cause } => self.abort_execution(error, cause),
        }
        self.drain()
    }

    /// Lets threads take turns until all of them wait for something.
    pub(super) fn drain(mut self) -> Step {
        while !self.full && self.execution.outcome.is_none() {
            let Some(thread) = self.execution.runnable.pop_front() else {
                break;
            };
            self.turn(thread);
        }
        if self.full && self.execution.outcome.is_none() {
            let cause = format!(
                "The execution reached the maximum number of history events ({MAX_EVENTS})."
            );
            self.finish_failed(Some("States.Runtime".to_owned()), Some(cause));
        }
        self.step
    }

    fn start(&mut self) {
        if !self.execution.threads.is_empty() {
            return;
        }
        let input = self.execution.input.clone();
        self.execution.threads.insert(
            ThreadId::ROOT,
            Thread {
                parent: None,
                machine: MachineId::ROOT,
                previous_event: 0,
                variables: BTreeMap::new(),
                item: None,
                child: None,
                quiet: false,
                stopped: false,
                at: Position::Before {
                    state: self.definition.root().start_at.clone(),
                    input,
                },
            },
        );
        let details = EventDetails {
            role_arn: Some(self.execution.context.role_arn.clone()),
            ..EventDetails::default()
        }
        .with_input(self.execution.input.to_string());
        // The first state's event has no predecessor: the service numbers it so.
        self.emit_beside(ThreadId::ROOT, EventType::ExecutionStarted, details);
        self.start_execution_timer();
        self.execution.runnable.push_back(ThreadId::ROOT);
    }

    pub(super) fn start_execution_timer(&mut self) {
        if let Some(seconds) = self.definition.timeout_seconds {
            self.start_timer(seconds as f64, Purpose::ExecutionTimeout);
        }
    }

    /// One state of one thread.
    fn turn(&mut self, id: ThreadId) {
        let Some(thread) = self.execution.threads.get_mut(&id) else {
            return;
        };
        if let Position::Before { state, input } = &mut thread.at {
            let name = std::mem::take(state);
            let input = std::mem::take(input);
            self.enter(id, name, input);
        }
        self.perform(id);
    }

    fn enter(&mut self, id: ThreadId, name: String, input: Value) {
        let kind = self
            .execution
            .thread(id)
            .and_then(|thread| self.definition.machine(thread.machine).states.get(&name))
            .map_or("Pass", |state| state.state_type().name());
        let event_type = EventType::named(&format!("{kind}StateEntered"));
        let details = EventDetails::named(&name).with_input(input.to_string());
        let entered_event = self.emit(id, event_type, details);
        let entered_at = self.now;
        if let Some(thread) = self.execution.threads.get_mut(&id) {
            thread.at = Position::In(Box::new(ActiveState {
                name,
                input,
                entered_event,
                entered_at,
                retry_count: 0,
                retries: Vec::new(),
                token: None,
                phase: Phase::Idle,
            }));
        }
    }

    /// The state a thread is in.
    pub(super) fn state_of(&self, id: ThreadId) -> Result<&'a State, Failure> {
        let definition = self.definition;
        let found = self.execution.thread(id).and_then(|thread| {
            let name = &thread.active()?.name;
            definition.machine(thread.machine).states.get(name)
        });
        found.ok_or_else(|| {
            self.runtime_failure(id, "The state is not in the definition of the execution.")
        })
    }

    /// The input of a thread's state as it came.
    pub(super) fn raw_input(&self, id: ThreadId) -> &Value {
        self.execution
            .thread(id)
            .and_then(Thread::active)
            .map_or(&Value::Null, |active| &active.input)
    }

    pub(super) fn environment(&self, id: ThreadId) -> ThreadEnvironment<'_, 'a> {
        ThreadEnvironment::new(self.execution, id, &self.random)
    }

    pub(super) fn random(&self) -> f64 {
        (self.random.borrow_mut())().clamp(0.0, 1.0 - f64::EPSILON)
    }

    /// A failure that ends the execution, in the service's words.
    pub(super) fn runtime_failure(&self, id: ThreadId, reason: &str) -> Failure {
        let (name, event) = self
            .execution
            .thread(id)
            .and_then(Thread::active)
            .map_or(("", 0), |active| {
                (active.name.as_str(), active.entered_event)
            });
        Failure::runtime(format!(
            "An error occurred while executing the state '{name}' (entered at the event id #{event}). {reason}"
        ))
    }

    pub(super) fn evaluation_failure(&self, id: ThreadId, error: &EvaluationError) -> Failure {
        match error {
            EvaluationError::ReferenceMismatch { .. } => {
                Failure::ordinary("States.ResultPathMatchFailure", Some(error.to_string()))
            }
            _ => self.runtime_failure(id, &error.to_string()),
        }
    }

    /// Appends an event that the thread's next event follows.
    pub(super) fn emit(
        &mut self,
        id: ThreadId,
        event_type: EventType,
        details: EventDetails,
    ) -> u64 {
        let event = self.emit_beside(id, event_type, details);
        if let Some(thread) = self.execution.threads.get_mut(&id) {
            thread.previous_event = event;
        }
        event
    }

    /// Appends an event that the thread's next event does not follow.
    pub(super) fn emit_beside(
        &mut self,
        id: ThreadId,
        event_type: EventType,
        details: EventDetails,
    ) -> u64 {
        let (previous, quiet) = self
            .execution
            .thread(id)
            .map_or((0, false), |thread| (thread.previous_event, thread.quiet));
        if quiet {
            // An execution of its own, whose history is not kept; it counts for messages only.
            return previous + 1;
        }
        self.append(previous, event_type, details)
    }

    pub(super) fn append(
        &mut self,
        previous_event_id: u64,
        event_type: EventType,
        details: EventDetails,
    ) -> u64 {
        let last = event_type.ends_execution();
        if self.execution.last_event + 1 >= MAX_EVENTS && !last {
            self.full = true;
            return self.execution.last_event;
        }
        self.execution.last_event += 1;
        self.step.events.push(HistoryEvent {
            id: self.execution.last_event,
            previous_event_id,
            timestamp: self.now,
            event_type,
            details,
        });
        self.execution.last_event
    }

    pub(super) fn command(&mut self, command: Command) {
        self.step.commands.push(command);
    }

    pub(super) fn start_timer(&mut self, seconds: f64, purpose: Purpose) -> TimerId {
        let until = SignedDuration::try_from_secs_f64(seconds)
            .ok()
            .and_then(|span| self.now.checked_add(span).ok())
            .unwrap_or(Timestamp::MAX);
        self.start_timer_until(until, purpose)
    }

    pub(super) fn start_timer_until(&mut self, until: Timestamp, purpose: Purpose) -> TimerId {
        let timer = TimerId(self.execution.number());
        self.execution
            .timers
            .insert(timer, PendingTimer { until, purpose });
        self.command(Command::StartTimer { timer, until });
        timer
    }

    pub(super) fn cancel_timer(&mut self, timer: Option<TimerId>) {
        if let Some(timer) = timer
            && self.execution.timers.remove(&timer).is_some()
        {
            self.command(Command::CancelTimer { timer });
        }
    }

    pub(super) fn cancel_task(&mut self, task: TaskId) {
        if let Some(pending) = self.execution.tasks.remove(&task) {
            self.command(Command::CancelTask { task });
            self.cancel_timer(pending.timeout);
            self.cancel_timer(pending.heartbeat);
        }
    }

    fn timer_fired(&mut self, timer: TimerId) {
        let Some(pending) = self.execution.timers.remove(&timer) else {
            return;
        };
        match pending.purpose {
            Purpose::Wait(thread) => self.wait_over(thread),
            Purpose::Retry(thread) => {
                if let Some(active) = self
                    .execution
                    .threads
                    .get_mut(&thread)
                    .and_then(Thread::active_mut)
                {
                    active.phase = Phase::Idle;
                    self.execution.runnable.push_back(thread);
                }
            }
            Purpose::TaskTimeout(task) => self.task_timed_out(task, false),
            Purpose::Heartbeat(task) => self.task_timed_out(task, true),
            Purpose::ExecutionTimeout => {
                self.stop_threads();
                let last = self.execution.last_event;
                self.append(last, EventType::ExecutionTimedOut, EventDetails::default());
                self.finish(Outcome::TimedOut);
            }
        }
    }

    fn abort_execution(&mut self, error: Option<String>, cause: Option<String>) {
        self.stop_threads();
        let details = EventDetails::failed(error.clone(), cause.clone());
        let last = self.execution.last_event;
        self.append(last, EventType::ExecutionAborted, details);
        self.finish(Outcome::Aborted { error, cause });
    }

    pub(super) fn finish_failed(&mut self, error: Option<String>, cause: Option<String>) {
        let details = EventDetails::failed(error.clone(), cause.clone());
        let previous = self
            .execution
            .thread(ThreadId::ROOT)
            .map_or(0, |root| root.previous_event);
        self.append(previous, EventType::ExecutionFailed, details);
        self.finish(Outcome::Failed { error, cause });
    }

    /// Ends the execution: nothing is outstanding any more. Threads stay for a redrive.
    pub(super) fn finish(&mut self, outcome: Outcome) {
        let tasks: Vec<TaskId> = self.execution.tasks.keys().copied().collect();
        for task in tasks {
            self.cancel_task(task);
        }
        let timers: Vec<TimerId> = self.execution.timers.keys().copied().collect();
        for timer in timers {
            self.cancel_timer(Some(timer));
        }
        self.execution.runnable.clear();
        for thread in self.execution.threads.values_mut() {
            thread.stopped = true;
            if let Some(active) = thread.active_mut()
                && !matches!(active.phase, Phase::Children(_))
            {
                active.phase = Phase::Idle;
            }
        }
        self.execution.stopped_at = Some(self.now);
        self.execution.outcome = Some(outcome.clone());
        self.command(Command::Finished(outcome));
    }
}
