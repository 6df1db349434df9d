//! A service account's login: a JWT signed with its key, exchanged for a token of an hour.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::sources::{
    SourceError,
    http::{Answer, Fault, HttpClient, HttpRequest, Token, TokenProvider, Verdict, is_loopback},
};

/// What both APIs are read with.
const SCOPE: &str = "https://www.googleapis.com/auth/analytics.readonly";
/// Life a token is asked for, in seconds: the longest there is.
const LIFE: i64 = 3600;
/// How long before its end a token is renewed.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

const ADVICE_KEY: &str = "set the content of the service account's JSON key file again, on the Credentials screen or with `lakehand credentials set`";
const ADVICE_GRANT: &str = "check this machine's clock, and that the key was not deleted or the service account disabled in Google Cloud";

#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    private_key: String,
    #[serde(default)]
    private_key_id: String,
    token_uri: String,
}

/// A service account with its key.
pub(crate) struct ServiceAccount {
    email: String,
    key_id: String,
    token_uri: Url,
    key: RsaKeyPair,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAccount({})", self.email)
    }
}

fn bad_key(why: impl Into<String>) -> SourceError {
    SourceError::BadCredentials {
        what: "the Google service account key".to_owned(),
        why: why.into(),
        advice: ADVICE_KEY,
    }
}

impl ServiceAccount {
    /// Reads the content of a key file.
    ///
    /// # Errors
    /// [`SourceError::BadCredentials`] that says what is wrong with it, never what it holds.
    pub(crate) fn read(content: &SecretString) -> Result<Self, SourceError> {
        // The parser's message would quote the content.
        let file: KeyFile = serde_json::from_str(content.expose_secret()).map_err(|error| {
            bad_key(format!(
                "it is not the JSON of a key file (trouble at line {}, column {})",
                error.line(),
                error.column()
            ))
        })?;
        if file.kind != "service_account" {
            return Err(bad_key(
                "its type is not service_account: it is the key of something else",
            ));
        }
        let token_uri = Url::parse(&file.token_uri)
            .ok()
            .filter(|uri| uri.scheme() == "https" || is_loopback(uri))
            .ok_or_else(|| bad_key("its token_uri is no https address"))?;
        let der = pem(&file.private_key).ok_or_else(|| bad_key("its private_key is no PEM"))?;
        let key = RsaKeyPair::from_pkcs8(&der)
            .or_else(|_| RsaKeyPair::from_der(&der))
            .map_err(|_| bad_key("its private_key is no RSA key"))?;
        Ok(Self {
            email: file.client_email,
            key_id: file.private_key_id,
            token_uri,
            key,
        })
    }

    /// The account's address: what has to be a viewer of a property.
    pub(crate) fn email(&self) -> &str {
        &self.email
    }

    /// The signed claims.
    fn assertion(&self, now: i64) -> Result<String, SourceError> {
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id}));
        let claims = part(json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_uri.as_str(),
            "iat": now,
            "exp": now + LIFE,
        }));
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| bad_key("it cannot sign"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The bytes of a PEM block.
fn pem(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (_, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok()
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Refused {
    error: String,
    error_description: String,
}

#[async_trait]
impl TokenProvider for ServiceAccount {
    fn account(&self) -> &str {
        &self.email
    }

    async fn fetch(&self, client: &HttpClient) -> Result<Token, SourceError> {
        // The machine's clock, not the pipeline's: Google compares it with its own.
        let assertion = self.assertion(Timestamp::now().as_second())?;
        let request = HttpRequest::post("", "signing in to Google")
            .elsewhere(self.token_uri.clone())
            .form(&[
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                ("assertion", &assertion),
            ]);
        client
            .ask(&request, |answer| judge(&request, answer, client))
            .await
    }
}

fn judge(request: &HttpRequest, answer: &Answer, client: &HttpClient) -> Verdict<Token> {
    if answer.is_success() {
        return match serde_json::from_slice::<Granted>(&answer.body) {
            Ok(granted) => Verdict::Good(Token {
                secret: granted.access_token.into(),
                lives: Duration::from_secs(granted.expires_in),
                renew_before: RENEW_BEFORE,
            }),
            Err(_) => Verdict::Retry(Fault::Unavailable, "the answer is no token".to_owned()),
        };
    }
    let Ok(refused) = serde_json::from_slice::<Refused>(&answer.body) else {
        return Verdict::ByStatus;
    };
    let why = format!("{}: {}", refused.error, refused.error_description);
    let why = client.excerpt(why.as_bytes());
    match refused.error.as_str() {
        "" => Verdict::ByStatus,
        "internal_failure" | "server_error" | "temporarily_unavailable" => {
            Verdict::Retry(Fault::Unavailable, why)
        }
        _ if answer.status >= 500 => Verdict::Retry(Fault::Unavailable, why),
        _ => Verdict::Refuse(SourceError::BadCredentials {
            what: request.what.clone(),
            why,
            advice: ADVICE_GRANT,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_cannot_work_is_named_and_never_shown() {
        let secret = "s3cr3t-key-material";
        for (content, part) in [
            (secret.to_owned(), "not the JSON"),
            (format!(r#"{{"type": "{secret}"}}"#), "not the JSON"),
            (
                format!(r#"{{"type":"authorized_user","client_email":"a","private_key":"{secret}","token_uri":"https://x"}}"#),
                "not service_account",
            ),
            (
                format!(r#"{{"type":"service_account","client_email":"a","private_key":"{secret}","token_uri":"http://x.example"}}"#),
                "token_uri",
            ),
            (
                format!(r#"{{"type":"service_account","client_email":"a","private_key":"{secret}","token_uri":"https://x"}}"#),
                "no PEM",
            ),
            (
                r#"{"type":"service_account","client_email":"a","private_key":"-----BEGIN PRIVATE KEY-----\nczNjcjN0\n-----END PRIVATE KEY-----\n","token_uri":"https://x"}"#.to_owned(),
                "no RSA key",
            ),
        ] {
            let error = ServiceAccount::read(&content.into()).unwrap_err();
            let told = format!("{error} {error:?}");
            assert!(told.contains(part) && !told.contains(secret), "{told}");
        }
    }
}
