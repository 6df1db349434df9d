//! What a normalisation did, for the run's output, the log and the console.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{merge::Merged, quarantine::QuarantinedLine, tally::Tally};

/// What became of the rows of one run. [`NormaliseSummary::reconciles`] always holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NormaliseSummary {
    /// Lines that were not blank.
    pub rows_in: u64,
    /// Rows whose key the table did not have.
    pub rows_new: u64,
    /// Rows that replaced an older version.
    pub rows_updated: u64,
    /// Rows that say what the table already said.
    pub rows_unchanged: u64,
    /// Rows beaten by a newer version of their key.
    pub rows_superseded: u64,
    /// Lines put aside.
    pub rows_quarantined: u64,
    /// Rows that silver had and the replaced day does not have any more.
    #[serde(default)]
    pub rows_removed: u64,
    /// What changed in the table's contract: new columns, wider types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contract_changes: Vec<String>,
    /// Partitions that got a new file.
    pub partitions: Vec<PartitionChange>,
    /// Lines put aside, by reason.
    pub quarantine_reasons: BTreeMap<String, u64>,
    /// The first line put aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_quarantined: Option<QuarantinedLine>,
    /// Keys in the std store of the files with the lines put aside.
    pub quarantine_files: Vec<String>,
    /// Fields the contract does not know; their values are in `_extra`.
    pub unknown_fields: Vec<FieldNote>,
    /// Values that came in another type than their column's and were read losslessly.
    pub drift: Vec<FieldNote>,
    /// Keys that came twice in one object; the last one counts.
    pub duplicate_keys: u64,
    /// Rows whose income less payouts differs from their earnings by half a cent or more.
    pub money_mismatches: u64,
    /// Rows from which a secret was removed.
    pub secret_rows: u64,
}

/// A partition that got a new file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionChange {
    /// Event day; `None` for a table that is one snapshot.
    pub day: Option<Date>,
    /// Rows added.
    pub new: u64,
    /// Rows replaced.
    pub updated: u64,
    /// Rows it has now.
    pub rows: u64,
}

/// Something seen in a field: how often, and where first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldNote {
    /// Dotted wire path of an unknown field, or the silver column.
    pub field: String,
    /// What was seen.
    pub what: String,
    /// In how many rows.
    pub rows: u64,
    /// `file:line` of the first one.
    pub first: String,
}

impl NormaliseSummary {
    /// Rows that arrived in silver: new, updated and unchanged.
    #[must_use]
    pub fn rows_out(&self) -> u64 {
        self.rows_new + self.rows_updated + self.rows_unchanged
    }

    /// Whether every row that came in is accounted for.
    #[must_use]
    pub fn reconciles(&self) -> bool {
        self.rows_in == self.rows_out() + self.rows_superseded + self.rows_quarantined
    }

    /// Adds what a merge did to a partition.
    pub(super) fn add_merged(&mut self, day: Option<Date>, merged: Merged) {
        self.rows_new += merged.new;
        self.rows_updated += merged.updated;
        self.rows_unchanged += merged.unchanged;
        self.rows_superseded += merged.superseded;
        self.rows_removed += merged.removed;
        if merged.written {
            self.partitions.push(PartitionChange {
                day,
                new: merged.new,
                updated: merged.updated,
                rows: merged.rows,
            });
        }
    }

    /// Adds what the decoder counted; `files` are the names by number.
    pub(super) fn add_tally(&mut self, tally: Tally, files: &[String]) {
        let place = |(file, line): (usize, u64)| {
            format!("{}:{line}", files.get(file).map_or("", String::as_str))
        };
        let mut unknown: Vec<_> = tally.extra.into_iter().collect();
        unknown.sort_by_key(|(name, seen)| (seen.first, name.clone()));
        let note = |field: String, what: &str, seen: super::tally::Sighting| FieldNote {
            field,
            what: what.to_owned(),
            rows: seen.rows,
            first: place(seen.first),
        };
        self.unknown_fields = unknown
            .into_iter()
            .map(|(name, seen)| note(name.into(), "unknown", seen))
            .collect();
        let mut drift: Vec<_> = tally.drift.into_iter().collect();
        drift.sort_by_key(|(key, seen)| (seen.first, *key));
        self.drift = drift
            .into_iter()
            .map(|((column, what), seen)| note(column.to_owned(), what, seen))
            .collect();
        self.duplicate_keys = tally.duplicate_keys;
        self.money_mismatches = tally.money_mismatches;
        self.secret_rows = tally.secret_rows;
    }
}
