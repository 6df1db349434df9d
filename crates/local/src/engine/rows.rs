//! Statements that return rows, batch by batch.

use std::sync::Arc;

use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use datafusion::{execution::SendableRecordBatchStream, logical_expr::LogicalPlan};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use lakehand_engine::{
    command::Command,
    rows::{plain_batch, plain_schema},
};

use super::{
    Session, ddl,
    error::{EngineError, refused},
    session::bytes_scanned,
};
use lakehand_pipeline::ports::{QueryError, QueryRows, Scanned};

/// Starts a statement that returns rows. The first batch is awaited, so that a failure to start is an error
/// of this call and can still be tried another way.
pub(super) async fn start(
    session: &Session,
    command: Command,
    cancel: &CancellationToken,
) -> Result<QueryRows, EngineError> {
    let query = match command {
        Command::Select(query) => *query,
        Command::Explain(query) => return ddl::explain(session, *query).await,
        Command::ShowTables { pattern } => return ddl::show_tables(session, pattern.as_deref()),
        Command::Describe { table } => return ddl::describe(session, &table).await,
        other => {
            return Err(refused(
                "NOT_SUPPORTED",
                format!("{} returns no rows; run it as a statement", other.name()),
            ));
        }
    };
    let plan = session.plan_query(query, session.catalog()).await?;
    let session = if is_plain_scan(&plan) {
        &session.in_order()
    } else {
        session
    };
    let physical = session.physical(&plan).await?;
    let mut stream = session.stream(&physical)?;
    let schema = plain_schema(&stream.schema());
    let first = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(QueryError::Cancelled.into()),
        first = stream.next() => first.transpose()?,
    };
    let rest = Rest {
        first,
        stream,
        schema: Arc::clone(&schema),
        cancel: cancel.clone(),
        ended: false,
    };
    Ok(QueryRows {
        schema,
        batches: Box::pin(futures::stream::unfold(rest, Rest::next)),
        scanned: Scanned::counted(move || bytes_scanned(physical.as_ref())),
    })
}

/// Whether rows only pass through: their order is then that of the files.
fn is_plain_scan(plan: &LogicalPlan) -> bool {
    use LogicalPlan as P;
    let passes = matches!(
        plan,
        P::Projection(_) | P::Filter(_) | P::SubqueryAlias(_) | P::Limit(_) | P::TableScan(_)
    );
    passes && plan.inputs().into_iter().all(is_plain_scan)
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
        let plain = batch?
            .map_err(EngineError::from)
            .and_then(|batch| Ok(plain_batch(&batch, &schema)?));
        self.ended = plain.is_err();
        Some((plain.map_err(|error| error.into_query_error("")), self))
    }
}
