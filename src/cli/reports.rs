//! `lakehand reports list|show|get|export`.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
};

use clap::Subcommand;
use csv_core::ReadRecordResult;

use super::{App, CliError, Ended, VerbResult, print_as, run::WindowArgs};
use crate::{
    ops::{ReportName, ReportSummary},
    pipeline::{
        export::{self, Report},
        text::for_terminal,
    },
};

/// Verbs on reports.
#[derive(Debug, Subcommand)]
pub enum ReportsVerb {
    /// Exported reports, newest first.
    List,
    /// The first rows of a report as a table; control characters are made visible.
    Show {
        /// Report name; `latest` is the newest one.
        name: String,
        /// Rows to show.
        #[arg(long, default_value_t = 20, value_parser = super::run::number::<usize>)]
        rows: usize,
    },
    /// A report's CSV, byte for byte, to standard output.
    Get {
        /// Report name; `latest` is the newest one.
        name: String,
    },
    /// Export the sub5 report of a window from gold.
    Export {
        #[command(flatten)]
        window: WindowArgs,
    },
}

/// Runs the verb.
///
/// # Errors
/// When there is no such report, or output fails.
pub async fn run(app: &App, verb: &ReportsVerb) -> VerbResult {
    let operations = app.operations();
    match verb {
        ReportsVerb::List => {
            let reports = operations.reports().await?;
            app.print(&reports, |out| write_list(out, &reports))?;
        }
        ReportsVerb::Show { name, rows } => {
            let file = operations.report_file(&resolve(app, name).await?).await?;
            show(app, &file, *rows)?;
        }
        ReportsVerb::Get { name } => {
            let file = operations.report_file(&resolve(app, name).await?).await?;
            app.say_sample();
            io::copy(&mut File::open(file)?, &mut io::stdout().lock())?;
        }
        ReportsVerb::Export { window } => {
            let window = window.or_default(app)?;
            operations.permit("an export of a report").await?;
            let context = app.platform.job_context("reports-export").await?;
            let made = export::export(&context, Report::Sub5, window).await?;
            app.print(&made, |out| {
                writeln!(
                    out,
                    "{}  {} rows, {} bytes",
                    made.name, made.rows, made.bytes
                )
            })?;
        }
    }
    Ok(Ended::Well)
}

async fn resolve(app: &App, name: &str) -> Result<ReportName, CliError> {
    if name != "latest" {
        return Ok(ReportName::from(name));
    }
    let newest = app
        .platform
        .operations()
        .reports()
        .await?
        .into_iter()
        .next();
    newest.map(|report| report.name).ok_or_else(|| {
        CliError::not_found(
            "there is no report yet",
            "`lakehand run daily-report --wait` makes one",
        )
    })
}

fn write_list(out: &mut dyn Write, reports: &[ReportSummary]) -> io::Result<()> {
    for report in reports {
        let window = report
            .window
            .map_or(String::new(), |window| window.to_string());
        writeln!(
            out,
            "{}  {:.0}  {window:<24} {:>9} rows {:>12} bytes",
            report.name, report.created, report.rows, report.bytes
        )?;
    }
    if reports.is_empty() {
        writeln!(
            out,
            "no reports yet; `lakehand run daily-report --wait` makes one"
        )?;
    }
    Ok(())
}

/// Prints the head of a CSV file as aligned columns, or as JSON objects.
fn show(app: &App, file: &std::path::Path, rows: usize) -> Result<(), CliError> {
    let records = read_head(BufReader::new(File::open(file)?), rows + 1)?;
    let Some((header, body)) = records.split_first() else {
        return Ok(());
    };
    let objects: Vec<serde_json::Map<String, serde_json::Value>> = body
        .iter()
        .map(|row| {
            header
                .iter()
                .cloned()
                .zip(row.iter().map(|cell| cell.clone().into()))
                .collect()
        })
        .collect();
    app.say_sample();
    print_as(app.output, &objects, |out| {
        let widths: Vec<usize> = (0..header.len())
            .map(|column| {
                records
                    .iter()
                    .filter_map(|row| row.get(column))
                    .map(|cell| for_terminal(cell).chars().count().min(40))
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for row in &records {
            for (cell, width) in row.iter().zip(&widths) {
                let text: String = for_terminal(cell).chars().take(40).collect();
                write!(out, "{text:<width$}  ")?;
            }
            writeln!(out)?;
        }
        Ok(())
    })
}

/// The first records of a CSV file, at most `count`; reads no further than it must.
fn read_head(mut input: impl BufRead, count: usize) -> io::Result<Vec<Vec<String>>> {
    let mut reader = csv_core::Reader::new();
    let mut records = Vec::new();
    let (mut text, mut ends) = (vec![0; 64 * 1024], vec![0; 256]);
    let (mut text_end, mut ends_end) = (0, 0);
    while records.len() < count {
        let bytes = input.fill_buf()?;
        let (result, read, written, ended) =
            reader.read_record(bytes, &mut text[text_end..], &mut ends[ends_end..]);
        input.consume(read);
        text_end += written;
        ends_end += ended;
        match result {
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::OutputFull => text.resize(text.len() * 2, 0),
            ReadRecordResult::OutputEndsFull => ends.resize(ends.len() * 2, 0),
            ReadRecordResult::End => break,
            ReadRecordResult::Record => {
                let starts = std::iter::once(0).chain(ends[..ends_end].iter().copied());
                let cell = |(from, to): (usize, &usize)| {
                    String::from_utf8_lossy(&text[from..*to]).into_owned()
                };
                records.push(starts.zip(&ends[..ends_end]).map(cell).collect());
                (text_end, ends_end) = (0, 0);
            }
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_file_keeps_quotes_and_line_breaks_inside_cells() {
        let long = "x".repeat(200_000);
        let file = format!("a,b\n\"1,\n2\",\"say \"\"hi\"\"\"\n,{long}\nlast,row\n");
        let head = read_head(file.as_bytes(), 3).unwrap();
        assert_eq!(
            head,
            [
                vec!["a", "b"],
                vec!["1,\n2", "say \"hi\""],
                vec!["", long.as_str()]
            ]
        );
        assert_eq!(read_head(file.as_bytes(), 99).unwrap().len(), 4);
        assert!(read_head(&b""[..], 5).unwrap().is_empty());
    }
}
