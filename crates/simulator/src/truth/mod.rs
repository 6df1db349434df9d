//! What the simulator knows to be true, as plain Rust values.
//!
//! Tests compute reports from here, naively and without JSON, SQL or the pipeline, and compare.
//! The server spells the same values as Affise would; it adds no fact of its own.
//!
//! Clicks are never stored. Click number `n` is a pure function of (seed, scale, today, `n`), and
//! clicks are numbered in the order of their time, so that a window is a range of numbers found by
//! halving. Of conversions only (time, click) is kept, sixteen bytes each.

mod clicks;
mod conversions;
mod dimensions;
mod identifier;
mod making;
mod money;

use std::sync::{Arc, OnceLock};

use jiff::{civil, tz::TimeZone};

pub use clicks::{Click, Text};
pub use conversions::{Conversion, ConversionStatus, LateChange};
pub use dimensions::{
    Advertiser, Affiliate, Cap, Manager, ManagerReference, Offer, OfferStatus, Payment, Privacy,
    Stamp,
};
pub(crate) use identifier::Entity;
pub use identifier::ObjectId;
pub use money::Money;

use super::calendar::{self, CLICK_DAYS, DAY_SECONDS, PERIOD_DAYS, Span};
use super::random::{Draws, Purpose};
use conversions::{ConversionIndex, LateChanges};
use making::Dimensions;

/// A generated world as of an instant.
///
/// Cloning is cheap and shares everything, late status changes included.
#[derive(Debug, Clone)]
pub struct Truth {
    world: Arc<World>,
    late: LateChanges,
    now: i64,
}

#[derive(Debug)]
struct World {
    seed: u64,
    scale: u64,
    today: civil::Date,
    /// Number of the first click of every day, and the number of clicks last.
    day_starts: Vec<u64>,
    dimensions: Dimensions,
    conversions: OnceLock<ConversionIndex>,
}

impl Truth {
    /// The world of `seed` with `scale` clicks in the 14 days that end with `today`, as of the
    /// last second of `today` (UTC).
    ///
    /// The same three arguments give the same world on every machine.
    pub fn new(seed: u64, scale: u64, today: civil::Date) -> Self {
        let now = calendar::day_start(today) + DAY_SECONDS - 1;
        Self {
            world: Arc::new(World {
                seed,
                scale,
                today,
                day_starts: day_starts(seed, scale),
                dimensions: Dimensions::new(seed, scale, today),
                conversions: OnceLock::new(),
            }),
            late: LateChanges::default(),
            now,
        }
    }

    /// The same world at another instant (UTC): what happens after it has not happened yet.
    /// Instants after the end of `today` add the status changes that are still to come.
    #[must_use]
    pub fn as_of(&self, now: civil::DateTime) -> Self {
        Self {
            now: calendar::instant(now, &TimeZone::UTC),
            ..self.clone()
        }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.world.seed
    }

    /// Clicks in the whole period.
    pub fn scale(&self) -> u64 {
        self.world.scale
    }

    /// The last day of the generated period.
    pub fn last_day(&self) -> civil::Date {
        self.world.today
    }

    /// The first day of the generated period.
    pub fn first_day(&self) -> civil::Date {
        calendar::shift(self.world.today, 1 - i64::from(PERIOD_DAYS))
    }

    /// The instant this truth is as of, in seconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// The day of [`Truth::now`]: what the API calls today.
    pub fn today(&self) -> civil::Date {
        calendar::day_of(self.now)
    }

    /// Clicks before this day can no longer be read.
    pub fn oldest_readable_click_day(&self) -> civil::Date {
        calendar::shift(self.today(), -i64::from(CLICK_DAYS))
    }

    /// Every click there has been, in the order of time, those no longer readable included.
    pub fn clicks(&self) -> impl Iterator<Item = Click> + '_ {
        self.click_range(Span::ALL)
            .map(|number| self.click_at(number))
    }

    /// The clicks of the days `from..=to` (UTC).
    pub fn clicks_between(
        &self,
        from: civil::Date,
        to: civil::Date,
    ) -> impl Iterator<Item = Click> + '_ {
        let span = Span::days(from, to, &TimeZone::UTC);
        self.click_range(span).map(|number| self.click_at(number))
    }

    /// Every conversion there has been, each in the version that holds now, by time of creation.
    pub fn conversions(&self) -> impl Iterator<Item = Conversion> + '_ {
        self.conversion_range(Span::ALL)
            .filter_map(|place| self.conversion_at(place))
    }

    /// The conversions created in the days `from..=to` (UTC), each in the version that holds now.
    pub fn conversions_between(
        &self,
        from: civil::Date,
        to: civil::Date,
    ) -> impl Iterator<Item = Conversion> + '_ {
        let span = Span::days(from, to, &TimeZone::UTC);
        self.conversion_range(span)
            .filter_map(|place| self.conversion_at(place))
    }

    /// Every version of every conversion up to now: by time of creation, older versions first.
    pub fn conversion_versions(&self) -> impl Iterator<Item = Conversion> + '_ {
        self.conversion_range(Span::ALL)
            .flat_map(|place| self.versions_at(place))
    }

    /// Every offer that facts may name, the unlisted ones ([`Offer::listed`]) included.
    pub fn offers(&self) -> &[Offer] {
        &self.world.dimensions.offers
    }

    /// Every affiliate that facts may name, the unlisted ones ([`Affiliate::listed`]) included.
    pub fn affiliates(&self) -> &[Affiliate] {
        &self.world.dimensions.affiliates
    }

    /// The offer of a fact.
    pub fn offer(&self, id: u32) -> Option<&Offer> {
        let place = id.checked_sub(making::FIRST_OFFER)?;
        self.offers().get(place as usize)
    }

    /// The affiliate of a fact.
    pub fn affiliate(&self, id: u32) -> Option<&Affiliate> {
        let place = id.checked_sub(making::FIRST_AFFILIATE)?;
        self.affiliates().get(place as usize)
    }

    /// Every advertiser.
    pub fn advertisers(&self) -> &[Advertiser] {
        &self.world.dimensions.advertisers
    }

    /// Every manager of the network.
    pub fn managers(&self) -> &[Manager] {
        &self.world.dimensions.managers
    }

    /// What `late-status` faults and [`Truth::change_status`] changed so far, in that order.
    pub fn late_changes(&self) -> Vec<LateChange> {
        self.late.all()
    }
}

/// Splits `scale` clicks over the days, uneven as real days are, exact in sum.
fn day_starts(seed: u64, scale: u64) -> Vec<u64> {
    let weights: Vec<u64> = (0..u64::from(PERIOD_DAYS))
        .map(|day| Draws::new(seed, Purpose::Day, day).between(80, 120))
        .collect();
    let total: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    let mut passed: u128 = 0;
    let mut starts = vec![0];
    for weight in weights {
        passed += u128::from(weight);
        starts.push((u128::from(scale) * passed / total) as u64);
    }
    starts
}

#[cfg(test)]
mod tests;
