//! One value as JSON and as text for people. Nothing is read back from a text: a number is written as it is.
//!
//! | value | JSON |
//! | --- | --- |
//! | whole numbers, doubles, reals | a number with all its digits |
//! | NaN, ±infinity | `"NaN"`, `"Infinity"`, `"-Infinity"`: JSON has no such numbers |
//! | decimals | a text with all the digits of its scale: readers of JSON take numbers for doubles |
//! | dates, times, timestamps, varbinary (hex) | a text |
//! | arrays, rows, maps | an array, an object, an object whose keys are texts |

use arrow::{
    array::{
        Array, AsArray, BooleanArray, Float32Array, Float64Array, GenericListArray, MapArray,
        StringArray,
    },
    datatypes::{DataType, Float32Type, Float64Type},
    error::ArrowError,
    record_batch::RecordBatch,
    util::display::{ArrayFormatter, FormatOptions},
};

use crate::pipeline::records::distinct;

/// A column of a batch, ready to be written value by value.
pub(super) struct Column<'a> {
    array: &'a dyn Array,
    kind: Kind<'a>,
}

enum Kind<'a> {
    /// Untyped nulls only.
    Null,
    Flag(&'a BooleanArray),
    /// Digits as they are shown: whole numbers.
    Whole(ArrayFormatter<'a>),
    Double(&'a Float64Array),
    Real(&'a Float32Array),
    Text(&'a StringArray),
    /// Whatever is a text in JSON.
    Shown(ArrayFormatter<'a>),
    List(&'a GenericListArray<i32>, Box<Column<'a>>),
    LargeList(&'a GenericListArray<i64>, Box<Column<'a>>),
    Row(Vec<(String, Column<'a>)>),
    Map(&'a MapArray, Box<Column<'a>>, Box<Column<'a>>),
}

/// The columns of a batch.
///
/// # Errors
/// When a type cannot be shown.
pub(super) fn columns(batch: &RecordBatch) -> Result<Vec<Column<'_>>, ArrowError> {
    batch
        .columns()
        .iter()
        .map(|column| Column::new(column.as_ref()))
        .collect()
}

/// Whether values of a type hold others.
pub(super) fn is_nested(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::List(_) | DataType::LargeList(_) | DataType::Struct(_) | DataType::Map(..)
    )
}

impl<'a> Column<'a> {
    fn new(array: &'a dyn Array) -> Result<Self, ArrowError> {
        let shown = || ArrayFormatter::try_new(array, &FormatOptions::default());
        let inner = |array: &'a dyn Array| Self::new(array).map(Box::new);
        let kind = match array.data_type() {
            DataType::Null => Kind::Null,
            DataType::Boolean => Kind::Flag(array.as_boolean()),
            data_type if data_type.is_integer() => Kind::Whole(shown()?),
            DataType::Float64 => Kind::Double(array.as_primitive::<Float64Type>()),
            DataType::Float32 => Kind::Real(array.as_primitive::<Float32Type>()),
            DataType::Utf8 => Kind::Text(array.as_string()),
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Kind::List(list, inner(list.values().as_ref())?)
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                Kind::LargeList(list, inner(list.values().as_ref())?)
            }
            DataType::Struct(fields) => {
                let names = distinct(fields.iter().map(|field| field.name().as_str()));
                let columns = array.as_struct().columns().iter();
                let columns = columns.map(|column| Self::new(column.as_ref()));
                let columns = columns.collect::<Result<Vec<_>, _>>()?;
                Kind::Row(names.into_iter().zip(columns).collect())
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let (keys, values) = (map.keys().as_ref(), map.values().as_ref());
                Kind::Map(map, inner(keys)?, inner(values)?)
            }
            _ => Kind::Shown(shown()?),
        };
        Ok(Self { array, kind })
    }

    /// Whether there is no value.
    pub(super) fn is_null(&self, row: usize) -> bool {
        matches!(self.kind, Kind::Null) || self.array.is_null(row)
    }

    /// A value for people and for formats of texts; `None` where there is none.
    ///
    /// # Errors
    /// When a value cannot be shown.
    pub(super) fn text(&self, row: usize) -> Result<Option<String>, ArrowError> {
        if self.is_null(row) {
            return Ok(None);
        }
        Ok(Some(match &self.kind {
            Kind::Text(texts) => texts.value(row).to_owned(),
            Kind::Whole(shown) | Kind::Shown(shown) => shown.value(row).try_to_string()?,
            Kind::Double(numbers) => double(numbers.value(row)),
            Kind::Real(numbers) => real(numbers.value(row)),
            _ => {
                let mut out = Vec::new();
                self.json(row, &mut out)?;
                String::from_utf8_lossy(&out).into_owned()
            }
        }))
    }

    /// Writes a value as JSON.
    ///
    /// # Errors
    /// When a value cannot be shown.
    pub(super) fn json(&self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match &self.kind {
            Kind::Null => out.extend_from_slice(b"null"),
            Kind::Flag(flags) => out.extend_from_slice(if flags.value(row) {
                b"true".as_slice()
            } else {
                b"false".as_slice()
            }),
            Kind::Whole(shown) => {
                out.extend_from_slice(shown.value(row).try_to_string()?.as_bytes());
            }
            Kind::Double(numbers) => {
                let value = numbers.value(row);
                number(value.is_finite(), &double(value), out);
            }
            Kind::Real(numbers) => {
                let value = numbers.value(row);
                number(value.is_finite(), &real(value), out);
            }
            Kind::Text(texts) => quoted(texts.value(row), out),
            Kind::Shown(shown) => quoted(&shown.value(row).try_to_string()?, out),
            Kind::List(list, values) => {
                let offsets = list.value_offsets();
                let range = size(offsets[row])..size(offsets[row + 1]);
                items(range, values, out)?;
            }
            Kind::LargeList(list, values) => {
                let offsets = list.value_offsets();
                let end = |offset: i64| usize::try_from(offset).unwrap_or(0);
                items(end(offsets[row])..end(offsets[row + 1]), values, out)?;
            }
            Kind::Row(fields) => object(fields, row, out)?,
            Kind::Map(map, keys, values) => {
                let offsets = map.value_offsets();
                let range = size(offsets[row])..size(offsets[row + 1]);
                entries(range, keys, values, out)?;
            }
        }
        Ok(())
    }
}

fn size(offset: i32) -> usize {
    usize::try_from(offset).unwrap_or(0)
}

/// The fields of a row, or the columns of a line, as an object.
///
/// # Errors
/// When a value cannot be shown.
pub(super) fn object(
    fields: &[(String, Column<'_>)],
    row: usize,
    out: &mut Vec<u8>,
) -> Result<(), ArrowError> {
    out.push(b'{');
    for (place, (name, column)) in fields.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        quoted(name, out);
        out.push(b':');
        column.json(row, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn items(
    range: std::ops::Range<usize>,
    values: &Column<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ArrowError> {
    out.push(b'[');
    for (place, row) in range.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        values.json(row, out)?;
    }
    out.push(b']');
    Ok(())
}

fn entries(
    range: std::ops::Range<usize>,
    keys: &Column<'_>,
    values: &Column<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ArrowError> {
    out.push(b'{');
    for (place, row) in range.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        quoted(&keys.text(row)?.unwrap_or_default(), out);
        out.push(b':');
        values.json(row, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn number(is_finite: bool, text: &str, out: &mut Vec<u8>) {
    if is_finite {
        out.extend_from_slice(text.as_bytes());
    } else {
        quoted(text, out);
    }
}

/// A text as JSON has it.
fn quoted(text: &str, out: &mut Vec<u8>) {
    // A text has a form in JSON, and a vector takes every byte.
    let _ = serde_json::to_writer(out, text);
}

fn double(value: f64) -> String {
    match value.is_finite() {
        true => ryu::Buffer::new().format_finite(value).to_owned(),
        false => not_finite(value.is_nan(), value.is_sign_negative()),
    }
}

fn real(value: f32) -> String {
    match value.is_finite() {
        true => ryu::Buffer::new().format_finite(value).to_owned(),
        false => not_finite(value.is_nan(), value.is_sign_negative()),
    }
}

/// Trino's spelling.
fn not_finite(is_nan: bool, is_negative: bool) -> String {
    match (is_nan, is_negative) {
        (true, _) => "NaN",
        (false, true) => "-Infinity",
        (false, false) => "Infinity",
    }
    .to_owned()
}
