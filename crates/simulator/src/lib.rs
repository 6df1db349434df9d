//! The source APIs on loopback: the paths, envelopes, limits and faults of the real ones.
//!
//! It exists so that the whole line can be run, shown and broken without an account: by the demo,
//! by tests, and by an engineer who wants to see what a run does when the source misbehaves. The
//! specification is `source-apis.md` sections 0 and 1.
//!
//! ```text
//! truth    what happened, as plain values (tests compute reports from it)
//! wire     how Affise spells it
//! archive  rows of files instead of generated ones
//! marketo  the same for Marketo, which has a world of its own
//! google   the same for Google Analytics 4 and 3
//! faults   misbehaving on purpose
//! server   paths, keys, parameters, pages
//! ```
//!
//! # Decisions where the sheet is silent
//!
//! - Listings of events run by time of creation, the oldest first.
//! - Clicks of today and of the seven days before it can be read, older ones come back empty.
//! - An update filter without `date_from` and `date_to` looks at conversions of any age.
//! - Hours of an update filter include their last second.
//! - Parameters that are documented but not played are refused like unknown ones: a filter that
//!   silently does nothing would make a wrong report.
//! - A wrong path is answered before the key is looked at.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod archive;
mod calendar;
pub mod campaigns;
mod faults;
pub mod google;
pub mod marketo;
mod random;
mod server;
mod text;
pub mod truth;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::{Router, routing::any};
use jiff::{Timestamp, civil, tz::TimeZone};
use secrecy::SecretString;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use archive::{ArchiveError, SkippedLine};
pub use calendar::{CLICK_DAYS, PERIOD_DAYS};
pub use faults::{FaultKind, FaultPlan, FaultPlanError};
pub use text::UserAgent;
pub use wire::SECRET_MARKER;

use archive::Archive;
use faults::Faults;
use google::{Google, GoogleFiles, GoogleOptions, GoogleTruth};
use marketo::{Marketo, MarketoFiles, MarketoOptions, MarketoTruth};
use server::{Holdings, Server};
use truth::{LateChange, Truth};

/// The key of a general manager unless another is given. Well known on purpose: it opens nothing
/// but a simulator on loopback.
pub const DEMO_API_KEY: &str = "SIMULATED-SECRET-demo-general-manager";

/// The key of an affiliate unless another is given.
pub const DEMO_AFFILIATE_KEY: &str = "SIMULATED-SECRET-demo-affiliate";

/// Clicks of a generated world unless told otherwise.
pub const DEFAULT_SCALE: u64 = 20_000;

/// Seed of a generated world unless told otherwise.
pub const DEFAULT_SEED: u64 = 1;

/// How to run a simulator.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which world; the same seed, scale and today give the same bytes.
    pub seed: u64,
    /// Clicks of the whole generated period. Without a meaning when files are served.
    pub scale: u64,
    /// The simulator's today (UTC). The clock stands at its last second. Without it: the present
    /// day or, when files are served, the day of their newest event.
    pub today: Option<civil::Date>,
    /// Folder of files to serve instead of generated rows: `offers`, `affiliates`, `advertisers`,
    /// `clicks` and `conversions`, each as `NAME.ndjson`, `.json`, `.jsonl`, these with `.gz` or
    /// `.zst`, or a folder of such files.
    pub data: Option<PathBuf>,
    /// Whether clicks of all days can be read, and not only those of the last seven.
    pub all_clicks: bool,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// Port on loopback; 0 for any free one.
    pub port: u16,
    /// The key that may read everything.
    pub api_key: SecretString,
    /// The key that sees what one affiliate sees.
    pub affiliate_key: SecretString,
    /// What the Marketo instance allows.
    pub marketo: MarketoOptions,
    /// What Google allows.
    pub google: GoogleOptions,
}

impl Default for Options {
    /// Seed 1, 20,000 clicks up to the present day, no faults, any free port, the demo keys.
    fn default() -> Self {
        Self {
            seed: DEFAULT_SEED,
            scale: DEFAULT_SCALE,
            today: None,
            data: None,
            all_clicks: false,
            faults: FaultPlan::default(),
            port: 0,
            api_key: SecretString::from(DEMO_API_KEY),
            affiliate_key: SecretString::from(DEMO_AFFILIATE_KEY),
            marketo: MarketoOptions::default(),
            google: GoogleOptions::default(),
        }
    }
}

impl Options {
    /// The defaults with a fixed calendar.
    pub fn new(today: civil::Date) -> Self {
        Self {
            today: Some(today),
            ..Self::default()
        }
    }
}

/// Why a simulator did not start.
#[derive(Debug, Error)]
pub enum SimulatorError {
    /// The port could not be had.
    #[error(
        "cannot listen on 127.0.0.1:{port} for the simulator: {source}; choose another --port, or 0 for any free one"
    )]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The files cannot be served.
    #[error("cannot serve files with the simulator: {0}")]
    Archive(#[from] ArchiveError),
    /// A fault needs rows that can change, and files cannot.
    #[error(
        "the fault late-status changes conversions, which rows of files do not allow; \
         leave it out or serve generated rows"
    )]
    LateStatusWithFiles,
    /// More clicks than identifiers hold.
    #[error("the simulator makes at most {MOST_CLICKS} clicks, not {0}; choose a smaller --scale")]
    Scale(u64),
}

/// Identifiers and the index of conversions have room for so many clicks.
const MOST_CLICKS: u64 = 1 << 40;

/// A simulator that runs until it is shut down or dropped.
#[derive(Debug)]
pub struct RunningSimulator {
    server: Arc<Server>,
    address: SocketAddr,
    stop: CancellationToken,
    skipped: Vec<SkippedLine>,
    task: Option<JoinHandle<()>>,
}

/// Starts a simulator on loopback.
///
/// # Errors
///
/// A taken port, files that cannot be read, a fault plan that does not fit them.
pub async fn start(options: Options) -> Result<RunningSimulator, SimulatorError> {
    let port = options.port;
    let listen = |source| SimulatorError::Listen { port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let stop = CancellationToken::new();
    let server = Arc::new(prepare(options, stop.clone()).await?);
    let router = Router::new()
        .route("/identity/{*rest}", any(marketo::handle))
        .route("/rest/{*rest}", any(marketo::handle))
        .route("/bulk/{*rest}", any(marketo::handle))
        .route("/token", any(google::handle))
        .route("/v1beta/{*rest}", any(google::handle))
        .route("/v4/{*rest}", any(google::handle))
        .fallback(server::handle)
        .with_state(Arc::clone(&server));
    let stopped = stop.clone().cancelled_owned();
    let task = tokio::spawn(async move {
        // Serving ends when it is told to; a failed accept is logged and tried again by axum.
        let _ = axum::serve(listener, router)
            .with_graceful_shutdown(stopped)
            .await;
    });
    Ok(RunningSimulator {
        skipped: skipped(&server),
        server,
        address,
        stop,
        task: Some(task),
    })
}

/// The lines that no source serves.
fn skipped(server: &Server) -> Vec<SkippedLine> {
    let affise = match &server.holdings {
        Holdings::Generated(_) => &[],
        Holdings::Files(archive) => archive.skipped(),
    };
    affise
        .iter()
        .chain(server.marketo.skipped())
        .chain(server.google.skipped())
        .cloned()
        .collect()
}

/// Makes or reads what is served; on a thread of its own, because files may be large.
async fn prepare(options: Options, stop: CancellationToken) -> Result<Server, SimulatorError> {
    if options.scale > MOST_CLICKS {
        return Err(SimulatorError::Scale(options.scale));
    }
    let (seed, scale, today) = (options.seed, options.scale, options.today);
    if options.data.is_some() && options.faults.changes_conversions() {
        return Err(SimulatorError::LateStatusWithFiles);
    }
    let files = match options.data {
        Some(directory) => {
            let opened = tokio::task::spawn_blocking(move || Files::open(&directory)).await;
            opened.map_err(|error| ArchiveError::Keep(io::Error::other(error)))??
        }
        None => Files::default(),
    };
    let newest = || {
        files
            .newest()
            .unwrap_or_else(|| Timestamp::now().as_second())
    };
    let day = today.unwrap_or_else(|| calendar::day_of(newest()));
    let now = calendar::day_start(day) + calendar::DAY_SECONDS - 1;
    let holdings = match files.affise {
        Some(archive) => Holdings::Files(archive),
        None => Holdings::Generated(Truth::new(seed, scale, day)),
    };
    let marketo = match files.marketo {
        Some(files) => files.serve(options.marketo, seed),
        None => Marketo::generated(options.marketo, seed, scale, now),
    };
    let google = Google::new(options.google, seed, scale, files.google);
    Ok(Server {
        holdings,
        marketo,
        google,
        clock: AtomicI64::new(now),
        admin_key: options.api_key,
        affiliate_key: options.affiliate_key,
        all_clicks: options.all_clicks,
        faults: Faults::new(options.faults, seed),
        stop,
        work: server::Work::default(),
        requests: AtomicU64::new(0),
        requests_by_path: Mutex::default(),
    })
}

/// What a folder of files holds, by source. A source without files there is generated.
#[derive(Default)]
struct Files {
    affise: Option<Box<Archive>>,
    marketo: Option<MarketoFiles>,
    google: Option<GoogleFiles>,
}

impl Files {
    /// Takes in a folder.
    fn open(directory: &Path) -> Result<Self, ArchiveError> {
        let marketo = MarketoFiles::open(directory)?;
        let google = GoogleFiles::open(directory)?;
        let affise = match Archive::open(directory) {
            Ok(archive) => Some(Box::new(archive)),
            Err(ArchiveError::Empty(_)) if marketo.is_some() || google.is_some() => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            affise,
            marketo,
            google,
        })
    }

    /// When the newest row of any source was made.
    fn newest(&self) -> Option<i64> {
        let affise = self.affise.as_ref().and_then(|archive| archive.newest());
        let marketo = self.marketo.as_ref().and_then(MarketoFiles::newest);
        let google = self.google.as_ref().and_then(GoogleFiles::newest);
        affise.max(marketo).max(google)
    }
}

impl RunningSimulator {
    /// What is true of the websites as of now.
    pub fn google_truth(&self) -> GoogleTruth {
        self.server.google.truth(self.server.now())
    }

    /// The service account's key file, as `/google/ServiceAccountKey` keeps it. It signs tokens that only
    /// this simulator takes.
    pub fn service_account_key(&self) -> SecretString {
        self.server.google.key_file(&self.base_url())
    }

    /// Makes every token of Google expire now.
    pub fn expire_google_tokens(&self) {
        self.server.google.expire_tokens();
    }

    /// What the Marketo instance holds as of now.
    pub fn marketo_truth(&self) -> MarketoTruth {
        self.server.marketo.truth(self.server.now())
    }

    /// Makes the Marketo token in use expire now.
    pub fn expire_marketo_token(&self) {
        self.server.marketo.expire_token();
    }

    /// Marketo calls counted and bytes of bulk files made on the quota day of now.
    pub fn marketo_usage(&self) -> (u64, u64) {
        let (marketo, now) = (&self.server.marketo, self.server.now());
        (marketo.calls_counted(now), marketo.bytes_exported(now))
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the generated world holds as of now, late changes included. `None` when files are
    /// served.
    pub fn truth(&self) -> Option<Truth> {
        match &self.server.holdings {
            Holdings::Generated(truth) => Some(truth.as_of(self.now())),
            Holdings::Files(_) => None,
        }
    }

    /// What the simulator takes for now (UTC).
    pub fn now(&self) -> civil::DateTime {
        calendar::wall_clock(self.server.clock.load(Ordering::Relaxed), &TimeZone::UTC)
    }

    /// What the simulator takes for today (UTC).
    pub fn today(&self) -> civil::Date {
        self.now().date()
    }

    /// Lines of the files that are not served, each with its reason.
    pub fn skipped_lines(&self) -> &[SkippedLine] {
        &self.skipped
    }

    /// How often each kind of fault has struck, by its word in a plan.
    pub fn faults_struck(&self) -> BTreeMap<&'static str, u64> {
        self.server.faults.struck()
    }

    /// Moves the clock (UTC): rows after it do not exist yet.
    pub fn set_now(&self, now: civil::DateTime) {
        self.server
            .clock
            .store(calendar::instant(now, &TimeZone::UTC), Ordering::Relaxed);
    }

    /// Late status changes made so far.
    pub fn late_changes(&self) -> Vec<LateChange> {
        self.truth()
            .map(|truth| truth.late_changes())
            .unwrap_or_default()
    }

    /// Requests received, all paths together.
    pub fn requests(&self) -> u64 {
        self.server.requests.load(Ordering::Relaxed)
    }

    /// Requests received by path.
    pub fn requests_by_path(&self) -> BTreeMap<String, u64> {
        self.server
            .requests_by_path
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Rows written into answers, and rows that filters looked at.
    pub fn work(&self) -> (u64, u64) {
        let work = &self.server.work;
        (
            work.rows_written.load(Ordering::Relaxed),
            work.rows_examined.load(Ordering::Relaxed),
        )
    }

    /// Stops listening and waits until open requests are answered.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // The task ends by itself once it is told to stop.
            let _ = task.await;
        }
    }
}

impl Drop for RunningSimulator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
