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
    lines::Line,
};
use super::{
    Clients,
    call::{Api, CallFailure},
    sfn::StepFunctions,
};
use crate::{
    ops::{ExecutionId, LogLine, OpsResult, ports::Logs},
    pipeline::jobs::Level,
};

const FILTER: Api = Api::paced("logs", "FilterLogEvents", 5.0, 1.25);
/// Clocks differ: a function may seem to have begun before it was scheduled.
const BEFORE: SignedDuration = SignedDuration::from_secs(2);
/// And its last lines may bear a time after its end.
const AFTER: SignedDuration = SignedDuration::from_secs(10);
/// Lines may arrive so long after they were written; then the call's log is whole.
const INGESTED: SignedDuration = SignedDuration::from_secs(90);
/// Pages read of one call's log at a time; the rest comes with the next question.
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
        let mut news: Vec<(Timestamp, LogLine)> = Vec::new();
        for call in &calls {
            if reading.whole.contains(&call.event) {
                continue;
            }
            let asked = Timestamp::now();
            for line in self.lines_of(&arn, call, &ids).await? {
                if reading.seen.insert(line.id.clone()) {
                    news.push((line.at, shown(line, call)));
                }
            }
            let over = call.to.and_then(|to| to.checked_add(INGESTED).ok());
            if over.is_some_and(|over| over < asked) {
                reading.whole.insert(call.event);
            }
        }
        news.sort_by_key(|(at, _)| *at);
        for (_, mut line) in news {
            line.line = reading.lines.len() as u64 + 1;
            reading.lines.push(line);
        }
        Ok(())
    }

    /// The lines of one call of a function.
    async fn lines_of(
        &self,
        arn: &str,
        call: &Call,
        known: &HashSet<&str>,
    ) -> OpsResult<Vec<Line>> {
        if let Some(id) = &call.request_id {
            let found = self.filter(call, Some(id), None).await?;
            if found.iter().any(|line| line.stream.is_empty()) {
                return Ok(found);
            }
            if found.iter().any(|line| line.request.as_ref() == Some(id)) {
                return Ok(found);
            }
            // Lines that do not name their request lie between its START and its END, in the same stream.
            let stream = found.first().map(|line| line.stream.clone());
            if let Some(stream) = stream {
                let all = self.filter(call, None, Some(stream)).await?;
                return Ok(lines::of_requests(all, |request| request.id == Some(id)));
            }
        }
        // Nothing tells the request: it is one that began while the call was under way, and is of no other call.
        let all = self.filter(call, None, None).await?;
        let began_in_time = |logged: Timestamp| call.to.is_none_or(|to| logged <= to);
        let of_another =
            |request: &str| known.contains(request) && call.request_id.as_deref() != Some(request);
        Ok(lines::of_requests(all, |request| {
            let ours = request.execution.is_none_or(|own| names(arn, own));
            ours && began_in_time(request.first) && !request.id.is_some_and(of_another)
        }))
    }

    /// What a function's log group holds of a call's time.
    async fn filter(
        &self,
        call: &Call,
        request: Option<&str>,
        stream: Option<String>,
    ) -> OpsResult<Vec<Line>> {
        let group = format!("/aws/lambda/{}", call.function);
        let from = call.from.checked_sub(BEFORE).unwrap_or(call.from);
        let to = call.to.and_then(|to| to.checked_add(AFTER).ok());
        let (mut found, mut token) = (Vec::new(), None);
        for _ in 0..PAGES {
            let ask = self
                .clients
                .logs
                .filter_log_events()
                .log_group_name(&group)
                .start_time(from.as_millisecond())
                .set_end_time(to.map(Timestamp::as_millisecond))
                .set_filter_pattern(request.map(|id| format!("\"{id}\"")))
                .set_log_stream_names(stream.clone().map(|stream| vec![stream]))
                .set_next_token(token);
            let answer = match self.clients.call(FILTER, &group, ask.send()).await {
                Ok(answer) => answer,
                Err(error) if error.failure == CallFailure::NotFound => {
                    return Ok(vec![Line::missing_group(&group, call)]);
                }
                Err(error) => return Err(error.into()),
            };
            found.extend(answer.events.unwrap_or_default().into_iter().map(Line::of));
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        Ok(found)
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
