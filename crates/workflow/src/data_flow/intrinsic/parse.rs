//! Text to calls.

use super::{Argument, Call, Function, MAX_NESTING, Path};

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

pub(super) fn parse(text: &str) -> Result<Call, String> {
    let mut parser = Parser { text, at: 0 };
    let call = parser.call(1)?;
    parser.skip_spaces();
    match parser.peek() {
        None => Ok(call),
        Some(found) => Err(format!("`{found}` is not expected after the function")),
    }
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let found = self.peek()?;
        self.at += found.len_utf8();
        Some(found)
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
    }

    fn word(&mut self) -> &'t str {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|found| found.is_alphanumeric() || matches!(found, '.' | '_' | '-' | '+'))
        {
            self.next();
        }
        &self.text[start..self.at]
    }

    fn call(&mut self, depth: usize) -> Result<Call, String> {
        if depth > MAX_NESTING {
            return Err(format!("functions nest deeper than {MAX_NESTING}"));
        }
        self.skip_spaces();
        let start = self.at;
        let name = self.word();
        let Some(function) = Function::named(name) else {
            return Err(if name.is_empty() {
                "it starts with neither `$` nor a function name".to_owned()
            } else {
                format!("there is no intrinsic function {name}")
            });
        };
        self.skip_spaces();
        if self.next() != Some('(') {
            return Err(format!("`(` is missing after {name}"));
        }
        let arguments = self.arguments(depth)?;
        let counts = function.argument_counts();
        if !counts.contains(&arguments.len()) {
            return Err(format!(
                "{name} takes {} arguments, not {}",
                describe(&counts),
                arguments.len()
            ));
        }
        Ok(Call {
            text: self.text[start..self.at].to_owned(),
            function,
            arguments,
        })
    }

    fn arguments(&mut self, depth: usize) -> Result<Vec<Argument>, String> {
        let mut arguments = Vec::new();
        self.skip_spaces();
        if self.peek() == Some(')') {
            self.next();
            return Ok(arguments);
        }
        loop {
            arguments.push(self.argument(depth)?);
            self.skip_spaces();
            match self.next() {
                Some(',') => {}
                Some(')') => return Ok(arguments),
                Some(found) => return Err(format!("expected `,` or `)` but found `{found}`")),
                None => return Err("the call is not closed with `)`".to_owned()),
            }
        }
    }

    fn argument(&mut self, depth: usize) -> Result<Argument, String> {
        self.skip_spaces();
        match self.peek() {
            Some('\'') => self.quoted(),
            Some('$') => self.path(),
            Some('S') => self.call(depth + 1).map(Argument::Call),
            _ => {
                let word = self.word();
                serde_json::from_str(word)
                    .map(Argument::Literal)
                    .map_err(|_| format!("`{word}` is not an argument; quote texts with '…'"))
            }
        }
    }

    fn quoted(&mut self) -> Result<Argument, String> {
        self.next();
        let (mut plain, mut format) = (String::new(), String::new());
        loop {
            match self.next() {
                None => return Err("a quoted text is not closed".to_owned()),
                Some('\'') => return Ok(Argument::Text { plain, format }),
                Some('\\') => match self.next() {
                    Some(escaped @ ('{' | '}' | '\\')) => {
                        plain.push(escaped);
                        format.push('\\');
                        format.push(escaped);
                    }
                    Some('\'') => {
                        plain.push('\'');
                        format.push('\'');
                    }
                    Some(other) => {
                        return Err(format!(
                            "`\\{other}` is not an escape; only \\' \\{{ \\}} \\\\ are"
                        ));
                    }
                    None => return Err("a quoted text is not closed".to_owned()),
                },
                Some(found) => {
                    plain.push(found);
                    format.push(found);
                }
            }
        }
    }

    /// A path ends at a comma or parenthesis that is not inside its own brackets or quotes.
    fn path(&mut self) -> Result<Argument, String> {
        let start = self.at;
        let (mut depth, mut quote) = (0_usize, None);
        while let Some(found) = self.peek() {
            match (quote, found) {
                (Some(_), '\\') => {
                    // Whatever is escaped, a quote too, is part of the name.
                    self.next();
                }
                (Some(open), _) if open == found => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(found),
                (None, '[' | '(') => depth += 1,
                (None, ',' | ')') if depth == 0 => break,
                (None, ']' | ')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.next();
        }
        Path::parse(self.text[start..self.at].trim_end())
            .map(Argument::Path)
            .map_err(|error| error.to_string())
    }
}

fn describe(counts: &std::ops::RangeInclusive<usize>) -> String {
    match (*counts.start(), *counts.end()) {
        (least, usize::MAX) => format!("at least {least}"),
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least} to {most}"),
    }
}
