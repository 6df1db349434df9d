//! How fast one key may be used, by everyone in this process together.
//!
//! Streams are collected side by side with one key, and the source counts per key; so pace, slots
//! and pauses belong to the key.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use super::timer::Timer;

/// So many calls in any stretch of time of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallWindow {
    /// Calls.
    pub calls: usize,
    /// Length of the stretch.
    pub length: Duration,
}

/// Pace and slots of one key.
#[derive(Debug)]
pub(super) struct KeyBudget {
    interval: Duration,
    window: Option<CallWindow>,
    slots: Semaphore,
    times: Mutex<Times>,
}

#[derive(Debug, Clone)]
struct Times {
    /// When the next request may start.
    next: Instant,
    /// Nobody starts before this: the source asked for a pause.
    paused_until: Instant,
    /// The last turns, as many as the window has calls, oldest first.
    turns: VecDeque<Instant>,
}

impl Times {
    /// When the next call may start, given the calls of the window before it.
    fn window_end(&self, window: Option<CallWindow>) -> Option<Instant> {
        let window = window?;
        let oldest = self.turns.len().checked_sub(window.calls.max(1))?;
        Some(*self.turns.get(oldest)? + window.length)
    }

    fn remember(&mut self, turn: Instant, window: Option<CallWindow>) {
        let Some(window) = window else { return };
        self.turns.push_back(turn);
        while self.turns.len() > window.calls.max(1) {
            self.turns.pop_front();
        }
    }
}

type Registry = Mutex<HashMap<[u8; 32], Weak<KeyBudget>>>;
static BUDGETS: LazyLock<Registry> = LazyLock::new(Registry::default);

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is a few plain values; a panic elsewhere leaves them usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl KeyBudget {
    /// The budget of a key at a host: the one in use, or a new one.
    pub(super) fn of(
        host: &str,
        key: &str,
        requests_per_second: f64,
        concurrency: usize,
        window: Option<CallWindow>,
        now: Instant,
    ) -> Arc<Self> {
        let mut hash = Sha256::new();
        hash.update(host.as_bytes());
        hash.update([0]);
        hash.update(key.as_bytes());
        let name: [u8; 32] = hash.finalize().into();
        let mut budgets = held(&BUDGETS);
        budgets.retain(|_, budget| budget.strong_count() > 0);
        if let Some(budget) = budgets.get(&name).and_then(Weak::upgrade) {
            return budget;
        }
        let budget = Arc::new(Self::new(requests_per_second, concurrency, window, now));
        budgets.insert(name, Arc::downgrade(&budget));
        budget
    }

    fn new(
        requests_per_second: f64,
        concurrency: usize,
        window: Option<CallWindow>,
        now: Instant,
    ) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / requests_per_second);
        Self {
            // Slower than once an hour, or not a number: an hour.
            interval: interval
                .unwrap_or(Duration::MAX)
                .min(Duration::from_secs(3600)),
            window,
            slots: Semaphore::new(concurrency.max(1)),
            times: Mutex::new(Times {
                next: now,
                paused_until: now,
                turns: VecDeque::new(),
            }),
        }
    }

    /// Waits for a slot and for this request's turn. The slot is free again when the permit is dropped.
    pub(super) async fn turn(&self, timer: &dyn Timer) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        let permit = self.slots.acquire().await.ok();
        let turn = {
            let mut times = held(&self.times);
            let mut turn = times.next.max(times.paused_until).max(timer.now());
            if let Some(end) = times.window_end(self.window) {
                turn = turn.max(end);
            }
            times.next = turn + self.interval;
            times.remember(turn, self.window);
            turn
        };
        timer.sleep_until(turn).await;
        loop {
            // A pause may have been asked for while this one slept.
            let until = held(&self.times).paused_until;
            if until <= timer.now() {
                return permit;
            }
            timer.sleep_until(until).await;
        }
    }

    /// Nobody with this key starts a request before that instant.
    pub(super) fn pause_until(&self, until: Instant) {
        let mut times = held(&self.times);
        times.paused_until = times.paused_until.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::timer::JumpingTimer, *};

    #[tokio::test]
    async fn requests_keep_their_distance_and_their_slots() {
        let timer = JumpingTimer::new();
        let start = timer.now();
        let budget = KeyBudget::new(2.0, 2, None, start);
        for _ in 0..5 {
            drop(budget.turn(&timer).await);
        }
        assert_eq!(timer.now() - start, Duration::from_secs(2));
        let (_one, _two) = (budget.turn(&timer).await, budget.turn(&timer).await);
        assert!(budget.slots.try_acquire().is_err(), "two slots are taken");
    }

    #[tokio::test]
    async fn a_pause_holds_for_everyone_with_the_key() {
        let timer = JumpingTimer::new();
        let start = timer.now();
        let one = KeyBudget::of("h", "k", 10.0, 4, None, start);
        let two = KeyBudget::of("h", "k", 10.0, 4, None, start);
        let other = KeyBudget::of("h", "another key", 10.0, 4, None, start);
        one.pause_until(start + Duration::from_secs(30));
        drop(other.turn(&timer).await);
        assert_eq!(timer.now(), start);
        drop(two.turn(&timer).await);
        assert_eq!(timer.now() - start, Duration::from_secs(30));
    }

    #[tokio::test]
    async fn a_window_holds_so_many_calls_however_fast_they_could_be() {
        let timer = JumpingTimer::new();
        let start = timer.now();
        let window = CallWindow {
            calls: 3,
            length: Duration::from_secs(20),
        };
        let budget = KeyBudget::new(1e9, 9, Some(window), start);
        let mut starts = Vec::new();
        for _ in 0..8 {
            drop(budget.turn(&timer).await);
            starts.push((timer.now() - start).as_secs());
        }
        assert_eq!(starts, [0, 0, 0, 20, 20, 20, 40, 40]);
    }
}
