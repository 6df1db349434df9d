//! Parquet parts of a silver table: writing row groups, copying them unread, reading them back.

use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{array::new_null_array, datatypes::SchemaRef, record_batch::RecordBatch};
use parquet::{
    arrow::{
        ArrowSchemaConverter, ProjectionMask,
        arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
        arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves},
    },
    basic::{Compression, Encoding, ZstdLevel},
    column::writer::ColumnCloseResult,
    errors::ParquetError,
    file::{
        metadata::{KeyValue, ParquetMetaData},
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr},
        reader::FileReader,
        serialized_reader::SerializedFileReader,
        writer::SerializedFileWriter,
    },
    schema::types::ColumnPath,
};

use super::contract::{self, Column, Kind, report::Contract};
use crate::dataset::SilverTable;
use crate::jobs::{ErrorType, JobError};

/// Rows of a row group that is full; also what a small row group is measured by.
pub(super) const ROW_GROUP_ROWS: usize = 32_768;
/// A row group smaller than this is written anew together with its neighbours, instead of being copied.
const SMALL_ROW_GROUP: i64 = 8_192;
/// Rows read back at a time.
const READ_ROWS: usize = 8_192;
/// zstd's fastest level: a fifth larger than level 3, at half the time.
const ZSTD_LEVEL: i32 = 1;

/// A failure on a staged or stored file.
pub(super) fn broken(action: &str, path: &Path, why: impl std::fmt::Display) -> JobError {
    let path = path.display();
    JobError::new(
        ErrorType::StorageError,
        format!(
            "could not {action} {path}: {why}; check that the disk has room and the folder is writable"
        ),
    )
}

/// How the files of a table are written.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The table.
    pub table: SilverTable,
    /// The column that tells its rows apart.
    pub key: &'static str,
    /// Its columns, without the three of every table.
    pub columns: &'static [Column],
    /// Its Arrow schema.
    pub schema: SchemaRef,
    properties: WriterPropertiesPtr,
}

impl Layout {
    /// The layout of a table whose columns are written down.
    pub fn new(table: SilverTable) -> Self {
        Self::of(&Contract::fixed(table))
    }

    /// The layout of a table by its contract.
    pub fn of(contract: &Contract) -> Self {
        let table = contract.table;
        let zstd = ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default();
        let mut builder = WriterProperties::builder()
            .set_compression(Compression::ZSTD(zstd))
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true)
            .set_max_row_group_row_count(Some(usize::MAX))
            .set_created_by(concat!("lakehand ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(vec![KeyValue::new(
                "contract_version".to_owned(),
                contract.version.to_string(),
            )]));
        for column in contract.columns {
            let path = ColumnPath::from(column.name);
            if column.distinct {
                builder = builder.set_column_dictionary_enabled(path.clone(), false);
            }
            if matches!(column.kind, Kind::Instant | Kind::Int) {
                builder =
                    builder.set_column_statistics_enabled(path.clone(), EnabledStatistics::Chunk);
            }
            if column.kind == Kind::Instant && column.distinct {
                builder = builder.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            }
        }
        Self {
            table,
            key: contract::key(table),
            columns: contract.columns,
            schema: contract.schema(),
            properties: Arc::new(builder.build()),
        }
    }
}

/// Writes one part file.
pub(super) struct PartWriter<'l> {
    layout: &'l Layout,
    path: PathBuf,
    writer: SerializedFileWriter<BufWriter<File>>,
    factory: ArrowRowGroupWriterFactory,
    open: Vec<ArrowColumnWriter>,
    open_rows: usize,
    groups: usize,
    /// Rows written and buffered.
    pub rows: u64,
}

impl<'l> PartWriter<'l> {
    /// Starts a file at `path`.
    ///
    /// # Errors
    /// A storage error when the file cannot be made.
    pub fn create(layout: &'l Layout, path: &Path) -> Result<Self, JobError> {
        let failed = |why: &dyn std::fmt::Display| broken("write", path, why);
        let file = File::create(path).map_err(|why| failed(&why))?;
        let root = ArrowSchemaConverter::new()
            .convert(&layout.schema)
            .map_err(|why| failed(&why))?
            .root_schema_ptr();
        let writer = SerializedFileWriter::new(
            BufWriter::with_capacity(1 << 16, file),
            root,
            Arc::clone(&layout.properties),
        )
        .map_err(|why| failed(&why))?;
        let factory = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(&layout.schema));
        Ok(Self {
            layout,
            path: path.to_owned(),
            writer,
            factory,
            open: Vec::new(),
            open_rows: 0,
            groups: 0,
            rows: 0,
        })
    }

    /// Adds rows; they go out as a row group when there are enough.
    ///
    /// # Errors
    /// A storage error.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), JobError> {
        self.encode(batch)
            .map_err(|why| broken("write", &self.path, why))?;
        if self.open_rows >= ROW_GROUP_ROWS {
            self.end_group()?;
        }
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if self.open.is_empty() {
            self.open = self.factory.create_column_writers(self.groups)?;
        }
        for ((field, column), writer) in self
            .layout
            .schema
            .fields()
            .iter()
            .zip(batch.columns())
            .zip(&mut self.open)
        {
            for leaf in compute_leaves(field, column)? {
                writer.write(&leaf)?;
            }
        }
        self.open_rows += batch.num_rows();
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// A storage error.
    pub fn end_group(&mut self) -> Result<(), JobError> {
        if self.open_rows == 0 {
            return Ok(());
        }
        self.open_rows = 0;
        self.groups += 1;
        let columns = std::mem::take(&mut self.open);
        let write = |writer: &mut SerializedFileWriter<_>| -> Result<(), ParquetError> {
            let mut group = writer.next_row_group()?;
            for column in columns {
                column.close()?.append_to_row_group(&mut group)?;
            }
            group.close().map(|_| ())
        };
        write(&mut self.writer).map_err(|why| broken("write", &self.path, why))
    }

    /// Adds every row of another part. Large row groups are copied as they are.
    ///
    /// # Errors
    /// A storage error, also when the other part cannot be read.
    pub fn append_part(&mut self, other: &Path) -> Result<(), JobError> {
        let failed = |why: &dyn std::fmt::Display| broken("read", other, why);
        let file = File::open(other).map_err(|why| failed(&why))?;
        let reader = SerializedFileReader::new(file.try_clone().map_err(|why| failed(&why))?)
            .map_err(|why| failed(&why))?;
        let metadata = reader.metadata();
        let same = metadata.file_metadata().schema_descr().root_schema()
            == self.writer.schema_descr().root_schema();
        for (at, group) in metadata.row_groups().iter().enumerate() {
            if same && group.num_rows() >= SMALL_ROW_GROUP {
                self.end_group()?;
                self.copy_group(&file, metadata, at)
                    .map_err(|why| broken("write", &self.path, why))?;
            } else {
                for batch in read(other, self.layout, None, Some(vec![at]))? {
                    self.push(&batch?)?;
                }
            }
        }
        Ok(())
    }

    fn copy_group(
        &mut self,
        file: &File,
        metadata: &ParquetMetaData,
        at: usize,
    ) -> Result<(), ParquetError> {
        let from = metadata.row_group(at);
        let mut group = self.writer.next_row_group()?;
        for column in from.columns() {
            let close = ColumnCloseResult {
                bytes_written: column.compressed_size() as u64,
                rows_written: from.num_rows() as u64,
                metadata: column.clone(),
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            };
            group.append_column(file, close)?;
        }
        group.close()?;
        self.groups += 1;
        self.rows += from.num_rows() as u64;
        Ok(())
    }

    /// Ends the file; it is on the disk when this returns.
    ///
    /// # Errors
    /// A storage error.
    pub fn finish(mut self) -> Result<u64, JobError> {
        self.end_group()?;
        let path = self.path;
        let file = self
            .writer
            .into_inner()
            .map_err(|why| broken("write", &path, why))?;
        let file = file
            .into_inner()
            .map_err(|why| broken("write", &path, why))?;
        file.sync_data()
            .map_err(|why| broken("write", &path, why))?;
        Ok(self.rows)
    }
}

/// The batches of a part in the layout's schema, or of the named columns alone.
pub(super) struct PartBatches {
    path: PathBuf,
    inner: ParquetRecordBatchReader,
    schema: SchemaRef,
}

/// Opens a part for reading: all columns or `columns`, all row groups or `groups`.
///
/// # Errors
/// A storage error.
pub(super) fn read(
    path: &Path,
    layout: &Layout,
    columns: Option<&[&str]>,
    groups: Option<Vec<usize>>,
) -> Result<PartBatches, JobError> {
    let failed = |why: &dyn std::fmt::Display| broken("read", path, why);
    let file = File::open(path).map_err(|why| failed(&why))?;
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|why| failed(&why))?
        .with_batch_size(READ_ROWS);
    let mut schema = Arc::clone(&layout.schema);
    if let Some(columns) = columns {
        builder = builder.clone_projection(columns);
        let wanted: Vec<_> = columns
            .iter()
            .filter_map(|name| layout.schema.index_of(name).ok())
            .collect();
        schema = Arc::new(layout.schema.project(&wanted).map_err(|why| failed(&why))?);
    }
    if let Some(groups) = groups {
        builder = builder.with_row_groups(groups);
    }
    let inner = builder.build().map_err(|why| failed(&why))?;
    Ok(PartBatches {
        path: path.to_owned(),
        inner,
        schema,
    })
}

/// Projection by name.
trait ByName {
    fn clone_projection(self, columns: &[&str]) -> Self;
}

impl ByName for ParquetRecordBatchReaderBuilder<File> {
    fn clone_projection(self, columns: &[&str]) -> Self {
        let mask = ProjectionMask::columns(self.parquet_schema(), columns.iter().copied());
        self.with_projection(mask)
    }
}

impl Iterator for PartBatches {
    type Item = Result<RecordBatch, JobError>;
    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.inner.next()?;
        let fitted = batch.and_then(|batch| fit(&batch, &self.schema));
        Some(fitted.map_err(|why| broken("read", &self.path, why)))
    }
}

/// A batch of an older contract in today's columns: by name, missing ones null, types cast.
fn fit(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, arrow::error::ArrowError> {
    let column = |field: &arrow::datatypes::FieldRef| match batch.column_by_name(field.name()) {
        Some(array) if array.data_type() == field.data_type() => Ok(Arc::clone(array)),
        Some(array) => arrow::compute::cast(array, field.data_type()),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    };
    let columns = schema
        .fields()
        .iter()
        .map(column)
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
}
