//! Casts to JSON and from it, and of what is nested: rows go by the places of their fields, as in Trino.

use std::{hash::Hash, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, ListArray, MapArray, StringBuilder, StructArray},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, FieldRef},
};
use datafusion::{
    common::{Result, ScalarValue, exec_err, plan_err},
    logical_expr::{
        ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        Volatility,
    },
};

use super::value::Json;
use crate::{
    functions::{
        maps::{self, map_type},
        varchar,
    },
    names::type_name,
    sql_types::JSON,
};

/// A cast that DataFusion does not do as Trino does.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TrinoCast {
    to: DataType,
    /// NULL instead of an error.
    safe: bool,
    signature: Signature,
}

/// The function that casts to a type.
pub(crate) fn cast_to(to: DataType, safe: bool) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(TrinoCast {
        to,
        safe,
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

/// Whether a cast between these types is not DataFusion's matter.
pub(crate) fn is_ours(from: &DataType, to: &DataType) -> bool {
    let nested = |of: &DataType| {
        matches!(
            of,
            DataType::Struct(_) | DataType::Map(..) | DataType::List(_)
        )
    };
    let shown = from.is_floating() && matches!(to, DataType::Utf8 | DataType::Utf8View);
    shown
        || (*from == JSON) != (*to == JSON) && *from != DataType::Null
        || ((nested(from) || nested(to)) && from != to && *from != DataType::Null)
}

impl ScalarUDFImpl for TrinoCast {
    fn name(&self) -> &str {
        if self.safe {
            "trino_try_cast"
        } else {
            "trino_cast"
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let from = args.arg_fields[0].data_type();
        if !can(from, &self.to) {
            return plan_err!(
                "Cannot cast {} to {}: type mismatch",
                type_name(from),
                type_name(&self.to)
            );
        }
        Ok(Arc::new(Field::new(self.name(), self.to.clone(), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let column = args.args[0].to_array(args.number_rows)?;
        let whole = cast(&column, &self.to);
        if !self.safe || whole.is_ok() {
            return whole.map(ColumnarValue::Array);
        }
        // Row by row, so that only those that fail are NULL.
        let cells = (0..column.len()).map(|row| match cast(&column.slice(row, 1), &self.to) {
            Ok(value) => ScalarValue::try_from_array(&value, 0),
            Err(_) => ScalarValue::try_from(&self.to),
        });
        Ok(ColumnarValue::Array(ScalarValue::iter_to_array(
            cells.collect::<Result<Vec<_>>>()?,
        )?))
    }
}

/// Whether Trino has such a cast.
fn can(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::Null, _) | (_, DataType::Null) => true,
        (from, to) if *from == JSON || *to == JSON => {
            !matches!((from, to), (DataType::Binary, _) | (_, DataType::Binary))
        }
        (DataType::List(from), DataType::List(to)) => can(from.data_type(), to.data_type()),
        (DataType::Map(..), DataType::Map(..)) => match (map_type(from), map_type(to)) {
            (Some((key, value)), Some((to_key, to_value))) => {
                can(key, to_key) && can(value, to_value)
            }
            _ => false,
        },
        (DataType::Struct(from), DataType::Struct(to)) => {
            from.len() == to.len()
                && from
                    .iter()
                    .zip(to)
                    .all(|(from, to)| can(from.data_type(), to.data_type()))
        }
        (from, to) => !from.is_nested() && !to.is_nested(),
    }
}

/// A column as another type, in Trino's way.
pub(crate) fn cast(column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    match (column.data_type(), to) {
        (from, to) if from == to => Ok(Arc::clone(column)),
        (DataType::Null, to) => Ok(arrow::array::new_null_array(to, column.len())),
        (_, to) if *to == JSON => to_json(column),
        (from, to) if *from == JSON => from_json(column, to),
        (DataType::List(_), DataType::List(field)) => {
            let list = column.as_list::<i32>();
            let values = cast(list.values(), field.data_type())?;
            Ok(Arc::new(ListArray::try_new(
                Arc::clone(field),
                list.offsets().clone(),
                values,
                list.nulls().cloned(),
            )?))
        }
        (DataType::Map(..), DataType::Map(field, _)) => {
            let (Some((key, value)), DataType::Struct(fields)) = (map_type(to), field.data_type())
            else {
                return exec_err!("a map is expected");
            };
            let map: MapArray = maps::compact(column);
            let entries = StructArray::try_new(
                fields.clone(),
                vec![cast(map.keys(), key)?, cast(map.values(), value)?],
                None,
            )?;
            Ok(Arc::new(MapArray::try_new(
                Arc::clone(field),
                map.offsets().clone(),
                entries,
                map.nulls().cloned(),
                false,
            )?))
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let rows = column.as_struct();
            let values = rows
                .columns()
                .iter()
                .zip(fields)
                .map(|(values, field)| cast(values, field.data_type()))
                .collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(
                fields.clone(),
                values,
                rows.nulls().cloned(),
                rows.len(),
            )?))
        }
        (from, to) => plain(column, from, to),
    }
}

/// A cast of plain values inside of nested ones.
fn plain(column: &ArrayRef, from: &DataType, to: &DataType) -> Result<ArrayRef> {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    if *to == DataType::Utf8View {
        return Ok(cast_with_options(
            &plain(column, from, &DataType::Utf8)?,
            to,
            &strict,
        )?);
    }
    if *to == DataType::Utf8 && (from.is_floating() || from.is_temporal()) {
        let texts = (0..column.len()).map(|row| {
            let value = ScalarValue::try_from_array(column, row)?;
            if value.is_null() {
                Ok(None)
            } else {
                varchar(&value).map(Some)
            }
        });
        return Ok(Arc::new(
            texts.collect::<Result<arrow::array::StringArray>>()?,
        ));
    }
    if to.is_integer() && from.is_floating() {
        let doubles = cast_with_options(column, &DataType::Float64, &strict)?;
        let rounded: arrow::array::Float64Array = doubles
            .as_primitive::<arrow::datatypes::Float64Type>()
            .unary(|value: f64| value.round());
        return Ok(cast_with_options(&rounded, to, &strict)?);
    }
    Ok(cast_with_options(column, to, &strict)?)
}

/// `CAST(x AS JSON)`.
pub(super) fn to_json(column: &ArrayRef) -> Result<ArrayRef> {
    let mut out = arrow::array::LargeStringBuilder::with_capacity(column.len(), 0);
    for row in 0..column.len() {
        let value = ScalarValue::try_from_array(column, row)?;
        out.append_option(if value.is_null() {
            None
        } else {
            Some(json_of(&value)?.text())
        });
    }
    Ok(Arc::new(out.finish()))
}

/// A value as JSON.
pub(super) fn json_of(value: &ScalarValue) -> Result<Json> {
    if value.is_null() {
        return Ok(Json::Null);
    }
    Ok(match value {
        ScalarValue::LargeUtf8(Some(text)) => Json::parse(text).unwrap_or(Json::Null),
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            Json::Text(text.clone())
        }
        ScalarValue::Boolean(Some(value)) => Json::Bool(*value),
        ScalarValue::Float64(Some(number)) if !number.is_finite() => {
            Json::Text(crate::functions::printf::java_double(*number))
        }
        ScalarValue::Float32(Some(number)) if !number.is_finite() => {
            Json::Text(crate::functions::printf::java_float(*number))
        }
        ScalarValue::Float64(Some(number)) => {
            Json::Number(crate::functions::printf::java_double(*number))
        }
        ScalarValue::Float32(Some(number)) => {
            Json::Number(crate::functions::printf::java_float(*number))
        }
        ScalarValue::List(list) => {
            let items = list.value(0);
            let items =
                (0..items.len()).map(|at| json_of(&ScalarValue::try_from_array(&items, at)?));
            Json::Array(items.collect::<Result<_>>()?)
        }
        ScalarValue::Map(map) => {
            let column: ArrayRef = Arc::clone(map) as ArrayRef;
            let pairs = maps::pairs(&column, 0)?.unwrap_or_default();
            let mut fields = pairs
                .iter()
                .map(|(key, value)| Ok((varchar(key)?, json_of(value)?)))
                .collect::<Result<Vec<_>>>()?;
            fields.sort_by(|left, right| left.0.cmp(&right.0));
            Json::Object(fields)
        }
        ScalarValue::Struct(row) => {
            let fields = row.fields().iter().enumerate().map(|(index, field)| {
                // A field that was given no name has none in JSON.
                let name = if *field.name() == format!("field{index}") {
                    String::new()
                } else {
                    field.name().clone()
                };
                Ok((
                    name,
                    json_of(&ScalarValue::try_from_array(row.column(index), 0)?)?,
                ))
            });
            Json::Object(fields.collect::<Result<_>>()?)
        }
        other if other.data_type().is_numeric() => Json::Number(varchar(other)?),
        other if other.data_type().is_temporal() => Json::Text(varchar(other)?),
        other => {
            return plan_err!(
                "Cannot cast {} to json: type mismatch",
                type_name(&other.data_type())
            );
        }
    })
}

fn from_json(column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let texts = column.as_string::<i64>();
    if *to == DataType::Utf8 {
        let mut out = StringBuilder::with_capacity(texts.len(), 0);
        for text in texts {
            let value = text
                .map(|text| value_of(&Json::parse(text).unwrap_or(Json::Null), to, text))
                .transpose()?;
            out.append_option(
                value.and_then(|value| value.try_as_str().flatten().map(str::to_owned)),
            );
        }
        return Ok(Arc::new(out.finish()));
    }
    let mut cells = Vec::with_capacity(texts.len());
    for text in texts {
        cells.push(match text {
            Some(text) => value_of(&Json::parse(text).unwrap_or(Json::Null), to, text)?,
            None => ScalarValue::try_from(to)?,
        });
    }
    if cells.is_empty() {
        return Ok(arrow::array::new_null_array(to, 0));
    }
    Ok(arrow::compute::cast(
        &ScalarValue::iter_to_array(cells)?,
        to,
    )?)
}

/// A value of JSON as one of a type.
pub(super) fn value_of(json: &Json, to: &DataType, whole: &str) -> Result<ScalarValue> {
    let wrong = || {
        exec_err!(
            "INVALID_CAST_ARGUMENT: Cannot cast to {}. JSON: {whole}",
            type_name(to)
        )
    };
    if *to == JSON {
        return Ok(ScalarValue::LargeUtf8(Some(json.text())));
    }
    match (json, to) {
        (Json::Null, to) => ScalarValue::try_from(to),
        (Json::Array(items), DataType::List(field)) => {
            let cells = items
                .iter()
                .map(|item| value_of(item, field.data_type(), whole))
                .collect::<Result<Vec<_>>>()?;
            Ok(ScalarValue::List(ScalarValue::new_list_nullable(
                &cells,
                field.data_type(),
            )))
        }
        (Json::Object(fields), DataType::Map(..)) => {
            let Some((key, value)) = map_type(to) else {
                return wrong();
            };
            let mut pairs: Vec<(ScalarValue, ScalarValue)> = Vec::new();
            for (name, json) in fields {
                let pair = (
                    value_of(&Json::Text(name.clone()), key, whole)?,
                    value_of(json, value, whole)?,
                );
                if pairs.iter().any(|(known, _)| *known == pair.0) {
                    return exec_err!(
                        "INVALID_CAST_ARGUMENT: Cannot cast to {}. Duplicate keys are not allowed. JSON: {whole}",
                        type_name(to)
                    );
                }
                pairs.push(pair);
            }
            let column = maps::from_pairs(vec![Some(pairs)], to)?;
            ScalarValue::try_from_array(&column, 0)
        }
        (Json::Array(items), DataType::Struct(fields)) => {
            if items.len() != fields.len() {
                return wrong();
            }
            row(items.iter().map(Some).collect(), fields, whole)
        }
        (Json::Object(given), DataType::Struct(fields)) => {
            let value = |field: &FieldRef| {
                given
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(field.name()))
                    .map(|(_, value)| value)
            };
            row(fields.iter().map(value).collect(), fields, whole)
        }
        (_, DataType::List(_) | DataType::Map(..) | DataType::Struct(_)) => wrong(),
        (Json::Array(_) | Json::Object(_), _) => wrong(),
        (json, to) => scalar(json, to).map_or_else(wrong, Ok),
    }
}

fn row(
    values: Vec<Option<&Json>>,
    fields: &arrow::datatypes::Fields,
    whole: &str,
) -> Result<ScalarValue> {
    let columns = values.into_iter().zip(fields).map(|(value, field)| {
        let cell = value.map_or_else(
            || ScalarValue::try_from(field.data_type()),
            |json| value_of(json, field.data_type(), whole),
        )?;
        Ok(arrow::compute::cast(
            &cell.to_array_of_size(1)?,
            field.data_type(),
        )?)
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok(ScalarValue::Struct(Arc::new(
        StructArray::try_new_with_length(fields.clone(), columns, None, 1)?,
    )))
}

/// A text, number or truth value as one of a plain type.
fn scalar(json: &Json, to: &DataType) -> Option<ScalarValue> {
    let text = json.scalar()?;
    match (json, to) {
        (_, DataType::Utf8 | DataType::Utf8View) => Some(ScalarValue::Utf8(Some(text))),
        (Json::Bool(value), DataType::Boolean) => Some(ScalarValue::Boolean(Some(*value))),
        (Json::Bool(value), to) if to.is_numeric() => {
            ScalarValue::Int64(Some(i64::from(*value))).cast_to(to).ok()
        }
        (Json::Number(digits), DataType::Boolean) => Some(ScalarValue::Boolean(Some(
            digits.parse::<f64>().ok()? != 0.0,
        ))),
        (Json::Text(text), DataType::Boolean) => match text.to_lowercase().as_str() {
            "true" | "t" | "1" => Some(ScalarValue::Boolean(Some(true))),
            "false" | "f" | "0" => Some(ScalarValue::Boolean(Some(false))),
            _ => None,
        },
        (Json::Number(digits), to) if to.is_integer() => {
            let whole = digits.parse::<i64>().ok().or_else(|| {
                let rounded = digits.parse::<f64>().ok()?.round();
                (rounded.abs() < 9.2e18).then_some(rounded as i64)
            })?;
            exact(&ScalarValue::Int64(Some(whole)), to)
        }
        (Json::Text(text), to) if to.is_integer() => {
            exact(&ScalarValue::Int64(Some(text.parse().ok()?)), to)
        }
        (_, DataType::Float64) => Some(ScalarValue::Float64(Some(text.parse().ok()?))),
        (_, DataType::Float32) => Some(ScalarValue::Float32(Some(text.parse().ok()?))),
        (_, DataType::Decimal128(precision, scale)) => decimal(&text, *precision, *scale),
        (Json::Text(text), to) if to.is_temporal() => {
            exact(&ScalarValue::Utf8(Some(text.clone())), to)
        }
        _ => None,
    }
}

fn exact(value: &ScalarValue, to: &DataType) -> Option<ScalarValue> {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let column = value.to_array_of_size(1).ok()?;
    ScalarValue::try_from_array(&cast_with_options(&column, to, &strict).ok()?, 0).ok()
}

/// Digits as a decimal, rounded half up; nothing when it does not fit.
fn decimal(text: &str, precision: u8, scale: i8) -> Option<ScalarValue> {
    let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let power: i32 = power.parse().ok()?;
    let (negative, mantissa) = mantissa
        .strip_prefix('-')
        .map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let shift = i32::from(scale) + power - i32::try_from(fraction.len()).ok()?;
    let unscaled = if shift >= 0 {
        digits.checked_mul(10_i128.checked_pow(shift.unsigned_abs())?)?
    } else {
        let cut = 10_i128.checked_pow(shift.unsigned_abs())?;
        digits / cut + i128::from(digits % cut * 2 >= cut)
    };
    let fits = unscaled < 10_i128.checked_pow(u32::from(precision))?;
    fits.then(|| {
        ScalarValue::Decimal128(
            Some(if negative { -unscaled } else { unscaled }),
            precision,
            scale,
        )
    })
}
