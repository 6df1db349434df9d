//! Why a source gave nothing, in the words of the operator.

use jiff::Timestamp;

use crate::jobs::{ErrorType, JobError};
use crate::text::for_terminal;

/// Longest piece of a foreign body that is quoted, in characters.
const QUOTED: usize = 240;

/// What kind of failure ended the last try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 429.
    Throttled,
    /// 500: also what a bad parameter or a range that is too heavy gets.
    ServerError,
    /// 502, 503, 504, a body that was cut or is not JSON, no answer in time.
    Unavailable,
    /// No connection at all.
    Unreachable,
    /// Rows shifted between pages again and again.
    Shifting,
}

/// Why a source gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Every try failed in a way that may pass.
    #[error("{what} failed {tries} times, last: {why}; {advice}")]
    Exhausted {
        /// The request, without secrets.
        what: String,
        /// How often it was tried.
        tries: u32,
        /// Kind of the last failure.
        fault: Fault,
        /// The last failure.
        why: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// The source will not serve this request, however often it is asked.
    #[error("{what} was refused: {why}; {advice}")]
    Refused {
        /// The request, without secrets.
        what: String,
        /// What the source said.
        why: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// The key is missing, wrong or lacks a role.
    #[error("{what} was refused: {why}; {advice}")]
    BadCredentials {
        /// The request, without secrets.
        what: String,
        /// What the source said.
        why: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// The source wants a pause that is longer than this collection may wait.
    #[error("{what}: {why}, parked until {until}; the next collection after that reads it")]
    Quota {
        /// The request, without secrets.
        what: String,
        /// Which quota is used up, in the source's words.
        why: String,
        /// Not before.
        until: Timestamp,
    },
    /// The service has ended for good: no outage, and no wait helps.
    #[error("{what}: {why}; {advice}")]
    Retired {
        /// The request, without secrets.
        what: String,
        /// What ended.
        why: String,
        /// What takes its place.
        advice: &'static str,
    },
    /// The collection's time is over.
    #[error(
        "{what} was not finished within {seconds} s; redrive the execution to go on from there, or raise deadline_seconds"
    )]
    Deadline {
        /// What was being done.
        what: String,
        /// The limit.
        seconds: u64,
    },
    /// The settings cannot work.
    #[error("{why}; {advice}")]
    BadSettings {
        /// What is wrong.
        why: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// Stopped on request.
    #[error("the collection was stopped on request; redrive the execution to go on from there")]
    Cancelled,
    /// The rows could not be stored.
    #[error(transparent)]
    Sink(#[from] JobError),
}

impl SourceError {
    /// The failure as a workflow sees it.
    #[must_use]
    pub fn error_type(&self) -> ErrorType {
        match self {
            Self::Exhausted { .. } | Self::Deadline { .. } => ErrorType::TransientSourceError,
            Self::Refused { .. } => ErrorType::SourceRefused,
            Self::BadCredentials { .. } => ErrorType::BadCredentials,
            Self::Quota { .. } => ErrorType::QuotaExhausted,
            Self::Retired { .. } => ErrorType::SourceRetired,
            Self::BadSettings { .. } => ErrorType::InvalidInput,
            Self::Cancelled => ErrorType::Cancelled,
            Self::Sink(error) => error.error_type,
        }
    }
}

impl From<SourceError> for JobError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Sink(error) => error,
            SourceError::Quota { until, .. } => {
                Self::new(error.error_type(), error.to_string()).parked(until)
            }
            other => Self::new(other.error_type(), other.to_string()),
        }
    }
}

/// Foreign text, short and harmless: one line, no control characters, never a secret.
pub(in crate::sources) fn excerpt(body: &[u8], secrets: &[&str]) -> String {
    // Enough bytes for the longest quote, whatever the characters; the rest is never looked at.
    let start = &body[..body.len().min(QUOTED * 8)];
    let mut text = String::from_utf8_lossy(start);
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "***").into();
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    let short: String = line.chars().take(QUOTED).collect();
    let more = if short.len() < line.len() || start.len() < body.len() {
        " …"
    } else {
        ""
    };
    format!("{}{more}", for_terminal(&short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_short_harmless_and_without_the_key() {
        let body = b"<html>\n\x1b[2J  <title>Bad\xff gateway</title> key=sekret-key";
        assert_eq!(
            excerpt(body, &["", "sekret-key"]),
            "<html> ␛[2J <title>Bad\u{fffd} gateway</title> key=***"
        );
        let long = "é".repeat(100_000);
        assert_eq!(excerpt(long.as_bytes(), &[]).chars().count(), QUOTED + 2);
        assert_eq!(excerpt(b"", &["x"]), "");
    }
}
