//! Arrays and subscripts. Places count from 1; what lies outside is an error for `[…]` and NULL for `element_at`.

use std::{cmp::Ordering, fmt::Write, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, StringBuilder,
        new_null_array,
    },
    buffer::{NullBuffer, OffsetBuffer},
    compute::cast,
    datatypes::{DataType, Field, Int64Type, IntervalUnit, TimeUnit, TimestampMicrosecondType},
};
use datafusion::{
    common::{Result, ScalarValue, exec_err, plan_err},
    logical_expr::{ScalarUDF, type_coercion::binary::comparison_coercion},
};

use super::{
    Take, any_null, function, invalid, list_of, maps, returns_bigint, returns_text, variadic,
};

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::{Any, Int, Text};
    let boolean: super::Returns = |_, _| Ok(DataType::Boolean);
    vec![
        function("array_distinct", &[&[Any]], same, |columns, returns| {
            each(columns, returns, |items| Ok(distinct(items)))
        }),
        function("array_except", &[&[Any, Any]], both, |columns, returns| {
            set(columns, returns, |left, right| {
                distinct(
                    left.into_iter()
                        .filter(|item| !right.contains(item))
                        .collect(),
                )
            })
        }),
        function("array_first", &[&[Any]], element, |columns, returns| {
            reduced(columns, returns, |items| Ok(items.into_iter().next()))
        }),
        function(
            "array_histogram",
            &[&[Any]],
            |types, _| Ok(maps::map_of(element_type(&types[0])?, DataType::Int64)),
            histogram,
        ),
        function(
            "array_intersect",
            &[&[Any, Any]],
            both,
            |columns, returns| {
                set(columns, returns, |left, right| {
                    distinct(
                        left.into_iter()
                            .filter(|item| right.contains(item))
                            .collect(),
                    )
                })
            },
        ),
        function(
            "array_join",
            &[&[Any, Text], &[Any, Text, Text]],
            returns_text,
            join,
        ),
        function("array_last", &[&[Any]], element, |columns, returns| {
            reduced(columns, returns, |items| Ok(items.into_iter().next_back()))
        }),
        function("array_max", &[&[Any]], element, |columns, returns| {
            reduced(columns, returns, |items| extreme(items, Ordering::Greater))
        }),
        function("array_min", &[&[Any]], element, |columns, returns| {
            reduced(columns, returns, |items| extreme(items, Ordering::Less))
        }),
        function(
            "array_position",
            &[&[Any, Any], &[Any, Any, Int]],
            returns_bigint,
            position,
        ),
        function("array_remove", &[&[Any, Any]], same, remove),
        function("array_sort", &[&[Any]], same, |columns, returns| {
            each(columns, returns, sorted)
        }),
        function("array_union", &[&[Any, Any]], both, |columns, returns| {
            set(columns, returns, |left, right| {
                distinct(left.into_iter().chain(right).collect())
            })
        }),
        function("arrays_overlap", &[&[Any, Any]], boolean, overlap),
        function(
            "combinations",
            &[&[Any, Int]],
            |types, _| Ok(list_of(types[0].clone())),
            combinations,
        ),
        function("contains", &[&[Any, Any]], boolean, contains),
        function(
            "contains_sequence",
            &[&[Any, Any]],
            boolean,
            contains_sequence,
        ),
        function(
            "element_at",
            &[&[Any, Any]],
            subscript_type,
            |columns, returns| subscript(columns, returns, false),
        ),
        function(
            "flatten",
            &[&[Any]],
            |types, _| element_type(&types[0]),
            flatten,
        ),
        function(
            "ngrams",
            &[&[Any, Int]],
            |types, _| Ok(list_of(types[0].clone())),
            ngrams,
        ),
        function(
            "repeat",
            &[&[Any, Int]],
            |types, _| Ok(list_of(types[0].clone())),
            repeat,
        ),
        function(
            "reverse",
            &[&[Any]],
            |types, _| Ok(types[0].clone()),
            reverse,
        ),
        function(
            "sequence",
            &[&[Any, Any], &[Any, Any, Any]],
            sequence_type,
            sequence,
        ),
        function("slice", &[&[Any, Int, Int]], same, slice),
        function("trim_array", &[&[Any, Int]], same, trim),
        field_function(),
        function(
            "trino_subscript",
            &[&[Any, Any]],
            subscript_type,
            |columns, returns| subscript(columns, returns, true),
        ),
        function(
            "trino_array",
            &[&[]],
            |_, _| Ok(list_of(DataType::Null)),
            |_, returns| from_rows(vec![Some(Vec::new())], &element_type(returns)?),
        ),
        variadic("concat", Any, concat_type, concat),
        variadic("row", Any, row_type, row),
        variadic("trino_array_of", Any, array_type, array),
        variadic("zip", Any, zip_type, zip),
    ]
}

/// `=` of nested values.
pub(super) fn equal_function() -> ScalarUDF {
    function(
        "trino_equal",
        &[&[Take::Any, Take::Any]],
        |_, _| Ok(DataType::Boolean),
        equal,
    )
}

/// A field of a row by its name.
pub(super) fn field_function() -> ScalarUDF {
    function(
        "trino_field",
        &[&[Take::Any, Take::Text]],
        field_type,
        field,
    )
}

/// The type of an array's elements.
pub(super) fn element_type(of: &DataType) -> Result<DataType> {
    match of {
        DataType::List(field) => Ok(field.data_type().clone()),
        DataType::Null => Ok(DataType::Null),
        other => plan_err!(
            "cannot coerce {} to an array",
            crate::names::type_name(other)
        ),
    }
}

/// The type that holds values of both.
pub(super) fn common_type(left: &DataType, right: &DataType) -> Result<DataType> {
    if left == right {
        return Ok(left.clone());
    }
    let pair = (left.is_floating(), right.is_floating());
    if left.is_numeric() && right.is_numeric() && pair != (false, false) && pair != (true, true) {
        // A double and a decimal are doubles in Trino.
        return Ok(
            if *left == DataType::Float32 || *right == DataType::Float32 {
                DataType::Float32
            } else {
                DataType::Float64
            },
        );
    }
    if let (DataType::List(left), DataType::List(right)) = (left, right) {
        return Ok(list_of(common_type(left.data_type(), right.data_type())?));
    }
    if let (Some((key, value)), Some((other_key, other_value))) =
        (maps::map_type(left), maps::map_type(right))
    {
        return Ok(maps::map_of(
            common_type(key, other_key)?,
            common_type(value, other_value)?,
        ));
    }
    if let (DataType::Struct(left), DataType::Struct(right)) = (left, right)
        && left.len() == right.len()
    {
        let fields = left.iter().zip(right).map(|(left, right)| {
            Ok(Field::new(
                left.name(),
                common_type(left.data_type(), right.data_type())?,
                true,
            ))
        });
        return Ok(DataType::Struct(fields.collect::<Result<Vec<_>>>()?.into()));
    }
    let same_kind =
        (left.is_numeric() && right.is_numeric()) || (left.is_temporal() && right.is_temporal());
    let text = |of: &DataType| matches!(of, DataType::Utf8 | DataType::Utf8View);
    match comparison_coercion(left, right) {
        _ if *left == DataType::Null => Ok(right.clone()),
        _ if *right == DataType::Null => Ok(left.clone()),
        Some(common) if same_kind || (text(left) && text(right)) => Ok(common),
        _ => plan_err!(
            "cannot coerce {} and {} to one type",
            crate::names::type_name(left),
            crate::names::type_name(right)
        ),
    }
}

fn same(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    element_type(&types[0])?;
    Ok(types[0].clone())
}

fn element(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    element_type(&types[0])
}

fn both(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(list_of(common_type(
        &element_type(&types[0])?,
        &element_type(&types[1])?,
    )?))
}

/// One column of cells, all NULL ones of the type of the others.
pub(super) fn column(mut cells: Vec<ScalarValue>) -> Result<ArrayRef> {
    if let Some(known) = cells
        .iter()
        .map(ScalarValue::data_type)
        .find(|of| *of != DataType::Null)
    {
        for cell in cells
            .iter_mut()
            .filter(|cell| cell.data_type() == DataType::Null)
        {
            *cell = ScalarValue::try_from(&known)?;
        }
    }
    ScalarValue::iter_to_array(cells)
}

/// The elements of one array; nothing for NULL.
pub(super) fn items(column: &ArrayRef, row: usize) -> Result<Option<Vec<ScalarValue>>> {
    if *column.data_type() == DataType::Null || column.is_null(row) {
        return Ok(None);
    }
    let values = column.as_list::<i32>().value(row);
    (0..values.len())
        .map(|at| ScalarValue::try_from_array(&values, at))
        .collect::<Result<Vec<_>>>()
        .map(Some)
}

/// Arrays of their elements.
pub(super) fn from_rows(
    rows: Vec<Option<Vec<ScalarValue>>>,
    element: &DataType,
) -> Result<ArrayRef> {
    let nulls: NullBuffer = rows.iter().map(Option::is_some).collect::<Vec<_>>().into();
    let offsets =
        OffsetBuffer::from_lengths(rows.iter().map(|row| row.as_ref().map_or(0, Vec::len)));
    let cells: Vec<ScalarValue> = rows.into_iter().flatten().flatten().collect();
    let values = if cells.is_empty() {
        new_null_array(element, 0)
    } else {
        cast(&column(cells)?, element)?
    };
    let field = Arc::new(Field::new_list_field(element.clone(), true));
    Ok(Arc::new(ListArray::try_new(
        field,
        offsets,
        values,
        Some(nulls),
    )?))
}

fn distinct(items: Vec<ScalarValue>) -> Vec<ScalarValue> {
    let mut seen = std::collections::HashSet::new();
    items
        .into_iter()
        .filter(|item| seen.insert(item.clone()))
        .collect()
}

/// Each array anew; NULL stays NULL.
fn each(
    columns: &[ArrayRef],
    returns: &DataType,
    make: impl Fn(Vec<ScalarValue>) -> Result<Vec<ScalarValue>>,
) -> Result<ArrayRef> {
    let rows = (0..columns[0].len()).map(|row| items(&columns[0], row)?.map(&make).transpose());
    from_rows(rows.collect::<Result<_>>()?, &element_type(returns)?)
}

/// One value of each array.
fn reduced(
    columns: &[ArrayRef],
    returns: &DataType,
    make: impl Fn(Vec<ScalarValue>) -> Result<Option<ScalarValue>>,
) -> Result<ArrayRef> {
    let cells = (0..columns[0].len()).map(|row| {
        let found = items(&columns[0], row)?.map(&make).transpose()?.flatten();
        found.map_or_else(|| ScalarValue::try_from(returns), Ok)
    });
    cells_of(cells.collect::<Result<_>>()?, returns)
}

fn cells_of(cells: Vec<ScalarValue>, of: &DataType) -> Result<ArrayRef> {
    if cells.is_empty() {
        return Ok(new_null_array(of, 0));
    }
    Ok(cast(&column(cells)?, of)?)
}

/// Two arrays, turned to one type of elements.
fn set(
    columns: &[ArrayRef],
    returns: &DataType,
    make: impl Fn(Vec<ScalarValue>, Vec<ScalarValue>) -> Vec<ScalarValue>,
) -> Result<ArrayRef> {
    let (left, right) = (cast(&columns[0], returns)?, cast(&columns[1], returns)?);
    let rows = (0..left.len()).map(|row| {
        Ok(items(&left, row)?
            .zip(items(&right, row)?)
            .map(|(left, right)| make(left, right)))
    });
    from_rows(rows.collect::<Result<_>>()?, &element_type(returns)?)
}

/// How two values that are not null stand to each other; NaN is the greatest.
pub(super) fn compared(left: &ScalarValue, right: &ScalarValue) -> Result<Ordering> {
    match left.partial_cmp(right) {
        Some(order) => Ok(order),
        None => datafusion::common::not_impl_err!(
            "values of type {} cannot be ordered",
            crate::names::type_name(&left.data_type())
        ),
    }
}

fn is_nan(value: &ScalarValue) -> bool {
    matches!(value, ScalarValue::Float64(Some(x)) if x.is_nan())
        || matches!(value, ScalarValue::Float32(Some(x)) if x.is_nan())
}

/// NULL where any element is; NaN wins whichever is asked for.
fn extreme(items: Vec<ScalarValue>, wanted: Ordering) -> Result<Option<ScalarValue>> {
    if items.iter().any(ScalarValue::is_null) {
        return Ok(None);
    }
    if wanted == Ordering::Greater
        && let Some(nan) = items.iter().find(|item| is_nan(item))
    {
        return Ok(Some(nan.clone()));
    }
    let mut best: Option<ScalarValue> = None;
    for item in items {
        let better = match &best {
            None => true,
            Some(best) => compared(&item, best)? == wanted,
        };
        if better {
            best = Some(item);
        }
    }
    Ok(best)
}

fn sorted(mut items: Vec<ScalarValue>) -> Result<Vec<ScalarValue>> {
    let mut failed = None;
    items.sort_by(|left, right| match (left.is_null(), right.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => compared(left, right).unwrap_or_else(|error| {
            failed = Some(error);
            Ordering::Equal
        }),
    });
    failed.map_or(Ok(items), Err)
}

fn histogram(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let keys = each(columns, &columns[0].data_type().clone(), |items| {
        Ok(distinct(
            items.into_iter().filter(|item| !item.is_null()).collect(),
        ))
    })?;
    let counts = (0..keys.len()).map(|row| {
        let (Some(keys), Some(all)) = (items(&keys, row)?, items(&columns[0], row)?) else {
            return Ok(None);
        };
        let count = |key: &ScalarValue| {
            ScalarValue::Int64(i64::try_from(all.iter().filter(|item| *item == key).count()).ok())
        };
        Ok(Some(keys.iter().map(count).collect()))
    });
    let counts = from_rows(counts.collect::<Result<_>>()?, &DataType::Int64)?;
    let keys = keys.as_list::<i32>();
    let made = maps::build(
        keys.offsets().clone(),
        Arc::clone(keys.values()),
        Arc::clone(counts.as_list::<i32>().values()),
        keys.nulls().cloned(),
    )?;
    Ok(cast(&made, returns)?)
}

/// Elements as text with a delimiter between them; NULLs are left out or named.
fn join(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let of = element_type(columns[0].data_type())?;
    if of.is_nested() {
        return plan_err!("cannot coerce the elements of array_join to text");
    }
    let delimiters = columns[1].as_string::<i32>();
    let mut out = StringBuilder::with_capacity(columns[0].len(), 0);
    for row in 0..columns[0].len() {
        let Some(items) = items(&columns[0], row)?.filter(|_| !any_null(&columns[1..], row)) else {
            out.append_null();
            continue;
        };
        let replacement = columns
            .get(2)
            .map(|column| column.as_string::<i32>().value(row).to_owned());
        let texts = items.iter().filter_map(|item| {
            if item.is_null() {
                replacement.clone().map(Ok)
            } else {
                Some(super::varchar(item))
            }
        });
        out.append_value(
            texts
                .collect::<Result<Vec<_>>>()?
                .join(delimiters.value(row)),
        );
    }
    Ok(Arc::new(out.finish()))
}

/// An array and a value of one type.
fn with_value(columns: &[ArrayRef]) -> Result<(ArrayRef, ArrayRef)> {
    let common = common_type(
        &element_type(columns[0].data_type())?,
        columns[1].data_type(),
    )?;
    Ok((
        cast(&columns[0], &list_of(common.clone()))?,
        cast(&columns[1], &common)?,
    ))
}

/// The place of the n-th equal element, 0 for none.
fn position(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (lists, values) = with_value(columns)?;
    let places = (0..lists.len()).map(|row| {
        let (Some(items), value) = (
            items(&lists, row)?,
            ScalarValue::try_from_array(&values, row)?,
        ) else {
            return Ok(None);
        };
        let nth = columns
            .get(2)
            .map_or(1, |column| column.as_primitive::<Int64Type>().value(row));
        if nth == 0 {
            return invalid("array_position cannot take a 0-valued instance argument.");
        }
        if value.is_null() {
            return Ok(None);
        }
        let skip = usize::try_from(nth.unsigned_abs() - 1).unwrap_or(usize::MAX);
        let mut equal = items
            .iter()
            .enumerate()
            .filter(|(_, item)| **item == value)
            .map(|(at, _)| at + 1);
        let found = if nth > 0 {
            equal.nth(skip)
        } else {
            equal.rev().nth(skip)
        };
        Ok(Some(i64::try_from(found.unwrap_or(0)).unwrap_or(i64::MAX)))
    });
    Ok(Arc::new(places.collect::<Result<Int64Array>>()?))
}

fn remove(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let (lists, values) = with_value(columns)?;
    let rows = (0..lists.len()).map(|row| {
        let value = ScalarValue::try_from_array(&values, row)?;
        let kept = items(&lists, row)?
            .map(|items| items.into_iter().filter(|item| *item != value).collect());
        Ok(if value.is_null() { None } else { kept })
    });
    from_rows(rows.collect::<Result<_>>()?, &element_type(returns)?)
}

fn contains(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (lists, values) = with_value(columns)?;
    let answers = (0..lists.len()).map(|row| {
        let value = ScalarValue::try_from_array(&values, row)?;
        let Some(items) = items(&lists, row)?.filter(|_| !value.is_null()) else {
            return Ok(None);
        };
        let unknown = items.iter().any(ScalarValue::is_null);
        let found = items.contains(&value) && !is_nan(&value);
        Ok(found_among(found, unknown))
    });
    Ok(Arc::new(answers.collect::<Result<BooleanArray>>()?))
}

/// Whether something was found where nulls may stand for it: unknown unless it was.
fn found_among(found: bool, unknown: bool) -> Option<bool> {
    (found || !unknown).then_some(found)
}

fn overlap(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let common = list_of(common_type(
        &element_type(columns[0].data_type())?,
        &element_type(columns[1].data_type())?,
    )?);
    let (left, right) = (cast(&columns[0], &common)?, cast(&columns[1], &common)?);
    let answers = (0..left.len()).map(|row| {
        let (Some(left), Some(right)) = (items(&left, row)?, items(&right, row)?) else {
            return Ok(None);
        };
        let unknown = !left.is_empty()
            && !right.is_empty()
            && left.iter().chain(&right).any(ScalarValue::is_null);
        let shared = left
            .iter()
            .any(|item| !item.is_null() && right.contains(item));
        Ok(found_among(shared, unknown))
    });
    Ok(Arc::new(answers.collect::<Result<BooleanArray>>()?))
}

fn contains_sequence(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let common = list_of(common_type(
        &element_type(columns[0].data_type())?,
        &element_type(columns[1].data_type())?,
    )?);
    let (left, right) = (cast(&columns[0], &common)?, cast(&columns[1], &common)?);
    let answers = (0..left.len()).map(|row| {
        let (Some(all), Some(part)) = (items(&left, row)?, items(&right, row)?) else {
            return Ok(None);
        };
        Ok(Some(
            part.is_empty() || all.windows(part.len()).any(|window| window == part),
        ))
    });
    Ok(Arc::new(answers.collect::<Result<BooleanArray>>()?))
}

/// Most arrays that `combinations` gives.
const MOST_COMBINATIONS: usize = 100_000;

/// Every choice of n elements, in the order of the last one.
fn combinations(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let sizes = columns[1].as_primitive::<Int64Type>();
    let rows = (0..columns[0].len()).map(|row| {
        let Some(items) = items(&columns[0], row)?.filter(|_| sizes.is_valid(row)) else {
            return Ok(None);
        };
        let Some(size) = usize::try_from(sizes.value(row)).ok() else {
            return invalid(format!(
                "combination size must not be negative: {}",
                sizes.value(row)
            ));
        };
        if size > 5 {
            return invalid(format!("combination size must not exceed 5: {size}"));
        }
        let mut chosen: Vec<Vec<usize>> = vec![Vec::new()];
        for _ in 0..size {
            // One more element behind the last one of each choice so far.
            chosen = (0..items.len())
                .flat_map(|next| {
                    chosen
                        .iter()
                        .filter(move |choice| choice.last().is_none_or(|last| *last < next))
                        .map(move |choice| [choice.clone(), vec![next]].concat())
                        .collect::<Vec<_>>()
                })
                .collect();
            if chosen.len() > MOST_COMBINATIONS {
                return invalid("combinations exceed max size");
            }
        }
        let of = element_type(columns[0].data_type())?;
        Ok(Some(
            chosen
                .into_iter()
                .map(|choice| {
                    array_of(
                        choice.into_iter().map(|at| items[at].clone()).collect(),
                        &of,
                    )
                })
                .collect(),
        ))
    });
    from_rows(rows.collect::<Result<_>>()?, &element_type(returns)?)
}

fn array_of(items: Vec<ScalarValue>, of: &DataType) -> ScalarValue {
    ScalarValue::List(ScalarValue::new_list_nullable(&items, of))
}

fn ngrams(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let sizes = columns[1].as_primitive::<Int64Type>();
    let of = element_type(columns[0].data_type())?;
    let rows = (0..columns[0].len()).map(|row| {
        let Some(items) = items(&columns[0], row)?.filter(|_| sizes.is_valid(row)) else {
            return Ok(None);
        };
        let size = sizes.value(row);
        if size <= 0 {
            return invalid("N must be positive");
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(items.len());
        Ok(Some(if items.is_empty() {
            vec![array_of(items, &of)]
        } else {
            items
                .windows(size)
                .map(|window| array_of(window.to_vec(), &of))
                .collect()
        }))
    });
    from_rows(rows.collect::<Result<_>>()?, &element_type(returns)?)
}

fn flatten(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let of = element_type(returns)?;
    let rows = (0..columns[0].len()).map(|row| {
        let Some(lists) = items(&columns[0], row)? else {
            return Ok(None);
        };
        let mut all = Vec::new();
        for list in lists {
            let ScalarValue::List(list) = list else {
                continue;
            };
            let list: ArrayRef = list;
            all.extend(items(&list, 0)?.unwrap_or_default());
        }
        Ok(Some(all))
    });
    from_rows(rows.collect::<Result<_>>()?, &of)
}

fn repeat(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let counts = columns[1].as_primitive::<Int64Type>();
    let rows = (0..counts.len()).map(|row| {
        if counts.is_null(row) {
            return Ok(None);
        }
        let count = usize::try_from(counts.value(row)).unwrap_or(0);
        if count > 10_000 {
            return invalid(
                "count argument of repeat function must be less than or equal to 10000",
            );
        }
        Ok(Some(vec![
            ScalarValue::try_from_array(&columns[0], row)?;
            count
        ]))
    });
    from_rows(rows.collect::<Result<_>>()?, &element_type(returns)?)
}

/// Arrays, texts and bytes from the back.
fn reverse(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    match returns {
        DataType::List(_) => each(columns, returns, |mut items| {
            items.reverse();
            Ok(items)
        }),
        DataType::Null => Ok(Arc::clone(&columns[0])),
        DataType::Utf8 | DataType::Utf8View => {
            let texts = cast(&columns[0], &DataType::Utf8)?;
            let turned =
                super::strings::one_text(&[texts], |text| Ok(Some(text.chars().rev().collect())))?;
            Ok(cast(&turned, returns)?)
        }
        DataType::Binary | DataType::BinaryView => {
            let bytes = cast(&columns[0], &DataType::Binary)?;
            let turned = bytes
                .as_binary::<i32>()
                .iter()
                .map(|bytes| bytes.map(|bytes| bytes.iter().rev().copied().collect::<Vec<u8>>()));
            Ok(cast(
                &turned.collect::<arrow::array::BinaryArray>(),
                returns,
            )?)
        }
        other => plan_err!(
            "cannot coerce {} to what reverse takes",
            crate::names::type_name(other)
        ),
    }
}

fn slice(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let (starts, lengths) = (
        columns[1].as_primitive::<Int64Type>(),
        columns[2].as_primitive::<Int64Type>(),
    );
    let rows = (0..columns[0].len()).map(|row| {
        let Some(items) = items(&columns[0], row)?.filter(|_| !any_null(columns, row)) else {
            return Ok(None);
        };
        let (start, length) = (starts.value(row), lengths.value(row));
        if length < 0 {
            return invalid("length must be greater than or equal to 0");
        }
        if start == 0 {
            return invalid("SQL array indices start at 1");
        }
        let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let from = if start > 0 { start - 1 } else { count + start };
        if from < 0 || from >= count {
            return Ok(Some(Vec::new()));
        }
        let from = usize::try_from(from).unwrap_or(0);
        Ok(Some(
            items
                .into_iter()
                .skip(from)
                .take(usize::try_from(length).unwrap_or(0))
                .collect(),
        ))
    });
    from_rows(rows.collect::<Result<_>>()?, &element_type(returns)?)
}

fn trim(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let counts = columns[1].as_primitive::<Int64Type>();
    let rows = (0..columns[0].len()).map(|row| {
        let Some(mut items) = items(&columns[0], row)?.filter(|_| counts.is_valid(row)) else {
            return Ok(None);
        };
        match usize::try_from(counts.value(row)) {
            Ok(count) if count <= items.len() => items.truncate(items.len() - count),
            Ok(_) => {
                return invalid(format!(
                    "size must not exceed array cardinality {}: {}",
                    items.len(),
                    counts.value(row)
                ));
            }
            Err(_) => return invalid(format!("size must not be negative: {}", counts.value(row))),
        }
        Ok(Some(items))
    });
    from_rows(rows.collect::<Result<_>>()?, &element_type(returns)?)
}

fn sequence_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let of = common_type(&types[0], &types[1])?;
    match of {
        DataType::Date32 => Ok(list_of(DataType::Date32)),
        DataType::Timestamp(_, zone) => {
            Ok(list_of(DataType::Timestamp(TimeUnit::Microsecond, zone)))
        }
        of if of.is_integer() || of == DataType::Null => Ok(list_of(DataType::Int64)),
        other => plan_err!(
            "cannot coerce {} to what sequence takes",
            crate::names::type_name(&other)
        ),
    }
}

/// Most elements of a sequence, as in Trino.
const MOST_ELEMENTS: usize = 10_000;

/// From one value to another, both included.
fn sequence(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let of = element_type(returns)?;
    let instants = of.is_temporal();
    let taken = |column: &ArrayRef| -> Result<Int64Array> {
        let column = if instants {
            cast(&super::time::micros(column)?, &DataType::Int64)?
        } else {
            cast(column, &DataType::Int64)?
        };
        Ok(column.as_primitive::<Int64Type>().clone())
    };
    let (starts, stops) = (taken(&columns[0])?, taken(&columns[1])?);
    let mut rows = Vec::with_capacity(starts.len());
    for row in 0..starts.len() {
        if any_null(columns, row) {
            rows.push(None);
            continue;
        }
        let (start, stop) = (starts.value(row), stops.value(row));
        let step = match columns.get(2) {
            Some(column) => Step::of(column, row)?,
            None if of == DataType::Date32 => Step::plain(if stop >= start {
                super::time::DAY
            } else {
                -super::time::DAY
            }),
            None if instants => {
                return plan_err!(
                    "cannot coerce the arguments of sequence: timestamps need a step"
                );
            }
            None => Step::plain(if stop >= start { 1 } else { -1 }),
        };
        rows.push(Some(step.between(start, stop, instants)?));
    }
    let cells = rows.into_iter().map(|row| {
        row.map(|row| {
            row.into_iter()
                .map(|value| ScalarValue::Int64(Some(value)))
                .collect()
        })
    });
    let numbers = from_rows(cells.collect(), &DataType::Int64)?;
    if !instants {
        return Ok(cast(&numbers, returns)?);
    }
    let list = numbers.as_list::<i32>();
    let micros = cast(
        list.values(),
        &DataType::Timestamp(TimeUnit::Microsecond, None),
    )?;
    let values: ArrayRef = match &of {
        DataType::Timestamp(_, Some(zone)) => Arc::new(
            micros
                .as_primitive::<TimestampMicrosecondType>()
                .clone()
                .with_timezone(Arc::clone(zone)),
        ),
        other => cast(&micros, other)?,
    };
    let field = Arc::new(Field::new_list_field(of, true));
    Ok(Arc::new(ListArray::try_new(
        field,
        list.offsets().clone(),
        values,
        list.nulls().cloned(),
    )?))
}

/// The step of a sequence: months, and a plain number (microseconds for instants).
struct Step {
    months: i32,
    rest: i64,
}

impl Step {
    fn plain(rest: i64) -> Self {
        Self { months: 0, rest }
    }

    fn of(column: &ArrayRef, row: usize) -> Result<Self> {
        match column.data_type() {
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                let value = column
                    .as_primitive::<arrow::datatypes::IntervalMonthDayNanoType>()
                    .value(row);
                Ok(Self {
                    months: value.months,
                    rest: i64::from(value.days) * super::time::DAY + value.nanoseconds / 1_000,
                })
            }
            of if of.is_integer() => Ok(Self::plain(
                cast(column, &DataType::Int64)?
                    .as_primitive::<Int64Type>()
                    .value(row),
            )),
            other => plan_err!(
                "cannot coerce {} to a step of sequence",
                crate::names::type_name(other)
            ),
        }
    }

    fn between(&self, start: i64, stop: i64, instants: bool) -> Result<Vec<i64>> {
        let up = if self.months == 0 {
            self.rest
        } else {
            i64::from(self.months)
        };
        if up == 0 {
            return invalid("step must not be zero");
        }
        if (up > 0 && stop < start) || (up < 0 && stop > start) {
            return invalid(
                "sequence stop value should be greater than or equal to start value if step is greater than zero otherwise stop should be less than or equal to start",
            );
        }
        let mut all = Vec::new();
        let mut next = start;
        while (up > 0 && next <= stop) || (up < 0 && next >= stop) {
            all.push(next);
            if all.len() > MOST_ELEMENTS {
                return invalid(
                    "result of sequence function must not have more than 10000 entries",
                );
            }
            let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
            let moved = if instants && self.months != 0 {
                let at = super::time::micros_to_datetime(start)?;
                let span = jiff::Span::new()
                    .try_months(i64::from(self.months) * count)
                    .ok();
                span.and_then(|span| at.checked_add(span).ok())
                    .and_then(|at| super::time::datetime_to_micros(at).ok())
            } else {
                next.checked_add(self.rest)
            };
            let Some(moved) = moved else { break };
            next = moved;
        }
        Ok(all)
    }
}

fn field_type(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let DataType::Struct(fields) = &types[0] else {
        return plan_err!(
            "cannot coerce {} to a row",
            crate::names::type_name(&types[0])
        );
    };
    let name = scalars
        .get(1)
        .copied()
        .flatten()
        .and_then(|name| name.try_as_str().flatten())
        .unwrap_or_default();
    match fields
        .iter()
        .find(|field| field.name().eq_ignore_ascii_case(name))
    {
        Some(field) => Ok(field.data_type().clone()),
        None => plan_err!("Column '{name}' cannot be resolved: the row has no such field"),
    }
}

fn field(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    if columns[0].is_empty() {
        return Ok(new_null_array(returns, 0));
    }
    let (rows, name) = (
        columns[0].as_struct(),
        columns[1].as_string::<i32>().value(0),
    );
    let index = rows
        .fields()
        .iter()
        .position(|field| field.name().eq_ignore_ascii_case(name));
    field_at(&columns[0], index.unwrap_or(usize::MAX), returns)
}

/// A field of rows; NULL where the row is.
fn field_at(column: &ArrayRef, index: usize, returns: &DataType) -> Result<ArrayRef> {
    let rows = column.as_struct();
    let Some(values) = rows.columns().get(index) else {
        return exec_err!("the row has no field {index}");
    };
    let missing = BooleanArray::from_iter((0..rows.len()).map(|row| Some(rows.is_null(row))));
    Ok(cast(&arrow::compute::nullif(values, &missing)?, returns)?)
}

fn subscript_type(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    match &types[0] {
        DataType::List(field) if types[1].is_integer() || types[1] == DataType::Null => {
            Ok(field.data_type().clone())
        }
        DataType::Map(..) => {
            let Some((key, value)) = maps::map_type(&types[0]) else {
                return plan_err!("cannot coerce a map");
            };
            common_type(key, &types[1])?;
            Ok(value.clone())
        }
        DataType::Struct(fields) => {
            let index = scalars
                .get(1)
                .copied()
                .flatten()
                .and_then(|index| index.cast_to(&DataType::Int64).ok());
            match index {
                Some(ScalarValue::Int64(Some(index))) => match usize::try_from(index - 1)
                    .ok()
                    .and_then(|index| fields.get(index))
                {
                    Some(field) => Ok(field.data_type().clone()),
                    None => plan_err!(
                        "Invalid subscript index: {index}. ROW indices start at 1 and end at {}",
                        fields.len()
                    ),
                },
                _ => plan_err!(
                    "cannot coerce the subscript of a row: it has to be a constant integer"
                ),
            }
        }
        DataType::Null => Ok(DataType::Null),
        other => plan_err!(
            "cannot coerce {} and {} to an array or map and its subscript",
            crate::names::type_name(other),
            crate::names::type_name(&types[1])
        ),
    }
}

fn subscript(columns: &[ArrayRef], returns: &DataType, strict: bool) -> Result<ArrayRef> {
    match columns[0].data_type() {
        DataType::Struct(_) => {
            let index = cast(&columns[1], &DataType::Int64)?;
            let index = index
                .as_primitive::<Int64Type>()
                .iter()
                .flatten()
                .next()
                .unwrap_or(1);
            return field_at(
                &columns[0],
                usize::try_from(index - 1).unwrap_or(usize::MAX),
                returns,
            );
        }
        DataType::Null => return Ok(new_null_array(returns, columns[0].len())),
        DataType::List(_) => return place(columns, returns, strict),
        _ => {}
    }
    let key = maps::map_type(columns[0].data_type()).map_or(DataType::Null, |(key, _)| key.clone());
    let keys = cast(&columns[1], &key)?;
    let cells = (0..keys.len()).map(|row| {
        let key = ScalarValue::try_from_array(&keys, row)?;
        if key.is_null() || columns[0].is_null(row) {
            return ScalarValue::try_from(returns);
        }
        match maps::value_of(&columns[0], row, &key)? {
            Some(value) => Ok(value),
            None if strict => invalid(format!("Key not present in map: {key}")),
            None => ScalarValue::try_from(returns),
        }
    });
    cells_of(cells.collect::<Result<_>>()?, returns)
}

/// Elements by their places.
fn place(columns: &[ArrayRef], returns: &DataType, strict: bool) -> Result<ArrayRef> {
    let lists = columns[0].as_list::<i32>();
    let places = cast(&columns[1], &DataType::Int64)?;
    let places = places.as_primitive::<Int64Type>();
    let mut picks: Vec<Option<u32>> = Vec::with_capacity(lists.len());
    for row in 0..lists.len() {
        if lists.is_null(row) || places.is_null(row) {
            picks.push(None);
            continue;
        }
        let (place, length) = (places.value(row), i64::from(lists.value_length(row)));
        if place == 0 {
            return invalid("SQL array indices start at 1");
        }
        if strict && place < 0 {
            return invalid(format!("Array subscript is negative: {place}"));
        }
        if strict && place > length {
            return invalid(format!(
                "Array subscript must be less than or equal to array length: {place} > {length}"
            ));
        }
        let at = if place > 0 { place - 1 } else { length + place };
        let inside = (0..length).contains(&at);
        picks.push(
            u32::try_from(i64::from(lists.value_offsets()[row]) + at)
                .ok()
                .filter(|_| inside),
        );
    }
    let taken = arrow::compute::take(
        lists.values(),
        &arrow::array::UInt32Array::from(picks),
        None,
    )?;
    Ok(cast(&taken, returns)?)
}

/// `concat` of arrays, of arrays and elements, and of texts and bytes.
fn concat_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let list = types.iter().find(|of| matches!(of, DataType::List(_)));
    let Some(list) = list else {
        let mut common = types[0].clone();
        for next in &types[1..] {
            common = common_type(&common, next)?;
        }
        return match common {
            DataType::Utf8 | DataType::Utf8View | DataType::Null => Ok(DataType::Utf8),
            DataType::Binary | DataType::BinaryView => Ok(DataType::Binary),
            other => plan_err!(
                "cannot coerce {} to what concat takes",
                crate::names::type_name(&other)
            ),
        };
    };
    let mut common = element_type(list)?;
    for next in types {
        common = match next {
            DataType::List(field) => match common_type(&common, field.data_type()) {
                Ok(common) => common,
                Err(_) => common_type(&common, next)?,
            },
            other => common_type(&common, other)?,
        };
    }
    Ok(list_of(common))
}

fn concat(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    if *returns == DataType::Utf8 {
        let texts = columns
            .iter()
            .map(|column| cast(column, returns))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let parts: Vec<_> = texts.iter().map(|text| text.as_string::<i32>()).collect();
        let bytes = parts.iter().map(|text| text.value_data().len()).sum();
        let mut out = StringBuilder::with_capacity(columns[0].len(), bytes);
        for row in 0..columns[0].len() {
            if any_null(&texts, row) {
                out.append_null();
                continue;
            }
            for part in &parts {
                // Writing into memory does not fail.
                let _ = out.write_str(part.value(row));
            }
            out.append_value("");
        }
        return Ok(Arc::new(out.finish()));
    }
    if *returns == DataType::Binary {
        let all = columns
            .iter()
            .map(|column| cast(column, returns))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let joined = (0..columns[0].len()).map(|row| {
            (!any_null(&all, row)).then(|| {
                all.iter()
                    .flat_map(|bytes| bytes.as_binary::<i32>().value(row))
                    .copied()
                    .collect::<Vec<u8>>()
            })
        });
        return Ok(Arc::new(joined.collect::<arrow::array::BinaryArray>()));
    }
    let of = element_type(returns)?;
    let fits = |column: &ArrayRef| -> Result<(bool, ArrayRef)> {
        let list = matches!(column.data_type(), DataType::List(field) if common_type(field.data_type(), &of).is_ok_and(|common| common == of));
        Ok((
            list,
            if list {
                cast(column, returns)?
            } else {
                cast(column, &of)?
            },
        ))
    };
    let all = columns.iter().map(fits).collect::<Result<Vec<_>>>()?;
    let mut rows = Vec::with_capacity(columns[0].len());
    for row in 0..columns[0].len() {
        let mut together = Some(Vec::new());
        for (list, column) in &all {
            match (&mut together, list) {
                (Some(known), true) => match items(column, row)? {
                    Some(more) => known.extend(more),
                    None => together = None,
                },
                (Some(known), false) => known.push(ScalarValue::try_from_array(column, row)?),
                (None, _) => {}
            }
        }
        rows.push(together);
    }
    from_rows(rows, &of)
}

fn array_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let mut common = types[0].clone();
    for next in &types[1..] {
        common = common_type(&common, next)?;
    }
    Ok(list_of(if common == DataType::Utf8View {
        DataType::Utf8
    } else {
        common
    }))
}

/// `ARRAY[a, b]`.
fn array(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let of = element_type(returns)?;
    let all = columns
        .iter()
        .map(|column| super::json::cast(column, &of))
        .collect::<Result<Vec<_>>>()?;
    let count = columns[0].len();
    let picks: Vec<(usize, usize)> = (0..count)
        .flat_map(|row| (0..all.len()).map(move |column| (column, row)))
        .collect();
    let all: Vec<&dyn Array> = all.iter().map(AsRef::as_ref).collect();
    let values = arrow::compute::interleave(&all, &picks)?;
    let field = Arc::new(Field::new_list_field(of, true));
    Ok(Arc::new(ListArray::try_new(
        field,
        OffsetBuffer::from_lengths(std::iter::repeat_n(columns.len(), count)),
        values,
        None,
    )?))
}

/// `=` of arrays, maps and rows: NULL where a NULL inside of them leaves it open.
fn equal(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let common = common_type(columns[0].data_type(), columns[1].data_type())?;
    let (left, right) = (
        super::json::cast(&columns[0], &common)?,
        super::json::cast(&columns[1], &common)?,
    );
    let answers = (0..left.len()).map(|row| {
        same_value(
            &ScalarValue::try_from_array(&left, row)?,
            &ScalarValue::try_from_array(&right, row)?,
        )
    });
    Ok(Arc::new(answers.collect::<Result<BooleanArray>>()?))
}

fn same_value(left: &ScalarValue, right: &ScalarValue) -> Result<Option<bool>> {
    if left.is_null() || right.is_null() {
        return Ok(None);
    }
    let pairs: Vec<(ScalarValue, ScalarValue)> = match (left, right) {
        (ScalarValue::List(left), ScalarValue::List(right)) => {
            let (left, right) = (left.value(0), right.value(0));
            if left.len() != right.len() {
                return Ok(Some(false));
            }
            (0..left.len())
                .map(|at| {
                    Ok((
                        ScalarValue::try_from_array(&left, at)?,
                        ScalarValue::try_from_array(&right, at)?,
                    ))
                })
                .collect::<Result<_>>()?
        }
        (ScalarValue::Struct(left), ScalarValue::Struct(right)) => {
            let cells = left.columns().iter().zip(right.columns());
            cells
                .map(|(left, right)| {
                    Ok((
                        ScalarValue::try_from_array(left, 0)?,
                        ScalarValue::try_from_array(right, 0)?,
                    ))
                })
                .collect::<Result<_>>()?
        }
        (ScalarValue::Map(left), ScalarValue::Map(right)) => {
            let (left, right): (ArrayRef, ArrayRef) =
                (Arc::clone(left) as ArrayRef, Arc::clone(right) as ArrayRef);
            let left = maps::pairs(&left, 0)?.unwrap_or_default();
            let right = maps::pairs(&right, 0)?.unwrap_or_default();
            if left.len() != right.len() {
                return Ok(Some(false));
            }
            let mut pairs = Vec::new();
            for (key, value) in left {
                match right.iter().find(|(known, _)| *known == key) {
                    Some((_, other)) => pairs.push((value, other.clone())),
                    None => return Ok(Some(false)),
                }
            }
            pairs
        }
        (left, right) => return Ok(Some(left == right && !is_nan(left))),
    };
    let mut open = false;
    for (left, right) in pairs {
        match same_value(&left, &right)? {
            Some(true) => {}
            Some(false) => return Ok(Some(false)),
            None => open = true,
        }
    }
    Ok(if open { None } else { Some(true) })
}

/// Fields without a name are called by their place, as in what Athena prints.
fn row_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let fields = types
        .iter()
        .enumerate()
        .map(|(index, of)| Field::new(format!("field{index}"), of.clone(), true));
    Ok(DataType::Struct(fields.collect::<Vec<_>>().into()))
}

fn row(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let DataType::Struct(fields) = returns else {
        return exec_err!("a row is expected");
    };
    Ok(Arc::new(arrow::array::StructArray::try_new(
        fields.clone(),
        columns.to_vec(),
        None,
    )?))
}

fn zip_type(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let elements = types.iter().map(element_type).collect::<Result<Vec<_>>>()?;
    Ok(list_of(row_type(&elements, scalars)?))
}

/// Arrays side by side; shorter ones are filled up with NULL.
fn zip(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let of = element_type(returns)?;
    let DataType::Struct(fields) = &of else {
        return exec_err!("rows are expected");
    };
    let (mut cells, mut lengths, mut present) =
        (vec![Vec::new(); columns.len()], Vec::new(), Vec::new());
    for row in 0..columns[0].len() {
        let all = columns
            .iter()
            .map(|column| items(column, row))
            .collect::<Result<Vec<_>>>()?;
        let Some(all) = all.into_iter().collect::<Option<Vec<_>>>() else {
            lengths.push(0);
            present.push(false);
            continue;
        };
        let longest = all.iter().map(Vec::len).max().unwrap_or(0);
        for (index, mut items) in all.into_iter().enumerate() {
            items.resize(longest, ScalarValue::try_from(fields[index].data_type())?);
            cells[index].extend(items);
        }
        lengths.push(longest);
        present.push(true);
    }
    let made = cells
        .into_iter()
        .zip(fields)
        .map(|(cells, field)| cells_of(cells, field.data_type()))
        .collect::<Result<Vec<_>>>()?;
    let count = lengths.iter().sum();
    let rows = arrow::array::StructArray::try_new_with_length(fields.clone(), made, None, count)?;
    let field = Arc::new(Field::new_list_field(of, true));
    Ok(Arc::new(ListArray::try_new(
        field,
        OffsetBuffer::from_lengths(lengths),
        Arc::new(rows),
        Some(present.into()),
    )?))
}
