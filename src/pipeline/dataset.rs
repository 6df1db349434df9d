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
    /// All streams, dimensions first.
    pub const ALL: [Self; 5] = [
        Self::AffiseOffers,
        Self::AffiseAffiliates,
        Self::AffiseAdvertisers,
        Self::AffiseClicks,
        Self::AffiseConversions,
    ];

    /// `affise`.
    #[must_use]
    pub fn source(self) -> &'static str {
        "affise"
    }

    /// `clicks`, without the source.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::AffiseOffers => "offers",
            Self::AffiseAffiliates => "affiliates",
            Self::AffiseAdvertisers => "advertisers",
            Self::AffiseClicks => "clicks",
            Self::AffiseConversions => "conversions",
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
        matches!(self, Self::AffiseClicks | Self::AffiseConversions)
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
    /// Accepts `affise.clicks`; also `clicks` while only one source has it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|stream| stream.name() == text || stream.short() == text)
            .ok_or_else(|| UnknownStream {
                given: text.to_owned(),
                known: Self::ALL.map(Self::name).join(", "),
            })
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
}

impl SilverTable {
    /// All silver tables.
    pub const ALL: [Self; 8] = [
        Self::Offers,
        Self::OfferCaps,
        Self::OfferCapAffiliates,
        Self::OfferPayments,
        Self::Affiliates,
        Self::Advertisers,
        Self::Clicks,
        Self::Conversions,
    ];

    /// Folder name below `silver/affise/`.
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
        }
    }

    /// The name SQL knows it by: `affise_clicks`.
    #[must_use]
    pub fn sql_name(self) -> String {
        format!("affise_{}", self.short())
    }

    /// `silver/affise/clicks`.
    #[must_use]
    pub fn prefix(self) -> String {
        format!("silver/affise/{}", self.short())
    }

    /// Whether it has one folder `date=YYYY-MM-DD` an event day.
    #[must_use]
    pub fn by_event_day(self) -> bool {
        matches!(self, Self::Clicks | Self::Conversions)
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
}

impl GoldTable {
    /// All gold tables.
    pub const ALL: [Self; 1] = [Self::DailyReportSub5];

    /// `daily_report_sub5`.
    #[must_use]
    pub fn name(self) -> &'static str {
        "daily_report_sub5"
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
