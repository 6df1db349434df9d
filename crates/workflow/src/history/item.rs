//! What the items of a Map state are called by people.
//!
//! A number says nothing at three in the night: an item of ours is a stream or a window of days, and its input says which.

use serde_json::Value;

/// Longer texts are no names.
const LONGEST: usize = 60;

/// The name in an item's input: the text itself, its `stream`, or the days of its `window`.
pub(super) fn name_of(input: &str) -> Option<String> {
    let input: Value = serde_json::from_str(input).ok()?;
    let name = match &input {
        Value::String(text) => text.clone(),
        Value::Object(fields) => match (fields.get("stream"), fields.get("window")) {
            (Some(Value::String(stream)), _) => stream.clone(),
            (None, Some(window)) => days(window)?,
            _ => return None,
        },
        _ => return None,
    };
    // A name of digits would read as the item's number, and one with a slash as two stages.
    let readable = !name.is_empty()
        && name.len() <= LONGEST
        && !name.contains(|c: char| c.is_control() || matches!(c, '/' | '[' | ']'))
        && name.contains(|c: char| c.is_alphabetic() || c == '-');
    readable.then_some(name)
}

fn days(window: &Value) -> Option<String> {
    let day = |name: &str| window.get(name).and_then(Value::as_str);
    let (from, to) = (day("from")?, day("to")?);
    Some(match from == to {
        true => from.to_owned(),
        false => format!("{from} to {to}"),
    })
}
