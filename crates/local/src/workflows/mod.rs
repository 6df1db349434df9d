//! The embedded Step Functions: executions of ASL workflows in this process, kept in the state file.
//!
//! Each step of the interpreter is one transaction: its events, the interpreter's snapshot and the
//! folded summary are committed together, **then** its commands run. So a process may die at any
//! instant: what was committed is the truth, a task whose end was not committed runs again after a
//! redrive, and tasks are made to be repeated. One process writes an execution (`state::OwnerTicket`);
//! any number may read.

mod children;
pub mod definitions;
mod redrive;
pub mod resources;
mod runner;
mod tasks;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

pub use definitions::{Definitions, RenderSql};
pub use resources::{
    JobCall, JobRunner, LocalResources, Notice, Resources, TaskCall, TaskFailure, recent_notices,
};

use super::{
    logs::LogWriter,
    state::{self, ExecutionRow, NewExecution, OwnerTicket, StateStore},
};
use lakehand_ops::{
    ExecutionId, ExecutionSummary, OpsError, OpsErrorKind, OpsResult, StartRequest, WorkflowName,
    ports::Workflows,
    start::{checked_name, input_with_window, window_in},
};
use lakehand_pipeline::{ports::Clock, window::Window};
use lakehand_workflow::{
    definition::Definition,
    history::HistoryEvent,
    interpreter::{Execution, ExecutionContext, Signal, Step},
};
use runner::{Message, Runner};

/// How often requests of other processes are looked for while something runs.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// A sign of life every so many looks.
const HEARTBEAT_EVERY: u32 = 20;
/// How often another process's execution is looked at while it is waited for.
const POLL_EVERY: Duration = Duration::from_millis(300);

/// The embedded platform's [`Workflows`].
#[derive(Debug, Clone)]
pub struct LocalWorkflows {
    shared: Arc<Shared>,
}

/// How timers and grace times are waited for; tests have a clock of their own.
trait Waits: Send + Sync + std::fmt::Debug {
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;
}

/// Waits by the machine's clock.
#[derive(Debug)]
struct RealTime;

impl Waits for RealTime {
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// What every runner needs.
#[derive(Debug)]
struct Shared {
    store: Arc<StateStore>,
    logs: LogWriter,
    definitions: Definitions,
    resources: Arc<dyn Resources>,
    clock: Arc<dyn Clock>,
    waits: Arc<dyn Waits>,
    /// Executions of this process, by ticket.
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    by_token: HashMap<String, Handle>,
    watched: bool,
}

/// How to reach a runner.
#[derive(Debug, Clone)]
struct Handle {
    id: ExecutionId,
    inbox: mpsc::UnboundedSender<Message>,
    ended: watch::Receiver<bool>,
}

impl LocalWorkflows {
    /// Executions in `store`, whose tasks `resources` run.
    ///
    /// # Errors
    /// When the log thread cannot be started.
    pub fn new(
        store: Arc<StateStore>,
        definitions: Definitions,
        resources: Arc<dyn Resources>,
        clock: Arc<dyn Clock>,
    ) -> OpsResult<Self> {
        Self::with_waits(store, definitions, resources, clock, Arc::new(RealTime))
    }

    fn with_waits(
        store: Arc<StateStore>,
        definitions: Definitions,
        resources: Arc<dyn Resources>,
        clock: Arc<dyn Clock>,
        waits: Arc<dyn Waits>,
    ) -> OpsResult<Self> {
        let logs = LogWriter::start(Arc::clone(&store))?;
        Ok(Self {
            shared: Arc::new(Shared {
                store,
                logs,
                definitions,
                resources,
                clock,
                waits,
                running: Mutex::default(),
            }),
        })
    }

    /// Waits until nothing of an execution runs any more, and says how it ended. Also for executions
    /// that another process runs; one whose process is dead is `Interrupted` at once.
    ///
    /// # Errors
    /// When there is no such execution or the state file fails.
    pub async fn wait(&self, id: &ExecutionId) -> OpsResult<ExecutionSummary> {
        self.shared.wait(id).await
    }

    /// Starts an execution of a definition that is no workflow of the profile's.
    ///
    /// # Errors
    /// When it is not understood, or the state file fails.
    pub async fn start_given(
        &self,
        definition: &str,
        request: StartRequest,
    ) -> OpsResult<ExecutionId> {
        let rendered = definitions::Rendered {
            text: definition.into(),
            definition: parsed_definition(definition)?,
        };
        self.shared.start_rendered(request, rendered, None).await
    }

    /// Executions that this process runs right now.
    #[must_use]
    pub fn running_here(&self) -> Vec<ExecutionId> {
        self.shared
            .running()
            .by_token
            .values()
            .map(|handle| handle.id.clone())
            .collect()
    }

    /// The store, for logs, notices and tests.
    #[must_use]
    pub fn store(&self) -> &Arc<StateStore> {
        &self.shared.store
    }
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn row(&self, id: &ExecutionId) -> OpsResult<ExecutionRow> {
        let id = id.clone();
        Ok(self
            .store
            .read(move |connection| ExecutionRow::find(connection, id.as_ref(), Timestamp::now()))
            .await?)
    }

    /// Starts an execution, of an operator or of a parent's stage.
    async fn start(
        self: &Arc<Self>,
        request: StartRequest,
        parent: Option<(String, String)>,
    ) -> OpsResult<ExecutionId> {
        let rendered = self
            .definitions
            .load(&request.workflow, self.resources.as_ref())?;
        self.start_rendered(request, rendered, parent).await
    }

    async fn start_rendered(
        self: &Arc<Self>,
        request: StartRequest,
        rendered: definitions::Rendered,
        parent: Option<(String, String)>,
    ) -> OpsResult<ExecutionId> {
        let started = self.now();
        let name = match request.name {
            Some(name) => checked_name(name)?,
            None => fresh_name(request.window, started),
        };
        let input = input_with_window(request.input, request.window)?;
        let id = state::execution_id(request.workflow.as_ref(), &name);
        let context = ExecutionContext {
            id: id.to_string(),
            name: name.clone(),
            role_arn: String::new(),
            start_time: started,
            state_machine_id: self
                .definitions
                .state_machine_arn(request.workflow.as_ref()),
            state_machine_name: request.workflow.to_string(),
        };
        let mut execution = Execution::new(input.clone(), context);
        let step = execution.handle(
            &rendered.definition,
            Signal::Start,
            started,
            &mut rand::random,
        );
        let ticket = OwnerTicket::issue();
        let new = NewExecution {
            id: id.to_string(),
            workflow: request.workflow.to_string(),
            name,
            definition: rendered.text,
            window: window_in(&input),
            input: input.to_string(),
            started,
            parent,
            token: ticket.token().to_owned(),
        };
        let mut runner = Runner::new(
            Arc::clone(self),
            id.clone(),
            ticket,
            rendered.definition,
            execution,
        );
        let record = runner.record(&step.events)?;
        let key = self
            .store
            .write(move |transaction| new.insert(transaction, &record))
            .await?;
        self.launch(runner, key, step);
        Ok(id)
    }

    /// Lets a runner go on from a committed step.
    fn launch(self: &Arc<Self>, mut runner: Runner, key: i64, first: Step) {
        let (ended_sender, ended) = watch::channel(false);
        let token = runner.token().to_owned();
        let handle = Handle {
            id: runner.id().clone(),
            inbox: runner.inbox(),
            ended,
        };
        self.running().by_token.insert(token.clone(), handle);
        self.watch();
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            runner.run(key, first).await;
            // The ticket goes before anybody is told, so that whoever waited sees the end.
            drop(runner);
            shared.running().by_token.remove(&token);
            let _ = ended_sender.send(true);
        });
    }

    /// Looks for requests of other processes and gives signs of life, as long as something runs here.
    fn watch(self: &Arc<Self>) {
        if std::mem::replace(&mut self.running().watched, true) {
            return;
        }
        let shared = Arc::downgrade(self);
        tokio::spawn(async move {
            for look in 1_u32.. {
                tokio::time::sleep(WATCH_EVERY).await;
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                let tokens: Vec<String> = {
                    let mut running = shared.running();
                    if running.by_token.is_empty() {
                        running.watched = false;
                        return;
                    }
                    running.by_token.keys().cloned().collect()
                };
                if let Err(error) = shared.look_around(&tokens, look).await {
                    tracing::warn!(%error, "requests for running executions could not be read");
                }
            }
        });
    }

    async fn look_around(&self, tokens: &[String], look: u32) -> Result<(), state::StateError> {
        let requests = self.store.read(state::stop_requests).await?;
        for (token, cause) in requests {
            if let Some(handle) = self.running().by_token.get(&token) {
                let _ = handle.inbox.send(Message::Stop { cause });
            }
        }
        if look.is_multiple_of(HEARTBEAT_EVERY) {
            let tokens = tokens.to_vec();
            // The machine's clock: silence is measured against it, also where the data's clock stands still.
            self.store
                .write(move |transaction| state::heartbeat(transaction, &tokens, Timestamp::now()))
                .await?;
        }
        Ok(())
    }

    fn handle_of(&self, id: &ExecutionId) -> Option<Handle> {
        self.running()
            .by_token
            .values()
            .find(|handle| handle.id == *id)
            .cloned()
    }

    async fn wait(&self, id: &ExecutionId) -> OpsResult<ExecutionSummary> {
        loop {
            if let Some(mut handle) = self.handle_of(id) {
                // An error means that the runner is gone, which is what is waited for.
                let _ = handle.ended.wait_for(|ended| *ended).await;
            }
            let row = self.row(id).await?;
            if !row.held {
                return Ok(row.summary);
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    async fn stop(self: &Arc<Self>, id: &ExecutionId, reason: &str) -> OpsResult<()> {
        let row = self.row(id).await?;
        if row.summary.status.is_ended()
            && row.summary.status != lakehand_ops::ExecutionStatus::Interrupted
        {
            return Err(OpsError::new(
                OpsErrorKind::NotPossible,
                format!(
                    "{id} has ended already ({})",
                    state::status_text(row.summary.status)
                ),
                "there is nothing to stop",
            ));
        }
        if let Some(mut handle) = self.handle_of(id) {
            let _ = handle.inbox.send(Message::Stop {
                cause: reason.to_owned(),
            });
            let _ = handle.ended.wait_for(|ended| *ended).await;
            return Ok(());
        }
        if row.held {
            let cause = reason.to_owned();
            self.store
                .write(move |transaction| state::request_stop(transaction, row.key, &cause))
                .await?;
            return Ok(());
        }
        self.abort_interrupted(id, reason).await
    }
}

/// A name nobody else has: window, time, and six random letters.
fn fresh_name(window: Option<Window>, now: Timestamp) -> String {
    let at = now.strftime("%Y%m%dT%H%M%S");
    let random = uuid::Uuid::new_v4().simple().to_string();
    let random = &random[..6];
    match window {
        Some(window) => format!(
            "{}_{}-{at}-{random}",
            window.from().strftime("%Y%m%d"),
            window.to().strftime("%Y%m%d")
        ),
        None => format!("{at}-{random}"),
    }
}

fn parsed_definition(text: &str) -> OpsResult<Arc<Definition>> {
    Definition::parse(text).map(Arc::new).map_err(|error| {
        OpsError::new(
            OpsErrorKind::Platform,
            format!("the execution's definition is not understood by this version: {error}"),
            "use the version of lakehand that started it",
        )
    })
}

#[async_trait]
impl Workflows for LocalWorkflows {
    async fn list(&self) -> OpsResult<Vec<WorkflowName>> {
        Ok(self.shared.definitions.names())
    }

    async fn definition(&self, workflow: &WorkflowName) -> OpsResult<Arc<Definition>> {
        Ok(self
            .shared
            .definitions
            .load(workflow, self.shared.resources.as_ref())?
            .definition)
    }

    async fn definition_of(&self, id: &ExecutionId) -> OpsResult<Arc<Definition>> {
        let id = id.clone();
        let (_, text) = self
            .shared
            .store
            .read(move |connection| state::definition_of(connection, id.as_ref()))
            .await?;
        parsed_definition(&text)
    }

    async fn is_ours(&self, _id: &ExecutionId, definition: &Definition) -> bool {
        super::imports::is_one(definition) || self.shared.definitions.has_built_in(definition)
    }

    async fn executions(
        &self,
        workflow: Option<&WorkflowName>,
        limit: usize,
    ) -> OpsResult<Vec<ExecutionSummary>> {
        let workflow = workflow.map(ToString::to_string);
        let rows = self
            .shared
            .store
            .read(move |connection| {
                ExecutionRow::newest(connection, workflow.as_deref(), limit, Timestamp::now())
            })
            .await?;
        Ok(rows.into_iter().map(|row| row.summary).collect())
    }

    async fn describe(&self, id: &ExecutionId) -> OpsResult<ExecutionSummary> {
        Ok(self.shared.row(id).await?.summary)
    }

    async fn last_success(&self, workflow: &WorkflowName) -> OpsResult<Option<Timestamp>> {
        let workflow = workflow.clone();
        Ok(self
            .shared
            .store
            .read(move |connection| ExecutionRow::last_success(connection, workflow.as_ref()))
            .await?)
    }

    async fn payloads(&self, id: &ExecutionId) -> OpsResult<(String, Option<String>)> {
        let id = id.clone();
        Ok(self
            .shared
            .store
            .read(move |connection| state::payloads(connection, id.as_ref()))
            .await?)
    }

    async fn history(&self, id: &ExecutionId, after: u64) -> OpsResult<Vec<HistoryEvent>> {
        let id = id.clone();
        let events = self
            .shared
            .store
            .read(move |connection| state::events(connection, id.as_ref(), after))
            .await?;
        events
            .iter()
            .map(|event| runner::event_of(event).map_err(OpsError::from))
            .collect()
    }

    async fn start(&self, request: StartRequest) -> OpsResult<ExecutionId> {
        self.shared.start(request, None).await
    }

    async fn stop(&self, id: &ExecutionId, reason: &str) -> OpsResult<()> {
        self.shared.stop(id, reason).await
    }

    async fn redrive(&self, id: &ExecutionId) -> OpsResult<()> {
        self.shared.redrive(id).await
    }
}
