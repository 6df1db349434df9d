//! What the operator does. Every key of the console and every verb of the CLI ends in one of these
//! calls; nothing here draws or parses arguments.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod board;
pub mod crawlers;
pub mod credentials;
pub mod datamart;
pub mod deploy;
pub mod freshness;
pub mod glue_jobs;
pub mod inputs;
pub mod json;
mod leases;
pub mod model;
mod older_rows;
pub mod operator;
pub mod parts;
pub mod ports;
pub mod quality;
pub mod reports;
pub mod runs;
pub mod schedule;
mod seen;
pub mod sources;
pub mod stages;
pub mod start;
pub mod statements;
pub mod triage;
mod unread;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use secrecy::SecretString;

use lakehand_pipeline::{dataset::GoldTable, quality::QualityReport};

pub use crawlers::{
    CataloguedTable, Crawl, CrawlStatus, Crawler, CrawlerDetail, CrawlerError, CrawlerState,
};
pub use credentials::{
    Credential, CredentialKind, CredentialSet, CredentialState, CredentialVersion,
    NeededCredential, SignInResult, SignInVerdict,
};
pub use datamart::{
    CostEstimate, Datamart, DatamartSource, LastBuild, Snapshot, StatementInFlight,
};
pub use glue_jobs::{GlueJob, GlueJobRun};
pub use model::*;
pub use operator::{Operator, OperatorParts, SampleStarter};
pub use quality::QualityBadge;
pub use sources::Sources;
pub use statements::{Statement, StatementState};
pub use unread::{Part, Unread};

/// An operation that did not work: what was tried, on what, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OpsError {
    /// What kind of trouble, for exit codes and badges.
    pub kind: OpsErrorKind,
    /// What was tried, on what, and why it failed.
    pub message: String,
    /// One line of advice.
    pub advice: String,
}

/// Kinds of trouble an operator's call can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpsErrorKind {
    /// There is no such execution, report, workflow.
    NotFound,
    /// The call is not possible in this state: redrive of a success, stop of an ended execution.
    NotPossible,
    /// Somebody else does the same thing right now.
    Conflict,
    /// The profile is read-only, protected and not confirmed, or for another account.
    ReadOnly,
    /// What was given is malformed.
    InvalidInput,
    /// The operator's own credentials are missing or expired.
    SignedOut,
    /// The platform failed.
    Platform,
}

impl OpsError {
    /// A failure of `kind`.
    pub fn new(kind: OpsErrorKind, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            advice: advice.into(),
        }
    }

    /// A failure of the store behind `what`, with the store's own advice: it knows whether it is a folder of this
    /// machine or a bucket.
    #[must_use]
    pub fn of_store(what: &str, error: &lakehand_pipeline::ports::StoreError) -> Self {
        let message = format!("{what}: {}", error.without_advice());
        Self::new(OpsErrorKind::Platform, message, error.advice())
    }
}

/// Result of an operation.
pub type OpsResult<T> = Result<T, OpsError>;

/// Everything the console and the CLI can ask for. The console holds an `Arc<dyn Operations>` and
/// cannot tell which platform answers; tests hold a scripted one.
#[async_trait]
pub trait Operations: Send + Sync + std::fmt::Debug {
    /// Profile, account and policy, for the header.
    fn identity(&self) -> Identity;
    /// How the way to the platform stands; asks nobody.
    fn connection(&self) -> Connection {
        Connection::default()
    }
    /// Asks whose account this is. An error when it is not the one that the profile names, or when nobody is signed in.
    async fn identify(&self) -> OpsResult<()> {
        Ok(())
    }
    /// What is asked next is to be as it is then, not as it was a moment ago.
    fn forget(&self) {}
    /// The same operations for a change in a protected profile, whose name was typed; `None` where nothing needs that.
    fn confirmed(&self, profile: &str) -> OpsResult<Option<Arc<dyn Operations>>> {
        let _ = profile;
        Ok(None)
    }
    /// Whether the profile allows a change; for what is changed beside these operations. `what` is for the refusal.
    async fn permit(&self, what: &str) -> OpsResult<()> {
        let _ = what;
        Ok(())
    }
    /// The Board: every workflow's stages and last executions, freshness, next runs, latest report.
    async fn board(&self) -> OpsResult<Board>;
    /// Executions, newest first, at most `limit`, of one workflow or of all.
    async fn executions(
        &self,
        workflow: Option<&WorkflowName>,
        limit: usize,
    ) -> OpsResult<Vec<ExecutionSummary>>;
    /// Executions of every workflow that can be read, newest first, at most `limit`; then those that cannot, and why.
    async fn readable_executions(
        &self,
        limit: usize,
    ) -> OpsResult<(Vec<ExecutionSummary>, Vec<Unread>)> {
        Ok((self.executions(None, limit).await?, Vec::new()))
    }
    /// One execution: stages, root cause, graph, redrive eligibility. Events after `after_event` only.
    async fn execution(&self, id: &ExecutionId, after_event: u64) -> OpsResult<ExecutionDetail>;
    /// Log lines of an execution (of one stage, or of all), after `after_line`, at most `limit`.
    async fn logs(
        &self,
        id: &ExecutionId,
        stage: Option<&str>,
        after_line: u64,
        limit: usize,
    ) -> OpsResult<Vec<LogLine>>;
    /// Starts a workflow; a repeated start under the same name is refused, not doubled.
    async fn start(&self, request: StartRequest) -> OpsResult<ExecutionId>;
    /// Asks a running execution to stop; ends as aborted.
    async fn stop(&self, id: &ExecutionId, reason: &str) -> OpsResult<()>;
    /// Continues a failed, stopped, timed-out or interrupted execution from what did not finish.
    async fn redrive(&self, id: &ExecutionId) -> OpsResult<()>;
    /// Reports, newest first.
    async fn reports(&self) -> OpsResult<Vec<ReportSummary>>;
    /// The file behind a report on this machine (downloaded when it lies elsewhere).
    async fn report_file(&self, name: &ReportName) -> OpsResult<std::path::PathBuf>;
    /// Every credential the profile needs and how it stands; never a value.
    async fn credentials(&self) -> OpsResult<Vec<Credential>>;
    /// The versions of a credential, oldest first; never a value.
    async fn credential_history(&self, path: &str) -> OpsResult<Vec<CredentialVersion>>;
    /// Stores a new version of a credential after a check of its shape, and after a sign-in with it when asked to.
    async fn set_credential(
        &self,
        path: &str,
        value: SecretString,
        sign_in_first: bool,
    ) -> OpsResult<CredentialSet>;
    /// Signs in to a source for real.
    async fn test_credentials(&self, source: &str) -> OpsResult<SignInResult>;
    /// Starts the built-in simulator, then collect and daily-report against it; returns what to watch.
    async fn start_sample(&self) -> OpsResult<ExecutionId>;
    /// What the checks of data quality found in an execution, a report for each table it checked.
    async fn quality(&self, id: &ExecutionId) -> OpsResult<Vec<QualityReport>> {
        let _ = id;
        Ok(Vec::new())
    }
    /// The marketing datamart: plan, sources, cost, what runs, the newest snapshot.
    async fn datamart(&self) -> OpsResult<Datamart> {
        Err(unsupported("datamart"))
    }
    /// The snapshots of a gold table, newest first; none before its first build.
    async fn snapshots(&self, table: GoldTable) -> OpsResult<Vec<Snapshot>> {
        let _ = table;
        Err(unsupported("snapshots"))
    }
    /// Puts a snapshot's rows back by a new commit, which is returned. The caller has asked for confirmation.
    async fn rollback(&self, table: GoldTable, version: u64) -> OpsResult<Snapshot> {
        let _ = (table, version);
        Err(unsupported("snapshots"))
    }
    /// Every stream, quota and crawler.
    async fn sources(&self) -> OpsResult<Sources> {
        Err(unsupported("sources"))
    }
    /// Every crawler.
    async fn crawlers(&self) -> OpsResult<Vec<Crawler>> {
        Err(unsupported("crawlers"))
    }
    /// One crawler: past crawls, and the tables the catalog knows of it.
    async fn crawler(&self, name: &str) -> OpsResult<CrawlerDetail> {
        let _ = name;
        Err(unsupported("crawlers"))
    }
    /// Starts a crawler; refused while it runs.
    async fn crawl(&self, name: &str) -> OpsResult<()> {
        let _ = name;
        Err(unsupported("crawlers"))
    }
    /// Stops a running crawler.
    async fn stop_crawler(&self, name: &str) -> OpsResult<()> {
        let _ = name;
        Err(unsupported("crawlers"))
    }
    /// The newest SQL statements, newest first.
    async fn statements(&self, limit: usize) -> OpsResult<Vec<Statement>> {
        let _ = limit;
        Err(unsupported("list of statements"))
    }
    /// One SQL statement.
    async fn statement(&self, id: &str) -> OpsResult<Statement> {
        let _ = id;
        Err(unsupported("list of statements"))
    }
    /// Stops a statement that is under way.
    async fn stop_statement(&self, id: &str) -> OpsResult<()> {
        let _ = id;
        Err(unsupported("list of statements"))
    }
    /// Glue jobs of a deployment, each with its newest run.
    async fn glue_jobs(&self) -> OpsResult<Vec<GlueJob>> {
        Err(unsupported("Glue jobs"))
    }
    /// Runs of a Glue job, newest first.
    async fn glue_job_runs(&self, job: &str, limit: usize) -> OpsResult<Vec<GlueJobRun>> {
        let _ = (job, limit);
        Err(unsupported("Glue jobs"))
    }
    /// Starts a Glue job; returns the run's id.
    async fn start_glue_job(
        &self,
        job: &str,
        arguments: BTreeMap<String, String>,
    ) -> OpsResult<String> {
        let _ = (job, arguments);
        Err(unsupported("Glue jobs"))
    }
    /// Stops a run of a Glue job.
    async fn stop_glue_job(&self, job: &str, run: &str) -> OpsResult<()> {
        let _ = (job, run);
        Err(unsupported("Glue jobs"))
    }
}

fn unsupported(what: &str) -> OpsError {
    OpsError::new(
        OpsErrorKind::NotPossible,
        format!("this platform has no {what}"),
        "choose another profile",
    )
}
