//! The Board: is today's data there, and if not, why?

use std::collections::HashSet;

use super::{
    Board, Freshness, Operator, OpsResult, QualityBadge, ReportSummary, Stage, StageStatus,
    WorkflowCard, WorkflowName, freshness, schedule,
};
use crate::{
    config::PlatformKind,
    workflow::definition::{Definition, EdgeKind},
};

/// Executions shown of each workflow.
const EXECUTIONS: usize = 20;

/// How long the listings of a distant lake serve the Board.
const LISTED_FOR: std::time::Duration = std::time::Duration::from_secs(20);

/// What the Board knows from the lake's listings.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    freshness: Vec<Freshness>,
    reports: Vec<ReportSummary>,
    quality: Vec<QualityBadge>,
}

impl Operator {
    /// Everything the Board shows, read at once.
    pub(super) async fn read_board(&self) -> OpsResult<Board> {
        let now = self.parts.clock.now();
        let names = self.parts.workflows.list().await?;
        let cards = futures::future::try_join_all(names.into_iter().map(|name| self.card(name)));
        let (workflows, listed) = futures::future::try_join(cards, self.listed()).await?;
        let Listed {
            freshness,
            reports,
            quality,
        } = listed;
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

    /// What the lake's listings tell. A distant lake is not listed at every look: that costs money and time.
    async fn listed(&self) -> OpsResult<Listed> {
        if self.parts.profile.platform == PlatformKind::Local {
            return self.list_lake().await;
        }
        let mut kept = self.listed.lock().await;
        if let Some((at, listed)) = kept.as_ref()
            && at.elapsed() < LISTED_FOR
        {
            return Ok(listed.clone());
        }
        let listed = self.list_lake().await?;
        *kept = Some((std::time::Instant::now(), listed.clone()));
        Ok(listed)
    }

    async fn list_lake(&self) -> OpsResult<Listed> {
        let parts = &self.parts;
        let fresh = freshness::freshness(&parts.profile, &parts.lake, parts.clock.now());
        let (freshness, reports, quality) =
            futures::future::try_join3(fresh, self.read_reports(), self.quality_badges()).await?;
        Ok(Listed {
            freshness,
            reports,
            quality,
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
        let stages = on_the_way(&definition, stages);
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

/// The stages that tell how an execution went: those of the way it takes when all goes well, and whatever else is
/// in trouble or under way. What only reports a failure is left out once the failure itself is there.
fn on_the_way(definition: &Definition, stages: Vec<Stage>) -> Vec<Stage> {
    use StageStatus::{Aborted, Caught, Failed, Interrupted, Parked, Running, Waiting};
    let way = way(definition);
    let caught = stages.iter().any(|stage| stage.status == Caught);
    let tells = |stage: &Stage| match stage.status {
        _ if way.contains(&stage.name) => true,
        Failed => !caught,
        Running | Waiting { .. } | Interrupted | Aborted | Caught | Parked { .. } => true,
        _ => false,
    };
    stages.into_iter().filter(tells).collect()
}

/// Top-level states from the first along `Next` and `Default`.
fn way(definition: &Definition) -> HashSet<String> {
    let graph = definition.graph();
    let mut way = HashSet::new();
    let mut at = Some(graph.start);
    while let Some(node) = at.and_then(|at| graph.nodes.get(at)) {
        if !way.insert(node.name.clone()) {
            break;
        }
        let onward = graph.edges.iter().find(|edge| {
            Some(edge.from) == at && matches!(edge.kind, EdgeKind::Next | EdgeKind::Default)
        });
        at = onward.map(|edge| edge.to);
    }
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str, status: StageStatus) -> Stage {
        Stage {
            name: name.to_owned(),
            kind: "Task".to_owned(),
            status,
            started: None,
            ended: None,
            attempts: 1,
            progress: None,
            error: None,
            depth: 0,
            input: None,
            output: None,
        }
    }

    fn shown(stages: &[(&str, StageStatus)]) -> Vec<String> {
        let definition = Definition::parse(
            r#"{ "StartAt": "Work", "States": {
                "Work": { "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "Enough", "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Tell" }] },
                "Enough": { "Type": "Choice", "Choices": [{ "Variable": "$.n", "NumericEquals": 0, "Next": "Tell" }], "Default": "Export" },
                "Export": { "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true },
                "Tell": { "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "EndAsFailed" },
                "EndAsFailed": { "Type": "Fail" } } }"#,
        )
        .unwrap();
        let stages = stages
            .iter()
            .map(|(name, status)| stage(name, status.clone()))
            .collect();
        on_the_way(&definition, stages)
            .into_iter()
            .map(|stage| stage.name)
            .collect()
    }

    #[test]
    fn the_board_shows_the_way_and_the_trouble() {
        use StageStatus::{Caught, Failed, NotReached, Running, Succeeded};
        assert_eq!(
            shown(&[
                ("Work", NotReached),
                ("Enough", NotReached),
                ("Export", NotReached),
                ("Tell", NotReached),
                ("EndAsFailed", NotReached),
            ]),
            ["Work", "Enough", "Export"]
        );
        assert_eq!(
            shown(&[
                ("Work", Caught),
                ("Tell", Succeeded),
                ("EndAsFailed", Failed),
                ("Enough", NotReached),
                ("Export", NotReached),
            ]),
            ["Work", "Enough", "Export"]
        );
        assert_eq!(
            shown(&[("Work", Caught), ("Tell", Running)]),
            ["Work", "Tell"]
        );
        assert_eq!(
            shown(&[("Work", Succeeded), ("Enough", Succeeded), ("Tell", Failed)]),
            ["Work", "Enough", "Tell"]
        );
    }
}
