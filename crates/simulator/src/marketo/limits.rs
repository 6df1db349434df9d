//! What one instance gives in all: calls a day, calls in twenty seconds, calls at a time, bytes of
//! bulk files a day (`source-apis.md` 2.2).
//!
//! Days are days of US Central by the simulator's own clock; twenty seconds are real ones.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{civil::Date, tz::TimeZone};

use super::MarketoOptions;
use super::codes::Refusal;
use crate::calendar;

/// The stretch in which calls are counted.
const STRETCH: Duration = Duration::from_secs(20);

/// Counters of the instance.
#[derive(Debug, Default)]
pub(super) struct Limits {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    in_flight: u32,
    recent: VecDeque<Instant>,
    calls: BTreeMap<Date, u64>,
    errors: BTreeMap<Date, BTreeMap<&'static str, u64>>,
    bytes: BTreeMap<Date, u64>,
}

/// The day of quotas at an instant (seconds since 1970).
pub(super) fn quota_day(now: i64) -> Date {
    let zone = TimeZone::get("America/Chicago").unwrap_or(TimeZone::UTC);
    calendar::wall_clock(now, &zone).date()
}

/// A call that was let in; whoever holds it counts as in flight.
#[derive(Debug)]
pub(super) struct Admitted<'a> {
    limits: &'a Limits,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let mut counts = self.limits.held();
        counts.in_flight = counts.in_flight.saturating_sub(1);
    }
}

impl Limits {
    fn held(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call in, or says which limit is reached.
    pub(super) fn admit(
        &self,
        options: &MarketoOptions,
        now: i64,
    ) -> Result<Admitted<'_>, Refusal> {
        let instant = Instant::now();
        let mut counts = self.held();
        let old = |start: &Instant| instant.duration_since(*start) >= STRETCH;
        while counts.recent.front().is_some_and(old) {
            counts.recent.pop_front();
        }
        let used = counts.calls.get(&quota_day(now)).copied().unwrap_or(0);
        let refusal = if used >= options.daily_calls {
            let limit = options.daily_calls;
            Some(Refusal::new(
                "607",
                format!("Max daily quota '{limit}' reached"),
            ))
        } else if counts.recent.len() as u64 >= u64::from(options.calls_in_20_seconds) {
            let limit = options.calls_in_20_seconds;
            Some(Refusal::new(
                "606",
                format!("Max rate limit '{limit}' exceeded with in '20' secs"),
            ))
        } else if counts.in_flight >= options.calls_at_a_time {
            Some(Refusal::new("615", "Concurrent access limit reached"))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        counts.in_flight += 1;
        counts.recent.push_back(instant);
        Ok(Admitted { limits: self })
    }

    /// Counts a call that was let in by how it ended. Errors of the response level are free.
    pub(super) fn ended(&self, refusal: Option<&Refusal>, now: i64) {
        let day = quota_day(now);
        let mut counts = self.held();
        match refusal {
            Some(refusal) if refusal.is_free() => {
                counts.recent.pop_back();
            }
            _ => *counts.calls.entry(day).or_default() += 1,
        }
        if let Some(refusal) = refusal {
            let errors = counts.errors.entry(day).or_default();
            *errors.entry(refusal.code).or_default() += 1;
        }
    }

    /// Counts an error of a call that was not let in.
    pub(super) fn refused(&self, refusal: &Refusal, now: i64) {
        let mut counts = self.held();
        let errors = counts.errors.entry(quota_day(now)).or_default();
        *errors.entry(refusal.code).or_default() += 1;
    }

    /// Calls of a day.
    pub(super) fn calls(&self, day: Date) -> u64 {
        self.held().calls.get(&day).copied().unwrap_or(0)
    }

    /// Errors of a day by code.
    pub(super) fn errors(&self, day: Date) -> BTreeMap<&'static str, u64> {
        self.held().errors.get(&day).cloned().unwrap_or_default()
    }

    /// Counts bytes of a bulk file.
    pub(super) fn exported(&self, bytes: u64, now: i64) {
        *self.held().bytes.entry(quota_day(now)).or_default() += bytes;
    }

    /// Bytes of bulk files of the day.
    pub(super) fn bytes(&self, now: i64) -> u64 {
        self.held().bytes.get(&quota_day(now)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_runs_out_by_its_own_code() {
        let options = MarketoOptions {
            daily_calls: 3,
            calls_in_20_seconds: 5,
            calls_at_a_time: 2,
            ..MarketoOptions::default()
        };
        let limits = Limits::default();
        let code = |now| {
            limits
                .admit(&options, now)
                .err()
                .map(|refusal| refusal.code)
        };
        let (one, two) = (limits.admit(&options, 0), limits.admit(&options, 0));
        assert_eq!(code(0), Some("615"));
        drop((one, two));
        for _ in 0..3 {
            drop(limits.admit(&options, 0));
            limits.ended(Some(&Refusal::of("611")), 0);
        }
        for _ in 0..3 {
            assert_eq!(code(0), None);
            limits.ended(None, 0);
        }
        assert_eq!(code(0), Some("607"));
        // The next day is another one; the twenty seconds are the same.
        assert_eq!(code(2 * 86_400), Some("606"));
        assert_eq!(limits.calls(quota_day(0)), 3);
        assert_eq!(limits.errors(quota_day(0)), BTreeMap::from([("611", 3)]));
    }

    #[test]
    fn days_are_days_of_us_central() {
        // 2026-01-31T05:59:59Z is still January 30th in Chicago.
        assert_eq!(quota_day(1_769_839_199), jiff::civil::date(2026, 1, 30));
        assert_eq!(quota_day(1_769_839_200), jiff::civil::date(2026, 1, 31));
    }
}
