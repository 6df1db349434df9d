//! A daily report whose process is killed in a stage: a redrive is possible, but for newer rows of the same days that
//! are in place, wherever it died and whatever else there is.

use super::{
    built_in::{ATHENA, finish, jobs, window},
    operator::{Desk, desk_over},
    *,
};
use lakehand_ops::{ExecutionStatus, Operations, OpsErrorKind, Redrive};
use lakehand_pipeline::ports::SystemClock;

/// A stage and the call it waits in: a function and how many of its calls came before.
struct Kill {
    stage: &'static str,
    function: &'static str,
    call: u32,
    /// Whether the checks fail first.
    after_a_failure: bool,
    /// Whether a redrive puts rows in place that were built before the kill.
    commits_old_rows: bool,
}

const fn kill(stage: &'static str, function: &'static str, call: u32) -> Kill {
    Kill {
        stage,
        function,
        call,
        after_a_failure: false,
        commits_old_rows: false,
    }
}

const fn between_build_and_commit(kill: Kill) -> Kill {
    Kill {
        commits_old_rows: true,
        ..kill
    }
}

const fn after_a_failure(kill: Kill) -> Kill {
    Kill {
        after_a_failure: true,
        ..kill
    }
}

/// Every task of the daily report but `EndAsFailed`, whose end nothing can come before.
const KILLS: [Kill; 15] = [
    kill("AcquireLease", "acquire-lease", 1),
    kill("UpdateDimensions", "update-dimensions", 1),
    kill("ExtractOfferCaps", "extract-offer-caps", 1),
    kill("CreateTable", ATHENA, 1),
    kill("DropOldStaging", ATHENA, 2),
    kill("BuildWindow", ATHENA, 3),
    between_build_and_commit(kill("CheckQuality", "check-quality", 1)),
    between_build_and_commit(kill("ReplaceWindow", ATHENA, 4)),
    kill("DropStaging", ATHENA, 5),
    kill("ExportReport", "export-report", 1),
    kill("ReleaseLease", "release-lease", 1),
    kill("Notify", "sns:publish", 1),
    after_a_failure(kill("DropStagingAfterFailure", ATHENA, 4)),
    after_a_failure(kill("ReleaseLeaseAfterFailure", "release-lease", 1)),
    after_a_failure(kill("NotifyFailure", "sns:publish", 1)),
];

/// The scripted jobs, one call of which never ends.
fn hanging(resources: Scripted, function: &str, hangs: u32) -> Scripted {
    let answers = resources.answers.get(function).cloned();
    resources.on(function, move |call, n| {
        let answers = answers.clone();
        async move {
            if n == hangs {
                std::future::pending::<()>().await;
            }
            match answers {
                Some(answer) => answer(call, n).await,
                None => Ok(json!({})),
            }
        }
    })
}

fn workflows(folder: &Path, resources: Scripted) -> LocalWorkflows {
    let store = StateStore::open(&folder.join("state.sqlite")).unwrap();
    let render: super::super::RenderSql = Arc::new(|text: &str| {
        lakehand_pipeline::gold::render_workflow(text).map_err(|error| error.to_string())
    });
    let definitions = Definitions::new(super::profile(folder), render);
    // By the machine's clock: what counts is which execution came before which.
    let (clock, waits) = (Arc::new(SystemClock), VirtualTime::start());
    LocalWorkflows::with_waits(store, definitions, Arc::new(resources), clock, waits).unwrap()
}

async fn reach(workflows: &LocalWorkflows, stage: &str) -> ExecutionId {
    let id = workflows
        .start(request("daily-report", window()))
        .await
        .unwrap();
    let at = || async { workflows.describe(&id).await.unwrap().current_stage };
    while at().await.as_deref() != Some(stage) {
        let status = workflows.describe(&id).await.unwrap().status;
        assert_eq!(status, ExecutionStatus::Running, "it went by {stage}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    id
}

/// A process that starts a report and dies in a stage of it.
fn killed_in(folder: &Path, kill: &Kill) -> ExecutionId {
    in_a_process(async {
        let mut resources = jobs();
        if kill.after_a_failure {
            resources = resources.says("check-quality", |_, _| {
                Err(TaskFailure::new("QualityCheckFailed", "no rows"))
            });
        }
        let workflows = workflows(folder, hanging(resources, kill.function, kill.call));
        reach(&workflows, kill.stage).await
    })
}

async fn told(desk: &Desk, id: &ExecutionId) -> Redrive {
    desk.operator.execution(id, 0).await.unwrap().redrive
}

/// The redrive of a killed report is offered for its stage and nothing else, or refused for a reason with these words.
async fn assert_told(desk: &Desk, id: &ExecutionId, kill: &Kill, refusal: Option<[&str; 2]>) {
    match (told(desk, id).await, refusal) {
        (Redrive::Possible { stages, known, .. }, None) => {
            assert_eq!(stages, [kill.stage]);
            assert!(known, "{} is a stage of ours", kill.stage);
        }
        (Redrive::NotPossible { reason }, Some(words)) => assert!(
            words.iter().all(|word| reason.contains(word)),
            "{}: {reason}",
            kill.stage
        ),
        (told, _) => panic!("{}: {told:?}", kill.stage),
    }
}

/// What is said of a report killed in a stage, beside others of the same days, and what a redrive then does.
async fn look_and_redrive(desk: Desk, id: &ExecutionId, kill: &Kill) {
    let status = desk.workflows.describe(id).await.unwrap().status;
    assert_eq!(status, ExecutionStatus::Interrupted, "{}", kill.stage);
    // One that ended before it began, and a dead one beside it, are no reason.
    assert_told(&desk, id, kill, None).await;
    let running = reach(&desk.workflows, "UpdateDimensions").await;
    let name = running.as_ref().rsplit(':').next().unwrap();
    let works = ["is working on the same days now", name];
    assert_told(&desk, id, kill, kill.commits_old_rows.then_some(works)).await;
    desk.operator.stop(&running, "enough").await.unwrap();
    assert_told(&desk, id, kill, None).await;
    let (later, summary) = finish(&desk.workflows, "daily-report").await;
    assert_eq!(summary.status, ExecutionStatus::Succeeded);
    let name = later.as_ref().rsplit(':').next().unwrap();
    let newer = ["has put newer rows of the same days in place", name];
    assert_told(&desk, id, kill, kill.commits_old_rows.then_some(newer)).await;
    match desk.operator.redrive(id).await {
        Ok(()) => {
            assert!(!kill.commits_old_rows, "{}", kill.stage);
            let ended = desk.workflows.wait(id).await.unwrap();
            assert_eq!(ended.status, ExecutionStatus::Succeeded, "{}", kill.stage);
        }
        Err(error) => {
            assert!(kill.commits_old_rows, "{}: {error}", kill.stage);
            assert_eq!(error.kind, OpsErrorKind::NotPossible);
        }
    }
}

#[test]
fn a_report_killed_in_any_stage_is_redriven_unless_newer_rows_are_in_place() {
    for kill in &KILLS {
        let folder = tempfile::tempdir().unwrap();
        in_a_process(async {
            let workflows = workflows(folder.path(), jobs());
            let (_, summary) = finish(&workflows, "daily-report").await;
            assert_eq!(summary.status, ExecutionStatus::Succeeded);
        });
        let id = killed_in(folder.path(), kill);
        killed_in(
            folder.path(),
            &self::kill("UpdateDimensions", "update-dimensions", 1),
        );
        in_a_process(async {
            // The first call is the one that the look at a running report waits in.
            let resources = jobs().on("update-dimensions", |call, n| async move {
                if n == 1 {
                    call.cancel.cancelled().await;
                    return Err(TaskFailure::new("Cancelled", "stopped"));
                }
                Ok(json!({}))
            });
            let workflows = workflows(folder.path(), resources);
            look_and_redrive(desk_over(folder, workflows, |_| {}), &id, kill).await;
        });
    }
}
