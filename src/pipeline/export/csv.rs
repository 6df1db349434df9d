//! Arrow to CSV, streaming: batches are formatted column by column into one buffer each, on all cores, and
//! written in order. No text is made for a single cell.
//!
//! The format is RFC 4180 with one stated exception: lines end with a line feed unless asked otherwise, as
//! duckdb, polars and pandas write them and every reader takes them.
//!
//! | value | cell |
//! | --- | --- |
//! | null | nothing |
//! | empty text | `""` |
//! | text with a comma, quote or line break | in quotes, quotes doubled |
//! | decimal | plain digits, without zeros at the end (`12.430` is `12.43`, `7.000` is `7`) |
//! | double | the shortest digits that give the same number back, always with a point or an exponent |
//! | date, timestamp | `2026-01-31`, `2026-01-31 10:00:00` with microseconds if there are any |
//!
//! A cell that starts with `=`, `+`, `-` or `@` is written as the data has it.

use std::{io::Write, sync::Arc};

use arrow::{
    array::{
        Array, AsArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array, StringArray,
        StringViewArray, TimestampMicrosecondArray,
    },
    datatypes::{DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType},
    error::ArrowError,
    record_batch::RecordBatch,
    util::display::{ArrayFormatter, FormatOptions},
};
use futures::{StreamExt, TryStreamExt};
use jiff::civil::Date;
use sha2::{Digest, Sha256};

use crate::pipeline::ports::{QueryError, QueryRows};

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineEnding {
    /// `\n`
    #[default]
    Lf,
    /// `\r\n`, as RFC 4180 has it.
    CrLf,
}

impl LineEnding {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Lf => b"\n",
            Self::CrLf => b"\r\n",
        }
    }
}

/// How a CSV is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvOptions {
    /// Whether the first line has the column names.
    pub header: bool,
    /// How a line ends.
    pub line_ending: LineEnding,
    /// Whether to compute the SHA-256 of what is written.
    pub digest: bool,
    /// Batches formatted at the same time; 0 means one a core.
    pub threads: usize,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { header: true, line_ending: LineEnding::Lf, digest: false, threads: 0 }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CsvStats {
    /// Rows, without the header.
    pub rows: u64,
    /// Bytes, with the header.
    pub bytes: u64,
    /// SHA-256 in hex, if it was asked for.
    pub sha256: Option<String>,
}

/// Why a CSV could not be written to its end.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The rows ended with an error.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The writer failed; a closed pipe is [`std::io::ErrorKind::BrokenPipe`].
    #[error("could not write the CSV: {0}")]
    Io(#[from] std::io::Error),
    /// A column cannot be shown as text.
    #[error("could not show a column as text: {0}")]
    Format(#[from] ArrowError),
    /// A formatting task ended early.
    #[error("the CSV was stopped before it ended")]
    Stopped,
}

/// Writes rows as CSV. The writer gets large pieces in order, and one flush at the end.
///
/// # Errors
/// [`CsvError`]; what was written until then is a prefix of the whole.
pub async fn write_csv<W>(rows: QueryRows, writer: W, options: CsvOptions) -> Result<CsvStats, CsvError>
where
    W: Write + Send + 'static,
{
    let threads = if options.threads == 0 { std::thread::available_parallelism().map_or(2, usize::from) } else { options.threads };
    let header = if options.header { header(&rows.schema, options.line_ending) } else { Vec::new() };
    let mut sink = Sink { writer, stats: CsvStats::default(), digest: options.digest.then(Sha256::new) };
    sink = on_thread(sink, header, 0).await?;
    let encoded = rows.batches.map(|batch| async move {
        let batch = batch?;
        let task = tokio::task::spawn_blocking(move || {
            let mut out = Vec::with_capacity(batch.num_rows() * 64);
            encode(&batch, options.line_ending, &mut out).map(|()| (out, batch.num_rows()))
        });
        Ok::<_, CsvError>(task.await.map_err(|_| CsvError::Stopped)??)
    });
    let mut encoded = std::pin::pin!(encoded.buffered(threads));
    while let Some((bytes, rows)) = encoded.try_next().await? {
        sink = on_thread(sink, bytes, rows as u64).await?;
    }
    sink.writer.flush()?;
    sink.stats.sha256 = sink.digest.map(|digest| hex(&digest.finalize()));
    Ok(sink.stats)
}

/// Bytes as lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

struct Sink<W> {
    writer: W,
    stats: CsvStats,
    digest: Option<Sha256>,
}

/// Writing blocks, so it happens on a thread that may.
async fn on_thread<W: Write + Send + 'static>(mut sink: Sink<W>, bytes: Vec<u8>, rows: u64) -> Result<Sink<W>, CsvError> {
    let task = tokio::task::spawn_blocking(move || {
        sink.writer.write_all(&bytes)?;
        if let Some(digest) = &mut sink.digest {
            digest.update(&bytes);
        }
        sink.stats.rows += rows;
        sink.stats.bytes += bytes.len() as u64;
        Ok::<_, CsvError>(sink)
    });
    task.await.map_err(|_| CsvError::Stopped)?
}

fn header(schema: &SchemaRef, line_ending: LineEnding) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, field) in schema.fields().iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        text(field.name().as_bytes(), &mut out);
    }
    out.extend_from_slice(line_ending.bytes());
    out
}

/// Appends the rows of a batch.
///
/// # Errors
/// An [`ArrowError`] when a column of an unusual type cannot be shown as text.
pub fn encode(batch: &RecordBatch, line_ending: LineEnding, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    let plain = batch.columns().iter().map(plain_column).collect::<Result<Vec<_>, _>>()?;
    let options = FormatOptions::default();
    let mut columns = plain.iter().map(|column| Cells::new(column.as_ref(), &options)).collect::<Result<Vec<_>, _>>()?;
    let end = line_ending.bytes();
    for row in 0..batch.num_rows() {
        for (index, column) in columns.iter_mut().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            column.write(row, out)?;
        }
        // A line of one null would be an empty line, which readers skip.
        if columns.len() == 1 && (out.is_empty() || out.ends_with(end)) {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(end);
    }
    Ok(())
}

/// Columns as one of the types that [`Cells`] formats itself, where there is one.
fn plain_column(column: &Arc<dyn Array>) -> Result<Arc<dyn Array>, ArrowError> {
    let target = match column.data_type() {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        DataType::LargeUtf8 => DataType::Utf8,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => DataType::Int64,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        _ => return Ok(Arc::clone(column)),
    };
    if target == *column.data_type() { Ok(Arc::clone(column)) } else { arrow::compute::cast(column, &target) }
}

/// A column and how its cells are written.
enum Cells<'a> {
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
    Other(&'a dyn Array, ArrayFormatter<'a>, String),
}

impl<'a> Cells<'a> {
    fn new(column: &'a dyn Array, options: &FormatOptions<'a>) -> Result<Self, ArrowError> {
        Ok(match column.data_type() {
            DataType::Int64 => Self::Int64(column.as_primitive::<Int64Type>()),
            DataType::Int32 => Self::Int32(column.as_primitive::<Int32Type>()),
            DataType::Utf8 => {
                let texts = column.as_string::<i32>();
                Self::Text(texts, never_quoted(texts))
            }
            DataType::Utf8View => Self::View(column.as_string_view()),
            DataType::Decimal128(_, scale) if *scale >= 0 => {
                Self::Decimal(column.as_primitive::<Decimal128Type>(), u32::from(scale.unsigned_abs()))
            }
            DataType::Float64 => Self::Double(column.as_primitive::<Float64Type>()),
            DataType::Float32 => Self::Real(column.as_primitive::<Float32Type>()),
            DataType::Boolean => Self::Flag(column.as_boolean()),
            DataType::Date32 => Self::Day(column.as_primitive::<Date32Type>(), 0, *b"1970-01-01"),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                Self::Instant(column.as_primitive::<TimestampMicrosecondType>(), zone.is_some())
            }
            _ => Self::Other(column, ArrayFormatter::try_new(column, options)?, String::new()),
        })
    }

    fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        match self {
            Self::Int64(column) if column.is_valid(row) => integer(column.value(row), out),
            Self::Int32(column) if column.is_valid(row) => integer(column.value(row).into(), out),
            Self::Text(column, true) if column.is_valid(row) => out.extend_from_slice(column.value(row).as_bytes()),
            Self::Text(column, false) if column.is_valid(row) => text(column.value(row).as_bytes(), out),
            Self::View(column) if column.is_valid(row) => text(column.value(row).as_bytes(), out),
            Self::Decimal(column, scale) if column.is_valid(row) => decimal(column.value(row), *scale, out),
            Self::Double(column) if column.is_valid(row) => double(column.value(row), out),
            Self::Real(column) if column.is_valid(row) => real(column.value(row), out),
            Self::Flag(column) if column.is_valid(row) => {
                out.extend_from_slice(if column.value(row) { b"true".as_slice() } else { b"false".as_slice() });
            }
            Self::Day(column, last, shown) if column.is_valid(row) => {
                let value = column.value(row);
                if value != *last {
                    match short_day(value) {
                        Some(text) => (*last, *shown) = (value, text),
                        None => return Err(ArrowError::CastError(format!("day {value} lies outside the calendar"))),
                    }
                }
                out.extend_from_slice(shown);
            }
            Self::Instant(column, zoned) if column.is_valid(row) => instant(column.value(row), *zoned, out)?,
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
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { return true };
    let (Ok(first), Ok(last)) = (usize::try_from(*first), usize::try_from(*last)) else { return false };
    let bytes = &texts.value_data()[first..last];
    let empty = (0..texts.len()).any(|row| offsets[row] == offsets[row + 1] && texts.is_valid(row));
    !empty && memchr::memchr3(b',', b'"', b'\n', bytes).is_none() && memchr::memchr(b'\r', bytes).is_none()
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

fn text(cell: &[u8], out: &mut Vec<u8>) {
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
        #[expect(clippy::cast_possible_truncation, reason = "below 100")]
        let (tens, ones) = ((number / 10) as u8, (number % 10) as u8);
        table[number] = [b'0' + tens, b'0' + ones];
        number += 1;
    }
    table
};

fn integer(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    unsigned(value.unsigned_abs(), out);
}

fn unsigned(mut value: u64, out: &mut Vec<u8>) {
    if value < 10 {
        #[expect(clippy::cast_possible_truncation, reason = "below 10")]
        out.push(b'0' + value as u8);
        return;
    }
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    while value >= 10 {
        #[expect(clippy::cast_possible_truncation, reason = "below 100")]
        let pair = PAIRS[(value % 100) as usize];
        value /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&pair);
    }
    if value > 0 {
        at -= 1;
        #[expect(clippy::cast_possible_truncation, reason = "below 10")]
        let digit = value as u8;
        digits[at] = b'0' + digit;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Plain digits; zeros at the end of the fraction, and a fraction of nothing, are left out.
pub(super) fn decimal(value: i128, scale: u32, out: &mut Vec<u8>) {
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
        #[expect(clippy::cast_possible_truncation, reason = "below 10")]
        let digit = (fraction % 10) as u8;
        digits[at] = b'0' + digit;
        fraction /= 10;
        if fraction == 0 {
            break;
        }
    }
    let used = digits[..width].iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
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
    let date = Date::constant(1970, 1, 1).checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    let year = usize::try_from(date.year()).ok()?;
    let (month, day) = (usize::from(date.month().unsigned_abs()), usize::from(date.day().unsigned_abs()));
    let mut text = *b"0000-00-00";
    text[..2].copy_from_slice(PAIRS.get(year / 100)?);
    text[2..4].copy_from_slice(&PAIRS[year % 100]);
    text[5..7].copy_from_slice(&PAIRS[month]);
    text[8..].copy_from_slice(&PAIRS[day]);
    Some(text)
}

fn instant(micros: i64, zoned: bool, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    const DAY: i64 = 86_400_000_000;
    let outside = || ArrowError::CastError(format!("the instant {micros} µs lies outside the calendar"));
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

#[cfg(test)]
mod tests {
    use arrow::{
        array::{ArrayRef, TimestampSecondArray},
        datatypes::{Field, Schema},
    };
    use proptest::prelude::*;

    use super::*;

    fn encoded(columns: Vec<ArrayRef>, line_ending: LineEnding) -> String {
        let fields = columns.iter().enumerate().map(|(index, column)| Field::new(format!("c{index}"), column.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let mut out = Vec::new();
        encode(&RecordBatch::try_new(schema, columns).unwrap(), line_ending, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn cell(column: impl Array + 'static) -> String {
        let other: ArrayRef = Arc::new(Int64Array::from(vec![0; column.len()]));
        encoded(vec![Arc::new(column), other], LineEnding::Lf).lines().map(|line| line.strip_suffix(",0").unwrap().to_owned()).collect::<Vec<_>>().join(";")
    }

    #[test]
    fn each_type_has_its_form() {
        assert_eq!(cell(Int64Array::from(vec![Some(0), None, Some(i64::MIN), Some(1_234_567), Some(99), Some(100)])), "0;;-9223372036854775808;1234567;99;100");
        let money = Decimal128Array::from(vec![12_430_000, 7_000_000, -5, 0, 120_000]).with_precision_and_scale(38, 6).unwrap();
        assert_eq!(cell(money), "12.43;7;-0.000005;0;0.12");
        let wide = Decimal128Array::from(vec![i128::MAX / 2]).with_precision_and_scale(38, 18).unwrap();
        assert_eq!(cell(wide), "85070591730234615865.843651857942052863");
        assert_eq!(cell(Float64Array::from(vec![5.0, 0.1 + 0.2, -1.5, f64::NAN])), "5.0;0.30000000000000004;-1.5;NaN");
        assert_eq!(cell(Date32Array::from(vec![0, 20_484, -1])), "1970-01-01;2026-01-31;1969-12-31");
        assert_eq!(cell(TimestampMicrosecondArray::from(vec![1_500_000, -1])), "1970-01-01 00:00:01.500000;1969-12-31 23:59:59.999999");
        assert_eq!(cell(TimestampSecondArray::from(vec![86_400]).with_timezone("UTC")), "1970-01-02 00:00:00Z");
        assert_eq!(cell(BooleanArray::from(vec![true, false])), "true;false");
    }

    #[test]
    fn quotes_stand_where_they_are_needed_and_null_is_not_empty() {
        let texts = vec![Some("a"), None, Some(""), Some("=1+1"), Some("a,b"), Some("say \"hi\""), Some("0012"), Some(" x ")];
        assert_eq!(cell(StringArray::from(texts.clone())), "a;;\"\";=1+1;\"a,b\";\"say \"\"hi\"\"\";0012; x ");
        assert_eq!(cell(StringViewArray::from(texts)), "a;;\"\";=1+1;\"a,b\";\"say \"\"hi\"\"\";0012; x ");
        let column: ArrayRef = Arc::new(StringArray::from(vec![None, Some("a\rb")]));
        assert_eq!(encoded(vec![column], LineEnding::CrLf), "\"\"\r\n\"a\rb\"\r\n");
    }

    /// RFC 4180 read back by another implementation.
    fn read_back(csv: &[u8], width: usize) -> Vec<Vec<String>> {
        let mut reader = csv_core::Reader::new();
        let (mut rows, mut input) = (Vec::new(), csv);
        loop {
            let (mut out, mut ends) = (vec![0; csv.len() + 8], vec![0; width + 1]);
            let (result, read, _, fields) = reader.read_record(input, &mut out, &mut ends);
            input = &input[read..];
            match result {
                csv_core::ReadRecordResult::End => return rows,
                csv_core::ReadRecordResult::InputEmpty if input.is_empty() && fields == 0 => return rows,
                csv_core::ReadRecordResult::Record => {
                    let starts = std::iter::once(0).chain(ends.iter().copied());
                    let cells = starts.zip(&ends[..fields]).map(|(start, end)| String::from_utf8(out[start..*end].to_vec()).unwrap());
                    rows.push(cells.collect());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(texts in prop::collection::vec(prop::option::of("[a,\"\r\n é🚀=]{0,8}"), 1..20), crlf: bool) {
            let second: Vec<Option<i64>> = (0..texts.len()).map(|row| i64::try_from(row).ok()).collect();
            let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(texts.clone())), Arc::new(Int64Array::from(second))];
            let csv = encoded(columns, if crlf { LineEnding::CrLf } else { LineEnding::Lf });
            let rows = read_back(csv.as_bytes(), 2);
            let expected: Vec<Vec<String>> =
                texts.iter().enumerate().map(|(row, text)| vec![text.clone().unwrap_or_default(), row.to_string()]).collect();
            prop_assert_eq!(rows, expected);
        }

        #[test]
        fn integers_and_decimals_are_what_rust_prints(value: i64, scale in 0_u32..30, wide: i128) {
            let mut out = Vec::new();
            integer(value, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
            let size = wide.unsigned_abs().to_string();
            let padded = format!("{size:0>width$}", width = scale as usize + 1);
            let (whole, fraction) = padded.split_at(padded.len() - scale as usize);
            let fraction = fraction.trim_end_matches('0');
            let point = if fraction.is_empty() { "" } else { "." };
            let expected = format!("{}{whole}{point}{fraction}", if wide < 0 { "-" } else { "" });
            let mut out = Vec::new();
            decimal(wide, scale, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
