//! Spellings that the parser lacks, put into those it knows before it reads them.

use datafusion::sql::sqlparser::{
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan, Whitespace, Word},
};

/// `AS ROW(a bigint, b ARRAY(varchar))` is `AS STRUCT<a bigint, b ARRAY<varchar>>` to the parser.
pub(crate) fn types(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out = tokens;
    let mut after_as = false;
    for at in 0..out.len() {
        let name = matches!(&out[at].token, Token::Word(word) if word.keyword == Keyword::INTERVAL && word.quote_style.is_none())
            && next(&out, at + 1).is_none_or(|next| {
                matches!(
                    &out[next].token,
                    Token::Comma | Token::RParen | Token::EOF | Token::Word(_)
                )
            });
        if name && let Token::Word(word) = &mut out[at].token {
            // A column of that name: an interval has a text behind it.
            *word = Word {
                value: word.value.to_lowercase(),
                quote_style: Some('"'),
                keyword: Keyword::NoKeyword,
            };
        }
        if let Token::HexStringLiteral(digits) = &mut out[at].token {
            digits.retain(|c| !c.is_whitespace());
        }
        match &out[at].token {
            Token::Whitespace(_) => continue,
            Token::Word(_) if after_as && is_nested(&out, at) => in_angles(&mut out, at),
            _ => {}
        }
        after_as = matches!(&out[at].token, Token::Word(word) if word.keyword == Keyword::AS && word.quote_style.is_none());
    }
    out
}

/// `VALUES ROW(1, 'a')` is `VALUES (1, 'a')`: a row of values, not one value that is a row.
pub(crate) fn rows(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut tokens = tokens;
    let mut dropped = vec![false; tokens.len()];
    let mut kept = Vec::new();
    let mut values: Option<i32> = None;
    let (mut depth, mut starts) = (0, false);
    for at in 0..tokens.len() {
        match &tokens[at].token {
            Token::Whitespace(_) => continue,
            Token::Word(word) if word.keyword == Keyword::VALUES && word.quote_style.is_none() => {
                (values, starts) = (Some(depth), true);
                continue;
            }
            Token::Word(word) if starts && word.value.eq_ignore_ascii_case("row") => {
                if let Some(open) =
                    next(&tokens, at + 1).filter(|open| tokens[*open].token == Token::LParen)
                {
                    dropped[at] = !holds_a_cast(&tokens, open);
                    kept.extend((!dropped[at]).then_some(at));
                }
            }
            Token::LParen if starts => {
                // One value in parentheses that is a row is the row itself.
                let row = next(&tokens, at + 1).filter(|row| matches!(&tokens[*row].token, Token::Word(word) if word.value.eq_ignore_ascii_case("row")));
                if let Some(row) = row
                    && let Some(open) =
                        next(&tokens, row + 1).filter(|open| tokens[*open].token == Token::LParen)
                    && let Some(close) = closing(&tokens, open)
                    && next(&tokens, close + 1)
                        .is_some_and(|end| tokens[end].token == Token::RParen)
                {
                    dropped[row] = true;
                    dropped[open] = true;
                    dropped[close] = true;
                }
                depth += 1;
            }
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => {
                depth -= 1;
                if values.is_some_and(|of| depth < of) {
                    values = None;
                }
            }
            _ => {}
        }
        starts = values == Some(depth) && tokens[at].token == Token::Comma;
    }
    for at in kept {
        tokens[at].token = Token::make_word(crate::values::ROW, None);
    }
    let kept = tokens
        .into_iter()
        .zip(dropped)
        .filter(|(_, dropped)| !dropped);
    kept.map(|(token, _)| token).collect()
}

/// `GROUP BY DISTINCT …` begins with a mark that [`crate::selected::sets`] takes off, `GROUP BY ALL x` is `GROUP BY x`.
pub(crate) fn grouped(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let keyword = |token: &TokenWithSpan| match &token.token {
        Token::Word(word) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    };
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut before = [Keyword::NoKeyword; 2];
    for (at, token) in tokens.iter().enumerate() {
        if matches!(token.token, Token::Whitespace(_)) {
            out.push(token.clone());
            continue;
        }
        let this = keyword(token);
        let grouped = before == [Keyword::GROUP, Keyword::BY];
        before = [before[1], this];
        match this {
            Keyword::DISTINCT if grouped => {
                let mark = [
                    Token::make_word(crate::selected::DISTINCT, Some('"')),
                    Token::Comma,
                ];
                out.extend(mark.map(|mark| TokenWithSpan {
                    token: mark,
                    span: token.span,
                }));
            }
            Keyword::ALL
                if grouped
                    && next(&tokens, at + 1).is_some_and(|next| match &tokens[next].token {
                        Token::Word(word) => !matches!(
                            word.keyword,
                            Keyword::HAVING
                                | Keyword::ORDER
                                | Keyword::LIMIT
                                | Keyword::OFFSET
                                | Keyword::FETCH
                                | Keyword::UNION
                                | Keyword::EXCEPT
                                | Keyword::INTERSECT
                                | Keyword::WINDOW
                        ),
                        Token::LParen | Token::Number(..) => true,
                        _ => false,
                    }) => {}
            _ => out.push(token.clone()),
        }
    }
    out
}

/// `x LIKE p ESCAPE e` where `e` is not written out is `x LIKE trino_like_pattern(p, e)`.
pub(crate) fn escapes(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // Where the pattern of a LIKE begins in `out`, and how deep it stands.
    let mut patterns: Vec<(usize, usize)> = Vec::new();
    let mut depth = 0_usize;
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        match &token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            _ => {}
        }
        patterns.retain(|(_, deep)| *deep <= depth);
        let keyword = match &token.token {
            Token::Word(word) if word.quote_style.is_none() => word.keyword,
            _ => Keyword::NoKeyword,
        };
        if keyword == Keyword::LIKE {
            out.push(token);
            patterns.push((out.len(), depth));
            continue;
        }
        let pattern = patterns.last().filter(|(_, deep)| *deep == depth).copied();
        let (Keyword::ESCAPE, Some((start, _))) = (keyword, pattern) else {
            out.push(token);
            continue;
        };
        patterns.pop();
        while rest
            .next_if(|next| matches!(next.token, Token::Whitespace(_)))
            .is_some()
        {}
        if !matches!(rest.peek().map(|next| &next.token), Some(Token::Word(_))) {
            let like = token.span;
            out.push(token);
            out.push(TokenWithSpan {
                token: Token::Whitespace(Whitespace::Space),
                span: like,
            });
            continue;
        }
        let mark = |mark: Token| TokenWithSpan {
            token: mark,
            span: token.span,
        };
        let call = [Token::make_word("trino_like_pattern", None), Token::LParen].map(mark);
        out.splice(start..start, call);
        out.push(mark(Token::Comma));
        while let Some(next) =
            rest.next_if(|next| matches!(next.token, Token::Word(_) | Token::Period))
        {
            let name = matches!(next.token, Token::Word(_));
            out.push(next);
            if name && rest.peek().is_none_or(|next| next.token != Token::Period) {
                break;
            }
        }
        out.push(mark(Token::RParen));
    }
    out
}

/// `IN (VALUES 1, 2)` is `IN (SELECT * FROM (VALUES 1, 2))`; so are `ANY`, `ALL` and `SOME`.
pub(crate) fn values_asked(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // Depths at which such a list closes.
    let (mut open, mut depth) = (Vec::new(), 0_usize);
    let mut before: Option<Keyword> = None;
    for at in 0..tokens.len() {
        let token = tokens[at].clone();
        let mark = |token: Token| TokenWithSpan {
            token,
            span: tokens[at].span,
        };
        match &token.token {
            Token::Whitespace(_) => {
                out.push(token);
                continue;
            }
            Token::LParen => {
                depth += 1;
                let asked = matches!(
                    before,
                    Some(Keyword::IN | Keyword::ANY | Keyword::ALL | Keyword::SOME)
                );
                let values = next(&tokens, at + 1).is_some_and(|next| matches!(&tokens[next].token, Token::Word(word) if word.keyword == Keyword::VALUES));
                out.push(token.clone());
                if asked && values {
                    open.push(depth);
                    let word = |text: &str| Token::make_keyword(text);
                    out.extend([word("SELECT"), Token::Mul, word("FROM"), Token::LParen].map(mark));
                }
            }
            Token::RParen => {
                if open.last() == Some(&depth) {
                    open.pop();
                    out.push(mark(Token::RParen));
                }
                depth = depth.saturating_sub(1);
                out.push(token.clone());
            }
            _ => out.push(token.clone()),
        }
        before = match &token.token {
            Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
            _ => None,
        };
    }
    out
}

/// Whether a row begins with a cast, which may be a row itself: what is cast alone is a row of columns, what stands in
/// ROW(…) is one of them, which [`crate::values`] tells apart.
fn holds_a_cast(tokens: &[TokenWithSpan], open: usize) -> bool {
    next(tokens, open + 1).is_some_and(|first| {
        matches!(&tokens[first].token, Token::Word(word) if word.keyword == Keyword::CAST || word.keyword == Keyword::TRY_CAST)
    })
}

/// `trim(LEADING FROM x)` is `trim(LEADING ' ' FROM x)` to the parser, with every kind of blank.
pub(crate) fn trims(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        let side = matches!(&token.token, Token::Word(word) if matches!(word.keyword, Keyword::BOTH | Keyword::LEADING | Keyword::TRAILING));
        out.push(token.clone());
        let from = side && next(&tokens, at + 1).is_some_and(|next| matches!(&tokens[next].token, Token::Word(word) if word.keyword == Keyword::FROM));
        if from {
            let mark = |token: Token| TokenWithSpan {
                token,
                span: tokens[at].span,
            };
            out.push(mark(Token::Whitespace(Whitespace::Space)));
            out.push(mark(Token::SingleQuotedString(BLANKS.to_owned())));
        }
    }
    out
}

/// What Java calls white space.
pub(crate) const BLANKS: &str = "\t\n\u{B}\u{C}\r\u{1C}\u{1D}\u{1E}\u{1F} \u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2008}\u{2009}\u{200A}\u{2028}\u{2029}\u{205F}\u{3000}";

/// Where the parenthesis that opens here closes.
fn closing(tokens: &[TokenWithSpan], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    (open..tokens.len()).find(|at| {
        match tokens[*at].token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

/// The next token that is no blank.
fn next(tokens: &[TokenWithSpan], from: usize) -> Option<usize> {
    (from..tokens.len()).find(|at| !matches!(tokens[*at].token, Token::Whitespace(_)))
}

/// Whether a type with types in parentheses starts here.
fn is_nested(tokens: &[TokenWithSpan], at: usize) -> bool {
    let Token::Word(word) = &tokens[at].token else {
        return false;
    };
    let named = ["row", "array", "map"].contains(&word.value.to_lowercase().as_str())
        && word.quote_style.is_none();
    named && next(tokens, at + 1).is_some_and(|open| tokens[open].token == Token::LParen)
}

fn in_angles(tokens: &mut [TokenWithSpan], start: usize) {
    // For each open parenthesis whether it becomes an angle.
    let mut open: Vec<bool> = Vec::new();
    let mut at = start;
    while let Some(token) = tokens.get(at) {
        match &token.token {
            Token::Word(_) if is_nested(tokens, at) => {
                let Some(parenthesis) = next(tokens, at + 1) else {
                    return;
                };
                let Token::Word(word) = &mut tokens[at].token else {
                    return;
                };
                let map = word.value.eq_ignore_ascii_case("map");
                if word.value.eq_ignore_ascii_case("row") {
                    word.value = "STRUCT".to_owned();
                    word.keyword = Keyword::STRUCT;
                }
                if !map {
                    tokens[parenthesis].token = Token::Lt;
                }
                open.push(!map);
                at = parenthesis;
            }
            Token::LParen => open.push(false),
            Token::RParen => {
                if open.pop() == Some(true) {
                    tokens[at].token = Token::Gt;
                }
                if open.is_empty() {
                    return;
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::*;
    use crate::dialect::TrinoDialect;

    #[test]
    fn nested_types_get_angles_and_calls_keep_parentheses() {
        let sql = "SELECT CAST(ROW(1, f(2)) AS ROW(a decimal(3,1), b MAP(varchar, ARRAY(ROW(bigint))))), row(3)";
        let tokens = Tokenizer::new(&TrinoDialect, sql)
            .tokenize_with_location()
            .unwrap();
        let told: String = types(tokens)
            .iter()
            .map(|token| token.token.to_string())
            .collect();
        assert_eq!(
            told,
            "SELECT CAST(ROW(1, f(2)) AS STRUCT<a decimal(3,1), b MAP(varchar, ARRAY<STRUCT<bigint>>)>), row(3)"
        );
    }
}
