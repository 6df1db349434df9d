//! `demo --all`: four sources, every table, the datamart; figures equal to sums over the simulator's truth.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use lakehand::simulator::{
    self,
    google::{GoogleTruth, PROPERTIES},
    marketo::{Lead, MarketoTruth},
};
use serde_json::Value;

use crate::{
    figures::assert_report_is_true,
    program::{SEED, TODAY, demo, query, report},
};

const SCALE: u64 = 1500;

/// Day, business unit, source, medium, campaign.
type Key = (
    Date,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// Sessions, users, key events in halves, new leads, activities.
type Figures = [u64; 5];

fn days() -> impl Iterator<Item = Date> {
    (0..8).map(|back| TODAY.checked_sub(back.days()).unwrap())
}

/// What the websites and Marketo hold, each from a world of its own that the demo never saw.
fn truth() -> (GoogleTruth, MarketoTruth) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = simulator::Options {
            seed: SEED,
            scale: SCALE,
            ..simulator::Options::new(TODAY)
        };
        let running = simulator::start(options).await.unwrap();
        let truth = (running.google_truth(), running.marketo_truth());
        running.shutdown().await;
        truth
    })
}

fn day_of(second: i64) -> Date {
    let instant = Timestamp::from_second(second).unwrap();
    TimeZone::UTC.to_datetime(instant).date()
}

/// A campaign as the datamart has it: what Google writes for none is none.
fn campaign(text: &str) -> Option<String> {
    let none = [
        "(not set)",
        "(direct)",
        "(organic)",
        "(referral)",
        "(none)",
        "(data not available)",
        "",
    ];
    (!none.contains(&text)).then(|| text.to_owned())
}

/// The key that a lead brings to a day.
fn key_of(day: Date, lead: Option<&Lead>) -> Key {
    let field = |name: &str| {
        let text = lead?.values.get(name)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    };
    (
        day,
        None,
        field("utmSource"),
        field("utmMedium"),
        field("utmCampaign"),
    )
}

/// The datamart of the window by plain loops.
fn expected(google: &GoogleTruth, marketo: &MarketoTruth) -> BTreeMap<Key, Figures> {
    let mut rows = BTreeMap::<Key, Figures>::new();
    for day in days() {
        for unit in PROPERTIES.map(|property| property.business_unit) {
            for ((source, medium, name), figures) in google.by_campaign(unit, day) {
                let unit = Some(unit.to_owned());
                let key = (day, unit, Some(source), Some(medium), campaign(&name));
                let row = rows.entry(key).or_default();
                row[0] += figures.sessions;
                row[1] += figures.total_users;
                row[2] += figures.half_key_events;
            }
        }
    }
    let within = |day: &Date| days().any(|known| known == *day);
    for lead in marketo.leads.values() {
        let day = day_of(lead.created);
        if within(&day) {
            rows.entry(key_of(day, Some(lead))).or_default()[3] += 1;
        }
    }
    for activity in &marketo.activities {
        let day = day_of(activity.at);
        if within(&day) {
            let lead = marketo.lead_of(activity.lead);
            rows.entry(key_of(day, lead)).or_default()[4] += 1;
        }
    }
    rows
}

fn actual(rows: &[Value]) -> BTreeMap<Key, Figures> {
    let text = |row: &Value, name: &str| row[name].as_str().map(str::to_owned);
    let number = |row: &Value, name: &str| -> u64 {
        let shown = row[name].to_string();
        shown.trim_matches('"').parse().unwrap()
    };
    rows.iter()
        .map(|row| {
            let key = (
                row["day"].as_str().unwrap().parse().unwrap(),
                text(row, "business_unit"),
                text(row, "source"),
                text(row, "medium"),
                text(row, "campaign"),
            );
            let names = ["sessions", "users", "halves", "new_leads", "activities"];
            (key, names.map(|name| number(row, name)))
        })
        .collect()
}

#[test]
fn all_four_sources_end_in_a_datamart_whose_every_figure_is_true() {
    let home = tempfile::tempdir().unwrap();
    let made = demo(home.path(), SCALE, &["--all"]);
    assert_eq!(made["status"], "SUCCEEDED", "{made}");
    assert_report_is_true(&report(home.path()), SCALE);

    let (google, marketo) = truth();
    let tables = made["tables"].as_object().unwrap();
    for name in [
        "ga_traffic",
        "ga3_archive",
        "marketo_leads",
        "marketo_activities",
    ] {
        assert!(
            tables[name].as_u64().is_some_and(|rows| rows > 50),
            "{name}: {tables:?}"
        );
    }
    assert_eq!(tables["marketo_leads"], marketo.leads.len());

    assert!(
        marketo.gone.values().any(|gone| gone.into.is_some())
            && marketo.gone.values().any(|gone| gone.into.is_none()),
        "the sample has no lead that was merged, or none that was deleted"
    );
    let rows = query(
        home.path(),
        "SELECT CAST(datestamp AS varchar) AS day, business_unit, source, medium, campaign, sessions, users, \
         CAST(conversions * 2 AS bigint) AS halves, new_leads, activities FROM marketing_datamart \
         WHERE datestamp BETWEEN date '2026-11-13' AND date '2026-11-20'",
    );
    let (expected, actual) = (expected(&google, &marketo), actual(&rows));
    assert_eq!(rows.len(), actual.len(), "a key stands in two rows");
    assert!(
        expected.len() > 100,
        "the sample is too small to show anything"
    );
    for (key, figures) in &expected {
        assert_eq!(actual.get(key), Some(figures), "{key:?}");
    }
    assert_eq!(actual.len(), expected.len());
}
