//! The upper part: two rows for each workflow, how it stands and where.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    super::verdict::{is_failed, newest},
    when,
};
use crate::{
    format::{ago, plural, until},
    state::State,
    theme::{execution_mark, needs_care, stage_mark},
    widgets::{
        passage::{put_wrapped, unread},
        text::{Pen, fit, width},
    },
};
use lakehand_ops::{ExecutionStatus, Part, Stage, StageStatus, Unread, WorkflowCard};

/// Draws every workflow, those that failed first.
pub(super) fn workflows(state: &State, buffer: &mut Buffer, area: Rect) {
    let Some(board) = state.board.board() else {
        if let Some(error) = state.board.answer.error() {
            put_wrapped(buffer, area, &unread(error), state.theme.text);
        }
        return;
    };
    if let Some(unread) = board
        .unread
        .iter()
        .find(|unread| unread.part == Part::Workflows)
    {
        let text = format!("{}.\n{}", unread.line(), unread.advice);
        put_wrapped(buffer, area, &text, state.theme.warn);
        return;
    }
    let mut cards: Vec<&WorkflowCard> = board.workflows.iter().collect();
    cards.sort_by_key(|card| !is_failed(card));
    let names = cards
        .iter()
        .map(|card| width(card.name.as_ref()))
        .max()
        .unwrap_or(0);
    let names = u16::try_from(names.clamp(8, 24)).unwrap_or(24);
    let room = usize::from(area.height / 2);
    for (position, card) in cards.iter().take(room).enumerate() {
        let row = u16::try_from(position * 2).unwrap_or(0);
        card_line(state, buffer, area, row, names, card);
        stages(
            state,
            buffer,
            Rect {
                x: area.x + 3,
                width: area.width.saturating_sub(4),
                ..area
            },
            row + 1,
            card,
        );
    }
    if cards.len() > room {
        let more = format!("{} more workflows ", cards.len() - room);
        Pen::new(buffer, area, area.height - 1).right(&more, state.theme.muted);
    }
}

/// `✗ daily-report  FAILED  2 h ago at CheckQuality        last good 22 h ago   next in 5 h`.
fn card_line(
    state: &State,
    buffer: &mut Buffer,
    area: Rect,
    row: u16,
    names: u16,
    card: &WorkflowCard,
) {
    let theme = &state.theme;
    let mut pen = Pen::new(buffer, area, row).gap(1);
    let next = card
        .next_run
        .map(|at| format!("  next {} by this profile ", until(at, state.now)))
        .filter(|_| area.width >= 100 || !newest(card).is_some_and(|e| needs_care(e.status)))
        .unwrap_or_default();
    match newest(card) {
        Some(execution) => {
            let mark = execution_mark(theme, execution);
            let failing = needs_care(execution.status);
            let good = card
                .last_success
                .filter(|_| failing)
                .map(|at| format!("  last good {} ", ago(at, state.now)))
                .unwrap_or_default();
            pen = pen.right(&next, theme.muted).right(&good, theme.muted);
            pen = pen
                .put(mark.symbol, mark.style)
                .gap(1)
                .cell(card.name.as_ref(), names, theme.strong)
                .gap(2);
            pen = pen
                .put(mark.word, mark.style)
                .gap(2)
                .put(&when(state, execution), theme.muted);
            if let Some((text, style)) = badge(state, card) {
                pen.gap(2).put(&text, style);
            }
        }
        None if let Some(unread) = unread_of(state, card) => {
            pen.put("?", theme.warn)
                .gap(1)
                .put(&unread.line(), theme.warn);
        }
        None => {
            pen = pen.right(&next, theme.muted);
            pen = pen
                .put("·", theme.muted)
                .gap(1)
                .cell(card.name.as_ref(), names, theme.strong)
                .gap(2);
            pen.put("never ran", theme.muted)
                .gap(2)
                .put(&card.description, theme.muted);
        }
    }
}

/// Why nothing is known of a workflow, where it could not be read.
fn unread_of<'s>(state: &'s State, card: &WorkflowCard) -> Option<&'s Unread> {
    state.board.board()?.unread_workflow(&card.name)
}

/// What the newest checks of a workflow's tables found, if anything: `! 2 warnings`.
fn badge(state: &State, card: &WorkflowCard) -> Option<(String, Style)> {
    let theme = &state.theme;
    let (mut errors, mut warnings) = (0, 0);
    let tables = &state.board.board()?.quality;
    for badge in tables.iter().filter(|badge| badge.workflow == card.name) {
        errors += badge.errors as u64;
        warnings += badge.warnings as u64;
    }
    match (errors, warnings) {
        (0, 0) => None,
        (0, warnings) => Some((format!("! {}", plural(warnings, "warning")), theme.warn)),
        (errors, _) => Some((format!("✗ {} failed", plural(errors, "check")), theme.bad)),
    }
}

/// The stages of a workflow as a row of cells: mark and name. What a success did not pass through is left out;
/// names are cut, or left out far from where the execution is, as much as the width asks for.
fn stages(state: &State, buffer: &mut Buffer, area: Rect, row: u16, card: &WorkflowCard) {
    let theme = &state.theme;
    let succeeded =
        newest(card).is_some_and(|execution| execution.status == ExecutionStatus::Succeeded);
    let passed = |stage: &&Stage| !succeeded || stage.status != StageStatus::NotReached;
    let shown: Vec<&Stage> = card
        .stages
        .iter()
        .filter(|stage| is_worth_showing(stage))
        .filter(passed)
        .collect();
    let names = name_widths(&shown, area.width.into());
    let mut pen = Pen::new(buffer, area, row);
    for (stage, columns) in shown.iter().zip(names) {
        let mark = stage_mark(theme, &stage.status);
        let style = if is_quiet(stage) {
            theme.muted
        } else {
            mark.style
        };
        pen = pen.put(mark.symbol, mark.style).gap(1);
        if columns > 0 {
            pen = pen.put(&fit(&stage.name, columns), style).gap(2);
        }
    }
}

/// Columns for the name of each stage, 0 for none: all alike if that leaves them readable, else those around the
/// stage where the execution is.
fn name_widths(shown: &[&Stage], room: usize) -> Vec<usize> {
    let full = |stage: &&Stage| width(&stage.name).min(24);
    let needed = |widths: &[usize]| {
        widths
            .iter()
            .map(|columns| if *columns == 0 { 2 } else { columns + 4 })
            .sum::<usize>()
    };
    for most in (7..=24).rev() {
        let widths: Vec<usize> = shown
            .iter()
            .map(|stage| {
                if is_quiet(stage) {
                    full(stage).min(most)
                } else {
                    full(stage)
                }
            })
            .collect();
        if needed(&widths) <= room + 2 {
            return widths;
        }
    }
    let focus = shown.iter().position(|stage| !is_quiet(stage)).unwrap_or(0);
    let mut nearest: Vec<usize> = (0..shown.len()).collect();
    nearest.sort_by_key(|position| (is_quiet(shown[*position]), position.abs_diff(focus)));
    let mut widths = vec![0; shown.len()];
    for position in nearest {
        widths[position] = full(&shown[position]).min(18);
        if needed(&widths) > room + 2 {
            widths[position] = 0;
            break;
        }
    }
    widths
}

/// Whether nothing about a stage asks for attention.
fn is_quiet(stage: &Stage) -> bool {
    matches!(
        stage.status,
        StageStatus::NotReached | StageStatus::Succeeded
    )
}

/// Plumbing is left out until something happens in it.
fn is_worth_showing(stage: &Stage) -> bool {
    let plumbing = matches!(stage.kind.as_str(), "Choice" | "Pass" | "Succeed" | "Fail");
    !plumbing
        || !matches!(
            stage.status,
            StageStatus::NotReached | StageStatus::Succeeded
        )
}
