//! Every fault, seen by a client.

use std::collections::{BTreeMap, HashSet};

use lakehand::simulator::{DEMO_API_KEY, FaultKind, Options, start};
use serde_json::Value;

use crate::{CLICKS, CONVERSIONS, TODAY, WEEK, ask, client, collect, faulty, ids, read};

/// What one request ended in.
#[derive(Debug, PartialEq)]
enum Outcome {
    Answer {
        status: u16,
        html: bool,
        retry_after: Option<String>,
        body: Vec<u8>,
    },
    BrokenOff,
}

async fn outcome(url: &str) -> Outcome {
    let request = client().get(url).header("API-Key", DEMO_API_KEY);
    let response = request.send().await.unwrap();
    let header = |name: &str| Some(response.headers().get(name)?.to_str().unwrap().to_owned());
    let html = header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    let (status, retry_after) = (response.status().as_u16(), header("retry-after"));
    match response.bytes().await {
        Ok(body) => Outcome::Answer {
            status,
            html,
            retry_after,
            body: body.to_vec(),
        },
        Err(_) => Outcome::BrokenOff,
    }
}

#[tokio::test]
async fn every_fault_that_replaces_an_answer_is_seen() {
    for (plan, status, html, retry_after, words) in [
        ("429", 429, false, None, "Too Many Requests"),
        (
            "429-retry-after:3s",
            429,
            false,
            Some("3"),
            "Too Many Requests",
        ),
        (
            "500",
            500,
            false,
            None,
            "Server error, Please contact your administrator",
        ),
        ("502", 502, true, None, "502 Bad Gateway"),
        ("503", 503, true, None, "503 Service Unavailable"),
        ("504", 504, true, None, "504 Gateway Timeout"),
        ("403", 403, false, None, "Auth Denied"),
        ("status2", 200, false, None, "\"status\":2"),
        ("status2-again", 200, false, None, "try again later"),
        ("html", 200, true, None, "<html>"),
        ("wrong-key", 401, false, None, "Token is necessary"),
    ] {
        let simulator = faulty(&format!("{plan}#2").replace(":3s#2", "#2:3s")).await;
        let url = format!("{}{CLICKS}?{WEEK}", simulator.base_url());
        let first = outcome(&url).await;
        assert!(
            matches!(
                &first,
                Outcome::Answer {
                    status: 200,
                    html: false,
                    ..
                }
            ),
            "{plan}"
        );
        let Outcome::Answer {
            status: got,
            html: is_html,
            retry_after: wait,
            body,
        } = outcome(&url).await
        else {
            panic!("{plan}: no whole answer");
        };
        assert_eq!(
            (got, is_html, wait.as_deref()),
            (status, html, retry_after),
            "{plan}"
        );
        assert!(String::from_utf8(body).unwrap().contains(words), "{plan}");
        assert_eq!(
            outcome(&url).await,
            first,
            "{plan}: the third request is right again"
        );
        assert_eq!(simulator.faults_struck().values().sum::<u64>(), 1, "{plan}");
    }
}

#[tokio::test]
async fn bodies_are_cut_and_connections_dropped() {
    let simulator = faulty("cut#2,drop#3,drop-chunked#4").await;
    let url = format!("{}{CLICKS}?{WEEK}", simulator.base_url());
    let Outcome::Answer { body: whole, .. } = outcome(&url).await else {
        panic!("the first is right")
    };
    let Outcome::Answer {
        status, body: cut, ..
    } = outcome(&url).await
    else {
        panic!("cut is a whole answer")
    };
    assert_eq!(status, 200);
    assert!(cut.len() > 1_000 && cut.len() < whole.len() && whole.starts_with(&cut));
    assert!(serde_json::from_slice::<Value>(&cut).is_err());
    assert_eq!(outcome(&url).await, Outcome::BrokenOff);
    assert_eq!(outcome(&url).await, Outcome::BrokenOff);
    assert!(matches!(
        outcome(&url).await,
        Outcome::Answer { status: 200, .. }
    ));
}

#[tokio::test]
async fn slow_answers_are_right_and_a_stop_does_not_wait_for_them() {
    let simulator = faulty("slow#1:50ms,slow#2:3600s").await;
    let path = format!("{CLICKS}?{WEEK}");
    let first = read(&simulator, &path).await;
    assert!(first["pagination"]["total_count"].as_u64().unwrap() > 0);
    let url = format!("{}{path}", simulator.base_url());
    let waiting = tokio::spawn(async move { outcome(&url).await });
    while simulator.requests() < 2 {
        tokio::task::yield_now().await;
    }
    simulator.shutdown().await;
    assert!(matches!(
        waiting.await.unwrap(),
        Outcome::Answer { status: 200, .. }
    ));
}

#[tokio::test]
async fn a_duplicate_page_repeats_the_rows_of_the_page_before() {
    let simulator = faulty("duplicate-page#2").await;
    let page = |number: u32| format!("{CLICKS}?{WEEK}&limit=50&page={number}");
    let first = read(&simulator, &page(1)).await;
    let second = read(&simulator, &page(2)).await;
    assert_eq!(second["clicks"], first["clicks"]);
    assert_eq!(second["pagination"]["page"], 2);
    assert_eq!(
        second["pagination"]["total_count"],
        first["pagination"]["total_count"]
    );
    let again = read(&simulator, &page(2)).await;
    assert_ne!(again["clicks"], first["clicks"]);
}

#[tokio::test]
async fn a_shifted_page_repeats_or_loses_rows_and_the_total_moves() {
    for (rows, repeated) in [(3_i64, true), (-3, false)] {
        let simulator = faulty(&format!("shift-page#2:{rows}")).await;
        let page = |number: u32| format!("{CLICKS}?{WEEK}&limit=50&page={number}");
        let first = read(&simulator, &page(1)).await;
        let shifted = read(&simulator, &page(2)).await;
        let right = read(&simulator, &page(2)).await;
        let total = |page: &Value| page["pagination"]["total_count"].as_i64().unwrap();
        assert_eq!(total(&shifted), total(&first) + rows);
        assert_eq!(total(&right), total(&first));
        let list = |page: &Value| ids(page["clicks"].as_array().unwrap());
        if repeated {
            assert_eq!(list(&shifted)[..3], list(&first)[47..]);
            assert_eq!(list(&shifted)[3..], list(&right)[..47]);
        } else {
            assert_eq!(list(&shifted)[..47], list(&right)[3..]);
        }
    }
}

#[tokio::test]
async fn a_key_expires_after_so_many_requests() {
    let simulator = faulty("expired-key-after=2").await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(ask(&simulator, "/3.0/offers", DEMO_API_KEY).await.0);
    }
    assert_eq!(statuses, [200, 200, 401, 401]);
}

#[tokio::test]
async fn a_conversion_changes_between_two_requests() {
    let simulator = faulty("late-status#2").await;
    let path = format!("{CONVERSIONS}?{WEEK}&limit=1000");
    let statuses = |page: &Value| -> BTreeMap<String, String> {
        let rows = page["conversions"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        rows.iter()
            .map(|row| (text(&row["id"]), text(&row["status"])))
            .collect()
    };
    let before = statuses(&read(&simulator, &path).await);
    let after = statuses(&read(&simulator, &path).await);
    let [change] = simulator.late_changes().try_into().unwrap();
    let moved: Vec<_> = after
        .iter()
        .filter(|(id, status)| before.get(*id) != Some(status))
        .collect();
    assert_eq!(
        moved,
        [(&change.id.to_string(), &change.to.name().to_owned())]
    );
    // The changed version is the truth from now on and the update filter finds it.
    let truth = simulator.truth().unwrap();
    let now = truth.conversions().find(|one| one.id == change.id).unwrap();
    assert_eq!((now.status, now.updated), (change.to, change.updated));
    let path = format!(
        "{CONVERSIONS}?update_from_date=2026-01-31&update_to_date=2026-01-31&update_from_hour=23&update_to_hour=23"
    );
    let (rows, _) = collect(&simulator, &path, "conversions").await;
    assert!(ids(&rows).contains(&change.id.to_string()));
}

#[tokio::test]
async fn faults_by_probability_repeat_with_the_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let simulator = faulty("500=0.2,429=0.2,html=0.1").await;
        let mut statuses = Vec::new();
        for _ in 0..60 {
            statuses.push(ask(&simulator, "/3.0/offers?limit=1", DEMO_API_KEY).await.0);
        }
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
    let kinds: HashSet<u16> = runs[0].iter().copied().collect();
    assert_eq!(kinds, HashSet::from([200, 429, 500]));
}

#[tokio::test]
async fn every_kind_is_known_to_this_file() {
    // A new kind needs a test: eighteen here, seven in tests/marketo.rs, one in tests/google.rs.
    assert_eq!(FaultKind::ALL.len(), 18 + 7 + 1);
    let options = Options {
        data: Some(".".into()),
        faults: "late-status".parse().unwrap(),
        ..Options::new(TODAY)
    };
    let error = start(options).await.unwrap_err().to_string();
    assert!(error.contains("late-status"), "{error}");
}
