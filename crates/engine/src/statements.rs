//! Statements and clauses that Athena takes and one machine does not: each is refused by its name, with what to do
//! instead. A clause that is read and dropped would be an answer to another statement.

use std::collections::HashSet;

use datafusion::sql::sqlparser::{
    ast::{Expr, Query, SelectItem, SetExpr, Value},
    parser::{Parser, ParserError},
    tokenizer::{Location, Token, TokenWithSpan},
};

use crate::foreign::refused;

/// First words of statements, and what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("ALTER", "make a new table by CREATE TABLE … AS SELECT"),
    ("CALL", "leave it out"),
    (
        "CREATE DATABASE",
        "there is one database; write the name of the table alone",
    ),
    (
        "CREATE SCHEMA",
        "there is one database; write the name of the table alone",
    ),
    ("CREATE PROTECTED", "write CREATE VIEW"),
    (
        "CREATE OR REPLACE PROTECTED",
        "write CREATE OR REPLACE VIEW",
    ),
    ("DEALLOCATE", "write the statement with its values"),
    ("DESCRIBE INPUT", "write the statement with its values"),
    ("DESCRIBE OUTPUT", "write the statement with its values"),
    ("DESCRIBE EXTENDED", "write DESCRIBE and the table"),
    ("DESCRIBE FORMATTED", "write DESCRIBE and the table"),
    ("DROP DATABASE", "drop each table by DROP TABLE"),
    ("DROP SCHEMA", "drop each table by DROP TABLE"),
    ("EXECUTE", "write the statement with its values"),
    ("EXPLAIN ANALYZE", "write EXPLAIN, or run the query"),
    ("EXPLAIN (TYPE", "write EXPLAIN and the query"),
    ("EXPLAIN (FORMAT", "write EXPLAIN and the query"),
    ("EXPLAIN CREATE", "EXPLAIN takes a query"),
    ("EXPLAIN DELETE", "EXPLAIN takes a query"),
    ("EXPLAIN INSERT", "EXPLAIN takes a query"),
    ("EXPLAIN MERGE", "EXPLAIN takes a query"),
    ("EXPLAIN UPDATE", "EXPLAIN takes a query"),
    (
        "MSCK",
        "partitions are found in the folders when a statement runs",
    ),
    ("PREPARE", "write the statement with its values"),
    (
        "SHOW COLUMNS",
        "write DESCRIBE and the table, or ask information_schema.columns",
    ),
    ("SHOW CREATE", "write DESCRIBE and the name for its columns"),
    ("SHOW DATABASES", "there is one database; write SHOW TABLES"),
    (
        "SHOW PARTITIONS",
        "those that a crawler saw are in SELECT * FROM \"name$partitions\"",
    ),
    ("SHOW SCHEMAS", "there is one database; write SHOW TABLES"),
    ("SHOW TBLPROPERTIES", "write DESCRIBE and the table"),
    ("SHOW VIEWS", "write SHOW TABLES, which names the views too"),
    (
        "UNLOAD",
        "make a table by CREATE TABLE … AS SELECT, or write the result to a file",
    ),
];

/// Refuses a statement by its first words.
///
/// # Errors
/// When it is one of those that are not supported.
pub(crate) fn known(parser: &Parser) -> Result<(), ParserError> {
    let Some((words, advice)) = REFUSED.iter().find(|(words, _)| begins(parser, words)) else {
        return Ok(());
    };
    Err(refused(
        &format!(
            "NOT_SUPPORTED: {} is not supported on one machine; {advice}",
            words.replace('(', "")
        ),
        parser.peek_token_ref().span.start,
    ))
}

/// `SHOW CREATE`, `EXPLAIN (TYPE`: the words of a statement, which open it.
fn begins(parser: &Parser, words: &str) -> bool {
    let mut at = 0;
    words.split(' ').all(|word| {
        let word = match word.strip_prefix('(') {
            Some(word) => {
                let open = parser.peek_nth_token_ref(at).token == Token::LParen;
                at += 1;
                if !open {
                    return false;
                }
                word
            }
            None => word,
        };
        at += 1;
        is_word(&parser.peek_nth_token_ref(at - 1).token, word)
    })
}

fn is_word(token: &Token, wanted: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted))
}

/// Clauses behind a table in FROM, and what to do instead.
const OF_FROM: &[(&[&str], &str)] = &[
    (&["FOR", "VERSION", "AS", "OF"], AS_OF),
    (&["FOR", "TIMESTAMP", "AS", "OF"], AS_OF),
    (&["FOR", "SYSTEM_VERSION", "AS", "OF"], AS_OF),
    (&["FOR", "SYSTEM_TIME", "AS", "OF"], AS_OF),
    (&["TABLESAMPLE", "BERNOULLI"], "write WHERE rand() < 0.1"),
    (&["TABLESAMPLE", "SYSTEM"], "write WHERE rand() < 0.1"),
];

const AS_OF: &str = "the table is read as it is now; leave it out";

/// Refuses clauses of a table in FROM that the engine would drop, or that its parser lacks.
///
/// # Errors
/// The first such clause.
pub(crate) fn clauses_of_from(tokens: &[TokenWithSpan]) -> Result<(), ParserError> {
    let tokens: Vec<&TokenWithSpan> = tokens
        .iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)))
        .collect();
    for (at, first) in tokens.iter().enumerate() {
        let found = OF_FROM.iter().find(|(words, _)| {
            words.iter().enumerate().all(|(next, word)| {
                tokens
                    .get(at + next)
                    .is_some_and(|token| is_word(&token.token, word))
            })
        });
        if let Some((words, advice)) = found {
            return Err(refused(
                &format!(
                    "NOT_SUPPORTED: {} is not supported on one machine; {advice}",
                    words.join(" ")
                ),
                first.span.start,
            ));
        }
    }
    Ok(())
}

/// Takes a word that the parser's own list may not have.
///
/// # Errors
/// When something else stands there.
pub(crate) fn word(parser: &mut Parser, wanted: &str) -> Result<(), ParserError> {
    if is_word(&parser.peek_token_ref().token, wanted) {
        parser.next_token();
        return Ok(());
    }
    crate::command::expected(parser, wanted)
}

/// Clauses of Hive's tables, which no table here is.
const OF_HIVE: &[(&str, &str)] = &[
    ("ROW FORMAT", "leave it out: a table's files are Parquet"),
    ("STORED AS", "leave it out: a table's files are Parquet"),
    ("STORED BY", "leave it out: a table's files are Parquet"),
    ("WITH SERDEPROPERTIES", "leave it out"),
    ("CLUSTERED BY", "leave it out"),
    ("SORTED BY", "leave it out"),
    ("SKEWED BY", "leave it out"),
    ("WITH", "write TBLPROPERTIES ('table_type' = 'ICEBERG')"),
];

/// Refuses a clause of Hive behind the columns of a table.
///
/// # Errors
/// When there is one.
pub(crate) fn no_clause_of_hive(parser: &Parser) -> Result<(), ParserError> {
    let Some((words, advice)) = OF_HIVE.iter().find(|(words, _)| begins(parser, words)) else {
        return Ok(());
    };
    Err(refused(
        &format!(
            "NOT_SUPPORTED: {words} is not supported in CREATE TABLE on one machine; {advice}"
        ),
        parser.peek_token_ref().span.start,
    ))
}

/// What stands instead of a table over files.
pub(crate) fn external(at: Location) -> ParserError {
    refused(
        "NOT_SUPPORTED: CREATE EXTERNAL TABLE is not supported on one machine, whose tables keep their own files; put the \
         Parquet files into a folder of silver/ and ask the table of that name, or write CREATE TABLE without EXTERNAL",
        at,
    )
}

/// A property of a table, with its place.
pub(crate) struct Property {
    pub(crate) key: String,
    pub(crate) value: Expr,
    pub(crate) at: Location,
}

/// Refuses the properties that would make another table than the one that is made.
///
/// # Errors
/// The first such property.
pub(crate) fn properties(given: &[Property], location_is_taken: bool) -> Result<(), ParserError> {
    let mut seen = HashSet::new();
    for Property { key, value, at } in given {
        if !seen.insert(key) {
            return Err(refused(
                &format!("SYNTAX_ERROR: the property '{key}' stands twice; leave one out"),
                *at,
            ));
        }
        let text = text_of(value).to_lowercase();
        let kept = match key.as_str() {
            "table_type" => Some("ICEBERG").filter(|_| text != "iceberg"),
            "format" => Some("PARQUET").filter(|_| text != "parquet"),
            "is_external" => Some("false").filter(|_| text != "false"),
            // How files are packed changes no answer.
            "write_compression" | "parquet_compression" | "compression_level" => None,
            "location" if location_is_taken => None,
            "partitioning" | "partitioned_by" if location_is_taken => None,
            _ => {
                return Err(refused(
                    &format!(
                        "NOT_SUPPORTED: the property '{key}' is not supported on one machine; leave it out"
                    ),
                    *at,
                ));
            }
        };
        if let Some(only) = kept {
            return Err(refused(
                &format!(
                    "NOT_SUPPORTED: {key} = {value} is not supported on one machine; write {only}"
                ),
                *at,
            ));
        }
    }
    Ok(())
}

/// The text of a literal, or of an expression as it is written.
pub(crate) fn text_of(value: &Expr) -> String {
    match value {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => text.clone(),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}

/// Iceberg's transforms of a partition column.
const TRANSFORMS: [&str; 10] = [
    "year", "years", "month", "months", "day", "days", "hour", "hours", "bucket", "truncate",
];

/// Refuses a transform that Iceberg lacks.
///
/// # Errors
/// When `item` is one.
pub(crate) fn transform(item: &str, at: Location) -> Result<(), ParserError> {
    let Some((name, _)) = item.split_once('(') else {
        return Ok(());
    };
    if TRANSFORMS.contains(&name.trim().to_lowercase().as_str()) {
        return Ok(());
    }
    Err(refused(
        &format!(
            "NOT_SUPPORTED: '{item}' is no partition; write a column, year, month, day or hour of one, bucket or truncate"
        ),
        at,
    ))
}

/// A table's columns have names: the first of a query that has none.
///
/// # Errors
/// When there is one.
pub(crate) fn columns_are_named(query: &Query) -> Result<(), ParserError> {
    match first_without_name(&query.body) {
        None => Ok(()),
        Some(place) => Err(ParserError::ParserError(format!(
            "MISSING_COLUMN_NAME: Column name not specified at position {place}; give it a name with AS"
        ))),
    }
}

fn first_without_name(body: &SetExpr) -> Option<usize> {
    match body {
        SetExpr::Select(select) => {
            let unnamed = |item: &SelectItem| match item {
                SelectItem::UnnamedExpr(expr) => !has_name(expr),
                _ => false,
            };
            select.projection.iter().position(unnamed).map(|at| at + 1)
        }
        SetExpr::Query(query) => first_without_name(&query.body),
        SetExpr::SetOperation { left, .. } => first_without_name(left),
        SetExpr::Values(_) => Some(1),
        _ => None,
    }
}

/// Whether a column has a name without AS: a column, or a field of a row.
fn has_name(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => has_name(inner),
        Expr::CompoundFieldAccess { access_chain, .. } => {
            use datafusion::sql::sqlparser::ast::AccessExpr;
            matches!(access_chain.last(), Some(AccessExpr::Dot(_)))
        }
        other => matches!(other, Expr::Identifier(_) | Expr::CompoundIdentifier(_)),
    }
}
