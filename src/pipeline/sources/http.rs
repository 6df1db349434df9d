//! Asking a source API: pace, retries, deadline, and errors that people understand.
//!
//! The rules are those of `source-apis.md` 1.6. What a body means is the source's business: it
//! looks at the bytes of a 2xx answer and returns a [`Verdict`].

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::pipeline::jobs::{JobLog, Level};

mod budget;
mod errors;
#[cfg(test)]
mod tests;
mod timer;
mod transport;

use budget::KeyBudget;
pub(in crate::pipeline::sources) use errors::excerpt;
pub use errors::{Fault, SourceError};
use timer::{MachineTimer, Timer};
pub(in crate::pipeline::sources) use transport::is_loopback;
use transport::{Network, Reply, Transport, TransportError};

/// Longest pause that a source may ask for before the collection is put off instead.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// A throttled request is tried this many times as often as a failed one: throttling is no failure.
const THROTTLED_TRIES: u32 = 3;

/// How a source is asked.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Address without a slash at its end.
    pub base_url: String,
    /// Header that carries the key, lower case.
    pub key_header: &'static str,
    /// Requests a second, all streams of the key together.
    pub requests_per_second: f64,
    /// Requests at a time, all streams of the key together.
    pub concurrency: usize,
    /// Time for one request, body included.
    pub request_timeout: Duration,
    /// Time for all requests of this client.
    pub deadline: Duration,
    /// Tries of one request.
    pub attempts: u32,
    /// Wait after the first 429; other failures wait twice as long. Doubles with every try.
    pub first_wait: Duration,
    /// Longest wait.
    pub longest_wait: Duration,
}

/// What a source says of the body of a 2xx answer.
#[derive(Debug)]
pub enum Verdict<T> {
    /// It is what was asked for.
    Good(T),
    /// It is an error that may pass; try again.
    Retry(Fault, String),
    /// It is final.
    Refuse(SourceError),
}

/// One GET, and how to call it in logs.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// Path, with a slash at its start.
    pub path: &'static str,
    /// Query parameters; never the key.
    pub query: Vec<(&'static str, String)>,
    /// `clicks of 2026-01-31, page 3`.
    pub what: String,
}

/// A client of one source with one key, for one collection.
pub struct HttpClient {
    settings: HttpSettings,
    base: Url,
    transport: Box<dyn Transport>,
    timer: Arc<dyn Timer>,
    budget: Arc<KeyBudget>,
    key: SecretString,
    cancel: CancellationToken,
    log: Arc<dyn JobLog>,
    deadline: Instant,
    calls: AtomicU64,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl HttpClient {
    /// A client whose deadline starts now.
    ///
    /// # Errors
    /// [`SourceError::BadSettings`] or [`SourceError::BadCredentials`] when address or key cannot work.
    pub fn new(
        settings: HttpSettings,
        key: SecretString,
        cancel: CancellationToken,
        log: Arc<dyn JobLog>,
    ) -> Result<Self, SourceError> {
        let base = base_url(&settings.base_url)?;
        let network = Network::new(&base, settings.key_header, &key, settings.request_timeout)?;
        if base.scheme() == "http" && !is_loopback(&base) {
            log.line(Level::Warn, "the source's base_url is http://, so the API key travels unencrypted; use https://");
        }
        let parts = (
            Box::new(network) as Box<dyn Transport>,
            Arc::new(MachineTimer) as Arc<dyn Timer>,
        );
        Ok(Self::with_parts(settings, base, parts, key, cancel, log))
    }

    fn with_parts(
        settings: HttpSettings,
        base: Url,
        (transport, timer): (Box<dyn Transport>, Arc<dyn Timer>),
        key: SecretString,
        cancel: CancellationToken,
        log: Arc<dyn JobLog>,
    ) -> Self {
        let budget = KeyBudget::of(
            base.as_str(),
            key.expose_secret(),
            settings.requests_per_second,
            settings.concurrency,
            timer.now(),
        );
        let deadline = timer.now() + settings.deadline;
        let calls = AtomicU64::new(0);
        Self {
            settings,
            base,
            transport,
            timer,
            budget,
            key,
            cancel,
            log,
            deadline,
            calls,
        }
    }

    /// Requests sent so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Where progress and odd things are told.
    #[must_use]
    pub fn log(&self) -> &dyn JobLog {
        &*self.log
    }

    /// Foreign text, fit to be shown.
    #[must_use]
    pub fn excerpt(&self, text: &[u8]) -> String {
        excerpt(text, self.key.expose_secret())
    }

    /// Sends a request until it is answered well, refused, or out of tries.
    ///
    /// # Errors
    /// [`SourceError`]: exhausted, refused, bad credentials, quota, deadline or cancelled.
    pub async fn get<T>(
        &self,
        request: &HttpRequest,
        mut read: impl FnMut(Bytes) -> Verdict<T>,
    ) -> Result<T, SourceError> {
        let url = self.url(request);
        let mut record = Tries::default();
        loop {
            let reply = self.send(request, &url).await?;
            let pause = reply
                .as_ref()
                .ok()
                .and_then(|reply| asked_pause(reply, Timestamp::now()));
            let (fault, why) = match self.judge(request, reply, &mut read) {
                Verdict::Good(value) => return Ok(value),
                Verdict::Refuse(error) => return Err(error),
                Verdict::Retry(fault, why) => (fault, why),
            };
            let (tries, kind) = record.add(fault);
            if tries >= self.tries_of(fault) {
                return Err(SourceError::Exhausted {
                    what: request.what.clone(),
                    tries,
                    fault: kind,
                    why,
                    advice: advice(kind),
                });
            }
            self.wait(request, fault, &why, tries, pause).await?;
        }
    }

    fn url(&self, request: &HttpRequest) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!(
            "{}{}",
            self.base.path().trim_end_matches('/'),
            request.path
        ));
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        url
    }

    async fn send(
        &self,
        request: &HttpRequest,
        url: &Url,
    ) -> Result<Result<Reply, TransportError>, SourceError> {
        let sent = async {
            let _slot = self.budget.turn(&*self.timer).await;
            self.calls.fetch_add(1, Ordering::Relaxed);
            self.transport.get(url.clone()).await
        };
        self.in_time(request, sent).await
    }

    /// Awaits something unless the collection is stopped or its time is over.
    async fn in_time<T>(
        &self,
        request: &HttpRequest,
        work: impl Future<Output = T>,
    ) -> Result<T, SourceError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(SourceError::Cancelled),
            () = self.timer.expire_at(self.deadline) => Err(SourceError::Deadline {
                what: request.what.clone(),
                seconds: self.settings.deadline.as_secs(),
            }),
            done = work => Ok(done),
        }
    }

    fn judge<T>(
        &self,
        request: &HttpRequest,
        reply: Result<Reply, TransportError>,
        read: &mut impl FnMut(Bytes) -> Verdict<T>,
    ) -> Verdict<T> {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return Verdict::Retry(error.fault, error.why),
        };
        let what = || request.what.clone();
        let why = || format!("HTTP {}: {}", reply.status, self.excerpt(&reply.body));
        match reply.status {
            200..=299 => read(reply.body),
            429 => Verdict::Retry(Fault::Throttled, why()),
            500 => Verdict::Retry(Fault::ServerError, why()),
            408 | 501..=599 => Verdict::Retry(Fault::Unavailable, why()),
            401 => Verdict::Refuse(SourceError::BadCredentials {
                what: what(),
                why: why(),
                advice: ADVICE_401,
            }),
            403 => Verdict::Refuse(SourceError::BadCredentials {
                what: what(),
                why: why(),
                advice: ADVICE_403,
            }),
            404 => Verdict::Refuse(SourceError::Refused {
                what: what(),
                why: why(),
                advice: ADVICE_404,
            }),
            300..=399 => Verdict::Refuse(SourceError::Refused {
                what: what(),
                why: why(),
                advice: ADVICE_3XX,
            }),
            _ => Verdict::Refuse(SourceError::Refused {
                what: what(),
                why: why(),
                advice: ADVICE_400,
            }),
        }
    }

    fn tries_of(&self, fault: Fault) -> u32 {
        let tries = self.settings.attempts.max(1);
        if fault == Fault::Throttled {
            tries.saturating_mul(THROTTLED_TRIES)
        } else {
            tries
        }
    }

    /// Waits before the next try; a throttled key waits as a whole.
    async fn wait(
        &self,
        request: &HttpRequest,
        fault: Fault,
        why: &str,
        tries: u32,
        asked: Option<Duration>,
    ) -> Result<(), SourceError> {
        let pause = self.pause_length(fault, tries, asked);
        if asked
            .is_some_and(|asked| asked > LONGEST_PAUSE || self.timer.now() + asked > self.deadline)
        {
            let length = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
            let until = Timestamp::now()
                .checked_add(length)
                .unwrap_or(Timestamp::MAX);
            return Err(SourceError::Quota {
                what: request.what.clone(),
                until,
            });
        }
        let until = self.timer.now() + pause;
        if fault == Fault::Throttled {
            self.budget.pause_until(until);
        }
        let of = self.tries_of(fault);
        let seconds = pause.as_secs_f64();
        self.log.line(
            Level::Warn,
            &format!(
                "{}: try {tries} of {of} failed ({why}); next in {seconds:.1} s",
                request.what
            ),
        );
        // Never past the deadline, which then ends the collection.
        self.in_time(request, self.timer.sleep_until(until.min(self.deadline)))
            .await
    }

    /// What was asked for, else doubling with jitter between half and whole.
    fn pause_length(&self, fault: Fault, tries: u32, asked: Option<Duration>) -> Duration {
        if let Some(asked) = asked.filter(|asked| !asked.is_zero()) {
            return asked;
        }
        let first = if fault == Fault::Throttled { 1 } else { 2 };
        let doubled = 2_u32
            .saturating_pow(tries.saturating_sub(1))
            .saturating_mul(first);
        let full = self
            .settings
            .first_wait
            .saturating_mul(doubled)
            .min(self.settings.longest_wait);
        full.mul_f64(rand::random_range(0.5..=1.0))
    }
}

/// The tries of one request.
#[derive(Default)]
struct Tries {
    throttled: u32,
    failed: u32,
    /// What all failures but throttling have in common.
    kind: Option<Fault>,
}

impl Tries {
    /// Counts a try; returns how many of its sort there were, and what ails them all.
    fn add(&mut self, fault: Fault) -> (u32, Fault) {
        if fault == Fault::Throttled {
            self.throttled += 1;
            return (self.throttled, fault);
        }
        self.failed += 1;
        // What changes from try to try is trouble of the server, not the fault of the request.
        let kind = match self.kind {
            Some(known) if known != fault => Fault::Unavailable,
            _ => fault,
        };
        self.kind = Some(kind);
        (self.failed, kind)
    }
}

/// The pause a `Retry-After` asks for: seconds, or an HTTP date counted from the answer's own date.
fn asked_pause(reply: &Reply, now: Timestamp) -> Option<Duration> {
    if !matches!(reply.status, 429 | 503) {
        return None;
    }
    let text = reply.retry_after.as_deref()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    let then = date(text)?;
    let sent = reply.date.as_deref().and_then(date).unwrap_or(now);
    Some(Duration::try_from(then.duration_since(sent)).unwrap_or(Duration::ZERO))
}

/// Checks an address and cuts the slashes at its end, which would lead to `//3.0/...`.
fn base_url(text: &str) -> Result<Url, SourceError> {
    const ADVICE: &str =
        "set base_url of the source in config.toml, for example https://api-yourname.affise.com";
    let bad = |why: String| SourceError::BadSettings {
        why,
        advice: ADVICE,
    };
    let trimmed = text.trim().trim_end_matches('/');
    if trimmed.is_empty() {
        return Err(bad("the source has no base_url".to_owned()));
    }
    let url = Url::parse(trimmed)
        .map_err(|error| bad(format!("the base_url is not an address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(bad(
            "the base_url must begin with https:// and name a host".to_owned()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(bad(
            "the base_url holds a user, a password or a query, which belong elsewhere".to_owned(),
        ));
    }
    Ok(url)
}

fn advice(fault: Fault) -> &'static str {
    match fault {
        Fault::Throttled => "lower requests_per_second, or redrive the execution later",
        Fault::ServerError => {
            "redrive the execution later; if it stays, a parameter or the window is at fault"
        }
        Fault::Unavailable => "the source is troubled: redrive the execution later",
        Fault::Unreachable => {
            "check base_url, the network and the proxy, then redrive the execution"
        }
        Fault::Shifting => {
            "rows are changing quickly: redrive the execution later, or collect shorter windows"
        }
    }
}

const ADVICE_401: &str =
    "set the API key again, and check that base_url is the host of the tenant the key belongs to";
const ADVICE_403: &str =
    "the key lacks the right: use the key of a general manager, or ask for the permission";
const ADVICE_404: &str = "check base_url: it must be the tenant's own API host, without a path and without a slash at its end";
const ADVICE_3XX: &str = "the source redirects, and keys are not carried to other hosts: set base_url to where it points";
const ADVICE_400: &str = "this is an error of the settings or of this program: check the window and time zone, and report it";
