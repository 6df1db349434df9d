//! Quotas that are used up in a run: parked sources fail nobody, every face says until when, and the collection
//! after that brings what was left out.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::program::{demo, query, run};

const SCALE: u64 = 600;

fn printed(home: &Path, arguments: &[&str]) -> String {
    let output = run(home, arguments);
    String::from_utf8(output.stdout).unwrap()
}

fn parsed(home: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(home, arguments)).unwrap()
}

/// The collection of a demo, which must have ended well.
fn collection(made: &Value) -> &Value {
    let collect = &made["executions"][0];
    assert_eq!(collect["summary"]["status"], "SUCCEEDED", "{collect}");
    collect
}

/// Stages that say they are parked, with the time.
fn parked_stages(execution: &Value) -> Vec<(String, Timestamp)> {
    let stages = execution["stages"].as_array().unwrap();
    stages
        .iter()
        .filter(|stage| stage["status"] == "PARKED")
        .map(|stage| {
            let until = stage["parked_until"].as_str().unwrap();
            (
                stage["name"].as_str().unwrap().to_owned(),
                until.parse().unwrap(),
            )
        })
        .collect()
}

/// Streams that are parked, with the time.
fn parked_streams(home: &Path) -> Vec<(String, Timestamp)> {
    let sources = parsed(home, &["sources", "--output", "json"]);
    let streams = sources["streams"].as_array().unwrap();
    streams
        .iter()
        .filter_map(|stream| {
            let until: Timestamp = stream["parked_until"].as_str()?.parse().unwrap();
            Some((stream["stream"].as_str().unwrap().to_owned(), until))
        })
        .collect()
}

fn count(home: &Path, table: &str) -> u64 {
    let rows = query(
        home,
        &format!("SELECT CAST(count(*) AS varchar) AS n FROM {table}"),
    );
    rows[0]["n"].as_str().unwrap().parse().unwrap()
}

/// The quota is back: the simulator refuses nothing any more, and no reading says that it does.
fn the_quota_is_back(home: &Path) {
    let std = home.join("data/local/std/_state");
    let mark = std.join("sample.json");
    let mut spec: Value = serde_json::from_slice(&std::fs::read(&mark).unwrap()).unwrap();
    spec["faults"] = Value::Null;
    std::fs::write(&mark, spec.to_string()).unwrap();
    let mut changed = 0;
    for source in ["ga4", "marketo"] {
        let Ok(entries) = std::fs::read_dir(std.join("quota").join(source)) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let mut state: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            if state["parked_until"].is_string() {
                state["parked_until"] = json!("2026-01-01T00:00:00Z");
                std::fs::write(&path, state.to_string()).unwrap();
                changed += 1;
            }
        }
    }
    assert!(changed > 0, "somebody was parked");
}

/// What an undisturbed lake of the same sample has.
fn undisturbed() -> [u64; 2] {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(demo(home.path(), SCALE, &["--all"])["status"], "SUCCEEDED");
    ["marketo_activities", "ga_traffic"].map(|table| count(home.path(), table))
}

#[test]
fn quotas_of_a_day_park_their_sources_until_it_ends_and_the_next_collection_brings_the_rest() {
    let home = tempfile::tempdir().unwrap();
    let faults = "marketo@/rest/v1/activities.json#2-:607,google@/v1beta/*#4-:day";
    let made = demo(home.path(), SCALE, &["--all", "--faults", faults]);
    let collect = collection(&made);
    let stages = parked_stages(collect);
    let names: Vec<&str> = stages.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"Parked"), "{names:?}");
    assert_eq!(
        names
            .iter()
            .filter(|name| name.ends_with("/ StreamParked"))
            .count(),
        parked_streams(home.path()).len(),
        "{names:?}"
    );
    let now = Timestamp::now();
    let parked = parked_streams(home.path());
    for stream in ["marketo.activities", "ga4.traffic"] {
        let (_, until) = parked.iter().find(|(name, _)| name == stream).unwrap();
        let zone = if stream.starts_with("ga4") {
            "America/Los_Angeles"
        } else {
            "America/Chicago"
        };
        let local = until.in_tz(zone).unwrap();
        assert_eq!((local.hour(), local.minute()), (0, 0), "{stream}: {until}");
        assert!(*until > now && until.duration_since(now) <= SignedDuration::from_hours(25));
    }
    // The others went on, and say nothing of parking.
    assert!(
        !parked.iter().any(|(name, _)| name.starts_with("affise")),
        "{parked:?}"
    );
    assert!(count(home.path(), "affise_clicks") > 0);
    let shown = parked[0]
        .1
        .to_zoned(jiff::tz::TimeZone::UTC)
        .strftime("%H:%M")
        .to_string();
    for words in [&["sources"][..], &["status"]] {
        let text = printed(home.path(), words);
        assert!(
            text.contains("parked until") && text.contains(&shown),
            "{text}"
        );
    }
    let id = collect["summary"]["id"].as_str().unwrap();
    let text = printed(home.path(), &["runs", "show", id]);
    assert!(
        text.contains("StreamParked") && text.contains(&format!("until {}", parked[0].1)),
        "{text}"
    );

    let [activities, days] = undisturbed();
    assert!(count(home.path(), "marketo_activities") < activities);
    assert!(count(home.path(), "ga_traffic") < days);
    // While it is parked, another collection asks nothing and ends the same.
    let again = [
        "run",
        "collect",
        "--wait",
        "--from",
        "2026-11-13",
        "--to",
        "2026-11-20",
        "--output",
        "json",
    ];
    let meanwhile = parsed(home.path(), &again);
    assert_eq!(meanwhile["summary"]["status"], "SUCCEEDED");
    // Marketo's quota is the instance's, so now its other stream waits as well; nobody else does.
    let still = parked_streams(home.path());
    assert!(parked.iter().all(|one| still.contains(one)), "{still:?}");
    let waits = |name: &str| name.starts_with("marketo.") || name == "ga4.traffic";
    assert!(still.iter().all(|(name, _)| waits(name)), "{still:?}");

    the_quota_is_back(home.path());
    let after = parsed(home.path(), &again);
    assert_eq!(after["summary"]["status"], "SUCCEEDED", "{after}");
    assert_eq!(parked_stages(&after), []);
    assert_eq!(parked_streams(home.path()), []);
    assert_eq!(count(home.path(), "marketo_activities"), activities);
    assert_eq!(count(home.path(), "ga_traffic"), days);
    assert!(!printed(home.path(), &["sources"]).contains("parked"));
}

#[test]
fn the_quota_of_an_hour_parks_a_property_for_an_hour() {
    let home = tempfile::tempdir().unwrap();
    let before = Timestamp::now();
    let made = demo(
        home.path(),
        SCALE,
        &["--all", "--faults", "google@/v1beta/*#4-:hour"],
    );
    collection(&made);
    let parked = parked_streams(home.path());
    let names: Vec<&str> = parked.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["ga4.traffic"]);
    let wait = parked[0].1.duration_since(before);
    assert!(
        wait > SignedDuration::from_mins(55) && wait < SignedDuration::from_mins(75),
        "{wait}"
    );
    assert!(
        count(home.path(), "ga_traffic") > 0,
        "the days before it are there"
    );
    the_quota_is_back(home.path());
    let again = [
        "run",
        "collect",
        "--wait",
        "--from",
        "2026-11-13",
        "--to",
        "2026-11-20",
    ];
    assert!(run(home.path(), &again).status.success());
    assert_eq!(parked_streams(home.path()), []);
    assert_eq!(count(home.path(), "ga_traffic"), undisturbed()[1]);
}
