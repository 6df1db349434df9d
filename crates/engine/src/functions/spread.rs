//! What `UNNEST` unnests: its arguments side by side, as one list of rows.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, ListArray, StructArray, new_null_array},
    buffer::OffsetBuffer,
    compute::cast,
    datatypes::{DataType, Field, Fields},
};
use datafusion::{
    common::{Result, ScalarValue, exec_err, plan_err},
    logical_expr::ScalarUDF,
};

use super::{Take, arrays, list_of, maps};

/// `trino_unnest(ordinality, outer, arrays and maps …)`.
pub(crate) fn function() -> ScalarUDF {
    super::variadic("trino_unnest", Take::Any, returns, spread)
}

/// Which field of a row it is, by name.
pub(crate) fn field() -> Arc<ScalarUDF> {
    static FIELD: std::sync::LazyLock<Arc<ScalarUDF>> =
        std::sync::LazyLock::new(|| Arc::new(arrays::field_function()));
    Arc::clone(&FIELD)
}

fn returns(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let mut fields: Vec<DataType> = Vec::new();
    let mut names: Vec<Option<String>> = Vec::new();
    for of in types.iter().skip(2) {
        match of {
            DataType::List(element) => match element.data_type() {
                // The rows of an array of rows become columns.
                DataType::Struct(inner) => {
                    fields.extend(inner.iter().map(|field| field.data_type().clone()));
                    let own = |(index, field): (usize, &Arc<Field>)| {
                        (*field.name() != format!("field{index}")).then(|| field.name().clone())
                    };
                    names.resize(fields.len() - inner.len(), None);
                    names.extend(inner.iter().enumerate().map(own));
                }
                other => fields.push(other.clone()),
            },
            DataType::Null => fields.push(DataType::Null),
            other => match maps::map_type(other) {
                Some((key, value)) => fields.extend([key.clone(), value.clone()]),
                None => {
                    return plan_err!(
                        "cannot coerce {} to an array or map for UNNEST",
                        crate::names::type_name(other)
                    );
                }
            },
        }
    }
    if scalars
        .first()
        .is_some_and(|flag| matches!(flag, Some(ScalarValue::Boolean(Some(true)))))
    {
        fields.push(DataType::Int64);
    }
    names.resize(fields.len(), None);
    let mut known = std::collections::HashSet::new();
    let fields: Fields = fields
        .into_iter()
        .zip(names)
        .enumerate()
        .map(|(index, (of, name))| {
            let name = name
                .filter(|name| known.insert(name.clone()))
                .unwrap_or_else(|| format!("_col{index}"));
            Field::new(name, of, true)
        })
        .collect();
    Ok(list_of(DataType::Struct(fields)))
}

/// One argument's columns: for each its values, and where each row starts and ends.
struct Column {
    values: ArrayRef,
    offsets: OffsetBuffer<i32>,
}

fn columns_of(argument: &ArrayRef) -> Result<Vec<Column>> {
    let column = |values: &ArrayRef, offsets: &OffsetBuffer<i32>| Column {
        values: Arc::clone(values),
        offsets: offsets.clone(),
    };
    match argument.data_type() {
        DataType::Null => Ok(vec![Column {
            values: new_null_array(&DataType::Null, 0),
            offsets: OffsetBuffer::new_zeroed(argument.len()),
        }]),
        DataType::Map(..) => {
            let map = maps::compact(argument);
            Ok(vec![
                column(map.keys(), map.offsets()),
                column(map.values(), map.offsets()),
            ])
        }
        DataType::List(_) => {
            let list = datafusion::common::utils::remove_list_null_values(argument)?;
            let list = list.as_list::<i32>();
            let values = list.values();
            match values.as_struct_opt() {
                Some(rows) => {
                    let missing = arrow::array::BooleanArray::from_iter(
                        (0..rows.len()).map(|row| Some(rows.is_null(row))),
                    );
                    rows.columns()
                        .iter()
                        .map(|values| {
                            Ok(column(
                                &arrow::compute::nullif(values, &missing)?,
                                list.offsets(),
                            ))
                        })
                        .collect()
                }
                None => Ok(vec![column(values, list.offsets())]),
            }
        }
        other => exec_err!("UNNEST of {other}"),
    }
}

fn spread(arguments: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let DataType::List(element) = returns else {
        return exec_err!("a list is expected");
    };
    let DataType::Struct(fields) = element.data_type() else {
        return exec_err!("rows are expected");
    };
    let count = arguments[0].len();
    let flag = |index: usize| count > 0 && arguments[index].as_boolean().value(0);
    let (ordinality, outer) = (flag(0), flag(1));
    let columns = arguments[2..]
        .iter()
        .map(columns_of)
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    let length = |column: &Column, row: usize| {
        usize::try_from(column.offsets[row + 1] - column.offsets[row]).unwrap_or(0)
    };
    let longest: Vec<usize> = (0..count)
        .map(|row| {
            columns
                .iter()
                .map(|column| length(column, row))
                .max()
                .unwrap_or(0)
        })
        .collect();
    // Who keeps a row without elements keeps it with NULLs.
    let kept: Vec<usize> = longest
        .iter()
        .map(|length| if outer { (*length).max(1) } else { *length })
        .collect();
    let mut made: Vec<ArrayRef> = Vec::with_capacity(fields.len());
    for (column, field) in columns.iter().zip(fields) {
        let picks = (0..count).flat_map(|row| {
            let (start, length) = (column.offsets[row], length(column, row));
            (0..kept[row]).map(move |nth| {
                (nth < length)
                    .then(|| u32::try_from(start).unwrap_or(0) + u32::try_from(nth).unwrap_or(0))
            })
        });
        let picks: arrow::array::UInt32Array = picks.collect();
        made.push(cast(
            &arrow::compute::take(&column.values, &picks, None)?,
            field.data_type(),
        )?);
    }
    if ordinality {
        let numbers = (0..count).flat_map(|row| (0..kept[row]).map(move |nth| (nth, row)));
        let numbers = numbers.map(|(nth, row)| {
            (longest[row] > 0).then(|| i64::try_from(nth + 1).unwrap_or(i64::MAX))
        });
        made.push(Arc::new(numbers.collect::<arrow::array::Int64Array>()));
    }
    let rows = StructArray::try_new_with_length(fields.clone(), made, None, kept.iter().sum())?;
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(element),
        OffsetBuffer::from_lengths(kept),
        Arc::new(rows),
        None,
    )?))
}
