//! What is known of the days of a report: how often they changed, and when they were read last.
//!
//! `_state/days/<source>/<report>/<property>.json`. A source that restates its days is read again until
//! they are settled; this is how it knows which those are.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan, civil::Date};
use serde::{Deserialize, Serialize};

use super::{STATE_PREFIX, StateError, Store, TRIES, load, store_if};

/// Days a book keeps, counted from its newest one.
const KEPT_DAYS: i32 = 400;

/// What is known of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDay {
    /// Hash of its rows.
    pub hash: String,
    /// Hash of what was asked for.
    pub definition: String,
    /// Since when every reading was equal.
    pub same_since: Timestamp,
    /// The last reading.
    pub read_at: Timestamp,
    /// Whether the source says that it changes no more.
    #[serde(default)]
    pub golden: bool,
    /// What the last reading that counts was computed from, when it was sampled: sessions read, sessions there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<(u64, u64)>,
    /// Whether there were doubts about the last reading.
    #[serde(default)]
    pub provisional: bool,
}

/// The days of one property or view in one report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayBook {
    /// Zone of the days, as the source said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The days.
    pub days: BTreeMap<Date, KnownDay>,
}

impl DayBook {
    fn key(source: &str, report: &str, property: &str) -> String {
        format!("{STATE_PREFIX}days/{source}/{report}/{property}.json")
    }

    /// The book of a property in a report; an empty one before its first day.
    ///
    /// # Errors
    /// [`StateError`] when the store fails or the object is damaged.
    pub async fn load(
        store: &Store,
        source: &str,
        report: &str,
        property: &str,
    ) -> Result<Self, StateError> {
        let found = load(store, &Self::key(source, report, property)).await?;
        Ok(found.map(|(book, _)| book).unwrap_or_default())
    }

    /// Changes the book, however many others do so at the same time.
    ///
    /// # Errors
    /// [`StateError`] when the store fails or others change it all the time.
    pub async fn change(
        store: &Store,
        (source, report, property): (&str, &str, &str),
        change: impl Fn(&mut Self),
    ) -> Result<(), StateError> {
        let key = Self::key(source, report, property);
        for _ in 0..TRIES {
            let (mut book, etag) = match load::<Self>(store, &key).await? {
                Some((book, etag)) => (book, Some(etag)),
                None => (Self::default(), None),
            };
            change(&mut book);
            book.forget_old_days();
            if store_if(store, &key, &book, etag).await?.is_some() {
                return Ok(());
            }
        }
        Err(StateError::Contended { key })
    }

    fn forget_old_days(&mut self) {
        let Some((newest, _)) = self.days.last_key_value() else {
            return;
        };
        let oldest = newest.saturating_sub(KEPT_DAYS.days());
        self.days = self.days.split_off(&oldest);
    }
}
