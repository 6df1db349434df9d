//! Exit codes and pipes.

use std::{process::Stdio, time::Duration};

use serde_json::Value;

use crate::program::{demo, lakehand, run};

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

#[test]
fn a_credential_that_is_set_on_a_sample_lake_says_that_it_has_no_effect() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(demo(home.path(), 200, &[])["status"], "SUCCEEDED");
    let file = home.path().join("key");
    std::fs::write(&file, "a-key-of-my-own-8f3a5bd1").unwrap();
    let file = file.to_str().unwrap();
    let set = ["credentials", "set", "/affise/ApiKey", "--file", file];
    let output = run(home.path(), &set);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("version 1"),
        "{said}"
    );
    assert!(
        said.contains("simulator stands in") && said.contains("no effect here"),
        "{said}"
    );
    let tried = run(home.path(), &[&set[..], &["--test"]].concat());
    let said = String::from_utf8_lossy(&tried.stderr);
    assert_eq!(tried.status.code(), Some(4), "{said}");
    assert!(
        said.contains("nothing was stored") && said.contains("its own credentials only"),
        "{said}"
    );
}
