//! What the Reporting API answers.

use serde::Deserialize;

/// The body of a `batchGet`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Batch {
    pub reports: Vec<Report>,
}

/// One report, in the place of its request.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Report {
    pub column_header: ColumnHeader,
    pub data: Data,
    pub next_page_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ColumnHeader {
    pub dimensions: Vec<String>,
    pub metric_header: MetricHeader,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MetricHeader {
    pub metric_header_entries: Vec<MetricEntry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MetricEntry {
    pub name: String,
    /// `INTEGER`, `FLOAT`, `CURRENCY`, `PERCENT`, `TIME`.
    #[serde(rename = "type")]
    pub kind: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Data {
    pub rows: Vec<Row>,
    pub row_count: Option<u64>,
    /// Asking again gives the same answer; left out when it may not.
    pub is_data_golden: bool,
    /// Texts, one a date range; only if sampled.
    pub samples_read_counts: Vec<String>,
    pub sampling_space_sizes: Vec<String>,
    pub empty_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Row {
    pub dimensions: Vec<String>,
    /// One a date range.
    pub metrics: Vec<Values>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Values {
    pub values: Vec<String>,
}
