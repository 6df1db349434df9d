//! The simulator from outside: a plain HTTP client against it, compared with its own truth.

#![cfg(feature = "simulator")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::civil::{Date, date};
use lakehand::simulator::{self, DEMO_API_KEY, Options, RunningSimulator};
use serde_json::Value;

const TODAY: Date = date(2026, 1, 31);

async fn started(scale: u64) -> RunningSimulator {
    simulator::start(Options {
        scale,
        seed: 5,
        ..Options::new(TODAY)
    })
    .await
    .unwrap()
}

async fn get(simulator: &RunningSimulator, path: &str, key: &str) -> (u16, String) {
    let request = reqwest::Client::new().get(format!("{}{path}", simulator.base_url()));
    let response = request.header("API-Key", key).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn read(simulator: &RunningSimulator, path: &str) -> Value {
    let (status, body) = get(simulator, path, DEMO_API_KEY).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Follows `next_page` to the end; returns the rows and the last `total_count`.
async fn collect(simulator: &RunningSimulator, path: &str, key: &str) -> (Vec<Value>, u64) {
    let mut rows = Vec::new();
    let mut page = 1;
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let body = read(simulator, &format!("{path}{separator}page={page}")).await;
        rows.extend(body[key].as_array().unwrap().iter().cloned());
        let pagination = &body["pagination"];
        assert_eq!(pagination["page"], page);
        match pagination.get("next_page") {
            Some(next) => page = next.as_u64().unwrap(),
            None => return (rows, pagination["total_count"].as_u64().unwrap()),
        }
    }
}

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn paging_collects_exactly_what_is_true() {
    let simulator = started(3_000).await;
    let truth = simulator.truth().unwrap();
    let window = "date_from=2026-01-24&date_to=2026-01-31&limit=137";
    let (clicks, total) =
        collect(&simulator, &format!("/3.0/stats/clicks?{window}"), "clicks").await;
    let true_ids: Vec<String> = truth
        .clicks_between(date(2026, 1, 24), TODAY)
        .map(|click| click.id.to_string())
        .collect();
    assert_eq!(total, true_ids.len() as u64);
    assert_eq!(ids(&clicks), true_ids);
    let path = format!("/3.0/stats/conversions?{window}");
    let (conversions, total) = collect(&simulator, &path, "conversions").await;
    let true_ids: Vec<String> = truth
        .conversions_between(date(2026, 1, 24), TODAY)
        .map(|one| one.id.to_string())
        .collect();
    assert_eq!(total, true_ids.len() as u64);
    assert_eq!(ids(&conversions), true_ids);
    simulator.shutdown().await;
}
