//! What keys and answers do to an open report.

use std::sync::Arc;

use super::{MOST_BLOCKS, MOST_BYTES, TableState, height, rows_area, shown};
use crate::{
    actions::ActionId,
    effect::{Effect, Request, RequestKey, RowsRequest},
    format::count,
    screens::{
        dialogs,
        overlay::Overlay,
        prompt::{Prompt, Purpose},
    },
    state::{Screen, State, Tone},
    table::{BLOCK, Filter, Index, Order, OrderSpec, Record, Source, find::FindSpec},
    widgets::text::width_within,
};
use lakehand_ops::{OpsResult, ReportName};
use lakehand_pipeline::text::{cell, for_terminal};

/// Opens a report.
pub(crate) fn open(state: &mut State, name: ReportName, effects: &mut Vec<Effect>) {
    for key in ["index report", "sort and filter", "find"] {
        state.forget(&RequestKey::Only(key));
    }
    let generation = state.table.as_ref().map_or(1, |table| table.generation + 1);
    state.table = Some(TableState::opening(name.clone(), generation));
    state.go(Screen::Table);
    state.ask_anew(Request::OpenReport(name), effects);
}

/// Opens a file that is no report of the profile.
pub(crate) fn open_file(
    state: &mut State,
    path: std::path::PathBuf,
    name: ReportName,
    effects: &mut Vec<Effect>,
) {
    let mut table = TableState::opening(name.clone(), 1);
    table.is_all = true;
    state.table = Some(table);
    state.go(Screen::Table);
    state.ask_anew(Request::OpenFile(name, path), effects);
}

/// Whether the open table is what the console was opened for.
pub(crate) fn is_all(state: &State) -> bool {
    let is_all = state.table.as_ref().is_some_and(|table| table.is_all);
    is_all && state.screen == Screen::Table
}

/// The file is open: its first rows are there, the index is not.
pub(crate) fn answered_opened(
    state: &mut State,
    name: &ReportName,
    answer: OpsResult<Arc<Source>>,
    effects: &mut Vec<Effect>,
) {
    let Some(table) = state.table.as_mut().filter(|table| table.name == *name) else {
        return;
    };
    match answer {
        Ok(source) => {
            table.source = Some(source.clone());
            table.measure();
            state.ask_anew(Request::Index(source), effects);
        }
        Err(error) => table.error = Some(error),
    }
}

/// The index grew, or is whole.
pub(crate) fn answered_index(
    state: &mut State,
    source: &Arc<Source>,
    answer: OpsResult<Arc<Index>>,
    whole: bool,
    effects: &mut Vec<Effect>,
) {
    let Some(table) = mine(state, source) else {
        return;
    };
    match answer {
        Ok(index) => {
            table.index = Some(index);
            table.indexed = whole;
        }
        Err(error) => table.error = Some(error),
    }
    want_rows(state, effects);
}

/// The open report, if the answer is about it.
fn mine<'s>(state: &'s mut State, source: &Arc<Source>) -> Option<&'s mut TableState> {
    state.table.as_mut().filter(|table| {
        table
            .source
            .as_ref()
            .is_some_and(|own| Arc::ptr_eq(own, source))
    })
}

/// A new order is there; the old one was shown meanwhile.
pub(crate) fn answered_order(
    state: &mut State,
    source: &Arc<Source>,
    spec: &OrderSpec,
    answer: OpsResult<Option<Arc<Order>>>,
    effects: &mut Vec<Effect>,
) {
    let height = height(state);
    let Some(table) = mine(state, source).filter(|table| table.wanted == *spec) else {
        return;
    };
    match answer {
        Ok(order) => {
            let note = order.as_ref().and_then(|order| order.note());
            let note = note.map(str::to_owned);
            table.spec = spec.clone();
            table.order = order;
            table.generation += 1;
            table.blocks.clear();
            table.cursor.select(0, table.rows(), height);
            if let Some(note) = note {
                state.toast(note, Tone::Info);
            }
        }
        Err(error) => {
            table.wanted = table.spec.clone();
            state.problem(format!("{error}. {}", error.advice));
        }
    }
    want_rows(state, effects);
}

/// A block of rows is there.
pub(crate) fn answered_rows(
    state: &mut State,
    request: &RowsRequest,
    answer: OpsResult<Arc<Vec<Record>>>,
) {
    let Some(table) =
        mine(state, &request.source).filter(|table| table.generation == request.generation)
    else {
        return;
    };
    match answer {
        Ok(records) => {
            make_room(table);
            table.blocks.insert(request.block, records);
        }
        Err(error) => table.error = Some(error),
    }
    measure_visible(state);
}

/// Forgets blocks that are far away when there are many, or when they are large.
fn make_room(table: &mut TableState) {
    let here = table.cursor.selected() / BLOCK;
    let bytes = |table: &TableState| -> usize {
        let block = |records: &Arc<Vec<Record>>| records.iter().map(Record::size).sum::<usize>();
        table.blocks.values().map(block).sum()
    };
    if bytes(table) >= MOST_BYTES {
        table.blocks.retain(|block, _| block.abs_diff(here) <= 1);
    } else if table.blocks.len() >= MOST_BLOCKS {
        table.blocks.retain(|block, _| block.abs_diff(here) <= 4);
    }
}

/// Columns are as wide as the rows on the screen need.
fn measure_visible(state: &mut State) {
    let height = height(state);
    if let Some(table) = state.table.as_mut() {
        let visible = table.cursor.visible(table.rows(), height);
        table.measure_rows(visible);
    }
    show_column(state);
}

/// A cell that was read whole is shown.
pub(crate) fn answered_cell(
    state: &mut State,
    source: &Arc<Source>,
    column: usize,
    answer: OpsResult<Arc<str>>,
) {
    let Some(table) = mine(state, source) else {
        return;
    };
    let title = table.title(column);
    match answer {
        Ok(text) => dialogs::show_text(state, title, text.as_ref().to_owned()),
        Err(error) => state.problem(format!("{error}. {}", error.advice)),
    }
}

/// Opens the selected cell; one that is not kept whole is read first.
fn open_cell(state: &mut State, effects: &mut Vec<Effect>) {
    let whole = state.table.as_ref().and_then(|table| {
        let (_, record) = table.selected_row()?;
        let column = table.selected_column()?;
        let long = record.cut && record.cells.get(column)?.len() >= crate::table::KEPT;
        let (source, index) = (table.source.clone()?, table.index.clone()?);
        long.then_some((source, index, record.row, column))
    });
    match whole {
        Some((source, index, row, column)) => {
            state.toast("reading the cell …", Tone::Info);
            state.ask_anew(Request::Cell(source, index, row, column), effects);
        }
        None => dialogs::show_cell(state),
    }
}

/// The record under the cursor on a page of its own: every cell with its title, also of hidden columns.
fn show_record(state: &mut State) {
    let Some(table) = &state.table else {
        return;
    };
    let Some((_, record)) = table.selected_row() else {
        return;
    };
    let widest = (0..table.widths.len())
        .map(|column| width_within(&table.title(column), 30))
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for column in 0..table.widths.len() {
        let title = cell(&table.title(column), widest.into(), 30);
        let value = record.cells.get(column).map_or("", |cell| &**cell);
        text.push_str(&format!("{title}  {}\n", for_terminal(value)));
    }
    let heading = format!("Row {}", count(u64::from(record.row) + 1));
    dialogs::show_text(state, heading, text);
}

/// Goes to the row with a number, as the left edge numbers them.
pub(crate) fn go_to_row(state: &mut State, text: &str, effects: &mut Vec<Effect>) {
    let height = height(state);
    let Some(table) = state.table.as_mut() else {
        return;
    };
    let digits: String = text.trim().chars().filter(|c| *c != ',').collect();
    let (rows, all) = (table.rows(), table.all_rows());
    let row = digits.parse::<u32>().ok().and_then(|n| n.checked_sub(1));
    let position = row.and_then(|row| match &table.order {
        Some(order) => order.rows().iter().position(|shown| *shown == row),
        None => usize::try_from(row).ok().filter(|row| *row < rows),
    });
    match (row, position) {
        (_, Some(position)) => {
            table.cursor.select(position, rows, height);
            want_rows(state, effects);
        }
        (None, None) => state.problem(format!("'{}' is no row number", text.trim())),
        (Some(row), None) if usize::try_from(row).is_ok_and(|row| row < all) => {
            state.problem(format!("row {digits} is not among the rows shown"));
        }
        (Some(_), None) => {
            state.problem(format!(
                "there is no row {digits}, the last is {}",
                count(all as u64)
            ));
        }
    }
}

/// A search ended.
pub(crate) fn answered_found(
    state: &mut State,
    source: &Arc<Source>,
    answer: OpsResult<Option<usize>>,
    effects: &mut Vec<Effect>,
) {
    let height = height(state);
    let Some(table) = mine(state, source) else {
        return;
    };
    match answer {
        Ok(Some(position)) => {
            let rows = table.rows();
            table.cursor.select(position, rows, height);
        }
        Ok(None) => {
            let text = format!("no row with '{}'", table.search);
            state.problem(text);
        }
        Err(error) => state.problem(format!("{error}. {}", error.advice)),
    }
    want_rows(state, effects);
}

/// Asks for the blocks that the screen shows and that were not read yet.
fn want_rows(state: &mut State, effects: &mut Vec<Effect>) {
    let height = height(state);
    let Some(table) = state.table.as_mut() else {
        return;
    };
    let (Some(source), Some(index)) = (table.source.clone(), table.index.clone()) else {
        return;
    };
    let rows = table.rows();
    table.cursor.keep(rows, height);
    let visible = table.cursor.visible(rows, height);
    if visible.is_empty() {
        return;
    }
    table.measure_rows(visible.clone());
    let (order, generation) = (table.order.clone(), table.generation);
    let wanted = (visible.start / BLOCK..=(visible.end - 1) / BLOCK).filter(|block| {
        // A block read from a growing index can be shorter than it is now.
        table
            .blocks
            .get(block)
            .is_none_or(|records| records.len() < BLOCK.min(rows - block * BLOCK))
    });
    for block in wanted.collect::<Vec<_>>() {
        let request = RowsRequest {
            source: source.clone(),
            index: index.clone(),
            order: order.clone(),
            block,
            generation,
        };
        state.ask(Request::Rows(request), effects);
    }
}

/// The screen has another size.
pub(crate) fn resized(state: &mut State, effects: &mut Vec<Effect>) {
    show_column(state);
    want_rows(state, effects);
}

/// Does an action; `false` if it is none of this screen's.
pub(crate) fn act(state: &mut State, action: ActionId, effects: &mut Vec<Effect>) -> bool {
    let height = height(state);
    let Some(table) = state.table.as_mut() else {
        return false;
    };
    let rows = table.rows();
    if table.cursor.act(action, rows, height) {
        want_rows(state, effects);
        return true;
    }
    let last = table.columns().len().saturating_sub(1);
    match action {
        ActionId::Left => table.column = table.column.saturating_sub(1),
        ActionId::Right => table.column = (table.column + 1).min(last),
        ActionId::NextColumns => page_columns(state, true),
        ActionId::PreviousColumns => page_columns(state, false),
        ActionId::Sort => sort(state, effects),
        ActionId::Freeze => {
            table.frozen = if table.frozen == table.column + 1 {
                0
            } else {
                table.column + 1
            }
        }
        ActionId::HideColumn => {
            table.hidden.extend(table.selected_column());
            table.column = table.column.min(last.saturating_sub(1));
        }
        ActionId::ShowColumns => table.hidden.clear(),
        ActionId::Wider | ActionId::Narrower => {
            if let Some(column) = table.selected_column() {
                table.widen(column, action == ActionId::Wider);
            }
        }
        ActionId::Record => show_record(state),
        ActionId::GoToRow => {
            state.overlay = Some(Overlay::Prompt(Prompt::new(Purpose::Row, "")));
        }
        ActionId::Open => open_cell(state, effects),
        ActionId::Export => dialogs::choose_export(state),
        _ => return false,
    }
    show_column(state);
    true
}

/// Scrolls the columns so that the selected one is on the screen, whole if it can be.
fn show_column(state: &mut State) {
    let screen = state.size.0;
    let Some(table) = state.table.as_mut() else {
        return;
    };
    let frozen = table.frozen.min(table.columns().len());
    if table.column < frozen {
        return;
    }
    table.first = table.first.max(frozen).min(table.column);
    loop {
        let full = table
            .selected_column()
            .map_or(0, |column| table.width_of(column));
        let whole = shown(table, screen)
            .iter()
            .any(|shown| shown.place == table.column && shown.width >= full);
        if whole || table.first >= table.column {
            return;
        }
        table.first += 1;
    }
}

fn page_columns(state: &mut State, forward: bool) {
    let screen = state.size.0;
    let Some(table) = state.table.as_mut() else {
        return;
    };
    let last = table.columns().len().saturating_sub(1);
    let on_screen = shown(table, screen)
        .iter()
        .filter(|shown| shown.place >= table.frozen)
        .count()
        .max(1);
    table.column = if forward {
        (table.column + on_screen).min(last)
    } else {
        table.column.saturating_sub(on_screen)
    };
    table.first = table.column;
}

/// Up, down, as in the file.
fn sort(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(table) = state.table.as_mut() else {
        return;
    };
    let Some(column) = table.selected_column() else {
        return;
    };
    table.wanted.sort = match table.wanted.sort {
        Some((sorted, false)) if sorted == column => Some((column, true)),
        Some((sorted, true)) if sorted == column => None,
        _ => Some((column, false)),
    };
    arrange(state, effects);
}

fn arrange(state: &mut State, effects: &mut Vec<Effect>) {
    let parts = state.table.as_ref().and_then(|table| {
        Some((
            table.source.clone()?,
            table.index.clone()?,
            table.wanted.clone(),
        ))
    });
    if let Some((source, index, wanted)) = parts {
        state.ask_anew(Request::Arrange(source, index, wanted), effects);
    }
}

/// The filter was typed.
pub(crate) fn filter(state: &mut State, text: &str, effects: &mut Vec<Effect>) {
    if let Err(reason) = super::is_indexed(state) {
        state.problem(reason);
        return;
    }
    if let Some(table) = state.table.as_mut() {
        let header = table
            .source
            .as_ref()
            .map_or(&[][..], |source| source.header());
        table.wanted.filter = Filter::parse(text, header);
        arrange(state, effects);
    }
}

/// Looks for the next row that holds the words.
pub(crate) fn find(
    state: &mut State,
    text: &str,
    forward: bool,
    inclusive: bool,
    effects: &mut Vec<Effect>,
) {
    if let Err(reason) = super::is_indexed(state) {
        state.problem(reason);
        return;
    }
    let Some(table) = state.table.as_mut() else {
        return;
    };
    table.search = text.to_owned();
    let (Some(source), Some(index)) = (table.source.clone(), table.index.clone()) else {
        return;
    };
    let Some(wanted) = Filter::parse(text, source.header()) else {
        return;
    };
    let spec = FindSpec {
        wanted,
        after: table.cursor.selected(),
        inclusive,
        forward,
    };
    let order = table.order.clone();
    state.ask_anew(Request::Find(source, index, order, spec), effects);
}

/// A click selects row and column; `true` if the cell was already selected.
pub(crate) fn click(state: &mut State, x: u16, y: u16, effects: &mut Vec<Effect>) -> bool {
    let (area, height, screen) = (rows_area(state), height(state), state.size.0);
    let Some(table) = state.table.as_mut() else {
        return false;
    };
    if !area.contains((x, y).into()) {
        return false;
    }
    let before = (table.cursor.selected(), table.column);
    let position = table.cursor.top() + usize::from(y - area.y);
    if position < table.rows() {
        let rows = table.rows();
        table.cursor.select(position, rows, height);
    }
    if let Some(hit) = shown(table, screen)
        .iter()
        .find(|shown| (shown.x..shown.x + shown.width).contains(&x))
    {
        table.column = hit.place;
    }
    let again = before == (table.cursor.selected(), table.column);
    want_rows(state, effects);
    again
}
