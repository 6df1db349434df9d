//! Distributed Map states: their items run as executions of their own, and the history only names the Map Run.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt};

use super::super::{Clients, call::Api};
use crate::{
    ops::{OpsResult, stages::stage_name},
    workflow::history::{EventType, HistoryEvent, Timeline},
};

const DESCRIBE: Api = Api::paced("states", "DescribeMapRun", 50.0, 2.5);
/// Map Runs of one execution that are asked for.
const SHOWN: usize = 20;

/// How far the newest Map Runs of an execution are, by stage.
pub(super) async fn progress(
    clients: &Clients,
    events: &[HistoryEvent],
) -> OpsResult<HashMap<String, String>> {
    let runs: Vec<(u64, String)> = events
        .iter()
        .rev()
        .filter(|event| event.event_type == EventType::MapRunStarted)
        .filter_map(|event| Some((event.id, event.details.map_run_arn.clone()?)))
        .take(SHOWN)
        .collect();
    if runs.is_empty() {
        return Ok(HashMap::new());
    }
    let timeline = Timeline::of(events);
    let mut progress: HashMap<String, String> = HashMap::new();
    let told = futures::stream::iter(runs).map(|(event, arn)| async move {
        let call = clients.sfn.describe_map_run().map_run_arn(&arn);
        let answer = clients.call(DESCRIBE, &arn, call.send()).await?;
        OpsResult::Ok((event, answer))
    });
    let told: Vec<_> = told.buffered(4).try_collect().await?;
    for (event, answer) in told {
        let (Some(stage), Some(items)) = (timeline.stage_of(event), answer.item_counts) else {
            continue;
        };
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
        // The newest comes first, and stays.
        progress
            .entry(stage_name(&timeline, stage))
            .or_insert_with(|| format!("{} of {} done{also}", items.succeeded, items.total));
    }
    Ok(progress)
}
