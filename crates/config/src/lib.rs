//! Profiles, names and paths: what the operator configured, checked before anything starts.
//!
//! A profile is a named target: platform, names, time zone, source settings. There is a built-in
//! profile `local`, so that nothing has to be configured to begin.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use lakehand_base::dataset::{SilverTable, Stream};
use serde::{Deserialize, Serialize};

mod aws;
mod keys;
mod load;
mod migrate_ga3;
mod sources;

pub use aws::AwsSettings;
pub use keys::{KeyBinding, KeyPatch, Placed};

pub use load::{Config, ConfigError, Home, functions_config};
pub use migrate_ga3::{Mapped, Migration, Missing, migrate};
pub use sources::{
    Ga3Report, Ga3Settings, Ga3View, Ga4Property, Ga4Report, Ga4Settings, MarketoMode,
    MarketoSettings, SamplingLevel,
};

/// Where a profile's work runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlatformKind {
    /// On this machine: files, DataFusion, Delta Lake, SQLite.
    Local,
    /// On AWS: S3, Athena, Step Functions, Glue, SSM.
    Aws,
}

/// A named target.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Name in `config.toml`.
    pub name: String,
    /// Where it runs.
    pub platform: PlatformKind,
    /// `${ProjectName}` of every generated name.
    pub project: String,
    /// `${Env}` of every generated name.
    pub env: String,
    /// What a day means.
    pub time_zone: TimeZone,
    /// Folder of the embedded lake, its state and its logs.
    pub data_dir: PathBuf,
    /// Affise.
    pub affise: AffiseSettings,
    /// Marketo, where it is configured.
    pub marketo: Option<MarketoSettings>,
    /// GA4, where it is configured.
    pub ga4: Option<Ga4Settings>,
    /// GA3, where it is configured.
    pub ga3: Option<Ga3Settings>,
    /// Limits of the normaliser.
    pub normalise: NormaliseSettings,
    /// How gold tables are replaced.
    pub gold: GoldSettings,
    /// What is promised about credentials.
    pub credentials: CredentialSettings,
    /// The marketing datamart.
    pub datamart: DatamartSettings,
    /// Local schedules, shown on the Board and run by `lakehand serve`-like loops.
    pub schedules: Vec<Schedule>,
    /// Where other reports than ours lie in the std bucket or folder, with a slash at its end.
    pub reports_prefix: Option<String>,
    /// Refuse every change.
    pub read_only: bool,
    /// A change needs the profile's name to be typed.
    pub protected: bool,
    /// The deployed platform; unused by a local profile.
    pub aws: AwsSettings,
}

impl Profile {
    /// Every stream that is collected: Affise's, then those of the sources that are configured.
    #[must_use]
    pub fn streams(&self) -> Vec<Stream> {
        let mut all = Stream::ALL.to_vec();
        if self.marketo.is_some() {
            all.extend(Stream::MARKETO);
        }
        let ga4 = self.ga4.iter().flat_map(|ga4| &ga4.reports);
        all.extend(ga4.map(|report| Stream::Ga4(report.name)));
        let ga3 = self.ga3.iter().flat_map(|ga3| &ga3.reports);
        all.extend(ga3.map(|report| Stream::Ga3(report.name)));
        all
    }

    /// The silver tables that the streams fill, and those below them.
    #[must_use]
    pub fn silver_tables(&self) -> Vec<SilverTable> {
        let mut all = SilverTable::ALL.to_vec();
        for table in self.streams().into_iter().map(Stream::silver) {
            if !all.contains(&table) {
                all.push(table);
            }
        }
        all
    }

    /// `lakehand-dev-<part>`: the pattern every AWS-style name follows.
    #[must_use]
    pub fn resource_name(&self, part: &str) -> String {
        format!("{}-{}-{part}", self.project, self.env)
    }

    /// Folder that plays the raw bucket.
    #[must_use]
    pub fn raw_dir(&self) -> PathBuf {
        self.data_dir.join("raw")
    }

    /// Folder that plays the std bucket.
    #[must_use]
    pub fn std_dir(&self) -> PathBuf {
        self.data_dir.join("std")
    }

    /// The SQLite file of executions, events and logs.
    #[must_use]
    pub fn state_file(&self) -> PathBuf {
        self.data_dir.join("state.sqlite")
    }

    /// The file of credentials, mode 0600.
    #[must_use]
    pub fn parameters_file(&self) -> PathBuf {
        self.data_dir.join("parameters.json")
    }

    /// Where the console writes exports when the current folder cannot be written.
    #[must_use]
    pub fn exports_dir(&self) -> PathBuf {
        self.data_dir.join("exports")
    }

    /// Whether a path lies in this profile's data folder.
    #[must_use]
    pub fn owns(&self, path: &Path) -> bool {
        path.starts_with(&self.data_dir)
    }
}

/// Settings of the Affise source. `[profiles.<name>.affise]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffiseSettings {
    /// `https://api-<tenant>.affise.com`; empty until configured. A trailing slash is cut off.
    pub base_url: String,
    /// Path of the API key in the parameter store.
    pub api_key_parameter: String,
    /// Requests a second per key; the fact sheet advises 2.
    pub requests_per_second: f64,
    /// Requests in flight per key; the fact sheet advises 2.
    pub concurrency: usize,
    /// Rows asked for a page; the server's answer decides.
    pub page_limit: u32,
    /// Hours by which the update filter overlaps what was read before; at least 2.
    pub overlap_hours: u32,
    /// Seconds one request may take.
    pub request_timeout_seconds: u64,
    /// Seconds one collection of one stream may take in all.
    pub deadline_seconds: u64,
    /// Tries of one request before its window is halved.
    pub attempts: u32,
    /// First wait between two tries, milliseconds; doubles up to `max_retry_wait_ms`, with jitter.
    pub first_retry_wait_ms: u64,
    /// Longest wait between two tries, milliseconds.
    pub max_retry_wait_ms: u64,
    /// The `timezone` parameter sent with every statistics request.
    pub timezone: String,
}

impl Default for AffiseSettings {
    fn default() -> Self {
        Self {
            base_url: String::new(),
            api_key_parameter: "/affise/ApiKey".to_owned(),
            requests_per_second: 2.0,
            concurrency: 2,
            page_limit: 500,
            overlap_hours: 2,
            request_timeout_seconds: 90,
            deadline_seconds: 3600,
            attempts: 5,
            first_retry_wait_ms: 1000,
            max_retry_wait_ms: 60_000,
            timezone: "UTC".to_owned(),
        }
    }
}

/// Limits of the normaliser. `[profiles.<name>.normalise]`
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NormaliseSettings {
    /// Megabytes of rows held in memory before they are written out.
    pub memory_mb: usize,
    /// Threads that decode; 0 means one a core.
    pub threads: usize,
    /// Share of a run's rows that may go to quarantine before the stage fails, 0 to 1.
    pub max_quarantine_share: f64,
}

impl Default for NormaliseSettings {
    fn default() -> Self {
        Self {
            memory_mb: 192,
            threads: 0,
            max_quarantine_share: 0.1,
        }
    }
}

/// How a gold window is put in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplaceMode {
    /// Stage, check, one MERGE: readers never see a hole.
    #[default]
    Merge,
    /// DELETE, then INSERT: two commits, for deployments that want it.
    DeleteInsert,
}

/// Settings of gold tables. `[profiles.<name>.gold]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GoldSettings {
    /// `merge` or `delete_insert`.
    pub replace: ReplaceMode,
}

/// What is promised about credentials. `[profiles.<name>.credentials]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CredentialSettings {
    /// Days after which a credential is to be replaced; an older one is shown as overdue. 0: no promise.
    pub rotate_after_days: u32,
}

impl Default for CredentialSettings {
    fn default() -> Self {
        Self {
            rotate_after_days: 180,
        }
    }
}

/// What the marketing datamart is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatamartMode {
    /// A table that is rebuilt in one swap: fast to read, with a history.
    #[default]
    Table,
    /// A view: always current, paid for by each query.
    View,
}

/// Settings of the marketing datamart. `[profiles.<name>.datamart]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatamartSettings {
    /// `table` or `view`.
    pub mode: DatamartMode,
    /// The Google Analytics report it reads; empty for the first that has what it needs.
    pub ga_report: String,
    /// The business unit of Marketo's rows; empty for the only one of Google Analytics, or none.
    pub marketo_business_unit: String,
    /// What a terabyte scanned costs, in US dollars: Athena's price, which differs by region.
    pub price_per_tb: f64,
}

impl Default for DatamartSettings {
    fn default() -> Self {
        Self {
            mode: DatamartMode::Table,
            ga_report: String::new(),
            marketo_business_unit: String::new(),
            price_per_tb: 5.0,
        }
    }
}

/// What a schedule starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheduled {
    /// A workflow by its name: `daily-report`.
    Workflow(String),
    /// A crawler by its name or the last part of it: `ga`.
    Crawler(String),
}

/// When a workflow or a crawler starts by itself. `[[profiles.<name>.schedules]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ScheduleFile", into = "ScheduleFile")]
pub struct Schedule {
    /// What starts.
    pub starts: Scheduled,
    /// Time of day in the profile's time zone.
    pub at: jiff::civil::Time,
}

impl Schedule {
    /// A workflow, every day at a time.
    pub fn workflow(name: impl Into<String>, at: jiff::civil::Time) -> Self {
        Self {
            starts: Scheduled::Workflow(name.into()),
            at,
        }
    }

    /// A crawler, every day at a time.
    pub fn crawler(name: impl Into<String>, at: jiff::civil::Time) -> Self {
        Self {
            starts: Scheduled::Crawler(name.into()),
            at,
        }
    }
}

/// A schedule as the file writes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScheduleFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crawler: Option<String>,
    at: String,
}

impl TryFrom<ScheduleFile> for Schedule {
    type Error = String;
    fn try_from(file: ScheduleFile) -> Result<Self, Self::Error> {
        let starts = match (file.workflow, file.crawler) {
            (Some(name), None) => Scheduled::Workflow(name),
            (None, Some(name)) => Scheduled::Crawler(name),
            _ => {
                return Err(
                    "a schedule starts either a workflow or a crawler; name one of them".to_owned(),
                );
            }
        };
        let at = file.at.parse().map_err(|_| {
            format!(
                "'{}' is not a time of day; write it as HH:MM in 24 hours, for example 08:30",
                file.at
            )
        })?;
        Ok(Self { starts, at })
    }
}

impl From<Schedule> for ScheduleFile {
    fn from(schedule: Schedule) -> Self {
        let (workflow, crawler) = match schedule.starts {
            Scheduled::Workflow(name) => (Some(name), None),
            Scheduled::Crawler(name) => (None, Some(name)),
        };
        Self {
            workflow,
            crawler,
            at: schedule.at.to_string(),
        }
    }
}
