//! Numbers, times and sizes as people read them. Called for what is visible only.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

pub(crate) use lakehand_pipeline::text::moment;

/// `12345678` as `12,345,678`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `2 rows`.
pub(crate) fn plural(value: u64, noun: &str) -> String {
    format!(
        "{} {noun}{}",
        count(value),
        if value == 1 { "" } else { "s" }
    )
}

/// Bytes in steps of 1,000: `532 B`, `12.4 kB`, `1.3 GB`.
pub(crate) fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if value < 1_000 {
        return format!("{value} B");
    }
    // Rounded once, from the bytes: in the unit in which less than 1,000.0 stands.
    let tenths = |unit: usize| {
        let tenth = 100 * 1_000_u64.pow(u32::try_from(unit).unwrap_or(0));
        value / tenth + u64::from(value % tenth >= tenth / 2)
    };
    let last = UNITS.len() - 1;
    let unit = (0..last)
        .find(|unit| tenths(*unit) < 10_000)
        .unwrap_or(last);
    let tenths = tenths(unit);
    format!("{}.{} {}", count(tenths / 10), tenths % 10, UNITS[unit])
}

/// How long something took: `12 ms`, `0.4 s`, `12 s`, `1 m 12 s`, `2 h 05 m`, `3 d 4 h`.
pub(crate) fn duration(elapsed: SignedDuration) -> String {
    let milliseconds = elapsed.as_millis().max(0);
    let seconds = milliseconds / 1_000;
    match seconds {
        0 if milliseconds < 100 => format!("{milliseconds} ms"),
        0..10 => format!("{}.{} s", seconds, milliseconds % 1_000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// How long something has run so far, in whole seconds, so that the label changes once a second.
pub(crate) fn running(started: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(started).as_secs().max(0);
    if seconds < 60 {
        format!("{seconds} s")
    } else {
        duration(SignedDuration::from_secs(seconds))
    }
}

/// A coarse age: `now`, `5 min`, `3 h`, `2 d`. Changes at most once a minute, so it costs nothing while idle.
pub(crate) fn age(at: Timestamp, now: Timestamp) -> String {
    let minutes = now.duration_since(at).as_secs().max(0) / 60;
    match minutes {
        0 => "now".to_owned(),
        1..60 => format!("{minutes} min"),
        60..2_880 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1_440),
    }
}

/// `5 min ago`, or `just now`.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    match age(at, now).as_str() {
        "now" => "just now".to_owned(),
        text => format!("{text} ago"),
    }
}

/// Time left: `in 5 h`, `due`.
pub(crate) fn until(at: Timestamp, now: Timestamp) -> String {
    let minutes = at.duration_since(now).as_secs().max(0).div_euclid(60);
    match minutes {
        0 => "due".to_owned(),
        1..60 => format!("in {minutes} min"),
        60..2_880 => format!("in {} h", minutes / 60),
        _ => format!("in {} d", minutes / 1_440),
    }
}

/// Columns of the widest of these moments: those of another year need more than the usual ones.
pub(crate) fn widest_moment(
    all: impl IntoIterator<Item = Timestamp>,
    now: Timestamp,
    zone: &TimeZone,
) -> u16 {
    let widths = all
        .into_iter()
        .map(|at| super::widgets::text::width(&moment(at, now, zone)));
    u16::try_from(widths.max().unwrap_or(0)).unwrap_or(u16::MAX)
}

/// Hours, minutes, seconds and milliseconds in the profile's zone.
pub(crate) fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%H:%M:%S%.3f")
        .to_string()
}

/// Date and time to the second in the profile's zone.
pub(crate) fn full(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(12_440), "12.4 kB");
        assert_eq!(bytes(12_450), "12.5 kB");
        assert_eq!(bytes(999_949), "999.9 kB");
        assert_eq!(bytes(999_950), "1.0 MB");
        assert_eq!(bytes(1_960_000_000), "2.0 GB");
        assert_eq!(bytes(u64::MAX), "18,446.7 PB");
        assert_eq!(bytes(1_000_000), "1.0 MB");
        assert_eq!(bytes(1_300_000_000), "1.3 GB");
        assert_eq!(plural(1, "row"), "1 row");
    }

    #[test]
    fn durations_and_ages() {
        assert_eq!(duration(SignedDuration::from_millis(420)), "0.4 s");
        assert_eq!(duration(SignedDuration::from_secs(72)), "1 m 12 s");
        assert_eq!(duration(SignedDuration::from_secs(7_500)), "2 h 05 m");
        assert_eq!(duration(SignedDuration::from_secs(-5)), "0 ms");
        let now: Timestamp = "2026-02-01T02:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(ago(at("2026-02-01T01:59:30Z"), now), "just now");
        assert_eq!(ago(at("2026-02-01T01:20:00Z"), now), "40 min ago");
        assert_eq!(age(at("2026-01-28T02:00:00Z"), now), "4 d");
        assert_eq!(
            age(at("2026-02-02T02:00:00Z"), now),
            "now",
            "a clock that runs ahead is not an error"
        );
        assert_eq!(until(at("2026-02-01T08:00:00Z"), now), "in 6 h");
    }

    #[test]
    fn moments_are_shown_in_the_profiles_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let now: Timestamp = "2026-02-01T02:00:00Z".parse().unwrap();
        assert_eq!(
            moment("2026-01-31T23:30:00Z".parse().unwrap(), now, &berlin),
            "00:30"
        );
        assert_eq!(
            moment("2026-01-31T22:30:00Z".parse().unwrap(), now, &berlin),
            "01-31 23:30"
        );
        assert_eq!(
            moment("2025-12-31T12:00:00Z".parse().unwrap(), now, &berlin),
            "2025-12-31 13:00"
        );
    }
}
