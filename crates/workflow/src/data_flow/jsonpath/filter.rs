//! Filter expressions: `[?(@.price < 10 && @.kind in ['a','b'])]`.

use super::parse::{Cursor, parse_segments};
use super::{Segment, select};
use regex::Regex;
use serde_json::Value;
use std::cmp::Ordering;

/// A condition on one element.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    /// `@.a`: the member exists.
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Literal(Value),
    /// `@…`, below the element.
    Element(Vec<Segment>),
    /// `$…`, below the root of the document.
    Document(Vec<Segment>),
    Pattern(Pattern),
}

/// A regular expression, `/…/` or `/…/i`.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    In,
    NotIn,
    Contains,
    Size,
    Empty,
}

/// Longer spellings first, so that `<=` is not read as `<`.
const COMPARISONS: [(&str, Comparison); 14] = [
    ("===", Comparison::Equal),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("=~", Comparison::Matches),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("in ", Comparison::In),
    ("in[", Comparison::In),
    ("nin ", Comparison::NotIn),
    ("contains ", Comparison::Contains),
    ("size ", Comparison::Size),
    ("empty ", Comparison::Empty),
];

pub(super) fn parse_filter(cursor: &mut Cursor<'_>) -> Result<Filter, String> {
    let mut any = vec![parse_all(cursor)?];
    loop {
        cursor.skip_spaces();
        if !cursor.eat("||") {
            break;
        }
        any.push(parse_all(cursor)?);
    }
    Ok(match any.len() {
        1 => any.remove(0),
        _ => Filter::Any(any),
    })
}

fn parse_all(cursor: &mut Cursor<'_>) -> Result<Filter, String> {
    let mut all = vec![parse_one(cursor)?];
    loop {
        cursor.skip_spaces();
        if !cursor.eat("&&") {
            break;
        }
        all.push(parse_one(cursor)?);
    }
    Ok(match all.len() {
        1 => all.remove(0),
        _ => Filter::All(all),
    })
}

fn parse_one(cursor: &mut Cursor<'_>) -> Result<Filter, String> {
    cursor.skip_spaces();
    if cursor.eat("!") {
        return Ok(Filter::Not(Box::new(parse_one(cursor)?)));
    }
    if cursor.eat("(") {
        let inner = parse_filter(cursor)?;
        cursor.expect(")")?;
        return Ok(inner);
    }
    let left = parse_operand(cursor)?;
    cursor.skip_spaces();
    for (spelling, comparison) in COMPARISONS {
        if cursor.rest().starts_with(spelling) {
            cursor.eat(spelling.trim_end_matches('['));
            cursor.skip_spaces();
            let right = parse_operand(cursor)?;
            return Ok(Filter::Compare(left, comparison, right));
        }
    }
    match left {
        Operand::Element(_) | Operand::Document(_) => Ok(Filter::Exists(left)),
        _ => Err("a filter needs `@` or a comparison".to_owned()),
    }
}

fn parse_operand(cursor: &mut Cursor<'_>) -> Result<Operand, String> {
    match cursor.peek() {
        Some('@') => {
            cursor.next();
            parse_segments(cursor).map(Operand::Element)
        }
        Some('$') => {
            cursor.next();
            parse_segments(cursor).map(Operand::Document)
        }
        Some('\'' | '"') => Ok(Operand::Literal(Value::String(cursor.quoted()?))),
        Some('/') => parse_pattern(cursor),
        Some('[') => parse_list(cursor),
        _ => parse_scalar(cursor),
    }
}

fn parse_pattern(cursor: &mut Cursor<'_>) -> Result<Operand, String> {
    cursor.next();
    let mut pattern = String::new();
    loop {
        match cursor.next() {
            None => return Err("a regular expression is not closed".to_owned()),
            Some('/') => break,
            Some('\\') if cursor.peek() == Some('/') => pattern.extend(cursor.next()),
            Some(found) => pattern.push(found),
        }
    }
    // Jayway matches the whole text (Matcher.matches).
    let flags = if cursor.eat("i") { "(?i)" } else { "" };
    Regex::new(&format!("{flags}^(?:{pattern})$"))
        .map(|regex| Operand::Pattern(Pattern(regex)))
        .map_err(|error| format!("`{pattern}` is not a regular expression: {error}"))
}

fn parse_list(cursor: &mut Cursor<'_>) -> Result<Operand, String> {
    cursor.next();
    let mut items = Vec::new();
    loop {
        cursor.skip_spaces();
        if cursor.eat("]") {
            return Ok(Operand::Literal(Value::Array(items)));
        }
        match parse_operand(cursor)? {
            Operand::Literal(value) => items.push(value),
            _ => return Err("a list in a filter holds literals only".to_owned()),
        }
        cursor.skip_spaces();
        cursor.eat(",");
    }
}

fn parse_scalar(cursor: &mut Cursor<'_>) -> Result<Operand, String> {
    let mut word = String::new();
    while let Some(found) = cursor.peek() {
        if !(found.is_ascii_alphanumeric() || matches!(found, '-' | '+' | '.')) {
            break;
        }
        word.push(found);
        cursor.next();
    }
    serde_json::from_str(&word)
        .map(Operand::Literal)
        .map_err(|_| format!("`{word}` is neither a number, true, false, null nor a quoted text"))
}

impl Operand {
    fn value(&self, element: &Value, document: &Value) -> Option<Value> {
        match self {
            Operand::Literal(value) => Some(value.clone()),
            Operand::Element(path) => select::select(path, element).ok().map(|v| v.into_owned()),
            Operand::Document(path) => select::select(path, document).ok().map(|v| v.into_owned()),
            Operand::Pattern(_) => None,
        }
    }
}

impl Filter {
    /// Whether the element passes. A comparison with something that is not there is false.
    pub(super) fn accepts(&self, element: &Value, document: &Value) -> bool {
        match self {
            Filter::All(all) => all.iter().all(|one| one.accepts(element, document)),
            Filter::Any(any) => any.iter().any(|one| one.accepts(element, document)),
            Filter::Not(inner) => !inner.accepts(element, document),
            Filter::Exists(operand) => operand.value(element, document).is_some(),
            Filter::Compare(left, comparison, right) => {
                compare(left, *comparison, right, element, document)
            }
        }
    }
}

fn compare(
    left: &Operand,
    comparison: Comparison,
    right: &Operand,
    element: &Value,
    document: &Value,
) -> bool {
    let left = left.value(element, document);
    if let (Comparison::Matches, Operand::Pattern(Pattern(regex))) = (comparison, right) {
        return left
            .as_ref()
            .and_then(Value::as_str)
            .is_some_and(|text| regex.is_match(text));
    }
    let right = right.value(element, document);
    let (Some(left), Some(right)) = (left, right) else {
        return comparison == Comparison::NotEqual;
    };
    let order = order(&left, &right);
    match comparison {
        Comparison::Equal => equal(&left, &right),
        Comparison::NotEqual => !equal(&left, &right),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Comparison::In => holds(&right, &left),
        Comparison::NotIn => !holds(&right, &left),
        Comparison::Contains => match (&left, &right) {
            (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
            _ => holds(&left, &right),
        },
        Comparison::Size => length(&left).is_some_and(|size| Some(size as u64) == right.as_u64()),
        Comparison::Empty => length(&left).is_some_and(|size| Some(size == 0) == right.as_bool()),
        Comparison::Matches => false,
    }
}

fn holds(list: &Value, wanted: &Value) -> bool {
    list.as_array()
        .is_some_and(|items| items.iter().any(|item| equal(item, wanted)))
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::Array(items) => Some(items.len()),
        Value::String(text) => Some(text.chars().count()),
        _ => None,
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}
