//! A long text to read: a cell of a report, a log line.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::screen;
use crate::{
    actions::{self, ActionId},
    effect::{Effect, Request},
    keymap::Key,
    screens::overlay::Overlay,
    state::State,
    widgets::{
        dialog::{centred, frame},
        text::Pen,
        wrap::{above, lines, lines_from},
    },
};

/// A text to read, of any length: what is shown is found from where it starts, without its beginning.
#[derive(Debug, Clone)]
pub(crate) struct TextView {
    title: String,
    text: String,
    /// The byte at which the first line shown starts.
    top: usize,
}

/// Shows the selected cell whole.
pub(crate) fn show_cell(state: &mut State) {
    let shown = state
        .table
        .as_ref()
        .and_then(|table| table.selected_cell())
        .map(|(title, cell)| (title.to_owned(), cell.to_owned()));
    if let Some((title, text)) = shown {
        state.overlay = Some(Overlay::Text(TextView {
            title,
            text,
            top: 0,
        }));
    }
}

/// Shows a text under a title.
pub(crate) fn show_text(state: &mut State, title: String, text: String) {
    state.overlay = Some(Overlay::Text(TextView {
        title,
        text,
        top: 0,
    }));
}

/// Shows the selected log line whole; JSON is indented.
pub(crate) fn show_line(state: &mut State) {
    let Some(line) = state.logs.selected() else {
        return;
    };
    let pretty = serde_json::from_str::<serde_json::Value>(&line.message)
        .ok()
        .filter(|value| value.is_object() || value.is_array());
    let text = pretty
        .and_then(|value| serde_json::to_string_pretty(&value).ok())
        .unwrap_or_else(|| line.message.clone());
    let title = format!(
        "{} · attempt {} · line {}",
        line.stage, line.attempt, line.line
    );
    state.overlay = Some(Overlay::Text(TextView {
        title,
        text,
        top: 0,
    }));
}

fn text_area(state: &State) -> Rect {
    centred(
        screen(state),
        state.size.0.saturating_sub(6).min(120),
        state.size.1.saturating_sub(4),
    )
}

/// A key while reading.
pub(in crate::screens) fn text_key(
    state: &mut State,
    mut text: TextView,
    key: Key,
    effects: &mut Vec<Effect>,
) {
    let area = text_area(state);
    let columns = area.width.saturating_sub(4);
    let page = usize::from(area.height.saturating_sub(3)).max(1);
    let action = actions::for_key(state, key).map(|action| action.id);
    text.top = match action {
        _ if key == Key::ESCAPE || key == Key::ENTER => return,
        Some(ActionId::Quit) => return,
        Some(ActionId::Copy) => {
            state.ask_anew(Request::Copy(text.text), effects);
            return;
        }
        Some(ActionId::Down) => text.below(columns, 1, page),
        Some(ActionId::Up) => above(&text.text, text.top, columns, 1),
        Some(ActionId::PageDown) => text.below(columns, page, page),
        Some(ActionId::PageUp) => above(&text.text, text.top, columns, page),
        Some(ActionId::Top) => 0,
        Some(ActionId::Bottom) => above(&text.text, text.text.len(), columns, page),
        _ => text.top,
    };
    state.overlay = Some(Overlay::Text(text));
}

impl TextView {
    /// Where the line starts that is `count` lines further down; the last page stays full.
    fn below(&self, columns: u16, count: usize, page: usize) -> usize {
        let mut down = lines_from(&self.text, self.top, columns);
        down.by_ref().take(count).for_each(drop);
        let top = down.at();
        if down.take(page).count() == page {
            top
        } else {
            above(&self.text, self.text.len(), columns, page).max(self.top)
        }
    }
}

/// Draws a text.
pub(in crate::screens) fn view_text(
    state: &State,
    text: &TextView,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = &state.theme;
    let area = text_area(state);
    let columns = area.width.saturating_sub(4);
    let most = usize::from(area.height);
    let needed = u16::try_from(lines(&text.text, columns).take(most).count())
        .unwrap_or(u16::MAX)
        .saturating_add(3)
        .max(5);
    let inside = frame(
        buffer,
        centred(screen(state), area.width, area.height.min(needed)),
        &text.title,
        theme.accent,
        theme,
    );
    for (row, line) in lines_from(&text.text, text.top, columns)
        .take(usize::from(inside.height.saturating_sub(1)))
        .enumerate()
    {
        Pen::new(buffer, inside, u16::try_from(row).unwrap_or(u16::MAX)).put(line, theme.text);
    }
    if inside.height > 0 {
        Pen::new(buffer, inside, inside.height - 1).put(
            &format!("{} copy  Esc close", state.key(ActionId::Copy)),
            theme.muted,
        );
    }
    None
}
