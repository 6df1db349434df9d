//! `lakehand simulate`: the source APIs on loopback, until Ctrl-C.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jiff::civil::Date;
use secrecy::{ExposeSecret, SecretString};

use super::{CliError, Ended, OutputFormat, VerbResult};
use crate::pipeline::text::for_terminal;
use crate::simulator::{
    self, DEFAULT_SCALE, DEFAULT_SEED, FaultPlan, Options, RunningSimulator, SimulatorError,
    marketo::MarketoOptions,
};

mod settings;

/// Variable that may hold the key the simulator asks for.
const KEY_VARIABLE: &str = "LAKEHAND_SIMULATOR_KEY";

/// What to simulate.
#[derive(Debug, Args)]
#[command(after_long_help = FAULT_HELP)]
pub struct SimulateArgs {
    /// Port on 127.0.0.1; 0 for any free one.
    #[arg(long, default_value_t = 0, value_parser = super::run::number::<u16>)]
    port: u16,
    /// Seed of the generated rows. The same seed, scale and today give the same bytes.
    #[arg(long, default_value_t = DEFAULT_SEED, value_parser = super::run::number::<u64>)]
    seed: u64,
    /// Clicks to generate over fourteen days; conversions are a tenth of them.
    #[arg(long, default_value_t = DEFAULT_SCALE, value_name = "CLICKS", value_parser = super::run::number::<u64>)]
    scale: u64,
    /// The simulator's today, YYYY-MM-DD (UTC). Default: the present day; with --data the day of
    /// the newest event.
    #[arg(long, value_name = "DATE", value_parser = super::run::date)]
    today: Option<Date>,
    /// Serve the NDJSON files of this folder instead of generated rows: offers, affiliates,
    /// advertisers, clicks, conversions, each NAME.ndjson, NAME.json, NAME.ndjson.gz or .zst, or a
    /// folder NAME of such files; Marketo's marketo_*.csv, here or in a folder marketo; and results of
    /// the GA4 Data API (name, query, data[]) as *.json, here or in a folder ga4.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Let clicks of all days be read, not only those of the last seven.
    #[arg(long)]
    all_clicks: bool,
    /// Marketo calls a day of US Central.
    #[arg(long, default_value_t = 50_000, value_name = "CALLS", value_parser = super::run::number::<u64>)]
    marketo_daily_calls: u64,
    /// Bytes of Marketo bulk files a day of US Central.
    #[arg(long, default_value_t = 500 << 20, value_name = "BYTES", value_parser = super::run::number::<u64>)]
    marketo_export_bytes: u64,
    /// Seconds between two refreshes of the status of a Marketo bulk job.
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = super::run::number::<u64>)]
    marketo_status_refresh: u64,
    /// Write the key of the simulated Google service account to this file, for `credentials set` or for
    /// Google's own clients. It is readable by its owner alone.
    #[arg(long, value_name = "FILE")]
    google_key_file: Option<PathBuf>,
    /// What goes wrong, for example `429=0.05,500@/3.0/stats/clicks#2`; see --help.
    #[arg(long, value_name = "PLAN", default_value = "")]
    faults: FaultPlan,
    /// File that holds the key to ask for. Default: $LAKEHAND_SIMULATOR_KEY, or the demo key
    /// (`SIMULATED-SECRET-demo-general-manager`).
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

const FAULT_HELP: &str = "\
Faults: KIND[@PATH][=PROBABILITY|#N[-[M]]][:ARGUMENT], separated by commas.
  429  429-retry-after[:3s]  500  502  503  504  403    answers of that status
  status2  status2-again     200 with status 2: refused for good, or for now
  html  cut                  200 with an HTML page, with JSON that stops in the middle
  drop  drop-chunked         the connection ends in mid-body
  slow[:2s]                  the right answer, late
  duplicate-page  shift-page[:ROWS]    rows of the page before, rows moved (from page 2 on)
  wrong-key  expired-key-after=N       401
  late-status                a conversion changes between two requests
  marketo[:606]              Marketo's error of a code; 1029-queue, 1029-quota, 1029-queued, 1003-many
  google[:hour]              a refusal of Google Analytics: concurrent, hour, project-hour, day, thresholded,
                             server-errors, unauthenticated, permission, invalid, invalid-grant, user-rate,
                             quota-exceeded, daily-limit, not-found-html; unsettled changes the figures
  short-token                a Marketo token of two seconds
  export-failed  file-missing  truncated-file  wrong-checksum  wrong-range    Marketo's bulk files
PATH is a whole path or the beginning of one with * at its end; without one all requests count.
=0.05 strikes five of a hundred requests, #2 the second one, #2-4 the second to the fourth,
#2- all from the second; with neither, every request.";

/// Starts the simulator, prints its base URL and runs until Ctrl-C or SIGTERM.
///
/// # Errors
/// When it cannot start: a taken port, unreadable files or key file.
pub async fn run(args: &SimulateArgs, output: OutputFormat) -> VerbResult {
    let options = options(args)?;
    let simulator = simulator::start(options)
        .await
        .map_err(|error| told(&error))?;
    report_skipped(&simulator)?;
    if let Some(path) = &args.google_key_file {
        write_key(path, &simulator).map_err(|error| {
            CliError::usage(
                format!("cannot write the key file {}: {error}", path.display()),
                "choose a file that does not exist yet, in a folder that can be written",
            )
        })?;
    }
    announce(&simulator, args, output)?;
    stopped().await?;
    let requests = simulator.requests();
    simulator.shutdown().await;
    writeln!(io::stderr(), "{requests} requests answered")?;
    Ok(Ended::Well)
}

fn options(args: &SimulateArgs) -> Result<Options, CliError> {
    let mut options = Options {
        seed: args.seed,
        scale: args.scale,
        today: args.today,
        data: args.data.clone(),
        all_clicks: args.all_clicks,
        faults: args.faults.clone(),
        port: args.port,
        marketo: marketo_options(args),
        ..Options::default()
    };
    if let Some(key) = key(args.key_file.as_deref())? {
        options.api_key = key;
    }
    Ok(options)
}

fn marketo_options(args: &SimulateArgs) -> MarketoOptions {
    MarketoOptions {
        daily_calls: args.marketo_daily_calls,
        export_bytes_a_day: args.marketo_export_bytes,
        status_refresh: Duration::from_secs(args.marketo_status_refresh),
        ..MarketoOptions::default()
    }
}

/// The key from the file, else from the environment; never from an argument, which others can see.
fn key(file: Option<&Path>) -> Result<Option<SecretString>, CliError> {
    let text = match file {
        Some(path) => Some(fs::read_to_string(path).map_err(|error| {
            CliError::usage(
                format!("cannot read the key file {}: {error}", path.display()),
                "check the path and its permissions",
            )
        })?),
        None => std::env::var(KEY_VARIABLE).ok(),
    };
    match text.as_deref().map(str::trim) {
        None => Ok(None),
        Some("") => Err(CliError::usage(
            "the key for the simulator is empty",
            format!("put the key in the file, or unset {KEY_VARIABLE} to use the demo key"),
        )),
        Some(key) => Ok(Some(SecretString::from(key))),
    }
}

/// Names every line that is not served.
fn report_skipped(simulator: &RunningSimulator) -> io::Result<()> {
    let mut errors = io::stderr().lock();
    for skipped in simulator.skipped_lines() {
        let file = skipped.file.to_string_lossy();
        let (file, reason) = (for_terminal(&file), for_terminal(&skipped.reason));
        writeln!(errors, "not served: {file}:{}: {reason}", skipped.line)?;
    }
    Ok(())
}

/// A new file that nobody else can read; one that is there is left alone.
fn write_key(path: &Path, simulator: &RunningSimulator) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let key = simulator.service_account_key();
    options
        .open(path)?
        .write_all(key.expose_secret().as_bytes())
}

fn announce(
    simulator: &RunningSimulator,
    args: &SimulateArgs,
    output: OutputFormat,
) -> io::Result<()> {
    let (url, today) = (simulator.base_url(), simulator.today());
    let mut out = io::stdout().lock();
    match output {
        // One line, so that a script can read it and leave the rest to run.
        OutputFormat::Json => {
            let skipped = simulator.skipped_lines().len();
            writeln!(
                out,
                "{}",
                serde_json::json!({"base_url": url, "today": today.to_string(), "skipped_lines": skipped})
            )?;
        }
        OutputFormat::Text => {
            let rows = match &args.data {
                Some(folder) => format!("the files of {}", for_terminal(&folder.to_string_lossy())),
                None => format!("{} clicks from seed {}", args.scale, args.seed),
            };
            writeln!(
                out,
                "Affise, Marketo and Google Analytics are simulated at {url}"
            )?;
            writeln!(out, "{rows}; today is {today}; Ctrl-C stops it")?;
            let own_key = args.key_file.is_some() || std::env::var_os(KEY_VARIABLE).is_some();
            let google = args.google_key_file.as_deref();
            write!(out, "\n{}", settings::to_paste(&url, own_key, google))?;
        }
    }
    out.flush()
}

async fn stopped() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminated = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminated.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

fn told(error: &SimulatorError) -> CliError {
    let text = error.to_string();
    // The last clause of every such error is the advice.
    let (message, advice) = text
        .rsplit_once("; ")
        .unwrap_or((&text, "run `lakehand simulate --help`"));
    match error {
        SimulatorError::Listen { .. } => CliError::platform(message, advice),
        _ => CliError::usage(message, advice),
    }
}
