//! What goes to the terminal for a frame.
//!
//! Terminals do not agree how wide a character with marks is: a syllable of Devanagari, a Thai letter with its
//! vowel, an emoji of several parts. Where one thinks otherwise than we do, everything after it stands beside its
//! place, and marks stay in cells that we believe empty. So the cursor is set anew after each of them, and a row
//! that has or had one is wiped before it is written whole.

use std::io::{self, Write};

use crossterm::{
    cursor::MoveTo,
    queue,
    style::{Attribute, ResetColor, SetAttribute},
    terminal::{Clear, ClearType},
};
use ratatui::{
    backend::{Backend, CrosstermBackend},
    buffer::{Buffer, Cell},
};

/// A frame's difference from the one before.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes<'b> {
    /// Rows to be wiped first.
    wiped: Vec<u16>,
    /// Cells to be written, from left to right and from top to bottom.
    cells: Vec<(u16, u16, &'b Cell)>,
}

impl Changes<'_> {
    /// Whether the frames are the same.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

/// Whether terminals may take another width for it than we do.
fn is_doubtful(cell: &Cell) -> bool {
    let symbol = cell.symbol();
    if symbol.len() <= 1 {
        return false;
    }
    let mut characters = symbol.chars();
    let first = characters.next();
    characters.next().is_some() || first.is_some_and(|c| c >= '\u{1f000}')
}

fn row(buffer: &Buffer, y: u16) -> &[Cell] {
    let width = usize::from(buffer.area.width);
    let start = usize::from(y - buffer.area.y) * width;
    buffer.content.get(start..start + width).unwrap_or_default()
}

/// What differs between two frames of the same size.
pub(crate) fn changes<'b>(shown: &Buffer, next: &'b Buffer) -> Changes<'b> {
    let differing = shown.diff(next);
    let doubtful = |y: u16| {
        [shown, next]
            .iter()
            .any(|buffer| row(buffer, y).iter().any(is_doubtful))
    };
    let mut changes = Changes::default();
    let mut rest = differing.into_iter().peekable();
    while let Some((x, y, cell)) = rest.next() {
        if !doubtful(y) {
            changes.cells.push((x, y, cell));
            while let Some(same) = rest.next_if(|(_, row, _)| *row == y) {
                changes.cells.push(same);
            }
            continue;
        }
        while rest.next_if(|(_, row, _)| *row == y).is_some() {}
        changes.wiped.push(y);
        whole_row(next, y, &mut changes.cells);
    }
    changes
}

/// Every cell of a row that is to be written on an empty line.
fn whole_row<'b>(next: &'b Buffer, y: u16, cells: &mut Vec<(u16, u16, &'b Cell)>) {
    let empty = Buffer::empty(ratatui::layout::Rect {
        y,
        height: 1,
        ..next.area
    });
    let mut line = empty.clone();
    line.content.clone_from_slice(row(next, y));
    let wanted: Vec<u16> = empty.diff(&line).into_iter().map(|(x, ..)| x).collect();
    let cell = |x: u16| next.cell((x, y)).map(|cell| (x, y, cell));
    cells.extend(wanted.into_iter().filter_map(cell));
}

/// Writes changes.
pub(crate) fn paint<W: Write>(
    backend: &mut CrosstermBackend<W>,
    changes: &Changes<'_>,
) -> io::Result<()> {
    for y in &changes.wiped {
        queue!(
            backend,
            ResetColor,
            SetAttribute(Attribute::Reset),
            MoveTo(0, *y),
            Clear(ClearType::CurrentLine)
        )?;
    }
    // Each call sets the cursor before its first cell.
    for run in changes
        .cells
        .split_inclusive(|(_, _, cell)| is_doubtful(cell))
    {
        backend.draw(run.iter().map(|(x, y, cell)| (*x, *y, *cell)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ratatui::{layout::Rect, style::Style};

    use super::*;

    const AREA: Rect = Rect::new(0, 0, 40, 3);

    /// A terminal that takes each character for itself, as tmux does, and not the syllables that we count.
    struct Screen {
        shown: Buffer,
        terminal: vt100::Parser,
    }

    impl Screen {
        fn new() -> Self {
            let size = |count| std::num::NonZero::new(count).unwrap();
            Self {
                shown: Buffer::empty(AREA),
                terminal: vt100::Parser::new(size(3), size(40), 0),
            }
        }

        fn draw(&mut self, lines: &[&str]) -> Vec<String> {
            let mut next = Buffer::empty(AREA);
            for (y, line) in (0..).zip(lines) {
                next.set_string(0, y, line, Style::new());
            }
            let mut bytes = Vec::new();
            let mut backend = CrosstermBackend::new(&mut bytes);
            paint(&mut backend, &changes(&self.shown, &next)).unwrap();
            self.terminal.process(&bytes);
            self.shown = next;
            let rows = self.terminal.screen().rows(0, 40);
            rows.map(|row| row.trim_end().to_owned()).collect()
        }
    }

    #[test]
    fn marks_leave_with_their_rows() {
        let marked = ["किताब कर्म क्षत्रिय|x", "กำลังใจ น้ำ ที่นี่|x", "plain ascii row|x"];
        let plain = ["affiliate36      |x", "", "plain ascii row|x"];
        let mut screen = Screen::new();
        for _ in 0..3 {
            screen.draw(&marked);
            let rows = screen.draw(&plain);
            assert_eq!(rows[0].replace(' ', ""), "affiliate36|x");
            assert_eq!(rows[1], "", "nothing stays in an empty area");
            assert_eq!(rows[2], "plain ascii row|x");
        }
    }

    #[test]
    fn what_follows_a_mark_stands_in_its_place() {
        for text in ["क्षत्रिय", "ที่นี่", "👩‍👩‍👧‍👦", "e\u{301}\u{323}"]
        {
            let mut screen = Screen::new();
            let mut next = Buffer::empty(AREA);
            next.set_string(0, 0, text, Style::new());
            next.set_string(30, 0, "x=1", Style::new());
            let mut bytes = Vec::new();
            let mut backend = CrosstermBackend::new(&mut bytes);
            paint(&mut backend, &changes(&screen.shown, &next)).unwrap();
            screen.terminal.process(&bytes);
            let cell = |column| screen.terminal.screen().cell(0, column).unwrap().contents();
            assert_eq!([cell(30), cell(31), cell(32)], ["x", "=", "1"], "{text}");
        }
    }

    #[test]
    fn rows_without_marks_are_written_as_far_as_they_differ() {
        let (mut old, mut new) = (Buffer::empty(AREA), Buffer::empty(AREA));
        old.set_string(0, 0, "日本 · abc", Style::new());
        new.set_string(0, 0, "日本 · abd", Style::new());
        let found = changes(&old, &new);
        assert_eq!((found.wiped.len(), found.cells.len()), (0, 1));
    }
}
