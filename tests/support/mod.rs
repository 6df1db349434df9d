//! A lake in a folder and a job context around it, for tests, benches and examples of the pipeline.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use jiff::{Timestamp, tz::TimeZone};
use lakehand::{
    config::{AffiseSettings, GoldSettings, NormaliseSettings, PlatformKind, Profile},
    pipeline::{
        jobs::{JobContext, JobLog, Level},
        ports::{FixedClock, Lake, QueryEngine, QueryError, QueryRows, QuerySummary},
    },
    platform::local::{lake::LocalStore, parameters::FileParameters},
};
use tokio_util::sync::CancellationToken;

/// An engine that must not be asked.
#[derive(Debug)]
struct NoEngine;

#[async_trait]
impl QueryEngine for NoEngine {
    async fn execute(&self, sql: &str, _: &CancellationToken) -> Result<QuerySummary, QueryError> {
        panic!("the pipeline under test runs no SQL, but asked for: {sql}")
    }
    async fn query(&self, sql: &str, _: &CancellationToken) -> Result<QueryRows, QueryError> {
        panic!("the pipeline under test runs no SQL, but asked for: {sql}")
    }
}

#[derive(Debug)]
struct Silent;

impl JobLog for Silent {
    fn line(&self, _: Level, _: &str) {}
    fn progress(&self, _: &str) {}
}

/// The profile of a lake in `folder`.
pub fn profile(folder: &Path, zone: &str) -> Profile {
    Profile {
        name: "test".to_owned(),
        platform: PlatformKind::Local,
        project: "lakehand".to_owned(),
        env: "test".to_owned(),
        time_zone: TimeZone::get(zone).unwrap(),
        data_dir: folder.to_owned(),
        affise: AffiseSettings::default(),
        marketo: None,
        ga4: None,
        ga3: None,
        normalise: NormaliseSettings::default(),
        gold: GoldSettings::default(),
        credentials: lakehand::config::CredentialSettings::default(),
        datamart: lakehand::config::DatamartSettings::default(),
        schedules: Vec::new(),
        reports_prefix: None,
        read_only: false,
        protected: false,
        aws: <_>::default(),
    }
}

/// A context whose clock stands at `now`.
pub fn context(profile: Profile, now: &str) -> JobContext {
    JobContext {
        lake: Lake {
            raw: Arc::new(LocalStore::open(profile.raw_dir()).unwrap()),
            std: Arc::new(LocalStore::open(profile.std_dir()).unwrap()),
        },
        parameters: Arc::new(FileParameters::new(profile.parameters_file())),
        engine: Arc::new(NoEngine),
        clock: Arc::new(FixedClock(now.parse::<Timestamp>().unwrap())),
        log: Arc::new(Silent),
        cancel: CancellationToken::new(),
        execution: "test-execution".to_owned(),
        profile: Arc::new(profile),
    }
}
