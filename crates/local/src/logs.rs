//! Structured log lines of executions, kept in the state file.
//!
//! Jobs write without waiting: lines go through a channel to one thread, which stores them in
//! batches, at the latest a tenth of a second after they came. The end of a stage waits until its
//! lines are stored, so that whoever reads a failed stage reads all of its lines.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::state::{
    SqliteResult, StateError, StateStore, instant, key_of, micros, on_blocking_thread, signed,
    unsigned,
};
use lakehand_ops::{ExecutionId, LogLine, OpsResult, ports::Logs};
use lakehand_pipeline::{
    jobs::{JobLog, Level},
    ports::Clock,
};

/// A line is stored at the latest this long after it was written.
const DELAY: Duration = Duration::from_millis(100);
/// Lines stored in one transaction at most.
const BATCH: usize = 2000;
/// Bytes of one line that are kept.
const LONGEST_LINE: usize = 16 * 1024;
/// A stage tells its heartbeat at most this often.
const HEARTBEAT_EVERY_MS: i64 = 1000;

enum Entry {
    Line {
        key: i64,
        stage: Arc<str>,
        attempt: u32,
        at: Timestamp,
        level: Level,
        message: String,
    },
    Progress {
        key: i64,
        stage: Arc<str>,
        at: Timestamp,
        message: String,
    },
    Flush(SyncSender<()>),
}

/// Takes lines and stores them from a thread of its own. Clones share the thread; it ends with the last one.
#[derive(Clone)]
pub struct LogWriter {
    sender: Sender<Entry>,
}

impl fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogWriter")
    }
}

impl LogWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`StateError::Lost`] when the system gives no thread.
    pub fn start(store: Arc<StateStore>) -> Result<Self, StateError> {
        let (sender, receiver) = channel();
        std::thread::Builder::new()
            .name("lakehand-logs".to_owned())
            .spawn(move || write_batches(&store, &receiver))
            .map_err(|error| StateError::Lost(error.to_string()))?;
        Ok(Self { sender })
    }

    /// The log of one try of one stage of the execution with number `key`. Progress also calls `heartbeat`.
    #[must_use]
    pub fn stage(
        &self,
        key: i64,
        stage: &str,
        attempt: u32,
        clock: Arc<dyn Clock>,
        heartbeat: Heartbeat,
    ) -> Arc<StageLog> {
        let last_beat = AtomicI64::new(i64::MIN);
        Arc::new(StageLog {
            writer: self.clone(),
            key,
            stage: stage.into(),
            attempt,
            clock,
            heartbeat,
            last_beat,
        })
    }

    /// Waits until everything written so far is stored.
    pub async fn flush(&self) {
        let (done, stored) = sync_channel(1);
        if self.sender.send(Entry::Flush(done)).is_ok() {
            // Errors mean that the log thread or the runtime ends: there is nothing left to wait for then.
            let _ = on_blocking_thread(move || {
                stored
                    .recv()
                    .map_err(|error| StateError::Lost(error.to_string()))
            })
            .await;
        }
    }
}

/// Told that a job is still alive.
pub type Heartbeat = Box<dyn Fn() + Send + Sync>;

/// What a job writes to.
pub struct StageLog {
    writer: LogWriter,
    key: i64,
    stage: Arc<str>,
    attempt: u32,
    clock: Arc<dyn Clock>,
    heartbeat: Heartbeat,
    last_beat: AtomicI64,
}

impl fmt::Debug for StageLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageLog")
            .field("stage", &self.stage)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl JobLog for StageLog {
    fn line(&self, level: Level, message: &str) {
        let message = cut(message).to_owned();
        let (key, stage, attempt, at) = (
            self.key,
            Arc::clone(&self.stage),
            self.attempt,
            self.clock.now(),
        );
        // A closed channel means the process is going down; there is nobody left to tell.
        let _ = self.writer.sender.send(Entry::Line {
            key,
            stage,
            attempt,
            at,
            level,
            message,
        });
    }

    fn progress(&self, message: &str) {
        let at = self.clock.now();
        let message = cut(message).to_owned();
        let _ = self.writer.sender.send(Entry::Progress {
            key: self.key,
            stage: Arc::clone(&self.stage),
            at,
            message,
        });
        let millis = at.as_millisecond();
        if millis.saturating_sub(self.last_beat.load(Ordering::Relaxed)) >= HEARTBEAT_EVERY_MS {
            self.last_beat.store(millis, Ordering::Relaxed);
            (self.heartbeat)();
        }
    }
}

/// The beginning of a line that is too long, cut between characters.
fn cut(message: &str) -> &str {
    &message[..message.floor_char_boundary(LONGEST_LINE)]
}

fn write_batches(store: &StateStore, receiver: &Receiver<Entry>) {
    let mut batch = Vec::new();
    let mut flushes = Vec::new();
    while let Ok(first) = receiver.recv() {
        let deadline = Instant::now() + DELAY;
        let mut next = Some(first);
        while let Some(entry) = next.take() {
            match entry {
                Entry::Flush(done) => {
                    flushes.push(done);
                    break;
                }
                entry => batch.push(entry),
            }
            if batch.len() < BATCH {
                next = receiver
                    .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                    .ok();
            }
        }
        if !batch.is_empty()
            && let Err(error) = store.write_log(|transaction| store_batch(transaction, &batch))
        {
            tracing::warn!(%error, lines = batch.len(), "log lines of executions were lost");
        }
        batch.clear();
        for done in flushes.drain(..) {
            let _ = done.send(());
        }
    }
}

fn store_batch(transaction: &Transaction<'_>, batch: &[Entry]) -> Result<(), StateError> {
    let mut last_lines: HashMap<i64, i64> = HashMap::new();
    let mut newest_progress: HashMap<(i64, &str), (Timestamp, &str)> = HashMap::new();
    let mut insert = transaction
        .prepare_cached("INSERT INTO logs (execution, line, at, level, stage, attempt, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
        .on("write")?;
    for entry in batch {
        match entry {
            Entry::Line {
                key,
                stage,
                attempt,
                at,
                level,
                message,
            } => {
                let line = match last_lines.get(key) {
                    Some(line) => line + 1,
                    None => last_line(transaction, *key)? + 1,
                };
                last_lines.insert(*key, line);
                insert
                    .execute(params![
                        key,
                        line,
                        micros(*at),
                        level_text(*level),
                        stage,
                        attempt,
                        message
                    ])
                    .on("write")?;
            }
            Entry::Progress {
                key,
                stage,
                at,
                message,
            } => {
                newest_progress.insert((*key, stage), (*at, message));
            }
            Entry::Flush(_) => {}
        }
    }
    let mut upsert = transaction
        .prepare_cached(
            "INSERT INTO progress (execution, stage, at, message) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (execution, stage) DO UPDATE SET at = excluded.at, message = excluded.message",
        )
        .on("write")?;
    for ((key, stage), (at, message)) in newest_progress {
        upsert
            .execute(params![key, stage, micros(at), message])
            .on("write")?;
    }
    Ok(())
}

fn last_line(connection: &Connection, key: i64) -> Result<i64, StateError> {
    connection
        .prepare_cached("SELECT coalesce(max(line), 0) FROM logs WHERE execution = ?1")
        .and_then(|mut statement| statement.query_row([key], |row| row.get(0)))
        .on("read")
}

fn level_text(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

fn level_of(text: &str) -> Level {
    match text {
        "debug" => Level::Debug,
        "warn" => Level::Warn,
        "error" => Level::Error,
        _ => Level::Info,
    }
}

/// Newest progress of every stage of an execution, by stage.
fn newest_progress(
    connection: &Connection,
    id: &str,
) -> Result<HashMap<String, String>, StateError> {
    let key = key_of(connection, id)?;
    let mut statement = connection
        .prepare_cached("SELECT stage, message FROM progress WHERE execution = ?1")
        .on("read")?;
    let rows = statement
        .query_map([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .on("read")?;
    rows.collect::<Result<_, _>>().on("read")
}

/// The [`Logs`] port over the state file.
#[derive(Debug, Clone)]
pub struct LocalLogs {
    store: Arc<StateStore>,
}

impl LocalLogs {
    /// Lines of the executions in `store`.
    #[must_use]
    pub fn new(store: Arc<StateStore>) -> Self {
        Self { store }
    }
}

fn read_lines(
    connection: &Connection,
    id: &str,
    stage: Option<&str>,
    after: u64,
    limit: usize,
) -> Result<Vec<LogLine>, StateError> {
    let key = key_of(connection, id)?;
    let filter = if stage.is_some() {
        "stage = ?2"
    } else {
        "?2 IS NULL"
    };
    let sql = format!(
        "SELECT line, at, level, stage, attempt, message FROM logs WHERE execution = ?1 AND {filter} AND line > ?3 ORDER BY line LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&sql).on("read")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement
        .query(params![key, stage, signed(after), limit])
        .on("read")?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next().on("read")? {
        lines.push(LogLine {
            line: unsigned(row.get(0).on("read")?),
            at: instant(row.get(1).on("read")?)?,
            level: level_of(&row.get::<_, String>(2).on("read")?),
            stage: row.get(3).on("read")?,
            attempt: row.get(4).on("read")?,
            message: row.get(5).on("read")?,
        });
    }
    Ok(lines)
}

#[async_trait]
impl Logs for LocalLogs {
    async fn lines(
        &self,
        id: &ExecutionId,
        stage: Option<&str>,
        after_line: u64,
        limit: usize,
    ) -> OpsResult<Vec<LogLine>> {
        let (id, stage) = (id.clone(), stage.map(str::to_owned));
        let lines = self
            .store
            .read(move |connection| {
                read_lines(connection, id.as_ref(), stage.as_deref(), after_line, limit)
            })
            .await?;
        Ok(lines)
    }

    async fn progress(&self, id: &ExecutionId) -> OpsResult<HashMap<String, String>> {
        let id = id.clone();
        Ok(self
            .store
            .read(move |connection| newest_progress(connection, id.as_ref()))
            .await?)
    }
}
