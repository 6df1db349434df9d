//! The CSV that Athena writes for a SELECT, split into fields.
//!
//! Athena quotes every value, also numbers, and doubles quotes in it; a null is a field without quotes and without
//! text. That difference is the only thing that tells a null from an empty text, and readers of CSV drop it, so the
//! file is split here.

/// Where the splitter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before a field.
    Start,
    /// In a field without quotes.
    Plain,
    /// In quotes.
    Quoted,
    /// After a quote in quotes: the end of the field, or the first of two.
    Quote,
    /// After a carriage return outside of quotes.
    Return,
}

/// Splits a file that comes in pieces; a piece may end anywhere.
#[derive(Debug)]
pub(super) struct Splitter {
    at: At,
    field: Vec<u8>,
}

/// What the splitter found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A value; `None` is a null.
    Field(Option<&'a [u8]>),
    /// The end of a row.
    Row,
}

impl Splitter {
    pub(super) fn new() -> Self {
        Self {
            at: At::Start,
            field: Vec::new(),
        }
    }

    /// Takes the next piece of the file.
    pub(super) fn take<E>(
        &mut self,
        piece: &[u8],
        found: &mut impl FnMut(Found<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = piece;
        while let Some((&byte, after)) = rest.split_first() {
            if self.at == At::Quoted && byte != b'"' {
                let length = memchr::memchr(b'"', rest).unwrap_or(rest.len());
                self.field.extend_from_slice(&rest[..length]);
                rest = &rest[length..];
                continue;
            }
            rest = after;
            self.byte(byte, found)?;
        }
        Ok(())
    }

    /// Takes the end of the file; whether it ended between two rows or in a whole one.
    pub(super) fn end<E>(
        mut self,
        found: &mut impl FnMut(Found<'_>) -> Result<(), E>,
    ) -> Result<bool, E> {
        match self.at {
            At::Quoted => Ok(false),
            At::Start | At::Return => Ok(true),
            At::Plain | At::Quote => {
                self.close(found)?;
                found(Found::Row)?;
                Ok(true)
            }
        }
    }

    fn byte<E>(
        &mut self,
        byte: u8,
        found: &mut impl FnMut(Found<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match (self.at, byte) {
            (At::Return, b'\n') => {
                self.at = At::Start;
                return Ok(());
            }
            (At::Start | At::Return, b'"') => self.at = At::Quoted,
            (At::Quoted, _) => self.at = At::Quote,
            (At::Quote, b'"') => {
                self.field.push(b'"');
                self.at = At::Quoted;
            }
            (_, b',') => {
                self.close(found)?;
                // A comma promises another field.
                self.at = At::Plain;
                return Ok(());
            }
            (_, b'\n' | b'\r') => {
                self.close(found)?;
                self.at = if byte == b'\r' { At::Return } else { At::Start };
                return found(Found::Row);
            }
            (At::Plain, b'"') if self.field.is_empty() => self.at = At::Quoted,
            _ => {
                self.field.push(byte);
                self.at = At::Plain;
            }
        }
        Ok(())
    }

    fn close<E>(&mut self, found: &mut impl FnMut(Found<'_>) -> Result<(), E>) -> Result<(), E> {
        let quoted = self.at == At::Quote;
        let value = (quoted || !self.field.is_empty()).then_some(self.field.as_slice());
        found(Found::Field(value))?;
        self.field.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    type Row = Vec<Option<String>>;

    fn split(text: &[u8], size: usize) -> (Vec<Row>, bool) {
        let (mut rows, mut row) = (Vec::new(), Row::new());
        let mut found = |found: Found<'_>| {
            match found {
                Found::Field(value) => {
                    row.push(value.map(|value| String::from_utf8(value.to_vec()).unwrap()))
                }
                Found::Row => rows.push(std::mem::take(&mut row)),
            }
            Ok::<(), Infallible>(())
        };
        let mut splitter = Splitter::new();
        for piece in text.chunks(size) {
            splitter.take(piece, &mut found).unwrap();
        }
        let whole = splitter.end(&mut found).unwrap();
        (rows, whole)
    }

    #[test]
    fn a_null_is_not_an_empty_text() {
        let (rows, whole) = split(b"\"a\",\"b\",\"c\"\n\"\",,\"x\"\"y\nz,\"\n,,\n", 4);
        assert!(whole);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            rows,
            [
                vec![text("a"), text("b"), text("c")],
                vec![text(""), None, text("x\"y\nz,")],
                vec![None, None, None],
            ]
        );
        assert!(!split(b"\"a\"\n\"cut", 3).1, "a cut file is seen");
    }

    proptest! {
        /// Whatever is written the way Athena writes comes back, however the file is cut into pieces.
        #[test]
        fn what_is_written_comes_back(
            rows in prop::collection::vec(prop::collection::vec(prop::option::of("[a\",\r\n é]{0,6}"), 2..4), 1..5),
            size in 1_usize..9,
        ) {
            let cell = |cell: &Option<String>| {
                cell.as_ref().map_or_else(String::new, |text| format!("\"{}\"", text.replace('"', "\"\"")))
            };
            let line = |row: &Row| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\n";
            let text: String = rows.iter().map(line).collect();
            prop_assert_eq!(split(text.as_bytes(), size), (rows, true));
        }
    }
}
