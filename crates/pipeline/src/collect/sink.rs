//! Where a source's pages go while a collection runs.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{Timestamp, tz::TimeZone};

use super::{BronzeWriter, StoredCursor};
use crate::dataset::Stream;
use crate::jobs::{JobContext, JobError};
use crate::sources::{PageSink, SourceError};
use crate::state::Unit;

/// Where pages go: into files, and with each finished file into the unit's record.
pub(super) struct Sink<'a> {
    ctx: &'a JobContext,
    stream: Stream,
    pub(super) unit: &'a mut Unit,
    pub(super) writer: BronzeWriter,
    pub(super) received_at: Timestamp,
    /// Where the source goes on once everything handed over is durable.
    pub(super) source_cursor: Option<serde_json::Value>,
    /// Requests of earlier attempts, and of this one.
    calls_before: u64,
    calls: u64,
}

impl<'a> Sink<'a> {
    pub(super) fn new(
        ctx: &'a JobContext,
        stream: Stream,
        collection: &str,
        unit: &'a mut Unit,
        stored: StoredCursor,
    ) -> Self {
        let day = TimeZone::UTC.to_datetime(stored.received_at).date();
        let writer = BronzeWriter::new(ctx.lake.raw.clone(), stream, day, collection, stored.files);
        let calls_before = unit.record.calls;
        let (received_at, source_cursor) = (stored.received_at, stored.source);
        Self {
            ctx,
            stream,
            unit,
            writer,
            received_at,
            source_cursor,
            calls_before,
            calls: 0,
        }
    }

    /// Makes everything handed over durable and records how far it is.
    pub(super) async fn flush(&mut self) -> Result<(), JobError> {
        if let Err(error) = self.writer.roll().await {
            // Its rows are gone: whatever is recorded after this, a redrive reads them again.
            let stored = self.unit.cursor::<StoredCursor>()?;
            self.source_cursor = stored.and_then(|stored| stored.source);
            return Err(error);
        }
        let files = self.writer.files();
        let record = &mut self.unit.record;
        record.rows = self.writer.durable_rows();
        record.bytes = files.iter().map(|file| file.bytes).sum();
        record.calls = self.calls_before + self.calls;
        record.hashes = files
            .iter()
            .map(|file| (file.key.clone(), file.sha256.clone()))
            .collect();
        let cursor = StoredCursor {
            received_at: self.received_at,
            files: files.to_vec(),
            source: self.source_cursor.clone(),
        };
        self.unit.set_cursor(&cursor)?;
        Ok(self.unit.save(self.ctx.clock.now()).await?)
    }
}

#[async_trait]
impl PageSink for Sink<'_> {
    async fn page(
        &mut self,
        rows: &[Bytes],
        cursor: serde_json::Value,
        calls: u64,
    ) -> Result<(), SourceError> {
        for row in rows {
            self.writer.row(row)?;
        }
        self.source_cursor = Some(cursor);
        self.calls = calls;
        if self.writer.is_full() {
            self.flush().await?;
        }
        self.ctx.log.progress(&format!(
            "{}: {} rows, {calls} requests",
            self.stream,
            self.writer.rows()
        ));
        Ok(())
    }

    async fn checkpoint(
        &mut self,
        cursor: serde_json::Value,
        calls: u64,
    ) -> Result<(), SourceError> {
        self.source_cursor = Some(cursor);
        self.calls = calls;
        Ok(self.flush().await?)
    }

    fn position(&self) -> u64 {
        self.writer.rows()
    }

    async fn recall(&mut self, position: u64) -> Result<Vec<Bytes>, SourceError> {
        Ok(self.writer.recall(position).await?)
    }
}
