//! Days, instants and their spelling.
//!
//! Affise writes `YYYY-MM-DD HH:MM:SS` without a zone; the zone is the one the request named, or
//! the platform's own, which is UTC here (`source-apis.md` 1.1).

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};

/// Days in a generated period, today included.
pub const PERIOD_DAYS: u32 = 14;

/// Clicks older than this many days before today cannot be read (`source-apis.md` 1.3).
pub const CLICK_DAYS: u32 = 7;

/// Seconds of a UTC day.
pub(crate) const DAY_SECONDS: i64 = 86_400;

/// A half-open stretch of time in seconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// First second inside.
    pub start: i64,
    /// First second after it.
    pub end: i64,
}

impl Span {
    /// Everything.
    pub(crate) const ALL: Self = Self {
        start: i64::MIN,
        end: i64::MAX,
    };

    /// The days `from..=to` as `zone` has them.
    pub(crate) fn days(from: civil::Date, to: civil::Date, zone: &TimeZone) -> Self {
        let after = to.tomorrow().unwrap_or(to);
        Self {
            start: midnight(from, zone),
            end: midnight(after, zone),
        }
    }

    /// One hour of a day as `zone` has it; `hour` is 0 to 23.
    pub(crate) fn hour(day: civil::Date, hour: i8, zone: &TimeZone) -> Self {
        Self {
            start: instant(day.at(hour, 0, 0, 0), zone),
            end: hour_end(day, hour, zone),
        }
    }

    /// Whether an instant lies inside.
    pub(crate) const fn contains(self, second: i64) -> bool {
        self.start <= second && second < self.end
    }

    /// What both spans share; empty if nothing.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            start: self.start.max(other.start),
            end: self.end.min(other.end),
        }
    }
}

/// The first second after an hour of a day in a zone.
pub(crate) fn hour_end(day: civil::Date, hour: i8, zone: &TimeZone) -> i64 {
    if hour >= 23 {
        midnight(day.tomorrow().unwrap_or(day), zone)
    } else {
        instant(day.at(hour + 1, 0, 0, 0), zone)
    }
}

/// The instant of a wall-clock time in a zone: where clocks are put forward, the time after the
/// gap; where they are put back, the earlier of the two.
pub(crate) fn instant(wall: civil::DateTime, zone: &TimeZone) -> i64 {
    zone.to_ambiguous_timestamp(wall).compatible().map_or_else(
        |_| {
            if wall.year() < 1970 {
                i64::MIN
            } else {
                i64::MAX
            }
        },
        Timestamp::as_second,
    )
}

fn midnight(day: civil::Date, zone: &TimeZone) -> i64 {
    instant(day.at(0, 0, 0, 0), zone)
}

/// Midnight UTC of a day.
pub(crate) fn day_start(day: civil::Date) -> i64 {
    midnight(day, &TimeZone::UTC)
}

/// The wall-clock time of an instant in a zone.
pub(crate) fn wall_clock(second: i64, zone: &TimeZone) -> civil::DateTime {
    let stamp = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
    zone.to_offset(stamp).to_datetime(stamp)
}

/// The UTC day of an instant.
pub(crate) fn day_of(second: i64) -> civil::Date {
    wall_clock(second, &TimeZone::UTC).date()
}

/// `day` moved by a number of days, clamped to the calendar's ends.
pub(crate) fn shift(day: civil::Date, days: i64) -> civil::Date {
    day.saturating_add(SignedDuration::from_hours(days * 24))
}

/// Appends `YYYY-MM-DD HH:MM:SS`.
pub(crate) fn push_stamp(out: &mut String, second: i64, zone: &TimeZone) {
    let wall = wall_clock(second, zone);
    push_digits(out, i64::from(wall.year()), 4);
    out.push('-');
    push_digits(out, i64::from(wall.month()), 2);
    out.push('-');
    push_digits(out, i64::from(wall.day()), 2);
    out.push(' ');
    push_digits(out, i64::from(wall.hour()), 2);
    out.push(':');
    push_digits(out, i64::from(wall.minute()), 2);
    out.push(':');
    push_digits(out, i64::from(wall.second()), 2);
}

fn push_digits(out: &mut String, number: i64, width: u32) {
    for place in (0..width).rev() {
        let digit = (number / 10_i64.pow(place)) % 10;
        out.push(char::from(b'0' + digit.unsigned_abs() as u8));
    }
}

/// Reads `YYYY-MM-DD HH:MM:SS` (a `T` in the middle, a fraction and a trailing `Z` or ` UTC` are
/// let pass; a bare date is its midnight) as UTC. `None` for anything else, `0000-00-00` included.
pub(crate) fn read_stamp(text: &str) -> Option<i64> {
    let text = text.trim().trim_end_matches(" UTC").trim_end_matches('Z');
    let wall = match text.parse::<civil::DateTime>() {
        Ok(wall) => wall,
        Err(_) => text.parse::<civil::Date>().ok()?.at(0, 0, 0, 0),
    };
    (wall.year() >= 1).then(|| instant(wall, &TimeZone::UTC))
}

/// How many thousandths of a day's clicks fall into each hour: few at night, most in the evening.
const HOURS: [u64; 24] = [
    24, 18, 14, 12, 12, 15, 22, 32, 42, 48, 50, 50, 52, 50, 48, 48, 50, 54, 60, 66, 70, 68, 56, 39,
];

/// The second of a UTC day at which a fraction of its clicks has happened. `fraction` is out of
/// 2^32; the result never falls as the fraction rises.
pub(crate) fn second_of_day(fraction: u64) -> i64 {
    let total: u64 = HOURS.iter().sum();
    let mut left = (fraction * total * 3600) >> 32;
    for (hour, weight) in HOURS.iter().enumerate() {
        let here = weight * 3600;
        if left < here {
            return hour as i64 * 3600 + (left / weight) as i64;
        }
        left -= here;
    }
    DAY_SECONDS - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn stamps_are_read_back() {
        let mut out = String::new();
        push_stamp(&mut out, 1_767_668_909, &TimeZone::UTC);
        assert_eq!(out, "2026-01-06 03:08:29");
        assert_eq!(read_stamp(&out), Some(1_767_668_909));
        assert_eq!(read_stamp("2026-01-06T03:08:29Z"), Some(1_767_668_909));
        assert_eq!(read_stamp("2026-01-06 03:08:29.123"), Some(1_767_668_909));
        assert_eq!(read_stamp("2026-01-06"), Some(1_767_657_600));
        for wrong in [
            "",
            "0000-00-00 00:00:00",
            "yesterday",
            "2026-13-01 00:00:00",
            "1767668909",
        ] {
            assert_eq!(read_stamp(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn days_follow_the_zone_and_its_clock_changes() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let day = Span::days(date(2026, 1, 6), date(2026, 1, 6), &berlin);
        assert_eq!(day.start, read_stamp("2026-01-05 23:00:00").unwrap());
        assert_eq!(day.end - day.start, DAY_SECONDS);
        let short = Span::days(date(2026, 3, 29), date(2026, 3, 29), &berlin);
        assert_eq!(short.end - short.start, 23 * 3600);
        let long = Span::days(date(2025, 10, 26), date(2025, 10, 26), &berlin);
        assert_eq!(long.end - long.start, 25 * 3600);
        let hours: i64 = (0..24)
            .map(|hour| Span::hour(date(2025, 10, 26), hour, &berlin))
            .map(|hour| hour.end - hour.start)
            .sum();
        assert_eq!(hours, 25 * 3600, "the hours of a long day cover it");
    }

    #[test]
    fn clicks_of_a_day_never_go_back_in_time() {
        let mut last = 0;
        for step in 0..=100_000_u64 {
            let second = second_of_day((step << 32) / 100_001);
            assert!(second >= last && second < DAY_SECONDS);
            last = second;
        }
        assert!(last > 23 * 3600);
    }
}
