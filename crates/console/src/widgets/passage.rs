//! A text over the lines of a pane.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{text::Pen, wrap::lines};
use lakehand_ops::OpsError;

/// What stands in place of what could not be read: what failed and why, then the advice.
pub(crate) fn unread(error: &OpsError) -> String {
    format!("cannot be read: {error}.\n{}", error.advice)
}

/// Writes a text over the lines of a pane, as many as it has.
pub(crate) fn put_wrapped(buffer: &mut Buffer, area: Rect, text: &str, style: Style) {
    for (row, line) in lines(text, area.width).take(area.height.into()).enumerate() {
        Pen::new(buffer, area, u16::try_from(row).unwrap_or(u16::MAX)).put(line, style);
    }
}
