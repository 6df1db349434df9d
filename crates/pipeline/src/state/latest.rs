//! What was done last with each stream, in one small object a stream: `_state/latest/<stream>.json`.
//!
//! Records of units and partitions of silver grow in number for ever, and whoever shows how fresh the streams are would
//! list all of them each time. One listing of these objects tells instead which streams changed since the last look.
//!
//! It is said that a change begins before anything else is written, and what came of it afterwards. So whoever looks
//! in between, or after a crash, finds the change open and reads what there is itself; nothing of this is ever older
//! than what it stands for without saying so. Only programs that do not know these objects pass them by.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{STATE_PREFIX, StateError, Store, TRIES, UnitRecord, store_if};
use crate::ports::{ETag, StoreError};

/// A collection that is open for longer has died: no execution lives that long.
const OPEN_AT_MOST: SignedDuration = SignedDuration::from_hours(8 * 24);
/// And a replacement of partitions: no job lives that long.
const REPLACES_AT_MOST: SignedDuration = SignedDuration::from_hours(24);

/// What changes of a stream.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// The record of a unit of collecting, by an attempt. It ends with that attempt or a later one, which locks it out.
    Unit {
        /// The unit.
        id: &'a str,
        /// Which attempt.
        attempt: u32,
    },
    /// Partitions of silver, by a job of this name; several may work at once.
    Silver(&'a str),
}

impl Change<'_> {
    fn name(self) -> String {
        match self {
            Self::Unit { id, attempt } => format!("unit {id} {attempt}"),
            Self::Silver(job) => format!("silver {job}"),
        }
    }

    /// Whether a change that is open is over once this one is.
    fn ends(self, open: &str) -> bool {
        match self {
            Self::Silver(_) => open == self.name(),
            Self::Unit { id, attempt } => open
                .strip_prefix("unit ")
                .and_then(|rest| rest.rsplit_once(' '))
                .is_some_and(|(own, number)| {
                    own == id && number.parse::<u32>().is_ok_and(|number| number <= attempt)
                }),
        }
    }
}

/// Whether a change that began then can still be made.
fn lives(name: &str, since: Timestamp, now: Timestamp) -> bool {
    let at_most = if name.starts_with("silver ") {
        REPLACES_AT_MOST
    } else {
        OPEN_AT_MOST
    };
    now.duration_since(since) < at_most
}

/// What was done last with a stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Latest {
    /// Changes that began and of which no end is known, each with its beginning.
    open: BTreeMap<String, Timestamp>,
    /// The record of collecting that was written last, without what it read and made.
    unit: Option<UnitRecord>,
    /// Counts the changes of this object: no version is equal to one before.
    changes: u64,
}

impl Latest {
    fn prefix() -> String {
        format!("{STATE_PREFIX}latest/")
    }

    fn key(stream: &str) -> String {
        format!("{}{stream}.json", Self::prefix())
    }

    /// The version of every stream's object, by the stream's name: one that was there at the last look has not changed
    /// since.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn versions(store: &Store) -> Result<BTreeMap<String, ETag>, StoreError> {
        let prefix = Self::prefix();
        let mut listing = store.list(&prefix).await?;
        let mut versions = BTreeMap::new();
        while let Some(object) = listing.try_next().await? {
            let name = object.key.strip_prefix(&prefix);
            if let Some(stream) = name.and_then(|name| name.strip_suffix(".json")) {
                versions.insert(stream.to_owned(), object.etag);
            }
        }
        Ok(versions)
    }

    /// A stream's object and its version; `None` where nobody wrote one yet.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn load(store: &Store, stream: &str) -> Result<Option<(Self, ETag)>, StoreError> {
        match store.get(&Self::key(stream)).await {
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
            // One that cannot be read says nothing, and the next change writes it anew.
            Ok((bytes, etag)) => Ok(Some((
                serde_json::from_slice(&bytes).unwrap_or_else(|_| Self::unknown()),
                etag,
            ))),
        }
    }

    /// Nobody knows what is open.
    fn unknown() -> Self {
        Self {
            open: BTreeMap::from([("unknown".to_owned(), Timestamp::MIN)]),
            ..Self::default()
        }
    }

    /// Whether nothing is under way, so that what is read now stays so until this object changes.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.open.is_empty()
    }

    /// The record of collecting that was written last, where nothing is under way.
    #[must_use]
    pub fn unit(&self) -> Option<&UnitRecord> {
        self.unit.as_ref().filter(|_| self.is_settled())
    }

    /// Says that a change begins, before it is made.
    ///
    /// # Errors
    /// [`StateError`] when that could not be written; the change must not be made then.
    pub async fn begin(
        store: &Store,
        stream: &str,
        change: Change<'_>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let begin = |latest: &mut Self| {
            latest.open.insert(change.name(), now);
        };
        Self::change(store, stream, now, begin).await
    }

    /// Says that a change was made, with the record that it wrote. Where this fails the change stays open, and whoever
    /// looks reads what there is.
    ///
    /// # Errors
    /// [`StateError`] when that could not be written.
    pub async fn end(
        store: &Store,
        stream: &str,
        change: Change<'_>,
        unit: Option<&UnitRecord>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let unit = unit.map(UnitRecord::in_short);
        let end = |latest: &mut Self| {
            latest.open.retain(|open, _| !change.ends(open));
            let known = latest.unit.as_ref().map(|known| known.heartbeat_at);
            if let Some(unit) = unit
                .as_ref()
                .filter(|unit| Some(unit.heartbeat_at) >= known)
            {
                latest.unit = Some(unit.clone());
            }
        };
        Self::change(store, stream, now, end).await
    }

    /// Changes the object, however many others do so at the same time.
    async fn change(
        store: &Store,
        stream: &str,
        now: Timestamp,
        change: impl Fn(&mut Self),
    ) -> Result<(), StateError> {
        let key = Self::key(stream);
        for _ in 0..TRIES {
            let (mut latest, etag) = match Self::load(store, stream).await? {
                Some((latest, etag)) => (latest, Some(etag)),
                None => (Self::default(), None),
            };
            latest.open.retain(|name, since| lives(name, *since, now));
            change(&mut latest);
            latest.changes += 1;
            if store_if(store, &key, &latest, etag).await?.is_some() {
                return Ok(());
            }
        }
        Err(StateError::Contended { key })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ports::{PutCondition, memory::MemoryStore};
    use crate::state::{Unit, UnitKey, UnitStatus};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn key(id: &str) -> UnitKey {
        UnitKey {
            stage: "collect",
            dataset: "affise.clicks".to_owned(),
            id: id.to_owned(),
        }
    }

    async fn latest(store: &Store) -> Latest {
        let found = Latest::load(store, "affise.clicks").await.unwrap();
        found.unwrap().0
    }

    #[tokio::test]
    async fn a_unit_that_works_is_open_and_one_that_ended_is_told_whole() {
        let store: Store = Arc::new(MemoryStore::new().unwrap());
        let now = at("2026-01-01T00:00:00Z");
        assert_eq!(Latest::load(&store, "affise.clicks").await.unwrap(), None);
        let mut unit = Unit::open(&store, &key("c1"), None, "run", now)
            .await
            .unwrap();
        unit.begin("run", now).await.unwrap();
        assert!(!latest(&store).await.is_settled());
        assert_eq!(
            latest(&store).await.unit(),
            None,
            "nobody knows before its end"
        );
        let begun = Latest::versions(&store).await.unwrap();
        unit.record.rows = 7;
        unit.record.hashes.insert("a".to_owned(), "b".to_owned());
        unit.save(now).await.unwrap();
        assert_eq!(
            Latest::versions(&store).await.unwrap(),
            begun,
            "no sign of life costs a write here"
        );
        let late = at("2026-01-01T00:10:00Z");
        unit.set(UnitStatus::Done, late).await.unwrap();
        assert_ne!(Latest::versions(&store).await.unwrap(), begun);
        let told = latest(&store).await;
        let record = told.unit().unwrap();
        assert_eq!(
            (record.id.as_str(), record.rows, record.ended_at),
            ("c1", 7, Some(late))
        );
        assert!(record.hashes.is_empty(), "small");
    }

    #[tokio::test]
    async fn a_writer_that_died_leaves_its_change_open_until_no_execution_can_live() {
        let store: Store = Arc::new(MemoryStore::new().unwrap());
        let start = at("2026-01-01T00:00:00Z");
        let mut dead = Unit::open(&store, &key("c1"), None, "run", start)
            .await
            .unwrap();
        dead.begin("run", start).await.unwrap();
        drop(dead);
        let next = |hours| start + SignedDuration::from_hours(hours);
        let mut other = Unit::open(&store, &key("c2"), None, "run", next(1))
            .await
            .unwrap();
        other.begin("run", next(1)).await.unwrap();
        other.set(UnitStatus::Done, next(1)).await.unwrap();
        assert!(!latest(&store).await.is_settled());
        let silver = Change::Silver("x");
        Latest::begin(&store, "affise.clicks", silver, next(8 * 24))
            .await
            .unwrap();
        Latest::end(&store, "affise.clicks", silver, None, next(8 * 24))
            .await
            .unwrap();
        let told = latest(&store).await;
        assert_eq!(told.unit().map(|unit| unit.id.as_str()), Some("c2"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_one_of_many_writers_is_lost() {
        let store: Store = Arc::new(MemoryStore::new().unwrap());
        let start = at("2026-01-01T00:00:00Z");
        let writers = [4_i64, 2, 5, 1, 3].map(|minute| {
            let store = Arc::clone(&store);
            let now = start + SignedDuration::from_mins(minute);
            tokio::spawn(async move {
                let id = format!("c{minute}");
                let mut unit = Unit::open(&store, &key(&id), None, "run", now)
                    .await
                    .unwrap();
                unit.begin("run", now).await.unwrap();
                unit.set(UnitStatus::Done, now).await.unwrap();
            })
        });
        futures::future::join_all(writers)
            .await
            .into_iter()
            .for_each(|ended| ended.unwrap());
        let told = latest(&store).await;
        assert_eq!(told.changes, 10);
        assert_eq!(
            told.unit().map(|unit| unit.id.as_str()),
            Some("c5"),
            "the newest, whoever wrote last"
        );
    }

    #[tokio::test]
    async fn what_cannot_be_read_says_nothing_and_is_written_anew() {
        let store: Store = Arc::new(MemoryStore::new().unwrap());
        let object = Latest::key("affise.clicks");
        let put = store.put(&object, "no json".as_bytes().into(), PutCondition::Always);
        put.await.unwrap();
        assert!(!latest(&store).await.is_settled());
        let now = at("2026-01-01T00:00:00Z");
        let mut unit = Unit::open(&store, &key("c1"), None, "run", now)
            .await
            .unwrap();
        unit.begin("run", now).await.unwrap();
        unit.set(UnitStatus::Done, now).await.unwrap();
        assert!(latest(&store).await.unit().is_some());
    }

    #[tokio::test]
    async fn what_goes_on_after_a_crash_ends_what_had_died() {
        let store: Store = Arc::new(MemoryStore::new().unwrap());
        let now = at("2026-01-01T00:00:00Z");
        let mut dead = Unit::open(&store, &key("c1"), None, "run", now)
            .await
            .unwrap();
        dead.begin("run", now).await.unwrap();
        drop(dead);
        let mut again = Unit::open(&store, &key("c1"), None, "run", now)
            .await
            .unwrap();
        again.begin("run", now).await.unwrap();
        assert!(!latest(&store).await.is_settled());
        again.set(UnitStatus::Done, now).await.unwrap();
        assert!(latest(&store).await.is_settled());
        // Of two jobs that replace partitions each ends its own only.
        let (one, other) = (Change::Silver("one"), Change::Silver("other"));
        for job in [one, other] {
            Latest::begin(&store, "affise.clicks", job, now)
                .await
                .unwrap();
        }
        Latest::end(&store, "affise.clicks", one, None, now)
            .await
            .unwrap();
        assert!(!latest(&store).await.is_settled());
        Latest::end(&store, "affise.clicks", other, None, now)
            .await
            .unwrap();
        assert!(latest(&store).await.is_settled());
    }

    #[tokio::test]
    async fn an_attempt_that_was_taken_over_does_not_end_the_other_one() {
        let store: Store = Arc::new(MemoryStore::new().unwrap());
        let now = at("2026-01-01T00:00:00Z");
        let mut first = Unit::open(&store, &key("c1"), None, "run", now)
            .await
            .unwrap();
        first.begin("run", now).await.unwrap();
        let mut second = Unit::open(&store, &key("c1"), None, "run", now)
            .await
            .unwrap();
        second.begin("run", now).await.unwrap();
        let late = first.set(UnitStatus::Done, now).await;
        assert!(matches!(late, Err(StateError::TakenOver { .. })));
        assert!(!latest(&store).await.is_settled());
        second.set(UnitStatus::Done, now).await.unwrap();
        let told = latest(&store).await;
        assert_eq!(told.unit().map(|unit| unit.attempt), Some(2));
    }
}
