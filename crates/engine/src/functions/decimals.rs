//! Arithmetic of decimals with Trino's digits, and of whole numbers without overflow.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Decimal128Array, IntervalMonthDayNanoArray},
    compute::kernels::numeric,
    datatypes::{
        DataType, Decimal128Type, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, i256,
    },
};
use datafusion::{
    common::{DataFusionError, Result, exec_err, plan_err},
    logical_expr::ScalarUDF,
};

use super::{Take, any_null, function};

pub(crate) fn functions() -> Vec<ScalarUDF> {
    use Take::Any;
    vec![
        function(
            "decimal_plus",
            &[&[Any, Any]],
            |types, _| result(types, '+'),
            |c, t| computed(c, t, '+'),
        ),
        function(
            "decimal_minus",
            &[&[Any, Any]],
            |types, _| result(types, '-'),
            |c, t| computed(c, t, '-'),
        ),
        function(
            "decimal_times",
            &[&[Any, Any]],
            |types, _| result(types, '*'),
            |c, t| computed(c, t, '*'),
        ),
        function(
            "decimal_divided",
            &[&[Any, Any]],
            |types, _| result(types, '/'),
            |c, t| computed(c, t, '/'),
        ),
        function(
            "decimal_modulo",
            &[&[Any, Any]],
            |types, _| result(types, '%'),
            |c, t| computed(c, t, '%'),
        ),
        function(
            "interval_times",
            &[&[Any, Take::Double]],
            |types, _| same(types),
            |c, _| scaled(c, true),
        ),
        function(
            "interval_divided",
            &[&[Any, Take::Double]],
            |types, _| same(types),
            |c, _| scaled(c, false),
        ),
        function(
            "whole_plus",
            &[&[Any, Any]],
            |types, _| numbers(types, '+'),
            |c, t| whole(c, t, '+'),
        ),
        function(
            "whole_minus",
            &[&[Any, Any]],
            |types, _| numbers(types, '-'),
            |c, t| whole(c, t, '-'),
        ),
        function(
            "whole_times",
            &[&[Any, Any]],
            |types, _| numbers(types, '*'),
            |c, t| whole(c, t, '*'),
        ),
    ]
}

fn same(types: &[DataType]) -> Result<DataType> {
    Ok(types.first().cloned().unwrap_or(DataType::Int64))
}

/// The type of a result. A CASE can turn out to hold other numbers than its first branch, which is what the planner of
/// operators sees of it.
fn numbers(types: &[DataType], sign: char) -> Result<DataType> {
    if types.iter().any(DataType::is_floating) {
        return Ok(DataType::Float64);
    }
    if types
        .iter()
        .any(|of| matches!(of, DataType::Decimal128(..)))
    {
        return result(types, sign);
    }
    let widest = [DataType::Int64, DataType::Int32, DataType::Int16]
        .into_iter()
        .find(|of| types.contains(of));
    Ok(widest.unwrap_or_else(|| types[0].clone()))
}

/// The digits of an argument: precision and scale.
fn digits(of: &DataType) -> Result<(i32, i32)> {
    match of {
        DataType::Int8 => Ok((3, 0)),
        DataType::Int16 => Ok((5, 0)),
        DataType::Int32 => Ok((10, 0)),
        DataType::Int64 => Ok((19, 0)),
        DataType::Decimal128(precision, scale) => Ok((i32::from(*precision), i32::from(*scale))),
        other => plan_err!("cannot coerce {other} to decimal"),
    }
}

/// The type of a result.
fn result(types: &[DataType], sign: char) -> Result<DataType> {
    let ((p1, s1), (p2, s2)) = (digits(&types[0])?, digits(&types[1])?);
    let (precision, scale) = match sign {
        '+' | '-' => ((p1 - s1).max(p2 - s2) + s1.max(s2) + 1, s1.max(s2)),
        '*' => (p1 + p2, s1 + s2),
        '/' => (p1 + s2 + (s2 - s1).max(0), s1.max(s2)),
        _ => ((p1 - s1).min(p2 - s2) + s1.max(s2), s1.max(s2)),
    };
    match (u8::try_from(precision.clamp(1, 38)), i8::try_from(scale)) {
        (Ok(precision), Ok(scale @ 0..=38)) => Ok(DataType::Decimal128(precision, scale)),
        _ => plan_err!("type mismatch: DECIMAL scale {scale} must not be more than 38"),
    }
}

fn power(of: i32) -> Result<i256> {
    let power = u32::try_from(of.max(0))
        .ok()
        .and_then(|of| i256::from_i128(10).checked_pow(of));
    power.ok_or_else(overflow)
}

fn overflow() -> DataFusionError {
    DataFusionError::Execution("NUMERIC_VALUE_OUT_OF_RANGE: Decimal overflow".to_owned())
}

fn computed(columns: &[ArrayRef], returns: &DataType, sign: char) -> Result<ArrayRef> {
    let ((_, s1), (_, s2)) = (
        digits(columns[0].data_type())?,
        digits(columns[1].data_type())?,
    );
    let (precision, scale) = digits(returns)?;
    let decimal = |column: &ArrayRef| match column.data_type() {
        of if of.is_integer() => arrow::compute::cast(column, &DataType::Decimal128(19, 0)),
        _ => Ok(Arc::clone(column)),
    };
    let (left, right) = (decimal(&columns[0])?, decimal(&columns[1])?);
    let (left, right) = (
        left.as_primitive::<Decimal128Type>(),
        right.as_primitive::<Decimal128Type>(),
    );
    // What each side is raised by before the operation.
    let (up, down) = match sign {
        '+' | '-' | '%' => (power(scale - s1)?, power(scale - s2)?),
        '*' => (i256::ONE, i256::ONE),
        _ => (power(scale - s1 + s2)?, i256::ONE),
    };
    let most = 10_i128.pow(38);
    let one = |row: usize| -> Result<i128> {
        let a = i256::from_i128(left.value(row))
            .checked_mul(up)
            .ok_or_else(overflow)?;
        let b = i256::from_i128(right.value(row))
            .checked_mul(down)
            .ok_or_else(overflow)?;
        if b == i256::ZERO && matches!(sign, '/' | '%') {
            return exec_err!("DIVISION_BY_ZERO: Division by zero");
        }
        let value = match sign {
            '+' => a.checked_add(b),
            '-' => a.checked_sub(b),
            '*' => a.checked_mul(b),
            '/' => quotient(a, b),
            _ => a.checked_rem(b),
        };
        let value = value.and_then(i256::to_i128);
        value
            .filter(|value| value.abs() < most)
            .ok_or_else(overflow)
    };
    let values = (0..left.len()).map(|row| {
        if any_null(columns, row) {
            Ok(None)
        } else {
            one(row).map(Some)
        }
    });
    let values: Decimal128Array = values.collect::<Result<_>>()?;
    let (precision, scale) = (
        u8::try_from(precision).unwrap_or(38),
        i8::try_from(scale).unwrap_or(0),
    );
    Ok(Arc::new(values.with_precision_and_scale(precision, scale)?))
}

/// Rounded half away from zero.
fn quotient(a: i256, b: i256) -> Option<i256> {
    let (whole, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
    let (twice, size) = (
        rest.wrapping_abs().checked_mul(i256::from_i128(2))?,
        b.wrapping_abs(),
    );
    if twice < size {
        return Some(whole);
    }
    let negative = (a < i256::ZERO) != (b < i256::ZERO);
    let step = if negative { i256::MINUS_ONE } else { i256::ONE };
    whole.checked_add(step)
}

/// An interval times or divided by a number: months and milliseconds stay whole.
fn scaled(columns: &[ArrayRef], times: bool) -> Result<ArrayRef> {
    let spans = columns[0].as_primitive::<IntervalMonthDayNanoType>();
    let numbers = columns[1].as_primitive::<Float64Type>();
    let scaled = (0..spans.len()).map(|row| {
        if any_null(columns, row) {
            return Ok(None);
        }
        let (span, number) = (spans.value(row), numbers.value(row));
        if number.is_nan() || (!times && number == 0.0) {
            return exec_err!(
                "INVALID_FUNCTION_ARGUMENT: Cannot multiply or divide an interval by {number}"
            );
        }
        let of = |size: f64| if times { size * number } else { size / number };
        let millis = i64::from(span.days) * 86_400_000 + span.nanoseconds / 1_000_000;
        // Both lie far below what a double holds exactly, or the cast stops at the end of the type.
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        let (months, millis) = (
            (of(f64::from(span.months)) + 0.5).floor() as i32,
            of(millis as f64) as i64,
        );
        Ok(Some(IntervalMonthDayNano::new(
            months,
            0,
            millis.saturating_mul(1_000_000),
        )))
    });
    Ok(Arc::new(
        scaled.collect::<Result<IntervalMonthDayNanoArray>>()?,
    ))
}

/// Whole numbers, in the wider of their types; an overflow is an error.
fn whole(columns: &[ArrayRef], returns: &DataType, sign: char) -> Result<ArrayRef> {
    if let DataType::Decimal128(..) = returns {
        return computed(columns, returns, sign);
    }
    let (left, right) = (
        &arrow::compute::cast(&columns[0], returns)?,
        &arrow::compute::cast(&columns[1], returns)?,
    );
    let computed = match sign {
        '+' => numeric::add(left, right),
        '-' => numeric::sub(left, right),
        _ => numeric::mul(left, right),
    };
    computed.or_else(|error| match error {
        arrow::error::ArrowError::ArithmeticOverflow(text) => {
            let of = crate::names::type_name(returns);
            exec_err!("NUMERIC_VALUE_OUT_OF_RANGE: {of} overflow: {text}")
        }
        other => Err(other.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(value: i128, precision: u8, scale: i8) -> ArrayRef {
        let array = Decimal128Array::from(vec![value]);
        Arc::new(array.with_precision_and_scale(precision, scale).unwrap())
    }

    fn of(left: ArrayRef, right: ArrayRef, sign: char) -> (i128, DataType) {
        let returns = result(&[left.data_type().clone(), right.data_type().clone()], sign).unwrap();
        let array = computed(&[left, right], &returns, sign).unwrap();
        (array.as_primitive::<Decimal128Type>().value(0), returns)
    }

    #[test]
    fn money_by_money_has_the_scale_of_money() {
        let (two, three) = (2 * 10_i128.pow(18), 3 * 10_i128.pow(18));
        let (third, returns) = of(decimal(two, 38, 18), decimal(three, 38, 18), '/');
        assert_eq!(
            (third, returns),
            (666_666_666_666_666_667, DataType::Decimal128(38, 18))
        );
    }

    #[test]
    fn halves_go_away_from_zero() {
        assert_eq!(of(decimal(-1, 1, 0), decimal(2, 1, 0), '/').0, -1);
        assert_eq!(of(decimal(5, 1, 0), decimal(4, 1, 0), '/').0, 1);
        assert_eq!(
            of(decimal(75, 2, 1), decimal(-2, 1, 0), '%'),
            (15, DataType::Decimal128(2, 1))
        );
    }
}
