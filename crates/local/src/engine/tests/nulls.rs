//! NULL in conditions: three values, in what is read and in what is deleted.

use super::*;

/// The tables of somebody who deletes suppressed addresses from a list of leads.
async fn leads() -> Fixture {
    let f = fixture();
    f.ok("CREATE TABLE sup WITH (format='PARQUET') AS SELECT * FROM (VALUES (1,'a@example.org'),(2,NULL)) t(id,email)")
        .await;
    f.ok("CREATE TABLE led WITH (format='PARQUET') AS SELECT * FROM (VALUES (10,'b@example.org'),(11,'a@example.org'),(12,NULL)) t(id,email)")
        .await;
    f
}

#[tokio::test]
async fn not_in_a_subquery_with_a_null_deletes_nothing() {
    let f = leads().await;
    let f = &f;
    assert_eq!(
        f.rows("SELECT id FROM led WHERE email NOT IN (SELECT email FROM sup)")
            .await,
        ""
    );
    assert_eq!(
        f.rows("SELECT id FROM led WHERE id = 99 OR email NOT IN (SELECT email FROM sup)")
            .await,
        ""
    );
    assert_eq!(
        f.rows("SELECT id FROM led WHERE NOT (email IN (SELECT email FROM sup)) OR id = 12")
            .await,
        "12"
    );
    assert_eq!(
        f.rows("SELECT id FROM led WHERE email <> ALL (SELECT email FROM sup)")
            .await,
        ""
    );
    assert_eq!(
        f.rows("SELECT id FROM led WHERE (email IN (SELECT email FROM sup)) IS NULL ORDER BY 1")
            .await,
        "10;12"
    );
    assert_eq!(
        f.ok("UPDATE led SET id = id + 100 WHERE email NOT IN (SELECT email FROM sup)")
            .await,
        0
    );
    assert_eq!(
        f.ok("DELETE FROM led WHERE email NOT IN (SELECT email FROM sup)")
            .await,
        0
    );
    assert_eq!(f.rows("SELECT count(*) FROM led").await, "3");
}

#[tokio::test]
async fn without_nulls_in_the_subquery_only_what_differs_goes() {
    let f = leads().await;
    let present = "(SELECT email FROM sup WHERE email IS NOT NULL)";
    assert_eq!(
        f.ok(&format!(
            "UPDATE led SET id = id + 100 WHERE email NOT IN {present}"
        ))
        .await,
        1
    );
    assert_eq!(f.rows("SELECT id FROM led ORDER BY id").await, "11;12;110");
    assert_eq!(
        f.ok(&format!("DELETE FROM led WHERE email NOT IN {present}"))
            .await,
        1
    );
    assert_eq!(f.rows("SELECT id FROM led ORDER BY id").await, "11;12");
    // Nothing to be found: everything differs, a NULL too.
    assert_eq!(
        f.ok("DELETE FROM led WHERE email NOT IN (SELECT email FROM sup WHERE id = 77)")
            .await,
        2
    );
}

/// The groups of `led` for which a condition holds, and the pairs of a join on one.
#[tokio::test]
async fn groups_and_joins_ask_with_three_values_too() {
    let f = leads().await;
    let with_null = "(SELECT email FROM sup)";
    let present = "(SELECT email FROM sup WHERE email IS NOT NULL)";
    let none = "(SELECT email FROM sup WHERE id = 77)";
    // By hand: b differs from a and meets a NULL; a is there; NULL is unknown unless there is nothing to meet.
    let cases = [
        (format!("email NOT IN {with_null}"), ""),
        (format!("email NOT IN {present}"), "10"),
        (format!("email NOT IN {none}"), "10;11;12"),
        (format!("max(id) = 99 OR email NOT IN {with_null}"), ""),
        (format!("max(id) = 99 OR email NOT IN {present}"), "10"),
        (format!("max(id) = 12 OR email IN {with_null}"), "11;12"),
        (format!("NOT (email IN {with_null})"), ""),
        (format!("(email IN {with_null}) IS NULL"), "10;12"),
    ];
    for (condition, wanted) in cases {
        let sql =
            format!("SELECT max(id) AS n FROM led GROUP BY email HAVING {condition} ORDER BY 1");
        assert_eq!(f.rows(&sql).await, wanted, "{sql}");
        let on = condition
            .replace("max(id)", "l.id")
            .replace("email NOT", "l.email NOT")
            .replace("(email IN", "(l.email IN")
            .replace("OR email", "OR l.email");
        let sql = format!(
            "SELECT l.id FROM led l JOIN (VALUES (10),(11),(12)) u(id) ON l.id = u.id AND ({on}) ORDER BY 1"
        );
        assert_eq!(f.rows(&sql).await, wanted, "{sql}");
    }
}

#[tokio::test]
async fn a_membership_elsewhere_is_right_or_refused() {
    let f = leads().await;
    let asked = "email NOT IN (SELECT email FROM sup)";
    for (sql, wanted) in [
        (
            format!("SELECT id, {asked} AS x FROM led ORDER BY id"),
            "10|NULL;11|false;12|NULL",
        ),
        (
            format!("SELECT CASE WHEN {asked} THEN 1 ELSE 0 END AS x FROM led"),
            "0;0;0",
        ),
        (
            format!("SELECT count(*) FILTER (WHERE {asked}) AS x FROM led"),
            "0",
        ),
    ] {
        match f.try_rows(&sql).await {
            Ok(rows) => assert_eq!(rows, wanted, "{sql}"),
            Err(error) => assert!(
                error.to_string().contains("NOT_SUPPORTED"),
                "{sql}: {error}"
            ),
        }
    }
    let of_a_group =
        "SELECT id FROM led GROUP BY id HAVING max(email) NOT IN (SELECT email FROM sup)";
    if let Ok(rows) = f.try_rows(of_a_group).await {
        assert_eq!(rows, "");
    }
    // Right or refused, never another answer: an outer join keeps the row of the left side.
    let outer = "SELECT l.id, u.id FROM led l LEFT JOIN (VALUES (10),(11),(12)) u(id) \
                 ON l.id = u.id AND (u.id = 99 OR l.email NOT IN (SELECT email FROM sup)) ORDER BY 1";
    match f.try_rows(outer).await {
        Ok(rows) => assert_eq!(rows, "10|NULL;11|NULL;12|NULL"),
        Err(error) => assert!(error.to_string().contains("NOT_SUPPORTED"), "{error}"),
    }
}

#[tokio::test]
async fn a_correlated_not_in_is_asked_row_by_row() {
    let f = fixture();
    f.ok("CREATE TABLE a AS SELECT * FROM (VALUES (1,10),(2,20),(3,NULL),(4,40)) t(k,v)")
        .await;
    f.ok("CREATE TABLE b AS SELECT * FROM (VALUES (1,10),(2,NULL),(3,30)) t(k,v)")
        .await;
    // 1: a match. 2: b has only a NULL, unknown. 3: a NULL against 30, unknown. 4: b has nothing, so it is not in it.
    let sql = "FROM a WHERE v NOT IN (SELECT b.v FROM b WHERE b.k = a.k)";
    assert_eq!(f.rows(&format!("SELECT k {sql}")).await, "4");
    assert_eq!(f.ok(&format!("DELETE {sql}")).await, 1);
}

#[tokio::test]
async fn a_null_condition_selects_nothing_on_a_delta_table() {
    let f = fixture();
    f.ok("CREATE TABLE g WITH (partitioned_by = ARRAY['part']) AS SELECT * FROM (VALUES (1,'x','p'),(2,NULL,'q'),(3,'z',NULL)) t(v,email,part)")
        .await;
    for condition in [
        "v > 0 AND v = NULL",
        "v BETWEEN 1 AND NULL",
        "email NOT IN ('a@example.org', NULL)",
        "part NOT IN ('a', NULL)",
        "part = NULL OR v = NULL",
        "NOT (v = NULL)",
        "NULL",
        "v > 0 AND NULL",
    ] {
        let counted = f
            .rows(&format!("SELECT count(*) FROM g WHERE {condition}"))
            .await;
        assert_eq!(counted, "0", "{condition}");
        assert_eq!(
            f.ok(&format!("DELETE FROM g WHERE {condition}")).await,
            0,
            "{condition}"
        );
    }
    assert_eq!(
        f.rows("SELECT v FROM g WHERE part <> 'p' OR part IS NULL ORDER BY v")
            .await,
        "2;3"
    );
    assert_eq!(
        f.rows("SELECT count(*) FROM g WHERE part IN ('p', NULL)")
            .await,
        "1"
    );
}

#[tokio::test]
async fn a_part_of_a_union_that_has_no_rows_leaves_the_names() {
    let f = fixture();
    f.ok("CREATE TABLE g AS SELECT * FROM (VALUES (1),(2),(NULL)) t(v)")
        .await;
    let union = "(SELECT CAST(NULL AS integer) AS x, v FROM g UNION ALL SELECT v, CAST(NULL AS integer) FROM g) u";
    assert_eq!(
        f.rows(&format!(
            "SELECT x FROM {union} WHERE x IS NOT NULL ORDER BY x"
        ))
        .await,
        "1;2"
    );
    assert_eq!(
        f.rows(&format!(
            "SELECT x, count(*) FROM {union} WHERE x IS NOT NULL GROUP BY x ORDER BY 1"
        ))
        .await,
        "1|1;2|1"
    );
    assert_eq!(
        f.rows(&format!("SELECT count(*) FROM {union} WHERE x IS NULL"))
            .await,
        "4"
    );
}

#[tokio::test]
async fn merge_keeps_rows_whose_condition_is_unknown() {
    let f = leads().await;
    let changed = f
        .ok(
            "MERGE INTO led USING (SELECT email FROM sup) AS s ON led.email = s.email \
             WHEN MATCHED AND led.id NOT IN (99, NULL) THEN DELETE",
        )
        .await;
    assert_eq!(changed, 0);
    assert_eq!(f.rows("SELECT count(*) FROM led").await, "3");
}

/// Three-valued logic, a second time and naively.
mod naive {
    pub(super) type Tri = Option<bool>;

    pub(super) fn not(a: Tri) -> Tri {
        a.map(|a| !a)
    }
    pub(super) fn and(a: Tri, b: Tri) -> Tri {
        match (a, b) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }
    pub(super) fn or(a: Tri, b: Tri) -> Tri {
        not(and(not(a), not(b)))
    }
    pub(super) fn equal(a: Option<i64>, b: Option<i64>) -> Tri {
        Some(a? == b?)
    }
    pub(super) fn is_in(a: Option<i64>, list: &[Option<i64>]) -> Tri {
        let mut told = Some(false);
        for b in list {
            told = or(told, equal(a, *b));
        }
        told
    }
}

/// A condition over `k`, `x` and `p`, as text and as a function.
#[derive(Debug, Clone)]
enum Condition {
    Equal(&'static str, Option<i64>),
    In(&'static str, Vec<Option<i64>>),
    InOther(&'static str),
    InOfKey(&'static str),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

type Row = (i64, Option<i64>, Option<i64>);
type Other = (i64, Option<i64>);

fn cell(value: Option<i64>) -> String {
    value.map_or("CAST(NULL AS bigint)".to_owned(), |value| {
        format!("CAST({value} AS bigint)")
    })
}

impl Condition {
    fn sql(&self) -> String {
        match self {
            Self::Equal(column, value) => format!("{column} = {}", cell(*value)),
            Self::In(column, list) => {
                let list: Vec<_> = list.iter().map(|value| cell(*value)).collect();
                format!("{column} IN ({})", list.join(", "))
            }
            Self::InOther(column) => format!("{column} IN (SELECT o.x FROM o)"),
            Self::InOfKey(column) => format!("{column} IN (SELECT o.x FROM o WHERE o.k = t.k)"),
            Self::Not(inner) => format!("NOT ({})", inner.sql()),
            Self::And(a, b) => format!("({}) AND ({})", a.sql(), b.sql()),
            Self::Or(a, b) => format!("({}) OR ({})", a.sql(), b.sql()),
        }
    }

    fn holds(&self, row: &Row, others: &[Other]) -> naive::Tri {
        let column = |name: &str| match name {
            "k" => Some(row.0),
            "x" => row.1,
            _ => row.2,
        };
        match self {
            Self::Equal(name, value) => naive::equal(column(name), *value),
            Self::In(name, list) => naive::is_in(column(name), list),
            Self::InOther(name) => {
                let list: Vec<_> = others.iter().map(|other| other.1).collect();
                naive::is_in(column(name), &list)
            }
            Self::InOfKey(name) => {
                let own = others.iter().filter(|other| other.0 == row.0);
                let list: Vec<_> = own.map(|other| other.1).collect();
                naive::is_in(column(name), &list)
            }
            Self::Not(inner) => naive::not(inner.holds(row, others)),
            Self::And(a, b) => naive::and(a.holds(row, others), b.holds(row, others)),
            Self::Or(a, b) => naive::or(a.holds(row, others), b.holds(row, others)),
        }
    }
}

fn conditions() -> impl proptest::strategy::Strategy<Value = Condition> {
    use proptest::prelude::*;
    let name = prop::sample::select(vec!["k", "x", "p"]);
    let value = prop::option::weighted(0.7, 0i64..4);
    let leaf = prop_oneof![
        (name.clone(), value.clone()).prop_map(|(n, v)| Condition::Equal(n, v)),
        (name.clone(), prop::collection::vec(value, 1..4)).prop_map(|(n, v)| Condition::In(n, v)),
        name.clone().prop_map(Condition::InOther),
        name.prop_map(Condition::InOfKey),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            inner.prop_map(|a| Condition::Not(Box::new(a))),
            two.clone()
                .prop_map(|(a, b)| Condition::And(Box::new(a), Box::new(b))),
            two.prop_map(|(a, b)| Condition::Or(Box::new(a), Box::new(b))),
        ]
    })
}

fn values<T>(rows: &[T], text: impl Fn(&T) -> String) -> String {
    rows.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[test]
fn random_conditions_select_and_delete_what_three_valued_logic_says() {
    use proptest::prelude::*;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let value = || prop::option::weighted(0.7, 0i64..4);
    let mut config = ProptestConfig::with_cases(24);
    config.failure_persistence = None;
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(Default::default()),
    );
    let given = (
        prop::collection::vec((0i64..4, value(), value()), 1..7),
        prop::collection::vec((0i64..4, value()), 0..5),
        prop::collection::vec(conditions(), 6),
    );
    runner
        .run(&given, |(rows, others, conditions)| {
            runtime.block_on(async {
                let f = fixture();
                f.ok("CREATE TABLE t (k bigint, x bigint, p bigint) PARTITIONED BY (p)")
                    .await;
                f.ok("CREATE TABLE o (k bigint, x bigint)").await;
                let all = values(&rows, |(k, x, p)| {
                    format!("({k}, {}, {})", cell(*x), cell(*p))
                });
                f.ok(&format!("INSERT INTO t VALUES {all}")).await;
                if !others.is_empty() {
                    let all = values(&others, |(k, x)| format!("({k}, {})", cell(*x)));
                    f.ok(&format!("INSERT INTO o VALUES {all}")).await;
                }
                let mut left = rows.clone();
                for condition in &conditions {
                    let sql = condition.sql();
                    let wanted = left
                        .iter()
                        .filter(|row| condition.holds(row, &others) == Some(true))
                        .count();
                    let counted = f.rows(&format!("SELECT count(*) FROM t WHERE {sql}")).await;
                    prop_assert_eq!(&counted, &wanted.to_string(), "SELECT … WHERE {}", sql);
                    let deleted = f.ok(&format!("DELETE FROM t WHERE {sql}")).await;
                    prop_assert_eq!(deleted, wanted as u64, "DELETE … WHERE {}", sql);
                    left.retain(|row| condition.holds(row, &others) != Some(true));
                }
                Ok(())
            })
        })
        .unwrap();
}
