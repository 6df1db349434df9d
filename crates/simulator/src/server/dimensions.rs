//! The listings of offers, affiliates, advertisers and managers: parameters and filters.

use jiff::civil;

use super::answer::Refusal;
use super::events::Limits;
use super::parameters::Parameters;
use crate::calendar;
use crate::truth::{Advertiser, Affiliate, Offer, Stamp};

/// `/3.0/offers`: not published.
pub(crate) const OFFER_LIMITS: Limits = Limits {
    default: 100,
    most: 500,
};
/// `/3.0/admin/partners`.
pub(crate) const AFFILIATE_LIMITS: Limits = Limits {
    default: 50,
    most: 500,
};
/// `/3.0/admin/advertisers` and `/3.0/admin/users`.
pub(crate) const ADVERTISER_LIMITS: Limits = Limits {
    default: 100,
    most: 500,
};

/// Which dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DimensionStream {
    /// `/3.0/offers`.
    Offers,
    /// `/3.0/admin/partners`.
    Affiliates,
    /// `/3.0/admin/advertisers`.
    Advertisers,
}

impl DimensionStream {
    /// Collection key of the envelope.
    pub(crate) const fn collection(self) -> &'static str {
        match self {
            Self::Offers => "offers",
            Self::Affiliates => "partners",
            Self::Advertisers => "advertisers",
        }
    }

    /// Name of the files of `--data`.
    pub(crate) const fn file_name(self) -> &'static str {
        match self {
            Self::Offers => "offers",
            Self::Affiliates => "affiliates",
            Self::Advertisers => "advertisers",
        }
    }

    /// Page sizes.
    pub(crate) const fn limits(self) -> Limits {
        match self {
            Self::Offers => OFFER_LIMITS,
            Self::Affiliates => AFFILIATE_LIMITS,
            Self::Advertisers => ADVERTISER_LIMITS,
        }
    }
}

/// What a request for a dimension selects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DimensionQuery {
    /// Statuses; empty for all.
    pub statuses: Vec<String>,
    /// `privacy[]`; offers only.
    pub privacies: Vec<u64>,
    /// Identifiers as texts; empty for all.
    pub ids: Vec<String>,
    /// 24-digit offer identifiers; empty for all.
    pub offer_ids: Vec<String>,
    /// `advertiser[]`; offers only.
    pub advertisers: Vec<String>,
    /// Changed on this day or later; rows without a readable `updated_at` do not match.
    pub updated_from: Option<civil::Date>,
}

/// Reads the parameters of a dimension's listing.
pub(crate) fn dimension_query(
    stream: DimensionStream,
    parameters: &Parameters,
) -> Result<DimensionQuery, Refusal> {
    let texts = |name| {
        parameters
            .many(name)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let common: &[&str] = &["page", "limit", "updated_at"];
    let mut query = DimensionQuery {
        updated_from: parameters.date("updated_at")?,
        ..DimensionQuery::default()
    };
    match stream {
        DimensionStream::Offers => {
            parameters.allow(&[
                common,
                &["status", "privacy", "int_id", "ids", "advertiser"],
            ])?;
            query.statuses = texts("status");
            known(
                "status",
                &query.statuses,
                &["active", "stopped", "suspended"],
            )?;
            if query.statuses.is_empty() {
                query.statuses.push("active".to_owned());
            }
            query.privacies = parameters.numbers("privacy")?;
            query.ids = texts("int_id");
            query.offer_ids = texts("ids");
            query.advertisers = texts("advertiser");
        }
        DimensionStream::Affiliates => {
            parameters.allow(&[common, &["id", "status", "with_balance"]])?;
            query.statuses = texts("status");
            known(
                "status",
                &query.statuses,
                &["active", "banned", "on moderation", "not active"],
            )?;
            query.ids = texts("id");
        }
        DimensionStream::Advertisers => {
            parameters.allow(&[common, &["id"]])?;
            query.ids = texts("id");
        }
    }
    Ok(query)
}

fn known(name: &str, values: &[String], allowed: &[&str]) -> Result<(), Refusal> {
    match values
        .iter()
        .find(|value| !allowed.contains(&value.as_str()))
    {
        Some(value) => Err(Refusal::bad(format!(
            "Parameter '{name}' has the unknown value '{value}'"
        ))),
        None => Ok(()),
    }
}

impl DimensionQuery {
    /// Whether an offer is selected.
    pub(crate) fn offer(&self, offer: &Offer, advertiser: Option<&Advertiser>) -> bool {
        offer.listed
            && any(&self.statuses, offer.status.name())
            && (self.privacies.is_empty()
                || self.privacies.contains(&u64::from(offer.privacy.number())))
            && self.has_id(|| offer.id.to_string())
            && (self.offer_ids.is_empty() || any(&self.offer_ids, &offer.offer_id.to_string()))
            && (self.advertisers.is_empty()
                || advertiser.is_some_and(|own| any(&self.advertisers, &own.id.to_string())))
            && self.changed(offer.updated)
    }

    /// Whether an affiliate is selected.
    pub(crate) fn affiliate(&self, affiliate: &Affiliate) -> bool {
        affiliate.listed
            && any(&self.statuses, affiliate.status)
            && self.has_id(|| affiliate.id.to_string())
            && self.changed(affiliate.updated)
    }

    /// Whether an advertiser is selected.
    pub(crate) fn advertiser(&self, advertiser: &Advertiser) -> bool {
        self.has_id(|| advertiser.id.to_string()) && self.changed(advertiser.updated)
    }

    /// Whether an identifier is among those asked for.
    pub(crate) fn has_id(&self, id: impl FnOnce() -> String) -> bool {
        self.ids.is_empty() || any(&self.ids, &id())
    }

    /// Whether a time of change is late enough.
    pub(crate) fn changed(&self, updated: Stamp) -> bool {
        match (self.updated_from, updated) {
            (None, _) => true,
            (Some(day), Stamp::At(second)) => second >= calendar::day_start(day),
            (Some(_), _) => false,
        }
    }
}

/// Whether a list holds a text; an empty list holds every one.
pub(crate) fn any(list: &[String], text: &str) -> bool {
    list.is_empty() || list.iter().any(|item| item == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(stream: DimensionStream, text: &str) -> Result<DimensionQuery, Refusal> {
        dimension_query(stream, &Parameters::parse(text).unwrap())
    }

    #[test]
    fn offers_are_only_the_active_ones_unless_asked() {
        let plain = query(DimensionStream::Offers, "").unwrap();
        assert_eq!(plain.statuses, ["active"]);
        let all = query(
            DimensionStream::Offers,
            "status[]=active&status[]=stopped&status[]=suspended",
        );
        assert_eq!(all.unwrap().statuses.len(), 3);
        assert_eq!(
            query(DimensionStream::Offers, "status[]=gone")
                .unwrap_err()
                .status(),
            400
        );
    }

    #[test]
    fn unknown_parameters_are_refused() {
        for stream in [
            DimensionStream::Offers,
            DimensionStream::Affiliates,
            DimensionStream::Advertisers,
        ] {
            assert_eq!(
                query(stream, "date_from=2026-01-01").unwrap_err().status(),
                400
            );
            assert!(query(stream, "updated_at=2026-01-01&page=2&limit=5").is_ok());
        }
        assert!(query(DimensionStream::Affiliates, "status=on+moderation").is_ok());
    }

    #[test]
    fn rows_without_a_time_of_change_never_match_one() {
        let query = query(DimensionStream::Advertisers, "updated_at=2026-01-06").unwrap();
        let start = calendar::day_start(jiff::civil::date(2026, 1, 6));
        assert!(query.changed(Stamp::At(start)));
        assert!(!query.changed(Stamp::At(start - 1)));
        for stamp in [Stamp::Null, Stamp::Blank, Stamp::Zero] {
            assert!(!query.changed(stamp));
        }
    }
}
