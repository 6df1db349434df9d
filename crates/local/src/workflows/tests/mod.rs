//! The embedded workflows under test: scripted resources, a virtual clock, and a state file that "dies".

mod built_in;
mod interruption;
mod kills;
mod lists;
mod operator;
mod redrives;
mod running;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Definitions, LocalWorkflows, Resources, TaskCall, TaskFailure, Waits, resources::Binding,
};
use crate::state::{StateStore, busy::Busy};
use lakehand_config::{AffiseSettings, GoldSettings, NormaliseSettings, PlatformKind, Profile};
use lakehand_ops::{ExecutionId, ExecutionSummary, StartRequest, ports::Workflows};
use lakehand_pipeline::ports::Clock;
use lakehand_workflow::history::HistoryEvent;

/// A clock of its own that jumps from timer to timer whenever nothing else is to do.
#[derive(Debug)]
struct VirtualTime {
    base: Timestamp,
    state: Mutex<Virtual>,
}

#[derive(Debug, Default)]
struct Virtual {
    passed: Duration,
    count: u64,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

impl VirtualTime {
    /// Starts it on this test's single-threaded runtime.
    fn start() -> Arc<Self> {
        let time = Arc::new(Self {
            base: "2026-01-31T09:00:00Z".parse().unwrap(),
            state: Mutex::default(),
        });
        let weak = Arc::downgrade(&time);
        tokio::spawn(async move {
            let mut idle = 0;
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let Some(time) = weak.upgrade() else { return };
                idle = if Busy::is_idle() { idle + 1 } else { 0 };
                if idle >= 3 {
                    idle = 0;
                    time.wake_next();
                }
            }
        });
        time
    }

    fn wake_next(&self) {
        let mut state = self.state.lock().unwrap();
        state.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        if let Some(((at, _), sleeper)) = state.sleepers.pop_first() {
            state.passed = state.passed.max(at);
            let _ = sleeper.send(());
        }
    }

    async fn sleep(self: &Arc<Self>, seconds: u64) {
        Waits::sleep(self.as_ref(), Duration::from_secs(seconds)).await;
    }
}

impl Clock for VirtualTime {
    fn now(&self) -> Timestamp {
        self.base + SignedDuration::try_from(self.state.lock().unwrap().passed).unwrap()
    }
}

impl Waits for VirtualTime {
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let (sender, woken) = oneshot::channel();
        let mut state = self.state.lock().unwrap();
        state.count += 1;
        let key = (state.passed + time, state.count);
        state.sleepers.insert(key, sender);
        Box::pin(async move {
            let _ = woken.await;
        })
    }
}

/// Runs a test's future on a runtime of its own, which then goes away with everything in it.
fn in_a_process<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

type Answer =
    Arc<dyn Fn(TaskCall, u32) -> BoxFuture<'static, Result<Value, TaskFailure>> + Send + Sync>;

/// Functions by name, and what they answer at which call.
#[derive(Default)]
struct Scripted {
    answers: HashMap<String, Answer>,
    calls: Mutex<Vec<(String, Value)>>,
    count: AtomicU32,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    fn new() -> Self {
        Self::default()
    }

    /// `function`, called for the `n`th time (from 1), answers what `answer` gives.
    fn on<F, R>(mut self, function: &str, answer: F) -> Self
    where
        F: Fn(TaskCall, u32) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Value, TaskFailure>> + Send + 'static,
    {
        self.answers.insert(
            function.to_owned(),
            Arc::new(move |call, n| Box::pin(answer(call, n))),
        );
        self
    }

    /// As [`Scripted::on`], at once.
    fn says(
        self,
        function: &str,
        answer: impl Fn(&Value, u32) -> Result<Value, TaskFailure> + Send + Sync + 'static,
    ) -> Self {
        self.on(function, move |call, n| {
            let result = answer(&call.parameters["Payload"], n);
            async move { result }
        })
    }

    fn names(&self) -> Vec<String> {
        self.calls
            .lock()
            .unwrap()
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    }
}

/// Function of a `lambda:invoke`; the service itself of anything else.
fn called(call: &TaskCall) -> String {
    let function = call.parameters.get("FunctionName").and_then(Value::as_str);
    match function {
        Some(function) => function
            .strip_prefix("lakehand-test-")
            .unwrap_or(function)
            .to_owned(),
        None => call
            .resource
            .trim_start_matches("arn:aws:states:::")
            .to_owned(),
    }
}

#[async_trait]
impl Resources for Scripted {
    fn refusal(&self, resource: &str) -> Option<String> {
        Binding::of(resource).err()
    }

    async fn run(&self, call: TaskCall) -> Result<Value, TaskFailure> {
        self.count.fetch_add(1, Ordering::Relaxed);
        let name = called(&call);
        let n = {
            let mut calls = self.calls.lock().unwrap();
            calls.push((name.clone(), call.parameters.clone()));
            u32::try_from(calls.iter().filter(|(one, _)| *one == name).count()).unwrap()
        };
        if name == "fail-execution" {
            let payload = call.parameters["Payload"].clone();
            return super::resources::fail_execution_for_tests(&payload)
                .map(|output| json!({ "Payload": output }));
        }
        let is_function = call.parameters.get("FunctionName").is_some();
        let answer = match self.answers.get(&name) {
            Some(answer) => answer(call, n).await?,
            None => json!({}),
        };
        Ok(if is_function {
            json!({ "ExecutedVersion": "$LATEST", "Payload": answer, "StatusCode": 200 })
        } else {
            answer
        })
    }
}

fn profile(folder: &Path) -> Arc<Profile> {
    Arc::new(Profile {
        name: "test".to_owned(),
        platform: PlatformKind::Local,
        project: "lakehand".to_owned(),
        env: "test".to_owned(),
        time_zone: jiff::tz::TimeZone::UTC,
        data_dir: folder.to_owned(),
        affise: AffiseSettings::default(),
        marketo: None,
        ga4: None,
        ga3: None,
        normalise: NormaliseSettings::default(),
        gold: GoldSettings::default(),
        credentials: lakehand_config::CredentialSettings::default(),
        datamart: lakehand_config::DatamartSettings::default(),
        schedules: Vec::new(),
        reports_prefix: None,
        read_only: false,
        protected: false,
        aws: <_>::default(),
    })
}

fn open(
    folder: &Path,
    workflows: &[(&str, &str)],
    resources: Arc<dyn Resources>,
    time: Arc<VirtualTime>,
) -> LocalWorkflows {
    let store = StateStore::open(&folder.join("state.sqlite")).unwrap();
    let definitions = Definitions::of(
        profile(folder),
        Arc::new(|text: &str| Ok(text.to_owned())),
        workflows,
    );
    LocalWorkflows::with_waits(store, definitions, resources, time.clone(), time).unwrap()
}

/// A workflow of one state machine named `w`.
fn with_states(
    folder: &Path,
    start_at: &str,
    states: Value,
    resources: Scripted,
) -> (LocalWorkflows, Arc<Scripted>) {
    with_states_at(folder, start_at, states, resources, VirtualTime::start())
}

fn with_states_at(
    folder: &Path,
    start_at: &str,
    states: Value,
    resources: Scripted,
    time: Arc<VirtualTime>,
) -> (LocalWorkflows, Arc<Scripted>) {
    let text = json!({ "StartAt": start_at, "States": states }).to_string();
    let resources = Arc::new(resources);
    (
        open(folder, &[("w", &text)], resources.clone(), time),
        resources,
    )
}

fn request(workflow: &str, input: Value) -> StartRequest {
    StartRequest {
        workflow: workflow.into(),
        window: None,
        input,
        name: None,
    }
}

fn task(function: &str, more: Value) -> Value {
    let mut state = json!({
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": { "FunctionName": format!("lakehand-test-{function}"), "Payload.$": "$" },
        "OutputPath": "$.Payload", "End": true,
    });
    for (name, value) in more.as_object().unwrap() {
        if name == "Next" {
            state.as_object_mut().unwrap().remove("End");
        }
        state[name] = value.clone();
    }
    state
}

async fn run(workflows: &LocalWorkflows, input: Value) -> (ExecutionId, ExecutionSummary) {
    let id = workflows.start(request("w", input)).await.unwrap();
    let summary = workflows.wait(&id).await.unwrap();
    (id, summary)
}

async fn output(workflows: &LocalWorkflows, id: &ExecutionId) -> Value {
    serde_json::from_str(&workflows.payloads(id).await.unwrap().1.expect("no output")).unwrap()
}

/// The whole history, after a look that no event is missing or there twice.
async fn history(workflows: &LocalWorkflows, id: &ExecutionId) -> Vec<HistoryEvent> {
    let events = workflows.history(id, 0).await.unwrap();
    for (place, event) in events.iter().enumerate() {
        assert_eq!(
            event.id,
            place as u64 + 1,
            "the history has a gap or a double"
        );
        assert!(event.previous_event_id < event.id);
    }
    events
}

fn types(events: &[HistoryEvent]) -> Vec<&str> {
    events.iter().map(|event| event.event_type.name()).collect()
}
