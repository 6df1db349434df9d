//! Reports: what was exported, newest first.

use std::{borrow::Cow, sync::Arc};

use jiff::SignedDuration;
use ratatui::{buffer::Buffer, layout::Rect};

use super::table;
use crate::{
    actions::ActionId,
    effect::Effect,
    effect::Request,
    format::{ago, bytes, count, moment, widest_moment},
    fresh::Fresh,
    state::State,
    widgets::{
        grid::{self, Column},
        list::Cursor,
        passage::{put_wrapped, unread},
        text::{Pen, rule},
    },
};
use lakehand_ops::{OpsResult, ReportSummary};

/// State of the list of reports.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReportsState {
    answer: Fresh<Arc<Vec<ReportSummary>>>,
    shown: Vec<u32>,
    cursor: Cursor,
    filter: String,
}

impl ReportsState {
    /// What the reports are filtered by.
    pub(crate) fn filter_text(&self) -> &str {
        &self.filter
    }

    /// The report under the cursor.
    pub(crate) fn selected(&self) -> Option<&ReportSummary> {
        self.at(self.cursor.selected())
    }

    /// The newest report.
    pub(crate) fn newest(&self) -> Option<&ReportSummary> {
        self.answer
            .value()?
            .iter()
            .max_by_key(|report| report.created)
    }

    /// When the list was read.
    pub(crate) fn fetched_at(&self) -> Option<jiff::Timestamp> {
        self.answer.fetched_at()
    }

    /// When it is due to be read again.
    pub(crate) fn due(&self) -> Option<jiff::Timestamp> {
        self.due_after(SignedDuration::from_secs(30))
    }

    /// When this long has passed since it was asked for.
    pub(crate) fn due_after(&self, every: SignedDuration) -> Option<jiff::Timestamp> {
        self.answer.due(every)
    }

    /// Why it could not be read.
    pub(crate) fn error(&self) -> Option<&lakehand_ops::OpsError> {
        self.answer.error()
    }

    fn at(&self, position: usize) -> Option<&ReportSummary> {
        self.answer
            .value()?
            .get(*self.shown.get(position)? as usize)
    }

    fn arrange(&mut self) {
        let all: &[ReportSummary] = self.answer.value().map_or(&[], |all| all.as_slice());
        let fits = |row: &u32| {
            let report = &all[*row as usize];
            let window = report
                .window
                .map(|window| window.to_string())
                .unwrap_or_default();
            let text = format!("{} {} {window}", report.name, report.report).to_lowercase();
            self.filter
                .split_whitespace()
                .all(|word| match word.strip_prefix('!') {
                    Some(word) => !text.contains(word),
                    None => text.contains(word),
                })
        };
        self.shown = (0..u32::try_from(all.len()).unwrap_or(u32::MAX))
            .filter(fits)
            .collect();
    }
}

fn list(state: &State) -> Rect {
    let body = state.body();
    Rect {
        x: 1,
        y: body.y + 2,
        width: body.width.saturating_sub(2),
        height: body.height.saturating_sub(2),
    }
}

fn height(state: &State) -> usize {
    usize::from(list(state).height).max(1)
}

/// Reads the list.
pub(crate) fn refresh(state: &mut State, effects: &mut Vec<Effect>) {
    let now = state.now;
    state.reports.answer.asked(now);
    state.ask(Request::Reports, effects);
}

/// Takes the list.
pub(crate) fn answered(state: &mut State, answer: OpsResult<Arc<Vec<ReportSummary>>>) {
    let now = state.now;
    let selected = state.reports.selected().map(|report| report.name.clone());
    state.reports.answer.answered(now, answer);
    state.reports.arrange();
    let position = selected.and_then(|name| {
        (0..state.reports.shown.len()).find(|at| {
            state
                .reports
                .at(*at)
                .is_some_and(|report| report.name == name)
        })
    });
    let (length, height) = (state.reports.shown.len(), height(state));
    state
        .reports
        .cursor
        .select(position.unwrap_or(0), length, height);
}

/// Does an action; `false` if it is none of this screen's.
pub(crate) fn act(state: &mut State, action: ActionId, effects: &mut Vec<Effect>) -> bool {
    let (length, height) = (state.reports.shown.len(), height(state));
    if state.reports.cursor.act(action, length, height) {
        return true;
    }
    match action {
        ActionId::Open => match state.reports.selected().map(|report| report.name.clone()) {
            Some(name) => table::open(state, name, effects),
            None => state.problem("no report is selected"),
        },
        _ => return false,
    }
    true
}

/// The filter was typed.
pub(crate) fn filter(state: &mut State, text: &str) {
    state.reports.filter = text.trim().to_lowercase();
    state.reports.arrange();
    let (length, height) = (state.reports.shown.len(), height(state));
    state.reports.cursor.select(0, length, height);
}

/// Looks for the next report that holds a text.
pub(crate) fn find(state: &mut State, text: &str, forward: bool, inclusive: bool) {
    let wanted = text.to_lowercase();
    let reports = &state.reports;
    let holds = |position: usize| {
        reports
            .at(position)
            .is_some_and(|report| report.name.as_ref().to_lowercase().contains(&wanted))
    };
    match super::run::next(
        reports.shown.len(),
        reports.cursor.selected(),
        forward,
        inclusive,
        holds,
    ) {
        Some(position) => {
            let (length, height) = (state.reports.shown.len(), height(state));
            state.reports.cursor.select(position, length, height);
        }
        None => state.problem(format!("no report with '{text}'")),
    }
}

/// A click; `true` if the row was already selected.
pub(crate) fn click(state: &mut State, x: u16, y: u16) -> bool {
    let area = list(state);
    if !area.contains((x, y).into()) {
        return false;
    }
    let position = state.reports.cursor.top() + usize::from(y - area.y);
    let (length, height) = (state.reports.shown.len(), height(state));
    let again = position == state.reports.cursor.selected();
    if position < length {
        state.reports.cursor.select(position, length, height);
    }
    again && position < length
}

const COLUMNS: [Column; 6] = [
    Column::growing("report", 26, 2, 0),
    Column::fixed("written", 11, 1),
    Column::fixed("age", 12, 4),
    Column::number("rows", 12, 2),
    Column::number("size", 10, 3),
    Column::growing("window", 22, 1, 5),
];

/// Draws the list of reports.
pub(crate) fn view(state: &State, buffer: &mut Buffer) {
    let theme = &state.theme;
    let (body, area) = (state.body(), list(state));
    let total = state.reports.answer.value().map_or(0, |all| all.len());
    let title = match state.reports.filter.as_str() {
        "" => format!("Reports {}", count(total as u64)),
        filter => format!(
            "Reports {} of {} with '{filter}'",
            count(state.reports.shown.len() as u64),
            count(total as u64)
        ),
    };
    rule(buffer, body.x, body.y, body.width, theme.rule);
    Pen::new(buffer, body, 0)
        .gap(1)
        .put(&format!(" {title} "), theme.heading);
    let visible = state
        .reports
        .cursor
        .visible(state.reports.shown.len(), area.height.into());
    let written = visible.filter_map(|position| Some(state.reports.at(position)?.created));
    let widest = widest_moment(written, state.now, &state.zone);
    let columns = Column::wide_enough(COLUMNS, "written", widest);
    let widths = grid::widths(&columns, area.width);
    let titles = Rect {
        y: body.y + 1,
        height: 1,
        ..area
    };
    grid::titles(buffer, titles, &columns, &widths, theme);
    if state.reports.shown.is_empty() {
        put_wrapped(buffer, area, &empty(state), theme.muted);
    }
    for (line, position) in state
        .reports
        .cursor
        .visible(state.reports.shown.len(), area.height.into())
        .enumerate()
    {
        let Some(report) = state.reports.at(position) else {
            continue;
        };
        let cells = [
            (Cow::Borrowed(report.name.as_ref()), theme.text),
            (
                Cow::Owned(moment(report.created, state.now, &state.zone)),
                theme.text,
            ),
            (Cow::Owned(ago(report.created, state.now)), theme.muted),
            (
                report
                    .rows
                    .map_or(Cow::Borrowed("unknown"), |rows| Cow::Owned(count(rows))),
                theme.text,
            ),
            (Cow::Owned(bytes(report.bytes)), theme.muted),
            (
                Cow::Owned(
                    report
                        .window
                        .map(|window| window.to_string())
                        .unwrap_or_default(),
                ),
                theme.muted,
            ),
        ];
        let line = u16::try_from(line).unwrap_or(u16::MAX);
        grid::row(buffer, area, line, &columns, &widths, &cells);
        if position == state.reports.cursor.selected() {
            grid::select(buffer, body, area, line, theme);
        }
    }
}

fn empty(state: &State) -> String {
    match (state.reports.error(), state.reports.answer.is_answered()) {
        (Some(error), _) => unread(error),
        (None, false) => "reading …".to_owned(),
        (None, true) => format!(
            "no report yet: {} on the Board starts daily-report",
            state.key(ActionId::StartNew)
        ),
    }
}
