//! Checks of the sections of Marketo and Google Analytics.

use std::collections::HashSet;

use toml::Spanned;

use super::{ConfigError, Place, parameter_complaint};
use crate::config::{Ga3Settings, Ga4Report, Ga4Settings, MarketoSettings};

/// Settings all sources have in common.
struct Common<'a> {
    base_url: &'a str,
    requests_per_second: f64,
    concurrency: usize,
    attempts: u32,
}

impl Common<'_> {
    fn complaint(&self) -> Option<String> {
        let address = url::Url::parse(self.base_url);
        if !self.base_url.is_empty()
            && address.map_or(true, |url| !matches!(url.scheme(), "http" | "https"))
        {
            Some(format!(
                "base_url '{}' is not an http(s) address",
                self.base_url
            ))
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
        let Some(settings) = settings else {
            return Ok(None);
        };
        let at = settings.span().start;
        let mut s = settings.into_inner();
        trim(&mut s.base_url);
        let common = Common {
            base_url: &s.base_url,
            requests_per_second: 1.0,
            concurrency: s.concurrency,
            attempts: s.attempts,
        };
        let complaint = common.complaint().or_else(|| {
            if s.concurrency > 10 {
                Some("concurrency must be at most 10: the instance takes no more".to_owned())
            } else if !(1..=100).contains(&s.calls_per_20_seconds) {
                Some("calls_per_20_seconds must be from 1 to 100".to_owned())
            } else if !(1..=300).contains(&s.batch_size) {
                Some("batch_size must be from 1 to 300".to_owned())
            } else {
                None
            }
        });
        complaint
            .or_else(|| {
                parameter_complaint([
                    &s.munchkin_id_parameter,
                    &s.client_id_parameter,
                    &s.client_secret_parameter,
                ])
            })
            .map_or(Ok(Some(s)), |message| Err(self.invalid(at, message)))
    }

    pub(super) fn ga4(
        &self,
        settings: Option<Spanned<Ga4Settings>>,
    ) -> Result<Option<Ga4Settings>, ConfigError> {
        let Some(settings) = settings else {
            return Ok(None);
        };
        let at = settings.span().start;
        let mut s = settings.into_inner();
        trim(&mut s.base_url);
        for report in &mut s.reports {
            for filter in [&mut report.dimension_filter, &mut report.metric_filter] {
                if let Some(serde_json::Value::String(text)) = filter {
                    *filter = Some(serde_json::from_str(text).map_err(|error| {
                        self.invalid(
                            at,
                            format!("a filter of report {} is no JSON: {error}", report.name),
                        )
                    })?);
                }
            }
        }
        let complaint = ga4_complaint(&s).or_else(|| parameter_complaint([&s.key_parameter]));
        complaint.map_or(Ok(Some(s)), |message| Err(self.invalid(at, message)))
    }

    pub(super) fn ga3(
        &self,
        settings: Option<Spanned<Ga3Settings>>,
    ) -> Result<Option<Ga3Settings>, ConfigError> {
        let Some(settings) = settings else {
            return Ok(None);
        };
        let at = settings.span().start;
        let mut s = settings.into_inner();
        trim(&mut s.base_url);
        let complaint = ga3_complaint(&s).or_else(|| parameter_complaint([&s.key_parameter]));
        complaint.map_or(Ok(Some(s)), |message| Err(self.invalid(at, message)))
    }
}

fn ga4_complaint(s: &Ga4Settings) -> Option<String> {
    let common = Common {
        base_url: &s.base_url,
        requests_per_second: s.requests_per_second,
        concurrency: s.concurrency,
        attempts: s.attempts,
    };
    if let Some(complaint) = common.complaint() {
        return Some(complaint);
    }
    if !(1..=250_000).contains(&s.page_limit) {
        return Some("page_limit must be from 1 to 250000".to_owned());
    }
    if !(0.0..1.0).contains(&s.stop_at_quota_share) || !(0.0..=1.0).contains(&s.max_other_share) {
        return Some("stop_at_quota_share and max_other_share must be from 0 to 1".to_owned());
    }
    let mut names = HashSet::new();
    s.reports.iter().find_map(|report| {
        if names.insert(report.name) {
            ga4_report_complaint(report)
        } else {
            Some(format!("there are two reports named {}", report.name))
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
    let common = Common {
        base_url: &s.base_url,
        requests_per_second: s.requests_per_second,
        concurrency: s.concurrency,
        attempts: s.attempts,
    };
    if let Some(complaint) = common.complaint() {
        return Some(complaint);
    }
    if !(1..=100_000).contains(&s.page_size) {
        return Some("page_size must be from 1 to 100000".to_owned());
    }
    let mut names = HashSet::new();
    s.reports.iter().find_map(|report| {
        let name = report.name;
        if !names.insert(name) {
            return Some(format!("there are two reports named {name}"));
        }
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
        if report
            .dimensions
            .iter()
            .any(|name| matches!(name.as_str(), "ga:date" | "ga:segment"))
        {
            return Some(format!(
                "report {name}: leave out ga:date and ga:segment, they are asked for anyway"
            ));
        }
        twice(report.dimensions.iter().chain(&report.metrics))
            .map(|field| format!("report {name} has {field} twice"))
    })
}

fn twice<'a>(fields: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    let mut seen = HashSet::new();
    fields
        .into_iter()
        .find(|field| !seen.insert(field.as_str()))
}
