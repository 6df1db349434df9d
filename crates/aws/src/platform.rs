//! A profile on AWS: every port, and the operator over them.

use std::sync::{Arc, atomic::AtomicBool};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    Clients,
    athena::WorkgroupStatements,
    credentials::AwsCredentials,
    functions::Functions,
    glue::{AwsCrawlers, AwsJobs},
    gold::AwsGold,
    identity::AwsAccount,
    logs::CloudWatchLogs,
    sfn::StepFunctions,
};
use lakehand_config::Profile;
use lakehand_host::PlatformError;
use lakehand_host::StandardError;
use lakehand_ops::{
    Identity, Operations,
    operator::{Operator, OperatorParts},
};
use lakehand_pipeline::{
    jobs::JobContext,
    ports::{Clock, Lake, QueryEngine},
};

/// A profile's bundle of ports on AWS. Opening it calls no service.
#[derive(Debug, Clone)]
pub struct Platform {
    functions: Functions,
    operator: Arc<Operator>,
    console_open: Arc<AtomicBool>,
}

impl Platform {
    /// Opens what the profile names, with credentials of the SDK's chain.
    ///
    /// # Errors
    /// [`PlatformError::Lake`] when this machine has no folder for temporary files.
    pub async fn open(profile: Arc<Profile>) -> Result<Self, PlatformError> {
        let clients = Clients::open(&profile).await;
        Self::of(profile, clients)
    }

    /// As [`Platform::open`], with a configuration of the SDK that was begun elsewhere, such as with credentials of a
    /// test's own.
    ///
    /// # Errors
    /// As [`Platform::open`].
    pub async fn open_with(
        profile: Arc<Profile>,
        sdk: aws_config::ConfigLoader,
    ) -> Result<Self, PlatformError> {
        let clients = Clients::open_with(&profile, sdk).await;
        Self::of(profile, clients)
    }

    /// As [`Platform::open_with`], by another clock than the machine's.
    ///
    /// # Errors
    /// As [`Platform::open`].
    pub async fn open_at(
        profile: Arc<Profile>,
        sdk: aws_config::ConfigLoader,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PlatformError> {
        let clients = Clients::open_with(&profile, sdk).await.by(clock);
        Self::of(profile, clients)
    }

    fn of(profile: Arc<Profile>, clients: Clients) -> Result<Self, PlatformError> {
        let functions = Functions::of(Arc::clone(&profile), clients.clone())?;
        let workflows = Arc::new(StepFunctions::new(clients.clone(), Arc::clone(&profile)));
        let logs = CloudWatchLogs::new(clients.clone(), Arc::clone(&workflows));
        let crawlers = AwsCrawlers::new(clients.clone(), Arc::clone(&profile));
        let jobs = AwsJobs::new(clients.clone(), Arc::clone(&profile));
        let statements = WorkgroupStatements::new(clients.clone(), &profile);
        let operator = Operator::new(OperatorParts {
            identity: identity(&profile, &clients),
            workflows,
            logs: Arc::new(logs),
            crawlers: Arc::new(crawlers),
            gold: Arc::new(AwsGold::new(functions.clone())),
            lake: functions.lake().clone(),
            credentials: Arc::new(AwsCredentials::new(functions.clone())),
            account: Some(Arc::new(AwsAccount::new(clients, Arc::clone(&profile)))),
            glue_jobs: Some(Arc::new(jobs)),
            statements: Some(Arc::new(statements)),
            clock: Arc::clone(functions.clock()),
            sample: None,
            profile,
        });
        Ok(Self {
            functions,
            operator: Arc::new(operator),
            console_open: Arc::default(),
        })
    }

    /// What the operator can do.
    #[must_use]
    pub fn operations(&self) -> Arc<dyn Operations> {
        self.operator.clone()
    }

    /// The two buckets.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        self.functions.lake()
    }

    /// SQL on Athena.
    #[must_use]
    pub fn query_engine(&self) -> Arc<dyn QueryEngine> {
        self.functions.engine().clone()
    }

    /// A job's context outside any execution: lines go to standard error.
    #[must_use]
    pub fn job_context(&self, task: &str) -> JobContext {
        let execution = format!("{task}-{}", uuid::Uuid::now_v7().simple());
        self.functions
            .context(execution, Arc::new(StandardError), CancellationToken::new())
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        self.functions.profile()
    }

    /// This instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.functions.clock().now()
    }

    /// Whether the console has the terminal.
    #[must_use]
    pub fn console_is_open(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.console_open)
    }
}

/// What is known without a call; the account follows.
fn identity(profile: &Profile, clients: &Clients) -> Identity {
    Identity {
        profile: profile.name.clone(),
        account: String::new(),
        region: clients.region.clone(),
        lake: format!("s3://{}", profile.std_bucket()),
        time_zone: profile.time_zone.iana_name().unwrap_or("UTC").to_owned(),
        read_only: profile.read_only,
        protected: profile.protected,
        has_sample: false,
        is_configured: true,
    }
}
