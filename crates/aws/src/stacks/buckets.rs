//! Emptying buckets: every version of every object, since CloudFormation deletes no bucket that holds one.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::{CallFailure, CloudFormation, s3};
use lakehand_ops::{OpsError, OpsErrorKind, OpsResult};
use lakehand_pipeline::text::for_terminal;

impl CloudFormation {
    /// Deletes page by page until nothing is left; how many versions and markers there were. A bucket that is not there
    /// has none.
    pub(super) async fn versions_deleted(&self, bucket: &str) -> OpsResult<u64> {
        let mut deleted = 0;
        loop {
            let call = self.clients.s3.list_object_versions().bucket(bucket);
            let page = match self
                .clients
                .call(s3("ListObjectVersions"), bucket, call.send())
                .await
            {
                Ok(page) => page,
                Err(error) if error.failure == CallFailure::NotFound => return Ok(deleted),
                Err(error) => return Err(error.into()),
            };
            let versions = page
                .versions()
                .iter()
                .map(|one| (one.key(), one.version_id()));
            let markers = page
                .delete_markers()
                .iter()
                .map(|one| (one.key(), one.version_id()));
            let objects: Vec<_> = versions
                .chain(markers)
                .filter_map(|(key, version)| {
                    ObjectIdentifier::builder()
                        .key(key?)
                        .set_version_id(version.map(str::to_owned))
                        .build()
                        .ok()
                })
                .collect();
            if objects.is_empty() {
                return Ok(deleted);
            }
            deleted += objects.len() as u64;
            let all = Delete::builder()
                .set_objects(Some(objects))
                .quiet(true)
                .build()
                .map_err(|error| {
                    OpsError::new(OpsErrorKind::Platform, error.to_string(), "report this")
                })?;
            let call = self.clients.s3.delete_objects().bucket(bucket).delete(all);
            let answer = self
                .clients
                .call(s3("DeleteObjects"), bucket, call.send())
                .await?;
            if let Some(error) = answer.errors().first() {
                return Err(OpsError::new(
                    OpsErrorKind::Platform,
                    format!(
                        "could not delete {} of {bucket}: {}",
                        for_terminal(error.key().unwrap_or_default()),
                        for_terminal(error.message().unwrap_or("no reason was given"))
                    ),
                    "the role needs s3:DeleteObject and s3:DeleteObjectVersion on the bucket",
                ));
            }
        }
    }
}
