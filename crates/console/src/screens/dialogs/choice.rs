//! One of several: what to copy, which format to export.

use crossterm::event::KeyCode;
use ratatui::{buffer::Buffer, layout::Position};

use super::screen;
use crate::{
    effect::{Effect, ExportRequest, Request},
    keymap::Key,
    screens::overlay::Overlay,
    state::{Screen, State, Tone},
    table::ExportFormat,
    widgets::{
        dialog::{centred, frame},
        text::{Pen, tint, width},
    },
};
use lakehand_pipeline::text::shell_word;

/// What a choice does.
#[derive(Debug, Clone)]
pub(crate) enum Chosen {
    /// Copies this.
    Copy(String),
    /// Exports in this format.
    Export(ExportFormat),
}

/// One of several.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    title: &'static str,
    items: Vec<(String, Chosen)>,
    selected: usize,
}

/// Asks for the format of an export.
pub(crate) fn choose_export(state: &mut State) {
    let item = |label: &str, format| (label.to_owned(), Chosen::Export(format));
    let items = vec![
        item("CSV, to go on with in a spreadsheet", ExportFormat::Csv),
        item("JSON, an array of objects", ExportFormat::Json),
        item("Markdown, for a ticket or a chat", ExportFormat::Markdown),
    ];
    state.overlay = Some(Overlay::Choice(Choice {
        title: "Export what I see",
        items,
        selected: 0,
    }));
}

/// Asks what to copy; with one thing only, copies it.
pub(crate) fn choose_copy(state: &mut State) {
    let items = copyable(state);
    if items.is_empty() {
        state.problem("there is nothing to copy here");
        return;
    }
    let items = items
        .into_iter()
        .map(|(label, text)| {
            (
                format!("{label:<14}{}", text.chars().take(200).collect::<String>()),
                Chosen::Copy(text),
            )
        })
        .collect();
    state.overlay = Some(Overlay::Choice(Choice {
        title: "Copy",
        items,
        selected: 0,
    }));
}

fn copyable(state: &State) -> Vec<(&'static str, String)> {
    let mut items = Vec::new();
    if let Some(execution) = state.target() {
        items.push(("Execution", execution.id.to_string()));
        items.extend(
            Request::Execution(execution.id.clone(), 0)
                .cli()
                .map(|line| ("Command", line)),
        );
        items.extend(execution.error.clone().map(|error| ("Error", error)));
    }
    match state.screen {
        Screen::Run => {
            if let Some(cause) = state
                .run
                .detail()
                .and_then(|detail| detail.root_cause.as_ref())
            {
                items.push((
                    "Cause",
                    format!("{}: {}: {}", cause.stage, cause.error, cause.cause),
                ));
            }
            items.push(("Input, output", state.run.payload_text()));
        }
        Screen::Logs => items.extend(
            state
                .logs
                .selected()
                .map(|line| ("Line", line.message.clone())),
        ),
        Screen::Reports => {
            if let Some(report) = state.reports.selected() {
                items.push(("Report", report.name.to_string()));
                items.extend(report.sha256.clone().map(|sha256| ("SHA-256", sha256)));
                items.push((
                    "Command",
                    format!("lakehand reports get {}", shell_word(report.name.as_ref())),
                ));
            }
        }
        Screen::Table => {
            items.extend(
                state
                    .table
                    .as_ref()
                    .and_then(|table| table.selected_cell())
                    .map(|(_, cell)| ("Cell", cell.to_owned())),
            );
            items.extend(
                state
                    .table
                    .as_ref()
                    .and_then(|table| table.selected_row())
                    .map(|(_, record)| ("Row", record.cells.join("\t"))),
            );
            items.extend(
                state
                    .table
                    .as_ref()
                    .and_then(|table| table.path())
                    .map(|path| ("File", path)),
            );
        }
        Screen::Datamart => match state.datamart.selected_statement() {
            Some(statement) => {
                items.push(("Statement", statement.id.clone()));
                items.push(("SQL", statement.sql.clone()));
                items.extend(statement.reason.clone().map(|reason| ("Reason", reason)));
                items.push((
                    "Command",
                    format!("lakehand statements show {}", shell_word(&statement.id)),
                ));
            }
            None => items.push(("Command", "lakehand datamart show --plan".to_owned())),
        },
        Screen::Sources => items.extend(
            state
                .sources
                .selected_name()
                .map(|name| ("Name", name.to_owned())),
        ),
        // Only where it is kept: there is no value to copy.
        Screen::Credentials => {
            if let Some(one) = state.credentials.selected() {
                items.push(("Path", one.path.clone()));
                items.push((
                    "Command",
                    format!("lakehand credentials set {}", shell_word(&one.path)),
                ));
            }
        }
        Screen::Activity => items.extend(
            state
                .activity
                .selected()
                .and_then(|call| call.cli.clone())
                .map(|line| ("Command", line)),
        ),
        Screen::Board => {}
    }
    items
}

/// A key in a choice.
pub(in crate::screens) fn choice_key(
    state: &mut State,
    mut choice: Choice,
    key: Key,
    effects: &mut Vec<Effect>,
) {
    let last = choice.items.len().saturating_sub(1);
    match key.key_code() {
        KeyCode::Esc | KeyCode::Char('q') => return,
        KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => {
            choice.selected = (choice.selected + 1).min(last)
        }
        KeyCode::Up | KeyCode::Char('k') | KeyCode::BackTab => {
            choice.selected = choice.selected.saturating_sub(1)
        }
        KeyCode::Enter => {
            match choice.items.swap_remove(choice.selected.min(last)).1 {
                Chosen::Copy(text) => state.ask_anew(Request::Copy(text), effects),
                Chosen::Export(format) => export(state, format, effects),
            }
            return;
        }
        _ => {}
    }
    state.overlay = Some(Overlay::Choice(choice));
}

fn export(state: &mut State, format: ExportFormat, effects: &mut Vec<Effect>) {
    let Some(table) = &state.table else {
        return;
    };
    let Some((source, index, order, hidden)) = table.seen() else {
        return;
    };
    let stem = table.name.as_ref().trim_end_matches(".csv");
    let safe: String = stem
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    let request = ExportRequest {
        format,
        hidden,
        file_name: format!("{safe}-seen"),
    };
    state.toast("exporting …", Tone::Info);
    state.ask_anew(Request::Export(source, index, order, request), effects);
}

/// Draws a choice.
pub(in crate::screens) fn view_choice(
    state: &State,
    choice: &Choice,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = &state.theme;
    let widest = choice
        .items
        .iter()
        .map(|(label, _)| width(label))
        .max()
        .unwrap_or(20);
    let columns = u16::try_from(widest + 8).unwrap_or(90).clamp(40, 90);
    let rows = u16::try_from(choice.items.len()).unwrap_or(u16::MAX);
    let inside = frame(
        buffer,
        centred(screen(state), columns, rows.saturating_add(4)),
        choice.title,
        theme.accent,
        theme,
    );
    for (row, (label, _)) in choice.items.iter().enumerate() {
        let line = u16::try_from(row).unwrap_or(u16::MAX).saturating_add(1);
        let chosen = row == choice.selected;
        Pen::new(buffer, inside, line)
            .put(if chosen { "▸ " } else { "  " }, theme.accent)
            .put(label, theme.text);
        if chosen && line < inside.height {
            tint(
                buffer,
                inside.x,
                inside.y + line,
                inside.width,
                theme.selection,
            );
        }
    }
    None
}
