//! `lakehand run WORKFLOW`: start a workflow, and wait for it.

use clap::Args;
use clap_complete::ArgValueCandidates;
use jiff::civil::Date;
use serde_json::Value;

use super::{
    App, CliError, Ended, OutputFormat, VerbResult, complete, progress,
    runs::{resolve, write_detail},
};
use crate::{
    ops::{
        ExecutionId, ExecutionStatus, StartRequest, WorkflowName, inputs::again, start::window_in,
    },
    pipeline::{
        text::{for_terminal, shell_word},
        window::{self, Window},
    },
};

/// What to start.
#[derive(Debug, Args)]
#[command(after_help = super::names::workflows())]
pub struct RunArgs {
    /// Workflow: collect, daily-report, datamart, backfill, or one of the profile's own.
    #[arg(add = ArgValueCandidates::new(complete::workflows))]
    workflow: String,
    #[command(flatten)]
    window: WindowArgs,
    /// The execution's input: a file with JSON, - for standard input, or the JSON itself. What is on a command line others
    /// can see. A window is put into it where one is given, or where the workflow reads one and the input has none.
    #[arg(long, value_name = "FILE|-|JSON", conflicts_with = "same_input_as")]
    input: Option<String>,
    /// The input of another execution; `latest` is the newest one. --from and --to replace its window.
    #[arg(long, value_name = "EXECUTION", add = ArgValueCandidates::new(complete::executions))]
    same_input_as: Option<String>,
    /// Name of the execution; the same name twice is refused.
    #[arg(long)]
    name: Option<String>,
    /// Wait until it has ended; exit code 1 when it failed.
    #[arg(long)]
    wait: bool,
}

/// A window on the command line.
#[derive(Debug, Clone, Args)]
pub struct WindowArgs {
    /// First day: YYYY-MM-DD, today, yesterday, or -7d for seven days ago. Default: seven days before the last day.
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    from: Option<String>,
    /// Last day, included, written the same way. Default: today in the profile's time zone.
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    to: Option<String>,
}

impl WindowArgs {
    /// The window asked for, if any.
    ///
    /// # Errors
    /// When an end is no date, the ends are reversed, or the window is not over yet.
    pub fn window(&self, app: &App) -> Result<Option<Window>, CliError> {
        let (from, to) = (self.from.as_deref(), self.to.as_deref());
        Ok(Window::asked(from, to, app.today())?)
    }

    /// The window asked for, or the default one.
    ///
    /// # Errors
    /// As [`WindowArgs::window`].
    pub fn or_default(&self, app: &App) -> Result<Window, CliError> {
        match self.window(app)? {
            Some(window) => Ok(window),
            None => Ok(app.platform.default_window()?),
        }
    }
}

/// A date on the command line where no other day gives it a meaning.
pub fn date(text: &str) -> Result<Date, String> {
    window::parse_date(text)
        .map_err(|_| "write it as YYYY-MM-DD, for example 2026-01-31".to_owned())
}

/// A whole number on the command line, told without the parser's own words.
pub fn number<N: TryFrom<u64>>(text: &str) -> Result<N, String> {
    text.parse::<u64>()
        .ok()
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| "write a whole number that is not negative, for example 20".to_owned())
}

/// Starts the workflow.
///
/// # Errors
/// When it cannot be started.
pub async fn run(app: &App, args: &RunArgs) -> VerbResult {
    let input = match (&args.input, &args.same_input_as) {
        (Some(given), _) => read_input(given)?,
        (None, Some(id)) => input_of(app, id).await?,
        (None, None) => serde_json::json!({}),
    };
    if let Some(window) = window_in(&input) {
        window.not_after(app.today())?;
    }
    let request = StartRequest {
        workflow: WorkflowName::from(args.workflow.as_str()),
        window: args.window.window(app)?,
        input,
        name: args.name.clone(),
    };
    if args.wait {
        start_and_wait(app, request).await
    } else if app.is_distant() {
        announce(app, &app.operations().start(request).await?)
    } else {
        let operations = app.operations();
        let (id, _) = app.detached().start(operations.as_ref(), &request).await?;
        announce(app, &id)
    }
}

/// The input as it was given: a file, standard input, or the JSON itself.
fn read_input(given: &str) -> Result<Value, CliError> {
    let advice = "give a file with JSON, - for standard input, or JSON like '{\"streams\": [\"affise.clicks\"]}'";
    let parsed = |from: &str, text: &str| {
        serde_json::from_str(text).map_err(|error| {
            CliError::usage(format!("the input in {from} is not JSON: {error}"), advice)
        })
    };
    if given == "-" {
        let text = std::io::read_to_string(std::io::stdin()).map_err(|error| {
            CliError::usage(format!("standard input could not be read: {error}"), advice)
        })?;
        return parsed("standard input", &text);
    }
    if given.trim_start().starts_with(['{', '[', '"']) {
        return parsed("--input", given);
    }
    let text = std::fs::read_to_string(given).map_err(|error| {
        let file = for_terminal(given);
        CliError::usage(
            format!("the input file {file} could not be read: {error}"),
            advice,
        )
    })?;
    parsed(&for_terminal(given), &text)
}

/// The input of an execution, for another one.
async fn input_of(app: &App, id: &str) -> Result<Value, CliError> {
    let id = resolve(app, id).await?;
    let detail = app.operations().execution(&id, u64::MAX).await?;
    again(&detail.input).map_err(|why| {
        CliError::usage(
            for_terminal(&why).into_owned(),
            "give the input yourself: --input FILE",
        )
    })
}

/// Starts an execution in this process and follows it to its end.
///
/// # Errors
/// When it cannot be started or asked.
pub async fn start_and_wait(app: &App, request: StartRequest) -> VerbResult {
    let operations = app.operations();
    let id = operations.start(request).await?;
    let detail = progress::follow(operations.as_ref(), &id).await?;
    app.print(&detail, |out| {
        write_detail(out, &detail, &app.profile.time_zone)
    })?;
    Ok(if detail.summary.status == ExecutionStatus::Succeeded {
        Ended::Well
    } else {
        Ended::Failed
    })
}

fn announce(app: &App, id: &ExecutionId) -> VerbResult {
    app.print(&serde_json::json!({ "execution": id }), |out| {
        writeln!(out, "{id}")?;
        if app.output == OutputFormat::Text {
            writeln!(
                out,
                "watch it with `lakehand runs show {}` or in the console",
                shell_word(id.as_ref())
            )?;
        }
        Ok(())
    })?;
    Ok(Ended::Well)
}
