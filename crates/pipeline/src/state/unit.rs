//! One record for every unit of work: what it is, how far it is, how it ended.
//!
//! Progress, retries, gaps, freshness and cost are read from these records. A record is also the
//! fence of its unit: an attempt that starts counts `attempt` up, and the attempt before it cannot
//! write any more.

use futures::TryStreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Change, Latest, STATE_PREFIX, StateError, Store, load, store_if};
use crate::ports::ETag;
use crate::window::Window;

/// Which unit: `_state/units/<stage>/<dataset>/<id>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnitKey {
    /// What is done: `collect`, `normalise`, `gold`, `export`.
    pub stage: &'static str,
    /// To what: a stream (`affise.clicks`) or a table.
    pub dataset: String,
    /// Which piece: a collection, a day, a window.
    pub id: String,
}

impl UnitKey {
    fn object(&self) -> String {
        format!(
            "{}{}.json",
            Self::prefix(self.stage, &self.dataset),
            self.id
        )
    }

    fn prefix(stage: &str, dataset: &str) -> String {
        format!("{STATE_PREFIX}units/{stage}/{dataset}/")
    }
}

/// How far a unit is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum UnitStatus {
    /// Known, not begun.
    Planned,
    /// Waits for something that it names.
    Waiting {
        /// `rate limit`, `slot: 2 of 2`, `upstream 2026-01-05 failed`.
        why: String,
    },
    /// Being worked on.
    Running,
    /// Ended well.
    Done,
    /// Ended with an error.
    Failed {
        /// Name that a workflow's Retry and Catch match.
        error_type: String,
        /// The sentence for people.
        message: String,
    },
    /// Put off until an instant.
    Parked {
        /// Not before.
        until: Timestamp,
        /// Why then: the quota that is reset.
        why: String,
    },
    /// Stopped on request; may be picked again.
    Cancelled,
}

impl UnitStatus {
    /// Whether nothing more happens by itself.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Done | Self::Failed { .. } | Self::Cancelled)
    }

    /// Until when it is put off, if that is still to come.
    #[must_use]
    pub fn parked_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Parked { until, .. } => Some(*until).filter(|until| *until > now),
            _ => None,
        }
    }
}

/// The record of a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitRecord {
    /// What is done.
    pub stage: String,
    /// To what.
    pub dataset: String,
    /// Which piece.
    pub id: String,
    /// The days it covers; `None` for a snapshot.
    pub window: Option<Window>,
    /// The execution that works or worked on it.
    pub execution: String,
    /// How far it is.
    pub status: UnitStatus,
    /// Counts from 1 with the first attempt; 0 while it is only planned.
    pub attempt: u32,
    /// Where an attempt goes on; its shape belongs to the stage.
    pub cursor: serde_json::Value,
    /// Requests made, over all attempts.
    pub calls: u64,
    /// Rows made.
    pub rows: u64,
    /// Bytes made.
    pub bytes: u64,
    /// What it read and made, each with its hash: object key -> SHA-256.
    pub hashes: std::collections::BTreeMap<String, String>,
    /// When it was first known.
    pub planned_at: Timestamp,
    /// When the first attempt began.
    pub started_at: Option<Timestamp>,
    /// Last sign of life.
    pub heartbeat_at: Timestamp,
    /// When it came to its final state.
    pub ended_at: Option<Timestamp>,
}

/// A unit that this process works on.
#[derive(Debug)]
pub struct Unit {
    store: Store,
    key: String,
    etag: Option<ETag>,
    /// Whether it was said that this unit changes.
    announced: bool,
    /// The record; changed here, made durable by [`Unit::save`].
    pub record: UnitRecord,
}

impl Unit {
    /// Reads the record of a unit, or makes a planned one that [`Unit::save`] will store.
    ///
    /// # Errors
    /// [`StateError`] when the store fails or the record is damaged.
    pub async fn open(
        store: &Store,
        key: &UnitKey,
        window: Option<Window>,
        execution: &str,
        now: Timestamp,
    ) -> Result<Self, StateError> {
        let object = key.object();
        let (record, etag) = match load(store, &object).await? {
            Some((record, etag)) => (record, Some(etag)),
            None => (UnitRecord::planned(key, window, execution, now), None),
        };
        Ok(Self {
            store: store.clone(),
            key: object,
            etag,
            announced: false,
            record,
        })
    }

    /// Starts an attempt: from now on every earlier attempt is locked out.
    ///
    /// # Errors
    /// [`StateError::TakenOver`] when another process started one at the same time.
    pub async fn begin(&mut self, execution: &str, now: Timestamp) -> Result<(), StateError> {
        self.record.attempt += 1;
        self.record.execution = execution.to_owned();
        self.record.started_at.get_or_insert(now);
        self.record.ended_at = None;
        self.set(UnitStatus::Running, now).await
    }

    /// Changes the state and stores the record.
    ///
    /// # Errors
    /// As [`Unit::save`].
    pub async fn set(&mut self, status: UnitStatus, now: Timestamp) -> Result<(), StateError> {
        self.announce(now).await?;
        self.record.ended_at = status.is_final().then_some(now);
        self.record.status = status;
        self.save(now).await?;
        if self.record.status != UnitStatus::Running {
            self.told_last(now).await;
        }
        Ok(())
    }

    /// Says that this unit changes, before it does.
    async fn announce(&mut self, now: Timestamp) -> Result<(), StateError> {
        if !self.announced {
            Latest::begin(&self.store, &self.record.dataset, self.change(), now).await?;
            self.announced = true;
        }
        Ok(())
    }

    /// Says how it is now. Where that fails, it goes on being told as one that changes, and its record is read.
    async fn told_last(&mut self, now: Timestamp) {
        let (store, record) = (&self.store, &self.record);
        let told = Latest::end(store, &record.dataset, self.change(), Some(record), now).await;
        match told {
            Ok(()) => self.announced = false,
            Err(error) => {
                tracing::warn!(key = %self.key, %error, "what was done last could not be told");
            }
        }
    }

    fn change(&self) -> Change<'_> {
        Change::Unit {
            id: &self.record.id,
            attempt: self.record.attempt,
        }
    }

    /// Stores the record as it is now, as a sign of life.
    ///
    /// # Errors
    /// [`StateError::TakenOver`] when another attempt of the same unit has begun; this one must stop.
    pub async fn save(&mut self, now: Timestamp) -> Result<(), StateError> {
        self.record.heartbeat_at = now;
        match store_if(&self.store, &self.key, &self.record, self.etag.clone()).await? {
            None => Err(StateError::TakenOver {
                key: self.key.clone(),
            }),
            Some(etag) => {
                self.etag = Some(etag);
                Ok(())
            }
        }
    }

    /// The cursor in its stage's shape; `None` before the first one.
    ///
    /// # Errors
    /// [`StateError::Damaged`] when it has another shape.
    pub fn cursor<T: DeserializeOwned>(&self) -> Result<Option<T>, StateError> {
        let cursor = self.record.cursor.clone();
        if cursor.is_null() {
            return Ok(None);
        }
        serde_json::from_value(cursor)
            .map(Some)
            .map_err(|error| self.damaged(&error))
    }

    /// Sets the cursor; [`Unit::save`] makes it durable.
    ///
    /// # Errors
    /// [`StateError::Damaged`] when it cannot be written as JSON.
    pub fn set_cursor(&mut self, cursor: &impl Serialize) -> Result<(), StateError> {
        self.record.cursor = serde_json::to_value(cursor).map_err(|error| self.damaged(&error))?;
        Ok(())
    }

    fn damaged(&self, error: &serde_json::Error) -> StateError {
        StateError::Damaged {
            key: self.key.clone(),
            why: format!("its cursor: {error}"),
        }
    }
}

impl UnitRecord {
    /// The record without where it goes on and what it read and made, which can be long.
    pub(super) fn in_short(&self) -> Self {
        Self {
            cursor: serde_json::Value::Null,
            hashes: std::collections::BTreeMap::new(),
            ..self.clone()
        }
    }

    fn planned(key: &UnitKey, window: Option<Window>, execution: &str, now: Timestamp) -> Self {
        Self {
            stage: key.stage.to_owned(),
            dataset: key.dataset.clone(),
            id: key.id.clone(),
            window,
            execution: execution.to_owned(),
            status: UnitStatus::Planned,
            attempt: 0,
            cursor: serde_json::Value::Null,
            calls: 0,
            rows: 0,
            bytes: 0,
            hashes: std::collections::BTreeMap::new(),
            planned_at: now,
            started_at: None,
            heartbeat_at: now,
            ended_at: None,
        }
    }
}

/// The records of a stage and dataset, in the order of their ids.
///
/// # Errors
/// [`StateError`] when the store fails or a record is damaged.
pub async fn list_units(
    store: &Store,
    stage: &str,
    dataset: &str,
) -> Result<Vec<UnitRecord>, StateError> {
    let mut records = Vec::new();
    let mut listing = store.list(&UnitKey::prefix(stage, dataset)).await?;
    while let Some(meta) = listing.try_next().await? {
        records.extend(load(store, &meta.key).await?.map(|(record, _)| record));
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ports::memory::MemoryStore;

    #[tokio::test]
    async fn a_new_attempt_locks_the_old_one_out_and_goes_on_where_it_was() {
        let store: Store = Arc::new(MemoryStore::new().unwrap());
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let key = UnitKey {
            stage: "collect",
            dataset: "affise.clicks".to_owned(),
            id: "c1".to_owned(),
        };
        let mut first = Unit::open(&store, &key, None, "run", now).await.unwrap();
        assert_eq!(first.cursor::<u32>().unwrap(), None);
        first.begin("run", now).await.unwrap();
        first.set_cursor(&17_u32).unwrap();
        first.save(now).await.unwrap();

        let mut second = Unit::open(&store, &key, None, "run", now).await.unwrap();
        assert_eq!(second.cursor::<u32>().unwrap(), Some(17));
        second.begin("run", now).await.unwrap();
        assert_eq!(second.record.attempt, 2);
        assert!(matches!(
            first.save(now).await,
            Err(StateError::TakenOver { .. })
        ));
        second.set(UnitStatus::Done, now).await.unwrap();

        let records = list_units(&store, "collect", "affise.clicks")
            .await
            .unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(
            (&records[0].status, records[0].ended_at),
            (&UnitStatus::Done, Some(now))
        );
        assert!(
            list_units(&store, "collect", "affise.offers")
                .await
                .unwrap()
                .is_empty()
        );
    }

    #[tokio::test]
    async fn two_first_attempts_have_one_winner() {
        let store: Store = Arc::new(MemoryStore::new().unwrap());
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let key = UnitKey {
            stage: "collect",
            dataset: "affise.clicks".to_owned(),
            id: "c1".to_owned(),
        };
        let mut one = Unit::open(&store, &key, None, "run", now).await.unwrap();
        let mut two = Unit::open(&store, &key, None, "run", now).await.unwrap();
        one.begin("run", now).await.unwrap();
        assert!(matches!(
            two.begin("run", now).await,
            Err(StateError::TakenOver { .. })
        ));
    }
}
