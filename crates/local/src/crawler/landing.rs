//! A store that tells the crawlers what lands in it: what S3's event notifications are on AWS.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

use super::LocalCrawlers;
use lakehand_pipeline::ports::{
    ByteStream, ETag, MetaStream, ObjectStore, PutCondition, StoreError,
};

/// Passes every call on, and tells the crawlers of every object that was written.
#[derive(Debug)]
pub struct Landing {
    inner: Arc<dyn ObjectStore>,
    crawlers: LocalCrawlers,
}

impl Landing {
    /// `inner`, watched.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>, crawlers: LocalCrawlers) -> Self {
        Self { inner, crawlers }
    }
}

#[async_trait]
impl ObjectStore for Landing {
    async fn get(&self, key: &str) -> Result<(Bytes, ETag), StoreError> {
        self.inner.get(key).await
    }

    async fn get_stream(&self, key: &str) -> Result<ByteStream, StoreError> {
        self.inner.get_stream(key).await
    }

    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<ETag, StoreError> {
        let written = self.inner.put(key, bytes, condition).await?;
        self.crawlers.landed(key);
        Ok(written)
    }

    async fn put_file(
        &self,
        key: &str,
        file: PathBuf,
        condition: PutCondition,
    ) -> Result<ETag, StoreError> {
        let written = self.inner.put_file(key, file, condition).await?;
        self.crawlers.landed(key);
        Ok(written)
    }

    async fn list(&self, prefix: &str) -> Result<MetaStream, StoreError> {
        self.inner.list(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }

    fn staging(&self) -> PathBuf {
        self.inner.staging()
    }

    fn local_path(&self, key: &str) -> Option<PathBuf> {
        self.inner.local_path(key)
    }

    fn display(&self, key: &str) -> String {
        self.inner.display(key)
    }
}
