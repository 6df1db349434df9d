//! What can be read off a row without changing it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::simulator::calendar::read_stamp;

/// Times of a row; `None` where they cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Times {
    pub created: Option<i64>,
    pub updated: Option<i64>,
}

/// Why a line cannot stand in an envelope; `None` if it can.
pub(super) fn refusal(line: &[u8]) -> Option<String> {
    if line.first() != Some(&b'{') {
        return Some("not a JSON object".to_owned());
    }
    if let Err(error) = std::str::from_utf8(line) {
        return Some(format!(
            "not UTF-8 from byte {} on",
            error.valid_up_to() + 1
        ));
    }
    // Looks at the grammar only: lone surrogates, huge numbers and double keys may pass.
    serde_json::from_slice::<IgnoredAny>(line)
        .err()
        .map(|error| format!("not JSON: {error}"))
}

/// Reads `created_at` and `updated_at` at the root of a row, the first of each.
pub(super) fn times(row: &[u8]) -> Times {
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
    reader.deserialize_map(Root).unwrap_or_default()
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
        assert_eq!(
            refusal(br#"{"a":"\ud800","a":1e999,"b":18446744073709551616}"#),
            None
        );
        for line in [
            &b"[1]"[..],
            b"<html>",
            b"{\"a\":1",
            b"{\"a\":NaN}",
            b"\"text\"",
            b"{} {}",
        ] {
            assert!(refusal(line).is_some(), "{}", String::from_utf8_lossy(line));
        }
        assert_eq!(
            refusal(b"{\"a\":\"\xff\"}").unwrap(),
            "not UTF-8 from byte 7 on"
        );
    }

    #[test]
    fn times_are_those_of_the_root() {
        let row =
            br#"{"offer":{"created_at":"2001-01-01 00:00:00"},"created_at":"2026-01-06 03:08:29",
            "updated_at":"","x":[{"updated_at":"2001-01-01 00:00:00"}]}"#;
        assert_eq!(
            times(row),
            Times {
                created: Some(1_767_668_909),
                updated: None
            }
        );
        assert_eq!(times(br#"{"created_at":null}"#), Times::default());
        assert_eq!(
            times(br#"{"created_at":5,"created_at":"2026-01-06"}"#).created,
            Some(1_767_657_600)
        );
        let escaped = br#"{"cre\u0061ted_at":"2026-01-06\u002003:08:29"}"#;
        assert_eq!(times(escaped).created, Some(1_767_668_909));
    }
}
