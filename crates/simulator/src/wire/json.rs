//! Writes JSON the way the API's programs do: some rows as most encoders would, some as PHP does,
//! with every slash and every character outside ASCII escaped.
//!
//! Written straight into the answer's buffer, because numbers keep spellings (`12.4300000001`,
//! `"9.5"`, `2.930`) that a tree of values would not.

use std::fmt::Write as _;

use super::super::truth::Money;

/// How texts are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// Only what JSON demands.
    Plain,
    /// As PHP's `json_encode` does by default.
    Php,
}

/// How an amount is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MoneyStyle {
    /// `12` where there are no cents, else `12.43`.
    Shortest,
    /// `12.43`, `12.00`.
    TwoDecimals,
    /// `"12.43"`, a string.
    Quoted,
    /// A float that lies a hair above: `12.4300000001`.
    AboveByAHair,
    /// A float that lies a hair below: `12.4299999999`.
    BelowByAHair,
}

/// A JSON object being written.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    out: &'a mut String,
    escapes: Escapes,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Writes one object; `fill` writes its fields.
    pub(crate) fn write(out: &'a mut String, escapes: Escapes, fill: impl FnOnce(&mut Object<'_>)) {
        out.push('{');
        let mut object = Object {
            out,
            escapes,
            empty: true,
        };
        fill(&mut object);
        object.out.push('}');
    }

    fn key(&mut self, key: &str) {
        if !self.empty {
            self.out.push(',');
        }
        self.empty = false;
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
    }

    /// A text.
    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        push_text(self.out, value, self.escapes);
    }

    /// A text or null.
    pub(crate) fn text_or_null(&mut self, key: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(key, value),
            None => self.raw(key, "null"),
        }
    }

    /// JSON that is already written.
    pub(crate) fn raw(&mut self, key: &str, json: impl AsRef<str>) {
        self.key(key);
        self.out.push_str(json.as_ref());
    }

    /// An integer.
    pub(crate) fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        // Writing to a String cannot fail.
        let _ = write!(self.out, "{value}");
    }

    /// An integer, or the same as a string.
    pub(crate) fn number_or_text(&mut self, key: &str, value: u64, quoted: bool) {
        self.key(key);
        let _ = if quoted {
            write!(self.out, "\"{value}\"")
        } else {
            write!(self.out, "{value}")
        };
    }

    /// A text that needs no escapes, as it prints.
    pub(crate) fn shown(&mut self, key: &str, value: impl std::fmt::Display) {
        self.key(key);
        let _ = write!(self.out, "\"{value}\"");
    }

    /// true and false, or 1 and 0.
    pub(crate) fn flag(&mut self, key: &str, value: bool, as_number: bool) {
        let json = match (value, as_number) {
            (true, true) => "1",
            (false, true) => "0",
            (true, false) => "true",
            (false, false) => "false",
        };
        self.raw(key, json);
    }

    /// An amount.
    pub(crate) fn money(&mut self, key: &str, value: Money, style: MoneyStyle) {
        self.key(key);
        push_money(self.out, value, style);
    }

    /// An object.
    pub(crate) fn object(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        Object::write(self.out, self.escapes, fill);
    }

    /// A list of objects.
    pub(crate) fn objects<T>(
        &mut self,
        key: &str,
        items: &[T],
        mut fill: impl FnMut(&mut Object<'_>, &T),
    ) {
        self.list(key, items, |out, escapes, item| {
            Object::write(out, escapes, |object| fill(object, item));
        });
    }

    /// A list of texts.
    pub(crate) fn texts<T: AsRef<str>>(&mut self, key: &str, items: &[T]) {
        self.list(key, items, |out, escapes, item| {
            push_text(out, item.as_ref(), escapes)
        });
    }

    /// A list of integers.
    pub(crate) fn numbers(&mut self, key: &str, items: &[u32]) {
        self.list(key, items, |out, _, item| {
            let _ = write!(out, "{item}");
        });
    }

    fn list<T>(&mut self, key: &str, items: &[T], mut push: impl FnMut(&mut String, Escapes, &T)) {
        self.key(key);
        self.out.push('[');
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                self.out.push(',');
            }
            push(self.out, self.escapes, item);
        }
        self.out.push(']');
    }

    /// A value that `push` writes.
    pub(crate) fn with(&mut self, key: &str, push: impl FnOnce(&mut String)) {
        self.key(key);
        push(self.out);
    }
}

/// Appends a quoted text.
pub(crate) fn push_text(out: &mut String, text: &str, escapes: Escapes) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '/' if escapes == Escapes::Php => out.push_str("\\/"),
            low if low < ' ' => push_unit(out, low as u16),
            high if !high.is_ascii() && escapes == Escapes::Php => {
                for unit in high.encode_utf16(&mut [0; 2]) {
                    push_unit(out, *unit);
                }
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

fn push_unit(out: &mut String, unit: u16) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\u{unit:04x}");
}

fn push_money(out: &mut String, value: Money, style: MoneyStyle) {
    let cents = value.cents();
    let sign = if cents < 0 { "-" } else { "" };
    let (whole, rest) = (cents.unsigned_abs() / 100, cents.unsigned_abs() % 100);
    // Writing to a String cannot fail.
    let _ = match style {
        MoneyStyle::Shortest if rest == 0 => write!(out, "{sign}{whole}"),
        MoneyStyle::Shortest if rest.is_multiple_of(10) => {
            write!(out, "{sign}{whole}.{}", rest / 10)
        }
        MoneyStyle::Shortest | MoneyStyle::TwoDecimals => write!(out, "{sign}{whole}.{rest:02}"),
        MoneyStyle::Quoted => write!(out, "\"{sign}{whole}.{rest:02}\""),
        MoneyStyle::AboveByAHair => write!(out, "{sign}{whole}.{rest:02}00000001"),
        MoneyStyle::BelowByAHair if cents == 0 => write!(out, "0.0"),
        MoneyStyle::BelowByAHair => {
            let below = cents.unsigned_abs() - 1;
            write!(out, "{sign}{}.{:02}99999999", below / 100, below % 100)
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str, escapes: Escapes) -> String {
        let mut out = String::new();
        push_text(&mut out, value, escapes);
        out
    }

    fn money(cents: i64, style: MoneyStyle) -> String {
        let mut out = String::new();
        push_money(&mut out, Money(cents), style);
        out
    }

    #[test]
    fn php_escapes_slashes_and_all_but_ascii() {
        assert_eq!(
            text("a/Ł😀\u{1b}\n", Escapes::Php),
            r#""a\/\u0141\ud83d\ude00\u001b\n""#
        );
        assert_eq!(
            text("a/Ł😀\u{1b}\n\"\\", Escapes::Plain),
            r#""a/Ł😀\u001b\n\"\\""#
        );
    }

    #[test]
    fn every_text_is_read_back_by_another_parser() {
        let awkward = &super::super::super::text::texts().awkward;
        for value in awkward
            .sub5
            .iter()
            .chain(&awkward.odd)
            .chain(&awkward.names)
        {
            for escapes in [Escapes::Plain, Escapes::Php] {
                let read: String = serde_json::from_str(&text(value, escapes)).unwrap();
                assert_eq!(&read, value);
            }
        }
    }

    #[test]
    fn amounts_keep_their_cents_in_every_spelling() {
        assert_eq!(money(1_243, MoneyStyle::AboveByAHair), "12.4300000001");
        assert_eq!(money(1_200, MoneyStyle::Shortest), "12");
        assert_eq!(money(950, MoneyStyle::Shortest), "9.5");
        assert_eq!(money(950, MoneyStyle::Quoted), "\"9.50\"");
        assert_eq!(money(-1, MoneyStyle::TwoDecimals), "-0.01");
        let styles = [
            MoneyStyle::Shortest,
            MoneyStyle::TwoDecimals,
            MoneyStyle::Quoted,
            MoneyStyle::AboveByAHair,
            MoneyStyle::BelowByAHair,
        ];
        for cents in [-2_345, -100, -1, 0, 1, 10, 99, 100, 101, 1_243, 400_000] {
            for style in styles {
                let written = money(cents, style);
                let number: f64 = written.trim_matches('"').parse().unwrap();
                assert_eq!((number * 100.0).round() as i64, cents, "{written}");
            }
        }
    }
}
