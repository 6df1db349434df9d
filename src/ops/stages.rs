//! Stages of an execution, named and folded for people.

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

/// The stage an operator wants to see first: the deepest one in which the failure began.
///
/// A workflow that reports its failure and then ends with the same error (a Fail state with `ErrorPath`,
/// or our `EndAsFailed` task, which can be redriven) failed where that error came from, not where it was
/// repeated. So: the newest caught failure with the error and message that the execution ended with.
#[must_use]
pub fn failed_stage(timeline: &Timeline) -> Option<usize> {
    let own = timeline.root_cause().map(|cause| (cause.stage, cause.error, cause.message));
    let (last, error, message) = match own {
        Some(own) => own,
        // Stopped or out of time: what was under way then.
        None => return timeline.stages.iter().rposition(|stage| matches!(stage.status, StageStatus::Aborted | StageStatus::Failed)),
    };
    let same = |index: &usize| {
        let failure = timeline.stages[*index].failure.as_ref();
        failure.is_some_and(|failure| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            unwrap_cause(&text(&failure.error), &text(&failure.cause)) == (error.clone(), message.clone())
        })
    };
    (0..last).rev().filter(|index| timeline.stages[*index].status == StageStatus::Caught).find(same).or(Some(last))
}
