//! How fresh every stream is, read from the small state objects and the folders of silver.

use std::sync::Arc;

use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

mod known;

pub use known::Known;

use super::{
    Freshness, OpsError, OpsErrorKind, OpsResult, Part, Unread, sources::PROMISED,
    unread::is_about_a_part,
};
use lakehand_config::Profile;
use lakehand_pipeline::{
    dataset::Stream,
    ports::{Lake, ObjectStore, StoreError},
    state::{STATE_PREFIX, StateError, UnitRecord, UnitStatus, Watermark},
    text::moment,
    window::parse_date,
};

/// Every stream of the profile that can be read, dimensions first; then those that cannot, or all as one. What is known
/// serves for what did not change since, for at most `at_most` without a look at the lake itself.
///
/// # Errors
/// When nobody is signed in.
pub async fn readable(
    profile: &Profile,
    lake: &Lake,
    known: &Known,
    at_most: SignedDuration,
    now: Timestamp,
) -> OpsResult<(Vec<Freshness>, Vec<Unread>)> {
    let zone = &profile.time_zone;
    let streams = profile.streams();
    let read = known.read(lake, &streams, zone, at_most, now).await;
    let (mut fresh, mut unread) = (Vec::new(), Vec::new());
    let mut refused = None;
    for (stream, answer) in streams.iter().zip(read) {
        match answer {
            Ok(read) => fresh.push(judged(*stream, &read, zone, now)),
            Err(error) if is_about_a_part(&error) => {
                unread.push(Unread::new(Part::Stream(stream.name()), &error));
                refused = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    if let Some(error) = refused.filter(|_| fresh.is_empty()) {
        unread = vec![Unread::new(Part::Freshness, &error)];
    }
    Ok((fresh, unread))
}

/// What the lake has of a stream.
#[derive(Debug, Clone)]
struct OfStream {
    /// When its watermark moved.
    moved_at: Option<Timestamp>,
    /// The record of collecting that was written last, and those before it up to the first that can be the freshest.
    units: Vec<UnitRecord>,
    /// The newest day in silver.
    newest_day: Option<Date>,
}

/// Reads what the lake has; `newest` is the record written last, where that is known.
async fn of_stream(
    lake: &Lake,
    stream: Stream,
    zone: &TimeZone,
    newest: Option<&UnitRecord>,
) -> OpsResult<OfStream> {
    let watermark = Watermark::load(&lake.std, stream)
        .await
        .map_err(|error| match error {
            StateError::Store(error) => unreadable(stream, &error),
            other => bad_state(stream, &other),
        })?;
    let units = match newest.filter(|unit| is_current(unit, zone)) {
        Some(newest) => vec![newest.clone()],
        None => newest_units(&lake.std, stream, |unit| is_current(unit, zone)).await?,
    };
    Ok(OfStream {
        moved_at: watermark.map(|watermark| watermark.moved_at),
        units,
        newest_day: if stream.by_event_day() {
            newest_day(&lake.std, stream).await?
        } else {
            None
        },
    })
}

fn judged(stream: Stream, read: &OfStream, zone: &TimeZone, now: Timestamp) -> Freshness {
    let collected = read.units.first();
    let done = read
        .units
        .iter()
        .filter_map(|unit| Some((fresh_at(unit, zone)?, unit)))
        .max_by_key(|(at, _)| *at);
    let at = read.moved_at.max(done.map(|(at, _)| at));
    Freshness {
        stream: stream.name(),
        collected: at,
        newest_day: read.newest_day,
        rows: done.map(|(_, unit)| unit.rows),
        late: at.is_some_and(|at| now.duration_since(at) > PROMISED),
        parked_until: collected.and_then(|unit| unit.status.parked_at(now)),
        note: collected.and_then(|unit| note_of(unit, zone, now)),
        is_deployed: true,
    }
}

/// What an operator should know of a unit that is not simply done.
fn note_of(unit: &UnitRecord, zone: &TimeZone, now: Timestamp) -> Option<String> {
    match &unit.status {
        UnitStatus::Done | UnitStatus::Planned | UnitStatus::Running => None,
        UnitStatus::Waiting { why } => Some(format!("{} waits: {why}", unit.stage)),
        UnitStatus::Failed {
            error_type,
            message,
        } => Some(format!("{} failed: {error_type}: {message}", unit.stage)),
        UnitStatus::Parked { until, why } => {
            let at = moment(*until, now, zone);
            Some(match unit.status.parked_at(now) {
                Some(_) => format!("parked until {at}: {why}"),
                None => format!(
                    "was parked until {at}; the next collection reads what is missing ({why})"
                ),
            })
        }
        UnitStatus::Cancelled => Some(format!("{} was stopped", unit.stage)),
    }
}

/// Up to when a stream's data were complete once a collection had ended: then, or at the end of its last day where that
/// was before. Days gone by, collected today, make nothing fresh. `None` of one that is not done.
fn fresh_at(unit: &UnitRecord, zone: &TimeZone) -> Option<Timestamp> {
    let ended = unit.ended_at.filter(|_| unit.status == UnitStatus::Done)?;
    let Some(window) = unit.window else {
        return Some(ended);
    };
    let day_after = window.to().tomorrow().ok()?.to_zoned(zone.clone()).ok()?;
    Some(ended.min(day_after.timestamp()))
}

/// Whether a collection is done and went up to the day on which it ended: none before it can be fresher.
fn is_current(unit: &UnitRecord, zone: &TimeZone) -> bool {
    let fresh = fresh_at(unit, zone);
    fresh.is_some() && fresh == unit.ended_at
}

/// Records looked through for one that is current: a backfill of half a year a day at a time is behind these.
const RECORDS: usize = 400;

/// The record that was written last, and those before it up to the first that is `enough`: one is read as a rule.
async fn newest_units(
    store: &Arc<dyn ObjectStore>,
    stream: Stream,
    enough: impl Fn(&UnitRecord) -> bool,
) -> OpsResult<Vec<UnitRecord>> {
    let prefix = format!("{STATE_PREFIX}units/collect/{stream}/");
    let read = async {
        let mut listing = store.list(&prefix).await?;
        let mut keys: Vec<(Timestamp, String)> = Vec::new();
        while let Some(object) = listing.try_next().await? {
            keys.push((object.modified, object.key));
        }
        keys.sort_unstable_by(|left, right| right.cmp(left));
        Ok(keys)
    };
    let keys = read
        .await
        .map_err(|error: StoreError| unreadable(stream, &error))?;
    let mut units = Vec::new();
    for (_, key) in keys.into_iter().take(RECORDS) {
        let (bytes, _) = store
            .get(&key)
            .await
            .map_err(|error| unreadable(stream, &error))?;
        let unit: UnitRecord =
            serde_json::from_slice(&bytes).map_err(|error| bad_state(stream, &error))?;
        let last = enough(&unit);
        units.push(unit);
        if last {
            break;
        }
    }
    Ok(units)
}

/// The newest day that has a folder in silver.
async fn newest_day(store: &Arc<dyn ObjectStore>, stream: Stream) -> OpsResult<Option<Date>> {
    let prefix = format!("{}/date=", stream.silver().prefix());
    let read = async {
        let mut listing = store.list(&prefix).await?;
        let mut newest = None;
        while let Some(object) = listing.try_next().await? {
            let day = object
                .key
                .strip_prefix(&prefix)
                .and_then(|rest| rest.split('/').next())
                .and_then(|day| parse_date(day).ok());
            newest = newest.max(day);
        }
        Ok(newest)
    };
    read.await
        .map_err(|error: StoreError| unreadable(stream, &error))
}

fn bad_state(stream: Stream, error: &dyn std::fmt::Display) -> OpsError {
    OpsError::new(
        OpsErrorKind::Platform,
        format!("could not read how fresh {stream} is: its state is broken: {error}"),
        "collect the stream once more; its state is written anew",
    )
}

fn unreadable(stream: Stream, error: &StoreError) -> OpsError {
    OpsError::of_store(&format!("could not read how fresh {stream} is"), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(days: Option<(&str, &str)>, ended: &str) -> UnitRecord {
        let window = days.map(|(from, to)| serde_json::json!({ "from": from, "to": to }));
        serde_json::from_value(serde_json::json!({
            "stage": "collect", "dataset": "affise.clicks", "id": ended, "window": window, "execution": "x",
            "status": { "state": "done" }, "attempt": 1, "cursor": null, "calls": 1, "rows": 7, "bytes": 1,
            "hashes": {}, "planned_at": ended, "started_at": ended, "heartbeat_at": ended, "ended_at": ended,
        }))
        .unwrap()
    }

    #[test]
    fn days_gone_by_make_nothing_fresh() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let fresh = |unit: &UnitRecord| fresh_at(unit, &zone).unwrap().to_string();
        // Up to its own day: as of its end.
        let today = unit(Some(("2026-01-24", "2026-01-31")), "2026-01-31T08:00:00Z");
        assert_eq!(fresh(&today), "2026-01-31T08:00:00Z");
        assert!(is_current(&today, &zone));
        // One old day, collected today: as of the end of that day in Berlin, which is an hour before UTC's.
        let old = unit(Some(("2026-01-05", "2026-01-05")), "2026-01-31T09:00:00Z");
        assert_eq!(fresh(&old), "2026-01-05T23:00:00Z");
        assert!(!is_current(&old, &zone));
        // In Berlin it is the 31st since half an hour, so the 30th is a day gone by; in UTC it is today.
        let late = unit(Some(("2026-01-30", "2026-01-30")), "2026-01-30T23:30:00Z");
        assert_eq!(fresh(&late), "2026-01-30T23:00:00Z");
        assert!(is_current(&late, &TimeZone::UTC));
        // A snapshot has no days.
        let snapshot = unit(None, "2026-01-31T09:00:00Z");
        assert!(is_current(&snapshot, &zone));
        let failed = UnitRecord {
            status: UnitStatus::Cancelled,
            ..today
        };
        assert_eq!(fresh_at(&failed, &zone), None);
    }
}
