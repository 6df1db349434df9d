//! One page of a day: what is asked, and what is taken for an answer.

use std::time::Duration;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::{
    Ga4,
    answer::{self, Report},
};
use crate::sources::{
    SourceError,
    google::refusals::{Api, Judge},
    http::{Fault, HttpRequest, Verdict},
};
use lakehand_config::Ga4Property;

/// Wait after "too many concurrent requests".
const CROWDED_WAIT: Duration = Duration::from_secs(30);

impl Ga4 {
    /// One page of a day, from row `offset` on.
    ///
    /// # Errors
    /// As for every request.
    pub(super) async fn page(
        &self,
        unit: &Ga4Property,
        day: Date,
        offset: u64,
        what: &str,
    ) -> Result<Report, SourceError> {
        let path = format!("/v1beta/properties/{}:runReport", unit.property);
        let request = HttpRequest::post(path, what).json(&self.body(day, offset));
        let judge = Judge {
            api: Api::Ga4,
            what,
            account: &self.account,
            now: self.clock.now(),
            crowded_wait: CROWDED_WAIT.min(Duration::from_millis(self.settings.max_retry_wait_ms)),
            client: &self.client,
        };
        self.client
            .ask(&request, |answer| {
                if !answer.is_success() {
                    return judge.verdict(answer);
                }
                match serde_json::from_slice::<Report>(&answer.body) {
                    Ok(report) => self.accept(report, what),
                    Err(error) => Verdict::Retry(
                        Fault::Unavailable,
                        format!("the answer is no report: {error}"),
                    ),
                }
            })
            .await
    }

    /// The request of one page of a day. The order is total, or pages would repeat and skip rows.
    fn body(&self, day: Date, offset: u64) -> Value {
        let report = &self.report;
        let named = |names: &[String]| -> Value {
            names.iter().map(|name| json!({ "name": name })).collect()
        };
        let order: Value = report
            .dimensions
            .iter()
            .map(|name| json!({"dimension": {"dimensionName": name}}))
            .collect();
        let mut body = json!({
            "dateRanges": [{"startDate": day.to_string(), "endDate": day.to_string()}],
            "dimensions": named(&report.dimensions),
            "metrics": named(&report.metrics),
            "orderBys": order,
            "limit": self.settings.page_limit.to_string(),
            "offset": offset.to_string(),
            "keepEmptyRows": report.keep_empty_rows,
            "returnPropertyQuota": true,
        });
        if let Some(filter) = &report.dimension_filter {
            body["dimensionFilter"] = filter.clone();
        }
        if let Some(filter) = &report.metric_filter {
            body["metricFilter"] = filter.clone();
        }
        if !self.settings.currency.is_empty() {
            body["currencyCode"] = json!(self.settings.currency);
        }
        body
    }

    /// A report whose columns are those that were asked for.
    fn accept(&self, report: Report, what: &str) -> Verdict<Report> {
        let names = |headers: &[answer::Header]| -> Vec<String> {
            headers.iter().map(|header| header.name.clone()).collect()
        };
        let dimensions = names(&report.dimension_headers);
        let metrics = names(&report.metric_headers);
        let whole = report.rows.iter().all(|row| {
            row.dimension_values.len() == dimensions.len()
                && row.metric_values.len() == metrics.len()
        });
        // An empty answer may come without headers at all.
        let empty =
            report.rows.is_empty() && (report.kind.ends_with("runReport") || !metrics.is_empty());
        let named = dimensions == self.report.dimensions && metrics == self.report.metrics;
        if empty || (named && whole) {
            return Verdict::Good(report);
        }
        Verdict::Refuse(SourceError::Refused {
            what: what.to_owned(),
            why: format!(
                "the answer has other columns than were asked for: {dimensions:?}, {metrics:?}"
            ),
            advice: "report this: the Data API or what stands in for it does not keep its word",
        })
    }
}
