//! What a crawl does: list a prefix, read the footers of new files, bring the catalog up to date.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::StreamExt;
use jiff::Timestamp;
use parquet::{arrow::parquet_to_arrow_schema, file::metadata::ParquetMetaDataReader};
use tokio_util::sync::CancellationToken;

use crate::catalog::{
    Catalog, CatalogColumn, CatalogFile, CatalogFiles, CatalogTable, ChangeKind, TableChange,
    partition_of,
};
use lakehand_host::catalog_types::{catalog_type, widened};
use lakehand_pipeline::{dataset::SilverTable, ports::ObjectStore, window::parse_date};

/// One look over a prefix.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) catalog: Catalog,
    /// Name of the crawler, for the tables' histories.
    pub(super) crawler: String,
    /// `silver/affise/`.
    pub(super) prefix: String,
    pub(super) now: Timestamp,
    pub(super) stop: CancellationToken,
}

/// What a look found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) created: Vec<String>,
    pub(super) updated: Vec<String>,
    pub(super) deleted: Vec<String>,
    pub(super) partitions_added: u64,
    pub(super) partitions_removed: u64,
    pub(super) files_read: u64,
    /// What could not be read; the rest was looked at all the same.
    pub(super) errors: Vec<String>,
    pub(super) stopped: bool,
}

/// A listed file.
#[derive(Debug, Clone)]
struct Listed {
    /// Below the table's folder.
    path: String,
    /// On this machine.
    file: PathBuf,
    bytes: u64,
    modified: Timestamp,
}

/// A table's folder and what lies in it.
#[derive(Debug, Clone)]
struct Folder {
    name: String,
    location: String,
    files: Vec<Listed>,
}

/// `silver/affise/clicks/`, `affise_clicks` and the path inside, for the key of a table's file.
fn table_of(key: &str) -> Option<(String, String, &str)> {
    let hidden = |part: &str| part.starts_with(['_', '.']);
    let mut parts = key.splitn(4, '/');
    let ("silver", source, table, path) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?)
    else {
        return None;
    };
    let folders = partition_of(path);
    let partitioned = folders.is_empty() || folders.split('/').all(|part| part.contains('='));
    let fits = path.ends_with(".parquet") && partitioned && !key.split('/').any(hidden);
    fits.then(|| {
        (
            format!("silver/{source}/{table}/"),
            SilverTable::name_of_folder(source, table),
            path,
        )
    })
}

impl Look {
    /// Looks at every table of the prefix.
    ///
    /// # Errors
    /// When the prefix cannot be listed or the catalog cannot be written.
    pub(super) async fn run(&self) -> Result<Found, String> {
        let folders = self.folders().await?;
        let mut found = Found::default();
        let seen: BTreeSet<String> = folders.iter().map(|folder| folder.name.clone()).collect();
        for folder in folders {
            if self.stop.is_cancelled() {
                found.stopped = true;
                return Ok(found);
            }
            let work = TableLook {
                catalog: self.catalog.clone(),
                crawler: self.crawler.clone(),
                now: self.now,
                stop: self.stop.clone(),
            };
            let name = folder.name.clone();
            let outcome = tokio::task::spawn_blocking(move || work.table(&folder)).await;
            match outcome.map_err(|stopped| stopped.to_string())? {
                Ok(Some(outcome)) => found.add(name, outcome),
                Ok(None) => {
                    found.stopped = true;
                    return Ok(found);
                }
                Err(TableTrouble::Unreadable(why)) => found.errors.push(why),
                Err(TableTrouble::Catalog(error)) => {
                    return Err(format!("could not write the catalog of {name}: {error}"));
                }
            }
        }
        self.note_deleted(&seen, &mut found)
            .map_err(|error| format!("could not write the catalog: {error}"))?;
        Ok(found)
    }

    async fn folders(&self) -> Result<Vec<Folder>, String> {
        let failed = |error: lakehand_pipeline::ports::StoreError| error.to_string();
        let mut folders: BTreeMap<String, Folder> = BTreeMap::new();
        let mut listing = self.store.list(&self.prefix).await.map_err(failed)?;
        while let Some(object) = listing.next().await {
            let object = object.map_err(failed)?;
            let (Some((location, name, path)), Some(file)) =
                (table_of(&object.key), self.store.local_path(&object.key))
            else {
                continue;
            };
            let folder = folders.entry(location.clone()).or_insert_with(|| Folder {
                name,
                location,
                files: Vec::new(),
            });
            folder.files.push(Listed {
                path: path.to_owned(),
                file,
                bytes: object.size,
                modified: object.modified,
            });
        }
        Ok(folders.into_values().collect())
    }

    fn note_deleted(&self, seen: &BTreeSet<String>, found: &mut Found) -> io::Result<()> {
        for name in self.catalog.names()? {
            if seen.contains(&name) {
                continue;
            }
            let _lock = self.catalog.lock(&name)?;
            let Some(mut table) = self.catalog.table(&name)? else {
                continue;
            };
            if table.deleted || !table.location.starts_with(&self.prefix) {
                continue;
            }
            found.partitions_removed += table.partitions;
            let mut change = no_change(&self.crawler, self.now, ChangeKind::Deleted);
            change.partitions_removed = table.partitions;
            table.deleted = true;
            (table.partitions, table.files, table.rows, table.bytes) = (0, 0, 0, 0);
            table.note(change);
            self.catalog.store(&table, &CatalogFiles::default())?;
            found.deleted.push(name);
        }
        Ok(())
    }
}

impl Found {
    fn add(&mut self, name: String, outcome: Outcome) {
        self.files_read += outcome.files_read;
        let Some(change) = outcome.change else { return };
        self.partitions_added += change.partitions_added;
        self.partitions_removed += change.partitions_removed;
        match change.change {
            ChangeKind::Created => self.created.push(name),
            ChangeKind::Updated => self.updated.push(name),
            ChangeKind::Deleted => self.deleted.push(name),
        }
    }
}

fn no_change(crawler: &str, at: Timestamp, change: ChangeKind) -> TableChange {
    TableChange {
        version: 0,
        at,
        crawler: crawler.to_owned(),
        change,
        columns_added: Vec::new(),
        columns_removed: Vec::new(),
        columns_changed: Vec::new(),
        partitions_added: 0,
        partitions_removed: 0,
        partitions_changed: 0,
        rows: 0,
    }
}

/// Why a table could not be brought up to date.
#[derive(Debug)]
enum TableTrouble {
    /// A file of it is no Parquet file, or cannot be read.
    Unreadable(String),
    /// The catalog cannot be written.
    Catalog(io::Error),
}

impl From<io::Error> for TableTrouble {
    fn from(error: io::Error) -> Self {
        Self::Catalog(error)
    }
}

struct Outcome {
    change: Option<TableChange>,
    files_read: u64,
}

/// The look at one table, where it may block.
struct TableLook {
    catalog: Catalog,
    crawler: String,
    now: Timestamp,
    stop: CancellationToken,
}

impl TableLook {
    /// Brings one table up to date; `None` when it was stopped.
    fn table(&self, folder: &Folder) -> Result<Option<Outcome>, TableTrouble> {
        let _lock = self.catalog.lock(&folder.name)?;
        let old = self.catalog.table(&folder.name)?;
        let old_files = match &old {
            Some(old) if !old.deleted => self.catalog.files(&folder.name)?.unwrap_or_default(),
            _ => CatalogFiles::default(),
        };
        let Some((files, files_read)) = self.files(folder, &old_files)? else {
            return Ok(None);
        };
        let new = self.described(folder, &files, old.as_ref());
        let change = difference(
            no_change(&self.crawler, self.now, ChangeKind::Updated),
            old.as_ref(),
            &old_files,
            &new,
            &files,
        );
        if let Some(change) = &change {
            let mut new = new;
            new.note(change.clone());
            self.catalog.store(&new, &files)?;
        }
        Ok(Some(Outcome { change, files_read }))
    }

    /// The files as they are, and how many had to be opened for it.
    fn files(
        &self,
        folder: &Folder,
        old: &CatalogFiles,
    ) -> Result<Option<(CatalogFiles, u64)>, TableTrouble> {
        let mut files = CatalogFiles::default();
        let mut opened = 0;
        for listed in &folder.files {
            if self.stop.is_cancelled() {
                return Ok(None);
            }
            let known = old
                .files
                .get(&listed.path)
                .filter(|known| known.bytes == listed.bytes && known.modified == listed.modified)
                .and_then(|known| Some((known.rows, old.schemas.get(known.schema)?.clone())));
            let (rows, columns) = match known {
                Some(known) => known,
                None => {
                    opened += 1;
                    match footer(&listed.file) {
                        Ok(read) => read,
                        // Replaced or removed between the listing and now.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                        Err(error) => {
                            return Err(TableTrouble::Unreadable(format!(
                                "{}{} cannot be read: {error}; collect and normalise its day again, or remove it",
                                folder.location, listed.path
                            )));
                        }
                    }
                }
            };
            let place = files.schemas.iter().position(|schema| *schema == columns);
            let schema = place.unwrap_or_else(|| {
                files.schemas.push(columns);
                files.schemas.len() - 1
            });
            files.files.insert(
                listed.path.clone(),
                CatalogFile {
                    bytes: listed.bytes,
                    modified: listed.modified,
                    rows,
                    schema,
                },
            );
        }
        Ok(Some((files, opened)))
    }

    fn described(
        &self,
        folder: &Folder,
        files: &CatalogFiles,
        old: Option<&CatalogTable>,
    ) -> CatalogTable {
        let partition_keys = partition_keys(files);
        let old_columns = old.map_or(&[][..], |old| &old.columns);
        let mut columns = merged(old_columns, files);
        columns.retain(|column| partition_keys.iter().all(|key| key.name != column.name));
        let partitions: BTreeSet<&str> =
            files.files.keys().map(|path| partition_of(path)).collect();
        CatalogTable {
            name: folder.name.clone(),
            location: folder.location.clone(),
            columns,
            partitions: if partition_keys.is_empty() {
                0
            } else {
                partitions.len() as u64
            },
            partition_keys,
            files: files.files.len() as u64,
            rows: files.files.values().map(|file| file.rows).sum(),
            bytes: files.files.values().map(|file| file.bytes).sum(),
            version: old.map_or(0, |old| old.version),
            created: old.map_or(self.now, |old| old.created),
            updated: old.map_or(self.now, |old| old.updated),
            deleted: false,
            history: old.map_or_else(Vec::new, |old| old.history.clone()),
        }
    }
}

/// Rows and columns by the file's own footer.
fn footer(path: &Path) -> io::Result<(u64, Vec<CatalogColumn>)> {
    let file = File::open(path)?;
    let metadata = ParquetMetaDataReader::new()
        .parse_and_finish(&file)
        .map_err(io::Error::other)?;
    let metadata = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(metadata.schema_descr(), metadata.key_value_metadata())
        .map_err(io::Error::other)?;
    let columns = schema.fields().iter().map(|field| CatalogColumn {
        name: field.name().to_lowercase(),
        data_type: catalog_type(field.data_type()),
    });
    Ok((
        u64::try_from(metadata.num_rows()).unwrap_or(0),
        columns.collect(),
    ))
}

/// The columns in the folders' names: a date where every value is one.
fn partition_keys(files: &CatalogFiles) -> Vec<CatalogColumn> {
    let mut keys: Vec<CatalogColumn> = Vec::new();
    for path in files.files.keys() {
        let parts = partition_of(path)
            .split('/')
            .filter_map(|part| part.split_once('='));
        for (place, (name, value)) in parts.enumerate() {
            if place == keys.len() {
                keys.push(CatalogColumn {
                    name: name.to_owned(),
                    data_type: "date".to_owned(),
                });
            }
            if parse_date(value).is_err() {
                keys[place].data_type = "string".to_owned();
            }
        }
    }
    keys
}

/// The columns of all files: those known before keep their places, new ones follow.
fn merged(old: &[CatalogColumn], files: &CatalogFiles) -> Vec<CatalogColumn> {
    let mut types: BTreeMap<&str, String> = BTreeMap::new();
    for column in files.schemas.iter().flatten() {
        types
            .entry(&column.name)
            .and_modify(|present| *present = widened(present, &column.data_type))
            .or_insert_with(|| column.data_type.clone());
    }
    let order = old.iter().chain(files.schemas.iter().flatten());
    let mut columns = Vec::with_capacity(types.len());
    for column in order {
        if let Some(data_type) = types.remove(column.name.as_str()) {
            columns.push(CatalogColumn {
                name: column.name.clone(),
                data_type,
            });
        }
    }
    columns
}

/// What changed; `None` when nothing did.
fn difference(
    mut change: TableChange,
    old: Option<&CatalogTable>,
    old_files: &CatalogFiles,
    new: &CatalogTable,
    files: &CatalogFiles,
) -> Option<TableChange> {
    change.rows = new.rows;
    let folders = |files: &CatalogFiles| -> BTreeMap<String, Vec<(String, u64, Timestamp)>> {
        let mut folders: BTreeMap<String, Vec<(String, u64, Timestamp)>> = BTreeMap::new();
        for (path, file) in &files.files {
            folders
                .entry(partition_of(path).to_owned())
                .or_default()
                .push((path.clone(), file.bytes, file.modified));
        }
        folders
    };
    let (before, after) = (folders(old_files), folders(files));
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let added = after.keys().filter(|key| !before.contains_key(*key));
    let removed = before.keys().filter(|key| !after.contains_key(*key));
    let replaced = after
        .iter()
        .filter(|(key, files)| before.get(*key).is_some_and(|before| before != *files));
    let (added, removed, replaced) = (added.count(), removed.count(), replaced.count());
    if !new.partition_keys.is_empty() {
        change.partitions_added = count(added);
        change.partitions_removed = count(removed);
        change.partitions_changed = count(replaced);
    }
    let Some(old) = old.filter(|old| !old.deleted) else {
        change.change = ChangeKind::Created;
        change.columns_added = new.columns.clone();
        return Some(change);
    };
    let type_in = |columns: &[CatalogColumn], name: &str| {
        let column = columns.iter().find(|column| column.name == name);
        column.map(|column| column.data_type.clone())
    };
    for column in &new.columns {
        match type_in(&old.columns, &column.name) {
            None => change.columns_added.push(column.clone()),
            Some(before) if before != column.data_type => {
                change
                    .columns_changed
                    .push((column.name.clone(), before, column.data_type.clone()))
            }
            Some(_) => {}
        }
    }
    for column in &old.columns {
        if type_in(&new.columns, &column.name).is_none() {
            change.columns_removed.push(column.name.clone());
        }
    }
    let same = added + removed + replaced == 0
        && old.columns == new.columns
        && old.partition_keys == new.partition_keys
        && old_files.files.len() == files.files.len();
    (!same).then_some(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_a_table_are_counted() {
        let named = |key: &str| table_of(key).map(|(_, name, path)| format!("{name} {path}"));
        assert_eq!(
            named("silver/affise/clicks/date=2026-01-01/part-0.parquet").as_deref(),
            Some("affise_clicks date=2026-01-01/part-0.parquet")
        );
        assert_eq!(
            named("silver/affise/offers/part-0.parquet").as_deref(),
            Some("affise_offers part-0.parquet")
        );
        assert_eq!(
            named("silver/ga4/traffic/date=2026-01-01/part-0.parquet").as_deref(),
            Some("ga_traffic date=2026-01-01/part-0.parquet")
        );
        for key in [
            "silver/affise/offers/_quarantine.ndjson",
            "silver/affise/clicks/_old/part-0.parquet",
            "silver/affise/clicks/date=2026-01-01/.part-0.parquet",
            "silver/affise/clicks/january/part-0.parquet",
            "silver/readme.parquet",
            "gold/affise/clicks/part-0.parquet",
        ] {
            assert_eq!(named(key), None, "{key}");
        }
    }

    #[test]
    fn columns_keep_their_places_and_types_are_widened() {
        let column = |name: &str, data_type: &str| CatalogColumn {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
        };
        let files = CatalogFiles {
            schemas: vec![
                vec![column("b", "int"), column("a", "string")],
                vec![column("new", "date"), column("b", "bigint")],
            ],
            files: BTreeMap::new(),
        };
        let old = [
            column("a", "string"),
            column("gone", "string"),
            column("b", "int"),
        ];
        assert_eq!(
            merged(&old, &files),
            [
                column("a", "string"),
                column("b", "bigint"),
                column("new", "date")
            ]
        );
    }
}
