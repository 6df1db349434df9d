//! `format` and its kin: numbers and sizes as people write them.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Decimal128Builder, StringBuilder},
    datatypes::{DataType, Float64Type},
};
use datafusion::{
    common::{Result, ScalarValue, plan_err},
    logical_expr::ScalarUDF,
};
use jiff::civil::DateTime;

use super::{Take, function, invalid, returns_text, time::micros_to_datetime};

const ANY: Take = Take::Any;
/// A format and up to eleven values.
const FORMAT: &[&[Take]] = &[
    &[ANY; 2], &[ANY; 3], &[ANY; 4], &[ANY; 5], &[ANY; 6], &[ANY; 7], &[ANY; 8], &[ANY; 9],
    &[ANY; 10], &[ANY; 11], &[ANY; 12],
];

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::{Double, Text};
    vec![
        function("format", FORMAT, returns_format, format),
        function("format_number", &[&[Double]], returns_text, |columns, _| {
            doubles(columns, number)
        }),
        function(
            "human_readable_seconds",
            &[&[Double]],
            returns_text,
            |columns, _| doubles(columns, seconds),
        ),
        function(
            "parse_data_size",
            &[&[Text]],
            |_, _| Ok(DataType::Decimal128(38, 0)),
            data_size,
        ),
    ]
}

fn returns_format(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match types.first() {
        Some(DataType::Utf8 | DataType::Utf8View | DataType::Null) => Ok(DataType::Utf8),
        other => plan_err!("cannot coerce {other:?} to a format text"),
    }
}

fn doubles(columns: &[ArrayRef], show: impl Fn(f64) -> String) -> Result<ArrayRef> {
    let mut out = StringBuilder::with_capacity(columns[0].len(), 0);
    for value in columns[0].as_primitive::<Float64Type>() {
        out.append_option(value.map(&show));
    }
    Ok(Arc::new(out.finish()))
}

/// `123K`, `1.23M`: three digits at most, unless it is negative, as Trino has it.
fn number(value: f64) -> String {
    let (mut rest, mut unit) = (value, 0);
    let units = ["", "K", "M", "B", "T", "Q"];
    while rest.abs() >= 1000.0 && unit + 1 < units.len() {
        rest /= 1000.0;
        unit += 1;
    }
    let digits = if rest < 10.0 {
        2
    } else if rest < 100.0 {
        1
    } else {
        0
    };
    let text = format!("{rest:.digits$}");
    let text = if digits > 0 {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{}", units[unit])
}

/// `1 day, 2 hours, 3 minutes, 4 seconds`.
fn seconds(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let mut rest = value.abs().round() as u64;
    let mut parts = Vec::new();
    for (size, name) in [
        (604_800, "week"),
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ] {
        let count = rest / size;
        rest %= size;
        if count > 0 || (size == 1 && parts.is_empty()) {
            parts.push(format!(
                "{count} {name}{}",
                if count == 1 { "" } else { "s" }
            ));
        }
    }
    format!("{sign}{}", parts.join(", "))
}

fn data_size(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out =
        Decimal128Builder::with_capacity(columns[0].len()).with_precision_and_scale(38, 0)?;
    for text in columns[0].as_string::<i32>() {
        out.append_option(text.map(bytes_of).transpose()?);
    }
    Ok(Arc::new(out.finish()))
}

fn bytes_of(text: &str) -> Result<i128> {
    let wrong = || invalid(format!("Invalid data size: '{text}'"));
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
    let (digits, unit) = text.split_at(end);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let Some(power) = units.iter().position(|known| *known == unit) else {
        return wrong();
    };
    let (Ok(whole), true) = (whole.parse::<i128>(), fraction.len() <= 15) else {
        return wrong();
    };
    let factor = 1_i128 << (10 * power);
    let part = match fraction {
        "" if digits.ends_with('.') => return wrong(),
        "" => Some(0),
        fraction => fraction
            .parse::<i128>()
            .ok()
            .and_then(|part| part.checked_mul(factor))
            .map(|part| part / 10_i128.pow(fraction.len() as u32)),
    };
    let size = part
        .and_then(|part| whole.checked_mul(factor)?.checked_add(part))
        .filter(|size| *size < 10_i128.pow(38));
    match size {
        Some(size) => Ok(size),
        None => datafusion::common::exec_err!(
            "NUMERIC_VALUE_OUT_OF_RANGE: Value out of range: '{text}'"
        ),
    }
}

fn format(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let formats = arrow::compute::cast(&columns[0], &DataType::Utf8)?;
    let values = &columns[1..];
    let mut row = 0;
    one_row(&formats, |text| {
        let cells = values
            .iter()
            .map(|column| ScalarValue::try_from_array(column, row))
            .collect::<Result<Vec<_>>>();
        row += 1;
        text.map(|text| formatted(text, &cells?)).transpose()
    })
}

fn one_row(
    formats: &ArrayRef,
    mut make: impl FnMut(Option<&str>) -> Result<Option<String>>,
) -> Result<ArrayRef> {
    let mut out = StringBuilder::with_capacity(formats.len(), 0);
    for text in formats.as_string::<i32>() {
        out.append_option(make(text)?);
    }
    Ok(Arc::new(out.finish()))
}

/// One `%` of Java's formatter.
#[derive(Debug, Default)]
struct Specifier {
    index: Option<usize>,
    flags: String,
    width: usize,
    precision: Option<usize>,
    conversion: char,
    /// The letter behind `%t`.
    part: char,
}

fn specifier(chars: &mut std::iter::Peekable<std::str::Chars>) -> Option<Specifier> {
    let mut found = Specifier::default();
    let digits = |chars: &mut std::iter::Peekable<std::str::Chars>| -> String {
        std::iter::from_fn(|| chars.next_if(char::is_ascii_digit)).collect()
    };
    // Leading zeros are flags; other digits are a width, or with a dollar the number of the value.
    let mut number = String::new();
    while let Some(c) = chars.next_if(|c| "-#+ 0,(".contains(*c)) {
        found.flags.push(c);
    }
    number.push_str(&digits(chars));
    if !number.is_empty() && chars.next_if_eq(&'$').is_some() {
        found.index = number.parse().ok();
        while let Some(c) = chars.next_if(|c| "-#+ 0,(".contains(*c)) {
            found.flags.push(c);
        }
        number = digits(chars);
    }
    found.width = number.parse().unwrap_or(0);
    if chars.next_if_eq(&'.').is_some() {
        found.precision = Some(digits(chars).parse().ok()?);
    }
    found.conversion = chars.next()?;
    if matches!(found.conversion, 't' | 'T') {
        found.part = chars.next()?;
    }
    Some(found)
}

fn formatted(text: &str, values: &[ScalarValue]) -> Result<String> {
    let mut out = String::new();
    let (mut chars, mut next) = (text.chars().peekable(), 0);
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let Some(found) = specifier(&mut chars) else {
            return invalid(format!("Invalid format string: {text}"));
        };
        match found.conversion {
            '%' => out.push_str(&filled("%".to_owned(), &found)),
            'n' => out.push('\n'),
            _ => {
                let index = found.index.map_or(next, |index| index.wrapping_sub(1));
                next += usize::from(found.index.is_none());
                let Some(value) = values.get(index) else {
                    return invalid(format!(
                        "Invalid format string: {text} (a value is missing)"
                    ));
                };
                let wrong = || {
                    invalid(format!(
                        "Invalid format string: {text} (%{} of {})",
                        found.conversion,
                        crate::names::type_name(&value.data_type())
                    ))
                };
                match shown(&found, value)? {
                    Some(shown) => out.push_str(&filled(shown, &found)),
                    None => return wrong(),
                }
            }
        }
    }
    Ok(out)
}

/// Blanks up to the width.
fn filled(text: String, found: &Specifier) -> String {
    let missing = " ".repeat(found.width.saturating_sub(text.chars().count()));
    if found.flags.contains('-') {
        text + &missing
    } else {
        missing + &text
    }
}

/// Nothing when the conversion does not fit the value.
fn shown(found: &Specifier, value: &ScalarValue) -> Result<Option<String>> {
    let upper = found.conversion.is_ascii_uppercase();
    let kind = found.conversion.to_ascii_lowercase();
    if value.is_null() {
        let text = if kind == 'b' { "false" } else { "null" };
        return Ok(Some(if upper {
            text.to_uppercase()
        } else {
            text.to_owned()
        }));
    }
    let text = match kind {
        's' => {
            let text = java_text(value)?;
            Some(
                found
                    .precision
                    .map_or_else(|| text.clone(), |most| text.chars().take(most).collect()),
            )
        }
        'b' => Some(match value {
            ScalarValue::Boolean(Some(value)) => value.to_string(),
            _ => "true".to_owned(),
        }),
        'd' => whole(value).map(|number| {
            signed(
                number < 0,
                grouped(&number.unsigned_abs().to_string(), found),
                found,
            )
        }),
        'x' | 'o' => whole(value).map(|number| {
            let bits = match value {
                ScalarValue::Int8(Some(n)) => u64::from(n.cast_unsigned()),
                ScalarValue::Int16(Some(n)) => u64::from(n.cast_unsigned()),
                ScalarValue::Int32(Some(n)) => u64::from(n.cast_unsigned()),
                _ => i64::try_from(number).unwrap_or(i64::MAX).cast_unsigned(),
            };
            let digits = if kind == 'x' {
                format!("{bits:x}")
            } else {
                format!("{bits:o}")
            };
            zeros(digits, found, 0)
        }),
        'f' | 'e' | 'g' => decimal(found, value, kind)?,
        'c' => match value {
            ScalarValue::Utf8(Some(text)) if text.chars().count() == 1 => Some(text.clone()),
            _ => whole(value)
                .and_then(|number| u32::try_from(number).ok())
                .and_then(char::from_u32)
                .map(String::from),
        },
        't' => instant(value)?.and_then(|at| date_part(found.part, at)),
        _ => None,
    };
    Ok(text.map(|text| if upper { text.to_uppercase() } else { text }))
}

fn whole(value: &ScalarValue) -> Option<i128> {
    match value {
        ScalarValue::Int8(Some(n)) => Some(i128::from(*n)),
        ScalarValue::Int16(Some(n)) => Some(i128::from(*n)),
        ScalarValue::Int32(Some(n)) => Some(i128::from(*n)),
        ScalarValue::Int64(Some(n)) => Some(i128::from(*n)),
        _ => None,
    }
}

fn grouped(digits: &str, found: &Specifier) -> String {
    if !found.flags.contains(',') {
        return digits.to_owned();
    }
    let (whole, fraction) = digits
        .split_once('.')
        .map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut out = String::new();
    for (place, c) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            out.push(',');
        }
        out.push(c);
    }
    fraction.map_or(out.clone(), |fraction| format!("{out}.{fraction}"))
}

fn zeros(digits: String, found: &Specifier, sign: usize) -> String {
    if !found.flags.contains('0') {
        return digits;
    }
    let missing = found.width.saturating_sub(digits.len() + sign);
    "0".repeat(missing) + &digits
}

fn signed(negative: bool, digits: String, found: &Specifier) -> String {
    let (before, behind) = match (
        negative,
        found.flags.contains('('),
        found.flags.contains('+'),
        found.flags.contains(' '),
    ) {
        (true, true, ..) => ("(", ")"),
        (true, false, ..) => ("-", ""),
        (false, _, true, _) => ("+", ""),
        (false, _, _, true) => (" ", ""),
        _ => ("", ""),
    };
    format!(
        "{before}{}{behind}",
        zeros(digits, found, before.len() + behind.len())
    )
}

fn decimal(found: &Specifier, value: &ScalarValue, kind: char) -> Result<Option<String>> {
    let digits = found.precision.unwrap_or(6);
    let number = match value {
        ScalarValue::Decimal128(Some(unscaled), _, scale) if kind == 'f' => {
            // Exactly, rounded half up.
            let scale = usize::from(scale.unsigned_abs());
            let (mut magnitude, negative) = (unscaled.unsigned_abs(), *unscaled < 0);
            let mut text = if digits < scale {
                let cut = 10_u128.pow((scale - digits) as u32);
                magnitude = magnitude / cut + u128::from(magnitude % cut * 2 >= cut);
                format!("{magnitude:0>width$}", width = digits + 1)
            } else {
                format!(
                    "{magnitude:0>width$}{}",
                    "0".repeat(digits - scale),
                    width = scale + 1
                )
            };
            if digits > 0 {
                text.insert(text.len() - digits, '.');
            }
            return Ok(Some(signed(negative, grouped(&text, found), found)));
        }
        ScalarValue::Float32(Some(value)) => f64::from(*value),
        ScalarValue::Float64(Some(value)) => *value,
        _ => return Ok(None),
    };
    if !number.is_finite() {
        let text = if number.is_nan() {
            "NaN"
        } else if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        return Ok(Some(text.to_owned()));
    }
    let magnitude = number.abs();
    let text = match kind {
        'f' => format!("{magnitude:.digits$}"),
        'e' => exponent(magnitude, digits),
        _ => {
            let digits = digits.max(1);
            if magnitude != 0.0
                && !(1e-4..10_f64.powi(i32::try_from(digits).unwrap_or(308))).contains(&magnitude)
            {
                exponent(magnitude, digits - 1)
            } else {
                let before = if magnitude == 0.0 {
                    0
                } else {
                    magnitude.log10().floor() as i64
                };
                let behind =
                    usize::try_from(i64::try_from(digits).unwrap_or(6) - 1 - before).unwrap_or(0);
                format!("{magnitude:.behind$}")
            }
        }
    };
    Ok(Some(signed(
        number.is_sign_negative(),
        grouped(&text, found),
        found,
    )))
}

/// `1.234560e+02`.
fn exponent(magnitude: f64, digits: usize) -> String {
    let text = format!("{magnitude:.digits$e}");
    match text.split_once('e') {
        Some((mantissa, power)) => {
            let (sign, power) = power
                .strip_prefix('-')
                .map_or(('+', power), |power| ('-', power));
            format!("{mantissa}e{sign}{power:0>2}")
        }
        None => text,
    }
}

/// `+05:45[Asia/Kathmandu]` of a timestamp that has a zone.
fn zone_text(value: &ScalarValue) -> Result<String> {
    let column = value.to_array_of_size(1)?;
    let (Some(zone), Some(name)) = (
        super::moments::zone(column.data_type())?,
        super::time::zone_of(column.data_type()),
    ) else {
        return Ok(String::new());
    };
    let micros = super::time::micros(&column)?;
    let micros = micros.as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
    let Ok(instant) = jiff::Timestamp::from_microsecond(micros.value(0)) else {
        return Ok(String::new());
    };
    let offset = zone.to_offset(instant);
    let shown = match offset == jiff::tz::Offset::UTC {
        true => "Z".to_owned(),
        false => super::clock::offset_text(offset, ":"),
    };
    Ok(match zone.iana_name() {
        Some(_) => format!("{shown}[{name}]"),
        None => shown,
    })
}

/// What Java's `toString` gives.
fn java_text(value: &ScalarValue) -> Result<String> {
    Ok(match value {
        ScalarValue::Float64(Some(number)) => java_double(*number),
        ScalarValue::Float32(Some(number)) => java_float(*number),
        ScalarValue::TimestampMicrosecond(..)
        | ScalarValue::TimestampMillisecond(..)
        | ScalarValue::TimestampSecond(..)
        | ScalarValue::TimestampNanosecond(..) => match instant(value)? {
            Some(at) => {
                let text = at.to_string();
                text.strip_suffix(":00")
                    .filter(|_| at.second() == 0 && at.subsec_nanosecond() == 0)
                    .unwrap_or(&text)
                    .to_owned()
                    + &zone_text(value)?
            }
            None => String::new(),
        },
        other => {
            let column = other.to_array_of_size(1)?;
            let options = arrow::util::display::FormatOptions::default();
            arrow::util::display::ArrayFormatter::try_new(&column, &options)?
                .value(0)
                .to_string()
        }
    })
}

/// `1.0`, `1.0E10`: as `Double.toString` writes it.
pub(super) fn java_double(number: f64) -> String {
    java_number(number, format!("{number:e}"))
}

/// The same of a real.
pub(super) fn java_float(number: f32) -> String {
    java_number(f64::from(number), format!("{number:e}"))
}

fn java_number(number: f64, shortest: String) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned();
    }
    let (mantissa, power) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    if number != 0.0 && !(-3..7).contains(&power) {
        let dot = if mantissa.contains('.') { "" } else { ".0" };
        return format!("{mantissa}{dot}E{power}");
    }
    let negative = mantissa.starts_with('-');
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let place = power + 1;
    let plain = if place <= 0 {
        format!(
            "0.{}{digits}",
            "0".repeat(usize::try_from(-place).unwrap_or(0))
        )
    } else {
        let place = usize::try_from(place).unwrap_or(0);
        let whole = format!("{digits:0<place$}");
        let (left, right) = whole.split_at(place);
        format!("{left}.{}", if right.is_empty() { "0" } else { right })
    };
    format!("{}{plain}", if negative { "-" } else { "" })
}

fn instant(value: &ScalarValue) -> Result<Option<DateTime>> {
    let column = value.to_array_of_size(1)?;
    if !column.data_type().is_temporal() {
        return Ok(None);
    }
    // Java writes the wall clock of the zone.
    super::moments::walls(&column)?
        .iter()
        .next()
        .flatten()
        .map(micros_to_datetime)
        .transpose()
}

/// What follows `%t`.
fn date_part(part: char, at: DateTime) -> Option<String> {
    let mysql = match part {
        'Y' => "%Y",
        'y' => "%y",
        'm' => "%m",
        'd' => "%d",
        'e' => "%e",
        'j' => "%j",
        'B' => "%M",
        'b' | 'h' => "%b",
        'a' => "%a",
        'A' => "%W",
        'H' => "%H",
        'k' => "%k",
        'I' => "%I",
        'l' => "%l",
        'M' => "%i",
        'S' => "%s",
        'p' => "%p",
        'F' => "%Y-%m-%d",
        'T' => "%H:%i:%s",
        'R' => "%H:%i",
        'D' => "%m/%d/%y",
        'r' => "%I:%i:%s %p",
        'L' => return Some(format!("{:03}", at.millisecond())),
        'N' => return Some(format!("{:09}", at.subsec_nanosecond())),
        _ => return None,
    };
    let mut out = String::new();
    super::format::write(
        &super::format::mysql(mysql).ok()?,
        &at.to_zoned(jiff::tz::TimeZone::UTC).ok()?,
        &mut out,
    );
    Some(if part == 'p' { out.to_lowercase() } else { out })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        for (number, text) in [
            (1.0, "1.0"),
            (0.001, "0.001"),
            (1e7, "1.0E7"),
            (1234567.5, "1234567.5"),
            (-0.0, "-0.0"),
            (1.5e-10, "1.5E-10"),
        ] {
            assert_eq!(java_double(number), text);
        }
    }

    #[test]
    fn formats_follow_javas_rules() {
        let values = [
            ScalarValue::Int64(Some(-1_234_567)),
            ScalarValue::Utf8(Some("x".to_owned())),
            ScalarValue::Float64(Some(2.5)),
        ];
        assert_eq!(
            formatted(
                "%,d|%3s|%-3s|%08.2f",
                &[
                    values[0].clone(),
                    values[1].clone(),
                    values[1].clone(),
                    values[2].clone()
                ]
            )
            .unwrap(),
            "-1,234,567|  x|x  |00002.50"
        );
        assert_eq!(formatted("%2$s %1$d %%", &values).unwrap(), "x -1234567 %");
        assert!(formatted("%d", &values[1..]).is_err());
    }

    #[test]
    fn sizes_are_told_in_few_digits() {
        assert_eq!(number(123_456.0), "123K");
        assert_eq!(number(1_000_000.0), "1M");
        assert_eq!(bytes_of("2.5kB").unwrap(), 2560);
        assert_eq!(seconds(96.0), "1 minute, 36 seconds");
    }
}
