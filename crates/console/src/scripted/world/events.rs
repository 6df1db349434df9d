//! What happens in the world: executions begin, go on, end; reports appear.

use jiff::{SignedDuration, Timestamp};

use super::{Execution, STREAMS, Scenario, World, detail, plan, today, way, window_of};
use lakehand_ops::{
    Board, ExecutionId, ExecutionStatus, ExecutionSummary, Freshness, OpsError, OpsErrorKind,
    OpsResult, ReportSummary, StageStatus, WorkflowCard, WorkflowName,
};
use lakehand_pipeline::window::Window;

impl World {
    pub(super) fn fill(&mut self, scenario: Scenario, count: usize) {
        let hour = SignedDuration::from_hours(1);
        for number in 0..count {
            let workflow = if number % 3 == 2 {
                "daily-report"
            } else {
                "collect"
            };
            let started = self.now
                - hour * i32::try_from(number).unwrap_or(i32::MAX)
                - SignedDuration::from_mins(2);
            let failed = scenario == Scenario::Night && number == 2;
            let fixed = number % 11 == 8;
            self.push(workflow, started, failed || fixed, fixed);
        }
        let created =
            self.now - SignedDuration::from_hours(if scenario == Scenario::Night { 13 } else { 1 });
        for back in 0..6 {
            let created = created - SignedDuration::from_hours(24 * back);
            self.report(created);
        }
    }

    pub(super) fn push(
        &mut self,
        workflow: &str,
        started: Timestamp,
        failed: bool,
        superseded: bool,
    ) {
        let ended = started + SignedDuration::from_millis(72_400);
        let name = format!("{}-{}", workflow, started.strftime("%Y%m%d-%H%M%S"));
        let step = if failed {
            3.min(way(workflow) - 1)
        } else {
            way(workflow)
        };
        let summary = ExecutionSummary {
            id: format!("{workflow}:{name}").into(),
            name,
            workflow: workflow.into(),
            status: if failed {
                ExecutionStatus::Failed
            } else {
                ExecutionStatus::Succeeded
            },
            started,
            ended: Some(ended),
            window: window_of(started),
            redrives: 0,
            current_stage: failed.then(|| plan(workflow)[step].0.to_owned()),
            error: failed.then(|| {
                if workflow == "collect" {
                    "TransientSourceError"
                } else {
                    "QualityCheckFailed"
                }
                .to_owned()
            }),
            superseded,
            parent: None,
            idle: SignedDuration::ZERO,
        };
        self.executions.push(Execution {
            summary,
            step,
            sample: false,
        });
    }

    pub(super) fn report(&mut self, created: Timestamp) {
        let name = format!("sub5-{}.csv", created.strftime("%Y%m%d-%H%M"));
        self.reports.push(ReportSummary {
            key: format!("reports/sub5/{name}"),
            name: name.into(),
            report: "sub5".to_owned(),
            window: window_of(created),
            rows: Some(240),
            bytes: 31_245,
            created,
            execution: self
                .executions
                .first()
                .map(|execution| execution.summary.id.to_string()),
            sha256: Some(
                "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".to_owned(),
            ),
        });
    }

    /// Starts an execution; it is the newest from now on.
    pub(super) fn start(
        &mut self,
        workflow: &str,
        window: Option<Window>,
        sample: bool,
    ) -> ExecutionId {
        let name = format!("{}-{}", workflow, self.now.strftime("%Y%m%d-%H%M%S"));
        let id = ExecutionId::from(format!("{workflow}:{name}"));
        let summary = ExecutionSummary {
            id: id.clone(),
            name,
            workflow: workflow.into(),
            status: ExecutionStatus::Running,
            started: self.now,
            ended: None,
            window: window.or_else(|| window_of(self.now)),
            redrives: 0,
            current_stage: Some(plan(workflow)[0].0.to_owned()),
            error: None,
            superseded: false,
            parent: None,
            idle: jiff::SignedDuration::ZERO,
        };
        self.executions.insert(
            0,
            Execution {
                summary,
                step: 0,
                sample,
            },
        );
        id
    }

    /// One stage further; whether a report was finished.
    pub(super) fn advance(&mut self) -> bool {
        let now = self.now;
        let mut finished = Vec::new();
        for execution in self
            .executions
            .iter_mut()
            .filter(|execution| execution.summary.status == ExecutionStatus::Running)
        {
            execution.step += 1;
            let summary = &mut execution.summary;
            if execution.step >= way(summary.workflow.as_ref()) {
                summary.status = ExecutionStatus::Succeeded;
                summary.ended = Some(now);
                summary.current_stage = None;
                summary.error = None;
                finished.push((summary.workflow.clone(), execution.sample));
            } else {
                summary.current_stage =
                    Some(plan(summary.workflow.as_ref())[execution.step].0.to_owned());
            }
        }
        let mut reported = false;
        for (workflow, sample) in finished {
            match workflow.as_ref() {
                "collect" if sample => drop(self.start("daily-report", None, true)),
                "daily-report" => {
                    self.report(now);
                    reported = true;
                }
                _ => {}
            }
        }
        self.reports
            .sort_by_key(|report| std::cmp::Reverse(report.created));
        reported
    }

    pub(super) fn find(&mut self, id: &ExecutionId) -> OpsResult<&mut Execution> {
        let found = self
            .executions
            .iter_mut()
            .find(|execution| execution.summary.id == *id);
        found.ok_or_else(|| {
            OpsError::new(
                OpsErrorKind::NotFound,
                format!("there is no execution {id}"),
                "list them with runs list",
            )
        })
    }

    pub(super) fn board(&self) -> Board {
        Board {
            as_of: self.now,
            today: today(self.now),
            workflows: match self.is_deployed {
                true => self.cards(),
                false => Vec::new(),
            },
            freshness: self.freshness(),
            quality: self.badges(),
            latest_report: self.reports.first().cloned(),
            unread: self.unread.clone(),
            lake_is_empty: self.executions.is_empty(),
        }
    }

    fn cards(&self) -> Vec<WorkflowCard> {
        vec![
            self.card(
                "collect",
                "Collect every stream of the window, then refresh the tables",
                48,
            ),
            self.card("daily-report", "Build and export the daily report", 348),
        ]
    }

    fn card(&self, workflow: &str, description: &str, next: i64) -> WorkflowCard {
        let own: Vec<&Execution> = self
            .executions
            .iter()
            .filter(|execution| execution.summary.workflow.as_ref() == workflow)
            .collect();
        let stages = match own.first() {
            Some(newest) => detail::stages(newest, false),
            None => plan(workflow)
                .iter()
                .map(|(name, kind)| detail::stage(name, *kind, StageStatus::NotReached))
                .collect(),
        };
        let success = own
            .iter()
            .find(|execution| execution.summary.status == ExecutionStatus::Succeeded);
        WorkflowCard {
            name: WorkflowName::from(workflow),
            description: description.to_owned(),
            stages: stages
                .into_iter()
                .filter(|stage| stage.depth == 0)
                .collect(),
            executions: own
                .iter()
                .take(20)
                .map(|execution| execution.summary.clone())
                .collect(),
            next_run: Some(self.now + SignedDuration::from_mins(next)),
            last_success: success.and_then(|execution| execution.summary.ended),
            takes_window: true,
        }
    }

    pub(super) fn freshness(&self) -> Vec<Freshness> {
        let never = self.executions.is_empty();
        let stream = |(position, name): (usize, &str)| {
            let late = self.late && name == "conversions";
            let minutes = if late {
                1_640
            } else {
                12 + 7 * i64::try_from(position).unwrap_or(0)
            };
            Freshness {
                stream: format!("affise.{name}"),
                collected: (!never).then(|| self.now - SignedDuration::from_mins(minutes)),
                newest_day: (!never).then(|| today(self.now)),
                rows: (!never).then(|| 1_250 * (position as u64 + 1) * (position as u64 + 1)),
                late,
                parked_until: None,
                note: late.then(|| "parked until 03:30: HTTP 429".to_owned()),
                is_deployed: true,
            }
        };
        STREAMS.into_iter().enumerate().map(stream).collect()
    }
}
