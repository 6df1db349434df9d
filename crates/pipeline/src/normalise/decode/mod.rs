//! One line of wire JSON straight into typed columns.
//!
//! No tree, no map, no allocation per field: the walk over the line and the setting of cells are one
//! pass. Sources print the same keys in the same order, so after each key the decoder first tries
//! the key that followed it last time, with one comparison of `"key":`.

use std::borrow::Cow;

use super::{
    json::{Cursor, RawString, Seen, SyntaxFault, unescape},
    plan::{Node, Plan, Target},
    rows::Rows,
    tally::Tally,
    values,
};

use crate::secrets::{names_a_secret, without_secrets};

mod cell;
mod extra;

use cell::is_empty_collection;
use extra::Extra;

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

/// What a row lacks that has no value in a required column.
pub(super) const MISSING: &str = "missing or empty";

/// Marketo numbers the activity types that an instance's people define from here on.
const FIRST_CUSTOM_TYPE: i64 = 100_000;

/// What is told of an attribute whose value has another type than its column.
const OTHER_TYPE: &str = "of another type, kept in attributes";

/// Half a cent: what `income - payouts - earnings` may be off by float noise before it counts.
const MONEY_TOLERANCE: i128 = 5_000_000_000_000_000;

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
    /// Members of the object with a rest column that no other column takes.
    rest: Extra,
    /// The object with a rest column as it came, where the row is of a custom type.
    whole: Vec<u8>,
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
            follows: plan
                .nodes
                .iter()
                .map(|node| (0..=node.keys.len() as u16).collect())
                .collect(),
            met: vec![0; plan.nodes.len()],
            serial: 0,
            scratch: Vec::new(),
            extra: Extra::default(),
            rest: Extra::default(),
            whole: Vec::new(),
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
        self.rest.clear();
        self.whole.clear();
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
                return Err(Refused::Value {
                    column: self.plan.columns[column as usize].name,
                    why: MISSING,
                });
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
        let Some(column) = self.plan.rest else {
            return;
        };
        if !self.whole.is_empty() && self.is_of_custom_type(rows) {
            rows.cells[column as usize].set_text(rows.rows, &self.whole);
        } else if !self.rest.members.is_empty() {
            self.rest.text.push(b'}');
            rows.cells[column as usize].set_text(rows.rows, &self.rest.text);
        }
    }

    /// Whether somebody made the row's type up, so that a name means there what he chose.
    fn is_of_custom_type(&self, rows: &Rows) -> bool {
        self.plan.kind_of_row.is_some_and(|column| {
            let kind = rows.cells[column as usize].whole(rows.rows);
            kind.is_some_and(|kind| kind >= FIRST_CUSTOM_TYPE)
        })
    }

    /// The members of an object; the cursor stands after its brace.
    fn object(
        &mut self,
        cursor: &mut Cursor<'_>,
        node_at: usize,
        rows: &mut Rows,
    ) -> Result<(), Refused> {
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
                Some(key) if cursor.take_pattern(&key.pattern) => {
                    cursor.space();
                    Some(expected)
                }
                _ => self.find_key(cursor, node_at, previous)?,
            };
            if let Some(key) = known {
                previous = key + 1;
                match node.keys[key].target {
                    Target::Column(column) if node.keeps_rest => {
                        self.attribute(cursor, (node_at, key), column as usize, rows)?;
                    }
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
    fn find_key(
        &mut self,
        cursor: &mut Cursor<'_>,
        node_at: usize,
        previous: usize,
    ) -> Result<Option<usize>, Refused> {
        let key = cursor.key()?;
        let node = &self.plan.nodes[node_at];
        let plain = self.plain(key);
        if let Some(&found) = node.lookup.get(plain.as_ref()) {
            self.follows[node_at][previous] = found;
            return Ok(Some(found as usize));
        }
        if names_a_secret(key.raw, key.escaped) {
            self.seen.secret = true;
            cursor.value(&mut Seen::default())?;
            return Ok(None);
        }
        let value = self.raw_value(cursor)?;
        let name = canonical(key, &plain);
        if node.keeps_rest {
            let again = self.rest.put("", &name, &value);
            self.tally.duplicate_keys += u64::from(again);
        } else {
            self.keep(&node.path, &apart(name, node), &value);
        }
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
        Ok(without_secrets(value))
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
    fn child(
        &mut self,
        cursor: &mut Cursor<'_>,
        node_at: usize,
        rows: &mut Rows,
    ) -> Result<(), Refused> {
        let node = &self.plan.nodes[node_at];
        if self.met[node_at] == self.serial {
            self.tally.duplicate_keys += 1;
            for &column in &node.columns {
                rows.cells[column as usize].truncate(rows.rows);
            }
            if node.keeps_rest {
                self.rest.clear();
                self.whole.clear();
            }
        }
        self.met[node_at] = self.serial;
        match cursor.peek() {
            b'{' => {
                let start = cursor.at;
                cursor.at += 1;
                self.object(cursor, node_at, rows)?;
                if node.keeps_rest && self.plan.kind_of_row.is_some() {
                    let object = &cursor.line[start..cursor.at];
                    self.whole.clear();
                    let object = without_secrets_if(self.seen.secret, object);
                    self.whole.extend_from_slice(&object);
                }
                Ok(())
            }
            b'n' => Ok(cursor.literal(b"null")?),
            b'f' => Ok(cursor.literal(b"false")?),
            _ => self.not_an_object(cursor, node_at, rows),
        }
    }

    #[cold]
    fn not_an_object(
        &mut self,
        cursor: &mut Cursor<'_>,
        node_at: usize,
        rows: &mut Rows,
    ) -> Result<(), Refused> {
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
        self.tally
            .drifted(self.plan.columns[column].name, what, self.line);
    }

    /// An attribute's value into its column, or beside the attributes without one where it has another type:
    /// of one name, every activity type has a type of its own.
    fn attribute(
        &mut self,
        cursor: &mut Cursor<'_>,
        (node, key): (usize, usize),
        column: usize,
        rows: &mut Rows,
    ) -> Result<(), Refused> {
        let start = cursor.at;
        match self.typed(cursor, column, rows) {
            Ok(again) => self.tally.duplicate_keys += u64::from(again),
            Err(Refused::Value { .. }) => {
                self.drift(column, OTHER_TYPE);
                rows.cells[column].set_null(rows.rows);
                let value = without_secrets_if(self.seen.secret, &cursor.line[start..cursor.at]);
                let name = self.plan.nodes[node].keys[key].name.as_bytes();
                self.rest.put("", name, &value);
            }
            Err(refused) => return Err(refused),
        }
        Ok(())
    }

    /// A value into its column.
    fn cell(
        &mut self,
        cursor: &mut Cursor<'_>,
        column: usize,
        rows: &mut Rows,
    ) -> Result<(), Refused> {
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

    /// Splits `os` where the source joined name and version and the row has no version of its own.
    fn split_system(&mut self, rows: &mut Rows) {
        let Some((os, version)) = self.plan.os else {
            return;
        };
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
        let Some((income, payouts, earnings)) = self.plan.money else {
            return;
        };
        let amount = |column: u16| rows.cells[column as usize].money(rows.rows);
        if let (Some(income), Some(payouts), Some(earnings)) =
            (amount(income), amount(payouts), amount(earnings))
        {
            let off = income
                .saturating_sub(payouts)
                .saturating_sub(earnings)
                .saturating_abs();
            self.tally.money_mismatches += u64::from(off >= MONEY_TOLERANCE);
        }
    }
}

fn without_secrets_if(secret: bool, text: &[u8]) -> Cow<'_, [u8]> {
    if secret {
        without_secrets(text)
    } else {
        Cow::Borrowed(text)
    }
}

/// A key as it stands between quotes, one spelling for each text.
fn canonical<'a>(key: RawString<'a>, plain: &[u8]) -> Cow<'a, [u8]> {
    if !key.escaped {
        return Cow::Borrowed(key.raw);
    }
    // A lone surrogate has no text: its escape is its only spelling.
    let mut again = Vec::new();
    if unescape(key.raw, &mut again) > 0 {
        return Cow::Borrowed(key.raw);
    }
    let text = String::from_utf8_lossy(plain);
    let quoted = serde_json::to_string(&text).unwrap_or_default();
    match quoted.as_bytes() {
        [b'"', inner @ .., b'"'] => Cow::Owned(inner.to_vec()),
        _ => Cow::Borrowed(key.raw),
    }
}

/// The name of a key with a dot that could be taken for a path into an object the contract knows
/// (`"offer.vertical"` beside `{"offer": {"vertical": …}}`): the dot is written `\.`, so that both are kept.
fn apart<'a>(name: Cow<'a, [u8]>, node: &Node) -> Cow<'a, [u8]> {
    if !name.contains(&b'.') {
        return name;
    }
    let is_path = name.iter().enumerate().any(|(at, &byte)| {
        let above = (byte == b'.').then(|| node.lookup.get(&name[..at]));
        let key = above.flatten().map(|&key| &node.keys[key as usize]);
        key.is_some_and(|key| matches!(key.target, Target::Node(_)))
    });
    // Two backslashes are how JSON writes one.
    let looks_written_apart = name.windows(3).any(|three| three == br"\\.");
    if !(is_path || looks_written_apart) {
        return name;
    }
    let mut written = Vec::with_capacity(name.len() + 4);
    let mut rest = &*name;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'\\', [b'\\', after @ ..]) => {
                written.extend_from_slice(br"\\\\");
                rest = after;
            }
            (b'.', _) => written.extend_from_slice(br"\\."),
            _ => written.push(*first),
        }
    }
    Cow::Owned(written)
}
