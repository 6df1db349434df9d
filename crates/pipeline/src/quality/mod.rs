//! Data quality: checks of silver and gold as SQL, run on a build's staging table before anybody reads it.
//!
//! A check is a file `assets/sql/<table>/checks/<n>_<name>.sql`. Its head says what it means, its one SELECT
//! finds out. It runs on Athena and here alike.
//!
//! ```sql
//! -- severity: error          or warn
//! -- reason: two rows have the same key; money would be counted twice
//! -- unit: keys
//! -- threshold: <= 0          one of = <= < >= > and a number, or `measured`
//! SELECT id, count(*) AS copies FROM :table GROUP BY id HAVING count(*) > 1 ORDER BY id
//! ```
//!
//! - Without a column `value`, the SELECT returns what is wrong: the value is the number of rows, and the first
//!   rows are the sample.
//! - With a column `value`, its first row's value is compared; `threshold: <= measured` compares it with the
//!   column `threshold` of the same row. The sample is those rows whose own value does not keep the threshold. A value or threshold that is NULL or missing cannot be judged, and
//!   the check passes without a value.
//! - Parameters: `:table` (for a gold table its staging table while it is built), `:from` and `:to` (the window),
//!   `:today` (in the profile's time zone), `:now` (UTC).
//!
//! - `:baseline` is the table itself also while its staging table is checked, `:day` its column of the day.
//! - A line `-- include /shared/<file>.sql` stands for the statement of that file.
//! - Reports of Google Analytics share the checks of `ga_report/checks/`; their columns are parameters.
//!
//! What a check found is kept in the lake's state, one object a table and execution, the newest hundred of a table.

mod file;
mod reports;
mod store;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use file::{Comparison, Limit, Threshold};
pub use store::{newest_report, report_key, report_versions, stored_report};

use self::file::CheckFile;
use crate::{
    dataset::{GoldTable, SilverTable},
    gold::{SqlFiles, datamart, query_error},
    jobs::{ErrorType, JobContext, JobError, Level},
    window::Window,
};
use lakehand_config::Profile;

/// Rows of a failed check that are kept.
const SAMPLES: usize = 20;
/// Characters of a cell that are kept.
const CELL: usize = 200;

/// What a failed check means for the build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Told, and the build goes on.
    Warn,
    /// The build ends; the table keeps its rows.
    Error,
}

/// One check and what it found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The table whose check it is: `daily_report_sub5`, or a silver table it is made from.
    pub table: String,
    /// File name without its ending: `2_duplicate_keys`.
    pub name: String,
    /// What a failure means.
    pub severity: Severity,
    /// Whether the value keeps the threshold.
    pub passed: bool,
    /// What is wrong when it does not, in words.
    pub reason: String,
    /// What the value counts: `keys`, `share`, `days`.
    pub unit: String,
    /// What was found; `None` when it could not be measured, for lack of rows or of a past.
    pub value: Option<String>,
    /// What it should be: `<= 0`; `None` when there was nothing to compare with.
    pub threshold: Option<String>,
    /// Up to 20 offending rows, `column=value` for each of their columns. Text from outside: neutralise
    /// control characters before a terminal sees it.
    pub samples: Vec<String>,
}

/// What the checks of a table found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityReport {
    /// The table.
    pub table: String,
    /// The execution that checked it.
    pub execution: String,
    /// The days checked.
    pub window: Window,
    /// When.
    pub checked_at: Timestamp,
    /// Every check: those of the table, then those of what it is made from.
    pub checks: Vec<CheckResult>,
}

impl QualityReport {
    /// The failed checks of a severity.
    pub fn failed(&self, severity: Severity) -> impl Iterator<Item = &CheckResult> {
        self.checks
            .iter()
            .filter(move |check| !check.passed && check.severity == severity)
    }

    /// Number of failed checks of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.failed(severity).count()
    }
}

/// Every table of a profile that has checks, in order: those with checks of their own, and the reports of Google
/// Analytics, which share one set.
#[must_use]
pub fn checked_tables(profile: &Profile) -> Vec<String> {
    let mut tables = SqlFiles::embedded().tables_with_checks();
    tables.retain(|table| table != reports::CHECKS);
    let reports = profile
        .silver_tables()
        .into_iter()
        .filter(reports::is_report);
    tables.extend(reports.map(SilverTable::sql_name));
    tables
}

/// Runs the checks of a gold table on `staging`, and those of the silver tables it is made from, for the days
/// of `window`; keeps what they found.
///
/// # Errors
/// `QualityCheckFailed` when a check of severity `error` found something, with all of them in the message;
/// `QueryFailed` when a check cannot be run; `InvalidInput` when its file is malformed; `StorageError` when
/// the report cannot be stored.
pub async fn check(
    ctx: &JobContext,
    table: GoldTable,
    staging: &str,
    window: Window,
) -> Result<QualityReport, JobError> {
    let report = measure(ctx, table.name(), staging, window).await?;
    let errors: Vec<String> = report.failed(Severity::Error).map(described).collect();
    if errors.is_empty() {
        return Ok(report);
    }
    let message = format!(
        "{} for {window} was not replaced: {}; look at silver for these days, then redrive",
        table.name(),
        errors.join("; ")
    );
    Err(JobError::new(ErrorType::QualityCheckFailed, message))
}

/// Runs the checks of a table as it is now: gold, or a table of silver. A failed check is no error.
///
/// # Errors
/// `InvalidInput` for a table without checks; otherwise as [`check`].
pub async fn check_table(
    ctx: &JobContext,
    table: &str,
    window: Window,
) -> Result<QualityReport, JobError> {
    let known = checked_tables(&ctx.profile);
    if !known.iter().any(|one| one == table) {
        let message = format!(
            "there are no checks for '{table}'; tables with checks: {}",
            known.join(", ")
        );
        return Err(JobError::new(ErrorType::InvalidInput, message));
    }
    measure(ctx, table, table, window).await
}

/// Runs the checks, tells the failed ones and stores the report.
async fn measure(
    ctx: &JobContext,
    table: &str,
    subject: &str,
    window: Window,
) -> Result<QualityReport, JobError> {
    let files = SqlFiles::embedded();
    let gold: Option<GoldTable> = table.parse().ok();
    let report = SilverTable::from_sql_name(table)
        .filter(|silver| gold.is_none() && reports::is_report(silver));
    let run = Run {
        ctx,
        files: &files,
        window,
        further: match (gold, report) {
            (Some(GoldTable::MarketingDatamart), _) => datamart::plan(ctx).await?.parameters(),
            (_, Some(report)) => reports::parameters(ctx, report).await?,
            _ => Vec::new(),
        },
    };
    let mut checks = Vec::new();
    for path in files.checks(report.map_or(table, |_| reports::CHECKS))? {
        checks.push(run.check(&path, table, subject).await?);
    }
    for source in gold.map_or(&[][..], GoldTable::reads) {
        for path in files.checks(source)? {
            checks.push(run.check(&path, source, source).await?);
        }
    }
    let report = QualityReport {
        table: table.to_owned(),
        execution: ctx.execution.clone(),
        window,
        checked_at: ctx.clock.now(),
        checks,
    };
    for failed in report.checks.iter().filter(|check| !check.passed) {
        let level = if failed.severity == Severity::Error {
            Level::Error
        } else {
            Level::Warn
        };
        ctx.log.line(level, &described(failed));
    }
    store::store(&ctx.lake.std, &report).await?;
    Ok(report)
}

fn described(check: &CheckResult) -> String {
    let found = check.value.as_deref().unwrap_or("-");
    let expected = check.threshold.as_deref().unwrap_or("-");
    let sample = check
        .samples
        .first()
        .map_or_else(String::new, |row| format!("; first: {row}"));
    format!(
        "check {} of {}: {} (found {found} {}, expected {expected}{sample})",
        check.name, check.table, check.reason, check.unit
    )
}

/// The column with the day of a table's rows.
fn day_column(table: &str) -> &'static str {
    match table.parse::<GoldTable>() {
        Ok(_) => "datestamp",
        Err(_) => "date",
    }
}

/// What all checks of a run share.
struct Run<'a> {
    ctx: &'a JobContext,
    files: &'a SqlFiles,
    window: Window,
    /// Parameters that only this table's files have.
    further: Vec<(&'static str, String)>,
}

impl Run<'_> {
    async fn check(&self, path: &str, table: &str, subject: &str) -> Result<CheckResult, JobError> {
        let ctx = self.ctx;
        let file = CheckFile::parse(path, &self.files.text(path)?)
            .map_err(|why| JobError::new(ErrorType::InvalidInput, why))?;
        let sql = self.files.render(path, &self.parameters(table, subject))?;
        let failed = |error| {
            query_error(
                &format!("could not run the check {} of {table}", file.name),
                &error,
            )
        };
        let rows = ctx.engine.query(&sql, &ctx.cancel).await.map_err(failed)?;
        let mut batches = rows.batches;
        let mut found = Rows {
            measured: rows.schema.field_with_name("value").is_ok(),
            ..Rows::default()
        };
        while let Some(batch) = batches.next().await {
            found
                .add(&batch.map_err(failed)?)
                .map_err(|why| JobError::new(ErrorType::QueryFailed, why.to_string()))?;
        }
        Ok(judged(file, table, found))
    }

    fn parameters(&self, table: &str, subject: &str) -> Vec<(&'static str, String)> {
        let now = self.ctx.clock.now();
        let today = now.to_zoned(self.ctx.profile.time_zone.clone()).date();
        let mut parameters = vec![
            ("from", self.window.from().to_string()),
            ("to", self.window.to().to_string()),
            ("today", today.to_string()),
            ("now", now.strftime("%Y-%m-%d %H:%M:%S").to_string()),
            ("table", subject.to_owned()),
            ("staging", subject.to_owned()),
            ("baseline", table.to_owned()),
            ("day", day_column(table).to_owned()),
        ];
        parameters.extend(self.further.iter().cloned());
        // Of every report, unless it is one's own check.
        for name in ["report", "source"] {
            if !parameters.iter().any(|(known, _)| *known == name) {
                parameters.push((name, String::new()));
            }
        }
        parameters
    }
}

fn judged(file: CheckFile, table: &str, found: Rows) -> CheckResult {
    let value = match found.measured {
        true => found.value.clone(),
        false => Some(found.rows.to_string()),
    };
    let limit = match file.threshold.limit {
        Limit::Number(ref number) => Some(number.clone()),
        Limit::Measured => found.threshold.clone(),
    };
    let holds = |value: Option<&String>| match (value, &limit) {
        (Some(value), Some(limit)) => file.threshold.comparison.holds(value, limit),
        _ => true,
    };
    let passed = holds(value.as_ref());
    // A SELECT may return more rows than those that offend, to show its value when nothing does.
    let offends = |sample: &Sample| !found.measured || !holds(sample.value.as_ref());
    CheckResult {
        table: table.to_owned(),
        name: file.name,
        severity: file.severity,
        passed,
        reason: file.reason,
        unit: file.unit,
        threshold: limit
            .as_ref()
            .map(|limit| format!("{} {limit}", file.threshold.comparison.sign())),
        value: value.clone(),
        samples: found
            .samples
            .into_iter()
            .filter(|sample| !passed && offends(sample))
            .map(|sample| sample.text)
            .collect(),
    }
}

/// A row of the sample.
#[derive(Debug)]
struct Sample {
    /// Its own `value`, where it has one.
    value: Option<String>,
    text: String,
}

/// What a check's SELECT returned.
#[derive(Debug, Default)]
struct Rows {
    rows: u64,
    /// Whether there is a column `value`.
    measured: bool,
    value: Option<String>,
    threshold: Option<String>,
    samples: Vec<Sample>,
}

impl Rows {
    fn add(
        &mut self,
        batch: &arrow::record_batch::RecordBatch,
    ) -> Result<(), arrow::error::ArrowError> {
        let options = FormatOptions::default().with_null("NULL");
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns());
        let columns = columns.map(|(field, column)| {
            let formatter = ArrayFormatter::try_new(column, &options)?;
            Ok((field.name().as_str(), column, formatter))
        });
        let columns = columns.collect::<Result<Vec<_>, arrow::error::ArrowError>>()?;
        let wanted = SAMPLES.saturating_sub(self.samples.len());
        for row in 0..batch.num_rows().min(wanted) {
            let first = self.rows == 0 && row == 0;
            let mut own = None;
            let mut cells = Vec::with_capacity(columns.len());
            for (name, column, formatter) in &columns {
                let text = || formatter.value(row).to_string();
                let measured = || (!column.is_null(row)).then(text);
                match *name {
                    "value" => own = measured(),
                    "threshold" if first => self.threshold = measured(),
                    "threshold" => {}
                    name => cells.push(format!(
                        "{name}={}",
                        text().chars().take(CELL).collect::<String>()
                    )),
                }
            }
            if first {
                self.value.clone_from(&own);
            }
            self.samples.push(Sample {
                value: own,
                text: cells.join(" "),
            });
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }
}
