//! A property's quotas: read with every answer, respected before every request (`source-apis.md` 3.4).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::answer::QuotaStatus;
use crate::sources::google::refusals::{in_an_hour, pacific_midnight};
use crate::state::{QuotaFigure, QuotaState};

/// Limits of standard and 360 properties. An answer names what a request took and what is left, not the
/// limit.
const TIERS: [(&str, &[u64]); 6] = [
    ("tokensPerDay", &[200_000, 2_000_000]),
    ("tokensPerHour", &[40_000, 400_000]),
    ("tokensPerProjectPerHour", &[14_000, 140_000]),
    ("concurrentRequests", &[10, 50]),
    ("serverErrorsPerProjectPerHour", &[10, 50]),
    ("potentiallyThresholdedRequestsPerHour", &[120]),
];

/// Dimensions whose requests may be thresholded.
const THRESHOLDED: [&str; 5] = [
    "userAgeBracket",
    "userGender",
    "brandingInterest",
    "audienceId",
    "audienceName",
];

/// Whether a report has dimensions that may be thresholded.
pub(super) fn may_be_thresholded(dimensions: &[String]) -> bool {
    dimensions
        .iter()
        .any(|name| THRESHOLDED.contains(&name.as_str()))
}

/// Takes the quotas of an answer over.
pub(super) fn take(state: &mut QuotaState, quotas: &BTreeMap<String, QuotaStatus>, now: Timestamp) {
    for (name, status) in quotas {
        let seen = status.consumed + status.remaining;
        let tiers = TIERS.iter().find(|(known, _)| known == name);
        let limit = tiers.and_then(|(_, tiers)| tiers.iter().find(|tier| **tier >= seen));
        let figure = QuotaFigure {
            used: limit.map(|limit| limit.saturating_sub(status.remaining)),
            left: Some(status.remaining),
            limit: limit.copied(),
            resets_at: Some(resets_at(name, now)),
        };
        state.figures.insert(name.clone(), figure);
    }
    if !quotas.is_empty() {
        state.read_at = now;
    }
}

fn resets_at(name: &str, now: Timestamp) -> Timestamp {
    match name {
        "tokensPerDay" => pacific_midnight(now),
        _ => in_an_hour(now),
    }
}

/// Until when a property is left alone and why, when a quota is down to `stop_share`.
pub(super) fn too_low(
    state: &QuotaState,
    stop_share: f64,
    thresholded: bool,
    now: Timestamp,
) -> Option<(Timestamp, String)> {
    let low = state.figures.iter().filter(|(name, figure)| {
        let counts = match name.as_str() {
            // Places that are taken now are free in a moment.
            "concurrentRequests" => false,
            "potentiallyThresholdedRequestsPerHour" => thresholded,
            _ => true,
        };
        counts && figure.left_share().is_some_and(|share| share <= stop_share)
    });
    let until = low.map(|(name, figure)| {
        let left = figure.left.unwrap_or_default();
        let why = match figure.limit {
            Some(limit) => format!("{left} of {limit} {name} are left"),
            None => format!("{left} {name} are left"),
        };
        (resets_at(name, now), why)
    });
    until.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_is_left_alone_at_a_tenth() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let reading = |remaining: [u64; 3]| {
            let status = |remaining| QuotaStatus {
                consumed: 12,
                remaining,
            };
            let names = [
                "tokensPerDay",
                "tokensPerHour",
                "potentiallyThresholdedRequestsPerHour",
            ];
            let quotas = names
                .iter()
                .zip(remaining)
                .map(|(name, left)| ((*name).to_owned(), status(left)));
            let mut state = QuotaState::new("ga4", "1", now);
            take(&mut state, &quotas.collect(), now);
            state
        };
        let plenty = reading([199_988, 39_988, 108]);
        assert_eq!(too_low(&plenty, 0.1, true, now), None);
        assert_eq!(plenty.figures["tokensPerDay"].used, Some(12));
        let hour = reading([100_000, 4_000, 5]);
        let (until, why) = too_low(&hour, 0.1, false, now).unwrap();
        assert_eq!(until.to_string(), "2026-01-31T13:00:00Z");
        assert_eq!(why, "4000 of 40000 tokensPerHour are left");
        let day = reading([20_000, 4_000, 5]);
        let (until, _) = too_low(&day, 0.1, true, now).unwrap();
        assert_eq!(until.to_string(), "2026-02-01T08:00:00Z");
        let large = reading([300_000, 300_000, 100]);
        assert_eq!(
            large.figures["tokensPerHour"].limit,
            Some(400_000),
            "a 360 property"
        );
    }
}
