//! Signing in: client credentials for a token that lives an hour and is shared by the API user.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::MarketoCredentials;
use crate::sources::{
    SourceError,
    http::{Answer, Fault, HttpClient, HttpRequest, Token, TokenProvider, Verdict},
};

const ADVICE: &str = "set /marketo/ClientId and /marketo/ClientSecret again, from the API service in Admin > LaunchPoint";

/// What tokens are asked for with.
pub(super) struct ClientCredentials {
    account: String,
    client_id: SecretString,
    client_secret: SecretString,
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCredentials({})", self.account)
    }
}

impl ClientCredentials {
    pub(super) fn new(account: String, credentials: MarketoCredentials) -> Self {
        Self {
            account: format!("marketo {account}"),
            client_id: credentials.client_id,
            client_secret: credentials.client_secret,
        }
    }

    fn refused<T>(what: &str, why: String) -> Verdict<T> {
        Verdict::Refuse(SourceError::BadCredentials {
            what: what.to_owned(),
            why,
            advice: ADVICE,
        })
    }
}

#[derive(Deserialize)]
struct Reply {
    access_token: Option<String>,
    #[serde(default)]
    expires_in: u64,
    error: Option<String>,
    error_description: Option<String>,
}

#[async_trait]
impl TokenProvider for ClientCredentials {
    fn account(&self) -> &str {
        &self.account
    }

    async fn fetch(&self, client: &HttpClient) -> Result<Token, SourceError> {
        // In the body: a query string ends up in logs.
        let request = HttpRequest::post("/identity/oauth/token", "signing in to Marketo")
            .without_token()
            .form(&[
                ("grant_type", "client_credentials"),
                ("client_id", self.client_id.expose_secret().trim()),
                ("client_secret", self.client_secret.expose_secret().trim()),
            ]);
        let read = |answer: &Answer| {
            let reply = serde_json::from_slice::<Reply>(&answer.body);
            let said = |reply: &Reply| {
                let text = reply.error_description.as_ref().or(reply.error.as_ref());
                client.excerpt(
                    text.map_or("no reason was given", String::as_str)
                        .as_bytes(),
                )
            };
            match (answer.status, reply) {
                // A wrong id or secret; some say so under 200.
                (200 | 400 | 401, Ok(reply)) if reply.error.is_some() => {
                    Self::refused(&request.what, said(&reply))
                }
                (401, _) => Self::refused(&request.what, "HTTP 401".to_owned()),
                (
                    200,
                    Ok(Reply {
                        access_token: Some(token),
                        expires_in,
                        ..
                    }),
                ) => {
                    Verdict::Good(Token {
                        secret: SecretString::from(token),
                        lives: Duration::from_secs(expires_in),
                        // Marketo gives the same token again until it ends.
                        renew_before: Duration::ZERO,
                    })
                }
                (200, _) => {
                    Verdict::Retry(Fault::Unavailable, "the answer holds no token".to_owned())
                }
                _ => Verdict::ByStatus,
            }
        };
        client.ask(&request, read).await
    }
}
