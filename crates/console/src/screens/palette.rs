//! The palette: every action by name; what is impossible now is shown with the reason.

use crossterm::event::KeyCode;
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::overlay::Overlay;
use crate::{
    actions::{self, Action},
    effect::Effect,
    keymap::Key,
    state::State,
    update,
    widgets::{
        dialog::{centred, finder},
        input::Input,
        list::Cursor,
        text::{Pen, tint},
    },
};

/// The open palette.
#[derive(Debug, Clone, Default)]
pub(crate) struct Palette {
    input: Input,
    cursor: Cursor,
}

impl Palette {
    /// A pasted text.
    pub(super) fn paste(&mut self, text: &str) {
        self.input.insert(text);
        self.cursor = Cursor::default();
    }
}

/// How well the letters of `wanted` follow each other in `title`: smaller is better, `None` when they do not.
fn score(wanted: &str, title: &str) -> Option<usize> {
    let title = title.to_lowercase();
    if let Some(at) = title.find(wanted) {
        let starts_word = at == 0 || !title.as_bytes()[at - 1].is_ascii_alphanumeric();
        return Some(at + if starts_word { 0 } else { 100 });
    }
    let (mut cost, mut rest) = (1_000, title.as_str());
    for letter in wanted.chars() {
        let at = rest.find(letter)?;
        cost += at;
        rest = &rest[at + letter.len_utf8()..];
    }
    Some(cost)
}

/// Actions that fit, the best first; possible ones before the others.
fn fitting(state: &State, palette: &Palette) -> Vec<&'static Action> {
    let wanted = palette.input.text().trim().to_lowercase();
    let mut found: Vec<_> = actions::of_screen(state)
        .filter_map(|action| {
            let best = [action.title, action.short]
                .iter()
                .filter_map(|text| score(&wanted, text))
                .min()?;
            Some(((action.enabled)(state).is_err(), best, action))
        })
        .collect();
    found.sort_by_key(|(disabled, score, _)| (*disabled, *score));
    found.into_iter().map(|(_, _, action)| action).collect()
}

fn area(state: &State) -> Rect {
    let screen = Rect::new(0, 0, state.size.0, state.size.1);
    centred(screen, 90, state.size.1.saturating_sub(4).min(24))
}

fn height(state: &State) -> usize {
    usize::from(area(state).height.saturating_sub(4)).max(1)
}

/// A key in the palette.
pub(super) fn key(state: &mut State, mut palette: Palette, key: Key, effects: &mut Vec<Effect>) {
    let found = fitting(state, &palette);
    let height = height(state);
    match key.key_code() {
        KeyCode::Esc => return,
        KeyCode::Enter => {
            if let Some(action) = found.get(palette.cursor.selected()) {
                update::act(state, action, effects);
                return;
            }
        }
        KeyCode::Down | KeyCode::Tab => palette.cursor.step(1, found.len(), height),
        KeyCode::Up | KeyCode::BackTab => palette.cursor.step(-1, found.len(), height),
        KeyCode::PageDown => palette.cursor.step(8, found.len(), height),
        KeyCode::PageUp => palette.cursor.step(-8, found.len(), height),
        _ if key == Key::control('c') => return,
        _ => {
            if palette.input.key(key) {
                palette.cursor = Cursor::default();
            }
        }
    }
    state.overlay = Some(Overlay::Palette(palette));
}

/// Draws the palette.
pub(super) fn view(state: &State, palette: &Palette, buffer: &mut Buffer) -> Position {
    let theme = &state.theme;
    let (list, caret) = finder(
        buffer,
        area(state),
        "What do you want to do?",
        "› ",
        &palette.input,
        theme,
    );
    let found = fitting(state, palette);
    if found.is_empty() {
        Pen::new(buffer, list, 0).put("nothing fits", theme.muted);
    }
    for (line, position) in palette
        .cursor
        .visible(found.len(), list.height.into())
        .enumerate()
    {
        let (action, line) = (found[position], u16::try_from(line).unwrap_or(u16::MAX));
        let key = state
            .keymap
            .of(action.id)
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        let pen = Pen::new(buffer, list, line).cell(&key, 6, theme.accent);
        match (action.enabled)(state) {
            Ok(()) => pen.put(action.title, theme.text),
            Err(reason) => pen
                .right(&format!("  {reason}"), theme.warn)
                .put(action.title, theme.muted),
        };
        if position == palette.cursor.selected() {
            tint(buffer, list.x, list.y + line, list.width, theme.selection);
        }
    }
    caret
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_beats_scattered_letters() {
        assert!(score("redrive", "Redrive: continue") < score("redrive", "Do redrive"));
        assert!(score("rdv", "Redrive").is_some());
        assert!(score("red", "Redrive") < score("red", "Read everything"));
        assert_eq!(score("xyz", "Redrive"), None);
        assert_eq!(score("", "Redrive"), Some(0));
    }
}
