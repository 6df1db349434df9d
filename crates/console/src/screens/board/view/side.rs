//! Beside the list: how fresh every stream is, and the selected execution.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    super::verdict::{is_late, is_stale},
    when,
};
use crate::{
    actions::ActionId,
    format::{age, ago, count, plural},
    screens::datamart::checks,
    state::State,
    theme::{execution_mark, needs_care},
    widgets::{
        dialog::{beginning, shorten},
        text::{Pen, width},
    },
};
use lakehand_ops::{ExecutionDetail, ExecutionSummary, Part, Redrive, RootCause, Unread, triage};

/// Draws every stream's age, and the newest report.
pub(super) fn freshness(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let Some(board) = state.board.board() else {
        return;
    };
    let names = board
        .freshness
        .iter()
        .map(|stream| width(&stream.stream))
        .max()
        .unwrap_or(0)
        .min(24);
    let names = u16::try_from(names).unwrap_or(24);
    for (line, stream) in board.freshness.iter().enumerate() {
        let row = u16::try_from(line).unwrap_or(u16::MAX);
        let trouble = is_late(stream, state) || stream.note.is_some();
        let (symbol, style) = match (trouble, stream.collected) {
            (true, _) => ("!", theme.warn),
            (false, Some(_)) if is_stale(state) => ("?", theme.muted),
            (false, Some(_)) => ("✓", theme.good),
            (false, None) => ("·", theme.muted),
        };
        let collected = stream.collected.map_or_else(
            || if stream.is_deployed { "never" } else { "none" }.to_owned(),
            |at| age(at, state.now),
        );
        let day = stream
            .newest_day
            .map(|day| day.strftime("%m-%d").to_string())
            .unwrap_or_default();
        let rows = stream
            .rows
            .map(|rows| plural(rows, "row"))
            .unwrap_or_default();
        let pen = Pen::new(buffer, area, row)
            .put(symbol, style)
            .gap(1)
            .cell(&stream.stream, names, theme.text)
            .gap(1);
        let pen = pen
            .cell_right(&collected, 6, style)
            .gap(1)
            .cell(&day, 5, theme.muted)
            .gap(1);
        match &stream.note {
            Some(note) => pen.put(note, theme.warn),
            None if !stream.is_deployed => pen.put("not part of this deployment", theme.muted),
            None => pen.put(&rows, theme.muted),
        };
    }
    for (line, badge) in board.quality.iter().enumerate() {
        let row = u16::try_from(board.freshness.len() + line).unwrap_or(u16::MAX);
        let (text, style) = checks(state, badge);
        // The table goes before the reason, which is cut off where the pane is narrow.
        let (mark, words) = text.split_once(' ').unwrap_or(("", &text));
        let (mark, style) = match mark {
            "✓" if is_stale(state) => ("?", theme.muted),
            _ => (mark, style),
        };
        Pen::new(buffer, area, row)
            .put(mark, style)
            .gap(1)
            .put(&badge.table, theme.muted)
            .gap(1)
            .put(words, style);
    }
    let told = board.freshness.len() + board.quality.len();
    let unread: Vec<&Unread> = board
        .unread
        .iter()
        .filter(|one| is_shown_here(&one.part))
        .collect();
    for (line, unread) in unread.iter().enumerate() {
        let row = u16::try_from(told + line).unwrap_or(u16::MAX);
        Pen::new(buffer, area, row)
            .put("?", theme.warn)
            .gap(1)
            .put(&unread.line(), theme.warn);
    }
    let row = u16::try_from(told + unread.len()).unwrap_or(u16::MAX);
    if let Some(report) = &board.latest_report {
        let facts = format!(
            "{}, {}",
            ago(report.created, state.now),
            report.rows_in_words(count)
        );
        Pen::new(buffer, area, row)
            .put("›", theme.accent)
            .gap(1)
            .put(report.name.as_ref(), theme.text)
            .gap(1)
            .put(&facts, theme.muted);
    }
}

/// Whether a part belongs to this pane.
fn is_shown_here(part: &Part) -> bool {
    matches!(
        part,
        Part::Freshness | Part::Stream(_) | Part::Reports | Part::Quality
    )
}

/// Draws the selected execution: what happened, what it means, what to do.
pub(super) fn details(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let Some(execution) = state.board.selected_execution() else {
        return;
    };
    let mark = execution_mark(theme, execution);
    Pen::new(buffer, area, 0)
        .put(mark.symbol, mark.style)
        .gap(1)
        .put(execution.workflow.as_ref(), theme.strong)
        .gap(1)
        .put(&execution.name, theme.muted);
    let facts = Pen::new(buffer, area, 1)
        .put(mark.word, mark.style)
        .gap(1)
        .put(&when(state, execution), theme.muted);
    if execution.redrives > 0 {
        facts
            .gap(1)
            .put(&format!("redriven {}×", execution.redrives), theme.muted);
    }
    let lines = match state.board.preview_of(&execution.id) {
        Some(detail) => why(state, detail, area),
        None => from_summary(state, execution, area.width),
    };
    for (line, (text, style)) in lines.iter().enumerate() {
        Pen::new(buffer, area, u16::try_from(line + 2).unwrap_or(u16::MAX)).put(text, *style);
    }
}

/// One answer of the side pane, broken into lines.
struct Passage {
    lines: Vec<String>,
    style: Style,
    /// Lines it keeps when room is short.
    least: usize,
}

/// Lines of the remedy: what to do must be on the screen, so it keeps them when all else has given way.
const REMEDY: usize = 6;

/// Why a redrive that is safe is not yet the thing to do.
fn but(cause: &RootCause) -> Option<&'static str> {
    if cause.retry_helps == Some(false) {
        Some("fails again until mended")
    } else {
        triage::is_better_later(cause).then_some("better later")
    }
}

/// What failed, whether a redrive is safe, the cause, what it means, what to do.
fn why(state: &State, detail: &ExecutionDetail, area: Rect) -> Vec<(String, Style)> {
    let theme = &state.theme;
    let mut passages = Vec::new();
    let mut add = |text: &str, style: Style, most: usize, least: usize| {
        passages.push(Passage {
            lines: beginning(text, area.width, most),
            style,
            least,
        });
    };
    if let Some(cause) = &detail.root_cause {
        // The name of the error first: where there is room for little, it is what is looked for.
        let head = format!("{} at {}", cause.error, cause.stage);
        add(&head, theme.bad, 2, 2);
    }
    match &detail.redrive {
        Redrive::Possible { safety, known, .. } => {
            let key = match state.may_change() {
                Ok(()) => format!("{} ", state.key(ActionId::Redrive)),
                Err(_) => String::new(),
            };
            let (but, style, least) = match detail.root_cause.as_ref().and_then(but) {
                None => (String::new(), theme.good, 1),
                Some(but) => (format!(", but {but}"), theme.warn, 2),
            };
            match known {
                true => add(
                    &format!("{key}redrive is safe{but}: {safety}"),
                    style,
                    3,
                    least,
                ),
                // Which stages to look at must not be cut off.
                false => add(&format!("{key}redrive{but}: {safety}"), theme.warn, 4, 3),
            }
        }
        Redrive::NotPossible { reason } if needs_care(detail.summary.status) => {
            add(&format!("no redrive: {reason}"), theme.warn, 3, 2);
        }
        Redrive::NotPossible { .. } => {}
    }
    if let Some(cause) = &detail.root_cause {
        add(&cause.cause, theme.text, 6, 2);
        for other in &cause.others {
            let told = format!("also {}: {}: {}", other.stage, other.error, other.cause);
            add(&told, theme.bad, 2, 1);
        }
        if let Some(meaning) = &cause.meaning {
            add(meaning, theme.muted, 3, 0);
        }
        if let Some(remedy) = &cause.remedy {
            add(&format!("→ {remedy}"), theme.accent, REMEDY, REMEDY);
        }
    }
    cut(&mut passages, usize::from(area.height).saturating_sub(2));
    passages
        .into_iter()
        .flat_map(|Passage { lines, style, .. }| lines.into_iter().map(move |line| (line, style)))
        .collect()
}

/// Shortens passages to so many lines together: first to the least of each, from the one that may lose most; then the
/// longest but the remedy, and that last.
fn cut(passages: &mut [Passage], room: usize) {
    let lines = passages.iter().map(|passage| passage.lines.len());
    let over = lines.sum::<usize>().saturating_sub(room);
    let gives = |passage: &Passage| {
        let lines = passage.lines.len();
        match lines.saturating_sub(passage.least) {
            0 => (0, lines > 0 && passage.least < REMEDY, lines),
            spare => (spare, false, 0),
        }
    };
    for _ in 0..over {
        let Some(passage) = passages.iter_mut().max_by_key(|passage| gives(passage)) else {
            return;
        };
        let left = passage.lines.len().saturating_sub(1);
        shorten(&mut passage.lines, left);
    }
}

fn from_summary(state: &State, execution: &ExecutionSummary, columns: u16) -> Vec<(String, Style)> {
    let theme = &state.theme;
    let mut lines = Vec::new();
    let started = crate::format::full(execution.started, &state.zone);
    lines.push((format!("started {started}"), theme.muted));
    if let Some(window) = execution.window {
        lines.push((format!("window {window}"), theme.muted));
    }
    if let Some(stage) = &execution.current_stage {
        lines.push((format!("stage {stage}"), theme.muted));
    }
    if let Some(error) = &execution.error {
        lines.extend(
            beginning(error, columns, 2)
                .into_iter()
                .map(|line| (line, theme.bad)),
        );
    }
    if execution.superseded {
        lines.push((
            "a later run of this window succeeded".to_owned(),
            theme.fixed,
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        StartScreen,
        scripted::{Driver, Scenario, ScriptedOperations},
    };

    /// The side pane of the failed night, its cause changed, in so many lines of an 80x24 screen.
    fn told(height: u16, change: impl FnOnce(&mut RootCause)) -> Vec<String> {
        let operations = ScriptedOperations::new(Scenario::Night, 200).unwrap();
        let mut driver = Driver::open(operations, StartScreen::Board, (80, 24)).unwrap();
        driver.wait(500);
        let state = &driver.state;
        let id = &state.board.selected_execution().unwrap().id;
        let mut detail = state.board.preview_of(id).cloned().unwrap();
        change(detail.root_cause.as_mut().unwrap());
        let area = Rect::new(0, 0, 32, height);
        let lines = why(state, &detail, area);
        lines.into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn the_remedy_is_whole_while_anything_else_can_give_way() {
        let remedy = "→ Collect the window again, then redrive; if it stays, open the quarantine file named in the log.";
        for height in 7..=40 {
            let lines = told(height, |_| {});
            let room = usize::from(height) - 2;
            assert!(lines.len() <= room, "{height}: {lines:?}");
            assert!(lines.join(" ").ends_with(remedy), "{height}: {lines:?}");
            assert!(
                lines[0].starts_with("QualityCheckFailed"),
                "{height}: {lines:?}"
            );
        }
        let lines = told(4, |_| {});
        assert_eq!(lines.len(), 2);
        assert!(lines[1].ends_with('…'), "{lines:?}");
    }

    #[test]
    fn whatever_is_left_out_of_a_passage_leaves_a_sign() {
        let lines = told(40, |cause| cause.remedy = Some("mend it ".repeat(60)));
        assert!(lines[lines.len() - 1].ends_with('…'), "{lines:?}");
    }

    #[test]
    fn a_redrive_that_fails_again_is_not_only_called_safe() {
        let safe = told(40, |_| {}).join(" ");
        assert!(safe.contains("D redrive is safe: ReplaceWindow"), "{safe}");
        let mended = told(12, |cause| cause.retry_helps = Some(false)).join(" ");
        let until = "D redrive is safe, but fails again until mended:";
        assert!(mended.contains(until), "{mended}");
        let later = triage::remedy_for("LeaseHeld", "", "").unwrap();
        let later = told(40, |cause| cause.remedy = Some(later.remedy.clone())).join(" ");
        assert!(
            later.contains("D redrive is safe, but better later:"),
            "{later}"
        );
    }
}
