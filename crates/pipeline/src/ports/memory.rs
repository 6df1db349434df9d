//! Objects in memory, for tests: whether a rule of `_state/` holds needs no disk.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use tempfile::TempDir;

use super::{ByteStream, ETag, MetaStream, ObjectMeta, ObjectStore, PutCondition, StoreError};

/// A store that forgets everything with its last owner. Conditions hold as they do in a bucket.
#[derive(Debug)]
pub struct MemoryStore {
    objects: Mutex<Objects>,
    staging: TempDir,
}

#[derive(Debug, Default)]
struct Objects {
    by_key: BTreeMap<String, Object>,
    writes: u64,
}

#[derive(Debug, Clone)]
struct Object {
    bytes: Bytes,
    etag: ETag,
    modified: Timestamp,
}

impl MemoryStore {
    /// An empty store.
    ///
    /// # Errors
    /// When there can be no folder for files on their way in.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            objects: Mutex::default(),
            staging: tempfile::tempdir()?,
        })
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn object(&self, key: &str) -> Result<Object, StoreError> {
        let missing = || StoreError::NotFound {
            key: key.to_owned(),
        };
        self.objects().by_key.get(key).cloned().ok_or_else(missing)
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn get(&self, key: &str) -> Result<(Bytes, ETag), StoreError> {
        let object = self.object(key)?;
        Ok((object.bytes, object.etag))
    }

    async fn get_stream(&self, key: &str) -> Result<ByteStream, StoreError> {
        let object = self.object(key)?;
        Ok(stream::iter([Ok(object.bytes)]).boxed())
    }

    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<ETag, StoreError> {
        let mut objects = self.objects();
        let present = objects.by_key.get(key).map(|object| &object.etag);
        let holds = match &condition {
            PutCondition::Always => true,
            PutCondition::IfAbsent => present.is_none(),
            PutCondition::IfMatch(etag) => present == Some(etag),
        };
        if !holds {
            return Err(StoreError::Conflict {
                key: key.to_owned(),
            });
        }
        objects.writes += 1;
        let etag = ETag(objects.writes.to_string());
        let object = Object {
            bytes,
            etag: etag.clone(),
            modified: Timestamp::now(),
        };
        objects.by_key.insert(key.to_owned(), object);
        Ok(etag)
    }

    async fn put_file(
        &self,
        key: &str,
        file: PathBuf,
        condition: PutCondition,
    ) -> Result<ETag, StoreError> {
        let failed = |action, error: io::Error| StoreError::Failed {
            action,
            key: key.to_owned(),
            why: error.to_string(),
            advice: "see that the temporary folder can be written",
            transient: false,
        };
        let bytes = std::fs::read(&file).map_err(|error| failed("read", error))?;
        let etag = self.put(key, bytes.into(), condition).await?;
        std::fs::remove_file(&file).map_err(|error| failed("delete", error))?;
        Ok(etag)
    }

    async fn list(&self, prefix: &str) -> Result<MetaStream, StoreError> {
        let objects = self.objects();
        let found = objects
            .by_key
            .iter()
            .filter(|(key, _)| key.starts_with(prefix));
        let found: Vec<Result<ObjectMeta, StoreError>> = found
            .map(|(key, object)| {
                Ok(ObjectMeta {
                    key: key.clone(),
                    size: object.bytes.len() as u64,
                    modified: object.modified,
                    etag: object.etag.clone(),
                })
            })
            .collect();
        Ok(stream::iter(found).boxed())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.objects().by_key.remove(key);
        Ok(())
    }

    fn staging(&self) -> PathBuf {
        self.staging.path().to_owned()
    }

    fn local_path(&self, _key: &str) -> Option<PathBuf> {
        None
    }

    fn display(&self, key: &str) -> String {
        format!("memory:{key}")
    }
}

#[cfg(test)]
#[tokio::test]
async fn conditions_hold() {
    let store = MemoryStore::new().unwrap();
    let put =
        async |bytes: &'static str, condition| store.put("a/b", bytes.into(), condition).await;
    let first = put("1", PutCondition::IfAbsent).await.unwrap();
    let conflict = put("2", PutCondition::IfAbsent).await;
    assert!(matches!(conflict, Err(StoreError::Conflict { .. })));
    let second = put("2", PutCondition::IfMatch(first.clone()))
        .await
        .unwrap();
    let late = put("3", PutCondition::IfMatch(first)).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })));
    assert_eq!(store.get("a/b").await.unwrap(), ("2".into(), second));
    store.delete("a/b").await.unwrap();
    let gone = store.get("a/b").await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })));
}
