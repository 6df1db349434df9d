//! Instants as text, and back.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Date32Builder, StringBuilder, TimestampMicrosecondBuilder},
    datatypes::{DataType, Date32Type, Int64Type, TimeUnit, TimestampMicrosecondType},
};
use datafusion::common::{DataFusionError, Result};
use jiff::{
    Timestamp, Zoned,
    civil::{Date, DateTime},
    tz::{Offset, TimeZone},
};

use super::{
    Repeated, any_null,
    format::{self, Piece},
    invalid, moments,
    time::{DAY, date_to_days, datetime_to_micros, finish, micros, micros_to_datetime, zone_of},
};

pub(super) fn formatted(
    columns: &[ArrayRef],
    language: fn(&str) -> Result<Vec<Piece>>,
) -> Result<ArrayRef> {
    let zone = moments::zone(columns[0].data_type())?.unwrap_or(TimeZone::UTC);
    let instants = micros(&columns[0])?;
    let instants = instants.as_primitive::<TimestampMicrosecondType>();
    let patterns = columns[1].as_string::<i32>();
    let mut out = StringBuilder::with_capacity(instants.len(), 0);
    let (mut known, mut text) = (Repeated::new(), String::new());
    for row in 0..instants.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        text.clear();
        // Trino writes milliseconds, whatever the digits of the timestamp.
        let millis = instants.value(row).div_euclid(1_000) * 1_000;
        let Ok(instant) = Timestamp::from_microsecond(millis) else {
            return invalid("the instant lies outside the calendar");
        };
        let zoned = instant.to_zoned(zone.clone());
        format::write(known.get(patterns.value(row), language)?, &zoned, &mut text);
        out.append_value(&text);
    }
    Ok(Arc::new(out.finish()))
}

/// A wall clock and the zone that its text has, as an instant of a column of one zone.
fn in_column(at: DateTime, written: Option<&str>, column: Option<&str>) -> Result<i64> {
    match (written, column) {
        (Some(written), Some(column)) => {
            let zone = time_zone(written)?;
            let is_utc =
                |zone: &TimeZone| *zone == TimeZone::UTC || *zone == TimeZone::fixed(Offset::UTC);
            if written != column && !(is_utc(&zone) && is_utc(&time_zone(column)?)) {
                return Err(DataFusionError::NotImplemented(format!(
                    "a zone of its own for every row is not supported ('{written}'): wrap the call in at_timezone(…, 'Europe/Berlin') or to_unixtime(…)"
                )));
            }
            match zone.to_timestamp(at) {
                Ok(instant) => Ok(instant.as_microsecond()),
                Err(_) => invalid(format!("{at} lies outside the calendar")),
            }
        }
        _ => datetime_to_micros(at),
    }
}

pub(super) fn parsed(
    columns: &[ArrayRef],
    language: fn(&str) -> Result<Vec<Piece>>,
    returns: &DataType,
) -> Result<ArrayRef> {
    let (texts, patterns) = (columns[0].as_string::<i32>(), columns[1].as_string::<i32>());
    let zone = zone_of(returns);
    let mut out = TimestampMicrosecondBuilder::with_capacity(texts.len());
    let mut known = Repeated::new();
    for row in 0..texts.len() {
        if any_null(columns, row) {
            out.append_null();
        } else {
            let pieces = known.get(patterns.value(row), language)?;
            let (at, written) = format::read(pieces, texts.value(row))?;
            out.append_value(in_column(at, written.as_deref(), zone.as_deref())?);
        }
    }
    finish(out, returns)
}

/// A wall clock and its zone from `2001-08-22T03:04:05.321-11:00`, `2001-08-22`, `2001-W34-3`, `2001-234`.
pub(super) fn iso8601(text: &str) -> Result<(DateTime, Option<String>)> {
    let bad = || invalid(format!("Invalid format: \"{text}\""));
    let (day, rest) = text.split_once('T').unwrap_or((text, ""));
    let date = match iso8601_date(day) {
        Some(date) => date,
        None => return bad(),
    };
    let end = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = (&rest[..end], &rest[end..]);
    let zone = match zone {
        "" => None,
        "Z" => Some("UTC".to_owned()),
        zone => match zone.len() {
            6 => Some(zone.to_owned()),
            5 => Some(format!("{}:{}", &zone[..3], &zone[3..])),
            3 => Some(format!("{zone}:00")),
            _ => return bad(),
        },
    };
    if let Some(zone) = &zone {
        time_zone(zone)?;
    }
    let whole = match clock.len() {
        0 => "00:00".to_owned(),
        2 => format!("{clock}:00"),
        _ => clock.to_owned(),
    };
    match whole.parse::<jiff::civil::Time>() {
        Ok(time) => {
            let millis = time.subsec_nanosecond() / 1_000_000 * 1_000_000;
            let time = time.with().subsec_nanosecond(millis).build();
            time.map_or_else(|_| bad(), |time| Ok((date.to_datetime(time), zone)))
        }
        Err(_) => bad(),
    }
}

fn iso8601_date(text: &str) -> Option<Date> {
    if let Some((year, week)) = text.split_once("-W") {
        let (week, day) = week.split_once('-').unwrap_or((week, "1"));
        let day = jiff::civil::Weekday::from_monday_one_offset(day.parse().ok()?).ok()?;
        let week = jiff::civil::ISOWeekDate::new(year.parse().ok()?, week.parse().ok()?, day);
        return week.ok().map(|week| week.date());
    }
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        [year] if year.len() == 4 => Date::new(year.parse().ok()?, 1, 1).ok(),
        [year, day] if year.len() == 4 && day.len() == 3 => Date::new(year.parse().ok()?, 1, 1)
            .ok()?
            .with()
            .day_of_year(day.parse().ok()?)
            .build()
            .ok(),
        [year, month] if year.len() == 4 && month.len() <= 2 => {
            Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()
        }
        [year, month, day] if year.len() == 4 => {
            Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
        }
        _ => None,
    }
}

pub(super) fn from_iso8601_timestamp(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let texts = columns[0].as_string::<i32>();
    let zone = zone_of(returns);
    let mut out = TimestampMicrosecondBuilder::with_capacity(texts.len());
    for text in texts {
        let instant = text.map(|text| {
            let (at, written) = iso8601(text)?;
            in_column(at, written.as_deref(), zone.as_deref())
        });
        out.append_option(instant.transpose()?);
    }
    finish(out, returns)
}

pub(super) fn from_iso8601_date(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = Date32Builder::with_capacity(columns[0].len());
    for text in columns[0].as_string::<i32>() {
        let date = text.map(|text| match iso8601_date(text) {
            Some(date) => date_to_days(date),
            None => invalid(format!("Invalid format: \"{text}\"")),
        });
        out.append_option(date.transpose()?);
    }
    Ok(Arc::new(out.finish()))
}

/// `2026-01-31`, `2026-01-31T10:00:00.000`, and with a zone `…Z` or `…+02:00`.
pub(super) fn to_iso8601(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let column = &columns[0];
    let mut out = StringBuilder::with_capacity(column.len(), 0);
    if let DataType::Date32 = column.data_type() {
        let days = column.as_primitive::<Date32Type>();
        for day in days {
            let date = day
                .map(|day| micros_to_datetime(i64::from(day) * DAY))
                .transpose()?;
            out.append_option(date.map(|at| at.date().to_string()));
        }
        return Ok(Arc::new(out.finish()));
    }
    let DataType::Timestamp(unit, _) = column.data_type() else {
        return invalid("a date or a timestamp is needed");
    };
    written(column, *unit, "T", true)
}

/// A timestamp's wall clock with the digits of its type, and its zone.
fn written(column: &ArrayRef, unit: TimeUnit, between: &str, iso: bool) -> Result<ArrayRef> {
    let zone = moments::zone(column.data_type())?;
    let named = zone_of(column.data_type());
    let ticks = arrow::compute::cast(column, &DataType::Int64)?;
    let mut out = StringBuilder::with_capacity(column.len(), 0);
    for tick in ticks.as_primitive::<Int64Type>() {
        let Some(tick) = tick else {
            out.append_null();
            continue;
        };
        let instant = match unit {
            TimeUnit::Second => Timestamp::from_second(tick),
            TimeUnit::Millisecond => Timestamp::from_millisecond(tick),
            TimeUnit::Microsecond => Timestamp::from_microsecond(tick),
            TimeUnit::Nanosecond => Timestamp::from_nanosecond(tick.into()),
        };
        let Ok(instant) = instant else {
            return invalid("the instant lies outside the calendar");
        };
        let zoned = instant.to_zoned(zone.clone().unwrap_or(TimeZone::UTC));
        let mut text = clock(&zoned, unit, between);
        match (&named, iso) {
            (None, _) => {}
            (Some(_), true) if zoned.offset() == Offset::UTC => text.push('Z'),
            (Some(_), true) => text.push_str(&offset_text(zoned.offset(), ":")),
            (Some(name), false) => text.extend([" ", name]),
        }
        out.append_value(&text);
    }
    Ok(Arc::new(out.finish()))
}

/// `+05:45`, with what stands between hours and minutes.
pub(super) fn offset_text(offset: Offset, between: &str) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.abs();
    format!("{sign}{:02}{between}{:02}", minutes / 60, minutes % 60)
}

fn clock(zoned: &Zoned, unit: TimeUnit, between: &str) -> String {
    let at = zoned.datetime();
    let digits = match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    let nanos = format!("{:09}", at.subsec_nanosecond());
    let point = if digits == 0 { "" } else { "." };
    format!(
        "{}{between}{:02}:{:02}:{:02}{point}{}",
        at.date(),
        at.hour(),
        at.minute(),
        at.second(),
        &nanos[..digits]
    )
}

/// What `CAST(timestamp AS varchar)` gives: a blank between date and time.
pub(super) fn timestamp_text(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    match columns[0].data_type() {
        DataType::Timestamp(unit, _) => written(&columns[0], *unit, " ", false),
        _ => invalid("a timestamp is needed"),
    }
}

pub(super) fn time_zone(name: &str) -> Result<TimeZone> {
    if name.eq_ignore_ascii_case("utc") || name == "Z" {
        return Ok(TimeZone::UTC);
    }
    if let Ok(zone) = TimeZone::get(name) {
        return Ok(zone);
    }
    let offset = name.parse::<jiff::civil::Time>().ok();
    let signed = name
        .strip_prefix(['+', '-'])
        .and_then(|rest| rest.parse::<jiff::civil::Time>().ok())
        .or(offset);
    match signed {
        Some(time) => {
            let seconds = i32::from(time.hour()) * 3600 + i32::from(time.minute()) * 60;
            let seconds = if name.starts_with('-') {
                -seconds
            } else {
                seconds
            };
            jiff::tz::Offset::from_seconds(seconds)
                .map(TimeZone::fixed)
                .or_else(|_| invalid(format!("'{name}' is not a valid time zone id")))
        }
        None => invalid(format!("'{name}' is not a valid time zone id")),
    }
}
