//! The rows of a finished statement.
//!
//! The first page of `GetQueryResults` has the columns' types, and up to 1000 rows. When that is all, it is the
//! result; anything larger is read as one stream from the CSV that Athena left in S3, for one call instead of one
//! for each thousand rows.

use aws_sdk_athena::{operation::get_query_results::GetQueryResultsOutput, types::QueryExecution};
use futures::{Stream, StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::{
    RESULTS,
    cells::{Cells, schema},
    csv::{Found, Splitter},
    unsigned,
};
use crate::{Clients, call::CallError, s3};
use lakehand_pipeline::ports::{ByteStream, QueryError, QueryRows, Scanned};

/// Rows that a page of `GetQueryResults` may have.
const PAGE: i32 = 1000;

async fn page(
    clients: &Clients,
    execution: &QueryExecution,
    token: Option<String>,
) -> Result<GetQueryResultsOutput, QueryError> {
    let id = execution.query_execution_id().unwrap_or_default();
    let request = clients.athena.get_query_results().query_execution_id(id);
    let sent = request.max_results(PAGE).set_next_token(token).send();
    let answer = clients.call(RESULTS, id, sent).await;
    answer.map_err(|error| unread(&error))
}

fn unread(error: &CallError) -> QueryError {
    QueryError::Failed {
        message: format!("the result could not be read: {error}; {}", error.advice()),
        transient: error.is_transient(),
    }
}

/// Rows that a statement wrote; 0 where Athena does not say.
pub(super) async fn count(
    clients: &Clients,
    execution: &QueryExecution,
    statement: &str,
) -> Result<u64, QueryError> {
    let counted = [
        "INSERT",
        "DELETE",
        "UPDATE",
        "MERGE",
        "CREATE TABLE AS SELECT",
    ];
    if !counted.iter().any(|kind| statement.starts_with(kind)) {
        return Ok(0);
    }
    Ok(unsigned(
        page(clients, execution, None).await?.update_count(),
    ))
}

/// The rows of a SELECT.
pub(super) async fn rows(
    clients: &Clients,
    execution: &QueryExecution,
    cancel: &CancellationToken,
) -> Result<QueryRows, QueryError> {
    let first = page(clients, execution, None).await?;
    let columns = first.result_set().and_then(|set| set.result_set_metadata());
    let schema = schema(columns.map_or(&[], |columns| columns.column_info()));
    let select = execution
        .statement_type()
        .is_none_or(|kind| kind.as_str() == "DML");
    let batches = match (first.next_token(), file(execution)) {
        (Some(_), Some((bucket, key))) => {
            let (_, body) = s3::object(clients, bucket, key)
                .await
                .map_err(|error| unread(&error))?;
            from_file(body, Cells::new(schema.clone()), cancel.clone()).boxed()
        }
        _ => from_pages(
            clients.clone(),
            execution.clone(),
            first,
            select,
            Cells::new(schema.clone()),
        )
        .boxed(),
    };
    let scanned = execution
        .statistics()
        .and_then(|all| all.data_scanned_in_bytes())
        .and_then(|bytes| u64::try_from(bytes).ok());
    Ok(QueryRows {
        schema,
        batches,
        scanned: scanned.map(Scanned::known).unwrap_or_default(),
    })
}

/// Bucket and key of the CSV, where there is one.
fn file(execution: &QueryExecution) -> Option<(&str, &str)> {
    let location = execution.result_configuration()?.output_location()?;
    let (bucket, key) = location.strip_prefix("s3://")?.split_once('/')?;
    key.ends_with(".csv").then_some((bucket, key))
}

type Batch = arrow::record_batch::RecordBatch;

/// Page by page, for statements that leave no CSV, and for results of one page.
fn from_pages(
    clients: Clients,
    execution: QueryExecution,
    first: GetQueryResultsOutput,
    header: bool,
    cells: Cells,
) -> impl Stream<Item = Result<Batch, QueryError>> {
    let start = (Some(first), header, cells);
    stream::try_unfold(start, move |(page_now, mut header, mut cells)| {
        let (clients, execution) = (clients.clone(), execution.clone());
        async move {
            let Some(mut now) = page_now else {
                return Ok(None);
            };
            loop {
                let set = now.result_set.take();
                for row in set.iter().flat_map(|set| set.rows()) {
                    // A SELECT's first row repeats the names of the columns.
                    if std::mem::take(&mut header) {
                        continue;
                    }
                    for datum in row.data() {
                        cells.field(datum.var_char_value().map(str::as_bytes));
                    }
                    cells.row()?;
                }
                let next = match now.next_token.take() {
                    Some(token) => Some(page(&clients, &execution, Some(token)).await?),
                    None => None,
                };
                match (cells.batch()?, next) {
                    (Some(batch), next) => return Ok(Some((batch, (next, header, cells)))),
                    (None, None) => return Ok(None),
                    (None, Some(next)) => now = next,
                }
            }
        }
    })
}

/// A CSV on its way: pieces in, batches out.
struct File {
    body: ByteStream,
    splitter: Option<Splitter>,
    cells: Cells,
    /// The first row repeats the names of the columns.
    header: bool,
    cancel: CancellationToken,
}

fn from_file(
    body: ByteStream,
    cells: Cells,
    cancel: CancellationToken,
) -> impl Stream<Item = Result<Batch, QueryError>> {
    let file = File {
        body,
        splitter: Some(Splitter::new()),
        cells,
        header: true,
        cancel,
    };
    stream::try_unfold(file, File::next)
}

impl File {
    async fn next(mut self) -> Result<Option<(Batch, Self)>, QueryError> {
        while let Some(splitter) = &mut self.splitter {
            let piece = tokio::select! {
                piece = self.body.next() => piece,
                () = self.cancel.cancelled() => return Err(QueryError::Cancelled),
            };
            let (cells, header) = (&mut self.cells, &mut self.header);
            let mut found = |found: Found<'_>| match found {
                Found::Row if std::mem::take(header) => Ok(()),
                Found::Field(_) if *header => Ok(()),
                Found::Row => cells.row(),
                Found::Field(value) => {
                    cells.field(value);
                    Ok(())
                }
            };
            match piece {
                Some(Ok(piece)) => splitter.take(&piece, &mut found)?,
                Some(Err(error)) => {
                    return Err(QueryError::Failed {
                        message: error.to_string(),
                        transient: true,
                    });
                }
                None => {
                    let whole = self
                        .splitter
                        .take()
                        .map(|splitter| splitter.end(&mut found));
                    if !whole.unwrap_or(Ok(true))? {
                        return Err(QueryError::Failed {
                            message: "the result file in S3 ends in the middle of a value; repeat the step".to_owned(),
                            transient: true,
                        });
                    }
                }
            }
            if self.cells.is_full() {
                break;
            }
        }
        let batch = self.cells.batch()?;
        Ok(batch.map(|batch| (batch, self)))
    }
}
