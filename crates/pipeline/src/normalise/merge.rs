//! New rows into a partition: the newest version of every key, nothing lost, nothing doubled.
//!
//! A row beats another of its key by its version (`updated_at`, else `created_at`), then by load order
//! (received, collection, place in the input). An incoming row that says what the stored one says
//! changes nothing, so a repeat leaves the file as it is.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray},
    compute::filter_record_batch,
    datatypes::{DataType, Decimal128Type, Int64Type, TimestampMicrosecondType},
    record_batch::RecordBatch,
};

use super::{
    contract::{COLLECTED_AT, SOURCE},
    part::{self, Layout, PartWriter, broken},
    stage::DayRows,
};
use crate::jobs::JobError;

/// What a merge did to the incoming rows of a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Merged {
    /// Keys the partition did not have.
    pub new: u64,
    /// Keys whose stored row was replaced.
    pub updated: u64,
    /// Keys whose stored row says the same.
    pub unchanged: u64,
    /// Rows beaten by another incoming row or by the stored one.
    pub superseded: u64,
    /// Rows that are gone: a day that is replaced does not have them any more.
    pub removed: u64,
    /// Rows of the partition afterwards.
    pub rows: u64,
    /// Whether there is a new file.
    pub written: bool,
}

/// Keys and versions of incoming rows, in input order.
#[derive(Default)]
struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    versions: Vec<i64>,
    /// Where a run of rows of one collection begins: row, received, collection.
    loads: Vec<(usize, i64, String)>,
}

impl Keys {
    fn key(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }

    fn load(&self, row: usize) -> (i64, &str) {
        let after = self.loads.partition_point(|(start, _, _)| *start <= row);
        self.loads
            .get(after.wrapping_sub(1))
            .map_or((0, ""), |(_, received, source)| (*received, source))
    }

    fn add(&mut self, layout: &Layout, batch: &RecordBatch) {
        let columns = KeyColumns::of(layout, batch);
        for row in 0..batch.num_rows() {
            columns.push_key(row, &mut self.bytes);
            self.ends.push(self.bytes.len());
            self.versions.push(columns.version(row));
            let (received, source) = columns.load(row);
            if self
                .loads
                .last()
                .is_none_or(|(_, last, name)| *last != received || name != source)
            {
                self.loads
                    .push((self.ends.len() - 1, received, source.to_owned()));
            }
        }
    }
}

/// The columns that decide between versions of a row.
struct KeyColumns<'b> {
    key: &'b ArrayRef,
    updated: Option<&'b ArrayRef>,
    created: Option<&'b ArrayRef>,
    received: Option<&'b ArrayRef>,
    source: Option<&'b ArrayRef>,
}

fn instant(column: Option<&ArrayRef>, row: usize) -> Option<i64> {
    let column = column
        .filter(|column| column.is_valid(row))?
        .as_primitive_opt::<TimestampMicrosecondType>()?;
    Some(column.value(row))
}

impl<'b> KeyColumns<'b> {
    fn names(layout: &Layout) -> Vec<&'static str> {
        let wanted = [layout.key, "updated_at", "created_at"];
        let own = layout
            .columns
            .iter()
            .map(|column| column.name)
            .filter(|name| wanted.contains(name));
        own.chain([COLLECTED_AT, SOURCE]).collect()
    }

    fn of(layout: &Layout, batch: &'b RecordBatch) -> Self {
        let named = |name| batch.column_by_name(name);
        Self {
            key: named(layout.key).unwrap_or_else(|| batch.column(0)),
            updated: named("updated_at"),
            created: named("created_at"),
            received: named(COLLECTED_AT),
            source: named(SOURCE),
        }
    }

    fn push_key(&self, row: usize, out: &mut Vec<u8>) {
        match self.key.data_type() {
            DataType::Utf8 => {
                out.extend_from_slice(self.key.as_string::<i32>().value(row).as_bytes())
            }
            _ => out.extend_from_slice(
                &self
                    .key
                    .as_primitive::<Int64Type>()
                    .value(row)
                    .to_le_bytes(),
            ),
        }
    }

    fn version(&self, row: usize) -> i64 {
        instant(self.updated, row)
            .or_else(|| instant(self.created, row))
            .unwrap_or(i64::MIN)
    }

    fn load(&self, row: usize) -> (i64, &'b str) {
        let source = self
            .source
            .and_then(|source| source.as_string_opt::<i32>())
            .map_or("", |source| source.value(row));
        (instant(self.received, row).unwrap_or(i64::MIN), source)
    }
}

/// Which rows of both sides make up the new partition.
struct Choice {
    keep_new: Vec<bool>,
    drop_old: Vec<bool>,
    merged: Merged,
}

/// Merges `incoming` into the partition whose file is `existing`. The new file is `out`; it is made only if
/// anything changes.
///
/// # Errors
/// A storage error.
pub(super) fn merge(
    layout: &Layout,
    incoming: &DayRows,
    existing: Option<&Path>,
    out: &Path,
) -> Result<Merged, JobError> {
    let mut keys = Keys::default();
    let columns = KeyColumns::names(layout);
    for path in &incoming.spilled {
        for batch in part::read(path, layout, Some(&columns), None)? {
            keys.add(layout, &batch?);
        }
    }
    incoming
        .pending
        .iter()
        .for_each(|batch| keys.add(layout, batch));
    let mut choice = choose(layout, incoming, existing, &keys)?;
    drop(keys);
    if choice.merged.new + choice.merged.updated > 0 {
        choice.merged.rows = write(layout, incoming, existing, &choice, out)?;
        choice.merged.written = true;
    } else {
        choice.merged.rows = choice.drop_old.len() as u64;
    }
    Ok(choice.merged)
}

fn choose(
    layout: &Layout,
    incoming: &DayRows,
    existing: Option<&Path>,
    keys: &Keys,
) -> Result<Choice, JobError> {
    let count = keys.ends.len();
    let mut choice = Choice {
        keep_new: vec![true; count],
        drop_old: Vec::new(),
        merged: Merged::default(),
    };
    let mut winners: HashMap<&[u8], usize> = HashMap::with_capacity(count);
    for row in 0..count {
        let winner = winners.entry(keys.key(row)).or_insert(row);
        if *winner != row {
            let loser = if keys.versions[row] >= keys.versions[*winner] {
                std::mem::replace(winner, row)
            } else {
                row
            };
            choice.keep_new[loser] = false;
            choice.merged.superseded += 1;
        }
    }
    let mut ties = Vec::new();
    if let Some(existing) = existing {
        compare(layout, existing, keys, &winners, &mut choice, &mut ties)?;
    }
    settle(layout, incoming, existing, ties, &mut choice)?;
    choice.merged.new =
        choice.keep_new.iter().filter(|keep| **keep).count() as u64 - choice.merged.updated;
    Ok(choice)
}

/// A stored and an incoming row of one key and one version.
struct Tie {
    old: usize,
    new: usize,
    new_is_later: bool,
}

/// Stored rows against incoming ones. Where versions are equal the contents have to be looked at: `ties`.
fn compare(
    layout: &Layout,
    existing: &Path,
    keys: &Keys,
    winners: &HashMap<&[u8], usize>,
    choice: &mut Choice,
    ties: &mut Vec<Tie>,
) -> Result<(), JobError> {
    let mut key = Vec::new();
    for batch in part::read(existing, layout, Some(&KeyColumns::names(layout)), None)? {
        let batch = batch?;
        let columns = KeyColumns::of(layout, &batch);
        for row in 0..batch.num_rows() {
            let old = choice.drop_old.len();
            choice.drop_old.push(false);
            key.clear();
            columns.push_key(row, &mut key);
            let Some(&new) = winners.get(key.as_slice()) else {
                continue;
            };
            let stored = columns.version(row);
            if stored == keys.versions[new] {
                ties.push(Tie {
                    old,
                    new,
                    new_is_later: keys.load(new) >= columns.load(row),
                });
            } else if stored < keys.versions[new] {
                choice.drop_old[old] = true;
                choice.merged.updated += 1;
            } else {
                choice.keep_new[new] = false;
                choice.merged.superseded += 1;
            }
        }
    }
    Ok(())
}

/// Decides ties: equal contents change nothing, otherwise the later load wins.
fn settle(
    layout: &Layout,
    incoming: &DayRows,
    existing: Option<&Path>,
    ties: Vec<Tie>,
    choice: &mut Choice,
) -> Result<(), JobError> {
    let Some(existing) = existing.filter(|_| !ties.is_empty()) else {
        return Ok(());
    };
    let mut old = Vec::new();
    for batch in part::read(existing, layout, None, None)? {
        fingerprints(&batch?, &mut old);
    }
    let mut new = Vec::new();
    for_each_incoming(layout, incoming, |batch| {
        fingerprints(&batch, &mut new);
        Ok(())
    })?;
    for tie in ties {
        if old.get(tie.old) == new.get(tie.new) {
            choice.keep_new[tie.new] = false;
            choice.merged.unchanged += 1;
        } else if tie.new_is_later {
            choice.drop_old[tie.old] = true;
            choice.merged.updated += 1;
        } else {
            choice.keep_new[tie.new] = false;
            choice.merged.superseded += 1;
        }
    }
    Ok(())
}

/// Calls `each` with every batch that came, oldest first.
///
/// # Errors
/// A storage error, or what `each` says.
pub(super) fn for_each_incoming(
    layout: &Layout,
    incoming: &DayRows,
    mut each: impl FnMut(RecordBatch) -> Result<(), JobError>,
) -> Result<(), JobError> {
    for path in &incoming.spilled {
        for batch in part::read(path, layout, None, None)? {
            each(batch?)?;
        }
    }
    incoming.pending.iter().cloned().try_for_each(each)
}

fn write(
    layout: &Layout,
    incoming: &DayRows,
    existing: Option<&Path>,
    choice: &Choice,
    out: &Path,
) -> Result<u64, JobError> {
    let all_new = choice.keep_new.iter().all(|keep| *keep);
    if let ([only], true, true, None) = (
        incoming.spilled.as_slice(),
        incoming.pending.is_empty(),
        all_new,
        existing,
    ) {
        // The spilled file stays under its own name too, should the step be repeated.
        std::fs::hard_link(only, out).map_err(|why| broken("link", only, why))?;
        return Ok(incoming.rows);
    }
    let mut writer = PartWriter::create(layout, out)?;
    if let Some(existing) = existing {
        if choice.drop_old.iter().any(|drop| *drop) {
            let mut at = 0;
            for batch in part::read(existing, layout, None, None)? {
                let batch = batch?;
                let keep: Vec<bool> = (at..at + batch.num_rows())
                    .map(|row| !choice.drop_old.get(row).copied().unwrap_or(false))
                    .collect();
                at += batch.num_rows();
                push_filtered(&mut writer, &batch, keep)?;
            }
        } else {
            writer.append_part(existing)?;
        }
    }
    if all_new {
        for path in &incoming.spilled {
            writer.append_part(path)?;
        }
        incoming
            .pending
            .iter()
            .try_for_each(|batch| writer.push(batch))?;
    } else {
        let mut at = 0;
        for_each_incoming(layout, incoming, |batch| {
            let keep = choice
                .keep_new
                .iter()
                .skip(at)
                .take(batch.num_rows())
                .copied()
                .collect();
            at += batch.num_rows();
            push_filtered(&mut writer, &batch, keep)
        })?;
    }
    writer.finish()
}

/// Writes the rows of a batch that are kept.
///
/// # Errors
/// A storage error.
pub(super) fn push_filtered(
    writer: &mut PartWriter<'_>,
    batch: &RecordBatch,
    keep: Vec<bool>,
) -> Result<(), JobError> {
    if keep.iter().all(|keep| *keep) {
        return writer.push(batch);
    }
    let kept = filter_record_batch(batch, &BooleanArray::from(keep));
    writer.push(&kept.map_err(|why| broken("filter rows of", &PathBuf::from("a partition"), why))?)
}

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Folded multiplication: every bit of both sides reaches every bit of the result.
fn mix(state: u64, value: u64) -> u64 {
    let wide = u128::from(state ^ SEED) * u128::from(value ^ 0xe703_7ed1_a0b4_28db);
    (wide as u64) ^ ((wide >> 64) as u64) ^ state.rotate_left(29)
}

fn mix_bytes(mut state: u64, bytes: &[u8]) -> u64 {
    state = mix(state, bytes.len() as u64);
    for chunk in bytes.chunks(8) {
        let mut word = [0u8; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = mix(state, u64::from_le_bytes(word));
    }
    state
}

/// Appends a fingerprint of each row's contents: all columns but load time and collection.
pub(super) fn fingerprints(batch: &RecordBatch, out: &mut Vec<u64>) {
    let start = out.len();
    out.resize(start + batch.num_rows(), SEED);
    let contents = batch.num_columns().saturating_sub(2);
    for column in &batch.columns()[..contents] {
        for (row, state) in out[start..].iter_mut().enumerate() {
            *state = if column.is_null(row) {
                mix(*state, 1)
            } else {
                mix_value(mix(*state, 2), column, row)
            };
        }
    }
}

fn mix_value(state: u64, column: &ArrayRef, row: usize) -> u64 {
    match column.data_type() {
        DataType::Utf8 => mix_bytes(state, column.as_string::<i32>().value(row).as_bytes()),
        DataType::Int64 => mix(
            state,
            column
                .as_primitive::<Int64Type>()
                .value(row)
                .cast_unsigned(),
        ),
        DataType::Decimal128(..) => mix_bytes(
            state,
            &column
                .as_primitive::<Decimal128Type>()
                .value(row)
                .to_le_bytes(),
        ),
        DataType::Boolean => mix(state, u64::from(column.as_boolean().value(row))),
        _ => mix(
            state,
            column
                .as_primitive::<TimestampMicrosecondType>()
                .value(row)
                .cast_unsigned(),
        ),
    }
}
