//! Collecting from the simulator: what is in bronze afterwards, whatever goes wrong on the way.
//!
//! Bronze is read back here by a naive reader of its own: every file that a manifest names,
//! decompressed and parsed line by line.

#![cfg(all(feature = "simulator", feature = "local"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{
    Timestamp,
    civil::{Date, date},
    tz::TimeZone,
};
use lakehand::{
    config::{AffiseSettings, GoldSettings, NormaliseSettings, PlatformKind, Profile},
    pipeline::{
        collect::{
            CollectRequest, CollectSummary, Manifest, check_key, collect, list_manifests,
            read_manifest,
        },
        dataset::Stream,
        jobs::{ErrorType, JobContext, JobError, JobLog, Level},
        ports::{
            ByteStream, ETag, FixedClock, Lake, MetaStream, ObjectStore, ParameterStore,
            PutCondition, QueryEngine, QueryError, QueryRows, QuerySummary, StoreError,
        },
        sources::Passes,
        state::{Unit, UnitKey, UnitStatus, Watermark, list_units},
        window::Window,
    },
    platform::local::{lake::LocalStore, parameters::FileParameters},
    simulator::{self, DEMO_API_KEY, FaultKind, Options, RunningSimulator, SECRET_MARKER},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const TODAY: Date = date(2026, 1, 31);
const SEED: u64 = 5;

async fn simulator(scale: u64, faults: &str) -> RunningSimulator {
    let options = Options {
        scale,
        seed: SEED,
        faults: faults.parse().unwrap(),
        ..Options::new(TODAY)
    };
    simulator::start(options).await.unwrap()
}

fn window() -> Window {
    Window::new(date(2026, 1, 26), TODAY).unwrap()
}

fn request(stream: Stream) -> CollectRequest {
    CollectRequest {
        stream,
        window: window(),
        passes: Passes::NewAndChanged,
    }
}

#[derive(Debug)]
struct NoEngine;

#[async_trait]
impl QueryEngine for NoEngine {
    async fn execute(&self, _: &str, _: &CancellationToken) -> Result<QuerySummary, QueryError> {
        Err(QueryError::Cancelled)
    }
    async fn query(&self, _: &str, _: &CancellationToken) -> Result<QueryRows, QueryError> {
        Err(QueryError::Cancelled)
    }
}

/// Keeps what is logged, and stops the collection after a number of pages if told to.
#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    pages: AtomicU64,
    stop: Mutex<Option<(u64, CancellationToken)>>,
}

impl JobLog for Log {
    fn line(&self, _: Level, message: &str) {
        self.lines.lock().unwrap().push(message.to_owned());
    }
    fn progress(&self, _: &str) {
        let pages = self.pages.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some((after, token)) = &*self.stop.lock().unwrap()
            && pages >= *after
        {
            token.cancel();
        }
    }
}

/// A lake in a folder, and a simulator to fill it from.
struct House {
    folder: TempDir,
    simulator: RunningSimulator,
    log: Arc<Log>,
}

impl House {
    async fn new(scale: u64, faults: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            folder,
            simulator: simulator(scale, faults).await,
            log: Arc::default(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn lake(&self) -> Lake {
        let store = |name: &str| Arc::new(LocalStore::open(self.path().join(name)).unwrap());
        Lake {
            raw: store("raw"),
            std: store("std"),
        }
    }

    fn profile(&self) -> Profile {
        Profile {
            name: "test".to_owned(),
            platform: PlatformKind::Local,
            project: "lakehand".to_owned(),
            env: "test".to_owned(),
            time_zone: TimeZone::UTC,
            data_dir: self.path().to_owned(),
            affise: AffiseSettings {
                base_url: self.simulator.base_url(),
                requests_per_second: 1e6,
                concurrency: 4,
                page_limit: 100,
                first_retry_wait_ms: 1,
                max_retry_wait_ms: 2,
                ..AffiseSettings::default()
            },
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

    /// The context of an execution, at the simulator's time.
    async fn context(&self, execution: &str) -> JobContext {
        let profile = self.profile();
        let parameters = FileParameters::new(profile.parameters_file());
        parameters
            .put(&profile.affise.api_key_parameter, DEMO_API_KEY.into())
            .await
            .unwrap();
        let now = TimeZone::UTC.to_timestamp(self.simulator.now()).unwrap();
        JobContext {
            profile: Arc::new(profile),
            lake: self.lake(),
            parameters: Arc::new(parameters),
            engine: Arc::new(NoEngine),
            clock: Arc::new(FixedClock(now)),
            log: self.log.clone(),
            cancel: CancellationToken::new(),
            execution: execution.to_owned(),
        }
    }

    async fn collect(&self, stream: Stream, execution: &str) -> Result<CollectSummary, JobError> {
        collect(&self.context(execution).await, &request(stream)).await
    }

    /// All rows of all finished collections of a stream, as text, in the order of manifests and files.
    async fn bronze(&self, stream: Stream) -> Vec<String> {
        let lake = self.lake();
        let mut rows = Vec::new();
        for key in list_manifests(&lake, stream).await.unwrap() {
            let manifest = read_manifest(&lake, &key).await.unwrap();
            rows.extend(self.rows_of(&manifest));
        }
        rows
    }

    fn rows_of(&self, manifest: &Manifest) -> Vec<String> {
        let mut rows = Vec::new();
        for file in &manifest.files {
            let stored = std::fs::read(self.path().join("raw").join(&file.key)).unwrap();
            assert_eq!(stored.len() as u64, file.bytes);
            let text = String::from_utf8(zstd::decode_all(&*stored).unwrap()).unwrap();
            let before = rows.len();
            rows.extend(text.lines().map(str::to_owned));
            assert_eq!((rows.len() - before) as u64, file.rows);
        }
        assert_eq!(rows.len() as u64, manifest.rows);
        rows
    }

    /// What the simulator says there is: ids of the stream's rows within the window.
    fn truth(&self, stream: Stream) -> Vec<String> {
        let truth = self.simulator.truth().unwrap();
        let (from, to) = (window().from(), window().to());
        let mut ids: Vec<String> = match stream {
            Stream::AffiseClicks => truth
                .clicks_between(from, to)
                .map(|click| click.id.to_string())
                .collect(),
            Stream::AffiseConversions => {
                // New in the window, and older ones that changed in it.
                let start = from
                    .to_zoned(TimeZone::UTC)
                    .unwrap()
                    .timestamp()
                    .as_second();
                let versions = truth.conversion_versions();
                let seen =
                    versions.filter(|version| version.created >= start || version.updated >= start);
                seen.map(|version| version.id.to_string()).collect()
            }
            Stream::AffiseOffers => truth
                .offers()
                .iter()
                .filter(|offer| offer.listed)
                .map(|offer| offer.id.to_string())
                .collect(),
            Stream::AffiseAffiliates => {
                let listed = truth
                    .affiliates()
                    .iter()
                    .filter(|affiliate| affiliate.listed);
                listed.map(|affiliate| affiliate.id.to_string()).collect()
            }
            Stream::AffiseAdvertisers => truth
                .advertisers()
                .iter()
                .map(|own| own.id.to_string())
                .collect(),
            other => panic!("{other} is no stream of Affise"),
        };
        ids.sort();
        ids.dedup();
        ids
    }

    async fn unit(&self, stream: Stream, execution: &str) -> Unit {
        let id = request(stream).collection_id(execution);
        let key = UnitKey {
            stage: "collect",
            dataset: stream.name(),
            id,
        };
        Unit::open(
            &self.lake().std,
            &key,
            None,
            execution,
            Timestamp::UNIX_EPOCH,
        )
        .await
        .unwrap()
    }
}

fn id_of(row: &str) -> String {
    match &serde_json::from_str::<Value>(row).unwrap()["id"] {
        Value::String(id) => id.clone(),
        id => id.to_string(),
    }
}

/// Ids, each one once: what a merge by key leaves.
fn merged(rows: &[String]) -> Vec<String> {
    let mut ids: Vec<String> = rows.iter().map(|row| id_of(row)).collect();
    ids.sort();
    ids.dedup();
    ids
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path))
        } else {
            files.push(path)
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stream_arrives_whole_and_without_secrets() {
    let house = House::new(6_000, "").await;
    let mut whole_row_seen = false;
    for stream in Stream::ALL {
        let summary = house.collect(stream, "run-1").await.unwrap();
        let rows = house.bronze(stream).await;
        assert_eq!(merged(&rows), house.truth(stream), "{stream}");
        assert_eq!(rows.len() as u64, summary.rows, "{stream}");
        let unit = house.unit(stream, "run-1").await.record;
        assert_eq!(
            (unit.status, unit.rows, unit.calls),
            (UnitStatus::Done, summary.rows, summary.calls)
        );
        whole_row_seen |= rows.iter().any(|row| row.contains("\"manager\""));
    }
    assert!(
        whole_row_seen,
        "managers are stored, only their secrets are not"
    );
    let mut wire = String::new();
    for path in [
        "/3.0/admin/partners?limit=500",
        "/3.0/admin/advertisers?limit=500",
        "/3.0/offers?limit=500",
    ] {
        let asked = reqwest::Client::new().get(format!("{}{path}", house.simulator.base_url()));
        wire += &asked
            .header("API-Key", DEMO_API_KEY)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
    }
    assert!(wire.contains(SECRET_MARKER), "the wire does carry secrets");
    let parameters = house.profile().parameters_file();
    for file in files_below(house.path())
        .iter()
        .filter(|file| **file != parameters)
    {
        let stored = std::fs::read(file).unwrap();
        let plain = if file.extension().is_some_and(|end| end == "zst") {
            zstd::decode_all(&*stored).unwrap()
        } else {
            stored
        };
        assert!(
            !String::from_utf8_lossy(&plain).contains(SECRET_MARKER),
            "{}",
            file.display()
        );
    }
    let logged = house.log.lines.lock().unwrap().join("\n");
    assert!(!logged.contains(SECRET_MARKER), "{logged}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_stored_byte_for_byte() {
    let house = House::new(3_000, "").await;
    house.collect(Stream::AffiseClicks, "run-1").await.unwrap();
    let stored: std::collections::BTreeSet<String> = house
        .bronze(Stream::AffiseClicks)
        .await
        .into_iter()
        .collect();
    let mut on_the_wire = 0;
    for day in window().days() {
        let url = format!(
            "{}/3.0/stats/clicks?date_from={day}&date_to={day}&timezone=UTC&limit=5000",
            house.simulator.base_url()
        );
        let body = reqwest::Client::new()
            .get(url)
            .header("API-Key", DEMO_API_KEY)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let rows = &body[body.find('[').unwrap() + 1..body.rfind("],\"pagination\"").unwrap()];
        let mut rest = rows;
        for row in &stored {
            // Rows of the day are cut out of the body by their own bytes.
            if let Some(at) = rest.find(row.as_str()) {
                on_the_wire += 1;
                if at == 0 {
                    rest = rest[row.len()..].trim_start_matches(',');
                }
            }
        }
    }
    assert_eq!(on_the_wire, stored.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_loses_or_invents_a_row() {
    for kind in FaultKind::ALL {
        let name = kind.name();
        let plan = match kind {
            // Of Marketo and Google Analytics, which have tests of their own.
            FaultKind::Marketo(_)
            | FaultKind::Google(_)
            | FaultKind::ShortToken
            | FaultKind::ExportFailed
            | FaultKind::FileMissing
            | FaultKind::TruncatedFile
            | FaultKind::WrongChecksum
            | FaultKind::WrongRange => continue,
            FaultKind::Denied | FaultKind::WrongKey | FaultKind::Refused => format!("{name}#2-"),
            FaultKind::Slow(_) => format!("{name}=0.1:20ms"),
            FaultKind::RetryAfter(_) => format!("{name}#2:1s"),
            // Once early, then again and again.
            _ => format!("{name}#2,{name}=0.1"),
        };
        let house = House::new(3_000, &plan).await;
        let wanted = match kind {
            FaultKind::Denied | FaultKind::WrongKey => Some(ErrorType::BadCredentials),
            FaultKind::Refused => Some(ErrorType::SourceRefused),
            _ => None,
        };
        for stream in [Stream::AffiseClicks, Stream::AffiseConversions] {
            let ended = house.collect(stream, "run-1").await;
            match (ended, wanted) {
                (Ok(_), None) => {
                    assert_eq!(
                        merged(&house.bronze(stream).await),
                        house.truth(stream),
                        "{name} {stream}"
                    );
                }
                (Err(error), Some(wanted)) => {
                    assert_eq!(error.error_type, wanted, "{name}: {error}");
                    assert!(
                        house.bronze(stream).await.is_empty(),
                        "no manifest after a failure"
                    );
                    let unit = house.unit(stream, "run-1").await.record;
                    assert!(
                        matches!(unit.status, UnitStatus::Failed { .. }),
                        "{:?}",
                        unit.status
                    );
                }
                (ended, wanted) => panic!("{name} {stream}: {ended:?}, wanted {wanted:?}"),
            }
        }
        let struck = house.simulator.faults_struck();
        assert!(
            struck.get(name).is_some_and(|times| *times > 0),
            "{name} never struck: {struck:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_faults_together_at_a_low_rate_end_right() {
    let passing = [
        "429",
        "500",
        "502",
        "503",
        "504",
        "status2-again",
        "html",
        "cut",
        "drop",
        "drop-chunked",
        "duplicate-page",
        "late-status",
    ];
    let mut plan: Vec<String> = passing.iter().map(|kind| format!("{kind}=0.02")).collect();
    plan.push("shift-page=0.02:3".to_owned());
    plan.push("shift-page=0.02:-3".to_owned());
    plan.push("slow=0.02:10ms".to_owned());
    let house = House::new(12_000, &plan.join(",")).await;
    for stream in Stream::ALL {
        house.collect(stream, "run-1").await.unwrap();
        assert_eq!(
            merged(&house.bronze(stream).await),
            house.truth(stream),
            "{stream}"
        );
    }
    assert!(
        house.simulator.faults_struck().len() > 8,
        "{:?}",
        house.simulator.faults_struck()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_key_is_named_and_a_new_one_goes_on() {
    let house = House::new(4_000, "expired-key-after=6").await;
    assert!(
        check_key(&house.context("run-1").await)
            .await
            .unwrap()
            .is_admin
    );
    let error = house
        .collect(Stream::AffiseClicks, "run-1")
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::BadCredentials, "{error}");
    let error = check_key(&house.context("run-1").await).await.unwrap_err();
    assert_eq!(error.error_type, ErrorType::BadCredentials);
    assert!(!format!("{error:?}").contains(DEMO_API_KEY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_collection_goes_on_where_it_was() {
    let undisturbed = House::new(8_000, "").await;
    let calls = undisturbed
        .collect(Stream::AffiseClicks, "run-1")
        .await
        .unwrap()
        .calls;
    let house = House::new(8_000, "").await;
    let mut stops = 0;
    let summary = loop {
        let ctx = house.context("run-1").await;
        let pages = house.log.pages.load(Ordering::Relaxed);
        *house.log.stop.lock().unwrap() = Some((pages + 4, ctx.cancel.clone()));
        match collect(&ctx, &request(Stream::AffiseClicks)).await {
            Ok(summary) => break summary,
            Err(error) => assert_eq!(error.error_type, ErrorType::Cancelled, "{error}"),
        }
        stops += 1;
        assert_eq!(
            house
                .unit(Stream::AffiseClicks, "run-1")
                .await
                .record
                .status,
            UnitStatus::Cancelled
        );
        assert!(
            house.bronze(Stream::AffiseClicks).await.is_empty(),
            "no manifest before the end"
        );
        assert_eq!(
            Watermark::load(&house.lake().std, Stream::AffiseClicks)
                .await
                .unwrap(),
            None
        );
    };
    assert!(stops > 5, "{stops}");
    assert_eq!(
        house.bronze(Stream::AffiseClicks).await,
        undisturbed.bronze(Stream::AffiseClicks).await
    );
    assert_eq!(
        (summary.calls, house.simulator.requests()),
        (calls, calls),
        "no page was asked for twice"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_collection_goes_on_after_its_last_durable_file() {
    // Enough rows for two files; the task is dropped as a kill would, without a last word.
    let house = Arc::new(House::new(20_000, "").await);
    for pages in [20, 70, 60, 10] {
        let ctx = house.context("run-1").await;
        let task = tokio::spawn(async move { collect(&ctx, &request(Stream::AffiseClicks)).await });
        let start = house.log.pages.load(Ordering::Relaxed);
        while house.log.pages.load(Ordering::Relaxed) < start + pages && !task.is_finished() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        task.abort();
        let _ = task.await;
    }
    let summary = house.collect(Stream::AffiseClicks, "run-1").await.unwrap();
    let rows = house.bronze(Stream::AffiseClicks).await;
    assert_eq!(merged(&rows), house.truth(Stream::AffiseClicks));
    assert_eq!(
        merged(&rows).len(),
        rows.len(),
        "nothing twice in what the manifest names"
    );
    assert!(summary.files > 1, "{summary:?}");
    assert!(
        house
            .unit(Stream::AffiseClicks, "run-1")
            .await
            .record
            .attempt
            > 2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_collected_already_is_not_asked_for_again() {
    let house = House::new(3_000, "").await;
    let first = house
        .collect(Stream::AffiseConversions, "run-1")
        .await
        .unwrap();
    let requests = house.simulator.requests();
    assert_eq!(
        house
            .collect(Stream::AffiseConversions, "run-1")
            .await
            .unwrap(),
        first
    );
    assert_eq!(house.simulator.requests(), requests);
    let other = house
        .collect(Stream::AffiseConversions, "run-2")
        .await
        .unwrap();
    assert_ne!(other.collection, first.collection);
    assert_eq!(
        list_manifests(&house.lake(), Stream::AffiseConversions)
            .await
            .unwrap()
            .len(),
        2,
        "a day's collections live side by side"
    );
    assert_eq!(
        list_units(&house.lake().std, "collect", "affise.conversions")
            .await
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_collection_twice_at_once_has_one_outcome() {
    let house = House::new(8_000, "").await;
    let (one, two) = tokio::join!(
        house.collect(Stream::AffiseClicks, "run-1"),
        house.collect(Stream::AffiseClicks, "run-1")
    );
    for ended in [&one, &two] {
        if let Err(error) = ended {
            assert_eq!(error.error_type, ErrorType::LeaseHeld, "{error}");
        }
    }
    assert!(one.is_ok() || two.is_ok());
    let rows = house.bronze(Stream::AffiseClicks).await;
    assert_eq!(merged(&rows), house.truth(Stream::AffiseClicks));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_after_the_first_collection_are_read_by_the_second() {
    let house = House::new(6_000, "").await;
    let noon = date(2026, 1, 29).at(12, 0, 0, 0);
    house.simulator.set_now(noon);
    house
        .collect(Stream::AffiseConversions, "run-1")
        .await
        .unwrap();
    let first = Watermark::load(&house.lake().std, Stream::AffiseConversions)
        .await
        .unwrap()
        .unwrap()
        .position;
    assert!(first <= TimeZone::UTC.to_timestamp(noon).unwrap());
    house.simulator.set_now(TODAY.at(23, 59, 59, 0));
    // A window in which none of the changed ones was created.
    let late = CollectRequest {
        window: Window::day(TODAY),
        ..request(Stream::AffiseConversions)
    };
    let summary = collect(&house.context("run-2").await, &late).await.unwrap();
    assert!(summary.watermark.unwrap() > first);
    let mut newest: BTreeMap<String, (String, String)> = BTreeMap::new();
    for row in house.bronze(Stream::AffiseConversions).await {
        let row: Value = serde_json::from_str(&row).unwrap();
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let version = (text("updated_at"), text("status"));
        let known = newest.entry(text("id")).or_default();
        // Received later wins a tie.
        if version.0 >= known.0 {
            *known = version;
        }
    }
    let truth = house.simulator.truth().unwrap();
    let mut changed = 0;
    for conversion in truth.conversions() {
        let Some((_, status)) = newest.get(&conversion.id.to_string()) else {
            continue;
        };
        assert_eq!(status, conversion.status.name(), "{}", conversion.id);
        changed += usize::from(conversion.version > 0 && conversion.updated_at() > noon);
    }
    assert!(changed > 0, "some had changed in between");
}

/// A store that fails when a manifest is written.
#[derive(Debug)]
struct NoManifests(Arc<dyn ObjectStore>);

#[async_trait]
impl ObjectStore for NoManifests {
    async fn get(&self, key: &str) -> Result<(Bytes, ETag), StoreError> {
        self.0.get(key).await
    }
    async fn get_stream(&self, key: &str) -> Result<ByteStream, StoreError> {
        self.0.get_stream(key).await
    }
    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<ETag, StoreError> {
        if key.ends_with("_manifest.json") {
            let (action, why, advice) = ("write", "no space left".to_owned(), "free some space");
            return Err(StoreError::Failed {
                action,
                key: key.to_owned(),
                why,
                advice,
                transient: false,
            });
        }
        self.0.put(key, bytes, condition).await
    }
    async fn put_file(
        &self,
        key: &str,
        file: PathBuf,
        condition: PutCondition,
    ) -> Result<ETag, StoreError> {
        self.0.put_file(key, file, condition).await
    }
    async fn list(&self, prefix: &str) -> Result<MetaStream, StoreError> {
        self.0.list(prefix).await
    }
    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.0.delete(key).await
    }
    fn staging(&self) -> PathBuf {
        self.0.staging()
    }
    fn local_path(&self, key: &str) -> Option<PathBuf> {
        self.0.local_path(key)
    }
    fn display(&self, key: &str) -> String {
        self.0.display(key)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watermark_moves_only_after_the_manifest() {
    let house = House::new(3_000, "").await;
    let mut ctx = house.context("run-1").await;
    ctx.lake.raw = Arc::new(NoManifests(ctx.lake.raw));
    let error = collect(&ctx, &request(Stream::AffiseConversions))
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::StorageError, "{error}");
    assert_eq!(
        Watermark::load(&house.lake().std, Stream::AffiseConversions)
            .await
            .unwrap(),
        None
    );
    let requests = house.simulator.requests();
    let summary = house
        .collect(Stream::AffiseConversions, "run-1")
        .await
        .unwrap();
    assert_eq!(
        house.simulator.requests(),
        requests,
        "the rows were there already"
    );
    assert!(summary.watermark.is_some());
    assert_eq!(
        merged(&house.bronze(Stream::AffiseConversions).await),
        house.truth(Stream::AffiseConversions)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_parks_the_unit_until_it_is_over() {
    let house = House::new(3_000, "429-retry-after#2:7200s").await;
    let error = house
        .collect(Stream::AffiseClicks, "run-1")
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::QuotaExhausted, "{error}");
    let unit = house.unit(Stream::AffiseClicks, "run-1").await.record;
    assert!(
        matches!(unit.status, UnitStatus::Parked { .. }),
        "{:?}",
        unit.status
    );
    house.collect(Stream::AffiseClicks, "run-1").await.unwrap();
    assert_eq!(
        merged(&house.bronze(Stream::AffiseClicks).await),
        house.truth(Stream::AffiseClicks)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_of_another_zone_are_covered() {
    let house = House::new(4_000, "").await;
    let mut ctx = house.context("run-1").await;
    let profile = Profile {
        time_zone: TimeZone::get("Asia/Kolkata").unwrap(),
        ..house.profile()
    };
    ctx.profile = Arc::new(profile);
    let day = date(2026, 1, 29);
    let one = CollectRequest {
        window: Window::day(day),
        ..request(Stream::AffiseClicks)
    };
    collect(&ctx, &one).await.unwrap();
    let ids = merged(&house.bronze(Stream::AffiseClicks).await);
    let (start, end) = Window::day(day)
        .instants(&TimeZone::get("Asia/Kolkata").unwrap())
        .unwrap();
    let truth = house.simulator.truth().unwrap();
    let inside = truth
        .clicks()
        .filter(|click| (start.as_second()..end.as_second()).contains(&click.created));
    let wanted: Vec<String> = inside.map(|click| click.id.to_string()).collect();
    assert!(!wanted.is_empty() && wanted.iter().all(|id| ids.binary_search(id).is_ok()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_key_and_an_empty_address_say_what_to_do() {
    let house = House::new(1_000, "").await;
    let mut ctx = house.context("run-1").await;
    ctx.parameters = Arc::new(FileParameters::new(house.path().join("none.json")));
    let error = collect(&ctx, &request(Stream::AffiseOffers))
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::BadCredentials);
    assert!(error.message.contains("credentials set"), "{error}");
    let mut ctx = house.context("run-1").await;
    let profile = Profile {
        affise: AffiseSettings::default(),
        ..house.profile()
    };
    ctx.profile = Arc::new(profile);
    let error = collect(&ctx, &request(Stream::AffiseOffers))
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::InvalidInput);
    assert!(error.message.contains("base_url"), "{error}");
}
