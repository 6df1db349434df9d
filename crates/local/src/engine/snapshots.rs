//! The versions of a gold table: what each changed, and the way back to one.
//!
//! Every statement that changes a table is one entry of its Delta log, so a version is a snapshot. What an entry
//! changed is read from the files it added and took away; a statement that rewrites a file counts its kept
//! rows on both sides. Going back is an entry more, never one less.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    LocalEngine, Session,
    error::{EngineError, refused},
    write::Target,
};
use lakehand_ops::Snapshot;
use lakehand_pipeline::ports::QueryError;

/// A file of a version.
#[derive(Debug, Clone, Copy)]
struct DataFile {
    rows: Option<u64>,
    bytes: u64,
}

impl LocalEngine {
    /// The versions of a table, newest first, as far back as its log goes.
    ///
    /// # Errors
    /// [`QueryError::Refused`] when there is no such table; [`QueryError::Failed`] when its log cannot be read.
    pub async fn snapshots(&self, table: &str) -> Result<Vec<Snapshot>, QueryError> {
        let read = async {
            let target = Target::open(&self.session, table).await?;
            let folder = self.session.tables.delta_dir(table);
            let version = target.table.version();
            let read = tokio::task::spawn_blocking(move || read_log(&folder));
            let mut snapshots = read.await.map_err(io::Error::other)??;
            for snapshot in &mut snapshots {
                snapshot.current = version == Some(snapshot.version);
            }
            snapshots.reverse();
            Ok(snapshots)
        };
        read.await
            .map_err(|error: EngineError| error.into_query_error(""))
    }

    /// Puts a version's rows back by a new commit, and returns that commit's snapshot.
    ///
    /// # Errors
    /// [`QueryError::Refused`] when there is no such table or version, it is the current one, or its files were
    /// removed; [`QueryError::Conflict`] when somebody else commits at the same time.
    pub async fn restore(&self, table: &str, version: u64) -> Result<Snapshot, QueryError> {
        let snapshots = self.snapshots(table).await?;
        let chosen = snapshots
            .iter()
            .find(|snapshot| snapshot.version == version);
        let why = match chosen {
            None => Some("there is no such snapshot in the table's log".to_owned()),
            Some(chosen) if chosen.current => Some("it is the current one".to_owned()),
            Some(chosen) if !chosen.restorable => {
                Some("files of it were removed by VACUUM".to_owned())
            }
            Some(_) => None,
        };
        if let Some(why) = why {
            return Err(QueryError::Refused {
                code: "INVALID_SNAPSHOT",
                message: format!("'{table}' cannot go back to snapshot {version}: {why}"),
            });
        }
        let restored = restore(&self.session, table, version).await;
        restored.map_err(|error| error.into_query_error(""))?;
        let newest = self.snapshots(table).await?.into_iter().next();
        newest.ok_or_else(|| QueryError::Failed {
            message: format!("the log of '{table}' is empty after it went back"),
            transient: false,
        })
    }
}

async fn restore(session: &Session, table: &str, version: u64) -> Result<(), EngineError> {
    let target = Target::open(session, table).await?;
    let restore = target.table.restore().with_version_to_restore(version);
    // As with any commit: once begun it runs to its end.
    let restored = tokio::spawn(restore.into_future()).await;
    restored.map_err(io::Error::other)?.map_err(|error| {
        if matches!(error, deltalake::DeltaTableError::Transaction { .. }) {
            return EngineError::from(error);
        }
        refused("INVALID_SNAPSHOT", error.to_string())
    })?;
    Ok(())
}

/// Every entry of a log, oldest first.
fn read_log(folder: &Path) -> io::Result<Vec<Snapshot>> {
    let mut entries: BTreeMap<u64, PathBuf> = BTreeMap::new();
    for entry in fs::read_dir(folder.join("_delta_log"))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let version = name.and_then(|name| name.strip_suffix(".json")?.parse().ok());
        if let Some(version) = version {
            entries.insert(version, path);
        }
    }
    // Older entries may have been cleaned up behind a checkpoint; totals are known only from the first one on.
    let mut known = entries.keys().next() == Some(&0);
    let mut files: HashMap<String, DataFile> = HashMap::new();
    let mut snapshots: Vec<(Snapshot, Vec<String>)> = Vec::with_capacity(entries.len());
    for (version, path) in entries {
        let text = fs::read_to_string(path)?;
        let mut snapshot = entry_of(version, &text, &mut files);
        let rows = files.values().map(|file| file.rows).sum::<Option<u64>>();
        known &= snapshot.rows_removed.is_some();
        if known {
            snapshot.rows = rows;
            snapshot.bytes = Some(files.values().map(|file| file.bytes).sum());
        }
        snapshots.push((snapshot, files.keys().cloned().collect()));
    }
    Ok(snapshots
        .into_iter()
        .map(|(mut snapshot, files)| {
            snapshot.restorable = known && files.iter().all(|file| folder.join(file).exists());
            snapshot
        })
        .collect())
}

/// What one entry says; brings `files` up to date.
fn entry_of(version: u64, text: &str, files: &mut HashMap<String, DataFile>) -> Snapshot {
    let mut snapshot = Snapshot {
        version,
        at: Timestamp::UNIX_EPOCH,
        operation: String::new(),
        rows_added: Some(0),
        rows_removed: Some(0),
        files_added: 0,
        files_removed: 0,
        rows: None,
        bytes: None,
        current: false,
        restorable: false,
    };
    let add = |sum: Option<u64>, rows: Option<u64>| Some(sum? + rows?);
    for line in text.lines() {
        let Ok(action) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        if let Some(info) = action.get("commitInfo") {
            let at = info.get("timestamp").and_then(Value::as_i64).unwrap_or(0);
            snapshot.at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
            snapshot.operation = operation(info);
        }
        if let Some((path, action)) = file_of(&action, "add") {
            let stats = action.get("stats").and_then(Value::as_str);
            let stats = stats.and_then(|stats| serde_json::from_str::<Value>(stats).ok());
            let rows = stats.and_then(|stats| stats.get("numRecords")?.as_u64());
            let bytes = action.get("size").and_then(Value::as_u64).unwrap_or(0);
            files.insert(path, DataFile { rows, bytes });
            snapshot.files_added += 1;
            snapshot.rows_added = add(snapshot.rows_added, rows);
        }
        if let Some((path, _)) = file_of(&action, "remove") {
            let rows = files.remove(&path).and_then(|file| file.rows);
            snapshot.files_removed += 1;
            snapshot.rows_removed = add(snapshot.rows_removed, rows);
        }
    }
    snapshot
}

/// The path of an action on a file, as it lies in the table's folder.
fn file_of<'a>(action: &'a Value, kind: &str) -> Option<(String, &'a Value)> {
    let action = action.get(kind)?;
    let path = action.get("path")?.as_str()?;
    // Paths in the log are URI-encoded.
    let decoded = url::Url::parse(&format!("file:///{path}"))
        .ok()
        .and_then(|url| url.to_file_path().ok())
        .and_then(|path| Some(path.strip_prefix("/").ok()?.to_str()?.to_owned()));
    Some((decoded.unwrap_or_else(|| path.to_owned()), action))
}

/// `MERGE`; a restore says where it went.
fn operation(info: &Value) -> String {
    let name = info.get("operation").and_then(Value::as_str).unwrap_or("?");
    let version = info
        .get("operationParameters")
        .and_then(|parameters| parameters.get("version"));
    match version {
        Some(version) if name == "RESTORE" => {
            format!("RESTORE to {}", version.to_string().trim_matches('"'))
        }
        _ => name.to_owned(),
    }
}
