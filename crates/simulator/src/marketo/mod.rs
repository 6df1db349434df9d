//! Marketo on loopback: identity, REST and bulk export (`source-apis.md` 2).
//!
//! ```text
//! world    leads and the activity log: generated, or from files
//! wire     how Marketo spells them
//! listing  pages of REST
//! export   bulk jobs and their files
//! token    access tokens
//! limits   what one instance gives in all
//! codes    every documented error
//! call     a request taken apart
//! ```
//!
//! # Decisions where the sheet is silent
//!
//! - A paging token stands for a place in the log, which is in the order of the activities' own
//!   dates. What is committed late appears at its earlier date: a client that only reads forward
//!   never sees it.
//! - One call walks at most 500 entries of the log, whatever it finds.
//! - The end of a bulk filter counts with its whole second.
//! - The daily quotas follow the simulator's clock, tokens, rates and jobs the machine's.
//! - Filters that are documented but not played are refused, as those a subscription lacks.

mod call;
pub(crate) mod codes;
mod export;
mod files;
mod generate;
mod limits;
mod listing;
mod token;
mod wire;
mod world;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode};
use secrecy::SecretString;

use super::archive::{ArchiveError, SkippedLine};
use super::faults::{FaultKind, Replacement, Strikes};
use super::random::mix;
use super::server::{Server, damage};
use call::{Answer, Call, Reply};
use codes::Refusal;
use export::{Deed, Exported, Exports, Office};
use generate::Generated;
use limits::Limits;
use token::Tokens;
use world::World;

pub use world::{Activity, ActivityType, DataType, Gone, Lead, LeadField, MarketoTruth, Notation};

/// The client id unless another is given; like the key of Affise it opens nothing but a simulator.
pub const DEMO_CLIENT_ID: &str = "SIMULATED-SECRET-demo-client-id";
/// The client secret unless another is given.
pub const DEMO_CLIENT_SECRET: &str = "SIMULATED-SECRET-demo-client-secret";
/// The Munchkin id of the simulated instance.
pub const DEMO_MUNCHKIN_ID: &str = "123-ABC-456";

/// Largest body of `/rest`, in bytes.
const REST_BODY: usize = 1 << 20;
/// Largest body of `/bulk`, in bytes.
const BULK_BODY: usize = 10 << 20;
/// Longest URI, in bytes.
const LONGEST_URI: usize = 8 * 1024;

/// What the instance allows. The defaults are those of a real one.
#[derive(Debug, Clone)]
pub struct MarketoOptions {
    /// `client_id` of the API service.
    pub client_id: SecretString,
    /// `client_secret` of the API service.
    pub client_secret: SecretString,
    /// Calls a day of US Central.
    pub daily_calls: u64,
    /// Calls in twenty seconds.
    pub calls_in_20_seconds: u32,
    /// Calls at a time.
    pub calls_at_a_time: u32,
    /// Bytes of bulk files a day of US Central.
    pub export_bytes_a_day: u64,
    /// Life of a token, in seconds.
    pub token_seconds: u64,
    /// How often the status of a job is refreshed.
    pub status_refresh: Duration,
    /// How long a job is worked on.
    pub export_time: Duration,
    /// Whether leads can be exported by the time of their last change.
    pub updated_at_filter: bool,
}

impl Default for MarketoOptions {
    fn default() -> Self {
        Self {
            client_id: SecretString::from(DEMO_CLIENT_ID),
            client_secret: SecretString::from(DEMO_CLIENT_SECRET),
            daily_calls: 50_000,
            calls_in_20_seconds: 100,
            calls_at_a_time: 10,
            export_bytes_a_day: 500 << 20,
            token_seconds: 3_600,
            status_refresh: Duration::from_secs(60),
            export_time: Duration::from_secs(5),
            updated_at_filter: true,
        }
    }
}

impl MarketoOptions {
    /// The limits of a real instance, whose bulk jobs are done in a moment: for a demo, and for whoever
    /// asks once a second.
    pub fn quick() -> Self {
        Self {
            status_refresh: Duration::from_millis(200),
            export_time: Duration::from_millis(100),
            ..Self::default()
        }
    }
}

/// A Marketo instance.
#[derive(Debug)]
pub(super) struct Marketo {
    options: MarketoOptions,
    seed: u64,
    world: WorldSource,
    tokens: Tokens,
    limits: Limits,
    exports: Exports,
    skipped: Vec<SkippedLine>,
}

/// A generated world is made when the first request comes: most simulators are started for Affise.
#[derive(Debug)]
struct WorldSource {
    made: OnceLock<World>,
    scale: u64,
    end: i64,
}

impl Marketo {
    /// A generated instance whose today ends at `end`.
    pub(super) fn generated(options: MarketoOptions, seed: u64, scale: u64, end: i64) -> Self {
        Self {
            options,
            seed,
            world: WorldSource {
                made: OnceLock::new(),
                scale,
                end,
            },
            tokens: Tokens::default(),
            limits: Limits::default(),
            exports: Exports::default(),
            skipped: Vec::new(),
        }
    }

    /// An instance that holds the rows of files.
    fn filed(options: MarketoOptions, seed: u64, filed: files::Filed) -> Self {
        let mut instance = Self::generated(options, seed, 0, 0);
        instance.skipped.clone_from(&filed.skipped);
        instance.world.made = OnceLock::from(World::filed(filed));
        instance
    }

    fn world(&self) -> &World {
        let source = &self.world;
        source
            .made
            .get_or_init(|| World::generated(Generated::new(self.seed, source.scale, source.end)))
    }

    /// What it holds as of `now`.
    pub(super) fn truth(&self, now: i64) -> MarketoTruth {
        MarketoTruth::of(self.world(), now)
    }

    /// The token in use works no longer.
    pub(super) fn expire_token(&self) {
        self.tokens.expire();
    }

    /// Bytes of bulk files made on the day of `now`.
    pub(super) fn bytes_exported(&self, now: i64) -> u64 {
        self.limits.bytes(now)
    }

    /// Calls counted on the day of `now`.
    pub(super) fn calls_counted(&self, now: i64) -> u64 {
        self.limits.calls(limits::quota_day(now))
    }

    /// Lines of files that are not served.
    pub(super) fn skipped(&self) -> &[SkippedLine] {
        &self.skipped
    }
}

/// The Marketo files of a folder, taken in.
pub(super) struct MarketoFiles(files::Filed);

impl MarketoFiles {
    /// Takes in a folder's files; `None` when there are none.
    pub(super) fn open(directory: &Path) -> Result<Option<Self>, ArchiveError> {
        let found = files::find(directory);
        if found.is_empty() {
            return Ok(None);
        }
        files::Filed::open(&found).map(|filed| Some(Self(filed)))
    }

    /// When the newest row was made or changed.
    pub(super) fn newest(&self) -> Option<i64> {
        self.0.newest()
    }

    /// An instance that serves them.
    pub(super) fn serve(self, options: MarketoOptions, seed: u64) -> Marketo {
        Marketo::filed(options, seed, self.0)
    }
}

/// Answers one request to `/identity`, `/rest` or `/bulk`.
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
    if let Some(Replacement::Instead(kind)) = strikes.replacement
        && !matches!(kind, FaultKind::Marketo(_))
    {
        return instead(kind, &path, number);
    }
    if request
        .uri()
        .path_and_query()
        .is_some_and(|text| text.as_str().len() > LONGEST_URI)
    {
        let answer = Answer::text(StatusCode::URI_TOO_LONG, "URI Too Long");
        return answer.into_response(None);
    }
    let limit = if path.starts_with("/bulk") {
        BULK_BODY
    } else {
        REST_BODY
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, limit).await else {
        let answer = Answer::text(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        return answer.into_response(None);
    };
    let call = Call::new(parts.method, &parts.uri, &parts.headers, body);
    // Rows are computed, not awaited; a worker thread of the runtime must not do that.
    let answered =
        tokio::task::spawn_blocking(move || server.answer_marketo(&call, strikes, number));
    let answer = answered.await.unwrap_or_else(|_| {
        Answer::text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    });
    match strikes.replacement {
        Some(Replacement::Damaged(kind)) => {
            let damaged = damage::broken_body(kind, answer.body.clone());
            answer.into_response(Some(damaged))
        }
        _ => answer.into_response(None),
    }
}

/// An answer that has nothing to do with the request, as Marketo spells it.
fn instead(kind: FaultKind, path: &str, number: u64) -> Response<Body> {
    let refused = |status, code| {
        let body = Refusal::of(code).body(&request_id(number));
        Answer::json(status, &body).into_response(None)
    };
    match kind {
        FaultKind::WrongKey if path.starts_with("/identity") => {
            let body = serde_json::json!({
                "error": "unauthorized", "error_description": "Bad client credentials",
            });
            Answer::json(StatusCode::UNAUTHORIZED, &body).into_response(None)
        }
        FaultKind::WrongKey => refused(StatusCode::OK, "601"),
        FaultKind::Denied => refused(StatusCode::OK, "603"),
        FaultKind::Refused => refused(StatusCode::OK, "1003"),
        FaultKind::RefusedForNow => refused(StatusCode::OK, "608"),
        FaultKind::ServerError(500) => refused(StatusCode::INTERNAL_SERVER_ERROR, "611"),
        other => damage::instead(other),
    }
}

fn request_id(number: u64) -> String {
    format!("{:x}#{number:x}", mix(number) >> 48)
}

/// What a path stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route<'p> {
    Token,
    Types { custom: bool },
    PagingToken,
    Activities,
    Leads,
    Describe,
    Stats { errors: bool, days: i64 },
    CreateExport(Exported),
    ListExports(Exported),
    Export(Exported, &'p str, Deed),
}

impl<'p> Route<'p> {
    fn find(path: &'p str) -> Option<Self> {
        Some(match path {
            "/identity/oauth/token" => Self::Token,
            "/rest/v1/activities/types.json" => Self::Types { custom: false },
            "/rest/v1/activities/external/types.json" => Self::Types { custom: true },
            "/rest/v1/activities/pagingtoken.json" => Self::PagingToken,
            "/rest/v1/activities.json" => Self::Activities,
            "/rest/v1/leads.json" => Self::Leads,
            "/rest/v1/leads/describe.json" => Self::Describe,
            "/rest/v1/stats/usage.json" => Self::Stats {
                errors: false,
                days: 1,
            },
            "/rest/v1/stats/usage/last7days.json" => Self::Stats {
                errors: false,
                days: 7,
            },
            "/rest/v1/stats/errors.json" => Self::Stats {
                errors: true,
                days: 1,
            },
            "/rest/v1/stats/errors/last7days.json" => Self::Stats {
                errors: true,
                days: 7,
            },
            _ => return Self::find_export(path),
        })
    }

    fn find_export(path: &'p str) -> Option<Self> {
        let (kind, rest) = path.strip_prefix("/bulk/v1/")?.split_once('/')?;
        let kind = match kind {
            "leads" => Exported::Leads,
            "activities" => Exported::Activities,
            _ => return None,
        };
        match rest {
            "export.json" => return Some(Self::ListExports(kind)),
            "export/create.json" => return Some(Self::CreateExport(kind)),
            _ => {}
        }
        let (id, deed) = rest.strip_prefix("export/")?.split_once('/')?;
        let deed = match deed {
            "enqueue.json" => Deed::Enqueue,
            "status.json" => Deed::Status,
            "file.json" => Deed::File,
            "cancel.json" => Deed::Cancel,
            _ => return None,
        };
        Some(Self::Export(kind, id, deed))
    }

    /// Whether it changes something and wants a POST that means it.
    const fn is_write(&self) -> bool {
        matches!(
            self,
            Self::CreateExport(_) | Self::Export(_, _, Deed::Enqueue | Deed::Cancel)
        )
    }
}

impl Server {
    /// Answers a call: token, limits, then what the path stands for.
    fn answer_marketo(&self, call: &Call, strikes: Strikes, number: u64) -> Answer {
        let instance = &self.marketo;
        let now = self.now();
        let route = Route::find(&call.path);
        if route == Some(Route::Token)
            && !matches!(strikes.replacement, Some(Replacement::Instead(_)))
        {
            let short = strikes.twist == Some(FaultKind::ShortToken);
            return instance.tokens.answer(call, &instance.options, short);
        }
        let refused =
            |refusal: &Refusal| Answer::json(StatusCode::OK, &refusal.body(&request_id(number)));
        if let Some(Replacement::Instead(FaultKind::Marketo(word))) = strikes.replacement {
            if matches!(word, "601" | "602") {
                instance.tokens.expire();
            }
            instance.limits.refused(&Refusal::of(word), now);
            return refused(&Refusal::of(word));
        }
        let admitted = match instance.limits.admit(&instance.options, now) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                instance.limits.refused(&refusal, now);
                return refused(&refusal);
            }
        };
        let answer = self.marketo_route(call, route, strikes.twist, now);
        instance.limits.ended(answer.as_ref().err(), now);
        drop(admitted);
        match answer {
            Ok(Reply::Ready(answer)) => answer,
            Ok(Reply::Body(mut body)) => {
                if let Some(body) = body.as_object_mut() {
                    body.shift_insert(0, "requestId".to_owned(), request_id(number).into());
                }
                Answer::json(StatusCode::OK, &body)
            }
            Err(refusal) => refused(&refusal),
        }
    }

    fn marketo_route(
        &self,
        call: &Call,
        route: Option<Route<'_>>,
        twist: Option<FaultKind>,
        now: i64,
    ) -> Result<Reply, Refusal> {
        let instance = &self.marketo;
        instance.tokens.check(call)?;
        let route = route.ok_or_else(|| Refusal::of("610"))?;
        let meant = if route.is_write() {
            call.method == Method::POST
        } else {
            call.is_read()
        };
        if !meant {
            return Err(Refusal::of("605"));
        }
        let world = instance.world();
        let office = Office {
            world,
            options: &instance.options,
            limits: &instance.limits,
            seed: instance.seed,
            now,
            twist,
        };
        Ok(Reply::Body(match route {
            Route::Token => return Err(Refusal::of("610")),
            Route::Types { custom } => listing::types(world, custom),
            Route::PagingToken => listing::paging_token(world, call)?,
            Route::Activities => listing::activities(world, call, now)?,
            Route::Leads => listing::leads(world, call, now)?,
            Route::Describe => listing::describe(world),
            Route::Stats { errors, days } => listing::stats(&instance.limits, errors, days, now),
            Route::CreateExport(kind) => instance.exports.create(&office, kind, call)?,
            Route::ListExports(kind) => instance.exports.list(&office, kind, call),
            Route::Export(kind, id, deed) => {
                return instance.exports.act(&office, kind, id, deed, call);
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_and_others_are_not() {
        assert_eq!(Route::find("/rest/v1/leads.json"), Some(Route::Leads));
        assert_eq!(
            Route::find("/bulk/v1/activities/export/ab-c/file.json"),
            Some(Route::Export(Exported::Activities, "ab-c", Deed::File))
        );
        assert_eq!(
            Route::find("/bulk/v1/leads/export.json"),
            Some(Route::ListExports(Exported::Leads))
        );
        for wrong in [
            "/rest/v1//leads.json",
            "/rest/bulk/v1/leads/export.json",
            "/bulk/v1/leads/export/x/y.json",
        ] {
            assert_eq!(Route::find(wrong), None, "{wrong}");
        }
    }
}
