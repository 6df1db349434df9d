//! A path or an intrinsic function: what may stand where the language takes a value from data.

use super::intrinsic::{Call, CallSyntaxError};
use super::jsonpath::{Path, PathRoot, PathSyntaxError};
use super::{Environment, EvaluationError};
use serde_json::Value;
use std::borrow::Cow;

/// A compiled path or intrinsic function.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// `$.a`, `$$.Execution.Id`, `$variable.a`.
    Path(Path),
    /// `States.Format('{}', $.a)`.
    Call(Call),
}

/// Text that is neither a path nor an intrinsic function.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExpressionSyntaxError {
    /// It starts like a path.
    #[error(transparent)]
    Path(#[from] PathSyntaxError),
    /// It starts like a function.
    #[error(transparent)]
    Call(#[from] CallSyntaxError),
}

impl Expression {
    /// Parses a path or an intrinsic function.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn parse(text: &str) -> Result<Expression, ExpressionSyntaxError> {
        if text.starts_with('$') {
            Ok(Expression::Path(Path::parse(text)?))
        } else {
            Ok(Expression::Call(Call::parse(text)?))
        }
    }

    /// The text as written.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Expression::Path(path) => path.text(),
            Expression::Call(call) => call.text(),
        }
    }

    /// The value. `input` is what `$` stands for.
    ///
    /// # Errors
    /// When a definite path finds nothing, a variable is not assigned or a function refuses.
    pub fn evaluate(
        &self,
        input: &Value,
        environment: &dyn Environment,
    ) -> Result<Value, EvaluationError> {
        match self {
            Expression::Path(path) => {
                if input.is_null() && *path.root() == PathRoot::Input {
                    return Err(EvaluationError::NullInput);
                }
                select(path, input, environment).map(Cow::into_owned)
            }
            Expression::Call(call) => call.evaluate(input, environment),
        }
    }
}

/// Applies a path, whatever its root.
pub(crate) fn select<'v>(
    path: &Path,
    input: &'v Value,
    environment: &'v dyn Environment,
) -> Result<Cow<'v, Value>, EvaluationError> {
    let root = match path.root() {
        PathRoot::Input => input,
        PathRoot::Context => environment.context(),
        PathRoot::Variable(name) => environment
            .variable(name)
            .ok_or_else(|| EvaluationError::UnknownVariable(name.clone()))?,
    };
    path.select(root)
        .map_err(|missing| EvaluationError::NotFound {
            path: path.text().to_owned(),
            reason: missing.0,
        })
}
