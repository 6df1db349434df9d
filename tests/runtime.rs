//! The embedded workflows with real processes: `kill -9`, two processes at once, a stop from outside.
//!
//! The test program starts itself again as the process that is killed: `as_a_child` does nothing unless
//! the variable [`CHILD`] names a folder.

#![cfg(feature = "local")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use lakehand::{
    config::{AffiseSettings, GoldSettings, NormaliseSettings, PlatformKind, Profile},
    ops::{ExecutionId, ExecutionStatus, OpsErrorKind, StartRequest, ports::Workflows},
    pipeline::{jobs::Level, ports::SystemClock},
    platform::local::{
        state::StateStore,
        workflows::{
            LocalWorkflows,
            definitions::Definitions,
            resources::{Resources, TaskCall, TaskFailure},
        },
    },
};
use serde_json::{Value, json};

/// Folder the child works in, and what it does there.
const CHILD: &str = "LAKEHAND_TEST_CHILD";
/// Milliseconds each task takes.
const PAUSE: &str = "LAKEHAND_TEST_PAUSE";
const ID: &str = "work:one";

/// Answers from its input alone, after a pause, and writes a log line.
#[derive(Debug)]
struct Worker {
    pause: Duration,
}

#[async_trait]
impl Resources for Worker {
    fn refusal(&self, _resource: &str) -> Option<String> {
        None
    }

    async fn run(&self, call: TaskCall) -> Result<Value, TaskFailure> {
        call.log.line(
            Level::Info,
            &format!("{} works on {}", call.stage, call.parameters),
        );
        call.log.progress("half way");
        tokio::select! {
            () = tokio::time::sleep(self.pause) => {}
            () = call.cancel.cancelled() => return Err(TaskFailure::new("Cancelled", "stopped")),
        }
        let number = call.parameters["number"].as_i64().unwrap_or(0);
        Ok(json!({ "number": number * 3 + 1, "stage": call.stage }))
    }
}

fn definition() -> String {
    let task = |next: Option<&str>| {
        let mut state = json!({ "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 600 });
        match next {
            Some(next) => state["Next"] = json!(next),
            None => state["End"] = json!(true),
        }
        state
    };
    json!({
        "StartAt": "Numbers",
        "States": {
            "Numbers": { "Type": "Pass", "Result": (0..6).map(|number| json!({ "number": number })).collect::<Vec<_>>(), "ResultPath": "$.items", "Next": "Each" },
            "Each": {
                "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 3, "ResultPath": "$.done", "Next": "Last",
                "ItemProcessor": { "StartAt": "First", "States": { "First": task(Some("Second")), "Second": task(None) } },
            },
            "Last": task(Some("Both")),
            "Both": { "Type": "Parallel", "End": true, "Branches": [
                { "StartAt": "Left", "States": { "Left": task(None) } },
                { "StartAt": "Right", "States": { "Right": task(None) } },
            ] },
        },
    })
    .to_string()
}

fn open(folder: &Path, pause: Duration) -> LocalWorkflows {
    let profile = Arc::new(Profile {
        name: "test".to_owned(),
        platform: PlatformKind::Local,
        project: "lakehand".to_owned(),
        env: "test".to_owned(),
        time_zone: jiff::tz::TimeZone::UTC,
        data_dir: folder.to_owned(),
        affise: AffiseSettings::default(),
        marketo: None,
        ga4: None,
        ga3: None,
        normalise: NormaliseSettings::default(),
        gold: GoldSettings::default(),
        credentials: lakehand::config::CredentialSettings::default(),
        datamart: lakehand::config::DatamartSettings::default(),
        schedules: Vec::new(),
        reports_prefix: None,
        read_only: false,
        protected: false,
        aws: <_>::default(),
    });
    let store = StateStore::open(&profile.state_file()).unwrap();
    let definitions = Definitions::of(
        profile,
        Arc::new(|text: &str| Ok(text.to_owned())),
        &[("work", &definition())],
    );
    LocalWorkflows::new(
        store,
        definitions,
        Arc::new(Worker { pause }),
        Arc::new(SystemClock),
    )
    .unwrap()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// Starts the execution, or goes on with it, and runs it to its end.
#[test]
fn as_a_child() {
    let Ok(folder) = std::env::var(CHILD) else {
        return;
    };
    let pause = Duration::from_millis(std::env::var(PAUSE).unwrap().parse().unwrap());
    block_on(async {
        let workflows = open(Path::new(&folder), pause);
        let id: ExecutionId = ID.into();
        match workflows.describe(&id).await {
            Err(error) if error.kind == OpsErrorKind::NotFound => {
                let name = Some("one".to_owned());
                let request = StartRequest {
                    workflow: "work".into(),
                    window: None,
                    input: json!({}),
                    name,
                };
                workflows.start(request).await.unwrap();
            }
            Ok(summary) if summary.status == ExecutionStatus::Succeeded => return,
            _ => workflows.redrive(&id).await.unwrap(),
        }
        println!("under way");
        workflows.wait(&id).await.unwrap();
    });
}

fn child(folder: &Path, pause_ms: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "as_a_child", "--nocapture"])
        .env(CHILD, folder)
        .env(PAUSE, pause_ms.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Returns the child's output, which must stay open as long as it writes.
fn wait_until_under_way(child: &mut Child) -> impl Sized + use<> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(
        lines
            .by_ref()
            .map_while(Result::ok)
            .any(|line| line.ends_with("under way")),
        "the child did not start"
    );
    lines
}

/// The events as stored, after a look that none is missing or there twice.
async fn events(workflows: &LocalWorkflows) -> Vec<String> {
    let events = match workflows.history(&ID.into(), 0).await {
        Ok(events) => events,
        Err(error) => {
            assert_eq!(error.kind, OpsErrorKind::NotFound);
            Vec::new()
        }
    };
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event.id, place as u64 + 1, "an event is missing or doubled");
    }
    events
        .iter()
        .map(|event| serde_json::to_string(event).unwrap())
        .collect()
}

async fn output(workflows: &LocalWorkflows) -> Option<String> {
    workflows.payloads(&ID.into()).await.unwrap().1
}

#[test]
fn killed_at_twenty_random_moments_and_redriven_it_ends_as_if_nothing_had_been() {
    let undisturbed = tempfile::tempdir().unwrap();
    assert!(child(undisturbed.path(), 1).wait().unwrap().success());
    let expected = block_on(output(&open(undisturbed.path(), Duration::ZERO))).expect("no output");

    let mut killed_in_the_middle = 0;
    let mut rounds = 0;
    while killed_in_the_middle < 20 {
        rounds += 1;
        assert!(
            rounds < 100,
            "it was killed in the middle only {killed_in_the_middle} times"
        );
        let folder = tempfile::tempdir().unwrap();
        killed_in_the_middle += kill_until_it_ends(folder.path(), &expected);
    }
}

/// One execution, killed up to eight times and then left to end; returns how often it was killed in the middle.
fn kill_until_it_ends(folder: &Path, expected: &str) -> u32 {
    let mut past: Vec<String> = Vec::new();
    let mut interrupted = 0;
    for _ in 0..8 {
        let mut process = child(folder, rand::random_range(1..120));
        // Anywhere from before the file is there to well into the run.
        std::thread::sleep(Duration::from_millis(rand::random_range(5..300)));
        process.kill().unwrap();
        process.wait().unwrap();
        let status = block_on(async {
            let workflows = open(folder, Duration::ZERO);
            let now = events(&workflows).await;
            assert!(
                now.len() >= past.len() && now[..past.len()] == past[..],
                "events were lost or changed"
            );
            past = now;
            workflows
                .describe(&ID.into())
                .await
                .ok()
                .map(|summary| summary.status)
        });
        match status {
            None => assert!(past.is_empty()),
            Some(ExecutionStatus::Interrupted) => interrupted += 1,
            Some(status) => {
                assert_eq!(status, ExecutionStatus::Succeeded);
                break;
            }
        }
    }
    assert!(child(folder, 1).wait().unwrap().success());
    block_on(async {
        let workflows = open(folder, Duration::ZERO);
        assert_eq!(events(&workflows).await[..past.len()], past[..]);
        assert_eq!(
            workflows.describe(&ID.into()).await.unwrap().status,
            ExecutionStatus::Succeeded
        );
        assert_eq!(output(&workflows).await.as_deref(), Some(expected));
    });
    interrupted
}

#[test]
fn a_second_process_reads_is_refused_a_redrive_and_can_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = child(folder.path(), 60_000);
    let _output = wait_until_under_way(&mut process);
    block_on(async {
        let workflows = open(folder.path(), Duration::ZERO);
        let id: ExecutionId = ID.into();
        assert_eq!(
            workflows.describe(&id).await.unwrap().status,
            ExecutionStatus::Running
        );
        assert!(!events(&workflows).await.is_empty());
        assert_eq!(
            workflows.redrive(&id).await.unwrap_err().kind,
            OpsErrorKind::Conflict
        );
        workflows.stop(&id, "from outside").await.unwrap();
        let ended = workflows.wait(&id).await.unwrap();
        assert_eq!(ended.status, ExecutionStatus::Aborted);
        let last = workflows.history(&id, 0).await.unwrap().pop().unwrap();
        assert_eq!(last.details.cause.as_deref(), Some("from outside"));
    });
    assert!(process.wait().unwrap().success());
}

#[test]
fn an_execution_whose_process_was_killed_is_interrupted_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = child(folder.path(), 60_000);
    let _output = wait_until_under_way(&mut process);
    process.kill().unwrap();
    // Not reaped yet: a zombie does not run anything.
    block_on(async {
        let workflows = open(folder.path(), Duration::ZERO);
        let mut looks = 0;
        while workflows.describe(&ID.into()).await.unwrap().status != ExecutionStatus::Interrupted {
            looks += 1;
            assert!(looks < 500, "it still counts as running");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    process.wait().unwrap();
}
