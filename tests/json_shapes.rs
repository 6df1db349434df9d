//! The JSON of every verb that reads, over a lake with a success, a failure and an interrupted execution: the rules that
//! `docs/json.md` gives hold for each field, and the page names exactly the fields that there are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

const PAGE: &str = include_str!("../docs/json.md");
/// Objects whose keys are data, not names of ours: payloads, AWS's event details, counts by a name from outside.
const OPEN: [&str; 9] = [
    "input",
    "output",
    "details",
    "result",
    "samples",
    "figures",
    "tables",
    "sums",
    "quarantine_reasons",
];
const STATUSES: [&str; 16] = [
    "RUNNING",
    "SUCCEEDED",
    "FAILED",
    "TIMED_OUT",
    "ABORTED",
    "INTERRUPTED",
    "NOT_REACHED",
    "WAITING",
    "PARKED",
    "CAUGHT",
    "READY",
    "STOPPING",
    "CANCELLED",
    "QUEUED",
    "MISSING",
    "SAMPLE",
];

fn run(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lakehand"))
        .args(arguments)
        .args(["--output", "json"])
        .env_clear()
        .env("LAKEHAND_HOME", home)
        .output()
        .unwrap()
}

/// A lake of sample data with one of each: succeeded, failed.
fn lake(home: &Path) {
    let made = run(
        home,
        &[
            "demo",
            "--headless",
            "--all",
            "--scale",
            "800",
            "--today",
            "2026-01-31",
        ],
    );
    assert!(made.status.success(), "{made:?}");
    let failed = run(
        home,
        &[
            "run",
            "collect",
            "--wait",
            "--name",
            "failed",
            "--input",
            r#"{"streams":["affise.nonsense"]}"#,
        ],
    );
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
}

/// Every field of a document as `stages[].name`, with its values.
fn fields(at: &str, value: &Value, found: &mut BTreeMap<String, Vec<Value>>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = if at.is_empty() {
                    key.clone()
                } else {
                    format!("{at}.{key}")
                };
                found.entry(path.clone()).or_default().push(value.clone());
                if !OPEN.contains(&key.as_str()) {
                    fields(&path, value, found);
                }
            }
        }
        Value::Array(all) => all
            .iter()
            .for_each(|one| fields(&format!("{at}[]"), one, found)),
        _ => {}
    }
}

/// The verbs and their fields, as the page tells them: a heading with the verb, then a list of fields.
fn told() -> BTreeMap<String, BTreeSet<String>> {
    let mut verbs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut verb = None;
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("### `") {
            verb = heading.split('`').next().map(str::to_owned);
        } else if let (Some(verb), Some(row)) = (&verb, line.strip_prefix("| `")) {
            let field = row.split('`').next().unwrap().to_owned();
            verbs.entry(verb.clone()).or_default().insert(field);
        }
    }
    verbs
}

fn keeps_the_rules(verb: &str, field: &str, value: &Value) {
    let name = field.rsplit(['.']).next().unwrap().trim_end_matches("[]");
    if let Value::String(text) = value {
        if text.parse::<jiff::Timestamp>().is_ok() {
            assert!(
                name.ends_with("_at") || name.ends_with("_until"),
                "{verb}: {field} is a time: {text}"
            );
        }
        let is_json = serde_json::from_str::<Value>(text)
            .is_ok_and(|value| value.is_object() || value.is_array());
        assert!(!is_json, "{verb}: JSON inside a text in {field}: {text}");
        assert!(
            text.parse::<f64>().is_err()
                || name == "account"
                || name == "value"
                || name == "threshold",
            "{verb}: {field} is a number in a text: {text}"
        );
    }
    if name == "status" {
        let text = value.as_str().unwrap();
        assert!(STATUSES.contains(&text), "{verb}: {field}: {text}");
    }
    assert_ne!(name, "state", "{verb}: {field}: the word is status");
}

#[test]
fn every_field_is_on_the_page_and_keeps_its_rules() {
    let home = tempfile::tempdir().unwrap();
    lake(home.path());
    let told = told();
    assert!(told.len() > 10, "{told:?}");
    for (verb, told) in &told {
        let arguments: Vec<&str> = verb.split(' ').skip(1).collect();
        let answer = run(home.path(), &arguments);
        let documents: Vec<Value> = serde_json::Deserializer::from_slice(&answer.stdout)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("{verb}: {error}: {answer:?}"));
        assert!(!documents.is_empty(), "{verb}: {answer:?}");
        let mut found = BTreeMap::new();
        for document in &documents {
            fields("", document, &mut found);
        }
        for (field, values) in &found {
            for value in values {
                keeps_the_rules(verb, field, value);
            }
        }
        let found: BTreeSet<String> = found.into_keys().collect();
        let missing: Vec<_> = found.difference(told).collect();
        let gone: Vec<_> = told.difference(&found).collect();
        assert!(
            missing.is_empty() && gone.is_empty(),
            "{verb}: not on the page: {missing:#?}; on the page only: {gone:#?}"
        );
    }
}

#[test]
fn the_board_as_json_is_small() {
    let home = tempfile::tempdir().unwrap();
    lake(home.path());
    let answer = run(home.path(), &["status"]);
    assert!(
        answer.stdout.len() < 40_000,
        "{} bytes",
        answer.stdout.len()
    );
}
