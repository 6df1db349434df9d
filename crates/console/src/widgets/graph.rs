//! A workflow as a spine: one node a row in the order of its layers, what is inside a Map or Parallel indented
//! below it, every way that does not lead to the next row named beside the node.

use ratatui::{buffer::Buffer, layout::Rect};

use super::text::{Pen, tint};
use crate::theme::{Theme, stage_mark};
use lakehand_ops::{Stage, StageStatus};
use lakehand_workflow::definition::{EdgeKind, Graph};

/// One node as a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GraphRow {
    /// State name.
    pub(crate) name: String,
    /// ASL type.
    pub(crate) kind: &'static str,
    /// Depth in Map and Parallel.
    pub(crate) depth: u16,
    /// The stages of it, positions in the execution's list: several inside a Map.
    pub(crate) stages: Vec<usize>,
    /// Ways that do not lead to the next row: `rows = 0 → Notify`.
    pub(crate) ways: String,
    /// What is caught and where it goes.
    pub(crate) catches: String,
    /// Whether the next row is where it goes.
    pub(crate) leads_on: bool,
}

/// The rows of a graph with the stages of an execution; made when the execution is read, not when it is drawn.
pub(crate) fn rows(graph: &Graph, stages: &[Stage]) -> Vec<GraphRow> {
    let mut order = Vec::with_capacity(graph.nodes.len());
    collect(graph, None, 0, &mut order);
    let mut rows = Vec::with_capacity(order.len());
    for (position, (node, depth)) in order.iter().enumerate() {
        let next = order[position + 1..]
            .iter()
            .find(|(_, other)| other <= depth)
            .filter(|(_, other)| other == depth);
        rows.push(row(
            graph,
            stages,
            (*node, *depth),
            next.map(|(node, _)| *node),
        ));
    }
    rows
}

/// Nodes in the order of rows, each followed by what is inside it.
fn collect(graph: &Graph, parent: Option<usize>, depth: u16, order: &mut Vec<(usize, u16)>) {
    let mut members: Vec<usize> = (0..graph.nodes.len())
        .filter(|node| graph.nodes[*node].parent == parent)
        .collect();
    members.sort_by_key(|node| {
        (
            graph.nodes[*node].branch,
            graph.nodes[*node].layer,
            graph.nodes[*node].column,
        )
    });
    for node in members {
        order.push((node, depth));
        // A parent stands before its children in every graph, so this ends.
        if depth < 32 {
            collect(graph, Some(node), depth + 1, order);
        }
    }
}

fn row(
    graph: &Graph,
    stages: &[Stage],
    (node, depth): (usize, u16),
    next: Option<usize>,
) -> GraphRow {
    let this = &graph.nodes[node];
    let (mut ways, mut catches, mut leads_on) = (Vec::new(), Vec::new(), false);
    for edge in graph.edges.iter().filter(|edge| edge.from == node) {
        let target = graph
            .nodes
            .get(edge.to)
            .map_or("", |node| node.name.as_str());
        let to_next = Some(edge.to) == next;
        match &edge.kind {
            EdgeKind::Catch(_) => catches.push(target),
            EdgeKind::Next if to_next => leads_on = true,
            EdgeKind::Next => ways.push(format!("→ {target}")),
            EdgeKind::Default => {
                leads_on |= to_next;
                ways.push(format!("otherwise → {target}"));
            }
            EdgeKind::Choice(rule) => {
                leads_on |= to_next;
                ways.push(format!("{rule} → {target}"));
            }
        }
    }
    catches.dedup();
    if !this.note.is_empty() {
        ways.insert(0, format!("({})", this.note));
    }
    let own = |(position, stage): (usize, &Stage)| {
        (stage.depth == depth && state_name(&stage.name) == this.name).then_some(position)
    };
    GraphRow {
        name: this.name.clone(),
        kind: this.state_type.name(),
        depth,
        stages: stages.iter().enumerate().filter_map(own).collect(),
        ways: ways.join("   "),
        catches: if catches.is_empty() {
            String::new()
        } else {
            format!("on error → {}", catches.join(", "))
        },
        leads_on,
    }
}

/// The state's own name in a stage's: `Collect / clicks[0]` is a run of `clicks`.
fn state_name(stage: &str) -> &str {
    let last = stage.rsplit(" / ").next().unwrap_or(stage);
    match last
        .strip_suffix(']')
        .and_then(|rest| rest.rsplit_once('['))
    {
        Some((name, number))
            if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name
        }
        _ => last,
    }
}

/// How the stages of a node stand together: what needs care first.
pub(crate) fn together<'s>(stages: impl Iterator<Item = &'s StageStatus>) -> StageStatus {
    let rank = |status: &StageStatus| match status {
        StageStatus::Failed => 0,
        StageStatus::Interrupted => 1,
        StageStatus::Aborted => 2,
        StageStatus::Running => 3,
        StageStatus::Waiting { .. } => 4,
        StageStatus::Parked { .. } => 5,
        StageStatus::Caught => 6,
        StageStatus::Succeeded => 7,
        StageStatus::NotReached => 8,
    };
    stages
        .min_by_key(|status| rank(status))
        .cloned()
        .unwrap_or(StageStatus::NotReached)
}

/// Text lines each row takes on a pane of this height: two, with the way between them, when all fit.
pub(crate) fn lines_per_row(rows: usize, height: usize) -> usize {
    if rows * 2 <= height + 1 { 2 } else { 1 }
}

/// Draws the rows from `top` on.
pub(crate) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    rows: &[GraphRow],
    stages: &[Stage],
    (top, selected): (usize, usize),
    theme: &Theme,
    note: impl Fn(&Stage) -> String,
) {
    let lines = lines_per_row(rows.len(), area.height.into());
    let longest = rows
        .iter()
        .map(|row| usize::from(row.depth) * 3 + row.name.len())
        .max()
        .unwrap_or(0);
    let names = u16::try_from(longest.clamp(8, 44))
        .unwrap_or(44)
        .min(area.width / 2);
    for (line, (position, row)) in rows.iter().enumerate().skip(top).enumerate() {
        let y = u16::try_from(line * lines).unwrap_or(u16::MAX);
        if y >= area.height {
            return;
        }
        let status = together(
            row.stages
                .iter()
                .filter_map(|stage| stages.get(*stage))
                .map(|stage| &stage.status),
        );
        let mark = stage_mark(theme, &status);
        let name_style = if status == StageStatus::NotReached {
            theme.muted
        } else {
            theme.text
        };
        let indent = row.depth * 3;
        let pen = Pen::new(buffer, area, y)
            .gap(1 + indent)
            .put(mark.symbol, mark.style)
            .gap(1);
        let pen = pen
            .cell(&row.name, names.saturating_sub(indent), name_style)
            .gap(2)
            .cell(row.kind, 8, theme.muted)
            .gap(1);
        let pen = pen
            .cell(&facts(row, stages, mark.word, &note), 26, mark.style)
            .gap(2)
            .put(&row.ways, theme.accent);
        let gap = u16::from(!row.ways.is_empty()) * 2;
        pen.gap(gap).put(&row.catches, theme.muted);
        if position == selected {
            tint(buffer, area.x, area.y + y, area.width, theme.selection);
        }
        if lines == 2 && y + 1 < area.height && row.leads_on {
            Pen::new(buffer, area, y + 1)
                .gap(1 + indent)
                .put("│", theme.rule);
        }
    }
}

/// What is known of a node's stages: word and duration of one, counts of several.
fn facts(row: &GraphRow, stages: &[Stage], word: &str, note: impl Fn(&Stage) -> String) -> String {
    let own: Vec<&Stage> = row
        .stages
        .iter()
        .filter_map(|stage| stages.get(*stage))
        .collect();
    match own.as_slice() {
        [] => String::new(),
        [one] if one.status == StageStatus::NotReached => String::new(),
        [one] => format!("{word}  {}", note(one)),
        several => {
            let done = several
                .iter()
                .filter(|stage| stage.status == StageStatus::Succeeded)
                .count();
            format!("{word}  {done} of {} done", several.len())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use lakehand_workflow::Definition;

    #[test]
    fn conditions_in_jsonata_and_where_a_map_reads_are_told() {
        let text = r#"{"QueryLanguage": "JSONata", "StartAt": "If", "States": {
            "If": {"Type": "Choice", "Choices": [{"Condition": "{% $rows > 3 %}", "Next": "Each"}], "Default": "Done"},
            "Each": {"Type": "Map", "ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2"},
                "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "One", "States": {"One": {"Type": "Succeed"}}}, "Next": "Done"},
            "Done": {"Type": "Succeed"}}}"#;
        let rows = rows(&Definition::parse(text).unwrap().graph(), &[]);
        assert_eq!(rows[0].ways, "$rows > 3 → Each   otherwise → Done");
        assert_eq!(rows[1].ways, "(distributed, items from s3:listObjectsV2)");
    }

    #[test]
    fn a_stage_knows_its_state() {
        assert_eq!(state_name("BuildWindow"), "BuildWindow");
        assert_eq!(state_name("Collect / clicks[12]"), "clicks");
        assert_eq!(state_name("Collect / Map[1] / Normalise"), "Normalise");
        assert_eq!(state_name("Odd[name]"), "Odd[name]");
    }

    #[test]
    fn trouble_inside_a_map_shows_on_its_node() {
        let all = [
            StageStatus::Succeeded,
            StageStatus::Failed,
            StageStatus::Running,
        ];
        assert_eq!(together(all.iter()), StageStatus::Failed);
        assert_eq!(together([].iter()), StageStatus::NotReached);
    }
}
