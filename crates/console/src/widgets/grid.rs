//! Aligned columns. The least important ones go first when the screen is narrow.

use std::borrow::Cow;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::text::{Pen, tint};
use crate::theme::Theme;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Title.
    pub(crate) title: &'static str,
    /// Fewest columns it is useful with.
    pub(crate) least: u16,
    /// Share of what is left over; 0 keeps the least.
    pub(crate) grows: u16,
    /// Text at the right end.
    pub(crate) right: bool,
    /// 0 stays longest.
    pub(crate) rank: u8,
}

impl Column {
    /// The columns, the one of this title as wide as `widest` at least.
    pub(crate) fn wide_enough<const N: usize>(
        mut columns: [Self; N],
        title: &str,
        widest: u16,
    ) -> [Self; N] {
        for column in columns.iter_mut().filter(|column| column.title == title) {
            column.least = column.least.max(widest);
        }
        columns
    }

    /// A column of a fixed width.
    pub(crate) const fn fixed(title: &'static str, width: u16, rank: u8) -> Self {
        Self {
            title,
            least: width,
            grows: 0,
            right: false,
            rank,
        }
    }

    /// A column of numbers of a fixed width.
    pub(crate) const fn number(title: &'static str, width: u16, rank: u8) -> Self {
        Self {
            title,
            least: width,
            grows: 0,
            right: true,
            rank,
        }
    }

    /// A column that takes what is left.
    pub(crate) const fn growing(title: &'static str, least: u16, grows: u16, rank: u8) -> Self {
        Self {
            title,
            least,
            grows,
            right: false,
            rank,
        }
    }
}

/// Columns between two columns.
const GAP: u16 = 2;

/// Widths for a screen of `total` columns; 0 for a column that has no room.
pub(crate) fn widths(columns: &[Column], total: u16) -> Vec<u16> {
    let mut shown: Vec<bool> = vec![true; columns.len()];
    let needed = |shown: &[bool]| -> u16 {
        let kept = columns.iter().zip(shown).filter(|(_, shown)| **shown);
        kept.map(|(column, _)| column.least + GAP)
            .sum::<u16>()
            .saturating_sub(GAP)
    };
    while needed(&shown) > total {
        let last = (0..columns.len())
            .filter(|index| shown[*index])
            .max_by_key(|index| (columns[*index].rank, *index));
        match last {
            Some(index) if shown.iter().filter(|shown| **shown).count() > 1 => shown[index] = false,
            _ => break,
        }
    }
    let spare = total.saturating_sub(needed(&shown));
    let shares: u16 = columns
        .iter()
        .zip(&shown)
        .filter(|(_, shown)| **shown)
        .map(|(column, _)| column.grows)
        .sum();
    let width = |(column, shown): (&Column, &bool)| match (shown, shares) {
        (false, _) => 0,
        (true, 0) => column.least.min(total),
        (true, _) => (column.least + spare * column.grows / shares).min(total),
    };
    columns.iter().zip(&shown).map(width).collect()
}

/// A cell: text and style.
pub(crate) type Cell<'t> = (Cow<'t, str>, Style);

/// Draws the titles.
pub(crate) fn titles(
    buffer: &mut Buffer,
    area: Rect,
    columns: &[Column],
    widths: &[u16],
    theme: &Theme,
) {
    let cells: Vec<Cell<'_>> = columns
        .iter()
        .map(|column| (Cow::Borrowed(column.title), theme.muted))
        .collect();
    row(buffer, area, 0, columns, widths, &cells);
}

/// Draws one row.
pub(crate) fn row(
    buffer: &mut Buffer,
    area: Rect,
    line: u16,
    columns: &[Column],
    widths: &[u16],
    cells: &[Cell<'_>],
) {
    let mut pen = Pen::new(buffer, area, line);
    for ((column, width), (text, style)) in columns.iter().zip(widths).zip(cells) {
        if *width == 0 {
            continue;
        }
        pen = if column.right {
            pen.cell_right(text, *width, *style)
        } else {
            pen.cell(text, *width, *style)
        };
        pen = pen.gap(GAP);
    }
}

/// Marks the selected row of `rows` over the whole width of its pane, which is wider than the cells.
pub(crate) fn select(buffer: &mut Buffer, pane: Rect, rows: Rect, line: u16, theme: &Theme) {
    if line < rows.height {
        tint(buffer, pane.x, rows.y + line, pane.width, theme.selection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_important_column_goes_first_and_the_rest_is_shared() {
        let columns = [
            Column::fixed("a", 10, 0),
            Column::growing("b", 10, 1, 1),
            Column::fixed("c", 10, 2),
        ];
        assert_eq!(widths(&columns, 40), [10, 16, 10]);
        assert_eq!(widths(&columns, 34), [10, 10, 10]);
        assert_eq!(widths(&columns, 33), [10, 21, 0]);
        assert_eq!(widths(&columns, 15), [10, 0, 0]);
        assert_eq!(widths(&columns, 4), [4, 0, 0]);
        assert_eq!(widths(&columns, 0), [0, 0, 0]);
    }
}
