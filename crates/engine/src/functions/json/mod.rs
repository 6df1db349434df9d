//! JSON: a type of its own, in Trino's canonical text; functions take it or a text that is JSON.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Int64Array, LargeStringBuilder, StringBuilder,
    },
    datatypes::{DataType, Int64Type},
};
use datafusion::{
    common::{Result, ScalarValue, plan_err},
    logical_expr::ScalarUDF,
};

use super::{Repeated, Take, any_null, function, invalid, returns_bigint, returns_text};
use crate::sql_types::JSON;

mod cast;
mod path;
mod sql;
mod value;

pub(crate) use cast::{cast, cast_to, is_ours};
use value::Json;

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::{Any, Int, Json as Doc, Text};
    let boolean: super::Returns = |_, _| Ok(DataType::Boolean);
    let mut all = vec![
        function("is_json_scalar", &[&[Doc]], boolean, is_scalar),
        function("json_array_contains", &[&[Doc, Any]], boolean, contains),
        function("json_array_get", &[&[Doc, Int]], returns_json, array_get),
        function(
            "json_array_length",
            &[&[Doc]],
            returns_bigint,
            |columns, _| lengths(columns),
        ),
        function(
            "json_extract",
            &[&[Doc, Text]],
            returns_json,
            |columns, _| {
                let mut out = LargeStringBuilder::new();
                extracted(columns, |found| out.append_option(found.map(Json::text)))?;
                Ok(Arc::new(out.finish()))
            },
        ),
        function(
            "json_extract_scalar",
            &[&[Doc, Text]],
            returns_text,
            |columns, _| {
                let mut out = StringBuilder::new();
                extracted(columns, |found| {
                    out.append_option(found.and_then(Json::scalar))
                })?;
                Ok(Arc::new(out.finish()))
            },
        ),
        function("json_format", &[&[Any]], returns_format, |columns, _| {
            Ok(arrow::compute::cast(&columns[0], &DataType::Utf8)?)
        }),
        function("json_parse", &[&[Text]], returns_json, |columns, _| {
            parsed(
                columns,
                "INVALID_FUNCTION_ARGUMENT: Cannot convert value to JSON",
            )
        }),
        function(
            "json_size",
            &[&[Doc, Text]],
            returns_bigint,
            |columns, _| {
                let mut out = Vec::new();
                extracted(columns, |found| {
                    out.push(found.map(|found| match found {
                        Json::Array(items) => i64::try_from(items.len()).unwrap_or(i64::MAX),
                        Json::Object(fields) => i64::try_from(fields.len()).unwrap_or(i64::MAX),
                        _ => 0,
                    }));
                })?;
                Ok(Arc::new(Int64Array::from(out)))
            },
        ),
        function(
            "trino_json_literal",
            &[&[Text]],
            returns_json,
            |columns, _| parsed(columns, "INVALID_LITERAL: not a valid JSON literal"),
        ),
        function("trino_to_json", &[&[Any]], returns_json, |columns, _| {
            cast::to_json(&columns[0])
        }),
    ];
    all.extend(sql::functions());
    all
}

pub(super) fn returns_json(_: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(JSON)
}

fn returns_format(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match &types[0] {
        of if *of == JSON || *of == DataType::Null => Ok(DataType::Utf8),
        other => plan_err!(
            "cannot coerce {} to json for json_format",
            crate::names::type_name(other)
        ),
    }
}

/// The texts of a column of JSON or text.
fn texts(column: &ArrayRef) -> Result<arrow::array::StringArray> {
    Ok(arrow::compute::cast(column, &DataType::Utf8)?
        .as_string::<i32>()
        .clone())
}

fn parsed(columns: &[ArrayRef], wrong: &str) -> Result<ArrayRef> {
    let mut out = LargeStringBuilder::new();
    for text in columns[0].as_string::<i32>() {
        let Some(text) = text else {
            out.append_null();
            continue;
        };
        match Json::parse(text) {
            Some(json) => out.append_value(json.canonical().text()),
            None => return datafusion::common::exec_err!("{wrong}: '{text}'"),
        }
    }
    Ok(Arc::new(out.finish()))
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    /// A number behind a dot or without quotes: an index of an array, a key of an object.
    Either(String),
}

/// `$`, `$.a.b[0]`, `$["a b"]`, `$['a']`, and without the `$` as Trino takes it.
fn path(text: &str) -> Result<Vec<Step>> {
    let wrong = || {
        let asks = text.contains(['*', '?']) || text.contains("..");
        let advice = if asks {
            " ('..', '*' and '?(…)' are for json_query, json_value and json_exists)"
        } else {
            ""
        };
        invalid(format!("Invalid JSON path: '{text}'{advice}"))
    };
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '$');
    let Some(mut rest) = text.strip_prefix('$') else {
        return wrong();
    };
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            if end == 0 || !after[..end].chars().all(is_plain) {
                return wrong();
            }
            steps.push(Step::Either(after[..end].to_owned()));
            rest = &after[end..];
            continue;
        }
        let Some(after) = rest.strip_prefix('[') else {
            return wrong();
        };
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        if let Some(quote) = quote {
            let mut key = String::new();
            let mut chars = after[1..].char_indices();
            let end = loop {
                match chars.next() {
                    Some((_, '\\')) => key.extend(chars.next().map(|(_, c)| c)),
                    Some((at, c)) if c == quote => break at + 2,
                    Some((_, c)) => key.push(c),
                    None => return wrong(),
                }
            };
            steps.push(Step::Key(key));
            let Some(next) = after[end..].strip_prefix(']') else {
                return wrong();
            };
            rest = next;
        } else {
            let Some((inside, next)) = after.split_once(']') else {
                return wrong();
            };
            let inside = inside.trim();
            if inside.is_empty() || !inside.chars().all(is_plain) || inside.starts_with('-') {
                return wrong();
            }
            steps.push(Step::Either(inside.to_owned()));
            rest = next;
        }
    }
    Ok(steps)
}

fn follow<'a>(value: &'a Json, steps: &[Step]) -> Option<&'a Json> {
    steps.iter().try_fold(value, |value, step| {
        let (key, index) = match step {
            Step::Key(key) => (key.as_str(), None::<usize>),
            Step::Either(text) => (text.as_str(), text.parse().ok()),
        };
        match value {
            Json::Array(items) => items.get(index?),
            other => other.get(key),
        }
    })
}

/// What each path finds; text that is no JSON has nothing to find.
fn extracted(columns: &[ArrayRef], mut told: impl FnMut(Option<&Json>)) -> Result<()> {
    let (texts, paths) = (texts(&columns[0])?, columns[1].as_string::<i32>());
    let mut known = Repeated::new();
    for row in 0..texts.len() {
        if any_null(columns, row) {
            told(None);
            continue;
        }
        let steps = known.get(paths.value(row), path)?;
        let json = Json::parse(texts.value(row));
        told(json.as_ref().and_then(|json| follow(json, steps)));
    }
    Ok(())
}

fn lengths(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = texts(&columns[0])?;
    let lengths = texts.iter().map(|text| match Json::parse(text?)? {
        Json::Array(items) => i64::try_from(items.len()).ok(),
        _ => None,
    });
    Ok(Arc::new(lengths.collect::<Int64Array>()))
}

fn is_scalar(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = Vec::new();
    for text in &texts(&columns[0])? {
        let Some(text) = text else {
            out.push(None);
            continue;
        };
        match Json::parse(text) {
            Some(json) => out.push(Some(!matches!(json, Json::Array(_) | Json::Object(_)))),
            None => return invalid(format!("Invalid JSON value: {text}")),
        }
    }
    Ok(Arc::new(BooleanArray::from(out)))
}

/// Whether an array holds a scalar of the same kind.
fn contains(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let texts = texts(&columns[0])?;
    let answers = (0..texts.len()).map(|row| {
        if any_null(columns, row) {
            return Ok(None);
        }
        let Some(Json::Array(items)) = Json::parse(texts.value(row)) else { return Ok(None) };
        let value = ScalarValue::try_from_array(&columns[1], row)?;
        let equal: Box<dyn Fn(&Json) -> bool> = match &value {
            ScalarValue::Boolean(Some(wanted)) => Box::new(move |item| *item == Json::Bool(*wanted)),
            ScalarValue::Utf8(Some(wanted)) | ScalarValue::Utf8View(Some(wanted)) => Box::new(move |item| *item == Json::Text(wanted.clone())),
            other if other.data_type().is_integer() => {
                let wanted = super::varchar(other)?;
                Box::new(move |item| matches!(item, Json::Number(digits) if *digits == wanted))
            }
            other => {
                let ScalarValue::Float64(Some(wanted)) = other.cast_to(&DataType::Float64)? else { return Ok(None) };
                // A whole number is no double here.
                Box::new(move |item| matches!(item, Json::Number(digits) if digits.contains(['.', 'e', 'E']) && digits.parse() == Ok(wanted)))
            }
        };
        Ok(Some(items.iter().any(equal)))
    });
    Ok(Arc::new(answers.collect::<Result<BooleanArray>>()?))
}

/// The element at a place that counts from 0, or from the end for a negative one; texts without their quotes.
fn array_get(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (texts, places) = (texts(&columns[0])?, columns[1].as_primitive::<Int64Type>());
    let mut out = LargeStringBuilder::new();
    for row in 0..texts.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let found = match Json::parse(texts.value(row)) {
            Some(Json::Array(items)) => {
                let place = places.value(row);
                let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let at = if place < 0 {
                    count.saturating_add(place)
                } else {
                    place
                };
                usize::try_from(at)
                    .ok()
                    .and_then(|at| items.into_iter().nth(at))
            }
            _ => None,
        };
        out.append_option(found.and_then(|found| match found {
            Json::Null => None,
            Json::Text(text) => Some(text),
            other => Some(other.text()),
        }));
    }
    Ok(Arc::new(out.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_take_keys_and_indexes() {
        let steps = path("$.a[0]['b c'].d").unwrap();
        assert_eq!(
            steps,
            [
                Step::Either("a".into()),
                Step::Either("0".into()),
                Step::Key("b c".into()),
                Step::Either("d".into())
            ]
        );
        for wrong in ["a", "$.", "$[", "$[]", "$['a"] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
    }
}
