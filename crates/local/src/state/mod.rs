//! What the embedded platform remembers: one SQLite file a profile, in WAL mode.
//!
//! WAL lets any number of processes read while one writes. Steps of executions are committed with
//! `synchronous = FULL`: a step is on disk before its commands run, so that even after a power cut
//! the history says what was started. Log lines are written by a connection of their own with
//! `synchronous = NORMAL`: the last tenth of a second of them may be lost, an event never.

mod executions;
mod owner;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

pub(crate) use executions::status_text;
pub use executions::{
    Claimed, Ending, ExecutionRow, NewExecution, Progress, StepRecord, claim, definition_of,
    events, execution_id, heartbeat, key_of, last_event, note_window, payloads, record_step,
    release, request_stop, same_collection, stop_requests,
};
pub use owner::{Liveness, OwnerTicket, ProcessIdentity};

use lakehand_ops::{OpsError, OpsErrorKind};

/// Version of the schema; a file with a higher one was written by a newer Lakehand.
const SCHEMA_VERSION: i64 = 2;
/// How long a writer waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// Read connections kept open.
const POOLED_READERS: usize = 4;

/// Why the state file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// SQLite refused.
    #[error("could not {action} the state file {}: {source}; {}", path.display(), sqlite_advice(source))]
    Sqlite {
        /// Verb: open, read, write.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// The folder cannot be made.
    #[error("could not create the folder {}: {source}; check its parent's permissions", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// Written by a newer version.
    #[error("the state file {} has schema {found}, this program knows {SCHEMA_VERSION}; use the newer lakehand that wrote it", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
    },
    /// Something in it does not read back.
    #[error(
        "the state file holds {what} that cannot be read: {why}; restore the file or start anew in another LAKEHAND_HOME"
    )]
    Corrupt {
        /// Event, snapshot, input.
        what: &'static str,
        /// The reason.
        why: String,
    },
    /// Another process took the execution over.
    #[error("another process runs {id} now; this one leaves it alone")]
    NotOwner {
        /// The execution.
        id: String,
    },
    /// The workflow has an execution of that name.
    #[error("there is an execution {id} already; choose another name, or none")]
    NameTaken {
        /// The execution.
        id: String,
    },
    /// A collection of the same is under way.
    #[error(
        "{id} was not started: {other} collects the same streams of the same days; wait for it, or stop it with `lakehand runs stop {other}`"
    )]
    CollectsTheSame {
        /// The execution that was to start.
        id: String,
        /// The one that runs.
        other: String,
    },
    /// There is no such execution.
    #[error("there is no execution {id}; `lakehand runs list` shows what there is")]
    NotFound {
        /// Id asked for.
        id: String,
    },
    /// A helper thread died, or a test cut the connection.
    #[error("the state file was not reached: {0}; run the command again")]
    Lost(String),
}

fn sqlite_advice(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => "free some disk space, then redrive",
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            "another process holds it for long; look for a second lakehand that hangs"
        }
        Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen) => {
            "check owner and permissions of the file and its folder"
        }
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
            "the file is damaged: move it away, executions are then forgotten but no data of the lake is"
        }
        _ => "run the command again; if it stays, look at the disk",
    }
}

impl From<StateError> for OpsError {
    fn from(error: StateError) -> Self {
        let kind = match &error {
            StateError::NotOwner { .. }
            | StateError::NameTaken { .. }
            | StateError::CollectsTheSame { .. } => OpsErrorKind::Conflict,
            StateError::NotFound { .. } => OpsErrorKind::NotFound,
            _ => OpsErrorKind::Platform,
        };
        let text = error.to_string();
        let (message, advice) = text
            .rsplit_once("; ")
            .unwrap_or((text.as_str(), "run the command again"));
        Self::new(kind, message, advice)
    }
}

/// The state file of one profile, open in this process.
#[derive(Debug)]
pub struct StateStore {
    path: PathBuf,
    writer: Mutex<Connection>,
    log_writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    /// Tests let the process "die" before a write: transactions left until then; negative means no limit.
    writes_left: AtomicI64,
}

impl StateStore {
    /// Opens the file, making it and its folder when they are not there.
    ///
    /// # Errors
    /// [`StateError::Folder`], [`StateError::Sqlite`], [`StateError::TooNew`].
    pub fn open(path: &Path) -> Result<Arc<Self>, StateError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| StateError::Folder {
                path: folder.to_owned(),
                source,
            })?;
        }
        let failed = |source| StateError::Sqlite {
            action: "open",
            path: path.to_owned(),
            source,
        };
        let mut writer = open_connection(path).map_err(failed)?;
        enter_wal(&writer).map_err(failed)?;
        writer
            .pragma_update(None, "synchronous", "FULL")
            .map_err(failed)?;
        migrate(&mut writer, path)?;
        let log_writer = open_connection(path).map_err(failed)?;
        log_writer
            .pragma_update(None, "synchronous", "NORMAL")
            .map_err(failed)?;
        Ok(Arc::new(Self {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            log_writer: Mutex::new(log_writer),
            readers: Mutex::new(Vec::new()),
            writes_left: AtomicI64::new(-1),
        }))
    }

    /// Runs `work` in one write transaction on a thread that may block.
    ///
    /// # Errors
    /// What `work` answers; nothing of it is kept then.
    pub async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        let store = Arc::clone(self);
        on_blocking_thread(move || store.write_now(work)).await
    }

    /// As [`StateStore::write`], on this very thread.
    ///
    /// # Errors
    /// What `work` answers; nothing of it is kept then.
    pub fn write_now<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        if self.writes_left.load(Ordering::Relaxed) >= 0
            && self.writes_left.fetch_sub(1, Ordering::Relaxed) <= 0
        {
            self.writes_left.store(0, Ordering::Relaxed);
            return Err(StateError::Lost("writing was cut off".to_owned()));
        }
        self.in_transaction(&mut lock(&self.writer), work)
    }

    /// A write of log lines, which need not survive a power cut.
    ///
    /// # Errors
    /// What `work` answers; nothing of it is kept then.
    pub fn write_log<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        self.in_transaction(&mut lock(&self.log_writer), work)
    }

    fn in_transaction<T>(
        &self,
        connection: &mut Connection,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let failed = |source| StateError::Sqlite {
            action: "write",
            path: self.path.clone(),
            source,
        };
        // IMMEDIATE: a transaction that reads first and writes then would fail instead of waiting its turn.
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let result = work(&transaction).map_err(|error| self.located(error))?;
        transaction.commit().map_err(failed)?;
        Ok(result)
    }

    /// Statements inside a transaction do not know the file's path; here it is known.
    fn located(&self, error: StateError) -> StateError {
        match error {
            StateError::Sqlite { action, source, .. } => StateError::Sqlite {
                action,
                path: self.path.clone(),
                source,
            },
            other => other,
        }
    }

    /// Runs `work` on a read connection, in one consistent view of the file.
    ///
    /// # Errors
    /// What `work` answers.
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        let store = Arc::clone(self);
        on_blocking_thread(move || store.read_now(work)).await
    }

    /// As [`StateStore::read`], on this very thread.
    ///
    /// # Errors
    /// What `work` answers.
    pub fn read_now<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let failed = |source| StateError::Sqlite {
            action: "read",
            path: self.path.clone(),
            source,
        };
        let pooled = lock(&self.readers).pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => open_connection(&self.path).map_err(failed)?,
        };
        let result = {
            let view = connection.unchecked_transaction().map_err(failed)?;
            work(&view).map_err(|error| self.located(error))
        };
        let mut readers = lock(&self.readers);
        if readers.len() < POOLED_READERS {
            readers.push(connection);
        }
        result
    }

    /// Lets every write after the next `count` fail, as if the process had died there.
    #[cfg(test)]
    pub(crate) fn cut_off_after(&self, count: i64) {
        self.writes_left.store(count, Ordering::Relaxed);
    }
}

/// SQLite errors of statements inside a transaction, before the path is known.
pub(crate) trait SqliteResult<T> {
    /// Says what was done.
    fn on(self, action: &'static str) -> Result<T, StateError>;
}

impl<T> SqliteResult<T> for Result<T, rusqlite::Error> {
    fn on(self, action: &'static str) -> Result<T, StateError> {
        self.map_err(|source| StateError::Sqlite {
            action,
            path: PathBuf::new(),
            source,
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while a connection was held rolled its transaction back; the connection itself is sound.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs what waits for the disk or another thread without holding up the runtime.
pub(crate) async fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StateError> + Send + 'static,
) -> Result<T, StateError> {
    #[cfg(test)]
    let _busy = busy::Busy::enter();
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StateError::Lost(error.to_string())),
    }
}

fn open_connection(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Switching to WAL needs the file alone for a moment, and SQLite does not wait for that by itself.
fn enter_wal(connection: &Connection) -> rusqlite::Result<()> {
    let mut tries = 0;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                    && tries < 200 =>
            {
                tries += 1;
                std::thread::sleep(Duration::from_millis(25));
            }
            result => return result,
        }
    }
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StateError> {
    let failed = |source| StateError::Sqlite {
        action: "open",
        path: path.to_owned(),
        source,
    };
    let version = |connection: &Connection| {
        connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
    };
    match version(connection).map_err(failed)? {
        SCHEMA_VERSION => return Ok(()),
        found if found > SCHEMA_VERSION => {
            return Err(StateError::TooNew {
                path: path.to_owned(),
                found,
            });
        }
        _ => {}
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    // Another process may have been first.
    let found = version(&transaction).map_err(failed)?;
    if found == 1 {
        transaction
            .execute_batch("ALTER TABLE executions ADD COLUMN idle INTEGER NOT NULL DEFAULT 0")
            .map_err(failed)?;
    }
    transaction
        .execute_batch(include_str!("schema.sql"))
        .map_err(failed)?;
    transaction
        .pragma_update(None, "user_version", SCHEMA_VERSION)
        .map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// Microseconds since 1970, as the file keeps instants.
pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// The instant a file's number stands for.
pub(crate) fn instant(micros: i64) -> Result<Timestamp, StateError> {
    Timestamp::from_microsecond(micros).map_err(|error| StateError::Corrupt {
        what: "an instant",
        why: error.to_string(),
    })
}

/// Event ids and line numbers are small; SQLite's integers are signed.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number a signed one of the file stands for.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Lets tests with a clock of their own see whether this thread's runtime waits for the disk.
#[cfg(test)]
pub(crate) mod busy {
    use std::cell::Cell;

    thread_local! {
        static WAITING: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) struct Busy;

    impl Busy {
        pub(super) fn enter() -> Self {
            WAITING.with(|waiting| waiting.set(waiting.get() + 1));
            Self
        }

        pub(crate) fn is_idle() -> bool {
            WAITING.with(Cell::get) == 0
        }
    }

    impl Drop for Busy {
        fn drop(&mut self) {
            WAITING.with(|waiting| waiting.set(waiting.get().saturating_sub(1)));
        }
    }
}
