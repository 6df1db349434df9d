//! `ResultPath`: where a result goes in the state input.

use super::EvaluationError;
use super::jsonpath::{Path, Segment};
use serde_json::{Map, Value};

/// Puts `result` into `input` at a reference path; missing objects on the way are made.
///
/// # Errors
/// When the path runs through something that is not an object (or not an array, for an index).
pub fn put(mut input: Value, path: &Path, result: Value) -> Result<Value, EvaluationError> {
    if path.is_whole() {
        return Ok(result);
    }
    if place(&mut input, path.segments(), result) {
        return Ok(input);
    }
    Err(EvaluationError::ReferenceMismatch {
        path: path.text().to_owned(),
        input: input.to_string(),
    })
}

/// False when the path does not fit. A misfit is noticed before anything is changed, because objects
/// are only made below a member that is missing, where nothing can misfit but an index.
fn place(input: &mut Value, segments: &[Segment], result: Value) -> bool {
    if !fits(input, segments) {
        return false;
    }
    let mut at = input;
    for segment in segments {
        at = match (segment, at) {
            (Segment::Member(name), Value::Object(members)) => members
                .entry(name.clone())
                .or_insert_with(|| Value::Object(Map::new())),
            (Segment::Index(index), Value::Array(items)) => {
                match usize::try_from(*index)
                    .ok()
                    .and_then(|index| items.get_mut(index))
                {
                    Some(item) => item,
                    None => return false,
                }
            }
            _ => return false,
        };
    }
    *at = result;
    true
}

fn fits(input: &Value, segments: &[Segment]) -> bool {
    let mut at = Some(input);
    for segment in segments {
        at = match (segment, at) {
            (Segment::Member(name), Some(Value::Object(members))) => members.get(name),
            (Segment::Member(_), None) => None,
            (Segment::Index(index), Some(Value::Array(items))) => {
                let item = usize::try_from(*index)
                    .ok()
                    .and_then(|index| items.get(index));
                if item.is_none() {
                    return false;
                }
                item
            }
            _ => return false,
        };
    }
    true
}
