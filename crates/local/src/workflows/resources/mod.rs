//! What the Task states of a workflow call, bound to this machine.
//!
//! | resource | here |
//! | --- | --- |
//! | `lambda:invoke`, a function's ARN | the pipeline job the function's name ends in |
//! | `athena:startQueryExecution.sync` | the embedded query engine |
//! | `aws-sdk:glue:startCrawler` | the local crawler |
//! | `sns:publish` | notices kept in the state file |
//! | `states:startExecution`, `states:startExecution.sync:2` | a child execution (by the runner itself) |
//!
//! Answers and failures have the shapes that AWS gives, so that a definition cannot tell the difference.

mod athena;
mod crawler;
mod lambda;
mod notices;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

#[cfg(test)]
pub(super) use lambda::fail_execution as fail_execution_for_tests;
pub use notices::{Notice, recent_notices};

use crate::{crawler::LocalCrawlers, state::StateStore};
use lakehand_config::Profile;
use lakehand_ops::ExecutionId;
use lakehand_pipeline::{
    jobs::{JobError, JobLog},
    ports::{Clock, QueryEngine},
};
use lakehand_workflow::definition::{Definition, StateKind};

/// A try of a Task state, ready to run.
#[derive(Debug, Clone)]
pub struct TaskCall {
    /// The state's `Resource` as written.
    pub resource: String,
    /// Its input after `Parameters`.
    pub parameters: Value,
    /// Execution it belongs to.
    pub execution: ExecutionId,
    /// Stage name, with the Map or Parallel around it.
    pub stage: String,
    /// Try, from 1.
    pub attempt: u32,
    /// Cancelled when the result is not wanted any more.
    pub cancel: CancellationToken,
    /// Lines of this try; its progress is the task's heartbeat.
    pub log: Arc<dyn JobLog>,
    /// Told what the service answered when it accepted a `.sync` call.
    pub submitted: Submitted,
}

/// Takes the answer to a `.sync` call that was accepted and goes on (`TaskSubmitted` in the history).
#[derive(Clone)]
pub struct Submitted(pub Arc<dyn Fn(Value) + Send + Sync>);

impl fmt::Debug for Submitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Submitted")
    }
}

/// A task that failed, as Retry and Catch see it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {cause}")]
pub struct TaskFailure {
    /// Error name: `States.TaskFailed`, `TransientSourceError`, …
    pub error: String,
    /// Text, JSON where AWS gives JSON.
    pub cause: String,
}

impl TaskFailure {
    /// A failure of the given name.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            cause: cause.into(),
        }
    }
}

/// What runs Task states.
#[async_trait]
pub trait Resources: Send + Sync + fmt::Debug {
    /// Why a resource cannot be called here; `None` when it can.
    fn refusal(&self, resource: &str) -> Option<String>;
    /// Runs one try to its end.
    async fn run(&self, call: TaskCall) -> Result<Value, TaskFailure>;
}

/// What a job learns of the try it runs in.
#[derive(Debug, Clone)]
pub struct JobCall {
    /// Owner of leases, id in manifests.
    pub execution: String,
    /// Stage name.
    pub stage: String,
    /// Try, from 1.
    pub attempt: u32,
    /// Lines and progress of this try.
    pub log: Arc<dyn JobLog>,
    /// Cancelled on stop and time-out.
    pub cancel: CancellationToken,
}

/// Runs a pipeline job by its name.
#[async_trait]
pub trait JobRunner: Send + Sync + fmt::Debug {
    /// Job name and input in, output or a named error out.
    async fn run(&self, job: &str, input: Value, call: JobCall) -> Result<Value, JobError>;
}

/// The resources of the embedded platform.
#[derive(Debug)]
pub struct LocalResources {
    profile: Arc<Profile>,
    jobs: Arc<dyn JobRunner>,
    engine: Arc<dyn QueryEngine>,
    crawlers: LocalCrawlers,
    store: Arc<StateStore>,
    clock: Arc<dyn Clock>,
}

impl LocalResources {
    /// Binds the parts of a profile.
    #[must_use]
    pub fn new(
        profile: Arc<Profile>,
        jobs: Arc<dyn JobRunner>,
        engine: Arc<dyn QueryEngine>,
        crawlers: LocalCrawlers,
        store: Arc<StateStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            profile,
            jobs,
            engine,
            crawlers,
            store,
            clock,
        }
    }
}

/// The kinds of resource bound here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binding {
    /// `arn:aws:states:::lambda:invoke`.
    LambdaInvoke,
    /// `arn:aws:lambda:…:function:<name>`.
    LambdaFunction,
    /// `athena:startQueryExecution.sync`.
    Athena,
    /// `aws-sdk:glue:startCrawler`.
    StartCrawler,
    /// `sns:publish`.
    Publish,
    /// `states:startExecution`: does not wait for the child.
    StartExecution,
    /// `states:startExecution.sync:2`: waits, and parses the child's output.
    RunExecution,
}

impl Binding {
    /// What a resource is bound to, or why it is not.
    pub(super) fn of(resource: &str) -> Result<Self, String> {
        let parts: Vec<&str> = resource.splitn(6, ':').collect();
        let (service, rest) = match parts.as_slice() {
            ["arn", _, service, _, _, rest] => (*service, *rest),
            _ => return Err(format!("'{resource}' is not an ARN")),
        };
        if rest.ends_with(".waitForTaskToken") {
            return Err(format!(
                "'{resource}' waits for a task token, and nothing on this machine could send one; use the form without it"
            ));
        }
        match (service, rest) {
            ("lambda", _) => Ok(Self::LambdaFunction),
            ("states", "lambda:invoke") => Ok(Self::LambdaInvoke),
            ("states", "athena:startQueryExecution.sync") => Ok(Self::Athena),
            ("states", "aws-sdk:glue:startCrawler") => Ok(Self::StartCrawler),
            ("states", "sns:publish") => Ok(Self::Publish),
            ("states", "states:startExecution") => Ok(Self::StartExecution),
            ("states", "states:startExecution.sync:2") => Ok(Self::RunExecution),
            _ => Err(format!(
                "'{resource}' is not bound on this machine; bound are lambda:invoke, athena:startQueryExecution.sync, \
                 aws-sdk:glue:startCrawler, sns:publish, states:startExecution and states:startExecution.sync:2"
            )),
        }
    }
}

/// Refuses a definition whose tasks call what `resources` does not bind, naming the states.
pub(super) fn check_resources(
    definition: &Definition,
    resources: &dyn Resources,
) -> Result<(), String> {
    let refused: Vec<String> = definition
        .states()
        .filter_map(|(_, state)| match &state.kind {
            StateKind::Task(task) => resources.refusal(&task.resource.arn).map(|why| {
                format!(
                    "States.Runtime: the state '{}' cannot run: {why}",
                    state.name
                )
            }),
            _ => None,
        })
        .collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(refused.join("\n"))
    }
}

#[async_trait]
impl Resources for LocalResources {
    fn refusal(&self, resource: &str) -> Option<String> {
        Binding::of(resource).err()
    }

    async fn run(&self, call: TaskCall) -> Result<Value, TaskFailure> {
        match Binding::of(&call.resource) {
            Ok(Binding::LambdaInvoke) => {
                lambda::invoke(&self.profile, self.jobs.as_ref(), call).await
            }
            Ok(Binding::LambdaFunction) => {
                lambda::call_function(&self.profile, self.jobs.as_ref(), call).await
            }
            Ok(Binding::Athena) => {
                athena::run_statement(self.engine.as_ref(), self.clock.as_ref(), call).await
            }
            Ok(Binding::StartCrawler) => crawler::crawl(&self.crawlers, call).await,
            Ok(Binding::Publish) => notices::publish(&self.store, self.clock.as_ref(), call).await,
            Ok(Binding::StartExecution | Binding::RunExecution) => Err(TaskFailure::new(
                "States.Runtime",
                "child executions are started by the runner of their parent",
            )),
            Err(why) => Err(TaskFailure::new("States.Runtime", why)),
        }
    }
}

/// A text parameter of a call, or the failure AWS gives when it is missing.
fn text_parameter<'a>(
    parameters: &'a Value,
    name: &str,
    service: &str,
) -> Result<&'a str, TaskFailure> {
    parameters.get(name).and_then(Value::as_str).ok_or_else(|| {
        TaskFailure::new(
            "States.Runtime",
            format!(
                "the parameters of {service} lack the text '{name}'; fix the state's Parameters"
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_bound_says_so() {
        assert_eq!(
            Binding::of("arn:aws:states:::lambda:invoke"),
            Ok(Binding::LambdaInvoke)
        );
        assert_eq!(
            Binding::of("arn:aws-us-gov:states:::sns:publish"),
            Ok(Binding::Publish)
        );
        assert_eq!(
            Binding::of("arn:aws:lambda:eu-west-1:123456789012:function:x:live"),
            Ok(Binding::LambdaFunction)
        );
        assert!(
            Binding::of("arn:aws:states:::lambda:invoke.waitForTaskToken")
                .unwrap_err()
                .contains("task token")
        );
        assert!(
            Binding::of("arn:aws:states:::glue:startJobRun.sync")
                .unwrap_err()
                .contains("not bound")
        );
        assert!(Binding::of("lambda").unwrap_err().contains("not an ARN"));
    }
}
