//! One call to AWS: paced, counted, and its failure told in words.
//!
//! Every port goes through [`Clients::call`](super::Clients::call), so that pacing, the count of calls, the
//! badge of throttling and the words of an error exist once.

use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_sdk_s3::{
    config::{
        ConfigBag, Intercept, RuntimeComponents, http::HttpResponse,
        interceptors::FinalizerInterceptorContextRef,
    },
    error::{BoxError, ProvideErrorMetadata, SdkError},
};

use lakehand_ops::{OpsError, OpsErrorKind};
use lakehand_pipeline::text::for_terminal;

/// An API of a service, with the part of its quota that we allow ourselves: a bucket of calls and its refill a
/// second, at most a quarter of what AWS grants an account, because people share it with the pipeline
/// (`reference/console-anchors.md`, cheap AWS polling).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Api {
    /// `states`, `athena`, …: as IAM writes it.
    pub service: &'static str,
    /// `ListExecutions`.
    pub operation: &'static str,
    /// Calls at once, and calls a second; `None`: not limited by us.
    pub pace: Option<(f64, f64)>,
}

impl Api {
    /// An API that we do not pace.
    pub(super) const fn free(service: &'static str, operation: &'static str) -> Self {
        Self {
            service,
            operation,
            pace: None,
        }
    }

    /// An API of which we take at most `burst` calls at once and `per_second` in the long run.
    pub(super) const fn paced(
        service: &'static str,
        operation: &'static str,
        burst: f64,
        per_second: f64,
    ) -> Self {
        Self {
            service,
            operation,
            pace: Some((burst, per_second)),
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.operation)
    }
}

/// What kind of failure a call met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallFailure {
    /// What was named is not there.
    NotFound,
    /// Something is already so: a name is taken, a crawler runs, a condition of a PUT does not hold.
    Conflict,
    /// Too many calls, also after the SDK's own tries.
    Throttled,
    /// The operator's own credentials are missing, wrong or expired.
    Credentials,
    /// The clock of this machine differs from AWS's by more than a signature may be old.
    Clock,
    /// The operator may not do it.
    Denied,
    /// The request itself is wrong.
    Refused,
    /// No answer in time, no connection, a cut answer, a fault of the service.
    Transient,
    /// Whatever else.
    Other,
}

/// A call that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{api} on {on} failed: {code}: {message}{}", request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default())]
pub(super) struct CallError {
    /// What was called.
    pub api: &'static str,
    /// On what.
    pub on: String,
    /// AWS's name of the error, or ours in AWS's manner: `Timeout`, `DispatchFailure`, `ResponseError`.
    pub code: String,
    /// AWS's words, without steering characters.
    pub message: String,
    /// For AWS's support.
    pub request_id: Option<String>,
    /// What kind.
    pub failure: CallFailure,
}

impl CallError {
    /// One line of advice.
    pub(super) fn advice(&self) -> &'static str {
        match self.failure {
            CallFailure::NotFound => {
                "check region, profile and names; `lakehand config show` prints what is in force"
            }
            CallFailure::Conflict => "somebody else was faster; look again, then decide",
            CallFailure::Throttled => {
                "AWS limits calls of this account; wait a minute and try again"
            }
            CallFailure::Credentials => {
                "sign in again: press L in the console, or run `aws sso login` for your profile"
            }
            CallFailure::Clock => {
                "the clock of this machine is wrong; set it (`timedatectl status` shows how it stands), then try again"
            }
            CallFailure::Denied => {
                "your role lacks this right; the README lists the operator's IAM policies"
            }
            CallFailure::Refused => "compare the profile's names with what is deployed",
            CallFailure::Transient => {
                "check network, region and endpoint (AWS_ENDPOINT_URL left over from a test?), then try again"
            }
            CallFailure::Other => {
                "look the error up in the service's documentation, or ask AWS with the request id"
            }
        }
    }

    /// Whether the same call may succeed later without a change.
    pub(super) fn is_transient(&self) -> bool {
        matches!(
            self.failure,
            CallFailure::Throttled | CallFailure::Transient
        )
    }

    /// The failure of a call whose answer lacks what it is for.
    pub(super) fn empty(api: Api, on: &str) -> Self {
        Self {
            api: api.operation,
            on: on.to_owned(),
            code: "EmptyAnswer".to_owned(),
            message: "the answer lacks what was asked for".to_owned(),
            request_id: None,
            failure: CallFailure::Transient,
        }
    }

    /// The error of a call as the SDK reports it.
    pub(super) fn of<E, R>(api: Api, on: &str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: fmt::Debug + 'static,
    {
        let (code, message) = match error {
            SdkError::ServiceError(service) => {
                let error = service.err();
                let code = error.code();
                let code = code.unwrap_or_else(|| code_of_status(service.raw()));
                (
                    code.to_owned(),
                    error.message().unwrap_or("no further word").to_owned(),
                )
            }
            SdkError::TimeoutError(_) => ("Timeout".to_owned(), "no answer in time".to_owned()),
            SdkError::DispatchFailure(failure) => (
                "DispatchFailure".to_owned(),
                chain(
                    failure
                        .as_connector_error()
                        .map(|error| error as &(dyn std::error::Error + 'static)),
                ),
            ),
            SdkError::ResponseError(_) => (
                "ResponseError".to_owned(),
                "the answer was cut off or not what the service promises".to_owned(),
            ),
            other => (
                "ConstructionFailure".to_owned(),
                chain(std::error::Error::source(other)),
            ),
        };
        let request_id = match error {
            SdkError::ServiceError(service) => service
                .err()
                .meta()
                .extra("aws_request_id")
                .map(str::to_owned),
            _ => None,
        };
        let failure = failure_of(&code, &message, error);
        Self {
            api: api.operation,
            on: on.to_owned(),
            message: for_terminal(&message).into_owned(),
            code,
            request_id,
            failure,
        }
    }
}

/// The name of an error that came without one, as HEAD is answered: there is no body that could tell it.
fn code_of_status(answer: &dyn Any) -> &'static str {
    let answer = answer.downcast_ref::<HttpResponse>();
    match answer.map_or(0, |answer| answer.status().as_u16()) {
        403 => "Forbidden",
        404 => "NotFound",
        429 | 503 => "SlowDown",
        500.. => "InternalError",
        _ => "UnknownError",
    }
}

/// An error and what is behind it, in one line.
fn chain(error: Option<&(dyn std::error::Error + 'static)>) -> String {
    let mut text = String::new();
    let mut next = error;
    while let Some(error) = next {
        let words = error.to_string();
        if !text.ends_with(&words) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&words);
        }
        next = error.source();
    }
    if text.is_empty() {
        "no connection".to_owned()
    } else {
        text
    }
}

const EXPIRED: [&str; 8] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "TokenRefreshRequired",
];
/// Words of a signature that is refused for its time. The SDK corrects a clock that is off where an answer says the
/// time; this is for those that do not.
const SKEWED: [&str; 3] = [
    "signature expired",
    "signature not yet current",
    "time too skewed",
];
const THROTTLED: [&str; 9] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
    "ProvisionedThroughputExceededException",
    "RequestThrottled",
    "RequestThrottledException",
];

fn failure_of<E, R>(code: &str, message: &str, error: &SdkError<E, R>) -> CallFailure {
    let lower = message.to_ascii_lowercase();
    let without_credentials = lower.contains("credential")
        || lower.contains("sso")
        || lower.contains("token has expired");
    if code == "RequestTimeTooSkewed" || SKEWED.iter().any(|words| lower.contains(words)) {
        return CallFailure::Clock;
    }
    if EXPIRED.contains(&code)
        || (!matches!(error, SdkError::ServiceError(_)) && without_credentials)
    {
        return CallFailure::Credentials;
    }
    if THROTTLED.contains(&code) || lower.contains("rate exceeded") {
        return CallFailure::Throttled;
    }
    if code.contains("AccessDenied") || code.contains("NotAuthorized") || code == "Forbidden" {
        return CallFailure::Denied;
    }
    let not_found = ["NotFound", "DoesNotExist", "NoSuch", "NotExist"];
    if not_found.iter().any(|word| code.contains(word)) {
        return CallFailure::NotFound;
    }
    let conflict = [
        "AlreadyExists",
        "AlreadyOwned",
        "PreconditionFailed",
        "Conflict",
        "RunningException",
        "StoppingException",
        "NotRedrivable",
    ];
    if conflict.iter().any(|word| code.contains(word)) {
        return CallFailure::Conflict;
    }
    match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
            CallFailure::Transient
        }
        SdkError::ServiceError(_)
            if ["Internal", "ServiceUnavailable", "ServiceException"]
                .iter()
                .any(|word| code.contains(word)) =>
        {
            CallFailure::Transient
        }
        SdkError::ServiceError(_)
            if ["Validation", "Invalid", "Malformed"]
                .iter()
                .any(|word| code.contains(word)) =>
        {
            CallFailure::Refused
        }
        _ => CallFailure::Other,
    }
}

impl From<CallError> for OpsError {
    fn from(error: CallError) -> Self {
        let kind = match error.failure {
            CallFailure::NotFound => OpsErrorKind::NotFound,
            CallFailure::Conflict => OpsErrorKind::Conflict,
            CallFailure::Refused => OpsErrorKind::InvalidInput,
            CallFailure::Credentials => OpsErrorKind::SignedOut,
            _ => OpsErrorKind::Platform,
        };
        Self::new(kind, error.to_string(), error.advice())
    }
}

/// What the calls of a profile came to: for the header's badge, the Activity screen and `status`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    /// Calls by `service:Operation`.
    pub calls: BTreeMap<String, u64>,
    /// Answers that said "too many calls", the SDK's own tries included.
    pub throttled: u64,
}

/// Counts calls and refusals, and paces what is scarce.
#[derive(Debug, Default)]
pub(super) struct Meter {
    traffic: Mutex<Traffic>,
    last_throttled: Mutex<Option<Instant>>,
    signed_out: Mutex<Option<String>>,
    buckets: Mutex<BTreeMap<&'static str, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// Takes a token, or says how long to wait for one.
    fn take(&mut self, (burst, per_second): (f64, f64), now: Instant) -> Option<Duration> {
        let refill = now.saturating_duration_since(self.filled).as_secs_f64() * per_second;
        self.tokens = (self.tokens + refill).min(burst);
        self.filled = now;
        self.tokens -= 1.0;
        (self.tokens < 0.0).then(|| Duration::from_secs_f64(-self.tokens / per_second))
    }
}

impl Meter {
    /// Waits until the call fits into our share of its quota, then counts it.
    pub(super) async fn admit(&self, api: Api) {
        let wait = api.pace.and_then(|pace| {
            let now = Instant::now();
            let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = Bucket {
                tokens: pace.0,
                filled: now,
            };
            buckets
                .entry(api.operation)
                .or_insert(fresh)
                .take(pace, now)
        });
        if let Some(wait) = wait {
            tokio::time::sleep(wait).await;
        }
        let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        *traffic.calls.entry(api.to_string()).or_default() += 1;
    }

    /// What the calls came to so far.
    pub(super) fn traffic(&self) -> Traffic {
        self.traffic
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How long ago AWS last said "too many calls".
    pub(super) fn throttled_ago(&self) -> Option<Duration> {
        let last = self
            .last_throttled
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        last.map(|at| at.elapsed())
    }

    /// Notices whether the operator's credentials work: every call tells.
    pub(super) fn answered(&self, error: Option<&CallError>) {
        let refused = error.filter(|error| error.failure == CallFailure::Credentials);
        // A call that never arrived says nothing about credentials.
        if refused.is_none() && error.is_some_and(|error| error.failure == CallFailure::Transient) {
            return;
        }
        *self
            .signed_out
            .lock()
            .unwrap_or_else(PoisonError::into_inner) =
            refused.map(|error| format!("{}: {}", error.code, error.message));
    }

    /// Why the operator's credentials do not work, if the last call was refused for them.
    pub(super) fn signed_out(&self) -> Option<String> {
        self.signed_out
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn throttled(&self) {
        self.traffic
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .throttled += 1;
        *self
            .last_throttled
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// Sees every try of every call, also those that the SDK repeats by itself: throttling is shown, never hidden.
#[derive(Debug, Clone)]
pub(super) struct Watch(pub Arc<Meter>);

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "LakehandWatch"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let status = context
            .response()
            .map(|response| response.status().as_u16());
        let told = || {
            let error = context
                .output_or_error()
                .and_then(Result::err)
                .map(|error| format!("{error:?}"));
            error.is_some_and(|text| {
                THROTTLED
                    .iter()
                    .any(|code| text.contains(&format!("\"{code}\"")))
            })
        };
        if status == Some(429) || (status.is_some_and(|status| status >= 400) && told()) {
            self.0.throttled();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::{
        error::ErrorMetadata, operation::head_object::HeadObjectError, primitives::SdkBody,
    };

    use super::*;

    /// S3 answers HEAD without a body, so only the status tells.
    #[test]
    fn an_answer_without_a_body_is_known_by_its_status() {
        let failure = |status: u16| {
            let error = HeadObjectError::generic(ErrorMetadata::builder().build());
            let answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
            let error = SdkError::service_error(error, answer);
            CallError::of(Api::free("s3", "HeadObject"), "s3://b/k", &error).failure
        };
        for (status, wanted) in [
            (400, CallFailure::Other),
            (403, CallFailure::Denied),
            (404, CallFailure::NotFound),
            (429, CallFailure::Throttled),
            (500, CallFailure::Transient),
            (503, CallFailure::Throttled),
            (504, CallFailure::Transient),
        ] {
            assert_eq!(failure(status), wanted, "{status}");
        }
    }

    #[test]
    fn a_bucket_lets_a_burst_through_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket {
            tokens: 2.0,
            filled: start,
        };
        let pace = (2.0, 4.0);
        assert_eq!(bucket.take(pace, start), None);
        assert_eq!(bucket.take(pace, start), None);
        assert_eq!(bucket.take(pace, start), Some(Duration::from_millis(250)));
        assert_eq!(
            bucket.take(pace, start),
            Some(Duration::from_millis(500)),
            "those that wait stand in line"
        );
        assert_eq!(
            bucket.take(pace, start + Duration::from_secs(60)),
            None,
            "and after a rest there is a burst again"
        );
    }
}
