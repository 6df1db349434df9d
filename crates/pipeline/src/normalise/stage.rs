//! Rows between decoder and partition: held by event day, written out when they are many.
//!
//! Batches arrive in input order (the feed sees to that), and every decision here depends on that
//! order alone, never on which thread was faster. So the same input gives the same files, byte for byte.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use arrow::record_batch::RecordBatch;

use super::part::{Layout, PartWriter, ROW_GROUP_ROWS};
use crate::jobs::JobError;

/// Days since 1970-01-01 in the profile's time zone; `None` for a table without partitions.
pub(super) type Day = Option<i32>;

/// The new rows of one partition, oldest first: the spilled files, then what is still in memory.
#[derive(Debug, Default)]
pub(super) struct DayRows {
    /// Files of one row group each.
    pub spilled: Vec<PathBuf>,
    /// Batches not written yet.
    pub pending: Vec<RecordBatch>,
    /// Rows of all of it.
    pub rows: u64,
    pending_rows: usize,
    pending_bytes: usize,
}

/// Batches to be written as one row group.
#[derive(Debug)]
pub(super) struct Spill {
    path: PathBuf,
    batches: Vec<RecordBatch>,
}

impl Spill {
    /// Writes the file.
    ///
    /// # Errors
    /// A storage error.
    pub fn write(self, layout: &Layout) -> Result<(), JobError> {
        let mut writer = PartWriter::create(layout, &self.path)?;
        for batch in self.batches {
            writer.push(&batch)?;
        }
        writer.finish().map(|_| ())
    }
}

/// All new rows of a run, by day.
#[derive(Debug)]
pub(super) struct Stage {
    folder: PathBuf,
    budget: usize,
    days: BTreeMap<Day, DayRows>,
    pending_bytes: usize,
    spills: usize,
}

impl Stage {
    /// Spills into `folder` when more than `budget` bytes are pending.
    pub fn new(folder: &Path, budget: usize) -> Self {
        Self {
            folder: folder.to_owned(),
            budget,
            days: BTreeMap::new(),
            pending_bytes: 0,
            spills: 0,
        }
    }

    /// Adds the next rows of a day; says what has to be written now.
    pub fn add(&mut self, day: Day, batch: RecordBatch, spills: &mut Vec<Spill>) {
        let bytes = batch.get_array_memory_size();
        let rows = self.days.entry(day).or_default();
        rows.rows += batch.num_rows() as u64;
        rows.pending_rows += batch.num_rows();
        rows.pending_bytes += bytes;
        rows.pending.push(batch);
        self.pending_bytes += bytes;
        if rows.pending_rows >= ROW_GROUP_ROWS {
            spills.extend(self.spill(day));
        }
        while self.pending_bytes > self.budget {
            let largest = self
                .days
                .iter()
                .max_by_key(|(day, rows)| (rows.pending_bytes, **day))
                .map(|(day, _)| *day);
            match largest.and_then(|day| self.spill(day)) {
                Some(spill) => spills.push(spill),
                None => break,
            }
        }
    }

    fn spill(&mut self, day: Day) -> Option<Spill> {
        let rows = self
            .days
            .get_mut(&day)
            .filter(|rows| rows.pending_rows > 0)?;
        self.spills += 1;
        let path = self.folder.join(format!("spill-{}.parquet", self.spills));
        rows.spilled.push(path.clone());
        self.pending_bytes -= rows.pending_bytes;
        rows.pending_bytes = 0;
        rows.pending_rows = 0;
        Some(Spill {
            path,
            batches: std::mem::take(&mut rows.pending),
        })
    }

    /// Which days have rows.
    pub fn days(&self) -> Vec<Day> {
        self.days.keys().copied().collect()
    }

    /// The days, oldest first, once everything was added and written.
    pub fn into_days(self) -> BTreeMap<Day, DayRows> {
        self.days
    }
}
