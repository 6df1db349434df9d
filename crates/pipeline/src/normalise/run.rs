//! One normalisation: input files on this machine, decoded into a staging folder.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::TryStreamExt;
use jiff::tz::TimeZone;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::{
    Collection,
    contract::report::{Contract, part_column},
    feed::{self, InputFile, Place},
    part::{Layout, broken},
    plan::Plan,
    quarantine::{QuarantineWriter, QuarantinedLine},
    reports::{self, Replacement},
    segment::{Decoded, SegmentDecoder},
    stage::{Spill, Stage},
    tally::Tally,
};
use crate::collect::Manifest;
use crate::dataset::Stream;
use crate::jobs::{ErrorType, JobContext, JobError};
use crate::secrets::may_hold_secrets;

/// Every how many rows progress is told.
const PROGRESS_ROWS: u64 = 200_000;

/// Input of a normalisation, being put together.
pub(super) struct Run<'c> {
    ctx: &'c JobContext,
    stream: Stream,
    contract: Contract,
    replacement: Option<Replacement>,
    contract_changes: Vec<String>,
    folder: TempDir,
    collections: Vec<Collection>,
    files: Vec<InputFile>,
}

/// What the decoder made of the input; nothing of it is visible yet.
pub(super) struct Staged {
    /// Files on their way; removed with this value.
    pub folder: TempDir,
    /// The stream.
    pub stream: Stream,
    /// How silver files are written.
    pub layout: Arc<Layout>,
    /// How days are replaced, where they are not merged by key.
    pub replacement: Option<Replacement>,
    /// What changed in the contract.
    pub contract_changes: Vec<String>,
    /// New rows by day.
    pub stage: Stage,
    /// Quarantine files by collection, in input order; `None` where nothing was put aside.
    pub quarantine: Vec<(Collection, Option<PathBuf>)>,
    /// Lines put aside, by reason.
    pub reasons: BTreeMap<String, u64>,
    /// The first of them.
    pub first_aside: Option<QuarantinedLine>,
    /// Lines that were not blank.
    pub rows_in: u64,
    /// Counts.
    pub tally: Tally,
    /// Per input file.
    pub files: Vec<FileCounts>,
}

/// What was found in one input file.
#[derive(Debug, Clone, Default)]
pub(super) struct FileCounts {
    /// Its name.
    pub name: String,
    /// Lines that were not blank.
    pub rows: u64,
    /// A line has a secret in it.
    pub secret: bool,
}

impl Staged {
    /// Lines put aside.
    pub fn rows_aside(&self) -> u64 {
        self.reasons.values().sum()
    }
}

impl<'c> Run<'c> {
    /// A run without input; `manifests` are of the collections that will be added.
    ///
    /// # Errors
    /// A storage error when the staging folder or a report's contract cannot be made.
    pub async fn new(
        ctx: &'c JobContext,
        stream: Stream,
        manifests: &[Manifest],
    ) -> Result<Self, JobError> {
        let (contract, contract_changes) = reports::contract_of(ctx, stream, manifests).await?;
        let staging = ctx.lake.std.staging();
        std::fs::create_dir_all(&staging).map_err(|why| broken("make", &staging, why))?;
        let folder = tempfile::Builder::new()
            .prefix("normalise-")
            .tempdir_in(&staging)
            .map_err(|why| broken("make a folder in", &staging, why))?;
        Ok(Self {
            ctx,
            stream,
            contract,
            replacement: Replacement::of(stream, manifests),
            contract_changes,
            folder,
            collections: Vec::new(),
            files: Vec::new(),
        })
    }

    /// Adds a collection; they come in load order.
    pub fn add_collection(&mut self, collection: Collection) -> usize {
        self.collections.push(collection);
        self.collections.len() - 1
    }

    /// Adds a file of this machine.
    pub fn add_file(&mut self, name: String, path: PathBuf, collection: usize) {
        self.files.push(InputFile {
            name,
            path,
            collection,
        });
    }

    /// Adds an object of the raw store, fetched first when the store is no folder.
    ///
    /// # Errors
    /// A storage error.
    pub async fn add_object(&mut self, key: &str, collection: usize) -> Result<(), JobError> {
        let path = match self.ctx.lake.raw.local_path(key) {
            Some(path) => path,
            None => {
                let path = self
                    .folder
                    .path()
                    .join(format!("input-{}", self.files.len()));
                fetch(&*self.ctx.lake.raw, key, &path).await?;
                path
            }
        };
        self.add_file(key.to_owned(), path, collection);
        Ok(())
    }

    /// Decodes everything, on all cores the profile gives.
    ///
    /// # Errors
    /// `InvalidInput` for a damaged file, `StorageError`, `Cancelled`.
    pub async fn decode(self) -> Result<Staged, JobError> {
        let stop = self.ctx.cancel.child_token();
        // Should the caller go away, the workers stop at their next segment.
        let guard = stop.clone().drop_guard();
        let ctx = self.ctx.clone();
        let (replacement, contract_changes) = (self.replacement, self.contract_changes);
        let work = move || {
            decode_all(
                &ctx,
                (self.stream, self.contract),
                self.folder,
                self.collections,
                &self.files,
                &stop,
            )
        };
        let done = tokio::task::spawn_blocking(work).await;
        drop(guard.disarm());
        let mut staged = done.unwrap_or_else(|why| {
            Err(JobError::new(
                ErrorType::StorageError,
                format!("the decoder stopped: {why}; report this as a defect"),
            ))
        })?;
        staged.replacement = replacement;
        staged.contract_changes = contract_changes;
        Ok(staged)
    }
}

/// Copies an object to a file.
///
/// # Errors
/// A storage error.
pub(super) async fn fetch(
    store: &dyn crate::ports::ObjectStore,
    key: &str,
    path: &Path,
) -> Result<(), JobError> {
    let mut bytes = store.get_stream(key).await?;
    let mut file = tokio::fs::File::create(path)
        .await
        .map_err(|why| broken("write", path, why))?;
    while let Some(piece) = bytes.try_next().await? {
        file.write_all(&piece)
            .await
            .map_err(|why| broken("write", path, why))?;
    }
    file.flush().await.map_err(|why| broken("write", path, why))
}

/// What workers hand their results to, in input order.
struct Collector<'a> {
    files: &'a [InputFile],
    staged: Staged,
    lines_before: u64,
    writer: Option<(usize, QuarantineWriter)>,
    spills: Vec<Spill>,
    told: u64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn decode_all(
    ctx: &JobContext,
    (stream, contract): (Stream, Contract),
    folder: TempDir,
    collections: Vec<Collection>,
    files: &[InputFile],
    stop: &CancellationToken,
) -> Result<Staged, JobError> {
    let table = contract.table;
    let layout = Arc::new(Layout::of(&contract));
    let is_report = part_column(table).is_some();
    let day = super::contract::day_column(table);
    let plan = Plan::new(contract.columns, day, false).with_text_numbers(is_report);
    // A report's day is the property's own, whatever the profile's zone.
    let zone = if is_report {
        TimeZone::UTC
    } else {
        ctx.profile.time_zone.clone()
    };
    let settings = ctx.profile.normalise;
    let threads = match settings.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let loads: Vec<_> = collections
        .iter()
        .map(|collection| {
            (
                collection.id.clone(),
                collection.received_at.as_microsecond(),
            )
        })
        .collect();
    let stage = Stage::new(folder.path(), (settings.memory_mb << 20) / 6);
    let collector = Mutex::new(Collector {
        files,
        staged: Staged {
            folder,
            stream,
            layout: Arc::clone(&layout),
            replacement: None,
            contract_changes: Vec::new(),
            stage,
            quarantine: collections
                .into_iter()
                .map(|collection| (collection, None))
                .collect(),
            reasons: BTreeMap::new(),
            first_aside: None,
            rows_in: 0,
            tally: Tally::default(),
            files: files
                .iter()
                .map(|file| FileCounts {
                    name: file.name.clone(),
                    ..FileCounts::default()
                })
                .collect(),
        },
        lines_before: 0,
        writer: None,
        spills: Vec::new(),
        told: 0,
    });
    feed::run(
        files,
        threads,
        || SegmentDecoder::new(&plan, Arc::clone(&layout.schema), zone.clone()),
        |decoder, file, segment| {
            if stop.is_cancelled() {
                return Err(JobError::new(
                    ErrorType::Cancelled,
                    "normalising was stopped on request; silver is unchanged",
                ));
            }
            let (source, received) = &loads[files[file].collection];
            decoder.decode(
                &segment.text,
                segment.overlong.as_deref(),
                *received,
                source,
            )
        },
        |place, decoded| locked(&collector).take(place, decoded, ctx),
        || {
            // The guard must not outlive the list: writing takes long and others wait to hand in.
            let spills = std::mem::take(&mut locked(&collector).spills);
            spills
                .into_iter()
                .try_for_each(|spill| spill.write(&layout))
        },
    )?;
    let mut collector = collector
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    collector.end_quarantine()?;
    Ok(collector.staged)
}

impl Collector<'_> {
    fn take(
        &mut self,
        (file, segment): Place,
        decoded: Decoded,
        ctx: &JobContext,
    ) -> Result<(), JobError> {
        if segment == 0 {
            self.lines_before = 0;
        }
        let counts = &mut self.staged.files[file];
        counts.rows += decoded.rows_in;
        counts.secret |= decoded.tally.secret_rows > 0
            || decoded
                .set_aside
                .iter()
                .any(|aside| may_hold_secrets(&aside.text));
        for aside in decoded.set_aside {
            let aside = super::segment::SetAside {
                line: self.lines_before + aside.line,
                ..aside
            };
            self.put_aside(file, QuarantinedLine::new(&self.files[file].name, aside))?;
        }
        for (day, batch) in decoded.batches {
            self.staged.stage.add(day, batch, &mut self.spills);
        }
        self.staged
            .tally
            .append(decoded.tally, file, self.lines_before);
        self.staged.rows_in += decoded.rows_in;
        self.lines_before += decoded.lines;
        if self.staged.rows_in / PROGRESS_ROWS > self.told {
            self.told = self.staged.rows_in / PROGRESS_ROWS;
            ctx.log
                .progress(&format!("{} rows read", self.staged.rows_in));
        }
        Ok(())
    }

    fn put_aside(&mut self, file: usize, line: QuarantinedLine) -> Result<(), JobError> {
        let collection = self.files[file].collection;
        if self
            .writer
            .as_ref()
            .is_none_or(|(open, _)| *open != collection)
        {
            self.end_quarantine()?;
            let path = self
                .staged
                .folder
                .path()
                .join(format!("quarantine-{collection}"));
            self.writer = Some((collection, QuarantineWriter::create(&path)?));
            self.staged.quarantine[collection].1 = Some(path);
        }
        if let Some((_, writer)) = &mut self.writer {
            writer
                .push(&line)
                .map_err(|why| broken("write", self.staged.folder.path(), why))?;
        }
        *self.staged.reasons.entry(line.reason.clone()).or_default() += 1;
        self.staged.first_aside.get_or_insert(line);
        Ok(())
    }

    fn end_quarantine(&mut self) -> Result<(), JobError> {
        let Some((_, writer)) = self.writer.take() else {
            return Ok(());
        };
        writer
            .finish()
            .map_err(|why| broken("write", self.staged.folder.path(), why))
    }
}
