//! Workflows on Step Functions.
//!
//! The console polls, and people share the account's quotas with the pipeline itself: so every answer here is kept as
//! long as it can be right, and what is asked goes through the paces of [`Clients::call`].

mod events;
mod executions;
mod history;
mod machines;
mod map_runs;
mod shape;
mod start;
mod summaries;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use self::{
    events::Events,
    executions::{Described, Executions},
    machines::{Machine, Machines},
    summaries::Told,
};
use super::{Clients, call::Api};
use lakehand_config::Profile;
use lakehand_host::definitions::{Target, render_sql};
use lakehand_ops::{
    ExecutionId, ExecutionStatus, ExecutionSummary, OpsError, OpsErrorKind, OpsResult,
    StartRequest, WorkflowName, ports::Workflows, start::COLLECTION,
};
use lakehand_workflow::{definition::Definition, history::HistoryEvent};

const DESCRIBE_MACHINE: Api = Api::paced("states", "DescribeStateMachine", 50.0, 5.0);
const DESCRIBE_MACHINE_OF: Api =
    Api::paced("states", "DescribeStateMachineForExecution", 50.0, 2.5);
const STOP: Api = Api::paced("states", "StopExecution", 125.0, 6.25);
const REDRIVE: Api = Api::paced("states", "RedriveExecution", 200.0, 37.5);

/// A definition is read again after this long; a deployment is rare.
const DEFINED_FOR: Duration = Duration::from_secs(600);
/// The newest success is asked for again after this long when the list does not show one.
const SUCCESS_FOR: Duration = Duration::from_secs(600);
/// Executions looked through for a success before it is asked for.
const LOOKED_THROUGH: usize = 20;
/// Calls at the same time.
const ABREAST: usize = 4;
/// Events read a moment ago serve whoever asks for them next.
const EVENTS_FOR: Duration = Duration::from_millis(800);
/// Definitions of executions kept.
const DEFINITIONS: usize = 64;
/// The newest event at which the Map Runs of an execution were asked for, and their progress by stage.
type MapRunsSeen = (u64, HashMap<String, String>);

/// The error's name of an execution that an operator stopped.
const STOPPED: &str = "Lakehand.Stopped";

/// The [`Workflows`] of a profile on AWS.
#[derive(Debug)]
pub(super) struct StepFunctions {
    clients: Clients,
    profile: Arc<Profile>,
    machines: Machines,
    executions: Executions,
    events: Events,
    definitions: Mutex<HashMap<String, (Timestamp, Arc<Definition>)>>,
    told: Mutex<HashMap<(String, u32), Told>>,
    successes: Mutex<HashMap<String, (Timestamp, Option<Timestamp>)>>,
    map_runs: Mutex<HashMap<String, MapRunsSeen>>,
}

impl StepFunctions {
    /// The state machines of `profile`; asks nobody yet.
    pub(super) fn new(clients: Clients, profile: Arc<Profile>) -> Self {
        Self {
            clients,
            profile,
            machines: Machines::default(),
            executions: Executions::default(),
            events: Events::default(),
            definitions: Mutex::default(),
            told: Mutex::default(),
            successes: Mutex::default(),
            map_runs: Mutex::default(),
        }
    }

    /// An execution's ARN and all its events, for what is found from them.
    pub(super) async fn events_of(
        &self,
        id: &ExecutionId,
    ) -> OpsResult<(String, Vec<HistoryEvent>)> {
        let arn = self.arn(id).await?;
        let events = self
            .events
            .after(&self.clients, &arn, 0, EVENTS_FOR)
            .await?;
        Ok((arn, events))
    }

    async fn machine(&self, name: &WorkflowName) -> OpsResult<Machine> {
        self.machines.find(&self.clients, &self.profile, name).await
    }

    /// The ARN behind an id: an ARN, or `<workflow>:<name>` as a local profile has it.
    async fn arn(&self, id: &ExecutionId) -> OpsResult<String> {
        if id.as_ref().starts_with("arn:") {
            return Ok(id.to_string());
        }
        let Some((workflow, name)) = id.as_ref().split_once(':') else {
            return Err(OpsError::new(
                OpsErrorKind::NotFound,
                format!("there is no execution '{id}'"),
                "give its ARN, or <workflow>:<name>; `lakehand runs list` shows them",
            ));
        };
        Ok(self.machine(&workflow.into()).await?.execution(name))
    }

    /// The machine of an execution: its ARN, and the name shown.
    async fn machine_of(&self, arn: &str) -> OpsResult<Machine> {
        let own = arn.split(':').nth(6).unwrap_or_default();
        // The children of a Map Run have its label behind the machine's name.
        let own = own.split('/').next().unwrap_or(own);
        let machines = self.machines.all(&self.clients, &self.profile).await?;
        if let Some(machine) = machines.into_iter().find(|machine| machine.name() == own) {
            return Ok(machine);
        }
        let mut parts: Vec<&str> = arn.split(':').take(6).collect();
        if let Some(kind) = parts.get_mut(5) {
            *kind = "stateMachine";
        }
        parts.push(own);
        let prefix = self.profile.resource_name("");
        Ok(Machine {
            shown: own.strip_prefix(&prefix).unwrap_or(own).into(),
            arn: parts.join(":"),
        })
    }

    /// Describes an execution and notices whether it was redriven since its events were read.
    async fn described(&self, arn: &str, now: bool) -> OpsResult<Arc<Described>> {
        let described = if now {
            self.executions.describe_now(&self.clients, arn).await?
        } else {
            self.executions.describe(&self.clients, arn).await?
        };
        let known = self.events.redrives(arn).await;
        if known.is_some_and(|known| known < u64::from(described.redrives)) {
            self.events.goes_on(&self.clients, arn).await?;
        }
        if described.status.is_ended() {
            self.events.reach_the_end(&self.clients, arn).await?;
        }
        Ok(described)
    }
}

#[async_trait]
impl Workflows for StepFunctions {
    async fn list(&self) -> OpsResult<Vec<WorkflowName>> {
        self.machines.names(&self.clients, &self.profile).await
    }

    async fn definition(&self, workflow: &WorkflowName) -> OpsResult<Arc<Definition>> {
        let machine = self.machine(workflow).await?;
        if let Some(known) = self.known_definition(&machine.arn, DEFINED_FOR) {
            return Ok(known);
        }
        let call = self
            .clients
            .sfn
            .describe_state_machine()
            .state_machine_arn(&machine.arn);
        let answer = self
            .clients
            .call(DESCRIBE_MACHINE, &machine.arn, call.send())
            .await?;
        self.define(&machine.arn, &answer.definition)
    }

    async fn definition_of(&self, id: &ExecutionId) -> OpsResult<Arc<Definition>> {
        let arn = self.arn(id).await?;
        if let Some(known) = self.known_definition(&arn, Duration::MAX) {
            return Ok(known);
        }
        let call = self
            .clients
            .sfn
            .describe_state_machine_for_execution()
            .execution_arn(&arn);
        let answer = self
            .clients
            .call(DESCRIBE_MACHINE_OF, &arn, call.send())
            .await?;
        self.define(&arn, &answer.definition)
    }

    async fn is_ours(&self, id: &ExecutionId, definition: &Definition) -> bool {
        let Ok(arn) = self.arn(id).await else {
            return false;
        };
        // arn:aws:states:eu-west-1:123456789012:execution:machine:name
        let mut parts = arn.split(':').skip(3);
        let (Some(region), Some(account)) = (parts.next(), parts.next()) else {
            return false;
        };
        Target::on_aws(&self.profile, account, region).has_built_in(definition, render_sql)
    }

    async fn executions(
        &self,
        workflow: Option<&WorkflowName>,
        limit: usize,
    ) -> OpsResult<Vec<ExecutionSummary>> {
        let machines = match workflow {
            Some(name) => vec![self.machine(name).await?],
            None => self.machines.all(&self.clients, &self.profile).await?,
        };
        let lists = futures::stream::iter(machines)
            .map(|machine| async move { self.executions_of(&machine, limit).await })
            .buffered(ABREAST);
        let mut all: Vec<ExecutionSummary> = lists.try_concat().await?;
        all.sort_by_key(|one| std::cmp::Reverse(one.started));
        all.truncate(limit);
        Ok(all)
    }

    async fn describe(&self, id: &ExecutionId) -> OpsResult<ExecutionSummary> {
        let arn = self.arn(id).await?;
        let described = self.described(&arn, false).await?;
        let mut summary = self.summary(&described).await?;
        let failed = summary.status.is_ended() && summary.status != ExecutionStatus::Succeeded;
        if failed && summary.window.is_some() {
            let list = self.executions(Some(&summary.workflow), 20).await?;
            summary.superseded = list
                .iter()
                .any(|one| one.id == summary.id && one.superseded);
        }
        Ok(summary)
    }

    async fn last_success(&self, workflow: &WorkflowName) -> OpsResult<Option<Timestamp>> {
        let machine = self.machine(workflow).await?;
        let listed = self
            .executions
            .list(&self.clients, &machine, LOOKED_THROUGH)
            .await?;
        let newest = listed
            .iter()
            .filter(|one| one.status == ExecutionStatus::Succeeded)
            .filter_map(|one| one.ended)
            .max();
        if newest.is_some() || listed.is_empty() {
            return Ok(newest);
        }
        let known = {
            let known = self
                .successes
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            known.get(&machine.arn).copied()
        };
        if let Some((at, success)) = known
            && self.clients.is_young(at, SUCCESS_FOR)
        {
            return Ok(success);
        }
        let success = self
            .executions
            .last_success(&self.clients, &machine)
            .await?;
        let mut known = self
            .successes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.insert(machine.arn, (self.clients.now(), success));
        Ok(success)
    }

    async fn payloads(&self, id: &ExecutionId) -> OpsResult<(String, Option<String>)> {
        let described = self.described(&self.arn(id).await?, false).await?;
        Ok((described.input.clone(), described.output.clone()))
    }

    async fn history(&self, id: &ExecutionId, after: u64) -> OpsResult<Vec<HistoryEvent>> {
        let arn = self.arn(id).await?;
        self.events
            .after(&self.clients, &arn, after, EVENTS_FOR)
            .await
    }

    async fn progress(&self, id: &ExecutionId) -> OpsResult<HashMap<String, String>> {
        let arn = self.arn(id).await?;
        let look = |events: &[HistoryEvent]| {
            let last = events.last();
            let over = last.filter(|event| event.event_type.ends_execution());
            (over.map(|event| event.id), map_runs::of(events))
        };
        let (over, runs) = self
            .events
            .look(&self.clients, &arn, EVENTS_FOR, look)
            .await?;
        if runs.is_empty() {
            return Ok(HashMap::new());
        }
        let known = || self.map_runs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, told)) = known().get(&arn).filter(|(end, _)| Some(*end) == over) {
            return Ok(told.clone());
        }
        let told = map_runs::progress(&self.clients, runs).await?;
        if let Some(end) = over {
            let mut known = known();
            if known.len() >= DEFINITIONS {
                known.clear();
            }
            known.insert(arn, (end, told.clone()));
        }
        Ok(told)
    }

    async fn not_redrivable(&self, id: &ExecutionId) -> OpsResult<Option<String>> {
        let described = self.described(&self.arn(id).await?, false).await?;
        Ok(described.not_redrivable.clone())
    }

    fn forget(&self) {
        self.executions.forget_all();
        self.machines.forget();
        let successes = self.successes.lock();
        successes.unwrap_or_else(PoisonError::into_inner).clear();
        let definitions = self.definitions.lock();
        let of_machine = |arn: &str| arn.contains(":stateMachine:");
        let mut definitions = definitions.unwrap_or_else(PoisonError::into_inner);
        definitions.retain(|arn, _| !of_machine(arn));
    }

    async fn start(&self, request: StartRequest) -> OpsResult<ExecutionId> {
        self.start_named(request).await
    }

    async fn stop(&self, id: &ExecutionId, reason: &str) -> OpsResult<()> {
        let arn = self.arn(id).await?;
        let described = self.described(&arn, true).await?;
        if described.status.is_ended() {
            return Err(OpsError::new(
                OpsErrorKind::NotPossible,
                format!("{arn} has ended already ({:?})", described.status),
                "there is nothing to stop",
            ));
        }
        let call = self
            .clients
            .sfn
            .stop_execution()
            .execution_arn(&arn)
            .error(STOPPED)
            .cause(reason);
        self.clients.call(STOP, &arn, call.send()).await?;
        let machine = self.machine_of(&arn).await?;
        self.executions.forget(&machine.arn, &arn).await;
        Ok(())
    }

    async fn redrive(&self, id: &ExecutionId) -> OpsResult<()> {
        let arn = self.arn(id).await?;
        let described = self.described(&arn, true).await?;
        let refused = |reason: &str| {
            OpsError::new(
                OpsErrorKind::NotPossible,
                format!("{arn} cannot be redriven: {reason}"),
                "start a new execution with the same window",
            )
        };
        if described.status == ExecutionStatus::Running {
            return Err(refused("it is running"));
        }
        if let Some(reason) = &described.not_redrivable {
            return Err(refused(reason));
        }
        let machine = self.machine_of(&arn).await?;
        if machine.shown.as_ref() == COLLECTION {
            let own = serde_json::from_str(&described.input).unwrap_or_default();
            self.refuse_the_same_collection(&machine, &own, Some(id))
                .await?;
        }
        // The token makes the SDK's own repetitions one redrive.
        let call = self
            .clients
            .sfn
            .redrive_execution()
            .execution_arn(&arn)
            .client_token(uuid::Uuid::new_v4().simple().to_string());
        match self.clients.call(REDRIVE, &arn, call.send()).await {
            Ok(_) => {}
            Err(error) if error.code == "ExecutionNotRedrivable" => {
                return Err(refused(&error.message));
            }
            Err(error) => return Err(error.into()),
        }
        let redrives = described.redrives + 1;
        self.executions.goes_on(&machine.arn, &arn, redrives).await;
        self.events.goes_on(&self.clients, &arn).await
    }
}

impl StepFunctions {
    fn known_definition(&self, arn: &str, at_most: Duration) -> Option<Arc<Definition>> {
        let all = self
            .definitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (at, definition) = all.get(arn)?;
        self.clients
            .is_young(*at, at_most)
            .then(|| Arc::clone(definition))
    }

    fn define(&self, arn: &str, text: &str) -> OpsResult<Arc<Definition>> {
        let definition = shape::definition(text)?;
        let mut all = self
            .definitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if all.len() >= DEFINITIONS {
            let oldest = all.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(oldest) = oldest.map(|(arn, _)| arn.clone()) {
                all.remove(&oldest);
            }
        }
        all.insert(
            arn.to_owned(),
            (self.clients.now(), Arc::clone(&definition)),
        );
        Ok(definition)
    }
}
