//! Drawing of the Datamart screen: facts above, snapshots below.

use std::borrow::Cow;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{Pane, list, statements};
use crate::{
    actions::ActionId,
    format::{ago, bytes, count, moment, plural, running, widest_moment},
    state::State,
    widgets::{
        dialog::wrapped,
        grid::{self, Cell, Column},
        list::Cursor,
        passage::{put_wrapped, unread},
        text::{Pen, rule},
    },
};
use lakehand_config::DatamartMode;
use lakehand_ops::{Datamart, QualityBadge, Snapshot, StatementInFlight};

const COLUMNS: [Column; 7] = [
    Column::number("snapshot", 8, 0),
    Column::fixed("", 10, 1),
    Column::fixed("committed", 11, 1),
    Column::growing("by", 18, 1, 2),
    Column::number("rows added", 12, 4),
    Column::number("removed", 12, 5),
    Column::number("rows then", 12, 3),
];

/// Draws the Datamart screen.
pub(crate) fn view(state: &State, buffer: &mut Buffer) {
    let theme = &state.theme;
    let (body, area) = (state.body(), list(state));
    rule(buffer, body.x, body.y, body.width, theme.rule);
    Pen::new(buffer, body, 0)
        .gap(1)
        .put(" Datamart ", theme.heading);
    let room = usize::from(area.y.saturating_sub(body.y + 3));
    for (row, (text, style)) in facts(state).iter().take(room).enumerate() {
        let row = u16::try_from(row + 1).unwrap_or(u16::MAX);
        Pen::new(buffer, body, row).gap(1).put(text, *style);
    }
    let line = area.y.saturating_sub(2);
    rule(buffer, body.x, line, body.width, theme.rule);
    let above = Rect {
        y: line,
        height: 1,
        ..body
    };
    titles(state, buffer, above);
    let mart = &state.datamart;
    match mart.pane {
        Pane::Snapshots => {
            let rows = |position: usize| cells(state, &mart.all()[position]);
            let list = (mart.all().len(), mart.cursor, empty(state));
            let committed = mart.all().iter().map(|snapshot| snapshot.at);
            let widest = widest_moment(committed, state.now, &state.zone);
            let columns = Column::wide_enough(COLUMNS, "committed", widest);
            rows_of(state, buffer, &columns, list, rows);
        }
        Pane::Statements => {
            let all = mart.statements.all();
            let rows = |position: usize| statements::cells(state, &all[position]);
            let list = (all.len(), mart.statements.cursor, statements::empty(state));
            let sent = all.iter().filter_map(|statement| statement.submitted);
            let widest = widest_moment(sent, state.now, &state.zone);
            let columns = Column::wide_enough(statements::COLUMNS, "sent", widest);
            rows_of(state, buffer, &columns, list, rows);
        }
    }
}

/// ` Snapshots 4  Statements 50 `; what is in sight stands out.
fn titles(state: &State, buffer: &mut Buffer, area: Rect) {
    let (mart, theme) = (&state.datamart, &state.theme);
    let titled = |name: &str, length: usize, known: bool| match known {
        true => format!(" {name} {} ", count(length as u64)),
        false => format!(" {name} "),
    };
    let style = |pane| match mart.pane == pane {
        true => theme.heading,
        false => theme.muted,
    };
    let statements = &mart.statements;
    Pen::new(buffer, area, 0)
        .gap(1)
        .put(
            &titled("Snapshots", mart.all().len(), true),
            style(Pane::Snapshots),
        )
        .gap(1)
        .put(
            &titled(
                "Statements",
                statements.all().len(),
                statements.answer.is_answered(),
            ),
            style(Pane::Statements),
        );
}

/// The list in sight: titles of the columns, then its visible rows, or what is to be said of none.
fn rows_of<'s, const N: usize>(
    state: &State,
    buffer: &mut Buffer,
    columns: &[Column; N],
    (length, cursor, empty): (usize, Cursor, String),
    cells: impl Fn(usize) -> [Cell<'s>; N],
) {
    let (body, area, theme) = (state.body(), list(state), &state.theme);
    let widths = grid::widths(columns, area.width);
    let titles = Rect {
        y: area.y.saturating_sub(1),
        height: 1,
        ..area
    };
    grid::titles(buffer, titles, columns, &widths, theme);
    if length == 0 {
        put_wrapped(buffer, area, &empty, theme.muted);
    }
    for (line, position) in cursor.visible(length, area.height.into()).enumerate() {
        let line = u16::try_from(line).unwrap_or(u16::MAX);
        grid::row(buffer, area, line, columns, &widths, &cells(position));
        if position == cursor.selected() {
            grid::select(buffer, body, area, line, theme);
        }
    }
}

/// What is said of a datamart that nothing builds.
const NOT_HERE: &str = "not part of this deployment: it has no workflow 'datamart'";

fn is_deployed(state: &State) -> bool {
    let datamart = state.datamart.datamart();
    datamart.is_none_or(|datamart| datamart.is_deployed)
}

fn empty(state: &State) -> String {
    let snapshots = &state.datamart.snapshots;
    match (snapshots.error(), snapshots.is_answered()) {
        (Some(error), _) => unread(error),
        (None, false) => "reading …".to_owned(),
        (None, true) if !is_deployed(state) => NOT_HERE.to_owned(),
        (None, true) => format!(
            "it was not built yet: {} builds it",
            state.key(ActionId::BuildDatamart)
        ),
    }
}

fn cells<'s>(state: &State, snapshot: &'s Snapshot) -> [Cell<'s>; 7] {
    let theme = &state.theme;
    let (word, style) = match (snapshot.current, snapshot.restorable) {
        (true, _) => ("✓ current", theme.good),
        (false, true) => ("· kept", theme.muted),
        (false, false) => ("files gone", theme.muted),
    };
    let number = |value: Option<u64>| Cow::Owned(value.map(count).unwrap_or_default());
    [
        (Cow::Owned(snapshot.version.to_string()), theme.text),
        (Cow::Borrowed(word), style),
        (
            Cow::Owned(moment(snapshot.at, state.now, &state.zone)),
            theme.text,
        ),
        (Cow::Borrowed(snapshot.operation.as_str()), theme.text),
        (number(snapshot.rows_added), theme.muted),
        (number(snapshot.rows_removed), theme.muted),
        (number(snapshot.rows), theme.text),
    ]
}

/// What there is to know, a line each; the most important first.
pub(super) fn facts(state: &State) -> Vec<(String, Style)> {
    let theme = &state.theme;
    let broken = |text: &str, style: Style| {
        let lines = wrapped(text, state.size.0.saturating_sub(2));
        lines.into_iter().map(move |line| (line, style))
    };
    let Some(datamart) = state.datamart.datamart() else {
        let text = match state.datamart.answer.error() {
            Some(error) => unread(error),
            None => "reading …".to_owned(),
        };
        return broken(&text, theme.muted).collect();
    };
    let mut lines = vec![(head(datamart), theme.strong)];
    if let Some(why) = &datamart.why_no_plan {
        lines.extend(broken(why, theme.warn));
    }
    lines.extend(
        datamart
            .in_flight
            .iter()
            .map(|statement| in_flight(state, statement)),
    );
    lines.extend(datamart.quality.as_ref().map(|badge| checks(state, badge)));
    for source in &datamart.sources {
        let newest = source.newest.map_or_else(
            || "never written".to_owned(),
            |at| format!("newest {}", ago(at, state.now)),
        );
        let text = format!(
            "reads {:<28} {:>10} in {}, {newest}",
            source.table,
            bytes(source.bytes),
            plural(source.files, "file")
        );
        lines.push((text, theme.text));
    }
    let estimate = &datamart.estimate;
    let limit = datamart.scan_limit;
    let stopped =
        limit.map(|limit| format!("; the workgroup stops a statement at {}", bytes(limit)));
    let text = format!(
        "a build scans at most {}: ${:.6} at ${} a terabyte{}",
        bytes(estimate.bytes),
        estimate.dollars,
        estimate.price_per_tb,
        stopped.unwrap_or_default()
    );
    let is_over = limit.is_some_and(|limit| estimate.bytes > limit);
    lines.push((text, if is_over { theme.warn } else { theme.muted }));
    if let Some(build) = &datamart.last_build {
        let ended = build.execution.ended.unwrap_or(build.execution.started);
        let text = format!(
            "last build {}: {} scanned, ${:.6}",
            ago(ended, state.now),
            bytes(build.bytes_scanned),
            build.cost.dollars
        );
        lines.push((text, theme.muted));
    }
    lines
}

/// `marketing_datamart, a table: 12,345 rows, 1.2 MB`.
fn head(datamart: &Datamart) -> String {
    let kind = match datamart.mode {
        DatamartMode::Table => "table",
        DatamartMode::View => "view",
    };
    let size = match (datamart.rows, datamart.bytes) {
        (Some(rows), Some(size)) => format!(": {}, {}", plural(rows, "row"), bytes(size)),
        (Some(rows), None) => format!(": {}", plural(rows, "row")),
        _ => String::new(),
    };
    format!("{}, a {kind}{size}", datamart.table)
}

fn in_flight(state: &State, statement: &StatementInFlight) -> (String, Style) {
    let since = statement
        .started
        .map(|started| format!(" for {}", running(started, state.now)))
        .unwrap_or_default();
    let progress = statement
        .progress
        .as_deref()
        .map(|progress| format!(", {progress}"))
        .unwrap_or_default();
    let text = format!(
        "● {} runs{since} in {}{progress}",
        statement.stage, statement.execution
    );
    (text, state.theme.running)
}

/// A table's newest checks in one line, for this screen and the Board.
pub(in crate::screens) fn checks(state: &State, badge: &QualityBadge) -> (String, Style) {
    let theme = &state.theme;
    let when = ago(badge.checked_at, state.now);
    let worst = badge.worst.as_deref().unwrap_or_default();
    if badge.errors > 0 {
        let failed = plural(badge.errors as u64, "check");
        (format!("✗ {failed} failed {when}: {worst}"), theme.bad)
    } else if badge.warnings > 0 {
        let failed = plural(badge.warnings as u64, "warning");
        (
            format!("! {failed} of {} checks {when}: {worst}", badge.checks),
            theme.warn,
        )
    } else {
        let checks = plural(badge.checks as u64, "check");
        (format!("✓ {checks} passed {when}"), theme.good)
    }
}
