//! One request: bytes and the few headers that matter, or why there was no answer.

use std::{fmt, pin::Pin, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use reqwest::{
    Client, RequestBuilder, Response,
    header::{CONTENT_RANGE, CONTENT_TYPE, DATE, HeaderName, HeaderValue, RANGE, RETRY_AFTER},
    redirect,
};
use secrecy::ExposeSecret;
use url::Url;

use super::{Body, Fault, Method, SourceError};

/// Largest body that is taken into memory, in bytes. A page of 5,000 rows is a tenth of it.
const LARGEST_BODY: usize = 64 * 1024 * 1024;
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a download may take in all; what stalls is found much earlier.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// A request, ready to go.
#[derive(Debug, Clone)]
pub(in crate::sources) struct Call {
    /// GET or POST.
    pub method: Method,
    /// Address with its query.
    pub url: Url,
    /// Key or token; its value is marked as sensitive and not printed.
    pub authorisation: Option<(HeaderName, HeaderValue)>,
    /// `bytes=100-`.
    pub range: Option<String>,
    /// What it carries.
    pub body: Body,
}

/// An answer, whatever its status.
#[derive(Debug, Clone, Default)]
pub(in crate::sources) struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, as sent.
    pub retry_after: Option<String>,
    /// `Date`, as sent.
    pub date: Option<String>,
    /// `Content-Range`, as sent.
    pub content_range: Option<String>,
    /// The whole body; empty while it is still to be read.
    pub body: Bytes,
}

/// A body that is read piece by piece.
pub(in crate::sources) type Pieces =
    Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// Why there was no whole answer.
#[derive(Debug, Clone)]
pub(in crate::sources) struct TransportError {
    /// Kind of failure.
    pub fault: Fault,
    /// What happened; without address and key.
    pub why: String,
}

/// What sends requests; replaced in tests of the retry rules.
#[async_trait]
pub(in crate::sources) trait Transport: Send + Sync + fmt::Debug {
    /// Sends a request and reads the whole answer.
    async fn send(&self, call: Call) -> Result<Reply, TransportError>;
    /// Sends a request; the body is read by the caller, who also looks out for a stall.
    async fn open(&self, call: Call) -> Result<(Reply, Pieces), TransportError>;
}

/// Requests over the network. Keys and tokens travel in headers only and are never printed.
#[derive(Debug)]
pub(in crate::sources) struct Network {
    client: Client,
}

impl Network {
    /// A client for requests to `base`.
    pub(in crate::sources) fn new(base: &Url, timeout: Duration) -> Result<Self, SourceError> {
        let mut builder = Client::builder()
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

    fn request(&self, call: Call) -> RequestBuilder {
        let mut request = match call.method {
            Method::Get => self.client.get(call.url),
            Method::Post => self.client.post(call.url),
        };
        if let Some((name, value)) = call.authorisation {
            request = request.header(name, value);
        }
        if let Some(range) = call.range {
            request = request.header(RANGE, range);
        }
        match call.body {
            // An empty body says its length: some servers refuse a POST without one.
            Body::Empty if call.method == Method::Post => request.body(Bytes::new()),
            Body::Empty => request,
            Body::Json(bytes) => request.header(CONTENT_TYPE, "application/json").body(bytes),
            Body::Form(form) => request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.expose_secret().to_owned()),
        }
    }
}

/// Whether an address is this machine.
pub(in crate::sources) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[async_trait]
impl Transport for Network {
    async fn send(&self, call: Call) -> Result<Reply, TransportError> {
        let mut response = self.request(call).send().await.map_err(explain)?;
        let mut reply = head(&response);
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
        reply.body = body.freeze();
        Ok(reply)
    }

    async fn open(&self, call: Call) -> Result<(Reply, Pieces), TransportError> {
        let request = self.request(call).timeout(DOWNLOAD_TIMEOUT);
        let response = request.send().await.map_err(explain)?;
        let reply = head(&response);
        let pieces = response.bytes_stream().map(|piece| piece.map_err(explain));
        Ok((reply, Box::pin(pieces)))
    }
}

fn head(response: &Response) -> Reply {
    let text = |name| {
        let value: Option<&HeaderValue> = response.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    Reply {
        status: response.status().as_u16(),
        retry_after: text(RETRY_AFTER),
        date: text(DATE),
        content_range: text(CONTENT_RANGE),
        body: Bytes::new(),
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
    super::errors::excerpt(texts.join(": ").as_bytes(), &[])
}
