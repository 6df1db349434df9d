//! Sources: is everything that should have come in there, what is left of quotas, what do the crawlers do?

mod jobs;
mod view;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;

pub(crate) use view::view;

use super::{dialogs, start as start_form};
use crate::{
    actions::{ActionId, Reason},
    effect::{Effect, Request},
    fresh::Fresh,
    state::State,
    widgets::list::Cursor,
};
use lakehand_ops::{Crawler, CrawlerState, Freshness, GlueJob, GlueJobRun, OpsResult, Sources};

/// State of the Sources screen.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourcesState {
    pub(super) answer: Fresh<Arc<Sources>>,
    pub(super) cursor: Cursor,
}

/// What a row of the list is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Row<'s> {
    /// A stream.
    Stream(&'s Freshness),
    /// A crawler.
    Crawler(&'s Crawler),
    /// A Glue job.
    Job(&'s GlueJob),
}

impl Row<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Stream(stream) => &stream.stream,
            Self::Crawler(crawler) => &crawler.name,
            Self::Job(job) => &job.name,
        }
    }
}

impl SourcesState {
    /// What was last read.
    pub(super) fn sources(&self) -> Option<&Sources> {
        self.answer.value().map(AsRef::as_ref)
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.sources().map_or(0, |all| {
            all.streams.len() + all.crawlers.len() + all.jobs.len()
        })
    }

    /// A row: first the streams, then the crawlers, then the Glue jobs.
    pub(super) fn row(&self, position: usize) -> Option<Row<'_>> {
        let all = self.sources()?;
        if let Some(stream) = all.streams.get(position) {
            return Some(Row::Stream(stream));
        }
        let position = position - all.streams.len();
        match all.crawlers.get(position) {
            Some(crawler) => Some(Row::Crawler(crawler)),
            None => all.jobs.get(position - all.crawlers.len()).map(Row::Job),
        }
    }

    /// The row under the cursor.
    pub(super) fn selected(&self) -> Option<Row<'_>> {
        self.row(self.cursor.selected())
    }

    /// What can be copied of the selected row: its name.
    pub(crate) fn selected_name(&self) -> Option<&str> {
        match self.selected()? {
            Row::Stream(stream) => Some(&stream.stream),
            Row::Crawler(crawler) => Some(&crawler.name),
            Row::Job(job) => Some(&job.name),
        }
    }

    /// When they were read.
    pub(crate) fn fetched_at(&self) -> Option<Timestamp> {
        self.answer.fetched_at()
    }

    /// Whether the last reading failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.answer.error().is_some()
    }

    /// When they are due to be read again: soon while a crawler runs.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        let running = |crawler: &Crawler| crawler.state != CrawlerState::Ready;
        let runs = |job: &GlueJob| job.last_run.as_ref().is_some_and(GlueJobRun::is_under_way);
        let busy = self
            .sources()
            .is_some_and(|all| all.crawlers.iter().any(running) || all.jobs.iter().any(runs));
        self.answer
            .due(SignedDuration::from_secs(if busy { 1 } else { 30 }))
    }
}

/// Whether the selected stream can be collected.
pub(crate) fn can_collect(state: &State) -> Result<(), Reason> {
    state.may_change()?;
    let workflows = state.startable()?;
    if !workflows.iter().any(|name| name.as_ref() == "collect") {
        return Err("there is no workflow 'collect' here; name its state machine in the profile's aws.state_machines".to_owned());
    }
    match state.sources.selected() {
        Some(Row::Stream(_)) => Ok(()),
        _ => Err("no stream is selected".to_owned()),
    }
}

/// How the selected crawler stands, or the newest run of the selected Glue job.
fn crawling(state: &State) -> Result<CrawlerState, Reason> {
    match state.sources.selected() {
        Some(Row::Crawler(crawler)) => Ok(crawler.state),
        Some(Row::Job(job)) => Ok(match &job.last_run {
            Some(run) if run.state == "STOPPING" => CrawlerState::Stopping,
            Some(run) if run.is_under_way() => CrawlerState::Running,
            _ => CrawlerState::Ready,
        }),
        _ => Err("no crawler is selected".to_owned()),
    }
}

/// Whether the selected crawler or Glue job can be started.
pub(crate) fn can_crawl(state: &State) -> Result<(), Reason> {
    state.may_change()?;
    match crawling(state)? {
        CrawlerState::Ready => Ok(()),
        CrawlerState::Running => Err("it is running".to_owned()),
        CrawlerState::Stopping => Err("it is stopping; wait until it is ready".to_owned()),
    }
}

/// Whether the selected crawler or Glue job can be stopped.
pub(crate) fn can_stop_crawler(state: &State) -> Result<(), Reason> {
    state.may_change()?;
    match crawling(state)? {
        CrawlerState::Running => Ok(()),
        CrawlerState::Ready => Err("it does not run".to_owned()),
        CrawlerState::Stopping => Err("it is stopping already".to_owned()),
    }
}

/// Where the list is; its titles are a row above.
pub(super) fn list(state: &State) -> Rect {
    let body = state.body();
    let wanted = u16::try_from(state.sources.len()).unwrap_or(u16::MAX);
    let most = body.height.saturating_sub(10).max(3);
    Rect {
        x: body.x + 1,
        y: body.y + 2,
        width: body.width.saturating_sub(2),
        height: wanted.clamp(1, most).min(body.height.saturating_sub(2)),
    }
}

fn height(state: &State) -> usize {
    usize::from(list(state).height).max(1)
}

/// Reads them.
pub(crate) fn refresh(state: &mut State, effects: &mut Vec<Effect>) {
    let now = state.now;
    state.sources.answer.asked(now);
    state.ask(Request::Sources, effects);
}

/// Takes them.
pub(crate) fn answered(state: &mut State, answer: OpsResult<Arc<Sources>>) {
    let now = state.now;
    let selected = state.sources.selected_name().map(str::to_owned);
    state.sources.answer.answered(now, answer);
    let length = state.sources.len();
    let position = selected.and_then(|name| {
        (0..length).find(|at| state.sources.row(*at).is_some_and(|row| row.name() == name))
    });
    let height = height(state);
    let position = position.unwrap_or_else(|| state.sources.cursor.selected());
    state.sources.cursor.select(position, length, height);
}

/// Does an action; `false` if it is none of this screen's.
pub(crate) fn act(state: &mut State, action: ActionId) -> bool {
    let (length, height) = (state.sources.len(), height(state));
    if state.sources.cursor.act(action, length, height) {
        return true;
    }
    match action {
        ActionId::Collect => collect(state),
        ActionId::StartCrawler => start(state),
        ActionId::StopCrawler => stop(state),
        _ => return false,
    }
    true
}

/// Asks whether to start the selected crawler or Glue job.
fn start(state: &mut State) {
    match state.sources.selected() {
        Some(Row::Crawler(crawler)) => {
            let name = crawler.name.clone();
            dialogs::ask_crawl(state, name);
        }
        Some(Row::Job(job)) => {
            let name = job.name.clone();
            dialogs::ask_start_job(state, name);
        }
        _ => {}
    }
}

/// Asks whether to stop the selected crawler or the run of the selected Glue job.
fn stop(state: &mut State) {
    match state.sources.selected() {
        Some(Row::Crawler(crawler)) => {
            let name = crawler.name.clone();
            dialogs::ask_stop_crawler(state, name);
        }
        Some(Row::Job(job)) => {
            if let Some(run) = &job.last_run {
                let (name, run) = (job.name.clone(), run.id.clone());
                dialogs::ask_stop_job(state, name, run);
            }
        }
        _ => {}
    }
}

/// Opens the form that starts a collection, of the selected stream only.
fn collect(state: &mut State) {
    if let Some(Row::Stream(stream)) = state.sources.selected() {
        let stream = stream.stream.clone();
        start_form::open_collection(state, &stream);
    }
}

/// Looks for the next row that holds a text.
pub(crate) fn find(state: &mut State, text: &str, forward: bool, inclusive: bool) {
    let wanted = text.to_lowercase();
    let (sources, length) = (&state.sources, state.sources.len());
    let holds = |position: usize| {
        sources
            .row(position)
            .is_some_and(|row| row.name().to_lowercase().contains(&wanted))
    };
    let from = sources.cursor.selected();
    match super::run::next(length, from, forward, inclusive, holds) {
        Some(position) => {
            let height = height(state);
            state.sources.cursor.select(position, length, height);
        }
        None => state.problem(format!("nothing here is called like '{text}'")),
    }
}

/// A click; it selects.
pub(crate) fn click(state: &mut State, x: u16, y: u16) -> bool {
    let area = list(state);
    if area.contains((x, y).into()) {
        let position = state.sources.cursor.top() + usize::from(y - area.y);
        let (length, height) = (state.sources.len(), height(state));
        if position < length {
            state.sources.cursor.select(position, length, height);
        }
    }
    false
}
