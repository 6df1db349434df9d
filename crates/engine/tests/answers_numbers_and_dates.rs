//! Numbers, dates, zones and casts as people write them on Athena, with answers worked out by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "support/asked.rs"]
mod asked;

use asked::all;

const OUT_OF_RANGE: &str = "error NUMERIC_VALUE_OUT_OF_RANGE";
const BAD_CAST: &str = "error INVALID_CAST_ARGUMENT";
const MISMATCH: &str = "error TYPE_MISMATCH";

#[tokio::test]
async fn whole_numbers_do_not_wrap_around() {
    all(&[
        ("SELECT 2147483647 + 1", OUT_OF_RANGE),
        ("SELECT -2147483647 - 2", OUT_OF_RANGE),
        ("SELECT 65536 * 65536", OUT_OF_RANGE),
        ("SELECT 2147483648 + 1", "2147483649"),
        ("SELECT BIGINT '65536' * 65536", "4294967296"),
        ("SELECT BIGINT '9223372036854775807' + 1", OUT_OF_RANGE),
        (
            "SELECT x * 2 FROM (VALUES BIGINT '5000000000000000000') t(x)",
            OUT_OF_RANGE,
        ),
        (
            "SELECT sum(x) FROM (VALUES BIGINT '9223372036854775807', BIGINT '1') t(x)",
            OUT_OF_RANGE,
        ),
        (
            "SELECT k, sum(x) FROM (VALUES (1, BIGINT '9223372036854775807'), (1, BIGINT '1')) t(k, x) GROUP BY k",
            OUT_OF_RANGE,
        ),
        (
            "SELECT sum(x) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM (VALUES BIGINT '9223372036854775806', BIGINT '9223372036854775807') t(x)",
            OUT_OF_RANGE,
        ),
        // The way there may be longer than the total.
        (
            "SELECT sum(x), sum(DISTINCT x) FROM (VALUES BIGINT '9223372036854775807', BIGINT '1', BIGINT '-1', BIGINT '-1') t(x)",
            "9223372036854775806|9223372036854775807",
        ),
        ("SELECT sum(x) FROM (VALUES CAST(NULL AS bigint)) t(x)", "NULL"),
        ("SELECT 7 / 2, -7 / 2, 7 % -3, -7 % 3", "3|-3|1|-1"),
        ("SELECT 5 / 0", "error DIVISION_BY_ZERO"),
        ("SELECT 5 % 0", "error DIVISION_BY_ZERO"),
    ])
    .await;
}

#[tokio::test]
async fn decimals_have_their_digits() {
    all(&[
        (
            "SELECT CAST(10 AS decimal(38,18)) / CAST(3 AS decimal(38,18))",
            "3.333333333333333333",
        ),
        (
            "SELECT CAST(-2 AS decimal(38,18)) / CAST(3 AS decimal(38,18))",
            "-0.666666666666666667",
        ),
        ("SELECT 1.0 / 3, 2.0 / 3, -0.5 / 1", "0.3|0.7|-0.5"),
        ("SELECT 2.5 * 4, 1.25 + 1, 1.5 - 0.25", "10.0|2.25|1.25"),
        ("SELECT DECIMAL '5.0' / 0", "error DIVISION_BY_ZERO"),
        (
            "SELECT DECIMAL '12345678901234567890.123456789'",
            "12345678901234567890.123456789",
        ),
        (
            "SELECT typeof(DECIMAL '001.50'), typeof(DECIMAL '7'), typeof(0.25)",
            "decimal(3,2)|decimal(1,0)|decimal(2,2)",
        ),
        ("SELECT avg(x) FROM (VALUES 1.05, 1.10) t(x)", "1.08"),
        ("SELECT k, avg(x) FROM (VALUES (1, -1.05), (1, -1.10), (2, 2.00)) t(k, x) GROUP BY k ORDER BY k", "1|-1.08;2|2.00"),
        (
            "SELECT DECIMAL '99999999999999999999999999999999999999' + 1",
            OUT_OF_RANGE,
        ),
        ("SELECT sum(x) FROM (VALUES 1.10, 2.205) t(x)", "3.305"),
        ("SELECT round(2.5), round(-2.5), round(2.4)", "3|-3|2"),
        (
            "SELECT round(1.005, 2), truncate(12.345, 1), truncate(-1.99)",
            "1.010|12.300|-1",
        ),
        ("SELECT ceiling(1.2), floor(-1.2), ceil(-1.2)", "2|-2|-1"),
        (
            "SELECT round(1250, -2), round(1249, -2), abs(-3.50), sign(-2.5)",
            "1300|1200|3.50|-1",
        ),
    ])
    .await;
}

#[tokio::test]
async fn doubles_are_doubles() {
    all(&[
        (
            "SELECT typeof(1e0), typeof(1.5E-3), typeof(1)",
            "double|double|integer",
        ),
        ("SELECT 5e0 / 0 = infinity(), is_nan(0e0 / 0)", "true|true"),
        (
            "SELECT nan() = nan(), nan() <> nan(), nan() > 1e0, 1e0 < nan()",
            "false|true|false|false",
        ),
        (
            "SELECT round(2.5e0), round(-2.5e0), round(1.25e0, 1), truncate(-1.9e0)",
            "3.0|-3.0|1.3|-1.0",
        ),
        (
            "SELECT CAST(1e0 AS varchar), CAST(0.1e0 AS varchar), CAST(12345.678e0 AS varchar)",
            "1.0E0|1.0E-1|1.2345678E4",
        ),
        (
            "SELECT bitwise_and(12, 10), bitwise_xor(12, 10), from_base('ff', 16), to_base(255, 2)",
            "8|6|255|11111111",
        ),
        (
            "SELECT width_bucket(5e0, 0e0, 10e0, 5), width_bucket(11e0, 0e0, 10e0, 5)",
            "3|6",
        ),
    ])
    .await;
}

#[tokio::test]
async fn casts_round_and_refuse() {
    all(&[
        (
            "SELECT CAST(2.5 AS integer), CAST(-2.5 AS bigint), CAST(2.5e0 AS bigint)",
            "3|-3|3",
        ),
        ("SELECT CAST(1e19 AS bigint)", BAD_CAST),
        ("SELECT CAST('abc' AS integer)", BAD_CAST),
        (
            "SELECT TRY_CAST('abc' AS integer), TRY_CAST('12' AS integer)",
            "NULL|12",
        ),
        ("SELECT CAST(300 AS tinyint)", OUT_OF_RANGE),
        ("SELECT CAST(123.456 AS decimal(4,1))", "123.5"),
        ("SELECT CAST(1234.5 AS decimal(4,1))", BAD_CAST),
        ("SELECT TRY_CAST(1234.5 AS decimal(4,1))", "NULL"),
        (
            "SELECT CAST('12.345' AS decimal(10,2)), CAST(12.345e0 AS decimal(10,1))",
            "12.35|12.3",
        ),
        ("SELECT CAST('yes' AS boolean)", BAD_CAST),
        (
            "SELECT CAST('T' AS boolean), CAST(0 AS boolean), CAST(true AS integer)",
            "true|false|1",
        ),
        (
            "SELECT CAST('abcdef' AS varchar(3)), CAST(123 AS varchar(3))",
            "abc|123",
        ),
        ("SELECT CAST(1234 AS varchar(3))", BAD_CAST),
        ("SELECT CAST(1 AS date)", MISMATCH),
        ("SELECT CAST(DATE '2026-01-01' AS bigint)", MISMATCH),
        (
            "SELECT CAST(1.50 AS varchar), CAST(true AS varchar), CAST(-0.05 AS varchar)",
            "1.50|true|-0.05",
        ),
    ])
    .await;
}

#[tokio::test]
async fn text_is_no_number_and_no_date() {
    all(&[
        ("SELECT '1' = 1", MISMATCH),
        ("SELECT '1' + 1", MISMATCH),
        ("SELECT DATE '2026-01-01' = '2026-01-01'", MISMATCH),
        (
            "SELECT TIMESTAMP '2026-01-01 00:00:00' > '2026-01-01'",
            MISMATCH,
        ),
        ("SELECT 1 IN ('1', '2')", MISMATCH),
        (
            "SELECT DATE '2026-01-01' BETWEEN '2026-01-01' AND '2026-02-01'",
            MISMATCH,
        ),
        ("SELECT CASE WHEN true THEN 1 ELSE 'a' END", MISMATCH),
        ("SELECT coalesce(1, 'a')", MISMATCH),
        ("SELECT 1 UNION ALL SELECT 'a'", MISMATCH),
        ("SELECT 1::varchar", "error SYNTAX_ERROR"),
        ("SELECT 'A' ILIKE 'a'", "error SYNTAX_ERROR"),
        (
            "SELECT x FROM (VALUES 1, 2) t(x) LIMIT 1 OFFSET 1",
            "error SYNTAX_ERROR",
        ),
        (
            "SELECT x FROM (VALUES 1, 2) t(x) ORDER BY x OFFSET 1 LIMIT 1",
            "2",
        ),
        (
            "SELECT x FROM (VALUES 1, 2) t(x) QUALIFY row_number() OVER (ORDER BY x) = 1",
            "error SYNTAX_ERROR",
        ),
        (
            "SELECT DATE '2026-01-01' = TIMESTAMP '2026-01-01 00:00:00'",
            "true",
        ),
        ("SELECT 1 = 1.0, 1 = 1e0, NULL = 1", "true|true|NULL"),
    ])
    .await;
}

#[tokio::test]
async fn instants_keep_their_zone() {
    all(&[
        ("SELECT CAST(TIMESTAMP '2026-07-01 12:00:00 Europe/Berlin' AS varchar)", "2026-07-01 12:00:00 Europe/Berlin"),
        ("SELECT CAST(TIMESTAMP '2026-07-01 10:00:00.000 UTC' AT TIME ZONE 'Europe/Berlin' AS varchar)", "2026-07-01 12:00:00.000 Europe/Berlin"),
        ("SELECT date(TIMESTAMP '2026-06-30 23:30:00 UTC' AT TIME ZONE 'Europe/Berlin')", "2026-07-01"),
        ("SELECT CAST(TIMESTAMP '2026-06-30 23:30:00 UTC' AT TIME ZONE 'Europe/Berlin' AS date)", "2026-07-01"),
        ("SELECT hour(TIMESTAMP '2026-01-15 23:30:00 UTC' AT TIME ZONE 'Asia/Kolkata'), day(TIMESTAMP '2026-01-15 23:30:00 UTC' AT TIME ZONE 'Asia/Kolkata')", "5|16"),
        ("SELECT CAST(date_trunc('day', TIMESTAMP '2026-03-29 20:00:00 UTC' AT TIME ZONE 'Europe/Berlin') AS varchar)", "2026-03-29 00:00:00 Europe/Berlin"),
        ("SELECT to_unixtime(date_trunc('day', TIMESTAMP '2026-03-29 20:00:00 UTC' AT TIME ZONE 'Europe/Berlin'))", "1774738800.0"),
        // A day over the change of the clock is 23 hours there, and the wall clock stays.
        ("SELECT to_unixtime(date_add('day', 1, TIMESTAMP '2026-03-28 12:00:00 Europe/Berlin')) - to_unixtime(TIMESTAMP '2026-03-28 12:00:00 Europe/Berlin')", "82800.0"),
        ("SELECT to_unixtime(date_add('hour', 24, TIMESTAMP '2026-03-28 12:00:00 Europe/Berlin')) - to_unixtime(TIMESTAMP '2026-03-28 12:00:00 Europe/Berlin')", "86400.0"),
        ("SELECT date_diff('day', TIMESTAMP '2026-03-28 12:00:00 Europe/Berlin', TIMESTAMP '2026-03-29 12:00:00 Europe/Berlin'), date_diff('hour', TIMESTAMP '2026-03-28 12:00:00 Europe/Berlin', TIMESTAMP '2026-03-29 12:00:00 Europe/Berlin')", "1|23"),
        ("SELECT date_format(TIMESTAMP '2026-07-01 22:30:00 UTC' AT TIME ZONE 'Europe/Berlin', '%Y-%m-%d %H:%i')", "2026-07-02 00:30"),
        ("SELECT format_datetime(TIMESTAMP '2026-07-01 12:00:00 Europe/Berlin', 'yyyy-MM-dd HH:mm Z')", "2026-07-01 12:00 +0200"),
        ("SELECT to_iso8601(TIMESTAMP '2026-07-01 12:00:00 Europe/Berlin')", "2026-07-01T12:00:00+02:00"),
        ("SELECT TIMESTAMP '2026-07-01 12:00:00 Europe/Berlin' = TIMESTAMP '2026-07-01 10:00:00 UTC'", "true"),
        ("SELECT TIMESTAMP '2026-07-01 12:00:00 Europe/Berlin' > TIMESTAMP '2026-07-01 10:30:00'", "false"),
        ("SELECT CAST(from_iso8601_timestamp('2026-07-01T12:00:00+02:00') AS date), CAST(from_iso8601_timestamp('2026-07-01T00:30:00+02:00') AS varchar)", "2026-07-01|2026-07-01 00:30:00.000 +02:00"),
        ("SELECT from_iso8601_timestamp(x) FROM (VALUES '2026-07-01T12:00:00+02:00') t(x)", "error NOT_SUPPORTED"),
        ("SELECT to_unixtime(from_iso8601_timestamp(x)) FROM (VALUES '2026-07-01T12:00:00Z') t(x)", "1782907200.0"),
        ("SELECT CAST(with_timezone(TIMESTAMP '2026-07-01 12:00:00', 'America/New_York') AS varchar)", "2026-07-01 12:00:00 America/New_York"),
        ("SELECT CAST(from_unixtime(0, 'America/Chicago') AS varchar)", "1969-12-31 18:00:00.000 America/Chicago"),
        ("SELECT at_timezone(TIMESTAMP '2026-07-01 12:00:00', 'Nowhere/Town')", "error INVALID_FUNCTION_ARGUMENT"),
        ("SELECT extract(timezone_hour FROM TIMESTAMP '2026-07-01 12:00:00 Asia/Kolkata'), timezone_minute(TIMESTAMP '2026-07-01 12:00:00 Asia/Kolkata')", "5|30"),
    ])
    .await;
}

#[tokio::test]
async fn dates_of_every_day() {
    all(&[
        ("SELECT INTERVAL 'x' DAY", "error SYNTAX_ERROR"),
        ("SELECT date_trunc('week', DATE '2026-07-01'), date_trunc('month', DATE '2026-07-15'), date_trunc('quarter', DATE '2026-08-15')", "2026-06-29|2026-07-01|2026-07-01"),
        ("SELECT CAST(date_trunc('hour', TIMESTAMP '2026-07-01 12:34:56.789') AS varchar)", "2026-07-01 12:00:00.000"),
        ("SELECT date_add('month', 1, DATE '2026-01-31'), date_add('day', -1, DATE '2026-03-01'), date_add('year', 1, DATE '2024-02-29')", "2026-02-28|2026-02-28|2025-02-28"),
        ("SELECT date_diff('month', DATE '2026-01-31', DATE '2026-02-28'), date_diff('month', DATE '2026-02-28', DATE '2026-01-31'), date_diff('month', DATE '2026-01-31', DATE '2026-02-27')", "1|-1|0"),
        // To Joda a year after the leap day is full on 28 February.
        ("SELECT date_diff('year', DATE '2024-02-29', DATE '2025-02-28'), date_diff('year', DATE '2025-07-01', DATE '2026-06-30')", "1|0"),
        ("SELECT date_diff('day', DATE '2026-02-01', DATE '2026-03-01'), date_diff('week', DATE '2026-01-01', DATE '2026-01-14')", "28|1"),
        ("SELECT day_of_week(DATE '2026-07-05'), extract(dow FROM DATE '2026-07-05'), day_of_year(DATE '2026-12-31')", "7|7|365"),
        ("SELECT week(DATE '2027-01-01'), year_of_week(DATE '2027-01-01'), yow(DATE '2024-12-30'), week(DATE '2024-12-30')", "53|2026|2025|1"),
        ("SELECT date_format(DATE '2027-01-01', '%x-W%v'), date_format(TIMESTAMP '2026-01-05 15:04:05', '%a %b %e %l:%i %p')", "2026-W53|Mon Jan 5 3:04 PM"),
        ("SELECT CAST(date_parse('2026-01-31 10:15', '%Y-%m-%d %H:%i') AS varchar)", "2026-01-31 10:15:00.000"),
        ("SELECT date(date_parse('31.01.2026', '%d.%m.%Y'))", "2026-01-31"),
        ("SELECT date_parse('2026-02-30', '%Y-%m-%d')", "error INVALID_FUNCTION_ARGUMENT"),
        ("SELECT CAST(parse_datetime('2026-01-31 10:15 +0200', 'yyyy-MM-dd HH:mm Z') AS varchar)", "2026-01-31 10:15:00.000 +02:00"),
        ("SELECT last_day_of_month(DATE '2024-02-10'), from_iso8601_date('2026-W01-1'), from_iso8601_date('2020-123')", "2024-02-29|2025-12-29|2020-05-02"),
        ("SELECT DATE '2026-01-31' + INTERVAL '1' MONTH, DATE '2026-03-01' - INTERVAL '1' DAY", "2026-02-28|2026-02-28"),
        ("SELECT CAST(TIMESTAMP '2026-01-01 00:00:00' + INTERVAL '90' MINUTE AS varchar)", "2026-01-01 01:30:00"),
        ("SELECT CAST(INTERVAL '36' HOUR AS varchar), CAST(INTERVAL '14' MONTH AS varchar), CAST(2 * INTERVAL '1' DAY AS varchar)", "1 12:00:00.000|1-2|2 00:00:00.000"),
        ("SELECT CAST('2026-1-5' AS date), CAST('2026-01-05 1:02' AS timestamp)", "2026-01-05|2026-01-05T01:02:00"),
        ("SELECT CAST('2026-01-05 10:00' AS date)", BAD_CAST),
        ("SELECT TRY_CAST('05.01.2026' AS date), TRY_CAST('2026-02-30' AS date)", "NULL|NULL"),
        ("SELECT CAST(TIMESTAMP '2026-01-05 10:00:00.9996' AS timestamp(3))", "2026-01-05T10:00:01"),
        ("SELECT CAST(TIMESTAMP '2026-01-05 23:59:59' AS date), CAST(CAST(DATE '2026-01-05' AS timestamp) AS varchar)", "2026-01-05|2026-01-05 00:00:00.000"),
        ("SELECT hour(DATE '2026-01-05')", "error INVALID_FUNCTION_ARGUMENT"),
        ("SELECT human_readable_seconds(3661e0), human_readable_seconds(604801e0)", "1 hour, 1 minute, 1 second|1 week, 1 second"),
        ("SELECT to_unixtime(TIMESTAMP '2026-01-01 00:00:00'), CAST(from_unixtime(1767225600.5e0) AS varchar)", "1767225600.0|2026-01-01 00:00:00.500 UTC"),
        ("SELECT greatest(DATE '2026-01-01', DATE '2026-02-01'), DATE '2026-01-01' IN (DATE '2026-01-01')", "2026-02-01|true"),
        ("SELECT length(CAST(current_timestamp AS varchar)), typeof(current_date)", "27|date"),
    ])
    .await;
}
