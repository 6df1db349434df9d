//! What stands on the wire is what is true, in every spelling that the sheet lists.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use lakehand::simulator::SECRET_MARKER;
use lakehand::simulator::truth::{Conversion, Truth};
use serde_json::Value;

use crate::{CLICKS, CONVERSIONS, WEEK, body, collect, read, started};

/// A text or null, as the truth has it.
fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => panic!("{other} is neither text nor null"),
    }
}

/// An identifier in whatever spelling.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Cents of an amount in whatever spelling, rounded.
fn cents(value: &Value) -> i64 {
    let amount: f64 = match value {
        Value::Number(number) => number.as_f64().unwrap(),
        Value::String(text) => text.parse().unwrap(),
        other => panic!("{other} is no amount"),
    };
    (amount * 100.0).round() as i64
}

#[tokio::test]
async fn clicks_say_what_is_true() {
    let simulator = started(2_500).await;
    let truth = simulator.truth().unwrap();
    let (rows, _) = collect(&simulator, &format!("{CLICKS}?{WEEK}&limit=5000"), "clicks").await;
    let clicks = truth.clicks_between(truth.oldest_readable_click_day(), truth.today());
    let mut count = 0;
    for (row, click) in rows.iter().zip(clicks) {
        count += 1;
        assert_eq!(row["id"], click.id.to_string());
        assert_eq!(
            row["created_at"],
            click.created_at().strftime("%F %T").to_string()
        );
        assert_eq!(number(&row["offer"]["id"]), Some(u64::from(click.offer_id)));
        assert_eq!(
            number(&row["partner_id"]),
            Some(u64::from(click.affiliate_id))
        );
        assert_eq!(
            number(&row["partner"]["id"]),
            Some(u64::from(click.affiliate_id))
        );
        assert_eq!(text(&row["country"]), click.country);
        assert_eq!(text(&row["os"]), click.os);
        assert_eq!(text(&row["os_version"]), click.os_version);
        assert_eq!(row["ua"], click.agent.text);
        assert_eq!(text(&row["referrer"]), click.referrer);
        for (place, value) in click.subs.iter().enumerate() {
            assert_eq!(text(&row[format!("sub{}", place + 1)]), value.as_deref());
        }
        let unique = row["uniq"]
            .as_bool()
            .or(row["uniq"].as_u64().map(|flag| flag == 1));
        assert_eq!(unique, Some(click.unique));
        assert_eq!(row["has_conversions"], click.conversion_id.is_some());
        let conversion = click
            .conversion_id
            .map(|id| id.to_string())
            .unwrap_or_default();
        assert_eq!(row["conversion_id"], conversion);
    }
    assert_eq!(count, rows.len());
}

fn assert_conversion(row: &Value, one: &Conversion) {
    assert_eq!(row["id"], one.id.to_string());
    assert_eq!(row["clickid"], one.click.id.to_string());
    assert_eq!(
        row["created_at"],
        one.created_at().strftime("%F %T").to_string()
    );
    let offer = number(&row["offer"]["id"]).or(number(&row["offer_id"]));
    assert_eq!(offer, Some(u64::from(one.click.offer_id)));
    let affiliate = number(&row["partner"]["id"]).or(number(&row["partner_id"]));
    assert_eq!(affiliate, Some(u64::from(one.click.affiliate_id)));
    assert_eq!(text(&row["country"]), one.click.country);
    assert_eq!(text(&row["os"]), one.os.as_deref());
    assert!(row.get("os_version").is_none());
    assert_eq!(text(&row["sub5"]), one.click.sub5());
    assert_eq!(text(&row["sub6"]), one.click.sub6());
    assert_eq!(cents(&row["payouts"]), one.payouts.cents());
    assert_eq!(cents(&row["earnings"]), one.earnings().cents());
    assert_eq!(row["decline_reason"], one.decline_reason);
}

#[tokio::test]
async fn conversions_say_what_is_true() {
    let simulator = started(20_000).await;
    let truth = simulator.truth().unwrap();
    let (rows, _) = collect(
        &simulator,
        &format!("{CONVERSIONS}?{WEEK}&limit=1000"),
        "conversions",
    )
    .await;
    let conversions: Vec<Conversion> = truth
        .conversions_between(truth.oldest_readable_click_day(), truth.today())
        .collect();
    assert_eq!(rows.len(), conversions.len());
    for (row, one) in rows.iter().zip(&conversions) {
        assert_conversion(row, one);
        assert_eq!(row["status"], one.status.name());
        assert_eq!(cents(&row["revenue"]), one.revenue.cents());
        assert_eq!(
            cents(&row["revenue"]),
            cents(&row["payouts"]) + cents(&row["earnings"])
        );
        let updated = row.get("updated_at").and_then(Value::as_str).unwrap_or("");
        if updated.is_empty() || updated.starts_with("0000") {
            assert_eq!(
                one.version, 0,
                "only unchanged conversions may lack their update time"
            );
        } else {
            assert_eq!(updated, one.updated_at().strftime("%F %T").to_string());
        }
    }
    // One conversion by its identifier: the money trap.
    for one in conversions.iter().step_by(40) {
        let reply = read(
            &simulator,
            &format!("/3.0/stats/conversionsbyid?id={}", one.id),
        )
        .await;
        let row = &reply["conversion"];
        assert_conversion(row, one);
        assert_eq!(row["status"], one.status.number());
        assert_eq!(cents(&row["charge"]), one.revenue.cents());
        assert_eq!(cents(&row["revenue"]), one.payouts.cents());
        assert_eq!(cents(&row["earning"]), one.earnings().cents());
    }
}

/// The kind of a value, with the special texts told apart.
fn shape(value: Option<&Value>) -> &'static str {
    match value {
        None => "absent",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "flag",
        Some(Value::Number(number)) if number.is_f64() => "float",
        Some(Value::Number(_)) => "int",
        Some(Value::String(text)) => match text.as_str() {
            "" => "blank",
            "0000-00-00 00:00:00" => "zero",
            _ => "text",
        },
        Some(Value::Array(list)) if list.is_empty() => "empty list",
        Some(Value::Array(_)) => "list",
        Some(Value::Object(map)) if map.is_empty() => "empty map",
        Some(Value::Object(_)) => "map",
    }
}

fn shapes(rows: &[Value], path: &str) -> BTreeSet<&'static str> {
    rows.iter().map(|row| shape(row.pointer(path))).collect()
}

#[tokio::test]
async fn every_drift_of_the_sheet_occurs() {
    let simulator = started(20_000).await;
    let (conversions, _) = collect(
        &simulator,
        &format!("{CONVERSIONS}?{WEEK}&limit=1000"),
        "conversions",
    )
    .await;
    let page = read(&simulator, &format!("{CLICKS}?{WEEK}&limit=1500")).await;
    let clicks = page["clicks"].as_array().unwrap().clone();
    let all = "/3.0/offers?limit=500&status[]=active&status[]=stopped&status[]=suspended";
    let (offers, _) = collect(&simulator, all, "offers").await;
    let (affiliates, _) = collect(&simulator, "/3.0/admin/partners?limit=500", "partners").await;
    let (advertisers, _) = collect(&simulator, "/3.0/admin/advertisers", "advertisers").await;
    for (rows, path, expected) in [
        (&conversions, "/offer_id", &["absent", "int", "text"][..]),
        (&conversions, "/partner_id", &["absent", "int", "text"]),
        (&conversions, "/offer", &["map", "null"]),
        (
            &conversions,
            "/offer/external_id",
            &["absent", "flag", "text"],
        ),
        (&conversions, "/partner/manager", &["absent", "map", "null"]),
        (&conversions, "/revenue", &["float", "int", "text"]),
        (&conversions, "/payouts", &["float", "int", "text"]),
        (&conversions, "/earnings", &["float", "int", "text"]),
        (
            &conversions,
            "/sum",
            &["blank", "float", "int", "null", "text"],
        ),
        (
            &conversions,
            "/updated_at",
            &["absent", "blank", "null", "text", "zero"],
        ),
        (&conversions, "/click_time", &["blank", "text", "zero"]),
        (&clicks, "/partner_id", &["int", "text"]),
        (&clicks, "/uniq", &["flag", "int"]),
        (&clicks, "/country", &["blank", "null", "text"]),
        (&clicks, "/os", &["blank", "null", "text"]),
        (&clicks, "/sub5", &["blank", "null", "text", "zero"]),
        (&offers, "/strictly_os", &["empty list", "map", "null"]),
        (&offers, "/allow_deeplink", &["flag", "int"]),
        (&offers, "/stop_at", &["blank", "null", "zero"]),
        (
            &offers,
            "/sub_accounts",
            &["empty list", "empty map", "map"],
        ),
        (&offers, "/targeting", &["empty list", "list"]),
        (
            &offers,
            "/caps/0/goals",
            &["absent", "empty list", "empty map", "map"],
        ),
        (&offers, "/caps/0/country", &["absent", "list", "null"]),
        (&offers, "/payments/0/total", &["float", "int"]),
        (&affiliates, "/manager", &["blank", "map", "null", "text"]),
        (&affiliates, "/name", &["blank", "null", "text"]),
        (&advertisers, "/manager", &["blank", "text"]),
        (&advertisers, "/manager_obj", &["map", "null"]),
        (&advertisers, "/offers", &["text"]),
    ] {
        assert_eq!(
            shapes(rows, path),
            BTreeSet::from_iter(expected.iter().copied()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn caps_and_payments_name_their_affiliates() {
    let simulator = started(20_000).await;
    let truth: Truth = simulator.truth().unwrap();
    let all = "/3.0/offers?limit=500&status[]=active&status[]=stopped&status[]=suspended";
    let (offers, _) = collect(&simulator, all, "offers").await;
    let by_id: BTreeMap<u64, &Value> = offers
        .iter()
        .map(|row| (number(&row["id"]).unwrap(), row))
        .collect();
    let list = |value: &Value| -> Vec<u32> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|id| u32::try_from(id.as_u64().unwrap()).unwrap())
            .collect()
    };
    let mut exact = 0;
    for offer in truth.offers().iter().filter(|offer| offer.listed) {
        let row = by_id[&u64::from(offer.id)];
        assert_eq!(row["title"], offer.title);
        assert_eq!(
            row["advertiser"],
            truth.advertisers()[offer.advertiser].id.to_string()
        );
        assert_eq!(row["caps"].as_array().unwrap().len(), offer.caps.len());
        for (cap, row) in offer.caps.iter().zip(row["caps"].as_array().unwrap()) {
            assert_eq!(
                (row["type"].as_str(), row["period"].as_str()),
                (Some(cap.kind), Some(cap.period))
            );
            assert_eq!(list(&row["affiliates"]), cap.affiliates);
            assert_eq!(cents(&row["value"]), cap.value.cents());
            assert_eq!(row["affiliate_type"] == "exact", !cap.affiliates.is_empty());
            exact += usize::from(!cap.affiliates.is_empty());
        }
        for (payment, row) in offer
            .partner_payments
            .iter()
            .zip(row["partner_payments"].as_array().unwrap())
        {
            assert_eq!(list(&row["partners"]), payment.affiliates);
            assert_eq!(cents(&row["total"]), payment.total.cents());
            assert_eq!(cents(&row["revenue"]), payment.revenue.cents());
        }
    }
    assert!(exact > 10, "{exact}");
}

#[tokio::test]
async fn secrets_stand_in_dimensions_and_only_there() {
    let simulator = started(3_000).await;
    for path in [
        "/3.0/offers",
        "/3.0/admin/partners",
        "/3.0/admin/advertisers",
        "/3.0/admin/users",
    ] {
        assert!(
            body(&simulator, path).await.contains(SECRET_MARKER),
            "{path}"
        );
    }
    for path in [CLICKS, CONVERSIONS] {
        let rows = body(&simulator, &format!("{path}?{WEEK}&limit=1000")).await;
        assert!(!rows.contains(SECRET_MARKER), "{path}");
    }
}

#[tokio::test]
async fn some_rows_are_escaped_as_php_does() {
    let simulator = started(3_000).await;
    let page = body(&simulator, &format!("{CLICKS}?{WEEK}&limit=1000")).await;
    assert!(
        page.contains("\\/") && page.contains("\\u04"),
        "slashes and Cyrillic are escaped in some rows"
    );
    assert!(
        page.contains("http://") && !page.is_ascii(),
        "and are not in others"
    );
    let kinds: HashSet<bool> = page
        .split("},{\"id\"")
        .map(|row| row.contains("\\/"))
        .collect();
    assert_eq!(kinds.len(), 2);
}

#[tokio::test]
async fn single_things_are_found_by_their_identifier() {
    let simulator = started(3_000).await;
    let truth = simulator.truth().unwrap();
    let offer = read(&simulator, "/3.0/offer/303").await;
    assert_eq!(
        (offer["status"].as_u64(), offer["offer"]["id"].as_u64()),
        (Some(1), Some(303))
    );
    let partner = read(&simulator, "/3.0/admin/partner/4").await;
    assert_eq!(partner["partner"]["id"], 4);
    let id = truth.advertisers()[2].id.to_string();
    let advertiser = read(&simulator, &format!("/3.0/admin/advertiser/{id}")).await;
    assert_eq!(
        (
            advertiser["status"].as_str(),
            &advertiser["advertiser"]["id"]
        ),
        (Some("success"), &Value::from(id))
    );
}
