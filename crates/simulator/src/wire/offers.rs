//! Offers with their payments, caps and targeting.

use super::super::random::{Draws, Purpose};
use super::super::truth::{Cap, Offer, Payment, Truth};
use super::{MoneyStyle, Object, SECRET_MARKER, drifting_stamp, escapes, money_style};

/// Who looks at an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// All fields.
    Admin,
    /// Without the advertiser, the affiliates' private prices and the secret.
    Affiliate,
}

/// Appends an offer.
pub(crate) fn push_offer(out: &mut String, truth: &Truth, offer: &Offer, view: View) {
    let mut drift = Draws::new(truth.seed(), Purpose::Offer, u64::from(offer.id) << 32);
    let style = escapes(&mut drift);
    Object::write(out, style, |row| {
        row.number("id", u64::from(offer.id));
        row.shown("offer_id", offer.offer_id);
        row.text(
            "external_offer_id",
            offer.external_id.as_deref().unwrap_or(""),
        );
        row.text("bundle_id", "");
        row.text("title", &offer.title);
        if let (View::Admin, Some(advertiser)) = (view, truth.advertisers().get(offer.advertiser)) {
            row.shown("advertiser", advertiser.id);
        }
        row.text("status", offer.status.name());
        row.text("privacy", offer.privacy.name());
        row.texts(
            "tags",
            if offer.id.is_multiple_of(4) {
                &["top", "müsli/bar"]
            } else {
                &[]
            },
        );
        row.number("is_top", u64::from(offer.id.is_multiple_of(7)));
        row.raw("is_cpi", "false");
        links(row);
        texts(row, &mut drift);
        taxonomy(row, offer);
        row.objects("payments", &offer.payments, |row, payment| {
            payment_fields(row, offer, payment, &mut drift);
        });
        if view == View::Admin {
            row.objects(
                "partner_payments",
                &offer.partner_payments,
                |row, payment| {
                    payment_fields(row, offer, payment, &mut drift);
                    row.numbers("partners", &payment.affiliates);
                },
            );
        }
        row.raw("commission_tiers", "[]");
        row.objects("caps", &offer.caps, |row, cap| {
            cap_fields(row, cap, &mut drift)
        });
        row.texts("caps_status", &["confirmed", "pending"]);
        row.text("caps_timezone", "UTC");
        limits(row, &mut drift);
        targeting(row, &mut drift);
        row.raw("landings", "[]");
        row.raw("creatives", if drift.chance(500) { "{}" } else { "[]" });
        row.raw("cr", "1.72");
        row.raw("epc", "0.0400000000001");
        for key in ["start_at", "stop_at"] {
            row.raw(
                key,
                drift.pick(&["\"\"", "null", "\"0000-00-00 00:00:00\""]),
            );
        }
        drifting_stamp(row, "created_at", offer.created);
        drifting_stamp(row, "updated_at", offer.updated);
        if view == View::Admin {
            row.shown(
                "hash_password",
                format_args!("{SECRET_MARKER}offer-{}", offer.id),
            );
        }
    });
}

fn links(row: &mut Object<'_>) {
    row.text("url", "https://t.example/?c={clickid}&a={pid}");
    row.text("url_preview", "https://shop.example/");
    row.text("preview_url", "https://shop.example/");
    for key in [
        "macro_url",
        "trafficback_url",
        "cross_postback_url",
        "domain_url",
        "impressions_url",
    ] {
        row.text(key, "");
    }
    row.raw("use_http", "false");
    row.raw("use_https", "true");
    row.text("redirect_type", "http302");
}

fn texts(row: &mut Object<'_>, drift: &mut Draws) {
    row.object("description_lang", |row| {
        row.text(
            "en",
            "Pays per lead.\r\n<b>No</b> incentive traffic & no \"brand\" bidding.",
        );
        row.text("ru", "Оплата за заявку");
    });
    row.raw(
        "kpi",
        if drift.chance(500) {
            r#"{"ru":"","en":""}"#
        } else {
            "[]"
        },
    );
    row.text_or_null("notes", drift.chance(500).then_some(""));
    row.text("logo", "");
}

fn taxonomy(row: &mut Object<'_>, offer: &Offer) {
    let category = ["Finance", "Spiele & Apps", "Путешествия"][offer.id as usize % 3];
    row.texts("categories", &[category]);
    row.objects("full_categories", &[category], |row, category| {
        row.shown(
            "id",
            format_args!("64aa00bb11cc22dd33ee44f{}", offer.id % 3),
        );
        row.text("title", category);
    });
    row.raw(
        "sources",
        r#"[{"id":"5f0000000000000000000001","title":"Push","allowed":1}]"#,
    );
    row.raw("smartlink_categories", "[]");
    let mut countries: Vec<&str> = offer
        .payments
        .iter()
        .flat_map(|payment| payment.countries.iter().copied())
        .collect();
    countries.sort_unstable();
    countries.dedup();
    row.texts("countries", &countries);
}

fn payment_fields(row: &mut Object<'_>, offer: &Offer, payment: &Payment, drift: &mut Draws) {
    let lower = drift.chance(500);
    let countries: Vec<String> = payment
        .countries
        .iter()
        .map(|code| {
            if lower {
                code.to_ascii_lowercase()
            } else {
                (*code).to_owned()
            }
        })
        .collect();
    row.texts("countries", &countries);
    row.raw("country_exclude", "false");
    row.raw("cities", "[]");
    row.raw("devices", "[]");
    row.texts(
        "os",
        if drift.chance(300) {
            &["iOS", "Android"]
        } else {
            &[]
        },
    );
    row.text("goal", payment.goal);
    row.money("total", payment.total, unquoted(drift));
    row.money("revenue", payment.revenue, unquoted(drift));
    row.text("currency", &offer.currency.to_ascii_lowercase());
    row.text("type", if payment.percent { "percent" } else { "fixed" });
    row.text("title", "");
    row.text_or_null("url", drift.chance(500).then_some(""));
    row.raw("with_regions", "false");
}

/// Prices of offers are numbers; only amounts of facts are ever quoted.
fn unquoted(drift: &mut Draws) -> MoneyStyle {
    match money_style(drift) {
        MoneyStyle::Quoted => MoneyStyle::Shortest,
        style => style,
    }
}

fn cap_fields(row: &mut Object<'_>, cap: &Cap, drift: &mut Draws) {
    row.text("period", cap.period);
    row.text("type", cap.kind);
    row.money("value", cap.value, MoneyStyle::Shortest);
    row.number("current_value", cap.current);
    row.text(
        "goal_type",
        if cap.goals.is_empty() { "all" } else { "exact" },
    );
    if cap.goals.is_empty() {
        row.raw("goals", if drift.chance(500) { "[]" } else { "{}" });
    } else {
        row.object("goals", |row| {
            for (goal, title) in &cap.goals {
                row.text(goal, title);
            }
        });
    }
    row.text("affiliate_type", cap.affiliate_type);
    row.numbers("affiliates", &cap.affiliates);
    row.text(
        "country_type",
        if cap.countries.is_some() {
            "exact"
        } else {
            "all"
        },
    );
    match &cap.countries {
        Some(countries) => row.texts("country", countries),
        None => row.raw("country", "null"),
    }
}

fn limits(row: &mut Object<'_>, drift: &mut Draws) {
    row.number("notice_percent_overcap", 80);
    row.raw("is_redirect_overcap", "false");
    row.number("hold_period", drift.below(61));
    row.text("hold_type", "days");
    for key in [
        "allow_deeplink",
        "hide_referer",
        "reject_not_uniq_ip",
        "uniq_ip_only",
    ] {
        let (value, as_number) = (drift.chance(500), drift.chance(500));
        row.flag(key, value, as_number);
    }
    row.text("click_session", "1y");
    row.text("minimal_click_session", "0s");
}

fn targeting(row: &mut Object<'_>, drift: &mut Draws) {
    let none: &[u8] = &[];
    if drift.chance(400) {
        row.raw(
            "targeting",
            r#"[{"country":{"allow":["KZ"],"deny":[]},"region":{"allow":[],"deny":{"KZ":[33]}},"os":{"allow":[{"name":"iOS","comparison":"GTE","version":"15"}],"deny":[]},"sub":{"allow":[],"deny":[],"deny_groups":[]}}]"#,
        );
    } else {
        row.objects("targeting", none, |_, _| {});
    }
    row.number("strictly_country", 0);
    row.raw(
        "strictly_os",
        drift.pick(&["[]", "null", r#"{"items":["Android"]}"#]),
    );
    row.raw(
        "sub_accounts",
        drift.pick(&[
            "[]",
            "{}",
            r#"{"1":{"value":"","except":0},"2":{"value":"x","except":false}}"#,
        ]),
    );
}
