//! `lakehand import STREAM FILES…`: archives and exports into bronze and silver.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;

use super::{App, Ended, VerbResult};
use crate::pipeline::{
    dataset::Stream,
    normalise::{self, FieldNote, NormaliseSummary},
    text::for_terminal,
};

/// What to import.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Stream whose wire shape the rows have: affise.clicks, affise.conversions, …
    stream: Stream,
    /// NDJSON files: plain, .gz or .zst, told apart by their first bytes.
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
}

/// Imports the files. Lines that cannot be typed are put aside and shown, they are no error.
///
/// # Errors
/// When a file cannot be read, more lines are bad than the profile allows, or the disk fails.
pub async fn run(app: &App, args: &ImportArgs) -> VerbResult {
    app.operations().permit("an import").await?;
    let context = app.platform.job_context("import").await?;
    let summary = normalise::import(&context, args.stream, &args.files).await?;
    app.print(&summary, |out| print(out, args.stream, &summary))?;
    Ok(Ended::Well)
}

/// At most this many fields and reasons are listed; `--output json` has them all.
const SHOWN: usize = 20;

fn print(out: &mut dyn Write, stream: Stream, summary: &NormaliseSummary) -> io::Result<()> {
    writeln!(
        out,
        "{stream}: {} rows in: {} new, {} updated, {} unchanged, {} superseded, {} put aside",
        summary.rows_in,
        summary.rows_new,
        summary.rows_updated,
        summary.rows_unchanged,
        summary.rows_superseded,
        summary.rows_quarantined,
    )?;
    for change in &summary.partitions {
        let day = change
            .day
            .map_or_else(|| "whole table".to_owned(), |day| day.to_string());
        writeln!(
            out,
            "  {day}: {} new, {} updated, {} rows now",
            change.new, change.updated, change.rows
        )?;
    }
    for (reason, rows) in summary.quarantine_reasons.iter().take(SHOWN) {
        writeln!(out, "  put aside: {rows} rows, {}", for_terminal(reason))?;
    }
    for file in &summary.quarantine_files {
        writeln!(out, "  put aside into {}", for_terminal(file))?;
    }
    for note in summary
        .unknown_fields
        .iter()
        .chain(&summary.drift)
        .take(SHOWN)
    {
        print_note(out, note)?;
    }
    if summary.duplicate_keys > 0 {
        writeln!(
            out,
            "  {} keys came twice in one object; the last value was taken",
            summary.duplicate_keys
        )?;
    }
    if summary.money_mismatches > 0 {
        writeln!(
            out,
            "  {} rows whose income less payouts is not their earnings",
            summary.money_mismatches
        )?;
    }
    if summary.secret_rows > 0 {
        writeln!(
            out,
            "  {} rows had secrets, which were removed",
            summary.secret_rows
        )?;
    }
    Ok(())
}

fn print_note(out: &mut dyn Write, note: &FieldNote) -> io::Result<()> {
    let (field, what, first) = (
        for_terminal(&note.field),
        for_terminal(&note.what),
        for_terminal(&note.first),
    );
    writeln!(
        out,
        "  field {field}: {what} in {} rows, first at {first}",
        note.rows
    )
}
