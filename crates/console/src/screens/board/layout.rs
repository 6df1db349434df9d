//! Where the parts of the Board are.

use ratatui::layout::Rect;

use crate::state::State;

/// Where the parts of the Board are; the same for update and view.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// One sentence.
    pub(super) verdict: Rect,
    /// Two rows for each workflow.
    pub(super) workflows: Rect,
    /// The line with the titles of what is below.
    pub(super) titles: Rect,
    /// Executions, titles of the columns included.
    pub(super) list: Rect,
    /// Freshness, where it has a place of its own.
    pub(super) freshness: Option<Rect>,
    /// The selected execution, or freshness in turn.
    pub(super) side: Rect,
}

/// The places for a screen of this size.
pub(super) fn layout(state: &State) -> Layout {
    let body = state.body();
    let cards = state.board.board().map_or(4, |board| board.workflows.len());
    let wanted = u16::try_from(cards * 2).unwrap_or(u16::MAX);
    let workflows_height = wanted.min(body.height.saturating_sub(10)).max(2);
    let verdict = Rect { height: 1, ..body };
    let workflows = Rect {
        y: body.y + 2,
        height: workflows_height,
        ..body
    };
    let titles = Rect {
        y: workflows.bottom() + 1,
        height: 1,
        ..body
    };
    let lower = Rect {
        y: titles.y + 1,
        height: body.bottom().saturating_sub(titles.y + 1),
        ..body
    };
    let side_width = (body.width * 2 / 5).clamp(28, 72);
    let list = Rect {
        width: lower.width.saturating_sub(side_width + 2),
        ..lower
    };
    let side = Rect {
        x: list.right() + 2,
        width: side_width,
        ..lower
    };
    let streams = state
        .board
        .board()
        .map_or(0, |board| board.freshness.len() + board.quality.len());
    let freshness_height = u16::try_from(streams + 2).unwrap_or(u16::MAX);
    if side.height >= freshness_height.saturating_add(14) {
        let freshness = Rect {
            height: freshness_height,
            ..side
        };
        let rest = Rect {
            y: freshness.bottom(),
            height: side.height - freshness_height,
            ..side
        };
        return Layout {
            verdict,
            workflows,
            titles,
            list,
            freshness: Some(freshness),
            side: rest,
        };
    }
    Layout {
        verdict,
        workflows,
        titles,
        list,
        freshness: None,
        side,
    }
}
