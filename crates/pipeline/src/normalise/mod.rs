//! Bronze rows to typed silver Parquet: contract-checked, de-duplicated, one file a partition.
//!
//! ```text
//! files --feed--> segments of whole lines --decode--> batches by day --stage--> row groups --merge--> part-0.parquet
//!                                                \--> lines put aside --> quarantine file
//! ```
//!
//! Everything up to the merge happens in a staging folder; nothing of silver changes until all input was
//! read and the share of bad lines was judged. Then each partition that got new rows is replaced as a
//! whole. A run that dies in between is repeated: what was published is found unchanged.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::collect::manifest;
use crate::dataset::Stream;
use crate::jobs::{ErrorType, JobContext, JobError};

mod children;
pub mod contract;
mod decode;
mod feed;
mod fit;
mod gone_leads;
mod import;
mod imports;
mod json;
mod merge;
mod part;
mod plan;
mod publish;
mod quarantine;
mod replace;
mod reports;
mod rows;
mod run;
mod segment;
mod stage;
mod summary;
mod take_back;
mod tally;
mod values;

pub use fit::{Fit, fit};
pub use import::{import, preview};
pub use imports::{Before, ImportRecord, imports};
pub use quarantine::{QuarantinedLine, quarantine_key};
pub use summary::{FieldNote, NormaliseSummary, PartitionChange};
pub use take_back::{TakenBack, take_back};

/// What to normalise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NormaliseRequest {
    /// The stream.
    pub stream: Stream,
    /// Keys of the collections' manifests in the raw store; all of the stream's when empty.
    #[serde(default)]
    pub manifests: Vec<String>,
}

/// A collection whose rows are being normalised.
#[derive(Debug, Clone)]
struct Collection {
    id: String,
    received_at: Timestamp,
}

/// Brings finished collections of bronze into silver.
///
/// # Errors
/// `DataContractError` when more rows than the profile allows cannot be typed, `StorageError`,
/// `TransientPlatformError`, `InvalidInput` for a damaged manifest or file, `Cancelled`.
pub async fn normalise(
    ctx: &JobContext,
    request: &NormaliseRequest,
) -> Result<NormaliseSummary, JobError> {
    let keys = if request.manifests.is_empty() {
        manifest::list_manifests(&ctx.lake, request.stream).await?
    } else {
        request.manifests.clone()
    };
    let mut manifests = Vec::with_capacity(keys.len());
    for key in &keys {
        let read = manifest::read_manifest(&ctx.lake, key).await?;
        if read.stream != request.stream {
            let message = format!(
                "the manifest {key} is of {}, not of {}; give manifests of one stream",
                read.stream, request.stream
            );
            return Err(JobError::new(ErrorType::InvalidInput, message));
        }
        manifests.push(read);
    }
    // Load order decides ties, so it must not depend on the order of the request.
    manifests.sort_by(|a, b| (a.received_at, &a.collection).cmp(&(b.received_at, &b.collection)));
    manifests.dedup_by(|a, b| a.collection == b.collection);
    let mut run = run::Run::new(ctx, request.stream, &manifests).await?;
    for manifest in manifests {
        let collection = run.add_collection(Collection {
            id: manifest.collection,
            received_at: manifest.received_at,
        });
        for file in manifest.files {
            run.add_object(&file.key, collection).await?;
        }
    }
    let staged = run.decode().await?;
    publish::publish(ctx, staged).await
}

/// Rows typed in memory, nothing stored.
#[derive(Debug)]
pub struct DecodedLines {
    /// Rows by event day, not merged by key.
    pub batches: Vec<arrow::record_batch::RecordBatch>,
    /// Lines that did not become a row: number, reason.
    pub set_aside: Vec<(u64, String)>,
}

/// Types lines of NDJSON as [`normalise`] does, without storing anything: for looking at a file before it is
/// imported, and for measuring.
///
/// # Errors
/// A defect: columns that do not hold together.
pub fn decode_lines(
    stream: Stream,
    zone: &jiff::tz::TimeZone,
    text: &[u8],
) -> Result<DecodedLines, JobError> {
    let table = stream.silver();
    let plan = plan::Plan::new(contract::columns(table), contract::day_column(table), false);
    let mut decoder = segment::SegmentDecoder::new(&plan, contract::schema(table), zone.clone());
    let decoded = decoder.decode(text, None, 0, "")?;
    Ok(DecodedLines {
        batches: decoded
            .batches
            .into_iter()
            .map(|(_, batch)| batch)
            .collect(),
        set_aside: decoded
            .set_aside
            .into_iter()
            .map(|aside| (aside.line, aside.reason))
            .collect(),
    })
}

/// Makes the tables below offers (caps, the affiliates they name, payments) from the offers of silver.
///
/// # Errors
/// A storage error.
pub async fn extract_offer_children(ctx: &JobContext) -> Result<(), JobError> {
    let failed = |why: std::io::Error| {
        JobError::new(
            ErrorType::StorageError,
            format!("could not make a staging folder: {why}; free disk space"),
        )
    };
    let folder = tempfile::tempdir_in(ctx.lake.std.staging()).map_err(failed)?;
    children::rebuild(ctx, folder.path(), true).await
}

#[cfg(test)]
mod tests;
