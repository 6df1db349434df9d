//! Executions as the API describes them, and how rarely it is asked.
//!
//! ListExecutions is the scarcest of all calls: a list is read every few seconds at most, and what runs is followed by
//! DescribeExecution in between. What has ended stays as it is until it is redriven, so it is described once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_sdk_sfn::{
    operation::describe_execution::DescribeExecutionOutput,
    types::{ExecutionListItem, ExecutionRedriveStatus, ExecutionStatus as SdkStatus},
};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    super::{
        Clients,
        call::{Api, CallError, CallFailure},
        instant,
    },
    machines::Machine,
};
use lakehand_ops::{
    ExecutionId, ExecutionStatus, OpsResult,
    start::{parent_in, window_in},
};
use lakehand_pipeline::window::Window;

const LIST: Api = Api::paced("states", "ListExecutions", 25.0, 0.5);
const DESCRIBE: Api = Api::paced("states", "DescribeExecution", 62.0, 2.5);
/// A list that is younger is not read again.
const LISTED_FOR: Duration = Duration::from_secs(10);
/// Executions behind the newest page have ended, and are read again after this long: somebody may have redriven one.
const TAIL_FOR: Duration = Duration::from_secs(300);
/// What has ended is described again after this long: somebody else may have redriven it.
const ENDED_FOR: Duration = Duration::from_secs(15);
/// Whoever asks for header and payloads of a running execution at once gets one call.
const RUNNING_FOR: Duration = Duration::from_millis(500);
/// How long AWS may take to tell what was changed a moment ago: its reads are eventually consistent.
const CONVERGES_WITHIN: Duration = Duration::from_secs(10);
/// First and longest wait before such a description is asked for again.
const BEHIND: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Descriptions kept, with their payloads.
const KEPT: usize = 64;
/// Executions on a page of the list; AWS gives at most so many.
const PAGE: usize = 1000;

/// An execution as DescribeExecution tells it.
#[derive(Debug, Clone)]
pub(super) struct Described {
    pub arn: String,
    pub name: String,
    pub status: ExecutionStatus,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub redrives: u32,
    pub window: Option<Window>,
    /// The execution that its input names as the one that started it.
    pub parent: Option<ExecutionId>,
    pub error: Option<String>,
    pub input: String,
    pub output: Option<String>,
    /// Why it cannot be redriven; `None` when it can, or when AWS does not say.
    pub not_redrivable: Option<String>,
}

/// An execution as ListExecutions tells it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub arn: String,
    pub name: String,
    pub status: ExecutionStatus,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub redrives: u32,
}

impl Listed {
    fn of(item: ExecutionListItem) -> Self {
        Self {
            status: status(&item.status),
            started: instant(&item.start_date),
            ended: item.stop_date.as_ref().map(instant),
            redrives: count(item.redrive_count),
            arn: item.execution_arn,
            name: item.name,
        }
    }
}

fn count(number: Option<i32>) -> u32 {
    number
        .and_then(|number| u32::try_from(number).ok())
        .unwrap_or(0)
}

/// AWS's status as ours. A child of a Map Run that waits for its redrive is not over.
fn status(status: &SdkStatus) -> ExecutionStatus {
    match status {
        SdkStatus::Succeeded => ExecutionStatus::Succeeded,
        SdkStatus::Failed => ExecutionStatus::Failed,
        SdkStatus::TimedOut => ExecutionStatus::TimedOut,
        SdkStatus::Aborted => ExecutionStatus::Aborted,
        _ => ExecutionStatus::Running,
    }
}

fn described(answer: DescribeExecutionOutput) -> Described {
    let input = answer.input.unwrap_or_default();
    let parsed: Option<Value> = serde_json::from_str(&input).ok();
    let not_redrivable = match &answer.redrive_status {
        Some(ExecutionRedriveStatus::NotRedrivable) => Some(
            answer
                .redrive_status_reason
                .clone()
                .unwrap_or_else(|| "AWS says so, without a reason".to_owned()),
        ),
        Some(ExecutionRedriveStatus::RedrivableByMapRun) => Some(
            "it belongs to a Map Run; redrive the execution that started the Map Run".to_owned(),
        ),
        _ => None,
    };
    Described {
        status: status(&answer.status),
        started: instant(&answer.start_date),
        ended: answer.stop_date.as_ref().map(instant),
        redrives: count(answer.redrive_count),
        window: parsed.as_ref().and_then(window_in),
        parent: parsed.as_ref().and_then(parent_in),
        error: answer.error,
        name: answer.name.unwrap_or_else(|| {
            let last = answer.execution_arn.rsplit(':').next();
            last.unwrap_or_default().to_owned()
        }),
        arn: answer.execution_arn,
        output: answer.output,
        input,
        not_redrivable,
    }
}

/// One machine's newest executions, when they were read, and whether there are no more.
#[derive(Debug)]
struct List {
    read: Timestamp,
    items: Vec<Listed>,
    whole: bool,
    /// How many were asked for at most until now.
    asked: usize,
    /// When all of them were read, and not the newest page only.
    all_read: Timestamp,
}

impl List {
    /// Whether what is behind the newest page need not be read again for whoever wants so many.
    fn has_a_tail_to_keep(&self, clients: &Clients, asked: usize) -> bool {
        let tail = self.items.get(PAGE..).unwrap_or_default();
        !tail.is_empty()
            && (self.whole || self.items.len() >= asked)
            && clients.is_young(self.all_read, TAIL_FOR)
            && tail.iter().all(|one| one.status.is_ended())
    }

    /// This newest page, with what is known of the executions behind it; `None` where they do not meet.
    fn followed_by(mut self, known: &Self) -> Option<Self> {
        if !self.whole {
            let last = self.items.last()?;
            let met = known.items.iter().position(|one| one.arn == last.arn)?;
            let tail = known.items.get(met + 1..).unwrap_or_default();
            if !tail.iter().all(|one| one.status.is_ended()) {
                return None;
            }
            self.items.extend(tail.iter().cloned());
            self.whole = known.whole;
        }
        Some(Self {
            asked: known.asked,
            all_read: known.all_read,
            ..self
        })
    }
}

type Slot = Arc<tokio::sync::Mutex<Option<List>>>;

/// What is known of executions.
#[derive(Debug, Default)]
pub(super) struct Executions {
    lists: Mutex<HashMap<String, Slot>>,
    described: Mutex<HashMap<String, (Instant, Arc<Described>)>>,
    /// Executions that we started or redrove: since when, and how many redrives a description must know of.
    changed: Mutex<HashMap<String, (Instant, u32)>>,
}

impl Executions {
    /// The newest executions of a machine, newest first, as the list has them: what runs may have ended since.
    pub(super) async fn list(
        &self,
        clients: &Clients,
        machine: &Machine,
        limit: usize,
    ) -> OpsResult<Vec<Listed>> {
        let slot = self.slot(&machine.arn);
        let mut list = slot.lock().await;
        let serves = |list: &List| {
            clients.is_young(list.read, LISTED_FOR) && (list.whole || list.items.len() >= limit)
        };
        if !list.as_ref().is_some_and(serves) {
            // Whoever wants many will want them again: one call serves them and those who want few.
            let asked = list.as_ref().map_or(limit, |list| list.asked.max(limit));
            let news = match list
                .as_ref()
                .filter(|list| list.has_a_tail_to_keep(clients, asked))
            {
                Some(known) => {
                    let page = read_list(clients, machine, PAGE, None).await?;
                    match page.followed_by(known) {
                        Some(list) => list,
                        None => read_list(clients, machine, asked, None).await?,
                    }
                }
                None => read_list(clients, machine, asked, None).await?,
            };
            *list = Some(news);
        }
        let items = list.as_ref().map(|list| list.items.as_slice());
        Ok(items
            .unwrap_or_default()
            .iter()
            .take(limit)
            .cloned()
            .collect())
    }

    /// The end of a machine's newest success.
    pub(super) async fn last_success(
        &self,
        clients: &Clients,
        machine: &Machine,
    ) -> OpsResult<Option<Timestamp>> {
        let succeeded = Some(SdkStatus::Succeeded);
        let list = read_list(clients, machine, 1, succeeded).await?;
        Ok(list.items.first().and_then(|item| item.ended))
    }

    /// One execution.
    pub(super) async fn describe(&self, clients: &Clients, arn: &str) -> OpsResult<Arc<Described>> {
        if let Some(known) = self.known(arn) {
            return Ok(known);
        }
        self.describe_now(clients, arn).await
    }

    /// One execution, as it is at this moment, with what we did to it.
    pub(super) async fn describe_now(
        &self,
        clients: &Clients,
        arn: &str,
    ) -> OpsResult<Arc<Described>> {
        let mut wait = BEHIND.0;
        let answer = loop {
            let answer = ask(clients, arn).await;
            if !self.is_behind(arn, &answer) {
                break answer?;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(BEHIND.1);
        };
        let described = Arc::new(answer);
        let mut all = self
            .described
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KEPT {
            let oldest = all.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(oldest) = oldest.map(|(arn, _)| arn.clone()) {
                all.remove(&oldest);
            }
        }
        all.insert(arn.to_owned(), (Instant::now(), Arc::clone(&described)));
        Ok(described)
    }

    /// Whether an answer is from before the start or the redrive that we made.
    fn is_behind(&self, arn: &str, answer: &Result<Described, CallError>) -> bool {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((since, redrives)) = changed.get(arn).copied() else {
            return false;
        };
        let behind = match answer {
            Ok(described) => described.redrives < redrives,
            Err(error) => error.failure == CallFailure::NotFound,
        };
        if behind && since.elapsed() < CONVERGES_WITHIN {
            return true;
        }
        if !behind && answer.is_ok() {
            changed.remove(arn);
        }
        false
    }

    /// What was described a moment ago.
    fn known(&self, arn: &str) -> Option<Arc<Described>> {
        let all = self
            .described
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (at, described) = all.get(arn)?;
        let keeps = if described.status.is_ended() {
            ENDED_FOR
        } else {
            RUNNING_FOR
        };
        (at.elapsed() < keeps).then(|| Arc::clone(described))
    }

    /// We started an execution, or redrove it: until AWS tells so, its answers are from before.
    pub(super) async fn goes_on(&self, machine: &str, arn: &str, redrives: u32) {
        {
            let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
            changed.retain(|_, (since, _)| since.elapsed() < CONVERGES_WITHIN);
            changed.insert(arn.to_owned(), (Instant::now(), redrives));
        }
        self.forget(machine, arn).await;
    }

    /// Something of this machine was started, stopped or redriven by us: what is known of it is old.
    pub(super) async fn forget(&self, machine: &str, arn: &str) {
        self.described
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(arn);
        *self.slot(machine).lock().await = None;
    }

    /// What comes next is to be as it is then.
    pub(super) fn forget_all(&self) {
        self.described
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        let lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        for slot in lists.values() {
            // A list that is being read at this moment is new.
            if let Ok(mut list) = slot.try_lock() {
                *list = None;
            }
        }
    }

    fn slot(&self, machine: &str) -> Slot {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lists.entry(machine.to_owned()).or_default())
    }
}

async fn ask(clients: &Clients, arn: &str) -> Result<Described, CallError> {
    let call = clients.sfn.describe_execution().execution_arn(arn);
    let answer = clients.call(DESCRIBE, arn, call.send()).await?;
    Ok(described(answer))
}

async fn read_list(
    clients: &Clients,
    machine: &Machine,
    limit: usize,
    only: Option<SdkStatus>,
) -> OpsResult<List> {
    let (mut items, mut token) = (Vec::new(), None);
    loop {
        let wanted = limit.saturating_sub(items.len()).clamp(1, PAGE);
        let call = clients
            .sfn
            .list_executions()
            .state_machine_arn(&machine.arn)
            .set_status_filter(only.clone())
            .max_results(i32::try_from(wanted).unwrap_or(i32::MAX));
        let answer = clients
            .call(LIST, &machine.arn, call.set_next_token(token).send())
            .await?;
        items.extend(answer.executions.into_iter().map(Listed::of));
        token = answer.next_token;
        if token.is_none() || items.len() >= limit {
            break;
        }
    }
    Ok(List {
        read: clients.now(),
        items,
        whole: token.is_none(),
        asked: limit,
        all_read: clients.now(),
    })
}
