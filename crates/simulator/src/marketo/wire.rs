//! How Marketo spells things: JSON rows of REST, lines of bulk files.

use jiff::{Timestamp, tz};
use serde_json::{Map, Value, json};

use super::world::{Activity, ActivityType, DataType, Lead, LeadField, Notation};

/// An instant as REST and bulk files write it.
pub(super) fn stamp(second: i64, notation: Notation) -> String {
    let instant = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
    match notation {
        Notation::Zulu => instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Notation::NoColon => instant.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string(),
        Notation::Pacific => {
            let local = tz::offset(-8).to_datetime(instant);
            local.strftime("%Y-%m-%dT%H:%M:%S-08:00").to_string()
        }
    }
}

/// An instant, spelled plainly.
pub(super) fn plain_stamp(second: i64) -> String {
    stamp(second, Notation::Zulu)
}

/// A type as `types.json` has it.
pub(super) fn activity_type(kind: &ActivityType) -> Value {
    let attribute = |name: &str, data_type: DataType| json!({"name": name, "apiName": api_name(name), "dataType": data_type.name()});
    let mut row = Map::new();
    row.insert("id".to_owned(), json!(kind.id));
    row.insert("name".to_owned(), json!(kind.name));
    row.insert("apiName".to_owned(), json!(api_name(&kind.name)));
    row.insert(
        "description".to_owned(),
        json!(format!("{} of a lead", kind.name)),
    );
    if let Some(primary) = &kind.primary {
        row.insert(
            "primaryAttribute".to_owned(),
            attribute(primary, DataType::String),
        );
    }
    let list = kind
        .attributes
        .iter()
        .map(|(name, data_type)| attribute(name, *data_type));
    row.insert("attributes".to_owned(), list.collect());
    Value::Object(row)
}

fn api_name(name: &str) -> String {
    name.to_lowercase().replace(' ', "_")
}

/// An activity as `activities.json` has it.
pub(super) fn activity(activity: &Activity) -> Value {
    let mut row = Map::new();
    // The number is being replaced by the text; where the text is none, any number stands.
    let id = activity.guid.parse::<i64>().ok();
    row.insert("id".to_owned(), json!(id.unwrap_or(activity.at)));
    row.insert("marketoGUID".to_owned(), json!(activity.guid));
    row.insert("leadId".to_owned(), json!(activity.lead));
    row.insert(
        "activityDate".to_owned(),
        json!(stamp(activity.at, activity.notation)),
    );
    row.insert("activityTypeId".to_owned(), json!(activity.type_id));
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            row.insert(name.to_owned(), value);
        }
    };
    put("campaignId", activity.campaign.map(Value::from));
    put("actionResult", activity.result.as_deref().map(Value::from));
    put(
        "primaryAttributeValueId",
        activity.primary_id.map(Value::from),
    );
    put(
        "primaryAttributeValue",
        activity.primary.as_deref().map(Value::from),
    );
    let attributes = activity
        .attributes
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}));
    put("attributes", Some(attributes.collect()));
    Value::Object(row)
}

/// A lead with the fields that were asked for; a field without a value is null.
pub(super) fn lead(lead: &Lead, fields: &[&str]) -> Value {
    let mut row = Map::new();
    row.insert("id".to_owned(), json!(lead.id));
    for field in fields {
        row.insert((*field).to_owned(), lead_value(lead, field));
    }
    Value::Object(row)
}

fn lead_value(lead: &Lead, field: &str) -> Value {
    match field {
        "id" => json!(lead.id),
        "createdAt" => json!(plain_stamp(lead.created)),
        "updatedAt" => json!(plain_stamp(lead.updated)),
        _ => lead.values.get(field).cloned().unwrap_or(Value::Null),
    }
}

/// A field as `describe.json` has it.
pub(super) fn field(number: usize, field: &LeadField) -> Value {
    let mut row = json!({
        "id": number + 1, "displayName": field.title, "dataType": field.data_type.name(),
        "soap": {"name": field.title.replace(' ', ""), "readOnly": false},
    });
    if !field.name.is_empty()
        && let Some(row) = row.as_object_mut()
    {
        let read_only = matches!(field.name.as_str(), "id" | "createdAt" | "updatedAt");
        row.insert(
            "rest".to_owned(),
            json!({"name": field.name, "readOnly": read_only}),
        );
    }
    row
}

/// One cell of an activity in a bulk file; `None` is no value.
pub(super) fn activity_cell(activity: &Activity, column: &str) -> Option<String> {
    match column {
        "marketoGUID" => Some(activity.guid.clone()),
        "leadId" => Some(activity.lead.to_string()),
        "activityDate" => Some(plain_stamp(activity.at)),
        "activityTypeId" => Some(activity.type_id.to_string()),
        "campaignId" => activity.campaign.map(|id| id.to_string()),
        "primaryAttributeValueId" => activity.primary_id.map(|id| id.to_string()),
        "primaryAttributeValue" => activity.primary.clone(),
        "actionResult" => activity.result.clone(),
        "attributes" => {
            let map: Map<String, Value> = activity.attributes.iter().cloned().collect();
            Some(Value::Object(map).to_string())
        }
        _ => None,
    }
}

/// One cell of a lead in a bulk file; `None` is no value.
pub(super) fn lead_cell(lead: &Lead, field: &str) -> Option<String> {
    match lead_value(lead, field) {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// Appends a line of a bulk file. The word `null` stands for no value; a bare CR or a NUL byte is
/// no reason for quotes.
pub(super) fn push_line(
    out: &mut String,
    separator: char,
    cells: impl Iterator<Item = Option<String>>,
) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            out.push(separator);
        }
        let Some(cell) = cell else {
            out.push_str("null");
            continue;
        };
        if cell.contains([separator, '"', '\n']) {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&cell);
        }
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_has_three_spellings() {
        let spelled = |notation| stamp(1_768_606_339, notation);
        assert_eq!(spelled(Notation::Zulu), "2026-01-16T23:32:19Z");
        assert_eq!(spelled(Notation::NoColon), "2026-01-16T23:32:19+0000");
        assert_eq!(spelled(Notation::Pacific), "2026-01-16T15:32:19-08:00");
    }

    #[test]
    fn lines_quote_what_needs_it_and_write_null_for_nothing() {
        let mut out = String::new();
        let cells = ["a", "b,c", "d\"e", "f\ng", "h\ri", ""].map(|cell| Some(cell.to_owned()));
        push_line(&mut out, ',', cells.into_iter().chain([None]));
        assert_eq!(out, "a,\"b,c\",\"d\"\"e\",\"f\ng\",h\ri,,null\n");
    }
}
