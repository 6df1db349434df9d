//! Instants as text, and back.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Date32Builder, StringBuilder, TimestampMicrosecondBuilder},
    datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType},
};
use datafusion::common::Result;
use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use super::{
    Repeated, any_null,
    format::{self, Piece},
    invalid,
    time::{DAY, date_to_days, datetime_to_micros, finish, micros, micros_to_datetime, zone_of},
};

pub(super) fn formatted(
    columns: &[ArrayRef],
    language: fn(&str) -> Result<Vec<Piece>>,
) -> Result<ArrayRef> {
    let (instants, patterns) = (
        columns[0].as_primitive::<TimestampMicrosecondType>(),
        columns[1].as_string::<i32>(),
    );
    let mut out = StringBuilder::with_capacity(instants.len(), 0);
    let (mut known, mut text) = (Repeated::new(), String::new());
    for row in 0..instants.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        text.clear();
        format::write(
            known.get(patterns.value(row), language)?,
            micros_to_datetime(instants.value(row))?,
            &mut text,
        );
        out.append_value(&text);
    }
    Ok(Arc::new(out.finish()))
}

pub(super) fn parsed(
    columns: &[ArrayRef],
    language: fn(&str) -> Result<Vec<Piece>>,
    returns: &DataType,
) -> Result<ArrayRef> {
    let (texts, patterns) = (columns[0].as_string::<i32>(), columns[1].as_string::<i32>());
    let mut out = TimestampMicrosecondBuilder::with_capacity(texts.len());
    let mut known = Repeated::new();
    for row in 0..texts.len() {
        if any_null(columns, row) {
            out.append_null();
        } else {
            out.append_value(datetime_to_micros(format::read(
                known.get(patterns.value(row), language)?,
                texts.value(row),
            )?)?);
        }
    }
    finish(out, returns)
}

pub(super) fn from_iso8601_timestamp(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let texts = columns[0].as_string::<i32>();
    let mut out = TimestampMicrosecondBuilder::with_capacity(texts.len());
    for text in texts {
        let instant = text.map(|text| {
            let zoned = text.parse::<Timestamp>().map(Timestamp::as_microsecond);
            match (zoned, text.parse::<DateTime>()) {
                (Ok(micros), _) => Ok(micros),
                (Err(_), Ok(local)) => datetime_to_micros(local),
                (Err(_), Err(_)) => invalid(format!("Invalid format: \"{text}\"")),
            }
        });
        out.append_option(instant.transpose()?);
    }
    finish(out, returns)
}

pub(super) fn from_iso8601_date(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = Date32Builder::with_capacity(columns[0].len());
    for text in columns[0].as_string::<i32>() {
        let date = text.map(|text| match text.parse::<Date>() {
            Ok(date) => date_to_days(date),
            Err(_) => invalid(format!("Invalid format: \"{text}\"")),
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
    let zone = zone_of(column.data_type())
        .map(|zone| time_zone(&zone))
        .transpose()?;
    let instants = micros(column)?;
    for instant in instants.as_primitive::<TimestampMicrosecondType>() {
        let text = instant
            .map(|micros| clock(micros, zone.as_ref(), "T", true))
            .transpose()?;
        out.append_option(text);
    }
    Ok(Arc::new(out.finish()))
}

/// An instant's wall clock, with as many digits as it needs, three at least.
pub(super) fn clock(
    micros: i64,
    zone: Option<&TimeZone>,
    between: &str,
    iso: bool,
) -> Result<String> {
    let Ok(instant) = Timestamp::from_microsecond(micros) else {
        return invalid("the instant lies outside the calendar");
    };
    let zoned = instant.to_zoned(zone.cloned().unwrap_or(TimeZone::UTC));
    let at = zoned.datetime();
    let fraction = format!("{:06}", at.subsec_nanosecond() / 1_000);
    let fraction = if fraction.ends_with("000") {
        &fraction[..3]
    } else {
        fraction.as_str()
    };
    let mut text = format!(
        "{}{between}{:02}:{:02}:{:02}.{fraction}",
        at.date(),
        at.hour(),
        at.minute(),
        at.second()
    );
    if let Some(zone) = zone {
        let offset = zoned.offset();
        let minutes = offset.seconds() / 60;
        let shown = format!(
            "{}{:02}:{:02}",
            if minutes < 0 { '-' } else { '+' },
            minutes.abs() / 60,
            minutes.abs() % 60
        );
        match (iso, minutes == 0, zone.iana_name()) {
            (true, true, _) => text.push('Z'),
            (true, false, _) => text.push_str(&shown),
            (false, _, Some(name)) => text.extend([" ", name]),
            (false, _, None) => text.extend([" ", &shown]),
        }
    }
    Ok(text)
}

/// What `CAST(timestamp AS varchar)` gives: a blank between date and time.
pub(super) fn timestamp_text(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let column = &columns[0];
    let zone = zone_of(column.data_type())
        .map(|zone| time_zone(&zone))
        .transpose()?;
    let digits = if matches!(
        column.data_type(),
        DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, _)
    ) {
        6
    } else {
        3
    };
    let instants = micros(column)?;
    let mut out = StringBuilder::with_capacity(column.len(), 0);
    for instant in instants.as_primitive::<TimestampMicrosecondType>() {
        let text = instant
            .map(|micros| clock(micros, zone.as_ref(), " ", false))
            .transpose()?;
        // The text of a column has the same number of digits in every row.
        let text = text.map(|text| match text.get(23..) {
            Some(rest) if digits == 6 && !rest.starts_with(|c: char| c.is_ascii_digit()) => {
                format!("{}000{rest}", &text[..23])
            }
            _ => text,
        });
        out.append_option(text);
    }
    Ok(Arc::new(out.finish()))
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
