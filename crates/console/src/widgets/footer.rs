//! Keys that matter here, as many as fit, the most important first.

use ratatui::{buffer::Buffer, layout::Rect};

use super::text::{Pen, width};
use crate::{actions, state::State};

/// Draws the footer's row.
pub(crate) fn draw(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let mut entries: Vec<_> = actions::of_screen(state)
        .filter(|action| action.is_hinted(state))
        .filter_map(|action| {
            let key = state.keymap.of(action.id).first()?;
            Some((action.footer, key.to_string(), action.short))
        })
        .collect();
    entries.sort_by_key(|entry| entry.0);
    let mut room = usize::from(area.width).saturating_sub(2);
    let mut pen = Pen::new(buffer, area, 0).gap(1);
    for (_, key, short) in entries {
        let needed = width(&key) + 1 + width(short) + 2;
        if needed > room + 2 {
            continue;
        }
        room = room.saturating_sub(needed);
        pen = pen
            .put(&key, theme.accent)
            .gap(1)
            .put(short, theme.muted)
            .gap(2);
    }
}
