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
    /// The terminal has gone, whether or not a signal said so.
    Gone,
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
    line: Line,
}

/// The line to the terminal. Whoever reads keys from a line that was cut gets nothing, for ever and at once; and
/// the signal that tells of it goes to the leader of the session, who may have kept it to itself.
#[cfg(unix)]
#[derive(Debug)]
struct Line(Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>>);

#[cfg(unix)]
impl Line {
    /// The terminal that keys are read from.
    // What replaces it is for descriptors that may change hands, and `unsafe`; an owned one stays what it is.
    #[allow(deprecated)]
    fn open() -> Self {
        use std::{io::IsTerminal, os::fd::AsFd};
        let input = io::stdin();
        let line = if input.is_terminal() {
            input.as_fd().try_clone_to_owned()
        } else {
            std::fs::File::open("/dev/tty").map(Into::into)
        };
        let interest = tokio::io::Interest::READABLE;
        let watched = line.and_then(|line| tokio::io::unix::AsyncFd::with_interest(line, interest));
        // Where it cannot be watched the reader of keys and the signals are left.
        Self(watched.ok())
    }

    /// Waits until it is cut.
    async fn cut(&self) {
        while let Some(line) = &self.0 {
            let Ok(mut found) = line.ready(tokio::io::Interest::READABLE).await else {
                break;
            };
            if found.ready().is_read_closed() {
                return;
            }
            found.clear_ready();
        }
        std::future::pending().await
    }
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
            line: Line::open(),
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
            () = self.line.cut() => Signal::Gone,
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
