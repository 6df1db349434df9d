//! Whether a redrive would put rows in place that are older than those of somebody else.
//!
//! A report that was cut off between its build and its commit goes on with the rows it built. That is right unless
//! somebody has committed the same rows since. So what the others really did is looked up, in their own histories: one
//! that ended before the build, or died without a commit, is in nobody's way.

use jiff::Timestamp;

use super::{
    ExecutionId, ExecutionStatus, ExecutionSummary, OpsError, OpsErrorKind, OpsResult, Redrive,
    leases, operator::Operator, runs,
};
use lakehand_workflow::history::{StageStatus, Timeline};

/// How many of a workflow's newest executions are looked through for one that came after another.
const LATER: usize = 100;
/// States that build the rows, and those that put them in place.
const BUILDS: [&str; 2] = ["BuildWindow", "BuildDatamart"];
const COMMITS: [&str; 2] = ["ReplaceWindow", "ReplaceDatamart"];

impl Operator {
    /// The reason not to redrive where that would put rows in place which are older than those of somebody else.
    pub(super) async fn older_rows(
        &self,
        own: &Timeline,
        redrive: &Redrive,
        stopped: &ExecutionSummary,
    ) -> OpsResult<Option<String>> {
        if !runs::commits_what_was_built_before(redrive, stopped.status) {
            return Ok(None);
        }
        let built = built_at(own).unwrap_or(stopped.started);
        let workflow = Some(&stopped.workflow);
        let newest = self.parts.workflows.executions(workflow, LATER).await?;
        let others = newest
            .into_iter()
            .filter(|one| one.id != stopped.id && same_rows(one, stopped))
            .filter(|one| one.ended.is_none_or(|ended| ended > built));
        for one in others {
            if one.status == ExecutionStatus::Running {
                return Ok(Some(format!(
                    "{} is working on the same days now; wait for it, or stop it first",
                    one.name
                )));
            }
            let events = self.parts.workflows.history(&one.id, 0).await?;
            let timeline = Timeline::of(&events);
            // A success without a stage of ours may have put them in place at any time until its end.
            let unknown = one.status == ExecutionStatus::Succeeded && !has_a_commit(&timeline);
            if unknown || committed_after(&timeline, built) {
                return Ok(Some(format!(
                    "{} has put newer rows of the same days in place since this one built its own; start a new execution with the same window",
                    one.name
                )));
            }
        }
        Ok(None)
    }

    /// Makes a redrive safe before it begins: refuses one that would bring older rows back, frees what the dead and the
    /// stopped hold, and takes again what the execution itself held.
    pub(super) async fn prepare_redrive(&self, id: &ExecutionId) -> OpsResult<()> {
        let summary = self.parts.workflows.describe(id).await?;
        let known = self.known(id).await?;
        {
            let folded = self.folded(&known, id).await?;
            let redrive = runs::redrive(&folded, &summary, known.ours, self.parts.clock.now());
            if matches!(redrive, Redrive::NotPossible { .. }) {
                // The platform refuses it, in its own words.
                return Ok(());
            }
            if let Some(reason) = self
                .older_rows(&folded.timeline, &redrive, &summary)
                .await?
            {
                return Err(OpsError::new(
                    OpsErrorKind::NotPossible,
                    format!("{} cannot be redriven: {reason}", summary.name),
                    start_anew(&summary),
                ));
            }
        }
        self.free_leases_of_the_ended(Some(&summary.id)).await;
        let events = self.parts.workflows.history(id, 0).await?;
        match leases::held_at_the_end(&events) {
            // One that failed has given its lease back, or takes it anew.
            Some(lease) if summary.status != ExecutionStatus::Failed => {
                self.take_again(&lease, &summary).await
            }
            _ => Ok(()),
        }
    }
}

/// The command that does the work of an execution once more.
pub(super) fn start_anew(summary: &ExecutionSummary) -> String {
    match summary.window {
        Some(window) => format!(
            "lakehand run {} --from {} --to {}",
            summary.workflow,
            window.from(),
            window.to()
        ),
        None => format!("lakehand run {}", summary.workflow),
    }
}

/// Whether two executions of a workflow write the same rows. The datamart is always rebuilt whole, and so is what names
/// no window.
fn same_rows(one: &ExecutionSummary, other: &ExecutionSummary) -> bool {
    match (one.window, other.window) {
        (Some(one_days), Some(days)) if other.workflow.as_ref() != "datamart" => {
            one_days.from() <= days.to() && days.from() <= one_days.to()
        }
        _ => true,
    }
}

/// When the rows were built that a redrive would put in place: silver was read before this.
fn built_at(timeline: &Timeline) -> Option<Timestamp> {
    let builds = timeline.stages.iter().rev();
    let mut builds = builds.filter(|stage| BUILDS.contains(&stage.name.as_str()));
    builds.next().map(|stage| stage.entered)
}

fn has_a_commit(timeline: &Timeline) -> bool {
    let mut stages = timeline.stages.iter();
    stages.any(|stage| COMMITS.contains(&stage.name.as_str()))
}

/// Whether rows were put in place after an instant. One that was cut off in the middle of its commit may have done so;
/// it held the lease then, so that whoever began its commit before the build had ended before it too.
fn committed_after(timeline: &Timeline, built: Timestamp) -> bool {
    timeline.stages.iter().any(|stage| {
        let commits = COMMITS.contains(&stage.name.as_str()) && stage.attempts > 0;
        let at = match stage.status {
            StageStatus::Succeeded => stage.exited,
            StageStatus::Running | StageStatus::Aborted => Some(stage.entered),
            StageStatus::Retrying | StageStatus::Caught | StageStatus::Failed => None,
        };
        commits && at.is_some_and(|at| at > built)
    })
}
