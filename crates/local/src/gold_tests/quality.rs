//! Checks over small tables, with values worked out by hand.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int64Array};
use jiff::{Timestamp, civil::Date};

use super::fixture::{Facts, TestLake, instants, texts, write_table};
use lakehand_pipeline::{
    dataset::{GoldTable, SilverTable},
    gold,
    jobs::ErrorType,
    normalise::contract,
    quality::*,
    window::Window,
};

/// The lakes' clock: 2026-01-31 08:05 UTC, 09:05 in Berlin.
const NOW: &str = "2026-01-31T08:05:00Z";

fn january(day: i8) -> Date {
    Date::constant(2026, 1, day)
}

fn days(from: i8, to: i8) -> Window {
    Window::new(january(from), january(to)).unwrap()
}

/// A day of clicks: ids, offers and how many hours before the lakes' clock they were collected.
fn clicks(lake: &TestLake, day: i8, ids: &[&str], offers: &[Option<i64>], hours_ago: i64) {
    let rows = ids.len();
    let now: Timestamp = NOW.parse().unwrap();
    let collected = now.as_second() - hours_ago * 3600;
    let columns = vec![
        ("id", texts(ids.iter().map(|id| Some(*id)))),
        (
            "partner_id",
            Arc::new(Int64Array::from(vec![1; rows])) as ArrayRef,
        ),
        (
            "offer__id",
            Arc::new(offers.iter().copied().collect::<Int64Array>()) as ArrayRef,
        ),
        ("country", texts((0..rows).map(|_| Some("DE")))),
        (
            contract::COLLECTED_AT,
            instants((0..rows).map(|_| Some(collected))),
        ),
    ];
    write_table(
        &lake.std_dir(),
        SilverTable::Clicks,
        Some(january(day)),
        rows,
        columns,
    );
}

/// `count` clicks without a flaw.
fn plain_clicks(lake: &TestLake, day: i8, count: usize) {
    let ids: Vec<String> = (0..count).map(|index| format!("{day}-{index}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    clicks(lake, day, &ids, &vec![Some(1); count], 2);
}

async fn checked(lake: &TestLake, table: &str, window: Window) -> QualityReport {
    check_table(&lake.context, table, window).await.unwrap()
}

fn result<'a>(report: &'a QualityReport, name: &str) -> &'a CheckResult {
    report
        .checks
        .iter()
        .find(|check| check.name == name)
        .unwrap_or_else(|| panic!("{name} did not run: {report:?}"))
}

fn value<'a>(report: &'a QualityReport, name: &str) -> (bool, Option<&'a str>, Option<&'a str>) {
    let check = result(report, name);
    (
        check.passed,
        check.value.as_deref(),
        check.threshold.as_deref(),
    )
}

#[tokio::test]
async fn the_lag_of_clicks_warns_at_three_days() {
    let lake = TestLake::new("one");
    plain_clicks(&lake, 29, 3);
    let report = checked(&lake, "affise_clicks", days(24, 31)).await;
    assert_eq!(value(&report, "2_lag"), (true, Some("2"), Some("< 3")));
    std::fs::rename(
        lake.std_dir().join("silver/affise/clicks/date=2026-01-29"),
        lake.std_dir().join("silver/affise/clicks/date=2026-01-28"),
    )
    .unwrap();
    let report = checked(&lake, "affise_clicks", days(24, 31)).await;
    assert_eq!(value(&report, "2_lag"), (false, Some("3"), Some("< 3")));
    let lag = result(&report, "2_lag");
    assert_eq!(
        (lag.severity, lag.samples[0].as_str()),
        (Severity::Warn, "newest_day=2026-01-28")
    );
}

#[tokio::test]
async fn duplicates_are_an_error_with_a_bounded_sample() {
    let lake = TestLake::new("one");
    let ids: Vec<String> = (0..25)
        .flat_map(|n| [format!("a{n:02}\u{1b}[2J"), format!("a{n:02}\u{1b}[2J")])
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    clicks(&lake, 30, &ids, &[Some(1); 50], 2);
    let report = checked(&lake, "affise_clicks", days(24, 31)).await;
    assert_eq!(
        value(&report, "1_duplicate_keys"),
        (false, Some("25"), Some("<= 0"))
    );
    let check = result(&report, "1_duplicate_keys");
    assert_eq!((check.severity, check.samples.len()), (Severity::Error, 20));
    // As it came; whoever shows it neutralises it.
    assert_eq!(check.samples[0], "id=a00\u{1b}[2J date=2026-01-30 copies=2");
    assert_eq!(report.count(Severity::Error), 1);
    // Outside of the window nobody looks.
    let report = checked(&lake, "affise_clicks", days(24, 29)).await;
    assert!(value(&report, "1_duplicate_keys").0);
}

#[tokio::test]
async fn null_share_and_freshness_say_what_was_found() {
    let lake = TestLake::new("one");
    let offers: Vec<Option<i64>> = (0..16).map(|n| Some(n).filter(|n| *n > 0)).collect();
    let ids: Vec<String> = (0..16).map(|n| n.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    clicks(&lake, 30, &ids, &offers, 26);
    let report = checked(&lake, "affise_clicks", days(24, 31)).await;
    // 1 of 16 has no offer.
    assert_eq!(
        value(&report, "4_null_share"),
        (false, Some("0.0625"), Some("<= 0.05"))
    );
    assert_eq!(
        result(&report, "4_null_share").samples[0],
        "column_name=offer__id nulls=1 row_count=16"
    );
    assert_eq!(
        value(&report, "3_freshness"),
        (true, Some("26"), Some("<= 26"))
    );
    clicks(&lake, 30, &ids, &[Some(1); 16], 27);
    let report = checked(&lake, "affise_clicks", days(24, 31)).await;
    assert_eq!(
        value(&report, "4_null_share"),
        (true, Some("0.0"), Some("<= 0.05"))
    );
    assert_eq!(
        value(&report, "3_freshness"),
        (false, Some("27"), Some("<= 26"))
    );
}

#[tokio::test]
async fn a_day_is_measured_by_the_weeks_before_and_not_by_itself() {
    let lake = TestLake::new("one");
    let six: Vec<i8> = (18..=23).collect();
    six.iter().for_each(|day| plain_clicks(&lake, *day, 10));
    plain_clicks(&lake, 25, 4);
    let report = checked(&lake, "affise_clicks", days(24, 31)).await;
    // Six days are no past to be compared with.
    assert_eq!(
        value(&report, "5_rows_against_trailing_mean"),
        (true, None, Some(">= 0.5"))
    );
    plain_clicks(&lake, 17, 10);
    // Today may still have few.
    plain_clicks(&lake, 31, 1);
    let report = checked(&lake, "affise_clicks", days(24, 31)).await;
    assert_eq!(
        value(&report, "5_rows_against_trailing_mean"),
        (false, Some("0.4"), Some(">= 0.5"))
    );
    assert_eq!(
        result(&report, "5_rows_against_trailing_mean").samples,
        ["date=2026-01-25 row_count=4 trailing_mean=10.0"]
    );
}

#[tokio::test]
async fn money_that_does_not_add_up_is_told_to_the_cent() {
    let lake = TestLake::new("one");
    let money = |cents: [i128; 3]| -> ArrayRef {
        let values = cents.map(|cents| Some(cents * 10_000_000_000_000_000));
        let values = Decimal128Array::from(values.to_vec());
        Arc::new(values.with_precision_and_scale(38, 18).unwrap())
    };
    let columns = vec![
        ("id", texts(["a", "b", "c"].map(Some).into_iter())),
        ("income", money([1000, 1000, 0])),
        ("payouts", money([700, 700, 0])),
        ("earnings", money([300, 299, 0])),
    ];
    write_table(
        &lake.std_dir(),
        SilverTable::Conversions,
        Some(january(30)),
        3,
        columns,
    );
    let report = checked(&lake, "affise_conversions", days(24, 31)).await;
    assert_eq!(
        value(&report, "2_money_adds_up"),
        (false, Some("1"), Some("<= 0"))
    );
    let sample = &result(&report, "2_money_adds_up").samples[0];
    assert!(
        sample.starts_with("id=b ") && sample.ends_with("difference=0.010000000000000000"),
        "{sample}"
    );
}

#[tokio::test]
async fn a_build_runs_its_own_checks_and_those_of_its_sources_and_keeps_them() {
    let lake = TestLake::new("daily-report:one");
    Facts::random(5).write(&lake.std_dir());
    let (table, window) = (GoldTable::DailyReportSub5, days(1, 6));
    let summary = gold::build(&lake.context, table, window).await.unwrap();
    let report = summary.quality;
    assert_eq!(report.count(Severity::Error), 0);
    // The facts of the fixture are weeks old and have facts without a dimension; that stops nobody.
    assert!(
        !result(&report, "2_lag").passed && !result(&report, "5_facts_without_dimension").passed
    );
    assert_eq!(result(&report, "2_lag").table, "affise_clicks");
    assert_eq!(
        (report.table.as_str(), report.execution.as_str()),
        (table.name(), "daily-report:one")
    );
    let store = &lake.context.lake.std;
    let kept = stored_report(store, table.name(), "daily-report:one")
        .await
        .unwrap();
    assert_eq!(kept.as_ref(), Some(&report));
    assert_eq!(newest_report(store, table.name()).await.unwrap(), kept);
    assert_eq!(
        stored_report(store, table.name(), "daily-report:two")
            .await
            .unwrap(),
        None
    );
    let live = checked(&lake, table.name(), window).await;
    assert_eq!(live.count(Severity::Error), 0);
}

#[tokio::test]
async fn a_build_that_an_error_stopped_keeps_its_report() {
    let lake = TestLake::new("one");
    Facts::random(5).write(&lake.std_dir());
    clicks(&lake, 3, &["same", "same"], &[Some(1), Some(1)], 2);
    let error = gold::build(&lake.context, GoldTable::DailyReportSub5, days(1, 6))
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::QualityCheckFailed);
    assert!(
        error.message.contains("1_duplicate_keys of affise_clicks"),
        "{error}"
    );
    let kept = stored_report(&lake.context.lake.std, "daily_report_sub5", "one")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        kept.failed(Severity::Error)
            .map(|check| check.table.as_str())
            .collect::<Vec<_>>(),
        ["affise_clicks"]
    );
}

#[tokio::test]
async fn a_table_without_checks_is_named_with_those_that_have_some() {
    let lake = TestLake::new("one");
    let error = check_table(&lake.context, "nobody", days(1, 2))
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::InvalidInput);
    assert!(
        error
            .message
            .contains("affise_clicks, affise_conversions, daily_report_sub5"),
        "{error}"
    );
    let empty = checked(&lake, "affise_clicks", days(1, 2)).await;
    assert_eq!(
        empty
            .failed(Severity::Error)
            .chain(empty.failed(Severity::Warn))
            .count(),
        0
    );
}
