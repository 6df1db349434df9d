//! How what an operator sees is written as JSON: one name for one thing over all verbs, numbers as numbers, and no JSON
//! inside a text. `docs/json.md` tells the shapes to people.

use std::sync::Arc;

use jiff::SignedDuration;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

use super::Redrive;
use lakehand_workflow::history::HistoryEvent;

/// A payload that is kept as JSON text, as the JSON it is.
pub(super) fn payload<S: Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
    unfolded(text).serialize(to)
}

/// The same where there may be none.
pub(super) fn payload_if_any<S: Serializer>(
    text: &Option<Arc<str>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    text.as_deref().map(unfolded).serialize(to)
}

/// A duration in milliseconds.
pub(super) fn millis<S: Serializer>(duration: &SignedDuration, to: S) -> Result<S::Ok, S::Error> {
    duration.as_millis().serialize(to)
}

/// The events of a history: AWS's types and details, our names for what every event has.
///
/// # Errors
/// Whatever the serializer says.
pub fn events<S: Serializer>(events: &[HistoryEvent], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(events.iter().map(Event))
}

struct Event<'a>(&'a HistoryEvent);

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let event = self.0;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("id", &event.id)?;
        map.serialize_entry("previous_id", &event.previous_event_id)?;
        map.serialize_entry("occurred_at", &event.timestamp)?;
        map.serialize_entry("type", event.event_type.name())?;
        let mut details =
            serde_json::to_value(&event.details).map_err(serde::ser::Error::custom)?;
        if let Value::Object(fields) = &mut details {
            fields.retain(|_, value| !value.is_null());
            for value in fields.values_mut() {
                if let Value::String(text) = value {
                    *value = unfolded(text);
                }
            }
        }
        map.serialize_entry("details", &details)?;
        map.end()
    }
}

/// The JSON in a text that is an object or a list; any other text as it is.
fn unfolded(text: &str) -> Value {
    let begins = text.trim_start().as_bytes().first();
    let parsed = match begins {
        Some(b'{' | b'[') => serde_json::from_str(text).ok(),
        _ => None,
    };
    if let Some(value) = parsed {
        return value;
    }
    Value::String(text.to_owned())
}

impl Serialize for Redrive {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        match self {
            Self::Possible {
                stages,
                safety,
                known,
            } => {
                map.serialize_entry("possible", &true)?;
                map.serialize_entry("stages", stages)?;
                map.serialize_entry("safety", safety)?;
                map.serialize_entry("known", known)?;
            }
            Self::NotPossible { reason } => {
                map.serialize_entry("possible", &false)?;
                map.serialize_entry("reason", reason)?;
            }
        }
        map.end()
    }
}
