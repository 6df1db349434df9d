//! `lakehand simulate` as a program.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::{CLICKS, client};

fn lakehand(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakehand"));
    command.env_remove("LAKEHAND_SIMULATOR_KEY").args(arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Ends the program should a test fail before it does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn it_says_where_it_listens_serves_and_ends_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, "a key of my own\n").unwrap();
    let key_file = key_file.to_str().unwrap();
    let arguments = [
        "simulate",
        "--output",
        "json",
        "--scale",
        "500",
        "--seed",
        "3",
        "--today",
        "2026-01-31",
        "--key-file",
        key_file,
        "--faults",
        "500#2",
    ];
    let mut running = Running(lakehand(&arguments).spawn().unwrap());
    let mut line = String::new();
    let mut out = BufReader::new(running.0.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(said["today"], "2026-01-31");
    let path = format!("{CLICKS}?date_from=2026-01-31&date_to=2026-01-31&limit=2");
    let url = format!("{}{path}", said["base_url"].as_str().unwrap());
    let mut statuses = Vec::new();
    for key in ["a key of my own", "a key of my own", "another"] {
        let answer = client()
            .get(&url)
            .header("API-Key", key)
            .send()
            .await
            .unwrap();
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [200, 500, 401]);
    let pid = running.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(running.0.wait().unwrap().success());
    let (mut rest, mut errors) = (String::new(), String::new());
    out.read_to_string(&mut rest).unwrap();
    running
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    assert_eq!(
        (rest.as_str(), errors.as_str()),
        ("", "3 requests answered\n")
    );
}

#[test]
fn wrong_use_is_told_and_the_key_is_never_shown() {
    let plan = lakehand(&["simulate", "--faults", "teapot"])
        .output()
        .unwrap();
    assert_eq!(plan.status.code(), Some(2));
    let errors = String::from_utf8(plan.stderr).unwrap();
    assert!(
        errors.contains("at character 1") && errors.contains("429-retry-after"),
        "{errors}"
    );
    let data = lakehand(&["simulate", "--data", "/no/such/folder"])
        .output()
        .unwrap();
    assert_eq!(data.status.code(), Some(2));
    assert!(
        String::from_utf8(data.stderr)
            .unwrap()
            .contains("/no/such/folder")
    );
    let empty = lakehand(&["simulate"])
        .env("LAKEHAND_SIMULATOR_KEY", " ")
        .output()
        .unwrap();
    assert_eq!(empty.status.code(), Some(2));
    let help = lakehand(&["simulate", "--help"])
        .env("LAKEHAND_SIMULATOR_KEY", "topsecret")
        .output()
        .unwrap();
    assert!(help.status.success());
    assert!(
        !String::from_utf8(help.stdout)
            .unwrap()
            .contains("topsecret")
    );
}
