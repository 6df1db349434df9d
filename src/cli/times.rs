//! How an instant is written for people: the clock of the profile's zone, with its offset. JSON keeps UTC.

use jiff::{Timestamp, tz::TimeZone};

/// `2026-01-31 09:00:00+01:00`.
#[must_use]
pub fn local(at: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    at.strftime("%Y-%m-%d %H:%M:%S%:z").to_string()
}

/// The same to the millisecond, for lines of a log.
#[must_use]
pub fn local_millis(at: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    at.strftime("%Y-%m-%d %H:%M:%S%.3f%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stands_twice_a_year_is_told_apart_by_its_offset() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let told = |at: &str| local(at.parse().unwrap(), &zone);
        assert_eq!(told("2026-10-25T00:30:00Z"), "2026-10-25 02:30:00+02:00");
        assert_eq!(told("2026-10-25T01:30:00Z"), "2026-10-25 02:30:00+01:00");
        let at = "2026-01-31T23:59:59.0625Z".parse().unwrap();
        assert_eq!(local_millis(at, &zone), "2026-02-01 00:59:59.062+01:00");
        assert_eq!(local(at, &TimeZone::UTC), "2026-01-31 23:59:59+00:00");
    }
}
