//! What a redrive is told of and does after a process was killed, with others before, after and beside it.

use super::{
    built_in::{self, built_in, finish, jobs},
    operator::desk_in,
    *,
};
use lakehand_ops::{ExecutionStatus, Operations, OpsErrorKind, Redrive};
use lakehand_pipeline::ports::{ObjectStore, PutCondition};

const HOUR: Duration = Duration::from_secs(3600);

/// A process in which so many hours have passed, and whose writes end after so many.
fn dies(folder: &Path, workflow: &str, hours: u32, writes: i64) {
    in_a_process(async {
        let (workflows, _) = built_in(folder, jobs());
        workflows.shared.waits.sleep(HOUR * hours).await;
        workflows.store().cut_off_after(writes);
        let named = StartRequest {
            name: Some(format!("after-{hours}")),
            ..request(workflow, built_in::window())
        };
        if let Ok(id) = workflows.start(named).await {
            workflows.wait(&id).await.unwrap();
        }
    });
}

/// Where it died that was killed after so many writes, and whether its redrive was refused while another one had done
/// the same days since; `None` when it got to its end.
fn killed_after(writes: i64, another_since: bool) -> Option<(String, bool)> {
    let folder = tempfile::tempdir().unwrap();
    in_a_process(async {
        let (workflows, _) = built_in(folder.path(), jobs());
        finish(&workflows, "daily-report").await;
    });
    dies(folder.path(), "daily-report", 1, 8);
    dies(folder.path(), "daily-report", 2, writes);
    in_a_process(async {
        let (operator, workflows, _) = desk_in(folder.path(), jobs(), |_| {});
        workflows.shared.waits.sleep(HOUR * 3).await;
        let beside = workflows.describe(&"daily-report:after-1".into()).await;
        assert_eq!(beside.unwrap().status, ExecutionStatus::Interrupted);
        let id: ExecutionId = "daily-report:after-2".into();
        let summary = workflows.describe(&id).await.unwrap();
        if summary.status == ExecutionStatus::Succeeded {
            return None;
        }
        if another_since {
            let (_, other) = finish(&workflows, "daily-report").await;
            assert_eq!(other.status, ExecutionStatus::Succeeded);
        }
        let detail = operator.execution(&id, 0).await.unwrap();
        let remedy = detail.root_cause.unwrap().remedy.unwrap();
        let refused = match detail.redrive {
            Redrive::NotPossible { reason } => {
                assert!(
                    reason.contains("put newer rows of the same days in place"),
                    "{reason}"
                );
                assert!(!remedy.to_lowercase().contains("redrive"), "{remedy}");
                assert!(operator.redrive(&id).await.is_err());
                true
            }
            Redrive::Possible { .. } => {
                operator.redrive(&id).await.unwrap();
                let ended = workflows.wait(&id).await.unwrap();
                assert_eq!(ended.status, ExecutionStatus::Succeeded, "{remedy}");
                false
            }
        };
        Some((summary.current_stage.unwrap(), refused))
    })
}

#[test]
fn a_report_killed_in_any_stage_is_redriven_unless_another_has_committed_since() {
    for another_since in [false, true] {
        let mut seen = Vec::new();
        for writes in 1.. {
            let Some((stage, refused)) = killed_after(writes, another_since) else {
                break;
            };
            let built_but_not_committed = ["CheckQuality", "ReplaceWindow"];
            let expected = another_since && built_but_not_committed.contains(&stage.as_str());
            assert_eq!(
                refused, expected,
                "killed in {stage}, another since: {another_since}"
            );
            seen.push(stage);
        }
        for stage in [
            "UpdateDimensions",
            "BuildWindow",
            "CheckQuality",
            "ReplaceWindow",
            "ExportReport",
            "Notify",
        ] {
            assert!(
                seen.iter().any(|one| one == stage),
                "{stage} was not reached: {seen:?}"
            );
        }
    }
}

#[test]
fn a_collection_killed_in_the_middle_names_its_stream_and_takes_up_what_failed_before() {
    let folder = tempfile::tempdir().unwrap();
    let id: ExecutionId = in_a_process(async {
        let resources = jobs().on("collect", |call, _| async move {
            match call.parameters["Payload"]["stream"].as_str() {
                Some("affise.offers") => Err(TaskFailure::new("SourceRefused", "no such field")),
                Some("affise.clicks") => std::future::pending().await,
                _ => Ok(json!({ "rows": 1 })),
            }
        });
        let (workflows, resources) = built_in(folder.path(), resources);
        let input = built_in::window();
        let id = workflows.start(request("collect", input)).await.unwrap();
        // Four streams are collected, three of them normalised, and one hangs.
        while resources
            .names()
            .iter()
            .filter(|name| *name == "normalise")
            .count()
            < 3
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while workflows
            .describe(&id)
            .await
            .unwrap()
            .current_stage
            .as_deref()
            != Some("affise.clicks / Collect")
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        id
    });
    in_a_process(async {
        let (operator, workflows, _) = desk_in(folder.path(), jobs(), |_| {});
        let detail = operator.execution(&id, 0).await.unwrap();
        let cause = detail.root_cause.unwrap();
        assert_eq!(cause.stage, "affise.clicks / Collect");
        let others: Vec<_> = cause
            .others
            .iter()
            .map(|one| (one.stage.as_str(), one.error.as_str()))
            .collect();
        assert_eq!(others, [("affise.offers / Collect", "SourceRefused")]);
        let Redrive::Possible { stages, .. } = detail.redrive else {
            panic!("{:?}", detail.redrive)
        };
        assert_eq!(
            stages,
            ["affise.offers / Collect", "affise.clicks / Collect"]
        );
        operator.redrive(&id).await.unwrap();
        let ended = workflows.wait(&id).await.unwrap();
        assert_eq!(ended.status, ExecutionStatus::Succeeded);
        assert_eq!(ended.redrives, 1);
    });
}

#[tokio::test]
async fn a_redrive_frees_what_the_stopped_hold_and_durations_leave_the_hours_between_out() {
    let folder = tempfile::tempdir().unwrap();
    let resources = jobs()
        .says("collect", |input, n| match input["stream"].as_str() {
            Some("affise.clicks") if n <= 5 => Err(TaskFailure::new("SourceRetired", "gone")),
            _ => Ok(json!({ "rows": 1 })),
        })
        .on("update-dimensions", |call, _| async move {
            call.cancel.cancelled().await;
            Err(TaskFailure::new("Cancelled", "stopped"))
        });
    let (operator, workflows, lake) = desk_in(folder.path(), resources, |_| {});
    let stopped = request("daily-report", built_in::window());
    let stopped = workflows.start(stopped).await.unwrap();
    workflows.stop(&stopped, "enough").await.unwrap();
    let key = "_state/leases/gold/daily_report_sub5.json";
    let lease = json!({ "name": "gold/daily_report_sub5", "owner": stopped.as_ref(), "fence": 1 });
    let lease = lease.to_string();
    ObjectStore::put(lake.std.as_ref(), key, lease.into(), PutCondition::Always)
        .await
        .unwrap();

    let (id, failed) = finish(&workflows, "collect").await;
    assert_eq!(failed.status, ExecutionStatus::Failed);
    workflows.shared.waits.sleep(HOUR * 5).await;
    operator.redrive(&id).await.unwrap();
    assert!(
        lake.std.get(key).await.is_err(),
        "the stopped one's lease was not freed"
    );
    let ended = workflows.wait(&id).await.unwrap();
    assert_eq!(ended.status, ExecutionStatus::Succeeded);
    let (whole, took) = (
        ended.ended.unwrap().duration_since(ended.started),
        ended.took().unwrap(),
    );
    assert!(whole >= SignedDuration::from_hours(5));
    assert!(took < SignedDuration::from_hours(1), "{took}");
    let stages = operator.execution(&id, 0).await.unwrap().stages;
    let gate = stages
        .iter()
        .find(|stage| stage.name == "EndAsFailed")
        .unwrap();
    assert_eq!(gate.status, lakehand_ops::StageStatus::NotReached);
    assert!(stages.iter().all(|stage| {
        stage
            .took()
            .is_none_or(|took| took < SignedDuration::from_hours(1))
    }));
}

#[tokio::test]
async fn a_second_collection_of_the_same_days_and_streams_is_refused_with_the_firsts_name() {
    let folder = tempfile::tempdir().unwrap();
    let hangs = jobs().on("collect", |call, _| async move {
        call.cancel.cancelled().await;
        Err(TaskFailure::new("Cancelled", "stopped"))
    });
    let (workflows, _) = built_in(folder.path(), hangs);
    let first = workflows
        .start(request("collect", built_in::window()))
        .await
        .unwrap();
    let second = workflows
        .start(request("collect", built_in::window()))
        .await;
    let refused = second.unwrap_err();
    assert_eq!(refused.kind, OpsErrorKind::Conflict);
    assert!(refused.message.contains(first.as_ref()), "{refused}");
    let other_days = json!({ "window": { "from": "2026-01-04", "to": "2026-01-04" } });
    let other = workflows
        .start(request("collect", other_days))
        .await
        .unwrap();
    for id in [&first, &other] {
        workflows.stop(id, "enough").await.unwrap();
    }
    workflows
        .start(request("collect", built_in::window()))
        .await
        .unwrap();
}
