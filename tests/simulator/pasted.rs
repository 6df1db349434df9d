//! What `lakehand simulate` prints, pasted as it stands: a configuration and commands; then a lake against it.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_lakehand");

/// A simulator and a home whose profile `simulated` was set up by what it printed.
struct Pasted {
    simulator: Child,
    home: tempfile::TempDir,
}

impl Drop for Pasted {
    fn drop(&mut self) {
        let _ = self.simulator.kill();
        let _ = self.simulator.wait();
    }
}

fn command(home: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    // The commands say `lakehand`, as it stands in a user's PATH.
    let folder = Path::new(PROGRAM).parent().unwrap().to_str().unwrap();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    command
        .args(arguments)
        .env("PATH", path)
        .env("LAKEHAND_HOME", home)
        .env_remove("LAKEHAND_PROFILE")
        .env_remove("LAKEHAND_SIMULATOR_KEY")
        .stdin(Stdio::null());
    command
}

impl Pasted {
    fn from(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let key = home.path().join("key of Google.json");
        let mut all = vec!["simulate", "--scale", "200", "--today", "2026-01-31"];
        all.extend(["--google-key-file", key.to_str().unwrap()]);
        all.extend(arguments);
        let mut simulator = command(home.path(), PROGRAM, &all)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(simulator.stdout.take().unwrap()).lines();
        let pasted = Self { simulator, home };
        let (mut configuration, mut is_configuration) = (String::new(), false);
        for line in lines.map(Result::unwrap) {
            is_configuration = (is_configuration || line.starts_with('[')) && !line.is_empty();
            if is_configuration {
                configuration.push_str(&line);
                configuration.push('\n');
                continue;
            }
            if !line.trim_start().starts_with("printf ") && !line.contains("credentials set") {
                continue;
            }
            pasted.write(&configuration);
            let ran = command(pasted.home.path(), "sh", &["-c", &line])
                .output()
                .unwrap();
            assert!(ran.status.success(), "{line}: {}", text(&ran.stderr));
            if line.contains("ServiceAccountKey") {
                break;
            }
        }
        pasted
    }

    fn write(&self, configuration: &str) {
        // Waits between two tries are a matter of the source; here nobody is to wait for them.
        let quick = "requests_per_second = 100.0\nfirst_retry_wait_ms = 1\nmax_retry_wait_ms = 2\n";
        let configuration = configuration.replace("requests_per_second = 100.0\n", quick);
        fs::write(self.home.path().join("config.toml"), configuration).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["-p", "simulated"];
        all.extend(arguments);
        command(self.home.path(), PROGRAM, &all).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.extend(["--output", "json"]);
        let output = self.run(&all);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", text(&output.stderr)))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_is_printed_can_be_pasted_and_signs_in_to_every_source() {
    let pasted = Pasted::from(&[]);
    for source in ["affise", "marketo", "ga4", "ga3"] {
        let test = pasted.run(&["credentials", "test", source]);
        assert!(
            test.status.success(),
            "{source}: {}{}",
            text(&test.stdout),
            text(&test.stderr)
        );
    }
    let days = ["--from", "2026-01-30", "--to", "2026-01-31"];
    let collected = pasted.run(&[["collect", "affise.conversions"].as_slice(), &days].concat());
    assert!(collected.status.success(), "{}", text(&collected.stdout));
}

/// What became of the stages of collection: the stream, how often it was tried, the error.
fn collections(detail: &Value) -> Vec<(String, u64, Option<String>)> {
    let stages = detail["stages"].as_array().unwrap();
    let collect = stages.iter().filter_map(|stage| {
        let stream = stage["name"].as_str()?.strip_suffix(" / Collect")?;
        let error = stage["error"].as_str().map(str::to_owned);
        Some((stream.to_owned(), stage["attempts"].as_u64()?, error))
    });
    let mut all: Vec<_> = collect.collect();
    all.sort();
    all
}

const DAY: [&str; 6] = [
    "collect",
    "affise",
    "--from",
    "2026-01-31",
    "--to",
    "2026-01-31",
];
/// Tries of a task that fails in a way that may pass: the first and three more.
const TRIES: u64 = 4;

fn assert_told_as_transient(detail: &Value) {
    let cause = &detail["root_cause"];
    assert_eq!(cause["error"], "TransientSourceError", "{cause}");
    assert!(
        cause["cause"].as_str().unwrap().contains("HTTP 500"),
        "{cause}"
    );
    assert_eq!(cause["retry_helps"], true, "{cause}");
    let advice = cause["remedy"].as_str().unwrap().to_lowercase();
    assert!(advice.contains("redrive"), "{advice}");
    for wrong in [
        "choose a window",
        "choose another window",
        "last seven days",
    ] {
        assert!(!advice.contains(wrong), "{advice}");
    }
    assert_eq!(detail["redrive"]["possible"], true, "{detail}");
}

#[test]
fn server_errors_of_one_listing_are_tried_again_and_told_as_passing() {
    let pasted = Pasted::from(&["--faults", "500@/3.0/stats/clicks"]);
    assert_eq!(pasted.run(&DAY).status.code(), Some(1));
    let detail = pasted.json(&["runs", "show", "latest"]);
    assert_told_as_transient(&detail);
    for (stream, tries, error) in collections(&detail) {
        let (wanted, failed) = match stream.as_str() {
            "affise.clicks" => (TRIES, Some("TransientSourceError".to_owned())),
            _ => (1, None),
        };
        assert_eq!((tries, error), (wanted, failed), "{stream}");
    }
}

#[test]
fn server_errors_of_every_request_are_the_same_for_every_stream() {
    let pasted = Pasted::from(&["--faults", "500"]);
    assert_eq!(pasted.run(&DAY).status.code(), Some(1));
    let detail = pasted.json(&["runs", "show", "latest"]);
    assert_told_as_transient(&detail);
    let failed = Some("TransientSourceError".to_owned());
    let streams = [
        "advertisers",
        "affiliates",
        "clicks",
        "conversions",
        "offers",
    ];
    let wanted = streams.map(|stream| (format!("affise.{stream}"), TRIES, failed.clone()));
    assert_eq!(collections(&detail), wanted);
}
