//! Aggregates that DataFusion lacks, as functions of the array of what they collect: the rewrite turns `histogram(x)`
//! into `trino_histogram(array_agg(x) FILTER (WHERE x IS NOT NULL))`, so grouping, FILTER, DISTINCT and windows are those
//! of `array_agg`.

use std::{cmp::Ordering, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, StringBuilder, new_null_array},
    compute::cast,
    datatypes::{DataType, Int64Type},
};
use datafusion::{
    common::{Result, ScalarValue, plan_err},
    logical_expr::ScalarUDF,
};

use super::{
    Take,
    arrays::{compared, element_type, from_rows, items},
    function, invalid, list_of,
    maps::{from_pairs, map_of, map_type, pairs},
    returns_text,
};

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::{Any, Int, Text};
    let double: super::Returns = |_, _| Ok(DataType::Float64);
    vec![
        function("trino_entropy", &[&[Any]], double, |columns, _| {
            doubles(columns, entropy)
        }),
        function(
            "trino_extreme_by",
            &[&[Any, Int, Int]],
            |types, _| Ok(list_of(fields(&types[0])?[0].clone())),
            extreme_by,
        ),
        function(
            "trino_extremes",
            &[&[Any, Int, Int]],
            |types, _| Ok(types[0].clone()),
            extremes,
        ),
        function(
            "trino_frequent",
            &[&[Any, Int]],
            |types, _| Ok(map_of(element_type(&types[0])?, DataType::Int64)),
            frequent,
        ),
        function(
            "trino_histogram",
            &[&[Any]],
            |types, _| Ok(map_of(element_type(&types[0])?, DataType::Int64)),
            histogram,
        ),
        function("trino_kurtosis", &[&[Any]], double, |columns, _| {
            doubles(columns, kurtosis)
        }),
        function("trino_listagg", &[&[Any, Text]], listagg_type, listagg),
        function(
            "trino_map_agg",
            &[&[Any]],
            map_agg_type,
            |columns, returns| map_agg(columns, returns, false),
        ),
        function(
            "trino_map_union",
            &[&[Any]],
            |types, _| element_type(&types[0]),
            map_union,
        ),
        function(
            "trino_multimap_agg",
            &[&[Any]],
            multimap_type,
            |columns, returns| map_agg(columns, returns, true),
        ),
        super::variadic(
            "listagg",
            Any,
            |_, _| {
                plan_err!(
                    "cannot coerce the arguments of listagg: a text, a separator and WITHIN GROUP (ORDER BY …) are needed"
                )
            },
            |columns, _| Ok(Arc::clone(&columns[0])),
        ),
        function(
            "trino_percentile",
            &[&[Any, Any]],
            percentile_type,
            percentile,
        ),
        function("trino_skewness", &[&[Any]], double, |columns, _| {
            doubles(columns, skewness)
        }),
    ]
}

/// The types of the fields of collected rows.
fn fields(of: &DataType) -> Result<Vec<DataType>> {
    match element_type(of)? {
        DataType::Struct(fields) => Ok(fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect()),
        other => plan_err!("cannot coerce {} to a row", crate::names::type_name(&other)),
    }
}

/// The fields of one collected row.
fn cells(row: &ScalarValue) -> Result<Vec<ScalarValue>> {
    match row {
        ScalarValue::Struct(row) => row
            .columns()
            .iter()
            .map(|column| ScalarValue::try_from_array(column, 0))
            .collect(),
        other => plan_err!("cannot coerce {} to a row", other.data_type()),
    }
}

/// Places of the greatest (1) or least (-1) keys, NaN never before another.
fn order(keys: &[ScalarValue], sign: i64) -> Result<Vec<usize>> {
    let nan = |value: &ScalarValue| {
        matches!(value, ScalarValue::Float64(Some(x)) if x.is_nan())
            || matches!(value, ScalarValue::Float32(Some(x)) if x.is_nan())
    };
    let mut failed = None;
    let mut places: Vec<usize> = (0..keys.len()).collect();
    places.sort_by(|left, right| {
        let (left, right) = (&keys[*left], &keys[*right]);
        nan(left).cmp(&nan(right)).then_with(|| {
            let order = compared(left, right).unwrap_or_else(|error| {
                failed = Some(error);
                Ordering::Equal
            });
            if sign > 0 { order.reverse() } else { order }
        })
    });
    failed.map_or(Ok(places), Err)
}

fn count_of(columns: &[ArrayRef], row: usize) -> Result<(usize, i64)> {
    let number = |index: usize| columns[index].as_primitive::<Int64Type>();
    if number(1).is_null(row) {
        return invalid(
            "third argument of min_by/max_by or second argument of min/max must not be null",
        );
    }
    match usize::try_from(number(1).value(row)) {
        Ok(count @ 1..=10_000) => Ok((count, number(2).value(row))),
        _ => invalid(format!(
            "n must be a positive integer of at most 10000: found {}",
            number(1).value(row)
        )),
    }
}

/// The n greatest or least values, in order.
fn extremes(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let rows = (0..columns[0].len()).map(|row| {
        let Some(items) = items(&columns[0], row)? else {
            return Ok(None);
        };
        let (count, sign) = count_of(columns, row)?;
        Ok(Some(
            order(&items, sign)?
                .into_iter()
                .take(count)
                .map(|at| items[at].clone())
                .collect(),
        ))
    });
    from_rows(rows.collect::<Result<_>>()?, &element_type(returns)?)
}

/// The values that stand beside the n greatest or least keys.
fn extreme_by(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let rows = (0..columns[0].len()).map(|row| {
        let Some(items) = items(&columns[0], row)? else {
            return Ok(None);
        };
        let (count, sign) = count_of(columns, row)?;
        let rows = items.iter().map(cells).collect::<Result<Vec<_>>>()?;
        let keys: Vec<ScalarValue> = rows.iter().map(|row| row[1].clone()).collect();
        Ok(Some(
            order(&keys, sign)?
                .into_iter()
                .take(count)
                .map(|at| rows[at][0].clone())
                .collect(),
        ))
    });
    from_rows(rows.collect::<Result<_>>()?, &element_type(returns)?)
}

/// Values and how often they stand, in the order of their first.
fn counted(items: Vec<ScalarValue>) -> Vec<(ScalarValue, i64)> {
    let mut known = std::collections::HashMap::new();
    let mut counts: Vec<(ScalarValue, i64)> = Vec::new();
    for item in items {
        let place = *known.entry(item.clone()).or_insert(counts.len());
        if place == counts.len() {
            counts.push((item, 0));
        }
        counts[place].1 += 1;
    }
    counts
}

fn histogram(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let rows = (0..columns[0].len()).map(|row| {
        let counts = items(&columns[0], row)?.map(counted);
        Ok(counts.map(|counts| {
            counts
                .into_iter()
                .map(|(value, count)| (value, ScalarValue::from(count)))
                .collect()
        }))
    });
    from_pairs(rows.collect::<Result<_>>()?, returns)
}

/// The most frequent values.
fn frequent(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let most = columns[1].as_primitive::<Int64Type>();
    let rows = (0..columns[0].len()).map(|row| {
        let Some(items) = items(&columns[0], row)? else {
            return Ok(None);
        };
        let mut counts = counted(items);
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts.truncate(usize::try_from(most.value(row)).unwrap_or(0));
        Ok(Some(
            counts
                .into_iter()
                .map(|(value, count)| (value, ScalarValue::from(count)))
                .collect(),
        ))
    });
    from_pairs(rows.collect::<Result<_>>()?, returns)
}

fn listagg_type(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    match element_type(&types[0])? {
        DataType::Utf8 | DataType::Utf8View | DataType::Null => returns_text(types, scalars),
        other => plan_err!(
            "cannot coerce {} to varchar for listagg",
            crate::names::type_name(&other)
        ),
    }
}

fn listagg(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let lists = cast(&columns[0], &list_of(DataType::Utf8))?;
    let (lists, separators) = (lists.as_list::<i32>(), columns[1].as_string::<i32>());
    let mut out = StringBuilder::with_capacity(lists.len(), 0);
    for row in 0..lists.len() {
        if lists.is_null(row) || separators.is_null(row) {
            out.append_null();
            continue;
        }
        let parts = lists.value(row);
        out.append_value(
            parts
                .as_string::<i32>()
                .iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(separators.value(row)),
        );
    }
    Ok(Arc::new(out.finish()))
}

fn map_agg_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let fields = fields(&types[0])?;
    Ok(map_of(fields[0].clone(), fields[1].clone()))
}

fn multimap_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let fields = fields(&types[0])?;
    Ok(map_of(fields[0].clone(), list_of(fields[1].clone())))
}

/// Keys with their first value, or with all of them.
fn map_agg(columns: &[ArrayRef], returns: &DataType, many: bool) -> Result<ArrayRef> {
    let value = match map_type(returns) {
        Some((_, DataType::List(field))) if many => field.data_type().clone(),
        _ => DataType::Null,
    };
    let rows = (0..columns[0].len()).map(|row| {
        let Some(items) = items(&columns[0], row)? else {
            return Ok(None);
        };
        let mut known: Vec<(ScalarValue, Vec<ScalarValue>)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for item in &items {
            let mut cells = cells(item)?;
            let (Some(told), Some(key)) = (cells.pop(), cells.pop()) else {
                continue;
            };
            let place = *places.entry(key.clone()).or_insert(known.len());
            if place == known.len() {
                known.push((key, Vec::new()));
            }
            known[place].1.push(told);
        }
        let entry = |(key, mut values): (ScalarValue, Vec<ScalarValue>)| match many {
            true => (
                key,
                ScalarValue::List(ScalarValue::new_list_nullable(&values, &value)),
            ),
            false => (key, values.swap_remove(0)),
        };
        Ok(Some(known.into_iter().map(entry).collect()))
    });
    from_pairs(rows.collect::<Result<_>>()?, returns)
}

/// All entries; of a key that several maps have, the first.
fn map_union(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let rows = (0..columns[0].len()).map(|row| {
        let Some(maps) = items(&columns[0], row)? else {
            return Ok(None);
        };
        let mut known: Vec<(ScalarValue, ScalarValue)> = Vec::new();
        for map in maps {
            for (key, value) in pairs(&map.to_array_of_size(1)?, 0)?.unwrap_or_default() {
                if !known.iter().any(|(other, _)| *other == key) {
                    known.push((key, value));
                }
            }
        }
        Ok(Some(known))
    });
    from_pairs(rows.collect::<Result<_>>()?, returns)
}

/// What the percentiles are taken of: values, or rows of a value and its weight.
fn sample(of: &DataType) -> Result<DataType> {
    match element_type(of)? {
        DataType::Struct(fields) => Ok(fields[0].data_type().clone()),
        other => Ok(other),
    }
}

fn percentile_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let of = sample(&types[0])?;
    let of = if matches!(of, DataType::Decimal128(..)) {
        DataType::Float64
    } else {
        of
    };
    if !of.is_numeric() && of != DataType::Null {
        return plan_err!(
            "cannot coerce {} to a number for approx_percentile",
            crate::names::type_name(&of)
        );
    }
    Ok(if matches!(types[1], DataType::List(_)) {
        list_of(of)
    } else {
        of
    })
}

/// The value below which that share of the rows lies, exactly.
fn percentile(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let many = matches!(columns[1].data_type(), DataType::List(_));
    let shares = if many {
        cast(&columns[1], &list_of(DataType::Float64))?
    } else {
        cast(&columns[1], &DataType::Float64)?
    };
    let weighted = matches!(element_type(columns[0].data_type())?, DataType::Struct(_));
    let mut rows = Vec::with_capacity(columns[0].len());
    for row in 0..columns[0].len() {
        let Some(items) = items(&columns[0], row)?.filter(|items| !items.is_empty()) else {
            rows.push(None);
            continue;
        };
        let mut sorted = Vec::with_capacity(items.len());
        for item in items {
            if weighted {
                let mut cells = cells(&item)?;
                let weight = cells
                    .pop()
                    .map(|weight| weight.cast_to(&DataType::Float64))
                    .transpose()?;
                match (cells.pop(), weight) {
                    (Some(value), Some(ScalarValue::Float64(Some(weight)))) if weight > 0.0 => {
                        sorted.push((value, weight))
                    }
                    _ => return invalid("percentile weight must be > 0"),
                }
            } else {
                sorted.push((item, 1.0));
            }
        }
        sorted.sort_by(|left, right| left.0.partial_cmp(&right.0).unwrap_or(Ordering::Equal));
        let told = if many {
            super::arrays::items(&shares, row)?.unwrap_or_default()
        } else {
            vec![ScalarValue::try_from_array(&shares, row)?]
        };
        rows.push(Some(
            told.iter()
                .map(|share| at_share(&sorted, share))
                .collect::<Result<Vec<_>>>()?,
        ));
    }
    if many {
        return from_rows(rows, &element_type(returns)?);
    }
    let cells = rows.into_iter().map(|row| {
        row.and_then(|mut row| row.pop())
            .map_or_else(|| ScalarValue::try_from(returns), Ok)
    });
    let cells = cells.collect::<Result<Vec<_>>>()?;
    if cells.is_empty() {
        return Ok(new_null_array(returns, 0));
    }
    Ok(cast(&super::arrays::column(cells)?, returns)?)
}

fn at_share(sorted: &[(ScalarValue, f64)], share: &ScalarValue) -> Result<ScalarValue> {
    let ScalarValue::Float64(Some(share)) = share else {
        return invalid("Percentile cannot be null");
    };
    if !(0.0..=1.0).contains(share) {
        return invalid("Percentile must be between 0 and 1");
    }
    let wanted = share * sorted.iter().map(|(_, weight)| weight).sum::<f64>();
    let mut sum = 0.0;
    for (value, weight) in sorted {
        sum += weight;
        if sum > wanted {
            return Ok(value.clone());
        }
    }
    Ok(sorted
        .last()
        .map_or(ScalarValue::Null, |(value, _)| value.clone()))
}

/// A number of each array's numbers.
fn doubles(columns: &[ArrayRef], of: impl Fn(&[f64]) -> Option<f64>) -> Result<ArrayRef> {
    let lists = cast(&columns[0], &list_of(DataType::Float64))?;
    let lists = lists.as_list::<i32>();
    let told = (0..lists.len()).map(|row| {
        let values = lists.is_valid(row).then(|| lists.value(row))?;
        of(values
            .as_primitive::<arrow::datatypes::Float64Type>()
            .values())
    });
    Ok(Arc::new(told.collect::<Float64Array>()))
}

/// The sum of the n-th powers of what each value differs from the mean.
fn moment(values: &[f64], power: i32) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean).powi(power)).sum()
}

fn skewness(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    (values.len() >= 3).then(|| count.sqrt() * moment(values, 3) / moment(values, 2).powf(1.5))
}

fn kurtosis(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let variance = moment(values, 2) / (n - 1.0);
    (values.len() >= 4).then(|| {
        n * (n + 1.0) / ((n - 1.0) * (n - 2.0) * (n - 3.0)) * moment(values, 4) / variance.powi(2)
            - 3.0 * (n - 1.0).powi(2) / ((n - 2.0) * (n - 3.0))
    })
}

/// The entropy of counts, in bits.
fn entropy(values: &[f64]) -> Option<f64> {
    let sum: f64 = values.iter().sum();
    let part = |value: &f64| {
        if *value > 0.0 {
            -(value / sum) * (value / sum).log2()
        } else {
            0.0
        }
    };
    Some(if sum > 0.0 {
        // A sum of nothing but zeros has no sign.
        values.iter().map(part).sum::<f64>() + 0.0
    } else {
        0.0
    })
}
