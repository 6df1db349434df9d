//! What Athena refuses: its code, the place, what to write, and no word of the engine's inner parts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use lakehand_engine::answer;

/// Words of the parts below, which nobody who writes SQL knows.
const INNER: &[&str] = &[
    "Error during planning",
    "Execution error",
    "Schema error",
    "Arrow error",
    "Internal error",
    "DataFusion",
    "sqlparser",
    "Utf8",
    "Int64",
    "Float64",
    "Ident {",
    "Token",
    "trino_",
    "No function matches",
];

async fn refused(cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (sql, expected) in cases {
        let told = match answer(sql).await {
            Ok(_) => "answered".to_owned(),
            Err(error) => error.to_string(),
        };
        let inner = INNER.iter().find(|word| told.contains(**word));
        if !told.starts_with(expected) || inner.is_some() {
            wrong.push(format!(
                "{sql}\n    expected {expected}\n    told     {told} {inner:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn signs_of_other_engines() {
    refused(&[
        ("SELECT x::int FROM (VALUES 1) t(x)", "SYNTAX_ERROR: line 1:9: mismatched input '::': write CAST"),
        ("SELECT\n  1 == 1", "SYNTAX_ERROR: line 2:5: mismatched input '==': write ="),
        ("SELECT true && false", "SYNTAX_ERROR: line 1:13: mismatched input '&&'"),
        ("SELECT 2 ^ 3", "SYNTAX_ERROR: line 1:10: mismatched input '^'"),
        ("SELECT !true", "SYNTAX_ERROR: line 1:8: mismatched input '!'"),
        ("SELECT ~1", "SYNTAX_ERROR: line 1:8: mismatched input '~'"),
        ("SELECT 'a' ~ 'b'", "SYNTAX_ERROR: line 1:12: mismatched input '~'"),
        ("SELECT 5 // 2", "SYNTAX_ERROR: line 1:10: mismatched input '//'"),
        ("SELECT 5 DIV 2", "SYNTAX_ERROR: line 1:10: mismatched input 'DIV'"),
        ("SELECT 5 | 2", "SYNTAX_ERROR: line 1:10: mismatched input '|'"),
        ("SELECT 5 & 2", "SYNTAX_ERROR: line 1:10: mismatched input '&'"),
        ("SELECT x <=> 1 FROM (VALUES 1) t(x)", "SYNTAX_ERROR: line 1:10: mismatched input '<=>'"),
        ("SELECT $1", "SYNTAX_ERROR: line 1:8: mismatched input '$1'"),
        ("SELECT x:a FROM (VALUES 1) t(x)", "SYNTAX_ERROR: line 1:9: mismatched input ':'"),
        ("SELECT x ->> 'a' FROM (VALUES 'x') t(x)", "SYNTAX_ERROR: line 1:10: mismatched input '->>'"),
        ("SELECT {'a': 1}", "SYNTAX_ERROR: line 1:8: mismatched input '{'"),
        ("SELECT [1, 2]", "SYNTAX_ERROR: line 1:8: mismatched input '[': write ARRAY"),
        ("SELECT E'a\\n'", "SYNTAX_ERROR: line 1:8: mismatched input 'E'"),
        ("SELECT $$abc$$", "SYNTAX_ERROR: line 1:8: mismatched input '$$abc$$'"),
        ("SELECT 1_000", "SYNTAX_ERROR: line 1:8: mismatched input '1_000'"),
        ("SELECT 0x1F", "NOT_SUPPORTED: line 1:8: hexadecimal"),
        ("SELECT `x` FROM (VALUES 1) t(x)", "SYNTAX_ERROR: line 1:8: backquoted identifiers are not supported"),
        ("SELECT \"abc\" FROM (VALUES 1) t(x)", "COLUMN_NOT_FOUND: line 1:8: Column 'abc' cannot be resolved; text stands in single quotes"),
        ("SELECT 1 AS 'a'", "SYNTAX_ERROR: mismatched input ''a''"),
    ])
    .await;
}

#[tokio::test]
async fn clauses_of_other_engines() {
    refused(&[
        (
            "SELECT x, count(*) FROM (VALUES 1) t(x) GROUP BY ALL",
            "SYNTAX_ERROR: line 1:50: mismatched input 'GROUP BY ALL'",
        ),
        (
            "SELECT * EXCLUDE (x) FROM (VALUES (1, 2)) t(x, y)",
            "SYNTAX_ERROR: line 1:10",
        ),
        (
            "SELECT * REPLACE (x + 1 AS x) FROM (VALUES (1, 2)) t(x, y)",
            "SYNTAX_ERROR: line 1:10",
        ),
        ("FROM (VALUES 1) t(x) SELECT x", "SYNTAX_ERROR: line 1:1"),
        (
            "SELECT x FROM (VALUES 1) t(x) USING SAMPLE 10",
            "SYNTAX_ERROR: line 1:31",
        ),
        (
            "SELECT DISTINCT ON (x) x FROM (VALUES 1) t(x)",
            "SYNTAX_ERROR: line 1:17: mismatched input 'DISTINCT ON'",
        ),
        (
            "SELECT x FROM (VALUES 1) t(x) LEFT SEMI JOIN (VALUES 1) u(y) ON x = y",
            "SYNTAX_ERROR: line 1:36: mismatched input 'SEMI'",
        ),
        (
            "SELECT x FROM (VALUES 1) t(x) LEFT ANTI JOIN (VALUES 1) u(y) ON x = y",
            "SYNTAX_ERROR: line 1:36: mismatched input 'ANTI'",
        ),
        (
            "SELECT * FROM (VALUES 1) t(x) NATURAL JOIN (VALUES 1) u(x)",
            "NOT_SUPPORTED: line 1:31: Natural join not supported",
        ),
        (
            "SELECT * FROM (VALUES 1) t(x) JOIN (VALUES 1) u(y)",
            "SYNTAX_ERROR: line 1:31: mismatched input 'JOIN'",
        ),
        (
            "SELECT TOP 1 x FROM (VALUES 1) t(x)",
            "SYNTAX_ERROR: line 1:8: mismatched input 'TOP'",
        ),
        (
            "SELECT x FROM (VALUES 1) t(x) LIMIT 1 OFFSET 1",
            "SYNTAX_ERROR: line 1:39: mismatched input 'OFFSET'",
        ),
        (
            "SELECT x FROM (VALUES 1) t(x) FOR UPDATE",
            "SYNTAX_ERROR: line 1:31: mismatched input 'FOR'",
        ),
        (
            "SELECT x INTO y FROM (VALUES 1) t(x)",
            "SYNTAX_ERROR: line 1:10: mismatched input 'INTO'",
        ),
        (
            "SELECT x FROM (VALUES 1) t(x) LATERAL VIEW explode(x) AS y",
            "SYNTAX_ERROR: line 1:39: mismatched input 'VIEW'",
        ),
        (
            "SELECT * FROM (VALUES 1) t(x) PIVOT (sum(x) FOR x IN (1))",
            "SYNTAX_ERROR: line 1:31: mismatched input 'PIVOT'",
        ),
        (
            "SELECT x FROM (VALUES 1) t(x) QUALIFY row_number() OVER () = 1",
            "SYNTAX_ERROR: line 1:31: mismatched input 'QUALIFY'",
        ),
        (
            "SELECT 'a' ILIKE 'A'",
            "SYNTAX_ERROR: line 1:12: mismatched input 'ILIKE'",
        ),
        (
            "SELECT 'a' RLIKE 'b'",
            "SYNTAX_ERROR: line 1:12: mismatched input 'RLIKE'",
        ),
        (
            "SELECT 'a' SIMILAR TO 'b'",
            "SYNTAX_ERROR: line 1:12: mismatched input 'SIMILAR'",
        ),
        (
            "SELECT INTERVAL '1 day'",
            "SYNTAX_ERROR: line 1:8: mismatched input 'INTERVAL '1 day''",
        ),
        (
            "SELECT INTERVAL 1 DAY",
            "SYNTAX_ERROR: line 1:8: mismatched input 'INTERVAL 1'",
        ),
        ("SELECT ARRAY[1, 2][1:2]", "SYNTAX_ERROR: line 1:21"),
        ("COPY t TO 'x'", "SYNTAX_ERROR: line 1:1"),
        ("SET x = 1", "SYNTAX_ERROR: line 1:1"),
    ])
    .await;
}

#[tokio::test]
async fn functions_and_types_of_other_engines() {
    refused(&[
        ("SELECT struct(1, 2)", "FUNCTION_NOT_FOUND: line 1:8: Function 'struct' not registered; write ROW"),
        ("SELECT named_struct('a', 1)", "FUNCTION_NOT_FOUND: line 1:8: Function 'named_struct' not registered; write CAST(ROW"),
        ("SELECT nvl(1, 2)", "FUNCTION_NOT_FOUND: line 1:8: Function 'nvl' not registered; write coalesce"),
        ("SELECT 1,\n  to_timestamp('2020-01-01')", "FUNCTION_NOT_FOUND: line 2:3: Function 'to_timestamp' not registered; write date_parse"),
        ("SELECT date_part('day', now())", "FUNCTION_NOT_FOUND: line 1:8: Function 'date_part' not registered; write extract"),
        ("SELECT make_array(1)", "FUNCTION_NOT_FOUND: line 1:8: Function 'make_array' not registered; write ARRAY"),
        ("SELECT unnest(ARRAY[1])", "FUNCTION_NOT_FOUND: line 1:8: Function 'unnest' not registered; write CROSS JOIN"),
        ("SELECT nothing_like_it(1)", "FUNCTION_NOT_FOUND: line 1:8: Function 'nothing_like_it' not registered"),
        ("SELECT * FROM generate_series(1, 3)", "FUNCTION_NOT_FOUND: line 1:15: Table function 'generate_series' not registered"),
        ("SELECT current_date()", "SYNTAX_ERROR: line 1:8: mismatched input '(': write current_date without"),
        ("SELECT first_value(x) FROM (VALUES 1) t(x)", "MISSING_OVER: line 1:8: Window function first_value requires OVER"),
        ("SELECT sum('a')", "FUNCTION_NOT_FOUND: Unexpected parameters (varchar) for function sum"),
        ("SELECT CAST(1 AS string)", "TYPE_NOT_FOUND: line 1:18: Unknown type: string; write varchar"),
        ("SELECT CAST(1 AS float)", "TYPE_NOT_FOUND: line 1:18: Unknown type: float; write double"),
        ("SELECT CAST(1 AS nothing)", "TYPE_NOT_FOUND: Unknown type: nothing"),
        ("SELECT SAFE_CAST('a' AS bigint)", "SYNTAX_ERROR: line 1:8: mismatched input 'SAFE_CAST': write TRY_CAST"),
    ])
    .await;
}

#[tokio::test]
async fn the_engines_own_functions_are_not_called_by_name() {
    let told = answer("SELECT 1, trino_substr('a', 1)")
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        told,
        "FUNCTION_NOT_FOUND: line 1:11: Function 'trino_substr' not registered"
    );
}

#[tokio::test]
async fn what_does_not_go_together() {
    refused(&[
        ("SELECT 'a' || 1", "TYPE_MISMATCH: Unexpected parameters (varchar, bigint) for function concat"),
        ("SELECT 1 + '1'", "TYPE_MISMATCH: Cannot apply operator: bigint + varchar"),
        ("SELECT 1 WHERE 1", "TYPE_MISMATCH: WHERE clause must evaluate to a boolean: actual type bigint"),
        ("SELECT NOT 1", "TYPE_MISMATCH: Value of logical NOT expression"),
        ("SELECT x + true FROM (VALUES 1) t(x)", "TYPE_MISMATCH: "),
        ("SELECT x.y FROM (VALUES 1) t(x)", "TYPE_MISMATCH: Expression is not of type ROW"),
        ("SELECT x FROM (VALUES 1) t(x) UNION SELECT 'a'", "TYPE_MISMATCH: UNION of varchar and bigint"),
        ("SELECT x FROM (VALUES 1) t(x) UNION SELECT 1, 2", "TYPE_MISMATCH: UNION query has different number of fields"),
        ("SELECT x, count(*) FROM (VALUES 1) t(x)", "EXPRESSION_NOT_AGGREGATE: line 1:8: 'x' must be an aggregate expression or appear in GROUP BY clause"),
        ("SELECT count(*) FROM (VALUES 1) t(x) WHERE count(*) > 1", "EXPRESSION_NOT_SCALAR: WHERE clause cannot contain aggregations"),
        ("SELECT x FROM (VALUES 1) t(x) WHERE row_number() OVER () = 1", "EXPRESSION_NOT_SCALAR: WHERE clause cannot contain aggregations"),
        ("SELECT sum(count(*)) FROM (VALUES 1) t(x)", "NESTED_AGGREGATION: "),
        ("SELECT x FROM (VALUES 1) t(x) ORDER BY 2", "INVALID_COLUMN_REFERENCE: ORDER BY position 2"),
        ("SELECT x FROM (VALUES 1) t(x) GROUP BY 2", "INVALID_COLUMN_REFERENCE: GROUP BY position 2"),
        ("SELECT x FROM (VALUES (1, 2)) t(x)", "MISMATCHED_COLUMN_ALIASES: Column alias list has 1 entries but relation has 2 columns"),
        ("SELECT a.* FROM (VALUES 1) t(x)", "TABLE_NOT_FOUND: line 1:8: Unable to resolve reference a"),
        ("SELECT x FROM (VALUES 1) t(x), (VALUES 2) u(x)", "AMBIGUOUS_NAME: line 1:8: Column 'x' is ambiguous"),
        ("SELECT upper(x) AS y FROM (VALUES 'a') t(x) GROUP BY y", "COLUMN_NOT_FOUND: line 1:54: Column 'y' cannot be resolved: GROUP BY does not know"),
        ("SELECT CAST('a' AS bigint)", "INVALID_CAST_ARGUMENT: Cannot cast"),
        ("SELECT ?", "INVALID_PARAMETER_USAGE: "),
    ])
    .await;
}
