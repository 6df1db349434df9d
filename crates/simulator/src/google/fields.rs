//! Dimensions and metrics: their names in both APIs, and how their values are spelled.

use std::borrow::Cow;

use jiff::civil::Date;

use super::errors::Refusal;
use super::world::Cell;

/// A dimension that is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dimension {
    Date,
    Source,
    Medium,
    SourceMedium,
    Campaign,
    Channel,
    Country,
    CountryId,
    Device,
    Browser,
    System,
    Language,
    Page,
    Visitor,
}

/// Names in GA4 and in GA3; GA4's session-scoped and plain spellings mean the same here.
const DIMENSIONS: [(Dimension, &[&str], &str); 14] = [
    (Dimension::Date, &["date"], "ga:date"),
    (
        Dimension::Source,
        &["sessionSource", "source", "firstUserSource"],
        "ga:source",
    ),
    (
        Dimension::Medium,
        &["sessionMedium", "medium", "firstUserMedium"],
        "ga:medium",
    ),
    (
        Dimension::SourceMedium,
        &["sessionSourceMedium"],
        "ga:sourceMedium",
    ),
    (
        Dimension::Campaign,
        &[
            "sessionCampaignName",
            "campaignName",
            "firstUserCampaignName",
        ],
        "ga:campaign",
    ),
    (
        Dimension::Channel,
        &[
            "sessionDefaultChannelGroup",
            "sessionPrimaryChannelGroup",
            "defaultChannelGroup",
        ],
        "ga:channelGrouping",
    ),
    (Dimension::Country, &["country"], "ga:country"),
    (Dimension::CountryId, &["countryId"], "ga:countryIsoCode"),
    (Dimension::Device, &["deviceCategory"], "ga:deviceCategory"),
    (Dimension::Browser, &["browser"], "ga:browser"),
    (
        Dimension::System,
        &["operatingSystem"],
        "ga:operatingSystem",
    ),
    (Dimension::Language, &["language"], "ga:language"),
    (
        Dimension::Page,
        &["landingPagePlusQueryString", "landingPage", "pagePath"],
        "ga:landingPagePath",
    ),
    (Dimension::Visitor, &["newVsReturning"], "ga:userType"),
];

/// Fields of the user who came first, and what belongs to a page that somebody landed on: in this world they are
/// counted apart, and no report can have both.
const OF_USERS: &str = "firstUser";
const OF_PAGES: [&str; 2] = ["landingPage", "landingPagePlusQueryString"];

/// Whether fields go together in a report; if not, as Google says it.
pub(super) fn go_together(names: &[&str]) -> Result<(), Refusal> {
    let of_users = names.iter().any(|name| name.starts_with(OF_USERS));
    match names.iter().find(|name| OF_PAGES.contains(name)) {
        Some(page) if of_users => Err(Refusal::Bad(format!(
            "Please remove {page} to make the request compatible. The request's dimensions & metrics are incompatible. To learn more, see https://ga-dev-tools.google/ga4/dimensions-metrics-explorer/"
        ))),
        _ => Ok(()),
    }
}

impl Dimension {
    /// By its name in the Data API.
    pub(super) fn of_ga4(name: &str) -> Option<Self> {
        let found = DIMENSIONS
            .iter()
            .find(|(_, names, _)| names.contains(&name));
        found.map(|(dimension, _, _)| *dimension)
    }

    /// By its name in the Reporting API.
    pub(super) fn of_ga3(name: &str) -> Option<Self> {
        let found = DIMENSIONS.iter().find(|(_, _, known)| *known == name);
        found.map(|(dimension, _, _)| *dimension)
    }

    /// All names of the Data API.
    pub(super) fn ga4_names() -> impl Iterator<Item = &'static str> {
        DIMENSIONS
            .iter()
            .flat_map(|(_, names, _)| names.iter().copied())
    }

    /// The value of a group of sessions of a day.
    pub(super) fn value(self, cell: &Cell, day: Date) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Date => return Cow::Owned(day.strftime("%Y%m%d").to_string()),
            Self::SourceMedium => {
                return Cow::Owned(format!("{} / {}", cell.source, cell.medium));
            }
            Self::Source => cell.source,
            Self::Medium => cell.medium,
            Self::Campaign => cell.campaign,
            Self::Channel => cell.channel,
            Self::Country => cell.country.0,
            Self::CountryId => cell.country.1,
            Self::Device => cell.device.0,
            Self::Browser => cell.device.1,
            Self::System => cell.device.2,
            Self::Language => cell.language,
            Self::Page => cell.page,
            Self::Visitor => cell.visitor,
        })
    }
}

/// Sums over groups of sessions.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    sessions: u64,
    engaged: u64,
    users: u64,
    new_users: u64,
    views: u64,
    events: u64,
    half_key_events: u64,
    seconds: u64,
    cents: u64,
}

impl Sums {
    pub(super) fn add(&mut self, cell: &Cell) {
        self.sessions += cell.sessions;
        self.engaged += cell.engaged;
        self.users += cell.users;
        self.new_users += cell.new_users;
        self.views += cell.views;
        self.events += cell.events;
        self.half_key_events += cell.half_key_events;
        self.seconds += cell.seconds;
        self.cents += cell.cents;
    }
}

/// A metric that is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metric {
    Sessions,
    Engaged,
    Users,
    NewUsers,
    Views,
    Events,
    KeyEvents,
    Revenue,
    EngagementRate,
    BounceRate,
    SessionDuration,
    Engagement,
    ViewsPerSession,
    KeyEventRate,
}

/// Metric, names and type in GA4, name and type in GA3 (`""` where it has none).
type MetricRow = (
    Metric,
    &'static [&'static str],
    &'static str,
    &'static str,
    &'static str,
);

const METRICS: [MetricRow; 14] = [
    (
        Metric::Sessions,
        &["sessions"],
        "TYPE_INTEGER",
        "ga:sessions",
        "INTEGER",
    ),
    (
        Metric::Engaged,
        &["engagedSessions"],
        "TYPE_INTEGER",
        "",
        "",
    ),
    (
        Metric::Users,
        &["totalUsers", "activeUsers"],
        "TYPE_INTEGER",
        "ga:users",
        "INTEGER",
    ),
    (
        Metric::NewUsers,
        &["newUsers"],
        "TYPE_INTEGER",
        "ga:newUsers",
        "INTEGER",
    ),
    (
        Metric::Views,
        &["screenPageViews"],
        "TYPE_INTEGER",
        "ga:pageviews",
        "INTEGER",
    ),
    (
        Metric::Events,
        &["eventCount"],
        "TYPE_INTEGER",
        "ga:totalEvents",
        "INTEGER",
    ),
    (
        Metric::KeyEvents,
        &["keyEvents", "conversions"],
        "TYPE_FLOAT",
        "ga:goalCompletionsAll",
        "FLOAT",
    ),
    (
        Metric::Revenue,
        &["totalRevenue", "purchaseRevenue"],
        "TYPE_CURRENCY",
        "ga:transactionRevenue",
        "CURRENCY",
    ),
    (
        Metric::EngagementRate,
        &["engagementRate"],
        "TYPE_FLOAT",
        "",
        "",
    ),
    (
        Metric::BounceRate,
        &["bounceRate"],
        "TYPE_FLOAT",
        "ga:bounceRate",
        "PERCENT",
    ),
    (
        Metric::SessionDuration,
        &["averageSessionDuration"],
        "TYPE_SECONDS",
        "ga:avgSessionDuration",
        "TIME",
    ),
    (
        Metric::Engagement,
        &["userEngagementDuration"],
        "TYPE_SECONDS",
        "ga:sessionDuration",
        "TIME",
    ),
    (
        Metric::ViewsPerSession,
        &["screenPageViewsPerSession"],
        "TYPE_FLOAT",
        "ga:pageviewsPerSession",
        "FLOAT",
    ),
    (
        Metric::KeyEventRate,
        &["sessionKeyEventRate"],
        "TYPE_FLOAT",
        "ga:goalConversionRateAll",
        "PERCENT",
    ),
];

impl Metric {
    /// By its name in the Data API, with its type there.
    pub(super) fn of_ga4(name: &str) -> Option<(Self, &'static str)> {
        let found = METRICS.iter().find(|row| row.1.contains(&name));
        found.map(|row| (row.0, row.2))
    }

    /// By its name in the Reporting API, with its type there.
    pub(super) fn of_ga3(name: &str) -> Option<(Self, &'static str)> {
        let found = METRICS
            .iter()
            .find(|row| !row.3.is_empty() && row.3 == name);
        found.map(|row| (row.0, row.4))
    }

    /// All names of the Data API with their types.
    pub(super) fn ga4_names() -> impl Iterator<Item = (&'static str, &'static str)> {
        METRICS
            .iter()
            .flat_map(|row| row.1.iter().map(|name| (*name, row.2)))
    }

    /// The value of a sum, as it is written.
    pub(super) fn value(self, sums: &Sums) -> String {
        let share = |part: u64, whole: u64| {
            if whole == 0 {
                "0".to_owned()
            } else {
                seventeen_digits(part as f64 / whole as f64)
            }
        };
        match self {
            Self::Sessions => sums.sessions.to_string(),
            Self::Engaged => sums.engaged.to_string(),
            Self::Users => sums.users.to_string(),
            Self::NewUsers => sums.new_users.to_string(),
            Self::Views => sums.views.to_string(),
            Self::Events => sums.events.to_string(),
            Self::KeyEvents if sums.half_key_events % 2 == 1 => {
                format!("{}.5", sums.half_key_events / 2)
            }
            Self::KeyEvents => (sums.half_key_events / 2).to_string(),
            Self::Revenue => format!("{}.{:02}", sums.cents / 100, sums.cents % 100),
            Self::EngagementRate => share(sums.engaged, sums.sessions),
            Self::BounceRate => share(
                sums.sessions - sums.engaged.min(sums.sessions),
                sums.sessions,
            ),
            Self::SessionDuration => share(sums.seconds, sums.sessions),
            Self::Engagement => sums.seconds.to_string(),
            Self::ViewsPerSession => share(sums.views, sums.sessions),
            Self::KeyEventRate => share(sums.half_key_events, 2 * sums.sessions),
        }
    }
}

/// A float as Google prints it: seventeen digits, an exponent for very small ones.
pub(super) fn seventeen_digits(value: f64) -> String {
    let text = format!("{value:.16e}");
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if value < 0.0 { "-" } else { "" };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return "0".to_owned();
    }
    if exponent < -4 {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        return format!("{sign}{first}{point}{rest}e-{:02}", exponent.abs());
    }
    let place = exponent + 1;
    if place <= 0 {
        let zeroes = "0".repeat(place.unsigned_abs() as usize);
        return format!("{sign}0.{zeroes}{digits}");
    }
    let place = place as usize;
    if digits.len() <= place {
        return format!("{sign}{digits}{}", "0".repeat(place - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..place], &digits[place..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_have_seventeen_digits_and_read_back() {
        let cases = [
            (0.46170487743881444, "0.46170487743881444"),
            (51.253_264_323_326_74, "51.253264323326739"),
            (1.5e-5, "1.5e-05"),
            (0.0, "0"),
            (-0.25, "-0.25"),
            (1200.0, "1200"),
            (0.001, "0.001"),
        ];
        for (value, text) in cases {
            let written = seventeen_digits(value);
            assert_eq!(written.parse::<f64>().unwrap(), value, "{written}");
            if written.len() <= 17 || text.len() > 16 {
                assert_eq!(written, text);
            }
        }
    }

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = Dimension::ga4_names()
            .chain(Metric::ga4_names().map(|(name, _)| name))
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
