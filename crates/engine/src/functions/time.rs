//! Dates and instants.
//!
//! A Trino `timestamp` is a wall clock without a zone and a `timestamp with time zone` is an instant; the
//! session's zone is UTC, so both are read as UTC here. Results are microseconds.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Date32Builder, Float64Array, Int64Builder,
        TimestampMicrosecondBuilder,
    },
    datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType},
};
use datafusion::{
    common::{DataFusionError, Result, ScalarValue, plan_err},
    logical_expr::ScalarUDF,
};
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use super::{
    Take, any_null,
    clock::{
        formatted, from_iso8601_date, from_iso8601_timestamp, parsed, time_zone, timestamp_text,
        to_iso8601,
    },
    format, function, invalid, returns_bigint, returns_instant, returns_text, returns_zoned,
};

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::{Any, Double, Instant, Int, Text};
    vec![
        function("trino_part", &[&[Text, Instant]], returns_bigint, part),
        function(
            "date_trunc",
            &[&[Text, Any]],
            |types, _| temporal(types, 1),
            date_trunc,
        ),
        function(
            "date_add",
            &[&[Text, Int, Any]],
            |types, _| temporal(types, 2),
            date_add,
        ),
        function(
            "date_diff",
            &[&[Text, Instant, Instant]],
            returns_bigint,
            date_diff,
        ),
        function(
            "last_day_of_month",
            &[&[Instant]],
            |_, _| Ok(DataType::Date32),
            last_day_of_month,
        ),
        function(
            "date_format",
            &[&[Instant, Text]],
            returns_text,
            |columns, _| formatted(columns, format::mysql),
        ),
        function(
            "format_datetime",
            &[&[Instant, Text]],
            returns_text,
            |columns, _| formatted(columns, format::joda),
        ),
        function(
            "date_parse",
            &[&[Text, Text]],
            returns_instant,
            |columns, zone| parsed(columns, format::mysql, zone),
        ),
        function(
            "parse_datetime",
            &[&[Text, Text]],
            returns_zoned,
            |columns, zone| parsed(columns, format::joda, zone),
        ),
        function(
            "from_iso8601_timestamp",
            &[&[Text]],
            returns_zoned,
            from_iso8601_timestamp,
        ),
        function(
            "from_iso8601_date",
            &[&[Text]],
            |_, _| Ok(DataType::Date32),
            from_iso8601_date,
        ),
        function("to_iso8601", &[&[Any]], returns_text, to_iso8601),
        function("from_unixtime", &[&[Double]], returns_zoned, from_unixtime),
        function(
            "to_unixtime",
            &[&[Instant]],
            |_, _| Ok(DataType::Float64),
            to_unixtime,
        ),
        function("at_timezone", &[&[Any, Text]], returns_in_zone, at_timezone),
        timestamp_text_function(),
    ]
}

pub(super) fn timestamp_text_function() -> ScalarUDF {
    function(
        "timestamp_text",
        &[&[Take::Any]],
        returns_text,
        timestamp_text,
    )
}

/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;

pub(super) fn micros_to_datetime(micros: i64) -> Result<DateTime> {
    match Timestamp::from_microsecond(micros) {
        Ok(instant) => Ok(TimeZone::UTC.to_datetime(instant)),
        Err(_) => invalid(format!("the instant {micros} µs lies outside the calendar")),
    }
}

pub(super) fn datetime_to_micros(at: DateTime) -> Result<i64> {
    match TimeZone::UTC.to_timestamp(at) {
        Ok(instant) => Ok(instant.as_microsecond()),
        Err(_) => invalid(format!("{at} lies outside the calendar")),
    }
}

pub(super) fn date_to_days(date: Date) -> Result<i32> {
    let days = datetime_to_micros(date.to_datetime(jiff::civil::Time::midnight()))?.div_euclid(DAY);
    i32::try_from(days).or_else(|_| invalid(format!("{date} lies outside the calendar")))
}

/// Dates stay dates, all else becomes microseconds with the zone it has.
fn temporal(types: &[DataType], index: usize) -> Result<DataType> {
    match types.get(index) {
        Some(DataType::Date32 | DataType::Date64) => Ok(DataType::Date32),
        Some(DataType::Timestamp(_, zone)) => {
            Ok(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        Some(DataType::Null) => returns_instant(&[], &[]),
        other => plan_err!("cannot coerce {other:?} to a date or timestamp"),
    }
}

/// A date or timestamp column as microseconds.
pub(super) fn micros(column: &ArrayRef) -> Result<ArrayRef> {
    let instants = arrow::compute::cast(
        column,
        &DataType::Timestamp(TimeUnit::Microsecond, zone_of(column.data_type())),
    )?;
    // Drops the zone without moving the instant.
    Ok(arrow::compute::cast(
        &arrow::compute::cast(&instants, &DataType::Int64)?,
        &DataType::Timestamp(TimeUnit::Microsecond, None),
    )?)
}

pub(super) fn zone_of(data_type: &DataType) -> Option<Arc<str>> {
    match data_type {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    }
}

/// Microseconds back to the type the function returns.
pub(super) fn finish(
    instants: TimestampMicrosecondBuilder,
    data_type: &DataType,
) -> Result<ArrayRef> {
    let mut instants = instants;
    let array = instants.finish();
    match data_type {
        DataType::Timestamp(_, Some(zone)) => Ok(Arc::new(array.with_timezone(Arc::clone(zone)))),
        DataType::Timestamp(_, None) => Ok(Arc::new(array)),
        other => Ok(arrow::compute::cast(&array, other)?),
    }
}

fn part(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (names, instants) = (
        columns[0].as_string::<i32>(),
        columns[1].as_primitive::<TimestampMicrosecondType>(),
    );
    let mut out = Int64Builder::with_capacity(instants.len());
    for row in 0..instants.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let at = micros_to_datetime(instants.value(row))?;
        out.append_value(match names.value(row) {
            "year" => at.year().into(),
            "quarter" => i64::from((at.month() - 1) / 3 + 1),
            "month" => at.month().into(),
            "week" | "week_of_year" => at.date().iso_week_date().week().into(),
            "year_of_week" | "yow" => at.date().iso_week_date().year().into(),
            "day" | "day_of_month" => at.day().into(),
            "day_of_week" | "dow" => at.weekday().to_monday_one_offset().into(),
            "day_of_year" | "doy" => at.day_of_year().into(),
            "hour" => at.hour().into(),
            "minute" => at.minute().into(),
            "second" => at.second().into(),
            "millisecond" => at.millisecond().into(),
            other => return invalid(format!("'{other}' is not a valid part of a date")),
        });
    }
    Ok(Arc::new(out.finish()))
}

/// The start of the unit an instant lies in; weeks start on Monday.
fn truncated(at: DateTime, unit: &str) -> Result<DateTime> {
    let date = at.date();
    let (year, month) = (date.year(), date.month());
    let first = |month: i8| {
        Date::new(year, month, 1).or_else(|_| invalid("the date lies outside the calendar"))
    };
    let start = match unit {
        "millisecond" => {
            return Ok(at - (i64::from(at.subsec_nanosecond()) % 1_000_000).nanoseconds());
        }
        "second" => return Ok(at - i64::from(at.subsec_nanosecond()).nanoseconds()),
        "minute" => return Ok(date.at(at.hour(), at.minute(), 0, 0)),
        "hour" => return Ok(date.at(at.hour(), 0, 0, 0)),
        "day" => date,
        "week" => date - i64::from(date.weekday().to_monday_zero_offset()).days(),
        "month" => first(month)?,
        "quarter" => first((month - 1) / 3 * 3 + 1)?,
        "year" => first(1)?,
        other => return invalid(format!("'{other}' is not a valid Timestamp field")),
    };
    Ok(start.at(0, 0, 0, 0))
}

fn date_trunc(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let units = columns[0].as_string::<i32>();
    let instants = micros(&columns[1])?;
    let instants = instants.as_primitive::<TimestampMicrosecondType>();
    let mut out = TimestampMicrosecondBuilder::with_capacity(instants.len());
    for row in 0..instants.len() {
        if any_null(columns, row) {
            out.append_null();
        } else {
            let unit = units.value(row).to_ascii_lowercase();
            out.append_value(datetime_to_micros(truncated(
                micros_to_datetime(instants.value(row))?,
                &unit,
            )?)?);
        }
    }
    finish(out, returns)
}

/// An instant moved by whole units; the 31st of a month becomes the last day of a shorter one.
fn moved(at: DateTime, unit: &str, count: i64) -> Result<DateTime> {
    let span = match unit {
        "microsecond" => jiff::Span::new().try_microseconds(count),
        "millisecond" => jiff::Span::new().try_milliseconds(count),
        "second" => jiff::Span::new().try_seconds(count),
        "minute" => jiff::Span::new().try_minutes(count),
        "hour" => jiff::Span::new().try_hours(count),
        "day" => jiff::Span::new().try_days(count),
        "week" => jiff::Span::new().try_weeks(count),
        "month" => jiff::Span::new().try_months(count),
        "quarter" => jiff::Span::new().try_months(count.saturating_mul(3)),
        "year" => jiff::Span::new().try_years(count),
        other => return invalid(format!("'{other}' is not a valid Timestamp field")),
    };
    span.and_then(|span| at.checked_add(span)).or_else(|_| {
        invalid(format!(
            "{at} plus {count} {unit}s lies outside the calendar"
        ))
    })
}

fn date_add(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let (units, counts) = (
        columns[0].as_string::<i32>(),
        columns[1].as_primitive::<Int64Type>(),
    );
    let instants = micros(&columns[2])?;
    let instants = instants.as_primitive::<TimestampMicrosecondType>();
    let mut out = TimestampMicrosecondBuilder::with_capacity(instants.len());
    for row in 0..instants.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let unit = units.value(row).to_ascii_lowercase();
        if *returns == DataType::Date32
            && !matches!(unit.as_str(), "day" | "week" | "month" | "quarter" | "year")
        {
            return invalid(format!("'{unit}' is not a valid DATE field"));
        }
        out.append_value(datetime_to_micros(moved(
            micros_to_datetime(instants.value(row))?,
            &unit,
            counts.value(row),
        )?)?);
    }
    finish(out, returns)
}

/// Whole units between two instants, towards zero.
fn whole_units(from: DateTime, to: DateTime, unit: &str) -> Result<i64> {
    let micros = || Ok::<_, DataFusionError>(datetime_to_micros(to)? - datetime_to_micros(from)?);
    let fixed = |size: i64| micros().map(|micros| micros / size);
    let months = || {
        let span = from.until((jiff::Unit::Month, to));
        span.map(|span| i64::from(span.get_months()))
            .or_else(|_| invalid("the dates lie outside the calendar"))
    };
    match unit {
        "microsecond" => fixed(1),
        "millisecond" => fixed(1_000),
        "second" => fixed(1_000_000),
        "minute" => fixed(60_000_000),
        "hour" => fixed(3_600_000_000),
        "day" => fixed(DAY),
        "week" => fixed(7 * DAY),
        "month" => months(),
        "quarter" => months().map(|months| months / 3),
        "year" => months().map(|months| months / 12),
        other => invalid(format!("'{other}' is not a valid Timestamp field")),
    }
}

fn date_diff(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let units = columns[0].as_string::<i32>();
    let from = columns[1].as_primitive::<TimestampMicrosecondType>();
    let to = columns[2].as_primitive::<TimestampMicrosecondType>();
    let mut out = Int64Builder::with_capacity(from.len());
    for row in 0..from.len() {
        if any_null(columns, row) {
            out.append_null();
        } else {
            let unit = units.value(row).to_ascii_lowercase();
            out.append_value(whole_units(
                micros_to_datetime(from.value(row))?,
                micros_to_datetime(to.value(row))?,
                &unit,
            )?);
        }
    }
    Ok(Arc::new(out.finish()))
}

fn last_day_of_month(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let instants = columns[0].as_primitive::<TimestampMicrosecondType>();
    let mut out = Date32Builder::with_capacity(instants.len());
    for instant in instants.iter() {
        let days = instant
            .map(|micros| date_to_days(micros_to_datetime(micros)?.date().last_of_month()))
            .transpose()?;
        out.append_option(days);
    }
    Ok(Arc::new(out.finish()))
}

fn from_unixtime(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let mut out = TimestampMicrosecondBuilder::with_capacity(columns[0].len());
    for seconds in columns[0].as_primitive::<Float64Type>() {
        let micros = seconds.map(|seconds| {
            let millis = (seconds * 1_000.0).round();
            if !millis.is_finite() || millis.abs() > 9e15 {
                return invalid(format!("{seconds} lies outside the calendar"));
            }
            let micros = millis as i64 * 1_000;
            micros_to_datetime(micros).map(|_| micros)
        });
        out.append_option(micros.transpose()?);
    }
    finish(out, returns)
}

fn to_unixtime(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let instants = columns[0].as_primitive::<TimestampMicrosecondType>();
    let seconds = instants
        .iter()
        .map(|micros| micros.map(|micros| micros as f64 / 1e6));
    Ok(Arc::new(seconds.collect::<Float64Array>()))
}

/// The zone has to be a constant: it becomes part of the type.
fn returns_in_zone(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    temporal(types, 0)?;
    match scalars
        .get(1)
        .copied()
        .flatten()
        .and_then(|scalar| scalar.try_as_str().flatten())
    {
        Some(name) => {
            time_zone(name)?;
            Ok(DataType::Timestamp(
                TimeUnit::Microsecond,
                Some(name.into()),
            ))
        }
        None => plan_err!("the time zone of AT TIME ZONE has to be a constant text"),
    }
}

/// The same instant, shown in another zone.
fn at_timezone(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let instants = micros(&columns[0])?;
    let zone = zone_of(returns);
    let instants = instants.as_primitive::<TimestampMicrosecondType>().clone();
    Ok(match zone {
        Some(zone) => Arc::new(instants.with_timezone(zone)),
        None => Arc::new(instants),
    })
}
