//! Crawlers: what makes new partitions and columns known to SQL, with Glue's states, fields and error names.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Operator, OpsError, OpsErrorKind, OpsResult, ports::Crawlers, schedule};

/// How a crawler stands; Glue's `CrawlerState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CrawlerState {
    /// Nothing of it runs.
    Ready,
    /// It looks around.
    Running,
    /// It was asked to stop and still runs.
    Stopping,
}

impl CrawlerState {
    /// Glue's word: `READY`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
        }
    }
}

/// How a crawl ended; Glue's `LastCrawlStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CrawlStatus {
    /// Everything below its prefix is known.
    Succeeded,
    /// It was stopped; the tables it had finished are known.
    Cancelled,
    /// Something could not be read; `error` says what.
    Failed,
}

impl CrawlStatus {
    /// Glue's word: `SUCCEEDED`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }
}

/// One crawl that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crawl {
    /// How it ended.
    pub status: CrawlStatus,
    /// When it began.
    #[serde(rename = "started_at", alias = "started")]
    pub started: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Tables that were not known before.
    pub tables_created: Vec<String>,
    /// Tables whose columns, partitions or rows changed.
    pub tables_updated: Vec<String>,
    /// Tables whose files are gone.
    pub tables_deleted: Vec<String>,
    /// Partitions that were not known before.
    pub partitions_added: u64,
    /// Partitions that are gone.
    pub partitions_removed: u64,
    /// Files whose schema was read; unchanged files are not opened again.
    pub files_read: u64,
    /// Why it failed.
    pub error: Option<String>,
}

/// A crawler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Crawler {
    /// `lakehand-local-affise`.
    pub name: String,
    /// What it crawls: `silver/affise/`, or tables that it names: `affise_offers, affise_clicks`.
    pub prefix: String,
    /// How it stands.
    #[serde(rename = "status")]
    pub state: CrawlerState,
    /// Since when it runs.
    #[serde(rename = "started_at")]
    pub running_since: Option<Timestamp>,
    /// The newest crawl that ended.
    pub last_crawl: Option<Crawl>,
    /// What starts it, in words.
    pub starts: String,
    /// What is left of the crawl that runs, where the platform makes a guess.
    pub seconds_left: Option<u64>,
    /// Something landed while it ran, so that it starts again by itself.
    pub starts_again: bool,
    /// Next scheduled start.
    #[serde(rename = "next_run_at")]
    pub next_run: Option<Timestamp>,
}

/// A table as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CataloguedTable {
    /// The name SQL knows it by: `affise_clicks`.
    pub name: String,
    /// Where its files lie: `silver/affise/clicks/`.
    pub location: String,
    /// Columns and partition columns.
    pub columns: usize,
    /// Partitions; 0 when the table has none.
    pub partitions: u64,
    /// Files.
    pub files: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// Goes up with every change.
    pub version: u64,
    /// When it last changed.
    #[serde(rename = "updated_at")]
    pub updated: Timestamp,
    /// What changed then, in words: `created`, `3 partitions added, column x (string) added`.
    pub last_change: String,
}

/// One crawler, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CrawlerDetail {
    /// The crawler.
    pub crawler: Crawler,
    /// Crawls that ended, newest first.
    pub crawls: Vec<Crawl>,
    /// What the catalog knows of what it crawls.
    pub tables: Vec<CataloguedTable>,
}

/// Why a call to a crawler was refused; the names are those of Glue's API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrawlerError {
    /// `EntityNotFoundException`.
    #[error("there is no crawler '{name}'; there are {known}")]
    NotFound {
        /// What was asked for.
        name: String,
        /// All names, comma-separated.
        known: String,
    },
    /// `CrawlerRunningException`.
    #[error("the crawler {name} is already running")]
    Running {
        /// The crawler.
        name: String,
    },
    /// `CrawlerNotRunningException`.
    #[error("the crawler {name} is not running")]
    NotRunning {
        /// The crawler.
        name: String,
    },
    /// `CrawlerStoppingException`.
    #[error("the crawler {name} is already stopping")]
    Stopping {
        /// The crawler.
        name: String,
    },
    /// The platform could not be asked.
    #[error(transparent)]
    Platform(#[from] OpsError),
    /// The catalog's files or the store failed.
    #[error("the crawler {name} could not {action}: {why}")]
    Failed {
        /// The crawler.
        name: String,
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        why: String,
    },
}

impl CrawlerError {
    /// The error's name in Glue's API, as a workflow catches it behind `Glue.`.
    #[must_use]
    pub fn glue_name(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "EntityNotFoundException",
            Self::Running { .. } => "CrawlerRunningException",
            Self::NotRunning { .. } => "CrawlerNotRunningException",
            Self::Stopping { .. } => "CrawlerStoppingException",
            Self::Failed { .. } | Self::Platform(_) => "GlueException",
        }
    }
}

impl From<CrawlerError> for OpsError {
    fn from(error: CrawlerError) -> Self {
        let (kind, advice) = match &error {
            CrawlerError::Platform(error) => return error.clone(),
            CrawlerError::NotFound { .. } => (
                OpsErrorKind::NotFound,
                "`lakehand crawlers list` shows the crawlers",
            ),
            CrawlerError::Running { .. } => (
                OpsErrorKind::Conflict,
                "wait for it, or stop it with `lakehand crawlers stop`",
            ),
            CrawlerError::NotRunning { .. } => (
                OpsErrorKind::NotPossible,
                "there is nothing to stop; `lakehand crawl` starts it",
            ),
            CrawlerError::Stopping { .. } => (
                OpsErrorKind::NotPossible,
                "wait until it is READY; `lakehand crawlers list` shows it",
            ),
            CrawlerError::Failed { .. } => (
                OpsErrorKind::Platform,
                "check the disk and the permissions of the lake's folder",
            ),
        };
        Self::new(kind, error.to_string(), advice)
    }
}

impl Operator {
    fn crawler_port(&self) -> &dyn Crawlers {
        self.parts.crawlers.as_ref()
    }

    fn with_next_run(&self, mut crawler: Crawler) -> Crawler {
        let profile = &self.parts.profile;
        let part = crawler
            .name
            .strip_prefix(&profile.resource_name(""))
            .unwrap_or(&crawler.name)
            .to_owned();
        crawler.next_run = schedule::next_crawl(
            &profile.schedules,
            &[&part, &crawler.name],
            &profile.time_zone,
            self.parts.clock.now(),
        );
        crawler
    }

    pub(super) async fn list_crawlers(&self) -> OpsResult<Vec<Crawler>> {
        let crawlers = self.crawler_port().list().await?;
        Ok(crawlers
            .into_iter()
            .map(|crawler| self.with_next_run(crawler))
            .collect())
    }

    pub(super) async fn show_crawler(&self, name: &str) -> OpsResult<CrawlerDetail> {
        let mut detail = self.crawler_port().show(name).await?;
        detail.crawler = self.with_next_run(detail.crawler);
        Ok(detail)
    }
}
