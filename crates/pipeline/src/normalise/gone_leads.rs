//! Leads that are gone: merged into another one, or deleted.
//!
//! Marketo tells of them by activities alone (types 32 and 37); its listings just do not have them any more. So
//! what is gone is read from the activities of silver into `marketo_gone_leads`, the rows of `marketo_leads` that
//! it names are dropped, and whoever joins activities to leads goes by `merged_into`. Both streams do it after
//! their own rows are in place: whichever comes last has seen the rows of the other.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray, TimestampMicrosecondArray,
        new_null_array,
    },
    datatypes::{DataType, Int64Type, TimestampMicrosecondType},
    record_batch::RecordBatch,
};
use futures::TryStreamExt;

use super::{
    contract::{COLLECTED_AT, SOURCE},
    merge::push_filtered,
    part::{self, Layout, PartWriter, broken},
    publish::existing,
};
use crate::dataset::SilverTable;
use crate::jobs::{ErrorType, JobContext, JobError, Level};
use crate::ports::{PutCondition, StoreError};

/// Activity types that end a lead.
const MERGE: i64 = 32;
const DELETE: i64 = 37;
/// How often a file is made anew when somebody else replaced it in the meantime.
const ATTEMPTS: usize = 8;
/// Merges of merges that are followed; longer chains do not occur, a circle must end.
const LONGEST_CHAIN: usize = 64;

/// What became of a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gone {
    /// The lead that it is now; none for a deleted one.
    into: Option<i64>,
    /// When, in microseconds since 1970.
    at: i64,
    /// Load time and collection of the activity that said so.
    received: i64,
    source: String,
}

type Book = BTreeMap<i64, Gone>;

/// Brings `marketo_gone_leads` up to the activities in the files `written`, and drops the leads that it names.
///
/// # Errors
/// A storage error; `LeaseHeld` when others keep replacing a file.
pub(super) async fn follow(
    ctx: &JobContext,
    written: &[String],
    folder: &Path,
) -> Result<(), JobError> {
    let gone = keep_book(ctx, written, folder).await?;
    let dropped = drop_leads(ctx, gone, folder).await?;
    if dropped > 0 {
        let line =
            format!("marketo leads: {dropped} were merged into others or deleted and are dropped");
        ctx.log.line(Level::Info, &line);
    }
    Ok(())
}

/// The book with what the activities of these files add; all activities are looked at before its first page.
async fn keep_book(
    ctx: &JobContext,
    written: &[String],
    folder: &Path,
) -> Result<Arc<Book>, JobError> {
    let store = &*ctx.lake.std;
    let key = SilverTable::MarketoGoneLeads.part_key(None);
    for attempt in 0..ATTEMPTS {
        let old = existing(store, &key, folder.join(format!("gone-old-{attempt}"))).await?;
        let looked_at = match &old {
            Some(_) => written.to_vec(),
            None => all_activities(ctx).await?,
        };
        let mut files = Vec::new();
        for (number, key) in looked_at.iter().enumerate() {
            let copy = folder.join(format!("activities-{attempt}-{number}"));
            files.extend(existing(store, key, copy).await?.map(|(path, _)| path));
        }
        let target = folder.join(format!("gone-{attempt}.parquet"));
        let (path, condition) = match old {
            Some((path, etag)) => (Some(path), PutCondition::IfMatch(etag)),
            None => (None, PutCondition::IfAbsent),
        };
        let out = target.clone();
        let (book, changed) = off_thread(move || add_pages(path.as_deref(), &files, &out)).await?;
        if !changed {
            return Ok(Arc::new(book));
        }
        match store.put_file(&key, target, condition).await {
            Ok(_) => return Ok(Arc::new(book)),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(contended(&key))
}

async fn all_activities(ctx: &JobContext) -> Result<Vec<String>, JobError> {
    let prefix = format!("{}/", SilverTable::MarketoActivities.prefix());
    let listing = ctx.lake.std.list(&prefix).await?;
    let keys = listing.map_ok(|meta| meta.key).try_collect::<Vec<_>>();
    Ok(keys.await?)
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JobError> + Send + 'static,
) -> Result<T, JobError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|why| {
            let message = format!("following merged and deleted leads stopped: {why}");
            Err(JobError::new(ErrorType::StorageError, message))
        })
}

fn contended(key: &str) -> JobError {
    let message = format!(
        "{key} was replaced by somebody else {ATTEMPTS} times while it was made; look for a second execution, then repeat the step"
    );
    JobError::new(ErrorType::LeaseHeld, message)
}

/// Reads the book, adds what activities say, and writes it to `target` if that or nothing at all is new.
fn add_pages(
    old: Option<&Path>,
    activities: &[PathBuf],
    target: &Path,
) -> Result<(Book, bool), JobError> {
    let mut book = match old {
        Some(path) => read_book(path)?,
        None => Book::new(),
    };
    let before = old.map(|_| book.clone());
    for path in activities {
        read_activities(path, &mut book)?;
    }
    follow_chains(&mut book);
    let changed = before.as_ref() != Some(&book);
    if changed {
        write_book(&book, target)?;
    }
    Ok((book, changed))
}

fn ids<'b>(batch: &'b RecordBatch, name: &str) -> Option<&'b Int64Array> {
    batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()
}

fn instants<'b>(batch: &'b RecordBatch, name: &str) -> Option<&'b TimestampMicrosecondArray> {
    batch
        .column_by_name(name)?
        .as_primitive_opt::<TimestampMicrosecondType>()
}

fn texts<'b>(batch: &'b RecordBatch, name: &str) -> Option<&'b StringArray> {
    batch.column_by_name(name)?.as_string_opt::<i32>()
}

fn read_book(path: &Path) -> Result<Book, JobError> {
    let layout = Layout::new(SilverTable::MarketoGoneLeads);
    let mut book = Book::new();
    for batch in part::read(path, &layout, None, None)? {
        let batch = batch?;
        let columns = (
            ids(&batch, "lead_id"),
            ids(&batch, "merged_into"),
            instants(&batch, "gone_at"),
            instants(&batch, COLLECTED_AT),
            texts(&batch, SOURCE),
        );
        let (Some(lead), Some(into), Some(at), Some(received), Some(source)) = columns else {
            return Err(broken("read", path, "it has not the columns of its table"));
        };
        for row in 0..batch.num_rows() {
            let gone = Gone {
                into: into.is_valid(row).then(|| into.value(row)),
                at: at.value(row),
                received: received.value(row),
                source: source.value(row).to_owned(),
            };
            book.insert(lead.value(row), gone);
        }
    }
    Ok(book)
}

/// Takes over what activities say of the end of leads. A lead ends once: the first word on it holds.
fn read_activities(path: &Path, book: &mut Book) -> Result<(), JobError> {
    let layout = Layout::new(SilverTable::MarketoActivities);
    let columns = [
        "lead_id",
        "activity_type_id",
        "activity_date",
        "merge_ids",
        COLLECTED_AT,
        SOURCE,
    ];
    for batch in part::read(path, &layout, Some(&columns), None)? {
        let batch = batch?;
        let columns = (
            ids(&batch, "lead_id"),
            ids(&batch, "activity_type_id"),
            instants(&batch, "activity_date"),
            texts(&batch, "merge_ids"),
            instants(&batch, COLLECTED_AT),
            texts(&batch, SOURCE),
        );
        let (Some(lead), Some(kind), Some(at), Some(merged), Some(received), Some(source)) =
            columns
        else {
            return Err(broken("read", path, "it has not the columns of its table"));
        };
        for row in 0..batch.num_rows() {
            let gone = |into| Gone {
                into,
                at: at.value(row),
                received: received.value(row),
                source: source.value(row).to_owned(),
            };
            let own = lead.value(row);
            match kind.value(row) {
                DELETE => note(book, own, gone(None)),
                MERGE if merged.is_valid(row) => merged_ids(merged.value(row))
                    .into_iter()
                    .filter(|loser| *loser != own)
                    .for_each(|loser| note(book, loser, gone(Some(own)))),
                _ => {}
            }
        }
    }
    Ok(())
}

fn note(book: &mut Book, lead: i64, gone: Gone) {
    match book.get(&lead) {
        Some(known) if known.at <= gone.at => {}
        _ => {
            book.insert(lead, gone);
        }
    }
}

/// The ids of a list, as numbers or as text; the whole list may be text too.
fn merged_ids(list: &str) -> Vec<i64> {
    fn ids(value: &serde_json::Value) -> Vec<i64> {
        match value {
            serde_json::Value::Array(all) => all.iter().flat_map(ids).collect(),
            serde_json::Value::Number(number) => number.as_i64().into_iter().collect(),
            serde_json::Value::String(text) => merged_ids(text),
            _ => Vec::new(),
        }
    }
    serde_json::from_str(list).map_or_else(|_| Vec::new(), |value| ids(&value))
}

/// A lead that was merged into one that was merged into a third is the third.
fn follow_chains(book: &mut Book) {
    let ends: Vec<(i64, i64)> = book
        .iter()
        .filter_map(|(lead, gone)| {
            let first = gone.into?;
            let mut end = first;
            for _ in 0..LONGEST_CHAIN {
                match book.get(&end).and_then(|next| next.into) {
                    Some(next) if next != *lead => end = next,
                    _ => break,
                }
            }
            (end != first).then_some((*lead, end))
        })
        .collect();
    for (lead, end) in ends {
        if let Some(gone) = book.get_mut(&lead) {
            gone.into = Some(end);
        }
    }
}

fn write_book(book: &Book, target: &Path) -> Result<(), JobError> {
    let layout = Layout::new(SilverTable::MarketoGoneLeads);
    let mut writer = PartWriter::create(&layout, target)?;
    let instants = |of: fn(&Gone) -> i64| {
        Arc::new(TimestampMicrosecondArray::from_iter_values(
            book.values().map(of),
        )) as ArrayRef
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(book.keys().copied())),
        Arc::new(Int64Array::from_iter(book.values().map(|gone| gone.into))),
        instants(|gone| gone.at),
        new_null_array(&DataType::Utf8, book.len()),
        instants(|gone| gone.received),
        Arc::new(StringArray::from_iter_values(
            book.values().map(|gone| gone.source.as_str()),
        )),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&layout.schema), columns)
        .map_err(|why| broken("build rows of", target, why))?;
    writer.push(&batch)?;
    writer.finish().map(|_| ())
}

/// Drops the leads that are gone; says how many there were.
async fn drop_leads(ctx: &JobContext, gone: Arc<Book>, folder: &Path) -> Result<u64, JobError> {
    if gone.is_empty() {
        return Ok(0);
    }
    let store = &*ctx.lake.std;
    let key = SilverTable::MarketoLeads.part_key(None);
    for attempt in 0..ATTEMPTS {
        let old = existing(store, &key, folder.join(format!("leads-old-{attempt}"))).await?;
        let Some((path, etag)) = old else {
            return Ok(0);
        };
        let target = folder.join(format!("leads-{attempt}.parquet"));
        let (book, out) = (Arc::clone(&gone), target.clone());
        let dropped = off_thread(move || filter_leads(&path, &book, &out)).await?;
        if dropped == 0 {
            return Ok(0);
        }
        match store
            .put_file(&key, target, PutCondition::IfMatch(etag))
            .await
        {
            Ok(_) => return Ok(dropped),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(contended(&key))
}

/// Writes the leads that are not gone to `target`, unless that is all of them.
fn filter_leads(path: &Path, gone: &Book, target: &Path) -> Result<u64, JobError> {
    let layout = Layout::new(SilverTable::MarketoLeads);
    let stays = |batch: &RecordBatch| -> Vec<bool> {
        let leads = ids(batch, "lead_id");
        (0..batch.num_rows())
            .map(|row| leads.is_none_or(|leads| !gone.contains_key(&leads.value(row))))
            .collect()
    };
    let mut dropped = 0;
    for batch in part::read(path, &layout, Some(&["lead_id"]), None)? {
        let kept = BooleanArray::from(stays(&batch?));
        dropped += kept.false_count() as u64;
    }
    if dropped > 0 {
        let mut writer = PartWriter::create(&layout, target)?;
        for batch in part::read(path, &layout, None, None)? {
            let batch = batch?;
            push_filtered(&mut writer, &batch, stays(&batch))?;
        }
        writer.finish()?;
    }
    Ok(dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(into: Option<i64>, at: i64) -> Gone {
        Gone {
            into,
            at,
            received: 0,
            source: "c".to_owned(),
        }
    }

    #[test]
    fn a_chain_of_merges_ends_at_its_last_lead_and_a_circle_ends_somewhere() {
        let mut book = Book::from([
            (1, gone(Some(2), 1)),
            (2, gone(Some(3), 2)),
            (3, gone(None, 3)),
            (7, gone(Some(8), 1)),
            (8, gone(Some(7), 2)),
        ]);
        follow_chains(&mut book);
        let ends: Vec<Option<i64>> = book.values().map(|gone| gone.into).collect();
        assert_eq!(ends, [Some(3), Some(3), None, Some(8), Some(7)]);
        let again = book.clone();
        follow_chains(&mut book);
        assert_eq!(book, again, "following them again changes nothing");
    }

    #[test]
    fn ids_come_in_several_spellings_and_a_book_is_read_as_it_was_written() {
        for list in ["[5,6]", "[\"5\",\"6\"]", "\"[5, 6]\""] {
            assert_eq!(merged_ids(list), [5, 6], "{list}");
        }
        assert!(merged_ids("null").is_empty() && merged_ids("five").is_empty());
        let folder = tempfile::tempdir().unwrap();
        for book in [
            Book::new(),
            Book::from([(1, gone(Some(2), 9)), (5, gone(None, 4))]),
        ] {
            let path = folder.path().join("book.parquet");
            write_book(&book, &path).unwrap();
            assert_eq!(read_book(&path).unwrap(), book);
        }
    }
}
