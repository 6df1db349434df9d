//! Dates and instants in text, wall clocks of zones, and the casts between them.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Date32Array, Int64Array, StringArray, TimestampMicrosecondArray,
    },
    datatypes::{DataType, Int64Type, TimeUnit},
};
use datafusion::common::{DataFusionError, Result, exec_err, not_impl_err};
use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

use super::clock::time_zone;

/// A date and time as a text says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The wall clock.
    pub at: DateTime,
    /// Digits of its fraction.
    pub digits: usize,
    /// Whether the text holds a time.
    pub timed: bool,
    /// The zone that is written.
    pub zone: Option<String>,
}

impl Moment {
    pub(crate) fn is_date(&self) -> bool {
        !self.timed && self.zone.is_none()
    }

    /// Units since 1970: of the instant where there is a zone, else of the wall clock.
    pub(crate) fn ticks(&self, unit: &str) -> Option<i64> {
        let zone = match &self.zone {
            Some(zone) => time_zone(zone).ok()?,
            None => TimeZone::UTC,
        };
        let instant = zone.to_timestamp(self.at).ok()?;
        match unit {
            "s" => Some(instant.as_second()),
            "ms" => Some(instant.as_millisecond()),
            "us" => Some(instant.as_microsecond()),
            _ => i64::try_from(instant.as_nanosecond()).ok(),
        }
    }
}

/// Reads `2020-5-1`, `2020-05-01 1:02`, `2020-05-01 01:02:03.456 Europe/Berlin`.
pub(crate) fn read(written: &str) -> Result<Moment> {
    match moment(written.trim()) {
        Some(moment) => Ok(moment),
        None => exec_err!("INVALID_CAST_ARGUMENT: Value cannot be cast to timestamp: {written}"),
    }
}

fn moment(written: &str) -> Option<Moment> {
    let (day, rest) = match written.find([' ', 'T']) {
        Some(at) => (&written[..at], written[at + 1..].trim_start()),
        None => (written, ""),
    };
    let date = date(day)?;
    if rest.is_empty() {
        return Some(Moment {
            at: date.at(0, 0, 0, 0),
            digits: 0,
            timed: false,
            zone: None,
        });
    }
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.'))
        .unwrap_or(rest.len());
    let (clock, zone) = (&rest[..end], rest[end..].trim());
    let zone = match zone {
        "" => None,
        zone => {
            time_zone(zone).ok()?;
            Some(zone.to_owned())
        }
    };
    let (time, digits) = if clock.is_empty() {
        (Time::midnight(), 0)
    } else {
        time(clock)?
    };
    Some(Moment {
        at: date.to_datetime(time),
        digits,
        timed: !clock.is_empty(),
        zone,
    })
}

fn small(digits: &str, most: usize) -> Option<i8> {
    (1..=most).contains(&digits.len()).then_some(())?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(())?;
    digits.parse().ok()
}

fn date(day: &str) -> Option<Date> {
    let mut parts = day.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    Date::new(year.parse().ok()?, small(month, 2)?, small(day, 2)?).ok()
}

fn time(clock: &str) -> Option<(Time, usize)> {
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.split(':');
    let (hour, minute) = (small(parts.next()?, 2)?, small(parts.next()?, 2)?);
    let second = parts.next();
    if parts.next().is_some() || fraction.len() > 9 || (second.is_none() && !fraction.is_empty()) {
        return None;
    }
    let nanos: i32 = format!("{fraction:0<9}").parse().ok()?;
    let second = second.map_or(Some(0), |second| small(second, 2))?;
    Some((Time::new(hour, minute, second, nanos).ok()?, fraction.len()))
}

/// Months, or milliseconds, of an interval's text.
pub(crate) fn interval(written: &str, from: &str, to: Option<&str>) -> Option<(i64, i64)> {
    let (sign, rest) = match written.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, written.strip_prefix('+').unwrap_or(written)),
    };
    let whole = |text: &str| -> Option<i64> {
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(())?;
        text.parse().ok()
    };
    match (from, to) {
        ("year", None) => return Some((sign * whole(rest)?.checked_mul(12)?, 0)),
        ("month", None) => return Some((sign * whole(rest)?, 0)),
        ("year", Some("month")) => {
            let (years, months) = rest.split_once('-').unwrap_or((rest, "0"));
            let months = whole(years)?.checked_mul(12)?.checked_add(whole(months)?)?;
            return Some((sign * months, 0));
        }
        _ => {}
    }
    let units = ["day", "hour", "minute", "second"];
    let first = units.iter().position(|unit| *unit == from)?;
    let last = match to {
        Some(to) => units.iter().position(|unit| *unit == to)?,
        None => first,
    };
    let (rest, fraction) = match rest.split_once('.') {
        Some((rest, fraction)) if last == 3 && fraction.len() <= 3 => (rest, fraction),
        Some(_) => return None,
        None => (rest, ""),
    };
    let parts: Vec<&str> = rest.split([' ', ':']).collect();
    if last < first || parts.len() > last - first + 1 {
        return None;
    }
    let sizes = [86_400_000, 3_600_000, 60_000, 1_000];
    let mut millis: i64 = whole(&format!("{fraction:0<3}"))?;
    for (part, size) in parts.iter().zip(&sizes[first..]) {
        millis = millis.checked_add(whole(part)?.checked_mul(*size)?)?;
    }
    Some((0, sign * millis))
}

/// The zone of a column's type.
pub(super) fn zone(data_type: &DataType) -> Result<Option<TimeZone>> {
    match data_type {
        DataType::Timestamp(_, Some(zone)) => time_zone(zone).map(Some),
        _ => Ok(None),
    }
}

/// Microseconds since 1970 on the wall clock of the zone.
pub(super) fn to_wall(micros: i64, zone: Option<&TimeZone>) -> Result<i64> {
    let Some(zone) = zone else {
        return Ok(micros);
    };
    let Ok(instant) = Timestamp::from_microsecond(micros) else {
        return exec_err!("INVALID_FUNCTION_ARGUMENT: the instant lies outside the calendar");
    };
    Ok(micros + i64::from(zone.to_offset(instant).seconds()) * 1_000_000)
}

/// The instant of a wall clock in the zone: in the hour that is left out the later, in the one that comes twice the earlier.
pub(super) fn to_instant(micros: i64, zone: Option<&TimeZone>) -> Result<i64> {
    let Some(zone) = zone else {
        return Ok(micros);
    };
    let wall = super::time::micros_to_datetime(micros)?;
    match zone.to_timestamp(wall) {
        Ok(instant) => Ok(instant.as_microsecond()),
        Err(_) => exec_err!("INVALID_FUNCTION_ARGUMENT: {wall} lies outside the calendar"),
    }
}

const fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// Ticks of one unit as ticks of another, rounded half up.
fn rescaled(ticks: i64, from: TimeUnit, to: TimeUnit) -> Result<i64> {
    let (from, to) = (per_second(from), per_second(to));
    let scaled = if to >= from {
        ticks.checked_mul(to / from)
    } else {
        let size = from / to;
        ticks
            .checked_add(size / 2)
            .map(|ticks| ticks.div_euclid(size))
    };
    match scaled {
        Some(scaled) => Ok(scaled),
        None => exec_err!("INVALID_CAST_ARGUMENT: the timestamp lies outside of what is supported"),
    }
}

/// Whether a cast between these is done by [`moved`].
pub(crate) fn is_ours(from: &DataType, to: &DataType) -> bool {
    use DataType::{Date32, LargeUtf8, Timestamp as Stamp, Utf8, Utf8View};
    match (from, to) {
        (Utf8 | Utf8View, Stamp(..) | Date32) => true,
        (LargeUtf8, _) => false,
        (Stamp(_, Some(_)), Date32) => true,
        (Stamp(from, zone), Stamp(to, other)) => {
            zone.is_some() && other.is_none() || per_second(*from) > per_second(*to)
        }
        _ => false,
    }
}

/// A date or timestamp, or its text, as `to`; what cannot be read is NULL where `lenient`.
pub(super) fn moved(column: &ArrayRef, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    if matches!(column.data_type(), DataType::Utf8 | DataType::Utf8View) {
        return from_text(column, to, lenient);
    }
    let DataType::Timestamp(unit, _) = column.data_type() else {
        return Ok(arrow::compute::cast(column, to)?);
    };
    let from_zone = zone(column.data_type())?;
    let drops = !matches!(to, DataType::Timestamp(_, Some(_)));
    let ticks = arrow::compute::cast(column, &DataType::Int64)?;
    let size = per_second(*unit);
    let target = match to {
        DataType::Timestamp(target, _) => *target,
        _ => TimeUnit::Microsecond,
    };
    let moved = ticks.as_primitive::<Int64Type>().iter().map(|ticks| {
        let Some(ticks) = ticks else { return Ok(None) };
        let wall = if drops && let Some(zone) = &from_zone {
            let micros = ticks.div_euclid(size).saturating_mul(1_000_000);
            ticks + (to_wall(micros, Some(zone))? - micros) / 1_000_000 * size
        } else {
            ticks
        };
        if *to == DataType::Date32 {
            return Ok(Some(wall.div_euclid(size * 86_400)));
        }
        rescaled(wall, *unit, target).map(Some)
    });
    let moved: Int64Array = moved.collect::<Result<_>>()?;
    if *to == DataType::Date32 {
        let days = moved
            .iter()
            .map(|day| day.and_then(|day| i32::try_from(day).ok()));
        return Ok(Arc::new(days.collect::<Date32Array>()));
    }
    Ok(arrow::compute::cast(&moved, to)?)
}

fn from_text(column: &ArrayRef, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    let texts = arrow::compute::cast(column, &DataType::Utf8)?;
    let texts: &StringArray = texts.as_string();
    let one = |text: &str| -> Result<i64> {
        let moment = match (read(text), to) {
            (Ok(moment), DataType::Date32) if !moment.is_date() => {
                return exec_err!("INVALID_CAST_ARGUMENT: Value cannot be cast to date: {text}");
            }
            (Err(_), DataType::Date32) => {
                return exec_err!("INVALID_CAST_ARGUMENT: Value cannot be cast to date: {text}");
            }
            (moment, _) => moment?,
        };
        let zoned = matches!(to, DataType::Timestamp(_, Some(_)));
        let zone = match (&moment.zone, zoned) {
            (Some(zone), true) => {
                let (written, zone) = (zone, time_zone(zone)?);
                let is_utc =
                    zone == TimeZone::UTC || zone == TimeZone::fixed(jiff::tz::Offset::UTC);
                let column = match to {
                    DataType::Timestamp(_, Some(column)) => column,
                    _ => "",
                };
                if written != column && !(is_utc && column == "UTC") {
                    return not_impl_err!(
                        "a zone of its own for every row is not supported ('{text}'): cast to timestamp without a zone"
                    );
                }
                zone
            }
            _ => TimeZone::UTC,
        };
        let Ok(instant) = zone.to_timestamp(moment.at) else {
            return exec_err!("INVALID_CAST_ARGUMENT: Value cannot be cast to timestamp: {text}");
        };
        let nanos = i64::try_from(instant.as_nanosecond());
        match (to, nanos) {
            (DataType::Date32, _) => Ok(instant.as_second().div_euclid(86_400)),
            (DataType::Timestamp(TimeUnit::Nanosecond, _), Ok(nanos)) => Ok(nanos),
            (DataType::Timestamp(unit, _), Ok(nanos)) => {
                rescaled(nanos, TimeUnit::Nanosecond, *unit)
            }
            (DataType::Timestamp(unit, _), Err(_)) => {
                rescaled(instant.as_microsecond(), TimeUnit::Microsecond, *unit)
            }
            _ => exec_err!("INVALID_CAST_ARGUMENT: Value cannot be cast: {text}"),
        }
    };
    let ticks = texts.iter().map(|text| match text.map(one) {
        None => Ok(None),
        Some(Ok(ticks)) => Ok(Some(ticks)),
        Some(Err(DataFusionError::Execution(_))) if lenient => Ok(None),
        Some(Err(error)) => Err(error),
    });
    let ticks: Int64Array = ticks.collect::<Result<_>>()?;
    if *to == DataType::Date32 {
        let days = ticks
            .iter()
            .map(|day| day.and_then(|day| i32::try_from(day).ok()));
        return Ok(Arc::new(days.collect::<Date32Array>()));
    }
    Ok(arrow::compute::cast(&ticks, to)?)
}

/// A date or timestamp column as microseconds of its wall clock.
pub(super) fn walls(column: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    let to = DataType::Timestamp(TimeUnit::Microsecond, None);
    let plain = if matches!(column.data_type(), DataType::Timestamp(_, Some(_))) {
        moved(column, &to, false)?
    } else {
        arrow::compute::cast(column, &to)?
    };
    Ok(plain.as_primitive().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_trino_reads_them() {
        let berlin = read("2026-3-29 01:30:00.25 Europe/Berlin").unwrap();
        assert_eq!(berlin.digits, 2);
        // Winter time, an hour before Greenwich's 01:30.
        assert_eq!(berlin.ticks("ms"), Some(1_774_744_200_250));
        assert!(read("2026-02-30").is_err());
        assert!(read("2026-01-01 01:02:03 Mars/Base").is_err());
        assert!(read("2026-01-01").unwrap().is_date());
    }

    #[test]
    fn intervals_are_months_or_milliseconds() {
        assert_eq!(interval("2", "day", None), Some((0, 172_800_000)));
        assert_eq!(
            interval("-1 02:03:04.5", "day", Some("second")),
            Some((0, -93_784_500))
        );
        assert_eq!(interval("1-2", "year", Some("month")), Some((14, 0)));
        assert_eq!(interval("--1", "day", None), None);
    }

    #[test]
    fn a_coarser_timestamp_is_rounded_half_up() {
        let rounded =
            |ticks| rescaled(ticks, TimeUnit::Microsecond, TimeUnit::Millisecond).unwrap();
        assert_eq!(
            [rounded(1_499), rounded(1_500), rounded(-1_500)],
            [1, 2, -1]
        );
    }
}
