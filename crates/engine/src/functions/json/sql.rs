//! `json_value`, `json_query`, `json_exists`, `json_object` and `json_array`. Their clauses stand in the first argument
//! (made by `crate::tokens`), as one letter each.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanBuilder, StringBuilder},
    compute::cast,
    datatypes::DataType,
};
use datafusion::{
    common::{Result, ScalarValue, exec_err, plan_err},
    logical_expr::ScalarUDF,
};

use super::{
    cast::json_of,
    path::{Path, Scope},
    value::Json,
};
use crate::functions::{Repeated, Take, variadic};

pub(super) fn functions() -> Vec<ScalarUDF> {
    let any = Take::Any;
    vec![
        variadic("trino_json_array", any, |_, _| Ok(DataType::Utf8), array),
        variadic(
            "trino_json_exists",
            any,
            |types, scalars| checked(types, scalars, DataType::Boolean),
            exists,
        ),
        variadic("trino_json_object", any, |_, _| Ok(DataType::Utf8), object),
        variadic(
            "trino_json_query",
            any,
            |types, scalars| checked(types, scalars, DataType::Utf8),
            query,
        ),
        variadic(
            "trino_json_value",
            any,
            |types, scalars| checked(types, scalars, DataType::Utf8),
            value,
        ),
    ]
}

/// A path that is no path is refused before anything runs.
fn checked(
    _: &[DataType],
    scalars: &[Option<&ScalarValue>],
    returns: DataType,
) -> Result<DataType> {
    if let Some(path) = scalars
        .get(2)
        .copied()
        .flatten()
        .and_then(|path| path.try_as_str().flatten())
        && let Err(why) = Path::parse(path)
    {
        return plan_err!("INVALID_PATH: {why}");
    }
    Ok(returns)
}

/// The arguments of the functions that follow a path: clauses, input, path, defaults for empty and error, then names and
/// values.
struct Asked<'a> {
    clauses: Vec<&'a str>,
    columns: &'a [ArrayRef],
    inputs: arrow::array::StringArray,
}

impl<'a> Asked<'a> {
    fn new(columns: &'a [ArrayRef]) -> Result<Self> {
        let clauses = columns[0].as_string::<i32>();
        let clauses = if clauses.is_empty() {
            Vec::new()
        } else {
            clauses.value(0).split(',').collect()
        };
        let inputs = cast(&columns[1], &DataType::Utf8)?
            .as_string::<i32>()
            .clone();
        Ok(Self {
            clauses,
            columns,
            inputs,
        })
    }

    fn clause(&self, name: &str) -> Option<&'a str> {
        self.clauses
            .iter()
            .find_map(|clause| clause.strip_prefix(name)?.strip_prefix('='))
    }

    /// Nothing for a NULL input; else what the path finds, or why it finds nothing.
    fn found(
        &self,
        row: usize,
        known: &mut Repeated<Path>,
    ) -> Result<Option<std::result::Result<Vec<Json>, String>>> {
        if self.inputs.is_null(row) {
            return Ok(None);
        }
        let path = known.get(self.columns[2].as_string::<i32>().value(row), |text| {
            Path::parse(text).or_else(|why| exec_err!("INVALID_PATH: {why}"))
        })?;
        let Some(root) = Json::parse(self.inputs.value(row)) else {
            return Ok(Some(Err("the input is no JSON".to_owned())));
        };
        let mut variables = Vec::new();
        let formats = self.clause("json").unwrap_or_default();
        for (index, pair) in self.columns[5..].chunks(2).enumerate() {
            let name = pair[0].as_string::<i32>().value(row).to_owned();
            let value = ScalarValue::try_from_array(&pair[1], row)?;
            let value = match (formats.as_bytes().get(index), value.try_as_str()) {
                (Some(b'1'), Some(Some(text))) => Json::parse(text),
                (_, _) if matches!(value, ScalarValue::IntervalMonthDayNano(_)) => {
                    Some(Json::Text(interval(&value)))
                }
                _ => Some(json_of(&value)?),
            };
            if value.is_none() {
                return Ok(Some(Err(format!("the value of ${name} is no JSON"))));
            }
            variables.push((name, value));
        }
        Ok(Some(path.ask(&Scope {
            root: &root,
            variables: &variables,
        })))
    }

    /// A default, where the clause asks for one.
    fn default(
        &self,
        clause: &str,
        column: usize,
        row: usize,
        why: &str,
    ) -> Result<Option<String>> {
        match self.clause(clause) {
            Some("error") => exec_err!("JSON_VALUE_RESULT_ERROR: {why}"),
            Some("default") => {
                let texts = cast(&self.columns[column], &DataType::Utf8)?;
                let texts = texts.as_string::<i32>();
                Ok(texts.is_valid(row).then(|| texts.value(row).to_owned()))
            }
            Some("array") => Ok(Some("[]".to_owned())),
            Some("object") => Ok(Some("{}".to_owned())),
            _ => Ok(None),
        }
    }
}

/// `2 00:00:00.000`, as Trino writes days to seconds.
fn interval(value: &ScalarValue) -> String {
    let ScalarValue::IntervalMonthDayNano(Some(value)) = value else {
        return String::new();
    };
    if value.months != 0 {
        let sign = if value.months < 0 { "-" } else { "" };
        return format!(
            "{sign}{}-{}",
            value.months.abs() / 12,
            value.months.abs() % 12
        );
    }
    let millis = i64::from(value.days) * 86_400_000 + value.nanoseconds / 1_000_000;
    let (sign, millis) = (if millis < 0 { "-" } else { "" }, millis.abs());
    let (days, rest) = (millis / 86_400_000, millis % 86_400_000);
    format!(
        "{sign}{days} {:02}:{:02}:{:02}.{:03}",
        rest / 3_600_000,
        rest / 60_000 % 60,
        rest / 1_000 % 60,
        rest % 1_000
    )
}

fn exists(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let asked = Asked::new(columns)?;
    let (mut known, mut out) = (Repeated::new(), BooleanBuilder::new());
    for row in 0..asked.inputs.len() {
        out.append_option(match asked.found(row, &mut known)? {
            None => None,
            Some(Ok(items)) => Some(!items.is_empty()),
            Some(Err(why)) => match asked.clause("error") {
                Some("true") => Some(true),
                Some("unknown") => None,
                Some("error") => return exec_err!("JSON_INPUT_CONVERSION_ERROR: {why}"),
                _ => Some(false),
            },
        });
    }
    Ok(Arc::new(out.finish()))
}

fn value(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let asked = Asked::new(columns)?;
    let (mut known, mut out) = (Repeated::new(), StringBuilder::new());
    for row in 0..asked.inputs.len() {
        let told = match asked.found(row, &mut known)? {
            None => None,
            Some(Err(why)) => asked.default("error", 4, row, &why)?,
            Some(Ok(items)) => match items.as_slice() {
                [] => asked.default("empty", 3, row, "the path finds nothing")?,
                [Json::Null] => None,
                [item] => match item.scalar() {
                    Some(text) => Some(text),
                    None => asked.default("error", 4, row, "the path finds no scalar")?,
                },
                _ => asked.default("error", 4, row, "the path finds several items")?,
            },
        };
        out.append_option(told);
    }
    Ok(Arc::new(out.finish()))
}

fn query(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let asked = Asked::new(columns)?;
    let (mut known, mut out) = (Repeated::new(), StringBuilder::new());
    for row in 0..asked.inputs.len() {
        let told = match asked.found(row, &mut known)? {
            None => None,
            Some(Err(why)) => asked.default("error", 4, row, &why)?,
            Some(Ok(items)) => wrapped(&asked, items, row)?,
        };
        out.append_option(told);
    }
    Ok(Arc::new(out.finish()))
}

fn wrapped(asked: &Asked, mut items: Vec<Json>, row: usize) -> Result<Option<String>> {
    if items.is_empty() {
        return asked.default("empty", 3, row, "the path finds nothing");
    }
    let single =
        items.len() == 1 && matches!(items.first(), Some(Json::Array(_) | Json::Object(_)));
    match asked.clause("wrapper") {
        Some("always") => items = vec![Json::Array(items)],
        Some("conditional") if !single => items = vec![Json::Array(items)],
        _ => {}
    }
    match items.as_slice() {
        [Json::Text(text)] if asked.clause("quotes") == Some("omit") => Ok(Some(text.clone())),
        [item] => Ok(Some(item.text())),
        _ => asked.default("error", 4, row, "the path finds several items"),
    }
}

/// One value of a constructor; `1` marks text that is JSON.
fn constructed(column: &ArrayRef, row: usize, format: bool) -> Result<Json> {
    let value = ScalarValue::try_from_array(column, row)?;
    if format {
        return match value.try_as_str() {
            Some(Some(text)) => Json::parse(text).map_or_else(
                || exec_err!("JSON_INPUT_CONVERSION_ERROR: '{text}' is no JSON"),
                Ok,
            ),
            _ => Ok(Json::Null),
        };
    }
    json_of(&value)
}

fn array(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = StringBuilder::new();
    for row in 0..columns[0].len() {
        let clauses = columns[0].as_string::<i32>().value(row);
        let (nulls, formats) = clauses.split_once(',').unwrap_or((clauses, ""));
        let items = columns[1..].iter().enumerate().map(|(index, column)| {
            constructed(column, row, formats.as_bytes().get(index) == Some(&b'1'))
        });
        let mut items = items.collect::<Result<Vec<_>>>()?;
        if nulls == "absent" {
            items.retain(|item| *item != Json::Null);
        }
        out.append_value(Json::Array(items).text());
    }
    Ok(Arc::new(out.finish()))
}

fn object(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = StringBuilder::new();
    for row in 0..columns[0].len() {
        let clauses: Vec<&str> = columns[0]
            .as_string::<i32>()
            .value(row)
            .split(',')
            .collect();
        let formats = clauses.get(2).copied().unwrap_or_default();
        let mut fields: Vec<(String, Json)> = Vec::new();
        for (index, pair) in columns[1..].chunks(2).enumerate() {
            let keys = cast(&pair[0], &DataType::Utf8)?;
            let keys = keys.as_string::<i32>();
            if keys.is_null(row) {
                return exec_err!(
                    "INVALID_FUNCTION_ARGUMENT: null value passed for JSON object key to JSON_OBJECT function"
                );
            }
            let key = keys.value(row).to_owned();
            let value = constructed(&pair[1], row, formats.as_bytes().get(index) == Some(&b'1'))?;
            if value == Json::Null && clauses.first() == Some(&"absent") {
                continue;
            }
            let known = fields.iter().any(|(known, _)| *known == key);
            if known {
                return exec_err!(
                    "INVALID_FUNCTION_ARGUMENT: duplicate key passed to JSON_OBJECT function: {key}"
                );
            }
            fields.push((key, value));
        }
        out.append_value(Json::Object(fields).text());
    }
    Ok(Arc::new(out.finish()))
}
