//! What executions hold so that one writes at a time, and how it is freed when they have ended otherwise than by
//! themselves: a lease runs for hours, and everybody else would wait for it.

use std::time::Duration;

use futures::TryStreamExt;
use serde::Deserialize;
use serde_json::Value;

use super::{
    ExecutionId, ExecutionStatus, ExecutionSummary, OpsError, OpsErrorKind, OpsResult,
    operator::Operator,
};
use lakehand_pipeline::{
    ports::StoreError,
    state::{Lease, LeaseError, STATE_PREFIX},
};
use lakehand_workflow::history::{EventType, HistoryEvent, Stage, StageStatus, Timeline};

/// Where our workflows keep the execution that started another one.
const STARTED_BY: &str = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID";
/// The state that takes a lease, how those begin that give it back, and how long it is taken for when nothing says so.
const TAKES: &str = "AcquireLease";
const GIVES_BACK: &str = "ReleaseLease";
const SECONDS: u64 = 14_400;

/// A lease that a definition takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    name: String,
    owner: String,
    seconds: u64,
}

/// What an execution still held when it ended: its lease was taken and not given back.
pub(super) fn held_at_the_end(events: &[HistoryEvent]) -> Option<Taken> {
    let timeline = Timeline::of(events);
    let done = |stage: &Stage| stage.status == StageStatus::Succeeded;
    let taken = timeline
        .stages
        .iter()
        .rposition(|stage| stage.name == TAKES && done(stage))?;
    let mut since = timeline.stages[taken..].iter();
    if since.any(|stage| stage.name.starts_with(GIVES_BACK) && done(stage)) {
        return None;
    }
    let asked = events.iter().rfind(|event| {
        event.event_type == EventType::TaskScheduled && timeline.stage_of(event.id) == Some(taken)
    })?;
    let parameters: Value = serde_json::from_str(asked.details.parameters.as_deref()?).ok()?;
    let payload = parameters.get("Payload")?;
    Some(Taken {
        name: payload.get("lease")?.as_str()?.to_owned(),
        owner: payload.get("execution")?.as_str()?.to_owned(),
        seconds: payload
            .get("seconds")
            .and_then(Value::as_u64)
            .unwrap_or(SECONDS),
    })
}

/// What is read of a stored lease.
#[derive(Deserialize)]
struct Held {
    owner: String,
}

impl Operator {
    /// Frees what a stopped execution held, so that the next one does not wait for the lease's end.
    pub(super) async fn free_leases(&self, id: &ExecutionId) -> OpsResult<()> {
        let free = async {
            let held = self.leases().await?.into_iter();
            for (key, _) in held.filter(|(_, owner)| owner == id) {
                self.parts.lake.std.delete(&key).await?;
            }
            Ok(())
        };
        free.await.map_err(|error: StoreError| {
            OpsError::new(
                OpsErrorKind::Platform,
                format!("{id} was stopped, but what it held could not be freed: {error}"),
                "the lease ends by itself; until then other executions on the table wait",
            )
        })
    }

    /// Frees what executions hold that have ended: cut off, or stopped by other means than ours. Where that fails, the
    /// lease ends by itself.
    ///
    /// Before a redrive, what the redriven one holds stays, and so does what its cut-off children hold: they go on
    /// where they were.
    pub(super) async fn free_leases_of_the_ended(&self, redriven: Option<&ExecutionId>) {
        for (key, owner) in self.leases().await.unwrap_or_default() {
            let Ok(holder) = self.parts.workflows.describe(&owner).await else {
                continue;
            };
            let goes_on = match redriven {
                Some(redriven) => self.goes_on_with(redriven, &holder).await,
                None => false,
            };
            if holder.status.is_ended() && !goes_on {
                let _ = self.parts.lake.std.delete(&key).await;
            }
        }
    }

    /// Whether a redrive lets an execution go on: its own, or that of a child whose process died.
    async fn goes_on_with(&self, redriven: &ExecutionId, holder: &ExecutionSummary) -> bool {
        if holder.id == *redriven {
            return true;
        }
        if holder.status != ExecutionStatus::Interrupted {
            return false;
        }
        let Ok((input, _)) = self.parts.workflows.payloads(&holder.id).await else {
            return false;
        };
        let input: Value = serde_json::from_str(&input).unwrap_or_default();
        input.get(STARTED_BY).and_then(Value::as_str) == Some(redriven.as_ref())
    }

    /// Takes a lease again that an execution held when it was cut off, and that somebody may have freed since.
    pub(super) async fn take_again(
        &self,
        lease: &Taken,
        stopped: &ExecutionSummary,
    ) -> OpsResult<()> {
        let store = &self.parts.lake.std;
        let time = Duration::from_secs(lease.seconds);
        match Lease::acquire(store, &lease.name, &lease.owner, time).await {
            Err(held @ LeaseError::HeldBy { .. }) => Err(OpsError::new(
                OpsErrorKind::Conflict,
                format!("{} cannot be redriven now: {held}", stopped.name),
                "`lakehand runs list` shows what runs",
            )),
            // What cannot be written here is the lake's own matter, and the stages that follow say so.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Every lease, by its key, with the execution that holds it.
    async fn leases(&self) -> Result<Vec<(String, ExecutionId)>, StoreError> {
        let store = &self.parts.lake.std;
        let mut found = Vec::new();
        let mut listing = store.list(&format!("{STATE_PREFIX}leases/")).await?;
        while let Some(object) = listing.try_next().await? {
            let (bytes, _) = store.get(&object.key).await?;
            if let Ok(held) = serde_json::from_slice::<Held>(&bytes) {
                found.push((object.key, held.owner.as_str().into()));
            }
        }
        Ok(found)
    }
}
