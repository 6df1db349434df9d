//! `lakehand jobs list|runs|start|stop`: Glue jobs that exist beside our workflows.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use clap::Subcommand;
use jiff::tz::TimeZone;

use super::times::local;
use super::{App, CliError, Ended, VerbResult};
use crate::{ops::GlueJobRun, pipeline::text::for_terminal};

/// Verbs on Glue jobs.
#[derive(Debug, Subcommand)]
pub enum JobsVerb {
    /// Every job of the profile with its newest run.
    List,
    /// Runs of a job, newest first.
    Runs {
        /// Job, whole or without the profile's pattern.
        name: String,
        /// At most so many.
        #[arg(long, default_value_t = 20, value_parser = super::run::number::<usize>)]
        limit: usize,
    },
    /// Start a run.
    Start {
        /// Job, whole or without the profile's pattern.
        name: String,
        /// An argument of the job, as NAME=VALUE; may be given more than once.
        #[arg(long = "argument", value_name = "NAME=VALUE", value_parser = argument)]
        arguments: Vec<(String, String)>,
    },
    /// Stop a run.
    Stop {
        /// Job, whole or without the profile's pattern.
        name: String,
        /// Glue's id of the run.
        run: String,
    },
}

fn argument(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Runs the verb.
///
/// # Errors
/// When the profile has no Glue jobs, the platform refuses, or output fails.
pub async fn run(app: &App, verb: &JobsVerb) -> VerbResult {
    let operations = app.operations();
    let zone = &app.profile.time_zone;
    match verb {
        JobsVerb::List => {
            let jobs = operations.glue_jobs().await?;
            app.print(&jobs, |out| {
                for job in &jobs {
                    write!(out, "{:<36} {:<12} ", for_terminal(&job.name), job.kind)?;
                    match &job.last_run {
                        Some(run) => write_run(out, run, zone)?,
                        None => writeln!(out, "never ran")?,
                    }
                }
                Ok(())
            })?;
        }
        JobsVerb::Runs { name, limit } => {
            let runs = operations.glue_job_runs(name, *limit).await?;
            app.print(&runs, |out| {
                runs.iter().try_for_each(|run| write_run(out, run, zone))
            })?;
        }
        JobsVerb::Start { name, arguments } => {
            let arguments: BTreeMap<String, String> = arguments.iter().cloned().collect();
            let run = operations.start_glue_job(name, arguments).await?;
            app.print(&serde_json::json!({ "job": name, "run": run }), |out| {
                writeln!(out, "{run}")
            })?;
        }
        JobsVerb::Stop { name, run } => {
            operations.stop_glue_job(name, run).await?;
            app.print(
                &serde_json::json!({ "job": name, "run": run, "requested": "stop" }),
                |out| writeln!(out, "asked {run} to stop"),
            )?;
        }
    }
    Ok::<_, CliError>(Ended::Well)
}

fn write_run(out: &mut dyn Write, run: &GlueJobRun, zone: &TimeZone) -> io::Result<()> {
    let started = run.started.map_or_else(String::new, |at| local(at, zone));
    writeln!(
        out,
        "{:<10} {started}  {} s  {}  {}",
        run.state,
        run.seconds,
        run.id,
        for_terminal(run.error.as_deref().unwrap_or(""))
    )
}
