//! Signals as events of the loop.

use std::io;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// End, with this signal's number.
    End(i32),
    /// Stop until continued.
    Suspend,
    /// Continued after a stop that nobody announced.
    Continued,
}

/// The signals the console listens to.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    stop: tokio::signal::unix::Signal,
    continued: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn listen() -> io::Result<Self> {
        use signal_hook::consts::{SIGCONT, SIGTSTP};
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            stop: signal(SignalKind::from_raw(SIGTSTP))?,
            continued: signal(SignalKind::from_raw(SIGCONT))?,
        })
    }

    /// The next signal.
    pub(crate) async fn next(&mut self) -> Signal {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        tokio::select! {
            _ = self.terminate.recv() => Signal::End(SIGTERM),
            _ = self.hang_up.recv() => Signal::End(SIGHUP),
            _ = self.interrupt.recv() => Signal::End(SIGINT),
            _ = self.stop.recv() => Signal::Suspend,
            _ = self.continued.recv() => Signal::Continued,
        }
    }
}

/// Nothing to listen to on this system.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// Starts to listen.
    ///
    /// # Errors
    /// Never.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    /// Never comes.
    pub(crate) async fn next(&mut self) -> Signal {
        std::future::pending().await
    }
}
