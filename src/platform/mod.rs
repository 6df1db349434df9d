//! Where it runs: a profile becomes a bundle of ports.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use secrecy::SecretString;

use crate::{
    ops::{OpsError, OpsErrorKind},
    pipeline::ports::{ParameterError, ParameterStore, StoreError},
};

#[cfg(feature = "local")]
pub mod local;

#[cfg(feature = "local")]
pub use local::{Platform, WeakPlatform};

/// A source that stands in for the real one: the simulator behind sample data.
#[async_trait]
pub trait StandIn: Send + Sync + fmt::Debug {
    /// Address and key of the Affise to collect from instead of the configured one, if the lake holds
    /// sample data. Starts the stand-in when it does not run yet.
    async fn affise(&self) -> Result<Option<(String, SecretString)>, String>;
    /// The sources it plays, with credentials of its own, in this lake; starts nothing.
    async fn plays(&self) -> Vec<&'static str> {
        Vec::new()
    }
    /// Makes the lake a sample lake, collects into it and builds the report; returns the first execution.
    async fn start_sample(&self) -> crate::ops::OpsResult<crate::ops::ExecutionId>;
}

/// Why a platform could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// A folder of the profile cannot be used.
    #[error("could not open the lake of profile {profile} in {folder}: {source}")]
    Lake {
        /// Profile.
        profile: String,
        /// Folder.
        folder: String,
        /// Why.
        source: Box<StoreError>,
    },
    /// The file of executions cannot be used.
    #[error("could not open the execution store of profile {profile}: {source}")]
    Executions {
        /// Profile.
        profile: String,
        /// Why.
        source: Box<OpsError>,
    },
}

impl From<PlatformError> for OpsError {
    fn from(error: PlatformError) -> Self {
        Self::new(
            OpsErrorKind::Platform,
            error.to_string(),
            "check the disk and the permissions of the data folder; `lakehand config path` names it",
        )
    }
}

/// Parameters with one path answered by somebody else; used while a stand-in plays a source.
#[derive(Debug)]
struct Overridden {
    inner: Arc<dyn ParameterStore>,
    path: String,
    value: SecretString,
}

#[async_trait]
impl ParameterStore for Overridden {
    async fn get(&self, path: &str) -> Result<SecretString, ParameterError> {
        if path == self.path {
            Ok(self.value.clone())
        } else {
            self.inner.get(path).await
        }
    }

    async fn put(&self, path: &str, value: SecretString) -> Result<u64, ParameterError> {
        self.inner.put(path, value).await
    }
}
