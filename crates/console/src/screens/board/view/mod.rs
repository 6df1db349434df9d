//! Drawing of the Board.

mod executions;
mod side;
mod workflows;

use ratatui::buffer::Buffer;

use self::{
    executions::executions,
    side::{details, freshness},
    workflows::workflows,
};
use super::{
    Side,
    layout::{Layout, layout},
    verdict::verdict,
};
use crate::{
    format::{ago, count, duration, running},
    state::State,
    widgets::text::{Pen, put, rule},
};
use lakehand_ops::{ExecutionStatus, ExecutionSummary};

/// Draws the Board.
pub(crate) fn view(state: &State, buffer: &mut Buffer) {
    let places = layout(state);
    let (mark, sentence, style) = verdict(state);
    Pen::new(buffer, places.verdict, 0)
        .gap(1)
        .put(mark, style)
        .gap(1)
        .put(&sentence, style);
    workflows(state, buffer, places.workflows);
    titles(state, buffer, &places);
    executions(state, buffer, places.list);
    if let Some(area) = places.freshness {
        freshness(state, buffer, area);
    }
    if places.freshness.is_none() && state.board.side == Side::Freshness {
        freshness(state, buffer, places.side);
    } else {
        details(state, buffer, places.side);
    }
}

fn titles(state: &State, buffer: &mut Buffer, places: &Layout) {
    let theme = &state.theme;
    let (line, list) = (places.titles, places.list);
    rule(buffer, line.x, line.y, line.width, theme.rule);
    let total = state.board.executions.value().map_or(0, |all| all.len());
    let shown = state.board.order.len();
    let title = match (state.board.filter.as_str(), total) {
        ("", 0) => "Executions".to_owned(),
        ("", _) => format!("Executions {}", count(shown as u64)),
        (filter, _) => format!(
            "Executions {} of {} with '{filter}'",
            count(shown as u64),
            count(total as u64)
        ),
    };
    put(
        buffer,
        line.x + 1,
        line.y,
        list.width.saturating_sub(2),
        &format!(" {title} "),
        theme.heading,
    );
    let side = match (places.freshness, state.board.side) {
        (Some(_), _) | (None, Side::Freshness) => "Freshness",
        (None, Side::Details) => "Selected",
    };
    put(
        buffer,
        places.side.x.saturating_sub(1),
        line.y,
        places.side.width,
        &format!(" {side} "),
        theme.heading,
    );
}

/// `for 42 s` or `5 min ago, took 1 m 12 s`.
fn when(state: &State, execution: &ExecutionSummary) -> String {
    match (execution.status, execution.ended) {
        (ExecutionStatus::Running, _) => format!(
            "for {}",
            running(
                execution
                    .started
                    .saturating_add(execution.idle)
                    .unwrap_or(state.now),
                state.now
            )
        ),
        (_, Some(ended)) => format!(
            "{}, took {}",
            ago(ended, state.now),
            execution.took().map(duration).unwrap_or_default()
        ),
        (_, None) => ago(execution.started, state.now),
    }
}
