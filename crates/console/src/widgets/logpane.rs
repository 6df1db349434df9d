//! Log lines: only the visible ones are formatted and, if need be, wrapped.

use jiff::tz::TimeZone;
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    text::{Pen, head_of, put, tint, width},
    wrap,
};
use crate::{format, theme::Theme};
use lakehand_ops::LogLine;
use lakehand_pipeline::jobs::Level;

/// How lines are shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'l> {
    /// Zone of the time stamps.
    pub(crate) zone: &'l TimeZone,
    /// Styles.
    pub(crate) theme: &'l Theme,
    /// Show the stage of each line.
    pub(crate) stages: bool,
    /// Columns of the message scrolled away to the left.
    pub(crate) offset: usize,
    /// Break long lines instead of cutting them.
    pub(crate) wrap: bool,
    /// Text to highlight, lower case.
    pub(crate) highlight: Option<&'l str>,
}

/// A level as it is shown and found.
pub(crate) fn level_word(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warn => "WARN",
        Level::Info => "info",
        Level::Debug => "debug",
    }
}

/// Word and style of a level.
pub(crate) fn level_mark(theme: &Theme, level: Level) -> (&'static str, Style) {
    let style = match level {
        Level::Error => theme.bad,
        Level::Warn => theme.warn,
        Level::Info | Level::Debug => theme.muted,
    };
    (level_word(level), style)
}

/// Columns before the message.
fn margin(look: &Look<'_>) -> u16 {
    12 + 1 + 5 + 1 + if look.stages { 21 } else { 0 } + 1
}

/// Text lines that a log line takes on a pane of this size; more than it holds are not counted.
pub(crate) fn height(line: &LogLine, pane: Rect, look: &Look<'_>) -> u16 {
    if !look.wrap {
        return 1;
    }
    let room = pane.width.saturating_sub(margin(look)).max(10);
    let most = usize::from(pane.height) + 1;
    let counted = wrap::lines(&line.message, room).take(most).count();
    u16::try_from(counted.max(1)).unwrap_or(u16::MAX)
}

/// Draws a log line at `row` of the pane; returns the rows it took.
pub(crate) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    row: u16,
    line: &LogLine,
    selected: bool,
    look: &Look<'_>,
) -> u16 {
    let theme = look.theme;
    let (word, style) = level_mark(theme, line.level);
    let mut pen = Pen::new(buffer, area, row)
        .cell(&format::clock(line.at, look.zone), 12, theme.muted)
        .gap(1);
    pen = pen.cell(word, 5, style).gap(1);
    if look.stages {
        pen = pen.cell(&line.stage, 20, theme.accent).gap(1);
    }
    let x = pen.x();
    let room = area.right().saturating_sub(x);
    let message_style = if line.level == Level::Info {
        theme.text
    } else {
        style
    };
    // No more of a long message is looked at than the pane can show.
    let lines: Vec<&str> = if look.wrap {
        let left = usize::from(area.height.saturating_sub(row));
        wrap::lines(&line.message, room.max(10))
            .take(left)
            .collect()
    } else {
        vec![skip(&line.message, look.offset)]
    };
    let mut used = 0;
    for text in lines {
        if row + used >= area.height {
            break;
        }
        put(buffer, x, area.y + row + used, room, text, message_style);
        if let Some(wanted) = look.highlight {
            highlight(
                buffer,
                x,
                area.y + row + used,
                room,
                text,
                wanted,
                theme.found,
            );
        }
        used += 1;
    }
    if selected {
        tint(buffer, area.x, area.y + row, area.width, theme.selection);
    }
    used.max(1)
}

/// The text without its first columns.
fn skip(text: &str, columns: usize) -> &str {
    text.char_indices()
        .nth(columns)
        .map_or(if columns == 0 { text } else { "" }, |(offset, _)| {
            &text[offset..]
        })
}

/// Styles every place where `wanted` (lower case) stands in the drawn text.
fn highlight(
    buffer: &mut Buffer,
    x: u16,
    y: u16,
    room: u16,
    text: &str,
    wanted: &str,
    style: Style,
) {
    if wanted.is_empty() {
        return;
    }
    let text = head_of(text, room.into());
    let lowered = text.to_lowercase();
    if lowered.len() != text.len() {
        return;
    }
    let long = u16::try_from(width(wanted)).unwrap_or(room);
    for (at, _) in lowered.match_indices(wanted) {
        let before = u16::try_from(width(text.get(..at).unwrap_or_default())).unwrap_or(u16::MAX);
        if before >= room {
            return;
        }
        tint(buffer, x + before, y, long.min(room - before), style);
    }
}
