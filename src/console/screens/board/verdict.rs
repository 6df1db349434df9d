//! The Board in one sentence.

use ratatui::style::Style;

use crate::{
    console::{
        actions::ActionId,
        format::{ago, count, running, until},
        state::State,
        theme::{Theme, needs_care},
        widgets::text::width,
    },
    ops::{Board, ExecutionStatus, ExecutionSummary, Redrive, WorkflowCard, triage},
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
        .filter(|stream| stream.late)
        .map(|stream| stream.stream.as_str())
        .collect();
    let active = board.workflows.iter().find_map(|card| {
        newest(card).filter(|execution| execution.status == ExecutionStatus::Running)
    });
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

fn todays_report(state: &State, board: &Board, theme: &Theme) -> (&'static str, String, Style) {
    let next = board
        .workflows
        .iter()
        .filter_map(|card| card.next_run)
        .min();
    let next = next
        .map(|at| format!(" · next run {}", until(at, state.now)))
        .unwrap_or_default();
    match &board.latest_report {
        Some(report) if report.created.to_zoned(state.zone.clone()).date() == board.today => {
            let at = crate::console::format::moment(report.created, state.now, &state.zone);
            (
                "✓",
                format!(
                    "Today's data is there: {} rows in {} at {at}{next}",
                    count(report.rows),
                    report.name
                ),
                theme.good,
            )
        }
        Some(report) => (
            "!",
            format!(
                "Today's report is not there yet; the newest is {} ({}){next}",
                report.name,
                ago(report.created, state.now)
            ),
            theme.warn,
        ),
        None => ("·", format!("No report was made yet{next}"), theme.text),
    }
}
