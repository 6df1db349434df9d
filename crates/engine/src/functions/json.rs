//! JSON inside text columns, by the simple paths Trino's `json_extract` takes.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, StringBuilder},
    datatypes::DataType,
};
use datafusion::{common::Result, logical_expr::ScalarUDF};
use serde_json::Value;

use super::{Repeated, Take, any_null, function, invalid, returns_text};

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::Text;
    vec![
        function(
            "json_extract_scalar",
            &[&[Text, Text]],
            returns_text,
            |columns, _| extract(columns, scalar),
        ),
        function(
            "json_extract",
            &[&[Text, Text]],
            returns_text,
            |columns, _| extract(columns, |value| Some(value.to_string())),
        ),
        function(
            "json_array_length",
            &[&[Text]],
            super::returns_bigint,
            array_length,
        ),
    ]
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// `$`, `$.a.b[0]`, `$["a b"]`, `$['a']`.
fn path(text: &str) -> Result<Vec<Step>> {
    let wrong = || invalid(format!("Invalid JSON path: '{text}'"));
    let Some(mut rest) = text.trim().strip_prefix('$') else {
        return wrong();
    };
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            if end == 0 {
                return wrong();
            }
            steps.push(Step::Key(after[..end].to_owned()));
            rest = &after[end..];
            continue;
        }
        let Some(after) = rest.strip_prefix('[') else {
            return wrong();
        };
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        if let Some(quote) = quote {
            let inside = &after[1..];
            let Some(end) = inside.find(quote) else {
                return wrong();
            };
            steps.push(Step::Key(inside[..end].to_owned()));
            let Some(next) = inside[end + 1..].strip_prefix(']') else {
                return wrong();
            };
            rest = next;
        } else {
            let Some((inside, next)) = after.split_once(']') else {
                return wrong();
            };
            let Ok(index) = inside.trim().parse() else {
                return wrong();
            };
            steps.push(Step::Index(index));
            rest = next;
        }
    }
    Ok(steps)
}

fn follow<'a>(value: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

/// The value as text when it is one; null for objects, lists and JSON's null.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Text that is no JSON gives null, as a path that leads nowhere does.
fn extract(columns: &[ArrayRef], shown: impl Fn(&Value) -> Option<String>) -> Result<ArrayRef> {
    let (texts, paths) = (columns[0].as_string::<i32>(), columns[1].as_string::<i32>());
    let mut out = StringBuilder::with_capacity(texts.len(), 0);
    let mut known = Repeated::new();
    for row in 0..texts.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let steps = known.get(paths.value(row), path)?;
        let parsed: Option<Value> = serde_json::from_str(texts.value(row)).ok();
        out.append_option(
            parsed
                .as_ref()
                .and_then(|value| follow(value, steps))
                .and_then(&shown),
        );
    }
    Ok(Arc::new(out.finish()))
}

fn array_length(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let texts = columns[0].as_string::<i32>();
    let lengths = texts.iter().map(|text| {
        let value: Value = serde_json::from_str(text?).ok()?;
        value
            .as_array()
            .and_then(|array| i64::try_from(array.len()).ok())
    });
    Ok(Arc::new(lengths.collect::<arrow::array::Int64Array>()))
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
                Step::Key("a".into()),
                Step::Index(0),
                Step::Key("b c".into()),
                Step::Key("d".into())
            ]
        );
        for wrong in ["a", "$.", "$[", "$[x]", "$['a"] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
    }
}
