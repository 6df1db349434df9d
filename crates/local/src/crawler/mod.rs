//! The crawlers of this machine: Glue's states, fields and refusals over the folders of silver.
//!
//! | crawler | crawls | starts |
//! | --- | --- | --- |
//! | `${Project}-${Env}-silver` | all of silver | at the end of a collection |
//! | `${Project}-${Env}-affise` | Affise | on request |
//! | `${Project}-${Env}-marketo` | Marketo | when a Marketo collection's manifest or a partition lands |
//! | `${Project}-${Env}-ga` | Google Analytics | by schedule |
//!
//! A crawl lists its prefix, opens the footers of files that are new or changed, and brings the local
//! catalog up to date table by table. SQL needs no crawl to read a table; see [`super::catalog`] for what a
//! crawl adds. A crawler that is asked to start by a landing object while it runs remembers that and starts
//! again, so that nothing that landed is missed; an operator's start is refused with `CrawlerRunningException`.

pub mod landing;
mod look;
mod record;
#[cfg(test)]
mod tests;

use std::{fmt, io, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    look::{Found, Look},
    record::{Record, Records, RunLock},
};
use super::catalog::Catalog;
use lakehand_config::Profile;
use lakehand_ops::{
    CataloguedTable, Crawl, CrawlStatus, Crawler, CrawlerDetail, CrawlerError, CrawlerState,
    ports::Crawlers,
};
use lakehand_pipeline::ports::{Clock, ObjectStore};

/// How often a running crawl looks whether another process asked it to stop.
const LOOK_FOR_STOP: Duration = Duration::from_millis(50);
/// A crawler that starts again lets landing objects gather for so long.
const GATHER: Duration = Duration::from_millis(150);

/// A crawler of the profile.
#[derive(Debug)]
struct Definition {
    /// `affise`.
    part: &'static str,
    /// `silver/affise/`.
    prefix: &'static str,
    /// What starts it, for people.
    starts: &'static str,
    /// Keys whose landing starts it: beginning and end.
    landing: &'static [(&'static str, &'static str)],
}

/// Every crawler, the one over everything first.
const DEFINITIONS: [Definition; 4] = [
    Definition {
        part: "silver",
        prefix: "silver/",
        starts: "at the end of a collection",
        landing: &[],
    },
    Definition {
        part: "affise",
        prefix: "silver/affise/",
        starts: "on request",
        landing: &[],
    },
    Definition {
        part: "marketo",
        prefix: "silver/marketo/",
        starts: "when a Marketo collection lands",
        // The manifest is the collection's last object; the partitions that are made of it come later.
        landing: &[
            ("bronze/marketo/", "_manifest.json"),
            ("silver/marketo/", ".parquet"),
        ],
    },
    Definition {
        part: "ga",
        // GA4, GA3, and what Google said of their days.
        prefix: "silver/ga",
        starts: "by schedule",
        landing: &[],
    },
];

/// The crawlers of a profile. Cheap to clone.
#[derive(Clone)]
pub struct LocalCrawlers {
    shared: Arc<Shared>,
}

struct Shared {
    profile: Arc<Profile>,
    store: Arc<dyn ObjectStore>,
    catalog: Catalog,
    clock: Arc<dyn Clock>,
    /// Crawls of this process.
    tasks: TaskTracker,
}

impl fmt::Debug for LocalCrawlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalCrawlers")
            .field("profile", &self.shared.profile.name)
            .finish_non_exhaustive()
    }
}

impl LocalCrawlers {
    /// The crawlers over `store`, the profile's std folder.
    #[must_use]
    pub fn new(profile: Arc<Profile>, store: Arc<dyn ObjectStore>, clock: Arc<dyn Clock>) -> Self {
        let catalog = Catalog::of_lake(&profile.std_dir());
        Self {
            shared: Arc::new(Shared {
                profile,
                store,
                catalog,
                clock,
                tasks: TaskTracker::new(),
            }),
        }
    }

    /// The catalog they keep.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.shared.catalog
    }

    /// Waits until no crawl of this process runs any more: a program ends after that.
    pub async fn idle(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        self.shared.tasks.reopen();
    }

    /// Starts a crawl and waits for its end.
    ///
    /// # Errors
    /// As [`Crawlers::start`]; a crawl that fails is no error here.
    pub async fn run(&self, name: &str) -> Result<Crawl, CrawlerError> {
        let definition = self.shared.find(name)?;
        let lock = self.shared.take(definition)?;
        let task = self.shared.launch(definition, lock, false)?;
        let crawl = task
            .await
            .map_err(|stopped| self.shared.failed(definition, "run", &stopped))?;
        crawl.map_err(|error| self.shared.failed(definition, "note its end", &error))
    }

    /// Tells the crawlers that an object was written.
    pub fn landed(&self, key: &str) {
        let starts = |definition: &&Definition| {
            let mut rules = definition.landing.iter();
            rules.any(|(from, to)| key.starts_with(from) && key.ends_with(to))
        };
        for definition in DEFINITIONS.iter().filter(starts) {
            if let Err(error) = self.start_or_remember(definition) {
                tracing::warn!(%error, key, "a crawler could not be started");
            }
        }
    }

    fn start_or_remember(&self, definition: &'static Definition) -> Result<(), CrawlerError> {
        let failed = |error: io::Error| self.shared.failed(definition, "remember a start", &error);
        let records = self.shared.records(definition);
        // First the mark, then a look: whoever ends in between sees the mark.
        records.remember().map_err(failed)?;
        if runs(records.read().map_err(failed)?.0) {
            return Ok(());
        }
        match self.shared.take(definition) {
            Ok(lock) => self.shared.launch(definition, lock, true).map(drop),
            Err(CrawlerError::Running { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn runs(state: CrawlerState) -> bool {
    state != CrawlerState::Ready
}

type CrawlTask = tokio::task::JoinHandle<io::Result<Crawl>>;

impl Shared {
    fn name(&self, definition: &Definition) -> String {
        self.profile.resource_name(definition.part)
    }

    fn records(&self, definition: &Definition) -> Records {
        Records::new(self.catalog.folder().join("crawlers"), definition.part)
    }

    fn find(&self, name: &str) -> Result<&'static Definition, CrawlerError> {
        let found = DEFINITIONS
            .iter()
            .find(|definition| definition.part == name || self.name(definition) == name);
        found.ok_or_else(|| CrawlerError::NotFound {
            name: name.to_owned(),
            known: DEFINITIONS
                .each_ref()
                .map(|definition| self.name(definition))
                .join(", "),
        })
    }

    fn failed(
        &self,
        definition: &Definition,
        action: &'static str,
        why: &dyn fmt::Display,
    ) -> CrawlerError {
        CrawlerError::Failed {
            name: self.name(definition),
            action,
            why: why.to_string(),
        }
    }

    fn take(&self, definition: &'static Definition) -> Result<RunLock, CrawlerError> {
        let lock = self.records(definition).try_run();
        lock.map_err(|error| self.failed(definition, "start", &error))?
            .ok_or_else(|| CrawlerError::Running {
                name: self.name(definition),
            })
    }

    /// Runs a crawl in the background, and after it another one for what landed in the meantime.
    fn launch(
        self: &Arc<Self>,
        definition: &'static Definition,
        lock: RunLock,
        by_landing: bool,
    ) -> Result<CrawlTask, CrawlerError> {
        let started = self.clock.now();
        self.records(definition)
            .begin(started)
            .map_err(|error| self.failed(definition, "start", &error))?;
        let shared = Arc::clone(self);
        Ok(self.tasks.spawn(async move {
            if by_landing {
                tokio::time::sleep(GATHER).await;
                shared.records(definition).take_remembered();
            }
            let crawl = shared.crawl(definition, started).await?;
            shared.records(definition).end(crawl.clone())?;
            drop(lock);
            shared.again(definition);
            Ok(crawl)
        }))
    }

    /// Starts anew when something landed while the last crawl ran.
    fn again(self: &Arc<Self>, definition: &'static Definition) {
        if !self.records(definition).remembers() {
            return;
        }
        match self
            .take(definition)
            .and_then(|lock| self.launch(definition, lock, true))
        {
            // Somebody else runs it; the mark is theirs then.
            Ok(_) | Err(CrawlerError::Running { .. }) => {}
            Err(error) => tracing::warn!(%error, "a crawler could not be started again"),
        }
    }

    async fn crawl(
        &self,
        definition: &'static Definition,
        started: Timestamp,
    ) -> io::Result<Crawl> {
        let begun = std::time::Instant::now();
        let stop = CancellationToken::new();
        let look = Look {
            store: Arc::clone(&self.store),
            catalog: self.catalog.clone(),
            crawler: self.name(definition),
            prefix: definition.prefix.to_owned(),
            now: started,
            stop: stop.clone(),
        };
        let records = self.records(definition);
        let watch = async {
            loop {
                tokio::time::sleep(LOOK_FOR_STOP).await;
                if records.stop_asked() {
                    stop.cancel();
                }
            }
        };
        // A stop asked for before the first look counts as well.
        if records.stop_asked() {
            stop.cancel();
        }
        let outcome = tokio::select! {
            outcome = look.run() => outcome,
            () = watch => Err("the crawl was lost".to_owned()),
        };
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(ended(outcome, started, duration_ms))
    }

    fn crawler(&self, definition: &Definition, state: CrawlerState, record: &Record) -> Crawler {
        Crawler {
            name: self.name(definition),
            prefix: definition.prefix.to_owned(),
            state,
            running_since: record.running_since,
            last_crawl: record.crawls.first().cloned(),
            starts: definition.starts.to_owned(),
            seconds_left: None,
            starts_again: runs(state) && self.records(definition).remembers(),
            next_run: None,
        }
    }
}

/// A crawl as it is kept.
fn ended(outcome: Result<Found, String>, started: Timestamp, duration_ms: u64) -> Crawl {
    let (found, error) = match outcome {
        Ok(found) => (found, None),
        Err(why) => (Found::default(), Some(why)),
    };
    let error = error.or_else(|| {
        let first = found.errors.first()?;
        Some(match found.errors.len() {
            1 => first.clone(),
            several => format!("{first} (and {} more tables)", several - 1),
        })
    });
    let status = match (&error, found.stopped) {
        (Some(_), _) => CrawlStatus::Failed,
        (None, true) => CrawlStatus::Cancelled,
        (None, false) => CrawlStatus::Succeeded,
    };
    Crawl {
        status,
        started,
        duration_ms,
        tables_created: found.created,
        tables_updated: found.updated,
        tables_deleted: found.deleted,
        partitions_added: found.partitions_added,
        partitions_removed: found.partitions_removed,
        files_read: found.files_read,
        error,
    }
}

#[async_trait]
impl Crawlers for LocalCrawlers {
    async fn list(&self) -> Result<Vec<Crawler>, CrawlerError> {
        let shared = &self.shared;
        DEFINITIONS
            .iter()
            .map(|definition| {
                let (state, record) = shared
                    .records(definition)
                    .read()
                    .map_err(|error| shared.failed(definition, "be read", &error))?;
                Ok(shared.crawler(definition, state, &record))
            })
            .collect()
    }

    async fn show(&self, name: &str) -> Result<CrawlerDetail, CrawlerError> {
        let shared = &self.shared;
        let definition = shared.find(name)?;
        let failed = |error: io::Error| shared.failed(definition, "be read", &error);
        let (state, record) = shared.records(definition).read().map_err(failed)?;
        let tables = shared.catalog.tables().map_err(failed)?;
        let own = tables
            .into_iter()
            .filter(|table| table.location.starts_with(definition.prefix));
        let tables = own.map(|table| CataloguedTable {
            columns: table.columns.len() + table.partition_keys.len(),
            partitions: table.partitions,
            files: table.files,
            rows: table.rows,
            bytes: table.bytes,
            version: table.version,
            updated: table.updated,
            last_change: table
                .history
                .first()
                .map_or_else(String::new, |change| change.in_words()),
            name: table.name,
            location: table.location,
        });
        Ok(CrawlerDetail {
            crawler: shared.crawler(definition, state, &record),
            crawls: record.crawls,
            tables: tables.collect(),
        })
    }

    async fn start(&self, name: &str) -> Result<(), CrawlerError> {
        let definition = self.shared.find(name)?;
        let lock = self.shared.take(definition)?;
        self.shared.launch(definition, lock, false).map(drop)
    }

    async fn stop(&self, name: &str) -> Result<(), CrawlerError> {
        let shared = &self.shared;
        let definition = shared.find(name)?;
        let records = shared.records(definition);
        let failed = |error: io::Error| shared.failed(definition, "stop", &error);
        let name = shared.name(definition);
        match records.read().map_err(failed)?.0 {
            CrawlerState::Ready => Err(CrawlerError::NotRunning { name }),
            CrawlerState::Stopping => Err(CrawlerError::Stopping { name }),
            CrawlerState::Running => records.ask_to_stop().map_err(failed),
        }
    }
}
