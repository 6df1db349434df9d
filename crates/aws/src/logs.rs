//! The log lines of an execution: those of its Lambda tasks, found from its history.
//!
//! The history tells which function ran from when to when, and, once it answered, under which request id. Our own
//! functions write JSON lines that name execution and request; the lines of others are told apart by the START and END
//! that Lambda itself writes around them.

mod calls;
mod lines;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use self::{
    calls::{Call, calls_of},
    lines::{Line, Request},
};
use super::{
    Clients,
    call::{Api, CallFailure},
    sfn::StepFunctions,
};
use lakehand_ops::{ExecutionId, LogLine, OpsResult, ports::Logs};
use lakehand_pipeline::jobs::Level;

const FILTER: Api = Api::paced("logs", "FilterLogEvents", 5.0, 1.25);
/// Clocks differ: a function may seem to have begun before it was scheduled.
const BEFORE: SignedDuration = SignedDuration::from_secs(2);
/// And its last lines may bear a time after its end.
const AFTER: SignedDuration = SignedDuration::from_secs(10);
/// Lines may arrive so long after they were written; then the call's log is whole.
const INGESTED: SignedDuration = SignedDuration::from_secs(90);
/// Pages read of one call's log at a time; the next question goes on behind them.
const PAGES: usize = 20;

/// The [`Logs`] of a profile on AWS.
#[derive(Debug)]
pub(super) struct CloudWatchLogs {
    clients: Clients,
    workflows: Arc<StepFunctions>,
    read: Mutex<HashMap<ExecutionId, Arc<tokio::sync::Mutex<Reading>>>>,
}

/// What was read of one execution's log. Lines keep their places, so that whoever follows never misses one.
#[derive(Debug, Default)]
struct Reading {
    lines: Vec<LogLine>,
    seen: HashSet<String>,
    whole: HashSet<u64>,
    unfinished: HashMap<Search, Scan>,
}

/// What is looked for in a log group: the lines of a call's time, by its scheduling event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Search {
    call: u64,
    /// Only lines with this request id.
    request: Option<String>,
    /// Only lines of this stream.
    stream: Option<String>,
}

/// How far a search has come.
#[derive(Debug, Clone)]
struct Scan {
    begun: Timestamp,
    /// The end of the time that is read; a token is good for one and the same question only.
    to: Option<Timestamp>,
    found: Vec<Line>,
    /// Where the next page is, if there is one.
    token: Option<String>,
}

impl Scan {
    fn of(call: &Call) -> Self {
        Self {
            begun: Timestamp::now(),
            to: call.to.and_then(|to| to.checked_add(AFTER).ok()),
            found: Vec::new(),
            token: None,
        }
    }

    /// Without the lines of requests that are not wanted.
    fn only(mut self, wanted: impl Fn(Request<'_>) -> bool) -> Self {
        self.found = lines::of_requests(self.found, wanted);
        self
    }
}

impl CloudWatchLogs {
    /// Logs of the executions of `workflows`.
    pub(super) fn new(clients: Clients, workflows: Arc<StepFunctions>) -> Self {
        Self {
            clients,
            workflows,
            read: Mutex::default(),
        }
    }

    /// Reads what is new of every call that may still have more.
    async fn refresh(&self, id: &ExecutionId, reading: &mut Reading) -> OpsResult<()> {
        let (arn, events) = self.workflows.events_of(id).await?;
        let calls = calls_of(&events);
        let ids: HashSet<&str> = calls
            .iter()
            .filter_map(|call| call.request_id.as_deref())
            .collect();
        let mut scans = Vec::new();
        for call in &calls {
            if !reading.whole.contains(&call.event) {
                let unfinished = &mut reading.unfinished;
                scans.push((call, self.lines_of(&arn, call, &ids, unfinished).await?));
            }
        }
        // Nothing counts as seen before every call has answered: a failure would lose it.
        let mut news: Vec<(Timestamp, LogLine)> = Vec::new();
        for (call, scan) in scans {
            for line in scan.found {
                if reading.seen.insert(line.id.clone()) {
                    news.push((line.at, shown(line, call)));
                }
            }
            let over = call.to.and_then(|to| to.checked_add(INGESTED).ok());
            if scan.token.is_none() && over.is_some_and(|over| over < scan.begun) {
                reading.whole.insert(call.event);
                reading
                    .unfinished
                    .retain(|search, _| search.call != call.event);
            }
        }
        news.sort_by_key(|(at, _)| *at);
        for (_, mut line) in news {
            line.line = reading.lines.len() as u64 + 1;
            reading.lines.push(line);
        }
        Ok(())
    }

    /// The lines of one call of a function, as far as they were read.
    async fn lines_of(
        &self,
        arn: &str,
        call: &Call,
        known: &HashSet<&str>,
        unfinished: &mut HashMap<Search, Scan>,
    ) -> OpsResult<Scan> {
        let mut search = Search {
            call: call.event,
            request: call.request_id.clone(),
            stream: None,
        };
        if let Some(id) = &call.request_id {
            let scan = self.filter(call, &search, unfinished).await?;
            if scan.found.iter().any(|line| line.stream.is_empty()) {
                return Ok(scan);
            }
            let named = |line: &Line| line.request.as_ref() == Some(id);
            if scan.found.iter().any(named) || (scan.found.is_empty() && scan.token.is_some()) {
                return Ok(scan);
            }
            // Lines that do not name their request lie between its START and its END, in the same stream.
            search.request = None;
            search.stream = scan.found.first().map(|line| line.stream.clone());
            if search.stream.is_some() {
                let all = self.filter(call, &search, unfinished).await?;
                return Ok(all.only(|request| request.id == Some(id)));
            }
        }
        // Nothing tells the request: it is one that began while the call was under way, and is of no other call.
        let all = self.filter(call, &search, unfinished).await?;
        let began_in_time = |logged: Timestamp| call.to.is_none_or(|to| logged <= to);
        let of_another =
            |request: &str| known.contains(request) && call.request_id.as_deref() != Some(request);
        Ok(all.only(|request| {
            let ours = request.execution.is_none_or(|own| names(arn, own));
            ours && began_in_time(request.first) && !request.id.is_some_and(of_another)
        }))
    }

    /// What a function's log group holds of a call's time: the pages behind those that were read before.
    async fn filter(
        &self,
        call: &Call,
        search: &Search,
        unfinished: &mut HashMap<Search, Scan>,
    ) -> OpsResult<Scan> {
        let group = format!("/aws/lambda/{}", call.function);
        let from = call.from.checked_sub(BEFORE).unwrap_or(call.from);
        // A scan that fails begins anew with the next question: its token may be the reason.
        let mut scan = unfinished.remove(search).unwrap_or_else(|| Scan::of(call));
        for _ in 0..PAGES {
            let ask = self
                .clients
                .logs
                .filter_log_events()
                .log_group_name(&group)
                .start_time(from.as_millisecond())
                .set_end_time(scan.to.map(Timestamp::as_millisecond))
                .set_filter_pattern(search.request.as_ref().map(|id| format!("\"{id}\"")))
                .set_log_stream_names(search.stream.clone().map(|stream| vec![stream]))
                .set_next_token(scan.token.take());
            let answer = match self.clients.call(FILTER, &group, ask.send()).await {
                Ok(answer) => answer,
                Err(error) if error.failure == CallFailure::NotFound => {
                    scan.found = vec![Line::missing_group(&group, call)];
                    return Ok(scan);
                }
                Err(error) => return Err(error.into()),
            };
            let events = answer.events.unwrap_or_default();
            scan.found.extend(events.into_iter().map(Line::of));
            scan.token = answer.next_token.filter(|token| !token.is_empty());
            if scan.token.is_none() {
                return Ok(scan);
            }
        }
        unfinished.insert(search.clone(), scan.clone());
        Ok(scan)
    }
}

/// Whether a line's `execution` is this one: its ARN, or its name.
fn names(arn: &str, own: &str) -> bool {
    arn == own || arn.rsplit(':').next() == Some(own)
}

fn shown(line: Line, call: &Call) -> LogLine {
    LogLine {
        line: 0,
        at: line.at,
        level: line.level,
        stage: call.stage.clone(),
        attempt: call.attempt,
        message: line.message,
    }
}

#[async_trait]
impl Logs for CloudWatchLogs {
    async fn lines(
        &self,
        id: &ExecutionId,
        stage: Option<&str>,
        after_line: u64,
        limit: usize,
    ) -> OpsResult<Vec<LogLine>> {
        let reading = {
            let mut all = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(id.clone()).or_default())
        };
        let mut reading = reading.lock().await;
        let place = usize::try_from(after_line).unwrap_or(usize::MAX);
        // Who still has lines to fetch does not ask AWS for more.
        if reading.lines.len() < place.saturating_add(limit) {
            self.refresh(id, &mut reading).await?;
        }
        let lines = reading.lines.iter().skip(place);
        let wanted = lines.filter(|line| stage.is_none_or(|stage| line.stage == stage));
        Ok(wanted.take(limit).cloned().collect())
    }
}

impl Line {
    fn missing_group(group: &str, call: &Call) -> Self {
        Self {
            id: format!("{group} is missing"),
            at: call.from,
            logged: call.from,
            level: Level::Warn,
            message: format!(
                "the log group {group} does not exist: {} never wrote to it, or it was removed",
                call.function
            ),
            stream: String::new(),
            request: None,
            execution: None,
        }
    }
}
