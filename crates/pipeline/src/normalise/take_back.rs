//! An import taken back: silver as if it had never come, its own files removed.
//!
//! What it changed is put back as it was before, then every collection since then is normalised once more, one after the
//! other as they came: rows of theirs that the import's had beaten, or that said the same, are there again. Only then
//! do the import's own files go. Cut off in between, it is done again from its record.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use arrow::array::AsArray;
use futures::TryStreamExt;
use jiff::SignedDuration;
use parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder};
use serde::{Deserialize, Serialize};

use super::{
    NormaliseRequest,
    contract::SOURCE,
    imports::{Before, ID, ImportRecord, copy_of, imports},
    normalise,
    part::broken,
    publish::existing,
    quarantine::quarantine_key,
};
use crate::collect::manifest::{self, Manifest};
use crate::dataset::Stream;
use crate::jobs::{ErrorType, JobContext, JobError, Level};
use crate::ports::{ObjectStore, PutCondition, StoreError};

/// How often an object is put back anew when somebody else replaced it in the meantime.
const ATTEMPTS: usize = 8;
/// Collections from so long before the import are normalised again too: a redrive may have done it after the import.
const REDRIVABLE_FOR: SignedDuration = SignedDuration::from_hours(15 * 24);

/// What taking an import back did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    /// Id of the import's collection.
    pub collection: String,
    /// The stream's name.
    pub stream: String,
    /// Rows of silver that had come with it.
    pub rows: u64,
    /// Objects of silver that are as they were before it.
    pub restored: Vec<String>,
    /// Collections since then, which were brought in again.
    pub again: Vec<String>,
    /// Objects that are gone with it.
    pub removed: Vec<String>,
}

/// A manifest and its key.
type Kept = (String, Manifest);

/// Takes an import back; `id` is its collection, or an execution that brought it.
///
/// # Errors
/// `InvalidInput` where there is no such import, or what came since cannot be brought in again, which is said before
/// anything is changed; as [`normalise`].
pub async fn take_back(ctx: &JobContext, id: &str) -> Result<TakenBack, JobError> {
    let mut record = find(ctx, id).await?;
    let staging = ctx.lake.std.staging();
    std::fs::create_dir_all(&staging).map_err(|why| broken("make", &staging, why))?;
    let folder = tempfile::Builder::new()
        .prefix("import-")
        .tempdir_in(&staging)
        .map_err(|why| broken("make a folder in", &staging, why))?;
    let mut done = TakenBack {
        collection: record.collection.clone(),
        stream: record.stream.name(),
        ..TakenBack::default()
    };
    if !record.silver_is_restored {
        let others = others(ctx, &record).await?;
        let now = look(ctx, &record, folder.path()).await?;
        refuse_what_is_lost(ctx, &record, &now, &others).await?;
        done.rows = now.rows_of(&record.collection);
        for before in &record.before {
            put_back(ctx, before, folder.path()).await?;
            done.restored.push(before.key.clone());
        }
        // Read anew: what came meanwhile may have been put into what was then put back.
        let others = self::others(ctx, &record).await?;
        done.again = bring_again(ctx, &record, others, folder.path()).await?;
        record.silver_is_restored = true;
        record.write(&*ctx.lake.std).await?;
    }
    done.removed = remove(ctx, &record).await?;
    let line = format!(
        "{}: {} was taken back: {} rows of silver, {} collections brought in again",
        done.stream,
        done.collection,
        done.rows,
        done.again.len()
    );
    ctx.log.line(Level::Info, &line);
    Ok(done)
}

fn refused(message: String) -> JobError {
    JobError::new(ErrorType::InvalidInput, message)
}

async fn find(ctx: &JobContext, id: &str) -> Result<ImportRecord, JobError> {
    let all = imports(ctx).await?;
    let names: Vec<String> = all
        .iter()
        .map(|one| one.executions.first().unwrap_or(&one.collection).clone())
        .collect();
    let called = all.into_iter().rfind(|one| one.is_called(id));
    called.ok_or_else(|| {
        let there_are = match names.as_slice() {
            [] => "there is none".to_owned(),
            names => format!("there are: {}", names.join(", ")),
        };
        refused(format!(
            "no import '{id}' that could be taken back; {there_are}"
        ))
    })
}

/// The streams whose rows the import's may have touched.
fn streams_with(stream: Stream) -> Vec<Stream> {
    if Stream::MARKETO.contains(&stream) {
        return Stream::MARKETO.to_vec();
    }
    vec![stream]
}

/// The other collections that still lie in bronze, in the order in which they came.
async fn others(ctx: &JobContext, record: &ImportRecord) -> Result<Vec<Kept>, JobError> {
    let mut found = Vec::new();
    for stream in streams_with(record.stream) {
        for key in manifest::list_manifests(&ctx.lake, stream).await? {
            let read = manifest::read_manifest(&ctx.lake, &key).await?;
            if (read.stream, &read.collection) != (record.stream, &record.collection) {
                found.push((key, read));
            }
        }
    }
    found.sort_by(|(_, a), (_, b)| {
        (a.received_at, &a.collection).cmp(&(b.received_at, &b.collection))
    });
    Ok(found)
}

/// Whose rows the objects have that would be put back.
#[derive(Debug, Default)]
struct Sources {
    now: BTreeMap<String, u64>,
    before: BTreeSet<String>,
}

impl Sources {
    fn rows_of(&self, collection: &str) -> u64 {
        self.now.get(collection).copied().unwrap_or(0)
    }
}

async fn look(ctx: &JobContext, record: &ImportRecord, folder: &Path) -> Result<Sources, JobError> {
    let store = &*ctx.lake.std;
    let mut sources = Sources::default();
    let tables = record
        .before
        .iter()
        .filter(|one| one.key.ends_with(".parquet"));
    for before in tables {
        if let Some(copy) = &before.copy {
            let Some((path, _)) = existing(store, copy, folder.join("look")).await? else {
                return Err(refused(format!(
                    "{} cannot be taken back: {copy}, which kept what there was before, is gone; delete {} to forget the import",
                    record.collection,
                    record.folder()
                )));
            };
            sources.before.extend(read_sources(path).await?.into_keys());
        }
        if let Some((path, _)) = existing(store, &before.key, folder.join("look")).await? {
            for (source, rows) in read_sources(path).await? {
                *sources.now.entry(source).or_default() += rows;
            }
        }
    }
    Ok(sources)
}

/// Rows by the collection they came with.
async fn read_sources(path: PathBuf) -> Result<BTreeMap<String, u64>, JobError> {
    let read = move || {
        let failed = |why: &dyn std::fmt::Display| broken("read", &path, why);
        let file = std::fs::File::open(&path).map_err(|why| failed(&why))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|why| failed(&why))?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), [SOURCE]);
        let reader = builder.with_projection(mask).build();
        let mut rows: BTreeMap<String, u64> = BTreeMap::new();
        for batch in reader.map_err(|why| failed(&why))? {
            let batch = batch.map_err(|why| failed(&why))?;
            let column = batch
                .column_by_name(SOURCE)
                .and_then(|column| column.as_string_opt::<i32>());
            for source in column.into_iter().flatten().flatten() {
                match rows.get_mut(source) {
                    Some(count) => *count += 1,
                    None => drop(rows.insert(source.to_owned(), 1)),
                }
            }
        }
        Ok(rows)
    };
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|why| {
            let message = format!("reading silver stopped: {why}");
            Err(JobError::new(ErrorType::StorageError, message))
        })
}

/// Refuses where rows of others would be lost, because they came since and their files are gone.
async fn refuse_what_is_lost(
    ctx: &JobContext,
    record: &ImportRecord,
    sources: &Sources,
    others: &[Kept],
) -> Result<(), JobError> {
    let known: HashSet<&str> = others
        .iter()
        .map(|(_, one)| one.collection.as_str())
        .collect();
    let lost = sources.now.keys().find(|source| {
        **source != record.collection
            && !sources.before.contains(*source)
            && !known.contains(source.as_str())
    });
    if let Some(lost) = lost {
        return Err(refused(format!(
            "{} cannot be taken back: the collection {lost} came to the same days since, and bronze does not have it any more, \
             so its rows could not be brought in again; nothing was changed",
            record.collection
        )));
    }
    for (key, one) in others
        .iter()
        .filter(|(_, one)| one.received_at >= record.received_at)
    {
        let day = key.rsplit_once('/').map_or("", |(folder, _)| folder);
        let listing = ctx.lake.raw.list(&format!("{day}/")).await?;
        let there: HashSet<String> = listing.map_ok(|meta| meta.key).try_collect().await?;
        if let Some(gone) = one.files.iter().find(|file| !there.contains(&file.key)) {
            return Err(refused(format!(
                "{} cannot be taken back: the file {} of the collection {}, which came since, is not in bronze any more, \
                 so its rows could not be brought in again; nothing was changed",
                record.collection, gone.key, one.collection
            )));
        }
    }
    Ok(())
}

/// Puts one object back as it was.
async fn put_back(ctx: &JobContext, before: &Before, folder: &Path) -> Result<(), JobError> {
    let store = &*ctx.lake.std;
    let Some(copy) = &before.copy else {
        return Ok(store.delete(&before.key).await?);
    };
    for attempt in 0..ATTEMPTS {
        let now = existing(store, &before.key, folder.join("now")).await?;
        let condition = now.map_or(PutCondition::IfAbsent, |(_, etag)| {
            PutCondition::IfMatch(etag)
        });
        let staged = staged(store, copy, &folder.join(format!("back-{attempt}"))).await?;
        match store.put_file(&before.key, staged, condition).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let message = format!(
        "{} was replaced by somebody else {ATTEMPTS} times while it was put back; look for a second execution, then repeat the step",
        before.key
    );
    Err(JobError::new(ErrorType::LeaseHeld, message))
}

/// A file of one's own with an object's bytes.
async fn staged(store: &dyn ObjectStore, key: &str, target: &Path) -> Result<PathBuf, JobError> {
    let found = existing(store, key, target.to_owned()).await?;
    let (path, _) = found.ok_or_else(|| {
        JobError::new(
            ErrorType::StorageError,
            format!("{key} is gone; the import stays"),
        )
    })?;
    if path != target {
        std::fs::copy(&path, target).map_err(|why| broken("copy", &path, why))?;
    }
    Ok(target.to_owned())
}

/// Normalises again what came since, each by itself. What a later import found before it is not what it would have
/// found without this one: its copies are made anew.
async fn bring_again(
    ctx: &JobContext,
    record: &ImportRecord,
    others: Vec<Kept>,
    folder: &Path,
) -> Result<Vec<String>, JobError> {
    let restored: HashSet<&str> = record.before.iter().map(|one| one.key.as_str()).collect();
    let since = record.received_at - REDRIVABLE_FOR;
    let mut again = Vec::new();
    for (key, one) in others
        .into_iter()
        .filter(|(_, one)| one.received_at >= since)
    {
        let came_since = one.received_at >= record.received_at;
        if came_since && one.collection.starts_with(ID) {
            copy_anew(ctx, &one, &restored, folder).await?;
        }
        let request = NormaliseRequest {
            stream: one.stream,
            manifests: vec![key],
        };
        match normalise(ctx, &request).await {
            Ok(_) if came_since => again.push(one.collection),
            // One from before that does not fit its contract, or whose files are gone, changed nothing then either.
            Ok(_) => {}
            Err(error) if came_since && error.error_type != ErrorType::DataContractError => {
                return Err(error);
            }
            Err(error) => ctx.log.line(Level::Warn, &error.message),
        }
    }
    Ok(again)
}

async fn copy_anew(
    ctx: &JobContext,
    import: &Manifest,
    restored: &HashSet<&str>,
    folder: &Path,
) -> Result<(), JobError> {
    let store = &*ctx.lake.std;
    let Some(mut later) = ImportRecord::read(store, import.stream, &import.collection).await?
    else {
        return Ok(());
    };
    let own = later.folder();
    for (number, before) in later.before.iter_mut().enumerate() {
        if restored.contains(before.key.as_str()) {
            let copy = format!("{own}/{:04}", number + 1);
            before.copy = copy_of(store, &before.key, copy.clone(), folder).await?;
            if before.copy.is_none() {
                store.delete(&copy).await?;
            }
        }
    }
    later.write(store).await
}

/// Removes the import's own files, its record last.
async fn remove(ctx: &JobContext, record: &ImportRecord) -> Result<Vec<String>, JobError> {
    let (raw, std) = (&*ctx.lake.raw, &*ctx.lake.std);
    let mut removed = Vec::new();
    for key in manifest::list_manifests(&ctx.lake, record.stream).await? {
        if !key.contains(&record.collection) {
            continue;
        }
        let own = manifest::read_manifest(&ctx.lake, &key).await?;
        // The manifest goes first: what no manifest names is nobody's.
        raw.delete(&key).await?;
        removed.push(key);
        for file in own.files {
            raw.delete(&file.key).await?;
            removed.push(file.key);
        }
    }
    let quarantine = quarantine_prefix(record.stream);
    for (store, prefix) in [(std, quarantine), (std, format!("{}/", record.folder()))] {
        let listing = store.list(&prefix).await?;
        let mut keys: Vec<String> = listing
            .map_ok(|meta| meta.key)
            .try_filter(|key| std::future::ready(key.contains(&record.collection)))
            .try_collect()
            .await?;
        keys.sort_by_key(|key| key.ends_with("record.json"));
        for key in keys {
            store.delete(&key).await?;
            if key.starts_with("quarantine/") {
                removed.push(key);
            }
        }
    }
    Ok(removed)
}

/// Where all quarantine files of a stream lie.
fn quarantine_prefix(stream: Stream) -> String {
    let key = quarantine_key(stream, jiff::civil::Date::ZERO, "");
    key.split("date=").next().unwrap_or_default().to_owned()
}
