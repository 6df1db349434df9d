//! Staged rows to visible partitions, each replaced as a whole.

use std::{path::PathBuf, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::civil::Date;

use super::{
    children, contract,
    decode::MISSING,
    gone_leads,
    merge::{self, Merged},
    part::Layout,
    quarantine::quarantine_key,
    replace::{self, Speakers},
    reports::{self, Replacement},
    run::{Staged, fetch},
    segment::date_of,
    stage::{Day, DayRows},
    summary::NormaliseSummary,
};
use crate::dataset::SilverTable;
use crate::jobs::{ErrorType, JobContext, JobError, Level};
use crate::ports::{ETag, ObjectStore, PutCondition, StoreError};
use crate::state::{Change, Latest};

/// How often a partition is merged anew when somebody else replaced it in the meantime.
const ATTEMPTS: usize = 8;

/// Stores the quarantine files and judges the share of bad lines: the last moment at which a run can fail
/// without having changed silver.
///
/// # Errors
/// `DataContractError` over the profile's limit, `StorageError`.
pub(super) async fn judge(ctx: &JobContext, staged: &mut Staged) -> Result<Vec<String>, JobError> {
    let mut stored = Vec::new();
    for (collection, file) in &mut staged.quarantine {
        let day = ctx
            .profile
            .time_zone
            .to_datetime(collection.received_at)
            .date();
        let key = quarantine_key(staged.stream, day, &collection.id);
        match file.take() {
            Some(file) => {
                ctx.lake
                    .std
                    .put_file(&key, file, PutCondition::Always)
                    .await?;
                stored.push(key);
            }
            None => ctx.lake.std.delete(&key).await?,
        }
    }
    if let Some(error) = vanished(staged) {
        return Err(error);
    }
    let aside = staged.rows_aside();
    let limit = ctx.profile.normalise.max_quarantine_share;
    if aside as f64 > limit * staged.rows_in as f64 {
        return Err(too_many(staged, aside, limit, &stored));
    }
    Ok(stored)
}

/// A field that every row must have and none has: the source has dropped or renamed it.
fn vanished(staged: &Staged) -> Option<JobError> {
    let gone = staged.reasons.iter().find_map(|(reason, rows)| {
        let column = reason.strip_suffix(MISSING)?.strip_suffix(": ")?;
        (*rows == staged.rows_in).then_some(column)
    })?;
    let table = staged.stream.silver();
    let known = contract::columns(table)
        .iter()
        .find(|column| column.name == gone);
    let wire = known.map_or_else(String::new, |column| column.path.join("."));
    let message = format!(
        "the required field {gone} ('{wire}' on the wire) has vanished: none of {} rows of {} has it; \
         silver is unchanged, look what the source sends and adapt the contract",
        staged.rows_in, staged.stream
    );
    Some(JobError::new(ErrorType::DataContractError, message))
}

fn too_many(staged: &Staged, aside: u64, limit: f64, stored: &[String]) -> JobError {
    let first = staged
        .first_aside
        .as_ref()
        .map_or_else(String::new, |line| {
            let text: String = line
                .text
                .as_deref()
                .unwrap_or("(not UTF-8)")
                .chars()
                .take(200)
                .collect();
            format!(
                "the first is {}:{} ({}): {text}; ",
                line.file, line.line, line.reason
            )
        });
    let message = format!(
        "{aside} of {} rows of {} do not fit their contract, more than the limit of {:.0}%; {first}see {}; silver is unchanged, \
         repair the source or raise normalise.max_quarantine_share",
        staged.rows_in,
        staged.stream,
        limit * 100.0,
        stored.join(", "),
    );
    JobError::new(ErrorType::DataContractError, message)
}

/// Judges and publishes.
///
/// # Errors
/// As [`judge`]; `Cancelled` between partitions, `LeaseHeld` when others keep replacing one.
pub(super) async fn publish(
    ctx: &JobContext,
    mut staged: Staged,
) -> Result<NormaliseSummary, JobError> {
    let quarantine_files = judge(ctx, &mut staged).await?;
    publish_judged(ctx, staged, quarantine_files).await
}

/// Publishes what [`judge`] let pass.
///
/// # Errors
/// As [`publish`].
pub(super) async fn publish_judged(
    ctx: &JobContext,
    staged: Staged,
    quarantine_files: Vec<String>,
) -> Result<NormaliseSummary, JobError> {
    let (store, stream) = (Arc::clone(&ctx.lake.std), staged.stream.name());
    let job = uuid::Uuid::now_v7().simple().to_string();
    let change = Change::Silver(&job);
    Latest::begin(&store, &stream, change, ctx.clock.now()).await?;
    let published = replace_days(ctx, staged, quarantine_files).await;
    // Whatever came of it: some partitions may have been replaced.
    let told = Latest::end(&store, &stream, change, None, ctx.clock.now()).await;
    if let Err(error) = told {
        tracing::warn!(%stream, %error, "what was done last could not be told");
    }
    published
}

async fn replace_days(
    ctx: &JobContext,
    staged: Staged,
    quarantine_files: Vec<String>,
) -> Result<NormaliseSummary, JobError> {
    let Staged {
        folder,
        layout,
        replacement,
        contract_changes,
        stage,
        reasons,
        first_aside,
        rows_in,
        tally,
        files,
        stream,
        ..
    } = staged;
    let mut summary = NormaliseSummary {
        rows_in,
        rows_quarantined: reasons.values().sum(),
        quarantine_reasons: reasons,
        first_quarantined: first_aside,
        quarantine_files,
        contract_changes,
        ..NormaliseSummary::default()
    };
    summary.add_tally(
        tally,
        &files.into_iter().map(|file| file.name).collect::<Vec<_>>(),
    );
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let table = stream.silver();
    let folder_path = folder.path().to_owned();
    let mut days = stage.into_days();
    let Replacement {
        part,
        days: mut told,
        readings,
    } = replacement.unwrap_or_default();
    // A day that came without rows is replaced too: by nothing.
    for day in told.keys() {
        days.entry(Some(*day)).or_default();
    }
    let merges = days.into_iter().map(|(day, rows)| {
        let speakers = day.and_then(|day| told.remove(&day)).unwrap_or_default();
        let work = Partition {
            table,
            day,
            layout: Arc::clone(&layout),
            rows: Arc::new(rows),
            speakers: (!part.is_empty()).then(|| (part, Arc::new(speakers))),
            folder: folder_path.clone(),
        };
        async move { Ok::<_, JobError>((day, work.replace(ctx).await?)) }
    });
    let mut done: Vec<(Day, Merged)> = stream::iter(merges)
        .buffer_unordered(threads)
        .try_collect()
        .await?;
    done.sort_by_key(|(day, _)| *day);
    for (day, merged) in &done {
        summary.add_merged(day.map(date_of), *merged);
    }
    if table == SilverTable::Offers {
        let changed = done.iter().any(|(_, merged)| merged.written);
        children::rebuild(ctx, &folder_path, changed).await?;
    }
    if matches!(
        table,
        SilverTable::MarketoLeads | SilverTable::MarketoActivities
    ) {
        let of_activities = table == SilverTable::MarketoActivities;
        let written = done
            .iter()
            .filter(|(_, merged)| of_activities && merged.written);
        let written: Vec<String> = written
            .map(|(day, _)| table.part_key(day.map(date_of)))
            .collect();
        gone_leads::follow(ctx, &written, &folder_path).await?;
    }
    reports::record_days(ctx, &readings, &ctx.execution, &folder_path).await?;
    tell(ctx, stream.short(), &summary);
    Ok(summary)
}

fn tell(ctx: &JobContext, stream: &str, summary: &NormaliseSummary) {
    let line = format!(
        "{stream}: {} rows in, {} new, {} updated, {} unchanged, {} superseded, {} removed, {} put aside, {} partitions written",
        summary.rows_in,
        summary.rows_new,
        summary.rows_updated,
        summary.rows_unchanged,
        summary.rows_superseded,
        summary.rows_removed,
        summary.rows_quarantined,
        summary.partitions.len(),
    );
    ctx.log.line(Level::Info, &line);
    for change in &summary.contract_changes {
        ctx.log.line(
            Level::Info,
            &format!("{stream}: the contract grew: {change}"),
        );
    }
    for (reason, rows) in &summary.quarantine_reasons {
        ctx.log
            .line(Level::Warn, &format!("{rows} rows put aside: {reason}"));
    }
    for note in summary.unknown_fields.iter().chain(&summary.drift).take(50) {
        let share = note.rows as f64 * 100.0 / summary.rows_in.max(1) as f64;
        let line = format!(
            "{}: {} in {} rows ({share:.2}%), first at {}",
            note.field, note.what, note.rows, note.first
        );
        ctx.log.line(Level::Warn, &line);
    }
    if summary.money_mismatches > 0 {
        let line = format!(
            "{} rows whose income less payouts is not their earnings",
            summary.money_mismatches
        );
        ctx.log.line(Level::Warn, &line);
    }
}

/// The file behind a key, if there is one: where to read it and its version.
///
/// # Errors
/// A storage error.
pub(super) async fn existing(
    store: &dyn ObjectStore,
    key: &str,
    copy: PathBuf,
) -> Result<Option<(PathBuf, ETag)>, JobError> {
    let mut listing = store.list(key).await?;
    while let Some(meta) = listing.try_next().await? {
        if meta.key == key {
            let path = match store.local_path(key) {
                Some(path) => path,
                None => {
                    fetch(store, key, &copy).await?;
                    copy
                }
            };
            return Ok(Some((path, meta.etag)));
        }
    }
    Ok(None)
}

/// New rows of one partition.
pub(super) struct Partition {
    /// The table.
    pub table: SilverTable,
    /// The day, for a table with days.
    pub day: Day,
    /// How its files are written.
    pub layout: Arc<Layout>,
    /// The rows.
    pub rows: Arc<DayRows>,
    /// Who speaks for what, where days are replaced; without it rows are merged by key.
    pub speakers: Option<(&'static str, Arc<Speakers>)>,
    /// Where files are made.
    pub folder: PathBuf,
}

impl Partition {
    /// Merges the rows in; starts over when somebody else replaced the partition meanwhile.
    ///
    /// # Errors
    /// `Cancelled`, `StorageError`, `LeaseHeld` when others keep replacing it.
    pub(super) async fn replace(self, ctx: &JobContext) -> Result<Merged, JobError> {
        let date: Option<Date> = self.day.map(date_of);
        let key = self.table.part_key(date);
        let name = date.map_or_else(|| "all".to_owned(), |date| date.to_string());
        for attempt in 0..ATTEMPTS {
            if ctx.cancel.is_cancelled() {
                let message = format!(
                    "publishing {key} was stopped on request; repeat the step to finish it"
                );
                return Err(JobError::new(ErrorType::Cancelled, message));
            }
            let old = existing(
                &*ctx.lake.std,
                &key,
                self.folder.join(format!("old-{name}-{attempt}")),
            )
            .await?;
            let (path, condition) = match old {
                Some((path, etag)) => (Some(path), PutCondition::IfMatch(etag)),
                None => (None, PutCondition::IfAbsent),
            };
            let out = self.folder.join(format!("part-{name}-{attempt}.parquet"));
            let (layout, rows, target) = (
                Arc::clone(&self.layout),
                Arc::clone(&self.rows),
                out.clone(),
            );
            let speakers = self.speakers.clone();
            let merged = tokio::task::spawn_blocking(move || match speakers {
                None => merge::merge(&layout, &rows, path.as_deref(), &target),
                Some((part, speakers)) => {
                    replace::replace(&layout, part, &rows, path.as_deref(), &speakers, &target)
                }
            })
            .await;
            let merged = merged.map_err(|why| {
                JobError::new(
                    ErrorType::StorageError,
                    format!("merging {key} stopped: {why}"),
                )
            })??;
            if !merged.written {
                return Ok(merged);
            }
            match ctx.lake.std.put_file(&key, out, condition).await {
                Ok(_) => return Ok(merged),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let message = format!(
            "{key} was replaced by somebody else {ATTEMPTS} times while rows were merged into it; look for a second execution, then repeat the step"
        );
        Err(JobError::new(ErrorType::LeaseHeld, message))
    }
}
