//! Rows of executions: start, step, claim, release, list.

use jiff::{SignedDuration, Timestamp, civil::Date};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, named_params, params};
use sha2::{Digest, Sha256};

use super::{
    Liveness, ProcessIdentity, SqliteResult, StateError, instant, micros, signed, unsigned,
};
use lakehand_ops::{ExecutionId, ExecutionStatus, ExecutionSummary, start::collect_the_same};
use lakehand_pipeline::window::Window;

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Succeeded, failed, timed out or aborted.
    pub status: ExecutionStatus,
    /// When.
    pub at: Timestamp,
    /// Output as JSON text, of a success.
    pub output: Option<String>,
    /// Error name, of anything else.
    pub error: Option<String>,
}

/// What a list shows of a running execution.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The stage entered last, or the one that failed; `None` leaves the row's as it is.
    pub current_stage: Option<String>,
    /// Set by the step that ends the execution.
    pub ending: Option<Ending>,
    /// Whether this step is a redrive: it counts, and the ending is taken back.
    pub redriven: bool,
    /// Time between ends and redrives so far.
    pub idle: SignedDuration,
}

/// One step of the interpreter, as it is committed: all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRecord {
    /// Event ids and their JSON, ids without a gap after the ones before.
    pub events: Vec<(u64, String)>,
    /// The interpreter's whole state as JSON.
    pub snapshot: String,
    /// The folded summary.
    pub progress: Progress,
}

/// An execution that begins.
#[derive(Debug, Clone)]
pub struct NewExecution {
    /// `<workflow>:<name>`.
    pub id: String,
    /// Workflow.
    pub workflow: String,
    /// Name within the workflow.
    pub name: String,
    /// Definition text it will keep for all its life.
    pub definition: std::sync::Arc<str>,
    /// Input as JSON text.
    pub input: String,
    /// When.
    pub started: Timestamp,
    /// The window its input names.
    pub window: Option<Window>,
    /// The execution and stage that start it.
    pub parent: Option<(String, String)>,
    /// Ticket of its runner.
    pub token: String,
}

/// One row, as lists and headers need it.
#[derive(Debug, Clone)]
pub struct ExecutionRow {
    /// Number within the file.
    pub key: i64,
    /// What an operator sees. `Interrupted` where the owner of a running execution is dead.
    pub summary: ExecutionSummary,
    /// Whether a runner holds it, also after its end while stages wind down.
    pub held: bool,
    token: Option<String>,
}

/// An execution whose right to write was taken.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Number within the file.
    pub key: i64,
    /// Its header before the claim.
    pub summary: ExecutionSummary,
    /// Definition text.
    pub definition: String,
    /// The interpreter's state as JSON.
    pub snapshot: String,
}

const COLUMNS: &str = "key, id, workflow, name, status, started, ended, window_from, window_to, redrives, idle, current_stage, error, \
     owner_token, owner, owner_seen, parent, \
     EXISTS (SELECT 1 FROM executions later WHERE later.status = 'SUCCEEDED' AND later.workflow = executions.workflow \
       AND later.window_from = executions.window_from AND later.window_to = executions.window_to \
       AND later.started > executions.started) AS fixed";

pub(crate) fn status_text(status: ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::Running | ExecutionStatus::Interrupted => "RUNNING",
        ExecutionStatus::Succeeded => "SUCCEEDED",
        ExecutionStatus::Failed => "FAILED",
        ExecutionStatus::TimedOut => "TIMED_OUT",
        ExecutionStatus::Aborted => "ABORTED",
    }
}

fn status_of(text: &str) -> Result<ExecutionStatus, StateError> {
    Ok(match text {
        "RUNNING" => ExecutionStatus::Running,
        "SUCCEEDED" => ExecutionStatus::Succeeded,
        "FAILED" => ExecutionStatus::Failed,
        "TIMED_OUT" => ExecutionStatus::TimedOut,
        "ABORTED" => ExecutionStatus::Aborted,
        other => {
            return Err(StateError::Corrupt {
                what: "a status",
                why: format!("'{other}' is none"),
            });
        }
    })
}

impl ExecutionRow {
    fn read(row: &Row<'_>, now: Timestamp) -> Result<Self, StateError> {
        let on = "read";
        let stored = status_of(&row.get::<_, String>("status").on(on)?)?;
        let token: Option<String> = row.get("owner_token").on(on)?;
        let held = match (&token, row.get::<_, Option<String>>("owner").on(on)?) {
            (Some(token), Some(owner)) => {
                let owner: ProcessIdentity =
                    serde_json::from_str(&owner).map_err(|error| StateError::Corrupt {
                        what: "an owner",
                        why: error.to_string(),
                    })?;
                let seen = row
                    .get::<_, Option<i64>>("owner_seen")
                    .on(on)?
                    .map(instant)
                    .transpose()?;
                owner.liveness(token, seen, now) == Liveness::Alive
            }
            _ => false,
        };
        let status = if stored == ExecutionStatus::Running && !held {
            ExecutionStatus::Interrupted
        } else {
            stored
        };
        Ok(Self {
            key: row.get("key").on(on)?,
            summary: ExecutionSummary {
                id: row.get::<_, String>("id").on(on)?.into(),
                name: row.get("name").on(on)?,
                workflow: row.get::<_, String>("workflow").on(on)?.into(),
                status,
                started: instant(row.get("started").on(on)?)?,
                ended: row
                    .get::<_, Option<i64>>("ended")
                    .on(on)?
                    .map(instant)
                    .transpose()?,
                window: window_of(row.get("window_from").on(on)?, row.get("window_to").on(on)?)?,
                redrives: row.get("redrives").on(on)?,
                current_stage: row.get("current_stage").on(on)?,
                error: row.get("error").on(on)?,
                superseded: row.get::<_, bool>("fixed").on(on)?
                    && status.is_ended()
                    && status != ExecutionStatus::Succeeded,
                parent: row
                    .get::<_, Option<String>>("parent")
                    .on(on)?
                    .map(Into::into),
                idle: SignedDuration::from_micros(row.get("idle").on(on)?),
            },
            held,
            token,
        })
    }

    /// One execution's row.
    ///
    /// # Errors
    /// [`StateError::NotFound`], or what SQLite says.
    pub fn find(connection: &Connection, id: &str, now: Timestamp) -> Result<Self, StateError> {
        let mut statement = connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM executions WHERE id = ?1"))
            .on("read")?;
        let mut rows = statement.query([id]).on("read")?;
        match rows.next().on("read")? {
            Some(row) => Self::read(row, now),
            None => Err(StateError::NotFound { id: id.to_owned() }),
        }
    }

    /// Rows of one workflow or of all, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest(
        connection: &Connection,
        workflow: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Self>, StateError> {
        // Two statements, not `?1 IS NULL OR workflow = ?1`: that one would use no index.
        let filter = if workflow.is_some() {
            "WHERE workflow = ?1"
        } else {
            "WHERE ?1 IS NULL"
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM executions {filter} ORDER BY started DESC, key DESC LIMIT ?2"
        );
        let mut statement = connection.prepare_cached(&sql).on("read")?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![workflow, limit]).on("read")?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().on("read")? {
            found.push(Self::read(row, now)?);
        }
        Ok(found)
    }

    /// The child that `parent`'s stage started last.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn child_of(
        connection: &Connection,
        parent: &str,
        stage: &str,
        now: Timestamp,
    ) -> Result<Option<Self>, StateError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM executions WHERE parent = ?1 AND parent_stage = ?2 ORDER BY key DESC LIMIT 1"
        );
        let mut statement = connection.prepare_cached(&sql).on("read")?;
        let mut rows = statement.query([parent, stage]).on("read")?;
        rows.next()
            .on("read")?
            .map(|row| Self::read(row, now))
            .transpose()
    }

    /// When a workflow last succeeded.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn last_success(
        connection: &Connection,
        workflow: &str,
    ) -> Result<Option<Timestamp>, StateError> {
        let mut statement = connection
            .prepare_cached(
                "SELECT max(ended) FROM executions WHERE workflow = ?1 AND status = 'SUCCEEDED'",
            )
            .on("read")?;
        statement
            .query_row([workflow], |row| row.get::<_, Option<i64>>(0))
            .on("read")?
            .map(instant)
            .transpose()
    }
}

fn window_of(from: Option<String>, to: Option<String>) -> Result<Option<Window>, StateError> {
    let (Some(from), Some(to)) = (from, to) else {
        return Ok(None);
    };
    let window = Window::parse(&from, &to).map_err(|error| StateError::Corrupt {
        what: "a window",
        why: error.to_string(),
    })?;
    Ok(Some(window))
}

impl NewExecution {
    /// Writes the row and its first step.
    ///
    /// # Errors
    /// [`StateError::NameTaken`], or what SQLite says.
    pub fn insert(
        &self,
        transaction: &Transaction<'_>,
        first: &StepRecord,
    ) -> Result<i64, StateError> {
        let taken = transaction
            .query_row(
                "SELECT 1 FROM executions WHERE workflow = ?1 AND name = ?2",
                [&self.workflow, &self.name],
                |_| Ok(()),
            )
            .optional()
            .on("read")?;
        if taken.is_some() {
            return Err(StateError::NameTaken {
                id: self.id.clone(),
            });
        }
        if let Some(other) = same_collection(transaction, &self.id, &self.input)? {
            return Err(StateError::CollectsTheSame {
                id: self.id.clone(),
                other,
            });
        }
        let day =
            |pick: fn(&Window) -> Date| self.window.as_ref().map(|window| pick(window).to_string());
        let (parent, parent_stage) = self.parent.clone().unzip();
        transaction
            .prepare_cached(
                "INSERT INTO executions (id, workflow, name, status, started, window_from, window_to, parent, parent_stage, \
                 owner_token, owner, owner_seen) \
                 VALUES (:id, :workflow, :name, 'RUNNING', :started, :from, :to, :parent, :stage, :token, :owner, :started)",
            )
            .and_then(|mut statement| {
                statement.execute(named_params! {
                    ":id": self.id, ":workflow": self.workflow, ":name": self.name, ":started": micros(self.started),
                    ":from": day(Window::from), ":to": day(Window::to), ":parent": parent, ":stage": parent_stage,
                    ":token": self.token, ":owner": owner_text(),
                })
            })
            .on("write")?;
        let key = transaction.last_insert_rowid();
        let hash = definition_hash(&self.definition);
        transaction
            .execute(
                "INSERT OR IGNORE INTO definitions (hash, text) VALUES (?1, ?2)",
                params![hash, self.definition],
            )
            .on("write")?;
        transaction
            .execute(
                "INSERT INTO payloads (execution, definition, input, snapshot) VALUES (?1, ?2, ?3, '')",
                params![key, hash, self.input],
            )
            .on("write")?;
        record_step(transaction, key, &self.token, first)?;
        Ok(key)
    }
}

/// The collection under way that reads the same streams of the same days as `id` would: two of them would write the same
/// units side by side.
///
/// # Errors
/// What SQLite says.
pub fn same_collection(
    transaction: &Transaction<'_>,
    id: &str,
    input: &str,
) -> Result<Option<String>, StateError> {
    if !id.starts_with(COLLECTIONS) {
        return Ok(None);
    }
    let own = serde_json::from_str(input).unwrap_or_default();
    let mut statement = transaction
        .prepare_cached(
            "SELECT id, input FROM executions JOIN payloads ON execution = key \
             WHERE status = 'RUNNING' AND owner_token IS NOT NULL AND id <> ?1 AND id GLOB 'collect:*'",
        )
        .on("read")?;
    let rows = statement
        .query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .on("read")?;
    let others: Vec<(String, String)> = rows.collect::<Result<_, _>>().on("read")?;
    for (other, input) in others {
        let input = serde_json::from_str(&input).unwrap_or_default();
        let lives = ExecutionRow::find(transaction, &other, Timestamp::now())?.held;
        if lives && collect_the_same(&own, &input) {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

/// How ids of collections begin.
const COLLECTIONS: &str = "collect:";

fn owner_text() -> String {
    serde_json::to_string(&ProcessIdentity::current()).unwrap_or_default()
}

fn definition_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Commits one step, if `token` still owns the execution.
///
/// # Errors
/// [`StateError::NotOwner`] when somebody else took it over; what SQLite says.
pub fn record_step(
    transaction: &Transaction<'_>,
    key: i64,
    token: &str,
    step: &StepRecord,
) -> Result<(), StateError> {
    let owner: Option<(String, Option<String>, i64)> = transaction
        .prepare_cached("SELECT id, owner_token, last_event FROM executions WHERE key = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()
        })
        .on("read")?;
    let last_event = match owner {
        Some((_, Some(owner), last_event)) if owner == token => unsigned(last_event),
        Some((id, ..)) => return Err(StateError::NotOwner { id }),
        None => {
            return Err(StateError::NotFound {
                id: key.to_string(),
            });
        }
    };
    let mut insert = transaction
        .prepare_cached("INSERT INTO events (execution, id, event) VALUES (?1, ?2, ?3)")
        .on("write")?;
    let mut expected = last_event;
    for (id, event) in &step.events {
        expected += 1;
        if *id != expected {
            let why = format!("event {id} follows event {}", expected - 1);
            return Err(StateError::Corrupt {
                what: "a history",
                why,
            });
        }
        insert
            .execute(params![key, signed(*id), event])
            .on("write")?;
    }
    let ending = step.progress.ending.as_ref();
    transaction
        .prepare_cached(
            "UPDATE executions SET last_event = :last, current_stage = coalesce(:stage, current_stage), \
             status = :status, ended = :ended, error = :error, redrives = redrives + :redriven, idle = :idle WHERE key = :key",
        )
        .and_then(|mut statement| {
            statement.execute(named_params! {
                ":last": signed(expected), ":stage": step.progress.current_stage, ":key": key, ":redriven": i64::from(step.progress.redriven),
                ":idle": i64::try_from(step.progress.idle.as_micros()).unwrap_or(i64::MAX),
                ":status": status_text(ending.map_or(ExecutionStatus::Running, |ending| ending.status)),
                ":ended": ending.map(|ending| micros(ending.at)), ":error": ending.and_then(|ending| ending.error.as_deref()),
            })
        })
        .on("write")?;
    transaction
        .prepare_cached("UPDATE payloads SET snapshot = ?2, output = ?3 WHERE execution = ?1")
        .and_then(|mut statement| {
            statement.execute(params![
                key,
                step.snapshot,
                ending.and_then(|ending| ending.output.as_deref())
            ])
        })
        .on("write")?;
    Ok(())
}

/// Makes `token` the owner of an execution that nobody runs.
///
/// # Errors
/// [`StateError::NotOwner`] while its owner lives; [`StateError::NotFound`]; what SQLite says.
pub fn claim(
    transaction: &Transaction<'_>,
    id: &str,
    token: &str,
    now: Timestamp,
) -> Result<Claimed, StateError> {
    let row = ExecutionRow::find(transaction, id, now)?;
    if row.held && row.token.as_deref() != Some(token) {
        return Err(StateError::NotOwner { id: id.to_owned() });
    }
    transaction
        .execute(
            "UPDATE executions SET owner_token = ?2, owner = ?3, owner_seen = ?4, stop_cause = NULL WHERE key = ?1",
            params![row.key, token, owner_text(), micros(now)],
        )
        .on("write")?;
    let (definition, snapshot) = transaction
        .query_row(
            "SELECT definitions.text, payloads.snapshot FROM payloads JOIN definitions ON hash = definition WHERE execution = ?1",
            [row.key],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .on("read")?;
    Ok(Claimed {
        key: row.key,
        summary: row.summary,
        definition,
        snapshot,
    })
}

/// Notes the days that an execution turned out to work on.
///
/// # Errors
/// What SQLite says.
pub fn note_window(
    transaction: &Transaction<'_>,
    id: &str,
    window: &Window,
) -> Result<(), StateError> {
    transaction
        .execute(
            "UPDATE executions SET window_from = ?2, window_to = ?3 WHERE id = ?1",
            params![id, window.from().to_string(), window.to().to_string()],
        )
        .on("write")?;
    Ok(())
}

/// Gives the right to write back, once nothing of the execution runs any more.
///
/// # Errors
/// What SQLite says.
pub fn release(transaction: &Transaction<'_>, key: i64, token: &str) -> Result<(), StateError> {
    transaction
        .execute(
            "UPDATE executions SET owner_token = NULL, owner = NULL, owner_seen = NULL, stop_cause = NULL \
             WHERE key = ?1 AND owner_token = ?2",
            params![key, token],
        )
        .on("write")?;
    Ok(())
}

/// Signs of life of the runners with these tickets.
///
/// # Errors
/// What SQLite says.
pub fn heartbeat(
    transaction: &Transaction<'_>,
    tokens: &[String],
    now: Timestamp,
) -> Result<(), StateError> {
    let mut statement = transaction
        .prepare_cached("UPDATE executions SET owner_seen = ?2 WHERE owner_token = ?1")
        .on("write")?;
    for token in tokens {
        statement.execute(params![token, micros(now)]).on("write")?;
    }
    Ok(())
}

/// Notes that an operator wants a running execution to stop; its runner reads it.
///
/// # Errors
/// What SQLite says.
pub fn request_stop(
    transaction: &Transaction<'_>,
    key: i64,
    cause: &str,
) -> Result<(), StateError> {
    transaction
        .execute(
            "UPDATE executions SET stop_cause = ?2 WHERE key = ?1",
            params![key, cause],
        )
        .on("write")?;
    Ok(())
}

/// Stops asked for from other processes, by ticket.
///
/// # Errors
/// What SQLite says.
pub fn stop_requests(connection: &Connection) -> Result<Vec<(String, String)>, StateError> {
    let mut statement = connection
        .prepare_cached("SELECT owner_token, stop_cause FROM executions WHERE owner_token IS NOT NULL AND stop_cause IS NOT NULL")
        .on("read")?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .on("read")?;
    rows.collect::<Result<_, _>>().on("read")
}

/// Events above `after` as JSON, oldest first.
///
/// # Errors
/// [`StateError::NotFound`], or what SQLite says.
pub fn events(connection: &Connection, id: &str, after: u64) -> Result<Vec<String>, StateError> {
    let key = key_of(connection, id)?;
    let mut statement = connection
        .prepare_cached("SELECT event FROM events WHERE execution = ?1 AND id > ?2 ORDER BY id")
        .on("read")?;
    let rows = statement
        .query_map(params![key, signed(after)], |row| row.get(0))
        .on("read")?;
    rows.collect::<Result<_, _>>().on("read")
}

/// The newest event as JSON.
///
/// # Errors
/// [`StateError::NotFound`], or what SQLite says.
pub fn last_event(connection: &Connection, id: &str) -> Result<String, StateError> {
    let key = key_of(connection, id)?;
    connection
        .query_row(
            "SELECT event FROM events WHERE execution = ?1 ORDER BY id DESC LIMIT 1",
            [key],
            |row| row.get(0),
        )
        .on("read")
}

/// Input and output as JSON text.
///
/// # Errors
/// [`StateError::NotFound`], or what SQLite says.
pub fn payloads(connection: &Connection, id: &str) -> Result<(String, Option<String>), StateError> {
    let key = key_of(connection, id)?;
    connection
        .query_row(
            "SELECT input, output FROM payloads WHERE execution = ?1",
            [key],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .on("read")
}

/// The definition an execution was started with: hash and text.
///
/// # Errors
/// [`StateError::NotFound`], or what SQLite says.
pub fn definition_of(connection: &Connection, id: &str) -> Result<(String, String), StateError> {
    let key = key_of(connection, id)?;
    connection
        .query_row(
            "SELECT hash, text FROM payloads JOIN definitions ON hash = definition WHERE execution = ?1",
            [key],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .on("read")
}

/// Number of an execution within the file.
///
/// # Errors
/// [`StateError::NotFound`], or what SQLite says.
pub fn key_of(connection: &Connection, id: &str) -> Result<i64, StateError> {
    connection
        .prepare_cached("SELECT key FROM executions WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([id], |row| row.get(0)).optional())
        .on("read")?
        .ok_or_else(|| StateError::NotFound { id: id.to_owned() })
}

/// The id of an execution of this platform: `<workflow>:<name>`.
#[must_use]
pub fn execution_id(workflow: &str, name: &str) -> ExecutionId {
    format!("{workflow}:{name}").into()
}
