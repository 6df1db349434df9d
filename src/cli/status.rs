//! `lakehand status`: the Board as text or JSON.

use std::io::{self, Write};

use clap::Args;
use jiff::tz::TimeZone;

use super::times::local;
use super::{App, CliError, Ended, VerbResult, progress::mark};
use crate::{
    ops::{Board, ExecutionStatus, ExecutionSummary, Identity, StageStatus, Unread},
    pipeline::text::for_terminal,
};

/// No arguments of its own.
#[derive(Debug, Args)]
pub struct StatusArgs {}

/// Prints the Board; exit code 1 when the newest execution of a workflow failed.
///
/// # Errors
/// When the platform cannot be asked or output fails.
pub async fn run(app: &App, _args: &StatusArgs) -> VerbResult {
    let operations = app.operations();
    let board = operations.board().await?;
    if board.workflows.is_empty() {
        // Nothing is there: perhaps because these are the credentials of another account.
        operations.identify().await?;
    }
    app.print(&board, |out| {
        write_board(out, &board, &operations.identity(), &app.profile.time_zone)
    })?;
    let failed = board.workflows.iter().any(|card| {
        card.executions
            .first()
            .is_some_and(|e| needs_attention(e.status))
    });
    if failed {
        return Ok(Ended::Failed);
    }
    all_was_read(&board.unread)
}

/// An error where something could not be read; what could was printed before.
///
/// # Errors
/// When something is unread.
pub(super) fn all_was_read(unread: &[Unread]) -> VerbResult {
    let Some(first) = unread.first() else {
        return Ok(Ended::Well);
    };
    let lines: Vec<String> = unread.iter().map(Unread::line).collect();
    Err(CliError::platform(lines.join("; "), first.advice.clone()))
}

fn needs_attention(status: ExecutionStatus) -> bool {
    matches!(
        status,
        ExecutionStatus::Failed
            | ExecutionStatus::TimedOut
            | ExecutionStatus::Aborted
            | ExecutionStatus::Interrupted
    )
}

/// What somebody who has nothing yet does first.
fn first_step(board: &Board, identity: &Identity) -> Option<&'static str> {
    if board.workflows.is_empty() && board.unread.is_empty() {
        return Some("Nothing is deployed here: `lakehand deploy` makes the workflows.");
    }
    board.lake_is_empty.then(|| match identity.offers_sample() {
        true => "The lake is empty. `lakehand demo` fills it with sample data; `lakehand run collect` collects your own.",
        false => "The lake is empty. `lakehand credentials set` sets credentials; `lakehand run collect` collects.",
    })
}

fn write_board(
    out: &mut dyn Write,
    board: &Board,
    identity: &Identity,
    zone: &TimeZone,
) -> io::Result<()> {
    if let Some(step) = first_step(board, identity) {
        writeln!(out, "{step}\n")?;
    }
    for card in &board.workflows {
        let latest = card.executions.first();
        let state = match (latest, board.unread_workflow(&card.name)) {
            (Some(execution), _) => word(execution).to_owned(),
            (None, Some(unread)) => for_terminal(&unread.line()).to_string(),
            (None, None) => "never ran".to_owned(),
        };
        writeln!(out, "{:<14} {state}", card.name.as_ref())?;
        if let Some(execution) = latest {
            let stages: Vec<_> = card
                .stages
                .iter()
                .filter(|stage| stage.status != StageStatus::NotReached)
                .map(|stage| format!("{}{}", mark(&stage.status).0, for_terminal(&stage.name)))
                .collect();
            writeln!(out, "{:<14} {}  {}", "", execution.name, stages.join(" "))?;
            if let Some(error) = &execution.error {
                writeln!(
                    out,
                    "{:<14} {}: {}",
                    "",
                    execution.current_stage.as_deref().unwrap_or("?"),
                    for_terminal(error)
                )?;
            }
        }
        if let Some(next) = card.next_run {
            writeln!(
                out,
                "{:<14} next scheduled {} by this profile",
                "",
                local(next, zone)
            )?;
        }
    }
    writeln!(out)?;
    for stream in &board.freshness {
        let collected = stream
            .collected
            .map_or("never".to_owned(), |at| local(at, zone));
        if !stream.is_deployed {
            writeln!(out, "{:<20} not part of this deployment", stream.stream)?;
            continue;
        }
        let newest = stream
            .newest_day
            .map_or(String::new(), |day| format!("newest day {day}"));
        let late = if stream.late { "LATE" } else { "" };
        writeln!(
            out,
            "{:<20} collected {collected:<25} {newest:<23} {late} {}",
            stream.stream,
            stream.note.as_deref().unwrap_or("")
        )?;
    }
    if let Some(report) = &board.latest_report {
        writeln!(
            out,
            "\nlatest report  {}  {}, {} bytes",
            for_terminal(report.name.as_ref()),
            report.rows_in_words(|rows| rows.to_string()),
            report.bytes
        )?;
    }
    Ok(())
}

/// An execution's status as one word for people.
pub fn word(execution: &ExecutionSummary) -> &'static str {
    match execution.status {
        ExecutionStatus::Running => "running",
        ExecutionStatus::Succeeded => "succeeded",
        _ if execution.superseded => "fixed by a later run",
        ExecutionStatus::Failed => "FAILED",
        ExecutionStatus::TimedOut => "TIMED OUT",
        ExecutionStatus::Aborted => "stopped",
        ExecutionStatus::Interrupted => "INTERRUPTED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(has_sample: bool, is_configured: bool, workflows: &[&str]) -> String {
        let card = |name: &&str| crate::ops::WorkflowCard {
            name: (*name).into(),
            description: String::new(),
            stages: Vec::new(),
            executions: Vec::new(),
            next_run: None,
            last_success: None,
            takes_window: true,
        };
        let board = Board {
            as_of: jiff::Timestamp::UNIX_EPOCH,
            today: jiff::civil::date(1970, 1, 1),
            workflows: workflows.iter().map(card).collect(),
            freshness: Vec::new(),
            quality: Vec::new(),
            latest_report: None,
            unread: Vec::new(),
            lake_is_empty: true,
        };
        let identity = Identity {
            profile: "prod".to_owned(),
            account: String::new(),
            region: "eu-west-1".to_owned(),
            lake: String::new(),
            time_zone: "UTC".to_owned(),
            read_only: false,
            protected: false,
            has_sample,
            is_configured,
        };
        let mut out = Vec::new();
        write_board(&mut out, &board, &identity, &TimeZone::UTC).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_demo_is_advised_only_where_it_is_possible_and_nothing_is_configured() {
        let advises = |text: String| {
            assert!(text.starts_with("The lake is empty."), "{text}");
            text.contains("lakehand demo")
        };
        assert!(advises(told(true, false, &["collect"])));
        assert!(!advises(told(true, true, &["collect"])));
        assert!(!advises(told(false, true, &["collect"])));
    }

    #[test]
    fn where_nothing_is_deployed_that_comes_first() {
        let text = told(false, true, &[]);
        assert!(
            text.starts_with("Nothing is deployed here: `lakehand deploy`"),
            "{text}"
        );
        assert!(!text.contains("The lake is empty"), "{text}");
    }
}
