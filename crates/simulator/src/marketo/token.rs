//! Access tokens: one at a time for the API user, the same one with the time left if asked again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use secrecy::ExposeSecret;
use serde_json::json;

use super::MarketoOptions;
use super::call::{Answer, Call};
use super::codes::Refusal;
use crate::random::mix;
use crate::wire::SECRET_MARKER;

/// The token in use.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// How many were made: no two are equal.
    made: u64,
    current: Option<(String, Instant)>,
    /// The one before, which is known to have expired.
    former: Vec<String>,
}

impl Held {
    fn retire(&mut self) {
        if let Some((token, _)) = self.current.take() {
            self.former.push(token);
        }
    }
}

impl Tokens {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `/identity/oauth/token`. `short`: the token lives two seconds.
    pub(super) fn answer(&self, call: &Call, options: &MarketoOptions, short: bool) -> Answer {
        let refused = |error: &str, description: &str| {
            let body = json!({"error": error, "error_description": description});
            Answer::json(StatusCode::UNAUTHORIZED, &body)
        };
        if call.one("grant_type") != Some("client_credentials") {
            return refused("unsupported_grant_type", "Unsupported grant type");
        }
        let id = call.one("client_id").unwrap_or("");
        if id != options.client_id.expose_secret() {
            return refused("invalid_client", "No client with requested id");
        }
        if call.one("client_secret") != Some(options.client_secret.expose_secret()) {
            return refused("unauthorized", "Bad client credentials");
        }
        let now = Instant::now();
        let mut held = self.held();
        if held.current.as_ref().is_none_or(|(_, until)| *until <= now) {
            held.retire();
            held.made += 1;
            let token = format!("{SECRET_MARKER}{:016x}:ab", mix(held.made));
            held.current = Some((token, now + Duration::from_secs(options.token_seconds)));
        }
        let Some((token, until)) = held.current.as_mut() else {
            return refused("server_error", "No token");
        };
        if short {
            *until = now + Duration::from_secs(2);
        }
        let left = until.duration_since(now).as_secs();
        let body = json!({
            "access_token": token, "token_type": "bearer", "expires_in": left,
            "scope": "api@lakehand.example",
        });
        Answer::json(StatusCode::OK, &body)
    }

    /// Checks what a call carries. The header is the only place for it.
    pub(super) fn check(&self, call: &Call) -> Result<(), Refusal> {
        let Some(token) = &call.bearer else {
            let message = if call.token_in_query {
                "Access token in the query string is not supported, use the Authorization header"
            } else {
                "Access token not specified"
            };
            let code = if call.token_in_query { "601" } else { "600" };
            return Err(Refusal::new(code, message));
        };
        let held = self.held();
        match &held.current {
            Some((current, until)) if current == token => {
                if *until <= Instant::now() {
                    Err(Refusal::of("602"))
                } else {
                    Ok(())
                }
            }
            _ if held.former.contains(token) => Err(Refusal::of("602")),
            _ => Err(Refusal::of("601")),
        }
    }

    /// The token in use works no longer.
    pub(super) fn expire(&self) {
        self.held().retire();
    }
}
