//! Misbehaving on purpose.
//!
//! A plan is a list of faults, each with the paths it concerns and when it strikes:
//!
//! ```text
//! PLAN    = FAULT { "," FAULT }
//! FAULT   = KIND [ "@" PATH ] [ "=" PROBABILITY | "#" N [ "-" [ M ] ] ] [ ":" ARGUMENT ]
//!         | "expired-key-after=" N
//! ```
//!
//! `PATH` is a whole path, or the beginning of one with `*` at the end; without it all paths are
//! meant. `=0.05` strikes five of a hundred requests, drawn from the seed and the number of the
//! request. `#2` strikes the second request that concerns the fault, `#2-4` the second to the
//! fourth, `#2-` all from the second. With neither it always strikes.
//!
//! | kind | what the client sees | argument |
//! | --- | --- | --- |
//! | `429` | too many requests, no `Retry-After` | |
//! | `429-retry-after` | the same with `Retry-After` | duration, `1s` |
//! | `500` | the server error of the API, as JSON | |
//! | `502` `503` `504` | a proxy's HTML page of that status | |
//! | `403` | "Auth Denied" | |
//! | `status2` | 200 with `status: 2` and prose that gives no hope | |
//! | `status2-again` | 200 with `status: 2` and "try again later" | |
//! | `html` | 200 with an HTML page | |
//! | `cut` | 200 with JSON that stops in the middle | |
//! | `drop` | the connection ends in mid-body, short of its `Content-Length` | |
//! | `drop-chunked` | the connection ends in mid-body, between two chunks | |
//! | `slow` | the right answer, late | duration, `2s` |
//! | `duplicate-page` | from page 2 on: the rows of the page before | |
//! | `shift-page` | from page 2 on: rows moved as if so many had been inserted before them (removed, if negative); `total_count` moves too | rows, `1` |
//! | `wrong-key` | 401, as for a wrong key | |
//! | `expired-key-after=N` | 401 after `N` requests | |
//! | `late-status` | a recent conversion has changed its status since the last request | |
//! | `marketo` | Marketo's error of a code, in 200 | `606`; `1029-queue`, `1029-quota`, `1029-queued`, `1003-many` |
//! | `google` | a refusal of Google Analytics | `concurrent`, `hour`, `project-hour`, `day`, `thresholded`, `server-errors`, `unauthenticated`, `permission`, `invalid`, `invalid-grant`; of GA3 `user-rate`, `quota-exceeded`, `daily-limit`, `not-found-html`; `unsettled` answers with other figures every time |
//! | `short-token` | Marketo's token lives two seconds | |
//! | `export-failed` | a bulk job that is enqueued will fail | |
//! | `file-missing` | a bulk file that is complete answers 404 | |
//! | `truncated-file` | a bulk file ends after two thirds | |
//! | `wrong-checksum` | the status of a bulk job names another checksum | |
//! | `wrong-range` | 206 with another range than was asked for | |
//!
//! Requests are numbered as they arrive. A client that asks several things at once may see the
//! same faults on other requests the next time.
//!
//! When several faults strike one request, `slow` and `late-status` add to whatever else happens
//! and of the others the first in the plan wins.

mod parse;
mod strike;

use std::fmt;
use std::time::Duration;

pub use parse::FaultPlanError;
pub(crate) use strike::{Faults, PageFault, Replacement, Strikes};

/// A way to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// 429 without `Retry-After`.
    TooManyRequests,
    /// 429 with `Retry-After`, in whole seconds.
    RetryAfter(Duration),
    /// 500, 502, 503 or 504.
    ServerError(u16),
    /// 403.
    Denied,
    /// `status: 2` inside 200, for good.
    Refused,
    /// `status: 2` inside 200, saying "try again later".
    RefusedForNow,
    /// An HTML page with 200.
    Html,
    /// JSON that stops in the middle.
    Cut,
    /// The connection ends short of its `Content-Length`.
    Drop,
    /// The connection ends between two chunks.
    DropChunked,
    /// The right answer after a while.
    Slow(Duration),
    /// The rows of the page before.
    DuplicatePage,
    /// Rows moved down by so many, or up if negative.
    ShiftPage(i64),
    /// 401.
    WrongKey,
    /// A conversion changes its status.
    LateStatus,
    /// An error of Marketo by the word of its code.
    Marketo(&'static str),
    /// A refusal of Google Analytics by its word.
    Google(&'static str),
    /// A Marketo token of two seconds.
    ShortToken,
    /// A bulk job that will fail.
    ExportFailed,
    /// 404 for a bulk file.
    FileMissing,
    /// A bulk file that ends early.
    TruncatedFile,
    /// Another checksum than the file has.
    WrongChecksum,
    /// Another range than was asked for.
    WrongRange,
}

impl FaultKind {
    /// The word in a plan.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooManyRequests => "429",
            Self::RetryAfter(_) => "429-retry-after",
            Self::ServerError(502) => "502",
            Self::ServerError(503) => "503",
            Self::ServerError(504) => "504",
            Self::ServerError(_) => "500",
            Self::Denied => "403",
            Self::Refused => "status2",
            Self::RefusedForNow => "status2-again",
            Self::Html => "html",
            Self::Cut => "cut",
            Self::Drop => "drop",
            Self::DropChunked => "drop-chunked",
            Self::Slow(_) => "slow",
            Self::DuplicatePage => "duplicate-page",
            Self::ShiftPage(_) => "shift-page",
            Self::WrongKey => "wrong-key",
            Self::LateStatus => "late-status",
            Self::Marketo(_) => "marketo",
            Self::Google(_) => "google",
            Self::ShortToken => "short-token",
            Self::ExportFailed => "export-failed",
            Self::FileMissing => "file-missing",
            Self::TruncatedFile => "truncated-file",
            Self::WrongChecksum => "wrong-checksum",
            Self::WrongRange => "wrong-range",
        }
    }

    /// Every kind, with the argument it has when none is given.
    pub const ALL: [Self; 26] = [
        Self::TooManyRequests,
        Self::RetryAfter(Duration::from_secs(1)),
        Self::ServerError(500),
        Self::ServerError(502),
        Self::ServerError(503),
        Self::ServerError(504),
        Self::Denied,
        Self::Refused,
        Self::RefusedForNow,
        Self::Html,
        Self::Cut,
        Self::Drop,
        Self::DropChunked,
        Self::Slow(Duration::from_secs(2)),
        Self::DuplicatePage,
        Self::ShiftPage(1),
        Self::WrongKey,
        Self::LateStatus,
        Self::Marketo("606"),
        Self::Google("concurrent"),
        Self::ShortToken,
        Self::ExportFailed,
        Self::FileMissing,
        Self::TruncatedFile,
        Self::WrongChecksum,
        Self::WrongRange,
    ];

    /// Whether it can be seen in an answer of this path: some have one place only.
    fn fits(self, path: &str) -> bool {
        match self {
            Self::Marketo(_) => path.starts_with("/rest") || path.starts_with("/bulk"),
            Self::Google("invalid-grant") => path == "/token",
            Self::Google(_) => path.starts_with("/v1beta/") || path.starts_with("/v4/"),
            Self::ShortToken => path == "/identity/oauth/token",
            Self::ExportFailed => path.ends_with("/enqueue.json"),
            Self::WrongChecksum => path.ends_with("/status.json"),
            Self::FileMissing | Self::TruncatedFile | Self::WrongRange => {
                path.ends_with("/file.json")
            }
            _ => true,
        }
    }
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trigger {
    /// Every time.
    Always,
    /// With a probability from 0 to 1.
    Probability(f64),
    /// From one request to another, counted from 1, both included.
    Requests { from: u64, to: u64 },
}

/// One fault of a plan.
#[derive(Debug, Clone, PartialEq)]
struct Fault {
    kind: FaultKind,
    /// A whole path, or the beginning of one followed by `*`.
    path: Option<String>,
    trigger: Trigger,
}

impl Fault {
    fn concerns(&self, path: &str) -> bool {
        if !self.kind.fits(path) {
            return false;
        }
        match self.path.as_deref() {
            None => true,
            Some(wanted) => match wanted.strip_suffix('*') {
                Some(beginning) => path.starts_with(beginning),
                None => path == wanted,
            },
        }
    }
}

/// Faults a simulator plays. [`FaultPlan::default`] has none; parse one from text for others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FaultPlan(Vec<Fault>);

impl FaultPlan {
    /// Whether nothing is to go wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some fault changes the status of conversions.
    pub(crate) fn changes_conversions(&self) -> bool {
        self.0
            .iter()
            .any(|fault| fault.kind == FaultKind::LateStatus)
    }
}

/// Writes the plan as it can be parsed again.
impl fmt::Display for FaultPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.0.iter().enumerate() {
            if place > 0 {
                formatter.write_str(",")?;
            }
            formatter.write_str(fault.kind.name())?;
            if let Some(path) = &fault.path {
                write!(formatter, "@{path}")?;
            }
            match fault.trigger {
                Trigger::Always => {}
                Trigger::Probability(probability) => write!(formatter, "={probability}")?,
                Trigger::Requests { from, to: u64::MAX } => write!(formatter, "#{from}-")?,
                Trigger::Requests { from, to } if from == to => write!(formatter, "#{from}")?,
                Trigger::Requests { from, to } => write!(formatter, "#{from}-{to}")?,
            }
            match fault.kind {
                FaultKind::RetryAfter(wait) | FaultKind::Slow(wait) => {
                    write!(formatter, ":{}ms", wait.as_millis())?;
                }
                FaultKind::ShiftPage(rows) => write!(formatter, ":{rows}")?,
                FaultKind::Marketo(word) | FaultKind::Google(word) => write!(formatter, ":{word}")?,
                _ => {}
            }
        }
        Ok(())
    }
}
