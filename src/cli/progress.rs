//! Following an execution from the command line.

use std::{
    collections::HashMap,
    io::{self, IsTerminal, Write},
    time::Duration,
};

use crate::{
    cli::CliError,
    ops::{ExecutionDetail, ExecutionId, Operations, StageStatus},
    pipeline::text::for_terminal,
};

/// How often a running execution is looked at.
const POLL: Duration = Duration::from_millis(200);

/// Times between two looks at something distant: every look is a call that others may need, so they grow apart.
pub struct Waits {
    next: Option<Duration>,
}

/// Shortest and longest time between two looks at something distant.
const DISTANT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(4));

impl Waits {
    /// None for this machine, which may be looked at as often as one likes.
    pub fn of(operations: &dyn Operations) -> Self {
        let distant = operations.connection().login_command.is_some();
        Self {
            next: distant.then_some(DISTANT.0),
        }
    }
}

impl Iterator for Waits {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let this = self.next?;
        self.next = Some((this * 3 / 2).min(DISTANT.1));
        Some(this)
    }
}

/// Waits until an execution has ended; shows its stages on standard error when that is a terminal.
///
/// # Errors
/// When the platform cannot be asked.
pub async fn follow(
    operations: &dyn Operations,
    id: &ExecutionId,
) -> Result<ExecutionDetail, CliError> {
    let mut shown = Shown::new();
    let mut waits = Waits::of(operations);
    let mut last_event = 0;
    loop {
        let detail = operations.execution(id, last_event).await?;
        last_event = detail.events.last().map_or(last_event, |event| event.id);
        shown.update(&detail);
        if detail.summary.status.is_ended() {
            shown.finish();
            return Ok(detail);
        }
        tokio::time::sleep(waits.next().unwrap_or(POLL)).await;
    }
}

/// Waits until an execution has ended, silently.
///
/// # Errors
/// When the platform cannot be asked.
pub async fn wait(
    operations: &dyn Operations,
    id: &ExecutionId,
) -> Result<ExecutionDetail, crate::ops::OpsError> {
    loop {
        let detail = operations.execution(id, u64::MAX >> 1).await?;
        if detail.summary.status.is_ended() {
            return Ok(detail);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// What standard error already says.
struct Shown {
    live: bool,
    stages: HashMap<String, StageStatus>,
    transient: bool,
}

impl Shown {
    fn new() -> Self {
        Self {
            live: io::stderr().is_terminal(),
            stages: HashMap::new(),
            transient: false,
        }
    }

    fn update(&mut self, detail: &ExecutionDetail) {
        if !self.live {
            return;
        }
        let mut err = io::stderr().lock();
        for stage in &detail.stages {
            if stage.status == StageStatus::NotReached
                || self.stages.get(&stage.name) == Some(&stage.status)
            {
                continue;
            }
            self.stages.insert(stage.name.clone(), stage.status.clone());
            if matches!(stage.status, StageStatus::Running)
                || !matches!(stage.kind.as_str(), "Task" | "Map" | "Parallel")
            {
                continue;
            }
            let (mark, word) = mark(&stage.status);
            let indent = "  ".repeat(usize::from(stage.depth));
            let error = stage
                .error
                .as_deref()
                .map(|error| format!("  {}", for_terminal(error)))
                .unwrap_or_default();
            let clear = if self.transient { "\r\x1b[2K" } else { "" };
            let _ = writeln!(
                err,
                "{clear}{indent}{mark} {}  {word}{error}",
                for_terminal(&stage.name)
            );
            self.transient = false;
        }
        let running = detail.stages.iter().rev().find(|stage| {
            matches!(
                stage.status,
                StageStatus::Running | StageStatus::Waiting { .. }
            )
        });
        if let Some(stage) = running {
            let progress = stage.progress.as_deref().unwrap_or("…");
            let _ = write!(
                err,
                "\r\x1b[2K· {}  {}",
                for_terminal(&stage.name),
                for_terminal(progress)
            );
            let _ = err.flush();
            self.transient = true;
        }
    }

    fn finish(&mut self) {
        if self.live && self.transient {
            let _ = write!(io::stderr().lock(), "\r\x1b[2K");
        }
    }
}

/// Symbol and word of a stage's status.
pub fn mark(status: &StageStatus) -> (char, &'static str) {
    match status {
        StageStatus::NotReached => ('·', "not reached"),
        StageStatus::Waiting { .. } => ('~', "waiting"),
        StageStatus::Running => ('>', "running"),
        StageStatus::Succeeded => ('+', "succeeded"),
        StageStatus::Parked { .. } => ('~', "parked"),
        StageStatus::Caught => ('!', "failed, caught"),
        StageStatus::Failed => ('x', "FAILED"),
        StageStatus::Aborted => ('-', "aborted"),
        StageStatus::Interrupted => ('?', "interrupted"),
    }
}
