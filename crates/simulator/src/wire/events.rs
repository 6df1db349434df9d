//! Clicks and conversions.

use jiff::tz::TimeZone;

use super::super::random::{Draws, Purpose};
use super::super::truth::{Affiliate, Click, Conversion, ManagerReference, Offer, Truth};
use super::{Object, escapes, money_style, stamp};

/// Appends a click as the listing has it.
pub(crate) fn push_click(out: &mut String, truth: &Truth, click: &Click, zone: &TimeZone) {
    let mut drift = Draws::new(truth.seed(), Purpose::ClickDrift, click.number);
    let style = escapes(&mut drift);
    Object::write(out, style, |row| {
        row.shown("id", click.id);
        row.shown("click_id", click.id);
        stamp(row, "created_at", click.created, zone);
        row.flag("uniq", click.unique, drift.chance(50));
        row.flag("has_conversions", click.conversion_id.is_some(), false);
        match click.conversion_id {
            Some(id) => row.shown("conversion_id", id),
            None => row.text("conversion_id", ""),
        }
        row.raw("cbid", "null");
        row.text("ip", &click.ip);
        row.text("ua", click.agent.text);
        click_place(row, click);
        click_device(row, click);
        row.text_or_null("referrer", click.referrer);
        subs(row, click);
        for key in ["ext1", "ext2", "ext3"] {
            row.text(key, "");
        }
        if let Some(offer) = truth.offer(click.offer_id) {
            row.object("offer", |row| offer_fields(row, offer));
        }
        let affiliate = truth.affiliate(click.affiliate_id);
        partner(row, truth, click.affiliate_id, affiliate, &mut drift);
        row.number_or_text(
            "partner_id",
            u64::from(click.affiliate_id),
            drift.chance(200),
        );
        row.text("supplier_manager_id", "");
        for key in ["landing", "prelanding"] {
            row.raw(key, r#"{"id":0,"url":"undefined","title":""}"#);
        }
        for key in ["smart_id", "ref_id", "user_id", "unid", "idfa"] {
            row.text(key, "");
        }
    });
}

fn click_place(row: &mut Object<'_>, click: &Click) {
    row.text_or_null("country", click.country);
    row.text("country_name", click.country_name);
    row.number("region_id", 0);
    row.text("region_name", "");
    row.text("city", click.city);
    row.number("city_id", click.city.len() as u64 * 31);
    row.number("isp", 0);
    row.text(
        "isp_code",
        if click.number.is_multiple_of(3) {
            "-"
        } else {
            ""
        },
    );
    let mobile = click.agent.device_type == "mobile";
    row.text("connection_type", if mobile { "cellular" } else { "wi-fi" });
}

fn click_device(row: &mut Object<'_>, click: &Click) {
    let agent = click.agent;
    row.text("device", agent.brand);
    row.text("device_type", agent.device_type);
    row.text("device_model", agent.model);
    joined(row, "device_fullname", agent.brand, agent.model);
    row.text_or_null("os", click.os);
    row.text_or_null("os_version", click.os_version);
    joined(row, "os_fullname", agent.os, agent.os_version);
    row.raw("os_id", "null");
    row.text("browser", agent.browser);
    row.text("browser_version", agent.browser_version);
    joined(
        row,
        "browser_fullname",
        agent.browser,
        agent.browser_version,
    );
}

fn joined(row: &mut Object<'_>, key: &str, name: &str, version: &str) {
    if name.is_empty() || version.is_empty() {
        row.text(key, if name.is_empty() { version } else { name });
    } else {
        row.text(key, &format!("{name} {version}"));
    }
}

fn subs(row: &mut Object<'_>, click: &Click) {
    const KEYS: [&str; 8] = [
        "sub1", "sub2", "sub3", "sub4", "sub5", "sub6", "sub7", "sub8",
    ];
    for (key, value) in KEYS.iter().zip(&click.subs) {
        row.text_or_null(key, value.as_deref());
    }
}

fn offer_fields(row: &mut Object<'_>, offer: &Offer) {
    row.number("id", u64::from(offer.id));
    row.text("title", &offer.title);
    row.shown("offer_id", offer.offer_id);
    row.text("url", "https://t.example/?c={clickid}");
    match &offer.external_id {
        Some(id) => row.text("external_id", id),
        None => row.raw("external_id", "false"),
    }
}

fn partner(
    row: &mut Object<'_>,
    truth: &Truth,
    id: u32,
    affiliate: Option<&Affiliate>,
    drift: &mut Draws,
) {
    let Some(affiliate) = affiliate.filter(|_| !drift.chance(10)) else {
        row.object("partner", |row| row.number("id", u64::from(id)));
        return;
    };
    row.object("partner", |row| {
        row.number("id", u64::from(id));
        row.text("login", &affiliate.login);
        row.text("email", &affiliate.email);
        row.text_or_null("name", affiliate.name.as_deref());
        row.text(
            "title",
            affiliate.name.as_deref().unwrap_or(&affiliate.login),
        );
        let manager = match affiliate.manager {
            ManagerReference::Object(place) | ManagerReference::Id(place) => {
                truth.managers().get(place)
            }
            ManagerReference::Null | ManagerReference::Blank => None,
        };
        match manager {
            Some(manager) => {
                row.object("manager", |row| {
                    row.shown("id", manager.id);
                    row.text(
                        "title",
                        &format!("{} {}", manager.first_name, manager.last_name),
                    );
                    row.text("first_name", manager.first_name);
                    row.text("last_name", manager.last_name);
                });
                row.shown("manager_id", manager.id);
            }
            None => {
                row.raw("manager", "null");
                row.raw("manager_id", "null");
            }
        }
    });
}

/// Appends a conversion as the listing has it.
pub(crate) fn push_conversion(
    out: &mut String,
    truth: &Truth,
    conversion: &Conversion,
    zone: &TimeZone,
) {
    let mut drift = conversion_drift(truth, conversion);
    let style = escapes(&mut drift);
    Object::write(out, style, |row| {
        row.shown("id", conversion.id);
        row.shown("conversion_id", conversion.id);
        row.text("status", conversion.status.name());
        conversion_fields(row, truth, conversion, zone, &mut drift);
        row.money("revenue", conversion.revenue, money_style(&mut drift));
        row.money("payouts", conversion.payouts, money_style(&mut drift));
        row.money("earnings", conversion.earnings(), money_style(&mut drift));
        updated_at(row, conversion, zone, &mut drift);
    });
}

/// Appends a conversion as the reply for one conversion has it: the status is a number, and
/// `revenue` is the affiliate's side (the money trap of `source-apis.md` 1.4).
pub(crate) fn push_one_conversion(out: &mut String, truth: &Truth, conversion: &Conversion) {
    let mut drift = conversion_drift(truth, conversion);
    let style = escapes(&mut drift);
    let utc = TimeZone::UTC;
    Object::write(out, style, |row| {
        row.shown("id", conversion.id);
        row.shown("conversion_id", conversion.id);
        row.number("status", u64::from(conversion.status.number()));
        conversion_fields(row, truth, conversion, &utc, &mut drift);
        row.money("charge", conversion.revenue, money_style(&mut drift));
        row.money("revenue", conversion.payouts, money_style(&mut drift));
        row.money("payouts", conversion.payouts, money_style(&mut drift));
        row.money("earnings", conversion.earnings(), money_style(&mut drift));
        row.money("earning", conversion.earnings(), money_style(&mut drift));
        stamp(row, "updated_at", conversion.updated, &utc);
        stamp(row, "createdAt", conversion.created, &utc);
        stamp(row, "updatedAt", conversion.updated, &utc);
    });
}

/// The spelling belongs to the conversion, not to its version, but for the amounts' styles.
fn conversion_drift(truth: &Truth, conversion: &Conversion) -> Draws {
    let row = conversion.click.number * 8 + u64::from(conversion.goal);
    Draws::new(truth.seed(), Purpose::ConversionDrift, row)
}

fn conversion_fields(
    row: &mut Object<'_>,
    truth: &Truth,
    conversion: &Conversion,
    zone: &TimeZone,
    drift: &mut Draws,
) {
    let click = &conversion.click;
    for key in ["action_id", "cbid", "clickid", "click_id"] {
        row.shown(key, click.id);
    }
    parties(row, truth, conversion, drift);
    row.text_or_null("goal", (conversion.goal == 2).then_some("Achat validé"));
    row.number_or_text("goal_value", u64::from(conversion.goal), true);
    row.raw("currency_id", "null");
    row.raw("price", "null");
    place_and_device(row, conversion);
    subs(row, click);
    for key in [
        "custom_field_1",
        "custom_field_2",
        "custom_field_3",
        "comment",
    ] {
        row.text(key, "");
    }
    row.text_or_null("referrer", click.referrer);
    row.number("landing_id", 0);
    match (conversion.order_sum.cents(), drift.below(6)) {
        (0, 0) => row.raw("sum", "null"),
        (0, 1) => row.text("sum", ""),
        _ => row.money("sum", conversion.order_sum, money_style(drift)),
    }
    row.text(
        "payment_type",
        if conversion.order_sum.cents() == 0 {
            "fixed"
        } else {
            "percent"
        },
    );
    let opened = conversion.created % 2 == 0;
    row.text("payment_status", if opened { "opened" } else { "pending" });
    row.text("is_paid", if opened { "1" } else { "3" });
    row.raw("hold_date_expire", "null");
    stamp(row, "created_at", conversion.created, zone);
    match drift.below(100) {
        0 => row.text("click_time", ""),
        1 => row.text("click_time", "0000-00-00 00:00:00"),
        _ => stamp(row, "click_time", click.created, zone),
    }
    row.text("decline_reason", conversion.decline_reason);
    row.text("fraud_risk_level", "not_analyzed");
    row.raw("fraud_type", "[]");
}

/// Offer, advertiser and affiliate. Each side is named twice; now and then one of the two is
/// missing, never both.
fn parties(row: &mut Object<'_>, truth: &Truth, conversion: &Conversion, drift: &mut Draws) {
    let click = &conversion.click;
    let offer = truth.offer(click.offer_id);
    row.text("currency", offer.map_or("USD", |offer| offer.currency));
    let shape = drift.below(100);
    match offer.filter(|_| shape != 0) {
        Some(offer) => row.object("offer", |row| offer_fields(row, offer)),
        None => row.raw("offer", "null"),
    }
    if shape != 1 {
        row.number_or_text("offer_id", u64::from(click.offer_id), drift.chance(400));
    }
    if let Some(advertiser) = offer.and_then(|offer| truth.advertisers().get(offer.advertiser)) {
        row.object("advertiser", |row| {
            row.shown("id", advertiser.id);
            row.text("title", &advertiser.title);
        });
        row.shown("supplier_id", advertiser.id);
    }
    partner(
        row,
        truth,
        click.affiliate_id,
        truth.affiliate(click.affiliate_id),
        drift,
    );
    if shape != 2 {
        row.number_or_text(
            "partner_id",
            u64::from(click.affiliate_id),
            drift.chance(300),
        );
    }
}

fn place_and_device(row: &mut Object<'_>, conversion: &Conversion) {
    let click = &conversion.click;
    row.text("ip", &click.ip);
    row.text_or_null("country", click.country);
    row.text("country_name", click.country_name);
    row.raw("district", "null");
    row.text("city", click.city);
    row.number("city_id", click.city.len() as u64 * 31);
    row.text("isp_code", "-");
    row.text("ua", click.agent.text);
    joined(
        row,
        "browser",
        click.agent.browser,
        click.agent.browser_version,
    );
    row.text_or_null("os", conversion.os.as_deref());
    row.text("device", click.agent.device_type);
    row.text("device_type", click.agent.device_type);
}

/// Older platforms leave the update time of an unchanged conversion out.
fn updated_at(row: &mut Object<'_>, conversion: &Conversion, zone: &TimeZone, drift: &mut Draws) {
    let shape = drift.below(100);
    match (conversion.version, shape) {
        (0, 0) => {}
        (0, 1) => row.raw("updated_at", "null"),
        (0, 2) => row.text("updated_at", ""),
        (0, 3) => row.text("updated_at", "0000-00-00 00:00:00"),
        _ => stamp(row, "updated_at", conversion.updated, zone),
    }
}
