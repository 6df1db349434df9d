//! RFC 3339 time stamps, as Choice and Wait states compare and the Context object prints them.

use jiff::Timestamp;

/// Reads a time stamp such as `2016-03-14T01:59:00Z` or `2016-03-14T01:59:00.5+01:00`.
///
/// Stricter than most parsers, as the language demands: an upper-case `T`, and `Z` or an offset.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() < 17 || bytes[10] != b'T' || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let zone_at = text[11..].find(['Z', '+', '-']).map(|at| at + 11)?;
    let (clock, zone) = (&text[11..zone_at], &text[zone_at..]);
    let clock_fits = clock
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b':' || byte == b'.')
        && matches!(clock.split(':').count(), 2 | 3);
    let zone_fits = zone == "Z" || (zone.len() == 6 && zone.as_bytes()[3] == b':');
    if !clock_fits || !zone_fits {
        return None;
    }
    text.parse().ok()
}

/// The Context object's form: UTC with milliseconds, `2026-11-21T09:00:00.000Z`.
#[must_use]
pub fn format_timestamp(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
