//! Who runs an execution, and whether that process still lives.
//!
//! One writer an execution: its row carries a random ticket, and every commit asks whether the row
//! still has it (a fence). So a runner that was taken for dead, but was not, cannot write any more.
//! Whether an owner lives is looked up at once where it can be (same machine, same process table);
//! otherwise its last heartbeat decides.

use std::{
    collections::HashSet,
    sync::{LazyLock, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// An owner on another machine, or in another process table, is dead after this silence.
const SILENCE: SignedDuration = SignedDuration::from_secs(60);

/// Tickets of runners that live in this process.
static LIVE_TICKETS: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// A process, told apart from a later one with the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Boot and process table it belongs to; empty where the system does not say.
    pub place: String,
    /// Its number.
    pub pid: u32,
    /// Clock ticks between boot and its start; `None` where the system does not say.
    pub started: Option<u64>,
}

/// What is known of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It runs.
    Alive,
    /// It is gone: whoever wants may take over.
    Dead,
}

impl ProcessIdentity {
    /// This process.
    #[must_use]
    pub fn current() -> Self {
        static CURRENT: LazyLock<ProcessIdentity> = LazyLock::new(|| {
            let pid = std::process::id();
            ProcessIdentity {
                place: place(),
                pid,
                started: start_ticks(pid),
            }
        });
        CURRENT.clone()
    }

    /// Whether the process still runs, as seen at `now`; `ticket` is the one in the execution's row
    /// and `seen` its last heartbeat.
    #[must_use]
    pub fn liveness(&self, ticket: &str, seen: Option<Timestamp>, now: Timestamp) -> Liveness {
        let current = Self::current();
        let alive = if self == &current {
            tickets().contains(ticket)
        } else if !self.place.is_empty() && self.place == current.place && self.started.is_some() {
            start_ticks(self.pid) == self.started
        } else {
            seen.is_some_and(|seen| now.duration_since(seen) < SILENCE)
        };
        if alive {
            Liveness::Alive
        } else {
            Liveness::Dead
        }
    }
}

fn tickets() -> std::sync::MutexGuard<'static, HashSet<String>> {
    LIVE_TICKETS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to write one execution, as long as this value lives.
#[derive(Debug)]
pub struct OwnerTicket {
    token: String,
}

impl OwnerTicket {
    /// A fresh one.
    #[must_use]
    pub fn issue() -> Self {
        let token = uuid::Uuid::new_v4().to_string();
        tickets().insert(token.clone());
        Self { token }
    }

    /// What the row carries.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }
}

impl Drop for OwnerTicket {
    fn drop(&mut self) {
        tickets().remove(&self.token);
    }
}

/// Boot id and process namespace: process numbers mean the same thing only within both.
fn place() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/pid")
        .map(|link| link.display().to_string())
        .unwrap_or_default();
    if boot.is_empty() || namespace.is_empty() {
        String::new()
    } else {
        format!("{}/{namespace}", boot.trim())
    }
}

/// Start time of a process that lives (a zombie does not), field 22 of `/proc/<pid>/stat`.
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command stands in parentheses and may hold blanks and parentheses itself.
    let (_, after_command) = stat.rsplit_once(')')?;
    let mut fields = after_command.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X" | "x") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_in_this_process_lives_as_long_as_its_ticket() {
        let ticket = OwnerTicket::issue();
        let token = ticket.token().to_owned();
        let now = Timestamp::now();
        assert_eq!(
            ProcessIdentity::current().liveness(&token, None, now),
            Liveness::Alive
        );
        drop(ticket);
        assert_eq!(
            ProcessIdentity::current().liveness(&token, Some(now), now),
            Liveness::Dead
        );
    }

    #[test]
    fn a_child_lives_until_it_is_killed_even_before_it_is_reaped() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let owner = ProcessIdentity {
            place: place(),
            pid: child.id(),
            started: start_ticks(child.id()),
        };
        assert!(owner.started.is_some());
        let now = Timestamp::now();
        assert_eq!(owner.liveness("x", None, now), Liveness::Alive);
        child.kill().unwrap();
        let dead = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            owner.liveness("x", Some(now), now) == Liveness::Dead
        });
        assert!(dead, "a zombie still counted as alive");
        child.wait().unwrap();
        let reused = ProcessIdentity {
            started: owner.started.map(|ticks| ticks + 1),
            ..ProcessIdentity::current()
        };
        assert_eq!(
            reused.liveness("x", Some(now), now),
            Liveness::Dead,
            "same number, other start"
        );
    }

    #[test]
    fn far_owners_are_judged_by_their_silence() {
        let far = ProcessIdentity {
            place: "elsewhere".to_owned(),
            pid: 1,
            started: Some(1),
        };
        let now = Timestamp::now();
        let seen = |seconds| Some(now - SignedDuration::from_secs(seconds));
        assert_eq!(far.liveness("x", seen(59), now), Liveness::Alive);
        assert_eq!(far.liveness("x", seen(61), now), Liveness::Dead);
        assert_eq!(far.liveness("x", None, now), Liveness::Dead);
    }
}
