//! Rows and columns for the graph, and conditions in words.

use super::graph::{Edge, GraphNode};
use super::types::{Condition, Family, Operand, Relation, Test, TypeTest};

/// Gives every node of one machine its row and column. `first` is the index of `nodes[0]`.
pub(super) fn place(nodes: &mut [GraphNode], edges: &[Edge], first: usize, start: usize) {
    let count = nodes.len();
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); count];
    for edge in edges {
        next[edge.from - first].push(edge.to - first);
    }
    let order = topological(&next, start - first);
    let mut position = vec![usize::MAX; count];
    for (place, node) in order.iter().enumerate() {
        position[*node] = place;
    }
    // Longest way from the start; an edge back to an earlier node is a loop and does not count.
    for node in &order {
        for to in &next[*node] {
            if position[*to] > position[*node] {
                nodes[*to].layer = nodes[*to].layer.max(nodes[*node].layer + 1);
            }
        }
    }
    let rows = nodes.iter().map(|node| node.layer).max().unwrap_or(0);
    let mut column_of = vec![0.0_f64; count];
    for row in 0..=rows {
        let mut members: Vec<usize> = order
            .iter()
            .copied()
            .filter(|node| nodes[*node].layer == row)
            .collect();
        // Near to where its predecessors stand; the order of the file breaks ties.
        let weight = |node: usize| {
            let above: Vec<f64> = (0..count)
                .filter(|from| next[*from].contains(&node) && nodes[*from].layer < row)
                .map(|from| column_of[from])
                .collect();
            above.iter().sum::<f64>() / above.len().max(1) as f64
        };
        let weights: Vec<f64> = (0..count).map(weight).collect();
        members.sort_by(|a, b| weights[*a].total_cmp(&weights[*b]).then(a.cmp(b)));
        for (column, node) in members.into_iter().enumerate() {
            nodes[node].column = column;
            column_of[node] = column as f64;
        }
    }
}

/// Reverse post-order of a depth-first walk without recursion; unreachable nodes come last.
fn topological(next: &[Vec<usize>], start: usize) -> Vec<usize> {
    let mut seen = vec![false; next.len()];
    let mut finished = Vec::with_capacity(next.len());
    let roots = std::iter::once(start).chain(0..next.len());
    let mut late = Vec::new();
    for root in roots {
        if seen[root] {
            continue;
        }
        let before = finished.len();
        seen[root] = true;
        let mut stack = vec![(root, 0)];
        while let Some((node, child)) = stack.pop() {
            match next[node].get(child) {
                Some(to) => {
                    stack.push((node, child + 1));
                    if !seen[*to] {
                        seen[*to] = true;
                        stack.push((*to, 0));
                    }
                }
                None => finished.push(node),
            }
        }
        if root != start {
            late.extend(finished.drain(before..).rev());
        }
    }
    finished.reverse();
    finished.extend(late);
    finished
}

/// A condition as a reader would say it: `$.status = "READY" and not …`.
pub(super) fn describe(condition: &Condition) -> String {
    match condition {
        Condition::All(all) => join(all, " and "),
        Condition::Any(any) => join(any, " or "),
        Condition::Not(inner) => format!("not ({})", describe(inner)),
        Condition::Jsonata(text) => text.clone(),
        Condition::Test { variable, test } => format!("{variable} {}", describe_test(test)),
    }
}

fn join(conditions: &[Condition], word: &str) -> String {
    let parts: Vec<String> = conditions
        .iter()
        .map(|condition| match condition {
            Condition::All(_) | Condition::Any(_) => format!("({})", describe(condition)),
            _ => describe(condition),
        })
        .collect();
    parts.join(word)
}

fn describe_test(test: &Test) -> String {
    match test {
        Test::Is(what, flag) => {
            let what = match what {
                TypeTest::Null => "null",
                TypeTest::Present => "present",
                TypeTest::Numeric => "a number",
                TypeTest::String => "a string",
                TypeTest::Boolean => "a boolean",
                TypeTest::Timestamp => "a time stamp",
            };
            format!("is {}{what}", if *flag { "" } else { "not " })
        }
        Test::Matches(pattern) => format!("matches {pattern:?}"),
        Test::Compare {
            family,
            relation,
            operand,
        } => {
            let sign = match relation {
                Relation::Equals => "=",
                Relation::LessThan => "<",
                Relation::LessThanEquals => "≤",
                Relation::GreaterThan => ">",
                Relation::GreaterThanEquals => "≥",
            };
            let operand = match (operand, family) {
                (Operand::Path(path), _) => path.to_string(),
                (Operand::Literal(value), Family::Timestamp) => {
                    value.as_str().unwrap_or_default().to_owned()
                }
                (Operand::Literal(value), _) => value.to_string(),
            };
            format!("{sign} {operand}")
        }
    }
}
