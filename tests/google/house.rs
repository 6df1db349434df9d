//! A lake in a folder, the simulator's Google to fill it from, and SQL to look at it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use jiff::{
    Timestamp,
    civil::{Date, date},
    tz::TimeZone,
};
use lakehand::{
    config::{Ga3Settings, Ga4Property, Ga4Report, Ga4Settings},
    pipeline::{
        collect::{CollectRequest, CollectSummary, Passes, collect},
        dataset::Stream,
        jobs::{JobContext, JobError, JobLog, Level},
        normalise::{NormaliseRequest, NormaliseSummary, normalise},
        ports::{FixedClock, QueryEngine},
        state::{UnitRecord, list_units},
        window::Window,
    },
    platform::local::engine::{EngineSettings, LocalEngine},
    simulator::{
        self, Options, RunningSimulator,
        google::{GoogleOptions, PROPERTIES},
    },
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support;

pub const TODAY: Date = date(2026, 1, 31);

/// Keeps what is logged.
#[derive(Debug, Default)]
pub struct Log(pub Mutex<Vec<String>>);

impl Log {
    pub fn says(&self, text: &str) -> bool {
        self.0
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(text))
    }
}

impl JobLog for Log {
    fn line(&self, _: Level, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
    fn progress(&self, _: &str) {}
}

pub struct House {
    pub folder: TempDir,
    pub simulator: RunningSimulator,
    pub ga4: Ga4Settings,
    pub ga3: Option<Ga3Settings>,
    pub log: Arc<Log>,
}

/// The report that the marketing datamart is made from.
pub fn sessions() -> Ga4Report {
    Ga4Report {
        name: "sessions".parse().unwrap(),
        properties: PROPERTIES
            .iter()
            .map(|known| property(known.business_unit, known.property))
            .collect(),
        dimensions: ["sessionSource", "sessionMedium", "sessionCampaignName"]
            .map(str::to_owned)
            .to_vec(),
        metrics: [
            "sessions",
            "totalUsers",
            "keyEvents",
            "engagementRate",
            "totalRevenue",
        ]
        .map(str::to_owned)
        .to_vec(),
        dimension_filter: None,
        metric_filter: None,
        keep_empty_rows: false,
        settle_days: 31,
    }
}

pub fn property(business_unit: &str, property: &str) -> Ga4Property {
    Ga4Property {
        business_unit: business_unit.to_owned(),
        property: property.to_owned(),
    }
}

pub fn stream(report: &str) -> Stream {
    Stream::Ga4(report.parse().unwrap())
}

/// The last `days` days up to and with today.
pub fn window(days: i64) -> Window {
    let from = TODAY.checked_sub(jiff::Span::new().days(days - 1)).unwrap();
    Window::new(from, TODAY).unwrap()
}

impl House {
    pub async fn with(options: Options, report: Ga4Report) -> Self {
        let simulator = simulator::start(options).await.unwrap();
        let ga4 = Ga4Settings {
            base_url: simulator.base_url(),
            requests_per_second: 1e6,
            concurrency: 4,
            first_retry_wait_ms: 1,
            max_retry_wait_ms: 5,
            reports: vec![report],
            ..Ga4Settings::default()
        };
        Self {
            folder: tempfile::tempdir().unwrap(),
            simulator,
            ga4,
            ga3: None,
            log: Arc::default(),
        }
    }

    pub async fn new(google: GoogleOptions, faults: &str) -> Self {
        let options = Options {
            scale: 4_000,
            seed: 5,
            google,
            faults: faults.parse().unwrap(),
            ..Options::new(TODAY)
        };
        Self::with(options, sessions()).await
    }

    /// A context of an execution at the simulator's time.
    pub async fn context(&self, execution: &str) -> JobContext {
        let now = TimeZone::UTC.to_timestamp(self.simulator.now()).unwrap();
        self.context_at(execution, now).await
    }

    pub async fn context_at(&self, execution: &str, now: Timestamp) -> JobContext {
        let mut profile = support::profile(self.folder.path(), "UTC");
        profile.ga4 = Some(self.ga4.clone());
        profile.ga3 = self.ga3.clone();
        let mut ctx = support::context(profile, "2026-01-31T00:00:00Z");
        ctx.clock = Arc::new(FixedClock(now));
        ctx.log = self.log.clone();
        ctx.execution = execution.to_owned();
        ctx.parameters
            .put(
                &self.ga4.key_parameter,
                self.simulator.service_account_key(),
            )
            .await
            .unwrap();
        ctx
    }

    pub async fn collect(
        &self,
        stream: Stream,
        window: Window,
        execution: &str,
    ) -> Result<CollectSummary, JobError> {
        let request = CollectRequest {
            stream,
            window,
            passes: Passes::NewAndChanged,
        };
        collect(&self.context(execution).await, &request).await
    }

    pub async fn normalise(&self, stream: Stream, manifests: Vec<String>) -> NormaliseSummary {
        let request = NormaliseRequest { stream, manifests };
        let ctx = self.context("normalise").await;
        let summary = normalise(&ctx, &request).await.unwrap();
        assert!(summary.reconciles(), "{summary:?}");
        summary
    }

    /// Collects and normalises.
    pub async fn run(&self, stream: Stream, window: Window, execution: &str) -> NormaliseSummary {
        let collected = self.collect(stream, window, execution).await.unwrap();
        assert_eq!(collected.failure, None);
        self.normalise(stream, vec![collected.manifest_key]).await
    }

    /// The rows of a SELECT, every value as text; null is `None`.
    pub async fn sql(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let profile = support::profile(self.folder.path(), "UTC");
        let engine = LocalEngine::new(&EngineSettings::for_profile(&profile)).unwrap();
        let rows = engine.query(sql, &CancellationToken::new()).await.unwrap();
        let batches: Vec<_> = rows.batches.try_collect().await.unwrap();
        let format = FormatOptions::default();
        let mut all = Vec::new();
        for batch in &batches {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| (column, ArrayFormatter::try_new(column, &format).unwrap()))
                .collect();
            for row in 0..batch.num_rows() {
                let value = |(column, text): &(&arrow::array::ArrayRef, ArrayFormatter<'_>)| {
                    (!arrow::array::Array::is_null(column, row))
                        .then(|| text.value(row).to_string())
                };
                all.push(columns.iter().map(value).collect());
            }
        }
        all
    }

    /// The rows of a SELECT without nulls.
    pub async fn texts(&self, sql: &str) -> Vec<Vec<String>> {
        let rows = self.sql(sql).await.into_iter();
        rows.map(|row| row.into_iter().map(Option::unwrap).collect())
            .collect()
    }

    pub async fn unit(&self, stream: Stream, execution: &str) -> UnitRecord {
        let ctx = self.context("look").await;
        let units = list_units(&ctx.lake.std, "collect", &stream.name())
            .await
            .unwrap();
        units
            .into_iter()
            .find(|unit| unit.execution == execution)
            .unwrap()
    }

    /// What the simulator's truth says of a window, by day, business unit, source, medium and campaign:
    /// sessions, users, key events in halves.
    pub fn truth(&self, window: Window) -> BTreeMap<[String; 5], [u64; 3]> {
        let truth = self.simulator.google_truth();
        let mut all = BTreeMap::new();
        for day in window.days() {
            for known in &PROPERTIES {
                for (key, figures) in truth.by_campaign(known.business_unit, day) {
                    let unit = known.business_unit.to_owned();
                    let key = [day.to_string(), unit, key.0, key.1, key.2];
                    let figures = [
                        figures.sessions,
                        figures.total_users,
                        figures.half_key_events,
                    ];
                    all.insert(key, figures);
                }
            }
        }
        all
    }

    /// The same from silver.
    pub async fn figures(&self) -> BTreeMap<[String; 5], [u64; 3]> {
        let sql = "SELECT CAST(date AS varchar), business_unit, session_source, session_medium, session_campaign_name, \
            sessions, total_users, CAST(key_events * 2 AS bigint) FROM ga_sessions";
        let rows = self.texts(sql).await;
        let count = rows.len();
        let all: BTreeMap<_, _> = rows
            .into_iter()
            .map(|row| {
                let key = [0, 1, 2, 3, 4].map(|place| row[place].clone());
                (key, [5, 6, 7].map(|place| row[place].parse().unwrap()))
            })
            .collect();
        assert_eq!(all.len(), count, "a key comes once");
        all
    }
}
