//! Google Analytics on loopback: the token endpoint, the GA4 Data API, the GA3 Reporting API
//! (`source-apis.md` 3 and 4).
//!
//! ```text
//! world    what happened on the websites, as plain values
//! fields   dimensions and metrics by their names
//! query    a request of the Data API: checked, filtered, ordered
//! report   rows in the Data API's envelope
//! ga3      the Reporting API
//! files    published results of the Data API, served as they are
//! token    the service account and its tokens
//! quota    what a property gives
//! errors   every documented refusal
//! ```
//!
//! # Decisions where the sheet is silent
//!
//! - The token is checked first, then the property, its quota, and the request itself.
//! - Without `orderBys` rows come in the order of their dimensions; those of files in the files' order.
//! - The hours of quotas follow the simulator's clock, tokens the machine's.
//! - A day shows 70, 90 and 97 % of its sessions when it is 0, 1 and 2 days old; of days younger than two
//!   all but a few rows stand in `(other)`.
//! - Users are added over rows, which real ones cannot be: figures by source, medium and campaign are
//!   those of [`GoogleTruth::by_campaign`].

mod errors;
mod fields;
mod files;
mod ga3;
mod query;
mod quota;
mod report;
mod token;
mod world;

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, Method, Response, StatusCode, header},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    faults::{FaultKind, Replacement, Strikes},
    server::{Server, damage},
};
use errors::Refusal;
use query::Query;
use quota::Quotas;
use token::Accounts;

pub(super) use errors::WORDS;
pub(super) use files::GoogleFiles;
pub use quota::GoogleQuota;
pub use token::SERVICE_ACCOUNT;
pub use world::{Cell, Figures, GoogleTruth, PROPERTIES, Property};

/// Largest body that is read, in bytes.
const LARGEST_BODY: usize = 4 << 20;

/// What the account and its properties allow. The defaults are those of real ones.
#[derive(Debug, Clone)]
pub struct GoogleOptions {
    /// Limits of every property.
    pub quota: GoogleQuota,
    /// Life of a token, in seconds.
    pub token_seconds: u64,
}

impl Default for GoogleOptions {
    fn default() -> Self {
        Self {
            quota: GoogleQuota::default(),
            token_seconds: 3600,
        }
    }
}

/// Google, as far as it is played.
#[derive(Debug)]
pub(super) struct Google {
    options: GoogleOptions,
    truth: GoogleTruth,
    files: Option<GoogleFiles>,
    accounts: Accounts,
    quotas: Quotas,
}

impl Google {
    /// Websites of a world, or the results of files.
    pub(super) fn new(
        options: GoogleOptions,
        seed: u64,
        scale: u64,
        files: Option<GoogleFiles>,
    ) -> Self {
        let life = Duration::from_secs(options.token_seconds);
        Self {
            options,
            truth: GoogleTruth {
                seed,
                scale,
                now: 0,
            },
            files,
            accounts: Accounts::new(life),
            quotas: Quotas::default(),
        }
    }

    /// What is true as of `now`.
    pub(super) fn truth(&self, now: i64) -> GoogleTruth {
        GoogleTruth {
            now,
            ..self.truth.clone()
        }
    }

    /// The key file of the service account.
    pub(super) fn key_file(&self, base_url: &str) -> SecretString {
        self.accounts.key_file(&token_uri(base_url))
    }

    /// No token works any longer.
    pub(super) fn expire_tokens(&self) {
        self.accounts.expire();
    }

    /// Files that are not served.
    pub(super) fn skipped(&self) -> &[super::SkippedLine] {
        self.files.as_ref().map_or(&[], GoogleFiles::skipped)
    }
}

fn token_uri(base_url: &str) -> String {
    format!("{base_url}/token")
}

/// An answer before it is sent.
struct Reply {
    status: u16,
    media_type: &'static str,
    body: Bytes,
}

impl Reply {
    fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            media_type: "application/json; charset=UTF-8",
            body: Bytes::from(body.to_string()),
        }
    }

    fn refused(refusal: &Refusal) -> Self {
        Self::json(refusal.status(), &refusal.body())
    }

    /// What a retired host of Google says.
    fn gone() -> Self {
        let html = "<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n<p><b>404.</b> <ins>That’s an error.</ins>\n";
        Self {
            status: 404,
            media_type: "text/html; charset=UTF-8",
            body: Bytes::from_static(html.as_bytes()),
        }
    }

    fn response(self, damage: Option<FaultKind>) -> Response<Body> {
        let (body, length) = match damage {
            Some(kind) => damage::broken_body(kind, self.body),
            None => (Body::from(self.body), None),
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.media_type),
        );
        if let Some(length) = length {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }
}

/// Answers one request to `/token`, `/v1beta` or `/v4`.
pub(super) async fn handle(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let number = server.count(&path);
    let strikes = server.faults.strikes(&path, number, false);
    if !strikes.delay.is_zero() {
        // A simulator that is told to stop does not finish waiting.
        let _ = server
            .stop
            .run_until_cancelled(tokio::time::sleep(strikes.delay))
            .await;
    }
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("127.0.0.1");
    let base_url = format!("http://{host}");
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return Reply::refused(&Refusal::Bad("Request too large.".to_owned())).response(None);
    };
    let bearer = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(str::to_owned);
    let call = Call {
        method: parts.method,
        path,
        base_url,
        bearer,
        body,
    };
    // Rows are computed, not awaited; a worker thread of the runtime must not do that.
    let answered =
        tokio::task::spawn_blocking(move || server.answer_google(&call, strikes, number));
    match (answered.await, strikes.replacement) {
        (Ok(Ok(reply)), Some(Replacement::Damaged(kind))) => reply.response(Some(kind)),
        (Ok(Ok(reply)), _) => reply.response(None),
        (Ok(Err(kind)), _) => damage::instead(kind),
        (Err(_), _) => Reply::refused(&Refusal::Internal).response(None),
    }
}

/// A request taken apart.
struct Call {
    method: Method,
    path: String,
    base_url: String,
    bearer: Option<String>,
    body: Bytes,
}

impl Call {
    fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Refusal::Bad(format!("Invalid JSON payload received. {error}")))
    }

    /// Property and verb of `/v1beta/properties/1:runReport`.
    fn property(&self) -> Option<(&str, &str)> {
        let rest = self.path.strip_prefix("/v1beta/properties/")?;
        rest.split_once(':').or_else(|| rest.split_once('/'))
    }
}

impl Server {
    /// An answer, or a fault that is none of Google's.
    fn answer_google(
        &self,
        call: &Call,
        strikes: Strikes,
        number: u64,
    ) -> Result<Reply, FaultKind> {
        let google = &self.google;
        let instead = match strikes.replacement {
            Some(Replacement::Instead(kind)) => Some(kind),
            _ => None,
        };
        if call.path == "/token" {
            return match instead {
                None => {
                    let (status, body) = google
                        .accounts
                        .grant(&call.body, &token_uri(&call.base_url));
                    Ok(Reply::json(status, &body))
                }
                Some(FaultKind::Google("invalid-grant") | FaultKind::WrongKey) => {
                    let body = json!({"error": "invalid_grant", "error_description": "Invalid JWT Signature."});
                    Ok(Reply::json(400, &body))
                }
                Some(kind) => Err(kind),
            };
        }
        let mut shake = 0;
        if let Some(kind) = instead {
            if kind == FaultKind::Google("unsettled") {
                shake = number;
            } else {
                return self.google_fault(call, kind);
            }
        }
        let answer = self.google_route(call, shake);
        Ok(match answer {
            Ok(body) => Reply::json(200, &body),
            Err(refusal) => Reply::refused(&refusal),
        })
    }

    /// A fault as Google spells it.
    fn google_fault(&self, call: &Call, kind: FaultKind) -> Result<Reply, FaultKind> {
        let refusal = match kind {
            FaultKind::Google("not-found-html") => return Ok(Reply::gone()),
            FaultKind::Google(word) => Refusal::of(word),
            FaultKind::WrongKey => Some(Refusal::NoToken),
            FaultKind::Denied => Some(Refusal::NoPermission),
            FaultKind::TooManyRequests => Some(Refusal::ConcurrentRequests),
            FaultKind::ServerError(500) => Some(Refusal::Internal),
            FaultKind::ServerError(503) => Some(Refusal::Unavailable),
            _ => None,
        };
        let Some(refusal) = refusal else {
            return Err(kind);
        };
        if refusal == Refusal::NoToken {
            self.google.expire_tokens();
        }
        if let (Some((property, _)), true) = (call.property(), refusal.status() >= 500) {
            self.google.quotas.failed(property, self.now());
        }
        Ok(Reply::refused(&refusal))
    }

    fn google_route(&self, call: &Call, shake: u64) -> Result<Value, Refusal> {
        let google = &self.google;
        let token = call.bearer.as_deref().unwrap_or("");
        if !google.accounts.takes(token) {
            return Err(Refusal::NoToken);
        }
        if call.path == "/v4/reports:batchGet" && call.method == Method::POST {
            let body = call.json()?;
            return ga3::batch_get(&google.truth(self.now()), &body, shake);
        }
        let (property, verb) = call.property().ok_or(Refusal::NotFound)?;
        if !google.may_read(property) {
            return Err(Refusal::NoPermission);
        }
        match (verb, &call.method) {
            ("metadata", &Method::GET) => Ok(report::metadata(property)),
            ("checkCompatibility", &Method::POST) => report::compatibility(&call.json()?),
            ("runReport", &Method::POST) => self.run_report(property, &call.json()?, shake),
            ("batchRunReports", &Method::POST) => self.batch_run_reports(property, &call.json()?),
            _ => Err(Refusal::NotFound),
        }
    }

    fn run_report(&self, property: &str, body: &Value, shake: u64) -> Result<Value, Refusal> {
        let (google, now) = (&self.google, self.now());
        let limits = &google.options.quota;
        let _slot = google.quotas.admit(limits, property, now)?;
        let (query, table) = match (&google.files, Property::find(property)) {
            (Some(files), _) if files.has(property) => {
                let today = super::calendar::day_of(now);
                let query = Query::read(body, today)?;
                let table = files.table(property, &query)?;
                (query, table)
            }
            (_, Some(known)) => {
                let query = Query::read(body, known.today(now))?;
                let table = report::generated(&google.truth(now), known, &query, shake)?;
                (query, table)
            }
            _ => return Err(Refusal::NoPermission),
        };
        let cost = report::cost(&query, table.rows.len());
        let thresholded = query::may_be_thresholded(&query);
        let quota = google
            .quotas
            .charge(limits, property, now, cost, thresholded);
        Ok(report::envelope(
            &query,
            table,
            query.with_quota.then_some(quota),
        ))
    }

    fn batch_run_reports(&self, property: &str, body: &Value) -> Result<Value, Refusal> {
        let requests = body["requests"].as_array().map_or(&[][..], Vec::as_slice);
        if requests.is_empty() || requests.len() > 5 {
            return Err(Refusal::Bad(
                "A batch must have 1 to 5 requests.".to_owned(),
            ));
        }
        let reports = requests
            .iter()
            .map(|request| self.run_report(property, request, 0));
        Ok(json!({
            "reports": reports.collect::<Result<Vec<_>, _>>()?,
            "kind": "analyticsData#batchRunReports",
        }))
    }
}

impl Google {
    fn may_read(&self, property: &str) -> bool {
        let filed = self.files.as_ref().is_some_and(|files| files.has(property));
        filed || Property::find(property).is_some()
    }
}
