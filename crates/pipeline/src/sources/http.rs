//! Asking a source API: pace, retries, deadline, tokens, and errors that people understand.
//!
//! The rules are those of `source-apis.md` 1.6, 2.9, 3.7 and 4.4. What an answer means is the source's
//! business: it looks at status and bytes and returns a [`Verdict`].

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::transient::{self, Means};
use crate::jobs::{JobLog, Level};

mod auth;
mod budget;
mod download;
mod errors;
mod request;
mod retry;
#[cfg(test)]
mod tests;
mod timer;
mod transport;

pub use auth::{Auth, Token, TokenProvider};
pub use budget::CallWindow;
use budget::KeyBudget;
pub use download::{ByteRange, ContentRange, Downloaded};
pub(in crate::sources) use errors::excerpt;
pub use errors::{Fault, SourceError};
pub use request::{Answer, Body, HttpRequest, Method, Verdict};
use retry::{
    ADVICE_3XX, ADVICE_400, ADVICE_403, ADVICE_403_ACCOUNT, ADVICE_404, Tries, advice, advice_401,
    asked_pause,
};
use timer::{MachineTimer, Timer};
pub(in crate::sources) use transport::is_loopback;
use transport::{Call, Network, Reply, Transport, TransportError};

/// Longest pause that a source may ask for before the collection is put off instead.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// A throttled request is tried this many times as often as a failed one: throttling is no failure.
const THROTTLED_TRIES: u32 = 3;

/// How a source is asked.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Address without a slash at its end.
    pub base_url: String,
    /// Requests a second, everybody with the key or account together.
    pub requests_per_second: f64,
    /// Requests at a time, everybody with the key or account together.
    pub concurrency: usize,
    /// A limit on the calls of a sliding window, everybody with the key or account together.
    pub window: Option<CallWindow>,
    /// Time for one request, body included; for a download the longest time without a byte.
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

/// A client of one source with one key or account, for one collection.
pub struct HttpClient {
    settings: HttpSettings,
    base: Url,
    transport: Box<dyn Transport>,
    timer: Arc<dyn Timer>,
    budget: Arc<KeyBudget>,
    auth: auth::Ready,
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

/// One request on its way through its tries.
struct Trying {
    record: Tries,
    /// Whether a new token was fetched for it.
    renewed: bool,
    attempts: Option<u32>,
}

impl Trying {
    fn new(request: &HttpRequest) -> Self {
        Self {
            record: Tries::default(),
            renewed: false,
            attempts: request.attempts,
        }
    }
}

impl HttpClient {
    /// A client whose deadline starts now.
    ///
    /// # Errors
    /// [`SourceError::BadSettings`] or [`SourceError::BadCredentials`] when address or key cannot work.
    pub fn new(
        settings: HttpSettings,
        auth: Auth,
        cancel: CancellationToken,
        log: Arc<dyn JobLog>,
    ) -> Result<Self, SourceError> {
        let base = base_url(&settings.base_url)?;
        let network = Network::new(&base, settings.request_timeout)?;
        if base.scheme() == "http" && !is_loopback(&base) {
            log.line(Level::Warn, "the source's base_url is http://, so the credential travels unencrypted; use https://");
        }
        let parts = (
            Box::new(network) as Box<dyn Transport>,
            Arc::new(MachineTimer) as Arc<dyn Timer>,
        );
        Self::with_parts(settings, base, parts, auth, cancel, log)
    }

    fn with_parts(
        settings: HttpSettings,
        base: Url,
        (transport, timer): (Box<dyn Transport>, Arc<dyn Timer>),
        auth: Auth,
        cancel: CancellationToken,
        log: Arc<dyn JobLog>,
    ) -> Result<Self, SourceError> {
        let auth = auth::Ready::new(auth)?;
        let budget = KeyBudget::of(
            base.as_str(),
            auth.budget_key(),
            settings.requests_per_second,
            settings.concurrency,
            settings.window,
            timer.now(),
        );
        let deadline = timer.now() + settings.deadline;
        let calls = AtomicU64::new(0);
        Ok(Self {
            settings,
            base,
            transport,
            timer,
            budget,
            auth,
            cancel,
            log,
            deadline,
            calls,
        })
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

    /// Foreign text, fit to be shown: short, harmless, without key and token.
    #[must_use]
    pub fn excerpt(&self, text: &[u8]) -> String {
        self.auth.with_secrets(|secrets| excerpt(text, secrets))
    }

    /// Gets a token where one is needed, and asks for nothing else.
    ///
    /// # Errors
    /// [`SourceError::BadCredentials`] when there is none to be had; others as for every request.
    pub async fn sign_in(&self) -> Result<(), SourceError> {
        self.auth.stamp(self).await.map(drop)
    }

    /// Waits, unless the collection is stopped or its time is over: between two looks at a job.
    ///
    /// # Errors
    /// [`SourceError::Cancelled`] or [`SourceError::Deadline`].
    pub async fn pause(&self, what: &str, length: Duration) -> Result<(), SourceError> {
        let until = (self.timer.now() + length).min(self.deadline);
        self.in_time(what, self.timer.sleep_until(until)).await?;
        if self.timer.now() >= self.deadline {
            return Err(self.too_late(what));
        }
        Ok(())
    }

    /// Sends a request until its 2xx body is found good, or it is refused, or out of tries. Other
    /// statuses mean what they say.
    ///
    /// # Errors
    /// [`SourceError`]: exhausted, refused, bad credentials, quota, deadline or cancelled.
    pub async fn get<T>(
        &self,
        request: &HttpRequest,
        mut read: impl FnMut(Bytes) -> Verdict<T>,
    ) -> Result<T, SourceError> {
        let read = |answer: &Answer| {
            if answer.is_success() {
                read(answer.body.clone())
            } else {
                Verdict::ByStatus
            }
        };
        self.ask(request, read).await
    }

    /// Sends a request until its answer is found good, or it is refused, or out of tries. `read` sees
    /// every answer, whatever its status.
    ///
    /// # Errors
    /// [`SourceError`]: exhausted, refused, bad credentials, quota, deadline or cancelled.
    pub async fn ask<T>(
        &self,
        request: &HttpRequest,
        mut read: impl FnMut(&Answer) -> Verdict<T>,
    ) -> Result<T, SourceError> {
        let mut tries = Trying::new(request);
        loop {
            let stamp = self.stamp(request).await?;
            let call = self.call(request, &stamp);
            let sent = async {
                let _slot = self.budget.turn(&*self.timer).await;
                self.count_call();
                self.transport.send(call).await
            };
            let reply = self.in_time(&request.what, sent).await?;
            let judged = self.judge(request, reply.as_ref(), &mut read);
            let next = self.next_try(
                request,
                &mut tries,
                judged,
                reply.as_ref().ok(),
                stamp.number,
            );
            if let Some(value) = next.await? {
                return Ok(value);
            }
        }
    }

    /// Key or token for a request.
    async fn stamp(&self, request: &HttpRequest) -> Result<auth::Stamp, SourceError> {
        if request.authorised {
            self.auth.stamp(self).await
        } else {
            Ok(auth::Stamp {
                header: None,
                number: 0,
            })
        }
    }

    fn call(&self, request: &HttpRequest, stamp: &auth::Stamp) -> Call {
        Call {
            method: request.method,
            url: self.url(request),
            authorisation: stamp.header.clone(),
            range: None,
            body: request.body.clone(),
        }
    }

    fn count_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    fn url(&self, request: &HttpRequest) -> Url {
        let mut url = match &request.elsewhere {
            Some(url) => url.clone(),
            None => {
                let mut url = self.base.clone();
                let above = self.base.path().trim_end_matches('/');
                url.set_path(&format!("{above}{}", request.path));
                url
            }
        };
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        url
    }

    /// Awaits something unless the collection is stopped or its time is over.
    async fn in_time<T>(
        &self,
        what: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, SourceError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(SourceError::Cancelled),
            () = self.timer.expire_at(self.deadline) => Err(self.too_late(what)),
            done = work => Ok(done),
        }
    }

    fn too_late(&self, what: &str) -> SourceError {
        SourceError::Deadline {
            what: what.to_owned(),
            seconds: self.settings.deadline.as_secs(),
        }
    }

    /// What an answer means: what the source says, else what its status says. Never `ByStatus`.
    fn judge<T>(
        &self,
        request: &HttpRequest,
        reply: Result<&Reply, &TransportError>,
        mut read: impl FnMut(&Answer) -> Verdict<T>,
    ) -> Verdict<T> {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return Verdict::Retry(error.fault, error.why.clone()),
        };
        let answer = Answer {
            status: reply.status,
            body: reply.body.clone(),
        };
        match read(&answer) {
            Verdict::ByStatus => self.by_status(request, reply),
            verdict => verdict,
        }
    }

    fn by_status<T>(&self, request: &HttpRequest, reply: &Reply) -> Verdict<T> {
        let what = request.what.clone();
        let why = format!("HTTP {}: {}", reply.status, self.excerpt(&reply.body));
        let credentials =
            |what, why, advice| Verdict::Refuse(SourceError::BadCredentials { what, why, advice });
        let refused =
            |what, why, advice| Verdict::Refuse(SourceError::Refused { what, why, advice });
        let renews = self.auth.renews();
        match transient::of_status(reply.status) {
            Means::Again(fault) | Means::AgainAfter(fault, _) => Verdict::Retry(fault, why),
            Means::NewToken if request.authorised && renews => Verdict::TokenExpired(why),
            Means::NewToken => credentials(what, why, advice_401(renews)),
            Means::Denied if renews => credentials(what, why, ADVICE_403_ACCOUNT),
            Means::Denied => credentials(what, why, ADVICE_403),
            Means::Park(_) | Means::Nothing | Means::Final => refused(
                what,
                why,
                match reply.status {
                    404 => ADVICE_404,
                    300..=399 => ADVICE_3XX,
                    _ => ADVICE_400,
                },
            ),
        }
    }

    /// The value of a good answer, the error of a final one, or nothing after the wait for the next try.
    async fn next_try<T>(
        &self,
        request: &HttpRequest,
        trying: &mut Trying,
        judged: Verdict<T>,
        reply: Option<&Reply>,
        token: u64,
    ) -> Result<Option<T>, SourceError> {
        let what = || request.what.clone();
        let asked = || reply.and_then(|reply| asked_pause(reply, Timestamp::now()));
        let (fault, why, pause) = match judged {
            Verdict::Good(value) => return Ok(Some(value)),
            Verdict::Refuse(error) => return Err(error),
            Verdict::Park { until, why } => {
                return Err(SourceError::Quota {
                    what: what(),
                    why,
                    until,
                });
            }
            Verdict::TokenExpired(why) if trying.renewed || !self.auth.renews() => {
                return Err(SourceError::BadCredentials {
                    what: what(),
                    why,
                    advice: advice_401(true),
                });
            }
            Verdict::TokenExpired(why) => {
                self.log
                    .line(Level::Info, &format!("{}: new token ({why})", request.what));
                trying.renewed = true;
                self.auth.forget(token);
                return Ok(None);
            }
            Verdict::Retry(fault, why) => (fault, why, asked()),
            Verdict::RetryAfter(fault, why, pause) => (fault, why, Some(pause)),
            // `judge` leaves none of these.
            Verdict::ByStatus => (Fault::Unavailable, "no verdict".to_owned(), None),
        };
        let (tries, kind) = trying.record.add(fault);
        let of = self.tries_of(trying.attempts, fault);
        if tries >= of {
            return Err(SourceError::Exhausted {
                what: what(),
                tries,
                fault: kind,
                why,
                advice: advice(kind, self.settings.window.is_some()),
            });
        }
        self.wait(request, fault, &why, (tries, of), pause).await?;
        Ok(None)
    }

    fn tries_of(&self, own: Option<u32>, fault: Fault) -> u32 {
        let tries = own.unwrap_or(self.settings.attempts).max(1);
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
        (tries, of): (u32, u32),
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
                why: why.to_owned(),
                until,
            });
        }
        let until = self.timer.now() + pause;
        if fault == Fault::Throttled {
            self.budget.pause_until(until);
        }
        let seconds = pause.as_secs_f64();
        self.log.line(
            Level::Warn,
            &format!(
                "{}: try {tries} of {of} failed ({why}); next in {seconds:.1} s",
                request.what
            ),
        );
        // Never past the deadline, which then ends the collection.
        self.in_time(
            &request.what,
            self.timer.sleep_until(until.min(self.deadline)),
        )
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

/// Checks an address and cuts the slashes at its end, which would lead to `//3.0/...`.
fn base_url(text: &str) -> Result<Url, SourceError> {
    const ADVICE: &str =
        "set base_url in the source's section of config.toml, for example https://api.example.org";
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
