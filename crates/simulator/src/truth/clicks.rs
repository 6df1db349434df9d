//! Clicks: each one a function of its number.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use jiff::{civil, tz::TimeZone};

use super::super::calendar::{self, DAY_SECONDS, Span};
use super::super::random::{Draws, Purpose, mix};
use super::super::text::{COUNTRIES, Country, UserAgent, texts};
use super::{Entity, ObjectId, Truth};

/// A text that is compiled in or made for one row.
pub type Text = Cow<'static, str>;

/// One click, with the values as they stand on the wire: `None` is JSON `null`, `Some("")` an
/// empty string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Click {
    /// Its number in the world, from 0, in the order of time.
    pub number: u64,
    /// `id` and `click_id`.
    pub id: ObjectId,
    /// `created_at` in seconds since 1970 UTC.
    pub created: i64,
    /// `offer.id`.
    pub offer_id: u32,
    /// `partner.id` and `partner_id`.
    pub affiliate_id: u32,
    /// `country`: two capital letters, empty or null.
    pub country: Option<&'static str>,
    /// `country_name`: empty without a country.
    pub country_name: &'static str,
    /// `city`: `Undefined` without a country.
    pub city: &'static str,
    /// The browser behind `ua`, `device*` and `browser*`.
    pub agent: &'static UserAgent,
    /// `os`: null where the user agent names none.
    pub os: Option<&'static str>,
    /// `os_version`: null or empty where the user agent names none.
    pub os_version: Option<&'static str>,
    /// `uniq`.
    pub unique: bool,
    /// `ip`, from the ranges kept for documentation.
    pub ip: String,
    /// `referrer`.
    pub referrer: Option<&'static str>,
    /// `sub1` to `sub8`.
    pub subs: [Option<Text>; 8],
    /// `conversion_id`, if it has converted by now; `has_conversions` says whether.
    pub conversion_id: Option<ObjectId>,
}

impl Click {
    /// `sub5`, the placement.
    pub fn sub5(&self) -> Option<&str> {
        self.subs[4].as_deref()
    }

    /// `sub6`.
    pub fn sub6(&self) -> Option<&str> {
        self.subs[5].as_deref()
    }

    /// `created_at` as UTC wall clock.
    pub fn created_at(&self) -> civil::DateTime {
        calendar::wall_clock(self.created, &TimeZone::UTC)
    }
}

/// What filters look at; drawn before the rest of a click.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClickKey {
    /// Place in [`Truth::offers`].
    pub offer: usize,
    /// Place in [`Truth::affiliates`].
    pub affiliate: usize,
    /// `None`: the country is not known.
    pub country: Option<&'static Country>,
    /// The unknown country is spelled `""` and not `null`.
    pub blank_country: bool,
}

impl ClickKey {
    /// `country` as it stands on the wire.
    pub(crate) fn country_code(self) -> Option<&'static str> {
        self.country
            .map(|country| country.code)
            .or(self.blank_country.then_some(""))
    }
}

impl Truth {
    /// The numbers of the clicks of a span that have happened by now.
    pub(crate) fn click_range(&self, span: Span) -> Range<u64> {
        let span = span.and(Span {
            start: i64::MIN,
            end: self.now.saturating_add(1),
        });
        let start = self.first_click_at_or_after(span.start);
        start..self.first_click_at_or_after(span.end).max(start)
    }

    /// Halves the numbers, since a click never happens before one with a smaller number.
    fn first_click_at_or_after(&self, second: i64) -> u64 {
        let (mut low, mut high) = (0, self.world.scale);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.click_time(middle) < second {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// When a click happened: its own slot of its day, and a random place inside that slot.
    pub(crate) fn click_time(&self, number: u64) -> i64 {
        let starts = &self.world.day_starts;
        let day = starts
            .partition_point(|&start| start <= number)
            .saturating_sub(1);
        let first = starts.get(day).copied().unwrap_or(0);
        let count = starts.get(day + 1).map_or(1, |next| (next - first).max(1));
        let jitter = Draws::new(self.world.seed, Purpose::ClickTime, number).bits() >> 32;
        let place = (u128::from(number - first) << 32) + u128::from(jitter);
        let fraction = (place / u128::from(count)) as u64;
        let midnight = calendar::day_start(self.first_day()) + day as i64 * DAY_SECONDS;
        midnight + calendar::second_of_day(fraction)
    }

    /// Offer, affiliate and country of a click.
    pub(crate) fn click_key(&self, number: u64) -> ClickKey {
        let dimensions = &self.world.dimensions;
        let mut draws = Draws::new(self.world.seed, Purpose::ClickKey, number);
        let offer = choose(
            &mut draws,
            dimensions.offers.len(),
            dimensions.listed_offers,
        );
        let affiliate = choose(
            &mut draws,
            dimensions.affiliates.len(),
            dimensions.listed_affiliates,
        );
        let place = draws.below(1000);
        let country = (place >= 20).then(|| &COUNTRIES[draws.popular(COUNTRIES.len())]);
        ClickKey {
            offer,
            affiliate,
            country,
            blank_country: place < 10,
        }
    }

    /// The click of a number below the scale.
    pub(crate) fn click_at(&self, number: u64) -> Click {
        let key = self.click_key(number);
        let created = self.click_time(number);
        let seed = self.world.seed;
        let mut draws = Draws::new(seed, Purpose::ClickText, number);
        let agent = &texts().user_agents[draws.popular(texts().user_agents.len())];
        let affiliate_id = self.affiliates()[key.affiliate].id;
        let (os, os_version) = operating_system(agent, &mut draws);
        Click {
            number,
            id: ObjectId::new(seed, Entity::Click, number, created),
            created,
            offer_id: self.offers()[key.offer].id,
            affiliate_id,
            country: key.country_code(),
            country_name: key.country.map_or("", |country| country.name),
            city: key.country.map_or("Undefined", |country| country.city),
            agent,
            os,
            os_version,
            unique: draws.chance(780),
            ip: address(&mut draws),
            referrer: referrer(&mut draws),
            subs: subs(&mut draws, affiliate_id),
            conversion_id: self.first_conversion_of(number, created),
        }
    }
}

/// Mostly a popular listed entry; in 1 of 100 rows one of the last ones, which no listing shows.
fn choose(draws: &mut Draws, all: usize, listed: usize) -> usize {
    let unlisted = draws.chance(10);
    if unlisted && listed < all {
        listed + draws.below((all - listed) as u64) as usize
    } else {
        draws.popular(listed)
    }
}

fn operating_system(
    agent: &'static UserAgent,
    draws: &mut Draws,
) -> (Option<&'static str>, Option<&'static str>) {
    let blank = draws.chance(500);
    let spell = |text: &'static str| (!text.is_empty() || blank).then_some(text);
    (spell(agent.os), spell(agent.os_version))
}

fn address(draws: &mut Draws) -> String {
    let host = draws.below(256);
    match draws.below(8) {
        0 => format!("2001:db8::{:x}:{host:x}", draws.below(65_536)),
        1 | 2 => format!("192.0.2.{host}"),
        3 | 4 => format!("198.51.100.{host}"),
        _ => format!("203.0.113.{host}"),
    }
}

fn referrer(draws: &mut Draws) -> Option<&'static str> {
    let list = &texts().referrers;
    match draws.below(10) {
        0..=2 => Some(""),
        3 => None,
        _ => Some(list[draws.popular(list.len())]),
    }
}

/// `sub1` is the affiliate's own click id, `sub5` and `sub6` name the placement, `sub3` carries
/// rubbish now and then, `sub4` is always empty and `sub7` always null, as in real exports.
fn subs(draws: &mut Draws, affiliate: u32) -> [Option<Text>; 8] {
    let awkward = &texts().awkward;
    let own_click = match draws.below(4) {
        0 => Some(Text::Borrowed("")),
        1 => None,
        _ => {
            let mut text = String::with_capacity(16);
            // Writing to a String cannot fail.
            let _ = write!(text, "{:016x}", draws.bits());
            Some(Text::Owned(text))
        }
    };
    let odd = draws
        .chance(20)
        .then(|| Text::Borrowed(draws.pick(&awkward.odd).as_str()));
    let placement = placement(draws, affiliate);
    let variant = match draws.below(1000) {
        0..=799 => None,
        800..=849 => Some(Text::Borrowed("")),
        850..=899 => Some(Text::Borrowed(draws.pick(&awkward.sub5).as_str())),
        _ => Some(Text::Owned(format!("v{}", draws.below(5)))),
    };
    let macro_text = draws.chance(300).then_some(Text::Borrowed("{sub2}"));
    let last = draws.chance(500).then_some(Text::Borrowed(""));
    [
        own_click,
        macro_text,
        odd,
        Some(Text::Borrowed("")),
        placement,
        variant,
        None,
        last,
    ]
}

fn placement(draws: &mut Draws, affiliate: u32) -> Option<Text> {
    let awkward = &texts().awkward.sub5;
    let kind = draws.below(1000);
    let text = match kind {
        0..=249 => return None,
        250..=349 => Text::Borrowed(""),
        350..=679 => Text::Owned(format!("placement-{affiliate}-{}", draws.popular(12))),
        // Every affiliate has a few awkward names of its own, so that they add up to groups.
        680..=859 => {
            let own = mix(u64::from(affiliate)).wrapping_add(draws.popular(6) as u64);
            Text::Borrowed(awkward[(own % awkward.len() as u64) as usize].as_str())
        }
        860..=939 => Text::Borrowed(draws.pick(awkward).as_str()),
        940..=979 => Text::Borrowed(draws.one_of(&texts().titles)),
        _ => Text::Owned(format!("{:08x}", draws.bits() >> 32)),
    };
    Some(text)
}
