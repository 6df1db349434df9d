//! How a source knows who asks: a key in a header, or a token that has to be fetched and renewed.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::{HttpClient, SourceError};

/// Who asks.
pub enum Auth {
    /// A key that does not change, in a header of its own (lower case).
    Key {
        /// Header that carries it.
        header: &'static str,
        /// The key.
        key: SecretString,
    },
    /// `Authorization: Bearer <token>`, the token from somebody who can fetch it.
    Bearer(Arc<dyn TokenProvider>),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { header, .. } => write!(f, "Key({header}: ***)"),
            Self::Bearer(provider) => write!(f, "Bearer({})", provider.account()),
        }
    }
}

/// A token as an endpoint gave it.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token itself.
    pub secret: SecretString,
    /// How long it lives, from now.
    pub lives: Duration,
    /// How long before its end a new one is fetched. Zero where the endpoint gives the same token again
    /// until it ends.
    pub renew_before: Duration,
}

/// Who can fetch tokens.
#[async_trait]
pub trait TokenProvider: Send + Sync + fmt::Debug {
    /// Whose tokens: an instance, a service account. No secret. Everybody in the process with the same
    /// account and address shares pace, slots and pauses.
    fn account(&self) -> &str;

    /// Fetches a token. The request for it is [`super::HttpRequest::without_token`] or
    /// [`super::HttpRequest::elsewhere`].
    ///
    /// # Errors
    /// [`SourceError::BadCredentials`] when the credentials are wrong; others as for every request.
    async fn fetch(&self, client: &HttpClient) -> Result<Token, SourceError>;
}

/// What is ready to go into a request.
pub(super) struct Ready {
    /// The key or the provider.
    kind: Kind,
    held: Mutex<Held>,
    /// Held by whoever fetches: one fetches, the others wait for it.
    gate: tokio::sync::Mutex<()>,
}

enum Kind {
    Key {
        header: HeaderName,
        value: HeaderValue,
        key: SecretString,
    },
    Bearer(Arc<dyn TokenProvider>),
}

#[derive(Default)]
struct Held {
    token: Option<(SecretString, HeaderValue, Instant)>,
    /// Counts tokens, so that one that was renewed in the meantime is not thrown away.
    number: u64,
}

/// A header to send, and which token it is of.
pub(super) struct Stamp {
    pub header: Option<(HeaderName, HeaderValue)>,
    pub number: u64,
}

impl Ready {
    /// Checks a key; a provider is asked when the first request goes out.
    ///
    /// # Errors
    /// [`SourceError::BadCredentials`] when the key cannot be a header.
    pub(super) fn new(auth: Auth) -> Result<Self, SourceError> {
        let kind = match auth {
            Auth::Key { header, key } => Kind::Key {
                header: HeaderName::from_static(header),
                value: header_value(key.expose_secret())?,
                key,
            },
            Auth::Bearer(provider) => Kind::Bearer(provider),
        };
        Ok(Self {
            kind,
            held: Mutex::default(),
            gate: tokio::sync::Mutex::default(),
        })
    }

    /// What pace and slots are shared by.
    pub(super) fn budget_key(&self) -> &str {
        match &self.kind {
            Kind::Key { key, .. } => key.expose_secret(),
            Kind::Bearer(provider) => provider.account(),
        }
    }

    /// Whether a new token may help.
    pub(super) fn renews(&self) -> bool {
        matches!(self.kind, Kind::Bearer(_))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // A token and its end; a panic elsewhere leaves them usable.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `with` with every secret that may turn up in an answer.
    pub(super) fn with_secrets<T>(&self, with: impl FnOnce(&[&str]) -> T) -> T {
        let held = self.held();
        let mut secrets = Vec::with_capacity(2);
        if let Kind::Key { key, .. } = &self.kind {
            secrets.push(key.expose_secret());
        }
        if let Some((token, _, _)) = &held.token {
            secrets.push(token.expose_secret());
        }
        with(&secrets)
    }

    /// The header for a request; fetches a token when there is none, or it is about to end.
    ///
    /// # Errors
    /// As [`TokenProvider::fetch`].
    pub(super) async fn stamp(&self, client: &HttpClient) -> Result<Stamp, SourceError> {
        let provider = match &self.kind {
            Kind::Key { header, value, .. } => {
                let header = Some((header.clone(), value.clone()));
                return Ok(Stamp { header, number: 0 });
            }
            Kind::Bearer(provider) => provider,
        };
        let _one = self.gate.lock().await;
        if let Some(stamp) = self.fresh(client.timer.now()) {
            return Ok(stamp);
        }
        let token = provider.fetch(client).await?;
        let value = header_value(&format!("Bearer {}", token.secret.expose_secret()))?;
        let lives = token.lives.saturating_sub(token.renew_before);
        let renew_at = client.timer.now() + lives;
        let mut held = self.held();
        held.number += 1;
        held.token = Some((token.secret, value.clone(), renew_at));
        Ok(Stamp {
            header: Some((AUTHORIZATION, value)),
            number: held.number,
        })
    }

    fn fresh(&self, now: Instant) -> Option<Stamp> {
        let held = self.held();
        let (_, value, renew_at) = held.token.as_ref()?;
        (now < *renew_at).then(|| Stamp {
            header: Some((AUTHORIZATION, value.clone())),
            number: held.number,
        })
    }

    /// Lets a token go that the source did not take, unless it was renewed already.
    pub(super) fn forget(&self, number: u64) {
        let mut held = self.held();
        if held.number == number {
            held.token = None;
        }
    }
}

fn header_value(text: &str) -> Result<HeaderValue, SourceError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| SourceError::BadCredentials {
        what: "the credential".to_owned(),
        why: "it holds characters that no HTTP header may hold, perhaps a line break".to_owned(),
        advice: "set the credential again, without spaces or line breaks around it",
    })?;
    value.set_sensitive(true);
    Ok(value)
}
