//! The Board in one sentence.

use jiff::SignedDuration;
use ratatui::style::Style;

use crate::{
    actions::ActionId,
    format::{ago, count, running, until},
    state::State,
    theme::{Theme, needs_care},
    widgets::text::width,
};
use lakehand_ops::{
    Board, ExecutionStatus, ExecutionSummary, Freshness, Redrive, WorkflowCard, parts,
    sources::PROMISED, triage,
};

/// Mark, sentence and style.
pub(super) fn verdict(state: &State) -> (&'static str, String, Style) {
    let theme = &state.theme;
    let Some(board) = state.board.board() else {
        return match state.board.answer.error() {
            // Why, and what to do, stands below in whole sentences.
            Some(_) => ("✗", "The board cannot be read".to_owned(), theme.bad),
            None => ("·", "Reading the board …".to_owned(), theme.muted),
        };
    };
    if let Some(whose) = &state.connection.other_account {
        let sentence = format!("These are the credentials of another account: {whose}");
        return ("✗", sentence, theme.bad);
    }
    if board.workflows.is_empty() && board.unread.is_empty() {
        let sentence = "Nothing is deployed here: lakehand deploy".to_owned();
        return ("·", sentence, theme.strong);
    }
    if let Some(failed) = failed_cards(board).next() {
        return failure(state, board, failed);
    }
    if let Some(unread) = board.unread.first() {
        let more = match board.unread.len() {
            1 => String::new(),
            several => format!(" · {} more", several - 1),
        };
        return ("?", format!("{}{more}", unread.line()), theme.warn);
    }
    let late: Vec<&str> = board
        .freshness
        .iter()
        .filter(|stream| is_late(stream, state))
        .map(|stream| stream.stream.as_str())
        .collect();
    // One that was redriven runs, whenever it was started.
    let runs = |execution: &&ExecutionSummary| execution.status == ExecutionStatus::Running;
    let active = board
        .workflows
        .iter()
        .find_map(|card| card.executions.iter().find(runs));
    if let Some(execution) = active {
        return under_way(state, execution, theme);
    }
    if board.lake_is_empty {
        let start = state.key(ActionId::StartNew);
        let next = match state.identity.offers_sample() {
            true => {
                let offers = state.key(ActionId::Palette);
                format!("{start} starts a workflow, {offers} offers sample data.")
            }
            false => {
                let sets = state.key(ActionId::GoCredentials);
                format!("{sets} sets credentials, {start} starts a workflow.")
            }
        };
        return ("·", format!("The lake is empty. {next}"), theme.strong);
    }
    if !late.is_empty() {
        let streams = if late.len() == 1 {
            "1 stream is late".to_owned()
        } else {
            format!("{} streams are late", late.len())
        };
        return ("!", format!("{streams}: {}", late.join(", ")), theme.warn);
    }
    todays_report(state, board, theme)
}

/// Whether a stream is older than promised by now, whatever it was when it was read.
pub(super) fn is_late(stream: &Freshness, state: &State) -> bool {
    let age = |at| state.now.duration_since(at);
    stream.late || stream.collected.is_some_and(|at| age(at) > PROMISED)
}

/// Workflows whose newest execution needs somebody.
pub(super) fn failed_cards(board: &Board) -> impl Iterator<Item = &WorkflowCard> {
    board.workflows.iter().filter(|card| is_failed(card))
}

/// Whether the newest execution of a workflow failed and nothing put it right.
pub(super) fn is_failed(card: &WorkflowCard) -> bool {
    newest(card).is_some_and(|execution| {
        needs_care(execution.status)
            && execution.status != ExecutionStatus::Aborted
            && !execution.superseded
    })
}

pub(super) fn newest(card: &WorkflowCard) -> Option<&ExecutionSummary> {
    card.executions.first()
}

fn failure(state: &State, board: &Board, card: &WorkflowCard) -> (&'static str, String, Style) {
    let Some(execution) = newest(card) else {
        return ("✗", format!("{} failed", card.name), state.theme.bad);
    };
    let verb = match execution.status {
        ExecutionStatus::Interrupted => "was cut off",
        ExecutionStatus::TimedOut => "timed out",
        _ => "failed",
    };
    let place = execution
        .current_stage
        .as_ref()
        .map(|stage| format!(" at {stage}"))
        .unwrap_or_default();
    let error = execution
        .error
        .as_ref()
        .map(|error| format!(": {error}"))
        .unwrap_or_default();
    let detail = state.board.preview_of(&execution.id);
    let helps = detail
        .and_then(|detail| detail.root_cause.as_ref())
        .and_then(|cause| cause.retry_helps);
    let later = detail
        .and_then(|detail| detail.root_cause.as_ref())
        .is_some_and(triage::is_better_later);
    // No key that would be refused.
    let key = |action| match state.may_change() {
        Ok(()) => state.key(action),
        Err(_) => "read-only".to_owned(),
    };
    let redrive = match detail.map(|detail| &detail.redrive) {
        Some(Redrive::Possible { known: false, .. }) => {
            format!(
                " · not known to be safe to repeat ({})",
                key(ActionId::Redrive)
            )
        }
        Some(Redrive::Possible { .. }) if helps == Some(false) => {
            format!(" · mend it, then redrive ({})", key(ActionId::Redrive))
        }
        Some(Redrive::Possible { .. }) if later => {
            format!(" · redrive later ({})", key(ActionId::Redrive))
        }
        Some(Redrive::Possible { .. }) => {
            format!(" · redrive is safe ({})", key(ActionId::Redrive))
        }
        Some(Redrive::NotPossible { .. }) => {
            format!(" · no redrive: start anew ({})", key(ActionId::StartNew))
        }
        None => String::new(),
    };
    let more = match failed_cards(board).count() {
        0 | 1 => String::new(),
        several => format!(" · {} more", several - 1),
    };
    let when = ago(execution.ended.unwrap_or(execution.started), state.now);
    let name = &card.name;
    // The workflow's own line says when, the side pane says what; what to do comes last and must not be cut.
    let sentences = [
        format!("{name} {verb}{place}{error}, {when}{redrive}{more}"),
        format!("{name} {verb}{place}{error}{redrive}{more}"),
        format!("{name} {verb}{place}{redrive}{more}"),
    ];
    let fits = |sentence: &&String| width(sentence) + 4 <= usize::from(state.size.0);
    let sentence = sentences.iter().find(fits).unwrap_or(&sentences[2]).clone();
    ("✗", sentence, state.theme.bad)
}

fn under_way(
    state: &State,
    execution: &ExecutionSummary,
    theme: &Theme,
) -> (&'static str, String, Style) {
    let place = execution
        .current_stage
        .as_ref()
        .map(|stage| format!(" at {stage}"))
        .unwrap_or_default();
    (
        "●",
        format!(
            "{} is running{place}, {}",
            execution.workflow,
            running(execution.started, state.now)
        ),
        theme.running,
    )
}

/// What is said where nothing makes our report.
const NO_REPORT: &str = "No workflow of this deployment makes the daily report";

/// Whether the report of today is there: of the day that the clock shows now, not of the day on which the Board was
/// read; a report that was made today of days gone by is not it. What was read too long ago bears no ✓.
fn todays_report(state: &State, board: &Board, theme: &Theme) -> (&'static str, String, Style) {
    let next = board
        .workflows
        .iter()
        .filter_map(|card| card.next_run)
        .min();
    let next = next
        .map(|at| format!(" · next run {} by this profile", until(at, state.now)))
        .unwrap_or_default();
    let makes_one = parts::has(
        board.workflows.iter().map(|card| &card.name),
        parts::REPORTS,
    );
    let Some(report) = &board.latest_report else {
        return match is_stale(state) {
            false if !makes_one => ("·", format!("{NO_REPORT}{next}"), theme.text),
            true => (
                "?",
                format!("{}no report was made yet", as_of(state)),
                theme.warn,
            ),
            false => ("·", format!("No report was made yet{next}"), theme.text),
        };
    };
    let today = state.now.to_zoned(state.zone.clone()).date();
    let is_todays = report.window.is_some_and(|window| window.contains(today));
    if !is_todays && !makes_one {
        let age = ago(report.created, state.now);
        let sentence = format!(
            "{NO_REPORT}; the newest file is {}, {age}{next}",
            report.name
        );
        return ("·", sentence, theme.text);
    }
    if !is_todays {
        let days = match report.window {
            Some(window) => format!(" of {window}"),
            None => String::new(),
        };
        let (newest, age) = (&report.name, ago(report.created, state.now));
        let sentence = match is_stale(state) {
            true => format!("{}the newest report was {newest}{days}", as_of(state)),
            false => format!(
                "Today's report is not there yet; the newest is {newest}{days}, {age}{next}"
            ),
        };
        return ("!", sentence, theme.warn);
    }
    let at = crate::format::moment(report.created, state.now, &state.zone);
    let facts = format!("{} in {} at {at}", report.rows_in_words(count), report.name);
    match is_stale(state) {
        true => (
            "?",
            format!("{}today's data was there: {facts}", as_of(state)),
            theme.warn,
        ),
        false => (
            "✓",
            format!("Today's data is there: {facts}{next}"),
            theme.good,
        ),
    }
}

/// How old the Board may be and still be believed; unfocused, it is read every two minutes.
const BELIEVED_FOR: SignedDuration = SignedDuration::from_mins(3);

/// Whether what the Board shows may not hold any more: the last reading failed, or is too long ago.
pub(super) fn is_stale(state: &State) -> bool {
    let read = state.board.fetched_at();
    state.board.answer.error().is_some()
        || read.is_none_or(|at| state.now.duration_since(at) > BELIEVED_FOR)
}

/// When the Board was read, as the beginning of a sentence.
fn as_of(state: &State) -> String {
    let read = state.board.fetched_at().unwrap_or(state.now);
    format!("Last read {}: ", ago(read, state.now))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::{
        StartScreen,
        scripted::{Driver, Scenario, ScriptedOperations},
    };
    use lakehand_ops::{OpsError, OpsErrorKind};
    use lakehand_pipeline::window::Window;

    /// A calm Board whose newest report is of these days, made and read at these instants.
    fn read(zone: &str, days: (&str, &str), created: &str, now: &str) -> Driver {
        let operations = ScriptedOperations::new(Scenario::Calm, 60).unwrap();
        let mut driver = Driver::open(operations, StartScreen::Board, (200, 50)).unwrap();
        driver.wait(500);
        let mut board = driver.state.board.board().unwrap().clone();
        for stream in &mut board.freshness {
            stream.collected = Some(now.parse().unwrap());
        }
        let report = board.latest_report.as_mut().unwrap();
        report.window = Some(Window::parse(days.0, days.1).unwrap());
        report.created = created.parse().unwrap();
        driver.state.zone = TimeZone::get(zone).unwrap();
        driver.state.now = now.parse().unwrap();
        super::super::answered_board(&mut driver.state, Ok(Arc::new(board)));
        driver
    }

    fn told(driver: &Driver) -> (&'static str, String) {
        let (mark, sentence, _) = verdict(&driver.state);
        (mark, sentence)
    }

    #[test]
    fn a_report_of_old_days_made_today_is_not_todays() {
        let created = "2026-01-31T08:00:00Z";
        let now = "2026-01-31T09:00:00Z";
        let driver = read("UTC", ("2026-01-24", "2026-01-31"), created, now);
        let (mark, sentence) = told(&driver);
        assert_eq!(mark, "✓");
        assert!(sentence.starts_with("Today's data is there"), "{sentence}");
        assert!(sentence.contains(" by this profile"), "{sentence}");
        // Made an hour ago too, of a week in December, and of the days up to yesterday.
        for days in [("2025-12-01", "2025-12-08"), ("2026-01-23", "2026-01-30")] {
            let (mark, sentence) = told(&read("UTC", days, created, now));
            assert_eq!(mark, "!", "{sentence}");
            assert!(
                sentence.starts_with("Today's report is not there yet"),
                "{sentence}"
            );
            let window = format!("of {}..{}, 1 h ago", days.0, days.1);
            assert!(sentence.contains(&window), "{sentence}");
        }
    }

    #[test]
    fn the_day_is_that_of_the_profiles_zone() {
        // At 23:30 UTC it is the 1st of February in Berlin, and still the 31st in New York.
        let days = ("2026-01-24", "2026-01-31");
        let (created, now) = ("2026-01-31T22:00:00Z", "2026-01-31T23:30:00Z");
        assert_eq!(told(&read("Europe/Berlin", days, created, now)).0, "!");
        assert_eq!(told(&read("UTC", days, created, now)).0, "✓");
        assert_eq!(told(&read("America/New_York", days, created, now)).0, "✓");
    }

    #[test]
    fn what_cannot_be_read_any_more_bears_no_tick_before_midnight_or_after_it() {
        let days = ("2026-01-24", "2026-01-31");
        let mut driver = read("UTC", days, "2026-01-31T08:00:00Z", "2026-01-31T23:50:00Z");
        assert_eq!(told(&driver).0, "✓");
        let refused = || OpsError::new(OpsErrorKind::Platform, "no network", "wait");
        driver.state.now = "2026-01-31T23:55:00Z".parse().unwrap();
        super::super::answered_board(&mut driver.state, Err(refused()));
        let (mark, sentence) = told(&driver);
        assert_eq!(mark, "?", "{sentence}");
        assert!(
            sentence.starts_with("Last read 5 min ago: today's data was there"),
            "{sentence}"
        );
        driver.state.now = "2026-02-01T00:10:00Z".parse().unwrap();
        super::super::answered_board(&mut driver.state, Err(refused()));
        let (mark, sentence) = told(&driver);
        assert_eq!(mark, "!", "{sentence}");
        assert!(
            sentence.starts_with("Last read 20 min ago: the newest report was"),
            "{sentence}"
        );
        // Streams that were fresh at the last reading are late by now, and none bears a tick.
        driver.state.now = "2026-02-02T03:00:00Z".parse().unwrap();
        let (mark, sentence) = told(&driver);
        assert_eq!(mark, "!", "{sentence}");
        assert!(sentence.contains("streams are late"), "{sentence}");
        let shown = driver.screen();
        assert!(!shown.contains("✓ affise."), "{shown}");
    }
}
