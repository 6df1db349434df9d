//! The SQL/JSON path language: `lax $.a[*]?(@.b > 1).c`.

use std::cmp::Ordering;

use super::value::Json;

/// A path, ready to be asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path {
    strict: bool,
    root: Expr,
}

#[derive(Debug, Clone, PartialEq)]
enum Expr {
    Root,
    Current,
    Variable(String),
    Literal(Json),
    Step(Box<Expr>, Step),
    Negated(Box<Expr>),
    Arithmetic(char, Box<Expr>, Box<Expr>),
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Member(String),
    Members,
    Elements(Vec<(Expr, Option<Expr>)>),
    AllElements,
    Filter(Box<Test>),
    Method(String),
    Last,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Not(Box<Test>),
    Exists(Expr),
    Compare(&'static str, Expr, Expr),
    StartsWith(Expr, Expr),
    IsUnknown(Box<Test>),
}

/// What is asked about.
pub(super) struct Scope<'a> {
    pub(super) root: &'a Json,
    pub(super) variables: &'a [(String, Option<Json>)],
}

/// A path that cannot be followed, in words.
pub(super) type Outcome<T> = Result<T, String>;

impl Path {
    /// The error says what is wrong with the path.
    pub(super) fn parse(text: &str) -> Outcome<Self> {
        let text = text.trim();
        let (strict, rest) = match text.split_once(char::is_whitespace) {
            Some(("lax", rest)) => (false, rest),
            Some(("strict", rest)) => (true, rest),
            _ => return Err(format!("'{text}' is no path: it starts with lax or strict")),
        };
        let mut parser = Parser { rest: rest.trim() };
        let root = parser.sum()?;
        parser.blanks();
        if parser.rest.is_empty() {
            Ok(Self { strict, root })
        } else {
            Err(format!("'{text}' is no path, at '{}'", parser.rest))
        }
    }

    /// Every item that is found, in order.
    pub(super) fn ask(&self, scope: &Scope) -> Outcome<Vec<Json>> {
        self.expr(&self.root, scope, scope.root, None)
    }

    fn expr(
        &self,
        expr: &Expr,
        scope: &Scope,
        current: &Json,
        last: Option<usize>,
    ) -> Outcome<Vec<Json>> {
        match expr {
            Expr::Root => Ok(vec![scope.root.clone()]),
            Expr::Current => Ok(vec![current.clone()]),
            Expr::Literal(value) => Ok(vec![value.clone()]),
            Expr::Variable(name) => match scope.variables.iter().find(|(known, _)| known == name) {
                Some((_, Some(value))) => Ok(vec![value.clone()]),
                Some((_, None)) => Err(format!("the value of ${name} is no JSON")),
                None => Err(format!("no value is passed for ${name}")),
            },
            Expr::Step(_, Step::Last) => match last {
                Some(last) => Ok(vec![Json::Number(last.to_string())]),
                None => Err("last outside of a subscript".to_owned()),
            },
            Expr::Step(inner, step) => {
                let items = self.expr(inner, scope, current, last)?;
                let mut out = Vec::new();
                for item in items {
                    self.step(item, step, scope, &mut out)?;
                }
                Ok(out)
            }
            Expr::Negated(inner) => {
                let items = self.unwrapped(self.expr(inner, scope, current, last)?);
                items
                    .iter()
                    .map(|item| number(item).map(|value| shown(-value)))
                    .collect()
            }
            Expr::Arithmetic(sign, left, right) => {
                let one = |expr: &Expr| -> Outcome<f64> {
                    match self
                        .unwrapped(self.expr(expr, scope, current, last)?)
                        .as_slice()
                    {
                        [item] => number(item),
                        _ => Err(format!("'{sign}' needs one number on each side")),
                    }
                };
                let (left, right) = (one(left)?, one(right)?);
                let value = match sign {
                    '+' => left + right,
                    '-' => left - right,
                    '*' => left * right,
                    _ if right == 0.0 => return Err("division by zero".to_owned()),
                    '/' => left / right,
                    _ => left % right,
                };
                Ok(vec![shown(value)])
            }
        }
    }

    /// Arrays taken apart once, unless the path is strict.
    fn unwrapped(&self, items: Vec<Json>) -> Vec<Json> {
        if self.strict {
            return items;
        }
        items
            .into_iter()
            .flat_map(|item| match item {
                Json::Array(items) => items,
                other => vec![other],
            })
            .collect()
    }

    fn step(&self, item: Json, step: &Step, scope: &Scope, out: &mut Vec<Json>) -> Outcome<()> {
        match step {
            Step::Member(name) => {
                for item in self.unwrapped(vec![item]) {
                    match (&item, item.get(name)) {
                        (_, Some(value)) => out.push(value.clone()),
                        (Json::Object(_), None) if self.strict => {
                            return Err(format!("there is no member '{name}'"));
                        }
                        (Json::Object(_), None) => {}
                        _ if self.strict => {
                            return Err(format!("member '{name}' of what is no object"));
                        }
                        _ => {}
                    }
                }
                Ok(())
            }
            Step::Members => {
                for item in self.unwrapped(vec![item]) {
                    match item {
                        Json::Object(fields) => {
                            out.extend(fields.into_iter().map(|(_, value)| value))
                        }
                        _ if self.strict => return Err("members of what is no object".to_owned()),
                        _ => {}
                    }
                }
                Ok(())
            }
            Step::AllElements => match item {
                Json::Array(items) => {
                    out.extend(items);
                    Ok(())
                }
                _ if self.strict => Err("elements of what is no array".to_owned()),
                other => {
                    out.push(other);
                    Ok(())
                }
            },
            Step::Elements(ranges) => self.elements(item, ranges, scope, out),
            Step::Filter(test) => {
                for item in self.unwrapped(vec![item]) {
                    if self.test(test, scope, &item)? == Some(true) {
                        out.push(item);
                    }
                }
                Ok(())
            }
            Step::Method(name) => self.method(item, name, out),
            Step::Last => Err("last outside of a subscript".to_owned()),
        }
    }

    fn elements(
        &self,
        item: Json,
        ranges: &[(Expr, Option<Expr>)],
        scope: &Scope,
        out: &mut Vec<Json>,
    ) -> Outcome<()> {
        let items = match item {
            Json::Array(items) => items,
            _ if self.strict => return Err("a subscript of what is no array".to_owned()),
            other => vec![other],
        };
        let last = items.len().wrapping_sub(1);
        let place = |expr: &Expr| -> Outcome<i64> {
            match self.expr(expr, scope, &Json::Null, Some(last))?.as_slice() {
                [item] => number(item).map(|value| value.trunc() as i64),
                _ => Err("a subscript is one number".to_owned()),
            }
        };
        for (from, to) in ranges {
            let from = place(from)?;
            let to = to.as_ref().map_or(Ok(from), place)?;
            let inside = |at: i64| usize::try_from(at).is_ok_and(|at| at < items.len());
            if self.strict && (from > to || !inside(from) || !inside(to)) {
                return Err(format!(
                    "subscript {from} to {to} of {} elements",
                    items.len()
                ));
            }
            let range = from.max(0)..=to.min(i64::try_from(items.len()).unwrap_or(0) - 1);
            out.extend(
                range
                    .filter_map(|at| usize::try_from(at).ok())
                    .filter_map(|at| items.get(at).cloned()),
            );
        }
        Ok(())
    }

    fn method(&self, item: Json, name: &str, out: &mut Vec<Json>) -> Outcome<()> {
        let kind = |item: &Json| match item {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::Text(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        };
        match name {
            "type" => out.push(Json::Text(kind(&item).to_owned())),
            "size" => match &item {
                Json::Array(items) => out.push(Json::Number(items.len().to_string())),
                _ if self.strict => return Err("size() of what is no array".to_owned()),
                _ => out.push(Json::Number("1".to_owned())),
            },
            "keyvalue" => {
                for item in self.unwrapped(vec![item]) {
                    let Json::Object(fields) = item else {
                        return Err("keyvalue() of what is no object".to_owned());
                    };
                    out.extend(fields.into_iter().map(|(name, value)| {
                        Json::Object(vec![
                            ("name".to_owned(), Json::Text(name)),
                            ("value".to_owned(), value),
                            ("id".to_owned(), Json::Number("0".to_owned())),
                        ])
                    }));
                }
            }
            "double" => {
                for item in self.unwrapped(vec![item]) {
                    let text = item.scalar().filter(|_| !matches!(item, Json::Bool(_)));
                    let value: f64 = text
                        .and_then(|text| text.parse().ok())
                        .ok_or("double() of what is no number")?;
                    out.push(Json::Number(crate::functions::printf::java_double(value)));
                }
            }
            _ => {
                for item in self.unwrapped(vec![item]) {
                    let value = number(&item)?;
                    out.push(match name {
                        "ceiling" => shown(value.ceil()),
                        "floor" => shown(value.floor()),
                        "abs" => shown(value.abs()),
                        other => return Err(format!("{other}() is not supported")),
                    });
                }
            }
        }
        Ok(())
    }

    fn test(&self, test: &Test, scope: &Scope, current: &Json) -> Outcome<Option<bool>> {
        Ok(match test {
            Test::And(left, right) => match (
                self.test(left, scope, current)?,
                self.test(right, scope, current)?,
            ) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Test::Or(left, right) => match (
                self.test(left, scope, current)?,
                self.test(right, scope, current)?,
            ) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Test::Not(inner) => self.test(inner, scope, current)?.map(|told| !told),
            Test::IsUnknown(inner) => Some(self.test(inner, scope, current)?.is_none()),
            Test::Exists(expr) => self
                .expr(expr, scope, current, None)
                .ok()
                .map(|items| !items.is_empty()),
            Test::StartsWith(whole, start) => match (
                self.expr(whole, scope, current, None),
                self.expr(start, scope, current, None),
            ) {
                (Ok(items), Ok(starts)) => match starts.as_slice() {
                    [Json::Text(start)] => {
                        any(self.unwrapped(items).iter().map(|item| match item {
                            Json::Text(text) => Some(text.starts_with(start.as_str())),
                            _ => None,
                        }))
                    }
                    _ => None,
                },
                _ => None,
            },
            Test::Compare(sign, left, right) => match (
                self.expr(left, scope, current, None),
                self.expr(right, scope, current, None),
            ) {
                (Ok(left), Ok(right)) => {
                    let (left, right) = (self.unwrapped(left), self.unwrapped(right));
                    any(left.iter().flat_map(|left| {
                        right.iter().map(move |right| compared(sign, left, right))
                    }))
                }
                _ => None,
            },
        })
    }
}

fn any(told: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let told: Vec<_> = told.collect();
    if told.contains(&None) {
        None
    } else {
        Some(told.contains(&Some(true)))
    }
}

fn compared(sign: &str, left: &Json, right: &Json) -> Option<bool> {
    let order = match (left, right) {
        (Json::Number(left), Json::Number(right)) => left
            .parse::<f64>()
            .ok()?
            .partial_cmp(&right.parse::<f64>().ok()?)?,
        (Json::Text(left), Json::Text(right)) => left.cmp(right),
        (Json::Bool(left), Json::Bool(right)) => left.cmp(right),
        (Json::Null, Json::Null) => Ordering::Equal,
        (Json::Null, _) | (_, Json::Null) => return Some(matches!(sign, "<>")),
        _ => return None,
    };
    Some(match sign {
        "==" => order == Ordering::Equal,
        "<>" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    })
}

fn number(item: &Json) -> Outcome<f64> {
    match item {
        Json::Number(digits) => digits.parse().map_err(|_| format!("{digits} is no number")),
        other => Err(format!("{} is no number", other.text())),
    }
}

fn shown(value: f64) -> Json {
    Json::Number(if value.fract() == 0.0 && value.abs() < 1e15 {
        format!("{value:.0}")
    } else {
        value.to_string()
    })
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, text: &str) -> bool {
        self.blanks();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self, word: &str) -> bool {
        self.blanks();
        let whole = self
            .rest
            .strip_prefix(word)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        whole && self.eat(word)
    }

    fn need(&mut self, text: &str) -> Outcome<()> {
        if self.eat(text) {
            Ok(())
        } else {
            Err(format!(
                "'{text}' is expected in the path, at '{}'",
                self.rest
            ))
        }
    }

    fn sum(&mut self) -> Outcome<Expr> {
        let mut left = self.product()?;
        loop {
            let sign = if self.eat("+") {
                '+'
            } else if self.eat("-") {
                '-'
            } else {
                return Ok(left);
            };
            left = Expr::Arithmetic(sign, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Outcome<Expr> {
        let mut left = self.unary()?;
        loop {
            let sign = if self.eat("*") {
                '*'
            } else if self.eat("/") {
                '/'
            } else if self.eat("%") {
                '%'
            } else {
                return Ok(left);
            };
            left = Expr::Arithmetic(sign, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Outcome<Expr> {
        if self.eat("-") {
            return Ok(Expr::Negated(Box::new(self.unary()?)));
        }
        if self.eat("+") {
            return self.unary();
        }
        let mut expr = self.primary()?;
        loop {
            self.blanks();
            let step = if self.rest.starts_with('.') {
                self.rest = &self.rest[1..];
                self.member()?
            } else if self.rest.starts_with('[') {
                self.rest = &self.rest[1..];
                self.subscript()?
            } else if self.rest.starts_with('?') {
                self.rest = &self.rest[1..];
                self.need("(")?;
                let test = self.any_of()?;
                self.need(")")?;
                Step::Filter(Box::new(test))
            } else {
                return Ok(expr);
            };
            expr = Expr::Step(Box::new(expr), step);
        }
    }

    fn name(&mut self) -> Option<String> {
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        Some(name.to_owned())
    }

    fn text(&mut self) -> Outcome<Option<String>> {
        self.blanks();
        if !self.rest.starts_with('"') {
            return Ok(None);
        }
        let mut escaped = false;
        let end = self.rest[1..].find(|c: char| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end else {
            return Err("a text in the path does not end".to_owned());
        };
        let (quoted, rest) = self.rest.split_at(end + 2);
        self.rest = rest;
        match Json::parse(quoted) {
            Some(Json::Text(text)) => Ok(Some(text)),
            _ => Err(format!("{quoted} is no text")),
        }
    }

    fn member(&mut self) -> Outcome<Step> {
        if self.eat("*") {
            return Ok(Step::Members);
        }
        if let Some(name) = self.text()? {
            return Ok(Step::Member(name));
        }
        let Some(name) = self.name() else {
            return Err(format!(
                "a member is expected in the path, at '{}'",
                self.rest
            ));
        };
        if self.eat("(") {
            self.need(")")?;
            return Ok(Step::Method(name));
        }
        Ok(Step::Member(name))
    }

    fn subscript(&mut self) -> Outcome<Step> {
        if self.eat("*") {
            self.need("]")?;
            return Ok(Step::AllElements);
        }
        let mut ranges = Vec::new();
        loop {
            let from = self.sum()?;
            let to = if self.word("to") {
                Some(self.sum()?)
            } else {
                None
            };
            ranges.push((from, to));
            if !self.eat(",") {
                break;
            }
        }
        self.need("]")?;
        Ok(Step::Elements(ranges))
    }

    fn primary(&mut self) -> Outcome<Expr> {
        self.blanks();
        if let Some(text) = self.text()? {
            return Ok(Expr::Literal(Json::Text(text)));
        }
        if self.eat("(") {
            let inner = self.sum()?;
            self.need(")")?;
            return Ok(inner);
        }
        if self.eat("@") {
            return Ok(Expr::Current);
        }
        if let Some(rest) = self.rest.strip_prefix('$') {
            self.rest = rest;
            if self.rest.starts_with('"') {
                return Ok(Expr::Variable(self.text()?.unwrap_or_default()));
            }
            return Ok(self.name().map_or(Expr::Root, Expr::Variable));
        }
        for (word, value) in [
            ("null", Json::Null),
            ("true", Json::Bool(true)),
            ("false", Json::Bool(false)),
        ] {
            if self.word(word) {
                return Ok(Expr::Literal(value));
            }
        }
        if self.word("last") {
            return Ok(Expr::Step(Box::new(Expr::Current), Step::Last));
        }
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        if digits.parse::<f64>().is_err() {
            return Err(format!("the path cannot be read at '{}'", self.rest));
        }
        self.rest = rest;
        Ok(Expr::Literal(Json::Number(digits.to_owned())))
    }

    fn any_of(&mut self) -> Outcome<Test> {
        let mut left = self.all_of()?;
        while self.eat("||") {
            left = Test::Or(Box::new(left), Box::new(self.all_of()?));
        }
        Ok(left)
    }

    fn all_of(&mut self) -> Outcome<Test> {
        let mut left = self.one()?;
        while self.eat("&&") {
            left = Test::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Outcome<Test> {
        if self.eat("!") {
            return Ok(Test::Not(Box::new(self.one()?)));
        }
        if self.word("exists") {
            self.need("(")?;
            let expr = self.sum()?;
            self.need(")")?;
            return Ok(Test::Exists(expr));
        }
        let before = self.rest;
        if self.eat("(") {
            // A test in parentheses, or else a value.
            if let Ok(inner) = self.any_of()
                && self.eat(")")
            {
                if self.word("is") {
                    self.need("unknown")?;
                    return Ok(Test::IsUnknown(Box::new(inner)));
                }
                return Ok(inner);
            }
            self.rest = before;
        }
        let left = self.sum()?;
        if self.word("starts") {
            self.need("with")?;
            return Ok(Test::StartsWith(left, self.sum()?));
        }
        for (sign, meant) in [
            ("==", "=="),
            ("<>", "<>"),
            ("!=", "<>"),
            ("<=", "<="),
            (">=", ">="),
            ("<", "<"),
            (">", ">"),
        ] {
            if self.eat(sign) {
                return Ok(Test::Compare(meant, left, self.sum()?));
            }
        }
        Err(format!(
            "a comparison is expected in the path, at '{}'",
            self.rest
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str, json: &str) -> Outcome<String> {
        let root = Json::parse(json).unwrap();
        let items = Path::parse(path)?.ask(&Scope {
            root: &root,
            variables: &[],
        })?;
        Ok(items.iter().map(Json::text).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn lax_paths_unwrap_and_strict_ones_refuse() {
        let json = r#"{"a":[{"b":1},{"b":2},{"c":3}],"d":"x"}"#;
        assert_eq!(asked("lax $.a.b", json).unwrap(), "1 2");
        assert!(asked("strict $.a.b", json).is_err());
        assert_eq!(asked("strict $.a[0 to 1].b", json).unwrap(), "1 2");
        assert_eq!(asked("lax $.a[last].c", json).unwrap(), "3");
        assert_eq!(
            asked("lax $.a[*]?(@.b > 1 || exists(@.c))", json).unwrap(),
            r#"{"b":2} {"c":3}"#
        );
        assert_eq!(asked("lax $.a.size() + 1", json).unwrap(), "4");
        assert_eq!(asked("lax $.nothing", json).unwrap(), "");
        assert!(Path::parse("certainly not a valid path").is_err());
    }
}
