//! `lakehand demo`: everything once with sample data; in the console, or headless.

use std::{collections::BTreeMap, io::Write};

use arrow::array::AsArray;
use clap::Args;
use futures::StreamExt;
use jiff::{civil::Date, tz::TimeZone};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    App, CliError, Ended, VerbResult,
    progress::follow,
    runs::write_detail,
    sample::{SampleSpec, mark, request},
};
use crate::ops::{ExecutionDetail, ExecutionId, ExecutionStatus, ReportSummary};
use crate::pipeline::{ports::QueryEngine, text::shell_word, window::Window};

/// Seed of the sample data unless another is given.
pub const SEED: u64 = 7;
/// Clicks of the sample data unless another number is given.
pub const SCALE: u64 = 20_000;

/// What to show.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Without the console: run to the end and print what was made.
    #[arg(long)]
    headless: bool,
    /// Clicks to generate over fourteen days; conversions are a tenth of them.
    #[arg(long, default_value_t = SCALE, value_parser = super::run::number::<u64>)]
    scale: u64,
    /// Seed of the generated rows.
    #[arg(long, default_value_t = SEED, value_parser = super::run::number::<u64>)]
    seed: u64,
    /// The last day of the sample data, YYYY-MM-DD. Default: today.
    #[arg(long, value_name = "DATE", value_parser = super::run::date)]
    today: Option<Date>,
    /// Serve the NDJSON files of this folder instead of generated rows.
    #[arg(long, value_name = "DIR")]
    data: Option<std::path::PathBuf>,
    /// Faults of the simulator, as `lakehand simulate --faults` takes them.
    #[arg(long, value_name = "SPEC")]
    faults: Option<String>,
    /// Delete the sample data that this lake holds, and begin anew.
    #[arg(long)]
    fresh: bool,
    /// Every source and table: Marketo and Google Analytics too, and the marketing datamart.
    #[arg(long)]
    all: bool,
}

impl DemoArgs {
    /// Whether every source is to be played.
    #[must_use]
    pub fn all(&self) -> bool {
        self.all
    }

    /// Whether the sample data of this lake is to be deleted first.
    #[must_use]
    pub fn fresh(&self) -> bool {
        self.fresh
    }
}

/// What a headless demo made.
#[derive(Debug, Serialize)]
struct Made<'a> {
    status: &'static str,
    sample: &'a SampleSpec,
    window: Window,
    lake: String,
    executions: &'a [ExecutionDetail],
    report: Option<ReportSummary>,
    /// Every table that SQL sees, when all of them were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    tables: Option<BTreeMap<String, u64>>,
}

/// Runs the demo.
///
/// # Errors
/// When the lake holds other data, or something cannot be started.
pub async fn run(app: &App, args: &DemoArgs, ascii: bool) -> VerbResult {
    app.operations().permit("the sample").await?;
    let today = match args.today {
        Some(day) => day,
        None => app
            .platform
            .now()
            .to_zoned(app.profile.time_zone.clone())
            .date(),
    };
    let data = args.data.as_ref().map(std::path::absolute).transpose()?;
    let spec = SampleSpec {
        seed: args.seed,
        scale: args.scale,
        today,
        data,
        faults: args.faults.clone(),
        all: args.all,
    };
    mark(app.platform.local("the demo")?, &spec).await?;
    if args.headless {
        headless(app, &spec).await
    } else {
        super::console::open(app, ascii, super::console::Start::Demo).await
    }
}

async fn headless(app: &App, spec: &SampleSpec) -> VerbResult {
    let window = spec.window()?;
    let workflows: &[&str] = if spec.all {
        &["collect", "daily-report", "datamart"]
    } else {
        &["collect", "daily-report"]
    };
    let mut executions = Vec::new();
    for workflow in workflows {
        let operations = app.operations();
        let id: ExecutionId = operations.start(request(workflow, window)).await?;
        executions.push(follow(operations.as_ref(), &id).await?);
        if executions
            .last()
            .is_some_and(|detail| detail.summary.status != ExecutionStatus::Succeeded)
        {
            break;
        }
    }
    let succeeded = executions.len() == workflows.len()
        && executions
            .iter()
            .all(|detail| detail.summary.status == ExecutionStatus::Succeeded);
    let report = if succeeded {
        app.platform
            .operations()
            .reports()
            .await?
            .into_iter()
            .next()
    } else {
        None
    };
    let tables = if succeeded && spec.all {
        Some(tables(app).await?)
    } else {
        None
    };
    let status = if succeeded { "SUCCEEDED" } else { "FAILED" };
    let made = Made {
        status,
        sample: spec,
        window,
        lake: app.operations().identity().lake,
        executions: &executions,
        report,
        tables,
    };
    app.print(&made, |out| write_made(out, &made, &app.profile.time_zone))?;
    Ok(if succeeded {
        Ended::Well
    } else {
        Ended::Failed
    })
}

/// Every table that SQL sees, with its rows.
async fn tables(app: &App) -> Result<BTreeMap<String, u64>, CliError> {
    let engine = app.platform.engine();
    let mut rows = BTreeMap::new();
    for name in first_column::<String>(engine.as_ref(), "SHOW TABLES").await? {
        let count = format!("SELECT CAST(count(*) AS varchar) FROM {name}");
        let count = first_column(engine.as_ref(), &count).await?.pop();
        rows.insert(name, count.unwrap_or_default());
    }
    Ok(rows)
}

/// The first column of a small query.
async fn first_column<T: std::str::FromStr>(
    engine: &dyn QueryEngine,
    sql: &str,
) -> Result<Vec<T>, CliError> {
    let mut batches = engine.query(sql, &CancellationToken::new()).await?.batches;
    let mut values = Vec::new();
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let column = batch.columns().first();
        let texts = column.and_then(|column| column.as_string_opt::<i32>());
        let texts = texts.into_iter().flat_map(|texts| texts.iter().flatten());
        values.extend(texts.filter_map(|text| text.parse().ok()));
    }
    Ok(values)
}

fn write_made(out: &mut dyn Write, made: &Made<'_>, zone: &TimeZone) -> std::io::Result<()> {
    for detail in made.executions {
        write_detail(out, detail, zone)?;
        writeln!(out)?;
    }
    for (name, rows) in made.tables.iter().flatten() {
        writeln!(out, "table   {name:<40} {rows:>12} rows")?;
    }
    writeln!(out, "lake    {}", made.lake)?;
    if let Some(report) = &made.report {
        writeln!(
            out,
            "report  {}  {}, {} bytes",
            report.name,
            report.rows_in_words(|rows| rows.to_string()),
            report.bytes
        )?;
        writeln!(
            out,
            "        read it with `lakehand reports show {}`, or all of it with `lakehand reports get {}`",
            shell_word(report.name.as_ref()),
            shell_word(report.name.as_ref())
        )?;
    }
    Ok(())
}

impl From<crate::platform::PlatformError> for CliError {
    fn from(error: crate::platform::PlatformError) -> Self {
        Self::from(crate::ops::OpsError::from(error))
    }
}
