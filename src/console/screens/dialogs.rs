//! Boxes that ask or show: confirm, choose one, read a long text.

use crossterm::event::KeyCode;
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::Style,
};

use super::overlay::Overlay;
use crate::console::{
    actions::ActionId,
    effect::{Effect, ExportRequest, Request, Risk},
    keymap::Key,
    state::{Requested, Screen, State, Tone},
    table::ExportFormat,
    widgets::{
        dialog::{Guard, buttons, centred, frame, wrapped},
        text::{Pen, tint, width},
    },
};

/// Asks before something changes. The identifiers are in the request since the dialog opened: whatever happens
/// to the list behind it, this is what will be sent.
#[derive(Debug, Clone)]
pub(crate) struct Confirm {
    title: &'static str,
    facts: Vec<(&'static str, String)>,
    request: Request,
    requested: Option<Requested>,
    labels: [&'static str; 2],
    on_yes: bool,
    guard: Guard,
}

fn screen(state: &State) -> Rect {
    Rect::new(0, 0, state.size.0, state.size.1)
}

/// Asks whether to redrive.
pub(crate) fn ask_redrive(state: &mut State) {
    let Ok((execution, stages, safety)) = state.redrive_target() else {
        return;
    };
    let again = if stages.is_empty() {
        "what did not finish".to_owned()
    } else {
        stages.join(", ")
    };
    let mut facts = vec![
        ("Execution", execution.id.to_string()),
        ("Runs again", again),
        ("Safe because", safety.to_owned()),
    ];
    let request = Request::Redrive(execution.id.clone());
    let requested = Some(Requested::Redrive(execution.redrives));
    facts.extend(request.cli().map(|line| ("Same as", line)));
    ask(
        state,
        "Redrive this execution?",
        facts,
        request,
        requested,
        "Redrive",
    );
}

/// Asks whether to stop.
pub(crate) fn ask_stop(state: &mut State) {
    let Ok(execution) = state.stop_target() else {
        return;
    };
    let stage = execution
        .current_stage
        .clone()
        .unwrap_or_else(|| "between two stages".to_owned());
    let mut facts = vec![("Execution", execution.id.to_string()), ("It is at", stage)];
    facts.push((
        "Afterwards",
        "it ends as stopped; a redrive goes on from what did not finish".to_owned(),
    ));
    let request = Request::Stop(execution.id.clone(), "stopped from the console".to_owned());
    facts.extend(request.cli().map(|line| ("Same as", line)));
    ask(
        state,
        "Stop this execution?",
        facts,
        request,
        Some(Requested::Stop),
        "Stop",
    );
}

fn ask(
    state: &mut State,
    title: &'static str,
    mut facts: Vec<(&'static str, String)>,
    request: Request,
    requested: Option<Requested>,
    yes: &'static str,
) {
    let identity = &state.identity;
    facts.insert(
        1,
        (
            "Profile",
            format!(
                "{} · {} · {}",
                identity.profile, identity.account, identity.region
            ),
        ),
    );
    let guard = Guard::opened(state.now);
    state.overlay = Some(Overlay::Confirm(Confirm {
        title,
        facts,
        request,
        requested,
        labels: ["Cancel", yes],
        on_yes: false,
        guard,
    }));
}

/// Offers the sample to somebody who starts with an empty lake.
pub(crate) fn offer_sample(state: &mut State) {
    let facts = vec![
        ("", "The lake is empty: nothing was collected yet.".to_owned()),
        ("", "Lakehand can show you the whole way with sample data: it starts its built-in simulator, collects, builds the daily report, and ends on the finished table. No account, no network.".to_owned()),
        ("Same as", "lakehand demo".to_owned()),
    ];
    let confirm = Confirm {
        title: "Try it here with sample data?",
        facts,
        request: Request::StartSample,
        requested: None,
        labels: ["Not now", "Try it"],
        on_yes: true,
        guard: Guard::opened(state.now),
    };
    state.overlay = Some(Overlay::Confirm(confirm));
}

/// A key in a confirmation.
pub(super) fn confirm_key(
    state: &mut State,
    mut confirm: Confirm,
    key: Key,
    effects: &mut Vec<Effect>,
) {
    let counts = confirm.guard.lets_through(state.now);
    match key.key_code() {
        KeyCode::Esc => return,
        _ if !counts => {}
        KeyCode::Char('q' | 'n') => return,
        KeyCode::Left
        | KeyCode::Right
        | KeyCode::Tab
        | KeyCode::BackTab
        | KeyCode::Char('h' | 'l' | 'j' | 'k') => confirm.on_yes = !confirm.on_yes,
        KeyCode::Enter => {
            if confirm.on_yes {
                send(state, confirm, effects);
            }
            return;
        }
        _ => {}
    }
    state.overlay = Some(Overlay::Confirm(confirm));
}

fn send(state: &mut State, confirm: Confirm, effects: &mut Vec<Effect>) {
    match &confirm.request {
        Request::Redrive(id) | Request::Stop(id, _) => {
            if let Some(requested) = confirm.requested {
                state.requested.insert(id.clone(), requested);
            }
            let text = format!("{} requested", confirm.request.name());
            state.toast(text, Tone::Info);
        }
        Request::StartSample => crate::console::update::demo_started(state),
        _ => {}
    }
    state.ask(confirm.request, effects);
}

/// Draws a confirmation.
pub(super) fn view_confirm(
    state: &State,
    confirm: &Confirm,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = &state.theme;
    let columns = state.size.0.saturating_sub(4).min(88);
    let label = confirm
        .facts
        .iter()
        .map(|(label, _)| width(label))
        .max()
        .unwrap_or(0);
    let label = u16::try_from(label + 2).unwrap_or(2);
    let mut lines: Vec<(&str, String, Style)> = Vec::new();
    for (name, text) in &confirm.facts {
        let style = if *name == "Same as" {
            theme.muted
        } else {
            theme.text
        };
        for (row, line) in wrapped(text, columns.saturating_sub(4 + label))
            .into_iter()
            .take(5)
            .enumerate()
        {
            lines.push((if row == 0 { name } else { "" }, line, style));
        }
    }
    let rows = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let border = if confirm.request.risk() == Risk::Danger {
        theme.warn
    } else {
        theme.accent
    };
    let inside = frame(
        buffer,
        centred(screen(state), columns, rows.saturating_add(6)),
        confirm.title,
        border,
        theme,
    );
    for (row, (name, line, style)) in lines.iter().enumerate() {
        let row = u16::try_from(row).unwrap_or(u16::MAX).saturating_add(1);
        if row + 2 < inside.height {
            Pen::new(buffer, inside, row)
                .cell(name, label, theme.muted)
                .put(line, *style);
        }
    }
    if inside.height > 1 {
        let row = inside.height - 2;
        buttons(
            buffer,
            inside,
            row,
            &confirm.labels,
            usize::from(confirm.on_yes),
            theme,
        );
        Pen::new(buffer, inside, row)
            .gap(30)
            .right("← → choose  Enter  Esc", theme.muted);
    }
    None
}

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
                items.push(("SHA-256", report.sha256.clone()));
                items.push(("Command", format!("lakehand reports get {}", report.name)));
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
pub(super) fn choice_key(
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
    let Some((source, index, order, columns)) = table.seen() else {
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
        columns,
        file_name: format!("{safe}-seen"),
    };
    state.toast("exporting …", Tone::Info);
    state.ask_anew(Request::Export(source, index, order, request), effects);
}

/// Draws a choice.
pub(super) fn view_choice(state: &State, choice: &Choice, buffer: &mut Buffer) -> Option<Position> {
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

/// A text to read.
#[derive(Debug, Clone)]
pub(crate) struct TextView {
    title: String,
    text: String,
    top: usize,
}

/// Shows the selected cell whole.
pub(crate) fn show_cell(state: &mut State) {
    let shown = state
        .table
        .as_ref()
        .and_then(|table| table.selected_cell())
        .map(|(title, cell)| (title.to_owned(), cell.to_owned()));
    if let Some((title, text)) = shown {
        state.overlay = Some(Overlay::Text(TextView {
            title,
            text,
            top: 0,
        }));
    }
}

/// Shows the selected log line whole; JSON is indented.
pub(crate) fn show_line(state: &mut State) {
    let Some(line) = state.logs.selected() else {
        return;
    };
    let pretty = serde_json::from_str::<serde_json::Value>(&line.message)
        .ok()
        .filter(|value| value.is_object() || value.is_array());
    let text = pretty
        .and_then(|value| serde_json::to_string_pretty(&value).ok())
        .unwrap_or_else(|| line.message.clone());
    let title = format!(
        "{} · attempt {} · line {}",
        line.stage, line.attempt, line.line
    );
    state.overlay = Some(Overlay::Text(TextView {
        title,
        text,
        top: 0,
    }));
}

fn text_area(state: &State) -> Rect {
    centred(
        screen(state),
        state.size.0.saturating_sub(6).min(120),
        state.size.1.saturating_sub(4),
    )
}

/// A key while reading.
pub(super) fn text_key(state: &mut State, mut text: TextView, key: Key, effects: &mut Vec<Effect>) {
    let area = text_area(state);
    let lines = wrapped(&text.text, area.width.saturating_sub(4)).len();
    let page = usize::from(area.height.saturating_sub(3)).max(1);
    let action = crate::console::actions::for_key(state, key).map(|action| action.id);
    text.top = match action {
        _ if key == Key::ESCAPE || key == Key::ENTER => return,
        Some(ActionId::Quit) => return,
        Some(ActionId::Copy) => {
            state.ask_anew(Request::Copy(text.text), effects);
            return;
        }
        Some(ActionId::Down) => text.top + 1,
        Some(ActionId::Up) => text.top.saturating_sub(1),
        Some(ActionId::PageDown) => text.top + page,
        Some(ActionId::PageUp) => text.top.saturating_sub(page),
        Some(ActionId::Top) => 0,
        Some(ActionId::Bottom) => lines,
        _ => text.top,
    }
    .min(lines.saturating_sub(page));
    state.overlay = Some(Overlay::Text(text));
}

/// Draws a text.
pub(super) fn view_text(state: &State, text: &TextView, buffer: &mut Buffer) -> Option<Position> {
    let theme = &state.theme;
    let area = text_area(state);
    let lines = wrapped(&text.text, area.width.saturating_sub(4));
    let needed = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .saturating_add(3)
        .max(5);
    let inside = frame(
        buffer,
        centred(screen(state), area.width, area.height.min(needed)),
        &text.title,
        theme.accent,
        theme,
    );
    for (row, line) in lines
        .iter()
        .skip(text.top)
        .take(usize::from(inside.height.saturating_sub(1)))
        .enumerate()
    {
        Pen::new(buffer, inside, u16::try_from(row).unwrap_or(u16::MAX)).put(line, theme.text);
    }
    if inside.height > 0 {
        Pen::new(buffer, inside, inside.height - 1).put("y copy  Esc close", theme.muted);
    }
    None
}
