//! Parquet files that others wrote, as one table.
//!
//! A folder is read as Athena reads a table's location: every file counts whatever its name ends with, but those whose
//! name or folder begins with `_` or `.`; columns are found by name, in any case, and are NULL in a file that lacks them;
//! `key=value/` folders are columns. What cannot be read so is refused with the file's name: no file is left out in
//! silence.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::{
    catalog::{TableProvider, view::ViewTable},
    common::{Column, DataFusionError, Result as DataFusionResult, ScalarValue},
    datasource::{
        file_format::parquet::ParquetFormat,
        listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl},
        provider_as_source,
    },
    functions::core::expr_fn::coalesce,
    logical_expr::{Expr, LogicalPlanBuilder, lit},
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use url::Url;

/// Folder name of a partition whose value is NULL.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// A Parquet file's address and the columns it has.
struct File {
    path: PathBuf,
    schema: SchemaRef,
}

/// `key=value` of the folders on the way to a file, keys in lower case.
type Partition = Vec<(String, Option<String>)>;

/// The file, or the files of the folder, as one table.
///
/// # Errors
/// When there is no file, one is no Parquet, or two have types for a column that no type holds.
pub(super) fn provider(path: &Path) -> DataFusionResult<Arc<dyn TableProvider>> {
    let root = std::path::absolute(path)?;
    let groups = files(&root)?;
    if groups.is_empty() {
        return refused(format!("{} holds no Parquet file", root.display()));
    }
    let schema = union(groups.values().flatten())?;
    let keys = partition_types(groups.keys())?;
    if let Some((key, _)) = keys
        .iter()
        .find(|(key, _)| schema.fields().iter().any(|field| same(field.name(), key)))
    {
        return refused(format!(
            "{}: '{key}' is a column of the files and a key of the folders",
            root.display()
        ));
    }
    let mut plan: Option<LogicalPlanBuilder> = None;
    for (partition, files) in &groups {
        let rows = rows(files, &schema, partition, &keys)?;
        plan = Some(match plan {
            None => rows,
            Some(plan) => plan.union(rows.build()?)?,
        });
    }
    match plan {
        Some(plan) => Ok(Arc::new(ViewTable::new(plan.build()?, None))),
        None => refused(format!("{} holds no Parquet file", root.display())),
    }
}

fn refused<T>(message: String) -> DataFusionResult<T> {
    Err(DataFusionError::Plan(message))
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// The Parquet files below a root, by the partition they lie in.
fn files(root: &Path) -> DataFusionResult<BTreeMap<Partition, Vec<File>>> {
    let mut groups: BTreeMap<Partition, Vec<File>> = BTreeMap::new();
    if !root.is_dir() {
        groups.insert(Vec::new(), vec![open(root.to_owned())?]);
        return Ok(groups);
    }
    let mut folders = vec![(root.to_owned(), Partition::new())];
    while let Some((folder, partition)) = folders.pop() {
        let mut entries = fs::read_dir(&folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(['_', '.']) && !name.contains('=') {
                continue;
            }
            if entry.path().is_dir() {
                let mut inner = partition.clone();
                inner.extend(key_of(&name));
                folders.push((entry.path(), inner));
            } else {
                let file = open(entry.path())?;
                groups.entry(partition.clone()).or_default().push(file);
            }
        }
    }
    Ok(groups)
}

/// The key and value of a folder's name, where it is one.
fn key_of(name: &str) -> Option<(String, Option<String>)> {
    let (key, value) = name.split_once('=')?;
    let decoded = percent_decoded(value);
    Some((
        key.to_lowercase(),
        (decoded != NULL_PARTITION).then_some(decoded),
    ))
}

/// `%20` as a blank; what is no such code stays as it is.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = (*byte == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(code.unwrap_or(*byte));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

fn open(path: PathBuf) -> DataFusionResult<File> {
    let broken = |why: &dyn std::fmt::Display| {
        DataFusionError::Plan(format!("{} is no Parquet file: {why}", path.display()))
    };
    let mut file = fs::File::open(&path)?;
    let mut magic = [0; 4];
    file.read_exact(&mut magic)
        .map_err(|_| broken(&"it is shorter than four bytes"))?;
    if &magic != b"PAR1" {
        return Err(broken(&"it does not begin with PAR1"));
    }
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| broken(&error))?;
    let schema = Arc::clone(reader.schema());
    for (place, field) in schema.fields().iter().enumerate() {
        let twice = |other: &Arc<Field>| same(other.name(), field.name());
        if schema.fields().iter().take(place).any(twice) {
            return Err(DataFusionError::Plan(format!(
                "{} has two columns '{}' that differ by case only",
                path.display(),
                field.name().to_lowercase()
            )));
        }
    }
    Ok(File { path, schema })
}

/// The columns of all files: spelled as they are there, each in a type that holds all of its values.
fn union<'f>(files: impl Iterator<Item = &'f File>) -> DataFusionResult<SchemaRef> {
    let mut fields: Vec<(Field, &Path)> = Vec::new();
    for file in files {
        for field in file.schema.fields() {
            let Some((known, first)) = fields
                .iter_mut()
                .find(|(known, _)| same(known.name(), field.name()))
            else {
                let field = field.as_ref().clone().with_nullable(true);
                fields.push((field, &file.path));
                continue;
            };
            let Some(wider) = wider(known.data_type(), field.data_type()) else {
                return refused(format!(
                    "the column '{}' is {} in {} and {} in {}",
                    field.name(),
                    known.data_type(),
                    first.display(),
                    field.data_type(),
                    file.path.display()
                ));
            };
            *known = known.clone().with_data_type(wider);
        }
    }
    Ok(Arc::new(Schema::new(
        fields
            .into_iter()
            .map(|(field, _)| field)
            .collect::<Vec<_>>(),
    )))
}

/// A type that holds the values of both, without loss.
fn wider(one: &DataType, other: &DataType) -> Option<DataType> {
    use DataType as T;
    let text = |t: &T| matches!(t, T::Utf8 | T::LargeUtf8 | T::Utf8View);
    let small = |t: &T| matches!(t, T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16);
    Some(match (one, other) {
        (one, other) if one == other => one.clone(),
        (T::Null, known) | (known, T::Null) => known.clone(),
        (one, other) if text(one) && text(other) => T::Utf8,
        (T::UInt64, _) | (_, T::UInt64) => return None,
        (one, other) if one.is_integer() && other.is_integer() => T::Int64,
        (T::Float32, T::Float64) | (T::Float64, T::Float32) => T::Float64,
        (float, int) | (int, float) if float.is_floating() && small(int) => T::Float64,
        (T::Timestamp(_, a), T::Timestamp(_, b)) if a == b => {
            T::Timestamp(TimeUnit::Microsecond, a.clone())
        }
        _ => return None,
    })
}

/// The keys of the folders and their types: whole numbers, days, or text.
fn partition_types<'p>(
    partitions: impl Iterator<Item = &'p Partition>,
) -> DataFusionResult<Vec<(String, DataType)>> {
    let partitions: Vec<&Partition> = partitions.collect();
    let keys: Vec<&str> = partitions
        .first()
        .map(|first| first.iter().map(|(key, _)| key.as_str()).collect())
        .unwrap_or_default();
    if let Some(other) = partitions.iter().find(|one| {
        one.iter()
            .map(|(key, _)| key.as_str())
            .ne(keys.iter().copied())
    }) {
        let other: Vec<&str> = other.iter().map(|(key, _)| key.as_str()).collect();
        return refused(format!(
            "some files lie below the keys ({}) and others below ({})",
            keys.join(", "),
            other.join(", ")
        ));
    }
    let typed = keys.iter().enumerate().map(|(place, key)| {
        let values = || partitions.iter().filter_map(|one| one[place].1.as_deref());
        let data_type = if values().all(|value| value.parse::<i64>().is_ok()) {
            DataType::Int64
        } else if values().all(|value| value.parse::<jiff::civil::Date>().is_ok()) {
            DataType::Date32
        } else {
            DataType::Utf8
        };
        ((*key).to_owned(), data_type)
    });
    Ok(typed.collect())
}

/// The rows of a partition's files, every column of the table by its lower-case name.
fn rows(
    files: &[File],
    schema: &SchemaRef,
    partition: &Partition,
    keys: &[(String, DataType)],
) -> DataFusionResult<LogicalPlanBuilder> {
    // A column is spelled in one way here and in another there: each spelling is read, and the one that is there counts.
    let mut read: Vec<Field> = Vec::new();
    for field in files.iter().flat_map(|file| file.schema.fields()) {
        let column = schema
            .fields()
            .iter()
            .find(|one| same(one.name(), field.name()));
        if let Some(column) = column
            && !read.iter().any(|known| known.name() == field.name())
        {
            read.push(column.as_ref().clone().with_name(field.name()));
        }
    }
    let urls = files.iter().map(|file| {
        let url = Url::from_file_path(&file.path);
        let url = url.map_err(|()| {
            DataFusionError::Plan(format!("{} has no address", file.path.display()))
        })?;
        ListingTableUrl::try_new(url, None)
    });
    let options = ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension("");
    let config = ListingTableConfig::new_with_multi_paths(urls.collect::<DataFusionResult<_>>()?)
        .with_listing_options(options)
        .with_schema(Arc::new(Schema::new(read.clone())));
    let table = provider_as_source(Arc::new(ListingTable::try_new(config)?));
    let column = |field: &Field| Expr::Column(Column::new_unqualified(field.name()));
    let mut columns: Vec<Expr> = Vec::new();
    for field in schema.fields() {
        let spelled: Vec<Expr> = read
            .iter()
            .filter(|one| same(one.name(), field.name()))
            .map(column)
            .collect();
        let value = match spelled.as_slice() {
            [] => lit(ScalarValue::try_from(field.data_type())?),
            [one] => one.clone(),
            _ => coalesce(spelled),
        };
        columns.push(value.alias(field.name().to_lowercase()));
    }
    for ((key, data_type), (_, value)) in keys.iter().zip(partition) {
        let value = match value {
            Some(value) => ScalarValue::try_from_string(value.clone(), data_type)?,
            None => ScalarValue::try_from(data_type)?,
        };
        columns.push(lit(value).alias(key));
    }
    LogicalPlanBuilder::scan("files", table, None)?.project(columns)
}
