//! Gold tables for the operator: snapshots by the engine, plans by the pipeline.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{LazyEngine, StandardError, jobs::LocalJobs, workflows::JobCall};
use lakehand_ops::{Snapshot, ports::Gold};
use lakehand_pipeline::{
    dataset::GoldTable,
    gold::datamart::{self, DatamartPlan},
    jobs::{ErrorType, JobError},
    ports::{QueryEngine, QueryError},
};

/// The gold tables of this machine.
#[derive(Debug)]
pub(super) struct LocalGold {
    pub(super) engine: Arc<LazyEngine>,
    pub(super) jobs: Arc<LocalJobs>,
}

#[async_trait]
impl Gold for LocalGold {
    async fn snapshots(&self, table: GoldTable) -> Result<Vec<Snapshot>, QueryError> {
        self.engine.get()?.snapshots(table.name()).await
    }

    async fn restore(&self, table: GoldTable, version: u64) -> Result<Snapshot, QueryError> {
        self.engine.get()?.restore(table.name(), version).await
    }

    async fn plan_datamart(&self) -> Result<DatamartPlan, JobError> {
        self.engine
            .get()
            .map_err(|error| JobError::new(ErrorType::QueryFailed, error.to_string()))?;
        let call = JobCall {
            execution: "plan".to_owned(),
            stage: "plan".to_owned(),
            attempt: 1,
            log: Arc::new(StandardError),
            cancel: CancellationToken::new(),
        };
        datamart::plan(&self.jobs.context(call).await?).await
    }

    async fn explain(&self, select: &str) -> Result<Vec<String>, QueryError> {
        let sql = format!("EXPLAIN {select}");
        let rows = self.engine.query(&sql, &CancellationToken::new()).await?;
        rows.first_column().await
    }
}
