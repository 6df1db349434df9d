//! `lakehand scheduler`: starts the profile's schedules on this machine until it is stopped.

use std::{
    fs::{File, TryLockError},
    io::Write,
    path::Path,
    time::Duration,
};

use clap::Args;

use jiff::Timestamp;

use super::times::local;
use super::{App, CliError, VerbResult};
use crate::{
    config::{Schedule, Scheduled},
    ops::{OpsResult, StartRequest, WorkflowName, schedule},
    pipeline::text::for_terminal,
};

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
    if app.is_distant() {
        return Err(CliError::not_possible(
            format!(
                "on AWS, EventBridge Scheduler starts the schedules of the profile {}",
                app.profile.name
            ),
            "`lakehand status` shows the next starts; `lakehand deploy` sets them",
        ));
    }
    app.operations().permit("the scheduler").await?;
    let _only_one = only_one(&app.profile.data_dir)?;
    let zone = &app.profile.time_zone;
    let mut now = app.platform.now();
    loop {
        let Some((at, due)) = schedule::next_due(&app.profile.schedules, zone, now) else {
            return Err(CliError::usage(
                format!("the profile {} has no schedules", app.profile.name),
                "add [[profiles.<name>.schedules]] to the configuration",
            ));
        };
        let names: Vec<String> = due.iter().map(|schedule| what(schedule)).collect();
        app.print_line(
            &serde_json::json!({ "event": "waiting", "next_run_at": at, "starts": names }),
            |out| {
                let names = names.join(", ");
                writeln!(out, "next: {names} at {}", local(at, zone))
            },
        )?;
        loop {
            let wait = at.duration_since(app.platform.now());
            if wait.is_negative() || wait.is_zero() {
                break;
            }
            tokio::time::sleep(wait.unsigned_abs().min(LOOK_AGAIN)).await;
        }
        for schedule in due {
            match start(app, schedule, at).await {
                Ok(started) => app.print_line(
                    &serde_json::json!({ "event": "started", "what": started }),
                    |out| writeln!(out, "started {started}"),
                )?,
                Err(error) => writeln!(
                    std::io::stderr(),
                    "could not start {}: {error}; {}",
                    what(schedule),
                    error.advice
                )?,
            }
        }
        now = at;
    }
}

/// The right to be the scheduler of this lake, as long as the file is open: the system takes it back when the process
/// ends, however it ends.
fn only_one(folder: &Path) -> Result<File, CliError> {
    let path = folder.join("scheduler.lock");
    let failed = |error: std::io::Error| {
        CliError::platform(
            format!("could not lock {}: {error}", path.display()),
            "check owner and permissions of the folder",
        )
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(failed(error)),
        Err(TryLockError::WouldBlock) => {
            let holder = std::fs::read_to_string(&path).unwrap_or_default();
            let holder = match holder.trim() {
                "" => "another process".to_owned(),
                holder => for_terminal(holder).into_owned(),
            };
            return Err(CliError::not_possible(
                format!("a scheduler of this lake runs already: {holder}"),
                "one is enough: stop that one first to start another here",
            ));
        }
    }
    file.set_len(0).map_err(failed)?;
    let own = format!(
        "process {}, since {:.0}",
        std::process::id(),
        Timestamp::now()
    );
    writeln!(file, "{own}").map_err(failed)?;
    Ok(file)
}

fn what(schedule: &Schedule) -> String {
    match &schedule.starts {
        Scheduled::Workflow(name) => name.clone(),
        Scheduled::Crawler(name) => format!("crawler {name}"),
    }
}

async fn start(app: &App, schedule: &Schedule, at: Timestamp) -> OpsResult<String> {
    let operations = app.operations();
    match &schedule.starts {
        Scheduled::Workflow(name) => {
            let request = StartRequest {
                workflow: WorkflowName::from(name.as_str()),
                window: None,
                input: serde_json::json!({}),
                name: Some(schedule::execution_name(name, at)),
            };
            Ok(operations.start(request).await?.to_string())
        }
        Scheduled::Crawler(name) => {
            operations.crawl(name).await?;
            Ok(what(schedule))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_scheduler_of_a_lake_is_refused_with_the_first_ones_number() {
        let folder = tempfile::tempdir().unwrap();
        let first = only_one(folder.path()).unwrap();
        let refused = only_one(folder.path()).unwrap_err().to_string();
        let own = format!("process {}", std::process::id());
        assert!(refused.contains(&own), "{refused}");
        let other = tempfile::tempdir().unwrap();
        only_one(other.path()).unwrap();
        drop(first);
        only_one(folder.path()).unwrap();
    }
}
