//! The embedded platform: files, DataFusion with Delta Lake, SQLite; no account and no server.

pub mod engine;
pub mod jobs;
pub mod lake;
pub mod logs;
pub mod parameters;
pub mod state;
pub mod workflows;

use std::{
    fmt, fs, io,
    sync::{Arc, OnceLock, Weak, atomic::AtomicBool},
};

use async_trait::async_trait;
use futures::StreamExt;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use self::{engine::LocalEngine, jobs::LocalJobs, lake::LocalStore, parameters::FileParameters, workflows::LocalWorkflows};
use super::{PlatformError, StandIn};
use crate::{
    config::Profile,
    ops::{ExecutionId, Operations, OpsError, OpsErrorKind, OpsResult, operator::Operator, operator::SampleStarter},
    pipeline::{
        jobs::{JobContext, JobLog, Level},
        ports::{Clock, Lake, ParameterStore, QueryEngine, QueryError, QueryRows, QuerySummary, StoreError, SystemClock},
        window::{Window, WindowError},
    },
};

/// A profile's bundle of ports. Opening is cheap; the query engine starts with the first statement.
#[derive(Debug, Clone)]
pub struct Platform {
    inner: Arc<Inner>,
}
