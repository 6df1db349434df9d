//! Formats in which a row is a line of its own: JSON, TSV, Markdown.

use arrow::{datatypes::Schema, error::ArrowError, record_batch::RecordBatch};

use super::{RowFormat, value};
use crate::pipeline::{records::distinct, text::for_terminal};

/// What stands before the rows.
pub(super) fn start(format: RowFormat, schema: &Schema, out: &mut Vec<u8>) {
    let names = schema.fields().iter().map(|field| field.name());
    match format {
        RowFormat::Tsv => {
            let titles: Vec<String> = names.map(|name| tsv(name)).collect();
            out.extend_from_slice(format!("{}\n", titles.join("\t")).as_bytes());
        }
        RowFormat::Markdown => {
            let titles: Vec<String> = names.map(|name| markdown(name)).collect();
            let rules = schema.fields().iter().map(|field| {
                if field.data_type().is_numeric() {
                    "---:"
                } else {
                    "---"
                }
            });
            let rules: Vec<&str> = rules.collect();
            let text = format!("| {} |\n| {} |\n", titles.join(" | "), rules.join(" | "));
            out.extend_from_slice(text.as_bytes());
        }
        _ => {}
    }
}

/// The rows of a batch.
///
/// # Errors
/// When a value cannot be shown.
pub(super) fn batch(
    format: RowFormat,
    batch: &RecordBatch,
    out: &mut Vec<u8>,
) -> Result<(), ArrowError> {
    let columns = value::columns(batch)?;
    if format == RowFormat::Json {
        let schema = batch.schema();
        let names = distinct(schema.fields().iter().map(|field| field.name().as_str()));
        let fields: Vec<_> = names.into_iter().zip(columns).collect();
        for row in 0..batch.num_rows() {
            value::object(&fields, row, out)?;
            out.push(b'\n');
        }
        return Ok(());
    }
    for row in 0..batch.num_rows() {
        let cells = columns.iter().map(|column| {
            Ok::<_, ArrowError>(match (column.text(row)?, format) {
                (None, RowFormat::Tsv) => "\\N".to_owned(),
                (None, _) => "NULL".to_owned(),
                (Some(text), RowFormat::Tsv) => tsv(&text),
                (Some(text), _) => markdown(&text),
            })
        });
        let cells = cells.collect::<Result<Vec<_>, _>>()?;
        let line = match format {
            RowFormat::Tsv => format!("{}\n", cells.join("\t")),
            _ => format!("| {} |\n", cells.join(" | ")),
        };
        out.extend_from_slice(line.as_bytes());
    }
    Ok(())
}

/// A cell in which no tab or line break stands for itself; a text `\N` is `\\N`.
fn tsv(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => cell.push_str("\\\\"),
            '\t' => cell.push_str("\\t"),
            '\n' => cell.push_str("\\n"),
            '\r' => cell.push_str("\\r"),
            c => cell.push(c),
        }
    }
    cell
}

/// A cell that ends neither its column nor its line.
fn markdown(text: &str) -> String {
    let safe = text.replace('\\', "\\\\").replace('|', "\\|");
    let lines: Vec<_> = safe.split('\n').map(for_terminal).collect();
    lines.join("<br>")
}
