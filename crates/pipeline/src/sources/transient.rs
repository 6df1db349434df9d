//! What an error of a source means: the one table of what passes by itself and what does not.
//!
//! HTTP statuses mean the same for all sources (`source-apis.md` 1.6, 2.9, 3.7 and 4.4). Marketo names a
//! code in the body besides, Affise and Google only prose.

use super::http::Fault;

/// What is done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// It passes: asked for again, after longer and longer waits.
    Again(Fault),
    /// It passes after a known while.
    AgainAfter(Fault, Wait),
    /// A used-up quota: put off until it is full again.
    Park(Reset),
    /// Once with a new token.
    NewToken,
    /// There is nothing, which is no error.
    Nothing,
    /// The credential is wrong or lacks a right.
    Denied,
    /// The request will not be served, however often it is asked.
    Final,
}

/// How long an error lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// The length of the window in which calls are counted.
    Stretch,
    /// Out of order for a moment.
    OutOfOrder,
    /// The account cannot be reached.
    Unreachable,
    /// Too many requests at a time.
    Crowded,
}

/// When a quota is full again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reset {
    /// An hour from now.
    Hour,
    /// At midnight of the source's zone.
    Day,
}

/// What an HTTP status means that is no success, whichever source sent it.
pub(super) fn of_status(status: u16) -> Means {
    match status {
        429 => Means::Again(Fault::Throttled),
        // Also what a bad parameter or a range that is too heavy gets.
        500 => Means::Again(Fault::ServerError),
        408 | 501..=599 => Means::Again(Fault::Unavailable),
        401 => Means::NewToken,
        403 => Means::Denied,
        _ => Means::Final,
    }
}

/// What a code in Marketo's body means. The three meanings of 1029 are told apart by its text.
pub(super) fn of_marketo(code: &str, message: &str) -> Means {
    match code {
        "601" | "602" => Means::NewToken,
        "600" | "603" => Means::Denied,
        "606" => Means::AgainAfter(Fault::Throttled, Wait::Stretch),
        "615" => Means::Again(Fault::Throttled),
        "607" => Means::Park(Reset::Day),
        "1029" if message.to_lowercase().contains("quota") => Means::Park(Reset::Day),
        "608" => Means::AgainAfter(Fault::Unavailable, Wait::OutOfOrder),
        "614" => Means::AgainAfter(Fault::Unavailable, Wait::Unreachable),
        "604" | "713" | "719" => Means::Again(Fault::Unavailable),
        "611" => Means::Again(Fault::ServerError),
        "702" => Means::Nothing,
        // An HTTP status written into the body.
        "500" | "502" | "503" | "504" => code.parse().map_or(Means::Final, of_status),
        _ => Means::Final,
    }
}

/// What Affise's prose means, which is all it says in a body with `status: 2`.
pub(super) fn of_affise(prose: &str) -> Means {
    let prose = prose.to_lowercase();
    let says = |texts: &[&str]| texts.iter().any(|text| prose.contains(text));
    if says(&["too many requests", "rate limit"]) {
        Means::Again(Fault::Throttled)
    } else if says(&[
        "try again",
        "temporar",
        "timeout",
        "timed out",
        "unavailable",
    ]) {
        Means::Again(Fault::Unavailable)
    } else if says(&["server error"]) {
        Means::Again(Fault::ServerError)
    } else if says(&[
        "token is necessary",
        "auth denied",
        "unauthorized",
        "api key",
        "api-key",
        "permission",
    ]) {
        Means::Denied
    } else {
        Means::Final
    }
}

/// What a used-up quota of Google means, by its prose and by the reasons it names.
pub(super) fn of_google_quota(message: &str, reasons: &[&str]) -> Means {
    let prose = message.to_lowercase();
    let says = |part: &str| prose.contains(part);
    let reason = |name: &str| reasons.contains(&name);
    if says("concurrent") || reason("quotaExceeded") {
        Means::AgainAfter(Fault::Throttled, Wait::Crowded)
    } else if reason("dailyLimitExceeded") || says("per day") || says("daily") || says("-1d") {
        Means::Park(Reset::Day)
    } else if says("per hour") || says("thresholded") || says("server errors") {
        Means::Park(Reset::Hour)
    } else {
        Means::Again(Fault::Throttled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How the fact sheet has it: retried, put off until a quota is full again, once with a new token, an
    /// empty answer, or not at all.
    fn word(means: Means) -> &'static str {
        match means {
            Means::Again(_) | Means::AgainAfter(..) => "yes",
            Means::Park(_) => "later",
            Means::NewToken => "new token",
            Means::Nothing => "empty",
            Means::Denied | Means::Final => "no",
        }
    }

    #[test]
    fn statuses_are_as_the_fact_sheet_has_them() {
        let sheet = [
            (400, "no"),
            (401, "new token"),
            (403, "no"),
            (404, "no"),
            (408, "yes"),
            (413, "no"),
            (414, "no"),
            (429, "yes"),
            (500, "yes"),
            (502, "yes"),
            (503, "yes"),
            (504, "yes"),
        ];
        for (status, wanted) in sheet {
            assert_eq!(word(of_status(status)), wanted, "HTTP {status}");
        }
    }

    #[test]
    fn codes_of_marketo_are_as_the_fact_sheet_has_them() {
        let no = [
            "600", "603", "605", "609", "610", "612", "613", "701", "704", "709", "1001", "1002",
            "1003", "1006", "1011", "1013", "1035", "9999",
        ];
        let yes = [
            "604", "606", "608", "611", "614", "615", "713", "719", "500", "502", "503", "504",
        ];
        let others = [
            ("601", "new token"),
            ("602", "new token"),
            ("607", "later"),
            ("702", "empty"),
        ];
        let sheet = no.map(|code| (code, "no")).into_iter();
        let sheet = sheet.chain(yes.map(|code| (code, "yes"))).chain(others);
        for (code, wanted) in sheet {
            assert_eq!(word(of_marketo(code, "")), wanted, "{code}");
        }
        assert_eq!(
            word(of_marketo("1029", "Export daily quota exceeded")),
            "later"
        );
    }

    #[test]
    fn prose_of_affise_and_google_is_as_the_fact_sheet_has_it() {
        for (prose, wanted) in [
            ("Server error, Please contact your administrator", "yes"),
            ("try again later", "yes"),
            ("Too Many Requests", "yes"),
            ("Token is necessary", "no"),
            ("Auth Denied", "no"),
            ("Method does not allow extra fields: 'filter'", "no"),
        ] {
            assert_eq!(word(of_affise(prose)), wanted, "{prose}");
        }
        for (message, reasons, wanted) in [
            ("Exhausted concurrent requests quota", &[][..], "yes"),
            (
                "Exhausted property tokens for a project per hour.",
                &[],
                "later",
            ),
            (
                "Exhausted potentially thresholded requests quota",
                &[],
                "later",
            ),
            ("Exhausted server errors quota", &[], "later"),
            ("Exhausted property tokens per day", &[], "later"),
            ("Quota exceeded", &["userRateLimitExceeded"], "yes"),
            ("Too many", &["quotaExceeded"], "yes"),
            ("Limit", &["dailyLimitExceeded"], "later"),
        ] {
            assert_eq!(word(of_google_quota(message, reasons)), wanted, "{message}");
        }
    }
}
