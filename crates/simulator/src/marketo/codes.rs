//! Marketo's errors: the code, the text, and the envelope they come in (`source-apis.md` 2.9).

use serde_json::{Value, json};

/// An error as a response carries it: inside HTTP 200, with a quoted number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// `606`.
    pub code: &'static str,
    /// What it says.
    pub message: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The error of a word that [`CODES`] knows.
    pub(super) fn of(word: &str) -> Self {
        let known = CODES.iter().find(|(known, _, _)| *known == word);
        known.map_or_else(
            || Self::new("611", "System error"),
            |(_, code, message)| Self::new(code, *message),
        )
    }

    /// The errors of the response level do not count against quota and rate.
    pub(super) fn is_free(&self) -> bool {
        self.code.len() == 3 && self.code.starts_with(['6', '7'])
    }

    /// `{"requestId":..,"success":false,"errors":[{"code":"606","message":".."}]}`.
    pub(super) fn body(&self, request: &str) -> Value {
        json!({
            "requestId": request,
            "success": false,
            "errors": [{"code": self.code, "message": self.message}],
        })
    }
}

/// Every documented error by the word a fault plan names it with: word, code, text. The three
/// meanings of 1029 have words of their own.
pub(crate) const CODES: &[(&str, &str, &str)] = &[
    ("502", "502", "Bad Gateway"),
    ("601", "601", "Access token invalid"),
    ("602", "602", "Access token expired"),
    ("603", "603", "Access denied"),
    ("604", "604", "Request timed out"),
    ("605", "605", "HTTP Method not supported"),
    (
        "606",
        "606",
        "Max rate limit '100' exceeded with in '20' secs",
    ),
    ("607", "607", "Max daily quota '50000' reached"),
    ("608", "608", "API Temporarily Unavailable"),
    ("609", "609", "Invalid JSON"),
    ("610", "610", "Requested resource not found"),
    ("611", "611", "System error"),
    ("612", "612", "Invalid Content Type"),
    ("613", "613", "Invalid Multipart Request"),
    ("614", "614", "Subscription Unreachable"),
    ("615", "615", "Concurrent access limit reached"),
    ("701", "701", "sinceDatetime cannot be blank"),
    ("702", "702", "No data found for a given search scenario"),
    ("704", "704", "Invalid date specified"),
    ("709", "709", "Business Rule Violation"),
    ("713", "713", "Transient Error"),
    ("719", "719", "Lock wait timeout exception"),
    (
        "1001",
        "1001",
        "Invalid value '', expected of type 'String'",
    ),
    (
        "1002",
        "1002",
        "Missing value for required parameter 'filterType'",
    ),
    ("1003", "1003", "Invalid data"),
    ("1003-many", "1003", "Too many results match the filter"),
    ("1006", "1006", "Field 'nosuchfield' not found"),
    ("1011", "1011", "Field is not supported for filter"),
    ("1013", "1013", "Object not found"),
    ("1029-queue", "1029", "Too many jobs in queue"),
    ("1029-quota", "1029", "Export daily quota exceeded"),
    ("1029-queued", "1029", "Job already queued"),
    (
        "1035",
        "1035",
        "Unsupported filter type for target subscription: updatedAt",
    ),
];
