//! The log lines of an execution's functions. The functions of the emulator are real programs, and their lines real log
//! events; moto writes no START and END around them, and its own request ids are not those of the invocations.

use lakehand::{
    ops::{ExecutionId, ExecutionStatus, OpsErrorKind},
    pipeline::jobs::Level,
};
use serde_json::{Value, json};

use super::{
    desk::{Desk, refusal, start},
    proxy::Fault,
};

/// Prints one line of ours and one of the execution before it, and one of text; fails when asked to.
const PROGRAM: &str = r#"
for execution, request in (("arn:aws:states:eu-west-1:123456789012:execution:other:other", "r-other"), (event["execution"], request)):
    print(json.dumps({"timestamp": "2026-01-31T09:00:00Z", "level": "WARN", "stage": "collect",
                      "execution": execution, "requestId": request, "message": "read page 1 of " + execution[-5:]}))
if event["fail"]:
    raise KeyError("no such stream")
answer = {"rows": 7}
"#;

fn calls(function: &str, stage: &str, fail: bool) -> Value {
    let payload = json!({ "execution.$": "$$.Execution.Id", "stage": stage, "fail": fail });
    json!({ "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": { "FunctionName": function, "Payload": payload }, "ResultPath": null })
}

#[tokio::test]
async fn the_lines_of_a_failed_function_are_found_from_the_history() {
    let desk = Desk::new("lg-lines", "").await;
    let ours = desk.function("collect", PROGRAM);
    let foreign = desk.function(
        "foreign",
        "print('[ERROR] something odd')\nprint('and a word more')\nanswer = {}",
    );
    let mut first = calls(&ours, "Collect", false);
    first["Next"] = json!("Foreign");
    let mut second = calls(&foreign, "Foreign", false);
    second["Next"] = json!("Fail");
    let mut third = calls(&ours, "Fail", true);
    third["End"] = json!(true);
    desk.machine("collect", &json!({ "StartAt": "Collect", "States": { "Collect": first, "Foreign": second, "Fail": third } })).await;
    let operations = desk.operations();
    let id = operations
        .start(start("collect", Some("lines")))
        .await
        .unwrap();
    let detail = desk.ended(&id).await;
    assert_eq!(detail.summary.status, ExecutionStatus::Failed);
    assert_eq!(detail.root_cause.unwrap().error, "KeyError");
    let lines = operations.logs(&id, None, 0, 100).await.unwrap();
    let told: Vec<(&str, Level, &str)> = lines
        .iter()
        .map(|line| (line.stage.as_str(), line.level, line.message.as_str()))
        .collect();
    assert_eq!(
        told.iter()
            .filter(|line| **line == ("Collect", Level::Warn, "read page 1 of lines"))
            .count(),
        1,
        "{told:?}"
    );
    assert_eq!(
        told.iter()
            .filter(|line| **line == ("Fail", Level::Warn, "read page 1 of lines"))
            .count(),
        1,
        "{told:?}"
    );
    assert!(
        told.contains(&("Foreign", Level::Error, "[ERROR] something odd")),
        "{told:?}"
    );
    assert!(
        told.contains(&("Foreign", Level::Info, "and a word more")),
        "{told:?}"
    );
    assert_eq!(told.len(), 4, "and none of another execution: {told:?}");
    let places: Vec<u64> = lines.iter().map(|line| line.line).collect();
    assert_eq!(places, [1, 2, 3, 4]);
    assert_eq!(
        operations.logs(&id, None, 2, 100).await.unwrap(),
        lines[2..]
    );
    assert_eq!(
        operations
            .logs(&id, Some("Fail"), 0, 100)
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(operations.logs(&id, None, 0, 1).await.unwrap().len(), 1);
}

fn event(id: &str, text: &str) -> Value {
    json!({ "eventId": id, "logStreamName": "s", "timestamp": 1000, "message": text })
}

/// A canned answer that lives as long as the tests.
fn canned(body: &Value) -> Fault {
    Fault::Answer(200, Box::leak(body.to_string().into_boxed_str()))
}

fn page(events: &Value, token: Option<&str>) -> Fault {
    let mut body = json!({ "events": events });
    if let Some(token) = token {
        body["nextToken"] = json!(token);
    }
    canned(&body)
}

#[tokio::test]
async fn lines_come_by_the_page_and_a_missing_group_is_said() {
    let desk = Desk::new("lg-pages", "").await;
    let function = desk.function("slow", "answer = {}");
    let mut task = calls(&function, "Slow", false);
    task["End"] = json!(true);
    desk.machine(
        "collect",
        &json!({ "StartAt": "Slow", "States": { "Slow": task } }),
    )
    .await;
    let operations = desk.operations();
    let id = operations
        .start(start("collect", Some("pages")))
        .await
        .unwrap();
    desk.ended(&id).await;
    let proxy = &desk.account.proxy;
    proxy.fault(
        "FilterLogEvents",
        2,
        Fault::Refuse(400, "ResourceNotFoundException"),
    );
    let fresh = desk.as_profile(|_| {}).await;
    let lines = fresh.logs(&id, None, 0, 100).await.unwrap();
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0]
            .message
            .contains("/aws/lambda/lg-pages-test-slow does not exist"),
        "{}",
        lines[0].message
    );
    // By request id nothing is found, then the call's time is read, in two pages.
    let by_id = proxy.seen("FilterLogEvents").len();
    proxy.clear();
    let fresh = desk.as_profile(|_| {}).await;
    if by_id > 1 {
        proxy.fault("FilterLogEvents", 1, page(&json!([]), None));
    }
    proxy.fault(
        "FilterLogEvents",
        1,
        page(&json!([event("1", "one")]), Some("2")),
    );
    proxy.fault(
        "FilterLogEvents",
        1,
        page(&json!([event("2", "two")]), None),
    );
    let lines = fresh.logs(&id, None, 0, 100).await.unwrap();
    let texts: Vec<&str> = lines.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(texts, ["one", "two"]);
    proxy.fault(
        "FilterLogEvents",
        1,
        Fault::Refuse(400, "AccessDeniedException"),
    );
    let fresh = desk.as_profile(|_| {}).await;
    assert_eq!(
        refusal(fresh.logs(&id, None, 0, 100).await).kind,
        OpsErrorKind::Platform
    );
}

/// History and log are AWS's shapes, written by hand: of a call that ended months ago, so that what is read of its log
/// counts as whole at once. A question reads twenty pages, and many of a search's pages are empty.
#[tokio::test]
async fn a_long_log_is_read_on_where_the_last_question_stopped() {
    let desk = Desk::new("lg-long", "").await;
    let at = |second: u32| 1_769_850_000.0 + f64::from(second);
    let history = json!({ "events": [
        { "id": 5, "previousEventId": 4, "timestamp": at(9), "type": "ExecutionFailed",
            "executionFailedEventDetails": { "error": "Sandbox.Timedout" } },
        { "id": 4, "previousEventId": 3, "timestamp": at(9), "type": "LambdaFunctionFailed",
            "lambdaFunctionFailedEventDetails": { "error": "Sandbox.Timedout" } },
        { "id": 3, "previousEventId": 2, "timestamp": at(1), "type": "LambdaFunctionScheduled",
            "lambdaFunctionScheduledEventDetails": { "resource": "arn:aws:lambda:eu-west-1:123456789012:function:long" } },
        { "id": 2, "previousEventId": 1, "timestamp": at(1), "type": "TaskStateEntered",
            "stateEnteredEventDetails": { "name": "Long", "input": "{}" } },
        { "id": 1, "previousEventId": 0, "timestamp": at(0), "type": "ExecutionStarted",
            "executionStartedEventDetails": { "input": "{}" } },
    ] });
    let proxy = &desk.account.proxy;
    proxy.fault("GetExecutionHistory", 1, canned(&history));
    let first = page(&json!([event("1", "one")]), Some("next"));
    proxy.fault("FilterLogEvents", 1, first);
    proxy.fault("FilterLogEvents", 18, page(&json!([]), Some("next")));
    proxy.fault("FilterLogEvents", 1, page(&json!([]), Some("twentieth")));
    let last = page(&json!([event("2", "[ERROR] the end")]), None);
    proxy.fault("FilterLogEvents", 1, last);

    let arn = "arn:aws:states:eu-west-1:123456789012:execution:lg-long-test-collect:long";
    let (id, operations) = (ExecutionId::from(arn), desk.operations());
    for (after, wanted) in [(0, vec!["one"]), (1, vec!["[ERROR] the end"]), (2, vec![])] {
        let lines = operations.logs(&id, None, after, 100).await.unwrap();
        let texts: Vec<&str> = lines.iter().map(|line| line.message.as_str()).collect();
        assert_eq!(texts, wanted);
    }
    let asked = proxy.bodies("FilterLogEvents");
    assert_eq!(asked.len(), 21, "and once it is whole, nobody asks");
    assert!(asked[20].contains("twentieth"), "{}", asked[20]);
}
