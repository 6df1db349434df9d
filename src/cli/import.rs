//! `lakehand import STREAM FILES…`: archives and exports into bronze and silver.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use clap_complete::ArgValueCandidates;
use serde::Serialize;

use super::{App, CliError, Ended, VerbResult, complete};
use crate::pipeline::{
    dataset::Stream,
    normalise::{self, FieldNote, Fit, NormaliseSummary},
    text::for_terminal,
};

/// What to import.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Stream whose wire shape the rows have: affise.clicks, affise.conversions, …
    #[arg(add = ArgValueCandidates::new(complete::streams))]
    stream: Stream,
    /// NDJSON files: plain, .gz or .zst, told apart by their first bytes.
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    /// Only tell what is in the files: rows, lines that would be put aside, unknown fields. Nothing is stored.
    #[arg(long)]
    dry_run: bool,
    /// Import a file although it fits another stream better, or most of its fields are unknown.
    #[arg(long)]
    accept_misfit: bool,
}

/// Imports the files. Lines that cannot be typed are put aside and shown, they are no error.
///
/// # Errors
/// When a file cannot be read or looks like rows of another stream, more lines are bad than the profile allows, or the disk fails.
pub async fn run(app: &App, args: &ImportArgs) -> VerbResult {
    app.operations().permit("an import").await?;
    let context = app.platform.job_context("import").await?;
    let fit = normalise::fit(args.stream, &args.files)?;
    let misfit = fit.as_ref().and_then(Fit::refusal);
    if args.dry_run {
        let summary = normalise::preview(&context, args.stream, &args.files).await?;
        let report = DryRun {
            dry_run: true,
            fit,
            would_refuse: misfit.filter(|_| !args.accept_misfit),
            summary,
        };
        app.print(&report, |out| print_dry_run(out, args.stream, &report))?;
        return Ok(Ended::Well);
    }
    if let Some(why) = misfit.filter(|_| !args.accept_misfit) {
        return Err(CliError::usage(
            format!("nothing was imported: {why}"),
            "name the stream the rows are of; --dry-run tells what is in the files, --accept-misfit imports them all the same",
        ));
    }
    let summary = normalise::import(&context, args.stream, &args.files).await?;
    app.print(&summary, |out| print(out, args.stream, &summary))?;
    Ok(Ended::Well)
}

/// What an import would do.
#[derive(Debug, Serialize)]
struct DryRun {
    /// Always true: nothing was stored.
    dry_run: bool,
    /// How the file that fits worst fits.
    fit: Option<Fit>,
    /// Why the import would be refused.
    would_refuse: Option<String>,
    /// What is in the files. Which rows are new is known only once they are merged.
    summary: NormaliseSummary,
}

fn print_dry_run(out: &mut dyn Write, stream: Stream, report: &DryRun) -> io::Result<()> {
    let summary = &report.summary;
    writeln!(
        out,
        "{stream}: {} rows in, {} would be put aside; nothing was stored",
        summary.rows_in, summary.rows_quarantined
    )?;
    if let Some(fit) = &report.fit {
        let file = for_terminal(&fit.file);
        writeln!(
            out,
            "  {}% of the fields of {file} are known",
            fit.known_percent
        )?;
    }
    if let Some(why) = &report.would_refuse {
        writeln!(out, "  an import would be refused: {}", for_terminal(why))?;
    }
    print_findings(out, summary)
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
    print_findings(out, summary)
}

/// What was odd in the rows.
fn print_findings(out: &mut dyn Write, summary: &NormaliseSummary) -> io::Result<()> {
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
