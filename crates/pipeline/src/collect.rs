//! Source to bronze: rows as received minus secrets, in files, with a manifest written last.
//!
//! ```text
//! bronze/affise/clicks/date=<collection day, UTC>/<collection id>-00000.ndjson.zst
//!                                                 <collection id>._manifest.json
//! ```
//!
//! The order of writing is the guarantee: files, then the manifest that names them, then the
//! watermark. A collection without a manifest does not exist for readers. Its id follows from
//! execution, stream and window, so a redrive finds the record of the attempt before and goes on
//! after the last file that attempt made durable; see [`crate::state::Unit`].

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    dataset::Stream,
    jobs::{ErrorType, JobContext, JobError, Level},
    sources::{MissingPart, SignedIn, Source, SourceOutcome, SourceRequest, affise::KeyOwner},
    state::{Unit, UnitKey, UnitStatus, Watermark},
    window::Window,
};

pub mod manifest;
mod sink;
mod source;
mod writer;

use sink::Sink;

pub use super::sources::Passes;
pub use manifest::{
    MANIFEST_VERSION, Manifest, ManifestError, ManifestFile, list_manifests, read_manifest,
    write_manifest,
};
pub use writer::BronzeWriter;

/// Overlap below which a change that was committed late could be missed, in hours.
const LEAST_OVERLAP_HOURS: u32 = 2;

/// What to collect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectRequest {
    /// The listing.
    pub stream: Stream,
    /// The days, in the profile's time zone; a dimension is read whole whatever they are.
    pub window: Window,
    /// Which passes; both unless told otherwise.
    #[serde(default)]
    pub passes: Passes,
}

/// What a collection did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectSummary {
    /// What was collected.
    pub stream: Stream,
    /// Collection id.
    pub collection: String,
    /// Where the manifest lies in the raw store.
    pub manifest_key: String,
    /// Rows stored; a row that was read twice counts twice.
    pub rows: u64,
    /// Bytes stored, compressed.
    pub bytes: u64,
    /// Requests made, over all attempts.
    pub calls: u64,
    /// Files stored.
    pub files: u64,
    /// Where the stream's watermark stands afterwards.
    pub watermark: Option<Timestamp>,
    /// Why not everything was read, when a part of the source failed and the rest is stored. What is
    /// stored is to be normalised; then the stream has failed, or is parked where only quotas are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<CollectFailure>,
}

/// Parts of a collection that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectFailure {
    /// Name that a workflow's Retry and Catch match: of the first part that waits for nothing, else of
    /// the first one.
    pub error: String,
    /// All parts with their reasons.
    pub cause: String,
    /// When the last parked part can be read again; only when nothing else is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked_until: Option<Timestamp>,
    /// The parts; none where nothing at all is stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<MissingPart>,
}

impl CollectFailure {
    /// A collection of which nothing is stored.
    pub(crate) fn whole(error: &JobError) -> Self {
        Self {
            error: error.error_type.name().to_owned(),
            cause: error.message.clone(),
            parked_until: error.parked_until,
            parts: Vec::new(),
        }
    }

    fn of(parts: Vec<MissingPart>) -> Option<Self> {
        let worst = parts
            .iter()
            .find(|part| part.parked_until.is_none())
            .or(parts.first())?;
        let causes: Vec<String> = parts
            .iter()
            .map(|part| format!("{}: {}", part.part, part.cause))
            .collect();
        let parked = parts.iter().map(|part| part.parked_until);
        Some(Self {
            error: worst.error.clone(),
            cause: format!(
                "{} of the source could not be read, the rest is stored: {}",
                if parts.len() == 1 {
                    "one part"
                } else {
                    "some parts"
                },
                causes.join("; ")
            ),
            // `max` of options: none at all when one of them waits for nothing.
            parked_until: parked
                .collect::<Option<Vec<_>>>()
                .and_then(|all| all.into_iter().max()),
            parts,
        })
    }

    fn status(&self) -> UnitStatus {
        match self.parked_until {
            Some(until) => UnitStatus::Parked {
                until,
                why: self.cause.clone(),
            },
            None => UnitStatus::Failed {
                error_type: self.error.clone(),
                message: self.cause.clone(),
            },
        }
    }
}

/// What a redrive needs to go on; stored in the unit of the collection.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredCursor {
    /// When the collection began; its UTC day is the folder.
    received_at: Timestamp,
    files: Vec<ManifestFile>,
    /// The source's own cursor.
    source: Option<serde_json::Value>,
}

impl CollectRequest {
    /// The id that the collection of this request has within an execution:
    /// `20260101-20260108-<hash of execution, stream, window and passes>`.
    #[must_use]
    pub fn collection_id(&self, execution: &str) -> String {
        let (from, to) = (self.window.from(), self.window.to());
        let identity = format!(
            "{execution}\n{}\n{from}\n{to}\n{:?}",
            self.stream, self.passes
        );
        let hash = Sha256::digest(identity.as_bytes());
        let short: String = hash
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!(
            "{}-{}-{short}",
            from.strftime("%Y%m%d"),
            to.strftime("%Y%m%d")
        )
    }

    fn unit_key(&self, collection: &str) -> UnitKey {
        UnitKey {
            stage: "collect",
            dataset: self.stream.name(),
            id: collection.to_owned(),
        }
    }

    fn unit_window(&self) -> Option<Window> {
        self.stream.by_event_day().then_some(self.window)
    }
}

/// Collects one stream into bronze, or goes on with what an earlier attempt of the same execution
/// began. A collection that is complete already is not repeated.
///
/// # Errors
/// [`JobError`] with the type that the workflow's Retry and Catch match; what was stored stays, and a
/// redrive goes on from there.
pub async fn collect(
    ctx: &JobContext,
    request: &CollectRequest,
) -> Result<CollectSummary, JobError> {
    let collection = request.collection_id(&ctx.execution);
    let store = ctx.lake.std.clone();
    let key = request.unit_key(&collection);
    let now = ctx.clock.now();
    let mut unit = Unit::open(&store, &key, request.unit_window(), &ctx.execution, now).await?;
    if unit.record.status == UnitStatus::Done
        && let Some(summary) = summary_of_done(ctx, request, &collection, &unit).await?
    {
        return Ok(summary);
    }
    unit.begin(&ctx.execution, now).await?;
    let ended = run(ctx, request, &collection, &mut unit).await;
    let status = match &ended {
        Ok(summary) => summary
            .failure
            .as_ref()
            .map_or(UnitStatus::Done, CollectFailure::status),
        Err(error) if error.error_type == ErrorType::Cancelled => UnitStatus::Cancelled,
        Err(error) => CollectFailure::whole(error).status(),
    };
    let recorded = unit.set(status, ctx.clock.now()).await;
    match ended {
        Ok(summary) => {
            recorded?;
            Ok(summary)
        }
        Err(error) => {
            if let Err(also) = recorded {
                ctx.log.line(
                    Level::Warn,
                    &format!("the end of the collection could not be recorded: {also}"),
                );
            }
            Err(error)
        }
    }
}

async fn run(
    ctx: &JobContext,
    request: &CollectRequest,
    collection: &str,
    unit: &mut Unit,
) -> Result<CollectSummary, JobError> {
    let stored = unit
        .cursor::<StoredCursor>()?
        .unwrap_or_else(|| StoredCursor {
            received_at: ctx.clock.now(),
            files: Vec::new(),
            source: None,
        });
    let source = source::of_stream(ctx, request.stream).await?;
    let asked = source_request(ctx, request, stored.received_at).await?;
    let mut sink = Sink::new(ctx, request.stream, collection, unit, stored);
    let cursor = sink.source_cursor.clone();
    let read = source.read(&asked, cursor, &mut sink).await;
    // Whatever ended it: what has arrived is made durable, so that a redrive goes on after it.
    let flushed = sink.flush().await;
    let outcome = read?;
    flushed?;
    finish(ctx, request, collection, &sink, &*source, outcome).await
}

/// Writes the manifest, then moves the watermark.
async fn finish(
    ctx: &JobContext,
    request: &CollectRequest,
    collection: &str,
    sink: &Sink<'_>,
    source: &dyn Source,
    outcome: SourceOutcome,
) -> Result<CollectSummary, JobError> {
    let files = sink.writer.files().to_vec();
    let manifest = Manifest {
        version: MANIFEST_VERSION,
        collection: collection.to_owned(),
        stream: request.stream,
        window: request.unit_window(),
        received_at: sink.received_at,
        execution: ctx.execution.clone(),
        request: outcome.request.clone(),
        rows: files.iter().map(|file| file.rows).sum(),
        bytes: files.iter().map(|file| file.bytes).sum(),
        files,
    };
    let key = manifest_key(request.stream, sink.received_at, collection);
    write_manifest(&ctx.lake, &key, &manifest).await?;
    source.stored(&outcome).await?;
    let failure = CollectFailure::of(outcome.incomplete);
    // What was not read must not be taken for read.
    let position = outcome.watermark.filter(|_| failure.is_none());
    let watermark = move_watermark(ctx, request.stream, position).await?;
    let mut summary = summarise(&manifest, key, sink.unit.record.calls, watermark);
    summary.failure = failure;
    for part in summary.failure.iter().flat_map(|failure| &failure.parts) {
        let line = format!(
            "{}: {} is missing: {}",
            request.stream, part.part, part.cause
        );
        let level = match part.parked_until {
            Some(_) => Level::Warn,
            None => Level::Error,
        };
        ctx.log.line(level, &line);
    }
    ctx.log.line(
        Level::Info,
        &format!(
            "{}: {} rows in {} files, {} requests",
            request.stream, summary.rows, summary.files, summary.calls
        ),
    );
    Ok(summary)
}

async fn move_watermark(
    ctx: &JobContext,
    stream: Stream,
    position: Option<Timestamp>,
) -> Result<Option<Timestamp>, JobError> {
    let store = &ctx.lake.std;
    let watermark = match position {
        Some(position) => {
            let moved =
                Watermark::advance(store, stream, position, &ctx.execution, ctx.clock.now()).await;
            Some(moved?)
        }
        None => Watermark::load(store, stream).await?,
    };
    Ok(watermark.map(|watermark| watermark.position))
}

/// The summary of a collection that an earlier attempt completed; `None` when its manifest is gone.
async fn summary_of_done(
    ctx: &JobContext,
    request: &CollectRequest,
    collection: &str,
    unit: &Unit,
) -> Result<Option<CollectSummary>, JobError> {
    let Some(stored) = unit.cursor::<StoredCursor>()? else {
        return Ok(None);
    };
    let key = manifest_key(request.stream, stored.received_at, collection);
    let manifest = match read_manifest(&ctx.lake, &key).await {
        Ok(manifest) => manifest,
        Err(ManifestError::Store(super::ports::StoreError::NotFound { .. })) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let watermark = move_watermark(ctx, request.stream, None).await?;
    ctx.log.line(
        Level::Info,
        &format!(
            "{}: this execution has collected it already",
            request.stream
        ),
    );
    Ok(Some(summarise(
        &manifest,
        key,
        unit.record.calls,
        watermark,
    )))
}

fn summarise(
    manifest: &Manifest,
    manifest_key: String,
    calls: u64,
    watermark: Option<Timestamp>,
) -> CollectSummary {
    CollectSummary {
        stream: manifest.stream,
        collection: manifest.collection.clone(),
        manifest_key,
        rows: manifest.rows,
        bytes: manifest.bytes,
        calls,
        files: manifest.files.len() as u64,
        watermark,
        failure: None,
    }
}

fn manifest_key(stream: Stream, received_at: Timestamp, collection: &str) -> String {
    Manifest::key(
        stream,
        TimeZone::UTC.to_datetime(received_at).date(),
        collection,
    )
}

async fn source_request(
    ctx: &JobContext,
    request: &CollectRequest,
    now: Timestamp,
) -> Result<SourceRequest, JobError> {
    let overlap = match (request.stream.source(), &ctx.profile.marketo) {
        ("marketo", Some(marketo)) => marketo.overlap_hours,
        _ => ctx.profile.affise.overlap_hours,
    };
    let overlap = overlap.max(LEAST_OVERLAP_HOURS);
    let overlap = SignedDuration::from_hours(i64::from(overlap));
    let watermark = Watermark::load(&ctx.lake.std, request.stream).await?;
    Ok(SourceRequest {
        stream: request.stream,
        window: request.window,
        time_zone: ctx.profile.time_zone.clone(),
        passes: request.passes,
        changed_since: watermark.map(|watermark| watermark.read_from(overlap)),
        now,
    })
}

/// Asks Affise whose key the profile has.
///
/// # Errors
/// [`JobError`]: `BadCredentials` when the key is missing or wrong.
pub async fn check_key(ctx: &JobContext) -> Result<KeyOwner, JobError> {
    Ok(source::affise(ctx).await?.key_owner().await?)
}

/// Signs in to a source with the profile's credentials.
///
/// # Errors
/// [`JobError`]: `BadCredentials` when one is missing or not accepted, `InvalidInput` when the profile does not
/// have the source.
pub async fn sign_in(ctx: &JobContext, source: &str) -> Result<SignedIn, JobError> {
    Ok(source::signing_in(ctx, source).await?.sign_in().await?)
}
