//! `lakehand gold build TABLE`.

use clap::Subcommand;
use clap_complete::ArgValueCandidates;

use super::{App, Ended, VerbResult, complete, run::WindowArgs};
use crate::pipeline::{dataset::GoldTable, gold};

/// Verbs on gold tables.
#[derive(Debug, Subcommand)]
pub enum GoldVerb {
    /// Rebuild a window of a gold table from silver, in one commit.
    #[command(after_help = super::names::gold())]
    Build {
        /// Gold table.
        #[arg(add = ArgValueCandidates::new(complete::gold_tables))]
        table: GoldTable,
        #[command(flatten)]
        window: WindowArgs,
    },
}

/// Runs the verb.
///
/// # Errors
/// When the build fails; the old window is still in place then.
pub async fn run(app: &App, verb: &GoldVerb) -> VerbResult {
    let GoldVerb::Build { table, window } = verb;
    app.operations().permit("a build of a gold table").await?;
    let window = window.or_default(app)?;
    let context = app.platform.job_context("gold-build").await?;
    let summary = gold::build(&context, *table, window).await?;
    app.print(&summary, |out| {
        writeln!(out, "{} {window}: {} rows", table.name(), summary.rows)
    })?;
    Ok(Ended::Well)
}
