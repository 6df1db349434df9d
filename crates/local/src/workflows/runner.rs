//! One execution at work: signals in, one committed step each, commands out.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tokio::sync::mpsc;

use super::{Shared, resources::TaskFailure, tasks::RunningTask};
use crate::state::{self, Ending, OwnerTicket, Progress, StateError, StepRecord};
use lakehand_ops::{
    ExecutionId, ExecutionStatus,
    stages::{failed_stage, open_stage_names, stage_name},
};
use lakehand_workflow::{
    definition::Definition,
    history::{self, HistoryEvent, Timeline},
    interpreter::{Command, Execution, Signal, Step, TaskId, TimerId},
};

/// Waits before a commit is tried again, when the disk was full or the file busy.
const COMMIT_WAITS: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// What a runner is told.
#[derive(Debug)]
pub(super) enum Message {
    /// A task's job took up its work.
    Started(TaskId),
    /// A `.sync` call was accepted.
    Submitted(TaskId, Value),
    /// A task is alive.
    Heartbeat(TaskId),
    /// A task ended.
    Ended(TaskId, Result<Value, TaskFailure>),
    /// A timer's time has come.
    Timer(TimerId),
    /// An operator wants the execution to stop.
    Stop {
        /// Why, in the operator's words.
        cause: String,
    },
}

/// One execution and everything that runs for it.
pub(super) struct Runner {
    pub(super) shared: Arc<Shared>,
    pub(super) id: ExecutionId,
    pub(super) key: i64,
    ticket: OwnerTicket,
    definition: Arc<Definition>,
    execution: Execution,
    pub(super) timeline: Timeline,
    pub(super) outbox: mpsc::UnboundedSender<Message>,
    messages: mpsc::UnboundedReceiver<Message>,
    pub(super) tasks: HashMap<TaskId, RunningTask>,
    timers: HashMap<TimerId, tokio::task::AbortHandle>,
    /// Cancelled tasks that have not ended yet.
    pub(super) retiring: Vec<tokio::task::JoinHandle<()>>,
    finished: bool,
}

impl Runner {
    /// A runner for an execution whose first step is not committed yet.
    pub(super) fn new(
        shared: Arc<Shared>,
        id: ExecutionId,
        ticket: OwnerTicket,
        definition: Arc<Definition>,
        execution: Execution,
    ) -> Self {
        let (outbox, messages) = mpsc::unbounded_channel();
        Self {
            shared,
            id,
            key: 0,
            ticket,
            definition,
            execution,
            timeline: Timeline::default(),
            outbox,
            messages,
            tasks: HashMap::new(),
            timers: HashMap::new(),
            retiring: Vec::new(),
            finished: false,
        }
    }

    /// As [`Runner::new`], for an execution with a history.
    pub(super) fn with_history(mut self, events: &[HistoryEvent]) -> Self {
        self.timeline.extend(events);
        self
    }

    pub(super) fn id(&self) -> &ExecutionId {
        &self.id
    }

    pub(super) fn token(&self) -> &str {
        self.ticket.token()
    }

    pub(super) fn inbox(&self) -> mpsc::UnboundedSender<Message> {
        self.outbox.clone()
    }

    /// Runs to the end, or until another process takes over, or the state file fails for good.
    pub(super) async fn run(&mut self, key: i64, first: Step) {
        self.key = key;
        self.act(&first.events, first.commands);
        while !self.finished {
            // The runner holds a sender itself, so that the channel never closes.
            let Some(message) = self.messages.recv().await else {
                break;
            };
            if let Err(error) = self.take(message).await {
                tracing::error!(execution = %self.id, %error, "the execution cannot be continued by this process");
                break;
            }
        }
        self.wind_down().await;
        let (key, token) = (self.key, self.token().to_owned());
        if let Err(error) = self
            .shared
            .store
            .write(move |transaction| state::release(transaction, key, &token))
            .await
        {
            tracing::warn!(execution = %self.id, %error, "the execution could not be released");
        }
    }

    async fn take(&mut self, message: Message) -> Result<(), StateError> {
        let signal = match message {
            Message::Started(task) if self.tasks.contains_key(&task) => {
                Signal::TaskStarted { task }
            }
            Message::Submitted(task, output) if self.tasks.contains_key(&task) => {
                Signal::TaskSubmitted { task, output }
            }
            Message::Heartbeat(task) if self.tasks.contains_key(&task) => {
                Signal::TaskHeartbeat { task }
            }
            Message::Ended(task, result) if self.tasks.remove(&task).is_some() => {
                self.shared.logs.flush().await;
                match result {
                    Ok(output) => Signal::TaskSucceeded { task, output },
                    Err(failure) => Signal::TaskFailed {
                        task,
                        error: failure.error,
                        cause: Some(failure.cause),
                    },
                }
            }
            Message::Timer(timer) if self.timers.remove(&timer).is_some() => {
                Signal::TimerFired { timer }
            }
            Message::Stop { cause } => {
                // Aborted means that nothing runs any more: first the tasks, then the word.
                self.retire_all();
                self.wait_for_retiring().await;
                Signal::Abort {
                    error: None,
                    cause: Some(cause),
                }
            }
            // Of something that was cancelled in the meantime.
            Message::Started(_)
            | Message::Submitted(..)
            | Message::Heartbeat(_)
            | Message::Ended(..)
            | Message::Timer(_) => return Ok(()),
        };
        let is_heartbeat = matches!(signal, Signal::TaskHeartbeat { .. });
        let now = self.shared.now();
        let step = self
            .execution
            .handle(&self.definition, signal, now, &mut rand::random);
        // A sign of life changes timers only; after a crash they start anew anyway.
        if !(is_heartbeat && step.events.is_empty()) {
            self.commit(&step).await?;
        }
        self.act(&step.events, step.commands);
        Ok(())
    }

    async fn commit(&mut self, step: &Step) -> Result<(), StateError> {
        let record = Arc::new(self.record(&step.events)?);
        let mut waits = COMMIT_WAITS.iter();
        loop {
            let (key, token, step) = (self.key, self.token().to_owned(), Arc::clone(&record));
            let result = self
                .shared
                .store
                .write(move |transaction| state::record_step(transaction, key, &token, &step))
                .await;
            match (result, waits.next()) {
                (Err(StateError::Sqlite { source, .. }), Some(wait)) => {
                    tracing::warn!(execution = %self.id, error = %source, "a step could not be stored yet");
                    tokio::time::sleep(*wait).await;
                }
                (result, _) => return result,
            }
        }
    }

    /// A step as it is stored: events, snapshot, and what lists show.
    pub(super) fn record(&mut self, events: &[HistoryEvent]) -> Result<StepRecord, StateError> {
        self.timeline.extend(events);
        let mut stored = Vec::with_capacity(events.len());
        for event in events {
            stored.push((event.id, to_json("an event", event)?));
        }
        let ending = self.ending();
        self.finished = ending.is_some();
        let redriven = events
            .iter()
            .any(|event| event.event_type == history::EventType::ExecutionRedriven);
        let current_stage = match &ending {
            Some(ending) if ending.status != ExecutionStatus::Succeeded => {
                failed_stage(&self.timeline).map(|stage| stage_name(&self.timeline, stage))
            }
            None => open_stage_names(&self.timeline),
            Some(_) => None,
        };
        let current_stage = current_stage.or_else(|| {
            let entered = events
                .iter()
                .rfind(|event| event.event_type.is_state_entered());
            entered
                .and_then(|event| self.timeline.stage_of(event.id))
                .map(|stage| stage_name(&self.timeline, stage))
        });
        let snapshot = to_json("a snapshot", &self.execution)?;
        Ok(StepRecord {
            events: stored,
            snapshot,
            progress: Progress {
                current_stage,
                ending,
                redriven,
                idle: self.timeline.head.idle,
            },
        })
    }

    fn ending(&self) -> Option<Ending> {
        let head = &self.timeline.head;
        let status = match head.status {
            history::ExecutionStatus::Running => return None,
            history::ExecutionStatus::Succeeded => ExecutionStatus::Succeeded,
            history::ExecutionStatus::Failed => ExecutionStatus::Failed,
            history::ExecutionStatus::TimedOut => ExecutionStatus::TimedOut,
            history::ExecutionStatus::Aborted => ExecutionStatus::Aborted,
        };
        let at = head.stopped.unwrap_or_else(|| self.shared.now());
        Some(Ending {
            status,
            at,
            output: head.output.clone(),
            error: head.error.clone(),
        })
    }

    fn act(&mut self, events: &[HistoryEvent], commands: Vec<Command>) {
        let mut stages = self.scheduled_stages(events, &commands);
        for command in commands {
            match command {
                Command::ScheduleTask(task) => {
                    let stage = stages.pop_front();
                    self.start_task(*task, stage);
                }
                Command::StartTimer { timer, until } => {
                    let outbox = self.outbox.clone();
                    let wait = Duration::try_from(until.duration_since(self.shared.now()))
                        .unwrap_or_default();
                    let sleep = self.shared.waits.sleep(wait);
                    let sleeper = tokio::spawn(async move {
                        sleep.await;
                        let _ = outbox.send(Message::Timer(timer));
                    });
                    self.timers.insert(timer, sleeper.abort_handle());
                }
                Command::CancelTimer { timer } => {
                    if let Some(sleeper) = self.timers.remove(&timer) {
                        sleeper.abort();
                    }
                }
                Command::CancelTask { task } => self.retire(task),
                Command::Finished(_) => self.finished = true,
            }
        }
    }

    /// The stages of the tasks that a step schedules. Scheduling is an event each, in the order of the
    /// commands; tasks inside a distributed Map have none and go by their state's name alone.
    fn scheduled_stages(&self, events: &[HistoryEvent], commands: &[Command]) -> VecDeque<usize> {
        use history::EventType::{ActivityScheduled, LambdaFunctionScheduled, TaskScheduled};
        let scheduled = |event: &&HistoryEvent| {
            matches!(
                event.event_type,
                TaskScheduled | LambdaFunctionScheduled | ActivityScheduled
            )
        };
        let stages: VecDeque<usize> = events
            .iter()
            .filter(scheduled)
            .filter_map(|event| self.timeline.stage_of(event.id))
            .collect();
        let tasks = commands
            .iter()
            .filter(|command| matches!(command, Command::ScheduleTask(_)))
            .count();
        if stages.len() == tasks {
            stages
        } else {
            VecDeque::new()
        }
    }

    /// Ends what still runs: an execution that has ended leaves nothing behind.
    async fn wind_down(&mut self) {
        for (_, sleeper) in self.timers.drain() {
            sleeper.abort();
        }
        self.retire_all();
        self.wait_for_retiring().await;
        self.shared.logs.flush().await;
    }

    async fn wait_for_retiring(&mut self) {
        for task in self.retiring.drain(..) {
            // A panic in there was reported as the task's failure already.
            let _ = task.await;
        }
    }
}

impl Drop for Runner {
    /// A runtime that goes down drops the runner in the middle: nothing of it may go on without an owner.
    fn drop(&mut self) {
        for sleeper in self.timers.values() {
            sleeper.abort();
        }
        for task in self.tasks.values() {
            task.abort();
        }
        for task in &self.retiring {
            task.abort();
        }
    }
}

pub(super) fn to_json<T: serde::Serialize>(
    what: &'static str,
    value: &T,
) -> Result<String, StateError> {
    serde_json::to_string(value).map_err(|error| StateError::Corrupt {
        what,
        why: error.to_string(),
    })
}

/// An event as it was stored.
pub(super) fn event_of(text: &str) -> Result<HistoryEvent, StateError> {
    serde_json::from_str(text).map_err(|error| StateError::Corrupt {
        what: "an event",
        why: error.to_string(),
    })
}
