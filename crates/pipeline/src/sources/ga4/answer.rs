//! What the Data API answers. Proto JSON leaves out what is zero, false or empty.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// The body of a `runReport`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Report {
    pub dimension_headers: Vec<Header>,
    pub metric_headers: Vec<Header>,
    pub rows: Vec<Row>,
    /// Rows of the query, whatever page this is; absent when there are none.
    #[serde(deserialize_with = "whole")]
    pub row_count: u64,
    pub metadata: Metadata,
    pub property_quota: BTreeMap<String, QuotaStatus>,
    pub kind: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Header {
    pub name: String,
    /// `TYPE_INTEGER`, …; empty for dimensions.
    #[serde(rename = "type")]
    pub kind: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Row {
    pub dimension_values: Vec<Cell>,
    pub metric_values: Vec<Cell>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cell {
    pub value: String,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub currency_code: Option<String>,
    pub time_zone: Option<String>,
    pub data_loss_from_other_row: bool,
    pub subject_to_thresholding: bool,
    pub empty_reason: Option<String>,
    pub sampling_metadatas: Vec<Sampling>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Sampling {
    #[serde(deserialize_with = "whole")]
    pub samples_read_count: u64,
    #[serde(deserialize_with = "whole")]
    pub sampling_space_size: u64,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(super) struct QuotaStatus {
    #[serde(deserialize_with = "whole")]
    pub consumed: u64,
    #[serde(deserialize_with = "whole")]
    pub remaining: u64,
}

/// A whole number, in quotes or not.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Any {
        Number(u64),
        Text(String),
    }
    match Any::deserialize(deserializer)? {
        Any::Number(number) => Ok(number),
        Any::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_zero_and_numbers_may_be_texts() {
        let empty: Report = serde_json::from_str(
            r#"{"dimensionHeaders":[{"name":"date"}],"metadata":{"timeZone":"UTC"},"kind":"analyticsData#runReport"}"#,
        )
        .unwrap();
        assert!(empty.rows.is_empty() && empty.row_count == 0);
        let report: Report = serde_json::from_str(
            r#"{"rowCount":"7","new":{"x":1},"metadata":{"samplingMetadatas":[{"samplesReadCount":"9917","samplingSpaceSize":1000000}]},
                "propertyQuota":{"tokensPerDay":{"remaining":5},"tokensPerHour":{}}}"#,
        )
        .unwrap();
        assert_eq!(report.row_count, 7);
        assert_eq!(
            report.metadata.sampling_metadatas[0].samples_read_count,
            9917
        );
        assert_eq!(report.property_quota["tokensPerDay"].remaining, 5);
        assert_eq!(report.property_quota["tokensPerHour"].remaining, 0);
    }
}
