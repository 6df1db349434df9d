//! `update(state, event) -> effects`: the only place that changes the state. It reads no clock and does no I/O.

use crossterm::event::{KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use jiff::{SignedDuration, Timestamp};

use super::{
    actions::{self, Action, ActionId},
    effect::{Answer, Effect, Request},
    event::{Answered, Event, EventKind},
    keymap::Key,
    screens::{
        activity, board, dialogs,
        help::Help,
        logs,
        overlay::{self, Overlay},
        palette::Palette,
        prompt::{Prompt, Purpose},
        reports, run, start, table,
    },
    state::{Demo, Screen, State, Tone},
    view,
};
use crate::ops::{ExecutionId, ExecutionStatus};

/// How much slower things are read while another window has the keyboard.
const UNFOCUSED: i32 = 6;

/// A spinner appears for what takes longer than this, and turns this often.
const SPINNER_AFTER: SignedDuration = SignedDuration::from_millis(400);
const SPINNER_STEP: SignedDuration = SignedDuration::from_millis(200);

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
        EventKind::Answered(answered) => self::answered(state, *answered, &mut effects),
        EventKind::Key(_) | EventKind::Tick => {}
    }
    tick(state, &mut effects);
    effects
}

/// The first questions; drawn before any answer is there.
pub(crate) fn begin(state: &mut State, effects: &mut Vec<Effect>) {
    board::refresh(state, effects);
}

/// Begins with the sample.
pub(crate) fn begin_demo(state: &mut State, effects: &mut Vec<Effect>) {
    demo_started(state);
    state.ask(Request::StartSample, effects);
}

/// The sample was asked for; the console follows it from now on.
pub(crate) fn demo_started(state: &mut State) {
    state.sample_was_offered = true;
    state.demo = Some(Demo::Starting);
    state.demo_began = state.now;
    state.toast("starting the built-in simulator …", Tone::Info);
}

/// Begins with an execution.
pub(crate) fn begin_run(state: &mut State, id: ExecutionId, effects: &mut Vec<Effect>) {
    run::open(state, id, effects);
    state.go(Screen::Run);
}

/// Begins with a report.
pub(crate) fn begin_report(
    state: &mut State,
    name: crate::ops::ReportName,
    effects: &mut Vec<Effect>,
) {
    table::open(state, name, effects);
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
        overlay::key(state, event, effects);
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
        ActionId::GoRun => state.go(Screen::Run),
        ActionId::GoLogs if state.logs.selected().is_some() => state.go(Screen::Logs),
        ActionId::GoLogs => {
            if let Some(id) = state.run.id().cloned() {
                logs::open(state, id, None, false, effects);
            }
        }
        ActionId::GoReports => state.go(Screen::Reports),
        ActionId::GoActivity => state.go(Screen::Activity),
        ActionId::Back => back(state),
        ActionId::HistoryBack | ActionId::LastScreen => history(state, true),
        ActionId::HistoryForward => history(state, false),
        ActionId::Help => state.overlay = Some(Overlay::Help(Help::default())),
        ActionId::Palette => state.overlay = Some(Overlay::Palette(Palette::default())),
        ActionId::Find => state.overlay = Some(Overlay::Prompt(Prompt::new(Purpose::Find, ""))),
        ActionId::Filter => state.overlay = Some(Overlay::Prompt(Prompt::new(Purpose::Filter, ""))),
        ActionId::NextMatch => find(state, true, false, effects),
        ActionId::PreviousMatch => find(state, false, false, effects),
        ActionId::Redrive => dialogs::ask_redrive(state),
        ActionId::Stop => dialogs::ask_stop(state),
        ActionId::StartNew => start::open(state),
        ActionId::Sample => dialogs::offer_sample(state),
        ActionId::Copy => dialogs::choose_copy(state),
        ActionId::Refresh => refresh(state, effects),
        ActionId::RefreshAll => refresh_all(state, effects),
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
        ActionId::TestPanic => state.tell(Request::Panic, effects),
        ActionId::Interrupt => interrupt(state, effects),
        ActionId::Quit if state.screen == Screen::Board => quit(state, effects),
        ActionId::Quit => back(state),
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
        Screen::Run | Screen::Reports => Screen::Board,
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
    state.tell(Request::Quit, effects);
}

/// Once: cancels what is being read. Twice: leaves.
fn interrupt(state: &mut State, effects: &mut Vec<Effect>) {
    let again = state
        .interrupted_at
        .is_some_and(|at| state.now.duration_since(at) < SignedDuration::from_secs(3));
    if again {
        state.tell(Request::Quit, effects);
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
        Screen::Table => {
            if let Some(name) = state.table.as_ref().map(|table| table.name.clone()) {
                table::open(state, name, effects);
            }
        }
        Screen::Activity => {}
    }
}

fn refresh_all(state: &mut State, effects: &mut Vec<Effect>) {
    board::forget_preview(state);
    board::refresh(state, effects);
    run::refresh(state, effects);
    logs::refresh(state, effects);
    reports::refresh(state, effects);
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
        Screen::Run | Screen::Activity => {}
    }
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

/// Takes an answer, unless a newer question has replaced its own.
fn answered(state: &mut State, answered: Answered, effects: &mut Vec<Effect>) {
    let Answered {
        request,
        stamp,
        took,
        answer,
    } = answered;
    let last = !matches!(answer, Answer::Indexed(Ok(_), false));
    let awaited = state.is_awaited(&request.key(), stamp, last);
    if last {
        state.activity.answered(stamp, took, &answer, awaited);
    }
    if !awaited {
        return;
    }
    match (request, answer) {
        (_, Answer::Board(answer)) => board::answered_board(state, answer),
        (_, Answer::Executions(answer)) => board::answered_executions(state, answer),
        (Request::Preview(id), Answer::Execution(answer)) => {
            board::answered_preview(state, &id, answer)
        }
        (Request::Execution(id, after), Answer::Execution(answer)) => {
            run::answered(state, &id, after, answer)
        }
        (Request::Logs(id, _), Answer::Logs(answer)) => logs::answered(state, &id, answer, effects),
        (_, Answer::Reports(answer)) => reports::answered(state, answer),
        (Request::OpenReport(name), Answer::Opened(answer)) => {
            table::answered_opened(state, &name, answer, effects)
        }
        (Request::Index(source), Answer::Indexed(answer, whole)) => {
            table::answered_index(state, &source, answer, whole, effects)
        }
        (Request::Rows(rows), Answer::Rows(answer)) => table::answered_rows(state, &rows, answer),
        (Request::Arrange(source, _, spec), Answer::Arranged(answer)) => {
            table::answered_order(state, &source, &spec, answer, effects)
        }
        (Request::Find(source, ..), Answer::Found(answer)) => {
            table::answered_found(state, &source, answer, effects)
        }
        (_, Answer::Exported(Ok((path, rows)))) => {
            state.toast(
                format!(
                    "{} written to {}",
                    super::format::plural(rows, "row"),
                    path.display()
                ),
                Tone::Info,
            );
        }
        (request, Answer::Started(answer)) => started(state, &request, answer, effects),
        (request, answer) => done(state, &request, &answer, effects),
    }
}

/// A workflow or the sample was started, or not.
fn started(
    state: &mut State,
    request: &Request,
    answer: crate::ops::OpsResult<ExecutionId>,
    effects: &mut Vec<Effect>,
) {
    match answer {
        Ok(id) => {
            if matches!(request, Request::StartSample) && state.demo.is_some() {
                state.demo = Some(Demo::Collecting(id.clone()));
            }
            run::open(state, id, effects);
            state.go(Screen::Run);
            board::refresh(state, effects);
        }
        Err(error) => {
            state.demo = state.demo.take().filter(|demo| *demo != Demo::Starting);
            state.problem(format!(
                "{} did not work: {error}. {}",
                request.name(),
                error.advice
            ));
        }
    }
}

/// A redrive, a stop, a copy, an export that failed.
fn done(state: &mut State, request: &Request, answer: &Answer, effects: &mut Vec<Effect>) {
    if let Some(error) = answer.error() {
        if let Request::Redrive(id) | Request::Stop(id, _) = request {
            state.requested.remove(id);
        }
        state.problem(format!(
            "{} did not work: {error}. {}",
            request.name(),
            error.advice
        ));
        return;
    }
    match request {
        Request::Redrive(_) | Request::Stop(..) => {
            board::forget_preview(state);
            board::refresh(state, effects);
            run::refresh(state, effects);
        }
        Request::Copy(text) => {
            let text = format!(
                "copied {}",
                super::format::plural(text.chars().count() as u64, "character")
            );
            state.toast(text, Tone::Info);
        }
        _ => {}
    }
}

/// What is due is read; what has passed goes.
fn tick(state: &mut State, effects: &mut Vec<Effect>) {
    let now = state.now;
    state.toasts.retain(|toast| toast.until > now);
    if poll_due(state).is_some_and(|due| due <= now) {
        match state.screen {
            Screen::Board => board::refresh(state, effects),
            Screen::Run => run::refresh(state, effects),
            Screen::Logs => {
                logs::refresh(state, effects);
                run::refresh(state, effects);
            }
            Screen::Reports => reports::refresh(state, effects),
            Screen::Table | Screen::Activity => {}
        }
    }
    board::tick(state, effects);
    offer(state);
    lead(state, effects);
}

/// When the visible screen is to be read again.
fn poll_due(state: &State) -> Option<Timestamp> {
    let due = match state.screen {
        Screen::Board => state.board.due(board::interval(state)),
        Screen::Run => run::due(state),
        Screen::Logs => [logs::due(state), run::due(state)]
            .into_iter()
            .flatten()
            .min(),
        Screen::Reports => state.reports.due(),
        Screen::Table | Screen::Activity => None,
    }?;
    if state.focused {
        return Some(due);
    }
    let rest = due.duration_since(state.now).checked_mul(UNFOCUSED)?;
    state.now.checked_add(rest.max(SignedDuration::ZERO)).ok()
}

/// The first time the lake is seen empty, the sample is offered.
fn offer(state: &mut State) {
    let empty = state.board.board().is_some_and(|board| {
        board.lake_is_empty
            && board
                .workflows
                .iter()
                .all(|card| card.executions.is_empty())
    });
    let free = state.screen == Screen::Board && state.overlay.is_none() && state.demo.is_none();
    if empty && free && !state.sample_was_offered && state.may_change().is_ok() {
        state.sample_was_offered = true;
        dialogs::offer_sample(state);
    }
}

/// Leads through the demo: collect, then the report's execution, then the report.
fn lead(state: &mut State, effects: &mut Vec<Effect>) {
    let shown = |state: &State, id: &ExecutionId| state.run.id() == Some(id);
    let status = state.run.detail().map(|detail| detail.summary.status);
    match state.demo.clone() {
        Some(Demo::Collecting(id))
            if shown(state, &id) && status == Some(ExecutionStatus::Succeeded) =>
        {
            state.toast("collected; now the daily report", Tone::Info);
            state.demo = Some(Demo::AwaitingReport(state.now));
            board::refresh(state, effects);
        }
        Some(Demo::AwaitingReport(since)) => {
            match board::newest_of(state, "daily-report", state.demo_began) {
                Some(id) => {
                    state.demo = Some(Demo::Reporting(id.clone()));
                    run::open(state, id, effects);
                }
                None => poll_lead(state, since, Screen::Board, effects),
            }
        }
        Some(Demo::Reporting(id))
            if shown(state, &id) && status == Some(ExecutionStatus::Succeeded) =>
        {
            state.demo = Some(Demo::OpeningReport(state.now));
            reports::refresh(state, effects);
        }
        Some(Demo::OpeningReport(since)) => {
            let fresh = state.reports.fetched_at().is_some_and(|at| at > since);
            match state
                .reports
                .newest()
                .map(|report| report.name.clone())
                .filter(|_| fresh)
            {
                Some(name) => {
                    state.demo = None;
                    table::open(state, name, effects);
                    state.back = vec![Screen::Board, Screen::Reports];
                    state.toast(
                        "this is your report; Esc leads to the list, 1 to the Board",
                        Tone::Info,
                    );
                }
                None => poll_lead(state, since, Screen::Reports, effects),
            }
        }
        Some(Demo::Collecting(_) | Demo::Reporting(_))
            if status.is_some_and(|status| {
                status.is_ended() && status != ExecutionStatus::Succeeded
            }) =>
        {
            // The Run screen shows why; nothing more follows by itself.
            state.demo = None;
        }
        _ => {}
    }
}

/// Asks again for what the demo waits for, twice a second, for two minutes.
fn poll_lead(state: &mut State, since: Timestamp, what: Screen, effects: &mut Vec<Effect>) {
    if state.now.duration_since(since) > SignedDuration::from_secs(120) {
        state.demo = None;
        state.problem("the daily report did not start; see the Board (1)");
        return;
    }
    let asked = if what == Screen::Board {
        state.board.due(LEAD_EVERY)
    } else {
        state.reports.due_after(LEAD_EVERY)
    };
    if asked.is_none_or(|due| due <= state.now) {
        if what == Screen::Board {
            board::refresh(state, effects)
        } else {
            reports::refresh(state, effects)
        }
    }
}

const LEAD_EVERY: SignedDuration = SignedDuration::from_millis(500);

/// When the next tick is needed; `None`: never, until something happens. Nothing visible, no timer.
pub(crate) fn wake_at(state: &State) -> Option<Timestamp> {
    let toasts = state.toasts.iter().map(|toast| toast.until).min();
    let lead = matches!(
        state.demo,
        Some(Demo::AwaitingReport(_) | Demo::OpeningReport(_))
    )
    .then(|| state.now.checked_add(LEAD_EVERY).ok())
    .flatten();
    // A poll that is due but under way does not wake: its answer will.
    let poll = poll_due(state).filter(|due| *due > state.now);
    let preview = board::wake_at(state).filter(|due| *due > state.now);
    [
        toasts,
        lead,
        poll,
        preview,
        label_change(state),
        spinner(state),
    ]
    .into_iter()
    .flatten()
    .min()
}

/// When a visible label changes: each second while something visible runs, else at the next minute.
fn label_change(state: &State) -> Option<Timestamp> {
    let runs = match state.screen {
        Screen::Board => state.board.is_running(),
        Screen::Run | Screen::Logs => state
            .run
            .detail()
            .is_some_and(|detail| detail.summary.status == ExecutionStatus::Running),
        _ => false,
    };
    if !state.focused && !runs {
        return None;
    }
    let step = if runs { 1_000 } else { 60_000 };
    let milliseconds = state.now.as_millisecond();
    Timestamp::from_millisecond(milliseconds - milliseconds.rem_euclid(step) + step).ok()
}

fn spinner(state: &State) -> Option<Timestamp> {
    let since = state.waiting_since()?;
    let appears = since.checked_add(SPINNER_AFTER).ok()?;
    if appears > state.now {
        Some(appears)
    } else {
        state.now.checked_add(SPINNER_STEP).ok()
    }
}

/// Whether something takes long enough for a spinner, and its step.
pub(crate) fn spinner_step(state: &State) -> Option<usize> {
    let waited = state.now.duration_since(state.waiting_since()?);
    (waited >= SPINNER_AFTER)
        .then(|| usize::try_from(waited.as_millis() / SPINNER_STEP.as_millis()).unwrap_or(0))
}
