//! What is particular about reports of Google Analytics: a contract kept beside the data, days that are
//! replaced as a whole, and a table of what Google said of each day.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use jiff::tz::TimeZone;
use serde_json::Value;

use super::{
    contract::report::{Contract, ReportFields, StoredContract, part_column},
    part::Layout,
    plan::Plan,
    publish::Partition,
    replace::Speakers,
    segment::{SegmentDecoder, epoch_days},
    stage::Stage,
};
use crate::{
    collect::Manifest,
    dataset::{SilverTable, Stream},
    jobs::{ErrorType, JobContext, JobError},
    ports::{PutCondition, StoreError},
    sources::google::days::DayReading,
};
use lakehand_config::Profile;

/// How often a contract is changed anew when somebody else changed it in the meantime.
const TRIES: usize = 16;
/// Bytes of day readings held in memory; there are a few hundred a collection.
const STAGE_BYTES: usize = 64 << 20;

/// How the partitions of a run are written: merged by key, or replaced.
#[derive(Debug, Clone, Default)]
pub(super) struct Replacement {
    /// The column by which a day is replaced.
    pub part: &'static str,
    /// Who speaks for the days that manifests name, by days since 1970.
    pub days: BTreeMap<i32, Speakers>,
    /// What Google said of the days.
    pub readings: Vec<DayReading>,
}

impl Replacement {
    /// The replacement that the manifests of a stream ask for; `None` for streams that are merged by key.
    pub(super) fn of(stream: Stream, manifests: &[Manifest]) -> Option<Self> {
        let part = part_column(stream.silver())?;
        let mut replacement = Self {
            part,
            ..Self::default()
        };
        for manifest in manifests {
            let load = (
                manifest.received_at.as_microsecond(),
                manifest.collection.clone(),
            );
            let days = manifest.request["days"].clone();
            let readings: Vec<DayReading> = serde_json::from_value(days).unwrap_or_default();
            for reading in readings {
                let day = replacement
                    .days
                    .entry(epoch_days(reading.date))
                    .or_default();
                let known = day
                    .entry(reading.property.clone())
                    .or_insert_with(|| load.clone());
                if *known < load {
                    known.clone_from(&load);
                }
                replacement.readings.push(reading);
            }
        }
        Some(replacement)
    }
}

/// The contract that a run decodes by, and what changed in it.
///
/// # Errors
/// `StorageError` when a report's contract cannot be read or written.
pub(super) async fn contract_of(
    ctx: &JobContext,
    stream: Stream,
    manifests: &[Manifest],
) -> Result<(Contract, Vec<String>), JobError> {
    let table = stream.silver();
    if part_column(table).is_none() {
        return Ok((Contract::fixed(table), Vec::new()));
    }
    let key = StoredContract::key(table);
    for _ in 0..TRIES {
        let (mut stored, condition) = match ctx.lake.std.get(&key).await {
            Ok((bytes, etag)) => {
                let stored =
                    serde_json::from_slice(&bytes).map_err(|error| damaged(&key, &error))?;
                (stored, PutCondition::IfMatch(etag))
            }
            Err(StoreError::NotFound { .. }) => {
                (StoredContract::new(table), PutCondition::IfAbsent)
            }
            Err(error) => return Err(error.into()),
        };
        let mut changes = Vec::new();
        for fields in manifests
            .iter()
            .map(|manifest| fields_of(&manifest.request))
        {
            changes.extend(stored.take(&fields));
        }
        if manifests.is_empty() {
            changes.extend(stored.take(&configured(&ctx.profile, stream)));
        }
        if changes.is_empty() {
            return Ok((stored.contract(table), changes));
        }
        let bytes = serde_json::to_vec_pretty(&stored).map_err(|error| damaged(&key, &error))?;
        match ctx.lake.std.put(&key, bytes.into(), condition).await {
            Ok(_) => return Ok((stored.contract(table), changes)),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let message = format!("{key} is being changed by others all the time; repeat the step");
    Err(JobError::new(ErrorType::LeaseHeld, message))
}

fn damaged(key: &str, why: &dyn std::fmt::Display) -> JobError {
    JobError::new(
        ErrorType::StorageError,
        format!(
            "the contract {key} cannot be read: {why}; delete it and normalise the report's collections again"
        ),
    )
}

/// The fields a collection was of.
fn fields_of(request: &Value) -> ReportFields {
    let names = |list: &str| -> Vec<String> {
        let items = request[list].as_array().into_iter().flatten();
        items
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect()
    };
    let metrics = names("metrics").into_iter().map(|name| {
        let kind = request["metric_types"][&name].as_str().unwrap_or("");
        let kind = kind.to_owned();
        (name, kind)
    });
    ReportFields {
        dimensions: names("dimensions"),
        metrics: metrics.collect(),
    }
}

/// The fields of a report as configured: for rows that come without a manifest.
fn configured(profile: &Profile, stream: Stream) -> ReportFields {
    let untyped = |names: &[String]| {
        names
            .iter()
            .map(|name| (name.clone(), String::new()))
            .collect()
    };
    let ga4 = profile.ga4.iter().flat_map(|ga4| &ga4.reports);
    let ga3 = profile.ga3.iter().flat_map(|ga3| &ga3.reports);
    match stream {
        Stream::Ga4(name) => ga4
            .into_iter()
            .find(|report| report.name == name)
            .map(|report| ReportFields {
                dimensions: report.dimensions.clone(),
                metrics: untyped(&report.metrics),
            })
            .unwrap_or_default(),
        Stream::Ga3(name) => ga3
            .into_iter()
            .find(|report| report.name == name)
            .map(|report| ReportFields {
                dimensions: crate::sources::ga3::dimensions(report),
                metrics: untyped(&report.metrics),
            })
            .unwrap_or_default(),
        _ => ReportFields::default(),
    }
}

/// Brings what Google said of days into `ga_day_quality`.
///
/// # Errors
/// A storage error.
pub(super) async fn record_days(
    ctx: &JobContext,
    readings: &[DayReading],
    collection: &str,
    folder: &Path,
) -> Result<(), JobError> {
    if readings.is_empty() {
        return Ok(());
    }
    let contract = Contract::fixed(SilverTable::GaDayQuality);
    let layout = Arc::new(Layout::of(&contract));
    let plan = Plan::new(contract.columns, None, false);
    let mut decoder = SegmentDecoder::new(&plan, contract.schema(), TimeZone::UTC);
    let now = ctx.clock.now().as_microsecond();
    let decoded = decoder.decode(&lines(readings), None, now, collection)?;
    if let Some(aside) = decoded.set_aside.first() {
        let message = format!(
            "a day's quality could not be typed: {}; report this as a defect",
            aside.reason
        );
        return Err(JobError::new(ErrorType::DataContractError, message));
    }
    let mut stage = Stage::new(folder, STAGE_BYTES);
    let mut spills = Vec::new();
    for (day, batch) in decoded.batches {
        stage.add(day, batch, &mut spills);
    }
    for spill in spills {
        spill.write(&layout)?;
    }
    for (day, rows) in stage.into_days() {
        let work = Partition {
            table: contract.table,
            day,
            layout: Arc::clone(&layout),
            rows: Arc::new(rows),
            speakers: None,
            folder: folder.to_owned(),
        };
        work.replace(ctx).await?;
    }
    Ok(())
}

fn lines(readings: &[DayReading]) -> Vec<u8> {
    let mut text = Vec::new();
    for reading in readings {
        let Ok(Value::Object(mut row)) = serde_json::to_value(reading) else {
            continue;
        };
        let id = format!(
            "{}/{}/{}/{}",
            reading.source, reading.report, reading.property, reading.date
        );
        row.insert("id".to_owned(), Value::String(id));
        row.insert(
            "is_provisional".to_owned(),
            Value::Bool(!reading.provisional.is_empty()),
        );
        text.extend_from_slice(Value::Object(row).to_string().as_bytes());
        text.push(b'\n');
    }
    text
}
