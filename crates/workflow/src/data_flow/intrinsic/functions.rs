//! What each function does. Errors are the reason only; the caller adds the call.

use super::super::Environment;
use super::{Function, digest, format};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Base64 and Hash take texts up to this many characters.
const MAX_TEXT: usize = 10_000;
/// `States.ArrayRange` gives at most this many items.
const MAX_RANGE: usize = 1_000;

pub(super) fn run(
    function: Function,
    values: &[Value],
    literal_template: bool,
    environment: &dyn Environment,
) -> Result<Value, String> {
    match (function, values) {
        (Function::Array, all) => Ok(Value::Array(all.to_vec())),
        (Function::ArrayPartition, [array, size]) => partition(items(array)?, size),
        (Function::ArrayContains, [array, wanted]) => Ok(items(array)?.contains(wanted).into()),
        (Function::ArrayRange, [first, last, step]) => range(first, last, step),
        (Function::ArrayGetItem, [array, index]) => get_item(items(array)?, index),
        (Function::ArrayLength, [array]) => Ok(items(array)?.len().into()),
        (Function::ArrayUnique, [array]) => Ok(unique(items(array)?)),
        (Function::Base64Encode, [data]) => Ok(STANDARD.encode(short_text(data)?).into()),
        (Function::Base64Decode, [data]) => decode(short_text(data)?),
        (Function::Hash, [data, algorithm]) => hash(data, text(algorithm)?),
        (Function::JsonMerge, [left, right, deep]) => merge(left, right, deep),
        // As AWS has it: nothing but blanks is null.
        (Function::StringToJson, [data]) if text(data)?.trim().is_empty() => Ok(Value::Null),
        (Function::StringToJson, [data]) => serde_json::from_str(text(data)?)
            .map_err(|error| format!("the text is not JSON: {error}")),
        (Function::JsonToString, [data]) => Ok(data.to_string().into()),
        (Function::MathRandom, [from, to]) => random(from, to, environment.random()),
        (Function::MathRandom, [from, to, seed]) => random(from, to, seeded(integer(seed)?)),
        (Function::MathAdd, [left, right]) => integer(left)?
            .checked_add(integer(right)?)
            .map(Value::from)
            .ok_or_else(|| "the sum does not fit 64 bits".to_owned()),
        (Function::StringSplit, [data, separators]) => Ok(split(text(data)?, text(separators)?)),
        (Function::UUID, []) => Ok(uuid_from(environment).into()),
        (Function::Format, [template, rest @ ..]) => {
            format::format(text(template)?, literal_template, rest).map(Value::String)
        }
        // The parser has checked the number of arguments.
        _ => Err("the number of arguments is wrong".to_owned()),
    }
}

fn items(value: &Value) -> Result<&Vec<Value>, String> {
    value
        .as_array()
        .ok_or_else(|| format!("an array was expected, not {}", shown(value)))
}

fn text(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("a string was expected, not {}", shown(value)))
}

fn short_text(value: &Value) -> Result<&str, String> {
    let text = text(value)?;
    if text.chars().count() > MAX_TEXT {
        return Err(format!("the text is longer than {MAX_TEXT} characters"));
    }
    Ok(text)
}

/// An integer; fractions are rounded half up, as Java's `Math.round` does.
fn integer(value: &Value) -> Result<i64, String> {
    if let Some(exact) = value.as_i64() {
        return Ok(exact);
    }
    match value.as_f64() {
        Some(number) if number.abs() < 9.0e18 => Ok((number + 0.5).floor() as i64),
        Some(_) => Err("the number does not fit 64 bits".to_owned()),
        None => Err(format!("a number was expected, not {}", shown(value))),
    }
}

fn shown(value: &Value) -> String {
    let mut text = value.to_string();
    if let Some((end, _)) = text.char_indices().nth(80) {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn partition(items: &[Value], size: &Value) -> Result<Value, String> {
    let size = usize::try_from(integer(size)?).unwrap_or(0);
    if size == 0 {
        return Err("the chunk size must be a non-zero, positive integer".to_owned());
    }
    Ok(items.chunks(size).map(<[Value]>::to_vec).collect())
}

fn range(first: &Value, last: &Value, step: &Value) -> Result<Value, String> {
    let (first, last, step) = (integer(first)?, integer(last)?, integer(step)?);
    if step == 0 {
        return Err("the step must not be zero".to_owned());
    }
    let mut numbers = Vec::new();
    let mut at = Some(first);
    while let Some(number) = at.filter(|n| if step > 0 { *n <= last } else { *n >= last }) {
        if numbers.len() == MAX_RANGE {
            return Err(format!("the array would have more than {MAX_RANGE} items"));
        }
        numbers.push(Value::from(number));
        at = number.checked_add(step);
    }
    Ok(Value::Array(numbers))
}

fn get_item(items: &[Value], index: &Value) -> Result<Value, String> {
    let index = integer(index)?;
    usize::try_from(index)
        .ok()
        .and_then(|index| items.get(index))
        .cloned()
        .ok_or_else(|| {
            format!(
                "the index {index} is out of range for an array of {} items",
                items.len()
            )
        })
}

fn unique(items: &[Value]) -> Value {
    let mut seen = std::collections::HashSet::new();
    items
        .iter()
        .filter(|item| seen.insert(item.to_string()))
        .cloned()
        .collect()
}

fn decode(data: &str) -> Result<Value, String> {
    let bytes = STANDARD
        .decode(data)
        .map_err(|error| format!("the text is not Base64: {error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned().into())
}

fn hash(data: &Value, algorithm: &str) -> Result<Value, String> {
    let data = match data {
        Value::String(_) => short_text(data)?.to_owned(),
        other => other.to_string(),
    };
    digest::hex(algorithm, data.as_bytes())
        .map(Value::String)
        .ok_or_else(|| {
            format!("{algorithm} is not one of MD5, SHA-1, SHA-256, SHA-384 and SHA-512")
        })
}

fn merge(left: &Value, right: &Value, deep: &Value) -> Result<Value, String> {
    let (Value::Object(left), Value::Object(right)) = (left, right) else {
        return Err("two JSON objects were expected".to_owned());
    };
    match deep {
        Value::Bool(false) => {}
        Value::Bool(true) => return Err("only a shallow merge (false) is supported".to_owned()),
        other => return Err(format!("a boolean was expected, not {}", shown(other))),
    }
    let mut merged: Map<String, Value> = left.clone();
    merged.extend(
        right
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    Ok(Value::Object(merged))
}

/// From `from` up to, but without, `to`.
fn random(from: &Value, to: &Value, sample: f64) -> Result<Value, String> {
    let (from, to) = (integer(from)?, integer(to)?);
    let span = to
        .checked_sub(from)
        .filter(|span| *span > 0)
        .ok_or_else(|| {
            format!("the end number {to} must be greater than the start number {from}")
        })?;
    let offset = ((sample * span as f64) as i64).clamp(0, span - 1);
    Ok(json!(from + offset))
}

/// A number in `[0, 1)` that depends on the seed alone (SplitMix64).
fn seeded(seed: i64) -> f64 {
    let mut state = (seed as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^= state >> 31;
    (state >> 11) as f64 / (1_u64 << 53) as f64
}

/// Each character of `separators` separates; empty parts are dropped.
fn split(data: &str, separators: &str) -> Value {
    if separators.is_empty() {
        return json!([data]);
    }
    data.split(|found| separators.contains(found))
        .filter(|part| !part.is_empty())
        .map(Value::from)
        .collect()
}

/// A version 4 UUID from the environment's random numbers.
pub(crate) fn uuid_from(environment: &dyn Environment) -> String {
    let mut bytes = [0_u8; 16];
    for byte in &mut bytes {
        *byte = (environment.random() * 256.0) as u8;
    }
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}
