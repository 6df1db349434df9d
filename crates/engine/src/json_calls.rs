//! `json_value(x, 'lax $.a' PASSING … RETURNING … ON EMPTY …)` and its kin, put into plain calls before the parser reads
//! them: the clauses become a text in front of the arguments.

use datafusion::sql::sqlparser::{
    keywords::Keyword,
    tokenizer::{Span, Token, TokenWithSpan, Word},
};

/// Tokens without blanks.
type Tokens = Vec<TokenWithSpan>;

/// The same tokens with plain calls. What is no such call, or one that is not written right, stays for the parser to refuse.
pub(crate) fn plain(tokens: Tokens) -> Tokens {
    let mut out = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if let Some((call, end)) = call_at(&tokens, at) {
            out.extend(call);
            at = end;
        } else {
            out.push(tokens[at].clone());
            at += 1;
        }
    }
    out
}

fn word_of(token: &TokenWithSpan) -> Option<String> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_lowercase()),
        _ => None,
    }
}

/// A call that starts here, and where it ends.
fn call_at(tokens: &Tokens, at: usize) -> Option<(Tokens, usize)> {
    let name = word_of(&tokens[at])?;
    if ![
        "json_array",
        "json_exists",
        "json_object",
        "json_query",
        "json_value",
    ]
    .contains(&name.as_str())
    {
        return None;
    }
    let is_blank = |at: &usize| matches!(tokens[*at].token, Token::Whitespace(_));
    let open = (at + 1..tokens.len())
        .find(|at| !is_blank(at))
        .filter(|open| tokens[*open].token == Token::LParen)?;
    let mut depth = 0_usize;
    let close = (open..tokens.len()).find(|at| {
        match tokens[*at].token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth -= 1,
            _ => {}
        }
        depth == 0
    })?;
    let inside: Tokens = plain(tokens[open + 1..close].to_vec())
        .into_iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)))
        .collect();
    let mut reader = Reader {
        tokens: inside,
        at: 0,
        span: tokens[at].span,
    };
    let call = match name.as_str() {
        "json_array" => reader.array(),
        "json_object" => reader.object(),
        _ => reader.asked(&name),
    }?;
    (reader.at == reader.tokens.len()).then_some((call, close + 1))
}

struct Reader {
    tokens: Tokens,
    at: usize,
    span: Span,
}

/// An expression of a constructor and whether it is text that is JSON.
struct Given {
    expr: Tokens,
    json: bool,
}

impl Reader {
    fn made(&self, token: Token) -> TokenWithSpan {
        TokenWithSpan {
            token,
            span: self.span,
        }
    }

    fn named(&self, name: &str) -> TokenWithSpan {
        let keyword = match name {
            "CAST" => Keyword::CAST,
            "TRY_CAST" => Keyword::TRY_CAST,
            "AS" => Keyword::AS,
            _ => Keyword::NoKeyword,
        };
        self.made(Token::Word(Word {
            value: name.to_owned(),
            quote_style: None,
            keyword,
        }))
    }

    fn words(&mut self, words: &[&str]) -> bool {
        let found = words.iter().enumerate().all(|(index, word)| {
            self.tokens
                .get(self.at + index)
                .and_then(word_of)
                .is_some_and(|known| known == *word)
        });
        if found {
            self.at += words.len();
        }
        found
    }

    /// Tokens up to what ends an expression here.
    fn expr(&mut self, ends: &[&str]) -> Option<Tokens> {
        let (start, mut depth) = (self.at, 0_i32);
        while let Some(token) = self.tokens.get(self.at) {
            match &token.token {
                Token::LParen | Token::LBracket => depth += 1,
                Token::RParen | Token::RBracket => depth -= 1,
                Token::Comma | Token::Colon if depth == 0 => break,
                _ if depth == 0
                    && self.at > start
                    && word_of(token).is_some_and(|word| ends.contains(&word.as_str())) =>
                {
                    break;
                }
                _ => {}
            }
            self.at += 1;
        }
        let expr = self.tokens[start..self.at].to_vec();
        (!expr.is_empty()).then_some(expr)
    }

    fn comma(&mut self) -> bool {
        let found = self
            .tokens
            .get(self.at)
            .is_some_and(|token| token.token == Token::Comma);
        self.at += usize::from(found);
        found
    }

    fn format(&mut self) -> bool {
        self.words(&["format", "json"])
    }

    /// `RETURNING type [FORMAT JSON]`
    fn returning(&mut self) -> Option<Option<Tokens>> {
        if !self.words(&["returning"]) {
            return Some(None);
        }
        let of = self.expr(&[
            "format", "error", "null", "default", "true", "false", "unknown", "with", "without",
            "keep", "omit", "empty", "absent",
        ])?;
        self.format();
        Some(Some(of))
    }

    fn call(&self, name: &str, clauses: String, arguments: Vec<Tokens>) -> Tokens {
        let mut out = vec![
            self.named(name),
            self.made(Token::LParen),
            self.made(Token::SingleQuotedString(clauses)),
        ];
        for argument in arguments {
            out.push(self.made(Token::Comma));
            out.extend(argument);
        }
        out.push(self.made(Token::RParen));
        out
    }

    fn cast(&self, call: Tokens, of: Option<Tokens>, safe: bool) -> Tokens {
        let Some(of) = of else { return call };
        let mut out = vec![
            self.named(if safe { "TRY_CAST" } else { "CAST" }),
            self.made(Token::LParen),
        ];
        out.extend(call);
        out.push(self.named("AS"));
        out.extend(of);
        out.push(self.made(Token::RParen));
        out
    }

    fn null(&self) -> Tokens {
        vec![self.made(Token::Word(Word {
            value: "NULL".to_owned(),
            quote_style: None,
            keyword: Keyword::NULL,
        }))]
    }

    /// `json_value`, `json_query`, `json_exists`.
    fn asked(&mut self, name: &str) -> Option<Tokens> {
        let input = self.expr(&["format"])?;
        self.format();
        if !self.comma() {
            return None;
        }
        let path = vec![self.tokens.get(self.at)?.clone()];
        self.at += 1;
        let mut passed = Vec::new();
        let mut formats = String::new();
        if self.words(&["passing"]) {
            loop {
                let value = self.expr(&["format", "as"])?;
                formats.push(if self.format() { '1' } else { '0' });
                if !self.words(&["as"]) {
                    return None;
                }
                let Token::Word(word) = self.tokens.get(self.at)?.token.clone() else {
                    return None;
                };
                self.at += 1;
                let name = if word.quote_style.is_some() {
                    word.value
                } else {
                    word.value.to_uppercase()
                };
                passed.push(vec![self.made(Token::SingleQuotedString(name))]);
                passed.push(value);
                if !self.comma() {
                    break;
                }
            }
        }
        let returning = self.returning()?;
        let mut clauses = vec![format!("json={formats}")];
        let mut defaults = [self.null(), self.null()];
        self.wrapper(&mut clauses);
        while self.at < self.tokens.len() {
            let (told, default) = self.told()?;
            let place = if self.words(&["on", "empty"]) {
                0
            } else if self.words(&["on", "error"]) {
                1
            } else {
                return None;
            };
            clauses.push(format!("{}={told}", ["empty", "error"][place]));
            if let Some(default) = default {
                defaults[place] = default;
            }
        }
        let strict = clauses.iter().any(|clause| clause == "error=error");
        let mut arguments = vec![input, path];
        arguments.extend(defaults);
        arguments.extend(passed);
        let call = self.call(&format!("trino_{name}"), clauses.join(","), arguments);
        Some(self.cast(call, returning, !strict))
    }

    fn wrapper(&mut self, clauses: &mut Vec<String>) {
        if self.words(&["without"]) {
            self.words(&["array"]);
            self.words(&["wrapper"]);
        } else if self.words(&["with"]) {
            let conditional = self.words(&["conditional"]);
            self.words(&["unconditional"]);
            self.words(&["array"]);
            self.words(&["wrapper"]);
            clauses.push(format!(
                "wrapper={}",
                if conditional { "conditional" } else { "always" }
            ));
        }
        let omit = self.words(&["omit", "quotes"]);
        if omit {
            clauses.push("quotes=omit".to_owned());
        }
        if omit || self.words(&["keep", "quotes"]) {
            self.words(&["on", "scalar", "string"]);
        }
    }

    /// `NULL`, `ERROR`, `DEFAULT x`, `EMPTY ARRAY`, … of an ON clause.
    fn told(&mut self) -> Option<(&'static str, Option<Tokens>)> {
        for word in ["error", "null", "true", "false", "unknown"] {
            if self.words(&[word]) {
                return Some((word, None));
            }
        }
        if self.words(&["empty", "object"]) {
            return Some(("object", None));
        }
        if self.words(&["empty"]) {
            self.words(&["array"]);
            return Some(("array", None));
        }
        if self.words(&["default"]) {
            return Some(("default", Some(self.expr(&["on"])?)));
        }
        None
    }

    fn nulls(&mut self, otherwise: &'static str) -> &'static str {
        if self.words(&["null", "on", "null"]) {
            "null"
        } else if self.words(&["absent", "on", "null"]) {
            "absent"
        } else {
            otherwise
        }
    }

    fn value(&mut self) -> Option<Given> {
        let start = self.at;
        let mut expr = self.expr(&["format", "returning", "absent", "with", "without"])?;
        // `NULL ON NULL` behind the last value looks like a value.
        let tail: Vec<_> = expr.iter().rev().take(3).filter_map(word_of).collect();
        if tail == ["null", "on", "null"] && expr.len() > 3 {
            expr.truncate(expr.len() - 3);
            self.at = start + expr.len();
        }
        let json = self.format()
            || expr.first().and_then(word_of).is_some_and(|word| {
                word.starts_with("trino_json_array")
                    || word.starts_with("trino_json_object")
                    || word.starts_with("trino_json_query")
            });
        Some(Given { expr, json })
    }

    fn array(&mut self) -> Option<Tokens> {
        let mut given = Vec::new();
        let starts = |reader: &Self| {
            reader
                .tokens
                .get(reader.at)
                .and_then(word_of)
                .is_some_and(|word| word == "returning" || word == "absent")
        };
        if !self.tokens.is_empty() && !starts(self) {
            loop {
                given.push(self.value()?);
                if !self.comma() {
                    break;
                }
            }
        }
        let nulls = self.nulls("absent");
        let returning = self.returning()?;
        let formats: String = given
            .iter()
            .map(|given| if given.json { '1' } else { '0' })
            .collect();
        let call = self.call(
            "trino_json_array",
            format!("{nulls},{formats}"),
            given.into_iter().map(|given| given.expr).collect(),
        );
        Some(self.cast(call, returning, false))
    }

    fn object(&mut self) -> Option<Tokens> {
        let (mut arguments, mut formats) = (Vec::new(), String::new());
        if !self.tokens.is_empty() {
            loop {
                self.words(&["key"]);
                arguments.push(self.expr(&["value"])?);
                let colon = self
                    .tokens
                    .get(self.at)
                    .is_some_and(|token| token.token == Token::Colon);
                self.at += usize::from(colon);
                if !colon && !self.words(&["value"]) {
                    return None;
                }
                let given = self.value()?;
                formats.push(if given.json { '1' } else { '0' });
                arguments.push(given.expr);
                if !self.comma() {
                    break;
                }
            }
        }
        let nulls = self.nulls("null");
        let unique = self.words(&["with", "unique"]);
        if unique || self.words(&["without", "unique"]) {
            self.words(&["keys"]);
        }
        let returning = self.returning()?;
        let call = self.call(
            "trino_json_object",
            format!(
                "{nulls},{},{formats}",
                if unique { "unique" } else { "any" }
            ),
            arguments,
        );
        Some(self.cast(call, returning, false))
    }
}
