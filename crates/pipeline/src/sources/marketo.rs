//! The Marketo source: leads and activities, page by page or by bulk export (`source-apis.md` 2).
//!
//! ```text
//! access    signing in
//! envelope  what answers mean: every documented code and what is done about it
//! plan      the pieces a collection is asked for in
//! paging    activities by paging token, leads by the activities that made or changed them
//! export    bulk jobs: create, enqueue, poll, download
//! download  the file of a job, by ranges, checked
//! csv       its lines, as the rows REST would have given
//! rows      one shape of a row, whichever way it came
//! usage     what is left of the instance's quotas
//! ```

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    MissingPart, PageSink, SignIn, SignedIn, Source, SourceError, SourceOutcome, SourceRequest,
    http::{Auth, CallWindow, HttpClient, HttpRequest, HttpSettings},
};
use crate::{
    dataset::Stream,
    jobs::{JobLog, Level},
    ports::{Clock, ObjectStore},
};
use lakehand_config::MarketoSettings;

mod access;
mod csv;
mod download;
mod envelope;
mod export;
mod paging;
mod plan;
mod rows;
mod usage;

use access::ClientCredentials;
use plan::Piece;

/// Lead fields that are asked for unless the profile names others; of these, those the instance has.
const COMMON_LEAD_FIELDS: [&str; 29] = [
    "id",
    "email",
    "firstName",
    "lastName",
    "title",
    "company",
    "industry",
    "website",
    "phone",
    "city",
    "state",
    "country",
    "leadSource",
    "leadStatus",
    "leadScore",
    "engagementShare",
    "annualRevenue",
    "unsubscribed",
    "emailInvalid",
    "acquisitionProgramId",
    "originalSourceType",
    "originalReferrer",
    "utmSource",
    "utmMedium",
    "utmCampaign",
    "utmContent",
    "utmTerm",
    "createdAt",
    "updatedAt",
];

/// What signs in to an instance.
#[derive(Debug, Clone)]
pub struct MarketoCredentials {
    /// `123-ABC-456`; may be missing where the settings give an address.
    pub munchkin_id: Option<SecretString>,
    /// `client_id` of the API service.
    pub client_id: SecretString,
    /// `client_secret` of the API service.
    pub client_secret: SecretString,
}

/// One Marketo instance.
#[derive(Debug)]
pub struct Marketo {
    client: HttpClient,
    /// Where it is.
    address: String,
    settings: MarketoSettings,
    /// Names the instance in `_state/`; no secret.
    account: String,
    store: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    /// Calls of the day before this collection, of everybody; [`usage::UNKNOWN`] until they are read.
    used_before: AtomicU64,
    /// Bytes of bulk files that this collection fetched.
    exported: AtomicU64,
}

/// How far a collection is; what a redrive goes on from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cursor {
    /// All pieces as they were planned, for the manifest.
    planned: Vec<String>,
    /// Pieces not read to their end, the current one first.
    left: VecDeque<Piece>,
    /// Everything before this instant was asked for.
    until: Timestamp,
    /// Whether the watermark may move there.
    contiguous: bool,
    /// Bytes a day of activities that bulk files were seen to have.
    bytes_a_day: Option<u64>,
    /// Bulk exports that were seen to their end, and the seconds they took in all.
    #[serde(default)]
    exports_done: (u64, u64),
    /// Odd things, for the manifest.
    notes: Vec<String>,
}

impl Cursor {
    fn note(&mut self, note: String) {
        /// More than a few say nothing new.
        const MOST_NOTES: usize = 50;
        if self.notes.len() < MOST_NOTES && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn saved(&self) -> Value {
        // Strings, numbers and lists: what serde makes of them cannot fail.
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}

/// What a lead's field is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sources) struct LeadField {
    name: String,
    data_type: String,
}

impl Marketo {
    /// An instance with credentials. The deadline of the collection starts now. `store` keeps what is known
    /// of its quotas.
    ///
    /// # Errors
    /// [`SourceError::BadSettings`] or [`SourceError::BadCredentials`] when address or credentials cannot
    /// work.
    pub fn new(
        settings: &MarketoSettings,
        credentials: MarketoCredentials,
        store: Arc<dyn ObjectStore>,
        clock: Arc<dyn Clock>,
        cancel: CancellationToken,
        log: Arc<dyn JobLog>,
    ) -> Result<Self, SourceError> {
        let munchkin = credentials
            .munchkin_id
            .as_ref()
            .map(munchkin_id)
            .transpose()?;
        let base_url = match (&munchkin, settings.base_url.as_str()) {
            (Some(id), "") => format!("https://{id}.mktorest.com"),
            (None, "") => {
                return Err(SourceError::BadSettings {
                    why: "neither the munchkin id nor the base_url of Marketo is set".to_owned(),
                    advice: "set the credential /marketo/MunchkinId, which looks like 123-ABC-456",
                });
            }
            (_, url) => url.to_owned(),
        };
        let account = munchkin.unwrap_or_else(|| "instance".to_owned());
        let address = base_url.clone();
        let http = HttpSettings {
            base_url,
            // The window below is the limit; this only spreads what it lets through.
            requests_per_second: settings.calls_per_20_seconds as f64 / 2.0,
            concurrency: settings.concurrency,
            window: Some(CallWindow {
                calls: settings.calls_per_20_seconds,
                length: Duration::from_secs(20),
            }),
            request_timeout: Duration::from_secs(settings.request_timeout_seconds),
            deadline: Duration::from_secs(settings.deadline_seconds),
            attempts: settings.attempts,
            first_wait: Duration::from_millis(settings.first_retry_wait_ms),
            longest_wait: Duration::from_millis(settings.max_retry_wait_ms),
        };
        let access = ClientCredentials::new(account.clone(), credentials);
        let client = HttpClient::new(http, Auth::Bearer(Arc::new(access)), cancel, log)?;
        Ok(Self {
            client,
            address,
            settings: settings.clone(),
            account,
            store,
            clock,
            used_before: AtomicU64::new(usage::UNKNOWN),
            exported: AtomicU64::new(0),
        })
    }

    /// Ids of all activity types of the instance, in ascending order.
    async fn activity_types(&self) -> Result<Vec<u32>, SourceError> {
        let request = HttpRequest::get(
            "/rest/v1/activities/types.json",
            "the activity types of Marketo",
        );
        #[derive(Deserialize)]
        struct Kind {
            id: u32,
        }
        let page = self.ask(&request).await?;
        let mut ids = page
            .result
            .iter()
            .map(|row| serde_json::from_str::<Kind>(row.get()).map(|kind| kind.id))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| {
                envelope::refused(&request.what, format!("a type is not as expected: {error}"))
            })?;
        ids.sort_unstable();
        Ok(ids)
    }

    /// Fields that REST and bulk know, those of `wanted` only; all if it says `*`.
    async fn lead_fields(&self, notes: &mut Cursor) -> Result<Vec<LeadField>, SourceError> {
        #[derive(Deserialize)]
        struct Rest {
            name: String,
        }
        #[derive(Deserialize)]
        struct Field {
            #[serde(rename = "dataType", default)]
            data_type: String,
            rest: Option<Rest>,
        }
        let request =
            HttpRequest::get("/rest/v1/leads/describe.json", "the lead fields of Marketo");
        let page = self.ask(&request).await?;
        let mut known = Vec::new();
        for row in &page.result {
            let field: Field = serde_json::from_str(row.get()).map_err(|error| {
                envelope::refused(
                    &request.what,
                    format!("a field is not as expected: {error}"),
                )
            })?;
            known.extend(field.rest.map(|rest| LeadField {
                name: rest.name,
                data_type: field.data_type,
            }));
        }
        let asked = &self.settings.lead_fields;
        if asked.iter().any(|name| name == "*") {
            return Ok(known);
        }
        for name in asked {
            if !known.iter().any(|field| field.name == *name) {
                let note = format!("the instance has no lead field '{name}'; it is left out");
                self.client.log().line(Level::Warn, &note);
                notes.note(note);
            }
        }
        let wanted = |field: &LeadField| {
            let name = field.name.as_str();
            // Without these three a row has no key and no time.
            matches!(name, "id" | "createdAt" | "updatedAt")
                || if asked.is_empty() {
                    COMMON_LEAD_FIELDS.contains(&name)
                } else {
                    asked.iter().any(|asked| asked == name)
                }
        };
        known.retain(wanted);
        Ok(known)
    }

    /// Reads the first piece that is left, until it is done or gives way to others.
    async fn advance(
        &self,
        stream: Stream,
        cursor: &mut Cursor,
        sink: &mut dyn PageSink,
    ) -> Result<(), SourceError> {
        match cursor.left.front().cloned() {
            Some(Piece::Activities(_)) => self.read_activities(cursor, sink).await,
            Some(Piece::ChangedLeads(_)) => self.read_changed_leads(cursor, sink).await,
            Some(Piece::History { .. }) => {
                plan::take_from_history(cursor);
                Ok(())
            }
            Some(Piece::Export(_)) => self.read_export(stream, cursor, sink).await,
            None => Ok(()),
        }
    }

    fn outcome(
        &self,
        request: &SourceRequest,
        cursor: &Cursor,
        incomplete: Vec<MissingPart>,
    ) -> SourceOutcome {
        let what = json!({
            "source": "marketo",
            "instance": self.account,
            "mode": self.settings.mode,
            "passes": request.passes,
            "pieces": cursor.planned,
            "until": cursor.until,
            "changed_since": request.changed_since,
            "notes": cursor.notes,
        });
        SourceOutcome {
            request: what,
            // An instance whose clock is ahead must not push the watermark past what is still to come.
            watermark: cursor
                .contiguous
                .then(|| cursor.until.min(self.clock.now())),
            incomplete,
        }
    }

    /// Where a collection begins or goes on; nothing is asked while the instance is parked.
    async fn begin(
        &self,
        request: &SourceRequest,
        cursor: Option<Value>,
    ) -> Result<Cursor, SourceError> {
        self.refuse_while_parked().await?;
        self.read_usage().await?;
        match cursor.map(serde_json::from_value) {
            Some(Ok(cursor)) => Ok(cursor),
            // A cursor of an older program is no loss: the rows are asked for again.
            Some(Err(_)) | None => self.plan(request).await,
        }
    }

    async fn read_pieces(
        &self,
        stream: Stream,
        cursor: &mut Cursor,
        sink: &mut dyn PageSink,
    ) -> Result<(), SourceError> {
        while !cursor.left.is_empty() {
            self.advance(stream, cursor, sink).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl SignIn for Marketo {
    /// Signs in and looks at what both streams need; a role that lacks a permission is warned of.
    async fn sign_in(&self) -> Result<SignedIn, SourceError> {
        let mut denied = Vec::new();
        for (path, what) in [
            ("/rest/v1/activities/types.json", "activities"),
            ("/rest/v1/leads/describe.json", "leads"),
        ] {
            let request = HttpRequest::get(path, format!("signing in to read {what}"));
            match self.ask(&request).await {
                Ok(_) => {}
                Err(SourceError::BadCredentials { why, .. }) if why.starts_with("error 603") => {
                    denied.push(what);
                }
                Err(error) => return Err(error),
            }
        }
        let warning = (!denied.is_empty()).then(|| {
            format!(
                "the API user may not read {}; give its role the permission under Admin > Users & Roles",
                denied.join(" and ")
            )
        });
        Ok(SignedIn {
            account: format!("the API user of {}", self.account),
            at: self.address.clone(),
            warning,
        })
    }
}

#[async_trait]
impl Source for Marketo {
    async fn read(
        &self,
        request: &SourceRequest,
        cursor: Option<Value>,
        sink: &mut dyn PageSink,
    ) -> Result<SourceOutcome, SourceError> {
        if !Stream::MARKETO.contains(&request.stream) {
            return Err(super::not_of("Marketo", request.stream));
        }
        let mut cursor = match self.begin(request, cursor).await {
            Ok(cursor) => cursor,
            Err(error) => {
                self.keep_usage(Some(&error)).await;
                return Err(error);
            }
        };
        let read = self.read_pieces(request.stream, &mut cursor, sink).await;
        self.keep_usage(read.as_ref().err()).await;
        match read {
            Ok(()) => Ok(self.outcome(request, &cursor, Vec::new())),
            // What came before the quota was used up is good; the rest is asked for when it is back.
            Err(error @ SourceError::Quota { .. }) if sink.position() > 0 => {
                let part = MissingPart::new(format!("Marketo {}", self.account), &error);
                Ok(self.outcome(request, &cursor, vec![part]))
            }
            Err(error) => Err(error),
        }
    }
}

/// Checks the shape of a munchkin id.
fn munchkin_id(secret: &SecretString) -> Result<String, SourceError> {
    let id = secret.expose_secret().trim();
    let groups: Vec<&str> = id.split('-').collect();
    let digits = |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let shaped = matches!(groups[..], [first, middle, last]
        if digits(first) && digits(last) && middle.len() == 3 && middle.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    if shaped {
        return Ok(id.to_owned());
    }
    Err(SourceError::BadCredentials {
        what: "the munchkin id of Marketo".to_owned(),
        why: "it is not of the shape 123-ABC-456".to_owned(),
        advice: "look it up under Admin > Munchkin and set /marketo/MunchkinId again",
    })
}
