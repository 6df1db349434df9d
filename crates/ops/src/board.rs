//! The Board: is today's data there, and if not, why?

use std::{collections::HashSet, sync::PoisonError};

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{
    Board, ExecutionSummary, Freshness, Operator, OpsResult, Part, QualityBadge, ReportSummary,
    Stage, StageStatus, Unread, WorkflowCard, WorkflowName, freshness,
    inputs::takes_window,
    parts, schedule,
    unread::{is_about_a_part, readable},
};
use lakehand_config::PlatformKind;
use lakehand_workflow::definition::{Definition, EdgeKind};

/// Executions shown of each workflow.
const EXECUTIONS: usize = 20;
/// Executions looked through where all of the newest are of days gone by.
const MANY: usize = 1_000;

/// How long the listings of a distant lake serve the Board while something runs, and while nothing does.
const LISTED_FOR: SignedDuration = SignedDuration::from_secs(20);
const LISTED_IDLE_FOR: SignedDuration = SignedDuration::from_secs(150);
/// How long what is known of a distant lake's streams serves while nothing runs and nothing is told to have changed.
const BELIEVED_FOR: SignedDuration = SignedDuration::from_mins(30);
/// The same of a lake on this machine, whose writers all tell what they do.
const BELIEVED_HERE_FOR: SignedDuration = SignedDuration::from_mins(1);

/// What the executions of all workflows are at, so that one which began or ended in between is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Activity {
    running: usize,
    newest_start: Option<Timestamp>,
    newest_end: Option<Timestamp>,
}

impl Activity {
    fn of(cards: &[WorkflowCard]) -> Self {
        let executions = || cards.iter().flat_map(|card| &card.executions);
        Self {
            running: executions().filter(|one| !one.status.is_ended()).count(),
            newest_start: executions().map(|one| one.started).max(),
            newest_end: executions().filter_map(|one| one.ended).max(),
        }
    }
}

/// What the Board knows from the lake's listings.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    freshness: Vec<Freshness>,
    reports: Vec<ReportSummary>,
    quality: Vec<QualityBadge>,
    unread: Vec<Unread>,
}

impl Listed {
    /// Whether anything of the lake could be read.
    fn is_something(&self) -> bool {
        let is_unread = |part: Part| self.unread.iter().any(|unread| unread.part == part);
        !(is_unread(Part::Freshness) && is_unread(Part::Reports) && is_unread(Part::Quality))
    }
}

impl Operator {
    /// Everything the Board shows, read at once. What cannot be read is left out and named, unless nothing can.
    pub(super) async fn read_board(&self) -> OpsResult<Board> {
        let now = self.parts.clock.now();
        let (cards, mut listed) = futures::future::join(self.cards(), self.listed()).await;
        if let (Ok((cards, _)), Ok(_)) = (&cards, &listed)
            && self.something_happened(cards)
        {
            // It wrote a report or checks: the headline is not to name those before.
            self.seen.freshness.forget();
            *self.listed.lock().await = None;
            listed = self.listed().await;
        }
        let (workflows, mut unread) = match cards {
            Ok(read) => read,
            // Where the lake cannot be read either, the first error says it all.
            Err(error) => match &listed {
                Ok(listed) if is_about_a_part(&error) && listed.is_something() => {
                    (Vec::new(), vec![Unread::new(Part::Workflows, &error)])
                }
                _ => return Err(error),
            },
        };
        let mut listed = listed?;
        unread.extend(listed.unread);
        let collects = parts::has(workflows.iter().map(|card| &card.name), parts::COLLECTS);
        parts::set_apart(&mut listed.freshness, collects);
        let lake_is_empty = collects
            && listed.reports.is_empty()
            && !unread.iter().any(|unread| is_of_the_lake(&unread.part))
            && listed
                .freshness
                .iter()
                .all(|stream| stream.collected.is_none() && stream.newest_day.is_none());
        let today = now.to_zoned(self.parts.profile.time_zone.clone()).date();
        Ok(Board {
            as_of: now,
            today,
            workflows,
            freshness: listed.freshness,
            quality: listed.quality,
            latest_report: of_the_newest_day(listed.reports, today),
            unread,
            lake_is_empty,
        })
    }

    /// Whether an execution began or ended since the last look.
    fn something_happened(&self, cards: &[WorkflowCard]) -> bool {
        let now = Activity::of(cards);
        let known = self.seen.activity.lock();
        let before = known.unwrap_or_else(PoisonError::into_inner).replace(now);
        before.is_some_and(|before| before != now)
    }

    /// Whether something ran at the last look, or nobody looked yet.
    fn something_runs(&self) -> bool {
        let known = self.seen.activity.lock();
        let known = known.unwrap_or_else(PoisonError::into_inner);
        known.is_none_or(|activity| activity.running > 0)
    }

    /// Every workflow's card; one that cannot be read is empty, and named among what could not be read.
    async fn cards(&self) -> OpsResult<(Vec<WorkflowCard>, Vec<Unread>)> {
        let names = self.parts.workflows.list().await?;
        let read = names.into_iter().map(|name| async {
            let card = self.card(name.clone()).await;
            (name, card)
        });
        let mut unread = Vec::new();
        let mut cards = Vec::new();
        for (name, card) in futures::future::join_all(read).await {
            match card {
                Ok(card) => cards.push(card),
                Err(error) if is_about_a_part(&error) => {
                    unread.push(Unread::new(Part::Workflow(name.clone()), &error));
                    cards.push(WorkflowCard {
                        name,
                        description: String::new(),
                        stages: Vec::new(),
                        executions: Vec::new(),
                        next_run: None,
                        last_success: None,
                        takes_window: false,
                    });
                }
                Err(error) => return Err(error),
            }
        }
        Ok((cards, unread))
    }

    /// Executions of every workflow that can be read, newest first; then those that cannot.
    pub(super) async fn read_executions(
        &self,
        limit: usize,
    ) -> OpsResult<(Vec<super::ExecutionSummary>, Vec<Unread>)> {
        let workflows = &self.parts.workflows;
        let refused = match workflows.executions(None, limit).await {
            Ok(all) => return Ok((all, Vec::new())),
            Err(error) if is_about_a_part(&error) => error,
            Err(error) => return Err(error),
        };
        let names = workflows.list().await?;
        let several = names.len();
        let read = names.into_iter().map(|name| async {
            let own = workflows.executions(Some(&name), limit).await;
            (name, own)
        });
        let (mut all, mut unread) = (Vec::new(), Vec::new());
        for (name, own) in futures::future::join_all(read).await {
            match own {
                Ok(own) => all.extend(own),
                Err(error) => unread.push(Unread::new(Part::Workflow(name), &error)),
            }
        }
        if unread.len() == several {
            return Err(refused);
        }
        all.sort_by_key(|execution| std::cmp::Reverse(execution.started));
        all.truncate(limit);
        Ok((all, unread))
    }

    /// What the lake's listings tell. A distant lake is not listed at every look: that costs money and time.
    async fn listed(&self) -> OpsResult<Listed> {
        if self.parts.profile.platform == PlatformKind::Local {
            return self.list_lake(BELIEVED_HERE_FOR).await;
        }
        let (serves, believed) = if self.something_runs() {
            (LISTED_FOR, LISTED_FOR)
        } else {
            (LISTED_IDLE_FOR, BELIEVED_FOR)
        };
        let mut kept = self.listed.lock().await;
        let now = self.parts.clock.now();
        if let Some((at, listed)) = kept.as_ref()
            && (SignedDuration::ZERO..serves).contains(&now.duration_since(*at))
        {
            return Ok(listed.clone());
        }
        let listed = self.list_lake(believed).await?;
        *kept = Some((now, listed.clone()));
        Ok(listed)
    }

    async fn list_lake(&self, believed: SignedDuration) -> OpsResult<Listed> {
        let parts = &self.parts;
        let (known, now) = (&self.seen.freshness, parts.clock.now());
        let fresh = freshness::readable(&parts.profile, &parts.lake, known, believed, now);
        let (freshness, reports, quality) =
            futures::future::join3(fresh, self.read_reports(), self.quality_badges()).await;
        let (freshness, mut unread) = freshness?;
        Ok(Listed {
            freshness,
            reports: readable(Part::Reports, reports, &mut unread)?,
            quality: readable(Part::Quality, quality, &mut unread)?,
            unread,
        })
    }

    /// The newest executions of a workflow: first those that tell of the newest days, then those of days gone by, of
    /// which a backfill makes hundreds.
    async fn executions_of_today_first(
        &self,
        name: &WorkflowName,
    ) -> OpsResult<Vec<ExecutionSummary>> {
        let (workflows, zone) = (&self.parts.workflows, &self.parts.profile.time_zone);
        let apart = |one: &ExecutionSummary| one.stands_apart(zone);
        let mut executions = workflows.executions(Some(name), EXECUTIONS).await?;
        if executions.len() == EXECUTIONS && executions.iter().all(apart) {
            executions = workflows.executions(Some(name), MANY).await?;
        }
        executions.sort_by_key(apart);
        executions.truncate(EXECUTIONS);
        Ok(executions)
    }

    async fn card(&self, name: WorkflowName) -> OpsResult<WorkflowCard> {
        let workflows = &self.parts.workflows;
        let definition = workflows.definition(&name).await?;
        let executions = self.executions_of_today_first(&name).await?;
        let stages = match executions.first() {
            Some(newest) => self
                .stages_of(newest)
                .await?
                .into_iter()
                .filter(|stage: &Stage| stage.depth == 0)
                .map(without_payloads)
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
            takes_window: takes_window(&definition),
            executions,
            name,
        })
    }
}

/// A stage as the Board shows it: what goes in and out is for whoever opens the execution.
fn without_payloads(stage: Stage) -> Stage {
    Stage {
        input: None,
        output: None,
        ..stage
    }
}

/// The report to look at first: today's; else that of the newest days. One of days gone by may have been made after it.
fn of_the_newest_day(reports: Vec<ReportSummary>, today: Date) -> Option<ReportSummary> {
    let newness = |report: &ReportSummary| {
        let is_todays = report.window.is_some_and(|window| window.contains(today));
        (
            is_todays,
            report.window.map(|window| window.to()),
            report.created,
        )
    };
    reports.into_iter().max_by_key(newness)
}

/// Whether somebody who cannot read a part cannot say that the lake is empty.
fn is_of_the_lake(part: &Part) -> bool {
    matches!(part, Part::Freshness | Part::Stream(_) | Part::Reports)
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
            idle: jiff::SignedDuration::ZERO,
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
