//! The command line: one file a verb, text and JSON output.
//!
//! Results go to standard output, errors and progress to standard error. Exit codes:
//!
//! | code | meaning |
//! | ---: | --- |
//! | 0 | done |
//! | 1 | it ran and failed: an execution, a check, a definition with mistakes |
//! | 2 | wrong usage or configuration |
//! | 3 | no such execution, report, workflow, table |
//! | 4 | not possible now: already running, already ended, read-only profile |
//! | 5 | the platform or a source failed |
//! | 130 | interrupted |

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::Arc,
};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{
    config::{Config, ConfigError, Home, KeyPatch, PlatformKind, Profile},
    ops::{Operations, operator::permitted},
    pipeline::text::{ForTerminal, Instead},
    platform::Platform,
};

#[cfg(test)]
mod advice;
mod check;
mod collect;
mod complete;
mod completions;
mod config;
mod crawlers;
mod credentials;
mod datamart;
#[cfg(feature = "simulator")]
mod demo;
#[cfg(feature = "deploy")]
mod deploy;
#[cfg(feature = "deploy")]
mod destroy;
mod detached;
mod error;
mod gold;
mod import;
mod jobs;
#[cfg(feature = "simulator")]
mod leave_sample;
mod log;
mod names;
#[cfg(feature = "deploy")]
mod package;
mod progress;
mod query;
mod reports;
mod run;
mod runs;
#[cfg(feature = "simulator")]
mod sample;
#[cfg(feature = "simulator")]
mod sample_sources;
mod scheduler;
#[cfg(feature = "simulator")]
mod simulate;
mod sources;
mod statements;
mod status;
mod times;
mod workflow;

pub use error::CliError;

/// A marketing data lakehouse and the console that operates it.
///
/// Without a verb, on a terminal, the console opens.
#[derive(Debug, Parser)]
#[command(name = "lakehand", version, max_term_width = 100, after_long_help = names::all())]
pub struct Cli {
    /// Profile of the configuration file.
    #[arg(
        long,
        short = 'p',
        global = true,
        env = "LAKEHAND_PROFILE",
        value_name = "NAME",
        add = clap_complete::ArgValueCandidates::new(complete::profiles)
    )]
    profile: Option<String>,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t = OutputFormat::Text, value_name = "FORMAT")]
    output: OutputFormat,
    /// The profile's name once more, for a change in a protected profile.
    #[arg(long, global = true, value_name = "PROFILE")]
    confirm: Option<String>,
    /// Tell the progress of what is waited for in lines on standard error, also in a pipe and with JSON.
    #[arg(long, global = true)]
    progress: bool,
    /// Only ASCII characters in the console.
    #[arg(long, global = true)]
    ascii: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What is there, what runs, what failed: the Board as text.
    Status(status::StatusArgs),
    /// How fresh every stream is, what is left of quotas, how the crawlers stand.
    Sources(sources::SourcesArgs),
    /// Start a workflow.
    Run(run::RunArgs),
    /// Collect a source into bronze and silver.
    Collect(collect::CollectArgs),
    /// Start a crawler: make new partitions and columns known to the catalog.
    Crawl(crawlers::CrawlArgs),
    /// List, show and stop crawlers.
    #[command(subcommand)]
    Crawlers(crawlers::CrawlersVerb),
    /// Import NDJSON files in a source's wire shape into bronze and silver.
    Import(import::ImportArgs),
    /// Build gold tables.
    #[command(subcommand)]
    Gold(gold::GoldVerb),
    /// Build and show the marketing datamart, list its snapshots, go back to one.
    #[command(subcommand)]
    Datamart(datamart::DatamartVerb),
    /// Check a table's data quality; exit code 1 when a check of severity error fails.
    Check(check::CheckArgs),
    /// Export, list and read reports.
    #[command(subcommand)]
    Reports(reports::ReportsVerb),
    /// List, show, stop and redrive executions; read their logs.
    #[command(subcommand)]
    Runs(runs::RunsVerb),
    /// List, show and stop SQL statements: what they read and cost, why they failed.
    #[command(subcommand)]
    Statements(statements::StatementsVerb),
    /// List, start and stop existing Glue jobs of an AWS profile.
    #[command(subcommand)]
    Jobs(jobs::JobsVerb),
    /// Start the profile's schedules on this machine, until stopped.
    Scheduler(scheduler::SchedulerArgs),
    /// Run SQL statements, in Athena's spelling; without one, on a terminal, a prompt opens.
    Query(query::QueryArgs),
    /// Check, draw and run state machine definitions.
    #[command(subcommand)]
    Workflow(workflow::WorkflowVerb),
    /// Serve the source APIs on loopback.
    #[cfg(feature = "simulator")]
    Simulate(simulate::SimulateArgs),
    /// Everything once, with sample data: collect, report, CSV.
    #[cfg(feature = "simulator")]
    Demo(demo::DemoArgs),
    /// Leave the sample: keep it aside or delete it, and begin with an empty lake for your own sources.
    #[cfg(feature = "simulator")]
    LeaveSample(leave_sample::LeaveSampleArgs),
    /// List, set and test credentials; values are never shown.
    #[command(subcommand)]
    Credentials(credentials::CredentialsVerb),
    /// Make the functions' zip from a built binary.
    #[cfg(feature = "deploy")]
    Package(package::PackageArgs),
    /// Deploy the profile's stacks to AWS: plan, ask, execute, watch.
    #[cfg(feature = "deploy")]
    Deploy(deploy::DeployArgs),
    /// Take a deployment away; data stays unless every bucket is named.
    #[cfg(feature = "deploy")]
    Destroy(destroy::DestroyArgs),
    /// Where the configuration lies, whether it is right, what is in force.
    #[command(subcommand)]
    Config(config::ConfigVerb),
    /// Print a completion script for a shell.
    Completions(completions::CompletionsArgs),
}

/// What every verb gets.
pub struct App {
    /// The profile in force.
    pub profile: Arc<Profile>,
    /// Its ports.
    pub platform: Platform,
    /// What the operator can do; in a protected profile changes only where its name was given.
    operations: Arc<dyn Operations>,
    /// The name given with `--confirm`.
    confirm: Option<String>,
    /// How to print.
    pub output: OutputFormat,
    /// Keys of the console that the configuration changes.
    pub keys: KeyPatch,
}

/// How a verb that ran ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Exit code 0.
    Well,
    /// Exit code 1: it ran and failed, and its result says so.
    Failed,
}

/// Result of a verb.
pub type VerbResult = Result<Ended, CliError>;

impl App {
    /// What the operator can do.
    #[must_use]
    pub fn operations(&self) -> Arc<dyn Operations> {
        Arc::clone(&self.operations)
    }

    /// Today in the profile's time zone, or the last day of a sample whose calendar is ahead of it.
    #[must_use]
    pub fn today(&self) -> jiff::civil::Date {
        let now = self.platform.now();
        let today = now.to_zoned(self.profile.time_zone.clone()).date();
        #[cfg(feature = "simulator")]
        let today = sample::last_day(&self.profile).map_or(today, |last| last.max(today));
        today
    }

    /// Whether the profile runs elsewhere: what is started there goes on without this process.
    #[must_use]
    pub fn is_distant(&self) -> bool {
        self.profile.platform != PlatformKind::Local
    }

    /// Starts work that goes on when this process ends.
    #[must_use]
    pub fn detached(&self) -> detached::Detached {
        detached::Detached::new(&self.profile, self.confirm.as_deref())
    }

    /// Prints `value` as JSON, or what `text` writes.
    ///
    /// # Errors
    /// When standard output fails; a closed pipe ends the program quietly.
    pub fn print<T: serde::Serialize>(
        &self,
        value: &T,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), CliError> {
        if !self.holds_sample() {
            return print_as(self.output, value, text);
        }
        let value = match self.output {
            OutputFormat::Json => marked(serde_json::to_value(value).map_err(io::Error::from)?),
            OutputFormat::Text => serde_json::Value::Null,
        };
        print_as(self.output, &value, |out| {
            writeln!(out, "{SAMPLE}")?;
            text(out)
        })
    }

    /// As [`Self::print`], for what goes on: JSON is one document a line.
    ///
    /// # Errors
    /// When standard output fails.
    pub fn print_line(
        &self,
        value: &serde_json::Value,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), CliError> {
        let mut out = standard_output(self.output);
        match self.output {
            OutputFormat::Text => text(&mut out)?,
            OutputFormat::Json => writeln!(out, "{value}")?,
        }
        out.flush()?;
        Ok(())
    }

    /// Says on standard error that what follows on standard output is sample data: for rows and bytes, which stay
    /// as they are.
    pub fn say_sample(&self) {
        if self.holds_sample() {
            let said = match self.output {
                OutputFormat::Text => SAMPLE.to_owned(),
                OutputFormat::Json => {
                    serde_json::json!({ "sample": true, "note": SAMPLE }).to_string()
                }
            };
            let _ = writeln!(io::stderr(), "{said}");
        }
    }

    fn holds_sample(&self) -> bool {
        self.operations.connection().holds_sample
    }
}

/// What every answer from sample data begins with.
const SAMPLE: &str = "SAMPLE DATA, made by the built-in simulator";

/// A JSON answer from sample data: each object of it says so.
fn marked(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    let mark = |value: Value| match value {
        Value::Object(mut object) => {
            object.entry("sample").or_insert(Value::Bool(true));
            Value::Object(object)
        }
        other => other,
    };
    match value {
        Value::Array(all) => Value::Array(all.into_iter().map(mark).collect()),
        one => mark(one),
    }
}

/// Prints `value` as JSON, or what `text` writes, to standard output.
///
/// # Errors
/// When standard output fails.
pub fn print_as<T: serde::Serialize>(
    output: OutputFormat,
    value: &T,
    text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), CliError> {
    let mut out = standard_output(output);
    match output {
        OutputFormat::Text => text(&mut out)?,
        OutputFormat::Json => {
            serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    Ok(())
}

/// Standard output for texts and JSON: whatever comes from outside, nothing that steers a terminal passes.
fn standard_output(output: OutputFormat) -> ForTerminal<io::BufWriter<io::StdoutLock<'static>>> {
    let instead = match output {
        OutputFormat::Text => Instead::Symbol,
        OutputFormat::Json => Instead::JsonEscape,
    };
    ForTerminal::new(io::BufWriter::new(io::stdout().lock()), instead)
}

/// Standard error, as [`standard_output`].
fn standard_error() -> ForTerminal<io::StderrLock<'static>> {
    ForTerminal::new(io::stderr().lock(), Instead::Symbol)
}

/// Standard output for data: byte for byte into a file or another program, made visible on a terminal.
fn data_output() -> Box<dyn Write + Send> {
    let out = io::BufWriter::new(io::stdout());
    if io::stdout().is_terminal() {
        Box::new(ForTerminal::new(out, Instead::SymbolInData))
    } else {
        Box::new(out)
    }
}

/// Parses the arguments and runs the verb; the whole program.
#[must_use]
pub fn main() -> ExitCode {
    complete::answer();
    log::start();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error),
    };
    let output = cli.output;
    if cli.progress {
        progress::tell_in_lines();
    }
    match dispatch(cli) {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::Failed) => ExitCode::from(1),
        Err(error) => error.report(output),
    }
}

/// Prints help or what is wrong with the arguments; never an argument that may be a secret.
fn not_parsed(error: &clap::Error) -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let of_credentials = arguments.iter().any(|argument| argument == "credentials");
    if error.use_stderr() && of_credentials {
        let is_json = arguments.windows(2).any(|two| two == ["--output", "json"])
            || arguments.iter().any(|argument| argument == "--output=json");
        let output = if is_json {
            OutputFormat::Json
        } else {
            OutputFormat::Text
        };
        return credentials::misused().report(output);
    }
    // Help and version come this way too; a closed pipe is nobody's error.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn dispatch(cli: Cli) -> VerbResult {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            CliError::platform(
                format!("could not start the worker threads: {error}"),
                "free memory or processes and try again",
            )
        })?;
    let ended = runtime.block_on(run_verb(cli));
    // Blocking readers must not hold the exit up.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    ended
}

async fn run_verb(cli: Cli) -> VerbResult {
    let output = cli.output;
    // These need no platform, and must work when the configuration is broken.
    match &cli.verb {
        Some(Verb::Config(verb)) => return config::run(verb, cli.profile.as_deref(), output),
        Some(Verb::Completions(args)) => return completions::run(args),
        Some(Verb::Workflow(verb)) => return workflow::run(verb, output).await,
        #[cfg(feature = "simulator")]
        Some(Verb::Simulate(args)) => return simulate::run(args, output).await,
        #[cfg(feature = "deploy")]
        Some(Verb::Package(args)) => return package::run(args, output),
        #[cfg(feature = "deploy")]
        Some(Verb::Deploy(args)) => {
            return deploy::run(args, cli.profile.as_deref(), output).await;
        }
        #[cfg(feature = "deploy")]
        Some(Verb::Destroy(args)) => {
            return destroy::run(args, cli.profile.as_deref(), output).await;
        }
        _ => {}
    }
    #[cfg(feature = "simulator")]
    if let Some(Verb::LeaveSample(args)) = &cli.verb {
        let profile = Config::load(&Home::find()?)?
            .profile(cli.profile.as_deref())?
            .clone();
        let confirm = cli.confirm.as_deref();
        return leave_sample::run(args, &Arc::new(profile), confirm, output).await;
    }
    let app = open(cli.profile.as_deref(), cli.confirm, output, &cli.verb).await?;
    tracing::info!(profile = %app.profile.name, version = env!("CARGO_PKG_VERSION"), "started {}", named(&cli.verb));
    let verb = cli.verb;
    let ascii = cli.ascii;
    let work = async {
        let ended = with_platform(&app, verb, ascii).await;
        // A crawl that a landing object started should not be cut off by the end of the program.
        app.platform.idle().await;
        ended
    };
    tokio::select! {
        ended = work => ended,
        () = interrupted(app.platform.console_is_open()) => Err(CliError::Interrupted),
    }
}

/// The verb without its arguments, for the log.
fn named(verb: &Option<Verb>) -> String {
    let Some(verb) = verb else {
        return "the console".to_owned();
    };
    // Of the debug form the name alone: what follows may be anything.
    let text = format!("{verb:?}");
    text.chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect()
}

/// Resolves on Ctrl-C or SIGTERM, unless the console has the terminal: it handles its own signals.
async fn interrupted(console: Arc<std::sync::atomic::AtomicBool>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut int), Ok(mut term)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    loop {
        tokio::select! { _ = int.recv() => {}, _ = term.recv() => {} }
        if !console.load(std::sync::atomic::Ordering::Relaxed) {
            return;
        }
    }
}

async fn open(
    profile: Option<&str>,
    confirm: Option<String>,
    output: OutputFormat,
    verb: &Option<Verb>,
) -> Result<App, CliError> {
    let home = Home::find()?;
    let config = Config::load(&home)?;
    let profile = config.profile(profile)?.clone();
    #[cfg(feature = "simulator")]
    let mut is_left = false;
    #[cfg(feature = "simulator")]
    let profile = if profile.platform != PlatformKind::Local {
        profile
    } else {
        let demo = match verb {
            Some(Verb::Demo(demo)) => Some(demo),
            _ => None,
        };
        if demo.is_some_and(demo::DemoArgs::fresh) {
            let named = confirm.as_deref() == Some(&profile.name);
            permitted(&profile, named, "the deletion of sample data")?;
            sample::remove(&profile)?;
        }
        leave_sample::before(&Arc::new(profile.clone()), confirm.as_deref(), verb).await?;
        is_left = demo.is_none() && leave_sample::has_own_sources(&profile);
        sample::in_force(&profile, demo.is_some_and(demo::DemoArgs::all))
    };
    let profile = Arc::new(profile);
    let platform = Platform::open(Arc::clone(&profile)).await?;
    #[cfg(feature = "simulator")]
    if let Ok(platform) = platform.local("the sample") {
        sample::install(platform, is_left);
    }
    let operations = platform.operations();
    let confirmed = confirm.as_deref().map(|name| operations.confirmed(name));
    let operations = match confirmed.transpose()? {
        Some(Some(confirmed)) => confirmed,
        _ => operations,
    };
    Ok(App {
        profile,
        platform,
        operations,
        confirm,
        output,
        keys: config.keys().clone(),
    })
}

async fn with_platform(app: &App, verb: Option<Verb>, ascii: bool) -> VerbResult {
    match verb {
        None => open_console(app, ascii).await,
        Some(Verb::Status(args)) => status::run(app, &args).await,
        Some(Verb::Sources(args)) => sources::run(app, &args).await,
        Some(Verb::Run(args)) => run::run(app, &args).await,
        Some(Verb::Collect(args)) => collect::run(app, &args).await,
        Some(Verb::Crawl(args)) => crawlers::crawl(app, &args).await,
        Some(Verb::Crawlers(verb)) => crawlers::run(app, &verb).await,
        Some(Verb::Import(args)) => import::run(app, &args).await,
        Some(Verb::Gold(verb)) => gold::run(app, &verb).await,
        Some(Verb::Datamart(verb)) => datamart::run(app, &verb).await,
        Some(Verb::Check(args)) => check::run(app, &args).await,
        Some(Verb::Reports(verb)) => reports::run(app, &verb).await,
        Some(Verb::Runs(verb)) => runs::run(app, &verb).await,
        Some(Verb::Statements(verb)) => statements::run(app, &verb).await,
        Some(Verb::Jobs(verb)) => jobs::run(app, &verb).await,
        Some(Verb::Scheduler(args)) => scheduler::run(app, &args).await,
        Some(Verb::Query(args)) => query::run(app, &args).await,
        Some(Verb::Credentials(verb)) => credentials::run(app, &verb).await,
        #[cfg(feature = "simulator")]
        Some(Verb::Demo(args)) => demo::run(app, &args, ascii).await,
        // Answered before a platform was opened.
        Some(_) => Ok(Ended::Well),
    }
}

async fn open_console(app: &App, ascii: bool) -> VerbResult {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(CliError::usage(
            "the console needs a terminal, and standard input or output is none",
            "use a verb such as `lakehand status`; `lakehand --help` lists them",
        ));
    }
    console::open(app, ascii, console::Start::Board).await
}

mod console {
    //! From the command line into the terminal console.
    use super::{App, CliError, Ended, VerbResult};

    /// What the console shows first.
    pub enum Start {
        /// The Board.
        Board,
        /// The sample run, started at once.
        #[cfg(feature = "simulator")]
        Demo,
        /// A CSV file in a table, and its name for people.
        #[cfg(feature = "console")]
        File(std::path::PathBuf, String),
    }

    #[cfg(feature = "console")]
    pub async fn open(app: &App, ascii: bool, start: Start) -> VerbResult {
        use std::sync::Arc;

        use super::detached::ConsoleLauncher;
        use crate::console::{ConsoleOptions, Launcher, StartScreen};
        app.platform
            .console_is_open()
            .store(true, std::sync::atomic::Ordering::Relaxed);
        let start = match start {
            Start::Board => StartScreen::Board,
            #[cfg(feature = "simulator")]
            Start::Demo => StartScreen::Demo,
            Start::File(path, name) => StartScreen::File(path, name.into()),
        };
        let launcher = (!app.is_distant()).then(|| {
            let launcher = ConsoleLauncher::new(Arc::clone(&app.profile), app.confirm.clone());
            Arc::new(launcher) as Arc<dyn Launcher>
        });
        let options = ConsoleOptions {
            start,
            launcher,
            ascii,
            state_folder: Some(app.profile.exports_dir()),
            keys: app.keys.clone(),
            ..ConsoleOptions::default()
        };
        crate::console::run(app.platform.operations(), options)
            .await
            .map(|()| Ended::Well)
            .map_err(|error| {
                CliError::console(
                    error.exit_code(),
                    error.to_string(),
                    "what it started goes on; verbs such as `lakehand status` need no terminal",
                )
            })
    }

    #[cfg(not(feature = "console"))]
    pub async fn open(_app: &App, _ascii: bool, _start: Start) -> VerbResult {
        Err(CliError::usage(
            "this build has no console",
            "use a verb such as `lakehand status`",
        ))
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::usage(
            error.to_string(),
            "`config.example.toml` shows every setting; `lakehand config check` checks the file",
        )
    }
}
