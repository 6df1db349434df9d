//! `lakehand leave-sample`: out of the sample, into a lake for real data. Asked once: the sample is kept aside or
//! deleted.

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;

use super::{CliError, Ended, OutputFormat, Verb, VerbResult, print_as, sample};
use crate::{
    config::Profile,
    ops::ExecutionStatus,
    platform::{Platform, local},
};

/// What becomes of the sample.
#[derive(Debug, Args)]
pub struct LeaveSampleArgs {
    /// Keep it in a folder beside the lake.
    #[arg(long, conflicts_with = "delete")]
    keep: bool,
    /// Delete it: data, reports and executions.
    #[arg(long)]
    delete: bool,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Keep,
    Delete,
}

/// Whether a profile names a source of the user's own.
#[must_use]
pub fn has_own_sources(profile: &Profile) -> bool {
    !profile.affise.base_url.is_empty()
        || profile.marketo.is_some()
        || profile.ga4.is_some()
        || profile.ga3.is_some()
}

/// Whether a verb adds to the lake: in a sample lake it would be simulator data, for somebody who set up sources.
fn adds_data(verb: &Option<Verb>) -> bool {
    matches!(
        verb,
        Some(
            Verb::Run(_)
                | Verb::Collect(_)
                | Verb::Import(_)
                | Verb::Gold(_)
                | Verb::Scheduler(_)
                | Verb::Runs(super::runs::RunsVerb::Redrive { .. })
                | Verb::Datamart(super::datamart::DatamartVerb::Build { .. }),
        )
    )
}

/// Before a verb works in a sample lake although sources of the user's own are configured: asks what becomes of the
/// sample, or refuses where nobody can be asked. The console may be opened all the same; it starts nothing then.
///
/// # Errors
/// Exit code 4 when the verb would add to the sample.
pub async fn before(
    profile: &Arc<Profile>,
    confirm: Option<&str>,
    verb: &Option<Verb>,
) -> Result<(), CliError> {
    let is_console = verb.is_none();
    if !(is_console || adds_data(verb)) || !has_own_sources(profile) || !sample::is_marked(profile)
    {
        return Ok(());
    }
    let can_ask = io::stdin().is_terminal() && io::stderr().is_terminal();
    match if can_ask { ask()? } else { None } {
        Some(choice) => {
            let kept = leave(profile, confirm, choice).await?;
            writeln!(io::stderr(), "{}", told(kept.as_deref()))?;
            Ok(())
        }
        None if is_console => Ok(()),
        None => Err(CliError::not_possible(
            format!(
                "nothing was started: this lake holds sample data, and the profile {} has sources of its own, whose data must not mix with it",
                profile.name
            ),
            "`lakehand leave-sample --keep` puts the sample aside, `lakehand leave-sample --delete` deletes it; then start it again",
        )),
    }
}

fn ask() -> io::Result<Option<Choice>> {
    let mut err = io::stderr();
    write!(
        err,
        "This lake holds sample data, and sources of your own are configured. Leave the sample?\n  k  keep it in a folder beside the lake\n  d  delete it\n  Enter  not now\n> "
    )?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(match answer.trim() {
        "k" | "K" => Some(Choice::Keep),
        "d" | "D" => Some(Choice::Delete),
        _ => None,
    })
}

/// Runs the verb.
///
/// # Errors
/// Exit code 2 without a decision, 4 when something runs or changes are refused.
pub async fn run(
    args: &LeaveSampleArgs,
    profile: &Arc<Profile>,
    confirm: Option<&str>,
    output: OutputFormat,
) -> VerbResult {
    if !sample::is_marked(profile) {
        return Err(CliError::not_possible(
            format!("the lake of profile {} holds no sample data", profile.name),
            "there is nothing to leave; `lakehand status` shows what is there",
        ));
    }
    let can_ask = io::stdin().is_terminal() && io::stderr().is_terminal();
    let choice = match (args.keep, args.delete) {
        (true, _) => Some(Choice::Keep),
        (_, true) => Some(Choice::Delete),
        _ if can_ask => ask()?,
        _ => None,
    };
    let Some(choice) = choice else {
        return Err(CliError::usage(
            "nothing was changed: it was not said what becomes of the sample",
            "add --keep to put it aside, or --delete",
        ));
    };
    let kept = leave(profile, confirm, choice).await?;
    let value = serde_json::json!({ "left": true, "kept_in": kept });
    print_as(output, &value, |out| {
        writeln!(out, "{}", told(kept.as_deref()))
    })?;
    Ok(Ended::Well)
}

fn told(kept: Option<&Path>) -> String {
    match kept {
        Some(folder) => format!(
            "The sample is kept in {0}; a profile with data_dir = \"{0}\" shows it. The lake is empty now.",
            folder.display()
        ),
        None => "The sample is deleted. The lake is empty now.".to_owned(),
    }
}

/// Empties a sample lake; returns where the sample is kept.
async fn leave(
    profile: &Arc<Profile>,
    confirm: Option<&str>,
    choice: Choice,
) -> Result<Option<PathBuf>, CliError> {
    may_leave(profile, confirm).await?;
    match choice {
        Choice::Delete => {
            local::Platform::delete_lake(profile)?;
            Ok(None)
        }
        Choice::Keep => {
            let at = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
            let mut name = profile.data_dir.clone().into_os_string();
            name.push(format!(".sample-{at}"));
            let folder = PathBuf::from(name);
            local::Platform::move_lake(profile, &folder)?;
            Ok(Some(folder))
        }
    }
}

/// Changes must be allowed, and nothing may be working in the lake.
async fn may_leave(profile: &Arc<Profile>, confirm: Option<&str>) -> Result<(), CliError> {
    let platform = Platform::open(Arc::clone(profile)).await?;
    let operations = platform.operations();
    let confirmed = confirm.map(|name| operations.confirmed(name)).transpose()?;
    let operations = confirmed.flatten().unwrap_or(operations);
    operations.permit("leaving the sample").await?;
    let executions = operations.executions(None, 100).await?;
    match executions
        .iter()
        .find(|execution| execution.status == ExecutionStatus::Running)
    {
        Some(running) => Err(CliError::not_possible(
            format!("the sample was not touched: {} is running", running.id),
            format!(
                "wait for it, or stop it with `lakehand runs stop {}`",
                running.id
            ),
        )),
        None => Ok(()),
    }
}
