//! Answers that faults put in place of the right one.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use futures::stream;

use super::answer::{Refusal, error_body, json, typed};
use crate::faults::FaultKind;

/// An answer that has nothing to do with the request.
pub(crate) fn instead(kind: FaultKind) -> Response<Body> {
    match kind {
        FaultKind::TooManyRequests => too_many(None),
        FaultKind::RetryAfter(wait) => too_many(Some(wait)),
        FaultKind::ServerError(502) => page(StatusCode::BAD_GATEWAY),
        FaultKind::ServerError(503) => page(StatusCode::SERVICE_UNAVAILABLE),
        FaultKind::ServerError(504) => page(StatusCode::GATEWAY_TIMEOUT),
        FaultKind::Denied => refused(&Refusal::Denied),
        FaultKind::WrongKey => refused(&Refusal::NoToken),
        FaultKind::Refused => json(
            StatusCode::OK,
            r#"{"status":2,"message":{"period":["Access to this period is not allowed"]}}"#,
        ),
        FaultKind::RefusedForNow => json(
            StatusCode::OK,
            r#"{"status":2,"error":"Something went wrong, please try again later"}"#,
        ),
        FaultKind::Html => page(StatusCode::OK),
        _ => refused(&Refusal::ServerError),
    }
}

fn refused(refusal: &Refusal) -> Response<Body> {
    json(refusal.status(), error_body(refusal.message()))
}

fn too_many(wait: Option<Duration>) -> Response<Body> {
    let mut response = json(
        StatusCode::TOO_MANY_REQUESTS,
        error_body("Too Many Requests"),
    );
    if let Some(wait) = wait {
        let seconds = wait.as_millis().div_ceil(1_000).to_string();
        if let Ok(value) = HeaderValue::from_str(&seconds) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
    }
    response
}

/// What a proxy in front of the API says.
fn page(status: StatusCode) -> Response<Body> {
    let title = match status {
        StatusCode::OK => "One moment, please...".to_owned(),
        other => format!(
            "{} {}",
            other.as_u16(),
            other.canonical_reason().unwrap_or("")
        ),
    };
    let html = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    typed(status, "text/html; charset=utf-8", html)
}

/// The right body, damaged. It is cut at two thirds, in the middle of a character if it comes so.
pub(super) fn damaged(kind: FaultKind, body: String) -> Response<Body> {
    let (body, length) = broken_body(kind, Bytes::from(body));
    let mut response = json(StatusCode::OK, body);
    if let Some(length) = length {
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// A body damaged, and the length that its header claims if it claims one.
pub(crate) fn broken_body(kind: FaultKind, whole: Bytes) -> (Body, Option<usize>) {
    let part = whole.slice(..whole.len() * 2 / 3);
    match kind {
        FaultKind::Drop => (broken_off(part), Some(whole.len())),
        FaultKind::DropChunked => (broken_off(part), None),
        _ => (Body::from(part), None),
    }
}

/// A body that ends in an error, on which the server closes the connection.
fn broken_off(part: Bytes) -> Body {
    let pieces = [Ok(part), Err(io::Error::other("dropped by a fault"))];
    // The pause lets the part reach the client before the connection ends.
    let paced = stream::unfold(pieces.into_iter(), |mut left| async move {
        let piece = left.next()?;
        if piece.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some((piece, left))
    });
    Body::from_stream(paced)
}
