//! Secrets Manager, for credentials that are kept there: by reference, a whole secret or one field of its JSON.

use aws_sdk_secretsmanager::types::SecretVersionsListEntry;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::{
    Clients,
    call::{Api, CallError, CallFailure},
    s3::instant,
    ssm::{Parameters, not_read, not_written},
};
use lakehand_ops::CredentialVersion;
use lakehand_pipeline::ports::ParameterError;

const GET: Api = Api::free("secretsmanager", "GetSecretValue");
const PUT: Api = Api::free("secretsmanager", "PutSecretValue");
const CREATE: Api = Api::free("secretsmanager", "CreateSecret");
const VERSIONS: Api = Api::paced("secretsmanager", "ListSecretVersionIds", 5.0, 4.0);

/// The newest value of a secret, or of one field of its JSON.
pub(super) async fn read(
    clients: &Clients,
    path: &str,
    id: &str,
    field: Option<&str>,
) -> Result<SecretString, ParameterError> {
    let whole = whole(clients, id)
        .await
        .map_err(|error| not_read(path, &error))?;
    let missing = || ParameterError::Missing {
        path: path.to_owned(),
    };
    let whole = whole.ok_or_else(missing)?;
    let Some(field) = field else { return Ok(whole) };
    match fields("read", path, &whole)?.remove(field) {
        Some(Value::String(text)) => Ok(text.into()),
        Some(Value::Null) | None => Err(missing()),
        // A key file kept as an object, a number as a number: as it stands there.
        Some(other) => Ok(other.to_string().into()),
    }
}

/// Stores a new version, in place of one field where the reference names one; returns the number of versions.
pub(super) async fn write(
    parameters: &Parameters,
    path: &str,
    id: &str,
    field: Option<&str>,
    value: &SecretString,
) -> Result<u64, ParameterError> {
    let clients = &parameters.clients;
    let before = whole(clients, id).await;
    let (exists, before) = match before {
        Ok(before) => (true, before),
        // A secret without any value is not found by its value, and may be there all the same.
        Err(error) if error.failure == CallFailure::NotFound => {
            (exists(clients, path, id).await?, None)
        }
        Err(error) => return Err(not_read(path, &error)),
    };
    let value = match field {
        None => value.clone(),
        Some(field) => {
            let mut all =
                before.map_or_else(|| Ok(Map::new()), |before| fields("write", path, &before))?;
            all.insert(field.to_owned(), Value::from(value.expose_secret()));
            Value::Object(all).to_string().into()
        }
    };
    let text = value.expose_secret();
    let failed = |error: CallError| not_written(path, &error);
    if exists {
        let sent = clients
            .secrets
            .put_secret_value()
            .secret_id(id)
            .secret_string(text)
            .send();
        clients.call(PUT, id, sent).await.map_err(failed)?;
    } else {
        let request = clients.secrets.create_secret().name(id).secret_string(text);
        let sent = request.set_kms_key_id(parameters.kms_key.clone()).send();
        clients.call(CREATE, id, sent).await.map_err(failed)?;
    }
    let all = versions(clients, id).await.map_err(failed)?;
    Ok(all.last().map_or(1, |newest| newest.version))
}

/// The versions of a secret, oldest first and numbered in that order: Secrets Manager knows them by ids only, and
/// forgets who made them and those beyond about a hundred.
pub(super) async fn versions(
    clients: &Clients,
    id: &str,
) -> Result<Vec<CredentialVersion>, CallError> {
    let mut entries: Vec<SecretVersionsListEntry> = Vec::new();
    let mut token = None;
    loop {
        let request = clients.secrets.list_secret_version_ids().secret_id(id);
        let request = request.include_deprecated(true).set_next_token(token);
        let page = match clients.call(VERSIONS, id, request.send()).await {
            Err(error) if error.failure == CallFailure::NotFound => return Ok(Vec::new()),
            page => page?,
        };
        entries.extend(page.versions.unwrap_or_default());
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
    }
    let mut dates: Vec<_> = entries
        .iter()
        .filter_map(|one| one.created_date().and_then(instant))
        .collect();
    dates.sort_unstable();
    let numbered = (1..).zip(dates).map(|(version, set_at)| CredentialVersion {
        version,
        set_at,
        by: None,
    });
    Ok(numbered.collect())
}

/// The value, which may be absent or no text.
async fn whole(clients: &Clients, id: &str) -> Result<Option<SecretString>, CallError> {
    let sent = clients.secrets.get_secret_value().secret_id(id).send();
    let answer = clients.call(GET, id, sent).await?;
    let binary =
        |blob: aws_sdk_secretsmanager::primitives::Blob| String::from_utf8(blob.into_inner()).ok();
    let text = answer
        .secret_string
        .or_else(|| answer.secret_binary.and_then(binary));
    Ok(text.map(SecretString::from))
}

async fn exists(clients: &Clients, path: &str, id: &str) -> Result<bool, ParameterError> {
    let sent = clients.secrets.describe_secret().secret_id(id).send();
    let api = Api::free("secretsmanager", "DescribeSecret");
    match clients.call(api, id, sent).await {
        Ok(_) => Ok(true),
        Err(error) if error.failure == CallFailure::NotFound => Ok(false),
        Err(error) => Err(not_read(path, &error)),
    }
}

/// The fields of a secret's JSON.
fn fields(
    action: &'static str,
    path: &str,
    whole: &SecretString,
) -> Result<Map<String, Value>, ParameterError> {
    // What a JSON parser says of a text may repeat the text.
    serde_json::from_str(whole.expose_secret()).map_err(|_| ParameterError::Failed {
        action,
        path: path.to_owned(),
        why: "the secret is no JSON object, so it has no fields; name it without '#' or store JSON"
            .to_owned(),
        transient: false,
    })
}
