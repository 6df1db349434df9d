//! The source APIs on loopback: the paths, envelopes, limits and faults of the real ones.
//!
//! It exists so that the whole line can be run, shown and broken without an account: by the demo,
//! by tests, and by an engineer who wants to see what a run does when the source misbehaves. The
//! specification is `source-apis.md` sections 0 and 1.
//!
//! ```text
//! truth    what happened, as plain values (tests compute reports from it)
//! wire     how Affise spells it
//! server   paths, keys, parameters, pages
//! ```

mod calendar;
mod random;
mod server;
mod text;
pub mod truth;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use jiff::{civil, tz::TimeZone};
use secrecy::SecretString;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use calendar::{CLICK_DAYS, PERIOD_DAYS};
pub use text::UserAgent;
pub use wire::SECRET_MARKER;

use server::{Holdings, Server};
use truth::{LateChange, Truth};

/// The key of a general manager unless another is given. Well known on purpose: it opens nothing
/// but a simulator on loopback.
pub const DEMO_KEY: &str = "SIMULATED-SECRET-demo-general-manager";

/// The key of an affiliate unless another is given.
pub const DEMO_AFFILIATE_KEY: &str = "SIMULATED-SECRET-demo-affiliate";

/// Clicks of a generated world unless told otherwise.
pub const DEFAULT_SCALE: u64 = 20_000;

/// How to run a simulator.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which world; the same seed, scale and today give the same bytes.
    pub seed: u64,
    /// Clicks of the whole generated period.
    pub scale: u64,
    /// The last day of the generated period (UTC). The clock stands at its last second.
    pub today: civil::Date,
    /// Port on loopback; 0 for any free one.
    pub port: u16,
    /// The key that may read everything.
    pub admin_key: SecretString,
    /// The key that sees what one affiliate sees.
    pub affiliate_key: SecretString,
}

impl Options {
    /// Defaults: seed 1, 20,000 clicks, any free port, the demo keys.
    pub fn new(today: civil::Date) -> Self {
        Self {
            seed: 1,
            scale: DEFAULT_SCALE,
            today,
            port: 0,
            admin_key: SecretString::from(DEMO_KEY),
            affiliate_key: SecretString::from(DEMO_AFFILIATE_KEY),
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
}

/// A simulator that runs until it is shut down or dropped.
#[derive(Debug)]
pub struct RunningSimulator {
    server: Arc<Server>,
    address: SocketAddr,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

/// Starts a simulator on loopback.
///
/// # Errors
///
/// [`SimulatorError::Listen`] if the port is taken.
pub async fn start(options: Options) -> Result<RunningSimulator, SimulatorError> {
    let port = options.port;
    let listen = |source| SimulatorError::Listen { port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let truth = Truth::new(options.seed, options.scale, options.today);
    let server = Arc::new(Server {
        clock: AtomicI64::new(truth.now()),
        holdings: Holdings::Generated(truth),
        admin_key: options.admin_key,
        affiliate_key: options.affiliate_key,
        work: server::Work::default(),
        requests: AtomicU64::new(0),
        requests_by_path: Mutex::default(),
    });
    let router = Router::new()
        .fallback(server::handle)
        .with_state(Arc::clone(&server));
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let task = tokio::spawn(async move {
        // Serving ends when it is told to; a failed accept is logged and tried again by axum.
        let _ = axum::serve(listener, router)
            .with_graceful_shutdown(stopped)
            .await;
    });
    Ok(RunningSimulator {
        server,
        address,
        stop,
        task: Some(task),
    })
}

impl RunningSimulator {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the generated world holds as of now, late changes included.
    pub fn truth(&self) -> Truth {
        match &self.server.holdings {
            Holdings::Generated(truth) => truth.as_of(calendar::wall_clock(
                self.server.clock.load(Ordering::Relaxed),
                &TimeZone::UTC,
            )),
        }
    }

    /// Moves the clock (UTC): rows after it do not exist yet.
    pub fn set_now(&self, now: civil::DateTime) {
        self.server
            .clock
            .store(calendar::instant(now, &TimeZone::UTC), Ordering::Relaxed);
    }

    /// Late status changes made so far.
    pub fn late_changes(&self) -> Vec<LateChange> {
        self.truth().late_changes()
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
