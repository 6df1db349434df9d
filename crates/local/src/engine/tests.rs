//! Statements and what they give: results worked out by hand or taken from Trino's own documentation.

mod folders;
mod merge;
mod nulls;
mod partitions;
mod refused;
mod statements;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;

use arrow::record_batch::RecordBatch;

use super::*;

/// An engine on an empty lake.
struct Fixture {
    _folder: tempfile::TempDir,
    engine: LocalEngine,
}

fn fixture() -> Fixture {
    fixture_with_memory(DEFAULT_MEMORY_BYTES)
}

fn fixture_with_memory(memory_bytes: usize) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let settings = EngineSettings {
        std_dir: folder.path().join("std"),
        spill_dir: folder.path().join("spill"),
        memory_bytes,
        threads: 2,
    };
    Fixture {
        engine: LocalEngine::new(&settings).unwrap(),
        _folder: folder,
    }
}

impl Fixture {
    async fn run(&self, sql: &str) -> Result<u64, QueryError> {
        self.engine
            .execute(sql, &CancellationToken::new())
            .await
            .map(|summary| summary.rows)
    }

    async fn ok(&self, sql: &str) -> u64 {
        self.run(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    async fn code(&self, sql: &str) -> String {
        let error = match self.run(sql).await {
            Ok(_) => panic!("{sql} was accepted"),
            Err(error) => error.to_string(),
        };
        error.split(':').next().unwrap().to_owned()
    }

    /// Rows as text, cells joined by `|`, rows by `;`, null as `NULL`.
    async fn rows(&self, sql: &str) -> String {
        self.try_rows(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    async fn try_rows(&self, sql: &str) -> Result<String, QueryError> {
        let rows = self.engine.query(sql, &CancellationToken::new()).await?;
        let batches: Vec<RecordBatch> = rows.batches.try_collect().await?;
        let options = FormatOptions::default().with_null("NULL");
        let mut lines = Vec::new();
        for batch in &batches {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                lines.push(
                    columns
                        .iter()
                        .map(|column| column.value(row).to_string())
                        .collect::<Vec<_>>()
                        .join("|"),
                );
            }
        }
        Ok(lines.join(";"))
    }
}

#[tokio::test]
async fn tables_come_change_and_go() {
    let lake = fixture();
    lake.ok("CREATE TABLE db.t (id bigint, day date, money decimal(18,4), name string) PARTITIONED BY (day) LOCATION 's3://b/t/' TBLPROPERTIES ('table_type'='ICEBERG')").await;
    assert_eq!(lake.rows("SELECT count(*) FROM t").await, "0");
    assert_eq!(lake.ok("INSERT INTO t VALUES (1, date '2026-01-01', 1.5, 'a'), (2, date '2026-01-02', NULL, '')").await, 2);
    assert_eq!(
        lake.ok("INSERT INTO db.t (name, id) SELECT 'c', 3").await,
        1
    );
    assert_eq!(
        lake.rows("SELECT * FROM t ORDER BY id").await,
        "1|2026-01-01|1.5000|a;2|2026-01-02|NULL|;3|NULL|NULL|c"
    );
    assert_eq!(
        lake.ok("UPDATE t SET money = money + 1, name = 'z' WHERE day = date '2026-01-01'")
            .await,
        1
    );
    assert_eq!(
        lake.ok("DELETE FROM t x WHERE x.id = 2 OR x.day IS NULL")
            .await,
        2
    );
    assert_eq!(lake.rows("SELECT * FROM t").await, "1|2026-01-01|2.5000|z");
    assert_eq!(lake.ok("DELETE FROM t WHERE id = 99").await, 0);
    assert_eq!(lake.ok("CREATE TABLE u WITH (table_type='ICEBERG', partitioning=ARRAY['day']) AS SELECT *, id + 1 AS next FROM t").await, 1);
    assert_eq!(
        lake.rows("SELECT next, typeof(next), day FROM u").await,
        "2|bigint|2026-01-01"
    );
    lake.ok("CREATE OR REPLACE VIEW v AS SELECT name FROM db.u")
        .await;
    lake.ok("CREATE OR REPLACE VIEW v AS SELECT name, next FROM db.u")
        .await;
    assert_eq!(lake.rows("SELECT * FROM v").await, "z|2");
    assert_eq!(lake.rows("SHOW TABLES LIKE '%u'").await, "u");
    assert_eq!(
        lake.rows("DESCRIBE u").await,
        "id|bigint;day|date;money|decimal(18,4);name|varchar;next|bigint"
    );
    lake.ok("VACUUM t").await;
    lake.ok("OPTIMIZE t REWRITE DATA USING BIN_PACK").await;
    for sql in [
        "DROP VIEW v",
        "DROP TABLE u",
        "DROP TABLE IF EXISTS u",
        "DROP VIEW IF EXISTS v",
    ] {
        lake.ok(sql).await;
    }
    assert_eq!(lake.rows("SHOW TABLES LIKE 't'").await, "t");
    assert_eq!(lake.code("SELECT * FROM u").await, "TABLE_NOT_FOUND");
}

#[tokio::test]
async fn refusals_carry_athenas_codes() {
    let lake = fixture();
    lake.ok("CREATE TABLE t (id bigint, name string)").await;
    for (sql, code) in [
        ("SELEC 1", "SYNTAX_ERROR"),
        ("SELECT 1 FROM", "SYNTAX_ERROR"),
        ("SELECT * FROM nowhere", "TABLE_NOT_FOUND"),
        ("SELECT nothing FROM t", "COLUMN_NOT_FOUND"),
        ("SELECT no_such_function(1)", "FUNCTION_NOT_FOUND"),
        ("INSERT INTO t VALUES ('x', 'y')", "TYPE_MISMATCH"),
        ("INSERT INTO t VALUES (1)", "TYPE_MISMATCH"),
        ("INSERT INTO t (nothing) VALUES (1)", "COLUMN_NOT_FOUND"),
        ("UPDATE t SET id = 'x'", "TYPE_MISMATCH"),
        ("UPDATE t SET nothing = 1", "COLUMN_NOT_FOUND"),
        ("CREATE TABLE t (id bigint)", "TABLE_ALREADY_EXISTS"),
        ("DELETE FROM affise_clicks", "NOT_SUPPORTED"),
        ("DROP TABLE nowhere", "TABLE_NOT_FOUND"),
        ("SELECT 1 / 0", "DIVISION_BY_ZERO"),
        ("SELECT CAST('x' AS bigint)", "INVALID_CAST_ARGUMENT"),
        ("SELECT id, count(*) FROM t", "EXPRESSION_NOT_AGGREGATE"),
        (
            "MERGE INTO t USING t AS s ON t.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE",
            "SYNTAX_ERROR",
        ),
    ] {
        assert_eq!(lake.code(sql).await, code, "{sql}");
    }
    let error = lake
        .run("SELECT id,\n  nothing FROM t")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("COLUMN_NOT_FOUND: line 2:3: Column 'nothing' cannot be resolved"),
        "{error}"
    );
    let error = lake.run("SELECT 1 +").await.unwrap_err().to_string();
    assert!(error.starts_with("SYNTAX_ERROR: "), "{error}");
}

#[tokio::test]
async fn a_slower_writer_is_told_and_changes_nothing() {
    let lake = fixture();
    lake.ok("CREATE TABLE t AS SELECT 1 AS x").await;
    let session = &lake.engine.session;
    let target = write::Target::open(session, "t").await.unwrap();
    lake.ok("UPDATE t SET x = 2").await;
    let context = session.context(session.catalog());
    let candidates = target.candidates(&context, "t", None).unwrap();
    let plan = session
        .plan_sql("SELECT CAST(9 AS bigint) AS x", session.catalog())
        .await
        .unwrap();
    let written = target
        .write(session, &plan, &CancellationToken::new())
        .await
        .unwrap();
    let operation = deltalake::protocol::DeltaOperation::Delete { predicate: None };
    let error = target
        .commit(written, candidates, operation, false)
        .await
        .unwrap_err()
        .into_query_error("");
    assert!(matches!(error, QueryError::Conflict { .. }), "{error}");
    assert_eq!(lake.rows("SELECT x FROM t").await, "2");
}

#[tokio::test]
async fn a_cancelled_statement_changes_nothing() {
    let lake = fixture();
    lake.ok("CREATE TABLE t AS SELECT 1 AS x").await;
    let cancel = CancellationToken::new();
    let sql = "INSERT INTO t SELECT a.x FROM UNNEST(sequence(1, 3000)) AS a (x) CROSS JOIN UNNEST(sequence(1, 3000)) AS b (y)";
    let stopped = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(lake.engine.execute(sql, &cancel), stopped);
    assert!(matches!(outcome, Err(QueryError::Cancelled)), "{outcome:?}");
    assert_eq!(lake.rows("SELECT count(*) FROM t").await, "1");
}

#[tokio::test]
async fn what_does_not_fit_into_memory_is_spilled() {
    let small = fixture_with_memory(12 * 1024 * 1024);
    let rows = "SELECT x, CAST(x * 7919 % 200003 AS varchar) AS k FROM UNNEST(flatten(transform(sequence(0, 19), y -> transform(sequence(1, 10000), z -> y * 10000 + z)))) AS a (x)";
    small.ok(&format!("CREATE TABLE t AS {rows}")).await;
    assert_eq!(
        small
            .rows("SELECT count(*), sum(n) FROM (SELECT k, count(*) AS n FROM t GROUP BY k) g")
            .await,
        "200000|200000"
    );
    assert_eq!(
        small
            .rows("SELECT count(*) FROM t a JOIN t b ON a.k = b.k")
            .await,
        "200000"
    );
}
