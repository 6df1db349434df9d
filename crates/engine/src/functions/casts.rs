//! Casts between plain types that Arrow does not do, or does otherwise.

use std::{hash::Hash, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, StringArray},
    datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, TimeUnit},
};
use datafusion::{
    common::{Result, ScalarValue, exec_err, not_impl_err, plan_err},
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
};

use super::{Take, function, moments, returns_text};
use crate::names::type_name;

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::{Any, Int, Text};
    vec![
        function("to_zoned", &[&[Any, Int]], returns_zoned, |columns, to| {
            casted(&columns[0], to, false)
        }),
        function(
            "try_to_zoned",
            &[&[Any, Int]],
            returns_zoned,
            |columns, to| casted(&columns[0], to, true),
        ),
        function(
            "varchar_cut",
            &[&[Any, Text, Int]],
            returns_text,
            |columns, _| varchar_cut(columns, false),
        ),
        function(
            "try_varchar_cut",
            &[&[Any, Text, Int]],
            returns_text,
            |columns, _| varchar_cut(columns, true),
        ),
        function(
            "no_interval",
            &[&[Text]],
            |_, _| plan_err!("an interval's text does not fit its fields, as in INTERVAL '1' DAY"),
            |columns, _| Ok(Arc::clone(&columns[0])),
        ),
    ]
}

/// A timestamp keeps its zone, a constant text has the one that is written, all else is UTC's.
fn returns_zoned(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let unit = match scalars.get(1).copied().flatten() {
        Some(ScalarValue::Int64(Some(0))) => TimeUnit::Second,
        Some(ScalarValue::Int64(Some(3))) => TimeUnit::Millisecond,
        Some(ScalarValue::Int64(Some(6))) => TimeUnit::Microsecond,
        Some(ScalarValue::Int64(Some(9))) => TimeUnit::Nanosecond,
        _ => return not_impl_err!("such digits of a timestamp are not supported: 0, 3, 6 or 9"),
    };
    let written = scalars.first().copied().flatten();
    let zone = match &types[0] {
        DataType::Timestamp(_, Some(zone)) => Arc::clone(zone),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Null => "UTC".into(),
        of if is_text(of) => written
            .and_then(|text| moments::read(text.try_as_str().flatten()?).ok()?.zone)
            .unwrap_or_else(|| "UTC".to_owned())
            .into(),
        other => {
            return plan_err!(
                "type mismatch: Cannot cast {} to timestamp with time zone",
                type_name(other)
            );
        }
    };
    Ok(DataType::Timestamp(unit, Some(zone)))
}

/// `CAST(x AS varchar(n))`: a text is cut, all else has to fit.
fn varchar_cut(columns: &[ArrayRef], lenient: bool) -> Result<ArrayRef> {
    let given = columns[0].data_type();
    let cuts = is_text(given) || *given == DataType::Null;
    let (texts, lengths) = (
        columns[1].as_string::<i32>(),
        columns[2].as_primitive::<Int64Type>(),
    );
    let cut = texts.iter().zip(lengths.iter()).map(|(text, length)| {
        let (Some(text), Some(length)) = (text, length) else {
            return Ok(None);
        };
        match text
            .char_indices()
            .nth(usize::try_from(length).unwrap_or(0))
        {
            None => Ok(Some(text)),
            Some((end, _)) if cuts => Ok(Some(&text[..end])),
            Some(_) if lenient => Ok(None),
            Some(_) => exec_err!(
                "INVALID_CAST_ARGUMENT: Value {text} cannot be represented as varchar({length})"
            ),
        }
    });
    Ok(Arc::new(cut.collect::<Result<StringArray>>()?))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PlainCast {
    to: DataType,
    lenient: bool,
    signature: Signature,
}

/// The function that casts to a plain type.
pub(crate) fn cast_to(to: DataType, lenient: bool) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(PlainCast {
        to,
        lenient,
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

fn is_text(of: &DataType) -> bool {
    matches!(of, DataType::Utf8 | DataType::Utf8View)
}

fn is_number(of: &DataType) -> bool {
    of.is_integer() || of.is_floating() || matches!(of, DataType::Decimal128(..))
}

/// Whether [`cast_to`] does such a cast.
pub(crate) fn is_ours(from: &DataType, to: &DataType) -> bool {
    use DataType::{Boolean, Decimal128};
    moments::is_ours(from, to)
        || match (from, to) {
            (Boolean, Decimal128(..)) => true,
            (Decimal128(..), Boolean) => true,
            (from, Decimal128(..)) if from.is_floating() => true,
            (DataType::Interval(_) | DataType::Duration(_), to) if is_text(to) => true,
            (from, Boolean) if is_text(from) => true,
            _ => false,
        }
}

/// # Errors
/// When Trino has no cast between the two.
pub(crate) fn check(from: &DataType, to: &DataType) -> Result<()> {
    let number_and_time =
        is_number(from) && to.is_temporal() || from.is_temporal() && is_number(to);
    let truth_and_time = *from == DataType::Boolean && to.is_temporal()
        || from.is_temporal() && *to == DataType::Boolean;
    if number_and_time || truth_and_time {
        return plan_err!(
            "type mismatch: Cannot cast {} to {}",
            type_name(from),
            type_name(to)
        );
    }
    Ok(())
}

impl ScalarUDFImpl for PlainCast {
    fn name(&self) -> &str {
        if self.lenient {
            "plain_try_cast"
        } else {
            "plain_cast"
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = matches!(args.args[0], ColumnarValue::Scalar(_));
        let column = args.args[0].to_array(if scalar { 1 } else { args.number_rows })?;
        let result = casted(&column, &self.to, self.lenient)?;
        if scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &result, 0,
            )?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

fn casted(column: &ArrayRef, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    let from = column.data_type();
    if moments::is_ours(from, to) {
        return moments::moved(column, to, lenient);
    }
    match (from, to) {
        (DataType::Boolean, DataType::Decimal128(..)) => {
            let numbers = arrow::compute::cast(column, &DataType::Int32)?;
            Ok(arrow::compute::cast(&numbers, to)?)
        }
        (DataType::Decimal128(..), DataType::Boolean) => {
            let numbers = column.as_primitive::<Decimal128Type>();
            let truths = numbers
                .iter()
                .map(|number| number.map(|number| number != 0));
            Ok(Arc::new(truths.collect::<BooleanArray>()))
        }
        (from, DataType::Decimal128(precision, scale)) if from.is_floating() => {
            let doubles = arrow::compute::cast(column, &DataType::Float64)?;
            decimals(doubles.as_primitive(), *precision, *scale, lenient)
        }
        (from, DataType::Boolean) if is_text(from) => {
            let texts = arrow::compute::cast(column, &DataType::Utf8)?;
            let truths = texts.as_string::<i32>().iter().map(|text| match text {
                None => Ok(None),
                Some(text) => match text.to_ascii_lowercase().as_str() {
                    "true" | "t" | "1" => Ok(Some(true)),
                    "false" | "f" | "0" => Ok(Some(false)),
                    _ if lenient => Ok(None),
                    _ => exec_err!("INVALID_CAST_ARGUMENT: Cannot cast '{text}' to BOOLEAN"),
                },
            });
            Ok(Arc::new(truths.collect::<Result<BooleanArray>>()?))
        }
        (DataType::Interval(_), _) => Ok(arrow::compute::cast(&intervals(column)?, to)?),
        _ => Ok(arrow::compute::cast(column, to)?),
    }
}

/// Doubles as decimals, rounded half away from zero from their shortest text, as Java's `BigDecimal` has it.
fn decimals(doubles: &Float64Array, precision: u8, scale: i8, lenient: bool) -> Result<ArrayRef> {
    let most = 10_i128.pow(u32::from(precision));
    let one = |double: f64| -> Option<i128> {
        if !double.is_finite() {
            return None;
        }
        let text = format!(
            "{:.*}",
            usize::try_from(scale).unwrap_or(0) + 25,
            double.abs()
        );
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let (kept, rest) = fraction.split_at_checked(usize::try_from(scale).unwrap_or(0))?;
        let digits: i128 = format!("{whole}{kept}").parse().ok()?;
        let up = i128::from(rest.as_bytes().first().is_some_and(|digit| *digit >= b'5'));
        let number = digits.checked_add(up).filter(|number| *number < most)?;
        Some(if double < 0.0 { -number } else { number })
    };
    let numbers = doubles.iter().map(|double| match double {
        None => Ok(None),
        Some(double) => match one(double) {
            Some(number) => Ok(Some(number)),
            None if lenient => Ok(None),
            None => exec_err!(
                "INVALID_CAST_ARGUMENT: Cannot cast DOUBLE '{double}' to DECIMAL({precision}, {scale})"
            ),
        },
    });
    let numbers: Decimal128Array = numbers.collect::<Result<_>>()?;
    Ok(Arc::new(
        numbers.with_precision_and_scale(precision, scale)?,
    ))
}

/// `2-1` for months, `12 10:45:32.123` for days and less.
fn intervals(column: &ArrayRef) -> Result<ArrayRef> {
    let mut texts = Vec::with_capacity(column.len());
    for row in 0..column.len() {
        texts.push(match ScalarValue::try_from_array(column, row)? {
            ScalarValue::IntervalMonthDayNano(Some(span)) => {
                Some(interval_text(span.months, span.days, span.nanoseconds))
            }
            ScalarValue::IntervalYearMonth(Some(months)) => Some(interval_text(months, 0, 0)),
            ScalarValue::IntervalDayTime(Some(span)) => Some(interval_text(
                0,
                span.days,
                i64::from(span.milliseconds) * 1_000_000,
            )),
            _ => None,
        });
    }
    Ok(Arc::new(texts.into_iter().collect::<StringArray>()))
}

fn interval_text(months: i32, days: i32, nanos: i64) -> String {
    if months != 0 {
        let sign = if months < 0 { "-" } else { "" };
        let months = months.unsigned_abs();
        return format!("{sign}{}-{}", months / 12, months % 12);
    }
    let millis = i64::from(days) * 86_400_000 + nanos / 1_000_000;
    let (sign, millis) = (if millis < 0 { "-" } else { "" }, millis.unsigned_abs());
    let (seconds, fraction) = (millis / 1_000, millis % 1_000);
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    format!(
        "{sign}{} {:02}:{:02}:{:02}.{fraction:03}",
        hours / 24,
        hours % 24,
        minutes % 60,
        seconds % 60
    )
}

/// Doubles of a column of any kind of number.
pub(super) fn doubles(column: &ArrayRef) -> Result<Float64Array> {
    let doubles = arrow::compute::cast(column, &DataType::Float64)?;
    Ok(doubles.as_primitive::<Float64Type>().clone())
}
