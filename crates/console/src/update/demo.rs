//! The way of `lakehand demo` through the console: collect, the daily report, the finished table.

use jiff::{SignedDuration, Timestamp};

use crate::{
    actions::ActionId,
    effect::{Effect, Request},
    screens::{board, dialogs, reports, run, table},
    state::{Demo, Screen, State, Tone},
};
use lakehand_ops::{ExecutionId, ExecutionStatus};

/// How often the next step of the demo is looked for.
pub(super) const LEAD_EVERY: SignedDuration = SignedDuration::from_millis(500);

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

/// The first time the lake is seen empty, the sample is offered; not where a source of the user's own is waiting to be
/// collected.
pub(super) fn offer(state: &mut State) {
    let empty = state.board.board().is_some_and(|board| {
        board.lake_is_empty
            && board
                .workflows
                .iter()
                .all(|card| card.executions.is_empty())
    });
    let free = state.screen == Screen::Board && state.overlay.is_none() && state.demo.is_none();
    let wanted = state.identity.offers_sample() && !state.sample_was_offered;
    if empty && free && wanted && state.can_show_sample().is_ok() {
        state.sample_was_offered = true;
        dialogs::offer_sample(state);
    }
}

/// Leads through the demo: collect, then the report's execution, then the report.
pub(super) fn lead(state: &mut State, effects: &mut Vec<Effect>) {
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
                        format!(
                            "this is your report; Esc leads to the list, {} to the Board",
                            state.key(ActionId::GoBoard)
                        ),
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
        let board = state.key(ActionId::GoBoard);
        state.problem(format!(
            "the daily report did not start; see the Board ({board})"
        ));
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
