//! The silver contract: every table's columns, where each comes from in the wire JSON, and its type.
//!
//! This is the one place that says what silver looks like. The decoder is compiled from it, the Parquet
//! schema is made from it, and the SQL of gold is written against it. Facts about the fields are from the
//! fact sheet of the sources (section 1.4); the names of clicks and conversions follow the flat columns
//! of the peer benchmark where both have them.
//!
//! Choices worth knowing:
//! - Object levels are joined by a double underscore: `offer.id` is `offer__id`, beside the source's own `offer_id`.
//! - The money trap: silver always says `income` (advertiser pays), `payouts` (affiliate gets) and `earnings`
//!   (network keeps). On the wire a conversion calls the first `revenue`; an offer payment calls the
//!   first `total` and the second `revenue`.
//! - Money is `DECIMAL(38,18)`: every amount the source can print from a float of 0.1 or more fits without a
//!   change (12.4300000001, 2.8900000000000006), sums keep twenty digits before the point. What is finer (float
//!   noise like 5.551115123125783e-17) is rounded half away from zero, its exact text kept in `_extra` and counted.
//! - Time stamps are `TIMESTAMP(6)` without a zone and always UTC, so that `CAST(created_at AS DATE)` is the UTC day
//!   in every engine. The partition `date` is the day in the profile's time zone.
//! - Lists and maps that stay whole are JSON text. An empty map is `{}` also where the source wrote `[]`.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::dataset::SilverTable;

/// Goes up whenever a column is added, renamed or changes its type; stored in every Parquet file.
pub const CONTRACT_VERSION: u32 = 1;

/// Digits of a money column in all.
pub const MONEY_PRECISION: u8 = 38;
/// Digits of a money column after the point.
pub const MONEY_SCALE: i8 = 18;

/// Column of unknown fields: a JSON object of dotted path to value, null when the row had none.
pub const EXTRA: &str = "_extra";
/// Column of the load time: when the row's collection was received.
pub const COLLECTED_AT: &str = "_collected_at";
/// Column of the collection id the row came with.
pub const SOURCE: &str = "_source";

/// What a column holds and how drift is read into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text; null and empty stay apart. `false` is null, a number is its text.
    Text,
    /// Text whose empty string is null: `sub*`, `os`, `os_version`.
    TextOrNull,
    /// 64-bit integer; `"12"` is 12 and counted, 12.5 puts the row aside.
    Int,
    /// Decimal of [`MONEY_PRECISION`] and [`MONEY_SCALE`], read from the number's text.
    Money,
    /// Boolean; 0, 1 and their texts too.
    Flag,
    /// Instant in UTC, microseconds; `""` and the zero date are null.
    Instant,
    /// A list as JSON text.
    List,
    /// A map as JSON text; `[]` is `{}`.
    Map,
    /// Text of whatever came: `false` is the text `false`, a list its JSON text.
    Any,
    /// Of the object at its path, the members that no other column takes, as a JSON object.
    Rest,
}

impl Kind {
    /// The Arrow type of the column.
    #[must_use]
    pub fn data_type(self) -> DataType {
        match self {
            Self::Text | Self::TextOrNull | Self::List | Self::Map | Self::Any | Self::Rest => {
                DataType::Utf8
            }
            Self::Int => DataType::Int64,
            Self::Money => DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE),
            Self::Flag => DataType::Boolean,
            Self::Instant => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }
}

/// One column of a silver table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Name in silver.
    pub name: &'static str,
    /// Keys from the top of the wire object down to the value.
    pub path: &'static [&'static str],
    /// Type and drift rules.
    pub kind: Kind,
    /// A row without it is put aside.
    pub required: bool,
    /// Nearly every row has another value, so a dictionary would only cost.
    pub distinct: bool,
}

const fn column(name: &'static str, path: &'static [&'static str], kind: Kind) -> Column {
    Column {
        name,
        path,
        kind,
        required: false,
        distinct: false,
    }
}

const fn required(mut column: Column) -> Column {
    column.required = true;
    column
}

const fn distinct(mut column: Column) -> Column {
    column.distinct = true;
    column
}

/// A table of columns in the order of the Parquet file. `kind name` takes the value of the key `name`;
/// `kind name = a / b` takes it from the path `a.b`.
macro_rules! columns {
    (@path $name:ident) => { &[stringify!($name)] };
    (@path $name:ident $($part:ident)+) => { &[$(stringify!($part)),+] };
    (@make $name:ident, $kind:ident, [$($part:ident)*]) => {
        column(stringify!($name), columns!(@path $name $($part)*), Kind::$kind)
    };
    ($( $([$($mark:ident)+])? $kind:ident $name:ident $(= $first:ident $(/ $rest:ident)*)? ),* $(,)?) => {
        &[$( columns!(@marked [$($($mark)+)?] columns!(@make $name, $kind, [$($first $($rest)*)?])) ),*]
    };
    (@marked [] $column:expr) => { $column };
    (@marked [$mark:ident $($rest:ident)*] $column:expr) => { $mark(columns!(@marked [$($rest)*] $column)) };
}

pub mod marketo;
pub mod report;

/// A click, by event day. Key: `id`.
pub const CLICKS: &[Column] = columns![
    [required distinct] Text id,
    [required distinct] Instant created_at,
    [distinct] Text ip, Text ua, Text device, Text device_type, TextOrNull os, TextOrNull os_version, Text browser,
    Text browser_version, Text connection_type, Text country, Text country_name, Text city, Int city_id, Text isp_code,
    Text referrer, TextOrNull sub1, [distinct] TextOrNull sub2, TextOrNull sub3, TextOrNull sub4, TextOrNull sub5, TextOrNull sub6,
    TextOrNull sub7, TextOrNull sub8, Flag uniq, [distinct] Text cbid, Int partner_id,
    Int offer__id = offer / id,
    Text offer__title = offer / title,
    Text offer__offer_id = offer / offer_id,
    Text offer__url = offer / url,
    Text offer__external_id = offer / external_id,
    Int partner__id = partner / id,
    Text partner__title = partner / title,
    Text partner__email = partner / email,
    Text partner__login = partner / login,
    Text partner__name = partner / name,
    Text partner__manager_id = partner / manager_id,
    Text partner__manager__id = partner / manager / id,
    Text partner__manager__title = partner / manager / title,
    Text partner__manager__first_name = partner / manager / first_name,
    Text partner__manager__last_name = partner / manager / last_name,
    [distinct] Text click_id, Flag has_conversions, [distinct] Text conversion_id, Text region_id, Text region_name, Int isp,
    Text device_model, Text device_fullname, Text os_fullname, Text os_id, Text browser_fullname, Text ext1, Text ext2,
    Text ext3, Text supplier_manager_id, Int landing__id = landing / id, Text landing__url = landing / url,
    Text landing__title = landing / title, Int prelanding__id = prelanding / id, Text prelanding__url = prelanding / url,
    Text prelanding__title = prelanding / title, Text smart_id, Text ref_id, Text user_id, Text unid, Text idfa,
];

/// A conversion, newest version, by event day. Key: `id`.
pub const CONVERSIONS: &[Column] = columns![
    [required distinct] Text id,
    [distinct] Text action_id, Text status, [distinct] Text conversion_id, [distinct] Text clickid, Text currency,
    [required distinct] Instant created_at,
    [distinct] Instant updated_at, [distinct] Instant click_time,
    [distinct] Text ip, Text ua, Text device, Text device_type, TextOrNull os, TextOrNull os_version, Text browser,
    Text browser_version, Text connection_type, Text country, Text country_name, Text city, Int city_id, Text isp_code,
    Int offer_id, Text goal, Text goal_value, TextOrNull sub1, [distinct] TextOrNull sub2, TextOrNull sub3, TextOrNull sub4,
    TextOrNull sub5, TextOrNull sub6, TextOrNull sub7, TextOrNull sub8, Text comment, Int partner_id, Text supplier_id,
    Money sum, Money income = revenue, Money payouts, Money earnings, Text payment_type, Text payment_status, Text is_paid,
    Int offer__id = offer / id,
    Text offer__title = offer / title,
    Text offer__offer_id = offer / offer_id,
    Text offer__url = offer / url,
    Text offer__external_id = offer / external_id,
    List offer__payments = offer / payments,
    List offer__caps = offer / caps,
    Int partner__id = partner / id,
    Text partner__title = partner / title,
    Text partner__email = partner / email,
    Text partner__login = partner / login,
    Text partner__name = partner / name,
    Text partner__manager_id = partner / manager_id,
    Text partner__manager__id = partner / manager / id,
    Text partner__manager__title = partner / manager / title,
    Text partner__manager__first_name = partner / manager / first_name,
    Text partner__manager__last_name = partner / manager / last_name,
    Text advertiser__id = advertiser / id,
    Text advertiser__title = advertiser / title,
    [distinct] Text click_id, [distinct] Text cbid, Text currency_id, Money price, Instant hold_date_expire, Text district, Text referrer,
    Text custom_field_1, Text custom_field_2, Text custom_field_3, Text custom_field_4, Text custom_field_5,
    Text custom_field_6, Text custom_field_7, Text custom_field_8, Text custom_field_9, Text custom_field_10,
    Text custom_field_11, Text custom_field_12, Text custom_field_13, Text custom_field_14, Text custom_field_15,
    Text decline_reason, Text fraud_risk_level, List fraud_type, Text landing_id, Text prelanding_id, Text ref_id,
    Text ios_idfa, Text android_id, Text forensiq,
];

/// An offer. Key: `id`. Payments and caps are whole here and, one row each, tables of their own, which are
/// made from the merged offers and so always agree with them.
pub const OFFERS: &[Column] = columns![
    [required] Int id,
    Text offer_id, Text external_offer_id, Text external_id, Text bundle_id, Text title, Text advertiser, Text status, Text privacy,
    List tags, Flag is_top, Flag is_cpi, Text url, Text url_preview, Text preview_url, Text macro_url, Text trafficback_url,
    Text cross_postback_url, Text parallel_tracking_url, Text domain_url, Text impressions_url, Flag use_http, Flag use_https,
    Text redirect_type, Map description_lang, Map kpi, Text notes, Text logo, Text logo_source, List categories,
    List full_categories, List sources, List smartlink_categories, List countries, List commission_tiers,
    Flag enabled_commission_tiers, Flag hide_payments, List caps_status, Text caps_timezone, Text caps_goal_overcap,
    Int notice_percent_overcap, Flag is_redirect_overcap, Int hold_period, Text hold_type, List targeting, Flag strictly_country,
    Map strictly_os, List strictly_devices, List strictly_brands, Map strictly_isp, Text strictly_connection_type,
    List restriction_isp, Text allowed_ip, Text disallowed_ip, Map sub_restrictions, Map sub_accounts, List landings,
    List creatives, Text creatives_zip, List payments, List partner_payments, List caps, Money cr, Money epc, Money affiliate_epc, Flag required_approval, Flag auto_offer_connect,
    Flag allow_deeplink, Flag hide_referer, Flag allow_impressions, Flag uniq_ip_only, Flag reject_not_uniq_ip,
    Text click_session, Text minimal_click_session, Flag search_empty_sub, Instant start_at, Instant stop_at, Instant created_at,
    Instant updated_at, Text schedule,
];

/// A cap of an offer. Key: `offer_id`, `position`. A cap has no id and no time stamp of its own.
pub const OFFER_CAPS: &[Column] = columns![
    [required] Int offer_id, [required] Int position,
    Text period, Text type, Money value, Money current_value, Text goal_type, Map goals, Text affiliate_type,
    List affiliates, Text country_type, List country, Text sub_number, Text sub_value,
];

/// An affiliate that a cap names. Key: `offer_id`, `cap_position`, `affiliate_id`.
pub const OFFER_CAP_AFFILIATES: &[Column] = columns![
    [required] Int offer_id, [required] Int cap_position, [required] Int affiliate_id,
];

/// A payment of an offer. Key: `offer_id`, `list` (`payments` or `partner_payments`), `position`.
pub const OFFER_PAYMENTS: &[Column] = columns![
    [required] Int offer_id, [required] Text list, [required] Int position,
    Text id, Text goal, Money income = total, Money payouts = revenue, Text currency, Text type, Text title, Text url, List countries,
    Flag country_exclude, List cities, List devices, List os, Flag with_regions, List partners,
    List sub1, List sub2, List sub3, List sub4, List sub5, List sub6, List sub7, List sub8,
];

/// An affiliate (partner). Key: `id`.
pub const AFFILIATES: &[Column] = columns![
    [required] Int id,
    Text login, Text title, Text email, Text name, Text contact_person = contactPerson, Text status, Int level, Instant created_at,
    Instant updated_at, Text ref, Text ref_percent, Text notes, List tags, Text lang, Text manager_id,
    Text manager__id = manager / id,
    Text manager__title = manager / title,
    Text manager__first_name = manager / first_name,
    Text manager__last_name = manager / last_name,
    Text manager__email = manager / email,
    Text manager__skype = manager / skype,
    Text manager__work_hours = manager / work_hours,
    Text manager__type = manager / type,
    List manager__roles = manager / roles,
    Instant manager__created_at = manager / created_at,
    Instant manager__updated_at = manager / updated_at,
    Text manager__last_login_at = manager / last_login_at,
    Text manager__avatar = manager / avatar,
    Map balance, Int offers_count = offersCount, List payment_systems, List custom_fields = customFields, Map sub_accounts,
    Text phone, Text country, Text city, Text zip_code, Text address_1, Text address_2,
];

/// An advertiser (supplier). Key: `id`. `manager` is an id in the wire's listing; `manager_obj` the object.
pub const ADVERTISERS: &[Column] = columns![
    [required] Text id,
    Text title, Text contact, Text email, Text url,
    Text manager__id = manager / id,
    Text manager__title = manager / title,
    Text manager__first_name = manager / first_name,
    Text manager__last_name = manager / last_name,
    Text manager_obj__id = manager_obj / id,
    Text manager_obj__title = manager_obj / title,
    Text manager_obj__first_name = manager_obj / first_name,
    Text manager_obj__last_name = manager_obj / last_name,
    Text manager_obj__email = manager_obj / email,
    Text manager_obj__skype = manager_obj / skype,
    Text manager_obj__work_hours = manager_obj / work_hours,
    Text manager_obj__type = manager_obj / type,
    List manager_obj__roles = manager_obj / roles,
    Text skype, Text note, List allowed_ip, List disallowed_ip, Int offers, Flag has_user, List tags, Text vat_code,
    Map sub_accounts, Instant created_at, Instant updated_at, List affiliates_enabled, List affiliates_disabled,
    Text phone, Text country, Text city, Text zip_code, Text address_1, Text address_2,
];

/// The column that tells the rows of a table apart: of two rows with the same value the newer one stays.
#[must_use]
pub fn key(table: SilverTable) -> &'static str {
    match table {
        SilverTable::MarketoLeads | SilverTable::MarketoGoneLeads => "lead_id",
        SilverTable::MarketoActivities => "marketo_guid",
        _ => "id",
    }
}

/// The time stamp whose day is the partition; `None` for a table without days.
#[must_use]
pub fn day_column(table: SilverTable) -> Option<&'static str> {
    match table {
        SilverTable::MarketoActivities => Some("activity_date"),
        SilverTable::Ga4(_) | SilverTable::Ga3(_) => Some(report::DAY),
        _ => table.by_event_day().then_some("created_at"),
    }
}

/// Version of a table's contract: goes up whenever one of its columns is added, renamed or changes its
/// type; stored in every Parquet file.
#[must_use]
pub fn version(table: SilverTable) -> u32 {
    match table {
        SilverTable::MarketoLeads
        | SilverTable::MarketoActivities
        | SilverTable::MarketoGoneLeads
        | SilverTable::GaDayQuality => 1,
        _ => CONTRACT_VERSION,
    }
}

/// The columns of a table, in file order, without the three of every table.
#[must_use]
pub fn columns(table: SilverTable) -> &'static [Column] {
    match table {
        SilverTable::Offers => OFFERS,
        SilverTable::OfferCaps => OFFER_CAPS,
        SilverTable::OfferCapAffiliates => OFFER_CAP_AFFILIATES,
        SilverTable::OfferPayments => OFFER_PAYMENTS,
        SilverTable::Affiliates => AFFILIATES,
        SilverTable::Advertisers => ADVERTISERS,
        SilverTable::Clicks => CLICKS,
        SilverTable::Conversions => CONVERSIONS,
        SilverTable::MarketoLeads => marketo::LEADS,
        SilverTable::MarketoActivities => marketo::ACTIVITIES,
        SilverTable::MarketoGoneLeads => marketo::GONE_LEADS,
        SilverTable::GaDayQuality => report::DAY_QUALITY,
        // They follow from configuration: see [`report`].
        SilverTable::Ga4(_) | SilverTable::Ga3(_) => &[],
    }
}

/// The Arrow schema of a table's files: its columns, then [`EXTRA`], [`COLLECTED_AT`] and [`SOURCE`].
#[must_use]
pub fn schema(table: SilverTable) -> SchemaRef {
    schema_of(columns(table))
}

/// The Arrow schema of files with these columns.
#[must_use]
pub fn schema_of(columns: &[Column]) -> SchemaRef {
    let own = columns
        .iter()
        .map(|column| Field::new(column.name, column.kind.data_type(), !column.required));
    let every = [
        Field::new(EXTRA, DataType::Utf8, true),
        Field::new(COLLECTED_AT, Kind::Instant.data_type(), false),
        Field::new(SOURCE, DataType::Utf8, false),
    ];
    Arc::new(Schema::new(own.chain(every).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_and_paths_are_unique_and_names_follow_paths() {
        for table in SilverTable::ALL {
            let columns = columns(table);
            let names: HashSet<_> = columns.iter().map(|column| column.name).collect();
            let paths: HashSet<_> = columns.iter().map(|column| column.path).collect();
            assert_eq!(names.len(), columns.len(), "{table:?}");
            assert_eq!(paths.len(), columns.len(), "{table:?}");
            let marketo = table.source() == "marketo";
            for column in columns
                .iter()
                .filter(|column| column.path.len() > 1 && !marketo)
            {
                assert_eq!(column.name, column.path.join("__"), "{table:?}");
            }
        }
    }

    #[test]
    fn every_table_has_its_key_and_its_day() {
        for table in SilverTable::ALL
            .into_iter()
            .filter(|table| !columns(*table).is_empty())
        {
            let find = |name| columns(table).iter().find(|column| column.name == name);
            // Tables below offers have a key of several columns and are made anew, never merged.
            if !table.short().starts_with("offer_") {
                assert!(find(key(table)).unwrap().required, "{table:?}");
            }
            if let Some(day) = day_column(table) {
                let day = find(day).unwrap();
                assert!(day.required && day.kind == Kind::Instant, "{table:?}");
            }
            assert!(version(table) > 0);
        }
    }

    #[test]
    fn names_of_attributes_follow_what_marketo_shows() {
        for column in marketo::ACTIVITIES
            .iter()
            .filter(|column| column.path.len() == 2)
        {
            let shown = column.path[1].to_lowercase().replace(' ', "_");
            assert_eq!(column.name, shown);
        }
    }

    #[test]
    fn every_flat_column_of_the_peers_is_there() {
        let peers = "id created_at ip ua device device_type os os_version browser browser_version connection_type country \
            country_name city city_id isp_code referrer sub1 sub8 uniq cbid partner_id offer__id offer__external_id \
            partner__manager_id partner__manager__id partner__manager__title";
        for name in peers.split_whitespace() {
            assert!(CLICKS.iter().any(|column| column.name == name), "{name}");
        }
        let income = CONVERSIONS
            .iter()
            .find(|column| column.name == "income")
            .unwrap();
        assert_eq!(income.path, ["revenue"]);
    }
}
