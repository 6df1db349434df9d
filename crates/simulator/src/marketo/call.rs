//! A request taken apart, and what is answered.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use serde_json::Value;

use super::codes::Refusal;

/// A request: path, parameters of query and form together, body, the headers that matter.
#[derive(Debug)]
pub(super) struct Call {
    pub method: Method,
    pub path: String,
    /// From the query, then from a form in the body, in their order.
    parameters: Vec<(String, String)>,
    /// Whether a token travels in the query, where Marketo takes it no longer.
    pub token_in_query: bool,
    pub bearer: Option<String>,
    /// `bytes=a-b`, as sent.
    pub range: Option<String>,
    is_json: bool,
    body: Bytes,
}

impl Call {
    pub(super) fn new(method: Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Self {
        let text =
            |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let pairs = |bytes: &[u8]| {
            url::form_urlencoded::parse(bytes)
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect::<Vec<_>>()
        };
        let kind = text(header::CONTENT_TYPE).unwrap_or("");
        let mut parameters = pairs(uri.query().unwrap_or("").as_bytes());
        let token_in_query = parameters.iter().any(|(name, _)| name == "access_token");
        if kind.starts_with("application/x-www-form-urlencoded") {
            parameters.extend(pairs(&body));
        }
        let bearer = text(header::AUTHORIZATION)
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim().to_owned());
        Self {
            method,
            path: uri.path().to_owned(),
            parameters,
            token_in_query,
            bearer,
            range: text(header::RANGE).map(str::to_owned),
            is_json: kind.starts_with("application/json"),
            body,
        }
    }

    /// The last value of a parameter; an empty one counts as not sent.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        let sent = self
            .parameters
            .iter()
            .rev()
            .find(|(known, _)| known == name)?;
        Some(sent.1.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that must be there: 1002 without it.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.one(name).ok_or_else(|| {
            Refusal::new(
                "1002",
                format!("Missing value for required parameter '{name}'"),
            )
        })
    }

    /// A list with commas, or with the parameter sent once a value; blanks around values do not count.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        let sent = self.parameters.iter().filter(|(known, _)| known == name);
        sent.flat_map(|(_, values)| values.split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// Whole numbers with commas: 1001 for anything else.
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<i64>, Refusal> {
        let read = |value: &&str| {
            value.parse().map_err(|_| {
                Refusal::new(
                    "1001",
                    format!("Invalid value '{value}', expected of type 'Integer'"),
                )
            })
        };
        self.list(name).iter().map(read).collect()
    }

    /// Rows of a page: 300 unless fewer are asked for.
    pub(super) fn batch_size(&self) -> Result<usize, Refusal> {
        match self.one("batchSize").map(str::parse::<usize>) {
            None => Ok(MOST_ROWS),
            Some(Ok(size @ 1..=MOST_ROWS)) => Ok(size),
            Some(_) => Err(Refusal::new("1003", "batchSize must be from 1 to 300")),
        }
    }

    /// Whether it reads: GET, or POST that says it means GET.
    pub(super) fn is_read(&self) -> bool {
        self.method == Method::GET
            || (self.method == Method::POST
                && self
                    .one("_method")
                    .is_some_and(|method| method.eq_ignore_ascii_case("get")))
    }

    /// The JSON of the body.
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        if !self.is_json {
            return Err(Refusal::new("612", "Invalid Content Type"));
        }
        serde_json::from_slice(&self.body).map_err(|_| Refusal::new("609", "Invalid JSON"))
    }
}

/// Most rows of a page.
pub(super) const MOST_ROWS: usize = 300;

/// What a route gives: JSON that still lacks its request id, or a whole answer.
#[derive(Debug)]
pub(super) enum Reply {
    Body(Value),
    Ready(Answer),
}

/// An answer before faults damage it.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub media_type: &'static str,
    pub content_range: Option<String>,
    pub body: Bytes,
}

impl Answer {
    /// A JSON body.
    pub(super) fn json(status: StatusCode, body: &Value) -> Self {
        Self {
            status,
            media_type: "application/json;charset=UTF-8",
            content_range: None,
            body: body.to_string().into(),
        }
    }

    /// Plain text.
    pub(super) fn text(status: StatusCode, text: impl Into<Bytes>) -> Self {
        Self {
            status,
            media_type: "text/plain;charset=UTF-8",
            content_range: None,
            body: text.into(),
        }
    }

    /// The response, with another body if a fault damaged it. `length`: what the header claims.
    pub(super) fn into_response(self, damaged: Option<(Body, Option<usize>)>) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.media_type),
        );
        if let Some(range) = self
            .content_range
            .and_then(|text| HeaderValue::try_from(text).ok())
        {
            headers.insert(header::CONTENT_RANGE, range);
        }
        let body = match damaged {
            None => Body::from(self.body),
            Some((body, length)) => {
                if let Some(length) = length {
                    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
                }
                body
            }
        };
        *response.body_mut() = body;
        response
    }
}
