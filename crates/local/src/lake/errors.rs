//! What the file system says, in words that tell the operator what to do.

use std::io::{Error, ErrorKind};

use lakehand_pipeline::ports::StoreError;

/// Turns a failure of the file system into one of the store.
pub(super) fn failed(action: &'static str, key: &str, error: &Error) -> StoreError {
    let (advice, transient) = match error.kind() {
        ErrorKind::NotFound => {
            return StoreError::NotFound {
                key: key.to_owned(),
            };
        }
        ErrorKind::StorageFull => (
            "the disk is full: free some space, then redrive the execution",
            false,
        ),
        ErrorKind::QuotaExceeded => (
            "your disk quota is used up: free some space, then redrive the execution",
            false,
        ),
        ErrorKind::PermissionDenied => (
            "give this user the right to read and write the data folder, or choose another data_dir",
            false,
        ),
        ErrorKind::ReadOnlyFilesystem => (
            "the disk is mounted read-only: choose a data_dir on a writable one",
            false,
        ),
        ErrorKind::InvalidFilename => ("the name is too long for this file system", false),
        ErrorKind::IsADirectory | ErrorKind::NotADirectory => (
            "a file and a folder of the same name meet: move the one that is not Lakehand's away",
            false,
        ),
        _ => (
            "check the disk that holds the data folder, then redrive the execution",
            true,
        ),
    };
    StoreError::Failed {
        action,
        key: key.to_owned(),
        why: error.to_string(),
        advice,
        transient,
    }
}
