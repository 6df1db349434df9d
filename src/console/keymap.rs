//! A key as the registry, the footer and the help name it.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// One key with its modifiers. Shift is part of the character (`D`), or of the code (`BackTab`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    control: bool,
}

impl Key {
    /// A printable character.
    pub const fn char(character: char) -> Self {
        Self {
            code: KeyCode::Char(character),
            control: false,
        }
    }

    /// Control and a lower-case letter.
    pub const fn control(letter: char) -> Self {
        Self {
            code: KeyCode::Char(letter),
            control: true,
        }
    }

    /// A named key.
    pub const fn code(code: KeyCode) -> Self {
        Self {
            code,
            control: false,
        }
    }

    /// The Enter key.
    pub const ENTER: Self = Self::code(KeyCode::Enter);
    /// The Escape key.
    pub const ESCAPE: Self = Self::code(KeyCode::Esc);
    /// The Tab key.
    pub const TAB: Self = Self::code(KeyCode::Tab);

    /// What was pressed, in normal form.
    pub(crate) fn of(event: KeyEvent) -> Self {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let code = match event.code {
            KeyCode::Char(letter) if control => KeyCode::Char(letter.to_ascii_lowercase()),
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            code => code,
        };
        Self { code, control }
    }

    /// The key code.
    pub(crate) fn key_code(self) -> KeyCode {
        self.code
    }

    /// The character it would type into a field.
    pub(crate) fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(character) if !self.control => Some(character),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.code {
            KeyCode::Char(' ') => "Space",
            KeyCode::Char(letter) if self.control => {
                return write!(f, "^{}", letter.to_ascii_uppercase());
            }
            KeyCode::Char(letter) => return write!(f, "{letter}"),
            KeyCode::Enter => "Enter",
            KeyCode::Esc => "Esc",
            KeyCode::Tab => "Tab",
            KeyCode::BackTab => "S-Tab",
            KeyCode::Up => "↑",
            KeyCode::Down => "↓",
            KeyCode::Left => "←",
            KeyCode::Right => "→",
            KeyCode::Home => "Home",
            KeyCode::End => "End",
            KeyCode::PageUp => "PgUp",
            KeyCode::PageDown => "PgDn",
            KeyCode::Backspace => "Backspace",
            KeyCode::Delete => "Del",
            KeyCode::F(number) => return write!(f, "F{number}"),
            _ => "?",
        };
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressed_keys_have_one_normal_form() {
        let pressed = |code, modifiers| Key::of(KeyEvent::new(code, modifiers));
        assert_eq!(
            pressed(KeyCode::Char('D'), KeyModifiers::SHIFT),
            Key::char('D')
        );
        assert_eq!(
            pressed(
                KeyCode::Char('P'),
                KeyModifiers::CONTROL | KeyModifiers::SHIFT
            ),
            Key::control('p')
        );
        assert_eq!(
            pressed(KeyCode::Tab, KeyModifiers::SHIFT),
            Key::code(KeyCode::BackTab)
        );
        assert_eq!(Key::control('p').to_string(), "^P");
        assert_eq!(Key::control('p').typed(), None);
        assert_eq!(Key::char('ß').typed(), Some('ß'));
    }
}
