//! `lakehand runs list|show|logs|stop|redrive`.

use std::{
    collections::HashMap,
    io::{self, Write},
    time::Duration,
};

use clap::Subcommand;
use clap_complete::ArgValueCandidates;
use jiff::tz::TimeZone;

use super::times::{local, local_millis};
use super::{
    App, CliError, Ended, VerbResult, complete,
    progress::{Waits, follow, mark},
    standard_output,
    status::word,
};
use crate::{
    ops::{
        ExecutionDetail, ExecutionId, ExecutionStatus, ExecutionSummary, Redrive, StageStatus,
        WorkflowName, with_children,
    },
    pipeline::text::for_terminal,
    platform::local::imports::WORKFLOW,
};

/// Verbs on executions.
#[derive(Debug, Subcommand)]
pub enum RunsVerb {
    /// Executions, newest first.
    List {
        /// Only of this workflow.
        #[arg(long, add = ArgValueCandidates::new(complete::workflows))]
        workflow: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 20, value_parser = super::run::number::<usize>)]
        limit: usize,
        /// Only those that this execution started: the parts of a backfill.
        #[arg(long, value_name = "EXECUTION", add = ArgValueCandidates::new(complete::executions))]
        parts: Option<String>,
    },
    /// One execution: root cause, stages, whether a redrive is safe.
    Show {
        /// Execution id; `latest` is the newest one.
        #[arg(add = ArgValueCandidates::new(complete::executions))]
        id: String,
    },
    /// Log lines of an execution.
    Logs {
        /// Execution id; `latest` is the newest one.
        #[arg(add = ArgValueCandidates::new(complete::executions))]
        id: String,
        /// Only of this stage.
        #[arg(long)]
        stage: Option<String>,
        /// Go on until the execution has ended.
        #[arg(long, short)]
        follow: bool,
    },
    /// Stop a running execution.
    Stop {
        /// Execution id.
        #[arg(add = ArgValueCandidates::new(complete::executions))]
        id: String,
        /// Why, for the history.
        #[arg(long, default_value = "stopped from the command line")]
        reason: String,
    },
    /// Continue an execution from what did not finish, and wait for its end.
    Redrive {
        /// Execution id; `latest` is the newest one.
        #[arg(add = ArgValueCandidates::new(complete::executions))]
        id: String,
    },
}

/// Executions read for a list, so that parts of others do not push any out.
const MANY: usize = 1_000;

/// Runs the verb.
///
/// # Errors
/// When the platform refuses or output fails.
pub async fn run(app: &App, verb: &RunsVerb) -> VerbResult {
    let operations = app.operations();
    match verb {
        RunsVerb::List {
            workflow,
            limit,
            parts,
        } => {
            let workflow = workflow.as_deref().map(WorkflowName::from);
            // Parts do not count against the limit: a backfill has hundreds.
            let most = (*limit).max(MANY);
            let (mut executions, unread) = match &workflow {
                Some(_) => (
                    operations.executions(workflow.as_ref(), most).await?,
                    Vec::new(),
                ),
                None => operations.readable_executions(most).await?,
            };
            if let Some(parts) = parts {
                let whole = resolve(app, parts).await?;
                executions.retain(|one| one.parent.as_ref() == Some(&whole));
            }
            let newest = &executions[..executions.len().min(*limit)];
            let told = told_of_imports(app, newest).await?;
            app.print(&newest, |out| {
                write_list(out, &executions, (*limit, &app.profile.time_zone), &told)
            })?;
            super::status::all_was_read(&unread)
        }
        RunsVerb::Show { id } => {
            let detail = operations.execution(&resolve(app, id).await?, 0).await?;
            app.print(&detail, |out| {
                write_detail(out, &detail, &app.profile.time_zone)
            })?;
            Ok(Ended::Well)
        }
        RunsVerb::Logs { id, stage, follow } => {
            logs(app, &resolve(app, id).await?, stage.as_deref(), *follow).await
        }
        RunsVerb::Stop { id, reason } => {
            let id = resolve(app, id).await?;
            operations.stop(&id, reason).await?;
            app.print(
                &serde_json::json!({ "execution": id, "requested": "stop" }),
                |out| writeln!(out, "asked {id} to stop"),
            )?;
            Ok(Ended::Well)
        }
        RunsVerb::Redrive { id } => {
            let id = resolve(app, id).await?;
            operations.redrive(&id).await?;
            let detail = follow(operations.as_ref(), &id).await?;
            app.print(&detail, |out| {
                write_detail(out, &detail, &app.profile.time_zone)
            })?;
            Ok(if detail.summary.status == ExecutionStatus::Succeeded {
                Ended::Well
            } else {
                Ended::Failed
            })
        }
    }
}

/// What stands beside imports in a list for people.
async fn told_of_imports(
    app: &App,
    executions: &[ExecutionSummary],
) -> Result<HashMap<ExecutionId, String>, CliError> {
    let mut told = HashMap::new();
    let imports = executions
        .iter()
        .filter(|one| one.workflow.as_ref() == WORKFLOW);
    for one in imports.filter(|_| app.output == super::OutputFormat::Text) {
        let detail = app.operations().execution(&one.id, u64::MAX >> 1).await?;
        told.insert(one.id.clone(), super::import::told(&detail));
    }
    Ok(told)
}

pub(super) async fn resolve(app: &App, id: &str) -> Result<ExecutionId, CliError> {
    if id != "latest" {
        return Ok(ExecutionId::from(id));
    }
    let newest = app.operations().executions(None, 1).await?;
    let newest = newest.into_iter().next();
    newest.map(|summary| summary.id).ok_or_else(|| {
        CliError::not_found(
            "there is no execution yet",
            "start one with `lakehand run collect`",
        )
    })
}

async fn logs(app: &App, id: &ExecutionId, stage: Option<&str>, follow: bool) -> VerbResult {
    const PAGE: usize = 1000;
    let operations = app.operations();
    let mut after = 0;
    app.say_sample();
    let mut waits = Waits::of(operations.as_ref());
    loop {
        // The status is read before the lines: lines written before the end are not missed.
        let ended = operations
            .execution(id, u64::MAX >> 1)
            .await?
            .summary
            .status
            .is_ended();
        loop {
            let lines = operations.logs(id, stage, after, PAGE).await?;
            after = lines.last().map_or(after, |line| line.line);
            let mut out = standard_output(app.output);
            for line in &lines {
                match app.output {
                    super::OutputFormat::Json => {
                        serde_json::to_writer(&mut out, line).map_err(io::Error::from)?;
                        writeln!(out)?;
                    }
                    super::OutputFormat::Text => {
                        let level = format!("{:?}", line.level).to_uppercase();
                        let attempt = if line.attempt > 1 {
                            format!(" (try {})", line.attempt)
                        } else {
                            String::new()
                        };
                        writeln!(
                            out,
                            "{} {level:<5} {}{attempt}: {}",
                            local_millis(line.at, &app.profile.time_zone),
                            for_terminal(&line.stage),
                            for_terminal(&line.message)
                        )?;
                    }
                }
            }
            out.flush()?;
            if lines.len() < PAGE {
                break;
            }
        }
        if ended || !follow {
            return Ok(Ended::Well);
        }
        let wait = waits.next().unwrap_or(Duration::from_millis(300));
        tokio::time::sleep(wait).await;
    }
}

fn write_list(
    out: &mut dyn Write,
    executions: &[ExecutionSummary],
    (limit, zone): (usize, &TimeZone),
    told: &HashMap<ExecutionId, String>,
) -> io::Result<()> {
    // What runs comes first: a redriven execution was started long ago.
    let mut executions = executions.to_vec();
    executions.sort_by_key(|one| one.status != ExecutionStatus::Running);
    for (e, children) in with_children(&executions).into_iter().take(limit) {
        let window = e.window.map_or(String::new(), |window| window.to_string());
        let error = e.error.as_deref().map_or(String::new(), |error| {
            format!(
                "{}: {}",
                for_terminal(e.current_stage.as_deref().unwrap_or("?")),
                for_terminal(error)
            )
        });
        let told = told.get(&e.id).map_or("", String::as_str);
        writeln!(
            out,
            "{:<11} {}  {:<24} {}  {error}{told}",
            word(e),
            local(e.started, zone),
            window,
            e.id
        )?;
        if children > 0 {
            writeln!(
                out,
                "{:<11} and its {children} parts: lakehand runs list --parts {}",
                "", e.id
            )?;
        }
    }
    if executions.is_empty() {
        writeln!(out, "no executions yet; `lakehand run collect` starts one")?;
    }
    Ok(())
}

/// Writes one execution for people: root cause first.
///
/// # Errors
/// When `out` fails.
pub fn write_detail(
    out: &mut dyn Write,
    detail: &ExecutionDetail,
    zone: &TimeZone,
) -> io::Result<()> {
    let summary = &detail.summary;
    writeln!(out, "{}  {}", summary.id, word(summary))?;
    if let Some(cause) = &detail.root_cause {
        writeln!(
            out,
            "root cause  {} in {}",
            for_terminal(&cause.error),
            for_terminal(&cause.stage)
        )?;
        writeln!(out, "            {}", for_terminal(&cause.cause))?;
        for other in &cause.others {
            let told = format!("{} in {}: {}", other.error, other.stage, other.cause);
            writeln!(out, "also failed {}", for_terminal(&told))?;
        }
        for (label, text) in [("meaning", &cause.meaning), ("remedy", &cause.remedy)] {
            if let Some(text) = text {
                writeln!(out, "{label:<11} {text}")?;
            }
        }
    }
    if summary.status != ExecutionStatus::Succeeded {
        match &detail.redrive {
            Redrive::Possible {
                stages,
                safety,
                known,
            } => writeln!(
                out,
                "redrive     {}possible, runs {} again: {}",
                if *known { "" } else { "WARNING: " },
                for_terminal(&stages.join(", ")),
                for_terminal(safety)
            )?,
            Redrive::NotPossible { reason } => writeln!(out, "redrive     not possible: {reason}")?,
        }
    }
    for stage in detail
        .stages
        .iter()
        .filter(|stage| stage.status != StageStatus::NotReached)
    {
        let (symbol, word) = mark(&stage.status);
        let took = stage
            .took()
            .map_or(String::new(), |took| format!("{:.1} s", took.as_secs_f64()));
        let tries = if stage.attempts > 1 {
            format!("{} tries", stage.attempts)
        } else {
            String::new()
        };
        let indent = "  ".repeat(usize::from(stage.depth));
        let progress = stage.progress.as_deref().unwrap_or("");
        let progress = match stage.status {
            StageStatus::Parked { until } => format!("until {}: {progress}", local(until, zone)),
            _ => progress.to_owned(),
        };
        writeln!(
            out,
            "  {indent}{symbol} {:<32} {word:<14} {took:>8}  {tries} {}",
            for_terminal(&stage.name),
            for_terminal(&progress)
        )?;
    }
    Ok(())
}
