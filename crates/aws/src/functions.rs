//! What the jobs of the pipeline get on AWS: the two buckets, the credentials, Athena. The deployed functions have
//! nothing else; the operator's console has this and more.

use std::sync::Arc;

use aws_config::ConfigLoader;
use tokio_util::sync::CancellationToken;

use super::{Clients, athena::AthenaEngine, s3::S3Store, ssm::Parameters};
use lakehand_config::Profile;
use lakehand_host::PlatformError;
use lakehand_pipeline::{
    jobs::{JobContext, JobLog},
    ports::{Clock, Lake, ParameterStore, QueryEngine, StoreError},
};

/// The ports of a profile's jobs.
#[derive(Debug, Clone)]
pub struct Functions {
    profile: Arc<Profile>,
    clients: Clients,
    lake: Lake,
    parameters: Arc<Parameters>,
    engine: Arc<AthenaEngine>,
    clock: Arc<dyn Clock>,
}

impl Functions {
    /// Opens what the profile names, with credentials of the SDK's chain. No service is called.
    ///
    /// # Errors
    /// [`PlatformError::Lake`] when this machine has no folder for temporary files.
    pub async fn open(profile: Arc<Profile>) -> Result<Self, PlatformError> {
        let clients = Clients::open(&profile).await;
        Self::of(profile, clients)
    }

    /// As [`Functions::open`], with a configuration of the SDK that was begun elsewhere, such as with credentials of
    /// a test's own.
    ///
    /// # Errors
    /// [`PlatformError::Lake`] when this machine has no folder for temporary files.
    pub async fn open_with(
        profile: Arc<Profile>,
        sdk: ConfigLoader,
    ) -> Result<Self, PlatformError> {
        let clients = Clients::open_with(&profile, sdk).await;
        Self::of(profile, clients)
    }

    /// The ports on clients that are there already.
    pub(super) fn of(profile: Arc<Profile>, clients: Clients) -> Result<Self, PlatformError> {
        let prefix = &profile.aws.prefix;
        let store = |bucket: &str| {
            S3Store::open(&clients, bucket, prefix).map_err(|source: StoreError| {
                PlatformError::Lake {
                    profile: profile.name.clone(),
                    folder: format!("s3://{bucket}/{prefix}"),
                    source: Box::new(source),
                }
            })
        };
        let lake = Lake {
            raw: Arc::new(store(&profile.raw_bucket())?),
            std: Arc::new(store(&profile.std_bucket())?),
        };
        Ok(Self {
            lake,
            parameters: Arc::new(Parameters::new(&clients, &profile.aws)),
            engine: Arc::new(AthenaEngine::new(&clients, &profile)),
            clock: Arc::clone(&clients.clock),
            clients,
            profile,
        })
    }

    /// The context of one job.
    #[must_use]
    pub fn context(
        &self,
        execution: String,
        log: Arc<dyn JobLog>,
        cancel: CancellationToken,
    ) -> JobContext {
        JobContext {
            profile: Arc::clone(&self.profile),
            lake: self.lake.clone(),
            parameters: Arc::clone(&self.parameters) as Arc<dyn ParameterStore>,
            engine: Arc::clone(&self.engine) as Arc<dyn QueryEngine>,
            clock: Arc::clone(&self.clock),
            log,
            cancel,
            execution,
        }
    }

    /// The clients behind the ports.
    #[cfg(feature = "lambda")]
    pub(super) fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    /// The two buckets.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// Credentials.
    #[must_use]
    pub fn parameters(&self) -> &Arc<Parameters> {
        &self.parameters
    }

    /// SQL.
    #[must_use]
    pub fn engine(&self) -> &Arc<AthenaEngine> {
        &self.engine
    }

    /// Time.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}
