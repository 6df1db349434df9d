//! When a workflow or a crawler starts next.

use jiff::{
    Timestamp, ToSpan,
    civil::Date,
    tz::{AmbiguousOffset, TimeZone},
};

use super::WorkflowName;
use lakehand_config::{Schedule, Scheduled};
pub use lakehand_pipeline::jobs::scheduled_name as execution_name;

/// Days looked ahead; a daily time that does not exist for a week is none.
const DAYS_AHEAD: i32 = 8;

/// The next start of `workflow` after `now`.
#[must_use]
pub fn next_run(
    schedules: &[Schedule],
    workflow: &WorkflowName,
    zone: &TimeZone,
    now: Timestamp,
) -> Option<Timestamp> {
    let own = |starts: &Scheduled| matches!(starts, Scheduled::Workflow(name) if name == workflow.as_ref());
    next_of(schedules, own, zone, now)
}

/// The next start after `now` of the crawler that goes by any of `names`.
#[must_use]
pub fn next_crawl(
    schedules: &[Schedule],
    names: &[&str],
    zone: &TimeZone,
    now: Timestamp,
) -> Option<Timestamp> {
    let own = |starts: &Scheduled| matches!(starts, Scheduled::Crawler(name) if names.contains(&name.as_str()));
    next_of(schedules, own, zone, now)
}

fn next_of(
    schedules: &[Schedule],
    own: impl Fn(&Scheduled) -> bool,
    zone: &TimeZone,
    now: Timestamp,
) -> Option<Timestamp> {
    schedules
        .iter()
        .filter(|schedule| own(&schedule.starts))
        .filter_map(|schedule| next_start(schedule, zone, now))
        .min()
}

/// The soonest start of any schedule after `now`, with the schedules that are due then.
#[must_use]
pub fn next_due<'a>(
    schedules: &'a [Schedule],
    zone: &TimeZone,
    now: Timestamp,
) -> Option<(Timestamp, Vec<&'a Schedule>)> {
    let starts: Vec<_> = schedules
        .iter()
        .filter_map(|schedule| Some((next_start(schedule, zone, now)?, schedule)))
        .collect();
    let soonest = starts.iter().map(|(start, _)| *start).min()?;
    Some((
        soonest,
        starts
            .into_iter()
            .filter(|(start, _)| *start == soonest)
            .map(|(_, schedule)| schedule)
            .collect(),
    ))
}

/// The next start of one schedule after `now`, as `zone` counts days and hours.
///
/// As EventBridge Scheduler does it: in spring a time that does not exist is skipped, in autumn a time
/// that comes twice starts once, at its first occurrence.
fn next_start(schedule: &Schedule, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let today = now.to_zoned(zone.clone()).date();
    (0..DAYS_AHEAD)
        .filter_map(|days| start_on(today.checked_add(days.days()).ok()?, schedule, zone))
        .find(|start| *start > now)
}

fn start_on(day: Date, schedule: &Schedule, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(day.to_datetime(schedule.at));
    match ambiguous.offset() {
        AmbiguousOffset::Gap { .. } => None,
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
            ambiguous.earlier().ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(at: &str, now: &str) -> String {
        let schedules = [
            Schedule::workflow("daily-report", at.parse().unwrap()),
            Schedule::workflow("collect", "00:00".parse().unwrap()),
            Schedule::crawler("daily-report", "00:01".parse().unwrap()),
        ];
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        next_run(
            &schedules,
            &"daily-report".into(),
            &zone,
            now.parse().unwrap(),
        )
        .unwrap()
        .to_string()
    }

    #[test]
    fn today_if_it_is_still_to_come_else_tomorrow() {
        assert_eq!(
            next("09:00", "2026-01-15T07:59:59Z"),
            "2026-01-15T08:00:00Z"
        );
        assert_eq!(
            next("09:00", "2026-01-15T08:00:00Z"),
            "2026-01-16T08:00:00Z"
        );
    }

    #[test]
    fn the_hour_that_spring_skips_and_the_one_that_autumn_repeats() {
        // 2026-03-29 02:30 does not exist in Berlin; 2026-10-25 02:30 comes twice.
        assert_eq!(
            next("02:30", "2026-03-28T12:00:00Z"),
            "2026-03-30T00:30:00Z"
        );
        assert_eq!(
            next("02:30", "2026-10-24T12:00:00Z"),
            "2026-10-25T00:30:00Z"
        );
        assert_eq!(
            next("02:30", "2026-10-25T00:30:00Z"),
            "2026-10-26T01:30:00Z"
        );
        assert_eq!(
            next("09:00", "2026-03-28T12:00:00Z"),
            "2026-03-29T07:00:00Z"
        );
    }

    #[test]
    fn a_workflow_without_a_schedule_never_starts_by_itself() {
        assert_eq!(
            next_run(&[], &"collect".into(), &TimeZone::UTC, Timestamp::now()),
            None
        );
    }

    #[test]
    fn what_is_due_together_starts_together_and_has_one_name() {
        let schedule = |at: &str| Schedule::workflow("daily-report", at.parse().unwrap());
        let all = [schedule("09:00"), schedule("14:00"), schedule("14:00")];
        let (at, due) = next_due(
            &all,
            &TimeZone::UTC,
            "2026-01-10T10:00:00Z".parse().unwrap(),
        )
        .unwrap();
        assert_eq!(at.to_string(), "2026-01-10T14:00:00Z");
        assert_eq!(due.len(), 2);
        assert_eq!(
            execution_name("daily-report", at),
            "daily-report-scheduled-20260110T1400Z"
        );
    }

    #[test]
    fn a_crawler_is_found_by_either_of_its_names() {
        let all = [
            Schedule::workflow("ga", "07:00".parse().unwrap()),
            Schedule::crawler("ga", "08:45".parse().unwrap()),
        ];
        let now = "2026-01-10T00:00:00Z".parse().unwrap();
        let next = next_crawl(&all, &["ga", "lakehand-local-ga"], &TimeZone::UTC, now).unwrap();
        assert_eq!(next.to_string(), "2026-01-10T08:45:00Z");
        assert_eq!(next_crawl(&all, &["affise"], &TimeZone::UTC, now), None);
    }
}
