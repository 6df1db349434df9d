//! Source to bronze: rows as received minus secrets, in files, with a manifest written last.

pub mod manifest;

pub use manifest::{
    Manifest, ManifestError, ManifestFile, list_manifests, read_manifest, write_manifest,
};
