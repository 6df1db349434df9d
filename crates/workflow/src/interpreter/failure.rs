//! Failures: what matches them, retries, catchers, and the way up through Map and Parallel.

use super::run::Run;
use super::state::{ChildResult, Children, Phase, Purpose, Thread, ThreadId};
use crate::data_flow::put;
use crate::definition::{Catcher, MapMode, Problem, ResultPath, Retrier, StateKind, Transition};
use crate::history::{EventDetails, EventType};
use serde_json::{Value, json};

/// A failure of a state.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failure {
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
    kind: FailureKind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum FailureKind {
    Ordinary,
    /// `States.Timeout`; `States.TaskFailed` does not match it.
    Timeout,
    /// As `Timeout`, and `States.HeartbeatTimeout` matches it too.
    Heartbeat,
    /// `States.DataLimitExceeded`; `States.TaskFailed` does not match it. `States.ALL` does: recorded on AWS,
    /// whose documentation says otherwise.
    DataLimit,
    /// `States.Runtime`: nothing matches it, the execution fails.
    Runtime,
    /// Lakehand does not run the state: nothing may match or tolerate it, a result would be invented.
    Refused,
}

/// The error name of an execution that came to a state which Lakehand checks and draws but does not run.
const NOT_INTERPRETED: &str = "Lakehand.NotInterpreted";

impl Failure {
    pub(super) fn ordinary(error: &str, cause: Option<String>) -> Failure {
        Failure::named(Some(error.to_owned()), cause)
    }

    pub(super) fn named(error: Option<String>, cause: Option<String>) -> Failure {
        let kind = match error.as_deref() {
            Some("States.Timeout") => FailureKind::Timeout,
            Some("States.HeartbeatTimeout") => FailureKind::Heartbeat,
            Some("States.DataLimitExceeded") => FailureKind::DataLimit,
            Some("States.Runtime") => FailureKind::Runtime,
            _ => FailureKind::Ordinary,
        };
        Failure { error, cause, kind }
    }

    pub(super) fn timeout(heartbeat: bool) -> Failure {
        Failure {
            error: Some("States.Timeout".to_owned()),
            cause: None,
            kind: if heartbeat {
                FailureKind::Heartbeat
            } else {
                FailureKind::Timeout
            },
        }
    }

    pub(super) fn runtime(cause: String) -> Failure {
        Failure {
            error: Some("States.Runtime".to_owned()),
            cause: Some(cause),
            kind: FailureKind::Runtime,
        }
    }

    /// The state is one that Lakehand does not run.
    pub(super) fn refused(state: &str, why: &Problem) -> Failure {
        Failure {
            error: Some(NOT_INTERPRETED.to_owned()),
            cause: Some(format!("The state {state:?} cannot be run here. {why}")),
            kind: FailureKind::Refused,
        }
    }

    /// Whether no retrier and no catcher has a say.
    fn ends_execution(&self) -> bool {
        matches!(self.kind, FailureKind::Runtime | FailureKind::Refused)
    }

    /// The result of a state or task is too large.
    pub(super) fn data_limit(of: &str) -> Failure {
        Failure::ordinary(
            "States.DataLimitExceeded",
            Some(format!(
                "The state/task '{of}' returned a result with a size exceeding the maximum number of bytes service limit."
            )),
        )
    }

    pub(super) fn details(&self) -> EventDetails {
        EventDetails::failed(self.error.clone(), self.cause.clone())
    }

    fn matches(&self, names: &[String]) -> bool {
        names.iter().any(|name| {
            if self.error.as_deref() == Some(name) {
                return true;
            }
            match name.as_str() {
                "States.ALL" => true,
                "States.TaskFailed" => self.kind == FailureKind::Ordinary,
                "States.HeartbeatTimeout" => self.kind == FailureKind::Heartbeat,
                _ => false,
            }
        })
    }

    /// What a catcher passes on.
    fn output(&self) -> Value {
        json!({
            "Error": self.error.as_deref().unwrap_or_default(),
            "Cause": self.cause.as_deref().unwrap_or_default(),
        })
    }
}

impl Run<'_> {
    /// Takes a failure of a thread's state to whoever handles it: a retrier, a catcher, a Map that
    /// tolerates it, or the end of the execution.
    pub(super) fn fail(&mut self, id: ThreadId, failure: Failure) {
        let (mut at, mut failure) = (id, failure);
        if self
            .execution
            .thread(id)
            .is_some_and(|thread| thread.children().is_none())
        {
            self.set_phase(id, Phase::Idle);
        }
        loop {
            if !failure.ends_execution() {
                if self.retry(at, &failure) {
                    return;
                }
                self.emit_compound_failed(at);
                match self.catch(at, &failure) {
                    Caught::Yes => return,
                    Caught::No => {}
                    Caught::Broken(worse) => failure = worse,
                }
            }
            let Some(parent) = self.execution.thread(at).and_then(|thread| thread.parent) else {
                return self.finish_failed(failure.error, failure.cause);
            };
            match self.leave(at, parent.thread, parent.index, failure) {
                Some(outer) => failure = outer,
                None => return,
            }
            at = parent.thread;
        }
    }

    /// Takes a failure out of a branch or iteration. `None` when the Map tolerates it.
    fn leave(
        &mut self,
        child: ThreadId,
        parent: ThreadId,
        index: usize,
        failure: Failure,
    ) -> Option<Failure> {
        let map = self.execution.thread(parent)?.children()?.map.as_ref();
        let inline_map = map.is_some_and(|map| map.mode == MapMode::Inline);
        let distributed = map.is_some() && !inline_map;
        if failure.kind == FailureKind::Refused && distributed {
            return Some(failure);
        }
        if failure.ends_execution() && !distributed {
            // The whole execution ends; no state around it has a say.
            self.inherit_previous(child, parent);
            return Some(failure);
        }
        if inline_map {
            let name = self.active_name(parent);
            let details = EventDetails {
                index: Some(index as u64),
                ..EventDetails::named(&name)
            };
            self.emit_beside(child, EventType::MapIterationFailed, details);
        }
        if map_tolerates(self.execution.threads.get_mut(&parent)?.children_mut()?) {
            self.forget_child(parent, index, child);
            self.iteration_over(parent, None);
            return None;
        }
        if !distributed {
            self.inherit_previous(child, parent);
        }
        if let Some(child) = self.execution.threads.get_mut(&child) {
            child.stopped = true;
        }
        self.stop_children(parent);
        if !distributed {
            return Some(failure);
        }
        let exceeded = Failure::ordinary(
            "States.ExceedToleratedFailureThreshold",
            Some("The specified tolerated failure threshold was exceeded".to_owned()),
        );
        self.emit(parent, EventType::MapRunFailed, exceeded.details());
        Some(exceeded)
    }

    fn forget_child(&mut self, parent: ThreadId, index: usize, child: ThreadId) {
        self.drop_thread(child);
        if let Some(children) = self
            .execution
            .threads
            .get_mut(&parent)
            .and_then(Thread::children_mut)
        {
            children.results[index] = ChildResult::Failed;
            children.running -= 1;
        }
    }

    pub(super) fn inherit_previous(&mut self, child: ThreadId, parent: ThreadId) {
        let previous = self
            .execution
            .thread(child)
            .map(|child| child.previous_event);
        if let (Some(previous), Some(parent)) = (previous, self.execution.threads.get_mut(&parent))
        {
            parent.previous_event = previous;
        }
    }

    pub(super) fn active_name(&self, id: ThreadId) -> String {
        self.execution
            .thread(id)
            .and_then(Thread::active)
            .map(|active| active.name.clone())
            .unwrap_or_default()
    }

    fn emit_compound_failed(&mut self, id: ThreadId) {
        let event = match self.state_of(id).map(|state| &state.kind) {
            Ok(StateKind::Map(_)) => EventType::MapStateFailed,
            Ok(StateKind::Parallel(_)) => EventType::ParallelStateFailed,
            _ => return,
        };
        self.emit(id, event, EventDetails::default());
    }

    /// Starts the wait for another attempt, if a retrier says so.
    fn retry(&mut self, id: ThreadId, failure: &Failure) -> bool {
        let Ok(state) = self.state_of(id) else {
            return false;
        };
        let retriers = state.work().map_or(&[][..], |work| &work.retry);
        let Some(which) = retriers
            .iter()
            .position(|retrier| failure.matches(&retrier.error_equals))
        else {
            return false;
        };
        let retrier = &retriers[which];
        let Some(active) = self
            .execution
            .threads
            .get_mut(&id)
            .and_then(Thread::active_mut)
        else {
            return false;
        };
        active.retries.resize(retriers.len(), 0);
        let used = active.retries[which];
        if used >= retrier.max_attempts {
            return false;
        }
        active.retries[which] += 1;
        active.retry_count += 1;
        let sample = if retrier.full_jitter {
            self.random()
        } else {
            1.0
        };
        self.drop_children(id);
        let timer = self.start_timer(delay(retrier, used) * sample, Purpose::Retry(id));
        self.set_phase(id, Phase::Retry(timer));
        true
    }

    fn catch(&mut self, id: ThreadId, failure: &Failure) -> Caught {
        let Ok(state) = self.state_of(id) else {
            return Caught::No;
        };
        let catchers = state.work().map_or(&[][..], |work| &work.catch);
        let Some(catcher) = catchers
            .iter()
            .find(|catcher| failure.matches(&catcher.error_equals))
        else {
            return Caught::No;
        };
        match self.caught(id, catcher, &failure.output()) {
            Ok(()) => Caught::Yes,
            Err(worse) => Caught::Broken(worse),
        }
    }

    fn caught(&mut self, id: ThreadId, catcher: &Catcher, error: &Value) -> Result<(), Failure> {
        let assigned = self.evaluate_assign(id, catcher.assign.as_ref(), error)?;
        let input = self.raw_input(id).clone();
        let output = match &catcher.result_path {
            ResultPath::Discard => input,
            ResultPath::Place(path) => put(input, path, error.clone())
                .map_err(|mismatch| self.evaluation_failure(id, &mismatch))?,
        };
        let output = catcher.output.clone().unwrap_or(output);
        self.drop_children(id);
        self.exit(
            id,
            output,
            assigned,
            &Transition::Next(catcher.next.clone()),
        );
        Ok(())
    }

    pub(super) fn set_phase(&mut self, id: ThreadId, phase: Phase) {
        if let Some(active) = self
            .execution
            .threads
            .get_mut(&id)
            .and_then(Thread::active_mut)
        {
            active.phase = phase;
        }
    }
}

enum Caught {
    Yes,
    No,
    /// The catcher itself failed.
    Broken(Failure),
}

/// Counts a failed item, and says whether the Map goes on.
fn map_tolerates(children: &mut Children) -> bool {
    let Some(map) = &mut children.map else {
        return false;
    };
    if !map.tolerates() {
        return false;
    }
    map.failed += 1;
    !map.exceeded()
}

/// Seconds before the retry after `used` retries.
fn delay(retrier: &Retrier, used: u64) -> f64 {
    let exponent = i32::try_from(used).unwrap_or(i32::MAX);
    let grown = retrier.interval_seconds * retrier.backoff_rate.powi(exponent);
    match retrier.max_delay_seconds {
        Some(most) => grown.min(most as f64),
        None => grown,
    }
}
