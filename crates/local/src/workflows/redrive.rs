//! Going on with an execution that failed, was stopped, ran out of time or lost its process.
//!
//! As on AWS: the same definition, input and id; it continues in the states that did not succeed, retry
//! counters start again, and the history gains `ExecutionRedriven`. An execution whose process died is
//! first closed with `ExecutionAborted` (error `Lakehand.Interrupted`), in the same transaction, so that
//! the history says what happened and every redrive begins from the same kind of end.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Transaction;

use super::{
    Shared, parsed_definition,
    runner::{Runner, event_of},
};
use crate::state::{self, Claimed, OwnerTicket, StateError};
use lakehand_ops::{
    ExecutionId, ExecutionStatus, ExecutionSummary, OpsError, OpsErrorKind, OpsResult,
};
use lakehand_workflow::{
    history::{HistoryEvent, INTERRUPTED},
    interpreter::{Execution, Signal, Step},
};

/// AWS's limit: time between the end and a redrive.
const REDRIVABLE_FOR: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What to do with an execution that nobody runs.
#[derive(Debug, Clone)]
enum Purpose {
    /// Continue it.
    Redrive,
    /// Close it as stopped, if its process died in the middle.
    Close { cause: String },
}

impl Shared {
    /// Continues an execution. Of two that try at once one wins, the other gets a conflict.
    pub(super) async fn redrive(self: &Arc<Self>, id: &ExecutionId) -> OpsResult<()> {
        let (runner, key, step) = self.take_over(id, Purpose::Redrive).await?;
        self.launch(runner, key, step);
        Ok(())
    }

    /// Ends an execution whose process died, without continuing it.
    pub(super) async fn abort_interrupted(
        self: &Arc<Self>,
        id: &ExecutionId,
        cause: &str,
    ) -> OpsResult<()> {
        let (mut runner, key, step) = self
            .take_over(
                id,
                Purpose::Close {
                    cause: cause.to_owned(),
                },
            )
            .await?;
        // There is nothing to run; this gives the right to write back.
        runner.run(key, step).await;
        Ok(())
    }

    /// Takes the right to write, makes the step, and stores it: one transaction, all or nothing.
    async fn take_over(
        self: &Arc<Self>,
        id: &ExecutionId,
        purpose: Purpose,
    ) -> OpsResult<(Runner, i64, Step)> {
        let (shared, id, now) = (Arc::clone(self), id.clone(), self.now());
        self.store
            .write(move |transaction| {
                let ticket = OwnerTicket::issue();
                let claimed = match state::claim(
                    transaction,
                    id.as_ref(),
                    ticket.token(),
                    Timestamp::now(),
                ) {
                    Err(StateError::NotOwner { .. }) => return Ok(Err(runs_already(&id))),
                    claimed => claimed?,
                };
                // The refusals below leave the row as it was, but for an owner that is about to vanish.
                let refused = |transaction: &Transaction<'_>, error: OpsError| {
                    state::release(transaction, claimed.key, ticket.token())?;
                    Ok(Err(error))
                };
                if let Err(error) = possible(&claimed.summary, &purpose, now) {
                    return refused(transaction, error);
                }
                if matches!(purpose, Purpose::Redrive) {
                    let (input, _) = state::payloads(transaction, id.as_ref())?;
                    if let Some(other) = state::same_collection(transaction, id.as_ref(), &input)? {
                        let id = id.to_string();
                        let same = StateError::CollectsTheSame { id, other };
                        return refused(transaction, same.into());
                    }
                }
                let mut history = Vec::new();
                for event in state::events(transaction, id.as_ref(), 0)? {
                    history.push(event_of(&event)?);
                }
                match continued(&claimed, &purpose, now, &history) {
                    Err(error) => refused(transaction, error),
                    Ok((definition, execution, step)) => {
                        let token = ticket.token().to_owned();
                        let mut runner = Runner::new(shared, id, ticket, definition, execution)
                            .with_history(&history);
                        let record = runner.record(&step.events)?;
                        state::record_step(transaction, claimed.key, &token, &record)?;
                        Ok(Ok((runner, claimed.key, step)))
                    }
                }
            })
            .await?
    }
}

/// Whether the execution stands so that the purpose can be followed.
fn possible(summary: &ExecutionSummary, purpose: &Purpose, now: Timestamp) -> OpsResult<()> {
    let refuse = |why: &str, advice: &str| {
        Err(OpsError::new(
            OpsErrorKind::NotPossible,
            format!("{} {why}", summary.id),
            advice,
        ))
    };
    match (summary.status, purpose) {
        (ExecutionStatus::Interrupted, _) => Ok(()),
        (ExecutionStatus::Running, _) => Err(runs_already(&summary.id)),
        (_, Purpose::Close { .. }) => refuse("has ended already", "there is nothing to stop"),
        (ExecutionStatus::Succeeded, Purpose::Redrive) => {
            refuse("succeeded", "start a new execution to run the window again")
        }
        (_, Purpose::Redrive) => match summary.ended {
            Some(ended) if now.duration_since(ended) > REDRIVABLE_FOR => refuse(
                "ended more than 14 days ago, and can be redriven no more",
                "start a new execution with the same window",
            ),
            _ => Ok(()),
        },
    }
}

fn runs_already(id: &ExecutionId) -> OpsError {
    OpsError::new(
        OpsErrorKind::Conflict,
        format!("{id} is running, or still ending, in a living process"),
        "watch it with `lakehand runs show`, or stop it first",
    )
}

type Continued = (
    Arc<lakehand_workflow::definition::Definition>,
    Execution,
    Step,
);

/// The execution after the step that the purpose asks for.
fn continued(
    claimed: &Claimed,
    purpose: &Purpose,
    now: Timestamp,
    history: &[HistoryEvent],
) -> OpsResult<Continued> {
    let definition = parsed_definition(&claimed.definition)?;
    let mut execution: Execution = serde_json::from_str(&claimed.snapshot).map_err(|error| {
        OpsError::new(
            OpsErrorKind::Platform,
            format!(
                "the state of {} is not understood by this version: {error}",
                claimed.summary.id
            ),
            "use the version of lakehand that started it",
        )
    })?;
    let mut step = Step::default();
    if claimed.summary.status == ExecutionStatus::Interrupted {
        let (error, cause) = match purpose {
            Purpose::Close { cause } => (None, cause.clone()),
            Purpose::Redrive => (Some(INTERRUPTED.to_owned()), interruption(history)),
        };
        let closed = execution.handle(
            &definition,
            Signal::Abort {
                error,
                cause: Some(cause),
            },
            now,
            &mut rand::random,
        );
        step.events = closed.events;
    }
    if matches!(purpose, Purpose::Redrive) {
        let redriven = execution
            .redrive(&definition, now, &mut rand::random)
            .map_err(|why| {
                let text = why.to_string();
                OpsError::new(
                    OpsErrorKind::NotPossible,
                    format!("{} cannot be redriven: {text}", claimed.summary.id),
                    "start a new execution with the same window",
                )
            })?;
        step.events.extend(redriven.events);
        step.commands = redriven.commands;
    }
    Ok((definition, execution, step))
}

fn interruption(history: &[HistoryEvent]) -> String {
    match history.last() {
        Some(last) => format!(
            "the process that ran it ended without notice after event {} at {}",
            last.id, last.timestamp
        ),
        None => "the process that ran it ended without notice".to_owned(),
    }
}
