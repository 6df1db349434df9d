//! What an operator saw at the last looks, so that what did not change since is not read again.

use std::collections::HashMap;

use super::{QualityBadge, freshness};

/// What was read before, each with the version of what it was read from.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// How fresh the streams are.
    pub(super) freshness: freshness::Known,
    /// The newest checks of each table.
    pub(super) badges: tokio::sync::Mutex<HashMap<String, (u64, Option<QualityBadge>)>>,
    /// What ran and what had ended at the last look at the Board; `None` before the first.
    pub(super) activity: std::sync::Mutex<Option<super::board::Activity>>,
}
