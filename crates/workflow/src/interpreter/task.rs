//! Task states: schedule, results, failures, time-outs, heartbeats.

use super::failure::Failure;
use super::flow::plain;
use super::run::Run;
use super::state::{PendingTask, Phase, Purpose, Thread, ThreadId};
use super::{Command, TaskCall, TaskId, TimerId};
use crate::data_flow::{exceeds_data_limit, select};
use crate::definition::{Resource, ResourceKind, Seconds, State, StateKind, TaskState};
use crate::history::{EventDetails, EventType};
use serde_json::Value;

/// What a task event tells of.
#[derive(Clone, Copy)]
enum Happening {
    Scheduled,
    Started,
    Submitted,
    Succeeded,
    Failed,
    TimedOut,
}

impl Run<'_> {
    pub(super) fn start_task(
        &mut self,
        id: ThreadId,
        state: &State,
        task: &TaskState,
    ) -> Result<(), Failure> {
        let waits_for_token = task.resource.arn.ends_with(".waitForTaskToken");
        let token = waits_for_token.then(|| self.uuid(id));
        let attempt = match self
            .execution
            .threads
            .get_mut(&id)
            .and_then(Thread::active_mut)
        {
            Some(active) => {
                active.token.clone_from(&token);
                active.retry_count
            }
            None => 0,
        };
        let effective = self.effective_input(id, state)?;
        let parameters = match &task.parameters {
            Some(template) => self.fill(id, template, &effective)?,
            None => effective.clone(),
        };
        let credentials = match &task.credentials {
            Some(template) => Some(self.fill(id, template, &effective)?),
            None => None,
        };
        let timeout_seconds = self.seconds(id, task.timeout.as_ref(), &effective, "Timeout")?;
        let heartbeat_seconds =
            self.seconds(id, task.heartbeat.as_ref(), &effective, "Heartbeat")?;
        let call = TaskCall {
            task: TaskId(self.execution.number()),
            state: state.name.clone(),
            resource: task.resource.arn.clone(),
            parameters,
            timeout_seconds,
            heartbeat_seconds,
            attempt,
            token,
            credentials,
        };
        let details = self.scheduled_details(&task.resource, &call);
        self.emit(
            id,
            event_type(&task.resource, Happening::Scheduled),
            details,
        );
        self.schedule(id, call);
        Ok(())
    }

    fn schedule(&mut self, id: ThreadId, call: TaskCall) {
        let task = call.task;
        self.set_phase(id, Phase::Task(task));
        self.command(Command::ScheduleTask(Box::new(call.clone())));
        let timeout = call
            .timeout_seconds
            .map(|seconds| self.start_timer(seconds as f64, Purpose::TaskTimeout(task)));
        let heartbeat = call
            .heartbeat_seconds
            .map(|seconds| self.start_timer(seconds as f64, Purpose::Heartbeat(task)));
        self.execution.tasks.insert(
            task,
            PendingTask {
                thread: id,
                call,
                started: false,
                timeout,
                heartbeat,
            },
        );
    }

    fn scheduled_details(&self, resource: &Resource, call: &TaskCall) -> EventDetails {
        let mut details = EventDetails {
            timeout_in_seconds: call.timeout_seconds,
            heartbeat_in_seconds: call.heartbeat_seconds,
            task_credentials: call.credentials.as_ref().map(lower_first_letters),
            ..EventDetails::default()
        };
        match &resource.kind {
            ResourceKind::Lambda | ResourceKind::Activity => {
                details.resource = Some(resource.arn.clone());
                details = details.with_input(call.parameters.to_string());
            }
            ResourceKind::Service { service, action } => {
                details.resource = Some(action.clone());
                details.resource_type = Some(service.clone());
                details.region = Some(self.execution.context.region().to_owned());
                details.parameters = Some(call.parameters.to_string());
            }
        }
        details
    }

    fn seconds(
        &self,
        id: ThreadId,
        seconds: Option<&Seconds>,
        effective: &Value,
        what: &str,
    ) -> Result<Option<u64>, Failure> {
        let path = match seconds {
            None => return Ok(None),
            Some(Seconds::Fixed(seconds)) => return Ok(Some(*seconds)),
            Some(Seconds::Path(path)) => path,
        };
        let value = select(path, effective, &self.environment(id))
            .map_err(|error| self.evaluation_failure(id, &error))?
            .into_owned();
        match value.as_u64() {
            Some(seconds) if seconds > 0 => Ok(Some(seconds)),
            _ => Err(self.runtime_failure(
                id,
                &format!(
                    "The {what}SecondsPath parameter must reference a positive integer: {path} == {}",
                    plain(&value)
                ),
            )),
        }
    }

    /// The thread and resource of a task whose result is awaited.
    fn awaited(&self, task: TaskId) -> Option<(ThreadId, Resource)> {
        let thread = self.execution.tasks.get(&task)?.thread;
        match &self.state_of(thread).ok()?.kind {
            StateKind::Task(state) => Some((thread, state.resource.clone())),
            _ => None,
        }
    }

    pub(super) fn task_started(&mut self, task: TaskId) {
        let Some((thread, resource)) = self.awaited(task) else {
            return;
        };
        if let Some(pending) = self.execution.tasks.get_mut(&task)
            && !pending.started
        {
            pending.started = true;
            let details = resource_details(&resource);
            self.emit(thread, event_type(&resource, Happening::Started), details);
        }
    }

    pub(super) fn task_submitted(&mut self, task: TaskId, output: &Value) {
        self.task_started(task);
        if let Some((thread, resource)) = self.awaited(task) {
            let details = resource_details(&resource).with_output(output.to_string());
            self.emit(thread, event_type(&resource, Happening::Submitted), details);
        }
    }

    pub(super) fn task_succeeded(&mut self, task: TaskId, output: Value) {
        self.task_started(task);
        let Some((thread, resource)) = self.awaited(task) else {
            return;
        };
        self.forget_task(task);
        if exceeds_data_limit(&output) {
            let of = match &resource.kind {
                ResourceKind::Service { service, .. } => service.clone(),
                _ => resource.arn.clone(),
            };
            return self.task_failure(thread, &resource, Failure::data_limit(&of));
        }
        let mut details = resource_details(&resource).with_output(output.to_string());
        if !matches!(resource.kind, ResourceKind::Service { .. }) {
            details.resource = None;
        }
        self.emit(thread, event_type(&resource, Happening::Succeeded), details);
        if let Err(failure) = self.complete(thread, output) {
            self.fail(thread, failure);
        }
    }

    pub(super) fn task_failed(&mut self, task: TaskId, error: String, cause: Option<String>) {
        self.task_started(task);
        if let Some((thread, resource)) = self.awaited(task) {
            self.forget_task(task);
            self.task_failure(thread, &resource, Failure::named(Some(error), cause));
        }
    }

    pub(super) fn task_timed_out(&mut self, task: TaskId, heartbeat: bool) {
        if let Some((thread, resource)) = self.awaited(task) {
            self.cancel_task(task);
            self.task_failure(thread, &resource, Failure::timeout(heartbeat));
        }
    }

    fn task_failure(&mut self, thread: ThreadId, resource: &Resource, failure: Failure) {
        let happening = match failure.error.as_deref() {
            Some("States.Timeout" | "States.HeartbeatTimeout") => Happening::TimedOut,
            _ => Happening::Failed,
        };
        let mut details = resource_details(resource);
        details.error.clone_from(&failure.error);
        details.cause.clone_from(&failure.cause);
        self.emit(thread, event_type(resource, happening), details);
        self.fail(thread, failure);
    }

    /// The task has answered: its timers end, and nothing is to be cancelled outside.
    fn forget_task(&mut self, task: TaskId) {
        if let Some(pending) = self.execution.tasks.remove(&task) {
            self.cancel_timer(pending.timeout);
            self.cancel_timer(pending.heartbeat);
        }
    }

    pub(super) fn heartbeat(&mut self, task: TaskId) {
        let Some(pending) = self.execution.tasks.get(&task) else {
            return;
        };
        let Some(seconds) = pending.call.heartbeat_seconds else {
            return;
        };
        let old: Option<TimerId> = pending.heartbeat;
        self.cancel_timer(old);
        let timer = self.start_timer(seconds as f64, Purpose::Heartbeat(task));
        if let Some(pending) = self.execution.tasks.get_mut(&task) {
            pending.heartbeat = Some(timer);
        }
    }
}

fn event_type(resource: &Resource, happening: Happening) -> EventType {
    use Happening as H;
    match (&resource.kind, happening) {
        (ResourceKind::Lambda, H::Scheduled) => EventType::LambdaFunctionScheduled,
        (ResourceKind::Lambda, H::Started) => EventType::LambdaFunctionStarted,
        (ResourceKind::Lambda, H::Succeeded) => EventType::LambdaFunctionSucceeded,
        (ResourceKind::Lambda, H::Failed) => EventType::LambdaFunctionFailed,
        (ResourceKind::Lambda, H::TimedOut) => EventType::LambdaFunctionTimedOut,
        (ResourceKind::Activity, H::Scheduled) => EventType::ActivityScheduled,
        (ResourceKind::Activity, H::Started) => EventType::ActivityStarted,
        (ResourceKind::Activity, H::Succeeded) => EventType::ActivitySucceeded,
        (ResourceKind::Activity, H::Failed) => EventType::ActivityFailed,
        (ResourceKind::Activity, H::TimedOut) => EventType::ActivityTimedOut,
        (ResourceKind::Service { .. }, H::Scheduled) => EventType::TaskScheduled,
        (ResourceKind::Service { .. }, H::Started) => EventType::TaskStarted,
        (ResourceKind::Service { .. }, H::Succeeded) => EventType::TaskSucceeded,
        (ResourceKind::Service { .. }, H::Failed) => EventType::TaskFailed,
        (ResourceKind::Service { .. }, H::TimedOut) => EventType::TaskTimedOut,
        (_, H::Submitted) => EventType::TaskSubmitted,
    }
}

/// Integrations name their resource in every event, functions and activities only when scheduled.
fn resource_details(resource: &Resource) -> EventDetails {
    match &resource.kind {
        ResourceKind::Service { service, action } => EventDetails {
            resource_type: Some(service.clone()),
            resource: Some(action.clone()),
            ..EventDetails::default()
        },
        _ => EventDetails::default(),
    }
}

/// `RoleArn` of `Credentials` is `roleArn` in the event.
fn lower_first_letters(credentials: &Value) -> Value {
    let Value::Object(fields) = credentials else {
        return credentials.clone();
    };
    fields
        .iter()
        .map(|(name, value)| {
            let mut letters = name.chars();
            let lowered = letters
                .next()
                .map(|first| first.to_lowercase().chain(letters).collect())
                .unwrap_or_default();
            (lowered, value.clone())
        })
        .collect::<serde_json::Map<String, Value>>()
        .into()
}
