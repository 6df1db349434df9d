//! Offers, affiliates, advertisers and managers.

use super::super::random::Draws;
use super::{Money, ObjectId};

/// A time stamp of a dimension row, in one of the spellings that occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// JSON `null`.
    Null,
    /// An empty string.
    Blank,
    /// `0000-00-00 00:00:00`.
    Zero,
    /// Seconds since 1970 UTC.
    At(i64),
}

/// Status of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OfferStatus {
    /// Runs; the only ones listed unless others are asked for.
    Active,
    /// Ended.
    Stopped,
    /// Paused.
    Suspended,
}

impl OfferStatus {
    /// The name on the wire and in filters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Stopped => "stopped",
            Self::Suspended => "suspended",
        }
    }
}

/// Who may run an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Privacy {
    /// Everybody; filter value 0.
    Public,
    /// After approval; filter value 1.
    Protected,
    /// By invitation; filter value 2.
    Private,
}

impl Privacy {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Protected => "protected",
            Self::Private => "private",
        }
    }

    /// The number in filters.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// A price of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Countries it holds for; lower case on the wire.
    pub countries: Vec<&'static str>,
    /// The goal it pays for.
    pub goal: &'static str,
    /// What the advertiser pays (`total`), in cents or, for a percentage, hundredths of a percent.
    pub total: Money,
    /// What the affiliate gets (`revenue`), in the same unit.
    pub revenue: Money,
    /// A share of the order's amount instead of a fixed price.
    pub percent: bool,
    /// Affiliates it holds for; empty for everybody.
    pub affiliates: Vec<u32>,
}

/// A limit of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cap {
    /// hour, day, month or all.
    pub period: &'static str,
    /// budget, conversions or clicks.
    pub kind: &'static str,
    /// The limit in hundredths; only budgets have a fraction.
    pub value: Money,
    /// What is used up; moves all the time.
    pub current: u64,
    /// Goals it holds for; none means all.
    pub goals: Vec<(&'static str, &'static str)>,
    /// all, each or exact.
    pub affiliate_type: &'static str,
    /// Affiliates it holds for; never empty with `exact`.
    pub affiliates: Vec<u32>,
    /// Countries it holds for; `None` is `null` on the wire.
    pub countries: Option<Vec<&'static str>>,
}

/// An offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// `id`.
    pub id: u32,
    /// `offer_id`.
    pub offer_id: ObjectId,
    /// `external_offer_id`, and `external_id` inside facts; `None` is `false` there.
    pub external_id: Option<String>,
    /// `title`.
    pub title: String,
    /// Place in [`super::Truth::advertisers`].
    pub advertiser: usize,
    /// `status`.
    pub status: OfferStatus,
    /// `privacy`.
    pub privacy: Privacy,
    /// Currency of its prices, upper case.
    pub currency: &'static str,
    /// `payments`.
    pub payments: Vec<Payment>,
    /// `partner_payments`.
    pub partner_payments: Vec<Payment>,
    /// `caps`.
    pub caps: Vec<Cap>,
    /// `created_at`.
    pub created: Stamp,
    /// `updated_at`.
    pub updated: Stamp,
    /// Whether the listing shows it at all.
    pub listed: bool,
}

impl Offer {
    /// Revenue, payouts and order sum of one conversion.
    pub(crate) fn amounts(&self, draws: &mut Draws) -> (Money, Money, Money) {
        let Some(payment) = self.payments.first() else {
            return (Money(0), Money(0), Money(0));
        };
        let (total, share) = (payment.total.cents(), payment.revenue.cents());
        if payment.percent {
            let order = draws.between(500, 40_000) as i64;
            (
                Money(order * total / 10_000),
                Money(order * share / 10_000),
                Money(order),
            )
        } else if draws.chance(15) {
            // The affiliate was promised a price the advertiser does not pay: earnings below zero.
            (Money(0), Money(share), Money(0))
        } else {
            (Money(total), Money(share), Money(0))
        }
    }
}

/// A manager of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    /// `id`.
    pub id: ObjectId,
    /// `first_name`; may be empty.
    pub first_name: &'static str,
    /// `last_name`; may be empty.
    pub last_name: &'static str,
    /// `email`.
    pub email: String,
}

/// A manager where a row names one: four spellings occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagerReference {
    /// `null`.
    Null,
    /// An empty string.
    Blank,
    /// Only the identifier, as a string; the place in [`super::Truth::managers`].
    Id(usize),
    /// The whole object; the place in [`super::Truth::managers`].
    Object(usize),
}

/// An affiliate (`partner` in paths and fields).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affiliate {
    /// `id`.
    pub id: u32,
    /// `login`; may be empty.
    pub login: String,
    /// `email`.
    pub email: String,
    /// `name`.
    pub name: Option<String>,
    /// active, banned, `on moderation` or `not active`.
    pub status: &'static str,
    /// `manager`.
    pub manager: ManagerReference,
    /// `created_at`.
    pub created: Stamp,
    /// `updated_at`.
    pub updated: Stamp,
    /// Whether the listing shows it at all.
    pub listed: bool,
}

/// An advertiser (`supplier` in older fields).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertiser {
    /// `id`.
    pub id: ObjectId,
    /// `title`; may be empty.
    pub title: String,
    /// `email`.
    pub email: String,
    /// Its manager: on the wire `manager` is the identifier or `""`, `manager_obj` the object or
    /// `null`. Never [`ManagerReference::Null`].
    pub manager: ManagerReference,
    /// `offers`, a string on the wire.
    pub offers: usize,
    /// `created_at`.
    pub created: Stamp,
    /// `updated_at`.
    pub updated: Stamp,
}
