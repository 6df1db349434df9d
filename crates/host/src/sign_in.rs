//! Signing in to a source to see whether it accepts the credentials: the same code that a collection signs in with,
//! only that somebody is waiting.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;

use crate::Overridden;
use lakehand_config::Profile;
use lakehand_ops::{SignInResult, SignInVerdict, credentials::needed};
use lakehand_pipeline::{
    collect,
    jobs::{ErrorType, JobContext, JobLog, Level},
    ports::ParameterError,
    text::for_terminal,
};

/// A sign-in that takes longer has no clear answer; less than the console's own limit of a call.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tries of a request of a sign-in: somebody is waiting.
const TRIES: u32 = 2;

/// The name of the execution that a sign-in has in its context.
pub fn execution(source: &str) -> String {
    format!("sign-in:{source}")
}

/// Signs in with the credentials of a context, one of them replaced by a candidate. That the source refuses is a
/// result.
///
/// # Errors
/// [`ParameterError::Failed`] when the store of credentials cannot be read.
pub async fn sign_in(
    mut context: JobContext,
    source: &str,
    candidate: Option<(String, SecretString)>,
) -> Result<SignInResult, ParameterError> {
    context.profile = Arc::new(impatient(&context.profile));
    if let Some((path, value)) = candidate {
        context.parameters = Arc::new(Overridden {
            inner: context.parameters,
            values: vec![(path, value)],
        });
    }
    for one in needed(&context.profile)
        .iter()
        .filter(|one| one.sources.contains(&source))
    {
        match context.parameters.get(&one.path).await {
            Ok(_) => {}
            Err(missing @ ParameterError::Missing { .. }) => {
                return Ok(told(source, SignInVerdict::Missing, &missing.to_string()));
            }
            Err(other) => return Err(other),
        }
    }
    let answer = tokio::time::timeout(PATIENCE, collect::sign_in(&context, source)).await;
    Ok(match answer {
        Ok(Ok(signed_in)) => SignInResult {
            at: Some(signed_in.at),
            warning: signed_in.warning,
            ..told(source, SignInVerdict::Accepted, &signed_in.account)
        },
        Ok(Err(error)) if error.error_type == ErrorType::BadCredentials => {
            told(source, SignInVerdict::Refused, &error.message)
        }
        Ok(Err(error)) => unclear(source, &error.message),
        Err(_) => {
            let seconds = PATIENCE.as_secs();
            unclear(source, &format!("{source} gave no answer in {seconds} s"))
        }
    })
}

/// A sign-in without a clear answer.
pub fn unclear(source: &str, why: &str) -> SignInResult {
    told(source, SignInVerdict::Unclear, why)
}

fn told(source: &str, verdict: SignInVerdict, message: &str) -> SignInResult {
    SignInResult {
        source: source.to_owned(),
        verdict,
        message: for_terminal(message).into_owned(),
        at: None,
        warning: None,
    }
}

/// The profile with few tries and short waits.
fn impatient(profile: &Profile) -> Profile {
    let mut profile = Profile::clone(profile);
    let seconds = PATIENCE.as_secs();
    let hurry = |attempts: &mut u32, timeout: &mut u64, deadline: &mut u64, wait: &mut u64| {
        *attempts = (*attempts).min(TRIES);
        *timeout = (*timeout).min(seconds);
        *deadline = (*deadline).min(seconds);
        *wait = (*wait).min(1_000);
    };
    let affise = &mut profile.affise;
    hurry(
        &mut affise.attempts,
        &mut affise.request_timeout_seconds,
        &mut affise.deadline_seconds,
        &mut affise.max_retry_wait_ms,
    );
    if let Some(marketo) = &mut profile.marketo {
        hurry(
            &mut marketo.attempts,
            &mut marketo.request_timeout_seconds,
            &mut marketo.deadline_seconds,
            &mut marketo.max_retry_wait_ms,
        );
    }
    if let Some(ga4) = &mut profile.ga4 {
        hurry(
            &mut ga4.attempts,
            &mut ga4.request_timeout_seconds,
            &mut ga4.deadline_seconds,
            &mut ga4.max_retry_wait_ms,
        );
    }
    if let Some(ga3) = &mut profile.ga3 {
        hurry(
            &mut ga3.attempts,
            &mut ga3.request_timeout_seconds,
            &mut ga3.deadline_seconds,
            &mut ga3.max_retry_wait_ms,
        );
    }
    profile
}

/// A sign-in has no log of its own: its result says everything.
#[derive(Debug)]
pub struct Silent;

impl JobLog for Silent {
    fn line(&self, _level: Level, _message: &str) {}

    fn progress(&self, _message: &str) {}
}
