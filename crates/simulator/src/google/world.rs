//! What happened on the websites: sessions by property and day, as plain values.
//!
//! A day of a property is a few dozen groups of sessions that agree in everything a report can ask for.
//! Reports are sums over groups. What Google does to recent days is played too: figures grow until a
//! day is three days old, and of today and yesterday most of it stands in `(other)`.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{
    calendar,
    campaigns::CAMPAIGNS,
    random::{Draws, Purpose},
};

/// A property of GA4 and the GA3 view of the same website.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property {
    /// GA4 property id.
    pub property: &'static str,
    /// GA3 view id.
    pub view: &'static str,
    /// Business unit, as the sample configuration names it.
    pub business_unit: &'static str,
    /// Zone of its days.
    pub time_zone: &'static str,
    /// Currency of its money.
    pub currency: &'static str,
}

/// The properties the service account may read. Any other id is answered with 403.
pub const PROPERTIES: [Property; 3] = [
    Property {
        property: "310000001",
        view: "110001",
        business_unit: "de",
        time_zone: "Europe/Berlin",
        currency: "EUR",
    },
    Property {
        property: "310000002",
        view: "110002",
        business_unit: "us",
        time_zone: "America/New_York",
        currency: "USD",
    },
    Property {
        property: "310000003",
        view: "110003",
        business_unit: "jp",
        time_zone: "Asia/Tokyo",
        currency: "JPY",
    },
];

/// Word of the row that takes what is left over.
pub(super) const OTHER: &str = "(other)";

/// Where a session came from: source, medium, channel group.
const ORIGINS: [(&str, &str, &str); 8] = [
    ("google", "organic", "Organic Search"),
    ("(direct)", "(none)", "Direct"),
    ("google", "cpc", "Paid Search"),
    ("newsletter", "email", "Email"),
    ("bing", "organic", "Organic Search"),
    ("affise", "affiliate", "Affiliates"),
    ("bücher.example", "referral", "Referral"),
    ("(not set)", "(not set)", "Unassigned"),
];
const COUNTRIES: [(&str, &str); 6] = [
    ("Germany", "DE"),
    ("United States", "US"),
    ("Japan", "JP"),
    ("Côte d’Ivoire", "CI"),
    ("Türkiye", "TR"),
    ("(not set)", "(not set)"),
];
const DEVICES: [(&str, &str, &str); 5] = [
    ("mobile", "Safari", "iOS"),
    ("desktop", "Chrome", "Windows"),
    ("mobile", "Chrome", "Android"),
    ("desktop", "Firefox", "Linux"),
    ("tablet", "Safari (in-app)", "iOS"),
];
const LANGUAGES: [&str; 5] = ["German", "English", "Norwegian Bokmål", "日本語", ""];
const PAGES: [&str; 6] = [
    "/",
    "/angebote?sort=preis&seite=2",
    "/ü/straße",
    "/商品/1",
    "(not set)",
    "",
];

/// Sessions that agree in every dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// `sessionSource`.
    pub source: &'static str,
    /// `sessionMedium`.
    pub medium: &'static str,
    /// `sessionDefaultChannelGroup`.
    pub channel: &'static str,
    /// `sessionCampaignName`.
    pub campaign: &'static str,
    /// `country` and `countryId`.
    pub country: (&'static str, &'static str),
    /// `deviceCategory`, `browser`, `operatingSystem`.
    pub device: (&'static str, &'static str, &'static str),
    /// `language`.
    pub language: &'static str,
    /// `landingPagePlusQueryString`.
    pub page: &'static str,
    /// `newVsReturning`.
    pub visitor: &'static str,
    /// Sessions.
    pub sessions: u64,
    /// Sessions that were engaged.
    pub engaged: u64,
    /// Users.
    pub users: u64,
    /// Users who came for the first time.
    pub new_users: u64,
    /// Page views.
    pub views: u64,
    /// Events.
    pub events: u64,
    /// Key events in halves: attribution splits them.
    pub half_key_events: u64,
    /// Seconds of engagement.
    pub seconds: u64,
    /// Revenue in cents of the property's currency.
    pub cents: u64,
}

/// Sums of a group of sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Sessions.
    pub sessions: u64,
    /// Users; only true for the group itself, not to be added over groups.
    pub total_users: u64,
    /// Key events in halves.
    pub half_key_events: u64,
}

/// The websites of a generated world as of an instant.
#[derive(Debug, Clone)]
pub struct GoogleTruth {
    pub(super) seed: u64,
    pub(super) scale: u64,
    /// Seconds since 1970 UTC.
    pub(super) now: i64,
}

impl Property {
    /// The property of that id.
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        PROPERTIES.iter().find(|known| known.property == id)
    }

    /// The property of that view; some clients write `ga:` before it.
    pub(super) fn of_view(id: &str) -> Option<&'static Self> {
        let id = id.strip_prefix("ga:").unwrap_or(id);
        PROPERTIES.iter().find(|known| known.view == id)
    }

    /// Today in the property's zone.
    pub(super) fn today(&self, now: i64) -> Date {
        let zone = TimeZone::get(self.time_zone).unwrap_or(TimeZone::UTC);
        let now = Timestamp::from_second(now).unwrap_or(Timestamp::UNIX_EPOCH);
        zone.to_datetime(now).date()
    }

    fn number(&self) -> u64 {
        self.property.parse().unwrap_or_default()
    }
}

impl GoogleTruth {
    /// Sessions, users and key events of a day by source, medium and campaign: what the marketing
    /// datamart groups by. `business_unit` is one of [`PROPERTIES`]; empty for any other.
    pub fn by_campaign(
        &self,
        business_unit: &str,
        day: Date,
    ) -> BTreeMap<(String, String, String), Figures> {
        let mut groups = BTreeMap::<_, Figures>::new();
        let unit = PROPERTIES
            .iter()
            .find(|known| known.business_unit == business_unit);
        for cell in unit.iter().flat_map(|unit| self.cells(unit, day)) {
            let key = [cell.source, cell.medium, cell.campaign].map(str::to_owned);
            let [source, medium, campaign] = key;
            let figures = groups.entry((source, medium, campaign)).or_default();
            figures.sessions += cell.sessions;
            figures.total_users += cell.users;
            figures.half_key_events += cell.half_key_events;
        }
        groups
    }

    /// The groups of a day as Google shows them now; none for days that have not come yet.
    pub fn cells(&self, property: &Property, day: Date) -> Vec<Cell> {
        let age = days_between(day, property.today(self.now));
        if age < 0 {
            return Vec::new();
        }
        let mut cells = self.settled_cells(property, day);
        // What a young day shows, in percent of what it will show.
        let percent = [70, 90, 97].get(usize::try_from(age).unwrap_or(9));
        if let Some(&percent) = percent {
            cells.iter_mut().for_each(|cell| cell.shrink(percent));
        }
        if age < 2 {
            fold(&mut cells, 6);
        }
        cells.retain(|cell| cell.sessions > 0);
        cells
    }

    /// Whether the day has rows in `(other)`.
    pub(super) fn loses_data(&self, property: &Property, day: Date) -> bool {
        (0..2).contains(&days_between(day, property.today(self.now)))
    }

    /// Whether the day changes no more.
    pub(super) fn is_golden(&self, property: &Property, day: Date) -> bool {
        days_between(day, property.today(self.now)) >= 3
    }

    fn settled_cells(&self, property: &Property, day: Date) -> Vec<Cell> {
        let row = property.number() << 24
            ^ u64::from(day.year().unsigned_abs()) << 9
            ^ u64::from(day.day_of_year().unsigned_abs());
        let mut draws = Draws::new(self.seed, Purpose::GoogleDay, row);
        let count = draws.between(24, 40);
        let weight = (self.scale / 200).clamp(20, 1_000_000);
        (0..count)
            .map(|number| {
                let draws = Draws::new(self.seed, Purpose::GoogleCell, row << 8 ^ number);
                Cell::drawn(draws, weight)
            })
            .collect()
    }
}

impl Cell {
    fn drawn(mut draws: Draws, weight: u64) -> Self {
        let (source, medium, channel) = ORIGINS[draws.popular(ORIGINS.len())];
        let tagged = matches!(medium, "cpc" | "email" | "affiliate");
        let campaign = match (tagged, medium) {
            (true, _) => CAMPAIGNS[draws.popular(CAMPAIGNS.len())],
            (false, "organic") => "(organic)",
            (false, "(none)") => "(direct)",
            _ => "(not set)",
        };
        let sessions = draws.between(1, weight);
        let users = draws.between(sessions.div_ceil(2), sessions);
        let engaged = draws.between(0, sessions);
        let views = sessions + draws.below(sessions * 4);
        Self {
            source,
            medium,
            channel,
            campaign,
            country: COUNTRIES[draws.popular(COUNTRIES.len())],
            device: DEVICES[draws.popular(DEVICES.len())],
            language: LANGUAGES[draws.popular(LANGUAGES.len())],
            page: PAGES[draws.popular(PAGES.len())],
            visitor: if draws.chance(300) {
                "returning"
            } else {
                "new"
            },
            sessions,
            engaged,
            users,
            new_users: draws.between(0, users),
            views,
            events: views * 3 + draws.below(50),
            half_key_events: draws.below(sessions / 5 + 3),
            seconds: engaged * draws.between(5, 240),
            cents: draws.below(sessions * 40 + 1),
        }
    }

    /// Takes every figure down to so many percent.
    fn shrink(&mut self, percent: u64) {
        for figure in self.figures() {
            *figure = *figure * percent / 100;
        }
    }

    fn figures(&mut self) -> [&mut u64; 9] {
        [
            &mut self.sessions,
            &mut self.engaged,
            &mut self.users,
            &mut self.new_users,
            &mut self.views,
            &mut self.events,
            &mut self.half_key_events,
            &mut self.seconds,
            &mut self.cents,
        ]
    }

    /// A group without anything to tell apart.
    fn other() -> Self {
        Self {
            source: OTHER,
            medium: OTHER,
            channel: OTHER,
            campaign: OTHER,
            country: (OTHER, OTHER),
            device: (OTHER, OTHER, OTHER),
            language: OTHER,
            page: OTHER,
            visitor: OTHER,
            sessions: 0,
            engaged: 0,
            users: 0,
            new_users: 0,
            views: 0,
            events: 0,
            half_key_events: 0,
            seconds: 0,
            cents: 0,
        }
    }
}

/// Keeps the first few groups and puts the rest into one.
fn fold(cells: &mut Vec<Cell>, kept: usize) {
    let mut other = Cell::other();
    for mut cell in cells.drain(kept.min(cells.len())..) {
        let from = cell.figures();
        for (to, from) in other.figures().into_iter().zip(from) {
            *to += *from;
        }
    }
    cells.push(other);
}

/// Days from `day` to `today`; negative for days to come.
pub(super) fn days_between(day: Date, today: Date) -> i64 {
    (calendar::day_start(today) - calendar::day_start(day)) / calendar::DAY_SECONDS
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn truth(today: Date) -> GoogleTruth {
        GoogleTruth {
            seed: 3,
            scale: 20_000,
            now: calendar::day_start(today) + 43_200,
        }
    }

    #[test]
    fn days_grow_until_they_are_settled() {
        let day = date(2026, 1, 10);
        let sessions = |today| -> u64 {
            let cells = truth(today).cells(&PROPERTIES[0], day);
            cells.iter().map(|cell| cell.sessions).sum()
        };
        let by_age: Vec<u64> = (10..15)
            .map(|today| sessions(date(2026, 1, today)))
            .collect();
        assert!(
            by_age.windows(2).all(|pair| pair[0] <= pair[1]),
            "{by_age:?}"
        );
        assert!(
            by_age[0] < by_age[3] && by_age[3] == by_age[4],
            "{by_age:?}"
        );
        assert_eq!(sessions(date(2026, 1, 9)), 0, "tomorrow has not come");
        assert_eq!(sessions(date(2026, 1, 15)), sessions(date(2027, 1, 15)));
    }

    #[test]
    fn folding_loses_no_session() {
        let today = date(2026, 1, 10);
        let folded = truth(today).cells(&PROPERTIES[1], today);
        assert!(folded.iter().any(|cell| cell.source == OTHER));
        let mut whole = truth(today).settled_cells(&PROPERTIES[1], today);
        whole.iter_mut().for_each(|cell| cell.shrink(70));
        let sum = |cells: &[Cell]| cells.iter().map(|cell| cell.sessions).sum::<u64>();
        assert_eq!(sum(&folded), sum(&whole));
    }
}
