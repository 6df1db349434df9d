//! Step Functions. moto's interpreter runs the machines; its histories have AWS's shapes, but it knows no quotas, no
//! redrive inside a Map, and refuses nothing that IAM would refuse. What moto does not page, the proxy pages.

use std::collections::HashMap;

use lakehand::{
    ops::{ExecutionStatus, OpsErrorKind, Redrive, StageStatus, StartRequest},
    pipeline::window::Window,
    platform::definitions::{Target, definitions},
    workflow::history::EventType,
};
use serde_json::{Value, json};

use super::{
    desk::{Desk, reads_parameter, refusal, start, waits},
    proxy::Fault,
};

/// A canned answer that lives as long as the tests.
fn canned(body: Value) -> Fault {
    Fault::Answer(200, Box::leak(body.to_string().into_boxed_str()))
}

#[tokio::test]
async fn the_pattern_finds_ours_and_the_profile_names_others() {
    let desk = Desk::new(
        "wf-list",
        "[profiles.wf-list.aws.state_machines]\nnightly = \"some-other-nightly\"\ngone = \"not-there\"\n",
    )
    .await;
    desk.machine("daily-report", &waits(0)).await;
    desk.machine_named("wf-listed-elsewhere", &waits(0)).await;
    let foreign = json!({ "Comment": "made by hand", "QueryLanguage": "JSONata", "StartAt": "Each", "States": {
        "Each": { "Type": "Pass", "Output": "{% $states.input %}", "Next": "Done" }, "Done": { "Type": "Succeed" } } });
    desk.machine_named("some-other-nightly", &foreign).await;
    let board = desk.operations().board().await.unwrap();
    let unread: Vec<String> = board.unread.iter().map(|one| one.line()).collect();
    assert_eq!(unread.len(), 1, "{unread:?}");
    assert!(
        unread[0].starts_with(
            "gone cannot be read: the profile wf-list names the state machine not-there for gone"
        ),
        "{unread:?}"
    );
    let cards: HashMap<String, (String, Vec<String>)> = board
        .workflows
        .into_iter()
        .map(|card| {
            let stages = card.stages.into_iter().map(|stage| stage.name).collect();
            (card.name.to_string(), (card.description, stages))
        })
        .collect();
    let mut names: Vec<&String> = cards.keys().collect();
    names.sort();
    assert_eq!(names, ["daily-report", "gone", "nightly"]);
    assert_eq!(cards["daily-report"].1, ["Wait"]);
    let (note, stages) = &cards["nightly"];
    assert_eq!(stages, &["Each", "Done"], "its states are drawn");
    assert_eq!(note, "made by hand", "JSONata is read as it is");
    let unknown = refusal(desk.operations().start(start("weekly", None)).await);
    assert_eq!(unknown.kind, OpsErrorKind::NotFound);
    assert!(
        unknown.message.contains("daily-report, nightly"),
        "{unknown}"
    );
}

#[tokio::test]
async fn a_start_under_a_taken_name_is_refused_and_not_doubled() {
    let desk = Desk::new("wf-start", "").await;
    desk.machine("daily-report", &waits(0)).await;
    desk.machine("slow", &waits(600)).await;
    let operations = desk.operations();
    let id = operations
        .start(start(
            "daily-report",
            Some("daily-report-scheduled-20260131T0900Z"),
        ))
        .await
        .unwrap();
    let detail = desk.ended(&id).await;
    assert_eq!(detail.summary.status, ExecutionStatus::Succeeded);
    assert_eq!(detail.summary.name, "daily-report-scheduled-20260131T0900Z");
    assert_eq!(
        detail.summary.window.unwrap().to_string(),
        start("x", None).window.unwrap().to_string()
    );
    let input: Value = serde_json::from_str(&detail.input).unwrap();
    assert_eq!(
        input["window"],
        json!({ "from": "2026-01-24", "to": "2026-01-31" })
    );
    assert_eq!(detail.stages[0].name, "Wait");
    assert_eq!(detail.stages[0].status, StageStatus::Succeeded);
    let again = operations
        .start(start(
            "daily-report",
            Some("daily-report-scheduled-20260131T0900Z"),
        ))
        .await;
    assert_eq!(refusal(again).kind, OpsErrorKind::Conflict);
    // Without a name, workflow, window and input make one: the same start while it runs is the same execution.
    let first = operations.start(start("slow", None)).await.unwrap();
    assert_eq!(
        refusal(operations.start(start("slow", None)).await).kind,
        OpsErrorKind::Conflict
    );
    assert_eq!(
        operations
            .executions(Some(&"slow".into()), 10)
            .await
            .unwrap()
            .len(),
        1
    );
    operations.stop(&first, "no longer wanted").await.unwrap();
    // And once it has ended, the window can be run again on purpose.
    let second = operations.start(start("slow", None)).await.unwrap();
    assert_eq!(second.to_string(), format!("{first}-2"));
    let bad = refusal(operations.start(start("slow", Some("no spaces"))).await);
    assert_eq!(bad.kind, OpsErrorKind::InvalidInput);
    operations.stop(&second, "done").await.unwrap();
}

/// A machine that waits stands for a collection under way; that it is ours, the canned definition says.
#[tokio::test]
async fn a_second_collection_of_the_same_days_is_refused_on_our_machine_and_not_on_a_foreign_one() {
    let desk = Desk::new("wf-twice", "").await;
    let arn = desk.machine("collect", &waits(600)).await;
    let account = arn.split(':').nth(4).unwrap();
    let target = Target::on_aws(
        &desk.account.profile,
        account,
        arn.split(':').nth(3).unwrap(),
    );
    let (_, ours) = definitions(&target)
        .unwrap()
        .into_iter()
        .find(|(name, _)| *name == "collect")
        .unwrap();
    let operations = desk.operations();
    let first = operations
        .start(start("collect", Some("first")))
        .await
        .unwrap();
    let of = |name: &str, streams: Value| StartRequest {
        input: json!({ "streams": streams }),
        ..start("collect", Some(name))
    };
    // Whoever else's machine it is: what its input means is not ours to say.
    let foreign = operations
        .start(of("foreign", json!(["affise.clicks"])))
        .await
        .unwrap();
    operations.stop(&foreign, "done").await.unwrap();

    let operations = desk.as_profile(|_| {}).await;
    desk.account.proxy.fault(
        "DescribeStateMachineForExecution",
        9,
        canned(json!({ "stateMachineArn": arn, "name": "collect", "definition": ours, "roleArn": super::desk::ROLE, "updateDate": 1.7e9 })),
    );
    let refused = refusal(
        operations
            .start(of("second", json!(["affise.clicks"])))
            .await,
    );
    assert_eq!(refused.kind, OpsErrorKind::Conflict);
    assert!(
        refused.message.contains("first collects the same"),
        "{refused}"
    );
    let mut other_days = start("collect", Some("other-days"));
    other_days.window = Some(Window::parse("2026-02-01", "2026-02-02").unwrap());
    let other_days = operations.start(other_days).await.unwrap();
    for id in [&first, &other_days] {
        operations.stop(id, "done").await.unwrap();
    }
    let second = operations
        .start(of("third", json!(["affise.clicks"])))
        .await
        .unwrap();
    operations.stop(&second, "done").await.unwrap();
}

#[tokio::test]
async fn a_running_execution_is_stopped_and_an_ended_one_is_not() {
    let desk = Desk::new("wf-stop", "").await;
    desk.machine("collect", &waits(600)).await;
    let operations = desk.operations();
    let id = operations
        .start(start("collect", Some("to-be-stopped")))
        .await
        .unwrap();
    let running = operations.execution(&id, 0).await.unwrap();
    assert_eq!(running.summary.status, ExecutionStatus::Running);
    assert!(matches!(running.redrive, Redrive::NotPossible { .. }));
    operations.stop(&id, "stopped by a test").await.unwrap();
    let stopped = desk.ended(&id).await;
    assert_eq!(stopped.summary.status, ExecutionStatus::Aborted);
    assert_eq!(
        refusal(operations.stop(&id, "again").await).kind,
        OpsErrorKind::NotPossible
    );
    for unknown in [
        "arn:aws:states:eu-west-1:123456789012:execution:wf-stop-test-collect:nobody",
        "collect:nobody",
        "nobody",
    ] {
        let error = refusal(operations.execution(&unknown.into(), 0).await);
        assert_eq!(error.kind, OpsErrorKind::NotFound, "{unknown}: {error}");
    }
}

#[tokio::test]
async fn a_failure_is_explained_and_redriven_from_where_it_failed() {
    let desk = Desk::new("wf-redrive", "").await;
    desk.machine("daily-report", &reads_parameter("/wf-redrive/late"))
        .await;
    let operations = desk.operations();
    let id = operations
        .start(start("daily-report", Some("fails-first")))
        .await
        .unwrap();
    let failed = desk.ended(&id).await;
    assert_eq!(failed.summary.status, ExecutionStatus::Failed);
    let cause = failed.root_cause.expect("a root cause");
    assert_eq!(cause.stage, "Read");
    assert_eq!(cause.error, "Ssm.ParameterNotFoundException");
    assert_eq!(failed.summary.current_stage.as_deref(), Some("Read"));
    let Redrive::Possible { stages, .. } = failed.redrive else {
        panic!("{:?}", failed.redrive)
    };
    assert_eq!(stages, ["Read"]);
    // What AWS says against a redrive counts, and is shown with its reason.
    let described = json!({ "executionArn": id.to_string(), "stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:x",
        "name": "fails-first", "status": "FAILED", "startDate": 1.0, "stopDate": 2.0, "input": "{}",
        "redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": "Execution is older than 14 days" });
    desk.account
        .proxy
        .fault("DescribeExecution", 1, canned(described));
    let error = refusal(operations.redrive(&id).await);
    assert_eq!(error.kind, OpsErrorKind::NotPossible);
    assert!(error.message.contains("older than 14 days"), "{error}");
    desk.parameter("/wf-redrive/late").await;
    let known = failed.events.last().unwrap().id;
    operations.redrive(&id).await.unwrap();
    let detail = desk.ended(&id).await;
    assert_eq!(detail.summary.status, ExecutionStatus::Succeeded);
    assert_eq!(detail.summary.redrives, 1);
    let news = operations.execution(&id, known).await.unwrap().events;
    assert_eq!(news[0].event_type, EventType::ExecutionRedriven);
    assert!(
        news.windows(2).all(|pair| pair[0].id + 1 == pair[1].id),
        "no event is missing or doubled"
    );
    assert_eq!(
        refusal(operations.redrive(&id).await).kind,
        OpsErrorKind::NotPossible
    );
}

#[tokio::test]
async fn what_a_stopped_build_had_ready_is_not_put_over_a_later_one() {
    let desk = Desk::new("wf-stale", "").await;
    let commits = json!({ "StartAt": "ReplaceWindow", "States": {
        "ReplaceWindow": { "Type": "Wait", "Seconds": 600, "End": true } } });
    desk.machine("daily-report", &commits).await;
    let operations = desk.operations();
    let begin = async |name: &str, from: &str, to: &str| {
        let mut request = start("daily-report", Some(name));
        request.window = Some(Window::parse(from, to).unwrap());
        operations.start(request).await.unwrap()
    };
    let stopped = begin("stopped", "2026-01-24", "2026-01-31").await;
    operations.stop(&stopped, "by a test").await.unwrap();
    let possible = desk.ended(&stopped).await.redrive;
    assert!(
        matches!(&possible, Redrive::Possible { stages, .. } if stages == &["ReplaceWindow"]),
        "{possible:?}"
    );
    let elsewhere = begin("other-days", "2026-01-01", "2026-01-23").await;
    let still = operations.execution(&stopped, 0).await.unwrap().redrive;
    assert_eq!(still, possible, "other days are no concern of it");
    operations.stop(&elsewhere, "by a test").await.unwrap();
    let later = begin("one-day-of-it", "2026-01-31", "2026-02-02").await;
    let now = operations.execution(&stopped, 0).await.unwrap().redrive;
    let Redrive::NotPossible { reason } = now else {
        panic!("{now:?}")
    };
    assert!(reason.contains("one-day-of-it"), "{reason}");
    let refused = refusal(operations.redrive(&stopped).await);
    assert_eq!(refused.kind, OpsErrorKind::NotPossible);
    assert!(
        refused
            .message
            .contains("one-day-of-it is working on the same days now"),
        "{refused}"
    );
    assert_eq!(desk.account.proxy.seen("RedriveExecution").len(), 0);
    operations.stop(&later, "by a test").await.unwrap();
}

#[tokio::test]
async fn a_stop_frees_the_lease_by_whatever_name_the_execution_is_called() {
    let desk = Desk::new("wf-lease", "").await;
    desk.machine("daily-report", &waits(600)).await;
    let operations = desk.operations();
    let arn = operations
        .start(start("daily-report", Some("holds-it")))
        .await
        .unwrap();
    let held = json!({ "owner": arn.to_string(), "until": "2026-01-31T12:00:00Z" }).to_string();
    let bucket = desk.account.profile.std_bucket();
    let key = "_state/leases/daily_report_sub5.json";
    desk.account.put(&bucket, key, held.into_bytes()).await;
    let path = format!("{bucket}/{key}");
    let other = operations
        .start(start("daily-report", Some("waits-for-it")))
        .await
        .unwrap();
    assert!(desk.account.object(&path).await.is_some(), "it is running");
    let short = "daily-report:holds-it".into();
    operations.stop(&short, "by a test").await.unwrap();
    assert_eq!(desk.account.object(&path).await, None);
    // Stopped in AWS's own console: the next start sees that nobody is behind the lease any more.
    let held = json!({ "owner": other.to_string() }).to_string();
    desk.account.put(&bucket, key, held.into_bytes()).await;
    let stop = json!({ "executionArn": other.to_string() });
    desk.states("StopExecution", stop).await;
    desk.ended(&other).await;
    let next = operations
        .start(start("daily-report", Some("next")))
        .await
        .unwrap();
    assert_eq!(desk.account.object(&path).await, None);
    operations.stop(&next, "by a test").await.unwrap();
}

#[tokio::test]
async fn a_history_of_many_pages_is_read_from_the_newest_back() {
    let desk = Desk::new("wf-long", "").await;
    // Three hundred turns of a loop of three states: more events than fit on a page.
    let definition = json!({ "StartAt": "Zero", "States": {
        "Zero": { "Type": "Pass", "Result": { "n": 0 }, "Next": "Add" },
        "Add": { "Type": "Pass", "Parameters": { "n.$": "States.MathAdd($.n, 1)" }, "Next": "Enough" },
        "Enough": { "Type": "Choice", "Choices": [{ "Variable": "$.n", "NumericLessThan": 300, "Next": "Add" }], "Default": "Done" },
        "Done": { "Type": "Succeed" } } });
    desk.machine("loop", &definition).await;
    let operations = desk.operations();
    let id = operations.start(start("loop", Some("long"))).await.unwrap();
    let detail = desk.ended(&id).await;
    assert_eq!(detail.summary.status, ExecutionStatus::Succeeded);
    assert!(detail.events.len() > 1000, "{} events", detail.events.len());
    let ids: Vec<u64> = detail.events.iter().map(|event| event.id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    // The emulator's own count, forwards.
    let whole = desk
        .states(
            "GetExecutionHistory",
            json!({ "executionArn": id.to_string(), "maxResults": 5000 }),
        )
        .await;
    assert_eq!(whole["events"].as_array().unwrap().len(), ids.len());
    // It has ended: nobody asks again.
    let asked = desk.account.proxy.seen("GetExecutionHistory").len();
    operations.execution(&id, 10).await.unwrap();
    assert_eq!(desk.account.proxy.seen("GetExecutionHistory").len(), asked);
    // A fresh console reads it whole, by pages of a thousand.
    let fresh = desk.as_profile(|_| {}).await;
    assert_eq!(
        fresh.execution(&id, 0).await.unwrap().events.len(),
        ids.len()
    );
    assert_eq!(
        desk.account.proxy.seen("GetExecutionHistory").len(),
        asked + 2
    );
}

#[tokio::test]
async fn lists_are_read_page_by_page_and_rarely() {
    let desk = Desk::new("wf-pages", "").await;
    let arn = desk.machine("a", &waits(0)).await;
    let second = desk.machine("b", &waits(0)).await;
    let proxy = &desk.account.proxy;
    let machine = |arn: &str, name: &str| json!({ "stateMachineArn": arn, "name": name, "type": "STANDARD", "creationDate": 1.0 });
    proxy.fault(
        "ListStateMachines",
        1,
        canned(json!({ "stateMachines": [machine(&arn, "wf-pages-test-a")], "nextToken": "2" })),
    );
    proxy.fault(
        "ListStateMachines",
        1,
        canned(json!({ "stateMachines": [machine(&second, "wf-pages-test-b")] })),
    );
    let execution = |name: &str, started: f64| {
        json!({ "executionArn": format!("{}:{name}", arn.replace("stateMachine", "execution")),
        "stateMachineArn": arn, "name": name, "status": "SUCCEEDED", "startDate": started, "stopDate": started + 1.0 })
    };
    proxy.fault(
        "ListExecutions",
        1,
        canned(json!({ "executions": [execution("new", 200.0)], "nextToken": "2" })),
    );
    proxy.fault(
        "ListExecutions",
        1,
        canned(json!({ "executions": [execution("old", 100.0)] })),
    );
    let described = |name: &str, started: f64| {
        let mut answer = execution(name, started);
        answer["input"] = json!(r#"{"window":{"from":"2026-01-01","to":"2026-01-08"}}"#);
        answer
    };
    proxy.fault("DescribeExecution", 1, canned(described("new", 200.0)));
    proxy.fault("DescribeExecution", 1, canned(described("old", 100.0)));
    let operations = desk.operations();
    let all = operations.executions(Some(&"a".into()), 10).await.unwrap();
    let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["new", "old"]);
    assert!(all.iter().all(|one| one.window.is_some()));
    assert_eq!(proxy.seen("ListStateMachines").len(), 2);
    assert_eq!(proxy.seen("ListExecutions").len(), 2);
    // Both machines are known, and what was read a moment ago is not read again.
    for _ in 0..5 {
        let both = operations.executions(None, 2).await.unwrap();
        assert_eq!(both.len(), 2);
    }
    assert_eq!(proxy.seen("ListStateMachines").len(), 2);
    assert_eq!(
        proxy.seen("ListExecutions").len(),
        3,
        "one more: the other machine's"
    );
    assert_eq!(
        proxy.seen("DescribeExecution").len(),
        2,
        "what has ended is described once"
    );
}

#[tokio::test]
async fn what_aws_tells_late_is_waited_for_and_what_never_was_is_not() {
    let desk = Desk::new("wf-late", "").await;
    desk.machine("daily-report", &reads_parameter("/wf-late/late"))
        .await;
    let (operations, proxy) = (desk.operations(), &desk.account.proxy);
    let id = operations
        .start(start("daily-report", Some("late")))
        .await
        .unwrap();
    // DescribeExecution does not know yet what StartExecution has made.
    let asked = || proxy.seen("DescribeExecution").len();
    let before = asked();
    proxy.fault(
        "DescribeExecution",
        3,
        Fault::Refuse(400, "ExecutionDoesNotExist"),
    );
    operations.execution(&id, 0).await.unwrap();
    assert!(asked() >= before + 4, "{} after {before}", asked());

    // After a redrive it tells of the failure before.
    let failed = desk.ended(&id).await;
    assert_eq!(failed.summary.status, ExecutionStatus::Failed);
    let old = desk
        .states(
            "DescribeExecution",
            json!({ "executionArn": id.to_string() }),
        )
        .await;
    desk.parameter("/wf-late/late").await;
    operations.redrive(&id).await.unwrap();
    proxy.fault("DescribeExecution", 3, canned(old));
    let now = operations.execution(&id, 0).await.unwrap();
    assert_ne!(
        now.summary.status,
        ExecutionStatus::Failed,
        "the failure is of before the redrive"
    );
    assert_eq!(now.summary.redrives, 1);
    assert_eq!(
        desk.ended(&id).await.summary.status,
        ExecutionStatus::Succeeded
    );

    // What nobody started is not there, at once.
    let before = asked();
    let nobody = refusal(operations.execution(&"daily-report:nobody".into(), 0).await);
    assert_eq!((nobody.kind, asked() - before), (OpsErrorKind::NotFound, 1));
}

/// What it proves beside the words: a Map Run is found in the history and asked for. Its counts are moto's.
#[tokio::test]
async fn a_distributed_map_tells_how_many_items_are_done() {
    let desk = Desk::new("wf-map", "").await;
    let processor = json!({ "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
        "StartAt": "One", "States": { "One": { "Type": "Pass", "End": true } } });
    let definition = json!({ "StartAt": "Days", "States": { "Days": {
        "Type": "Map", "ItemsPath": "$.days", "MaxConcurrency": 1, "ItemProcessor": processor, "End": true } } });
    desk.machine("backfill", &definition).await;
    let operations = desk.operations();
    let mut request = start("backfill", Some("three-days"));
    request.input = json!({ "days": [1, 2, 3] });
    let id = operations.start(request).await.unwrap();
    let detail = desk.ended(&id).await;
    assert_eq!(detail.summary.status, ExecutionStatus::Succeeded);
    let days = detail.stages.iter().find(|stage| stage.name == "Days");
    let days = days.unwrap_or_else(|| panic!("{:?}", detail.stages));
    assert_eq!(days.progress.as_deref(), Some("3 of 3 done"));
    assert!(!desk.account.proxy.seen("DescribeMapRun").is_empty());
}
