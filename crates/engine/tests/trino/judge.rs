//! Whether an answer is Trino's: the rules of the collection's own runner, so that both count the same.

use regex::Regex;
use serde_json::Value;

/// How an answer stands to Trino's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Right,
    /// Another answer, told as if it were right.
    Wrong(String),
    /// An error where Trino answers, or an error that only says "I cannot".
    Refused(String),
}

/// What came back: rows of cells as JSON shows them, or an error.
pub type Outcome = Result<Vec<Vec<Value>>, String>;

/// Codes that say "I cannot", not "your data are wrong".
const CANNOT: &[&str] = &[
    "FUNCTION_NOT_FOUND",
    "NOT_SUPPORTED",
    "SYNTAX_ERROR",
    "TYPE_MISMATCH",
    "COLUMN_NOT_FOUND",
    "TABLE_NOT_FOUND",
    "INTERNAL",
    "NOT_IMPLEMENTED",
    "CRASH",
    "TIMEOUT",
    "GENERIC_USER_ERROR",
    "MISSING_COLUMN_NAME",
    "AMBIGUOUS_NAME",
    "TYPE_NOT_FOUND",
    "UNKNOWN",
    "",
];
/// Errors of reading the statement: any of them stands for any other.
const STATIC: &[&str] = &[
    "FUNCTION_NOT_FOUND",
    "NOT_SUPPORTED",
    "SYNTAX_ERROR",
    "TYPE_MISMATCH",
    "COLUMN_NOT_FOUND",
    "INVALID_LITERAL",
    "AMBIGUOUS_FUNCTION_CALL",
    "EXPRESSION_NOT_SCALAR",
    "EXPRESSION_NOT_AGGREGATE",
    "AMBIGUOUS_NAME",
    "TYPE_NOT_FOUND",
    "INVALID_ARGUMENTS",
    "MISMATCHED_COLUMN_ALIASES",
    "DUPLICATE_COLUMN_NAME",
    "COLUMN_TYPE_UNKNOWN",
    "INVALID_PARAMETER_USAGE",
    "INVALID_COLUMN_REFERENCE",
    "MISSING_COLUMN_NAME",
    "INVALID_COLUMN_PROPERTY",
    "MISSING_ORDER_BY",
    "INVALID_WINDOW_FRAME",
];

/// The code that starts an error's message.
fn code_of(message: &str) -> &str {
    let end = message
        .find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
        .unwrap_or(message.len());
    let code = &message[..end];
    if code.contains('_') { code } else { "UNKNOWN" }
}

pub fn verdict(expect: &Value, outcome: &Outcome) -> Verdict {
    match outcome {
        Err(message) => of_error(expect, message),
        Ok(_) if expect.get("error").is_some() => {
            Verdict::Wrong(format!("an answer, not the error {}", expect["error"]))
        }
        Ok(rows) => of_rows(expect, rows),
    }
}

fn of_error(expect: &Value, message: &str) -> Verdict {
    let code = code_of(message);
    let Some(wanted) = expect.get("error").and_then(Value::as_str) else {
        return Verdict::Refused(message.to_owned());
    };
    let unable = if wanted == "ANY" {
        let parser = code == "SYNTAX_ERROR" && message.contains("Expected: ");
        ["FUNCTION_NOT_FOUND", "NOT_SUPPORTED", "CRASH", "TIMEOUT"].contains(&code)
            || parser && expect.get("when").and_then(Value::as_str) != Some("analysis")
    } else {
        let both_static =
            STATIC.contains(&wanted) && (STATIC.contains(&code) || CANNOT.contains(&code));
        wanted != code && !both_static && CANNOT.contains(&code)
    };
    if unable {
        Verdict::Refused(message.to_owned())
    } else {
        Verdict::Right
    }
}

fn of_rows(expect: &Value, rows: &[Vec<Value>]) -> Verdict {
    let wrong = |what: &str| {
        Verdict::Wrong(format!(
            "{what}: {}",
            Value::from(
                rows.iter()
                    .map(|r| Value::from(r.clone()))
                    .collect::<Vec<_>>()
            )
        ))
    };
    let Some(expected) = expect.get("rows").and_then(Value::as_array) else {
        return match rows {
            [row] if row.len() == 1 => match is_same(expect, &row[0]) {
                Ok(()) => Verdict::Right,
                Err(kind) => wrong(kind),
            },
            _ => wrong("not one value"),
        };
    };
    if expected.len() != rows.len() {
        return wrong("number of rows");
    }
    let ordered = expect.get("ordered").and_then(Value::as_bool) == Some(true);
    let mut left: Vec<&Vec<Value>> = rows.iter().collect();
    for row in expected {
        let cells: Vec<&Value> = row.as_array().into_iter().flatten().collect();
        let fits = |given: &&Vec<Value>| {
            given.len() == cells.len()
                && cells
                    .iter()
                    .zip(given.iter())
                    .all(|(e, g)| is_same(e, g).is_ok())
        };
        let reach = if ordered { 1 } else { left.len() };
        match left[..reach].iter().position(fits) {
            Some(at) => {
                left.remove(at);
            }
            None => return wrong("rows"),
        }
    }
    Verdict::Right
}

/// A cell as text.
fn text(given: &Value) -> String {
    match given {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn number(text: &str) -> Option<f64> {
    let lower = text.trim().to_lowercase();
    match lower.as_str() {
        "inf" | "+inf" | "infinity" => Some(f64::INFINITY),
        "-inf" | "-infinity" => Some(f64::NEG_INFINITY),
        other => other.parse().ok(),
    }
}

fn same_double(expected: &Value, given: &str, real: bool) -> bool {
    let (Some(e), Some(g)) = (number(&text(expected)), number(given)) else {
        return false;
    };
    if e.is_nan() || g.is_nan() {
        return e.is_nan() && g.is_nan();
    }
    if e.is_infinite() || g.is_infinite() {
        return e == g;
    }
    e == g || (e - g).abs() <= if real { 2e-6 } else { 1e-12 } * e.abs().max(g.abs())
}

type Told = Result<(), &'static str>;

fn told(right: bool, kind: &'static str) -> Told {
    if right { Ok(()) } else { Err(kind) }
}

/// Whether a cell is what is expected, or in what it differs.
fn is_same(expect: &Value, given: &Value) -> Told {
    let wrapped;
    let expect = match expect {
        Value::Object(fields) if fields.contains_key("map") || fields.contains_key("row") => {
            wrapped = serde_json::json!({ "json": expect });
            &wrapped
        }
        Value::Object(_) => expect,
        Value::Null => return told(given.is_null(), "a value, not NULL"),
        Value::Bool(_) => {
            wrapped = serde_json::json!({ "text": expect.to_string(), "type": "boolean" });
            &wrapped
        }
        Value::Number(n) if n.is_f64() => {
            wrapped = serde_json::json!({ "double": expect });
            &wrapped
        }
        Value::Number(_) => {
            wrapped = serde_json::json!({ "text": expect.to_string(), "type": "integer" });
            &wrapped
        }
        Value::String(_) => {
            wrapped = serde_json::json!({ "text": expect, "type": "varchar" });
            &wrapped
        }
        Value::Array(_) => {
            wrapped = serde_json::json!({ "json": expect });
            &wrapped
        }
    };
    if expect.get("null").is_some() {
        return told(given.is_null(), "a value, not NULL");
    }
    if given.is_null() {
        return Err("NULL");
    }
    let shown = text(given);
    if let Some(double) = expect.get("double") {
        let real = expect.get("real").and_then(Value::as_bool) == Some(true);
        return told(
            !given.is_boolean() && same_double(double, &shown, real),
            "number",
        );
    }
    if let Some(hex) = expect.get("hex").and_then(Value::as_str) {
        let plain: String = shown
            .to_lowercase()
            .chars()
            .filter(|c| !c.is_whitespace())
            .collect();
        return told(plain == hex, "bytes");
    }
    if let Some(nested) = expect.get("json") {
        return told(is_nested(nested, &shown), "nested value");
    }
    let wanted = expect
        .get("text")
        .and_then(Value::as_str)
        .unwrap_or_default();
    of_type(expect, wanted, &shown)
}

fn of_type(expect: &Value, wanted: &str, shown: &str) -> Told {
    match expect
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
    {
        "integer" => told(shown == wanted || whole(shown) == Some(wanted), "number"),
        "decimal" => told(shown == wanted, "decimal"),
        "timestamp" | "date" => match (Clock::of(wanted), Clock::of(shown)) {
            (Some(e), Some(g)) if e.at != g.at => Err("date or time"),
            (Some(_), Some(g)) => told(g.zone.is_none_or(|zone| is_utc(&zone)), "zone"),
            _ => told(shown == wanted, "type"),
        },
        "timestamptz" => zoned(expect, wanted, shown),
        "interval" => told(
            shown == wanted || span(wanted).is_some_and(|e| Some(e) == span(shown)),
            "interval",
        ),
        "json" => {
            let parsed = |text: &str| serde_json::from_str::<Value>(text).ok().map(|v| normal(&v));
            told(
                shown == wanted || parsed(shown).is_some_and(|g| Some(g) == parsed(wanted)),
                "JSON",
            )
        }
        _ => told(shown == wanted, "text"),
    }
}

/// `2.00` as `2`.
fn whole(text: &str) -> Option<&str> {
    let (whole, fraction) = text.split_once('.')?;
    fraction.bytes().all(|c| c == b'0').then_some(whole)
}

/// JSON with its keys in order and its numbers as doubles, for comparing.
fn normal(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(fields) => {
            let sorted: std::collections::BTreeMap<_, _> =
                fields.iter().map(|(k, v)| (k.clone(), normal(v))).collect();
            sorted.into_iter().collect()
        }
        Value::Number(n) if n.is_f64() => n
            .as_f64()
            .filter(|x| x.fract() == 0.0 && x.abs() < 1e15)
            .map_or_else(|| value.clone(), |x| Value::from(x as i64)),
        other => other.clone(),
    }
}

/// A date, or a date and a time, and its zone.
struct Clock {
    at: (String, String),
    zone: Option<String>,
}

impl Clock {
    fn of(text: &str) -> Option<Self> {
        let shape = Regex::new(r"^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d+))?)?\s*(Z|UTC|[+-]\d\d:?\d\d|[A-Za-z_]+/[\w/+-]+)?$").ok()?;
        let found = shape.captures(text.trim())?;
        let part = |n: usize| found.get(n).map(|m| m.as_str());
        let mut time = part(2).unwrap_or("00:00:00").to_owned();
        if time.len() == 5 {
            time.push_str(":00");
        }
        let fraction = part(3).unwrap_or_default().trim_end_matches('0').to_owned();
        Some(Self {
            at: (format!("{} {time}", part(1)?), fraction),
            zone: part(4).map(str::to_owned),
        })
    }
}

fn is_utc(zone: &str) -> bool {
    ["Z", "UTC", "+00:00"].contains(&zone)
}

fn zoned(expect: &Value, wanted: &str, shown: &str) -> Told {
    let (Some(e), Some(g)) = (Clock::of(wanted), Clock::of(shown)) else {
        return told(shown == wanted, "type");
    };
    if e.at != g.at {
        return Err("date or time");
    }
    let wanted_zone = e.zone.unwrap_or_default();
    match g.zone {
        None => told(is_utc(&wanted_zone), "zone lost"),
        Some(zone) if zone == wanted_zone || is_utc(&zone) && is_utc(&wanted_zone) => Ok(()),
        Some(zone) => {
            let date = |clock: &(String, String)| {
                let text = format!("{}.{:0<9}", clock.0.replace(' ', "T"), clock.1);
                text.parse::<jiff::civil::DateTime>().ok()
            };
            let utc = expect
                .get("utc")
                .and_then(Value::as_str)
                .and_then(Clock::of);
            let offset = zone.replace(':', "");
            let minutes = offset
                .get(1..)
                .and_then(|digits| digits.parse::<i64>().ok())
                .map(|n| (n / 100 * 60 + n % 100) * if zone.starts_with('-') { -1 } else { 1 });
            let same = (|| {
                let local = date(&g.at)?
                    .checked_sub(jiff::Span::new().minutes(minutes?))
                    .ok()?;
                Some(local == date(&utc?.at)?)
            })();
            told(same == Some(true), "zone")
        }
    }
}

/// Months and milliseconds of an interval's text.
fn span(text: &str) -> Option<(i64, i64)> {
    let of = |pattern: &str| {
        Regex::new(pattern).ok()?.captures(text.trim()).map(|c| {
            c.iter()
                .map(|m| m.map_or("", |m| m.as_str()).to_owned())
                .collect::<Vec<_>>()
        })
    };
    let n = |text: &str| text.parse::<f64>().unwrap_or(0.0);
    let millis = |x: f64| (x * 1000.0).round() as i64;
    if let Some(c) = of(r"^(-?)(\d+)-(\d+)$") {
        let months = (n(&c[2]) * 12.0 + n(&c[3])) as i64;
        return Some((if c[1] == "-" { -months } else { months }, 0));
    }
    if let Some(c) = of(r"^(-?)(?:(\d+) )?(\d+):(\d\d):(\d\d(?:\.\d+)?)$") {
        let all = millis(((n(&c[2]) * 24.0 + n(&c[3])) * 60.0 + n(&c[4])) * 60.0 + n(&c[5]));
        return Some((0, if c[1] == "-" { -all } else { all }));
    }
    if let Some(c) =
        of(r"^(-?)P(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?\d+(?:\.\d+)?)S)?)?$")
    {
        let all = millis(n(&c[2]) * 86400.0 + n(&c[3]) * 3600.0 + n(&c[4]) * 60.0 + n(&c[5]));
        return Some((0, if c[1] == "-" { -all } else { all }));
    }
    words(text)
}

/// `1 year 2 mons`, `3 days 4 hours`.
fn words(text: &str) -> Option<(i64, i64)> {
    let lower = text.to_lowercase();
    let part = Regex::new(r"(-?\d+(?:\.\d+)?)\s*([a-z]+)[\s,]*").ok()?;
    if lower.trim().is_empty() || !part.replace_all(&lower, "").trim().is_empty() {
        return None;
    }
    let (mut months, mut seconds) = (0, 0.0);
    for c in part.captures_iter(&lower) {
        let count: f64 = c[1].parse().ok()?;
        match c[2].trim_end_matches('s') {
            "year" | "yr" => months += 12 * count as i64,
            "month" | "mon" | "mo" => months += count as i64,
            "day" => seconds += count * 86400.0,
            "hour" | "hr" | "h" => seconds += count * 3600.0,
            "min" | "minute" | "m" => seconds += count * 60.0,
            "sec" | "second" | "" => seconds += count,
            "milli" => seconds += count / 1000.0,
            _ => return None,
        }
    }
    Some((months, (seconds * 1000.0).round() as i64))
}

/// Ways to print a nested value: a pattern, and the doubles that it captures.
type Ways = Vec<(String, Vec<(Value, bool)>)>;

fn is_nested(expect: &Value, shown: &str) -> bool {
    ways(expect).into_iter().any(|(pattern, doubles)| {
        let Ok(pattern) = Regex::new(&format!("(?s)^(?:{pattern})$")) else {
            return false;
        };
        pattern.captures(shown).is_some_and(|found| {
            doubles.iter().enumerate().all(|(n, (value, real))| {
                found
                    .get(n + 1)
                    .is_some_and(|m| same_double(value, m.as_str(), *real))
            })
        })
    })
}

fn ways(expect: &Value) -> Ways {
    let one = |pattern: String| vec![(pattern, Vec::new())];
    match expect {
        Value::Null => one("(?:null|NULL|)".to_owned()),
        Value::Bool(_) => one(expect.to_string()),
        Value::Number(n) if n.is_f64() => vec![(
            r"(-?[\d.]+(?:[eE][+-]?\d+)?)".to_owned(),
            vec![(expect.clone(), false)],
        )],
        Value::Number(_) => one(format!(r"{}(?:\.0)?", regex::escape(&expect.to_string()))),
        Value::String(text) => one(match Clock::of(text) {
            Some(clock) if text.contains(':') => {
                let zone = clock.zone.map_or(String::new(), |zone| {
                    format!(r"\s*(?:Z|UTC|\+00:00|{})", regex::escape(&zone))
                });
                let fraction = if clock.at.1.is_empty() {
                    r"(?:\.0+)?".to_owned()
                } else {
                    format!(r"(?:\.{}0*)", clock.at.1)
                };
                format!(
                    "{}{fraction}{zone}",
                    regex::escape(&clock.at.0).replace(' ', "[ T]")
                )
            }
            _ => format!("\"?{}\"?", regex::escape(text)),
        }),
        Value::Array(items) => sequence(items, r"\[", r"\]", ""),
        Value::Object(fields) => {
            if let Some(double) = fields.get("double") {
                let real = fields.get("real").and_then(Value::as_bool) == Some(true);
                return vec![(
                    r"(-?[\d.]+(?:[eE][+-]?\d+)?|[nN]a[nN]|[+-]?[iI]nf(?:inity)?|)".to_owned(),
                    vec![(double.clone(), real)],
                )];
            }
            if let Some(Value::Array(items)) = fields.get("row") {
                return sequence(items, r"[{(\[]", r"[})\]]", r"(?:\w+[:=] ?)?");
            }
            if let Some(Value::Array(pairs)) = fields.get("map") {
                return map_ways(pairs);
            }
            Vec::new()
        }
    }
}

fn sequence(items: &[Value], open: &str, close: &str, name: &str) -> Ways {
    let mut all: Ways = vec![(String::new(), Vec::new())];
    for (index, item) in items.iter().enumerate() {
        let between = if index > 0 { ", ?" } else { "" };
        all = joined(
            &all,
            between,
            &ways(item)
                .into_iter()
                .map(|(p, d)| (format!("{name}{p}"), d))
                .collect(),
            120,
        );
    }
    all.into_iter()
        .map(|(p, d)| (format!("{open}{p}{close}"), d))
        .collect()
}

fn joined(left: &Ways, between: &str, right: &Ways, most: usize) -> Ways {
    let pairs = left.iter().flat_map(|(p, d)| {
        right
            .iter()
            .map(move |(q, e)| (format!("{p}{between}{q}"), [d.clone(), e.clone()].concat()))
    });
    pairs.take(most).collect()
}

fn map_ways(pairs: &[Value]) -> Ways {
    let mut all = Ways::new();
    for order in orders(pairs) {
        let mut one: Ways = vec![(String::new(), Vec::new())];
        for (index, pair) in order.iter().enumerate() {
            let between = if index > 0 { ", ?" } else { "" };
            one = joined(&one, between, &ways(&pair[0]), 60);
            one = joined(&one, "(?:=|: ?|->| -> )", &ways(&pair[1]), 60);
        }
        all.extend(one.into_iter().map(|(p, d)| (format!(r"\{{{p}\}}"), d)));
    }
    all.truncate(400);
    all
}

/// All orders of few pairs, two of many.
fn orders(pairs: &[Value]) -> Vec<Vec<Value>> {
    if pairs.len() > 4 {
        let mut sorted = pairs.to_vec();
        sorted.sort_by_key(|pair| pair[0].to_string());
        return vec![pairs.to_vec(), sorted];
    }
    if pairs.is_empty() {
        return vec![Vec::new()];
    }
    (0..pairs.len())
        .flat_map(|at| {
            let mut rest = pairs.to_vec();
            let first = rest.remove(at);
            orders(&rest).into_iter().map(move |mut order| {
                order.insert(0, first.clone());
                order
            })
        })
        .collect()
}
