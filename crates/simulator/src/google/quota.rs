//! What a property gives: tokens a day, an hour and an hour for this project, requests at a time,
//! server errors, requests that may be thresholded (`source-apis.md` 3.4).

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::errors::Refusal;

/// The limits of a property. The defaults are those of a standard one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoogleQuota {
    /// Tokens a day of Pacific time.
    pub tokens_per_day: u64,
    /// Tokens in a rolling hour.
    pub tokens_per_hour: u64,
    /// Tokens of this project in a rolling hour.
    pub tokens_per_project_per_hour: u64,
    /// Requests at a time.
    pub concurrent_requests: u64,
    /// Server errors of this project in a rolling hour.
    pub server_errors_per_hour: u64,
    /// Requests with dimensions that may be thresholded, in a rolling hour.
    pub thresholded_requests_per_hour: u64,
}

impl Default for GoogleQuota {
    fn default() -> Self {
        Self {
            tokens_per_day: 200_000,
            tokens_per_hour: 40_000,
            tokens_per_project_per_hour: 14_000,
            concurrent_requests: 10,
            server_errors_per_hour: 10,
            thresholded_requests_per_hour: 120,
        }
    }
}

const HOUR: i64 = 3600;

/// What was used of every property.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    used: Mutex<HashMap<String, Used>>,
}

#[derive(Debug, Default)]
struct Used {
    /// Second and tokens.
    tokens: Vec<(i64, u64)>,
    /// Seconds.
    errors: Vec<i64>,
    thresholded: Vec<i64>,
    in_flight: u64,
}

impl Used {
    /// Forgets what is older than a day.
    fn age(&mut self, now: i64) {
        self.tokens.retain(|(second, _)| *second > now - 24 * HOUR);
        self.errors.retain(|second| *second > now - HOUR);
        self.thresholded.retain(|second| *second > now - HOUR);
    }

    fn of_hour(&self, now: i64) -> u64 {
        let recent = self.tokens.iter().filter(|(at, _)| *at > now - HOUR);
        recent.map(|(_, tokens)| tokens).sum()
    }

    fn of_day(&self, now: i64) -> u64 {
        let start = pacific_midnight(now);
        let today = self.tokens.iter().filter(|(at, _)| *at >= start);
        today.map(|(_, tokens)| tokens).sum()
    }
}

/// The last midnight of Pacific time.
fn pacific_midnight(now: i64) -> i64 {
    let zone = TimeZone::get("America/Los_Angeles").unwrap_or(TimeZone::UTC);
    let now = Timestamp::from_second(now).unwrap_or(Timestamp::UNIX_EPOCH);
    let midnight = zone.to_datetime(now).date().at(0, 0, 0, 0);
    zone.to_timestamp(midnight).map_or(0, Timestamp::as_second)
}

/// A place among the requests of a property; free again when dropped.
pub(super) struct Slot<'q> {
    quotas: &'q Quotas,
    property: String,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut used = self.quotas.used();
        if let Some(used) = used.get_mut(&self.property) {
            used.in_flight = used.in_flight.saturating_sub(1);
        }
    }
}

impl Quotas {
    fn used(&self) -> MutexGuard<'_, HashMap<String, Used>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request in, or says which quota is used up.
    pub(super) fn admit(
        &self,
        limits: &GoogleQuota,
        property: &str,
        now: i64,
    ) -> Result<Slot<'_>, Refusal> {
        let mut all = self.used();
        let used = all.entry(property.to_owned()).or_default();
        used.age(now);
        let hour = used.of_hour(now);
        let refused = if used.in_flight >= limits.concurrent_requests {
            Some(Refusal::ConcurrentRequests)
        } else if used.errors.len() as u64 >= limits.server_errors_per_hour {
            Some(Refusal::ServerErrors)
        } else if used.of_day(now) >= limits.tokens_per_day {
            Some(Refusal::DayTokens)
        } else if hour >= limits.tokens_per_hour {
            Some(Refusal::HourTokens)
        } else if hour >= limits.tokens_per_project_per_hour {
            Some(Refusal::ProjectHourTokens)
        } else if used.thresholded.len() as u64 >= limits.thresholded_requests_per_hour {
            Some(Refusal::Thresholded)
        } else {
            None
        };
        if let Some(refusal) = refused {
            return Err(refusal);
        }
        used.in_flight += 1;
        Ok(Slot {
            quotas: self,
            property: property.to_owned(),
        })
    }

    /// Charges a request; returns the `propertyQuota` of its answer.
    pub(super) fn charge(
        &self,
        limits: &GoogleQuota,
        property: &str,
        now: i64,
        tokens: u64,
        thresholded: bool,
    ) -> Value {
        let mut all = self.used();
        let used = all.entry(property.to_owned()).or_default();
        used.tokens.push((now, tokens));
        if thresholded {
            used.thresholded.push(now);
        }
        let (hour, day) = (used.of_hour(now), used.of_day(now));
        let status = |limit: u64, all: u64, consumed: u64| {
            // Proto JSON leaves zeroes out.
            let mut status = serde_json::Map::new();
            let remaining = limit.saturating_sub(all);
            if consumed > 0 {
                status.insert("consumed".to_owned(), json!(consumed));
            }
            if remaining > 0 {
                status.insert("remaining".to_owned(), json!(remaining));
            }
            Value::Object(status)
        };
        let requests = |limit: u64, used: usize, consumed| status(limit, used as u64, consumed);
        json!({
            "tokensPerDay": status(limits.tokens_per_day, day, tokens),
            "tokensPerHour": status(limits.tokens_per_hour, hour, tokens),
            "concurrentRequests": status(limits.concurrent_requests, used.in_flight.saturating_sub(1), 0),
            "serverErrorsPerProjectPerHour": requests(limits.server_errors_per_hour, used.errors.len(), 0),
            "potentiallyThresholdedRequestsPerHour":
                requests(limits.thresholded_requests_per_hour, used.thresholded.len(), u64::from(thresholded)),
            "tokensPerProjectPerHour": status(limits.tokens_per_project_per_hour, hour, tokens),
        })
    }

    /// Counts a server error.
    pub(super) fn failed(&self, property: &str, now: i64) {
        let mut all = self.used();
        all.entry(property.to_owned()).or_default().errors.push(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_run_out_and_come_back() {
        let limits = GoogleQuota {
            tokens_per_hour: 20,
            tokens_per_day: 30,
            ..GoogleQuota::default()
        };
        let (quotas, now) = (Quotas::default(), 1_770_000_000);
        for _ in 0..2 {
            drop(quotas.admit(&limits, "1", now).ok().unwrap());
            quotas.charge(&limits, "1", now, 10, false);
        }
        let refused = |now| quotas.admit(&limits, "1", now).err();
        assert_eq!(refused(now), Some(Refusal::HourTokens));
        assert!(quotas.admit(&limits, "2", now).is_ok(), "each has its own");
        assert_eq!(refused(now + HOUR), None);
        let left = quotas.charge(&limits, "1", now + HOUR, 10, false);
        assert_eq!(
            left["tokensPerHour"],
            json!({"consumed": 10, "remaining": 10})
        );
        assert_eq!(left["tokensPerDay"], json!({"consumed": 10}));
        assert_eq!(refused(now + HOUR), Some(Refusal::DayTokens));
        assert_eq!(refused(pacific_midnight(now + 26 * HOUR)), None);
    }
}
