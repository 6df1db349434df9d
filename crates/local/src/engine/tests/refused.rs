//! What would make another table than the one that is written is refused, and leaves nothing behind.

use super::*;

#[tokio::test]
async fn a_table_that_is_not_the_one_written_is_not_made() {
    let lake = fixture();
    for (sql, code) in [
        (
            "CREATE EXTERNAL TABLE t (a int) STORED AS PARQUET LOCATION 's3://b/t/'",
            "NOT_SUPPORTED",
        ),
        (
            "CREATE TABLE t WITH (external_location = 's3://b/t/') AS SELECT 1 AS a",
            "NOT_SUPPORTED",
        ),
        (
            "CREATE TABLE t AS SELECT 1 AS a, NULL AS b",
            "COLUMN_TYPE_UNKNOWN",
        ),
        ("CREATE TABLE t AS SELECT 1", "MISSING_COLUMN_NAME"),
        (
            "CREATE TABLE t AS SELECT json_parse('[1]') AS j",
            "NOT_SUPPORTED",
        ),
    ] {
        assert_eq!(lake.code(sql).await, code, "{sql}");
    }
    assert_eq!(lake.code("SELECT * FROM t").await, "TABLE_NOT_FOUND");
    lake.ok(
        "CREATE TABLE t AS SELECT json_format(json_parse('[1]')) AS j, CAST(NULL AS varchar) AS b",
    )
    .await;
    assert_eq!(lake.rows("SELECT j, b FROM t").await, "[1]|NULL");
}

#[tokio::test]
async fn show_tables_takes_hives_patterns() {
    let lake = fixture();
    for name in ["t", "tt", "trip", "sheet"] {
        lake.ok(&format!("CREATE TABLE {name} (a bigint)")).await;
    }
    for (pattern, expected) in [
        ("t", "t"),
        ("t*t", "tt"),
        ("T*", "t;trip;tt"),
        ("trip|sh*", "sheet;trip"),
        ("%eet", "sheet"),
        ("t_", ""),
    ] {
        let made = format!("SHOW TABLES IN db '{pattern}'");
        assert_eq!(lake.rows(&made).await, expected, "{pattern}");
    }
}
