//! Drawing of the Board.

use std::borrow::Cow;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    Layout, Side, layout,
    verdict::{is_failed, newest, verdict},
};
use crate::{
    console::{
        format::{age, ago, count, duration, moment, plural, running, until},
        state::{Requested, State},
        theme::{execution_mark, needs_care, stage_mark},
        widgets::{
            dialog::wrapped,
            grid::{self, Column},
            text::{Pen, fit, put, rule, width},
        },
    },
    ops::{
        ExecutionDetail, ExecutionStatus, ExecutionSummary, Redrive, Stage, StageStatus,
        WorkflowCard,
    },
};

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

fn workflows(state: &State, buffer: &mut Buffer, area: Rect) {
    let Some(board) = state.board.board() else {
        return;
    };
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
        .map(|at| format!("  next {} ", until(at, state.now)))
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
            pen.put(mark.word, mark.style)
                .gap(2)
                .put(&when(state, execution), theme.muted);
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

/// `for 42 s` or `5 min ago, took 1 m 12 s`.
fn when(state: &State, execution: &ExecutionSummary) -> String {
    match (execution.status, execution.ended) {
        (ExecutionStatus::Running, _) => format!("for {}", running(execution.started, state.now)),
        (_, Some(ended)) => format!(
            "{}, took {}",
            ago(ended, state.now),
            duration(ended.duration_since(execution.started))
        ),
        (_, None) => ago(execution.started, state.now),
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
    for most in (4..=24).rev() {
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
        widths[position] = full(&shown[position]).min(14);
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

const COLUMNS: [Column; 6] = [
    Column::fixed("", 11, 0),
    Column::growing("workflow", 12, 1, 1),
    Column::fixed("started", 11, 2),
    Column::number("took", 9, 4),
    Column::growing("where and why", 14, 3, 3),
    Column::growing("window", 22, 0, 5),
];

fn executions(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let inner = Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(1),
        ..area
    };
    let widths = grid::widths(&COLUMNS, inner.width);
    grid::titles(buffer, inner, &COLUMNS, &widths, theme);
    let height = usize::from(area.height.saturating_sub(1));
    if state.board.order.is_empty() {
        let text = match (
            state.board.executions.is_answered(),
            state.board.executions.error(),
        ) {
            (_, Some(error)) => format!("cannot be read: {error}"),
            (true, None) => "none".to_owned(),
            (false, None) => "reading …".to_owned(),
        };
        Pen::new(buffer, inner, 1).put(&text, theme.muted);
        return;
    }
    let rows = Rect {
        y: inner.y + 1,
        height: inner.height.saturating_sub(1),
        ..inner
    };
    for (line, position) in state
        .board
        .cursor
        .visible(state.board.order.len(), height)
        .enumerate()
    {
        let Some(execution) = state.board.at(position) else {
            continue;
        };
        let line = u16::try_from(line).unwrap_or(u16::MAX);
        grid::row(
            buffer,
            rows,
            line,
            &COLUMNS,
            &widths,
            &cells(state, execution),
        );
        if position == state.board.cursor.selected() {
            grid::select(
                buffer,
                Rect {
                    x: area.x,
                    width: area.width,
                    ..rows
                },
                line,
                true,
                theme,
            );
        }
    }
}

fn cells<'s>(state: &State, execution: &'s ExecutionSummary) -> [grid::Cell<'s>; 6] {
    let theme = &state.theme;
    let mark = execution_mark(theme, execution);
    let word = match state.requested.get(&execution.id) {
        Some(Requested::Redrive(_)) => "redrive …",
        Some(Requested::Stop) => "stop …",
        None => mark.word,
    };
    let took = match (execution.status, execution.ended) {
        (ExecutionStatus::Running, _) => running(execution.started, state.now),
        (_, Some(ended)) => duration(ended.duration_since(execution.started)),
        (_, None) => String::new(),
    };
    let place = match (&execution.current_stage, &execution.error) {
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

fn freshness(state: &State, buffer: &mut Buffer, area: Rect) {
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
        let (symbol, style) = match (stream.late, stream.collected) {
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
    let row = u16::try_from(board.freshness.len()).unwrap_or(u16::MAX);
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

/// The selected execution: what happened, what it means, what to do.
fn details(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let Some(execution) = state.board.selected_execution() else {
        return;
    };
    let mark = execution_mark(theme, execution);
    Pen::new(buffer, area, 0)
        .put(mark.symbol, mark.style)
        .gap(1)
        .put(&execution.name, theme.strong);
    let facts = Pen::new(buffer, area, 1)
        .put(mark.word, mark.style)
        .gap(1)
        .put(&when(state, execution), theme.muted);
    if execution.redrives > 0 {
        facts
            .gap(1)
            .put(&format!("redriven {}×", execution.redrives), theme.muted);
    }
    let mut lines: Vec<(String, Style)> = Vec::new();
    match state.board.preview_of(&execution.id) {
        Some(detail) => why(state, detail, area.width, &mut lines),
        None => from_summary(state, execution, area.width, &mut lines),
    }
    for (line, (text, style)) in lines.iter().enumerate() {
        Pen::new(buffer, area, u16::try_from(line + 2).unwrap_or(u16::MAX)).put(text, *style);
    }
}

fn why(state: &State, detail: &ExecutionDetail, columns: u16, lines: &mut Vec<(String, Style)>) {
    let theme = &state.theme;
    let mut add = |text: &str, style: Style, most: usize| {
        lines.extend(
            wrapped(text, columns)
                .into_iter()
                .take(most)
                .map(|line| (line, style)),
        );
    };
    if let Some(cause) = &detail.root_cause {
        add(&format!("{}: {}", cause.stage, cause.error), theme.bad, 2);
    }
    match &detail.redrive {
        Redrive::Possible { safety, .. } => {
            add(&format!("D redrive is safe: {safety}"), theme.good, 3)
        }
        Redrive::NotPossible { reason } if needs_care(detail.summary.status) => {
            add(&format!("no redrive: {reason}"), theme.warn, 3)
        }
        Redrive::NotPossible { .. } => {}
    }
    if let Some(cause) = &detail.root_cause {
        add(&cause.cause, theme.text, 4);
        if let Some(meaning) = &cause.meaning {
            add(meaning, theme.muted, 3);
        }
        if let Some(remedy) = &cause.remedy {
            add(&format!("→ {remedy}"), theme.accent, 3);
        }
    }
}

fn from_summary(
    state: &State,
    execution: &ExecutionSummary,
    columns: u16,
    lines: &mut Vec<(String, Style)>,
) {
    let theme = &state.theme;
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
}
