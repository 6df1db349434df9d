//! `update(state, event) -> effects`: the only place that changes the state. It reads no clock and does no I/O.

mod answers;
mod demo;
mod timers;

use crossterm::event::{KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use jiff::{SignedDuration, Timestamp};

use super::{
    actions::{self, Action, ActionId},
    effect::{Effect, Request},
    event::{Event, EventKind},
    keymap::Key,
    screens::{
        activity, board, credentials, datamart, dialogs,
        help::Help,
        logs,
        overlay::{self, Overlay},
        palette::Palette,
        prompt::{Prompt, Purpose},
        reports, run, sources, start, table,
    },
    state::{Screen, State, Tone},
    view,
};
use lakehand_ops::ExecutionId;

pub(crate) use demo::{begin_demo, demo_started};
pub(crate) use timers::{spinner_step, wake_at};

/// Takes an event; returns what is to be asked of the outside.
pub(crate) fn update(state: &mut State, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    state.now = event.at;
    match event.kind {
        EventKind::Key(key) if key.kind != KeyEventKind::Release => {
            pressed(state, key, &mut effects)
        }
        EventKind::Mouse(mouse) => moused(state, mouse, &mut effects),
        EventKind::Paste(text) => overlay::paste(state, &text),
        EventKind::Resize(columns, rows) => resized(state, columns, rows, &mut effects),
        EventKind::Focus(focused) => state.focused = focused,
        EventKind::Answered(answered) => answers::answered(state, *answered, &mut effects),
        EventKind::Key(_) | EventKind::Tick => {}
    }
    timers::tick(state, &mut effects);
    effects
}

/// The first questions; drawn before any answer is there.
pub(crate) fn begin(state: &mut State, effects: &mut Vec<Effect>) {
    ask_who(state, effects);
    board::refresh(state, effects);
}

/// Asks whose account this is, where that is not known without asking.
fn ask_who(state: &mut State, effects: &mut Vec<Effect>) {
    if state.identity.account.is_empty() {
        state.ask(Request::Identify, effects);
    }
}

/// Begins with an execution.
pub(crate) fn begin_run(state: &mut State, id: ExecutionId, effects: &mut Vec<Effect>) {
    run::open(state, id, effects);
    state.go(Screen::Run);
}

/// Begins with a report.
pub(crate) fn begin_report(
    state: &mut State,
    name: lakehand_ops::ReportName,
    effects: &mut Vec<Effect>,
) {
    table::open(state, name, effects);
}

/// Begins with a file.
pub(crate) fn begin_file(
    state: &mut State,
    path: std::path::PathBuf,
    name: lakehand_ops::ReportName,
    effects: &mut Vec<Effect>,
) {
    table::open_file(state, path, name, effects);
}

fn resized(state: &mut State, columns: u16, rows: u16, effects: &mut Vec<Effect>) {
    state.size = (columns, rows);
    table::resized(state, effects);
}

fn pressed(state: &mut State, event: KeyEvent, effects: &mut Vec<Effect>) {
    let key = Key::of(event);
    // These work whatever lies over the screen.
    let terminal = [ActionId::Redraw, ActionId::Suspend, ActionId::TestPanic];
    let action = actions::for_key(state, key);
    if let Some(action) =
        action.filter(|action| terminal.contains(&action.id) && key.typed().is_none())
    {
        act(state, action, effects);
    } else if state.overlay.is_some() {
        // Twice quits whatever is open; the question whether to quit takes its own ^C.
        let interrupt = action
            .filter(|action| action.id == ActionId::Interrupt && !dialogs::asks_to_quit(state));
        overlay::key(state, event, effects);
        if let Some(interrupt) = interrupt {
            act(state, interrupt, effects);
        }
    } else if let Some(action) = action {
        act(state, action, effects);
    }
}

/// Does an action, or says why not.
pub(crate) fn act(state: &mut State, action: &'static Action, effects: &mut Vec<Effect>) {
    if let Err(reason) = (action.enabled)(state) {
        state.problem(format!("{}: {reason}", action.short));
        return;
    }
    if action.id != ActionId::Interrupt {
        state.interrupted_at = None;
    }
    let before = state.screen;
    let done = match state.screen {
        Screen::Board => board::act(state, action.id, effects),
        Screen::Run => run::act(state, action.id, effects),
        Screen::Logs => logs::act(state, action.id, effects),
        Screen::Reports => reports::act(state, action.id, effects),
        Screen::Table => table::act(state, action.id, effects),
        Screen::Sources => sources::act(state, action.id),
        Screen::Datamart => datamart::act(state, action.id, effects),
        Screen::Credentials => credentials::act(state, action.id, effects),
        Screen::Activity => activity::act(state, action.id),
    };
    if !done {
        everywhere(state, action.id, effects);
    }
    if state.screen != before {
        // Who goes elsewhere is no longer led through the demo.
        state.demo = None;
        arrived(state, effects);
    }
}

/// What is the same on every screen.
fn everywhere(state: &mut State, action: ActionId, effects: &mut Vec<Effect>) {
    match action {
        ActionId::GoBoard => state.go(Screen::Board),
        ActionId::GoRun if state.run.id().is_some() => state.go(Screen::Run),
        ActionId::GoRun => board::open_selected(state, effects),
        ActionId::GoLogs if state.logs.selected().is_some() => state.go(Screen::Logs),
        ActionId::GoLogs => {
            let chosen = state.board.selected_execution();
            let id = state.run.id().or(chosen.map(|execution| &execution.id));
            if let Some(id) = id.cloned() {
                logs::open(state, id, None, false, effects);
            }
        }
        ActionId::GoReports => state.go(Screen::Reports),
        ActionId::GoSources => state.go(Screen::Sources),
        ActionId::GoDatamart => state.go(Screen::Datamart),
        ActionId::GoCredentials => state.go(Screen::Credentials),
        ActionId::GoActivity => state.go(Screen::Activity),
        ActionId::Back if table::is_all(state) => quit(state, effects),
        ActionId::Back => back(state),
        ActionId::HistoryBack | ActionId::LastScreen => history(state, true),
        ActionId::HistoryForward => history(state, false),
        ActionId::Help => state.overlay = Some(Overlay::Help(Help::default())),
        ActionId::Palette => state.overlay = Some(Overlay::Palette(Palette::default())),
        ActionId::Find => {
            board::want_causes(state, effects);
            state.overlay = Some(Overlay::Prompt(Prompt::new(Purpose::Find, "")));
        }
        ActionId::Filter => {
            board::want_causes(state, effects);
            // What is filtered by now can be changed; an empty line takes it away.
            let last = current_filter(state);
            state.overlay = Some(Overlay::Prompt(Prompt::new(Purpose::Filter, &last)));
        }
        ActionId::NextMatch => find(state, true, false, effects),
        ActionId::PreviousMatch => find(state, false, false, effects),
        ActionId::Redrive => dialogs::ask_redrive(state),
        ActionId::Stop => dialogs::ask_stop(state),
        ActionId::StartNew => start::open(state),
        ActionId::Sample => dialogs::offer_sample(state),
        ActionId::Copy => dialogs::choose_copy(state),
        ActionId::Refresh => anew(state, effects, refresh),
        ActionId::RefreshAll => anew(state, effects, refresh_all),
        ActionId::ToggleMouse => {
            state.mouse = !state.mouse;
            state.toast(
                if state.mouse {
                    "mouse on; Shift-drag selects text"
                } else {
                    "mouse off: select text as usual"
                },
                Tone::Info,
            );
            let mouse = state.mouse;
            state.tell(Request::Mouse(mouse), effects);
        }
        ActionId::Redraw => state.tell(Request::Redraw, effects),
        ActionId::Suspend => state.tell(Request::Suspend, effects),
        ActionId::SignIn => {
            if let Some(command) = state.connection.login_command.clone() {
                state.tell(Request::SignIn(command), effects);
            }
        }
        ActionId::TestPanic => state.tell(Request::Panic, effects),
        ActionId::Interrupt => interrupt(state, effects),
        ActionId::Quit => quit(state, effects),
        _ => {}
    }
}

/// The screen that this one was reached from.
fn back(state: &mut State) {
    let parent = match state.screen {
        Screen::Board => {
            if state.board.has_filter() {
                board::filter(state, "");
            }
            return;
        }
        Screen::Run
        | Screen::Sources
        | Screen::Datamart
        | Screen::Reports
        | Screen::Credentials => Screen::Board,
        Screen::Logs => Screen::Run,
        Screen::Table => Screen::Reports,
        Screen::Activity => state.back.last().copied().unwrap_or(Screen::Board),
    };
    state.go(parent);
}

fn history(state: &mut State, back: bool) {
    let target = if back {
        state.back.pop()
    } else {
        state.forward.pop()
    };
    if let Some(target) = target.filter(|target| *target != Screen::Table || state.table.is_some())
    {
        let here = state.screen;
        if back {
            state.forward.push(here)
        } else {
            state.back.push(here)
        }
        state.screen = target;
    }
}

fn quit(state: &mut State, effects: &mut Vec<Effect>) {
    let writes = state.writes_in_flight();
    if writes > 0 && state.interrupted_at.is_none() {
        state.interrupted_at = Some(state.now);
        state.problem("a change has no answer yet; ^C twice quits all the same");
        return;
    }
    leave(state, effects);
}

/// Leaves, and asks first where that cuts executions off, or where somebody may think so.
fn leave(state: &mut State, effects: &mut Vec<Effect>) {
    let connection = &state.connection;
    if connection.running_here.is_empty() && connection.running_apart.is_empty() {
        state.tell(Request::Quit, effects);
    } else {
        dialogs::ask_quit(state);
    }
}

/// Once: cancels what is being read. Twice: leaves.
fn interrupt(state: &mut State, effects: &mut Vec<Effect>) {
    let again = state
        .interrupted_at
        .is_some_and(|at| state.now.duration_since(at) < SignedDuration::from_secs(3));
    if again && state.connection.running_here.is_empty() {
        // Whoever insists is not kept: what was started goes on.
        state.tell(Request::Quit, effects);
        return;
    }
    if again {
        leave(state, effects);
        return;
    }
    let cancelled = state.forget_reads();
    state.interrupted_at = Some(state.now);
    let text = if cancelled > 0 {
        format!("{cancelled} cancelled; ^C again quits")
    } else {
        "^C again quits".to_owned()
    };
    state.toast(text, Tone::Info);
}

/// A screen is reached: what is old is read again.
fn arrived(state: &mut State, effects: &mut Vec<Effect>) {
    let old = |fetched: Option<Timestamp>| {
        fetched.is_none_or(|at| state.now.duration_since(at) > SignedDuration::from_secs(1))
    };
    let stale = match state.screen {
        Screen::Board => old(state.board.fetched_at()),
        Screen::Reports => old(state.reports.fetched_at()),
        Screen::Sources => old(state.sources.fetched_at()),
        Screen::Datamart => old(state.datamart.fetched_at()),
        Screen::Credentials => old(state.credentials.fetched_at()),
        _ => false,
    };
    if stale {
        refresh(state, effects);
    }
}

fn refresh(state: &mut State, effects: &mut Vec<Effect>) {
    match state.screen {
        Screen::Board => {
            board::forget_preview(state);
            board::refresh(state, effects);
        }
        Screen::Run => run::refresh(state, effects),
        Screen::Logs => logs::refresh(state, effects),
        Screen::Reports => reports::refresh(state, effects),
        Screen::Sources => sources::refresh(state, effects),
        Screen::Datamart => datamart::refresh(state, effects),
        Screen::Credentials => credentials::refresh(state, effects),
        Screen::Table => {
            if let Some(name) = state.table.as_ref().map(|table| table.name.clone()) {
                table::open(state, name, effects);
            }
        }
        Screen::Activity => {}
    }
}

/// Reads something past everything that is kept for a while.
fn anew(state: &mut State, effects: &mut Vec<Effect>, read: fn(&mut State, &mut Vec<Effect>)) {
    state.anew = true;
    read(state, effects);
    state.anew = false;
}

fn refresh_all(state: &mut State, effects: &mut Vec<Effect>) {
    board::forget_preview(state);
    board::refresh(state, effects);
    run::refresh(state, effects);
    logs::refresh(state, effects);
    reports::refresh(state, effects);
    sources::refresh(state, effects);
    datamart::refresh(state, effects);
    credentials::refresh(state, effects);
}

/// Looks for what was typed last.
pub(crate) fn find(state: &mut State, forward: bool, inclusive: bool, effects: &mut Vec<Effect>) {
    let text = state.search.clone();
    if text.is_empty() {
        state.problem("nothing to look for yet: / asks");
        return;
    }
    match state.screen {
        Screen::Board => board::find(state, &text, forward, inclusive),
        Screen::Run => run::find(state, &text, forward, inclusive),
        Screen::Logs => logs::find(state, &text, forward, inclusive),
        Screen::Reports => reports::find(state, &text, forward, inclusive),
        Screen::Table => table::find(state, &text, forward, inclusive, effects),
        Screen::Sources => sources::find(state, &text, forward, inclusive),
        Screen::Datamart => datamart::find(state, &text, forward, inclusive),
        Screen::Credentials => credentials::find(state, &text, forward, inclusive, effects),
        Screen::Activity => activity::find(state, &text, forward, inclusive),
    }
}

/// Shows only what fits.
pub(crate) fn filter(state: &mut State, text: &str, effects: &mut Vec<Effect>) {
    match state.screen {
        Screen::Board => board::filter(state, text),
        Screen::Logs => logs::filter(state, text),
        Screen::Reports => reports::filter(state, text),
        Screen::Table => table::filter(state, text, effects),
        Screen::Run
        | Screen::Sources
        | Screen::Datamart
        | Screen::Credentials
        | Screen::Activity => {}
    }
}

/// What the screen is filtered by now.
fn current_filter(state: &State) -> String {
    match state.screen {
        Screen::Board => state.board.filter_text(),
        Screen::Logs => state.logs.filter_text(),
        Screen::Reports => state.reports.filter_text(),
        Screen::Table => state.table.as_ref().map_or("", |table| table.filter_text()),
        Screen::Run
        | Screen::Sources
        | Screen::Datamart
        | Screen::Credentials
        | Screen::Activity => "",
    }
    .to_owned()
}

fn moused(state: &mut State, mouse: MouseEvent, effects: &mut Vec<Effect>) {
    if state.overlay.is_some() {
        return;
    }
    let by_id = |id| actions::of_id(id);
    match mouse.kind {
        MouseEventKind::ScrollDown | MouseEventKind::ScrollUp => {
            let id = if mouse.kind == MouseEventKind::ScrollDown {
                ActionId::Down
            } else {
                ActionId::Up
            };
            if let Some(action) = by_id(id) {
                (0..3).for_each(|_| act(state, action, effects));
            }
        }
        MouseEventKind::Down(MouseButton::Left) if mouse.row == 0 => {
            if let Some(action) = view::tab_at(state, mouse.column).and_then(by_id) {
                act(state, action, effects);
            }
        }
        MouseEventKind::Down(MouseButton::Left) => {
            let again = match state.screen {
                Screen::Board => board::click(state, mouse.column, mouse.row),
                Screen::Reports => reports::click(state, mouse.column, mouse.row),
                Screen::Sources => sources::click(state, mouse.column, mouse.row),
                Screen::Datamart => datamart::click(state, mouse.column, mouse.row),
                Screen::Credentials => credentials::click(state, mouse.column, mouse.row, effects),
                Screen::Table => table::click(state, mouse.column, mouse.row, effects),
                _ => false,
            };
            if let Some(action) = by_id(ActionId::Open).filter(|_| again) {
                act(state, action, effects);
            }
        }
        _ => {}
    }
}
