//! Checks of the sections of Marketo and Google Analytics.

use std::collections::HashSet;

use toml::Spanned;

use super::{ConfigError, Place, mistakes, parameter_complaint};
use crate::{Ga3Report, Ga3Settings, Ga4Report, Ga4Settings, MarketoSettings};
use lakehand_base::dataset::ReportName;

/// Settings all sources have in common.
struct Common<'a> {
    base_url: &'a str,
    /// An address of the source.
    example: &'a str,
    requests_per_second: f64,
    concurrency: usize,
    attempts: u32,
}

impl Common<'_> {
    fn complaint(&self) -> Option<String> {
        let address = mistakes::address_complaint(self.base_url, self.example);
        if address.is_some() {
            address
        } else if !(self.requests_per_second > 0.0 && self.requests_per_second <= 1000.0) {
            Some("requests_per_second must be above 0 and at most 1000".to_owned())
        } else if self.concurrency == 0 || self.concurrency > 64 {
            Some("concurrency must be from 1 to 64".to_owned())
        } else if self.attempts == 0 {
            Some("attempts must be at least 1".to_owned())
        } else {
            None
        }
    }
}

fn trim(base_url: &mut String) {
    base_url.truncate(base_url.trim_end_matches('/').len());
}

impl Place<'_> {
    pub(super) fn marketo(
        &self,
        settings: Option<Spanned<MarketoSettings>>,
    ) -> Result<Option<MarketoSettings>, ConfigError> {
        let prepared = |s: &mut MarketoSettings| {
            trim(&mut s.base_url);
            Ok(())
        };
        self.section(settings, prepared, |s| {
            let common = Common {
                base_url: &s.base_url,
                example: "https://123-ABC-456.mktorest.com",
                requests_per_second: 1.0,
                concurrency: s.concurrency,
                attempts: s.attempts,
            };
            common
                .complaint()
                .or_else(|| marketo_complaint(s))
                .or_else(|| {
                    parameter_complaint([
                        &s.munchkin_id_parameter,
                        &s.client_id_parameter,
                        &s.client_secret_parameter,
                    ])
                })
        })
    }

    pub(super) fn ga4(
        &self,
        settings: Option<Spanned<Ga4Settings>>,
    ) -> Result<Option<Ga4Settings>, ConfigError> {
        self.section(settings, prepare_ga4, |s| {
            let common = Common {
                base_url: &s.base_url,
                example: "https://analyticsdata.googleapis.com",
                requests_per_second: s.requests_per_second,
                concurrency: s.concurrency,
                attempts: s.attempts,
            };
            let own = || ga4_complaint(s);
            common
                .complaint()
                .or_else(own)
                .or_else(|| parameter_complaint([&s.key_parameter]))
        })
    }

    pub(super) fn ga3(
        &self,
        settings: Option<Spanned<Ga3Settings>>,
    ) -> Result<Option<Ga3Settings>, ConfigError> {
        let prepared = |s: &mut Ga3Settings| {
            trim(&mut s.base_url);
            Ok(())
        };
        self.section(settings, prepared, |s| {
            let common = Common {
                base_url: &s.base_url,
                example: "https://analyticsreporting.googleapis.com",
                requests_per_second: s.requests_per_second,
                concurrency: s.concurrency,
                attempts: s.attempts,
            };
            let own = || ga3_complaint(s);
            common
                .complaint()
                .or_else(own)
                .or_else(|| parameter_complaint([&s.key_parameter]))
        })
    }

    /// A section that is prepared and has nothing to complain of; the complaint names its place.
    fn section<T>(
        &self,
        settings: Option<Spanned<T>>,
        prepare: impl FnOnce(&mut T) -> Result<(), String>,
        complaint: impl FnOnce(&T) -> Option<String>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(settings) = settings else {
            return Ok(None);
        };
        let at = settings.span().start;
        let mut section = settings.into_inner();
        let complaint = match prepare(&mut section) {
            Ok(()) => complaint(&section),
            Err(complaint) => Some(complaint),
        };
        complaint.map_or(Ok(Some(section)), |message| {
            Err(self.invalid(self.place_of(at, &message), message))
        })
    }
}

fn marketo_complaint(s: &MarketoSettings) -> Option<String> {
    if s.concurrency > 10 {
        Some("concurrency must be at most 10: the instance takes no more".to_owned())
    } else if !(1..=100).contains(&s.calls_per_20_seconds) {
        Some("calls_per_20_seconds must be from 1 to 100".to_owned())
    } else if !(1..=300).contains(&s.batch_size) {
        Some("batch_size must be from 1 to 300".to_owned())
    } else {
        None
    }
}

/// Filters may be written as JSON text.
fn prepare_ga4(s: &mut Ga4Settings) -> Result<(), String> {
    trim(&mut s.base_url);
    for report in &mut s.reports {
        for filter in [&mut report.dimension_filter, &mut report.metric_filter] {
            if let Some(serde_json::Value::String(text)) = filter {
                let read = serde_json::from_str(text);
                *filter = Some(read.map_err(|error| {
                    format!("a filter of report {} is no JSON: {error}", report.name)
                })?);
            }
        }
    }
    Ok(())
}

fn ga4_complaint(s: &Ga4Settings) -> Option<String> {
    if !(1..=250_000).contains(&s.page_limit) {
        return Some("page_limit must be from 1 to 250000".to_owned());
    }
    if !(0.0..1.0).contains(&s.stop_at_quota_share) || !(0.0..=1.0).contains(&s.max_other_share) {
        return Some("stop_at_quota_share and max_other_share must be from 0 to 1".to_owned());
    }
    reports_complaint(&s.reports, |report| report.name, ga4_report_complaint)
}

/// The first complaint of a list of reports, whose names must differ.
fn reports_complaint<R>(
    reports: &[R],
    name: impl Fn(&R) -> ReportName,
    complaint: impl Fn(&R) -> Option<String>,
) -> Option<String> {
    let mut names = HashSet::new();
    reports.iter().find_map(|report| {
        let name = name(report);
        if names.insert(name) {
            complaint(report)
        } else {
            Some(format!("there are two reports named {name}"))
        }
    })
}

fn ga4_report_complaint(report: &Ga4Report) -> Option<String> {
    let name = report.name;
    let digits = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    let bad = report
        .properties
        .iter()
        .find(|unit| !digits(&unit.property));
    if let Some(bad) = bad {
        return Some(format!(
            "report {name}: '{}' is no property id; it has digits only, without properties/",
            bad.property
        ));
    }
    if report.properties.is_empty() {
        return Some(format!("report {name} has no property"));
    }
    if report.dimensions.len() > 8 || report.metrics.is_empty() || report.metrics.len() > 10 {
        return Some(format!(
            "report {name} must have at most 8 dimensions and 1 to 10 metrics"
        ));
    }
    if report.dimensions.iter().any(|name| name == "date") {
        return Some(format!(
            "report {name}: leave out the dimension date, every day is asked for by itself"
        ));
    }
    twice(report.dimensions.iter().chain(&report.metrics))
        .map(|field| format!("report {name} has {field} twice"))
}

fn ga3_complaint(s: &Ga3Settings) -> Option<String> {
    if !(1..=100_000).contains(&s.page_size) {
        return Some("page_size must be from 1 to 100000".to_owned());
    }
    reports_complaint(&s.reports, |report| report.name, ga3_report_complaint)
}

fn ga3_report_complaint(report: &Ga3Report) -> Option<String> {
    let name = report.name;
    if report.views.is_empty() || report.segments.len() > 4 {
        return Some(format!(
            "report {name} must have a view, and at most 4 segments"
        ));
    }
    if report.dimensions.len() > 7 || report.metrics.is_empty() || report.metrics.len() > 50 {
        return Some(format!(
            "report {name} must have at most 7 dimensions and 1 to 50 metrics"
        ));
    }
    let mut dimensions = report.dimensions.iter();
    if dimensions.any(|name| matches!(name.as_str(), "ga:date" | "ga:segment")) {
        return Some(format!(
            "report {name}: leave out ga:date and ga:segment, they are asked for anyway"
        ));
    }
    twice(report.dimensions.iter().chain(&report.metrics))
        .map(|field| format!("report {name} has {field} twice"))
}

fn twice<'a>(fields: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    let mut seen = HashSet::new();
    fields
        .into_iter()
        .find(|field| !seen.insert(field.as_str()))
}
