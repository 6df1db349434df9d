//! The SQL that Athena runs, run by an engine that is not ours: DuckDB reads the silver files of a whole demo,
//! executes the very statements that the executions recorded (put into its words by sqlglot), and must come to the
//! rows that Lakehand wrote. What Lakehand wrote is read by replaying the Delta log by hand, so neither our engine
//! nor our table library has a part in the comparison.

#![cfg(all(feature = "local", feature = "simulator"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/python.rs"]
mod python_environment;

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

/// The same versions as the AWS emulator's.
const PACKAGES: [&str; 2] = ["duckdb==1.5.6", "sqlglot==30.30.0"];

fn lakehand(home: &Path, arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakehand"));
    command
        .env("LAKEHAND_HOME", home)
        .args(arguments)
        .args(["--output", "json"]);
    let text =
        python_environment::output(&mut command, &format!("lakehand {}", arguments.join(" ")));
    serde_json::from_str(&text).unwrap()
}

/// Every text under the key `QueryString`, in order.
fn statements(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "QueryString" => found.push(text.clone()),
                    // Parameters of a task are recorded as JSON text.
                    Value::String(text) if text.contains("QueryString") => {
                        statements(&serde_json::from_str(text).unwrap_or_default(), found);
                    }
                    other => statements(other, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| statements(value, found)),
        _ => {}
    }
}

fn scheduled(execution: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for event in execution["events"].as_array().unwrap() {
        if event.to_string().contains("TaskScheduled") {
            statements(event, &mut found);
        }
    }
    found
}

#[test]
fn duckdb_comes_to_the_same_gold_tables() {
    let home = tempfile::tempdir().unwrap();
    let made = lakehand(
        home.path(),
        &[
            "demo",
            "--headless",
            "--all",
            "--seed",
            "11",
            "--scale",
            "6000",
            "--today",
            "2026-01-31",
        ],
    );
    let mut all = Vec::new();
    for execution in made["executions"].as_array().unwrap() {
        let id = execution["summary"]["id"].as_str().unwrap();
        all.extend(scheduled(&lakehand(home.path(), &["runs", "show", id])));
    }
    assert_eq!(
        all.len(),
        10,
        "ddl, drop, build, merge and drop for each of two tables: {all:#?}"
    );

    let python = python_environment::python("other-engines", &PACKAGES);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/other_engines.py");
    let countries = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/country_region.csv");
    let std = home.path().join("data/local/std");
    let mut child = Command::new(python)
        .arg(script)
        .args([std.as_os_str(), countries.as_ref()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&serde_json::to_vec(&all).unwrap()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    for table in ["daily_report_sub5", "marketing_datamart"] {
        let compared = &answer["tables"][table];
        assert!(compared["rows"].as_u64().unwrap() > 500, "{answer}");
        assert_eq!(
            compared["only_ours"], 0,
            "{table}: rows that DuckDB does not come to: {answer}"
        );
        assert_eq!(
            compared["only_theirs"], 0,
            "{table}: rows of DuckDB that are not there: {answer}"
        );
    }
}
