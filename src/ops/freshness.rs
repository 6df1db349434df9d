//! How fresh every stream is, read from the small state objects and the folders of silver.

use std::sync::Arc;

use futures::TryStreamExt;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    Freshness, OpsError, OpsErrorKind, OpsResult, Part, Unread, sources::PROMISED,
    unread::is_about_a_part,
};
use crate::config::Profile;
use crate::pipeline::{
    dataset::{Stream, streams},
    ports::{Lake, ObjectStore, StoreError},
    state::{STATE_PREFIX, StateError, UnitRecord, UnitStatus, Watermark},
    text::moment,
    window::parse_date,
};

/// Every stream of the profile that can be read, dimensions first; then those that cannot, or all as one.
///
/// # Errors
/// When nobody is signed in.
pub async fn readable(
    profile: &Profile,
    lake: &Lake,
    now: Timestamp,
) -> OpsResult<(Vec<Freshness>, Vec<Unread>)> {
    let zone = &profile.time_zone;
    let streams = streams(profile);
    let read = streams.iter().map(|stream| one(lake, *stream, zone, now));
    let (mut fresh, mut unread) = (Vec::new(), Vec::new());
    let mut refused = None;
    for (stream, answer) in streams.iter().zip(futures::future::join_all(read).await) {
        match answer {
            Ok(stream) => fresh.push(stream),
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

async fn one(lake: &Lake, stream: Stream, zone: &TimeZone, now: Timestamp) -> OpsResult<Freshness> {
    let watermark = Watermark::load(&lake.std, stream)
        .await
        .map_err(|error| match error {
            StateError::Store(error) => unreadable(stream, &error),
            other => OpsError::new(
                OpsErrorKind::Platform,
                format!("could not read how fresh {stream} is: {other}"),
                "collect the stream once more; its state is written anew",
            ),
        })?;
    let collected = newest_unit(&lake.std, "collect", stream).await?;
    let normalised = newest_unit(&lake.std, "normalise", stream).await?;
    let done = collected
        .as_ref()
        .filter(|unit| unit.status == UnitStatus::Done);
    let at = [
        watermark.map(|watermark| watermark.moved_at),
        done.and_then(|unit| unit.ended_at),
    ]
    .into_iter()
    .flatten()
    .max();
    let note = [collected.as_ref(), normalised.as_ref()]
        .into_iter()
        .flatten()
        .find_map(|unit| note_of(unit, zone, now));
    Ok(Freshness {
        stream: stream.name(),
        collected: at,
        newest_day: if stream.by_event_day() {
            newest_day(&lake.std, stream).await?
        } else {
            None
        },
        rows: done.map(|unit| unit.rows),
        late: at.is_some_and(|at| now.duration_since(at) > PROMISED),
        parked_until: collected
            .as_ref()
            .and_then(|unit| unit.status.parked_at(now)),
        note,
    })
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

/// The record that was written last; only that one is read.
async fn newest_unit(
    store: &Arc<dyn ObjectStore>,
    stage: &str,
    stream: Stream,
) -> OpsResult<Option<UnitRecord>> {
    let prefix = format!("{STATE_PREFIX}units/{stage}/{stream}/");
    let read = async {
        let mut listing = store.list(&prefix).await?;
        let mut newest: Option<(Timestamp, String)> = None;
        while let Some(object) = listing.try_next().await? {
            let this = (object.modified, object.key);
            if newest.as_ref().is_none_or(|newest| *newest < this) {
                newest = Some(this);
            }
        }
        match newest {
            Some((_, key)) => store.get(&key).await.map(|(bytes, _)| Some(bytes)),
            None => Ok(None),
        }
    };
    let bytes = read
        .await
        .map_err(|error: StoreError| unreadable(stream, &error))?;
    bytes
        .map(|bytes| {
            serde_json::from_slice(&bytes).map_err(|error| {
                OpsError::new(
                    OpsErrorKind::Platform,
                    format!("could not read how fresh {stream} is: its state is no JSON: {error}"),
                    "collect the stream once more; its state is written anew",
                )
            })
        })
        .transpose()
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

fn unreadable(stream: Stream, error: &StoreError) -> OpsError {
    OpsError::of_store(&format!("could not read how fresh {stream} is"), error)
}
