//! Conversions: which clicks convert, and how a conversion's life goes on.
//!
//! A conversion is created some time after its click (half of them within 36 minutes, one in ten
//! after a day, one in a hundred after three) and may change later: pending to confirmed or
//! declined by hand, hold to confirmed when the hold period ends, confirmed to declined by the
//! advertiser, now and then with other amounts. Each change is a version with its own `updated_at`.

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::{civil, tz::TimeZone};

use super::super::calendar::{self, DAY_SECONDS, Span};
use super::super::random::{Draws, Purpose};
use super::clicks::ClickKey;
use super::{Click, Entity, Money, ObjectId, Truth};

/// Status of a conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConversionStatus {
    /// The advertiser pays; filter value 1.
    Confirmed,
    /// Waits for somebody; filter value 2.
    Pending,
    /// The advertiser does not pay; filter value 3.
    Declined,
    /// An older platform's leftover; filter value 4.
    NotFound,
    /// Waits for the hold period to end; filter value 5.
    Hold,
}

impl ConversionStatus {
    /// The name in listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Pending => "pending",
            Self::Declined => "declined",
            Self::NotFound => "not_found",
            Self::Hold => "hold",
        }
    }

    /// The number in filters and in the reply for one conversion.
    pub const fn number(self) -> u8 {
        match self {
            Self::Confirmed => 1,
            Self::Pending => 2,
            Self::Declined => 3,
            Self::NotFound => 4,
            Self::Hold => 5,
        }
    }
}

/// One version of a conversion, with the values as they stand on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// `id` and `conversion_id`.
    pub id: ObjectId,
    /// The click it came from; its offer, affiliate, country and subs are the conversion's too.
    pub click: Click,
    /// 1 for the click's first goal, 2 for its second.
    pub goal: u8,
    /// 0 for the version it was created with.
    pub version: u8,
    /// `status`.
    pub status: ConversionStatus,
    /// `created_at` in seconds since 1970 UTC.
    pub created: i64,
    /// When this version began, in seconds since 1970 UTC. For version 0 the time of creation;
    /// the wire may then leave `updated_at` out, empty, null or zero.
    pub updated: i64,
    /// `os`: name and version joined by one blank, empty or null where neither is known.
    pub os: Option<String>,
    /// What the advertiser pays (`revenue` in the listing).
    pub revenue: Money,
    /// What the affiliate gets (`payouts`).
    pub payouts: Money,
    /// `sum`: the order's amount; zero for a fixed price.
    pub order_sum: Money,
    /// `decline_reason`: empty unless declined.
    pub decline_reason: &'static str,
}

impl Conversion {
    /// What the network keeps (`earnings`): revenue less payouts, exactly.
    pub fn earnings(&self) -> Money {
        self.revenue - self.payouts
    }

    /// `created_at` as UTC wall clock.
    pub fn created_at(&self) -> civil::DateTime {
        calendar::wall_clock(self.created, &TimeZone::UTC)
    }

    /// `updated_at` as UTC wall clock.
    pub fn updated_at(&self) -> civil::DateTime {
        calendar::wall_clock(self.updated, &TimeZone::UTC)
    }
}

/// A status change made from outside while the simulator ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateChange {
    /// The conversion.
    pub id: ObjectId,
    /// Its status before.
    pub from: ConversionStatus,
    /// Its status since.
    pub to: ConversionStatus,
    /// When, in seconds since 1970 UTC.
    pub updated: i64,
    place: usize,
}

/// Late changes, shared by all clones of a [`Truth`].
#[derive(Debug, Clone, Default)]
pub(crate) struct LateChanges(Arc<RwLock<Vec<LateChange>>>);

impl LateChanges {
    pub(crate) fn all(&self) -> Vec<LateChange> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn of(&self, place: usize, now: i64) -> Vec<LateChange> {
        let changes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        changes
            .iter()
            .filter(|change| change.place == place && change.updated <= now)
            .cloned()
            .collect()
    }

    fn push(&self, change: LateChange) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(change);
    }
}

/// Where a conversion comes from: sixteen bytes each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seedling {
    created: i64,
    /// Twice the click's number, plus one for the second goal.
    origin: u64,
}

impl Seedling {
    const fn click(self) -> u64 {
        self.origin / 2
    }

    const fn is_second(self) -> bool {
        self.origin % 2 == 1
    }
}

/// All conversions of the world by time of creation.
#[derive(Debug)]
pub(crate) struct ConversionIndex(Vec<Seedling>);

/// A version without the parts it shares with the others.
#[derive(Debug, Clone, Copy)]
struct Version {
    number: u8,
    updated: i64,
    status: ConversionStatus,
    revenue: Money,
    payouts: Money,
    order_sum: Money,
    decline_reason: &'static str,
}

/// What filters look at in a conversion.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConversionKey {
    pub click: ClickKey,
    pub status: ConversionStatus,
    pub updated: i64,
}

const MOST_VERSIONS: usize = 3;

impl Truth {
    /// How many seconds after their click the first and the second conversion are created, if they
    /// ever are. Most clicks have neither, and their time need not be found.
    fn conversion_lags(&self, number: u64) -> [Option<i64>; 2] {
        let mut draws = Draws::new(self.world.seed, Purpose::Conversion, number);
        if !draws.chance(97) {
            return [None, None];
        }
        let first = lag(&mut draws);
        let second = draws
            .chance(30)
            .then(|| first + 60 + draws.below(3 * 86_400) as i64);
        [Some(first), second]
    }

    /// The identifier of a click's first conversion, if it has been created by now.
    pub(crate) fn first_conversion_of(&self, number: u64, clicked: i64) -> Option<ObjectId> {
        let [first, _] = self.conversion_lags(number);
        first
            .map(|lag| clicked + lag)
            .filter(|&created| created <= self.now)
            .map(|created| ObjectId::new(self.world.seed, Entity::FirstConversion, number, created))
    }

    fn index(&self) -> &[Seedling] {
        let index = self.world.conversions.get_or_init(|| {
            let mut seedlings = Vec::new();
            for number in 0..self.world.scale {
                for (origin, lag) in (number * 2..).zip(self.conversion_lags(number)) {
                    if let Some(lag) = lag {
                        let created = self.click_time(number) + lag;
                        seedlings.push(Seedling { created, origin });
                    }
                }
            }
            seedlings.sort_unstable();
            seedlings.shrink_to_fit();
            ConversionIndex(seedlings)
        });
        &index.0
    }

    /// Places in the index of the conversions created in a span and by now.
    pub(crate) fn conversion_range(&self, span: Span) -> Range<usize> {
        let span = span.and(Span {
            start: i64::MIN,
            end: self.now.saturating_add(1),
        });
        let index = self.index();
        let start = index.partition_point(|seedling| seedling.created < span.start);
        let end = index.partition_point(|seedling| seedling.created < span.end);
        start..end.max(start)
    }

    /// The place of a conversion by its identifier, if it exists by now.
    pub(crate) fn find_conversion(&self, id: ObjectId) -> Option<usize> {
        let origin = match id.decode(self.world.seed)? {
            (Entity::FirstConversion, number) => number * 2,
            (Entity::SecondConversion, number) => number * 2 + 1,
            _ => return None,
        };
        let number = origin / 2;
        if number >= self.world.scale {
            return None;
        }
        let lag = self.conversion_lags(number)[(origin % 2) as usize]?;
        let created = self.click_time(number) + lag;
        if created > self.now {
            return None;
        }
        let place = self
            .index()
            .binary_search(&Seedling { created, origin })
            .ok()?;
        (self.conversion_id(self.index()[place]) == id).then_some(place)
    }

    fn conversion_id(&self, seedling: Seedling) -> ObjectId {
        let entity = if seedling.is_second() {
            Entity::SecondConversion
        } else {
            Entity::FirstConversion
        };
        ObjectId::new(self.world.seed, entity, seedling.click(), seedling.created)
    }

    /// What filters need of the version that holds now.
    pub(crate) fn conversion_key(&self, place: usize) -> Option<ConversionKey> {
        let seedling = *self.index().get(place)?;
        let click = self.click_key(seedling.click());
        let version = self.lives(place, seedling, click).pop()?;
        Some(ConversionKey {
            click,
            status: version.status,
            updated: version.updated,
        })
    }

    /// The version that holds now of the conversion at a place of the index.
    pub(crate) fn conversion_at(&self, place: usize) -> Option<Conversion> {
        self.versions_at(place).pop()
    }

    /// Every version up to now of the conversion at a place of the index, the oldest first.
    pub(crate) fn versions_at(&self, place: usize) -> Vec<Conversion> {
        let Some(&seedling) = self.index().get(place) else {
            return Vec::new();
        };
        let click = self.click_at(seedling.click());
        let versions = self.lives(place, seedling, self.click_key(seedling.click()));
        versions
            .into_iter()
            .map(|version| self.assemble(seedling, click.clone(), version))
            .collect()
    }

    fn assemble(&self, seedling: Seedling, click: Click, version: Version) -> Conversion {
        Conversion {
            id: self.conversion_id(seedling),
            goal: if seedling.is_second() { 2 } else { 1 },
            version: version.number,
            status: version.status,
            created: seedling.created,
            updated: version.updated,
            os: joined_os(click.os, click.os_version),
            revenue: version.revenue,
            payouts: version.payouts,
            order_sum: version.order_sum,
            decline_reason: version.decline_reason,
            click,
        }
    }

    /// The versions up to now, the oldest first.
    fn lives(&self, place: usize, seedling: Seedling, click: ClickKey) -> Vec<Version> {
        let mut draws = Draws::new(self.world.seed, Purpose::ConversionLife, seedling.origin);
        let offer = &self.offers()[click.offer];
        let (revenue, payouts, order_sum) = offer.amounts(&mut draws);
        let status = first_status(&mut draws);
        let mut versions = Vec::with_capacity(MOST_VERSIONS);
        versions.push(Version {
            number: 0,
            updated: seedling.created,
            status,
            revenue,
            payouts,
            order_sum,
            decline_reason: if status == ConversionStatus::Declined {
                "cap_reached"
            } else {
                ""
            },
        });
        while versions.len() < MOST_VERSIONS {
            let Some(next) = versions
                .last()
                .and_then(|version| next_version(&mut draws, version))
            else {
                break;
            };
            versions.push(next);
        }
        versions.retain(|version| version.updated <= self.now);
        for change in self.late.of(place, self.now) {
            insert_late(&mut versions, &change);
        }
        versions
    }

    /// Gives a conversion another status as of now, in every clone of this truth and in the
    /// simulator that serves it. Returns `None` if there is no such conversion yet.
    pub fn change_status(&self, id: ObjectId) -> Option<LateChange> {
        self.change_status_at(self.find_conversion(id)?)
    }

    /// The same for the conversion at a place of the index.
    pub(crate) fn change_status_at(&self, place: usize) -> Option<LateChange> {
        let seedling = *self.index().get(place)?;
        let last = self
            .lives(place, seedling, self.click_key(seedling.click()))
            .pop()?;
        let to = match last.status {
            ConversionStatus::Pending => ConversionStatus::Confirmed,
            ConversionStatus::Hold | ConversionStatus::Confirmed => ConversionStatus::Declined,
            ConversionStatus::Declined | ConversionStatus::NotFound => ConversionStatus::Confirmed,
        };
        let id = self.conversion_id(seedling);
        let updated = self.now.max(last.updated);
        let change = LateChange {
            id,
            from: last.status,
            to,
            updated,
            place,
        };
        self.late.push(change.clone());
        Some(change)
    }
}

/// Puts a late change after the versions that held when it was made. The clock may have moved on
/// since, so that later versions follow it.
fn insert_late(versions: &mut Vec<Version>, change: &LateChange) {
    let place = versions.partition_point(|version| version.updated <= change.updated);
    let Some(base) = place
        .checked_sub(1)
        .and_then(|before| versions.get(before))
        .copied()
    else {
        return;
    };
    let decline_reason = if change.to == ConversionStatus::Declined {
        "by_manager"
    } else {
        ""
    };
    versions.insert(
        place,
        Version {
            updated: change.updated,
            status: change.to,
            decline_reason,
            ..base
        },
    );
    for (number, version) in versions.iter_mut().enumerate() {
        version.number = number as u8;
    }
}

/// Seconds from click to conversion.
fn lag(draws: &mut Draws) -> i64 {
    let seconds = match draws.below(100) {
        0..=49 => draws.between(5, 36 * 60),
        50..=89 => draws.between(36 * 60, 86_400),
        90..=98 => draws.between(86_400, 3 * 86_400),
        _ => draws.between(3 * 86_400, 10 * 86_400),
    };
    seconds as i64
}

fn first_status(draws: &mut Draws) -> ConversionStatus {
    match draws.below(1000) {
        0..=449 => ConversionStatus::Confirmed,
        450..=779 => ConversionStatus::Pending,
        780..=929 => ConversionStatus::Hold,
        930..=997 => ConversionStatus::Declined,
        _ => ConversionStatus::NotFound,
    }
}

/// What becomes of a version, if it changes at all.
fn next_version(draws: &mut Draws, version: &Version) -> Option<Version> {
    use ConversionStatus::{Confirmed, Declined, Hold, NotFound, Pending};
    let (changes, latest, to) = match version.status {
        Pending => (
            700,
            12 * DAY_SECONDS,
            if draws.chance(750) {
                Confirmed
            } else {
                Declined
            },
        ),
        Hold => (900, 10 * DAY_SECONDS, Confirmed),
        Confirmed => (40, 14 * DAY_SECONDS, Declined),
        Declined => (20, 3 * DAY_SECONDS, Confirmed),
        NotFound => (0, 0, NotFound),
    };
    if !draws.chance(changes) {
        return None;
    }
    let wait = draws.between(900, latest.unsigned_abs()) as i64;
    let mut updated = version.updated + wait;
    if version.status == Hold {
        // The platform looks at holds every fifteen minutes.
        updated -= updated % 900;
    }
    let repriced = draws.chance(80);
    let payouts = if repriced {
        Money(version.payouts.cents() * 9 / 10)
    } else {
        version.payouts
    };
    Some(Version {
        number: version.number + 1,
        updated: updated.max(version.updated + 1),
        status: to,
        payouts,
        decline_reason: if to == Declined { "by_manager" } else { "" },
        ..*version
    })
}

fn joined_os(os: Option<&str>, version: Option<&str>) -> Option<String> {
    match (os, version) {
        (os, None | Some("")) => os.map(str::to_owned),
        (None, Some(version)) => Some(version.to_owned()),
        (Some(os), Some(version)) => Some(format!("{os} {version}")),
    }
}
