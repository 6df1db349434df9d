//! One line of wire JSON straight into typed columns.
//!
//! No tree, no map, no allocation per field: the walk over the line and the setting of cells are one
//! pass. Sources print the same keys in the same order, so after each key the decoder first tries
//! the key that followed it last time, with one comparison of `"key":`.

use std::borrow::Cow;

use super::{
    contract::Kind,
    json::{Cursor, RawString, Seen, SyntaxFault, unescape},
    plan::{Plan, Target},
    rows::Rows,
    secrets,
    tally::Tally,
    values::{self, Moment},
};

/// Why a row was put aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The line is not a JSON object.
    Syntax(SyntaxFault),
    /// A value has no place in its column.
    Value {
        /// The silver column.
        column: &'static str,
        /// What it is instead.
        why: &'static str,
    },
}

impl Refused {
    /// The reason as it is counted: without places, so that equal faults are one.
    pub fn reason(&self) -> String {
        match self {
            Self::Syntax(fault) => format!("not a JSON object: {}", fault.what),
            Self::Value { column, why } => format!("{column}: {why}"),
        }
    }

    /// Byte of the line where JSON ends, if that is the reason.
    pub fn place(&self) -> Option<usize> {
        match self {
            Self::Syntax(fault) => Some(fault.at),
            Self::Value { .. } => None,
        }
    }
}

impl From<SyntaxFault> for Refused {
    fn from(fault: SyntaxFault) -> Self {
        Self::Syntax(fault)
    }
}

/// Half a cent: what `income - payouts - earnings` may be off by float noise before it counts.
const MONEY_TOLERANCE: i128 = 5_000_000_000_000_000;

/// Unknown members of the row at hand, as they will stand in `_extra`.
#[derive(Debug, Default)]
struct Extra {
    /// `{"a.b":1,"c":[]`: an open object.
    text: Vec<u8>,
    /// Where in `text` each path is, without quotes, and where its member ends.
    members: Vec<(usize, usize, usize)>,
}

impl Extra {
    /// Adds a member; true when the path was there before, whose value goes.
    fn put(&mut self, node: &str, key: &[u8], value: &[u8]) -> bool {
        let start = self.text.len();
        self.text.push(if start == 0 { b'{' } else { b',' });
        self.text.push(b'"');
        let path_start = self.text.len();
        if !node.is_empty() {
            self.text.extend_from_slice(node.as_bytes());
            self.text.push(b'.');
        }
        self.text.extend_from_slice(key);
        let path_end = self.text.len();
        self.text.extend_from_slice(b"\":");
        self.text.extend_from_slice(value);
        let twin = self.members.iter().position(|&(from, to, _)| self.text[from..to] == self.text[path_start..path_end]);
        self.members.push((path_start, path_end, self.text.len()));
        if let Some(twin) = twin {
            self.remove(twin);
        }
        twin.is_some()
    }

    fn remove(&mut self, at: usize) {
        let (from, _, end) = self.members.remove(at);
        let start = from - 2;
        let cut = end - start;
        self.text.drain(start..end);
        for member in &mut self.members[at..] {
            *member = (member.0 - cut, member.1 - cut, member.2 - cut);
        }
        self.text[0] = b'{';
    }

    fn last_path(&self) -> &[u8] {
        self.members.last().map_or(&[], |&(from, to, _)| &self.text[from..to])
    }

    fn clear(&mut self) {
        self.text.clear();
        self.members.clear();
    }
}

/// Decodes lines of one stream. Learns the order of keys as it goes.
#[derive(Debug)]
pub(super) struct Decoder<'p> {
    plan: &'p Plan,
    /// For each node: after which key (plus one; 0 is the start) which key came last time.
    follows: Vec<Vec<u16>>,
    /// For each node: the last row in which it occurred.
    met: Vec<u64>,
    /// Rows begun; tells rows apart in `met`.
    serial: u64,
    scratch: Vec<u8>,
    extra: Extra,
    /// Line of the row at hand, for the first sighting of a fault.
    line: u64,
    seen: Seen,
    /// Counts so far.
    pub tally: Tally,
}

impl<'p> Decoder<'p> {
    /// A decoder of `plan`.
    pub fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            follows: plan.nodes.iter().map(|node| (0..=node.keys.len() as u16).collect()).collect(),
            met: vec![0; plan.nodes.len()],
            serial: 0,
            scratch: Vec::new(),
            extra: Extra::default(),
            line: 0,
            seen: Seen::default(),
            tally: Tally::default(),
        }
    }

    /// Decodes the object in `text`, which is valid UTF-8, into the open row of `rows`. The caller completes
    /// the row (`rows.rows += 1`), moves it, or abandons it; after an error nothing of it is left.
    ///
    /// # Errors
    /// [`Refused`]: the row is to be put aside.
    pub fn decode(&mut self, text: &[u8], line: u64, rows: &mut Rows) -> Result<(), Refused> {
        self.serial += 1;
        self.line = line;
        self.seen = Seen::default();
        self.extra.clear();
        let done = self.row(text, rows);
        if self.seen.secret {
            self.tally.secret_rows += 1;
        }
        if done.is_err() {
            rows.abandon();
        }
        done
    }

    /// Decodes a member of a row into a row of its own, whose required columns the caller sets.
    ///
    /// # Errors
    /// [`Refused`] when it is no object.
    pub fn decode_member(&mut self, text: &[u8], rows: &mut Rows) -> Result<(), Refused> {
        self.serial += 1;
        self.extra.clear();
        let done = self.members(text, rows);
        match done {
            Ok(()) => self.end_row(rows),
            Err(_) => rows.abandon(),
        }
        done
    }

    fn members(&mut self, text: &[u8], rows: &mut Rows) -> Result<(), Refused> {
        let mut cursor = Cursor::new(text);
        cursor.space();
        cursor.expect(b'{', "expected {")?;
        self.object(&mut cursor, 0, rows)?;
        Ok(cursor.end()?)
    }

    fn row(&mut self, text: &[u8], rows: &mut Rows) -> Result<(), Refused> {
        self.members(text, rows)?;
        for &column in &self.plan.required {
            if !rows.cells[column as usize].has(rows.rows) {
                return Err(Refused::Value { column: self.plan.columns[column as usize].name, why: "missing" });
            }
        }
        self.split_system(rows);
        self.check_money(rows);
        self.end_row(rows);
        Ok(())
    }

    fn end_row(&mut self, rows: &mut Rows) {
        if !self.extra.members.is_empty() {
            self.extra.text.push(b'}');
            rows.cells[self.plan.columns.len()].set_text(rows.rows, &self.extra.text);
        }
    }

    /// The members of an object; the cursor stands after its brace.
    fn object(&mut self, cursor: &mut Cursor<'_>, node_at: usize, rows: &mut Rows) -> Result<(), Refused> {
        let plan = self.plan;
        let node = &plan.nodes[node_at];
        cursor.space();
        if cursor.take(b"}") {
            return Ok(());
        }
        let mut previous = 0usize;
        loop {
            let expected = self.follows[node_at][previous] as usize;
            let known = match node.keys.get(expected) {
                Some(key) if cursor.take(&key.pattern) => {
                    cursor.space();
                    Some(expected)
                }
                _ => self.find_key(cursor, node_at, previous)?,
            };
            if let Some(key) = known {
                previous = key + 1;
                match node.keys[key].target {
                    Target::Column(column) => self.cell(cursor, column as usize, rows)?,
                    Target::Node(child) => self.child(cursor, child as usize, rows)?,
                }
            }
            cursor.space();
            if cursor.peek() == b',' {
                cursor.at += 1;
                cursor.space();
            } else {
                return Ok(cursor.expect(b'}', "expected , or } in an object")?);
            }
        }
    }

    /// Reads a key that was not the expected one. An unknown key's value is kept and skipped.
    fn find_key(&mut self, cursor: &mut Cursor<'_>, node_at: usize, previous: usize) -> Result<Option<usize>, Refused> {
        let key = cursor.key()?;
        let node = &self.plan.nodes[node_at];
        let plain = self.plain(key);
        if let Some(&found) = node.lookup.get(plain.as_ref()) {
            self.follows[node_at][previous] = found;
            return Ok(Some(found as usize));
        }
        if secrets::is_secret(key) {
            self.seen.secret = true;
            cursor.value(&mut Seen::default())?;
            return Ok(None);
        }
        let value = self.raw_value(cursor)?;
        self.keep(&node.path, key.raw, &value);
        Ok(None)
    }

    fn plain<'a>(&mut self, key: RawString<'a>) -> Cow<'a, [u8]> {
        if !key.escaped {
            return Cow::Borrowed(key.raw);
        }
        let mut text = Vec::new();
        unescape(key.raw, &mut text);
        Cow::Owned(text)
    }

    /// The text of any value, without the secrets in it.
    fn raw_value<'a>(&mut self, cursor: &mut Cursor<'a>) -> Result<Cow<'a, [u8]>, SyntaxFault> {
        let mut seen = Seen::default();
        let value = cursor.value(&mut seen)?;
        if !seen.secret {
            return Ok(Cow::Borrowed(value));
        }
        self.seen.secret = true;
        secrets::strip(value).map(Cow::Owned)
    }

    /// Puts a value into `_extra` and counts its name.
    fn keep(&mut self, node: &str, key: &[u8], value: &[u8]) {
        let again = self.extra.put(node, key, value);
        self.tally.duplicate_keys += u64::from(again);
        if !again {
            let path = String::from_utf8_lossy(self.extra.last_path());
            self.tally.unknown(&path, self.line);
        }
    }

    /// Puts the exact text of a column's value into `_extra`, under its wire path.
    fn keep_exact(&mut self, column: usize, value: &[u8]) {
        if let Some((last, levels)) = self.plan.columns[column].path.split_last() {
            self.extra.put(&levels.join("."), last.as_bytes(), value);
        }
    }

    /// A value where the contract expects an object.
    fn child(&mut self, cursor: &mut Cursor<'_>, node_at: usize, rows: &mut Rows) -> Result<(), Refused> {
        let node = &self.plan.nodes[node_at];
        if self.met[node_at] == self.serial {
            self.tally.duplicate_keys += 1;
            for &column in &node.columns {
                rows.cells[column as usize].truncate(rows.rows);
            }
        }
        self.met[node_at] = self.serial;
        match cursor.peek() {
            b'{' => {
                cursor.at += 1;
                self.object(cursor, node_at, rows)
            }
            b'n' => Ok(cursor.literal(b"null")?),
            b'f' => Ok(cursor.literal(b"false")?),
            _ => self.not_an_object(cursor, node_at, rows),
        }
    }

    #[cold]
    fn not_an_object(&mut self, cursor: &mut Cursor<'_>, node_at: usize, rows: &mut Rows) -> Result<(), Refused> {
        let node = &self.plan.nodes[node_at];
        let start = cursor.at;
        let value = self.raw_value(cursor)?;
        if *value == *b"\"\"" || is_empty_collection(&value) {
            return Ok(());
        }
        match node.id_column {
            Some(column) if value[0] != b'[' && value[0] != b't' => {
                self.drift(column as usize, "a bare id in place of the object");
                cursor.at = start;
                self.cell(cursor, column as usize, rows)
            }
            _ => {
                self.keep("", node.path.as_bytes(), &value);
                Ok(())
            }
        }
    }

    fn drift(&mut self, column: usize, what: &'static str) {
        self.tally.drifted(self.plan.columns[column].name, what, self.line);
    }

    /// A value into its column.
    fn cell(&mut self, cursor: &mut Cursor<'_>, column: usize, rows: &mut Rows) -> Result<(), Refused> {
        let start = cursor.at;
        let found = self.typed(cursor, column, rows);
        match found {
            Ok(again) => {
                self.tally.duplicate_keys += u64::from(again);
                Ok(())
            }
            Err(Refused::Value { why, .. }) if self.plan.lenient => {
                self.drift(column, why);
                let value = cursor.line[start..cursor.at].to_vec();
                self.keep_exact(column, &value);
                rows.cells[column].set_null(rows.rows);
                Ok(())
            }
            Err(refused) => Err(refused),
        }
    }

    /// Reads the value and sets the cell; true when the cell was set before in this row.
    #[inline]
    fn typed(&mut self, cursor: &mut Cursor<'_>, column: usize, rows: &mut Rows) -> Result<bool, Refused> {
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
                self.from_string(string, &cursor.line[start..cursor.at], column, rows)
            }
            b'n' => {
                cursor.literal(b"null")?;
                Ok(cells.set_null(row))
            }
            b't' | b'f' => self.from_boolean(cursor, column, rows),
            b'{' | b'[' => self.from_collection(cursor, column, rows),
            _ => {
                let text = cursor.number()?;
                self.from_number(text, text, column, rows)
            }
        }
    }

    fn refuse(&self, column: usize, why: &'static str) -> Refused {
        Refused::Value { column: self.plan.columns[column].name, why }
    }

    #[inline]
    fn from_string(&mut self, string: RawString<'_>, quoted: &[u8], column: usize, rows: &mut Rows) -> Result<bool, Refused> {
        if !string.escaped {
            return self.from_text(string.raw, quoted, column, rows);
        }
        let mut plain = std::mem::take(&mut self.scratch);
        plain.clear();
        if unescape(string.raw, &mut plain) > 0 {
            self.drift(column, "a lone surrogate");
            self.keep_exact(column, quoted);
        }
        let done = self.from_text(&plain, quoted, column, rows);
        self.scratch = plain;
        done
    }

    #[inline]
    fn from_text(&mut self, text: &[u8], quoted: &[u8], column: usize, rows: &mut Rows) -> Result<bool, Refused> {
        let row = rows.rows;
        let cells = &mut rows.cells[column];
        let kind = self.plan.columns[column].kind;
        match kind {
            Kind::Text => return Ok(cells.set_text(row, text)),
            _ if text.is_empty() => return Ok(cells.set_null(row)),
            Kind::TextOrNull => return Ok(cells.set_text(row, text)),
            Kind::Instant => match values::instant(text).map_err(|why| self.refuse(column, why))? {
                Moment::At(micros) => return Ok(cells.set_whole(row, micros)),
                Moment::Unset => return Ok(cells.set_null(row)),
            },
            Kind::Int | Kind::Money => {
                self.drift(column, "text in a number");
                return self.from_number(text, quoted, column, rows);
            }
            Kind::Flag => {
                let value = values::flag(text).ok_or_else(|| self.refuse(column, "not a flag"))?;
                self.drift(column, "text in a flag");
                Ok(rows.cells[column].set_flag(row, value))
            }
            Kind::List | Kind::Map => {
                self.drift(column, "text in a collection");
                Ok(rows.cells[column].set_text(row, quoted))
            }
        }
    }

    fn from_number(&mut self, text: &[u8], exact: &[u8], column: usize, rows: &mut Rows) -> Result<bool, Refused> {
        let row = rows.rows;
        let kind = self.plan.columns[column].kind;
        let cells = &mut rows.cells[column];
        match kind {
            Kind::Int => {
                let value = match values::plain_integer(text) {
                    Some(value) => value,
                    None => {
                        let value = values::whole_number(text).map_err(|why| self.refuse(column, why))?;
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
            Kind::Text | Kind::TextOrNull | Kind::List | Kind::Map => {
                self.drift(column, "a number in text");
                Ok(rows.cells[column].set_text(row, text))
            }
        }
    }

    fn from_boolean(&mut self, cursor: &mut Cursor<'_>, column: usize, rows: &mut Rows) -> Result<bool, Refused> {
        let value = cursor.peek() == b't';
        cursor.literal(if value { b"true" } else { b"false" })?;
        let row = rows.rows;
        let cells = &mut rows.cells[column];
        match self.plan.columns[column].kind {
            Kind::Flag => Ok(cells.set_flag(row, value)),
            // The source writes false where it has nothing.
            _ if !value => Ok(cells.set_null(row)),
            Kind::Text | Kind::TextOrNull | Kind::List | Kind::Map => {
                self.drift(column, "true in text");
                Ok(rows.cells[column].set_text(row, b"true"))
            }
            Kind::Int | Kind::Money => Err(self.refuse(column, "true in place of a number")),
            Kind::Instant => Err(self.refuse(column, "true in place of a time stamp")),
        }
    }

    fn from_collection(&mut self, cursor: &mut Cursor<'_>, column: usize, rows: &mut Rows) -> Result<bool, Refused> {
        let value = self.raw_value(cursor)?;
        let row = rows.rows;
        let empty = is_empty_collection(&value);
        let cells = &mut rows.cells[column];
        match self.plan.columns[column].kind {
            Kind::List if empty => Ok(cells.set_text(row, b"[]")),
            Kind::Map if empty => Ok(cells.set_text(row, b"{}")),
            Kind::List | Kind::Map => Ok(cells.set_text(row, &value)),
            // The source's empty map or list where it has nothing.
            _ if empty => Ok(cells.set_null(row)),
            Kind::Text | Kind::TextOrNull => {
                self.drift(column, "a collection in text");
                Ok(rows.cells[column].set_text(row, &value))
            }
            _ => Err(self.refuse(column, "a collection in place of one value")),
        }
    }

    /// Splits `os` where the source joined name and version and the row has no version of its own.
    fn split_system(&mut self, rows: &mut Rows) {
        let Some((os, version)) = self.plan.os else { return };
        let row = rows.rows;
        if rows.cells[version as usize].len() > row {
            return;
        }
        self.scratch.clear();
        match rows.cells[os as usize].text(row) {
            Some(joined) => self.scratch.extend_from_slice(joined),
            None => return,
        }
        let joined = std::str::from_utf8(&self.scratch).unwrap_or_default();
        if let (name, Some(number)) = values::split_os(joined) {
            rows.cells[os as usize].set_text(row, name.as_bytes());
            rows.cells[version as usize].set_text(row, number.as_bytes());
        }
    }

    fn check_money(&mut self, rows: &Rows) {
        let Some((income, payouts, earnings)) = self.plan.money else { return };
        let amount = |column: u16| rows.cells[column as usize].money(rows.rows);
        if let (Some(income), Some(payouts), Some(earnings)) = (amount(income), amount(payouts), amount(earnings)) {
            let off = income.saturating_sub(payouts).saturating_sub(earnings).saturating_abs();
            self.tally.money_mismatches += u64::from(off >= MONEY_TOLERANCE);
        }
    }
}

/// `[]` or `{}`, with any white space inside.
fn is_empty_collection(value: &[u8]) -> bool {
    matches!(value, [b'[', inner @ .., b']'] | [b'{', inner @ .., b'}'] if inner.trim_ascii().is_empty())
}
