//! What answers of Marketo mean (`source-apis.md` 2.3 and 2.9).
//!
//! Success stands in the body: errors come with HTTP 200. Every documented code is decided here, once.

use std::time::Duration;

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Marketo;
use crate::sources::{
    SourceError,
    http::{Answer, Fault, HttpRequest, Verdict},
    transient::{self, Means, Wait},
};

/// Wait after 606: the calls of others count too.
const STRETCH: Duration = Duration::from_secs(20);
/// Wait while the API is out of order for a while.
const OUT_OF_ORDER: Duration = Duration::from_secs(30);
/// Wait while the subscription cannot be reached.
const UNREACHABLE: Duration = Duration::from_secs(120);

/// An answer that says success.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Page {
    /// Rows; left out when there are none.
    #[serde(default)]
    pub result: Vec<Box<RawValue>>,
    /// Where the next page begins.
    #[serde(rename = "nextPageToken")]
    pub next: Option<String>,
    /// Whether there is one, empty as this one may be.
    #[serde(rename = "moreResult", default)]
    pub more: bool,
}

/// Whether it is a [`Page`] at all; that is read apart, because raw values do not survive flattening.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    success: bool,
    #[serde(default)]
    errors: Vec<ErrorEntry>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: serde_json::Value,
    #[serde(default)]
    message: String,
}

/// An error as the body named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    /// `606`.
    pub code: String,
    /// Its text, fit to be shown.
    pub message: String,
}

impl Complaint {
    /// Whether it is this code with these words in its text.
    pub fn says(&self, code: &str, words: &str) -> bool {
        self.code == code && self.message.to_lowercase().contains(words)
    }

    fn why(&self) -> String {
        format!("error {}: {}", self.code, self.message)
    }
}

/// The next midnight of US Central, when quotas are full again.
pub(super) fn next_reset(now: Timestamp) -> Timestamp {
    let zone = TimeZone::get("America/Chicago").unwrap_or(TimeZone::UTC);
    let tomorrow = now
        .to_zoned(zone)
        .start_of_day()
        .and_then(|day| day.checked_add(1.day()));
    tomorrow.map_or(now, |midnight| midnight.timestamp())
}

/// A request that will not be served.
pub(super) fn refused(what: &str, why: String) -> SourceError {
    SourceError::Refused {
        what: what.to_owned(),
        why,
        advice: "check the window, the settings of the marketo section and the permissions of the API role",
    }
}

impl Marketo {
    /// Sends a request; its page when the body says success.
    ///
    /// # Errors
    /// As the code in the body and its rules say.
    pub(super) async fn ask(&self, request: &HttpRequest) -> Result<Page, SourceError> {
        self.ask_unless(request, |_| None).await
    }

    /// The error in a body that should be a file; `None` when it is no error.
    pub(super) fn complaint(&self, body: &[u8]) -> Option<String> {
        if !body.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        match self.read_body(body) {
            Ok(Err(complaint)) => Some(complaint.why()),
            _ => None,
        }
    }

    /// What a refusal in place of a file means, when it is one of Marketo's own errors.
    pub(super) fn read_refusal(&self, what: &str, answer: &Answer) -> Option<Verdict<()>> {
        let Ok(Err(complaint)) = self.read_body(&answer.body) else {
            return None;
        };
        Some(match self.verdict(what, &complaint) {
            Verdict::Good(_) | Verdict::ByStatus => Verdict::ByStatus,
            Verdict::Retry(fault, why) => Verdict::Retry(fault, why),
            Verdict::RetryAfter(fault, why, wait) => Verdict::RetryAfter(fault, why, wait),
            Verdict::TokenExpired(why) => Verdict::TokenExpired(why),
            Verdict::Park { until, why } => Verdict::Park { until, why },
            Verdict::Refuse(error) => Verdict::Refuse(error),
        })
    }

    /// Like [`Marketo::ask`], but `special` sees every error first and may make something else of it.
    ///
    /// # Errors
    /// As [`Marketo::ask`].
    pub(super) async fn ask_unless(
        &self,
        request: &HttpRequest,
        special: impl Fn(&Complaint) -> Option<Verdict<Page>> + Send + Sync,
    ) -> Result<Page, SourceError> {
        let read = |answer: &Answer| {
            if !answer.is_success() {
                return Verdict::ByStatus;
            }
            match self.read_body(&answer.body) {
                Ok(Ok(page)) => Verdict::Good(page),
                Ok(Err(complaint)) => {
                    special(&complaint).unwrap_or_else(|| self.verdict(&request.what, &complaint))
                }
                Err(why) => Verdict::Retry(Fault::Unavailable, why),
            }
        };
        self.client.ask(request, read).await
    }

    /// The page, the complaint, or why the body is neither.
    fn read_body(&self, body: &[u8]) -> Result<Result<Page, Complaint>, String> {
        // Some orders are confirmed by an empty body.
        if body.trim_ascii().is_empty() {
            return Ok(Ok(Page::default()));
        }
        let not_json = |error: serde_json::Error| {
            format!(
                "the answer is no JSON ({error}): {}",
                self.client.excerpt(body)
            )
        };
        let envelope: Envelope = serde_json::from_slice(body).map_err(not_json)?;
        if envelope.success {
            return serde_json::from_slice(body).map(Ok).map_err(not_json);
        }
        let first = envelope.errors.into_iter().next();
        let entry = first.ok_or_else(|| {
            format!(
                "it says neither success nor what is wrong: {}",
                self.client.excerpt(body)
            )
        })?;
        let code = match entry.code {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(Err(Complaint {
            code: self.client.excerpt(code.as_bytes()),
            message: self.client.excerpt(entry.message.as_bytes()),
        }))
    }

    /// What is done about an error.
    fn verdict(&self, what: &str, complaint: &Complaint) -> Verdict<Page> {
        let why = complaint.why();
        let at_most =
            |wait: Duration| wait.min(Duration::from_millis(self.settings.max_retry_wait_ms));
        match transient::of_marketo(&complaint.code, &complaint.message) {
            Means::NewToken => Verdict::TokenExpired(why),
            Means::Denied => Verdict::Refuse(SourceError::BadCredentials {
                what: what.to_owned(),
                why,
                advice: "give the role of the API user the permission, and this machine's address access, under Admin > Users & Roles",
            }),
            Means::AgainAfter(fault, wait) => {
                let length = match wait {
                    Wait::Stretch | Wait::Crowded => STRETCH,
                    Wait::OutOfOrder => OUT_OF_ORDER,
                    Wait::Unreachable => UNREACHABLE,
                };
                Verdict::RetryAfter(fault, why, at_most(length))
            }
            Means::Again(fault) => Verdict::Retry(fault, why),
            Means::Park(_) => Verdict::Park {
                until: next_reset(self.clock.now()),
                why,
            },
            Means::Nothing => Verdict::Good(Page::default()),
            Means::Final => Verdict::Refuse(refused(what, why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_full_again_at_midnight_of_us_central() {
        let reset = |text: &str| next_reset(text.parse().unwrap()).to_string();
        // Winter: UTC-6. Summer: UTC-5. The night in between has 23 hours.
        assert_eq!(reset("2026-01-31T05:59:59Z"), "2026-01-31T06:00:00Z");
        assert_eq!(reset("2026-01-31T06:00:00Z"), "2026-02-01T06:00:00Z");
        assert_eq!(reset("2026-03-08T12:00:00Z"), "2026-03-09T05:00:00Z");
    }
}
