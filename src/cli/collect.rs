//! `lakehand collect SOURCE`: the collect workflow, waited for.

use clap::Args;

use super::{App, CliError, VerbResult, run::{WindowArgs, start_and_wait}};
use crate::{
    ops::{StartRequest, WorkflowName},
    pipeline::dataset::Stream,
};

/// What to collect.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// Source (affise) or one of its streams (affise.clicks).
    source: String,
    #[command(flatten)]
    window: WindowArgs,
}

/// Collects and normalises; exit code 1 when it failed.
///
/// # Errors
/// When there is no such source, or it cannot be started.
pub async fn run(app: &App, args: &CollectArgs) -> VerbResult {
    let streams: Vec<String> = Stream::ALL.into_iter().filter(|s| s.source() == args.source || s.name() == args.source).map(Stream::name).collect();
    if streams.is_empty() {
        let known = Stream::ALL.map(Stream::name).join(", ");
        return Err(CliError::not_found(format!("there is no source or stream '{}'", args.source), format!("use affise, or one of {known}")));
    }
    let request = StartRequest {
        workflow: WorkflowName::from("collect"),
        window: args.window.window()?,
        input: serde_json::json!({ "streams": streams }),
        name: None,
    };
    start_and_wait(app, request).await
}
