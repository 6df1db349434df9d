//! Shapes of statements whose answers are worked out by hand from Trino's documentation: names, groups, windows, rows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "support/asked.rs"]
mod asked;

use asked::all;

#[tokio::test]
async fn groups_know_columns_and_not_the_names_of_the_select_list() {
    all(&[
        ("SELECT x + 1 AS y, count(*) FROM (VALUES 1, 1, 2) t(x) GROUP BY y", "error COLUMN_NOT_FOUND"),
        ("SELECT x + 1 AS y, count(*) FROM (VALUES 1, 1, 2) t(x) GROUP BY 1 ORDER BY y", "2|2;3|1"),
        ("SELECT x + 1 AS y, count(*) FROM (VALUES 1, 1, 2) t(x) GROUP BY x + 1 ORDER BY y DESC", "3|1;2|2"),
        // The column wins where both have the name.
        ("SELECT x % 2 AS y, count(*) AS n FROM (VALUES (1, 5), (3, 5)) t(x, y) GROUP BY x % 2, y", "1|2"),
        ("SELECT max(x) AS y, count(*) AS n FROM (VALUES (1, 5), (3, 5), (2, 6)) t(x, y) GROUP BY y ORDER BY n", "2|1;3|2"),
        ("SELECT t.x AS k, count(*) FROM (VALUES 1) t(x), (VALUES 2) u(y) GROUP BY k", "error COLUMN_NOT_FOUND"),
        ("SELECT upper(k) AS k, count(*) FROM (VALUES 'a', 'a') t(k), (VALUES 2) u(y) GROUP BY k", "A|2"),
        ("SELECT upper(w) AS k, count(*) FROM (VALUES ARRAY['a', 'a']) t(ws), UNNEST(ws) u(w) GROUP BY w", "A|2"),
        ("SELECT upper(w) AS k, count(*) FROM (VALUES ARRAY['a', 'a']) t(ws), UNNEST(ws) u(w) GROUP BY k", "error COLUMN_NOT_FOUND"),
        ("SELECT upper(w) AS w, count(*) FROM (VALUES ARRAY['a', 'b']) t(ws), UNNEST(ws) u(w) GROUP BY w ORDER BY 1", "A|1;B|1"),
        ("SELECT x + 1 AS y, x AS z, count(*) FROM (VALUES 1) t(x) GROUP BY ROLLUP (y, z)", "error COLUMN_NOT_FOUND"),
        ("SELECT x, sum(x) AS total FROM (VALUES 1) t(x) GROUP BY x HAVING total > 0", "error COLUMN_NOT_FOUND"),
        ("SELECT k, sum(cost) AS cost FROM (VALUES ('a', 1), ('a', 2), ('b', 1)) t(k, cost) GROUP BY k HAVING sum(cost) > 1", "a|3"),
        ("SELECT * FROM (SELECT x + 1 AS y FROM (VALUES 1) t(x) GROUP BY y)", "error COLUMN_NOT_FOUND"),
        ("SELECT x AS _col1, x + 1 FROM (VALUES 1) t(x) GROUP BY _col1", "error COLUMN_NOT_FOUND"),
        ("SELECT -x AS x FROM (VALUES 1, 2) t(x) ORDER BY x", "-2;-1"),
        ("SELECT count(*) AS n FROM (VALUES 1, 2) t(x) GROUP BY x % 2 ORDER BY n", "1;1"),
    ])
    .await;
}

#[tokio::test]
async fn the_fields_of_a_row_are_columns() {
    all(&[
        ("SELECT r.* FROM (VALUES ROW(CAST(ROW(1, 2) AS ROW(a bigint, b bigint)), 9)) t(r, z)", "1|2"),
        ("SELECT z, t.r.*, z + 1 FROM (VALUES ROW(CAST(ROW(1, 2) AS ROW(a bigint, b bigint)), 9)) t(r, z)", "9|1|2|10"),
        ("SELECT a + b FROM (SELECT r.* FROM (VALUES ROW(CAST(ROW(1, 2) AS ROW(a bigint, b bigint)))) t(r))", "3"),
        ("SELECT (CAST(ROW(1, 'x') AS ROW(a bigint, b varchar))).*", "1|x"),
        ("SELECT r.* AS (p, q) FROM (VALUES ROW(ROW(2, 'b')), ROW(ROW(1, 'a'))) t(r) ORDER BY p", "1|a;2|b"),
        ("SELECT DISTINCT r.* AS (p, q) FROM (VALUES ROW(ROW(1, 'a')), ROW(ROW(1, 'a'))) t(r) ORDER BY q", "1|a"),
        ("SELECT count(*), r.* FROM (VALUES ROW(ROW(1, 'a')), ROW(ROW(1, 'a')), ROW(ROW(2, 'b'))) t(r) GROUP BY r ORDER BY count(*)", "1|2|b;2|1|a"),
        ("SELECT t.* AS (p, q) FROM (VALUES (1, 2), (3, 4)) t(a, b) ORDER BY p DESC", "3|4;1|2"),
        ("SELECT t.* AS (p) FROM (VALUES (1, 2)) t(a, b)", "error MISMATCHED_COLUMN_ALIASES"),
        ("SELECT t.*, u.* FROM (VALUES 1) t(a), (VALUES 2) u(b)", "1|2"),
    ])
    .await;
}

#[tokio::test]
async fn rows_of_values_have_their_columns() {
    all(&[
        (
            "VALUES CAST(ROW(1, 2) AS row(integer, double)), (3, 4)",
            "1|2.0;3|4.0",
        ),
        (
            "SELECT b, a FROM (VALUES CAST(ROW(1, 'x') AS row(n bigint, t varchar))) t(a, b)",
            "x|1",
        ),
        (
            "SELECT r.n FROM (VALUES ROW(CAST(ROW(1, 'x') AS row(n bigint, t varchar)))) t(r)",
            "1",
        ),
        ("VALUES (1, 'a'), ROW(2, 'b')", "1|a;2|b"),
    ])
    .await;
}

#[tokio::test]
async fn a_name_may_stand_twice() {
    all(&[
        ("SELECT a, a FROM (VALUES 1, 2) t(a) ORDER BY 1", "1|1;2|2"),
        ("SELECT *, a FROM (VALUES (2, 10), (1, 20)) t(a, b) ORDER BY b", "2|10|2;1|20|1"),
        ("SELECT DISTINCT a, b AS a FROM (VALUES (2, 10), (1, 20), (2, 10)) t(a, b) ORDER BY t.a", "1|20;2|10"),
        ("SELECT a, b AS a FROM (VALUES (2, 10)) t(a, b) ORDER BY a", "error AMBIGUOUS_NAME"),
        ("SELECT a FROM (SELECT 1 AS a, 2 AS a)", "error NOT_SUPPORTED"),
        ("SELECT k, count(*) AS n, sum(k) AS n FROM (VALUES 3, 3) t(k) GROUP BY k", "3|2|6"),
    ])
    .await;
    let batches = lakehand_engine::answer("SELECT 1 AS a, 2 AS a")
        .await
        .unwrap();
    let schema = batches[0].schema();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, ["a", "a"]);
}

#[tokio::test]
async fn a_row_is_among_rows() {
    all(&[
        ("SELECT x FROM (VALUES (1, 2), (3, 4)) t(x, y) WHERE (x, y) IN (SELECT 1, 2)", "1"),
        ("SELECT x FROM (VALUES (1, 2), (3, 4), (3, NULL)) t(x, y) WHERE (x, y) NOT IN (SELECT 1, 2) ORDER BY x", "3;3"),
        ("SELECT (1, 2) IN (SELECT 1, 2), (1, 3) IN (SELECT 1, 2), (1, NULL) NOT IN (SELECT 1, 2)", "true|false|NULL"),
        ("SELECT x FROM (VALUES (1, 2), (3, 4)) t(x, y) WHERE (x, y) IN (SELECT a, b FROM (VALUES (3, 4), (1, 9)) u(a, b) WHERE u.a = t.x)", "3"),
    ])
    .await;
}

#[tokio::test]
async fn like_escapes_what_it_is_told_to() {
    all(&[
        (r"SELECT 'a\b' LIKE 'a\b', 'a\xy' LIKE 'a\%', 'a%' LIKE 'a\%'", "true|true|false"),
        ("SELECT 'a%b' LIKE 'a!%b' ESCAPE '!', 'axb' LIKE 'a!%b' ESCAPE '!', 'a!b' NOT LIKE 'a!!b' ESCAPE '!'", "true|false|false"),
        ("SELECT x FROM (VALUES ('a%b', 'aX%b', 'X'), ('a0b', 'aX%b', 'X'), ('c_', 'cY_', 'Y')) t(x, p, e) WHERE x LIKE p ESCAPE e AND x <> ''", "a%b;c_"),
        (r"SELECT x LIKE p FROM (VALUES ('a\b', 'a\b'), ('a%', 'a\%')) t(x, p)", "true;false"),
        ("SELECT 'a' LIKE 'a!x' ESCAPE '!'", "error INVALID_FUNCTION_ARGUMENT"),
        ("SELECT 'a' LIKE 'a' ESCAPE '!!'", "error INVALID_FUNCTION_ARGUMENT"),
        ("SELECT 'a_b' LIKE U&'a#_b' ESCAPE '#'", "true"),
    ])
    .await;
}

#[tokio::test]
async fn windows_ask_each_row() {
    all(&[
        ("SELECT ntile(x) OVER (ORDER BY x) FROM (VALUES 1, 2, 3, 4, 5) t(x)", "1;1;2;3;5"),
        ("SELECT x, ntile(n) OVER (PARTITION BY n ORDER BY x) FROM (VALUES (1, 2), (2, 2), (3, 2), (4, 1)) t(x, n) ORDER BY x", "1|1;2|1;3|2;4|1"),
        ("SELECT lag(x, 1, x * 10) OVER (ORDER BY x), lead(x, 1, -x) OVER (ORDER BY x) FROM (VALUES 1, 2) t(x)", "10|2;1|-2"),
        ("SELECT lag(y, 1, x) OVER (ORDER BY x) FROM (VALUES (1, NULL), (2, 5)) t(x, y)", "1;NULL"),
        ("SELECT lag(x, x) OVER (ORDER BY x) FROM (VALUES 1, 2) t(x)", "error NOT_SUPPORTED"),
        ("SELECT nth_value(x, x) OVER (ORDER BY x) FROM (VALUES 1, 2) t(x)", "error NOT_SUPPORTED"),
        ("SELECT sum(x) OVER (ORDER BY x ROWS BETWEEN x PRECEDING AND CURRENT ROW) FROM (VALUES 1, 2) t(x)", "error INVALID_WINDOW_FRAME"),
    ])
    .await;
}

#[tokio::test]
async fn nan_is_equal_to_nothing() {
    all(&[
        ("SELECT x FROM (VALUES 1e0, nan()) t(x) WHERE x BETWEEN 0 AND nan() OR x BETWEEN 0 AND 2", "1.0"),
        ("SELECT x IN (nan(), 1), x NOT IN (nan()), x BETWEEN nan() AND nan() FROM (VALUES 1e0, nan()) t(x)", "true|true|false;false|true|false"),
        ("SELECT CASE x WHEN nan() THEN 'nan' WHEN 1 THEN 'one' ELSE 'none' END FROM (VALUES 1e0, nan()) t(x)", "one;none"),
    ])
    .await;
}

#[tokio::test]
async fn a_column_has_one_zone_or_is_refused() {
    let (berlin, york) = (
        "TIMESTAMP '2024-01-01 10:00:00 Europe/Berlin'",
        "TIMESTAMP '2024-01-01 10:00:00 America/New_York'",
    );
    let refused = [
        format!("SELECT x FROM (VALUES {berlin}, {york}) t(x)"),
        format!("SELECT {berlin} UNION ALL SELECT {york}"),
        format!("SELECT IF(x = 1, {berlin}, {york}) FROM (VALUES 1) t(x)"),
        format!("SELECT coalesce({berlin}, {york})"),
        format!("SELECT ARRAY[{berlin}, {york}]"),
        format!("SELECT greatest({berlin}, {york})"),
        format!("SELECT least({york}, {berlin})"),
    ];
    for sql in &refused {
        let told = lakehand_engine::answer(sql).await.unwrap_err().to_string();
        assert!(
            told.starts_with("NOT_SUPPORTED: a zone of its own for every row"),
            "{sql}: {told}"
        );
    }
    let same =
        format!("SELECT hour(x) FROM (VALUES {berlin}, {york} AT TIME ZONE 'Europe/Berlin') t(x)");
    let first = format!("SELECT hour(least({berlin}, {york}))");
    let compared = format!("SELECT {berlin} < {york}, {york} IN ({berlin}, {york})");
    all(&[
        (same.as_str(), "10;16"),
        (compared.as_str(), "true|true"),
        (first.as_str(), "10"),
    ])
    .await;
}

#[tokio::test]
async fn sets_of_groups_stand_once_where_they_are_distinct() {
    all(&[
        ("SELECT a, b, count(*) FROM (VALUES (1, 2)) t(a, b) GROUP BY DISTINCT ROLLUP (a, b), ROLLUP (a, b) ORDER BY 1, 2", "1|2|1;1|NULL|1;NULL|NULL|1"),
        ("SELECT a, count(*) FROM (VALUES 1) t(a) GROUP BY ALL GROUPING SETS ((a), (a))", "1|1;1|1"),
        ("SELECT a, count(*) FROM (VALUES 1, 1) t(a) GROUP BY DISTINCT a", "1|2"),
    ])
    .await;
}
