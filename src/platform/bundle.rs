//! A profile's platform, whichever it is: what the command line and the console are given.

use std::sync::{Arc, atomic::AtomicBool};

use jiff::Timestamp;

use super::PlatformError;
use crate::{
    config::{PlatformKind, Profile},
    ops::{Operations, OpsError},
    pipeline::{
        jobs::{JobContext, JobError},
        ports::{Lake, QueryEngine},
        window::{Window, WindowError},
    },
};

/// A profile's bundle of ports.
#[derive(Debug, Clone)]
pub enum Platform {
    /// This machine.
    Local(super::local::Platform),
}

impl Platform {
    /// Opens what the profile names. No call is made to a distant service before it is needed.
    ///
    /// # Errors
    /// [`PlatformError`] when a folder, the execution store or the SDK's configuration cannot be used.
    pub async fn open(profile: Arc<Profile>) -> Result<Self, PlatformError> {
        match profile.platform {
            PlatformKind::Local => Ok(Self::Local(super::local::Platform::open(profile)?)),
            PlatformKind::Aws => Err(PlatformError::NotBuilt {
                profile: profile.name.clone(),
            }),
        }
    }

    /// What the operator can do.
    #[must_use]
    pub fn operations(&self) -> Arc<dyn Operations> {
        match self {
            Self::Local(platform) => platform.operations(),
        }
    }

    /// The platform of this machine, for what only that one can do.
    ///
    /// # Errors
    /// When the profile runs elsewhere.
    pub fn local(&self, _what: &str) -> Result<&super::local::Platform, OpsError> {
        match self {
            Self::Local(platform) => Ok(platform),
        }
    }

    /// The two buckets.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        match self {
            Self::Local(platform) => platform.lake(),
        }
    }

    /// SQL.
    #[must_use]
    pub fn engine(&self) -> Arc<dyn QueryEngine> {
        match self {
            Self::Local(platform) => platform.query_engine(),
        }
    }

    /// A job's context outside any execution: lines go to standard error.
    ///
    /// # Errors
    /// When the stand-in of a sample lake does not start.
    pub async fn job_context(&self, task: &str) -> Result<JobContext, JobError> {
        match self {
            Self::Local(platform) => platform.job_context(task).await,
        }
    }

    /// This instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Local(platform) => platform.now(),
        }
    }

    /// Today and the seven days before it.
    ///
    /// # Errors
    /// At the very edge of the calendar.
    pub fn default_window(&self) -> Result<Window, WindowError> {
        Window::default_at(self.now(), &self.profile().time_zone)
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        match self {
            Self::Local(platform) => platform.profile(),
        }
    }

    /// Whether the console has the terminal.
    #[must_use]
    pub fn console_is_open(&self) -> Arc<AtomicBool> {
        match self {
            Self::Local(platform) => platform.console_is_open(),
        }
    }

    /// Waits for what this process still does in the background, such as a crawl that a landing object started.
    pub async fn idle(&self) {
        match self {
            Self::Local(platform) => platform.crawlers().idle().await,
        }
    }
}
