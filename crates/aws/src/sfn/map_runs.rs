//! Distributed Map states: their items run as executions of their own, and the history only names the Map Run.

use std::collections::HashMap;

use aws_sdk_sfn::types::MapRunItemCounts;
use futures::{StreamExt, TryStreamExt};

use super::super::{Clients, call::Api};
use lakehand_ops::{OpsResult, stages::stage_name};
use lakehand_workflow::history::{EventType, HistoryEvent, Timeline};

const DESCRIBE: Api = Api::paced("states", "DescribeMapRun", 50.0, 2.5);
/// Map Runs of one execution that are asked for.
const SHOWN: usize = 20;

/// The newest Map Runs of a history, newest first: the stage, and the run's ARN.
pub(super) fn of(events: &[HistoryEvent]) -> Vec<(String, String)> {
    let started = |event: &&HistoryEvent| event.event_type == EventType::MapRunStarted;
    let runs: Vec<&HistoryEvent> = events.iter().rev().filter(started).take(SHOWN).collect();
    if runs.is_empty() {
        return Vec::new();
    }
    let timeline = Timeline::of(events);
    let named = |event: &HistoryEvent| {
        let stage = timeline.stage_of(event.id)?;
        Some((
            stage_name(&timeline, stage),
            event.details.map_run_arn.clone()?,
        ))
    };
    runs.into_iter().filter_map(named).collect()
}

/// How far these Map Runs are, by stage.
pub(super) async fn progress(
    clients: &Clients,
    runs: Vec<(String, String)>,
) -> OpsResult<HashMap<String, String>> {
    let told = futures::stream::iter(runs).map(|(stage, arn)| async move {
        let call = clients.sfn.describe_map_run().map_run_arn(&arn);
        let answer = clients.call(DESCRIBE, &arn, call.send()).await?;
        OpsResult::Ok((stage, answer.item_counts))
    });
    let told: Vec<_> = told.buffered(4).try_collect().await?;
    let mut progress: HashMap<String, String> = HashMap::new();
    for (stage, items) in told {
        // The newest comes first, and stays.
        if let Some(items) = items {
            progress.entry(stage).or_insert_with(|| words(&items));
        }
    }
    Ok(progress)
}

fn words(items: &MapRunItemCounts) -> String {
    let also = [
        ("failed", items.failed),
        ("timed out", items.timed_out),
        ("aborted", items.aborted),
        ("running", items.running),
    ];
    let also: String = also
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!(", {count} {what}"))
        .collect();
    format!("{} of {} done{also}", items.succeeded, items.total)
}
