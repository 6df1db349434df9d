//! Text into cells: cut by grapheme and display width, steering characters made visible first.

use std::borrow::Cow;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

pub(crate) use lakehand_pipeline::text::columns as width;
use lakehand_pipeline::text::for_terminal;

/// Columns a text takes, or `most` where it takes more: a text of megabytes is not walked to its end.
pub(crate) fn width_within(text: &str, most: u16) -> u16 {
    let head = head_of(text, most.into());
    u16::try_from(width(head)).map_or(most, |wide| wide.min(most))
}

/// A text without steering characters, cut to `columns` with an ellipsis when it is longer.
pub(crate) fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    // A text of megabytes is not walked to the end to learn that it does not fit into forty columns.
    let head = head_of(text, columns);
    let safe = for_terminal(head);
    let fits = head.len() == text.len()
        && (safe.is_ascii() && safe.len() <= columns || width(&safe) <= columns);
    if fits {
        return safe;
    }
    let mut cut = String::new();
    let mut used = 0;
    for grapheme in safe.graphemes(true) {
        let wide = grapheme.width();
        if used + wide + 1 > columns {
            break;
        }
        cut.push_str(grapheme);
        used += wide;
    }
    if columns > 0 {
        cut.push('…');
    }
    Cow::Owned(cut)
}

/// Enough of the beginning to fill `columns`: every cell can hold several code points of a cluster.
pub(crate) fn head_of(text: &str, columns: usize) -> &str {
    let most = columns.saturating_mul(32).saturating_add(256);
    if text.len() <= most {
        return text;
    }
    let end = (0..=most)
        .rev()
        .find(|index| text.is_char_boundary(*index))
        .unwrap_or(0);
    &text[..end]
}

/// Draws `text` at (`x`, `y`) in at most `columns` columns; returns the columns used.
pub(crate) fn put(
    buffer: &mut Buffer,
    x: u16,
    y: u16,
    columns: u16,
    text: &str,
    style: Style,
) -> u16 {
    let area = buffer.area;
    if y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right() {
        return 0;
    }
    let columns = columns.min(area.right() - x);
    let (end, _) = buffer.set_stringn(x, y, fit(text, columns.into()), columns.into(), style);
    end - x
}

/// Fills a row of cells with a style, keeping their text.
pub(crate) fn tint(buffer: &mut Buffer, x: u16, y: u16, columns: u16, style: Style) {
    buffer.set_style(
        Rect {
            x,
            y,
            width: columns,
            height: 1,
        }
        .intersection(buffer.area),
        style,
    );
}

/// A horizontal rule.
pub(crate) fn rule(buffer: &mut Buffer, x: u16, y: u16, columns: u16, style: Style) {
    let area = buffer.area;
    if y < area.top() || y >= area.bottom() {
        return;
    }
    for column in x..x.saturating_add(columns).min(area.right()) {
        buffer[(column, y)].set_symbol("─").set_style(style);
    }
}

/// Writes one row from left to right.
pub(crate) struct Pen<'b> {
    buffer: &'b mut Buffer,
    x: u16,
    y: u16,
    right: u16,
}

impl<'b> Pen<'b> {
    /// A pen at the left end of row `y` (counted from the top of `area`).
    pub(crate) fn new(buffer: &'b mut Buffer, area: Rect, row: u16) -> Self {
        // A row below the area gets an empty span, so that a caller need not count.
        let inside = row < area.height;
        Self {
            buffer,
            x: area.x,
            y: area.y.saturating_add(row),
            right: if inside { area.right() } else { area.x },
        }
    }

    /// Columns left.
    pub(crate) fn left(&self) -> u16 {
        self.right.saturating_sub(self.x)
    }

    /// The next free column.
    pub(crate) fn x(&self) -> u16 {
        self.x
    }

    /// Writes a text, cut to what is left.
    pub(crate) fn put(mut self, text: &str, style: Style) -> Self {
        let left = self.left();
        self.x += put(self.buffer, self.x, self.y, left, text, style);
        self
    }

    /// Writes a text into exactly `columns` columns.
    pub(crate) fn cell(mut self, text: &str, columns: u16, style: Style) -> Self {
        let columns = columns.min(self.left());
        put(self.buffer, self.x, self.y, columns, text, style);
        self.x += columns;
        self
    }

    /// Writes a text at the right end of `columns` columns.
    pub(crate) fn cell_right(mut self, text: &str, columns: u16, style: Style) -> Self {
        let columns = columns.min(self.left());
        let used = width_within(text, columns);
        put(
            self.buffer,
            self.x + columns - used,
            self.y,
            used,
            text,
            style,
        );
        self.x += columns;
        self
    }

    /// Leaves columns free.
    pub(crate) fn gap(mut self, columns: u16) -> Self {
        self.x = self.x.saturating_add(columns).min(self.right);
        self
    }

    /// Writes a text at the right end of the row if it fits, and takes its columns away from what is left.
    pub(crate) fn right(mut self, text: &str, style: Style) -> Self {
        let wide = width_within(text, self.left());
        if wide < self.left() {
            self.right -= wide;
            put(self.buffer, self.right, self.y, wide, text, style);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_display_width() {
        assert_eq!(fit("hello", 5), "hello");
        assert_eq!(fit("hello!", 5), "hell…");
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("👩‍👩‍👧 family", 4), "👩‍👩‍👧 …");
        assert_eq!(fit("anything", 0), "");
        assert_eq!(fit("\u{1b}[31mred", 20), "␛[31mred");
    }

    #[test]
    fn a_huge_text_is_not_walked() {
        let huge = "é".repeat(10_000_000);
        assert_eq!(fit(&huge, 3), "éé…");
    }

    #[test]
    fn writing_outside_the_screen_is_harmless() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 1));
        assert_eq!(put(&mut buffer, 9, 0, 4, "x", Style::new()), 0);
        assert_eq!(put(&mut buffer, 0, 9, 4, "x", Style::new()), 0);
        assert_eq!(
            put(&mut buffer, 2, 0, 10, "日本", Style::new()),
            1,
            "a wide character that does not fit is cut"
        );
        rule(&mut buffer, 3, 5, 10, Style::new());
        let pen = Pen::new(&mut buffer, Rect::new(0, 0, 4, 1), 3);
        assert_eq!(pen.left(), 0);
    }
}
