//! The Reporting API v4, played from the same sessions (`source-apis.md` 4).

use std::collections::BTreeMap;

use jiff::civil::Date;
use regex::Regex;
use serde_json::{Value, json};

use super::{
    errors::Refusal,
    fields::{Dimension, Metric, Sums},
    query,
    world::{Cell, GoogleTruth, Property},
};

/// Most requests of a batch.
const MOST_REQUESTS: usize = 5;
/// Most rows of a page.
const MOST_ROWS: u64 = 100_000;

fn bad<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Bad(message.into()))
}

/// One request of a batch, checked.
struct Asked {
    property: &'static Property,
    ranges: Vec<(Date, Date)>,
    /// `None` for `ga:segment`.
    dimensions: Vec<(String, Option<Dimension>)>,
    metrics: Vec<(String, Metric, &'static str)>,
    segments: Vec<(String, &'static str)>,
    filters: Option<String>,
    page_size: u64,
    first: u64,
    sampled: bool,
    /// Moves the figures of a day that never settles; a sampled one then comes from half the sample.
    shake: u64,
}

/// Answers `reports:batchGet`.
pub(super) fn batch_get(truth: &GoogleTruth, body: &Value, shake: u64) -> Result<Value, Refusal> {
    let Some(requests) = body["reportRequests"].as_array() else {
        return bad("The request must have reportRequests.");
    };
    if requests.is_empty() || requests.len() > MOST_REQUESTS {
        return bad(format!(
            "There must be 1 to {MOST_REQUESTS} requests in a batch."
        ));
    }
    for field in [
        "viewId",
        "dateRanges",
        "segments",
        "samplingLevel",
        "cohortGroup",
    ] {
        if requests
            .iter()
            .any(|request| request[field] != requests[0][field])
        {
            return bad(format!("All requests must have the same {field}."));
        }
    }
    let reports = requests.iter().map(|request| {
        let asked = Asked::read(request, truth.now)?;
        Asked { shake, ..asked }.report(truth)
    });
    let mut answer = json!({ "reports": reports.collect::<Result<Vec<_>, _>>()? });
    if body["useResourceQuotas"] == true {
        answer["queryCost"] = json!(requests.len());
        answer["resourceQuotasRemaining"] =
            json!({"dailyQuotaTokensRemaining": 24_999, "hourlyQuotaTokensRemaining": 4_999});
    }
    Ok(answer)
}

impl Asked {
    fn read(request: &Value, now: i64) -> Result<Self, Refusal> {
        let view = request["viewId"].as_str().unwrap_or("");
        let property = Property::of_view(view).ok_or(Refusal::NoPermission)?;
        let list = |name: &str| request[name].as_array().map_or(&[][..], Vec::as_slice);
        let today = property.today(now);
        let ranges = match list("dateRanges") {
            [] => vec![(
                query::day("7daysAgo", today),
                query::day("yesterday", today),
            )],
            all => all
                .iter()
                .map(|range| {
                    let day = |name: &str| query::day(range[name].as_str().unwrap_or(""), today);
                    (day("startDate"), day("endDate"))
                })
                .collect(),
        };
        let ranges: Option<Vec<_>> = ranges.into_iter().map(|(from, to)| from.zip(to)).collect();
        let Some(ranges) = ranges.filter(|ranges| ranges.len() <= 2) else {
            return bad("Invalid dateRanges.");
        };
        let dimensions = list("dimensions").iter().map(|item| {
            let name = item["name"].as_str().unwrap_or("");
            match (name, Dimension::of_ga3(name)) {
                ("ga:segment", _) => Ok((name.to_owned(), None)),
                (_, Some(known)) => Ok((name.to_owned(), Some(known))),
                _ => bad(format!("Unknown dimension(s): {name}\nFor details see https://developers.google.com/analytics/devguides/reporting/core/dimsmets.")),
            }
        });
        let dimensions: Vec<_> = dimensions.collect::<Result<_, _>>()?;
        let metrics = list("metrics").iter().map(|item| {
            let expression = item["expression"].as_str().unwrap_or("");
            let name = item["alias"].as_str().unwrap_or(expression).to_owned();
            match Metric::of_ga3(expression) {
                Some((metric, kind)) => Ok((name, metric, kind)),
                None => bad(format!("Unknown metric(s): {expression}\nFor details see https://developers.google.com/analytics/devguides/reporting/core/dimsmets.")),
            }
        });
        let mut metrics: Vec<_> = metrics.collect::<Result<_, _>>()?;
        if metrics.is_empty() {
            metrics.push(("ga:sessions".to_owned(), Metric::Sessions, "INTEGER"));
        }
        if dimensions.len() > 9 || metrics.len() > 10 {
            return bad("At most 9 dimensions and 10 metrics are allowed.");
        }
        let segments = segments(list("segments"), &dimensions)?;
        let page_size = request["pageSize"].as_u64().unwrap_or(1_000);
        if page_size > MOST_ROWS {
            return bad(format!("pageSize must be at most {MOST_ROWS}."));
        }
        let token = request["pageToken"].as_str().unwrap_or("0");
        let Ok(first) = token.parse() else {
            return bad("Invalid pageToken.");
        };
        Ok(Self {
            property,
            ranges,
            dimensions,
            metrics,
            segments,
            filters: request["filtersExpression"].as_str().map(str::to_owned),
            page_size,
            first,
            sampled: request["samplingLevel"] == "SMALL",
            shake: 0,
        })
    }

    fn report(&self, truth: &GoogleTruth) -> Result<Value, Refusal> {
        let mut groups = BTreeMap::<Vec<String>, Vec<Sums>>::new();
        let mut golden = true;
        for (number, (from, to)) in self.ranges.iter().enumerate() {
            for day in query::days(*from, *to, self.property, truth.now) {
                golden &= truth.is_golden(self.property, day);
                for mut cell in truth.cells(self.property, day) {
                    cell.sessions += self.shake;
                    self.add(&cell, day, number, &mut groups)?;
                }
            }
        }
        Ok(self.body(groups, golden))
    }

    fn add(
        &self,
        cell: &Cell,
        day: Date,
        range: usize,
        groups: &mut BTreeMap<Vec<String>, Vec<Sums>>,
    ) -> Result<(), Refusal> {
        if let Some(filters) = &self.filters
            && !passes(filters, cell, day)?
        {
            return Ok(());
        }
        for (id, name) in &self.segments {
            if !in_segment(id, cell) {
                continue;
            }
            let key = self
                .dimensions
                .iter()
                .map(|(_, dimension)| match dimension {
                    Some(dimension) => dimension.value(cell, day).into_owned(),
                    None => (*name).to_owned(),
                });
            let sums = groups
                .entry(key.collect())
                .or_insert_with(|| vec![Sums::default(); self.ranges.len()]);
            sums[range].add(cell);
        }
        Ok(())
    }

    fn body(&self, groups: BTreeMap<Vec<String>, Vec<Sums>>, golden: bool) -> Value {
        let values = |sums: &Sums| -> Value {
            let texts = self.metrics.iter().map(|(_, metric, _)| metric.value(sums));
            json!({ "values": texts.collect::<Vec<_>>() })
        };
        let row_count = groups.len();
        let first = usize::try_from(self.first).unwrap_or(usize::MAX);
        let size = usize::try_from(self.page_size).unwrap_or(usize::MAX);
        let rows: Vec<Value> = groups
            .iter()
            .skip(first)
            .take(size)
            .map(|(key, sums)| {
                let metrics: Vec<Value> = sums.iter().map(values).collect();
                json!({"dimensions": key, "metrics": metrics})
            })
            .collect();
        let mut data = json!({});
        let next = first.saturating_add(rows.len());
        if !rows.is_empty() {
            data["rows"] = json!(rows);
        }
        // Totals of what can be added; Google computes the others anew.
        let zero = vec![Sums::default(); self.ranges.len()];
        data["totals"] = json!(zero.iter().map(values).collect::<Vec<_>>());
        if row_count > 0 {
            data["rowCount"] = json!(row_count);
        }
        if golden {
            data["isDataGolden"] = json!(true);
        }
        if self.sampled {
            let read = if self.shake == 0 { "499630" } else { "249815" };
            data["samplesReadCounts"] = json!(vec![read; self.ranges.len()]);
            data["samplingSpaceSizes"] = json!(vec!["15328013"; self.ranges.len()]);
        }
        let entries = self
            .metrics
            .iter()
            .map(|(name, _, kind)| json!({"name": name, "type": kind}));
        let names: Vec<&String> = self.dimensions.iter().map(|(name, _)| name).collect();
        let mut header = json!({
            "metricHeader": {"metricHeaderEntries": entries.collect::<Vec<_>>()}
        });
        if !names.is_empty() {
            header["dimensions"] = json!(names);
        }
        let mut report = json!({"columnHeader": header, "data": data});
        if next < row_count {
            report["nextPageToken"] = json!(next.to_string());
        }
        report
    }
}

type Named = (String, Option<Dimension>);

fn segments(asked: &[Value], dimensions: &[Named]) -> Result<Vec<(String, &'static str)>, Refusal> {
    let wants = dimensions.iter().any(|(name, _)| name == "ga:segment");
    if asked.is_empty() {
        return Ok(vec![("gaid::-1".to_owned(), "All Users")]);
    }
    if !wants {
        return bad("The dimension ga:segment is required when segments are given.");
    }
    if asked.len() > 4 {
        return bad("At most 4 segments are allowed.");
    }
    let read = |item: &Value| {
        let id = item["segmentId"].as_str().unwrap_or("");
        let name = match id {
            "gaid::-1" => "All Users",
            "gaid::-2" => "New Users",
            "gaid::-3" => "Returning Users",
            "gaid::-4" => "Paid Traffic",
            "gaid::-5" => "Organic Traffic",
            "gaid::-7" => "Direct Traffic",
            "gaid::-11" => "Mobile Traffic",
            _ => return bad(format!("Invalid segmentId: {id}")),
        };
        Ok((id.to_owned(), name))
    };
    asked.iter().map(read).collect()
}

fn in_segment(id: &str, cell: &Cell) -> bool {
    match id {
        "gaid::-2" => cell.visitor == "new",
        "gaid::-3" => cell.visitor == "returning",
        "gaid::-4" => cell.medium == "cpc",
        "gaid::-5" => cell.medium == "organic",
        "gaid::-7" => cell.source == "(direct)",
        "gaid::-11" => cell.device.0 == "mobile",
        _ => true,
    }
}

/// `ga:country==Germany;ga:medium!=cpc`: `;` is and, `,` is or and binds tighter.
fn passes(expression: &str, cell: &Cell, day: Date) -> Result<bool, Refusal> {
    for clause in expression.split(';') {
        let mut any = false;
        for part in clause.split(',') {
            any |= condition(part, cell, day)?;
        }
        if !any {
            return Ok(false);
        }
    }
    Ok(true)
}

fn condition(part: &str, cell: &Cell, day: Date) -> Result<bool, Refusal> {
    for operator in ["==", "!=", "=@", "!@", "=~", "!~"] {
        let Some((name, wanted)) = part.split_once(operator) else {
            continue;
        };
        let Some(dimension) = Dimension::of_ga3(name) else {
            return bad(format!("Invalid filter: unknown dimension {name}"));
        };
        let value = dimension.value(cell, day);
        let found = match &operator[1..] {
            "=" => value == wanted,
            "@" => value.contains(wanted),
            _ => match Regex::new(wanted) {
                Ok(regex) => regex.is_match(&value),
                Err(_) => return bad(format!("Invalid regular expression {wanted}")),
            },
        };
        return Ok(found != operator.starts_with('!'));
    }
    bad(format!("Invalid filter expression: {part}"))
}
