//! Spellings that other engines take and Athena refuses.

use datafusion::sql::sqlparser::{
    keywords::Keyword,
    parser::ParserError,
    tokenizer::{Token, TokenWithSpan},
};

/// # Errors
/// With what Athena would be asked instead.
pub(crate) fn check(tokens: &[TokenWithSpan]) -> Result<(), ParserError> {
    let mut limits: Vec<bool> = vec![false];
    for token in tokens {
        let advice = match &token.token {
            Token::LParen => {
                limits.push(false);
                continue;
            }
            Token::RParen => {
                limits.pop();
                continue;
            }
            Token::DoubleColon => "mismatched input '::': write CAST(x AS type)",
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                Keyword::ILIKE => "mismatched input 'ILIKE': write lower(x) LIKE '…'",
                Keyword::QUALIFY => {
                    "mismatched input 'QUALIFY': filter the window function's result in an outer SELECT"
                }
                Keyword::LIMIT => {
                    if let Some(limit) = limits.last_mut() {
                        *limit = true;
                    }
                    continue;
                }
                Keyword::OFFSET if limits.last() == Some(&true) => {
                    "mismatched input 'OFFSET': write OFFSET before LIMIT"
                }
                _ => continue,
            },
            _ => continue,
        };
        return Err(ParserError::ParserError(format!(
            "{advice}{}",
            token.span.start
        )));
    }
    Ok(())
}
