//! The listings of clicks and conversions: parameters, windows and filters.

use jiff::{civil, tz::TimeZone};

use super::answer::{PageRequest, Refusal};
use super::parameters::Parameters;
use crate::calendar::{self, Span};

/// Which event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventStream {
    /// `/3.0/stats/clicks`.
    Clicks,
    /// `/3.0/stats/conversions`.
    Conversions,
}

impl EventStream {
    /// Collection key of the envelope, and name of the files of `--data`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Clicks => "clicks",
            Self::Conversions => "conversions",
        }
    }
}

/// Default and maximum page size. Where the sheet gives none or two, the larger seen in use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub default: u64,
    pub most: u64,
}

/// `/3.0/stats/clicks`: the maximum is not published; public scripts ask for 5,000.
pub(crate) const CLICK_LIMITS: Limits = Limits {
    default: 100,
    most: 5_000,
};
/// `/3.0/stats/conversions`: 500 in the description, 1,000 in the vendor's newer tool.
pub(crate) const CONVERSION_LIMITS: Limits = Limits {
    default: 100,
    most: 1_000,
};

/// Reads page and page size; a larger size is clamped and the answer says so.
pub(crate) fn page_request(
    parameters: &Parameters,
    limits: Limits,
) -> Result<PageRequest, Refusal> {
    let page = parameters.positive("page")?.unwrap_or(1);
    let per_page = parameters
        .positive("limit")?
        .unwrap_or(limits.default)
        .min(limits.most);
    Ok(PageRequest { page, per_page })
}

/// What a request for events selects.
#[derive(Debug, Clone)]
pub(crate) struct EventQuery {
    /// Time of creation.
    pub created: Span,
    /// Time of the last change; conversions only.
    pub updated: Option<Span>,
    /// Zone in which the answer is written.
    pub zone: TimeZone,
    /// `offer[]`.
    pub offers: Vec<u64>,
    /// `partner[]`.
    pub affiliates: Vec<u64>,
    /// `advertiser[]` or `advertisers[]`.
    pub advertisers: Vec<String>,
    /// `country[]`.
    pub countries: Vec<String>,
    /// `status[]`; conversions only.
    pub statuses: Vec<u64>,
    /// Fields of the row that must have one of some texts.
    pub fields: Vec<(&'static str, Vec<String>)>,
}

impl EventQuery {
    /// Whether the time of creation alone decides.
    pub(crate) fn is_plain(&self) -> bool {
        self.updated.is_none()
            && self.offers.is_empty()
            && self.affiliates.is_empty()
            && self.advertisers.is_empty()
            && self.countries.is_empty()
            && self.statuses.is_empty()
            && self.fields.is_empty()
    }
}

const COMMON: &[&str] = &[
    "date_from",
    "date_to",
    "hour",
    "offer",
    "partner",
    "country",
    "timezone",
    "page",
    "limit",
];

const UPDATE: &[&str] = &[
    "update_from_date",
    "update_from_hour",
    "update_to_date",
    "update_to_hour",
];

/// Parameters of conversions that compare a field of the row: parameter, field.
const FIELDS: &[(&str, &str)] = &[
    ("browser", "browser"),
    ("os", "os"),
    ("device", "device"),
    ("goal", "goal_value"),
    ("action_id", "action_id"),
    ("clickid", "clickid"),
    ("subid1", "sub1"),
    ("subid2", "sub2"),
    ("subid3", "sub3"),
    ("subid4", "sub4"),
    ("subid5", "sub5"),
    ("custom_field_1", "custom_field_1"),
    ("payment_status", "payment_status"),
    ("decline_reason", "decline_reason"),
    ("comment", "comment"),
];

/// Reads the parameters of `/3.0/stats/clicks`; dates and hours are those of `zone`.
pub(crate) fn click_query(
    parameters: &Parameters,
    today: civil::Date,
    zone: TimeZone,
) -> Result<EventQuery, Refusal> {
    parameters.allow(&[COMMON, &["advertisers"]])?;
    for name in ["date_from", "date_to"] {
        if parameters.one(name).is_none() {
            return Err(Refusal::bad(format!("Parameter '{name}' is required")));
        }
    }
    let created = created_span(parameters, today, &zone, MOST_DAYS)?;
    event_query(parameters, created, zone, "advertisers")
}

/// Reads the parameters of `/3.0/stats/conversions`; dates and hours are those of `zone`.
pub(crate) fn conversion_query(
    parameters: &Parameters,
    today: civil::Date,
    zone: TimeZone,
) -> Result<EventQuery, Refusal> {
    let fields: Vec<&str> = FIELDS.iter().map(|(parameter, _)| *parameter).collect();
    parameters.allow(&[
        COMMON,
        UPDATE,
        &fields,
        &["advertiser", "status", "raw_export"],
    ])?;
    let updated = updated_span(parameters, &zone)?;
    let raw = parameters.one("raw_export") == Some("1");
    let dated = parameters
        .one("date_from")
        .or(parameters.one("date_to"))
        .is_some();
    let created = if updated.is_some() && !dated {
        // Otherwise the changes of older conversions could never be asked for.
        Span::ALL
    } else {
        created_span(
            parameters,
            today,
            &zone,
            if raw { MOST_RAW_DAYS } else { MOST_DAYS },
        )?
    };
    let mut query = event_query(parameters, created, zone, "advertiser")?;
    query.updated = updated;
    query.statuses = parameters.numbers("status")?;
    for (parameter, field) in FIELDS {
        let wanted = parameters.many(parameter);
        if !wanted.is_empty() {
            query
                .fields
                .push((field, wanted.into_iter().map(str::to_owned).collect()));
        }
    }
    Ok(query)
}

/// Whether the request uses the filter that only admin keys may use.
pub(crate) fn asks_for_updates(parameters: &Parameters) -> bool {
    UPDATE.iter().any(|name| parameters.one(name).is_some())
}

fn event_query(
    parameters: &Parameters,
    created: Span,
    zone: TimeZone,
    advertiser: &str,
) -> Result<EventQuery, Refusal> {
    let texts = |name| {
        parameters
            .many(name)
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    Ok(EventQuery {
        created,
        updated: None,
        zone,
        offers: parameters.numbers("offer")?,
        affiliates: parameters.numbers("partner")?,
        advertisers: texts(advertiser),
        countries: texts("country"),
        statuses: Vec::new(),
        fields: Vec::new(),
    })
}

/// Longest range, and longest range with `raw_export`.
const MOST_DAYS: i32 = 365;
const MOST_RAW_DAYS: i32 = 63;

/// `date_from` to `date_to`, by default the last seven days up to today; or one hour of one day.
fn created_span(
    parameters: &Parameters,
    today: civil::Date,
    zone: &TimeZone,
    most_days: i32,
) -> Result<Span, Refusal> {
    let to = parameters.date("date_to")?.unwrap_or(today);
    let from = parameters
        .date("date_from")?
        .unwrap_or_else(|| calendar::shift(to, -6));
    if from > to {
        return Err(Refusal::bad(
            "Parameter 'date_from' must not be after 'date_to'".to_owned(),
        ));
    }
    let days = (to - from).get_days() + 1;
    if days > most_days {
        return Err(Refusal::ServerError);
    }
    match parameters.hour("hour")? {
        None => Ok(Span::days(from, to, zone)),
        Some(hour) if from == to => Ok(Span::hour(from, hour, zone)),
        Some(_) => Err(Refusal::bad(
            "Parameter 'hour' is allowed only for a range of one day".to_owned(),
        )),
    }
}

/// The update filter. Hours need both dates; without hours the dates count from their first to
/// their last second.
fn updated_span(parameters: &Parameters, zone: &TimeZone) -> Result<Option<Span>, Refusal> {
    let from = parameters.date("update_from_date")?;
    let to = parameters.date("update_to_date")?;
    let from_hour = parameters.hour("update_from_hour")?;
    let to_hour = parameters.hour("update_to_hour")?;
    if (from_hour.is_some() || to_hour.is_some()) && (from.is_none() || to.is_none()) {
        let message = "Update hours are allowed only with 'update_from_date' and 'update_to_date'";
        return Err(Refusal::bad(message.to_owned()));
    }
    if from.is_none() && to.is_none() {
        return Ok(None);
    }
    let start = from.map(|day| Span::hour(day, from_hour.unwrap_or(0), zone).start);
    let end = to.map(|day| calendar::hour_end(day, to_hour.unwrap_or(23), zone));
    let span = Span {
        start: start.unwrap_or(i64::MIN),
        end: end.unwrap_or(i64::MAX),
    };
    if span.start >= span.end {
        return Err(Refusal::bad(
            "The update range ends before it starts".to_owned(),
        ));
    }
    Ok(Some(span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::read_stamp;
    use jiff::civil::date;

    fn conversions(query: &str) -> Result<EventQuery, Refusal> {
        let parameters = Parameters::parse(query).unwrap();
        let zone = parameters.zone().unwrap();
        conversion_query(&parameters, date(2026, 1, 31), zone)
    }

    fn span(from: &str, end: &str) -> Span {
        Span {
            start: read_stamp(from).unwrap(),
            end: read_stamp(end).unwrap(),
        }
    }

    #[test]
    fn the_default_range_is_the_last_seven_days() {
        assert_eq!(
            conversions("").unwrap().created,
            span("2026-01-25", "2026-02-01")
        );
    }

    #[test]
    fn hours_are_for_one_day_and_follow_the_zone() {
        let query = conversions("date_from=2026-01-06&date_to=2026-01-06&hour=5").unwrap();
        assert_eq!(
            query.created,
            span("2026-01-06 05:00:00", "2026-01-06 06:00:00")
        );
        let query =
            conversions("date_from=2026-01-06&date_to=2026-01-06&hour=0&timezone=Asia/Kolkata");
        assert_eq!(
            query.unwrap().created,
            span("2026-01-05 18:30:00", "2026-01-05 19:30:00")
        );
        let refusal = conversions("date_from=2026-01-05&date_to=2026-01-06&hour=5").unwrap_err();
        assert_eq!(refusal.status(), 400);
    }

    #[test]
    fn update_hours_include_their_last_second_and_need_both_dates() {
        let query = conversions(
            "update_from_date=2026-01-05&update_from_hour=22&update_to_date=2026-01-06&update_to_hour=1",
        );
        let query = query.unwrap();
        assert_eq!(
            query.updated,
            Some(span("2026-01-05 22:00:00", "2026-01-06 02:00:00"))
        );
        assert_eq!(query.created, Span::ALL);
        let dates = conversions("update_from_date=2026-01-05&update_to_date=2026-01-06").unwrap();
        assert_eq!(dates.updated, Some(span("2026-01-05", "2026-01-07")));
        assert_eq!(
            conversions("update_from_date=2026-01-05&update_from_hour=2")
                .unwrap_err()
                .status(),
            400
        );
    }

    #[test]
    fn ranges_over_a_year_break_the_server() {
        assert_eq!(
            conversions("date_from=2025-01-01&date_to=2026-01-01").unwrap_err(),
            Refusal::ServerError
        );
        assert!(conversions("date_from=2025-01-02&date_to=2026-01-01").is_ok());
        let raw = conversions("date_from=2025-01-02&date_to=2025-03-06&raw_export=1");
        assert_eq!(raw.unwrap_err(), Refusal::ServerError);
    }

    #[test]
    fn clicks_demand_their_dates() {
        let parse = |query| {
            click_query(
                &Parameters::parse(query).unwrap(),
                date(2026, 1, 31),
                TimeZone::UTC,
            )
        };
        assert_eq!(parse("date_from=2026-01-31").unwrap_err().status(), 400);
        assert_eq!(parse("").unwrap_err().status(), 400);
        assert_eq!(
            parse("date_from=2026-01-31&date_to=2026-01-31&status[]=1")
                .unwrap_err()
                .status(),
            400
        );
        assert!(parse("date_from=2026-01-31&date_to=2026-01-31&advertisers[]=x").is_ok());
    }
}
