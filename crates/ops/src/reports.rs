//! Exported reports, by their manifests; and CSV files that have none.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use futures::TryStreamExt;

use super::{Operator, OpsError, OpsErrorKind, OpsResult, ReportName, ReportSummary};
use lakehand_pipeline::{
    export::ReportManifest,
    ports::{ETag, ObjectMeta, ObjectStore, StoreError},
};

mod found;

const PREFIX: &str = "reports/";
const MANIFEST: &str = ".manifest.json";

/// Manifests read before. A manifest does not change under its version.
#[derive(Debug, Default)]
pub(super) struct ReportCache {
    by_key: Mutex<HashMap<String, (ETag, ReportSummary)>>,
}

impl Operator {
    /// Every report, newest first: those whose manifest is there, and CSV files without one.
    pub(super) async fn read_reports(&self) -> OpsResult<Vec<ReportSummary>> {
        let other = self.parts.profile.reports_prefix.as_deref();
        let mut reports = Vec::new();
        for place in [PREFIX].into_iter().chain(other) {
            let found = self.reports_below(place).await.map_err(|error| {
                OpsError::of_store(&format!("could not list the reports below {place}"), &error)
            })?;
            // One place may lie in the other.
            let new =
                |one: &ReportSummary| !reports.iter().any(|own: &ReportSummary| own.key == one.key);
            let mut found: Vec<ReportSummary> = found.into_iter().filter(new).collect();
            for report in &mut found {
                // A name is of one file only.
                if reports.iter().any(|own| own.name == report.name) {
                    report.name = report.key.as_str().into();
                }
            }
            reports.extend(found);
        }
        reports
            .sort_by(|left, right| (right.created, &right.name).cmp(&(left.created, &left.name)));
        Ok(reports)
    }

    async fn reports_below(&self, place: &str) -> Result<Vec<ReportSummary>, StoreError> {
        let store = &self.parts.lake.std;
        let mut listing = store.list(place).await?;
        let (mut told, mut files) = (Vec::new(), Vec::new());
        while let Some(object) = listing.try_next().await? {
            if object.key.ends_with(MANIFEST) {
                told.extend(self.reports.read(store, &object).await?);
            } else {
                files.extend(found::summary(place, &object));
            }
        }
        let keys: HashSet<String> = told.iter().map(|report| report.key.clone()).collect();
        files.retain(|file| !keys.contains(&file.key));
        told.extend(files);
        Ok(told)
    }

    /// The CSV behind a report's name, as a file on this machine.
    pub(super) async fn fetch_report(&self, name: &ReportName) -> OpsResult<PathBuf> {
        let reports = self.read_reports().await?;
        let report = reports
            .iter()
            .find(|report| report.name == *name)
            .ok_or_else(|| {
                OpsError::new(
                    OpsErrorKind::NotFound,
                    format!(
                        "there is no report '{}'",
                        lakehand_pipeline::text::for_terminal(name.as_ref())
                    ),
                    "`lakehand reports list` shows what there is",
                )
            })?;
        let store = &self.parts.lake.std;
        if let Some(path) = store.local_path(&report.key) {
            return Ok(path);
        }
        self.download(store, &report.key, report).await
    }

    async fn download(
        &self,
        store: &Arc<dyn ObjectStore>,
        key: &str,
        report: &ReportSummary,
    ) -> OpsResult<PathBuf> {
        let folder = self.parts.profile.data_dir.join("downloads");
        let path = folder.join(match report.sha256 {
            Some(_) => report.name.to_string(),
            None => found::file_name(key),
        });
        let failed = |why: String| {
            OpsError::new(
                OpsErrorKind::Platform,
                format!("could not download {}: {why}", report.name),
                "check the network and the free disk space",
            )
        };
        let mut bytes = store
            .get_stream(key)
            .await
            .map_err(|error| failed(error.to_string()))?;
        tokio::fs::create_dir_all(&folder)
            .await
            .map_err(|error| failed(error.to_string()))?;
        let part = path.with_extension("part");
        // One that an interrupted download left may be readable by others.
        match tokio::fs::remove_file(&part).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error.to_string()));
            }
            _ => {}
        }
        // What is in a report is its owner's business alone.
        let mut file = tokio::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)
            .await
            .map_err(|error| failed(error.to_string()))?;
        while let Some(piece) = bytes
            .try_next()
            .await
            .map_err(|error| failed(error.to_string()))?
        {
            tokio::io::AsyncWriteExt::write_all(&mut file, &piece)
                .await
                .map_err(|error| failed(error.to_string()))?;
        }
        file.sync_all()
            .await
            .map_err(|error| failed(error.to_string()))?;
        tokio::fs::rename(&part, &path)
            .await
            .map_err(|error| failed(error.to_string()))?;
        Ok(path)
    }
}

impl ReportCache {
    /// The report of a manifest; `None` for one that cannot be read, which must not hide the others.
    async fn read(
        &self,
        store: &Arc<dyn ObjectStore>,
        object: &ObjectMeta,
    ) -> Result<Option<ReportSummary>, StoreError> {
        let known = self
            .by_key
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&object.key)
            .cloned();
        if let Some((etag, report)) = known
            && etag == object.etag
        {
            return Ok(Some(report));
        }
        let bytes = match store.get(&object.key).await {
            Ok((bytes, _)) => bytes,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(report) = summary(object, &bytes) else {
            tracing::warn!(key = %object.key, "a report's manifest cannot be read");
            return Ok(None);
        };
        let mut known = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(object.key.clone(), (object.etag.clone(), report.clone()));
        Ok(Some(report))
    }
}

/// What a list shows of `reports/<report>/<name>.manifest.json`. The name comes from the key: it is what
/// the file beside it is really called.
fn summary(object: &ObjectMeta, bytes: &[u8]) -> Option<ReportSummary> {
    let manifest: ReportManifest = serde_json::from_slice(bytes).ok()?;
    let (report, file) = object.key.strip_prefix(PREFIX)?.rsplit_once('/')?;
    Some(ReportSummary {
        name: format!("{}.csv", file.strip_suffix(MANIFEST)?).into(),
        report: report.to_owned(),
        window: Some(manifest.window),
        rows: Some(manifest.rows),
        bytes: manifest.bytes,
        created: manifest.created_at.parse().unwrap_or(object.modified),
        execution: Some(manifest.execution),
        sha256: Some(manifest.sha256),
        key: format!("{}.csv", object.key.strip_suffix(MANIFEST)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_becomes_a_line_of_the_list() {
        let object = ObjectMeta {
            key: "reports/sub5/sub5-20260131-0900.manifest.json".to_owned(),
            size: 1,
            modified: "2026-01-31T09:00:05Z".parse().unwrap(),
            etag: ETag("1".to_owned()),
        };
        let manifest = serde_json::json!({
            "report": "sub5", "name": "sub5-20260131-0900.csv", "key": "reports/sub5/sub5-20260131-0900.csv", "rows": 12, "columns": ["a"],
            "bytes": 345, "sha256": "ab", "window": { "from": "2026-01-24", "to": "2026-01-31" }, "time_zone": "UTC",
            "execution": "daily-report:x", "created_at": "2026-01-31T09:00:04Z", "sums": {},
        });
        let report = summary(&object, manifest.to_string().as_bytes()).unwrap();
        assert_eq!(report.name, "sub5-20260131-0900.csv".into());
        assert_eq!(
            (report.report.as_str(), report.rows, report.bytes),
            ("sub5", Some(12), 345)
        );
        assert_eq!(report.created.to_string(), "2026-01-31T09:00:04Z");
        assert_eq!(report.execution.as_deref(), Some("daily-report:x"));
        assert!(summary(&object, b"{}").is_none());
    }
}
