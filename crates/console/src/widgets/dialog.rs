//! Boxes over the screen, and the guard that keeps a held key from confirming anything.

use jiff::{SignedDuration, Timestamp};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::Style,
};

pub(crate) use super::wrap::wrapped;
use super::{
    input::Input,
    text::{Pen, put},
};
use crate::theme::Theme;

/// Keys are ignored until none has come for this long since the dialog opened: a held key never confirms.
const SILENCE: SignedDuration = SignedDuration::from_millis(300);

/// Ignores keys right after opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guard {
    quiet_since: Option<Timestamp>,
}

impl Guard {
    /// A guard of a dialog that opens now.
    pub(crate) fn opened(at: Timestamp) -> Self {
        Self {
            quiet_since: Some(at),
        }
    }

    /// Counts every key from now on: something was typed that no held key types.
    pub(crate) fn open(&mut self) {
        self.quiet_since = None;
    }

    /// Whether a key that comes now counts.
    pub(crate) fn lets_through(&mut self, at: Timestamp) -> bool {
        match self.quiet_since {
            Some(since) if (SignedDuration::ZERO..SILENCE).contains(&at.duration_since(since)) => {
                self.quiet_since = Some(at);
                false
            }
            _ => {
                self.quiet_since = None;
                true
            }
        }
    }
}

/// A rectangle of this size in the middle, cut to the screen.
pub(crate) fn centred(screen: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(screen.width), height.min(screen.height));
    Rect::new(
        screen.x + (screen.width - width) / 2,
        screen.y + (screen.height - height) / 2,
        width,
        height,
    )
}

/// Clears a rectangle and draws a frame with a title; returns the inside.
pub(crate) fn frame(
    buffer: &mut Buffer,
    area: Rect,
    title: &str,
    style: Style,
    theme: &Theme,
) -> Rect {
    let area = area.intersection(buffer.area);
    if area.width < 4 || area.height < 3 {
        return Rect::ZERO;
    }
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buffer[(x, y)].reset();
        }
    }
    let (right, bottom) = (area.right() - 1, area.bottom() - 1);
    for x in area.left()..=right {
        buffer[(x, area.y)].set_symbol("─").set_style(style);
        buffer[(x, bottom)].set_symbol("─").set_style(style);
    }
    for y in area.top()..=bottom {
        buffer[(area.x, y)].set_symbol("│").set_style(style);
        buffer[(right, y)].set_symbol("│").set_style(style);
    }
    for (x, y, corner) in [
        (area.x, area.y, "╭"),
        (right, area.y, "╮"),
        (area.x, bottom, "╰"),
        (right, bottom, "╯"),
    ] {
        buffer[(x, y)].set_symbol(corner).set_style(style);
    }
    put(
        buffer,
        area.x + 2,
        area.y,
        area.width.saturating_sub(4),
        &format!(" {title} "),
        theme.strong,
    );
    Rect::new(area.x + 2, area.y + 1, area.width - 4, area.height - 2)
}

/// Draws a frame with a line to type in, for choosing from a list; returns where the list goes, and the caret.
pub(crate) fn finder(
    buffer: &mut Buffer,
    area: Rect,
    title: &str,
    prompt: &str,
    input: &Input,
    theme: &Theme,
) -> (Rect, Position) {
    let inside = frame(buffer, area, title, theme.accent, theme);
    let typed = Pen::new(buffer, inside, 0).put(prompt, theme.muted).x();
    let caret = input.draw(
        buffer,
        typed,
        inside.y,
        inside.right().saturating_sub(typed),
        theme.text,
    );
    let list = Rect {
        y: inside.y + 2,
        height: inside.height.saturating_sub(2),
        ..inside
    };
    (list, caret)
}

/// Draws buttons side by side; the focused one is marked by shape and style.
pub(crate) fn buttons(
    buffer: &mut Buffer,
    area: Rect,
    row: u16,
    labels: &[&str],
    focused: usize,
    theme: &Theme,
) {
    let mut pen = Pen::new(buffer, area, row);
    for (index, label) in labels.iter().enumerate() {
        pen = if index == focused {
            pen.put(&format!("▸ {label} "), theme.selection)
        } else {
            pen.put(&format!("  {label} "), theme.text)
        };
        pen = pen.gap(2);
    }
}

/// The first lines of a text broken at spaces; where more was left out, the last one says so by an ellipsis.
pub(crate) fn beginning(text: &str, columns: u16, most: usize) -> Vec<String> {
    let first = super::wrap::lines(text, columns).take(most.saturating_add(1));
    let mut lines: Vec<String> = first.map(str::to_owned).collect();
    shorten(&mut lines, most);
    lines
}

/// Cuts lines off, with a sign that something was left out.
pub(crate) fn shorten(lines: &mut Vec<String>, most: usize) {
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            last.push('…');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_key_never_gets_through_and_a_new_one_does() {
        let start = Timestamp::UNIX_EPOCH;
        let after = |milliseconds| start + SignedDuration::from_millis(milliseconds);
        let mut guard = Guard::opened(start);
        for repeat in 0..100 {
            assert!(
                !guard.lets_through(after(30 * repeat)),
                "auto-repeat at {} ms",
                30 * repeat
            );
        }
        assert!(guard.lets_through(after(30 * 99 + 300)));
        assert!(
            guard.lets_through(after(30 * 99 + 310)),
            "and it stays open"
        );
        assert!(
            Guard::opened(start).lets_through(start - SignedDuration::from_secs(5)),
            "a clock set back does not lock up"
        );
    }
}
