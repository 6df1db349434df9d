//! `lakehand scheduler`: starts the profile's schedules on this machine until it is stopped.

use std::io::Write;
use std::time::Duration;

use clap::Args;

use super::{App, CliError, VerbResult};
use crate::ops::{OpsErrorKind, StartRequest, WorkflowName, schedule};

/// No arguments of its own.
#[derive(Debug, Args)]
pub struct SchedulerArgs {}

/// Longest sleep: the machine's clock may be set, or the machine may have slept.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Waits for the next start, starts what is due, and so on.
///
/// # Errors
/// When the profile has no schedule; a workflow that does not start is reported and the rest goes on.
pub async fn run(app: &App, _args: &SchedulerArgs) -> VerbResult {
    let zone = &app.profile.time_zone;
    let mut now = app.platform.now();
    loop {
        let Some((at, due)) = schedule::next_due(&app.profile.schedules, zone, now) else {
            return Err(CliError::usage(format!("the profile {} has no schedules", app.profile.name), "add [[profiles.<name>.schedules]] to the configuration"));
        };
        let names: Vec<_> = due.iter().map(|schedule| schedule.workflow.as_str()).collect();
        app.print(&serde_json::json!({ "next": at, "workflows": names }), |out| {
            writeln!(out, "next: {} at {}", names.join(", "), at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z"))
        })?;
        loop {
            let wait = at.duration_since(app.platform.now());
            if wait.is_negative() || wait.is_zero() {
                break;
            }
            tokio::time::sleep(wait.unsigned_abs().min(LOOK_AGAIN)).await;
        }
        for schedule in due {
            let request = StartRequest {
                workflow: WorkflowName::from(schedule.workflow.as_str()),
                window: None,
                input: serde_json::json!({}),
                name: Some(schedule::execution_name(schedule, at)),
            };
            match app.platform.operations().start(request).await {
                Ok(id) => app.print(&serde_json::json!({ "started": id }), |out| writeln!(out, "started {id}"))?,
                // Another scheduler was first: that is what the name is for.
                Err(error) if error.kind == OpsErrorKind::Conflict => {}
                Err(error) => writeln!(std::io::stderr(), "could not start {}: {error}; {}", schedule.workflow, error.advice)?,
            }
        }
        now = at;
    }
}
