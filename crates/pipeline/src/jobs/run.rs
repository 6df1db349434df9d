//! The jobs by name. Inputs and outputs are small JSON objects: ids, keys and counts, never rows.

use std::time::Duration;

use jiff::ToSpan;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{ErrorType, JobContext, JobError, Level, scheduled};
use crate::collect::{self, CollectFailure, CollectRequest, CollectSummary};
use crate::dataset::{GoldTable, SilverTable, Stream};
use crate::export;
use crate::gold::datamart;
use crate::normalise::{self, NormaliseRequest};
use crate::quality;
use crate::state::Lease;
use crate::window::Window;

/// Names of all jobs, as a workflow's `FunctionName` ends.
pub const NAMES: [&str; 11] = [
    "collect",
    "normalise",
    "update-dimensions",
    "extract-offer-caps",
    "check-quality",
    "export-report",
    "acquire-lease",
    "release-lease",
    "plan-backfill",
    "plan-datamart",
    "plan-scheduled",
];

/// The streams that are dimensions of the report.
const DIMENSIONS: [Stream; 3] = [
    Stream::AffiseOffers,
    Stream::AffiseAffiliates,
    Stream::AffiseAdvertisers,
];

/// Runs one job.
///
/// # Errors
/// The job's own failure, or [`ErrorType::InvalidInput`] for an unknown name or malformed input.
pub async fn run(name: &str, input: Value, context: &JobContext) -> Result<Value, JobError> {
    match name {
        "collect" => collect_stream(read(name, input)?, context).await,
        "normalise" => normalise_stream(read(name, input)?, context).await,
        "update-dimensions" => update_dimensions(read(name, input)?, context).await,
        "extract-offer-caps" => extract_offer_caps(context).await,
        "check-quality" => check_quality(read(name, input)?, context).await,
        "export-report" => export_report(read(name, input)?, context).await,
        "acquire-lease" => acquire_lease(&read(name, input)?, context).await,
        "release-lease" => release_lease(&read(name, input)?, context).await,
        "plan-backfill" => plan_backfill(&read(name, input)?),
        "plan-datamart" => plan_datamart(context).await,
        "plan-scheduled" => scheduled::plan(&read(name, input)?, &context.profile),
        _ => Err(invalid(format!(
            "there is no job '{name}'; known jobs: {}",
            NAMES.join(", ")
        ))),
    }
}

#[derive(Deserialize)]
struct StreamInput {
    stream: Stream,
    window: Window,
}

#[derive(Deserialize)]
struct NormaliseInput {
    stream: Stream,
    collected: CollectSummary,
}

#[derive(Deserialize)]
struct WindowInput {
    window: Window,
}

#[derive(Deserialize)]
struct QualityInput {
    table: String,
    staging: String,
    window: Window,
}

#[derive(Deserialize)]
struct ExportInput {
    table: String,
    window: Window,
}

#[derive(Deserialize)]
struct LeaseInput {
    lease: String,
    execution: String,
    #[serde(default = "default_lease_seconds")]
    seconds: u64,
}

#[derive(Deserialize)]
struct BackfillInput {
    window: Window,
    chunk_days: i32,
}

fn default_lease_seconds() -> u64 {
    3600
}

fn invalid(message: String) -> JobError {
    JobError::new(ErrorType::InvalidInput, message)
}

fn read<T: DeserializeOwned>(job: &str, input: Value) -> Result<T, JobError> {
    serde_json::from_value(input).map_err(|error| {
        invalid(format!(
            "the input of job {job} is malformed: {error}; compare it with the workflow definition"
        ))
    })
}

fn written(output: &impl Serialize) -> Result<Value, JobError> {
    serde_json::to_value(output)
        .map_err(|error| invalid(format!("the result has no JSON form: {error}")))
}

async fn collect_stream(input: StreamInput, context: &JobContext) -> Result<Value, JobError> {
    let request = CollectRequest {
        stream: input.stream,
        window: input.window,
        passes: <_>::default(),
    };
    match collect::collect(context, &request).await {
        Ok(summary) => written(&summary),
        // A quota that comes back is no failure: the workflow goes on without the stream.
        Err(error) if error.parked_until.is_some() => {
            context.log.line(Level::Warn, &error.message);
            let failure = CollectFailure::whole(&error);
            Ok(json!({ "stream": input.stream, "failure": failure }))
        }
        Err(error) => Err(error),
    }
}

async fn normalise_stream(input: NormaliseInput, context: &JobContext) -> Result<Value, JobError> {
    let request = NormaliseRequest {
        stream: input.stream,
        manifests: vec![input.collected.manifest_key],
    };
    written(&normalise::normalise(context, &request).await?)
}

async fn update_dimensions(input: WindowInput, context: &JobContext) -> Result<Value, JobError> {
    let mut rows = serde_json::Map::new();
    for stream in DIMENSIONS {
        let collected = collect::collect(
            context,
            &CollectRequest {
                stream,
                window: input.window,
                passes: <_>::default(),
            },
        )
        .await?;
        let request = NormaliseRequest {
            stream,
            manifests: vec![collected.manifest_key],
        };
        let normalised = normalise::normalise(context, &request).await?;
        rows.insert(stream.name(), written(&normalised)?);
    }
    Ok(Value::Object(rows))
}

/// Caps, the affiliates they name and payments, one row each, from the offers of silver.
async fn extract_offer_caps(context: &JobContext) -> Result<Value, JobError> {
    normalise::extract_offer_children(context).await?;
    let tables = [
        SilverTable::OfferCaps,
        SilverTable::OfferCapAffiliates,
        SilverTable::OfferPayments,
    ];
    Ok(json!({ "tables": tables.map(SilverTable::sql_name) }))
}

async fn check_quality(input: QualityInput, context: &JobContext) -> Result<Value, JobError> {
    let table: GoldTable = input.table.parse().map_err(invalid)?;
    written(&quality::check(context, table, &input.staging, input.window).await?)
}

async fn export_report(input: ExportInput, context: &JobContext) -> Result<Value, JobError> {
    let table: GoldTable = input.table.parse().map_err(invalid)?;
    let report = export::Report::ALL
        .into_iter()
        .find(|report| report.table() == table);
    let report = report.ok_or_else(|| invalid(format!("{} has no report", input.table)))?;
    written(&export::export(context, report, input.window).await?)
}

async fn acquire_lease(input: &LeaseInput, context: &JobContext) -> Result<Value, JobError> {
    let lease = Lease::acquire(
        &context.lake.std,
        &input.lease,
        &input.execution,
        Duration::from_secs(input.seconds),
    )
    .await?;
    Ok(json!({ "lease": input.lease, "until": lease.until() }))
}

/// Gives a lease back; one that somebody else holds, or nobody, is left alone.
async fn release_lease(input: &LeaseInput, context: &JobContext) -> Result<Value, JobError> {
    let held = Lease::held_by(
        &context.lake.std,
        &input.lease,
        &input.execution,
        Duration::from_secs(input.seconds),
    )
    .await?;
    let released = match held {
        Some(lease) => lease.release().await.map(|()| true)?,
        None => false,
    };
    Ok(json!({ "lease": input.lease, "released": released }))
}

/// What a build of the datamart works with. The texts go between quotes of SQL, so quotes in them are doubled.
async fn plan_datamart(context: &JobContext) -> Result<Value, JobError> {
    let mut plan = datamart::plan(context).await?;
    plan.business_unit = plan.business_unit.replace('\'', "''");
    plan.zone = plan.zone.replace('\'', "''");
    written(&plan)
}

/// Cuts a window into chunks, newest first, so that the days people look at are mended first.
fn plan_backfill(input: &BackfillInput) -> Result<Value, JobError> {
    if !(1..=31).contains(&input.chunk_days) {
        return Err(invalid(format!(
            "chunk_days is {}; choose 1 to 31",
            input.chunk_days
        )));
    }
    let mut chunks = Vec::new();
    let mut last = input.window.to();
    loop {
        let first = last
            .checked_sub((input.chunk_days - 1).days())
            .map_or(input.window.from(), |day| day.max(input.window.from()));
        chunks.push(Window::new(first, last).map_err(|error| invalid(error.to_string()))?);
        match first.yesterday() {
            Ok(day) if first > input.window.from() => last = day,
            _ => return Ok(json!({ "chunks": chunks })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(from: &str, to: &str, days: i32) -> Vec<String> {
        let window = Window::parse(from, to).unwrap();
        let plan = plan_backfill(&BackfillInput {
            window,
            chunk_days: days,
        })
        .unwrap();
        let chunks: Vec<Window> = serde_json::from_value(plan["chunks"].clone()).unwrap();
        chunks.iter().map(Window::to_string).collect()
    }

    #[test]
    fn a_backfill_is_cut_newest_first_and_covers_every_day_once() {
        assert_eq!(
            chunks("2026-01-01", "2026-01-10", 4),
            [
                "2026-01-07..2026-01-10",
                "2026-01-03..2026-01-06",
                "2026-01-01..2026-01-02"
            ]
        );
        assert_eq!(
            chunks("2026-01-01", "2026-01-01", 31),
            ["2026-01-01..2026-01-01"]
        );
        assert_eq!(chunks("2026-01-01", "2026-01-03", 1).len(), 3);
        let refused = plan_backfill(&BackfillInput {
            window: Window::parse("2026-01-01", "2026-01-02").unwrap(),
            chunk_days: 0,
        });
        assert_eq!(refused.unwrap_err().error_type, ErrorType::InvalidInput);
    }
}
