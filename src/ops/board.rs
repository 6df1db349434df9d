//! The Board: is today's data there, and if not, why?

use super::{Board, Operator, OpsResult, Stage, WorkflowCard, WorkflowName, freshness, schedule};

/// Executions shown of each workflow.
const EXECUTIONS: usize = 20;

impl Operator {
    /// Everything the Board shows, read at once.
    pub(super) async fn read_board(&self) -> OpsResult<Board> {
        let now = self.parts.clock.now();
        let names = self.parts.workflows.list().await?;
        let cards = futures::future::try_join_all(names.into_iter().map(|name| self.card(name)));
        let fresh = freshness::freshness(&self.parts.profile, &self.parts.lake, now);
        let (workflows, freshness, reports, quality) =
            futures::future::try_join4(cards, fresh, self.read_reports(), self.quality_badges())
                .await?;
        let lake_is_empty = reports.is_empty()
            && freshness
                .iter()
                .all(|stream| stream.collected.is_none() && stream.newest_day.is_none());
        Ok(Board {
            as_of: now,
            today: now.to_zoned(self.parts.profile.time_zone.clone()).date(),
            workflows,
            freshness,
            quality,
            latest_report: reports.into_iter().next(),
            lake_is_empty,
        })
    }

    async fn card(&self, name: WorkflowName) -> OpsResult<WorkflowCard> {
        let workflows = &self.parts.workflows;
        let definition = workflows.definition(&name).await?;
        let executions = workflows.executions(Some(&name), EXECUTIONS).await?;
        let stages = match executions.first() {
            Some(newest) => self
                .stages_of(newest)
                .await?
                .into_iter()
                .filter(|stage: &Stage| stage.depth == 0)
                .collect(),
            None => super::runs::unreached_stages(&definition),
        };
        let (schedules, zone) = (&self.parts.profile.schedules, &self.parts.profile.time_zone);
        Ok(WorkflowCard {
            description: definition.comment.clone().unwrap_or_default(),
            stages,
            next_run: schedule::next_run(schedules, &name, zone, self.parts.clock.now()),
            last_success: workflows.last_success(&name).await?,
            executions,
            name,
        })
    }
}
