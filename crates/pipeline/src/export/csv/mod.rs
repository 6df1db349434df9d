//! Arrow to CSV, streaming: batches are formatted column by column into one buffer each, on all cores, and
//! written in order. No text is made for a single cell.
//!
//! The format is RFC 4180 with one stated exception: lines end with a line feed unless asked otherwise, as
//! duckdb, polars and pandas write them and every reader takes them.
//!
//! | value | cell |
//! | --- | --- |
//! | null | nothing |
//! | empty text | `""` |
//! | text with a comma, quote or line break | in quotes, quotes doubled |
//! | decimal | plain digits, without zeros at the end (`12.430` is `12.43`, `7.000` is `7`) |
//! | double | the shortest digits that give the same number back, always with a point or an exponent |
//! | date, timestamp | `2026-01-31`, `2026-01-31 10:00:00` with microseconds if there are any |
//!
//! A cell that starts with `=`, `+`, `-` or `@` is written as the data has it.

use std::io::Write;

use arrow::{
    datatypes::SchemaRef, error::ArrowError, record_batch::RecordBatch,
    util::display::FormatOptions,
};
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::ports::{QueryError, QueryRows};

mod cells;

#[cfg(test)]
mod tests;

pub(super) use cells::decimal;
use cells::{Cells, plain_column, text};

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineEnding {
    /// `\n`
    #[default]
    Lf,
    /// `\r\n`, as RFC 4180 has it.
    CrLf,
}

impl LineEnding {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Lf => b"\n",
            Self::CrLf => b"\r\n",
        }
    }
}

/// How a CSV is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvOptions {
    /// Whether the first line has the column names.
    pub header: bool,
    /// How a line ends.
    pub line_ending: LineEnding,
    /// Whether to compute the SHA-256 of what is written.
    pub digest: bool,
    /// Batches formatted at the same time; 0 means one a core.
    pub threads: usize,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            header: true,
            line_ending: LineEnding::Lf,
            digest: false,
            threads: 0,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CsvStats {
    /// Rows, without the header.
    pub rows: u64,
    /// Bytes, with the header.
    pub bytes: u64,
    /// SHA-256 in hex, if it was asked for.
    pub sha256: Option<String>,
}

/// Why a CSV could not be written to its end.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The rows ended with an error.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The writer failed; a closed pipe is [`std::io::ErrorKind::BrokenPipe`].
    #[error("could not write the CSV: {0}")]
    Io(#[from] std::io::Error),
    /// A column cannot be shown as text.
    #[error("could not show a column as text: {0}")]
    Format(#[from] ArrowError),
    /// A formatting task ended early.
    #[error("the CSV was stopped before it ended")]
    Stopped,
}

/// Writes rows as CSV. The writer gets large pieces in order, and one flush at the end.
///
/// # Errors
/// [`CsvError`]; what was written until then is a prefix of the whole.
pub async fn write_csv<W>(
    rows: QueryRows,
    writer: W,
    options: CsvOptions,
) -> Result<CsvStats, CsvError>
where
    W: Write + Send + 'static,
{
    let threads = if options.threads == 0 {
        std::thread::available_parallelism().map_or(2, usize::from)
    } else {
        options.threads
    };
    let header = if options.header {
        header(&rows.schema, options.line_ending)
    } else {
        Vec::new()
    };
    let mut sink = Sink {
        writer,
        stats: CsvStats::default(),
        digest: options.digest.then(Sha256::new),
    };
    sink = on_thread(sink, header, 0).await?.0;
    // Rows are read on one task, formatted on others and written on a third, all at the same time; the
    // channel keeps the order and holds back the reader when the writer is slow. Written buffers go back
    // to be filled again, so that there are never more than a handful.
    let (queue, mut encoded) = mpsc::channel(threads.max(1));
    let (used, mut spare) = mpsc::unbounded_channel::<Vec<u8>>();
    let mut batches = rows.batches;
    let reader = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Some(batch) = batches.next().await {
            let mut out = spare.try_recv().unwrap_or_default();
            let piece = batch.map(|batch| {
                AbortOnDropHandle::new(tokio::task::spawn_blocking(move || {
                    out.reserve(batch.get_array_memory_size());
                    encode(&batch, options.line_ending, &mut out).map(|()| (out, batch.num_rows()))
                }))
            });
            if queue.send(piece).await.is_err() {
                break;
            }
        }
    }));
    while let Some(piece) = encoded.recv().await {
        let (bytes, rows) = piece?.await.map_err(|_| CsvError::Stopped)??;
        let (written, mut buffer) = on_thread(sink, bytes, rows as u64).await?;
        sink = written;
        buffer.clear();
        let _ = used.send(buffer);
    }
    reader.await.map_err(|_| CsvError::Stopped)?;
    sink.writer.flush()?;
    sink.stats.sha256 = sink.digest.map(|digest| hex(&digest.finalize()));
    Ok(sink.stats)
}

/// Bytes as lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

struct Sink<W> {
    writer: W,
    stats: CsvStats,
    digest: Option<Sha256>,
}

/// Writing blocks, so it happens on a thread that may. The buffer comes back.
async fn on_thread<W: Write + Send + 'static>(
    mut sink: Sink<W>,
    bytes: Vec<u8>,
    rows: u64,
) -> Result<(Sink<W>, Vec<u8>), CsvError> {
    let task = tokio::task::spawn_blocking(move || {
        sink.writer.write_all(&bytes)?;
        if let Some(digest) = &mut sink.digest {
            digest.update(&bytes);
        }
        sink.stats.rows += rows;
        sink.stats.bytes += bytes.len() as u64;
        Ok::<_, CsvError>((sink, bytes))
    });
    task.await.map_err(|_| CsvError::Stopped)?
}

fn header(schema: &SchemaRef, line_ending: LineEnding) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, field) in schema.fields().iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        text(field.name().as_bytes(), &mut out);
    }
    out.extend_from_slice(line_ending.bytes());
    out
}

/// Appends the rows of a batch.
///
/// # Errors
/// An [`ArrowError`] when a column of an unusual type cannot be shown as text.
pub fn encode(
    batch: &RecordBatch,
    line_ending: LineEnding,
    out: &mut Vec<u8>,
) -> Result<(), ArrowError> {
    let plain = batch
        .columns()
        .iter()
        .map(plain_column)
        .collect::<Result<Vec<_>, _>>()?;
    let options = FormatOptions::default();
    let mut columns = plain
        .iter()
        .map(|column| Cells::new(column.as_ref(), &options))
        .collect::<Result<Vec<_>, _>>()?;
    let end = line_ending.bytes();
    for row in 0..batch.num_rows() {
        for (index, column) in columns.iter_mut().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            column.write(row, out)?;
        }
        // A line of one null would be an empty line, which readers skip.
        if columns.len() == 1 && (out.is_empty() || out.ends_with(end)) {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(end);
    }
    Ok(())
}
