//! Deploying stacks: find out what would change, say it, do it, watch it; and taking them away again.
//!
//! A change set is what CloudFormation would do. It is made for every stack before anything is asked. A stack whose
//! parameters come from a stack that is not there yet is planned with stand-ins for them; its real change set is made
//! when its turn comes, and whatever that would destroy without having been announced stops the deployment.

mod model;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

pub use model::{Action, Change, Drifted, Prepared, StackEvent, StackRequest, StackState};

use super::{OpsError, OpsErrorKind, OpsResult, ports::Stacks};

/// How often a stack under way is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// Longest time for one stack; a key or a crawler takes minutes.
const PATIENCE: Duration = Duration::from_secs(45 * 60);
/// Longest wait for a deletion that is in a plan's way; that of a stack that was only planned takes seconds.
const DELETION: Duration = Duration::from_secs(5 * 60);

/// The parts of a deployment in their order. What they are is the platform's business.
pub trait Parts: Send + Sync {
    /// `data-storage`, …, in the order in which they are made.
    fn parts(&self) -> Vec<&'static str>;
    /// The stack of a part, given the outputs of those before it.
    ///
    /// # Errors
    /// When the profile asks for what the stack cannot do.
    fn request(&self, part: &str, outputs: &BTreeMap<String, String>) -> OpsResult<StackRequest>;
    /// Stands in for an output of a stack that is not there yet.
    fn stand_in(&self, parameter: &str) -> String;
    /// What must lie in buckets once the first part is there: bucket, key, content, SHA-256.
    fn objects(&self) -> Vec<(String, String, Vec<u8>, String)>;
}

/// What would happen to a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStack {
    /// `glue`.
    pub part: &'static str,
    /// `lakehand-prod-glue`.
    pub stack: String,
    /// Its status now; `None` when it is not there.
    pub status: Option<String>,
    /// Whether a creation that failed has to be cleared away first.
    pub deleted_first: bool,
    /// Whether values of stacks that are not there yet were stood in for.
    pub provisional: bool,
    /// What would change.
    pub prepared: Prepared,
    /// The parameters it was prepared with.
    #[serde(skip)]
    pub parameters: BTreeMap<String, String>,
}

/// What a deployment would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Every stack, in order.
    pub stacks: Vec<PlannedStack>,
}

impl Plan {
    /// Whether everything is as it should be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stacks
            .iter()
            .all(|stack| stack.prepared == Prepared::NoChange && !stack.deleted_first)
    }

    /// Every change that may destroy something, with its part.
    pub fn destructive(&self) -> impl Iterator<Item = (&'static str, &Change)> {
        self.stacks.iter().flat_map(|stack| {
            let changes = stack.prepared.changes().iter();
            changes
                .filter(|change| change.action.destroys())
                .map(|change| (stack.part, change))
        })
    }
}

/// What is told while a deployment runs.
pub trait Watcher: Send + Sync {
    /// A part's turn has come, or ended.
    fn part(&self, part: &str, what: &str);
    /// Something happened to a resource.
    fn event(&self, part: &str, event: &StackEvent);
}

/// Deploys parts through a port.
pub struct Deployer<'a> {
    stacks: &'a dyn Stacks,
    parts: &'a dyn Parts,
    look_again: Duration,
}

impl<'a> Deployer<'a> {
    /// Nothing is called yet.
    #[must_use]
    pub fn new(stacks: &'a dyn Stacks, parts: &'a dyn Parts) -> Self {
        Self {
            stacks,
            parts,
            look_again: LOOK_AGAIN,
        }
    }

    /// Looks at a running stack so often.
    #[must_use]
    pub fn looking_every(mut self, look_again: Duration) -> Self {
        self.look_again = look_again;
        self
    }

    /// Makes a change set for every stack and says what they hold.
    ///
    /// # Errors
    /// When a stack is under way or broken, or a call fails.
    pub async fn plan(&self) -> OpsResult<Plan> {
        let (account, region) = self.stacks.place().await?;
        let mut outputs = BTreeMap::new();
        let mut complete = true;
        let mut stacks = Vec::new();
        for part in self.parts.parts() {
            let planned = self.plan_part(part, &outputs, complete).await;
            let planned = match planned {
                Ok(planned) => planned,
                Err(error) => {
                    // What is half planned is nothing to leave behind.
                    let half = Plan {
                        account,
                        region,
                        stacks,
                    };
                    let _ = self.forget(&half).await;
                    return Err(error);
                }
            };
            match self.stacks.state(&planned.stack).await? {
                Some(state) if !state.outputs.is_empty() => outputs.extend(state.outputs),
                _ => complete = false,
            }
            stacks.push(planned);
        }
        Ok(Plan {
            account,
            region,
            stacks,
        })
    }

    async fn plan_part(
        &self,
        part: &'static str,
        outputs: &BTreeMap<String, String>,
        complete: bool,
    ) -> OpsResult<PlannedStack> {
        let mut request = self.parts.request(part, outputs)?;
        // A plan or a deployment that was just taken away may still be going.
        let state = self
            .state_after(&request.name, |state| state.status == "DELETE_IN_PROGRESS")
            .await?;
        let deleted_first = state
            .as_ref()
            .is_some_and(StackState::must_be_deleted_first);
        if let Some(state) = &state {
            refuse_unready(&request.name, state)?;
        }
        let is_new = deleted_first
            || state
                .as_ref()
                .is_none_or(|state| state.status == "REVIEW_IN_PROGRESS");
        let mut provisional = false;
        if !complete && is_new {
            for name in request.declared.clone() {
                let known = request.parameters.contains_key(&name);
                let stand_in = self.parts.stand_in(&name);
                if !known && !stand_in.is_empty() {
                    provisional = true;
                    request.parameters.insert(name, stand_in);
                }
            }
        }
        let prepared = if deleted_first {
            // Its change set can be made only when it is gone; all its resources will be new.
            Prepared::NoChange
        } else {
            self.stacks.prepare(&request).await?
        };
        Ok(PlannedStack {
            part,
            stack: request.name,
            status: state.map(|state| state.status),
            deleted_first,
            provisional,
            prepared,
            parameters: request.parameters,
        })
    }

    /// Takes the change sets of a plan away again, and waits until the stacks that only they would have made are gone:
    /// before that CloudFormation makes none of the same name.
    ///
    /// # Errors
    /// When a call fails, or a stack stays.
    pub async fn forget(&self, plan: &Plan) -> OpsResult<()> {
        let mut going = Vec::new();
        for planned in &plan.stacks {
            if let Prepared::ChangeSet { id, creates, .. } = &planned.prepared {
                self.stacks.discard(&planned.stack, id, *creates).await?;
                going.extend(creates.then_some(planned.stack.as_str()));
            }
        }
        for stack in going {
            let left = self
                .state_after(stack, |state| state.status.ends_with("_IN_PROGRESS"))
                .await?;
            if let Some(state) = left {
                return Err(OpsError::new(
                    OpsErrorKind::Platform,
                    format!("{stack} was only planned, and is {} still", state.status),
                    "look at its events in CloudFormation, then deploy again",
                ));
            }
        }
        Ok(())
    }

    /// A stack's state once `going` holds no more, or as it is when that takes longer than [`DELETION`].
    async fn state_after(
        &self,
        stack: &str,
        going: fn(&StackState) -> bool,
    ) -> OpsResult<Option<StackState>> {
        for _ in 0..self.looks(DELETION) {
            let state = self.stacks.state(stack).await?;
            if !state.as_ref().is_some_and(going) {
                return Ok(state);
            }
            tokio::time::sleep(self.look_again).await;
        }
        self.stacks.state(stack).await
    }

    /// Looks at a stack that fit into a time.
    fn looks(&self, time: Duration) -> u128 {
        time.as_millis() / self.look_again.as_millis().max(1)
    }

    /// Does what was planned, stack by stack, and puts the objects that they refer to in between.
    ///
    /// # Errors
    /// The first failed event of the stack that failed; what was done before it stays.
    pub async fn deploy(
        &self,
        plan: &Plan,
        watcher: &dyn Watcher,
    ) -> OpsResult<BTreeMap<String, BTreeMap<String, String>>> {
        let mut outputs = BTreeMap::new();
        let mut all = BTreeMap::new();
        for (index, planned) in plan.stacks.iter().enumerate() {
            if index == 1 {
                self.put_objects(watcher).await?;
            }
            self.deploy_part(planned, &outputs, watcher).await?;
            let state = self.stacks.state(&planned.stack).await?;
            let own = state.unwrap_or_default().outputs;
            outputs.extend(own.clone());
            all.insert(planned.part.to_owned(), own);
        }
        Ok(all)
    }

    async fn put_objects(&self, watcher: &dyn Watcher) -> OpsResult<()> {
        for (bucket, key, bytes, sha256) in self.parts.objects() {
            let put = self.stacks.upload(&bucket, &key, bytes, &sha256).await?;
            let done = if put { "uploaded" } else { "is there already:" };
            watcher.part("objects", &format!("{done} s3://{bucket}/{key}"));
        }
        Ok(())
    }

    async fn deploy_part(
        &self,
        planned: &PlannedStack,
        outputs: &BTreeMap<String, String>,
        watcher: &dyn Watcher,
    ) -> OpsResult<()> {
        let (part, stack) = (planned.part, planned.stack.as_str());
        if planned.deleted_first {
            watcher.part(part, "clearing away a creation that failed");
            self.delete_and_wait(part, stack, watcher).await?;
        }
        let request = self.parts.request(part, outputs)?;
        let unplanned = planned.deleted_first || matches!(planned.prepared, Prepared::Later { .. });
        let stale = unplanned || request.parameters != planned.parameters;
        let prepared = if stale {
            if let Prepared::ChangeSet { id, .. } = &planned.prepared {
                // A stack that is not made yet stays and takes the next change set: deleting it would take time.
                self.stacks.discard(stack, id, false).await?;
            }
            let prepared = self.stacks.prepare(&request).await?;
            self.refuse_unannounced(planned, &prepared).await?;
            prepared
        } else {
            planned.prepared.clone()
        };
        let Prepared::ChangeSet { id, .. } = prepared else {
            watcher.part(part, "no change");
            return Ok(());
        };
        let before = self.last_event(stack).await?;
        self.stacks.execute(stack, &id).await?;
        let state = self.follow(part, stack, before, watcher).await?;
        match state {
            Some(state) if state.is_good() => {
                watcher.part(part, &state.status);
                Ok(())
            }
            state => Err(self.failure(stack, state.as_ref()).await),
        }
    }

    /// Nothing is destroyed that the operator has not seen.
    async fn refuse_unannounced(
        &self,
        planned: &PlannedStack,
        prepared: &Prepared,
    ) -> OpsResult<()> {
        let announced = |change: &Change| {
            let shown = planned.prepared.changes().iter();
            shown
                .filter(|shown| shown.action.destroys())
                .any(|shown| shown.logical_id == change.logical_id)
        };
        let Some(change) = prepared
            .changes()
            .iter()
            .find(|change| change.action.destroys() && !announced(change))
        else {
            return Ok(());
        };
        if let Prepared::ChangeSet { id, creates, .. } = prepared {
            self.stacks.discard(&planned.stack, id, *creates).await?;
        }
        Err(OpsError::new(
            OpsErrorKind::NotPossible,
            format!(
                "{} would now {} {} ({}), which the plan did not say",
                planned.stack,
                change.action.word(),
                change.logical_id,
                change.resource_type
            ),
            "nothing more was done; deploy again to see it in the plan",
        ))
    }

    async fn last_event(&self, stack: &str) -> OpsResult<Option<String>> {
        let events = self.stacks.events(stack, None).await?;
        Ok(events.into_iter().next_back().map(|event| event.id))
    }

    /// Tells the events of a stack until nothing is under way; its last state, `None` when it is gone.
    async fn follow(
        &self,
        part: &str,
        stack: &str,
        mut seen: Option<String>,
        watcher: &dyn Watcher,
    ) -> OpsResult<Option<StackState>> {
        // The status may still be the old one when the work was only just accepted: the stack's own event tells.
        let mut ended = false;
        for _ in 0..self.looks(PATIENCE) {
            let state = self.stacks.state(stack).await?;
            if state.is_some() {
                for event in self.stacks.events(stack, seen.as_deref()).await? {
                    watcher.event(part, &event);
                    ended |= event.logical_id == stack && !event.status.ends_with("_IN_PROGRESS");
                    seen = Some(event.id);
                }
            }
            let busy = state
                .as_ref()
                .is_some_and(|state| state.is_busy() || !ended);
            if !busy {
                return Ok(state);
            }
            tokio::time::sleep(self.look_again).await;
        }
        Err(OpsError::new(
            OpsErrorKind::Platform,
            format!(
                "{stack} is still under way after {} minutes",
                PATIENCE.as_secs() / 60
            ),
            "it goes on without us; look at its events in CloudFormation, then deploy again",
        ))
    }

    /// The first failed event in time is the cause; those after it only say that they were cancelled.
    async fn failure(&self, stack: &str, state: Option<&StackState>) -> OpsError {
        let status = state.map_or("gone", |state| state.status.as_str());
        let events = self.stacks.events(stack, None).await.unwrap_or_default();
        let started = events.iter().rposition(|event| {
            event.logical_id == stack
                && ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"].contains(&event.status.as_str())
        });
        let cause = events[started.unwrap_or(0)..]
            .iter()
            .find(|event| event.status.ends_with("_FAILED"));
        let why = match (cause, state.and_then(|state| state.reason.as_ref())) {
            (Some(event), _) => format!(
                "{} ({}): {}",
                event.logical_id,
                event.resource_type,
                event.reason.as_deref().unwrap_or("no reason was given")
            ),
            (None, Some(reason)) => reason.clone(),
            (None, None) => "no reason was given".to_owned(),
        };
        OpsError::new(
            OpsErrorKind::Platform,
            format!("{stack} ended as {status}: {why}"),
            "CloudFormation has taken this stack back; mend the cause and deploy again",
        )
    }

    /// Deletes a stack and waits for its end.
    ///
    /// # Errors
    /// When a resource cannot be deleted.
    pub async fn delete_and_wait(
        &self,
        part: &str,
        stack: &str,
        watcher: &dyn Watcher,
    ) -> OpsResult<()> {
        if self.stacks.state(stack).await?.is_none() {
            watcher.part(part, "is not there");
            return Ok(());
        }
        let before = self.last_event(stack).await?;
        self.stacks.delete(stack).await?;
        match self.follow(part, stack, before, watcher).await? {
            None => watcher.part(part, "deleted"),
            state => return Err(self.failure(stack, state.as_ref()).await),
        }
        Ok(())
    }
}

/// A stack that is under way, or that only its owner can mend, is not planned for.
fn refuse_unready(stack: &str, state: &StackState) -> OpsResult<()> {
    if state.is_busy() {
        return Err(OpsError::new(
            OpsErrorKind::Conflict,
            format!("{stack} is {}: somebody deploys it right now", state.status),
            "wait for its end, then deploy again",
        ));
    }
    if ["UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"].contains(&state.status.as_str()) {
        return Err(OpsError::new(
            OpsErrorKind::NotPossible,
            format!(
                "{stack} is {}: {}",
                state.status,
                state.reason.as_deref().unwrap_or("no reason was given")
            ),
            "mend it in CloudFormation first (continue the update's roll-back, or delete the stack), then deploy again",
        ));
    }
    Ok(())
}
