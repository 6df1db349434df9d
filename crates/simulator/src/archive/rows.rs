//! What can be read off a row without changing it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::calendar::read_stamp;

/// Times of a row; `None` where they cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Times {
    pub created: Option<i64>,
    pub updated: Option<i64>,
}

/// Reads the times of a line, or says why the line cannot stand in an envelope.
pub(super) fn read(line: &[u8]) -> Result<Times, String> {
    if line.first() != Some(&b'{') {
        return Err("not a JSON object".to_owned());
    }
    if let Err(error) = std::str::from_utf8(line) {
        return Err(format!(
            "not UTF-8 from byte {} on",
            error.valid_up_to() + 1
        ));
    }
    times(line).or_else(|_| {
        // Looks at the grammar only: keys with lone surrogates may pass, without times.
        let grammar = serde_json::from_slice::<IgnoredAny>(line);
        grammar
            .map(|_| Times::default())
            .map_err(|error| format!("not JSON: {error}"))
    })
}

/// Reads `created_at` and `updated_at` at the root of a row, the first readable one of each. The
/// whole row is looked at: lone surrogates in values, huge numbers and double keys may pass.
fn times(row: &[u8]) -> serde_json::Result<Times> {
    struct Root;

    impl<'row> Visitor<'row> for Root {
        type Value = Times;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'row>>(self, mut map: A) -> Result<Times, A::Error> {
            let mut times = Times::default();
            while let Some(key) = map.next_key::<Key<'row>>()? {
                let slot = match key.0.as_ref() {
                    "created_at" => &mut times.created,
                    "updated_at" => &mut times.updated,
                    _ => {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                };
                let value = map.next_value::<&RawValue>()?;
                let text = serde_json::from_str::<Cow<'_, str>>(value.get()).ok();
                *slot = slot.or_else(|| text.and_then(|text| read_stamp(&text)));
            }
            Ok(times)
        }
    }

    let mut reader = serde_json::Deserializer::from_slice(row);
    let times = reader.deserialize_map(Root)?;
    reader.end()?;
    Ok(times)
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Key<'row>(#[serde(borrow)] Cow<'row, str>);

/// A field as text, whether it is a string or a number.
pub(super) fn text(row: &Value, path: &[&str]) -> Option<String> {
    let mut value = row;
    for key in path {
        value = value.get(key)?;
    }
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The first of several fields that is there.
pub(super) fn first_text(row: &Value, paths: &[&[&str]]) -> Option<String> {
    paths
        .iter()
        .find_map(|path| text(row, path))
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_in_utf8_can_be_served() {
        let odd =
            br#"{"a":"\ud800","\udc00":1,"b":18446744073709551616,"created_at":"2026-01-06"}"#;
        assert_eq!(
            read(odd),
            Ok(Times::default()),
            "grammar passes, the key hides the time"
        );
        let huge = br#"{"a":"\ud800","b":1e999,"created_at":"2026-01-06"}"#;
        assert_eq!(read(huge).unwrap().created, Some(1_767_657_600));
        for line in [
            &b"[1]"[..],
            b"<html>",
            b"{\"a\":1",
            b"{\"a\":NaN}",
            b"\"text\"",
            b"{} {}",
        ] {
            assert!(read(line).is_err(), "{}", String::from_utf8_lossy(line));
        }
        assert_eq!(
            read(b"{\"a\":\"\xff\"}").unwrap_err(),
            "not UTF-8 from byte 7 on"
        );
    }

    #[test]
    fn times_are_those_of_the_root() {
        let row =
            br#"{"offer":{"created_at":"2001-01-01 00:00:00"},"created_at":"2026-01-06 03:08:29",
            "updated_at":"","x":[{"updated_at":"2001-01-01 00:00:00"}]}"#;
        let expected = Times {
            created: Some(1_767_668_909),
            updated: None,
        };
        assert_eq!(read(row), Ok(expected));
        assert_eq!(read(br#"{"created_at":null}"#), Ok(Times::default()));
        let twice = read(br#"{"created_at":5,"created_at":"2026-01-06"}"#).unwrap();
        assert_eq!(twice.created, Some(1_767_657_600));
        let escaped = read(br#"{"cre\u0061ted_at":"2026-01-06\u002003:08:29"}"#).unwrap();
        assert_eq!(escaped.created, Some(1_767_668_909));
    }
}
