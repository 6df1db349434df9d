//! What one execution shows: stages, graph, events, log, why it failed.

use jiff::{SignedDuration, Timestamp};

use super::{Execution, STREAMS, plan, way};
use crate::format;
use lakehand_ops::{ExecutionStatus, LogLine, Redrive, RootCause, Stage, StageStatus};
use lakehand_pipeline::jobs::Level;
use lakehand_workflow::{
    definition::{Edge, EdgeKind, Graph, GraphNode, StateType},
    history::{EventDetails, EventType, HistoryEvent},
};

pub(super) fn stage(name: &str, kind: StateType, status: StageStatus) -> Stage {
    Stage {
        name: name.to_owned(),
        kind: kind.name().to_owned(),
        status,
        started: None,
        ended: None,
        attempts: 1,
        progress: None,
        error: None,
        depth: 0,
        input: None,
        output: None,
        idle: SignedDuration::ZERO,
    }
}

/// The stages of an execution, those inside the Map too.
pub(super) fn stages(execution: &Execution, inner: bool) -> Vec<Stage> {
    let summary = &execution.summary;
    let mut all = Vec::new();
    for (position, (name, kind)) in plan(summary.workflow.as_ref()).iter().enumerate() {
        let status = match position.cmp(&execution.step) {
            _ if position >= way(summary.workflow.as_ref()) => StageStatus::NotReached,
            std::cmp::Ordering::Less => StageStatus::Succeeded,
            std::cmp::Ordering::Greater => StageStatus::NotReached,
            std::cmp::Ordering::Equal => match summary.status {
                ExecutionStatus::Running => StageStatus::Running,
                ExecutionStatus::Aborted => StageStatus::Aborted,
                ExecutionStatus::Interrupted => StageStatus::Interrupted,
                ExecutionStatus::Succeeded => StageStatus::Succeeded,
                _ => StageStatus::Failed,
            },
        };
        let mut this = stage(name, *kind, status);
        fill(&mut this, execution, position);
        let nested = inner && *kind == StateType::Map && this.status != StageStatus::NotReached;
        let outer = this.clone();
        all.push(this);
        if nested {
            all.extend(
                STREAMS
                    .iter()
                    .enumerate()
                    .map(|(number, stream)| inside(&outer, number, stream)),
            );
        }
    }
    all
}

fn fill(stage: &mut Stage, execution: &Execution, position: usize) {
    if stage.status == StageStatus::NotReached {
        return;
    }
    let began = execution.summary.started
        + SignedDuration::from_secs(9) * i32::try_from(position).unwrap_or(0);
    stage.started = Some(began);
    stage.input =
        Some(r#"{"window":{"from":"2026-01-24","to":"2026-01-31"},"profile":"local"}"#.into());
    match stage.status {
        StageStatus::Succeeded => {
            stage.ended = Some(began + SignedDuration::from_millis(8_600));
            stage.output = Some(
                format!(
                    r#"{{"rows":{},"note":"tab\tand \"quotes\""}}"#,
                    12_500 * (position + 1)
                )
                .into(),
            );
            stage.progress = Some(format!(
                "{} rows",
                format::count(12_500 * (position as u64 + 1))
            ));
        }
        StageStatus::Failed => {
            stage.ended = execution.summary.ended;
            stage.error.clone_from(&execution.summary.error);
            stage.attempts = 2;
        }
        _ => stage.progress = Some("12,500 rows, 25 calls".to_owned()),
    }
}

fn inside(outer: &Stage, number: usize, stream: &str) -> Stage {
    let began = outer
        .started
        .map(|at| at + SignedDuration::from_millis(300 * i64::try_from(number).unwrap_or(0)));
    let ended = outer
        .ended
        .map(|at| at - SignedDuration::from_millis(700 * i64::try_from(number).unwrap_or(0)));
    Stage {
        name: format!("{} / Collect[{number}]", outer.name),
        kind: "Task".to_owned(),
        depth: 1,
        started: began,
        ended,
        progress: Some(format!(
            "{stream}: {} rows",
            format::count(2_500 * (number as u64 + 1))
        )),
        ..outer.clone()
    }
}

pub(super) fn graph(workflow: &str) -> Graph {
    let plan = plan(workflow);
    let node = |(position, (name, kind)): (usize, &(&str, StateType))| GraphNode {
        name: (*name).to_owned(),
        state_type: *kind,
        parent: None,
        branch: 0,
        is_start: position == 0,
        is_end: position + 1 == way(workflow),
        note: String::new(),
        layer: position,
        column: 0,
    };
    let mut nodes: Vec<GraphNode> = plan.iter().enumerate().map(node).collect();
    let next = |from: usize| Edge {
        from,
        to: from + 1,
        kind: EdgeKind::Next,
    };
    let mut edges: Vec<Edge> = (0..way(workflow) - 1).map(next).collect();
    if workflow == "collect" {
        nodes.push(GraphNode {
            name: "Collect".to_owned(),
            state_type: StateType::Task,
            parent: Some(1),
            branch: 0,
            is_start: true,
            is_end: true,
            note: String::new(),
            layer: 0,
            column: 0,
        });
    } else {
        edges.extend((0..6).map(|from| Edge {
            from,
            to: 7,
            kind: EdgeKind::Catch(vec!["States.ALL".to_owned()]),
        }));
        edges.push(next(7));
    }
    Graph {
        nodes,
        edges,
        start: 0,
    }
}

pub(super) fn root_cause(execution: &Execution) -> Option<RootCause> {
    let error = execution.summary.error.clone()?;
    Some(RootCause {
        stage: execution.summary.current_stage.clone()?,
        error,
        cause: "check 'no_duplicate_conversions' failed: 3 of 12,500 rows have a conversion_id that occurs twice, first '\u{1b}[31m65a1f\u{202e}'".to_owned(),
        meaning: Some("The source sent the same conversion under two clicks while it was being paged.".to_owned()),
        remedy: Some("Collect the window again, then redrive; if it stays, open the quarantine file named in the log.".to_owned()),
        retry_helps: Some(true),
        others: Vec::new(),
    })
}

pub(super) fn redrive_of(execution: &Execution) -> Redrive {
    match execution.summary.status {
        ExecutionStatus::Running => Redrive::NotPossible {
            reason: "it is running".to_owned(),
        },
        ExecutionStatus::Succeeded => Redrive::NotPossible {
            reason: "it succeeded".to_owned(),
        },
        _ => Redrive::Possible {
            stages: plan(execution.summary.workflow.as_ref())
                [execution.step..way(execution.summary.workflow.as_ref())]
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .collect(),
            safety: "ReplaceWindow commits once; running it again changes nothing".to_owned(),
            known: true,
        },
    }
}

pub(super) fn history(execution: &Execution) -> Vec<HistoryEvent> {
    let mut events = Vec::new();
    let mut push = |at: Timestamp, event_type: EventType, details: EventDetails| {
        let id = events.len() as u64 + 1;
        events.push(HistoryEvent {
            id,
            previous_event_id: id - 1,
            timestamp: at,
            event_type,
            details,
        });
    };
    push(
        execution.summary.started,
        EventType::ExecutionStarted,
        EventDetails::default().with_input("{}".to_owned()),
    );
    for stage in stages(execution, false) {
        if let Some(started) = stage.started {
            push(
                started,
                EventType::TaskStateEntered,
                EventDetails::named(&stage.name),
            );
        }
        match (&stage.status, stage.ended) {
            (StageStatus::Succeeded, Some(ended)) => push(
                ended,
                EventType::TaskStateExited,
                EventDetails::named(&stage.name),
            ),
            (StageStatus::Failed, Some(ended)) => push(
                ended,
                EventType::TaskFailed,
                EventDetails::failed(stage.error, Some("see the root cause".to_owned())),
            ),
            _ => {}
        }
    }
    match (execution.summary.status, execution.summary.ended) {
        (ExecutionStatus::Succeeded, Some(ended)) => push(
            ended,
            EventType::ExecutionSucceeded,
            EventDetails::default(),
        ),
        (ExecutionStatus::Failed, Some(ended)) => push(
            ended,
            EventType::ExecutionFailed,
            EventDetails::failed(execution.summary.error.clone(), None),
        ),
        _ => {}
    }
    events
}

pub(super) fn log(execution: &Execution, count: usize) -> Vec<LogLine> {
    let names: Vec<String> = stages(execution, false)
        .into_iter()
        .filter(|stage| stage.started.is_some())
        .map(|stage| stage.name)
        .collect();
    let failed = execution.summary.status == ExecutionStatus::Failed;
    let line = |number: usize| {
        let position = number * names.len() / count;
        let last_of_stage = number + 1 == count;
        let (level, message) = match number {
            _ if last_of_stage && failed => (
                Level::Error,
                "check 'no_duplicate_conversions' failed: 3 rows, \u{1b}[2Jfirst '65a1f'"
                    .to_owned(),
            ),
            _ if number % 17 == 13 => (
                Level::Warn,
                format!(
                    "HTTP 429 from /3.0/stats/conversions, waiting {} s as Retry-After says",
                    number % 7 + 1
                ),
            ),
            _ => (
                Level::Info,
                format!(
                    "page {number}: 500 rows in 212 ms, user agents such as 'Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36', next page {}",
                    number + 1
                ),
            ),
        };
        LogLine {
            line: number as u64 + 1,
            at: execution.summary.started
                + SignedDuration::from_millis(900 * i64::try_from(number).unwrap_or(0)),
            level,
            stage: names.get(position).cloned().unwrap_or_default(),
            attempt: if failed && number * 10 >= count * 9 {
                2
            } else {
                1
            },
            message,
        }
    };
    if names.is_empty() {
        Vec::new()
    } else {
        (0..count).map(line).collect()
    }
}
