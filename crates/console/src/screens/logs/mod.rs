//! Logs: what a stage said, opened at the error.

mod view;

use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;

pub(crate) use view::view;

use super::run;
use crate::{
    actions::{ActionId, Reason},
    effect::{Effect, Request, RequestKey},
    fresh::Fresh,
    state::{Screen, State},
    widgets::{list::Cursor, logpane},
};
use lakehand_ops::{ExecutionId, ExecutionStatus, LogLine, OpsResult};
use lakehand_pipeline::jobs::Level;

/// Lines read by one request; a longer log is read by several.
pub(crate) const LINES_PER_READ: usize = 5_000;

/// State of the Logs screen.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogsState {
    pub(super) id: Option<ExecutionId>,
    pub(super) stage: Option<String>,
    pub(super) all_stages: bool,
    pub(super) attempt: Option<u32>,
    pub(super) lines: Vec<LogLine>,
    pub(super) shown: Vec<u32>,
    pub(super) answer: Fresh<()>,
    pub(super) cursor: Cursor,
    pub(super) follow: bool,
    pub(super) wrap: bool,
    pub(super) offset: usize,
    pub(super) search: String,
    pub(super) filter: String,
    to_error: bool,
    of_stages: Vec<(String, u64)>,
    /// The stages inside the one chosen, when that is a Map or Parallel.
    inside: Vec<String>,
}

impl LogsState {
    /// The line shown at a position.
    pub(super) fn at(&self, position: usize) -> Option<&LogLine> {
        self.lines.get(*self.shown.get(position)? as usize)
    }

    /// What the lines are filtered by.
    pub(crate) fn filter_text(&self) -> &str {
        &self.filter
    }

    /// The line under the cursor.
    pub(crate) fn selected(&self) -> Option<&LogLine> {
        self.at(self.cursor.selected())
    }

    fn wants(&self, line: &LogLine) -> bool {
        let stage = self.all_stages || self.is_of_stage(line);
        let attempt = self.attempt.is_none_or(|attempt| line.attempt == attempt);
        stage && attempt && self.words_fit(line)
    }

    /// Whether a line is of the stage chosen, or of one inside it when that is a Map or Parallel.
    fn is_of_stage(&self, line: &LogLine) -> bool {
        let Some(stage) = &self.stage else {
            return true;
        };
        if self.inside.contains(&line.stage) {
            return true;
        }
        let rest = line.stage.strip_prefix(stage.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('[') || rest.starts_with(" / "))
    }

    fn words_fit(&self, line: &LogLine) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let text = words_of(line);
        self.filter
            .split_whitespace()
            .all(|word| match word.strip_prefix('!') {
                Some(word) => !text.contains(word),
                None => text.contains(word),
            })
    }

    /// Which lines are shown, from scratch.
    fn arrange(&mut self) {
        let count = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        self.shown = (0..count)
            .filter(|row| self.wants(&self.lines[*row as usize]))
            .collect();
    }

    /// Adds lines that have come.
    fn extend(&mut self, lines: Vec<LogLine>) {
        for line in lines {
            let row = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
            if self.wants(&line) {
                self.shown.push(row);
            }
            self.count(&line);
            self.lines.push(line);
        }
    }

    /// Counts a line for its stage at the top level.
    fn count(&mut self, line: &LogLine) {
        let end = line.stage.find(['[', '/']).unwrap_or(line.stage.len());
        let stage = line.stage[..end].trim_end();
        match self.of_stages.iter_mut().find(|(name, _)| name == stage) {
            Some((_, lines)) => *lines += 1,
            None => self.of_stages.push((stage.to_owned(), 1)),
        }
    }

    fn attempts(&self) -> u32 {
        let own = self
            .lines
            .iter()
            .filter(|line| self.all_stages || self.is_of_stage(line));
        own.map(|line| line.attempt).max().unwrap_or(1)
    }
}

/// Whether there is a warning or an error to jump to.
pub(crate) fn has_errors(state: &State) -> Result<(), Reason> {
    let logs = &state.logs;
    let any = logs
        .shown
        .iter()
        .any(|row| logs.lines.get(*row as usize).is_some_and(is_trouble));
    if any {
        Ok(())
    } else {
        Err("no line here is an error or a warning".to_owned())
    }
}

/// Whether the stage was tried more than once.
pub(crate) fn has_attempts(state: &State) -> Result<(), Reason> {
    if state.logs.attempts() > 1 {
        Ok(())
    } else {
        Err("there was one attempt only".to_owned())
    }
}

/// What finding and filtering look at: everything a line shows but its time, in lower case.
fn words_of(line: &LogLine) -> String {
    let level = logpane::level_word(line.level);
    format!("{level} {} {}", line.stage, line.message).to_lowercase()
}

fn is_trouble(line: &LogLine) -> bool {
    matches!(line.level, Level::Error | Level::Warn)
}

/// Where the lines are.
pub(super) fn pane(state: &State) -> Rect {
    let body = state.body();
    Rect {
        y: body.y + 2,
        height: body.height.saturating_sub(2),
        ..body
    }
}

fn height(state: &State) -> usize {
    usize::from(pane(state).height).max(1)
}

/// Shows the log of a stage, or of all; at the error if it failed, at the end if it is running.
pub(crate) fn open(
    state: &mut State,
    id: ExecutionId,
    stage: Option<String>,
    failed: bool,
    effects: &mut Vec<Effect>,
) {
    let same = state.logs.id.as_ref() == Some(&id);
    let inside = inside_of(state, &id, stage.as_deref());
    let old = std::mem::take(&mut state.logs);
    if let Some(old_id) = old.id.as_ref().filter(|_| !same) {
        state.forget(&RequestKey::For("logs", old_id.0.clone()));
    }
    state.logs = LogsState {
        id: Some(id),
        all_stages: stage.is_none(),
        stage,
        inside,
        wrap: old.wrap,
        ..LogsState::default()
    };
    if same {
        (state.logs.lines, state.logs.answer) = (old.lines, old.answer);
        state.logs.of_stages = old.of_stages;
    }
    state.logs.to_error = failed;
    state.logs.follow = !failed;
    state.logs.arrange();
    place(state);
    state.go(Screen::Logs);
    refresh(state, effects);
}

/// The stages inside a Map or Parallel, which stand behind it and deeper.
fn inside_of(state: &State, id: &ExecutionId, stage: Option<&str>) -> Vec<String> {
    let detail = state.run.detail().filter(|detail| detail.summary.id == *id);
    let stages = detail.map_or(&[][..], |detail| detail.stages.as_slice());
    let Some(own) = stages
        .iter()
        .position(|one| Some(one.name.as_str()) == stage)
    else {
        return Vec::new();
    };
    let depth = stages[own].depth;
    let inside = stages[own + 1..].iter().take_while(|one| one.depth > depth);
    inside.map(|one| one.name.clone()).collect()
}

/// Reads the lines after the last known one.
pub(crate) fn refresh(state: &mut State, effects: &mut Vec<Effect>) {
    if let Some(id) = state.logs.id.clone() {
        let (now, after) = (
            state.now,
            state.logs.lines.last().map_or(0, |line| line.line),
        );
        state.logs.answer.asked(now);
        state.ask(Request::Logs(id, after), effects);
    }
}

/// When the next read is due: while the execution runs.
pub(crate) fn due(state: &State) -> Option<Timestamp> {
    let live = state
        .run
        .detail()
        .is_some_and(|detail| detail.summary.status == ExecutionStatus::Running);
    (live || state.logs.answer.error().is_some())
        .then(|| state.logs.answer.due(SignedDuration::from_secs(1)))?
}

/// Takes lines.
pub(crate) fn answered(
    state: &mut State,
    id: &ExecutionId,
    answer: OpsResult<Vec<LogLine>>,
    effects: &mut Vec<Effect>,
) {
    if state.logs.id.as_ref() != Some(id) {
        return;
    }
    let now = state.now;
    let more = match answer {
        Ok(lines) => {
            let last = state.logs.lines.last().map_or(0, |line| line.line);
            let new: Vec<_> = lines.into_iter().filter(|line| line.line > last).collect();
            let more = new.len() >= LINES_PER_READ;
            state.logs.extend(new);
            state.logs.answer.answered(now, Ok(()));
            more
        }
        Err(error) => {
            state.logs.answer.answered(now, Err(error));
            false
        }
    };
    place(state);
    if more {
        refresh(state, effects);
    }
}

/// Goes to the first error of the last attempt, or to the end while following.
fn place(state: &mut State) {
    let height = height(state);
    let logs = &mut state.logs;
    let length = logs.shown.len();
    if logs.to_error {
        let error = |row: &u32, level: Level| {
            logs.lines
                .get(*row as usize)
                .is_some_and(|line| line.level == level)
        };
        let last = logs.shown.iter().rposition(|row| error(row, Level::Error));
        let attempt = last
            .and_then(|position| logs.at(position))
            .map(|line| (line.stage.clone(), line.attempt));
        let first = attempt.and_then(|(stage, attempt)| {
            logs.shown.iter().position(|row| {
                logs.lines.get(*row as usize).is_some_and(|line| {
                    line.level == Level::Error && line.attempt == attempt && line.stage == stage
                })
            })
        });
        if let Some(position) =
            first.or_else(|| logs.shown.iter().rposition(|row| error(row, Level::Warn)))
        {
            logs.cursor.show(position, length, height);
            return;
        }
    }
    if logs.follow || logs.to_error {
        logs.cursor.select(usize::MAX, length, height);
    } else {
        logs.cursor.keep(length, height);
    }
}

/// Does an action; `false` if it is none of this screen's.
pub(crate) fn act(state: &mut State, action: ActionId, effects: &mut Vec<Effect>) -> bool {
    let height = height(state);
    let length = state.logs.shown.len();
    let before = state.logs.cursor.selected();
    if state.logs.cursor.act(action, length, height) {
        state.logs.to_error = false;
        // Scrolling up leaves following, the end resumes it.
        state.logs.follow = match action {
            ActionId::Bottom => true,
            _ if state.logs.cursor.selected() < before => false,
            _ => state.logs.follow,
        };
        return true;
    }
    match action {
        ActionId::Follow => {
            state.logs.follow = !state.logs.follow;
            state.logs.to_error = false;
            place(state);
        }
        ActionId::Wrap => state.logs.wrap = !state.logs.wrap,
        ActionId::Left => state.logs.offset = state.logs.offset.saturating_sub(16),
        ActionId::Right => state.logs.offset += 16,
        ActionId::NextError => to_trouble(state, true),
        ActionId::PreviousError => to_trouble(state, false),
        ActionId::NextAttempt => turn_attempt(state, true),
        ActionId::PreviousAttempt => turn_attempt(state, false),
        ActionId::AllStages | ActionId::NextPane | ActionId::PreviousPane => toggle_stages(state),
        ActionId::Open => super::dialogs::show_line(state),
        ActionId::GoRun => state.go(Screen::Run),
        ActionId::GoLogs => {}
        _ => return false,
    }
    let _ = effects;
    true
}

fn to_trouble(state: &mut State, forward: bool) {
    let height = height(state);
    let logs = &mut state.logs;
    let hit = run::next(
        logs.shown.len(),
        logs.cursor.selected(),
        forward,
        false,
        |position| logs.at(position).is_some_and(is_trouble),
    );
    if let Some(position) = hit {
        logs.follow = false;
        logs.to_error = false;
        logs.cursor.select(position, logs.shown.len(), height);
    }
}

/// All attempts, the first, the second …
fn turn_attempt(state: &mut State, forward: bool) {
    let last = state.logs.attempts();
    let current = state.logs.attempt.unwrap_or(0);
    let next = if forward {
        (current + 1) % (last + 1)
    } else {
        (current + last) % (last + 1)
    };
    state.logs.attempt = (next > 0).then_some(next);
    state.logs.arrange();
    place(state);
}

fn toggle_stages(state: &mut State) {
    if state.logs.stage.is_none() {
        let run = state.key(ActionId::GoRun);
        state.problem(format!(
            "no stage is chosen: choose one on the Run screen ({run})"
        ));
        return;
    }
    let line = state.logs.selected().map(|line| line.line);
    state.logs.all_stages = !state.logs.all_stages;
    state.logs.attempt = None;
    rearrange(state, line);
}

/// Shows other lines, the cursor on the same one or the next after it.
fn rearrange(state: &mut State, line: Option<u64>) {
    let height = height(state);
    let logs = &mut state.logs;
    logs.arrange();
    let position = line.map(|wanted| {
        logs.shown.partition_point(|row| {
            logs.lines
                .get(*row as usize)
                .is_some_and(|line| line.line < wanted)
        })
    });
    logs.cursor
        .select(position.unwrap_or(0), logs.shown.len(), height);
    if logs.follow {
        place(state);
    }
}

/// The filter was typed.
pub(crate) fn filter(state: &mut State, text: &str) {
    let line = state.logs.selected().map(|line| line.line);
    state.logs.filter = text.trim().to_lowercase();
    rearrange(state, line);
}

/// Looks for the next line that holds a text; all places are highlighted.
pub(crate) fn find(state: &mut State, text: &str, forward: bool, inclusive: bool) {
    let height = height(state);
    let logs = &mut state.logs;
    logs.search = text.to_lowercase();
    let holds = |position: usize| {
        logs.at(position)
            .is_some_and(|line| words_of(line).contains(&logs.search))
    };
    match run::next(
        logs.shown.len(),
        logs.cursor.selected(),
        forward,
        inclusive,
        holds,
    ) {
        Some(position) => {
            logs.follow = false;
            logs.to_error = false;
            logs.cursor.select(position, logs.shown.len(), height);
        }
        None => state.problem(format!("no line with '{text}'")),
    }
}

/// The first visible line: with wrapped lines fewer fit, and the selected one must be among them.
pub(super) fn first_visible(state: &State, look: &logpane::Look<'_>) -> usize {
    let (logs, pane) = (&state.logs, pane(state));
    let mut top = logs.cursor.top();
    if !logs.wrap {
        return top;
    }
    let mut room = usize::from(pane.height);
    let lines = Rect {
        width: pane.width.saturating_sub(1),
        ..pane
    };
    for position in (top..=logs.cursor.selected()).rev() {
        let tall = logs
            .at(position)
            .map_or(1, |line| usize::from(logpane::height(line, lines, look)));
        if tall > room {
            top = (position + 1).min(logs.cursor.selected());
            break;
        }
        room -= tall;
    }
    top
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn lines_inside_a_map_belong_to_the_map_and_to_their_own_stage() {
        let line = |stage: &str| LogLine {
            line: 1,
            at: Timestamp::UNIX_EPOCH,
            level: Level::Info,
            stage: stage.to_owned(),
            attempt: 1,
            message: String::new(),
        };
        let shows = |chosen: &str, stage: &str| {
            let logs = LogsState {
                stage: Some(chosen.to_owned()),
                ..LogsState::default()
            };
            logs.wants(&line(stage))
        };
        assert!(shows("Streams", "Streams"));
        assert!(shows("Streams", "Streams[3] / Collect"));
        assert!(shows("Streams[3] / Collect", "Streams[3] / Collect"));
        assert!(!shows("Streams[3] / Collect", "Streams[4] / Collect"));
        assert!(!shows("Stream", "Streams"));
        let logs = LogsState {
            stage: Some("Streams".to_owned()),
            inside: vec!["affise.clicks / Collect".to_owned()],
            ..LogsState::default()
        };
        assert!(logs.wants(&line("affise.clicks / Collect")));
        assert!(!logs.wants(&line("StartCrawler")));
    }
}
