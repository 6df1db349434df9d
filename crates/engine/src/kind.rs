//! What a statement does, as far as that is known before it runs.
//!
//! Whoever may only look must not change anything by a statement that looks like a question: `EXPLAIN ANALYZE` runs what
//! it explains, and a second statement hides behind a semicolon. So the statement is parsed; what is not known to be a
//! read is a change.

use datafusion::sql::sqlparser::{
    ast::{Query, SetExpr},
    keywords::Keyword,
    tokenizer::{Token, Tokenizer},
};

use super::{
    command::{self, Command},
    dialect::TrinoDialect,
};
use crate::error::SqlError;

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementKind {
    /// It answers with rows.
    pub gives_rows: bool,
    /// It changes nothing.
    pub is_read: bool,
}

impl StatementKind {
    const READ: Self = Self {
        gives_rows: true,
        is_read: true,
    };
    const CHANGE: Self = Self {
        gives_rows: false,
        is_read: false,
    };
}

/// What `sql` does.
///
/// # Errors
/// [`SqlError::Refused`] when it is more than one statement, or none.
pub fn kind(sql: &str) -> Result<StatementKind, SqlError> {
    let refused = |message: String| SqlError::Refused {
        code: "SYNTAX_ERROR",
        message,
    };
    let tokens = Tokenizer::new(&TrinoDialect, sql)
        .tokenize()
        .map_err(|error| refused(error.to_string()))?;
    let tokens: Vec<Token> = tokens
        .into_iter()
        .filter(|token| !matches!(token, Token::Whitespace(_)))
        .collect();
    let end = tokens.iter().position(|token| *token == Token::SemiColon);
    let (statement, rest) = tokens.split_at(end.unwrap_or(tokens.len()));
    if rest.iter().any(|token| *token != Token::SemiColon) {
        return Err(refused(
            "there are several statements; give one statement a call".to_owned(),
        ));
    }
    if statement.is_empty() {
        return Err(refused("there is no statement".to_owned()));
    }
    Ok(of(statement, sql))
}

fn keyword(token: Option<&Token>) -> Option<Keyword> {
    match token {
        Some(Token::Word(word)) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    }
}

fn of(statement: &[Token], sql: &str) -> StatementKind {
    let open = statement
        .iter()
        .take_while(|token| **token == Token::LParen)
        .count();
    match keyword(statement.get(open)) {
        Some(Keyword::SHOW | Keyword::DESCRIBE | Keyword::DESC) if open == 0 => StatementKind::READ,
        Some(Keyword::EXPLAIN) if open == 0 => explained(&statement[1..]),
        Some(Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::TABLE) => StatementKind {
            gives_rows: true,
            // Athena knows more than our parser; a query that only it understands counts as a change.
            is_read: matches!(command::parse(sql), Ok(Command::Select(query)) if only_reads(&query)),
        },
        _ => StatementKind::CHANGE,
    }
}

/// Whether no part of a query is a statement that changes something, as in `WITH … DELETE`.
fn only_reads(query: &Query) -> bool {
    let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
    ctes.map(|cte| cte.query.as_ref()).all(only_reads) && reads(&query.body)
}

fn reads(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.into.is_none(),
        SetExpr::Query(query) => only_reads(query),
        SetExpr::SetOperation { left, right, .. } => reads(left) && reads(right),
        SetExpr::Values(_) | SetExpr::Table(_) => true,
        _ => false,
    }
}

/// `EXPLAIN` shows a plan; `EXPLAIN ANALYZE` runs the statement.
fn explained(behind: &[Token]) -> StatementKind {
    if keyword(behind.first()) != Some(Keyword::ANALYZE) {
        return StatementKind::READ;
    }
    let skipped = 1 + usize::from(keyword(behind.get(1)) == Some(Keyword::VERBOSE));
    let inner = &behind[skipped..];
    let text: Vec<String> = inner.iter().map(ToString::to_string).collect();
    StatementKind {
        gives_rows: true,
        is_read: of(inner, &text.join(" ")).is_read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_a_read_is_one() {
        for sql in [
            "select 1",
            " -- a\n /* b */ (SELECT 1)",
            "WITH x AS (SELECT 1 AS a) SELECT * FROM x;",
            "VALUES 1, 2",
            "show tables",
            "SHOW CREATE TABLE t",
            "DESCRIBE t",
            "EXPLAIN DELETE FROM t",
            "EXPLAIN (TYPE DISTRIBUTED) SELECT 1",
            "EXPLAIN ANALYZE SELECT 'DROP TABLE t; x'",
            "explain analyze verbose select 1",
        ] {
            assert_eq!(kind(sql).unwrap(), StatementKind::READ, "{sql}");
        }
        for sql in [
            "delete from t",
            "-- select\nupdate t set a = 1",
            "create table t as select 1",
            "PREPARE p FROM DELETE FROM t",
            "EXECUTE p",
            "UNLOAD (SELECT 1) TO 's3://x/' WITH (format = 'PARQUET')",
            "MSCK REPAIR TABLE t",
            "CALL system.x()",
        ] {
            assert_eq!(kind(sql).unwrap(), StatementKind::CHANGE, "{sql}");
        }
        for sql in [
            "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
            "EXPLAIN ANALYZE INSERT INTO t SELECT 1",
            "/* x */ explain /* y */ analyze verbose DELETE FROM t",
            "EXPLAIN ANALYZE EXPLAIN ANALYZE DELETE FROM t",
            "WITH x AS (SELECT 1) DELETE FROM t",
            "SELECT is nothing that this parser knows FROM",
        ] {
            let kind = kind(sql).unwrap();
            assert!(kind.gives_rows && !kind.is_read, "{sql}");
        }
    }

    #[test]
    fn several_statements_and_none_are_refused() {
        for sql in [
            "SELECT 1; DROP TABLE t",
            "SELECT 1;;SELECT 2",
            "",
            " -- x",
            ";",
        ] {
            assert!(kind(sql).is_err(), "{sql}");
        }
        assert!(kind("SELECT 1;;").is_ok());
        assert!(kind("SELECT ';' AS \";\"").is_ok());
    }
}
