//! How often AWS is asked while nobody does anything. The clock of the console and that of the platform are turned
//! together; the calls are real ones, counted by the proxy.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use lakehand::{
    ops::Operations,
    pipeline::{
        ports::{Clock, ObjectStore, PutCondition},
        state::{Unit, UnitKey, UnitStatus},
    },
    platform::aws::Platform,
};

use super::{
    account::sdk,
    desk::{Desk, start, waits},
    proxy::Proxy,
    script::Script,
};

/// Marketo's two streams and a report beside the five of Affise.
const SOURCES: &str = r#"
[profiles.NAME.marketo]
[profiles.NAME.ga4]
[[profiles.NAME.ga4.reports]]
name = "by_source"
properties = [{ business_unit = "de", property = "1" }]
dimensions = ["sessionSource", "sessionMedium", "sessionCampaignName"]
metrics = ["sessions", "totalUsers", "keyEvents"]
"#;

const STREAMS: [&str; 8] = [
    "affise.offers",
    "affise.affiliates",
    "affise.advertisers",
    "affise.clicks",
    "affise.conversions",
    "marketo.leads",
    "marketo.activities",
    "ga4.by_source",
];

/// A clock that is turned by hand.
#[derive(Debug)]
struct Turned(Mutex<Timestamp>);

impl Turned {
    fn turn(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += SignedDuration::from_secs(seconds);
    }
}

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A desk for the profile `name` with eight streams, and its operations by a clock that is turned by hand.
async fn eight_streams(name: &str) -> (Desk, Arc<dyn Operations>, Arc<Turned>) {
    let desk = Desk::new(name, &SOURCES.replace("NAME", name)).await;
    let clock = Arc::new(Turned(Mutex::new(Timestamp::now())));
    let profile = Arc::clone(&desk.account.profile);
    let platform = Platform::open_at(profile, sdk(), Arc::clone(&clock) as Arc<dyn Clock>)
        .await
        .unwrap();
    (desk, platform.operations(), clock)
}

async fn put(store: &Arc<dyn ObjectStore>, key: &str, bytes: Vec<u8>) {
    let put = store.put(key, bytes.into(), PutCondition::Always);
    put.await.unwrap();
}

/// A collection of a stream that brought so many rows.
async fn collected(store: &Arc<dyn ObjectStore>, stream: &str, id: &str, rows: u64) {
    let key = UnitKey {
        stage: "collect",
        dataset: stream.to_owned(),
        id: id.to_owned(),
    };
    let now = Timestamp::now();
    let mut unit = Unit::open(store, &key, None, "run", now).await.unwrap();
    unit.begin("run", now).await.unwrap();
    unit.record.rows = rows;
    unit.set(UnitStatus::Done, now).await.unwrap();
}

/// Lets minutes pass on both clocks; returns how many requests of each kind were made.
fn pass(
    script: &mut Script,
    clock: &Turned,
    proxy: &Proxy,
    minutes: i64,
) -> BTreeMap<String, usize> {
    let before = proxy.seen("").len();
    for _ in 0..minutes * 4 {
        clock.turn(15);
        script.wait(15_000);
    }
    let mut kinds = BTreeMap::new();
    for line in proxy.seen("").into_iter().skip(before) {
        *kinds.entry(kind(&line)).or_default() += 1;
    }
    kinds
}

/// `states.ListExecutions`, or what is listed or read in S3.
fn kind(line: &str) -> String {
    if let Some(target) = line.strip_prefix("POST / ") {
        return target.to_owned();
    }
    match line.split_once("prefix=") {
        Some((_, rest)) => format!("list {}", rest.split('&').next().unwrap_or_default()),
        None => line.split('?').next().unwrap_or(line).to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_board_of_eight_streams_asks_less_than_ten_times_a_minute() {
    let (desk, operations, clock) = eight_streams("qu-board").await;
    for part in ["collect", "daily-report", "datamart", "backfill"] {
        desk.machine(part, &waits(0)).await;
        let id = desk.operations().start(start(part, None)).await.unwrap();
        desk.ended(&id).await;
    }
    let store = Arc::clone(&desk.account.lake().std);
    for stream in STREAMS {
        collected(&store, stream, "a", 7).await;
    }
    for day in ["2026-01-29", "2026-01-30"] {
        put(
            &store,
            &format!("silver/affise/clicks/date={day}/part-0.parquet"),
            vec![0],
        )
        .await;
    }
    let proxy = desk.account.proxy.clone();
    let asked = Arc::clone(&operations);
    let run = move || {
        let mut script = Script::over(asked);
        // Our own pace of calls is by the real clock, so these are few minutes.
        pass(&mut script, &clock, &proxy, 1);
        let kinds = pass(&mut script, &clock, &proxy, 5);
        let idle: usize = kinds.values().sum();
        assert!(idle < 50, "{idle} in five minutes: {kinds:#?}");
        // Each of the four workflows is looked at every forty seconds, and nothing is listed a stream at a time.
        let looks = kinds["AWSStepFunctions.ListExecutions"];
        assert!((24..=32).contains(&looks), "{kinds:#?}");
        let of_one = |kind: &&String| kind.contains("units") || kind.contains("silver");
        assert_eq!(kinds.keys().filter(of_one).count(), 0, "{kinds:#?}");
        // With the look at the lake itself that comes twice an hour, and what else is kept for minutes.
        clock.turn(31 * 60);
        let kinds = pass(&mut script, &clock, &proxy, 1);
        assert!(
            kinds.keys().any(|kind| kind.contains("units")),
            "{kinds:#?}"
        );
        let anew: usize = kinds.values().sum();
        let hour = idle * 12 + anew * 2;
        assert!(hour < 600, "{hour} in an hour: {kinds:#?}");
        (script, clock, proxy)
    };
    let (mut script, clock, proxy) = tokio::task::spawn_blocking(run).await.unwrap();
    collected(&store, "affise.clicks", "b", 9).await;
    let run = move || pass(&mut script, &clock, &proxy, 3);
    let kinds = tokio::task::spawn_blocking(run).await.unwrap();
    assert!(kinds.values().sum::<usize>() < 40, "{kinds:#?}");
    let board = operations.board().await.unwrap();
    let clicks = board
        .freshness
        .iter()
        .find(|one| one.stream == "affise.clicks");
    assert_eq!(clicks.unwrap().rows, Some(9), "within three minutes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_datamart_asks_athena_again_when_data_changed_only() {
    let (desk, operations, clock) = eight_streams("qu-mart").await;
    desk.account.workgroup().await;
    desk.machine("datamart", &waits(0)).await;
    let store = Arc::clone(&desk.account.lake().std);
    put(
        &store,
        "silver/ga4/by_source/date=2026-01-30/part-0.parquet",
        vec![0],
    )
    .await;
    put(
        &store,
        "gold/marketing_datamart/metadata/00000.json",
        b"{}".to_vec(),
    )
    .await;
    let proxy = desk.account.proxy.clone();
    let sent = "AmazonAthena.StartQueryExecution";
    let run = move || {
        let mut script = Script::over(operations);
        script.press("5").wait(1_000);
        let first = proxy.seen(sent).len();
        assert!(first > 0, "it asked when it was opened");
        let kinds = pass(&mut script, &clock, &proxy, 9);
        assert!(!kinds.contains_key(sent), "{kinds:#?}");
        (script, clock, proxy, first)
    };
    let (mut script, clock, proxy, first) = tokio::task::spawn_blocking(run).await.unwrap();
    put(
        &store,
        "silver/ga4/by_source/date=2026-01-31/part-0.parquet",
        vec![0],
    )
    .await;
    let run = move || {
        let kinds = pass(&mut script, &clock, &proxy, 2);
        assert!(kinds.contains_key(sent), "a day came: {kinds:#?}");
        let again = proxy.seen(sent).len();
        assert!(again <= 2 * first, "once");
        let kinds = pass(&mut script, &clock, &proxy, 5);
        assert!(!kinds.contains_key(sent), "{kinds:#?}");
    };
    tokio::task::spawn_blocking(run).await.unwrap();
    // What was asked for the page is nobody's statement.
    let listed = desk.operations().statements(50).await.unwrap();
    assert!(listed.is_empty(), "{listed:#?}");
    let started = desk.account.proxy.bodies(sent);
    let marked = |body: &&String| body.contains("-- lakehand looks");
    assert_eq!(
        started.iter().filter(marked).count(),
        started.len(),
        "{started:#?}"
    );
}
