//! What DataFusion and Delta say, in Athena's error codes.
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
use deltalake::{DeltaTableError, kernel::transaction::TransactionError};

use super::dialect::TrinoDialect;
use crate::pipeline::ports::QueryError;

/// What is said of a membership where DataFusion's plan has none; its own words name parts of that plan.
const IN_SUBQUERY: &str = "IN (subquery) is answered among the conditions of WHERE, HAVING and of an inner join's ON, not here: \
     join the subquery, or ask for it in a WHERE";

/// A failure inside the engine, before its statement is known.
#[derive(Debug, thiserror::Error)]
pub(super) enum EngineError {
    #[error(transparent)]
    DataFusion(#[from] DataFusionError),
    #[error(transparent)]
    Delta(#[from] DeltaTableError),
    #[error(transparent)]
    Parse(#[from] ParserError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl From<ArrowError> for EngineError {
    fn from(error: ArrowError) -> Self {
        Self::DataFusion(error.into())
    }
}

/// A refusal with one of Athena's codes.
pub(super) fn refused(code: &'static str, message: impl Into<String>) -> EngineError {
    QueryError::Refused {
        code,
        message: message.into(),
    }
    .into()
}

impl EngineError {
    /// The error as callers of the engine see it. `sql` serves to find the place.
    pub(super) fn into_query_error(self, sql: &str) -> QueryError {
        match self {
            Self::Query(error) => error,
            Self::Parse(error) => syntax(&error),
            Self::Delta(error) => delta(error),
            Self::Io(error) => io(&error),
            Self::DataFusion(error) => datafusion(error, sql),
        }
    }

    /// Whether memory ran out, so that another plan may do.
    pub(super) fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::DataFusion(error) if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)))
    }

    /// Whether a file was replaced between listing and opening it.
    pub(super) fn is_vanished_file(&self) -> bool {
        matches!(self, Self::DataFusion(error) if vanished(error))
    }
}

fn syntax(error: &ParserError) -> QueryError {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
        ParserError::RecursionLimitExceeded => "the statement is nested too deeply",
    };
    let message = match place(text) {
        Some((what, line, column)) => format!("line {line}:{column}: {what}"),
        None => text.to_owned(),
    };
    QueryError::Refused {
        code: "SYNTAX_ERROR",
        message,
    }
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

fn failed(message: impl Into<String>, transient: bool) -> QueryError {
    QueryError::Failed {
        message: message.into(),
        transient,
    }
}

fn io(error: &std::io::Error) -> QueryError {
    failed(
        format!("could not use the lake's files: {error}; check the disk's space and rights"),
        false,
    )
}

fn delta(error: DeltaTableError) -> QueryError {
    match error {
        DeltaTableError::VersionAlreadyExists(_)
        | DeltaTableError::Transaction {
            source: TransactionError::MaxCommitAttempts(_) | TransactionError::CommitConflict(_),
        } => QueryError::Conflict {
            message: format!(
                "Failed to commit: another statement changed the table first ({error})"
            ),
        },
        DeltaTableError::NotATable(message) => QueryError::Refused {
            code: "TABLE_NOT_FOUND",
            message,
        },
        other => failed(format!("the Delta table could not be used: {other}"), false),
    }
}

fn vanished(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::ObjectStore(error) => {
            matches!(**error, deltalake::ObjectStoreError::NotFound { .. })
        }
        DataFusionError::IoError(error) => error.kind() == std::io::ErrorKind::NotFound,
        other => {
            let text = other.to_string();
            text.contains("No such file or directory")
                || (text.contains("Object at location") && text.contains("not found"))
        }
    }
}

fn datafusion(error: DataFusionError, sql: &str) -> QueryError {
    if vanished(&error) {
        return failed(
            format!(
                "HIVE_CANNOT_OPEN_SPLIT: a file was replaced while it was read (FileNotFound): {error}"
            ),
            true,
        );
    }
    match error.find_root() {
        DataFusionError::SQL(error, _) => return syntax(error),
        DataFusionError::ResourcesExhausted(text) => {
            let advice = "give the engine more memory or take a smaller window";
            return failed(
                format!("EXCEEDED_LOCAL_MEMORY_LIMIT: {text}; {advice}"),
                false,
            );
        }
        DataFusionError::SchemaError(error, _) => return schema(error, sql),
        DataFusionError::ArrowError(error, _) => return arrow(error),
        DataFusionError::NotImplemented(text) => {
            return QueryError::Refused {
                code: "NOT_SUPPORTED",
                message: match text.contains("InSubquery") {
                    true => IN_SUBQUERY.to_owned(),
                    false => text.clone(),
                },
            };
        }
        DataFusionError::External(inner) => {
            if let Some(query) = inner.downcast_ref::<QueryError>() {
                return query.clone();
            }
        }
        _ => {}
    }
    by_text(&error, sql)
}

fn schema(error: &SchemaError, sql: &str) -> QueryError {
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
            (
                "COLUMN_NOT_FOUND",
                format!(
                    "{place}Column '{}' cannot be resolved; known columns: {}",
                    field.name,
                    known.join(", ")
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
        other => ("SYNTAX_ERROR", other.to_string()),
    };
    QueryError::Refused { code, message }
}

fn arrow(error: &ArrowError) -> QueryError {
    match error {
        ArrowError::DivideByZero => failed("DIVISION_BY_ZERO: Division by zero", false),
        ArrowError::ArithmeticOverflow(text) => {
            failed(format!("NUMERIC_VALUE_OUT_OF_RANGE: {text}"), false)
        }
        ArrowError::CastError(text) | ArrowError::ParseError(text) => {
            failed(format!("INVALID_CAST_ARGUMENT: {text}"), false)
        }
        ArrowError::InvalidArgumentError(text)
            if text.contains("too large to store in a Decimal") =>
        {
            failed(format!("NUMERIC_VALUE_OUT_OF_RANGE: {text}"), false)
        }
        other => failed(format!("GENERIC_INTERNAL_ERROR: {other}"), false),
    }
}

/// DataFusion's planner says some things in words only.
fn by_text(error: &DataFusionError, sql: &str) -> QueryError {
    let text = error.find_root().strip_backtrace();
    let lower = text.to_lowercase();
    let quoted = |text: &str| text.split('\'').nth(1).map(str::to_owned);
    let code = if lower.contains("table '") && lower.contains("not found") {
        let name = quoted(&text).unwrap_or_default();
        let name = name.rsplit('.').next().unwrap_or_default();
        let message = format!("{}Table '{name}' does not exist", place_of(sql, name));
        return QueryError::Refused {
            code: "TABLE_NOT_FOUND",
            message,
        };
    } else if lower.contains("invalid function")
        || (lower.contains("function") && lower.contains("not found"))
    {
        let name = quoted(&text).unwrap_or_default();
        return QueryError::Refused {
            code: "FUNCTION_NOT_FOUND",
            message: format!("{}{text}", place_of(sql, &name)),
        };
    } else if lower.contains("must be in the group by")
        || lower.contains("must appear in the group by")
        || lower.contains("not part of group by")
    {
        "EXPRESSION_NOT_AGGREGATE"
    } else if lower.contains("coerce")
        || lower.contains("type mismatch")
        || lower.contains("cannot infer common")
        || lower.contains("incompatible")
    {
        "TYPE_MISMATCH"
    } else if matches!(error.find_root(), DataFusionError::Plan(_)) {
        "SYNTAX_ERROR"
    } else {
        return failed(format!("GENERIC_INTERNAL_ERROR: {text}"), false);
    };
    QueryError::Refused {
        code,
        message: text,
    }
}
