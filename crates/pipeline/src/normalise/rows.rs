//! Columns under construction: where the decoder puts values, one row at a time.
//!
//! Differs from Arrow's builders in what a decoder of unruly rows needs: a value is set by row number, so
//! columns a row does not name cost nothing; a second value for the same row replaces the first
//! (duplicate key); a row found bad at its last byte is cut off again; and a row that belongs to
//! another day is moved there.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BooleanArray, BooleanBufferBuilder, Decimal128Array, Int64Array, StringArray,
        TimestampMicrosecondArray, new_null_array,
    },
    buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::{DataType, SchemaRef},
    error::ArrowError,
    record_batch::RecordBatch,
};

use super::contract::{Column, Kind, MONEY_PRECISION, MONEY_SCALE};

/// One column under construction.
#[derive(Debug)]
pub(super) struct Cells {
    values: Values,
    valid: BooleanBufferBuilder,
}

#[derive(Debug)]
enum Values {
    Text { ends: Vec<i32>, bytes: Vec<u8> },
    Whole(Vec<i64>),
    Money(Vec<i128>),
    Flag(BooleanBufferBuilder),
}

impl Cells {
    /// Empty, for values of `kind`.
    pub fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Text | Kind::TextOrNull | Kind::List | Kind::Map | Kind::Any | Kind::Rest => {
                Values::Text {
                    ends: Vec::new(),
                    bytes: Vec::new(),
                }
            }
            Kind::Int | Kind::Instant => Values::Whole(Vec::new()),
            Kind::Money => Values::Money(Vec::new()),
            Kind::Flag => Values::Flag(BooleanBufferBuilder::new(0)),
        };
        Self {
            values,
            valid: BooleanBufferBuilder::new(0),
        }
    }

    /// Rows set so far; rows after them are null until they are set.
    #[inline]
    pub fn len(&self) -> usize {
        self.valid.len()
    }

    /// Whether row `row`, the last one, is set and not null.
    #[inline]
    pub fn has(&self, row: usize) -> bool {
        self.valid.len() == row + 1 && self.valid.get_bit(row)
    }

    /// Forgets rows from `len` on.
    pub fn truncate(&mut self, len: usize) {
        if self.valid.len() <= len {
            return;
        }
        self.valid.truncate(len);
        match &mut self.values {
            Values::Text { ends, bytes } => {
                ends.truncate(len);
                bytes.truncate(ends.last().map_or(0, |&end| end as usize));
            }
            Values::Whole(values) => values.truncate(len),
            Values::Money(values) => values.truncate(len),
            Values::Flag(values) => values.truncate(len),
        }
    }

    fn pad(&mut self, len: usize) {
        let missing = len - self.valid.len();
        self.valid.append_n(missing, false);
        match &mut self.values {
            Values::Text { ends, bytes } => ends.resize(len, bytes.len() as i32),
            Values::Whole(values) => values.resize(len, 0),
            Values::Money(values) => values.resize(len, 0),
            Values::Flag(values) => values.append_n(missing, false),
        }
    }

    /// Makes `row` the next one to set. True when it was set before: a duplicate key.
    #[inline]
    fn begin(&mut self, row: usize) -> bool {
        if self.valid.len() == row {
            return false;
        }
        if self.valid.len() < row {
            self.pad(row);
            return false;
        }
        self.truncate(row);
        true
    }

    /// Sets `row` to null; true when it was set before.
    #[inline]
    pub fn set_null(&mut self, row: usize) -> bool {
        let again = self.begin(row);
        self.pad(row + 1);
        again
    }

    /// Sets `row` to UTF-8 text; true when it was set before.
    #[inline]
    pub fn set_text(&mut self, row: usize, text: &[u8]) -> bool {
        let again = self.begin(row);
        if let Values::Text { ends, bytes } = &mut self.values {
            bytes.extend_from_slice(text);
            ends.push(bytes.len() as i32);
            self.valid.append(true);
        }
        again
    }

    /// Sets `row` to a whole number or to microseconds; true when it was set before.
    #[inline]
    pub fn set_whole(&mut self, row: usize, value: i64) -> bool {
        let again = self.begin(row);
        if let Values::Whole(values) = &mut self.values {
            values.push(value);
            self.valid.append(true);
        }
        again
    }

    /// Sets `row` to a scaled amount; true when it was set before.
    pub fn set_money(&mut self, row: usize, scaled: i128) -> bool {
        let again = self.begin(row);
        if let Values::Money(values) = &mut self.values {
            values.push(scaled);
            self.valid.append(true);
        }
        again
    }

    /// Sets `row` to a flag; true when it was set before.
    pub fn set_flag(&mut self, row: usize, value: bool) -> bool {
        let again = self.begin(row);
        if let Values::Flag(values) = &mut self.values {
            values.append(value);
            self.valid.append(true);
        }
        again
    }

    /// The whole number, or the microseconds, of the last row, if that is `row` and it is set.
    pub fn whole(&self, row: usize) -> Option<i64> {
        match &self.values {
            Values::Whole(values) if self.has(row) => values.last().copied(),
            _ => None,
        }
    }

    /// The amount of the last row, if that is `row` and it is set.
    pub fn money(&self, row: usize) -> Option<i128> {
        match &self.values {
            Values::Money(values) if self.has(row) => values.last().copied(),
            _ => None,
        }
    }

    /// The text of the last row, if that is `row` and it is set.
    pub fn text(&self, row: usize) -> Option<&[u8]> {
        match &self.values {
            Values::Text { ends, bytes } if self.has(row) => {
                let start = if row == 0 { 0 } else { ends[row - 1] as usize };
                Some(&bytes[start..])
            }
            _ => None,
        }
    }

    /// Moves row `row`, the last one, to row `to_row` of `to`, which is its next one.
    fn move_last(&mut self, row: usize, to: &mut Self, to_row: usize) {
        if self.len() <= row {
            return;
        }
        if !self.has(row) {
            to.set_null(to_row);
        } else {
            match &self.values {
                Values::Text { .. } => drop(self.text(row).map(|text| to.set_text(to_row, text))),
                Values::Whole(values) => {
                    if let Some(&value) = values.last() {
                        to.set_whole(to_row, value);
                    }
                }
                Values::Money(values) => {
                    if let Some(&value) = values.last() {
                        to.set_money(to_row, value);
                    }
                }
                Values::Flag(values) => drop(to.set_flag(to_row, values.get_bit(row))),
            }
        }
        self.truncate(row);
    }

    /// The finished array of `rows` values.
    fn finish(mut self, rows: usize, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        if self.len() == 0 {
            return Ok(new_null_array(data_type, rows));
        }
        self.pad(rows);
        let nulls =
            Some(NullBuffer::new(self.valid.finish())).filter(|nulls| nulls.null_count() > 0);
        Ok(match self.values {
            Values::Text { mut ends, bytes } => {
                ends.insert(0, 0);
                Arc::new(StringArray::try_new(
                    OffsetBuffer::new(ScalarBuffer::from(ends)),
                    Buffer::from_vec(bytes),
                    nulls,
                )?)
            }
            Values::Whole(values) if *data_type == DataType::Int64 => {
                Arc::new(Int64Array::try_new(values.into(), nulls)?)
            }
            Values::Whole(values) => {
                Arc::new(TimestampMicrosecondArray::try_new(values.into(), nulls)?)
            }
            Values::Money(values) => Arc::new(
                Decimal128Array::try_new(values.into(), nulls)?
                    .with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?,
            ),
            Values::Flag(mut values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
        })
    }
}

/// Rows of one table under construction.
#[derive(Debug)]
pub(super) struct Rows {
    /// In the contract's order, then `_extra`.
    pub cells: Vec<Cells>,
    /// Rows complete.
    pub rows: usize,
}

impl Rows {
    /// No rows yet.
    pub fn new(columns: &[Column]) -> Self {
        let extra = Cells::new(Kind::Text);
        Self {
            cells: columns
                .iter()
                .map(|column| Cells::new(column.kind))
                .chain([extra])
                .collect(),
            rows: 0,
        }
    }

    /// Forgets what was set of the row that was not completed.
    pub fn abandon(&mut self) {
        for cells in &mut self.cells {
            cells.truncate(self.rows);
        }
    }

    /// Moves the row that was not completed to another set and completes it there.
    pub fn move_open_row(&mut self, to: &mut Self) {
        for (from, to_cells) in self.cells.iter_mut().zip(&mut to.cells) {
            from.move_last(self.rows, to_cells, to.rows);
        }
        to.rows += 1;
    }

    /// The finished batch: the columns, `_extra`, then the load time (microseconds) and collection of all rows.
    ///
    /// # Errors
    /// Arrow's, if a column does not hold together; a defect here.
    pub fn finish(
        self,
        schema: &SchemaRef,
        collected_at: i64,
        source: &str,
    ) -> Result<RecordBatch, ArrowError> {
        let rows = self.rows;
        let own = self
            .cells
            .into_iter()
            .zip(schema.fields())
            .map(|(cells, field)| cells.finish(rows, field.data_type()));
        let mut arrays = own.collect::<Result<Vec<_>, _>>()?;
        arrays.push(Arc::new(TimestampMicrosecondArray::from_value(
            collected_at,
            rows,
        )));
        arrays.push(Arc::new(StringArray::from_iter_values(
            std::iter::repeat_n(source, rows),
        )));
        RecordBatch::try_new(Arc::clone(schema), arrays)
    }
}
