//! Every dataset by name: its layer, where its files lie, how it is partitioned, what its key is.
//!
//! Layout (design, section 4):
//!
//! ```text
//! raw  bronze/<source>/<stream>/date=YYYY-MM-DD/<collection id>-<page>.ndjson.zst + _manifest.json
//! std  silver/<source>/<stream>/date=YYYY-MM-DD/part-0.parquet     dimensions: no date partition
//!      gold/<table>/            reports/<report>/            _state/
//! ```

use std::{fmt, str::FromStr};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

mod report_name;

pub use report_name::{BadReportName, ReportName};

/// One listing of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Stream {
    /// Affise offers, a dimension.
    AffiseOffers,
    /// Affise affiliates (partners), a dimension.
    AffiseAffiliates,
    /// Affise advertisers (suppliers), a dimension.
    AffiseAdvertisers,
    /// Affise clicks, by event day.
    AffiseClicks,
    /// Affise conversions, by event day; a conversion changes for weeks.
    AffiseConversions,
    /// Marketo leads, a dimension: the newest state of each.
    MarketoLeads,
    /// Marketo activities, by event day; they arrive late and never change.
    MarketoActivities,
    /// A report of the GA4 Data API, by day of the property; a day is replaced until it is settled.
    Ga4(ReportName),
    /// A report of the GA3 Reporting API v4, by day of the view.
    Ga3(ReportName),
}

/// A name that no stream has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no stream '{given}'; known streams: {known}")]
pub struct UnknownStream {
    /// What was asked for.
    pub given: String,
    /// All names, comma-separated.
    pub known: String,
}

impl Stream {
    /// The streams of Affise, dimensions first: what every profile has. All of a profile's streams are
    /// [`streams`].
    pub const ALL: [Self; 5] = [
        Self::AffiseOffers,
        Self::AffiseAffiliates,
        Self::AffiseAdvertisers,
        Self::AffiseClicks,
        Self::AffiseConversions,
    ];

    /// The streams of Marketo, leads first.
    pub const MARKETO: [Self; 2] = [Self::MarketoLeads, Self::MarketoActivities];

    /// `affise`, `marketo`, `ga4`, `ga3`.
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            Self::AffiseOffers
            | Self::AffiseAffiliates
            | Self::AffiseAdvertisers
            | Self::AffiseClicks
            | Self::AffiseConversions => "affise",
            Self::MarketoLeads | Self::MarketoActivities => "marketo",
            Self::Ga4(_) => "ga4",
            Self::Ga3(_) => "ga3",
        }
    }

    /// `clicks`, without the source; a report's name for Google Analytics.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::AffiseOffers => "offers",
            Self::AffiseAffiliates => "affiliates",
            Self::AffiseAdvertisers => "advertisers",
            Self::AffiseClicks => "clicks",
            Self::AffiseConversions => "conversions",
            Self::MarketoLeads => "leads",
            Self::MarketoActivities => "activities",
            Self::Ga4(report) | Self::Ga3(report) => report.as_str(),
        }
    }

    /// `affise.clicks`.
    #[must_use]
    pub fn name(self) -> String {
        format!("{}.{}", self.source(), self.short())
    }

    /// Whether rows carry an event day and silver is partitioned by it; a dimension is one snapshot.
    #[must_use]
    pub fn by_event_day(self) -> bool {
        self.silver().by_event_day()
    }

    /// Folder of the raw rows: `bronze/affise/clicks`.
    #[must_use]
    pub fn bronze_prefix(self) -> String {
        format!("bronze/{}/{}", self.source(), self.short())
    }

    /// Folder of one collection day's raw rows: `bronze/affise/clicks/date=2026-01-31`.
    #[must_use]
    pub fn bronze_day(self, day: Date) -> String {
        format!("{}/date={day}", self.bronze_prefix())
    }

    /// The silver table this stream becomes.
    #[must_use]
    pub fn silver(self) -> SilverTable {
        match self {
            Self::AffiseOffers => SilverTable::Offers,
            Self::AffiseAffiliates => SilverTable::Affiliates,
            Self::AffiseAdvertisers => SilverTable::Advertisers,
            Self::AffiseClicks => SilverTable::Clicks,
            Self::AffiseConversions => SilverTable::Conversions,
            Self::MarketoLeads => SilverTable::MarketoLeads,
            Self::MarketoActivities => SilverTable::MarketoActivities,
            Self::Ga4(report) => SilverTable::Ga4(report),
            Self::Ga3(report) => SilverTable::Ga3(report),
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.source(), self.short())
    }
}

impl From<Stream> for String {
    fn from(stream: Stream) -> Self {
        stream.name()
    }
}

impl FromStr for Stream {
    type Err = UnknownStream;
    /// Accepts `affise.clicks`, `marketo.leads`, `ga4.<report>`; of Affise also `clicks`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fixed = || Stream::ALL.into_iter().chain(Stream::MARKETO);
        let found = fixed().find(|stream| stream.name() == text);
        let short = || Self::ALL.into_iter().find(|stream| stream.short() == text);
        let report = || match text.split_once('.')? {
            ("ga4", report) => report.parse().ok().map(Self::Ga4),
            ("ga3", report) => report.parse().ok().map(Self::Ga3),
            _ => None,
        };
        let unknown = || UnknownStream {
            given: text.to_owned(),
            known: fixed()
                .map(Self::name)
                .chain(["ga4.<report>".to_owned(), "ga3.<report>".to_owned()])
                .collect::<Vec<_>>()
                .join(", "),
        };
        found.or_else(short).or_else(report).ok_or_else(unknown)
    }
}

impl TryFrom<String> for Stream {
    type Error = UnknownStream;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A typed table of silver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SilverTable {
    /// `affise_offers`: one row an offer.
    Offers,
    /// `affise_offer_caps`: one row a cap of an offer.
    OfferCaps,
    /// `affise_offer_cap_affiliates`: one row an affiliate a cap names.
    OfferCapAffiliates,
    /// `affise_offer_payments`: one row a payment of an offer.
    OfferPayments,
    /// `affise_affiliates`: one row an affiliate.
    Affiliates,
    /// `affise_advertisers`: one row an advertiser.
    Advertisers,
    /// `affise_clicks`: one row a click, partitioned by event day.
    Clicks,
    /// `affise_conversions`: newest version of a conversion, partitioned by event day.
    Conversions,
    /// `marketo_leads`: newest state of a lead.
    MarketoLeads,
    /// `marketo_activities`: one row an activity, partitioned by event day.
    MarketoActivities,
    /// `marketo_gone_leads`: one row a lead that was merged into another one, or deleted.
    MarketoGoneLeads,
    /// `ga_<report>`: rows of a GA4 report, partitioned by the property's day.
    Ga4(ReportName),
    /// `ga3_<report>`: rows of a GA3 report, partitioned by the view's day.
    Ga3(ReportName),
    /// `ga_day_quality`: what Google said of each day of each report: `(other)`, sampling, thresholding.
    GaDayQuality,
}

impl SilverTable {
    /// The tables that every lake has, whatever is configured.
    pub const ALL: [Self; 12] = [
        Self::Offers,
        Self::OfferCaps,
        Self::OfferCapAffiliates,
        Self::OfferPayments,
        Self::Affiliates,
        Self::Advertisers,
        Self::Clicks,
        Self::Conversions,
        Self::MarketoLeads,
        Self::MarketoActivities,
        Self::MarketoGoneLeads,
        Self::GaDayQuality,
    ];

    /// `affise`, `marketo`, `ga4`, `ga3`, `ga`: the folder of the source below `silver/`.
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            Self::MarketoLeads | Self::MarketoActivities | Self::MarketoGoneLeads => "marketo",
            Self::Ga4(_) => "ga4",
            Self::Ga3(_) => "ga3",
            Self::GaDayQuality => "ga",
            _ => "affise",
        }
    }

    /// Folder name below `silver/<source>/`.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::Offers => "offers",
            Self::OfferCaps => "offer_caps",
            Self::OfferCapAffiliates => "offer_cap_affiliates",
            Self::OfferPayments => "offer_payments",
            Self::Affiliates => "affiliates",
            Self::Advertisers => "advertisers",
            Self::Clicks => "clicks",
            Self::Conversions => "conversions",
            Self::MarketoLeads => "leads",
            Self::MarketoActivities => "activities",
            Self::MarketoGoneLeads => "gone_leads",
            Self::Ga4(report) | Self::Ga3(report) => report.as_str(),
            Self::GaDayQuality => "day_quality",
        }
    }

    /// The name SQL knows it by: `affise_clicks`, `marketo_leads`, `ga_<report>`.
    #[must_use]
    pub fn sql_name(self) -> String {
        // What Google counts today is simply `ga`; GA3 is an archive.
        Self::name_of_folder(self.source(), self.short())
    }

    /// The table SQL knows by that name. Of Google Analytics any well-formed name is one: whether there is
    /// such a report the lake knows.
    #[must_use]
    pub fn from_sql_name(name: &str) -> Option<Self> {
        let fixed = Self::ALL.into_iter().find(|table| table.sql_name() == name);
        let ga4 = || name.strip_prefix("ga_")?.parse().ok().map(Self::Ga4);
        let ga3 = || name.strip_prefix("ga3_")?.parse().ok().map(Self::Ga3);
        fixed.or_else(ga4).or_else(ga3)
    }

    /// The name SQL knows a folder of silver by: `ga_<report>` for `silver/ga4/<report>`, else both parts joined.
    #[must_use]
    pub fn name_of_folder(source: &str, table: &str) -> String {
        match source {
            "ga4" => format!("ga_{table}"),
            _ => format!("{source}_{table}"),
        }
    }

    /// `silver/affise/clicks`.
    #[must_use]
    pub fn prefix(self) -> String {
        format!("silver/{}/{}", self.source(), self.short())
    }

    /// Whether it has one folder `date=YYYY-MM-DD` an event day.
    #[must_use]
    pub fn by_event_day(self) -> bool {
        matches!(
            self,
            Self::Clicks
                | Self::Conversions
                | Self::MarketoActivities
                | Self::Ga4(_)
                | Self::Ga3(_)
        )
    }

    /// Key of the one file of a partition (an event day), or of the whole table (`day` is `None`).
    #[must_use]
    pub fn part_key(self, day: Option<Date>) -> String {
        match day {
            Some(day) => format!("{}/date={day}/part-0.parquet", self.prefix()),
            None => format!("{}/part-0.parquet", self.prefix()),
        }
    }
}

/// A gold table, by the folder of its SQL in `assets/sql/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GoldTable {
    /// Clicks and conversions of a window by the fifteen report dimensions.
    DailyReportSub5,
    /// Google Analytics and Marketo by day, business unit, source, medium and campaign.
    MarketingDatamart,
}

impl GoldTable {
    /// All gold tables.
    pub const ALL: [Self; 2] = [Self::DailyReportSub5, Self::MarketingDatamart];

    /// `daily_report_sub5`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DailyReportSub5 => "daily_report_sub5",
            Self::MarketingDatamart => "marketing_datamart",
        }
    }

    /// The silver tables whose own checks say whether it can be trusted: those it is made from, and what Google
    /// said of its days.
    #[must_use]
    pub fn reads(self) -> &'static [&'static str] {
        match self {
            Self::DailyReportSub5 => &["affise_clicks", "affise_conversions"],
            Self::MarketingDatamart => &["marketo_leads", "marketo_activities", "ga_day_quality"],
        }
    }

    /// `gold/daily_report_sub5`.
    #[must_use]
    pub fn prefix(self) -> String {
        format!("gold/{}", self.name())
    }
}

impl FromStr for GoldTable {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|table| table.name() == text)
            .ok_or_else(|| {
                format!(
                    "there is no gold table '{text}'; known tables: {}",
                    Self::ALL.map(Self::name).join(", ")
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_streams_and_tables() {
        let report: ReportName = "traffic_sources".parse().unwrap();
        let some = [Stream::Ga4(report), Stream::Ga3(report)];
        for stream in Stream::ALL.into_iter().chain(Stream::MARKETO).chain(some) {
            assert_eq!(stream.name().parse(), Ok(stream));
            let table = stream.silver();
            assert_eq!(SilverTable::from_sql_name(&table.sql_name()), Some(table));
        }
        assert_eq!("clicks".parse(), Ok(Stream::AffiseClicks));
        assert_eq!(some[0].silver().sql_name(), "ga_traffic_sources");
        assert_eq!(some[1].silver().sql_name(), "ga3_traffic_sources");
        for bad in ["leads", "ga4.", "ga4.Traffic", "ga5.x", "ga4.a/b", ""] {
            assert!(bad.parse::<Stream>().is_err(), "{bad}");
        }
        assert_eq!(
            SilverTable::from_sql_name("ga_day_quality"),
            Some(SilverTable::GaDayQuality)
        );
        assert_eq!(SilverTable::from_sql_name("daily_report_sub5"), None);
    }
}
