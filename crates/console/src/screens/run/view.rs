//! Drawing of the Run screen.

use std::borrow::Cow;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{Layout, Tab, checks::LineKind as CheckLine, layout, payload::LineKind};
use crate::{
    actions::ActionId,
    format::{ago, count, duration, full, moment, running, widest_moment},
    state::{Requested, State},
    theme::{execution_mark, needs_care, stage_mark},
    widgets::{
        dialog::beginning,
        graph,
        grid::{self, Column},
        passage::{put_wrapped, unread},
        text::{Pen, rule},
        timeline,
    },
};
use lakehand_ops::{ExecutionDetail, Redrive, Stage, StageStatus};
use lakehand_workflow::history::HistoryEvent;

/// Draws the Run screen.
pub(crate) fn view(state: &State, buffer: &mut Buffer) {
    let places = layout(state);
    header(state, buffer, places.header);
    for (row, (text, style)) in cause_lines(state, places.cause.width).iter().enumerate() {
        Pen::new(buffer, places.cause, u16::try_from(row).unwrap_or(u16::MAX))
            .gap(1)
            .put(text, *style);
    }
    tabs(state, buffer, places.tabs);
    let Some(detail) = state.run.detail() else {
        let text = match state.run.answer.error() {
            Some(error) => unread(error),
            None => "reading …".to_owned(),
        };
        put_wrapped(buffer, indented(places.body), &text, state.theme.muted);
        return;
    };
    match state.run.tab {
        Tab::Graph => {
            let run = &state.run;
            let (top, selected) = (run.graph_cursor.top(), run.graph_cursor.selected());
            graph::draw(
                buffer,
                places.body,
                &run.rows,
                &detail.stages,
                (top, selected),
                &state.theme,
                |stage| format!("{}{}", took(state, stage), tries(stage)),
            );
        }
        Tab::Timeline => draw_timeline(state, buffer, places.body, detail),
        Tab::States => states(state, buffer, places.body, detail),
        Tab::Events => events(state, buffer, places.body),
        Tab::Checks => checks(state, buffer, places.body),
        Tab::Payload => payload(state, buffer, places.body, state.run.payload.top()),
    }
    if let Some(side) = places.side {
        aside(state, buffer, &places, side);
    }
}

/// A pane without its first column.
fn indented(area: Rect) -> Rect {
    Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(1),
        ..area
    }
}

fn header(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let Some(detail) = state.run.detail() else {
        let id = state
            .run
            .id
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        Pen::new(buffer, area, 0).gap(1).put(&id, theme.strong);
        return;
    };
    let summary = &detail.summary;
    let mark = execution_mark(theme, summary);
    let pen = Pen::new(buffer, area, 0)
        .gap(1)
        .put(mark.symbol, mark.style)
        .gap(1)
        .put(mark.word, mark.style)
        .gap(2);
    let pen = pen
        .put(summary.workflow.as_ref(), theme.strong)
        .gap(2)
        .put(&summary.name, theme.text);
    match state.requested.get(&summary.id) {
        Some(Requested::Redrive(_)) => pen.gap(2).put("redrive requested …", theme.warn),
        Some(Requested::Stop) => pen.gap(2).put("stop requested …", theme.warn),
        None => pen,
    };
    let started = moment(summary.started, state.now, &state.zone);
    let mut facts = vec![match summary.ended {
        Some(ended) => format!(
            "{started}, took {}, ended {}",
            summary.took().map(duration).unwrap_or_default(),
            ago(ended, state.now)
        ),
        None => format!(
            "since {started}, for {}",
            running(summary.started, state.now)
        ),
    }];
    facts.extend(summary.window.map(|window| format!("window {window}")));
    if summary.redrives > 0 {
        facts.push(format!("redriven {}×", summary.redrives));
    }
    Pen::new(buffer, area, 1)
        .gap(3)
        .put(&facts.join("  ·  "), theme.muted);
}

/// Why it failed, pinned on top; empty for what did not fail.
pub(super) fn cause_lines(state: &State, columns: u16) -> Vec<(String, Style)> {
    let theme = &state.theme;
    let Some(detail) = state.run.detail() else {
        return Vec::new();
    };
    let mut lines: Vec<(String, Style)> = Vec::new();
    // On a small screen the body matters too.
    let roomy = state.size.1 >= 30;
    let mut add = |label: &str, text: &str, style: Style, most: usize| {
        for (row, line) in beginning(text, columns.saturating_sub(12), most)
            .into_iter()
            .enumerate()
        {
            lines.push((
                format!("{:<9}{line}", if row == 0 { label } else { "" }),
                style,
            ));
        }
    };
    if let Some(cause) = &detail.root_cause {
        add(
            "Failed",
            &format!("{}: {}", cause.stage, cause.error),
            theme.bad,
            1,
        );
        add("Cause", &cause.cause, theme.text, if roomy { 4 } else { 2 });
        for other in &cause.others {
            let told = format!("{}: {}: {}", other.stage, other.error, other.cause);
            add("Also", &told, theme.bad, 1);
        }
        if let Some(meaning) = &cause.meaning {
            add("Meaning", meaning, theme.muted, if roomy { 2 } else { 1 });
        }
        if let Some(remedy) = &cause.remedy {
            add("Do", remedy, theme.accent, 2);
        }
    }
    match &detail.redrive {
        Redrive::Possible {
            stages,
            safety,
            known,
        } => {
            add(
                "Redrive",
                &format!(
                    "{} runs again: {}. {safety}",
                    state.key(ActionId::Redrive),
                    stages.join(", ")
                ),
                if *known { theme.good } else { theme.warn },
                2,
            );
        }
        Redrive::NotPossible { reason } if needs_care(detail.summary.status) => {
            add("Redrive", &format!("not possible: {reason}"), theme.warn, 2)
        }
        Redrive::NotPossible { .. } => {}
    }
    lines
}

fn tabs(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    rule(buffer, area.x, area.y, area.width, theme.rule);
    let mut pen = Pen::new(buffer, area, 0).gap(1);
    for tab in Tab::ALL {
        let style = if tab == state.run.tab {
            theme.selection.patch(theme.strong)
        } else {
            theme.muted
        };
        pen = pen.put(&format!(" {} ", tab.title()), style);
    }
}

fn took(state: &State, stage: &Stage) -> String {
    match (stage.took(), stage.started) {
        (Some(took), _) => duration(took),
        (None, Some(started)) => {
            let started = started.saturating_add(stage.idle).unwrap_or(state.now);
            running(started, state.now)
        }
        (None, None) => String::new(),
    }
}

/// ` (try 2)` from the second attempt on.
fn tries(stage: &Stage) -> String {
    if stage.attempts > 1 {
        format!(" (try {})", stage.attempts)
    } else {
        String::new()
    }
}

fn draw_timeline(state: &State, buffer: &mut Buffer, area: Rect, detail: &ExecutionDetail) {
    // Stages of the last redrive can begin before the header's start; the scale holds them all.
    let from = detail
        .stages
        .iter()
        .filter_map(|stage| stage.started)
        .min()
        .unwrap_or(detail.summary.started)
        .min(detail.summary.started);
    let to = detail.summary.ended.unwrap_or(state.now).max(from);
    let span = timeline::Span { from, to };
    let cursor = (
        state.run.stage_cursor.top(),
        state.run.stage_cursor.selected(),
    );
    timeline::draw(buffer, area, &detail.stages, cursor, span, &state.theme);
}

const STATES: [Column; 6] = [
    Column::fixed("", 13, 0),
    Column::growing("stage", 18, 2, 1),
    Column::fixed("type", 8, 5),
    Column::fixed("started", 11, 4),
    Column::number("took", 9, 2),
    Column::growing("progress or error", 20, 3, 3),
];

fn states(state: &State, buffer: &mut Buffer, area: Rect, detail: &ExecutionDetail) {
    let theme = &state.theme;
    let inner = Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(2),
        ..area
    };
    let started = detail.stages.iter().filter_map(|stage| stage.started);
    let widest = widest_moment(started, state.now, &state.zone);
    let columns = Column::wide_enough(STATES, "started", widest);
    let widths = grid::widths(&columns, inner.width);
    grid::titles(buffer, inner, &columns, &widths, theme);
    let rows = Rect {
        y: inner.y + 1,
        height: inner.height.saturating_sub(1),
        ..inner
    };
    for (line, position) in state
        .run
        .stage_cursor
        .visible(detail.stages.len(), rows.height.into())
        .enumerate()
    {
        let stage = &detail.stages[position];
        let mark = stage_mark(theme, &stage.status);
        let said = match &stage.status {
            StageStatus::Waiting { why, .. } => Cow::Borrowed(why.as_str()),
            StageStatus::Parked { until } => Cow::Owned(format!(
                "parked until {}: {}",
                moment(*until, state.now, &state.zone),
                stage.progress.as_deref().unwrap_or("a quota is used up")
            )),
            _ => Cow::Owned(format!(
                "{}{}",
                stage
                    .error
                    .as_deref()
                    .or(stage.progress.as_deref())
                    .unwrap_or_default(),
                tries(stage)
            )),
        };
        let said_style = if stage.error.is_some() {
            mark.style
        } else {
            theme.muted
        };
        let started = stage
            .started
            .map(|at| moment(at, state.now, &state.zone))
            .unwrap_or_default();
        let cells = [
            (
                Cow::Owned(format!("{} {}", mark.symbol, mark.word)),
                mark.style,
            ),
            (
                Cow::Owned(format!("{}{}", "  ".repeat(stage.depth.into()), stage.name)),
                theme.text,
            ),
            (Cow::Borrowed(stage.kind.as_str()), theme.muted),
            (Cow::Owned(started), theme.muted),
            (Cow::Owned(took(state, stage)), theme.text),
            (said, said_style),
        ];
        let line = u16::try_from(line).unwrap_or(u16::MAX);
        grid::row(buffer, rows, line, &columns, &widths, &cells);
        if position == state.run.stage_cursor.selected() {
            grid::select(buffer, area, rows, line, theme);
        }
    }
}

const EVENTS: [Column; 4] = [
    Column::number("event", 7, 1),
    Column::fixed("time", 12, 2),
    Column::growing("type", 26, 1, 0),
    Column::growing("what", 20, 4, 3),
];

fn events(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let inner = Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(2),
        ..area
    };
    let widths = grid::widths(&EVENTS, inner.width);
    grid::titles(buffer, inner, &EVENTS, &widths, theme);
    let rows = Rect {
        y: inner.y + 1,
        height: inner.height.saturating_sub(1),
        ..inner
    };
    for (line, position) in state
        .run
        .event_cursor
        .visible(state.run.events.len(), rows.height.into())
        .enumerate()
    {
        let event = &state.run.events[position];
        let name = event.event_type.name();
        let style = match name {
            name if name.ends_with("Failed")
                || name.ends_with("TimedOut")
                || name.ends_with("Aborted") =>
            {
                theme.bad
            }
            name if name.ends_with("Succeeded") => theme.good,
            _ => theme.text,
        };
        let cells = [
            (Cow::Owned(count(event.id)), theme.muted),
            (
                Cow::Owned(crate::format::clock(event.timestamp, &state.zone)),
                theme.muted,
            ),
            (Cow::Borrowed(name), style),
            (Cow::Owned(event_facts(event)), theme.muted),
        ];
        let line = u16::try_from(line).unwrap_or(u16::MAX);
        grid::row(buffer, rows, line, &EVENTS, &widths, &cells);
        if position == state.run.event_cursor.selected() {
            grid::select(buffer, area, rows, line, theme);
        }
    }
}

/// What an event says beside its type: name, resource, error, and a beginning of what went in or out.
pub(super) fn event_facts(event: &HistoryEvent) -> String {
    let details = &event.details;
    let head = |text: &String| text.chars().take(200).collect::<String>();
    let mut facts: Vec<String> = Vec::new();
    facts.extend(details.name.clone());
    facts.extend(details.index.map(|index| format!("iteration {index}")));
    facts.extend(details.resource.clone());
    facts.extend(details.error.clone());
    facts.extend(details.cause.as_ref().map(head));
    if facts.len() < 3 {
        facts.extend(
            details
                .output
                .as_ref()
                .or(details.input.as_ref())
                .or(details.parameters.as_ref())
                .map(head),
        );
    }
    facts.join("  ")
}

fn checks(state: &State, buffer: &mut Buffer, area: Rect) {
    let (theme, checks) = (&state.theme, &state.run.checks);
    if checks.lines().is_empty() {
        put_wrapped(buffer, indented(area), &checks.empty(), theme.muted);
    }
    let visible = checks.lines().iter().skip(checks.top());
    for (row, (kind, line)) in visible.take(area.height.into()).enumerate() {
        let style = match kind {
            CheckLine::Title => theme.heading,
            CheckLine::Good => theme.good,
            CheckLine::Warning => theme.warn,
            CheckLine::Bad => theme.bad,
            CheckLine::Text => theme.text,
            CheckLine::Sample => theme.muted,
        };
        Pen::new(buffer, area, u16::try_from(row).unwrap_or(u16::MAX))
            .gap(1)
            .put(line, style);
    }
}

fn payload(state: &State, buffer: &mut Buffer, area: Rect, top: usize) {
    let theme = &state.theme;
    for (row, (kind, line)) in state
        .run
        .payload
        .lines()
        .iter()
        .skip(top)
        .take(area.height.into())
        .enumerate()
    {
        let style = if *kind == LineKind::Title {
            theme.heading
        } else {
            theme.text
        };
        let start = line
            .char_indices()
            .nth(state.run.payload.offset())
            .map_or(0, |(at, _)| at);
        Pen::new(buffer, area, u16::try_from(row).unwrap_or(u16::MAX))
            .gap(1)
            .put(&line[start..], style);
    }
}

/// Beside the graph, where there is room: the selected stage with its input and output.
fn aside(state: &State, buffer: &mut Buffer, places: &Layout, area: Rect) {
    let theme = &state.theme;
    let Some(stage) = state.run.selected_stage() else {
        return;
    };
    for y in places.body.top()..places.body.bottom() {
        Pen::new(
            buffer,
            Rect {
                x: area.x - 1,
                y,
                width: 1,
                height: 1,
            },
            0,
        )
        .put("│", theme.rule);
    }
    let area = Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(1),
        ..area
    };
    let mark = stage_mark(theme, &stage.status);
    Pen::new(buffer, area, 0)
        .put(mark.symbol, mark.style)
        .gap(1)
        .put(&stage.name, theme.strong)
        .gap(2)
        .put(mark.word, mark.style);
    let mut facts = Vec::new();
    facts.extend(
        stage
            .started
            .map(|at| format!("started {}", full(at, &state.zone))),
    );
    if stage.started.is_some() {
        facts.push(format!("{}{}", took(state, stage), tries(stage)));
    }
    facts.extend(stage.progress.clone());
    Pen::new(buffer, area, 1).put(&facts.join("  ·  "), theme.muted);
    if let Some(error) = &stage.error {
        Pen::new(buffer, area, 2).put(error, theme.bad);
    }
    let rest = Rect {
        y: area.y + 4,
        height: area.height.saturating_sub(4),
        ..area
    };
    payload(state, buffer, rest, 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        StartScreen,
        screens::{board, credentials, datamart, reports, run, sources},
        scripted::{Driver, Scenario, ScriptedOperations},
    };
    use lakehand_ops::{ExecutionId, OpsError, OpsErrorKind};

    /// A chain of reasons that no screen has in one line.
    fn refused() -> OpsError {
        let why = "could not list s3://lakehand-prod-state/_state/: ListObjectsV2 was refused: AccessDenied: \
                   anna is not authorized to perform: s3:ListBucket on lakehand-prod-state";
        let advice = "ask for the policy of `lakehand iam operator-read-only`";
        OpsError::new(OpsErrorKind::Platform, why, advice)
    }

    #[test]
    fn what_cannot_be_read_is_told_whole_on_every_screen() {
        type Break = fn(&mut State);
        let answers: [(&str, Break); 7] = [
            ("", |state| {
                board::answered_executions(state, Err(refused()))
            }),
            ("4", |state| sources::answered(state, Err(refused()))),
            ("5", |state| datamart::answered(state, Err(refused()))),
            ("5", |state| {
                datamart::answered_snapshots(state, Err(refused()))
            }),
            ("6", |state| reports::answered(state, Err(refused()))),
            ("8", |state| {
                credentials::answered(state, Err(refused()), &mut Vec::new());
            }),
            ("42", |state| {
                let id = state.run.id().cloned().unwrap();
                run::answered(state, &id, 0, Err(refused()));
            }),
        ];
        let error = refused();
        let told = format!("cannot be read: {error}. {}", error.advice).replace(' ', "");
        for size in [(80, 24), (200, 50)] {
            for (keys, answered) in answers {
                let operations = ScriptedOperations::new(Scenario::Empty, 0).unwrap();
                let mut driver = Driver::open_held(operations, StartScreen::Board, size).unwrap();
                let id = ExecutionId("collect:x".into());
                run::open(&mut driver.state, id, &mut Vec::new());
                driver.press(keys);
                answered(&mut driver.state);
                // Where a word is broken depends on the screen, which words there are does not.
                let screen: String = driver.screen().split_whitespace().collect();
                assert!(
                    screen.contains(&told),
                    "{keys} at {size:?}: {}",
                    driver.screen()
                );
            }
        }
    }
}
