//! More functions of texts, in Trino's meaning.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Builder, ListBuilder, StringBuilder},
    datatypes::{DataType, Int64Type},
};
use datafusion::{
    common::{Result, ScalarValue, exec_err, plan_err},
    logical_expr::ScalarUDF,
};

use super::{Take, any_null, function, invalid, returns_bigint, returns_text, returns_texts};

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::{Any, Int, Text};
    vec![
        function("chr", &[&[Int]], returns_text, chr),
        function(
            "codepoint",
            &[&[Text]],
            |_, _| Ok(DataType::Int32),
            codepoint,
        ),
        function(
            "hamming_distance",
            &[&[Text, Text]],
            returns_bigint,
            hamming,
        ),
        function(
            "lpad",
            &[&[Any, Int, Any]],
            |types, _| pad_type(types),
            |columns, returns| pad(columns, returns, true),
        ),
        function("luhn_check", &[&[Text]], |_, _| Ok(DataType::Boolean), luhn),
        function(
            "replace",
            &[&[Text, Text], &[Text, Text, Text]],
            returns_text,
            replace,
        ),
        function(
            "rpad",
            &[&[Any, Int, Any]],
            |types, _| pad_type(types),
            |columns, returns| pad(columns, returns, false),
        ),
        function("soundex", &[&[Text]], returns_text, |columns, _| {
            one_text(columns, |text| soundex(text).map(Some))
        }),
        function(
            "split",
            &[&[Text, Text], &[Text, Text, Int]],
            returns_texts,
            split,
        ),
        function(
            "starts_with",
            &[&[Text, Text]],
            |_, _| Ok(DataType::Boolean),
            starts_with,
        ),
        function(
            "strpos",
            &[&[Text, Text], &[Text, Text, Int]],
            returns_bigint,
            strpos,
        ),
        function("trino_length", &[&[Any]], length_type, length),
        super::opaque("trino_opaque", &[&[Text]], returns_text, |columns, _| {
            Ok(Arc::clone(&columns[0]))
        }),
        function(
            "trino_refused",
            &[&[Text]],
            |_, scalars| refused(scalars),
            |columns, _| Ok(Arc::clone(&columns[0])),
        ),
        function(
            "trino_like_pattern",
            &[&[Text], &[Text, Text]],
            returns_text,
            like_patterns,
        ),
        of_one_zone(),
        same(),
        single(),
        function("translate", &[&[Text, Text, Text]], returns_text, translate),
        super::variadic("concat_ws", Any, concat_ws_type, concat_ws),
    ]
}

/// Patterns of LIKE, written with the back slash that the operator takes for an escape.
fn like_patterns(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let patterns = columns[0].as_string::<i32>();
    let escapes = columns.get(1).map(|escapes| escapes.as_string::<i32>());
    let mut out = StringBuilder::new();
    for row in 0..patterns.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let escape = escapes.map(|escapes| escapes.value(row));
        match like_pattern(patterns.value(row), escape) {
            Ok(pattern) => out.append_value(pattern),
            Err(message) => return invalid(message),
        }
    }
    Ok(Arc::new(out.finish()))
}

/// A pattern of Trino's LIKE, which escapes nothing unless it is told, with back slashes as escapes.
///
/// # Errors
/// What is wrong with the escape.
pub(crate) fn like_pattern(
    pattern: &str,
    escape: Option<&str>,
) -> std::result::Result<String, &'static str> {
    let mut letters = escape.unwrap_or_default().chars();
    let escape = match (escape, letters.next(), letters.next()) {
        (None, ..) => None,
        (Some(_), Some(one), None) => Some(one),
        _ => return Err("Escape string must be a single character"),
    };
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern.chars();
    while let Some(letter) = rest.next() {
        if Some(letter) == escape {
            match rest.next() {
                Some(next) if matches!(next, '%' | '_') || Some(next) == escape => {
                    if matches!(next, '%' | '_' | '\\') {
                        out.push('\\');
                    }
                    out.push(next);
                }
                _ => {
                    return Err(
                        "Escape character must be followed by '%', '_' or the escape character itself",
                    );
                }
            }
            continue;
        }
        if letter == '\\' {
            out.push('\\');
        }
        out.push(letter);
    }
    Ok(out)
}

/// An instant that is also the one found among those of its zone.
pub(crate) fn of_one_zone() -> ScalarUDF {
    function(
        "trino_of_one_zone",
        &[&[Take::Any, Take::Any]],
        |types, _| Ok(types[0].clone()),
        |columns, _| {
            if arrow::compute::kernels::cmp::distinct(&columns[0], &columns[1])?.true_count() > 0 {
                return datafusion::common::not_impl_err!(
                    "a zone of its own for every row is not supported: put the instants in one by AT TIME ZONE"
                );
            }
            Ok(Arc::clone(&columns[0]))
        },
    )
}

/// A value as it is, of which the optimizer does not know where it is from.
pub(crate) fn same() -> ScalarUDF {
    function(
        "trino_same",
        &[&[Take::Any]],
        |types, _| Ok(types[0].clone()),
        |columns, _| Ok(Arc::clone(&columns[0])),
    )
}

/// The one value of a subquery, from its first one and the number of its rows.
pub(crate) fn single() -> ScalarUDF {
    use Take::{Any, Int};
    function(
        "trino_single",
        &[&[Any, Int]],
        |types, _| Ok(types[0].clone()),
        |columns, _| {
            let rows = columns[1].as_primitive::<Int64Type>();
            if rows.iter().flatten().any(|rows| rows > 1) {
                return exec_err!("{}", crate::error::MULTIPLE_ROWS);
            }
            Ok(Arc::clone(&columns[0]))
        },
    )
}

fn length_type(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    match &types[0] {
        DataType::Utf8
        | DataType::Utf8View
        | DataType::Null
        | DataType::Binary
        | DataType::BinaryView
        | DataType::Dictionary(..) => returns_bigint(types, scalars),
        other => plan_err!(
            "cannot coerce {} to text or bytes for length",
            crate::names::type_name(other)
        ),
    }
}

/// Characters of a text, bytes of bytes.
fn length(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    if matches!(
        columns[0].data_type(),
        DataType::Binary | DataType::BinaryView
    ) {
        let bytes = arrow::compute::cast(&columns[0], &DataType::Binary)?;
        return Ok(arrow::compute::cast(
            &arrow::compute::kernels::length::length(&bytes)?,
            &DataType::Int64,
        )?);
    }
    let texts = arrow::compute::cast(&columns[0], &DataType::Utf8)?;
    let lengths = texts.as_string::<i32>().iter().map(|text| {
        text.and_then(|text| {
            i64::try_from(if text.is_ascii() {
                text.len()
            } else {
                text.chars().count()
            })
            .ok()
        })
    });
    Ok(Arc::new(lengths.collect::<arrow::array::Int64Array>()))
}

/// A call that the rewrite found wrong, and why.
fn refused(scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let why = scalars
        .first()
        .copied()
        .flatten()
        .and_then(|why| why.try_as_str().flatten());
    plan_err!("{}", why.unwrap_or("the call is refused"))
}

/// A text of each text.
pub(super) fn one_text(
    columns: &[ArrayRef],
    make: impl Fn(&str) -> Result<Option<String>>,
) -> Result<ArrayRef> {
    let texts = columns[0].as_string::<i32>();
    let mut out = StringBuilder::with_capacity(texts.len(), 0);
    for text in texts {
        out.append_option(text.map(&make).transpose()?.flatten());
    }
    Ok(Arc::new(out.finish()))
}

/// Units repeated on one side up to a size, or cut to it.
pub(super) fn padded<T: Copy>(text: &[T], size: i64, fill: &[T], left: bool) -> Result<Vec<T>> {
    let Some(size) = usize::try_from(size)
        .ok()
        .filter(|size| *size <= 2_147_483_647)
    else {
        return invalid("Target length must be in the range [0..2147483647]");
    };
    if fill.is_empty() {
        return invalid("Padding string must not be empty");
    }
    if size <= text.len() {
        return Ok(text[..size].to_vec());
    }
    let filling = fill.iter().copied().cycle().take(size - text.len());
    Ok(if left {
        filling.chain(text.iter().copied()).collect()
    } else {
        text.iter().copied().chain(filling).collect()
    })
}

/// Text is filled with text, bytes with bytes.
fn pad_type(types: &[DataType]) -> Result<DataType> {
    let text = |of: &DataType| matches!(of, DataType::Utf8 | DataType::Utf8View | DataType::Null);
    let bytes = |of: &DataType| matches!(of, DataType::Binary | DataType::BinaryView);
    if text(&types[0]) && text(&types[2]) {
        Ok(DataType::Utf8)
    } else if bytes(&types[0]) && bytes(&types[2]) {
        Ok(DataType::Binary)
    } else {
        plan_err!(
            "cannot coerce {} and {} to what a pad takes",
            types[0],
            types[2]
        )
    }
}

fn pad(columns: &[ArrayRef], returns: &DataType, left: bool) -> Result<ArrayRef> {
    let (texts, fills) = (
        arrow::compute::cast(&columns[0], returns)?,
        arrow::compute::cast(&columns[2], returns)?,
    );
    if *returns == DataType::Binary {
        let sizes = columns[1].as_primitive::<Int64Type>();
        let mut out = arrow::array::BinaryBuilder::with_capacity(texts.len(), 0);
        for row in 0..texts.len() {
            if any_null(columns, row) {
                out.append_null();
            } else {
                out.append_value(padded(
                    texts.as_binary::<i32>().value(row),
                    sizes.value(row),
                    fills.as_binary::<i32>().value(row),
                    left,
                )?);
            }
        }
        return Ok(Arc::new(out.finish()));
    }
    let (texts, fills) = (texts.as_string::<i32>(), fills.as_string::<i32>());
    let sizes = columns[1].as_primitive::<Int64Type>();
    let mut out = StringBuilder::with_capacity(texts.len(), 0);
    for row in 0..texts.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let text: Vec<char> = texts.value(row).chars().collect();
        let fill: Vec<char> = fills.value(row).chars().collect();
        out.append_value(
            padded(&text, sizes.value(row), &fill, left)?
                .into_iter()
                .collect::<String>(),
        );
    }
    Ok(Arc::new(out.finish()))
}

fn chr(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = StringBuilder::with_capacity(columns[0].len(), 0);
    for code in columns[0].as_primitive::<Int64Type>() {
        let letter = code.map(
            |code| match u32::try_from(code).ok().and_then(char::from_u32) {
                Some(c) => Ok(c.to_string()),
                None => invalid(format!("Not a valid Unicode code point: {code}")),
            },
        );
        out.append_option(letter.transpose()?);
    }
    Ok(Arc::new(out.finish()))
}

fn codepoint(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = arrow::array::Int32Builder::with_capacity(columns[0].len());
    for text in columns[0].as_string::<i32>() {
        let code = text.map(|text| {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => Ok(i32::try_from(u32::from(c)).unwrap_or(i32::MAX)),
                _ => invalid(format!("codepoint takes one character, not '{text}'")),
            }
        });
        out.append_option(code.transpose()?);
    }
    Ok(Arc::new(out.finish()))
}

/// Two texts of each row and a number of them.
fn two_texts(columns: &[ArrayRef], number: impl Fn(&str, &str) -> Result<i64>) -> Result<ArrayRef> {
    let pairs = columns[0]
        .as_string::<i32>()
        .iter()
        .zip(columns[1].as_string::<i32>());
    let mut out = Int64Builder::with_capacity(columns[0].len());
    for pair in pairs {
        let value = match pair {
            (Some(left), Some(right)) => Some(number(left, right)?),
            _ => None,
        };
        out.append_option(value);
    }
    Ok(Arc::new(out.finish()))
}

fn hamming(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    two_texts(columns, |left, right| {
        if left.chars().count() != right.chars().count() {
            return invalid(
                "The input strings to hamming_distance function must have the same length",
            );
        }
        let differ = left
            .chars()
            .zip(right.chars())
            .filter(|(a, b)| a != b)
            .count();
        Ok(i64::try_from(differ).unwrap_or(i64::MAX))
    })
}

fn starts_with(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let pairs = columns[0]
        .as_string::<i32>()
        .iter()
        .zip(columns[1].as_string::<i32>());
    let found = pairs.map(|(text, start)| Some(text?.starts_with(start?)));
    Ok(Arc::new(found.collect::<arrow::array::BooleanArray>()))
}

fn luhn(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = arrow::array::BooleanBuilder::with_capacity(columns[0].len());
    for text in columns[0].as_string::<i32>() {
        let right = text.map(|text| {
            let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(10)).collect();
            let Some(digits) = digits else {
                return invalid(format!("'{text}' is not digits only"));
            };
            let doubled = |(place, digit): (usize, &u32)| match place % 2 {
                0 => *digit,
                _ => digit * 2 / 10 + digit * 2 % 10,
            };
            Ok(!digits.is_empty()
                && digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0)
        });
        out.append_option(right.transpose()?);
    }
    Ok(Arc::new(out.finish()))
}

fn replace(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (texts, searched) = (columns[0].as_string::<i32>(), columns[1].as_string::<i32>());
    let mut out = StringBuilder::with_capacity(texts.len(), 0);
    for row in 0..texts.len() {
        if any_null(columns, row) {
            out.append_null();
        } else {
            let with = columns
                .get(2)
                .map_or("", |column| column.as_string::<i32>().value(row));
            out.append_value(texts.value(row).replace(searched.value(row), with));
        }
    }
    Ok(Arc::new(out.finish()))
}

/// Characters of the second text become those at their places in the third; one without a place goes.
fn translate(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let [texts, from, to] = [0, 1, 2].map(|index: usize| columns[index].as_string::<i32>());
    let mut out = StringBuilder::with_capacity(texts.len(), 0);
    for row in 0..texts.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let to: Vec<char> = to.value(row).chars().collect();
        let turned = texts.value(row).chars().filter_map(|c| {
            match from.value(row).chars().position(|known| known == c) {
                Some(place) => to.get(place).copied(),
                None => Some(c),
            }
        });
        out.append_value(turned.collect::<String>());
    }
    Ok(Arc::new(out.finish()))
}

/// American Soundex; only ASCII letters can be coded.
fn soundex(text: &str) -> Result<String> {
    let code = |c: char| match c.to_ascii_uppercase() {
        'B' | 'F' | 'P' | 'V' => '1',
        'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => '2',
        'D' | 'T' => '3',
        'L' => '4',
        'M' | 'N' => '5',
        'R' => '6',
        'H' | 'W' => '-',
        _ => '0',
    };
    if let Some(c) = text.chars().find(|c| c.is_alphabetic() && !c.is_ascii()) {
        return invalid(format!("The character is not mapped: {c}"));
    }
    let mut letters = text.chars().filter(char::is_ascii_alphabetic);
    let Some(first) = letters.next() else {
        return Ok(String::new());
    };
    let mut out = String::from(first.to_ascii_uppercase());
    let mut last = code(first);
    for c in letters {
        let next = code(c);
        if next != '0' && next != '-' && next != last {
            out.push(next);
        }
        if next != '-' {
            last = next;
        }
        if out.len() == 4 {
            break;
        }
    }
    while out.len() < 4 {
        out.push('0');
    }
    Ok(out)
}

fn split(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (texts, delimiters) = (columns[0].as_string::<i32>(), columns[1].as_string::<i32>());
    let mut out = ListBuilder::new(StringBuilder::new());
    for row in 0..texts.len() {
        if any_null(columns, row) {
            out.append(false);
            continue;
        }
        let limit = columns.get(2).map_or(i64::MAX, |column| {
            column.as_primitive::<Int64Type>().value(row)
        });
        let (text, delimiter) = (texts.value(row), delimiters.value(row));
        if limit < 1 {
            return invalid("Limit must be positive");
        }
        if delimiter.is_empty() {
            return invalid("The delimiter may not be the empty string");
        }
        for part in text.splitn(usize::try_from(limit).unwrap_or(usize::MAX), delimiter) {
            out.values().append_value(part);
        }
        out.append(true);
    }
    Ok(Arc::new(out.finish()))
}

/// The character where the n-th occurrence starts, from the end for a negative n; 0 for none.
fn strpos(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (texts, searched) = (columns[0].as_string::<i32>(), columns[1].as_string::<i32>());
    let mut out = Int64Builder::with_capacity(texts.len());
    for row in 0..texts.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let nth = columns
            .get(2)
            .map_or(1, |column| column.as_primitive::<Int64Type>().value(row));
        if nth == 0 {
            return invalid("'instance' must not be zero");
        }
        let (text, part) = (texts.value(row), searched.value(row));
        let mut places = text
            .char_indices()
            .map(|(at, _)| at)
            .filter(|at| text[*at..].starts_with(part));
        let skip = usize::try_from(nth.unsigned_abs() - 1).unwrap_or(usize::MAX);
        let found = match (part.is_empty(), nth > 0) {
            (true, _) => Some(0),
            (false, true) => places.nth(skip),
            (false, false) => places.collect::<Vec<_>>().into_iter().rev().nth(skip),
        };
        let place = found.map_or(0, |at| text[..at].chars().count() + 1);
        out.append_value(i64::try_from(place).unwrap_or(i64::MAX));
    }
    Ok(Arc::new(out.finish()))
}

fn concat_ws_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let text = |of: &DataType| matches!(of, DataType::Utf8 | DataType::Utf8View | DataType::Null);
    let texts = |of: &DataType| matches!(of, DataType::List(element) if text(element.data_type()));
    if types.len() >= 2
        && text(&types[0])
        && (types[1..].iter().all(text) || (types.len() == 2 && texts(&types[1])))
    {
        return Ok(DataType::Utf8);
    }
    plan_err!(
        "cannot coerce the arguments of concat_ws to a separator and texts, or an array of texts"
    )
}

/// What is not null of the texts, or of an array's elements, with a separator between them.
fn concat_ws(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let separators = arrow::compute::cast(&columns[0], &DataType::Utf8)?;
    let separators = separators.as_string::<i32>();
    let list = matches!(columns[1].data_type(), DataType::List(_));
    let to = if list {
        super::list_of(DataType::Utf8)
    } else {
        DataType::Utf8
    };
    let rest = columns[1..]
        .iter()
        .map(|column| arrow::compute::cast(column, &to))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let mut out = StringBuilder::with_capacity(separators.len(), 0);
    for row in 0..separators.len() {
        if separators.is_null(row) || (list && rest[0].is_null(row)) {
            out.append_null();
            continue;
        }
        let text = if list {
            let parts = rest[0].as_list::<i32>().value(row);
            parts
                .as_string::<i32>()
                .iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(separators.value(row))
        } else {
            let parts = rest
                .iter()
                .filter(|column| column.is_valid(row))
                .map(|column| column.as_string::<i32>().value(row));
            parts.collect::<Vec<_>>().join(separators.value(row))
        };
        out.append_value(text);
    }
    Ok(Arc::new(out.finish()))
}
