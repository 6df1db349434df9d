//! The embedded query engine: statements in Athena's spelling on DataFusion and Delta Lake.
//!
//! The same SQL files run on Athena and here. What a statement means is the crate `lakehand-engine`'s matter
//! (grammar, types, functions); this module keeps the tables, and whatever changes data becomes exactly one commit
//! on one Delta table: new Parquet files are written first, then one entry of the log makes them count and the
//! replaced ones not. A process that dies before that entry has changed nothing.
//!
//! What differs from Athena on purpose, each tested in `tests.rs`:
//! - One database: `catalog.database.table` and `table` are the same.
//! - `sum` of `bigint` wraps around beyond 2^63 where Trino fails; `avg` of a decimal keeps four more digits.
//! - Iceberg's hidden partitioning is accepted and not used; identity partitioning is.

use std::{fmt, path::PathBuf, sync::Arc, time::Instant};

use async_trait::async_trait;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

mod catalog;
mod catalogued;
mod ddl;
mod dml;
mod error;
mod folder;
mod merge;
mod rows;
mod session;
mod snapshots;
mod write;

#[cfg(test)]
mod tests;

pub use lakehand_engine::{StatementKind, kind};

use catalog::Tables;
use error::EngineError;
pub use error::query_error;
use lakehand_engine::{
    Strictness,
    command::{self, Command},
    differences::met,
};
use rows::start;
use session::{Session, bytes_scanned, runtime, session_state};

use lakehand_config::Profile;
use lakehand_pipeline::ports::{QueryEngine, QueryError, QueryRows, QuerySummary};

/// Bytes the engine may hold before it spills, unless told otherwise.
pub const DEFAULT_MEMORY_BYTES: usize = 256 * 1024 * 1024;

/// Where the engine finds its tables and how much it may use.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Folder that plays the std bucket: `silver/`, `gold/`, `staging/`.
    pub std_dir: PathBuf,
    /// Folder for what does not fit into memory; emptied as statements end.
    pub spill_dir: PathBuf,
    /// Bytes that running statements may hold together.
    pub memory_bytes: usize,
    /// Threads of one statement.
    pub threads: usize,
}

impl EngineSettings {
    /// The folders of a profile, the default memory, all cores.
    #[must_use]
    pub fn for_profile(profile: &Profile) -> Self {
        Self {
            std_dir: profile.std_dir(),
            spill_dir: profile.data_dir.join("tmp").join("spill"),
            memory_bytes: DEFAULT_MEMORY_BYTES,
            threads: std::thread::available_parallelism().map_or(2, usize::from),
        }
    }
}

/// Statements on the local lake. Cheap to clone; use one per process so that memory is shared fairly.
#[derive(Clone)]
pub struct LocalEngine {
    session: Session,
}

impl fmt::Debug for LocalEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalEngine")
            .field("tables", &self.session.tables)
            .finish_non_exhaustive()
    }
}

/// What a statement did, before it is put into a [`QuerySummary`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Effect {
    rows: u64,
    bytes_scanned: u64,
}

impl LocalEngine {
    /// An engine on the given folders; makes the spill folder.
    ///
    /// # Errors
    /// [`QueryError::Failed`] when the spill folder cannot be made.
    pub fn new(settings: &EngineSettings) -> Result<Self, QueryError> {
        let failed = |why: &dyn fmt::Display| QueryError::Failed {
            message: format!(
                "could not start the query engine with {}: {why}; check the folder's rights",
                settings.spill_dir.display()
            ),
            transient: false,
        };
        std::fs::create_dir_all(&settings.spill_dir).map_err(|error| failed(&error))?;
        let runtime = runtime(settings).map_err(|error| failed(&error))?;
        let state =
            session_state(settings, runtime, Strictness::Strict).map_err(|error| failed(&error))?;
        let tables = Arc::new(Tables::new(settings.std_dir.clone()));
        Ok(Self {
            session: Session {
                tables,
                state: Arc::new(state),
                files: Arc::default(),
            },
        })
    }

    /// The same engine with one more table, for reading: a Parquet file, or a folder of them.
    ///
    /// # Errors
    /// [`QueryError::Refused`] when there is nothing at the path, or the name is taken.
    pub fn with_parquet(&self, name: &str, path: impl Into<PathBuf>) -> Result<Self, QueryError> {
        let (name, path) = (name.to_lowercase(), path.into());
        let refused = |code, message| Err(QueryError::Refused { code, message });
        if !path.exists() {
            return refused(
                "TABLE_NOT_FOUND",
                format!("there is no Parquet file {}", path.display()),
            );
        }
        if self.session.tables.exists(&name).unwrap_or(false) {
            return refused(
                "TABLE_ALREADY_EXISTS",
                format!("the lake has a table '{name}' already; choose another name"),
            );
        }
        let mut files = (*self.session.files).clone();
        files.insert(name, path);
        Ok(Self {
            session: Session {
                files: Arc::new(files),
                ..self.session.clone()
            },
        })
    }

    /// The same engine, which takes what Athena refuses and it understands: for a person who explores.
    ///
    /// # Errors
    /// [`QueryError::Failed`] when its functions cannot be registered.
    pub fn lenient(&self) -> Result<Self, QueryError> {
        let state = &self.session.state;
        let config = Strictness::Lenient.set(state.config().clone());
        let state = lakehand_engine::session_state(config, Arc::clone(state.runtime_env()));
        let state = state.map_err(|error| EngineError::from(error).into_query_error(""))?;
        Ok(Self {
            session: Session {
                state: Arc::new(state),
                ..self.session.clone()
            },
        })
    }

    async fn run(&self, sql: &str, cancel: &CancellationToken) -> Result<QuerySummary, QueryError> {
        let start = Instant::now();
        let command = command::parse_as(sql, self.session.strictness())
            .map_err(|error| EngineError::from(error).into_query_error(sql))?;
        let statement = command.name().to_owned();
        let mut outcome = self.attempt(&self.session, command.clone(), cancel).await;
        if let Err(error) = &outcome
            && (error.is_out_of_memory() || error.is_vanished_file())
        {
            // Nothing was committed. A second plan joins by sorting, which spills; it also lists the files anew.
            let session = if error.is_out_of_memory() {
                self.session.spilling()
            } else {
                self.session.clone()
            };
            outcome = self.attempt(&session, command, cancel).await;
        }
        let effect = outcome.map_err(|error| error.into_query_error(sql))?;
        let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(QuerySummary {
            statement,
            rows: effect.rows,
            bytes_scanned: effect.bytes_scanned,
            elapsed_ms,
        })
    }

    async fn attempt(
        &self,
        session: &Session,
        command: Command,
        cancel: &CancellationToken,
    ) -> Result<Effect, EngineError> {
        match command {
            Command::Select(_)
            | Command::Explain(_)
            | Command::ShowTables { .. }
            | Command::Describe { .. } => {
                let mut stream = start(session, command, cancel).await?;
                let mut rows = 0;
                while let Some(batch) = stream.batches.next().await {
                    rows += batch?.num_rows() as u64;
                }
                Ok(Effect {
                    rows,
                    bytes_scanned: 0,
                })
            }
            Command::CreateTable {
                table,
                if_not_exists,
                columns,
                partition_by,
            } => ddl::create_table(session, &table, if_not_exists, &columns, partition_by).await,
            Command::CreateTableAs {
                table,
                if_not_exists,
                partition_by,
                query,
                with_data,
            } => {
                ddl::create_table_as(
                    session,
                    ddl::NewTable {
                        table,
                        if_not_exists,
                        partition_by,
                        with_data,
                    },
                    *query,
                    cancel,
                )
                .await
            }
            Command::Insert {
                table,
                columns,
                query,
            } => dml::insert(session, &table, &columns, *query, cancel).await,
            Command::Delete {
                table,
                alias,
                selection,
            } => dml::delete(session, &table, alias, selection, cancel).await,
            Command::Update {
                table,
                alias,
                assignments,
                selection,
            } => dml::update(session, &table, alias, assignments, selection, cancel).await,
            Command::Merge(merge) => merge::merge(session, *merge, cancel).await,
            Command::CreateView {
                view,
                or_replace,
                query,
            } => ddl::create_view(session, view, or_replace, *query).await,
            Command::DropTable { table, if_exists } => ddl::drop_table(session, &table, if_exists),
            Command::DropView { view, if_exists } => ddl::drop_view(session, &view, if_exists),
            Command::Optimize { table } => ddl::optimize(session, &table).await,
            Command::Vacuum { table } => ddl::vacuum(session, &table).await,
        }
    }
}

#[async_trait]
impl QueryEngine for LocalEngine {
    async fn execute(
        &self,
        sql: &str,
        cancel: &CancellationToken,
    ) -> Result<QuerySummary, QueryError> {
        if cancel.is_cancelled() {
            return Err(QueryError::Cancelled);
        }
        self.run(sql, cancel).await
    }

    /// Texts come as `Utf8`, never as views or dictionaries.
    async fn query(&self, sql: &str, cancel: &CancellationToken) -> Result<QueryRows, QueryError> {
        let named = |error: EngineError| error.into_query_error(sql);
        let command = command::parse_as(sql, self.session.strictness())
            .map_err(|error| named(error.into()))?;
        let mut outcome = start(&self.session, command.clone(), cancel).await;
        if let Err(error) = &outcome
            && (error.is_out_of_memory() || error.is_vanished_file())
        {
            let session = if error.is_out_of_memory() {
                self.session.spilling()
            } else {
                self.session.clone()
            };
            outcome = start(&session, command, cancel).await;
        }
        outcome.map_err(named)
    }

    async fn differences(&self, sql: &str) -> Result<Vec<String>, QueryError> {
        let named = |error: EngineError| error.into_query_error(sql);
        let command = command::parse_as(sql, self.session.strictness())
            .map_err(|error| named(error.into()))?;
        let (Command::Select(query)
        | Command::CreateTableAs { query, .. }
        | Command::Insert { query, .. }
        | Command::CreateView { query, .. }) = command
        else {
            return Ok(Vec::new());
        };
        let met = async {
            let session = &self.session;
            Ok::<_, EngineError>(met(&session.plan_query(*query, session.catalog()).await?)?)
        };
        let told = met.await.map_err(named)?.into_iter();
        Ok(told
            .map(|one| format!("{}: here {}, there {}", one.what, one.here, one.on_athena))
            .collect())
    }
}
