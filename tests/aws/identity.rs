//! Whose account it is, and the refusals that hang on it: read-only, protected, another account, expired, throttled.

use lakehand::ops::OpsErrorKind;

use super::{
    desk::{Desk, refusal, start, waits},
    proxy::Fault,
};

#[tokio::test]
async fn the_account_is_shown_once_it_is_known_and_another_one_refuses_changes() {
    let desk = Desk::new("id-account", "").await;
    desk.machine("collect", &waits(0)).await;
    let operations = desk.operations();
    let header = operations.identity();
    assert_eq!(
        (header.profile.as_str(), header.region.as_str()),
        ("id-account", "eu-west-1")
    );
    assert_eq!(
        operations.connection().account,
        None,
        "nobody was asked yet"
    );
    operations.identify().await.unwrap();
    let connection = operations.connection();
    assert_eq!(connection.account.as_deref(), Some("123456789012"));
    assert!(
        connection
            .caller
            .unwrap()
            .starts_with("arn:aws:sts::123456789012:")
    );
    operations.identify().await.unwrap();
    assert_eq!(
        desk.account.proxy.seen("GetCallerIdentity").len(),
        1,
        "asked once"
    );
    let elsewhere = desk
        .as_profile(|profile| profile.aws.account = Some("210987654321".to_owned()))
        .await;
    assert_eq!(
        elsewhere.board().await.unwrap().workflows.len(),
        1,
        "reading is no harm"
    );
    let error = refusal(elsewhere.start(start("collect", None)).await);
    assert_eq!(error.kind, OpsErrorKind::ReadOnly);
    assert!(
        error.message.contains("210987654321") && error.message.contains("123456789012"),
        "{error}"
    );
    assert_eq!(desk.account.proxy.seen("StartExecution").len(), 0);
    let same = desk
        .as_profile(|profile| profile.aws.account = Some("123456789012".to_owned()))
        .await;
    same.start(start("collect", None)).await.unwrap();
}

#[tokio::test]
async fn read_only_and_protected_profiles_refuse_where_changes_are_made() {
    let desk = Desk::new("id-guard", "").await;
    desk.machine("collect", &waits(0)).await;
    let read_only = desk.as_profile(|profile| profile.read_only = true).await;
    let protected = desk.as_profile(|profile| profile.protected = true).await;
    for operations in [&read_only, &protected] {
        let secret = secrecy::SecretString::from("x".to_owned());
        let refused = [
            refusal(operations.start(start("collect", None)).await),
            refusal(operations.stop(&"collect:x".into(), "no").await),
            refusal(operations.redrive(&"collect:x".into()).await),
            refusal(operations.crawl("affise").await),
            refusal(operations.stop_crawler("affise").await),
            refusal(operations.start_glue_job("x", Default::default()).await),
            refusal(operations.stop_glue_job("x", "y").await),
            refusal(operations.set_credential("x", secret, false).await),
            refusal(
                operations
                    .rollback(lakehand::pipeline::dataset::GoldTable::MarketingDatamart, 1)
                    .await,
            ),
            refusal(operations.permit("anything").await),
        ];
        for error in refused {
            assert_eq!(error.kind, OpsErrorKind::ReadOnly, "{error}");
        }
    }
    for call in [
        "StartExecution",
        "StopExecution",
        "RedriveExecution",
        "StartCrawler",
        "StartJobRun",
        "PutParameter",
    ] {
        assert_eq!(desk.account.proxy.seen(call).len(), 0, "{call}");
    }
    assert_eq!(
        refusal(protected.confirmed("id-other")).kind,
        OpsErrorKind::InvalidInput
    );
    let confirmed = protected
        .confirmed("id-guard")
        .unwrap()
        .expect("a handle for changes");
    confirmed.start(start("collect", None)).await.unwrap();
    assert_eq!(
        refusal(protected.start(start("collect", None)).await).kind,
        OpsErrorKind::ReadOnly,
        "one handle, no door left open"
    );
}

#[tokio::test]
async fn expired_credentials_are_told_as_such_until_a_call_succeeds() {
    let desk = Desk::new("id-expired", "login_command = \"echo signed in\"\n").await;
    desk.machine("collect", &waits(0)).await;
    let operations = desk.operations();
    desk.account.proxy.fault(
        "ListStateMachines",
        1,
        Fault::Refuse(400, "ExpiredTokenException"),
    );
    let error = refusal(operations.executions(None, 5).await);
    assert_eq!(error.kind, OpsErrorKind::SignedOut);
    assert!(error.advice.contains("sign in"), "{}", error.advice);
    let connection = operations.connection();
    assert!(
        connection
            .signed_out
            .unwrap()
            .contains("ExpiredTokenException")
    );
    assert_eq!(connection.login_command.as_deref(), Some("echo signed in"));
    operations.executions(None, 5).await.unwrap();
    assert_eq!(operations.connection().signed_out, None);
}

#[tokio::test]
async fn throttling_is_shown_although_the_sdk_gets_over_it() {
    let desk = Desk::new("id-throttled", "attempts = 3\n").await;
    desk.machine("collect", &waits(0)).await;
    let operations = desk.operations();
    operations.executions(None, 5).await.unwrap();
    assert_eq!(operations.connection().throttled_seconds_ago, None);
    desk.account.proxy.fault(
        "DescribeStateMachine",
        1,
        Fault::Refuse(400, "ThrottlingException"),
    );
    operations.board().await.unwrap();
    assert!(operations.connection().throttled_seconds_ago.is_some());
    assert_eq!(desk.account.proxy.seen("DescribeStateMachine").len(), 2);
}

#[tokio::test]
async fn a_clock_that_is_off_is_corrected_where_aws_tells_the_time_and_named_where_it_does_not() {
    const AHEAD: i64 = 20 * 60;
    let desk = Desk::new("id-clock", "attempts = 3\n").await;
    desk.machine("collect", &waits(0)).await;
    let proxy = &desk.account.proxy;
    let clock = |told| Fault::Clock { ahead: AHEAD, told };
    for call in ["ListStateMachines", "GET /id-clock-test-std/here"] {
        proxy.fault(call, 2, clock(true));
    }
    desk.operations().executions(None, 5).await.unwrap();
    assert_eq!(
        proxy.seen("ListStateMachines").len(),
        2,
        "refused, then signed for AWS's time"
    );
    desk.account
        .put("id-clock-test-std", "here", b"x".to_vec())
        .await;
    let (bytes, _) = desk.account.lake().std.get("here").await.unwrap();
    assert_eq!(&bytes[..], b"x");
    assert_eq!(proxy.seen("GET /id-clock-test-std/here").len(), 2);

    // Without a Date nobody knows by how much it is off.
    proxy.clear();
    proxy.fault("ListStateMachines", 3, clock(false));
    let operations = desk.as_profile(|_| {}).await;
    let error = refusal(operations.executions(None, 5).await);
    assert_eq!(error.kind, OpsErrorKind::Platform);
    assert!(error.message.contains("Signature expired"), "{error}");
    assert!(
        error.advice.contains("the clock of this machine is wrong"),
        "{}",
        error.advice
    );
    assert_eq!(
        operations.connection().signed_out,
        None,
        "nobody has to sign in for that"
    );
}

#[tokio::test]
async fn one_refused_machine_leaves_the_rest_and_the_permission_is_named() {
    const MESSAGE: &str = r#"{"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/anna is not authorized to perform: states:ListExecutions on resource: x"}"#;
    let desk = Desk::new("id-refused", "").await;
    desk.machine("collect", &waits(0)).await;
    desk.machine("datamart", &waits(0)).await;
    let operations = desk.operations();
    operations.start(start("collect", None)).await.unwrap();
    let proxy = &desk.account.proxy;
    let denied = || Fault::Answer(400, MESSAGE);
    proxy.fault_of("ListExecutions", "id-refused-test-datamart", 50, denied());
    let board = operations.board().await.unwrap();
    let refused: Vec<_> = board.unread.iter().map(|unread| unread.line()).collect();
    assert_eq!(
        refused,
        ["datamart cannot be read: states:ListExecutions is not allowed"]
    );
    assert_eq!(board.workflows.len(), 2);
    assert_eq!(board.workflows[0].executions.len(), 1);
    let (executions, unread) = operations.readable_executions(10).await.unwrap();
    assert_eq!((executions.len(), unread.len()), (1, 1));

    // The same for a prefix of the lake.
    proxy.clear();
    operations.forget();
    let list = "list-type=2&prefix=_state%2Funits%2Fcollect%2Faffise.clicks";
    proxy.fault(list, 50, Fault::Refuse(403, "AccessDenied"));
    let board = operations.board().await.unwrap();
    assert_eq!(board.unread.len(), 1, "{:?}", board.unread);
    assert!(
        board.unread[0]
            .line()
            .starts_with("affise.clicks cannot be read: "),
        "{:?}",
        board.unread
    );
    assert!(board.freshness.len() > 3);
}
