//! Credentials in Parameter Store as SecureStrings, and by reference in Secrets Manager.
//!
//! Values pass through as [`SecretString`]s. What AWS says to a write that it refuses may repeat the value, so those
//! words are never passed on.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ssm::types::{ParameterTier, ParameterType};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Clients,
    call::{Api, CallError, CallFailure},
    s3::instant,
    secrets,
};
use lakehand_config::AwsSettings;
use lakehand_ops::CredentialVersion;
use lakehand_pipeline::ports::{ParameterError, ParameterReference, ParameterStore};

const GET: Api = Api::paced("ssm", "GetParameter", 10.0, 10.0);
const PUT: Api = Api::free("ssm", "PutParameter");
const HISTORY: Api = Api::paced("ssm", "GetParameterHistory", 5.0, 4.0);

/// The credentials of a profile, by the paths and references of its configuration.
#[derive(Debug, Clone)]
pub struct Parameters {
    pub(super) clients: Clients,
    prefix: Arc<str>,
    pub(super) kms_key: Option<String>,
}

impl Parameters {
    /// Credentials as the settings say. Calls nobody.
    pub(super) fn new(clients: &Clients, settings: &AwsSettings) -> Self {
        Self {
            clients: clients.clone(),
            prefix: settings.parameter_prefix.as_str().into(),
            kms_key: settings.kms_key.clone(),
        }
    }

    /// The parameter's name in Parameter Store.
    fn name(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// The versions behind a reference, oldest first; empty when it was never set.
    ///
    /// # Errors
    /// [`CallError`] when AWS does not say.
    pub(super) async fn versions(
        &self,
        reference: &ParameterReference,
    ) -> Result<Vec<CredentialVersion>, CallError> {
        match reference {
            ParameterReference::Parameter(path) => self.history(&self.name(path)).await,
            ParameterReference::Secret { id, .. } => secrets::versions(&self.clients, id).await,
        }
    }

    /// Versions of a parameter. Values are not decrypted for this: nobody needs them.
    async fn history(&self, name: &str) -> Result<Vec<CredentialVersion>, CallError> {
        let mut versions = Vec::new();
        let mut token = None;
        loop {
            let request = self.clients.ssm.get_parameter_history().name(name);
            let request = request.with_decryption(false).set_next_token(token);
            let page = match self.clients.call(HISTORY, name, request.send()).await {
                Err(error) if error.failure == CallFailure::NotFound => return Ok(Vec::new()),
                page => page?,
            };
            versions.extend(page.parameters().iter().filter_map(|one| {
                Some(CredentialVersion {
                    version: u64::try_from(one.version()).ok()?,
                    set_at: one.last_modified_date().and_then(instant)?,
                    by: one.last_modified_user().map(who),
                })
            }));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                versions.sort_by_key(|one| one.version);
                return Ok(versions);
            }
        }
    }

    async fn read(&self, path: &str, name: &str) -> Result<SecretString, ParameterError> {
        let request = self
            .clients
            .ssm
            .get_parameter()
            .name(name)
            .with_decryption(true);
        let answer = self.clients.call(GET, name, request.send()).await;
        let parameter = answer.map_err(|error| not_read(path, &error))?.parameter;
        let value = parameter.and_then(|parameter| parameter.value);
        value
            .map(SecretString::from)
            .ok_or_else(|| ParameterError::Missing {
                path: path.to_owned(),
            })
    }

    async fn write(
        &self,
        path: &str,
        name: &str,
        value: &SecretString,
    ) -> Result<u64, ParameterError> {
        let request = self.clients.ssm.put_parameter().name(name);
        let request = request
            .r#type(ParameterType::SecureString)
            .set_key_id(self.kms_key.clone());
        let request = request
            .tier(ParameterTier::IntelligentTiering)
            .overwrite(true);
        let sent = request.value(value.expose_secret()).send();
        let answer = self.clients.call(PUT, name, sent).await;
        let version = answer.map_err(|error| not_written(path, &error))?.version;
        Ok(u64::try_from(version).unwrap_or(0))
    }
}

/// `jane` of `arn:aws:iam::123456789012:user/jane`, `Admin/jane` of an assumed role.
fn who(arn: &str) -> String {
    let own = arn.rsplit(':').next().unwrap_or(arn);
    let own = own
        .strip_prefix("user/")
        .or(own.strip_prefix("assumed-role/"));
    own.unwrap_or(arn).to_owned()
}

/// A read that failed.
pub(super) fn not_read(path: &str, error: &CallError) -> ParameterError {
    match error.failure {
        CallFailure::NotFound => ParameterError::Missing {
            path: path.to_owned(),
        },
        _ => ParameterError::Failed {
            action: "read",
            path: path.to_owned(),
            why: format!("{error}; {}", error.advice()),
            transient: error.is_transient(),
        },
    }
}

/// A write that failed, without AWS's words where they may repeat the value.
pub(super) fn not_written(path: &str, error: &CallError) -> ParameterError {
    let may_repeat = matches!(
        error.failure,
        CallFailure::Refused | CallFailure::Other | CallFailure::Conflict
    );
    let why = if may_repeat {
        let (api, code) = (error.api, &error.code);
        format!(
            "{api} was refused with {code}; what AWS said is left out, as it may repeat the value; check the length of the value, the path and the KMS key"
        )
    } else {
        format!("{error}; {}", error.advice())
    };
    ParameterError::Failed {
        action: "write",
        path: path.to_owned(),
        why,
        transient: error.is_transient(),
    }
}

/// A reference as the configuration has it.
fn parsed(action: &'static str, path: &str) -> Result<ParameterReference, ParameterError> {
    path.parse().map_err(|why| ParameterError::Failed {
        action,
        path: path.to_owned(),
        why,
        transient: false,
    })
}

#[async_trait]
impl ParameterStore for Parameters {
    async fn get(&self, path: &str) -> Result<SecretString, ParameterError> {
        let value = match parsed("read", path)? {
            ParameterReference::Parameter(own) => self.read(path, &self.name(&own)).await,
            ParameterReference::Secret { id, field } => {
                secrets::read(&self.clients, path, &id, field.as_deref()).await
            }
        }?;
        lakehand_pipeline::secrets::remember(value.expose_secret());
        Ok(value)
    }

    async fn put(&self, path: &str, value: SecretString) -> Result<u64, ParameterError> {
        match parsed("write", path)? {
            ParameterReference::Parameter(own) => self.write(path, &self.name(&own), &value).await,
            ParameterReference::Secret { id, field } => {
                secrets::write(self, path, &id, field.as_deref(), &value).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_told_by_whom_in_short() {
        assert_eq!(who("arn:aws:iam::123456789012:user/jane"), "jane");
        assert_eq!(
            who("arn:aws:sts::123456789012:assumed-role/Admin/jane@example.com"),
            "Admin/jane@example.com"
        );
        assert_eq!(
            who("arn:aws:iam::123456789012:root"),
            "arn:aws:iam::123456789012:root"
        );
    }
}
