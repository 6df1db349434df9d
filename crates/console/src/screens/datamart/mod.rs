//! Datamart: what it is made of, what a build costs, what runs now, its snapshots and the way back to one, and the
//! statements of the engine.

pub(crate) mod statements;
mod view;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;

pub(in crate::screens) use view::checks;
pub(crate) use view::view;

use super::{dialogs, start};
use crate::{
    actions::{ActionId, Reason},
    effect::{Effect, Request},
    fresh::Fresh,
    state::State,
    widgets::list::Cursor,
};
use lakehand_ops::{Datamart, OpsResult, Snapshot, Statement};

use statements::StatementList;

/// What the lower half lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Pane {
    /// Snapshots of the datamart.
    #[default]
    Snapshots,
    /// Statements of the engine.
    Statements,
}

/// State of the Datamart screen.
#[derive(Debug, Clone, Default)]
pub(crate) struct DatamartState {
    pub(super) answer: Fresh<Arc<Datamart>>,
    pub(super) snapshots: Fresh<Arc<Vec<Snapshot>>>,
    pub(super) statements: StatementList,
    pub(super) pane: Pane,
    pub(super) cursor: Cursor,
}

impl DatamartState {
    /// The datamart, as last read.
    pub(super) fn datamart(&self) -> Option<&Datamart> {
        self.answer.value().map(AsRef::as_ref)
    }

    /// Its snapshots, newest first.
    pub(super) fn all(&self) -> &[Snapshot] {
        self.snapshots.value().map_or(&[], |all| all.as_slice())
    }

    fn selected(&self) -> Option<&Snapshot> {
        match self.pane {
            Pane::Snapshots => self.all().get(self.cursor.selected()),
            Pane::Statements => None,
        }
    }

    /// The statement under the cursor, where statements are listed.
    pub(crate) fn selected_statement(&self) -> Option<&Statement> {
        match self.pane {
            Pane::Snapshots => None,
            Pane::Statements => self.statements.selected(),
        }
    }

    /// Rows of the list in sight.
    fn length(&self) -> usize {
        match self.pane {
            Pane::Snapshots => self.all().len(),
            Pane::Statements => self.statements.all().len(),
        }
    }

    /// The cursor of the list in sight.
    fn cursor(&mut self) -> &mut Cursor {
        match self.pane {
            Pane::Snapshots => &mut self.cursor,
            Pane::Statements => &mut self.statements.cursor,
        }
    }

    /// When it was read.
    pub(crate) fn fetched_at(&self) -> Option<Timestamp> {
        self.answer.fetched_at()
    }

    /// Whether the last reading failed.
    pub(crate) fn is_failing(&self) -> bool {
        let lists = self.snapshots.error().or(self.statements.answer.error());
        self.answer.error().or(lists).is_some()
    }

    /// Whether a build runs, or a statement where they are listed.
    pub(crate) fn is_running(&self) -> bool {
        let builds = |datamart: &Datamart| !datamart.in_flight.is_empty();
        let listed = self.pane == Pane::Statements && self.statements.is_running();
        listed || self.datamart().is_some_and(builds)
    }

    /// When it is due to be read again: soon while a build runs.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        let seconds = if self.is_running() { 2 } else { 60 };
        self.answer.due(SignedDuration::from_secs(seconds))
    }
}

/// Whether a build can be started.
pub(crate) fn can_build(state: &State) -> Result<(), Reason> {
    state.may_change()?;
    let known = state.startable()?;
    if known.iter().any(|name| name.as_ref() == WORKFLOW) {
        Ok(())
    } else {
        Err("this platform has no workflow that builds it".to_owned())
    }
}

/// Whether the table can go back to the selected snapshot.
pub(crate) fn can_roll_back(state: &State) -> Result<(), Reason> {
    state.may_change()?;
    let snapshot = state.datamart.selected();
    let snapshot = snapshot.ok_or("no snapshot is selected")?;
    if snapshot.current {
        Err("it is what readers see now".to_owned())
    } else if snapshot.restorable {
        Ok(())
    } else {
        Err("some of its files are gone".to_owned())
    }
}

/// Whether the selected statement can be stopped.
pub(crate) fn can_stop_statement(state: &State) -> Result<(), Reason> {
    state.may_change()?;
    statements::stoppable(state).map(drop)
}

/// The workflow that builds the datamart.
const WORKFLOW: &str = lakehand_ops::datamart::WORKFLOW;

/// Where the list is; its titles are a row above.
pub(super) fn list(state: &State) -> Rect {
    let body = state.body();
    let facts = u16::try_from(view::facts(state).len()).unwrap_or(u16::MAX);
    let facts = facts.min(body.height.saturating_sub(6));
    let y = body.y + facts + 3;
    Rect {
        x: body.x + 1,
        y,
        width: body.width.saturating_sub(2),
        height: body.bottom().saturating_sub(y),
    }
}

fn height(state: &State) -> usize {
    usize::from(list(state).height).max(1)
}

/// Reads it.
pub(crate) fn refresh(state: &mut State, effects: &mut Vec<Effect>) {
    let now = state.now;
    state.datamart.answer.asked(now);
    state.datamart.snapshots.asked(now);
    state.ask(Request::Datamart, effects);
    state.ask(Request::Snapshots, effects);
    refresh_statements(state, effects);
}

/// Reads the statements, where they are in sight.
fn refresh_statements(state: &mut State, effects: &mut Vec<Effect>) {
    if state.datamart.pane == Pane::Statements {
        let now = state.now;
        state.datamart.statements.answer.asked(now);
        state.ask(Request::Statements, effects);
    }
}

/// Takes it.
pub(crate) fn answered(state: &mut State, answer: OpsResult<Arc<Datamart>>) {
    let now = state.now;
    state.datamart.answer.answered(now, answer);
    let (length, height) = (state.datamart.all().len(), height(state));
    state.datamart.cursor.keep(length, height);
}

/// Takes its snapshots; the one that was selected stays so.
pub(crate) fn answered_snapshots(state: &mut State, answer: OpsResult<Arc<Vec<Snapshot>>>) {
    let now = state.now;
    let mart = &state.datamart;
    let selected = mart.all().get(mart.cursor.selected());
    let selected = selected.map(|snapshot| snapshot.version);
    let at_top = state.datamart.cursor.selected() == 0;
    state.datamart.snapshots.answered(now, answer);
    let all = state.datamart.all();
    let same = all
        .iter()
        .position(|snapshot| Some(snapshot.version) == selected);
    let position = same.filter(|_| !at_top).unwrap_or(0);
    let (length, height) = (all.len(), height(state));
    state.datamart.cursor.select(position, length, height);
}

/// Does an action; `false` if it is none of this screen's.
pub(crate) fn act(state: &mut State, action: ActionId, effects: &mut Vec<Effect>) -> bool {
    let (length, height) = (state.datamart.length(), height(state));
    if state.datamart.cursor().act(action, length, height) {
        return true;
    }
    match action {
        ActionId::NextPane | ActionId::PreviousPane => {
            state.datamart.pane = match state.datamart.pane {
                Pane::Snapshots => Pane::Statements,
                Pane::Statements => Pane::Snapshots,
            };
            refresh_statements(state, effects);
        }
        ActionId::StopStatement => {
            if let Ok(statement) = statements::stoppable(state).cloned() {
                dialogs::ask_stop_statement(state, &statement);
            }
        }
        ActionId::Open if state.datamart.pane == Pane::Statements => statements::show(state),
        ActionId::BuildDatamart => start::open_for(state, WORKFLOW),
        ActionId::RollBack => {
            let table = state.datamart.datamart().map(|mart| mart.table.clone());
            let snapshot = state.datamart.selected().cloned();
            if let (Some(table), Some(snapshot)) = (table, snapshot) {
                dialogs::ask_roll_back(state, table, &snapshot);
            }
        }
        ActionId::Open => show_plan(state),
        _ => return false,
    }
    true
}

/// The engine's plan of the SELECT, and the statements that run.
fn show_plan(state: &mut State) {
    let Some(datamart) = state.datamart.datamart() else {
        return;
    };
    let mut text = String::new();
    for statement in &datamart.in_flight {
        if let Some(sql) = &statement.sql {
            text.push_str(&format!("{} runs:\n{sql}\n\n", statement.stage));
        }
    }
    text.push_str(&datamart.query_plan.join("\n"));
    if text.trim().is_empty() {
        state.problem("there is no plan yet");
        return;
    }
    let title = format!("How {} is built", datamart.table);
    dialogs::show_text(state, title, text);
}

/// Looks for the next snapshot whose operation holds a text, or the next statement that holds it anywhere.
pub(crate) fn find(state: &mut State, text: &str, forward: bool, inclusive: bool) {
    let wanted = text.to_lowercase();
    let mart = &state.datamart;
    let in_snapshot = |snapshot: &Snapshot| {
        snapshot.operation.to_lowercase().contains(&wanted)
            || snapshot.version.to_string() == wanted
    };
    let in_statement = |one: &Statement| statements::holds(one, &wanted);
    let holds = |position: usize| match mart.pane {
        Pane::Snapshots => mart.all().get(position).is_some_and(in_snapshot),
        Pane::Statements => mart
            .statements
            .all()
            .get(position)
            .is_some_and(in_statement),
    };
    let (length, height) = (mart.length(), height(state));
    let from = match mart.pane {
        Pane::Snapshots => mart.cursor.selected(),
        Pane::Statements => mart.statements.cursor.selected(),
    };
    match super::run::next(length, from, forward, inclusive, holds) {
        Some(position) => state.datamart.cursor().select(position, length, height),
        None => state.problem(format!("nothing here holds '{text}'")),
    }
}

/// A click; it selects.
pub(crate) fn click(state: &mut State, x: u16, y: u16) -> bool {
    let area = list(state);
    if area.contains((x, y).into()) {
        let position = state.datamart.cursor().top() + usize::from(y - area.y);
        let (length, height) = (state.datamart.length(), height(state));
        if position < length {
            state.datamart.cursor().select(position, length, height);
        }
    }
    false
}
