//! What an import found before it changed anything, kept beside the lake's state so that the import can be taken back.
//!
//! An import may be wrong as a whole: other rows than its stream's, a file of another account. What it adds can be told
//! apart by its rows' `_source`, what it replaces cannot be made again from that. So every object of silver that it may
//! change is copied before; for days that were not there, which an archive mostly has, that is nothing.

use std::path::Path;

use futures::TryStreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{part::broken, publish::existing, segment::date_of, stage::Day};
use crate::dataset::{SilverTable, Stream};
use crate::jobs::{ErrorType, JobContext, JobError};
use crate::ports::{ObjectStore, PutCondition, StoreError};

/// Where records and copies lie in the std store.
pub(super) const IMPORTS: &str = "_state/imports/";
/// How the id of an import's collection begins.
pub(super) const ID: &str = "import-";
const RECORD: &str = "/record.json";

/// One import, with what there was before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRecord {
    /// Id of its collection: `import-` and a hash of the files' contents.
    pub collection: String,
    /// The stream.
    pub stream: Stream,
    /// The executions that brought these files, the first one first.
    pub executions: Vec<String>,
    /// The files' names.
    pub files: Vec<String>,
    /// When it first came.
    pub received_at: Timestamp,
    /// Objects of silver that it may have changed, as they were before.
    pub before: Vec<Before>,
    /// It is being taken back, and silver is done: only its own files are still to be removed.
    #[serde(default)]
    pub silver_is_restored: bool,
}

/// One object before an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Its key in the std store.
    pub key: String,
    /// Key of its copy; none where there was no object.
    pub copy: Option<String>,
}

impl ImportRecord {
    /// One file may have been imported into two streams, in error into one of them.
    pub(super) fn folder(&self) -> String {
        folder(self.stream, &self.collection)
    }

    /// Whether somebody who says `id` means this import: its collection, or an execution by its id or name.
    #[must_use]
    pub fn is_called(&self, id: &str) -> bool {
        let is_execution =
            |one: &String| one == id || one.split_once(':').is_some_and(|(_, name)| name == id);
        self.collection == id || self.executions.iter().any(is_execution)
    }

    pub(super) async fn write(&self, store: &dyn ObjectStore) -> Result<(), JobError> {
        let key = format!("{}{RECORD}", self.folder());
        let bytes = serde_json::to_vec_pretty(self).map_err(|why| damaged(&key, &why))?;
        store.put(&key, bytes.into(), PutCondition::Always).await?;
        Ok(())
    }

    pub(super) async fn read(
        store: &dyn ObjectStore,
        stream: Stream,
        collection: &str,
    ) -> Result<Option<Self>, JobError> {
        Self::read_key(store, &format!("{}{RECORD}", folder(stream, collection))).await
    }

    async fn read_key(store: &dyn ObjectStore, key: &str) -> Result<Option<Self>, JobError> {
        match store.get(key).await {
            Ok((bytes, _)) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|why| damaged(key, &why)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn folder(stream: Stream, collection: &str) -> String {
    format!("{IMPORTS}{}/{collection}", stream.name())
}

fn damaged(key: &str, why: &dyn std::fmt::Display) -> JobError {
    let message = format!(
        "the record {key} of an import cannot be read: {why}; the import stays, delete the record"
    );
    JobError::new(ErrorType::StorageError, message)
}

/// The imports that can be taken back, oldest first.
///
/// # Errors
/// A storage error.
pub async fn imports(ctx: &JobContext) -> Result<Vec<ImportRecord>, JobError> {
    let store = &*ctx.lake.std;
    let listing = store.list(IMPORTS).await?;
    let keys: Vec<String> = listing.map_ok(|meta| meta.key).try_collect().await?;
    let mut records = Vec::new();
    for key in keys.iter().filter(|key| key.ends_with(RECORD)) {
        records.extend(ImportRecord::read_key(store, key).await?);
    }
    records.sort_by(|a, b| (a.received_at, &a.collection).cmp(&(b.received_at, &b.collection)));
    Ok(records)
}

/// Keys of everything in silver that rows of these days may change.
fn may_change(stream: Stream, days: &[Day]) -> Vec<String> {
    let table = stream.silver();
    let parts = days.iter().map(|day| table.part_key(day.map(date_of)));
    let whole = |tables: &[SilverTable]| -> Vec<String> {
        tables.iter().map(|table| table.part_key(None)).collect()
    };
    let beside = match table {
        SilverTable::Offers => whole(&[
            SilverTable::OfferCaps,
            SilverTable::OfferCapAffiliates,
            SilverTable::OfferPayments,
        ]),
        SilverTable::MarketoLeads => whole(&[SilverTable::MarketoGoneLeads]),
        SilverTable::MarketoActivities => {
            whole(&[SilverTable::MarketoGoneLeads, SilverTable::MarketoLeads])
        }
        _ => Vec::new(),
    };
    parts.chain(beside).collect()
}

/// Keeps what there is before rows of these days are imported. What an earlier, perhaps interrupted import of the same
/// files kept stays: that was before it.
///
/// # Errors
/// A storage error.
pub(super) async fn keep(
    ctx: &JobContext,
    new: ImportRecord,
    days: &[Day],
    folder: &Path,
) -> Result<(), JobError> {
    let store = &*ctx.lake.std;
    let mut record = match ImportRecord::read(store, new.stream, &new.collection).await? {
        Some(mut known) => {
            known.executions.extend(new.executions);
            known
        }
        None => new,
    };
    for key in may_change(record.stream, days) {
        if record.before.iter().all(|before| before.key != key) {
            let number = record.before.len() + 1;
            let copy = format!("{}/{number:04}", record.folder());
            let copy = copy_of(store, &key, copy, folder).await?;
            record.before.push(Before { key, copy });
        }
    }
    record.write(store).await
}

/// Copies an object within the store; none where there is none.
///
/// # Errors
/// A storage error.
pub(super) async fn copy_of(
    store: &dyn ObjectStore,
    key: &str,
    copy: String,
    folder: &Path,
) -> Result<Option<String>, JobError> {
    let fetched = folder.join("before-fetched");
    let Some((path, _)) = existing(store, key, fetched.clone()).await? else {
        return Ok(None);
    };
    let staged = if path == fetched {
        fetched
    } else {
        let staged = folder.join("before");
        std::fs::copy(&path, &staged).map_err(|why| broken("copy", &path, why))?;
        staged
    };
    store.put_file(&copy, staged, PutCondition::Always).await?;
    Ok(Some(copy))
}
