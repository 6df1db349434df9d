//! `lakehand query` on a terminal: a prompt.
//!
//! The editor has the terminal while a line is typed; while a statement runs, the terminal is as it was, and Ctrl-C is a
//! signal that stops the statement and not the prompt. Whatever ends the prompt gives the terminal's modes back.

use std::{
    io::{self, Write},
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, atomic::Ordering},
    time::Duration,
};

use arrow::array::AsArray;
use futures::{FutureExt, StreamExt};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    ask::{Asker, Settings},
    commands::{self, Command, HELP},
    complete::Names,
    editor::{Lines, Typed},
    format::RowFormat,
    read,
    script::{Statement, split},
};
use crate::{
    cli::{CliError, Ended, VerbResult, standard_error},
    pipeline::{ports::QueryEngine, text::for_terminal},
    platform::local::engine::kind,
};

/// How long a statement may take to stop when the prompt was told to end.
const STOPPING: Duration = Duration::from_secs(5);
/// Partitions that `\d TABLE` shows.
const PARTITIONS: usize = 20;

/// The modes of the terminal before anything changed them.
struct Modes(Option<Termios>);

impl Modes {
    fn remember() -> Self {
        Self(tcgetattr(io::stdin()).ok())
    }

    /// Puts them back, and the paste mode of the editor off.
    fn put_back(&self) {
        if let Some(modes) = &self.0 {
            let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, modes);
            let _ = io::stdout().write_all(b"\x1b[?2004l\r\n");
            let _ = io::stdout().flush();
        }
    }
}

/// Whether the prompt goes on.
enum Next {
    Goes,
    Ends,
}

struct Prompt<'a> {
    asker: &'a Asker<'a>,
    settings: Settings,
    names: Arc<RwLock<Names>>,
    terminated: Signal,
}

/// Runs the prompt until its user leaves.
///
/// # Errors
/// When the terminal cannot be used; [`CliError::Interrupted`] after SIGTERM.
pub async fn run(asker: &Asker<'_>, settings: Settings) -> VerbResult {
    let app = asker.app;
    // From here on Ctrl-C is the prompt's.
    let own_signals = app.platform.console_is_open();
    own_signals.store(true, Ordering::Relaxed);
    let modes = Modes::remember();
    let names = Arc::new(RwLock::new(Names::default()));
    let history = app.profile.data_dir.join("query_history");
    let no_terminal = |error: io::Error| {
        CliError::usage(
            format!("the prompt cannot use this terminal: {error}"),
            "give a statement, or `-` to read statements from standard input",
        )
    };
    let lines = Lines::start(history, Arc::clone(&names)).map_err(no_terminal)?;
    let mut prompt = Prompt {
        asker,
        settings,
        names,
        terminated: signal(SignalKind::terminate()).map_err(no_terminal)?,
    };
    app.say_sample();
    println!(
        "Profile {}. A statement ends with ; and \\? lists the commands.",
        for_terminal(&app.profile.name)
    );
    prompt.learn_names();
    let waits = format!("{}> ", for_terminal(&app.profile.name));
    loop {
        let typed = tokio::select! {
            typed = lines.read(&waits) => typed,
            _ = prompt.terminated.recv() => {
                modes.put_back();
                return Err(CliError::Interrupted);
            }
        };
        let next = match typed {
            Typed::Text(text) => prompt.take(&text).await?,
            Typed::Dropped => Next::Goes,
            Typed::End => Next::Ends,
        };
        if matches!(next, Next::Ends) {
            return Ok(Ended::Well);
        }
    }
}

impl Prompt<'_> {
    /// Does what was typed. What fails is told, and the prompt goes on.
    async fn take(&mut self, text: &str) -> Result<Next, CliError> {
        let done = match commands::parse(text) {
            Some(Ok(Command::Quit)) => return Ok(Next::Ends),
            Some(Ok(command)) => self.command(command).await,
            Some(Err(told)) => Err(CliError::usage(told, "")),
            None => self.statements(&split(text).statements).await,
        };
        match done {
            Ok(()) => Ok(Next::Goes),
            Err(CliError::Interrupted) => Err(CliError::Interrupted),
            Err(error) => {
                error.report(self.asker.app.output);
                Ok(Next::Goes)
            }
        }
    }

    async fn command(&mut self, command: Command) -> Result<(), CliError> {
        match command {
            Command::Quit => {}
            Command::Help => print!("{HELP}"),
            Command::Tables => self.show_tables().await?,
            Command::Table(table) => self.show_table(&table).await?,
            Command::Timing => {
                self.settings.timing = !self.settings.timing;
                println!(
                    "timing is {}",
                    if self.settings.timing { "on" } else { "off" }
                );
            }
            Command::Vertical => {
                let is_down = self.settings.format == Some(RowFormat::Vertical);
                self.settings.format = (!is_down).then_some(RowFormat::Vertical);
                self.tell_format();
            }
            Command::Format(format) => {
                self.settings.format = format.or(self.settings.format);
                self.tell_format();
            }
            Command::Out(file) => {
                self.settings.out = file.map(PathBuf::from);
                match &self.settings.out {
                    Some(file) => {
                        println!(
                            "the next rows go to {}",
                            for_terminal(&file.to_string_lossy())
                        );
                    }
                    None => println!("rows go to the terminal"),
                }
            }
            Command::Read(file) => {
                let text = read(std::path::Path::new(&file))?;
                self.statements(&split(&text).statements).await?;
            }
            Command::Cost(sql) => {
                let (line, column) = (1, 1);
                let sql = sql.trim_end_matches(';').to_owned();
                self.asker
                    .estimate(&Statement { sql, line, column })
                    .await?;
            }
        }
        Ok(())
    }

    fn tell_format(&self) {
        let format = self.settings.format.unwrap_or(RowFormat::Table);
        println!("rows are printed as {}", format.name());
    }

    /// Runs statements up to the first that fails.
    async fn statements(&mut self, statements: &[Statement]) -> Result<(), CliError> {
        for statement in statements {
            let settings = self.settings.clone();
            let gives_rows = kind(&statement.sql).is_ok_and(|kind| kind.gives_rows);
            self.run(statement, &settings).await?;
            match gives_rows {
                // The file was for these rows; the next ones would replace them.
                true => self.settings.out = None,
                false => self.learn_names(),
            }
        }
        Ok(())
    }

    /// Runs a statement, and stops it at Ctrl-C.
    async fn run(&mut self, statement: &Statement, settings: &Settings) -> Result<(), CliError> {
        let cancel = CancellationToken::new();
        let mut interrupts = signal(SignalKind::interrupt())?;
        let work = AssertUnwindSafe(self.asker.ask(statement, settings, &cancel)).catch_unwind();
        let work = work.map(|done| done.unwrap_or_else(|_| Err(broken())));
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = interrupts.recv() => {
                    if cancel.is_cancelled() {
                        return Err(CliError::platform(
                            "the statement was left before it had told its end",
                            "look at the table before a change is repeated",
                        ));
                    }
                    cancel.cancel();
                    let _ = writeln!(standard_error(), "\nstopping the statement; Ctrl-C again does not wait for its end");
                }
                _ = self.terminated.recv() => {
                    cancel.cancel();
                    let _ = tokio::time::timeout(STOPPING, &mut work).await;
                    return Err(CliError::Interrupted);
                }
            }
        }
    }

    /// Settings of what the prompt asks for itself.
    fn as_table(&self) -> Settings {
        Settings {
            format: Some(RowFormat::Table),
            out: None,
            timing: false,
            pages: self.settings.pages,
        }
    }

    async fn show_tables(&mut self) -> Result<(), CliError> {
        let sql = format!(
            "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = {} ORDER BY 1",
            literal(self.asker.engine.schema())
        );
        let settings = self.as_table();
        self.run(&whole(sql), &settings).await
    }

    async fn show_table(&mut self, table: &str) -> Result<(), CliError> {
        let name = table
            .rsplit('.')
            .next()
            .unwrap_or(table)
            .trim_matches('"')
            .to_lowercase();
        let known = {
            let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
            names.0.is_empty() || names.0.contains_key(&name)
        };
        let sql = match known {
            true => format!(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = {} AND table_name = {} ORDER BY ordinal_position",
                literal(self.asker.engine.schema()),
                literal(&name)
            ),
            // A file that was named as a table is in no catalog; what is not there at all is refused with its name.
            false => format!("DESCRIBE {}", identifier(&name)),
        };
        let settings = self.as_table();
        self.run(&whole(sql), &settings).await?;
        self.show_partitions(&name, &settings).await
    }

    /// The newest partitions; nothing for a table without any.
    async fn show_partitions(&mut self, name: &str, settings: &Settings) -> Result<(), CliError> {
        let partitions = identifier(&format!("{name}$partitions"));
        let count = format!("SELECT count(*) FROM {partitions}");
        let cancel = CancellationToken::new();
        let Some(count) = first_number(self.asker.engine.as_ref(), &count, &cancel).await else {
            return Ok(());
        };
        if count == 0 {
            return Ok(());
        }
        let shown = usize::try_from(count).unwrap_or(usize::MAX).min(PARTITIONS);
        println!("\n{count} partitions, of which the last {shown}:");
        let sql = format!("SELECT * FROM {partitions} ORDER BY 1 DESC LIMIT {PARTITIONS}");
        self.run(&whole(sql), settings).await
    }

    /// Asks for the names that Tab completes, beside whatever goes on.
    fn learn_names(&self) {
        let (engine, names) = (Arc::clone(&self.asker.engine), Arc::clone(&self.names));
        tokio::spawn(async move {
            if let Some(learnt) = names_of(engine.as_ref()).await {
                *names.write().unwrap_or_else(PoisonError::into_inner) = learnt;
            }
        });
    }
}

/// A fault of the program or the engine ends the statement and not the prompt.
fn broken() -> CliError {
    CliError::platform(
        "the statement met a fault of this program",
        "its report is in the log, which `lakehand config path` names; write the statement another way",
    )
}

/// A statement of the prompt itself.
fn whole(sql: String) -> Statement {
    let (line, column) = (1, 1);
    Statement { sql, line, column }
}

/// A text as SQL has it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as SQL has it.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The number that a statement answers; nothing where it fails.
async fn first_number(
    engine: &dyn QueryEngine,
    sql: &str,
    cancel: &CancellationToken,
) -> Option<i64> {
    let mut rows = engine.query(sql, cancel).await.ok()?;
    let batch = rows.batches.next().await?.ok()?;
    let numbers = batch
        .column(0)
        .as_primitive_opt::<arrow::datatypes::Int64Type>()?;
    (!numbers.is_empty()).then(|| numbers.value(0))
}

/// Tables and columns of the engine's schema; nothing where they cannot be read.
async fn names_of(engine: &dyn QueryEngine) -> Option<Names> {
    let sql = format!(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = {} ORDER BY table_name, ordinal_position",
        literal(engine.schema())
    );
    let mut rows = engine.query(&sql, &CancellationToken::new()).await.ok()?;
    let mut names = Names::default();
    while let Some(batch) = rows.batches.next().await {
        let batch = batch.ok()?;
        let tables = batch.column(0).as_string_opt::<i32>()?;
        let columns = batch.column(1).as_string_opt::<i32>()?;
        for (table, column) in tables.iter().zip(columns) {
            if let (Some(table), Some(column)) = (table, column) {
                let all = names.0.entry(table.to_owned()).or_default();
                all.push(column.to_owned());
            }
        }
    }
    Some(names)
}
