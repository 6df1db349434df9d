//! `start-crawler` against the emulator's Glue, whose crawlers crawl nothing and move on when they are looked at.

use std::time::{Duration, Instant};

use lakehand::pipeline::ports::StoreError;
use serde_json::{Value, json};

use super::{account::Account, proxy::Fault, runtime_api::Function};

const TIME: Duration = Duration::from_secs(60);

async fn account(name: &str) -> (Account, String) {
    let account = Account::new(name, "").await;
    let crawler = account.profile.resource_name("marketo");
    let targets = json!({ "S3Targets": [{ "Path": "s3://x/silver/marketo/" }] });
    let made = json!({ "Name": crawler, "Role": "arn:aws:iam::123456789012:role/x", "DatabaseName": "x", "Targets": targets });
    account.call("glue", "AWSGlue.CreateCrawler", made).await;
    (account, crawler)
}

fn function(account: &Account) -> Function {
    Function::start(
        "start-crawler",
        &[
            ("LAKEHAND_CONFIG", &account.text),
            ("LAKEHAND_PROFILE", &account.profile.name),
        ],
    )
}

fn landed() -> Value {
    json!({ "source": "aws.s3", "detail-type": "Object Created", "detail": {
        "bucket": { "name": "raw" },
        "object": { "key": "bronze/marketo/leads/date%3D2026-01-31/20260101-20260108-00ff._manifest.json" } } })
}

fn ended(crawler: &str) -> Value {
    json!({ "source": "aws.glue", "detail-type": "Glue Crawler State Change",
        "detail": { "crawlerName": crawler, "state": "Succeeded" } })
}

/// What the function says it did with the crawler.
fn did(output: &Value, crawler: &str) -> String {
    output["crawlers"][crawler].as_str().unwrap().to_owned()
}

fn note(crawler: &str) -> String {
    format!("_state/crawlers/{crawler}.json")
}

async fn is_owed(account: &Account, crawler: &str) -> bool {
    match account.lake().std.get(&note(crawler)).await {
        Ok(_) => true,
        Err(StoreError::NotFound { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn until_owed(account: &Account, crawler: &str, function: &Function) {
    let patience = Instant::now() + TIME;
    while !is_owed(account, crawler).await {
        assert!(
            Instant::now() < patience,
            "no start is owed: {:?}",
            function.said()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn crawls(account: &Account, crawler: &str) -> usize {
    let listed = account
        .call(
            "glue",
            "AWSGlue.ListCrawls",
            json!({ "CrawlerName": crawler }),
        )
        .await;
    listed["Crawls"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lands_while_the_crawler_runs_starts_it_again() {
    let (account, crawler) = account("lambda-crawl").await;
    // Three looks: the third event's, and two of the one who waits.
    let transition = |progression: &str| json!({ "model_name": "glue::crawl", "transition": { "progression": progression, "times": 3 } });
    let set = async |transition: Value| {
        let url = format!(
            "{}/moto-api/state-manager/set-transition",
            account.emulator.url
        );
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client
            .post(url)
            .body(transition.to_string())
            .header("content-type", "application/json")
            .send()
            .await
            .unwrap();
    };
    set(transition("manual")).await;
    let mut first = function(&account);
    let answer = |output: Value| did(&output, &crawler);
    assert_eq!(answer(first.invoke(&landed(), TIME).output()), "started");
    // It runs. The next event waits for its end, a third one leaves it to the second.
    let waiting = first.send(&landed().to_string(), TIME);
    until_owed(&account, &crawler, &first).await;
    let mut second = function(&account);
    let third = answer(second.invoke(&landed(), TIME).output());
    assert!(third.contains("somebody waits for it"), "{third}");
    assert_eq!(answer(first.answer(&waiting).output()), "started again");
    assert!(!is_owed(&account, &crawler).await);
    // Out of time while it runs: the start stays owed, and the crawler's end brings it.
    let late = answer(second.invoke(&landed(), Duration::from_secs(2)).output());
    assert_eq!(late, "runs; its next start stays owed");
    set(json!({ "model_name": "glue::crawl", "transition": { "progression": "immediate" } })).await;
    let ended = ended(&crawler);
    assert_eq!(
        answer(second.invoke(&ended, TIME).output()),
        "started again"
    );
    assert_eq!(
        answer(second.invoke(&ended, TIME).output()),
        "nothing is owed"
    );
    assert_eq!(crawls(&account, &crawler).await, 3);
}

const RUNS: Fault = Fault::Refuse(400, "CrawlerRunningException");

/// The refusals are the proxy's: the emulator's crawler is never found stopping. This proves what the function does
/// when the event of a crawl's end, the last one to come, meets a crawler that cannot be started yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_refused_at_the_end_of_a_crawl_stays_owed() {
    let (account, crawler) = account("lambda-crawl-stopping").await;
    let proxy = &account.proxy;
    proxy.fault("StartCrawler", 1, RUNS);
    let mut function = function(&account);
    let late = function.invoke(&landed(), Duration::from_secs(2)).output();
    assert_eq!(did(&late, &crawler), "runs; its next start stays owed");
    let ended = ended(&crawler);
    proxy.fault("StartCrawler", 1, Fault::Refuse(503, "ServiceUnavailable"));
    let (name, _) = function.invoke(&ended, TIME).failure();
    assert_eq!(name, "Glue.ServiceUnavailable");
    assert!(is_owed(&account, &crawler).await);
    // Lambda sends the event once more. Now the crawler is STOPPING, for which Glue has the same refusal.
    proxy.fault("StartCrawler", 1, RUNS);
    let again = function.invoke(&ended, TIME).output();
    assert_eq!(did(&again, &crawler), "started again");
    assert!(!is_owed(&account, &crawler).await);
    assert_eq!(crawls(&account, &crawler).await, 1);
}

/// Glue's answers to the one who waits are the proxy's, so that the crawl does not end before the event comes.
#[tokio::test(flavor = "multi_thread")]
async fn one_start_is_made_by_one_of_those_who_would_make_it() {
    let (account, crawler) = account("lambda-crawl-once").await;
    account.proxy.fault("StartCrawler", 1, RUNS);
    let running = r#"{"Crawler":{"Name":"x","State":"RUNNING"}}"#;
    account
        .proxy
        .fault("GetCrawler", 2, Fault::Answer(200, running));
    let (mut first, mut second) = (function(&account), function(&account));
    let waiting = first.send(&landed().to_string(), TIME);
    until_owed(&account, &crawler, &first).await;
    let started = second.invoke(&ended(&crawler), TIME).output();
    assert_eq!(did(&started, &crawler), "started again");
    let waited = first.answer(&waiting).output();
    assert_eq!(did(&waited, &crawler), "was started by somebody else");
    assert_eq!(crawls(&account, &crawler).await, 1);
}

/// Removed after the start, the note could be that of a landing in between, whose start would be lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_landing_that_makes_the_owed_start_forgets_it_first() {
    let (account, crawler) = account("lambda-crawl-order").await;
    let owed = json!({ "crawler": crawler, "since": "2026-01-31T09:00:00Z", "waited_for_until": "2026-01-31T09:15:00Z" });
    let bucket = account.profile.std_bucket();
    account
        .put(&bucket, &note(&crawler), owed.to_string().into_bytes())
        .await;
    let started = function(&account).invoke(&landed(), TIME).output();
    assert_eq!(did(&started, &crawler), "started again");
    assert!(!is_owed(&account, &crawler).await);
    let seen = account.proxy.seen("");
    let place = |part: &str| seen.iter().position(|line| line.contains(part)).unwrap();
    assert!(place("DELETE") < place("StartCrawler"), "{seen:?}");
    assert_eq!(crawls(&account, &crawler).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_lead_to_no_crawler_are_failures() {
    let account = Account::new("lambda-no-crawler", "").await;
    let mut function = function(&account);
    let (name, message) = function.invoke(&landed(), TIME).failure();
    assert_eq!(name, "Glue.EntityNotFoundException", "{message}");
    let (name, _) = function
        .invoke(
            &json!({ "detail": { "object": { "key": "reports/x.csv" } } }),
            TIME,
        )
        .failure();
    assert_eq!(name, "InvalidInput");
}
