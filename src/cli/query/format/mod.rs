//! How rows are written: every format streams, and in each a null is told apart from an empty text.

mod lines;
mod parquet;
mod table;
#[cfg(test)]
mod tests;
mod value;

use std::{io::Write, path::Path, pin::Pin, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
    error::ArrowError,
};
use clap::ValueEnum;
use futures::{Stream, StreamExt};

use crate::{
    cli::CliError,
    pipeline::{
        export::{CsvOptions, write_csv},
        ports::{QueryError, QueryRows},
    },
};
use table::Table;

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// Aligned columns; control characters made visible; a null is NULL.
    Table,
    /// One value a line, for rows that are too wide; as `\x` in the prompt.
    Vertical,
    /// RFC 4180; a null is nothing, an empty text is `""`.
    Csv,
    /// As COPY of PostgreSQL: a null is `\N`, tabs and line breaks are `\t` and `\n`.
    Tsv,
    /// One JSON object a line; `ndjson` is the same.
    #[value(alias = "ndjson", alias = "jsonl")]
    Json,
    /// A table in Markdown; a null is NULL.
    Markdown,
    /// Parquet, into a file only.
    Parquet,
}

impl RowFormat {
    /// The format's name, as options and the prompt take it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Vertical => "vertical",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Parquet => "parquet",
        }
    }

    /// The format that a file's ending names.
    pub fn of_file(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match ending.as_str() {
            "csv" => Self::Csv,
            "tsv" => Self::Tsv,
            "json" | "ndjson" | "jsonl" => Self::Json,
            "md" => Self::Markdown,
            "txt" => Self::Table,
            "parquet" => Self::Parquet,
            _ => return None,
        })
    }
}

/// Where rows go.
pub struct Sink {
    /// Written in pieces of many rows.
    pub out: Box<dyn Write + Send>,
    /// Columns that a table may take before it is written one value a line; `None`: any number.
    pub most_columns: Option<usize>,
}

/// Writes all rows; returns how many there were.
///
/// # Errors
/// When the rows end early, cannot be shown, or the writer fails.
pub async fn write_rows(
    rows: QueryRows,
    format: RowFormat,
    mut sink: Sink,
) -> Result<u64, CliError> {
    match format {
        RowFormat::Csv => Ok(
            write_csv(nested_as_json(rows), sink.out, CsvOptions::default())
                .await?
                .rows,
        ),
        RowFormat::Parquet => parquet::write(rows, sink.out).await,
        RowFormat::Table | RowFormat::Vertical => {
            let mut table = Table::new(&rows.schema, format, sink.most_columns);
            let written = each(rows.batches, &mut sink.out, |batch, out| {
                table.batch(batch, out)
            })
            .await?;
            let mut rest = Vec::new();
            table.end(&mut rest);
            sink.out.write_all(&rest)?;
            sink.out.flush()?;
            Ok(written)
        }
        RowFormat::Json | RowFormat::Tsv | RowFormat::Markdown => {
            let mut start = Vec::new();
            lines::start(format, &rows.schema, &mut start);
            sink.out.write_all(&start)?;
            each(rows.batches, &mut sink.out, |batch, out| {
                lines::batch(format, batch, out)
            })
            .await
        }
    }
}

type Batches = Pin<Box<dyn Stream<Item = Result<RecordBatch, QueryError>> + Send>>;

/// Writes batch after batch, each as soon as it is there.
async fn each(
    mut batches: Batches,
    out: &mut Box<dyn Write + Send>,
    mut write: impl FnMut(&RecordBatch, &mut Vec<u8>) -> Result<(), ArrowError>,
) -> Result<u64, CliError> {
    let (mut rows, mut text) = (0, Vec::new());
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        text.clear();
        write(&batch, &mut text).map_err(|error| unshown(&error))?;
        out.write_all(&text)?;
        out.flush()?;
    }
    out.flush()?;
    Ok(rows)
}

fn unshown(error: &ArrowError) -> CliError {
    CliError::platform(
        format!("could not show the rows: {error}"),
        "cast the column to varchar",
    )
}

/// The same rows with arrays, rows and maps as the text of their JSON: formats of texts have no other form for them.
fn nested_as_json(rows: QueryRows) -> QueryRows {
    let nested = |field: &Field| value::is_nested(field.data_type());
    if !rows.schema.fields().iter().any(|field| nested(field)) {
        return rows;
    }
    let fields = rows
        .schema
        .fields()
        .iter()
        .map(|field| match nested(field) {
            true => Arc::new(Field::new(field.name(), DataType::Utf8, true)),
            false => Arc::clone(field),
        });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let told = Arc::clone(&schema);
    let batches = rows.batches.map(move |batch| {
        let batch = batch?;
        let turned = texts_of(&batch, &|data_type| value::is_nested(data_type), None)
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

/// The columns of a batch, those of some types as texts.
///
/// # Errors
/// When a value cannot be shown.
pub(super) fn texts_of(
    batch: &RecordBatch,
    turned: &dyn Fn(&DataType) -> bool,
    null: Option<&str>,
) -> Result<Vec<ArrayRef>, ArrowError> {
    let shown = value::columns(batch)?;
    let columns = batch.columns().iter().zip(&shown);
    columns
        .map(|(column, shown)| {
            if !turned(column.data_type()) {
                return Ok(Arc::clone(column));
            }
            let texts: Vec<Option<String>> = (0..batch.num_rows())
                .map(|row| Ok(shown.text(row)?.or_else(|| null.map(str::to_owned))))
                .collect::<Result<_, ArrowError>>()?;
            Ok(Arc::new(StringArray::from(texts)) as ArrayRef)
        })
        .collect()
}
