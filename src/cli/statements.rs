//! `lakehand statements list|show|stop`: the SQL that ran, what it read and cost, why it failed.

use std::io::{self, Write};

use clap::Subcommand;
use jiff::tz::TimeZone;

use super::times::local;
use super::{App, Ended, VerbResult};
use crate::{ops::statements::Statement, pipeline::text::for_terminal};

/// Verbs on SQL statements.
#[derive(Debug, Subcommand)]
pub enum StatementsVerb {
    /// The newest statements of the profile's workgroup, newest first.
    List {
        /// At most so many.
        #[arg(long, default_value_t = 20, value_parser = super::run::number::<usize>)]
        limit: usize,
    },
    /// One statement whole: its text, times, bytes, cost and the reason of its failure.
    Show {
        /// Its id.
        id: String,
    },
    /// Stop a statement that is under way.
    Stop {
        /// Its id.
        id: String,
    },
}

/// Runs the verb.
///
/// # Errors
/// When the platform refuses or output fails.
pub async fn run(app: &App, verb: &StatementsVerb) -> VerbResult {
    let operations = app.operations();
    let zone = &app.profile.time_zone;
    match verb {
        StatementsVerb::List { limit } => {
            let all = operations.statements(*limit).await?;
            app.print(&all, |out| {
                if all.is_empty() {
                    return writeln!(out, "no statement was run yet");
                }
                all.iter().try_for_each(|one| write_line(out, one, zone))
            })?;
        }
        StatementsVerb::Show { id } => {
            let one = operations.statement(id).await?;
            app.print(&one, |out| write_whole(out, &one, zone))?;
        }
        StatementsVerb::Stop { id } => {
            operations.stop_statement(id).await?;
            app.print(
                &serde_json::json!({ "statement": id, "requested": "stop" }),
                |out| writeln!(out, "asked {id} to stop"),
            )?;
        }
    }
    Ok(Ended::Well)
}

fn write_line(out: &mut dyn Write, statement: &Statement, zone: &TimeZone) -> io::Result<()> {
    let submitted = statement
        .submitted
        .map_or_else(String::new, |at| local(at, zone));
    writeln!(
        out,
        "{:<9} {:<25} {:<14} {}  {}\n          {}",
        statement.state.name(),
        submitted,
        for_terminal(&statement.kind),
        figures(statement),
        for_terminal(&statement.id),
        for_terminal(&shortened(
            statement
                .reason
                .as_deref()
                .unwrap_or_else(|| statement.first_line())
        )),
    )
}

/// As much of a text as a line of a list bears.
fn shortened(text: &str) -> String {
    const MOST: usize = 120;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `1,204 ms, 10485760 bytes, $0.000050`; what is not known is left out.
fn figures(statement: &Statement) -> String {
    let known = [
        statement.run_ms.map(|run| format!("{run} ms")),
        statement
            .bytes_scanned
            .map(|bytes| format!("{bytes} bytes")),
        statement.dollars.map(|dollars| format!("${dollars:.6}")),
    ];
    known.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn write_whole(out: &mut dyn Write, statement: &Statement, zone: &TimeZone) -> io::Result<()> {
    write_line(out, statement, zone)?;
    if let Some(reason) = &statement.reason {
        writeln!(out, "why: {}", for_terminal(reason))?;
    }
    if let Some(queued) = statement.queued_ms {
        writeln!(out, "waited {queued} ms for room")?;
    }
    writeln!(out)?;
    statement
        .sql
        .lines()
        .try_for_each(|line| writeln!(out, "{}", for_terminal(line)))
}
