//! State beside the data: watermarks, leases and units of work as small objects under `_state/`.
//!
//! A function on AWS, a backfill and a console on a laptop agree on them without another service,
//! because every change is a conditional PUT: of two writers one wins and the other one learns it.

use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};

use crate::ports::{ETag, ObjectStore, PutCondition, StoreError};

mod day_book;
mod latest;
mod lease;
mod quota;
mod unit;
mod watermark;

pub use day_book::{DayBook, KnownDay};
pub use latest::{Change, Latest};
pub use lease::{HeldLease, Lease, LeaseError};
pub use quota::{QuotaFigure, QuotaState};
pub use unit::{Unit, UnitKey, UnitRecord, UnitStatus, list_units};
pub use watermark::Watermark;

/// Where all state lies in the std store.
pub const STATE_PREFIX: &str = "_state/";

/// How often a change is tried again after somebody else was quicker.
const TRIES: usize = 16;

/// Why state could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object is not what it should be.
    #[error(
        "the state object {key} cannot be read: {why}; look at it, and delete it if it is worthless"
    )]
    Damaged {
        /// Key in the std store.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// Another process changed the object again and again.
    #[error("{key} is being changed by others all the time; wait a moment and repeat the step")]
    Contended {
        /// Key in the std store.
        key: String,
    },
    /// Another process works on the same unit; it wins.
    #[error(
        "another process took over {key}; this one stops, follow the other one or cancel it first"
    )]
    TakenOver {
        /// Key in the std store.
        key: String,
    },
}

/// A shared store.
type Store = Arc<dyn ObjectStore>;

/// Reads an object and its version; `None` when there is none.
async fn load<T: DeserializeOwned>(
    store: &Store,
    key: &str,
) -> Result<Option<(T, ETag)>, StateError> {
    match store.get(key).await {
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
        Ok((bytes, etag)) => match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some((value, etag))),
            Err(error) => Err(StateError::Damaged {
                key: key.to_owned(),
                why: error.to_string(),
            }),
        },
    }
}

/// Writes an object if it is still the version `seen`, or still absent; `None` when it is not.
async fn store_if<T: Serialize>(
    store: &Store,
    key: &str,
    value: &T,
    seen: Option<ETag>,
) -> Result<Option<ETag>, StateError> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| StateError::Damaged {
        key: key.to_owned(),
        why: error.to_string(),
    })?;
    let condition = seen.map_or(PutCondition::IfAbsent, PutCondition::IfMatch);
    match store.put(key, bytes.into(), condition).await {
        Ok(etag) => Ok(Some(etag)),
        Err(StoreError::Conflict { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
