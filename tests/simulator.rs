//! The simulator from outside: a plain HTTP client against it, compared with its own truth.

#![cfg(feature = "simulator")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "simulator/faults.rs"]
mod faults;
#[path = "simulator/files.rs"]
mod files;
#[path = "simulator/listings.rs"]
mod listings;
#[path = "simulator/marketo.rs"]
mod marketo;
#[cfg(unix)]
#[path = "simulator/pasted.rs"]
mod pasted;
#[path = "simulator/refusals.rs"]
mod refusals;
#[cfg(unix)]
#[path = "simulator/verb.rs"]
mod verb;
#[path = "simulator/wire.rs"]
mod wire;

use jiff::civil::{Date, date};
use lakehand::simulator::{self, DEMO_API_KEY, Options, RunningSimulator};
use serde_json::Value;

const TODAY: Date = date(2026, 1, 31);
const WEEK: &str = "date_from=2026-01-24&date_to=2026-01-31";
const CLICKS: &str = "/3.0/stats/clicks";
const CONVERSIONS: &str = "/3.0/stats/conversions";

async fn started(scale: u64) -> RunningSimulator {
    with(Options {
        scale,
        seed: 5,
        ..Options::new(TODAY)
    })
    .await
}

async fn faulty(plan: &str) -> RunningSimulator {
    let faults = plan.parse().unwrap();
    with(Options {
        scale: 3_000,
        seed: 5,
        faults,
        ..Options::new(TODAY)
    })
    .await
}

async fn with(options: Options) -> RunningSimulator {
    simulator::start(options).await.unwrap()
}

thread_local! {
    // A client reads the system's certificates when it is made; once a test is enough. Every test
    // has a thread and a runtime of its own.
    static CLIENT: reqwest::Client = reqwest::Client::new();
}

fn client() -> reqwest::Client {
    CLIENT.with(Clone::clone)
}

/// One request; the status and the whole body.
async fn ask(simulator: &RunningSimulator, path: &str, key: &str) -> (u16, String) {
    let request = client().get(format!("{}{path}", simulator.base_url()));
    let response = request.header("API-Key", key).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn body(simulator: &RunningSimulator, path: &str) -> String {
    let (status, body) = ask(simulator, path, DEMO_API_KEY).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

async fn read(simulator: &RunningSimulator, path: &str) -> Value {
    serde_json::from_str(&body(simulator, path).await).unwrap()
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

/// Identifiers of rows, whether they are texts or numbers.
fn ids(rows: &[Value]) -> Vec<String> {
    let text = |id: &Value| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    rows.iter().map(|row| text(&row["id"])).collect()
}
