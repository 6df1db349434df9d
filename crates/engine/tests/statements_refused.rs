//! Statements and clauses that Athena takes and one machine does not are refused by name and place, never read and
//! dropped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use lakehand_engine::{command::parse, error::syntax};

fn told(sql: &str) -> String {
    match parse(sql) {
        Ok(command) => format!("taken: {}", command.name()),
        Err(error) => syntax(&error).to_string(),
    }
}

fn all(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(sql, expected)| (sql, expected, told(sql)))
        .filter(|(_, expected, told)| !told.starts_with(**expected))
        .map(|(sql, expected, told)| format!("{sql}\n  expected {expected}\n  told     {told}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn statements_that_one_machine_lacks_are_named() {
    all(&[
        (
            "ALTER TABLE t ADD COLUMNS (a int)",
            "NOT_SUPPORTED: line 1:1: ALTER is not supported on one machine",
        ),
        (
            "MSCK REPAIR TABLE t",
            "NOT_SUPPORTED: line 1:1: MSCK is not supported",
        ),
        (
            "UNLOAD (SELECT 1) TO 's3://b/x/' WITH (format = 'PARQUET')",
            "NOT_SUPPORTED: line 1:1: UNLOAD is not",
        ),
        (
            "PREPARE p FROM SELECT 1",
            "NOT_SUPPORTED: line 1:1: PREPARE is not",
        ),
        (
            "EXECUTE p USING 1",
            "NOT_SUPPORTED: line 1:1: EXECUTE is not",
        ),
        (
            "DEALLOCATE PREPARE p",
            "NOT_SUPPORTED: line 1:1: DEALLOCATE is not",
        ),
        (
            "show create table t",
            "NOT_SUPPORTED: line 1:1: SHOW CREATE is not",
        ),
        (
            "SHOW CREATE VIEW v",
            "NOT_SUPPORTED: line 1:1: SHOW CREATE is not",
        ),
        (
            "SHOW PARTITIONS t",
            "NOT_SUPPORTED: line 1:1: SHOW PARTITIONS is not",
        ),
        (
            "SHOW COLUMNS IN t",
            "NOT_SUPPORTED: line 1:1: SHOW COLUMNS is not",
        ),
        (
            "SHOW DATABASES",
            "NOT_SUPPORTED: line 1:1: SHOW DATABASES is not",
        ),
        ("SHOW VIEWS", "NOT_SUPPORTED: line 1:1: SHOW VIEWS is not"),
        (
            "DESCRIBE FORMATTED t",
            "NOT_SUPPORTED: line 1:1: DESCRIBE FORMATTED is not",
        ),
        (
            "CREATE DATABASE d",
            "NOT_SUPPORTED: line 1:1: CREATE DATABASE is not",
        ),
        (
            "DROP SCHEMA d",
            "NOT_SUPPORTED: line 1:1: DROP SCHEMA is not",
        ),
        (
            "EXPLAIN ANALYZE SELECT 1",
            "NOT_SUPPORTED: line 1:1: EXPLAIN ANALYZE is not",
        ),
        (
            "EXPLAIN (TYPE LOGICAL) SELECT 1",
            "NOT_SUPPORTED: line 1:1: EXPLAIN TYPE is not",
        ),
        ("EXPLAIN (SELECT 1)", "taken: EXPLAIN"),
        (
            "SHOW TABLES IN information_schema",
            "NOT_SUPPORTED: line 1:16: SHOW TABLES IN information_schema",
        ),
        ("SHOW TABLES IN db 'a*|b*'", "taken: SHOW TABLES"),
    ]);
}

#[test]
fn a_table_that_is_not_the_one_written_is_not_made() {
    all(&[
        (
            "CREATE EXTERNAL TABLE t (a int) PARTITIONED BY (d string) STORED AS PARQUET LOCATION 's3://b/t/'",
            "NOT_SUPPORTED: line 1:8: CREATE EXTERNAL TABLE is not supported",
        ),
        (
            "CREATE TABLE t (a int) ROW FORMAT DELIMITED",
            "NOT_SUPPORTED: line 1:24: ROW FORMAT is not",
        ),
        (
            "CREATE TABLE t (a int)\nSTORED AS ORC",
            "NOT_SUPPORTED: line 2:1: STORED AS is not",
        ),
        (
            "CREATE TABLE t (a int) WITH (format = 'ORC')",
            "NOT_SUPPORTED: line 1:24: WITH is not",
        ),
        (
            "CREATE TABLE t (a int) TBLPROPERTIES ('table_type'='HIVE')",
            "NOT_SUPPORTED: line 1:39: table_type = 'HIVE'",
        ),
        (
            "CREATE TABLE t (a int) TBLPROPERTIES ('table_type'='ICEBERG', 'projection.enabled'='true')",
            "NOT_SUPPORTED: line 1:63: the property 'projection.enabled' is not",
        ),
        (
            "CREATE TABLE t (a int) TBLPROPERTIES ('format'='avro')",
            "NOT_SUPPORTED: line 1:39: format = 'avro'",
        ),
        (
            "CREATE TABLE t (a int) PARTITIONED BY (upper(a))",
            "NOT_SUPPORTED: line 1:40: 'upper(a)' is no partition",
        ),
        (
            "CREATE TABLE t (a date) PARTITIONED BY (month(a)) TBLPROPERTIES ('table_type'='iceberg', 'format'='parquet', 'write_compression'='zstd')",
            "taken: CREATE TABLE",
        ),
        (
            "CREATE TABLE t WITH (external_location = 's3://b/t/') AS SELECT 1 AS a",
            "NOT_SUPPORTED: line 1:22: the property 'external_location' is not",
        ),
        (
            "CREATE TABLE t WITH (format = 'TEXTFILE') AS SELECT 1 AS a",
            "NOT_SUPPORTED: line 1:22: format = 'TEXTFILE'",
        ),
        (
            "CREATE TABLE t WITH (bucketed_by = ARRAY['a'], bucket_count = 3) AS SELECT 1 AS a",
            "NOT_SUPPORTED: line 1:22: the property 'bucketed_by' is not",
        ),
        (
            "CREATE TABLE t WITH (is_external = true) AS SELECT 1 AS a",
            "NOT_SUPPORTED: line 1:22: is_external = true",
        ),
        (
            "CREATE TABLE t WITH (field_delimiter = ',') AS SELECT 1 AS a",
            "NOT_SUPPORTED: line 1:22: the property 'field_delimiter'",
        ),
        (
            "CREATE TABLE t WITH (partitioned_by = 'a') AS SELECT 1 AS a",
            "SYNTAX_ERROR: line 1:22: partitioned_by is a list",
        ),
        (
            "CREATE TABLE t WITH (format = 'PARQUET', format = 'PARQUET') AS SELECT 1 AS a",
            "SYNTAX_ERROR: line 1:42: the property 'format' stands twice",
        ),
        (
            "CREATE TABLE t WITH (table_type = 'ICEBERG', is_external = false, format = 'PARQUET', location = 's3://b/t/', partitioning = ARRAY['a', 'bucket(b, 4)']) AS SELECT 1 AS a, 2 AS b",
            "taken: CREATE TABLE AS SELECT",
        ),
    ]);
}

#[test]
fn a_tables_columns_have_names() {
    all(&[
        (
            "CREATE TABLE t AS SELECT 1",
            "MISSING_COLUMN_NAME: Column name not specified at position 1",
        ),
        (
            "CREATE TABLE t AS SELECT a, count(*) FROM x GROUP BY a",
            "MISSING_COLUMN_NAME: Column name not specified at position 2",
        ),
        (
            "CREATE TABLE t AS SELECT a, x.b, * FROM x",
            "taken: CREATE TABLE AS SELECT",
        ),
        (
            "CREATE TABLE t AS (SELECT 1 AS a UNION ALL SELECT 2) WITH NO DATA",
            "taken: CREATE TABLE AS SELECT",
        ),
        (
            "CREATE TABLE t AS SELECT 1 AS a WITH DATA",
            "taken: CREATE TABLE AS SELECT",
        ),
        (
            "CREATE TABLE t AS VALUES 1",
            "MISSING_COLUMN_NAME: Column name not specified at position 1",
        ),
    ]);
}

#[test]
fn nothing_behind_a_statement_is_dropped() {
    all(&[
        ("OPTIMIZE t REWRITE DATA USING BIN_PACK", "taken: OPTIMIZE"),
        (
            "OPTIMIZE t REWRITE DATA USING BIN_PACK WHERE a > 1",
            "taken: OPTIMIZE",
        ),
        (
            "OPTIMIZE t REWRITE MANIFESTS",
            "SYNTAX_ERROR: line 1:20: Expected: DATA, found: MANIFESTS",
        ),
        (
            "OPTIMIZE t ZORDER BY (a)",
            "SYNTAX_ERROR: line 1:12: Expected: REWRITE, found: ZORDER",
        ),
        (
            "OPTIMIZE t REWRITE DATA USING BIN_PACK and more",
            "SYNTAX_ERROR: line 1:40: Expected: the end",
        ),
        (
            "VACUUM t RETAIN 1 HOURS",
            "SYNTAX_ERROR: line 1:10: Expected: the end",
        ),
        (
            "DROP TABLE t PURGE",
            "SYNTAX_ERROR: line 1:14: Expected: the end",
        ),
        (
            "DROP VIEW v CASCADE",
            "SYNTAX_ERROR: line 1:13: Expected: the end",
        ),
        (
            "DESCRIBE t PARTITION (d = 1)",
            "SYNTAX_ERROR: line 1:12: Expected: the end",
        ),
        (
            "SHOW TABLES 'a' 'b'",
            "SYNTAX_ERROR: line 1:17: Expected: the end",
        ),
        (
            "DELETE FROM t WHERE a = 1 LIMIT 1",
            "SYNTAX_ERROR: line 1:27: Expected: the end",
        ),
        (
            "UPDATE t SET a = 1 FROM u",
            "SYNTAX_ERROR: line 1:20: Expected: the end",
        ),
        (
            "INSERT INTO t SELECT 1 ON CONFLICT DO NOTHING",
            "SYNTAX_ERROR: line 1:27: Expected: the end",
        ),
        (
            "INSERT INTO t SELECT 1 RETURNING a",
            "SYNTAX_ERROR: line 1:24: Expected: the end",
        ),
        ("SELECT a FROM t FOR UPDATE", "SYNTAX_ERROR"),
        (
            "SELECT a FROM t FOR VERSION AS OF 3",
            "NOT_SUPPORTED: line 1:17: FOR VERSION AS OF is not",
        ),
        (
            "SELECT a FROM t FOR TIMESTAMP AS OF TIMESTAMP '2026-01-01 00:00:00 UTC'",
            "NOT_SUPPORTED: line 1:17: FOR TIMESTAMP AS OF is not",
        ),
        (
            "SELECT a FROM t TABLESAMPLE BERNOULLI (10)",
            "NOT_SUPPORTED: line 1:17: TABLESAMPLE BERNOULLI is not",
        ),
        ("SELECT a FROM t SETTINGS x = 1", "SYNTAX_ERROR"),
        (
            "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE OUTPUT deleted.a",
            "SYNTAX_ERROR",
        ),
    ]);
}
