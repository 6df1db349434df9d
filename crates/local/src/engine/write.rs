//! New Parquet files first, then one entry of the Delta log: the only two steps by which a table changes.

use std::{collections::HashMap, num::NonZeroU64, sync::Arc};

use arrow::{
    array::{Array, AsArray},
    datatypes::{DataType, Int32Type, SchemaRef},
    record_batch::RecordBatch,
};
use datafusion::{
    common::DFSchema,
    logical_expr::LogicalPlan,
    physical_optimizer::pruning::PruningPredicateBuilder,
    prelude::SessionContext,
    sql::sqlparser::ast::{Expr, ExprWithAlias},
};
use deltalake::{
    DeltaTable,
    datafile::writer::{DeltaWriter, WriterConfig},
    kernel::{
        Action, Add, Remove,
        transaction::{CommitBuilder, CommitProperties},
    },
    operations::get_num_idx_cols_and_stats_columns,
    protocol::DeltaOperation,
};
use futures::StreamExt;
use parquet::{
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    Session, bytes_scanned,
    catalog::COUNTRY_REGION,
    error::{EngineError, refused},
};
use lakehand_pipeline::ports::QueryError;

/// Rows of a row group: small enough that several days can be written at once within the memory limit.
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// A file is closed beyond this size.
const TARGET_FILE_BYTES: u64 = 128 * 1024 * 1024;

/// Column that says what a row of a rewritten file is; see [`RowKind`].
pub(super) const KIND_COLUMN: &str = "__kind";

/// What a written row means for the count of changed rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKind {
    /// It was there before and stays as it was.
    Kept = 0,
    /// It was there before with other values.
    Updated = 1,
    /// It is new.
    Inserted = 2,
}

/// A Delta table that a statement changes, at the version the statement read.
pub(super) struct Target {
    pub(super) name: String,
    pub(super) table: DeltaTable,
    pub(super) schema: SchemaRef,
    pub(super) partition_by: Vec<String>,
}

/// Files of a target that a statement may touch.
#[derive(Default)]
pub(super) struct Candidates {
    pub(super) paths: Vec<String>,
    removes: Vec<Remove>,
    /// Rows in them.
    pub(super) rows: u64,
}

impl Candidates {
    /// Nothing is replaced after all.
    pub(super) fn keep_all(&mut self) {
        self.removes.clear();
    }
}

/// What a statement wrote.
#[derive(Default)]
pub(super) struct Written {
    adds: Vec<Add>,
    /// Rows by [`RowKind`].
    counts: [u64; 3],
    pub(super) bytes_scanned: u64,
}

impl Written {
    pub(super) fn count(&self, kind: RowKind) -> u64 {
        self.counts[kind as usize]
    }

    pub(super) fn rows(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(super) fn actions(self) -> Vec<Action> {
        self.adds.into_iter().map(Action::Add).collect()
    }
}

impl Target {
    /// Opens the newest version of a table that statements may change.
    pub(super) async fn open(session: &Session, name: &str) -> Result<Self, EngineError> {
        if session.tables.is_silver(name) || name == COUNTRY_REGION {
            return Err(refused(
                "NOT_SUPPORTED",
                format!("'{name}' is written by the pipeline, not by statements"),
            ));
        }
        if !session.tables.delta_exists(name) {
            if session.tables.views()?.contains_key(name) {
                return Err(refused(
                    "NOT_SUPPORTED",
                    format!("'{name}' is a view; change the table it reads"),
                ));
            }
            return Err(refused(
                "TABLE_NOT_FOUND",
                format!("Table '{name}' does not exist"),
            ));
        }
        let table = session.tables.open(name).await?;
        let snapshot = table.snapshot()?.snapshot();
        let schema = snapshot.arrow_schema();
        let partition_by = snapshot.metadata().partition_columns().to_vec();
        Ok(Self {
            name: name.to_owned(),
            schema,
            partition_by,
            table,
        })
    }

    /// Names of the columns, in order.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
    }

    /// The files that may hold rows for which `predicate` holds; all of them when that cannot be told.
    pub(super) fn candidates(
        &self,
        context: &SessionContext,
        alias: &str,
        predicate: Option<Expr>,
    ) -> Result<Candidates, EngineError> {
        let snapshot = self.table.snapshot()?.snapshot();
        let keep = predicate.and_then(|predicate| self.pruned(context, alias, predicate));
        let mut candidates = Candidates::default();
        for (index, file) in snapshot.log_data().iter().enumerate() {
            if keep
                .as_ref()
                .is_none_or(|keep| keep.get(index).copied().unwrap_or(true))
            {
                candidates.rows += file.num_records().unwrap_or(0) as u64;
                candidates.removes.push(file.remove_action(true));
                // A scan knows its files by the log's spelling, which encodes what the path holds already.
                let path = deltalake::Path::from(file.path().as_ref());
                candidates.paths.push(path.into());
            }
        }
        Ok(candidates)
    }

    /// Which files may match, by the partition values and statistics in the log.
    fn pruned(&self, context: &SessionContext, alias: &str, predicate: Expr) -> Option<Vec<bool>> {
        let schema = DFSchema::try_from_qualified_schema(alias, &self.schema).ok()?;
        let state = context.state();
        let mut predicate = predicate;
        lakehand_engine::rewrite::expression(&mut predicate);
        let logical = state
            .create_logical_expr_from_sql_expr(
                ExprWithAlias {
                    expr: predicate,
                    alias: None,
                },
                &schema,
            )
            .ok()?;
        let physical = state.create_physical_expr(logical, &schema).ok()?;
        let pruning = PruningPredicateBuilder::new()
            .with_file_schema(Arc::clone(&self.schema))
            .try_build(physical)
            .ok()?;
        pruning.prune(self.table.snapshot().ok()?.snapshot()).ok()
    }

    /// Writes the rows of a plan into new files of this table; they count only after [`Target::commit`].
    pub(super) async fn write(
        &self,
        session: &Session,
        plan: &LogicalPlan,
        cancel: &CancellationToken,
    ) -> Result<Written, EngineError> {
        write_plan(
            session,
            plan,
            self.table.object_store(),
            writer_config(
                Some(&self.table),
                Arc::clone(&self.schema),
                self.partition_by.clone(),
            )?,
            Arc::clone(&self.schema),
            cancel,
        )
        .await
    }

    /// Removes files that turned out not to be needed.
    pub(super) async fn abandon(&self, written: Written) {
        discard(&self.table.object_store(), written).await;
    }

    /// Makes the new files count and the replaced ones not, in one entry of the log. A `blind` commit only adds
    /// rows and may land after other writers; any other fails when somebody was faster.
    pub(super) async fn commit(
        self,
        written: Written,
        replaced: Candidates,
        operation: DeltaOperation,
        blind: bool,
    ) -> Result<(), EngineError> {
        let mut actions = written.actions();
        actions.extend(replaced.removes.into_iter().map(Action::Remove));
        if actions.is_empty() {
            return Ok(());
        }
        let properties = CommitProperties::default().with_max_retries(if blind { 15 } else { 0 });
        // Once begun, a commit runs to its end even if the caller goes away: then it is known what happened.
        let commit = async move {
            let snapshot = self.table.snapshot()?;
            let log = self.table.log_store();
            CommitBuilder::from(properties)
                .with_actions(actions)
                .build(Some(snapshot), log, operation)
                .await?;
            Ok::<_, EngineError>(())
        };
        tokio::spawn(commit)
            .await
            .map_err(|error| datafusion::common::DataFusionError::External(Box::new(error)))?
    }
}

/// How files of a table are written; `table` is `None` while it is being made.
pub(super) fn writer_config(
    table: Option<&DeltaTable>,
    schema: SchemaRef,
    partition_by: Vec<String>,
) -> Result<WriterConfig, EngineError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    let table = table
        .map(|table| table.snapshot().map(|snapshot| snapshot.table_config()))
        .transpose()?;
    let (indexed, stats) = get_num_idx_cols_and_stats_columns(table, HashMap::new());
    Ok(WriterConfig::new(
        schema,
        partition_by,
        Some(properties),
        NonZeroU64::new(TARGET_FILE_BYTES),
        None,
        indexed,
        stats,
    ))
}

/// Writes a plan's rows, each of its parts by a writer of its own.
pub(super) async fn write_plan(
    session: &Session,
    plan: &LogicalPlan,
    store: Arc<dyn deltalake::ObjectStore>,
    config: WriterConfig,
    schema: SchemaRef,
    cancel: &CancellationToken,
) -> Result<Written, EngineError> {
    let physical = session.physical(plan).await?;
    let mut tasks = JoinSet::new();
    for stream in session.streams(&physical)? {
        tasks.spawn(write_stream(
            stream,
            DeltaWriter::new(Arc::clone(&store), config.clone()),
            Arc::clone(&schema),
        ));
    }
    let mut written = Written::default();
    let mut failure = None;
    loop {
        let next = tokio::select! {
            biased;
            () = cancel.cancelled() => {
                failure = Some(QueryError::Cancelled.into());
                break;
            }
            next = tasks.join_next() => next,
        };
        match next {
            None => break,
            Some(Ok(Ok(part))) => {
                written.adds.extend(part.adds);
                written
                    .counts
                    .iter_mut()
                    .zip(part.counts)
                    .for_each(|(sum, count)| *sum += count);
            }
            Some(Ok(Err(error))) => {
                failure = Some(error);
                break;
            }
            Some(Err(error)) => {
                failure =
                    Some(datafusion::common::DataFusionError::External(Box::new(error)).into());
                break;
            }
        }
    }
    tasks.shutdown().await;
    if let Some(error) = failure {
        discard(&store, written).await;
        return Err(error);
    }
    written.bytes_scanned = bytes_scanned(physical.as_ref());
    Ok(written)
}

/// Removes files that were written and will not be committed. What cannot be removed is left for VACUUM.
async fn discard(store: &Arc<dyn deltalake::ObjectStore>, written: Written) {
    use datafusion::object_store::ObjectStoreExt;
    for add in written.adds {
        if let Ok(path) = deltalake::Path::parse(&add.path) {
            let _ = store.delete(&path).await;
        }
    }
}

async fn write_stream(
    mut stream: datafusion::execution::SendableRecordBatchStream,
    mut writer: DeltaWriter,
    schema: SchemaRef,
) -> Result<Written, EngineError> {
    let mut written = Written::default();
    loop {
        let step = match stream.next().await {
            None => break,
            Some(Err(error)) => Err(EngineError::from(error)),
            Some(Ok(batch)) => table_batch(&batch, &schema, &mut written.counts),
        };
        let step = match step {
            Ok(batch) => writer.write(&batch).await.map_err(EngineError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = step {
            let _ = writer.abort().await;
            return Err(error);
        }
        // A plan whose rows are always ready never waits: whoever asks it to stop needs a turn.
        tokio::task::yield_now().await;
    }
    written.adds = writer.close().await?;
    Ok(written)
}

/// The batch in the table's own types, its kind column counted and taken off.
fn table_batch(
    batch: &RecordBatch,
    schema: &SchemaRef,
    counts: &mut [u64; 3],
) -> Result<RecordBatch, EngineError> {
    match batch.column_by_name(KIND_COLUMN) {
        Some(kinds) => {
            let kinds = kinds.as_primitive::<Int32Type>();
            for kind in kinds.values() {
                if let Some(count) = usize::try_from(*kind)
                    .ok()
                    .and_then(|kind| counts.get_mut(kind))
                {
                    *count += 1;
                }
            }
        }
        None => counts[RowKind::Inserted as usize] += batch.num_rows() as u64,
    }
    let columns = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            if column.data_type() == field.data_type() {
                Ok(Arc::clone(column))
            } else {
                strict_cast(column, field.data_type())
            }
        });
    Ok(RecordBatch::try_new(
        Arc::clone(schema),
        columns.collect::<Result<Vec<_>, EngineError>>()?,
    )?)
}

/// A cast that fails where a value does not fit, instead of making it null.
fn strict_cast(
    column: &Arc<dyn Array>,
    data_type: &DataType,
) -> Result<Arc<dyn Array>, EngineError> {
    let options = arrow::compute::CastOptions {
        safe: false,
        ..Default::default()
    };
    Ok(arrow::compute::cast_with_options(
        column, data_type, &options,
    )?)
}
