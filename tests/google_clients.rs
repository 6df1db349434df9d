//! Google's own clients against the simulator: what they take for the Data API and the Reporting API is
//! what the adaptor is tested with.
//!
//! The clients live in a virtual environment below `target/`, made once. A machine without Python or without
//! a package index fails here with a message that says so; nothing is skipped.

#![cfg(feature = "simulator")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/python.rs"]
mod python_environment;

use std::process::Command;

use jiff::civil::{Date, date};
use lakehand::simulator::{
    self, Options, RunningSimulator,
    google::{GoogleOptions, PROPERTIES},
};
use python_environment::{output, python};
use secrecy::ExposeSecret;
use serde_json::Value;

const TODAY: Date = date(2026, 1, 31);
const PACKAGES: [&str; 3] = [
    "google-analytics-data==0.23.3",
    "google-api-python-client==2.202.0",
    "google-auth==2.62.2",
];

async fn simulator() -> RunningSimulator {
    let options = Options {
        seed: 5,
        scale: 4_000,
        google: GoogleOptions::default(),
        ..Options::new(TODAY)
    };
    simulator::start(options).await.unwrap()
}

/// Runs a script with the simulator's address and a key file; its last line is JSON.
async fn script(simulator: &RunningSimulator, text: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.json");
    std::fs::write(&key, simulator.service_account_key().expose_secret()).unwrap();
    let file = folder.path().join("client.py");
    std::fs::write(&file, text).unwrap();
    let base_url = simulator.base_url();
    let output = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(python("google-clients", &PACKAGES));
        command.arg(&file).arg(base_url).arg(&key);
        // Nothing of these requests leaves the machine.
        command
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1");
        output(&mut command, "the client")
    })
    .await
    .unwrap();
    serde_json::from_str(output.lines().last().unwrap()).unwrap()
}

/// The generated client insists on https in its address; its own transport takes another scheme.
const DATA_CLIENT: &str = r#"
import json, sys
from google.oauth2 import service_account
from google.analytics.data_v1beta import BetaAnalyticsDataClient
from google.analytics.data_v1beta.services.beta_analytics_data.transports import BetaAnalyticsDataRestTransport
from google.analytics.data_v1beta.types import DateRange, Dimension, Filter, FilterExpression, GetMetadataRequest, Metric, OrderBy, RunReportRequest, BatchRunReportsRequest
from google.api_core.exceptions import GoogleAPICallError

base, key = sys.argv[1:]
credentials = service_account.Credentials.from_service_account_file(
    key, scopes=["https://www.googleapis.com/auth/analytics.readonly"])
transport = BetaAnalyticsDataRestTransport(host=base.removeprefix("http://"), url_scheme="http", credentials=credentials)
client = BetaAnalyticsDataClient(transport=transport)

def request(**more):
    return RunReportRequest(
        property="properties/310000001",
        date_ranges=[DateRange(start_date="2026-01-20", end_date="2026-01-22")],
        dimensions=[Dimension(name="date"), Dimension(name="sessionSource"), Dimension(name="sessionMedium"), Dimension(name="sessionCampaignName")],
        metrics=[Metric(name="sessions"), Metric(name="totalUsers"), Metric(name="keyEvents")],
        order_bys=[OrderBy(dimension=OrderBy.DimensionOrderBy(dimension_name=name)) for name in ("date", "sessionSource", "sessionMedium", "sessionCampaignName")],
        return_property_quota=True, **more)

rows, offset, quota = [], 0, None
while True:
    page = client.run_report(request(limit=7, offset=offset))
    rows += [[value.value for value in row.dimension_values] + [value.value for value in row.metric_values] for row in page.rows]
    quota = page.property_quota.tokens_per_day.remaining
    offset += 7
    if offset >= page.row_count:
        break
filtered = client.run_report(request(dimension_filter=FilterExpression(filter=Filter(
    field_name="sessionMedium", string_filter=Filter.StringFilter(value="organic")))))
batch = client.batch_run_reports(BatchRunReportsRequest(property="properties/310000001", requests=[request(limit=1), request(limit=2)]))
metadata = client.get_metadata(GetMetadataRequest(name="properties/310000001/metadata"))
refused = {}
for name, bad in {"permission": {"property": "properties/1"}, "field": {"metrics": [Metric(name="nothing")]}}.items():
    asked = request()
    for field, value in bad.items():
        setattr(asked, field, value)
    try:
        client.run_report(asked)
    except GoogleAPICallError as error:
        refused[name] = [error.code, error.message]
print(json.dumps({
    "rows": rows, "count": page.row_count, "quota": quota, "types": [header.type_.name for header in page.metric_headers],
    "zone": page.metadata.time_zone, "currency": page.metadata.currency_code,
    "filtered": sum(int(row.metric_values[0].value) for row in filtered.rows),
    "batch": [len(report.rows) for report in batch.reports],
    "metadata": [dimension.api_name for dimension in metadata.dimensions], "refused": refused,
}))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_data_client_reads_reports_page_by_page() {
    let simulator = simulator().await;
    let answer = script(&simulator, DATA_CLIENT).await;
    let truth = simulator.google_truth();
    let mut wanted = Vec::new();
    let mut organic = 0;
    for day in [date(2026, 1, 20), date(2026, 1, 21), date(2026, 1, 22)] {
        for ((source, medium, campaign), figures) in truth.by_campaign("de", day) {
            let halves = figures.half_key_events;
            let key_events = if halves % 2 == 1 {
                format!("{}.5", halves / 2)
            } else {
                (halves / 2).to_string()
            };
            organic += if medium == "organic" {
                figures.sessions
            } else {
                0
            };
            wanted.push(serde_json::json!([
                day.strftime("%Y%m%d").to_string(),
                source,
                medium,
                campaign,
                figures.sessions.to_string(),
                figures.total_users.to_string(),
                key_events,
            ]));
        }
    }
    assert!(wanted.len() > 14, "three pages at least: {}", wanted.len());
    assert_eq!(answer["rows"], Value::from(wanted.clone()));
    assert_eq!(answer["count"], wanted.len());
    assert_eq!(answer["filtered"], organic);
    assert_eq!(
        answer["types"],
        serde_json::json!(["TYPE_INTEGER", "TYPE_INTEGER", "TYPE_FLOAT"])
    );
    assert_eq!(
        (&answer["zone"], &answer["currency"]),
        (&"Europe/Berlin".into(), &"EUR".into())
    );
    assert_eq!(answer["batch"], serde_json::json!([1, 2]));
    assert!(answer["quota"].as_u64().unwrap() < 200_000);
    let known = answer["metadata"].as_array().unwrap();
    assert!(known.contains(&"sessionCampaignName".into()));
    assert_eq!(answer["refused"]["permission"][0], 403);
    assert_eq!(answer["refused"]["field"][0], 400);
    assert!(
        simulator.requests_by_path()["/token"] >= 1,
        "it signed in with the key"
    );
}

const REPORTING_CLIENT: &str = r#"
import json, sys
from google.oauth2 import service_account
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

base, key = sys.argv[1:]
credentials = service_account.Credentials.from_service_account_file(
    key, scopes=["https://www.googleapis.com/auth/analytics.readonly"])
service = build("analyticsreporting", "v4", credentials=credentials, client_options={"api_endpoint": base}, static_discovery=True)

def request(**more):
    return {"viewId": "110001", "dateRanges": [{"startDate": "2026-01-20", "endDate": "2026-01-20"}],
            "dimensions": [{"name": "ga:source"}, {"name": "ga:medium"}, {"name": "ga:campaign"}],
            "metrics": [{"expression": "ga:sessions"}], "pageSize": 3, **more}

rows, token, golden = [], None, None
while True:
    more = {"pageToken": token} if token else {}
    report = service.reports().batchGet(body={"reportRequests": [request(**more)]}).execute()["reports"][0]
    rows += [row["dimensions"] + row["metrics"][0]["values"] for row in report["data"].get("rows", [])]
    golden = report["data"].get("isDataGolden")
    token = report.get("nextPageToken")
    if not token:
        break
segments = service.reports().batchGet(body={"reportRequests": [request(
    dimensions=[{"name": "ga:segment"}], segments=[{"segmentId": "gaid::-1"}, {"segmentId": "gaid::-3"}])]}).execute()
five = service.reports().batchGet(body={"reportRequests": [request() for _ in range(5)]}).execute()
refused = []
for body in ({"reportRequests": [request() for _ in range(6)]}, {"reportRequests": [request(viewId="1")]}):
    try:
        service.reports().batchGet(body=body).execute()
    except HttpError as error:
        refused.append(error.resp.status)
print(json.dumps({"rows": rows, "golden": golden, "five": len(five["reports"]), "refused": refused,
    "segments": [row["dimensions"][0] for row in segments["reports"][0]["data"]["rows"]]}))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_reporting_client_gets_batches_by_page_token() {
    let simulator = simulator().await;
    let answer = script(&simulator, REPORTING_CLIENT).await;
    let day = date(2026, 1, 20);
    let truth = simulator
        .google_truth()
        .by_campaign(PROPERTIES[0].business_unit, day);
    let wanted: Vec<Value> = truth
        .into_iter()
        .map(|((source, medium, campaign), figures)| {
            serde_json::json!([source, medium, campaign, figures.sessions.to_string()])
        })
        .collect();
    assert!(wanted.len() > 3, "two pages at least");
    assert_eq!(answer["rows"], Value::from(wanted));
    assert_eq!(answer["golden"], true);
    assert_eq!(answer["five"], 5);
    assert_eq!(answer["refused"], serde_json::json!([400, 403]));
    assert_eq!(
        answer["segments"],
        serde_json::json!(["All Users", "Returning Users"])
    );
}
