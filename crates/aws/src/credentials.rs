//! Credentials on AWS as an operator sees them: versions without values, and sign-ins for real.

use async_trait::async_trait;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::functions::Functions;
use lakehand_host::sign_in::{self, Silent};
use lakehand_ops::{
    CredentialState, CredentialVersion, NeededCredential, OpsError, OpsErrorKind, OpsResult,
    SignInResult, ports::Credentials,
};
use lakehand_pipeline::ports::{ParameterError, ParameterReference, ParameterStore};

/// The credentials of a profile on AWS.
#[derive(Debug, Clone)]
pub struct AwsCredentials {
    functions: Functions,
}

impl AwsCredentials {
    /// Those that the jobs of this profile use.
    #[must_use]
    pub fn new(functions: Functions) -> Self {
        Self { functions }
    }
}

#[async_trait]
impl Credentials for AwsCredentials {
    async fn state(
        &self,
        reference: &ParameterReference,
        _: &NeededCredential,
    ) -> OpsResult<CredentialState> {
        // A field of a secret may be missing while the secret is there, so the value itself is looked at.
        if let ParameterReference::Secret { field: Some(_), .. } = reference {
            match self
                .functions
                .parameters()
                .get(&reference.to_string())
                .await
            {
                Ok(_) => {}
                Err(ParameterError::Missing { .. }) => return Ok(CredentialState::Missing),
                Err(error) => return Err(failed(&error)),
            }
        }
        let newest = self.history(reference).await?.pop();
        Ok(newest.map_or(CredentialState::Missing, CredentialState::Present))
    }

    async fn history(&self, reference: &ParameterReference) -> OpsResult<Vec<CredentialVersion>> {
        Ok(self.functions.parameters().versions(reference).await?)
    }

    async fn put(&self, reference: &ParameterReference, value: SecretString) -> OpsResult<u64> {
        let stored = self
            .functions
            .parameters()
            .put(&reference.to_string(), value)
            .await;
        stored.map_err(|error| failed(&error))
    }

    async fn sign_in(
        &self,
        source: &str,
        candidate: Option<(String, SecretString)>,
    ) -> OpsResult<SignInResult> {
        let context = self.functions.context(
            sign_in::execution(source),
            std::sync::Arc::new(Silent),
            CancellationToken::new(),
        );
        let answer = sign_in::sign_in(context, source, candidate).await;
        answer.map_err(|error| failed(&error))
    }
}

fn failed(error: &ParameterError) -> OpsError {
    OpsError::new(
        OpsErrorKind::Platform,
        error.to_string(),
        "check your rights to ssm, secretsmanager and the KMS key",
    )
}
