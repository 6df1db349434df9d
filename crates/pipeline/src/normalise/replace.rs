//! New rows into a partition whose days are replaced: what the newest collection says of a property's
//! day is all there is; rows that vanished go. Rows of other properties stay.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use arrow::{
    array::{Array, AsArray},
    datatypes::TimestampMicrosecondType,
    record_batch::RecordBatch,
};

use super::{
    contract::{COLLECTED_AT, SOURCE},
    merge::{self, Merged},
    part::{self, Layout, PartWriter},
    stage::DayRows,
};
use crate::jobs::JobError;

/// When a collection was received (microseconds), and its id: the later one speaks for a day.
pub(super) type Load = (i64, String);

/// Which collection speaks for which property, on one day.
pub(super) type Speakers = HashMap<String, Load>;

/// One side of a replacement: whose each row is, with which collection it came, what it says.
#[derive(Default)]
struct Side {
    parts: Vec<u32>,
    loads: Vec<u32>,
    prints: Vec<u64>,
    names: Vec<String>,
    known: Vec<Load>,
    name_index: HashMap<String, u32>,
    load_index: HashMap<Load, u32>,
}

impl Side {
    fn add(&mut self, batch: &RecordBatch, part: &str) {
        let text = |name: &str| {
            batch
                .column_by_name(name)
                .and_then(|column| column.as_string_opt::<i32>())
        };
        let received = batch
            .column_by_name(COLLECTED_AT)
            .and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        let (parts, sources) = (text(part), text(SOURCE));
        for row in 0..batch.num_rows() {
            let name = parts
                .filter(|column| column.is_valid(row))
                .map_or("", |column| column.value(row));
            let number = match self.name_index.get(name) {
                Some(number) => *number,
                None => {
                    let number = self.names.len() as u32;
                    self.names.push(name.to_owned());
                    self.name_index.insert(name.to_owned(), number);
                    number
                }
            };
            self.parts.push(number);
            let source = sources.map_or("", |column| column.value(row));
            let at = received.map_or(i64::MIN, |column| column.value(row));
            // Rows of one collection stand together, so the last one is nearly always it.
            let last = self.loads.last().filter(|last| {
                self.known[**last as usize].0 == at && self.known[**last as usize].1 == source
            });
            let load = match last {
                Some(last) => *last,
                None => self.load((at, source.to_owned())),
            };
            self.loads.push(load);
        }
        merge::fingerprints(batch, &mut self.prints);
    }

    fn load(&mut self, load: Load) -> u32 {
        let next = self.known.len() as u32;
        let number = *self.load_index.entry(load.clone()).or_insert(next);
        if number == next {
            self.known.push(load);
        }
        number
    }

    fn rows(&self) -> impl Iterator<Item = (&str, &Load, u64)> {
        let rows = self.parts.iter().zip(&self.loads).zip(&self.prints);
        rows.map(|((part, load), print)| {
            (
                self.names[*part as usize].as_str(),
                &self.known[*load as usize],
                *print,
            )
        })
    }
}

/// Replaces what `speakers` (and the collections of the incoming rows) speak for in the partition whose
/// file is `existing`. The new file is `out`; it is made only if anything changes.
///
/// # Errors
/// A storage error.
pub(super) fn replace(
    layout: &Layout,
    part: &str,
    incoming: &DayRows,
    existing: Option<&Path>,
    speakers: &Speakers,
    out: &Path,
) -> Result<Merged, JobError> {
    let mut new = Side::default();
    merge::for_each_incoming(layout, incoming, |batch| {
        new.add(&batch, part);
        Ok(())
    })?;
    let mut old = Side::default();
    for batch in existing
        .map(|path| part::read(path, layout, None, None))
        .transpose()?
        .into_iter()
        .flatten()
    {
        old.add(&batch?, part);
    }
    let speakers = who_speaks(speakers, &new, &old);
    let drop_old: Vec<bool> = old
        .rows()
        .map(|(part, _, _)| speakers.contains_key(part))
        .collect();
    let keep_new: Vec<bool> = new
        .rows()
        .map(|(part, load, _)| speakers.get(part) == Some(load))
        .collect();
    let mut merged = count(&new, &old, &keep_new, &drop_old);
    if merged.new + merged.removed > 0 {
        merged.written = true;
        write(layout, incoming, existing, (keep_new, drop_old), out)?;
    }
    Ok(merged)
}

/// The collection that speaks for each property: the latest of those that were told, of those whose rows
/// came, and of those already stored. Where the stored one is later, nothing is replaced.
fn who_speaks(told: &Speakers, new: &Side, old: &Side) -> Speakers {
    let mut speakers = told.clone();
    for (part, load, _) in new.rows() {
        match speakers.get_mut(part) {
            Some(known) if *known < *load => known.clone_from(load),
            Some(_) => {}
            None => drop(speakers.insert(part.to_owned(), load.clone())),
        }
    }
    let mut later = HashSet::new();
    for (part, load, _) in old.rows() {
        // Of two received at the same instant the one at hand speaks.
        if speakers.get(part).is_some_and(|speaker| speaker.0 < load.0) {
            later.insert(part);
        }
    }
    speakers.retain(|part, _| !later.contains(part.as_str()));
    speakers
}

fn count(new: &Side, old: &Side, keep_new: &[bool], drop_old: &[bool]) -> Merged {
    let mut left: HashMap<u64, u64> = HashMap::new();
    let dropped = old.rows().zip(drop_old).filter(|(_, drop)| **drop);
    for ((_, _, print), _) in dropped {
        *left.entry(print).or_default() += 1;
    }
    let mut merged = Merged::default();
    for ((_, _, print), keep) in new.rows().zip(keep_new) {
        if !keep {
            merged.superseded += 1;
        } else if let Some(count) = left.get_mut(&print).filter(|count| **count > 0) {
            *count -= 1;
            merged.unchanged += 1;
        } else {
            merged.new += 1;
        }
    }
    merged.removed = left.values().sum();
    let stay = drop_old.iter().filter(|drop| !**drop).count() as u64;
    merged.rows = stay + merged.new + merged.unchanged;
    merged
}

fn write(
    layout: &Layout,
    incoming: &DayRows,
    existing: Option<&Path>,
    (keep_new, drop_old): (Vec<bool>, Vec<bool>),
    out: &Path,
) -> Result<(), JobError> {
    let mut writer = PartWriter::create(layout, out)?;
    let mut at = 0;
    for batch in existing
        .map(|path| part::read(path, layout, None, None))
        .transpose()?
        .into_iter()
        .flatten()
    {
        let batch = batch?;
        let keep = drop_old[at..at + batch.num_rows()]
            .iter()
            .map(|drop| !drop)
            .collect();
        at += batch.num_rows();
        merge::push_filtered(&mut writer, &batch, keep)?;
    }
    at = 0;
    merge::for_each_incoming(layout, incoming, |batch| {
        let keep = keep_new[at..at + batch.num_rows()].to_vec();
        at += batch.num_rows();
        merge::push_filtered(&mut writer, &batch, keep)
    })?;
    writer.finish().map(|_| ())
}
