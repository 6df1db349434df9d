//! When something is to be read or drawn again. Nothing visible, no timer.

use jiff::{SignedDuration, Timestamp};

use super::demo::{self, LEAD_EVERY};
use crate::{
    effect::{Effect, Request},
    screens::{board, credentials, datamart, logs, reports, run, sources},
    state::{Demo, Screen, State},
};
use lakehand_ops::ExecutionStatus;

/// How much slower things are read while another window has the keyboard.
const UNFOCUSED: i32 = 6;

/// The longest time between two readings then.
const UNFOCUSED_MOST: SignedDuration = SignedDuration::from_secs(120);

/// How often it is asked whether the operator's credentials work again.
const SIGNED_OUT: SignedDuration = SignedDuration::from_secs(60);

/// The shortest time between two readings of a screen whose data are not on this machine.
const DISTANT: SignedDuration = SignedDuration::from_secs(4);

/// A spinner appears for what takes longer than this, and turns this often.
const SPINNER_AFTER: SignedDuration = SignedDuration::from_millis(400);
const SPINNER_STEP: SignedDuration = SignedDuration::from_millis(200);

/// What is due is read; what has passed goes.
pub(super) fn tick(state: &mut State, effects: &mut Vec<Effect>) {
    let now = state.now;
    state.toasts.retain(|toast| toast.until > now);
    if poll_due(state).is_some_and(|due| due <= now) {
        state.polled_at = Some(now);
        if state.connection.signed_out.is_some() {
            // One question that locks nobody out; the screens follow when it is answered well.
            state.ask(Request::Identify, effects);
            return;
        }
        match state.screen {
            Screen::Board => board::refresh(state, effects),
            Screen::Run => run::refresh(state, effects),
            Screen::Logs => {
                logs::refresh(state, effects);
                run::refresh(state, effects);
            }
            Screen::Reports => reports::refresh(state, effects),
            Screen::Sources => sources::refresh(state, effects),
            Screen::Datamart => datamart::refresh(state, effects),
            Screen::Credentials => credentials::refresh(state, effects),
            Screen::Table | Screen::Activity => {}
        }
    }
    board::tick(state, effects);
    demo::offer(state);
    demo::lead(state, effects);
}

/// When the visible screen is to be read again.
fn poll_due(state: &State) -> Option<Timestamp> {
    // Nobody is signed in: every question would be refused, and some services lock out who asks too often.
    if state.connection.signed_out.is_some() {
        return match state.polled_at {
            Some(at) => at.checked_add(SIGNED_OUT).ok(),
            None => Some(state.now),
        };
    }
    let due = match state.screen {
        Screen::Board => state.board.due(board::interval(state)),
        Screen::Run => run::due(state),
        Screen::Logs => [logs::due(state), run::due(state)]
            .into_iter()
            .flatten()
            .min(),
        Screen::Reports => state.reports.due(),
        Screen::Sources => state.sources.due(),
        Screen::Datamart => state.datamart.due(),
        Screen::Credentials => state.credentials.due(),
        Screen::Table | Screen::Activity => None,
    }?;
    let due = match (state.connection.login_command.is_some(), state.polled_at) {
        // Each look at something distant is a call of a quota that others need.
        (true, Some(at)) => due.max(at.checked_add(DISTANT).ok()?),
        _ => due,
    };
    if state.focused {
        return Some(due);
    }
    let Some(last) = state.polled_at else {
        return Some(due);
    };
    let rest = due.duration_since(last).checked_mul(UNFOCUSED)?;
    let rest = rest.clamp(SignedDuration::ZERO, UNFOCUSED_MOST);
    last.checked_add(rest).ok()
}

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
        Screen::Datamart => state.datamart.is_running(),
        Screen::Run | Screen::Logs => state
            .run
            .detail()
            .is_some_and(|detail| detail.summary.status == ExecutionStatus::Running),
        _ => false,
    };
    let runs = runs || (state.focused && state.throttled().is_some());
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
