//! The typed definition.

use super::Problem;
use crate::data_flow::{Expression, Path, Template};
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// A checked state machine definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The author's remark.
    pub comment: Option<String>,
    /// The longest an execution may run, in seconds.
    pub timeout_seconds: Option<u64>,
    /// What the service takes but will hardly do what the author meant.
    pub warnings: Vec<Problem>,
    /// Every path and expression in it, as written.
    pub(crate) expressions: BTreeSet<String>,
    /// The state machine itself, its Parallel branches and its Map processors. The first is the whole.
    pub(crate) machines: Vec<Machine>,
}

/// Which machine of a definition: the whole, a branch or a Map processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MachineId(pub(crate) usize);

impl MachineId {
    /// The whole state machine.
    pub const ROOT: MachineId = MachineId(0);
}

/// `StartAt` and `States`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Machine {
    /// The first state.
    pub start_at: String,
    /// All states in the order of the file.
    pub states: IndexMap<String, State>,
}

impl Definition {
    /// The whole state machine.
    #[must_use]
    pub fn root(&self) -> &Machine {
        &self.machines[0]
    }

    /// Whether something in it reads a field of this name: `$.name`, `$['name']`, `$states.input.name`.
    #[must_use]
    pub fn reads(&self, field: &str) -> bool {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        self.expressions.iter().any(|text| {
            text.match_indices(field).any(|(at, _)| {
                let (before, behind) = (&text[..at], &text[at + field.len()..]);
                let named = [".", "['", "[\"", "`"]
                    .iter()
                    .any(|start| before.ends_with(start));
                named && !behind.starts_with(word)
            })
        })
    }

    /// A machine by its id. An id of another definition gives the whole.
    #[must_use]
    pub fn machine(&self, id: MachineId) -> &Machine {
        self.machines.get(id.0).unwrap_or(&self.machines[0])
    }

    /// A state by name, wherever it is nested.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<&State> {
        self.machines
            .iter()
            .find_map(|machine| machine.states.get(name))
    }

    /// Every state with the machine it belongs to.
    pub fn states(&self) -> impl Iterator<Item = (MachineId, &State)> {
        self.machines
            .iter()
            .enumerate()
            .flat_map(|(id, machine)| machine.states.values().map(move |s| (MachineId(id), s)))
    }
}

/// One state.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Its name, unique in the definition.
    pub name: String,
    /// The author's remark.
    pub comment: Option<String>,
    /// Which part of the input the state works on.
    pub input_path: Selection,
    /// Which part of the output goes on.
    pub output_path: Selection,
    /// Variables to assign.
    pub assign: Option<Template>,
    /// `Output` of a state written in JSONata, when it holds no expression.
    pub output: Option<Value>,
    /// The first thing in the state that Lakehand checks and draws but does not run, with its place. Values
    /// that are JSONata expressions are not kept: a state that has one is never run.
    pub refused: Option<Problem>,
    /// What the state does.
    pub kind: StateKind,
}

/// `InputPath` or `OutputPath`.
#[derive(Debug, Clone, PartialEq)]
pub enum Selection {
    /// `null`: an empty object.
    Nothing,
    /// A path; `$` when the field is absent.
    Path(Path),
}

impl Default for Selection {
    fn default() -> Self {
        Selection::Path(Path::whole_input())
    }
}

/// `ResultPath`.
#[derive(Debug, Clone, PartialEq)]
pub enum ResultPath {
    /// `null`: the result is dropped, the input is the output.
    Discard,
    /// Where in the input the result goes; `$` replaces the input.
    Place(Path),
}

impl Default for ResultPath {
    fn default() -> Self {
        ResultPath::Place(Path::whole_input())
    }
}

/// Where a state goes when it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// To another state.
    Next(String),
    /// Nowhere: its machine is done.
    End,
}

/// The type of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum StateType {
    Task,
    Pass,
    Choice,
    Wait,
    Succeed,
    Fail,
    Parallel,
    Map,
}

impl StateType {
    /// The word in `Type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            StateType::Task => "Task",
            StateType::Pass => "Pass",
            StateType::Choice => "Choice",
            StateType::Wait => "Wait",
            StateType::Succeed => "Succeed",
            StateType::Fail => "Fail",
            StateType::Parallel => "Parallel",
            StateType::Map => "Map",
        }
    }
}

/// What a state does, with the fields of its type.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum StateKind {
    Task(Box<TaskState>),
    Pass(PassState),
    Choice(ChoiceState),
    Wait(WaitState),
    Succeed,
    Fail(FailState),
    Parallel(Box<ParallelState>),
    Map(Box<MapState>),
}

impl State {
    /// The type of the state.
    #[must_use]
    pub fn state_type(&self) -> StateType {
        match &self.kind {
            StateKind::Task(_) => StateType::Task,
            StateKind::Pass(_) => StateType::Pass,
            StateKind::Choice(_) => StateType::Choice,
            StateKind::Wait(_) => StateType::Wait,
            StateKind::Succeed => StateType::Succeed,
            StateKind::Fail(_) => StateType::Fail,
            StateKind::Parallel(_) => StateType::Parallel,
            StateKind::Map(_) => StateType::Map,
        }
    }

    /// Retry, Catch and result handling of Task, Parallel and Map.
    #[must_use]
    pub fn work(&self) -> Option<&WorkFields> {
        match &self.kind {
            StateKind::Task(task) => Some(&task.work),
            StateKind::Parallel(parallel) => Some(&parallel.work),
            StateKind::Map(map) => Some(&map.work),
            _ => None,
        }
    }
}

/// What Task, Parallel and Map have in common.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WorkFields {
    /// Reshapes the result.
    pub result_selector: Option<Template>,
    /// Where the result goes.
    pub result_path: ResultPath,
    /// When to try again, in order.
    pub retry: Vec<Retrier>,
    /// Where to go on failure, in order.
    pub catch: Vec<Catcher>,
    /// Where to go on success.
    pub transition: Option<Transition>,
}

/// A Task state.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskState {
    /// What to call.
    pub resource: Resource,
    /// The call's input.
    pub parameters: Option<Template>,
    /// A role to call with.
    pub credentials: Option<Template>,
    /// The longest one attempt may take.
    pub timeout: Option<Seconds>,
    /// The longest between two heartbeats.
    pub heartbeat: Option<Seconds>,
    /// Results, Retry, Catch.
    pub work: WorkFields,
}

/// A number of seconds, fixed or taken from the input.
#[derive(Debug, Clone, PartialEq)]
pub enum Seconds {
    /// `TimeoutSeconds`.
    Fixed(u64),
    /// `TimeoutSecondsPath`.
    Path(Path),
}

/// The `Resource` of a Task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The ARN as written.
    pub arn: String,
    /// Its kind, which decides how the history tells of it.
    pub kind: ResourceKind,
}

/// The kinds of resource that the history tells apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResourceKind {
    /// A Lambda function's own ARN: `LambdaFunction…` events, the result is the payload.
    Lambda,
    /// An activity: `Activity…` events.
    Activity,
    /// A service integration: `Task…` events.
    Service {
        /// `lambda`, `athena`, `aws-sdk:glue`: `resourceType` in the history.
        service: String,
        /// `invoke`, `startQueryExecution.sync`: `resource` in the history.
        action: String,
    },
}

/// A Pass state.
#[derive(Debug, Clone, PartialEq)]
pub struct PassState {
    /// A fixed result.
    pub result: Option<Value>,
    /// Reshapes the input.
    pub parameters: Option<Template>,
    /// Where the result goes.
    pub result_path: ResultPath,
    /// Where to go.
    pub transition: Transition,
}

/// A Choice state.
#[derive(Debug, Clone, PartialEq)]
pub struct ChoiceState {
    /// The rules, first match wins.
    pub rules: Vec<ChoiceRule>,
    /// Where to go when none matches.
    pub default: Option<String>,
}

/// One rule of a Choice state.
#[derive(Debug, Clone, PartialEq)]
pub struct ChoiceRule {
    /// When it matches.
    pub condition: Condition,
    /// Where it leads.
    pub next: String,
    /// Variables to assign when it matches.
    pub assign: Option<Template>,
}

/// A condition of a Choice rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// `And`.
    All(Vec<Condition>),
    /// `Or`.
    Any(Vec<Condition>),
    /// `Not`.
    Not(Box<Condition>),
    /// `Condition` of a rule written in JSONata, without its `{%` and `%}`.
    Jsonata(String),
    /// A comparison of a variable.
    Test {
        /// What is compared.
        variable: Path,
        /// With what, and how.
        test: Test,
    },
}

/// A comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `IsNull`, `IsPresent`, …: whether being so equals the flag.
    Is(TypeTest, bool),
    /// `StringMatches`.
    Matches(String),
    /// `StringEquals`, `NumericLessThanPath`, …
    Compare {
        /// Which values are compared.
        family: Family,
        /// How.
        relation: Relation,
        /// With what.
        operand: Operand,
    },
}

/// The `Is…` tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TypeTest {
    Null,
    Present,
    Numeric,
    String,
    Boolean,
    Timestamp,
}

/// What kind of values a comparison is for; other values never match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Family {
    String,
    Numeric,
    Boolean,
    Timestamp,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Relation {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

/// What a variable is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A value in the definition.
    Literal(Value),
    /// `…Path`: a value from the input.
    Path(Path),
}

/// A Wait state.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitState {
    /// Until when.
    pub until: WaitUntil,
    /// Where to go then.
    pub transition: Transition,
}

/// Until when a Wait state waits.
#[derive(Debug, Clone, PartialEq)]
pub enum WaitUntil {
    /// `Seconds`.
    Seconds(u64),
    /// `SecondsPath`.
    SecondsPath(Path),
    /// `Timestamp`.
    Timestamp(Timestamp),
    /// `TimestampPath`.
    TimestampPath(Path),
    /// A JSONata expression in `Seconds` or `Timestamp`.
    Jsonata(String),
}

/// A Fail state.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FailState {
    /// The error name.
    pub error: Option<FailText>,
    /// The cause.
    pub cause: Option<FailText>,
}

/// A text of a Fail state.
#[derive(Debug, Clone, PartialEq)]
pub enum FailText {
    /// `Error`, `Cause`.
    Fixed(String),
    /// `ErrorPath`, `CausePath`.
    Computed(Expression),
}

/// A Parallel state.
#[derive(Debug, Clone, PartialEq)]
pub struct ParallelState {
    /// The branches, in order.
    pub branches: Vec<MachineId>,
    /// Reshapes the input of the branches.
    pub parameters: Option<Template>,
    /// Results, Retry, Catch.
    pub work: WorkFields,
}

/// A Map state.
#[derive(Debug, Clone, PartialEq)]
pub struct MapState {
    /// What runs for each item.
    pub processor: MachineId,
    /// In this execution, or as children of its own.
    pub mode: MapMode,
    /// Where the items are.
    pub items_path: Path,
    /// `Items` of a state written in JSONata, when they hold no expression.
    pub items: Option<Vec<Value>>,
    /// The service call that reads the items: `s3:getObject`.
    pub reader: Option<String>,
    /// The service call that writes the results: `s3:putObject`.
    pub writer: Option<String>,
    /// Reshapes an item (`ItemSelector`, or the older `Parameters`).
    pub item_selector: Option<Template>,
    /// Several items to one child.
    pub batcher: Option<ItemBatcher>,
    /// How many items at once; 0 means as many as the service allows.
    pub max_concurrency: Limit,
    /// How many items may fail.
    pub tolerated_count: Option<Limit>,
    /// How many percent of the items may fail.
    pub tolerated_percentage: Option<Limit>,
    /// Prefix of the Map Run's ARN.
    pub label: Option<String>,
    /// Results, Retry, Catch.
    pub work: WorkFields,
}

/// `ItemBatcher`.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemBatcher {
    /// Items in a batch.
    pub max_items: Option<Limit>,
    /// Bytes of a batch's items.
    pub max_bytes: Option<Limit>,
    /// What each batch gets besides its items.
    pub batch_input: Option<Template>,
}

/// `ProcessorConfig.Mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MapMode {
    /// Iterations are part of the execution and of its history.
    Inline,
    /// Iterations are executions of their own; the history has the Map Run only.
    Distributed,
}

/// A number, fixed or taken from the input.
#[derive(Debug, Clone, PartialEq)]
pub enum Limit {
    /// In the definition.
    Fixed(f64),
    /// `…Path`.
    Path(Path),
}

/// One element of `Retry`.
#[derive(Debug, Clone, PartialEq)]
pub struct Retrier {
    /// Error names it is for.
    pub error_equals: Vec<String>,
    /// Seconds before the first retry.
    pub interval_seconds: f64,
    /// Factor from one wait to the next.
    pub backoff_rate: f64,
    /// Retries, not counting the first attempt.
    pub max_attempts: u64,
    /// The longest wait.
    pub max_delay_seconds: Option<u64>,
    /// `JitterStrategy: FULL`.
    pub full_jitter: bool,
}

/// One element of `Catch`.
#[derive(Debug, Clone, PartialEq)]
pub struct Catcher {
    /// Error names it is for.
    pub error_equals: Vec<String>,
    /// Where it leads.
    pub next: String,
    /// Where the error output goes.
    pub result_path: ResultPath,
    /// Variables to assign.
    pub assign: Option<Template>,
    /// `Output` of a catcher written in JSONata, when it holds no expression.
    pub output: Option<Value>,
}
