//! Why a request is not served, as Google spells it (`source-apis.md` 3.7 and 4.4).

use serde_json::{Value, json};

/// A refusal of one of the APIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 400.
    Bad(String),
    /// 401.
    NoToken,
    /// 403.
    NoPermission,
    /// 404.
    NotFound,
    /// 429, too many requests at a time.
    ConcurrentRequests,
    /// 429, tokens of an hour.
    HourTokens,
    /// 429, tokens of an hour of this project.
    ProjectHourTokens,
    /// 429, tokens of a day.
    DayTokens,
    /// 429, requests that may be thresholded.
    Thresholded,
    /// 429, after too many server errors.
    ServerErrors,
    /// GA3: a limit by the reason its client libraries know.
    Reason(u16, &'static str, &'static str),
    /// 500.
    Internal,
    /// 503.
    Unavailable,
}

/// Words of refusals in a fault plan, each with what is answered.
pub(crate) const WORDS: [&str; 15] = [
    "concurrent",
    "hour",
    "project-hour",
    "day",
    "thresholded",
    "server-errors",
    "unauthenticated",
    "permission",
    "invalid",
    "not-found-html",
    "user-rate",
    "quota-exceeded",
    "daily-limit",
    "invalid-grant",
    "unsettled",
];

impl Refusal {
    /// The refusal of a word; `None` for words that are no JSON error.
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "concurrent" => Self::ConcurrentRequests,
            "hour" => Self::HourTokens,
            "project-hour" => Self::ProjectHourTokens,
            "day" => Self::DayTokens,
            "thresholded" => Self::Thresholded,
            "server-errors" => Self::ServerErrors,
            "unauthenticated" => Self::NoToken,
            "permission" => Self::NoPermission,
            "invalid" => Self::Bad("Field sessionSource is not a valid dimension.".to_owned()),
            "user-rate" => Self::Reason(403, "userRateLimitExceeded", "User Rate Limit Exceeded"),
            "quota-exceeded" => Self::Reason(
                403,
                "quotaExceeded",
                "Quota Error: profileId has too many concurrent connections",
            ),
            "daily-limit" => Self::Reason(403, "dailyLimitExceeded", "Daily Limit Exceeded"),
            _ => return None,
        })
    }

    /// HTTP status.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Bad(_) => 400,
            Self::NoToken => 401,
            Self::NoPermission => 403,
            Self::NotFound => 404,
            Self::Reason(status, _, _) => *status,
            Self::Internal => 500,
            Self::Unavailable => 503,
            _ => 429,
        }
    }

    fn parts(&self) -> (&str, &'static str) {
        match self {
            Self::Bad(message) => (message, "INVALID_ARGUMENT"),
            Self::NoToken => (
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
                "UNAUTHENTICATED",
            ),
            Self::NoPermission => (
                "User does not have sufficient permissions for this property. To learn more about Property ID, see https://developers.google.com/analytics/devguides/reporting/data/v1/property-id.",
                "PERMISSION_DENIED",
            ),
            Self::NotFound => ("Method not found.", "NOT_FOUND"),
            Self::ConcurrentRequests => (
                "Exhausted concurrent requests quota. Please send fewer requests concurrently.",
                "RESOURCE_EXHAUSTED",
            ),
            Self::HourTokens => (
                "Exhausted property tokens per hour. These quota tokens will return in under an hour.",
                "RESOURCE_EXHAUSTED",
            ),
            Self::ProjectHourTokens => (
                "Exhausted property tokens for a project per hour. These quota tokens will return in under an hour.",
                "RESOURCE_EXHAUSTED",
            ),
            Self::DayTokens => (
                "Exhausted property tokens per day. These quota tokens will return in under 24 hours.",
                "RESOURCE_EXHAUSTED",
            ),
            Self::Thresholded => (
                "Exhausted potentially thresholded requests quota. This quota will refresh in under an hour.",
                "RESOURCE_EXHAUSTED",
            ),
            Self::ServerErrors => (
                "Exhausted server errors quota. Please wait an hour before retrying.",
                "RESOURCE_EXHAUSTED",
            ),
            Self::Reason(403, _, message) => (message, "PERMISSION_DENIED"),
            Self::Reason(_, _, message) => (message, "RESOURCE_EXHAUSTED"),
            Self::Internal => ("Internal error encountered.", "INTERNAL"),
            Self::Unavailable => ("The service is currently unavailable.", "UNAVAILABLE"),
        }
    }

    /// The body.
    pub(super) fn body(&self) -> Value {
        let (message, status) = self.parts();
        let mut error = json!({"code": self.status(), "message": message, "status": status});
        match self {
            Self::NoPermission => {
                error["details"] = json!([{
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_DENIED",
                }]);
            }
            Self::Reason(_, reason, message) => {
                error["errors"] =
                    json!([{"message": message, "domain": "global", "reason": reason}]);
            }
            _ => {}
        }
        json!({ "error": error })
    }
}
