//! Gold tables: their SQL, and the build of a window.
//!
//! A build is a function of the SQL, of silver and of the window. It goes to a staging table named after the
//! execution, is checked there, and one statement puts it in place, so that a process may die anywhere: before
//! that statement readers have the old window, after it the new one, and repeating the build gives the same
//! rows. The workflow `daily-report` runs the same statements one by one; [`build`] is `lakehand gold build`.

use std::time::Duration;

use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    dataset::GoldTable,
    jobs::{ErrorType, JobContext, JobError, Level},
    ports::{QueryError, QuerySummary},
    quality::{self, QualityReport},
    state::{Lease, LeaseError},
    window::Window,
};
use lakehand_config::ReplaceMode;

pub mod datamart;
mod sql;
mod workflow;

pub use sql::SqlFiles;
pub use workflow::{render_workflow, render_workflow_with};

/// How long a lease on a gold table lives without renewal.
pub const LEASE: Duration = Duration::from_secs(60);

/// Why a SQL file could not be made a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GoldError {
    /// There is no such file.
    #[error("there is no SQL file '{path}'; files are named by their path below assets/sql/")]
    NoSuchFile {
        /// Path asked for.
        path: String,
    },
    /// A file names a parameter that does not exist.
    #[error(
        "{path} has a parameter :{name}, which does not exist; known: :from, :to, :today, :now, :staging, :table, :execution, :location"
    )]
    UnknownParameter {
        /// The file.
        path: String,
        /// The parameter.
        name: String,
    },
    /// A parameter was not given.
    #[error("{path} needs a value for :{name}")]
    MissingParameter {
        /// The file.
        path: String,
        /// The parameter.
        name: String,
    },
    /// A value cannot be what its parameter stands for.
    #[error("'{value}' cannot be the parameter :{name}: {why}")]
    BadParameter {
        /// The parameter.
        name: String,
        /// The value.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A workflow definition cannot be read.
    #[error("the workflow definition cannot be rendered: {why}")]
    BadDefinition {
        /// What is wrong with it.
        why: String,
    },
}

impl From<GoldError> for JobError {
    fn from(error: GoldError) -> Self {
        Self::new(ErrorType::InvalidInput, error.to_string())
    }
}

/// What a build did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildSummary {
    /// The table.
    pub table: String,
    /// The window that was replaced.
    pub window: Window,
    /// Rows of the window now.
    pub rows: u64,
    /// Bytes the build read from storage, where the engine knows.
    pub bytes_scanned: u64,
    /// What the checks said.
    pub quality: QualityReport,
}

/// The name of the staging table of an execution. Two executions never share one, and a redrive finds its own.
#[must_use]
pub fn staging_name(table: GoldTable, execution: &str) -> String {
    let hash = Sha256::digest(execution.as_bytes());
    let hex: String = hash
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}_staging_{hex}", table.name())
}

/// Builds a window of a gold table, or the whole of one that has no windows, and puts it in place: the table if it is missing, staging, checks, one
/// statement, clean-up. One build a table at a time, by a lease.
///
/// # Errors
/// `LeaseHeld` while another execution builds the table, `QualityCheckFailed` when a check of severity `error`
/// finds something, `QueryFailed`, `TransientPlatformError`, `Cancelled`; the table then has its old rows.
pub async fn build(
    ctx: &JobContext,
    table: GoldTable,
    window: Window,
) -> Result<BuildSummary, JobError> {
    if table == GoldTable::MarketingDatamart {
        return datamart::build(ctx, window).await;
    }
    let lease = Lease::acquire(&ctx.lake.std, &table.prefix(), &ctx.execution, LEASE)
        .await?
        .hold();
    let build = Build {
        ctx,
        table,
        window,
        staging: staging_name(table, &ctx.execution),
        files: SqlFiles::embedded(),
    };
    let outcome = tokio::select! {
        biased;
        () = lease.lost().cancelled() => Err(JobError::from(LeaseError::Lost { name: table.prefix() })),
        outcome = build.run() => outcome,
    };
    if outcome.is_err() {
        // What is left is dropped by the next build; the failure that counts is the first one.
        let _ = drop_table(ctx, table, &build.staging).await;
    }
    let released = lease.release().await;
    let summary = outcome?;
    released?;
    Ok(summary)
}

/// A failed statement as a failed job.
pub(crate) fn query_error(what: &str, error: &QueryError) -> JobError {
    JobError::new(error.into(), format!("{what}: {error}"))
}

/// Drops a staging table. Also after a cancel: a table that nobody reads again should not stay.
async fn drop_table(ctx: &JobContext, table: GoldTable, staging: &str) -> Result<(), JobError> {
    let sql = SqlFiles::embedded().render(
        &format!("{}/drop_staging.sql", table.name()),
        &[("staging", staging)],
    )?;
    let uncancelled = tokio_util::sync::CancellationToken::new();
    let dropped = ctx.engine.execute(&sql, &uncancelled).await;
    dropped.map(|_| ()).map_err(|error| {
        query_error(
            &format!("could not drop the staging table {staging}"),
            &error,
        )
    })
}

struct Build<'a> {
    ctx: &'a JobContext,
    table: GoldTable,
    window: Window,
    staging: String,
    files: SqlFiles,
}

impl Build<'_> {
    async fn run(&self) -> Result<BuildSummary, JobError> {
        self.execute("ddl.sql").await?;
        drop_leftovers(self.ctx, self.table).await?;
        let built = self.execute("build_window.sql").await?;
        self.ctx.log.line(
            Level::Info,
            &format!(
                "{}: {} rows staged for {}",
                self.table.name(),
                built.rows,
                self.window
            ),
        );
        let quality = quality::check(self.ctx, self.table, &self.staging, self.window).await?;
        let bytes_scanned = built.bytes_scanned + self.replace().await?;
        drop_table(self.ctx, self.table, &self.staging).await?;
        self.ctx.log.line(
            Level::Info,
            &format!("{}: {} replaced", self.table.name(), self.window),
        );
        Ok(BuildSummary {
            table: self.table.name().to_owned(),
            window: self.window,
            rows: built.rows,
            bytes_scanned,
            quality,
        })
    }

    async fn replace(&self) -> Result<u64, JobError> {
        let files: &[&str] = match self.ctx.profile.gold.replace {
            ReplaceMode::Merge => &["replace_window.sql"],
            ReplaceMode::DeleteInsert => {
                &["replace_window_delete.sql", "replace_window_insert.sql"]
            }
        };
        let mut bytes_scanned = 0;
        for file in files {
            bytes_scanned += self.execute(file).await?.bytes_scanned;
        }
        Ok(bytes_scanned)
    }

    async fn execute(&self, file: &str) -> Result<QuerySummary, JobError> {
        let (from, to) = (self.window.from().to_string(), self.window.to().to_string());
        let location = match file {
            "build_window.sql" => self
                .ctx
                .lake
                .std
                .display(&format!("staging/{}/", self.staging)),
            _ => self
                .ctx
                .lake
                .std
                .display(&format!("{}/", self.table.prefix())),
        };
        let parameters = [
            ("from", from.as_str()),
            ("to", &to),
            ("staging", &self.staging),
            ("location", &location),
        ];
        let sql = self
            .files
            .render(&format!("{}/{file}", self.table.name()), &parameters)?;
        let outcome = self.ctx.engine.execute(&sql, &self.ctx.cancel).await;
        outcome.map_err(|error| {
            query_error(
                &format!(
                    "could not run {file} of {} for {}",
                    self.table.name(),
                    self.window
                ),
                &error,
            )
        })
    }
}

/// Staging tables of builds that died. The lease makes sure that none of them is being written.
async fn drop_leftovers(ctx: &JobContext, table: GoldTable) -> Result<(), JobError> {
    let sql = format!("SHOW TABLES '{}_staging_*'", table.name());
    let failed = |error: QueryError| query_error("could not list staging tables", &error);
    let rows = ctx.engine.query(&sql, &ctx.cancel).await.map_err(failed)?;
    let batches: Vec<_> = rows.batches.try_collect().await.map_err(failed)?;
    for batch in &batches {
        let Some(names) = batch
            .columns()
            .first()
            .and_then(|column| arrow::array::AsArray::as_string_opt::<i32>(column))
        else {
            continue;
        };
        for name in names.iter().flatten() {
            ctx.log.line(
                Level::Info,
                &format!("dropping {name}, left behind by an interrupted build"),
            );
            drop_table(ctx, table, name).await?;
        }
    }
    Ok(())
}
