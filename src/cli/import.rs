//! `lakehand import STREAM FILES…`: archives and exports into bronze and silver.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use clap_complete::ArgValueCandidates;
use serde::Serialize;

use super::{App, CliError, Ended, VerbResult, complete, progress::follow};
use crate::{
    ops::ExecutionDetail,
    pipeline::{
        dataset::Stream,
        normalise::{self, FieldNote, Fit, NormaliseSummary, TakenBack},
        text::{for_terminal, shell_word},
    },
    platform::{
        Platform,
        local::imports::{Bring, ImportError},
    },
};

/// What to import.
#[derive(Debug, Args)]
#[command(after_help = super::names::streams())]
pub struct ImportArgs {
    /// Stream whose wire shape the rows have: affise.clicks, affise.conversions, …
    #[arg(required_unless_present = "undo", add = ArgValueCandidates::new(complete::streams))]
    stream: Option<Stream>,
    /// NDJSON files: plain, .gz or .zst, told apart by their first bytes.
    #[arg(required_unless_present = "undo", value_name = "FILES")]
    files: Vec<PathBuf>,
    /// Only tell what is in the files: rows, lines that would be put aside, unknown fields. Nothing is stored.
    #[arg(long)]
    dry_run: bool,
    /// Import a file although it fits another stream better, or most of its fields are unknown.
    #[arg(long)]
    accept_misfit: bool,
    /// Take an import back: silver as it was before, its files removed, rows that came since brought in again.
    #[arg(long, value_name = "EXECUTION", conflicts_with_all = ["stream", "files", "dry_run", "accept_misfit"])]
    undo: Option<String>,
}

/// Imports the files. Lines that cannot be typed are put aside and shown, they are no error.
///
/// # Errors
/// When a file cannot be read or looks like rows of another stream, more lines are bad than the profile allows, or the disk fails.
pub async fn run(app: &App, args: &ImportArgs) -> VerbResult {
    match (&args.undo, args.stream) {
        (Some(id), _) => undo(app, id).await,
        (None, Some(stream)) => import(app, stream, args).await,
        (None, None) => Err(CliError::usage(
            "no stream was named",
            "write `lakehand import STREAM FILES`",
        )),
    }
}

async fn import(app: &App, stream: Stream, args: &ImportArgs) -> VerbResult {
    app.operations().permit("an import").await?;
    let fit = normalise::fit(stream, &args.files)?;
    let misfit = fit.as_ref().and_then(Fit::refusal);
    if args.dry_run {
        let context = app.platform.job_context("import").await?;
        let summary = normalise::preview(&context, stream, &args.files).await?;
        let report = DryRun {
            dry_run: true,
            fit,
            would_refuse: misfit.filter(|_| !args.accept_misfit),
            summary,
        };
        app.print(&report, |out| print_dry_run(out, stream, &report))?;
        return Ok(Ended::Well);
    }
    if let Some(why) = misfit.filter(|_| !args.accept_misfit) {
        return Err(CliError::usage(
            format!("nothing was imported: {why}"),
            "name the stream the rows are of; --dry-run tells what is in the files, --accept-misfit imports them all the same",
        ));
    }
    let (execution, summary) = bring(app, stream, &args.files).await?;
    let done = Imported {
        summary: &summary,
        execution: &execution,
    };
    app.print(&done, |out| {
        print(out, stream, &summary)?;
        let id = shell_word(&execution);
        writeln!(out, "  `lakehand import --undo {id}` takes it back")
    })?;
    Ok(Ended::Well)
}

/// What an import did, and under which name it can be taken back.
#[derive(Serialize)]
struct Imported<'i> {
    #[serde(flatten)]
    summary: &'i NormaliseSummary,
    execution: &'i str,
}

/// Who is at the keyboard, as the machine knows it.
fn whoever() -> Option<String> {
    ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok())
        .filter(|name| !name.is_empty())
}

async fn bring(
    app: &App,
    stream: Stream,
    files: &[PathBuf],
) -> Result<(String, NormaliseSummary), CliError> {
    match &app.platform {
        Platform::Local(platform) => {
            let whole = |file: &PathBuf| std::path::absolute(file).unwrap_or_else(|_| file.clone());
            let bring = Bring {
                stream,
                files: files.iter().map(whole).collect(),
                by: whoever(),
            };
            let id = platform.start_import(&bring).await?;
            follow(app.operations().as_ref(), &id).await?;
            Ok((id.to_string(), platform.imported(&id).await?))
        }
        #[cfg(feature = "aws")]
        Platform::Aws(platform) => {
            let context = platform.job_context("import");
            let summary = normalise::import(&context, stream, files).await?;
            Ok((context.execution, summary))
        }
    }
}

async fn undo(app: &App, id: &str) -> VerbResult {
    app.operations().permit("taking an import back").await?;
    let context = app.platform.job_context("import").await?;
    let all = normalise::imports(&context).await?;
    if !all.iter().any(|one| one.is_called(id)) {
        let names: Vec<&str> = all
            .iter()
            .map(|one| one.executions.first().unwrap_or(&one.collection).as_str())
            .collect();
        let advice = match names.as_slice() {
            [] => "there is no import that could be taken back".to_owned(),
            names => format!("those that can be taken back: {}", names.join(", ")),
        };
        return Err(CliError::not_found(
            format!("there is no import '{id}' to take back"),
            advice,
        ));
    }
    let done = match &app.platform {
        Platform::Local(platform) => {
            let id = platform.start_taking_back(id, whoever()).await?;
            follow(app.operations().as_ref(), &id).await?;
            platform.taken_back(&id).await?
        }
        #[cfg(feature = "aws")]
        Platform::Aws(_) => normalise::take_back(&context, id).await?,
    };
    app.print(&done, |out| print_taken_back(out, &done))?;
    Ok(Ended::Well)
}

fn print_taken_back(out: &mut dyn Write, done: &TakenBack) -> io::Result<()> {
    writeln!(
        out,
        "{} of {} is taken back: {} rows, {} files",
        done.collection,
        done.stream,
        done.rows,
        done.removed.len()
    )?;
    for key in done.restored.iter().take(SHOWN) {
        writeln!(out, "  as before: {key}")?;
    }
    for collection in &done.again {
        writeln!(out, "  brought in again: {collection}")?;
    }
    writeln!(
        out,
        "  a report that was built in between still has its rows: `lakehand run daily-report` builds it anew"
    )
}

/// What a list says of an import: how many rows of what, out of which files, by whom.
#[must_use]
pub fn told(detail: &ExecutionDetail) -> String {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    let input = read(&detail.input);
    let output = detail.output.as_deref().map(read).unwrap_or_default();
    let text = |name: &str| input[name].as_str().unwrap_or_default();
    let rows = output["rows"]
        .as_u64()
        .map_or_else(|| "rows".to_owned(), |rows| format!("{rows} rows"));
    let by = match text("by") {
        "" => String::new(),
        by => format!(" by {by}"),
    };
    if let Some(undone) = input["undo"].as_str() {
        return for_terminal(&format!("{rows} taken back{by}: {undone}")).to_string();
    }
    let files = input["files"].as_array().into_iter().flatten();
    let names: Vec<&str> = files
        .filter_map(|file| file.as_str())
        .map(|file| file.rsplit('/').next().unwrap_or(file))
        .collect();
    let told = format!("{rows} of {}{by} from {}", text("stream"), names.join(", "));
    for_terminal(&told).to_string()
}

impl From<ImportError> for CliError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Execution(error) => error.into(),
            ImportError::Job(error) => error.into(),
        }
    }
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
