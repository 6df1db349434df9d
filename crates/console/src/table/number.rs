//! Numbers of any size and precision in cells, compared exactly: plain, with an exponent, in percent.

use std::cmp::Ordering;

/// Longest text that is read as a number.
const LONGEST: usize = 400;

/// A number as its cell has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    negative: bool,
    /// The value is 0.DIGITS times ten to this; 0 for zero.
    exponent: i32,
    /// Without zeros at either end; empty for zero.
    digits: Box<[u8]>,
    percent: bool,
}

impl Number {
    /// Reads `12`, `-0.5`, `1.5E-7`, `12.5%`; `None` for anything else, also for numbers in other spellings
    /// (`1,000`, `NaN`), whose value would be a guess.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (text, percent) = match text.strip_suffix(b"%") {
            Some(rest) => (rest.strip_suffix(b" ").unwrap_or(rest), true),
            None => (text, false),
        };
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let (mantissa, power) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (&text[..at], power(&text[at + 1..])?),
            None => (text, 0),
        };
        let point = mantissa.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = match point {
            Some(point) => (&mantissa[..point], &mantissa[point + 1..]),
            None => (mantissa, &b""[..]),
        };
        let digits: Vec<u8> = whole.iter().chain(fraction).copied().collect();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        let end = digits.iter().rposition(|digit| *digit != b'0');
        let digits = end.map_or(&[][..], |end| &digits[zeros..=end]);
        let first = i32::try_from(whole.len()).ok()? - i32::try_from(zeros).ok()?;
        Some(Self {
            negative: negative && !digits.is_empty(),
            exponent: if digits.is_empty() { 0 } else { first + power },
            digits: digits.into(),
            percent,
        })
    }

    /// Whether it is in percent.
    pub(crate) fn is_percent(&self) -> bool {
        self.percent
    }

    /// Order by value; the sign of percent is not looked at.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let class = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = || (self.exponent, &self.digits).cmp(&(other.exponent, &other.digits));
        match (class(self).cmp(&class(other)), self.negative) {
            (Ordering::Equal, true) => size().reverse(),
            (Ordering::Equal, false) => size(),
            (order, _) => order,
        }
    }
}

/// The number after an `e`.
fn power(text: &[u8]) -> Option<i32> {
    let text = std::str::from_utf8(text).ok()?;
    let power: i32 = text.parse().ok()?;
    (power.abs() <= 1_000_000).then_some(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value_however_they_are_written() {
        let ascending = [
            "-1e300",
            "-12.5",
            "-1.5E-7",
            "0",
            "1e-400",
            "0.1",
            "9",
            "1e1",
            "10.000000000000000001",
            "9007199254740992",
            "9007199254740993",
            "1.7976931348623157E308",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                let (one, other) = (Number::parse(a.as_bytes()), Number::parse(b.as_bytes()));
                let order = one.unwrap().compare(&other.unwrap());
                assert_eq!(order, i.cmp(&j), "{a} and {b}");
            }
        }
        for (a, b) in [
            ("1.50", "15e-1"),
            ("-0", "0.00"),
            ("+7", "007"),
            ("12.5%", "12.5 %"),
        ] {
            let (one, other) = (Number::parse(a.as_bytes()), Number::parse(b.as_bytes()));
            assert_eq!(one.unwrap().compare(&other.unwrap()), Ordering::Equal);
        }
    }

    #[test]
    fn what_is_no_number() {
        for text in [
            "", "-", ".", "%", "e5", "1e", "1e5.5", "1,000", "0x1", "NaN", "inf", "1 2", "5%%",
            "--1",
        ] {
            assert_eq!(Number::parse(text.as_bytes()), None, "{text}");
        }
    }
}
