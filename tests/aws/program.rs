//! The program itself on an AWS profile: what it prints and how it ends.

use std::{path::Path, process::Output};

use serde_json::{Value, json};

use super::{
    desk::{Desk, reads_parameter, waits},
    emulator::{ENVIRONMENT, REGION},
    proxy::Fault,
};

/// A home whose only profile is the desk's, with more lines for the profile.
struct Program {
    home: tempfile::TempDir,
    name: String,
}

impl Program {
    fn of(desk: &Desk, profile: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let own = &desk.account.profile;
        let text = format!(
            "[profiles.{0}]\nplatform = \"aws\"\nproject = \"{1}\"\nenv = \"{2}\"\n{profile}\n\
             [profiles.{0}.aws]\nregion = \"{REGION}\"\nendpoint_url = \"{3}\"\nattempts = 1\n",
            own.name, own.project, own.env, desk.account.proxy.url
        );
        std::fs::write(home.path().join("config.toml"), text).unwrap();
        Self {
            home,
            name: own.name.clone(),
        }
    }

    fn folder(&self) -> &Path {
        self.home.path()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = assert_cmd::Command::cargo_bin("lakehand").unwrap();
        for name in [
            "AWS_PROFILE",
            "AWS_SESSION_TOKEN",
            "AWS_ENDPOINT_URL",
            "LAKEHAND_PROFILE",
            "LAKEHAND_ENDPOINT_URL",
        ] {
            command.env_remove(name);
        }
        command
            .envs(ENVIRONMENT)
            .env("LAKEHAND_HOME", self.folder())
            .args(["--profile", &self.name, "--output", "json"])
            .args(arguments)
            .output()
            .unwrap()
    }

    /// The answer of a verb that ends with this code.
    fn answer(&self, arguments: &[&str], code: i32) -> Value {
        let output = self.run(arguments);
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}\n{out}\n{err}"
        );
        serde_json::from_str(&out)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{out}\n{err}"))
    }

    /// The words of a verb that is refused with this code.
    fn refusal(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{err}");
        let told: Value =
            serde_json::from_str(&err).unwrap_or_else(|error| panic!("{error}: {err}"));
        assert_eq!(told["error"]["code"], code);
        told["error"]["message"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_started_followed_explained_and_redriven() {
    let desk = Desk::new("pr-runs", "").await;
    desk.machine("daily-report", &reads_parameter("/pr-runs/late"))
        .await;
    desk.machine("collect", &waits(600)).await;
    let program = Program::of(&desk, "");
    let failed = program.answer(
        &[
            "run",
            "daily-report",
            "--from",
            "2026-01-24",
            "--to",
            "2026-01-31",
            "--name",
            "one",
            "--wait",
        ],
        1,
    );
    assert_eq!(failed["summary"]["status"], "FAILED");
    assert_eq!(failed["root_cause"]["stage"], "Read");
    assert_eq!(
        failed["summary"]["window"],
        json!({ "from": "2026-01-24", "to": "2026-01-31" })
    );
    let id = failed["summary"]["id"].as_str().unwrap();
    assert!(
        program
            .refusal(&["run", "daily-report", "--name", "one"], 4)
            .contains("exists already")
    );
    let list = program.answer(&["runs", "list"], 0);
    assert_eq!(list[0]["name"], "one");
    assert_eq!(list[0]["current_stage"], "Read");
    assert_eq!(list[0]["error"], "Ssm.ParameterNotFoundException");
    // The Board fails with a failed run, and says which.
    let board = program.answer(&["status"], 1);
    let names: Vec<&str> = board["workflows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|card| card["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["collect", "daily-report"]);
    desk.parameter("/pr-runs/late").await;
    let redriven = program.answer(&["runs", "redrive", "daily-report:one"], 0);
    assert_eq!(
        (
            &redriven["summary"]["status"],
            &redriven["summary"]["redrives"]
        ),
        (&json!("SUCCEEDED"), &json!(1))
    );
    assert_eq!(
        program.answer(&["runs", "show", id], 0)["summary"]["status"],
        "SUCCEEDED"
    );
    assert_eq!(program.run(&["runs", "logs", id]).status.code(), Some(0));
    // What is started goes on without this process.
    let started = program.answer(&["run", "collect"], 0);
    let running = started["execution"].as_str().unwrap();
    assert!(running.starts_with("arn:aws:states:"), "{running}");
    assert!(program.refusal(&["run", "collect"], 4).contains("it runs"));
    assert_eq!(
        program.answer(&["runs", "stop", running], 0)["requested"],
        "stop"
    );
    assert_eq!(
        program.answer(&["runs", "show", running], 0)["summary"]["status"],
        "ABORTED"
    );
    program.refusal(&["runs", "stop", running], 4);
    program.refusal(&["runs", "show", "daily-report:nobody"], 3);
    program.refusal(&["run", "weekly"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_verb_works_or_says_what_to_do_instead() {
    let desk = Desk::new("pr-verbs", "").await;
    desk.account.workgroup().await;
    desk.machine("collect", &waits(0)).await;
    desk.machine("datamart", &waits(0)).await;
    desk.glue("CreateCrawler", json!({ "Name": "pr-verbs-test-affise", "Role": super::desk::ROLE, "DatabaseName": "x",
        "Targets": { "S3Targets": [{ "Path": format!("s3://{}/silver/affise/", desk.account.profile.std_bucket()) }] } })).await;
    let program = Program::of(&desk, "");
    assert_eq!(program.answer(&["status"], 0)["lake_is_empty"], true);
    assert_eq!(
        program.answer(&["crawlers", "list"], 0)[0]["name"],
        "pr-verbs-test-affise"
    );
    assert_eq!(
        program.answer(&["crawlers", "show", "affise"], 0)["crawler"]["status"],
        "READY"
    );
    assert_eq!(
        program.answer(&["crawl", "affise", "--wait"], 0)["status"],
        "READY"
    );
    assert_eq!(program.answer(&["jobs", "list"], 0), json!([]));
    assert_eq!(program.answer(&["reports", "list"], 0), json!([]));
    assert!(
        program.answer(&["sources"], 0)["streams"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
    assert!(
        program
            .answer(&["credentials", "list"], 0)
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
    assert_eq!(
        program.answer(&["query", "SELECT 1 + 1 AS two"], 0)["two"],
        2
    );
    program.refusal(&["query", "SELECT FROM"], 2);
    for verb in [
        &["demo", "--headless"][..],
        &["query", "--table", "x=y.parquet", "SELECT 1"],
        &["query", "--lenient", "SELECT 1"],
    ] {
        assert!(
            program.refusal(verb, 4).contains("this machine"),
            "{verb:?}"
        );
    }
    assert!(program.refusal(&["scheduler"], 4).contains("EventBridge"));
    program.refusal(&["crawl", "nobody"], 3);
    program.refusal(&["jobs", "runs", "nobody"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crawler_that_is_told_as_ready_after_its_start_is_waited_for() {
    let desk = Desk::new("pr-late", "").await;
    let folder = format!("s3://{}/silver/affise/", desk.account.profile.std_bucket());
    let own = json!({ "Name": "pr-late-test-affise", "Role": super::desk::ROLE, "DatabaseName": "x",
        "Targets": { "S3Targets": [{ "Path": folder }] } });
    desk.glue("CreateCrawler", own.clone()).await;
    let program = Program::of(&desk, "");
    // Before and after the start, Glue says the same: ready, and that the crawl of before has failed.
    let mut stale = own;
    stale["State"] = "READY".into();
    stale["LastCrawl"] =
        json!({ "Status": "FAILED", "StartTime": 1000.0, "ErrorMessage": "yesterday" });
    let stale = json!({ "Crawlers": [stale] }).to_string();
    let proxy = &desk.account.proxy;
    proxy.fault("GetCrawlers", 5, Fault::Answer(200, stale.leak()));
    let ended = program.answer(&["crawl", "affise", "--wait"], 0);
    assert_eq!(ended["last_crawl"]["status"], "SUCCEEDED", "{ended}");
    let mut seen = proxy.seen("Crawler");
    seen.retain(|line| !line.contains("Metrics"));
    let start = seen.iter().position(|line| line.contains("StartCrawler"));
    let told_late = 5 - start.expect("a start");
    assert!(told_late >= 2, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_profile_wants_its_name_for_every_change() {
    let desk = Desk::new("pr-guard", "").await;
    desk.machine("collect", &waits(0)).await;
    let program = Program::of(&desk, "protected = true\n");
    for verb in [
        &["run", "collect"][..],
        &["runs", "redrive", "collect:x"],
        &["crawl", "affise"],
        &["jobs", "start", "x"],
        &["gold", "build", "daily_report_sub5"],
        &["query", "DROP TABLE x"],
    ] {
        assert!(program.refusal(verb, 4).contains("protected"), "{verb:?}");
    }
    program.answer(&["status"], 0);
    program.refusal(&["run", "collect", "--confirm", "pr-other"], 2);
    assert_eq!(desk.account.proxy.seen("StartExecution").len(), 0);
    program.answer(&["run", "collect", "--confirm", "pr-guard"], 0);
    assert_eq!(desk.account.proxy.seen("StartExecution").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_credentials_and_a_dead_endpoint_are_told_apart() {
    let desk = Desk::new("pr-trouble", "").await;
    let program = Program::of(&desk, "");
    desk.account.proxy.fault(
        "ListStateMachines",
        1,
        Fault::Refuse(400, "ExpiredTokenException"),
    );
    assert!(
        program
            .refusal(&["runs", "list"], 5)
            .contains("ExpiredTokenException")
    );
    let config = std::fs::read_to_string(program.folder().join("config.toml")).unwrap();
    let config = config.replace(&desk.account.proxy.url, "http://127.0.0.1:9");
    std::fs::write(program.folder().join("config.toml"), config).unwrap();
    let words = program.refusal(&["runs", "list"], 5);
    assert!(words.contains("DispatchFailure"), "{words}");
}
