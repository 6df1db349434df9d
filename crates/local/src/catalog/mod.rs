//! The local catalog: what crawlers found out about the tables of silver, for SQL and for the operator.
//!
//! It is Glue's Data Catalog on this machine: a small JSON document a table under `_catalog/tables/` (columns,
//! versions, totals) and one with its partitions and files under `_catalog/partitions/`, each replaced by an
//! atomic rename. A query reads only the first kind.
//!
//! What SQL makes of it: the columns of a silver table are those of its contract, which need no crawl, and
//! behind them those that a crawler saw in the files and the contract does not know. A folder of silver that
//! no contract names is a table as well: with the catalog's columns after a crawl, and before it with those
//! of its files. So a table is never unreadable because no crawler has run.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Changes of a table that are remembered.
const HISTORY: usize = 50;

/// A column by the catalog's names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CatalogColumn {
    /// Name.
    pub name: String,
    /// Type in Athena's catalog: `bigint`, `map<string,string>`.
    #[serde(rename = "type")]
    pub data_type: String,
}

/// What happened to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It was not known before.
    Created,
    /// Its columns, partitions or rows changed.
    Updated,
    /// Its files are gone.
    Deleted,
}

/// One version of a table: what changed, when, and who saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableChange {
    /// Version that the change made, from 1.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// The crawler that saw it.
    pub crawler: String,
    /// What happened.
    pub change: ChangeKind,
    /// Columns that were not known before.
    pub columns_added: Vec<CatalogColumn>,
    /// Columns that no file has any more.
    pub columns_removed: Vec<String>,
    /// Columns of another type: name, old type, new type.
    pub columns_changed: Vec<(String, String, String)>,
    /// Partitions that were not known before.
    pub partitions_added: u64,
    /// Partitions that are gone.
    pub partitions_removed: u64,
    /// Partitions whose files were replaced.
    pub partitions_changed: u64,
    /// Rows of the table after the change.
    pub rows: u64,
}

impl TableChange {
    /// The change in words: `2 partitions added, column plan (string) added`.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self.change {
            ChangeKind::Created => return "created".to_owned(),
            ChangeKind::Deleted => return "deleted".to_owned(),
            ChangeKind::Updated => {}
        }
        let mut words = Vec::new();
        for (count, what) in [
            (self.partitions_added, "added"),
            (self.partitions_removed, "removed"),
            (self.partitions_changed, "replaced"),
        ] {
            if count > 0 {
                let plural = if count == 1 { "" } else { "s" };
                words.push(format!("{count} partition{plural} {what}"));
            }
        }
        let added = self.columns_added.iter();
        words.extend(added.map(|one| format!("column {} ({}) added", one.name, one.data_type)));
        let removed = self.columns_removed.iter();
        words.extend(removed.map(|name| format!("column {name} removed")));
        let changed = self.columns_changed.iter();
        words.extend(changed.map(|(name, old, new)| format!("column {name} from {old} to {new}")));
        if words.is_empty() {
            words.push("rows changed".to_owned());
        }
        words.join(", ")
    }
}

/// A table of silver as the crawlers saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogTable {
    /// The name SQL knows it by: `affise_clicks`.
    pub name: String,
    /// Its folder: `silver/affise/clicks/`.
    pub location: String,
    /// Columns inside the files, in order.
    pub columns: Vec<CatalogColumn>,
    /// Columns in the folders' names.
    pub partition_keys: Vec<CatalogColumn>,
    /// Number of partitions.
    pub partitions: u64,
    /// Number of files.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Goes up with every change.
    pub version: u64,
    /// When it was first seen.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Its files are gone; it is kept for its history and for a comeback.
    pub deleted: bool,
    /// Changes, newest first.
    pub history: Vec<TableChange>,
}

impl CatalogTable {
    /// Notes a change as a new version.
    pub fn note(&mut self, mut change: TableChange) {
        self.version += 1;
        self.updated = change.at;
        change.version = self.version;
        self.history.insert(0, change);
        self.history.truncate(HISTORY);
    }
}

/// A file of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogFile {
    /// Bytes.
    pub bytes: u64,
    /// Last write.
    pub modified: Timestamp,
    /// Rows, from its footer.
    pub rows: u64,
    /// Its columns: a place in [`CatalogFiles::schemas`].
    pub schema: usize,
}

/// Every file of a table by its path below the table's folder: `date=2026-01-31/part-0.parquet`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogFiles {
    /// The different sets of columns that files have.
    pub schemas: Vec<Vec<CatalogColumn>>,
    /// Files by path.
    pub files: BTreeMap<String, CatalogFile>,
}

/// A partition with its totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogPartition {
    /// Values of the partition columns, in their order.
    pub values: Vec<String>,
    /// Number of files.
    pub files: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// Newest write.
    pub modified: Timestamp,
}

/// `date=2026-01-31` of `date=2026-01-31/part-0.parquet`; empty for a table without partitions.
#[must_use]
pub fn partition_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl CatalogFiles {
    /// The partitions, in the order of their folders.
    #[must_use]
    pub fn partitions(&self) -> Vec<CatalogPartition> {
        let mut partitions: BTreeMap<&str, CatalogPartition> = BTreeMap::new();
        for (path, file) in &self.files {
            let folder = partition_of(path);
            let partition = partitions
                .entry(folder)
                .or_insert_with(|| CatalogPartition {
                    values: folder
                        .split('/')
                        .filter_map(|part| Some(part.split_once('=')?.1.to_owned()))
                        .collect(),
                    files: 0,
                    rows: 0,
                    bytes: 0,
                    modified: file.modified,
                });
            partition.files += 1;
            partition.rows += file.rows;
            partition.bytes += file.bytes;
            partition.modified = partition.modified.max(file.modified);
        }
        partitions.into_values().collect()
    }
}

/// The catalog of a lake.
#[derive(Debug, Clone)]
pub struct Catalog {
    folder: PathBuf,
}

impl Catalog {
    /// The catalog of the lake whose std folder is given; nothing is made on disk.
    #[must_use]
    pub fn of_lake(std_dir: &Path) -> Self {
        Self {
            folder: std_dir.join("_catalog"),
        }
    }

    /// Folder of everything the catalog keeps.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn table_file(&self, name: &str) -> PathBuf {
        self.folder.join("tables").join(format!("{name}.json"))
    }

    fn files_file(&self, name: &str) -> PathBuf {
        self.folder.join("partitions").join(format!("{name}.json"))
    }

    /// What is known of a table, also of one that is gone. A damaged document counts as unknown: the next
    /// crawl writes it anew.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn table(&self, name: &str) -> io::Result<Option<CatalogTable>> {
        read_json(&self.table_file(name))
    }

    /// The files of a table.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn files(&self, name: &str) -> io::Result<Option<CatalogFiles>> {
        read_json(&self.files_file(name))
    }

    /// Every table that is not gone, by name.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn tables(&self) -> io::Result<Vec<CatalogTable>> {
        let mut tables: Vec<CatalogTable> = Vec::new();
        for name in self.names()? {
            tables.extend(self.table(&name)?.filter(|table| !table.deleted));
        }
        Ok(tables)
    }

    /// Names of all documents, in order, also of tables that are gone.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.folder.join("tables")) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| {
                Some(
                    entry
                        .file_name()
                        .to_str()?
                        .strip_suffix(".json")?
                        .to_owned(),
                )
            })
            .collect();
        names.sort();
        Ok(names)
    }

    /// Holds the table for one writer, until the value is dropped.
    ///
    /// # Errors
    /// When the lock cannot be taken.
    pub fn lock(&self, name: &str) -> io::Result<fs::File> {
        let folder = self.folder.join("tables");
        fs::create_dir_all(&folder)?;
        let lock = fs::File::create(folder.join(format!(".{name}.lock")))?;
        lock.lock()?;
        Ok(lock)
    }

    /// Writes a table; the files first, so that a table is never newer than its partitions.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn store(&self, table: &CatalogTable, files: &CatalogFiles) -> io::Result<()> {
        write_json(&self.files_file(&table.name), files)?;
        write_json(&self.table_file(&table.name), table)
    }
}

/// Reads a JSON document; `None` when there is none, or none that can be understood.
///
/// # Errors
/// When the file cannot be read.
pub fn read_json<T: DeserializeOwned>(file: &Path) -> io::Result<Option<T>> {
    match fs::read(file) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces a JSON document by an atomic rename; makes its folder.
///
/// # Errors
/// When the file cannot be written.
pub fn write_json<T: Serialize>(file: &Path, value: &T) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(&serde_json::to_vec(value)?)?;
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    Ok(())
}
