//! Functions that take functions: `transform(a, x -> x + 1)` and its kin, and `try`, which is one too: its argument is a
//! lambda without parameters, asked again row by row where it fails.

use std::{cmp::Ordering, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, ListArray, MapArray, NullArray, StructArray,
        UInt32Array, new_null_array,
    },
    buffer::OffsetBuffer,
    compute::{cast, concat, take, take_arrays},
    datatypes::{DataType, Field, FieldRef, Int64Type},
};
use datafusion::{
    common::{
        DataFusionError, Result, ScalarValue, exec_err, plan_err,
        utils::{adjust_offsets_for_slice, list_values, remove_list_null_values},
    },
    logical_expr::{
        ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature,
        HigherOrderUDF, HigherOrderUDFImpl, LambdaArgument, LambdaParametersProgress,
        ValueOrLambda, Volatility,
    },
};

use super::{
    invalid, list_of,
    maps::{map_of, map_type},
};

/// Which function it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    AllMatch,
    AnyMatch,
    Filter,
    MapFilter,
    MapZipWith,
    NoneMatch,
    Reduce,
    Replace,
    SortBy,
    Transform,
    TransformKeys,
    TransformValues,
    Try,
    ZipWith,
}

/// Trino's names, and what the rewrite calls them: some names are DataFusion's for something else.
pub(crate) const NAMES: &[(&str, &str)] = &[
    ("all_match", "trino_all_match"),
    ("any_match", "trino_any_match"),
    ("array_sort", "trino_sort_by"),
    ("filter", "trino_filter"),
    ("map_filter", "trino_map_filter"),
    ("map_zip_with", "trino_map_zip_with"),
    ("none_match", "trino_none_match"),
    ("reduce", "trino_reduce"),
    ("regexp_replace", "trino_replace_with"),
    ("transform", "trino_transform"),
    ("transform_keys", "trino_transform_keys"),
    ("transform_values", "trino_transform_values"),
    ("zip_with", "trino_zip_with"),
];

pub(super) fn functions() -> Vec<HigherOrderUDF> {
    let all = [
        ("trino_all_match", Kind::AllMatch),
        ("trino_any_match", Kind::AnyMatch),
        ("trino_filter", Kind::Filter),
        ("trino_map_filter", Kind::MapFilter),
        ("trino_map_zip_with", Kind::MapZipWith),
        ("trino_none_match", Kind::NoneMatch),
        ("trino_reduce", Kind::Reduce),
        ("trino_replace_with", Kind::Replace),
        ("trino_sort_by", Kind::SortBy),
        ("trino_transform", Kind::Transform),
        ("trino_transform_keys", Kind::TransformKeys),
        ("trino_transform_values", Kind::TransformValues),
        ("trino_try", Kind::Try),
        ("trino_zip_with", Kind::ZipWith),
    ];
    all.into_iter()
        .map(|(name, kind)| {
            let signature = HigherOrderSignature::variadic_any(Volatility::Immutable);
            HigherOrderUDF::new_from_impl(Lambda {
                name,
                kind,
                signature,
            })
        })
        .collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Lambda {
    name: &'static str,
    kind: Kind,
    signature: HigherOrderSignature,
}

type Given = ValueOrLambda<FieldRef, Option<FieldRef>>;

impl Lambda {
    fn wrong<T>(&self) -> Result<T> {
        let name = NAMES
            .iter()
            .find(|(_, ours)| *ours == self.name)
            .map_or("try", |(name, _)| name);
        plan_err!(
            "cannot coerce the arguments of {name}: arrays, maps or lambdas are not where it takes them"
        )
    }

    fn element(&self, given: Option<&DataType>) -> Result<DataType> {
        match given {
            Some(DataType::List(field)) => Ok(field.data_type().clone()),
            Some(DataType::Null) => Ok(DataType::Null),
            _ => self.wrong(),
        }
    }

    fn entry(&self, given: Option<&DataType>) -> Result<(DataType, DataType)> {
        match given {
            Some(DataType::Null) => Ok((DataType::Null, DataType::Null)),
            Some(other) => match map_type(other) {
                Some((key, value)) => Ok((key.clone(), value.clone())),
                None => self.wrong(),
            },
            None => self.wrong(),
        }
    }

    /// The types of the parameters of each lambda.
    fn parameters(
        &self,
        values: &[DataType],
        first: Option<&DataType>,
    ) -> Result<Vec<Vec<DataType>>> {
        Ok(match self.kind {
            Kind::Try => vec![vec![]],
            Kind::AllMatch | Kind::AnyMatch | Kind::Filter | Kind::NoneMatch | Kind::Transform => {
                vec![vec![self.element(values.first())?]]
            }
            Kind::SortBy => {
                let element = self.element(values.first())?;
                vec![vec![element.clone(), element]]
            }
            Kind::ZipWith => vec![vec![
                self.element(values.first())?,
                self.element(values.get(1))?,
            ]],
            Kind::MapFilter | Kind::TransformKeys | Kind::TransformValues => {
                let (key, value) = self.entry(values.first())?;
                vec![vec![key, value]]
            }
            Kind::MapZipWith => {
                let ((key, left), (other, right)) =
                    (self.entry(values.first())?, self.entry(values.get(1))?);
                let key = if key == DataType::Null { other } else { key };
                vec![vec![key, left, right]]
            }
            Kind::Replace => vec![vec![list_of(DataType::Utf8)]],
            Kind::Reduce => {
                let (element, Some(start)) = (self.element(values.first())?, values.get(1)) else {
                    return self.wrong();
                };
                let state = first.map_or_else(|| start.clone(), |told| wider(start, told));
                vec![vec![state.clone(), element], vec![state]]
            }
        })
    }
}

/// What a state of a type becomes after one more element.
fn wider(start: &DataType, told: &DataType) -> DataType {
    match (start, told) {
        (start, DataType::Null) => start.clone(),
        (DataType::Decimal128(..), DataType::Decimal128(precision, scale)) => {
            DataType::Decimal128((*precision).max(38), *scale)
        }
        (_, told) => told.clone(),
    }
}

impl HigherOrderUDFImpl for Lambda {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn lambda_parameters(&self, step: usize, fields: &[Given]) -> Result<LambdaParametersProgress> {
        let values: Vec<DataType> = fields
            .iter()
            .filter_map(|field| match field {
                ValueOrLambda::Value(field) => Some(field.data_type().clone()),
                ValueOrLambda::Lambda(_) => None,
            })
            .collect();
        let first = fields.iter().find_map(|field| match field {
            ValueOrLambda::Lambda(Some(field)) => Some(field.data_type()),
            _ => None,
        });
        let named = |types: Vec<DataType>| {
            types
                .into_iter()
                .map(|of| Arc::new(Field::new("", of, true)) as FieldRef)
                .collect::<Vec<_>>()
        };
        let lambdas: Vec<_> = self
            .parameters(&values, first)?
            .into_iter()
            .map(named)
            .collect();
        let given = fields
            .iter()
            .filter(|field| matches!(field, ValueOrLambda::Lambda(_)))
            .count();
        if given != lambdas.len() {
            return self.wrong();
        }
        if self.kind == Kind::Reduce && step == 0 && first.is_none() {
            // What the first lambda gives is the state's type.
            return Ok(LambdaParametersProgress::Partial(vec![
                lambdas.into_iter().next(),
                None,
            ]));
        }
        Ok(LambdaParametersProgress::Complete(lambdas))
    }

    fn coerce_values_for_lambdas(
        &self,
        fields: &[ValueOrLambda<DataType, DataType>],
    ) -> Result<Option<Vec<DataType>>> {
        let [
            ValueOrLambda::Value(list),
            ValueOrLambda::Value(start),
            ValueOrLambda::Lambda(told),
            ValueOrLambda::Lambda(_),
        ] = fields
        else {
            return Ok(None);
        };
        Ok((self.kind == Kind::Reduce).then(|| vec![list.clone(), wider(start, told)]))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs) -> Result<FieldRef> {
        let (mut values, mut lambdas) = (Vec::new(), Vec::new());
        for field in args.arg_fields {
            match field {
                ValueOrLambda::Value(field) => values.push(field.data_type().clone()),
                ValueOrLambda::Lambda(field) => lambdas.push(field.data_type().clone()),
            }
        }
        let Some(told) = lambdas.last().cloned() else {
            return self.wrong();
        };
        let boolean = |told: &DataType| matches!(told, DataType::Boolean | DataType::Null);
        let of = match self.kind {
            Kind::AllMatch | Kind::AnyMatch | Kind::NoneMatch if boolean(&told) => {
                DataType::Boolean
            }
            Kind::Filter | Kind::MapFilter if boolean(&told) => values[0].clone(),
            Kind::AllMatch | Kind::AnyMatch | Kind::NoneMatch | Kind::Filter | Kind::MapFilter => {
                return self.wrong();
            }
            Kind::SortBy if told.is_integer() || told == DataType::Null => values[0].clone(),
            Kind::SortBy => return self.wrong(),
            Kind::Transform | Kind::ZipWith => list_of(told),
            Kind::TransformKeys => map_of(told, self.entry(values.first())?.1),
            Kind::TransformValues => map_of(self.entry(values.first())?.0, told),
            Kind::MapZipWith => {
                let (left, right) = (self.entry(values.first())?.0, self.entry(values.get(1))?.0);
                map_of(if left == DataType::Null { right } else { left }, told)
            }
            Kind::Reduce | Kind::Try => told,
            Kind::Replace => DataType::Utf8,
        };
        Ok(Arc::new(Field::new(self.name, of, true)))
    }

    fn clear_null_values(&self) -> bool {
        true
    }

    fn short_circuits(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let (mut values, mut lambdas) = (Vec::new(), Vec::new());
        let returns = args.return_field.data_type().clone();
        for arg in args.args {
            match arg {
                ValueOrLambda::Value(value) => values.push(value.to_array(args.number_rows)?),
                ValueOrLambda::Lambda(lambda) => lambdas.push(lambda),
            }
        }
        if self.kind != Kind::Reduce
            && values
                .iter()
                .any(|value| *value.data_type() == DataType::Null)
        {
            return Ok(ColumnarValue::Array(new_null_array(
                &returns,
                args.number_rows,
            )));
        }
        let Some(lambda) = lambdas.first() else {
            return self.wrong();
        };
        let result = match self.kind {
            Kind::Try => attempted(lambda, args.number_rows, &returns)?,
            Kind::Transform => transformed(lambda, &values[0])?,
            Kind::Filter => filtered(lambda, &values[0])?,
            Kind::AllMatch => matched(lambda, &values[0], all)?,
            Kind::AnyMatch => matched(lambda, &values[0], any)?,
            Kind::NoneMatch => matched(lambda, &values[0], |told| any(told).map(|any| !any))?,
            Kind::Reduce => reduced(&lambdas, &values, &returns)?,
            Kind::ZipWith => zipped(lambda, &values)?,
            Kind::SortBy => sorted(lambda, &values[0])?,
            Kind::MapFilter => map_filtered(lambda, &values[0])?,
            Kind::TransformKeys => keys_transformed(lambda, &values[0], &returns)?,
            Kind::TransformValues => values_transformed(lambda, &values[0], &returns)?,
            Kind::MapZipWith => super::maps::zipped(&values, &returns, |rows, entries| {
                called(lambda, &entries, &rows)
            })?,
            Kind::Replace => replaced(lambda, &values)?,
        };
        Ok(ColumnarValue::Array(cast(&result, &returns)?))
    }
}

/// The lambda's answers, one for each of `rows`, which say whose captured values each of them sees.
fn called(
    lambda: &LambdaArgument,
    parameters: &[ArrayRef],
    rows: &UInt32Array,
) -> Result<ArrayRef> {
    // Without any column the number of rows is taken from the first of these.
    let filler: ArrayRef = Arc::new(NullArray::new(rows.len()));
    let all = parameters
        .iter()
        .chain(std::iter::once(&filler))
        .map(|column| move || Ok(Arc::clone(column)))
        .collect::<Vec<_>>();
    let all: Vec<&dyn Fn() -> Result<ArrayRef>> = all
        .iter()
        .map(|column| column as &dyn Fn() -> Result<ArrayRef>)
        .collect();
    let answer = lambda.evaluate(&all, |captured| Ok(take_arrays(captured, rows, None)?))?;
    answer.into_array(rows.len())
}

fn places(rows: impl IntoIterator<Item = usize>) -> UInt32Array {
    rows.into_iter()
        .map(|row| u32::try_from(row).unwrap_or(u32::MAX))
        .collect::<Vec<_>>()
        .into()
}

/// All rows at once; where that fails, one by one, and NULL for those that fail.
fn attempted(lambda: &LambdaArgument, count: usize, returns: &DataType) -> Result<ArrayRef> {
    let together = called(lambda, &[], &places(0..count));
    if !matches!(&together, Err(error) if is_the_datas_fault(error)) {
        return together;
    }
    let mut parts = Vec::with_capacity(count);
    for row in 0..count {
        parts.push(match called(lambda, &[], &places([row])) {
            Ok(value) => value,
            Err(error) if is_the_datas_fault(&error) => new_null_array(returns, 1),
            Err(error) => return Err(error),
        });
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(if parts.is_empty() {
        new_null_array(returns, 0)
    } else {
        concat(&parts)?
    })
}

fn is_the_datas_fault(error: &DataFusionError) -> bool {
    !matches!(
        error.find_root(),
        DataFusionError::NotImplemented(_)
            | DataFusionError::ResourcesExhausted(_)
            | DataFusionError::Internal(_)
            | DataFusionError::Plan(_)
    )
}

/// A list column whose NULLs are empty and that starts at 0, with the row of each element.
fn elements(list: &ArrayRef) -> Result<(ListArray, ArrayRef, UInt32Array)> {
    let list = remove_list_null_values(list)?;
    let list = list.as_list::<i32>();
    let values = list_values(list)?;
    let offsets = adjust_offsets_for_slice(list);
    let rows = places(
        offsets
            .lengths()
            .enumerate()
            .flat_map(|(row, length)| std::iter::repeat_n(row, length)),
    );
    let DataType::List(field) = list.data_type() else {
        return exec_err!("a list is expected");
    };
    Ok((
        ListArray::try_new(
            Arc::clone(field),
            offsets,
            Arc::clone(&values),
            list.nulls().cloned(),
        )?,
        values,
        rows,
    ))
}

fn list_from(offsets: OffsetBuffer<i32>, values: ArrayRef, like: &ListArray) -> Result<ArrayRef> {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    Ok(Arc::new(ListArray::try_new(
        field,
        offsets,
        values,
        like.nulls().cloned(),
    )?))
}

fn transformed(lambda: &LambdaArgument, list: &ArrayRef) -> Result<ArrayRef> {
    let (list, values, rows) = elements(list)?;
    let told = called(lambda, &[values], &rows)?;
    list_from(list.offsets().clone(), told, &list)
}

fn truths(told: &ArrayRef) -> Result<BooleanArray> {
    Ok(cast(told, &DataType::Boolean)?.as_boolean().clone())
}

/// Which elements are kept, and how many of each list.
fn kept(told: &BooleanArray, offsets: &OffsetBuffer<i32>) -> (UInt32Array, OffsetBuffer<i32>) {
    let is_kept = |at: usize| told.is_valid(at) && told.value(at);
    let counts = offsets.windows(2).map(|pair| {
        (pair[0]..pair[1])
            .filter(|at| is_kept(usize::try_from(*at).unwrap_or(0)))
            .count()
    });
    let offsets = OffsetBuffer::from_lengths(counts);
    (places((0..told.len()).filter(|at| is_kept(*at))), offsets)
}

fn filtered(lambda: &LambdaArgument, list: &ArrayRef) -> Result<ArrayRef> {
    let (list, values, rows) = elements(list)?;
    let told = truths(&called(lambda, &[Arc::clone(&values)], &rows)?)?;
    let (kept, offsets) = kept(&told, list.offsets());
    list_from(offsets, take(&values, &kept, None)?, &list)
}

fn matched(
    lambda: &LambdaArgument,
    list: &ArrayRef,
    decide: impl Fn(&[Option<bool>]) -> Option<bool>,
) -> Result<ArrayRef> {
    let (list, values, rows) = elements(list)?;
    let told: Vec<Option<bool>> = truths(&called(lambda, &[values], &rows)?)?.iter().collect();
    let answers = list.offsets().windows(2).enumerate().map(|(row, pair)| {
        let at = |place: i32| usize::try_from(place).unwrap_or(0);
        if list.is_null(row) {
            None
        } else {
            decide(&told[at(pair[0])..at(pair[1])])
        }
    });
    Ok(Arc::new(answers.collect::<BooleanArray>()))
}

fn all(told: &[Option<bool>]) -> Option<bool> {
    if told.contains(&Some(false)) {
        Some(false)
    } else if told.contains(&None) {
        None
    } else {
        Some(true)
    }
}

fn any(told: &[Option<bool>]) -> Option<bool> {
    if told.contains(&Some(true)) {
        Some(true)
    } else if told.contains(&None) {
        None
    } else {
        Some(false)
    }
}

/// The n-th elements of all lists that have so many are taken in together.
fn reduced(
    lambdas: &[LambdaArgument],
    values: &[ArrayRef],
    returns: &DataType,
) -> Result<ArrayRef> {
    let [step, last] = lambdas else {
        return exec_err!("reduce takes two lambdas");
    };
    let count = values[0].len();
    if *values[0].data_type() == DataType::Null {
        return Ok(new_null_array(returns, count));
    }
    let (list, elements, _) = elements(&values[0])?;
    let mut states: Vec<ScalarValue> = (0..count)
        .map(|row| ScalarValue::try_from_array(&values[1], row))
        .collect::<Result<_>>()?;
    let of = values[1].data_type().clone();
    let longest = list.offsets().lengths().max().unwrap_or(0);
    for nth in 0..longest {
        let rows: Vec<usize> = (0..count)
            .filter(|row| list.value_length(*row) > i32::try_from(nth).unwrap_or(i32::MAX))
            .collect();
        let state = ScalarValue::iter_to_array(rows.iter().map(|row| states[*row].clone()))?;
        let next = places(
            rows.iter()
                .map(|row| usize::try_from(list.value_offsets()[*row]).unwrap_or(0) + nth),
        );
        let told = called(
            step,
            &[state, take(&elements, &next, None)?],
            &places(rows.iter().copied()),
        )?;
        let told = cast(&told, &of)?;
        for (index, row) in rows.into_iter().enumerate() {
            states[row] = ScalarValue::try_from_array(&told, index)?;
        }
    }
    let states = if count == 0 {
        new_null_array(&of, 0)
    } else {
        ScalarValue::iter_to_array(states)?
    };
    let told = called(last, &[states], &places(0..count))?;
    let present = BooleanArray::from_iter((0..count).map(|row| Some(list.is_null(row))));
    Ok(arrow::compute::nullif(&told, &present)?)
}

/// Two lists side by side; the shorter one is filled up with NULL.
fn zipped(lambda: &LambdaArgument, values: &[ArrayRef]) -> Result<ArrayRef> {
    let ((left, left_values, _), (right, right_values, _)) =
        (elements(&values[0])?, elements(&values[1])?);
    let (mut rows, mut lengths) = (Vec::new(), Vec::new());
    let mut picks: [Vec<Option<u32>>; 2] = Default::default();
    for row in 0..left.len() {
        let missing = left.is_null(row) || right.is_null(row);
        let length = if missing {
            0
        } else {
            left.value_length(row).max(right.value_length(row))
        };
        lengths.push(usize::try_from(length).unwrap_or(0));
        for nth in 0..length {
            rows.push(row);
            for (list, picks) in [&left, &right].into_iter().zip(&mut picks) {
                let at = u32::try_from(list.value_offsets()[row] + nth).ok();
                picks.push(at.filter(|_| nth < list.value_length(row)));
            }
        }
    }
    let [left_picks, right_picks] = picks.map(UInt32Array::from);
    let told = called(
        lambda,
        &[
            take(&left_values, &left_picks, None)?,
            take(&right_values, &right_picks, None)?,
        ],
        &places(rows),
    )?;
    let nulls = arrow::buffer::NullBuffer::union(left.nulls(), right.nulls());
    let field = Arc::new(Field::new_list_field(told.data_type().clone(), true));
    Ok(Arc::new(ListArray::try_new(
        field,
        OffsetBuffer::from_lengths(lengths),
        told,
        nulls,
    )?))
}

/// Pairs of elements that are compared in one go; a longer list is refused.
const MOST_PAIRS: usize = 4_000_000;

fn sorted(lambda: &LambdaArgument, list: &ArrayRef) -> Result<ArrayRef> {
    let (list, values, _) = elements(list)?;
    let mut order: Vec<usize> = Vec::with_capacity(values.len());
    for row in 0..list.len() {
        let (start, length) = (
            usize::try_from(list.value_offsets()[row]).unwrap_or(0),
            usize::try_from(list.value_length(row)).unwrap_or(0),
        );
        if length * length > MOST_PAIRS {
            return datafusion::common::not_impl_err!(
                "array_sort with a lambda on an array of {length} elements is not supported"
            );
        }
        let pairs = |pick: fn(usize, usize) -> usize| {
            places((0..length * length).map(|pair| start + pick(pair, length)))
        };
        let left = take(&values, &pairs(|pair, length| pair / length), None)?;
        let right = take(&values, &pairs(|pair, length| pair % length), None)?;
        let told = called(
            lambda,
            &[left, right],
            &places(std::iter::repeat_n(row, length * length)),
        )?;
        let told = cast(&told, &DataType::Int64)?;
        let told = told.as_primitive::<Int64Type>();
        if told.null_count() > 0
            || told
                .iter()
                .flatten()
                .any(|value| !(-1..=1).contains(&value))
        {
            return invalid("Lambda comparator must return either -1, 0, or 1");
        }
        let mut places: Vec<usize> = (0..length).collect();
        places.sort_by(|a, b| told.value(a * length + b).cmp(&0).then(Ordering::Equal));
        order.extend(places.into_iter().map(|place| start + place));
    }
    list_from(
        list.offsets().clone(),
        take(&values, &places(order), None)?,
        &list,
    )
}

/// Keys, values and rows of a map column.
fn entries(map: &ArrayRef) -> (MapArray, ArrayRef, ArrayRef, UInt32Array) {
    let map = super::maps::compact(map);
    let rows = places(
        map.offsets()
            .lengths()
            .enumerate()
            .flat_map(|(row, length)| std::iter::repeat_n(row, length)),
    );
    (
        map.clone(),
        Arc::clone(map.keys()),
        Arc::clone(map.values()),
        rows,
    )
}

fn map_from(
    like: &MapArray,
    offsets: OffsetBuffer<i32>,
    keys: ArrayRef,
    values: ArrayRef,
) -> Result<ArrayRef> {
    super::maps::build(offsets, keys, values, like.nulls().cloned())
}

fn map_filtered(lambda: &LambdaArgument, map: &ArrayRef) -> Result<ArrayRef> {
    let (map, keys, values, rows) = entries(map);
    let told = truths(&called(
        lambda,
        &[Arc::clone(&keys), Arc::clone(&values)],
        &rows,
    )?)?;
    let (kept, offsets) = kept(&told, map.offsets());
    map_from(
        &map,
        offsets,
        take(&keys, &kept, None)?,
        take(&values, &kept, None)?,
    )
}

fn keys_transformed(
    lambda: &LambdaArgument,
    map: &ArrayRef,
    returns: &DataType,
) -> Result<ArrayRef> {
    let (map, keys, values, rows) = entries(map);
    let told = called(lambda, &[keys, Arc::clone(&values)], &rows)?;
    let told = match map_type(returns) {
        Some((key, _)) => cast(&told, key)?,
        None => told,
    };
    super::maps::unique_keys(map.offsets(), &told)?;
    map_from(&map, map.offsets().clone(), told, values)
}

fn values_transformed(lambda: &LambdaArgument, map: &ArrayRef, _: &DataType) -> Result<ArrayRef> {
    let (map, keys, values, rows) = entries(map);
    let told = called(lambda, &[Arc::clone(&keys), values], &rows)?;
    map_from(&map, map.offsets().clone(), keys, told)
}

/// Every match of a pattern replaced by what the lambda makes of its groups.
fn replaced(lambda: &LambdaArgument, values: &[ArrayRef]) -> Result<ArrayRef> {
    let (texts, patterns) = (
        cast(&values[0], &DataType::Utf8)?,
        cast(&values[1], &DataType::Utf8)?,
    );
    let (texts, patterns) = (texts.as_string::<i32>(), patterns.as_string::<i32>());
    let mut groups = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
    let mut known = super::Repeated::new();
    let (mut rows, mut ranges) = (Vec::new(), Vec::new());
    for row in 0..texts.len() {
        if texts.is_null(row) || patterns.is_null(row) {
            continue;
        }
        let regex = known.get(patterns.value(row), super::regexp::pattern)?;
        for found in super::regexp::matches(regex, texts.value(row)) {
            let found = found?;
            for group in 1..found.groups() {
                groups.values().append_option(found.group(group));
            }
            groups.append(true);
            rows.push(row);
            ranges.push(found.span(0).unwrap_or_default());
        }
    }
    let told = called(
        lambda,
        &[Arc::new(groups.finish())],
        &places(rows.iter().copied()),
    )?;
    let told = cast(&told, &DataType::Utf8)?;
    let told = told.as_string::<i32>();
    let mut out = arrow::array::StringBuilder::new();
    let mut next = 0;
    for row in 0..texts.len() {
        if texts.is_null(row) || patterns.is_null(row) {
            out.append_null();
            continue;
        }
        let (text, mut last, mut new, mut missing) = (texts.value(row), 0, String::new(), false);
        while rows.get(next) == Some(&row) {
            new.push_str(&text[last..ranges[next].start]);
            missing |= told.is_null(next);
            new.push_str(told.value(next));
            last = ranges[next].end;
            next += 1;
        }
        new.push_str(&text[last..]);
        out.append_option((!missing).then_some(new));
    }
    Ok(Arc::new(out.finish()))
}

/// A struct of two columns, for who builds entries.
pub(super) fn pair(keys: ArrayRef, values: ArrayRef) -> Result<StructArray> {
    let fields = vec![
        Field::new("key", keys.data_type().clone(), false),
        Field::new("value", values.data_type().clone(), true),
    ];
    Ok(StructArray::try_new(
        fields.into(),
        vec![keys, values],
        None,
    )?)
}
