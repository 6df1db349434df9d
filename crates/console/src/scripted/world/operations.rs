//! The world answers as a platform does.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use secrecy::SecretString;

use super::{Execution, ScriptedOperations, credentials, detail};
use lakehand_ops::{
    Board, Connection, Credential, CredentialSet, CredentialVersion, Datamart, ExecutionDetail,
    ExecutionId, ExecutionStatus, ExecutionSummary, GlueJobRun, Identity, LogLine, Operations,
    OpsError, OpsErrorKind, OpsResult, ReportName, ReportSummary, SignInResult, Snapshot, Sources,
    StartRequest, Statement, WorkflowName,
};
use lakehand_pipeline::{dataset::GoldTable, quality::QualityReport};

#[async_trait]
impl Operations for ScriptedOperations {
    fn identity(&self) -> Identity {
        let world = self.lock();
        Identity {
            profile: world.profile.clone(),
            account: "local".to_owned(),
            region: "this machine".to_owned(),
            lake: "~/lakehand".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            read_only: world.read_only,
            protected: false,
            has_sample: world.has_sample,
            is_configured: world.is_configured,
        }
    }

    fn connection(&self) -> Connection {
        let world = self.lock();
        let runs = |execution: &&Execution| execution.summary.status == ExecutionStatus::Running;
        let running = world.executions.iter().filter(runs);
        let ids = running.map(|execution| execution.summary.id.clone());
        Connection {
            running_here: ids.filter(|_| !world.runs_elsewhere).collect(),
            other_account: world.other_account.clone(),
            signed_out: world
                .signed_out
                .then(|| "ExpiredToken: the token has expired".to_owned()),
            holds_sample: world.executions.iter().any(|execution| execution.sample),
            login_command: world.runs_elsewhere.then(|| "aws sso login".to_owned()),
            ..Connection::default()
        }
    }

    async fn identify(&self) -> OpsResult<()> {
        let world = self.called("identify", "")?;
        match world.signed_out {
            true => Err(OpsError::new(
                OpsErrorKind::SignedOut,
                "the token has expired",
                "sign in",
            )),
            false => Ok(()),
        }
    }

    async fn board(&self) -> OpsResult<Board> {
        let mut world = self.called("board", "")?;
        let old = world.old_boards.pop();
        Ok(old.unwrap_or_else(|| world.board()))
    }

    async fn executions(
        &self,
        workflow: Option<&WorkflowName>,
        limit: usize,
    ) -> OpsResult<Vec<ExecutionSummary>> {
        let world = self.called("executions", "")?;
        let own = world
            .executions
            .iter()
            .filter(|execution| workflow.is_none_or(|name| execution.summary.workflow == *name));
        Ok(own
            .take(limit)
            .map(|execution| execution.summary.clone())
            .collect())
    }

    async fn execution(&self, id: &ExecutionId, after_event: u64) -> OpsResult<ExecutionDetail> {
        let mut world = self.called("execution", id.as_ref())?;
        let execution = world.find(id)?;
        let succeeded = execution.summary.status == ExecutionStatus::Succeeded;
        let failed = execution.summary.status == ExecutionStatus::Failed;
        Ok(ExecutionDetail {
            summary: execution.summary.clone(),
            stages: detail::stages(execution, true),
            root_cause: detail::root_cause(execution).filter(|_| failed),
            redrive: detail::redrive_of(execution),
            graph: Arc::new(detail::graph(execution.summary.workflow.as_ref())),
            events: detail::history(execution)
                .into_iter()
                .filter(|event| event.id > after_event)
                .collect(),
            input: r#"{"window":{"from":"2026-01-24","to":"2026-01-31"}}"#.into(),
            output: succeeded.then(|| r#"{"report":"sub5","rows":240}"#.into()),
        })
    }

    async fn logs(
        &self,
        id: &ExecutionId,
        stage: Option<&str>,
        after_line: u64,
        limit: usize,
    ) -> OpsResult<Vec<LogLine>> {
        let mut world = self.called("logs", id.as_ref())?;
        let count = world.log_lines;
        let lines = detail::log(world.find(id)?, count).into_iter();
        Ok(lines
            .filter(|line| line.line > after_line && stage.is_none_or(|stage| line.stage == stage))
            .take(limit)
            .collect())
    }

    async fn start(&self, request: StartRequest) -> OpsResult<ExecutionId> {
        let mut world = self.called("start", request.workflow.as_ref())?;
        if world.executions.iter().any(|other| {
            other.summary.workflow == request.workflow
                && other.summary.status == ExecutionStatus::Running
        }) {
            let message = format!("{} is running for this window already", request.workflow);
            return Err(OpsError::new(
                OpsErrorKind::Conflict,
                message,
                "wait for it, or stop it first",
            ));
        }
        Ok(world.start(request.workflow.as_ref(), request.window, false))
    }

    async fn stop(&self, id: &ExecutionId, _reason: &str) -> OpsResult<()> {
        let mut world = self.called("stop", id.as_ref())?;
        let now = world.now;
        let summary = &mut world.find(id)?.summary;
        (summary.status, summary.ended) = (ExecutionStatus::Aborted, Some(now));
        Ok(())
    }

    async fn redrive(&self, id: &ExecutionId) -> OpsResult<()> {
        let mut world = self.called("redrive", id.as_ref())?;
        let summary = &mut world.find(id)?.summary;
        (summary.status, summary.ended, summary.error) = (ExecutionStatus::Running, None, None);
        summary.redrives += 1;
        Ok(())
    }

    async fn reports(&self) -> OpsResult<Vec<ReportSummary>> {
        Ok(self.called("reports", "")?.reports.clone())
    }

    async fn report_file(&self, name: &ReportName) -> OpsResult<PathBuf> {
        let world = self.called("report_file", name.as_ref())?;
        if world.reports.iter().any(|report| report.name == *name) {
            return Ok(self.folder.path().join("report.csv"));
        }
        Err(OpsError::new(
            OpsErrorKind::NotFound,
            format!("there is no report {name}"),
            "list them with reports list",
        ))
    }

    async fn quality(&self, id: &ExecutionId) -> OpsResult<Vec<QualityReport>> {
        let mut world = self.called("quality", id.as_ref())?;
        let checked = world.find(id)?.summary.workflow.as_ref() == "daily-report";
        Ok(if checked {
            vec![world.checks("daily_report_sub5")]
        } else {
            Vec::new()
        })
    }

    async fn datamart(&self) -> OpsResult<Datamart> {
        Ok(self.called("datamart", "")?.datamart())
    }

    async fn snapshots(&self, _table: GoldTable) -> OpsResult<Vec<Snapshot>> {
        Ok(self.called("snapshots", "")?.snapshots())
    }

    async fn rollback(&self, _table: GoldTable, version: u64) -> OpsResult<Snapshot> {
        let mut world = self.called("rollback", &version.to_string())?;
        world.snapshot = 4;
        let newest = world.snapshots().into_iter().next();
        newest.ok_or_else(|| {
            OpsError::new(
                OpsErrorKind::NotFound,
                "there is no snapshot",
                "build it first",
            )
        })
    }

    async fn start_glue_job(&self, job: &str, _: BTreeMap<String, String>) -> OpsResult<String> {
        let mut world = self.called("start_glue_job", job)?;
        let started = Some(world.now);
        let run = GlueJobRun {
            id: "jr_4711".to_owned(),
            job: job.to_owned(),
            state: "RUNNING".to_owned(),
            started,
            ended: None,
            seconds: 0,
            error: None,
        };
        if let Some(known) = &mut world.job {
            known.last_run = Some(run);
        }
        Ok("jr_4711".to_owned())
    }

    async fn stop_glue_job(&self, job: &str, run: &str) -> OpsResult<()> {
        let mut world = self.called("stop_glue_job", &format!("{job} {run}"))?;
        if let Some(run) = world.job.as_mut().and_then(|job| job.last_run.as_mut()) {
            run.state = "STOPPED".to_owned();
        }
        Ok(())
    }

    async fn statements(&self, limit: usize) -> OpsResult<Vec<Statement>> {
        let mut all = self.called("statements", "")?.statements();
        all.truncate(limit);
        Ok(all)
    }

    async fn stop_statement(&self, id: &str) -> OpsResult<()> {
        self.called("stop_statement", id)?.statement_stopped = true;
        Ok(())
    }

    async fn sources(&self) -> OpsResult<Sources> {
        Ok(self.called("sources", "")?.sources())
    }

    async fn crawl(&self, name: &str) -> OpsResult<()> {
        let mut world = self.called("crawl", name)?;
        world.crawling = Some((name.to_owned(), world.now));
        Ok(())
    }

    async fn stop_crawler(&self, name: &str) -> OpsResult<()> {
        self.called("stop_crawler", name)?.crawling = None;
        Ok(())
    }

    async fn credentials(&self) -> OpsResult<Vec<Credential>> {
        let world = self.called("credentials", "")?;
        Ok(credentials::list(&world))
    }

    async fn credential_history(&self, path: &str) -> OpsResult<Vec<CredentialVersion>> {
        let world = self.called("credential_history", path)?;
        Ok(world.versions.get(path).cloned().unwrap_or_default())
    }

    async fn set_credential(
        &self,
        path: &str,
        value: SecretString,
        sign_in_first: bool,
    ) -> OpsResult<CredentialSet> {
        let mut world = self.called("set_credential", path)?;
        credentials::set(&mut world, path, &value, sign_in_first)
    }

    async fn test_credentials(&self, source: &str) -> OpsResult<SignInResult> {
        let world = self.called("test_credentials", source)?;
        Ok(credentials::sign_in(&world, source))
    }

    async fn start_sample(&self) -> OpsResult<ExecutionId> {
        let mut world = self.called("start_sample", "")?;
        Ok(world.start("collect", None, true))
    }
}
