//! `lakehand reports list|show|get|export`.

use std::{
    fs::File,
    io::{self, BufReader, Write},
};

use clap::Subcommand;
use clap_complete::ArgValueCandidates;
use jiff::tz::TimeZone;

use super::times::local;
use super::{App, CliError, Ended, VerbResult, complete, data_output, print_as, run::WindowArgs};
use crate::{
    ops::{ReportName, ReportSummary},
    pipeline::{
        export::{self, Report},
        records::{Head, member_names, read_head, title},
        text,
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
        #[arg(add = ArgValueCandidates::new(complete::reports))]
        name: String,
        /// Rows to show.
        #[arg(long, default_value_t = 20, value_parser = super::run::number::<usize>)]
        rows: usize,
    },
    /// A report's CSV, byte for byte, to standard output; control characters are made visible on a terminal.
    Get {
        /// Report name; `latest` is the newest one.
        #[arg(add = ArgValueCandidates::new(complete::reports))]
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
            app.print(&reports, |out| {
                write_list(out, &reports, &app.profile.time_zone)
            })?;
        }
        ReportsVerb::Show { name, rows } => {
            let file = operations.report_file(&resolve(app, name).await?).await?;
            show(app, &file, *rows)?;
        }
        ReportsVerb::Get { name } => {
            let file = operations.report_file(&resolve(app, name).await?).await?;
            app.say_sample();
            let mut out = data_output();
            io::copy(&mut File::open(file)?, &mut out)?;
            out.flush()?;
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
    let all = app.platform.operations().reports().await?;
    // One without a manifest may be half of a report that is being written.
    let whole = all.iter().find(|report| report.sha256.is_some());
    let newest = whole.or(all.first()).cloned();
    newest.map(|report| report.name).ok_or_else(|| {
        CliError::not_found(
            "there is no report yet",
            "`lakehand run daily-report --wait` makes one",
        )
    })
}

fn write_list(out: &mut dyn Write, reports: &[ReportSummary], zone: &TimeZone) -> io::Result<()> {
    for report in reports {
        let window = report
            .window
            .map_or(String::new(), |window| window.to_string());
        let rows = report.rows_in_words(|rows| rows.to_string());
        writeln!(
            out,
            "{}  {}  {window:<24} {rows:>14} {:>12} bytes",
            text::for_terminal(report.name.as_ref()),
            local(report.created, zone),
            report.bytes
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

/// Widest column; a longer cell is cut. `reports get` has all of it.
const WIDEST: usize = 40;

/// Prints the head of a CSV file as aligned columns, or as JSON objects.
fn show(app: &App, file: &std::path::Path, rows: usize) -> Result<(), CliError> {
    let head = read_head(BufReader::new(File::open(file)?), rows)?;
    app.say_sample();
    print_as(app.output, &objects(&head), |out| write_head(out, &head))
}

/// Rows as objects: nulls are null, a cell past the header has the number of its column for a name.
fn objects(head: &Head) -> Vec<serde_json::Map<String, serde_json::Value>> {
    let most = head.rows.iter().map(Vec::len).max().unwrap_or(0);
    let names = member_names(&head.header, most.max(head.header.len()));
    let object = |row: &Vec<Option<String>>| {
        let columns = row.len().max(head.header.len());
        let cell = |column: usize| row.get(column).cloned().flatten().into();
        (0..columns)
            .map(|column| (names[column].clone(), cell(column)))
            .collect()
    };
    head.rows.iter().map(object).collect()
}

fn write_head(out: &mut dyn Write, head: &Head) -> io::Result<()> {
    let columns = head.rows.iter().map(Vec::len).max().unwrap_or(0);
    let titles = (0..columns.max(head.header.len())).map(|column| title(&head.header, column));
    let mut lines: Vec<Vec<String>> = vec![titles.collect()];
    let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
    lines.extend(head.rows.iter().map(|row| row.iter().map(text).collect()));
    if head.header.is_empty() {
        return Ok(());
    }
    let width = |column: usize| {
        let wide = |line: &Vec<String>| line.get(column).map_or(0, |cell| text::columns(cell));
        lines.iter().map(wide).max().unwrap_or(0).min(WIDEST)
    };
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    for line in &lines {
        for (cell, width) in line.iter().zip(&widths) {
            write!(out, "{}  ", text::cell(cell, *width, WIDEST))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAGGED: &str = "\n\r\nid,name,id\n1,日本語,\"\"\n2,e\u{301}\u{1b}[2J,\n3,x,y,more\n";

    #[test]
    fn cells_align_by_display_width_and_none_is_lost() {
        let head = read_head(RAGGED.as_bytes(), 20).unwrap();
        let mut out = Vec::new();
        write_head(&mut out, &head).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "id  name    id  (column 4)",
                "1   日本語",
                "2   e\u{301}␛[2J",
                "3   x       y   more",
            ]
        );
    }

    #[test]
    fn objects_tell_null_from_empty_and_keep_both_of_two_columns() {
        let head = read_head(RAGGED.as_bytes(), 20).unwrap();
        assert_eq!(
            serde_json::json!(objects(&head)),
            serde_json::json!([
                {"id": "1", "name": "日本語", "id_1": ""},
                {"id": "2", "name": "e\u{301}\u{1b}[2J", "id_1": null},
                {"id": "3", "name": "x", "id_1": "y", "(column 4)": "more"},
            ])
        );
    }

    #[test]
    fn a_file_with_other_line_ends_is_read_alike() {
        let of = |text: &str| read_head(text.as_bytes(), 2).unwrap();
        assert_eq!(of("a,b\r1,2\r3,4\r5,6"), of("a,b\n1,2\n3,4\n"));
        assert_eq!(of("a,b\r\n1,2\r\n3,4"), of("\n\na,b\n1,2\n\n3,4\n"));
    }
}
