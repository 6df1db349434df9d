//! A value that is typed or pasted and never shown: only how long it is.

use std::fmt;

use ratatui::{buffer::Buffer, layout::Rect};
use secrecy::{SecretString, zeroize::Zeroize};

use super::text::Pen;
use crate::{format::plural, keymap::Key, theme::Theme};

/// Longest value that is taken; what is pasted beyond it is left out.
const LONGEST: usize = 64 * 1024;

/// A hidden value. Line breaks of a paste are kept; other control characters are not.
#[derive(Clone, Default)]
pub(crate) struct SecretInput {
    text: String,
}

impl fmt::Debug for SecretInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretInput")
    }
}

impl Drop for SecretInput {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

impl SecretInput {
    /// Whether nothing was typed.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The value, for checking and sending.
    pub(crate) fn value(&self) -> SecretString {
        SecretString::from(self.text.as_str())
    }

    /// Adds what was typed or pasted.
    pub(crate) fn insert(&mut self, text: &str) {
        let room = LONGEST.saturating_sub(self.text.len());
        // Room for all of it at once: a growing string would leave copies of its beginning in memory.
        if self.text.capacity() < LONGEST {
            let mut roomy = String::with_capacity(LONGEST);
            roomy.push_str(&self.text);
            self.text.zeroize();
            self.text = roomy;
        }
        let line_breaks = text.replace("\r\n", "\n").replace('\r', "\n");
        let clean = line_breaks
            .chars()
            .filter(|character| *character == '\n' || !character.is_control());
        let mut used = 0;
        for character in clean {
            used += character.len_utf8();
            if used > room {
                return;
            }
            self.text.push(character);
        }
    }

    /// Handles a key of typing; `false` when it is none.
    pub(crate) fn key(&mut self, key: Key) -> bool {
        use crossterm::event::KeyCode;
        if let Some(character) = key.typed() {
            self.insert(character.encode_utf8(&mut [0; 4]));
            return true;
        }
        match key.key_code() {
            _ if key == Key::control('u') => self.text.zeroize(),
            KeyCode::Backspace => drop(self.text.pop()),
            _ => return false,
        }
        true
    }

    /// `40 characters`, `2,361 characters in 28 lines`.
    pub(crate) fn length(&self) -> String {
        let characters = plural(self.text.chars().count() as u64, "character");
        match self.text.trim_end().lines().count() {
            0 | 1 => characters,
            lines => format!("{characters} in {}", plural(lines as u64, "line")),
        }
    }

    /// Draws dots and the length; the dots stop at a dozen, so that the picture tells nothing more. Returns the
    /// column of the caret.
    pub(crate) fn draw(&self, buffer: &mut Buffer, area: Rect, row: u16, theme: &Theme) -> u16 {
        let dots = "•".repeat(self.text.chars().count().min(12));
        let pen = Pen::new(buffer, area, row).put(&dots, theme.text);
        let caret = pen.x();
        let said = if self.is_empty() {
            "type or paste it".to_owned()
        } else {
            self.length()
        };
        pen.gap(2).put(&said, theme.muted);
        caret
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyCode;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_value_is_taken_whole_and_shown_never() {
        let mut input = SecretInput::default();
        input.insert("{\r\n  \"key\": \"do-not-show\"\r}\u{1b}\n");
        assert_eq!(
            input.value().expose_secret(),
            "{\n  \"key\": \"do-not-show\"\n}\n"
        );
        assert_eq!(input.length(), "27 characters in 3 lines");
        let area = Rect::new(0, 0, 60, 1);
        let mut buffer = Buffer::empty(area);
        input.draw(&mut buffer, area, 0, &Theme::mono());
        let shown = format!("{input:?} {}", crate::scripted::text_of(&buffer));
        assert!(
            !shown.contains("show") && shown.contains("27 characters"),
            "{shown}"
        );
        for _ in 0..40 {
            input.key(Key::code(KeyCode::Backspace));
        }
        assert!(input.is_empty());
        input.insert(&"é".repeat(LONGEST));
        assert_eq!(input.value().expose_secret().len(), LONGEST);
        input.key(Key::control('u'));
        assert!(input.is_empty());
    }
}
