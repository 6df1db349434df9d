//! MERGE against a naive one over random rows.

use super::*;

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
            matches!(clause.1, Action::Insert) != matched
                && clause.0.is_none_or(|remainder| s.2 % 2 == remainder)
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
    for s in source
        .iter()
        .filter(|s| !target.iter().any(|t| matches(on, t, s)))
    {
        if first(s, false).is_some() {
            out.push((s.0, s.1, s.2));
        }
    }
    out.sort_unstable();
    Some(out)
}

fn values(rows: &[Row]) -> String {
    let number = |value: Option<i64>| {
        value.map_or_else(
            || "CAST(NULL AS bigint)".to_owned(),
            |value| value.to_string(),
        )
    };
    let text = |value: Option<&str>| {
        value.map_or_else(
            || "CAST(NULL AS varchar)".to_owned(),
            |value| format!("'{value}'"),
        )
    };
    rows.iter()
        .map(|row| format!("({}, {}, {})", number(row.0), text(row.1), row.2))
        .collect::<Vec<_>>()
        .join(", ")
}

fn merge_sql(source: &[Row], on: usize, clauses: &Clauses) -> String {
    let clauses = clauses.iter().map(|(remainder, action)| {
        let when = remainder.map_or_else(String::new, |remainder| {
            format!(" AND s.v % 2 = {remainder}")
        });
        match action {
            Action::Update => format!("WHEN MATCHED{when} THEN UPDATE SET v = s.v * 100 + t.v"),
            Action::Delete => format!("WHEN MATCHED{when} THEN DELETE"),
            Action::Insert => {
                format!("WHEN NOT MATCHED{when} THEN INSERT (a, b, v) VALUES (s.a, s.b, s.v)")
            }
        }
    });
    let clauses = clauses.collect::<Vec<_>>().join(" ");
    format!(
        "MERGE INTO t USING (SELECT * FROM (VALUES {}) AS x (a, b, v)) AS s ON {} {clauses}",
        values(source),
        ON[on]
    )
}

/// A small random number generator, the same everywhere.
fn dice(state: &mut u64, sides: u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % sides
}

fn random_rows(state: &mut u64, count: u64, keys: u64) -> Vec<Row> {
    let row = |_| {
        let key = i64::try_from(dice(state, keys)).unwrap();
        let text = [None, Some("x"), Some("")][usize::try_from(dice(state, 3)).unwrap()];
        (
            Some(key).filter(|key| *key > 0),
            text,
            i64::try_from(dice(state, 100)).unwrap(),
        )
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
            clauses.push((
                when,
                [Action::Update, Action::Delete, Action::Insert]
                    [usize::try_from(dice(&mut state, 3)).unwrap()],
            ));
        }
        lake.ok("DROP TABLE IF EXISTS t").await;
        // Two files, one of them partitioned away from the other.
        lake.ok("CREATE TABLE t (a bigint, b string, v bigint) PARTITIONED BY (b)")
            .await;
        lake.ok(&format!("INSERT INTO t VALUES {}", values(&target[..6])))
            .await;
        lake.ok(&format!("INSERT INTO t VALUES {}", values(&target[6..])))
            .await;
        let sql = merge_sql(&source, on, &clauses);
        let expected = naive_merge(&target, &source, on, &clauses);
        let outcome = lake.run(&sql).await;
        let mut unchanged = target.clone();
        unchanged.sort_unstable();
        match (&expected, outcome) {
            (None, Err(error)) => {
                refused += 1;
                assert!(
                    error
                        .to_string()
                        .starts_with("MERGE_TARGET_ROW_MULTIPLE_MATCHES"),
                    "{error}"
                );
            }
            (Some(_), Ok(_)) => done += 1,
            (expected, outcome) => {
                panic!("{sql}\ntarget {target:?}\nexpected {expected:?}, given {outcome:?}")
            }
        }
        let rows = lake
            .rows("SELECT a, b, v FROM t ORDER BY a NULLS FIRST, b NULLS FIRST, v")
            .await;
        let shown = |rows: &[Row]| {
            let text = |row: &Row| {
                format!(
                    "{}|{}|{}",
                    row.0.map_or("NULL".to_owned(), |a| a.to_string()),
                    row.1.unwrap_or("NULL"),
                    row.2
                )
            };
            rows.iter().map(text).collect::<Vec<_>>().join(";")
        };
        assert_eq!(
            rows,
            shown(&expected.unwrap_or(unchanged)),
            "{sql}\ntarget {target:?}"
        );
    }
    assert!(
        refused > 3 && done > 15,
        "{refused} refused, {done} done: the cases are not varied enough"
    );
}
