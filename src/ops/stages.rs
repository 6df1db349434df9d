//! Stages of an execution, named and folded for people.

use std::collections::HashMap;

use crate::workflow::history::{StageStatus, Timeline, unwrap_cause};

/// A stage's name with the Map or Parallel states around it: `Streams[3] / Collect`.
#[must_use]
pub fn stage_name(timeline: &Timeline, index: usize) -> String {
    let mut names = Vec::new();
    let mut at = Some(index);
    let mut item: Option<u64> = None;
    while let Some(stage) = at.and_then(|index| timeline.stages.get(index)) {
        names.push(match item.take() {
            Some(item) => format!("{}[{item}]", stage.name),
            None => stage.name.clone(),
        });
        item = stage.map_index;
        at = stage.parent;
    }
    names.reverse();
    names.join(" / ")
}

/// Depth in Map and Parallel states, 0 at the top.
#[must_use]
pub fn stage_depth(timeline: &Timeline, index: usize) -> u16 {
    let mut depth = 0;
    let mut at = timeline.stages.get(index).and_then(|stage| stage.parent);
    while let Some(parent) = at {
        depth += 1;
        at = timeline.stages.get(parent).and_then(|stage| stage.parent);
    }
    depth
}

/// For every stage, whether it is inside a Map or Parallel state that was entered again since, as our workflows do on a
/// redrive: the newest visit has other items, whatever their numbers say.
#[must_use]
pub fn of_older_visits(timeline: &Timeline) -> Vec<bool> {
    let stages = &timeline.stages;
    let place = |index: usize| {
        let stage = &stages[index];
        (stage.parent, stage.map_index, stage.name.as_str())
    };
    let newest: HashMap<_, usize> = (0..stages.len())
        .map(|index| (place(index), index))
        .collect();
    let mut older: Vec<bool> = Vec::with_capacity(stages.len());
    for stage in stages {
        // What is around a stage was entered before it.
        let is_older = stage
            .parent
            .is_some_and(|around| older[around] || newest.get(&place(around)) != Some(&around));
        older.push(is_older);
    }
    older
}

/// The stage an operator wants to see first: the deepest one in which the failure began.
///
/// A workflow that reports its failure and then ends with the same error (a Fail state with `ErrorPath`,
/// or our `EndAsFailed` task, which can be redriven) failed where that error came from, not where it was
/// repeated. So: the newest caught failure with the error and message that the execution ended with.
#[must_use]
pub fn failed_stage(timeline: &Timeline) -> Option<usize> {
    let own = timeline
        .root_cause()
        .map(|cause| (cause.stage, cause.error, cause.message));
    let (last, error, message) = match own {
        Some(own) => own,
        // Stopped or out of time: what was under way then.
        None => {
            return timeline.stages.iter().rposition(|stage| {
                matches!(stage.status, StageStatus::Aborted | StageStatus::Failed)
            });
        }
    };
    let same = |index: &usize| {
        let failure = timeline.stages[*index].failure.as_ref();
        failure.is_some_and(|failure| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            unwrap_cause(&text(&failure.error), &text(&failure.cause))
                == (error.clone(), message.clone())
        })
    };
    (0..last)
        .rev()
        .filter(|index| timeline.stages[*index].status == StageStatus::Caught)
        .find(same)
        .or_else(|| reported_failures(timeline, last).first().copied())
        .or(Some(last))
}

/// The task with which our workflows end once they have reported what failed.
const REPORTS_THE_FAILURE: &str = "EndAsFailed";
/// The state that keeps the failure of a part of an item whose other parts are stored: the task before it succeeded.
const KEEPS_A_PARTS_FAILURE: &str = "PartsFailed";

/// The tasks of Map items whose failures `last` reports, in the order of the items: those that failed and were
/// caught, and those of which a part failed while the rest was stored. What failed before a redrive was reported then.
#[must_use]
pub fn reported_failures(timeline: &Timeline, last: usize) -> Vec<usize> {
    let stages = &timeline.stages;
    let reports = stages
        .get(last)
        .is_some_and(|stage| stage.name == REPORTS_THE_FAILURE);
    if !reports {
        return Vec::new();
    }
    let older = of_older_visits(timeline);
    let is_of_an_item = |index: &usize| {
        let stage = &stages[*index];
        stage.map_index.is_some() && !stage.replaced && !older[*index]
    };
    let began = |index: usize| match (stages[index].status, stages[index].name.as_str()) {
        (StageStatus::Caught, _) => Some(index),
        (StageStatus::Succeeded, KEEPS_A_PARTS_FAILURE) => first_of_item(timeline, index),
        _ => None,
    };
    let mut found: Vec<usize> = (0..last).filter(is_of_an_item).filter_map(began).collect();
    found.sort_by_key(|index| (stages[*index].map_index, *index));
    found.dedup();
    found
}

/// The first stage of the Map item that `index` belongs to.
fn first_of_item(timeline: &Timeline, index: usize) -> Option<usize> {
    let own = &timeline.stages[index];
    timeline.stages.iter().position(|stage| {
        !stage.replaced && stage.parent == own.parent && stage.map_index == own.map_index
    })
}
