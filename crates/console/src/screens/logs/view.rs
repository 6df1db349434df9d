//! Drawing of the Logs screen.

use ratatui::buffer::Buffer;

use super::{first_visible, pane};
use crate::{
    actions::ActionId,
    format::{count, plural},
    state::State,
    widgets::{
        dialog::wrapped,
        logpane::{self, Look},
        text::{Pen, rule},
    },
};

/// Draws the Logs screen.
pub(crate) fn view(state: &State, buffer: &mut Buffer) {
    let (theme, logs) = (&state.theme, &state.logs);
    let body = state.body();
    let title = match (&logs.stage, logs.all_stages) {
        (Some(stage), false) => stage.clone(),
        _ => "all stages".to_owned(),
    };
    let id = logs
        .id
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    Pen::new(buffer, body, 0)
        .gap(1)
        .right(&format!("{} ", status(state)), theme.muted)
        .put(&title, theme.strong)
        .gap(2)
        .put(&id, theme.muted);
    rule(buffer, body.x, body.y + 1, body.width, theme.rule);
    let area = pane(state);
    let area = ratatui::layout::Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(1),
        ..area
    };
    let highlight = (!logs.search.is_empty()).then_some(logs.search.as_str());
    let look = Look {
        zone: &state.zone,
        theme,
        stages: logs.all_stages || logs.stage.is_none(),
        offset: logs.offset,
        wrap: logs.wrap,
        highlight,
    };
    if logs.shown.is_empty() {
        let lines = wrapped(&empty(state), area.width.saturating_sub(2));
        for (row, line) in lines.iter().enumerate() {
            Pen::new(buffer, area, u16::try_from(row).unwrap_or(u16::MAX))
                .gap(1)
                .put(line, theme.muted);
        }
        return;
    }
    let mut row = 0;
    for position in first_visible(state, &look)..logs.shown.len() {
        if row >= area.height {
            break;
        }
        if let Some(line) = logs.at(position) {
            row += logpane::draw(
                buffer,
                area,
                row,
                line,
                position == logs.cursor.selected(),
                &look,
            );
        }
    }
}

/// Position, attempt, filter and whether it follows, at the right end.
fn status(state: &State) -> String {
    let logs = &state.logs;
    let mut parts = Vec::new();
    if let Some(attempt) = logs.attempt {
        parts.push(format!("attempt {attempt} of {}", logs.attempts()));
    }
    if !logs.filter.is_empty() {
        parts.push(format!("only '{}'", logs.filter));
    }
    if logs.offset > 0 && !logs.wrap {
        parts.push(format!("from column {}", logs.offset + 1));
    }
    if !logs.shown.is_empty() {
        parts.push(format!(
            "line {} of {}",
            count(logs.cursor.selected() as u64 + 1),
            count(logs.shown.len() as u64)
        ));
    }
    if logs.follow {
        parts.push("following".to_owned());
    }
    parts.join(" · ")
}

fn empty(state: &State) -> String {
    match (state.logs.answer.error(), state.logs.answer.is_answered()) {
        (Some(error), _) => format!("cannot be read: {error}. {}", error.advice),
        (None, false) => "reading …".to_owned(),
        (None, true) if state.logs.lines.is_empty() => "nothing was logged yet".to_owned(),
        (None, true) => nothing_fits(state),
    }
}

/// Why none of the lines there are is shown, and what shows them.
fn nothing_fits(state: &State) -> String {
    let logs = &state.logs;
    let of = match (&logs.stage, logs.all_stages) {
        (Some(stage), false) => Some(stage),
        _ => None,
    };
    if !logs.filter.is_empty() {
        let place = of.map(|stage| format!(" of {stage}")).unwrap_or_default();
        let key = state.key(ActionId::Filter);
        return format!(
            "No line{place} fits '{}'.\n{key} and Enter takes the filter away.",
            logs.filter
        );
    }
    if let Some(attempt) = logs.attempt {
        let key = state.key(ActionId::NextAttempt);
        return format!(
            "Attempt {attempt} logged nothing.\n{key} turns to the next one, then to all."
        );
    }
    let others: Vec<String> = logs
        .of_stages
        .iter()
        .map(|(stage, lines)| format!("{stage} {}", count(*lines)))
        .collect();
    format!(
        "{} logged nothing. The execution has {}: {}.\n{} shows them all.",
        of.map_or("This stage", String::as_str),
        plural(logs.lines.len() as u64, "line"),
        others.join(", "),
        state.key(ActionId::AllStages)
    )
}
