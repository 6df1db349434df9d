//! Events to stages, one event at a time.
//!
//! Most events do not name their state. They name the event that led to them, so each event belongs to the
//! stage of its predecessor, unless it enters a state. That costs one look-up an event, whatever the size
//! of the history.

use super::events::{EventType, HistoryEvent};
use super::item;
use super::root_cause::{self, RootCause};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The error of the end that is written for an execution whose process died.
pub const INTERRUPTED: &str = "Lakehand.Interrupted";

/// The status of an execution. The names are AWS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum ExecutionStatus {
    #[default]
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

impl ExecutionStatus {
    /// AWS's word: `RUNNING`, `SUCCEEDED`, …
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ExecutionStatus::Running => "RUNNING",
            ExecutionStatus::Succeeded => "SUCCEEDED",
            ExecutionStatus::Failed => "FAILED",
            ExecutionStatus::TimedOut => "TIMED_OUT",
            ExecutionStatus::Aborted => "ABORTED",
        }
    }
}

/// The status of one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageStatus {
    /// Entered and not yet done.
    Running,
    /// An attempt failed; the next one is waited for.
    Retrying,
    /// Exited with its own result.
    Succeeded,
    /// Failed; a catcher took over.
    Caught,
    /// Failed, and nothing caught it.
    Failed,
    /// Stopped because something else failed or the execution was stopped.
    Aborted,
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// The error name.
    pub error: Option<String>,
    /// The cause as recorded.
    pub cause: Option<String>,
    /// The event that tells of it.
    pub event_id: u64,
    /// When.
    pub at: Timestamp,
}

/// Items of a Map state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct MapProgress {
    pub total: u64,
    pub started: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub aborted: u64,
}

/// One visit of a state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// The state's name.
    pub name: String,
    /// The state's type, from the event that entered it: `Task`, `Map`, …
    pub state_type: String,
    /// The stage (index into [`Timeline::stages`]) of the Parallel or Map state it is inside of.
    pub parent: Option<usize>,
    /// The item of the Map it is for.
    pub map_index: Option<u64>,
    /// What the item is called by people, where its input says so and no other item is called the same: `affise.clicks`.
    pub item: Option<String>,
    /// How it stands.
    pub status: StageStatus,
    /// When it was entered.
    pub entered: Timestamp,
    /// When it was exited, failed or stopped.
    pub exited: Option<Timestamp>,
    /// The event that entered it; its details hold the input.
    pub entered_event: u64,
    /// The event that exited it; its details hold the output.
    pub exited_event: Option<u64>,
    /// Attempts so far: how often the task was scheduled, or the Map or Parallel started.
    pub attempts: u32,
    /// What it calls, as the history names it: `athena:startQueryExecution.sync`.
    pub resource: Option<String>,
    /// The newest failure.
    pub failure: Option<FailureRecord>,
    /// Items, for a Map.
    pub map: Option<MapProgress>,
    /// The stage inside whose failure made this one fail.
    pub failed_child: Option<usize>,
    /// A later attempt of the Map or Parallel around it took its place.
    pub replaced: bool,
    /// Time between ends and redrives while it was open: nothing of it ran then.
    pub idle: SignedDuration,
}

/// What is known of the execution as a whole.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TimelineHead {
    /// The status.
    pub status: ExecutionStatus,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When it ended (last).
    pub stopped: Option<Timestamp>,
    /// The input, a JSON text.
    pub input: Option<String>,
    /// The output, a JSON text.
    pub output: Option<String>,
    /// The error name.
    pub error: Option<String>,
    /// The cause as recorded.
    pub cause: Option<String>,
    /// How often it was redriven.
    pub redrives: u64,
    /// The newest event.
    pub last_event: u64,
    /// Time between an end and the redrive after it, all of them together: nothing ran then.
    pub idle: SignedDuration,
    /// When the newest event was.
    last_at: Option<Timestamp>,
    /// The last sign of life of one whose process died: its end is written into the history when it is redriven.
    died_at: Option<Timestamp>,
}

/// What a history says, kept up to date event by event.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Timeline {
    /// The execution as a whole.
    pub head: TimelineHead,
    /// Visits of states, in the order they were entered.
    pub stages: Vec<Stage>,
    /// The stage of each event; `owner[id]`. Ids have no gaps.
    owner: Vec<Option<u32>>,
    /// For events that start an iteration: its index, for the stages entered right after.
    iterations: HashMap<u64, u64>,
    /// The newest stage whose failure a catcher took.
    last_caught: Option<usize>,
    /// The stage the execution failed in.
    failed_stage: Option<usize>,
}

impl Timeline {
    /// A timeline of a whole history.
    #[must_use]
    pub fn of(events: &[HistoryEvent]) -> Timeline {
        let mut timeline = Timeline::default();
        timeline.extend(events);
        timeline
    }

    /// Takes more events, in order. Events seen already are skipped, so overlapping pages do no harm.
    pub fn extend(&mut self, events: &[HistoryEvent]) {
        for event in events {
            self.push(event);
        }
    }

    /// Takes the next event.
    pub fn push(&mut self, event: &HistoryEvent) {
        if event.id <= self.head.last_event {
            return;
        }
        self.head.last_event = event.id;
        let before = self.head.last_at.replace(event.timestamp);
        let previous = self.stage_of(event.previous_event_id);
        let stage = match &event.event_type {
            kind if kind.is_state_entered() => Some(self.enter(event, previous)),
            kind if kind.is_state_exited() => self.exit(event, previous),
            kind if kind.name().starts_with("Execution") => {
                if event.details.error.as_deref() == Some(INTERRUPTED) {
                    self.head.died_at = before;
                }
                self.execution(event, previous);
                previous
            }
            kind if kind.name().starts_with("Map") || kind.name().starts_with("Parallel") => {
                self.compound(event, previous)
            }
            _ => {
                self.attempt(event, previous);
                previous
            }
        };
        let place = usize::try_from(event.id).unwrap_or(usize::MAX);
        if place < 10_000_000 {
            if self.owner.len() <= place {
                self.owner.resize(place + 1, None);
            }
            self.owner[place] = stage.and_then(|stage| u32::try_from(stage).ok());
        }
    }

    /// The stage an event belongs to.
    #[must_use]
    pub fn stage_of(&self, event_id: u64) -> Option<usize> {
        let place = usize::try_from(event_id).ok()?;
        self.owner.get(place).copied().flatten().map(|s| s as usize)
    }

    /// The newest visit of a state.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().rev().find(|stage| stage.name == name)
    }

    /// Stages that run or wait for a retry right now.
    pub fn open_stages(&self) -> impl Iterator<Item = &Stage> {
        self.stages
            .iter()
            .filter(|stage| matches!(stage.status, StageStatus::Running | StageStatus::Retrying))
    }

    /// Why the execution failed: the deepest failing stage with its error. `None` unless it failed.
    #[must_use]
    pub fn root_cause(&self) -> Option<RootCause> {
        root_cause::find(self, self.failed_stage, self.last_caught)
    }

    fn enter(&mut self, event: &HistoryEvent, previous: Option<usize>) -> usize {
        let name = event.details.name.clone().unwrap_or_default();
        let map_index = self.iterations.remove(&event.previous_event_id);
        let (parent, map_index, item) = match previous {
            // Right after the start of a Parallel or an iteration: inside of it.
            Some(stage) if map_index.is_some() || self.starts_inside(event, stage) => {
                let item = map_index.and_then(|_| self.item_name(event, stage));
                (Some(stage), map_index, item)
            }
            Some(stage) => {
                let beside = &self.stages[stage];
                (beside.parent, beside.map_index, beside.item.clone())
            }
            None => (None, None, None),
        };
        let type_name = event.event_type.name();
        self.stages.push(Stage {
            name,
            state_type: type_name.trim_end_matches("StateEntered").to_owned(),
            parent,
            map_index,
            item,
            status: StageStatus::Running,
            entered: event.timestamp,
            exited: None,
            entered_event: event.id,
            exited_event: None,
            attempts: 0,
            resource: None,
            failure: None,
            map: None,
            failed_child: None,
            replaced: false,
            idle: SignedDuration::ZERO,
        });
        self.stages.len() - 1
    }

    /// What an item that begins is called: by its input, unless another item of the Map's visit has that name.
    fn item_name(&self, event: &HistoryEvent, map: usize) -> Option<String> {
        let name = item::name_of(event.details.input.as_deref()?)?;
        let taken = |stage: &Stage| {
            stage.parent == Some(map) && !stage.replaced && stage.item.as_ref() == Some(&name)
        };
        (!self.stages[map..].iter().any(taken)).then_some(name)
    }

    /// Whether the stage is an open Parallel, into which the entered state leads.
    fn starts_inside(&self, event: &HistoryEvent, stage: usize) -> bool {
        let stage = &self.stages[stage];
        stage.state_type == "Parallel"
            && stage.exited.is_none()
            && event.previous_event_id >= stage.entered_event
    }

    fn exit(&mut self, event: &HistoryEvent, previous: Option<usize>) -> Option<usize> {
        let name = event.details.name.as_deref().unwrap_or_default();
        let index = self.upward(previous, |stage| {
            stage.name == name && stage.exited_event.is_none()
        })?;
        let stage = &mut self.stages[index];
        stage.exited = Some(event.timestamp);
        stage.exited_event = Some(event.id);
        if matches!(stage.status, StageStatus::Failed | StageStatus::Retrying) {
            stage.status = StageStatus::Caught;
            self.last_caught = Some(index);
        } else {
            stage.status = StageStatus::Succeeded;
            stage.failed_child = None;
        }
        Some(index)
    }

    fn execution(&mut self, event: &HistoryEvent, previous: Option<usize>) {
        let details = &event.details;
        let status = match event.event_type {
            EventType::ExecutionStarted => {
                self.head.started = Some(event.timestamp);
                self.head.input.clone_from(&details.input);
                return;
            }
            EventType::ExecutionRedriven => {
                self.redriven(event.timestamp);
                return;
            }
            EventType::ExecutionSucceeded => ExecutionStatus::Succeeded,
            EventType::ExecutionFailed => ExecutionStatus::Failed,
            EventType::ExecutionAborted => ExecutionStatus::Aborted,
            EventType::ExecutionTimedOut => ExecutionStatus::TimedOut,
            _ => return,
        };
        self.head.status = status;
        self.head.stopped = Some(event.timestamp);
        self.head.output.clone_from(&details.output);
        self.head.error.clone_from(&details.error);
        self.head.cause.clone_from(&details.cause);
        if status == ExecutionStatus::Failed {
            self.failed_stage = previous;
            if let Some(stage) = previous.map(|stage| &mut self.stages[stage]) {
                stage.status = StageStatus::Failed;
                stage.exited = Some(event.timestamp);
                if stage.failure.is_none() || stage.state_type == "Fail" {
                    stage.failure = Some(record(event));
                }
            }
        }
        for stage in &mut self.stages {
            if matches!(stage.status, StageStatus::Running | StageStatus::Retrying) {
                stage.status = StageStatus::Aborted;
                stage.exited = Some(event.timestamp);
            }
        }
    }

    /// What failed or was stopped runs again.
    fn redriven(&mut self, now: Timestamp) {
        let ended = self.head.died_at.take().or(self.head.stopped);
        let idle = ended.map_or(SignedDuration::ZERO, |ended| now.duration_since(ended));
        self.head.idle = self.head.idle.saturating_add(idle);
        self.head.status = ExecutionStatus::Running;
        self.head.stopped = None;
        self.head.error = None;
        self.head.cause = None;
        self.head.redrives += 1;
        self.failed_stage = None;
        for index in 0..self.stages.len() {
            let closed = self.upward(Some(index), |stage| {
                stage.exited_event.is_some() || stage.replaced
            });
            let stage = &mut self.stages[index];
            if closed.is_none()
                && matches!(stage.status, StageStatus::Failed | StageStatus::Aborted)
            {
                stage.status = StageStatus::Running;
                stage.exited = None;
                stage.idle = stage.idle.saturating_add(idle);
                stage.failed_child = None;
                if let Some(map) = &mut stage.map {
                    map.failed = 0;
                    map.aborted = 0;
                }
            }
        }
    }

    /// A Map or Parallel starts over: what stood inside is history.
    fn replace_children(&mut self, index: usize) {
        if self.stages[index].attempts > 0 {
            for stage in &mut self.stages[index + 1..] {
                stage.replaced |= stage.parent == Some(index);
            }
        }
    }

    fn attempt(&mut self, event: &HistoryEvent, previous: Option<usize>) {
        let Some(stage) = previous.map(|stage| &mut self.stages[stage]) else {
            return;
        };
        match event.event_type {
            EventType::TaskScheduled
            | EventType::LambdaFunctionScheduled
            | EventType::ActivityScheduled => {
                stage.attempts += 1;
                stage.status = StageStatus::Running;
                let details = &event.details;
                let resource = details.resource.clone().unwrap_or_default();
                stage.resource = Some(match &details.resource_type {
                    Some(kind) => format!("{kind}:{resource}"),
                    None => resource,
                });
            }
            EventType::TaskStateAborted | EventType::WaitStateAborted => {
                stage.status = StageStatus::Aborted;
                stage.exited = Some(event.timestamp);
            }
            ref kind if is_failure(kind) => {
                stage.failure = Some(record(event));
                stage.status = StageStatus::Retrying;
            }
            _ => {}
        }
    }

    fn compound(&mut self, event: &HistoryEvent, previous: Option<usize>) -> Option<usize> {
        let kind = &event.event_type;
        let wanted = if kind.name().starts_with("Map") {
            "Map"
        } else {
            "Parallel"
        };
        let name = event.details.name.as_deref();
        let index = self.upward(previous, |stage| {
            stage.state_type == wanted
                && stage.exited.is_none()
                && name.is_none_or(|name| stage.name == name)
        })?;
        let child = previous.filter(|child| *child != index);
        if matches!(
            kind,
            EventType::ParallelStateStarted | EventType::MapStateStarted
        ) {
            self.replace_children(index);
        }
        let stage = &mut self.stages[index];
        match kind {
            EventType::ParallelStateStarted => stage.attempts += 1,
            EventType::MapStateStarted => {
                stage.attempts += 1;
                stage.status = StageStatus::Running;
                stage.map = Some(MapProgress {
                    total: event.details.length.unwrap_or(0),
                    ..MapProgress::default()
                });
            }
            EventType::MapStateFailed | EventType::ParallelStateFailed => {
                stage.status = StageStatus::Failed;
                stage.exited = Some(event.timestamp);
                if child.is_some() {
                    stage.failed_child = child;
                }
            }
            EventType::MapStateAborted | EventType::ParallelStateAborted => {
                stage.status = StageStatus::Aborted;
                stage.exited = Some(event.timestamp);
            }
            EventType::MapRunFailed => stage.failure = Some(record(event)),
            _ if wanted == "Map" => self.iteration(event, index),
            _ => {}
        }
        // A failing state inside has no event of its own to say so.
        if matches!(
            kind,
            EventType::MapIterationFailed
                | EventType::ParallelStateFailed
                | EventType::MapStateFailed
        ) && let Some(child) = child
            && matches!(
                self.stages[child].status,
                StageStatus::Running | StageStatus::Retrying
            )
        {
            self.stages[child].status = StageStatus::Failed;
            self.stages[child].exited = Some(event.timestamp);
        }
        Some(index)
    }

    fn iteration(&mut self, event: &HistoryEvent, index: usize) {
        let map = self.stages[index].map.get_or_insert_default();
        match event.event_type {
            EventType::MapIterationStarted => {
                map.started += 1;
                self.iterations
                    .insert(event.id, event.details.index.unwrap_or(0));
            }
            EventType::MapIterationSucceeded => map.succeeded += 1,
            EventType::MapIterationFailed => map.failed += 1,
            EventType::MapIterationAborted => map.aborted += 1,
            _ => {}
        }
    }

    /// The nearest stage from `from` upward that fits.
    fn upward(&self, from: Option<usize>, fits: impl Fn(&Stage) -> bool) -> Option<usize> {
        let mut at = from;
        while let Some(index) = at {
            if fits(&self.stages[index]) {
                return Some(index);
            }
            at = self.stages[index].parent;
        }
        None
    }
}

fn is_failure(kind: &EventType) -> bool {
    let name = kind.name();
    name.ends_with("Failed") || name.ends_with("TimedOut")
}

fn record(event: &HistoryEvent) -> FailureRecord {
    FailureRecord {
        error: event.details.error.clone(),
        cause: event.details.cause.clone(),
        event_id: event.id,
        at: event.timestamp,
    }
}
