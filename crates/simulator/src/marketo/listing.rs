//! The pages of REST: types, activities by paging token, leads by filter, descriptions, usage.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::Call;
use super::codes::Refusal;
use super::limits::{Limits, quota_day};
use super::wire;
use super::world::{DataType, World};
use crate::calendar;
use crate::random::mix;

/// Entries of the log that one call walks at most: a narrow filter gets empty pages.
const BLOCK: usize = 500;
/// Most types of one call.
const MOST_TYPES: usize = 10;
/// Most leads of one call.
const MOST_LEADS: usize = 30;
/// Most values of a filter.
const MOST_VALUES: usize = 300;
/// Most leads a filter may hit.
const MOST_HITS: usize = 1_000;

/// A place as a token that clients must not understand. Base64, so it has to be encoded in a URL.
fn token(place: usize) -> String {
    let place = place as u64;
    let mut bytes = [0_u8; 16];
    bytes[..8].copy_from_slice(&(place ^ mix(77)).to_be_bytes());
    bytes[8..].copy_from_slice(&mix(place).to_be_bytes());
    STANDARD.encode(bytes)
}

fn place(token: &str) -> Result<usize, Refusal> {
    let read = || {
        let bytes: [u8; 16] = STANDARD.decode(token).ok()?.try_into().ok()?;
        let (place, check) = bytes.split_at(8);
        let place = u64::from_be_bytes(place.try_into().ok()?) ^ mix(77);
        (mix(place).to_be_bytes() == check).then_some(place as usize)
    };
    read().ok_or_else(|| Refusal::new("1003", "Invalid nextPageToken"))
}

/// Reads a date or a time with a zone.
pub(super) fn datetime(text: &str) -> Option<i64> {
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return Some(stamp.as_second());
    }
    if let Ok(stamp) = Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", text) {
        return Some(stamp.as_second());
    }
    let day: jiff::civil::Date = text.parse().ok().filter(|_| text.len() == 10)?;
    Some(calendar::day_start(day))
}

/// `activities/types.json`.
pub(super) fn types(world: &World, custom: bool) -> Value {
    let kinds = world
        .types
        .iter()
        .filter(|kind| !custom || kind.id > 100_000);
    json!({"success": true, "result": kinds.map(wire::activity_type).collect::<Value>()})
}

/// `activities/pagingtoken.json`.
pub(super) fn paging_token(world: &World, call: &Call) -> Result<Value, Refusal> {
    let Some(since) = call.one("sinceDatetime") else {
        return Err(Refusal::of("701"));
    };
    let since = datetime(since).ok_or_else(|| {
        Refusal::new("1003", format!("Invalid value '{since}' for sinceDatetime"))
    })?;
    Ok(json!({"success": true, "nextPageToken": token(world.place_of(since))}))
}

/// `activities.json`.
pub(super) fn activities(world: &World, call: &Call, now: i64) -> Result<Value, Refusal> {
    for extra in ["listId", "assetIds"] {
        if call.one(extra).is_some() {
            return Err(Refusal::new(
                "1003",
                format!("{extra} is not played by this simulator"),
            ));
        }
    }
    let start = place(call.required("nextPageToken")?)?;
    call.required("activityTypeIds")?;
    let types = call.numbers("activityTypeIds")?;
    let leads = call.numbers("leadIds")?;
    if types.len() > MOST_TYPES {
        return Err(Refusal::new("1003", "activityTypeIds must be at most 10"));
    }
    if leads.len() > MOST_LEADS {
        return Err(Refusal::new("1003", "leadIds must be at most 30"));
    }
    if let Some(id) = types
        .iter()
        .find(|id| !world.types.iter().any(|kind| kind.id == **id))
    {
        return Err(Refusal::new(
            "1003",
            format!("Invalid activity type id '{id}'"),
        ));
    }
    let size = call.batch_size()?;
    let end = world.place_of(now.saturating_add(1));
    let last = end.min(start.saturating_add(BLOCK));
    let mut rows = Vec::new();
    let mut at = start.min(end);
    while at < last && rows.len() < size {
        let entry = &world.log()[at];
        at += 1;
        if entry.committed > now || !types.contains(&entry.type_id) {
            continue;
        }
        let activity = world.activity(entry);
        if leads.is_empty() || leads.contains(&activity.lead) {
            rows.push(wire::activity(&activity));
        }
    }
    let mut page = json!({"success": true, "nextPageToken": token(at), "moreResult": at < end});
    if !rows.is_empty() {
        page["result"] = Value::Array(rows);
    }
    Ok(page)
}

/// `leads.json`.
pub(super) fn leads(world: &World, call: &Call, now: i64) -> Result<Value, Refusal> {
    let filter = call.required("filterType")?;
    call.required("filterValues")?;
    let values = call.list("filterValues");
    if values.len() > MOST_VALUES {
        return Err(Refusal::new("1003", "filterValues must be at most 300"));
    }
    let searchable = |data_type| !matches!(data_type, DataType::Datetime | DataType::Boolean);
    let known = world.fields.iter().find(|field| field.name == filter);
    if !known.is_some_and(|field| searchable(field.data_type)) {
        return Err(Refusal::new(
            "1011",
            format!("Field '{filter}' is not supported for filter"),
        ));
    }
    let fields = lead_fields(world, &call.list("fields"))?;
    let hits: Vec<_> = if filter == "id" {
        let ids = call.numbers("filterValues")?;
        ids.iter()
            .filter_map(|id| world.lead_of(*id, now))
            .collect()
    } else {
        let wanted = |lead: &super::world::Lead| {
            wire::lead_cell(lead, filter).is_some_and(|text| values.contains(&text.as_str()))
        };
        world
            .leads(now)
            .filter(wanted)
            .take(MOST_HITS + 1)
            .collect()
    };
    if hits.len() > MOST_HITS {
        return Err(Refusal::of("1003-many"));
    }
    let start = call.one("nextPageToken").map_or(Ok(0), place)?;
    let size = call.batch_size()?;
    let rows = hits.iter().skip(start).take(size);
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let rows: Value = rows.map(|lead| wire::lead(lead, &fields)).collect();
    let mut page = json!({"success": true, "result": rows});
    if start + size < hits.len() {
        page["nextPageToken"] = json!(token(start + size));
    }
    Ok(page)
}

/// Checks names of fields; the standard few if none are asked for.
pub(super) fn lead_fields(world: &World, asked: &[&str]) -> Result<Vec<String>, Refusal> {
    const STANDARD_FIELDS: [&str; 5] = ["firstName", "lastName", "email", "createdAt", "updatedAt"];
    let asked = if asked.is_empty() {
        &STANDARD_FIELDS[..]
    } else {
        asked
    };
    for name in asked {
        if !world.fields.iter().any(|field| field.name == *name) {
            return Err(Refusal::new("1006", format!("Field '{name}' not found")));
        }
    }
    Ok(asked.iter().map(|name| (*name).to_owned()).collect())
}

/// `leads/describe.json`.
pub(super) fn describe(world: &World) -> Value {
    let fields = world.fields.iter().enumerate();
    let rows: Value = fields
        .map(|(number, field)| wire::field(number, field))
        .collect();
    json!({"success": true, "result": rows})
}

/// `stats/usage.json` and `stats/errors.json`, of today or of the last seven days.
pub(super) fn stats(limits: &Limits, errors: bool, days: i64, now: i64) -> Value {
    let today = quota_day(now);
    let rows: Value = (0..days)
        .map(|back| {
            let day = calendar::shift(today, -back);
            if errors {
                let counts = limits.errors(day);
                let total: u64 = counts.values().sum();
                let list: Value = counts
                    .iter()
                    .map(|(code, count)| json!({"errorCode": code, "count": count}))
                    .collect();
                return json!({"date": day.to_string(), "total": total, "errors": list});
            }
            let total = limits.calls(day);
            let users = json!([{"userId": "api@lakehand.example", "count": total}]);
            json!({"date": day.to_string(), "total": total, "users": users})
        })
        .collect();
    json!({"success": true, "result": rows})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_back_and_forgeries_are_not() {
        for number in [0, 1, 499, 1_000_000] {
            assert_eq!(place(&token(number)), Ok(number));
        }
        assert!(place("QK7ZJ2MADEUPTOKEN3N5M4ARXW6TB====").is_err());
        assert!(place(&token(5).replace('=', "")).is_err());
    }

    #[test]
    fn times_need_a_zone() {
        assert_eq!(datetime("2026-01-16T23:32:19Z"), Some(1_768_606_339));
        assert_eq!(datetime("2026-01-16T23:32:19+0000"), Some(1_768_606_339));
        assert_eq!(datetime("2026-01-16T15:32:19-08:00"), Some(1_768_606_339));
        assert_eq!(datetime("2026-01-16"), Some(1_768_521_600));
        assert_eq!(datetime("2026-01-16 23:32:19"), None);
    }
}
