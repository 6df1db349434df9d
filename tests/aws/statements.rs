//! The statements of a workgroup. moto lists all of them at once and scans nothing: pages, bytes and statements that
//! run are the proxy's, in AWS's shapes; texts, states and reasons are the emulator's own.

use lakehand::ops::{OpsErrorKind, StatementState};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    desk::{Desk, refusal},
    proxy::Fault,
};

fn canned(body: Value) -> Fault {
    Fault::Answer(200, Box::leak(body.to_string().into_boxed_str()))
}

fn execution(id: &str, kind: &str, state: &str, bytes: u64) -> Value {
    json!({
        "QueryExecutionId": id, "Query": "SELECT 1", "StatementType": kind, "SubstatementType": "SELECT",
        "Status": { "State": state, "SubmissionDateTime": 1000.5, "CompletionDateTime": 1002.0 },
        "Statistics": { "DataScannedInBytes": bytes, "EngineExecutionTimeInMillis": 1200, "QueryQueueTimeInMillis": 40 },
    })
}

#[tokio::test]
async fn what_ran_is_listed_newest_first_with_its_reason() {
    let desk = Desk::new("st-real", "").await;
    desk.account.workgroup().await;
    let cancel = CancellationToken::new();
    let engine = desk.account.engine();
    engine
        .execute("SELECT 1 + 1 AS two", &cancel)
        .await
        .unwrap();
    engine
        .execute("-- a remark\nSELECT nobody FROM nothing", &cancel)
        .await
        .unwrap_err();
    let operations = desk.operations();
    let all = operations.statements(10).await.unwrap();
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(
        (all[0].state, all[0].kind.as_str()),
        (StatementState::Failed, "SELECT")
    );
    assert_eq!(all[0].first_line(), "SELECT nobody FROM nothing");
    assert!(
        all[0].reason.as_deref().unwrap().contains("nothing"),
        "{:?}",
        all[0].reason
    );
    assert_eq!(
        (all[1].state, all[1].sql.as_str()),
        (StatementState::Succeeded, "SELECT 1 + 1 AS two")
    );
    assert!(all[0].submitted >= all[1].submitted && all[1].submitted.is_some());
    assert_eq!(operations.statements(1).await.unwrap(), all[..1]);
    assert_eq!(operations.statement(&all[1].id).await.unwrap(), all[1]);
    let over = refusal(operations.stop_statement(&all[1].id).await);
    assert_eq!(over.kind, OpsErrorKind::NotPossible);
    assert_eq!(desk.account.proxy.seen("StopQueryExecution").len(), 0);
}

#[tokio::test]
async fn pages_are_read_as_far_as_wanted_and_what_athena_did_not_get_to_is_asked_again() {
    let desk = Desk::new("st-pages", "").await;
    let proxy = &desk.account.proxy;
    proxy.fault_of(
        "ListQueryExecutions",
        "\"NextToken\"",
        1,
        canned(json!({ "QueryExecutionIds": ["c", "d"], "NextToken": "3" })),
    );
    proxy.fault(
        "ListQueryExecutions",
        1,
        canned(json!({ "QueryExecutionIds": ["a", "b"], "NextToken": "2" })),
    );
    let unprocessed = |id: &str| json!({ "QueryExecutionId": id, "ErrorCode": "INTERNAL_FAILURE", "ErrorMessage": "later" });
    // The first batch comes out of order and lacks one; the second one is whole.
    proxy.fault_of("BatchGetQueryExecution", "\"a\"", 1, canned(json!({ "QueryExecutions": [execution("b", "DDL", "SUCCEEDED", 0)], "UnprocessedQueryExecutionIds": [unprocessed("a")] })));
    proxy.fault_of(
        "BatchGetQueryExecution",
        "\"a\"",
        1,
        canned(json!({ "QueryExecutions": [execution("a", "DML", "SUCCEEDED", 2_000_000_000)] })),
    );
    proxy.fault_of(
        "BatchGetQueryExecution",
        "\"c\"",
        1,
        canned(json!({ "QueryExecutions": [execution("c", "DML", "CANCELLED", 5)] })),
    );
    let all = desk.operations().statements(3).await.unwrap();
    let told: Vec<(&str, Option<u64>, Option<f64>)> = all
        .iter()
        .map(|one| (one.id.as_str(), one.bytes_scanned, one.dollars))
        .collect();
    // Five dollars a terabyte; ten megabytes at least; DDL is free.
    assert_eq!(
        told,
        [
            ("a", Some(2_000_000_000), Some(0.01)),
            ("b", Some(0), Some(0.0)),
            ("c", Some(5), Some(0.000_05))
        ]
    );
    assert_eq!((all[0].run_ms, all[0].queued_ms), (Some(1_200), Some(40)));
    assert_eq!(proxy.seen("ListQueryExecutions").len(), 2);
    let batches = proxy.bodies("BatchGetQueryExecution");
    assert!(
        !batches[2].contains("\"d\""),
        "no more than is wanted: {batches:?}"
    );
}

#[tokio::test]
async fn a_statement_that_runs_is_stopped_and_one_that_never_was_is_not_there() {
    let desk = Desk::new("st-stop", "").await;
    let (operations, proxy) = (desk.operations(), &desk.account.proxy);
    let running = execution("q-1", "DML", "RUNNING", 0);
    proxy.fault(
        "BatchGetQueryExecution",
        1,
        canned(json!({ "QueryExecutions": [running] })),
    );
    proxy.fault("StopQueryExecution", 1, canned(json!({})));
    operations.stop_statement("q-1").await.unwrap();
    assert_eq!(
        proxy.bodies("StopQueryExecution"),
        [r#"{"QueryExecutionId":"q-1"}"#]
    );

    let unknown = json!({ "QueryExecutionId": "q-2", "ErrorCode": "INVALID_INPUT", "ErrorMessage": "not found" });
    proxy.fault(
        "BatchGetQueryExecution",
        3,
        canned(json!({ "QueryExecutions": [], "UnprocessedQueryExecutionIds": [unknown] })),
    );
    let missing = refusal(operations.statement("q-2").await);
    assert_eq!(missing.kind, OpsErrorKind::NotFound);
    assert!(missing.message.contains("q-2"), "{missing}");

    for code in ["ThrottlingException", "ExpiredTokenException"] {
        proxy.fault("ListQueryExecutions", 1, Fault::Refuse(400, code));
        let error = refusal(operations.statements(5).await);
        assert!(error.message.contains(code), "{error}");
    }
    let read_only = desk.as_profile(|profile| profile.read_only = true).await;
    assert_eq!(
        refusal(read_only.stop_statement("q-1").await).kind,
        OpsErrorKind::ReadOnly
    );
}

/// A console that looks at a build every few seconds must not fill the workgroup with questions of its own.
#[tokio::test]
async fn looking_at_the_datamart_again_asks_athena_nothing_and_the_limit_is_told() {
    let desk = Desk::new("st-quiet", "").await;
    desk.account.workgroup().await;
    desk.machine("datamart", &super::desk::waits(0)).await;
    let (operations, proxy) = (desk.operations(), &desk.account.proxy);
    let group = json!({ "WorkGroup": { "Name": "x", "Configuration": { "BytesScannedCutoffPerQuery": 1_099_511_627_776_u64 } } });
    proxy.fault("GetWorkGroup", 1, canned(group));
    let profile = &desk.account.profile;
    desk.glue(
        "CreateDatabase",
        json!({ "DatabaseInput": { "Name": profile.database() } }),
    )
    .await;
    let table = format!(
        "CREATE TABLE marketing_datamart (datestamp date, sessions bigint) LOCATION 's3://{}/gold/marketing_datamart/' TBLPROPERTIES ('table_type'='ICEBERG')",
        profile.std_bucket()
    );
    for sql in [
        table.as_str(),
        "INSERT INTO marketing_datamart VALUES (DATE '2026-01-31', 7)",
    ] {
        desk.account
            .engine()
            .execute(sql, &CancellationToken::new())
            .await
            .unwrap();
    }
    let first = operations.datamart().await.unwrap();
    assert_eq!(first.scan_limit, Some(1_099_511_627_776));
    assert_eq!(first.rows, Some(1));
    let table = lakehand::pipeline::dataset::GoldTable::MarketingDatamart;
    let asked = |proxy: &super::proxy::Proxy| {
        let all = proxy.bodies("StartQueryExecution");
        all.iter()
            .filter(|body| body.contains("$snapshots"))
            .count()
    };
    let before = asked(proxy);
    for _ in 0..3 {
        operations.datamart().await.unwrap();
        assert_eq!(operations.snapshots(table).await.unwrap().len(), 1);
    }
    assert_eq!(asked(proxy), before, "what was read a moment ago serves");
    operations.forget();
    operations.snapshots(table).await.unwrap();
    assert_eq!(asked(proxy), before + 1, "who asks anew is told anew");
}
