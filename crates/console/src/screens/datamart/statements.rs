//! The SQL statements of the profile: what ran, how long, what it read and cost, why it failed.

use std::{borrow::Cow, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use ratatui::style::Style;

use super::height;
use crate::{
    actions::Reason,
    format::{bytes, duration, full, moment, running},
    fresh::Fresh,
    screens::dialogs,
    state::State,
    theme::Theme,
    widgets::{
        grid::{Cell, Column},
        list::Cursor,
        passage::unread,
    },
};
use lakehand_ops::{OpsResult, Statement, StatementState};

/// Statements that are asked for: more than an hour of builds.
pub(crate) const NEWEST: usize = 50;

/// The columns of the list.
pub(super) const COLUMNS: [Column; 7] = [
    Column::fixed("", 9, 0),
    Column::fixed("statement", 12, 1),
    Column::fixed("sent", 11, 1),
    Column::number("took", 8, 2),
    Column::number("scanned", 9, 3),
    Column::number("cost", 10, 5),
    Column::growing("why, or what", 19, 1, 4),
];

/// What is known of the statements.
#[derive(Debug, Clone, Default)]
pub(crate) struct StatementList {
    pub(super) answer: Fresh<Arc<Vec<Statement>>>,
    pub(super) cursor: Cursor,
}

impl StatementList {
    /// Newest first.
    pub(super) fn all(&self) -> &[Statement] {
        self.answer.value().map_or(&[], |all| all.as_slice())
    }

    /// The one under the cursor.
    pub(crate) fn selected(&self) -> Option<&Statement> {
        self.all().get(self.cursor.selected())
    }

    /// Whether one is under way.
    pub(super) fn is_running(&self) -> bool {
        self.all().iter().any(|one| one.state.is_under_way())
    }
}

/// The statement under the cursor, if it may still be stopped.
pub(super) fn stoppable(state: &State) -> Result<&Statement, Reason> {
    let selected = state.datamart.selected_statement();
    let statement = selected.ok_or("no statement is selected")?;
    match statement.state.is_under_way() {
        true => Ok(statement),
        false => Err("it has ended".to_owned()),
    }
}

/// Takes the list; the statement that was selected stays so, the first one gives way to a newer one.
pub(crate) fn answered(state: &mut State, answer: OpsResult<Arc<Vec<Statement>>>) {
    let now = state.now;
    let list = &mut state.datamart.statements;
    let before = list.selected().map(|one| one.id.clone());
    let at_top = list.cursor.selected() == 0;
    list.answer.answered(now, answer);
    let same = list
        .all()
        .iter()
        .position(|one| Some(&one.id) == before.as_ref());
    let position = same.filter(|_| !at_top).unwrap_or(0);
    let (length, height) = (list.all().len(), height(state));
    state
        .datamart
        .statements
        .cursor
        .select(position, length, height);
}

/// Whether a statement holds a text, in lower case.
pub(super) fn holds(statement: &Statement, wanted: &str) -> bool {
    let reason = statement.reason.as_deref().unwrap_or_default();
    [&statement.id, &statement.kind, &statement.sql, reason]
        .iter()
        .any(|text| text.to_lowercase().contains(wanted))
}

/// Shows the selected statement whole.
pub(super) fn show(state: &mut State) {
    let Some(statement) = state.datamart.statements.selected() else {
        return;
    };
    let mut text = format!("{} {}\n", statement.kind, statement.state.name());
    for (what, value) in facts(state, statement) {
        text.push_str(&format!("{what:<9}{value}\n"));
    }
    text.push_str(&format!("\n{}", statement.sql));
    dialogs::show_text(state, "Statement".to_owned(), text);
}

fn facts(state: &State, statement: &Statement) -> Vec<(&'static str, String)> {
    let instant = |at: Option<Timestamp>| at.map(|at| full(at, &state.zone));
    let time = |milliseconds: Option<u64>| milliseconds.map(took);
    let known = [
        ("id", Some(statement.id.clone())),
        ("why", statement.reason.clone()),
        ("sent", instant(statement.submitted)),
        ("ended", instant(statement.ended)),
        ("waited", time(statement.queued_ms)),
        ("ran", time(statement.run_ms)),
        ("scanned", statement.bytes_scanned.map(bytes)),
        (
            "cost",
            statement.dollars.map(|dollars| format!("${dollars:.6}")),
        ),
    ];
    let known = known.into_iter();
    known
        .filter_map(|(what, value)| Some((what, value?)))
        .collect()
}

fn took(milliseconds: u64) -> String {
    duration(SignedDuration::from_millis(
        i64::try_from(milliseconds).unwrap_or(i64::MAX),
    ))
}

/// A row of the list.
pub(super) fn cells<'s>(state: &State, statement: &'s Statement) -> [Cell<'s>; 7] {
    let theme = &state.theme;
    let (word, style) = mark(theme, statement.state);
    let sent = statement
        .submitted
        .map(|at| moment(at, state.now, &state.zone));
    let lasted = match (statement.state.is_under_way(), statement.submitted) {
        (true, Some(submitted)) => Some(running(submitted, state.now)),
        _ => statement.run_ms.map(took),
    };
    let text = |text: Option<String>| Cow::Owned(text.unwrap_or_default());
    let (why, tone) = match &statement.reason {
        Some(reason) => (Cow::Borrowed(reason.as_str()), style),
        None => (Cow::Borrowed(statement.first_line()), theme.muted),
    };
    [
        (Cow::Borrowed(word), style),
        (Cow::Borrowed(statement.kind.as_str()), theme.text),
        (text(sent), theme.text),
        (text(lasted), theme.text),
        (text(statement.bytes_scanned.map(bytes)), theme.text),
        (
            text(statement.dollars.map(|dollars| format!("${dollars:.6}"))),
            theme.muted,
        ),
        (why, tone),
    ]
}

fn mark(theme: &Theme, state: StatementState) -> (&'static str, Style) {
    match state {
        StatementState::Queued => ("· queued", theme.muted),
        StatementState::Running => ("● runs", theme.running),
        StatementState::Succeeded => ("✓ done", theme.good),
        StatementState::Failed => ("✗ failed", theme.bad),
        StatementState::Cancelled => ("■ stopped", theme.warn),
    }
}

/// What stands where no statement does.
pub(super) fn empty(state: &State) -> String {
    let answer = &state.datamart.statements.answer;
    match (answer.error(), answer.is_answered()) {
        (Some(error), _) => unread(error),
        (None, false) => "reading …".to_owned(),
        (None, true) => "no statement was run yet".to_owned(),
    }
}
