//! GA3: an archive is read, Google's own host is called retired.

use lakehand::{
    config::{Ga3Report, Ga3Settings, Ga3View, SamplingLevel},
    pipeline::{dataset::Stream, jobs::ErrorType, state::UnitStatus},
    simulator::google::{GoogleOptions, PROPERTIES},
};

use crate::house::{House, TODAY, window};

fn ga3() -> Stream {
    Stream::Ga3("visits".parse().unwrap())
}

fn report() -> Ga3Report {
    Ga3Report {
        name: "visits".parse().unwrap(),
        views: PROPERTIES
            .iter()
            .map(|known| Ga3View {
                business_unit: known.business_unit.to_owned(),
                view: known.view.to_owned(),
            })
            .collect(),
        dimensions: ["ga:source", "ga:medium", "ga:campaign"]
            .map(str::to_owned)
            .to_vec(),
        metrics: [
            "ga:sessions",
            "ga:users",
            "ga:goalCompletionsAll",
            "ga:bounceRate",
        ]
        .map(str::to_owned)
        .to_vec(),
        segments: Vec::new(),
        filters_expression: None,
        sampling_level: SamplingLevel::Large,
    }
}

async fn house(report: Ga3Report, faults: &str) -> House {
    let mut house = House::new(GoogleOptions::default(), faults).await;
    house.ga3 = Some(Ga3Settings {
        base_url: house.simulator.base_url(),
        requests_per_second: 1e6,
        page_size: 4,
        first_retry_wait_ms: 1,
        max_retry_wait_ms: 5,
        reports: vec![report],
        ..Ga3Settings::default()
    });
    house
}

#[tokio::test]
async fn an_archive_arrives_row_by_row_with_its_golden_days() {
    let house = house(report(), "").await;
    house.run(ga3(), window(6), "run-1").await;
    let rows = house
        .texts(
            "SELECT CAST(date AS varchar), business_unit, source, medium, campaign, sessions, users, CAST(goal_completions_all * 2 AS bigint) FROM ga3_visits",
        )
        .await;
    let truth = house.truth(window(6));
    assert_eq!(rows.len(), truth.len());
    for row in rows {
        let key = [0, 1, 2, 3, 4].map(|place| row[place].clone());
        let figures = [5, 6, 7].map(|place| row[place].parse::<u64>().unwrap());
        assert_eq!(truth.get(&key), Some(&figures), "{key:?}");
    }
    let golden = "SELECT CAST(is_golden AS varchar), CAST(settled AS varchar), CAST(count(*) AS varchar) \
        FROM ga_day_quality WHERE source = 'ga3' AND property = '110001' GROUP BY is_golden, settled ORDER BY 1";
    // Berlin is a day ahead: three of the six days are three days old.
    assert_eq!(
        house.texts(golden).await,
        [["false", "false", "2"], ["true", "true", "4"]].map(|row| row.map(str::to_owned).to_vec())
    );
    // What is golden is not asked for again.
    let before = house.simulator.requests_by_path()["/v4/reports:batchGet"];
    house.run(ga3(), window(6), "run-2").await;
    let again = house.simulator.requests_by_path()["/v4/reports:batchGet"] - before;
    assert!(again < before && again > 0, "{again} of {before}");
}

#[tokio::test]
async fn segments_filters_and_more_metrics_than_a_request_takes() {
    let mut asked = report();
    asked.views.truncate(1);
    asked.segments = ["gaid::-1", "gaid::-3"].map(str::to_owned).to_vec();
    asked.filters_expression = Some("ga:medium==organic,ga:medium==cpc;ga:source!=bing".to_owned());
    asked.metrics = [
        "ga:sessions",
        "ga:users",
        "ga:newUsers",
        "ga:pageviews",
        "ga:totalEvents",
        "ga:goalCompletionsAll",
        "ga:transactionRevenue",
        "ga:bounceRate",
        "ga:avgSessionDuration",
        "ga:sessionDuration",
        "ga:pageviewsPerSession",
        "ga:goalConversionRateAll",
    ]
    .map(str::to_owned)
    .to_vec();
    let house = house(asked, "").await;
    house.run(ga3(), window(2), "run-1").await;
    let sums = house
        .texts(
            "SELECT segment, CAST(sum(sessions) AS varchar), CAST(count(pageviews_per_session) AS varchar), CAST(count(*) AS varchar) \
             FROM ga3_visits GROUP BY segment ORDER BY segment",
        )
        .await;
    let truth = house.simulator.google_truth();
    let mut wanted = [0, 0];
    for day in window(2).days() {
        for cell in truth.cells(&PROPERTIES[0], day) {
            if matches!(cell.medium, "organic" | "cpc") && cell.source != "bing" {
                wanted[0] += cell.sessions;
                wanted[1] += if cell.visitor == "returning" {
                    cell.sessions
                } else {
                    0
                };
            }
        }
    }
    let found: Vec<&str> = sums.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(found, ["All Users", "Returning Users"]);
    for (row, wanted) in sums.iter().zip(wanted) {
        assert_eq!(row[1], wanted.to_string());
        assert_eq!(row[2], row[3], "the eleventh metric is there in every row");
    }
}

#[tokio::test]
async fn a_sampled_day_is_flagged() {
    let mut asked = report();
    asked.sampling_level = SamplingLevel::Small;
    asked.views.truncate(1);
    let house = house(asked, "").await;
    house.run(ga3(), window(1), "run-1").await;
    let quality = "SELECT CAST(samples_read AS varchar), CAST(sampling_space AS varchar), provisional FROM ga_day_quality";
    let row = &house.texts(quality).await[0];
    assert_eq!((row[0].as_str(), row[1].as_str()), ("499630", "15328013"));
    assert!(row[2].contains("sampled"), "{row:?}");
    assert!(house.log.says("sampled: 499630 of 15328013"));
}

#[tokio::test]
async fn of_two_sampled_readings_the_one_with_the_larger_sample_stays() {
    let mut asked = report();
    asked.sampling_level = SamplingLevel::Small;
    asked.views.truncate(1);
    // The second answer is made from half the sample, with other figures.
    let house = house(asked, "google@/v4/*#2:unsettled").await;
    let figures =
        "SELECT CAST(sum(sessions) AS varchar), CAST(count(*) AS varchar) FROM ga3_visits";
    let quality =
        "SELECT CAST(samples_read AS varchar), CAST(sampling_space AS varchar) FROM ga_day_quality";
    house.run(ga3(), window(1), "run-1").await;
    let before = house.texts(figures).await;
    house.run(ga3(), window(1), "run-2").await;
    assert!(house.log.says("computed from a smaller sample"));
    assert!(house.log.says("sampled: 249815 of 15328013"));
    assert_eq!(house.texts(figures).await, before);
    assert_eq!(house.texts(quality).await, [["499630", "15328013"]]);
    // One with a sample as large as the one before counts again; of equal ones the newest.
    let third = house.run(ga3(), window(1), "run-3").await;
    assert!(third.rows_unchanged > 0, "{third:?}");
    assert_eq!(house.texts(figures).await, before);
}

#[tokio::test]
async fn googles_own_host_is_retired_and_ga4_named() {
    let mut house = house(report(), "").await;
    house.ga3.as_mut().unwrap().base_url = Ga3Settings::default().base_url;
    let error = house.collect(ga3(), window(1), "run-1").await.unwrap_err();
    assert_eq!(error.error_type, ErrorType::SourceRetired);
    for part in [
        "SourceRetired",
        "switched off",
        "GA4 Data API",
        "migrate-ga3",
    ] {
        assert!(error.message.contains(part), "{error}");
    }
    let unit = house.unit(ga3(), "run-1").await;
    assert!(matches!(unit.status, UnitStatus::Failed { .. }));
    assert!(window(1).contains(TODAY));
}

#[tokio::test]
async fn refusals_of_the_reporting_api_end_as_the_fact_sheet_says() {
    for (faults, wanted) in [
        ("google@/v4/*:not-found-html", "SourceRefused"),
        ("google@/v4/*:daily-limit", "QuotaExhausted"),
        ("google@/v4/*:permission", "BadCredentials"),
        ("google@/v4/*:invalid", "SourceRefused"),
        ("google@/v4/*:user-rate", "TransientSourceError"),
        ("google@/v4/*:quota-exceeded", "TransientSourceError"),
    ] {
        let house = house(report(), faults).await;
        let error = house.collect(ga3(), window(1), "run-1").await.unwrap_err();
        assert_eq!(error.error_type.name(), wanted, "{faults}: {error}");
    }
    let house = house(
        report(),
        "google@/v4/*#2:user-rate,500@/v4/*#3,google@/v4/*#5:unauthenticated",
    )
    .await;
    house.run(ga3(), window(3), "run-1").await;
    let rows = house
        .texts("SELECT CAST(count(*) AS varchar) FROM ga3_visits")
        .await;
    assert_eq!(rows[0][0], house.truth(window(3)).len().to_string());
}
