//! When each stage ran: a bar from start to end on the execution's own scale.

use jiff::{SignedDuration, Timestamp};
use ratatui::{buffer::Buffer, layout::Rect};

use super::text::{Pen, put, tint};
use crate::{
    format,
    theme::{Theme, stage_mark},
};
use lakehand_ops::Stage;

/// The stretch of time that is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// Left end.
    pub(crate) from: Timestamp,
    /// Right end.
    pub(crate) to: Timestamp,
}

impl Span {
    /// The column of a moment on a scale of `columns`.
    fn column(&self, at: Timestamp, columns: u16) -> u16 {
        let whole = self.to.duration_since(self.from).as_millis().max(1);
        let part = at.duration_since(self.from).as_millis().clamp(0, whole);
        u16::try_from(part * i128::from(columns) / whole).unwrap_or(columns)
    }
}

/// Draws the stages at `rows` (positions in `stages`), the first line being the scale.
pub(crate) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    stages: &[Stage],
    (top, selected): (usize, usize),
    span: Span,
    theme: &Theme,
) {
    let names = (area.width / 3).clamp(12, 36);
    let bars = Rect {
        x: area.x + names + 4,
        width: area.width.saturating_sub(names + 4 + 10),
        ..area
    };
    let total = span.to.duration_since(span.from);
    Pen::new(buffer, area, 0)
        .gap(names + 4)
        .put("0 s", theme.muted);
    let end = format::duration(total);
    let half = format::duration(SignedDuration::from_millis(
        i64::try_from(total.as_millis() / 2).unwrap_or(0),
    ));
    let length = |text: &str| u16::try_from(text.len()).unwrap_or(0);
    put(
        buffer,
        bars.x + bars.width / 2,
        area.y,
        12,
        &half,
        theme.muted,
    );
    put(
        buffer,
        bars.right().saturating_sub(length(&end)),
        area.y,
        12,
        &end,
        theme.muted,
    );
    for (line, (position, stage)) in stages
        .iter()
        .enumerate()
        .skip(top)
        .take(usize::from(area.height.saturating_sub(1)))
        .enumerate()
    {
        let y = u16::try_from(line).unwrap_or(u16::MAX).saturating_add(1);
        let mark = stage_mark(theme, &stage.status);
        let indent = (stage.depth * 2).min(8);
        Pen::new(buffer, area, y)
            .gap(1)
            .put(mark.symbol, mark.style)
            .gap(1 + indent)
            .cell(&stage.name, names - indent, theme.text);
        if let Some(started) = stage.started {
            let ended = stage.ended.unwrap_or(span.to);
            let from = span.column(started, bars.width);
            let to = span
                .column(ended, bars.width)
                .max(from + 1)
                .min(bars.width.max(1));
            for column in from.min(to.saturating_sub(1))..to {
                put(
                    buffer,
                    bars.x + column,
                    area.y + y,
                    1,
                    if stage.ended.is_some() { "█" } else { "▒" },
                    mark.style,
                );
            }
            put(
                buffer,
                bars.right() + 1,
                area.y + y,
                9,
                &format::duration(ended.duration_since(started).saturating_sub(stage.idle)),
                theme.muted,
            );
        }
        if position == selected {
            // Only the name: a reversed bar would no longer tell its state.
            tint(buffer, area.x, area.y + y, names + 3, theme.selection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_on_the_scale() {
        let from = Timestamp::UNIX_EPOCH;
        let span = Span {
            from,
            to: from + SignedDuration::from_secs(100),
        };
        let at = |seconds| span.column(from + SignedDuration::from_secs(seconds), 50);
        assert_eq!((at(0), at(50), at(100)), (0, 25, 50));
        assert_eq!((at(-10), at(1_000)), (0, 50));
        let nothing = Span { from, to: from };
        assert_eq!(nothing.column(from, 50), 0);
    }
}
