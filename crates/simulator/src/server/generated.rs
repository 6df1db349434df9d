//! Listings of a generated world.
//!
//! A plain window costs as much as the page it shows. A filter costs a look at each row of the
//! window, but not its making: what filters see is drawn apart from the rest.

use std::sync::atomic::{AtomicU64, Ordering};

use super::answer::Page;
use super::events::{EventQuery, EventStream};
use crate::truth::{Offer, Truth};
use crate::wire;

/// How much work was done; tests bound it.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Rows written.
    pub rows_written: AtomicU64,
    /// Rows a filter looked at.
    pub rows_examined: AtomicU64,
}

impl Work {
    pub(crate) fn written(&self, rows: u64) {
        self.rows_written.fetch_add(rows, Ordering::Relaxed);
    }

    pub(crate) fn examined(&self, rows: u64) {
        self.rows_examined.fetch_add(rows, Ordering::Relaxed);
    }
}

/// Which rows of a listing a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slice {
    pub skip: u64,
    pub take: u64,
}

/// A page of clicks or conversions.
pub(crate) fn events(
    truth: &Truth,
    stream: EventStream,
    query: &EventQuery,
    slice: Slice,
    work: &Work,
) -> Page {
    match stream {
        EventStream::Clicks => clicks(truth, query, slice, work),
        EventStream::Conversions => conversions(truth, query, slice, work),
    }
}

fn clicks(truth: &Truth, query: &EventQuery, slice: Slice, work: &Work) -> Page {
    let numbers = truth.click_range(query.created);
    let write = |out: &mut String, number| {
        wire::push_click(out, truth, &truth.click_at(number), &query.zone);
    };
    if query.is_plain() {
        return plain(numbers, slice, work, write);
    }
    let keep = |number: &u64| {
        let key = truth.click_key(*number);
        matches_key(query, truth, key.offer, key.affiliate, key.country_code())
    };
    filtered(numbers, slice, work, keep, write)
}

fn conversions(truth: &Truth, query: &EventQuery, slice: Slice, work: &Work) -> Page {
    let places = truth.conversion_range(query.created);
    let places = places.start as u64..places.end as u64;
    let write = |out: &mut String, place: u64| {
        if let Some(conversion) = truth.conversion_at(place as usize) {
            wire::push_conversion(out, truth, &conversion, &query.zone);
        }
    };
    if query.is_plain() {
        return plain(places, slice, work, write);
    }
    let keep = |place: &u64| {
        let Some(key) = truth.conversion_key(*place as usize) else {
            return false;
        };
        let (offer, affiliate, country) = (
            key.click.offer,
            key.click.affiliate,
            key.click.country_code(),
        );
        query.updated.is_none_or(|span| span.contains(key.updated))
            && (query.statuses.is_empty()
                || query.statuses.contains(&u64::from(key.status.number())))
            && matches_key(query, truth, offer, affiliate, country)
            && matches_fields(query, |out| write(out, *place))
    };
    filtered(places, slice, work, keep, write)
}

fn matches_key(
    query: &EventQuery,
    truth: &Truth,
    offer: usize,
    affiliate: usize,
    country: Option<&str>,
) -> bool {
    let listed = |list: &[u64], id: u32| list.is_empty() || list.contains(&u64::from(id));
    let offer = &truth.offers()[offer];
    let has_advertiser = |id: &String| {
        truth
            .advertisers()
            .get(offer.advertiser)
            .is_some_and(|advertiser| advertiser.id.to_string() == *id)
    };
    listed(&query.offers, offer.id)
        && listed(&query.affiliates, truth.affiliates()[affiliate].id)
        && (query.countries.is_empty()
            || country.is_some_and(|code| query.countries.iter().any(|wanted| wanted == code)))
        && (query.advertisers.is_empty() || query.advertisers.iter().any(has_advertiser))
}

/// Compares fields of the row as written; only asked for when nothing cheaper decided.
fn matches_fields(query: &EventQuery, write: impl Fn(&mut String)) -> bool {
    if query.fields.is_empty() {
        return true;
    }
    let mut row = String::new();
    write(&mut row);
    row_has_fields(&row, &query.fields)
}

/// Whether a row has one of the wanted texts in each of some fields.
pub(crate) fn row_has_fields(row: &str, fields: &[(&'static str, Vec<String>)]) -> bool {
    let Ok(row) = serde_json::from_str::<serde_json::Value>(row) else {
        return false;
    };
    fields.iter().all(|(field, wanted)| match row.get(field) {
        Some(serde_json::Value::String(text)) => wanted.contains(text),
        Some(serde_json::Value::Number(number)) => wanted.contains(&number.to_string()),
        _ => false,
    })
}

fn plain(
    rows: std::ops::Range<u64>,
    slice: Slice,
    work: &Work,
    mut write: impl FnMut(&mut String, u64),
) -> Page {
    let total = rows.end - rows.start;
    let start = rows.start + slice.skip.min(total);
    let end = start + slice.take.min(rows.end - start);
    let mut out = String::new();
    for row in start..end {
        separate(&mut out);
        write(&mut out, row);
    }
    work.written(end - start);
    Page { rows: out, total }
}

fn filtered(
    rows: std::ops::Range<u64>,
    slice: Slice,
    work: &Work,
    mut keep: impl FnMut(&u64) -> bool,
    mut write: impl FnMut(&mut String, u64),
) -> Page {
    work.examined(rows.end - rows.start);
    let mut out = String::new();
    let mut total = 0;
    for row in rows.filter(|row| keep(row)) {
        if total >= slice.skip && total < slice.skip.saturating_add(slice.take) {
            separate(&mut out);
            write(&mut out, row);
            work.written(1);
        }
        total += 1;
    }
    Page { rows: out, total }
}

fn separate(out: &mut String) {
    if !out.is_empty() {
        out.push(',');
    }
}

/// A page of items that are held as values.
pub(crate) fn items<'a, T: 'a>(
    items: impl Iterator<Item = &'a T>,
    slice: Slice,
    work: &Work,
    mut write: impl FnMut(&mut String, &T),
) -> Page {
    let mut out = String::new();
    let mut total = 0;
    for item in items {
        if total >= slice.skip && total < slice.skip.saturating_add(slice.take) {
            separate(&mut out);
            write(&mut out, item);
            work.written(1);
        }
        total += 1;
    }
    Page { rows: out, total }
}

/// The offers an affiliate may see.
pub(crate) fn visible_to_affiliates(offer: &Offer) -> bool {
    offer.listed && offer.privacy != crate::truth::Privacy::Private
}

/// One conversion by its identifier.
pub(crate) fn conversion(truth: &Truth, id: &str, work: &Work) -> Option<String> {
    let id = crate::truth::ObjectId::parse(id)?;
    let conversion = truth.conversion_at(truth.find_conversion(id)?)?;
    let mut out = String::new();
    wire::push_one_conversion(&mut out, truth, &conversion);
    work.written(1);
    Some(out)
}
