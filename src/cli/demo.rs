//! `lakehand demo`: everything once with sample data; in the console, or headless.

use std::io::Write;

use clap::Args;
use jiff::civil::Date;
use serde::Serialize;

use super::{
    App, CliError, Ended, VerbResult,
    progress::follow,
    runs::write_detail,
    sample::{SampleSpec, mark, request},
};
use crate::ops::{ExecutionDetail, ExecutionId, ExecutionStatus, ReportSummary};
use crate::pipeline::window::Window;

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
    #[arg(long, default_value_t = SCALE)]
    scale: u64,
    /// Seed of the generated rows.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// The last day of the sample data, YYYY-MM-DD. Default: today.
    #[arg(long, value_name = "DATE")]
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
}

impl DemoArgs {
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
}

/// Runs the demo.
///
/// # Errors
/// When the lake holds other data, or something cannot be started.
pub async fn run(app: &App, args: &DemoArgs, ascii: bool) -> VerbResult {
    let today = match args.today {
        Some(day) => day,
        None => app.platform.now().to_zoned(app.profile.time_zone.clone()).date(),
    };
    let data = args.data.as_ref().map(std::path::absolute).transpose()?;
    let spec = SampleSpec { seed: args.seed, scale: args.scale, today, data, faults: args.faults.clone() };
    mark(&app.platform, &spec).await?;
    if args.headless { headless(app, &spec).await } else { super::console::open(app, ascii, super::console::Start::Demo).await }
}

async fn headless(app: &App, spec: &SampleSpec) -> VerbResult {
    let window = spec.window()?;
    let mut executions = Vec::new();
    for workflow in ["collect", "daily-report"] {
        let operations = app.platform.operations();
        let id: ExecutionId = operations.start(request(workflow, window)).await?;
        executions.push(follow(operations.as_ref(), &id).await?);
        if executions.last().is_some_and(|detail| detail.summary.status != ExecutionStatus::Succeeded) {
            break;
        }
    }
    let succeeded = executions.len() == 2 && executions.iter().all(|detail| detail.summary.status == ExecutionStatus::Succeeded);
    let report = if succeeded { app.platform.operations().reports().await?.into_iter().next() } else { None };
    let status = if succeeded { "SUCCEEDED" } else { "FAILED" };
    let made = Made { status, sample: spec, window, lake: app.platform.operations().identity().lake, executions: &executions, report };
    app.print(&made, |out| write_made(out, &made))?;
    Ok(if succeeded { Ended::Well } else { Ended::Failed })
}

fn write_made(out: &mut dyn Write, made: &Made<'_>) -> std::io::Result<()> {
    for detail in made.executions {
        write_detail(out, detail)?;
        writeln!(out)?;
    }
    writeln!(out, "lake    {}", made.lake)?;
    if let Some(report) = &made.report {
        writeln!(out, "report  {}  {} rows, {} bytes", report.name, report.rows, report.bytes)?;
        writeln!(out, "        read it with `lakehand reports show {}`, or all of it with `lakehand reports get {}`", report.name, report.name)?;
    }
    Ok(())
}

impl From<crate::platform::PlatformError> for CliError {
    fn from(error: crate::platform::PlatformError) -> Self {
        Self::from(crate::ops::OpsError::from(error))
    }
}
