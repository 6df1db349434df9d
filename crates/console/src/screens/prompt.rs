//! The line at the bottom: what to find, what to keep.

use crossterm::event::KeyCode;
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{overlay::Overlay, table};
use crate::{
    effect::Effect,
    keymap::Key,
    state::{Screen, State},
    update,
    widgets::{
        input::Input,
        text::{Pen, tint},
    },
};

/// What the line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The next place that holds it.
    Find,
    /// Only what holds it.
    Filter,
    /// The row with this number.
    Row,
}

/// An open line.
#[derive(Debug, Clone)]
pub(crate) struct Prompt {
    purpose: Purpose,
    pub(super) input: Input,
}

impl Prompt {
    /// A line with what was typed last time.
    pub(crate) fn new(purpose: Purpose, text: &str) -> Self {
        Self {
            purpose,
            input: Input::with(text),
        }
    }
}

/// A key in the line.
pub(super) fn key(state: &mut State, mut prompt: Prompt, key: Key, effects: &mut Vec<Effect>) {
    match key.key_code() {
        KeyCode::Esc => return,
        _ if key == Key::control('c') => return,
        KeyCode::Enter => {
            let text = prompt.input.text().to_owned();
            match prompt.purpose {
                Purpose::Filter => update::filter(state, &text, effects),
                Purpose::Find | Purpose::Row if text.is_empty() => {}
                Purpose::Row => table::go_to_row(state, &text, effects),
                Purpose::Find => {
                    state.search = text;
                    update::find(state, true, true, effects);
                }
            }
            return;
        }
        KeyCode::Backspace if prompt.input.text().is_empty() => return,
        _ => {
            prompt.input.key(key);
        }
    }
    state.overlay = Some(Overlay::Prompt(prompt));
}

/// Draws the line in place of the footer.
pub(super) fn view(state: &State, prompt: &Prompt, buffer: &mut Buffer) -> Position {
    let theme = &state.theme;
    let area = Rect::new(0, state.size.1.saturating_sub(1), state.size.0, 1);
    for x in area.left()..area.right() {
        buffer[(x, area.y)].reset();
    }
    let (label, hint) = match prompt.purpose {
        Purpose::Row => (" # ", "a row's number; Enter goes there, Esc leaves "),
        Purpose::Find => (" / ", "Enter finds, n and N go on, Esc leaves "),
        Purpose::Filter if state.screen == Screen::Table => (
            " & ",
            "words, !not, column:word, column:>5; empty shows all ",
        ),
        Purpose::Filter => (" & ", "words, !not; empty shows all "),
    };
    let pen = Pen::new(buffer, area, 0)
        .right(hint, theme.muted)
        .put(label, theme.accent);
    let (x, left) = (pen.x(), pen.left());
    let caret = prompt
        .input
        .draw(buffer, x, area.y, left.min(60), theme.strong);
    tint(buffer, 0, area.y, 3, theme.strong);
    caret
}

#[cfg(test)]
mod tests {
    use crate::{
        StartScreen,
        scripted::{Driver, Scenario, ScriptedOperations},
    };

    #[test]
    fn columns_are_promised_where_the_filter_knows_them() {
        for (keys, promised) in [("&", false), ("6&", false), ("6<enter>&", true)] {
            let operations = ScriptedOperations::new(Scenario::Calm, 20).unwrap();
            let mut driver = Driver::open(operations, StartScreen::Board, (80, 24)).unwrap();
            let screen = driver.wait(500).press(keys).screen();
            assert!(screen.contains("words, !not"), "{keys}: {screen}");
            assert_eq!(screen.contains("column:word"), promised, "{keys}: {screen}");
        }
    }
}
