//! Help: the keys of this screen, made from the registry, filtered as you type.

use crossterm::event::KeyCode;
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::overlay::Overlay;
use crate::{
    actions::{self, Action, Cli},
    effect::Risk,
    keymap::Key,
    state::State,
    widgets::{
        dialog::{centred, finder},
        input::Input,
        list::Cursor,
        text::Pen,
    },
};

/// The open help.
#[derive(Debug, Clone, Default)]
pub(crate) struct Help {
    pub(super) input: Input,
    cursor: Cursor,
}

/// The actions that fit what was typed.
fn fitting(state: &State, help: &Help) -> Vec<&'static Action> {
    let wanted = help.input.text().to_lowercase();
    let fits = |action: &&'static Action| {
        let keys = keys_of(state, action).to_lowercase();
        wanted
            .split_whitespace()
            .all(|word| action.title.to_lowercase().contains(word) || keys.contains(word))
    };
    let mut found: Vec<_> = actions::of_screen(state).filter(fits).collect();
    // What belongs to this screen comes before what is the same everywhere.
    found.sort_by_key(|action| {
        actions::scopes(state.screen)
            .iter()
            .position(|scope| *scope == action.scope)
    });
    found
}

fn keys_of(state: &State, action: &Action) -> String {
    let keys = state.keymap.of(action.id);
    keys.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

fn area(state: &State) -> Rect {
    let screen = Rect::new(0, 0, state.size.0, state.size.1);
    centred(screen, 110, state.size.1.saturating_sub(2))
}

fn height(state: &State) -> usize {
    usize::from(area(state).height.saturating_sub(4)).max(1)
}

/// A key in the help.
pub(super) fn key(state: &mut State, mut help: Help, key: Key) {
    let (length, height) = (fitting(state, &help).len(), height(state));
    match key.key_code() {
        KeyCode::Esc | KeyCode::Enter => return,
        KeyCode::Char('?') if help.input.text().is_empty() => return,
        KeyCode::Char('q') if help.input.text().is_empty() => return,
        KeyCode::Down => help.cursor.step(1, length, height),
        KeyCode::Up => help.cursor.step(-1, length, height),
        KeyCode::PageDown => help
            .cursor
            .step(isize::try_from(height).unwrap_or(1), length, height),
        KeyCode::PageUp => help
            .cursor
            .step(-isize::try_from(height).unwrap_or(1), length, height),
        _ => {
            if help.input.key(key) {
                help.cursor = Cursor::default();
            }
        }
    }
    state.overlay = Some(Overlay::Help(help));
}

/// Draws the help.
pub(super) fn view(state: &State, help: &Help, buffer: &mut Buffer) -> Position {
    let theme = &state.theme;
    let (list, caret) = finder(
        buffer,
        area(state),
        "Keys of this screen",
        "filter ",
        &help.input,
        theme,
    );
    let found = fitting(state, help);
    if found.is_empty() {
        Pen::new(buffer, list, 0).put("nothing fits", theme.muted);
    }
    for (line, position) in help
        .cursor
        .visible(found.len(), list.height.into())
        .enumerate()
    {
        let (action, line) = (found[position], u16::try_from(line).unwrap_or(u16::MAX));
        let reason = (action.enabled)(state).err();
        let style = if reason.is_some() {
            theme.muted
        } else {
            theme.text
        };
        let pen = Pen::new(buffer, list, line)
            .cell(&keys_of(state, action), 12, theme.accent)
            .gap(1);
        let pen = match action.cli {
            Cli::Twin(words) if list.width >= 90 => {
                pen.right(&format!("lakehand {words}"), theme.muted)
            }
            _ => pen,
        };
        let pen = match reason {
            Some(reason) => pen.right(&format!("  {reason} "), theme.warn),
            None if action.risk > Risk::Read => pen.right("  asks first ", theme.warn),
            None => pen,
        };
        pen.put(action.title, style);
        if position == help.cursor.selected() && help.cursor.selected() > 0 {
            crate::widgets::text::tint(
                buffer,
                list.x,
                list.y + line,
                list.width,
                theme.selection_away,
            );
        }
    }
    caret
}
