//! A strict, single-pass walk over one line of JSON, without building anything.
//!
//! The decoder needs what general parsers hide: the text of a number, whether a key came twice, a lone
//! surrogate, the extent of a value it does not know. It also needs to be the fastest part of the
//! program, so a string is scanned eight bytes at a time and nothing is allocated.
//! The grammar is RFC 8259's: what `serde_json` refuses is refused here.

use crate::secrets::names_a_secret;

/// How deep arrays and objects may be nested; as in `serde_json`.
const MAX_DEPTH: usize = 128;

/// Where a line stops being JSON, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SyntaxFault {
    /// What was wrong.
    pub what: &'static str,
    /// Byte of the line, from 0.
    pub at: usize,
}

/// A string between its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawString<'a> {
    /// The bytes between the quotes, escapes untouched.
    pub raw: &'a [u8],
    /// Whether there is an escape in it.
    pub escaped: bool,
}

/// A place in a line. The line is valid UTF-8, which the caller has checked.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    /// The whole line.
    pub line: &'a [u8],
    /// The next byte to read.
    pub at: usize,
}

/// What a skipped value contained that its owner must know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// A key that holds a secret.
    pub secret: bool,
}

impl<'a> Cursor<'a> {
    /// Before the first byte of `line`.
    pub fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0 }
    }

    /// The next byte, without moving; 0 at the end, which is no byte of JSON.
    #[inline]
    pub fn peek(&self) -> u8 {
        self.line.get(self.at).copied().unwrap_or(0)
    }

    /// A fault at the next byte.
    #[cold]
    pub fn fault(&self, what: &'static str) -> SyntaxFault {
        let what = if self.at >= self.line.len() {
            "the line ends in the middle of a value"
        } else {
            what
        };
        SyntaxFault { what, at: self.at }
    }

    /// Skips white space.
    #[inline]
    pub fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
    }

    /// Skips one expected byte.
    #[inline]
    pub fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), SyntaxFault> {
        if self.peek() == byte {
            self.at += 1;
            Ok(())
        } else {
            Err(self.fault(what))
        }
    }

    /// Skips `pattern` if it comes next: [`Cursor::take`] for the patterns of keys, by words.
    #[inline]
    pub fn take_pattern(&mut self, pattern: &Pattern) -> bool {
        let found = pattern.begins(&self.line[self.at.min(self.line.len())..]);
        if found {
            self.at += pattern.text.len();
        }
        found
    }

    /// Skips `text` if it comes next.
    #[inline]
    pub fn take(&mut self, text: &[u8]) -> bool {
        let found = self.line.get(self.at..self.at + text.len()) == Some(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// A string; the cursor stands on its opening quote.
    #[inline]
    pub fn string(&mut self) -> Result<RawString<'a>, SyntaxFault> {
        self.expect(b'"', "expected a string")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at = next_special(self.line, self.at);
            match self.peek() {
                b'"' => {
                    let raw = &self.line[start..self.at];
                    self.at += 1;
                    return Ok(RawString { raw, escaped });
                }
                b'\\' => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                _ => return Err(self.fault("a control character inside a string")),
            }
        }
    }

    /// Checks the part of an escape after its backslash.
    fn escape(&mut self) -> Result<(), SyntaxFault> {
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                let digits = self.line.get(self.at + 1..self.at + 5);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.fault("a \\u escape without four hexadecimal digits"));
                }
                self.at += 5;
            }
            _ => return Err(self.fault("an escape that JSON does not have")),
        }
        Ok(())
    }

    /// A number's text; the cursor stands on its first byte.
    #[inline]
    pub fn number(&mut self) -> Result<&'a [u8], SyntaxFault> {
        let start = self.at;
        if self.peek() == b'-' {
            self.at += 1;
        }
        match self.peek() {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            _ => return Err(self.fault("expected a value")),
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok(&self.line[start..self.at])
    }

    #[inline]
    fn digits(&mut self) {
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), SyntaxFault> {
        if !self.peek().is_ascii_digit() {
            return Err(self.fault("a number without digits after its point or exponent"));
        }
        self.digits();
        Ok(())
    }

    /// `true`, `false` or `null`.
    #[inline]
    pub fn literal(&mut self, text: &'static [u8]) -> Result<(), SyntaxFault> {
        if self.take(text) {
            Ok(())
        } else {
            Err(self.fault("expected a value"))
        }
    }

    /// Any value, whole: its text as received. `seen` learns of secrets inside.
    pub fn value(&mut self, seen: &mut Seen) -> Result<&'a [u8], SyntaxFault> {
        let start = self.at;
        self.skip(seen, 0)?;
        Ok(&self.line[start..self.at])
    }

    fn skip(&mut self, seen: &mut Seen, depth: usize) -> Result<(), SyntaxFault> {
        if depth >= MAX_DEPTH {
            return Err(self.fault("nested deeper than 128 levels"));
        }
        match self.peek() {
            b'"' => self.string().map(|_| ()),
            b'{' => self.skip_object(seen, depth),
            b'[' => self.skip_array(seen, depth),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number().map(|_| ()),
        }
    }

    fn skip_array(&mut self, seen: &mut Seen, depth: usize) -> Result<(), SyntaxFault> {
        self.at += 1;
        self.space();
        if self.take(b"]") {
            return Ok(());
        }
        loop {
            self.space();
            self.skip(seen, depth + 1)?;
            self.space();
            if !self.take(b",") {
                return self.expect(b']', "expected , or ] in a list");
            }
        }
    }

    fn skip_object(&mut self, seen: &mut Seen, depth: usize) -> Result<(), SyntaxFault> {
        self.at += 1;
        self.space();
        if self.take(b"}") {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            seen.secret |= names_a_secret(key.raw, key.escaped);
            self.skip(seen, depth + 1)?;
            self.space();
            if !self.take(b",") {
                return self.expect(b'}', "expected , or } in an object");
            }
        }
    }

    /// A key and its colon; the cursor is left on the value.
    pub fn key(&mut self) -> Result<RawString<'a>, SyntaxFault> {
        self.space();
        let key = self.string()?;
        self.space();
        self.expect(b':', "expected : after a key")?;
        self.space();
        Ok(key)
    }

    /// Nothing but white space may follow.
    pub fn end(&mut self) -> Result<(), SyntaxFault> {
        self.space();
        if self.at == self.line.len() {
            Ok(())
        } else {
            Err(self.fault("more text after the object"))
        }
    }
}

/// A text that is looked for often: compared in one or two words when it is short.
#[derive(Debug)]
pub(super) struct Pattern {
    text: Box<[u8]>,
    first: u64,
    last: u64,
}

fn word(bytes: &[u8]) -> u64 {
    bytes
        .first_chunk()
        .map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

impl Pattern {
    /// The pattern of `text`.
    pub fn new(text: &[u8]) -> Self {
        let last = text.len().checked_sub(8).map_or(0, |at| word(&text[at..]));
        Self {
            text: text.into(),
            first: word(text),
            last,
        }
    }

    /// Whether `line` begins with the text.
    #[inline]
    fn begins(&self, line: &[u8]) -> bool {
        let length = self.text.len();
        match line.get(..length) {
            Some(start) if (8..=16).contains(&length) => {
                let last: Option<&[u8; 8]> = start.last_chunk();
                word(start) == self.first
                    && last.is_some_and(|last| u64::from_le_bytes(*last) == self.last)
            }
            Some(start) if length > 16 => word(start) == self.first && *start == *self.text,
            Some(start) => start.iter().eq(self.text.iter()),
            None => false,
        }
    }
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// The first quote, backslash or control character at or after `at`; the line's length if there is none.
#[inline]
fn next_special(line: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = line
        .get(at..at + 8)
        .and_then(|chunk| <[u8; 8]>::try_from(chunk).ok())
    {
        let word = u64::from_le_bytes(chunk);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        // The lowest set bit is exact; a borrow can only raise false ones above a true one.
        let hits = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let hits = hits & HIGHS;
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = line.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            return at;
        }
        at += 1;
    }
    at
}

/// Appends a string's text to `out`, escapes resolved. A surrogate without its partner becomes
/// U+FFFD; returns how many there were.
pub(super) fn unescape(raw: &[u8], out: &mut Vec<u8>) -> u32 {
    let mut lone = 0;
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let Some(&letter) = rest.get(at + 1) else {
            return lone;
        };
        rest = &rest[at + 2..];
        match letter {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let (decoded, used) = unicode(rest);
                lone += u32::from(decoded.is_none());
                let decoded = decoded.unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[used..];
            }
            other => out.push(other),
        }
    }
    out.extend_from_slice(rest);
    lone
}

/// The character of the hexadecimal digits after `\u`, with its low surrogate if it has one, and how
/// many bytes that took. `None` for a lone surrogate.
fn unicode(rest: &[u8]) -> (Option<char>, usize) {
    let first = hex4(rest);
    if !(0xd800..0xdc00).contains(&first) {
        return (char::from_u32(first), 4);
    }
    let second = if rest.get(4..6) == Some(b"\\u") {
        hex4(&rest[6..])
    } else {
        0
    };
    if (0xdc00..0xe000).contains(&second) {
        (
            char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)),
            10,
        )
    } else {
        (None, 4)
    }
}

fn hex4(digits: &[u8]) -> u32 {
    digits.iter().take(4).fold(0, |value, &digit| {
        value << 4 | (digit as char).to_digit(16).unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepts(text: &str) -> bool {
        let mut cursor = Cursor::new(text.as_bytes());
        cursor.space();
        cursor
            .value(&mut Seen::default())
            .and_then(|_| cursor.end())
            .is_ok()
    }

    #[test]
    fn accepts_and_refuses_what_serde_json_does() {
        let cases = "{} [] {\"a\":1} {\"a\":1,} [1,] [,] {\"a\" : [ 1 , -0.5e+3 ] } 01 1. .5 - -0 1e 1e5 tru true nulll \"\\x\" \"\\u12g4\" \
            \"\\ud800\" {a:1} {\"a\"1} [1 \"unclosed \"\\ {\"a\":{}}} 1 2";
        for case in cases.split(' ').chain([
            "",
            " ",
            "\"tab\there\"",
            "{\"a\" : \"x y\" , \"b\":[ ]}",
            "[1 2]",
            "\"\u{7f}é\"",
        ]) {
            // serde_json::Value cannot hold a lone surrogate; IgnoredAny only walks, as we do.
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(case).is_ok();
            assert_eq!(accepts(case), theirs, "{case:?}");
        }
    }

    #[test]
    fn secrets_are_seen_at_any_depth() {
        let mut seen = Seen::default();
        Cursor::new(br#"{"a":[{"api_key":1}]}"#)
            .value(&mut seen)
            .unwrap();
        assert!(seen.secret);
    }

    #[test]
    fn lone_surrogates_become_the_replacement_character() {
        let mut out = Vec::new();
        assert_eq!(unescape(br"a\ud83d\ude80\ud83d-\udc00\/\n", &mut out), 2);
        assert_eq!(String::from_utf8(out).unwrap(), "a🚀\u{fffd}-\u{fffd}/\n");
    }

    proptest! {
        #[test]
        fn strings_come_back(text in "\\PC{0,40}|[\"\\\\/\u{0}-\u{1f}é日]{0,20}") {
            let json = serde_json::to_string(&text).unwrap();
            let found = Cursor::new(json.as_bytes()).string().unwrap();
            let mut out = Vec::new();
            prop_assert_eq!(unescape(found.raw, &mut out), 0);
            prop_assert_eq!(out, text.as_bytes());
        }

        #[test]
        fn any_text_is_judged_as_serde_json_judges_it(text in "[\\[\\]{}\":,0-9eE.+\\-truefalsn\\\\u ]{0,12}") {
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(accepts(&text), theirs);
        }
    }
}
