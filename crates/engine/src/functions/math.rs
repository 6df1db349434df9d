//! Mathematical functions of Trino that DataFusion lacks or means otherwise.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array,
        StringArray,
    },
    datatypes::{DataType, Decimal128Type, Float64Type, Int64Type},
};
use datafusion::{
    common::{Result, ScalarValue, plan_err},
    logical_expr::ScalarUDF,
};

use super::{Take, any_null, casts::doubles, function, invalid, returns_bigint, returns_text};

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::{Any, Double, Int, Text};
    let boolean: super::Returns = |_, _| Ok(DataType::Boolean);
    let double: super::Returns = |_, _| Ok(DataType::Float64);
    vec![
        function("abs", &[&[Any]], returns_signed, absolute),
        function("sqrt", &[&[Double]], double, |c, _| {
            let numbers = c[0].as_primitive::<Float64Type>();
            Ok(Arc::new(numbers.unary::<_, Float64Type>(f64::sqrt)))
        }),
        function("nan", &[&[]], double, |_, _| constant(f64::NAN)),
        function("infinity", &[&[]], double, |_, _| constant(f64::INFINITY)),
        function("e", &[&[]], double, |_, _| constant(std::f64::consts::E)),
        function("is_nan", &[&[Double]], boolean, |c, _| {
            asked(c, f64::is_nan)
        }),
        function("is_finite", &[&[Double]], boolean, |c, _| {
            asked(c, f64::is_finite)
        }),
        function("is_infinite", &[&[Double]], boolean, |c, _| {
            asked(c, f64::is_infinite)
        }),
        function("sign", &[&[Any]], returns_sign, sign),
        function(
            "trino_ceiling",
            &[&[Any]],
            |t, _| whole_type(t),
            |c, t| whole(c, t, 'c'),
        ),
        function(
            "trino_floor",
            &[&[Any]],
            |t, _| whole_type(t),
            |c, t| whole(c, t, 'f'),
        ),
        function(
            "trino_truncate",
            &[&[Any], &[Any, Int]],
            |t, _| truncated_type(t),
            truncate,
        ),
        function(
            "trino_round",
            &[&[Any], &[Any, Int]],
            |t, _| rounded_type(t),
            round,
        ),
        function("from_base", &[&[Text, Int]], returns_bigint, from_base),
        function("to_base", &[&[Int, Int]], returns_text, to_base),
        function("bit_count", &[&[Int, Int]], returns_bigint, bit_count),
        function("bitwise_and", &[&[Int, Int]], returns_bigint, |c, _| {
            bits(c, |a, b| a & b)
        }),
        function("bitwise_or", &[&[Int, Int]], returns_bigint, |c, _| {
            bits(c, |a, b| a | b)
        }),
        function("bitwise_xor", &[&[Int, Int]], returns_bigint, |c, _| {
            bits(c, |a, b| a ^ b)
        }),
        function("bitwise_not", &[&[Int]], returns_bigint, |c, _| {
            let numbers = c[0].as_primitive::<Int64Type>();
            Ok(Arc::new(numbers.unary::<_, Int64Type>(|number| !number)))
        }),
        function(
            "bitwise_left_shift",
            &[&[Any, Int]],
            |t, _| shifted_type(t),
            |c, t| shifted(c, t, 'l'),
        ),
        function(
            "bitwise_right_shift",
            &[&[Any, Int]],
            |t, _| shifted_type(t),
            |c, t| shifted(c, t, 'r'),
        ),
        function(
            "bitwise_right_shift_arithmetic",
            &[&[Any, Int]],
            |t, _| shifted_type(t),
            |c, t| shifted(c, t, 'a'),
        ),
        function(
            "width_bucket",
            &[&[Double, Double, Double, Int], &[Double, Any]],
            returns_bigint,
            width_bucket,
        ),
        function(
            "wilson_interval_lower",
            &[&[Int, Int, Double]],
            double,
            |c, _| wilson(c, -1.0),
        ),
        function(
            "wilson_interval_upper",
            &[&[Int, Int, Double]],
            double,
            |c, _| wilson(c, 1.0),
        ),
        function(
            "cosine_similarity",
            &[&[Any, Any]],
            double,
            cosine_similarity,
        ),
        function(
            "inverse_normal_cdf",
            &[&[Double, Double, Double]],
            double,
            inverse_normal_cdf,
        ),
        function(
            "normal_cdf",
            &[&[Double, Double, Double]],
            double,
            normal_cdf,
        ),
    ]
}

fn constant(value: f64) -> Result<ArrayRef> {
    Ok(Arc::new(Float64Array::from(vec![value])))
}

fn asked(columns: &[ArrayRef], question: fn(f64) -> bool) -> Result<ArrayRef> {
    let numbers = columns[0].as_primitive::<Float64Type>().iter();
    let answers = numbers.map(|number| number.map(question));
    Ok(Arc::new(answers.collect::<BooleanArray>()))
}

fn returns_signed(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match &types[0] {
        of @ DataType::Decimal128(..) => Ok(of.clone()),
        of => number_type(of),
    }
}

fn absolute(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let column = &columns[0];
    if let DataType::Decimal128(..) = returns {
        return decimals(column, returns, i128::abs);
    }
    if returns.is_floating() {
        let numbers = doubles(column)?.unary::<_, Float64Type>(f64::abs);
        return Ok(arrow::compute::cast(&numbers, returns)?);
    }
    let wide = arrow::compute::cast(column, &DataType::Int64)?;
    let numbers = wide.as_primitive::<Int64Type>().iter();
    let absolutes: Int64Array = numbers
        .map(|number| {
            number
                .map(|number| number.checked_abs().ok_or(number))
                .transpose()
        })
        .collect::<std::result::Result<_, _>>()
        .or_else(|number: i64| out_of_range(number))?;
    let options = arrow::compute::CastOptions {
        safe: false,
        ..Default::default()
    };
    Ok(arrow::compute::cast_with_options(
        &absolutes, returns, &options,
    )?)
}

fn out_of_range<T>(number: i64) -> Result<T> {
    datafusion::common::exec_err!(
        "NUMERIC_VALUE_OUT_OF_RANGE: Value {number} is out of range for abs"
    )
}

fn returns_sign(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match &types[0] {
        DataType::Decimal128(..) => Ok(DataType::Decimal128(1, 0)),
        of if of.is_integer() || of.is_floating() => Ok(of.clone()),
        DataType::Null => Ok(DataType::Float64),
        other => plan_err!("cannot coerce {other} to a number"),
    }
}

fn sign(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let column = &columns[0];
    if let DataType::Decimal128(..) = column.data_type() {
        let signs = column
            .as_primitive::<Decimal128Type>()
            .unary::<_, Decimal128Type>(i128::signum);
        return Ok(Arc::new(signs.with_precision_and_scale(1, 0)?));
    }
    let signs = doubles(column)?.unary::<_, Float64Type>(|number| {
        if number == 0.0 || number.is_nan() {
            number
        } else {
            number.signum()
        }
    });
    Ok(arrow::compute::cast(&signs, returns)?)
}

fn number_type(of: &DataType) -> Result<DataType> {
    match of {
        of if of.is_integer() || of.is_floating() => Ok(of.clone()),
        DataType::Null => Ok(DataType::Float64),
        other => plan_err!("cannot coerce {other} to a number"),
    }
}

/// `ceiling` and `floor` of a decimal have no digits behind the point.
fn whole_type(types: &[DataType]) -> Result<DataType> {
    match &types[0] {
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            let kept = i16::from(*precision) - i16::from(*scale) + i16::from((*scale).min(1));
            Ok(DataType::Decimal128(
                u8::try_from(kept.clamp(1, 38)).unwrap_or(38),
                0,
            ))
        }
        other => number_type(other),
    }
}

fn power(of: i8) -> i128 {
    10_i128.pow(u32::from(of.clamp(0, 38).unsigned_abs()))
}

fn decimals(column: &ArrayRef, returns: &DataType, one: impl Fn(i128) -> i128) -> Result<ArrayRef> {
    let DataType::Decimal128(precision, scale) = returns else {
        return invalid("a decimal is needed");
    };
    let values = column.as_primitive::<Decimal128Type>().iter();
    let values: Decimal128Array = values.map(|value| value.map(&one)).collect();
    Ok(Arc::new(
        values.with_precision_and_scale(*precision, *scale)?,
    ))
}

/// Half away from zero.
fn rounded(value: i128, size: i128) -> i128 {
    let (whole, rest) = (value / size, value % size);
    whole
        + if rest.abs() >= size - rest.abs() && size > 1 {
            value.signum()
        } else {
            0
        }
}

fn whole(columns: &[ArrayRef], returns: &DataType, way: char) -> Result<ArrayRef> {
    let column = &columns[0];
    if let DataType::Decimal128(_, scale) = column.data_type() {
        let size = power(*scale);
        return decimals(column, returns, |value| match way {
            'c' => -(-value).div_euclid(size),
            _ => value.div_euclid(size),
        });
    }
    if column.data_type().is_integer() {
        return Ok(Arc::clone(column));
    }
    let numbers =
        doubles(column)?.unary::<_, Float64Type>(if way == 'c' { f64::ceil } else { f64::floor });
    Ok(arrow::compute::cast(&numbers, returns)?)
}

fn truncated_type(types: &[DataType]) -> Result<DataType> {
    match &types[0] {
        DataType::Decimal128(precision, scale) if types.len() == 1 => {
            let kept = i16::from(*precision) - i16::from(*scale);
            Ok(DataType::Decimal128(
                u8::try_from(kept.clamp(1, 38)).unwrap_or(38),
                0,
            ))
        }
        of @ DataType::Decimal128(..) => Ok(of.clone()),
        other => number_type(other),
    }
}

fn truncate(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let column = &columns[0];
    if columns.len() == 1 {
        return match column.data_type() {
            DataType::Decimal128(_, scale) => {
                let size = power(*scale);
                decimals(column, returns, |value| value / size)
            }
            of if of.is_integer() => Ok(Arc::clone(column)),
            _ => Ok(arrow::compute::cast(
                &doubles(column)?.unary::<_, Float64Type>(f64::trunc),
                returns,
            )?),
        };
    }
    by_digits(
        columns,
        returns,
        |value, size| value / size * size,
        |value, size| (value * size).trunc() / size,
    )
}

/// `round(x)` of a decimal has no digits behind the point, `round(x, n)` keeps the scale and takes a digit more.
fn rounded_type(types: &[DataType]) -> Result<DataType> {
    match &types[0] {
        DataType::Decimal128(precision, scale) if types.len() == 1 => {
            let kept = i16::from(*precision) - i16::from(*scale) + i16::from((*scale).min(1));
            Ok(DataType::Decimal128(
                u8::try_from(kept.clamp(1, 38)).unwrap_or(38),
                0,
            ))
        }
        DataType::Decimal128(precision, scale) => Ok(DataType::Decimal128(
            precision.saturating_add(1).min(38),
            *scale,
        )),
        other => number_type(other),
    }
}

fn round(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let column = &columns[0];
    if columns.len() == 1 {
        return match column.data_type() {
            DataType::Decimal128(_, scale) => {
                let size = power(*scale);
                decimals(column, returns, |value| rounded(value, size))
            }
            of if of.is_integer() => Ok(Arc::clone(column)),
            _ => Ok(arrow::compute::cast(
                &doubles(column)?.unary::<_, Float64Type>(f64::round),
                returns,
            )?),
        };
    }
    by_digits(
        columns,
        returns,
        |value, size| rounded(value, size) * size,
        |value, size| {
            let scaled = (value * size).round() / size;
            if scaled.is_finite() { scaled } else { value }
        },
    )
}

/// Works on the digits that are kept, the second argument's number, row by row.
fn by_digits(
    columns: &[ArrayRef],
    returns: &DataType,
    exact: fn(i128, i128) -> i128,
    floating: fn(f64, f64) -> f64,
) -> Result<ArrayRef> {
    let (column, kept) = (&columns[0], columns[1].as_primitive::<Int64Type>());
    let scale = match column.data_type() {
        DataType::Decimal128(_, scale) => i64::from(*scale),
        of if of.is_integer() => 0,
        _ => {
            let numbers = doubles(column)?;
            let of = numbers.iter().zip(kept.iter()).map(|(value, kept)| {
                let power = i32::try_from(kept?.clamp(-400, 400)).ok()?;
                Some(floating(value?, 10_f64.powi(power)))
            });
            return Ok(arrow::compute::cast(
                &of.collect::<Float64Array>(),
                returns,
            )?);
        }
    };
    let precise = match returns {
        of @ DataType::Decimal128(..) => of.clone(),
        _ => DataType::Decimal128(38, 0),
    };
    let numbers = arrow::compute::cast(
        column,
        &DataType::Decimal128(38, i8::try_from(scale).unwrap_or(0)),
    )?;
    let numbers = numbers.as_primitive::<Decimal128Type>();
    let of = numbers.iter().zip(kept.iter()).map(|(value, kept)| {
        let (value, dropped) = (value?, scale - kept?);
        Some(match i8::try_from(dropped) {
            Ok(dropped @ 1..=37) => exact(value, power(dropped)),
            Ok(..=0) => value,
            _ if dropped < 0 => value,
            _ => 0,
        })
    });
    let DataType::Decimal128(precision, scale) = precise else {
        return invalid("a decimal is needed");
    };
    let of = of
        .collect::<Decimal128Array>()
        .with_precision_and_scale(precision, scale)?;
    Ok(arrow::compute::cast(&of, returns)?)
}

fn radix(given: i64) -> Result<u32> {
    match u32::try_from(given) {
        Ok(radix @ 2..=36) => Ok(radix),
        _ => invalid("Radix must be between 2 and 36"),
    }
}

fn from_base(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (texts, bases) = (
        columns[0].as_string::<i32>(),
        columns[1].as_primitive::<Int64Type>(),
    );
    let numbers = (0..texts.len()).map(|row| {
        if any_null(columns, row) {
            return Ok(None);
        }
        let (text, base) = (texts.value(row), radix(bases.value(row))?);
        match i64::from_str_radix(text, base) {
            Ok(number) => Ok(Some(number)),
            Err(_) => invalid(format!("Not a valid base-{base} number: {text}")),
        }
    });
    Ok(Arc::new(numbers.collect::<Result<Int64Array>>()?))
}

fn to_base(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (numbers, bases) = (
        columns[0].as_primitive::<Int64Type>(),
        columns[1].as_primitive::<Int64Type>(),
    );
    let texts = (0..numbers.len()).map(|row| {
        if any_null(columns, row) {
            return Ok(None);
        }
        let base = u64::from(radix(bases.value(row))?);
        let (mut left, mut digits) = (numbers.value(row).unsigned_abs(), Vec::new());
        loop {
            let digit = u32::try_from(left % base).unwrap_or(0);
            digits.extend(char::from_digit(digit, 36));
            left /= base;
            if left == 0 {
                break;
            }
        }
        if numbers.value(row) < 0 {
            digits.push('-');
        }
        Ok(Some(digits.iter().rev().collect::<String>()))
    });
    Ok(Arc::new(texts.collect::<Result<StringArray>>()?))
}

fn bits(columns: &[ArrayRef], of: fn(i64, i64) -> i64) -> Result<ArrayRef> {
    let (left, right) = (
        columns[0].as_primitive::<Int64Type>(),
        columns[1].as_primitive::<Int64Type>(),
    );
    Ok(Arc::new(arrow::compute::binary::<_, _, _, Int64Type>(
        left, right, of,
    )?))
}

fn bit_count(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (numbers, widths) = (
        columns[0].as_primitive::<Int64Type>(),
        columns[1].as_primitive::<Int64Type>(),
    );
    let counts = (0..numbers.len()).map(|row| {
        if any_null(columns, row) {
            return Ok(None);
        }
        let (number, width) = (numbers.value(row), widths.value(row));
        if width == 64 {
            return Ok(Some(i64::from(number.count_ones())));
        }
        if !(2..64).contains(&width) {
            return invalid("Bits specified in bit_count must be between 2 and 64");
        }
        let most = 1_i64 << (width - 1);
        if number >= most || number < -most {
            return invalid(format!(
                "Number must be representable with the bits specified. {number} cannot be represented with {width} bits"
            ));
        }
        Ok(Some(i64::from((number & ((1_i64 << width) - 1)).count_ones())))
    });
    Ok(Arc::new(counts.collect::<Result<Int64Array>>()?))
}

/// A shift keeps the type of what is shifted.
fn shifted_type(types: &[DataType]) -> Result<DataType> {
    match &types[0] {
        of @ (DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64) => {
            Ok(of.clone())
        }
        DataType::Null => Ok(DataType::Int64),
        other => plan_err!("cannot coerce {other} to a whole number"),
    }
}

fn shifted(columns: &[ArrayRef], returns: &DataType, way: char) -> Result<ArrayRef> {
    let numbers = arrow::compute::cast(&columns[0], &DataType::Int64)?;
    let (numbers, counts) = (
        numbers.as_primitive::<Int64Type>(),
        columns[1].as_primitive::<Int64Type>(),
    );
    let width: i64 = match returns {
        DataType::Int8 => 8,
        DataType::Int16 => 16,
        DataType::Int32 => 32,
        _ => 64,
    };
    let mask = if width == 64 {
        u64::MAX
    } else {
        (1_u64 << width) - 1
    };
    let one = |number: i64, count: i64| -> i64 {
        if !(0..width).contains(&count) {
            return if way == 'a' && number < 0 { -1 } else { 0 };
        }
        match way {
            // The bits that stay in the width, with the sign of the highest of them.
            'l' => (number << count << (64 - width)) >> (64 - width),
            'a' => number >> count,
            _ => {
                let kept = ((number.cast_unsigned() & mask) >> count).cast_signed();
                (kept << (64 - width)) >> (64 - width)
            }
        }
    };
    let shifted = arrow::compute::binary::<_, _, _, Int64Type>(numbers, counts, one)?;
    Ok(arrow::compute::cast(&shifted, returns)?)
}

fn width_bucket(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let values = columns[0].as_primitive::<Float64Type>();
    let buckets = (0..values.len()).map(|row| {
        if any_null(columns, row) {
            return Ok(None);
        }
        let value = values.value(row);
        if value.is_nan() {
            return invalid("operand cannot be NaN");
        }
        if columns.len() == 2 {
            let bins = columns[1].as_list::<i32>().value(row);
            return among(value, &doubles(&bins)?).map(Some);
        }
        let [low, high] =
            [1, 2].map(|at: usize| columns[at].as_primitive::<Float64Type>().value(row));
        let count = columns[3].as_primitive::<Int64Type>().value(row);
        between(value, low, high, count).map(Some)
    });
    Ok(Arc::new(buckets.collect::<Result<Int64Array>>()?))
}

fn among(value: f64, bins: &Float64Array) -> Result<i64> {
    if bins.is_empty() {
        return invalid("Bins cannot be an empty array");
    }
    let values = bins.values();
    if bins.null_count() > 0 || values.iter().any(|bin| !bin.is_finite()) {
        return invalid("Bin values must be finite");
    }
    if values.windows(2).any(|pair| pair[0] > pair[1]) {
        return invalid("Bin values are not sorted in ascending order");
    }
    Ok(i64::try_from(values.partition_point(|bin| *bin <= value)).unwrap_or(i64::MAX))
}

fn between(value: f64, low: f64, high: f64, count: i64) -> Result<i64> {
    if count <= 0 {
        return invalid("bucketCount must be greater than 0");
    }
    if !low.is_finite() || !high.is_finite() || low == high {
        return invalid("bounds must be finite and not equal");
    }
    let (lower, upper) = (low.min(high), low.max(high));
    let place = if value < lower {
        0
    } else if value >= upper {
        count
            .checked_add(1)
            .map_or_else(|| invalid("Bucket for value is out of range"), Ok)?
    } else {
        // A count of buckets is small, and the quotient lies below it.
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        let place = (count as f64 * (value - lower) / (upper - lower) + 1.0) as i64;
        place
    };
    Ok(if low > high { count - place + 1 } else { place })
}

/// A bound of Wilson's interval of a share: successes, trials, z.
fn wilson(columns: &[ArrayRef], side: f64) -> Result<ArrayRef> {
    let trials = [0, 1].map(|at: usize| columns[at].as_primitive::<Int64Type>());
    let scores = columns[2].as_primitive::<Float64Type>();
    let bounds = (0..scores.len()).map(|row| {
        if any_null(columns, row) {
            return Ok(None);
        }
        let (hits, all, z) = (trials[0].value(row), trials[1].value(row), scores.value(row));
        if hits < 0 || all <= 0 || hits > all || z < 0.0 {
            return invalid("successes must be from 0 to the number of trials, which is positive, and z not negative");
        }
        #[expect(clippy::cast_precision_loss)]
        let (hits, all) = (hits as f64, all as f64);
        let share = hits / all;
        let middle = share + z * z / (2.0 * all);
        let width = z * ((share * (1.0 - share) + z * z / (4.0 * all)) / all).sqrt();
        Ok(Some((middle + side * width) / (1.0 + z * z / all)))
    });
    Ok(Arc::new(bounds.collect::<Result<Float64Array>>()?))
}

fn normal_cdf(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let [means, deviations, values] =
        [0, 1, 2].map(|at: usize| columns[at].as_primitive::<Float64Type>());
    let of = (0..means.len()).map(|row| {
        if any_null(columns, row) {
            return Ok(None);
        }
        if deviations.value(row) <= 0.0 {
            return invalid("standardDeviation must be > 0");
        }
        let z = (values.value(row) - means.value(row)) / deviations.value(row);
        Ok(Some(0.5 * complement(-z / std::f64::consts::SQRT_2)))
    });
    Ok(Arc::new(of.collect::<Result<Float64Array>>()?))
}

/// The cosine between two sparse vectors, maps from name to number.
fn cosine_similarity(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let vector = |column: &ArrayRef, row: usize| -> Result<BTreeMap<String, f64>> {
        let Some(maps) = column.as_map_opt() else {
            return invalid("a map(varchar, double) is needed");
        };
        let entries = maps.value(row);
        let names = arrow::compute::cast(entries.column(0), &DataType::Utf8)?;
        let numbers = doubles(entries.column(1))?;
        let pairs = names.as_string::<i32>().iter().zip(numbers.iter());
        let pairs = pairs.filter_map(|(name, number)| Some((name?.to_owned(), number?)));
        Ok(pairs.collect())
    };
    let of = (0..columns[0].len()).map(|row| {
        let missing = columns
            .iter()
            .any(|column| *column.data_type() == DataType::Null);
        if missing || any_null(columns, row) {
            return Ok(None);
        }
        let (left, right) = (vector(&columns[0], row)?, vector(&columns[1], row)?);
        let length = |of: &BTreeMap<String, f64>| of.values().map(|x| x * x).sum::<f64>().sqrt();
        let common = left
            .iter()
            .filter_map(|(name, x)| Some(x * right.get(name)?));
        Ok(Some(common.sum::<f64>() / (length(&left) * length(&right))))
    });
    Ok(Arc::new(of.collect::<Result<Float64Array>>()?))
}

/// Found by halving: the distribution only rises.
fn inverse_normal_cdf(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let [means, deviations, chances] =
        [0, 1, 2].map(|at: usize| columns[at].as_primitive::<Float64Type>());
    let of = (0..means.len()).map(|row| {
        if any_null(columns, row) {
            return Ok(None);
        }
        let chance = chances.value(row);
        if !(chance > 0.0 && chance < 1.0) {
            return invalid("p must be 0 > p > 1");
        }
        if deviations.value(row) <= 0.0 {
            return invalid("standardDeviation must be > 0");
        }
        let (mut low, mut high) = (-40.0, 40.0);
        for _ in 0..200 {
            let middle = f64::midpoint(low, high);
            if 0.5 * complement(-middle / std::f64::consts::SQRT_2) < chance {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(Some(
            means.value(row) + deviations.value(row) * f64::midpoint(low, high),
        ))
    });
    Ok(Arc::new(of.collect::<Result<Float64Array>>()?))
}

/// The complementary error function: its series near zero, its continued fraction elsewhere.
fn complement(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x < 0.0 {
        return 2.0 - complement(-x);
    }
    if x > 27.0 {
        return 0.0;
    }
    let scale = (-x * x).exp() / std::f64::consts::PI.sqrt();
    if x < 2.5 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term.abs() > 1e-18 * sum.abs() {
            n += 1.0;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
        }
        return 1.0 - 2.0 * scale * sum;
    }
    let fraction = (1..=120)
        .rev()
        .fold(x, |below, n| x + f64::from(n) / 2.0 / below);
    scale / fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_away_from_zero() {
        assert_eq!(
            [
                rounded(25, 10),
                rounded(-25, 10),
                rounded(24, 10),
                rounded(7, 1)
            ],
            [3, -3, 2, 7]
        );
    }

    #[test]
    fn buckets_count_from_one() {
        assert_eq!(between(5.35, 0.024, 10.06, 5).unwrap(), 3);
        assert_eq!(between(3.0, 4.0, 0.0, 4).unwrap(), 1);
        assert_eq!(
            among(1.0, &Float64Array::from(vec![0.0, 1.0, 2.0])).unwrap(),
            2
        );
    }

    #[test]
    fn the_tail_of_the_normal_distribution() {
        assert!(
            (0.5 * complement(-1.959_963_984_540_054 / std::f64::consts::SQRT_2) - 0.975).abs()
                < 1e-12
        );
        assert!(
            (0.5 * complement(3.0 / std::f64::consts::SQRT_2) - 0.001_349_898_031_630_094_6).abs()
                < 1e-15
        );
    }
}
