//! Credentials in Parameter Store and Secrets Manager. The emulator keeps versions and names of errors as AWS does;
//! it enforces no key policy, and tells the plain text of a SecureString that is read without decryption behind
//! `kms:…`, so a value that comes back bare was asked for with decryption.

use lakehand::{
    ops::{
        CredentialState, CredentialVersion, NeededCredential, credentials::needed,
        ports::Credentials,
    },
    pipeline::ports::{ParameterError, ParameterReference},
    platform::aws::credentials::AwsCredentials,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{account::Account, proxy::Fault};

const MARKER: &str = "do-not-show-me-8f3a";

fn reference(text: &str) -> ParameterReference {
    text.parse().unwrap()
}

fn credentials(account: &Account) -> (AwsCredentials, NeededCredential) {
    let one = needed(&account.profile).remove(0);
    (AwsCredentials::new(account.functions.clone()), one)
}

async fn value(account: &Account, path: &str) -> String {
    account
        .parameters()
        .get(path)
        .await
        .unwrap()
        .expose_secret()
        .to_owned()
}

fn numbers(versions: &[CredentialVersion]) -> Vec<u64> {
    versions.iter().map(|one| one.version).collect()
}

#[tokio::test]
async fn a_parameter_is_missing_then_set_then_replaced() {
    let key = account_key("ssm-versions");
    let settings = format!("parameter_prefix = \"/lakehand/ssm-versions\"\nkms_key = \"{key}\"\n");
    let account = Account::new("ssm-versions", &settings).await;
    let (credentials, one) = credentials(&account);
    let path = reference("/affise/ApiKey");
    let missing = account.parameters().get("/affise/ApiKey").await;
    assert!(
        matches!(missing, Err(ParameterError::Missing { .. })),
        "{missing:?}"
    );
    assert_eq!(
        credentials.state(&path, &one).await.unwrap(),
        CredentialState::Missing
    );
    assert!(credentials.history(&path).await.unwrap().is_empty());
    for (version, text) in (1..).zip(["first", MARKER]) {
        assert_eq!(credentials.put(&path, text.into()).await.unwrap(), version);
        assert_eq!(value(&account, "/affise/ApiKey").await, text);
    }
    let history = credentials.history(&path).await.unwrap();
    assert_eq!(numbers(&history), [1, 2]);
    assert!(history.iter().all(|one| one.by.is_some()), "{history:?}");
    let state = credentials.state(&path, &one).await.unwrap();
    assert!(
        matches!(&state, CredentialState::Present(newest) if newest.version == 2),
        "{state:?}"
    );
    // What the emulator itself has: a SecureString below the prefix, under the key of the settings.
    let asked = json!({ "Name": "/lakehand/ssm-versions/affise/ApiKey", "WithDecryption": false });
    let stored = account.call("ssm", "AmazonSSM.GetParameter", asked).await;
    assert_eq!(stored["Parameter"]["Type"], "SecureString");
    assert_eq!(stored["Parameter"]["Value"], format!("kms:{key}:{MARKER}"));
    let shown = format!(
        "{credentials:?} {:?} {history:?} {state:?}",
        account.parameters()
    );
    assert!(
        !shown.contains(MARKER) && !shown.contains("testing\""),
        "{shown}"
    );
}

fn account_key(name: &str) -> String {
    format!("alias/{name}")
}

#[tokio::test]
async fn a_long_history_comes_in_pages() {
    let account = Account::new("ssm-history", "").await;
    let (credentials, _) = credentials(&account);
    let path = reference("/long-history/Key");
    for number in 0..60 {
        credentials
            .put(&path, format!("value {number}").into())
            .await
            .unwrap();
    }
    let history = credentials.history(&path).await.unwrap();
    assert_eq!(numbers(&history), (1..=60).collect::<Vec<_>>());
    assert_eq!(account.proxy.seen("GetParameterHistory").len(), 2);
}

#[tokio::test]
async fn secrets_are_read_and_written_by_reference() {
    let account = Account::new("secrets", "").await;
    let (credentials, one) = credentials(&account);
    let whole = reference("secretsmanager:secrets/marketo");
    let id = reference("secretsmanager:secrets/both#clientId");
    assert_eq!(
        credentials.state(&whole, &one).await.unwrap(),
        CredentialState::Missing
    );
    assert!(matches!(
        account
            .parameters()
            .get("secretsmanager:secrets/both#clientId")
            .await,
        Err(ParameterError::Missing { .. })
    ));
    // The first value makes the secret, later ones are versions of it.
    for (version, text) in (1..).zip(["first", MARKER]) {
        assert_eq!(credentials.put(&whole, text.into()).await.unwrap(), version);
        assert_eq!(
            value(&account, "secretsmanager:secrets/marketo").await,
            text
        );
    }
    assert_eq!(numbers(&credentials.history(&whole).await.unwrap()), [1, 2]);
    // One field is replaced, the others stay as they are.
    let both = json!({ "Name": "secrets/both", "SecretString": r#"{"clientId":"old","clientSecret":"keep","port":7}"# });
    account
        .call("secretsmanager", "secretsmanager.CreateSecret", both)
        .await;
    credentials.put(&id, MARKER.into()).await.unwrap();
    let asked = json!({ "SecretId": "secrets/both" });
    let stored = account
        .call("secretsmanager", "secretsmanager.GetSecretValue", asked)
        .await;
    let stored: serde_json::Value =
        serde_json::from_str(stored["SecretString"].as_str().unwrap()).unwrap();
    assert_eq!(
        stored,
        json!({ "clientId": MARKER, "clientSecret": "keep", "port": 7 })
    );
    assert_eq!(
        value(&account, "secretsmanager:secrets/both#port").await,
        "7"
    );
    let other = reference("secretsmanager:secrets/both#user");
    assert_eq!(
        credentials.state(&other, &one).await.unwrap(),
        CredentialState::Missing
    );
    assert!(matches!(
        credentials.state(&id, &one).await.unwrap(),
        CredentialState::Present(_)
    ));
    let no_json = account
        .parameters()
        .get("secretsmanager:secrets/marketo#x")
        .await
        .unwrap_err();
    assert!(no_json.to_string().contains("no JSON"), "{no_json}");
    assert!(!format!("{no_json:?}").contains(MARKER));
}

#[tokio::test]
async fn what_aws_says_of_a_refused_value_is_not_repeated() {
    let account = Account::new("ssm-refused", "").await;
    let (credentials, _) = credentials(&account);
    let path = reference("/refused/Key");
    let echo = r#"{"__type":"ValidationException","message":"1 validation error detected: Value 'do-not-show-me-8f3a' at 'value' failed to satisfy constraint"}"#;
    for target in ["PutParameter", "CreateSecret"] {
        account.proxy.fault(target, 1, Fault::Answer(400, echo));
    }
    for place in [&path, &reference("secretsmanager:ssm-refused")] {
        let refused = credentials
            .put(place, SecretString::from(MARKER))
            .await
            .unwrap_err();
        let shown = format!("{refused} {refused:?}");
        assert!(!shown.contains(MARKER), "{shown}");
        assert!(shown.contains("ValidationException"), "{shown}");
    }
    account.proxy.fault(
        "GetParameter",
        1,
        Fault::Refuse(400, "AccessDeniedException"),
    );
    let denied = account.parameters().get("/refused/Key").await.unwrap_err();
    assert!(
        matches!(
            denied,
            ParameterError::Failed {
                transient: false,
                ..
            }
        ),
        "denied is not missing: {denied}"
    );
    assert!(denied.to_string().contains("IAM"), "{denied}");
    account
        .proxy
        .fault("GetParameter", 1, Fault::Refuse(400, "ThrottlingException"));
    let throttled = account.parameters().get("/refused/Key").await.unwrap_err();
    assert!(
        throttled.to_string().contains("ThrottlingException"),
        "{throttled}"
    );
    assert!(
        matches!(
            throttled,
            ParameterError::Failed {
                transient: true,
                ..
            }
        ),
        "{throttled}"
    );
    account.proxy.fault(
        "GetParameter",
        1,
        Fault::Refuse(400, "ExpiredTokenException"),
    );
    let expired = account.parameters().get("/refused/Key").await.unwrap_err();
    assert!(expired.to_string().contains("sign in again"), "{expired}");
}
