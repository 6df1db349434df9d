//! The marketing datamart as an operator sees it: what it is made of and what that costs, what runs, its
//! snapshots and the way back to one.

use futures::TryStreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::{
    ExecutionId, ExecutionStatus, ExecutionSummary, Operator, OpsError, OpsErrorKind, OpsResult,
    QualityBadge, StageStatus, WorkflowName,
    statements::{Statement, of_events},
};
use lakehand_config::DatamartMode;
use lakehand_pipeline::{
    dataset::GoldTable,
    gold::datamart::{DatamartPlan, source_prefix},
    jobs::JobError,
    ports::{QueryError, StoreError},
    quality::newest_report,
    state::Lease,
};

/// The workflow that builds the datamart.
pub const WORKFLOW: &str = "datamart";
/// Bytes that Athena charges at least for a statement.
const LEAST_CHARGED: u64 = 10_000_000;
/// Statements of a build that are charged: the one that stages, the one that puts in place.
const BUILD_STATEMENTS: u64 = 2;
/// Bytes of the terabyte that prices are for.
const TERABYTE: f64 = 1e12;
/// How long a roll-back may hold the table: on Athena it is a few statements over both snapshots.
const LEASE: Duration = Duration::from_secs(900);
/// Executions looked through for the last build.
const LOOKED_THROUGH: usize = 20;

/// A version of a gold table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its number; goes up with every change.
    pub version: u64,
    /// When it was committed.
    #[serde(rename = "committed_at", alias = "at")]
    pub at: Timestamp,
    /// What made it: `CREATE TABLE`, `MERGE`, `RESTORE to 3`.
    pub operation: String,
    /// Rows in the files it added, those rewritten unchanged included.
    pub rows_added: Option<u64>,
    /// Rows in the files it took away; `None` when the log does not say any more.
    pub rows_removed: Option<u64>,
    /// Files it added.
    pub files_added: u64,
    /// Files it took away.
    pub files_removed: u64,
    /// Rows of the table then.
    pub rows: Option<u64>,
    /// Bytes of the table then.
    pub bytes: Option<u64>,
    /// Whether it is what readers see.
    pub current: bool,
    /// Whether all its files are still there, so that a roll-back to it is possible.
    pub restorable: bool,
}

/// What a statement would cost on Athena.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CostEstimate {
    /// Bytes scanned.
    pub bytes: u64,
    /// Bytes charged: Athena charges at least 10 MB a statement.
    pub bytes_charged: u64,
    /// US dollars a terabyte, as configured.
    pub price_per_tb: f64,
    /// US dollars.
    pub dollars: f64,
}

impl CostEstimate {
    /// The cost of `statements` that scan so many bytes together.
    #[must_use]
    pub fn of(bytes: u64, statements: u64, price_per_tb: f64) -> Self {
        let bytes_charged = bytes.max(LEAST_CHARGED * statements);
        Self {
            bytes,
            bytes_charged,
            price_per_tb,
            dollars: bytes_charged as f64 / TERABYTE * price_per_tb,
        }
    }
}

/// A table that the datamart reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatamartSource {
    /// The name SQL knows it by.
    pub table: String,
    /// Its files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the newest was written.
    #[serde(rename = "newest_at")]
    pub newest: Option<Timestamp>,
}

/// A stage that runs right now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementInFlight {
    /// The execution.
    pub execution: ExecutionId,
    /// The stage: `BuildDatamart`.
    pub stage: String,
    /// Since when.
    #[serde(rename = "started_at")]
    pub started: Option<Timestamp>,
    /// Its statement, where the stage runs one.
    pub sql: Option<String>,
    /// Its newest line of progress.
    pub progress: Option<String>,
}

/// The last build that ended well.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LastBuild {
    /// The execution.
    #[serde(rename = "summary")]
    pub execution: ExecutionSummary,
    /// Bytes its statements scanned.
    pub bytes_scanned: u64,
    /// What they would have cost on Athena.
    pub cost: CostEstimate,
}

/// The datamart, whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Datamart {
    /// `marketing_datamart`.
    pub table: String,
    /// Table or view, as configured.
    pub mode: DatamartMode,
    /// Rows now; `None` when it was not built yet or is a view.
    pub rows: Option<u64>,
    /// Bytes now.
    pub bytes: Option<u64>,
    /// What a build works with; `None` with the reason in `why_no_plan`.
    pub plan: Option<DatamartPlan>,
    /// Why it cannot be built.
    pub why_no_plan: Option<String>,
    /// The engine's plan of the SELECT, line by line.
    pub query_plan: Vec<String>,
    /// What it reads.
    pub sources: Vec<DatamartSource>,
    /// What a build would cost at most: every byte of the sources read once.
    pub estimate: CostEstimate,
    /// Bytes at which the engine stops a statement, where it has such a limit.
    pub scan_limit: Option<u64>,
    /// What runs right now.
    pub in_flight: Vec<StatementInFlight>,
    /// The last build that ended well.
    pub last_build: Option<LastBuild>,
    /// The newest execution, however it ended.
    #[serde(rename = "newest_execution")]
    pub newest: Option<ExecutionSummary>,
    /// The newest checks.
    pub quality: Option<QualityBadge>,
    /// The newest snapshot.
    pub snapshot: Option<Snapshot>,
    /// Whether the deployment has the workflow that builds it.
    #[serde(skip)]
    pub is_deployed: bool,
}

impl Operator {
    /// Everything the Datamart screen shows.
    pub(super) async fn read_datamart(&self) -> OpsResult<Datamart> {
        let table = GoldTable::MarketingDatamart;
        let profile = &self.parts.profile;
        let is_deployed = self.has_workflow(WORKFLOW).await;
        let (plan, why_no_plan) = match is_deployed {
            // Nothing builds it: there is nothing to plan, and no statement to be sent.
            false => (None, None),
            true => match self.parts.gold.plan_datamart().await {
                Ok(plan) => (Some(plan), None),
                Err(error) => (None, Some(error.message)),
            },
        };
        let query_plan = match &plan {
            Some(plan) => self.explain(plan).await?,
            None => Vec::new(),
        };
        let mut sources = Vec::new();
        for name in plan.iter().flat_map(DatamartPlan::sources) {
            sources.push(self.source(name).await?);
        }
        let snapshots = self.table_snapshots(table).await?;
        let workflow = WorkflowName::from(WORKFLOW);
        let executions = match is_deployed {
            true => {
                let workflows = &self.parts.workflows;
                workflows
                    .executions(Some(&workflow), LOOKED_THROUGH)
                    .await?
            }
            false => Vec::new(),
        };
        let current = snapshots.iter().find(|snapshot| snapshot.current);
        let quality = newest_report(&self.parts.lake.std, table.name()).await;
        let quality = quality.map_err(|error| platform(error.to_string()))?;
        let bytes = sources.iter().map(|source| source.bytes).sum();
        Ok(Datamart {
            table: table.name().to_owned(),
            mode: profile.datamart.mode,
            rows: current.and_then(|snapshot| snapshot.rows),
            bytes: current.and_then(|snapshot| snapshot.bytes),
            plan,
            why_no_plan,
            query_plan,
            sources,
            estimate: CostEstimate::of(bytes, BUILD_STATEMENTS, profile.datamart.price_per_tb),
            scan_limit: self.scan_limit().await,
            in_flight: self.in_flight(&executions).await?,
            last_build: self.last_build(&executions).await?,
            newest: executions.into_iter().next(),
            quality: quality.map(QualityBadge::from),
            snapshot: current.cloned(),
            is_deployed,
        })
    }

    async fn explain(&self, plan: &DatamartPlan) -> OpsResult<Vec<String>> {
        let select = plan.select().map_err(from_job)?;
        match self.parts.gold.explain(&select).await {
            Ok(lines) => Ok(lines),
            // A source that was never collected has no plan; the rest of the screen is worth seeing.
            Err(QueryError::Refused { message, .. }) => Ok(vec![message]),
            Err(error) => Err(from_query(error)),
        }
    }

    async fn source(&self, table: String) -> OpsResult<DatamartSource> {
        let mut source = DatamartSource {
            table,
            files: 0,
            bytes: 0,
            newest: None,
        };
        let Some(prefix) = source_prefix(&source.table) else {
            return Ok(source);
        };
        let failed = |error: StoreError| platform(error.to_string());
        let mut listing = self.parts.lake.std.list(&prefix).await.map_err(failed)?;
        while let Some(object) = listing.try_next().await.map_err(failed)? {
            if object.key.ends_with(".parquet") {
                source.files += 1;
                source.bytes += object.size;
                source.newest = source.newest.max(Some(object.modified));
            }
        }
        Ok(source)
    }

    async fn in_flight(
        &self,
        executions: &[ExecutionSummary],
    ) -> OpsResult<Vec<StatementInFlight>> {
        let running = executions
            .iter()
            .filter(|execution| execution.status == ExecutionStatus::Running);
        let mut in_flight = Vec::new();
        for execution in running {
            let events = self.parts.workflows.history(&execution.id, 0).await?;
            let statements = of_events(execution, &events);
            for stage in self.stages_of(execution).await? {
                if stage.status != StageStatus::Running {
                    continue;
                }
                let prefix = format!("{}/{}/", execution.id, stage.name);
                let runs =
                    |one: &&Statement| one.state.is_under_way() && one.id.starts_with(&prefix);
                in_flight.push(StatementInFlight {
                    execution: execution.id.clone(),
                    started: stage.started,
                    sql: statements.iter().find(runs).map(|one| one.sql.clone()),
                    progress: stage.progress,
                    stage: stage.name,
                });
            }
        }
        Ok(in_flight)
    }

    async fn last_build(&self, executions: &[ExecutionSummary]) -> OpsResult<Option<LastBuild>> {
        let succeeded =
            |execution: &&ExecutionSummary| execution.status == ExecutionStatus::Succeeded;
        let Some(execution) = executions.iter().find(succeeded) else {
            return Ok(None);
        };
        let scanned: Vec<u64> = self
            .stages_of(execution)
            .await?
            .iter()
            .filter_map(|stage| scanned_by(stage.output.as_deref()?))
            .collect();
        // Each stage's output holds what the stages before it put there; the last one holds all.
        let bytes_scanned = scanned.last().copied().unwrap_or(0);
        let price = self.parts.profile.datamart.price_per_tb;
        Ok(Some(LastBuild {
            execution: execution.clone(),
            bytes_scanned,
            cost: CostEstimate::of(bytes_scanned, BUILD_STATEMENTS, price),
        }))
    }

    pub(super) async fn table_snapshots(&self, table: GoldTable) -> OpsResult<Vec<Snapshot>> {
        match self.parts.gold.snapshots(table).await {
            Ok(snapshots) => Ok(snapshots),
            // Not built yet, or a view.
            Err(QueryError::Refused { .. }) => Ok(Vec::new()),
            Err(error) => Err(from_query(error)),
        }
    }

    /// Puts a snapshot's rows back, while nobody builds the table.
    pub(super) async fn restore_snapshot(
        &self,
        table: GoldTable,
        version: u64,
    ) -> OpsResult<Snapshot> {
        let owner = format!("rollback-{}", uuid::Uuid::now_v7().simple());
        let std = &self.parts.lake.std;
        let lease = Lease::acquire(std, &table.prefix(), &owner, LEASE).await;
        let lease = lease.map_err(|error| {
            OpsError::new(
                OpsErrorKind::Conflict,
                error.to_string(),
                "wait until the build has ended, or stop it",
            )
        })?;
        let restored = self.parts.gold.restore(table, version).await;
        let released = lease.release().await;
        let snapshot = restored.map_err(from_query)?;
        released.map_err(|error| platform(error.to_string()))?;
        Ok(snapshot)
    }
}

/// Bytes that the statements scanned, as a stage's output keeps them.
fn scanned_by(output: &str) -> Option<u64> {
    let output: serde_json::Value = serde_json::from_str(output).ok()?;
    let scanned = ["built", "replaced", "viewed"]
        .iter()
        .filter_map(|name| output.get(name)?.get("bytes_scanned")?.as_u64());
    let scanned: Vec<u64> = scanned.collect();
    (!scanned.is_empty()).then(|| scanned.iter().sum())
}

fn platform(why: String) -> OpsError {
    OpsError::new(
        OpsErrorKind::Platform,
        why,
        "check the lake's folder and its permissions",
    )
}

fn from_job(error: JobError) -> OpsError {
    OpsError::new(OpsErrorKind::Platform, error.message, "")
}

fn from_query(error: QueryError) -> OpsError {
    let kind = match &error {
        QueryError::Refused { .. } => OpsErrorKind::NotPossible,
        QueryError::Conflict { .. } => OpsErrorKind::Conflict,
        QueryError::Failed { .. } | QueryError::Cancelled => OpsErrorKind::Platform,
    };
    OpsError::new(
        kind,
        error.to_string(),
        "`lakehand datamart history` lists the snapshots",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_bytes_times_price_but_never_below_the_least() {
        let cost = CostEstimate::of(2_000_000_000_000, 1, 5.0);
        assert_eq!(
            (cost.bytes_charged, cost.dollars),
            (2_000_000_000_000, 10.0)
        );
        let small = CostEstimate::of(1234, 2, 5.0);
        assert_eq!((small.bytes_charged, small.dollars), (20_000_000, 0.0001));
    }

    #[test]
    fn what_a_build_scanned_is_read_from_its_output() {
        let output = r#"{"plan":{},"built":{"bytes_scanned":7},"replaced":{"bytes_scanned":5}}"#;
        assert_eq!(scanned_by(output), Some(12));
        assert_eq!(scanned_by(r#"{"plan":{}}"#), None);
    }
}
