//! A row as a screen keeps it.

use std::borrow::Cow;

use lakehand_pipeline::records::fields;

/// Bytes of a cell that are kept for the screen: more than can be copied. The rest is read when the cell is opened.
pub(crate) const KEPT: usize = 80_000;

/// One row as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Position in the file, from 0, the header not counted.
    pub(crate) row: u32,
    /// Cells without their quotes, at most their first [`KEPT`] bytes; bytes that are no UTF-8 are replaced.
    pub(crate) cells: Box<[Box<str>]>,
    /// Whether a cell is longer than what is kept of it.
    pub(crate) cut: bool,
}

impl Record {
    /// Parses the bytes of one record, without its line end.
    pub(crate) fn parse(row: u32, line: &[u8]) -> Self {
        let mut cut = false;
        let mut kept = |cell: Cow<'_, [u8]>| {
            let head = &cell[..cell.len().min(KEPT)];
            cut |= head.len() < cell.len();
            String::from_utf8_lossy(head).into()
        };
        Self {
            row,
            cells: fields(line).map(&mut kept).collect(),
            cut,
        }
    }

    /// Bytes it takes, about.
    pub(crate) fn size(&self) -> usize {
        let cell = |cell: &str| cell.len() + size_of::<Box<str>>();
        self.cells.iter().map(|text| cell(text)).sum::<usize>() + size_of::<Self>()
    }
}
