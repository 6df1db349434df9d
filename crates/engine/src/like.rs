//! LIKE, whose patterns escape nothing unless the statement names an escape.

use datafusion::sql::sqlparser::ast::{Expr, Value, ValueWithSpan};

use crate::{
    functions::like_pattern,
    rewrite::{call, text},
};

/// What puts the escapes in where they are not known before.
const FUNCTION: &str = "trino_like_pattern";

/// The pattern as the operator takes it: with back slashes as escapes.
pub(crate) fn pattern(pattern: &Expr, escape: Option<ValueWithSpan>) -> Expr {
    let escape = escape.and_then(|escape| match escape.value {
        Value::SingleQuotedString(text) => Some(text),
        _ => None,
    });
    match pattern {
        Expr::Function(call) if call.name.to_string() == FUNCTION => return pattern.clone(),
        Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(written),
            ..
        }) => {
            if let Ok(told) = like_pattern(written, escape.as_deref()) {
                return text(&told);
            }
        }
        _ => {}
    }
    let mut arguments = vec![pattern.clone()];
    arguments.extend(escape.as_deref().map(text));
    call(FUNCTION, arguments)
}
