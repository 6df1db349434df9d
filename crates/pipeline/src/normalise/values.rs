//! Text of a wire value to the typed value of a column: whole numbers, money, flags, instants.
//!
//! Nothing goes through floating point: money is read digit by digit, whether it came as a number or
//! as a string.

use super::contract::MONEY_SCALE;

/// Why a value has no place in its column.
pub(super) type Refusal = &'static str;

/// A decimal read digit by digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount {
    /// Value times ten to the power of [`MONEY_SCALE`].
    pub scaled: i128,
    /// Digits beyond the scale were rounded away.
    pub rounded: bool,
}

const SCALE: i64 = MONEY_SCALE as i64;
/// The largest magnitude of 38 digits.
const MAX_SCALED: i128 = 10i128.pow(38) - 1;

/// Reads JSON number text, also from inside a string: `9.5`, `-0.01`, `1e2`.
pub(super) fn amount(text: &[u8]) -> Result<Amount, Refusal> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mantissa_end = unsigned
        .iter()
        .position(|byte| matches!(byte, b'e' | b'E'))
        .unwrap_or(unsigned.len());
    let exponent = if mantissa_end < unsigned.len() {
        exponent(&unsigned[mantissa_end + 1..])?
    } else {
        0
    };
    let mantissa = &unsigned[..mantissa_end];
    let point = mantissa
        .iter()
        .position(|&byte| byte == b'.')
        .unwrap_or(mantissa.len());
    let fraction_digits = mantissa.len().saturating_sub(point + 1) as i64;
    if point == 0 || (point < mantissa.len() && fraction_digits == 0) {
        return Err("not a number");
    }
    // How many of the digits, counted from the left, stand at or above the last kept place.
    let kept = point as i64 + exponent + SCALE;
    let mut scaled: i128 = 0;
    let mut rounded = false;
    let mut index = 0i64;
    for &byte in mantissa.iter().filter(|&&byte| byte != b'.') {
        if !byte.is_ascii_digit() {
            return Err("not a number");
        }
        let digit = i128::from(byte - b'0');
        if index < kept {
            scaled = scaled
                .checked_mul(10)
                .and_then(|value| value.checked_add(digit))
                .ok_or("beyond 38 digits")?;
        } else {
            rounded |= digit != 0;
            scaled += i128::from(index == kept && digit >= 5);
        }
        index += 1;
    }
    if scaled != 0 {
        for _ in index..kept {
            scaled = scaled.checked_mul(10).ok_or("beyond 38 digits")?;
        }
    }
    if scaled > MAX_SCALED {
        return Err("beyond 38 digits");
    }
    Ok(Amount {
        scaled: if negative { -scaled } else { scaled },
        rounded,
    })
}

fn exponent(text: &[u8]) -> Result<i64, Refusal> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err("not a number");
    }
    let size = digits.iter().fold(0i64, |value, digit| {
        (value * 10 + i64::from(digit - b'0')).min(1_000_000)
    });
    Ok(if negative { -size } else { size })
}

/// Plain digits with a sign, exactly; `None` when it is anything else or does not fit.
#[inline]
pub(super) fn plain_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for &byte in digits {
        let digit = i64::from(byte.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        // Built downwards, because the smallest integer has no positive twin.
        value = value.checked_mul(10)?.checked_sub(digit)?;
    }
    if negative {
        Some(value)
    } else {
        value.checked_neg()
    }
}

/// A whole number written as anything but plain digits: `12.0`, `1e2`.
pub(super) fn whole_number(text: &[u8]) -> Result<i64, Refusal> {
    if let Some(value) = plain_integer(text) {
        return Ok(value);
    }
    if text
        .iter()
        .all(|byte| byte.is_ascii_digit() || *byte == b'-')
        && !text.is_empty()
        && text != b"-"
    {
        return Err("beyond 64 bits");
    }
    let amount = amount(text).map_err(|why| {
        if why == "not a number" {
            "not a whole number"
        } else {
            "beyond 64 bits"
        }
    })?;
    let one = 10i128.pow(MONEY_SCALE as u32);
    if amount.rounded || amount.scaled % one != 0 {
        return Err("not a whole number");
    }
    i64::try_from(amount.scaled / one).map_err(|_| "beyond 64 bits")
}

/// Days from 1970-01-01 of a proleptic Gregorian date; `None` when there is no such day.
fn epoch_day(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if year < 1 || day < 1 || day > length {
        return None;
    }
    // Years that begin in March put the leap day last (Howard Hinnant's days_from_civil).
    let shifted = if month > 2 { year } else { year - 1 };
    let era_year = shifted % 400;
    let year_day = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(
        shifted / 400 * 146_097 + era_year * 365 + era_year / 4 - era_year / 100 + year_day
            - 719_468,
    )
}

fn two(text: &[u8], at: usize) -> Option<i64> {
    let (tens, ones) = (
        text.get(at)?.wrapping_sub(b'0'),
        text.get(at + 1)?.wrapping_sub(b'0'),
    );
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// What a time stamp's text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Microseconds since 1970-01-01 00:00:00 UTC.
    At(i64),
    /// `""` or the zero date: never set.
    Unset,
}

/// Reads `YYYY-MM-DD`, with ` HH:MM:SS` or `THH:MM:SS`, a fraction, and `Z` or `+HH:MM`; UTC without one.
#[inline]
pub(super) fn instant(text: &[u8]) -> Result<Moment, Refusal> {
    const WHAT: Refusal = "not a time stamp";
    if text.is_empty() || text.starts_with(b"0000-00-00") {
        return Ok(Moment::Unset);
    }
    let field = |at| two(text, at).ok_or(WHAT);
    let year = field(0)? * 100 + field(2)?;
    if text.get(4) != Some(&b'-') || text.get(7) != Some(&b'-') {
        return Err(WHAT);
    }
    let day = epoch_day(year, field(5)?, field(8)?).ok_or(WHAT)?;
    let midnight = day * 86_400_000_000;
    if text.len() == 10 {
        return Ok(Moment::At(midnight));
    }
    let shaped = matches!(text[10], b' ' | b'T')
        && text.get(13) == Some(&b':')
        && text.get(16) == Some(&b':');
    let (hour, minute, second) = (field(11)?, field(14)?, field(17)?);
    if !shaped || hour > 23 || minute > 59 || second > 59 {
        return Err(WHAT);
    }
    let whole = midnight + ((hour * 60 + minute) * 60 + second) * 1_000_000;
    if text.len() == 19 {
        Ok(Moment::At(whole))
    } else {
        with_fraction_and_offset(whole, &text[19..])
            .ok_or(WHAT)
            .map(Moment::At)
    }
}

fn with_fraction_and_offset(whole: i64, mut rest: &[u8]) -> Option<i64> {
    let mut micros = 0i64;
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits == 0 {
            return None;
        }
        let place = |at: usize| {
            fraction
                .get(at)
                .filter(|_| at < digits)
                .map_or(0, |byte| i64::from(byte - b'0'))
        };
        micros = (0..6).fold(0, |value, at| value * 10 + place(at));
        rest = &fraction[digits..];
    }
    let offset_minutes = match rest {
        [] | [b'Z'] => 0,
        [sign @ (b'+' | b'-'), _, _, tail @ ..] => {
            let minutes_at = if tail.first() == Some(&b':') { 4 } else { 3 };
            let minutes = if tail.is_empty() {
                0
            } else {
                two(rest, minutes_at)?
            };
            let end = if tail.is_empty() { 3 } else { minutes_at + 2 };
            if rest.len() != end {
                return None;
            }
            let size = two(rest, 1)? * 60 + minutes;
            if *sign == b'-' { -size } else { size }
        }
        _ => return None,
    };
    Some(whole + micros - offset_minutes * 60_000_000)
}

/// A flag's text: `0`, `1`, `true`, `false`; `None` when it is something else.
pub(super) fn flag(text: &[u8]) -> Option<bool> {
    match text {
        b"1" | b"true" => Some(true),
        b"0" | b"false" => Some(false),
        _ => None,
    }
}

/// Splits `Android 14` into name and version, where a source joins them with a blank. A version begins with
/// a digit; a word stays with the name, since clicks name such a system `Windows XP` and give no version.
/// Only `Unknown Unknown` is two times the word for "not recognised".
pub(super) fn split_os(joined: &str) -> (&str, Option<&str>) {
    match joined.rsplit_once(' ') {
        Some((name, version))
            if !name.is_empty()
                && (version.starts_with(|first: char| first.is_ascii_digit())
                    || version == "Unknown") =>
        {
            (name, Some(version))
        }
        _ => (joined, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: i128 = 1_000_000_000_000_000_000;

    #[test]
    fn money_is_exact() {
        let exact = |text: &str, scaled: i128| {
            assert_eq!(
                amount(text.as_bytes()),
                Ok(Amount {
                    scaled,
                    rounded: false
                }),
                "{text}"
            )
        };
        exact("12.4300000001", 12_430_000_000_100_000_000);
        exact("9.5", 9_500_000_000_000_000_000);
        exact("-0.01", -ONE / 100);
        exact("1e2", 100 * ONE);
        exact("1.5E-3", 1_500_000_000_000_000);
        exact("0.30000000000000004", 300_000_000_000_000_040);
        exact("0e999999999", 0);
        exact("99999999999999999999", 99_999_999_999_999_999_999 * ONE);
        assert_eq!(
            amount(b"5.551115123125783e-17"),
            Ok(Amount {
                scaled: 56,
                rounded: true
            })
        );
        assert_eq!(
            amount(b"1e-18"),
            Ok(Amount {
                scaled: 1,
                rounded: false
            })
        );
        assert_eq!(
            amount(b"5e-19"),
            Ok(Amount {
                scaled: 1,
                rounded: true
            })
        );
        assert_eq!(
            amount(b"1e-40"),
            Ok(Amount {
                scaled: 0,
                rounded: true
            })
        );
        for bad in ["", "-", ".", "1.", ".5", "abc", "1,5", "1e", "0x1", "1 "] {
            assert_eq!(amount(bad.as_bytes()), Err("not a number"), "{bad}");
        }
        assert_eq!(amount(b"100000000000000000000"), Err("beyond 38 digits"));
        assert_eq!(amount(b"1e30"), Err("beyond 38 digits"));
    }

    #[test]
    fn whole_numbers_stay_whole() {
        assert_eq!(
            plain_integer(b"9007199254740993"),
            Some(9_007_199_254_740_993)
        );
        assert_eq!(plain_integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(plain_integer(b"9223372036854775808"), None);
        assert_eq!(whole_number(b"12.0"), Ok(12));
        assert_eq!(whole_number(b"1e2"), Ok(100));
        assert_eq!(whole_number(b"12.5"), Err("not a whole number"));
        assert_eq!(whole_number(b"9223372036854775808"), Err("beyond 64 bits"));
        assert_eq!(whole_number(b"abc"), Err("not a whole number"));
        assert_eq!(whole_number(b""), Err("not a whole number"));
    }

    #[test]
    fn odd_instants() {
        assert_eq!(instant(b""), Ok(Moment::Unset));
        assert_eq!(instant(b"0000-00-00 00:00:00"), Ok(Moment::Unset));
        assert_eq!(instant(b"1970-01-02"), Ok(Moment::At(86_400_000_000)));
        assert_eq!(
            instant(b"1970-01-01T02:00:00.25+02:00"),
            Ok(Moment::At(250_000))
        );
        assert_eq!(
            instant(b"1970-01-01 00:00:00-0130"),
            Ok(Moment::At(5_400_000_000))
        );
        assert_eq!(instant(b"1970-01-01 00:00:01Z"), Ok(Moment::At(1_000_000)));
        for bad in [
            "2024-02-30 00:00:00",
            "2024-1-1",
            "2024-01-01 24:00:00",
            "2024-01-01 00:00",
            "today",
            "2024-01-01 00:00:00+",
            "2024-01-01 00:00:00.",
        ] {
            assert_eq!(instant(bad.as_bytes()), Err("not a time stamp"), "{bad}");
        }
    }

    #[test]
    fn joined_systems_are_split() {
        assert_eq!(split_os("Android 14"), ("Android", Some("14")));
        assert_eq!(split_os("OS X 10.15"), ("OS X", Some("10.15")));
        assert_eq!(split_os("Windows XP"), ("Windows XP", None));
        assert_eq!(split_os("Unknown Unknown"), ("Unknown", Some("Unknown")));
        assert_eq!(split_os("Android"), ("Android", None));
        assert_eq!(split_os("Mac OS X"), ("Mac OS X", None));
        assert_eq!(split_os(""), ("", None));
    }

    proptest! {
        #[test]
        fn instants_agree_with_the_calendar_crate(second in -62_000_000_000i64..250_000_000_000) {
            let stamp = jiff::Timestamp::from_second(second).unwrap();
            let text = stamp.strftime("%Y-%m-%d %H:%M:%S").to_string();
            prop_assert_eq!(instant(text.as_bytes()), Ok(Moment::At(second * 1_000_000)));
        }

        #[test]
        fn amounts_print_back(units in -10i128.pow(37)..10i128.pow(37)) {
            let text = format!("{}{}.{:018}", if units < 0 { "-" } else { "" }, units.abs() / ONE, units.abs() % ONE);
            prop_assert_eq!(amount(text.as_bytes()), Ok(Amount { scaled: units, rounded: false }));
        }
    }
}
