//! One GET: bytes and the few headers that matter, or why there was no answer.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::{
    Client,
    header::{DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{Fault, SourceError};

/// Largest body that is taken, in bytes. A page of 5,000 rows is a tenth of it.
const LARGEST_BODY: usize = 64 * 1024 * 1024;
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub(in crate::pipeline::sources) struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, as sent.
    pub retry_after: Option<String>,
    /// `Date`, as sent.
    pub date: Option<String>,
    /// The whole body.
    pub body: Bytes,
}

/// Why there was no whole answer.
#[derive(Debug, Clone)]
pub(in crate::pipeline::sources) struct TransportError {
    /// Kind of failure.
    pub fault: Fault,
    /// What happened; without address and key.
    pub why: String,
}

/// What sends requests; replaced in tests of the retry rules.
#[async_trait]
pub(in crate::pipeline::sources) trait Transport:
    Send + Sync + fmt::Debug
{
    async fn get(&self, url: Url) -> Result<Reply, TransportError>;
}

/// Requests over the network. The key travels in a header only and is never printed.
#[derive(Debug)]
pub(in crate::pipeline::sources) struct Network {
    client: Client,
}

impl Network {
    /// A client that sends `key` in the header `header` to `base`.
    pub(in crate::pipeline::sources) fn new(
        base: &Url,
        header: &'static str,
        key: &SecretString,
        timeout: Duration,
    ) -> Result<Self, SourceError> {
        let mut value = HeaderValue::from_str(key.expose_secret()).map_err(|_| {
            SourceError::BadCredentials {
                what: "the API key".to_owned(),
                why: "it holds characters that no HTTP header may hold, perhaps a line break"
                    .to_owned(),
                advice: "set the credential again, without spaces or line breaks around it",
            }
        })?;
        value.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(header), value);
        let mut builder = Client::builder()
            .default_headers(headers)
            .user_agent(concat!("lakehand/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the key to another host.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout);
        if is_loopback(base) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| SourceError::BadSettings {
            why: format!("no HTTP client could be made: {}", causes(&error)),
            advice: "check the proxy variables and certificates of this machine",
        })?;
        Ok(Self { client })
    }
}

/// Whether an address is this machine.
pub(in crate::pipeline::sources) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[async_trait]
impl Transport for Network {
    async fn get(&self, url: Url) -> Result<Reply, TransportError> {
        let mut response = self.client.get(url).send().await.map_err(explain)?;
        let text = |name| {
            let value: Option<&HeaderValue> = response.headers().get(name);
            value
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let (retry_after, date) = (text(RETRY_AFTER), text(DATE));
        let mut body = BytesMut::new();
        while let Some(piece) = response.chunk().await.map_err(explain)? {
            if body.len() + piece.len() > LARGEST_BODY {
                let why = format!("the body is larger than {} MB", LARGEST_BODY / 1024 / 1024);
                return Err(TransportError {
                    fault: Fault::Unavailable,
                    why,
                });
            }
            body.extend_from_slice(&piece);
        }
        Ok(Reply {
            status: response.status().as_u16(),
            retry_after,
            date,
            body: body.freeze(),
        })
    }
}

/// The address is left out: the request is named by whoever asks, and addresses end up in logs.
fn explain(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    let (fault, what) = if error.is_timeout() {
        (Fault::Unavailable, "no answer in time")
    } else if error.is_connect() {
        (Fault::Unreachable, "no connection")
    } else if error.is_body() || error.is_decode() {
        (Fault::Unavailable, "the answer was cut off")
    } else {
        (Fault::Unavailable, "the request broke off")
    };
    TransportError {
        fault,
        why: format!("{what} ({})", causes(&error)),
    }
}

/// An error with what caused it, innermost last.
fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = chain.map(ToString::to_string).collect();
    super::errors::excerpt(texts.join(": ").as_bytes(), "")
}
