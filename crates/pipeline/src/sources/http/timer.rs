//! Waiting, replaceable in tests: a test of a wait of an hour must not take an hour.

use std::fmt;

use async_trait::async_trait;
use tokio::time::Instant;

/// A monotonic clock and how to wait by it.
#[async_trait]
pub(super) trait Timer: Send + Sync + fmt::Debug {
    /// This instant.
    fn now(&self) -> Instant;
    /// Returns at `instant`.
    async fn sleep_until(&self, instant: Instant);
    /// Returns at `instant` while something else is awaited.
    async fn expire_at(&self, instant: Instant);
}

/// The machine's clock.
#[derive(Debug)]
pub(super) struct MachineTimer;

#[async_trait]
impl Timer for MachineTimer {
    fn now(&self) -> Instant {
        Instant::now()
    }

    async fn sleep_until(&self, instant: Instant) {
        tokio::time::sleep_until(instant).await;
    }

    async fn expire_at(&self, instant: Instant) {
        tokio::time::sleep_until(instant).await;
    }
}

/// A clock that jumps to wherever somebody sleeps to. Nothing else takes time.
#[cfg(test)]
#[derive(Debug)]
pub(super) struct JumpingTimer(std::sync::Mutex<Instant>);

#[cfg(test)]
impl JumpingTimer {
    pub(super) fn new() -> Self {
        Self(std::sync::Mutex::new(Instant::now()))
    }
}

#[cfg(test)]
#[async_trait]
impl Timer for JumpingTimer {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }

    async fn sleep_until(&self, instant: Instant) {
        let mut now = self.0.lock().unwrap();
        *now = instant.max(*now);
    }

    async fn expire_at(&self, instant: Instant) {
        if self.now() < instant {
            std::future::pending::<()>().await;
        }
    }
}
