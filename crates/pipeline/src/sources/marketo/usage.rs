//! What is left of an instance's quotas: read before a collection, kept after it, shown by the console.
//!
//! `_state/quota/marketo/<instance>.json` has the calls of the day, of all integrations together, and
//! `<instance>-bulk.json` the bytes of bulk files that this program fetched. When the calls are used up the
//! instance is left alone until midnight of US Central; when the bytes are, bulk is and paging goes on.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Marketo, envelope::next_reset};
use crate::{
    jobs::Level,
    ports::PutCondition,
    sources::{SourceError, http::HttpRequest},
    state::{QuotaFigure, QuotaState, STATE_PREFIX},
};
use lakehand_config::MarketoMode;

/// Bytes of bulk files a day.
const BULK_BYTES: u64 = 500 << 20;
/// Calls of the day that could not be read.
pub(super) const UNKNOWN: u64 = u64::MAX;
/// Name of the figure of calls.
const CALLS: &str = "daily calls";
/// Name of the figure of bytes.
const BYTES: &str = "bulk export bytes";

/// What was learnt of an instance and holds for longer than a collection.
#[derive(Debug, Serialize, Deserialize)]
struct Learnt {
    /// Whether leads can be exported by updatedAt.
    updated_at_filter: bool,
    /// When that was learnt.
    at: Timestamp,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    total: u64,
}

impl Marketo {
    fn bulk_account(&self) -> String {
        format!("{}-bulk", self.account)
    }

    fn learnt_key(&self) -> String {
        format!("{STATE_PREFIX}sources/marketo/{}.json", self.account)
    }

    async fn quota(&self, account: &str) -> Result<Option<QuotaState>, SourceError> {
        let found = QuotaState::load(&self.store, "marketo", account).await;
        found.map_err(|error| SourceError::Sink(error.into()))
    }

    /// What is kept of the quota must not make a collection fail.
    async fn keep(&self, state: &QuotaState) {
        if let Err(error) = state.save(&self.store).await {
            let line = format!("the quotas of Marketo could not be kept: {error}");
            self.client.log().line(Level::Warn, &line);
        }
    }

    /// Asks nothing while the instance is known to answer nothing.
    ///
    /// # Errors
    /// [`SourceError::Quota`] while it is parked.
    pub(super) async fn refuse_while_parked(&self) -> Result<(), SourceError> {
        self.refuse_parked(&self.account, "Marketo").await?;
        if self.settings.mode == MarketoMode::Bulk {
            self.refuse_parked(&self.bulk_account(), "bulk exports of Marketo")
                .await?;
        }
        Ok(())
    }

    async fn refuse_parked(&self, account: &str, what: &str) -> Result<(), SourceError> {
        let now = self.clock.now();
        match self.quota(account).await? {
            Some(state) if state.parked_at(now).is_some() => Err(SourceError::Quota {
                what: format!("{what} {}", self.account),
                until: state.parked_at(now).unwrap_or(now),
                why: state.why.unwrap_or_else(|| "a quota is used up".to_owned()),
            }),
            _ => Ok(()),
        }
    }

    /// Reads the calls of the day, so that a collection does not begin what it cannot end.
    ///
    /// # Errors
    /// [`SourceError::Quota`] when none are left; others as for every request. An API role that may not
    /// read them is no error.
    pub(super) async fn read_usage(&self) -> Result<(), SourceError> {
        let request = HttpRequest::get("/rest/v1/stats/usage.json", "the day's use of Marketo");
        let page = match self.ask(&request).await {
            Ok(page) => page,
            Err(SourceError::Refused { why, .. }) => {
                let line = format!("the day's use of Marketo is not known: {why}");
                self.client.log().line(Level::Info, &line);
                return Ok(());
            }
            Err(SourceError::BadCredentials { what, why, .. }) if why.starts_with("error 603") => {
                let line = format!("{what} is not known: {why}");
                self.client.log().line(Level::Info, &line);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let first = page.result.first().map_or("{}", |row| row.get());
        let Ok(usage) = serde_json::from_str::<Usage>(first) else {
            return Ok(());
        };
        self.used_before.store(usage.total, Ordering::Relaxed);
        let state = self.calls_state(Some(usage.total)).await;
        self.keep(&state).await;
        if usage.total >= self.settings.daily_calls {
            return Err(SourceError::Quota {
                what: format!("Marketo {}", self.account),
                why: format!(
                    "{} of {} calls of the day are used",
                    usage.total, self.settings.daily_calls
                ),
                until: next_reset(self.clock.now()),
            });
        }
        Ok(())
    }

    /// A reading of the calls. That the instance is parked stays known, whichever of several collections says it.
    async fn calls_state(&self, used: Option<u64>) -> QuotaState {
        let now = self.clock.now();
        let mut state = QuotaState::new("marketo", &self.account, now);
        let before = self.quota(&self.account).await.ok().flatten();
        if let Some(parked) = before.filter(|state| state.parked_at(now).is_some()) {
            state.parked_until = parked.parked_until;
            state.why = parked.why;
        }
        let figure = QuotaFigure {
            used,
            left: used.map(|used| self.settings.daily_calls.saturating_sub(used)),
            limit: Some(self.settings.daily_calls),
            resets_at: Some(next_reset(now)),
        };
        state.figures.insert(CALLS.to_owned(), figure);
        state
    }

    /// Keeps what a collection left of the quotas, whichever way it ended.
    pub(super) async fn keep_usage(&self, ended: Option<&SourceError>) {
        // Parked before it began: nothing was asked and nothing is new.
        if self.client.calls() == 0 {
            return;
        }
        let used = match self.used_before.load(Ordering::Relaxed) {
            UNKNOWN => None,
            before => Some(before + self.client.calls()),
        };
        let mut state = self.calls_state(used).await;
        if let Some(SourceError::Quota { what, why, until }) = ended
            && !what.starts_with("a bulk export")
        {
            state.parked_until = Some(*until);
            state.why = Some(why.clone());
        }
        self.keep(&state).await;
        let bytes = self.exported.load(Ordering::Relaxed);
        if bytes > 0 {
            let state = self.bulk_state(bytes).await;
            self.keep(&state).await;
        }
    }

    /// Counts bytes of a bulk file.
    pub(super) fn add_exported(&self, bytes: u64) {
        self.exported.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The bytes of the day with `more` added; what was counted on another day does not count.
    async fn bulk_state(&self, more: u64) -> QuotaState {
        let now = self.clock.now();
        let reset = next_reset(now);
        let before = self.quota(&self.bulk_account()).await.ok().flatten();
        let before = before.filter(|state| {
            state
                .figures
                .get(BYTES)
                .is_some_and(|figure| figure.resets_at == Some(reset))
        });
        let used = before
            .as_ref()
            .and_then(|state| state.figures.get(BYTES)?.used)
            .unwrap_or(0)
            + more;
        let mut state = QuotaState::new("marketo", &self.bulk_account(), now);
        state.parked_until = before.as_ref().and_then(|state| state.parked_at(now));
        state.why = before
            .filter(|_| state.parked_until.is_some())
            .and_then(|state| state.why);
        let figure = QuotaFigure {
            used: Some(used),
            left: Some(BULK_BYTES.saturating_sub(used)),
            limit: Some(BULK_BYTES),
            resets_at: Some(reset),
        };
        state.figures.insert(BYTES.to_owned(), figure);
        state
    }

    /// Parks bulk exports until the quota is back; says when that is.
    pub(super) async fn park_bulk(&self, why: &str) -> Timestamp {
        let until = next_reset(self.clock.now());
        let mut state = self.bulk_state(0).await;
        state.parked_until = Some(until);
        state.why = Some(why.to_owned());
        self.keep(&state).await;
        until
    }

    /// Whether bulk exports are parked.
    pub(super) async fn bulk_is_parked(&self) -> bool {
        let state = self.quota(&self.bulk_account()).await.ok().flatten();
        state.is_some_and(|state| state.parked_at(self.clock.now()).is_some())
    }

    /// Whether leads can be exported by updatedAt, as far as is known.
    pub(super) async fn has_updated_filter(&self) -> bool {
        let Ok((bytes, _)) = self.store.get(&self.learnt_key()).await else {
            return true;
        };
        serde_json::from_slice::<Learnt>(&bytes).is_ok_and(|learnt| learnt.updated_at_filter)
    }

    /// Remembers that they cannot.
    pub(super) async fn remember_no_updated_filter(&self) {
        let learnt = Learnt {
            updated_at_filter: false,
            at: self.clock.now(),
        };
        let Ok(bytes) = serde_json::to_vec_pretty(&learnt) else {
            return;
        };
        let put = self
            .store
            .put(&self.learnt_key(), bytes.into(), PutCondition::Always)
            .await;
        if let Err(error) = put {
            let line = format!("what was learnt of Marketo could not be kept: {error}");
            self.client.log().line(Level::Warn, &line);
        }
    }
}
