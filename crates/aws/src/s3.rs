//! A bucket as the lake's store.
//!
//! What the pipeline relies on is what S3 gives: an object becomes visible as a whole, `If-None-Match` and `If-Match`
//! are decided by one winner, and a listing comes in key order. Large files go up in parts straight from the disk,
//! objects come down in pieces; neither is ever held in memory as a whole. A body that ends early is an error and
//! never a short object.

mod upload;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_s3::{
    config::{Builder as Limits, StalledStreamProtectionConfig, timeout::TimeoutConfig},
    primitives::{ByteStream as Body, DateTime},
    types::Object,
};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tempfile::TempDir;

use super::{
    Clients,
    call::{Api, CallError, CallFailure},
};
use lakehand_host::keys;
use lakehand_pipeline::ports::{
    ByteStream, ETag, MetaStream, ObjectMeta, ObjectStore, PutCondition, StoreError,
};

const GET: Api = Api::free("s3", "GetObject");
const HEAD: Api = Api::free("s3", "HeadObject");
const PUT: Api = Api::free("s3", "PutObject");
const LIST: Api = Api::free("s3", "ListObjectsV2");
const DELETE: Api = Api::free("s3", "DeleteObject");

/// A body that gives nothing for so long is cut off by us.
const STALL: Duration = Duration::from_secs(30);
/// Times a small object is asked for when its body is cut off; the SDK repeats only what fails before the body.
const BODY_TRIES: u32 = 3;

/// Objects of a bucket, or of a prefix in it.
#[derive(Clone)]
pub struct S3Store {
    clients: Clients,
    bucket: Arc<str>,
    /// Ends with a slash, or is empty.
    prefix: Arc<str>,
    staging: Arc<TempDir>,
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Store(s3://{}/{})", self.bucket, self.prefix)
    }
}

impl S3Store {
    /// The objects of `bucket` below `prefix`, which is empty or a key without a slash at its ends. Calls nobody.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when this machine's folder for temporary files cannot be written.
    pub(super) fn open(clients: &Clients, bucket: &str, prefix: &str) -> Result<Self, StoreError> {
        let staging = tempfile::Builder::new().prefix("lakehand-").tempdir();
        let staging = staging.map_err(|error| StoreError::Failed {
            action: "make a folder for temporary files in",
            key: std::env::temp_dir().display().to_string(),
            why: error.to_string(),
            advice: "free some space there, or point TMPDIR to a folder that can be written",
            transient: false,
        })?;
        let prefix = if prefix.is_empty() {
            String::new()
        } else {
            format!("{prefix}/")
        };
        Ok(Self {
            clients: clients.clone(),
            bucket: bucket.into(),
            prefix: prefix.into(),
            staging: Arc::new(staging),
        })
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn failed(&self, action: &'static str, key: &str, error: &CallError) -> StoreError {
        match error.failure {
            CallFailure::NotFound if error.code != "NoSuchBucket" && action == "read" => {
                StoreError::NotFound {
                    key: key.to_owned(),
                }
            }
            CallFailure::Conflict => StoreError::Conflict {
                key: key.to_owned(),
            },
            _ => StoreError::Failed {
                action,
                key: self.display(key),
                why: error.to_string(),
                advice: error.advice(),
                transient: error.is_transient(),
            },
        }
    }

    /// The failure of a write under a condition: that the object to be matched is gone is a conflict, too.
    fn not_written(&self, key: &str, condition: &PutCondition, error: &CallError) -> StoreError {
        let gone = error.failure == CallFailure::NotFound && error.code != "NoSuchBucket";
        if gone && matches!(condition, PutCondition::IfMatch(_)) {
            return StoreError::Conflict {
                key: key.to_owned(),
            };
        }
        self.failed("write", key, error)
    }

    async fn ask(&self, key: &str) -> Result<(ETag, ByteStream), StoreError> {
        keys::check(key)?;
        let asked = object(&self.clients, &self.bucket, &self.full(key)).await;
        asked.map_err(|error| self.failed("read", key, &error))
    }

    async fn page(&self, prefix: &str, token: Option<String>) -> Result<Page, StoreError> {
        let request = self.clients.s3.list_objects_v2().bucket(&*self.bucket);
        let request = request
            .prefix(self.full(prefix))
            .set_continuation_token(token);
        let answer = self
            .clients
            .call(LIST, &self.display(prefix), request.send())
            .await;
        let answer = answer.map_err(|error| self.failed("list", prefix, &error))?;
        let objects = answer.contents.unwrap_or_default();
        let metas = objects
            .into_iter()
            .map(|object| self.meta(object))
            .collect();
        let next = answer
            .next_continuation_token
            .filter(|_| answer.is_truncated == Some(true));
        Ok(Page { metas, next })
    }

    fn meta(&self, object: Object) -> Result<ObjectMeta, StoreError> {
        let key = object.key.unwrap_or_default();
        let key = key.strip_prefix(&*self.prefix).unwrap_or(&key).to_owned();
        let modified = object.last_modified.as_ref().and_then(instant);
        let modified = modified.ok_or_else(|| StoreError::Failed {
            action: "list",
            key: self.display(&key),
            why: "the listing does not say when it was written".to_owned(),
            advice: "list it again",
            transient: true,
        })?;
        Ok(ObjectMeta {
            key,
            size: object
                .size
                .and_then(|size| u64::try_from(size).ok())
                .unwrap_or(0),
            modified,
            etag: ETag(object.e_tag.unwrap_or_default()),
        })
    }
}

/// An object of any bucket: its version and its bytes.
pub(super) async fn object(
    clients: &Clients,
    bucket: &str,
    key: &str,
) -> Result<(ETag, ByteStream), CallError> {
    let name = format!("s3://{bucket}/{key}");
    let request = clients.s3.get_object().bucket(bucket).key(key);
    let answer = clients.call(GET, &name, request.send()).await?;
    let length = answer
        .content_length()
        .and_then(|length| u64::try_from(length).ok());
    let etag = ETag(answer.e_tag().unwrap_or_default().to_owned());
    let reading = Reading {
        name,
        body: answer.body,
        length,
        read: 0,
    };
    Ok((etag, stream::try_unfold(reading, Reading::next).boxed()))
}

struct Page {
    metas: Vec<Result<ObjectMeta, StoreError>>,
    next: Option<String>,
}

/// A body on its way.
struct Reading {
    name: String,
    body: Body,
    length: Option<u64>,
    read: u64,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let piece = tokio::time::timeout(STALL, self.body.next()).await;
        let why = match piece {
            Ok(Some(Ok(piece))) => {
                self.read += piece.len() as u64;
                return Ok(Some((piece, self)));
            }
            Ok(None) if self.length.is_none_or(|length| length == self.read) => return Ok(None),
            Ok(None) => "the connection ended".to_owned(),
            Ok(Some(Err(error))) => said(&error),
            Err(_) => format!("nothing came for {} s", STALL.as_secs()),
        };
        let length = self
            .length
            .map_or_else(String::new, |length| format!(" of {length}"));
        Err(StoreError::Failed {
            action: "read",
            key: self.name,
            why: format!(
                "its body was cut off after {}{length} bytes: {why}",
                self.read
            ),
            advice: "check the network, then repeat the step",
            transient: true,
        })
    }
}

/// An error and what is behind it, in one line.
fn said(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

/// A time of the SDK.
pub(super) fn instant(time: &DateTime) -> Option<Timestamp> {
    let nanos = i32::try_from(time.subsec_nanos()).ok()?;
    Timestamp::new(time.secs(), nanos).ok()
}

/// What an object's metadata tell of the write that made it.
struct Mark(String);

impl Mark {
    const NAME: &str = "lakehand-write";

    fn new() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }
}

/// Calls that carry a file have no limit in all, only one on silence: how long they take is up to the line.
pub(super) fn without_total_limit() -> Limits {
    let limits = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .disable_operation_timeout()
        .disable_operation_attempt_timeout();
    let silence = StalledStreamProtectionConfig::enabled().grace_period(STALL);
    Limits::new()
        .timeout_config(limits.build())
        .stalled_stream_protection(silence.build())
}

/// `If-None-Match` and `If-Match` of a condition.
fn headers(condition: &PutCondition) -> (Option<String>, Option<String>) {
    match condition {
        PutCondition::Always => (None, None),
        PutCondition::IfAbsent => (Some("*".to_owned()), None),
        PutCondition::IfMatch(ETag(etag)) => (None, Some(etag.clone())),
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn get(&self, key: &str) -> Result<(Bytes, ETag), StoreError> {
        let mut tries = 1;
        loop {
            let (etag, pieces) = self.ask(key).await?;
            let whole = pieces.try_fold(BytesMut::new(), async |mut whole, piece| {
                whole.extend_from_slice(&piece);
                Ok(whole)
            });
            match whole.await {
                Ok(whole) => return Ok((whole.freeze(), etag)),
                Err(error) if tries == BODY_TRIES => return Err(error),
                Err(_) => tries += 1,
            }
        }
    }

    async fn get_stream(&self, key: &str) -> Result<ByteStream, StoreError> {
        Ok(self.ask(key).await?.1)
    }

    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<ETag, StoreError> {
        keys::check(key)?;
        // What fits into memory is sent in the time of any other call; so an answer that never comes ends the wait.
        self.put_body(key, bytes.into(), &condition, Limits::new())
            .await
    }

    async fn put_file(
        &self,
        key: &str,
        file: PathBuf,
        condition: PutCondition,
    ) -> Result<ETag, StoreError> {
        keys::check(key)?;
        upload::file(self, key, file, &condition).await
    }

    async fn list(&self, prefix: &str) -> Result<MetaStream, StoreError> {
        keys::check_prefix(prefix)?;
        let (store, prefix) = (self.clone(), prefix.to_owned());
        let first = Some(None);
        let pages = stream::try_unfold(first, move |next: Option<Option<String>>| {
            let (store, prefix) = (store.clone(), prefix.clone());
            async move {
                let Some(token) = next else { return Ok(None) };
                let page = store.page(&prefix, token).await?;
                Ok::<_, StoreError>(Some((stream::iter(page.metas), page.next.map(Some))))
            }
        });
        Ok(pages.try_flatten().boxed())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        keys::check(key)?;
        let request = self
            .clients
            .s3
            .delete_object()
            .bucket(&*self.bucket)
            .key(self.full(key));
        let answer = self
            .clients
            .call(DELETE, &self.display(key), request.send())
            .await;
        match answer {
            Err(error)
                if error.failure == CallFailure::NotFound && error.code != "NoSuchBucket" =>
            {
                Ok(())
            }
            Err(error) => Err(self.failed("delete", key, &error)),
            Ok(_) => Ok(()),
        }
    }

    fn staging(&self) -> PathBuf {
        self.staging.path().to_owned()
    }

    fn local_path(&self, _key: &str) -> Option<PathBuf> {
        None
    }

    fn display(&self, key: &str) -> String {
        format!("s3://{}/{}{key}", self.bucket, self.prefix)
    }
}

impl S3Store {
    async fn put_body(
        &self,
        key: &str,
        body: Body,
        condition: &PutCondition,
        limits: Limits,
    ) -> Result<ETag, StoreError> {
        let (if_none_match, if_match) = headers(condition);
        let request = self
            .clients
            .s3
            .put_object()
            .bucket(&*self.bucket)
            .key(self.full(key));
        let request = request
            .set_if_none_match(if_none_match)
            .set_if_match(if_match);
        let mark = Mark::new();
        let request = match condition {
            PutCondition::Always => request,
            _ => request.metadata(Mark::NAME, &mark.0),
        };
        let sent = request
            .body(body)
            .customize()
            .config_override(limits)
            .send();
        match self.clients.call(PUT, &self.display(key), sent).await {
            Ok(answer) => Ok(ETag(answer.e_tag.unwrap_or_default())),
            Err(error) => {
                let failed = self.not_written(key, condition, &error);
                self.unless_written(key, &mark, failed).await
            }
        }
    }

    /// A write that failed, unless the object is there by this very write: when an answer is lost, the SDK's repetition
    /// meets its own work and is refused for it.
    async fn unless_written(
        &self,
        key: &str,
        mark: &Mark,
        failed: StoreError,
    ) -> Result<ETag, StoreError> {
        let refused = matches!(failed, StoreError::Conflict { .. });
        let there = match refused {
            true => self.written(key, mark).await,
            false => None,
        };
        there.ok_or(failed)
    }

    /// The object's entity tag, if it bears this mark.
    async fn written(&self, key: &str, mark: &Mark) -> Option<ETag> {
        let request = self.clients.s3.head_object();
        let request = request.bucket(&*self.bucket).key(self.full(key));
        let name = self.display(key);
        let answer = self.clients.call(HEAD, &name, request.send()).await.ok()?;
        let own = answer.metadata()?.get(Mark::NAME)? == &mark.0;
        own.then(|| ETag(answer.e_tag.unwrap_or_default()))
    }
}
