//! Gold tables on Athena.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::functions::Functions;
use crate::{
    ops::{datamart::Snapshot, ports::Gold},
    pipeline::{
        dataset::GoldTable,
        gold::datamart::DatamartPlan,
        jobs::JobError,
        ports::{QueryEngine, QueryError, QueryRows},
    },
};

/// Stand-in until the data ports bring theirs.
#[derive(Debug)]
pub(super) struct AwsGold {
    functions: Functions,
}

impl AwsGold {
    pub(super) fn new(functions: Functions) -> Self {
        Self { functions }
    }
}

#[async_trait]
impl Gold for AwsGold {
    async fn snapshots(&self, _: GoldTable) -> Result<Vec<Snapshot>, QueryError> {
        Ok(Vec::new())
    }
    async fn restore(&self, _: GoldTable, _: u64) -> Result<Snapshot, QueryError> {
        Err(QueryError::Cancelled)
    }
    async fn plan_datamart(&self) -> Result<DatamartPlan, JobError> {
        Err(JobError::new(
            crate::pipeline::jobs::ErrorType::InvalidInput,
            "not there yet",
        ))
    }
    async fn query(&self, sql: &str) -> Result<QueryRows, QueryError> {
        self.functions
            .engine()
            .query(sql, &CancellationToken::new())
            .await
    }
}
