//! A state machine definition: parsed, checked and typed.
//!
//! [`Definition::parse`] either gives a definition, or **all** problems of the file, each with JSON pointer, line
//! and column. Everything the language has is checked and drawn; what Lakehand does not run (JSONata expressions,
//! `ItemReader`, `ResultWriter`) is kept with its place in [`State::refused`], and an execution that comes to such
//! a state is refused there.

mod check;
mod fields;
mod graph;
mod layout;
mod parse;
mod parse_choice;
mod parse_compound;
mod parse_jsonata;
mod parse_map_io;
mod parse_task;
mod resource;
mod source;
mod types;

pub use graph::{Edge, EdgeKind, Graph, GraphNode};
pub use source::Place;
pub use types::*;

use std::{collections::BTreeSet, fmt};

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
        Definition::read(text, false)
    }

    /// Parses a definition of which only the shape counts: JSONata is taken as it stands.
    ///
    /// # Errors
    /// All other problems found.
    pub fn parse_shape(text: &str) -> Result<Definition, InvalidDefinition> {
        Definition::read(text, true)
    }

    fn read(text: &str, lenient: bool) -> Result<Definition, InvalidDefinition> {
        let mut definition = parse::parse(text, lenient).map_err(|mut problems| {
            problems.sort_by(|left, right| left.place.cmp(&right.place));
            InvalidDefinition { problems }
        })?;
        if let Ok(whole) = serde_json::from_str(text) {
            expressions(&whole, &mut definition.expressions);
        }
        Ok(definition)
    }

    /// The graph to draw.
    #[must_use]
    pub fn graph(&self) -> Graph {
        graph::build(self)
    }
}

/// Texts that name something of the input or the context; remarks are none.
fn expressions(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    use serde_json::Value::{Array, Object, String};
    match value {
        String(text) if text.contains('$') => {
            found.insert(text.clone());
        }
        Array(all) => all.iter().for_each(|one| expressions(one, found)),
        Object(fields) => {
            let fields = fields.iter().filter(|(name, _)| *name != "Comment");
            fields.for_each(|(_, one)| expressions(one, found));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
