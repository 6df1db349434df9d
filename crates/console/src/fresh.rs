//! A value from outside together with how old it is. Old data stay on the screen, but never as if they were new.

use jiff::{SignedDuration, Timestamp};

use lakehand_ops::OpsError;

/// The newest answer to a question, when it came, and what went wrong since.
#[derive(Debug, Clone)]
pub(crate) struct Fresh<T> {
    value: Option<T>,
    fetched_at: Option<Timestamp>,
    asked_at: Option<Timestamp>,
    error: Option<OpsError>,
    failures: u32,
}

impl<T> Default for Fresh<T> {
    fn default() -> Self {
        Self {
            value: None,
            fetched_at: None,
            asked_at: None,
            error: None,
            failures: 0,
        }
    }
}

impl<T> Fresh<T> {
    /// The newest value, however old.
    pub(crate) fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// Why the last question failed, if it did.
    pub(crate) fn error(&self) -> Option<&OpsError> {
        self.error.as_ref()
    }

    /// When the value came.
    pub(crate) fn fetched_at(&self) -> Option<Timestamp> {
        self.fetched_at
    }

    /// Whether an answer, good or bad, ever came.
    pub(crate) fn is_answered(&self) -> bool {
        self.fetched_at.is_some() || self.error.is_some()
    }

    /// Remembers that the question was put.
    pub(crate) fn asked(&mut self, at: Timestamp) {
        self.asked_at = Some(at);
    }

    /// Takes an answer; a failure keeps the old value.
    pub(crate) fn answered(&mut self, at: Timestamp, answer: Result<T, OpsError>) {
        self.asked_at = Some(at);
        match answer {
            Ok(value) => {
                self.value = Some(value);
                self.fetched_at = Some(at);
                self.error = None;
                self.failures = 0;
            }
            Err(error) => {
                self.error = Some(error);
                self.failures = self.failures.saturating_add(1);
            }
        }
    }

    /// When to ask again: `every` after the last question, doubled per failure up to a minute (never given up).
    pub(crate) fn due(&self, every: SignedDuration) -> Option<Timestamp> {
        let asked = self.asked_at?;
        let backed_off = every
            .as_millis()
            .saturating_mul(1 << self.failures.min(6))
            .min(60_000)
            .max(every.as_millis());
        asked
            .checked_add(SignedDuration::from_millis(i64::try_from(backed_off).ok()?))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lakehand_ops::OpsErrorKind;

    #[test]
    fn a_failure_keeps_the_old_value_and_never_stops_asking() {
        let start = Timestamp::UNIX_EPOCH;
        let second = SignedDuration::from_secs(1);
        let mut fresh = Fresh::default();
        fresh.answered(start, Ok(7));
        assert_eq!(fresh.due(second), Some(start + second));
        for _ in 0..40 {
            fresh.answered(start, Err(OpsError::new(OpsErrorKind::Platform, "x", "y")));
        }
        assert_eq!(fresh.value(), Some(&7));
        assert_eq!(fresh.fetched_at(), Some(start));
        assert!(fresh.error().is_some());
        assert_eq!(
            fresh.due(second),
            Some(start + SignedDuration::from_secs(60))
        );
    }
}
