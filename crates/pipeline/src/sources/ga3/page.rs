//! One batch of pages of a day: what is asked, and what is taken for an answer.

use std::time::Duration;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::{
    Ga3,
    answer::{Batch, Report},
    dimensions,
};
use crate::sources::{
    SourceError,
    google::refusals::{Api, Judge},
    http::{Fault, HttpRequest, Verdict},
};
use lakehand_config::Ga3View;

/// Wait after "too many concurrent connections".
const CROWDED_WAIT: Duration = Duration::from_secs(10);

impl Ga3 {
    /// The request of one page of a day for some of the metrics.
    pub(super) fn request(
        &self,
        unit: &Ga3View,
        day: Date,
        metrics: &[String],
        token: Option<&str>,
    ) -> Value {
        let report = &self.report;
        let dimensions: Vec<Value> = dimensions(report)
            .iter()
            .map(|name| json!({ "name": name }))
            .collect();
        let metrics: Vec<Value> = metrics
            .iter()
            .map(|expression| json!({ "expression": expression }))
            .collect();
        let mut request = json!({
            "viewId": unit.view,
            "dateRanges": [{"startDate": day.to_string(), "endDate": day.to_string()}],
            "dimensions": dimensions,
            "metrics": metrics,
            "samplingLevel": report.sampling_level,
            "pageSize": self.settings.page_size,
            "includeEmptyRows": false,
            "hideTotals": true,
            "hideValueRanges": true,
        });
        if !report.segments.is_empty() {
            request["segments"] = report
                .segments
                .iter()
                .map(|id| json!({ "segmentId": id }))
                .collect();
        }
        if let Some(filters) = &report.filters_expression {
            request["filtersExpression"] = json!(filters);
        }
        if let Some(token) = token {
            request["pageToken"] = json!(token);
        }
        request
    }

    /// Asks for up to five reports at once.
    ///
    /// # Errors
    /// As for every request.
    pub(super) async fn batch(
        &self,
        unit: &Ga3View,
        requests: &[Value],
        what: &str,
    ) -> Result<Batch, SourceError> {
        let body = json!({"reportRequests": requests, "useResourceQuotas": false});
        let request = HttpRequest::post("/v4/reports:batchGet", what).json(&body);
        let what = format!("{what} (view {})", unit.view);
        let judge = Judge {
            api: Api::Ga3,
            what: &what,
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
                match serde_json::from_slice::<Batch>(&answer.body) {
                    Ok(batch) => self.accept(batch, requests.len(), &what),
                    Err(error) => Verdict::Retry(
                        Fault::Unavailable,
                        format!("the answer is no batch of reports: {error}"),
                    ),
                }
            })
            .await
    }

    /// A batch with a report for every request, of the columns that were asked for.
    fn accept(&self, batch: Batch, requests: usize, what: &str) -> Verdict<Batch> {
        let asked = dimensions(&self.report);
        let fits = |report: &Report| {
            let header = &report.column_header;
            let metrics = header.metric_header.metric_header_entries.len();
            let named = header.dimensions == asked || report.data.rows.is_empty();
            named
                && report.data.rows.iter().all(|row| {
                    row.dimensions.len() == asked.len()
                        && row
                            .metrics
                            .first()
                            .is_some_and(|values| values.values.len() == metrics)
                })
        };
        if batch.reports.len() == requests && batch.reports.iter().all(fits) {
            return Verdict::Good(batch);
        }
        Verdict::Refuse(SourceError::Refused {
            what: what.to_owned(),
            why: format!(
                "the answer has {} reports, or other columns than were asked for",
                batch.reports.len()
            ),
            advice: "check what stands at base_url: it does not speak the Reporting API v4",
        })
    }
}
