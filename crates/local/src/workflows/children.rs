//! Nested executions: `states:startExecution` and `states:startExecution.sync:2`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    Shared,
    resources::{TaskCall, TaskFailure},
};
use crate::state::{self, ExecutionRow};
use lakehand_ops::{
    ExecutionId, ExecutionStatus, ExecutionSummary, OpsError, OpsErrorKind, StartRequest,
    runs::WAITS,
};

/// A parent's heartbeat while it waits for a child.
const BEAT_EVERY: std::time::Duration = std::time::Duration::from_secs(10);

impl Shared {
    /// Starts a child and does not wait for it.
    pub(super) async fn start_child(self: Arc<Self>, call: TaskCall) -> Result<Value, TaskFailure> {
        let child = self.child(&call).await?;
        let summary = self.row(&child).await.map_err(service_failure)?.summary;
        Ok(
            json!({ "ExecutionArn": child.to_string(), "StartDate": summary.started.as_millisecond() }),
        )
    }

    /// Starts a child, waits for its end and answers with its output, parsed.
    pub(super) async fn run_child(self: Arc<Self>, call: TaskCall) -> Result<Value, TaskFailure> {
        let child = self.child(&call).await?;
        let started = self
            .row(&child)
            .await
            .map_err(service_failure)?
            .summary
            .started;
        (call.submitted.0)(
            json!({ "ExecutionArn": child.to_string(), "StartDate": started.as_millisecond() }),
        );
        call.log.progress(&format!("{WAITS}{child}"));
        let waited = async {
            loop {
                match tokio::time::timeout(BEAT_EVERY, self.wait(&child)).await {
                    Ok(summary) => return summary,
                    Err(_) => call.log.progress(&format!("{WAITS}{child}")),
                }
            }
        };
        let summary = tokio::select! {
            summary = waited => summary.map_err(service_failure)?,
            () = call.cancel.cancelled() => {
                // The parent was stopped or timed out, and nobody waits for the child any more.
                let _ = self.stop(&child, &format!("its parent {} was stopped", call.execution)).await;
                return Err(TaskFailure::new("States.TaskFailed", "the parent execution was stopped"));
            }
        };
        let answer = self
            .child_answer(&child, &summary)
            .await
            .map_err(service_failure)?;
        match summary.status {
            ExecutionStatus::Succeeded => Ok(answer),
            _ => Err(TaskFailure::new("States.TaskFailed", answer.to_string())),
        }
    }

    /// The child of this stage: the one that an earlier life of the parent left unfinished, or a new one.
    async fn child(self: &Arc<Self>, call: &TaskCall) -> Result<ExecutionId, TaskFailure> {
        let (parent, stage) = (call.execution.to_string(), call.stage.clone());
        let left = self
            .store
            .read(move |connection| {
                ExecutionRow::child_of(connection, &parent, &stage, jiff::Timestamp::now())
            })
            .await
            .map_err(|error| service_failure(error.into()))?;
        if let Some(row) = left {
            let id = row.summary.id.clone();
            match row.summary.status {
                ExecutionStatus::Running => return Ok(id),
                ExecutionStatus::Interrupted => {
                    Box::pin(self.redrive(&id)).await.map_err(service_failure)?;
                    return Ok(id);
                }
                _ => {}
            }
        }
        let text = |name: &str| call.parameters.get(name).and_then(Value::as_str);
        let machine = text("StateMachineArn").ok_or_else(|| {
            TaskFailure::new(
                "States.Runtime",
                "the parameters of states:startExecution lack the text 'StateMachineArn'",
            )
        })?;
        let request = StartRequest {
            workflow: self.definitions.workflow_of(machine),
            window: None,
            input: match call.parameters.get("Input") {
                None | Some(Value::Null) => json!({}),
                Some(Value::String(text)) => serde_json::from_str(text).map_err(|error| {
                    TaskFailure::new(
                        "StepFunctions.InvalidExecutionInputException",
                        format!("Input is not JSON: {error}"),
                    )
                })?,
                Some(input) => input.clone(),
            },
            name: text("Name").map(str::to_owned),
        };
        let parent = (call.execution.to_string(), call.stage.clone());
        Box::pin(self.start(request, Some(parent)))
            .await
            .map_err(start_failure)
    }

    /// What AWS answers about a child that ended, its JSON parsed (`.sync:2`).
    async fn child_answer(
        &self,
        child: &ExecutionId,
        summary: &ExecutionSummary,
    ) -> Result<Value, OpsError> {
        let id = child.clone();
        let (input, output) = self
            .store
            .read(move |connection| state::payloads(connection, id.as_ref()))
            .await?;
        let mut answer = Map::from_iter([
            ("ExecutionArn".to_owned(), child.to_string().into()),
            ("Input".to_owned(), parsed_json(&input)),
            ("InputDetails".to_owned(), json!({ "Included": true })),
            ("Name".to_owned(), summary.name.clone().into()),
            ("RedriveCount".to_owned(), summary.redrives.into()),
            (
                "StartDate".to_owned(),
                summary.started.as_millisecond().into(),
            ),
            (
                "StateMachineArn".to_owned(),
                self.definitions
                    .state_machine_arn(summary.workflow.as_ref())
                    .into(),
            ),
            (
                "Status".to_owned(),
                state::status_text(summary.status).into(),
            ),
        ]);
        if let Some(ended) = summary.ended {
            answer.insert("StopDate".to_owned(), ended.as_millisecond().into());
        }
        if let Some(output) = output {
            answer.insert("Output".to_owned(), parsed_json(&output));
            answer.insert("OutputDetails".to_owned(), json!({ "Included": true }));
        }
        if summary.status != ExecutionStatus::Succeeded {
            let (error, cause) = self.end_of(child).await?;
            answer.insert("Error".to_owned(), error.into());
            answer.insert("Cause".to_owned(), cause.into());
        }
        Ok(Value::Object(answer))
    }

    async fn end_of(&self, child: &ExecutionId) -> Result<(String, String), OpsError> {
        let id = child.clone();
        let last = self
            .store
            .read(move |connection| state::last_event(connection, id.as_ref()))
            .await?;
        let event = super::runner::event_of(&last)?;
        let missing = || "Lakehand.Interrupted".to_owned();
        Ok((
            event.details.error.unwrap_or_else(missing),
            event.details.cause.unwrap_or_default(),
        ))
    }
}

/// A child's input or output as JSON.
fn parsed_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// The start itself was refused: named as Step Functions names it.
fn start_failure(error: OpsError) -> TaskFailure {
    let name = match error.kind {
        OpsErrorKind::NotFound => "StepFunctions.StateMachineDoesNotExistException",
        OpsErrorKind::Conflict => "StepFunctions.ExecutionAlreadyExistsException",
        OpsErrorKind::InvalidInput => "StepFunctions.ValidationException",
        _ => "StepFunctions.AWSStepFunctionsException",
    };
    TaskFailure::new(name, format!("{}; {}", error.message, error.advice))
}

fn service_failure(error: OpsError) -> TaskFailure {
    TaskFailure::new(
        "StepFunctions.AWSStepFunctionsException",
        format!("{}; {}", error.message, error.advice),
    )
}
