//! Board: at 03:00, in ten seconds: is today's data there, what failed, why, is a redrive safe?

mod layout;
mod verdict;
mod view;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;

pub(crate) use view::view;

use layout::layout;

use super::{logs, run};
use crate::{
    actions::ActionId,
    effect::{Effect, Request, RequestKey},
    fresh::Fresh,
    state::{Screen, State},
    theme::{execution_mark, needs_care},
    widgets::list::Cursor,
};
use lakehand_ops::{
    Board, ExecutionDetail, ExecutionId, ExecutionStatus, ExecutionSummary, OpsResult,
};

/// Executions kept in the list.
pub(crate) const MOST_EXECUTIONS: usize = 10_000;

/// A selection must rest this long before its details are read: moving through a list reads nothing.
const PREVIEW_REST: SignedDuration = SignedDuration::from_millis(120);

#[cfg(test)]
thread_local! {
    static ROWS_ACCESSED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Rows of the list looked at so far by this thread, for the budget of a frame.
#[cfg(test)]
pub(crate) fn rows_accessed() -> usize {
    ROWS_ACCESSED.with(std::cell::Cell::get)
}

/// What the side pane shows where there is room for one thing only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Side {
    /// The selected execution.
    #[default]
    Details,
    /// Every stream's age.
    Freshness,
}

/// State of the Board.
#[derive(Debug, Clone, Default)]
pub(crate) struct BoardState {
    pub(super) answer: Fresh<Arc<Board>>,
    pub(super) executions: Fresh<Arc<Vec<ExecutionSummary>>>,
    pub(super) order: Vec<u32>,
    pub(super) cursor: Cursor,
    pub(super) filter: String,
    pub(super) side: Side,
    /// Why executions failed, by their ids and ends: what a search looks into beside the rows.
    causes: HashMap<(ExecutionId, Option<Timestamp>), String>,
    /// What was looked for before the causes were there.
    awaits_causes: Option<(String, bool, bool)>,
    preview: Option<(ExecutionId, Fresh<Arc<ExecutionDetail>>)>,
    preview_due: Option<Timestamp>,
    moved: bool,
    /// Whether an execution of the list runs: the list and the Board are read apart, and one may be older.
    listed_running: bool,
}

impl BoardState {
    /// The newest Board.
    pub(crate) fn board(&self) -> Option<&Board> {
        self.answer.value().map(AsRef::as_ref)
    }

    /// The row under the cursor.
    pub(crate) fn selected_execution(&self) -> Option<&ExecutionSummary> {
        self.at(self.cursor.selected())
    }

    /// The execution at a position of the list.
    pub(super) fn at(&self, position: usize) -> Option<&ExecutionSummary> {
        #[cfg(test)]
        ROWS_ACCESSED.with(|count| count.set(count.get() + 1));
        let row = *self.order.get(position)?;
        self.executions.value()?.get(row as usize)
    }

    /// Details of an execution, if they were read for the side pane.
    pub(crate) fn preview_of(&self, id: &ExecutionId) -> Option<&ExecutionDetail> {
        self.preview
            .as_ref()
            .filter(|(of, _)| of == id)
            .and_then(|(_, detail)| detail.value())
            .map(AsRef::as_ref)
    }

    /// When the Board was read.
    pub(crate) fn fetched_at(&self) -> Option<Timestamp> {
        self.answer.fetched_at()
    }

    /// Whether the last reading failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.answer.error().is_some() || self.executions.error().is_some()
    }

    /// When it is due to be read again.
    pub(crate) fn due(&self, every: SignedDuration) -> Option<Timestamp> {
        self.answer.due(every)
    }

    /// What the executions are filtered by.
    pub(crate) fn filter_text(&self) -> &str {
        &self.filter
    }

    /// Whether rows are hidden by a filter.
    pub(crate) fn has_filter(&self) -> bool {
        !self.filter.is_empty()
    }

    /// Whether something runs.
    pub(crate) fn is_running(&self) -> bool {
        let running = |card: &lakehand_ops::WorkflowCard| {
            card.executions
                .first()
                .is_some_and(|first| first.status == ExecutionStatus::Running)
        };
        self.listed_running
            || self
                .board()
                .is_some_and(|board| board.workflows.iter().any(running))
    }

    /// What is known of why an execution failed.
    fn cause_of(&self, execution: &ExecutionSummary) -> &str {
        let key = (execution.id.clone(), execution.ended);
        self.causes.get(&key).map_or("", String::as_str)
    }

    /// Makes the list anew: what needs care first, then newest first; the execution named stays selected.
    fn arrange(&mut self, selected: Option<&ExecutionId>, height: usize) {
        let all: &[ExecutionSummary] = self.executions.value().map_or(&[], |all| all.as_slice());
        let words: Vec<String> = self
            .filter
            .to_lowercase()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        // Parts of another execution are found by a filter; without one they would push today out of the list.
        let ids: HashSet<&ExecutionId> = all.iter().map(|one| &one.id).collect();
        let parent = |row: &u32| all[*row as usize].parent.as_ref();
        let folded =
            |row: &u32| words.is_empty() && parent(row).is_some_and(|parent| ids.contains(parent));
        let found = |row: &u32| {
            let one = &all[*row as usize];
            matches(one, self.cause_of(one), &words)
        };
        let wanted = |row: &u32| !folded(row) && found(row);
        let length = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let mut order: Vec<u32> = (0..length).filter(wanted).collect();
        order.sort_by_key(|row| {
            let execution = &all[*row as usize];
            let trouble = needs_care(execution.status)
                && !execution.superseded
                && execution.status != ExecutionStatus::Aborted;
            // What runs stands before what ended, also where it was started long ago and redriven.
            (!trouble, execution.status != ExecutionStatus::Running)
        });
        let position = selected
            .filter(|_| self.moved)
            .and_then(|id| order.iter().position(|row| all[*row as usize].id == *id));
        self.order = order;
        self.cursor
            .select(position.unwrap_or(0), self.order.len(), height);
    }
}

/// Whether an execution or its cause holds every word, or does not hold a `!word`.
fn matches(execution: &ExecutionSummary, cause: &str, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let theme = crate::theme::Theme::mono();
    let window = execution
        .window
        .map(|window| window.to_string())
        .unwrap_or_default();
    let text = [
        execution.workflow.as_ref(),
        &execution.name,
        execution_mark(&theme, execution).word,
        execution.current_stage.as_deref().unwrap_or_default(),
        execution.error.as_deref().unwrap_or_default(),
        &window,
        cause,
    ]
    .join(" ")
    .to_lowercase();
    words.iter().all(|word| match word.strip_prefix('!') {
        Some(word) => !text.contains(word),
        None => text.contains(word.as_str()),
    })
}

/// Where messages may lie: over the list, never over what tells what to do.
pub(crate) fn beside_advice(state: &State) -> Rect {
    layout(state).list
}

/// Rows of the list without its titles.
fn list_height(state: &State) -> usize {
    usize::from(layout(state).list.height.saturating_sub(1)).max(1)
}

/// The newest execution of a workflow that began after `since`.
pub(crate) fn newest_of(state: &State, workflow: &str, since: Timestamp) -> Option<ExecutionId> {
    let all = state.board.executions.value()?;
    all.iter()
        .filter(|execution| execution.workflow.as_ref() == workflow && execution.started >= since)
        .max_by_key(|execution| execution.started)
        .map(|execution| execution.id.clone())
}

/// Reads what the Board shows.
pub(crate) fn refresh(state: &mut State, effects: &mut Vec<Effect>) {
    let now = state.now;
    state.board.answer.asked(now);
    state.board.executions.asked(now);
    state.ask(Request::Board, effects);
    state.ask(Request::Executions(MOST_EXECUTIONS), effects);
}

/// How often the Board is read while it is visible.
pub(crate) fn interval(state: &State) -> SignedDuration {
    let busy = state.board.is_running() || !state.requested.is_empty();
    // What is not on this machine costs a call each, of a quota that others need.
    let distant = state.connection.login_command.is_some();
    SignedDuration::from_secs(match (busy, distant) {
        (true, _) => 2,
        (false, false) => 30,
        (false, true) => 40,
    })
}

/// When the Board wants to be woken: for a preview that is due.
pub(crate) fn wake_at(state: &State) -> Option<Timestamp> {
    state.board.preview_due
}

/// Reads what is due.
pub(crate) fn tick(state: &mut State, effects: &mut Vec<Effect>) {
    if state.board.preview_due.is_some_and(|due| due <= state.now) {
        state.board.preview_due = None;
        if let Some(id) = state
            .board
            .selected_execution()
            .map(|execution| execution.id.clone())
        {
            let known = state
                .board
                .preview
                .as_ref()
                .is_some_and(|(of, _)| *of == id);
            if !known {
                state.board.preview = Some((id.clone(), Fresh::default()));
            }
            state.ask_anew(Request::Preview(id), effects);
        }
    }
}

/// Asks for the details of the selected execution once the selection rests.
fn want_preview(state: &mut State) {
    let wanted = state
        .board
        .selected_execution()
        .filter(|execution| needs_care(execution.status))
        .map(|execution| execution.id.clone());
    let fresh = wanted
        .as_ref()
        .is_some_and(|id| state.board.preview_of(id).is_some());
    state.board.preview_due = match wanted {
        Some(_) if !fresh => state.now.checked_add(PREVIEW_REST).ok(),
        _ => None,
    };
}

/// Takes the Board.
pub(crate) fn answered_board(state: &mut State, answer: OpsResult<Arc<Board>>) {
    let now = state.now;
    state.board.answer.answered(now, answer);
    let height = list_height(state);
    let length = state.board.order.len();
    state.board.cursor.keep(length, height);
}

/// Takes the executions.
pub(crate) fn answered_executions(
    state: &mut State,
    answer: OpsResult<Arc<Vec<ExecutionSummary>>>,
) {
    if let Ok(all) = &answer {
        state.confirm_all(all);
        state.board.listed_running = all
            .iter()
            .any(|execution| execution.status == ExecutionStatus::Running);
    }
    let now = state.now;
    let before = state.board.selected_execution().cloned();
    state.board.executions.answered(now, answer);
    let height = list_height(state);
    state
        .board
        .arrange(before.as_ref().map(|execution| &execution.id), height);
    if before.as_ref() != state.board.selected_execution() {
        // The same row in another status has other details.
        if before.map(|execution| execution.id)
            == state
                .board
                .selected_execution()
                .map(|execution| execution.id.clone())
        {
            state.board.preview = None;
        }
        want_preview(state);
    }
}

/// Takes the details for the side pane.
pub(crate) fn answered_preview(
    state: &mut State,
    id: &ExecutionId,
    answer: OpsResult<Arc<ExecutionDetail>>,
) {
    let now = state.now;
    if let Some((of, detail)) = &mut state.board.preview
        && of == id
    {
        detail.answered(now, answer);
    }
}

/// Does an action; `false` if it is none of this screen's.
pub(crate) fn act(state: &mut State, action: ActionId, effects: &mut Vec<Effect>) -> bool {
    let height = list_height(state);
    let length = state.board.order.len();
    if state.board.cursor.act(action, length, height) {
        state.board.moved = true;
        want_preview(state);
        return true;
    }
    match action {
        ActionId::Open | ActionId::GoRun => open_selected(state, effects),
        ActionId::GoLogs => {
            if let Some(execution) = state.board.selected_execution() {
                // Of several open stages the whole log is shown.
                let one = |stage: &String| !stage.contains(", ");
                let stage = execution.current_stage.clone().filter(one);
                let id = execution.id.clone();
                let failed = needs_care(execution.status);
                run::open(state, id.clone(), effects);
                logs::open(state, id, stage, failed, effects);
            }
        }
        ActionId::NextPane | ActionId::PreviousPane => {
            state.board.side = if state.board.side == Side::Details {
                Side::Freshness
            } else {
                Side::Details
            };
        }
        _ => return false,
    }
    true
}

/// Goes to the Run screen of the selected execution.
pub(crate) fn open_selected(state: &mut State, effects: &mut Vec<Effect>) {
    match state
        .board
        .selected_execution()
        .map(|execution| execution.id.clone())
    {
        Some(id) => {
            run::open(state, id, effects);
            state.go(Screen::Run);
        }
        None => state.problem("no execution is selected"),
    }
}

/// The filter was typed.
pub(crate) fn filter(state: &mut State, text: &str) {
    state.board.filter = text.trim().to_owned();
    let height = list_height(state);
    let selected = state
        .board
        .selected_execution()
        .map(|execution| execution.id.clone());
    state.board.moved = true;
    state.board.arrange(selected.as_ref(), height);
    want_preview(state);
}

/// The question for causes.
const CAUSES: RequestKey = RequestKey::Only("read causes");
/// Failed executions, the newest, whose causes are looked into.
const MOST_CAUSES: usize = 50;

/// Somebody is about to search: asks why executions failed, as far as that is not known.
pub(crate) fn want_causes(state: &mut State, effects: &mut Vec<Effect>) {
    if state.screen != Screen::Board {
        return;
    }
    let all = state
        .board
        .executions
        .value()
        .into_iter()
        .flat_map(|all| all.iter());
    let failed = all.filter(|one| needs_care(one.status)).take(MOST_CAUSES);
    let unknown: Vec<ExecutionId> = failed
        .filter(|one| {
            !state
                .board
                .causes
                .contains_key(&(one.id.clone(), one.ended))
        })
        .map(|one| one.id.clone())
        .collect();
    if !unknown.is_empty() {
        state.ask(Request::Causes(unknown), effects);
    }
}

/// Takes causes; a search that waited for them goes on.
pub(crate) fn answered_causes(
    state: &mut State,
    asked: &[ExecutionId],
    causes: Vec<(ExecutionId, String)>,
) {
    let mut causes: HashMap<ExecutionId, String> = causes.into_iter().collect();
    let board = &mut state.board;
    for execution in board
        .executions
        .value()
        .into_iter()
        .flat_map(|all| all.iter())
    {
        if asked.contains(&execution.id) {
            // One without a cause is not asked about again.
            let cause = causes.remove(&execution.id).unwrap_or_default();
            board
                .causes
                .insert((execution.id.clone(), execution.ended), cause);
        }
    }
    if board.has_filter() {
        let filter = board.filter.clone();
        self::filter(state, &filter);
    }
    if let Some((text, forward, inclusive)) = state.board.awaits_causes.take() {
        find(state, &text, forward, inclusive);
    }
}

/// Looks for the next row that holds the words.
pub(crate) fn find(state: &mut State, text: &str, forward: bool, inclusive: bool) {
    let words: Vec<String> = text
        .to_lowercase()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let (length, from) = (state.board.order.len(), state.board.cursor.selected());
    let step = |distance: usize| {
        if forward {
            (from + distance) % length
        } else {
            (from + length - distance % length) % length
        }
    };
    let start = usize::from(!inclusive);
    let hit = (start..length + start)
        .map(|distance| if length == 0 { 0 } else { step(distance) })
        .find(|position| {
            state.board.at(*position).is_some_and(|execution| {
                matches(execution, state.board.cause_of(execution), &words)
            })
        });
    match hit {
        Some(position) => {
            let height = list_height(state);
            state.board.moved = true;
            state.board.cursor.select(position, length, height);
            want_preview(state);
        }
        None if state.is_in_flight(&CAUSES) => {
            state.board.awaits_causes = Some((text.to_owned(), forward, inclusive));
        }
        None => state.problem(format!("no execution with '{text}'")),
    }
}

/// A click at a place of the screen; `true` if the row was already selected.
pub(crate) fn click(state: &mut State, x: u16, y: u16) -> bool {
    let list = layout(state).list;
    if !list.contains((x, y).into()) || y == list.y {
        return false;
    }
    let position = state.board.cursor.top() + usize::from(y - list.y - 1);
    if position >= state.board.order.len() {
        return false;
    }
    let again = position == state.board.cursor.selected() && state.board.moved;
    let (length, height) = (state.board.order.len(), list_height(state));
    state.board.moved = true;
    state.board.cursor.select(position, length, height);
    want_preview(state);
    again
}

/// The preview is read again after a change.
pub(crate) fn forget_preview(state: &mut State) {
    state.board.preview = None;
    state.forget(&RequestKey::Only("preview execution"));
    want_preview(state);
}
