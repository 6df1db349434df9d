//! Executions as an operator sees them: stages from events, and whether a redrive makes sense.

use std::{collections::HashMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    ExecutionStatus, ExecutionSummary, Redrive, Stage, StageStatus,
    model::OtherFailure,
    stages::{
        KEEPS_A_PARTS_FAILURE, REPORTS_THE_FAILURE, failed_before_the_cut, failed_stage, item_end,
        of_older_visits, reported_failures, stage_depth, stage_name,
    },
    triage::innermost,
};
use lakehand_workflow::{
    definition::{Definition, Retrier, StateKind, WaitUntil},
    history::{self, HistoryEvent, Timeline},
};

/// AWS's limit: time between the end and a redrive.
const REDRIVABLE_FOR: SignedDuration = SignedDuration::from_hours(14 * 24);
/// A history with more events has no room for a redrive.
const MAX_EVENTS: u64 = 24_999;

/// The events of an execution, folded as they come.
#[derive(Debug, Default)]
pub struct Folded {
    /// Stages, status, failures.
    pub timeline: Timeline,
    /// Inputs and outputs of states, by the event that tells them.
    texts: HashMap<u64, Arc<str>>,
}

impl Folded {
    /// Takes more events, in order.
    pub fn extend(&mut self, events: &[HistoryEvent]) {
        for event in events {
            let text = if event.event_type.is_state_entered() {
                &event.details.input
            } else {
                &event.details.output
            };
            let of_state =
                event.event_type.is_state_entered() || event.event_type.is_state_exited();
            if let (true, Some(text)) = (of_state, text) {
                self.texts.insert(event.id, text.as_str().into());
            }
            self.timeline.push(event);
        }
    }

    /// Stages in the order of their first entry, then the top-level ones not reached. A state that was
    /// entered again (a loop, a redrive) stands once, as its newest visit, and so does what is inside it.
    #[must_use]
    pub fn stages(
        &self,
        definition: &Definition,
        summary: &ExecutionSummary,
        progress: &HashMap<String, String>,
    ) -> Vec<Stage> {
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut told: Vec<(Stage, bool)> = Vec::new();
        for (index, is_older) in of_older_visits(&self.timeline).into_iter().enumerate() {
            if let_a_redrive_pass(&self.timeline.stages[index]) {
                continue;
            }
            let stage = self.stage(index, definition, summary, progress);
            match places.get(&stage.name) {
                Some(place) => told[*place] = (stage, is_older),
                None => {
                    places.insert(stage.name.clone(), told.len());
                    told.push((stage, is_older));
                }
            }
        }
        let newest = told.into_iter().filter(|(_, is_older)| !is_older);
        let mut stages: Vec<Stage> = newest.map(|(stage, _)| stage).collect();
        let unreached = definition
            .root()
            .states
            .values()
            .filter(|state| !places.contains_key(&state.name));
        stages.extend(unreached.map(|state| not_reached(&state.name, state.state_type().name())));
        stages
    }

    /// The failures beside the root cause: of the other items of a Map whose failures the execution reported at its end,
    /// or that failed before it was cut off.
    #[must_use]
    pub fn other_failures(&self) -> Vec<OtherFailure> {
        let first = failed_stage(&self.timeline);
        let all = match self.timeline.root_cause() {
            Some(cause) => reported_failures(&self.timeline, cause.stage),
            None => failed_before_the_cut(&self.timeline),
        };
        all.into_iter()
            .filter(|index| Some(*index) != first)
            .filter_map(|index| self.failure(index))
            .collect()
    }

    fn failure(&self, index: usize) -> Option<OtherFailure> {
        let (error, cause) = match &self.timeline.stages[index].failure {
            Some(failure) => (failure.error.clone()?, failure.cause.clone()),
            // Of a part only: the task succeeded, and the item says what failed.
            None => {
                let keeps = item_end(&self.timeline, index, KEEPS_A_PARTS_FAILURE)?;
                let told = self.texts.get(&self.timeline.stages[keeps].exited_event?)?;
                let told: Value = serde_json::from_str(told).ok()?;
                let text = |name: &str| told.get(name).and_then(Value::as_str).map(str::to_owned);
                (text("error")?, text("cause"))
            }
        };
        let (error, cause) = innermost(&error, &cause.unwrap_or_default());
        Some(OtherFailure {
            stage: stage_name(&self.timeline, index),
            error,
            cause,
        })
    }

    fn stage(
        &self,
        index: usize,
        definition: &Definition,
        summary: &ExecutionSummary,
        progress: &HashMap<String, String>,
    ) -> Stage {
        let visit = &self.timeline.stages[index];
        let name = stage_name(&self.timeline, index);
        let failed = matches!(
            visit.status,
            history::StageStatus::Failed
                | history::StageStatus::Caught
                | history::StageStatus::Retrying
        );
        let input = self.texts.get(&visit.entered_event).cloned();
        let output = visit
            .exited_event
            .and_then(|event| self.texts.get(&event).cloned());
        let parked = parked(visit, output.as_deref());
        let (status, why) = match parked {
            Some((until, why)) => (StageStatus::Parked { until }, why),
            None => (
                self.status(index, definition, summary, input.as_deref()),
                None,
            ),
        };
        Stage {
            kind: visit.state_type.clone(),
            status,
            started: Some(visit.entered),
            ended: visit.exited,
            attempts: visit.attempts.max(1),
            progress: why
                .or_else(|| progress_of(visit, progress.get(&name)?))
                .or_else(|| self.map_progress(index, summary.redrives > 0)),
            error: visit
                .failure
                .as_ref()
                .filter(|_| failed)
                .and_then(|failure| failure.error.clone()),
            depth: stage_depth(&self.timeline, index),
            input,
            output,
            name,
            idle: visit.idle,
        }
    }

    /// How many items of a Map are done. Our workflows enter theirs again on a redrive with the items that are left;
    /// those that were done before are done still.
    fn map_progress(&self, index: usize, redriven: bool) -> Option<String> {
        let visit = &self.timeline.stages[index];
        let map = visit.map?;
        let earlier = self.timeline.stages[..index].iter();
        let all = earlier
            .filter(|one| redriven && one.name == visit.name && one.parent == visit.parent)
            .filter_map(|one| Some(one.map?.total))
            .fold(map.total, u64::max);
        let done = all - map.total + map.succeeded;
        let failed = match map.failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        Some(format!("{done} of {all} done{failed}"))
    }

    fn status(
        &self,
        index: usize,
        definition: &Definition,
        summary: &ExecutionSummary,
        input: Option<&str>,
    ) -> StageStatus {
        let visit = &self.timeline.stages[index];
        let interrupted = summary.status == ExecutionStatus::Interrupted;
        match visit.status {
            history::StageStatus::Running | history::StageStatus::Retrying if interrupted => {
                StageStatus::Interrupted
            }
            history::StageStatus::Running => {
                match definition.state(&visit.name).map(|state| &state.kind) {
                    Some(StateKind::Wait(wait)) => StageStatus::Waiting {
                        until: end_of_wait(&wait.until, visit.entered, input),
                        why: "wait".to_owned(),
                    },
                    _ => StageStatus::Running,
                }
            }
            history::StageStatus::Retrying => StageStatus::Waiting {
                until: None,
                why: retry_reason(visit, definition),
            },
            history::StageStatus::Succeeded => StageStatus::Succeeded,
            history::StageStatus::Caught => StageStatus::Caught,
            history::StageStatus::Failed => StageStatus::Failed,
            history::StageStatus::Aborted => StageStatus::Aborted,
        }
    }
}

/// Whether this is the task that ended the execution as failed and that a redrive has passed since: it did no work, so
/// it is no stage that succeeded.
fn let_a_redrive_pass(visit: &history::Stage) -> bool {
    visit.name == REPORTS_THE_FAILURE
        && visit.failure.is_some()
        && !matches!(visit.status, history::StageStatus::Failed)
}

fn not_reached(name: &str, kind: &str) -> Stage {
    Stage {
        name: name.to_owned(),
        kind: kind.to_owned(),
        status: StageStatus::NotReached,
        started: None,
        ended: None,
        attempts: 0,
        progress: None,
        error: None,
        depth: 0,
        input: None,
        output: None,
        idle: SignedDuration::ZERO,
    }
}

/// Every top-level state of a workflow that never ran.
#[must_use]
pub fn unreached_stages(definition: &Definition) -> Vec<Stage> {
    definition
        .root()
        .states
        .values()
        .map(|state| not_reached(&state.name, state.state_type().name()))
        .collect()
}

/// Until when, and why, a state says that something is parked. Only Pass states say it: what stands in the
/// output of the others is somebody else's.
fn parked(visit: &history::Stage, output: Option<&str>) -> Option<(Timestamp, Option<String>)> {
    let says = visit.state_type == "Pass" && visit.status == history::StageStatus::Succeeded;
    let output = output.filter(|output| says && output.contains("parked_until"))?;
    let said: Value = serde_json::from_str(output).ok()?;
    let until = said.get("parked_until")?.as_str()?.parse().ok()?;
    let why = said.get("cause").and_then(Value::as_str);
    Some((until, why.map(str::to_owned)))
}

/// How a task's progress begins that waits for a child execution.
pub const WAITS: &str = "waits for ";

/// The last a stage said of its progress; what ended waits for nothing more.
fn progress_of(visit: &history::Stage, said: &str) -> Option<String> {
    let still_true = visit.exited.is_none() || !said.starts_with(WAITS);
    still_true.then(|| said.to_owned())
}

fn retry_reason(visit: &history::Stage, definition: &Definition) -> String {
    let error = visit
        .failure
        .as_ref()
        .and_then(|failure| failure.error.as_deref())
        .unwrap_or("an error");
    let matches = |retrier: &&Retrier| {
        retrier.error_equals.iter().any(|name| {
            name == error
                || name == "States.ALL"
                || (name == "States.TaskFailed" && !error.ends_with("Timeout"))
        })
    };
    let retriers = definition
        .state(&visit.name)
        .and_then(|state| state.work())
        .map(|work| work.retry.as_slice())
        .unwrap_or_default();
    match retriers.iter().find(matches) {
        Some(retrier) if u64::from(visit.attempts) <= retrier.max_attempts => {
            format!(
                "retry {} of {} after {error}",
                visit.attempts, retrier.max_attempts
            )
        }
        _ => format!("retry after {error}"),
    }
}

fn end_of_wait(until: &WaitUntil, entered: Timestamp, input: Option<&str>) -> Option<Timestamp> {
    match until {
        WaitUntil::Seconds(seconds) => entered
            .checked_add(SignedDuration::from_secs(i64::try_from(*seconds).ok()?))
            .ok(),
        WaitUntil::Timestamp(at) => Some(*at),
        // Only the service knows what the expression gave.
        WaitUntil::Jsonata(_) => None,
        // The interpreter knows; here it is enough to look for the one instant the input names as an end.
        WaitUntil::SecondsPath(_) | WaitUntil::TimestampPath(_) => {
            let input: Value = serde_json::from_str(input?).ok()?;
            only_until(&input)
        }
    }
}

/// The value of the one field whose name ends in `until`, at any depth.
fn only_until(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| match value {
            Value::String(text) if name.ends_with("until") => text.parse().ok(),
            other => only_until(other),
        }),
        _ => None,
    }
}

/// Whether an execution can be redriven, which stages would run again, and why that is safe. That is known of `ours`
/// only: another definition may give the name of a stage of ours to anything, a charge of money included.
#[must_use]
pub fn redrive(folded: &Folded, summary: &ExecutionSummary, ours: bool, now: Timestamp) -> Redrive {
    let not_possible = |reason: String| Redrive::NotPossible { reason };
    match summary.status {
        ExecutionStatus::Running => return not_possible("it is running".to_owned()),
        ExecutionStatus::Succeeded => {
            return not_possible(
                "it succeeded; start a new execution to run the window again".to_owned(),
            );
        }
        _ => {}
    }
    let age = summary.ended.map(|ended| now.duration_since(ended));
    if let Some(age) = age.filter(|age| *age > REDRIVABLE_FOR) {
        let days = age.as_hours() / 24;
        return not_possible(format!(
            "it ended {days} days ago, more than 14; start a new execution with the same window"
        ));
    }
    if folded.timeline.head.last_event >= MAX_EVENTS {
        return not_possible(
            "its history is full; start a new execution with the same window".to_owned(),
        );
    }
    let mut stages = stages_to_run_again(&folded.timeline);
    // A stage that was entered again by an earlier redrive is one stage.
    let mut named = std::collections::HashSet::new();
    stages.retain(|(name, _)| named.insert(name.clone()));
    let stages: Vec<String> = stages.into_iter().map(|(name, _)| name).collect();
    let (safety, known) = safety(&stages, ours);
    Redrive::Possible {
        stages,
        safety,
        known,
    }
}

/// Why stages may run twice, and whether that is known of all of them.
fn safety(stages: &[String], ours: bool) -> (String, bool) {
    let guarantees: Option<Vec<String>> = stages
        .iter()
        .map(|stage| safety_of(state_of(stage)).filter(|_| ours))
        .collect();
    let Some(mut guarantees) = guarantees else {
        let names = match stages {
            [] => "what did not finish".to_owned(),
            [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
            one => one.concat(),
        };
        let check = format!("not known to Lakehand: check that {names} may run twice");
        return (check, false);
    };
    let mut named = std::collections::HashSet::new();
    guarantees.retain(|sentence| named.insert(sentence.clone()));
    match guarantees.is_empty() {
        // Nothing names the stages that would run again.
        true if !ours => safety(&["what did not finish".to_owned()], ours),
        true => ("it goes on from what did not finish".to_owned(), true),
        false => (guarantees.join("; "), true),
    }
}

/// States behind a build and before its commit.
const BEFORE_THE_COMMIT: [&str; 3] = ["CheckQuality", "ReplaceWindow", "ReplaceDatamart"];

/// Whether a redrive would put rows in place that were built before the execution ended. One that failed builds them
/// anew, behind its lease; one that was stopped or ran out of time goes on in the middle, and holds no lease there.
#[must_use]
pub fn commits_what_was_built_before(redrive: &Redrive, status: ExecutionStatus) -> bool {
    let Redrive::Possible { stages, .. } = redrive else {
        return false;
    };
    let state = |stage: &str| BEFORE_THE_COMMIT.contains(&state_of(stage));
    status != ExecutionStatus::Failed && stages.iter().any(|stage| state(stage))
}

/// The state's own name, of a stage named with what is around it.
fn state_of(stage: &str) -> &str {
    stage.rsplit(" / ").next().unwrap_or(stage)
}

/// Stages that did not finish, or whose caught failure ended the execution.
fn stages_to_run_again(timeline: &Timeline) -> Vec<(String, usize)> {
    use history::StageStatus::{Aborted, Caught, Failed, Retrying, Running};
    let is_around_others = |index: usize| {
        timeline
            .stages
            .iter()
            .any(|stage| stage.parent == Some(index))
    };
    let named = |index: usize| (stage_name(timeline, index), index);
    let open: Vec<(String, usize)> = (0..timeline.stages.len())
        .filter(|index| {
            matches!(
                timeline.stages[*index].status,
                Running | Retrying | Failed | Aborted
            ) && !is_around_others(*index)
        })
        .map(named)
        .collect();
    // Failures of items that the workflow reported at its end: the redrive repeats exactly these items.
    let last = open.last().map(|(_, index)| *index);
    let reported = last.map_or_else(Vec::new, |last| reported_failures(timeline, last));
    if !reported.is_empty() {
        return reported.into_iter().map(named).collect();
    }
    // What failed before the execution was cut off runs again too.
    let before = failed_before_the_cut(timeline);
    if !before.is_empty() {
        let mut all: Vec<(String, usize)> = before.into_iter().map(named).chain(open).collect();
        all.sort_by_key(|(_, index)| *index);
        return all;
    }
    // A failure that was caught and reported: the redrive leads back to where it began.
    let began = failed_stage(timeline).filter(|index| timeline.stages[*index].status == Caught);
    match began {
        None => open,
        Some(began) => {
            let siblings = |index: &usize| {
                let (stage, first) = (&timeline.stages[*index], &timeline.stages[began]);
                *index == began
                    || (stage.status == Caught
                        && stage.parent == first.parent
                        && first.parent.is_some())
            };
            (0..timeline.stages.len())
                .filter(siblings)
                .map(named)
                .collect()
        }
    }
}

/// Why a state of ours may run twice; `None` of one that this does not know.
fn safety_of(state: &str) -> Option<String> {
    Some(match state {
        "Collect" => {
            "Collect goes on behind the last page stored, and what is read twice is merged by key"
                .to_owned()
        }
        "Normalise" => "Normalise replaces whole days, and gives the same rows again".to_owned(),
        "UpdateDimensions" | "ExtractOfferCaps" => format!("{state} replaces whole snapshots"),
        "BuildWindow"
        | "BuildDatamart"
        | "DropOldStaging"
        | "DropStaging"
        | "DropStagingAfterFailure" => {
            format!("{state} touches the staging table only, which nobody reads")
        }
        "CreateTable" => "CreateTable leaves a table alone that is there".to_owned(),
        "CheckQuality" | "CheckView" | "PlanDatamart" | "PlanBackfill" => {
            format!("{state} only reads")
        }
        "CreateView" => "CreateView replaces the view as a whole".to_owned(),
        "ReplaceWindow" | "ReplaceDatamart" => {
            format!("{state} commits once; running it again changes nothing")
        }
        "ExportReport" => {
            "ExportReport writes the same rows to a file of its own, visible when it is whole"
                .to_owned()
        }
        "AcquireLease"
        | "ReleaseLease"
        | "ReleaseLeaseWithoutReport"
        | "ReleaseLeaseAfterFailure" => {
            format!("{state} knows its execution, and may be repeated")
        }
        "StartCrawler" => {
            "a crawl only reads the folders, and the catalog is replaced as a whole".to_owned()
        }
        "CollectChunk" | "BuildChunk" => format!(
            "{state} goes on with its child execution, or starts a new one over the same days"
        ),
        "Streams" | "Chunks" => format!("{state} repeats what did not finish only"),
        "Notify" | "NotifyFailure" | "NotifyParked" => {
            format!("{state} may send its notice a second time")
        }
        "Import" => "Import brings in the same files, and what is there already is found unchanged"
            .to_owned(),
        "TakeBack" => "TakeBack puts the same state back".to_owned(),
        "EndAsFailed" => "EndAsFailed only leads back to what failed".to_owned(),
        _ if DECIDES.contains(&state) => format!("{state} only decides"),
        _ => return None,
    })
}

/// States of ours that choose and reshape, and touch nothing.
const DECIDES: &[&str] = &[
    "ChunkDaysGiven",
    "OneDayAChunk",
    "TakeChunks",
    "DimensionsRead",
    "ChunkDone",
    "ChildDescribed",
    "TakeChildsError",
    "ChunkFailed",
    "Statuses",
    "AnyChunkFailed",
    "FailedChunks",
    "KeepFailedChunks",
    "RecordChunkFailure",
    "RecordFailure",
    "WhatIsLeft",
    "StreamsGiven",
    "AllStreams",
    "RememberAttempt",
    "RedrivenSince",
    "AnythingStored",
    "Complete",
    "PartsFailed",
    "StreamParked",
    "StreamDone",
    "StreamFailed",
    "AnyStreamFailed",
    "FailedStreams",
    "ParkedStreams",
    "Parked",
    "KeepFailedStreams",
    "RecordCrawlerFailure",
    "Prepare",
    "LeftBehind",
    "BuildAgain",
    "BuildElsewhere",
    "ExportWanted",
    "TableOrView",
    "CollectedButParked",
    "Collected",
    "Built",
];

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use serde_json::json;

    use super::*;
    use lakehand_workflow::interpreter::{Command, Execution, ExecutionContext, Signal, Step};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    /// What a redrive is about of `assets/workflows/collect.asl.json`: behind its end the Map takes what failed only.
    fn collect() -> Definition {
        let task = |name: &str, payload: Value, next: Value| {
            let mut state = json!({
                "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "ResultPath": null,
                "Parameters": { "FunctionName": name, "Payload": payload },
            });
            let fields = state.as_object_mut().unwrap();
            fields.extend(next.as_object().unwrap().clone());
            state
        };
        let caught = json!({
            "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "StreamFailed" }], "End": true,
        });
        let item = json!({ "StartAt": "Collect", "States": {
            "Collect": task("collect", json!({ "stream.$": "$" }), caught),
            "StreamFailed": { "Type": "Pass", "End": true },
        }});
        let states = json!({
            "Streams": {
                "Type": "Map", "ItemsPath": "$.streams", "MaxConcurrency": 2, "ItemProcessor": item,
                "ResultPath": null, "Next": "KeepFailedStreams",
                "Catch": [{ "ErrorEquals": ["Broken"], "Next": "Broken" }],
            },
            "KeepFailedStreams": {
                "Type": "Pass", "Result": ["clicks"], "ResultPath": "$.streams", "Next": "EndAsFailed",
            },
            "EndAsFailed": task("fail-execution", json!({}), json!({ "Next": "Streams" })),
            "Broken": { "Type": "Fail" },
        });
        let text = json!({ "StartAt": "Streams", "States": states }).to_string();
        Definition::parse(&text).unwrap()
    }

    /// A collection whose clicks are refused every time, redriven so often.
    fn redriven(times: u32) -> (Folded, ExecutionSummary) {
        let definition = collect();
        let context = ExecutionContext {
            id: "arn:aws:states:eu-west-1:1:execution:collect:x".to_owned(),
            name: "x".to_owned(),
            role_arn: "role".to_owned(),
            start_time: NOW,
            state_machine_id: "arn:aws:states:eu-west-1:1:stateMachine:collect".to_owned(),
            state_machine_name: "collect".to_owned(),
        };
        let streams = json!({ "streams": ["offers", "affiliates", "advertisers", "clicks"] });
        let mut execution = Execution::new(streams, context);
        let mut folded = Folded::default();
        for redrive in 0..=times {
            let mut step: Step = match redrive {
                0 => execution.handle(&definition, Signal::Start, NOW, &mut || 0.5),
                _ => execution.redrive(&definition, NOW, &mut || 0.5).unwrap(),
            };
            // As the function does that ends an execution as failed: once for each redrive it lets the work go on.
            let mut goes_on = redrive > 0;
            let mut tasks = VecDeque::new();
            loop {
                folded.extend(&step.events);
                for command in step.commands {
                    if let Command::ScheduleTask(call) = command {
                        tasks.push_back(call);
                    }
                }
                let Some(call) = tasks.pop_front() else {
                    break;
                };
                let works = match call.state.as_str() {
                    "EndAsFailed" => std::mem::take(&mut goes_on),
                    _ => call.parameters["Payload"]["stream"] != json!("clicks"),
                };
                let (task, output) = (call.task, json!({}));
                let signal = match works {
                    true => Signal::TaskSucceeded { task, output },
                    false => Signal::TaskFailed {
                        task,
                        error: "BadCredentials".to_owned(),
                        cause: Some("403".to_owned()),
                    },
                };
                step = execution.handle(&definition, signal, NOW, &mut || 0.5);
            }
        }
        let summary = ExecutionSummary {
            id: super::super::ExecutionId("x".into()),
            name: "x".to_owned(),
            workflow: super::super::WorkflowName("collect".into()),
            status: ExecutionStatus::Failed,
            started: NOW,
            ended: Some(NOW),
            window: None,
            redrives: times,
            current_stage: None,
            error: Some("BadCredentials".to_owned()),
            superseded: false,
            parent: None,
            idle: SignedDuration::ZERO,
        };
        (folded, summary)
    }

    #[test]
    fn of_a_map_that_was_entered_again_the_newest_visit_counts() {
        for (times, inside) in [(0, 5), (1, 2), (2, 2)] {
            let (folded, summary) = redriven(times);
            assert_eq!(folded.timeline.head.redrives, u64::from(times));
            let collected = "clicks / Collect".to_owned();
            let cause = super::super::triage::root_cause(&folded.timeline).unwrap();
            assert_eq!(cause.stage, collected, "{times}");
            let Redrive::Possible { stages, .. } = redrive(&folded, &summary, true, NOW) else {
                panic!("it failed and can be redriven")
            };
            assert_eq!(stages, [collected.as_str()], "{times}");
            let stages = folded.stages(&collect(), &summary, &HashMap::new());
            // Of the four streams, whichever of them the last redrive took up.
            let streams = stages.iter().find(|one| one.name == "Streams").unwrap();
            assert_eq!(streams.progress.as_deref(), Some("4 of 4 done"), "{times}");
            let mut of_items: Vec<&Stage> = stages.iter().filter(|one| one.depth > 0).collect();
            assert_eq!(of_items.len(), inside, "{times}");
            of_items.retain(|one| one.status == StageStatus::Caught);
            let caught: Vec<&str> = of_items.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(caught, [collected.as_str()], "{times}");
        }
    }

    #[test]
    fn what_has_ended_waits_for_nothing() {
        let (folded, summary) = redriven(0);
        let told = |said: &str| {
            let name = "offers / Collect".to_owned();
            let progress = HashMap::from([(name.clone(), said.to_owned())]);
            let stages = folded.stages(&collect(), &summary, &progress);
            let stage = stages.into_iter().find(|stage| stage.name == name);
            stage.unwrap().progress
        };
        assert_eq!(told("12,500 rows").as_deref(), Some("12,500 rows"));
        assert_eq!(told("waits for collect:20260131"), None);
        let ended = folded
            .timeline
            .stages
            .iter()
            .find(|stage| stage.name == "Collect");
        let running = history::Stage {
            exited: None,
            ..ended.unwrap().clone()
        };
        let waits = progress_of(&running, "waits for collect:20260131");
        assert_eq!(waits.as_deref(), Some("waits for collect:20260131"));
    }

    #[test]
    fn every_state_of_ours_is_known_and_no_state_of_others() {
        for name in lakehand_base::workflows::WORKFLOWS {
            let file = format!(
                "{}/../../assets/workflows/{name}.asl.json",
                env!("CARGO_MANIFEST_DIR")
            );
            let text = std::fs::read_to_string(file).unwrap();
            let definition: Value = serde_json::from_str(&text).unwrap();
            let mut machines = vec![&definition];
            while let Some(machine) = machines.pop() {
                for (state, body) in machine["States"].as_object().unwrap() {
                    let stages = [format!("Around[2] / {state}")];
                    let (told, known) = safety(&stages, true);
                    assert!(known, "{name}: {told}");
                    let (told, known) = safety(&stages, false);
                    assert!(!known, "{name}: {told}");
                    machines.extend(body.get("ItemProcessor"));
                }
            }
        }
        let foreign = ["Normalise".to_owned(), "Charges[0] / Notify".to_owned()];
        assert_eq!(
            safety(&foreign, false).0,
            "not known to Lakehand: check that Normalise and Charges[0] / Notify may run twice"
        );
        let one = ["Pay".to_owned()];
        let told = "not known to Lakehand: check that Pay may run twice";
        assert_eq!(safety(&one, true), (told.to_owned(), false));
        let three = ["A", "B", "C"].map(str::to_owned);
        assert!(safety(&three, false).0.contains("that A, B and C may"));
    }

    #[test]
    fn only_a_build_cut_off_behind_its_staging_table_brings_older_rows() {
        let kept = |stage: &str, status| {
            let stages = vec!["DropStaging".to_owned(), stage.to_owned()];
            let safety = String::new();
            let redrive = Redrive::Possible {
                stages,
                safety,
                known: true,
            };
            commits_what_was_built_before(&redrive, status)
        };
        assert!(kept("ReplaceWindow", ExecutionStatus::Aborted));
        assert!(kept("Inner / CheckQuality", ExecutionStatus::TimedOut));
        assert!(kept("ReplaceDatamart", ExecutionStatus::Interrupted));
        assert!(!kept("ReplaceWindow", ExecutionStatus::Failed));
        assert!(!kept("BuildWindow", ExecutionStatus::Aborted));
        let reason = "it is running".to_owned();
        let not = Redrive::NotPossible { reason };
        assert!(!commits_what_was_built_before(
            &not,
            ExecutionStatus::Aborted
        ));
    }
}
