//! What is asked, and what a source makes of the answer.

use std::{borrow::Cow, fmt, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use secrecy::SecretString;
use url::{Url, form_urlencoded};

use super::{Fault, SourceError};

/// How a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Reads with a body, or makes something.
    Post,
}

/// What a request carries.
#[derive(Clone)]
pub enum Body {
    /// Nothing.
    Empty,
    /// `application/json`.
    Json(Bytes),
    /// `application/x-www-form-urlencoded`; may hold a secret, so it is never printed.
    Form(SecretString),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Json(bytes) => write!(f, "Json({} bytes)", bytes.len()),
            Self::Form(_) => f.write_str("Form(***)"),
        }
    }
}

/// One request, and how to call it in logs.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// GET or POST.
    pub method: Method,
    /// Path below the client's address, with a slash at its start.
    pub path: Cow<'static, str>,
    /// Another address altogether: a token endpoint. `path` then does not count.
    pub elsewhere: Option<Url>,
    /// Query parameters; never a key, a secret or a token.
    pub query: Vec<(&'static str, String)>,
    /// What it carries.
    pub body: Body,
    /// Whether the client's key or token goes with it.
    pub authorised: bool,
    /// Tries of this request, where they differ from the client's.
    pub attempts: Option<u32>,
    /// `clicks of 2026-01-31, page 3`.
    pub what: String,
}

impl HttpRequest {
    /// A GET of `path`.
    #[must_use]
    pub fn get(path: impl Into<Cow<'static, str>>, what: impl Into<String>) -> Self {
        Self {
            method: Method::Get,
            path: path.into(),
            elsewhere: None,
            query: Vec::new(),
            body: Body::Empty,
            authorised: true,
            attempts: None,
            what: what.into(),
        }
    }

    /// A POST to `path`, without a body until one is given.
    #[must_use]
    pub fn post(path: impl Into<Cow<'static, str>>, what: impl Into<String>) -> Self {
        Self {
            method: Method::Post,
            ..Self::get(path, what)
        }
    }

    /// With these query parameters.
    #[must_use]
    pub fn query(mut self, query: Vec<(&'static str, String)>) -> Self {
        self.query = query;
        self
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(mut self, body: &serde_json::Value) -> Self {
        self.body = Body::Json(Bytes::from(body.to_string()));
        self
    }

    /// With a form as its body. Secrets may be in it: a form is never printed.
    #[must_use]
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.body = Body::Form(form.finish().into());
        self
    }

    /// To another address, without the client's key or token.
    #[must_use]
    pub fn elsewhere(mut self, url: Url) -> Self {
        self.elsewhere = Some(url);
        self.authorised = false;
        self
    }

    /// Without the client's key or token: how a token is asked for.
    #[must_use]
    pub fn without_token(mut self) -> Self {
        self.authorised = false;
        self
    }

    /// With its own number of tries.
    #[must_use]
    pub fn attempts(mut self, tries: u32) -> Self {
        self.attempts = Some(tries);
        self
    }
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
}

impl Answer {
    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..=299).contains(&self.status)
    }
}

/// What a source makes of an answer.
#[derive(Debug)]
pub enum Verdict<T> {
    /// It is what was asked for.
    Good(T),
    /// It is an error that may pass; try again after the usual wait.
    Retry(Fault, String),
    /// It is an error that may pass; try again after so long. [`Fault::Throttled`] makes everybody
    /// with the key wait.
    RetryAfter(Fault, String, Duration),
    /// The token is not good any more: one new token, then the same request again.
    TokenExpired(String),
    /// The quota is used up until then: the collection is put off.
    Park {
        /// Not before.
        until: Timestamp,
        /// Which quota.
        why: String,
    },
    /// It is final.
    Refuse(SourceError),
    /// The source has nothing to add to what the status says.
    ByStatus,
}
