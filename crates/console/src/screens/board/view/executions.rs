//! The list of executions.

use std::borrow::Cow;

use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    format::{duration, moment, running, widest_moment},
    state::{Requested, State},
    theme::execution_mark,
    widgets::{
        grid::{self, Column},
        passage::{put_wrapped, unread},
        text,
    },
};
use lakehand_ops::{ExecutionStatus, ExecutionSummary};

const COLUMNS: [Column; 6] = [
    Column::fixed("", 11, 0),
    Column::growing("workflow", 12, 1, 1),
    Column::fixed("started", 11, 2),
    Column::number("took", 9, 4),
    Column::growing("where and why", 14, 3, 3),
    Column::growing("window", 22, 0, 5),
];

/// Columns that all of them want.
const NARROW: u16 = 58;
/// Fewest columns that tell why something failed.
const LEAST_WHY: u16 = 11;

/// Draws the visible rows.
pub(super) fn executions(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let inner = Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(1),
        ..area
    };
    let height = usize::from(area.height.saturating_sub(1));
    let visible = state
        .board
        .cursor
        .visible(state.board.order.len(), height)
        .filter_map(|position| Some((position, state.board.at(position)?)));
    let visible: Vec<(usize, &ExecutionSummary)> = visible.collect();
    let columns = columns(state, inner.width, &visible);
    let widths = grid::widths(&columns, inner.width);
    grid::titles(buffer, inner, &columns, &widths, theme);
    let rows = Rect {
        y: inner.y + 1,
        height: inner.height.saturating_sub(1),
        ..inner
    };
    if state.board.order.is_empty() {
        let text = match (
            state.board.executions.is_answered(),
            state.board.executions.error(),
        ) {
            (_, Some(error)) => unread(error),
            (true, None) => "none".to_owned(),
            (false, None) => "reading …".to_owned(),
        };
        put_wrapped(buffer, rows, &text, theme.muted);
        return;
    }
    for (line, (position, execution)) in visible.into_iter().enumerate() {
        let line = u16::try_from(line).unwrap_or(u16::MAX);
        grid::row(
            buffer,
            rows,
            line,
            &columns,
            &widths,
            &cells(state, execution, inner.width < NARROW),
        );
        if position == state.board.cursor.selected() {
            grid::select(buffer, area, rows, line, theme);
        }
    }
}

/// The columns: on a narrow screen as wide as what is visible, so that there is room for why.
fn columns(state: &State, width: u16, visible: &[(usize, &ExecutionSummary)]) -> [Column; 6] {
    let rows = visible.iter().map(|(_, execution)| *execution);
    if width >= NARROW {
        let started = rows.map(|execution| execution.started);
        let widest = widest_moment(started, state.now, &state.zone);
        return Column::wide_enough(COLUMNS, "started", widest);
    }
    let mut widest = [0; 3];
    for execution in rows {
        let cells = cells(state, execution, true);
        for (most, (text, _)) in widest.iter_mut().zip(&cells) {
            *most = (*most).max(text::width(text));
        }
    }
    let [mark, workflow, started] = widest.map(|most| u16::try_from(most).unwrap_or(u16::MAX));
    // Titles have to fit too, and a long name gives way to why.
    let others = mark.max(1) + started.max(7) + LEAST_WHY + 6;
    let workflow = workflow.clamp(8, width.saturating_sub(others).max(8));
    [
        Column::fixed("", mark.max(1), 0),
        Column::fixed("workflow", workflow, 1),
        Column::fixed("started", started.max(7), 2),
        Column::number("took", 9, 4),
        Column::growing("why", LEAST_WHY, 1, 3),
        Column::growing("window", 22, 0, 5),
    ]
}

fn cells<'s>(state: &State, execution: &'s ExecutionSummary, narrow: bool) -> [grid::Cell<'s>; 6] {
    let theme = &state.theme;
    let mark = execution_mark(theme, execution);
    let word = match state.requested.get(&execution.id) {
        Some(Requested::Redrive(_)) => "redrive …",
        Some(Requested::Stop) => "stop …",
        None => mark.word,
    };
    let took = match (execution.status, execution.ended) {
        (ExecutionStatus::Running, _) => running(
            execution
                .started
                .saturating_add(execution.idle)
                .unwrap_or(state.now),
            state.now,
        ),
        _ => execution.took().map(duration).unwrap_or_default(),
    };
    let place = match (&execution.current_stage, &execution.error) {
        (Some(stage), Some(error)) if narrow => Cow::Owned(format!("{error} at {stage}")),
        (Some(stage), Some(error)) => Cow::Owned(format!("{stage}: {error}")),
        (Some(stage), None) => Cow::Borrowed(stage.as_str()),
        (None, Some(error)) => Cow::Borrowed(error.as_str()),
        (None, None) => Cow::Borrowed(""),
    };
    [
        (Cow::Owned(format!("{} {word}", mark.symbol)), mark.style),
        (Cow::Borrowed(execution.workflow.as_ref()), theme.text),
        (
            Cow::Owned(moment(execution.started, state.now, &state.zone)),
            theme.text,
        ),
        (Cow::Owned(took), theme.muted),
        (place, theme.muted),
        (
            Cow::Owned(
                execution
                    .window
                    .map(|window| window.to_string())
                    .unwrap_or_default(),
            ),
            theme.muted,
        ),
    ]
}
