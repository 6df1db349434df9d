//! What a person who explores may write, and Athena refuses: taken when it is asked for, and only then.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use lakehand_engine::{Strictness, answer, answer_as};

async fn rows(sql: &str) -> String {
    let batches = answer_as(sql, Strictness::Lenient)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    let shown = arrow::util::pretty::pretty_format_batches(&batches)
        .unwrap()
        .to_string();
    let lines = shown.lines().filter(|line| line.starts_with('|')).skip(1);
    let cells = lines.map(|line| {
        line.trim_matches('|')
            .split('|')
            .map(str::trim)
            .collect::<Vec<_>>()
            .join("|")
    });
    cells.collect::<Vec<_>>().join(";")
}

#[tokio::test]
async fn lenient_takes_what_strict_refuses() {
    let cases = [
        ("SELECT 1 WHERE DATE '2026-01-05' > '2026-01-04'", "1"),
        (
            "SELECT 1 WHERE DATE '2026-01-05' BETWEEN '2026-01-04' AND '2026-01-06'",
            "1",
        ),
        ("SELECT 1 WHERE DATE '2026-01-05' IN ('2026-01-05')", "1"),
        ("SELECT 1 WHERE 10 > '9'", "1"),
        ("SELECT 1 WHERE 10 BETWEEN '9' AND '11'", "1"),
        ("SELECT 1 WHERE '10' IN (9, 10)", "1"),
        ("SELECT '2' * 3", "6"),
        (
            "SELECT x + 1 AS y, count(*) FROM (VALUES 1, 1) t(x) GROUP BY y",
            "2|2",
        ),
        (
            "SELECT x, sum(x) AS total FROM (VALUES 1, 2) t(x) GROUP BY x HAVING total > 1",
            "2|2",
        ),
        ("SELECT '12'::bigint + 1", "13"),
        ("SELECT 1 WHERE 'ABC' ILIKE 'a%'", "1"),
        (
            "SELECT x FROM (VALUES 1, 2) t(x) QUALIFY row_number() OVER (ORDER BY x DESC) = 1",
            "2",
        ),
        (
            "SELECT x FROM (VALUES 1, 2, 3) t(x) ORDER BY x LIMIT 1 OFFSET 1",
            "2",
        ),
    ];
    for (sql, expected) in cases {
        assert!(
            answer(sql).await.is_err(),
            "taken without being asked: {sql}"
        );
        assert_eq!(rows(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn text_that_is_no_number_is_an_error_and_not_a_guess() {
    for sql in [
        "SELECT 1 WHERE 10 > 'ten'",
        "SELECT 1 WHERE DATE '2026-01-05' > 'May'",
    ] {
        let error = answer_as(sql, Strictness::Lenient)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("INVALID_CAST_ARGUMENT"), "{sql}: {error}");
    }
}
