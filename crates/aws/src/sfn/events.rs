//! The events of executions, read from the newest back to what is known already.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    super::{Clients, call::Api},
    history,
};
use lakehand_ops::OpsResult;
use lakehand_workflow::history::HistoryEvent;

const HISTORY: Api = Api::paced("states", "GetExecutionHistory", 100.0, 5.0);
/// Executions whose events are kept.
const KEPT: usize = 32;
/// Events of a first read's page; AWS gives at most so many.
const WHOLE_PAGE: i32 = 1000;
/// Events of a page when some are known.
const NEWS_PAGE: i32 = 100;

/// Looks at a history that lacks the end it must have, each a little later than the one before.
const LOOKS: u32 = 4;
const LAG: Duration = Duration::from_millis(300);

/// Events of one execution.
#[derive(Debug, Default)]
struct Kept {
    events: Vec<HistoryEvent>,
    read: Option<Instant>,
}

impl Kept {
    fn last(&self) -> u64 {
        self.events.last().map_or(0, |event| event.id)
    }

    fn has_ended(&self) -> bool {
        self.events
            .last()
            .is_some_and(|event| event.event_type.ends_execution())
    }
}

type Slot = Arc<tokio::sync::Mutex<Kept>>;

/// Events of the executions that were looked at last.
#[derive(Debug, Default)]
pub(super) struct Events {
    kept: Mutex<VecDeque<(String, Slot)>>,
}

impl Events {
    /// Events with an id above `after`, oldest first.
    pub(super) async fn after(
        &self,
        clients: &Clients,
        arn: &str,
        after: u64,
        old: Duration,
    ) -> OpsResult<Vec<HistoryEvent>> {
        let newer = |events: &[HistoryEvent]| {
            let from = events.partition_point(|event| event.id <= after);
            events[from..].to_vec()
        };
        self.look(clients, arn, old, newer).await
    }

    /// Looks at all events of an execution. What was read less than `old` ago is not read again, and neither is a
    /// history that has ended, unless [`Events::goes_on`] says that it was redriven.
    pub(super) async fn look<T>(
        &self,
        clients: &Clients,
        arn: &str,
        old: Duration,
        look: impl FnOnce(&[HistoryEvent]) -> T,
    ) -> OpsResult<T> {
        let slot = self.slot(arn);
        let mut kept = slot.lock().await;
        let recent = kept.read.is_some_and(|at| at.elapsed() < old);
        if !recent && !kept.has_ended() {
            let news = news(clients, arn, kept.last()).await?;
            kept.events.extend(news);
            kept.read = Some(Instant::now());
        }
        Ok(look(&kept.events))
    }

    /// The execution goes on although its history had ended.
    pub(super) async fn goes_on(&self, clients: &Clients, arn: &str) -> OpsResult<()> {
        let slot = self.slot(arn);
        let mut kept = slot.lock().await;
        if kept.has_ended() {
            let news = news(clients, arn, kept.last()).await?;
            kept.events.extend(news);
            kept.read = Some(Instant::now());
        }
        Ok(())
    }

    /// The execution has ended: what was read of it must reach its end. The history may lag behind a little.
    pub(super) async fn reach_the_end(&self, clients: &Clients, arn: &str) -> OpsResult<()> {
        let slot = self.slot(arn);
        let mut kept = slot.lock().await;
        for look in 0..LOOKS {
            if kept.read.is_none() || kept.has_ended() {
                break;
            }
            tokio::time::sleep(LAG * look).await;
            let news = news(clients, arn, kept.last()).await?;
            kept.events.extend(news);
            kept.read = Some(Instant::now());
        }
        Ok(())
    }

    /// How often the execution was redriven, as far as its events are known; `None` when nothing was read.
    pub(super) async fn redrives(&self, arn: &str) -> Option<u64> {
        let slot = self.slot(arn);
        let kept = slot.lock().await;
        kept.read?;
        let redriven = kept
            .events
            .iter()
            .rev()
            .find_map(|event| event.details.redrive_count);
        Some(redriven.unwrap_or(0))
    }

    fn slot(&self, arn: &str) -> Slot {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|(own, _)| own == arn);
        let entry = place
            .and_then(|place| kept.remove(place))
            .unwrap_or_else(|| (arn.to_owned(), Slot::default()));
        let slot = Arc::clone(&entry.1);
        kept.push_back(entry);
        if kept.len() > KEPT {
            kept.pop_front();
        }
        slot
    }
}

/// Events above `last`: pages from the newest back, until one reaches what is known.
async fn news(clients: &Clients, arn: &str, last: u64) -> OpsResult<Vec<HistoryEvent>> {
    let size = if last == 0 { WHOLE_PAGE } else { NEWS_PAGE };
    let (mut news, mut token) = (Vec::new(), None);
    loop {
        let call = clients
            .sfn
            .get_execution_history()
            .execution_arn(arn)
            .reverse_order(true)
            .max_results(size);
        let answer = clients
            .call(HISTORY, arn, call.set_next_token(token).send())
            .await?;
        let mut reached = last > 0 && answer.events.is_empty();
        for event in answer.events.into_iter().map(history::event) {
            if event.id <= last {
                reached = true;
                break;
            }
            // What happened while the pages were read may have pushed events onto the next page again.
            let known = |newest: &HistoryEvent| newest.id <= event.id;
            if !news.last().is_some_and(known) {
                news.push(event);
            }
        }
        token = answer.next_token;
        if reached || token.is_none() {
            break;
        }
    }
    news.reverse();
    Ok(news)
}
