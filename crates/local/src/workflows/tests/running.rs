//! Runs that nobody disturbs but their own tasks.

use super::*;
use crate::logs::LocalLogs;
use lakehand_ops::{ExecutionStatus, OpsErrorKind, ports::Logs};
use lakehand_pipeline::jobs::Level;

fn transient() -> TaskFailure {
    TaskFailure::new("TransientSourceError", "502")
}

#[tokio::test]
async fn a_run_keeps_events_logs_progress_and_output() {
    let folder = tempfile::tempdir().unwrap();
    let resources = Scripted::new().on("work", |call, _| async move {
        call.log.line(Level::Warn, "page 2 came twice");
        call.log.progress("10 rows");
        Ok(json!({ "rows": 10 }))
    });
    let states =
        json!({ "Work": task("work", json!({ "Next": "Done" })), "Done": { "Type": "Succeed" } });
    let (workflows, _) = with_states(folder.path(), "Work", states, resources);
    let input = json!({ "window": { "from": "2026-01-01", "to": "2026-01-02" } });
    let (id, summary) = run(&workflows, input.clone()).await;
    assert_eq!(summary.status, ExecutionStatus::Succeeded);
    assert_eq!(
        summary.window.unwrap().to_string(),
        "2026-01-01..2026-01-02"
    );
    assert_eq!(summary.current_stage.as_deref(), Some("Done"));
    assert_eq!(output(&workflows, &id).await, json!({ "rows": 10 }));
    assert_eq!(
        serde_json::from_str::<Value>(&workflows.payloads(&id).await.unwrap().0).unwrap(),
        input
    );
    let events = history(&workflows, &id).await;
    let expected = [
        "ExecutionStarted",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "SucceedStateEntered",
        "SucceedStateExited",
        "ExecutionSucceeded",
    ];
    assert_eq!(types(&events), expected);
    assert_eq!(
        types(&workflows.history(&id, 7).await.unwrap()),
        &expected[7..]
    );
    let logs = LocalLogs::new(Arc::clone(workflows.store()));
    let lines = logs.lines(&id, Some("Work"), 0, 10).await.unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (
            lines[0].line,
            lines[0].level,
            lines[0].attempt,
            lines[0].message.as_str()
        ),
        (1, Level::Warn, 1, "page 2 came twice")
    );
    assert!(
        logs.lines(&id, Some("Done"), 0, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(logs.lines(&id, None, 1, 10).await.unwrap().is_empty());
    assert_eq!(logs.progress(&id).await.unwrap()["Work"], "10 rows");
    assert!(workflows.running_here().is_empty());
}

#[tokio::test]
async fn retries_wait_as_the_definition_says_and_lines_know_their_try() {
    let folder = tempfile::tempdir().unwrap();
    let resources = Scripted::new().on("work", |call, n| async move {
        call.log.line(Level::Info, &format!("try {n}"));
        if n < 3 {
            Err(transient())
        } else {
            Ok(json!("done"))
        }
    });
    let retry = json!([{ "ErrorEquals": ["TransientSourceError"], "IntervalSeconds": 10, "BackoffRate": 3, "MaxAttempts": 5 }]);
    let (workflows, _) = with_states(
        folder.path(),
        "Work",
        json!({ "Work": task("work", json!({ "Retry": retry })) }),
        resources,
    );
    let (id, summary) = run(&workflows, json!({})).await;
    assert_eq!(summary.status, ExecutionStatus::Succeeded);
    let events = history(&workflows, &id).await;
    let starts: Vec<i64> = events
        .iter()
        .filter(|event| event.event_type.name() == "TaskScheduled")
        .map(|event| event.timestamp.as_second())
        .collect();
    let waits: Vec<i64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits == [10, 30], "{waits:?}");
    let lines = LocalLogs::new(Arc::clone(workflows.store()))
        .lines(&id, None, 0, 10)
        .await
        .unwrap();
    let told: Vec<(u32, &str)> = lines
        .iter()
        .filter(|line| line.level == Level::Info)
        .map(|line| (line.attempt, line.message.as_str()))
        .collect();
    assert_eq!(told, [(1, "try 1"), (2, "try 2"), (3, "try 3")]);
}

#[tokio::test]
async fn a_task_that_outlives_its_limit_is_told_and_gone_before_the_next_try() {
    let folder = tempfile::tempdir().unwrap();
    let busy = Arc::new(AtomicU32::new(0));
    let time = VirtualTime::start();
    let resources = {
        let (busy, time) = (Arc::clone(&busy), Arc::clone(&time));
        Scripted::new().on("work", move |call, n| {
            let (busy, time) = (Arc::clone(&busy), Arc::clone(&time));
            async move {
                assert_eq!(busy.fetch_add(1, Ordering::SeqCst), 0, "two tries at once");
                if n == 1 {
                    call.cancel.cancelled().await;
                    time.sleep(3).await;
                }
                busy.fetch_sub(1, Ordering::SeqCst);
                Ok(json!(n))
            }
        })
    };
    let retry =
        json!([{ "ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 1 }]);
    let states = json!({ "Work": task("work", json!({ "TimeoutSeconds": 60, "Retry": retry })) });
    let (workflows, _) = with_states_at(folder.path(), "Work", states, resources, time);
    let (id, summary) = run(&workflows, json!({})).await;
    assert_eq!(summary.status, ExecutionStatus::Succeeded);
    assert_eq!(output(&workflows, &id).await, json!(2));
    assert!(types(&history(&workflows, &id).await).contains(&"TaskTimedOut"));
}

#[tokio::test]
async fn progress_is_the_heartbeat() {
    let folder = tempfile::tempdir().unwrap();
    let time = VirtualTime::start();
    let resources = {
        let time = Arc::clone(&time);
        Scripted::new().on("work", move |call, n| {
            let time = Arc::clone(&time);
            async move {
                for _ in 0..10 {
                    time.sleep(40).await;
                    call.log.progress("alive");
                }
                if n == 1 {
                    // Silence.
                    time.sleep(80_000).await;
                }
                Ok(json!(n))
            }
        })
    };
    let retry = json!([{ "ErrorEquals": ["States.HeartbeatTimeout"], "IntervalSeconds": 1, "MaxAttempts": 1 }]);
    let states = json!({ "Work": task("work", json!({ "TimeoutSeconds": 90_000, "HeartbeatSeconds": 60, "Retry": retry })) });
    let (workflows, resources) = with_states_at(folder.path(), "Work", states, resources, time);
    let (id, summary) = run(&workflows, json!({})).await;
    assert_eq!(
        (summary.status, output(&workflows, &id).await),
        (ExecutionStatus::Succeeded, json!(2))
    );
    assert_eq!(resources.names().len(), 2);
    let ended = summary
        .ended
        .unwrap()
        .duration_since(summary.started)
        .as_secs();
    assert!(
        (400 + 60 + 400..900).contains(&ended),
        "silence was noticed after {ended} s in all"
    );
}

#[tokio::test]
async fn stopping_ends_the_task_first_and_then_the_execution() {
    let folder = tempfile::tempdir().unwrap();
    let ended = Arc::new(AtomicU32::new(0));
    let resources = {
        let ended = Arc::clone(&ended);
        Scripted::new().on("work", move |call, _| {
            let ended = Arc::clone(&ended);
            async move {
                call.cancel.cancelled().await;
                ended.fetch_add(1, Ordering::SeqCst);
                Err(TaskFailure::new("Cancelled", "stopped"))
            }
        })
    };
    let (workflows, _) = with_states(
        folder.path(),
        "Work",
        json!({ "Work": task("work", json!({})) }),
        resources,
    );
    let id = workflows.start(request("w", json!({}))).await.unwrap();
    while workflows.history(&id, 3).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    workflows.stop(&id, "wrong window").await.unwrap();
    assert_eq!(ended.load(Ordering::SeqCst), 1);
    let summary = workflows.describe(&id).await.unwrap();
    assert_eq!(
        (summary.status, summary.current_stage.as_deref()),
        (ExecutionStatus::Aborted, Some("Work"))
    );
    let last = history(&workflows, &id).await.pop().unwrap();
    assert_eq!(
        (last.event_type.name(), last.details.cause.as_deref()),
        ("ExecutionAborted", Some("wrong window"))
    );
    assert_eq!(
        workflows.stop(&id, "again").await.unwrap_err().kind,
        OpsErrorKind::NotPossible
    );
}

#[tokio::test]
async fn a_task_that_ignores_its_cancellation_is_ended_after_a_grace_time() {
    let folder = tempfile::tempdir().unwrap();
    let resources = Scripted::new().on("work", |_, _| async { std::future::pending().await });
    let (workflows, _) = with_states(
        folder.path(),
        "Work",
        json!({ "Work": task("work", json!({ "TimeoutSeconds": 5 })) }),
        resources,
    );
    let (_, summary) = run(&workflows, json!({})).await;
    assert_eq!(
        (summary.status, summary.error.as_deref()),
        (ExecutionStatus::Failed, Some("States.Timeout"))
    );
}

#[tokio::test]
async fn a_panic_is_a_failure_of_the_task() {
    let folder = tempfile::tempdir().unwrap();
    let resources = Scripted::new().on("work", |_, n| async move {
        assert!(n > 1, "an index out of bounds");
        Ok(json!(n))
    });
    let states = json!({ "Work": task("work", json!({})) });
    let (workflows, _) = with_states(folder.path(), "Work", states, resources);
    let (id, summary) = run(&workflows, json!({})).await;
    assert_eq!(
        (summary.status, summary.error.as_deref()),
        (ExecutionStatus::Failed, Some("Lambda.Unknown"))
    );
    assert!(
        history(&workflows, &id)
            .await
            .pop()
            .unwrap()
            .details
            .cause
            .unwrap()
            .contains("an index out of bounds")
    );
    workflows.redrive(&id).await.unwrap();
    let again = workflows.wait(&id).await.unwrap();
    assert_eq!(
        (again.status, again.redrives, again.error),
        (ExecutionStatus::Succeeded, 1, None)
    );
}

#[tokio::test]
async fn what_cannot_run_here_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let states = json!({ "Ship": { "Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "End": true } });
    let (workflows, _) = with_states(folder.path(), "Ship", states, Scripted::new());
    let error = workflows.start(request("w", json!({}))).await.unwrap_err();
    assert_eq!(error.kind, OpsErrorKind::InvalidInput);
    assert!(
        error.message.contains("'Ship'") && error.message.contains("glue:startJobRun.sync"),
        "{error}"
    );
    assert_eq!(
        workflows
            .start(request("nosuch", json!({})))
            .await
            .unwrap_err()
            .kind,
        OpsErrorKind::NotFound
    );
    assert_eq!(
        workflows
            .start(request("w", json!([1])))
            .await
            .unwrap_err()
            .kind,
        OpsErrorKind::InvalidInput
    );
    assert!(workflows.executions(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let folder = tempfile::tempdir().unwrap();
    let (workflows, _) = with_states(
        folder.path(),
        "P",
        json!({ "P": { "Type": "Pass", "End": true } }),
        Scripted::new(),
    );
    let named = |name: &str| StartRequest {
        name: Some(name.to_owned()),
        ..request("w", json!({}))
    };
    let id = workflows.start(named("morning")).await.unwrap();
    assert_eq!(id.as_ref(), "w:morning");
    assert_eq!(
        workflows.start(named("morning")).await.unwrap_err().kind,
        OpsErrorKind::Conflict
    );
    assert_eq!(
        workflows.start(named("a b")).await.unwrap_err().kind,
        OpsErrorKind::InvalidInput
    );
    let long = "x".repeat(81);
    assert_eq!(
        workflows.start(named(&long)).await.unwrap_err().kind,
        OpsErrorKind::InvalidInput
    );
}

fn parent(action: &str) -> Value {
    json!({ "Child": {
        "Type": "Task", "Resource": format!("arn:aws:states:::states:startExecution{action}"), "End": true,
        "Parameters": {
            "StateMachineArn": "arn:aws:states:local:000000000000:stateMachine:lakehand-test-child",
            "Input": { "n": 7, "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$": "$$.Execution.Id" },
        },
    } })
}

fn nested(folder: &Path, action: &str, resources: Scripted) -> (LocalWorkflows, Arc<Scripted>) {
    let resources = Arc::new(resources);
    let text =
        |start: &str, states: Value| json!({ "StartAt": start, "States": states }).to_string();
    let (outer, inner) = (
        text("Child", parent(action)),
        text("Work", json!({ "Work": task("work", json!({})) })),
    );
    (
        open(
            folder,
            &[("w", &outer), ("child", &inner)],
            resources.clone(),
            VirtualTime::start(),
        ),
        resources,
    )
}

#[tokio::test]
async fn a_child_execution_answers_as_on_aws() {
    let folder = tempfile::tempdir().unwrap();
    let resources = Scripted::new().says("work", |input, _| {
        Ok(json!({ "twice": input["n"].as_u64().unwrap() * 2 }))
    });
    let (workflows, _) = nested(folder.path(), ".sync:2", resources);
    let (id, summary) = run(&workflows, json!({})).await;
    assert_eq!(summary.status, ExecutionStatus::Succeeded);
    let answer = output(&workflows, &id).await;
    assert_eq!(
        (&answer["Status"], &answer["Output"], &answer["Input"]["n"]),
        (&json!("SUCCEEDED"), &json!({ "twice": 14 }), &json!(7))
    );
    assert_eq!(
        answer["Input"]["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"],
        json!(id.to_string())
    );
    let child: ExecutionId = answer["ExecutionArn"].as_str().unwrap().into();
    assert_eq!(
        workflows.describe(&child).await.unwrap().workflow,
        "child".into()
    );
    assert!(types(&history(&workflows, &id).await).contains(&"TaskSubmitted"));
}

#[tokio::test]
async fn a_failed_child_fails_its_parent_with_the_childs_error_inside() {
    let folder = tempfile::tempdir().unwrap();
    let resources = Scripted::new().says("work", |_, n| {
        if n == 1 {
            Err(TaskFailure::new("BadCredentials", "no key"))
        } else {
            Ok(json!(n))
        }
    });
    let (workflows, _) = nested(folder.path(), ".sync:2", resources);
    let (id, summary) = run(&workflows, json!({})).await;
    assert_eq!(
        (summary.status, summary.error.as_deref()),
        (ExecutionStatus::Failed, Some("States.TaskFailed"))
    );
    let timeline = lakehand_workflow::history::Timeline::of(&history(&workflows, &id).await);
    let cause = lakehand_ops::triage::root_cause(&timeline).unwrap();
    assert_eq!(
        (
            cause.error.as_str(),
            cause.cause.as_str(),
            cause.retry_helps
        ),
        ("BadCredentials", "no key", Some(false))
    );
    workflows.redrive(&id).await.unwrap();
    assert_eq!(
        workflows.wait(&id).await.unwrap().status,
        ExecutionStatus::Succeeded
    );
}

#[tokio::test]
async fn stopping_a_parent_stops_its_child() {
    let folder = tempfile::tempdir().unwrap();
    let resources = Scripted::new().on("work", |call, _| async move {
        call.cancel.cancelled().await;
        Err(TaskFailure::new("Cancelled", "stopped"))
    });
    let (workflows, scripted) = nested(folder.path(), ".sync:2", resources);
    let id = workflows.start(request("w", json!({}))).await.unwrap();
    while scripted.names().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    workflows.stop(&id, "enough").await.unwrap();
    let all = workflows.executions(None, 10).await.unwrap();
    assert_eq!(all.len(), 2);
    assert!(
        all.iter().all(|one| one.status == ExecutionStatus::Aborted),
        "{all:?}"
    );
}

#[tokio::test]
async fn a_child_without_sync_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let resources = Scripted::new().on("work", |_, _| async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        Ok(json!(1))
    });
    let (workflows, _) = nested(folder.path(), "", resources);
    let (id, summary) = run(&workflows, json!({})).await;
    assert_eq!(summary.status, ExecutionStatus::Succeeded);
    let child: ExecutionId = output(&workflows, &id).await["ExecutionArn"]
        .as_str()
        .unwrap()
        .into();
    assert_eq!(
        workflows.describe(&child).await.unwrap().status,
        ExecutionStatus::Running
    );
    assert_eq!(
        workflows.wait(&child).await.unwrap().status,
        ExecutionStatus::Succeeded
    );
}
