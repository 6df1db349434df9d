//! What the pipeline needs from outside: objects, parameters, a query engine, a clock.
//!
//! Small traits behind `Arc<dyn …>`; whoever uses a port cannot tell whether AWS or this machine
//! stands behind it. Errors say what was tried, on what, why it failed and what to do.

use std::{fmt, path::PathBuf, pin::Pin, sync::Arc};

use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

pub use lakehand_base::references::ParameterReference;

pub mod memory;

/// The version of an object, as the store names it; opaque.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ETag(pub String);

/// What a listing says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Full key, `/`-separated, without a leading slash.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Last write.
    pub modified: Timestamp,
    /// Version of the object.
    pub etag: ETag,
}

/// When a write may happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutCondition {
    /// Replace whatever is there.
    Always,
    /// Only if there is no object of that key (`If-None-Match: *`).
    IfAbsent,
    /// Only if the object is still this version (`If-Match`).
    IfMatch(ETag),
}

/// Why a store refused.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object.
    #[error("there is no object {key}")]
    NotFound {
        /// Key asked for.
        key: String,
    },
    /// A conditional write met another version.
    #[error(
        "{key} was changed by somebody else in the meantime; read it again and repeat the step"
    )]
    Conflict {
        /// Key written.
        key: String,
    },
    /// A key that leaves the store or is malformed.
    #[error("'{key}' is not an object key: {why}")]
    BadKey {
        /// Key given.
        key: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The disk or the service failed.
    #[error("could not {action} {key}: {why}; {advice}")]
    Failed {
        /// Verb: read, write, list, delete.
        action: &'static str,
        /// Key worked on.
        key: String,
        /// The cause.
        why: String,
        /// What to do about it.
        advice: &'static str,
        /// Whether the same call may succeed later.
        transient: bool,
    },
}

impl StoreError {
    /// What to do, as the store that failed knows it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "look again: it may have been moved or deleted meanwhile",
            Self::Conflict { .. } => "read it again and repeat the step",
            Self::BadKey { .. } => "name it otherwise",
            Self::Failed { advice, .. } => advice,
        }
    }

    /// What failed and why, without the advice.
    #[must_use]
    pub fn without_advice(&self) -> String {
        match self {
            Self::Failed {
                action, key, why, ..
            } => format!("could not {action} {key}: {why}"),
            other => other.to_string(),
        }
    }
}

/// A stream of an object's bytes.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send>>;
/// A stream of a listing.
pub type MetaStream = Pin<Box<dyn Stream<Item = Result<ObjectMeta, StoreError>> + Send>>;

/// Objects by key. A write becomes visible as a whole or not at all.
#[async_trait]
pub trait ObjectStore: Send + Sync + fmt::Debug {
    /// A small object as a whole, with its version.
    async fn get(&self, key: &str) -> Result<(Bytes, ETag), StoreError>;
    /// An object of any size, in pieces.
    async fn get_stream(&self, key: &str) -> Result<ByteStream, StoreError>;
    /// Writes a small object.
    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<ETag, StoreError>;
    /// Publishes a finished file that was written under [`ObjectStore::staging`]; consumes it.
    async fn put_file(
        &self,
        key: &str,
        file: PathBuf,
        condition: PutCondition,
    ) -> Result<ETag, StoreError>;
    /// Every object whose key starts with `prefix`, in key order, streamed.
    async fn list(&self, prefix: &str) -> Result<MetaStream, StoreError>;
    /// Removes an object; removing what is not there is no error.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;
    /// A folder on this machine for files on their way into the store. It is on the store's own file
    /// system where there is one, so that [`ObjectStore::put_file`] is a rename.
    fn staging(&self) -> PathBuf;
    /// The file behind a key, when the store is a folder: lets readers map or seek instead of copying.
    fn local_path(&self, key: &str) -> Option<PathBuf>;
    /// The key's address for people: `s3://bucket/key` or a path.
    fn display(&self, key: &str) -> String;
}

/// The two buckets of a profile.
#[derive(Debug, Clone)]
pub struct Lake {
    /// Bronze and its manifests; on AWS the raw bucket.
    pub raw: Arc<dyn ObjectStore>,
    /// Silver, gold, reports and `_state/`; on AWS the std bucket.
    pub std: Arc<dyn ObjectStore>,
}

/// Why a parameter could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ParameterError {
    /// It was never set.
    #[error(
        "the credential {path} is not set; set it with `lakehand credentials set {}` or on the Credentials screen",
        lakehand_base::text::shell_word(path)
    )]
    Missing {
        /// Parameter path.
        path: String,
    },
    /// The store failed.
    #[error("could not {action} the credential {path}: {why}")]
    Failed {
        /// Verb: read or write.
        action: &'static str,
        /// Parameter path.
        path: String,
        /// The cause; never the value.
        why: String,
        /// Whether the same call may succeed later.
        transient: bool,
    },
}

/// Credentials by path. Values are [`SecretString`]s and never printed.
#[async_trait]
pub trait ParameterStore: Send + Sync + fmt::Debug {
    /// The newest value.
    async fn get(&self, path: &str) -> Result<SecretString, ParameterError>;
    /// Stores a new version; returns its number.
    async fn put(&self, path: &str, value: SecretString) -> Result<u64, ParameterError>;
}

/// Why a statement failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryError {
    /// The statement cannot be parsed, planned or names what does not exist.
    #[error("{code}: {message}")]
    Refused {
        /// Athena's code: `SYNTAX_ERROR`, `TABLE_NOT_FOUND`, `COLUMN_NOT_FOUND`, `TYPE_MISMATCH`, …
        code: &'static str,
        /// What the engine said, with the place in the statement where it knows one.
        message: String,
    },
    /// Another writer committed first.
    #[error(
        "ICEBERG_COMMIT_ERROR: {message}; look for a second execution on the table, then repeat the step"
    )]
    Conflict {
        /// What the engine said.
        message: String,
    },
    /// The engine failed while it ran.
    #[error("{message}")]
    Failed {
        /// What the engine said.
        message: String,
        /// Whether the same statement may succeed later.
        transient: bool,
    },
    /// Stopped by the operator or a time limit.
    #[error("the statement was stopped before it ended; nothing was committed")]
    Cancelled,
}

impl QueryError {
    /// Whether the same statement may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Conflict { .. }
                | Self::Failed {
                    transient: true,
                    ..
                }
        )
    }
}

/// What a finished statement did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct QuerySummary {
    /// `SELECT`, `CREATE TABLE AS SELECT`, `MERGE INTO`, …
    pub statement: String,
    /// Rows returned or changed.
    pub rows: u64,
    /// Bytes read from storage, where the engine knows.
    pub bytes_scanned: u64,
    /// Milliseconds from start to commit.
    pub elapsed_ms: u64,
}

/// Bytes that a query has read from storage so far; whoever runs it counts, whoever holds this may ask.
#[derive(Clone, Default)]
pub struct Scanned(Option<Arc<dyn Fn() -> u64 + Send + Sync>>);

impl Scanned {
    /// Counted by a function; it is asked again each time.
    pub fn counted(bytes: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(bytes)))
    }

    /// A number that no longer changes.
    #[must_use]
    pub fn known(bytes: u64) -> Self {
        Self::counted(move || bytes)
    }

    /// The bytes so far: all of them once the rows have ended. `None` where the engine does not know.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.0.as_ref().map(|count| count())
    }
}

impl fmt::Debug for Scanned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scanned").field(&self.bytes()).finish()
    }
}

/// Rows of a query, batch by batch.
pub struct QueryRows {
    /// Columns.
    pub schema: SchemaRef,
    /// The batches; dropping the stream stops the query.
    pub batches: Pin<Box<dyn Stream<Item = Result<RecordBatch, QueryError>> + Send>>,
    /// Bytes read from storage; all of them once the batches have ended.
    pub scanned: Scanned,
}

impl QueryRows {
    /// The texts of the first column, such as the lines of an `EXPLAIN`; null ones are left out.
    ///
    /// # Errors
    /// When the rows end early.
    pub async fn first_column(self) -> Result<Vec<String>, QueryError> {
        use arrow::array::AsArray;
        use futures::TryStreamExt;
        let batches: Vec<RecordBatch> = self.batches.try_collect().await?;
        let columns = batches
            .iter()
            .filter_map(|batch| batch.columns().first()?.as_string_opt::<i32>());
        Ok(columns
            .flat_map(|column| column.iter().flatten().map(str::to_owned))
            .collect())
    }
}

/// What Athena bills for a statement that reads less.
pub const LEAST_BILLED_BYTES: u64 = 10 * 1024 * 1024;

/// What an engine that has one schema calls it.
pub const LAKE_SCHEMA: &str = "lake";

/// Statements in Athena's (Trino's) spelling.
#[async_trait]
pub trait QueryEngine: Send + Sync + fmt::Debug {
    /// Runs one statement to its end; every statement that changes data is one commit.
    async fn execute(
        &self,
        sql: &str,
        cancel: &CancellationToken,
    ) -> Result<QuerySummary, QueryError>;
    /// Runs one SELECT and streams its rows.
    async fn query(&self, sql: &str, cancel: &CancellationToken) -> Result<QueryRows, QueryError>;
    /// Bytes that a statement would read at most, found out without running it; `None` where that cannot be told.
    /// Athena bills no statement below [`LEAST_BILLED_BYTES`].
    async fn estimate(&self, sql: &str) -> Result<Option<u64>, QueryError> {
        let _ = sql;
        Ok(None)
    }
    /// Where the answer of a statement differs from Athena's on purpose, each in a sentence; Athena's own never does.
    async fn differences(&self, sql: &str) -> Result<Vec<String>, QueryError> {
        let _ = sql;
        Ok(Vec::new())
    }
    /// The schema of names that stand alone, as `information_schema` has it; an engine of one schema calls it `lake`.
    fn schema(&self) -> &str {
        LAKE_SCHEMA
    }
}

/// Time, so that tests and the demo can stand still.
pub trait Clock: Send + Sync + fmt::Debug {
    /// This instant.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that shows one instant for ever: tests and the demo.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}
