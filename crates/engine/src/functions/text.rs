//! Text functions.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Builder, StringBuilder},
    datatypes::{DataType, Int64Type},
};
use datafusion::{
    common::{Result, ScalarValue},
    logical_expr::ScalarUDF,
};

use super::{Take, any_null, function, invalid, returns_bigint, returns_text};

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::{Any, Bytes, Int, Text};
    vec![
        function(
            "trino_substr",
            &[
                &[Text, Int],
                &[Text, Int, Int],
                &[Bytes, Int],
                &[Bytes, Int, Int],
            ],
            |types, _| Ok(types[0].clone()),
            substr,
        ),
        function(
            "split_part",
            &[&[Text, Text, Int]],
            returns_text,
            split_part,
        ),
        function("typeof", &[&[Any]], returns_text, type_of),
        function("cardinality_of", &[&[Any]], returns_bigint, cardinality),
        function("trino_greatest", SAME, returns_first, |columns, _| {
            extreme(columns, std::cmp::Ordering::Greater)
        }),
        function("trino_least", SAME, returns_first, |columns, _| {
            extreme(columns, std::cmp::Ordering::Less)
        }),
    ]
}

/// One to eight arguments of one type.
const SAME: &[&[Take]] = &[
    &[Take::Any; 1],
    &[Take::Any; 2],
    &[Take::Any; 3],
    &[Take::Any; 4],
    &[Take::Any; 5],
    &[Take::Any; 6],
    &[Take::Any; 7],
    &[Take::Any; 8],
];

fn returns_first(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    types.iter().try_fold(DataType::Null, |common, next| {
        super::arrays::common_type(&common, next)
    })
}

/// The greatest or least of each row; the statement's rewrite has taken out rows with a null.
fn extreme(columns: &[ArrayRef], wanted: std::cmp::Ordering) -> Result<ArrayRef> {
    let types: Vec<_> = columns
        .iter()
        .map(|column| column.data_type().clone())
        .collect();
    let common = returns_first(&types, &[])?;
    if common.is_nested() {
        return nested_extreme(columns, &common, wanted);
    }
    let mut columns = columns
        .iter()
        .map(|column| arrow::compute::cast(column, &common));
    let Some(first) = columns.next() else {
        return invalid("no argument");
    };
    let mut best = first?;
    for next in columns {
        let next = next?;
        let better = match wanted {
            std::cmp::Ordering::Greater => arrow::compute::kernels::cmp::gt(&next, &best)?,
            _ => arrow::compute::kernels::cmp::lt(&next, &best)?,
        };
        best = arrow::compute::kernels::zip::zip(&better, &next, &best)?;
    }
    Ok(best)
}

/// Whether a nested value holds NaN.
fn has_nan(value: &ScalarValue) -> bool {
    match value {
        ScalarValue::Float64(Some(number)) => number.is_nan(),
        ScalarValue::Float32(Some(number)) => number.is_nan(),
        ScalarValue::List(list) => {
            let column: ArrayRef = Arc::clone(list) as ArrayRef;
            super::arrays::items(&column, 0)
                .ok()
                .flatten()
                .is_some_and(|items| items.iter().any(has_nan))
        }
        ScalarValue::Struct(row) => row
            .columns()
            .iter()
            .any(|column| ScalarValue::try_from_array(column, 0).is_ok_and(|cell| has_nan(&cell))),
        _ => false,
    }
}

/// The same of arrays and rows, one by one.
fn nested_extreme(
    columns: &[ArrayRef],
    common: &DataType,
    wanted: std::cmp::Ordering,
) -> Result<ArrayRef> {
    let columns = columns
        .iter()
        .map(|column| super::json::cast(column, common))
        .collect::<Result<Vec<_>>>()?;
    let mut cells = Vec::with_capacity(columns[0].len());
    for row in 0..columns[0].len() {
        let mut best = ScalarValue::try_from_array(&columns[0], row)?;
        for column in &columns[1..] {
            let next = ScalarValue::try_from_array(column, row)?;
            let better = super::arrays::compared(&next, &best)? == wanted;
            // NaN is taken only where there is nothing else.
            if (better || has_nan(&best)) && !has_nan(&next) {
                best = next;
            }
        }
        cells.push(best);
    }
    ScalarValue::iter_to_array(cells)
}

/// Characters from `start` (1 is the first, -1 the last); nothing when it is 0 or outside.
fn substr(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    if *returns == DataType::Binary {
        return Ok(bytes_of(columns));
    }
    let (texts, starts) = (
        columns[0].as_string::<i32>(),
        columns[1].as_primitive::<Int64Type>(),
    );
    let lengths = columns
        .get(2)
        .map(|lengths| lengths.as_primitive::<Int64Type>());
    let mut out = StringBuilder::with_capacity(texts.len(), 0);
    for row in 0..texts.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let length = lengths.map_or(i64::MAX, |lengths| lengths.value(row));
        out.append_value(characters(texts.value(row), starts.value(row), length));
    }
    Ok(Arc::new(out.finish()))
}

fn bytes_of(columns: &[ArrayRef]) -> ArrayRef {
    let number = |at: usize, row: usize| columns[at].as_primitive::<Int64Type>().value(row);
    let bytes = columns[0].as_binary::<i32>();
    let cut = (0..bytes.len()).map(|row| {
        if any_null(columns, row) {
            return None;
        }
        let all = bytes.value(row);
        let (start, length) = (
            number(1, row),
            columns.get(2).map_or(i64::MAX, |_| number(2, row)),
        );
        let skip = match usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX) {
            0 => all.len(),
            skip if start > 0 => (skip - 1).min(all.len()),
            back => all.len().checked_sub(back).unwrap_or(all.len()),
        };
        let length = usize::try_from(length.max(0)).unwrap_or(usize::MAX);
        Some(&all[skip..][..length.min(all.len() - skip)])
    });
    Arc::new(cut.collect::<arrow::array::BinaryArray>())
}

fn characters(text: &str, start: i64, length: i64) -> &str {
    if start == 0 || length <= 0 {
        return "";
    }
    let skip = if start > 0 {
        usize::try_from(start - 1).unwrap_or(usize::MAX)
    } else {
        let back = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
        let Some(skip) = text.chars().count().checked_sub(back) else {
            return "";
        };
        skip
    };
    let offset = |text: &str, count: usize| {
        text.char_indices()
            .nth(count)
            .map_or(text.len(), |(at, _)| at)
    };
    let rest = &text[offset(text, skip)..];
    &rest[..offset(rest, usize::try_from(length).unwrap_or(usize::MAX))]
}

/// The part of that number, 1 being the first; null beyond the last.
fn split_part(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (texts, delimiters) = (columns[0].as_string::<i32>(), columns[1].as_string::<i32>());
    let indexes = columns[2].as_primitive::<Int64Type>();
    let mut out = StringBuilder::with_capacity(texts.len(), 0);
    for row in 0..texts.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let index = match usize::try_from(indexes.value(row)) {
            Ok(index) if index > 0 => index - 1,
            _ => return invalid("Index must be greater than zero"),
        };
        let (text, delimiter) = (texts.value(row), delimiters.value(row));
        if delimiter.is_empty() {
            out.append_option(text.chars().nth(index).map(String::from));
        } else {
            out.append_option(text.split(delimiter).nth(index));
        }
    }
    Ok(Arc::new(out.finish()))
}

fn type_of(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let name = crate::names::type_name(columns[0].data_type());
    Ok(Arc::new(arrow::array::StringArray::from_iter_values(
        std::iter::repeat_n(name, columns[0].len()),
    )))
}

/// Elements of a list or pairs of a map.
fn cardinality(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let column = &columns[0];
    let mut out = Int64Builder::with_capacity(column.len());
    for row in 0..column.len() {
        let length = match column.data_type() {
            DataType::Null => None,
            _ if column.is_null(row) => None,
            DataType::List(_) => Some(i64::from(column.as_list::<i32>().value_length(row))),
            DataType::LargeList(_) => Some(column.as_list::<i64>().value_length(row)),
            DataType::FixedSizeList(_, size) => Some(i64::from(*size)),
            DataType::Map(_, _) => Some(i64::from(column.as_map().value_length(row))),
            other => return invalid(format!("cardinality of {other}")),
        };
        out.append_option(length);
    }
    Ok(Arc::new(out.finish()))
}
