//! Marketo end to end on this machine: simulator, adaptor, bronze, silver, whatever goes wrong.
//!
//! Silver is read back with a Parquet reader and compared with the simulator's own truth, or, where real
//! files are served, with the files themselves.

#![cfg(all(feature = "simulator", feature = "local"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "marketo/endings.rs"]
mod endings;
#[path = "marketo/real_files.rs"]
mod real_files;
#[path = "marketo/rows.rs"]
mod rows;
mod support;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use jiff::{
    Timestamp,
    civil::{Date, date},
    tz::TimeZone,
};
use lakehand::{
    config::{MarketoMode, MarketoSettings},
    pipeline::{
        collect::{CollectRequest, CollectSummary, Passes, collect},
        dataset::{SilverTable, Stream},
        jobs::{JobContext, JobError, JobLog, Level},
        normalise::{NormaliseRequest, NormaliseSummary, normalise},
        ports::FixedClock,
        window::Window,
    },
    simulator::{
        self, Options, RunningSimulator,
        marketo::{DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, DEMO_MUNCHKIN_ID, MarketoOptions},
    },
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const TODAY: Date = date(2026, 1, 31);
const ACTIVITIES: Stream = Stream::MarketoActivities;
const LEADS: Stream = Stream::MarketoLeads;

/// An instance without waits, whose limits are out of the way.
fn quick() -> MarketoOptions {
    MarketoOptions {
        status_refresh: Duration::ZERO,
        export_time: Duration::ZERO,
        calls_in_20_seconds: 1_000_000,
        ..MarketoOptions::default()
    }
}

/// Keeps what is logged; cancels when a line or a progress message says so.
#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    stop: Mutex<Option<(&'static str, CancellationToken)>>,
}

impl Log {
    fn says(&self, text: &str) -> bool {
        self.lines
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(text))
    }
}

impl JobLog for Log {
    fn line(&self, _: Level, message: &str) {
        self.lines.lock().unwrap().push(message.to_owned());
    }
    fn progress(&self, message: &str) {
        if let Some((text, token)) = &*self.stop.lock().unwrap()
            && message.contains(text)
        {
            token.cancel();
        }
    }
}

type Row = BTreeMap<String, Option<String>>;

/// A lake in a folder, and a simulator to fill it from.
struct House {
    folder: TempDir,
    simulator: RunningSimulator,
    settings: MarketoSettings,
    log: Arc<Log>,
    cancel: CancellationToken,
}

impl House {
    async fn with(options: Options) -> Self {
        let simulator = simulator::start(options).await.unwrap();
        let settings = MarketoSettings {
            base_url: simulator.base_url(),
            lag_minutes: 0,
            lead_history_days: 100,
            calls_per_20_seconds: 1_000_000,
            batch_size: 100,
            poll_seconds: 0,
            first_retry_wait_ms: 1,
            max_retry_wait_ms: 5,
            ..MarketoSettings::default()
        };
        Self {
            folder: tempfile::tempdir().unwrap(),
            simulator,
            settings,
            log: Arc::default(),
            cancel: CancellationToken::new(),
        }
    }

    async fn new(options: MarketoOptions, faults: &str) -> Self {
        Self::with(Options {
            scale: 4_000,
            seed: 5,
            marketo: options,
            faults: faults.parse().unwrap(),
            ..Options::new(TODAY)
        })
        .await
    }

    /// In a mode.
    fn mode(mut self, mode: MarketoMode) -> Self {
        self.settings.mode = mode;
        self
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn now(&self) -> Timestamp {
        TimeZone::UTC.to_timestamp(self.simulator.now()).unwrap()
    }

    async fn context(&self, execution: &str) -> JobContext {
        let mut profile = support::profile(self.path(), "UTC");
        profile.marketo = Some(self.settings.clone());
        let context = support::context(profile, "2026-01-31T00:00:00Z");
        for (path, value) in [
            (&self.settings.munchkin_id_parameter, DEMO_MUNCHKIN_ID),
            (&self.settings.client_id_parameter, DEMO_CLIENT_ID),
            (&self.settings.client_secret_parameter, DEMO_CLIENT_SECRET),
        ] {
            context.parameters.put(path, value.into()).await.unwrap();
        }
        JobContext {
            clock: Arc::new(FixedClock(self.now())),
            log: self.log.clone(),
            cancel: self.cancel.clone(),
            execution: execution.to_owned(),
            ..context
        }
    }

    async fn collect(
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

    async fn normalise(&self, collected: &CollectSummary) -> Result<NormaliseSummary, JobError> {
        let request = NormaliseRequest {
            stream: collected.stream,
            manifests: vec![collected.manifest_key.clone()],
        };
        normalise(&self.context("normalise").await, &request).await
    }

    /// Collects and normalises; everything must go well.
    async fn run(&self, stream: Stream, window: Window, execution: &str) -> NormaliseSummary {
        let collected = self.collect(stream, window, execution).await.unwrap();
        assert_eq!(collected.failure, None);
        let summary = self.normalise(&collected).await.unwrap();
        assert!(summary.reconciles(), "{summary:?}");
        summary
    }

    /// All rows of a stream's silver table by their key.
    fn silver(&self, stream: Stream) -> BTreeMap<String, Row> {
        let key = if stream == LEADS {
            "lead_id"
        } else {
            "marketo_guid"
        };
        self.table(stream.silver(), key)
    }

    /// All rows of a silver table by a column.
    fn table(&self, table: SilverTable, key: &str) -> BTreeMap<String, Row> {
        let folder = self.path().join("std").join(table.prefix());
        let mut rows = BTreeMap::new();
        for path in files_below(&folder) {
            let file = std::fs::File::open(&path).unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(file)
                .unwrap()
                .build()
                .unwrap();
            for batch in reader {
                let batch = batch.unwrap();
                let options = FormatOptions::default();
                let schema = batch.schema();
                let columns: Vec<_> = schema
                    .fields()
                    .iter()
                    .zip(batch.columns())
                    .map(|(field, column)| {
                        (
                            field.name().clone(),
                            column,
                            ArrayFormatter::try_new(column, &options).unwrap(),
                        )
                    })
                    .collect();
                for number in 0..batch.num_rows() {
                    let row: Row = columns
                        .iter()
                        .map(|(name, column, text)| {
                            use arrow::array::Array as _;
                            let cell = column
                                .is_valid(number)
                                .then(|| text.value(number).to_string());
                            (name.clone(), cell)
                        })
                        .collect();
                    let old = rows.insert(row[key].clone().unwrap(), row);
                    assert!(old.is_none(), "a key that is there twice: {old:?}");
                }
            }
        }
        rows
    }

    /// How often a path was asked for; `*` stands for an id.
    fn asked(&self, path: &str) -> u64 {
        let counts = self.simulator.requests_by_path();
        let (start, end) = path.split_once('*').unwrap_or((path, ""));
        let meant = |known: &&String| {
            known.starts_with(start)
                && known.ends_with(end)
                && (path.contains('*') || *known == path)
        };
        counts
            .iter()
            .filter(|(known, _)| meant(known))
            .map(|(_, count)| count)
            .sum()
    }

    /// An object of `_state/`, as JSON.
    fn state(&self, key: &str) -> serde_json::Value {
        let path = self.path().join("std/_state").join(key);
        serde_json::from_slice(
            &std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display())),
        )
        .unwrap()
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return files;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn window(from: Date, to: Date) -> Window {
    Window::new(from, to).unwrap()
}

/// The whole generated period.
fn period() -> Window {
    window(date(2026, 1, 18), TODAY)
}

/// Today and the week before.
fn week() -> Window {
    window(date(2026, 1, 24), TODAY)
}
