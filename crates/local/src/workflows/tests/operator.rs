//! What an operator sees of executions, and may do with them.

use std::sync::OnceLock;

use super::{
    built_in::{built_in, finish, jobs},
    *,
};
use crate::{
    LazyEngine, crawler::LocalCrawlers, credentials::LocalCredentials, engine::EngineSettings,
    jobs::LocalJobs, lake::LocalStore, logs::LocalLogs, parameters::FileParameters,
};
use lakehand_config::Schedule;
use lakehand_ops::{
    ExecutionStatus, Identity, Operations, Operator, OperatorParts, OpsErrorKind, Redrive, Stage,
    StageStatus,
};
use lakehand_ops::{Snapshot, ports::Gold};
use lakehand_pipeline::{
    dataset::GoldTable,
    gold::datamart::DatamartPlan,
    jobs::{ErrorType, JobError},
    ports::{Lake, ObjectStore, PutCondition, QueryError, SystemClock},
};

/// Gold that is not there.
#[derive(Debug)]
struct NoGold;

fn no_table<T>() -> Result<T, QueryError> {
    Err(QueryError::Refused {
        code: "TABLE_NOT_FOUND",
        message: "there is none".to_owned(),
    })
}

#[async_trait]
impl Gold for NoGold {
    async fn snapshots(&self, _: GoldTable) -> Result<Vec<Snapshot>, QueryError> {
        no_table()
    }

    async fn restore(&self, _: GoldTable, _: u64) -> Result<Snapshot, QueryError> {
        no_table()
    }

    async fn plan_datamart(&self) -> Result<DatamartPlan, JobError> {
        Err(JobError::new(
            ErrorType::InvalidInput,
            "nothing is configured",
        ))
    }

    async fn explain(&self, _: &str) -> Result<Vec<String>, QueryError> {
        no_table()
    }
}

pub(super) struct Desk {
    folder: tempfile::TempDir,
    pub(super) operator: Operator,
    pub(super) workflows: LocalWorkflows,
    lake: Lake,
}

fn desk(resources: Scripted, change: impl FnOnce(&mut Profile)) -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let (workflows, _) = built_in(folder.path(), resources);
    desk_over(folder, workflows, change)
}

pub(super) fn desk_over(
    folder: tempfile::TempDir,
    workflows: LocalWorkflows,
    change: impl FnOnce(&mut Profile),
) -> Desk {
    let (operator, lake) = operator_over(folder.path(), &workflows, change);
    Desk {
        folder,
        operator,
        workflows,
        lake,
    }
}

/// An operator over a folder that others may have worked in before.
pub(super) fn desk_in(
    folder: &Path,
    resources: Scripted,
    change: impl FnOnce(&mut Profile),
) -> (Operator, LocalWorkflows, Lake) {
    let (workflows, _) = built_in(folder, resources);
    let (operator, lake) = operator_over(folder, &workflows, change);
    (operator, workflows, lake)
}

fn operator_over(
    folder: &Path,
    workflows: &LocalWorkflows,
    change: impl FnOnce(&mut Profile),
) -> (Operator, Lake) {
    let store = |name: &str| -> Arc<dyn ObjectStore> {
        Arc::new(LocalStore::open(folder.join(name)).unwrap())
    };
    let lake = Lake {
        raw: store("raw"),
        std: store("std"),
    };
    (operator_on(folder, workflows, &lake, change), lake)
}

fn operator_on(
    folder: &Path,
    workflows: &LocalWorkflows,
    lake: &Lake,
    change: impl FnOnce(&mut Profile),
) -> Operator {
    let mut profile = Profile::clone(&profile(folder));
    change(&mut profile);
    let profile = Arc::new(profile);
    let crawlers = LocalCrawlers::new(
        Arc::clone(&profile),
        Arc::clone(&lake.std),
        Arc::clone(&workflows.shared.clock),
    );
    Operator::new(OperatorParts {
        identity: Identity {
            profile: "test".to_owned(),
            account: "local".to_owned(),
            region: "this machine".to_owned(),
            lake: String::new(),
            time_zone: "UTC".to_owned(),
            read_only: profile.read_only,
            protected: profile.protected,
            has_sample: false,
            is_configured: true,
        },
        crawlers: Arc::new(crawlers),
        gold: Arc::new(NoGold),
        credentials: credentials(&profile, lake),
        profile,
        logs: Arc::new(LocalLogs::new(Arc::clone(workflows.store()))),
        clock: Arc::clone(&workflows.shared.clock),
        workflows: Arc::new(workflows.clone()),
        lake: lake.clone(),
        account: None,
        glue_jobs: None,
        statements: None,
        sample: None,
    })
}

fn credentials(profile: &Profile, lake: &Lake) -> Arc<LocalCredentials> {
    let profile = Arc::new(profile.clone());
    let parameters = Arc::new(FileParameters::new(profile.parameters_file()));
    let engine = LazyEngine {
        settings: EngineSettings::for_profile(&profile),
        engine: OnceLock::new(),
    };
    let stand_in = Arc::default();
    let jobs = LocalJobs {
        profile,
        lake: lake.clone(),
        parameters: parameters.clone(),
        engine: Arc::new(engine),
        clock: Arc::new(SystemClock),
        stand_in: Arc::clone(&stand_in),
        imports: Arc::default(),
    };
    Arc::new(LocalCredentials {
        parameters,
        jobs: Arc::new(jobs),
        stand_in,
    })
}

fn stage<'a>(stages: &'a [Stage], name: &str) -> &'a Stage {
    stages
        .iter()
        .find(|stage| stage.name == name)
        .unwrap_or_else(|| panic!("no stage {name}"))
}

#[tokio::test]
async fn an_empty_lake_has_a_board_that_offers_the_sample() {
    let at = |at: &str| Schedule::workflow("daily-report", at.parse().unwrap());
    let desk = desk(Scripted::new(), |profile| {
        profile.schedules = vec![at("09:00"), at("14:00")]
    });
    let board = desk.operator.board().await.unwrap();
    assert!(board.lake_is_empty && board.latest_report.is_none());
    assert_eq!(board.today.to_string(), "2026-01-31");
    let names: Vec<String> = board
        .workflows
        .iter()
        .map(|card| card.name.to_string())
        .collect();
    assert_eq!(names, ["collect", "daily-report", "datamart", "backfill"]);
    let card = &board.workflows[1];
    assert!(
        card.executions.is_empty()
            && card
                .stages
                .iter()
                .all(|stage| stage.status == StageStatus::NotReached)
    );
    assert!(card.description.starts_with("Builds the sub5 daily report"));
    // The virtual clock stands at 09:00 sharp.
    assert_eq!(card.next_run.unwrap().to_string(), "2026-01-31T14:00:00Z");
    assert_eq!(board.freshness.len(), 5);
    assert!(
        board
            .freshness
            .iter()
            .all(|stream| stream.collected.is_none() && !stream.late)
    );
}

#[tokio::test]
async fn a_failure_shows_its_cause_its_remedy_and_what_a_redrive_runs() {
    let resources = jobs().says("check-quality", |_, n| {
        if n == 1 {
            Err(TaskFailure::new("QualityCheckFailed", "sums differ"))
        } else {
            Ok(json!({}))
        }
    });
    let desk = desk(resources, |_| {});
    let (id, _) = finish(&desk.workflows, "daily-report").await;
    let detail = desk.operator.execution(&id, 0).await.unwrap();
    let cause = detail.root_cause.unwrap();
    assert_eq!(
        (
            cause.stage.as_str(),
            cause.error.as_str(),
            cause.cause.as_str()
        ),
        ("CheckQuality", "QualityCheckFailed", "sums differ")
    );
    assert!(cause.remedy.unwrap().contains("redrive") && cause.retry_helps == Some(false));
    let Redrive::Possible {
        stages,
        safety,
        known: true,
    } = detail.redrive
    else {
        panic!("{:?}", detail.redrive)
    };
    assert_eq!(
        (stages, safety.as_str()),
        (vec!["CheckQuality".to_owned()], "CheckQuality only reads")
    );
    assert_eq!(
        stage(&detail.stages, "BuildWindow").status,
        StageStatus::Succeeded
    );
    assert_eq!(
        stage(&detail.stages, "CheckQuality").status,
        StageStatus::Caught
    );
    assert_eq!(
        stage(&detail.stages, "ReplaceWindow").status,
        StageStatus::NotReached
    );
    assert_eq!(
        stage(&detail.stages, "EndAsFailed").status,
        StageStatus::Failed
    );
    let input: Value = serde_json::from_str(
        stage(&detail.stages, "CheckQuality")
            .input
            .as_deref()
            .unwrap(),
    )
    .unwrap();
    assert_eq!(input["window"]["from"], json!("2026-01-01"));
    let last = detail.events.last().unwrap().id;
    assert_eq!(detail.events.len() as u64, last);

    desk.operator.redrive(&id).await.unwrap();
    desk.workflows.wait(&id).await.unwrap();
    let again = desk.operator.execution(&id, last).await.unwrap();
    assert_eq!(
        again.events.first().unwrap().id,
        last + 1,
        "only what is new was sent"
    );
    assert!(again.root_cause.is_none());
    assert_eq!(
        (again.summary.status, again.summary.redrives),
        (ExecutionStatus::Succeeded, 1)
    );
    assert_eq!(
        stage(&again.stages, "CheckQuality").status,
        StageStatus::Succeeded
    );
    assert!(matches!(again.redrive, Redrive::NotPossible { .. }));
    let board = desk.operator.board().await.unwrap();
    assert_eq!(board.workflows[1].last_success, again.summary.ended);
    assert!(
        board.workflows[1]
            .stages
            .iter()
            .all(|stage| stage.depth == 0)
    );
    let full = desk.operator.execution(&id, 0).await.unwrap();
    assert_eq!(full.events.len() as u64, full.events.last().unwrap().id);
}

#[tokio::test]
async fn a_waiting_stage_says_what_it_waits_for() {
    let resources = jobs().says("acquire-lease", |_, _| {
        Err(TaskFailure::new("LeaseHeld", "held by daily-report:x"))
    });
    let desk = desk(resources, |_| {});
    let id = desk
        .workflows
        .start(request("daily-report", built_in::window()))
        .await
        .unwrap();
    let mut told = false;
    while !told {
        let detail = desk.operator.execution(&id, 0).await.unwrap();
        if let Some(StageStatus::Waiting { why, .. }) = detail
            .stages
            .iter()
            .find(|stage| stage.name == "AcquireLease")
            .map(|stage| &stage.status)
        {
            assert!(
                why.starts_with("retry ") && why.ends_with(" of 40 after LeaseHeld"),
                "{why}"
            );
            told = true;
        }
        assert!(
            detail.summary.status == ExecutionStatus::Running,
            "it ended before it was seen to wait"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    desk.operator.stop(&id, "enough").await.unwrap();
    assert_eq!(
        desk.workflows.describe(&id).await.unwrap().status,
        ExecutionStatus::Aborted
    );
}

#[tokio::test]
async fn stopping_frees_what_the_execution_held_and_nothing_else() {
    let resources = jobs().on("update-dimensions", |call, _| async move {
        call.cancel.cancelled().await;
        Err(TaskFailure::new("Cancelled", "stopped"))
    });
    let desk = desk(resources, |_| {});
    let id = desk
        .workflows
        .start(request("daily-report", built_in::window()))
        .await
        .unwrap();
    for (name, owner) in [
        ("gold/daily_report_sub5", id.as_ref()),
        ("gold/other", "daily-report:other"),
    ] {
        let lease = json!({ "name": name, "owner": owner, "fence": 1 }).to_string();
        desk.lake
            .std
            .put(
                &format!("_state/leases/{name}.json"),
                lease.into(),
                PutCondition::Always,
            )
            .await
            .unwrap();
    }
    // Before its first stage there is nothing to free and nothing to redrive.
    while desk
        .workflows
        .describe(&id)
        .await
        .unwrap()
        .current_stage
        .is_none_or(|stage| stage != "UpdateDimensions")
    {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    desk.operator.stop(&id, "enough").await.unwrap();
    assert!(
        desk.lake
            .std
            .get("_state/leases/gold/daily_report_sub5.json")
            .await
            .is_err()
    );
    assert!(
        desk.lake
            .std
            .get("_state/leases/gold/other.json")
            .await
            .is_ok()
    );
    let detail = desk.operator.execution(&id, 0).await.unwrap();
    let cause = detail.root_cause.unwrap();
    assert_eq!(
        (cause.error.as_str(), cause.cause.as_str()),
        ("stopped", "enough")
    );
    let Redrive::Possible { stages, .. } = detail.redrive else {
        panic!("{:?}", detail.redrive)
    };
    assert!(!stages.is_empty());
}

#[tokio::test]
async fn streams_that_failed_whole_and_in_part_are_named_and_run_again() {
    let resources = jobs().says("collect", |input, n| match input["stream"].as_str() {
        // The first time a part of one stream and the whole of another fail.
        Some("affise.affiliates") if n <= 5 => Ok(json!({
            "rows": 1, "manifest_key": "a", "failure": { "error": "BadCredentials", "cause": "one property" }
        })),
        Some("affise.clicks") if n <= 5 => Err(TaskFailure::new("SourceRetired", "gone")),
        _ => Ok(json!({ "rows": 1, "manifest_key": "b" })),
    });
    let desk = desk(resources, |_| {});
    let (id, summary) = finish(&desk.workflows, "collect").await;
    let first = "affise.affiliates / Collect";
    assert_eq!(summary.current_stage.as_deref(), Some(first));
    let detail = desk.operator.execution(&id, 0).await.unwrap();
    let cause = detail.root_cause.unwrap();
    assert_eq!(
        (
            cause.stage.as_str(),
            cause.error.as_str(),
            cause.cause.as_str()
        ),
        (first, "BadCredentials", "one property")
    );
    let Redrive::Possible {
        stages,
        safety,
        known: true,
    } = detail.redrive
    else {
        panic!("{:?}", detail.redrive)
    };
    assert_eq!(stages, [first, "affise.clicks / Collect"]);
    assert!(
        safety.starts_with("Collect goes on behind the last page"),
        "{safety}"
    );

    desk.operator.redrive(&id).await.unwrap();
    let ended = desk.workflows.wait(&id).await.unwrap();
    assert_eq!(ended.status, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn a_read_only_profile_changes_nothing() {
    let desk = desk(jobs(), |profile| profile.read_only = true);
    let id: ExecutionId = "daily-report:x".into();
    for result in [
        desk.operator
            .start(request("daily-report", json!({})))
            .await
            .map(|_| ()),
        desk.operator.stop(&id, "x").await,
        desk.operator.redrive(&id).await,
        desk.operator.start_sample().await.map(|_| ()),
    ] {
        assert_eq!(result.unwrap_err().kind, OpsErrorKind::ReadOnly);
    }
    assert!(desk.operator.executions(None, 5).await.unwrap().is_empty());
    assert!(desk.operator.board().await.is_ok());
}

#[tokio::test]
async fn a_start_without_a_window_takes_the_last_eight_days() {
    let desk = desk(jobs(), |_| {});
    let id = desk
        .operator
        .start(request("collect", json!({})))
        .await
        .unwrap();
    let window = desk
        .operator
        .execution(&id, 0)
        .await
        .unwrap()
        .summary
        .window
        .unwrap();
    assert_eq!(window.to_string(), "2026-01-24..2026-01-31");
    assert_eq!(
        desk.operator
            .start(request("nosuch", json!({})))
            .await
            .unwrap_err()
            .kind,
        OpsErrorKind::NotFound
    );
}

#[tokio::test]
async fn reports_are_listed_and_found_by_name() {
    let desk = desk(Scripted::new(), |_| {});
    for (name, created) in [
        ("sub5-20260130-0900", "2026-01-30T09:00:00Z"),
        ("sub5-20260131-0900", "2026-01-31T09:00:00Z"),
    ] {
        let manifest = json!({
            "report": "sub5", "name": format!("{name}.csv"), "key": format!("reports/sub5/{name}.csv"), "rows": 2, "columns": ["a"], "bytes": 10,
            "sha256": "ab", "window": { "from": "2026-01-24", "to": "2026-01-31" }, "time_zone": "UTC", "execution": "x", "created_at": created,
            "sums": {},
        });
        let put = |key: String, text: String| {
            desk.lake.std.put(
                Box::leak(key.into_boxed_str()),
                text.into(),
                PutCondition::Always,
            )
        };
        put(format!("reports/sub5/{name}.csv"), "a\n1\n".to_owned())
            .await
            .unwrap();
        put(
            format!("reports/sub5/{name}.manifest.json"),
            manifest.to_string(),
        )
        .await
        .unwrap();
    }
    let reports = desk.operator.reports().await.unwrap();
    let names: Vec<&str> = reports.iter().map(|report| report.name.as_ref()).collect();
    assert_eq!(names, ["sub5-20260131-0900.csv", "sub5-20260130-0900.csv"]);
    let file = desk.operator.report_file(&reports[0].name).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a\n1\n");
    assert!(file.starts_with(desk.folder.path()));
    let outside = desk
        .operator
        .report_file(&"../../etc/passwd".into())
        .await
        .unwrap_err();
    assert_eq!(outside.kind, OpsErrorKind::NotFound);
    let board = desk.operator.board().await.unwrap();
    assert!(!board.lake_is_empty && board.latest_report.unwrap().name.as_ref() == names[0]);
}

#[tokio::test]
async fn a_downloaded_report_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (workflows, _) = built_in(folder.path(), Scripted::new());
    let store: Arc<dyn ObjectStore> =
        Arc::new(lakehand_pipeline::ports::memory::MemoryStore::new().unwrap());
    let lake = Lake {
        raw: Arc::clone(&store),
        std: store,
    };
    let name = "sub5-20260131-0900.csv";
    let manifest = json!({
        "report": "sub5", "name": name, "key": format!("reports/sub5/{name}"), "rows": 1, "columns": ["a"], "bytes": 4,
        "sha256": "ab", "window": { "from": "2026-01-24", "to": "2026-01-31" }, "time_zone": "UTC", "execution": "x",
        "created_at": "2026-01-31T09:00:00Z", "sums": {},
    });
    for (key, text) in [
        (format!("reports/sub5/{name}"), "a\n1\n".to_owned()),
        (
            "reports/sub5/sub5-20260131-0900.manifest.json".to_owned(),
            manifest.to_string(),
        ),
    ] {
        lake.std
            .put(&key, text.into(), PutCondition::Always)
            .await
            .unwrap();
    }
    let operator = operator_on(folder.path(), &workflows, &lake, |_| {});
    // What an interrupted download of an older version left can be read by everybody.
    let left = folder.path().join("downloads/sub5-20260131-0900.part");
    std::fs::create_dir_all(left.parent().unwrap()).unwrap();
    std::fs::write(&left, "half").unwrap();
    std::fs::set_permissions(&left, std::fs::Permissions::from_mode(0o644)).unwrap();
    let path = operator.report_file(&name.into()).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n1\n");
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

/// A daily report over the same days, stopped while `function` runs.
async fn stopped_in(desk: &Desk, function: &str) -> ExecutionId {
    let id = desk
        .workflows
        .start(request("daily-report", built_in::window()))
        .await
        .unwrap();
    let state = match function {
        "update-dimensions" => "UpdateDimensions",
        "check-quality" => "CheckQuality",
        _ => "ExportReport",
    };
    let stage = || async {
        let summary = desk.workflows.describe(&id).await.unwrap();
        summary.current_stage.unwrap_or_default()
    };
    while stage().await != state {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    desk.operator.stop(&id, "enough").await.unwrap();
    id
}

/// Which calls of a function wait until they are stopped.
fn stuck(resources: Scripted, function: &str, calls: &'static [u32]) -> Scripted {
    resources.on(function, move |call, n| async move {
        if calls.contains(&n) {
            call.cancel.cancelled().await;
            return Err(TaskFailure::new("Cancelled", "stopped"));
        }
        Ok(json!({ "name": "sub5-20260131-0900.csv", "rows": 3 }))
    })
}

#[tokio::test]
async fn a_redrive_is_refused_for_newer_rows_in_place_and_for_nothing_else() {
    for (function, newer_matter) in [
        ("update-dimensions", false),
        ("check-quality", true),
        ("export-report", false),
    ] {
        // The second report stops where it is told to; another dies before it has built anything.
        let resources = match function {
            "update-dimensions" => stuck(jobs(), function, &[2, 3]),
            _ => stuck(stuck(jobs(), function, &[2]), "update-dimensions", &[3]),
        };
        let folder = tempfile::tempdir().unwrap();
        let store = StateStore::open(&folder.path().join("state.sqlite")).unwrap();
        let render: super::super::RenderSql = Arc::new(|text: &str| {
            lakehand_pipeline::gold::render_workflow(text).map_err(|error| error.to_string())
        });
        let definitions = Definitions::new(super::profile(folder.path()), render);
        let workflows = LocalWorkflows::with_waits(
            store,
            definitions,
            Arc::new(resources),
            Arc::new(SystemClock),
            VirtualTime::start(),
        )
        .unwrap();
        let desk = desk_over(folder, workflows, |_| {});
        let of = |id: ExecutionId| {
            let desk = &desk;
            async move { desk.operator.execution(&id, 0).await.unwrap().redrive }
        };
        built_in::finish(&desk.workflows, "daily-report").await;
        let stopped = stopped_in(&desk, function).await;
        let dead = stopped_in(&desk, "update-dimensions").await;
        assert!(desk.workflows.describe(&dead).await.unwrap().status == ExecutionStatus::Aborted);
        let told = of(stopped.clone()).await;
        assert!(
            matches!(told, Redrive::Possible { .. }),
            "{function}, one before and a dead one beside: {told:?}"
        );
        let (later, summary) = built_in::finish(&desk.workflows, "daily-report").await;
        assert_eq!(summary.status, ExecutionStatus::Succeeded);
        match of(stopped.clone()).await {
            Redrive::Possible { .. } => assert!(!newer_matter, "{function}"),
            Redrive::NotPossible { reason } => {
                assert!(newer_matter, "{function}: {reason}");
                let name = later.as_ref().rsplit(':').next().unwrap();
                assert!(reason.contains(name), "{reason}");
                let error = desk.operator.redrive(&stopped).await.unwrap_err();
                assert_eq!(error.kind, OpsErrorKind::NotPossible);
            }
        }
    }
}

#[tokio::test]
async fn of_a_definition_that_is_not_ours_nothing_is_known_whatever_its_stages_are_called() {
    let task = |function: &str, next: &str| {
        let name = format!("${{ProjectName}}-${{Env}}-{function}");
        let mut state = json!({ "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": { "FunctionName": name } });
        match next {
            "" => state["End"] = json!(true),
            next => state["Next"] = json!(next),
        }
        state
    };
    let definition = json!({ "StartAt": "Normalise", "States": {
        "Normalise": task("normalise", "Notify"), "Notify": task("collect", ""),
    } });
    let failing = [("Normalise", "normalise"), ("Notify", "collect")];
    for (failing, function) in failing {
        let folder = tempfile::tempdir().unwrap();
        let resources = Scripted::new()
            .says("normalise", |_, _| Ok(json!({})))
            .says("collect", |_, _| Ok(json!({})))
            .says(function, |_, _| {
                Err(TaskFailure::new("Payments.Declined", "card"))
            });
        let text = definition.to_string();
        let time = VirtualTime::start();
        let workflows = open(
            folder.path(),
            &[("daily-report", text.as_str())],
            Arc::new(resources),
            time,
        );
        let desk = desk_over(folder, workflows, |_| {});
        let (id, _) = finish(&desk.workflows, "daily-report").await;
        let redrive = desk.operator.execution(&id, 0).await.unwrap().redrive;
        let expected = Redrive::Possible {
            stages: vec![failing.to_owned()],
            safety: format!("not known to Lakehand: check that {failing} may run twice"),
            known: false,
        };
        assert_eq!(redrive, expected);
    }
}

#[tokio::test]
async fn a_report_is_on_the_board_as_soon_as_its_execution_has_ended_also_where_listings_are_kept()
{
    // A distant lake, which is not listed at every look.
    let desk = desk(jobs(), |profile| profile.platform = PlatformKind::Aws);
    let newest = async || {
        let board = desk.operator.board().await.unwrap();
        board.latest_report.map(|report| report.name.to_string())
    };
    assert_eq!(newest().await, None);
    let manifest = json!({
        "report": "sub5", "name": "new.csv", "key": "reports/sub5/new.csv", "rows": 1, "columns": ["a"], "bytes": 4,
        "sha256": "ab", "window": { "from": "2026-01-24", "to": "2026-01-31" }, "time_zone": "UTC",
        "execution": "daily-report:x", "created_at": "2026-01-31T09:00:04Z", "sums": {},
    });
    let key = "reports/sub5/new.manifest.json";
    let bytes = manifest.to_string().into_bytes().into();
    desk.lake
        .std
        .put(key, bytes, PutCondition::Always)
        .await
        .unwrap();
    assert_eq!(newest().await, None, "the listing is kept");
    finish(&desk.workflows, "daily-report").await;
    assert_eq!(newest().await.as_deref(), Some("new.csv"));
}
