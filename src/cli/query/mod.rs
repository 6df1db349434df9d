//! `lakehand query`: statements in Athena's spelling, from an argument, a file, standard input or a prompt.
//!
//! A statement given as an argument stands alone: a second one behind a semicolon is refused, so that whoever puts a
//! value into it cannot add one. Files and standard input may hold several. Rows go to standard output or a file,
//! everything else to standard error, and nothing is ever asked outside of the prompt.

use std::{
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use tokio_util::sync::CancellationToken;

mod ask;
mod beside;
#[cfg(feature = "console")]
mod commands;
#[cfg(feature = "console")]
mod complete;
#[cfg(feature = "console")]
mod editor;
mod format;
#[cfg(feature = "console")]
mod page;
#[cfg(feature = "console")]
mod prompt;
mod script;
#[cfg(feature = "console")]
mod words;

use super::{App, CliError, Ended, VerbResult, print_as};
use crate::pipeline::ports::QueryEngine;
use ask::{Asker, Settings};
use format::RowFormat;
use script::Statement;

/// What to ask.
#[derive(Debug, Args)]
#[command(after_help = super::names::tables())]
pub struct QueryArgs {
    /// The statement; `-` reads statements from standard input. Without it, on a terminal, a prompt opens.
    sql: Option<String>,
    /// Statements of a file, separated by semicolons.
    #[arg(long, short = 'f', value_name = "FILE", conflicts_with = "sql")]
    file: Option<PathBuf>,
    /// Rows in this format instead of --output's.
    #[arg(long, value_enum)]
    format: Option<RowFormat>,
    /// Rows into this file; its ending names the format where --format does not.
    #[arg(long, short = 'o', value_name = "FILE")]
    out: Option<PathBuf>,
    /// A Parquet file, or a folder of them, to read as one more table; may be given several times.
    #[arg(long = "table", value_name = "NAME=PATH", value_parser = named_path)]
    tables: Vec<(String, PathBuf)>,
    /// Take what Athena refuses and this machine's engine understands: for exploring, not for SQL that is kept.
    #[arg(long)]
    lenient: bool,
    /// Tell rows, time, bytes and cost on standard error; on a terminal they are told anyway.
    #[arg(long)]
    timing: bool,
    /// Tell what the statement would scan and cost on Athena, and do not run it.
    #[arg(long, conflicts_with_all = ["out", "format"])]
    estimate: bool,
    /// Print long results as they are instead of opening them as a table.
    #[arg(long)]
    no_pager: bool,
    /// Go on with the next statement after one that failed; exit code 1 at the end.
    #[arg(long)]
    keep_going: bool,
    /// List where answers of this machine's engine differ from Athena's on purpose.
    #[arg(long, conflicts_with_all = ["sql", "file", "estimate"])]
    explain_differences: bool,
}

/// Splits `NAME=PATH`.
fn named_path(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok((name.to_owned(), PathBuf::from(path)))
        }
        _ => Err("expected NAME=PATH, for example old=/data/archive.parquet".to_owned()),
    }
}

/// Runs the statements.
///
/// # Errors
/// When one is refused or fails.
pub async fn run(app: &App, args: &QueryArgs) -> VerbResult {
    if args.explain_differences {
        return explain_differences(app);
    }
    let on_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let statements = match given(args)? {
        Given::Statements(statements) => statements,
        Given::Nothing if on_terminal => return prompt(app, args).await,
        Given::Nothing => {
            return Err(CliError::usage(
                "there is no statement, and the prompt needs a terminal as standard input and output",
                "give a statement, or --file FILE",
            ));
        }
    };
    check_file(args, &statements)?;
    let asker = Asker {
        app,
        engine: engine(app, args)?,
    };
    app.say_sample();
    let settings = Settings {
        format: args.format,
        out: args.out.clone(),
        timing: args.timing || (on_terminal && io::stderr().is_terminal()),
        pages: on_terminal && !args.no_pager && has_screen(),
    };
    all(&asker, args, &settings, &statements).await
}

/// One statement after the other.
async fn all(
    asker: &Asker<'_>,
    args: &QueryArgs,
    settings: &Settings,
    statements: &[Statement],
) -> VerbResult {
    let cancel = CancellationToken::new();
    let mut ended = Ended::Well;
    for statement in statements {
        let done = match args.estimate {
            true => asker.estimate(statement).await,
            false => asker.ask(statement, settings, &cancel).await,
        };
        let done = done.map_err(|error| match statements.len() {
            1 => error,
            _ => of_line(error, statement),
        });
        match done {
            Ok(()) => {}
            // Nobody reads any more.
            Err(CliError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Err(error.into());
            }
            Err(error) if args.keep_going => {
                error.report(asker.app.output);
                ended = Ended::Failed;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(ended)
}

/// An error of one statement of several.
fn of_line(error: CliError, statement: &Statement) -> CliError {
    error.retold(|message| format!("the statement of line {}: {message}", statement.line))
}

/// Statements on the command line.
enum Given {
    Statements(Vec<Statement>),
    Nothing,
}

fn given(args: &QueryArgs) -> Result<Given, CliError> {
    let text = match (&args.sql, &args.file) {
        (Some(sql), _) if sql != "-" => {
            let (sql, line, column) = (sql.clone(), 1, 1);
            return Ok(Given::Statements(vec![Statement { sql, line, column }]));
        }
        (None, None) if io::stdin().is_terminal() => return Ok(Given::Nothing),
        (_, Some(file)) => read(file)?,
        _ => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text)?;
            text
        }
    };
    match script::split(&text).statements {
        none if none.is_empty() => Err(CliError::usage(
            "SYNTAX_ERROR: there is no statement",
            "write one, such as SELECT 1",
        )),
        statements => Ok(Given::Statements(statements)),
    }
}

/// The text of a file of statements.
fn read(file: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(file).map_err(|error| {
        CliError::usage(
            format!("could not read {}: {error}", file.display()),
            "name a file of SQL in UTF-8",
        )
    })
}

/// One file holds the rows of one statement, in a format that is known.
fn check_file(args: &QueryArgs, statements: &[Statement]) -> Result<(), CliError> {
    let Some(out) = &args.out else {
        return Ok(());
    };
    if statements.len() > 1 {
        return Err(CliError::usage(
            format!(
                "{} statements cannot write one file {}: the last would replace the others",
                statements.len(),
                out.display()
            ),
            "give one statement with --out",
        ));
    }
    if args.format.is_none() && RowFormat::of_file(out).is_none() {
        return Err(CliError::usage(
            format!("the ending of {} names no format", out.display()),
            "name one: --format table, csv, tsv, json, markdown or parquet",
        ));
    }
    Ok(())
}

/// The profile's engine, as lenient as it shall be, which knows the files that were named as tables.
fn engine(app: &App, args: &QueryArgs) -> Result<Arc<dyn QueryEngine>, CliError> {
    let needed = match (args.tables.is_empty(), args.lenient) {
        (true, false) => return Ok(app.platform.engine()),
        (_, true) => "--lenient",
        (false, false) => "--table",
    };
    let mut engine = app.platform.local(needed)?.engine()?.clone();
    for (name, path) in &args.tables {
        engine = engine.with_parquet(name, path)?;
    }
    if args.lenient {
        engine = engine.lenient()?;
    }
    Ok(Arc::new(engine))
}

/// The differences that are kept.
fn explain_differences(app: &App) -> VerbResult {
    use lakehand_engine::differences::{DIFFERENCES, table};
    let value: Vec<_> = DIFFERENCES
        .iter()
        .map(|one| {
            serde_json::json!({ "id": one.id, "what": one.what, "here": one.here,
                "on_athena": one.on_athena, "is_answered": one.is_answered })
        })
        .collect();
    print_as(app.output, &value, |out| {
        writeln!(out, "{}", table())?;
        writeln!(
            out,
            "\nA statement that is answered although its answer differs says so on standard error; the others are refused."
        )
    })?;
    Ok(Ended::Well)
}

/// Whether there is a terminal that can place the cursor.
fn has_screen() -> bool {
    cfg!(feature = "console") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(feature = "console")]
async fn prompt(app: &App, args: &QueryArgs) -> VerbResult {
    if args.out.is_some() || args.estimate {
        return Err(CliError::usage(
            "the prompt takes no --out and no --estimate",
            "give a statement with them; in the prompt \\o FILE and \\cost STATEMENT do the same",
        ));
    }
    let asker = Asker {
        app,
        engine: engine(app, args)?,
    };
    let settings = Settings {
        format: args.format,
        out: None,
        timing: true,
        pages: !args.no_pager && has_screen(),
    };
    prompt::run(&asker, settings).await
}

#[cfg(not(feature = "console"))]
async fn prompt(_app: &App, _args: &QueryArgs) -> VerbResult {
    Err(CliError::usage(
        "this build has no prompt",
        "give a statement, or `-` to read statements from standard input",
    ))
}
