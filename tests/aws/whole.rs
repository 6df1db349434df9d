//! The way of a first day, as processes: deploy, set credentials, collect, build, read the report. Then the same
//! sources once more on the embedded platform, and both reports must be the same bytes.
//!
//! What this proves: the templates' functions, names and definitions fit each other and our binary; the Lambda binary
//! does its jobs under Step Functions' calls; statements, crawlers, credentials and reports are found where the
//! operator looks. The emulator's Step Functions are moto's, its SQL is DuckDB's; neither is AWS: rights, quotas,
//! Athena's own Iceberg writer and the scheduler are not in it (`emulated_stacks.py` says what is mended,
//! `aws_emulator.py` what is not). Readers that are not us come at the end (`readers.rs`).

#![cfg(all(feature = "simulator", feature = "local", feature = "lambda"))]

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use jiff::civil::date;
use lakehand::simulator::{self, Options, RunningSimulator, marketo::MarketoOptions};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{deploy::Site, functions, python, readers};

const WINDOW: [&str; 4] = ["--from", "2026-01-24", "--to", "2026-01-31"];

/// The settings of all sources for a profile, led to the simulator.
pub(super) fn sources(profile: &str, url: &str) -> String {
    format!(
        r#"
[profiles.{profile}.affise]
base_url = "{url}"
requests_per_second = 1000.0
[profiles.{profile}.marketo]
base_url = "{url}"
lag_minutes = 0
poll_seconds = 1
lead_history_days = 93
calls_per_20_seconds = 100
[profiles.{profile}.ga4]
base_url = "{url}"
requests_per_second = 1000.0
[[profiles.{profile}.ga4.reports]]
name = "traffic"
properties = [{{ business_unit = "de", property = "310000001" }}]
dimensions = ["sessionSource", "sessionMedium", "sessionCampaignName"]
metrics = ["sessions", "totalUsers", "keyEvents"]
"#
    )
}

/// The functions' program as it is built for the tests, without what a debugger reads.
fn program(site: &Site) -> PathBuf {
    let stripped = site.home.path().join("lakehand-lambda");
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&stripped).arg(functions::program());
    python::output(&mut strip, "strip, which comes with the linker");
    stripped
}

fn set(site: &Site, profile: &str, path: &str, value: &SecretString) {
    let binary = Path::new(env!("CARGO_BIN_EXE_lakehand"));
    let mut child = site
        .command(binary)
        .args(["credentials", "set", path, "--profile", profile])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(value.expose_secret().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn set_all(site: &Site, profile: &str, simulator: &RunningSimulator) {
    for (path, value) in [
        ("/affise/ApiKey", simulator::DEMO_API_KEY.into()),
        (
            "/marketo/ClientId",
            simulator::marketo::DEMO_CLIENT_ID.into(),
        ),
        (
            "/marketo/ClientSecret",
            simulator::marketo::DEMO_CLIENT_SECRET.into(),
        ),
        ("/google/ServiceAccountKey", simulator.service_account_key()),
    ] {
        set(site, profile, path, &value);
    }
}

/// Runs a workflow to its end; what it came to.
fn ran(site: &Site, profile: &str, workflow: &str) -> Value {
    let arguments = [
        &["run", workflow, "--wait", "--profile", profile],
        &WINDOW[..],
    ]
    .concat();
    let output = site.run(&[&arguments[..], &["--output", "json"]].concat());
    let detail: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    // What the workflow recorded before it ended as failed says more than its end.
    let stages = detail["stages"].as_array().into_iter().flatten();
    let inputs = stages.map(|stage| stage["input"].clone());
    let failures: Vec<Value> = inputs
        .map(|input| input["failure"].clone())
        .filter(|failure| !failure.is_null())
        .collect();
    assert!(
        output.status.success(),
        "{workflow} on {profile}: {}\n{}\n{failures:?}",
        detail["root_cause"],
        String::from_utf8_lossy(&output.stderr),
    );
    detail
}

fn report(site: &Site, profile: &str) -> String {
    let output = site.run(&["reports", "get", "latest", "--profile", profile]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every row of a table in a stable order, as text.
fn rows(site: &Site, profile: &str, sql: &str) -> String {
    let output = site.run(&["query", sql, "--format", "csv", "--profile", profile]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The sources with so many clicks, Marketo's exports without its waits.
pub(super) async fn simulated(scale: u64) -> RunningSimulator {
    let options = Options {
        seed: 5,
        scale,
        marketo: MarketoOptions {
            status_refresh: Duration::ZERO,
            export_time: Duration::from_millis(200),
            ..MarketoOptions::default()
        },
        ..Options::new(date(2026, 1, 31))
    };
    simulator::start(options).await.unwrap()
}

/// Packages the functions' program and deploys the site; what the deployment says of itself.
pub(super) fn deployed(site: &Site) -> Value {
    let binary = program(site);
    site.json(&[
        "package",
        "--binary",
        binary.to_str().unwrap(),
        "--any-libc",
        "--out",
        "functions.zip",
    ]);
    site.json(&["deploy", "--yes", "--package", "functions.zip"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_day_ends_with_the_report_of_the_embedded_platform() {
    let simulator = simulated(1_500).await;
    tokio::task::spawn_blocking(move || first_day(&simulator))
        .await
        .unwrap();
}

fn first_day(simulator: &RunningSimulator) {
    let url = simulator.base_url();
    let site = Site::new(
        "firstday",
        &(sources("cloud", &url)
            + "\n[profiles.local]\ntime_zone = \"Europe/Berlin\"\n"
            + &sources("local", &url)),
    );
    let deployed = deployed(&site);
    assert!(deployed["outputs"]["orchestration"]["DailyReportMachineArn"].is_string());

    // Before the credentials are there, a collection says which are missing.
    let early = site.run(
        &[
            &["collect", "affise.offers", "--output", "json"],
            &WINDOW[..],
        ]
        .concat(),
    );
    assert_eq!(early.status.code(), Some(1), "{early:?}");
    let early: Value = serde_json::from_slice(&early.stdout).unwrap();
    assert_eq!(early["root_cause"]["error"], "BadCredentials", "{early}");
    assert!(
        early["root_cause"]["cause"]
            .as_str()
            .unwrap()
            .contains("/affise/ApiKey"),
        "{early}"
    );
    set_all(&site, "cloud", simulator);
    let redriven = site.run(&["runs", "redrive", "latest", "--output", "json"]);
    assert!(redriven.status.success(), "{redriven:?}");

    for workflow in ["collect", "daily-report", "datamart"] {
        ran(&site, "cloud", workflow);
    }
    set_all(&site, "local", simulator);
    for workflow in ["collect", "daily-report", "datamart"] {
        ran(&site, "local", workflow);
    }
    let (theirs, ours) = (report(&site, "cloud"), report(&site, "local"));
    assert!(ours.lines().count() > 20, "{ours}");
    assert_eq!(
        theirs, ours,
        "the report of the deployed pipeline and that of the embedded one"
    );
    let datamart = "SELECT * FROM marketing_datamart ORDER BY datestamp, business_unit, source, medium, campaign";
    assert_eq!(
        rows(&site, "cloud", datamart),
        rows(&site, "local", datamart)
    );

    looked_at(&site);
    readers::read_by_others(&site, "adverts_firstday", WINDOW);
}

/// What an operator sees afterwards, by the command line.
fn looked_at(site: &Site) {
    let board = site.json(&["status"]);
    let daily = board["workflows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|card| card["name"] == "daily-report")
        .unwrap();
    assert_eq!(daily["executions"][0]["status"], "SUCCEEDED", "{daily}");
    assert!(
        board["freshness"]
            .as_array()
            .unwrap()
            .iter()
            .all(|stream| stream["collected_at"].is_string()),
        "{board}"
    );
    let crawlers = site.json(&["crawlers", "list"]);
    assert!(
        crawlers
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["name"] == "adverts-firstday-silver"),
        "{crawlers}"
    );
    let reports = site.json(&["reports", "list"]);
    assert_eq!(reports[0]["report"], "sub5", "{reports}");
    let datamart = site.json(&["datamart", "show"]);
    assert_eq!(datamart["table"], "marketing_datamart", "{datamart}");
    let statements = site.json(&["statements", "list", "--limit", "100"]);
    let statements = statements.as_array().unwrap();
    assert!(statements.len() > 10, "{statements:?}");
    let merges = statements.iter().filter(|one| one["kind"] == "MERGE");
    assert_eq!(merges.count(), 2, "one for each gold table: {statements:?}");
    let id = statements[0]["id"].as_str().unwrap();
    assert_eq!(site.json(&["statements", "show", id]), statements[0]);
    let logs = site.run(&["runs", "logs", "latest"]);
    assert!(logs.status.success(), "{logs:?}");
}
