//! Rows as a Parquet file, a row group at a time.

use std::io::Write;

use futures::StreamExt;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};

use crate::{cli::CliError, pipeline::ports::QueryRows};

/// Bytes of a row group that are held at most.
const GROUP_BYTES: usize = 64 << 20;

/// Writes all rows; returns how many there were.
///
/// # Errors
/// When the rows end early, a type has no form in Parquet, or the writer fails.
pub(super) async fn write(
    mut rows: QueryRows,
    out: Box<dyn Write + Send>,
) -> Result<u64, CliError> {
    let failed = |error: parquet::errors::ParquetError| {
        CliError::platform(
            format!("could not write the Parquet file: {error}"),
            "check the disk's space, or choose --format csv",
        )
    };
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let schema = rows.schema.clone();
    let mut writer = ArrowWriter::try_new(out, schema, Some(properties)).map_err(failed)?;
    let mut written = 0;
    while let Some(batch) = rows.batches.next().await {
        let batch = batch?;
        written += batch.num_rows() as u64;
        writer.write(&batch).map_err(failed)?;
        if writer.in_progress_size() >= GROUP_BYTES {
            writer.flush().map_err(failed)?;
        }
    }
    writer.into_inner().map_err(failed)?.flush()?;
    Ok(written)
}
