//! `lakehand check TABLE`: the checks of a table as it is now.

use std::io::{self, Write};

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::{App, CliError, Ended, VerbResult, complete, run::WindowArgs};
use crate::pipeline::{
    quality::{self, QualityReport, Severity},
    text::for_terminal,
};

/// What to check.
#[derive(Debug, Args)]
#[command(after_help = super::names::tables())]
pub struct CheckArgs {
    /// Table with checks: daily_report_sub5, affise_clicks, …; a wrong name lists them.
    #[arg(add = ArgValueCandidates::new(complete::checked_tables))]
    table: String,
    #[command(flatten)]
    window: WindowArgs,
}

/// Runs the checks; exit code 1 when one of severity `error` failed.
///
/// # Errors
/// When there are no checks for the table, or one cannot be run.
pub async fn run(app: &App, args: &CheckArgs) -> VerbResult {
    let known = quality::checked_tables(&app.profile);
    if !known.contains(&args.table) {
        return Err(CliError::not_found(
            format!("there are no checks for a table '{}'", args.table),
            format!("tables with checks: {}", known.join(", ")),
        ));
    }
    let window = args.window.or_default(app)?;
    // What it finds is kept in the lake, where the Board reads it.
    app.operations()
        .permit("a check, whose result is stored in the lake,")
        .await?;
    let context = app.platform.job_context("check").await?;
    let report = quality::check_table(&context, &args.table, window).await?;
    app.print(&report, |out| write_report(out, &report))?;
    Ok(if report.count(Severity::Error) == 0 {
        Ended::Well
    } else {
        Ended::Failed
    })
}

fn write_report(out: &mut dyn Write, report: &QualityReport) -> io::Result<()> {
    writeln!(out, "{} {}", report.table, report.window)?;
    for check in &report.checks {
        let verdict = match (check.passed, check.severity) {
            (true, _) if check.value.is_none() => "nothing",
            (true, _) => "passed",
            (false, Severity::Warn) => "WARN",
            (false, Severity::Error) => "ERROR",
        };
        writeln!(
            out,
            "{verdict:<8} {:<20} {:<32} {} {} (expected {})",
            check.table,
            check.name,
            for_terminal(check.value.as_deref().unwrap_or("-")),
            check.unit,
            for_terminal(check.threshold.as_deref().unwrap_or("-")),
        )?;
        if !check.passed {
            writeln!(out, "{:<8} {}", "", check.reason)?;
        }
        for sample in check.samples.iter().take(5) {
            writeln!(out, "{:<8}   {}", "", for_terminal(sample))?;
        }
    }
    let (warnings, errors) = (report.count(Severity::Warn), report.count(Severity::Error));
    writeln!(
        out,
        "{} checks, {warnings} warnings, {errors} errors",
        report.checks.len()
    )
}
