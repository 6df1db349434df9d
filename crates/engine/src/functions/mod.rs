//! Functions of Trino that DataFusion lacks or means differently.
//!
//! Facts are from Trino's function reference; where a function of the same name exists in DataFusion, it is
//! replaced (`split_part`, `date_trunc`, `from_unixtime`), because the SQL files mean Trino's.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef},
    datatypes::{DataType, Field, FieldRef, TimeUnit},
};
use datafusion::{
    common::{DataFusionError, Result, ScalarValue, exec_err, plan_err},
    execution::{FunctionRegistry, SessionState},
    logical_expr::{
        ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        Volatility,
    },
};

mod arrays;
mod average;
mod binary;
pub(crate) mod casts;
mod clock;
mod collected;
pub(crate) mod decimals;
mod drawn;
mod format;
pub(crate) mod json;
mod known;
pub(crate) mod lambda;
mod letters;
pub(crate) mod maps;
mod math;
pub(crate) mod moments;
mod printf;
mod regexp;
pub(crate) mod spread;
mod strings;
mod sum;
mod text;
mod time;
mod url;

pub(crate) use strings::like_pattern;

/// The function by itself, for plans that are made.
pub(crate) fn of_one_zone() -> Arc<ScalarUDF> {
    Arc::new(strings::of_one_zone())
}

/// The function by itself, for plans that are made.
pub(crate) fn same() -> Arc<ScalarUDF> {
    Arc::new(strings::same())
}

/// The function by itself, for plans that are made.
pub(crate) fn single() -> Arc<ScalarUDF> {
    Arc::new(strings::single())
}

/// What an argument is turned into before the function sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Take {
    /// `Utf8`.
    Text,
    /// `Int64`.
    Int,
    /// `Float64`.
    Double,
    /// `Timestamp(µs)` without a zone, the UTC wall clock; dates are midnight.
    Instant,
    /// `Binary`.
    Bytes,
    /// Text or JSON, as it comes.
    Json,
    /// As it comes.
    Any,
}

impl Take {
    fn data_type(self, given: &DataType) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Int => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Instant => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Bytes => DataType::Binary,
            Self::Json if *given == DataType::LargeUtf8 => DataType::LargeUtf8,
            Self::Json => DataType::Utf8,
            Self::Any => given.clone(),
        }
    }

    /// Whether Trino would take such an argument.
    fn accepts(self, given: &DataType) -> bool {
        let text = matches!(
            given,
            DataType::Utf8 | DataType::Utf8View | DataType::Dictionary(_, _)
        );
        let null = *given == DataType::Null;
        match self {
            Self::Any => true,
            Self::Bytes => {
                null || matches!(
                    given,
                    DataType::Binary | DataType::BinaryView | DataType::LargeBinary
                )
            }
            Self::Json => text || null || *given == DataType::LargeUtf8,
            Self::Text => text || null,
            Self::Int => given.is_integer() || null,
            Self::Double => given.is_numeric() || null,
            Self::Instant => given.is_temporal() || null,
        }
    }
}

/// The type a function returns, from the types it is given.
type Returns = fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType>;
/// The function on whole columns of equal length.
type Body = fn(&[ArrayRef], &DataType) -> Result<ArrayRef>;

/// One function.
struct Trino {
    name: &'static str,
    signature: Signature,
    /// How arguments are taken, by their number.
    takes: &'static [&'static [Take]],
    /// How any number of arguments is taken, at least one.
    rest: Option<Take>,
    returns: Returns,
    body: Body,
}

impl std::fmt::Debug for Trino {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trino")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Trino {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Trino {}

impl Hash for Trino {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Trino {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        (self.returns)(types, &vec![None; types.len()])
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args
            .arg_fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let data_type = (self.returns)(&types, args.scalar_arguments)?;
        Ok(Arc::new(Field::new(self.name, data_type, true)))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let counted = || self.takes.iter().filter(|takes| takes.len() == given.len());
        let fitting = counted().find(|takes| {
            takes
                .iter()
                .zip(given)
                .all(|(take, given)| take.accepts(given))
        });
        let takes = fitting
            .or_else(|| counted().next())
            .map(|takes| takes.to_vec());
        let any = self
            .rest
            .filter(|_| !given.is_empty())
            .map(|rest| vec![rest; given.len()]);
        let Some(takes) = takes.or(any) else {
            return plan_err!(
                "cannot coerce the arguments of {}: {} given",
                self.name,
                given.len()
            );
        };
        if let Some((take, wrong)) = takes
            .iter()
            .zip(given)
            .find(|(take, given)| !take.accepts(given))
        {
            return plan_err!(
                "cannot coerce an argument of {}: {wrong} where {take:?} is needed",
                self.name
            );
        }
        Ok(takes
            .iter()
            .zip(given)
            .map(|(take, given)| take.data_type(given))
            .collect())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let columns = args
            .args
            .iter()
            .map(|arg| arg.to_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let result = (self.body)(&columns, args.return_field.data_type())?;
        if scalar {
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &result, 0,
            )?))
        } else {
            Ok(ColumnarValue::Array(result))
        }
    }
}

fn function(
    name: &'static str,
    takes: &'static [&'static [Take]],
    returns: Returns,
    body: Body,
) -> ScalarUDF {
    ScalarUDF::new_from_impl(Trino {
        name,
        signature: Signature::user_defined(Volatility::Immutable),
        takes,
        rest: None,
        returns,
        body,
    })
}

/// A function that is not asked before its row comes.
fn opaque(
    name: &'static str,
    takes: &'static [&'static [Take]],
    returns: Returns,
    body: Body,
) -> ScalarUDF {
    ScalarUDF::new_from_impl(Trino {
        name,
        signature: Signature::user_defined(Volatility::Volatile),
        takes,
        rest: None,
        returns,
        body,
    })
}

/// A function of any number of arguments.
fn variadic(name: &'static str, rest: Take, returns: Returns, body: Body) -> ScalarUDF {
    ScalarUDF::new_from_impl(Trino {
        name,
        signature: Signature::user_defined(Volatility::Immutable),
        takes: &[],
        rest: Some(rest),
        returns,
        body,
    })
}

/// A value as `CAST(… AS varchar)` writes it.
fn varchar(value: &ScalarValue) -> Result<String> {
    match value {
        ScalarValue::Float64(Some(number)) => Ok(double_text(printf::java_double(*number))),
        ScalarValue::Float32(Some(number)) => Ok(double_text(printf::java_float(*number))),
        ScalarValue::TimestampSecond(..)
        | ScalarValue::TimestampMillisecond(..)
        | ScalarValue::TimestampMicrosecond(..)
        | ScalarValue::TimestampNanosecond(..) => {
            let texts = clock::timestamp_text(&[value.to_array_of_size(1)?], &DataType::Utf8)?;
            Ok(arrow::array::AsArray::as_string::<i32>(&texts)
                .value(0)
                .to_owned())
        }
        other => {
            let column = other.to_array_of_size(1)?;
            let options = arrow::util::display::FormatOptions::default();
            let shown = arrow::util::display::ArrayFormatter::try_new(&column, &options)?;
            Ok(shown.value(0).to_string())
        }
    }
}

/// Java's `1.5` and `1.5E10` with the exponent that Trino always writes.
fn double_text(java: String) -> String {
    if java.contains('E') || java.ends_with(|c: char| c.is_ascii_alphabetic()) {
        return java;
    }
    let (sign, digits) = java
        .strip_prefix('-')
        .map_or(("", java.as_str()), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = format!("{whole}{}", if fraction == "0" { "" } else { fraction });
    let zeros = all.len() - all.trim_start_matches('0').len();
    let significant = all.trim_start_matches('0').trim_end_matches('0');
    let Some((first, rest)) = significant.split_at_checked(1) else {
        return format!("{sign}0.0E0");
    };
    let power = i64::try_from(whole.len()).unwrap_or(0) - 1 - i64::try_from(zeros).unwrap_or(0);
    format!(
        "{sign}{first}.{}E{power}",
        if rest.is_empty() { "0" } else { rest }
    )
}

/// Puts every function into a session.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    known::only_trinos(state)?;
    let families = [
        arrays::functions(),
        binary::functions(),
        casts::functions(),
        decimals::functions(),
        collected::functions(),
        drawn::functions(),
        json::functions(),
        letters::functions(),
        maps::functions(),
        math::functions(),
        printf::functions(),
        regexp::functions(),
        strings::functions(),
        text::functions(),
        time::functions(),
        url::functions(),
    ];
    for function in families.into_iter().flatten() {
        state.register_udf(Arc::new(function))?;
    }
    state.register_udaf(Arc::new(average::function()))?;
    state.register_udaf(Arc::new(sum::function()))?;
    for function in lambda::functions() {
        state.register_higher_order_function(Arc::new(function))?;
    }
    Ok(())
}

/// `=` of arrays, maps and rows.
pub(crate) fn equal() -> Arc<ScalarUDF> {
    static FUNCTION: std::sync::LazyLock<Arc<ScalarUDF>> =
        std::sync::LazyLock::new(|| Arc::new(arrays::equal_function()));
    Arc::clone(&FUNCTION)
}

/// What `CAST(timestamp AS varchar)` means.
pub(crate) fn timestamp_text() -> Arc<ScalarUDF> {
    static FUNCTION: std::sync::LazyLock<Arc<ScalarUDF>> =
        std::sync::LazyLock::new(|| Arc::new(time::timestamp_text_function()));
    Arc::clone(&FUNCTION)
}

/// Returns text, whatever is given.
fn returns_text(_: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(DataType::Utf8)
}

fn returns_texts(_: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(list_of(DataType::Utf8))
}

fn returns_bytes(_: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(DataType::Binary)
}

/// The type of an array.
fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

fn returns_bigint(_: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(DataType::Int64)
}

fn returns_instant(_: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(DataType::Timestamp(TimeUnit::Millisecond, None))
}

/// A runtime refusal in Trino's words.
fn invalid<T>(message: impl std::fmt::Display) -> Result<T> {
    exec_err!("INVALID_FUNCTION_ARGUMENT: {message}")
}

/// The one text of a constant argument, kept while the rows repeat it.
struct Repeated<T> {
    last: Option<(String, T)>,
}

impl<T> Repeated<T> {
    fn new() -> Self {
        Self { last: None }
    }

    /// What `make` makes of `text`, made once for a run of equal texts.
    fn get(&mut self, text: &str, make: impl FnOnce(&str) -> Result<T>) -> Result<&T> {
        if self.last.as_ref().is_none_or(|(known, _)| known != text) {
            self.last = Some((text.to_owned(), make(text)?));
        }
        match &self.last {
            Some((_, value)) => Ok(value),
            None => Err(DataFusionError::Internal(
                "a value that was just made is missing".to_owned(),
            )),
        }
    }
}

/// Whether any of the columns is null in a row.
fn any_null(columns: &[ArrayRef], row: usize) -> bool {
    columns.iter().any(|column| column.is_null(row))
}
