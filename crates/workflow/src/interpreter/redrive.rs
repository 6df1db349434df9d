//! Redrive: an execution that did not succeed goes on where it stopped.

use super::run::Run;
use super::state::{ChildResult, Execution, Phase, Position, ThreadId};
use super::{MAX_EVENTS, Outcome, Step};
use crate::definition::Definition;
use crate::history::{EventDetails, EventType, ExecutionStatus};
use jiff::{SignedDuration, Timestamp};

/// Executions can be redriven for this long after their end.
const REDRIVABLE_FOR: SignedDuration = SignedDuration::from_hours(14 * 24);
/// And this often.
const MAX_REDRIVES: u64 = 1_000;

/// Why an execution cannot be redriven. The rules are AWS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRedrivable {
    /// It runs, or it succeeded.
    #[error("the execution is {0}; only a failed, timed-out or stopped one can be redriven")]
    Status(&'static str),
    /// It ended too long ago.
    #[error(
        "the execution ended at {0}, more than 14 days ago; start a new one with the same input"
    )]
    TooOld(Timestamp),
    /// Its history is full.
    #[error(
        "the history has {0} events and no room for more; start a new execution with the same input"
    )]
    TooManyEvents(u64),
    /// It was redriven too often.
    #[error("the execution was redriven 1,000 times already; start a new one with the same input")]
    TooOften,
}

impl Execution {
    /// Goes on from where the execution failed or was stopped: the same definition, the stored input of
    /// each state, retry counters at zero. In Map and Parallel only what did not succeed runs again.
    ///
    /// # Errors
    /// When AWS's rules do not allow it; nothing is changed then.
    pub fn redrive(
        &mut self,
        definition: &Definition,
        now: Timestamp,
        random: &mut dyn FnMut() -> f64,
    ) -> Result<Step, NotRedrivable> {
        if let status @ (ExecutionStatus::Running | ExecutionStatus::Succeeded) = self.status() {
            return Err(NotRedrivable::Status(status.name()));
        }
        if let Some(stopped) = self.stopped_at
            && now.duration_since(stopped) > REDRIVABLE_FOR
        {
            return Err(NotRedrivable::TooOld(stopped));
        }
        if self.last_event + 1 >= MAX_EVENTS {
            return Err(NotRedrivable::TooManyEvents(self.last_event));
        }
        if self.redrives >= MAX_REDRIVES {
            return Err(NotRedrivable::TooOften);
        }
        self.outcome = None;
        self.stopped_at = None;
        self.redrives += 1;
        self.redriven_at = Some(now);
        let mut run = Run::new(self, definition, now, random);
        run.redriven();
        Ok(run.drain())
    }

    /// Whether [`Execution::redrive`] would be allowed now.
    #[must_use]
    pub fn is_redrivable(&self) -> bool {
        !matches!(self.outcome, None | Some(Outcome::Succeeded { .. }))
            && self.last_event + 1 < MAX_EVENTS
            && self.redrives < MAX_REDRIVES
    }
}

impl Run<'_> {
    fn redriven(&mut self) {
        let details = EventDetails {
            redrive_count: Some(self.execution.redrives),
            ..EventDetails::default()
        };
        let last = self.execution.last_event;
        self.append(last, EventType::ExecutionRedriven, details);
        self.start_execution_timer();
        let stopped: Vec<ThreadId> = self
            .execution
            .threads
            .iter()
            .filter(|(_, thread)| thread.stopped)
            .map(|(id, _)| *id)
            .collect();
        for id in stopped {
            self.resume(id);
        }
    }

    fn resume(&mut self, id: ThreadId) {
        let Some(thread) = self.execution.threads.get_mut(&id) else {
            return;
        };
        thread.stopped = false;
        if let Position::In(active) = &mut thread.at {
            active.retry_count = 0;
            active.retries.clear();
            if let Phase::Children(children) = &mut active.phase {
                if let Some(map) = &mut children.map {
                    map.failed = 0;
                    children.next = 0;
                    for result in &mut children.results {
                        if matches!(result, ChildResult::Failed) {
                            *result = ChildResult::Waiting;
                        }
                    }
                }
                children.running = children.threads().len();
                if children.map.is_some() {
                    return self.iteration_over(id, None);
                }
                if children.running == 0 {
                    return self.children_done(id);
                }
                return;
            }
        }
        self.execution.runnable.push_back(id);
    }
}
