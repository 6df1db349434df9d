//! JSONPath as Step Functions understands it (the dialect of the Java library Jayway, which AWS runs).
//!
//! A path is *definite* when it can name at most one value. A definite path that finds nothing is an
//! error; an indefinite one (wildcard, slice, filter, deep scan, union) that finds nothing is `[]`.
//! Facts: `tests/data/asl` (recorded on AWS) and the Jayway sources.

mod filter;
mod parse;
mod select;

use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

pub(crate) use filter::Filter;

/// Where a path starts.
#[derive(Debug, Clone, PartialEq)]
pub enum PathRoot {
    /// `$`: the input (or result) that the field works on.
    Input,
    /// `$$`: the Context object.
    Context,
    /// `$name`: a workflow variable.
    Variable(String),
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Segment {
    /// `.name` or `['name']`.
    Member(String),
    /// `['a','b']`: an object with those members that exist.
    Members(Vec<String>),
    /// `[3]` or `[-1]`.
    Index(i64),
    /// `[0,2]`.
    Indexes(Vec<i64>),
    /// `[1:3]`, `[1:]`, `[:3]`; a negative bound counts from the end.
    Slice(Option<i64>, Option<i64>),
    /// `.*` or `[*]`.
    Wildcard,
    /// `..`: the value and everything below it.
    Deep,
    /// `[?(@.a == 1)]`.
    Filter(Filter),
    /// `.length()` and the other functions that Jayway had when AWS took it in.
    Function(PathFunction),
}

/// A function at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum PathFunction {
    Length,
    Min,
    Max,
    Average,
    StandardDeviation,
}

impl Segment {
    fn is_definite(&self) -> bool {
        matches!(
            self,
            Segment::Member(_) | Segment::Members(_) | Segment::Index(_) | Segment::Function(_)
        )
    }
}

/// A parsed JSONPath with the text it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    text: String,
    root: PathRoot,
    segments: Vec<Segment>,
}

/// A path that cannot be parsed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "{path:?} is not a path: {reason}; paths look like $.orders[0].id, $$.Execution.Id or $variable.field"
)]
pub struct PathSyntaxError {
    /// The text as written.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A definite path found nothing. The text is Jayway's, which AWS passes on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct PathNotFound(pub String);

impl Path {
    /// Parses a path.
    ///
    /// # Errors
    /// When the text is not a path; the message says at what.
    pub fn parse(text: &str) -> Result<Path, PathSyntaxError> {
        let (root, segments) = parse::parse(text).map_err(|reason| PathSyntaxError {
            path: text.to_owned(),
            reason,
        })?;
        Ok(Path {
            text: text.to_owned(),
            root,
            segments,
        })
    }

    /// The whole input, `$`.
    #[must_use]
    pub fn whole_input() -> Path {
        Path {
            text: "$".to_owned(),
            root: PathRoot::Input,
            segments: Vec::new(),
        }
    }

    /// The text as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the path starts.
    #[must_use]
    pub fn root(&self) -> &PathRoot {
        &self.root
    }

    /// Whether the path is only a root (`$`, `$$`, `$name`).
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether the path can name at most one value.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        self.segments.iter().all(Segment::is_definite)
    }

    /// Whether this is a Reference Path: only member names and indexes, as `ResultPath` needs.
    #[must_use]
    pub fn is_reference(&self) -> bool {
        self.segments
            .iter()
            .all(|segment| matches!(segment, Segment::Member(_) | Segment::Index(_)))
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Applies the path to the value its root stands for.
    ///
    /// # Errors
    /// When a definite path finds nothing.
    pub fn select<'v>(&self, root: &'v Value) -> Result<Cow<'v, Value>, PathNotFound> {
        select::select(&self.segments, root)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
