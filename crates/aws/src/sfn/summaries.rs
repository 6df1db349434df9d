//! Executions as an operator sees them in a list: with what the list itself does not tell, as far as it is worth its calls.

use std::sync::PoisonError;

use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};

use super::{
    ABREAST, EVENTS_FOR, StepFunctions,
    executions::{Described, Listed},
    machines::Machine,
};
use lakehand_ops::{
    ExecutionId, ExecutionStatus, ExecutionSummary, OpsResult,
    stages::{failed_stage, open_stage_names, stage_name},
};
use lakehand_pipeline::window::Window;
use lakehand_workflow::history::{HistoryEvent, Timeline};

/// Of a list so many executions are described at once that the list alone does not tell enough of; the others follow
/// with the next read.
const DESCRIBED_AT_ONCE: usize = 10;
/// Executions whose window, error and stage are remembered.
const TOLD: usize = 4000;

/// What an execution's own list entry does not tell. It does not change once the execution has ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    window: Option<Window>,
    error: Option<String>,
    stage: Option<String>,
    parent: Option<ExecutionId>,
    idle: SignedDuration,
}

impl StepFunctions {
    /// The stage an execution is in, or failed in.
    async fn current_stage(&self, arn: &str) -> OpsResult<(Option<String>, SignedDuration)> {
        let look = |events: &[HistoryEvent]| {
            let timeline = Timeline::of(events);
            (stage_in(&timeline), timeline.head.idle)
        };
        self.events.look(&self.clients, arn, EVENTS_FOR, look).await
    }

    pub(super) async fn summary(&self, described: &Described) -> OpsResult<ExecutionSummary> {
        let (stage, idle) = match described.status {
            ExecutionStatus::Succeeded if described.redrives == 0 => (None, SignedDuration::ZERO),
            _ => self.current_stage(&described.arn).await?,
        };
        let told = Told {
            window: described.window,
            error: described.error.clone(),
            stage,
            parent: described.parent.clone(),
            idle,
        };
        let machine = self.machine_of(&described.arn).await?;
        if described.status.is_ended() {
            self.remember(&described.arn, described.redrives, &told);
        }
        Ok(ExecutionSummary {
            id: described.arn.as_str().into(),
            name: described.name.clone(),
            workflow: machine.shown,
            status: described.status,
            started: described.started,
            ended: described.ended,
            window: told.window,
            redrives: described.redrives,
            current_stage: told.stage,
            error: told.error,
            superseded: false,
            parent: told.parent,
            idle: told.idle,
        })
    }

    fn remember(&self, arn: &str, redrives: u32, told: &Told) {
        let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= TOLD {
            all.clear();
        }
        all.insert((arn.to_owned(), redrives), told.clone());
    }

    fn told(&self, listed: &Listed) -> Option<Told> {
        let all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&(listed.arn.clone(), listed.redrives)).cloned()
    }

    /// The executions of one machine with what their list does not tell, as far as it is worth its calls.
    pub(super) async fn executions_of(
        &self,
        machine: &Machine,
        limit: usize,
    ) -> OpsResult<Vec<ExecutionSummary>> {
        let listed = self.executions.list(&self.clients, machine, limit).await?;
        let mut asks = DESCRIBED_AT_ONCE;
        let planned: Vec<(Listed, Option<Told>, bool)> = listed
            .into_iter()
            .map(|item| {
                let told = self.told(&item).filter(|_| item.status.is_ended());
                let ask = told.is_none() && asks > 0;
                asks -= usize::from(ask);
                (item, told, ask)
            })
            .collect();
        let summaries = futures::stream::iter(planned).map(|(item, told, ask)| async move {
            if ask {
                let described = self.described(&item.arn, false).await?;
                return self.summary(&described).await;
            }
            Ok(listed_summary(item, told.unwrap_or_default(), machine))
        });
        let mut summaries: Vec<ExecutionSummary> =
            summaries.buffered(ABREAST).try_collect().await?;
        mark_superseded(&mut summaries);
        Ok(summaries)
    }
}

/// The stage that runs, or the one in which it failed.
fn stage_in(timeline: &Timeline) -> Option<String> {
    use lakehand_workflow::history::ExecutionStatus::{Running, Succeeded};
    let index = match timeline.head.status {
        Running => return open_stage_names(timeline),
        Succeeded => None,
        _ => failed_stage(timeline),
    };
    index.map(|index| stage_name(timeline, index))
}

fn listed_summary(item: Listed, mut told: Told, machine: &Machine) -> ExecutionSummary {
    if item.status == ExecutionStatus::Succeeded {
        // What was remembered may be of the failure before a redrive.
        (told.stage, told.error) = (None, None);
    }
    ExecutionSummary {
        id: item.arn.into(),
        name: item.name,
        workflow: machine.shown.clone(),
        status: item.status,
        started: item.started,
        ended: item.ended,
        window: told.window,
        redrives: item.redrives,
        current_stage: told.stage,
        error: told.error,
        superseded: false,
        parent: told.parent,
        idle: told.idle,
    }
}

/// Marks what a later success over the same window has made good.
fn mark_superseded(summaries: &mut [ExecutionSummary]) {
    let good: Vec<(Window, Timestamp)> = summaries
        .iter()
        .filter(|one| one.status == ExecutionStatus::Succeeded)
        .filter_map(|one| Some((one.window?, one.started)))
        .collect();
    for one in summaries {
        let failed = one.status.is_ended() && one.status != ExecutionStatus::Succeeded;
        one.superseded = failed
            && good
                .iter()
                .any(|(window, at)| Some(*window) == one.window && *at > one.started);
    }
}
