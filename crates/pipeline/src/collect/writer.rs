//! Raw rows into files of bronze.
//!
//! Pages are rolled into files of about 8 MB of rows (about 1 MB compressed): a page of 500 rows
//! would make thousands of files a day, and one file a collection would lose all of it in a crash.

use std::{io::Write, sync::Arc};

use jiff::civil::Date;
use memchr::memchr2;
use sha2::{Digest, Sha256};
use zstd::stream::write::Encoder;

use super::ManifestFile;
use crate::dataset::Stream;
use crate::jobs::{ErrorType, JobError};
use crate::ports::{ObjectStore, PutCondition, StoreError};
use crate::secrets::without_secrets;

/// Bytes of rows, uncompressed, from which on a file is finished.
const FILE_BYTES: u64 = 8 * 1024 * 1024;
/// Fast, and within a tenth of what slower levels reach on such rows.
const COMPRESSION_LEVEL: i32 = 3;

/// Writes the files of one collection.
pub struct BronzeWriter {
    store: Arc<dyn ObjectStore>,
    /// `bronze/affise/clicks/date=2026-01-31/<collection>`; the number follows.
    prefix: String,
    files: Vec<ManifestFile>,
    next: u32,
    open: Option<OpenFile>,
}

struct OpenFile {
    encoder: Encoder<'static, Vec<u8>>,
    rows: u64,
    bytes: u64,
}

impl BronzeWriter {
    /// A writer for `collection` in the folder of the collection day `day`, after the files that
    /// earlier attempts finished.
    #[must_use]
    pub fn new(
        store: Arc<dyn ObjectStore>,
        stream: Stream,
        day: Date,
        collection: &str,
        files: Vec<ManifestFile>,
    ) -> Self {
        let prefix = format!("{}/{collection}", stream.bronze_day(day));
        Self {
            store,
            prefix,
            next: u32::try_from(files.len()).unwrap_or(u32::MAX),
            files,
            open: None,
        }
    }

    /// Adds a row: its bytes without secrets, on one line.
    ///
    /// # Errors
    /// `StorageError` when it cannot be compressed.
    pub fn row(&mut self, row: &[u8]) -> Result<(), JobError> {
        let row = without_secrets(row);
        let file = match &mut self.open {
            Some(file) => file,
            none => none.insert(OpenFile::new()?),
        };
        file.row(&row).map_err(broken)
    }

    /// Rows in finished files and in the open one.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.durable_rows() + self.open.as_ref().map_or(0, |file| file.rows)
    }

    /// Rows in finished files.
    #[must_use]
    pub fn durable_rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// The finished files.
    #[must_use]
    pub fn files(&self) -> &[ManifestFile] {
        &self.files
    }

    /// Whether the open file is large enough to be finished.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.open
            .as_ref()
            .is_some_and(|file| file.bytes >= FILE_BYTES)
    }

    /// Makes the open file durable, if it holds anything; says whether it did.
    ///
    /// # Errors
    /// `StorageError` or `TransientPlatformError` when the store fails.
    pub async fn roll(&mut self) -> Result<bool, JobError> {
        let Some(file) = self.open.take() else {
            return Ok(false);
        };
        let bytes = bytes::Bytes::from(file.encoder.finish().map_err(broken)?);
        let sha256 = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let size = bytes.len() as u64;
        let key = loop {
            let key = format!("{}-{:05}.ndjson.zst", self.prefix, self.next);
            self.next += 1;
            match self
                .store
                .put(&key, bytes.clone(), PutCondition::IfAbsent)
                .await
            {
                // An attempt that died between the file and its record; nothing names that file.
                Err(StoreError::Conflict { .. }) => {}
                stored => break stored.map(|_| key)?,
            }
        };
        self.files.push(ManifestFile {
            key,
            rows: file.rows,
            bytes: size,
            sha256,
        });
        Ok(true)
    }

    /// The durable rows from number `position` on.
    ///
    /// # Errors
    /// `StorageError` or `TransientPlatformError` when a file cannot be read back.
    pub async fn recall(&self, position: u64) -> Result<Vec<bytes::Bytes>, JobError> {
        let mut rows = Vec::new();
        let mut first = 0;
        for file in &self.files {
            let after = first + file.rows;
            if after > position {
                let (stored, _) = self.store.get(&file.key).await?;
                let text = bytes::Bytes::from(zstd::decode_all(&*stored).map_err(broken)?);
                let skip = usize::try_from(position.saturating_sub(first)).unwrap_or(usize::MAX);
                let lines = text
                    .split(|byte| *byte == b'\n')
                    .filter(|line| !line.is_empty());
                rows.extend(lines.skip(skip).map(|line| text.slice_ref(line)));
            }
            first = after;
        }
        Ok(rows)
    }
}

impl OpenFile {
    fn new() -> Result<Self, JobError> {
        let mut encoder = Encoder::new(Vec::new(), COMPRESSION_LEVEL).map_err(broken)?;
        encoder.include_checksum(true).map_err(broken)?;
        Ok(Self {
            encoder,
            rows: 0,
            bytes: 0,
        })
    }

    fn row(&mut self, row: &[u8]) -> std::io::Result<()> {
        if memchr2(b'\n', b'\r', row).is_some() {
            // Valid JSON has line breaks only between its tokens, where a space means the same.
            let spaced = |byte: &u8| {
                if matches!(byte, b'\n' | b'\r') {
                    b' '
                } else {
                    *byte
                }
            };
            self.encoder
                .write_all(&row.iter().map(spaced).collect::<Vec<_>>())?;
        } else {
            self.encoder.write_all(row)?;
        }
        self.encoder.write_all(b"\n")?;
        self.rows += 1;
        self.bytes += row.len() as u64 + 1;
        Ok(())
    }
}

fn broken(error: std::io::Error) -> JobError {
    let message =
        format!("rows could not be compressed or read back: {error}; redrive the execution");
    JobError::new(ErrorType::StorageError, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::memory::MemoryStore;

    #[tokio::test]
    async fn files_hold_the_rows_line_by_line_and_never_replace_one_another() {
        let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new().unwrap());
        let day = jiff::civil::date(2026, 1, 31);
        let make =
            |files| BronzeWriter::new(Arc::clone(&store), Stream::AffiseClicks, day, "c1", files);
        let mut dead = make(Vec::new());
        dead.row(b"{\"id\":0}").unwrap();
        dead.roll().await.unwrap();

        let mut writer = make(Vec::new());
        assert!(!writer.roll().await.unwrap(), "nothing to write");
        writer.row(b"{\"id\":1,\r\n \"api_key\":\"x\"}").unwrap();
        writer
            .row("{\"id\":2,\"s\":\"日本\\n\"}".as_bytes())
            .unwrap();
        assert!(writer.roll().await.unwrap());
        let mut writer = make(writer.files().to_vec());
        writer.row(b"{\"id\":3}").unwrap();
        assert_eq!((writer.durable_rows(), writer.rows()), (2, 3));
        writer.roll().await.unwrap();

        let keys: Vec<_> = writer
            .files()
            .iter()
            .map(|file| file.key.as_str())
            .collect();
        assert_eq!(
            keys,
            [
                "bronze/affise/clicks/date=2026-01-31/c1-00001.ndjson.zst",
                "bronze/affise/clicks/date=2026-01-31/c1-00002.ndjson.zst",
            ]
        );
        let rows = writer.recall(0).await.unwrap();
        assert_eq!(
            rows,
            ["{\"id\":1}", "{\"id\":2,\"s\":\"日本\\n\"}", "{\"id\":3}"]
        );
        assert_eq!(writer.recall(2).await.unwrap(), rows[2..]);
        let (stored, _) = store.get(keys[0]).await.unwrap();
        let hash: String = Sha256::digest(&stored)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            (hash, stored.len() as u64),
            (writer.files()[0].sha256.clone(), writer.files()[0].bytes)
        );
    }
}
