//! One line of input.

use crossterm::event::KeyCode;
use ratatui::{buffer::Buffer, layout::Position, style::Style};
use unicode_segmentation::UnicodeSegmentation;

use super::text::{put, width};
use crate::keymap::Key;

/// A line that is being typed. The caret counts graphemes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Input {
    text: String,
    caret: usize,
}

impl Input {
    /// A line with a text, the caret at its end.
    pub(crate) fn with(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            caret: text.graphemes(true).count(),
        }
    }

    /// What was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Handles a key; `false` when it is none of a line's keys.
    pub(crate) fn key(&mut self, key: Key) -> bool {
        let length = self.text.graphemes(true).count();
        if let Some(character) = key.typed() {
            self.insert(character.encode_utf8(&mut [0; 4]));
            return true;
        }
        match key.key_code() {
            _ if key == Key::control('u') => *self = Self::default(),
            _ if key == Key::control('a') => self.caret = 0,
            _ if key == Key::control('e') => self.caret = length,
            _ if key == Key::control('w') => self.delete_word(),
            KeyCode::Backspace if self.caret > 0 => self.delete(self.caret - 1),
            KeyCode::Delete if self.caret < length => self.delete(self.caret),
            KeyCode::Backspace | KeyCode::Delete => {}
            KeyCode::Left => self.caret = self.caret.saturating_sub(1),
            KeyCode::Right => self.caret = (self.caret + 1).min(length),
            KeyCode::Home => self.caret = 0,
            KeyCode::End => self.caret = length,
            _ => return false,
        }
        true
    }

    /// Inserts a text, line breaks taken out.
    pub(crate) fn insert(&mut self, text: &str) {
        let clean: String = text
            .chars()
            .filter(|character| !character.is_control())
            .collect();
        let at = self.offset(self.caret);
        let before = self.text.graphemes(true).count();
        self.text.insert_str(at, &clean);
        self.caret += self.text.graphemes(true).count().saturating_sub(before);
    }

    fn offset(&self, grapheme: usize) -> usize {
        self.text
            .grapheme_indices(true)
            .nth(grapheme)
            .map_or(self.text.len(), |(offset, _)| offset)
    }

    fn delete(&mut self, grapheme: usize) {
        let range = self.offset(grapheme)..self.offset(grapheme + 1);
        self.text.replace_range(range, "");
        self.caret = grapheme;
    }

    fn delete_word(&mut self) {
        let end = self.offset(self.caret);
        let start = self.text[..end]
            .trim_end()
            .rfind(' ')
            .map_or(0, |space| space + 1);
        self.text.replace_range(start..end, "");
        self.caret = self.text[..start].graphemes(true).count();
    }

    /// Draws the line, scrolled so that the caret is visible; returns where the caret is.
    pub(crate) fn draw(
        &self,
        buffer: &mut Buffer,
        x: u16,
        y: u16,
        columns: u16,
        style: Style,
    ) -> Position {
        let before = &self.text[..self.offset(self.caret)];
        let room = usize::from(columns.saturating_sub(1));
        let mut start = 0;
        while width(&before[start..]) > room {
            start += before[start..].graphemes(true).next().map_or(1, str::len);
        }
        put(buffer, x, y, columns, &self.text[start..], style);
        let caret = u16::try_from(width(&before[start..])).unwrap_or(0);
        Position {
            x: x + caret.min(columns.saturating_sub(1)),
            y,
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    #[test]
    fn typing_moving_and_deleting_by_grapheme() {
        let mut input = Input::default();
        for character in "naïve 👩‍👩‍👧".chars() {
            input.key(Key::char(character));
        }
        input.key(Key::code(KeyCode::Backspace));
        assert_eq!(input.text(), "naïve ");
        input.key(Key::code(KeyCode::Home));
        input.key(Key::code(KeyCode::Delete));
        input.insert("N\new\u{1b} ");
        assert_eq!(input.text(), "New aïve ");
        input.key(Key::control('w'));
        assert_eq!(input.text(), "aïve ");
        assert!(!input.key(Key::ENTER));
    }

    #[test]
    fn the_caret_stays_in_the_field() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 1));
        let caret = Input::with("a long line of words").draw(&mut buffer, 2, 0, 6, Style::new());
        assert_eq!(caret, Position { x: 7, y: 0 });
        assert_eq!(buffer[(6, 0)].symbol(), "s");
    }
}
