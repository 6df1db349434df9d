//! Text to segments.

use super::filter::parse_filter;
use super::{PathFunction, PathRoot, Segment};

/// A cursor over the characters of a path.
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Cursor { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let found = self.peek()?;
        self.at += found.len_utf8();
        Some(found)
    }

    pub(super) fn eat(&mut self, token: &str) -> bool {
        let there = self.rest().starts_with(token);
        if there {
            self.at += token.len();
        }
        there
    }

    pub(super) fn skip_spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
    }

    pub(super) fn expect(&mut self, token: &str) -> Result<(), String> {
        self.skip_spaces();
        if self.eat(token) {
            return Ok(());
        }
        match self.peek() {
            Some(found) => Err(format!("expected `{token}` but found `{found}`")),
            None => Err(format!("expected `{token}` but the text ends")),
        }
    }

    /// A quoted string whose opening quote is next; a backslash escapes the next character.
    pub(super) fn quoted(&mut self) -> Result<String, String> {
        let quote = self.next().unwrap_or('\'');
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err("a quoted name is not closed".to_owned()),
                Some('\\') => text.extend(self.escaped()?),
                Some(found) if found == quote => return Ok(text),
                Some(found) => text.push(found),
            }
        }
    }

    /// What stands for the characters after a backslash: Java's escapes, anything else for itself.
    fn escaped(&mut self) -> Result<Option<char>, String> {
        Ok(match self.next() {
            Some('n') => Some('\n'),
            Some('t') => Some('\t'),
            Some('r') => Some('\r'),
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some('u') => {
                let digits = self.rest().get(..4).unwrap_or_default();
                let code = u32::from_str_radix(digits, 16)
                    .ok()
                    .and_then(char::from_u32);
                if code.is_none() {
                    return Err("`\\u` needs four hexadecimal digits".to_owned());
                }
                self.eat(digits);
                code
            }
            other => other,
        })
    }

    pub(super) fn integer(&mut self) -> Result<i64, String> {
        let start = self.at;
        self.eat("-");
        while self.peek().is_some_and(|found| found.is_ascii_digit()) {
            self.next();
        }
        let digits = &self.text[start..self.at];
        digits
            .parse()
            .map_err(|_| format!("`{digits}` is not an index"))
    }
}

pub(super) fn parse(text: &str) -> Result<(PathRoot, Vec<Segment>), String> {
    let mut cursor = Cursor::new(text);
    if !cursor.eat("$") {
        return Err("a path starts with `$`".to_owned());
    }
    let root = if cursor.eat("$") {
        PathRoot::Context
    } else if cursor.peek().is_some_and(is_name_start) {
        PathRoot::Variable(variable_name(&mut cursor))
    } else {
        PathRoot::Input
    };
    let segments = parse_segments(&mut cursor)?;
    // The reference implementation takes blanks at the end away before it reads the path.
    cursor.skip_spaces();
    if let Some(found) = cursor.peek() {
        return Err(format!("`{found}` is not expected here"));
    }
    Ok((root, segments))
}

fn is_name_start(found: char) -> bool {
    found == '_' || found.is_alphabetic()
}

fn variable_name(cursor: &mut Cursor<'_>) -> String {
    let mut name = String::new();
    while let Some(found) = cursor.peek() {
        if found != '_' && !found.is_alphanumeric() {
            break;
        }
        name.push(found);
        cursor.next();
    }
    name
}

/// Segments up to the end of the text or to a character that cannot start one.
pub(super) fn parse_segments(cursor: &mut Cursor<'_>) -> Result<Vec<Segment>, String> {
    let mut segments = Vec::new();
    loop {
        if cursor.eat("..") {
            segments.push(Segment::Deep);
            if cursor.peek() != Some('[') {
                segments.push(dotted(cursor)?);
            }
        } else if cursor.eat(".") {
            // `$.[0]` and `$.[?(…)]`: the reference implementation takes the dot as nothing.
            segments.push(if cursor.eat("[") {
                bracketed(cursor)?
            } else {
                dotted(cursor)?
            });
        } else if cursor.eat("[") {
            segments.push(bracketed(cursor)?);
        } else {
            return Ok(segments);
        }
    }
}

fn dotted(cursor: &mut Cursor<'_>) -> Result<Segment, String> {
    if cursor.eat("*") {
        return Ok(Segment::Wildcard);
    }
    let mut name = String::new();
    while let Some(found) = cursor.peek() {
        match found {
            '.' | '[' | ' ' | ',' | ')' if found != ')' || !name.ends_with('(') => break,
            '\\' => {
                cursor.next();
                name.extend(cursor.next());
            }
            '=' | '<' | '>' | '!' | '&' | '|' => break,
            _ => {
                name.push(found);
                cursor.next();
            }
        }
    }
    if name.is_empty() {
        return Err("a member name is missing after `.`".to_owned());
    }
    // Other functions, `sum()` for one, are younger than AWS's Jayway: there they are mere names.
    Ok(match name.as_str() {
        "length()" => Segment::Function(PathFunction::Length),
        "min()" => Segment::Function(PathFunction::Min),
        "max()" => Segment::Function(PathFunction::Max),
        "avg()" => Segment::Function(PathFunction::Average),
        "stddev()" => Segment::Function(PathFunction::StandardDeviation),
        _ => Segment::Member(name),
    })
}

fn bracketed(cursor: &mut Cursor<'_>) -> Result<Segment, String> {
    cursor.skip_spaces();
    let segment = match cursor.peek() {
        Some('*') => {
            cursor.next();
            Segment::Wildcard
        }
        Some('?') => {
            cursor.next();
            cursor.expect("(")?;
            let filter = parse_filter(cursor)?;
            cursor.expect(")")?;
            Segment::Filter(filter)
        }
        Some('\'' | '"') => members(cursor)?,
        Some(_) => indexes(cursor)?,
        None => return Err("`[` is not closed".to_owned()),
    };
    cursor.expect("]")?;
    Ok(segment)
}

fn members(cursor: &mut Cursor<'_>) -> Result<Segment, String> {
    let mut names = vec![cursor.quoted()?];
    loop {
        cursor.skip_spaces();
        if !cursor.eat(",") {
            break;
        }
        cursor.skip_spaces();
        if !matches!(cursor.peek(), Some('\'' | '"')) {
            return Err("names in brackets need quotes".to_owned());
        }
        names.push(cursor.quoted()?);
    }
    Ok(match names.len() {
        1 => Segment::Member(names.remove(0)),
        _ => Segment::Members(names),
    })
}

fn indexes(cursor: &mut Cursor<'_>) -> Result<Segment, String> {
    if cursor.eat(":") {
        let end = bound(cursor)?;
        if end.is_none() {
            return Err("a slice needs a bound, as in [1:] or [:3]".to_owned());
        }
        return Ok(Segment::Slice(None, end));
    }
    let first = cursor.integer()?;
    cursor.skip_spaces();
    if cursor.eat(":") {
        return Ok(Segment::Slice(Some(first), bound(cursor)?));
    }
    let mut all = vec![first];
    while cursor.eat(",") {
        cursor.skip_spaces();
        all.push(cursor.integer()?);
        cursor.skip_spaces();
    }
    Ok(match all.len() {
        1 => Segment::Index(first),
        _ => Segment::Indexes(all),
    })
}

fn bound(cursor: &mut Cursor<'_>) -> Result<Option<i64>, String> {
    cursor.skip_spaces();
    if cursor.peek() == Some(']') {
        return Ok(None);
    }
    cursor.integer().map(Some)
}
