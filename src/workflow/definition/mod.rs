//! A state machine definition: parsed, checked and typed.
//!
//! [`Definition::parse`] either gives a definition that the interpreter can run, or **all** problems of the
//! file, each with JSON pointer, line and column. What Lakehand does not run (JSONata, `ItemReader`,
//! `ResultWriter`) is refused here, never later.

mod check;
mod fields;
mod graph;
mod layout;
mod parse;
mod parse_choice;
mod parse_compound;
mod parse_task;
mod source;
mod types;

pub use graph::{Edge, EdgeKind, Graph, GraphNode};
pub use source::Place;
pub use types::*;

use std::fmt;

/// One problem of a definition.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)?;
        if !self.place.pointer.is_empty() {
            write!(formatter, " (at {})", self.place.pointer)?;
        }
        Ok(())
    }
}

/// A definition that cannot be run, with all its problems in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidDefinition {
    /// At least one problem.
    pub problems: Vec<Problem>,
}

impl fmt::Display for InvalidDefinition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the definition has {} problem(s)",
            self.problems.len()
        )?;
        for problem in &self.problems {
            write!(formatter, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl Definition {
    /// Parses and checks a definition in the Amazon States Language.
    ///
    /// # Errors
    /// All problems found, in the order of the file.
    pub fn parse(text: &str) -> Result<Definition, InvalidDefinition> {
        parse::parse(text).map_err(|mut problems| {
            problems.sort_by(|left, right| left.place.cmp(&right.place));
            InvalidDefinition { problems }
        })
    }

    /// The graph to draw.
    #[must_use]
    pub fn graph(&self) -> Graph {
        graph::build(self)
    }
}

#[cfg(test)]
mod tests;
