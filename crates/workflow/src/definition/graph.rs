//! The graph that the console and the CLI draw.

use super::layout;
use super::types::{Definition, MachineId, MapMode, State, StateKind, StateType, Transition};
use serde::Serialize;
use std::collections::HashMap;

/// States as nodes, transitions as edges.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Graph {
    /// All states; those of one machine stand together, in the order of the file.
    pub nodes: Vec<GraphNode>,
    /// All transitions.
    pub edges: Vec<Edge>,
    /// The first node.
    pub start: usize,
}

/// One state of the graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GraphNode {
    /// The state's name.
    pub name: String,
    /// The state's type.
    #[serde(rename = "type")]
    pub state_type: StateType,
    /// The Parallel or Map state it is inside of.
    pub parent: Option<usize>,
    /// Which branch of the parent, from 0.
    pub branch: usize,
    /// Whether it is the first state of its machine.
    pub is_start: bool,
    /// Whether its machine may end after it.
    pub is_end: bool,
    /// What a reader of the graph should know besides: `distributed, items from s3:getObject`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Row inside its machine, from 0: every forward edge leads to a higher row.
    pub layer: usize,
    /// Place inside the row, from 0.
    pub column: usize,
}

/// A transition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Edge {
    /// Index of the node it leaves.
    pub from: usize,
    /// Index of the node it reaches.
    pub to: usize,
    /// Why it is taken.
    pub kind: EdgeKind,
}

/// Why a transition is taken.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind", content = "label")]
pub enum EdgeKind {
    /// `Next`.
    Next,
    /// A Choice rule, with the rule in words.
    Choice(String),
    /// `Default` of a Choice.
    Default,
    /// A catcher, with its error names.
    Catch(Vec<String>),
}

pub(super) fn build(definition: &Definition) -> Graph {
    let mut graph = Graph {
        nodes: Vec::new(),
        edges: Vec::new(),
        start: 0,
    };
    add_machine(definition, MachineId::ROOT, None, 0, &mut graph);
    graph.start = graph
        .nodes
        .iter()
        .position(|node| node.parent.is_none() && node.is_start)
        .unwrap_or(0);
    graph
}

fn add_machine(
    definition: &Definition,
    id: MachineId,
    parent: Option<usize>,
    branch: usize,
    graph: &mut Graph,
) {
    let machine = definition.machine(id);
    let first = graph.nodes.len();
    let index: HashMap<&str, usize> = machine
        .states
        .keys()
        .enumerate()
        .map(|(offset, name)| (name.as_str(), first + offset))
        .collect();
    for state in machine.states.values() {
        graph.nodes.push(GraphNode {
            name: state.name.clone(),
            state_type: state.state_type(),
            parent,
            branch,
            is_start: state.name == machine.start_at,
            is_end: ends(state),
            note: note(state),
            layer: 0,
            column: 0,
        });
    }
    let first_edge = graph.edges.len();
    for state in machine.states.values() {
        let from = index[state.name.as_str()];
        for (to, kind) in leads_to(state) {
            if let Some(to) = index.get(to.as_str()) {
                graph.edges.push(Edge {
                    from,
                    to: *to,
                    kind,
                });
            }
        }
    }
    let start = index
        .get(machine.start_at.as_str())
        .copied()
        .unwrap_or(first);
    layout::place(
        &mut graph.nodes[first..],
        &graph.edges[first_edge..],
        first,
        start,
    );
    for state in machine.states.values() {
        let parent = Some(index[state.name.as_str()]);
        match &state.kind {
            StateKind::Parallel(parallel) => {
                for (branch, id) in parallel.branches.iter().enumerate() {
                    add_machine(definition, *id, parent, branch, graph);
                }
            }
            StateKind::Map(map) => add_machine(definition, map.processor, parent, 0, graph),
            _ => {}
        }
    }
}

/// Whether a machine may end after the state.
pub(super) fn ends(state: &State) -> bool {
    match &state.kind {
        StateKind::Succeed | StateKind::Fail(_) => true,
        StateKind::Choice(_) => false,
        StateKind::Pass(pass) => pass.transition == Transition::End,
        StateKind::Wait(wait) => wait.transition == Transition::End,
        _ => state
            .work()
            .is_some_and(|work| work.transition == Some(Transition::End)),
    }
}

/// What the type of a state does not say.
fn note(state: &State) -> String {
    let mut notes = Vec::new();
    match &state.kind {
        StateKind::Task(task) if task.resource.arn.ends_with(".waitForTaskToken") => {
            notes.push("waits for its token".to_owned());
        }
        StateKind::Map(map) => {
            if map.mode == MapMode::Distributed {
                notes.push("distributed".to_owned());
            }
            notes.extend(map.reader.iter().map(|from| format!("items from {from}")));
            if map.batcher.is_some() {
                notes.push("in batches".to_owned());
            }
            notes.extend(map.writer.iter().map(|to| format!("results to {to}")));
        }
        _ => {}
    }
    notes.join(", ")
}

fn leads_to(state: &State) -> Vec<(String, EdgeKind)> {
    let mut edges = Vec::new();
    let transition = match &state.kind {
        StateKind::Pass(pass) => Some(&pass.transition),
        StateKind::Wait(wait) => Some(&wait.transition),
        StateKind::Choice(choice) => {
            for rule in &choice.rules {
                let label = super::layout::describe(&rule.condition);
                edges.push((rule.next.clone(), EdgeKind::Choice(label)));
            }
            if let Some(default) = &choice.default {
                edges.push((default.clone(), EdgeKind::Default));
            }
            None
        }
        _ => state.work().and_then(|work| work.transition.as_ref()),
    };
    if let Some(Transition::Next(next)) = transition {
        edges.push((next.clone(), EdgeKind::Next));
    }
    for catcher in state.work().into_iter().flat_map(|work| &work.catch) {
        let kind = EdgeKind::Catch(catcher.error_equals.clone());
        edges.push((catcher.next.clone(), kind));
    }
    edges
}
