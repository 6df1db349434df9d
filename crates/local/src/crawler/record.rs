//! What is kept of a crawler between processes: its crawls, whether it runs, what it was asked for.
//!
//! Whether a crawl runs is told by a file lock, which the system frees when a process dies: a crawler can
//! never stay RUNNING for ever. What it was asked for in the meantime are small marks beside it.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::PathBuf,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalog::{read_json, write_json};
use lakehand_ops::{Crawl, CrawlStatus, CrawlerState};

/// Crawls that are remembered.
const HISTORY: usize = 50;

/// The document of a crawler.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Start of the crawl that runs, or that was running when its process died.
    pub(super) running_since: Option<Timestamp>,
    /// Crawls that ended, newest first.
    pub(super) crawls: Vec<Crawl>,
}

/// A crawler's files.
#[derive(Debug, Clone)]
pub(super) struct Records {
    folder: PathBuf,
    part: String,
}

/// Held while a crawl runs.
#[derive(Debug)]
pub(super) struct RunLock(#[expect(dead_code, reason = "held for its drop")] File);

impl Records {
    pub(super) fn new(folder: PathBuf, part: &str) -> Self {
        Self {
            folder,
            part: part.to_owned(),
        }
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}{ending}", self.part))
    }

    fn lock_file(&self) -> io::Result<File> {
        fs::create_dir_all(&self.folder)?;
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.file(".lock"))
    }

    /// The right to crawl, unless somebody has it. Somebody who only looks holds the lock for an instant.
    pub(super) fn try_run(&self) -> io::Result<Option<RunLock>> {
        let file = self.lock_file()?;
        for _ in 0..5 {
            match file.try_lock() {
                Ok(()) => return Ok(Some(RunLock(file))),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(4)),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    fn runs(&self) -> io::Result<bool> {
        if !self.file(".lock").exists() {
            return Ok(false);
        }
        match self.lock_file()?.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// State and record. A crawl whose process died counts as failed.
    pub(super) fn read(&self) -> io::Result<(CrawlerState, Record)> {
        let runs = self.runs()?;
        let mut record: Record = read_json(&self.file(".json"))?.unwrap_or_default();
        if runs {
            let state = if self.stop_asked() {
                CrawlerState::Stopping
            } else {
                CrawlerState::Running
            };
            return Ok((state, record));
        }
        if let Some(started) = record.running_since.take() {
            record.crawls.insert(0, died(started));
        }
        Ok((CrawlerState::Ready, record))
    }

    /// Notes the start of a crawl. The caller holds the lock.
    pub(super) fn begin(&self, started: Timestamp) -> io::Result<()> {
        let mut record: Record = read_json(&self.file(".json"))?.unwrap_or_default();
        if let Some(before) = record.running_since.replace(started) {
            record.crawls.insert(0, died(before));
        }
        gone(fs::remove_file(self.file(".stop")))?;
        write_json(&self.file(".json"), &record)
    }

    /// Notes the end of a crawl. The caller holds the lock.
    pub(super) fn end(&self, crawl: Crawl) -> io::Result<()> {
        let mut record: Record = read_json(&self.file(".json"))?.unwrap_or_default();
        record.running_since = None;
        record.crawls.insert(0, crawl);
        record.crawls.truncate(HISTORY);
        write_json(&self.file(".json"), &record)?;
        gone(fs::remove_file(self.file(".stop")))
    }

    /// Asks the crawl that runs to stop.
    pub(super) fn ask_to_stop(&self) -> io::Result<()> {
        File::create(self.file(".stop")).map(drop)
    }

    pub(super) fn stop_asked(&self) -> bool {
        self.file(".stop").exists()
    }

    /// Remembers that something landed while it ran.
    pub(super) fn remember(&self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        File::create(self.file(".again")).map(drop)
    }

    pub(super) fn remembers(&self) -> bool {
        self.file(".again").exists()
    }

    /// Whether something landed; it counts as seen from now on.
    pub(super) fn take_remembered(&self) -> bool {
        fs::remove_file(self.file(".again")).is_ok()
    }
}

fn died(started: Timestamp) -> Crawl {
    Crawl {
        status: CrawlStatus::Failed,
        started,
        duration_ms: 0,
        tables_created: Vec::new(),
        tables_updated: Vec::new(),
        tables_deleted: Vec::new(),
        partitions_added: 0,
        partitions_removed: 0,
        files_read: 0,
        error: Some(
            "the process that ran it ended without notice; what it had finished is known, start it again"
                .to_owned(),
        ),
    }
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
