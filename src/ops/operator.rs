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
use crate::{
    config::Profile,
    pipeline::{
        dataset::{GoldTable, Stream, streams},
        ports::{Clock, Lake},
        quality::QualityReport,
        text::shell_word,
        window::Window,
    },
    workflow::definition::Definition,
};

/// Executions whose folded events are kept, so that a refresh reads only what is new.
const KEPT: usize = 24;
/// How long a stop waits for another process to end the execution, before the leases stay as they are.
const STOP_WAITS: u32 = 100;

/// How many of a workflow's newest executions are looked through for one that came after another.
const LATER: usize = 100;

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
    pub(super) listed: Arc<tokio::sync::Mutex<Option<(std::time::Instant, super::board::Listed)>>>,
    /// When the newest execution had ended at the last look at the Board; `None` before the first.
    pub(super) newest_end: Arc<Mutex<Option<Option<jiff::Timestamp>>>>,
    /// The name of the protected profile was typed.
    confirmed: bool,
}

/// What was read of an execution so far.
#[derive(Debug)]
struct Known {
    definition: Arc<Definition>,
    /// Whether it is one that ships with the program.
    ours: bool,
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
            newest_end: Arc::default(),
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

    /// A collection is of the profile's streams unless it names others. The definition itself cannot know
    /// which sources are configured.
    fn name_streams(&self, request: &mut StartRequest) {
        if request.workflow.as_ref() != "collect" {
            return;
        }
        if let Some(input) = request.input.as_object_mut() {
            let streams = || streams(&self.parts.profile).into_iter().map(Stream::name);
            input
                .entry("streams")
                .or_insert_with(|| streams().collect());
        }
    }

    async fn known(&self, id: &ExecutionId) -> OpsResult<Arc<Known>> {
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
    async fn folded<'a>(
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
            refused = self.older_rows(&redrive, folded, summary).await?;
        }
        Ok(refused.map_or(redrive, |reason| Redrive::NotPossible { reason }))
    }

    /// The reason not to redrive where that would put rows in place which are older than those of somebody else: what
    /// counts is when each built its rows and when it put them in place, not when it began or ended.
    async fn older_rows(
        &self,
        redrive: &Redrive,
        folded: &Folded,
        stopped: &ExecutionSummary,
    ) -> OpsResult<Option<String>> {
        if !runs::commits_what_was_built_before(redrive, stopped.status) {
            return Ok(None);
        }
        let built = folded.built_at().unwrap_or(stopped.started);
        let workflow = Some(&stopped.workflow);
        let newest = self.parts.workflows.executions(workflow, LATER).await?;
        for one in newest {
            let over = one.ended.is_some_and(|ended| ended < built);
            if one.id == stopped.id || over || !same_rows(&one, stopped) {
                continue;
            }
            if one.status == super::ExecutionStatus::Running {
                return Ok(Some(format!(
                    "{} is working on the same days now; wait for it, or stop it first",
                    one.name
                )));
            }
            if self.committed_at(&one).await?.is_some_and(|at| at > built) {
                return Ok(Some(format!(
                    "{} has put newer rows of the same days in place since this one built its own; start a new execution with the same window",
                    one.name
                )));
            }
        }
        Ok(None)
    }

    /// When an execution that ended put its rows in place, if it did.
    async fn committed_at(&self, one: &ExecutionSummary) -> OpsResult<Option<jiff::Timestamp>> {
        // Folded apart: whoever asks holds the fold of its own execution, and two of them would wait for each other.
        let mut folded = Folded::default();
        folded.extend(&self.parts.workflows.history(&one.id, 0).await?);
        let committed = folded.committed_at();
        // A success without a stage of ours may have put them in place at any time until its end.
        let succeeded = one.status == super::ExecutionStatus::Succeeded;
        Ok(committed.or(one.ended.filter(|_| succeeded)))
    }

    /// Refuses a redrive that would bring older rows back.
    async fn refuse_older_rows(&self, id: &ExecutionId) -> OpsResult<()> {
        let summary = self.parts.workflows.describe(id).await?;
        let known = self.known(id).await?;
        let folded = self.folded(&known, id).await?;
        let redrive = runs::redrive(&folded, &summary, known.ours, self.parts.clock.now());
        match self.older_rows(&redrive, &folded, &summary).await? {
            None => Ok(()),
            Some(reason) => Err(OpsError::new(
                OpsErrorKind::NotPossible,
                format!("{} cannot be redriven: {reason}", summary.name),
                format!("lakehand run {}", shell_word(summary.workflow.as_ref())),
            )),
        }
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
            newest_end: Arc::clone(&self.newest_end),
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
            stage: summary.current_stage.clone().unwrap_or_default(),
            error: "Lakehand.Interrupted".to_owned(),
            cause: "the process that ran it ended without notice; nothing is lost".to_owned(),
            meaning: triage::remedy_for("Lakehand.Interrupted", "", "")
                .map(|row| row.cause.clone()),
            remedy: triage::remedy_for("Lakehand.Interrupted", "", "")
                .map(|row| row.remedy.clone()),
            retry_helps: Some(true),
        };
        Ok(ExecutionDetail {
            stages: folded.stages(&known.definition, &summary, &progress),
            root_cause: match summary.status {
                super::ExecutionStatus::Interrupted => Some(interrupted()),
                super::ExecutionStatus::Running => None,
                _ => {
                    let cause = triage::root_cause(&folded.timeline);
                    self.name_the_credential(cause, summary.ended).await
                }
            },
            redrive: self.redrive_of(&folded, &summary, known.ours).await?,
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
        let names_a_window = request.input.get("window").is_some();
        if request.window.is_none() && !names_a_window {
            let (now, zone) = (self.parts.clock.now(), &self.parts.profile.time_zone);
            let window = Window::default_at(now, zone).map_err(|error| {
                OpsError::new(
                    OpsErrorKind::InvalidInput,
                    error.to_string(),
                    "give --from and --to",
                )
            })?;
            request.window = Some(window);
        }
        self.name_streams(&mut request);
        self.free_leases_of_the_ended().await;
        self.parts.workflows.start(request).await
    }

    async fn stop(&self, id: &ExecutionId, reason: &str) -> OpsResult<()> {
        self.permit(&format!("a stop of {id}")).await?;
        self.parts.workflows.stop(id, reason).await?;
        for _ in 0..STOP_WAITS {
            let summary = self.parts.workflows.describe(id).await?;
            if summary.status.is_ended() {
                // The id as leases know it, which a person may have typed shorter.
                return self.free_leases(&summary.id).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // It is being stopped by the process that runs it; its leases end by themselves.
        Ok(())
    }

    async fn redrive(&self, id: &ExecutionId) -> OpsResult<()> {
        self.permit(&format!("a redrive of {id}")).await?;
        self.refuse_older_rows(id).await?;
        // Its own lease or that of a child that died with it would be waited for until it runs out.
        self.free_leases_of_the_ended().await;
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
