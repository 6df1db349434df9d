//! Reports against the rows of a computation without SQL.

use std::sync::Arc;

use jiff::Timestamp;
use sha2::Digest;

use super::fixture::{self, Facts, TestLake, day};
use lakehand_pipeline::{
    dataset::GoldTable, export::*, gold::build, jobs::JobContext, ports::FixedClock, window::Window,
};

/// Columns of the report by their place in the table.
const COLUMNS: [usize; 15] = [0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 15, 16, 20, 22];
/// Places of the key in the table, in the order of the report.
const ORDER: [usize; 8] = [0, 1, 9, 10, 11, 12, 13, 14];

/// The report as RFC 4180 has it, one cell at a time.
fn naive_csv(facts: &Facts, window: Window) -> String {
    let mut rows: Vec<_> = facts
        .report(window.from(), window.to())
        .into_iter()
        .filter(|row| row[22] != "0")
        .collect();
    let sort_key =
        |row: &Vec<String>| ORDER.map(|place| (row[place] == "NULL", row[place].clone()));
    rows.sort_by_key(sort_key);
    let mut csv = "datestamp,affiliate_id,affiliate_name,affiliate_manager,advertiser_name,account_manager,offer_title,offer_id,\
        country,sub5,sub6,click_count,host_count,approved_revenue,conversions_count\n"
        .to_owned();
    for row in rows {
        let cells = COLUMNS.map(|place| match (place, row[place].as_str()) {
            (12, "NULL") => row[12].clone(),
            (_, "NULL") => String::new(),
            (20, money) => money.trim_end_matches('0').trim_end_matches('.').to_owned(),
            (_, text) if text.contains([',', '"', '\n']) => {
                format!("\"{}\"", text.replace('"', "\"\""))
            }
            (_, text) => text.to_owned(),
        });
        csv.push_str(&cells.join(","));
        csv.push('\n');
    }
    csv
}

/// Facts in which the word NULL and a null never stand for each other in one column.
fn unambiguous(seed: u64) -> Facts {
    let mut facts = Facts::random(seed);
    let always = |key: &mut fixture::Key| key.texts[2] = Some("NULL".to_owned());
    facts
        .clicks
        .iter_mut()
        .for_each(|click| always(&mut click.key));
    facts
        .conversions
        .iter_mut()
        .for_each(|conversion| always(&mut conversion.key));
    facts
}

async fn bytes(lake: &TestLake, key: &str) -> Vec<u8> {
    lake.context.lake.std.get(key).await.unwrap().0.to_vec()
}

fn hex(bytes: &[u8]) -> String {
    let digest = sha2::Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn the_report_is_the_rows_with_conversions_in_order() {
    let facts = unambiguous(5);
    let lake = TestLake::new("one");
    facts.write(&lake.std_dir());
    let window = Window::new(day(0), day(5)).unwrap();
    build(&lake.context, GoldTable::DailyReportSub5, window)
        .await
        .unwrap();
    let manifest = export(&lake.context, Report::Sub5, window).await.unwrap();
    assert_eq!(
        manifest.key, "reports/sub5/sub5-20260131-0905.csv",
        "08:05 UTC is 09:05 in Berlin"
    );
    let csv = bytes(&lake, &manifest.key).await;
    assert_eq!(
        String::from_utf8(csv.clone()).unwrap(),
        naive_csv(&facts, window)
    );
    assert_eq!(manifest.bytes, csv.len() as u64);
    assert_eq!(manifest.sha256, hex(&csv));
    let stored: ReportManifest = serde_json::from_slice(
        &bytes(&lake, "reports/sub5/sub5-20260131-0905.manifest.json").await,
    )
    .unwrap();
    assert_eq!(stored, manifest);
    let clicks: u64 = naive_sum(&facts, window, 15);
    assert_eq!(manifest.sums["click_count"], clicks.to_string());
    assert!(manifest.rows > 10);
}

fn naive_sum(facts: &Facts, window: Window, place: usize) -> u64 {
    let rows = facts.report(window.from(), window.to());
    rows.iter()
        .filter(|row| row[22] != "0")
        .map(|row| row[place].parse::<u64>().unwrap())
        .sum()
}

#[tokio::test]
async fn names_never_meet_and_a_redrive_keeps_its_own() {
    let facts = unambiguous(6);
    let lake = TestLake::new("one");
    facts.write(&lake.std_dir());
    let window = Window::new(day(0), day(5)).unwrap();
    build(&lake.context, GoldTable::DailyReportSub5, window)
        .await
        .unwrap();
    let first = export(&lake.context, Report::Sub5, window).await.unwrap();
    let second = export(&lake.as_execution("two"), Report::Sub5, window)
        .await
        .unwrap();
    assert_eq!(
        (first.name.as_str(), second.name.as_str()),
        ("sub5-20260131-0905.csv", "sub5-20260131-0906.csv")
    );
    assert_eq!(first.sha256, second.sha256);
    // A redrive later, of an execution that died before its manifest was written.
    let mut later = lake.context.clone();
    later.clock = Arc::new(FixedClock(
        "2026-01-31T11:00:00Z".parse::<Timestamp>().unwrap(),
    ));
    later
        .lake
        .std
        .delete("reports/sub5/sub5-20260131-0905.manifest.json")
        .await
        .unwrap();
    let again = export(&later, Report::Sub5, window).await.unwrap();
    assert_eq!((again.name, again.sha256), (first.name, first.sha256));
    let third = export(
        &JobContext {
            execution: "three".to_owned(),
            ..later
        },
        Report::Sub5,
        window,
    )
    .await
    .unwrap();
    assert_eq!(third.name, "sub5-20260131-1200.csv");
}
