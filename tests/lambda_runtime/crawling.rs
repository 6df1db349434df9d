//! `start-crawler` against the emulator's Glue, whose crawlers crawl nothing and move on when they are looked at.

use std::time::Duration;

use lakehand::pipeline::ports::StoreError;
use serde_json::{Value, json};

use super::{account::Account, runtime_api::Function};

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
    let transition = |progression: &str| json!({ "model_name": "glue::crawl", "transition": { "progression": progression, "times": 2 } });
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
    let owed = format!("_state/crawlers/{crawler}.json");
    let mut first = function(&account);
    let answer = |output: Value| output["crawlers"][&crawler].as_str().unwrap().to_owned();
    assert_eq!(answer(first.invoke(&landed(), TIME).output()), "started");
    // It runs. The next event waits for its end, a third one leaves it to the second.
    let waiting = first.send(&landed().to_string(), TIME);
    let patience = std::time::Instant::now() + TIME;
    while account.lake().std.get(&owed).await.is_err() {
        assert!(
            std::time::Instant::now() < patience,
            "no start is owed: {:?}",
            first.said()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut second = function(&account);
    let third = answer(second.invoke(&landed(), TIME).output());
    assert!(third.contains("somebody waits for it"), "{third}");
    assert_eq!(answer(first.answer(&waiting).output()), "started again");
    let gone = account.lake().std.get(&owed).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
    // Out of time while it runs: the start stays owed, and the crawler's end brings it.
    let late = answer(second.invoke(&landed(), Duration::from_secs(2)).output());
    assert_eq!(late, "runs; its next start stays owed");
    set(json!({ "model_name": "glue::crawl", "transition": { "progression": "immediate" } })).await;
    let ended = json!({ "source": "aws.glue", "detail-type": "Glue Crawler State Change",
                        "detail": { "crawlerName": crawler, "state": "Succeeded" } });
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
