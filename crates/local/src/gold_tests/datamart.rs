//! The datamart over small tables of sessions, leads and activities, with figures added up by hand.

use std::{path::Path, sync::Arc};

use arrow::array::{ArrayRef, Decimal128Array, Int64Array};
use jiff::civil::Date;
use parquet::arrow::ArrowWriter;

use super::fixture::{TestLake, instants, texts};
use crate::{
    crawler::LocalCrawlers,
    engine::{EngineSettings, LocalEngine},
};
use lakehand_config::{DatamartMode, Ga4Property, Ga4Report, Ga4Settings, Profile};
use lakehand_ops::Snapshot;
use lakehand_pipeline::{
    dataset::GoldTable, gold::build, jobs::ErrorType, ports::SystemClock, quality::Severity,
    window::Window,
};

const TABLE: GoldTable = GoldTable::MarketingDatamart;

/// Source, medium, campaign, sessions, users, key events in halves.
type Visit = (&'static str, &'static str, &'static str, i64, i64, i128);
/// Id, instant of its making, `utm_source`, `utm_medium`, `utm_campaign`.
type Lead = (
    i64,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    Option<&'static str>,
);

fn lake(execution: &str, mode: DatamartMode) -> TestLake {
    let mut lake = TestLake::new(execution);
    let mut profile = Profile::clone(&lake.context.profile);
    profile.datamart.mode = mode;
    profile.ga4 = Some(Ga4Settings {
        reports: vec![Ga4Report {
            name: "traffic".parse().unwrap(),
            properties: vec![Ga4Property {
                business_unit: "Bücher & Co".to_owned(),
                property: "1".to_owned(),
            }],
            dimensions: Vec::new(),
            metrics: Vec::new(),
            dimension_filter: None,
            metric_filter: None,
            keep_empty_rows: false,
            settle_days: 31,
        }],
        ..Ga4Settings::default()
    });
    lake.context.profile = Arc::new(profile);
    lake
}

fn write(std_dir: &Path, key: &str, columns: Vec<(&str, ArrayRef)>) {
    let path = std_dir.join(key);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let batch = arrow::record_batch::RecordBatch::try_from_iter(columns).unwrap();
    let new = path.with_extension("new");
    let file = std::fs::File::create(&new).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    std::fs::rename(new, path).unwrap();
}

fn ints(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

fn visits(lake: &TestLake, day: &str, rows: &[Visit]) {
    let halves: Decimal128Array = rows
        .iter()
        .map(|row| Some(row.5 * 500_000_000_000_000_000))
        .collect();
    let columns = vec![
        (
            "business_unit",
            texts(rows.iter().map(|_| Some("Bücher & Co"))),
        ),
        ("session_source", texts(rows.iter().map(|row| Some(row.0)))),
        ("session_medium", texts(rows.iter().map(|row| Some(row.1)))),
        (
            "session_campaign_name",
            texts(rows.iter().map(|row| Some(row.2))),
        ),
        ("sessions", ints(rows.iter().map(|row| row.3))),
        ("total_users", ints(rows.iter().map(|row| row.4))),
        (
            "key_events",
            Arc::new(halves.with_precision_and_scale(38, 18).unwrap()) as ArrayRef,
        ),
    ];
    write(
        &lake.std_dir(),
        &format!("silver/ga4/traffic/date={day}/part-0.parquet"),
        columns,
    );
}

fn seconds(instant: &str) -> i64 {
    instant.parse::<jiff::Timestamp>().unwrap().as_second()
}

fn leads(lake: &TestLake, rows: &[Lead]) {
    let columns = vec![
        ("lead_id", ints(rows.iter().map(|row| row.0))),
        ("email", texts(rows.iter().map(|_| Some("x@example.org")))),
        (
            "created_at",
            instants(rows.iter().map(|row| Some(seconds(row.1)))),
        ),
        ("utm_source", texts(rows.iter().map(|row| row.2))),
        ("utm_medium", texts(rows.iter().map(|row| row.3))),
        ("utm_campaign", texts(rows.iter().map(|row| row.4))),
        ("_collected_at", instants(rows.iter().map(|_| Some(9)))),
        ("_source", texts(rows.iter().map(|_| Some("c")))),
    ];
    write(
        &lake.std_dir(),
        "silver/marketo/leads/part-0.parquet",
        columns,
    );
}

/// Lead and activity type.
fn activities(lake: &TestLake, day: &str, rows: &[(i64, i64)]) {
    let ids: Vec<String> = (0..rows.len()).map(|row| format!("{day}-{row}")).collect();
    let columns = vec![
        (
            "marketo_guid",
            texts(ids.iter().map(|id| Some(id.as_str()))),
        ),
        ("lead_id", ints(rows.iter().map(|row| row.0))),
        (
            "activity_date",
            instants(
                rows.iter()
                    .map(|_| Some(seconds(&format!("{day}T12:00:00Z")))),
            ),
        ),
        ("activity_type_id", ints(rows.iter().map(|row| row.1))),
        ("_collected_at", instants(rows.iter().map(|_| Some(9)))),
        ("_source", texts(rows.iter().map(|_| Some("c")))),
    ];
    write(
        &lake.std_dir(),
        &format!("silver/marketo/activities/date={day}/part-0.parquet"),
        columns,
    );
}

/// Two days of everything, and what is odd about it.
fn fill(lake: &TestLake) {
    visits(
        lake,
        "2026-01-29",
        &[
            ("google", "cpc", "spring-sale", 10, 8, 3),
            ("google", "cpc", "spring-sale", 5, 4, 2),
            ("(direct)", "(none)", "(direct)", 7, 7, 0),
            ("newsletter", "email", "=launch+2026", 2, 2, 1),
        ],
    );
    visits(
        lake,
        "2026-01-30",
        &[
            ("google", "cpc", "spring-sale", 1, 1, 0),
            ("(other)", "(other)", "(other)", 69, 60, 0),
        ],
    );
    leads(
        lake,
        &[
            // 23:30 UTC is the next day in Berlin.
            (
                1,
                "2026-01-28T23:30:00Z",
                Some("google"),
                Some("cpc"),
                Some("spring-sale"),
            ),
            (
                2,
                "2026-01-29T10:00:00Z",
                Some("google"),
                Some("cpc"),
                Some("spring-sale"),
            ),
            (3, "2026-01-29T10:00:00Z", None, Some(""), None),
            (
                4,
                "2026-01-30T10:00:00Z",
                Some("newsletter"),
                Some("email"),
                Some("夏のセール"),
            ),
        ],
    );
    // An open, a click and a form of lead 1; a visit of lead 3; two of a lead that nobody knows.
    activities(
        lake,
        "2026-01-29",
        &[(1, 10), (1, 11), (1, 2), (3, 1), (99, 1), (99, 13)],
    );
    activities(lake, "2026-01-30", &[(2, 10), (2, 10)]);
}

async fn crawled(lake: &TestLake) {
    let crawlers = LocalCrawlers::new(
        Arc::clone(&lake.context.profile),
        Arc::clone(&lake.context.lake.std),
        Arc::new(SystemClock),
    );
    crawlers.run("silver").await.unwrap();
}

fn january(day: i8) -> Date {
    Date::constant(2026, 1, day)
}

fn window() -> Window {
    Window::new(january(29), january(30)).unwrap()
}

const COLUMNS: &str = "datestamp, business_unit, source, medium, campaign, sessions, users, conversions, new_leads, activities, email_opens, email_clicks, form_fills, web_visits";

async fn table(lake: &TestLake) -> Vec<String> {
    let sql = format!("SELECT {COLUMNS} FROM marketing_datamart");
    lake.rows(&sql)
        .await
        .iter()
        .map(|row| row.join("|"))
        .collect()
}

/// [`fill`], added up by hand.
const EXPECTED: [&str; 7] = [
    "2026-01-29|Bücher & Co|(direct)|(none)|NULL|7|7|0.000000|0|0|0|0|0|0",
    "2026-01-29|Bücher & Co|NULL|NULL|NULL|0|0|0.000000|1|3|0|0|0|2",
    "2026-01-29|Bücher & Co|google|cpc|spring-sale|15|12|2.500000|2|3|1|1|1|0",
    "2026-01-29|Bücher & Co|newsletter|email|=launch+2026|2|2|0.500000|0|0|0|0|0|0",
    "2026-01-30|Bücher & Co|(other)|(other)|(other)|69|60|0.000000|0|0|0|0|0|0",
    "2026-01-30|Bücher & Co|google|cpc|spring-sale|1|1|0.000000|0|2|2|0|0|0",
    "2026-01-30|Bücher & Co|newsletter|email|夏のセール|0|0|0.000000|1|0|0|0|0|0",
];

#[tokio::test]
async fn the_datamart_is_what_the_hand_adds_up() {
    let lake = lake("one", DatamartMode::Table);
    fill(&lake);
    crawled(&lake).await;
    let summary = build(&lake.context, TABLE, window()).await.unwrap();
    assert_eq!(summary.rows, 7);
    assert_eq!(table(&lake).await, EXPECTED);
    assert_eq!(
        summary.quality.count(Severity::Error),
        0,
        "{:?}",
        summary.quality
    );
    let other = summary
        .quality
        .checks
        .iter()
        .find(|check| check.name == "5_other_share")
        .unwrap();
    // 69 of 70 sessions of the thirtieth.
    assert!(
        !other.passed && other.value.as_deref().unwrap().starts_with("0.9857"),
        "{other:?}"
    );
    assert_eq!(other.samples.len(), 1);
    let lost = summary
        .quality
        .checks
        .iter()
        .find(|check| check.name == "6_activities_without_lead")
        .unwrap();
    assert_eq!((lost.passed, lost.value.as_deref()), (false, Some("0.25")));
}

#[tokio::test]
async fn a_rebuild_replaces_everything_in_one_commit_and_can_be_taken_back() {
    let lake = lake("one", DatamartMode::Table);
    fill(&lake);
    crawled(&lake).await;
    build(&lake.context, TABLE, window()).await.unwrap();
    visits(
        &lake,
        "2026-01-29",
        &[("bing", "organic", "(organic)", 4, 4, 0)],
    );
    std::fs::remove_dir_all(
        lake.std_dir()
            .join("silver/marketo/activities/date=2026-01-30"),
    )
    .unwrap();
    build(&lake.as_execution("two"), TABLE, window())
        .await
        .unwrap();
    let second = table(&lake).await;
    assert_eq!(second.len(), 6, "{second:?}");
    assert_eq!(
        second[0],
        "2026-01-29|Bücher & Co|NULL|NULL|NULL|0|0|0.000000|1|3|0|0|0|2"
    );
    assert_eq!(
        second[1],
        "2026-01-29|Bücher & Co|bing|organic|NULL|4|4|0.000000|0|0|0|0|0|0"
    );
    assert_eq!(
        second[2],
        "2026-01-29|Bücher & Co|google|cpc|spring-sale|0|0|0.000000|2|3|1|1|1|0"
    );
    assert_eq!(
        second[4],
        "2026-01-30|Bücher & Co|google|cpc|spring-sale|1|1|0.000000|0|0|0|0|0|0"
    );

    let engine = engine(&lake);
    let figures = |snapshot: &Snapshot| {
        (
            snapshot.version,
            snapshot.rows_added,
            snapshot.rows_removed,
            snapshot.rows,
            snapshot.current,
        )
    };
    let snapshots = engine.snapshots(TABLE.name()).await.unwrap();
    let all: Vec<_> = snapshots.iter().map(figures).collect();
    assert_eq!(
        all,
        [
            (2, Some(6), Some(7), Some(6), true),
            (1, Some(7), Some(0), Some(7), false),
            (0, Some(0), Some(0), Some(0), false),
        ]
    );
    assert!(snapshots.iter().all(|snapshot| snapshot.restorable));
    let back = engine.restore(TABLE.name(), 1).await.unwrap();
    assert_eq!(figures(&back), (3, Some(7), Some(6), Some(7), true));
    assert_eq!(back.operation, "RESTORE to 1");
    assert_eq!(table(&lake).await, EXPECTED);
    for (version, why) in [(3, "the current one"), (9, "no such snapshot")] {
        let error = engine.restore(TABLE.name(), version).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    // Forward again: nothing is lost by going back.
    engine.restore(TABLE.name(), 2).await.unwrap();
    assert_eq!(table(&lake).await, second);
    let gone = engine.snapshots("nobody").await.unwrap_err();
    assert!(gone.to_string().starts_with("TABLE_NOT_FOUND"), "{gone}");
}

/// The engine with all it can do, on the same folders.
fn engine(lake: &TestLake) -> LocalEngine {
    let settings = EngineSettings {
        threads: 2,
        ..EngineSettings::for_profile(&lake.context.profile)
    };
    LocalEngine::new(&settings).unwrap()
}

#[tokio::test]
async fn a_view_has_the_same_rows_and_is_always_current() {
    let lake = lake("one", DatamartMode::View);
    fill(&lake);
    crawled(&lake).await;
    let summary = build(&lake.context, TABLE, window()).await.unwrap();
    assert_eq!(
        summary.quality.count(Severity::Error),
        0,
        "{:?}",
        summary.quality
    );
    assert_eq!(table(&lake).await, EXPECTED);
    visits(&lake, "2026-01-30", &[]);
    leads(&lake, &[]);
    activities(&lake, "2026-01-30", &[]);
    activities(&lake, "2026-01-29", &[]);
    assert_eq!(
        table(&lake).await,
        [
            "2026-01-29|Bücher & Co|(direct)|(none)|NULL|7|7|0.000000|0|0|0|0|0|0",
            "2026-01-29|Bücher & Co|google|cpc|spring-sale|15|12|2.500000|0|0|0|0|0|0",
            "2026-01-29|Bücher & Co|newsletter|email|=launch+2026|2|2|0.500000|0|0|0|0|0|0",
        ]
    );
    // A table cannot take the view's name, and the error says what to do.
    let mut context = lake.as_execution("two");
    let mut profile = Profile::clone(&context.profile);
    profile.datamart.mode = DatamartMode::Table;
    context.profile = Arc::new(profile);
    let error = build(&context, TABLE, window()).await.unwrap_err();
    assert_eq!(error.error_type, ErrorType::InvalidInput);
    assert!(
        error.message.contains("DROP VIEW marketing_datamart"),
        "{error}"
    );
}

#[tokio::test]
async fn without_a_report_the_error_says_what_to_configure() {
    let lake = lake("one", DatamartMode::Table);
    let error = build(&lake.context, TABLE, window()).await.unwrap_err();
    assert_eq!(error.error_type, ErrorType::InvalidInput);
    assert!(error.message.contains("ga_traffic lacks"), "{error}");
    let error = build(&TestLake::new("one").context, TABLE, window())
        .await
        .unwrap_err();
    assert!(
        error
            .message
            .contains("no report of Google Analytics is configured"),
        "{error}"
    );
}
