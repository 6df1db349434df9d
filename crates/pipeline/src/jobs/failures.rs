//! What ports and state say, in the names that a workflow's Retry and Catch match: each of them stands here, once.

use super::{ErrorType, JobError};
use crate::collect::ManifestError;
use crate::ports::{ParameterError, QueryError, StoreError};
use crate::state::{LeaseError, StateError};

impl From<&StoreError> for ErrorType {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } => Self::LeaseHeld,
            StoreError::Failed {
                transient: true, ..
            } => Self::TransientPlatformError,
            StoreError::Failed { .. } | StoreError::NotFound { .. } | StoreError::BadKey { .. } => {
                Self::StorageError
            }
        }
    }
}

impl From<&ParameterError> for ErrorType {
    fn from(error: &ParameterError) -> Self {
        match error {
            ParameterError::Missing { .. } => Self::BadCredentials,
            ParameterError::Failed {
                transient: true, ..
            } => Self::TransientPlatformError,
            ParameterError::Failed { .. } => Self::StorageError,
        }
    }
}

impl From<&QueryError> for ErrorType {
    fn from(error: &QueryError) -> Self {
        match error {
            QueryError::Cancelled => Self::Cancelled,
            error if error.is_transient() => Self::TransientPlatformError,
            _ => Self::QueryFailed,
        }
    }
}

impl From<&StateError> for ErrorType {
    fn from(error: &StateError) -> Self {
        match error {
            StateError::Store(error) => error.into(),
            StateError::TakenOver { .. } | StateError::Contended { .. } => Self::LeaseHeld,
            StateError::Damaged { .. } => Self::StorageError,
        }
    }
}

impl From<&LeaseError> for ErrorType {
    fn from(error: &LeaseError) -> Self {
        match error {
            LeaseError::HeldBy { .. } | LeaseError::Lost { .. } => Self::LeaseHeld,
            LeaseError::State(error) => error.into(),
        }
    }
}

impl From<&ManifestError> for ErrorType {
    fn from(error: &ManifestError) -> Self {
        match error {
            ManifestError::Store(error) => error.into(),
            ManifestError::Damaged { .. } => Self::StorageError,
        }
    }
}

/// A failure of a port as a job's, under its name.
macro_rules! as_job_error {
    ($($error:ty),+) => {$(
        impl From<$error> for JobError {
            fn from(error: $error) -> Self {
                Self::new((&error).into(), error.to_string())
            }
        }
    )+};
}

as_job_error!(
    StoreError,
    ParameterError,
    StateError,
    LeaseError,
    ManifestError
);

#[cfg(test)]
mod tests {
    use super::*;

    fn store(transient: bool) -> StoreError {
        StoreError::Failed {
            action: "read",
            key: "k".to_owned(),
            why: "503".to_owned(),
            advice: "wait",
            transient,
        }
    }

    fn parameter(transient: bool) -> ParameterError {
        ParameterError::Failed {
            action: "read",
            path: "/p".to_owned(),
            why: "ThrottlingException".to_owned(),
            transient,
        }
    }

    fn query(transient: bool) -> QueryError {
        QueryError::Failed {
            message: "TooManyRequestsException".to_owned(),
            transient,
        }
    }

    fn name(error: impl Into<JobError>) -> &'static str {
        error.into().error_type.name()
    }

    /// Whatever lies around it, a failure of a port that passes keeps that.
    #[test]
    fn what_passes_by_itself_has_a_name_that_is_repeated() {
        let state = |transient| StateError::Store(store(transient));
        for (transient, failed) in [(true, "TransientPlatformError"), (false, "StorageError")] {
            assert_eq!(name(store(transient)), failed);
            assert_eq!(name(parameter(transient)), failed);
            assert_eq!(name(state(transient)), failed);
            assert_eq!(name(LeaseError::State(state(transient))), failed);
            assert_eq!(name(ManifestError::Store(store(transient))), failed);
        }
        let statement = |error: QueryError| ErrorType::from(&error).name();
        assert_eq!(statement(query(true)), "TransientPlatformError");
        assert_eq!(statement(query(false)), "QueryFailed");
        let message = "another statement committed first".to_owned();
        assert_eq!(
            statement(QueryError::Conflict { message }),
            "TransientPlatformError"
        );
    }

    #[test]
    fn the_others_keep_their_names() {
        let key = || "k".to_owned();
        let damaged = || (key(), "no JSON".to_owned());
        assert_eq!(name(StoreError::Conflict { key: key() }), "LeaseHeld");
        assert_eq!(name(StoreError::NotFound { key: key() }), "StorageError");
        assert_eq!(name(StateError::TakenOver { key: key() }), "LeaseHeld");
        assert_eq!(name(StateError::Contended { key: key() }), "LeaseHeld");
        assert_eq!(name(LeaseError::Lost { name: key() }), "LeaseHeld");
        let (key, why) = damaged();
        assert_eq!(name(StateError::Damaged { key, why }), "StorageError");
        let (key, why) = damaged();
        assert_eq!(name(ManifestError::Damaged { key, why }), "StorageError");
        let path = "/p".to_owned();
        assert_eq!(name(ParameterError::Missing { path }), "BadCredentials");
        let refused = QueryError::Refused {
            code: "SYNTAX_ERROR",
            message: "line 1:1".to_owned(),
        };
        assert_eq!(ErrorType::from(&refused), ErrorType::QueryFailed);
        assert_eq!(
            ErrorType::from(&QueryError::Cancelled),
            ErrorType::Cancelled
        );
    }
}
