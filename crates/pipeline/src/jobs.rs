//! Job name and JSON input in, JSON output or a named error out: what a Lambda or a local task calls.

mod failures;
mod in_time;
mod run;
mod scheduled;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::ports::{Clock, Lake, ParameterStore, QueryEngine};
use lakehand_config::Profile;

pub use in_time::run_in_time;
pub use run::{NAMES, run};
pub use scheduled::scheduled_name;

/// The error names that a workflow's Retry and Catch match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// The source failed in a way that may pass: 429, 5xx, connection, cut body, not JSON.
    TransientSourceError,
    /// What the pipeline itself stands on failed in a way that may pass: throttled, not reached, overtaken by
    /// another writer.
    TransientPlatformError,
    /// The source refused: a bad parameter, a window it will not serve.
    SourceRefused,
    /// The service behind the source has ended for good.
    SourceRetired,
    /// The source's quota is used up until a named time.
    QuotaExhausted,
    /// A credential is missing, wrong or lacks a role.
    BadCredentials,
    /// Rows do not fit their contract beyond the limit.
    DataContractError,
    /// A quality check of severity `error` failed.
    QualityCheckFailed,
    /// Another execution holds the lease of what this one wants to write.
    LeaseHeld,
    /// The store failed: disk full, access denied.
    StorageError,
    /// A statement failed.
    QueryFailed,
    /// The input of the job is not what it takes.
    InvalidInput,
    /// Stopped on request.
    Cancelled,
}

impl ErrorType {
    /// The name as ASL sees it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TransientSourceError => "TransientSourceError",
            Self::TransientPlatformError => "TransientPlatformError",
            Self::SourceRefused => "SourceRefused",
            Self::SourceRetired => "SourceRetired",
            Self::QuotaExhausted => "QuotaExhausted",
            Self::BadCredentials => "BadCredentials",
            Self::DataContractError => "DataContractError",
            Self::QualityCheckFailed => "QualityCheckFailed",
            Self::LeaseHeld => "LeaseHeld",
            Self::StorageError => "StorageError",
            Self::QueryFailed => "QueryFailed",
            Self::InvalidInput => "InvalidInput",
            Self::Cancelled => "Cancelled",
        }
    }
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A job that failed: the name for the workflow, the sentence for people.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct JobError {
    /// Matched by Retry and Catch.
    pub error_type: ErrorType,
    /// What was tried, on what, why it failed, what to do.
    pub message: String,
    /// When the work can be done, where all that is missing is a quota that comes back then.
    pub parked_until: Option<Timestamp>,
}

impl JobError {
    /// A failure of the given type.
    pub fn new(error_type: ErrorType, message: impl Into<String>) -> Self {
        Self {
            error_type,
            message: message.into(),
            parked_until: None,
        }
    }

    /// The same, put off until an instant.
    #[must_use]
    pub fn parked(self, until: Timestamp) -> Self {
        Self {
            parked_until: Some(until),
            ..self
        }
    }
}

/// How much a line of a stage's log matters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Detail.
    Debug,
    /// Progress.
    Info,
    /// Odd, but the run goes on.
    Warn,
    /// The reason of a failure.
    Error,
}

/// Where a job writes its structured lines and its progress. Implementations add time, execution and
/// stage; callers never pass a secret.
#[async_trait]
pub trait JobLog: Send + Sync + fmt::Debug {
    /// One line.
    fn line(&self, level: Level, message: &str);
    /// Still alive, and how far: rows, bytes, calls, whatever counts in this stage.
    fn progress(&self, message: &str);
}

/// Everything a job may use.
#[derive(Debug, Clone)]
pub struct JobContext {
    /// The profile's settings.
    pub profile: Arc<Profile>,
    /// The two buckets.
    pub lake: Lake,
    /// Credentials.
    pub parameters: Arc<dyn ParameterStore>,
    /// SQL.
    pub engine: Arc<dyn QueryEngine>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Lines of this stage.
    pub log: Arc<dyn JobLog>,
    /// Asked at every await and every few thousand rows.
    pub cancel: CancellationToken,
    /// The execution this job belongs to; becomes the owner of leases and the id in manifests.
    pub execution: String,
}
