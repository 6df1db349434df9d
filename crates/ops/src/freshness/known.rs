//! What is known of the streams, so that a look at what did not change costs one listing for all of them.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{OfStream, of_stream};
use crate::OpsResult;
use lakehand_pipeline::{
    dataset::Stream,
    ports::{ETag, Lake},
    state::Latest,
};

/// What was read of the streams, and for which version of what was done last with each.
#[derive(Debug, Default)]
pub struct Known {
    read: tokio::sync::Mutex<Read>,
    forgotten: AtomicBool,
}

#[derive(Debug, Default)]
struct Read {
    /// When the lake itself was looked at.
    at: Option<Timestamp>,
    streams: HashMap<Stream, (ETag, OfStream)>,
}

impl Known {
    /// What is asked next is to be read from the lake itself.
    pub fn forget(&self) {
        self.forgotten.store(true, Ordering::Relaxed);
    }

    /// What the lake has of these streams, in their order.
    ///
    /// The lake itself is looked at where that was not done for `at_most`: programs that do not tell what they did, and
    /// people who move files by hand, are seen then.
    pub(super) async fn read(
        &self,
        lake: &Lake,
        streams: &[Stream],
        zone: &TimeZone,
        at_most: SignedDuration,
        now: Timestamp,
    ) -> Vec<OpsResult<OfStream>> {
        let mut known = self.read.lock().await;
        let age = known.at.map(|at| now.duration_since(at));
        let young = age.is_some_and(|age| (SignedDuration::ZERO..at_most).contains(&age));
        let anew = self.forgotten.swap(false, Ordering::Relaxed) || !young;
        if anew {
            known.streams.clear();
            known.at = Some(now);
        }
        // Whoever may not list these reads the lake each time.
        let versions = Latest::versions(&lake.std).await.unwrap_or_default();
        let asked = streams.iter().map(|stream| {
            let version = versions.get(&stream.name());
            one(
                lake,
                *stream,
                zone,
                version,
                known.streams.get(stream),
                anew,
            )
        });
        let answers = futures::future::join_all(asked).await;
        let mut read = Vec::new();
        for (stream, (version, answer)) in streams.iter().zip(answers) {
            match (version, &answer) {
                (Some(version), Ok(of_stream)) => {
                    known.streams.insert(*stream, (version, of_stream.clone()));
                }
                _ => drop(known.streams.remove(stream)),
            }
            read.push(answer);
        }
        read
    }
}

/// What the lake has of a stream, and the version of its newest change that this stands for; none while it changes.
async fn one(
    lake: &Lake,
    stream: Stream,
    zone: &TimeZone,
    version: Option<&ETag>,
    known: Option<&(ETag, OfStream)>,
    anew: bool,
) -> (Option<ETag>, OpsResult<OfStream>) {
    if let (Some(version), Some((own, read))) = (version, known)
        && version == own
    {
        return (Some(own.clone()), Ok(read.clone()));
    }
    // Read before the lake is: a change that comes in between is one of the next version.
    let latest = match version {
        Some(_) => Latest::load(&lake.std, &stream.name()).await.ok().flatten(),
        None => None,
    };
    let newest = latest.as_ref().and_then(|(latest, _)| latest.unit());
    let read = of_stream(lake, stream, zone, newest.filter(|_| !anew)).await;
    let settled = latest.filter(|(latest, _)| latest.is_settled());
    (settled.map(|(_, version)| version), read)
}

#[cfg(test)]
mod tests {
    use std::{
        path::PathBuf,
        sync::{Arc, Mutex},
    };

    use async_trait::async_trait;
    use bytes::Bytes;

    use super::*;
    use lakehand_pipeline::{
        ports::{
            ByteStream, MetaStream, ObjectStore, PutCondition, StoreError, memory::MemoryStore,
        },
        state::{Unit, UnitKey, UnitStatus},
    };

    /// A store that notes what it is asked.
    #[derive(Debug)]
    struct Noted {
        store: MemoryStore,
        asked: Mutex<Vec<String>>,
    }

    impl Noted {
        fn note(&self, call: &str, key: &str) {
            self.asked.lock().unwrap().push(format!("{call} {key}"));
        }

        fn asked(&self) -> Vec<String> {
            std::mem::take(&mut *self.asked.lock().unwrap())
        }
    }

    #[async_trait]
    impl ObjectStore for Noted {
        async fn get(&self, key: &str) -> Result<(Bytes, ETag), StoreError> {
            self.note("get", key);
            self.store.get(key).await
        }
        async fn get_stream(&self, key: &str) -> Result<ByteStream, StoreError> {
            self.store.get_stream(key).await
        }
        async fn put(
            &self,
            key: &str,
            bytes: Bytes,
            condition: PutCondition,
        ) -> Result<ETag, StoreError> {
            self.store.put(key, bytes, condition).await
        }
        async fn put_file(
            &self,
            key: &str,
            file: PathBuf,
            condition: PutCondition,
        ) -> Result<ETag, StoreError> {
            self.store.put_file(key, file, condition).await
        }
        async fn list(&self, prefix: &str) -> Result<MetaStream, StoreError> {
            self.note("list", prefix);
            self.store.list(prefix).await
        }
        async fn delete(&self, key: &str) -> Result<(), StoreError> {
            self.store.delete(key).await
        }
        fn staging(&self) -> PathBuf {
            self.store.staging()
        }
        fn local_path(&self, key: &str) -> Option<PathBuf> {
            self.store.local_path(key)
        }
        fn display(&self, key: &str) -> String {
            self.store.display(key)
        }
    }

    const STREAMS: [Stream; 2] = [Stream::AffiseClicks, Stream::AffiseConversions];
    const LATEST: &str = "list _state/latest/";
    const UNITS: &str = "list _state/units/collect/affise.clicks/";

    struct World {
        noted: Arc<Noted>,
        store: Arc<dyn ObjectStore>,
        lake: Lake,
        known: Known,
    }

    impl World {
        fn new() -> Self {
            let noted = Arc::new(Noted {
                store: MemoryStore::new().unwrap(),
                asked: Mutex::default(),
            });
            let store: Arc<dyn ObjectStore> = noted.clone();
            let lake = Lake {
                raw: Arc::clone(&store),
                std: Arc::clone(&store),
            };
            Self {
                noted,
                store,
                lake,
                known: Known::default(),
            }
        }

        /// The rows of the newest record of clicks at this minute, and what the store was asked for that.
        async fn look(&self, minute: i64) -> (Option<u64>, Vec<String>) {
            self.noted.asked();
            let quarter = SignedDuration::from_mins(15);
            let read = self
                .known
                .read(&self.lake, &STREAMS, &TimeZone::UTC, quarter, at(minute))
                .await;
            let clicks = read.into_iter().next().unwrap().unwrap();
            let rows = clicks.units.first().map(|unit| unit.rows);
            (rows, self.noted.asked())
        }

        async fn begin(&self, stream: Stream, id: &str, minute: i64) -> Unit {
            let key = UnitKey {
                stage: "collect",
                dataset: stream.name(),
                id: id.to_owned(),
            };
            let mut unit = Unit::open(&self.store, &key, None, "run", at(minute))
                .await
                .unwrap();
            unit.begin("run", at(minute)).await.unwrap();
            unit
        }

        async fn collect(&self, stream: Stream, id: &str, rows: u64, minute: i64) {
            let mut unit = self.begin(stream, id, minute).await;
            unit.record.rows = rows;
            unit.set(UnitStatus::Done, at(minute)).await.unwrap();
        }

        /// As a program writes that does not know what is told here.
        async fn write_record(&self, id: &str, rows: u64) {
            let record = serde_json::json!({
                "stage": "collect", "dataset": "affise.clicks", "id": id, "window": null, "execution": "x",
                "status": { "state": "done" }, "attempt": 1, "cursor": null, "calls": 1, "rows": rows, "bytes": 1, "hashes": {},
                "planned_at": at(0), "started_at": at(0), "heartbeat_at": at(0), "ended_at": at(0),
            });
            let key = format!("_state/units/collect/affise.clicks/{id}.json");
            let bytes = record.to_string().into_bytes().into();
            let put = self.store.put(&key, bytes, PutCondition::Always);
            put.await.unwrap();
        }
    }

    fn at(minute: i64) -> Timestamp {
        "2026-01-31T08:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
    }

    #[tokio::test]
    async fn what_did_not_change_costs_one_listing_and_what_did_is_read() {
        let world = World::new();
        world.collect(STREAMS[0], "a", 7, 0).await;
        world.collect(STREAMS[1], "b", 3, 0).await;
        let (rows, asked) = world.look(1).await;
        assert_eq!(rows, Some(7));
        assert!(
            asked.iter().any(|one| one == UNITS),
            "the first look is at the lake: {asked:?}"
        );
        for minute in 2..10 {
            let (rows, asked) = world.look(minute).await;
            assert_eq!((rows, asked), (Some(7), vec![LATEST.to_owned()]));
        }
        world.collect(STREAMS[0], "c", 9, 10).await;
        let (rows, asked) = world.look(11).await;
        assert_eq!(rows, Some(9));
        assert!(
            !asked.iter().any(|one| one == UNITS),
            "its record stands there: {asked:?}"
        );
        assert!(
            !asked.iter().any(|one| one.contains("conversions")),
            "{asked:?}"
        );
        assert_eq!(world.look(12).await.1, [LATEST]);
    }

    #[tokio::test]
    async fn while_something_changes_the_lake_itself_is_read() {
        let world = World::new();
        world.collect(STREAMS[0], "a", 7, 0).await;
        world.collect(STREAMS[1], "b", 3, 0).await;
        world.look(1).await;
        let mut unit = world.begin(STREAMS[0], "c", 2).await;
        unit.record.rows = 4;
        unit.save(at(2)).await.unwrap();
        let (rows, asked) = world.look(3).await;
        assert_eq!(rows, Some(4), "the record of the one that runs");
        assert!(asked.iter().any(|one| one == UNITS));
        // It dies between its record and what is told of it: what is told is behind, and nobody believes it.
        unit.record.rows = 5;
        unit.record.status = UnitStatus::Failed {
            error_type: "SourceRefused".to_owned(),
            message: "no".to_owned(),
        };
        unit.save(at(4)).await.unwrap();
        drop(unit);
        assert_eq!(world.look(5).await.0, Some(5));
    }

    #[tokio::test]
    async fn a_lake_of_before_is_read_as_before_until_somebody_writes() {
        let world = World::new();
        world.write_record("old", 6).await;
        for minute in 1..3 {
            let (rows, asked) = world.look(minute).await;
            assert_eq!(rows, Some(6));
            assert!(asked.iter().any(|one| one == UNITS), "{asked:?}");
        }
        world.collect(STREAMS[0], "new", 8, 3).await;
        world.collect(STREAMS[1], "new", 1, 3).await;
        assert_eq!(world.look(4).await.0, Some(8));
        assert_eq!(world.look(5).await.1, [LATEST]);
        // A program of before passes it by: it is seen when the lake itself is looked at, or when somebody asks anew.
        world.write_record("zz-older-program", 2).await;
        assert_eq!(world.look(6).await.0, Some(8));
        assert_eq!(
            world.look(16).await.0,
            Some(2),
            "a quarter of an hour after the first look"
        );
        world.write_record("zzz-older-program", 11).await;
        world.known.forget();
        assert_eq!(world.look(17).await.0, Some(11));
    }
}
