//! Every construct of the SQL that the files of gold and silver are written in: Trino's meaning, worked out by hand.

use super::*;

/// SQL, and its one cell or row.
const STATEMENTS: &[(&str, &str)] = &[
    // Literals, casts, arithmetic.
    ("SELECT 1.5", "1.5"),
    ("SELECT typeof(1.5)", "decimal(2,1)"),
    ("SELECT 7 / 2, -7 / 2, 7 % 3, -7 % 3", "3|-3|1|-1"),
    ("SELECT 1.0 / 3.0", "0.3"),
    ("SELECT 2.00 / 3.0", "0.67"),
    ("SELECT -2.00 / 3.0", "-0.67"),
    (
        "SELECT CAST(10 AS decimal(18,4)) / CAST(3 AS decimal(18,4))",
        "3.3333",
    ),
    (
        "SELECT CAST(5 AS decimal(10,0)) / CAST(0.001 AS decimal(10,3))",
        "5000.000",
    ),
    (
        "SELECT CAST('12.345' AS decimal(10,2)), CAST(-12.345 AS decimal(10,2))",
        "12.35|-12.35",
    ),
    (
        "SELECT CAST(1.5 AS bigint), CAST(2.5 AS bigint), CAST(-1.5 AS bigint)",
        "2|3|-2",
    ),
    (
        "SELECT CAST(CAST(2.5 AS double) AS bigint), CAST(CAST(-2.4 AS double) AS integer)",
        "3|-2",
    ),
    ("SELECT CAST('7' AS bigint) + 1", "8"),
    ("SELECT TRY_CAST('x' AS bigint) IS NULL", "true"),
    ("SELECT try(CAST('x' AS bigint)), try(1 / 0)", "NULL|NULL"),
    (
        "SELECT CAST(timestamp '2026-01-31 10:00:00' AS varchar)",
        "2026-01-31 10:00:00",
    ),
    ("SELECT CAST(date '2026-01-31' AS varchar)", "2026-01-31"),
    (
        "SELECT CAST('2026-01-31' AS date) = date '2026-01-31'",
        "true",
    ),
    (
        "SELECT CAST(timestamp '2026-01-31 23:59:59.999' AS date)",
        "2026-01-31",
    ),
    ("SELECT CAST('abcdef' AS varchar(3))", "abc"),
    ("SELECT CAST(true AS varchar)", "true"),
    (
        "SELECT typeof(CAST(null AS timestamp(6))), typeof('x'), typeof(date '2026-01-01')",
        "timestamp(6)|varchar|date",
    ),
    // Null safety and ordering.
    (
        "SELECT NULL IS DISTINCT FROM NULL, 1 IS DISTINCT FROM NULL, 1 IS NOT DISTINCT FROM 1 AND true",
        "false|true|true",
    ),
    (
        "SELECT x FROM (VALUES 2, NULL, 1) AS t (x) ORDER BY x",
        "1;2;NULL",
    ),
    (
        "SELECT x FROM (VALUES 2, NULL, 1) AS t (x) ORDER BY x DESC",
        "2;1;NULL",
    ),
    (
        "SELECT row_number() OVER (ORDER BY x DESC), x FROM (VALUES 2, NULL, 1) AS t (x) ORDER BY 1",
        "1|2;2|1;3|NULL",
    ),
    (
        "SELECT coalesce(NULL, 'a'), nullif(1, 1), if(1 > 2, 'x'), if(1 < 2, 'x', 'y')",
        "a|NULL|NULL|x",
    ),
    (
        "SELECT greatest(1, 3, 2), least(1, NULL, 2), greatest('a', 'b')",
        "3|NULL|b",
    ),
    // Texts.
    (
        "SELECT 'a' || NULL, concat('a', 'b', 'c'), concat('a', NULL)",
        "NULL|abc|NULL",
    ),
    (
        "SELECT substr('Trino', 2), substr('Trino', -3, 2), substr('Trino', 0), substring('Trino' FROM 1 FOR 2)",
        "rino|in||Tr",
    ),
    (
        "SELECT split_part('a,b,c', ',', 2), split_part('a,b', ',', 3)",
        "b|NULL",
    ),
    (
        "SELECT strpos('high', 'ig'), reverse('añb'), upper('ä'), length('añb')",
        "2|bña|Ä|3",
    ),
    (
        "SELECT lpad('7', 3, '0'), rpad('7', 3, 'x'), trim('  a '), replace('aXbX', 'X', '-')",
        "007|7xx|a|a-b-",
    ),
    (
        "SELECT regexp_like('1a 2b 14m', '\\d+b'), regexp_extract('1a 2b 14m', '(\\d+)([a-z]+)', 2)",
        "true|a",
    ),
    (
        "SELECT regexp_extract('1a 2b 14m', '\\d+'), regexp_extract('x', '\\d+')",
        "1|NULL",
    ),
    ("SELECT regexp_replace('1a 2b 14m', '\\d+[ab] ')", "14m"),
    (
        "SELECT regexp_replace('1a 2b 14m', '(\\d+)([ab]) ', '3c$2 ')",
        "3ca 3cb 14m",
    ),
    (
        "SELECT split('a|b|c', '|'), cardinality(split('a|b', '|')), element_at(split('a|b', '|'), 2)",
        "[a, b, c]|2|b",
    ),
    (
        "SELECT array_join(ARRAY['a', 'b'], '-'), contains(ARRAY[1, 2], 2)",
        "a-b|true",
    ),
    (
        "SELECT x FROM UNNEST(ARRAY[3, 1]) AS t (x) ORDER BY x",
        "1;3",
    ),
    // JSON.
    (
        "SELECT json_extract_scalar('{\"a\":{\"b\":[1,\"x\"]}}', '$.a.b[1]'), json_extract_scalar('{\"a\":{}}', '$.a')",
        "x|NULL",
    ),
    (
        "SELECT json_extract('{\"a\":[1, 2]}', '$.a'), json_extract_scalar('nonsense', '$.a'), json_array_length('[1,2,3]')",
        "[1,2]|NULL|3",
    ),
    // Dates: the examples of Trino's page, mostly.
    (
        "SELECT date_add('day', 7, date '2020-03-01'), date_add('month', 1, date '2026-01-31')",
        "2020-03-08|2026-02-28",
    ),
    (
        "SELECT date_add('second', 86, TIMESTAMP '2020-03-01 00:00:00')",
        "2020-03-01T00:01:26",
    ),
    (
        "SELECT date_add('day', -1, TIMESTAMP '2020-03-01 00:00:00')",
        "2020-02-29T00:00:00",
    ),
    (
        "SELECT date_diff('second', TIMESTAMP '2020-03-01 00:00:00', TIMESTAMP '2020-03-02 00:00:00')",
        "86400",
    ),
    (
        "SELECT date_diff('day', DATE '2020-03-01', DATE '2020-03-02'), date_diff('month', date '2026-01-31', date '2026-02-28')",
        "1|1",
    ),
    (
        "SELECT date_diff('hour', TIMESTAMP '2020-03-01 10:59:00', TIMESTAMP '2020-03-01 09:00:00')",
        "-1",
    ),
    (
        "SELECT date_trunc('month', date '2026-05-17'), date_trunc('week', date '2026-11-21'), date_trunc('quarter', date '2026-05-17')",
        "2026-05-01|2026-11-16|2026-04-01",
    ),
    (
        "SELECT date_trunc('hour', TIMESTAMP '2001-08-22 03:04:05.321')",
        "2001-08-22T03:00:00",
    ),
    (
        "SELECT date_format(TIMESTAMP '2022-10-20 05:10:00', '%m-%d-%Y %H'), date_parse('2022/10/20/05', '%Y/%m/%d/%H')",
        "10-20-2022 05|2022-10-20T05:00:00",
    ),
    (
        "SELECT format_datetime(TIMESTAMP '2022-10-20 05:10:00', 'yyyy-MM-dd HH')",
        "2022-10-20 05",
    ),
    (
        "SELECT from_iso8601_date('2020-05-11'), from_iso8601_timestamp('2020-05-11T11:15:05+02:00')",
        "2020-05-11|2020-05-11T11:15:05+02:00",
    ),
    (
        "SELECT to_iso8601(date '2026-01-31'), to_iso8601(TIMESTAMP '2026-01-31 10:00:00')",
        "2026-01-31|2026-01-31T10:00:00",
    ),
    (
        "SELECT to_unixtime(TIMESTAMP '1970-01-01 00:00:01.5'), from_unixtime(1.5)",
        "1.5|1970-01-01T00:00:01.500Z",
    ),
    (
        "SELECT year(date '2026-11-21'), month(date '2026-11-21'), day(date '2026-11-21'), day_of_week(date '2026-11-21'), day_of_year(date '2026-02-01')",
        "2026|11|21|6|32",
    ),
    (
        "SELECT hour(timestamp '2026-01-01 15:04:05'), minute(timestamp '2026-01-01 15:04:05'), quarter(date '2026-05-01'), week(date '2027-01-01')",
        "15|4|2|53",
    ),
    (
        "SELECT date '2026-03-01' - interval '7' day, date '2026-01-31' + interval '1' month",
        "2026-02-22|2026-02-28",
    ),
    (
        "SELECT CAST(TIMESTAMP '2026-06-30 22:30:00' AT TIME ZONE 'Europe/Berlin' AS date)",
        "2026-07-01",
    ),
    (
        "SELECT extract(year FROM date '2026-03-01'), last_day_of_month(date '2026-02-03')",
        "2026|2026-02-28",
    ),
    (
        "SELECT date '2026-01-05' BETWEEN date '2026-01-01' AND date '2026-01-05'",
        "true",
    ),
    // Aggregates.
    (
        "SELECT count_if(x > 1), sum(x), count(*), count(DISTINCT x), approx_distinct(x) FROM (VALUES 1, 2, 2, NULL) AS t (x)",
        "2|5|4|2|2",
    ),
    (
        "SELECT max_by(a, b), min_by(a, b), max_by(a, b) FILTER (WHERE b < 9) FROM (VALUES ('x', 1), ('y', 9), ('z', NULL), ('w', 5)) AS t (a, b)",
        "y|x|w",
    ),
    (
        "SELECT arbitrary(x), any_value(x) FROM (VALUES NULL, 4) AS t (x)",
        "4|4",
    ),
    (
        "SELECT bool_or(x), bool_and(x), array_join(array_agg(CAST(x AS varchar) ORDER BY x), ',') FROM (VALUES true, false) AS t (x)",
        "true|false|false,true",
    ),
    (
        "SELECT sum(x), avg(CAST(x AS double)) FROM (VALUES 0.1, 0.2) AS t (x)",
        "0.3|0.15000000000000002",
    ),
    (
        "WITH a AS (SELECT 1 AS x UNION ALL SELECT 2) SELECT max(x) FROM a",
        "2",
    ),
    (
        "SELECT \"db\".\"country_region\".region FROM \"awsdatacatalog\".\"db\".\"country_region\" WHERE country = 'DE'",
        "Europe",
    ),
    ("SELECT count(*) FROM country_region", "249"),
    (
        "SELECT count(*), count(income) FROM any_db.affise_conversions WHERE date >= date '2026-01-01'",
        "0|0",
    ),
];

#[tokio::test]
async fn statements_mean_what_trino_means() {
    let lake = fixture();
    let mut wrong = Vec::new();
    for (sql, expected) in STATEMENTS {
        let given = lake
            .try_rows(sql)
            .await
            .unwrap_or_else(|error| format!("error: {error}"));
        if given != *expected {
            wrong.push(format!("{sql}\n  expected {expected}\n  given    {given}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
