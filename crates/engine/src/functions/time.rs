//! Dates and instants.
//!
//! A Trino `timestamp` is a wall clock without a zone and a `timestamp with time zone` is an instant; the
//! session's zone is UTC, so both are read as UTC here. Results are microseconds.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Date32Builder, Float64Array, Int64Array, Int64Builder,
        IntervalMonthDayNanoArray, StringArray, TimestampMicrosecondBuilder,
    },
    datatypes::{
        DataType, Float64Type, Int64Type, IntervalMonthDayNano, IntervalUnit, TimeUnit,
        TimestampMicrosecondType,
    },
};
use datafusion::{
    common::{DataFusionError, Result, ScalarValue, not_impl_err, plan_err},
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
        formatted, from_iso8601_date, from_iso8601_timestamp, iso8601, parsed, time_zone,
        timestamp_text, to_iso8601,
    },
    format, function, invalid,
    moments::{to_instant, to_wall, walls, zone},
    returns_bigint, returns_instant, returns_text,
};

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::{Any, Double, Instant, Int, Text};
    vec![
        function("trino_part", &[&[Text, Any]], returns_part, part),
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
        function("date_diff", &[&[Text, Any, Any]], returns_diff, date_diff),
        function(
            "last_day_of_month",
            &[&[Instant]],
            |_, _| Ok(DataType::Date32),
            last_day_of_month,
        ),
        function(
            "date_format",
            &[&[Any, Text]],
            returns_formatted,
            |columns, _| formatted(columns, format::mysql),
        ),
        function(
            "format_datetime",
            &[&[Any, Text]],
            returns_formatted,
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
            returns_parsed,
            |columns, zone| parsed(columns, format::joda, zone),
        ),
        function(
            "from_iso8601_timestamp",
            &[&[Text]],
            returns_iso8601,
            from_iso8601_timestamp,
        ),
        function(
            "from_iso8601_date",
            &[&[Text]],
            |_, _| Ok(DataType::Date32),
            from_iso8601_date,
        ),
        function("to_iso8601", &[&[Any]], returns_text, to_iso8601),
        function(
            "to_milliseconds",
            &[&[Take::Any]],
            returns_milliseconds,
            to_milliseconds,
        ),
        function(
            "from_unixtime_nanos",
            &[&[Take::Int]],
            |_, _| {
                Ok(DataType::Timestamp(
                    TimeUnit::Nanosecond,
                    Some("UTC".into()),
                ))
            },
            |columns, returns| Ok(arrow::compute::cast(&columns[0], returns)?),
        ),
        function(
            "from_unixtime",
            &[&[Double], &[Double, Text], &[Double, Int, Int]],
            returns_unixtime,
            from_unixtime,
        ),
        function(
            "with_timezone",
            &[&[Any, Text]],
            returns_in_zone,
            with_timezone,
        ),
        function("parse_duration", &[&[Text]], returns_span, parse_duration),
        function("timezone_hour", &[&[Any]], returns_bigint, |columns, _| {
            offsets(columns, 3_600, 24)
        }),
        function(
            "timezone_minute",
            &[&[Any]],
            returns_bigint,
            |columns, _| offsets(columns, 60, 60),
        ),
        function(
            "to_unixtime",
            &[&[Any]],
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

/// Dates stay dates, timestamps keep their digits and zone.
fn temporal(types: &[DataType], index: usize) -> Result<DataType> {
    match types.get(index) {
        Some(DataType::Date32 | DataType::Date64) => Ok(DataType::Date32),
        Some(of @ DataType::Timestamp(..)) => Ok(of.clone()),
        Some(DataType::Null) => returns_instant(&[], &[]),
        Some(DataType::Time32(_) | DataType::Time64(_)) => {
            datafusion::common::not_impl_err!(
                "times without a date are not supported by this function"
            )
        }
        Some(other) => plan_err!(
            "cannot coerce {} to a date or timestamp",
            crate::names::type_name(other)
        ),
        None => plan_err!("cannot coerce nothing to a date or timestamp"),
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
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => {
            Ok(Arc::new(array.with_timezone(Arc::clone(zone))))
        }
        DataType::Timestamp(_, Some(zone)) => {
            let zoned = array.with_timezone(Arc::clone(zone));
            Ok(arrow::compute::cast(&zoned, data_type)?)
        }
        other => Ok(arrow::compute::cast(&array, other)?),
    }
}

/// The parts of a wall clock that can be asked for; a date has no time.
fn returns_part(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match &types[1] {
        DataType::Interval(_) => Ok(DataType::Int64),
        _ => temporal(types, 1).map(|_| DataType::Int64),
    }
}

fn part(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let names = columns[0].as_string::<i32>();
    if let DataType::Interval(_) = columns[1].data_type() {
        return interval_part(names, &columns[1]);
    }
    if matches!(
        names.iter().flatten().next(),
        Some("timezone_hour" | "timezone_minute")
    ) {
        let by_hour = names.iter().flatten().next() == Some("timezone_hour");
        let (size, most) = if by_hour { (3_600, 24) } else { (60, 60) };
        return offsets(&columns[1..], size, most);
    }
    let instants = walls(&columns[1])?;
    let dated = matches!(columns[1].data_type(), DataType::Date32);
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
            "hour" if !dated => at.hour().into(),
            "minute" if !dated => at.minute().into(),
            "second" if !dated => at.second().into(),
            "millisecond" if !dated => at.millisecond().into(),
            other => return invalid(format!("'{other}' is not a valid part of such a value")),
        });
    }
    Ok(Arc::new(out.finish()))
}

fn interval_part(names: &StringArray, column: &ArrayRef) -> Result<ArrayRef> {
    let mut out = Int64Builder::with_capacity(column.len());
    for row in 0..column.len() {
        let span = match ScalarValue::try_from_array(column, row)? {
            ScalarValue::IntervalMonthDayNano(Some(span)) if names.is_valid(row) => span,
            _ => {
                out.append_null();
                continue;
            }
        };
        let months = i64::from(span.months);
        let millis = i64::from(span.days) * 86_400_000 + span.nanoseconds / 1_000_000;
        out.append_value(match names.value(row) {
            "year" => months / 12,
            "month" => months % 12,
            "day" => millis / 86_400_000,
            "hour" => millis / 3_600_000 % 24,
            "minute" => millis / 60_000 % 60,
            "second" => millis / 1_000 % 60,
            "millisecond" => millis % 1_000,
            other => return invalid(format!("'{other}' is not a part of an interval")),
        });
    }
    Ok(Arc::new(out.finish()))
}

/// A part of the zone's distance from UTC.
fn offsets(columns: &[ArrayRef], size: i32, most: i32) -> Result<ArrayRef> {
    let Some(zone) = zone(columns[0].data_type())? else {
        return invalid("a timestamp with time zone is needed");
    };
    let instants = micros(&columns[0])?;
    let offsets = instants
        .as_primitive::<TimestampMicrosecondType>()
        .iter()
        .map(|instant| {
            let at = Timestamp::from_microsecond(instant?).ok()?;
            Some(i64::from(zone.to_offset(at).seconds() / size % most))
        });
    Ok(Arc::new(offsets.collect::<Int64Array>()))
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
    let zone = zone(columns[1].data_type())?;
    let instants = micros(&columns[1])?;
    let instants = instants.as_primitive::<TimestampMicrosecondType>();
    let mut out = TimestampMicrosecondBuilder::with_capacity(instants.len());
    for row in 0..instants.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let unit = units.value(row).to_ascii_lowercase();
        if *returns == DataType::Date32 && !is_of_dates(&unit) {
            return invalid(format!("'{unit}' is not a valid DATE field"));
        }
        let instant = instants.value(row);
        let wall = to_wall(instant, zone.as_ref())?;
        let start = datetime_to_micros(truncated(micros_to_datetime(wall)?, &unit)?)?;
        // Below a day the offset stays what it is, so that the hour that comes twice is not mixed up.
        out.append_value(if is_of_dates(&unit) {
            to_instant(start, zone.as_ref())?
        } else {
            instant - (wall - start)
        });
    }
    finish(out, returns)
}

fn is_of_dates(unit: &str) -> bool {
    matches!(unit, "day" | "week" | "month" | "quarter" | "year")
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
    let zone = zone(columns[2].data_type())?;
    let instants = micros(&columns[2])?;
    let instants = instants.as_primitive::<TimestampMicrosecondType>();
    let mut out = TimestampMicrosecondBuilder::with_capacity(instants.len());
    for row in 0..instants.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let unit = units.value(row).to_ascii_lowercase();
        if *returns == DataType::Date32 && !is_of_dates(&unit) {
            return invalid(format!("'{unit}' is not a valid DATE field"));
        }
        let instant = instants.value(row);
        let of_dates = is_of_dates(&unit);
        let from = if of_dates {
            to_wall(instant, zone.as_ref())?
        } else {
            instant
        };
        let to = moved(micros_to_datetime(from)?, &unit, counts.value(row))?;
        let to = datetime_to_micros(to)?;
        out.append_value(if of_dates {
            to_instant(to, zone.as_ref())?
        } else {
            to
        });
    }
    finish(out, returns)
}

/// Microseconds since the first of the month.
fn in_month(at: DateTime) -> Result<i64> {
    Ok(datetime_to_micros(at)? - datetime_to_micros(at.first_of_month().start_of_day())?)
}

/// Whole months from the earlier to the later: the last day of a month ends a month that began on a later day.
fn months(earlier: DateTime, later: DateTime) -> Result<i64> {
    let count = |at: DateTime| i64::from(at.year()) * 12 + i64::from(at.month());
    let mut since = earlier;
    if later.day() == later.days_in_month() && earlier.day() > later.day() {
        since = earlier
            .with()
            .day(later.day())
            .build()
            .or_else(|_| invalid("the dates lie outside the calendar"))?;
    }
    let short = in_month(later)? < in_month(since)?;
    Ok(count(later) - count(earlier) - i64::from(short))
}

/// Whole years from the earlier to the later, as Joda has them: the day after 28 February is the same in every year.
fn years(earlier: DateTime, later: DateTime) -> Result<i64> {
    let in_year = |at: DateTime| -> Result<i64> {
        Ok(datetime_to_micros(at)? - datetime_to_micros(at.first_of_year().start_of_day())?)
    };
    let (mut since, mut until) = (in_year(earlier)?, in_year(later)?);
    let leap_day = 59 * DAY;
    if since >= leap_day {
        if earlier.in_leap_year() {
            since -= if later.in_leap_year() { 0 } else { DAY };
        } else if until >= leap_day && later.in_leap_year() {
            until -= DAY;
        }
    }
    Ok(i64::from(later.year()) - i64::from(earlier.year()) - i64::from(until < since))
}

/// Whole units between two instants, towards zero.
fn whole_units(from: DateTime, to: DateTime, unit: &str) -> Result<i64> {
    let micros = || Ok::<_, DataFusionError>(datetime_to_micros(to)? - datetime_to_micros(from)?);
    let fixed = |size: i64| micros().map(|micros| micros / size);
    let ordered = |of: fn(DateTime, DateTime) -> Result<i64>| {
        if from <= to {
            of(from, to)
        } else {
            of(to, from).map(|count| -count)
        }
    };
    match unit {
        "millisecond" => {
            // Trino counts from millisecond to millisecond.
            let millis = |at| datetime_to_micros(at).map(|micros| micros.div_euclid(1_000));
            Ok(millis(to)? - millis(from)?)
        }
        "second" => fixed(1_000_000),
        "minute" => fixed(60_000_000),
        "hour" => fixed(3_600_000_000),
        "day" => fixed(DAY),
        "week" => fixed(7 * DAY),
        "month" => ordered(months),
        "quarter" => ordered(months).map(|months| months / 3),
        "year" => ordered(years),
        other => invalid(format!("'{other}' is not a valid Timestamp field")),
    }
}

fn returns_diff(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    temporal(types, 1)?;
    temporal(types, 2)?;
    Ok(DataType::Int64)
}

fn date_diff(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let units = columns[0].as_string::<i32>();
    let dated =
        *columns[1].data_type() == DataType::Date32 && *columns[2].data_type() == DataType::Date32;
    let zone = match zone(columns[1].data_type())? {
        Some(zone) => Some(zone),
        None => zone(columns[2].data_type())?,
    };
    let (from, to) = (micros(&columns[1])?, micros(&columns[2])?);
    let from = from.as_primitive::<TimestampMicrosecondType>();
    let to = to.as_primitive::<TimestampMicrosecondType>();
    let mut out = Int64Builder::with_capacity(from.len());
    for row in 0..from.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let unit = units.value(row).to_ascii_lowercase();
        if dated && !is_of_dates(&unit) {
            return invalid(format!("'{unit}' is not a valid DATE field"));
        }
        // Days and more are those of the wall clock, less is time that has passed.
        let zone = zone.as_ref().filter(|_| is_of_dates(&unit));
        out.append_value(whole_units(
            micros_to_datetime(to_wall(from.value(row), zone)?)?,
            micros_to_datetime(to_wall(to.value(row), zone)?)?,
            &unit,
        )?);
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

fn returns_unixtime(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let zone = match types.len() {
        1 => "UTC".into(),
        2 => constant_zone(scalars.get(1))?,
        _ => {
            return not_impl_err!(
                "from_unixtime(x, hours, minutes) is not supported: write from_unixtime(x, '+01:10')"
            );
        }
    };
    Ok(DataType::Timestamp(TimeUnit::Millisecond, Some(zone)))
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

fn returns_span(_: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(DataType::Interval(IntervalUnit::MonthDayNano))
}

/// `42.8ms`, `3.5 d`, rounded to milliseconds.
fn parse_duration(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let spans = columns[0].as_string::<i32>().iter().map(|text| {
        let Some(text) = text else { return Ok(None) };
        let end = text
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(text.len());
        let millis = match text[end..].trim() {
            "ns" => 1e-6,
            "us" => 1e-3,
            "ms" => 1.0,
            "s" => 1e3,
            "m" => 6e4,
            "h" => 3.6e6,
            "d" => 8.64e7,
            _ => {
                return invalid(format!(
                    "duration is not a valid data duration string: {text}"
                ));
            }
        };
        match text[..end].parse::<f64>() {
            Ok(number) if number * millis < 9e12 => {
                let nanos = (number * millis).round() as i64 * 1_000_000;
                Ok(Some(IntervalMonthDayNano::new(0, 0, nanos)))
            }
            _ => invalid(format!(
                "duration is not a valid data duration string: {text}"
            )),
        }
    });
    Ok(Arc::new(
        spans.collect::<Result<IntervalMonthDayNanoArray>>()?,
    ))
}

fn returns_milliseconds(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match &types[0] {
        DataType::Interval(_) | DataType::Null => Ok(DataType::Int64),
        other => plan_err!(
            "cannot coerce {} to an interval for to_milliseconds",
            crate::names::type_name(other)
        ),
    }
}

/// An interval of days and less; one of months has no milliseconds.
fn to_milliseconds(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = Int64Builder::with_capacity(columns[0].len());
    for row in 0..columns[0].len() {
        match ScalarValue::try_from_array(&columns[0], row)? {
            ScalarValue::IntervalMonthDayNano(Some(span)) if span.months != 0 => {
                return invalid("an interval of months has no milliseconds");
            }
            ScalarValue::IntervalMonthDayNano(Some(span)) => {
                out.append_value(i64::from(span.days) * 86_400_000 + span.nanoseconds / 1_000_000)
            }
            _ => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn to_unixtime(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let instants = micros(&columns[0])?;
    let seconds = instants
        .as_primitive::<TimestampMicrosecondType>()
        .iter()
        .map(|micros| micros.map(|micros| micros as f64 / 1e6));
    Ok(Arc::new(seconds.collect::<Float64Array>()))
}

/// The zone has to be a constant: it becomes part of the type.
fn constant_zone(scalar: Option<&Option<&ScalarValue>>) -> Result<Arc<str>> {
    match scalar
        .copied()
        .flatten()
        .and_then(|scalar| scalar.try_as_str().flatten())
    {
        Some(name) => {
            time_zone(name)?;
            Ok(name.into())
        }
        None => not_impl_err!(
            "a zone of its own for every row is not supported: write the zone as a constant text"
        ),
    }
}

fn returns_in_zone(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let unit = match temporal(types, 0)? {
        DataType::Timestamp(unit, _) => unit,
        other => return plan_err!("cannot coerce {other} to a timestamp"),
    };
    Ok(DataType::Timestamp(
        unit,
        Some(constant_zone(scalars.get(1))?),
    ))
}

/// The same instant, shown in another zone.
fn at_timezone(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let utc = match columns[0].data_type() {
        DataType::Timestamp(unit, None) => {
            let utc = DataType::Timestamp(*unit, Some("UTC".into()));
            arrow::compute::cast(&columns[0], &utc)?
        }
        _ => Arc::clone(&columns[0]),
    };
    Ok(arrow::compute::cast(&utc, returns)?)
}

/// The wall clock as one of the zone.
fn with_timezone(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let zone = zone(returns)?;
    let walls = walls(&columns[0])?;
    let mut out = TimestampMicrosecondBuilder::with_capacity(walls.len());
    for wall in &walls {
        let instant = wall.map(|wall| to_instant(wall, zone.as_ref()));
        out.append_option(instant.transpose()?);
    }
    finish(out, returns)
}

fn returns_formatted(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    temporal(types, 0).map(|_| DataType::Utf8)
}

fn first_text<'a>(scalars: &[Option<&'a ScalarValue>], at: usize) -> Option<&'a str> {
    scalars.get(at).copied().flatten()?.try_as_str().flatten()
}

/// The zone of a constant text is the result's; that of a column has to be UTC in every row.
fn returns_iso8601(_: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let zone = first_text(scalars, 0).and_then(|text| iso8601(text).ok()?.1);
    let zone = zone.unwrap_or_else(|| "UTC".to_owned());
    Ok(DataType::Timestamp(
        TimeUnit::Millisecond,
        Some(zone.into()),
    ))
}

fn returns_parsed(_: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let zone = match (first_text(scalars, 0), first_text(scalars, 1)) {
        (Some(text), Some(pattern)) => format::joda(pattern)
            .and_then(|pieces| format::read(&pieces, text))
            .ok()
            .and_then(|(_, zone)| zone),
        _ => None,
    };
    let zone = zone.unwrap_or_else(|| "UTC".to_owned());
    Ok(DataType::Timestamp(
        TimeUnit::Millisecond,
        Some(zone.into()),
    ))
}
