//! How Google says no, and what to do about it (`source-apis.md` 3.7 and 4.4).
//!
//! Kinds of a used-up quota are told apart by the prose of the message alone.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::Deserialize;

use crate::sources::{
    SourceError,
    http::{Answer, Fault, HttpClient, Verdict},
    transient::{self, Means, Reset},
};

/// Which API answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// The Data API.
    Ga4,
    /// The Reporting API, at a stand-in: at Google's own host nothing is asked any more.
    Ga3,
}

/// What a refusal is judged with.
pub(crate) struct Judge<'a> {
    /// Which API.
    pub api: Api,
    /// The request, for people.
    pub what: &'a str,
    /// The service account's address.
    pub account: &'a str,
    /// Now, by the pipeline's clock.
    pub now: Timestamp,
    /// Wait after too many requests at a time.
    pub crowded_wait: Duration,
    /// For excerpts without secrets.
    pub client: &'a HttpClient,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    error: ErrorFields,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorFields {
    message: String,
    errors: Vec<Reason>,
    details: Vec<Reason>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Reason {
    reason: String,
}

const ADVICE_FIELDS: &str = "mend dimensions, metrics and filters of the report in config.toml; `lakehand credentials test ga4` tells which fields go together";
const ADVICE_RETIRED: &str = "collect the property with the GA4 Data API instead: `lakehand config migrate-ga3` turns the reports into GA4 ones; an archive can be read by setting base_url";

impl Judge<'_> {
    /// What an answer that is not 2xx means.
    pub(crate) fn verdict<T>(&self, answer: &Answer) -> Verdict<T> {
        let body: Body = serde_json::from_slice(&answer.body).unwrap_or_default();
        let message = if body.error.message.is_empty() {
            self.client.excerpt(&answer.body)
        } else {
            self.client.excerpt(body.error.message.as_bytes())
        };
        let why = format!("HTTP {}: {message}", answer.status);
        let reasons = body.error.errors.iter().chain(&body.error.details);
        let reasons: Vec<&str> = reasons.map(|reason| reason.reason.as_str()).collect();
        match answer.status {
            401 => Verdict::TokenExpired(why),
            429 => self.exhausted(&message, &reasons, why),
            403 if reasons.iter().any(|reason| is_limit(reason)) => {
                self.exhausted(&message, &reasons, why)
            }
            403 => self.denied(why),
            400 => self.refused(why, ADVICE_FIELDS),
            404 if self.api == Api::Ga3 => self.refused(
                why,
                "base_url leads nowhere: point it at a stand-in or an archive proxy of the Reporting API",
            ),
            _ => Verdict::ByStatus,
        }
    }

    fn refused<T>(&self, why: String, advice: &'static str) -> Verdict<T> {
        Verdict::Refuse(SourceError::Refused {
            what: self.what.to_owned(),
            why,
            advice,
        })
    }

    fn denied<T>(&self, why: String) -> Verdict<T> {
        Verdict::Refuse(SourceError::BadCredentials {
            what: self.what.to_owned(),
            why: format!("{why} (signed in as {})", self.account),
            advice: "add that address as a viewer of the property in Google Analytics, enable the API in its project, and check the id: a wrong one is answered the same",
        })
    }

    fn exhausted<T>(&self, message: &str, reasons: &[&str], why: String) -> Verdict<T> {
        match transient::of_google_quota(message, reasons) {
            Means::AgainAfter(fault, _) => Verdict::RetryAfter(fault, why, self.crowded_wait),
            Means::Park(Reset::Day) => Verdict::Park {
                until: pacific_midnight(self.now),
                why,
            },
            Means::Park(Reset::Hour) => Verdict::Park {
                until: in_an_hour(self.now),
                why,
            },
            _ => Verdict::Retry(Fault::Throttled, why),
        }
    }
}

/// The end of a service, at Google's own host.
pub(crate) fn retired(what: &str, why: &str) -> SourceError {
    SourceError::Retired {
        what: what.to_owned(),
        why: format!(
            "SourceRetired: Google has switched off Universal Analytics and its Reporting API; this is no outage and no wait helps ({why})"
        ),
        advice: ADVICE_RETIRED,
    }
}

fn is_limit(reason: &str) -> bool {
    matches!(
        reason,
        "userRateLimitExceeded" | "rateLimitExceeded" | "quotaExceeded" | "dailyLimitExceeded"
    )
}

/// Quotas of an hour roll: what was used is back an hour later.
pub(crate) fn in_an_hour(now: Timestamp) -> Timestamp {
    now.saturating_add(SignedDuration::from_hours(1))
        .unwrap_or(now)
}

/// Quotas of a day end at midnight Pacific.
pub(crate) fn pacific_midnight(now: Timestamp) -> Timestamp {
    let zone = TimeZone::get("America/Los_Angeles").unwrap_or(TimeZone::UTC);
    let tomorrow = zone.to_datetime(now).date().tomorrow();
    tomorrow
        .ok()
        .and_then(|day| zone.to_timestamp(day.at(0, 0, 0, 0)).ok())
        .unwrap_or_else(|| in_an_hour(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pacific_day_ends_at_its_own_midnight() {
        let end = |now: &str| pacific_midnight(now.parse().unwrap()).to_string();
        assert_eq!(end("2026-01-31T12:00:00Z"), "2026-02-01T08:00:00Z");
        assert_eq!(end("2026-01-31T07:59:59Z"), "2026-01-31T08:00:00Z");
        assert_eq!(end("2026-07-01T06:00:00Z"), "2026-07-01T07:00:00Z");
    }
}
