//! Activity: every call this console made, what came of it, and the command that does the same.

use std::{borrow::Cow, collections::VecDeque, time::Duration};

use jiff::{SignedDuration, Timestamp};
use ratatui::{buffer::Buffer, layout::Rect};

use super::dialogs;
use crate::{
    actions::ActionId,
    effect::{Answer, Request, Risk},
    format::{clock, count, duration},
    state::State,
    widgets::{
        grid::{self, Column},
        list::Cursor,
        text::{Pen, rule, width},
    },
};

/// Calls kept.
const MOST: usize = 2_000;

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Not yet.
    Pending,
    /// Well.
    Done(String),
    /// Badly.
    Failed(String),
    /// Its answer came after a newer question and was dropped.
    Late,
}

impl Outcome {
    /// What came of the call.
    fn text(&self) -> &str {
        match self {
            Self::Pending => "…",
            Self::Done(text) | Self::Failed(text) => text,
            Self::Late => "came late, dropped",
        }
    }
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    stamp: u64,
    at: Timestamp,
    name: &'static str,
    target: String,
    risk: Risk,
    /// The command line that does the same.
    pub(crate) cli: Option<String>,
    outcome: Outcome,
    took: Option<Duration>,
    times: u64,
}

/// State of the Activity screen.
#[derive(Debug, Clone, Default)]
pub(crate) struct ActivityState {
    calls: VecDeque<Call>,
    cursor: Cursor,
}

impl ActivityState {
    /// A call was made. The same reading call again adds to its count instead of filling the screen.
    pub(crate) fn asked(&mut self, request: &Request, stamp: u64, at: Timestamp) {
        if !request.is_recorded() {
            return;
        }
        let target = request.target();
        let same = self.calls.iter().take(8).position(|call| {
            call.risk == Risk::Read
                && request.risk() == Risk::Read
                && call.name == request.name()
                && call.target == target
        });
        let times = same
            .and_then(|position| self.calls.remove(position))
            .map_or(1, |call| call.times + 1);
        self.calls.push_front(Call {
            stamp,
            at,
            name: request.name(),
            target,
            risk: request.risk(),
            cli: request.cli(),
            outcome: Outcome::Pending,
            took: None,
            times,
        });
        self.calls.truncate(MOST);
    }

    /// A call was answered.
    pub(crate) fn answered(&mut self, stamp: u64, took: Duration, answer: &Answer, awaited: bool) {
        if let Some(call) = self.calls.iter_mut().find(|call| call.stamp == stamp) {
            call.took = Some(took);
            call.outcome = match answer.error() {
                _ if !awaited => Outcome::Late,
                Some(error) => Outcome::Failed(error.to_string()),
                None => Outcome::Done(answer.summary()),
            };
        }
    }

    /// The call under the cursor.
    pub(crate) fn selected(&self) -> Option<&Call> {
        self.calls.get(self.cursor.selected())
    }
}

fn rows(state: &State) -> Rect {
    let body = state.body();
    Rect {
        x: 1,
        y: body.y + 2,
        width: body.width.saturating_sub(2),
        height: body.height.saturating_sub(2),
    }
}

/// Does an action; `false` if it is none of this screen's.
pub(crate) fn act(state: &mut State, action: ActionId) -> bool {
    if action == ActionId::Open {
        show(state);
        return true;
    }
    let (length, height) = (
        state.activity.calls.len(),
        usize::from(rows(state).height).max(1),
    );
    state.activity.cursor.act(action, length, height)
}

/// Shows the selected call whole: target, result, command.
fn show(state: &mut State) {
    let Some(call) = state.activity.selected() else {
        return;
    };
    let title = format!("{} · {}", call.name, clock(call.at, &state.zone));
    let parts = [
        Some(call.target.as_str()),
        Some(call.outcome.text()),
        call.cli.as_deref(),
    ];
    let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
    let text = parts.collect::<Vec<_>>().join("\n\n");
    dialogs::show_text(state, title, text);
}

/// Looks for the next call that holds a text.
pub(crate) fn find(state: &mut State, text: &str, forward: bool, inclusive: bool) {
    let wanted = text.to_lowercase();
    let calls = &state.activity.calls;
    let holds = |at: usize| {
        calls.get(at).is_some_and(|call| {
            call.name.contains(&wanted) || call.target.to_lowercase().contains(&wanted)
        })
    };
    match super::run::next(
        calls.len(),
        state.activity.cursor.selected(),
        forward,
        inclusive,
        holds,
    ) {
        Some(position) => {
            let (length, height) = (calls.len(), usize::from(rows(state).height).max(1));
            state.activity.cursor.select(position, length, height);
        }
        None => state.problem(format!("no call with '{text}'")),
    }
}

const COLUMNS: [Column; 6] = [
    Column::fixed("when", 12, 0),
    Column::fixed("call", 17, 1),
    Column::growing("target", 14, 2, 3),
    Column::number("took", 8, 4),
    Column::growing("result", 16, 2, 2),
    Column::growing("the same as a command", 24, 3, 5),
];

/// The calls to AWS behind all this, the most frequent first, as many as fit: people share the account's quotas.
fn spent(state: &State, room: usize) -> String {
    let calls = &state.connection.calls;
    if calls.is_empty() {
        return String::new();
    }
    let mut by_count: Vec<(&String, &u64)> = calls.iter().collect();
    by_count.sort_by(|left, right| right.1.cmp(left.1));
    let mut text = format!(" {} calls to AWS ", count(calls.values().sum()));
    for (name, times) in by_count {
        let more = format!("· {name} {} ", count(*times));
        if width(&text) + width(&more) > room {
            break;
        }
        text.push_str(&more);
    }
    text
}

/// Draws the calls.
pub(crate) fn view(state: &State, buffer: &mut Buffer) {
    let (theme, body, area) = (&state.theme, state.body(), rows(state));
    rule(buffer, body.x, body.y, body.width, theme.rule);
    let title = format!(" Activity {} ", count(state.activity.calls.len() as u64));
    let pen = Pen::new(buffer, body, 0).gap(1).put(&title, theme.heading);
    let spent = spent(state, usize::from(pen.left()).saturating_sub(4));
    pen.right(&spent, theme.muted);
    let widths = grid::widths(&COLUMNS, area.width);
    grid::titles(
        buffer,
        Rect {
            y: body.y + 1,
            height: 1,
            ..area
        },
        &COLUMNS,
        &widths,
        theme,
    );
    for (line, position) in state
        .activity
        .cursor
        .visible(state.activity.calls.len(), area.height.into())
        .enumerate()
    {
        let Some(call) = state.activity.calls.get(position) else {
            continue;
        };
        let style = match &call.outcome {
            Outcome::Pending => theme.running,
            Outcome::Done(_) => theme.text,
            Outcome::Failed(_) => theme.bad,
            Outcome::Late => theme.muted,
        };
        let times = if call.times > 1 {
            format!("{} ×{}", call.name, count(call.times))
        } else {
            call.name.to_owned()
        };
        let took = call
            .took
            .and_then(|took| SignedDuration::try_from(took).ok())
            .map(|took| {
                if took.as_millis() < 100 {
                    format!("{} ms", took.as_millis())
                } else {
                    duration(took)
                }
            });
        let cells = [
            (Cow::Owned(clock(call.at, &state.zone)), theme.muted),
            (
                Cow::Owned(times),
                if call.risk > Risk::Read {
                    theme.warn
                } else {
                    theme.text
                },
            ),
            (Cow::Borrowed(call.target.as_str()), theme.text),
            (Cow::Owned(took.unwrap_or_default()), theme.muted),
            (Cow::Borrowed(call.outcome.text()), style),
            (
                Cow::Borrowed(call.cli.as_deref().unwrap_or_default()),
                theme.muted,
            ),
        ];
        let line = u16::try_from(line).unwrap_or(u16::MAX);
        grid::row(buffer, area, line, &COLUMNS, &widths, &cells);
        if position == state.activity.cursor.selected() {
            grid::select(buffer, body, area, line, theme);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        StartScreen,
        scripted::{Driver, Scenario, ScriptedOperations},
    };

    #[test]
    fn a_call_is_shown_whole() {
        let operations = ScriptedOperations::new(Scenario::Calm, 20).unwrap();
        operations.break_calls("sources", 1);
        let mut driver = Driver::open(operations, StartScreen::Board, (80, 24)).unwrap();
        driver.press("4");
        let sources = driver.screen();
        let list = driver.press("!").screen();
        let whole = "sources: the platform does not answer";
        assert!(!list.contains(whole), "{list}");
        let shown = driver.press("<enter>").screen();
        assert!(shown.contains(whole), "{shown}");
        // Where nothing opens, nothing is promised.
        assert!(list.contains("Enter open"), "{list}");
        assert!(!sources.contains("Enter open"), "{sources}");
    }
}
