//! The settings of a deployed function, from its environment.

use std::{fmt, sync::Arc};

use futures::TryStreamExt;

use crate::{Clients, call::CallError, functions::Functions, s3};
use lakehand_config::{Config, Home, PlatformKind, Profile};
use lakehand_pipeline::{
    jobs::{ErrorType, JobError},
    text::for_terminal,
};

/// `s3://bucket/key` of the configuration, which holds no secrets.
const URI: &str = "LAKEHAND_CONFIG_URI";
/// The configuration itself.
const TEXT: &str = "LAKEHAND_CONFIG";
/// The profile in it; the configuration's own default when it is absent.
const PROFILE: &str = "LAKEHAND_PROFILE";
/// Where the Lambda runtime listens.
const API: &str = "AWS_LAMBDA_RUNTIME_API";

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether Lambda started this program.
pub(super) fn check_host() -> Result<(), String> {
    let needed = [
        API,
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
    ];
    match needed.into_iter().find(|name| variable(name).is_none()) {
        Some(name) => Err(format!(
            "{name} is not set: this program is what AWS Lambda runs; on a machine use `lakehand`"
        )),
        None => Ok(()),
    }
}

/// Tells the runtime why the function cannot start; returns why.
pub(super) async fn tell_init_error(error_type: &str, why: String) -> String {
    let url = format!(
        "http://{}/2018-06-01/runtime/init/error",
        variable(API).unwrap_or_default()
    );
    let body = serde_json::json!({ "errorType": error_type, "errorMessage": why });
    let client = reqwest::Client::builder().no_proxy().build();
    let told = match client {
        Ok(client) => client
            .post(url)
            .body(body.to_string())
            .send()
            .await
            .map(drop),
        Err(error) => Err(error),
    };
    match told {
        Ok(()) => why,
        Err(error) => format!("{why} (and the runtime could not be told: {error})"),
    }
}

/// The ports of the function's profile.
///
/// # Errors
/// `InvalidInput` with one sentence: which variable or object is wrong, and why; `TransientPlatformError` when the
/// object cannot be read for now.
pub(super) async fn ports() -> Result<Functions, JobError> {
    let home = Home::below(&std::env::temp_dir().join("lakehand"));
    let (text, from) = match (variable(TEXT), variable(URI)) {
        (Some(text), _) => (text, TEXT.to_owned()),
        (None, Some(uri)) => (object(&uri, &home).await?, uri),
        (None, None) => {
            return Err(unusable(format!(
                "neither {URI} nor {TEXT} is set; deploy the function's stack again"
            )));
        }
    };
    let profile = profile(&text, &home).map_err(|why| {
        unusable(format!(
            "the settings in {} cannot be used: {why}",
            for_terminal(&from)
        ))
    })?;
    Functions::open(Arc::new(profile)).await.map_err(unusable)
}

/// Settings that somebody has to mend.
fn unusable(why: impl fmt::Display) -> JobError {
    JobError::new(ErrorType::InvalidInput, why.to_string())
}

/// Settings that could not be read: what passes by itself says nothing against them.
fn unread(error: &CallError) -> JobError {
    let why = format!("{error}; {}", error.advice());
    if error.is_transient() {
        JobError::new(ErrorType::TransientPlatformError, why)
    } else {
        unusable(why)
    }
}

fn profile(text: &str, home: &Home) -> Result<Profile, String> {
    let config = Config::parse(text, home).map_err(|error| error.to_string())?;
    let name = variable(PROFILE);
    let profile = config
        .profile(name.as_deref())
        .map_err(|error| error.to_string())?;
    if profile.platform != PlatformKind::Aws {
        return Err(format!(
            "the profile {} is not on AWS; name another with {PROFILE}",
            profile.name
        ));
    }
    let mut profile = profile.clone();
    // The operator's own login; a function has its role.
    profile.aws.sdk_profile = None;
    Ok(profile)
}

/// The text of an object.
async fn object(uri: &str, home: &Home) -> Result<String, JobError> {
    let place = uri
        .strip_prefix("s3://")
        .and_then(|rest| rest.split_once('/'));
    let (bucket, key) = place.ok_or_else(|| {
        unusable(format!(
            "{URI} is '{}' and should be s3://bucket/key",
            for_terminal(uri)
        ))
    })?;
    let plain = Config::parse("[profiles.start]\nplatform = \"aws\"\n", home).map_err(unusable)?;
    let plain = plain.profile(Some("start")).map_err(unusable)?;
    let clients = Clients::open(plain).await;
    let (_, body) = s3::object(&clients, bucket, key)
        .await
        .map_err(|error| unread(&error))?;
    let pieces: Vec<bytes::Bytes> = body.try_collect().await?;
    String::from_utf8(pieces.concat()).map_err(|_| unusable(format!("{uri} is no UTF-8 text")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_function_ignores_the_operators_own_login() {
        let home = Home::below(Path::new("/x"));
        let text = "profile = 'prod'\n[profiles.prod]\nplatform = 'aws'\n[profiles.prod.aws]\nsdk_profile = 'jane'\nraw_bucket = 'r'\n";
        let own = profile(text, &home).unwrap();
        assert_eq!(
            (own.aws.sdk_profile, own.aws.raw_bucket.as_deref()),
            (None, Some("r"))
        );
        assert!(profile("", &home).unwrap_err().contains("not on AWS"));
    }
}
