//! `lakehand collect SOURCE`: the collect workflow, waited for.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::{
    App, CliError, VerbResult, complete,
    run::{WindowArgs, start_and_wait},
};
use crate::{
    ops::{StartRequest, WorkflowName},
    pipeline::dataset::Stream,
};

/// What to collect.
#[derive(Debug, Args)]
#[command(after_help = super::names::streams())]
pub struct CollectArgs {
    /// Source (affise, marketo, ga4, ga3) or one of its streams (affise.clicks).
    #[arg(add = ArgValueCandidates::new(complete::sources_and_streams))]
    source: String,
    #[command(flatten)]
    window: WindowArgs,
}

/// Collects and normalises; exit code 1 when it failed.
///
/// # Errors
/// When there is no such source, or it cannot be started.
pub async fn run(app: &App, args: &CollectArgs) -> VerbResult {
    let configured = app.profile.streams();
    let streams: Vec<String> = configured
        .iter()
        .copied()
        .filter(|s| s.source() == args.source || s.name() == args.source)
        .map(Stream::name)
        .collect();
    if streams.is_empty() {
        let known: Vec<String> = configured.into_iter().map(Stream::name).collect();
        return Err(CliError::not_found(
            format!(
                "the profile {} has no source or stream '{}'",
                app.profile.name, args.source
            ),
            format!("use affise, or one of {}", known.join(", ")),
        ));
    }
    let request = StartRequest {
        workflow: WorkflowName::from("collect"),
        window: args.window.window(app)?,
        input: serde_json::json!({ "streams": streams }),
        name: None,
    };
    start_and_wait(app, request).await
}
