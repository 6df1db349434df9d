//! Segments to values.

use super::{PathFunction, PathNotFound, Segment};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt::Write as _;

/// A value on the way: borrowed, unless a union of members made it.
type Found<'v> = Cow<'v, Value>;

pub(super) fn select<'v>(
    segments: &[Segment],
    root: &'v Value,
) -> Result<Cow<'v, Value>, PathNotFound> {
    if segments.iter().all(Segment::is_definite) {
        return select_one(segments, root);
    }
    let mut found: Vec<Found<'v>> = vec![Cow::Borrowed(root)];
    for segment in segments {
        let mut next = Vec::with_capacity(found.len());
        for value in found {
            step(segment, value, root, &mut next);
        }
        found = next;
    }
    Ok(Cow::Owned(Value::Array(
        found.into_iter().map(Cow::into_owned).collect(),
    )))
}

fn select_one<'v>(segments: &[Segment], root: &'v Value) -> Result<Found<'v>, PathNotFound> {
    let mut at: Found<'v> = Cow::Borrowed(root);
    for (position, segment) in segments.iter().enumerate() {
        let mut next = Vec::new();
        let was_container = at.is_object() || at.is_array();
        step(segment, at, root, &mut next);
        at = match next.pop() {
            Some(value) => value,
            None => return Err(not_found(segments, position, was_container)),
        };
    }
    Ok(at)
}

/// Jayway's words: a missing leaf has no result, a missing step before it is a missing property.
fn not_found(segments: &[Segment], position: usize, was_container: bool) -> PathNotFound {
    let leaf = position + 1 == segments.len();
    let upto = canonical(&segments[..=position]);
    PathNotFound(if leaf && was_container {
        format!("No results for path: {upto}")
    } else if was_container {
        format!("Missing property in path {upto}")
    } else {
        format!(
            "Expected to find an object with property {} in path {} but found a value that is not an object",
            canonical(&segments[position..=position]).trim_start_matches('$'),
            canonical(&segments[..position])
        )
    })
}

/// `$['a'][0]`, as Jayway prints paths.
fn canonical(segments: &[Segment]) -> String {
    let mut text = String::from("$");
    for segment in segments {
        match segment {
            Segment::Member(name) => {
                let _ = write!(text, "['{name}']");
            }
            Segment::Index(index) => {
                let _ = write!(text, "[{index}]");
            }
            Segment::Members(names) => {
                let _ = write!(text, "['{}']", names.join("','"));
            }
            _ => text.push_str("[*]"),
        }
    }
    text
}

fn step<'v>(segment: &Segment, value: Found<'v>, root: &Value, out: &mut Vec<Found<'v>>) {
    match value {
        Cow::Borrowed(value) => step_borrowed(segment, value, root, out),
        Cow::Owned(value) => {
            let mut inner = Vec::new();
            step_borrowed(segment, &value, root, &mut inner);
            out.extend(
                inner
                    .into_iter()
                    .map(|found| Cow::Owned(found.into_owned())),
            );
        }
    }
}

fn step_borrowed<'v>(segment: &Segment, value: &'v Value, root: &Value, out: &mut Vec<Found<'v>>) {
    match (segment, value) {
        (Segment::Member(name), Value::Object(members)) => {
            out.extend(members.get(name).map(Cow::Borrowed));
        }
        (Segment::Members(names), Value::Object(members)) => {
            let picked: Map<String, Value> = names
                .iter()
                .filter_map(|name| Some((name.clone(), members.get(name)?.clone())))
                .collect();
            out.push(Cow::Owned(Value::Object(picked)));
        }
        (Segment::Index(index), Value::Array(items)) => {
            out.extend(at(items, *index).map(Cow::Borrowed));
        }
        (Segment::Indexes(indexes), Value::Array(items)) => {
            out.extend(
                indexes
                    .iter()
                    .filter_map(|index| at(items, *index))
                    .map(Cow::Borrowed),
            );
        }
        (Segment::Slice(from, to), Value::Array(items)) => {
            out.extend(slice(items, *from, *to).iter().map(Cow::Borrowed));
        }
        (Segment::Function(function), _) => out.extend(apply(*function, value).map(Cow::Owned)),
        (Segment::Wildcard, _) => out.extend(children(value).map(Cow::Borrowed)),
        (Segment::Deep, _) => descend(value, out),
        (Segment::Filter(filter), Value::Array(items)) => out.extend(
            items
                .iter()
                .filter(|item| filter.accepts(item, root))
                .map(Cow::Borrowed),
        ),
        (Segment::Filter(filter), Value::Object(_)) if filter.accepts(value, root) => {
            out.push(Cow::Borrowed(value));
        }
        _ => {}
    }
}

/// Jayway's functions. The numeric ones give a float, and nothing without numbers.
fn apply(function: PathFunction, value: &Value) -> Option<Value> {
    if function == PathFunction::Length {
        return match value {
            Value::Array(items) => Some(items.len().into()),
            Value::Object(members) => Some(members.len().into()),
            _ => None,
        };
    }
    let numbers: Vec<f64> = value.as_array()?.iter().filter_map(Value::as_f64).collect();
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let result = match function {
        PathFunction::Min => numbers.iter().copied().reduce(f64::min)?,
        PathFunction::Max => numbers.iter().copied().reduce(f64::max)?,
        PathFunction::StandardDeviation => {
            let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
            (squares / count).sqrt()
        }
        _ => mean,
    };
    serde_json::Number::from_f64(result).map(Value::Number)
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => Box::new(std::iter::empty()),
    }
}

/// The value and everything below it, parents first. An explicit stack: data may nest deeply.
fn descend<'v>(value: &'v Value, out: &mut Vec<Found<'v>>) {
    let mut stack = vec![value];
    while let Some(value) = stack.pop() {
        if value.is_object() || value.is_array() {
            out.push(Cow::Borrowed(value));
            let below: Vec<&Value> = children(value).collect();
            stack.extend(below.into_iter().rev());
        }
    }
}

fn at(items: &[Value], index: i64) -> Option<&Value> {
    let position = if index < 0 {
        items
            .len()
            .checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
    } else {
        usize::try_from(index).ok()?
    };
    items.get(position)
}

fn slice(items: &[Value], from: Option<i64>, to: Option<i64>) -> &[Value] {
    let length = items.len();
    let place = |bound: i64| -> usize {
        let away = usize::try_from(bound.unsigned_abs()).unwrap_or(usize::MAX);
        if bound < 0 {
            length.saturating_sub(away)
        } else {
            away.min(length)
        }
    };
    let start = from.map_or(0, place);
    let end = to.map_or(length, place);
    if start < end { &items[start..end] } else { &[] }
}
