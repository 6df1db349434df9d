//! An open report as a table: the first page at once, the rest as it is looked at.

mod update;
mod view;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use ratatui::layout::Rect;

pub(crate) use update::{
    act, answered_found, answered_index, answered_opened, answered_order, answered_rows, click,
    filter, find, open, resized,
};
pub(crate) use view::view;

use crate::{
    console::{
        actions::Reason,
        state::State,
        table::{BLOCK, Index, Order, OrderSpec, Record, Source},
        widgets::{list::Cursor, text::width},
    },
    ops::{OpsError, ReportName},
};

/// Widest column; a longer cell is cut and opens with Enter.
const WIDEST: u16 = 40;

/// Blocks of rows kept.
const MOST_BLOCKS: usize = 24;

/// What an export needs to know.
pub(crate) type Seen = (Arc<Source>, Arc<Index>, Option<Arc<Order>>, Vec<usize>);

/// State of an open report.
#[derive(Debug, Clone)]
pub(crate) struct TableState {
    pub(crate) name: ReportName,
    pub(super) source: Option<Arc<Source>>,
    pub(super) error: Option<OpsError>,
    pub(super) index: Option<Arc<Index>>,
    pub(super) indexed: bool,
    pub(super) order: Option<Arc<Order>>,
    pub(super) spec: OrderSpec,
    pub(super) wanted: OrderSpec,
    pub(super) generation: u64,
    pub(super) blocks: HashMap<usize, Arc<Vec<Record>>>,
    pub(super) cursor: Cursor,
    pub(super) column: usize,
    pub(super) first: usize,
    pub(super) frozen: usize,
    pub(super) hidden: BTreeSet<usize>,
    pub(super) widths: Vec<u16>,
    pub(super) numeric: Vec<bool>,
    pub(super) search: String,
}

impl TableState {
    /// A report that is being opened.
    pub(super) fn opening(name: ReportName, generation: u64) -> Self {
        Self {
            name,
            source: None,
            error: None,
            index: None,
            indexed: false,
            order: None,
            spec: OrderSpec::default(),
            wanted: OrderSpec::default(),
            generation,
            blocks: HashMap::new(),
            cursor: Cursor::default(),
            column: 0,
            first: 0,
            frozen: 0,
            hidden: BTreeSet::new(),
            widths: Vec::new(),
            numeric: Vec::new(),
            search: String::new(),
        }
    }

    /// Rows shown.
    pub(super) fn rows(&self) -> usize {
        match (&self.order, &self.index) {
            (Some(order), _) => order.len(),
            (None, Some(index)) => index.rows(),
            (None, None) => self
                .source
                .as_ref()
                .map_or(0, |source| source.first().len()),
        }
    }

    /// Rows of the whole file, as far as it is known: what row numbers need room for.
    pub(super) fn all_rows(&self) -> usize {
        self.index
            .as_ref()
            .map_or_else(|| self.rows(), |index| index.rows())
    }

    /// The record at a position of the order shown, if it was read already.
    pub(crate) fn record(&self, position: usize) -> Option<&Record> {
        if let Some(block) = self.blocks.get(&(position / BLOCK)) {
            return block.get(position % BLOCK);
        }
        // The head of the file is there before any index.
        match (&self.order, &self.source) {
            (None, Some(source)) => source.first().get(position),
            _ => None,
        }
    }

    /// Columns that are shown, as positions in the header.
    pub(super) fn columns(&self) -> Vec<usize> {
        let all = self
            .source
            .as_ref()
            .map_or(0, |source| source.header().len());
        (0..all)
            .filter(|column| !self.hidden.contains(column))
            .collect()
    }

    /// The selected column, as a position in the header.
    pub(super) fn selected_column(&self) -> Option<usize> {
        self.columns().get(self.column).copied()
    }

    /// The cell under the cursor with its column's title.
    pub(crate) fn selected_cell(&self) -> Option<(&str, &str)> {
        let column = self.selected_column()?;
        let title = self.source.as_ref()?.header().get(column)?;
        Some((
            title,
            self.record(self.cursor.selected())?.cells.get(column)?,
        ))
    }

    /// The row under the cursor with the titles of the columns.
    pub(crate) fn selected_row(&self) -> Option<(&[String], &Record)> {
        Some((
            self.source.as_ref()?.header(),
            self.record(self.cursor.selected())?,
        ))
    }

    /// Rows in memory.
    #[cfg(test)]
    pub(crate) fn kept_rows(&self) -> usize {
        self.blocks.values().map(|block| block.len()).sum()
    }

    /// Where the file lies.
    pub(crate) fn path(&self) -> Option<String> {
        Some(self.source.as_ref()?.path().display().to_string())
    }

    /// File, index, order and columns as they are seen, once all of it is indexed.
    pub(crate) fn seen(&self) -> Option<Seen> {
        let (source, index) = (
            self.source.clone()?,
            self.index.clone().filter(|_| self.indexed)?,
        );
        Some((source, index, self.order.clone(), self.columns()))
    }

    /// Widths and alignment from what is on the first page; kept, so that columns do not jump.
    pub(super) fn measure(&mut self) {
        let Some(source) = &self.source else {
            return;
        };
        self.widths = source
            .header()
            .iter()
            .map(|title| title_width(title))
            .collect();
        let mut seen = vec![(0_usize, true); source.header().len()];
        for record in source.first() {
            for (column, cell) in record.cells.iter().enumerate().take(self.widths.len()) {
                let wide = u16::try_from(width(cell)).unwrap_or(WIDEST).min(WIDEST);
                self.widths[column] = self.widths[column].max(wide);
                if !cell.is_empty() {
                    let number = crate::console::table::is_number(cell);
                    seen[column] = (seen[column].0 + 1, seen[column].1 && number);
                }
            }
        }
        self.numeric = seen
            .into_iter()
            .map(|(count, numbers)| count > 0 && numbers)
            .collect();
    }
}

/// A title with room for the mark of the sort.
fn title_width(title: &str) -> u16 {
    u16::try_from(width(title) + 2)
        .unwrap_or(WIDEST)
        .clamp(4, WIDEST)
}

/// Whether the whole file is indexed.
pub(crate) fn is_indexed(state: &State) -> Result<(), Reason> {
    match &state.table {
        Some(table) if table.indexed => Ok(()),
        _ => Err("the file is still being indexed".to_owned()),
    }
}

/// Whether there is a column to hide that is not the last one.
pub(crate) fn can_hide(state: &State) -> Result<(), Reason> {
    match &state.table {
        Some(table) if table.columns().len() > 1 => Ok(()),
        _ => Err("the last column stays".to_owned()),
    }
}

/// Whether a column is hidden.
pub(crate) fn has_hidden(state: &State) -> Result<(), Reason> {
    match &state.table {
        Some(table) if !table.hidden.is_empty() => Ok(()),
        _ => Err("no column is hidden".to_owned()),
    }
}

/// Where the parts are: title and column titles above, rows below.
pub(super) fn rows_area(state: &State) -> Rect {
    let body = state.body();
    Rect {
        y: body.y + 2,
        height: body.height.saturating_sub(2),
        ..body
    }
}

/// Rows on the screen.
pub(super) fn height(state: &State) -> usize {
    usize::from(rows_area(state).height).max(1)
}

/// A column on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    /// Position in the header.
    pub(super) column: usize,
    /// Position among the columns that are not hidden.
    pub(super) place: usize,
    /// First column of the terminal.
    pub(super) x: u16,
    /// Columns of the terminal.
    pub(super) width: u16,
}

/// Columns of the row numbers at the left.
pub(super) fn gutter(rows: usize) -> u16 {
    u16::try_from(crate::console::format::count(rows as u64).len()).unwrap_or(8) + 2
}

/// The columns on a screen this wide: the frozen ones, then those from `first` on.
pub(super) fn shown(table: &TableState, screen: u16) -> Vec<Shown> {
    let columns = table.columns();
    let frozen = table.frozen.min(columns.len());
    let first = table.first.max(frozen);
    let mut x = gutter(table.all_rows());
    let mut shown = Vec::new();
    for (place, column) in columns
        .iter()
        .enumerate()
        .filter(|(place, _)| *place < frozen || *place >= first)
    {
        if x >= screen {
            break;
        }
        let wide = table.widths.get(*column).copied().unwrap_or(8);
        shown.push(Shown {
            column: *column,
            place,
            x,
            width: wide.min(screen - x),
        });
        x += wide + 2;
    }
    shown
}
