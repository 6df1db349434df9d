//! What DataFusion says, in Athena's error codes.
//!
//! Codes are those an on-call person meets on AWS (reference, AWS fidelity section 7), so that the same
//! remedies match on both platforms. The place in the statement is added where it can be found.

use arrow::error::ArrowError;
use datafusion::{
    common::{DataFusionError, SchemaError},
    sql::sqlparser::{
        parser::ParserError,
        tokenizer::{Token, Tokenizer},
    },
};

use crate::{dialect::TrinoDialect, words};

/// What is said of a membership where DataFusion's plan has none; its own words name parts of that plan.
const IN_SUBQUERY: &str = "IN (subquery) is answered among the conditions of WHERE, HAVING and of an inner join's ON, not here: \
     join the subquery, or ask for it in a WHERE";

/// A scalar subquery of several rows.
pub(crate) const MULTIPLE_ROWS: &str = "SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple rows; \
     take one of them (max, LIMIT 1), or join the subquery";

/// A subquery that is not taken apart.
const CORRELATED: &str =
    "a subquery that asks about the row outside is not supported here: join it instead";

/// Athena's codes that planning gives.
const CODES: &[&str] = &[
    "AMBIGUOUS_NAME",
    "COLUMN_NOT_FOUND",
    "EXPRESSION_NOT_AGGREGATE",
    "EXPRESSION_NOT_SCALAR",
    "FUNCTION_NOT_FOUND",
    "INVALID_COLUMN_REFERENCE",
    "INVALID_FUNCTION_ARGUMENT",
    "INVALID_WINDOW_FRAME",
    "MISMATCHED_COLUMN_ALIASES",
    "MISSING_COLUMN_NAME",
    "MISSING_OVER",
    "NOT_SUPPORTED",
    "SYNTAX_ERROR",
    "TABLE_NOT_FOUND",
    "TYPE_MISMATCH",
    "TYPE_NOT_FOUND",
];

/// Why a statement has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// The statement cannot be parsed, planned or names what does not exist.
    #[error("{code}: {message}")]
    Refused {
        /// Athena's code.
        code: &'static str,
        /// What is wrong, with its place where that is known.
        message: String,
    },
    /// It failed while it ran; the message starts with Athena's code.
    #[error("{message}")]
    Failed {
        /// What is wrong.
        message: String,
    },
}

/// A refusal with one of Athena's codes.
pub fn refused(code: &'static str, message: impl Into<String>) -> SqlError {
    SqlError::Refused {
        code,
        message: message.into(),
    }
}

fn failed(message: impl Into<String>) -> SqlError {
    SqlError::Failed {
        message: message.into(),
    }
}

/// What the parser says, with its place.
#[must_use]
pub fn syntax(error: &ParserError) -> SqlError {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
        ParserError::RecursionLimitExceeded => "the statement is nested too deeply",
    };
    let (code, text) = coded(text).unwrap_or(("SYNTAX_ERROR", text));
    let message = match place(text) {
        Some((what, "0", _)) => what.to_owned(),
        Some((what, line, column)) => format!("line {line}:{column}: {}", unexpected(what)),
        None => text.to_owned(),
    };
    SqlError::Refused { code, message }
}

/// What the parser says of a token that is no operator, in Trino's words.
fn unexpected(what: &str) -> String {
    let Some(token) = what.strip_prefix("No infix parser for token ") else {
        return what.to_owned();
    };
    let word = token
        .strip_prefix("Word(Word { value: \"")
        .and_then(|rest| rest.split('"').next());
    format!("mismatched input '{}'", word.unwrap_or(token))
}

/// A message of ours that starts with its code.
fn coded(text: &str) -> Option<(&'static str, &str)> {
    let (code, message) = text.split_once(": ")?;
    let code = CODES.iter().find(|known| **known == code)?;
    Some((code, message))
}

/// `what at Line: 1, Column: 5` taken apart.
fn place(text: &str) -> Option<(&str, &str, &str)> {
    let (what, rest) = text.split_once(" at Line: ")?;
    let (line, rest) = rest.split_once(", Column: ")?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    Some((what, line, &rest[..end]))
}

/// `line 1:8: ` of the first place a name stands in the statement, or nothing.
fn place_of(sql: &str, name: &str) -> String {
    let wanted = name.rsplit('.').next().unwrap_or(name).trim_matches('"');
    let Ok(tokens) = Tokenizer::new(&TrinoDialect, sql).tokenize_with_location() else {
        return String::new();
    };
    let found = tokens.iter().find(|token| matches!(&token.token, Token::Word(word) if word.value.eq_ignore_ascii_case(wanted)));
    found.map_or_else(String::new, |token| {
        format!(
            "line {}:{}: ",
            token.span.start.line, token.span.start.column
        )
    })
}

/// What DataFusion says of a statement.
#[must_use]
pub fn planned(error: &DataFusionError, sql: &str) -> SqlError {
    match worded(error, sql) {
        SqlError::Refused { code, message } => refused(code, shown(&message)),
        SqlError::Failed { message } => failed(shown(&message)),
    }
}

/// How much of a message is shown: a value in it can be a whole document.
const SHOWN: usize = 600;

/// Types by Trino's names; control characters, which can be in a value, escaped.
fn shown(message: &str) -> String {
    const NAMES: [(&str, &str); 8] = [
        ("Int8 type", "tinyint"),
        ("Int16 type", "smallint"),
        ("Int32 type", "integer"),
        ("Int64 type", "bigint"),
        ("type Int8", "tinyint"),
        ("type Int16", "smallint"),
        ("type Int32", "integer"),
        ("type Int64", "bigint"),
    ];
    let plain = NAMES
        .iter()
        .fold(message.to_owned(), |text, (arrow, trino)| {
            text.replace(arrow, trino)
        });
    let length = plain.chars().count();
    let cut: String = if length > SHOWN {
        let (start, end) = (
            plain.chars().take(SHOWN / 2),
            plain.chars().skip(length - SHOWN / 2),
        );
        start.chain("…".chars()).chain(end).collect()
    } else {
        plain
    };
    cut.chars()
        .flat_map(|c| {
            let escaped: Vec<char> = if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            };
            escaped
        })
        .collect()
}

fn worded(error: &DataFusionError, sql: &str) -> SqlError {
    match error.find_root() {
        DataFusionError::SQL(error, _) => return syntax(error),
        DataFusionError::ResourcesExhausted(text) => {
            let advice = "give the engine more memory or take a smaller window";
            return failed(format!("EXCEEDED_LOCAL_MEMORY_LIMIT: {text}; {advice}"));
        }
        DataFusionError::SchemaError(error, _) => return schema(error, sql),
        DataFusionError::ArrowError(error, _) => return arrow(error),
        DataFusionError::NotImplemented(text) => return unsupported(text, sql),
        _ => {}
    }
    by_text(error, sql)
}

fn unsupported(text: &str, sql: &str) -> SqlError {
    if let Some((code, message)) = coded(text) {
        return refused(code, message);
    }
    if text.contains("InSubquery") {
        return refused("NOT_SUPPORTED", IN_SUBQUERY);
    }
    if text.contains("OuterReferenceColumn") {
        return refused("NOT_SUPPORTED", CORRELATED);
    }
    told(text, sql).unwrap_or_else(|| refused("NOT_SUPPORTED", words::plain(text)))
}

/// What is said of a message of the planner, with the place of the name in it.
fn told(text: &str, sql: &str) -> Option<SqlError> {
    let (code, message) = words::said(text)?;
    let name = message.split('\'').nth(1).unwrap_or_default();
    let place = match code {
        "EXPRESSION_NOT_AGGREGATE" | "FUNCTION_NOT_FOUND" | "COLUMN_NOT_FOUND" => {
            place_of(sql, name)
        }
        _ => String::new(),
    };
    Some(refused(code, format!("{place}{message}")))
}

fn schema(error: &SchemaError, sql: &str) -> SqlError {
    let (code, message) = match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => {
            let mut known: Vec<_> = valid_fields
                .iter()
                .map(|field| field.name.clone())
                .collect();
            known.sort();
            known.dedup();
            known.truncate(40);
            let place = place_of(sql, &field.name);
            if sql.contains(&format!("{}.*", field.name)) {
                let message = format!("{place}Unable to resolve reference {}", field.name);
                return refused("TABLE_NOT_FOUND", message);
            }
            let quoted = sql.contains(&format!("\"{}\"", field.name));
            let advice = match (quoted, known.is_empty()) {
                (true, _) => format!("text stands in single quotes: '{}'", field.name),
                (false, true) => "there is no FROM".to_owned(),
                (false, false) => format!("known columns: {}", known.join(", ")),
            };
            (
                "COLUMN_NOT_FOUND",
                format!(
                    "{place}Column '{}' cannot be resolved; {advice}",
                    field.name
                ),
            )
        }
        SchemaError::AmbiguousReference { field } => (
            "AMBIGUOUS_NAME",
            format!(
                "{}Column '{}' is ambiguous",
                place_of(sql, &field.name),
                field.name
            ),
        ),
        other => ("SYNTAX_ERROR", words::plain(&other.to_string())),
    };
    SqlError::Refused { code, message }
}

fn arrow(error: &ArrowError) -> SqlError {
    match error {
        ArrowError::DivideByZero => failed("DIVISION_BY_ZERO: Division by zero"),
        ArrowError::ArithmeticOverflow(text) => failed(format!(
            "NUMERIC_VALUE_OUT_OF_RANGE: {}",
            words::plain(text)
        )),
        // One whole number as another that is too small for it.
        ArrowError::CastError(text) if is_whole(text) => failed(format!(
            "NUMERIC_VALUE_OUT_OF_RANGE: {}",
            words::plain(text)
        )),
        ArrowError::CastError(text) | ArrowError::ParseError(text) => {
            failed(format!("INVALID_CAST_ARGUMENT: {}", words::plain(text)))
        }
        ArrowError::InvalidArgumentError(text)
            if text.contains("too large to store in a Decimal") =>
        {
            failed(format!("INVALID_CAST_ARGUMENT: {}", words::plain(text)))
        }
        other => failed(format!(
            "GENERIC_INTERNAL_ERROR: {}",
            words::plain(&other.to_string())
        )),
    }
}

/// `Can't cast value 300 to type Int8`.
fn is_whole(text: &str) -> bool {
    let value = text
        .strip_prefix("Can't cast value ")
        .and_then(|rest| rest.split(' ').next());
    value.is_some_and(|value| {
        value
            .trim_start_matches('-')
            .bytes()
            .all(|byte| byte.is_ascii_digit())
    })
}

/// Codes that stand in front of what is said of a call.
const CALLED: [&str; 6] = [
    "FUNCTION_NOT_AGGREGATE",
    "FUNCTION_NOT_FOUND",
    "FUNCTION_NOT_WINDOW",
    "INVALID_FUNCTION_ARGUMENT",
    "MISSING_OVER",
    "NOT_SUPPORTED",
];

/// DataFusion's planner says some things in words only.
fn by_text(error: &DataFusionError, sql: &str) -> SqlError {
    let text = error.find_root().strip_backtrace();
    let lower = text.to_lowercase();
    // What our own planning says starts with its code, and so does what our functions say.
    if let DataFusionError::Plan(told) | DataFusionError::NotImplemented(told) = error.find_root()
        && let Some((code, message)) = coded(told)
    {
        return refused(code, message);
    }
    if let DataFusionError::Execution(told) = error.find_root()
        && told.split(':').next().is_some_and(|code| {
            code.contains('_')
                && code
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
    {
        return failed(told.clone());
    }
    if let DataFusionError::Plan(told) = error.find_root()
        && let Some((code, message)) = told.split_once(": ")
        && let Some(code) = CALLED.iter().find(|known| **known == code)
    {
        let name = message.split('\'').nth(1).unwrap_or_default();
        return SqlError::Refused {
            code,
            message: format!("{}{message}", place_of(sql, name)),
        };
    }
    if lower.contains("returned more than one row") {
        return failed(MULTIPLE_ROWS);
    }
    if lower.contains("outerreferencecolumn") || lower.contains("correlated") {
        return refused("NOT_SUPPORTED", CORRELATED);
    }
    if !lower.contains("table '")
        && let Some(told) = told(&text, sql)
    {
        return told;
    }
    let quoted = |text: &str| text.split('\'').nth(1).map(str::to_owned);
    if lower.contains("does not satisfy order requirements") {
        let message = "this order cannot be planned: columns of the list are one another's copies, or parts of a UNION \
                       ALL are ordered already; put the list into a subquery and order its rows";
        return refused("NOT_SUPPORTED", message);
    }
    let code = if lower.contains("table '") && lower.contains("not found") {
        let name = quoted(&text).unwrap_or_default();
        let name = name.rsplit('.').next().unwrap_or_default();
        let message = format!("{}Table '{name}' does not exist", place_of(sql, name));
        return SqlError::Refused {
            code: "TABLE_NOT_FOUND",
            message,
        };
    } else if lower.contains("invalid function")
        || (lower.contains("function") && lower.contains("not found"))
    {
        let name = quoted(&text).unwrap_or_default();
        return SqlError::Refused {
            code: "FUNCTION_NOT_FOUND",
            message: format!("{}{}", place_of(sql, &name), words::plain(&text)),
        };
    } else if lower.contains("must be in the group by")
        || lower.contains("must appear in the group by")
        || lower.contains("not part of group by")
    {
        "EXPRESSION_NOT_AGGREGATE"
    } else if lower.contains("failed to match any signature")
        || lower.contains("but received")
        || lower.contains("coerce")
        || lower.contains("type mismatch")
        || lower.contains("cannot infer common")
        || lower.contains("incompatible")
    {
        "TYPE_MISMATCH"
    } else if matches!(error.find_root(), DataFusionError::Plan(_)) {
        "SYNTAX_ERROR"
    } else {
        return failed(format!("GENERIC_INTERNAL_ERROR: {}", words::plain(&text)));
    };
    refused(code, words::plain(&text))
}
