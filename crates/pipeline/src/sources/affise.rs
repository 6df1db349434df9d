//! The Affise source: five listings, read page by page (`source-apis.md` 0 and 1).
//!
//! What a listing is asked for in is a [`slice::Slice`]; how one is read without losing what shifts
//! between pages is in [`reading`]; what answers look like is in [`envelope`].

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use tokio_util::sync::CancellationToken;

use super::{
    PageSink, SignIn, SignedIn, Source, SourceError, SourceOutcome, SourceRequest,
    http::{Auth, Fault, HttpClient, HttpRequest, HttpSettings, Verdict},
    transient::{self, Means},
};
use crate::{
    dataset::Stream,
    jobs::{JobLog, Level},
    text::for_terminal,
};
use lakehand_config::AffiseSettings;

mod envelope;
mod reading;
mod slice;
#[cfg(test)]
mod tests;

use envelope::NoPage;
use slice::Slice;

/// Days before today of which Affise still gives clicks.
const CLICK_DAYS: i32 = 7;

/// Affise with one key.
#[derive(Debug)]
pub struct Affise {
    client: HttpClient,
    settings: AffiseSettings,
    zone: TimeZone,
}

/// Whose key it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyOwner {
    /// Id of the user.
    pub id: String,
    /// E-mail address of the user.
    pub email: String,
    /// `common_manager`, `affiliate`, …
    pub kind: String,
    /// Whether the kind of user may read all that a collection needs.
    pub is_admin: bool,
}

/// How far a collection is; what a redrive goes on from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cursor {
    /// All pieces as they were planned, for the manifest.
    planned: Vec<String>,
    /// Pieces not read to their end, the current one first.
    left: VecDeque<Slice>,
    /// Page of the current piece that is read next.
    page: u64,
    /// Row of the sink at which the current piece began.
    since: u64,
    /// Most rows the server ever counted in the current piece.
    most: Option<u64>,
    /// Newest change seen where changes were asked for, as written.
    newest_change: Option<String>,
    /// Newest creation seen, as written.
    newest_creation: Option<String>,
    /// Clicks before this day may be gone: Affise keeps seven days.
    oldest_clicks: Date,
    /// The piece that was read last, to its end.
    #[serde(default)]
    answered: Option<Slice>,
    /// Odd things, for the manifest.
    notes: Vec<String>,
}

/// Path and collection key of a listing.
///
/// # Errors
/// [`SourceError::BadSettings`] for a stream of another source.
fn listing(stream: Stream) -> Result<(&'static str, &'static str), SourceError> {
    Ok(match stream {
        Stream::AffiseOffers => ("/3.0/offers", "offers"),
        Stream::AffiseAffiliates => ("/3.0/admin/partners", "partners"),
        Stream::AffiseAdvertisers => ("/3.0/admin/advertisers", "advertisers"),
        Stream::AffiseClicks => ("/3.0/stats/clicks", "clicks"),
        Stream::AffiseConversions => ("/3.0/stats/conversions", "conversions"),
        other => return Err(super::not_of("affise", other)),
    })
}

impl Affise {
    /// Affise at the profile's address with a key. The deadline of the collection starts now.
    ///
    /// # Errors
    /// [`SourceError::BadSettings`] or [`SourceError::BadCredentials`] when address, time zone or key
    /// cannot work.
    pub fn new(
        settings: &AffiseSettings,
        key: SecretString,
        cancel: CancellationToken,
        log: Arc<dyn JobLog>,
    ) -> Result<Self, SourceError> {
        let zone = TimeZone::get(&settings.timezone).map_err(|_| SourceError::BadSettings {
            why: format!("there is no time zone '{}'", settings.timezone),
            advice: "set timezone of the affise settings to a name such as UTC or Europe/Berlin",
        })?;
        let http = HttpSettings {
            base_url: settings.base_url.clone(),
            requests_per_second: settings.requests_per_second,
            concurrency: settings.concurrency,
            window: None,
            request_timeout: Duration::from_secs(settings.request_timeout_seconds),
            deadline: Duration::from_secs(settings.deadline_seconds),
            attempts: settings.attempts,
            first_wait: Duration::from_millis(settings.first_retry_wait_ms),
            longest_wait: Duration::from_millis(settings.max_retry_wait_ms),
        };
        let auth = Auth::Key {
            header: "api-key",
            key,
        };
        let client = HttpClient::new(http, auth, cancel, log)?;
        Ok(Self {
            client,
            settings: settings.clone(),
            zone,
        })
    }

    /// Asks whose key this is: `GET /3.1/user/me`.
    ///
    /// # Errors
    /// [`SourceError::BadCredentials`] when the key is wrong; others as for every request.
    pub async fn key_owner(&self) -> Result<KeyOwner, SourceError> {
        let request = HttpRequest::get("/3.1/user/me", "checking the Affise API key");
        let read = |body: bytes::Bytes| match envelope::single(&body, "user") {
            Err(problem) => self.verdict_on(&request.what, problem),
            Ok(user) => match owner(user) {
                Ok(owner) => Verdict::Good(owner),
                Err(error) => Verdict::Refuse(refused(
                    &request.what,
                    format!("'user' is not as expected: {error}"),
                )),
            },
        };
        self.client.get(&request, read).await
    }

    /// What a body without a page means. There is no error code, only prose.
    fn verdict_on<T>(&self, what: &str, problem: NoPage) -> Verdict<T> {
        let why = match problem {
            NoPage::NotJson(why) => return Verdict::Retry(Fault::Unavailable, why),
            NoPage::Refused(why) => self.client.excerpt(why.as_bytes()),
        };
        match transient::of_affise(&why) {
            Means::Again(fault) | Means::AgainAfter(fault, _) => Verdict::Retry(fault, why),
            Means::Denied => Verdict::Refuse(SourceError::BadCredentials {
                what: what.to_owned(),
                why,
                advice: "check the Affise API key and its rights on the Credentials screen",
            }),
            _ => Verdict::Refuse(refused(what, why)),
        }
    }

    /// Reads the first piece that is left; takes it off, or puts smaller ones in its place.
    async fn advance(
        &self,
        stream: Stream,
        cursor: &mut Cursor,
        slice: Slice,
        sink: &mut dyn PageSink,
    ) -> Result<(), SourceError> {
        let parts = match self.read_slice(stream, cursor, slice, sink).await {
            Ok(reading::Ended::Whole) => Vec::new(),
            Ok(reading::Ended::TooMany(parts)) => parts,
            Err(error) => self.halve(stream, cursor, slice, error).await?,
        };
        if parts.is_empty() {
            cursor.answered = Some(slice);
        }
        cursor.left.pop_front();
        parts
            .into_iter()
            .rev()
            .for_each(|part| cursor.left.push_front(part));
        cursor.begin_slice(sink.position());
        Ok(())
    }

    /// Smaller pieces for one that fails again and again, if size may be the reason.
    async fn halve(
        &self,
        stream: Stream,
        cursor: &Cursor,
        slice: Slice,
        error: SourceError,
    ) -> Result<Vec<Slice>, SourceError> {
        let (fault, why) = match &error {
            SourceError::Exhausted { fault, why, .. } => (*fault, why.clone()),
            _ => return Err(error),
        };
        if !matches!(
            fault,
            Fault::ServerError | Fault::Unavailable | Fault::Shifting
        ) {
            return Err(error);
        }
        if let Some(parts) = slice.split() {
            let count = parts.len();
            let line = format!("{error}; the window is now asked for in {count} parts");
            self.client.log().line(Level::Warn, &line);
            return Ok(parts);
        }
        // A troubled server answers all pieces like this, and that passes. Only when it serves another
        // piece at this moment is it this one that it cannot serve.
        let own = fault == Fault::ServerError && slice != Slice::All;
        if !own || !self.serves_another(stream, cursor).await {
            return Err(error);
        }
        Err(SourceError::Refused {
            what: format!("{stream} {slice}, the smallest window,"),
            why: format!("a server error on every try while other windows are served, last {why}"),
            advice: "Affise cannot serve this window: ask its support, or choose a window without it",
        })
    }

    /// Whether another piece is answered at this moment: the one before, or else the next one.
    async fn serves_another(&self, stream: Stream, cursor: &Cursor) -> bool {
        // The first one in line is the one that failed.
        match cursor.answered.or(cursor.left.get(1).copied()) {
            Some(slice) => self.page(stream, slice, 1).await.is_ok(),
            None => false,
        }
    }

    /// An Affise time stamp as an instant, never later than the collection's start: a row from the
    /// future must not push the watermark past changes that are still to come.
    fn instant(&self, stamp: Option<&str>, now: Timestamp) -> Option<Timestamp> {
        let local = DateTime::strptime("%Y-%m-%d %H:%M:%S", stamp?).ok()?;
        Some(self.zone.to_timestamp(local).ok()?.min(now))
    }

    fn outcome(
        &self,
        request: &SourceRequest,
        cursor: &Cursor,
    ) -> Result<SourceOutcome, SourceError> {
        let newest = match request.stream {
            Stream::AffiseConversions => cursor.newest_change.as_deref(),
            _ => cursor.newest_creation.as_deref(),
        };
        let newest = self.instant(newest, request.now);
        let watermark = if request.stream.by_event_day() {
            newest
        } else {
            Some(request.now)
        };
        let (path, _) = listing(request.stream)?;
        let request = json!({
            "source": "affise",
            "path": path,
            "passes": request.passes,
            "pieces": cursor.planned,
            "page_limit": self.settings.page_limit,
            "timezone": self.settings.timezone,
            "profile_time_zone": request.time_zone.iana_name(),
            "changed_since": request.changed_since,
            "newest_creation": cursor.newest_creation,
            "newest_change": cursor.newest_change,
            "notes": cursor.notes,
        });
        Ok(SourceOutcome {
            request,
            watermark,
            incomplete: Vec::new(),
        })
    }
}

#[async_trait]
impl SignIn for Affise {
    async fn sign_in(&self) -> Result<SignedIn, SourceError> {
        let owner = self.key_owner().await?;
        let account = format!("{} (user {}, {})", owner.email, owner.id, owner.kind);
        let warning = (!owner.is_admin).then(|| {
            "this user may not read all that a collection needs; use the key of a general manager"
                .to_owned()
        });
        Ok(SignedIn {
            account: for_terminal(&account).into_owned(),
            at: self.settings.base_url.clone(),
            warning,
        })
    }
}

#[async_trait]
impl Source for Affise {
    async fn read(
        &self,
        request: &SourceRequest,
        cursor: Option<serde_json::Value>,
        sink: &mut dyn PageSink,
    ) -> Result<SourceOutcome, SourceError> {
        let mut cursor = match cursor.map(serde_json::from_value) {
            Some(Ok(cursor)) => cursor,
            // A cursor of an older program is no loss: the rows are asked for again.
            Some(Err(_)) | None => Cursor::planned(request, &self.zone, sink.position())?,
        };
        while let Some(slice) = cursor.left.front().copied() {
            self.advance(request.stream, &mut cursor, slice, sink)
                .await?;
        }
        self.outcome(request, &cursor)
    }
}

impl Cursor {
    fn planned(
        request: &SourceRequest,
        zone: &TimeZone,
        position: u64,
    ) -> Result<Self, SourceError> {
        let slices = slice::plan(request, zone).map_err(|error| SourceError::BadSettings {
            why: error.to_string(),
            advice: "choose another window",
        })?;
        Ok(Self {
            planned: slices.iter().map(ToString::to_string).collect(),
            left: slices.into(),
            page: 1,
            since: position,
            most: None,
            newest_change: None,
            newest_creation: None,
            oldest_clicks: zone
                .to_datetime(request.now)
                .date()
                .saturating_sub(CLICK_DAYS.days()),
            answered: None,
            notes: Vec::new(),
        })
    }

    fn begin_slice(&mut self, position: u64) {
        self.page = 1;
        self.since = position;
        self.most = None;
    }

    fn note(&mut self, note: String) {
        /// More than a few say nothing new.
        const MOST_NOTES: usize = 50;
        if self.notes.len() < MOST_NOTES {
            self.notes.push(note);
        }
    }
}

fn refused(what: &str, why: String) -> SourceError {
    let advice = "check the window, the time zone and the rights of the key";
    SourceError::Refused {
        what: what.to_owned(),
        why,
        advice,
    }
}

fn owner(user: &RawValue) -> Result<KeyOwner, serde_json::Error> {
    /// Users that may read what a collection needs.
    const ADMINS: [&str; 5] = [
        "affiliate_manager",
        "account_manager",
        "common_manager",
        "client",
        "root",
    ];
    let user: serde_json::Value = serde_json::from_str(user.get())?;
    let text = |name: &str| match user.get(name) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let kind = text("type");
    Ok(KeyOwner {
        id: text("id"),
        email: text("email"),
        is_admin: ADMINS.contains(&kind.as_str()),
        kind,
    })
}
