//! Glue jobs beside our workflows: what a deployment that we did not make may have.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A Glue job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlueJob {
    /// Name.
    pub name: String,
    /// `glueetl`, `pythonshell`, `gluestreaming`.
    pub kind: String,
    /// Its author's words.
    pub description: String,
    /// The newest run.
    pub last_run: Option<GlueJobRun>,
}

/// A run of a Glue job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlueJobRun {
    /// Glue's id.
    pub id: String,
    /// The job.
    pub job: String,
    /// Glue's word: `RUNNING`, `SUCCEEDED`, …
    #[serde(rename = "status", alias = "state")]
    pub state: String,
    /// Start.
    #[serde(rename = "started_at", alias = "started")]
    pub started: Option<Timestamp>,
    /// End.
    #[serde(rename = "ended_at", alias = "ended")]
    pub ended: Option<Timestamp>,
    /// Seconds of work that are charged.
    #[serde(rename = "charged_seconds", alias = "seconds")]
    pub seconds: u64,
    /// Why it failed.
    pub error: Option<String>,
}

impl GlueJobRun {
    /// Whether it may still be stopped.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        ["STARTING", "RUNNING", "WAITING", "STOPPING"].contains(&self.state.as_str())
    }
}
