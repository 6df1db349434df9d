//! Spells what is true the way Affise does: fields, nesting and the type drift of
//! `source-apis.md` 1.4.
//!
//! Which spelling a row gets is drawn from the row, so that the same row always has the same bytes.

mod events;
mod json;
mod offers;
mod people;

use jiff::tz::TimeZone;

use super::calendar::push_stamp;
use super::random::Draws;
use super::truth::{Manager, Stamp};
pub(crate) use events::{push_click, push_conversion, push_one_conversion};
pub(crate) use json::{Escapes, MoneyStyle, Object, push_text};
pub(crate) use offers::{View, push_offer};
pub(crate) use people::{push_advertiser, push_affiliate, push_manager};

/// What every secret in a simulated answer begins with.
///
/// No file, log or screen of the product may ever hold it: tests search for it.
pub const SECRET_MARKER: &str = "SIMULATED-SECRET-";

/// Three rows of ten are spelled as PHP does.
fn escapes(draws: &mut Draws) -> Escapes {
    if draws.chance(300) {
        Escapes::Php
    } else {
        Escapes::Plain
    }
}

/// Mostly the shortest spelling; amounts of one row differ among themselves.
fn money_style(draws: &mut Draws) -> MoneyStyle {
    match draws.below(20) {
        0..=1 => MoneyStyle::Quoted,
        2 => MoneyStyle::AboveByAHair,
        3 => MoneyStyle::BelowByAHair,
        4..=7 => MoneyStyle::TwoDecimals,
        _ => MoneyStyle::Shortest,
    }
}

/// A time stamp field.
fn stamp(object: &mut Object<'_>, key: &str, second: i64, zone: &TimeZone) {
    object.with(key, |out| {
        out.push('"');
        push_stamp(out, second, zone);
        out.push('"');
    });
}

/// A time stamp field of a dimension; those have no zone parameter and are UTC.
fn drifting_stamp(object: &mut Object<'_>, key: &str, value: Stamp) {
    match value {
        Stamp::Null => object.raw(key, "null"),
        Stamp::Blank => object.text(key, ""),
        Stamp::Zero => object.text(key, "0000-00-00 00:00:00"),
        Stamp::At(second) => stamp(object, key, second, &TimeZone::UTC),
    }
}

/// The fields of a manager, its live key included.
fn manager_fields(object: &mut Object<'_>, manager: &Manager) {
    object.shown("id", manager.id);
    object.text("first_name", manager.first_name);
    object.text("last_name", manager.last_name);
    object.text("email", &manager.email);
    object.text("skype", "");
    object.text("work_hours", "10:00-18:00");
    object.text("type", "account_manager");
    object.texts(
        "roles",
        &["ROLE_MANAGER_AFFILIATE", "ROLE_MANAGER_ADVERTISER"],
    );
    object.shown(
        "api_key",
        format_args!("{SECRET_MARKER}manager-{}", manager.id),
    );
    object.text("created_at", "2023-01-02 03:04:05");
    object.text("updated_at", "");
    object.raw("last_login_at", "null");
    object.text("avatar", "");
}
