//! Results that do not fit on the screen, in the table of the console: sorted, filtered, searched there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Field, Schema},
};
use futures::StreamExt;

use super::{
    ask::screen,
    format::{RowFormat, Sink, texts_of, write_rows},
};
use crate::{
    cli::{App, CliError, console},
    pipeline::{
        export::{CsvOptions, write_csv},
        ports::{QueryError, QueryRows},
        text::{ForTerminal, Instead, columns},
    },
};

/// Rows that a table shows at most: they lie in a temporary file.
const MOST_ROWS: u64 = 1_000_000;
/// Lines of the screen for the prompt and what is told beside the rows.
const BESIDE: usize = 4;

/// Prints rows that fit on the screen, opens more of them as a table; returns how many were read, and how long somebody
/// looked at them.
///
/// # Errors
/// When the rows end early, the terminal or the temporary file fails.
pub async fn show(app: &App, mut rows: QueryRows) -> Result<(u64, Duration), CliError> {
    let (wide, high) = screen().unwrap_or((80, 24));
    let (mut first, mut seen) = (Vec::<RecordBatch>::new(), 0);
    let mut has_ended = false;
    while seen + BESIDE <= high && !has_ended {
        match rows.batches.next().await {
            Some(batch) => {
                let batch = batch?;
                seen += batch.num_rows();
                first.push(batch);
            }
            None => has_ended = true,
        }
    }
    if has_ended {
        let text = shown(&rows, &first).await?;
        if text.lines().all(|line| columns(line) <= wide) {
            use std::io::Write;
            let mut out = ForTerminal::new(std::io::stdout(), Instead::Symbol);
            out.write_all(text.as_bytes())?;
            out.flush()?;
            return Ok((seen as u64, Duration::ZERO));
        }
    }
    open(app, rows, first).await
}

/// A few rows as text.
async fn shown(rows: &QueryRows, first: &[RecordBatch]) -> Result<String, CliError> {
    let kept = Kept::default();
    let few = QueryRows {
        schema: Arc::clone(&rows.schema),
        batches: Box::pin(futures::stream::iter(first.to_vec()).map(Ok)),
        scanned: rows.scanned.clone(),
    };
    let sink = Sink {
        out: Box::new(kept.clone()),
        most_columns: None,
    };
    write_rows(few, RowFormat::Table, sink).await?;
    let bytes = kept.0.lock().map(|kept| kept.clone()).unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Bytes that are kept.
#[derive(Clone, Default)]
struct Kept(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Ok(mut kept) = self.0.lock() {
            kept.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes the rows into a temporary file and opens that.
async fn open(
    app: &App,
    rows: QueryRows,
    first: Vec<RecordBatch>,
) -> Result<(u64, Duration), CliError> {
    let file = tempfile::Builder::new()
        .prefix("lakehand-result-")
        .suffix(".csv")
        .tempfile()?;
    let writer = std::io::BufWriter::with_capacity(1 << 20, file.reopen()?);
    let read = Arc::new(AtomicU64::new(0));
    let rows = at_most(as_cells(chained(rows, first)), &read);
    let written = write_csv(rows, writer, CsvOptions::default()).await?.rows;
    let is_cut = read.load(Ordering::Relaxed) > written;
    let title = match is_cut {
        true => format!("the first {written} rows of the result"),
        false => "result".to_owned(),
    };
    let opened = Instant::now();
    console::open(
        app,
        false,
        console::Start::File(file.path().to_owned(), title),
    )
    .await?;
    let looked = opened.elapsed();
    if is_cut {
        eprintln!(
            "the first {written} rows were shown; --out FILE (in the prompt \\o FILE) writes all of them"
        );
    }
    Ok((written, looked))
}

/// The rows that were looked at already, then the others.
fn chained(rows: QueryRows, first: Vec<RecordBatch>) -> QueryRows {
    QueryRows {
        batches: Box::pin(futures::stream::iter(first).map(Ok).chain(rows.batches)),
        ..rows
    }
}

/// Columns whose values could be empty texts have NULL for null; in the others a null is the only empty cell, and
/// they stay numbers for whoever sorts them.
fn as_cells(rows: QueryRows) -> QueryRows {
    let is_text = |data_type: &DataType| {
        !(data_type.is_numeric() || data_type.is_temporal() || *data_type == DataType::Boolean)
    };
    let fields = rows.schema.fields().iter().map(|field| {
        let data_type = match is_text(field.data_type()) {
            true => DataType::Utf8,
            false => field.data_type().clone(),
        };
        Field::new(field.name(), data_type, true)
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let told = Arc::clone(&schema);
    let batches = rows.batches.map(move |batch| {
        let batch = batch?;
        let turned = texts_of(&batch, &is_text, Some("NULL"))
            .and_then(|columns| RecordBatch::try_new(Arc::clone(&told), columns));
        turned.map_err(|error| QueryError::Failed {
            message: format!("could not show the rows: {error}"),
            transient: false,
        })
    });
    QueryRows {
        schema,
        batches: Box::pin(batches),
        scanned: rows.scanned,
    }
}

/// No more rows than a table shows; `read` counts those that came.
fn at_most(rows: QueryRows, read: &Arc<AtomicU64>) -> QueryRows {
    let read = Arc::clone(read);
    let batches = rows.batches.scan((), move |(), batch| {
        let left = MOST_ROWS.saturating_sub(read.load(Ordering::Relaxed));
        let next = match batch {
            // There is one more than is shown.
            Ok(_) if left == 0 => {
                read.fetch_add(1, Ordering::Relaxed);
                None
            }
            Ok(batch) => {
                read.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
                let taken = usize::try_from(left)
                    .unwrap_or(usize::MAX)
                    .min(batch.num_rows());
                Some(Ok(batch.slice(0, taken)))
            }
            failed => Some(failed),
        };
        futures::future::ready(next)
    });
    QueryRows {
        batches: Box::pin(batches),
        ..rows
    }
}
