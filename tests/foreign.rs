//! What others made, with the real program: workflows that are not ours get the input that is given and no more, and CSV
//! files without a manifest are listed with what is known of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A home whose profile has two workflows of others: one that knows no window, and one that reads it.
struct Home(TempDir);

impl Home {
    fn new(settings: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        let data = home.0.path().join("lake");
        let config = format!(
            "[profiles.local]\ndata_dir = '{}'\n{settings}",
            data.display()
        );
        fs::write(home.0.path().join("config.toml"), config).unwrap();
        let passes = |fields: Value| {
            let mut state = json!({ "Type": "Pass", "End": true });
            state
                .as_object_mut()
                .unwrap()
                .extend(fields.as_object().unwrap().clone());
            json!({ "StartAt": "Pass", "States": { "Pass": state } }).to_string()
        };
        fs::create_dir_all(data.join("workflows")).unwrap();
        for (name, fields) in [
            ("orders", json!({})),
            (
                "reads",
                json!({ "Parameters": { "from.$": "$.window.from" } }),
            ),
        ] {
            let file = data.join(format!("workflows/{name}.asl.json"));
            fs::write(file, passes(fields)).unwrap();
        }
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn call(&self, arguments: &[&str], stdin: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lakehand"))
            .args(arguments)
            .env("LAKEHAND_HOME", self.0.path())
            .env_remove("LAKEHAND_PROFILE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(stdin.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    }

    /// The answer of a call that ends well.
    fn json(&self, arguments: &[&str], stdin: &str) -> Value {
        let output = self.call(&[arguments, &["--output", "json"]].concat(), stdin);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {told}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The exit code and the words of a call that does not.
    fn refused(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.call(arguments, "");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }

    /// The input that the newest execution of a call got.
    fn input(&self, arguments: &[&str], stdin: &str) -> Value {
        let detail = self.json(&[arguments, &["--wait"]].concat(), stdin);
        let input = &detail["input"];
        match input.as_str() {
            Some(text) => serde_json::from_str(text).unwrap(),
            None => input.clone(),
        }
    }
}

#[test]
fn a_workflow_of_others_gets_what_is_given_and_no_window() {
    let home = Home::new("");
    assert_eq!(home.input(&["run", "orders"], ""), json!({}));
    fs::write(home.path("order.json"), r#"{ "order": 7 }"#).unwrap();
    let file = home.path("order.json").display().to_string();
    assert_eq!(
        home.input(&["run", "orders", "--input", &file], ""),
        json!({ "order": 7 })
    );
    assert_eq!(
        home.input(&["run", "orders", "--input", "-"], "[1, 2]"),
        json!([1, 2])
    );
    assert_eq!(
        home.input(&["run", "orders", "--same-input-as", "latest"], ""),
        json!([1, 2])
    );
    // Whoever asks for a window gets one, and what reads one has one.
    let days = ["--from", "2026-01-05", "--to", "2026-01-05"];
    let asked = home.input(
        &[&["run", "orders", "--input", "{\"order\": 8}"], &days[..]].concat(),
        "",
    );
    assert_eq!(
        asked,
        json!({ "order": 8, "window": { "from": "2026-01-05", "to": "2026-01-05" } })
    );
    let reads = home.input(&["run", "reads"], "");
    assert!(reads["window"]["from"].is_string(), "{reads}");
    let same = home.input(
        &[&["run", "reads", "--same-input-as", "latest"], &days[..]].concat(),
        "",
    );
    assert_eq!(
        same,
        json!({ "window": { "from": "2026-01-05", "to": "2026-01-05" } })
    );
}

#[test]
fn an_input_reaches_an_execution_in_a_process_of_its_own() {
    let home = Home::new("");
    home.json(
        &["run", "orders", "--input", "-"],
        r#"{ "token": "not for ps" }"#,
    );
    for _ in 0..200 {
        let output = home.call(&["runs", "show", "latest", "--output", "json"], "");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if text.contains("not for ps") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the input did not arrive");
}

#[test]
fn an_input_that_is_none_is_refused_with_its_place() {
    let home = Home::new("");
    fs::write(home.path("broken.json"), "{\n \"order\": \n}").unwrap();
    let broken = home.path("broken.json").display().to_string();
    for (input, words) in [
        (broken.as_str(), "broken.json is not JSON"),
        ("{\"order\"", "the input in --input is not JSON"),
        (
            "no-such-file",
            "the input file no-such-file could not be read",
        ),
    ] {
        let (code, told) = home.refused(&["run", "orders", "--input", input]);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(words), "{told}");
    }
    let (code, told) = home.refused(&["run", "reads", "--input", "[1]"]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("is not a JSON object"), "{told}");
    let (code, _) = home.refused(&["run", "orders", "--same-input-as", "orders:never-was"]);
    assert_eq!(code, Some(3));
    let (code, told) = home.refused(&[
        "run",
        "orders",
        "--input",
        "{}",
        "--same-input-as",
        "latest",
    ]);
    assert_eq!(code, Some(2), "{told}");
}

#[test]
fn csv_files_of_others_are_listed_with_what_is_known_and_read() {
    let home = Home::new("reports_prefix = 'exports/daily'\n");
    let std = home.path("lake").join("std");
    let put = |key: &str, text: &str| {
        let file = std.join(key);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    put(
        "exports/daily/2026/01/part-0.csv",
        "sub5,clicks\na,1\nb,2\n",
    );
    put("exports/daily/2026/02/part-0.csv", "sub5,clicks\nc,3\n");
    put("exports/daily/readme.txt", "no report");
    put("exports/other/part-0.csv", "nobody,asked\n");
    put("reports/sub5/unfinished.csv", "x\n1\n");
    let listed = home.json(&["reports", "list"], "");
    let mut told: Vec<(String, Value, Value, u64)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let name = one["name"].as_str().unwrap().to_owned();
            (
                name,
                one["rows"].clone(),
                one["sha256"].clone(),
                one["bytes"].as_u64().unwrap(),
            )
        })
        .collect();
    told.sort_by(|left, right| left.0.cmp(&right.0));
    let unknown = |name: &str, bytes| (name.to_owned(), Value::Null, Value::Null, bytes);
    assert_eq!(
        told,
        [
            unknown("2026/01/part-0.csv", 20),
            unknown("2026/02/part-0.csv", 16),
            unknown("sub5/unfinished.csv", 4),
        ]
    );
    let text = home.call(&["reports", "list"], "");
    let text = String::from_utf8(text.stdout).unwrap();
    assert_eq!(text.matches("rows unknown").count(), 3, "{text}");
    let got = home.call(&["reports", "get", "2026/02/part-0.csv"], "");
    assert_eq!(got.stdout, b"sub5,clicks\nc,3\n");
    let shown = home.json(&["reports", "show", "2026/01/part-0.csv"], "");
    assert_eq!(
        shown,
        json!([{ "sub5": "a", "clicks": "1" }, { "sub5": "b", "clicks": "2" }])
    );
}

#[test]
fn a_place_of_reports_that_cannot_be_one_is_told_with_its_line() {
    for wrong in [
        "/exports",
        "exports/../silver",
        "silver/affise",
        "",
        "_state",
    ] {
        let home = Home::new(&format!("reports_prefix = '{wrong}'\n"));
        let (code, told) = home.refused(&["config", "check"]);
        assert_eq!(code, Some(2), "{wrong}: {told}");
        assert!(
            told.contains("reports_prefix must be a folder") && told.contains(":3:"),
            "{told}"
        );
    }
}
