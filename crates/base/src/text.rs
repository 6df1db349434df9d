//! Text for people: text from outside made safe for a terminal, and moments as they are read.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use jiff::{Timestamp, tz::TimeZone};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

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
    Cow::Owned(text.chars().map(visible).collect())
}

/// A character as a terminal may have it.
fn visible(c: char) -> char {
    match c {
        '\n' => '␊',
        '\r' => '␍',
        '\t' => '␉',
        '\u{1b}' => '␛',
        '\0' => '␀',
        c if is_unsafe(c) => '\u{fffd}',
        c => c,
    }
}

/// Columns a text takes on a terminal, measured as [`for_terminal`] shows it.
#[must_use]
pub fn columns(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    for_terminal(text)
        .graphemes(true)
        .map(UnicodeWidthStr::width)
        .sum()
}

/// A text from outside as a cell of aligned text: made safe, cut to `most` columns, filled up to `width`.
#[must_use]
pub fn cell(text: &str, width: usize, most: usize) -> String {
    let safe = for_terminal(text);
    let (mut shown, mut used) = (String::new(), 0);
    for cluster in safe.graphemes(true) {
        let wide = cluster.width();
        if used + wide > most {
            break;
        }
        shown.push_str(cluster);
        used += wide;
    }
    shown.extend(std::iter::repeat_n(' ', width.saturating_sub(used)));
    shown
}

/// What a [`ForTerminal`] writes in place of a character that steers a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// A visible symbol; ends of lines are ours and stay.
    Symbol,
    /// A visible symbol, ends of lines and tabs as they are: data that are shown on a terminal.
    SymbolInData,
    /// JSON's own escape.
    JsonEscape,
}

/// The way of everything to a terminal that is no screen: no byte that could steer it gets through, whoever
/// forgot to look at a name that came from outside.
#[derive(Debug)]
pub struct ForTerminal<W: Write> {
    inner: W,
    instead: Instead,
    begun: Vec<u8>,
}

impl<W: Write> ForTerminal<W> {
    /// A writer before `inner`.
    pub fn new(inner: W, instead: Instead) -> Self {
        Self {
            inner,
            instead,
            begun: Vec::new(),
        }
    }

    fn pass(&mut self, text: &str) -> io::Result<()> {
        let steers = |c: char| match self.instead {
            Instead::Symbol | Instead::JsonEscape => c != '\n' && is_unsafe(c),
            Instead::SymbolInData => !matches!(c, '\n' | '\r' | '\t') && is_unsafe(c),
        };
        if !text.chars().any(steers) {
            return self.inner.write_all(text.as_bytes());
        }
        let mut safe = String::with_capacity(text.len());
        for c in text.chars() {
            match self.instead {
                _ if !steers(c) => safe.push(c),
                Instead::Symbol | Instead::SymbolInData => safe.push(visible(c)),
                Instead::JsonEscape => safe.push_str(&format!("\\u{:04x}", u32::from(c))),
            }
        }
        self.inner.write_all(safe.as_bytes())
    }
}

impl<W: Write> Write for ForTerminal<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let held = std::mem::take(&mut self.begun);
        let joined = [held.as_slice(), bytes].concat();
        let mut rest = joined.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.pass(text)?;
                    return Ok(bytes.len());
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    self.pass(&String::from_utf8_lossy(good))?;
                    let Some(length) = error.error_len() else {
                        // The rest of this character comes with the next bytes.
                        self.begun = bad.to_vec();
                        return Ok(bytes.len());
                    };
                    self.inner.write_all("\u{fffd}".as_bytes())?;
                    rest = &bad[length..];
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A moment near now: `09:00` today, `01-31 09:00` this year, `2025-12-31 09:00` before.
#[must_use]
pub fn moment(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    if at.date() == now.date() {
        at.strftime("%H:%M").to_string()
    } else if at.year() == now.year() {
        at.strftime("%m-%d %H:%M").to_string()
    } else {
        at.strftime("%Y-%m-%d %H:%M").to_string()
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

    #[test]
    fn cells_align_by_what_a_terminal_shows() {
        assert_eq!(cell("日本", 6, 40), "日本  ");
        assert_eq!(cell("e\u{301}", 3, 40), "e\u{301}  ");
        assert_eq!(cell("日本語", 4, 5), "日本");
        assert_eq!(cell("\u{1b}[0m", 6, 40), "␛[0m  ");
        assert_eq!(columns("日本x"), 5);
    }

    fn written(instead: Instead, pieces: &[&[u8]]) -> String {
        let mut writer = ForTerminal::new(Vec::new(), instead);
        for piece in pieces {
            writer.write_all(piece).unwrap();
        }
        String::from_utf8(writer.inner).unwrap()
    }

    #[test]
    fn a_writer_lets_nothing_through_even_in_pieces() {
        assert_eq!(
            written(
                Instead::Symbol,
                &[b"a\x1b[2J\n\r", b"\xc2", b"\x9b1m", b"\xff."]
            ),
            "a␛[2J\n␍\u{fffd}1m\u{fffd}."
        );
        assert_eq!(
            written(Instead::SymbolInData, &[b"a\tb\r\n\x1b]52;c;eA==\x07"]),
            "a\tb\r\n␛]52;c;eA==\u{fffd}"
        );
        let json = written(Instead::JsonEscape, &["\"\u{9b}\u{202e}日\"".as_bytes()]);
        assert_eq!(json, "\"\\u009b\\u202e日\"");
        assert_eq!(
            serde_json::from_str::<String>(&json).unwrap(),
            "\u{9b}\u{202e}日"
        );
    }
}
