//! [`Operator`]: what an operator does, over the ports of whatever platform the profile names.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use secrecy::SecretString;

use super::{
    Board, Connection, Credential, CredentialSet, CredentialVersion, ExecutionDetail, ExecutionId,
    ExecutionSummary, GlueJob, GlueJobRun, Identity, LogLine, Operations, OpsError, OpsErrorKind,
    OpsResult, Redrive, ReportName, ReportSummary, SignInResult, Stage, StartRequest, Statement,
    WorkflowName,
    crawlers::{Crawler, CrawlerDetail},
    datamart::{Datamart, Snapshot},
    ports::{Account, Crawlers, Credentials, GlueJobs, Gold, Logs, Statements, Workflows},
    reports::ReportCache,
    runs::{self, Folded},
    triage,
};
use lakehand_config::Profile;
use lakehand_pipeline::{
    dataset::GoldTable,
    ports::{Clock, Lake},
    quality::QualityReport,
    text::shell_word,
};
use lakehand_workflow::definition::Definition;

/// Executions whose folded events are kept, so that a refresh reads only what is new.
const KEPT: usize = 24;
/// How long a stop waits for another process to end the execution, before the leases stay as they are.
const STOP_WAITS: u32 = 100;

/// Starts the sample: the simulator, then the workflows against it.
#[async_trait]
pub trait SampleStarter: Send + Sync + fmt::Debug {
    /// Returns the execution to watch.
    async fn start(&self) -> OpsResult<ExecutionId>;
}

/// What an operator works with.
#[derive(Debug, Clone)]
pub struct OperatorParts {
    /// Who and where we are.
    pub identity: Identity,
    /// The profile's settings.
    pub profile: Arc<Profile>,
    /// State machines and executions.
    pub workflows: Arc<dyn Workflows>,
    /// Their log lines.
    pub logs: Arc<dyn Logs>,
    /// What keeps the catalog of tables.
    pub crawlers: Arc<dyn Crawlers>,
    /// Gold tables and their snapshots.
    pub gold: Arc<dyn Gold>,
    /// Data, reports, state.
    pub lake: Lake,
    /// Who and what the platform says we are; see the port.
    pub account: Option<Arc<dyn Account>>,
    /// Glue jobs; `None` on this machine.
    pub glue_jobs: Option<Arc<dyn GlueJobs>>,
    /// The engine's own list of statements; `None` where it keeps none.
    pub statements: Option<Arc<dyn Statements>>,
    /// What signs in to the sources.
    pub credentials: Arc<dyn Credentials>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How to start the sample; `None` where there is none (AWS).
    pub sample: Option<Arc<dyn SampleStarter>>,
}

/// What is known of the executions looked at last, the newest at the end.
type Folds = VecDeque<(ExecutionId, Arc<Known>)>;

/// The one implementation of [`Operations`].
#[derive(Debug)]
pub struct Operator {
    pub(super) parts: OperatorParts,
    pub(super) reports: Arc<ReportCache>,
    folded: Arc<Mutex<Folds>>,
    pub(super) listed: Arc<tokio::sync::Mutex<Option<(jiff::Timestamp, super::board::Listed)>>>,
    pub(super) seen: Arc<super::seen::Seen>,
    /// The name of the protected profile was typed.
    confirmed: bool,
}

/// What was read of an execution so far.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) definition: Arc<Definition>,
    /// Whether it is one that ships with the program.
    pub(super) ours: bool,
    folded: tokio::sync::Mutex<Folded>,
}

impl Operator {
    /// An operator over these parts.
    #[must_use]
    pub fn new(parts: OperatorParts) -> Self {
        Self {
            parts,
            reports: Arc::default(),
            folded: Arc::default(),
            listed: Arc::default(),
            seen: Arc::default(),
            confirmed: false,
        }
    }

    fn glue_jobs_port(&self) -> OpsResult<&dyn GlueJobs> {
        self.parts.glue_jobs.as_deref().ok_or_else(|| {
            OpsError::new(
                OpsErrorKind::NotPossible,
                format!("the profile {} has no Glue jobs", self.parts.profile.name),
                "Glue jobs exist on AWS only; choose such a profile with --profile",
            )
        })
    }

    pub(super) async fn known(&self, id: &ExecutionId) -> OpsResult<Arc<Known>> {
        let kept = |kept: &Folds| {
            kept.iter()
                .find(|(kept, _)| kept == id)
                .map(|(_, known)| Arc::clone(known))
        };
        if let Some(known) = kept(&self.folded.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(known);
        }
        let definition = self.parts.workflows.definition_of(id).await?;
        let fresh = Arc::new(Known {
            ours: self.parts.workflows.is_ours(id, &definition).await,
            definition,
            folded: tokio::sync::Mutex::default(),
        });
        let mut all = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have read it in the meantime.
        if let Some(known) = kept(&all) {
            return Ok(known);
        }
        all.push_back((id.clone(), Arc::clone(&fresh)));
        if all.len() > KEPT {
            all.pop_front();
        }
        Ok(fresh)
    }

    /// What is known of an execution, with what happened since.
    pub(super) async fn folded<'a>(
        &self,
        known: &'a Known,
        id: &ExecutionId,
    ) -> OpsResult<tokio::sync::MutexGuard<'a, Folded>> {
        let mut folded = known.folded.lock().await;
        let last = folded.timeline.head.last_event;
        let new = self.parts.workflows.history(id, last).await?;
        folded.extend(&new);
        Ok(folded)
    }

    /// Stages of an execution.
    pub(super) async fn stages_of(&self, summary: &ExecutionSummary) -> OpsResult<Vec<Stage>> {
        let known = self.known(&summary.id).await?;
        let folded = self.folded(&known, &summary.id).await?;
        let progress = self.progress_of(summary).await?;
        Ok(folded.stages(&known.definition, summary, &progress))
    }

    async fn progress_of(&self, summary: &ExecutionSummary) -> OpsResult<HashMap<String, String>> {
        let mut progress = self.parts.workflows.progress(&summary.id).await?;
        progress.extend(self.parts.logs.progress(&summary.id).await?);
        Ok(progress)
    }

    /// Whether a redrive makes sense, and whether the platform allows it.
    async fn redrive_of(
        &self,
        folded: &Folded,
        summary: &ExecutionSummary,
        ours: bool,
    ) -> OpsResult<Redrive> {
        let redrive = runs::redrive(folded, summary, ours, self.parts.clock.now());
        if matches!(redrive, Redrive::NotPossible { .. }) {
            return Ok(redrive);
        }
        let mut refused = self.parts.workflows.not_redrivable(&summary.id).await?;
        if refused.is_none() {
            refused = self.older_rows(&folded.timeline, &redrive, summary).await?;
        }
        Ok(refused.map_or(redrive, |reason| Redrive::NotPossible { reason }))
    }
}

/// The cause with advice that agrees with the verdict: no redrive is advised where none is possible.
fn agreeing(
    mut cause: super::RootCause,
    redrive: &Redrive,
    summary: &ExecutionSummary,
) -> super::RootCause {
    let advises = |text: &String| text.to_lowercase().contains("redrive");
    if matches!(redrive, Redrive::NotPossible { .. }) && cause.remedy.as_ref().is_some_and(advises)
    {
        let command = super::older_rows::start_anew(summary);
        cause.remedy = Some(format!("Start the window anew: `{command}`."));
    }
    cause
}

/// Whether a profile lets anything be changed: a read-only one never, a protected one where its name was given. For
/// what changes something before there is an operator, and for the operator itself.
///
/// # Errors
/// [`OpsErrorKind::ReadOnly`] with what was refused.
pub fn permitted(profile: &Profile, confirmed: bool, what: &str) -> OpsResult<()> {
    let refused = |why: &str, advice: String| {
        let message = format!("the profile {} is {why}: {what} was refused", profile.name);
        Err(OpsError::new(OpsErrorKind::ReadOnly, message, advice))
    };
    if profile.read_only {
        let advice = "choose another profile, or set read_only = false in its configuration";
        return refused("read-only", advice.to_owned());
    }
    if profile.protected && !confirmed {
        let advice = format!(
            "if you mean it, name it: --confirm {}",
            shell_word(&profile.name)
        );
        return refused("protected", advice);
    }
    Ok(())
}

#[async_trait]
impl Operations for Operator {
    fn identity(&self) -> Identity {
        self.parts.identity.clone()
    }

    fn connection(&self) -> Connection {
        let account = self.parts.account.as_ref();
        account
            .map(|account| account.connection())
            .unwrap_or_default()
    }

    fn forget(&self) {
        self.parts.workflows.forget();
        self.parts.gold.forget();
        self.seen.freshness.forget();
        // Listings that are being read at this moment are new.
        if let Ok(mut listed) = self.listed.try_lock() {
            *listed = None;
        }
    }

    async fn identify(&self) -> OpsResult<()> {
        match &self.parts.account {
            Some(account) => account.identify().await,
            None => Ok(()),
        }
    }

    fn confirmed(&self, profile: &str) -> OpsResult<Option<Arc<dyn Operations>>> {
        if profile != self.parts.profile.name {
            return Err(OpsError::new(
                OpsErrorKind::InvalidInput,
                format!(
                    "'{profile}' is not the name of the profile in force, which is {}",
                    self.parts.profile.name
                ),
                "nothing was changed; look at --profile and LAKEHAND_PROFILE",
            ));
        }
        Ok(Some(Arc::new(Self {
            parts: self.parts.clone(),
            reports: Arc::clone(&self.reports),
            folded: Arc::clone(&self.folded),
            listed: Arc::clone(&self.listed),
            seen: Arc::clone(&self.seen),
            confirmed: true,
        })))
    }

    /// Changes are refused for a read-only profile, for a protected one whose name was not typed, and in another account
    /// than the profile's: here and nowhere else.
    async fn permit(&self, what: &str) -> OpsResult<()> {
        permitted(&self.parts.profile, self.confirmed, what)?;
        match &self.parts.account {
            Some(account) => account.identify().await,
            None => Ok(()),
        }
    }

    async fn board(&self) -> OpsResult<Board> {
        self.read_board().await
    }

    async fn executions(
        &self,
        workflow: Option<&WorkflowName>,
        limit: usize,
    ) -> OpsResult<Vec<ExecutionSummary>> {
        self.parts.workflows.executions(workflow, limit).await
    }

    async fn readable_executions(
        &self,
        limit: usize,
    ) -> OpsResult<(Vec<ExecutionSummary>, Vec<super::Unread>)> {
        self.read_executions(limit).await
    }

    async fn execution(&self, id: &ExecutionId, after_event: u64) -> OpsResult<ExecutionDetail> {
        let summary = self.parts.workflows.describe(id).await?;
        let known = self.known(id).await?;
        let mut folded = known.folded.lock().await;
        let last = folded.timeline.head.last_event;
        // One read serves both: what the caller lacks, and what the fold lacks.
        let mut events = self
            .parts
            .workflows
            .history(id, after_event.min(last))
            .await?;
        folded.extend(&events);
        events.retain(|event| event.id > after_event);
        let (input, output) = self.parts.workflows.payloads(id).await?;
        let progress = self.progress_of(&summary).await?;
        let interrupted = || super::RootCause {
            // What is stored beside it may be of an older program, which kept the last event's stage.
            stage: super::stages::open_stage_names(&folded.timeline)
                .or_else(|| summary.current_stage.clone())
                .unwrap_or_default(),
            error: "Lakehand.Interrupted".to_owned(),
            cause: "the process that ran it ended without notice; nothing is lost".to_owned(),
            meaning: triage::remedy_for("Lakehand.Interrupted", "", "")
                .map(|row| row.cause.clone()),
            remedy: triage::remedy_for("Lakehand.Interrupted", "", "")
                .map(|row| row.remedy.clone()),
            retry_helps: Some(true),
            others: Vec::new(),
        };
        let redrive = self.redrive_of(&folded, &summary, known.ours).await?;
        let root_cause = match summary.status {
            super::ExecutionStatus::Interrupted => Some(interrupted()),
            super::ExecutionStatus::Running => None,
            _ => {
                let cause = triage::root_cause(&folded.timeline);
                self.name_the_credential(cause, summary.ended).await
            }
        };
        Ok(ExecutionDetail {
            stages: folded.stages(&known.definition, &summary, &progress),
            root_cause: root_cause.map(|mut cause| {
                cause.others = folded.other_failures();
                agreeing(cause, &redrive, &summary)
            }),
            redrive,
            graph: Arc::new(known.definition.graph()),
            events,
            input: input.into(),
            output: output.map(Into::into),
            summary,
        })
    }

    async fn logs(
        &self,
        id: &ExecutionId,
        stage: Option<&str>,
        after_line: u64,
        limit: usize,
    ) -> OpsResult<Vec<LogLine>> {
        self.parts.logs.lines(id, stage, after_line, limit).await
    }

    async fn start(&self, mut request: StartRequest) -> OpsResult<ExecutionId> {
        self.permit(&format!("a start of {}", request.workflow))
            .await?;
        self.complete(&mut request).await?;
        self.free_leases_of_the_ended(None).await;
        self.parts.workflows.start(request).await
    }

    async fn stop(&self, id: &ExecutionId, reason: &str) -> OpsResult<()> {
        self.permit(&format!("a stop of {id}")).await?;
        self.parts.workflows.stop(id, reason).await?;
        for _ in 0..STOP_WAITS {
            let summary = self.parts.workflows.describe(id).await?;
            if summary.status.is_ended() {
                // The id as leases know it, which a person may have typed shorter.
                self.free_leases(&summary.id).await?;
                // Its children were stopped with it.
                self.free_leases_of_the_ended(None).await;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // It is being stopped by the process that runs it; its leases end by themselves.
        Ok(())
    }

    async fn redrive(&self, id: &ExecutionId) -> OpsResult<()> {
        self.permit(&format!("a redrive of {id}")).await?;
        self.prepare_redrive(id).await?;
        self.parts.workflows.redrive(id).await
    }

    async fn reports(&self) -> OpsResult<Vec<ReportSummary>> {
        self.read_reports().await
    }

    async fn report_file(&self, name: &ReportName) -> OpsResult<PathBuf> {
        self.fetch_report(name).await
    }

    async fn quality(&self, id: &ExecutionId) -> OpsResult<Vec<QualityReport>> {
        self.quality_of(id).await
    }

    async fn datamart(&self) -> OpsResult<Datamart> {
        self.read_datamart().await
    }

    async fn snapshots(&self, table: GoldTable) -> OpsResult<Vec<Snapshot>> {
        self.table_snapshots(table).await
    }

    async fn rollback(&self, table: GoldTable, version: u64) -> OpsResult<Snapshot> {
        self.permit(&format!("a roll-back of {}", table.name()))
            .await?;
        self.restore_snapshot(table, version).await
    }

    async fn sources(&self) -> OpsResult<super::Sources> {
        self.read_sources().await
    }

    async fn crawlers(&self) -> OpsResult<Vec<Crawler>> {
        self.list_crawlers().await
    }

    async fn crawler(&self, name: &str) -> OpsResult<CrawlerDetail> {
        self.show_crawler(name).await
    }

    async fn crawl(&self, name: &str) -> OpsResult<()> {
        self.permit(&format!("a start of the crawler {name}"))
            .await?;
        Ok(self.parts.crawlers.start(name).await?)
    }

    async fn stop_crawler(&self, name: &str) -> OpsResult<()> {
        self.permit(&format!("a stop of the crawler {name}"))
            .await?;
        Ok(self.parts.crawlers.stop(name).await?)
    }

    async fn glue_jobs(&self) -> OpsResult<Vec<GlueJob>> {
        self.glue_jobs_port()?.list().await
    }

    async fn glue_job_runs(&self, job: &str, limit: usize) -> OpsResult<Vec<GlueJobRun>> {
        self.glue_jobs_port()?.runs(job, limit).await
    }

    async fn start_glue_job(
        &self,
        job: &str,
        arguments: BTreeMap<String, String>,
    ) -> OpsResult<String> {
        self.permit(&format!("a start of the Glue job {job}"))
            .await?;
        self.glue_jobs_port()?.start(job, arguments).await
    }

    async fn stop_glue_job(&self, job: &str, run: &str) -> OpsResult<()> {
        self.permit(&format!("a stop of the Glue job {job}"))
            .await?;
        self.glue_jobs_port()?.stop(job, run).await
    }

    async fn statements(&self, limit: usize) -> OpsResult<Vec<Statement>> {
        self.list_statements(limit).await
    }

    async fn statement(&self, id: &str) -> OpsResult<Statement> {
        self.show_statement(id).await
    }

    async fn stop_statement(&self, id: &str) -> OpsResult<()> {
        self.permit(&format!("a stop of the statement {id}"))
            .await?;
        self.cancel_statement(id).await
    }

    async fn credentials(&self) -> OpsResult<Vec<Credential>> {
        self.list_credentials().await
    }

    async fn credential_history(&self, path: &str) -> OpsResult<Vec<CredentialVersion>> {
        self.versions_of(path).await
    }

    async fn set_credential(
        &self,
        path: &str,
        value: SecretString,
        sign_in_first: bool,
    ) -> OpsResult<CredentialSet> {
        self.permit(&format!("setting {path}")).await?;
        self.store_credential(path, value, sign_in_first).await
    }

    async fn test_credentials(&self, source: &str) -> OpsResult<SignInResult> {
        self.sign_in_to(source).await
    }

    async fn start_sample(&self) -> OpsResult<ExecutionId> {
        self.permit("the sample").await?;
        match &self.parts.sample {
            Some(sample) => sample.start().await,
            None => Err(OpsError::new(
                OpsErrorKind::NotPossible,
                format!("the profile {} has no sample data", self.parts.profile.name),
                "use the built-in profile: lakehand --profile local demo",
            )),
        }
    }
}
