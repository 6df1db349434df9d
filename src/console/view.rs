//! `view(state, buffer)`: draws the state, changes nothing, looks at visible rows only.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{
    actions::ActionId,
    format::age,
    screens::{activity, board, logs, overlay, reports, run, table},
    state::{Glyphs, SMALLEST, Screen, State},
    theme::to_ascii,
    update::spinner_step,
    widgets::{
        dialog::wrapped,
        footer,
        text::{Pen, width},
        toast,
    },
};

/// Draws the console; returns where the caret is, if something is being typed.
pub(crate) fn view(state: &State, buffer: &mut Buffer) -> Option<Position> {
    let caret = if state.size.0 < SMALLEST.0 || state.size.1 < SMALLEST.1 {
        too_small(state, buffer);
        None
    } else {
        draw(state, buffer)
    };
    match state.glyphs {
        Glyphs::Unicode => {}
        Glyphs::AsciiMarks => to_ascii(buffer, false),
        Glyphs::AsciiOnly => to_ascii(buffer, true),
    }
    caret
}

fn draw(state: &State, buffer: &mut Buffer) -> Option<Position> {
    header(state, buffer);
    match state.screen {
        Screen::Board => board::view(state, buffer),
        Screen::Run => run::view(state, buffer),
        Screen::Logs => logs::view(state, buffer),
        Screen::Reports => reports::view(state, buffer),
        Screen::Table => table::view(state, buffer),
        Screen::Activity => activity::view(state, buffer),
    }
    let (columns, rows) = state.size;
    footer::draw(
        state,
        buffer,
        Rect::new(0, rows.saturating_sub(1), columns, 1),
    );
    let caret = overlay::view(state, buffer);
    toast::draw(
        state,
        buffer,
        Rect::new(0, 1, columns, rows.saturating_sub(2)),
    );
    caret
}

fn too_small(state: &State, buffer: &mut Buffer) {
    let area = buffer.area;
    let lines = [
        "This window is too small for Lakehand.".to_owned(),
        format!(
            "It needs {} columns and {} rows; this is {} by {}.",
            SMALLEST.0, SMALLEST.1, state.size.0, state.size.1
        ),
        "Make it larger, or use the command line: lakehand status".to_owned(),
    ];
    let wrapped = lines.iter().flat_map(|line| wrapped(line, area.width));
    for (row, line) in wrapped.enumerate() {
        Pen::new(buffer, area, u16::try_from(row).unwrap_or(u16::MAX)).put(&line, state.theme.text);
    }
}

const TABS: [(Screen, ActionId, &str, &str); 5] = [
    (Screen::Board, ActionId::GoBoard, "1", "Board"),
    (Screen::Run, ActionId::GoRun, "2", "Run"),
    (Screen::Logs, ActionId::GoLogs, "3", "Logs"),
    (Screen::Reports, ActionId::GoReports, "6", "Reports"),
    (Screen::Activity, ActionId::GoActivity, "!", "Activity"),
];

const NAME: &str = " Lakehand  ";

/// The action of the tab at a column of the header.
pub(crate) fn tab_at(state: &State, column: u16) -> Option<ActionId> {
    let mut x = width(NAME);
    for (_, action, key, title) in TABS {
        let wide = key.len() + title.len() + 3;
        if (x..x + wide).contains(&usize::from(column)) {
            return (state.size.0 >= SMALLEST.0).then_some(action);
        }
        x += wide;
    }
    None
}

fn header(state: &State, buffer: &mut Buffer) {
    let theme = &state.theme;
    let area = Rect::new(0, 0, state.size.0, 1);
    let mut pen = Pen::new(buffer, area, 0);
    pen = pen.put(NAME, theme.strong);
    let x = pen.x();
    let tabs: usize = TABS
        .iter()
        .map(|(_, _, key, title)| key.len() + title.len() + 3)
        .sum();
    // What is at the right end must not run into the tabs.
    let right = Rect {
        x: x + u16::try_from(tabs).unwrap_or(0),
        width: state
            .size
            .0
            .saturating_sub(x + u16::try_from(tabs).unwrap_or(0)),
        ..area
    };
    for (screen, _, key, title) in TABS {
        let here =
            screen == state.screen || (screen == Screen::Reports && state.screen == Screen::Table);
        let (key_style, style) = if here {
            (
                theme.selection.patch(theme.strong),
                theme.selection.patch(theme.strong),
            )
        } else {
            (theme.accent, theme.muted)
        };
        pen = pen
            .put(&format!(" {key}"), key_style)
            .put(&format!(" {title} "), style);
    }
    status(state, buffer, right);
}

/// Profile, clock, age, spinner: at the right end, what matters most last to go.
fn status(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let clock = state
        .now
        .to_zoned(state.zone.clone())
        .strftime("%H:%M")
        .to_string();
    let mut pen = Pen::new(buffer, area, 0).right(&format!("{clock} "), theme.muted);
    if let Some(step) = spinner_step(state) {
        const TURNS: [&str; 4] = ["|", "/", "-", "\\"];
        pen = pen.right(&format!("{} ", TURNS[step % TURNS.len()]), theme.running);
    }
    let (fetched, failed) = fetched(state);
    match fetched {
        Some(at) if failed => {
            pen = pen.right(&format!("STALE {} ", age(at, state.now)), theme.warn)
        }
        Some(at) if age(at, state.now) != "now" => {
            pen = pen.right(&format!("read {} ago ", age(at, state.now)), theme.muted)
        }
        _ => {}
    }
    if state.identity.read_only {
        pen = pen.right("READ-ONLY ", theme.warn);
    }
    pen.right(
        &format!("{} · {}  ", state.identity.profile, state.identity.region),
        theme.muted,
    );
}

/// When the data of this screen came, and whether the last question failed.
fn fetched(state: &State) -> (Option<jiff::Timestamp>, bool) {
    match state.screen {
        Screen::Board => (state.board.fetched_at(), state.board.is_failing()),
        Screen::Run => (state.run.fetched_at(), state.run.is_failing()),
        Screen::Reports => (state.reports.fetched_at(), state.reports.error().is_some()),
        Screen::Logs | Screen::Table | Screen::Activity => (None, false),
    }
}
