//! Statements and what they give: results worked out by hand or taken from Trino's own documentation.

use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;

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
    Fixture { engine: LocalEngine::new(&settings).unwrap(), _folder: folder }
}

impl Fixture {
    async fn run(&self, sql: &str) -> Result<u64, QueryError> {
        self.engine.execute(sql, &CancellationToken::new()).await.map(|summary| summary.rows)
    }

    async fn ok(&self, sql: &str) -> u64 {
        self.run(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
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
        self.try_rows(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    async fn try_rows(&self, sql: &str) -> Result<String, QueryError> {
        let rows = self.engine.query(sql, &CancellationToken::new()).await?;
        let batches: Vec<RecordBatch> = rows.batches.try_collect().await?;
        let options = FormatOptions::default().with_null("NULL");
        let mut lines = Vec::new();
        for batch in &batches {
            let columns: Vec<_> = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
            for row in 0..batch.num_rows() {
                lines.push(columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|"));
            }
        }
        Ok(lines.join(";"))
    }
}

/// SQL, and its one cell or row.
const STATEMENTS: &[(&str, &str)] = &[
    // Literals, casts, arithmetic.
    ("SELECT 1.5", "1.5"),
    ("SELECT typeof(1.5)", "decimal(2,1)"),
    ("SELECT 7 / 2, -7 / 2, 7 % 3, -7 % 3", "3|-3|1|-1"),
    ("SELECT 1.0 / 3.0", "0.3"),
    ("SELECT 2.00 / 3.0", "0.67"),
    ("SELECT -2.00 / 3.0", "-0.67"),
    ("SELECT CAST(10 AS decimal(18,4)) / CAST(3 AS decimal(18,4))", "3.3333"),
    ("SELECT CAST(5 AS decimal(10,0)) / CAST(0.001 AS decimal(10,3))", "5000.000"),
    ("SELECT CAST('12.345' AS decimal(10,2)), CAST(-12.345 AS decimal(10,2))", "12.35|-12.35"),
    ("SELECT CAST(1.5 AS bigint), CAST(2.5 AS bigint), CAST(-1.5 AS bigint)", "2|3|-2"),
    ("SELECT CAST(CAST(2.5 AS double) AS bigint), CAST(CAST(-2.4 AS double) AS integer)", "3|-2"),
    ("SELECT CAST('7' AS bigint) + 1", "8"),
    ("SELECT TRY_CAST('x' AS bigint) IS NULL", "true"),
    ("SELECT try(CAST('x' AS bigint)), try(1 / 0)", "NULL|NULL"),
    ("SELECT CAST(timestamp '2026-01-31 10:00:00' AS varchar)", "2026-01-31 10:00:00.000000"),
    ("SELECT CAST(date '2026-01-31' AS varchar)", "2026-01-31"),
    ("SELECT CAST('2026-01-31' AS date) = date '2026-01-31'", "true"),
    ("SELECT CAST(timestamp '2026-01-31 23:59:59.999' AS date)", "2026-01-31"),
    ("SELECT CAST('abcdef' AS varchar(3))", "abc"),
    ("SELECT CAST(true AS varchar)", "true"),
    ("SELECT typeof(CAST(null AS timestamp(6))), typeof('x'), typeof(date '2026-01-01')", "timestamp(6)|varchar|date"),
    // Null safety and ordering.
    ("SELECT NULL IS DISTINCT FROM NULL, 1 IS DISTINCT FROM NULL, 1 IS NOT DISTINCT FROM 1 AND true", "false|true|true"),
    ("SELECT x FROM (VALUES 2, NULL, 1) AS t (x) ORDER BY x", "1;2;NULL"),
    ("SELECT x FROM (VALUES 2, NULL, 1) AS t (x) ORDER BY x DESC", "2;1;NULL"),
    ("SELECT row_number() OVER (ORDER BY x DESC), x FROM (VALUES 2, NULL, 1) AS t (x) ORDER BY 1", "1|2;2|1;3|NULL"),
    ("SELECT coalesce(NULL, 'a'), nullif(1, 1), if(1 > 2, 'x'), if(1 < 2, 'x', 'y')", "a|NULL|NULL|x"),
    ("SELECT greatest(1, 3, 2), least(1, NULL, 2), greatest('a', 'b')", "3|NULL|b"),
    // Texts.
    ("SELECT 'a' || NULL, concat('a', 'b', 'c'), concat('a', NULL)", "NULL|abc|NULL"),
    ("SELECT substr('Trino', 2), substr('Trino', -3, 2), substr('Trino', 0), substring('Trino' FROM 1 FOR 2)", "rino|in||Tr"),
    ("SELECT split_part('a,b,c', ',', 2), split_part('a,b', ',', 3)", "b|NULL"),
    ("SELECT strpos('high', 'ig'), reverse('añb'), upper('ä'), length('añb')", "2|bña|Ä|3"),
    ("SELECT lpad('7', 3, '0'), rpad('7', 3, 'x'), trim('  a '), replace('aXbX', 'X', '-')", "007|7xx|a|a-b-"),
    ("SELECT regexp_like('1a 2b 14m', '\\d+b'), regexp_extract('1a 2b 14m', '(\\d+)([a-z]+)', 2)", "true|a"),
    ("SELECT regexp_extract('1a 2b 14m', '\\d+'), regexp_extract('x', '\\d+')", "1|NULL"),
    ("SELECT regexp_replace('1a 2b 14m', '\\d+[ab] ')", "14m"),
    ("SELECT regexp_replace('1a 2b 14m', '(\\d+)([ab]) ', '3c$2 ')", "3ca 3cb 14m"),
    ("SELECT split('a|b|c', '|'), cardinality(split('a|b', '|')), element_at(split('a|b', '|'), 2)", "[a, b, c]|2|b"),
    ("SELECT array_join(ARRAY['a', 'b'], '-'), contains(ARRAY[1, 2], 2)", "a-b|true"),
    ("SELECT x FROM UNNEST(ARRAY[3, 1]) AS t (x) ORDER BY x", "1;3"),
    // JSON.
    ("SELECT json_extract_scalar('{\"a\":{\"b\":[1,\"x\"]}}', '$.a.b[1]'), json_extract_scalar('{\"a\":{}}', '$.a')", "x|NULL"),
    ("SELECT json_extract('{\"a\":[1, 2]}', '$.a'), json_extract_scalar('nonsense', '$.a'), json_array_length('[1,2,3]')", "[1,2]|NULL|3"),
    // Dates: the examples of Trino's page, mostly.
    ("SELECT date_add('day', 7, date '2020-03-01'), date_add('month', 1, date '2026-01-31')", "2020-03-08|2026-02-28"),
    ("SELECT date_add('second', 86, TIMESTAMP '2020-03-01 00:00:00')", "2020-03-01T00:01:26"),
    ("SELECT date_add('day', -1, TIMESTAMP '2020-03-01 00:00:00')", "2020-02-29T00:00:00"),
    ("SELECT date_diff('second', TIMESTAMP '2020-03-01 00:00:00', TIMESTAMP '2020-03-02 00:00:00')", "86400"),
    ("SELECT date_diff('day', DATE '2020-03-01', DATE '2020-03-02'), date_diff('month', date '2026-01-31', date '2026-02-28')", "1|0"),
    ("SELECT date_diff('hour', TIMESTAMP '2020-03-01 10:59:00', TIMESTAMP '2020-03-01 09:00:00')", "-1"),
    ("SELECT date_trunc('month', date '2026-05-17'), date_trunc('week', date '2026-11-21'), date_trunc('quarter', date '2026-05-17')", "2026-05-01|2026-11-16|2026-04-01"),
    ("SELECT date_trunc('hour', TIMESTAMP '2001-08-22 03:04:05.321')", "2001-08-22T03:00:00"),
    ("SELECT date_format(TIMESTAMP '2022-10-20 05:10:00', '%m-%d-%Y %H'), date_parse('2022/10/20/05', '%Y/%m/%d/%H')", "10-20-2022 05|2022-10-20T05:00:00"),
    ("SELECT format_datetime(TIMESTAMP '2022-10-20 05:10:00', 'yyyy-MM-dd HH')", "2022-10-20 05"),
    ("SELECT from_iso8601_date('2020-05-11'), from_iso8601_timestamp('2020-05-11T11:15:05+02:00')", "2020-05-11|2020-05-11T09:15:05Z"),
    ("SELECT to_iso8601(date '2026-01-31'), to_iso8601(TIMESTAMP '2026-01-31 10:00:00')", "2026-01-31|2026-01-31T10:00:00.000"),
    ("SELECT to_unixtime(TIMESTAMP '1970-01-01 00:00:01.5'), from_unixtime(1.5)", "1.5|1970-01-01T00:00:01.500Z"),
    ("SELECT year(date '2026-11-21'), month(date '2026-11-21'), day(date '2026-11-21'), day_of_week(date '2026-11-21'), day_of_year(date '2026-02-01')", "2026|11|21|6|32"),
    ("SELECT hour(timestamp '2026-01-01 15:04:05'), minute(timestamp '2026-01-01 15:04:05'), quarter(date '2026-05-01'), week(date '2027-01-01')", "15|4|2|53"),
    ("SELECT date '2026-03-01' - interval '7' day, date '2026-01-31' + interval '1' month", "2026-02-22|2026-02-28"),
    ("SELECT CAST(TIMESTAMP '2026-06-30 22:30:00' AT TIME ZONE 'Europe/Berlin' AS date)", "2026-07-01"),
    ("SELECT extract(year FROM date '2026-03-01'), last_day_of_month(date '2026-02-03')", "2026|2026-02-28"),
    ("SELECT date '2026-01-05' BETWEEN date '2026-01-01' AND date '2026-01-05'", "true"),
    // Aggregates.
    ("SELECT count_if(x > 1), sum(x), count(*), count(DISTINCT x), approx_distinct(x) FROM (VALUES 1, 2, 2, NULL) AS t (x)", "2|5|4|2|2"),
    ("SELECT max_by(a, b), min_by(a, b), max_by(a, b) FILTER (WHERE b < 9) FROM (VALUES ('x', 1), ('y', 9), ('z', NULL), ('w', 5)) AS t (a, b)", "y|x|w"),
    ("SELECT arbitrary(x), any_value(x) FROM (VALUES NULL, 4) AS t (x)", "4|4"),
    ("SELECT bool_or(x), bool_and(x), array_join(array_agg(CAST(x AS varchar) ORDER BY x), ',') FROM (VALUES true, false) AS t (x)", "true|false|false,true"),
    ("SELECT sum(x), avg(CAST(x AS double)) FROM (VALUES 0.1, 0.2) AS t (x)", "0.3|0.15000000000000002"),
    ("WITH a AS (SELECT 1 AS x UNION ALL SELECT 2) SELECT max(x) FROM a", "2"),
    ("SELECT \"db\".\"country_region\".region FROM \"awsdatacatalog\".\"db\".\"country_region\" WHERE country = 'DE'", "Europe"),
    ("SELECT count(*) FROM country_region", "249"),
    ("SELECT count(*), count(income) FROM any_db.affise_conversions WHERE date >= date '2026-01-01'", "0|0"),
];

#[tokio::test]
async fn statements_mean_what_trino_means() {
    let lake = fixture();
    let mut wrong = Vec::new();
    for (sql, expected) in STATEMENTS {
        let given = lake.try_rows(sql).await.unwrap_or_else(|error| format!("error: {error}"));
        if given != *expected {
            wrong.push(format!("{sql}\n  expected {expected}\n  given    {given}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn tables_come_change_and_go() {
    let lake = fixture();
    lake.ok("CREATE TABLE db.t (id bigint, day date, money decimal(18,4), name string) PARTITIONED BY (day) LOCATION 's3://b/t/' TBLPROPERTIES ('table_type'='ICEBERG')").await;
    assert_eq!(lake.rows("SELECT count(*) FROM t").await, "0");
    assert_eq!(lake.ok("INSERT INTO t VALUES (1, date '2026-01-01', 1.5, 'a'), (2, date '2026-01-02', NULL, '')").await, 2);
    assert_eq!(lake.ok("INSERT INTO db.t (name, id) SELECT 'c', 3").await, 1);
    assert_eq!(lake.rows("SELECT * FROM t ORDER BY id").await, "1|2026-01-01|1.5000|a;2|2026-01-02|NULL|;3|NULL|NULL|c");
    assert_eq!(lake.ok("UPDATE t SET money = money + 1, name = 'z' WHERE day = date '2026-01-01'").await, 1);
    assert_eq!(lake.ok("DELETE FROM t x WHERE x.id = 2 OR x.day IS NULL").await, 2);
    assert_eq!(lake.rows("SELECT * FROM t").await, "1|2026-01-01|2.5000|z");
    assert_eq!(lake.ok("DELETE FROM t WHERE id = 99").await, 0);
    assert_eq!(lake.ok("CREATE TABLE u WITH (table_type='ICEBERG', partitioning=ARRAY['day']) AS SELECT *, id + 1 AS next FROM t").await, 1);
    assert_eq!(lake.rows("SELECT next, typeof(next), day FROM u").await, "2|bigint|2026-01-01");
    lake.ok("CREATE OR REPLACE VIEW v AS SELECT name FROM db.u").await;
    lake.ok("CREATE OR REPLACE VIEW v AS SELECT name, next FROM db.u").await;
    assert_eq!(lake.rows("SELECT * FROM v").await, "z|2");
    assert_eq!(lake.rows("SHOW TABLES LIKE '%u'").await, "u");
    assert_eq!(lake.rows("DESCRIBE u").await, "id|bigint;day|date;money|decimal(18,4);name|varchar;next|bigint");
    lake.ok("VACUUM t").await;
    lake.ok("OPTIMIZE t REWRITE DATA USING BIN_PACK").await;
    for sql in ["DROP VIEW v", "DROP TABLE u", "DROP TABLE IF EXISTS u", "DROP VIEW IF EXISTS v"] {
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
        ("MERGE INTO t USING t AS s ON t.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE", "SYNTAX_ERROR"),
    ] {
        assert_eq!(lake.code(sql).await, code, "{sql}");
    }
    let error = lake.run("SELECT id,\n  nothing FROM t").await.unwrap_err().to_string();
    assert!(error.starts_with("COLUMN_NOT_FOUND: line 2:3: Column 'nothing' cannot be resolved"), "{error}");
    let error = lake.run("SELECT 1 +").await.unwrap_err().to_string();
    assert!(error.starts_with("SYNTAX_ERROR: "), "{error}");
}

/// A row of the MERGE tests: two keys that may be null, and a value.
type Row = (Option<i64>, Option<&'static str>, i64);

/// What a clause of the MERGE tests does.
#[derive(Debug, Clone, Copy)]
enum Action {
    Update,
    Delete,
    Insert,
}

/// Clauses: a condition on the source's value (`s.v % 2 = 0`) or none, and an action.
type Clauses = Vec<(Option<i64>, Action)>;

fn matches(on: usize, t: &Row, s: &Row) -> bool {
    let equal = t.0.is_some() && t.0 == s.0;
    match on {
        0 => equal,
        1 => t.0 == s.0 && t.1 == s.1,
        2 => equal && t.1 == s.1 && t.2 < 60,
        3 => equal && s.2 > 20,
        _ => equal && t.2 < s.2,
    }
}

const ON: [&str; 5] = [
    "t.a = s.a",
    "t.a IS NOT DISTINCT FROM s.a AND t.b IS NOT DISTINCT FROM s.b",
    "t.a = s.a AND t.b IS NOT DISTINCT FROM s.b AND t.v < 60",
    "s.a = t.a AND s.v > 20",
    "t.a = s.a AND t.v < s.v",
];

/// MERGE row by row, as Trino's page describes it; `None` when a target row is matched twice.
fn naive_merge(target: &[Row], source: &[Row], on: usize, clauses: &Clauses) -> Option<Vec<Row>> {
    let first = |s: &Row, matched: bool| {
        let applies = |clause: &&(Option<i64>, Action)| {
            matches!(clause.1, Action::Insert) != matched && clause.0.is_none_or(|remainder| s.2 % 2 == remainder)
        };
        clauses.iter().find(applies).map(|clause| clause.1)
    };
    let mut out = Vec::new();
    for t in target {
        let hits: Vec<_> = source.iter().filter(|s| matches(on, t, s)).collect();
        match hits.as_slice() {
            [] => out.push(*t),
            [s] => match first(s, true) {
                Some(Action::Update) => out.push((t.0, t.1, s.2 * 100 + t.2)),
                Some(Action::Delete) => {}
                _ => out.push(*t),
            },
            _ => return None,
        }
    }
    for s in source.iter().filter(|s| !target.iter().any(|t| matches(on, t, s))) {
        if first(s, false).is_some() {
            out.push((s.0, s.1, s.2));
        }
    }
    out.sort_unstable();
    Some(out)
}

fn values(rows: &[Row]) -> String {
    let number = |value: Option<i64>| value.map_or_else(|| "CAST(NULL AS bigint)".to_owned(), |value| value.to_string());
    let text = |value: Option<&str>| value.map_or_else(|| "CAST(NULL AS varchar)".to_owned(), |value| format!("'{value}'"));
    rows.iter().map(|row| format!("({}, {}, {})", number(row.0), text(row.1), row.2)).collect::<Vec<_>>().join(", ")
}

fn merge_sql(source: &[Row], on: usize, clauses: &Clauses) -> String {
    let clauses = clauses.iter().map(|(remainder, action)| {
        let when = remainder.map_or_else(String::new, |remainder| format!(" AND s.v % 2 = {remainder}"));
        match action {
            Action::Update => format!("WHEN MATCHED{when} THEN UPDATE SET v = s.v * 100 + t.v"),
            Action::Delete => format!("WHEN MATCHED{when} THEN DELETE"),
            Action::Insert => format!("WHEN NOT MATCHED{when} THEN INSERT (a, b, v) VALUES (s.a, s.b, s.v)"),
        }
    });
    let clauses = clauses.collect::<Vec<_>>().join(" ");
    format!("MERGE INTO t USING (SELECT * FROM (VALUES {}) AS x (a, b, v)) AS s ON {} {clauses}", values(source), ON[on])
}

/// A small random number generator, the same everywhere.
fn dice(state: &mut u64, sides: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % sides
}

fn random_rows(state: &mut u64, count: u64, keys: u64) -> Vec<Row> {
    let row = |_| {
        let key = i64::try_from(dice(state, keys)).unwrap();
        let text = [None, Some("x"), Some("")][usize::try_from(dice(state, 3)).unwrap()];
        (Some(key).filter(|key| *key > 0), text, i64::try_from(dice(state, 100)).unwrap())
    };
    (0..count).map(row).collect()
}

#[tokio::test]
async fn merge_is_what_a_naive_merge_gives() {
    let lake = fixture();
    let mut state = 42;
    let (mut refused, mut done) = (0, 0);
    for case in 0..40 {
        let on = usize::try_from(dice(&mut state, 5)).unwrap();
        let target = random_rows(&mut state, 12, 9);
        let mut source = random_rows(&mut state, 8, 14);
        if case % 3 != 0 {
            // Unique by both keys, so that most cases get past the check of multiple matches.
            source.sort_unstable();
            source.dedup_by_key(|row| row.0);
        }
        let mut clauses: Clauses = Vec::new();
        for _ in 0..=dice(&mut state, 3) {
            let when = [None, Some(0), Some(1)][usize::try_from(dice(&mut state, 3)).unwrap()];
            clauses.push((when, [Action::Update, Action::Delete, Action::Insert][usize::try_from(dice(&mut state, 3)).unwrap()]));
        }
        lake.ok("DROP TABLE IF EXISTS t").await;
        // Two files, one of them partitioned away from the other.
        lake.ok("CREATE TABLE t (a bigint, b string, v bigint) PARTITIONED BY (b)").await;
        lake.ok(&format!("INSERT INTO t VALUES {}", values(&target[..6]))).await;
        lake.ok(&format!("INSERT INTO t VALUES {}", values(&target[6..]))).await;
        let sql = merge_sql(&source, on, &clauses);
        let expected = naive_merge(&target, &source, on, &clauses);
        let outcome = lake.run(&sql).await;
        let mut unchanged = target.clone();
        unchanged.sort_unstable();
        match (&expected, outcome) {
            (None, Err(error)) => {
                refused += 1;
                assert!(error.to_string().starts_with("MERGE_TARGET_ROW_MULTIPLE_MATCHES"), "{error}");
            }
            (Some(_), Ok(_)) => done += 1,
            (expected, outcome) => panic!("{sql}\ntarget {target:?}\nexpected {expected:?}, given {outcome:?}"),
        }
        let rows = lake.rows("SELECT a, b, v FROM t ORDER BY a NULLS FIRST, b NULLS FIRST, v").await;
        let shown = |rows: &[Row]| {
            let text = |row: &Row| format!("{}|{}|{}", row.0.map_or("NULL".to_owned(), |a| a.to_string()), row.1.unwrap_or("NULL"), row.2);
            rows.iter().map(text).collect::<Vec<_>>().join(";")
        };
        assert_eq!(rows, shown(&expected.unwrap_or(unchanged)), "{sql}\ntarget {target:?}");
    }
    assert!(refused > 3 && done > 15, "{refused} refused, {done} done: the cases are not varied enough");
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
    let plan = session.plan_sql("SELECT CAST(9 AS bigint) AS x", session.catalog()).await.unwrap();
    let written = target.write(session, &plan, &CancellationToken::new()).await.unwrap();
    let operation = deltalake::protocol::DeltaOperation::Delete { predicate: None };
    let error = target.commit(written, candidates, operation, false).await.unwrap_err().into_query_error("");
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
    let rows = "SELECT x, CAST(x * 7919 % 200003 AS varchar) AS k FROM UNNEST(sequence(1, 200000)) AS a (x)";
    small.ok(&format!("CREATE TABLE t AS {rows}")).await;
    assert_eq!(small.rows("SELECT count(*), sum(n) FROM (SELECT k, count(*) AS n FROM t GROUP BY k) g").await, "200000|200000");
    assert_eq!(small.rows("SELECT count(*) FROM t a JOIN t b ON a.k = b.k").await, "200000");
}
