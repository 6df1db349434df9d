//! Gold tables on AWS: Iceberg tables that Athena keeps.
//!
//! Athena has no statement that goes back to a snapshot, so going back is a commit more: the days that differ are
//! replaced by those of the older snapshot, in the one MERGE that a build uses, too.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{Array, RecordBatch},
    util::display::{ArrayFormatter, FormatOptions},
};
use async_trait::async_trait;
use futures::TryStreamExt;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    functions::Functions,
    probes::{Answered, Probes, fingerprint, marked, still},
};
use lakehand_host::sign_in::Silent;
use lakehand_ops::{Snapshot, ports::Gold};
use lakehand_pipeline::{
    dataset::{GoldTable, Stream},
    gold::datamart::{self, DatamartPlan},
    jobs::{ErrorType, JobError},
    ports::{QueryEngine, QueryError, QueryRows},
};

/// Days that one statement replaces: a statement may write a hundred partitions.
const DAYS: usize = 90;

/// What of a snapshot's summary is told, under the names of the columns asked for.
///
/// Athena deletes by position: a row that a MERGE takes away stays in its data file, and a delete file says so. What is
/// there are the records less those positions.
const SUMMARY: [(&str, &str); 8] = [
    ("rows_added", "added-records"),
    ("rows_removed", "deleted-records"),
    ("positions_added", "added-position-deletes"),
    ("total_positions", "total-position-deletes"),
    ("files_added", "added-data-files"),
    ("files_removed", "deleted-data-files"),
    ("total_rows", "total-records"),
    ("total_bytes", "total-files-size"),
];

/// What Athena answered, or why it will not the next time either.
type Told<T> = Result<T, QueryError>;

/// The answer as it is kept; an error that may pass is none.
fn told<T>(answer: Result<T, QueryError>) -> Result<Told<T>, QueryError> {
    match answer {
        Err(error) if error.is_transient() || matches!(error, QueryError::Cancelled) => Err(error),
        lasts => Ok(lasts),
    }
}

/// A new answer with the data it tells of.
fn answered<K, T: Clone>(
    now: Timestamp,
    data: Option<u64>,
    of: K,
    told: &Told<T>,
) -> Answered<(K, Told<T>)> {
    let make = match told {
        Ok(_) => Answered::new,
        Err(_) => Answered::refused,
    };
    make(now, data, (of, told.clone()))
}

/// What was read before, each with the data it tells of.
#[derive(Debug, Default)]
struct Kept {
    plan: Option<Answered<Result<DatamartPlan, JobError>>>,
    explained: Option<Answered<(String, Told<Vec<String>>)>>,
    snapshots: Option<Answered<(GoldTable, Told<Vec<Snapshot>>)>>,
}

/// The gold tables of a profile on AWS.
#[derive(Debug, Clone)]
pub struct AwsGold {
    functions: Functions,
    /// Held while Athena is asked: who asks the same meanwhile gets the same answer.
    kept: Arc<tokio::sync::Mutex<Kept>>,
}

impl AwsGold {
    /// Those that the jobs of this profile build.
    #[must_use]
    pub fn new(functions: Functions) -> Self {
        Self {
            functions,
            kept: Arc::default(),
        }
    }

    async fn query(&self, sql: &str) -> Result<QueryRows, QueryError> {
        let engine = self.functions.engine();
        engine.query(sql, &CancellationToken::new()).await
    }

    async fn rows(&self, sql: &str) -> Result<Vec<HashMap<String, String>>, QueryError> {
        let rows = self.query(sql).await?;
        let batches: Vec<RecordBatch> = rows.batches.try_collect().await?;
        let mut all = Vec::new();
        for batch in &batches {
            all.append(&mut rows_of(batch)?);
        }
        Ok(all)
    }

    /// Names of the columns that a statement gives.
    async fn columns(&self, from: &str) -> Result<Vec<String>, QueryError> {
        let rows = self.query(&format!("SELECT * FROM {from} LIMIT 0")).await?;
        Ok(rows
            .schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect())
    }

    async fn restore_rows(&self, table: &str, version: u64) -> Result<(), QueryError> {
        let old = format!("\"{table}\" FOR VERSION AS OF {version}");
        let before = self.columns(&old).await?;
        let mut now = self.columns(table).await?;
        now.retain(|column| before.contains(column));
        let columns: Vec<String> = now.iter().map(|column| format!("\"{column}\"")).collect();
        let days = self.rows(&differing_days(table, &old, &columns)).await?;
        let days: Vec<String> = days
            .into_iter()
            .filter_map(|mut row| row.remove("day"))
            .collect();
        if days.is_empty() {
            return Err(not_possible(
                table,
                version,
                "it holds the same rows as the current one",
            ));
        }
        let cancel = CancellationToken::new();
        for days in days.chunks(DAYS) {
            let sql = merge(table, &old, &columns, days);
            self.functions.engine().execute(&sql, &cancel).await?;
        }
        Ok(())
    }
}

/// The days whose rows are not the same in both.
fn differing_days(table: &str, old: &str, columns: &[String]) -> String {
    let columns = columns.join(", ");
    let (then, now) = (
        format!("SELECT {columns} FROM {old}"),
        format!("SELECT {columns} FROM {table}"),
    );
    format!(
        "SELECT DISTINCT CAST(datestamp AS varchar) AS day FROM (\n  (({then}) EXCEPT ({now}))\n  UNION ALL\n  (({now}) EXCEPT ({then}))\n) AS d\nWHERE datestamp IS NOT NULL\nORDER BY day"
    )
}

/// Replaces days by those of the older snapshot, in one commit: the day's own rows go by a tombstone.
fn merge(table: &str, old: &str, columns: &[String], days: &[String]) -> String {
    let days: Vec<String> = days.iter().map(|day| format!("DATE '{day}'")).collect();
    let days = days.join(", ");
    let nothing = vec!["NULL"; columns.len()].join(", ");
    let values: Vec<String> = columns.iter().map(|column| format!("s.{column}")).collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    format!(
        "MERGE INTO {table} AS t\nUSING (\n  SELECT CAST(NULL AS date) AS replaced_day, {columns} FROM {old} WHERE datestamp IN ({days})\n  \
         UNION ALL\n  SELECT DISTINCT datestamp, {nothing} FROM {table} WHERE datestamp IN ({days})\n) AS s\n\
         ON t.datestamp = s.replaced_day AND t.datestamp IN ({days})\nWHEN MATCHED THEN DELETE\n\
         WHEN NOT MATCHED AND s.replaced_day IS NULL THEN INSERT ({columns}) VALUES ({values})"
    )
}

fn not_possible(table: &str, version: u64, why: &str) -> QueryError {
    QueryError::Refused {
        code: "INVALID_SNAPSHOT",
        message: format!("'{table}' cannot go back to snapshot {version}: {why}"),
    }
}

/// Rows by the names of their columns; what is null is left out.
fn rows_of(batch: &RecordBatch) -> Result<Vec<HashMap<String, String>>, QueryError> {
    let failed = |error: arrow::error::ArrowError| QueryError::Failed {
        message: error.to_string(),
        transient: false,
    };
    let options = FormatOptions::new();
    let mut rows = vec![HashMap::new(); batch.num_rows()];
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let cells = ArrayFormatter::try_new(column, &options).map_err(failed)?;
        for (index, row) in rows
            .iter_mut()
            .enumerate()
            .filter(|(index, _)| column.is_valid(*index))
        {
            row.insert(field.name().clone(), cells.value(index).to_string());
        }
    }
    Ok(rows)
}

fn snapshot(row: &HashMap<String, String>, current: bool) -> Option<Snapshot> {
    let number = |name: &str| row.get(name).and_then(|text| text.parse::<u64>().ok());
    let positions = |name: &str| number(name).unwrap_or(0);
    let removed = number("rows_removed").unwrap_or(0) + positions("positions_added");
    let rows = number("total_rows").map(|rows| rows.saturating_sub(positions("total_positions")));
    Some(Snapshot {
        version: number("snapshot_id")?,
        at: Timestamp::from_millisecond(row.get("committed_ms")?.parse().ok()?).ok()?,
        operation: row
            .get("operation")
            .map(|text| text.to_uppercase())
            .unwrap_or_default(),
        // A summary leaves out what is nought.
        rows_added: number("rows_added").or(Some(0)),
        rows_removed: Some(removed),
        files_added: number("files_added").unwrap_or(0),
        files_removed: number("files_removed").unwrap_or(0),
        rows,
        bytes: number("total_bytes"),
        current,
        // What VACUUM expired is not listed any more.
        restorable: true,
    })
}

impl AwsGold {
    async fn read_snapshots(&self, table: GoldTable) -> Result<Vec<Snapshot>, QueryError> {
        let summary: Vec<String> = SUMMARY
            .iter()
            .map(|(name, key)| format!("element_at(summary, '{key}') AS {name}"))
            .collect();
        let sql = format!(
            "SELECT snapshot_id, CAST(to_unixtime(committed_at) * 1000 AS bigint) AS committed_ms, operation, {} FROM \"{}$snapshots\" ORDER BY committed_at DESC",
            summary.join(", "),
            table.name()
        );
        let rows = self.rows(&marked(&sql)).await?;
        // Every change is a commit more, a way back also, so the newest is what readers see.
        let snapshots = rows.iter().enumerate().map(|(index, row)| {
            snapshot(row, index == 0).ok_or_else(|| QueryError::Failed {
                message: format!(
                    "the snapshots of {} are not what Iceberg keeps",
                    table.name()
                ),
                transient: false,
            })
        });
        snapshots.collect()
    }

    async fn read_plan(&self) -> Result<DatamartPlan, JobError> {
        let mut context = self.functions.context(
            "plan".to_owned(),
            Arc::new(Silent),
            CancellationToken::new(),
        );
        context.engine = Arc::new(Probes(Arc::clone(self.functions.engine())));
        datamart::plan(&context).await
    }

    fn now(&self) -> Timestamp {
        self.functions.clock().now()
    }

    /// What the plan hangs on: the tables that a datamart may read.
    async fn sources_now(&self) -> Option<u64> {
        let read = |stream: &Stream| {
            matches!(stream, Stream::Ga4(_) | Stream::Ga3(_)) || Stream::MARKETO.contains(stream)
        };
        let sources = self.functions.profile().streams().into_iter().filter(read);
        let prefixes: Vec<String> = sources
            .map(|stream| format!("{}/", stream.silver().prefix()))
            .collect();
        fingerprint(self.functions.lake().std.as_ref(), &prefixes).await
    }

    /// What the snapshots hang on: every commit is a file more.
    async fn commits_now(&self, table: GoldTable) -> Option<u64> {
        let prefix = format!("{}/metadata/", table.prefix());
        fingerprint(self.functions.lake().std.as_ref(), &[prefix]).await
    }
}

#[async_trait]
impl Gold for AwsGold {
    async fn snapshots(&self, table: GoldTable) -> Result<Vec<Snapshot>, QueryError> {
        let mut kept = self.kept.lock().await;
        let (now, commits) = (self.now(), self.commits_now(table));
        let fits = |known: &(GoldTable, Told<Vec<Snapshot>>)| known.0 == table;
        let data = match still(&mut kept.snapshots, now, fits, commits).await {
            Ok((_, snapshots)) => return snapshots,
            Err(data) => data,
        };
        let snapshots = told(self.read_snapshots(table).await)?;
        kept.snapshots = Some(answered(now, data, table, &snapshots));
        snapshots
    }

    async fn restore(&self, table: GoldTable, version: u64) -> Result<Snapshot, QueryError> {
        let snapshots = self.read_snapshots(table).await?;
        match snapshots.iter().find(|one| one.version == version) {
            None => {
                return Err(not_possible(
                    table.name(),
                    version,
                    "there is no such snapshot; VACUUM may have expired it",
                ));
            }
            Some(one) if one.current => {
                return Err(not_possible(table.name(), version, "it is the current one"));
            }
            Some(_) => self.restore_rows(table.name(), version).await?,
        }
        self.kept.lock().await.snapshots = None;
        let newest = self.read_snapshots(table).await?.into_iter().next();
        newest.ok_or_else(|| QueryError::Failed {
            message: format!("'{}' has no snapshot after it went back", table.name()),
            transient: false,
        })
    }

    async fn plan_datamart(&self) -> Result<DatamartPlan, JobError> {
        let mut kept = self.kept.lock().await;
        let now = self.now();
        let data = match still(&mut kept.plan, now, |_| true, self.sources_now()).await {
            Ok(plan) => return plan,
            Err(data) => data,
        };
        let plan = self.read_plan().await;
        let lasts = |error: &JobError| error.error_type != ErrorType::TransientPlatformError;
        // What cannot be planned cannot be planned in a minute either, while the data is the same.
        kept.plan = match &plan {
            Ok(_) => Some(Answered::new(now, data, plan.clone())),
            Err(error) if lasts(error) => Some(Answered::refused(now, data, plan.clone())),
            Err(_) => None,
        };
        plan
    }

    async fn explain(&self, select: &str) -> Result<Vec<String>, QueryError> {
        let mut kept = self.kept.lock().await;
        let now = self.now();
        let fits = |known: &(String, Told<Vec<String>>)| known.0 == select;
        let data = match still(&mut kept.explained, now, fits, self.sources_now()).await {
            Ok((_, lines)) => return lines,
            Err(data) => data,
        };
        let explained = async {
            let rows = self.query(&marked(&format!("EXPLAIN {select}"))).await?;
            rows.first_column().await
        };
        let lines = told(explained.await)?;
        kept.explained = Some(answered(now, data, select.to_owned(), &lines));
        lines
    }

    fn forget(&self) {
        // What is being read at this moment is new.
        if let Ok(mut kept) = self.kept.try_lock() {
            *kept = Kept::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A MERGE of Athena's: 40 rows come, 40 are marked as deleted in files that stay.
    #[test]
    fn rows_that_are_deleted_by_position_are_not_counted() {
        let row = |cells: &[(&str, &str)]| {
            let cells = cells
                .iter()
                .map(|(name, cell)| ((*name).to_owned(), (*cell).to_owned()));
            let id = [
                ("snapshot_id", "7"),
                ("committed_ms", "1000"),
                ("operation", "overwrite"),
            ];
            let id = id.map(|(name, cell)| (name.to_owned(), cell.to_owned()));
            cells.chain(id).collect::<HashMap<_, _>>()
        };
        let merged = row(&[
            ("rows_added", "40"),
            ("positions_added", "40"),
            ("total_rows", "1040"),
            ("total_positions", "40"),
        ]);
        let told = snapshot(&merged, true).unwrap();
        assert_eq!(
            (told.rows_added, told.rows_removed, told.rows),
            (Some(40), Some(40), Some(1_000))
        );
        // Whole files that went, and nothing deleted by position.
        let replaced = row(&[
            ("rows_added", "5"),
            ("rows_removed", "3"),
            ("total_rows", "12"),
        ]);
        let told = snapshot(&replaced, false).unwrap();
        assert_eq!((told.rows_removed, told.rows), (Some(3), Some(12)));
        assert!(snapshot(&HashMap::new(), true).is_none());
    }
}
