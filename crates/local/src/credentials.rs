//! Credentials of this machine as an operator sees them: versions without values, and sign-ins for real.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::{jobs::LocalJobs, parameters::FileParameters, workflows::JobCall};
use lakehand_host::StandIn;
use lakehand_host::sign_in;
use lakehand_ops::{
    CredentialState, CredentialVersion, NeededCredential, OpsError, OpsErrorKind, OpsResult,
    SignInResult, ports::Credentials,
};
use lakehand_pipeline::{
    jobs::{JobContext, JobError},
    ports::{ParameterError, ParameterReference, ParameterStore},
};

/// The file of parameters, and the jobs' way to the sources.
pub struct LocalCredentials {
    /// The file.
    pub parameters: Arc<FileParameters>,
    /// Makes the same context that a collection has.
    pub jobs: Arc<LocalJobs>,
    /// Who plays the sources of a sample lake.
    pub stand_in: Arc<OnceLock<Arc<dyn StandIn>>>,
}

impl fmt::Debug for LocalCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalCredentials")
            .field(&self.parameters)
            .finish()
    }
}

impl LocalCredentials {
    /// Whether a stand-in brings its own credentials for every one of these sources.
    async fn is_played(&self, sources: &[&'static str]) -> bool {
        match self.stand_in.get() {
            Some(stand_in) => {
                let played = stand_in.plays().await;
                sources.iter().all(|source| played.contains(source))
            }
            None => false,
        }
    }

    async fn context(&self, source: &str) -> Result<JobContext, JobError> {
        let call = JobCall {
            execution: sign_in::execution(source),
            stage: "SignIn".to_owned(),
            attempt: 1,
            log: Arc::new(sign_in::Silent),
            cancel: CancellationToken::new(),
        };
        self.jobs.context(call).await
    }
}

#[async_trait]
impl Credentials for LocalCredentials {
    async fn state(
        &self,
        reference: &ParameterReference,
        needed: &NeededCredential,
    ) -> OpsResult<CredentialState> {
        if self.is_played(&needed.sources).await {
            return Ok(CredentialState::Sample);
        }
        if let Some(variable) = self.parameters.variable_in_force(&needed.path) {
            return Ok(CredentialState::Environment { variable });
        }
        if let ParameterReference::Secret { .. } = reference {
            return Ok(CredentialState::Elsewhere {
                why: not_here(reference),
            });
        }
        let newest = self.history(reference).await?.pop();
        Ok(newest.map_or(CredentialState::Missing, CredentialState::Present))
    }

    async fn history(&self, reference: &ParameterReference) -> OpsResult<Vec<CredentialVersion>> {
        if let ParameterReference::Secret { .. } = reference {
            return Err(OpsError::new(
                OpsErrorKind::NotPossible,
                not_here(reference),
                "its history is shown by the AWS console",
            ));
        }
        let path = reference.to_string();
        Ok(self.parameters.versions(&path).await.map_err(failed)?)
    }

    async fn put(&self, reference: &ParameterReference, value: SecretString) -> OpsResult<u64> {
        if let ParameterReference::Secret { .. } = reference {
            return Err(OpsError::new(
                OpsErrorKind::NotPossible,
                format!("{reference} was not set: {}", not_here(reference)),
                "set it with the AWS console, or name a parameter path in config.toml",
            ));
        }
        let path = reference.to_string();
        Ok(self.parameters.put(&path, value).await.map_err(failed)?)
    }

    async fn sign_in(
        &self,
        source: &str,
        candidate: Option<(String, SecretString)>,
    ) -> OpsResult<SignInResult> {
        Ok(match self.context(source).await {
            Ok(context) => sign_in::sign_in(context, source, candidate)
                .await
                .map_err(failed)?,
            Err(error) => sign_in::unclear(source, &error.message),
        })
    }
}

/// Why this machine cannot look into Secrets Manager, and what stands in for it.
fn not_here(reference: &ParameterReference) -> String {
    format!(
        "Secrets Manager is reached on AWS only; on this machine the variable {} stands in for it",
        FileParameters::variable(&reference.to_string())
    )
}

fn failed(error: ParameterError) -> OpsError {
    OpsError::new(
        OpsErrorKind::Platform,
        error.to_string(),
        "check the file of parameters and its permissions",
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use secrecy::ExposeSecret;

    use super::*;
    use crate::Platform;
    use lakehand_config::{Config, Home};
    use lakehand_ops::SignInVerdict;
    use lakehand_simulator as simulator;

    const MARKER: &str = "do-not-show-me-8f3a";

    async fn simulated() -> simulator::RunningSimulator {
        let options = simulator::Options {
            scale: 100,
            api_key: SecretString::from("right-key-5bd1"),
            ..simulator::Options::default()
        };
        simulator::start(options).await.unwrap()
    }

    fn platform(folder: &Path, base_url: &str) -> Platform {
        let source = |name| format!("[profiles.local.{name}]\nbase_url = '{base_url}'\n");
        let text = ["affise", "marketo", "ga4", "ga3"].map(source).concat();
        let config = Config::parse(&text, &Home::below(folder)).unwrap();
        Platform::open(Arc::new(config.profile(None).unwrap().clone())).unwrap()
    }

    #[tokio::test]
    async fn a_key_is_missing_then_wrong_then_right() {
        let simulator = simulated().await;
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(folder.path(), &simulator.base_url());
        let operations = platform.operations();
        let verdict = async |source: &str| operations.test_credentials(source).await.unwrap();
        let missing = verdict("affise").await;
        assert_eq!(missing.verdict, SignInVerdict::Missing);
        assert!(
            missing.message.contains("/affise/ApiKey is not set"),
            "{}",
            missing.message
        );
        operations
            .set_credential("/affise/ApiKey", MARKER.into(), false)
            .await
            .unwrap();
        let wrong = verdict("affise").await;
        assert_eq!(wrong.verdict, SignInVerdict::Refused, "{}", wrong.message);
        assert!(!wrong.message.contains(MARKER), "{}", wrong.message);
        let error = operations
            .set_credential("/affise/ApiKey", format!("{MARKER}-too").into(), true)
            .await
            .unwrap_err();
        assert!(error.message.starts_with("nothing was stored"), "{error}");
        assert!(!format!("{error:?}").contains(MARKER), "{error:?}");
        let set = operations
            .set_credential("/affise/ApiKey", " right-key-5bd1\n".into(), true)
            .await
            .unwrap();
        assert_eq!(set.version, 2, "a refused candidate makes no version");
        let right = verdict("affise").await;
        assert_eq!(right.verdict, SignInVerdict::Accepted, "{}", right.message);
        assert_eq!(right.at, Some(simulator.base_url()));
        let stored = platform.parameters().get("/affise/ApiKey").await.unwrap();
        assert_eq!(stored.expose_secret(), "right-key-5bd1");
    }

    #[tokio::test]
    async fn every_source_signs_in() {
        let simulator = simulated().await;
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(folder.path(), &simulator.base_url());
        let operations = platform.operations();
        let set = async |path: &str, value: SecretString| {
            operations.set_credential(path, value, false).await.unwrap();
        };
        set(
            "/marketo/ClientId",
            simulator::marketo::DEMO_CLIENT_ID.into(),
        )
        .await;
        let half = operations.test_credentials("marketo").await.unwrap();
        assert_eq!(half.verdict, SignInVerdict::Missing);
        assert!(
            half.message.contains("/marketo/ClientSecret"),
            "{}",
            half.message
        );
        set("/marketo/ClientSecret", MARKER.into()).await;
        let wrong = operations.test_credentials("marketo").await.unwrap();
        assert_eq!(wrong.verdict, SignInVerdict::Refused, "{}", wrong.message);
        let good = simulator::marketo::DEMO_CLIENT_SECRET;
        set("/marketo/ClientSecret", good.into()).await;
        let marketo = operations.test_credentials("marketo").await.unwrap();
        assert_eq!(
            marketo.verdict,
            SignInVerdict::Accepted,
            "{}",
            marketo.message
        );
        let key = simulator.service_account_key();
        set("/google/ServiceAccountKey", key.clone()).await;
        let google = operations.test_credentials("ga4").await.unwrap();
        assert_eq!(
            google.verdict,
            SignInVerdict::Accepted,
            "{}",
            google.message
        );
        assert!(google.message.contains('@'), "{}", google.message);
        let other = key
            .expose_secret()
            .replacen("client_email\":\"", "client_email\":\"x", 1);
        let other = other.replacen("client_email\": \"", "client_email\": \"x", 1);
        assert_ne!(other, key.expose_secret());
        set("/google/ServiceAccountKey", other.into()).await;
        let refused = operations.test_credentials("ga4").await.unwrap();
        assert_eq!(
            refused.verdict,
            SignInVerdict::Refused,
            "{}",
            refused.message
        );
    }

    #[tokio::test]
    async fn a_shared_key_is_tried_with_every_source_that_uses_it() {
        let simulator = simulated().await;
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(folder.path(), &simulator.base_url());
        let operations = platform.operations();
        let path = "/google/ServiceAccountKey";
        let key = simulator.service_account_key();
        let set = operations.set_credential(path, key.clone(), true).await;
        let told = |results: &[SignInResult]| -> Vec<(String, SignInVerdict)> {
            let told = results
                .iter()
                .map(|result| (result.source.clone(), result.verdict));
            told.collect()
        };
        assert_eq!(
            told(&set.unwrap().sign_ins),
            [
                ("ga4".to_owned(), SignInVerdict::Accepted),
                ("ga3".to_owned(), SignInVerdict::Accepted)
            ]
        );
        let other = key
            .expose_secret()
            .replacen("lakehand@simulated", "nobody@simulated", 1);
        assert_ne!(other, key.expose_secret());
        let error = operations.set_credential(path, other.into(), true).await;
        let error = error.unwrap_err().message;
        assert!(
            error.starts_with("nothing was stored: ga4: ") && error.contains("; ga3: "),
            "{error}"
        );
        assert_eq!(operations.credential_history(path).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_source_that_is_not_there_gives_no_clear_answer() {
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(folder.path(), "http://127.0.0.1:9");
        let operations = platform.operations();
        operations
            .set_credential("/affise/ApiKey", MARKER.into(), false)
            .await
            .unwrap();
        let result = operations.test_credentials("affise").await.unwrap();
        assert_eq!(result.verdict, SignInVerdict::Unclear, "{}", result.message);
        let error = operations.test_credentials("facebook").await.unwrap_err();
        assert!(error.message.contains("no source of that name"), "{error}");
        assert!(error.advice.contains("affise"), "{}", error.advice);
        assert!(!error.message.contains("facebook"), "{error}");
    }

    #[tokio::test]
    async fn the_list_tells_everything_but_values() {
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(folder.path(), "");
        let operations = platform.operations();
        let bad = operations
            .set_credential("/marketo/MunchkinId", MARKER.into(), false)
            .await
            .unwrap_err();
        assert!(
            bad.message.contains("no Marketo Munchkin id") && !bad.message.contains(MARKER),
            "{bad}"
        );
        let unknown = operations
            .set_credential("/affise/apikey", MARKER.into(), false)
            .await
            .unwrap_err();
        assert!(
            unknown.advice.contains("/affise/ApiKey"),
            "{}",
            unknown.advice
        );
        operations
            .set_credential("/affise/ApiKey", MARKER.into(), false)
            .await
            .unwrap();
        let all = operations.credentials().await.unwrap();
        assert_eq!(all.len(), 5);
        assert!(matches!(&all[0].state, CredentialState::Present(version) if version.version == 1));
        assert!(!all[0].overdue && all[0].rotate_by.is_some());
        assert_eq!(all[1].state, CredentialState::Missing);
        let shown = format!(
            "{all:?} {} {:?} {:?}",
            serde_json::to_string(&all).unwrap(),
            operations
                .credential_history("/affise/ApiKey")
                .await
                .unwrap(),
            platform.operations()
        );
        assert!(!shown.contains(MARKER), "{shown}");
    }
}
