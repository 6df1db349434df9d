//! A key as the registry, the footer and the help name it.

use std::{fmt, str::FromStr};

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

impl Key {
    /// Whether the key has one meaning that nothing takes away: everything but characters and control letters, and
    /// Ctrl-C.
    pub(crate) fn is_fixed(self) -> bool {
        !matches!(self.code, KeyCode::Char(_)) || self == Self::control('c')
    }
}

impl FromStr for Key {
    type Err = String;

    /// `D`, `^P` or `ctrl-p`, `space`, `enter`, `f5`: as the help names keys, or as people write them.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut characters = text.chars();
        if let (Some(character), None) = (characters.next(), characters.next())
            && !character.is_control()
            && character != ' '
        {
            return Ok(Self::char(character));
        }
        let lower = text.to_lowercase();
        let letter = lower
            .strip_prefix('^')
            .or_else(|| lower.strip_prefix("ctrl-"))
            .or_else(|| lower.strip_prefix("c-"));
        if let Some([letter @ b'a'..=b'z']) = letter.map(str::as_bytes) {
            return Ok(Self::control(char::from(*letter)));
        }
        let number = lower
            .strip_prefix('f')
            .and_then(|number| number.parse().ok());
        let code = match (lower.as_str(), number) {
            ("space", _) => KeyCode::Char(' '),
            ("enter", _) => KeyCode::Enter,
            ("esc", _) => KeyCode::Esc,
            ("tab", _) => KeyCode::Tab,
            ("s-tab", _) => KeyCode::BackTab,
            ("up", _) => KeyCode::Up,
            ("down", _) => KeyCode::Down,
            ("left", _) => KeyCode::Left,
            ("right", _) => KeyCode::Right,
            ("home", _) => KeyCode::Home,
            ("end", _) => KeyCode::End,
            ("pgup", _) => KeyCode::PageUp,
            ("pgdn", _) => KeyCode::PageDown,
            (_, Some(number @ 1..=12)) => KeyCode::F(number),
            _ => {
                return Err(format!(
                    "'{text}' is not a key; write a character, \"ctrl-p\", or \"space\""
                ));
            }
        };
        Ok(Self::code(code))
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

    #[test]
    fn written_keys_are_read_as_they_are_shown() {
        for (text, key) in [
            ("D", Key::char('D')),
            ("^P", Key::control('p')),
            ("Ctrl-p", Key::control('p')),
            ("^", Key::char('^')),
            ("f", Key::char('f')),
            ("F5", Key::code(KeyCode::F(5))),
            ("space", Key::char(' ')),
        ] {
            assert_eq!(text.parse(), Ok(key));
        }
        for key in [
            Key::char('%'),
            Key::control('l'),
            Key::char(' '),
            Key::ENTER,
            Key::TAB,
        ] {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for text in ["", "ctrl-", "f13", "super-x", "\u{7}"] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
    }
}
