//! Gold to CSV: the report people get, and its manifest.
//!
//! A report is written under a temporary name, then published whole; its manifest follows, so a report without
//! one is not finished. A name is claimed before the file is written: no execution overwrites another one's
//! report, and an execution that is redriven finds the name it had.

use std::{
    collections::BTreeMap,
    fmt,
    io::BufWriter,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{
    array::{Array, AsArray},
    compute::sum,
    datatypes::{DataType, Decimal128Type, Int64Type},
    record_batch::RecordBatch,
};
use bytes::Bytes;
use futures::StreamExt;
use jiff::{ToSpan, Zoned};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::dataset::GoldTable;
use crate::gold::{SqlFiles, query_error};
use crate::jobs::{ErrorType, JobContext, JobError, Level};
use crate::ports::{PutCondition, QueryRows, StoreError};
use crate::window::Window;

mod csv;

pub use csv::{CsvError, CsvOptions, CsvStats, LineEnding, encode, write_csv};

/// Minutes after its own that a report's name may carry when others of the same minute were first.
const NAME_TRIES: i64 = 120;

/// A report that can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Report {
    /// Rows of the daily report that have conversions.
    Sub5,
}

impl Report {
    /// All reports.
    pub const ALL: [Self; 1] = [Self::Sub5];

    /// `sub5`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sub5 => "sub5",
        }
    }

    /// The table it is made from.
    #[must_use]
    pub fn table(self) -> GoldTable {
        match self {
            Self::Sub5 => GoldTable::DailyReportSub5,
        }
    }

    /// `reports/sub5`.
    #[must_use]
    pub fn prefix(self) -> String {
        format!("reports/{}", self.name())
    }

    /// Columns whose sums the manifest carries.
    fn measures(self) -> &'static [&'static str] {
        match self {
            Self::Sub5 => &[
                "click_count",
                "host_count",
                "approved_revenue",
                "conversions_count",
            ],
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Report {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|report| report.name() == text);
        found.ok_or_else(|| {
            format!(
                "there is no report '{text}'; known reports: {}",
                Self::ALL.map(Self::name).join(", ")
            )
        })
    }
}

/// The side-car of a report, `<report>-YYYYMMDD-HHMM.manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportManifest {
    /// `sub5`.
    pub report: String,
    /// File name: `sub5-20260131-0905.csv`.
    pub name: String,
    /// Key of the file in the std bucket.
    pub key: String,
    /// Rows, without the header.
    pub rows: u64,
    /// Column names, in order.
    pub columns: Vec<String>,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// The days it covers.
    pub window: Window,
    /// What a day means: the profile's time zone.
    pub time_zone: String,
    /// The execution that made it.
    pub execution: String,
    /// When, RFC 3339.
    pub created_at: String,
    /// Exact sums of the measures, as plain decimals.
    pub sums: BTreeMap<String, String>,
}

impl ReportManifest {
    /// Key of the manifest of a report file.
    #[must_use]
    pub fn key_of(csv_key: &str) -> String {
        format!(
            "{}.manifest.json",
            csv_key.strip_suffix(".csv").unwrap_or(csv_key)
        )
    }
}

/// A name that an execution has claimed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    name: String,
    execution: String,
}

/// Exports a report of the window's days. Called again by the same execution, it gives the same report.
///
/// # Errors
/// `QueryFailed`, `StorageError`, `TransientPlatformError`, `Cancelled`; nothing is published then.
pub async fn export(
    ctx: &JobContext,
    report: Report,
    window: Window,
) -> Result<ReportManifest, JobError> {
    let name = claim_name(ctx, report, window).await?;
    let key = format!("{}/{name}", report.prefix());
    let manifest_key = ReportManifest::key_of(&key);
    if let Some(done) = read::<ReportManifest>(ctx, &manifest_key).await? {
        ctx.log.line(
            Level::Info,
            &format!("{name} was exported by this execution before"),
        );
        return Ok(done);
    }
    let (from, to) = (window.from().to_string(), window.to().to_string());
    let path = format!("{}/export.sql", report.table().name());
    let sql = SqlFiles::embedded().render(&path, &[("from", &from), ("to", &to)])?;
    let rows = ctx
        .engine
        .query(&sql, &ctx.cancel)
        .await
        .map_err(|error| query_error(&format!("could not read {report}"), &error))?;
    let columns = rows
        .schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let (stats, sums) = publish(ctx, report, rows, &key).await?;
    let manifest = ReportManifest {
        report: report.name().to_owned(),
        name: name.clone(),
        key,
        rows: stats.rows,
        columns,
        bytes: stats.bytes,
        sha256: stats.sha256.unwrap_or_default(),
        window,
        time_zone: ctx
            .profile
            .time_zone
            .iana_name()
            .unwrap_or("UTC")
            .to_owned(),
        execution: ctx.execution.clone(),
        created_at: ctx.clock.now().to_string(),
        sums,
    };
    write(ctx, &manifest_key, &manifest, PutCondition::Always).await?;
    ctx.log.line(
        Level::Info,
        &format!("{name}: {} rows, {} bytes", manifest.rows, manifest.bytes),
    );
    Ok(manifest)
}

/// Writes the rows beside the store and publishes the finished file.
async fn publish(
    ctx: &JobContext,
    report: Report,
    rows: QueryRows,
    key: &str,
) -> Result<(CsvStats, BTreeMap<String, String>), JobError> {
    let folder = ctx.lake.std.staging();
    let failed = |what: &str, why: &dyn fmt::Display| {
        JobError::new(
            ErrorType::StorageError,
            format!("could not {what} {key}: {why}; check the disk's space and rights"),
        )
    };
    std::fs::create_dir_all(&folder).map_err(|error| failed("prepare", &error))?;
    let file = tempfile::Builder::new()
        .prefix("report-")
        .suffix(".csv")
        .tempfile_in(&folder)
        .map_err(|error| failed("prepare", &error))?;
    let writer = file.reopen().map_err(|error| failed("prepare", &error))?;
    let sums = Arc::new(Mutex::new(Sums::default()));
    let rows = with_sums(rows, report, &sums);
    let options = CsvOptions {
        digest: true,
        ..CsvOptions::default()
    };
    let stats = match write_csv(rows, BufWriter::with_capacity(1 << 20, writer), options).await {
        Ok(stats) => stats,
        Err(CsvError::Query(error)) => {
            return Err(query_error(&format!("could not read {report}"), &error));
        }
        Err(error) => return Err(failed("write", &error)),
    };
    file.as_file()
        .sync_all()
        .map_err(|error| failed("write", &error))?;
    let path = file
        .into_temp_path()
        .keep()
        .map_err(|error| failed("write", &error))?;
    // The name is this execution's own, so what an interrupted try of it left there may be replaced.
    ctx.lake
        .std
        .put_file(key, path, PutCondition::Always)
        .await?;
    let sums = sums.lock().unwrap_or_else(PoisonError::into_inner).shown();
    Ok((stats, sums))
}

/// `sub5-20260131-0905.csv`: now, in the profile's time zone.
fn file_name(report: Report, at: &Zoned) -> String {
    format!(
        "{report}-{:04}{:02}{:02}-{:02}{:02}.csv",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute()
    )
}

/// The name this execution has for this report, or a free one that it has from now on.
async fn claim_name(ctx: &JobContext, report: Report, window: Window) -> Result<String, JobError> {
    let unit = Sha256::digest(format!("{}\n{window}", ctx.execution).as_bytes());
    let claims = format!("_state/reports/{report}");
    let own = format!("{claims}/by-execution/{}.json", csv::hex(&unit[..16]));
    if let Some(claim) = read::<Claim>(ctx, &own).await? {
        return Ok(claim.name);
    }
    let owner = format!("{} {window}", ctx.execution);
    let now = ctx.clock.now().to_zoned(ctx.profile.time_zone.clone());
    for minutes in 0..NAME_TRIES {
        let Ok(at) = now.checked_add(minutes.minutes()) else {
            break;
        };
        let claim = Claim {
            name: file_name(report, &at),
            execution: owner.clone(),
        };
        let by_name = format!("{claims}/{}.json", claim.name);
        let free = match write(ctx, &by_name, &claim, PutCondition::IfAbsent).await {
            Ok(()) => true,
            Err(Written::Conflict) => read::<Claim>(ctx, &by_name)
                .await?
                .is_some_and(|known| known == claim),
            Err(Written::Failed(error)) => return Err(error),
        };
        if free {
            write(ctx, &own, &claim, PutCondition::Always).await?;
            return Ok(claim.name);
        }
    }
    let message = format!(
        "could not name the report {report}: every minute after {now} is taken; wait a moment and redrive"
    );
    Err(JobError::new(ErrorType::StorageError, message))
}

async fn read<T: DeserializeOwned>(ctx: &JobContext, key: &str) -> Result<Option<T>, JobError> {
    match ctx.lake.std.get(key).await {
        Ok((bytes, _)) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            JobError::new(
                ErrorType::StorageError,
                format!("{key} is damaged: {error}; remove it and redrive"),
            )
        }),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Why a small object was not written.
enum Written {
    Conflict,
    Failed(JobError),
}

impl From<Written> for JobError {
    fn from(written: Written) -> Self {
        match written {
            Written::Failed(error) => error,
            Written::Conflict => Self::new(
                ErrorType::StorageError,
                "an object was changed by somebody else in the meantime; redrive",
            ),
        }
    }
}

async fn write<T: Serialize + Sync>(
    ctx: &JobContext,
    key: &str,
    value: &T,
    condition: PutCondition,
) -> Result<(), Written> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| {
        Written::Failed(JobError::new(
            ErrorType::StorageError,
            format!("could not write {key}: {error}"),
        ))
    })?;
    match ctx.lake.std.put(key, Bytes::from(bytes), condition).await {
        Ok(_) => Ok(()),
        Err(StoreError::Conflict { .. }) => Err(Written::Conflict),
        Err(error) => Err(Written::Failed(error.into())),
    }
}

/// Exact sums by column, and the digits after the point.
#[derive(Default)]
struct Sums(BTreeMap<&'static str, (i128, u32)>);

impl Sums {
    fn add(&mut self, batch: &RecordBatch, measures: &[&'static str]) {
        for name in measures {
            let Some(column) = batch.column_by_name(name) else {
                continue;
            };
            let (value, scale) = match column.data_type() {
                DataType::Int64 => {
                    let column = column.as_primitive::<Int64Type>();
                    let total: i128 = column.iter().flatten().map(i128::from).sum();
                    (Some(total), 0)
                }
                DataType::Decimal128(_, scale) => (
                    sum(column.as_primitive::<Decimal128Type>()),
                    u32::from(scale.unsigned_abs()),
                ),
                _ => continue,
            };
            let entry = self.0.entry(name).or_insert((0, scale));
            entry.0 = entry.0.saturating_add(value.unwrap_or(0));
        }
    }

    fn shown(&self) -> BTreeMap<String, String> {
        let text = |value: i128, scale: u32| {
            let mut out = Vec::new();
            csv::decimal(value, scale, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        self.0
            .iter()
            .map(|(name, (value, scale))| ((*name).to_owned(), text(*value, *scale)))
            .collect()
    }
}

/// The same rows, added up as they pass.
fn with_sums(rows: QueryRows, report: Report, sums: &Arc<Mutex<Sums>>) -> QueryRows {
    let sums = Arc::clone(sums);
    sums.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .0
        .extend(report.measures().iter().filter_map(|name| {
            let scale = match rows.schema.field_with_name(name).ok()?.data_type() {
                DataType::Decimal128(_, scale) => u32::from(scale.unsigned_abs()),
                _ => 0,
            };
            Some((*name, (0, scale)))
        }));
    let batches = rows.batches.inspect(move |batch| {
        if let Ok(batch) = batch {
            sums.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .add(batch, report.measures());
        }
    });
    QueryRows {
        schema: rows.schema,
        batches: Box::pin(batches),
        scanned: rows.scanned,
    }
}
