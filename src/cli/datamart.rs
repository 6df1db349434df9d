//! `lakehand datamart build|show|history|rollback`.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Subcommand;
use clap_complete::ArgValueCandidates;
use jiff::tz::TimeZone;

use super::times::local;
use super::{
    App, CliError, Ended, VerbResult, complete,
    run::{WindowArgs, start_and_wait},
};
use crate::{
    ops::{Datamart, Snapshot, StartRequest, WorkflowName, datamart::WORKFLOW},
    pipeline::{dataset::GoldTable, text::for_terminal},
};

/// Verbs on the marketing datamart.
#[derive(Debug, Subcommand)]
pub enum DatamartVerb {
    /// Rebuild it, and wait; exit code 1 when the build failed.
    Build {
        #[command(flatten)]
        window: WindowArgs,
    },
    /// What it is made of and what that costs, what runs, the last build.
    Show {
        /// Also print the engine's plan of the SELECT.
        #[arg(long)]
        plan: bool,
    },
    /// Its snapshots with what each changed, newest first.
    History {
        /// Another gold table.
        #[arg(long, default_value = "marketing_datamart", add = ArgValueCandidates::new(complete::gold_tables))]
        table: GoldTable,
    },
    /// Put a snapshot's rows back, by a new snapshot.
    Rollback {
        /// Snapshot, as `history` lists it.
        #[arg(value_parser = super::run::number::<u64>)]
        version: u64,
        /// Another gold table.
        #[arg(long, default_value = "marketing_datamart", add = ArgValueCandidates::new(complete::gold_tables))]
        table: GoldTable,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// Runs the verb.
///
/// # Errors
/// When the platform refuses or output fails.
pub async fn run(app: &App, verb: &DatamartVerb) -> VerbResult {
    let operations = app.operations();
    match verb {
        DatamartVerb::Build { window } => {
            let request = StartRequest {
                workflow: WorkflowName::from(WORKFLOW),
                window: window.window(app)?,
                input: serde_json::json!({}),
                name: None,
            };
            return start_and_wait(app, request).await;
        }
        DatamartVerb::Show { plan } => {
            let datamart = operations.datamart().await?;
            app.print(&datamart, |out| {
                write_datamart(out, &datamart, *plan, &app.profile.time_zone)
            })?;
        }
        DatamartVerb::History { table } => {
            let snapshots = operations.snapshots(*table).await?;
            app.print(&snapshots, |out| {
                write_history(out, *table, &snapshots, &app.profile.time_zone)
            })?;
        }
        DatamartVerb::Rollback {
            version,
            table,
            yes,
        } => {
            operations.permit("a roll-back").await?;
            if !yes {
                confirm(*table, *version)?;
            }
            let snapshot = operations.rollback(*table, *version).await?;
            app.print(&snapshot, |out| {
                writeln!(
                    out,
                    "{} is at snapshot {} ({}), {} rows",
                    table.name(),
                    snapshot.version,
                    snapshot.operation,
                    number(snapshot.rows)
                )
            })?;
        }
    }
    Ok(Ended::Well)
}

/// Readers see other rows at once, so the table's name is asked for.
fn confirm(table: GoldTable, version: u64) -> Result<(), CliError> {
    let refused = |why: &str| {
        CliError::usage(
            format!("{} was not rolled back: {why}", table.name()),
            "add --yes, or answer with the table's name",
        )
    };
    if !io::stdin().is_terminal() {
        return Err(refused("nobody can be asked"));
    }
    let mut err = io::stderr();
    write!(
        err,
        "This puts snapshot {version} of {name} in place of the current rows.\nType {name} to go on: ",
        name = table.name()
    )?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == table.name() {
        Ok(())
    } else {
        Err(refused("the answer is another name"))
    }
}

fn number(count: Option<u64>) -> String {
    count.map_or_else(|| "?".to_owned(), |count| count.to_string())
}

fn write_datamart(
    out: &mut dyn Write,
    datamart: &Datamart,
    plan: bool,
    zone: &TimeZone,
) -> io::Result<()> {
    let mode = format!("{:?}", datamart.mode).to_lowercase();
    writeln!(out, "{}  {mode}", datamart.table)?;
    if !datamart.is_deployed {
        writeln!(
            out,
            "  not part of this deployment: it has no workflow 'datamart'"
        )?;
    }
    if let Some(snapshot) = &datamart.snapshot {
        writeln!(
            out,
            "  {} rows, {} bytes; snapshot {} of {} ({})",
            number(datamart.rows),
            number(datamart.bytes),
            snapshot.version,
            local(snapshot.at, zone),
            snapshot.operation
        )?;
    }
    if let Some(why) = &datamart.why_no_plan {
        writeln!(out, "  {}", for_terminal(why))?;
    }
    for source in &datamart.sources {
        let newest = source
            .newest
            .map_or_else(|| "never".to_owned(), |at| local(at, zone));
        writeln!(
            out,
            "  reads {:<28} {:>6} files {:>14} bytes  newest {newest}",
            source.table, source.files, source.bytes
        )?;
    }
    writeln!(
        out,
        "  a build scans at most {} bytes: ${:.6} at ${} per TB",
        datamart.estimate.bytes, datamart.estimate.dollars, datamart.estimate.price_per_tb
    )?;
    if let Some(limit) = datamart.scan_limit {
        writeln!(out, "  the workgroup stops a statement at {limit} bytes")?;
    }
    for statement in &datamart.in_flight {
        writeln!(
            out,
            "  running {} in {}  {}",
            statement.stage,
            statement.execution,
            for_terminal(statement.progress.as_deref().unwrap_or(""))
        )?;
    }
    if let Some(build) = &datamart.last_build {
        writeln!(
            out,
            "  last build {}: {} bytes scanned, ${:.6}",
            build.execution.id, build.bytes_scanned, build.cost.dollars
        )?;
    }
    if let Some(quality) = &datamart.quality {
        writeln!(
            out,
            "  {} checks, {} warnings, {} errors",
            quality.checks, quality.warnings, quality.errors
        )?;
    }
    if plan {
        writeln!(out)?;
        for line in &datamart.query_plan {
            writeln!(out, "{}", for_terminal(line))?;
        }
    }
    Ok(())
}

fn write_history(
    out: &mut dyn Write,
    table: GoldTable,
    snapshots: &[Snapshot],
    zone: &TimeZone,
) -> io::Result<()> {
    if snapshots.is_empty() {
        return writeln!(
            out,
            "{} has no snapshots: it was not built yet, or is a view",
            table.name()
        );
    }
    writeln!(
        out,
        "{:>8}  {:<25}  {:>10} {:>10} {:>10}  operation",
        "snapshot", "time", "added", "removed", "rows"
    )?;
    for snapshot in snapshots {
        let mark = match (snapshot.current, snapshot.restorable) {
            (true, _) => "  <- current",
            (false, true) => "",
            (false, false) => "  (files removed)",
        };
        writeln!(
            out,
            "{:>8}  {:<25}  {:>10} {:>10} {:>10}  {}{mark}",
            snapshot.version,
            local(snapshot.at, zone),
            number(snapshot.rows_added),
            number(snapshot.rows_removed),
            number(snapshot.rows),
            snapshot.operation
        )?;
    }
    Ok(())
}
