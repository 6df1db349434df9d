//! Affiliates, advertisers and managers.

use super::super::random::{Draws, Purpose};
use super::super::truth::{Advertiser, Affiliate, Manager, ManagerReference, Truth};
use super::{Object, SECRET_MARKER, drifting_stamp, escapes, manager_fields};

/// Appends an affiliate.
pub(crate) fn push_affiliate(out: &mut String, truth: &Truth, affiliate: &Affiliate) {
    let mut drift = Draws::new(
        truth.seed(),
        Purpose::Affiliate,
        u64::from(affiliate.id) << 32,
    );
    let style = escapes(&mut drift);
    Object::write(out, style, |row| {
        row.number("id", u64::from(affiliate.id));
        row.text("login", &affiliate.login);
        row.text("email", &affiliate.email);
        row.text_or_null("name", affiliate.name.as_deref());
        row.text_or_null("contactPerson", drift.chance(500).then_some(""));
        row.text("status", affiliate.status);
        row.number("level", drift.below(4));
        row.text("ref", "");
        row.text("ref_percent", "5");
        row.text("notes", "");
        row.raw("tags", "[]");
        row.text("lang", "en");
        manager(row, truth, affiliate.manager);
        row.raw(
            "balance",
            drift.pick(&[
                "[]",
                r#"{"USD":{"balance":12.5,"hold":0,"available":"12.50"}}"#,
            ]),
        );
        row.number("offersCount", drift.below(50));
        row.raw(
            "payment_systems",
            r#"[{"id":1,"system":"Wire/SEPA","active":true,"fields":[]}]"#,
        );
        row.raw(
            "customFields",
            drift.pick(&[
                r#"[{"id":1,"name":"Vertical","value":"games","label":"Games"}]"#,
                r#"[{"id":1,"name":"Vertical","value":[1,2],"label":{"1":"Games","2":"Dating"}}]"#,
                "[]",
            ]),
        );
        row.raw("sub_accounts", drift.pick(&["[]", "{}"]));
        row.text("phone", "");
        drifting_stamp(row, "created_at", affiliate.created);
        drifting_stamp(row, "updated_at", affiliate.updated);
        row.shown(
            "api_key",
            format_args!("{SECRET_MARKER}affiliate-{}", affiliate.id),
        );
    });
}

fn manager(row: &mut Object<'_>, truth: &Truth, reference: ManagerReference) {
    match reference {
        ManagerReference::Null => row.raw("manager", "null"),
        ManagerReference::Blank => row.text("manager", ""),
        ManagerReference::Id(place) => match truth.managers().get(place) {
            Some(manager) => row.shown("manager", manager.id),
            None => row.raw("manager", "null"),
        },
        ManagerReference::Object(place) => match truth.managers().get(place) {
            Some(manager) => row.object("manager", |row| manager_fields(row, manager)),
            None => row.raw("manager", "null"),
        },
    }
}

/// Appends an advertiser.
pub(crate) fn push_advertiser(out: &mut String, truth: &Truth, advertiser: &Advertiser) {
    let number = truth
        .advertisers()
        .iter()
        .position(|other| other.id == advertiser.id)
        .unwrap_or(0);
    let mut drift = Draws::new(truth.seed(), Purpose::Advertiser, (number as u64) << 32);
    let style = escapes(&mut drift);
    Object::write(out, style, |row| {
        row.shown("id", advertiser.id);
        row.text("title", &advertiser.title);
        row.text("contact", "");
        row.text("email", &advertiser.email);
        row.text("url", "https://brand.example/");
        let place = match advertiser.manager {
            ManagerReference::Id(place) | ManagerReference::Object(place) => Some(place),
            ManagerReference::Null | ManagerReference::Blank => None,
        };
        match place.and_then(|place| truth.managers().get(place)) {
            Some(manager) => row.shown("manager", manager.id),
            None => row.text("manager", ""),
        }
        match (
            advertiser.manager,
            place.and_then(|place| truth.managers().get(place)),
        ) {
            (ManagerReference::Object(_), Some(manager)) => {
                row.object("manager_obj", |row| manager_fields(row, manager));
            }
            _ => row.raw("manager_obj", "null"),
        }
        row.text("skype", "");
        row.text("note", "");
        row.raw("allowed_ip", "[]");
        row.raw("disallowed_ip", "[]");
        row.number_or_text("offers", advertiser.offers as u64, true);
        row.flag("has_user", drift.chance(500), false);
        row.raw("tags", "[]");
        row.text("vat_code", "");
        row.raw(
            "sub_accounts",
            drift.pick(&["[]", "{}", r#"{"1":{"value":"a","except":true}}"#]),
        );
        drifting_stamp(row, "created_at", advertiser.created);
        drifting_stamp(row, "updated_at", advertiser.updated);
        row.shown(
            "hash_password",
            format_args!("{SECRET_MARKER}advertiser-{number}"),
        );
    });
}

/// Appends a manager.
pub(crate) fn push_manager(out: &mut String, manager: &Manager) {
    Object::write(out, super::Escapes::Plain, |row| {
        manager_fields(row, manager)
    });
}
