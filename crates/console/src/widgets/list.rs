//! The selected row of a list and the first visible one, whatever the list's length.

use std::ops::Range;

use crate::actions::ActionId;

/// A place in a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    selected: usize,
    top: usize,
}

impl Cursor {
    /// The selected row.
    pub(crate) fn selected(&self) -> usize {
        self.selected
    }

    /// The first visible row.
    pub(crate) fn top(&self) -> usize {
        self.top
    }

    /// Selects a row.
    pub(crate) fn select(&mut self, row: usize, length: usize, height: usize) {
        self.selected = row.min(length.saturating_sub(1));
        let height = height.max(1);
        if self.selected < self.top {
            self.top = self.selected;
        } else if self.selected >= self.top + height {
            self.top = self.selected + 1 - height;
        }
        self.top = self.top.min(length.saturating_sub(height));
    }

    /// Selects a row and shows it a third down the page, with what comes before it.
    pub(crate) fn show(&mut self, row: usize, length: usize, height: usize) {
        self.top = row.saturating_sub(height / 3);
        self.select(row, length, height);
    }

    /// Moves by rows.
    pub(crate) fn step(&mut self, rows: isize, length: usize, height: usize) {
        self.select(self.selected.saturating_add_signed(rows), length, height);
    }

    /// Stays in range after the list or the screen has changed.
    pub(crate) fn keep(&mut self, length: usize, height: usize) {
        self.select(self.selected, length, height);
    }

    /// Does a moving action; `false` if it is none.
    pub(crate) fn act(&mut self, action: ActionId, length: usize, height: usize) -> bool {
        let page = isize::try_from(height.saturating_sub(1).max(1)).unwrap_or(1);
        match action {
            ActionId::Down => self.step(1, length, height),
            ActionId::Up => self.step(-1, length, height),
            ActionId::PageDown => self.step(page, length, height),
            ActionId::PageUp => self.step(-page, length, height),
            ActionId::Top => self.select(0, length, height),
            ActionId::Bottom => self.select(usize::MAX, length, height),
            _ => return false,
        }
        true
    }

    /// The visible rows.
    pub(crate) fn visible(&self, length: usize, height: usize) -> Range<usize> {
        let top = self.top.min(length);
        top..length.min(top + height)
    }
}

/// How far a text without a selected line is scrolled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Scroll {
    top: usize,
}

impl Scroll {
    /// The first visible line.
    pub(crate) fn top(self) -> usize {
        self.top
    }

    /// Shows a line as the first one, as far as there are enough below it.
    pub(crate) fn to(&mut self, line: usize, length: usize, height: usize) {
        self.top = line.min(length.saturating_sub(height));
    }

    /// Does a moving action; `false` if it is none.
    pub(crate) fn act(&mut self, action: ActionId, length: usize, height: usize) -> bool {
        let page = height.saturating_sub(1);
        let line = match action {
            ActionId::Down => self.top + 1,
            ActionId::Up => self.top.saturating_sub(1),
            ActionId::PageDown => self.top + page,
            ActionId::PageUp => self.top.saturating_sub(page),
            ActionId::Top => 0,
            ActionId::Bottom => length,
            _ => return false,
        };
        self.to(line, length, height);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_row_is_always_visible() {
        let mut cursor = Cursor::default();
        for (action, row) in [
            (ActionId::Up, 0),
            (ActionId::Down, 1),
            (ActionId::PageDown, 10),
            (ActionId::Bottom, 999_999),
            (ActionId::Down, 999_999),
            (ActionId::PageUp, 999_990),
            (ActionId::Top, 0),
        ] {
            assert!(cursor.act(action, 1_000_000, 10));
            assert_eq!(cursor.selected(), row);
            assert!(cursor.visible(1_000_000, 10).contains(&row));
        }
        cursor.select(500, 1_000_000, 10);
        cursor.keep(3, 10);
        assert_eq!(
            (cursor.selected(), cursor.visible(3, 10)),
            (2, 0..3),
            "a list that shrank"
        );
        cursor.keep(0, 10);
        assert_eq!((cursor.selected(), cursor.visible(0, 10)), (0, 0..0));
    }
}
