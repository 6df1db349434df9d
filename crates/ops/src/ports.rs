//! Ports only an operator needs: workflows, logs, crawlers, credentials, snapshots of gold, stacks.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use super::{
    Connection, CredentialState, CredentialVersion, ExecutionId, ExecutionStatus, ExecutionSummary,
    GlueJob, GlueJobRun, LogLine, NeededCredential, OpsResult, SignInResult, StartRequest,
    Statement, WorkflowName,
    crawlers::{Crawler, CrawlerDetail, CrawlerError},
    deploy::{Drifted, Prepared, StackEvent, StackRequest, StackState},
};
use crate::datamart::Snapshot;
use lakehand_pipeline::{
    dataset::GoldTable,
    gold::datamart::DatamartPlan,
    jobs::JobError,
    ports::{ParameterReference, QueryError},
};
use lakehand_workflow::{definition::Definition, history::HistoryEvent};

/// State machines and their executions: Step Functions, or the embedded interpreter.
#[async_trait]
pub trait Workflows: Send + Sync + std::fmt::Debug {
    /// The workflows of the profile.
    async fn list(&self) -> OpsResult<Vec<WorkflowName>>;
    /// The definition a workflow has now.
    async fn definition(&self, workflow: &WorkflowName) -> OpsResult<Arc<Definition>>;
    /// The definition an execution was started with.
    async fn definition_of(&self, id: &ExecutionId) -> OpsResult<Arc<Definition>>;
    /// Whether an execution's definition is one that ships with the program, as it reads where the execution ran. Only
    /// of those is it known what happens when a stage runs twice.
    async fn is_ours(&self, id: &ExecutionId, definition: &Definition) -> bool {
        let _ = (id, definition);
        false
    }
    /// Executions, newest first.
    async fn executions(
        &self,
        workflow: Option<&WorkflowName>,
        limit: usize,
    ) -> OpsResult<Vec<ExecutionSummary>>;
    /// One execution's header.
    async fn describe(&self, id: &ExecutionId) -> OpsResult<ExecutionSummary>;
    /// When a workflow last succeeded. Looks through the newest executions where a platform knows no better.
    async fn last_success(&self, workflow: &WorkflowName) -> OpsResult<Option<Timestamp>> {
        let newest = self.executions(Some(workflow), 100).await?;
        Ok(newest
            .into_iter()
            .filter(|one| one.status == ExecutionStatus::Succeeded)
            .filter_map(|one| one.ended)
            .max())
    }
    /// Input and, once ended, output as JSON text.
    async fn payloads(&self, id: &ExecutionId) -> OpsResult<(String, Option<String>)>;
    /// Events with an id above `after`, oldest first.
    async fn history(&self, id: &ExecutionId, after: u64) -> OpsResult<Vec<HistoryEvent>>;
    /// How far stages are whose work the history does not tell (the items of a distributed Map), by stage name.
    async fn progress(&self, id: &ExecutionId) -> OpsResult<HashMap<String, String>> {
        let _ = id;
        Ok(HashMap::new())
    }
    /// Why the platform itself refuses a redrive, beyond what the execution's status and age say.
    async fn not_redrivable(&self, id: &ExecutionId) -> OpsResult<Option<String>> {
        let _ = id;
        Ok(None)
    }
    /// What is asked next is to be as it is then, not as it was a moment ago.
    fn forget(&self) {}
    /// Starts an execution; the same name again is refused.
    async fn start(&self, request: StartRequest) -> OpsResult<ExecutionId>;
    /// Stops a running execution.
    async fn stop(&self, id: &ExecutionId, reason: &str) -> OpsResult<()>;
    /// Continues from what did not finish.
    async fn redrive(&self, id: &ExecutionId) -> OpsResult<()>;
}

/// Structured lines of executions.
#[async_trait]
pub trait Logs: Send + Sync + std::fmt::Debug {
    /// Lines after `after_line`, oldest first.
    async fn lines(
        &self,
        id: &ExecutionId,
        stage: Option<&str>,
        after_line: u64,
        limit: usize,
    ) -> OpsResult<Vec<LogLine>>;
    /// The newest line of progress of every stage, by stage name, where a platform keeps it.
    async fn progress(&self, id: &ExecutionId) -> OpsResult<HashMap<String, String>> {
        let _ = id;
        Ok(HashMap::new())
    }
}

/// What makes new partitions and columns known to SQL: Glue, or the local catalog. A name may be given
/// whole (`lakehand-local-affise`) or by its last part (`affise`).
#[async_trait]
pub trait Crawlers: Send + Sync + std::fmt::Debug {
    /// Every crawler of the profile.
    async fn list(&self) -> Result<Vec<Crawler>, CrawlerError>;
    /// One crawler with its past crawls and the tables it keeps.
    async fn show(&self, name: &str) -> Result<CrawlerDetail, CrawlerError>;
    /// Starts a crawl and returns at once; refused while one runs.
    async fn start(&self, name: &str) -> Result<(), CrawlerError>;
    /// Asks a running crawl to stop; it ends as CANCELLED.
    async fn stop(&self, name: &str) -> Result<(), CrawlerError>;
}

/// Whose account the platform is, and how the way to it stands.
#[async_trait]
pub trait Account: Send + Sync + std::fmt::Debug {
    /// What is known; asks nobody.
    fn connection(&self) -> Connection;
    /// Asks whose account it is. An error when it is not the one that the profile names.
    async fn identify(&self) -> OpsResult<()>;
}

/// Glue jobs of a deployment that was not made by our stacks. A name may be given without the profile's pattern.
#[async_trait]
pub trait GlueJobs: Send + Sync + std::fmt::Debug {
    /// Every job, with its newest run.
    async fn list(&self) -> OpsResult<Vec<GlueJob>>;
    /// Runs of a job, newest first.
    async fn runs(&self, job: &str, limit: usize) -> OpsResult<Vec<GlueJobRun>>;
    /// Starts a job; returns the run's id.
    async fn start(&self, job: &str, arguments: BTreeMap<String, String>) -> OpsResult<String>;
    /// Stops a run.
    async fn stop(&self, job: &str, run: &str) -> OpsResult<()>;
}

/// The statements of an engine that keeps a list of them.
#[async_trait]
pub trait Statements: Send + Sync + std::fmt::Debug {
    /// The newest ones, newest first, at most `limit`.
    async fn list(&self, limit: usize) -> OpsResult<Vec<Statement>>;
    /// One statement by its id.
    async fn show(&self, id: &str) -> OpsResult<Statement>;
    /// Stops one; refused when it has ended.
    async fn stop(&self, id: &str) -> OpsResult<()>;
    /// Bytes at which a statement is stopped by the engine itself.
    async fn scan_limit(&self) -> OpsResult<Option<u64>>;
}

/// The parameter store as an operator sees it: everything but values.
#[async_trait]
pub trait Credentials: Send + Sync + std::fmt::Debug {
    /// How the credential behind a reference stands.
    async fn state(
        &self,
        reference: &ParameterReference,
        needed: &NeededCredential,
    ) -> OpsResult<CredentialState>;
    /// Its versions, oldest first; empty when it was never set.
    async fn history(&self, reference: &ParameterReference) -> OpsResult<Vec<CredentialVersion>>;
    /// Stores a new version; returns its number.
    async fn put(&self, reference: &ParameterReference, value: SecretString) -> OpsResult<u64>;
    /// Signs in to a source, with one credential replaced by a candidate that is not stored. That the source
    /// refuses is a result, no error.
    async fn sign_in(
        &self,
        source: &str,
        candidate: Option<(String, SecretString)>,
    ) -> OpsResult<SignInResult>;
}

/// Gold tables beyond what SQL files do: snapshots and plans.
#[async_trait]
pub trait Gold: Send + Sync + std::fmt::Debug {
    /// The snapshots of a table, newest first.
    async fn snapshots(&self, table: GoldTable) -> Result<Vec<Snapshot>, QueryError>;
    /// Puts a snapshot's rows back by a new commit.
    async fn restore(&self, table: GoldTable, version: u64) -> Result<Snapshot, QueryError>;
    /// What a build of the datamart would work with.
    async fn plan_datamart(&self) -> Result<DatamartPlan, JobError>;
    /// The engine's plan of a SELECT, line by line.
    async fn explain(&self, select: &str) -> Result<Vec<String>, QueryError>;
    /// What is asked next is to be as it is then, not as it was a moment ago.
    fn forget(&self) {}
}

/// What a deployment is made with: CloudFormation, and a store for what its templates refer to.
#[async_trait]
pub trait Stacks: Send + Sync + std::fmt::Debug {
    /// Account and region.
    async fn place(&self) -> OpsResult<(String, String)>;
    /// A stack as it is; `None` when it was never made, or is gone.
    async fn state(&self, stack: &str) -> OpsResult<Option<StackState>>;
    /// Finds out what a deployment would change, and keeps it as a change set.
    async fn prepare(&self, request: &StackRequest) -> OpsResult<Prepared>;
    /// Forgets a change set, and a stack that only it would have made.
    async fn discard(&self, stack: &str, change_set: &str, creates: bool) -> OpsResult<()>;
    /// Starts a change set and returns at once.
    async fn execute(&self, stack: &str, change_set: &str) -> OpsResult<()>;
    /// Starts the deletion of a stack and returns at once.
    async fn delete(&self, stack: &str) -> OpsResult<()>;
    /// The newest events of a stack, oldest first, those after the event `after` only.
    async fn events(&self, stack: &str, after: Option<&str>) -> OpsResult<Vec<StackEvent>>;
    /// Compares a stack's resources with what it made; takes minutes.
    async fn drift(&self, stack: &str) -> OpsResult<Vec<Drifted>>;
    /// Puts an object where it is not the same already; whether it was put.
    async fn upload(
        &self,
        bucket: &str,
        key: &str,
        bytes: Vec<u8>,
        sha256: &str,
    ) -> OpsResult<bool>;
    /// Deletes every version of every object of a bucket, then the bucket; how many versions there were.
    async fn delete_bucket(&self, bucket: &str) -> OpsResult<u64>;
}
