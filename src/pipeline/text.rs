//! Text from outside, made safe for a terminal.

use std::borrow::Cow;

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
}
