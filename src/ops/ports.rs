//! Ports only an operator needs: workflows, logs, crawlers.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    ExecutionId, ExecutionStatus, ExecutionSummary, LogLine, OpsResult, StartRequest, WorkflowName,
    crawlers::{Crawler, CrawlerDetail, CrawlerError},
};
use crate::workflow::{definition::Definition, history::HistoryEvent};

/// State machines and their executions: Step Functions, or the embedded interpreter.
#[async_trait]
pub trait Workflows: Send + Sync + std::fmt::Debug {
    /// The workflows of the profile.
    async fn list(&self) -> OpsResult<Vec<WorkflowName>>;
    /// The definition a workflow has now.
    async fn definition(&self, workflow: &WorkflowName) -> OpsResult<Arc<Definition>>;
    /// The definition an execution was started with.
    async fn definition_of(&self, id: &ExecutionId) -> OpsResult<Arc<Definition>>;
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
