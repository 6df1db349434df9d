//! Beside the list: how fresh every stream is, and the selected execution.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::when;
use crate::{
    console::{
        actions::ActionId,
        format::{age, ago, count, plural},
        screens::datamart::checks,
        state::State,
        theme::{execution_mark, needs_care},
        widgets::{
            dialog::wrapped,
            text::{Pen, width},
        },
    },
    ops::{ExecutionDetail, ExecutionSummary, Redrive},
};

/// Draws every stream's age, and the newest report.
pub(super) fn freshness(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let Some(board) = state.board.board() else {
        return;
    };
    let names = board
        .freshness
        .iter()
        .map(|stream| width(&stream.stream))
        .max()
        .unwrap_or(0)
        .min(24);
    let names = u16::try_from(names).unwrap_or(24);
    for (line, stream) in board.freshness.iter().enumerate() {
        let row = u16::try_from(line).unwrap_or(u16::MAX);
        let trouble = stream.late || stream.note.is_some();
        let (symbol, style) = match (trouble, stream.collected) {
            (true, _) => ("!", theme.warn),
            (false, Some(_)) => ("✓", theme.good),
            (false, None) => ("·", theme.muted),
        };
        let collected = stream
            .collected
            .map_or_else(|| "never".to_owned(), |at| age(at, state.now));
        let day = stream
            .newest_day
            .map(|day| day.strftime("%m-%d").to_string())
            .unwrap_or_default();
        let rows = stream
            .rows
            .map(|rows| plural(rows, "row"))
            .unwrap_or_default();
        let pen = Pen::new(buffer, area, row)
            .put(symbol, style)
            .gap(1)
            .cell(&stream.stream, names, theme.text)
            .gap(1);
        let pen = pen
            .cell_right(&collected, 6, style)
            .gap(1)
            .cell(&day, 5, theme.muted)
            .gap(1);
        match &stream.note {
            Some(note) => pen.put(note, theme.warn),
            None => pen.put(&rows, theme.muted),
        };
    }
    for (line, badge) in board.quality.iter().enumerate() {
        let row = u16::try_from(board.freshness.len() + line).unwrap_or(u16::MAX);
        let (text, style) = checks(state, badge);
        // The table goes before the reason, which is cut off where the pane is narrow.
        let (mark, words) = text.split_once(' ').unwrap_or(("", &text));
        Pen::new(buffer, area, row)
            .put(mark, style)
            .gap(1)
            .put(&badge.table, theme.muted)
            .gap(1)
            .put(words, style);
    }
    let row = u16::try_from(board.freshness.len() + board.quality.len()).unwrap_or(u16::MAX);
    if let Some(report) = &board.latest_report {
        let facts = format!(
            "{}, {} rows",
            ago(report.created, state.now),
            count(report.rows)
        );
        Pen::new(buffer, area, row)
            .put("›", theme.accent)
            .gap(1)
            .put(report.name.as_ref(), theme.text)
            .gap(1)
            .put(&facts, theme.muted);
    }
}

/// Draws the selected execution: what happened, what it means, what to do.
pub(super) fn details(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let Some(execution) = state.board.selected_execution() else {
        return;
    };
    let mark = execution_mark(theme, execution);
    Pen::new(buffer, area, 0)
        .put(mark.symbol, mark.style)
        .gap(1)
        .put(execution.workflow.as_ref(), theme.strong)
        .gap(1)
        .put(&execution.name, theme.muted);
    let facts = Pen::new(buffer, area, 1)
        .put(mark.word, mark.style)
        .gap(1)
        .put(&when(state, execution), theme.muted);
    if execution.redrives > 0 {
        facts
            .gap(1)
            .put(&format!("redriven {}×", execution.redrives), theme.muted);
    }
    let lines = match state.board.preview_of(&execution.id) {
        Some(detail) => why(state, detail, area),
        None => from_summary(state, execution, area.width),
    };
    for (line, (text, style)) in lines.iter().enumerate() {
        Pen::new(buffer, area, u16::try_from(line + 2).unwrap_or(u16::MAX)).put(text, *style);
    }
}

/// One answer of the side pane, broken into lines.
struct Passage {
    lines: Vec<String>,
    style: Style,
    /// Lines it keeps when room is short.
    least: usize,
}

/// What failed, whether a redrive is safe, the cause, what it means, what to do. Where room is short the cause is
/// cut before the remedy: what to do must be on the screen.
fn why(state: &State, detail: &ExecutionDetail, area: Rect) -> Vec<(String, Style)> {
    let theme = &state.theme;
    let mut passages = Vec::new();
    let mut add = |text: &str, style: Style, most: usize, least: usize| {
        let lines = wrapped(text, area.width).into_iter().take(most).collect();
        passages.push(Passage {
            lines,
            style,
            least,
        });
    };
    if let Some(cause) = &detail.root_cause {
        let head = format!("{}: {}", cause.stage, cause.error);
        add(&head, theme.bad, 2, 2);
    }
    match &detail.redrive {
        Redrive::Possible { safety, .. } => {
            let key = state.key(ActionId::Redrive);
            let text = format!("{key} redrive is safe: {safety}");
            add(&text, theme.good, 3, 1);
        }
        Redrive::NotPossible { reason } if needs_care(detail.summary.status) => {
            add(&format!("no redrive: {reason}"), theme.warn, 3, 2);
        }
        Redrive::NotPossible { .. } => {}
    }
    if let Some(cause) = &detail.root_cause {
        add(&cause.cause, theme.text, 6, 2);
        if let Some(meaning) = &cause.meaning {
            add(meaning, theme.muted, 3, 0);
        }
        if let Some(remedy) = &cause.remedy {
            add(&format!("→ {remedy}"), theme.accent, 4, 4);
        }
    }
    cut(&mut passages, usize::from(area.height).saturating_sub(2));
    passages
        .into_iter()
        .flat_map(|Passage { lines, style, .. }| lines.into_iter().map(move |line| (line, style)))
        .collect()
}

/// Shortens passages to so many lines together, from the one that may lose most.
fn cut(passages: &mut [Passage], room: usize) {
    let mut over = passages
        .iter()
        .map(|passage| passage.lines.len())
        .sum::<usize>()
        .saturating_sub(room);
    while over > 0 {
        let spare = |passage: &Passage| passage.lines.len().saturating_sub(passage.least);
        let longest = passages
            .iter_mut()
            .max_by_key(|passage| spare(passage))
            .filter(|passage| spare(passage) > 0);
        let Some(passage) = longest else {
            return;
        };
        passage.lines.pop();
        if let Some(last) = passage.lines.last_mut() {
            last.push('…');
        }
        over -= 1;
    }
}

fn from_summary(state: &State, execution: &ExecutionSummary, columns: u16) -> Vec<(String, Style)> {
    let theme = &state.theme;
    let mut lines = Vec::new();
    let started = crate::console::format::full(execution.started, &state.zone);
    lines.push((format!("started {started}"), theme.muted));
    if let Some(window) = execution.window {
        lines.push((format!("window {window}"), theme.muted));
    }
    if let Some(stage) = &execution.current_stage {
        lines.push((format!("stage {stage}"), theme.muted));
    }
    if let Some(error) = &execution.error {
        lines.extend(
            wrapped(error, columns)
                .into_iter()
                .take(2)
                .map(|line| (line, theme.bad)),
        );
    }
    if execution.superseded {
        lines.push((
            "a later run of this window succeeded".to_owned(),
            theme.fixed,
        ));
    }
    lines
}
