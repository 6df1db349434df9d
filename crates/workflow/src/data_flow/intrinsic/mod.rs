//! Intrinsic functions: `States.Format('{}', $.name)` and its seventeen siblings.

mod digest;
mod format;
mod functions;
mod parse;

pub(crate) use functions::uuid_from;

use super::jsonpath::Path;
use super::{Environment, EvaluationError, expression};
use serde_json::Value;

/// A parsed function call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    text: String,
    function: Function,
    arguments: Vec<Argument>,
}

/// One argument of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Argument {
    /// A quoted text. `format` keeps `\{` and `\}`, which only `States.Format` tells from `{` and `}`.
    Text { plain: String, format: String },
    /// A number, `true`, `false` or `null`.
    Literal(Value),
    /// A path.
    Path(Path),
    /// A nested call.
    Call(Call),
}

/// A text that is not a call of an intrinsic function.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{text:?} is neither a path nor an intrinsic function: {reason}")]
pub struct CallSyntaxError {
    /// The text as written.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

macro_rules! functions {
    ($($name:ident => $least:literal ..= $most:expr,)*) => {
        /// The functions that Step Functions has.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(clippy::upper_case_acronyms, reason = "the variants are the functions' own names")]
        pub(crate) enum Function { $($name,)* }

        impl Function {
            fn named(name: &str) -> Option<Function> {
                match name { $(concat!("States.", stringify!($name)) => Some(Function::$name),)* _ => None }
            }

            fn argument_counts(self) -> std::ops::RangeInclusive<usize> {
                match self { $(Function::$name => $least ..= $most,)* }
            }
        }
    };
}

functions! {
    Array => 0..=usize::MAX,
    ArrayPartition => 2..=2,
    ArrayContains => 2..=2,
    ArrayRange => 3..=3,
    ArrayGetItem => 2..=2,
    ArrayLength => 1..=1,
    ArrayUnique => 1..=1,
    Base64Encode => 1..=1,
    Base64Decode => 1..=1,
    Hash => 2..=2,
    JsonMerge => 3..=3,
    StringToJson => 1..=1,
    JsonToString => 1..=1,
    MathRandom => 2..=3,
    MathAdd => 2..=2,
    StringSplit => 2..=2,
    UUID => 0..=0,
    Format => 1..=usize::MAX,
}

/// Functions may be nested this deep; AWS allows ten.
const MAX_NESTING: usize = 10;

impl Call {
    /// Parses a call.
    ///
    /// # Errors
    /// When the text is not a call, names no known function or has a wrong number of arguments.
    pub fn parse(text: &str) -> Result<Call, CallSyntaxError> {
        parse::parse(text).map_err(|reason| CallSyntaxError {
            text: text.to_owned(),
            reason,
        })
    }

    /// The call as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Runs the function.
    ///
    /// # Errors
    /// When an argument has no value or the function refuses.
    pub fn evaluate(
        &self,
        input: &Value,
        environment: &dyn Environment,
    ) -> Result<Value, EvaluationError> {
        let mut values = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            values.push(match argument {
                Argument::Text { plain, format } => {
                    Value::String(if self.function == Function::Format && values.is_empty() {
                        format.clone()
                    } else {
                        plain.clone()
                    })
                }
                Argument::Literal(value) => value.clone(),
                Argument::Path(path) => expression::select(path, input, environment)
                    .map_err(|error| self.argument_missing(path, error, input))?
                    .into_owned(),
                Argument::Call(call) => call.evaluate(input, environment)?,
            });
        }
        let literal_template = matches!(self.arguments.first(), Some(Argument::Text { .. }));
        functions::run(self.function, &values, literal_template, environment).map_err(|reason| {
            EvaluationError::Intrinsic {
                function: self.text.clone(),
                reason,
            }
        })
    }
}

impl Call {
    fn argument_missing(
        &self,
        path: &Path,
        error: EvaluationError,
        input: &Value,
    ) -> EvaluationError {
        match error {
            EvaluationError::NotFound { .. } => EvaluationError::Intrinsic {
                function: self.text.clone(),
                reason: format!(
                    "The JsonPath argument for the field '{path}' could not be found in the input '{input}'"
                ),
            },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
