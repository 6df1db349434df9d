//! The data of an execution: everything that must survive the death of the process.

use super::{Outcome, TaskCall, TaskId, TimerId};
use crate::definition::{MachineId, MapMode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// Who the execution is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionContext {
    /// Its ARN: `arn:aws:states:eu-west-1:123456789012:execution:collect:2026-11-21`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The role it runs with.
    pub role_arn: String,
    /// When it started.
    pub start_time: Timestamp,
    /// The state machine's ARN.
    pub state_machine_id: String,
    /// The state machine's name.
    pub state_machine_name: String,
}

impl ExecutionContext {
    /// The region in the ARN; `us-east-1` where it has none.
    #[must_use]
    pub fn region(&self) -> &str {
        match self.id.split(':').nth(3) {
            Some(region) if !region.is_empty() => region,
            _ => "us-east-1",
        }
    }
}

/// One execution of a definition, as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    pub(super) context: ExecutionContext,
    pub(super) input: Value,
    pub(super) outcome: Option<Outcome>,
    pub(super) stopped_at: Option<Timestamp>,
    pub(super) redrives: u64,
    pub(super) redriven_at: Option<Timestamp>,
    pub(super) last_event: u64,
    pub(super) next_number: u64,
    pub(super) threads: BTreeMap<ThreadId, Thread>,
    /// Threads that can take a step. Empty between two signals.
    pub(super) runnable: VecDeque<ThreadId>,
    pub(super) tasks: BTreeMap<TaskId, PendingTask>,
    pub(super) timers: BTreeMap<TimerId, PendingTimer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ThreadId(pub(super) u64);

impl ThreadId {
    pub(super) const ROOT: ThreadId = ThreadId(0);
}

/// One line of states: the root, a branch, an iteration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Thread {
    pub(super) parent: Option<Parent>,
    pub(super) machine: MachineId,
    /// The id of the event that led here.
    pub(super) previous_event: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) variables: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) item: Option<MapItem>,
    /// Set for an iteration of a distributed Map: it is an execution of its own, without events here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) child: Option<ChildExecution>,
    /// Whether it, or a thread around it, has `child` set.
    #[serde(default)]
    pub(super) quiet: bool,
    /// Failed or stopped; a redrive goes on from here.
    #[serde(default)]
    pub(super) stopped: bool,
    pub(super) at: Position,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Parent {
    pub(super) thread: ThreadId,
    /// Which branch or item.
    pub(super) index: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct MapItem {
    pub(super) index: u64,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ChildExecution {
    pub(super) name: String,
    pub(super) input: Value,
    pub(super) start_time: Timestamp,
}

/// Where a thread stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Position {
    /// Before a state.
    Before { state: String, input: Value },
    /// In a state.
    In(Box<ActiveState>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ActiveState {
    pub(super) name: String,
    /// The input as it came, before `InputPath`.
    pub(super) input: Value,
    pub(super) entered_event: u64,
    pub(super) entered_at: Timestamp,
    pub(super) retry_count: u32,
    /// Retries used of each retrier.
    pub(super) retries: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
    pub(super) phase: Phase,
}

/// What the state waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// For its turn.
    Idle,
    Task(TaskId),
    Wait(TimerId),
    Retry(TimerId),
    Children(Box<Children>),
}

/// A running Parallel or Map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Children {
    pub(super) results: Vec<ChildResult>,
    pub(super) running: usize,
    /// The first that has not been started.
    pub(super) next: usize,
    pub(super) limit: usize,
    pub(super) map: Option<MapRun>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum ChildResult {
    Waiting,
    Running(ThreadId),
    Done(Value),
    Failed,
}

/// What a Map needs besides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct MapRun {
    pub(super) mode: MapMode,
    pub(super) items: Vec<Value>,
    /// The input after `InputPath`, for `ItemSelector`.
    pub(super) effective: Value,
    pub(super) failed: usize,
    pub(super) tolerated_count: Option<f64>,
    pub(super) tolerated_percentage: Option<f64>,
    pub(super) arn: Option<String>,
    /// Whether items are batches, which `ItemSelector` has been applied to already.
    pub(super) batched: bool,
}

impl MapRun {
    /// Whether so many failures are too many. Without a threshold every failure is.
    pub(super) fn exceeded(&self) -> bool {
        let failed = self.failed as f64;
        let over_count = self.tolerated_count.is_some_and(|count| failed > count);
        let percent = failed * 100.0 / self.items.len().max(1) as f64;
        let over_percentage = self
            .tolerated_percentage
            .is_some_and(|tolerated| percent > tolerated);
        match (self.tolerated_count, self.tolerated_percentage) {
            (None, None) => self.failed > 0,
            _ => over_count || over_percentage,
        }
    }

    /// Whether some failures are allowed at all.
    pub(super) fn tolerates(&self) -> bool {
        self.tolerated_count.is_some() || self.tolerated_percentage.is_some()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PendingTask {
    pub(super) thread: ThreadId,
    pub(super) call: TaskCall,
    pub(super) started: bool,
    pub(super) timeout: Option<TimerId>,
    pub(super) heartbeat: Option<TimerId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PendingTimer {
    pub(super) until: Timestamp,
    pub(super) purpose: Purpose,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum Purpose {
    Wait(ThreadId),
    Retry(ThreadId),
    TaskTimeout(TaskId),
    Heartbeat(TaskId),
    ExecutionTimeout,
}

impl Execution {
    /// A new execution that has not started.
    #[must_use]
    pub fn new(input: Value, context: ExecutionContext) -> Execution {
        Execution {
            context,
            input,
            outcome: None,
            stopped_at: None,
            redrives: 0,
            redriven_at: None,
            last_event: 0,
            next_number: 1,
            threads: BTreeMap::new(),
            runnable: VecDeque::new(),
            tasks: BTreeMap::new(),
            timers: BTreeMap::new(),
        }
    }

    /// Who the execution is.
    #[must_use]
    pub fn context(&self) -> &ExecutionContext {
        &self.context
    }

    /// Its input.
    #[must_use]
    pub fn input(&self) -> &Value {
        &self.input
    }

    /// The id of its newest event; 0 before the start.
    #[must_use]
    pub fn last_event(&self) -> u64 {
        self.last_event
    }

    /// How often it was redriven.
    #[must_use]
    pub fn redrive_count(&self) -> u64 {
        self.redrives
    }

    /// When it ended (last).
    #[must_use]
    pub fn stopped_at(&self) -> Option<Timestamp> {
        self.stopped_at
    }

    /// Tasks whose result is awaited.
    pub fn pending_tasks(&self) -> impl Iterator<Item = &TaskCall> {
        self.tasks.values().map(|pending| &pending.call)
    }

    /// Names of the states that a redrive would run again: the innermost states that failed, were stopped
    /// or never began. Empty unless the execution has failed, timed out or was stopped.
    #[must_use]
    pub fn unfinished_states(&self) -> Vec<String> {
        if matches!(self.outcome, None | Some(Outcome::Succeeded { .. })) {
            return Vec::new();
        }
        let mut names: Vec<String> = self
            .threads
            .values()
            .filter_map(|thread| match &thread.at {
                Position::Before { state, .. } => Some(state.clone()),
                Position::In(active) => match &active.phase {
                    Phase::Children(children) if children.has_threads() => None,
                    _ => Some(active.name.clone()),
                },
            })
            .collect();
        names.sort();
        names.dedup();
        names
    }

    pub(super) fn thread(&self, id: ThreadId) -> Option<&Thread> {
        self.threads.get(&id)
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }
}

impl Children {
    pub(super) fn has_threads(&self) -> bool {
        self.results
            .iter()
            .any(|result| matches!(result, ChildResult::Running(_)))
    }

    pub(super) fn threads(&self) -> Vec<ThreadId> {
        self.results
            .iter()
            .filter_map(|result| match result {
                ChildResult::Running(thread) => Some(*thread),
                _ => None,
            })
            .collect()
    }
}

impl Thread {
    pub(super) fn active(&self) -> Option<&ActiveState> {
        match &self.at {
            Position::In(active) => Some(active),
            Position::Before { .. } => None,
        }
    }

    pub(super) fn active_mut(&mut self) -> Option<&mut ActiveState> {
        match &mut self.at {
            Position::In(active) => Some(active),
            Position::Before { .. } => None,
        }
    }

    pub(super) fn children(&self) -> Option<&Children> {
        match &self.active()?.phase {
            Phase::Children(children) => Some(children),
            _ => None,
        }
    }

    pub(super) fn children_mut(&mut self) -> Option<&mut Children> {
        match &mut self.active_mut()?.phase {
            Phase::Children(children) => Some(children),
            _ => None,
        }
    }
}
