//! One reading of a day, put together from the pages of up to five requests.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::answer::Report;

/// One reading of all pages of a day.
#[derive(Default)]
pub(super) struct Round {
    /// Dimension values to metric values, in the report's order.
    pub rows: IndexMap<Vec<String>, Vec<Option<String>>>,
    /// Rows that came twice in one request.
    pub repeated: u64,
    /// Whether every request gave as many rows as it counted.
    pub counted: bool,
    pub types: BTreeMap<String, String>,
    pub golden: bool,
    pub sampled: Option<(u64, u64)>,
    pub empty_reason: Option<String>,
}

impl Round {
    /// Takes a page in; its metrics stand from `first` on among all of the report.
    pub(super) fn take(&mut self, report: Report, first: usize, metrics: usize) {
        for entry in report.column_header.metric_header.metric_header_entries {
            self.types.entry(entry.name).or_insert(entry.kind);
        }
        self.golden &= report.data.is_data_golden;
        let number = |texts: &[String]| texts.first().and_then(|text| text.parse::<u64>().ok());
        if let Some(read) = number(&report.data.samples_read_counts) {
            let space = number(&report.data.sampling_space_sizes).unwrap_or_default();
            self.sampled = Some((read, space));
        }
        if report.data.empty_reason.is_some() {
            self.empty_reason = report.data.empty_reason;
        }
        for row in report.data.rows {
            let values = row.metrics.into_iter().next().unwrap_or_default().values;
            let known = self
                .rows
                .entry(row.dimensions)
                .or_insert_with(|| vec![None; metrics]);
            for (place, value) in values.into_iter().enumerate() {
                if let Some(cell) = known.get_mut(first + place) {
                    *cell = Some(value);
                }
            }
        }
    }
}
