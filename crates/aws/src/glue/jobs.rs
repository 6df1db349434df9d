//! Glue jobs that somebody else made: listed, started, stopped.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use aws_sdk_glue::types as sdk;
use futures::{StreamExt, TryStreamExt};

use super::super::{Clients, call::Api, instant, pages};
use lakehand_config::Profile;
use lakehand_ops::{GlueJob, GlueJobRun, OpsError, OpsErrorKind, OpsResult, ports::GlueJobs};

const LIST: Api = Api::paced("glue", "GetJobs", 5.0, 2.0);
const RUNS: Api = Api::paced("glue", "GetJobRuns", 10.0, 4.0);
const START: Api = Api::free("glue", "StartJobRun");
const STOP: Api = Api::free("glue", "BatchStopJobRun");

/// The Glue jobs of a profile.
#[derive(Debug)]
pub(crate) struct AwsJobs {
    clients: Clients,
    profile: Arc<Profile>,
}

impl AwsJobs {
    /// The jobs of `profile`; asks nobody yet.
    pub(crate) fn new(clients: Clients, profile: Arc<Profile>) -> Self {
        Self { clients, profile }
    }

    /// The whole name of a job that may be given without the pattern.
    async fn named(&self, name: &str) -> OpsResult<String> {
        let all = self.read().await?;
        let whole = self.profile.resource_name(name);
        let mut names = all.iter().filter_map(sdk::Job::name);
        if let Some(found) = names.find(|own| *own == name || *own == whole) {
            return Ok(found.to_owned());
        }
        let known: Vec<&str> = all.iter().filter_map(sdk::Job::name).collect();
        Err(OpsError::new(
            OpsErrorKind::NotFound,
            format!(
                "there is no Glue job '{name}'; there are {}",
                known.join(", ")
            ),
            "name it in the profile's aws.glue_jobs if it is called otherwise",
        ))
    }

    async fn read(&self) -> OpsResult<Vec<sdk::Job>> {
        let page = |token: Option<String>| async move {
            let call = self.clients.glue.get_jobs().set_next_token(token);
            let answer = self
                .clients
                .call(LIST, "the account's Glue jobs", call.send())
                .await?;
            Ok::<_, OpsError>((answer.jobs.unwrap_or_default(), answer.next_token))
        };
        let all: Vec<sdk::Job> = pages(page).try_concat().await?;
        let prefix = self.profile.resource_name("");
        let own = |name: &str| match &self.profile.aws.glue_jobs {
            Some(given) => given.iter().any(|given| given == name),
            None => name.starts_with(&prefix),
        };
        let mut own: Vec<sdk::Job> = all
            .into_iter()
            .filter(|job| job.name().is_some_and(own))
            .collect();
        own.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(own)
    }

    async fn read_runs(&self, name: &str, limit: usize) -> OpsResult<Vec<GlueJobRun>> {
        let (mut runs, mut token) = (Vec::new(), None);
        loop {
            let wanted = limit.saturating_sub(runs.len()).clamp(1, 200);
            let call = self
                .clients
                .glue
                .get_job_runs()
                .job_name(name)
                .max_results(i32::try_from(wanted).unwrap_or(200));
            let answer = self
                .clients
                .call(RUNS, name, call.set_next_token(token).send())
                .await?;
            runs.extend(answer.job_runs.unwrap_or_default().into_iter().map(run));
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() || runs.len() >= limit {
                break;
            }
        }
        runs.truncate(limit);
        Ok(runs)
    }
}

fn run(run: sdk::JobRun) -> GlueJobRun {
    GlueJobRun {
        id: run.id.unwrap_or_default(),
        job: run.job_name.unwrap_or_default(),
        state: run
            .job_run_state
            .map_or("UNKNOWN", |state| match state {
                sdk::JobRunState::Error => "ERROR",
                sdk::JobRunState::Expired => "EXPIRED",
                sdk::JobRunState::Failed => "FAILED",
                sdk::JobRunState::Running => "RUNNING",
                sdk::JobRunState::Starting => "STARTING",
                sdk::JobRunState::Stopped => "STOPPED",
                sdk::JobRunState::Stopping => "STOPPING",
                sdk::JobRunState::Succeeded => "SUCCEEDED",
                sdk::JobRunState::Timeout => "TIMEOUT",
                sdk::JobRunState::Waiting => "WAITING",
                _ => "UNKNOWN",
            })
            .to_owned(),
        started: run.started_on.as_ref().map(instant),
        ended: run.completed_on.as_ref().map(instant),
        seconds: u64::try_from(run.execution_time).unwrap_or(0),
        error: run.error_message.filter(|text| !text.is_empty()),
    }
}

#[async_trait]
impl GlueJobs for AwsJobs {
    async fn list(&self) -> OpsResult<Vec<GlueJob>> {
        let jobs = self.read().await?;
        let read = futures::stream::iter(jobs).map(|job| async move {
            let name = job.name.unwrap_or_default();
            OpsResult::Ok(GlueJob {
                last_run: self.read_runs(&name, 1).await?.into_iter().next(),
                kind: job
                    .command
                    .and_then(|command| command.name)
                    .unwrap_or_default(),
                description: job.description.unwrap_or_default(),
                name,
            })
        });
        read.buffered(4).try_collect().await
    }

    async fn runs(&self, job: &str, limit: usize) -> OpsResult<Vec<GlueJobRun>> {
        let name = self.named(job).await?;
        self.read_runs(&name, limit).await
    }

    async fn start(&self, job: &str, arguments: BTreeMap<String, String>) -> OpsResult<String> {
        let name = self.named(job).await?;
        let call = self
            .clients
            .glue
            .start_job_run()
            .job_name(&name)
            .set_arguments(Some(arguments.into_iter().collect()));
        let started = self.clients.call(START, &name, call.send()).await;
        match started {
            Ok(answer) => Ok(answer.job_run_id.unwrap_or_default()),
            Err(error) if error.code == "ConcurrentRunsExceededException" => Err(OpsError::new(
                OpsErrorKind::Conflict,
                error.to_string(),
                "a run of it is under way; wait for it, or stop it with `lakehand jobs stop`",
            )),
            Err(error) => Err(error.into()),
        }
    }

    async fn stop(&self, job: &str, run: &str) -> OpsResult<()> {
        let name = self.named(job).await?;
        let call = self
            .clients
            .glue
            .batch_stop_job_run()
            .job_name(&name)
            .job_run_ids(run);
        let answer = self.clients.call(STOP, &name, call.send()).await?;
        let refused = answer.errors.unwrap_or_default().into_iter().next();
        let Some(detail) = refused.map(|refused| refused.error_detail) else {
            return Ok(());
        };
        let (code, message) = detail.map_or_else(Default::default, |detail| {
            let text = |text: Option<String>| text.unwrap_or_default();
            (text(detail.error_code), text(detail.error_message))
        });
        let kind = if code.contains("NotFound") {
            OpsErrorKind::NotFound
        } else {
            OpsErrorKind::NotPossible
        };
        Err(OpsError::new(
            kind,
            format!("the run {run} of {name} could not be stopped: {code}: {message}"),
            "look with `lakehand jobs runs`",
        ))
    }
}
