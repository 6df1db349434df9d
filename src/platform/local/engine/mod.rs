//! The embedded query engine: statements in Athena's spelling on DataFusion and Delta Lake.
//!
//! The same SQL files run on Athena and here. A statement is parsed with Trino's grammar, its functions
//! are rewritten to DataFusion's where the names or meanings differ, and whatever changes data becomes
//! exactly one commit on one Delta table: new Parquet files are written first, then one entry of the log
//! makes them count and the replaced ones not. A process that dies before that entry has changed nothing.
//!
//! What differs from Athena on purpose, each tested in `tests.rs`:
//! - One database: `catalog.database.table` and `table` are the same.
//! - `try(…)` guards casts and divisions, not every function.
//! - `sum` of `bigint` wraps around beyond 2^63 where Trino fails; `avg` of a decimal keeps four more digits.
//! - Iceberg's hidden partitioning is accepted and not used; identity partitioning is.

use std::{fmt, path::PathBuf, sync::Arc, time::Instant};

use arrow::{
    datatypes::{DataType, Field, Schema, SchemaRef},
    record_batch::{RecordBatch, RecordBatchOptions},
};
use async_trait::async_trait;
use datafusion::{
    execution::{
        SendableRecordBatchStream, SessionState, SessionStateBuilder,
        memory_pool::{FairSpillPool, TrackConsumersPool},
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    logical_expr::LogicalPlan,
    physical_plan::{ExecutionPlan, ExecutionPlanProperties, execute_stream, execute_stream_partitioned},
    prelude::{SessionConfig, SessionContext},
    sql::{parser::Statement as DataFusionStatement, sqlparser::ast},
};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

mod catalog;
mod command;
mod ddl;
mod dialect;
mod dml;
mod error;
mod functions;
mod merge;
mod rewrite;
mod types;
mod write;

#[cfg(test)]
mod tests;

use catalog::{LakeCatalog, Tables};
use command::Command;
use error::{EngineError, refused};

use crate::{
    config::Profile,
    pipeline::ports::{QueryEngine, QueryError, QueryRows, QuerySummary},
};

/// Bytes the engine may hold before it spills, unless told otherwise.
pub const DEFAULT_MEMORY_BYTES: usize = 256 * 1024 * 1024;

/// Where the engine finds its tables and how much it may use.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Folder that plays the std bucket: `silver/`, `gold/`, `staging/`.
    pub std_dir: PathBuf,
    /// Folder for what does not fit into memory; emptied as statements end.
    pub spill_dir: PathBuf,
    /// Bytes that running statements may hold together.
    pub memory_bytes: usize,
    /// Threads of one statement.
    pub threads: usize,
}

impl EngineSettings {
    /// The folders of a profile, the default memory, all cores.
    #[must_use]
    pub fn for_profile(profile: &Profile) -> Self {
        Self {
            std_dir: profile.std_dir(),
            spill_dir: profile.data_dir.join("tmp").join("spill"),
            memory_bytes: DEFAULT_MEMORY_BYTES,
            threads: std::thread::available_parallelism().map_or(2, usize::from),
        }
    }
}

/// What every statement starts from.
#[derive(Clone)]
pub(crate) struct Session {
    tables: Arc<Tables>,
    state: Arc<SessionState>,
}

impl Session {
    /// A DataFusion session whose names are looked up in `catalog`.
    fn context(&self, catalog: LakeCatalog) -> SessionContext {
        let mut state = (*self.state).clone();
        state.register_catalog_list(Arc::new(catalog));
        SessionContext::new_with_state(state)
    }

    /// The same session, with joins that sort and spill instead of hashing in memory.
    fn spilling(&self) -> Self {
        let mut state = (*self.state).clone();
        state.config_mut().options_mut().optimizer.prefer_hash_join = false;
        Self { tables: Arc::clone(&self.tables), state: Arc::new(state) }
    }

    fn catalog(&self) -> LakeCatalog {
        LakeCatalog { session: self.clone(), overlay: Default::default(), view_depth: 0 }
    }

    /// Plans a SELECT given as text in Trino's spelling.
    async fn plan_sql(&self, sql: &str, catalog: LakeCatalog) -> datafusion::common::Result<LogicalPlan> {
        match command::parse(sql) {
            Ok(Command::Select(query)) => self.plan_query(*query, catalog).await,
            Ok(other) => Err(datafusion::common::DataFusionError::Plan(format!("{} where a SELECT is needed", other.name()))),
            Err(error) => Err(datafusion::common::DataFusionError::SQL(Box::new(error), None)),
        }
    }

    async fn plan_query(&self, mut query: ast::Query, catalog: LakeCatalog) -> datafusion::common::Result<LogicalPlan> {
        rewrite::query(&mut query);
        let statement = DataFusionStatement::Statement(Box::new(ast::Statement::Query(Box::new(query))));
        // A planned tree of joins can be deep; the caller's future must stay small.
        Box::pin(self.context(catalog).state().statement_to_plan(statement)).await
    }

    async fn physical(&self, plan: &LogicalPlan) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        self.context(self.catalog()).state().create_physical_plan(plan).await
    }

    /// The plan's rows as one stream.
    fn stream(&self, plan: &Arc<dyn ExecutionPlan>) -> datafusion::common::Result<SendableRecordBatchStream> {
        execute_stream(Arc::clone(plan), self.state.task_ctx())
    }

    /// The plan's rows, a stream for each of its parts, to be read at the same time.
    fn streams(&self, plan: &Arc<dyn ExecutionPlan>) -> datafusion::common::Result<Vec<SendableRecordBatchStream>> {
        if plan.output_partitioning().partition_count() <= 1 {
            return Ok(vec![self.stream(plan)?]);
        }
        execute_stream_partitioned(Arc::clone(plan), self.state.task_ctx())
    }

    /// All rows of a small query.
    async fn collect(&self, sql: &str, catalog: LakeCatalog) -> Result<Vec<RecordBatch>, EngineError> {
        let plan = self.plan_sql(sql, catalog).await?;
        let physical = self.physical(&plan).await?;
        let stream = self.stream(&physical)?;
        Ok(datafusion::physical_plan::common::collect(stream).await?)
    }
}

/// Bytes the scans of a finished plan read.
fn bytes_scanned(plan: &dyn ExecutionPlan) -> u64 {
    let own = plan.metrics().and_then(|metrics| metrics.sum_by_name("bytes_scanned"));
    let own = own.map_or(0, |value| value.as_usize() as u64);
    own + plan.children().into_iter().map(|child| bytes_scanned(child.as_ref())).sum::<u64>()
}

/// Statements on the local lake. Cheap to clone; use one per process so that memory is shared fairly.
#[derive(Clone)]
pub struct LocalEngine {
    session: Session,
}

impl fmt::Debug for LocalEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalEngine").field("tables", &self.session.tables).finish_non_exhaustive()
    }
}

/// What a statement did, before it is put into a [`QuerySummary`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Effect {
    rows: u64,
    bytes_scanned: u64,
}

impl LocalEngine {
    /// An engine on the given folders; makes the spill folder.
    ///
    /// # Errors
    /// [`QueryError::Failed`] when the spill folder cannot be made.
    pub fn new(settings: &EngineSettings) -> Result<Self, QueryError> {
        let failed = |why: &dyn fmt::Display| QueryError::Failed {
            message: format!("could not start the query engine with {}: {why}; check the folder's rights", settings.spill_dir.display()),
            transient: false,
        };
        std::fs::create_dir_all(&settings.spill_dir).map_err(|error| failed(&error))?;
        let runtime = runtime(settings).map_err(|error| failed(&error))?;
        let state = session_state(settings, runtime).map_err(|error| failed(&error))?;
        let tables = Arc::new(Tables::new(settings.std_dir.clone()));
        Ok(Self { session: Session { tables, state: Arc::new(state) } })
    }

    async fn run(&self, sql: &str, cancel: &CancellationToken) -> Result<QuerySummary, QueryError> {
        let start = Instant::now();
        let command = command::parse(sql).map_err(|error| EngineError::from(error).into_query_error(sql))?;
        let statement = command.name().to_owned();
        let mut outcome = self.attempt(&self.session, command.clone(), cancel).await;
        if let Err(error) = &outcome
            && (error.is_out_of_memory() || error.is_vanished_file())
        {
            // Nothing was committed. A second plan joins by sorting, which spills; it also lists the files anew.
            let session = if error.is_out_of_memory() { self.session.spilling() } else { self.session.clone() };
            outcome = self.attempt(&session, command, cancel).await;
        }
        let effect = outcome.map_err(|error| error.into_query_error(sql))?;
        let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(QuerySummary { statement, rows: effect.rows, bytes_scanned: effect.bytes_scanned, elapsed_ms })
    }

    async fn attempt(&self, session: &Session, command: Command, cancel: &CancellationToken) -> Result<Effect, EngineError> {
        match command {
            Command::Select(_) | Command::Explain(_) | Command::ShowTables { .. } | Command::Describe { .. } => {
                let mut stream = start(session, command, cancel).await?;
                let mut rows = 0;
                while let Some(batch) = stream.batches.next().await {
                    rows += batch?.num_rows() as u64;
                }
                Ok(Effect { rows, bytes_scanned: 0 })
            }
            Command::CreateTable { table, if_not_exists, columns, partition_by } => {
                ddl::create_table(session, &table, if_not_exists, &columns, partition_by).await
            }
            Command::CreateTableAs { table, if_not_exists, partition_by, query, with_data } => {
                ddl::create_table_as(session, ddl::NewTable { table, if_not_exists, partition_by, with_data }, *query, cancel).await
            }
            Command::Insert { table, columns, query } => dml::insert(session, &table, &columns, *query, cancel).await,
            Command::Delete { table, alias, selection } => dml::delete(session, &table, alias, selection, cancel).await,
            Command::Update { table, alias, assignments, selection } => {
                dml::update(session, &table, alias, assignments, selection, cancel).await
            }
            Command::Merge(merge) => merge::merge(session, *merge, cancel).await,
            Command::CreateView { view, or_replace, query } => ddl::create_view(session, view, or_replace, *query).await,
            Command::DropTable { table, if_exists } => ddl::drop_table(session, &table, if_exists),
            Command::DropView { view, if_exists } => ddl::drop_view(session, &view, if_exists),
            Command::Optimize { table } => ddl::optimize(session, &table).await,
            Command::Vacuum { table } => ddl::vacuum(session, &table).await,
        }
    }
}

#[async_trait]
impl QueryEngine for LocalEngine {
    async fn execute(&self, sql: &str, cancel: &CancellationToken) -> Result<QuerySummary, QueryError> {
        if cancel.is_cancelled() {
            return Err(QueryError::Cancelled);
        }
        self.run(sql, cancel).await
    }

    /// Texts come as `Utf8`, never as views or dictionaries.
    async fn query(&self, sql: &str, cancel: &CancellationToken) -> Result<QueryRows, QueryError> {
        let named = |error: EngineError| error.into_query_error(sql);
        let command = command::parse(sql).map_err(|error| named(error.into()))?;
        let mut outcome = start(&self.session, command.clone(), cancel).await;
        if let Err(error) = &outcome
            && (error.is_out_of_memory() || error.is_vanished_file())
        {
            let session = if error.is_out_of_memory() { self.session.spilling() } else { self.session.clone() };
            outcome = start(&session, command, cancel).await;
        }
        outcome.map_err(named)
    }
}

fn runtime(settings: &EngineSettings) -> datafusion::common::Result<Arc<RuntimeEnv>> {
    let tracked = std::num::NonZeroUsize::new(5).unwrap_or(std::num::NonZeroUsize::MIN);
    let pool = TrackConsumersPool::new(FairSpillPool::new(settings.memory_bytes), tracked);
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_temp_file_path(settings.spill_dir.clone())
        // A listing that is remembered would hide a partition that was just replaced.
        .with_object_list_cache_limit(0)
        .build_arc()
}

fn session_state(settings: &EngineSettings, runtime: Arc<RuntimeEnv>) -> datafusion::common::Result<SessionState> {
    let mut config = SessionConfig::new()
        .with_target_partitions(settings.threads.max(1))
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false);
    let options = config.options_mut();
    // Trino puts nulls last whichever way it sorts, and reads 1.5 as a decimal.
    options.sql_parser.default_null_ordering = "nulls_last".to_owned();
    options.sql_parser.parse_float_as_decimal = true;
    options.execution.parquet.pushdown_filters = false;
    let builder = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features();
    let mut state = builder.with_analyzer_rule(Arc::new(types::TrinoTypes)).build();
    functions::register(&mut state)?;
    Ok(state)
}

/// Starts a statement that returns rows. The first batch is awaited, so that a failure to start is an error
/// of this call and can still be tried another way.
async fn start(session: &Session, command: Command, cancel: &CancellationToken) -> Result<QueryRows, EngineError> {
    let query = match command {
        Command::Select(query) => *query,
        Command::Explain(query) => return ddl::explain(session, *query).await,
        Command::ShowTables { pattern } => return ddl::show_tables(session, pattern.as_deref()),
        Command::Describe { table } => return ddl::describe(session, &table).await,
        other => return Err(refused("NOT_SUPPORTED", format!("{} returns no rows; run it as a statement", other.name()))),
    };
    let plan = session.plan_query(query, session.catalog()).await?;
    let physical = session.physical(&plan).await?;
    let mut stream = session.stream(&physical)?;
    let schema = plain_schema(&stream.schema());
    let first = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(QueryError::Cancelled.into()),
        first = stream.next() => first.transpose()?,
    };
    let rest = Rest { first, stream, schema: Arc::clone(&schema), cancel: cancel.clone(), ended: false };
    Ok(QueryRows { schema, batches: Box::pin(futures::stream::unfold(rest, Rest::next)) })
}

struct Rest {
    first: Option<RecordBatch>,
    stream: SendableRecordBatchStream,
    schema: SchemaRef,
    cancel: CancellationToken,
    ended: bool,
}

impl Rest {
    async fn next(mut self) -> Option<(Result<RecordBatch, QueryError>, Self)> {
        if self.ended {
            return None;
        }
        let batch = match self.first.take() {
            Some(batch) => Some(Ok(batch)),
            None => tokio::select! {
                biased;
                () = self.cancel.cancelled() => {
                    self.ended = true;
                    return Some((Err(QueryError::Cancelled), self));
                }
                next = self.stream.next() => next,
            },
        };
        let schema = Arc::clone(&self.schema);
        let plain = batch?.map_err(EngineError::from).and_then(|batch| plain_batch(&batch, &schema));
        self.ended = plain.is_err();
        Some((plain.map_err(|error| error.into_query_error("")), self))
    }
}

/// Plain types for whoever reads the rows.
fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, value) => plain_type(value),
        other => other.clone(),
    }
}

fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| Field::new(field.name(), plain_type(field.data_type()), field.is_nullable()));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn plain_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, EngineError> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() { Ok(Arc::clone(column)) } else { arrow::compute::cast(column, field.data_type()) }
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}
