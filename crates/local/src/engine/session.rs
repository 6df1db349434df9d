//! What statements are planned and run in: names, functions, memory and disk for spilling.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use arrow::record_batch::RecordBatch;
use datafusion::{
    execution::{
        SendableRecordBatchStream, SessionState,
        memory_pool::{FairSpillPool, TrackConsumersPool},
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    logical_expr::LogicalPlan,
    physical_plan::{
        ExecutionPlan, ExecutionPlanProperties, execute_stream, execute_stream_partitioned,
    },
    prelude::{SessionConfig, SessionContext},
    sql::{parser::Statement as DataFusionStatement, sqlparser::ast},
};

use super::{
    EngineSettings,
    catalog::{LakeCatalog, Tables},
    error::EngineError,
};

use lakehand_engine::{
    Strictness,
    command::{self, Command},
    rewrite,
};

/// Rows of a batch that only passes through.
const PASSING_ROWS: usize = 2048;

/// What every statement starts from.
#[derive(Clone)]
pub(crate) struct Session {
    pub(super) tables: Arc<Tables>,
    pub(super) state: Arc<SessionState>,
    /// Parquet files that this engine knows by a name.
    pub(super) files: Arc<BTreeMap<String, PathBuf>>,
}

impl Session {
    /// A DataFusion session whose names are looked up in `catalog`.
    pub(super) fn context(&self, catalog: LakeCatalog) -> SessionContext {
        let mut state = (*self.state).clone();
        state.register_catalog_list(Arc::new(catalog));
        SessionContext::new_with_state(state)
    }

    /// How closely Athena's refusals are followed.
    pub(super) fn strictness(&self) -> Strictness {
        Strictness::of(self.state.config())
    }

    fn with_state(&self, change: impl FnOnce(&mut SessionState)) -> Self {
        let mut state = (*self.state).clone();
        change(&mut state);
        Self {
            state: Arc::new(state),
            ..self.clone()
        }
    }

    /// The same session on one thread: a plain scan then gives its rows in the order of the files. What
    /// only passes through gains nothing from large batches, which cost memory at every step.
    pub(super) fn in_order(&self) -> Self {
        self.with_state(|state| {
            let config = state.config().clone();
            *state.config_mut() = config
                .with_target_partitions(1)
                .with_batch_size(PASSING_ROWS);
        })
    }

    /// The same session, with joins that sort and spill instead of hashing in memory.
    pub(super) fn spilling(&self) -> Self {
        self.with_state(|state| state.config_mut().options_mut().optimizer.prefer_hash_join = false)
    }

    pub(super) fn catalog(&self) -> LakeCatalog {
        LakeCatalog {
            session: self.clone(),
            overlay: Default::default(),
            view_depth: 0,
        }
    }

    /// Plans a SELECT given as text in Trino's spelling: a view's, or one that the engine wrote.
    pub(super) async fn plan_sql(
        &self,
        sql: &str,
        catalog: LakeCatalog,
    ) -> datafusion::common::Result<LogicalPlan> {
        // It was looked at where it was written.
        match command::parse_as(sql, Strictness::Lenient) {
            Ok(Command::Select(query)) => self.plan_query(*query, catalog).await,
            Ok(other) => Err(datafusion::common::DataFusionError::Plan(format!(
                "{} where a SELECT is needed",
                other.name()
            ))),
            Err(error) => Err(datafusion::common::DataFusionError::SQL(
                Box::new(error),
                None,
            )),
        }
    }

    pub(super) async fn plan_query(
        &self,
        mut query: ast::Query,
        catalog: LakeCatalog,
    ) -> datafusion::common::Result<LogicalPlan> {
        rewrite::query_as(&mut query, self.strictness());
        let statement =
            DataFusionStatement::Statement(Box::new(ast::Statement::Query(Box::new(query))));
        // A planned tree of joins can be deep; the caller's future must stay small.
        Box::pin(self.context(catalog).state().statement_to_plan(statement)).await
    }

    pub(super) async fn physical(
        &self,
        plan: &LogicalPlan,
    ) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        self.context(self.catalog())
            .state()
            .create_physical_plan(plan)
            .await
    }

    /// The plan's rows as one stream.
    pub(super) fn stream(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
    ) -> datafusion::common::Result<SendableRecordBatchStream> {
        execute_stream(Arc::clone(plan), self.state.task_ctx())
    }

    /// The plan's rows, a stream for each of its parts, to be read at the same time.
    pub(super) fn streams(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
    ) -> datafusion::common::Result<Vec<SendableRecordBatchStream>> {
        if plan.output_partitioning().partition_count() <= 1 {
            return Ok(vec![self.stream(plan)?]);
        }
        execute_stream_partitioned(Arc::clone(plan), self.state.task_ctx())
    }

    /// All rows of a small query.
    pub(super) async fn collect(
        &self,
        sql: &str,
        catalog: LakeCatalog,
    ) -> Result<Vec<RecordBatch>, EngineError> {
        let plan = self.plan_sql(sql, catalog).await?;
        let physical = self.physical(&plan).await?;
        let stream = self.stream(&physical)?;
        Ok(datafusion::physical_plan::common::collect(stream).await?)
    }
}

/// Bytes the scans of a finished plan read.
pub(super) fn bytes_scanned(plan: &dyn ExecutionPlan) -> u64 {
    let own = plan
        .metrics()
        .and_then(|metrics| metrics.sum_by_name("bytes_scanned"));
    let own = own.map_or(0, |value| value.as_usize() as u64);
    own + plan
        .children()
        .into_iter()
        .map(|child| bytes_scanned(child.as_ref()))
        .sum::<u64>()
}

pub(super) fn runtime(settings: &EngineSettings) -> datafusion::common::Result<Arc<RuntimeEnv>> {
    let tracked = std::num::NonZeroUsize::new(5).unwrap_or(std::num::NonZeroUsize::MIN);
    let pool = TrackConsumersPool::new(FairSpillPool::new(settings.memory_bytes), tracked);
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_temp_file_path(settings.spill_dir.clone())
        // A listing that is remembered would hide a partition that was just replaced.
        .with_object_list_cache_limit(0)
        .build_arc()
}

pub(super) fn session_state(
    settings: &EngineSettings,
    runtime: Arc<RuntimeEnv>,
    strictness: Strictness,
) -> datafusion::common::Result<SessionState> {
    let mut config = SessionConfig::new()
        .with_target_partitions(settings.threads.max(1))
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false);
    config.options_mut().execution.parquet.pushdown_filters = false;
    lakehand_engine::session_state(strictness.set(config), runtime)
}
