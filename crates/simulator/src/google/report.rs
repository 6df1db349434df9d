//! Reports of the Data API: rows from the generated world or from files, in the API's envelope.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    errors::Refusal,
    fields::{self, Dimension, Metric, Sums},
    query::{self, Query, Row},
    world::{GoogleTruth, OTHER, Property},
};

/// Rows with what the envelope says of them.
pub(super) struct Table {
    pub rows: Vec<Row>,
    pub metric_types: Vec<&'static str>,
    pub time_zone: String,
    pub currency: String,
    pub data_loss: bool,
    pub sampling: Value,
}

/// A report over generated sessions. `shake` moves the figures of a day that never settles.
pub(super) fn generated(
    truth: &GoogleTruth,
    property: &Property,
    query: &Query,
    shake: u64,
) -> Result<Table, Refusal> {
    let (dimensions, metrics) = query::known_fields(query)?;
    let mut groups = BTreeMap::<Vec<String>, Sums>::new();
    let mut data_loss = false;
    let named = query.ranges.len() > 1;
    for (from, to, range) in &query.ranges {
        for day in query::days(*from, *to, property, truth.now) {
            data_loss |= truth.loses_data(property, day);
            for (number, mut cell) in truth.cells(property, day).into_iter().enumerate() {
                let value = |name: &str| {
                    Dimension::of_ga4(name).map(|known| known.value(&cell, day).into_owned())
                };
                if !Query::passes(query.dimension_filter.as_ref(), &value)? {
                    continue;
                }
                if number == 0 {
                    cell.sessions += shake;
                }
                let key = dimensions
                    .iter()
                    .map(|known| known.value(&cell, day).into_owned());
                let key = key.chain(named.then(|| range.clone())).collect();
                groups.entry(key).or_default().add(&cell);
            }
        }
    }
    let mut rows = Vec::with_capacity(groups.len());
    for (key, sums) in groups {
        let value = |name: &str| Metric::of_ga4(name).map(|(known, _)| known.value(&sums));
        if Query::passes(query.metric_filter.as_ref(), &value)? {
            rows.push(Row {
                dimensions: key,
                metrics: metrics
                    .iter()
                    .map(|(known, _)| known.value(&sums))
                    .collect(),
            });
        }
    }
    Ok(Table {
        rows,
        metric_types: metrics.iter().map(|(_, kind)| *kind).collect(),
        time_zone: property.time_zone.to_owned(),
        currency: property.currency.to_owned(),
        data_loss,
        sampling: Value::Null,
    })
}

/// The envelope of one page of a table.
pub(super) fn envelope(query: &Query, mut table: Table, quota: Option<Value>) -> Value {
    let totals = query.with_totals.then(|| totals(&table));
    let row_count = query.page(&mut table.rows);
    let values =
        |texts: &[String]| -> Value { texts.iter().map(|text| json!({ "value": text })).collect() };
    let row = |row: &Row| {
        let mut fields = serde_json::Map::new();
        if !row.dimensions.is_empty() {
            fields.insert("dimensionValues".to_owned(), values(&row.dimensions));
        }
        fields.insert("metricValues".to_owned(), values(&row.metrics));
        Value::Object(fields)
    };
    let range = (query.ranges.len() > 1).then(|| "dateRange".to_owned());
    let headers = query.dimensions.iter().chain(&range);
    let mut body = json!({});
    if !query.dimensions.is_empty() || range.is_some() {
        body["dimensionHeaders"] = headers.map(|name| json!({ "name": name })).collect();
    }
    let metrics = query.metrics.iter().zip(&table.metric_types);
    body["metricHeaders"] = metrics
        .map(|(name, kind)| json!({"name": name, "type": kind}))
        .collect();
    if !table.rows.is_empty() {
        body["rows"] = table.rows.iter().map(row).collect();
    }
    if let Some(totals) = totals {
        body["totals"] = json!([row(&totals)]);
    }
    if row_count > 0 {
        body["rowCount"] = json!(row_count);
    }
    let mut metadata = json!({});
    if table.data_loss {
        metadata["dataLossFromOtherRow"] = json!(true);
    }
    if query::may_be_thresholded(query) {
        metadata["subjectToThresholding"] = json!(true);
    }
    if table
        .sampling
        .as_array()
        .is_some_and(|list| !list.is_empty())
    {
        metadata["samplingMetadatas"] = table.sampling;
    }
    metadata["currencyCode"] = json!(table.currency);
    metadata["timeZone"] = json!(table.time_zone);
    body["metadata"] = metadata;
    if let Some(quota) = quota {
        body["propertyQuota"] = quota;
    }
    body["kind"] = json!("analyticsData#runReport");
    body
}

/// Sums of the metrics that can be added; what cannot is left empty here.
fn totals(table: &Table) -> Row {
    let dimensions = table.rows.first().map_or(0, |row| row.dimensions.len());
    let sum = |(place, kind): (usize, &&str)| {
        let values = table.rows.iter().filter_map(|row| row.metrics.get(place));
        if *kind == "TYPE_INTEGER" {
            let sum: u64 = values.filter_map(|value| value.parse::<u64>().ok()).sum();
            sum.to_string()
        } else {
            let sum: f64 = values.filter_map(|value| value.parse::<f64>().ok()).sum();
            super::fields::seventeen_digits(sum)
        }
    };
    Row {
        dimensions: vec!["RESERVED_TOTAL".to_owned(); dimensions],
        metrics: table.metric_types.iter().enumerate().map(sum).collect(),
    }
}

/// What a report costs: a few tokens, more for many rows and days.
pub(super) fn cost(query: &Query, rows: usize) -> u64 {
    let fields = (query.dimensions.len() + query.metrics.len()) as u64;
    let days: i64 = query
        .ranges
        .iter()
        .map(|(from, to, _)| super::world::days_between(*from, *to) + 1)
        .sum();
    2 + fields / 2 + rows as u64 / 200 + days.unsigned_abs() / 30
}

/// `:metadata` of a property: the fields that are played.
pub(super) fn metadata(property: &str) -> Value {
    let field = |name: &str| json!({"apiName": name, "uiName": name, "category": "Simulated"});
    let dimensions: Value = Dimension::ga4_names().map(field).collect();
    let metrics: Value = Metric::ga4_names()
        .map(|(name, kind)| json!({"apiName": name, "uiName": name, "category": "Simulated", "type": kind}))
        .collect();
    json!({
        "name": format!("properties/{property}/metadata"),
        "dimensions": dimensions,
        "metrics": metrics,
    })
}

/// `:checkCompatibility`: refuses fields that are unknown or do not go together, and says of all others whether
/// they could be added.
pub(super) fn compatibility(body: &Value) -> Result<Value, Refusal> {
    let named = |list: &str| -> Vec<&str> {
        let items = body[list].as_array().into_iter().flatten();
        items.filter_map(|item| item["name"].as_str()).collect()
    };
    let (dimensions, metrics) = (named("dimensions"), named("metrics"));
    for name in &dimensions {
        query::known_dimension(name)?;
    }
    for name in &metrics {
        query::known_metric(name)?;
    }
    let asked: Vec<&str> = dimensions.into_iter().chain(metrics).collect();
    fields::go_together(&asked)?;
    let filter = body["compatibilityFilter"].as_str();
    let state = |name: &str| {
        let with: Vec<&str> = asked.iter().copied().chain([name]).collect();
        match fields::go_together(&with) {
            Ok(()) => "COMPATIBLE",
            Err(_) => "INCOMPATIBLE",
        }
    };
    let wanted = |state: &str| filter.is_none_or(|filter| filter == state);
    let dimensions: Value = Dimension::ga4_names()
        .filter(|name| wanted(state(name)))
        .map(|name| json!({"dimensionMetadata": {"apiName": name}, "compatibility": state(name)}))
        .collect();
    let metrics: Value = Metric::ga4_names()
        .filter(|(name, _)| wanted(state(name)))
        .map(|(name, _)| json!({"metricMetadata": {"apiName": name}, "compatibility": state(name)}))
        .collect();
    Ok(json!({"dimensionCompatibilities": dimensions, "metricCompatibilities": metrics}))
}

/// Whether a row is one that takes what is left over.
pub(super) fn is_other(row: &Row) -> bool {
    row.dimensions.iter().any(|value| value == OTHER)
}
