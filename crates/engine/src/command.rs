//! One statement of Athena's two grammars (Trino's DML, Hive's DDL of Iceberg tables), parsed into what
//! the engine does.

use datafusion::sql::sqlparser::{
    ast::{Assignment, AssignmentTarget, DataType, Expr, Ident, Merge, ObjectName, Query},
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::{Location, Token, TokenWithSpan, Tokenizer},
};

use super::{
    dialect::TrinoDialect,
    statements::{self, Property},
    strictness::Strictness,
};

/// A column of a `CREATE TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    /// Its name, in lower case.
    pub name: String,
    /// Its type as it is written.
    pub data_type: DataType,
}

/// A statement, ready to be run.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// A query.
    Select(Box<Query>),
    /// The plan of a query.
    Explain(Box<Query>),
    /// An empty table.
    CreateTable {
        /// The table.
        table: String,
        /// Whether a table of that name is left as it is.
        if_not_exists: bool,
        /// The columns, in order.
        columns: Vec<ColumnDef>,
        /// The partition columns.
        partition_by: Vec<String>,
    },
    /// A table with the rows of a query.
    CreateTableAs {
        /// The table.
        table: String,
        /// Whether a table of that name is left as it is.
        if_not_exists: bool,
        /// The partition columns.
        partition_by: Vec<String>,
        /// The rows.
        query: Box<Query>,
        /// Whether the rows are taken, not only their types.
        with_data: bool,
    },
    /// Rows into a table.
    Insert {
        /// The table.
        table: String,
        /// The columns, in order.
        columns: Vec<String>,
        /// The rows.
        query: Box<Query>,
    },
    /// Rows out of a table.
    Delete {
        /// The table.
        table: String,
        /// Another name of the table.
        alias: Option<Ident>,
        /// Which rows.
        selection: Option<Expr>,
    },
    /// Rows changed in place.
    Update {
        /// The table.
        table: String,
        /// Another name of the table.
        alias: Option<Ident>,
        /// Columns and their new values.
        assignments: Vec<(String, Expr)>,
        /// Which rows.
        selection: Option<Expr>,
    },
    /// Rows matched with another relation.
    Merge(Box<Merge>),
    /// A named query.
    CreateView {
        /// The view.
        view: String,
        /// Whether a view of that name is replaced.
        or_replace: bool,
        /// The rows.
        query: Box<Query>,
    },
    /// A table less.
    DropTable {
        /// The table.
        table: String,
        /// Whether it may be missing.
        if_exists: bool,
    },
    /// A view less.
    DropView {
        /// The view.
        view: String,
        /// Whether it may be missing.
        if_exists: bool,
    },
    /// The names of tables.
    ShowTables {
        /// Which names.
        pattern: Option<String>,
    },
    /// The columns of a table.
    Describe {
        /// The table.
        table: String,
    },
    /// Compaction: every statement here rewrites what it touches, so there is nothing left to do.
    Optimize {
        /// The table.
        table: String,
    },
    /// Files that no version needs any more are removed.
    Vacuum {
        /// The table.
        table: String,
    },
}

impl Command {
    /// How Athena names the statement.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Select(_) => "SELECT",
            Self::Explain(_) => "EXPLAIN",
            Self::CreateTable { .. } => "CREATE TABLE",
            Self::CreateTableAs { .. } => "CREATE TABLE AS SELECT",
            Self::Insert { .. } => "INSERT INTO",
            Self::Delete { .. } => "DELETE",
            Self::Update { .. } => "UPDATE",
            Self::Merge(_) => "MERGE INTO",
            Self::CreateView { .. } => "CREATE VIEW",
            Self::DropTable { .. } => "DROP TABLE",
            Self::DropView { .. } => "DROP VIEW",
            Self::ShowTables { .. } => "SHOW TABLES",
            Self::Describe { .. } => "DESCRIBE",
            Self::Optimize { .. } => "OPTIMIZE",
            Self::Vacuum { .. } => "VACUUM",
        }
    }
}

/// The last part of `catalog.database.table`, in lower case: the embedded engine has one database.
#[must_use]
pub fn table_name(name: &ObjectName) -> String {
    let last = name.0.last().and_then(|part| part.as_ident());
    last.map_or_else(|| name.to_string(), |ident| ident.value.clone())
        .to_lowercase()
}

/// Parses exactly one statement; a trailing semicolon is allowed.
///
/// # Errors
/// When it is no statement, or more than one.
pub fn parse(sql: &str) -> Result<Command, ParserError> {
    parse_as(sql, Strictness::Strict)
}

/// The same, as strict as it is said. What was parsed and printed before, as a view is, is parsed again leniently: it was
/// looked at where it was written, and its functions have the engine's own names by now.
///
/// # Errors
/// As [`parse`].
pub fn parse_as(sql: &str, strictness: Strictness) -> Result<Command, ParserError> {
    let tokens = Tokenizer::new(&TrinoDialect, sql).tokenize_with_location()?;
    crate::foreign::check(&tokens, sql, strictness)?;
    statements::clauses_of_from(&tokens)?;
    let written = tokens.clone();
    let mut parser = Parser::new(&TrinoDialect).with_tokens_with_locations(known(tokens));
    let mut command = statement(&mut parser)?;
    let _ = parser.consume_token(&Token::SemiColon);
    if parser.peek_token_ref().token == Token::EOF {
        if !strictness.is_lenient() {
            crate::refusals::check(&command, &written)?;
        }
        if let Command::Select(query) = &mut command {
            crate::again::named(query);
        }
        return Ok(command);
    }
    expected(&parser, "the end of the statement (one statement a call)")
}

/// Spellings that the parser lacks in those that it knows.
fn known(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let tokens = crate::tokens::rows(crate::tokens::values_asked(crate::tokens::trims(tokens)));
    let tokens = crate::json_calls::plain(values_in_parentheses(tokens));
    let tokens = crate::tokens::grouped(crate::stars::named(tokens));
    crate::tokens::types(crate::tokens::escapes(tokens))
}

/// `VALUES 1, 2` is `VALUES (1), (2)`; the parser knows only the latter.
fn values_in_parentheses(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        let values = matches!(&token.token, Token::Word(word) if word.keyword == Keyword::VALUES);
        out.push(token);
        if !values {
            continue;
        }
        while let Some(space) = rest.next_if(|token| matches!(token.token, Token::Whitespace(_))) {
            out.push(space);
        }
        if rest
            .peek()
            .is_none_or(|token| matches!(token.token, Token::LParen))
        {
            continue;
        }
        let mut depth = 0_usize;
        let mark = |token: Token, like: &TokenWithSpan| TokenWithSpan {
            token,
            span: like.span,
        };
        if let Some(first) = rest.peek() {
            out.push(mark(Token::LParen, first));
        }
        while let Some(token) = rest.next_if(|token| depth > 0 || !ends_values(&token.token)) {
            match token.token {
                Token::LParen | Token::LBracket => depth += 1,
                Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
                Token::Comma if depth == 0 => {
                    out.extend([
                        mark(Token::RParen, &token),
                        token.clone(),
                        mark(Token::LParen, &token),
                    ]);
                    continue;
                }
                _ => {}
            }
            out.push(token);
        }
        if let Some(last) = out.last().cloned() {
            out.push(mark(Token::RParen, &last));
        }
    }
    out
}

/// Whether a token can only stand after the last row.
fn ends_values(token: &Token) -> bool {
    match token {
        Token::RParen | Token::SemiColon | Token::EOF => true,
        Token::Word(word) => {
            matches!(
                word.keyword,
                Keyword::ORDER
                    | Keyword::LIMIT
                    | Keyword::OFFSET
                    | Keyword::FETCH
                    | Keyword::UNION
                    | Keyword::EXCEPT
                    | Keyword::INTERSECT
            )
        }
        _ => false,
    }
}

pub(crate) fn expected<T>(parser: &Parser, what: &str) -> Result<T, ParserError> {
    let found = parser.peek_token();
    Err(ParserError::ParserError(format!(
        "Expected: {what}, found: {found}{}",
        found.span.start
    )))
}

fn statement(parser: &mut Parser) -> Result<Command, ParserError> {
    statements::known(parser)?;
    if parser.parse_keyword(Keyword::EXPLAIN) {
        return Ok(Command::Explain(parser.parse_query()?));
    }
    if parser.parse_keyword(Keyword::CREATE) {
        return create(parser);
    }
    if parser.parse_keyword(Keyword::DROP) {
        return drop(parser);
    }
    if parser.parse_keyword(Keyword::INSERT) {
        return insert(parser);
    }
    if parser.parse_keyword(Keyword::DELETE) {
        return delete(parser);
    }
    if parser.parse_keyword(Keyword::UPDATE) {
        return update(parser);
    }
    if parser.parse_keyword(Keyword::MERGE) {
        let token = parser.get_current_token().clone();
        let merge = parser.parse_merge(token)?;
        if merge.output.is_some() {
            let message = "SYNTAX_ERROR: MERGE gives no rows; leave OUTPUT or RETURNING out";
            return Err(ParserError::ParserError(message.to_owned()));
        }
        return Ok(Command::Merge(Box::new(merge)));
    }
    if parser.parse_keyword(Keyword::SHOW) {
        return show(parser);
    }
    if parser.parse_keyword(Keyword::DESCRIBE) || parser.parse_keyword(Keyword::DESC) {
        return Ok(Command::Describe {
            table: name(parser)?,
        });
    }
    if parser.parse_keyword(Keyword::OPTIMIZE) {
        let table = name(parser)?;
        for word in ["REWRITE", "DATA", "USING", "BIN_PACK"] {
            statements::word(parser, word)?;
        }
        // Which files are packed changes no answer.
        let _ = selection(parser)?;
        return Ok(Command::Optimize { table });
    }
    if parser.parse_keyword(Keyword::VACUUM) {
        return Ok(Command::Vacuum {
            table: name(parser)?,
        });
    }
    Ok(Command::Select(parser.parse_query()?))
}

/// `SHOW TABLES [IN database] ['pattern']`: there is one database, which any name means; only that of the tables that
/// describe tables is another.
fn show(parser: &mut Parser) -> Result<Command, ParserError> {
    parser.expect_keyword_is(Keyword::TABLES)?;
    if parser.parse_keyword(Keyword::IN) || parser.parse_keyword(Keyword::FROM) {
        let at = parser.peek_token_ref().span.start;
        if name(parser)? == "information_schema" {
            return Err(crate::foreign::refused(
                "NOT_SUPPORTED: SHOW TABLES IN information_schema is not supported on one machine; ask its tables \
                 themselves: tables and columns",
                at,
            ));
        }
    }
    let quoted = matches!(parser.peek_token_ref().token, Token::SingleQuotedString(_));
    let pattern = if parser.parse_keyword(Keyword::LIKE) || quoted {
        Some(parser.parse_literal_string()?)
    } else {
        None
    };
    Ok(Command::ShowTables { pattern })
}

fn name(parser: &mut Parser) -> Result<String, ParserError> {
    Ok(table_name(&parser.parse_object_name(false)?))
}

fn create(parser: &mut Parser) -> Result<Command, ParserError> {
    let or_replace = parser.parse_keywords(&[Keyword::OR, Keyword::REPLACE]);
    if parser.parse_keyword(Keyword::VIEW) {
        let view = name(parser)?;
        parser.expect_keyword_is(Keyword::AS)?;
        return Ok(Command::CreateView {
            view,
            or_replace,
            query: parser.parse_query()?,
        });
    }
    if or_replace {
        return expected(parser, "VIEW after CREATE OR REPLACE");
    }
    let at = parser.peek_token_ref().span.start;
    if parser.parse_keyword(Keyword::EXTERNAL) {
        return Err(statements::external(at));
    }
    parser.expect_keyword_is(Keyword::TABLE)?;
    let if_not_exists = parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
    let table = name(parser)?;
    if parser.consume_token(&Token::LParen) {
        return create_table(parser, table, if_not_exists);
    }
    let partition_by = if parser.parse_keyword(Keyword::WITH) {
        with_properties(parser)?
    } else {
        Vec::new()
    };
    parser.expect_keyword_is(Keyword::AS)?;
    let query = parser.parse_query()?;
    let with_data = !parser.parse_keywords(&[Keyword::WITH, Keyword::NO, Keyword::DATA]);
    if with_data {
        let _ = parser.parse_keywords(&[Keyword::WITH, Keyword::DATA]);
    }
    Ok(Command::CreateTableAs {
        table,
        if_not_exists,
        partition_by,
        query,
        with_data,
    })
}

/// `(name type [COMMENT '…'], …) [COMMENT '…'] [PARTITIONED BY (…)] [LOCATION '…'] [TBLPROPERTIES (…)]`
fn create_table(
    parser: &mut Parser,
    table: String,
    if_not_exists: bool,
) -> Result<Command, ParserError> {
    let columns = parser.parse_comma_separated(|parser| {
        let name = parser.parse_identifier()?.value.to_lowercase();
        let data_type = parser.parse_data_type()?;
        if parser.parse_keyword(Keyword::COMMENT) {
            parser.parse_literal_string()?;
        }
        Ok(ColumnDef { name, data_type })
    })?;
    parser.expect_token(&Token::RParen)?;
    let mut partition_by = Vec::new();
    loop {
        if parser.parse_keywords(&[Keyword::PARTITIONED, Keyword::BY]) {
            parser.expect_token(&Token::LParen)?;
            let at = parser.peek_token_ref().span.start;
            let items = parser.parse_comma_separated(Parser::parse_expr)?;
            parser.expect_token(&Token::RParen)?;
            partition_by = partitions(items.iter().map(ToString::to_string), at)?;
        } else if parser.parse_keyword(Keyword::LOCATION) || parser.parse_keyword(Keyword::COMMENT)
        {
            parser.parse_literal_string()?;
        } else if parser.parse_keyword(Keyword::TBLPROPERTIES) {
            parser.expect_token(&Token::LParen)?;
            let given = parser.parse_comma_separated(|parser| {
                let at = parser.peek_token_ref().span.start;
                let key = parser.parse_literal_string()?.to_lowercase();
                parser.expect_token(&Token::Eq)?;
                let value = parser.parse_expr()?;
                Ok(Property { key, value, at })
            })?;
            parser.expect_token(&Token::RParen)?;
            statements::properties(&given, false)?;
        } else {
            statements::no_clause_of_hive(parser)?;
            break;
        }
    }
    Ok(Command::CreateTable {
        table,
        if_not_exists,
        columns,
        partition_by,
    })
}

/// `WITH (table_type = 'ICEBERG', …, partitioning = ARRAY['day'])`: the partition columns; a property that would make
/// another table is refused.
fn with_properties(parser: &mut Parser) -> Result<Vec<String>, ParserError> {
    parser.expect_token(&Token::LParen)?;
    let given = parser.parse_comma_separated(|parser| {
        let at = parser.peek_token_ref().span.start;
        let key = parser.parse_identifier()?.value.to_lowercase();
        parser.expect_token(&Token::Eq)?;
        let value = parser.parse_expr()?;
        Ok(Property { key, value, at })
    })?;
    parser.expect_token(&Token::RParen)?;
    statements::properties(&given, true)?;
    let mut partition_by = Vec::new();
    for Property { key, value, at } in given {
        if !matches!(key.as_str(), "partitioning" | "partitioned_by") {
            continue;
        }
        let Expr::Array(array) = value else {
            return Err(crate::foreign::refused(
                &format!("SYNTAX_ERROR: {key} is a list of texts; write ARRAY['column']"),
                at,
            ));
        };
        partition_by.extend(partitions(array.elem.iter().map(statements::text_of), at)?);
    }
    Ok(partition_by)
}

/// The partition columns among the items of a partitioning.
fn partitions(
    items: impl Iterator<Item = String>,
    at: Location,
) -> Result<Vec<String>, ParserError> {
    let mut columns = Vec::new();
    for item in items {
        statements::transform(&item, at)?;
        columns.extend(identity_partition(&item));
    }
    Ok(columns)
}

/// A plain column partitions the Delta table too. Iceberg's hidden transforms (`month(dt)`, `bucket(16, id)`)
/// have no counterpart there; they change how files are laid out, never what a statement returns.
fn identity_partition(item: &str) -> Option<String> {
    (!item.contains('(')).then(|| item.trim_matches(['"', '`']).to_lowercase())
}

fn drop(parser: &mut Parser) -> Result<Command, ParserError> {
    let view = parser.parse_keyword(Keyword::VIEW);
    if !view {
        parser.expect_keyword_is(Keyword::TABLE)?;
    }
    let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
    let name = name(parser)?;
    Ok(if view {
        Command::DropView {
            view: name,
            if_exists,
        }
    } else {
        Command::DropTable {
            table: name,
            if_exists,
        }
    })
}

fn insert(parser: &mut Parser) -> Result<Command, ParserError> {
    parser.expect_keyword_is(Keyword::INTO)?;
    let table = name(parser)?;
    let columns = parser.maybe_parse(|parser| {
        parser.expect_token(&Token::LParen)?;
        let columns = parser.parse_comma_separated(Parser::parse_identifier)?;
        parser.expect_token(&Token::RParen)?;
        Ok(columns)
    })?;
    let columns = columns
        .unwrap_or_default()
        .into_iter()
        .map(|ident| ident.value.to_lowercase())
        .collect();
    Ok(Command::Insert {
        table,
        columns,
        query: parser.parse_query()?,
    })
}

fn alias(parser: &mut Parser) -> Result<Option<Ident>, ParserError> {
    if parser.parse_keyword(Keyword::AS) {
        return parser.parse_identifier().map(Some);
    }
    let next = &parser.peek_token_ref().token;
    match next {
        Token::Word(word) if !matches!(word.keyword, Keyword::WHERE | Keyword::SET) => {
            parser.parse_identifier().map(Some)
        }
        _ => Ok(None),
    }
}

fn selection(parser: &mut Parser) -> Result<Option<Expr>, ParserError> {
    if parser.parse_keyword(Keyword::WHERE) {
        parser.parse_expr().map(Some)
    } else {
        Ok(None)
    }
}

fn delete(parser: &mut Parser) -> Result<Command, ParserError> {
    parser.expect_keyword_is(Keyword::FROM)?;
    let table = name(parser)?;
    let alias = alias(parser)?;
    Ok(Command::Delete {
        table,
        alias,
        selection: selection(parser)?,
    })
}

fn update(parser: &mut Parser) -> Result<Command, ParserError> {
    let table = name(parser)?;
    let alias = alias(parser)?;
    parser.expect_keyword_is(Keyword::SET)?;
    let assignments = parser.parse_comma_separated(Parser::parse_assignment)?;
    let assignments = assignments
        .into_iter()
        .map(single_assignment)
        .collect::<Result<_, _>>()?;
    Ok(Command::Update {
        table,
        alias,
        assignments,
        selection: selection(parser)?,
    })
}

/// `column = expression`; Trino has no tuple assignment.
///
/// # Errors
/// When the left side is a list.
pub fn single_assignment(assignment: Assignment) -> Result<(String, Expr), ParserError> {
    match assignment.target {
        AssignmentTarget::ColumnName(name) => Ok((table_name(&name), assignment.value)),
        AssignmentTarget::Tuple(_) => Err(ParserError::ParserError(
            "Expected: one column on the left of SET's =, found: a list".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hive_ddl_of_an_iceberg_table() {
        let sql = "CREATE TABLE IF NOT EXISTS `db`.`Sales` (id string COMMENT 'key', spend decimal(18,4), dt date)
            PARTITIONED BY (dt, bucket(16, id)) LOCATION 's3://b/t/'
            TBLPROPERTIES ('table_type'='ICEBERG', 'format'='parquet');";
        let Command::CreateTable {
            table,
            if_not_exists,
            columns,
            partition_by,
        } = parse(sql).unwrap()
        else {
            panic!()
        };
        assert_eq!((table.as_str(), if_not_exists), ("sales", true));
        assert_eq!(
            columns
                .iter()
                .map(|column| column.name.as_str())
                .collect::<Vec<_>>(),
            ["id", "spend", "dt"]
        );
        assert_eq!(partition_by, ["dt"]);
    }

    #[test]
    fn ctas_properties_name_the_partition_columns() {
        let sql = "create table \"c\".\"db\".\"t\" with (table_type='ICEBERG', is_external=false, location='s3://b/t/',
            partitioning=ARRAY['datestamp', 'bucket(id, 16)']) as select 1 as datestamp";
        let Command::CreateTableAs {
            table,
            partition_by,
            ..
        } = parse(sql).unwrap()
        else {
            panic!()
        };
        assert_eq!(
            (table.as_str(), partition_by),
            ("t", vec!["datestamp".to_owned()])
        );
    }

    #[test]
    fn insert_takes_columns_values_or_a_query_in_parentheses() {
        let Command::Insert { columns, .. } = parse("INSERT INTO t (a, b) VALUES (1, 2)").unwrap()
        else {
            panic!()
        };
        assert_eq!(columns, ["a", "b"]);
        let Command::Insert { columns, .. } = parse("INSERT INTO t (SELECT 1, 2)").unwrap() else {
            panic!()
        };
        assert!(columns.is_empty());
    }

    #[test]
    fn two_statements_are_refused_with_the_place() {
        let error = parse("SELECT 1; SELECT 2").unwrap_err().to_string();
        assert!(error.contains("Line: 1, Column: 11"), "{error}");
    }
}
