//! Tasks of an execution: started, watched, cancelled, and never left behind.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use serde_json::Value;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    resources::{Binding, Submitted, TaskCall, TaskFailure},
    runner::{Message, Runner},
};
use lakehand_ops::stages::stage_name;
use lakehand_pipeline::jobs::Level;
use lakehand_workflow::{
    history::unwrap_cause,
    interpreter::{self, TaskId},
};

/// How long a cancelled task may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// A task under way.
#[derive(Debug)]
pub(super) struct RunningTask {
    cancel: CancellationToken,
    work: JoinHandle<()>,
}

impl RunningTask {
    /// Ends it at its next await.
    pub(super) fn abort(&self) {
        self.cancel.cancel();
        self.work.abort();
    }
}

impl Runner {
    /// Runs one try of a Task state; what becomes of it comes as messages.
    pub(super) fn start_task(&mut self, task: interpreter::TaskCall, stage: Option<usize>) {
        let id = task.task;
        // The timeline's count goes on after a redrive, so that logs of the tries before stay apart.
        let (stage, attempt) =
            match stage.and_then(|index| Some((index, self.timeline.stages.get(index)?))) {
                Some((index, stage)) => (stage_name(&self.timeline, index), stage.attempts.max(1)),
                None => (task.state, task.attempt + 1),
            };
        let cancel = CancellationToken::new();
        let heartbeat = {
            let outbox = self.outbox.clone();
            Box::new(move || {
                let _ = outbox.send(Message::Heartbeat(id));
            })
        };
        let log = self.shared.logs.stage(
            self.key,
            &stage,
            attempt,
            Arc::clone(&self.shared.clock),
            heartbeat,
        );
        let call = TaskCall {
            resource: task.resource,
            parameters: task.parameters,
            execution: self.id.clone(),
            stage,
            attempt,
            cancel: cancel.clone(),
            log,
            submitted: self.submitted(id),
        };
        let before = std::mem::take(&mut self.retiring);
        let (shared, outbox) = (Arc::clone(&self.shared), self.outbox.clone());
        let work = tokio::spawn(async move {
            // A cancelled try of the same stage must be gone before the next one begins.
            for other in before {
                let _ = other.await;
            }
            let _ = outbox.send(Message::Started(id));
            let log = Arc::clone(&call.log);
            let result = match Binding::of(&call.resource) {
                Ok(Binding::StartExecution) => caught(shared.start_child(call)).await,
                Ok(Binding::RunExecution) => caught(shared.run_child(call)).await,
                _ => caught(shared.resources.run(call)).await,
            };
            if let Err(failure) = &result {
                // People read this: the message, not the JSON around it.
                let (error, message) = unwrap_cause(&failure.error, &failure.cause);
                log.line(Level::Error, &format!("{error}: {message}"));
            }
            let _ = outbox.send(Message::Ended(id, result));
        });
        self.tasks.insert(id, RunningTask { cancel, work });
    }

    fn submitted(&self, task: TaskId) -> Submitted {
        let outbox = self.outbox.clone();
        Submitted(Arc::new(move |output| {
            let _ = outbox.send(Message::Submitted(task, output));
        }))
    }

    /// Asks a task to end, and makes it end after a grace time.
    pub(super) fn retire(&mut self, task: TaskId) {
        let Some(RunningTask { cancel, mut work }) = self.tasks.remove(&task) else {
            return;
        };
        cancel.cancel();
        let grace = self.shared.waits.sleep(GRACE);
        self.retiring.push(tokio::spawn(async move {
            let abort: AbortHandle = work.abort_handle();
            let _on_drop = AbortOnDrop(abort.clone());
            tokio::select! {
                _ = &mut work => {}
                () = grace => {
                    abort.abort();
                    let _ = work.await;
                }
            }
        }));
    }

    pub(super) fn retire_all(&mut self) {
        let tasks: Vec<TaskId> = self.tasks.keys().copied().collect();
        for task in tasks {
            self.retire(task);
        }
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A panic of a task is the task's failure, as a crashed function is on AWS.
async fn caught(
    work: impl Future<Output = Result<Value, TaskFailure>>,
) -> Result<Value, TaskFailure> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(ToString::to_string)
                .or_else(|| panic.downcast_ref::<String>().cloned());
            let text = text.unwrap_or_else(|| "no message".to_owned());
            Err(TaskFailure::new(
                "Lambda.Unknown",
                format!("the job panicked: {text}; this is a defect of lakehand, please report it"),
            ))
        }
    }
}
