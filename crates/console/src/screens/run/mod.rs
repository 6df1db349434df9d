//! Run: one execution. Why did it fail, can it be redriven, what is it doing now?

pub(crate) mod checks;
mod payload;
mod view;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;

pub(crate) use view::view;

use super::logs;
use crate::{
    actions::{ActionId, Reason},
    effect::{Effect, Request, RequestKey},
    fresh::Fresh,
    state::State,
    widgets::{graph, list::Cursor},
};
use lakehand_ops::{ExecutionDetail, ExecutionId, ExecutionStatus, OpsResult, Stage, StageStatus};
use lakehand_workflow::history::HistoryEvent;

/// The tabs, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tab {
    /// States and ways.
    #[default]
    Graph,
    /// Bars on a time scale.
    Timeline,
    /// Every stage with its facts.
    States,
    /// The history.
    Events,
    /// What the checks of data quality found.
    Checks,
    /// Input and output.
    Payload,
}

impl Tab {
    /// All, in order.
    pub(crate) const ALL: [Self; 6] = [
        Self::Graph,
        Self::Timeline,
        Self::States,
        Self::Events,
        Self::Checks,
        Self::Payload,
    ];

    /// Title.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Graph => "Graph",
            Self::Timeline => "Timeline",
            Self::States => "States",
            Self::Events => "Events",
            Self::Checks => "Checks",
            Self::Payload => "I/O",
        }
    }

    fn turned(self, steps: usize) -> Self {
        let position = Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0);
        Self::ALL[(position + steps) % Self::ALL.len()]
    }
}

/// State of the Run screen.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunState {
    pub(super) id: Option<ExecutionId>,
    pub(super) answer: Fresh<Arc<ExecutionDetail>>,
    pub(super) events: Vec<HistoryEvent>,
    pub(super) rows: Vec<graph::GraphRow>,
    pub(super) tab: Tab,
    pub(super) graph_cursor: Cursor,
    pub(super) stage_cursor: Cursor,
    pub(super) event_cursor: Cursor,
    pub(super) checks: checks::Checks,
    pub(super) payload: payload::Payload,
    placed: bool,
}

impl RunState {
    /// The execution, as last read.
    pub(crate) fn detail(&self) -> Option<&ExecutionDetail> {
        self.answer.value().map(AsRef::as_ref)
    }

    /// The execution on the screen.
    pub(crate) fn id(&self) -> Option<&ExecutionId> {
        self.id.as_ref()
    }

    /// When it was read.
    pub(crate) fn fetched_at(&self) -> Option<Timestamp> {
        self.answer.fetched_at()
    }

    /// Whether the last reading failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.answer.error().is_some()
    }

    /// Position of the selected stage in the execution's list.
    pub(super) fn selected_position(&self) -> Option<usize> {
        match self.tab {
            Tab::Graph => {
                let row = self.rows.get(self.graph_cursor.selected())?;
                telling(&row.stages, self.detail()?)
            }
            _ => Some(self.stage_cursor.selected()),
        }
    }

    /// The selected stage.
    pub(super) fn selected_stage(&self) -> Option<&Stage> {
        self.detail()?.stages.get(self.selected_position()?)
    }

    /// Input and output as shown, for copying.
    pub(crate) fn payload_text(&self) -> String {
        self.payload.whole()
    }

    fn is_running(&self) -> bool {
        self.detail()
            .is_some_and(|detail| detail.summary.status == ExecutionStatus::Running)
    }
}

/// The stage of a row to look at: of a Map there are several. Where the execution failed, else the first that stands as
/// the row's mark says; where all are well, the newest.
fn telling(row: &[usize], detail: &ExecutionDetail) -> Option<usize> {
    let stage = |position: &usize| detail.stages.get(*position);
    let failed = detail.root_cause.as_ref().and_then(|cause| {
        row.iter()
            .find(|position| stage(position).is_some_and(|stage| stage.name == cause.stage))
    });
    let mark = graph::together(row.iter().filter_map(stage).map(|stage| &stage.status));
    let marked = || match mark {
        StageStatus::Succeeded | StageStatus::NotReached => row.last(),
        _ => row
            .iter()
            .find(|position| stage(position).is_some_and(|stage| stage.status == mark)),
    };
    failed.or_else(marked).copied()
}

/// Whether there is an execution to show.
pub(crate) fn is_reachable(state: &State) -> Result<(), Reason> {
    if state.run.id.is_some() || state.board.selected_execution().is_some() {
        Ok(())
    } else {
        Err("no execution is selected".to_owned())
    }
}

/// Takes an execution onto the screen (without going there).
pub(crate) fn open(state: &mut State, id: ExecutionId, effects: &mut Vec<Effect>) {
    if state.run.id.as_ref() != Some(&id) {
        if let Some(old) = state.run.id.take() {
            state.forget(&RequestKey::For("execution", old.0));
        }
        let tab = state.run.tab;
        state.run = RunState {
            id: Some(id),
            tab,
            ..RunState::default()
        };
    }
    refresh(state, effects);
}

/// Reads the execution, the events after the last known one.
pub(crate) fn refresh(state: &mut State, effects: &mut Vec<Effect>) {
    if let Some(id) = state.run.id.clone() {
        let (now, after) = (
            state.now,
            state.run.events.last().map_or(0, |event| event.id),
        );
        state.run.answer.asked(now);
        if state.run.tab == Tab::Checks {
            state.ask(Request::Quality(id.clone()), effects);
        }
        state.ask(Request::Execution(id, after), effects);
    }
}

/// How often it is read while it is visible.
pub(crate) fn interval(state: &State) -> Option<SignedDuration> {
    let id = state.run.id.as_ref()?;
    let live = state.run.is_running()
        || state.requested.contains_key(id)
        || state.run.answer.error().is_some();
    live.then_some(SignedDuration::from_millis(700))
}

/// When the next read is due.
pub(crate) fn due(state: &State) -> Option<Timestamp> {
    interval(state).and_then(|every| state.run.answer.due(every))
}

/// Takes the execution.
pub(crate) fn answered(
    state: &mut State,
    id: &ExecutionId,
    after: u64,
    answer: OpsResult<Arc<ExecutionDetail>>,
) {
    if state.run.id.as_ref() != Some(id) {
        return;
    }
    if let Ok(detail) = &answer {
        state.confirm(&detail.summary);
        let run = &mut state.run;
        run.events.retain(|event| event.id <= after);
        run.events.extend(detail.events.iter().cloned());
        run.rows = graph::rows(&detail.graph, &detail.stages);
    }
    let now = state.now;
    state.run.answer.answered(now, answer);
    place_cursors(state);
    let run = &mut state.run;
    run.payload
        .show(run.answer.value().map(AsRef::as_ref), None);
    let stage = run.selected_stage().cloned();
    run.payload
        .show(run.answer.value().map(AsRef::as_ref), stage.as_ref());
}

/// The first time, the cursor goes to where the trouble is; later it stays where the user put it. While an
/// execution runs, it goes along.
fn place_cursors(state: &mut State) {
    let heights = heights(state);
    let run = &mut state.run;
    let Some(detail) = run.answer.value() else {
        return;
    };
    let matters = |stage: &Stage| {
        matches!(
            stage.status,
            StageStatus::Failed
                | StageStatus::Interrupted
                | StageStatus::Running
                | StageStatus::Waiting { .. }
                | StageStatus::Parked { .. }
        )
    };
    if !run.placed {
        let wanted = detail.root_cause.as_ref().and_then(|cause| {
            detail
                .stages
                .iter()
                .position(|stage| stage.name == cause.stage)
        });
        if let Some(position) = wanted.or_else(|| detail.stages.iter().rposition(matters)) {
            run.stage_cursor
                .select(position, detail.stages.len(), heights.stages);
            if let Some(row) = run
                .rows
                .iter()
                .position(|row| row.stages.contains(&position))
            {
                run.graph_cursor.select(row, run.rows.len(), heights.graph);
            }
        }
        run.event_cursor
            .select(usize::MAX, run.events.len(), heights.events);
    }
    run.stage_cursor.keep(detail.stages.len(), heights.stages);
    run.graph_cursor.keep(run.rows.len(), heights.graph);
    run.event_cursor.keep(run.events.len(), heights.events);
}

struct Heights {
    graph: usize,
    stages: usize,
    events: usize,
    payload: usize,
}

/// Rows of each tab's list on this screen.
fn heights(state: &State) -> Heights {
    let body = usize::from(layout(state).body.height).max(1);
    let lines = graph::lines_per_row(state.run.rows.len(), body);
    let titled = body.saturating_sub(1).max(1);
    Heights {
        graph: (body / lines).max(1),
        stages: titled,
        events: titled,
        payload: body,
    }
}

/// Where the parts are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) header: Rect,
    pub(super) cause: Rect,
    pub(super) tabs: Rect,
    pub(super) body: Rect,
    pub(super) side: Option<Rect>,
}

/// The places for this screen.
pub(super) fn layout(state: &State) -> Layout {
    let whole = state.body();
    let header = Rect { height: 2, ..whole };
    let cause_lines = u16::try_from(view::cause_lines(state, whole.width).len()).unwrap_or(0);
    let cause = Rect {
        y: header.bottom(),
        height: cause_lines.min(whole.height / 2),
        ..whole
    };
    let tabs = Rect {
        y: cause.bottom(),
        height: 1,
        ..whole
    };
    let body = Rect {
        y: tabs.bottom(),
        height: whole.bottom().saturating_sub(tabs.bottom()),
        ..whole
    };
    let wide = whole.width >= 130 && matches!(state.run.tab, Tab::Graph | Tab::States);
    if wide {
        let side = Rect {
            x: body.right() - whole.width * 2 / 5,
            width: whole.width * 2 / 5,
            ..body
        };
        return Layout {
            header,
            cause,
            tabs,
            body: Rect {
                width: body.width - side.width - 2,
                ..body
            },
            side: Some(side),
        };
    }
    Layout {
        header,
        cause,
        tabs,
        body,
        side: None,
    }
}

/// Does an action; `false` if it is none of this screen's.
pub(crate) fn act(state: &mut State, action: ActionId, effects: &mut Vec<Effect>) -> bool {
    match action {
        ActionId::NextPane | ActionId::Right => turn(state, 1, effects),
        ActionId::PreviousPane | ActionId::Left => turn(state, Tab::ALL.len() - 1, effects),
        ActionId::Open | ActionId::GoLogs => open_logs(state, effects),
        ActionId::GoRun => {}
        _ => return moved(state, action),
    }
    true
}

fn turn(state: &mut State, steps: usize, effects: &mut Vec<Effect>) {
    // The same stage stays selected from tab to tab.
    let position = state.run.selected_position();
    state.run.tab = state.run.tab.turned(steps);
    if state.run.tab == Tab::Checks
        && !state.run.checks.is_answered()
        && let Some(id) = state.run.id.clone()
    {
        state.ask(Request::Quality(id), effects);
    }
    let heights = heights(state);
    let run = &mut state.run;
    let stages = run.detail().map_or(0, |detail| detail.stages.len());
    if let Some(position) = position {
        run.stage_cursor.select(position, stages, heights.stages);
        if let Some(row) = run
            .rows
            .iter()
            .position(|row| row.stages.contains(&position))
        {
            run.graph_cursor.select(row, run.rows.len(), heights.graph);
        }
    }
    run.event_cursor.keep(run.events.len(), heights.events);
    show_payload(state);
}

fn moved(state: &mut State, action: ActionId) -> bool {
    let heights = heights(state);
    let run = &mut state.run;
    let stages = run.detail().map_or(0, |detail| detail.stages.len());
    let did = match run.tab {
        Tab::Graph => run.graph_cursor.act(action, run.rows.len(), heights.graph),
        Tab::Timeline | Tab::States => run.stage_cursor.act(action, stages, heights.stages),
        Tab::Events => run
            .event_cursor
            .act(action, run.events.len(), heights.events),
        Tab::Checks => run.checks.act(action, heights.payload),
        Tab::Payload => run.payload.act(action, heights.payload),
    };
    if did {
        run.placed = true;
        show_payload(state);
    }
    did
}

fn show_payload(state: &mut State) {
    let run = &mut state.run;
    let stage = run.selected_stage().cloned();
    run.payload
        .show(run.answer.value().map(AsRef::as_ref), stage.as_ref());
}

/// Logs of the selected stage, at its error if it has one.
fn open_logs(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(id) = state.run.id.clone() else {
        return;
    };
    let stage = state
        .run
        .selected_stage()
        .filter(|stage| stage.status != StageStatus::NotReached);
    let failed = stage.is_some_and(|stage| {
        matches!(
            stage.status,
            StageStatus::Failed | StageStatus::Caught | StageStatus::Interrupted
        )
    });
    let name = stage.map(|stage| stage.name.clone());
    logs::open(state, id, name, failed, effects);
}

/// Looks for the next stage, event or line that holds a text.
pub(crate) fn find(state: &mut State, text: &str, forward: bool, inclusive: bool) {
    let wanted = text.to_lowercase();
    let heights = heights(state);
    let run = &mut state.run;
    let holds = |text: &str| text.to_lowercase().contains(&wanted);
    let hit = match run.tab {
        Tab::Graph => next(
            run.rows.len(),
            run.graph_cursor.selected(),
            forward,
            inclusive,
            |row| holds(&run.rows[row].name),
        ),
        Tab::Timeline | Tab::States => {
            let stages = run
                .answer
                .value()
                .map_or(&[][..], |detail| detail.stages.as_slice());
            next(
                stages.len(),
                run.stage_cursor.selected(),
                forward,
                inclusive,
                |row| holds(&stages[row].name),
            )
        }
        Tab::Events => next(
            run.events.len(),
            run.event_cursor.selected(),
            forward,
            inclusive,
            |row| {
                holds(run.events[row].event_type.name())
                    || holds(&view::event_facts(&run.events[row]))
            },
        ),
        Tab::Checks => next(
            run.checks.lines().len(),
            run.checks.top(),
            forward,
            inclusive,
            |row| holds(&run.checks.lines()[row].1),
        ),
        Tab::Payload => next(
            run.payload.lines().len(),
            run.payload.top(),
            forward,
            inclusive,
            |row| holds(&run.payload.lines()[row].1),
        ),
    };
    run.placed = true;
    match (hit, run.tab) {
        (None, _) => state.problem(format!("'{text}' is not here")),
        (Some(row), Tab::Graph) => run.graph_cursor.select(row, run.rows.len(), heights.graph),
        (Some(row), Tab::Events) => run
            .event_cursor
            .select(row, run.events.len(), heights.events),
        (Some(row), Tab::Checks) => run.checks.scroll_to(row, heights.payload),
        (Some(row), Tab::Payload) => run.payload.scroll_to(row, heights.payload),
        (Some(row), _) => {
            let stages = run.answer.value().map_or(0, |detail| detail.stages.len());
            run.stage_cursor.select(row, stages, heights.stages);
        }
    }
    show_payload(state);
}

/// The next position that fits, round the end.
pub(crate) fn next(
    length: usize,
    from: usize,
    forward: bool,
    inclusive: bool,
    fits: impl Fn(usize) -> bool,
) -> Option<usize> {
    let start = usize::from(!inclusive);
    (start..length + start)
        .map(|distance| {
            if forward {
                (from + distance) % length
            } else {
                (from + length - distance % length) % length
            }
        })
        .find(|position| fits(*position))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        StartScreen,
        scripted::{Driver, Scenario, ScriptedOperations},
    };
    use lakehand_ops::RootCause;

    /// A collection on the Run screen with the cursor on its `Collect` row, five stages inside a Map; two of them stand
    /// otherwise than the rest, and the execution failed in one.
    fn collection(others: [(usize, StageStatus); 2], failed: Option<usize>) -> Driver {
        let operations = ScriptedOperations::new(Scenario::Calm, 200).unwrap();
        let mut driver = Driver::open(operations, StartScreen::Board, (200, 50)).unwrap();
        driver.wait(500).press("<enter>");
        let run = &driver.state.run;
        let id = run.id().cloned().unwrap();
        let mut detail = run.detail().cloned().unwrap();
        let name = |number: usize| format!("CollectStreams / Collect[{number}]");
        for (number, status) in others {
            let stages = &mut detail.stages;
            let stage = stages.iter_mut().find(|stage| stage.name == name(number));
            stage.unwrap().status = status;
        }
        detail.root_cause = failed.map(|number| RootCause {
            stage: name(number),
            error: "BadCredentials".to_owned(),
            cause: "403".to_owned(),
            meaning: None,
            remedy: None,
            retry_helps: None,
            others: Vec::new(),
        });
        answered(&mut driver.state, &id, 0, Ok(Arc::new(detail)));
        let rows = &driver.state.run.rows;
        let row = rows.iter().position(|row| row.name == "Collect").unwrap();
        driver.state.run.graph_cursor.select(row, rows.len(), 40);
        driver
    }

    #[test]
    fn a_map_row_opens_the_stage_that_its_mark_tells_of() {
        let caught = [(1, StageStatus::Caught), (3, StageStatus::Caught)];
        let waiting = StageStatus::Waiting {
            until: None,
            why: "retry 1 of 3".to_owned(),
        };
        let waits = [(1, StageStatus::Caught), (2, waiting)];
        let none = [(0, StageStatus::Succeeded), (4, StageStatus::Succeeded)];
        for (others, failed, expected) in [
            (caught.clone(), Some(3), 3),
            (caught, None, 1),
            (waits, None, 2),
            (none, None, 4),
        ] {
            let mut driver = collection(others, failed);
            let stage = format!("CollectStreams / Collect[{expected}]");
            let selected = driver.state.run.selected_stage();
            assert_eq!(
                selected.map(|stage| stage.name.clone()),
                Some(stage.clone())
            );
            assert!(driver.screen().contains(&stage), "the side pane shows it");
            driver.press("3");
            assert_eq!(driver.state.logs.stage.as_ref(), Some(&stage));
        }
    }
}
