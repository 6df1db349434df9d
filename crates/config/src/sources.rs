//! Settings of Marketo and of Google Analytics. A source without a section is not collected.

use serde::{Deserialize, Serialize};

use lakehand_base::dataset::ReportName;

/// How Marketo is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarketoMode {
    /// By the size of the window.
    #[default]
    Auto,
    /// Always page by page.
    Rest,
    /// Always by bulk export.
    Bulk,
}

/// Settings of the Marketo source. `[profiles.<name>.marketo]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MarketoSettings {
    /// Address instead of `https://<munchkin id>.mktorest.com`; empty for that one.
    pub base_url: String,
    /// Path of the munchkin id (`123-ABC-456`) in the parameter store.
    pub munchkin_id_parameter: String,
    /// Path of the client id in the parameter store.
    pub client_id_parameter: String,
    /// Path of the client secret in the parameter store.
    pub client_secret_parameter: String,
    /// `auto`, `rest` or `bulk`.
    pub mode: MarketoMode,
    /// Days from which on `auto` takes the bulk export.
    pub bulk_from_days: u32,
    /// Activity types to collect; empty for all that the instance has.
    pub activity_type_ids: Vec<u32>,
    /// Lead fields to ask for; empty for a set of common ones. Only those the instance has are asked for.
    pub lead_fields: Vec<String>,
    /// Hours by which a window overlaps what was read before: activities arrive late.
    pub overlap_hours: u32,
    /// Minutes before now that are left for the next collection; 0 reads to the end of the window, whatever
    /// time the instance thinks it is.
    pub lag_minutes: u32,
    /// Days of leads by creation that the first collection reads.
    pub lead_history_days: u32,
    /// Calls in any 20 seconds, of the 100 that all integrations of the instance share.
    pub calls_per_20_seconds: usize,
    /// Calls in flight, of the 10 that all integrations of the instance share.
    pub concurrency: usize,
    /// Calls a day of the instance; the day's use is shown against it.
    pub daily_calls: u64,
    /// Rows asked for a page; at most 300.
    pub batch_size: u32,
    /// Seconds between two looks at a bulk export; its state changes once a minute.
    pub poll_seconds: u64,
    /// Seconds one request may take.
    pub request_timeout_seconds: u64,
    /// Seconds one collection of one stream may take in all.
    pub deadline_seconds: u64,
    /// Tries of one request.
    pub attempts: u32,
    /// First wait between two tries, milliseconds; doubles up to `max_retry_wait_ms`, with jitter.
    pub first_retry_wait_ms: u64,
    /// Longest wait between two tries, milliseconds.
    pub max_retry_wait_ms: u64,
}

impl Default for MarketoSettings {
    fn default() -> Self {
        Self {
            base_url: String::new(),
            munchkin_id_parameter: "/marketo/MunchkinId".to_owned(),
            client_id_parameter: "/marketo/ClientId".to_owned(),
            client_secret_parameter: "/marketo/ClientSecret".to_owned(),
            mode: MarketoMode::Auto,
            bulk_from_days: 10,
            activity_type_ids: Vec::new(),
            lead_fields: Vec::new(),
            overlap_hours: 24,
            lag_minutes: 10,
            lead_history_days: 365,
            calls_per_20_seconds: 50,
            concurrency: 5,
            daily_calls: 50_000,
            batch_size: 300,
            poll_seconds: 60,
            request_timeout_seconds: 90,
            deadline_seconds: 3600,
            attempts: 5,
            first_retry_wait_ms: 1000,
            max_retry_wait_ms: 60_000,
        }
    }
}

/// Settings of the GA4 source. `[profiles.<name>.ga4]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ga4Settings {
    /// Address of the Data API, or of a stand-in.
    pub base_url: String,
    /// Path of the service account's key file content in the parameter store.
    pub key_parameter: String,
    /// Requests a second of the service account.
    pub requests_per_second: f64,
    /// Requests in flight of the service account; a property takes 10.
    pub concurrency: usize,
    /// Rows asked for a page; at most 250,000.
    pub page_limit: u32,
    /// Share of a quota at which a property is left alone until the quota is back, 0 to 1.
    pub stop_at_quota_share: f64,
    /// Share of `(other)` from which on a day is provisional, 0 to 1.
    pub max_other_share: f64,
    /// Currency of money metrics, ISO 4217; empty for the property's own.
    pub currency: String,
    /// Seconds one request may take.
    pub request_timeout_seconds: u64,
    /// Seconds one collection of one report may take in all.
    pub deadline_seconds: u64,
    /// Tries of one request; a property blocks a project after ten server errors an hour.
    pub attempts: u32,
    /// First wait between two tries, milliseconds.
    pub first_retry_wait_ms: u64,
    /// Longest wait between two tries, milliseconds.
    pub max_retry_wait_ms: u64,
    /// The reports. `[[profiles.<name>.ga4.reports]]`
    pub reports: Vec<Ga4Report>,
}

impl Default for Ga4Settings {
    fn default() -> Self {
        Self {
            base_url: "https://analyticsdata.googleapis.com".to_owned(),
            key_parameter: "/google/ServiceAccountKey".to_owned(),
            requests_per_second: 5.0,
            concurrency: 4,
            page_limit: 100_000,
            stop_at_quota_share: 0.1,
            max_other_share: 0.01,
            currency: String::new(),
            request_timeout_seconds: 60,
            deadline_seconds: 3600,
            attempts: 3,
            first_retry_wait_ms: 5000,
            max_retry_wait_ms: 120_000,
            reports: Vec::new(),
        }
    }
}

/// One report of the GA4 Data API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ga4Report {
    /// Name; the table is `ga_<name>`.
    pub name: ReportName,
    /// The properties to ask, each with the business unit it stands for.
    pub properties: Vec<Ga4Property>,
    /// Dimensions, without `date`: every day is asked for by itself. At most 8.
    pub dimensions: Vec<String>,
    /// Metrics. At most 10.
    pub metrics: Vec<String>,
    /// A filter expression of the Data API, as a table or as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension_filter: Option<serde_json::Value>,
    /// A filter expression on metrics, as a table or as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_filter: Option<serde_json::Value>,
    /// Whether rows whose metrics are all zero are kept.
    #[serde(default)]
    pub keep_empty_rows: bool,
    /// Days after which a day is read no more, settled or not.
    #[serde(default = "default_settle_days")]
    pub settle_days: u32,
}

fn default_settle_days() -> u32 {
    31
}

/// A property and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ga4Property {
    /// Business unit: what the marketing datamart groups by.
    pub business_unit: String,
    /// Property id, digits only.
    pub property: String,
}

/// Settings of the GA3 source. `[profiles.<name>.ga3]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ga3Settings {
    /// Address of a stand-in or of an archive proxy. Google's own service has ended.
    pub base_url: String,
    /// Path of the service account's key file content in the parameter store.
    pub key_parameter: String,
    /// Requests a second of the service account; the service took 10.
    pub requests_per_second: f64,
    /// Requests in flight of the service account; a view took 10.
    pub concurrency: usize,
    /// Rows asked for a page; at most 100,000.
    pub page_size: u32,
    /// Seconds one request may take.
    pub request_timeout_seconds: u64,
    /// Seconds one collection of one report may take in all.
    pub deadline_seconds: u64,
    /// Tries of one request.
    pub attempts: u32,
    /// First wait between two tries, milliseconds.
    pub first_retry_wait_ms: u64,
    /// Longest wait between two tries, milliseconds.
    pub max_retry_wait_ms: u64,
    /// The reports. `[[profiles.<name>.ga3.reports]]`
    pub reports: Vec<Ga3Report>,
}

impl Default for Ga3Settings {
    fn default() -> Self {
        Self {
            base_url: "https://analyticsreporting.googleapis.com".to_owned(),
            key_parameter: "/google/ServiceAccountKey".to_owned(),
            requests_per_second: 5.0,
            concurrency: 4,
            page_size: 100_000,
            request_timeout_seconds: 60,
            deadline_seconds: 3600,
            attempts: 3,
            first_retry_wait_ms: 1000,
            max_retry_wait_ms: 60_000,
            reports: Vec::new(),
        }
    }
}

/// How much of the data a GA3 report may be computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SamplingLevel {
    /// Speed and precision in balance.
    Default,
    /// Fast.
    Small,
    /// As precise as it gets.
    #[default]
    Large,
}

/// One report of the GA3 Reporting API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ga3Report {
    /// Name; the table is `ga3_<name>`.
    pub name: ReportName,
    /// The views to ask, each with the business unit it stands for.
    pub views: Vec<Ga3View>,
    /// Dimensions with their `ga:`, without `ga:date` and `ga:segment`. At most 7.
    pub dimensions: Vec<String>,
    /// Metric expressions with their `ga:`. At most 50: ten go into a request, five requests into a batch.
    pub metrics: Vec<String>,
    /// Segment ids, `gaid::-3`; none for all users. At most 4.
    #[serde(default)]
    pub segments: Vec<String>,
    /// `ga:browser=~^Firefox`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filters_expression: Option<String>,
    /// `DEFAULT`, `SMALL` or `LARGE`.
    #[serde(default)]
    pub sampling_level: SamplingLevel,
}

/// A view and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ga3View {
    /// Business unit: what the marketing datamart groups by.
    pub business_unit: String,
    /// View id, digits only.
    pub view: String,
}
