//! Short messages above the footer.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    dialog::wrapped,
    text::{put, width},
};
use crate::console::state::{State, Tone};

/// Draws the messages at the bottom of `area`, the newest lowest.
pub(crate) fn draw(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let mut y = area.bottom();
    for toast in state.toasts.iter().rev() {
        let (mark, style) = match toast.tone {
            Tone::Info => ("·", theme.selection),
            Tone::Problem => ("!", theme.selection.patch(theme.bad)),
        };
        for line in wrapped(
            &format!("{mark} {}", toast.text),
            area.width.saturating_sub(6).min(100),
        )
        .iter()
        .rev()
        {
            if y <= area.y {
                return;
            }
            y -= 1;
            let text = format!(" {line} ");
            let wide = u16::try_from(width(&text))
                .unwrap_or(area.width)
                .min(area.width);
            put(
                buffer,
                area.right().saturating_sub(wide + 1),
                y,
                wide,
                &text,
                style,
            );
        }
    }
}
