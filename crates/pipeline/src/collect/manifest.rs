//! The side-car of a collection: which files hold its rows, and what was asked to get them.
//!
//! A manifest is written after its last file. A reader trusts manifests only: files that no manifest
//! names belong to a collection that has not ended, or to an attempt that died.

use futures::TryStreamExt;
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::dataset::Stream;
use crate::ports::{ETag, Lake, PutCondition, StoreError};
use crate::window::Window;

/// Version of the manifest's shape that this code writes.
pub const MANIFEST_VERSION: u32 = 1;

/// End of every manifest's key.
const SUFFIX: &str = "._manifest.json";

/// One finished collection in bronze.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Shape of this object, [`MANIFEST_VERSION`].
    pub version: u32,
    /// Collection id; unique within the stream.
    pub collection: String,
    /// What was collected.
    pub stream: Stream,
    /// Days that were asked for; `None` for a dimension, which is a snapshot.
    pub window: Option<Window>,
    /// When the collection began; newer collections win ties between versions of a row.
    pub received_at: Timestamp,
    /// The execution that collected.
    pub execution: String,
    /// What was asked, without the key: passes, parameters, time zone, newest change seen.
    pub request: serde_json::Value,
    /// The files in the order they were received.
    pub files: Vec<ManifestFile>,
    /// Rows in all files; a row that was read twice counts twice.
    pub rows: u64,
    /// Bytes of all files as stored.
    pub bytes: u64,
}

/// One file of a collection.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct ManifestFile {
    /// Key in the raw store.
    pub key: String,
    /// Lines.
    pub rows: u64,
    /// Bytes as stored, that is compressed.
    pub bytes: u64,
    /// SHA-256 of the stored bytes, lower-case hex.
    pub sha256: String,
}

/// Why a manifest could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is not a manifest.
    #[error("the manifest {key} cannot be read: {why}; delete it and collect the window again")]
    Damaged {
        /// Key of the manifest.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Manifest {
    /// Where the manifest of a collection lies: `bronze/affise/clicks/date=2026-01-31/<collection>._manifest.json`.
    #[must_use]
    pub fn key(stream: Stream, day: Date, collection: &str) -> String {
        format!("{}/{collection}{SUFFIX}", stream.bronze_day(day))
    }
}

/// Reads one manifest of the raw store.
///
/// # Errors
/// [`ManifestError`] when the store fails or the object is not a manifest of a known version.
pub async fn read_manifest(lake: &Lake, key: &str) -> Result<Manifest, ManifestError> {
    let (bytes, _) = lake.raw.get(key).await?;
    let damaged = |why: String| ManifestError::Damaged {
        key: key.to_owned(),
        why,
    };
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if manifest.version > MANIFEST_VERSION {
        return Err(damaged(format!(
            "it has version {}, this program knows {MANIFEST_VERSION}",
            manifest.version
        )));
    }
    Ok(manifest)
}

/// Writes a manifest, replacing an earlier one of the same collection.
///
/// # Errors
/// [`ManifestError`] when the store fails.
pub async fn write_manifest(
    lake: &Lake,
    key: &str,
    manifest: &Manifest,
) -> Result<ETag, ManifestError> {
    let bytes = serde_json::to_vec_pretty(manifest).map_err(|error| ManifestError::Damaged {
        key: key.to_owned(),
        why: error.to_string(),
    })?;
    Ok(lake
        .raw
        .put(key, bytes.into(), PutCondition::Always)
        .await?)
}

/// Keys of every finished collection of a stream, oldest collection day first.
///
/// # Errors
/// [`StoreError`] when the listing fails.
pub async fn list_manifests(lake: &Lake, stream: Stream) -> Result<Vec<String>, StoreError> {
    let listing = lake
        .raw
        .list(&format!("{}/", stream.bronze_prefix()))
        .await?;
    listing
        .try_filter_map(|meta| async move { Ok(meta.key.ends_with(SUFFIX).then_some(meta.key)) })
        .try_collect()
        .await
}
