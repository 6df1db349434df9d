//! Collections by the deployed function: settings from S3, the key from Parameter Store, rows into S3, and what
//! happens when the time is up. The source is the simulator, and its truth is what the rows are compared with.

use std::{collections::BTreeSet, time::Duration};

use lakehand::{
    pipeline::{
        collect::{list_manifests, read_manifest},
        dataset::Stream,
    },
    simulator::{self, DEMO_API_KEY, Options, RunningSimulator},
};
use serde_json::{Value, json};

use super::{
    account::Account,
    proxy::Fault,
    runtime_api::{Function, window},
};

/// How often the SDK tries a call; one that is refused as often fails.
const TRIES: u32 = 2;
const KEY: &str = "_config/profile.toml";

async fn simulator() -> RunningSimulator {
    let options = Options {
        scale: 6000,
        ..Options::default()
    };
    simulator::start(options).await.unwrap()
}

/// An account whose profile collects from the simulator, as slowly as `pace` says; its settings lie in S3.
async fn account(name: &str, simulator: &RunningSimulator, pace: &str) -> Account {
    let affise = format!(
        "parameter_prefix = \"/{name}\"\n[profiles.{name}.affise]\nbase_url = \"{}\"\npage_limit = 50\n{pace}",
        simulator.base_url()
    );
    let account = Account::new(name, &affise).await;
    account
        .put(
            &account.profile.std_bucket(),
            KEY,
            account.text.clone().into_bytes(),
        )
        .await;
    let key = json!({ "Name": format!("/{name}/affise/ApiKey"), "Value": DEMO_API_KEY, "Type": "SecureString" });
    account.call("ssm", "AmazonSSM.PutParameter", key).await;
    account
}

fn function(account: &Account, handler: &str) -> Function {
    let uri = format!("s3://{}/{KEY}", account.profile.std_bucket());
    let tries = TRIES.to_string();
    let environment = [
        ("LAKEHAND_CONFIG_URI", uri.as_str()),
        ("LAKEHAND_PROFILE", account.profile.name.as_str()),
        ("AWS_ENDPOINT_URL", account.proxy.url.as_str()),
        ("AWS_MAX_ATTEMPTS", tries.as_str()),
    ];
    Function::start(handler, &environment)
}

fn days(simulator: &RunningSimulator) -> (jiff::civil::Date, jiff::civil::Date) {
    let today = simulator.today();
    (today.checked_sub(jiff::Span::new().days(3)).unwrap(), today)
}

fn event(simulator: &RunningSimulator, execution: &str) -> Value {
    let (from, to) = days(simulator);
    let window = window(&from.to_string(), &to.to_string());
    json!({ "stream": "affise.clicks", "window": window, "execution": execution })
}

/// Ids of the rows of all manifests, as often as they stand there.
async fn collected(account: &Account) -> Vec<String> {
    let lake = account.lake();
    let mut ids = Vec::new();
    for key in list_manifests(lake, Stream::AffiseClicks).await.unwrap() {
        for file in read_manifest(lake, &key).await.unwrap().files {
            let bucket = account.profile.raw_bucket();
            let stored = account
                .object(&format!("{bucket}/{}", file.key))
                .await
                .unwrap();
            let text = String::from_utf8(zstd::decode_all(&*stored).unwrap()).unwrap();
            ids.extend(text.lines().map(|line| {
                let row: Value = serde_json::from_str(line).unwrap();
                row["id"].as_str().unwrap().to_owned()
            }));
        }
    }
    ids
}

fn truth(simulator: &RunningSimulator) -> BTreeSet<String> {
    let (from, to) = days(simulator);
    let truth = simulator.truth().unwrap();
    truth
        .clicks_between(from, to)
        .map(|click| click.id.to_string())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_goes_from_the_source_to_s3() {
    let simulator = simulator().await;
    let account = account(
        "lambda-collect",
        &simulator,
        "requests_per_second = 1000.0\n",
    )
    .await;
    let mut function = function(&account, "collect");
    let output = function
        .invoke(&event(&simulator, "arn:whole"), Duration::from_secs(300))
        .output();
    let expected = truth(&simulator);
    assert!(expected.len() > 500, "{}", expected.len());
    let rows = collected(&account).await;
    assert_eq!(output["rows"], rows.len());
    assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), expected);
    assert!(output.get("finished").is_none(), "{output}");
    eprintln!(
        "peak memory of a collection of {} clicks: {} MB",
        expected.len(),
        function.peak_memory()
    );
    let said = function.said();
    assert!(!said.is_empty());
    for line in &said {
        assert!(!line.contains(DEMO_API_KEY), "{line}");
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["execution"], "arn:whole");
        assert_eq!(line["requestId"], "request-1");
    }
    // The next function takes the manifest, and a report of what it wrote comes back.
    let mut normalise = self::function(&account, "normalise");
    let (from, to) = days(&simulator);
    let input = json!({ "stream": "affise.clicks", "window": window(&from.to_string(), &to.to_string()),
                        "execution": "arn:whole", "collected": output });
    let normalised = normalise.invoke(&input, Duration::from_secs(300)).output();
    assert_eq!(normalised["rows_new"], expected.len(), "{normalised}");
    eprintln!(
        "peak memory of its normalisation: {} MB",
        normalise.peak_memory()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_out_of_time_is_called_again_and_loses_nothing() {
    let simulator = simulator().await;
    let account = account(
        "lambda-time",
        &simulator,
        "requests_per_second = 8.0\nconcurrency = 1\n",
    )
    .await;
    let mut function = function(&account, "collect");
    let mut calls = 0;
    let output = loop {
        calls += 1;
        assert!(calls < 60, "it does not come to an end");
        let output = function
            .invoke(&event(&simulator, "arn:cut"), Duration::from_millis(2500))
            .output();
        if output["finished"] != json!(false) {
            break output;
        }
        assert_eq!(output, json!({ "finished": false }));
        assert!(
            list_manifests(account.lake(), Stream::AffiseClicks)
                .await
                .unwrap()
                .is_empty(),
            "not before the end"
        );
    };
    assert!(calls > 2, "the time was not short: {calls} calls");
    let rows = collected(&account).await;
    assert_eq!(output["rows"], rows.len());
    assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), truth(&simulator));
    assert!(
        function
            .said()
            .iter()
            .any(|line| line.contains("time is up")),
        "{:?}",
        function.said()
    );
    // What a repeated call asks the source for is what is left, and not everything again.
    let needed = truth(&simulator).len() as u64 / 50 + 20;
    assert!(
        simulator.requests() < 3 * needed + 4 * calls,
        "{} requests in {calls} calls",
        simulator.requests()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_the_middle_of_a_collection_keeps_what_was_read() {
    let simulator = simulator().await;
    let account = account(
        "lambda-term",
        &simulator,
        "requests_per_second = 8.0\nconcurrency = 1\n",
    )
    .await;
    let mut function = function(&account, "collect");
    let id = function.send(
        &event(&simulator, "arn:term").to_string(),
        Duration::from_secs(300),
    );
    while simulator.requests() < 6 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    function.terminate();
    let (name, _) = function.answer(&id).failure();
    assert_eq!(name, "Cancelled");
    assert_eq!(function.exit_code(), Some(0));
    let before = simulator.requests();
    let mut next = self::function(&account, "collect");
    let mut output = next
        .invoke(&event(&simulator, "arn:term"), Duration::from_secs(300))
        .output();
    assert!(
        output["calls"].as_u64().unwrap() > simulator.requests() - before,
        "the earlier calls count: {output}"
    );
    assert_eq!(output["rows"].take(), collected(&account).await.len());
    assert_eq!(
        collected(&account)
            .await
            .into_iter()
            .collect::<BTreeSet<_>>(),
        truth(&simulator)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_a_source_have_the_names_that_workflows_match() {
    let simulator = simulator().await;
    let account = account("lambda-failures", &simulator, "attempts = 1\n").await;
    let wrong = json!({ "Name": "/lambda-failures/affise/ApiKey", "Value": "no-such-key-5bd1", "Type": "SecureString", "Overwrite": true });
    account.call("ssm", "AmazonSSM.PutParameter", wrong).await;
    let mut function = function(&account, "collect");
    let (name, message) = function
        .invoke(&event(&simulator, "arn:bad"), Duration::from_secs(60))
        .failure();
    assert_eq!(name, "BadCredentials", "{message}");
    assert!(!message.contains("no-such-key-5bd1"), "{message}");
    let gone = json!({ "Name": "/lambda-failures/affise/ApiKey" });
    account.call("ssm", "AmazonSSM.DeleteParameter", gone).await;
    let (name, message) = function
        .invoke(&event(&simulator, "arn:gone"), Duration::from_secs(60))
        .failure();
    assert_eq!(name, "BadCredentials", "{message}");
    assert!(message.contains("/affise/ApiKey"), "{message}");
    let unknown = json!({ "stream": "affise.nothing", "window": window("2026-01-01", "2026-01-02"), "execution": "x" });
    assert_eq!(
        function
            .invoke(&unknown, Duration::from_secs(60))
            .failure()
            .0,
        "InvalidInput"
    );
    assert!(
        function
            .said()
            .iter()
            .all(|line| !line.contains("no-such-key-5bd1"))
    );
}

/// The proxy refuses as S3, Parameter Store and Athena do when they are overloaded; the emulator never would.
#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_refuses_for_a_while_has_a_name_that_is_repeated() {
    let simulator = simulator().await;
    let pace = "requests_per_second = 1000.0\n";
    let account = account("lambda-refused", &simulator, pace).await;
    let time = Duration::from_secs(60);
    let event = event(&simulator, "arn:refused");
    let mut function = function(&account, "collect");
    let denied = Fault::Refuse(403, "AccessDenied");
    account.proxy.fault(KEY, 1, denied);
    let (name, message) = function.invoke(&event, time).failure();
    assert_eq!(name, "InvalidInput", "no wait gives a right: {message}");
    // The settings, the key and the rows, in the order in which a collection comes to them.
    for (call, fault) in [
        (KEY, Fault::Refuse(503, "SlowDown")),
        (
            "AmazonSSM.GetParameter",
            Fault::Refuse(400, "ThrottlingException"),
        ),
        ("/bronze/affise", Fault::Refuse(503, "ServiceUnavailable")),
    ] {
        let before = account.proxy.seen(call).len();
        account.proxy.fault(call, TRIES, fault);
        let (name, message) = function.invoke(&event, time).failure();
        assert_eq!(name, "TransientPlatformError", "{call}: {message}");
        let tries = account.proxy.seen(call).len() - before;
        assert_eq!(tries, TRIES as usize, "{call}: {message}");
    }
    // And the repetition does the work.
    let output = function.invoke(&event, time).output();
    let rows = collected(&account).await;
    assert_eq!(output["rows"], rows.len());
    assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), truth(&simulator));
    let mut checks = self::function(&account, "check-quality");
    let quota = Fault::Refuse(400, "TooManyRequestsException");
    account.proxy.fault("StartQueryExecution", TRIES, quota);
    let input = json!({ "table": "daily_report_sub5", "staging": "staging", "execution": "arn:refused",
                        "window": window("2026-01-01", "2026-01-02") });
    let (name, message) = checks.invoke(&input, time).failure();
    assert_eq!(name, "TransientPlatformError", "{message}");
}
