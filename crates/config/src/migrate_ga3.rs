//! GA3 reports as GA4 ones: which field became which, and what has no counterpart.
//!
//! Universal Analytics and GA4 count differently, so a migration is a proposal: every mapping is listed with
//! what differs, and nothing that has no counterpart is dropped in silence.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

mod fields;

use fields::{DIMENSIONS, Field, METRICS, SEGMENTS};

use super::{Ga3Report, Ga3Settings, Ga4Property, Ga4Report};

/// A GA3 configuration as a GA4 one.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Migration {
    /// The GA4 reports.
    pub reports: Vec<Ga4Report>,
    /// Which field became which, and what differs.
    pub mapped: Vec<Mapped>,
    /// What has no counterpart.
    pub without_counterpart: Vec<Missing>,
    /// Views whose GA4 property is not known: give each with `--property VIEW=PROPERTY`.
    pub views_without_property: Vec<String>,
}

/// A field that became another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mapped {
    /// The GA3 field or segment.
    pub from: String,
    /// The GA4 field or filter.
    pub to: String,
    /// What differs; empty when nothing does.
    pub differs: String,
}

/// Something that has no counterpart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The report it is in.
    pub report: String,
    /// The field, segment or setting.
    pub what: String,
    /// Why, and what comes closest.
    pub why: String,
}

/// Turns GA3 reports into GA4 ones. `properties` names the GA4 property of a view.
#[must_use]
pub fn migrate(ga3: &Ga3Settings, properties: &BTreeMap<String, String>) -> Migration {
    let mut all = Migration::default();
    for report in &ga3.reports {
        all.report(report, properties);
    }
    all.mapped.sort();
    all.mapped.dedup();
    all.views_without_property.sort();
    all.views_without_property.dedup();
    all
}

impl Migration {
    /// The reports as a part of `config.toml`. A view whose property is not known stands in a comment.
    #[must_use]
    pub fn toml(&self, profile: &str, ga3: &Ga3Settings) -> String {
        let mut text = format!(
            "[profiles.{profile}.ga4]\nkey_parameter = {:?}\n",
            ga3.key_parameter
        );
        for report in &self.reports {
            let value = json!(report);
            text.push_str(&format!("\n[[profiles.{profile}.ga4.reports]]\n"));
            if report.properties.is_empty() {
                text.push_str("# No property is known for its views: add properties = [{ business_unit = \"…\", property = \"…\" }]\n");
            }
            for (name, value) in value.as_object().into_iter().flatten() {
                text.push_str(&format!("{name} = {}\n", inline(value)));
            }
        }
        text
    }

    fn report(&mut self, report: &Ga3Report, properties: &BTreeMap<String, String>) {
        let name = report.name.as_str();
        let dimensions = self.fields(name, &report.dimensions, &DIMENSIONS, "dimension");
        let metrics = self.fields(name, &report.metrics, &METRICS, "metric");
        let filter = report
            .filters_expression
            .as_deref()
            .and_then(|filters| self.filters(name, filters));
        let mut units = Vec::new();
        for unit in &report.views {
            match properties.get(&unit.view) {
                Some(property) => units.push(Ga4Property {
                    business_unit: unit.business_unit.clone(),
                    property: property.clone(),
                }),
                None => self.views_without_property.push(unit.view.clone()),
            }
        }
        if metrics.is_empty() {
            self.miss(
                name,
                "the report".to_owned(),
                "none of its metrics has a counterpart",
            );
            return;
        }
        if metrics.len() > 10 {
            self.miss(
                name,
                metrics[10..].join(", "),
                "a GA4 report has ten metrics; put these into a report of their own",
            );
        }
        for (suffix, segment) in self.segments(report) {
            let full = if suffix.is_empty() {
                name.to_owned()
            } else {
                format!("{name}_{suffix}")
            };
            let Ok(full) = full.parse() else {
                self.miss(name, full, "the name is too long for a report");
                continue;
            };
            self.reports.push(Ga4Report {
                name: full,
                properties: units.clone(),
                dimensions: dimensions.clone(),
                metrics: metrics.iter().take(10).cloned().collect(),
                dimension_filter: both(filter.clone(), segment),
                metric_filter: None,
                keep_empty_rows: false,
                settle_days: 31,
            });
        }
    }

    fn fields(
        &mut self,
        report: &str,
        names: &[String],
        table: &[Field],
        kind: &str,
    ) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for name in names {
            match table.iter().find(|(ga3, _, _)| ga3 == name) {
                Some((from, to, differs)) => {
                    self.map(from, to, differs);
                    if !found.iter().any(|known| known == to) {
                        found.push((*to).to_owned());
                    }
                }
                None => {
                    let why = format!("GA4 has no such {kind}; {}", closest(name));
                    self.miss(report, name.clone(), &why);
                }
            }
        }
        found
    }

    /// Each segment of a report as the end of a name and a filter; one without any when it has none.
    fn segments(&mut self, report: &Ga3Report) -> Vec<(&'static str, Option<Value>)> {
        let mut found = Vec::new();
        for id in &report.segments {
            match SEGMENTS.iter().find(|(known, _, _)| known == id) {
                Some((_, suffix, None)) => {
                    self.map(id, "no filter", "");
                    found.push((*suffix, None));
                }
                Some((_, suffix, Some((field, value)))) => {
                    let to = format!("dimension_filter {field} = {value}");
                    self.map(id, &to, "sessions, not users, are told apart");
                    found.push((*suffix, Some(exact(field, value))));
                }
                None => self.miss(
                    report.name.as_str(),
                    id.clone(),
                    "segments of an account have no counterpart in the Data API; build an audience, or a dimension_filter",
                ),
            }
        }
        if report.segments.is_empty() {
            found.push(("", None));
        }
        // A single segment needs no name of its own.
        if let [(suffix, _)] = found.as_mut_slice() {
            *suffix = "";
        }
        found
    }

    /// `ga:country==Germany;ga:medium!=cpc` as a filter expression; `None` when a part has no counterpart.
    fn filters(&mut self, report: &str, text: &str) -> Option<Value> {
        let mut all = Vec::new();
        for clause in text.split(';') {
            let any: Option<Vec<Value>> = clause.split(',').map(condition).collect();
            match any {
                Some(mut one) if one.len() == 1 => all.extend(one.pop()),
                Some(any) => all.push(json!({"orGroup": {"expressions": any}})),
                None => {
                    self.miss(
                        report,
                        clause.to_owned(),
                        "this part of filters_expression has no counterpart; write a dimension_filter or metric_filter",
                    );
                }
            }
        }
        match all.len() {
            0 | 1 => all.pop(),
            _ => Some(json!({"andGroup": {"expressions": all}})),
        }
    }

    fn map(&mut self, from: &str, to: &str, differs: &str) {
        self.mapped.push(Mapped {
            from: from.to_owned(),
            to: to.to_owned(),
            differs: differs.to_owned(),
        });
    }

    fn miss(&mut self, report: &str, what: String, why: &str) {
        self.without_counterpart.push(Missing {
            report: report.to_owned(),
            what,
            why: why.to_owned(),
        });
    }
}

/// What comes closest to a field without counterpart.
fn closest(name: &str) -> &'static str {
    let name = name.strip_prefix("ga:").unwrap_or(name);
    if name.starts_with("goal") {
        "goals are key events: make one and ask for keyEvents:<name>"
    } else if name.starts_with("dimension") || name.starts_with("metric") {
        "custom definitions are made anew: customEvent:<name> or customUser:<name>"
    } else if name.contains('/') || name.contains('*') {
        "write an expression on the metrics that its parts became"
    } else if name.starts_with("exit") || name.starts_with("entrance") {
        "count session_start events, or use the landing page"
    } else {
        "look for it in the API schema of the Data API"
    }
}

fn condition(part: &str) -> Option<Value> {
    let operators = [
        ("==", "EXACT", false),
        ("!=", "EXACT", true),
        ("=@", "CONTAINS", false),
        ("!@", "CONTAINS", true),
        ("=~", "PARTIAL_REGEXP", false),
        ("!~", "PARTIAL_REGEXP", true),
    ];
    operators.iter().find_map(|(operator, kind, negated)| {
        let (name, value) = part.split_once(operator)?;
        let (_, field, _) = DIMENSIONS.iter().find(|(ga3, _, _)| *ga3 == name)?;
        let filter = json!({"filter": {
            "fieldName": field,
            "stringFilter": {"matchType": kind, "value": value, "caseSensitive": true},
        }});
        Some(if *negated {
            json!({ "notExpression": filter })
        } else {
            filter
        })
    })
}

fn exact(field: &str, value: &str) -> Value {
    json!({"filter": {"fieldName": field, "stringFilter": {"value": value}}})
}

fn both(one: Option<Value>, other: Option<Value>) -> Option<Value> {
    match (one, other) {
        (Some(one), Some(other)) => Some(json!({"andGroup": {"expressions": [one, other]}})),
        (one, other) => one.or(other),
    }
}

/// A value on one line of TOML.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{name} = {}", inline(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => toml::Value::String(text.clone()).to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Ga3View, Home, SamplingLevel};

    fn ga3(report: Ga3Report) -> Ga3Settings {
        Ga3Settings {
            reports: vec![report],
            ..Ga3Settings::default()
        }
    }

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn report() -> Ga3Report {
        Ga3Report {
            name: "traffic".parse().unwrap(),
            views: [("de", "1"), ("fr", "2")]
                .map(|(business_unit, view)| Ga3View {
                    business_unit: business_unit.to_owned(),
                    view: view.to_owned(),
                })
                .to_vec(),
            dimensions: texts(&["ga:source", "ga:campaign", "ga:dimension3"]),
            metrics: texts(&["ga:sessions", "ga:goal1Completions", "ga:bounceRate"]),
            segments: texts(&["gaid::-1", "gaid::-3", "abc-DEF"]),
            filters_expression: Some(
                "ga:country==Côte d’Ivoire,ga:country=~^Ger;ga:medium!=cpc;ga:sessions>5"
                    .to_owned(),
            ),
            sampling_level: SamplingLevel::Large,
        }
    }

    #[test]
    fn fields_are_mapped_and_what_has_no_counterpart_is_named() {
        let properties = BTreeMap::from([("1".to_owned(), "310000001".to_owned())]);
        let migration = migrate(&ga3(report()), &properties);
        let names: Vec<_> = migration
            .reports
            .iter()
            .map(|report| report.name.as_str())
            .collect();
        assert_eq!(names, ["traffic", "traffic_returning"]);
        let first = &migration.reports[0];
        assert_eq!(first.dimensions, ["sessionSource", "sessionCampaignName"]);
        assert_eq!(first.metrics, ["sessions", "bounceRate"]);
        assert_eq!(first.properties.len(), 1);
        assert_eq!(migration.views_without_property, ["2"]);
        let missing: Vec<_> = migration
            .without_counterpart
            .iter()
            .map(|missing| missing.what.as_str())
            .collect();
        assert_eq!(
            missing,
            [
                "ga:dimension3",
                "ga:goal1Completions",
                "ga:sessions>5",
                "abc-DEF"
            ]
        );
        let rate = migration
            .mapped
            .iter()
            .find(|mapped| mapped.from == "ga:bounceRate")
            .unwrap();
        assert!(rate.differs.contains("0 to 1"), "{rate:?}");
    }

    #[test]
    fn what_is_printed_is_a_configuration_with_the_same_reports() {
        let settings = ga3(report());
        let properties = [("1", "310000001"), ("2", "310000002")];
        let properties = properties.map(|(view, property)| (view.to_owned(), property.to_owned()));
        let migration = migrate(&settings, &properties.into());
        let text = migration.toml("local", &settings);
        let home = Home::below(std::path::Path::new("/somewhere"));
        let config = Config::parse(&text, &home).unwrap();
        let ga4 = config.profile(None).unwrap().ga4.clone().unwrap();
        assert_eq!(ga4.reports, migration.reports, "{text}");
        let filter = ga4.reports[1]
            .dimension_filter
            .as_ref()
            .unwrap()
            .to_string();
        assert!(
            filter.contains("Côte d’Ivoire") && filter.contains("returning"),
            "{filter}"
        );
    }

    #[test]
    fn every_field_is_mapped_once() {
        for table in [&DIMENSIONS[..], &METRICS[..]] {
            let mut names: Vec<_> = table.iter().map(|(ga3, _, _)| *ga3).collect();
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }
}
