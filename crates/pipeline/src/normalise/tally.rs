//! What happened to the rows, counted: drift, unknown fields, duplicates, money that does not add up.

use std::collections::HashMap;

/// How often something was seen, and where first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sighting {
    /// Rows.
    pub rows: u64,
    /// Place in the file order of the first one: file number, line.
    pub first: (usize, u64),
}

/// Names of unknown fields counted one by one; further names are counted together.
const MAX_FIELDS: usize = 1000;
/// The name under which further unknown fields are counted.
const FURTHER: &str = "(further names)";

/// Counts of one run, or of a part of it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Values read as another type than they came in: (column, what), rows.
    pub drift: HashMap<(&'static str, &'static str), Sighting>,
    /// Unknown fields by dotted path.
    pub extra: HashMap<Box<str>, Sighting>,
    /// Keys that came twice in one object.
    pub duplicate_keys: u64,
    /// Rows whose income less payouts is not their earnings.
    pub money_mismatches: u64,
    /// Rows from which a secret was removed.
    pub secret_rows: u64,
}

impl Tally {
    /// Counts a value that was read as another type.
    pub fn drifted(&mut self, column: &'static str, what: &'static str, line: u64) {
        let seen = self.drift.entry((column, what)).or_insert(Sighting {
            rows: 0,
            first: (0, line),
        });
        seen.rows += 1;
    }

    /// Counts an unknown field.
    pub fn unknown(&mut self, path: &str, line: u64) {
        if let Some(seen) = self.extra.get_mut(path) {
            seen.rows += 1;
            return;
        }
        let name = if self.extra.len() < MAX_FIELDS {
            path
        } else {
            FURTHER
        };
        self.extra
            .entry(name.into())
            .or_insert(Sighting {
                rows: 0,
                first: (0, line),
            })
            .rows += 1;
    }

    /// Adds the counts of lines that follow those counted so far: `file` is their file, `lines_before` the
    /// lines of that file before their first.
    pub fn append(&mut self, later: Self, file: usize, lines_before: u64) {
        let placed = |seen: Sighting| Sighting {
            rows: seen.rows,
            first: (file, lines_before + seen.first.1),
        };
        for (key, seen) in later.drift {
            let seen = placed(seen);
            self.drift
                .entry(key)
                .and_modify(|all| all.rows += seen.rows)
                .or_insert(seen);
        }
        for (path, seen) in later.extra {
            let seen = placed(seen);
            let name = if self.extra.len() < MAX_FIELDS || self.extra.contains_key(&path) {
                path
            } else {
                FURTHER.into()
            };
            self.extra
                .entry(name)
                .and_modify(|all| all.rows += seen.rows)
                .or_insert(seen);
        }
        self.duplicate_keys += later.duplicate_keys;
        self.money_mismatches += later.money_mismatches;
        self.secret_rows += later.secret_rows;
    }
}
