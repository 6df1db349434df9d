//! Results of the Data API from files, as `analytics.usa.gov` publishes them: `name`, `query`, `data[]`.
//!
//! The rows are served as they are. A file with the dimension `date` answers for each of its days; one
//! without it is the sum of a range, and answers for the range's last day alone.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde_json::Value;

use super::{
    errors::Refusal,
    query::{Query, Row, property_id},
    report::{Table, is_other},
};
use crate::archive::{ArchiveError, SkippedLine};

/// One file, taken in.
#[derive(Debug)]
struct FileReport {
    property: String,
    dimensions: Vec<String>,
    metrics: Vec<String>,
    metric_types: Vec<&'static str>,
    /// Place of the dimension `date`.
    date: Option<usize>,
    /// Last day of a file without it.
    day: Option<Date>,
    taken_at: Option<Timestamp>,
    sampling: Value,
    rows: Vec<Row>,
}

/// The results of a folder.
#[derive(Debug, Default)]
pub(crate) struct GoogleFiles {
    reports: Vec<FileReport>,
    skipped: Vec<SkippedLine>,
}

/// JSON files in the folder or in one named `ga4` in it.
fn candidates(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in [directory.to_path_buf(), directory.join("ga4")] {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        found.extend(paths.filter(|path| path.extension().is_some_and(|end| end == "json")));
    }
    found.sort();
    found
}

impl GoogleFiles {
    /// Takes in a folder's results; `None` when there are none. JSON files of another shape are not ours.
    pub(crate) fn open(directory: &Path) -> Result<Option<Self>, ArchiveError> {
        let mut all = Self::default();
        for path in candidates(directory) {
            let Ok(text) = fs::read(&path) else { continue };
            let Ok(file) = serde_json::from_slice::<Value>(&text) else {
                continue;
            };
            if file["query"]["metrics"].is_array() && file["query"]["property"].is_string() {
                match FileReport::read(&file) {
                    Ok(report) => all.reports.push(report),
                    Err(reason) => all.skipped.push(SkippedLine {
                        file: path,
                        line: 1,
                        reason,
                    }),
                }
            }
        }
        Ok((!all.reports.is_empty() || !all.skipped.is_empty()).then_some(all))
    }

    /// Files that are not served, each with its reason.
    pub(crate) fn skipped(&self) -> &[SkippedLine] {
        &self.skipped
    }

    /// When the newest result was taken.
    pub(crate) fn newest(&self) -> Option<i64> {
        let taken = self.reports.iter().filter_map(|report| report.taken_at);
        taken.max().map(Timestamp::as_second)
    }

    /// Whether some result is of the property.
    pub(super) fn has(&self, property: &str) -> bool {
        self.reports
            .iter()
            .any(|report| report.property == property)
    }

    /// The rows a query asks for.
    pub(super) fn table(&self, property: &str, query: &Query) -> Result<Table, Refusal> {
        let own = || {
            self.reports
                .iter()
                .filter(|report| report.property == property)
        };
        let with_rows =
            |report: &&FileReport| report.answers(query) && !report.table(query).rows.is_empty();
        // Several may hold the same fields, of other days: the first one with rows of these days.
        let found = own().find(with_rows);
        let Some(report) = found.or_else(|| own().find(|report| report.answers(query))) else {
            let known: Vec<String> = own()
                .map(|report| format!("{:?} by {:?}", report.metrics, report.dimensions))
                .collect();
            return Err(Refusal::Bad(format!(
                "The files of this property hold no such report, only: {}",
                known.join("; ")
            )));
        };
        Ok(report.table(query))
    }
}

impl FileReport {
    fn read(file: &Value) -> Result<Self, String> {
        let names = |list: &str| -> Vec<String> {
            let items = file["query"][list].as_array().into_iter().flatten();
            items
                .filter_map(|item| item["name"].as_str().map(str::to_owned))
                .collect()
        };
        let (dimensions, metrics) = (names("dimensions"), names("metrics"));
        let data = file["data"].as_array().ok_or("it has no data")?;
        let width = dimensions.len() + metrics.len();
        let mut rows = Vec::with_capacity(data.len());
        for (number, row) in data.iter().enumerate() {
            let row = row.as_object().ok_or("a row is no object")?;
            // Columns are renamed by the publisher, but stand in the order of the query.
            let mut values: Vec<String> = row
                .values()
                .map(|value| {
                    value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned)
                })
                .collect();
            if values.len() != width {
                return Err(format!(
                    "row {} has {} values, the query {width} fields",
                    number + 1,
                    values.len()
                ));
            }
            let metrics = values.split_off(dimensions.len());
            rows.push(Row {
                dimensions: values,
                metrics,
            });
        }
        let metric_types = (0..metrics.len()).map(|place| {
            let whole = rows.iter().all(|row| {
                let value = row.metrics[place].as_bytes();
                !value.is_empty() && value.iter().all(u8::is_ascii_digit)
            });
            if whole { "TYPE_INTEGER" } else { "TYPE_FLOAT" }
        });
        let taken_at: Option<Timestamp> = file["taken_at"].as_str().and_then(|at| at.parse().ok());
        let day = taken_at.map(|at| TimeZone::UTC.to_datetime(at).date());
        let ends_yesterday = file["query"]["dateRanges"][0]["endDate"] == "yesterday";
        Ok(Self {
            property: property_id(file["query"]["property"].as_str().unwrap_or("")).to_owned(),
            date: dimensions.iter().position(|name| name == "date"),
            day: match ends_yesterday {
                true => day.map(|day| day.saturating_sub(1.day())),
                false => day,
            },
            sampling: file["sampling"].clone(),
            metric_types: metric_types.collect(),
            dimensions,
            metrics,
            taken_at,
            rows,
        })
    }

    /// Whether it has the fields a query asks for, in that order; `date` may be left out.
    fn answers(&self, query: &Query) -> bool {
        let without = |names: &[String]| -> Vec<String> {
            names
                .iter()
                .filter(|name| *name != "date")
                .cloned()
                .collect()
        };
        query.metrics == self.metrics && without(&query.dimensions) == without(&self.dimensions)
    }

    fn table(&self, query: &Query) -> Table {
        let inside = |day: Date| {
            query
                .ranges
                .iter()
                .any(|(from, to, _)| *from <= day && day <= *to)
        };
        let wants_date = query.dimensions.iter().any(|name| name == "date");
        let mut rows = Vec::new();
        match self.date {
            Some(place) => {
                for row in &self.rows {
                    let day = &row.dimensions[place];
                    if !day.parse::<Date>().is_ok_and(inside) {
                        continue;
                    }
                    let mut row = row.clone();
                    let day = row.dimensions.remove(place).replace('-', "");
                    if wants_date {
                        row.dimensions.insert(place, day);
                    }
                    rows.push(row);
                }
            }
            None if self.day.is_some_and(inside) => rows.clone_from(&self.rows),
            None => {}
        }
        Table {
            data_loss: rows.iter().any(is_other),
            rows,
            metric_types: self.metric_types.clone(),
            time_zone: "UTC".to_owned(),
            currency: "USD".to_owned(),
            sampling: self.sampling.clone(),
        }
    }
}
