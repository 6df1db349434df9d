//! The deployed platform: every port on the AWS SDK.
//!
//! Nothing here decides what the pipeline or the operator does; it only carries it to S3, Athena, Step Functions,
//! Glue, SSM and CloudWatch Logs, and tells in words what came back. Only this module names an `aws_sdk_*` crate.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod athena;
mod call;
pub mod credentials;
#[cfg(feature = "deploy")]
pub mod deployment;
pub mod functions;
mod glue;
pub mod gold;
mod identity;
#[cfg(feature = "lambda")]
pub mod lambda;
mod logs;
mod platform;
mod probes;
pub mod s3;
mod secrets;
mod sfn;
pub mod ssm;
#[cfg(feature = "deploy")]
pub mod stacks;

pub use platform::Platform;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use aws_config::{
    BehaviorVersion, ConfigLoader, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use futures::future::BoxFuture;
use jiff::Timestamp;

use self::call::{Api, CallError, Meter, Watch};
use lakehand_config::Profile;
use lakehand_pipeline::ports::{Clock, SystemClock};

/// Overrides every other address of AWS.
const ENDPOINT_VARIABLE: &str = "LAKEHAND_ENDPOINT_URL";

/// The clients of one account and region. Making them calls nobody.
#[derive(Clone)]
struct Clients {
    s3: aws_sdk_s3::Client,
    ssm: aws_sdk_ssm::Client,
    secrets: aws_sdk_secretsmanager::Client,
    athena: aws_sdk_athena::Client,
    glue: aws_sdk_glue::Client,
    sfn: aws_sdk_sfn::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    #[cfg(feature = "deploy")]
    cloudformation: aws_sdk_cloudformation::Client,
    sts: aws_sdk_sts::Client,
    region: String,
    meter: Arc<Meter>,
    clock: Arc<dyn Clock>,
}

/// The SDK's own form is long and names access keys.
impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clients").field(&self.region).finish()
    }
}

impl Clients {
    /// Clients as the profile says: the SDK's chain of credentials, time limits and tries for every call.
    async fn open(profile: &Profile) -> Self {
        Self::open_with(profile, aws_config::defaults(BehaviorVersion::latest())).await
    }

    /// As [`Clients::open`], with a configuration that was begun elsewhere.
    async fn open_with(profile: &Profile, begun: ConfigLoader) -> Self {
        Self::of(&sdk_config(profile, begun).await)
    }

    fn of(sdk: &SdkConfig) -> Self {
        let meter = Arc::new(Meter::default());
        let watch = || Watch(Arc::clone(&meter));
        // Emulators and proxies have no host name for each bucket.
        let path_style = sdk.endpoint_url().is_some();
        let s3 = aws_sdk_s3::config::Builder::from(sdk).force_path_style(path_style);
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3.interceptor(watch()).build()),
            ssm: aws_sdk_ssm::Client::from_conf(
                aws_sdk_ssm::config::Builder::from(sdk)
                    .interceptor(watch())
                    .build(),
            ),
            secrets: aws_sdk_secretsmanager::Client::from_conf(
                aws_sdk_secretsmanager::config::Builder::from(sdk)
                    .interceptor(watch())
                    .build(),
            ),
            athena: aws_sdk_athena::Client::from_conf(
                aws_sdk_athena::config::Builder::from(sdk)
                    .interceptor(watch())
                    .build(),
            ),
            glue: aws_sdk_glue::Client::from_conf(
                aws_sdk_glue::config::Builder::from(sdk)
                    .interceptor(watch())
                    .build(),
            ),
            sfn: aws_sdk_sfn::Client::from_conf(
                aws_sdk_sfn::config::Builder::from(sdk)
                    .interceptor(watch())
                    .build(),
            ),
            logs: aws_sdk_cloudwatchlogs::Client::from_conf(
                aws_sdk_cloudwatchlogs::config::Builder::from(sdk)
                    .interceptor(watch())
                    .build(),
            ),
            #[cfg(feature = "deploy")]
            cloudformation: aws_sdk_cloudformation::Client::from_conf(
                aws_sdk_cloudformation::config::Builder::from(sdk)
                    .interceptor(watch())
                    .build(),
            ),
            sts: aws_sdk_sts::Client::from_conf(
                aws_sdk_sts::config::Builder::from(sdk)
                    .interceptor(watch())
                    .build(),
            ),
            region: sdk
                .region()
                .map_or_else(|| "no region".to_owned(), ToString::to_string),
            meter,
            clock: Arc::new(SystemClock),
        }
    }

    /// The same clients by another clock.
    fn by(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// This instant.
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether what was read then is younger than this.
    fn is_young(&self, read: Timestamp, at_most: Duration) -> bool {
        // A clock that was set back makes nothing young.
        let age = Duration::try_from(self.now().duration_since(read));
        age.is_ok_and(|age| age < at_most)
    }

    /// Makes one call: paced, counted, its failure told in words. `on` names what it is about.
    async fn call<T, E, R>(
        &self,
        api: Api,
        on: &str,
        answer: impl Future<Output = Result<T, SdkError<E, R>>> + Send,
    ) -> Result<T, CallError>
    where
        T: Send,
        E: ProvideErrorMetadata + std::error::Error + Send + 'static,
        R: std::fmt::Debug + Send + 'static,
    {
        // The SDK's futures nest so deeply that the compiler gives up on what is built around them.
        let answer: BoxFuture<'_, _> = Box::pin(answer);
        self.meter.admit(api).await;
        let answer = answer.await.map_err(|error| CallError::of(api, on, &error));
        self.meter.answered(answer.as_ref().err());
        answer
    }
}

async fn sdk_config(profile: &Profile, begun: ConfigLoader) -> SdkConfig {
    let settings = &profile.aws;
    let attempts = std::env::var("AWS_MAX_ATTEMPTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(settings.attempts);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(settings.attempt_timeout_seconds))
        .operation_timeout(Duration::from_secs(settings.operation_timeout_seconds))
        .build();
    let mut loader = begun
        .retry_config(RetryConfig::standard().with_max_attempts(attempts))
        .timeout_config(timeouts);
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(name) = &settings.sdk_profile {
        loader = loader.profile_name(name);
    }
    let variable = std::env::var(ENDPOINT_VARIABLE)
        .ok()
        .filter(|text| !text.is_empty());
    if let Some(url) = variable.or_else(|| settings.endpoint_url.clone()) {
        loader = loader.endpoint_url(url);
    }
    loader.load().await
}

/// An instant of the SDK's.
fn instant(time: &aws_sdk_s3::primitives::DateTime) -> Timestamp {
    let nanoseconds = i32::try_from(time.subsec_nanos()).unwrap_or(0);
    // AWS tells instants of our time; what is beyond the calendar is the edge of it.
    Timestamp::new(time.secs(), nanoseconds).unwrap_or(Timestamp::MAX)
}

/// The pages of a listing, each asked for when it is wanted. `page` gets the token of the page before it.
fn pages<T, E, F>(
    page: impl FnMut(Option<String>) -> F,
) -> impl futures::Stream<Item = Result<T, E>>
where
    F: Future<Output = Result<(T, Option<String>), E>>,
{
    futures::stream::try_unfold((page, Some(None)), |(mut page, next)| async move {
        let Some(token) = next else { return Ok(None) };
        let (found, token) = page(token).await?;
        // Some services end a listing with an empty token.
        let next = token.filter(|token: &String| !token.is_empty()).map(Some);
        Ok(Some((found, (page, next))))
    })
}
