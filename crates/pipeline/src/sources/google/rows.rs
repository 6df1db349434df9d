//! Rows of a day on their way to bronze: self-describing JSON, with what a day is judged by.

use std::collections::HashSet;

use bytes::Bytes;
use jiff::civil::Date;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Word of the row that takes what Google folded together.
const OTHER: &str = "(other)";

/// Whose rows they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    /// `property` or `view`.
    pub kind: &'static str,
    /// Its id.
    pub id: &'a str,
    /// What it stands for.
    pub business_unit: &'a str,
    /// The day.
    pub date: Date,
}

/// The rows of one day.
#[derive(Debug, Default)]
pub(crate) struct DayRows {
    /// As they go to bronze.
    pub rows: Vec<Bytes>,
    /// Rows whose dimensions another row has too.
    pub repeated: u64,
    /// Sum of the leading metric.
    pub total: f64,
    /// Its sum over rows with `(other)`.
    pub other: f64,
    keys: HashSet<[u8; 32]>,
}

impl DayRows {
    /// Adds a row: dimensions and metrics by name, and which metric leads.
    pub(crate) fn add<'v>(
        &mut self,
        owner: Owner<'_>,
        dimensions: impl Iterator<Item = (&'v str, &'v str)>,
        metrics: impl Iterator<Item = (&'v str, &'v str)>,
        leading: &str,
    ) {
        let text = |value: &str| Value::String(value.to_owned());
        let mut key = Sha256::new();
        let mut is_other = false;
        let mut named = Map::new();
        for (name, value) in dimensions {
            key.update(value.len().to_le_bytes());
            key.update(value.as_bytes());
            is_other |= value == OTHER;
            named.insert(name.to_owned(), text(value));
        }
        let mut measured = Map::new();
        for (name, value) in metrics {
            if name == leading
                && let Ok(value) = value.parse::<f64>()
            {
                self.total += value;
                self.other += if is_other { value } else { 0.0 };
            }
            measured.insert(name.to_owned(), text(value));
        }
        let mut row = Map::new();
        row.insert("business_unit".to_owned(), text(owner.business_unit));
        row.insert(owner.kind.to_owned(), text(owner.id));
        row.insert("date".to_owned(), text(&owner.date.to_string()));
        row.insert("dimensions".to_owned(), Value::Object(named));
        row.insert("metrics".to_owned(), Value::Object(measured));
        self.repeated += u64::from(!self.keys.insert(key.finalize().into()));
        self.rows.push(Bytes::from(Value::Object(row).to_string()));
    }

    /// Share of `(other)` in the leading metric.
    pub(crate) fn other_share(&self) -> f64 {
        if self.total > 0.0 {
            self.other / self.total
        } else {
            0.0
        }
    }

    /// A hash of the rows, whatever their order.
    pub(crate) fn hash(&self) -> String {
        let mut rows: Vec<&Bytes> = self.rows.iter().collect();
        rows.sort_unstable();
        let mut hash = Sha256::new();
        for row in rows {
            hash.update(row);
            hash.update(b"\n");
        }
        hex(&hash.finalize()[..16])
    }
}

/// A hash of what is asked for: a report that is defined anew is read anew.
pub(crate) fn definition_hash(definition: &Value) -> String {
    hex(&Sha256::digest(definition.to_string().as_bytes())[..8])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a metric's text is a whole number.
pub(crate) fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.len() <= 18 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_knows_its_share_of_other_and_its_repeats() {
        let owner = Owner {
            kind: "property",
            id: "1",
            business_unit: "de",
            date: jiff::civil::date(2026, 1, 31),
        };
        let mut day = DayRows::default();
        for (source, sessions) in [("(other)", "986"), ("", "4"), ("bücher", "6"), ("", "4")] {
            let dimensions = [("sessionSource", source)];
            let metrics = [("sessions", sessions), ("rate", "0.46170487743881444")];
            day.add(
                owner,
                dimensions.into_iter(),
                metrics.into_iter(),
                "sessions",
            );
        }
        assert_eq!((day.repeated, day.total, day.other), (1, 1000.0, 986.0));
        assert_eq!(day.other_share(), 0.986);
        assert_eq!(
            day.rows[2],
            r#"{"business_unit":"de","property":"1","date":"2026-01-31","dimensions":{"sessionSource":"bücher"},"metrics":{"sessions":"6","rate":"0.46170487743881444"}}"#
        );
        let hash = day.hash();
        day.rows.reverse();
        assert_eq!(day.hash(), hash);
        assert!(is_whole("-12") && !is_whole("12.5") && !is_whole("") && !is_whole("1e3"));
    }
}
