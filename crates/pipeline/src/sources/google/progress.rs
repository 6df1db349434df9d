//! How far the collection of a report is; what a redrive goes on from.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::days::DayReading;
use crate::jobs::{JobLog, Level};

/// Odd things a manifest lists; more say nothing new.
const MOST_NOTES: usize = 50;

/// What was read so far. It is the source's cursor, and ends up in the manifest.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Days that were handed over.
    pub days: Vec<DayReading>,
    /// Days that were left alone because nothing new is expected of them: property and number.
    pub skipped: BTreeMap<String, u64>,
    /// Types of the metrics, widened where a value did not fit.
    pub metric_types: BTreeMap<String, String>,
    /// Odd things.
    pub notes: Vec<String>,
}

impl Progress {
    /// Goes on where an earlier attempt stopped. A cursor of another program is no loss: its days are read
    /// again.
    pub(crate) fn resume(cursor: Option<Value>) -> Self {
        let mut progress: Self = cursor
            .and_then(|cursor| serde_json::from_value(cursor).ok())
            .unwrap_or_default();
        progress.skipped.clear();
        progress
    }

    /// As a cursor.
    pub(crate) fn cursor(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Whether a day of a property was handed over already.
    pub(crate) fn has(&self, property: &str, day: Date) -> bool {
        let same = |reading: &DayReading| reading.property == property && reading.date == day;
        self.days.iter().any(same)
    }

    /// Leaves a day alone.
    pub(crate) fn skip(&mut self, property: &str) {
        *self.skipped.entry(property.to_owned()).or_default() += 1;
    }

    /// Takes the types of a day's metrics over; a whole number that was none once stays a decimal.
    pub(crate) fn widen(&mut self, types: &BTreeMap<String, String>) {
        for (name, kind) in types {
            let known = self
                .metric_types
                .entry(name.clone())
                .or_insert_with(|| kind.clone());
            if known.ends_with("INTEGER") {
                known.clone_from(kind);
            }
        }
    }

    /// Notes something odd.
    pub(crate) fn note(&mut self, note: String) {
        if self.notes.len() < MOST_NOTES {
            self.notes.push(note);
        }
    }

    /// Says which days were left alone, so that nobody takes a short run for a broken one.
    pub(crate) fn tell(&self, report: &str, log: &dyn JobLog) {
        for (property, days) in &self.skipped {
            let line = format!(
                "{report} of {property}: {days} days were left alone, they are settled or were read a short while ago"
            );
            log.line(Level::Info, &line);
        }
    }

    /// Adds what was read to what was asked, for the manifest.
    pub(crate) fn describe(&self, asked: Value) -> Value {
        let mut all: Map<String, Value> = match asked {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        all.insert("metric_types".to_owned(), json!(self.metric_types));
        all.insert("days".to_owned(), json!(self.days));
        all.insert("days_left_alone".to_owned(), json!(self.skipped));
        all.insert("notes".to_owned(), json!(self.notes));
        Value::Object(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_that_was_none_once_stays_a_decimal() {
        let mut progress = Progress::default();
        let types = |kind: &str| BTreeMap::from([("m".to_owned(), kind.to_owned())]);
        for (kind, known) in [
            ("TYPE_INTEGER", "TYPE_INTEGER"),
            ("TYPE_FLOAT", "TYPE_FLOAT"),
            ("TYPE_INTEGER", "TYPE_FLOAT"),
        ] {
            progress.widen(&types(kind));
            assert_eq!(progress.metric_types["m"], known);
        }
        let again = Progress::resume(Some(progress.cursor()));
        assert_eq!(again.metric_types, progress.metric_types);
        assert!(Progress::resume(Some(json!({"page": 1}))).days.is_empty());
    }
}
