//! A profile's platform, whichever it is: what the command line and the console are given.

use std::sync::{Arc, atomic::AtomicBool};

use jiff::Timestamp;

use super::PlatformError;
use crate::{
    config::{PlatformKind, Profile},
    ops::{Operations, OpsError, OpsErrorKind},
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
    /// An AWS account and region.
    #[cfg(feature = "aws")]
    Aws(super::aws::Platform),
}

impl Platform {
    /// Opens what the profile names. No call is made to a distant service before it is needed.
    ///
    /// # Errors
    /// [`PlatformError`] when a folder, the execution store or the SDK's configuration cannot be used.
    pub async fn open(profile: Arc<Profile>) -> Result<Self, PlatformError> {
        match profile.platform {
            PlatformKind::Local => Ok(Self::Local(super::local::Platform::open(profile)?)),
            #[cfg(feature = "aws")]
            PlatformKind::Aws => Ok(Self::Aws(super::aws::Platform::open(profile).await?)),
            #[cfg(not(feature = "aws"))]
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
            #[cfg(feature = "aws")]
            Self::Aws(platform) => platform.operations(),
        }
    }

    /// The platform of this machine, for what only that one can do.
    ///
    /// # Errors
    /// When the profile runs elsewhere.
    pub fn local(&self, what: &str) -> Result<&super::local::Platform, OpsError> {
        match self {
            Self::Local(platform) => Ok(platform),
            #[cfg(feature = "aws")]
            Self::Aws(platform) => Err(OpsError::new(
                OpsErrorKind::NotPossible,
                format!(
                    "{what} works on this machine's lake only, and the profile {} is on AWS",
                    platform.profile().name
                ),
                "choose a local profile with --profile",
            )),
        }
    }

    /// The two buckets.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        match self {
            Self::Local(platform) => platform.lake(),
            #[cfg(feature = "aws")]
            Self::Aws(platform) => platform.lake(),
        }
    }

    /// SQL.
    #[must_use]
    pub fn engine(&self) -> Arc<dyn QueryEngine> {
        match self {
            Self::Local(platform) => platform.query_engine(),
            #[cfg(feature = "aws")]
            Self::Aws(platform) => platform.query_engine(),
        }
    }

    /// A job's context outside any execution: lines go to standard error.
    ///
    /// # Errors
    /// When the stand-in of a sample lake does not start.
    pub async fn job_context(&self, task: &str) -> Result<JobContext, JobError> {
        match self {
            Self::Local(platform) => platform.job_context(task).await,
            #[cfg(feature = "aws")]
            Self::Aws(platform) => Ok(platform.job_context(task)),
        }
    }

    /// This instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Local(platform) => platform.now(),
            #[cfg(feature = "aws")]
            Self::Aws(platform) => platform.now(),
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
            #[cfg(feature = "aws")]
            Self::Aws(platform) => platform.profile(),
        }
    }

    /// Whether the console has the terminal.
    #[must_use]
    pub fn console_is_open(&self) -> Arc<AtomicBool> {
        match self {
            Self::Local(platform) => platform.console_is_open(),
            #[cfg(feature = "aws")]
            Self::Aws(platform) => platform.console_is_open(),
        }
    }

    /// Waits for what this process still does in the background, such as a crawl that a landing object started.
    pub async fn idle(&self) {
        match self {
            Self::Local(platform) => platform.crawlers().idle().await,
            #[cfg(feature = "aws")]
            Self::Aws(_) => {}
        }
    }
}
