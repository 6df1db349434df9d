//! The workflows in `assets/workflows`, run with scripted jobs.

use super::*;
use lakehand_ops::{ExecutionStatus, stages::stage_name, triage};
use lakehand_pipeline::gold;
use lakehand_workflow::history::Timeline;

pub(super) fn built_in(folder: &Path, resources: Scripted) -> (LocalWorkflows, Arc<Scripted>) {
    let store = StateStore::open(&folder.join("state.sqlite")).unwrap();
    let render: super::super::RenderSql =
        Arc::new(|text: &str| gold::render_workflow(text).map_err(|error| error.to_string()));
    let resources = Arc::new(resources);
    let definitions = Definitions::new(profile(folder), render);
    let time = VirtualTime::start();
    (
        LocalWorkflows::with_waits(store, definitions, resources.clone(), time.clone(), time)
            .unwrap(),
        resources,
    )
}

pub(super) const ATHENA: &str = "athena:startQueryExecution.sync";

pub(super) fn jobs() -> Scripted {
    let athena = |call: TaskCall, _| async move {
        let sql = call.parameters["QueryString"].clone();
        assert!(!sql.as_str().unwrap().contains("${"), "{sql}");
        Ok(
            json!({ "QueryExecution": { "QueryExecutionId": "q", "Query": sql, "Statistics": { "DataScannedInBytes": 5 }, "Status": { "State": "SUCCEEDED" } } }),
        )
    };
    Scripted::new()
        .on(ATHENA, athena)
        .says("export-report", |_, _| Ok(json!({ "name": "sub5-20260131-0900.csv", "rows": 3 })))
        .says("collect", |input, _| Ok(json!({ "rows": 1, "stream": input["stream"] })))
        .says("plan-backfill", |_, _| {
            let day = |day: u32| json!({ "from": format!("2026-01-{day:02}"), "to": format!("2026-01-{day:02}") });
            Ok(json!({ "chunks": [day(3), day(2), day(1)] }))
        })
}

pub(super) fn window() -> Value {
    json!({ "window": { "from": "2026-01-01", "to": "2026-01-03" } })
}

pub(super) async fn finish(
    workflows: &LocalWorkflows,
    workflow: &str,
) -> (ExecutionId, ExecutionSummary) {
    let id = workflows.start(request(workflow, window())).await.unwrap();
    let summary = workflows.wait(&id).await.unwrap();
    (id, summary)
}

#[tokio::test]
async fn the_daily_report_runs_its_stages_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (workflows, resources) = built_in(folder.path(), jobs());
    let (id, summary) = finish(&workflows, "daily-report").await;
    assert_eq!(
        summary.status,
        ExecutionStatus::Succeeded,
        "{:?}",
        history(&workflows, &id).await.last()
    );
    let order = [
        "acquire-lease",
        "update-dimensions",
        "extract-offer-caps",
        ATHENA,
        ATHENA,
        ATHENA,
        "check-quality",
        ATHENA,
        ATHENA,
        "export-report",
        "release-lease",
        "sns:publish",
    ];
    assert_eq!(resources.names(), order);
    let calls = resources.calls.lock().unwrap().clone();
    let of = |name: &str| calls.iter().find(|(one, _)| one == name).unwrap().1["Payload"].clone();
    let check = of("check-quality");
    let staging = check["staging"].as_str().unwrap();
    assert!(
        staging.starts_with("daily_report_sub5_staging_")
            && staging
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_'),
        "{staging}"
    );
    assert_eq!(
        (&check["execution"], &check["window"]),
        (&json!(id.to_string()), &window()["window"])
    );
    assert_eq!(
        of("acquire-lease")["lease"],
        json!("gold/daily_report_sub5")
    );
    let notice = &calls.last().unwrap().1["Message"];
    assert_eq!(
        notice,
        &json!("Daily report 2026-01-01 to 2026-01-03: 3 rows in sub5-20260131-0900.csv")
    );
    let dropped = calls
        .iter()
        .filter(|(_, call)| call["QueryString"] == json!(format!("DROP TABLE IF EXISTS {staging}")))
        .count();
    assert_eq!(dropped, 2, "the staging table is dropped before and after");
}

/// What `plan-datamart` answers.
fn plan(mode: &str) -> Value {
    json!({
        "mode": mode, "ga_table": "ga_traffic", "ga_source": "session_source", "ga_medium": "session_medium",
        "ga_campaign": "session_campaign_name", "ga_sessions": "sessions", "ga_users": "total_users",
        "ga_conversions": "key_events", "zone": "Europe/Berlin", "business_unit": "O''Brien",
    })
}

#[tokio::test]
async fn the_datamart_is_planned_staged_checked_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (workflows, resources) = built_in(
        folder.path(),
        jobs().says("plan-datamart", |_, _| Ok(plan("table"))),
    );
    let (id, summary) = finish(&workflows, "datamart").await;
    assert_eq!(
        summary.status,
        ExecutionStatus::Succeeded,
        "{:?}",
        history(&workflows, &id).await.last()
    );
    let order = [
        "acquire-lease",
        "plan-datamart",
        ATHENA,
        ATHENA,
        ATHENA,
        "check-quality",
        ATHENA,
        ATHENA,
        "release-lease",
        "sns:publish",
    ];
    assert_eq!(resources.names(), order);
    let calls = resources.calls.lock().unwrap().clone();
    let statements: Vec<&str> = calls
        .iter()
        .filter_map(|(_, call)| call["QueryString"].as_str())
        .collect();
    let of = |name: &str| calls.iter().find(|(one, _)| one == name).unwrap().1["Payload"].clone();
    let staging = of("check-quality")["staging"].clone();
    let staging = staging.as_str().unwrap();
    assert!(staging.starts_with("marketing_datamart_staging_"));
    assert_eq!(
        of("acquire-lease")["lease"],
        json!("gold/marketing_datamart")
    );
    assert!(statements[0].starts_with("CREATE TABLE IF NOT EXISTS marketing_datamart"));
    let build = statements[2];
    assert!(
        build.starts_with(&format!("CREATE TABLE {staging}")),
        "{build}"
    );
    for part in [
        "FROM ga_traffic",
        "NULLIF('O''Brien', '')",
        "AT TIME ZONE 'Europe/Berlin'",
        "CAST(key_events AS",
    ] {
        assert!(build.contains(part), "{part}: {build}");
    }
    assert!(statements[3].starts_with("MERGE INTO marketing_datamart"));
    let output = workflows.payloads(&id).await.unwrap().1.unwrap();
    let output: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(
        (
            &output["built"]["bytes_scanned"],
            &output["replaced"]["bytes_scanned"]
        ),
        (&json!(5), &json!(5))
    );
}

#[tokio::test]
async fn a_datamart_that_is_a_view_is_made_and_then_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (workflows, resources) = built_in(
        folder.path(),
        jobs().says("plan-datamart", |_, _| Ok(plan("view"))),
    );
    let (_, summary) = finish(&workflows, "datamart").await;
    assert_eq!(summary.status, ExecutionStatus::Succeeded);
    let order = [
        "acquire-lease",
        "plan-datamart",
        ATHENA,
        "check-quality",
        "release-lease",
        "sns:publish",
    ];
    assert_eq!(resources.names(), order);
    let calls = resources.calls.lock().unwrap().clone();
    let view = calls[2].1["QueryString"].as_str().unwrap();
    assert!(
        view.starts_with("CREATE OR REPLACE VIEW marketing_datamart AS"),
        "{view}"
    );
    assert_eq!(
        calls[3].1["Payload"]["staging"],
        json!("marketing_datamart")
    );
}

#[tokio::test]
async fn a_failed_report_is_told_cleaned_up_and_goes_on_where_it_failed() {
    let folder = tempfile::tempdir().unwrap();
    let resources = jobs().says("check-quality", |_, n| {
        let cause = json!({ "errorMessage": "sum of clicks: expected 10, found 9", "errorType": "QualityCheckFailed" });
        if n == 1 { Err(TaskFailure::new("QualityCheckFailed", cause.to_string())) } else { Ok(json!({ "checks": 5 })) }
    });
    let (workflows, resources) = built_in(folder.path(), resources);
    let (id, summary) = finish(&workflows, "daily-report").await;
    assert_eq!(
        (summary.status, summary.error.as_deref()),
        (ExecutionStatus::Failed, Some("QualityCheckFailed"))
    );
    assert_eq!(summary.current_stage.as_deref(), Some("CheckQuality"));
    let cause = triage::root_cause(&Timeline::of(&history(&workflows, &id).await)).unwrap();
    assert_eq!(
        (cause.stage.as_str(), cause.cause.as_str()),
        ("CheckQuality", "sum of clicks: expected 10, found 9")
    );
    let first = resources.names();
    assert_eq!(
        first[first.len() - 4..],
        [ATHENA, "release-lease", "sns:publish", "fail-execution"]
    );
    assert!(!first.contains(&"export-report".to_owned()));
    workflows.redrive(&id).await.unwrap();
    assert_eq!(
        workflows.wait(&id).await.unwrap().status,
        ExecutionStatus::Succeeded
    );
    let second = resources.names()[first.len()..].to_vec();
    assert_eq!(
        second[..5],
        ["fail-execution", "acquire-lease", ATHENA, ATHENA, ATHENA]
    );
    assert!(
        !second.contains(&"update-dimensions".to_owned()),
        "what had succeeded ran again: {second:?}"
    );
    assert!(second.contains(&"export-report".to_owned()));
}

#[tokio::test]
async fn a_staging_table_that_a_killed_build_left_behind_is_cleared_once() {
    for (workflow, times, ended) in [
        ("daily-report", 1, ExecutionStatus::Succeeded),
        ("datamart", 1, ExecutionStatus::Succeeded),
        ("daily-report", usize::MAX, ExecutionStatus::Failed),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let built = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = Arc::clone(&built);
        let resources = jobs()
            .says("plan-datamart", |_, _| Ok(plan("table")))
            .on(ATHENA, move |call: TaskCall, _| {
                let sql = call.parameters["QueryString"].as_str().unwrap().to_owned();
                let builds = sql.starts_with("CREATE TABLE") && sql.contains("_staging_");
                let fails = builds
                    && count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < times;
                async move {
                    if fails {
                        let cause = json!({ "Status": { "StateChangeReason": "TABLE_ALREADY_EXISTS: Table 'x' already exists" } });
                        return Err(TaskFailure::new("States.TaskFailed", cause.to_string()));
                    }
                    Ok(json!({ "QueryExecution": { "QueryExecutionId": "q", "Query": sql, "Statistics": { "DataScannedInBytes": 5 } } }))
                }
            });
        let (workflows, _) = built_in(folder.path(), resources);
        let (_, summary) = finish(&workflows, workflow).await;
        assert_eq!(summary.status, ended, "{workflow}");
        assert_eq!(
            built.load(std::sync::atomic::Ordering::Relaxed),
            2,
            "{workflow}"
        );
    }
}

/// Where the statement of a build puts its table; none of another statement.
fn staged_in(sql: &str) -> Option<String> {
    let (_, rest) = sql.split_once("location = '")?;
    let (folder, _) = rest.split_once('\'')?;
    Some(folder.to_owned())
}

/// Jobs with an Athena that builds, or refuses to, by the folder of the build's table.
fn building(refusal: impl Fn(String) -> Option<&'static str> + Send + Sync + 'static) -> Scripted {
    jobs()
        .says("plan-datamart", |_, _| Ok(plan("table")))
        .on(ATHENA, move |call: TaskCall, _| {
            let sql = call.parameters["QueryString"].as_str().unwrap().to_owned();
            let refused = staged_in(&sql).and_then(&refusal);
            async move {
                if let Some(reason) = refused {
                    let cause = json!({ "Status": { "StateChangeReason": reason } });
                    return Err(TaskFailure::new("States.TaskFailed", cause.to_string()));
                }
                Ok(json!({ "QueryExecution": { "QueryExecutionId": "q", "Query": sql, "Statistics": { "DataScannedInBytes": 5 } } }))
            }
        })
}

/// As Athena says it.
const NOT_EMPTY: &str =
    "ICEBERG_FILESYSTEM_ERROR: Cannot create a table on a non-empty location: s3://std/staging/a/1";

/// What it proves: where the machines go. Athena is played: a build that dies leaves files in its folder, and a folder
/// with files takes no table.
#[tokio::test]
async fn files_of_a_build_that_died_block_no_redrive() {
    for (workflow, dying, expected) in [
        ("daily-report", 1, &["1", "1", "2"][..]),
        ("datamart", 1, &["1", "1", "2"][..]),
        ("daily-report", 2, &["1", "1", "2", "2", "3"][..]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folders: Arc<Mutex<Vec<String>>> = Arc::default();
        let asked = Arc::clone(&folders);
        let resources = building(move |folder| {
            let mut folders = folders.lock().unwrap();
            let taken = folders.contains(&folder);
            folders.push(folder);
            let begun: std::collections::HashSet<&String> = folders.iter().collect();
            if taken {
                Some(NOT_EMPTY)
            } else {
                (begun.len() <= dying).then_some("Query exhausted resources at this scale factor")
            }
        });
        let (workflows, _) = built_in(folder.path(), resources);
        let (id, mut summary) = finish(&workflows, workflow).await;
        for _ in 0..dying {
            assert_eq!(summary.status, ExecutionStatus::Failed, "{workflow}");
            workflows.redrive(&id).await.unwrap();
            summary = workflows.wait(&id).await.unwrap();
        }
        assert_eq!(summary.status, ExecutionStatus::Succeeded, "{workflow}");
        let asked = asked.lock().unwrap().clone();
        let places: Vec<&str> = asked
            .iter()
            .map(|folder| folder.trim_end_matches('/').rsplit('/').next().unwrap())
            .collect();
        assert_eq!(places, expected, "{workflow}: {asked:?}");
    }
}

#[tokio::test]
async fn a_build_that_finds_no_empty_folder_gives_up() {
    let folder = tempfile::tempdir().unwrap();
    let (workflows, resources) = built_in(folder.path(), building(|_| Some(NOT_EMPTY)));
    let (_, summary) = finish(&workflows, "daily-report").await;
    assert_eq!(summary.status, ExecutionStatus::Failed);
    let calls = resources.calls.lock().unwrap().clone();
    let folders: std::collections::HashSet<String> = calls
        .iter()
        .filter_map(|(_, call)| staged_in(call["QueryString"].as_str()?))
        .collect();
    assert_eq!(folders.len(), 20);
}

#[tokio::test]
async fn a_lost_commit_race_is_repeated_and_a_held_lease_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let resources = jobs()
        .says("acquire-lease", |_, n| if n < 4 { Err(TaskFailure::new("LeaseHeld", "held by daily-report:x")) } else { Ok(json!({})) })
        .on(ATHENA, |call, n| async move {
            // The fourth statement is the MERGE.
            if n == 4 {
                return Err(TaskFailure::new("States.TaskFailed", "{\"Status\":{\"StateChangeReason\":\"ICEBERG_COMMIT_ERROR: x\"}}"));
            }
            Ok(json!({ "QueryExecution": { "QueryExecutionId": "q", "Query": call.parameters["QueryString"], "Statistics": { "DataScannedInBytes": 5 } } }))
        });
    let (workflows, resources) = built_in(folder.path(), resources);
    let (_, summary) = finish(&workflows, "daily-report").await;
    assert_eq!(summary.status, ExecutionStatus::Succeeded);
    assert_eq!(
        resources
            .names()
            .iter()
            .filter(|name| *name == "acquire-lease")
            .count(),
        4
    );
    assert_eq!(
        resources
            .names()
            .iter()
            .filter(|name| *name == ATHENA)
            .count(),
        6
    );
}

#[tokio::test]
async fn a_stream_that_fails_does_not_stop_the_others_and_alone_runs_again() {
    let folder = tempfile::tempdir().unwrap();
    let failed = Arc::new(AtomicU32::new(0));
    let resources = {
        let failed = Arc::clone(&failed);
        jobs().says("collect", move |input, _| match input["stream"].as_str() {
            Some("affise.clicks") if failed.fetch_add(1, Ordering::SeqCst) == 0 => {
                Err(TaskFailure::new("BadCredentials", "403"))
            }
            _ => Ok(json!({ "rows": 1 })),
        })
    };
    let (workflows, resources) = built_in(folder.path(), resources);
    let (id, summary) = finish(&workflows, "collect").await;
    assert_eq!(
        (summary.status, summary.error.as_deref()),
        (ExecutionStatus::Failed, Some("BadCredentials"))
    );
    assert_eq!(
        summary.current_stage.as_deref(),
        Some("affise.clicks / Collect")
    );
    assert_eq!(
        resources
            .names()
            .iter()
            .filter(|name| *name == "normalise")
            .count(),
        4
    );
    assert!(
        resources
            .names()
            .contains(&"aws-sdk:glue:startCrawler".to_owned()),
        "what was collected is made visible"
    );
    let before = resources.names().len();
    workflows.redrive(&id).await.unwrap();
    assert_eq!(
        workflows.wait(&id).await.unwrap().status,
        ExecutionStatus::Succeeded
    );
    let calls = resources.calls.lock().unwrap()[before..].to_vec();
    let streams: Vec<&Value> = calls
        .iter()
        .filter(|(name, _)| name == "collect")
        .map(|(_, call)| &call["Payload"]["stream"])
        .collect();
    assert_eq!(streams, [&json!("affise.clicks")]);
}

#[tokio::test]
async fn a_parked_stream_fails_nobody_and_the_execution_says_until_when() {
    let until = "2026-01-31T10:00:00Z";
    let failure = json!({ "error": "QuotaExhausted", "cause": "607", "parked_until": until });
    let resources = {
        let failure = failure.clone();
        jobs().says("collect", move |input, _| {
            Ok(match input["stream"].as_str() {
                // Nothing came before the quota was used up.
                Some("affise.offers") => json!({ "failure": failure }),
                // A part is missing, the rest is stored.
                Some("affise.clicks") => {
                    json!({ "rows": 1, "manifest_key": "a", "failure": failure })
                }
                _ => json!({ "rows": 1, "manifest_key": "b" }),
            })
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let (workflows, resources) = built_in(folder.path(), resources);
    let (id, summary) = finish(&workflows, "collect").await;
    assert_eq!(summary.status, ExecutionStatus::Succeeded);
    let calls = resources.calls.lock().unwrap().clone();
    let normalised: Vec<&Value> = calls
        .iter()
        .filter(|(name, _)| name == "normalise")
        .map(|(_, call)| &call["Payload"]["stream"])
        .collect();
    assert_eq!(
        normalised.len(),
        4,
        "all that is stored is normalised: {normalised:?}"
    );
    assert!(!normalised.contains(&&json!("affise.offers")));
    let notices: Vec<&Value> = calls
        .iter()
        .filter(|(name, _)| name.contains("sns"))
        .map(|(_, call)| &call["Message"])
        .collect();
    let notice = notices[0].as_str().unwrap();
    assert_eq!(notices.len(), 1);
    for part in [until, "affise.offers", "affise.clicks", "607"] {
        assert!(notice.contains(part), "{part}: {notice}");
    }
    let definition = workflows.definition(&"collect".into()).await.unwrap();
    let mut folded = lakehand_ops::runs::Folded::default();
    folded.extend(&history(&workflows, &id).await);
    let stages = folded.stages(&definition, &summary, &std::collections::HashMap::new());
    let parked: Vec<(&str, Option<&str>)> = stages
        .iter()
        .filter(|stage| {
            matches!(stage.status, lakehand_ops::StageStatus::Parked { until: at } if at.to_string() == until)
        })
        .map(|stage| (stage.name.as_str(), stage.progress.as_deref()))
        .collect();
    assert_eq!(
        parked,
        [
            ("affise.offers / StreamParked", Some("607")),
            ("affise.clicks / StreamParked", Some("607")),
            ("Parked", Some("607")),
        ]
    );
}

#[tokio::test]
async fn a_stream_that_fails_beside_a_parked_one_fails_the_execution() {
    let resources = jobs().says("collect", |input, _| match input["stream"].as_str() {
        Some("affise.offers") => Ok(
            json!({ "failure": { "error": "QuotaExhausted", "cause": "607", "parked_until": "2026-01-31T10:00:00Z" } }),
        ),
        Some("affise.clicks") => Err(TaskFailure::new("BadCredentials", "403")),
        _ => Ok(json!({ "rows": 1 })),
    });
    let folder = tempfile::tempdir().unwrap();
    let (workflows, _) = built_in(folder.path(), resources);
    let (_, summary) = finish(&workflows, "collect").await;
    assert_eq!(
        (summary.status, summary.error.as_deref()),
        (ExecutionStatus::Failed, Some("BadCredentials"))
    );
}

#[tokio::test]
async fn a_function_that_ran_out_of_time_is_called_again() {
    let calls = Arc::new(AtomicU32::new(0));
    let unfinished = |calls: &Arc<AtomicU32>| {
        let calls = Arc::clone(calls);
        move || calls.fetch_add(1, Ordering::SeqCst) < 2
    };
    let resources = {
        let (again, dimensions) = (unfinished(&calls), unfinished(&Arc::default()));
        jobs()
            .says("collect", move |input, _| {
                Ok(if input["stream"] == "affise.clicks" && again() {
                    json!({ "finished": false })
                } else {
                    json!({ "rows": 1, "manifest_key": "a" })
                })
            })
            .says("update-dimensions", move |_, _| {
                Ok(if dimensions() {
                    json!({ "finished": false })
                } else {
                    json!({})
                })
            })
    };
    let folder = tempfile::tempdir().unwrap();
    let (workflows, resources) = built_in(folder.path(), resources);
    let (_, summary) = finish(&workflows, "collect").await;
    assert_eq!(summary.status, ExecutionStatus::Succeeded);
    let times = |name: &str| {
        let names = resources.names();
        names.iter().filter(|own| *own == name).count()
    };
    assert_eq!(
        (times("collect"), times("normalise")),
        (5 + 2, 5),
        "only what is collected to its end is normalised"
    );
    finish(&workflows, "daily-report").await;
    assert_eq!(times("update-dimensions"), 3);
    assert_eq!(times("extract-offer-caps"), 1);
}

#[tokio::test]
async fn a_backfill_nests_its_chunks_and_repeats_only_the_failed_one() {
    let folder = tempfile::tempdir().unwrap();
    let failed = Arc::new(AtomicU32::new(0));
    let resources = {
        let failed = Arc::clone(&failed);
        jobs().says("normalise", move |input, _| {
            match input["window"]["from"].as_str() {
                Some("2026-01-02") if failed.fetch_add(1, Ordering::SeqCst) == 0 => {
                    Err(TaskFailure::new("DataContractError", "12%"))
                }
                _ => Ok(json!({ "rows": 1 })),
            }
        })
    };
    let (workflows, resources) = built_in(folder.path(), resources);
    let (id, summary) = finish(&workflows, "backfill").await;
    assert_eq!(summary.status, ExecutionStatus::Failed);
    let timeline = Timeline::of(&history(&workflows, &id).await);
    let cause = triage::root_cause(&timeline).unwrap();
    assert_eq!(
        (
            cause.stage.as_str(),
            cause.error.as_str(),
            cause.cause.as_str()
        ),
        ("2026-01-02 / CollectChunk", "DataContractError", "12%")
    );
    assert!(
        (0..timeline.stages.len())
            .any(|index| stage_name(&timeline, index) == "2026-01-01 / BuildChunk"),
        "the third chunk went on"
    );
    assert!(
        !resources.names().contains(&"export-report".to_owned()),
        "a backfill exports no report"
    );
    workflows.redrive(&id).await.unwrap();
    assert_eq!(
        workflows.wait(&id).await.unwrap().status,
        ExecutionStatus::Succeeded
    );
    let children = workflows
        .executions(Some(&"daily-report".into()), 10)
        .await
        .unwrap();
    let windows: Vec<String> = children
        .iter()
        .rev()
        .map(|one| one.window.unwrap().from().to_string())
        .collect();
    assert_eq!(windows, ["2026-01-03", "2026-01-01", "2026-01-02"]);
}

/// What Step Functions lets a state take or give.
const LARGEST_PAYLOAD: usize = 262_144;

/// The largest input or output of a state.
async fn largest_payload(workflows: &LocalWorkflows, id: &ExecutionId) -> usize {
    let events = history(workflows, id).await;
    let sizes = events.iter().flat_map(|event| {
        let details = &event.details;
        [&details.input, &details.output].map(|text| text.as_deref().map_or(0, str::len))
    });
    sizes.max().unwrap()
}

#[tokio::test]
async fn many_failed_chunks_with_long_causes_fit_into_a_payload() {
    let folder = tempfile::tempdir().unwrap();
    let resources = jobs()
        .says("plan-backfill", |_, _| {
            let day = |day: u32| json!({ "from": format!("2026-01-{day:02}"), "to": format!("2026-01-{day:02}") });
            Ok(json!({ "chunks": (1..=31).rev().map(day).collect::<Vec<_>>() }))
        })
        .says("normalise", |_, _| {
            Err(TaskFailure::new("DataContractError", "SELECT 1 ".repeat(1_200)))
        });
    let (workflows, resources) = built_in(folder.path(), resources);
    let (id, summary) = finish(&workflows, "backfill").await;
    assert_eq!(
        (summary.status, summary.error.as_deref()),
        (ExecutionStatus::Failed, Some("DataContractError"))
    );
    let size = largest_payload(&workflows, &id).await;
    assert!(size < LARGEST_PAYLOAD, "{size}");
    let calls = resources.calls.lock().unwrap().clone();
    let notice = calls
        .iter()
        .find(|(_, call)| call["Subject"] == "Backfill failed")
        .map(|(_, call)| call["Message"].clone());
    let told = "Backfill 2026-01-01 to 2026-01-03 failed with DataContractError: \
        chunks that failed: 31, first 2026-01-31 to 2026-01-31; look at its own execution for the cause";
    assert_eq!(notice, Some(json!(told)));
}

#[tokio::test]
async fn streams_of_many_partitions_that_fail_in_part_fit_into_a_payload() {
    let folder = tempfile::tempdir().unwrap();
    let partitions = || vec!["affise/clicks/date=2026-01-01"; 1_000];
    let resources = jobs()
        .says("collect", move |_, _| {
            Ok(json!({
                "rows": 1, "manifest_key": "a", "partitions": partitions(),
                "failure": { "error": "BadCredentials", "cause": "one property" },
            }))
        })
        .says("normalise", move |_, _| {
            Ok(json!({ "partitions": partitions() }))
        });
    let (workflows, _) = built_in(folder.path(), resources);
    let (id, summary) = finish(&workflows, "collect").await;
    assert_eq!(
        (summary.status, summary.error.as_deref()),
        (ExecutionStatus::Failed, Some("BadCredentials"))
    );
    let size = largest_payload(&workflows, &id).await;
    assert!(size < LARGEST_PAYLOAD, "{size}");
}
