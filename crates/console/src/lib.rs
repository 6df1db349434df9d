//! The terminal console: `event -> update(state) -> effects; view(state)`.
//!
//! It answers an on-call engineer's questions: is today's data there, what failed, why, is a redrive safe. It
//! sees nothing but [`Operations`]: which platform answers it cannot tell, and tests give it a scripted one
//! ([`scripted`]). Only `update` changes the state, it reads no clock and does no I/O; `view` draws visible
//! rows straight into the buffer; effects run in the background and come back as events.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod actions;
mod editor;
mod effect;
mod event;
mod event_loop;
mod format;
mod fresh;
mod guard;
mod keymap;
mod paint;
mod runner;
mod screens;
pub mod scripted;
mod secret_prompt;
mod signals;
mod state;
mod table;
mod terminal;
#[cfg(test)]
mod tests;
mod theme;
mod update;
mod view;
mod widgets;

use std::{fmt, io, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use jiff::{Timestamp, tz::TimeZone};

use lakehand_config::{ConfigError, KeyPatch};
use lakehand_ops::{ExecutionId, Operations, OpsResult, ReportName, StartRequest};

pub use keymap::{KeyReference, check_keys, key_reference};
pub use secret_prompt::ask_secret;

/// Every key of the registry of actions: what a text may name.
#[must_use]
pub fn keys_of_actions() -> Vec<String> {
    let all = actions::ACTIONS.iter();
    all.flat_map(|action| action.default_keys)
        .map(ToString::to_string)
        .collect()
}

/// What the console shows first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StartScreen {
    /// The Board.
    #[default]
    Board,
    /// Starts the sample at once and follows it to its report.
    Demo,
    /// An execution.
    Run(ExecutionId),
    /// A report, opened in a table.
    Report(ReportName),
    /// A CSV file, opened in a table under a name; leaving the table leaves the console, and the keys are free for
    /// whoever opened it.
    File(PathBuf, ReportName),
}

/// Starts what shall go on when the console ends, in processes of its own. Where there is none (a platform elsewhere
/// runs what it is asked to), the operations start it themselves.
#[async_trait]
pub trait Launcher: fmt::Debug + Send + Sync {
    /// Starts an execution.
    async fn start(
        &self,
        operations: &dyn Operations,
        confirmed: Option<&str>,
        request: StartRequest,
    ) -> OpsResult<ExecutionId>;
    /// Redrives an execution.
    async fn redrive(
        &self,
        operations: &dyn Operations,
        confirmed: Option<&str>,
        id: &ExecutionId,
    ) -> OpsResult<()>;
    /// Starts a crawler.
    async fn crawl(
        &self,
        operations: &dyn Operations,
        confirmed: Option<&str>,
        name: &str,
    ) -> OpsResult<()>;
    /// Starts the sample; returns its collection.
    async fn start_sample(
        &self,
        operations: &dyn Operations,
        confirmed: Option<&str>,
    ) -> OpsResult<ExecutionId>;
    /// Executions whose processes still run.
    fn running(&self) -> Vec<ExecutionId>;
}

/// How the console is started.
#[derive(Debug, Clone, Default)]
pub struct ConsoleOptions {
    /// What is shown first.
    pub start: StartScreen,
    /// Draws lines and marks in ASCII; chosen by itself where the locale is not UTF-8.
    pub ascii: bool,
    /// Captures the mouse (the wheel scrolls, a click selects); `%` switches it.
    pub mouse: bool,
    /// Stays on the ordinary screen instead of the alternate one.
    pub plain: bool,
    /// Where exports go when the current directory cannot be written.
    pub state_folder: Option<PathBuf>,
    /// Starts what shall go on when the console ends; without it that runs where the operations run.
    pub launcher: Option<Arc<dyn Launcher>>,
    /// Other keys for actions; [`check_keys`] says beforehand what is wrong with them.
    pub keys: KeyPatch,
}

/// Why the console ended other than by the user's wish.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// There is no terminal, or it failed.
    #[error(
        "the console needs a terminal and cannot use this one: {0}; every screen has a command that prints the same, see lakehand --help"
    )]
    Terminal(#[source] io::Error),
    /// The terminal says that it can only write line after line.
    #[error(
        "the console needs a terminal that can place the cursor, and this one says it cannot (TERM=dumb)"
    )]
    Dumb,
    /// `[keys]` of the configuration is wrong.
    #[error("{0}")]
    Keys(#[from] ConfigError),
    /// A signal asked the console to end; the number is the system's.
    #[error("ended by signal {0}")]
    Signal(i32),
}

impl ConsoleError {
    fn terminal(error: io::Error) -> Self {
        Self::Terminal(error)
    }

    /// The exit code: 128 and the signal's number as a shell expects it, or 5 for a terminal that failed.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Terminal(_) | Self::Dumb => 5,
            Self::Keys(_) => 2,
            Self::Signal(number) => u8::try_from(128 + number).unwrap_or(1),
        }
    }
}

/// Opens the console on the terminal and runs it until the user leaves.
///
/// The future must be driven by `block_on` (as `#[tokio::main]` does), on a runtime with timers and I/O: the
/// thread that polls it is the one that draws, and a panic on it gives the terminal back first.
///
/// # Errors
/// [`ConsoleError::Terminal`] when standard output is no terminal or it goes away, [`ConsoleError::Signal`] after
/// SIGTERM, SIGHUP or SIGINT. The terminal has been given back in every case.
pub async fn run(
    operations: Arc<dyn Operations>,
    options: ConsoleOptions,
) -> Result<(), ConsoleError> {
    if !io::IsTerminal::is_terminal(&io::stdout()) {
        return Err(ConsoleError::terminal(io::Error::new(
            io::ErrorKind::Unsupported,
            "standard output is not a terminal",
        )));
    }
    let term = std::env::var("TERM").unwrap_or_default();
    if term == "dumb" {
        return Err(ConsoleError::Dumb);
    }
    let keymap = keymap::Keymap::patched(&options.keys)?;
    let identity = operations.identity();
    // First the listening, then the terminal: a signal in between must not leave it in raw mode.
    let signals = signals::Signals::listen().map_err(ConsoleError::terminal)?;
    let usage = terminal::Usage {
        mouse: options.mouse,
        plain: options.plain,
    };
    let screen = terminal::Screen::enter(usage).map_err(ConsoleError::terminal)?;
    let mut state = state::State::new(state::Setup {
        zone: TimeZone::get(&identity.time_zone).unwrap_or(TimeZone::UTC),
        identity,
        now: Timestamp::now(),
        size: screen.size().map_err(ConsoleError::terminal)?,
        mono: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
        glyphs: glyphs(options.ascii || has_few_glyphs(&term), locale_is_utf8()),
        mouse: options.mouse,
        test_panic: std::env::var_os("LAKEHAND_TEST_PANIC").is_some_and(|value| value == "1"),
        keymap,
    });
    let (sender, answers) = tokio::sync::mpsc::unbounded_channel();
    let folders = runner::Folders {
        export: PathBuf::from("."),
        state: options.state_folder,
    };
    let runner = runner::Runner::new(operations, folders, sender).with(options.launcher);
    let effects = begin(&mut state, options.start);
    event_loop::Loop {
        state,
        screen,
        runner,
        answers,
        signals,
        gate: Arc::default(),
    }
    .run(effects)
    .await
}

/// The first effects of a start.
fn begin(state: &mut state::State, start: StartScreen) -> Vec<effect::Effect> {
    let mut effects = Vec::new();
    match start {
        StartScreen::Board => {}
        StartScreen::Demo => update::begin_demo(state, &mut effects),
        StartScreen::Run(id) => update::begin_run(state, id, &mut effects),
        StartScreen::Report(name) => update::begin_report(state, name, &mut effects),
        StartScreen::File(path, name) => update::begin_file(state, path, name, &mut effects),
    }
    update::begin(state, &mut effects);
    effects
}

/// Terminals whose fonts lack our marks: the console of Linux, hardware terminals and what calls itself one.
fn has_few_glyphs(term: &str) -> bool {
    let name = term.split('-').next().unwrap_or_default();
    name == "linux" || name == "ansi" || name.starts_with("cons25") || name.starts_with("vt")
}

fn glyphs(ascii: bool, utf8: bool) -> state::Glyphs {
    match (ascii, utf8) {
        (_, false) => state::Glyphs::AsciiOnly,
        (true, true) => state::Glyphs::AsciiMarks,
        (false, true) => state::Glyphs::Unicode,
    }
}

/// Whether the locale's character set is UTF-8, by the variables in their order of precedence. Without any of
/// them modern terminals know UTF-8 all the same.
fn locale_is_utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty());
    match set {
        Some(value) => value.to_ascii_lowercase().replace('-', "").contains("utf8"),
        None => true,
    }
}
