//! One shape of a row, whether REST or a bulk file gave it.
//!
//! REST has the attributes of an activity as a list of names and values, bulk as one object; here they
//! are an object. REST has a number `id` besides `marketoGUID`, which is being replaced by it, and bulk
//! has none: it is left out. So a row that is read both ways is one row, and the second reading changes
//! nothing.

use std::borrow::Cow;

use bytes::Bytes;
use indexmap::IndexMap;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::LeadField;

/// An instant in any of the notations that occur: `Z`, `+0000`, `-08:00`.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    if let Ok(at) = Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", text) {
        return Some(at);
    }
    let plain = text.strip_suffix(" UTC").unwrap_or(text);
    let local: DateTime = plain.parse().ok()?;
    TimeZone::UTC.to_timestamp(local).ok()
}

type Members<'r> = IndexMap<Cow<'r, str>, &'r RawValue>;

#[derive(Deserialize)]
struct Attribute<'r> {
    #[serde(borrow)]
    name: Cow<'r, str>,
    #[serde(borrow)]
    value: Option<&'r RawValue>,
}

/// An activity as REST gave it.
///
/// # Errors
/// When it is no object, or its attributes are neither a list of names and values nor an object.
pub(super) fn activity(row: &RawValue) -> Result<Bytes, serde_json::Error> {
    let mut members: Members<'_> = serde_json::from_str(row.get())?;
    let guid = members.get("marketoGUID").map(|guid| guid.get());
    let own_key = guid.is_some_and(|guid| !matches!(guid, "null" | "\"\""));
    let id = members
        .shift_remove("id")
        .map(|id| id.get().trim_matches('"').to_owned());
    let mut out = Writer::default();
    if let Some(id) = id.filter(|_| !own_key) {
        members.shift_remove("marketoGUID");
        out.text("marketoGUID", &id);
    }
    for (name, value) in &members {
        match name.as_ref() {
            "attributes" if value.get().starts_with('[') => {
                let list: Vec<Attribute<'_>> = serde_json::from_str(value.get())?;
                let mut map = Writer::default();
                for attribute in &list {
                    if let Some(value) = attribute.value.filter(|value| value.get() != "null") {
                        map.raw(&attribute.name, value.get());
                    }
                }
                out.raw(name, &map.finish());
            }
            _ if value.get() == "null" => {}
            _ => out.raw(name, value.get()),
        }
    }
    Ok(out.finish().into())
}

/// An activity from the cells of a bulk file.
pub(super) fn activity_of_cells<'c>(
    cells: impl Iterator<Item = (&'c str, Option<&'c str>)>,
) -> Bytes {
    let mut out = Writer::default();
    for (name, value) in cells {
        let Some(value) = value else { continue };
        match name {
            "leadId" | "activityTypeId" | "campaignId" | "primaryAttributeValueId"
                if is_integer(value) =>
            {
                out.raw(name, value);
            }
            "attributes" => match object(value) {
                Some(text) => out.raw(name, &text),
                // Kept as it is; the contract says of it what it is.
                None => out.text(name, value),
            },
            _ => out.text(name, value),
        }
    }
    out.finish().into()
}

/// A lead from the cells of a bulk file, typed as the instance describes its fields.
pub(super) fn lead_of_cells<'c>(
    cells: impl Iterator<Item = (&'c str, Option<&'c str>)>,
    fields: &[LeadField],
) -> Bytes {
    let mut out = Writer::default();
    for (name, value) in cells {
        let Some(value) = value else {
            out.raw(name, "null");
            continue;
        };
        let field = fields.iter().find(|field| field.name == name);
        match field.map(|field| field.data_type.as_str()) {
            Some("integer" | "percent" | "score" | "currency" | "float") if is_number(value) => {
                out.raw(name, value);
            }
            Some("boolean") if matches!(value, "true" | "false") => out.raw(name, value),
            _ => out.text(name, value),
        }
    }
    out.finish().into()
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let padded = digits.len() > 1 && digits.starts_with('0');
    !digits.is_empty() && !padded && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_number(text: &str) -> bool {
    is_integer(text) || serde_json::from_str::<serde_json::Number>(text).is_ok()
}

/// The text of an object on one line; `None` when it is none. Control characters that JSON does not allow
/// inside a string, and bulk files nevertheless have, are escaped.
fn object(text: &str) -> Option<Cow<'_, str>> {
    let is_object = |text: &str| {
        text.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok()
    };
    if is_object(text) && !text.contains(['\n', '\r']) {
        return Some(Cow::Borrowed(text));
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if character < ' ' {
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    if is_object(&escaped) {
        return Some(Cow::Owned(escaped));
    }
    // Line ends between members, then: written anew, they are gone.
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    value.is_object().then(|| Cow::Owned(value.to_string()))
}

/// An object in the making.
#[derive(Default)]
struct Writer(String);

impl Writer {
    fn raw(&mut self, name: &str, value: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        push_text(&mut self.0, name);
        self.0.push(':');
        self.0.push_str(value);
    }

    fn text(&mut self, name: &str, value: &str) {
        self.raw(name, "");
        push_text(&mut self.0, value);
    }

    fn finish(mut self) -> String {
        self.0.push_str(if self.0.is_empty() { "{}" } else { "}" });
        self.0
    }
}

fn push_text(out: &mut String, text: &str) {
    // A string always has a JSON form.
    out.push_str(&serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(row: &[u8]) -> Value {
        serde_json::from_slice(row).unwrap()
    }

    fn rest(value: &Value) -> Value {
        let raw = RawValue::from_string(value.to_string()).unwrap();
        read(&activity(&raw).unwrap())
    }

    #[test]
    fn a_row_is_the_same_whichever_way_it_came() {
        let by_rest = rest(&json!({
            "id": 900_000_101, "marketoGUID": "900000101", "leadId": 1,
            "activityDate": "2026-01-16T23:32:19Z", "activityTypeId": 11, "campaignId": null,
            "primaryAttributeValueId": 5436, "primaryAttributeValue": "«Zürich».01c",
            "attributes": [{"name": "Link", "value": "https://x"}, {"name": "Is Mobile Device", "value": false},
                {"name": "Step ID", "apiName": "step_id", "value": 17}, {"name": "Device", "value": null}],
        }));
        let cells = [
            ("marketoGUID", Some("900000101")),
            ("leadId", Some("1")),
            ("activityDate", Some("2026-01-16T23:32:19Z")),
            ("activityTypeId", Some("11")),
            ("campaignId", None),
            ("primaryAttributeValueId", Some("5436")),
            ("primaryAttributeValue", Some("«Zürich».01c")),
            (
                "attributes",
                Some(r#"{"Link":"https://x","Is Mobile Device":false,"Step ID":17}"#),
            ),
        ];
        assert_eq!(read(&activity_of_cells(cells.into_iter())), by_rest);
        assert_eq!(by_rest.get("id"), None);
    }

    #[test]
    fn a_row_without_a_guid_takes_its_number_for_one() {
        assert_eq!(rest(&json!({"id": 7, "leadId": 1}))["marketoGUID"], "7");
        assert_eq!(
            rest(&json!({"id": 7, "marketoGUID": ""}))["marketoGUID"],
            "7"
        );
        let kept = rest(&json!({"id": 7, "marketoGUID": "8", "attributes": {"A": 1}}));
        assert_eq!(kept, json!({"marketoGUID": "8", "attributes": {"A": 1}}));
    }

    #[test]
    fn attributes_with_raw_control_characters_are_still_attributes() {
        let attributes = |text: &str| {
            read(&activity_of_cells([("attributes", Some(text))].into_iter()))["attributes"].clone()
        };
        assert_eq!(attributes("{\"a\":\"x\0y\rz\"}"), json!({"a": "x\0y\rz"}));
        assert_eq!(attributes("{\n \"a\": 1}"), json!({"a": 1}));
        assert_eq!(attributes("{\"a\":"), json!("{\"a\":"));
        assert_eq!(attributes("[1]"), json!("[1]"));
    }

    #[test]
    fn lead_cells_are_typed_by_the_description() {
        let field = |name: &str, data_type: &str| LeadField {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
        };
        let fields = [
            field("id", "integer"),
            field("share", "percent"),
            field("zip", "string"),
            field("out", "boolean"),
        ];
        let row =
            |cells: &[(&str, Option<&str>)]| read(&lead_of_cells(cells.iter().copied(), &fields));
        assert_eq!(
            row(&[
                ("id", Some("7")),
                ("share", Some("12.5")),
                ("zip", Some("0123")),
                ("out", Some("true")),
                ("new", None)
            ]),
            json!({"id": 7, "share": 12.5, "zip": "0123", "out": true, "new": null})
        );
        assert_eq!(
            row(&[("id", Some("007")), ("share", Some("n/a"))]),
            json!({"id": "007", "share": "n/a"})
        );
    }

    #[test]
    fn all_notations_of_time_are_read() {
        for text in [
            "2026-01-16T23:32:19Z",
            "2026-01-16T23:32:19+0000",
            "2026-01-16T15:32:19-08:00",
            "2026-01-16 23:32:19 UTC",
        ] {
            assert_eq!(
                instant(text).unwrap().to_string(),
                "2026-01-16T23:32:19Z",
                "{text}"
            );
        }
        assert_eq!(instant("yesterday"), None);
    }
}
