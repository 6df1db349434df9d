//! The source APIs, one file a source.
//!
//! A source knows how to ask: paths, parameters, pages, retries, what can be missed while paging. It
//! does not know where rows go: it hands every page to a [`PageSink`] together with a cursor that
//! says where to go on once the page is durable.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dataset::Stream;
use crate::window::Window;

pub mod affise;
pub mod ga3;
pub mod ga4;
pub mod google;
pub mod http;
pub mod marketo;
mod transient;

pub use http::SourceError;

/// Which passes a collection makes over a stream that can be asked for changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passes {
    /// Rows of the window, then rows that changed since the watermark.
    #[default]
    NewAndChanged,
    /// Rows of the window only: what a backfill of old days needs.
    New,
}

/// What is asked of a source.
#[derive(Debug, Clone)]
pub struct SourceRequest {
    /// The listing.
    pub stream: Stream,
    /// The days; a dimension is read whole whatever they are.
    pub window: Window,
    /// What the window's days mean.
    pub time_zone: jiff::tz::TimeZone,
    /// Which passes.
    pub passes: Passes,
    /// Where changes are read from: the watermark less its overlap; `None` before the first collection.
    pub changed_since: Option<Timestamp>,
    /// When the collection began.
    pub now: Timestamp,
}

/// What a source says when it has read everything.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceOutcome {
    /// What was asked, for the manifest; never the key.
    pub request: serde_json::Value,
    /// What the watermark may move to; `None` leaves it. It stays where it is too when something is
    /// incomplete.
    pub watermark: Option<Timestamp>,
    /// What could not be read while the rest could: a property without permission, a part of the source
    /// whose quota is used up. Empty when everything was read.
    pub incomplete: Vec<MissingPart>,
}

/// A part of a collection that could not be read; its other parts are stored all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingPart {
    /// Which: `properties/123456`, `bulk export`.
    pub part: String,
    /// Name that a workflow's Retry and Catch match.
    pub error: String,
    /// The sentence for people.
    pub cause: String,
    /// When it can be read again, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked_until: Option<Timestamp>,
}

impl MissingPart {
    /// A part that ended with `error`.
    #[must_use]
    pub fn new(part: impl Into<String>, error: &SourceError) -> Self {
        Self {
            part: part.into(),
            error: error.error_type().name().to_owned(),
            cause: error.to_string(),
            parked_until: match error {
                SourceError::Quota { until, .. } => Some(*until),
                _ => None,
            },
        }
    }
}

/// What a source says to a stream of another one.
fn not_of(source: &str, stream: Stream) -> SourceError {
    SourceError::BadSettings {
        why: format!("{stream} is no stream of {source}"),
        advice: "this is a defect of the program: report it",
    }
}

/// Where pages go.
#[async_trait]
pub trait PageSink: Send {
    /// Takes the rows of a page, each one JSON text as it was received. `cursor` is where the source
    /// goes on once these rows are durable; `calls` is how many requests were made so far.
    ///
    /// # Errors
    /// [`SourceError::Sink`] when they cannot be stored.
    async fn page(
        &mut self,
        rows: &[Bytes],
        cursor: serde_json::Value,
        calls: u64,
    ) -> Result<(), SourceError>;

    /// Makes everything handed over and `cursor` durable before it returns: for what must not be done
    /// twice, like an order that costs quota.
    ///
    /// # Errors
    /// [`SourceError::Sink`] when it cannot be stored.
    async fn checkpoint(
        &mut self,
        cursor: serde_json::Value,
        calls: u64,
    ) -> Result<(), SourceError> {
        self.page(&[], cursor, calls).await
    }

    /// How many rows are durable or on their way there; the number of the next row.
    fn position(&self) -> u64;

    /// The durable rows from number `position` on, so that a source that goes on after a break knows
    /// what it has seen.
    ///
    /// # Errors
    /// [`SourceError::Sink`] when they cannot be read back.
    async fn recall(&mut self, position: u64) -> Result<Vec<Bytes>, SourceError>;
}

/// Who a source says we are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignedIn {
    /// The account in the source's words, control characters removed: `ops@example.com (user 7, general manager)`.
    pub account: String,
    /// The address that answered.
    pub at: String,
    /// What the account may not do although it signed in; `None` when it may do all that a collection needs.
    pub warning: Option<String>,
}

/// Signs in with the credentials of a source, for real, and does nothing else.
#[async_trait]
pub trait SignIn: Send + Sync {
    /// Signs in.
    ///
    /// # Errors
    /// [`SourceError::BadCredentials`] when the source does not accept them; others as for every request.
    async fn sign_in(&self) -> Result<SignedIn, SourceError>;
}

/// One source API.
#[async_trait]
pub trait Source: Send + Sync + fmt::Debug {
    /// Reads all the request asks for, page by page, into `sink`. Goes on after `cursor` when an
    /// earlier attempt left one.
    ///
    /// # Errors
    /// [`SourceError`]; every row handed over before stays good.
    async fn read(
        &self,
        request: &SourceRequest,
        cursor: Option<serde_json::Value>,
        sink: &mut dyn PageSink,
    ) -> Result<SourceOutcome, SourceError>;

    /// Told once everything of an outcome is durable and its manifest is written: what the source notes
    /// for its next collection may now rest on it.
    ///
    /// # Errors
    /// [`SourceError::Sink`] when it cannot be noted.
    async fn stored(&self, _outcome: &SourceOutcome) -> Result<(), SourceError> {
        Ok(())
    }
}
