//! The embedded platform: files, DataFusion with Delta Lake, SQLite; no account and no server.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod catalog;
pub mod crawler;
pub mod credentials;
pub mod engine;
mod gold;
#[cfg(test)]
mod gold_tests;
pub mod imports;
pub mod jobs;
pub mod lake;
pub mod logs;
pub mod parameters;
pub mod state;
pub mod workflows;

use std::{
    fmt, fs, io,
    sync::{Arc, OnceLock, Weak, atomic::AtomicBool},
};

use async_trait::async_trait;
use futures::StreamExt;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use self::{
    crawler::{LocalCrawlers, landing::Landing},
    credentials::LocalCredentials,
    engine::{EngineSettings, LocalEngine},
    gold::LocalGold,
    jobs::LocalJobs,
    lake::LocalStore,
    logs::LocalLogs,
    parameters::FileParameters,
    state::StateStore,
    workflows::{Definitions, JobCall, LocalResources, LocalWorkflows},
};
use lakehand_config::Profile;
use lakehand_host::{PlatformError, StandIn, StandardError, definitions};
use lakehand_ops::{
    Connection, ExecutionId, Identity, Operations, OpsError, OpsErrorKind, OpsResult,
    credentials::needed::needed,
    operator::{Operator, OperatorParts, SampleStarter},
    ports::Account,
};
use lakehand_pipeline::{
    jobs::{JobContext, JobError, JobLog},
    ports::{
        Clock, Lake, ObjectStore, QueryEngine, QueryError, QueryRows, QuerySummary, StoreError,
        SystemClock,
    },
};

/// A profile's bundle of ports. Opening is cheap; the query engine starts with the first statement.
#[derive(Debug, Clone)]
pub struct Platform {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    profile: Arc<Profile>,
    lake: Lake,
    parameters: Arc<FileParameters>,
    engine: Arc<LazyEngine>,
    clock: Arc<dyn Clock>,
    jobs: Arc<LocalJobs>,
    crawlers: LocalCrawlers,
    workflows: Arc<LocalWorkflows>,
    operator: Arc<Operator>,
    stand_in: Arc<OnceLock<Arc<dyn StandIn>>>,
    console_open: Arc<AtomicBool>,
}

/// A platform that does not keep itself alive: for what the platform itself owns.
#[derive(Debug, Clone)]
pub struct WeakPlatform {
    inner: Weak<Inner>,
}

impl WeakPlatform {
    /// The platform, while anybody still uses it.
    ///
    /// # Errors
    /// When the program is ending.
    pub fn upgrade(&self) -> OpsResult<Platform> {
        let inner = self
            .inner
            .upgrade()
            .ok_or_else(|| OpsError::new(OpsErrorKind::Platform, "the program is ending", ""))?;
        Ok(Platform { inner })
    }
}

impl Platform {
    /// Opens the folders and the execution store of a profile; makes them when they are not there.
    ///
    /// # Errors
    /// [`PlatformError`] when a folder or the store cannot be used.
    pub fn open(profile: Arc<Profile>) -> Result<Self, PlatformError> {
        let lake = open_lake(&profile)?;
        let store = StateStore::open(&profile.state_file()).map_err(|source| {
            PlatformError::Executions {
                profile: profile.name.clone(),
                source: Box::new(source.into()),
            }
        })?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let crawlers = LocalCrawlers::new(
            Arc::clone(&profile),
            Arc::clone(&lake.std),
            Arc::clone(&clock),
        );
        let lake = watched(lake, &crawlers);
        let parameters = Arc::new(FileParameters::new(profile.parameters_file()));
        let engine = Arc::new(LazyEngine {
            settings: EngineSettings::for_profile(&profile),
            engine: OnceLock::new(),
        });
        let stand_in = Arc::new(OnceLock::new());
        let jobs = Arc::new(LocalJobs {
            profile: Arc::clone(&profile),
            lake: lake.clone(),
            parameters: parameters.clone(),
            engine: engine.clone(),
            clock: Arc::clone(&clock),
            stand_in: Arc::clone(&stand_in),
            imports: Arc::default(),
        });
        let resources = LocalResources::new(
            Arc::clone(&profile),
            jobs.clone(),
            engine.clone(),
            crawlers.clone(),
            Arc::clone(&store),
            Arc::clone(&clock),
        );
        let definitions = Definitions::new(Arc::clone(&profile), Arc::new(definitions::render_sql));
        let workflows = LocalWorkflows::new(
            Arc::clone(&store),
            definitions,
            Arc::new(resources),
            Arc::clone(&clock),
        );
        let workflows = Arc::new(workflows.map_err(|source| PlatformError::Executions {
            profile: profile.name.clone(),
            source: Box::new(source),
        })?);
        let operator = Arc::new(Operator::new(OperatorParts {
            identity: identity(&profile, &parameters),
            profile: Arc::clone(&profile),
            workflows: workflows.clone(),
            logs: Arc::new(LocalLogs::new(store)),
            crawlers: Arc::new(crawlers.clone()),
            gold: Arc::new(LocalGold {
                engine: engine.clone(),
                jobs: jobs.clone(),
            }),
            lake: lake.clone(),
            credentials: Arc::new(LocalCredentials {
                parameters: Arc::clone(&parameters),
                jobs: Arc::clone(&jobs),
                stand_in: Arc::clone(&stand_in),
            }),
            clock: Arc::clone(&clock),
            account: Some(Arc::new(ThisMachine {
                workflows: Arc::clone(&workflows),
                stand_in: Arc::clone(&stand_in),
            })),
            glue_jobs: None,
            statements: None,
            sample: Some(Arc::new(Sample(Arc::clone(&stand_in)))),
        }));
        let console_open = Arc::default();
        Ok(Self {
            inner: Arc::new(Inner {
                profile,
                lake,
                parameters,
                engine,
                clock,
                jobs,
                crawlers,
                workflows,
                operator,
                stand_in,
                console_open,
            }),
        })
    }

    /// What the operator can do.
    #[must_use]
    pub fn operations(&self) -> Arc<dyn Operations> {
        self.inner.operator.clone()
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.inner.profile
    }

    /// The two folders that play the buckets.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        &self.inner.lake
    }

    /// Credentials.
    #[must_use]
    pub fn parameters(&self) -> &FileParameters {
        &self.inner.parameters
    }

    /// SQL; starts the engine.
    ///
    /// # Errors
    /// When the engine cannot start.
    pub fn engine(&self) -> Result<&LocalEngine, QueryError> {
        self.inner.engine.get()
    }

    /// SQL, started by the first statement.
    #[must_use]
    pub fn query_engine(&self) -> Arc<dyn QueryEngine> {
        self.inner.engine.clone()
    }

    /// State machines and executions of this machine.
    #[must_use]
    pub fn workflows(&self) -> &LocalWorkflows {
        &self.inner.workflows
    }

    /// Crawlers of this machine, and the catalog they keep.
    #[must_use]
    pub fn crawlers(&self) -> &LocalCrawlers {
        &self.inner.crawlers
    }

    /// This instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Whether the console has the terminal.
    #[must_use]
    pub fn console_is_open(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.inner.console_open)
    }

    /// Lets a stand-in play the sources of sample lakes; the first one stays.
    pub fn set_stand_in(&self, stand_in: Arc<dyn StandIn>) {
        let _ = self.inner.stand_in.set(stand_in);
    }

    /// A handle that does not keep the platform alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakPlatform {
        WeakPlatform {
            inner: Arc::downgrade(&self.inner),
        }
    }

    /// A job's context outside any execution: lines go to standard error.
    ///
    /// # Errors
    /// When the stand-in of a sample lake does not start.
    pub async fn job_context(&self, task: &str) -> Result<JobContext, JobError> {
        let execution = format!("{task}-{}", uuid::Uuid::now_v7().simple());
        let log: Arc<dyn JobLog> = Arc::new(StandardError);
        self.inner
            .jobs
            .context(JobCall {
                execution,
                stage: task.to_owned(),
                attempt: 1,
                log,
                cancel: CancellationToken::new(),
            })
            .await
    }

    /// Whether nothing was ever collected or imported.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub async fn lake_is_empty(&self) -> Result<bool, StoreError> {
        let mut bronze = self.inner.lake.raw.list("bronze/").await?;
        Ok(bronze.next().await.transpose()?.is_none())
    }

    /// Removes everything of the lake and its executions. The caller made sure that it may.
    ///
    /// # Errors
    /// When a folder cannot be removed.
    pub fn delete_lake(profile: &Profile) -> io::Result<()> {
        let files = state_files(profile);
        for folder in [profile.raw_dir(), profile.std_dir()] {
            gone(fs::remove_dir_all(folder))?;
        }
        for file in files {
            gone(fs::remove_file(file))?;
        }
        Ok(())
    }

    /// Moves the data and the executions of a profile into a new folder, as another profile's `data_dir`.
    ///
    /// # Errors
    /// When a folder or a file cannot be moved.
    pub fn move_lake(profile: &Profile, to: &std::path::Path) -> io::Result<()> {
        fs::create_dir(to)?;
        // The mark of what the lake holds lies in `std`, which goes last: cut off in between, it can be done again.
        let files = state_files(profile).into_iter();
        for from in files.chain([profile.raw_dir(), profile.std_dir()]) {
            if let Some(name) = from.file_name() {
                gone(fs::rename(&from, to.join(name)))?;
            }
        }
        Ok(())
    }
}

/// The file of executions and what SQLite keeps beside it.
fn state_files(profile: &Profile) -> [std::path::PathBuf; 3] {
    let database = profile.state_file();
    let beside = |suffix: &str| {
        let mut path = database.clone().into_os_string();
        path.push(suffix);
        path.into()
    };
    [database.clone(), beside("-wal"), beside("-shm")]
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn open_lake(profile: &Profile) -> Result<Lake, PlatformError> {
    let open = |folder: std::path::PathBuf| -> Result<Arc<dyn ObjectStore>, PlatformError> {
        match LocalStore::open(&folder) {
            Ok(store) => Ok(Arc::new(store)),
            Err(source) => Err(PlatformError::Lake {
                profile: profile.name.clone(),
                folder: folder.display().to_string(),
                source: Box::new(source),
            }),
        }
    };
    Ok(Lake {
        raw: open(profile.raw_dir())?,
        std: open(profile.std_dir())?,
    })
}

/// The lake, whose crawlers see what lands in it.
fn watched(lake: Lake, crawlers: &LocalCrawlers) -> Lake {
    Lake {
        raw: Arc::new(Landing::new(lake.raw, crawlers.clone())),
        std: Arc::new(Landing::new(lake.std, crawlers.clone())),
    }
}

fn identity(profile: &Profile, parameters: &FileParameters) -> Identity {
    Identity {
        profile: profile.name.clone(),
        account: "local".to_owned(),
        region: "this machine".to_owned(),
        lake: profile.data_dir.display().to_string(),
        time_zone: profile.time_zone.iana_name().unwrap_or("UTC").to_owned(),
        read_only: profile.read_only,
        protected: profile.protected,
        has_sample: true,
        is_configured: is_configured(profile, parameters),
    }
}

/// Whether a source has an address or a section, or a credential was set.
fn is_configured(profile: &Profile, parameters: &FileParameters) -> bool {
    let sections = profile.marketo.is_some() || profile.ga4.is_some() || profile.ga3.is_some();
    let in_environment = |path: &str| parameters.variable_in_force(path).is_some();
    sections
        || !profile.affise.base_url.is_empty()
        // The first credential makes the file.
        || profile.parameters_file().exists()
        || needed(profile).iter().any(|one| in_environment(&one.path))
}

/// What is known of this machine without asking: what runs in this process, and whether the lake holds sample data.
#[derive(Debug)]
struct ThisMachine {
    workflows: Arc<LocalWorkflows>,
    stand_in: Arc<OnceLock<Arc<dyn StandIn>>>,
}

#[async_trait]
impl Account for ThisMachine {
    fn connection(&self) -> Connection {
        let mut running_here = self.workflows.running_here();
        running_here.sort();
        let stand_in = self.stand_in.get();
        Connection {
            running_here,
            holds_sample: stand_in.is_some_and(|stand_in| stand_in.holds_sample()),
            ..Connection::default()
        }
    }

    async fn identify(&self) -> OpsResult<()> {
        Ok(())
    }
}

/// The query engine, started by whoever first runs a statement: a console that only looks never pays for it.
#[derive(Debug)]
struct LazyEngine {
    settings: EngineSettings,
    engine: OnceLock<Result<LocalEngine, QueryError>>,
}

impl LazyEngine {
    fn get(&self) -> Result<&LocalEngine, QueryError> {
        self.engine
            .get_or_init(|| LocalEngine::new(&self.settings))
            .as_ref()
            .map_err(Clone::clone)
    }
}

#[async_trait]
impl QueryEngine for LazyEngine {
    async fn execute(
        &self,
        sql: &str,
        cancel: &CancellationToken,
    ) -> Result<QuerySummary, QueryError> {
        self.get()?.execute(sql, cancel).await
    }

    async fn query(&self, sql: &str, cancel: &CancellationToken) -> Result<QueryRows, QueryError> {
        self.get()?.query(sql, cancel).await
    }

    async fn estimate(&self, sql: &str) -> Result<Option<u64>, QueryError> {
        self.get()?.estimate(sql).await
    }

    async fn differences(&self, sql: &str) -> Result<Vec<String>, QueryError> {
        self.get()?.differences(sql).await
    }
}

/// Starts the sample by whoever stands in for the sources.
struct Sample(Arc<OnceLock<Arc<dyn StandIn>>>);

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sample")
    }
}

#[async_trait]
impl SampleStarter for Sample {
    async fn start(&self) -> OpsResult<ExecutionId> {
        match self.0.get() {
            Some(stand_in) => stand_in.start_sample().await,
            None => Err(OpsError::new(
                OpsErrorKind::NotPossible,
                "this build has no simulator",
                "build it with the feature `simulator`",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use lakehand_config::{Config, Home};
    use lakehand_ops::StartRequest;

    fn platform(folder: &Path, config: &str) -> Platform {
        let config = Config::parse(config, &Home::below(folder)).unwrap();
        Platform::open(Arc::new(config.profile(None).unwrap().clone())).unwrap()
    }

    #[tokio::test]
    async fn a_sample_is_offered_only_where_nothing_is_configured() {
        let folder = tempfile::tempdir().unwrap();
        let offers = |config: &str| {
            let identity = platform(folder.path(), config).operations().identity();
            assert!(identity.has_sample);
            identity.offers_sample()
        };
        assert!(offers(""));
        assert!(!offers(
            "[profiles.local.affise]\nbase_url = 'https://api-x.affise.com'\n"
        ));
        assert!(!offers(
            "[profiles.local.marketo]\nbase_url = 'https://x.mktorest.com'\n"
        ));
        let operations = platform(folder.path(), "").operations();
        operations
            .set_credential("/affise/ApiKey", "do-not-show-me-8f3a".into(), false)
            .await
            .unwrap();
        assert!(!offers(""));
    }

    /// On one thread: the execution takes its first step only after what is known was read.
    #[tokio::test]
    async fn an_execution_of_this_process_is_known_without_asking() {
        let folder = tempfile::tempdir().unwrap();
        let (own, other) = (platform(folder.path(), ""), platform(folder.path(), ""));
        let request = StartRequest {
            workflow: "collect".into(),
            window: None,
            input: serde_json::json!({}),
            name: None,
        };
        let id = own.operations().start(request).await.unwrap();
        let running_here = |platform: &Platform| platform.operations().connection().running_here;
        assert_eq!(running_here(&own), std::slice::from_ref(&id));
        assert!(running_here(&other).is_empty(), "another process's");
        // Where nothing is configured it may have failed by then.
        let _ = own.operations().stop(&id, "seen").await;
        own.workflows().wait(&id).await.unwrap();
        assert!(running_here(&own).is_empty(), "it has ended");
    }

    #[derive(Debug)]
    struct Simulated;

    #[async_trait]
    impl StandIn for Simulated {
        async fn sources(&self, _: &Profile) -> Result<Option<lakehand_host::Played>, String> {
            Ok(None)
        }

        fn holds_sample(&self) -> bool {
            true
        }

        async fn start_sample(&self) -> OpsResult<ExecutionId> {
            Ok("collect:sample".into())
        }
    }

    #[tokio::test]
    async fn sample_data_are_known_without_asking() {
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(folder.path(), "");
        let holds_sample = || platform.operations().connection().holds_sample;
        assert!(!holds_sample());
        platform.set_stand_in(Arc::new(Simulated));
        assert!(holds_sample());
    }
}
