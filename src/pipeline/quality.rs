//! Checks of a gold table, run on its staging table before anybody reads it.
//!
//! A check is a SQL file in `assets/sql/<table>/checks/`: two comment lines say its severity and the reason in
//! words, and its SELECT returns what is wrong. No rows means that it passed. The columns `value` and
//! `threshold` are what was found and what should be; all others describe the row.

use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::pipeline::{
    dataset::GoldTable,
    gold::{SqlFiles, query_error},
    jobs::{ErrorType, JobContext, JobError, Level},
    window::Window,
};

/// Rows of a failed check that are kept.
const SAMPLES: usize = 20;

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
    /// File name without its ending: `2_duplicate_keys`.
    pub name: String,
    /// What a failure means.
    pub severity: Severity,
    /// Whether nothing was found.
    pub passed: bool,
    /// What is wrong when something was found, in words.
    pub reason: String,
    /// The first value found.
    pub value: Option<String>,
    /// What it should have been.
    pub threshold: Option<String>,
    /// Up to 20 rows, `column=value` for each of their columns.
    pub samples: Vec<String>,
}

/// What the checks of a table found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QualityReport {
    /// Every check, in the order of its file name.
    pub checks: Vec<CheckResult>,
}

impl QualityReport {
    /// The failed checks of a severity.
    pub fn failed(&self, severity: Severity) -> impl Iterator<Item = &CheckResult> {
        self.checks.iter().filter(move |check| !check.passed && check.severity == severity)
    }
}

/// Runs the checks of a table on `staging`, for the days of `window`.
///
/// # Errors
/// `QualityCheckFailed` when a check of severity `error` found something, with all of them in the message;
/// `QueryFailed` when a check cannot be run; `InvalidInput` when its file is malformed.
pub async fn check(ctx: &JobContext, table: GoldTable, staging: &str, window: Window) -> Result<QualityReport, JobError> {
    let files = SqlFiles::embedded();
    let mut report = QualityReport::default();
    for path in files.checks(table.name())? {
        report.checks.push(run(ctx, &files, &path, staging, window).await?);
    }
    for failed in report.checks.iter().filter(|check| !check.passed) {
        let level = if failed.severity == Severity::Error { Level::Error } else { Level::Warn };
        ctx.log.line(level, &described(failed));
    }
    let errors: Vec<String> = report.failed(Severity::Error).map(described).collect();
    if errors.is_empty() {
        return Ok(report);
    }
    let message = format!("{} for {window} was not replaced: {}; look at silver for these days, then redrive", table.name(), errors.join("; "));
    Err(JobError::new(ErrorType::QualityCheckFailed, message))
}

fn described(check: &CheckResult) -> String {
    let found = check.value.as_deref().unwrap_or("-");
    let expected = check.threshold.as_deref().unwrap_or("-");
    let sample = check.samples.first().map_or_else(String::new, |row| format!("; first: {row}"));
    format!("check {}: {} (found {found}, expected {expected}{sample})", check.name, check.reason)
}

async fn run(ctx: &JobContext, files: &SqlFiles, path: &str, staging: &str, window: Window) -> Result<CheckResult, JobError> {
    let text = files.text(path)?;
    let header = |name: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix("-- ")?.strip_prefix(name)?.strip_prefix(':'));
        lines.map(|value| value.trim().to_owned()).next()
    };
    let malformed = |what: &str| JobError::new(ErrorType::InvalidInput, format!("the check {path} has no line '-- {what}'"));
    let severity = match header("severity").as_deref() {
        Some("error") => Severity::Error,
        Some("warn") => Severity::Warn,
        _ => return Err(malformed("severity: error' or '-- severity: warn")),
    };
    let reason = header("reason").ok_or_else(|| malformed("reason: …"))?;
    let (from, to) = (window.from().to_string(), window.to().to_string());
    let sql = files.render(path, &[("from", &from), ("to", &to), ("staging", staging)])?;
    let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".sql").to_owned();
    let failed = |error| query_error(&format!("could not run the check {name}"), &error);
    let rows = ctx.engine.query(&sql, &ctx.cancel).await.map_err(failed)?;
    let mut batches = rows.batches;
    let mut result = CheckResult { name: name.clone(), severity, passed: true, reason, value: None, threshold: None, samples: Vec::new() };
    while let Some(batch) = batches.next().await {
        sample(&batch.map_err(failed)?, &mut result).map_err(|why| JobError::new(ErrorType::QueryFailed, why.to_string()))?;
        if result.samples.len() >= SAMPLES {
            break;
        }
    }
    Ok(result)
}

fn sample(batch: &arrow::record_batch::RecordBatch, result: &mut CheckResult) -> Result<(), arrow::error::ArrowError> {
    let options = FormatOptions::default().with_null("NULL");
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let columns = columns.map(|(field, column)| Ok((field.name().as_str(), ArrayFormatter::try_new(column, &options)?)));
    let columns = columns.collect::<Result<Vec<_>, arrow::error::ArrowError>>()?;
    for row in 0..batch.num_rows().min(SAMPLES - result.samples.len().min(SAMPLES)) {
        result.passed = false;
        let mut cells = Vec::with_capacity(columns.len());
        for (name, formatter) in &columns {
            let text = formatter.value(row).to_string();
            match *name {
                "value" => result.value = result.value.take().or(Some(text)),
                "threshold" => result.threshold = result.threshold.take().or(Some(text)),
                name => cells.push(format!("{name}={text}")),
            }
        }
        result.samples.push(cells.join(" "));
    }
    Ok(())
}
