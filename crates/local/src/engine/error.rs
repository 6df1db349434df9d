//! What DataFusion and Delta say, in Athena's error codes.
//!
//! Codes are those an on-call person meets on AWS (reference, AWS fidelity section 7), so that the same
//! remedies match on both platforms. The place in the statement is added where it can be found.

use arrow::error::ArrowError;
use datafusion::{common::DataFusionError, sql::sqlparser::parser::ParserError};
use deltalake::{DeltaTableError, kernel::transaction::TransactionError};

use lakehand_engine::SqlError;

use lakehand_pipeline::ports::QueryError;

/// A failure inside the engine, before its statement is known.
#[derive(Debug, thiserror::Error)]
pub(super) enum EngineError {
    #[error(transparent)]
    DataFusion(#[from] DataFusionError),
    #[error(transparent)]
    Delta(#[from] DeltaTableError),
    #[error(transparent)]
    Parse(#[from] ParserError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl From<ArrowError> for EngineError {
    fn from(error: ArrowError) -> Self {
        Self::DataFusion(error.into())
    }
}

/// A refusal with one of Athena's codes.
pub(super) fn refused(code: &'static str, message: impl Into<String>) -> EngineError {
    QueryError::Refused {
        code,
        message: message.into(),
    }
    .into()
}

impl EngineError {
    /// The error as callers of the engine see it. `sql` serves to find the place.
    pub(super) fn into_query_error(self, sql: &str) -> QueryError {
        match self {
            Self::Query(error) => error,
            Self::Parse(error) => query_error(lakehand_engine::error::syntax(&error)),
            Self::Delta(error) => delta(error),
            Self::Io(error) => io(&error),
            Self::DataFusion(error) => datafusion(error, sql),
        }
    }

    /// Whether memory ran out, so that another plan may do.
    pub(super) fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::DataFusion(error) if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)))
    }

    /// Whether a file was replaced between listing and opening it.
    pub(super) fn is_vanished_file(&self) -> bool {
        matches!(self, Self::DataFusion(error) if vanished(error))
    }
}

fn failed(message: impl Into<String>, transient: bool) -> QueryError {
    QueryError::Failed {
        message: message.into(),
        transient,
    }
}

fn io(error: &std::io::Error) -> QueryError {
    failed(
        format!("could not use the lake's files: {error}; check the disk's space and rights"),
        false,
    )
}

fn delta(error: DeltaTableError) -> QueryError {
    match error {
        DeltaTableError::VersionAlreadyExists(_)
        | DeltaTableError::Transaction {
            source: TransactionError::MaxCommitAttempts(_) | TransactionError::CommitConflict(_),
        } => QueryError::Conflict {
            message: format!(
                "Failed to commit: another statement changed the table first ({error})"
            ),
        },
        DeltaTableError::NotATable(message) => QueryError::Refused {
            code: "TABLE_NOT_FOUND",
            message,
        },
        other => failed(format!("the Delta table could not be used: {other}"), false),
    }
}

fn vanished(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::ObjectStore(error) => {
            matches!(**error, deltalake::ObjectStoreError::NotFound { .. })
        }
        DataFusionError::IoError(error) => error.kind() == std::io::ErrorKind::NotFound,
        other => {
            let text = other.to_string();
            text.contains("No such file or directory")
                || (text.contains("Object at location") && text.contains("not found"))
        }
    }
}

fn datafusion(error: DataFusionError, sql: &str) -> QueryError {
    if vanished(&error) {
        return failed(
            format!(
                "HIVE_CANNOT_OPEN_SPLIT: a file was replaced while it was read (FileNotFound): {error}"
            ),
            true,
        );
    }
    if let DataFusionError::External(inner) = error.find_root()
        && let Some(query) = inner.downcast_ref::<QueryError>()
    {
        return query.clone();
    }
    query_error(lakehand_engine::error::planned(&error, sql))
}

/// What the crate of the SQL refuses, as the port says it.
#[must_use]
pub fn query_error(error: SqlError) -> QueryError {
    match error {
        SqlError::Refused { code, message } => QueryError::Refused { code, message },
        SqlError::Failed { message } => failed(message, false),
    }
}
