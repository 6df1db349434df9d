//! What arrives in silver is what the instance holds, whichever way it is read.

use std::collections::BTreeMap;

use lakehand::{
    config::MarketoMode,
    simulator::marketo::{Activity, MarketoTruth},
};
use serde_json::Value;

use super::*;

fn snake(name: &str) -> String {
    name.to_lowercase().replace(' ', "_")
}

fn instant(second: i64) -> String {
    Timestamp::from_second(second)
        .unwrap()
        .strftime("%Y-%m-%dT%H:%M:%S")
        .to_string()
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A decimal as text, without the zeros at its end.
fn trimmed(text: &str) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Compares a row of silver with the activity it came from, column by column.
pub(super) fn check_activity(row: &Row, activity: &Activity) {
    let cell = |name: &str| row[name].clone();
    assert_eq!(cell("lead_id"), Some(activity.lead.to_string()));
    assert_eq!(cell("activity_date"), Some(instant(activity.at)));
    assert_eq!(cell("activity_type_id"), Some(activity.type_id.to_string()));
    assert_eq!(
        cell("campaign_id"),
        activity.campaign.map(|id| id.to_string())
    );
    assert_eq!(
        cell("primary_attribute_value_id"),
        activity.primary_id.map(|id| id.to_string())
    );
    assert_eq!(cell("primary_attribute_value"), activity.primary);
    assert_eq!(cell("action_result"), activity.result);
    let rest: BTreeMap<String, Value> = cell("attributes")
        .map(|text| serde_json::from_str(&text).unwrap())
        .unwrap_or_default();
    let mut left = 0;
    // A type that people defined has all of its attributes there, as they came.
    let is_custom = activity.type_id >= 100_000;
    for (name, value) in &activity.attributes {
        match row.get(&snake(name)) {
            Some(typed) if ["urgency", "priority"].contains(&snake(name).as_str()) => {
                let expected = value.as_f64().unwrap();
                assert_eq!(typed.as_ref().unwrap().parse::<f64>().unwrap(), expected);
            }
            Some(typed) => assert_eq!(typed.as_deref(), Some(plain(value).as_str()), "{name}"),
            None => {
                assert_eq!(rest.get(name), Some(value), "{name}");
                left += usize::from(!is_custom);
            }
        }
        if is_custom {
            assert_eq!(rest.get(name), Some(value), "{name}");
            left += 1;
        }
    }
    assert_eq!(rest.len(), left);
    assert_eq!(cell("_extra"), None);
}

fn activities_of(truth: &MarketoTruth, window: Window) -> BTreeMap<String, Activity> {
    let (start, end) = window.instants(&TimeZone::UTC).unwrap();
    let inside = |activity: &&Activity| (start.as_second()..end.as_second()).contains(&activity.at);
    let all = truth.activities.iter().filter(inside).cloned();
    all.map(|activity| (activity.guid.clone(), activity))
        .collect()
}

/// Compares all of silver with what the instance holds of a window.
pub(super) fn check_activities(house: &House, window: Window) -> usize {
    let expected = activities_of(&house.simulator.marketo_truth(), window);
    let silver = house.silver(ACTIVITIES);
    assert!(
        silver.keys().eq(expected.keys()),
        "{} rows, {} expected",
        silver.len(),
        expected.len()
    );
    for (guid, row) in &silver {
        check_activity(row, &expected[guid]);
    }
    silver.len()
}

/// Compares silver's leads with those of the instance.
pub(super) fn check_leads(house: &House) -> usize {
    let truth = house.simulator.marketo_truth();
    let silver = house.silver(LEADS);
    assert_eq!(silver.len(), truth.leads.len());
    for lead in truth.leads.values() {
        let row = &silver[&lead.id.to_string()];
        assert_eq!(row["created_at"], Some(instant(lead.created)));
        assert_eq!(row["updated_at"], Some(instant(lead.updated)));
        let extra: BTreeMap<String, Value> = row["_extra"]
            .as_ref()
            .map(|text| serde_json::from_str(text).unwrap())
            .unwrap_or_default();
        for (wire, column) in [
            ("email", "email"),
            ("firstName", "first_name"),
            ("lastName", "last_name"),
            ("company", "company"),
            ("utmSource", "utm_source"),
            ("utmMedium", "utm_medium"),
            ("utmCampaign", "utm_campaign"),
            ("unsubscribed", "unsubscribed"),
        ] {
            let expected = lead.values.get(wire).map(plain);
            assert_eq!(row[column], expected, "{wire} of {}", lead.id);
        }
        for (wire, column) in [
            ("leadScore", "lead_score"),
            ("annualRevenue", "annual_revenue"),
        ] {
            let expected = lead
                .values
                .get(wire)
                .map(|value| trimmed(&format!("{:.2}", value.as_f64().unwrap())));
            assert_eq!(
                row[column].as_deref().map(trimmed),
                expected,
                "{wire} of {}",
                lead.id
            );
        }
        // What the contract does not know is kept as it came.
        let share = lead
            .values
            .get("engagementShare")
            .cloned()
            .unwrap_or(Value::Null);
        let kept = extra.get("engagementShare").cloned().unwrap_or(Value::Null);
        assert_eq!(kept.as_f64(), share.as_f64());
    }
    silver.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn activities_paged_and_exported_are_the_same_rows() {
    let house = House::new(quick(), "").await.mode(MarketoMode::Rest);
    let paged = house.run(ACTIVITIES, week(), "paged").await;
    let rows = check_activities(&house, week());
    assert!(rows > 500, "{rows}");
    assert_eq!((paged.rows_new, paged.rows_quarantined), (rows as u64, 0));
    // The split by ten types reads 19 types in two.
    assert_eq!(house.asked("/rest/v1/activities/pagingtoken.json"), 2);

    let house = house.mode(MarketoMode::Bulk);
    let exported = house.run(ACTIVITIES, week(), "exported").await;
    assert_eq!(
        (
            exported.rows_unchanged,
            exported.rows_new,
            exported.rows_updated
        ),
        (rows as u64, 0, 0)
    );
    assert!(exported.partitions.is_empty());
    // One job to learn the size of a day, one for the rest.
    assert_eq!(house.asked("/bulk/v1/activities/export/create.json"), 2);
    // Deleted leads are paged, bulk does not have them.
    assert_eq!(house.asked("/rest/v1/activities/pagingtoken.json"), 3);
    check_activities(&house, week());
    assert!(
        exported
            .drift
            .iter()
            .any(|note| note.field == "step_id" && note.what == "text in a number")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn leads_are_exported_at_first_and_then_found_by_their_changes() {
    let house = House::new(quick(), "").await;
    let first = house.run(LEADS, week(), "first").await;
    assert_eq!(first.rows_new as usize, check_leads(&house));
    assert!(
        first
            .unknown_fields
            .iter()
            .any(|note| note.field == "engagementShare")
    );
    // 100 days in windows of at most 31.
    assert_eq!(house.asked("/bulk/v1/leads/export/create.json"), 4);
    assert_eq!(house.asked("/rest/v1/leads.json"), 0);

    // The window is short now, so that pages are cheaper.
    let second = house.run(LEADS, week(), "second").await;
    assert_eq!(house.asked("/bulk/v1/leads/export/create.json"), 4);
    assert!(house.asked("/rest/v1/leads.json") > 0);
    assert!(second.rows_in > 0);
    assert_eq!(
        (second.rows_new, second.rows_updated, second.rows_unchanged),
        (0, 0, second.rows_in)
    );
    check_leads(&house);

    let bulk = house.mode(MarketoMode::Bulk);
    let third = bulk.run(LEADS, week(), "third").await;
    assert_eq!((third.rows_new, third.rows_updated), (0, 0));
    assert_eq!(bulk.asked("/bulk/v1/leads/export/create.json"), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_late_is_found_by_the_overlap() {
    let house = House::new(quick(), "").await;
    let yesterday = date(2026, 1, 30).at(23, 59, 59, 0);
    house.simulator.set_now(yesterday);
    house
        .run(
            ACTIVITIES,
            window(date(2026, 1, 29), date(2026, 1, 30)),
            "one",
        )
        .await;
    let early = house.silver(ACTIVITIES);
    house.simulator.set_now(TODAY.at(23, 59, 59, 0));
    let days = window(TODAY, TODAY);
    house.run(ACTIVITIES, days, "two").await;
    let late: Vec<Row> = house
        .silver(ACTIVITIES)
        .into_iter()
        .filter(|(guid, row)| {
            let day = row["activity_date"].as_ref().unwrap();
            !early.contains_key(guid) && day.starts_with("2026-01-30")
        })
        .map(|(_, row)| row)
        .collect();
    assert!(!late.is_empty(), "a mail of yesterday is committed today");
    assert!(
        late.iter()
            .all(|row| row["activity_type_id"].as_deref() == Some("6"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_leaves_no_gap_behind_the_watermark() {
    let house = House::new(quick(), "").await.mode(MarketoMode::Rest);
    let read = |days: Window, passes, execution: &'static str| {
        let house = &house;
        async move {
            let request = CollectRequest {
                stream: ACTIVITIES,
                window: days,
                passes,
            };
            collect(&house.context(execution).await, &request)
                .await
                .unwrap()
                .watermark
                .unwrap()
        }
    };
    let old = window(date(2026, 1, 18), date(2026, 1, 19));
    let first = read(old, Passes::NewAndChanged, "one").await;
    assert_eq!(first.to_string(), "2026-01-20T00:00:00Z");
    let backfill = read(
        window(date(2026, 1, 25), date(2026, 1, 25)),
        Passes::New,
        "two",
    )
    .await;
    assert_eq!(backfill, first, "the days in between are not read");
    // The next collection starts at the watermark less the overlap, not at its window.
    house
        .run(ACTIVITIES, window(date(2026, 1, 30), TODAY), "three")
        .await;
    let expected = activities_of(
        &house.simulator.marketo_truth(),
        window(date(2026, 1, 19), TODAY),
    );
    assert!(house.silver(ACTIVITIES).keys().eq(expected.keys()));
}

#[tokio::test(flavor = "multi_thread")]
async fn new_fields_are_kept_and_noted_and_vanished_ones_are_named() {
    let house = House::new(quick(), "").await;
    let files = |name: &str, lines: &[&str]| {
        let path = house.path().join(name);
        std::fs::write(&path, lines.join("\n")).unwrap();
        vec![path]
    };
    let context = house.context("import").await;
    let row = r#"{"marketoGUID":"1","leadId":7,"activityDate":"2026-01-16T23:32:19+0000","activityTypeId":1,"brandNew":{"a":[1]},"attributes":{"Step ID":"17","Odd":false}}"#;
    let odd = r#"{"marketoGUID":"2","leadId":7,"activityDate":"2026-01-16T15:32:19-08:00","activityTypeId":1,"attributes":{"Step ID":"soon","New Value":false}}"#;
    let mut lines = vec![row; 20];
    lines.push(odd);
    let summary =
        lakehand::pipeline::normalise::import(&context, ACTIVITIES, &files("a.ndjson", &lines))
            .await
            .unwrap();
    assert_eq!(summary.unknown_fields[0].field, "brandNew");
    assert_eq!(summary.quarantine_reasons, BTreeMap::new());
    let silver = house.silver(ACTIVITIES);
    let odd = &silver["2"];
    assert_eq!(odd["step_id"], None);
    assert_eq!(odd["attributes"].as_deref(), Some(r#"{"Step ID":"soon"}"#));
    assert_eq!(odd["new_value"].as_deref(), Some("false"));
    let kept = &silver["1"];
    assert_eq!(kept["step_id"].as_deref(), Some("17"));
    assert_eq!(kept["_extra"].as_deref(), Some(r#"{"brandNew":{"a":[1]}}"#));
    assert_eq!(kept["attributes"].as_deref(), Some(r#"{"Odd":false}"#));
    assert_eq!(
        kept["activity_date"].as_deref(),
        Some("2026-01-16T23:32:19")
    );

    let gone =
        r#"{"marketoGUID":"3","lead":7,"activityDate":"2026-01-16T23:32:19Z","activityTypeId":1}"#;
    let ended = lakehand::pipeline::normalise::import(
        &context,
        ACTIVITIES,
        &files("b.ndjson", &[gone, gone]),
    )
    .await;
    let error = ended.unwrap_err();
    assert_eq!(error.error_type.name(), "DataContractError");
    assert!(
        error
            .message
            .contains("the required field lead_id ('leadId' on the wire) has vanished"),
        "{error}"
    );
    assert_eq!(house.silver(ACTIVITIES).len(), 2);
}
