//! Short messages above the footer.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    text::{put, width},
    wrap::lines,
};
use crate::state::{State, Tone};

/// Draws the messages at the bottom of `area`, the newest lowest.
pub(crate) fn draw(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let mut y = area.bottom();
    for toast in state.toasts.iter().rev() {
        let (mark, style) = match toast.tone {
            Tone::Info => ("·", theme.selection),
            Tone::Problem => ("!", theme.selection.patch(theme.bad)),
        };
        let text = format!("{mark} {}", toast.text);
        let columns = area.width.saturating_sub(6).min(100);
        let shown: Vec<&str> = lines(&text, columns).take(area.height.into()).collect();
        for line in shown.iter().rev() {
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
