//! JSON that remembers where each value stands in the text, so that a problem can name line and column.

use serde_json::Value;
use std::fmt;

/// A place in a definition file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// JSON pointer (RFC 6901) to the value; empty for the whole document.
    pub pointer: String,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

/// A JSON value with its byte offset.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) offset: usize,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Null, a boolean, a number or a string.
    Scalar(Value),
    Array(Vec<Node>),
    Object(Vec<Member>),
}

/// One `"name": value`. Unlike in a map, a name given twice is seen twice.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) name_offset: usize,
    pub(super) value: Node,
}

impl Node {
    pub(super) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::Array(items) => items.iter().map(Node::to_value).collect(),
            Kind::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|member| (member.name.clone(), member.value.to_value()))
                    .collect(),
            ),
        }
    }

    /// The word for the value's type in messages.
    pub(super) fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(Value::Null) => "null",
            Kind::Scalar(Value::Bool(_)) => "a boolean",
            Kind::Scalar(Value::Number(_)) => "a number",
            Kind::Scalar(_) => "a string",
            Kind::Array(_) => "an array",
            Kind::Object(_) => "an object",
        }
    }
}

/// A syntax error: where and what.
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) reason: String,
}

/// Parses a JSON text.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    // serde_json checks the syntax and limits the depth to 128, so that the scan below is total.
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        let reason = error.to_string();
        let cut = reason.rfind(" at line ").unwrap_or(reason.len());
        return Err(SyntaxError {
            line: error.line(),
            column: error.column().max(1),
            reason: reason[..cut].to_owned(),
        });
    }
    let mut scanner = Scanner { text, at: 0 };
    scanner.value().ok_or_else(|| SyntaxError {
        line: 1,
        column: 1,
        reason: "nested too deeply or not JSON".to_owned(),
    })
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl Scanner<'_> {
    fn skip_spaces(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn value(&mut self) -> Option<Node> {
        self.skip_spaces();
        let offset = self.at;
        let kind = match self.byte()? {
            b'{' => Kind::Object(self.object()?),
            b'[' => Kind::Array(self.array()?),
            b'"' => Kind::Scalar(Value::String(self.string()?)),
            _ => Kind::Scalar(self.word()?),
        };
        Some(Node { offset, kind })
    }

    fn object(&mut self) -> Option<Vec<Member>> {
        self.at += 1;
        let mut members = Vec::new();
        loop {
            self.skip_spaces();
            match self.byte()? {
                b'}' => {
                    self.at += 1;
                    return Some(members);
                }
                b',' => self.at += 1,
                _ => {
                    let name_offset = self.at;
                    let name = self.string()?;
                    self.skip_spaces();
                    self.at += 1;
                    members.push(Member {
                        name,
                        name_offset,
                        value: self.value()?,
                    });
                }
            }
        }
    }

    fn array(&mut self) -> Option<Vec<Node>> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip_spaces();
            match self.byte()? {
                b']' => {
                    self.at += 1;
                    return Some(items);
                }
                b',' => self.at += 1,
                _ => items.push(self.value()?),
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        serde_json::from_str(self.text.get(start..self.at)?).ok()
    }

    fn word(&mut self) -> Option<Value> {
        let start = self.at;
        while self
            .byte()
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'))
        {
            self.at += 1;
        }
        serde_json::from_str(self.text.get(start..self.at)?).ok()
    }
}

/// Turns byte offsets into lines and columns.
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Lines { text, starts }
    }

    pub(super) fn place(&self, offset: usize, pointer: String) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        Place {
            line,
            column: self.text[start..offset].chars().count() + 1,
            pointer,
        }
    }
}
