//! `States.Format`.

use serde_json::Value;
use std::fmt::Write as _;

/// Replaces each `{}` by the next value. `escapes` says that the template was quoted in the
/// definition, where `\{`, `\}` and `\\` stand for the plain character.
pub(super) fn format(template: &str, escapes: bool, values: &[Value]) -> Result<String, String> {
    let mut out = String::with_capacity(template.len());
    let mut values = values.iter();
    let mut characters = template.chars().peekable();
    while let Some(found) = characters.next() {
        match found {
            '\\' if escapes => out.extend(characters.next()),
            '{' if characters.peek() == Some(&'}') => {
                characters.next();
                let value = values.next().ok_or(
                    "there are more occurrences of {} in the template than arguments after it",
                )?;
                write_value(&mut out, value);
            }
            _ => out.push(found),
        }
    }
    if values.next().is_some() {
        return Err("there are more arguments than occurrences of {} in the template".to_owned());
    }
    Ok(out)
}

/// Objects and arrays print as Java's collections do, which is what the service shows: `{a=1, b=[x]}`.
fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => out.push_str(text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                let _ = write!(out, "{name}=");
                write_value(out, member);
            }
            out.push('}');
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}
