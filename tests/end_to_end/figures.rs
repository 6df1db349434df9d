//! The report by plain loops over the simulator's own truth: no file, no silver and no SQL of ours.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use lakehand::simulator::truth::{ConversionStatus, Manager, ManagerReference, Truth};

use crate::program::{SEED, TODAY, cells};

/// An amount in cents, rounded; the wire carries the float noise that the truth does not know.
fn cents(text: &str) -> i64 {
    (text.parse::<f64>().unwrap() * 100.0).round() as i64
}

type Key = (
    Date,
    u32,
    u32,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

#[derive(Default)]
struct Figures {
    clicks: u64,
    unique: u64,
    confirmed: u64,
    revenue_cents: i64,
}

fn filled(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn manager_name(managers: &[Manager], reference: ManagerReference) -> String {
    let ManagerReference::Object(place) = reference else {
        return String::new();
    };
    format!(
        "{} {}",
        managers[place].first_name, managers[place].last_name
    )
    .trim()
    .to_owned()
}

/// The rows of the sub5 report by plain loops over the truth, sorted.
fn expected_rows(truth: &Truth, from: Date, to: Date) -> Vec<Vec<String>> {
    let mut groups: BTreeMap<Key, Figures> = BTreeMap::new();
    let key = |day: Date, click: &lakehand::simulator::truth::Click| -> Key {
        let country = click.country.map(str::to_owned);
        let (sub5, sub6) = (filled(click.sub5()), filled(click.sub6()));
        (
            day,
            click.affiliate_id,
            click.offer_id,
            country,
            sub5,
            sub6,
            filled(click.os),
            filled(click.os_version),
        )
    };
    for click in truth
        .clicks()
        .filter(|click| (from..=to).contains(&click.created_at().date()))
    {
        let figures = groups
            .entry(key(click.created_at().date(), &click))
            .or_default();
        figures.clicks += 1;
        figures.unique += u64::from(click.unique);
    }
    for conversion in truth
        .conversions()
        .filter(|conversion| (from..=to).contains(&conversion.created_at().date()))
    {
        if conversion.status == ConversionStatus::Confirmed {
            let figures = groups
                .entry(key(conversion.created_at().date(), &conversion.click))
                .or_default();
            figures.confirmed += 1;
            figures.revenue_cents += conversion.revenue.cents();
        }
    }
    let mut rows: Vec<_> = groups
        .into_iter()
        .filter(|(_, f)| f.confirmed > 0)
        .map(|(key, f)| named_row(truth, key, &f))
        .collect();
    rows.sort();
    rows
}

fn named_row(truth: &Truth, key: Key, figures: &Figures) -> Vec<String> {
    let (day, affiliate_id, offer_id, country, sub5, sub6, _, _) = key;
    let affiliate = truth
        .affiliate(affiliate_id)
        .filter(|affiliate| affiliate.listed);
    let offer = truth.offer(offer_id).filter(|offer| offer.listed);
    let advertiser = offer.map(|offer| &truth.advertisers()[offer.advertiser]);
    let name = |name: Option<&str>, login: &str| filled(name).unwrap_or_else(|| login.to_owned());
    vec![
        day.to_string(),
        affiliate_id.to_string(),
        affiliate.map_or(String::new(), |affiliate| {
            name(affiliate.name.as_deref(), &affiliate.login)
        }),
        affiliate.map_or(String::new(), |affiliate| {
            manager_name(truth.managers(), affiliate.manager)
        }),
        advertiser.map_or(String::new(), |advertiser| advertiser.title.clone()),
        advertiser.map_or(String::new(), |advertiser| {
            manager_name(truth.managers(), advertiser.manager)
        }),
        offer.map_or(String::new(), |offer| offer.title.clone()),
        offer_id.to_string(),
        country.unwrap_or_default(),
        sub5.unwrap_or_default(),
        sub6.unwrap_or_default(),
        figures.clicks.to_string(),
        figures.unique.to_string(),
        figures.revenue_cents.to_string(),
        figures.confirmed.to_string(),
    ]
}

/// The rows of a report file, its money in cents, sorted.
fn actual_rows(csv: &str) -> Vec<Vec<String>> {
    let mut rows = cells(csv);
    let header = rows.remove(0);
    assert_eq!(
        header.join(","),
        "datestamp,affiliate_id,affiliate_name,affiliate_manager,advertiser_name,account_manager,offer_title,offer_id,\
         country,sub5,sub6,click_count,host_count,approved_revenue,conversions_count"
    );
    for row in &mut rows {
        row[13] = cents(&row[13]).to_string();
    }
    rows.sort();
    rows
}

#[track_caller]
pub fn assert_report_is_true(csv: &str, scale: u64) {
    let truth = Truth::new(SEED, scale, TODAY);
    let expected = expected_rows(&truth, date(2026, 11, 13), TODAY);
    let actual = actual_rows(csv);
    assert!(
        expected.len() > 20,
        "the sample is too small to show anything"
    );
    for (place, (expected, actual)) in expected.iter().zip(&actual).enumerate() {
        assert_eq!(expected, actual, "row {place}");
    }
    assert_eq!(expected.len(), actual.len());
}
