//! Graphs and histories as text.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use crate::{
    pipeline::text::for_terminal,
    workflow::{
        definition::{Edge, EdgeKind, Graph, GraphNode, StateType},
        history::HistoryEvent,
    },
};

/// The graph for a terminal: states in the order they come, each with where it leads; what is inside a
/// Parallel or Map is indented below it.
pub(super) fn text(graph: &Graph, out: &mut dyn Write) -> io::Result<()> {
    machine(graph, None, 0, 0, out)
}

fn machine(
    graph: &Graph,
    parent: Option<usize>,
    branch: usize,
    depth: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut members: Vec<usize> = (0..graph.nodes.len())
        .filter(|index| {
            graph.nodes[*index].parent == parent && graph.nodes[*index].branch == branch
        })
        .collect();
    members.sort_by_key(|index| (graph.nodes[*index].layer, graph.nodes[*index].column));
    for index in members {
        let node = &graph.nodes[index];
        let indent = "│  ".repeat(depth);
        let start = if node.is_start { "▶" } else { " " };
        let kind = node.state_type.name();
        let note = match node.note.as_str() {
            "" => String::new(),
            note => format!(" {}", for_terminal(note)),
        };
        writeln!(
            out,
            "{indent}{start} {} [{kind}]{note}",
            for_terminal(&node.name)
        )?;
        for inner in branches(graph, index) {
            if node.state_type == StateType::Parallel {
                writeln!(out, "{indent}  ╭ branch {}", inner + 1)?;
            } else {
                writeln!(out, "{indent}  ╭ for each item")?;
            }
            machine(graph, Some(index), inner, depth + 1, out)?;
            writeln!(out, "{indent}  ╰")?;
        }
        let mut leads: Vec<String> = graph
            .edges
            .iter()
            .filter(|edge| edge.from == index)
            .map(|edge| {
                format!(
                    "{} {}",
                    arrow(edge),
                    for_terminal(&graph.nodes[edge.to].name)
                )
            })
            .collect();
        if node.is_end {
            leads.push(end_word(node).to_owned());
        }
        let last = leads.len().saturating_sub(1);
        for (place, lead) in leads.iter().enumerate() {
            let corner = if place == last { "└" } else { "├" };
            writeln!(out, "{indent}  {corner}─ {lead}")?;
        }
    }
    Ok(())
}

fn branches(graph: &Graph, parent: usize) -> Vec<usize> {
    let mut branches: Vec<usize> = graph
        .nodes
        .iter()
        .filter(|node| node.parent == Some(parent))
        .map(|node| node.branch)
        .collect();
    branches.sort_unstable();
    branches.dedup();
    branches
}

fn arrow(edge: &Edge) -> String {
    match &edge.kind {
        EdgeKind::Next => "→".to_owned(),
        EdgeKind::Default => "otherwise →".to_owned(),
        EdgeKind::Choice(label) => format!("if {} →", for_terminal(label)),
        EdgeKind::Catch(errors) => format!("on {} ⇢", for_terminal(&errors.join(", "))),
    }
}

fn end_word(node: &GraphNode) -> &'static str {
    match node.state_type {
        StateType::Fail => "fails",
        _ => "ends",
    }
}

/// The graph as a Mermaid flowchart.
pub(super) fn mermaid(graph: &Graph, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "flowchart TD")?;
    writeln!(out, "  start([start]) --> n{}", graph.start)?;
    mermaid_nodes(graph, None, 1, out)?;
    for edge in &graph.edges {
        let line = match &edge.kind {
            EdgeKind::Next => "-->".to_owned(),
            EdgeKind::Default => "-->|otherwise|".to_owned(),
            EdgeKind::Choice(label) => format!("-->|{}|", quoted(label)),
            EdgeKind::Catch(errors) => format!("-.->|{}|", quoted(&errors.join(", "))),
        };
        writeln!(out, "  n{} {line} n{}", edge.from, edge.to)?;
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        if node.is_end && node.parent.is_none() {
            writeln!(out, "  n{index} --> finish([end])")?;
        }
    }
    Ok(())
}

fn mermaid_nodes(
    graph: &Graph,
    parent: Option<usize>,
    depth: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let indent = "  ".repeat(depth);
    for (index, node) in graph.nodes.iter().enumerate() {
        if node.parent != parent {
            continue;
        }
        let label = match node.note.as_str() {
            "" => quoted(&node.name),
            note => quoted(&format!("{} ({note})", node.name)),
        };
        match node.state_type {
            StateType::Parallel | StateType::Map => {
                writeln!(out, "{indent}subgraph n{index}[{label}]")?;
                mermaid_nodes(graph, Some(index), depth + 1, out)?;
                writeln!(out, "{indent}end")?;
            }
            StateType::Choice => writeln!(out, "{indent}n{index}{{{label}}}")?,
            StateType::Succeed | StateType::Fail => writeln!(out, "{indent}n{index}([{label}])")?,
            StateType::Wait => writeln!(out, "{indent}n{index}[/{label}/]")?,
            StateType::Task | StateType::Pass => writeln!(out, "{indent}n{index}[{label}]")?,
        }
    }
    Ok(())
}

/// A Mermaid text; quotes and line breaks would end it.
fn quoted(text: &str) -> String {
    let safe = for_terminal(text)
        .replace('#', "#35;")
        .replace('"', "#quot;");
    format!("\"{safe}\"")
}

/// One line for each event.
pub(super) fn history(events: &[HistoryEvent], out: &mut dyn Write) -> io::Result<()> {
    let mut names: BTreeMap<u64, String> = BTreeMap::new();
    let first = events.first().map(|event| event.timestamp);
    for event in events {
        let name = match &event.details.name {
            Some(name) => name.clone(),
            None => names
                .get(&event.previous_event_id)
                .cloned()
                .unwrap_or_default(),
        };
        let seconds = first.map_or(0.0, |first| {
            event.timestamp.duration_since(first).as_secs_f64()
        });
        let error = event.details.error.as_deref().unwrap_or_default();
        writeln!(
            out,
            "{:>5} {seconds:>9.3}s  {:<26} {} {}",
            event.id,
            event.event_type.name(),
            for_terminal(&name),
            for_terminal(error)
        )?;
        names.insert(event.id, name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::workflow::Definition;

    const DEFINITION: &str = r#"{"StartAt": "Pick", "States": {
        "Pick": {"Type": "Choice", "Choices": [
            {"Variable": "$.kind", "StringEquals": "a \"quoted\" #1", "Next": "Each"}], "Default": "Stop"},
        "Each": {"Type": "Map", "End": true, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Stop"}],
            "ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Pass", "End": true}}}},
        "Stop": {"Type": "Fail"}}}"#;

    fn drawn(draw: fn(&Graph, &mut dyn Write) -> io::Result<()>) -> String {
        let graph = Definition::parse(DEFINITION).unwrap().graph();
        let mut out = Vec::new();
        draw(&graph, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_graph_reads_from_top_to_bottom_with_what_is_inside_indented() {
        let expected = "\
▶ Pick [Choice]
  ├─ if $.kind = \"a \\\"quoted\\\" #1\" → Each
  └─ otherwise → Stop
  Each [Map]
  ╭ for each item
│  ▶ One [Pass]
│    └─ ends
  ╰
  ├─ on States.ALL ⇢ Stop
  └─ ends
  Stop [Fail]
  └─ fails
";
        assert_eq!(drawn(text), expected);
    }

    #[test]
    fn mermaid_texts_cannot_break_out_of_their_quotes() {
        let expected = "\
flowchart TD
  start([start]) --> n0
  n0{\"Pick\"}
  subgraph n1[\"Each\"]
    n3[\"One\"]
  end
  n2([\"Stop\"])
  n0 -->|\"$.kind = #quot;a \\#quot;quoted\\#quot; #35;1#quot;\"| n1
  n0 -->|otherwise| n2
  n1 -.->|\"States.ALL\"| n2
  n1 --> finish([end])
  n2 --> finish([end])
";
        assert_eq!(drawn(mermaid), expected);
    }
}
