//! Numbers and orders that are drawn: no two statements see the same ones.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, AsArray, Int64Builder},
    datatypes::{DataType, Float64Type, Int64Type},
};
use datafusion::{
    common::{Result, ScalarValue, plan_err},
    logical_expr::ScalarUDF,
};

use super::{Take, any_null, arrays, function, invalid, opaque};

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::{Any, Double};
    vec![
        opaque(
            "shuffle",
            &[&[Any]],
            |types, _| {
                arrays::element_type(&types[0])?;
                Ok(types[0].clone())
            },
            shuffle,
        ),
        function(
            "trino_random",
            &[&[Double, Any], &[Double, Any, Any]],
            returns_bounds,
            random,
        ),
    ]
}

fn returns_bounds(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match types[1..].iter().find(|of| !of.is_integer()) {
        Some(other) => plan_err!(
            "cannot coerce a bound of random: {} where a whole number is needed",
            crate::names::type_name(other)
        ),
        None => Ok(types[types.len() - 1].clone()),
    }
}

/// A whole number from the lower bound, or 0, to below the upper one.
fn random(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let drawn = columns[0].as_primitive::<Float64Type>();
    let bounds = columns[1..]
        .iter()
        .map(|column| arrow::compute::cast(column, &DataType::Int64))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let bound = |at: usize, row: usize| bounds[at].as_primitive::<Int64Type>().value(row);
    let mut out = Int64Builder::with_capacity(drawn.len());
    for row in 0..drawn.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let (low, high) = match bounds.len() {
            1 => (0, bound(0, row)),
            _ => (bound(0, row), bound(1, row)),
        };
        if low >= high {
            return match bounds.len() {
                1 => invalid("bound must be positive"),
                _ => invalid("start value must be less than stop value"),
            };
        }
        let size = (i128::from(high) - i128::from(low)).unsigned_abs();
        // 53 bits of the drawn fraction are more than a number of rows can tell apart.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let step = ((drawn.value(row) * 9_007_199_254_740_992.0) as u128 * size) >> 53;
        let value = i128::from(low) + i128::try_from(step).unwrap_or(0);
        out.append_value(i64::try_from(value).unwrap_or(low));
    }
    Ok(arrow::compute::cast(&out.finish(), returns)?)
}

fn shuffle(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let state = RandomState::new();
    let mut count = 0_u64;
    let rows = (0..columns[0].len()).map(|row| {
        Ok(arrays::items(&columns[0], row)?.map(|mut items| {
            for last in (1..items.len()).rev() {
                count += 1;
                let size = u64::try_from(last + 1).unwrap_or(u64::MAX);
                let place = usize::try_from(state.hash_one(count) % size).unwrap_or(last);
                items.swap(last, place);
            }
            items
        }))
    });
    let rows = rows.collect::<Result<_>>()?;
    Ok(Arc::new(arrays::from_rows(
        rows,
        &arrays::element_type(returns)?,
    )?))
}
