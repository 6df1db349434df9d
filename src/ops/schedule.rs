//! When workflows start by themselves: times of day in the profile's time zone.

use jiff::{ToSpan, Timestamp, civil::DateTime, tz::TimeZone};

use crate::config::Schedule;

/// The next start of `schedule` after `now`. A time of day that the clock skips on a day (a change to
/// summer time) starts at the first instant after the gap; one that occurs twice starts once, the first time.
#[must_use]
pub fn next_start(schedule: &Schedule, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let today = now.to_zoned(zone.clone()).date();
    (0..3).find_map(|days| {
        let day = today.checked_add(days.days()).ok()?;
        let start = zone.to_ambiguous_zoned(DateTime::from_parts(day, schedule.at)).compatible().ok()?.timestamp();
        (start > now).then_some(start)
    })
}

/// The soonest start of any schedule, with the schedules that are due then.
#[must_use]
pub fn next_due<'a>(schedules: &'a [Schedule], now: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Vec<&'a Schedule>)> {
    let starts: Vec<_> = schedules.iter().filter_map(|s| Some((next_start(s, now, zone)?, s))).collect();
    let soonest = starts.iter().map(|(at, _)| *at).min()?;
    Some((soonest, starts.into_iter().filter(|(at, _)| *at == soonest).map(|(_, s)| s).collect()))
}

/// The name of a scheduled execution: the same start never runs twice, whoever starts it.
#[must_use]
pub fn execution_name(schedule: &Schedule, start: Timestamp) -> String {
    format!("{}-scheduled-{}", schedule.workflow, start.strftime("%Y%m%dT%H%MZ"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(text: &str) -> Schedule {
        Schedule { workflow: "daily-report".to_owned(), at: text.parse().unwrap() }
    }

    fn next(at: &str, now: &str) -> String {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        next_start(&schedule(at), now.parse().unwrap(), &zone).unwrap().to_string()
    }

    #[test]
    fn the_next_start_follows_the_clock_of_the_zone() {
        assert_eq!(next("09:00:00", "2026-01-10T07:59:59Z"), "2026-01-10T08:00:00Z");
        assert_eq!(next("09:00:00", "2026-01-10T08:00:00Z"), "2026-01-11T08:00:00Z");
        assert_eq!(next("09:00:00", "2026-03-28T12:00:00Z"), "2026-03-29T07:00:00Z");
        // 02:30 does not exist on the day the clock goes forward; 02:30 twice on the day it goes back.
        assert_eq!(next("02:30:00", "2026-03-29T00:00:00Z"), "2026-03-29T01:30:00Z");
        assert_eq!(next("02:30:00", "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(next("02:30:00", "2026-10-25T00:30:00Z"), "2026-10-26T01:30:00Z");
    }

    #[test]
    fn what_is_due_together_starts_together() {
        let both = [schedule("09:00:00"), schedule("14:00:00"), schedule("14:00:00")];
        let (at, due) = next_due(&both, "2026-01-10T10:00:00Z".parse().unwrap(), &TimeZone::UTC).unwrap();
        assert_eq!(at.to_string(), "2026-01-10T14:00:00Z");
        assert_eq!(due.len(), 2);
        assert_eq!(execution_name(due[0], at), "daily-report-scheduled-20260110T1400Z");
    }
}
