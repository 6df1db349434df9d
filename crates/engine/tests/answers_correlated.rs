//! Subqueries that ask about the row outside: values worked out by hand, and the same by DuckDB.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "support/asked.rs"]
mod asked;

use asked::all;

/// Rows outside with a copy, a NULL, and values without a counterpart.
const T: &str = "(VALUES (1, 10), (2, 20), (2, 20), (3, NULL), (NULL, 5)) t(k, v)";
/// Rows inside with a NULL on either side.
const U: &str = "(VALUES (1, 100), (1, 200), (2, 50), (2, NULL), (NULL, 9)) u(k, w)";

async fn over(cases: &[(&str, &str)]) {
    let cases: Vec<(String, &str)> = cases
        .iter()
        .map(|(sql, expected)| (sql.replace("{t}", T).replace("{u}", U), *expected))
        .collect();
    let asked: Vec<(&str, &str)> = cases
        .iter()
        .map(|(sql, expected)| (sql.as_str(), *expected))
        .collect();
    all(&asked).await;
}

#[tokio::test]
async fn a_value_for_each_row() {
    over(&[
        ("SELECT k, (SELECT count(*) FROM {u} WHERE u.k = t.k) FROM {t} ORDER BY k", "1|2;2|2;2|2;3|0;NULL|0"),
        ("SELECT k, (SELECT count(w) + 1 FROM {u} WHERE u.k < t.k) FROM {t} ORDER BY k", "1|1;2|3;2|3;3|4;NULL|1"),
        ("SELECT k, (SELECT sum(w) FROM {u} WHERE u.k = t.k OR u.k IS NULL) FROM {t} ORDER BY k", "1|309;2|59;2|59;3|9;NULL|9"),
        ("SELECT k, (SELECT w FROM {u} WHERE u.k = t.k ORDER BY w DESC LIMIT 1) FROM {t} ORDER BY k", "1|200;2|50;2|50;3|NULL;NULL|NULL"),
        ("SELECT k, (SELECT w FROM {u} WHERE u.k >= t.k ORDER BY w OFFSET 1 FETCH FIRST 1 ROW ONLY) FROM {t} ORDER BY k", "1|100;2|NULL;2|NULL;3|NULL;NULL|NULL"),
        ("SELECT k, (SELECT count(*) FROM {u} WHERE u.k = t.k GROUP BY u.k) FROM {t} ORDER BY k", "1|2;2|2;2|2;3|NULL;NULL|NULL"),
        ("SELECT k, (SELECT max(c) FROM (SELECT u.k, count(*) AS c FROM {u} WHERE u.k <> t.k GROUP BY u.k)) FROM {t} ORDER BY k", "1|2;2|2;2|2;3|2;NULL|NULL"),
        ("SELECT k, (SELECT v + 1 WHERE t.k < 3) FROM {t} ORDER BY k", "1|11;2|21;2|21;3|NULL;NULL|NULL"),
        ("SELECT k, CASE WHEN k > 1 THEN (SELECT min(w) FROM {u} WHERE u.k < t.k) ELSE 0 END FROM {t} ORDER BY k", "1|0;2|100;2|100;3|50;NULL|0"),
        ("SELECT k FROM {t} WHERE (SELECT count(*) FROM {u} WHERE u.k = t.k AND w > v) > 1", "1"),
        ("SELECT k FROM {t} ORDER BY (SELECT sum(w) FROM {u} WHERE u.k = t.k) DESC, k", "1;2;2;3;NULL"),
        ("SELECT max((SELECT sum(w) FROM {u} WHERE u.k = t.k)) FROM {t}", "300"),
        ("SELECT k, (SELECT array_agg(w ORDER BY w) FROM {u} WHERE u.k <= t.k) FROM {t} ORDER BY k", "1|[100, 200];2|[50, 100, 200, ];2|[50, 100, 200, ];3|[50, 100, 200, ];NULL|NULL"),
        ("SELECT k, (SELECT w FROM {u} WHERE u.k = t.k) FROM {t}", "error SUBQUERY_MULTIPLE_ROWS"),
        ("SELECT k FROM {t} WHERE (SELECT w FROM {u} WHERE u.k > t.k AND w > 60) IS NULL ORDER BY k", "1;2;2;3;NULL"),
        ("SELECT (SELECT 1 FROM {u})", "error SUBQUERY_MULTIPLE_ROWS"),
    ])
    .await;
}

#[tokio::test]
async fn whether_there_is_a_row() {
    over(&[
        ("SELECT k, EXISTS (SELECT 1 FROM {u} WHERE u.k < t.k AND w > v) FROM {t} ORDER BY k", "1|false;2|true;2|true;3|false;NULL|false"),
        ("SELECT k FROM {t} WHERE NOT EXISTS (SELECT 1 FROM {u} WHERE u.k = t.k LIMIT 1) ORDER BY k", "3;NULL"),
        ("SELECT k FROM {t} WHERE k = 3 OR EXISTS (SELECT count(*) FROM {u} WHERE u.k = t.k GROUP BY u.k HAVING sum(w) > 100) ORDER BY k", "1;3"),
        ("SELECT sum(v), sum(v) FILTER (WHERE EXISTS (SELECT 1 FROM {u} WHERE u.k = t.k)) FROM {t}", "55|50"),
        ("SELECT k, count_if(EXISTS (SELECT 1 FROM {u} WHERE u.k > t.k)) FROM {t} GROUP BY k ORDER BY k", "1|1;2|0;3|0;NULL|0"),
        ("SELECT t.k, z.q FROM {t} LEFT JOIN (VALUES 1, 2) z(q) ON z.q = t.k AND EXISTS (SELECT 1 FROM {u} WHERE u.k = t.k AND u.w = z.q * 100) ORDER BY 1, 2", "1|1;2|NULL;2|NULL;3|NULL;NULL|NULL"),
    ])
    .await;
}

#[tokio::test]
async fn whether_a_value_is_among_them() {
    over(&[
        ("SELECT k, v IN (SELECT u.k * 10 FROM {u} WHERE u.k = t.k) FROM {t} ORDER BY k", "1|true;2|true;2|true;3|false;NULL|false"),
        ("SELECT k, 50 IN (SELECT w FROM {u} WHERE u.k >= t.k) FROM {t} ORDER BY k", "1|true;2|true;2|true;3|false;NULL|false"),
        ("SELECT k, 60 NOT IN (SELECT w FROM {u} WHERE u.k >= t.k) FROM {t} ORDER BY k", "1|NULL;2|NULL;2|NULL;3|true;NULL|true"),
        ("SELECT k FROM {t} WHERE v NOT IN (SELECT w FROM {u} WHERE u.k = t.k) ORDER BY k", "1;3;NULL"),
        ("SELECT k FROM {t} WHERE v IN (SELECT count(*) * 10 FROM {u} WHERE u.k <= t.k) ORDER BY k", ""),
        ("SELECT k, v < ALL (SELECT w FROM {u} WHERE u.k = t.k) FROM {t} ORDER BY k", "1|true;2|NULL;2|NULL;3|true;NULL|true"),
        ("SELECT k, v * 6 >= ANY (SELECT w FROM {u} WHERE u.k = t.k) FROM {t} ORDER BY k", "1|false;2|true;2|true;3|false;NULL|false"),
        ("SELECT k, v <= ANY (SELECT t.v) FROM {t} ORDER BY k", "1|true;2|true;2|true;3|NULL;NULL|true"),
        ("SELECT k, 'a' IN (SELECT u.k FROM {u} WHERE u.k = t.k) FROM {t}", "error TYPE_MISMATCH"),
    ])
    .await;
}

#[tokio::test]
async fn rows_beside_each_row() {
    over(&[
        ("SELECT k, l.* FROM {t} LEFT JOIN LATERAL (SELECT w, k AS z FROM {u} WHERE u.k = t.k ORDER BY w LIMIT 1) l ON TRUE ORDER BY k", "1|100|1;2|50|2;2|50|2;3|NULL|NULL;NULL|NULL|NULL"),
        ("SELECT k, n FROM {t} CROSS JOIN LATERAL (SELECT count(*) FROM {u} WHERE u.k > t.k) l(n) ORDER BY k", "1|2;2|0;2|0;3|0;NULL|0"),
        ("SELECT k, n FROM {t}, LATERAL (SELECT sum(w) FROM {u} WHERE u.k = t.k GROUP BY u.k HAVING count(*) > 1) l(n) ORDER BY k", "1|300;2|50;2|50"),
        ("SELECT k, r, w FROM {t}, LATERAL (SELECT w, row_number() OVER (ORDER BY w) AS r FROM {u} WHERE u.k >= t.k) l WHERE r = 2 ORDER BY k", "1|2|100;2|2|NULL;2|2|NULL"),
        ("SELECT k, z FROM {t}, LATERAL (SELECT t.k * 2 UNION ALL SELECT w FROM {u} WHERE u.k = t.k) l(z) WHERE k = 1 ORDER BY z", "1|2;1|100;1|200"),
        ("SELECT k, z FROM {t}, LATERAL (VALUES (t.k), (t.v)) l(z) WHERE k <> 2 ORDER BY k, z", "1|1;1|10;3|3;3|NULL"),
        ("SELECT k, l.n FROM {t} JOIN LATERAL (SELECT count(*) FROM {u} WHERE u.k = t.k) l(n) ON l.n < t.k ORDER BY k", "3|0"),
        ("SELECT * FROM (VALUES 1) t(a), (SELECT * FROM LATERAL (SELECT a))", "error COLUMN_NOT_FOUND"),
    ])
    .await;
}

#[tokio::test]
async fn lists_of_the_row_outside() {
    all(&[
        ("SELECT (SELECT sum(x) FROM UNNEST(t.a) u(x)) FROM (VALUES ARRAY[1, 2], ARRAY[5], NULL, ARRAY[]) t(a)", "3;5;NULL;NULL"),
        ("SELECT id FROM (VALUES (1, ARRAY['x', 'y']), (2, ARRAY['z']), (3, NULL)) t(id, a) WHERE EXISTS (SELECT 1 FROM UNNEST(a) u(x) WHERE x = 'y')", "1"),
        ("SELECT id FROM (VALUES (1, ARRAY['x', 'y']), (2, ARRAY['z'])) t(id, a) WHERE 'z' IN (SELECT x FROM UNNEST(a) u(x))", "2"),
        ("SELECT id, (SELECT array_agg(x * t.id ORDER BY n DESC) FROM UNNEST(a) WITH ORDINALITY u(x, n)) FROM (VALUES (2, ARRAY[7, 8]), (3, ARRAY[9])) t(id, a) ORDER BY id", "2|[16, 14];3|[27]"),
        ("SELECT id, (SELECT max(v) FROM UNNEST(m) u(k, v) WHERE k <> 'a') FROM (VALUES (1, MAP(ARRAY['a', 'b'], ARRAY[9, 4]))) t(id, m)", "1|4"),
        ("SELECT (SELECT count(DISTINCT w) FROM UNNEST(split(line, ' ')) u(w)) FROM (VALUES 'a b a', '') t(line)", "2;1"),
        ("SELECT id FROM (VALUES (1), (2)) t(id) WHERE id IN (SELECT b FROM (VALUES (ARRAY[2])) AS s(id) CROSS JOIN UNNEST(id) AS u(b))", "2"),
    ])
    .await;
}

#[tokio::test]
async fn two_levels_deep() {
    over(&[
        ("SELECT k, (SELECT sum((SELECT count(*) FROM (VALUES 1, 2, 3) y(p) WHERE y.p >= u.k AND y.p <= t.k)) FROM {u}) FROM {t} ORDER BY k", "1|2;2|6;2|6;3|10;NULL|0"),
        ("SELECT k FROM {t} WHERE EXISTS (SELECT 1 FROM {u} WHERE u.k = t.k AND NOT EXISTS (SELECT 1 FROM (VALUES 1) y(p) WHERE y.p = t.k AND u.w > 150)) ORDER BY k", "1;2;2"),
        ("SELECT k, l.n FROM {t}, LATERAL (SELECT count(*) FROM {u} WHERE u.k IN (SELECT y.p FROM (VALUES 1, 2) y(p) WHERE y.p >= t.k)) l(n) ORDER BY k", "1|4;2|2;2|2;3|0;NULL|0"),
    ])
    .await;
}

#[tokio::test]
async fn groups_stay_whole_where_a_key_is_joined() {
    all(&[
        ("SELECT d.k, count(DISTINCT u.x) FROM (SELECT DISTINCT k FROM (VALUES 1, 2, 2) t(k)) d JOIN (VALUES (1, 10), (2, 20)) u(x, g) ON u.x <= d.k GROUP BY d.k, g ORDER BY 1", "1|1;2|1;2|1"),
        ("SELECT k, max(n) FROM (SELECT d.k, g, count(*) AS n FROM (SELECT k, sum(k) AS s FROM (VALUES 1, 2, 2) t(k) GROUP BY k) d CROSS JOIN (VALUES 10, 20) u(g) GROUP BY d.k, g) GROUP BY k, g ORDER BY 1", "1|1;1|1;2|1;2|1"),
        ("SELECT k, count(*) FROM (SELECT DISTINCT d.k, g FROM (SELECT DISTINCT k FROM (VALUES 1, 2) t(k)) d CROSS JOIN (VALUES 10, 20) u(g)) GROUP BY k, g ORDER BY 1", "1|1;1|1;2|1;2|1"),
    ])
    .await;
}

#[tokio::test]
async fn rows_that_would_be_read_twice_are_the_same_or_refused() {
    over(&[
        ("SELECT (SELECT count(*) FROM {u} WHERE u.k < r.x) FROM (SELECT random() AS x) r", "error NOT_SUPPORTED"),
        ("SELECT k, (SELECT count(*) FROM {u} WHERE u.k < t.k) FROM (SELECT k FROM {t} ORDER BY k LIMIT 2) t ORDER BY k", "1|0;2|2"),
    ])
    .await;
}
