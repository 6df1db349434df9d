//! Drawing of an open report: visible rows and columns only.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Shown, TableState, gutter, rows_area, shown};
use crate::{
    effect::RequestKey,
    format::{bytes, count},
    state::State,
    widgets::text::{Pen, put, tint, width_within},
};

/// Draws the report.
pub(crate) fn view(state: &State, buffer: &mut Buffer) {
    let Some(table) = &state.table else {
        return;
    };
    let (theme, body, area) = (&state.theme, state.body(), rows_area(state));
    Pen::new(buffer, body, 0)
        .gap(1)
        .right(&format!("{} ", facts(state, table)), theme.muted)
        .put(table.name.as_ref(), theme.heading);
    if let (None, Some(error)) = (&table.source, &table.error) {
        Pen::new(buffer, area, 0).gap(1).put(
            &format!("cannot be opened: {error}. {}", error.advice),
            theme.bad,
        );
        return;
    }
    let columns = shown(table, body.width);
    titles(
        state,
        table,
        buffer,
        Rect {
            y: body.y + 1,
            height: 1,
            ..body
        },
        &columns,
    );
    if table.rows() == 0 {
        let text = if table.indexed {
            "no row fits"
        } else {
            "reading …"
        };
        Pen::new(buffer, area, 0).gap(1).put(text, theme.muted);
    }
    for (line, position) in table
        .cursor
        .visible(table.rows(), area.height.into())
        .enumerate()
    {
        let y = area.y + u16::try_from(line).unwrap_or(u16::MAX);
        row(state, table, buffer, y, position, &columns);
    }
}

fn titles(state: &State, table: &TableState, buffer: &mut Buffer, area: Rect, columns: &[Shown]) {
    let theme = &state.theme;
    let Some(source) = &table.source else {
        return;
    };
    for shown in columns {
        let title = lakehand_pipeline::records::title(source.header(), shown.column);
        let mark = match table.wanted.sort {
            Some((column, false)) if column == shown.column => " ▲",
            Some((column, true)) if column == shown.column => " ▼",
            _ => "",
        };
        let style = if shown.place == table.column {
            theme.strong.patch(theme.selection_away)
        } else {
            theme.strong
        };
        let text = format!("{title}{mark}");
        place(buffer, area.y, shown, &text, is_right(table, shown), style);
        if shown.place + 1 == table.frozen && shown.x + shown.width < area.right() {
            put(buffer, shown.x + shown.width, area.y, 1, "│", theme.rule);
        }
    }
}

fn row(
    state: &State,
    table: &TableState,
    buffer: &mut Buffer,
    y: u16,
    position: usize,
    columns: &[Shown],
) {
    let theme = &state.theme;
    let selected = position == table.cursor.selected();
    let line = Rect {
        x: 0,
        y,
        width: state.size.0,
        height: 1,
    };
    let Some(record) = table.record(position) else {
        Pen::new(buffer, line, 0)
            .gap(gutter(table.all_rows()))
            .put("…", theme.muted);
        return;
    };
    let number = gutter(table.all_rows()).saturating_sub(2);
    Pen::new(buffer, line, 0).cell_right(&count(u64::from(record.row) + 1), number, theme.muted);
    for shown in columns {
        let cell = record.cells.get(shown.column).map_or("", |cell| &**cell);
        place(buffer, y, shown, cell, is_right(table, shown), theme.text);
        if shown.place + 1 == table.frozen && shown.x + shown.width < line.width {
            put(buffer, shown.x + shown.width, y, 1, "│", theme.rule);
        }
    }
    if selected {
        tint(buffer, 0, y, line.width, theme.selection);
        if let Some(shown) = columns.iter().find(|shown| shown.place == table.column) {
            // The cell is told from its row by not being reversed.
            tint(
                buffer,
                shown.x,
                y,
                shown.width,
                ratatui::style::Style::reset(),
            );
            tint(
                buffer,
                shown.x,
                y,
                shown.width,
                theme.strong.patch(theme.selection_away),
            );
        }
    }
}

/// Numbers at the right end, the rest at the left.
fn is_right(table: &TableState, shown: &Shown) -> bool {
    let whole = table.width_of(shown.column) == shown.width;
    whole && table.is_numeric(shown.column)
}

fn place(
    buffer: &mut Buffer,
    y: u16,
    shown: &Shown,
    text: &str,
    right: bool,
    style: ratatui::style::Style,
) {
    let used = if right {
        width_within(text, shown.width)
    } else {
        shown.width
    };
    put(buffer, shown.x + shown.width - used, y, used, text, style);
}

/// Rows, size, filter and what is under way, at the right end of the title.
fn facts(state: &State, table: &TableState) -> String {
    let mut parts = Vec::new();
    if let Some(filter) = &table.spec.filter {
        parts.push(format!("only '{}'", filter.text()));
    }
    if !table.hidden.is_empty() {
        parts.push(format!("{} hidden", table.hidden.len()));
    }
    if state.is_in_flight(&RequestKey::Only("sort and filter")) {
        parts.push("sorting and filtering …".to_owned());
    }
    if state.is_in_flight(&RequestKey::Only("find")) {
        parts.push("looking …".to_owned());
    }
    let rows = table.rows();
    if rows > 0 {
        parts.push(format!(
            "row {} of {}",
            count(table.cursor.selected() as u64 + 1),
            count(rows as u64)
        ));
    }
    if let Some(source) = &table.source {
        match &table.index {
            Some(index) if !table.indexed => {
                let percent = index.end().saturating_mul(100) / source.length().max(1);
                parts.push(format!("indexing {percent}% of {}", bytes(source.length())));
            }
            None => parts.push(format!("indexing {}", bytes(source.length()))),
            Some(_) => parts.push(bytes(source.length())),
        }
    }
    if let (Some(_), Some(error)) = (&table.source, &table.error) {
        parts.push(format!("error: {error}"));
    }
    parts.join(" · ")
}
