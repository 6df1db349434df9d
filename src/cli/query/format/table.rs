//! Rows as aligned text. Widths are those of the first rows, which are kept until they are known; what is wider
//! further down is written whole and moves the rest of its line, so that neither a value nor memory is lost.

use arrow::{datatypes::Schema, error::ArrowError, record_batch::RecordBatch};

use super::{RowFormat, value};
use crate::pipeline::text::{cell, columns, for_terminal};

/// Rows that widths are measured by, and bytes of them at most.
const MEASURED: usize = 1000;
const MEASURED_BYTES: usize = 4 << 20;

/// A table that is being written.
pub(super) struct Table {
    titles: Vec<String>,
    /// Rows that wait for the widths.
    kept: Vec<Vec<String>>,
    kept_bytes: usize,
    shape: Shape,
    most_columns: Option<usize>,
    /// Rows written one value a line.
    row: u64,
}

enum Shape {
    Measuring,
    Across(Vec<usize>),
    Down,
}

impl Table {
    /// A table of these columns; of one value a line where it would be wider than `most_columns`.
    pub(super) fn new(schema: &Schema, format: RowFormat, most_columns: Option<usize>) -> Self {
        let names = schema.fields().iter().map(|field| field.name());
        Self {
            titles: names.map(|name| for_terminal(name).into_owned()).collect(),
            kept: Vec::new(),
            kept_bytes: 0,
            shape: match format {
                RowFormat::Vertical => Shape::Down,
                _ => Shape::Measuring,
            },
            most_columns,
            row: 0,
        }
    }

    /// Writes the rows of a batch, or keeps them until the widths are known.
    ///
    /// # Errors
    /// When a value cannot be shown.
    pub(super) fn batch(
        &mut self,
        batch: &RecordBatch,
        out: &mut Vec<u8>,
    ) -> Result<(), ArrowError> {
        let shown = value::columns(batch)?;
        for row in 0..batch.num_rows() {
            let line = shown.iter().map(|column| {
                let text = column.text(row)?;
                Ok::<_, ArrowError>(match text {
                    Some(text) => for_terminal(&text).into_owned(),
                    None => "NULL".to_owned(),
                })
            });
            let line = line.collect::<Result<Vec<_>, _>>()?;
            if matches!(self.shape, Shape::Measuring) {
                self.kept_bytes += line.iter().map(String::len).sum::<usize>();
                self.kept.push(line);
                if self.kept.len() >= MEASURED || self.kept_bytes >= MEASURED_BYTES {
                    self.begin(out);
                }
            } else {
                self.line(&line, out);
            }
        }
        Ok(())
    }

    /// Writes what is kept.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        if matches!(self.shape, Shape::Measuring) {
            self.begin(out);
        }
    }

    /// Decides the shape and writes the titles and what was kept.
    fn begin(&mut self, out: &mut Vec<u8>) {
        let kept = std::mem::take(&mut self.kept);
        let widths: Vec<usize> = self
            .titles
            .iter()
            .enumerate()
            .map(|(place, title)| {
                let cells = kept.iter().map(|line| columns(&line[place]));
                cells.chain([columns(title)]).max().unwrap_or(0)
            })
            .collect();
        let whole = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        let is_too_wide = self.most_columns.is_some_and(|most| whole > most);
        if is_too_wide && !kept.is_empty() {
            self.shape = Shape::Down;
        } else {
            self.shape = Shape::Across(widths);
            let titles = self.titles.clone();
            self.line(&titles, out);
        }
        kept.iter().for_each(|line| self.line(line, out));
    }

    fn line(&mut self, line: &[String], out: &mut Vec<u8>) {
        if let Shape::Across(widths) = &self.shape {
            let padded = line.iter().zip(widths);
            let padded: Vec<String> = padded
                .map(|(text, width)| cell(text, *width, usize::MAX))
                .collect();
            out.extend_from_slice(format!("{}\n", padded.join("  ").trim_end()).as_bytes());
            return;
        }
        self.row += 1;
        let width = self.titles.iter().map(|title| columns(title)).max();
        out.extend_from_slice(format!("-[ row {} ]-\n", self.row).as_bytes());
        for (title, text) in self.titles.iter().zip(line) {
            let title = cell(title, width.unwrap_or(0), usize::MAX);
            out.extend_from_slice(format!("{title} | {text}\n").as_bytes());
        }
    }
}
