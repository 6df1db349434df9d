//! What was read of a day, whether it may still change, and when it is read again
//! (`source-apis.md` 3.8).

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::jobs::{JobLog, Level};
use crate::ports::ObjectStore;
use crate::state::{DayBook, KnownDay, StateError};

/// Two readings so far apart that agree settle a day.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A day younger than this is still being processed.
pub(crate) const YOUNG_HOURS: i64 = 48;
/// Days read at every run, and at most once a day; older ones once a week.
const EVERY_RUN: i64 = 3;
const DAILY: i64 = 14;

/// What a source read of one day of a property or view, for the manifest and `ga_day_quality`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DayReading {
    /// `ga4` or `ga3`.
    pub source: String,
    /// The report.
    pub report: String,
    /// Property or view.
    pub property: String,
    /// What it stands for.
    pub business_unit: String,
    /// The day, in the property's zone.
    pub date: Date,
    /// Rows.
    pub rows: u64,
    /// The metric that `total` and `other` are of.
    pub metric: String,
    /// Its sum over all rows.
    pub total: f64,
    /// Its sum over rows that have `(other)` in a dimension.
    pub other: f64,
    /// `other` by `total`; 0 for a day without rows.
    pub other_share: f64,
    /// Some combinations were folded into `(other)`.
    pub data_loss_from_other_row: bool,
    /// Small rows may be withheld for privacy.
    pub subject_to_thresholding: bool,
    /// Sessions the answer was computed from, when it was sampled.
    pub samples_read: Option<u64>,
    /// Sessions there are, when it was sampled.
    pub sampling_space: Option<u64>,
    /// GA3: asking again gives the same answer.
    pub is_golden: Option<bool>,
    /// Currency of money metrics.
    pub currency: Option<String>,
    /// Zone of the day.
    pub time_zone: Option<String>,
    /// Why there are no rows, in Google's words.
    pub empty_reason: Option<String>,
    /// Why the day may still change or is not the whole truth; empty when neither holds.
    pub provisional: Vec<String>,
    /// Whether two readings a week apart agreed, this one included, or Google calls it golden.
    pub settled: bool,
    /// Hash of the rows.
    pub hash: String,
    /// When it was read.
    pub read_at: Timestamp,
}

impl DayReading {
    /// Why the day is provisional; `max_other_share` is the profile's limit.
    pub(crate) fn doubts(&self, max_other_share: f64, young: bool) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.other_share > max_other_share {
            doubts.push(format!("{:.1}% in (other)", self.other_share * 100.0));
        }
        if self.data_loss_from_other_row {
            doubts.push("data loss from (other)".to_owned());
        }
        if let (Some(read), Some(space)) = (self.samples_read, self.sampling_space) {
            doubts.push(format!("sampled: {read} of {space} sessions"));
        }
        if self.subject_to_thresholding {
            doubts.push("thresholded".to_owned());
        }
        if self.is_golden == Some(false) {
            doubts.push("not golden".to_owned());
        }
        if young {
            doubts.push(format!("younger than {YOUNG_HOURS} h"));
        }
        doubts
    }

    /// Warns of doubts; that a young day may change needs no warning.
    pub(crate) fn tell(&self, log: &dyn JobLog) {
        let doubts = self.provisional.iter().map(String::as_str);
        let grave: Vec<&str> = doubts
            .filter(|doubt| !doubt.starts_with("younger") && *doubt != "not golden")
            .collect();
        if !grave.is_empty() {
            let line = format!(
                "{} of {}, {}: provisional, {}",
                self.report,
                self.property,
                self.date,
                grave.join(", ")
            );
            log.line(Level::Warn, &line);
        }
    }

    /// What the day book keeps of it, given what it kept before.
    pub(crate) fn known(&self, definition: &str, before: Option<&KnownDay>) -> KnownDay {
        let same = before.filter(|known| known.hash == self.hash && known.definition == definition);
        KnownDay {
            hash: self.hash.clone(),
            definition: definition.to_owned(),
            same_since: same.map_or(self.read_at, |known| known.same_since),
            read_at: self.read_at,
            golden: self.is_golden == Some(true) && self.samples_read.is_none(),
            sample: self.sample(),
            provisional: !self.provisional.is_empty(),
        }
    }

    fn sample(&self) -> Option<(u64, u64)> {
        self.samples_read.zip(self.sampling_space)
    }

    /// Whether a reading before was computed from a larger share of the sessions: then that one stays.
    pub(crate) fn is_worse_than(&self, known: &KnownDay) -> bool {
        match (self.sample(), known.sample) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some((read, space)), Some((known_read, known_space))) => {
                u128::from(read) * u128::from(known_space)
                    < u128::from(known_read) * u128::from(space)
            }
        }
    }
}

/// Notes the readings of a collection in the books of their properties.
///
/// # Errors
/// [`StateError`] when the store fails.
pub(crate) async fn note(
    store: &Arc<dyn ObjectStore>,
    source: &str,
    report: &str,
    definition: &str,
    readings: &[DayReading],
) -> Result<(), StateError> {
    let mut by_property: BTreeMap<&str, Vec<&DayReading>> = BTreeMap::new();
    for reading in readings {
        by_property
            .entry(&reading.property)
            .or_default()
            .push(reading);
    }
    for (property, own) in by_property {
        DayBook::change(store, (source, report, property), |book| {
            for reading in &own {
                if reading.time_zone.is_some() {
                    book.time_zone.clone_from(&reading.time_zone);
                }
                let known = reading.known(definition, book.days.get(&reading.date));
                book.days.insert(reading.date, known);
            }
        })
        .await?;
    }
    Ok(())
}

/// Days from `day` to today in a zone; negative for days to come.
pub(crate) fn age(day: Date, zone: &TimeZone, now: Timestamp) -> i64 {
    let today = zone.to_datetime(now).date();
    i64::from(day.until(today).map_or(0, |span| span.get_days()))
}

/// Whether a day ended less than two days ago.
pub(crate) fn is_young(day: Date, zone: &TimeZone, now: Timestamp) -> bool {
    let end = day
        .tomorrow()
        .ok()
        .and_then(|next| zone.to_timestamp(next.at(0, 0, 0, 0)).ok());
    end.is_none_or(|end| now.duration_since(end).as_hours() < YOUNG_HOURS)
}

/// Whether nothing about a day is expected to change.
pub(crate) fn is_settled(known: &KnownDay) -> bool {
    known.golden || known.read_at.duration_since(known.same_since) >= SETTLED_AFTER
}

/// Whether a day is to be read now. `age` is in days, `settle_days` when a day is given up.
pub(crate) fn is_due(
    known: Option<&KnownDay>,
    definition: &str,
    age: i64,
    settle_days: u32,
    now: Timestamp,
) -> bool {
    let Some(known) = known.filter(|known| known.definition == definition) else {
        return true;
    };
    if is_settled(known) || age > i64::from(settle_days) {
        return false;
    }
    // A little less than a day and a week, so that a run at the same hour is not too early.
    let pause = if age <= EVERY_RUN {
        return true;
    } else if age <= DAILY {
        SignedDuration::from_hours(20)
    } else {
        SignedDuration::from_hours(7 * 24 - 4)
    };
    now.duration_since(known.read_at) >= pause
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn known(same_since: &str, read_at: &str) -> KnownDay {
        KnownDay {
            hash: "h".to_owned(),
            definition: "d".to_owned(),
            same_since: at(same_since),
            read_at: at(read_at),
            golden: false,
            sample: None,
            provisional: false,
        }
    }

    #[test]
    fn young_days_are_read_often_and_old_ones_seldom() {
        let last = known("2026-01-20T09:00:00Z", "2026-01-20T09:00:00Z");
        let due = |age, now: &str| is_due(Some(&last), "d", age, 31, at(now));
        assert!(is_due(None, "d", 400, 31, at("2026-01-20T09:00:00Z")));
        assert!(due(0, "2026-01-20T09:01:00Z") && due(3, "2026-01-20T09:01:00Z"));
        assert!(!due(4, "2026-01-20T14:00:00Z") && due(4, "2026-01-21T08:00:00Z"));
        assert!(!due(15, "2026-01-22T09:00:00Z") && due(15, "2026-01-27T08:00:00Z"));
        assert!(!due(32, "2026-03-01T08:00:00Z"), "it is given up");
        let other = is_due(Some(&last), "another", 32, 31, at("2026-01-20T09:01:00Z"));
        assert!(other, "a report that is defined anew is read anew");
    }

    #[test]
    fn two_equal_readings_a_week_apart_settle_a_day() {
        let first = known("2026-01-20T09:00:00Z", "2026-01-26T09:00:00Z");
        assert!(!is_settled(&first));
        let second = known("2026-01-20T09:00:00Z", "2026-01-27T09:00:00Z");
        assert!(is_settled(&second));
        assert!(!is_due(
            Some(&second),
            "d",
            1,
            31,
            at("2026-02-20T09:00:00Z")
        ));
    }
}
