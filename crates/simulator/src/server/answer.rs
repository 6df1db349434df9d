//! Answers: envelopes, pagination and refusals (`source-apis.md` 1.2 and 1.6).

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

use super::super::wire::{Escapes, Object, push_text};

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 400.
    BadParameter(String),
    /// 401: the key is missing or wrong.
    NoToken,
    /// 403: the key lacks the role.
    Denied,
    /// 404: no such path, or nothing of that identifier.
    NotFound(&'static str),
    /// 405: only reads are played.
    NotARead,
    /// 500: what the API answers to ranges that are too long.
    ServerError,
}

impl Refusal {
    /// A refused parameter.
    pub(crate) fn bad(message: String) -> Self {
        Self::BadParameter(message)
    }

    /// The prose of the body.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::BadParameter(message) => message,
            Self::NoToken => "Token is necessary",
            Self::Denied => "Auth Denied",
            Self::NotFound(message) => message,
            Self::NotARead => "Method Not Allowed",
            Self::ServerError => "Server error, Please contact your administrator",
        }
    }

    /// The HTTP status.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::BadParameter(_) => StatusCode::BAD_REQUEST,
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::Denied => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::NotARead => StatusCode::METHOD_NOT_ALLOWED,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// `{"status":2,"error":"..."}`.
pub(crate) fn error_body(message: &str) -> String {
    let mut out = String::from(r#"{"status":2,"error":"#);
    push_text(&mut out, message, Escapes::Php);
    out.push('}');
    out
}

/// Rows of one page, and where it stands among all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// JSON rows separated by commas.
    pub rows: String,
    /// Rows of all pages.
    pub total: u64,
}

/// Which page a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageRequest {
    /// From 1.
    pub page: u64,
    /// Rows a page, after clamping.
    pub per_page: u64,
}

/// `{"status":1,"<key>":[...],"pagination":{...}}`.
pub(crate) fn page_body(key: &str, page: &Page, request: PageRequest) -> String {
    let mut out = String::with_capacity(page.rows.len() + 160);
    Object::write(&mut out, Escapes::Plain, |envelope| {
        envelope.raw("status", "1");
        envelope.with(key, |out| {
            out.push('[');
            out.push_str(&page.rows);
            out.push(']');
        });
        envelope.object("pagination", |pagination| {
            pagination.number("per_page", request.per_page);
            pagination.number("total_count", page.total);
            pagination.number("page", request.page);
            if request.page.saturating_mul(request.per_page) < page.total {
                pagination.number("next_page", request.page + 1);
            }
        });
    });
    out
}

/// `{"status":1,"<key>":{...}}`.
pub(crate) fn single_body(status: &str, key: &str, row: &str) -> String {
    let mut out = String::with_capacity(row.len() + 40);
    Object::write(&mut out, Escapes::Plain, |envelope| {
        envelope.raw("status", status);
        envelope.raw(key, row);
    });
    out
}

/// An answer with a JSON body.
pub(crate) fn json(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    typed(status, "application/json", body)
}

/// An answer of a media type.
pub(crate) fn typed(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn body(page: u64, per_page: u64, total: u64) -> Value {
        let rows = Page {
            rows: r#"{"id":1},{"id":2}"#.to_owned(),
            total,
        };
        serde_json::from_str(&page_body("clicks", &rows, PageRequest { page, per_page })).unwrap()
    }

    #[test]
    fn the_last_page_names_no_next_one() {
        assert_eq!(
            body(1, 2, 5),
            json!({"status": 1, "clicks": [{"id": 1}, {"id": 2}],
                "pagination": {"per_page": 2, "total_count": 5, "page": 1, "next_page": 2}})
        );
        assert_eq!(body(3, 2, 5)["pagination"].get("next_page"), None);
        assert_eq!(body(2, 2, 4)["pagination"].get("next_page"), None);
        assert_eq!(body(1, 2, 4)["pagination"]["next_page"], 2);
    }
}
