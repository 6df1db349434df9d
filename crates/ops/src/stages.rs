//! Stages of an execution, named and folded for people.

use std::collections::HashMap;

use lakehand_workflow::history::{Stage, StageStatus, Timeline, unwrap_cause};

/// A stage's name with what is around it: `affise.clicks / Collect` in an item of a Map whose input says what it is about,
/// `Streams[3] / Collect` in one that does not, `Both / Left` in a Parallel.
#[must_use]
pub fn stage_name(timeline: &Timeline, index: usize) -> String {
    let mut names = Vec::new();
    let mut at = Some(index);
    let mut below: Option<(u64, Option<&str>)> = None;
    while let Some(stage) = at.and_then(|index| timeline.stages.get(index)) {
        names.push(match below.take() {
            Some((_, Some(item))) => item.to_owned(),
            Some((index, None)) => format!("{}[{index}]", stage.name),
            None => stage.name.clone(),
        });
        below = stage.map_index.map(|index| (index, stage.item.as_deref()));
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

/// The stages that are open right now, without those that only hold others: what runs, or ran when the process died.
#[must_use]
pub fn open_stages(timeline: &Timeline) -> Vec<usize> {
    let stages = &timeline.stages;
    let open = |index: &usize| {
        let stage = &stages[*index];
        !stage.replaced && matches!(stage.status, StageStatus::Running | StageStatus::Retrying)
    };
    let all: Vec<usize> = (0..stages.len()).filter(open).collect();
    let holds = |index: usize| all.iter().any(|one| stages[*one].parent == Some(index));
    all.iter().copied().filter(|index| !holds(*index)).collect()
}

/// What an execution that has not ended is at: the names of its open stages, the one that is open longest first.
#[must_use]
pub fn open_stage_names(timeline: &Timeline) -> Option<String> {
    let open = open_stages(timeline);
    let names: Vec<String> = open
        .into_iter()
        .map(|index| stage_name(timeline, index))
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
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
pub(super) const REPORTS_THE_FAILURE: &str = "EndAsFailed";
/// The state that keeps the failure of a part of an item whose other parts are stored: the task before it succeeded.
pub(super) const KEEPS_A_PARTS_FAILURE: &str = "PartsFailed";

/// The tasks of Map items whose failures `last` reports, in the order of the items: those that failed and were
/// caught, and those of which a part failed while the rest was stored. What failed before a redrive was reported then.
#[must_use]
pub fn reported_failures(timeline: &Timeline, last: usize) -> Vec<usize> {
    let reports = timeline
        .stages
        .get(last)
        .is_some_and(|stage| stage.name == REPORTS_THE_FAILURE);
    if !reports {
        return Vec::new();
    }
    failures_of_items(timeline, last, |_| true)
}

/// Before the Map states whose failed items a redrive takes up, our workflows note which attempt it is.
const NOTES_THE_ATTEMPT: &str = "RememberAttempt";

/// The tasks of Map items that failed, and were caught, while the Map was still at work when the execution was cut off:
/// a redrive repeats them once it has done the rest.
#[must_use]
pub fn failed_before_the_cut(timeline: &Timeline) -> Vec<usize> {
    let stages = &timeline.stages;
    if timeline.stage(NOTES_THE_ATTEMPT).is_none() {
        return Vec::new();
    }
    let cut = |status| {
        matches!(
            status,
            StageStatus::Running | StageStatus::Retrying | StageStatus::Aborted
        )
    };
    failures_of_items(timeline, stages.len(), |stage| {
        stage.parent.is_some_and(|map| cut(stages[map].status))
    })
}

/// The tasks of Map items that failed before a stage, in the order of the items, of those stages that `which` wants.
fn failures_of_items(
    timeline: &Timeline,
    last: usize,
    which: impl Fn(&Stage) -> bool,
) -> Vec<usize> {
    let stages = &timeline.stages;
    let older = of_older_visits(timeline);
    let is_of_an_item = |index: &usize| {
        let stage = &stages[*index];
        stage.map_index.is_some() && !stage.replaced && !older[*index] && which(stage)
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

/// The state of that name in the Map item that `index` belongs to.
pub(super) fn item_end(timeline: &Timeline, index: usize, name: &str) -> Option<usize> {
    let own = &timeline.stages[index];
    timeline.stages.iter().rposition(|stage| {
        stage.name == name
            && !stage.replaced
            && stage.parent == own.parent
            && stage.map_index == own.map_index
    })
}

/// The first stage of the Map item that `index` belongs to.
fn first_of_item(timeline: &Timeline, index: usize) -> Option<usize> {
    let own = &timeline.stages[index];
    timeline.stages.iter().position(|stage| {
        !stage.replaced && stage.parent == own.parent && stage.map_index == own.map_index
    })
}
