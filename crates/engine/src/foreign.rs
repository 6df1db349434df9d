//! Spellings that other engines take and Athena refuses, by their tokens.

use datafusion::sql::sqlparser::{
    keywords::Keyword,
    parser::ParserError,
    tokenizer::{Location, Token, TokenWithSpan},
};

use crate::strictness::Strictness;

/// A refusal at a place.
pub(crate) fn refused(message: &str, place: Location) -> ParserError {
    ParserError::ParserError(format!("{message}{place}"))
}

/// What stands in the statement and cannot, and what to write.
pub(crate) fn mismatched(input: &str, advice: &str, place: Location) -> ParserError {
    refused(&format!("mismatched input '{input}': {advice}"), place)
}

/// # Errors
/// With what Athena would be asked instead.
pub(crate) fn check(
    tokens: &[TokenWithSpan],
    sql: &str,
    strictness: Strictness,
) -> Result<(), ParserError> {
    numbers(tokens, sql)?;
    if strictness.is_lenient() {
        return Ok(());
    }
    let mut limits: Vec<bool> = vec![false];
    // Brackets of json_object, in which a colon stands between key and value.
    let mut objects: Vec<bool> = Vec::new();
    let hive = is_hives(tokens);
    let mut before: Option<&TokenWithSpan> = None;
    for token in tokens {
        match &token.token {
            Token::LParen => {
                limits.push(false);
                objects.push(before.is_some_and(|before| matches!(&before.token, Token::Word(word) if word.value.eq_ignore_ascii_case("json_object"))));
            }
            Token::RParen => {
                limits.pop();
                objects.pop();
            }
            Token::Colon if objects.last() == Some(&true) => {}
            Token::Word(word) if word.quote_style == Some('`') && !hive => {
                return Err(refused(
                    "backquoted identifiers are not supported; use double quotes to quote identifiers",
                    token.span.start,
                ));
            }
            Token::Word(word) if word.quote_style.is_none() => {
                if word.keyword == Keyword::LIMIT
                    && let Some(limit) = limits.last_mut()
                {
                    *limit = true;
                }
                let behind = limits.last() == Some(&true);
                if let Some(advice) = of_word(word.keyword, behind, before) {
                    return Err(mismatched(&word.value, advice, token.span.start));
                }
                if word.value.to_lowercase().starts_with("trino_") {
                    return Err(refused(
                        &format!(
                            "FUNCTION_NOT_FOUND: Function '{}' not registered",
                            word.value
                        ),
                        token.span.start,
                    ));
                }
            }
            other => {
                if let Some(advice) = of_sign(other) {
                    return Err(mismatched(&other.to_string(), advice, token.span.start));
                }
            }
        }
        if let Some(before) = before
            && before.span.end == token.span.start
            && matches!(token.token, Token::SingleQuotedString(_))
            && matches!(&before.token, Token::Word(word) if word.quote_style.is_none() && word.value.len() == 1)
        {
            return Err(mismatched(
                &before.token.to_string(),
                "text has no letter in front; chr(10) is a line's end",
                before.span.start,
            ));
        }
        if !matches!(token.token, Token::Whitespace(_)) {
            before = Some(token);
        }
    }
    Ok(())
}

/// Whether a statement is of Hive's grammar, in which names stand in back quotes.
fn is_hives(tokens: &[TokenWithSpan]) -> bool {
    let words = || {
        tokens.iter().filter_map(|token| match &token.token {
            Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
            _ => None,
        })
    };
    let dml = [
        Keyword::SELECT,
        Keyword::WITH,
        Keyword::VALUES,
        Keyword::INSERT,
        Keyword::DELETE,
        Keyword::UPDATE,
        Keyword::MERGE,
        Keyword::EXPLAIN,
        Keyword::TABLE,
    ];
    match words().next() {
        Some(Keyword::CREATE) => !words().any(|word| word == Keyword::SELECT),
        Some(first) => !dml.contains(&first),
        None => false,
    }
}

fn of_word(
    keyword: Keyword,
    behind_a_limit: bool,
    before: Option<&TokenWithSpan>,
) -> Option<&'static str> {
    let operand = || {
        before.is_some_and(|before| match &before.token {
            Token::Word(word) => word.keyword == Keyword::NoKeyword || word.quote_style.is_some(),
            Token::RParen | Token::RBracket | Token::Number(..) | Token::SingleQuotedString(_) => {
                true
            }
            _ => false,
        })
    };
    Some(match keyword {
        Keyword::ILIKE => "write lower(x) LIKE '…'",
        Keyword::QUALIFY => "filter the window function's result in an outer SELECT",
        Keyword::OFFSET if behind_a_limit => "write OFFSET before LIMIT",
        Keyword::EXCLUDE | Keyword::REPLACE | Keyword::RENAME
            if before.is_some_and(|before| before.token == Token::Mul) =>
        {
            "list the columns"
        }
        Keyword::DIV if operand() => "write a / b, which of whole numbers is whole",
        Keyword::RLIKE | Keyword::REGEXP if operand() => "write regexp_like(x, '…')",
        Keyword::NOTNULL if operand() => "write x IS NOT NULL",
        _ => return None,
    })
}

/// Signs that are none in Trino's grammar.
fn of_sign(token: &Token) -> Option<&'static str> {
    Some(match token {
        Token::DoubleColon => "write CAST(x AS type)",
        Token::DoubleEq => "write =",
        Token::Spaceship => "write IS NOT DISTINCT FROM",
        Token::DuckIntDiv => "write a / b, which of whole numbers is whole",
        Token::Overlap => "write AND",
        Token::ExclamationMark => "write NOT",
        Token::Ampersand => "write bitwise_and(a, b)",
        Token::Pipe => "write bitwise_or(a, b)",
        Token::Caret => "write power(a, b), or bitwise_xor(a, b)",
        Token::Tilde
        | Token::TildeAsterisk
        | Token::ExclamationMarkTilde
        | Token::ExclamationMarkTildeAsterisk => "write regexp_like(x, '…'), or bitwise_not(x)",
        Token::DoubleTilde
        | Token::DoubleTildeAsterisk
        | Token::ExclamationMarkDoubleTilde
        | Token::ExclamationMarkDoubleTildeAsterisk => "write LIKE",
        Token::ShiftLeft => "write bitwise_left_shift(a, b)",
        Token::ShiftRight => "write bitwise_right_shift(a, b)",
        Token::LongArrow | Token::HashArrow | Token::HashLongArrow => {
            "write json_extract_scalar(x, '$.name')"
        }
        Token::Colon => "write json_extract(x, '$.name')",
        Token::AtArrow | Token::ArrowAt => "write contains(array, x)",
        Token::Placeholder(name) if name != "?" => "a parameter is a ?",
        Token::LBrace | Token::RBrace => "write MAP(ARRAY[…], ARRAY[…]), or ROW(…)",
        Token::DollarQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::SingleQuotedByteStringLiteral(_)
        | Token::SingleQuotedRawStringLiteral(_)
        | Token::DoubleQuotedByteStringLiteral(_)
        | Token::TripleSingleQuotedString(_)
        | Token::TripleDoubleQuotedString(_) => "write text in single quotes: 'text'",
        Token::Assignment => "write = in SET, and => for a named argument",
        Token::Sharp | Token::Backslash | Token::AtSign | Token::AtAt | Token::CaretAt => {
            "there is no such sign"
        }
        _ => return None,
    })
}

/// Numbers that would be read as another number, or as a number and a name.
fn numbers(tokens: &[TokenWithSpan], sql: &str) -> Result<(), ParserError> {
    for pair in tokens.windows(2) {
        let [number, next] = pair else { continue };
        if let (Token::Number(digits, _), Token::Word(word)) = (&number.token, &next.token)
            && number.span.end == next.span.start
        {
            return Err(mismatched(
                &format!("{digits}{}", word.value),
                "write the number without letters and underscores",
                number.span.start,
            ));
        }
    }
    for token in tokens {
        if matches!(token.token, Token::HexStringLiteral(_)) && starts_with_zero(sql, token) {
            return Err(refused(
                "NOT_SUPPORTED: hexadecimal numbers are not supported: write from_base('1f', 16), or X'1F' for bytes",
                token.span.start,
            ));
        }
    }
    Ok(())
}

fn starts_with_zero(sql: &str, token: &TokenWithSpan) -> bool {
    let at = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let start = token.span.start;
    let line = sql.split('\n').nth(at(start.line));
    line.and_then(|line| line.chars().nth(at(start.column))) == Some('0')
}
