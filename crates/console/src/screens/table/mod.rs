//! An open report as a table: the first page at once, the rest as it is looked at.

mod update;
mod view;

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
    sync::Arc,
};

use ratatui::layout::Rect;

pub(crate) use update::{
    act, answered_cell, answered_found, answered_index, answered_opened, answered_order,
    answered_rows, click, filter, find, go_to_row, is_all, open, open_file, resized,
};
pub(crate) use view::view;

use crate::{
    actions::Reason,
    state::State,
    table::{BLOCK, Index, Order, OrderSpec, Record, Source},
    widgets::{
        list::Cursor,
        text::{width, width_within},
    },
};
use lakehand_ops::{OpsError, ReportName};
use lakehand_pipeline::records::title;

/// Widest column by itself; a longer cell is cut, opens with Enter, and its column can be made wider.
const WIDEST: u16 = 40;

/// Narrowest and widest column by hand, and by how much a key changes it.
const BY_HAND: (u16, u16, u16) = (4, 400, 8);

/// Blocks of rows kept, and bytes.
const MOST_BLOCKS: usize = 24;
const MOST_BYTES: usize = 64 << 20;

/// What an export needs to know.
pub(crate) type Seen = (Arc<Source>, Arc<Index>, Option<Arc<Order>>, BTreeSet<usize>);

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
    /// Widths that what was seen so far needs: they grow, so that columns do not jump.
    pub(super) widths: Vec<u16>,
    /// Widths chosen by hand.
    pub(super) chosen: HashMap<usize, u16>,
    /// Non-empty cells seen of each column, and whether all were numbers.
    seen: Vec<(usize, bool)>,
    /// The rows that the widths were made for last, of which generation.
    measured: (u64, Range<usize>),
    pub(super) search: String,
    /// Whether the console was opened for this table alone.
    pub(super) is_all: bool,
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
            chosen: HashMap::new(),
            seen: Vec::new(),
            measured: (0, 0..0),
            search: String::new(),
            is_all: false,
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
        // Rows with more cells than the header make columns of their own once they are seen.
        (0..self.widths.len())
            .filter(|column| !self.hidden.contains(column))
            .collect()
    }

    /// The selected column, as a position in the header.
    pub(super) fn selected_column(&self) -> Option<usize> {
        self.columns().get(self.column).copied()
    }

    /// The cell under the cursor with its column's title.
    pub(crate) fn selected_cell(&self) -> Option<(String, &str)> {
        let column = self.selected_column()?;
        let record = self.record(self.cursor.selected())?;
        Some((self.title(column), record.cells.get(column)?))
    }

    /// What it is filtered by.
    pub(crate) fn filter_text(&self) -> &str {
        self.wanted
            .filter
            .as_ref()
            .map_or("", |filter| filter.text())
    }

    /// The title of a column.
    pub(super) fn title(&self, column: usize) -> String {
        let header = self
            .source
            .as_ref()
            .map_or(&[][..], |source| source.header());
        title(header, column)
    }

    /// The columns a column takes on the screen.
    pub(super) fn width_of(&self, column: usize) -> u16 {
        let own = self.widths.get(column).copied().unwrap_or(8);
        self.chosen.get(&column).copied().unwrap_or(own)
    }

    /// Makes a column wider or narrower by hand.
    pub(super) fn widen(&mut self, column: usize, wider: bool) {
        let (narrowest, widest, step) = BY_HAND;
        let now = self.width_of(column);
        let new = if wider {
            now.saturating_add(step)
        } else {
            now.saturating_sub(step)
        };
        self.chosen.insert(column, new.clamp(narrowest, widest));
    }

    /// Whether all cells of a column seen so far are numbers.
    pub(super) fn is_numeric(&self, column: usize) -> bool {
        matches!(self.seen.get(column), Some((1.., true)))
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
        Some((source, index, self.order.clone(), self.hidden.clone()))
    }

    /// Widths and alignment from the titles and the first page.
    pub(super) fn measure(&mut self) {
        let Some(source) = self.source.clone() else {
            return;
        };
        self.widths = source
            .header()
            .iter()
            .map(|title| title_width(title))
            .collect();
        self.seen = vec![(0, true); self.widths.len()];
        for record in source.first() {
            let needs = self.needs(record);
            self.fit(needs);
        }
    }

    /// Makes room for the rows on the screen; those that were on it before are not measured again.
    pub(super) fn measure_rows(&mut self, rows: Range<usize>) {
        let (generation, measured) = std::mem::take(&mut self.measured);
        let known = |position: &usize| generation == self.generation && measured.contains(position);
        let new: Vec<usize> = rows.clone().filter(|position| !known(position)).collect();
        let mut all = true;
        for position in new {
            let needs = self.record(position).map(|record| self.needs(record));
            all &= needs.is_some();
            self.fit(needs.unwrap_or_default());
        }
        if all {
            self.measured = (self.generation, rows);
        }
    }

    /// What each cell of a record needs: columns, and whether it is a number, unless it is empty.
    fn needs(&self, record: &Record) -> Vec<(u16, Option<bool>)> {
        let need = |(column, cell): (usize, &str)| {
            let asked = !cell.is_empty() && self.seen.get(column).is_none_or(|seen| seen.1);
            let number = asked.then(|| crate::table::is_number(cell));
            (width_within(cell, WIDEST), number)
        };
        let cells = record.cells.iter().map(AsRef::as_ref);
        cells.enumerate().map(need).collect()
    }

    fn fit(&mut self, needs: Vec<(u16, Option<bool>)>) {
        for (column, (wide, number)) in needs.into_iter().enumerate() {
            if column >= self.widths.len() {
                self.widths.push(title_width(&self.title(column)));
                self.seen.push((0, true));
            }
            self.widths[column] = self.widths[column].max(wide);
            if let Some(number) = number {
                self.seen[column] = (self.seen[column].0 + 1, number);
            }
        }
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
    u16::try_from(crate::format::count(rows as u64).len()).unwrap_or(8) + 2
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
        let wide = table.width_of(*column);
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
