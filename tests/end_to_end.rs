//! The whole line as a user runs it: `lakehand demo --headless`, `reports get`, redrives after kills and
//! faults. Figures are compared with a naive computation from the simulator's own truth, which goes
//! through no file, no silver and no SQL of ours.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use jiff::civil::{Date, date};
use lakehand::simulator::truth::{ConversionStatus, Manager, ManagerReference, Truth};
use serde_json::Value;

const TODAY: Date = date(2026, 11, 20);
const SEED: u64 = 11;

fn lakehand(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakehand"));
    command
        .env("LAKEHAND_HOME", home)
        .env_remove("LAKEHAND_PROFILE")
        .args(arguments)
        .stdin(Stdio::null());
    command
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    lakehand(home, arguments).output().unwrap()
}

fn demo_arguments(scale: u64) -> Vec<String> {
    let words =
        format!("demo --headless --output json --seed {SEED} --scale {scale} --today {TODAY}");
    words.split(' ').map(str::to_owned).collect()
}

fn demo(home: &Path, scale: u64, more: &[&str]) -> Value {
    let arguments = demo_arguments(scale);
    let arguments: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .collect();
    let output = run(home, &arguments);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn report(home: &Path) -> String {
    let output = run(home, &["reports", "get", "latest"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Every record of a CSV as its cells, header first.
fn cells(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = csv.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(
        cell.is_empty() && row.is_empty() && !quoted,
        "the file does not end with a line"
    );
    rows
}

/// An amount in cents, rounded; the wire carries the float noise that the truth does not know.
fn cents(text: &str) -> i64 {
    (text.parse::<f64>().unwrap() * 100.0).round() as i64
}

type Key = (
    Date,
    u32,
    u32,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

#[derive(Default)]
struct Figures {
    clicks: u64,
    unique: u64,
    confirmed: u64,
    revenue_cents: i64,
}

fn filled(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn manager_name(managers: &[Manager], reference: ManagerReference) -> String {
    let ManagerReference::Object(place) = reference else {
        return String::new();
    };
    format!(
        "{} {}",
        managers[place].first_name, managers[place].last_name
    )
    .trim()
    .to_owned()
}

/// The rows of the sub5 report by plain loops over the truth, sorted.
fn expected_rows(truth: &Truth, from: Date, to: Date) -> Vec<Vec<String>> {
    let mut groups: BTreeMap<Key, Figures> = BTreeMap::new();
    let key = |day: Date, click: &lakehand::simulator::truth::Click| -> Key {
        let country = click.country.map(str::to_owned);
        let (sub5, sub6) = (filled(click.sub5()), filled(click.sub6()));
        (
            day,
            click.affiliate_id,
            click.offer_id,
            country,
            sub5,
            sub6,
            filled(click.os),
            filled(click.os_version),
        )
    };
    for click in truth
        .clicks()
        .filter(|click| (from..=to).contains(&click.created_at().date()))
    {
        let figures = groups
            .entry(key(click.created_at().date(), &click))
            .or_default();
        figures.clicks += 1;
        figures.unique += u64::from(click.unique);
    }
    for conversion in truth
        .conversions()
        .filter(|conversion| (from..=to).contains(&conversion.created_at().date()))
    {
        if conversion.status == ConversionStatus::Confirmed {
            let figures = groups
                .entry(key(conversion.created_at().date(), &conversion.click))
                .or_default();
            figures.confirmed += 1;
            figures.revenue_cents += conversion.revenue.cents();
        }
    }
    let mut rows: Vec<_> = groups
        .into_iter()
        .filter(|(_, f)| f.confirmed > 0)
        .map(|(key, f)| named_row(truth, key, &f))
        .collect();
    rows.sort();
    rows
}

fn named_row(truth: &Truth, key: Key, figures: &Figures) -> Vec<String> {
    let (day, affiliate_id, offer_id, country, sub5, sub6, _, _) = key;
    let affiliate = truth
        .affiliate(affiliate_id)
        .filter(|affiliate| affiliate.listed);
    let offer = truth.offer(offer_id).filter(|offer| offer.listed);
    let advertiser = offer.map(|offer| &truth.advertisers()[offer.advertiser]);
    let name = |name: Option<&str>, login: &str| filled(name).unwrap_or_else(|| login.to_owned());
    vec![
        day.to_string(),
        affiliate_id.to_string(),
        affiliate.map_or(String::new(), |affiliate| {
            name(affiliate.name.as_deref(), &affiliate.login)
        }),
        affiliate.map_or(String::new(), |affiliate| {
            manager_name(truth.managers(), affiliate.manager)
        }),
        advertiser.map_or(String::new(), |advertiser| advertiser.title.clone()),
        advertiser.map_or(String::new(), |advertiser| {
            manager_name(truth.managers(), advertiser.manager)
        }),
        offer.map_or(String::new(), |offer| offer.title.clone()),
        offer_id.to_string(),
        country.unwrap_or_default(),
        sub5.unwrap_or_default(),
        sub6.unwrap_or_default(),
        figures.clicks.to_string(),
        figures.unique.to_string(),
        figures.revenue_cents.to_string(),
        figures.confirmed.to_string(),
    ]
}

/// The rows of a report file, its money in cents, sorted.
fn actual_rows(csv: &str) -> Vec<Vec<String>> {
    let mut rows = cells(csv);
    let header = rows.remove(0);
    assert_eq!(
        header.join(","),
        "datestamp,affiliate_id,affiliate_name,affiliate_manager,advertiser_name,account_manager,offer_title,offer_id,\
         country,sub5,sub6,click_count,host_count,approved_revenue,conversions_count"
    );
    for row in &mut rows {
        row[13] = cents(&row[13]).to_string();
    }
    rows.sort();
    rows
}

#[track_caller]
fn assert_report_is_true(csv: &str, scale: u64) {
    let truth = Truth::new(SEED, scale, TODAY);
    let expected = expected_rows(&truth, date(2026, 11, 13), TODAY);
    let actual = actual_rows(csv);
    assert!(
        expected.len() > 20,
        "the sample is too small to show anything"
    );
    for (place, (expected, actual)) in expected.iter().zip(&actual).enumerate() {
        assert_eq!(expected, actual, "row {place}");
    }
    assert_eq!(expected.len(), actual.len());
}

#[test]
fn the_demo_ends_in_a_report_whose_every_figure_is_true() {
    let home = tempfile::tempdir().unwrap();
    let made = demo(home.path(), 4000, &[]);
    assert_eq!(made["status"], "SUCCEEDED");
    let csv = report(home.path());
    assert_report_is_true(&csv, 4000);
    assert_eq!(made["report"]["bytes"], csv.len());
    assert_eq!(made["report"]["rows"], cells(&csv).len() - 1);

    // The same window again: the same bytes in another file.
    let again = run(
        home.path(),
        &[
            "run",
            "daily-report",
            "--from",
            "2026-11-13",
            "--to",
            "2026-11-20",
            "--wait",
            "--output",
            "json",
        ],
    );
    assert!(
        again.status.success(),
        "{}",
        String::from_utf8_lossy(&again.stderr)
    );
    let list: Value =
        serde_json::from_slice(&run(home.path(), &["reports", "list", "--output", "json"]).stdout)
            .unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[0]["sha256"], list[1]["sha256"]);
}

#[test]
fn the_same_window_twice_at_once_is_the_same_report() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(demo(home.path(), 2500, &[])["status"], "SUCCEEDED");
    let before = report(home.path());
    let start = || {
        lakehand(
            home.path(),
            &[
                "run",
                "daily-report",
                "--from",
                "2026-11-13",
                "--to",
                "2026-11-20",
                "--wait",
            ],
        )
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
    };
    let both = [start(), start()].map(|child| child.wait_with_output().unwrap());
    for output in both {
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_eq!(report(home.path()), before);
}

#[test]
fn a_run_killed_at_any_moment_is_redriven_to_the_same_report() {
    let undisturbed = tempfile::tempdir().unwrap();
    let started = Instant::now();
    assert_eq!(demo(undisturbed.path(), 1500, &[])["status"], "SUCCEEDED");
    let whole = started.elapsed();
    let truth = report(undisturbed.path());
    // Moments spread over the whole run, at uneven distances, so that they fall into every stage.
    for step in 1..=6_u32 {
        let home = tempfile::tempdir().unwrap();
        let mut child = lakehand(home.path(), &[])
            .args(demo_arguments(1500))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * (step * 13 + step * step) / 120);
        child.kill().unwrap();
        child.wait().unwrap();
        finish(home.path());
        assert_eq!(report(home.path()), truth, "killed at step {step}");
    }
}

/// Redrives what was interrupted, and starts what was not reached.
fn finish(home: &Path) {
    for workflow in ["collect", "daily-report"] {
        let list: Value = serde_json::from_slice(
            &run(
                home,
                &["runs", "list", "--workflow", workflow, "--output", "json"],
            )
            .stdout,
        )
        .unwrap();
        let newest = &list[0];
        let output = match newest["status"].as_str() {
            Some("SUCCEEDED") => continue,
            None => {
                if run(home, &["demo", "--help"]).status.success()
                    && !home.join("data/local/std/_state/sample.json").exists()
                {
                    // Killed before the lake was marked as a sample: begin anew.
                    let arguments = demo_arguments(1500);
                    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                    run(home, &arguments)
                } else {
                    run(
                        home,
                        &[
                            "run",
                            workflow,
                            "--from",
                            "2026-11-13",
                            "--to",
                            "2026-11-20",
                            "--wait",
                        ],
                    )
                }
            }
            Some("INTERRUPTED" | "FAILED") => {
                run(home, &["runs", "redrive", newest["id"].as_str().unwrap()])
            }
            Some(other) => panic!("{workflow} is {other} after its process was killed"),
        };
        assert!(
            output.status.success(),
            "{workflow}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn faults_end_in_a_true_report_or_in_a_named_failure() {
    let faults = [
        "429=0.1,429-retry-after=0.05:1s",
        "500=0.05,502=0.05,504=0.05",
        "html=0.1,cut=0.1,drop=0.05",
        "duplicate-page=0.2,shift-page=0.1",
        "429=0.02,500=0.02,502=0.02,html=0.02,cut=0.02,drop=0.02,duplicate-page=0.02,shift-page=0.02",
    ];
    for plan in faults {
        let home = tempfile::tempdir().unwrap();
        let made = demo(home.path(), 1500, &["--faults", plan]);
        if made["status"] == "SUCCEEDED" {
            assert_report_is_true(&report(home.path()), 1500);
        } else {
            let failed = made["executions"].as_array().unwrap().last().unwrap();
            assert!(
                failed["root_cause"]["error"]
                    .as_str()
                    .is_some_and(|error| error.ends_with("Error") || error.ends_with("Refused")),
                "{plan}: {failed}"
            );
            assert!(
                failed["root_cause"]["cause"]
                    .as_str()
                    .is_some_and(|cause| cause.len() > 20),
                "{plan}: {failed}"
            );
        }
    }
    let home = tempfile::tempdir().unwrap();
    let made = demo(home.path(), 1500, &["--faults", "wrong-key"]);
    assert_eq!(made["status"], "FAILED");
    assert_eq!(
        made["executions"][0]["root_cause"]["error"],
        "BadCredentials"
    );
}

#[test]
fn no_secret_is_left_behind() {
    let home = tempfile::tempdir().unwrap();
    let output = {
        let arguments = demo_arguments(1500);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(home.path(), &arguments)
    };
    let marker = lakehand::simulator::SECRET_MARKER.as_bytes();
    let holds = |bytes: &[u8]| memchr::memmem::find(bytes, marker).is_some();
    assert!(!holds(&output.stdout) && !holds(&output.stderr));
    let mut read = 0;
    let mut folders = vec![home.path().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let bytes = if path.extension().is_some_and(|end| end == "zst") {
                zstd::decode_all(&bytes[..]).unwrap()
            } else {
                bytes
            };
            assert!(!holds(&bytes), "{}", path.display());
            read += 1;
        }
    }
    assert!(read > 30, "only {read} files were looked at");
}

#[test]
fn the_verbs_answer_with_the_documented_exit_codes() {
    let home = tempfile::tempdir().unwrap();
    let code = |arguments: &[&str]| run(home.path(), arguments).status.code().unwrap();
    assert_eq!(code(&["status"]), 0);
    assert_eq!(code(&["config", "check"]), 0);
    assert_eq!(code(&["no-such-verb"]), 2);
    assert_eq!(
        code(&[
            "run",
            "daily-report",
            "--from",
            "2026-02-02",
            "--to",
            "2026-02-01",
            "--wait"
        ]),
        2
    );
    assert_eq!(code(&["runs", "show", "nothing:here"]), 3);
    assert_eq!(code(&["reports", "get", "nothing.csv"]), 3);
    assert_eq!(code(&["run", "no-such-workflow", "--wait"]), 3);
    assert_eq!(code(&[]), 2, "the console needs a terminal");
    std::fs::write(
        home.path().join("config.toml"),
        "[profiles.local]\ncolour = 1\n",
    )
    .unwrap();
    assert_eq!(code(&["status"]), 2);
    let error: Value =
        serde_json::from_slice(&run(home.path(), &["status", "--output", "json"]).stderr).unwrap();
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("config.toml:2:1")
    );
}

#[test]
fn a_closed_pipe_is_quiet() {
    let home = tempfile::tempdir().unwrap();
    let mut child = lakehand(home.path(), &["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    std::thread::sleep(Duration::from_millis(50));
    let output = child.wait_with_output().unwrap();
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
