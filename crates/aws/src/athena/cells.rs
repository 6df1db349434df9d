//! Athena's texts as typed columns.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, StringArray, TimestampMicrosecondArray},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
    record_batch::RecordBatch,
};
use aws_sdk_athena::types::ColumnInfo;
use jiff::{civil::DateTime, tz::TimeZone};

use lakehand_pipeline::{ports::QueryError, text::for_terminal};

/// Rows of a batch.
const ROWS: usize = 8192;
/// Bytes of text after which a batch is full, however few rows it has.
const BYTES: usize = 8 * 1024 * 1024;

/// The Arrow schema of a result.
pub(super) fn schema(columns: &[ColumnInfo]) -> SchemaRef {
    let field = |column: &ColumnInfo| Field::new(column.name(), data_type(column), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Types that have no Arrow counterpart here, such as `array(…)` and `json`, stay Athena's text.
fn data_type(column: &ColumnInfo) -> DataType {
    match column.r#type().to_ascii_lowercase().as_str() {
        "tinyint" => DataType::Int8,
        "smallint" => DataType::Int16,
        "integer" | "int" => DataType::Int32,
        "bigint" => DataType::Int64,
        "float" | "real" => DataType::Float32,
        "double" => DataType::Float64,
        "boolean" => DataType::Boolean,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamp with time zone" => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        "decimal" => decimal(column),
        _ => DataType::Utf8,
    }
}

fn decimal(column: &ColumnInfo) -> DataType {
    let precision = u8::try_from(column.precision())
        .ok()
        .filter(|digits| (1..=38).contains(digits));
    let scale = i8::try_from(column.scale())
        .ok()
        .filter(|scale| *scale >= 0);
    match (precision, scale) {
        (Some(precision), Some(scale)) => DataType::Decimal128(precision, scale),
        _ => DataType::Utf8,
    }
}

/// Collects fields row by row, and makes batches of them.
#[derive(Debug)]
pub(super) struct Cells {
    schema: SchemaRef,
    text: Vec<u8>,
    /// End of each field in `text`, and whether it is a value.
    fields: Vec<(usize, bool)>,
    rows: usize,
}

impl Cells {
    pub(super) fn new(schema: SchemaRef) -> Self {
        Self {
            schema,
            text: Vec::new(),
            fields: Vec::new(),
            rows: 0,
        }
    }

    pub(super) fn field(&mut self, value: Option<&[u8]>) {
        self.text.extend_from_slice(value.unwrap_or_default());
        self.fields.push((self.text.len(), value.is_some()));
    }

    /// Ends a row.
    pub(super) fn row(&mut self) -> Result<(), QueryError> {
        self.rows += 1;
        if self.fields.len() == self.rows * self.schema.fields().len() {
            return Ok(());
        }
        Err(damaged(format!(
            "a row of the result has {} fields more or fewer than the columns",
            self.fields
                .len()
                .abs_diff(self.rows * self.schema.fields().len())
        )))
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows >= ROWS || self.text.len() >= BYTES
    }

    /// The rows collected so far; `None` without any.
    pub(super) fn batch(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        if self.rows == 0 {
            return Ok(None);
        }
        let text = std::str::from_utf8(&self.text)
            .map_err(|_| damaged("the result is no UTF-8".to_owned()))?;
        let width = self.schema.fields().len();
        let value = |index: usize| {
            let (end, is_value) = self.fields[index];
            let start = index
                .checked_sub(1)
                .map_or(0, |before| self.fields[before].0);
            is_value.then(|| &text[start..end])
        };
        let columns = self
            .schema
            .fields()
            .iter()
            .enumerate()
            .map(|(column, field)| {
                let values = (0..self.rows).map(|row| value(row * width + column));
                typed(values, field)
            });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        let batch = batch.map_err(|error| damaged(error.to_string()))?;
        self.forget_rows();
        Ok(Some(batch))
    }

    /// Forgets the whole rows; the fields of one that has only begun stay.
    fn forget_rows(&mut self) {
        let whole = self.rows * self.schema.fields().len();
        let end = whole.checked_sub(1).map_or(0, |last| self.fields[last].0);
        self.text.drain(..end);
        self.fields.drain(..whole);
        for (own, _) in &mut self.fields {
            *own -= end;
        }
        self.rows = 0;
    }
}

fn typed<'a>(
    values: impl Iterator<Item = Option<&'a str>>,
    field: &Field,
) -> Result<ArrayRef, QueryError> {
    if let DataType::Timestamp(_, Some(zone)) = field.data_type() {
        let instants = values.map(|value| value.map(|text| micros(text, field)).transpose());
        let instants: TimestampMicrosecondArray = instants.collect::<Result<_, _>>()?;
        return Ok(Arc::new(instants.with_timezone(Arc::clone(zone))));
    }
    let texts: ArrayRef = Arc::new(values.collect::<StringArray>());
    if *field.data_type() == DataType::Utf8 {
        return Ok(texts);
    }
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(&texts, field.data_type(), &strict).map_err(|error| {
        let why = for_terminal(&error.to_string()).into_owned();
        damaged(format!(
            "the column {} does not hold what Athena says: {why}",
            field.name()
        ))
    })
}

/// The instant of `2026-01-31 09:00:00.000 Europe/Berlin`.
fn micros(text: &str, field: &Field) -> Result<i64, QueryError> {
    let wrong = || {
        let text = for_terminal(text).into_owned();
        damaged(format!(
            "the column {} holds '{text}', which is no time with a zone",
            field.name()
        ))
    };
    let (local, zone) = text.rsplit_once(' ').ok_or_else(wrong)?;
    let local: DateTime = local.parse().map_err(|_| wrong())?;
    let zone = match zone {
        "UTC" | "Z" => TimeZone::UTC,
        named if named.contains('/') => TimeZone::get(named).map_err(|_| wrong())?,
        // An offset such as `+02:00`.
        offset => TimeZone::posix(&posix(offset).ok_or_else(wrong)?).map_err(|_| wrong())?,
    };
    let instant = local.to_zoned(zone).map_err(|_| wrong())?;
    Ok(instant.timestamp().as_microsecond())
}

/// `<+02>-02:00` of `+02:00`: POSIX counts the other way.
fn posix(offset: &str) -> Option<String> {
    let (sign, rest) = offset.split_at_checked(1)?;
    let other = match sign {
        "+" => "-",
        "-" => "+",
        _ => return None,
    };
    let hours = rest.split(':').next()?;
    Some(format!("<{sign}{hours}>{other}{rest}"))
}

fn damaged(message: String) -> QueryError {
    QueryError::Failed {
        message: format!(
            "{message}; repeat the step, and look at the result in Athena if it fails again"
        ),
        transient: true,
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::display::{ArrayFormatter, FormatOptions};

    use super::*;

    fn column(kind: &str, precision: i32, scale: i32) -> ColumnInfo {
        let builder = ColumnInfo::builder()
            .name(kind.replace(' ', "_"))
            .r#type(kind);
        builder.precision(precision).scale(scale).build().unwrap()
    }

    /// Texts as Athena's documentation and its result files show them.
    #[test]
    fn each_type_of_athena_is_read() {
        let samples = [
            (
                column("bigint", 19, 0),
                "-9223372036854775808",
                "-9223372036854775808",
            ),
            (column("integer", 10, 0), "-7", "-7"),
            (column("smallint", 5, 0), "12", "12"),
            (column("tinyint", 3, 0), "1", "1"),
            (column("double", 17, 0), "1.0E10", "10000000000.0"),
            (column("double", 17, 0), "NaN", "NaN"),
            (column("double", 17, 0), "-Infinity", "-inf"),
            (column("float", 17, 0), "0.5", "0.5"),
            (column("boolean", 0, 0), "true", "true"),
            (column("date", 0, 0), "2026-02-28", "2026-02-28"),
            (
                column("decimal", 38, 18),
                "12.340000000000000001",
                "12.340000000000000001",
            ),
            (column("decimal", 38, 6), "-0.5", "-0.500000"),
            (
                column("timestamp", 3, 0),
                "2026-01-31 09:00:00.123",
                "2026-01-31T09:00:00.123",
            ),
            (
                column("timestamp with time zone", 3, 0),
                "2026-01-31 09:00:00.000 UTC",
                "2026-01-31T09:00:00Z",
            ),
            (
                column("timestamp with time zone", 3, 0),
                "2026-07-31 09:00:00.000 Europe/Berlin",
                "2026-07-31T07:00:00Z",
            ),
            (
                column("timestamp with time zone", 3, 0),
                "2026-07-31 09:00:00.000 -03:30",
                "2026-07-31T12:30:00Z",
            ),
            (column("varchar", 0, 0), "x", "x"),
            (column("array", 0, 0), "[1, 2]", "[1, 2]"),
        ];
        for (column, text, shown) in samples {
            let mut cells = Cells::new(schema(std::slice::from_ref(&column)));
            for value in [Some(text.as_bytes()), None] {
                cells.field(value);
                cells.row().unwrap();
            }
            let batch = cells.batch().unwrap().unwrap();
            let options = FormatOptions::new();
            let cell = ArrayFormatter::try_new(batch.column(0), &options).unwrap();
            assert_eq!(cell.value(0).to_string(), shown, "{}", column.r#type());
            assert!(batch.column(0).is_null(1), "{}", column.r#type());
        }
    }

    #[test]
    fn what_does_not_fit_its_type_is_an_error() {
        for (kind, text) in [
            ("bigint", "1.5"),
            ("date", "31.1.2026"),
            ("timestamp with time zone", "soon"),
        ] {
            let mut cells = Cells::new(schema(&[column(kind, 0, 0)]));
            cells.field(Some(text.as_bytes()));
            cells.row().unwrap();
            let error = cells.batch().unwrap_err().to_string();
            assert!(error.contains(&kind.replace(' ', "_")), "{error}");
        }
        let mut cells = Cells::new(schema(&[column("bigint", 0, 0), column("date", 0, 0)]));
        cells.field(Some(b"1"));
        assert!(cells.row().is_err(), "a row that is too short");
    }
}
