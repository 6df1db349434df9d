//! How data moves through a state: JSONPath, payload templates, intrinsic functions, `ResultPath`.
//!
//! Pure functions over [`serde_json::Value`]. What an expression may look at besides its input (the
//! Context object, workflow variables, a random number) comes in through [`Environment`].

mod expression;
pub mod intrinsic;
pub mod jsonpath;
mod reference;
mod template;
mod timestamp;

pub use expression::Expression;
pub(crate) use expression::select;
pub use jsonpath::{Path, PathNotFound, PathRoot, PathSyntaxError};
pub use reference::put;
pub use template::Template;
pub use timestamp::{format_timestamp, parse_timestamp};

use serde_json::Value;

/// What an expression can see besides the value it is applied to.
pub trait Environment {
    /// The Context object, `$$`.
    fn context(&self) -> &Value;
    /// A workflow variable, without its `$`.
    fn variable(&self, name: &str) -> Option<&Value>;
    /// A number in `[0, 1)`; the interpreter has no randomness of its own.
    fn random(&self) -> f64;
}

/// Why an expression gave no value. The texts are those AWS puts into `cause`.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EvaluationError {
    /// A definite path found nothing.
    #[error("Invalid path '{path}' : {reason}")]
    NotFound {
        /// The path as written.
        path: String,
        /// Jayway's reason.
        reason: String,
    },
    /// A path inside a payload template found nothing.
    #[error(
        "The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{input}'"
    )]
    FieldNotFound {
        /// The path as written.
        path: String,
        /// The template's field name, with its `.$`.
        field: String,
        /// What was searched, as JSON text.
        input: String,
    },
    /// A path was applied to `null`.
    #[error("Unable to apply Path transformation to null or empty input.")]
    NullInput,
    /// A variable was read before it was assigned.
    #[error("The variable '${0}' is not assigned")]
    UnknownVariable(String),
    /// A JSONata expression, which is checked and drawn but not evaluated.
    #[error("The JSONata expression '{0}' is not evaluated")]
    NotInterpreted(String),
    /// An intrinsic function refused its arguments.
    #[error("The function '{function}' had the following error: {reason}")]
    Intrinsic {
        /// The call as written.
        function: String,
        /// Why it refused.
        reason: String,
    },
    /// `ResultPath` does not fit the state input. AWS has an error name of its own for it.
    #[error("Unable to apply ReferencePath {path} to input {input}")]
    ReferenceMismatch {
        /// The reference path as written.
        path: String,
        /// The state input, as JSON text.
        input: String,
    },
}

/// The largest input or result of a state or task: 256 KiB of UTF-8 JSON.
pub const DATA_LIMIT_BYTES: usize = 256 * 1024;

/// Whether a state's or task's result is over [`DATA_LIMIT_BYTES`].
///
/// A plain string counts without its quotes, as the service measures it.
#[must_use]
pub fn exceeds_data_limit(value: &Value) -> bool {
    if let Value::String(text) = value {
        return text.len() > DATA_LIMIT_BYTES;
    }
    let mut counter = ByteCounter(0);
    // The counter never fails; an object key that is no string cannot occur in a `Value`.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0 > DATA_LIMIT_BYTES
}

/// Counts bytes without keeping them.
struct ByteCounter(usize);

impl std::io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
