//! A CSV file of any size as a table: opened at once, indexed in the background, read where it is looked at.
//!
//! Nothing here holds the file in memory: positioned reads bring the records of one block, the index keeps
//! one offset for every [`index::STEP`] records, an order is a permutation of row numbers. No function here
//! draws, and `view` never calls one: rows reach the state as answers of effects.

mod arrange;
mod export;
pub(crate) mod find;
mod index;
mod number;
mod record;
mod source;

pub(crate) use arrange::{Filter, Order, OrderSpec, arrange};
pub(crate) use export::{ExportFormat, export};
pub(crate) use index::Index;
pub(crate) use record::{KEPT, Record};
pub(crate) use source::{Source, read_block, read_cell};

/// Rows read and kept together.
pub(crate) const BLOCK: usize = 256;

/// Told to stop: a newer question replaced this one.
pub(crate) type Cancel = std::sync::Arc<std::sync::atomic::AtomicBool>;

/// Whether the flag is up.
pub(crate) fn is_cancelled(cancel: &Cancel) -> bool {
    cancel.load(std::sync::atomic::Ordering::Relaxed)
}

/// The error of work that was given up on request.
pub(crate) fn cancelled() -> std::io::Error {
    std::io::Error::new(
        std::io::ErrorKind::Interrupted,
        "a newer request replaced this one",
    )
}

/// Whether a cell is a number.
pub(crate) fn is_number(cell: &str) -> bool {
    number::Number::parse(cell.as_bytes()).is_some()
}
