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

use crate::pipeline::{dataset::Stream, window::Window};

pub mod affise;
pub mod http;

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
    /// What the watermark may move to; `None` leaves it.
    pub watermark: Option<Timestamp>,
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

    /// How many rows are durable or on their way there; the number of the next row.
    fn position(&self) -> u64;

    /// The durable rows from number `position` on, so that a source that goes on after a break knows
    /// what it has seen.
    ///
    /// # Errors
    /// [`SourceError::Sink`] when they cannot be read back.
    async fn recall(&mut self, position: u64) -> Result<Vec<Bytes>, SourceError>;
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
}
