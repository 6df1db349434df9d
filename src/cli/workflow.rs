//! `lakehand workflow check|graph|run FILE`: any state machine definition, without a platform.

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{CliError, Ended, OutputFormat, VerbResult, print_as};
use crate::{
    pipeline::{
        gold::{GoldError, render_workflow},
        text::for_terminal,
    },
    workflow::{
        Definition, ExecutionContext, HistoryEvent, Outcome,
        mock::{Driver, MockConfig, Mocks, Progress},
    },
};

mod draw;

/// Verbs on a definition in the Amazon States Language.
#[derive(Debug, Subcommand)]
pub enum WorkflowVerb {
    /// Check a definition; every problem is named with line and column.
    Check(CheckArgs),
    /// Print a definition's graph.
    Graph(GraphArgs),
    /// Run a definition against mocked tasks.
    Run(RunArgs),
}

/// Arguments of `workflow check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The definition (JSON, Amazon States Language).
    file: PathBuf,
}

/// Arguments of `workflow graph`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// The definition (JSON, Amazon States Language).
    file: PathBuf,
    /// How the graph is written. `--output json` prints nodes and edges instead.
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    format: GraphFormat,
}

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// For a terminal.
    Text,
    /// A Mermaid flowchart.
    Mermaid,
}

/// Arguments of `workflow run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The definition (JSON, Amazon States Language).
    file: PathBuf,
    /// The execution's input: JSON, or @FILE.
    #[arg(long, default_value = "{}", value_name = "JSON|@FILE")]
    input: String,
    /// Mocked tasks, in the mock configuration format of AWS Step Functions Local.
    #[arg(long, value_name = "FILE[#TESTCASE]")]
    mocks: Option<String>,
    /// Skip waits and retry intervals: the clock jumps.
    #[arg(long)]
    fast: bool,
}

/// Runs the verb.
///
/// # Errors
/// When a file cannot be read, an argument is wrong or output fails. A definition with problems and an
/// execution that does not succeed are results, with exit code 1.
pub async fn run(verb: &WorkflowVerb, output: OutputFormat) -> VerbResult {
    match verb {
        WorkflowVerb::Check(args) => check(args, output),
        WorkflowVerb::Graph(args) => graph(args, output),
        WorkflowVerb::Run(args) => execute(args, output).await,
    }
}

fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|error| {
        let message = format!("could not read {}: {error}", path.display());
        if error.kind() == io::ErrorKind::NotFound {
            CliError::not_found(message, "check the name of the file")
        } else {
            CliError::platform(message, "check that it is a text file that you may read")
        }
    })
}

/// A definition, or its problems printed. The SQL of a definition of ours is rendered in, as it is before
/// it is deployed; places are then those of the rendered text, line for line the same.
fn load(path: &Path, output: OutputFormat) -> Result<Result<Definition, Ended>, CliError> {
    let text = read(path)?;
    let text = match render_workflow(&text) {
        Ok(rendered) => rendered,
        // No JSON: the parser says where.
        Err(GoldError::BadDefinition { .. }) => text,
        Err(error) => {
            return Err(CliError::usage(
                format!("{}: {error}", path.display()),
                "the SQL that a definition names lies in assets/sql",
            ));
        }
    };
    match Definition::parse(&text) {
        Ok(definition) => Ok(Ok(definition)),
        Err(invalid) => {
            let value = json!({ "valid": false, "problems": invalid.problems });
            print_as(output, &value, |out| {
                for problem in &invalid.problems {
                    writeln!(
                        out,
                        "{}:{}",
                        path.display(),
                        for_terminal(&problem.to_string())
                    )?;
                }
                Ok(())
            })?;
            Ok(Err(Ended::Failed))
        }
    }
}

fn check(args: &CheckArgs, output: OutputFormat) -> VerbResult {
    let definition = match load(&args.file, output)? {
        Ok(definition) => definition,
        Err(ended) => return Ok(ended),
    };
    let value = json!({ "valid": true, "problems": [], "warnings": definition.warnings });
    print_as(output, &value, |out| {
        for warning in &definition.warnings {
            let warning = format!("{}:{warning} (warning)", args.file.display());
            writeln!(out, "{}", for_terminal(&warning))?;
        }
        let states = definition.states().count();
        writeln!(out, "{} is right: {states} states", args.file.display())
    })?;
    Ok(Ended::Well)
}

fn graph(args: &GraphArgs, output: OutputFormat) -> VerbResult {
    let definition = match load(&args.file, output)? {
        Ok(definition) => definition,
        Err(ended) => return Ok(ended),
    };
    let graph = definition.graph();
    print_as(output, &graph, |out| match args.format {
        GraphFormat::Text => draw::text(&graph, out),
        GraphFormat::Mermaid => draw::mermaid(&graph, out),
    })?;
    Ok(Ended::Well)
}

/// What `workflow run` prints as JSON.
#[derive(Serialize)]
struct RunResult<'r> {
    status: &'static str,
    #[serde(flatten)]
    result: Value,
    #[serde(serialize_with = "crate::ops::json::events")]
    events: &'r [HistoryEvent],
}

async fn execute(args: &RunArgs, output: OutputFormat) -> VerbResult {
    let input = parse_input(&args.input)?;
    let definition = match load(&args.file, output)? {
        Ok(definition) => definition,
        Err(ended) => return Ok(ended),
    };
    let name = machine_name(&args.file);
    let mocks = match &args.mocks {
        Some(mocks) => load_mocks(mocks, &name)?,
        None => Mocks::default(),
    };
    let context = context_of(&name);
    let mut driver = Driver::start(
        &definition,
        &mocks,
        input,
        context,
        Box::new(rand::random::<f64>),
    );
    let outcome = loop {
        let progress = if args.fast {
            driver.run_fast()
        } else {
            driver.advance(Timestamp::now())
        };
        match progress {
            Progress::Finished(outcome) => break outcome,
            Progress::WaitUntil(until) => {
                let wait = until.duration_since(Timestamp::now());
                tokio::time::sleep(wait.try_into().unwrap_or_default()).await;
            }
            Progress::Stuck => {
                return Err(CliError::platform(
                    "the execution waits for something that never comes",
                    "this is a fault of Lakehand; please report the definition and the input",
                ));
            }
        }
    };
    report(&outcome, driver.history(), output)
}

fn report(outcome: &Outcome, history: &[HistoryEvent], output: OutputFormat) -> VerbResult {
    let (status, result) = match outcome {
        Outcome::Succeeded { output } => ("SUCCEEDED", json!({ "output": output })),
        Outcome::Failed { error, cause } => ("FAILED", json!({ "error": error, "cause": cause })),
        Outcome::TimedOut => ("TIMED_OUT", json!({ "error": null, "cause": null })),
        Outcome::Aborted { error, cause } => ("ABORTED", json!({ "error": error, "cause": cause })),
    };
    let value = RunResult {
        status,
        result,
        events: history,
    };
    print_as(output, &value, |out| {
        draw::history(history, out)?;
        match outcome {
            Outcome::Succeeded { output } => writeln!(out, "{status}\n{output:#}"),
            Outcome::Failed { error, cause } | Outcome::Aborted { error, cause } => {
                let error = error.as_deref().unwrap_or("(no error name)");
                writeln!(out, "{status}: {}", for_terminal(error))?;
                match cause {
                    Some(cause) => writeln!(out, "{}", for_terminal(cause)),
                    None => Ok(()),
                }
            }
            Outcome::TimedOut => writeln!(out, "{status}"),
        }
    })?;
    Ok(match outcome {
        Outcome::Succeeded { .. } => Ended::Well,
        _ => Ended::Failed,
    })
}

fn parse_input(text: &str) -> Result<Value, CliError> {
    let (text, from) = match text.strip_prefix('@') {
        Some(path) => (read(Path::new(path))?, path.to_owned()),
        None => (text.to_owned(), "--input".to_owned()),
    };
    serde_json::from_str(&text).map_err(|error| {
        CliError::usage(
            format!("the input in {from} is not JSON: {error}"),
            "give JSON, as in --input '{\"a\": 1}', or a file, as in --input @input.json",
        )
    })
}

/// `collect` for `workflows/collect.asl.json`.
fn machine_name(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    [".asl.json", ".asl", ".json"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(&name)
        .to_owned()
}

/// `FILE` or `FILE#TESTCASE`.
fn load_mocks(argument: &str, machine: &str) -> Result<Mocks, CliError> {
    let (file, test_case) = match argument.rsplit_once('#') {
        Some((file, test_case)) if !Path::new(argument).exists() => (file, Some(test_case)),
        _ => (argument, None),
    };
    MockConfig::parse(&read(Path::new(file))?)
        .and_then(|config| config.test_case(machine, test_case))
        .map_err(|error| {
            CliError::usage(
                format!("{file}: {error}"),
                "the state machine is the one named like the definition's file, or the only one; the test case is the one after #, or the only one",
            )
        })
}

fn context_of(name: &str) -> ExecutionContext {
    let arn = |kind: &str| format!("arn:aws:states:us-east-1:123456789012:{kind}:{name}");
    let run = uuid::Uuid::new_v4();
    ExecutionContext {
        id: format!("{}:{run}", arn("execution")),
        name: run.to_string(),
        role_arn: "arn:aws:iam::123456789012:role/local".to_owned(),
        start_time: Timestamp::now(),
        state_machine_id: arn("stateMachine"),
        state_machine_name: name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn the_name_of_a_state_machine_is_the_stem_of_its_file() {
        for (path, name) in [
            ("a/collect.asl.json", "collect"),
            ("daily-report.json", "daily-report"),
            ("plain", "plain"),
        ] {
            assert_eq!(machine_name(Path::new(path)), name);
        }
    }

    #[test]
    fn an_input_is_json_or_a_file() {
        assert_eq!(parse_input("{\"a\": 1}").unwrap(), json!({"a": 1}));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[1]").unwrap();
        let argument = format!("@{}", file.path().display());
        assert_eq!(parse_input(&argument).unwrap(), json!([1]));
        assert!(
            parse_input("{a}")
                .unwrap_err()
                .to_string()
                .contains("--input")
        );
    }
}
