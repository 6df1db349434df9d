//! The interpreter: an [`Execution`] takes one [`Signal`] at a time and answers with a [`Step`].
//!
//! The caller owns clock, randomness, timers and tasks. It starts an execution with [`Signal::Start`], does
//! what the [`Command`]s say, and reports back with further signals. Between two signals the execution is
//! plain data: it serialises completely, so that it can be stored in the same transaction as the events of
//! the step. After a crash [`Execution::resume_commands`] says what is outstanding.
//!
//! An execution is a tree of *threads*: the root, one for each branch of a running Parallel, one for each
//! running iteration of a Map. Runnable threads take turns, one state each.

mod choice;
mod compound;
mod environment;
mod failure;
mod flow;
mod map;
mod redrive;
mod run;
mod state;
mod task;

pub use redrive::NotRedrivable;
pub use state::{Execution, ExecutionContext};

use super::definition::Definition;
use super::history::{ExecutionStatus, HistoryEvent};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The number of a task call inside its execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u64);

/// The number of a timer inside its execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimerId(pub u64);

/// A history ends with its 25,000th event, which fails the execution.
pub const MAX_EVENTS: u64 = 25_000;

/// A task to call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskCall {
    /// Its number; signals about it name it.
    pub task: TaskId,
    /// The state that calls.
    pub state: String,
    /// The resource's ARN as written in the definition.
    pub resource: String,
    /// The effective input.
    pub parameters: Value,
    /// The longest the attempt may take. The interpreter has a timer for it; this is to pass on.
    pub timeout_seconds: Option<u64>,
    /// The longest between two heartbeats. The interpreter has a timer for it.
    pub heartbeat_seconds: Option<u64>,
    /// 0 for the first attempt of a visit, then 1, 2, … for each retry.
    pub attempt: u32,
    /// The token of a `.waitForTaskToken` call.
    pub token: Option<String>,
    /// The evaluated `Credentials`.
    pub credentials: Option<Value>,
}

/// What the caller has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Call a task. Answer with [`Signal::TaskStarted`], then with its result or failure.
    ScheduleTask(Box<TaskCall>),
    /// Send [`Signal::TimerFired`] at that time, or at once if it has passed.
    StartTimer {
        /// The timer's number.
        timer: TimerId,
        /// When it is due.
        until: Timestamp,
    },
    /// Nobody waits for the task any more. Signals about it are ignored from now on.
    CancelTask {
        /// The task's number.
        task: TaskId,
    },
    /// Nobody waits for the timer any more.
    CancelTimer {
        /// The timer's number.
        timer: TimerId,
    },
    /// The execution has ended. Always the last command.
    Finished(Outcome),
}

/// What has happened outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Signal {
    /// Begin. The first signal, once.
    Start,
    /// A worker took the task.
    TaskStarted {
        /// The task's number.
        task: TaskId,
    },
    /// A `.sync` or `.waitForTaskToken` call was accepted; its end comes later.
    TaskSubmitted {
        /// The task's number.
        task: TaskId,
        /// What the service answered to the call.
        output: Value,
    },
    /// The task is done. For a Lambda function's own ARN the output is the payload; for an integration it is
    /// the whole answer, `{"ExecutedVersion": …, "Payload": …, "StatusCode": 200}` for `lambda:invoke`.
    TaskSucceeded {
        /// The task's number.
        task: TaskId,
        /// Its result.
        output: Value,
    },
    /// The task failed. The error `States.Timeout` means that the task itself reports a time-out.
    TaskFailed {
        /// The task's number.
        task: TaskId,
        /// The error name.
        error: String,
        /// The cause; `None` where there is none.
        cause: Option<String>,
    },
    /// The task is still alive.
    TaskHeartbeat {
        /// The task's number.
        task: TaskId,
    },
    /// A timer is due.
    TimerFired {
        /// The timer's number.
        timer: TimerId,
    },
    /// Stop the execution.
    Abort {
        /// An error name to record.
        error: Option<String>,
        /// A cause to record.
        cause: Option<String>,
    },
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// With an output.
    Succeeded {
        /// The output.
        output: Value,
    },
    /// With a failure that nothing caught. A Fail state may give neither error nor cause.
    Failed {
        /// The error name.
        error: Option<String>,
        /// The cause.
        cause: Option<String>,
    },
    /// It ran longer than the `TimeoutSeconds` of the state machine.
    TimedOut,
    /// It was stopped.
    Aborted {
        /// The error name given.
        error: Option<String>,
        /// The cause given.
        cause: Option<String>,
    },
}

/// What one signal led to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// New events, to be appended to the history. Ids go on without a gap.
    pub events: Vec<HistoryEvent>,
    /// What to do, in this order, after the events and the execution are stored.
    pub commands: Vec<Command>,
}

impl Execution {
    /// Takes a signal. A signal about a task or timer that nobody waits for changes nothing.
    ///
    /// `random` gives numbers in `[0, 1)` for jitter, `States.UUID`, `States.MathRandom` and task tokens.
    pub fn handle(
        &mut self,
        definition: &Definition,
        signal: Signal,
        now: Timestamp,
        random: &mut dyn FnMut() -> f64,
    ) -> Step {
        run::Run::new(self, definition, now, random).signal(signal)
    }

    /// Where the execution stands.
    #[must_use]
    pub fn status(&self) -> ExecutionStatus {
        match &self.outcome {
            None => ExecutionStatus::Running,
            Some(Outcome::Succeeded { .. }) => ExecutionStatus::Succeeded,
            Some(Outcome::Failed { .. }) => ExecutionStatus::Failed,
            Some(Outcome::TimedOut) => ExecutionStatus::TimedOut,
            Some(Outcome::Aborted { .. }) => ExecutionStatus::Aborted,
        }
    }

    /// How it ended; `None` while it runs.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// After the process died: the tasks and timers that are outstanding. A task whose result was never
    /// recorded is called again; nothing is added to the history.
    #[must_use]
    pub fn resume_commands(&self) -> Vec<Command> {
        let tasks = self
            .tasks
            .values()
            .map(|pending| Command::ScheduleTask(Box::new(pending.call.clone())));
        let timers = self
            .timers
            .iter()
            .map(|(timer, pending)| Command::StartTimer {
                timer: *timer,
                until: pending.until,
            });
        tasks.chain(timers).collect()
    }
}

#[cfg(test)]
mod tests;
