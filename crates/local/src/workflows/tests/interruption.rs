//! Processes that die, and what the next one makes of it.

use super::*;
use lakehand_ops::{ExecutionStatus, OpsErrorKind};

/// Two tasks, a Map of three with two tasks each, a Parallel, a Wait, a caught failure: every kind of place to die at.
fn winding() -> Value {
    let iteration = json!({ "StartAt": "Fetch", "States": {
        "Fetch": task("fetch", json!({ "Next": "Store" })),
        "Store": task("store", json!({})),
    } });
    let branch = |function: &str, name: &str| json!({ "StartAt": name, "States": { name: task(function, json!({})) } });
    json!({
        "First": task("first", json!({ "Next": "Each" })),
        "Each": { "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "ItemProcessor": iteration, "ResultPath": "$.stored", "Next": "Pause" },
        "Pause": { "Type": "Wait", "Seconds": 30, "Next": "Both" },
        "Both": { "Type": "Parallel", "Branches": [branch("left", "Left"), branch("right", "Right")], "ResultPath": "$.both", "Next": "Risky" },
        "Risky": task("risky", json!({ "OutputPath": "$", "ResultPath": "$.risky", "Next": "Last",
            "Catch": [{ "ErrorEquals": ["States.ALL"], "ResultPath": "$.caught", "Next": "Last" }] })),
        "Last": { "Type": "Pass", "Parameters": { "stored.$": "$.stored", "both.$": "$.both", "error.$": "$.caught.Error" }, "End": true },
    })
}

fn answers() -> Scripted {
    Scripted::new()
        .says("first", |_, _| Ok(json!({ "items": [1, 2, 3] })))
        .says("fetch", |input, _| Ok(json!({ "n": input })))
        .says("store", |input, _| {
            Ok(json!(input["n"].as_u64().unwrap() * 10))
        })
        .says("left", |_, _| Ok(json!("left")))
        .says("right", |_, _| Ok(json!("right")))
        .says("risky", |_, _| Err(TaskFailure::new("SourceRefused", "no")))
}

fn expected() -> Value {
    json!({ "stored": [10, 20, 30], "both": ["left", "right"], "error": "SourceRefused" })
}

/// Runs until the state file takes no more, in a runtime that then goes away; returns whether it got to the end.
fn live_and_die(folder: &Path, writes: i64) -> bool {
    in_a_process(async {
        let (workflows, _) = with_states(folder, "First", winding(), answers());
        workflows.store().cut_off_after(writes);
        let name = Some("one".to_owned());
        let Ok(id) = workflows
            .start(StartRequest {
                name,
                ..request("w", json!({}))
            })
            .await
        else {
            return false;
        };
        let summary = workflows.wait(&id).await.unwrap();
        assert_eq!(
            summary.status == ExecutionStatus::Succeeded,
            output_of(&workflows, &id).await.is_some()
        );
        summary.status == ExecutionStatus::Succeeded
    })
}

async fn output_of(workflows: &LocalWorkflows, id: &ExecutionId) -> Option<Value> {
    workflows
        .payloads(id)
        .await
        .unwrap()
        .1
        .map(|text| serde_json::from_str(&text).unwrap())
}

#[test]
fn a_death_between_any_two_transactions_changes_nothing_in_the_end() {
    let mut deaths = 0;
    for writes in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let ended = live_and_die(folder.path(), writes);
        in_a_process(async {
            let (workflows, _) = with_states(folder.path(), "First", winding(), answers());
            let id: ExecutionId = "w:one".into();
            if writes == 0 {
                assert_eq!(
                    workflows.describe(&id).await.unwrap_err().kind,
                    OpsErrorKind::NotFound
                );
                return;
            }
            let before = history(&workflows, &id).await;
            if !ended {
                deaths += 1;
                assert_eq!(
                    workflows.describe(&id).await.unwrap().status,
                    ExecutionStatus::Interrupted,
                    "after {writes} writes"
                );
                workflows.redrive(&id).await.unwrap();
                assert_eq!(
                    workflows.wait(&id).await.unwrap().status,
                    ExecutionStatus::Succeeded,
                    "after {writes} writes"
                );
            }
            let after = history(&workflows, &id).await;
            assert_eq!(
                after[..before.len()],
                before[..],
                "after {writes} writes the past was rewritten"
            );
            assert_eq!(
                output(&workflows, &id).await,
                expected(),
                "after {writes} writes"
            );
            let redriven = types(&after)
                .iter()
                .filter(|kind| **kind == "ExecutionRedriven")
                .count();
            assert_eq!(redriven, usize::from(!ended), "after {writes} writes");
        });
        if ended {
            break;
        }
    }
    assert!(deaths > 18, "only {deaths} places to die at were tried");
}

#[test]
fn what_succeeded_before_a_death_does_not_run_again() {
    let folder = tempfile::tempdir().unwrap();
    // Into the middle of the Map.
    live_and_die(folder.path(), 14);
    in_a_process(async {
        let (workflows, resources) = with_states(folder.path(), "First", winding(), answers());
        let id: ExecutionId = "w:one".into();
        let done: Vec<String> = history(&workflows, &id)
            .await
            .iter()
            .filter(|event| event.event_type.name() == "TaskStateExited")
            .filter_map(|event| event.details.name.clone())
            .collect();
        assert!(
            done.contains(&"First".to_owned()) && done.len() < 7,
            "{done:?}"
        );
        workflows.redrive(&id).await.unwrap();
        workflows.wait(&id).await.unwrap();
        let again = resources.names();
        assert!(!again.contains(&"first".to_owned()), "{again:?}");
        let fetched_before = done.iter().filter(|name| *name == "Fetch").count();
        assert_eq!(
            again.iter().filter(|name| *name == "fetch").count(),
            3 - fetched_before,
            "{done:?} then {again:?}"
        );
    });
}

#[tokio::test]
async fn of_two_redrives_at_once_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let slow = || {
        Scripted::new().on("work", |_, n| async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            if n == 1 {
                Err(TaskFailure::new("TransientSourceError", "502"))
            } else {
                Ok(json!(n))
            }
        })
    };
    let states = json!({ "Work": task("work", json!({})) });
    let (first, resources) = with_states(folder.path(), "Work", states.clone(), slow());
    let (id, summary) = run(&first, json!({})).await;
    assert_eq!(summary.status, ExecutionStatus::Failed);
    let (second, others) = with_states(folder.path(), "Work", states, slow());
    let (one, two) = tokio::join!(first.redrive(&id), second.redrive(&id));
    let errors: Vec<_> = [one, two].into_iter().filter_map(Result::err).collect();
    assert_eq!(errors.len(), 1, "both or none won");
    assert_eq!(errors[0].kind, OpsErrorKind::Conflict);
    first.wait(&id).await.unwrap();
    assert_eq!(
        resources.names().len() + others.names().len(),
        2,
        "the task ran twice in the redrive"
    );
    let redriven = types(&history(&second, &id).await)
        .iter()
        .filter(|kind| **kind == "ExecutionRedriven")
        .count();
    assert_eq!(redriven, 1);
}

#[tokio::test]
async fn a_running_or_succeeded_execution_is_not_redriven() {
    let folder = tempfile::tempdir().unwrap();
    let resources = Scripted::new().on("work", |_, _| async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(json!(1))
    });
    let (workflows, _) = with_states(
        folder.path(),
        "Work",
        json!({ "Work": task("work", json!({})) }),
        resources,
    );
    let id = workflows.start(request("w", json!({}))).await.unwrap();
    assert_eq!(
        workflows.redrive(&id).await.unwrap_err().kind,
        OpsErrorKind::Conflict
    );
    assert_eq!(
        workflows.wait(&id).await.unwrap().status,
        ExecutionStatus::Succeeded
    );
    assert_eq!(
        workflows.redrive(&id).await.unwrap_err().kind,
        OpsErrorKind::NotPossible
    );
    assert_eq!(
        workflows
            .redrive(&"w:nosuch".into())
            .await
            .unwrap_err()
            .kind,
        OpsErrorKind::NotFound
    );
}

#[test]
fn an_interrupted_execution_can_be_stopped_instead() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!live_and_die(folder.path(), 6));
    in_a_process(async {
        let (workflows, resources) = with_states(folder.path(), "First", winding(), answers());
        let id: ExecutionId = "w:one".into();
        workflows.stop(&id, "not needed any more").await.unwrap();
        assert_eq!(
            workflows.describe(&id).await.unwrap().status,
            ExecutionStatus::Aborted
        );
        assert_eq!(
            history(&workflows, &id)
                .await
                .pop()
                .unwrap()
                .details
                .cause
                .as_deref(),
            Some("not needed any more")
        );
        assert!(resources.names().is_empty(), "stopping ran something");
        workflows.redrive(&id).await.unwrap();
        assert_eq!(
            workflows.wait(&id).await.unwrap().status,
            ExecutionStatus::Succeeded
        );
        assert_eq!(output(&workflows, &id).await, expected());
    });
}

#[tokio::test]
async fn a_runner_that_was_taken_for_dead_cannot_write_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let resources = Scripted::new().on("work", |_, _| async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(json!("mine"))
    });
    let (workflows, _) = with_states(
        folder.path(),
        "Work",
        json!({ "Work": task("work", json!({})) }),
        resources,
    );
    let id = workflows.start(request("w", json!({}))).await.unwrap();
    // Somebody on another machine takes over.
    let taken = id.to_string();
    workflows
        .store()
        .write(move |transaction| {
            transaction
                .execute(
                    "UPDATE executions SET owner_token = 'theirs' WHERE id = ?1",
                    [taken],
                )
                .unwrap();
            Ok(())
        })
        .await
        .unwrap();
    let before = workflows.history(&id, 0).await.unwrap().len();
    while !workflows.running_here().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let after = history(&workflows, &id).await;
    assert!(
        after.len() <= before + 1,
        "the fenced-off runner wrote events"
    );
    assert!(workflows.payloads(&id).await.unwrap().1.is_none());
}

#[test]
fn an_interrupted_child_is_continued_and_not_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let texts = || {
        let text =
            |start: &str, states: Value| json!({ "StartAt": start, "States": states }).to_string();
        let start = json!({ "Child": { "Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "End": true,
            "Parameters": { "StateMachineArn": "lakehand-test-child", "Input": {} } } });
        let work =
            json!({ "One": task("one", json!({ "Next": "Two" })), "Two": task("two", json!({})) });
        (text("Child", start), text("One", work))
    };
    let die_after = |writes: i64| {
        in_a_process(async {
            let (outer, inner) = texts();
            let workflows = open(
                folder.path(),
                &[("w", &outer), ("child", &inner)],
                Arc::new(Scripted::new()),
                VirtualTime::start(),
            );
            workflows.store().cut_off_after(writes);
            let id = workflows
                .start(StartRequest {
                    name: Some("one".to_owned()),
                    ..request("w", json!({}))
                })
                .await
                .unwrap();
            workflows.wait(&id).await.unwrap().status
        })
    };
    assert_eq!(die_after(6), ExecutionStatus::Interrupted);
    in_a_process(async {
        let (outer, inner) = texts();
        let workflows = open(
            folder.path(),
            &[("w", &outer), ("child", &inner)],
            Arc::new(Scripted::new()),
            VirtualTime::start(),
        );
        let all = workflows.executions(None, 10).await.unwrap();
        assert_eq!(
            all.iter().map(|one| one.status).collect::<Vec<_>>(),
            [ExecutionStatus::Interrupted; 2]
        );
        workflows.redrive(&"w:one".into()).await.unwrap();
        assert_eq!(
            workflows.wait(&"w:one".into()).await.unwrap().status,
            ExecutionStatus::Succeeded
        );
        let all = workflows.executions(None, 10).await.unwrap();
        assert_eq!(all.len(), 2, "a second child was started");
        assert!(
            all.iter()
                .all(|one| one.status == ExecutionStatus::Succeeded)
        );
    });
}
