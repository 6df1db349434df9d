//! Properties and views of a report: one that cannot be read leaves the others to be read.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    broken_state,
    days::{self, DayReading},
    progress::Progress,
};
use crate::ports::ObjectStore;
use crate::sources::{MissingPart, SourceError, SourceOutcome};

/// Whether a failure concerns one property or view and leaves the others to be read.
fn concerns_a_part(error: &SourceError) -> bool {
    matches!(
        error,
        SourceError::Exhausted { .. }
            | SourceError::Refused { .. }
            | SourceError::BadCredentials { .. }
            | SourceError::Quota { .. }
    )
}

/// How the parts of a report ended.
#[derive(Debug)]
pub(crate) struct Parts {
    asked: usize,
    missing: Vec<(MissingPart, SourceError)>,
}

impl Parts {
    /// A report of so many parts.
    pub(crate) fn of(asked: usize) -> Self {
        Self {
            asked,
            missing: Vec::new(),
        }
    }

    /// Takes the end of one part. With a single part its failure is the collection's, unless it is parked:
    /// the days before that are good.
    ///
    /// # Errors
    /// The failure, when the others cannot be read either.
    pub(crate) fn ended(
        &mut self,
        part: String,
        ended: Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        match ended {
            Err(error)
                if concerns_a_part(&error)
                    && (self.asked > 1 || matches!(error, SourceError::Quota { .. })) =>
            {
                self.missing.push((MissingPart::new(part, &error), error));
                Ok(())
            }
            other => other,
        }
    }

    /// The parts that could not be read.
    ///
    /// # Errors
    /// When no part could be read: the first failure that waits for nothing, else the quota that is back last.
    pub(crate) fn missing(mut self, progress: &Progress) -> Result<Vec<MissingPart>, SourceError> {
        if self.missing.len() == self.asked && progress.days.is_empty() {
            // What waits for nothing comes first.
            let until = |(part, _): &(MissingPart, _)| {
                std::cmp::Reverse(part.parked_until.unwrap_or(Timestamp::MAX))
            };
            self.missing.sort_by_key(until);
            if let Some((_, error)) = self.missing.into_iter().next() {
                return Err(error);
            }
            return Ok(Vec::new());
        }
        Ok(self.missing.into_iter().map(|(part, _)| part).collect())
    }
}

/// Notes what is known of the days of a collection that is stored.
///
/// # Errors
/// When the notes cannot be written.
pub(crate) async fn note_days(
    store: &Arc<dyn ObjectStore>,
    source: &'static str,
    report: &str,
    definition: &str,
    outcome: &SourceOutcome,
) -> Result<(), SourceError> {
    let days = outcome.request["days"].clone();
    let readings: Vec<DayReading> = serde_json::from_value(days).unwrap_or_default();
    days::note(store, source, report, definition, &readings)
        .await
        .map_err(broken_state)
}
