//! When the next try comes, and what to say when there is none.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};

use super::{Fault, transport::Reply};

/// The tries of one request.
#[derive(Default)]
pub(super) struct Tries {
    throttled: u32,
    failed: u32,
    /// What all failures but throttling have in common.
    kind: Option<Fault>,
}

impl Tries {
    /// Counts a try; returns how many of its sort there were, and what ails them all.
    pub(super) fn add(&mut self, fault: Fault) -> (u32, Fault) {
        if fault == Fault::Throttled {
            self.throttled += 1;
            return (self.throttled, fault);
        }
        self.failed += 1;
        // What changes from try to try is trouble of the server, not the fault of the request.
        let kind = match self.kind {
            Some(known) if known != fault => Fault::Unavailable,
            _ => fault,
        };
        self.kind = Some(kind);
        (self.failed, kind)
    }
}

/// The pause a `Retry-After` asks for: seconds, or an HTTP date counted from the answer's own date.
pub(super) fn asked_pause(reply: &Reply, now: Timestamp) -> Option<Duration> {
    if !matches!(reply.status, 429 | 503) {
        return None;
    }
    let text = reply.retry_after.as_deref()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    let then = date(text)?;
    let sent = reply.date.as_deref().and_then(date).unwrap_or(now);
    Some(Duration::try_from(then.duration_since(sent)).unwrap_or(Duration::ZERO))
}

/// What to do when all tries failed; `by_window` where the source counts calls in a sliding window.
pub(super) fn advice(fault: Fault, by_window: bool) -> &'static str {
    match fault {
        Fault::Throttled if by_window => {
            "lower calls_per_20_seconds, or redrive the execution later"
        }
        Fault::Throttled => "lower requests_per_second, or redrive the execution later",
        Fault::ServerError => {
            "redrive the execution later; if it stays, a parameter or the window is at fault"
        }
        Fault::Unavailable => "the source is troubled: redrive the execution later",
        Fault::Unreachable => {
            "check base_url, the network and the proxy, then redrive the execution"
        }
        Fault::Shifting => {
            "rows are changing quickly: redrive the execution later, or collect shorter windows"
        }
    }
}

/// What to do when the credential is not accepted: a key, or an account that gets tokens.
pub(super) fn advice_401(by_account: bool) -> &'static str {
    if by_account {
        "set the credential again with `lakehand credentials set`, and check that base_url is the address it belongs to"
    } else {
        "set the API key again, and check that base_url is the host of the tenant the key belongs to"
    }
}

pub(super) const ADVICE_403_ACCOUNT: &str =
    "the account lacks the right: ask for the permission, then redrive the execution";
pub(super) const ADVICE_403: &str =
    "the key lacks the right: use the key of a general manager, or ask for the permission";
pub(super) const ADVICE_404: &str = "check base_url: it must be the source's own API host, without a path and without a slash at its end";
pub(super) const ADVICE_3XX: &str = "the source redirects, and keys are not carried to other hosts: set base_url to where it points";
pub(super) const ADVICE_400: &str = "this is an error of the settings or of this program: check the window and time zone, and report it";
