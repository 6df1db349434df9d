//! A folder that behaves like a bucket.
//!
//! The embedded lake must keep the promises that the pipeline relies on in S3: a write becomes
//! visible as a whole or not at all, a conditional write is decided by one winner even between
//! processes, and a listing comes in key order. Here a file is written under `.staging`, flushed to
//! the disk, and renamed into place under a lock; `.staging` is no part of the key space.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::io::ReaderStream;

use lakehand_host::keys::{self, STAGING};
use lakehand_pipeline::ports::{
    ByteStream, ETag, MetaStream, ObjectStore, PutCondition, StoreError,
};

mod errors;
mod files;
mod listing;
#[cfg(test)]
mod tests;

use errors::failed;

/// Objects a listing is read ahead of its consumer.
const LISTING_AHEAD: usize = 256;
/// Bytes of one piece of a streamed object.
const PIECE: usize = 256 * 1024;

/// Objects in a folder of this machine.
#[derive(Clone)]
pub struct LocalStore {
    root: Arc<Path>,
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalStore").field(&self.root).finish()
    }
}

impl LocalStore {
    /// Opens the folder `root`, making it when it is missing, and removes what attempts that died
    /// more than a day ago left in its staging folder.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the folder cannot be made or written.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root: PathBuf = root.into();
        let name = root.display().to_string();
        let opened =
            files::prepare(&root).map_err(|error| failed("open the folder", &name, &error));
        opened.map(|root| Self { root: root.into() })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Runs file work where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        action: &'static str,
        key: &str,
        work: impl FnOnce(&Path, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let root = Arc::clone(&self.root);
        let name = key.to_owned();
        let ended = tokio::task::spawn_blocking(move || work(&root, &name)).await;
        ended.unwrap_or_else(|stopped| {
            Err(failed(
                action,
                key,
                &std::io::Error::other(format!("the file task stopped: {stopped}")),
            ))
        })
    }
}

#[async_trait]
impl ObjectStore for LocalStore {
    async fn get(&self, key: &str) -> Result<(Bytes, ETag), StoreError> {
        keys::check(key)?;
        self.blocking("read", key, |root, key| {
            files::read(&root.join(key)).map_err(|error| failed("read", key, &error))
        })
        .await
    }

    async fn get_stream(&self, key: &str) -> Result<ByteStream, StoreError> {
        keys::check(key)?;
        let opened = self.blocking("read", key, |root, key| {
            files::open(&root.join(key)).map_err(|error| failed("read", key, &error))
        });
        let file = tokio::fs::File::from_std(opened.await?);
        let key = key.to_owned();
        let pieces = ReaderStream::with_capacity(file, PIECE);
        Ok(pieces
            .map(move |piece| piece.map_err(|error| failed("read", &key, &error)))
            .boxed())
    }

    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<ETag, StoreError> {
        keys::check(key)?;
        self.blocking("write", key, move |root, key| {
            let staged = files::stage(&root.join(STAGING), &bytes)
                .map_err(|error| failed("write", key, &error))?;
            files::publish(root, key, staged, &condition)
        })
        .await
    }

    async fn put_file(
        &self,
        key: &str,
        file: PathBuf,
        condition: PutCondition,
    ) -> Result<ETag, StoreError> {
        keys::check(key)?;
        self.blocking("write", key, move |root, key| {
            let staged = files::adopt(&root.join(STAGING), file)
                .map_err(|error| failed("write", key, &error))?;
            files::publish(root, key, staged, &condition)
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<MetaStream, StoreError> {
        keys::check_prefix(prefix)?;
        let (sender, mut receiver) = mpsc::channel(LISTING_AHEAD);
        let root = Arc::clone(&self.root);
        let prefix = prefix.to_owned();
        tokio::task::spawn_blocking(move || {
            let walked = listing::walk(&root, &prefix, &mut |meta| {
                sender.blocking_send(Ok(meta)).is_ok()
            });
            if let Err(error) = walked {
                // Nobody listens any more when this fails, so nobody misses it.
                let _ = sender.blocking_send(Err(failed("list", &prefix, &error)));
            }
        });
        Ok(stream::poll_fn(move |context| receiver.poll_recv(context)).boxed())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        keys::check(key)?;
        self.blocking("delete", key, |root, key| {
            files::remove(root, key).map_err(|error| failed("delete", key, &error))
        })
        .await
    }

    fn staging(&self) -> PathBuf {
        self.root.join(STAGING)
    }

    fn local_path(&self, key: &str) -> Option<PathBuf> {
        keys::check(key).ok().map(|()| self.root.join(key))
    }

    fn display(&self, key: &str) -> String {
        self.root.join(key).display().to_string()
    }
}
