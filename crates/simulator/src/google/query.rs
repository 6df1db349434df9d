//! A `runReport` body: read, checked, and its filters applied (`source-apis.md` 3.2).

use jiff::civil::Date;
use regex::RegexBuilder;
use serde_json::Value;

use super::{
    errors::Refusal,
    fields::{Dimension, Metric},
    world::Property,
};
use crate::calendar;

/// Most rows of an answer.
const MOST_ROWS: u64 = 250_000;

/// What a report is asked for.
#[derive(Debug, Clone)]
pub(super) struct Query {
    /// First and last day, and the name of the range.
    pub ranges: Vec<(Date, Date, String)>,
    /// Names as they were asked for.
    pub dimensions: Vec<String>,
    /// Names as they were asked for.
    pub metrics: Vec<String>,
    pub dimension_filter: Option<Value>,
    pub metric_filter: Option<Value>,
    /// Field and whether the largest comes first.
    pub order: Vec<(String, bool)>,
    pub limit: u64,
    pub offset: u64,
    pub with_quota: bool,
    pub with_totals: bool,
}

fn bad<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Bad(message.into()))
}

/// An int64 of Proto JSON: a number, or one in quotes.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// A list under a name; nothing is an empty one.
fn list<'v>(body: &'v Value, name: &str) -> Result<&'v [Value], Refusal> {
    match &body[name] {
        Value::Null => Ok(&[]),
        Value::Array(items) => Ok(items),
        _ => bad(format!(
            "Invalid value at '{name}' (type.googleapis.com/google.analytics.data.v1beta.RunReportRequest)"
        )),
    }
}

fn names(body: &Value, list_name: &str) -> Result<Vec<String>, Refusal> {
    let name = |item: &Value| match item["name"].as_str() {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => bad(format!("A field of {list_name} has no name.")),
    };
    list(body, list_name)?.iter().map(name).collect()
}

impl Query {
    /// Reads a body. Names are checked by whoever has the rows.
    pub(super) fn read(body: &Value, today: Date) -> Result<Self, Refusal> {
        let number = |name: &str, absent: u64| match &body[name] {
            Value::Null => Ok(absent),
            value => whole(value)
                .ok_or_else(|| Refusal::Bad(format!("Invalid value at '{name}' (TYPE_INT64)"))),
        };
        let query = Self {
            ranges: ranges(body, today)?,
            dimensions: names(body, "dimensions")?,
            metrics: names(body, "metrics")?,
            dimension_filter: body.get("dimensionFilter").cloned(),
            metric_filter: body.get("metricFilter").cloned(),
            order: order(body)?,
            limit: match number("limit", 10_000)? {
                0 => 10_000,
                limit => limit,
            },
            offset: number("offset", 0)?,
            with_quota: body["returnPropertyQuota"] == true,
            with_totals: list(body, "metricAggregations")?
                .iter()
                .any(|kind| kind == "TOTAL"),
        };
        if query.dimensions.len() > 9 {
            return bad(format!(
                "Requests are limited to 9 dimensions within a nested request. This request is for {} dimensions.",
                query.dimensions.len()
            ));
        }
        if query.metrics.len() > 10 {
            return bad(format!(
                "Requests are limited to 10 metrics within a nested request. This request is for {} metrics.",
                query.metrics.len()
            ));
        }
        if query.dimensions.is_empty() && query.metrics.is_empty() {
            return bad("At least one dimension or metric is required.");
        }
        if query.limit > MOST_ROWS {
            return bad(format!("The limit must be at most {MOST_ROWS}."));
        }
        Ok(query)
    }

    /// Whether a row is kept by a filter. `value` knows fields by their names.
    pub(super) fn passes(
        filter: Option<&Value>,
        value: &dyn Fn(&str) -> Option<String>,
    ) -> Result<bool, Refusal> {
        filter.map_or(Ok(true), |filter| passes(filter, value))
    }

    /// Puts rows into order and cuts the page out; returns how many there were.
    pub(super) fn page(&self, rows: &mut Vec<Row>) -> usize {
        rows.sort_by(|a, b| {
            for (field, descending) in &self.order {
                let (a, b) = (self.field(a, field), self.field(b, field));
                let order = match (a.parse::<f64>(), b.parse::<f64>()) {
                    (Ok(a), Ok(b)) if self.metrics.contains(field) => a.total_cmp(&b),
                    _ => a.cmp(b),
                };
                let order = if *descending { order.reverse() } else { order };
                if order.is_ne() {
                    return order;
                }
            }
            std::cmp::Ordering::Equal
        });
        let count = rows.len();
        let first = usize::try_from(self.offset)
            .unwrap_or(usize::MAX)
            .min(count);
        rows.drain(..first);
        rows.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
        count
    }

    fn field<'r>(&self, row: &'r Row, name: &str) -> &'r str {
        let dimension = self.dimensions.iter().position(|known| known == name);
        let metric = || self.metrics.iter().position(|known| known == name);
        let value = match dimension {
            Some(place) => row.dimensions.get(place),
            None => metric().and_then(|place| row.metrics.get(place)),
        };
        value.map_or("", String::as_str)
    }
}

/// A row of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub dimensions: Vec<String>,
    pub metrics: Vec<String>,
}

fn ranges(body: &Value, today: Date) -> Result<Vec<(Date, Date, String)>, Refusal> {
    let asked = list(body, "dateRanges")?;
    if asked.is_empty() || asked.len() > 4 {
        return bad("Requests must have 1 to 4 dateRanges.");
    }
    let read = |(number, range): (usize, &Value)| {
        let day = |name: &str| {
            let text = range[name].as_str().unwrap_or("");
            day(text, today).ok_or_else(|| {
                Refusal::Bad(format!(
                    "Invalid {name}: {text}. {name} must be of the form YYYY-MM-DD, NdaysAgo, yesterday, or today."
                ))
            })
        };
        let (from, to) = (day("startDate")?, day("endDate")?);
        if from > to {
            return bad("startDate must be before or on endDate.");
        }
        let name = range["name"].as_str().map(str::to_owned);
        Ok((
            from,
            to,
            name.unwrap_or_else(|| format!("date_range_{number}")),
        ))
    };
    asked.iter().enumerate().map(read).collect()
}

/// A date in one of the notations of both APIs.
pub(super) fn day(text: &str, today: Date) -> Option<Date> {
    match text {
        "today" => Some(today),
        "yesterday" => Some(calendar::shift(today, -1)),
        _ => match text.strip_suffix("daysAgo") {
            Some(days) => Some(calendar::shift(today, -days.parse::<i64>().ok()?)),
            None if text.len() == 10 => text.parse().ok(),
            None => None,
        },
    }
}

fn order(body: &Value) -> Result<Vec<(String, bool)>, Refusal> {
    let read = |item: &Value| {
        let name = item["dimension"]["dimensionName"]
            .as_str()
            .or_else(|| item["metric"]["metricName"].as_str());
        match name {
            Some(name) => Ok((name.to_owned(), item["desc"] == true)),
            None => bad("An orderBy must name a dimension or a metric."),
        }
    };
    list(body, "orderBys")?.iter().map(read).collect()
}

fn passes(expression: &Value, value: &dyn Fn(&str) -> Option<String>) -> Result<bool, Refusal> {
    let group = |name: &str| expression.get(name).map(|group| list(group, "expressions"));
    if let Some(all) = group("andGroup") {
        for part in all? {
            if !passes(part, value)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if let Some(any) = group("orGroup") {
        for part in any? {
            if passes(part, value)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    if let Some(part) = expression.get("notExpression") {
        return passes(part, value).map(|passed| !passed);
    }
    let Some(filter) = expression.get("filter") else {
        return bad(
            "A filter expression must have one of andGroup, orGroup, notExpression, filter.",
        );
    };
    let name = filter["fieldName"].as_str().unwrap_or("");
    let Some(text) = value(name) else {
        return bad(format!("Field {name} is not a valid field for a filter."));
    };
    one(filter, &text)
}

fn one(filter: &Value, text: &str) -> Result<bool, Refusal> {
    if let Some(wanted) = filter.get("stringFilter") {
        return string_filter(wanted, text);
    }
    if let Some(wanted) = filter.get("inListFilter") {
        let sensitive = wanted["caseSensitive"] == true;
        let same = |known: &Value| {
            known.as_str().is_some_and(|known| {
                known == text || (!sensitive && known.to_lowercase() == text.to_lowercase())
            })
        };
        return Ok(list(wanted, "values")?.iter().any(same));
    }
    let number = |value: &Value| {
        let whole = value["int64Value"]
            .as_str()
            .and_then(|text| text.parse().ok());
        let whole = whole.or_else(|| value["int64Value"].as_f64());
        whole.or_else(|| value["doubleValue"].as_f64())
    };
    let own = text.parse::<f64>().unwrap_or(f64::NAN);
    if let Some(wanted) = filter.get("numericFilter") {
        let limit = number(&wanted["value"]).unwrap_or(f64::NAN);
        return match wanted["operation"].as_str().unwrap_or("") {
            "EQUAL" => Ok(own == limit),
            "LESS_THAN" => Ok(own < limit),
            "LESS_THAN_OR_EQUAL" => Ok(own <= limit),
            "GREATER_THAN" => Ok(own > limit),
            "GREATER_THAN_OR_EQUAL" => Ok(own >= limit),
            other => bad(format!("Unknown numeric filter operation '{other}'.")),
        };
    }
    if let Some(wanted) = filter.get("betweenFilter") {
        let from = number(&wanted["fromValue"]).unwrap_or(f64::NAN);
        let to = number(&wanted["toValue"]).unwrap_or(f64::NAN);
        return Ok(from <= own && own <= to);
    }
    if filter.get("emptyFilter").is_some() {
        return Ok(text.is_empty() || text == "(not set)");
    }
    bad(
        "A filter must have one of stringFilter, inListFilter, numericFilter, betweenFilter, emptyFilter.",
    )
}

fn string_filter(wanted: &Value, text: &str) -> Result<bool, Refusal> {
    let value = wanted["value"].as_str().unwrap_or("");
    let sensitive = wanted["caseSensitive"] == true;
    let kind = wanted["matchType"].as_str().unwrap_or("EXACT");
    if kind.ends_with("_REGEXP") {
        let pattern = if kind == "FULL_REGEXP" {
            format!("^(?:{value})$")
        } else {
            value.to_owned()
        };
        let regex = RegexBuilder::new(&pattern)
            .case_insensitive(!sensitive)
            .build();
        return match regex {
            Ok(regex) => Ok(regex.is_match(text)),
            Err(_) => bad(format!("Invalid regular expression '{value}'.")),
        };
    }
    let lower = |text: &str| {
        if sensitive {
            text.to_owned()
        } else {
            text.to_lowercase()
        }
    };
    let (text, value) = (lower(text), lower(value));
    match kind {
        "EXACT" | "MATCH_TYPE_UNSPECIFIED" => Ok(text == value),
        "BEGINS_WITH" => Ok(text.starts_with(&value)),
        "ENDS_WITH" => Ok(text.ends_with(&value)),
        "CONTAINS" => Ok(text.contains(&value)),
        other => bad(format!("Unknown string filter match type '{other}'.")),
    }
}

/// The fields of a query, metrics with their types.
type Fields = (Vec<Dimension>, Vec<(Metric, &'static str)>);

/// Checks names against what the generated world knows.
pub(super) fn known_fields(query: &Query) -> Result<Fields, Refusal> {
    let dimensions = query.dimensions.iter().map(|name| known_dimension(name));
    let metrics = query.metrics.iter().map(|name| known_metric(name));
    let asked = query.dimensions.iter().chain(&query.metrics);
    super::fields::go_together(&asked.map(String::as_str).collect::<Vec<_>>())?;
    Ok((
        dimensions.collect::<Result<_, _>>()?,
        metrics.collect::<Result<_, _>>()?,
    ))
}

/// A dimension by its name.
pub(super) fn known_dimension(name: &str) -> Result<Dimension, Refusal> {
    Dimension::of_ga4(name).ok_or_else(|| {
        Refusal::Bad(format!(
            "Field {name} is not a valid dimension. For a list of valid dimensions and metrics, see https://developers.google.com/analytics/devguides/reporting/data/v1/api-schema"
        ))
    })
}

/// A metric by its name, with its type.
pub(super) fn known_metric(name: &str) -> Result<(Metric, &'static str), Refusal> {
    Metric::of_ga4(name).ok_or_else(|| {
        Refusal::Bad(format!(
            "Field {name} is not a valid metric. For a list of valid dimensions and metrics, see https://developers.google.com/analytics/devguides/reporting/data/v1/api-schema"
        ))
    })
}

/// Whether a report's fields may be withheld for privacy.
pub(super) fn may_be_thresholded(query: &Query) -> bool {
    let thresholded = [
        "userAgeBracket",
        "userGender",
        "brandingInterest",
        "audienceId",
        "audienceName",
    ];
    query
        .dimensions
        .iter()
        .any(|name| thresholded.contains(&name.as_str()))
}

/// The id in `properties/123`, with or without the word.
pub(super) fn property_id(text: &str) -> &str {
    text.strip_prefix("properties/").unwrap_or(text)
}

/// Days of a range that have begun, oldest first.
pub(super) fn days(from: Date, to: Date, property: &Property, now: i64) -> Vec<Date> {
    let last = to.min(property.today(now));
    let mut days = Vec::new();
    let mut day = from;
    while day <= last {
        days.push(day);
        let Ok(next) = day.tomorrow() else { break };
        day = next;
    }
    days
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    #[test]
    fn filters_follow_their_words() {
        let value = |name: &str| match name {
            "source" => Some("Bücher.example".to_owned()),
            "sessions" => Some("12".to_owned()),
            _ => None,
        };
        let string = |kind: &str, wanted: &str| json!({"filter": {"fieldName": "source", "stringFilter": {"matchType": kind, "value": wanted}}});
        let number = json!({"filter": {"fieldName": "sessions", "numericFilter":
            {"operation": "GREATER_THAN", "value": {"int64Value": "10"}}}});
        let cases = [
            (string("EXACT", "bücher.EXAMPLE"), true),
            (string("BEGINS_WITH", "b"), true),
            (string("ENDS_WITH", "x"), false),
            (string("FULL_REGEXP", "b.*e"), true),
            (string("PARTIAL_REGEXP", "^x"), false),
            (number.clone(), true),
            (json!({"notExpression": number}), false),
            (
                json!({"andGroup": {"expressions": [number, string("CONTAINS", "zzz")]}}),
                false,
            ),
            (
                json!({"orGroup": {"expressions": [number, string("CONTAINS", "zzz")]}}),
                true,
            ),
            (
                json!({"filter": {"fieldName": "source", "inListFilter": {"values": ["a", "bücher.example"]}}}),
                true,
            ),
            (
                json!({"filter": {"fieldName": "source", "emptyFilter": {}}}),
                false,
            ),
            (
                json!({"filter": {"fieldName": "sessions", "betweenFilter":
                {"fromValue": {"doubleValue": 1.5}, "toValue": {"int64Value": "12"}}}}),
                true,
            ),
        ];
        for (filter, wanted) in cases {
            assert_eq!(Query::passes(Some(&filter), &value), Ok(wanted), "{filter}");
        }
        let unknown = json!({"filter": {"fieldName": "colour", "emptyFilter": {}}});
        assert!(Query::passes(Some(&unknown), &value).is_err());
    }

    #[test]
    fn bodies_are_checked() {
        let today = date(2026, 1, 31);
        let read = |body: Value| Query::read(&body, today);
        let good = json!({"dateRanges": [{"startDate": "7daysAgo", "endDate": "yesterday"}],
            "dimensions": [{"name": "date"}], "metrics": [{"name": "sessions"}], "limit": "5", "offset": 2});
        let query = read(good).unwrap();
        assert_eq!(query.ranges[0].0, date(2026, 1, 24));
        assert_eq!((query.limit, query.offset), (5, 2));
        let range = json!([{"startDate": "2026-01-01", "endDate": "2026-01-02"}]);
        let metric = json!([{"name": "sessions"}]);
        for bad in [
            json!({"metrics": metric}),
            json!({"dateRanges": range}),
            json!({"dateRanges": range, "metrics": metric, "limit": "250001"}),
            json!({"dateRanges": range, "metrics": metric, "limit": "many"}),
            json!({"dateRanges": [{"startDate": "soon", "endDate": "today"}], "metrics": metric}),
            json!({"dateRanges": [{"startDate": "today", "endDate": "yesterday"}], "metrics": metric}),
            json!({"dateRanges": range, "metrics": metric, "dimensions": vec![json!({"name": "x"}); 10]}),
            json!({"dateRanges": range, "metrics": metric, "orderBys": [{"desc": true}]}),
        ] {
            assert!(matches!(read(bad.clone()), Err(Refusal::Bad(_))), "{bad}");
        }
    }
}
