//! The world's datamart: built twice, checked with a warning.

use jiff::SignedDuration;

use super::World;
use lakehand_config::DatamartMode;
use lakehand_ops::{
    Datamart, QualityBadge, Snapshot, Statement, StatementState,
    datamart::{CostEstimate, DatamartSource},
    statements::kind_of,
};
use lakehand_pipeline::{
    quality::{CheckResult, QualityReport, Severity},
    window::Window,
};

impl World {
    /// The snapshots, newest first.
    pub(super) fn snapshots(&self) -> Vec<Snapshot> {
        let snapshot = |version: u64, operation: &str| Snapshot {
            version,
            at: self.now - SignedDuration::from_hours(i64::try_from(9 - version).unwrap_or(0)),
            operation: operation.to_owned(),
            rows_added: Some(1_200 + version),
            rows_removed: Some(1_180),
            files_added: 1,
            files_removed: 1,
            rows: Some(12_340 + version),
            bytes: Some(418_000),
            current: version == self.snapshot,
            restorable: version > 1,
        };
        let mut all = vec![
            snapshot(3, "MERGE"),
            snapshot(2, "MERGE"),
            snapshot(1, "CREATE TABLE"),
        ];
        if self.snapshot > 3 {
            all.insert(0, snapshot(self.snapshot, "RESTORE to 2"));
        }
        all
    }

    /// The statements, newest first: one runs, one failed, two are done.
    pub(super) fn statements(&self) -> Vec<Statement> {
        let statement = |end: &str, minutes: i64, state, sql: &str, bytes: Option<u64>| {
            let submitted = self.now - SignedDuration::from_mins(minutes);
            let run_ms = bytes.map(|_| 1_204 * u64::try_from(minutes).unwrap_or(1));
            let ended = run_ms.map(|_| submitted + SignedDuration::from_secs(2 * minutes));
            let found = Statement {
                id: format!("8f3a61c2-5d11-4a6b-9c1d-0000{end}"),
                kind: kind_of(sql),
                sql: sql.to_owned(),
                state,
                submitted: Some(submitted),
                ended,
                queued_ms: Some(130),
                run_ms,
                bytes_scanned: bytes,
                dollars: None,
                reason: None,
            };
            found.priced(false, 5.0)
        };
        let now = match self.statement_stopped {
            true => StatementState::Cancelled,
            false => StatementState::Running,
        };
        let merge = "-- one commit\nMERGE INTO marketing_datamart AS t\nUSING staged AS s ON t.datestamp = s.datestamp";
        let failed = statement(
            "9b01c2d3",
            41,
            StatementState::Failed,
            "SELECT offer_titel FROM affise_offers",
            Some(0),
        );
        vec![
            statement("7c55a911", 1, now, merge, None),
            Statement {
                reason: Some(
                    "COLUMN_NOT_FOUND: line 1:8: Column 'offer_titel' cannot be resolved"
                        .to_owned(),
                ),
                ..failed
            },
            statement(
                "11aa22bb",
                62,
                StatementState::Succeeded,
                "SELECT count(*) FROM affise_clicks",
                Some(1_204_000_000),
            ),
            statement(
                "33cc44dd",
                63,
                StatementState::Succeeded,
                "DROP TABLE IF EXISTS staged",
                Some(0),
            ),
        ]
    }

    /// The datamart, whole.
    pub(super) fn datamart(&self) -> Datamart {
        let source = |table: &str, bytes: u64| DatamartSource {
            table: table.to_owned(),
            files: 12,
            bytes,
            newest: Some(self.now - SignedDuration::from_mins(33)),
        };
        let current = self
            .snapshots()
            .into_iter()
            .find(|snapshot| snapshot.current);
        Datamart {
            table: "marketing_datamart".to_owned(),
            mode: DatamartMode::Table,
            rows: current.as_ref().and_then(|snapshot| snapshot.rows),
            bytes: Some(418_000),
            plan: None,
            why_no_plan: None,
            query_plan: vec!["AggregateExec".to_owned(), "  DataSourceExec".to_owned()],
            sources: vec![
                source("ga_traffic", 3_400_000),
                source("marketo_leads", 1_900_000),
            ],
            estimate: CostEstimate::of(5_300_000, 1, 5.0),
            scan_limit: None,
            in_flight: Vec::new(),
            last_build: None,
            newest: None,
            quality: Some(self.checks("marketing_datamart").into()),
            snapshot: current,
            is_deployed: true,
        }
    }

    /// What the Board tells of checks.
    pub(super) fn badges(&self) -> Vec<QualityBadge> {
        match self.executions.is_empty() {
            true => Vec::new(),
            false => vec![self.checks("daily_report_sub5").into()],
        }
    }

    /// A report of three checks: one failed when the night is bad, one warns, one is well.
    pub(super) fn checks(&self, table: &str) -> QualityReport {
        let check = |name: &str, severity, passed, value: &str, samples: &[&str]| CheckResult {
            table: table.to_owned(),
            name: name.to_owned(),
            severity,
            passed,
            reason: "the same key stands in two rows".to_owned(),
            unit: "keys".to_owned(),
            value: Some(value.to_owned()),
            threshold: Some("<= 0".to_owned()),
            samples: samples.iter().map(|row| (*row).to_owned()).collect(),
        };
        let day = super::today(self.now);
        let rows = [
            "conversion_id=65a1f, sub5=\u{1b}[31mred",
            "conversion_id=65a20, sub5=",
        ];
        QualityReport {
            table: table.to_owned(),
            execution: "daily-report:x".to_owned(),
            window: Window::day(day),
            checked_at: self.now - SignedDuration::from_mins(121),
            checks: vec![
                check("1_row_count", Severity::Warn, true, "0", &[]),
                check("2_duplicate_keys", Severity::Error, !self.late, "3", &rows),
                check("3_null_share", Severity::Warn, false, "0.2", &[]),
            ],
        }
    }
}
