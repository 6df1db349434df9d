//! One wire value into its column: the drift rules of the fact sheet, by the column's kind and by what came.

use super::{Decoder, Refused};
use crate::normalise::{
    contract::Kind,
    json::{Cursor, RawString, unescape},
    rows::Rows,
    values::{self, Moment},
};

impl Decoder<'_> {
    /// Reads the value and sets the cell; true when the cell was set before in this row.
    #[inline]
    pub(super) fn typed(
        &mut self,
        cursor: &mut Cursor<'_>,
        column: usize,
        rows: &mut Rows,
    ) -> Result<bool, Refused> {
        let kind = self.plan.columns[column].kind;
        let row = rows.rows;
        let cells = &mut rows.cells[column];
        match cursor.peek() {
            b'"' => {
                let start = cursor.at;
                let string = cursor.string()?;
                if !string.escaped && kind == Kind::Text {
                    return Ok(cells.set_text(row, string.raw));
                }
                self.read_string(string, &cursor.line[start..cursor.at], column, rows)
            }
            b'n' => {
                cursor.literal(b"null")?;
                Ok(cells.set_null(row))
            }
            b't' | b'f' => self.read_boolean(cursor, column, rows),
            b'{' | b'[' => self.read_collection(cursor, column, rows),
            _ => {
                let text = cursor.number()?;
                self.read_number(text, text, column, rows)
            }
        }
    }

    fn refuse(&self, column: usize, why: &'static str) -> Refused {
        Refused::Value {
            column: self.plan.columns[column].name,
            why,
        }
    }

    #[inline]
    fn read_string(
        &mut self,
        string: RawString<'_>,
        quoted: &[u8],
        column: usize,
        rows: &mut Rows,
    ) -> Result<bool, Refused> {
        if !string.escaped {
            return self.read_text(string.raw, quoted, column, rows);
        }
        let mut plain = std::mem::take(&mut self.scratch);
        plain.clear();
        if unescape(string.raw, &mut plain) > 0 {
            self.drift(column, "a lone surrogate");
            self.keep_exact(column, quoted);
        }
        let done = self.read_text(&plain, quoted, column, rows);
        self.scratch = plain;
        done
    }

    #[inline]
    fn read_text(
        &mut self,
        text: &[u8],
        quoted: &[u8],
        column: usize,
        rows: &mut Rows,
    ) -> Result<bool, Refused> {
        let row = rows.rows;
        let cells = &mut rows.cells[column];
        let kind = self.plan.columns[column].kind;
        match kind {
            Kind::Text | Kind::Any => Ok(cells.set_text(row, text)),
            _ if text.is_empty() => Ok(cells.set_null(row)),
            Kind::TextOrNull => Ok(cells.set_text(row, text)),
            Kind::Instant => match values::instant(text).map_err(|why| self.refuse(column, why))? {
                Moment::At(micros) => Ok(cells.set_whole(row, micros)),
                Moment::Unset => Ok(cells.set_null(row)),
            },
            Kind::Int | Kind::Money => {
                if !self.plan.text_numbers {
                    self.drift(column, "text in a number");
                }
                self.read_number(text, quoted, column, rows)
            }
            Kind::Flag => {
                let value = values::flag(text).ok_or_else(|| self.refuse(column, "not a flag"))?;
                self.drift(column, "text in a flag");
                Ok(rows.cells[column].set_flag(row, value))
            }
            Kind::List | Kind::Map | Kind::Rest => {
                self.drift(column, "text in a collection");
                Ok(rows.cells[column].set_text(row, quoted))
            }
        }
    }

    fn read_number(
        &mut self,
        text: &[u8],
        exact: &[u8],
        column: usize,
        rows: &mut Rows,
    ) -> Result<bool, Refused> {
        let row = rows.rows;
        let kind = self.plan.columns[column].kind;
        let cells = &mut rows.cells[column];
        match kind {
            Kind::Int => {
                let value = match values::plain_integer(text) {
                    Some(value) => value,
                    None => {
                        let value =
                            values::whole_number(text).map_err(|why| self.refuse(column, why))?;
                        self.drift(column, "a fraction or exponent in a whole number");
                        value
                    }
                };
                Ok(rows.cells[column].set_whole(row, value))
            }
            Kind::Money => {
                let amount = values::amount(text).map_err(|why| self.refuse(column, why))?;
                if amount.rounded {
                    self.drift(column, "more than 18 decimals");
                    self.keep_exact(column, exact);
                }
                Ok(rows.cells[column].set_money(row, amount.scaled))
            }
            Kind::Flag => {
                let value = values::flag(text).ok_or_else(|| self.refuse(column, "not a flag"))?;
                Ok(cells.set_flag(row, value))
            }
            Kind::Instant => Err(self.refuse(column, "a number in place of a time stamp")),
            Kind::Any => Ok(cells.set_text(row, text)),
            Kind::Text | Kind::TextOrNull | Kind::List | Kind::Map | Kind::Rest => {
                self.drift(column, "a number in text");
                Ok(rows.cells[column].set_text(row, text))
            }
        }
    }

    fn read_boolean(
        &mut self,
        cursor: &mut Cursor<'_>,
        column: usize,
        rows: &mut Rows,
    ) -> Result<bool, Refused> {
        let value = cursor.peek() == b't';
        cursor.literal(if value { b"true" } else { b"false" })?;
        let row = rows.rows;
        let cells = &mut rows.cells[column];
        match self.plan.columns[column].kind {
            Kind::Flag => Ok(cells.set_flag(row, value)),
            Kind::Any => Ok(cells.set_text(row, if value { b"true" } else { b"false" })),
            // The source writes false where it has nothing.
            _ if !value => Ok(cells.set_null(row)),
            Kind::Text | Kind::TextOrNull | Kind::List | Kind::Map | Kind::Rest => {
                self.drift(column, "true in text");
                Ok(rows.cells[column].set_text(row, b"true"))
            }
            Kind::Int | Kind::Money => Err(self.refuse(column, "true in place of a number")),
            Kind::Instant => Err(self.refuse(column, "true in place of a time stamp")),
        }
    }

    fn read_collection(
        &mut self,
        cursor: &mut Cursor<'_>,
        column: usize,
        rows: &mut Rows,
    ) -> Result<bool, Refused> {
        let value = self.raw_value(cursor)?;
        let row = rows.rows;
        let empty = is_empty_collection(&value);
        let cells = &mut rows.cells[column];
        match self.plan.columns[column].kind {
            Kind::List if empty => Ok(cells.set_text(row, b"[]")),
            Kind::Map if empty => Ok(cells.set_text(row, b"{}")),
            Kind::List | Kind::Map | Kind::Any | Kind::Rest => Ok(cells.set_text(row, &value)),
            // The source's empty map or list where it has nothing.
            _ if empty => Ok(cells.set_null(row)),
            Kind::Text | Kind::TextOrNull => {
                self.drift(column, "a collection in text");
                Ok(rows.cells[column].set_text(row, &value))
            }
            _ => Err(self.refuse(column, "a collection in place of one value")),
        }
    }
}

/// `[]` or `{}`, with any white space inside.
pub(super) fn is_empty_collection(value: &[u8]) -> bool {
    matches!(value, [b'[', inner @ .., b']'] | [b'{', inner @ .., b'}'] if inner.trim_ascii().is_empty())
}
