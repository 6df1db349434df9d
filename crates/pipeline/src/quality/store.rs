//! Where reports of checks are kept: `_state/quality/<table>/<execution>.json`.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use futures::TryStreamExt;

use super::QualityReport;
use crate::jobs::{ErrorType, JobError};
use crate::ports::{ObjectStore, PutCondition, StoreError};
use crate::state::{STATE_PREFIX, StateError};

/// Reports of a table that are kept: two builds a day for weeks.
const KEPT: usize = 100;

fn prefix(table: &str) -> String {
    format!("{STATE_PREFIX}quality/{table}/")
}

/// Key of the report of a table by an execution; whatever cannot stand in a file's name becomes `_`.
#[must_use]
pub fn report_key(table: &str, execution: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = execution
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    // Names are at most 255 bytes long on common file systems; the end tells executions apart.
    let start = name.len().saturating_sub(200);
    format!("{}{}.json", prefix(table), &name[start..])
}

pub(super) async fn store(
    store: &Arc<dyn ObjectStore>,
    report: &QualityReport,
) -> Result<(), JobError> {
    let failed = |error_type: ErrorType, why: &dyn fmt::Display| {
        let what = format!("could not keep the checks of {}: {why}", report.table);
        JobError::new(error_type, what)
    };
    let refused = |error: StoreError| failed(ErrorType::from(&error), &error);
    let bytes = serde_json::to_vec_pretty(report)
        .map_err(|error| failed(ErrorType::StorageError, &error))?;
    let key = report_key(&report.table, &report.execution);
    let written = store.put(&key, bytes.into(), PutCondition::Always).await;
    written.map_err(refused)?;
    let tidied = forget_old(store, &report.table).await;
    tidied.map_err(refused)
}

/// Deletes the oldest reports of a table beyond [`KEPT`].
async fn forget_old(store: &Arc<dyn ObjectStore>, table: &str) -> Result<(), StoreError> {
    let listing = store.list(&prefix(table)).await?;
    let mut all: Vec<_> = listing
        .map_ok(|object| (object.modified, object.key))
        .try_collect()
        .await?;
    all.sort();
    let too_many = all.len().saturating_sub(KEPT);
    for (_, key) in all.into_iter().take(too_many) {
        store.delete(&key).await?;
    }
    Ok(())
}

/// What the checks of a table found in an execution.
///
/// # Errors
/// When the store fails, or the object is no report.
pub async fn stored_report(
    store: &Arc<dyn ObjectStore>,
    table: &str,
    execution: &str,
) -> Result<Option<QualityReport>, StateError> {
    read(store, &report_key(table, execution)).await
}

/// What is kept of every table, as a number that changes with every report that comes or goes; from one listing.
///
/// # Errors
/// When the store fails.
pub async fn report_versions(
    store: &Arc<dyn ObjectStore>,
) -> Result<BTreeMap<String, u64>, StoreError> {
    let all = format!("{STATE_PREFIX}quality/");
    let mut listing = store.list(&all).await?;
    let mut hashers: BTreeMap<String, DefaultHasher> = BTreeMap::new();
    while let Some(object) = listing.try_next().await? {
        let rest = object.key.strip_prefix(&all);
        if let Some((table, name)) = rest.and_then(|rest| rest.split_once('/')) {
            let hasher = hashers.entry(table.to_owned()).or_default();
            (name, object.modified, &object.etag).hash(hasher);
        }
    }
    let versions = hashers.into_iter();
    Ok(versions
        .map(|(table, hasher)| (table, hasher.finish()))
        .collect())
}

/// The newest report of a table.
///
/// # Errors
/// When the store fails, or the object is no report.
pub async fn newest_report(
    store: &Arc<dyn ObjectStore>,
    table: &str,
) -> Result<Option<QualityReport>, StateError> {
    let mut listing = store.list(&prefix(table)).await?;
    let mut keys = Vec::new();
    while let Some(object) = listing.try_next().await? {
        keys.push((object.modified, object.key));
    }
    keys.sort_unstable_by(|left, right| right.cmp(left));
    let mut newest: Option<QualityReport> = None;
    for (_, key) in keys.into_iter().take(KEPT) {
        let Some(report) = read(store, &key).await? else {
            continue;
        };
        let current = is_of_its_day(&report);
        let days = |report: &QualityReport| (report.window.to(), report.checked_at);
        if newest
            .as_ref()
            .is_none_or(|newest| days(newest) < days(&report))
        {
            newest = Some(report);
        }
        if current {
            break;
        }
    }
    Ok(newest)
}

/// Whether a table was checked up to the day of the check, or to the one before; the day may differ by the time zone.
fn is_of_its_day(report: &QualityReport) -> bool {
    let checked = report.checked_at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let day_before = checked.yesterday().unwrap_or(checked);
    report.window.to() >= day_before
}

async fn read(
    store: &Arc<dyn ObjectStore>,
    key: &str,
) -> Result<Option<QualityReport>, StateError> {
    let bytes = match store.get(key).await {
        Ok((bytes, _)) => bytes,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let report = serde_json::from_slice(&bytes).map_err(|error| StateError::Damaged {
        key: key.to_owned(),
        why: error.to_string(),
    });
    report.map(Some)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::civil::date;

    use super::{KEPT, newest_report, report_key, store, stored_report};
    use crate::ports::{ObjectStore, memory::MemoryStore};
    use crate::quality::QualityReport;
    use crate::window::Window;

    #[tokio::test]
    async fn a_table_keeps_its_newest_reports() {
        let lake: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new().unwrap());
        let day = date(2026, 1, 31);
        for number in 0..KEPT + 3 {
            let report = QualityReport {
                table: "t".to_owned(),
                execution: format!("run-{number:03}"),
                window: Window::new(day, day).unwrap(),
                checked_at: "2026-01-31T08:05:00Z".parse().unwrap(),
                checks: Vec::new(),
            };
            store(&lake, &report).await.unwrap();
        }
        let forgotten = stored_report(&lake, "t", "run-002").await.unwrap();
        assert_eq!(forgotten, None);
        let oldest = stored_report(&lake, "t", "run-003").await.unwrap();
        assert!(oldest.is_some());
        let newest = newest_report(&lake, "t").await.unwrap().unwrap();
        assert_eq!(newest.execution, format!("run-{}", KEPT + 2));
    }

    #[tokio::test]
    async fn checks_of_days_gone_by_do_not_replace_those_of_today() {
        let lake: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new().unwrap());
        let keep = async |execution: &str, from, to, at: &str| {
            let report = QualityReport {
                table: "t".to_owned(),
                execution: execution.to_owned(),
                window: Window::new(from, to).unwrap(),
                checked_at: at.parse().unwrap(),
                checks: Vec::new(),
            };
            store(&lake, &report).await.unwrap();
            newest_report(&lake, "t").await.unwrap().unwrap().execution
        };
        let old = date(2026, 1, 5);
        // The only checks there are.
        assert_eq!(keep("old", old, old, "2026-01-30T08:00:00Z").await, "old");
        let (from, to) = (date(2026, 1, 24), date(2026, 1, 31));
        assert_eq!(keep("day", from, to, "2026-01-31T08:00:00Z").await, "day");
        assert_eq!(keep("old-2", old, old, "2026-01-31T09:00:00Z").await, "day");
        assert_eq!(
            keep("day-2", from, to, "2026-01-31T10:00:00Z").await,
            "day-2"
        );
    }

    #[test]
    fn an_execution_is_a_plain_name() {
        assert_eq!(
            report_key("t", "daily-report:2026-01-31T09/..\u{1b}ü"),
            "_state/quality/t/daily-report_2026-01-31T09_..__.json"
        );
        assert!(report_key("t", &"x".repeat(900)).len() < 255);
    }
}
