//! Maps: made of arrays, of entries and of texts. A key stands once and is never NULL.

use std::{collections::HashSet, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, UInt32Array, new_null_array,
    },
    buffer::{NullBuffer, OffsetBuffer},
    compute::{cast, take},
    datatypes::{DataType, Field, Fields},
};
use datafusion::{
    common::{Result, ScalarValue, exec_err, plan_err},
    logical_expr::ScalarUDF,
};

use super::{
    Take, any_null,
    arrays::{common_type, element_type, items},
    function, invalid,
    lambda::pair,
    list_of,
};

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::{Any, Text};
    vec![
        function("trino_map", &[&[], &[Any, Any]], returns_map, map),
        function(
            "map_entries",
            &[&[Any]],
            |types, _| Ok(list_of(entry_type(types.first())?)),
            entries,
        ),
        function(
            "map_from_entries",
            &[&[Any]],
            |types, _| from_entries_type(types, false),
            |columns, returns| from_entries(columns, returns, false),
        ),
        function(
            "map_keys",
            &[&[Any]],
            |types, _| Ok(list_of(map_types(types.first())?.0)),
            |columns, _| side(columns, true),
        ),
        function(
            "map_values",
            &[&[Any]],
            |types, _| Ok(list_of(map_types(types.first())?.1)),
            |columns, _| side(columns, false),
        ),
        function(
            "multimap_from_entries",
            &[&[Any]],
            |types, _| from_entries_type(types, true),
            |columns, returns| from_entries(columns, returns, true),
        ),
        function(
            "split_to_map",
            &[&[Text, Text, Text]],
            |_, _| Ok(map_of(DataType::Utf8, DataType::Utf8)),
            |columns, returns| split(columns, returns, Twice::Refused),
        ),
        function(
            "split_to_multimap",
            &[&[Text, Text, Text]],
            |_, _| Ok(map_of(DataType::Utf8, list_of(DataType::Utf8))),
            |columns, returns| split(columns, returns, Twice::Collected),
        ),
        super::variadic("map_concat", Any, concat_type, concat),
    ]
}

/// The types of keys and values.
pub(super) fn map_type(of: &DataType) -> Option<(&DataType, &DataType)> {
    let DataType::Map(entries, _) = of else {
        return None;
    };
    match entries.data_type() {
        DataType::Struct(fields) => Some((fields.first()?.data_type(), fields.get(1)?.data_type())),
        _ => None,
    }
}

pub(crate) fn map_of(key: DataType, value: DataType) -> DataType {
    let fields: Fields = vec![
        Field::new("key", key, false),
        Field::new("value", value, true),
    ]
    .into();
    DataType::Map(
        Arc::new(Field::new("entries", DataType::Struct(fields), false)),
        false,
    )
}

fn map_types(of: Option<&DataType>) -> Result<(DataType, DataType)> {
    match of {
        Some(DataType::Null) => Ok((DataType::Null, DataType::Null)),
        Some(of) => match map_type(of) {
            Some((key, value)) => Ok((key.clone(), value.clone())),
            None => plan_err!("cannot coerce {} to a map", crate::names::type_name(of)),
        },
        None => plan_err!("cannot coerce nothing to a map"),
    }
}

fn entry_type(of: Option<&DataType>) -> Result<DataType> {
    let (key, value) = map_types(of)?;
    Ok(DataType::Struct(
        vec![
            Field::new("field0", key, true),
            Field::new("field1", value, true),
        ]
        .into(),
    ))
}

/// The same map, starting at 0, its NULLs empty.
pub(super) fn compact(map: &ArrayRef) -> MapArray {
    let map = map.as_map();
    let (mut picks, mut lengths) = (Vec::new(), Vec::new());
    for row in 0..map.len() {
        let range = if map.is_null(row) {
            0..0
        } else {
            map.value_offsets()[row]..map.value_offsets()[row + 1]
        };
        lengths.push(range.len());
        picks.extend(range.map(|at| u32::try_from(at).unwrap_or(0)));
    }
    let picks = UInt32Array::from(picks);
    let taken = take(map.entries(), &picks, None)
        .ok()
        .map(|entries| entries.as_struct().clone());
    let DataType::Map(field, _) = map.data_type() else {
        return map.clone();
    };
    taken
        .and_then(|entries| {
            MapArray::try_new(
                Arc::clone(field),
                OffsetBuffer::from_lengths(lengths),
                entries,
                map.nulls().cloned(),
                false,
            )
            .ok()
        })
        .unwrap_or_else(|| map.clone())
}

/// A map column of its parts.
pub(super) fn build(
    offsets: OffsetBuffer<i32>,
    keys: ArrayRef,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    if keys.logical_null_count() > 0 && *keys.data_type() != DataType::Null {
        return invalid("map key cannot be null");
    }
    let entries = pair(keys, values)?;
    let DataType::Map(field, _) = map_of(
        entries.column(0).data_type().clone(),
        entries.column(1).data_type().clone(),
    ) else {
        return exec_err!("a map is expected");
    };
    Ok(Arc::new(MapArray::try_new(
        field, offsets, entries, nulls, false,
    )?))
}

/// Refuses a key that stands twice, or is NULL.
pub(super) fn unique_keys(offsets: &OffsetBuffer<i32>, keys: &ArrayRef) -> Result<()> {
    for range in offsets.windows(2) {
        let mut seen = HashSet::new();
        for at in range[0]..range[1] {
            let key = ScalarValue::try_from_array(keys, usize::try_from(at).unwrap_or(0))?;
            if key.is_null() {
                return invalid("map key cannot be null");
            }
            if !seen.insert(key.clone()) {
                return invalid(format!("Duplicate map keys ({key}) are not allowed"));
            }
        }
    }
    Ok(())
}

fn returns_map(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match types {
        [] => Ok(map_of(DataType::Null, DataType::Null)),
        [keys, values] => Ok(map_of(element_type(keys)?, element_type(values)?)),
        _ => plan_err!("cannot coerce the arguments of map"),
    }
}

/// Rows of entries as a map column.
pub(super) fn from_pairs(
    rows: Vec<Option<Vec<(ScalarValue, ScalarValue)>>>,
    returns: &DataType,
) -> Result<ArrayRef> {
    let Some((key, value)) = map_type(returns) else {
        return exec_err!("a map is expected");
    };
    let nulls: NullBuffer = rows.iter().map(Option::is_some).collect::<Vec<_>>().into();
    let offsets =
        OffsetBuffer::from_lengths(rows.iter().map(|row| row.as_ref().map_or(0, Vec::len)));
    let (keys, values): (Vec<_>, Vec<_>) = rows.into_iter().flatten().flatten().unzip();
    let column = |cells: Vec<ScalarValue>, of: &DataType| -> Result<ArrayRef> {
        if cells.is_empty() {
            Ok(new_null_array(of, 0))
        } else {
            Ok(cast(&super::arrays::column(cells)?, of)?)
        }
    };
    build(
        offsets,
        column(keys, key)?,
        column(values, value)?,
        Some(nulls),
    )
}

/// What is done with a key that stands twice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Twice {
    Refused,
    Collected,
}

/// Pairs with each key once.
fn once(
    pairs: Vec<(ScalarValue, ScalarValue)>,
    twice: Twice,
    of: &DataType,
) -> Result<Vec<(ScalarValue, ScalarValue)>> {
    let mut order: Vec<(ScalarValue, Vec<ScalarValue>)> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for (key, value) in pairs {
        if key.is_null() {
            return invalid("map key cannot be null");
        }
        let place = *known.entry(key.clone()).or_insert(order.len());
        if place < order.len() && twice == Twice::Refused {
            return invalid(format!("Duplicate keys ({key}) are not allowed"));
        }
        if place == order.len() {
            order.push((key, Vec::new()));
        }
        order[place].1.push(value);
    }
    order
        .into_iter()
        .map(|(key, mut values)| match twice {
            Twice::Collected => Ok((
                key,
                ScalarValue::List(ScalarValue::new_list_nullable(&values, of)),
            )),
            Twice::Refused => Ok((key, values.pop().unwrap_or(ScalarValue::Null))),
        })
        .collect()
}

fn map(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let [keys, values] = columns else {
        return from_pairs(vec![Some(Vec::new())], returns);
    };
    let mut rows = Vec::with_capacity(keys.len());
    for row in 0..keys.len() {
        let (Some(keys), Some(values)) = (items(keys, row)?, items(values, row)?) else {
            rows.push(None);
            continue;
        };
        if keys.len() != values.len() {
            return invalid("Key and value arrays must be the same length");
        }
        rows.push(Some(once(
            keys.into_iter().zip(values).collect(),
            Twice::Refused,
            &DataType::Null,
        )?));
    }
    from_pairs(rows, returns)
}

/// The entries of one map; nothing for NULL.
pub(super) fn pairs(
    column: &ArrayRef,
    row: usize,
) -> Result<Option<Vec<(ScalarValue, ScalarValue)>>> {
    if *column.data_type() == DataType::Null || column.is_null(row) {
        return Ok(None);
    }
    let entry = column.as_map().value(row);
    let cell = |index: usize, at: usize| ScalarValue::try_from_array(entry.column(index), at);
    (0..entry.len())
        .map(|at| Ok((cell(0, at)?, cell(1, at)?)))
        .collect::<Result<Vec<_>>>()
        .map(Some)
}

fn entries(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let DataType::List(field) = returns else {
        return exec_err!("a list is expected");
    };
    let DataType::Struct(fields) = field.data_type() else {
        return exec_err!("rows are expected");
    };
    if *columns[0].data_type() == DataType::Null {
        return Ok(new_null_array(returns, columns[0].len()));
    }
    let map = compact(&columns[0]);
    let rows = StructArray::try_new(
        fields.clone(),
        vec![Arc::clone(map.keys()), Arc::clone(map.values())],
        None,
    )?;
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(field),
        map.offsets().clone(),
        Arc::new(rows),
        map.nulls().cloned(),
    )?))
}

fn side(columns: &[ArrayRef], keys: bool) -> Result<ArrayRef> {
    if *columns[0].data_type() == DataType::Null {
        return Ok(new_null_array(&list_of(DataType::Null), columns[0].len()));
    }
    let map = compact(&columns[0]);
    let values = if keys { map.keys() } else { map.values() };
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    Ok(Arc::new(ListArray::try_new(
        field,
        map.offsets().clone(),
        Arc::clone(values),
        map.nulls().cloned(),
    )?))
}

fn from_entries_type(types: &[DataType], many: bool) -> Result<DataType> {
    let element = element_type(types.first().unwrap_or(&DataType::Null))?;
    match &element {
        DataType::Struct(fields) if fields.len() == 2 => {
            let value = fields[1].data_type().clone();
            Ok(map_of(
                fields[0].data_type().clone(),
                if many { list_of(value) } else { value },
            ))
        }
        DataType::Null => Ok(map_of(DataType::Null, DataType::Null)),
        other => plan_err!(
            "cannot coerce an array of {} to entries of a map",
            crate::names::type_name(other)
        ),
    }
}

fn from_entries(columns: &[ArrayRef], returns: &DataType, many: bool) -> Result<ArrayRef> {
    let value = map_type(returns).map_or(DataType::Null, |(_, value)| match value {
        DataType::List(field) if many => field.data_type().clone(),
        other => other.clone(),
    });
    let mut rows = Vec::with_capacity(columns[0].len());
    for row in 0..columns[0].len() {
        let Some(entries) = items(&columns[0], row)? else {
            rows.push(None);
            continue;
        };
        let pairs = entries.iter().map(|entry| match entry {
            ScalarValue::Struct(entry) if entry.is_valid(0) => Ok((
                ScalarValue::try_from_array(entry.column(0), 0)?,
                ScalarValue::try_from_array(entry.column(1), 0)?,
            )),
            _ => invalid("map entry cannot be null"),
        });
        let twice = if many {
            Twice::Collected
        } else {
            Twice::Refused
        };
        rows.push(Some(once(pairs.collect::<Result<_>>()?, twice, &value)?));
    }
    from_pairs(rows, returns)
}

fn split(columns: &[ArrayRef], returns: &DataType, twice: Twice) -> Result<ArrayRef> {
    let [texts, between, behind] = [0, 1, 2].map(|index: usize| columns[index].as_string::<i32>());
    let mut rows = Vec::with_capacity(texts.len());
    for row in 0..texts.len() {
        if any_null(columns, row) {
            rows.push(None);
            continue;
        }
        let (text, between, behind) = (texts.value(row), between.value(row), behind.value(row));
        if between.is_empty() || behind.is_empty() {
            return invalid("a delimiter is empty");
        }
        if between == behind {
            return invalid("entryDelimiter and keyValueDelimiter must not be the same");
        }
        let entries = if text.is_empty() {
            Vec::new()
        } else {
            text.split(between).collect()
        };
        // An empty entry at the end is none.
        let entries = match entries.split_last() {
            Some((&"", rest)) => rest.to_vec(),
            _ => entries,
        };
        let pairs = entries.into_iter().map(|entry| match entry.split_once(behind) {
            Some((key, value)) if twice == Twice::Collected || !value.contains(behind) => Ok((ScalarValue::from(key), ScalarValue::from(value))),
            _ => invalid(format!("Key-value delimiter must appear exactly once in each entry. Bad input: '{entry}'")),
        });
        rows.push(Some(once(
            pairs.collect::<Result<_>>()?,
            twice,
            &DataType::Utf8,
        )?));
    }
    from_pairs(rows, returns)
}

fn concat_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let mut all = types.iter().map(|of| map_types(Some(of)));
    let Some(first) = all.next() else {
        return plan_err!("cannot coerce nothing to maps");
    };
    let (mut key, mut value) = first?;
    for next in all {
        let (next_key, next_value) = next?;
        (key, value) = (
            common_type(&key, &next_key)?,
            common_type(&value, &next_value)?,
        );
    }
    Ok(map_of(key, value))
}

/// The entries of all maps; a later one wins.
fn concat(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let Some((key_type, value_type)) = map_type(returns) else {
        return exec_err!("a map is expected");
    };
    let mut rows = Vec::with_capacity(columns[0].len());
    for row in 0..columns[0].len() {
        let mut all: Option<Vec<(ScalarValue, ScalarValue)>> = Some(Vec::new());
        for column in columns {
            let (Some(known), Some(more)) = (&mut all, pairs(column, row)?) else {
                all = None;
                break;
            };
            for (key, value) in more {
                let (key, value) = (key.cast_to(key_type)?, value.cast_to(value_type)?);
                match known.iter_mut().find(|(known, _)| *known == key) {
                    Some(entry) => entry.1 = value,
                    None => known.push((key, value)),
                }
            }
        }
        rows.push(all);
    }
    from_pairs(rows, returns)
}

/// `map_zip_with`: every key of either map, with the values of both.
pub(super) fn zipped(
    columns: &[ArrayRef],
    returns: &DataType,
    call: impl Fn(UInt32Array, Vec<ArrayRef>) -> Result<ArrayRef>,
) -> Result<ArrayRef> {
    let Some((key_type, _)) = map_type(returns) else {
        return exec_err!("a map is expected");
    };
    let (mut rows, mut lengths, mut present) = (Vec::new(), Vec::new(), Vec::new());
    let mut cells: [Vec<ScalarValue>; 3] = Default::default();
    let value_types = [0, 1].map(|index: usize| {
        map_type(columns[index].data_type()).map_or(DataType::Null, |(_, value)| value.clone())
    });
    for row in 0..columns[0].len() {
        let (Some(left), Some(mut right)) = (pairs(&columns[0], row)?, pairs(&columns[1], row)?)
        else {
            lengths.push(0);
            present.push(false);
            continue;
        };
        let before = cells[0].len();
        for (key, value) in left {
            let other = right
                .iter()
                .position(|(known, _)| *known == key)
                .map(|at| right.remove(at).1);
            cells[0].push(key);
            cells[1].push(value);
            cells[2].push(other.map_or_else(|| ScalarValue::try_from(&value_types[1]), Ok)?);
        }
        for (key, value) in right {
            cells[0].push(key);
            cells[1].push(ScalarValue::try_from(&value_types[0])?);
            cells[2].push(value);
        }
        let count = cells[0].len() - before;
        rows.extend(std::iter::repeat_n(u32::try_from(row).unwrap_or(0), count));
        lengths.push(count);
        present.push(true);
    }
    let types = [
        key_type.clone(),
        value_types[0].clone(),
        value_types[1].clone(),
    ];
    let made: Vec<ArrayRef> = cells
        .into_iter()
        .zip(&types)
        .map(|(cells, of)| {
            if cells.is_empty() {
                Ok(new_null_array(of, 0))
            } else {
                super::arrays::column(cells)
            }
        })
        .collect::<Result<_>>()?;
    let told = call(rows.into(), made.clone())?;
    build(
        OffsetBuffer::from_lengths(lengths),
        cast(&made[0], key_type)?,
        told,
        Some(present.into()),
    )
}

/// The value of a key; nothing where the map lacks it.
pub(super) fn value_of(
    column: &ArrayRef,
    row: usize,
    key: &ScalarValue,
) -> Result<Option<ScalarValue>> {
    let found =
        pairs(column, row)?.and_then(|pairs| pairs.into_iter().find(|(known, _)| known == key));
    Ok(found.map(|(_, value)| value))
}
