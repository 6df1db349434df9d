//! What is left of a source's quotas, as its last answer said: for the Sources screen and `sources show`.
//!
//! `_state/quota/<source>/<account>.json`; the account is a property, an instance, a view. It is a
//! reading and no bookkeeping: the last writer wins.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{STATE_PREFIX, StateError, Store, load};
use crate::ports::PutCondition;

/// One limit of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaFigure {
    /// Used so far, where the source says so or we counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// Left, where the source says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
    /// The limit, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// When it is full again, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<Timestamp>,
}

impl QuotaFigure {
    /// What is left as a share of the whole, 0 to 1; `None` where too little is known.
    #[must_use]
    pub fn left_share(&self) -> Option<f64> {
        let left = self
            .left
            .or_else(|| Some(self.limit?.saturating_sub(self.used?)))?;
        let whole = self.limit.or_else(|| Some(left + self.used?))?;
        (whole > 0).then(|| left as f64 / whole as f64)
    }
}

/// The quotas of one account of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaState {
    /// `ga4`, `marketo`.
    pub source: String,
    /// Property, munchkin id, view: letters, digits, `-` and `_`.
    pub account: String,
    /// When the source said so.
    pub read_at: Timestamp,
    /// By name, as the source calls them: `tokensPerHour`, `daily calls`.
    pub figures: BTreeMap<String, QuotaFigure>,
    /// Not asked before then, when a quota is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked_until: Option<Timestamp>,
    /// Which quota is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl QuotaState {
    /// An empty reading.
    #[must_use]
    pub fn new(source: &str, account: &str, now: Timestamp) -> Self {
        Self {
            source: source.to_owned(),
            account: account.to_owned(),
            read_at: now,
            figures: BTreeMap::new(),
            parked_until: None,
            why: None,
        }
    }

    fn key(source: &str, account: &str) -> String {
        format!("{STATE_PREFIX}quota/{source}/{account}.json")
    }

    /// When the account may be asked again, if it is parked at `now`.
    #[must_use]
    pub fn parked_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.parked_until.filter(|until| *until > now)
    }

    /// The last reading of an account.
    ///
    /// # Errors
    /// [`StateError`] when the store fails or the object is damaged.
    pub async fn load(
        store: &Store,
        source: &str,
        account: &str,
    ) -> Result<Option<Self>, StateError> {
        let found = load(store, &Self::key(source, account)).await?;
        Ok(found.map(|(state, _)| state))
    }

    /// Stores a reading over the one before.
    ///
    /// # Errors
    /// [`StateError`] when the store fails.
    pub async fn save(&self, store: &Store) -> Result<(), StateError> {
        let key = Self::key(&self.source, &self.account);
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| StateError::Damaged {
            key: key.clone(),
            why: error.to_string(),
        })?;
        store.put(&key, bytes.into(), PutCondition::Always).await?;
        Ok(())
    }

    /// The readings of every account of every source, in the order of their keys.
    ///
    /// # Errors
    /// [`StateError`] when the store fails or an object is damaged.
    pub async fn list(store: &Store) -> Result<Vec<Self>, StateError> {
        let listing = store.list(&format!("{STATE_PREFIX}quota/")).await?;
        let keys: Vec<String> = listing.map_ok(|meta| meta.key).try_collect().await?;
        let mut all = Vec::with_capacity(keys.len());
        for key in keys {
            all.extend(load(store, &key).await?.map(|(state, _)| state));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ports::memory::MemoryStore;

    #[tokio::test]
    async fn readings_are_kept_by_source_and_account() {
        let store: Store = Arc::new(MemoryStore::new().unwrap());
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-02-01T08:00:00Z".parse().unwrap();
        let mut state = QuotaState::new("ga4", "123", now);
        let figure = QuotaFigure {
            used: Some(180),
            left: Some(20),
            ..QuotaFigure::default()
        };
        assert_eq!(figure.left_share(), Some(0.1));
        state.figures.insert("tokensPerDay".to_owned(), figure);
        state.parked_until = Some(later);
        state.save(&store).await.unwrap();
        QuotaState::new("marketo", "123-ABC-456", now)
            .save(&store)
            .await
            .unwrap();
        let read = QuotaState::load(&store, "ga4", "123")
            .await
            .unwrap()
            .unwrap();
        assert_eq!(read, state);
        assert_eq!(read.parked_at(now), Some(later));
        assert_eq!(read.parked_at(later), None);
        assert_eq!(QuotaState::list(&store).await.unwrap().len(), 2);
        assert_eq!(QuotaFigure::default().left_share(), None);
    }
}
