//! Glue: crawlers, existing jobs, and what the catalog knows.

mod catalog;
mod crawlers;
mod jobs;
mod summary;

use std::sync::Arc;

use super::{Clients, call::CallError};
use lakehand_config::Profile;
use lakehand_ops::CrawlerError;

pub(super) use jobs::AwsJobs;

/// The [`Crawlers`](lakehand_ops::ports::Crawlers) of a profile on AWS.
#[derive(Debug)]
pub(super) struct AwsCrawlers {
    clients: Clients,
    profile: Arc<Profile>,
    /// What history tells of a crawl that has ended, by crawler: asked for once a crawl.
    ended: std::sync::Mutex<std::collections::HashMap<String, lakehand_ops::Crawl>>,
}

impl AwsCrawlers {
    /// The crawlers of `profile`; asks nobody yet.
    pub(super) fn new(clients: Clients, profile: Arc<Profile>) -> Self {
        Self {
            clients,
            profile,
            ended: std::sync::Mutex::default(),
        }
    }
}

/// A refusal under the name that the crawler's caller knows; anything else as it is.
fn crawler_error(name: &str, error: CallError) -> CrawlerError {
    let name = name.to_owned();
    match error.code.as_str() {
        "CrawlerRunningException" => CrawlerError::Running { name },
        "CrawlerNotRunningException" => CrawlerError::NotRunning { name },
        "CrawlerStoppingException" => CrawlerError::Stopping { name },
        _ => CrawlerError::Platform(error.into()),
    }
}
