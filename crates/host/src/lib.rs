//! What the platforms share: keys of objects, the built-in definitions, sign-ins, stand-ins for the sources.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod catalog_types;
pub mod definitions;
pub mod keys;
pub mod sign_in;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use lakehand_config::Profile;
use lakehand_ops::{OpsError, OpsErrorKind};
use lakehand_pipeline::{
    jobs::{JobLog, Level},
    ports::{ParameterError, ParameterStore, StoreError},
};
use secrecy::SecretString;

/// What a stand-in is collected with instead of what is configured.
#[derive(Debug, Clone)]
pub struct Played {
    /// Settings that lead to the stand-in.
    pub profile: Arc<Profile>,
    /// Its credentials, by the paths of the profile.
    pub credentials: Vec<(String, SecretString)>,
}

/// Sources that stand in for the real ones: the simulator behind sample data.
#[async_trait]
pub trait StandIn: Send + Sync + fmt::Debug {
    /// What to collect with instead of `profile`, if the lake holds sample data. Starts the stand-in when it
    /// does not run yet.
    async fn sources(&self, profile: &Profile) -> Result<Option<Played>, String>;
    /// The sources it plays, with credentials of its own, in this lake; starts nothing.
    async fn plays(&self) -> Vec<&'static str> {
        Vec::new()
    }
    /// Whether the lake holds sample data; asked for with every answer, so it costs no more than a look.
    fn holds_sample(&self) -> bool {
        false
    }
    /// Makes the lake a sample lake, collects into it and builds the report; returns the first execution.
    async fn start_sample(&self) -> lakehand_ops::OpsResult<lakehand_ops::ExecutionId>;
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
    /// The program was built without what the profile names.
    #[error(
        "the profile {profile} is on AWS, and this program was built without the feature `aws`"
    )]
    NotBuilt {
        /// Profile.
        profile: String,
    },
}

impl From<PlatformError> for OpsError {
    fn from(error: PlatformError) -> Self {
        match &error {
            // The store knows whether it is a folder of this machine or a bucket.
            PlatformError::Lake {
                profile,
                folder,
                source,
            } => Self::of_store(
                &format!("could not open the lake of profile {profile} in {folder}"),
                source,
            ),
            PlatformError::Executions { .. } => Self::new(
                OpsErrorKind::Platform,
                error.to_string(),
                "check the disk and the permissions of the data folder; `lakehand config path` names it",
            ),
            PlatformError::NotBuilt { .. } => Self::new(
                OpsErrorKind::InvalidInput,
                error.to_string(),
                "use a build with that feature, or another profile",
            ),
        }
    }
}

/// The log of a job that no execution holds.
#[derive(Debug)]
pub struct StandardError;

impl JobLog for StandardError {
    fn line(&self, level: Level, message: &str) {
        if level >= Level::Warn {
            // Standard error may be closed; a job does not end for that.
            let message = lakehand_pipeline::text::for_terminal(message);
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{message}\n"));
        }
    }

    fn progress(&self, _message: &str) {}
}

/// Parameters with some paths answered by somebody else; used while a stand-in plays a source.
#[derive(Debug)]
pub struct Overridden {
    /// Where the others are.
    pub inner: Arc<dyn ParameterStore>,
    /// Path and value.
    pub values: Vec<(String, SecretString)>,
}

#[async_trait]
impl ParameterStore for Overridden {
    async fn get(&self, path: &str) -> Result<SecretString, ParameterError> {
        match self.values.iter().find(|(own, _)| own == path) {
            Some((_, value)) => Ok(value.clone()),
            None => self.inner.get(path).await,
        }
    }

    async fn put(&self, path: &str, value: SecretString) -> Result<u64, ParameterError> {
        self.inner.put(path, value).await
    }
}
