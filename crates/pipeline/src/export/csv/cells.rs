//! One cell of each type, written as bytes.

use std::sync::Arc;

use arrow::{
    array::{
        Array, AsArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
        Int32Array, Int64Array, StringArray, StringViewArray, TimestampMicrosecondArray,
    },
    datatypes::{
        DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
        TimeUnit, TimestampMicrosecondType,
    },
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};
use jiff::civil::Date;

/// Columns as one of the types that [`Cells`] formats itself, where there is one.
pub(super) fn plain_column(column: &Arc<dyn Array>) -> Result<Arc<dyn Array>, ArrowError> {
    let target = match column.data_type() {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        DataType::LargeUtf8 => DataType::Utf8,
        DataType::Int8
        | DataType::Int16
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => DataType::Int64,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        _ => return Ok(Arc::clone(column)),
    };
    if target == *column.data_type() {
        Ok(Arc::clone(column))
    } else {
        arrow::compute::cast(column, &target)
    }
}

/// A column and how its cells are written.
pub(super) enum Cells<'a> {
    Int64(&'a Int64Array),
    Int32(&'a Int32Array),
    /// `bool`: no cell of this batch needs quotes.
    Text(&'a StringArray, bool),
    View(&'a StringViewArray),
    Decimal(&'a Decimal128Array, u32),
    Double(&'a Float64Array),
    Real(&'a Float32Array),
    Flag(&'a BooleanArray),
    /// The last day and its text: neighbours mostly share it.
    Day(&'a Date32Array, i32, [u8; 10]),
    Instant(&'a TimestampMicrosecondArray, bool),
    /// Nulls of no type: nothing, as every null.
    Nothing,
    Other(&'a dyn Array, ArrayFormatter<'a>, String),
}

impl<'a> Cells<'a> {
    pub(super) fn new(
        column: &'a dyn Array,
        options: &FormatOptions<'a>,
    ) -> Result<Self, ArrowError> {
        Ok(match column.data_type() {
            DataType::Null => Self::Nothing,
            DataType::Int64 => Self::Int64(column.as_primitive::<Int64Type>()),
            DataType::Int32 => Self::Int32(column.as_primitive::<Int32Type>()),
            DataType::Utf8 => {
                let texts = column.as_string::<i32>();
                Self::Text(texts, never_quoted(texts))
            }
            DataType::Utf8View => Self::View(column.as_string_view()),
            DataType::Decimal128(_, scale) if *scale >= 0 => Self::Decimal(
                column.as_primitive::<Decimal128Type>(),
                u32::from(scale.unsigned_abs()),
            ),
            DataType::Float64 => Self::Double(column.as_primitive::<Float64Type>()),
            DataType::Float32 => Self::Real(column.as_primitive::<Float32Type>()),
            DataType::Boolean => Self::Flag(column.as_boolean()),
            DataType::Date32 => Self::Day(column.as_primitive::<Date32Type>(), 0, *b"1970-01-01"),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => Self::Instant(
                column.as_primitive::<TimestampMicrosecondType>(),
                zone.is_some(),
            ),
            _ => Self::Other(
                column,
                ArrayFormatter::try_new(column, options)?,
                String::new(),
            ),
        })
    }

    pub(super) fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        match self {
            Self::Int64(column) if column.is_valid(row) => integer(column.value(row), out),
            Self::Int32(column) if column.is_valid(row) => integer(column.value(row).into(), out),
            Self::Text(column, true) if column.is_valid(row) => {
                out.extend_from_slice(column.value(row).as_bytes())
            }
            Self::Text(column, false) if column.is_valid(row) => {
                text(column.value(row).as_bytes(), out)
            }
            Self::View(column) if column.is_valid(row) => text(column.value(row).as_bytes(), out),
            Self::Decimal(column, scale) if column.is_valid(row) => {
                decimal(column.value(row), *scale, out)
            }
            Self::Double(column) if column.is_valid(row) => double(column.value(row), out),
            Self::Real(column) if column.is_valid(row) => real(column.value(row), out),
            Self::Flag(column) if column.is_valid(row) => {
                out.extend_from_slice(if column.value(row) {
                    b"true".as_slice()
                } else {
                    b"false".as_slice()
                });
            }
            Self::Day(column, last, shown) if column.is_valid(row) => {
                let value = column.value(row);
                if value != *last {
                    match short_day(value) {
                        Some(text) => (*last, *shown) = (value, text),
                        None => {
                            return Err(ArrowError::CastError(format!(
                                "day {value} lies outside the calendar"
                            )));
                        }
                    }
                }
                out.extend_from_slice(shown);
            }
            Self::Instant(column, zoned) if column.is_valid(row) => {
                instant(column.value(row), *zoned, out)?
            }
            Self::Other(column, formatter, buffer) if column.is_valid(row) => {
                use std::fmt::Write as _;
                buffer.clear();
                let _ = write!(buffer, "{}", formatter.value(row).try_to_string()?);
                text(buffer.as_bytes(), out);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether no text of a column needs quotes: one pass over its whole buffer. Texts between nulls may hold
/// anything, which only costs the second look.
fn never_quoted(texts: &StringArray) -> bool {
    let offsets = texts.value_offsets();
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
        return true;
    };
    let (Ok(first), Ok(last)) = (usize::try_from(*first), usize::try_from(*last)) else {
        return false;
    };
    let bytes = &texts.value_data()[first..last];
    let empty = (0..texts.len()).any(|row| offsets[row] == offsets[row + 1] && texts.is_valid(row));
    !empty
        && memchr::memchr3(b',', b'"', b'\n', bytes).is_none()
        && memchr::memchr(b'\r', bytes).is_none()
}

/// Bytes that put a cell into quotes.
const SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    table[b',' as usize] = true;
    table[b'"' as usize] = true;
    table[b'\n' as usize] = true;
    table[b'\r' as usize] = true;
    table
};

pub(super) fn text(cell: &[u8], out: &mut Vec<u8>) {
    if !cell.is_empty() && !cell.iter().any(|byte| SPECIAL[usize::from(*byte)]) {
        out.extend_from_slice(cell);
        return;
    }
    out.push(b'"');
    let mut rest = cell;
    while let Some(at) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=at]);
        out.push(b'"');
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Two digits for each number below 100.
const PAIRS: [[u8; 2]; 100] = {
    let mut table = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        let (tens, ones) = ((number / 10) as u8, (number % 10) as u8);
        table[number] = [b'0' + tens, b'0' + ones];
        number += 1;
    }
    table
};

pub(super) fn integer(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    unsigned(value.unsigned_abs(), out);
}

fn unsigned(mut value: u64, out: &mut Vec<u8>) {
    if value < 10 {
        out.push(b'0' + value as u8);
        return;
    }
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    while value >= 10 {
        let pair = PAIRS[(value % 100) as usize];
        value /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&pair);
    }
    if value > 0 {
        at -= 1;
        let digit = value as u8;
        digits[at] = b'0' + digit;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Plain digits; zeros at the end of the fraction, and a fraction of nothing, are left out.
pub(in crate::export) fn decimal(value: i128, scale: u32, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let size = value.unsigned_abs();
    let Some(unit) = 10_u128.checked_pow(scale).filter(|_| scale > 0) else {
        wide(size, out);
        return;
    };
    wide(size / unit, out);
    let mut fraction = size % unit;
    if fraction == 0 {
        return;
    }
    let mut digits = [b'0'; 40];
    let width = scale as usize;
    for at in (0..width).rev() {
        let digit = (fraction % 10) as u8;
        digits[at] = b'0' + digit;
        fraction /= 10;
        if fraction == 0 {
            break;
        }
    }
    let used = digits[..width]
        .iter()
        .rposition(|digit| *digit != b'0')
        .map_or(0, |last| last + 1);
    out.push(b'.');
    out.extend_from_slice(&digits[..used]);
}

fn wide(value: u128, out: &mut Vec<u8>) {
    match u64::try_from(value) {
        Ok(value) => unsigned(value, out),
        Err(_) => out.extend_from_slice(value.to_string().as_bytes()),
    }
}

fn double(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    } else {
        not_finite(value.is_nan(), value.is_sign_negative(), out);
    }
}

fn real(value: f32, out: &mut Vec<u8>) {
    if value.is_finite() {
        out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    } else {
        not_finite(value.is_nan(), value.is_sign_negative(), out);
    }
}

/// Trino's spelling.
fn not_finite(nan: bool, negative: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(match (nan, negative) {
        (true, _) => b"NaN".as_slice(),
        (false, true) => b"-Infinity",
        (false, false) => b"Infinity",
    });
}

/// The text of a day of the years 0 to 9999.
fn short_day(days: i32) -> Option<[u8; 10]> {
    let date = Date::constant(1970, 1, 1)
        .checked_add(jiff::Span::new().try_days(days).ok()?)
        .ok()?;
    let year = usize::try_from(date.year()).ok()?;
    let (month, day) = (
        usize::from(date.month().unsigned_abs()),
        usize::from(date.day().unsigned_abs()),
    );
    let mut text = *b"0000-00-00";
    text[..2].copy_from_slice(PAIRS.get(year / 100)?);
    text[2..4].copy_from_slice(&PAIRS[year % 100]);
    text[5..7].copy_from_slice(&PAIRS[month]);
    text[8..].copy_from_slice(&PAIRS[day]);
    Some(text)
}

fn instant(micros: i64, zoned: bool, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    const DAY: i64 = 86_400_000_000;
    let outside =
        || ArrowError::CastError(format!("the instant {micros} µs lies outside the calendar"));
    let days = i32::try_from(micros.div_euclid(DAY)).map_err(|_| outside())?;
    let rest = micros.rem_euclid(DAY);
    out.extend_from_slice(&short_day(days).ok_or_else(outside)?);
    let pair = |value: i64| PAIRS[usize::try_from(value % 100).unwrap_or(0)];
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    out.push(b' ');
    out.extend_from_slice(&pair(seconds / 3600));
    out.push(b':');
    out.extend_from_slice(&pair(seconds / 60 % 60));
    out.push(b':');
    out.extend_from_slice(&pair(seconds % 60));
    if fraction > 0 {
        out.push(b'.');
        for part in [fraction / 10_000, fraction / 100, fraction] {
            out.extend_from_slice(&pair(part));
        }
    }
    if zoned {
        out.push(b'Z');
    }
    Ok(())
}
