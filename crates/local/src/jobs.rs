//! Pipeline jobs as the embedded Lambda: each call gets the profile's ports, and a stand-in source
//! where the lake holds sample data.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use serde_json::Value;

use super::{
    imports::{self, Ends},
    workflows::{JobCall, JobRunner},
};
use lakehand_config::Profile;
use lakehand_host::Overridden;
use lakehand_host::StandIn;
use lakehand_pipeline::{
    jobs::{self, ErrorType, JobContext, JobError},
    ports::{Clock, Lake, ParameterStore, QueryEngine},
};

/// Runs jobs in this process.
#[derive(Debug)]
pub struct LocalJobs {
    /// Settings.
    pub profile: Arc<Profile>,
    /// Buckets.
    pub lake: Lake,
    /// Credentials.
    pub parameters: Arc<dyn ParameterStore>,
    /// SQL.
    pub engine: Arc<dyn QueryEngine>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Set once at start where sample data is possible.
    pub stand_in: Arc<OnceLock<Arc<dyn StandIn>>>,
    /// What imports of this process ended with.
    pub imports: Arc<Ends>,
}

impl LocalJobs {
    /// The context of one call.
    ///
    /// # Errors
    /// When the stand-in of a sample lake does not start.
    pub async fn context(&self, call: JobCall) -> Result<JobContext, JobError> {
        let (profile, parameters) = self.source().await?;
        Ok(JobContext {
            profile,
            lake: self.lake.clone(),
            parameters,
            engine: Arc::clone(&self.engine),
            clock: Arc::clone(&self.clock),
            log: call.log,
            cancel: call.cancel,
            execution: call.execution,
        })
    }

    /// Settings and credentials of the real source, or of the one that stands in for it.
    async fn source(&self) -> Result<(Arc<Profile>, Arc<dyn ParameterStore>), JobError> {
        let own = || (Arc::clone(&self.profile), Arc::clone(&self.parameters));
        let Some(stand_in) = self.stand_in.get() else {
            return Ok(own());
        };
        let played = stand_in.sources(&self.profile).await.map_err(|why| {
            JobError::new(ErrorType::TransientSourceError, format!("the simulator behind this sample lake did not start: {why}; redrive the execution"))
        })?;
        let Some(played) = played else {
            return Ok(own());
        };
        let parameters = Overridden {
            inner: Arc::clone(&self.parameters),
            values: played.credentials,
        };
        Ok((played.profile, Arc::new(parameters)))
    }
}

#[async_trait]
impl JobRunner for LocalJobs {
    async fn run(&self, job: &str, input: Value, call: JobCall) -> Result<Value, JobError> {
        let context = self.context(call).await?;
        match imports::run_job(&self.imports, job, &input, &context).await {
            Some(end) => end,
            None => jobs::run(job, input, &context).await,
        }
    }
}
