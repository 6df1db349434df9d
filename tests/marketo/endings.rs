//! How collections end when something goes wrong, and that what comes after them is whole.

use lakehand::{
    pipeline::{
        collect::sign_in,
        jobs::ErrorType,
        state::{UnitStatus, list_units},
    },
    simulator::SECRET_MARKER,
};

use super::{
    rows::{check_activities, check_leads},
    *,
};

const CREATE: &str = "/bulk/v1/activities/export/create.json";
const ENQUEUE: &str = "/bulk/v1/activities/export/*/enqueue.json";
const FILE: &str = "/bulk/v1/activities/export/*/file.json";

async fn unit_status(house: &House) -> UnitStatus {
    let store = house.context("x").await.lake.std;
    list_units(&store, "collect", &ACTIVITIES.name())
        .await
        .unwrap()
        .remove(0)
        .status
}

/// A collection in bulk with a fault plan; silver must be whole.
async fn survives(plan: &str) -> House {
    let house = House::new(quick(), plan).await.mode(MarketoMode::Bulk);
    house.run(ACTIVITIES, period(), "one").await;
    check_activities(&house, period());
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_day_parks_and_the_next_day_goes_on_from_there() {
    let options = MarketoOptions {
        daily_calls: 9,
        ..quick()
    };
    let mut house = House::new(options, "").await.mode(MarketoMode::Rest);
    house.settings.daily_calls = 1_000;
    let first = house.collect(ACTIVITIES, week(), "one").await.unwrap();
    let failure = first.failure.clone().unwrap();
    assert_eq!(failure.error, "QuotaExhausted");
    assert_eq!(
        failure.parked_until.unwrap().to_string(),
        "2026-02-01T06:00:00Z"
    );
    assert_eq!(
        first.watermark, None,
        "what was not read is not taken for read"
    );
    let UnitStatus::Parked { until, why } = unit_status(&house).await else {
        panic!()
    };
    assert_eq!(until.to_string(), "2026-02-01T06:00:00Z");
    assert!(why.contains("607"), "{why}");
    let quota = house.state(&format!("quota/marketo/{DEMO_MUNCHKIN_ID}.json"));
    assert_eq!(quota["parked_until"], "2026-02-01T06:00:00Z");
    // Parked: nothing is asked.
    let asked = house.simulator.requests();
    let again = house.collect(LEADS, week(), "two").await.unwrap_err();
    assert_eq!(again.error_type, ErrorType::QuotaExhausted);
    assert_eq!(house.simulator.requests(), asked);

    // A few days later the same execution reads the rest, however many days it takes.
    let rows_before = rows_in_bronze(&house);
    let mut days = 0;
    let collected = loop {
        days += 1;
        let later = date(2026, 1, 31).saturating_add(jiff::Span::new().days(days));
        house.simulator.set_now(later.at(12, 0, 0, 0));
        match house.collect(ACTIVITIES, week(), "one").await {
            Ok(collected) if collected.failure.is_none() => break collected,
            Ok(parked) => assert!(parked.failure.unwrap().parked_until.is_some()),
            Err(error) => assert_eq!(error.error_type, ErrorType::QuotaExhausted, "{error}"),
        }
        assert!(days < 10);
    };
    assert!(rows_before > 0 && collected.rows > rows_before);
    house.normalise(&collected).await.unwrap();
    check_activities(&house, week());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_parked_collection_left_out_comes_with_the_next_one() {
    let plan = "marketo@/rest/v1/activities.json#6:607";
    let house = House::new(quick(), plan).await.mode(MarketoMode::Rest);
    let first = house.collect(ACTIVITIES, week(), "one").await.unwrap();
    let failure = first.failure.clone().unwrap();
    assert!(failure.parked_until.is_some(), "{failure:?}");
    house.normalise(&first).await.unwrap();
    let before = house.silver(ACTIVITIES).len();
    assert!(
        before > 0,
        "what came before the quota was used up is there"
    );
    // The next scheduled collection, on the day after: another execution, a window that has moved on.
    house.simulator.set_now(date(2026, 2, 1).at(8, 0, 0, 0));
    house.run(ACTIVITIES, week(), "two").await;
    assert!(house.silver(ACTIVITIES).len() > before);
    check_activities(&house, week());
}

/// Lines of bronze, whether a manifest names them or not.
fn rows_in_bronze(house: &House) -> u64 {
    let files = files_below(&house.path().join("raw/bronze/marketo/activities"));
    let lines = files
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "zst"))
        .map(|path| {
            let bytes = zstd::decode_all(&*std::fs::read(path).unwrap()).unwrap();
            bytes.iter().filter(|byte| **byte == b'\n').count() as u64
        });
    lines.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_day_is_looked_at_before_it_is_used() {
    let mut house = House::new(quick(), "").await;
    house.settings.daily_calls = 3;
    let first = house.collect(ACTIVITIES, week(), "one").await;
    assert!(first.is_ok(), "{first:?}");
    let error = house.collect(ACTIVITIES, week(), "two").await.unwrap_err();
    assert_eq!(error.error_type, ErrorType::QuotaExhausted);
    assert!(
        error.message.contains("of 3 calls of the day are used"),
        "{error}"
    );
    let quota = house.state(&format!("quota/marketo/{DEMO_MUNCHKIN_ID}.json"));
    assert_eq!(quota["figures"]["daily calls"]["limit"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_export_quota_parks_bulk_and_paging_goes_on() {
    let options = MarketoOptions {
        export_bytes_a_day: 2_000,
        ..quick()
    };
    let house = House::new(options.clone(), "").await;
    house.run(ACTIVITIES, period(), "one").await;
    check_activities(&house, period());
    assert!(house.log.says("Export daily quota exceeded"));
    assert!(house.asked("/rest/v1/activities.json") > 0);
    let bulk = house.state(&format!("quota/marketo/{DEMO_MUNCHKIN_ID}-bulk.json"));
    assert_eq!(bulk["parked_until"], "2026-02-01T06:00:00Z");
    assert!(
        bulk["figures"]["bulk export bytes"]["used"]
            .as_u64()
            .unwrap()
            > 2_000
    );
    // The job that was never enqueued is cancelled, and nobody orders another one today.
    assert_eq!(house.asked("/bulk/v1/activities/export/*/cancel.json"), 1);
    let orders = house.asked(CREATE);
    house.run(ACTIVITIES, period(), "two").await;
    assert_eq!(house.asked(CREATE), orders);

    let house = House::new(options, "").await.mode(MarketoMode::Bulk);
    let parked = house.collect(ACTIVITIES, period(), "one").await.unwrap();
    assert!(parked.rows > 0, "the files before it are stored");
    assert!(parked.failure.unwrap().parked_until.is_some());
    // While bulk is parked, and nothing else is allowed, nothing is asked.
    let asked = house.simulator.requests();
    let error = house
        .collect(ACTIVITIES, period(), "two")
        .await
        .unwrap_err();
    assert!(error.parked_until.is_some(), "{error}");
    assert_eq!(house.simulator.requests(), asked);
    assert!(matches!(
        unit_status(&house).await,
        UnitStatus::Parked { .. }
    ));
    house.simulator.set_now(date(2026, 2, 1).at(12, 0, 0, 0));
    // Leads are another collection: bulk is parked, the instance is not.
    let quota = house.state(&format!("quota/marketo/{DEMO_MUNCHKIN_ID}.json"));
    assert_eq!(quota.get("parked_until"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_anywhere_is_renewed_once() {
    for number in 1..=9 {
        let house = survives(&format!("marketo@/bulk/*#{number}:602")).await;
        assert_eq!(
            house.asked("/identity/oauth/token"),
            2,
            "at request {number}"
        );
    }
    let house = survives("short-token#1").await;
    assert!(house.asked("/identity/oauth/token") >= 1);
    let house = House::new(quick(), "marketo:601").await;
    let error = house.collect(ACTIVITIES, week(), "one").await.unwrap_err();
    assert_eq!(
        error.error_type,
        ErrorType::BadCredentials,
        "a second 601 is fatal"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_that_break_are_gone_on_with_and_checked() {
    for plan in [
        "truncated-file#1",
        "drop@/bulk/*#4",
        "drop-chunked@/bulk/*#4",
        "wrong-range#1-2",
        "file-missing#1",
    ] {
        let house = survives(plan).await;
        assert_eq!(house.asked(CREATE), 2, "{plan}: no second job for a window");
    }
    let house = survives("truncated-file#1").await;
    assert_eq!(
        house.asked(FILE),
        3,
        "the rest by a range, and the second window"
    );
    let house = survives("wrong-checksum#2").await;
    assert!(house.log.says("and its status says sha256:"));

    let house = House::new(quick(), "wrong-checksum")
        .await
        .mode(MarketoMode::Bulk);
    let error = house
        .collect(ACTIVITIES, period(), "one")
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::TransientSourceError);
    assert!(
        error.message.contains("and its status says sha256:"),
        "{error}"
    );
    assert_eq!(
        rows_in_bronze(&house),
        0,
        "nothing that was not checked is stored"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_fail_or_lose_their_file_are_made_anew_a_few_times() {
    let house = survives("export-failed#1").await;
    assert_eq!(house.asked(CREATE), 3);
    let house = survives("file-missing#1-3").await;
    assert_eq!(house.asked(CREATE), 3);
    let house = survives("marketo@/bulk/*#2:1013").await;
    assert_eq!(house.asked(CREATE), 3);
    let house = House::new(quick(), "export-failed")
        .await
        .mode(MarketoMode::Bulk);
    let error = house
        .collect(ACTIVITIES, period(), "one")
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::TransientSourceError);
    assert!(error.message.contains("failed 3 times"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_an_order_goes_on_with_the_same_job() {
    // The order is made (1) and looked at (2); everything after that fails for good.
    let house = House::new(quick(), "marketo@/bulk/*#3:1003")
        .await
        .mode(MarketoMode::Bulk);
    let error = house
        .collect(ACTIVITIES, period(), "one")
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::SourceRefused);
    assert_eq!(house.asked(CREATE), 1);
    let summary = house.run(ACTIVITIES, period(), "one").await;
    assert_eq!(
        house.asked(CREATE),
        2,
        "one window, one job; the other window's is the second"
    );
    assert_eq!(summary.rows_superseded, 0);
    check_activities(&house, period());

    // Stopped while it waits: the job runs on, and the redrive finds it done.
    let slow = MarketoOptions {
        export_time: Duration::from_millis(300),
        ..quick()
    };
    let mut house = House::new(slow, "").await.mode(MarketoMode::Bulk);
    *house.log.stop.lock().unwrap() = Some((", Processing", house.cancel.clone()));
    let error = house
        .collect(ACTIVITIES, period(), "one")
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::Cancelled);
    assert_eq!(unit_status(&house).await, UnitStatus::Cancelled);
    *house.log.stop.lock().unwrap() = None;
    house.cancel = CancellationToken::new();
    house.settings.max_retry_wait_ms = 5;
    house.run(ACTIVITIES, period(), "one").await;
    assert_eq!(house.asked(CREATE), 2);
    assert_eq!(house.asked("/bulk/v1/activities/export/*/cancel.json"), 0);
    check_activities(&house, period());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_whose_file_could_not_be_stored_are_read_again() {
    let house = House::new(quick(), "").await.mode(MarketoMode::Bulk);
    // Where the files of bronze belong, something else lies.
    let in_the_way = house.path().join("raw/bronze/marketo");
    std::fs::create_dir_all(in_the_way.parent().unwrap()).unwrap();
    std::fs::write(&in_the_way, "").unwrap();
    let error = house
        .collect(ACTIVITIES, period(), "one")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("bronze/marketo"), "{error}");
    std::fs::remove_file(&in_the_way).unwrap();
    house.run(ACTIVITIES, period(), "one").await;
    check_activities(&house, period());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_meanings_of_1029_are_told_apart() {
    // Requests to /bulk: create, status, enqueue.
    let house = survives("marketo@/bulk/*#3:1029-queued").await;
    assert_eq!(house.asked(CREATE), 2);
    let house = survives("marketo@/bulk/*#3:1029-queue").await;
    assert!(house.log.says("ten others are queued"));
    assert_eq!(house.asked(ENQUEUE), 3);
    let house = House::new(quick(), "marketo@/bulk/*#3:1029-quota")
        .await
        .mode(MarketoMode::Bulk);
    let error = house
        .collect(ACTIVITIES, period(), "one")
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::QuotaExhausted);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_filter_by_change_leads_come_by_creation_and_by_their_activities() {
    let options = MarketoOptions {
        updated_at_filter: false,
        ..quick()
    };
    let house = House::new(options, "").await.mode(MarketoMode::Bulk);
    house.run(LEADS, week(), "first").await;
    check_leads(&house);
    let orders = house.asked("/bulk/v1/leads/export/create.json");
    house.run(LEADS, week(), "second").await;
    assert!(house.log.says("(1035)"));
    // One refused, one by creation; the changed ones by REST.
    assert_eq!(house.asked("/bulk/v1/leads/export/create.json"), orders + 2);
    assert!(house.asked("/rest/v1/leads.json") > 0);
    // Remembered: it is not asked for again.
    house.run(LEADS, week(), "third").await;
    assert_eq!(house.asked("/bulk/v1/leads/export/create.json"), orders + 3);
    check_leads(&house);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_that_pass_are_waited_for() {
    for code in [
        "606", "615", "608", "614", "604", "611", "713", "719", "502",
    ] {
        let house = House::new(quick(), &format!("marketo@/rest/*#3:{code}"))
            .await
            .mode(MarketoMode::Rest);
        house.run(ACTIVITIES, week(), "one").await;
        check_activities(&house, week());
    }
    let house = House::new(
        quick(),
        "html=0.05,502=0.05,drop=0.05,cut=0.05,marketo=0.05:606",
    )
    .await
    .mode(MarketoMode::Rest);
    house.run(ACTIVITIES, period(), "one").await;
    check_activities(&house, period());
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_that_stay_end_at_once_under_their_name() {
    for (code, expected) in [
        ("603", ErrorType::BadCredentials),
        ("610", ErrorType::SourceRefused),
        ("1003", ErrorType::SourceRefused),
        ("1006", ErrorType::SourceRefused),
        ("1001", ErrorType::SourceRefused),
        ("709", ErrorType::SourceRefused),
    ] {
        let plan = format!("marketo@/rest/v1/activities.json#1-:{code}");
        let house = House::new(quick(), &plan).await.mode(MarketoMode::Rest);
        let error = house.collect(ACTIVITIES, week(), "one").await.unwrap_err();
        assert_eq!(error.error_type, expected, "{code}: {error}");
        assert!(error.message.contains(code), "{error}");
        assert_eq!(house.asked("/rest/v1/activities.json"), 1, "{code}");
    }
    let house = House::new(quick(), "").await;
    let signed_in = sign_in(&house.context("check").await, "marketo")
        .await
        .unwrap();
    assert_eq!(
        signed_in.account,
        format!("the API user of {DEMO_MUNCHKIN_ID}")
    );
    assert_eq!(
        (signed_in.at, signed_in.warning),
        (house.simulator.base_url(), None)
    );
    let house = House::new(quick(), "marketo@/rest/v1/leads/*:603").await;
    let signed_in = sign_in(&house.context("check").await, "marketo")
        .await
        .unwrap();
    assert!(signed_in.warning.unwrap().contains("may not read leads"));
    let house = House::new(quick(), "wrong-key@/identity/*").await;
    let refused = sign_in(&house.context("check").await, "marketo").await;
    assert_eq!(refused.unwrap_err().error_type, ErrorType::BadCredentials);
    let error = house.collect(ACTIVITIES, week(), "one").await.unwrap_err();
    assert_eq!(error.error_type, ErrorType::BadCredentials);
    assert!(error.message.contains("Bad client credentials"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_left_behind() {
    let house = survives("marketo@/bulk/*#2:602,wrong-checksum#3,truncated-file#1").await;
    house.run(LEADS, week(), "leads").await;
    for path in files_below(house.path()) {
        let bytes = std::fs::read(&path).unwrap();
        let bytes = match path.extension().and_then(|end| end.to_str()) {
            Some("zst") => zstd::decode_all(&*bytes).unwrap(),
            _ => bytes,
        };
        let kept_for = path
            .file_name()
            .is_some_and(|name| name == "parameters.json");
        let found = bytes
            .windows(SECRET_MARKER.len())
            .any(|window| window == SECRET_MARKER.as_bytes());
        assert_eq!(found, kept_for, "{}", path.display());
    }
    assert!(!house.log.says(SECRET_MARKER));
    let parameters = house.context("x").await.parameters;
    let source = format!("{parameters:?} {:?}", house.context("x").await);
    assert!(!source.contains(SECRET_MARKER), "{source}");
    // A staging folder holds nothing after a run but what the store itself keeps there.
    let mut staged = files_below(&house.path().join("std/.staging"));
    staged.retain(|path| !path.components().any(|part| part.as_os_str() == "locks"));
    assert_eq!(staged, Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn leads_that_were_merged_or_deleted_since_leave_silver() {
    for mode in [MarketoMode::Rest, MarketoMode::Bulk] {
        let house = House::new(quick(), "").await.mode(mode);
        // All leads and activities of ten days ago.
        house.simulator.set_now(date(2026, 1, 21).at(23, 59, 59, 0));
        let early = window(date(2026, 1, 18), date(2026, 1, 21));
        house.run(LEADS, early, "leads-1").await;
        house.run(ACTIVITIES, early, "activities-1").await;
        let before = house.silver(LEADS);
        house.simulator.set_now(TODAY.at(23, 59, 59, 0));
        let truth = house.simulator.marketo_truth();
        let ended: Vec<_> = truth
            .gone
            .iter()
            .filter(|(id, _)| before.contains_key(&id.to_string()))
            .collect();
        let merged = ended.iter().filter(|(_, gone)| gone.into.is_some()).count();
        assert!(
            merged > 0 && merged < ended.len(),
            "{mode:?}: {merged} merged of {} that ended since",
            ended.len()
        );
        // The activities alone say so; the leads are not asked for again.
        house.run(ACTIVITIES, period(), "activities-2").await;
        let after = house.silver(LEADS);
        for (id, _) in &ended {
            assert!(!after.contains_key(&id.to_string()), "{mode:?}: {id}");
        }
        assert_eq!(
            after.len(),
            before.len() - ended.len(),
            "{mode:?}: nobody else is dropped"
        );
        check_activities(&house, period());
        let gone = house.table(SilverTable::MarketoGoneLeads, "lead_id");
        assert_eq!(gone.len(), truth.gone.len());
        for (id, end) in &truth.gone {
            let row = &gone[&id.to_string()];
            let mut into = end.into;
            while let Some(next) = into.and_then(|id| truth.gone.get(&id)?.into) {
                into = Some(next);
            }
            assert_eq!(row["merged_into"], into.map(|id| id.to_string()));
        }
        // Both again: nothing comes back.
        house.run(LEADS, period(), "leads-2").await;
        house.run(ACTIVITIES, period(), "activities-3").await;
        let last = house.silver(LEADS);
        assert!(
            truth
                .gone
                .keys()
                .all(|id| !last.contains_key(&id.to_string()))
        );
    }
}
