//! A finished file on its way into a bucket: in one piece, or above 16 MB in parts.
//!
//! Parts are read from the disk as they are sent, a few at a time, so memory does not grow with the file. Nothing is
//! visible before the last call, which also carries the condition; an upload that fails is aborted, so that its
//! parts are not paid for.

use std::path::{Path, PathBuf};

use aws_sdk_s3::{
    primitives::{ByteStream as Body, Length},
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart},
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{Mark, S3Store, headers, said, without_total_limit};
use crate::call::Api;
use lakehand_pipeline::ports::{ETag, ObjectStore, PutCondition, StoreError};

const CREATE: Api = Api::free("s3", "CreateMultipartUpload");
const PART: Api = Api::free("s3", "UploadPart");
const COMPLETE: Api = Api::free("s3", "CompleteMultipartUpload");
const ABORT: Api = Api::free("s3", "AbortMultipartUpload");

/// Bytes up to which a file goes in one piece, and bytes of a part.
const PART_BYTES: u64 = 16 * 1024 * 1024;
/// Parts S3 allows an object.
const MOST_PARTS: u64 = 10_000;
/// Parts under way at once.
const AT_ONCE: usize = 4;

/// A file that is removed however its upload ends.
struct Consumed(PathBuf);

impl Drop for Consumed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Uploads a file and removes it.
pub(super) async fn file(
    store: &S3Store,
    key: &str,
    file: PathBuf,
    condition: &PutCondition,
) -> Result<ETag, StoreError> {
    let file = Consumed(file);
    let meta = tokio::fs::metadata(&file.0).await;
    let bytes = meta.map_err(|error| unreadable(&file.0, &error))?.len();
    if bytes <= PART_BYTES {
        let body = Body::from_path(&file.0).await;
        let body = body.map_err(|error| unreadable(&file.0, &error))?;
        let limits = without_total_limit();
        return store.put_body(key, body, condition, limits).await;
    }
    let upload = Upload::begin(store, key, condition).await?;
    let sent = async {
        let parts = upload.send(&file.0, bytes).await?;
        upload.complete(parts).await
    };
    match sent.await {
        Ok(etag) => Ok(etag),
        Err(error) => {
            upload.abort().await;
            Err(error)
        }
    }
}

fn unreadable(file: &Path, error: &(dyn std::error::Error + 'static)) -> StoreError {
    StoreError::Failed {
        action: "read",
        key: file.display().to_string(),
        why: said(error),
        advice: "check the folder for temporary files, then repeat the step",
        transient: false,
    }
}

/// An upload in parts.
struct Upload<'a> {
    store: &'a S3Store,
    key: &'a str,
    condition: &'a PutCondition,
    id: String,
    mark: Mark,
    /// `s3://bucket/key`.
    name: String,
}

impl<'a> Upload<'a> {
    async fn begin(
        store: &'a S3Store,
        key: &'a str,
        condition: &'a PutCondition,
    ) -> Result<Self, StoreError> {
        let name = store.display(key);
        let request = store.clients.s3.create_multipart_upload();
        let mark = Mark::new();
        let request = request.metadata(Mark::NAME, &mark.0);
        let request = request.bucket(&*store.bucket).key(store.full(key));
        // The SDK sends a checksum with every part. S3 keeps it only where the upload declares its kind here, and
        // refuses a completion that names it otherwise.
        let request = request.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let answer = store.clients.call(CREATE, &name, request.send()).await;
        let answer = answer.map_err(|error| store.not_written(key, condition, &error))?;
        Ok(Self {
            store,
            key,
            condition,
            id: answer.upload_id.unwrap_or_default(),
            mark,
            name,
        })
    }

    async fn send(&self, file: &Path, bytes: u64) -> Result<Vec<CompletedPart>, StoreError> {
        let size = PART_BYTES.max(bytes.div_ceil(MOST_PARTS));
        let parts = (0..bytes.div_ceil(size)).map(|index| {
            let offset = index * size;
            self.part(file, index, offset, size.min(bytes - offset))
        });
        stream::iter(parts).buffered(AT_ONCE).try_collect().await
    }

    async fn part(
        &self,
        file: &Path,
        index: u64,
        offset: u64,
        length: u64,
    ) -> Result<CompletedPart, StoreError> {
        let body = Body::read_from()
            .path(file)
            .offset(offset)
            .length(Length::Exact(length));
        let body = body
            .build()
            .await
            .map_err(|error| unreadable(file, &error))?;
        let number = i32::try_from(index + 1).unwrap_or(i32::MAX);
        let request = self
            .store
            .clients
            .s3
            .upload_part()
            .bucket(&*self.store.bucket);
        let request = request.key(self.store.full(self.key)).upload_id(&self.id);
        let request = request.part_number(number).body(body);
        let sent = request
            .customize()
            .config_override(without_total_limit())
            .send();
        let answer = self.store.clients.call(PART, &self.name, sent).await;
        let answer = answer.map_err(|error| self.store.failed("write", self.key, &error))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(answer.e_tag)
            .set_checksum_crc32(answer.checksum_crc32)
            .build())
    }

    async fn complete(&self, parts: Vec<CompletedPart>) -> Result<ETag, StoreError> {
        let (if_none_match, if_match) = headers(self.condition);
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let request = self.store.clients.s3.complete_multipart_upload();
        let request = request
            .bucket(&*self.store.bucket)
            .key(self.store.full(self.key));
        let request = request.upload_id(&self.id).multipart_upload(parts);
        let request = request
            .set_if_none_match(if_none_match)
            .set_if_match(if_match);
        // Putting thousands of parts together may take S3 minutes.
        let sent = request
            .customize()
            .config_override(without_total_limit())
            .send();
        let answer = self.store.clients.call(COMPLETE, &self.name, sent).await;
        match answer {
            Ok(answer) => Ok(ETag(answer.e_tag.unwrap_or_default())),
            // An upload that is finished is not known any more.
            Err(error) if error.code == "NoSuchUpload" => {
                let failed = self.store.failed("write", self.key, &error);
                let there = self.store.written(self.key, &self.mark).await;
                there.ok_or(failed)
            }
            Err(error) => {
                let failed = self.store.not_written(self.key, self.condition, &error);
                self.store
                    .unless_written(self.key, &self.mark, failed)
                    .await
            }
        }
    }

    /// Gives the parts back. What cannot be aborted is removed by the bucket's lifecycle rule.
    async fn abort(&self) {
        let request = self.store.clients.s3.abort_multipart_upload();
        let request = request
            .bucket(&*self.store.bucket)
            .key(self.store.full(self.key));
        let sent = request.upload_id(&self.id).send();
        let _ = self.store.clients.call(ABORT, &self.name, sent).await;
    }
}
