//! `lakehand query SQL`: one statement in Athena's spelling.

use std::{
    io::{self, Read, Write},
    path::PathBuf,
    sync::Arc,
};

use arrow::{
    array::RecordBatch,
    datatypes::DataType,
    util::display::{ArrayFormatter, FormatOptions},
};
use clap::{Args, ValueEnum};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::{
    App, CliError, Ended, OutputFormat, VerbResult, data_output, print_as, standard_output,
};
use crate::pipeline::{
    export::{CsvOptions, write_csv},
    ports::{QueryEngine, QueryRows},
    records::distinct,
    text::{cell, columns, for_terminal},
};
use crate::platform::local::engine::{kind, query_error};

/// What to ask.
#[derive(Debug, Args)]
#[command(after_help = super::names::tables())]
pub struct QueryArgs {
    /// The statement; `-` reads it from standard input.
    sql: String,
    /// Rows in this format instead of --output's.
    #[arg(long, value_enum)]
    format: Option<RowFormat>,
    /// A Parquet file, or a folder of them, to read as one more table; may be given several times.
    #[arg(long = "table", value_name = "NAME=PATH", value_parser = named_path)]
    tables: Vec<(String, PathBuf)>,
}

/// Splits `NAME=PATH`.
fn named_path(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok((name.to_owned(), PathBuf::from(path)))
        }
        _ => Err("expected NAME=PATH, for example old=/data/archive.parquet".to_owned()),
    }
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// Aligned columns; control characters made visible.
    Table,
    /// RFC 4180, streamed.
    Csv,
    /// One JSON object a line, streamed.
    Json,
}

/// Runs the statement.
///
/// # Errors
/// When it is refused or fails.
pub async fn run(app: &App, args: &QueryArgs) -> VerbResult {
    let mut sql = args.sql.clone();
    if sql == "-" {
        sql.clear();
        io::stdin().read_to_string(&mut sql)?;
    }
    let engine = engine(app, args)?;
    app.say_sample();
    let cancel = CancellationToken::new();
    let kind = kind(&sql).map_err(query_error)?;
    if !kind.is_read {
        app.operations()
            .permit("a statement that is not known to be a read")
            .await?;
    }
    if kind.gives_rows {
        let rows = engine.query(&sql, &cancel).await?;
        let format = args.format.unwrap_or(match app.output {
            OutputFormat::Text => RowFormat::Table,
            OutputFormat::Json => RowFormat::Json,
        });
        print_rows(rows, format).await?;
    } else {
        let summary = engine.execute(&sql, &cancel).await?;
        print_as(app.output, &summary, |out| {
            writeln!(
                out,
                "{}: {} rows in {} ms",
                summary.statement, summary.rows, summary.elapsed_ms
            )
        })?;
    }
    Ok(Ended::Well)
}

/// The profile's engine, which knows the files that were named as tables.
fn engine(app: &App, args: &QueryArgs) -> Result<Arc<dyn QueryEngine>, CliError> {
    if args.tables.is_empty() {
        return Ok(app.platform.engine());
    }
    let mut engine = app.platform.local("--table")?.engine()?.clone();
    for (name, path) in &args.tables {
        engine = engine.with_parquet(name, path)?;
    }
    Ok(Arc::new(engine))
}

async fn print_rows(mut rows: QueryRows, format: RowFormat) -> Result<(), CliError> {
    match format {
        RowFormat::Csv => {
            write_csv(rows, data_output(), CsvOptions::default()).await?;
        }
        RowFormat::Json => {
            while let Some(batch) = rows.batches.next().await {
                let batch = batch?;
                let mut out = standard_output(OutputFormat::Json);
                write_json(&mut out, &batch)?;
                out.flush()?;
            }
        }
        RowFormat::Table => {
            let mut batches = Vec::new();
            while let Some(batch) = rows.batches.next().await {
                batches.push(batch?);
            }
            let header: Vec<String> = rows
                .schema
                .fields()
                .iter()
                .map(|field| for_terminal(field.name()).into_owned())
                .collect();
            let mut out = standard_output(OutputFormat::Text);
            write_table(&mut out, &header, &batches)?;
            out.flush()?;
        }
    }
    Ok(())
}

fn cells(batch: &RecordBatch) -> Result<Vec<ArrayFormatter<'_>>, CliError> {
    let options = FormatOptions::default();
    let formatters: Result<Vec<_>, _> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options.clone()))
        .collect();
    formatters.map_err(|error| {
        CliError::platform(
            format!("could not show the rows: {error}"),
            "try --format csv",
        )
    })
}

fn write_json(out: &mut dyn Write, batch: &RecordBatch) -> Result<(), CliError> {
    let schema = batch.schema();
    let names = distinct(schema.fields().iter().map(|field| field.name().as_str()));
    let formatters = cells(batch)?;
    for row in 0..batch.num_rows() {
        let mut object = serde_json::Map::new();
        let columns = schema.fields().iter().zip(batch.columns());
        for (((field, column), formatter), name) in columns.zip(&formatters).zip(&names) {
            let text = || formatter.value(row).to_string();
            let value = if column.is_null(row) || *field.data_type() == DataType::Null {
                serde_json::Value::Null
            } else {
                match field.data_type() {
                    DataType::Boolean => serde_json::Value::Bool(text() == "true"),
                    t if t.is_integer() || t.is_floating() => {
                        serde_json::from_str(&text()).unwrap_or_else(|_| text().into())
                    }
                    _ => text().into(),
                }
            };
            object.insert(name.clone(), value);
        }
        serde_json::to_writer(&mut *out, &object).map_err(io::Error::from)?;
        writeln!(out)?;
    }
    Ok(())
}

fn write_table(
    out: &mut dyn Write,
    header: &[String],
    batches: &[RecordBatch],
) -> Result<(), CliError> {
    let titles = header.iter().map(|title| for_terminal(title).into_owned());
    let mut lines: Vec<Vec<String>> = vec![titles.collect()];
    for batch in batches {
        let formatters = cells(batch)?;
        for row in 0..batch.num_rows() {
            let line = batch
                .columns()
                .iter()
                .zip(&formatters)
                .map(|(column, formatter)| {
                    if column.is_null(row) || *column.data_type() == DataType::Null {
                        "NULL".to_owned()
                    } else {
                        for_terminal(&formatter.value(row).to_string()).into_owned()
                    }
                });
            lines.push(line.collect());
        }
    }
    let widths: Vec<usize> = (0..header.len())
        .map(|c| {
            lines
                .iter()
                .map(|line| columns(&line[c]))
                .max()
                .unwrap_or(0)
        })
        .collect();
    for line in &lines {
        let padded: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(text, width)| cell(text, *width, usize::MAX))
            .collect();
        writeln!(out, "{}", padded.join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};

    use super::*;

    #[test]
    fn columns_align_by_display_width_and_names_are_made_safe() {
        let columns: [(&str, Vec<Option<&str>>); 2] = [
            (
                "name\u{1b}[31m",
                vec![Some("日本語"), Some("e\u{301}"), None],
            ),
            ("b", vec![Some("x"), Some("\u{9b}2J"), Some("y")]),
        ];
        let columns =
            columns.map(|(name, cells)| (name, Arc::new(StringArray::from(cells)) as ArrayRef));
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.map(|(name, cells)| (name, cells, true)),
        )
        .unwrap();
        let schema = batch.schema();
        let header: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
        let mut out = Vec::new();
        write_table(&mut out, &header, &[batch]).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "name␛[31m  b\n日本語     x\ne\u{301}          \u{fffd}2J\nNULL       y\n"
        );
    }
}
