//! What the checks of data quality found, for the Board's badge and for an execution.

use jiff::Timestamp;
use serde::Serialize;

use super::{ExecutionId, Operator, OpsError, OpsErrorKind, OpsResult, WorkflowName};
use lakehand_pipeline::{
    dataset::GoldTable,
    quality::{
        QualityReport, Severity, checked_tables, newest_report, report_versions, stored_report,
    },
    state::StateError,
};

/// The newest checks of a table, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QualityBadge {
    /// The table.
    pub table: String,
    /// The workflow that makes it.
    pub workflow: WorkflowName,
    /// The execution that checked it.
    pub execution: String,
    /// When.
    pub checked_at: Timestamp,
    /// Checks that ran.
    pub checks: usize,
    /// Failed checks of severity `warn`.
    pub warnings: usize,
    /// Failed checks of severity `error`: the build was not put in place.
    pub errors: usize,
    /// The reason of the worst failed check.
    pub worst: Option<String>,
}

impl From<QualityReport> for QualityBadge {
    fn from(report: QualityReport) -> Self {
        let worst = report
            .failed(Severity::Error)
            .chain(report.failed(Severity::Warn))
            .next();
        Self {
            workflow: maker(&report.table),
            worst: worst.map(|check| check.reason.clone()),
            checks: report.checks.len(),
            warnings: report.count(Severity::Warn),
            errors: report.count(Severity::Error),
            table: report.table,
            execution: report.execution,
            checked_at: report.checked_at,
        }
    }
}

/// The workflow that makes a table: gold tables have one of their own, silver is collected.
fn maker(table: &str) -> WorkflowName {
    let gold = GoldTable::ALL.into_iter().find(|gold| gold.name() == table);
    WorkflowName::from(match gold {
        Some(GoldTable::DailyReportSub5) => "daily-report",
        Some(GoldTable::MarketingDatamart) => "datamart",
        None => "collect",
    })
}

impl Operator {
    /// The newest checks of every table that was ever checked.
    pub(super) async fn quality_badges(&self) -> OpsResult<Vec<QualityBadge>> {
        let store = &self.parts.lake.std;
        let versions = report_versions(store)
            .await
            .map_err(|error| unreadable(error.into()))?;
        let mut known = self.seen.badges.lock().await;
        let mut badges = Vec::new();
        for table in checked_tables(&self.parts.profile) {
            let Some(version) = versions.get(&table).copied() else {
                continue;
            };
            let badge = match known.get(&table).filter(|(own, _)| *own == version) {
                Some((_, badge)) => badge.clone(),
                None => {
                    let report = newest_report(store, &table).await.map_err(unreadable)?;
                    let badge = report.map(QualityBadge::from);
                    known.insert(table, (version, badge.clone()));
                    badge
                }
            };
            badges.extend(badge);
        }
        Ok(badges)
    }

    /// What an execution checked.
    pub(super) async fn quality_of(&self, id: &ExecutionId) -> OpsResult<Vec<QualityReport>> {
        let store = &self.parts.lake.std;
        let mut reports = Vec::new();
        for table in checked_tables(&self.parts.profile) {
            let report = stored_report(store, &table, id.as_ref()).await;
            reports.extend(report.map_err(unreadable)?);
        }
        Ok(reports)
    }
}

fn unreadable(error: StateError) -> OpsError {
    OpsError::new(
        OpsErrorKind::Platform,
        format!("could not read what the checks found: {error}"),
        "check the lake's folder and its permissions; `lakehand check` writes a new report",
    )
}
