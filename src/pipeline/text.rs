//! Text for people: text from outside made safe for a terminal, and moments as they are read.

use std::borrow::Cow;

use jiff::{Timestamp, tz::TimeZone};

/// Whether a character could move the cursor, start an escape sequence or reorder what is shown.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Replaces control characters, line breaks and bidirectional overrides: `\n`, `\r` and `\t` by a visible
/// symbol, the rest by `\u{fffd}`. Borrowed when there is nothing to replace.
#[must_use]
pub fn for_terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| match c {
        '\n' => '␊',
        '\r' => '␍',
        '\t' => '␉',
        '\u{1b}' => '␛',
        '\0' => '␀',
        c if is_unsafe(c) => '\u{fffd}',
        c => c,
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// A moment near now: `09:00` today, `01-31 09:00` this year, `2025-12-31` before.
#[must_use]
pub fn moment(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    if at.date() == now.date() {
        at.strftime("%H:%M").to_string()
    } else if at.year() == now.year() {
        at.strftime("%m-%d %H:%M").to_string()
    } else {
        at.strftime("%Y-%m-%d").to_string()
    }
}

/// A word as a shell takes it: every command line that is shown or copied is quoted by this.
#[must_use]
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_passes() {
        assert_eq!(
            for_terminal("\u{1b}[2J\u{202e}x\ny\u{9b}1m"),
            "␛[2J\u{fffd}x␊y\u{fffd}1m"
        );
        assert!(matches!(for_terminal("日本語 🚀 =1+1"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_word_is_one_word_for_a_shell_whatever_it_holds() {
        for (word, quoted) in [
            ("daily-report:x_1", "daily-report:x_1"),
            ("2026-01-01..2026-01-02", "2026-01-01..2026-01-02"),
            ("", "''"),
            ("my report", "'my report'"),
            ("it's", r"'it'\''s'"),
            ("$(rm -rf /)", "'$(rm -rf /)'"),
            ("a;b|c&d", "'a;b|c&d'"),
            ("Übersicht", "'Übersicht'"),
            ("~/x*", "'~/x*'"),
        ] {
            assert_eq!(shell_word(word), quoted);
        }
    }
}
