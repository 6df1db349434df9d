//! Imports as executions: who brought which files, when, into which days; and taking one back.
//!
//! They are started by their verb only, since the files lie on this machine: so their definitions are no workflows of
//! the profile's, and no page offers to start one.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Platform, state};
use lakehand_ops::{ExecutionId, OpsError, StartRequest};
use lakehand_pipeline::{
    dataset::Stream,
    jobs::{ErrorType, JobContext, JobError, Level},
    normalise::{self, NormaliseSummary, TakenBack},
    window::Window,
};
use lakehand_workflow::definition::Definition;

/// The workflow that imports stand under in the list of executions.
pub const WORKFLOW: &str = "import";
const IMPORT: &str = include_str!("imports/import.asl.json");
const TAKE_BACK: &str = include_str!("imports/take-back.asl.json");
/// The jobs of the two, which only this machine has.
const IMPORT_JOB: &str = "import";
const TAKE_BACK_JOB: &str = "take-back-import";

/// Whether a definition is one of an import.
pub(super) fn is_one(definition: &Definition) -> bool {
    [IMPORT, TAKE_BACK]
        .into_iter()
        .filter_map(|text| Definition::parse(text).ok())
        .any(|own| own == *definition)
}

/// What an import brings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bring {
    /// The stream.
    pub stream: Stream,
    /// The files, by whole paths: a redrive may be asked for from another folder.
    pub files: Vec<PathBuf>,
    /// Who asked for it.
    pub by: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct TakeBack {
    undo: String,
    by: Option<String>,
}

/// What the jobs of this process ended with, whole: an execution's output is limited.
#[derive(Debug, Default)]
pub struct Ends(Mutex<HashMap<String, Result<Value, JobError>>>);

impl Ends {
    fn put(&self, execution: &str, end: Result<Value, JobError>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(execution.to_owned(), end);
    }

    fn take(&self, execution: &ExecutionId) -> Option<Result<Value, JobError>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(execution.as_ref())
    }
}

/// Runs a job of imports; none where `job` is not one.
pub(super) async fn run_job(
    ends: &Ends,
    job: &str,
    input: &Value,
    context: &JobContext,
) -> Option<Result<Value, JobError>> {
    let end = match job {
        IMPORT_JOB => import(input, context).await,
        TAKE_BACK_JOB => take_back(input, context).await,
        _ => return None,
    };
    ends.put(
        &context.execution,
        end.as_ref()
            .map(|(whole, _)| whole.clone())
            .map_err(Clone::clone),
    );
    Some(end.map(|(_, short)| short))
}

fn read<T: DeserializeOwned>(input: &Value) -> Result<T, JobError> {
    serde_json::from_value(input.clone()).map_err(|why| {
        let message =
            format!("the input of an import is malformed: {why}; start it with `lakehand import`");
        JobError::new(ErrorType::InvalidInput, message)
    })
}

fn written(value: &impl Serialize) -> Result<Value, JobError> {
    serde_json::to_value(value).map_err(|why| {
        JobError::new(
            ErrorType::StorageError,
            format!("the result has no JSON form: {why}"),
        )
    })
}

async fn import(input: &Value, context: &JobContext) -> Result<(Value, Value), JobError> {
    let bring: Bring = read(input)?;
    let summary = normalise::import(context, bring.stream, &bring.files).await?;
    let line = format!(
        "{} rows: {} new, {} updated",
        summary.rows_in, summary.rows_new, summary.rows_updated
    );
    context.log.progress(&line);
    let short = json!({
        "stream": bring.stream.name(), "files": bring.files, "by": bring.by, "rows": summary.rows_in,
        "rows_new": summary.rows_new, "rows_updated": summary.rows_updated, "rows_unchanged": summary.rows_unchanged,
        "rows_quarantined": summary.rows_quarantined,
    });
    Ok((written(&summary)?, short))
}

async fn take_back(input: &Value, context: &JobContext) -> Result<(Value, Value), JobError> {
    let asked: TakeBack = read(input)?;
    let done = normalise::take_back(context, &asked.undo).await?;
    context
        .log
        .progress(&format!("{} rows of {} taken back", done.rows, done.stream));
    for key in &done.removed {
        context.log.line(Level::Info, &format!("removed {key}"));
    }
    let short = json!({
        "undo": asked.undo, "by": asked.by, "stream": done.stream, "collection": done.collection, "rows": done.rows,
    });
    Ok((written(&done)?, short))
}

/// Why an import did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The execution could not be started or asked.
    #[error(transparent)]
    Execution(#[from] OpsError),
    /// The import failed.
    #[error(transparent)]
    Job(#[from] JobError),
}

impl Platform {
    /// Begins to import files, as an execution of its own.
    ///
    /// # Errors
    /// When the execution cannot be started.
    pub async fn start_import(&self, bring: &Bring) -> Result<ExecutionId, ImportError> {
        let name = self.import_name(&bring.stream.name());
        self.start_one(IMPORT, name, written(bring)?).await
    }

    /// Begins to take an import back, as an execution of its own.
    ///
    /// # Errors
    /// When the execution cannot be started.
    pub async fn start_taking_back(
        &self,
        id: &str,
        by: Option<String>,
    ) -> Result<ExecutionId, ImportError> {
        let undo = id.to_owned();
        let name = self.import_name("undo");
        let input = written(&TakeBack { undo, by })?;
        self.start_one(TAKE_BACK, name, input).await
    }

    /// What an import came to, once it has ended.
    ///
    /// # Errors
    /// As [`normalise::import`].
    pub async fn imported(&self, id: &ExecutionId) -> Result<NormaliseSummary, ImportError> {
        let summary: NormaliseSummary = read(&self.end_of(id).await?)?;
        let days = summary.partitions.iter().filter_map(|change| change.day);
        if let (Some(from), Some(to)) = (days.clone().min(), days.max())
            && let Ok(window) = Window::new(from, to)
        {
            self.note_window(id, window).await?;
        }
        Ok(summary)
    }

    /// What taking an import back came to, once that has ended.
    ///
    /// # Errors
    /// As [`normalise::take_back`].
    pub async fn taken_back(&self, id: &ExecutionId) -> Result<TakenBack, ImportError> {
        Ok(read(&self.end_of(id).await?)?)
    }

    /// `affise-clicks-20260131T090000-1a2b3c`.
    fn import_name(&self, what: &str) -> String {
        let at = self.now().strftime("%Y%m%dT%H%M%S");
        let random = uuid::Uuid::new_v4().simple().to_string();
        format!("{}-{at}-{}", what.replace('.', "-"), &random[..6])
    }

    async fn note_window(&self, id: &ExecutionId, window: Window) -> Result<(), ImportError> {
        let id = id.clone();
        let noted = self
            .workflows()
            .store()
            .write(move |transaction| state::note_window(transaction, id.as_ref(), &window));
        Ok(noted.await.map_err(OpsError::from)?)
    }

    async fn start_one(
        &self,
        definition: &str,
        name: String,
        input: Value,
    ) -> Result<ExecutionId, ImportError> {
        let request = StartRequest {
            workflow: WORKFLOW.into(),
            window: None,
            input,
            name: Some(name),
        };
        Ok(self.workflows().start_given(definition, request).await?)
    }

    /// The whole output of an execution of this process.
    async fn end_of(&self, id: &ExecutionId) -> Result<Value, ImportError> {
        self.workflows().wait(id).await?;
        let end = self.inner.jobs.imports.take(id);
        Ok(end.unwrap_or_else(|| {
            let message = format!(
                "{id} was stopped before its end; repeat the import, what is there already is found unchanged"
            );
            Err(JobError::new(ErrorType::Cancelled, message))
        })?)
    }
}
