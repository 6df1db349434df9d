//! Makes the dimensions of a world.

use std::ops::RangeInclusive;

use jiff::civil;

use super::super::calendar::{self, DAY_SECONDS};
use super::super::random::{Draws, Purpose};
use super::super::text::{COUNTRIES, texts};
use super::dimensions::{
    Advertiser, Affiliate, Cap, Manager, ManagerReference, Offer, OfferStatus, Payment, Privacy,
    Stamp,
};
use super::{Entity, Money, ObjectId};

/// Everything that is not a fact.
#[derive(Debug)]
pub(crate) struct Dimensions {
    pub offers: Vec<Offer>,
    /// The first so many offers are listed.
    pub listed_offers: usize,
    pub affiliates: Vec<Affiliate>,
    /// The first so many affiliates are listed.
    pub listed_affiliates: usize,
    pub advertisers: Vec<Advertiser>,
    pub managers: Vec<Manager>,
}

/// Number of the first offer and of the first affiliate.
pub(crate) const FIRST_OFFER: u32 = 301;
pub(crate) const FIRST_AFFILIATE: u32 = 2;

impl Dimensions {
    pub(crate) fn new(seed: u64, scale: u64, today: civil::Date) -> Self {
        let offer_count = (scale.isqrt() as usize).clamp(60, 2_000);
        let affiliate_count = (offer_count * 2 / 5).max(50);
        let listed_offers = offer_count - offer_count.div_ceil(50);
        let listed_affiliates = affiliate_count - affiliate_count.div_ceil(50);
        let maker = Maker {
            seed,
            today,
            affiliate_count,
            advertiser_count: (offer_count / 8).max(8),
        };
        let managers: Vec<_> = (0..16).map(|number| maker.manager(number)).collect();
        let offers: Vec<_> = (0..offer_count)
            .map(|number| maker.offer(number, number < listed_offers))
            .collect();
        let affiliates = (0..affiliate_count)
            .map(|number| maker.affiliate(number, number < listed_affiliates))
            .collect();
        let advertisers = (0..maker.advertiser_count)
            .map(|number| {
                let own = offers
                    .iter()
                    .filter(|offer| offer.advertiser == number)
                    .count();
                maker.advertiser(number, own)
            })
            .collect();
        Self {
            offers,
            listed_offers,
            affiliates,
            listed_affiliates,
            advertisers,
            managers,
        }
    }
}

/// What all dimension rows are made from.
struct Maker {
    seed: u64,
    today: civil::Date,
    affiliate_count: usize,
    advertiser_count: usize,
}

impl Maker {
    fn manager(&self, number: usize) -> Manager {
        let people = &texts().awkward.people;
        let [first_name, last_name] = &people[number % people.len()];
        let created = calendar::day_start(self.today) - 900 * DAY_SECONDS;
        Manager {
            id: ObjectId::new(self.seed, Entity::Manager, number as u64, created),
            first_name,
            last_name,
            email: format!("manager{number}@network.example"),
        }
    }

    fn offer(&self, number: usize, listed: bool) -> Offer {
        let mut draws = Draws::new(self.seed, Purpose::Offer, number as u64);
        let texts = texts();
        let id = FIRST_OFFER + number as u32;
        let title = match draws.below(10) {
            0..=1 => draws.pick(&texts.awkward.names).clone(),
            2..=5 => format!("{} #{id}", draws.pick(&texts.titles)),
            _ => draws.one_of(&texts.titles).to_owned(),
        };
        let (created, updated) = self.stamps(&mut draws);
        let payments = (0..draws.between(1, 3))
            .map(|place| self.payment(&mut draws, place, false))
            .collect();
        let partner_payments = (0..draws.below(3))
            .map(|place| self.payment(&mut draws, place, true))
            .collect();
        Offer {
            id,
            offer_id: ObjectId::new(
                self.seed,
                Entity::Offer,
                number as u64,
                known(created, self.today),
            ),
            external_id: draws
                .chance(300)
                .then(|| format!("ext/{:04}", draws.below(10_000))),
            title,
            advertiser: draws.popular(self.advertiser_count),
            status: draws.one_of(&[
                OfferStatus::Active,
                OfferStatus::Active,
                OfferStatus::Active,
                OfferStatus::Active,
                OfferStatus::Stopped,
                OfferStatus::Suspended,
            ]),
            privacy: draws.one_of(&[
                Privacy::Public,
                Privacy::Public,
                Privacy::Protected,
                Privacy::Private,
            ]),
            currency: draws.one_of(&["USD", "USD", "USD", "EUR", "GBP"]),
            payments,
            partner_payments,
            caps: (0..draws.below(4)).map(|_| self.cap(&mut draws)).collect(),
            created,
            updated,
            listed,
        }
    }

    fn payment(&self, draws: &mut Draws, place: u64, for_some: bool) -> Payment {
        let total = match draws.below(5) {
            0 => draws.between(1, 40) as i64 * 100,
            1 => draws.between(1, 99) as i64,
            _ => draws.between(50, 4_999) as i64,
        };
        let affiliates = if for_some {
            self.some_affiliates(draws, 1..=3)
        } else {
            Vec::new()
        };
        Payment {
            countries: (0..draws.below(4))
                .map(|_| draws.pick(COUNTRIES).code)
                .collect(),
            goal: if place == 0 { "1" } else { "2" },
            total: Money(total),
            revenue: Money(total * draws.between(55, 90) as i64 / 100),
            percent: draws.chance(150),
            affiliates,
        }
    }

    fn cap(&self, draws: &mut Draws) -> Cap {
        let kind = draws.one_of(&["budget", "conversions", "clicks"]);
        let whole = draws.between(10, 500) as i64 * 100;
        let affiliate_type = draws.one_of(&["all", "each", "exact"]);
        let affiliates = if affiliate_type == "exact" {
            self.some_affiliates(draws, 1..=4)
        } else {
            Vec::new()
        };
        Cap {
            period: draws.one_of(&["hour", "day", "month", "all"]),
            kind,
            value: Money(if kind == "budget" && draws.chance(500) {
                whole - 50
            } else {
                whole
            }),
            current: draws.below(10),
            goals: if draws.chance(400) {
                vec![("1", "Install"), ("2", "Achat validé")]
            } else {
                Vec::new()
            },
            affiliate_type,
            affiliates,
            countries: draws.chance(300).then(|| vec![draws.pick(COUNTRIES).code]),
        }
    }

    fn some_affiliates(&self, draws: &mut Draws, how_many: RangeInclusive<u64>) -> Vec<u32> {
        let count = draws.between(*how_many.start(), *how_many.end());
        let mut ids: Vec<u32> = (0..count)
            .map(|_| FIRST_AFFILIATE + draws.below(self.affiliate_count as u64) as u32)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn affiliate(&self, number: usize, listed: bool) -> Affiliate {
        let mut draws = Draws::new(self.seed, Purpose::Affiliate, number as u64);
        let names = &texts().awkward.names;
        let id = FIRST_AFFILIATE + number as u32;
        let name = match draws.below(10) {
            0 => None,
            1 => Some(String::new()),
            2..=4 => Some(format!("Media house {id}")),
            _ => Some(format!("{} {id}", draws.pick(names))),
        };
        let place = draws.below(16) as usize;
        let manager = match draws.below(20) {
            0..=2 => ManagerReference::Null,
            3 => ManagerReference::Blank,
            4 => ManagerReference::Id(place),
            _ => ManagerReference::Object(place),
        };
        let (created, updated) = self.stamps(&mut draws);
        Affiliate {
            id,
            login: if draws.chance(200) {
                String::new()
            } else {
                format!("affiliate{id}")
            },
            email: format!("affiliate{id}@media.example"),
            name,
            status: draws.one_of(&[
                "active",
                "active",
                "active",
                "banned",
                "on moderation",
                "not active",
            ]),
            manager,
            created,
            updated,
            listed,
        }
    }

    fn advertiser(&self, number: usize, offers: usize) -> Advertiser {
        let mut draws = Draws::new(self.seed, Purpose::Advertiser, number as u64);
        let names = &texts().awkward.names;
        let place = draws.below(16) as usize;
        let manager = match draws.below(10) {
            0..=1 => ManagerReference::Blank,
            2 => ManagerReference::Id(place),
            _ => ManagerReference::Object(place),
        };
        let (created, updated) = self.stamps(&mut draws);
        Advertiser {
            id: ObjectId::new(
                self.seed,
                Entity::Advertiser,
                number as u64,
                known(created, self.today),
            ),
            title: if number == 3 {
                String::new()
            } else {
                names[number % names.len()].clone()
            },
            email: format!("advertiser{number}@brand.example"),
            manager,
            offers,
            created,
            updated,
        }
    }

    /// Time of creation and of the last change: one in twenty changed within the last days.
    fn stamps(&self, draws: &mut Draws) -> (Stamp, Stamp) {
        let today = calendar::day_start(self.today);
        let created =
            today - draws.between(20, 1_500) as i64 * DAY_SECONDS - draws.below(86_400) as i64;
        let age = if draws.chance(50) {
            draws.below(10)
        } else {
            draws.between(11, 20)
        };
        let updated = today - age as i64 * DAY_SECONDS + draws.below(86_400) as i64;
        match draws.below(40) {
            0 => (Stamp::Null, Stamp::Null),
            1 => (Stamp::Zero, Stamp::Blank),
            2 => (Stamp::At(created), Stamp::Zero),
            3 => (Stamp::Blank, Stamp::At(updated)),
            _ => (Stamp::At(created), Stamp::At(updated)),
        }
    }
}

fn known(stamp: Stamp, today: civil::Date) -> i64 {
    match stamp {
        Stamp::At(second) => second,
        _ => calendar::day_start(today) - 1_000 * DAY_SECONDS,
    }
}
