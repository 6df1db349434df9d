//! The sources of a sample lake: which reports and instances there are, how they are reached, with what keys.

use secrecy::SecretString;

use crate::{
    config::{
        Ga3Report, Ga3Settings, Ga3View, Ga4Property, Ga4Report, Ga4Settings, MarketoSettings,
        Profile, SamplingLevel,
    },
    pipeline::dataset::ReportName,
    simulator::{self, RunningSimulator, google::PROPERTIES},
};

/// The profile with the reports and instances that the simulator has.
pub fn with_all_sources(profile: &Profile) -> Profile {
    let mut profile = profile.clone();
    profile.marketo = Some(MarketoSettings {
        // The instance's clock is that of the sample.
        lag_minutes: 0,
        poll_seconds: 1,
        // Leads of the sample are up to ninety days old.
        lead_history_days: 93,
        ..MarketoSettings::default()
    });
    profile.ga4 = Some(Ga4Settings {
        reports: "traffic".parse().map(ga4_report).into_iter().collect(),
        ..Ga4Settings::default()
    });
    profile.ga3 = Some(Ga3Settings {
        reports: "archive".parse().map(ga3_report).into_iter().collect(),
        ..Ga3Settings::default()
    });
    profile
}

fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(|text| (*text).to_owned()).collect()
}

/// What the marketing datamart reads.
fn ga4_report(name: ReportName) -> Ga4Report {
    let properties = PROPERTIES.iter().map(|of| Ga4Property {
        business_unit: of.business_unit.to_owned(),
        property: of.property.to_owned(),
    });
    Ga4Report {
        name,
        properties: properties.collect(),
        dimensions: texts(&["sessionSource", "sessionMedium", "sessionCampaignName"]),
        metrics: texts(&["sessions", "totalUsers", "keyEvents"]),
        dimension_filter: None,
        metric_filter: None,
        keep_empty_rows: false,
        settle_days: 31,
    }
}

/// The same figures as the retired Google Analytics 3 gave them.
fn ga3_report(name: ReportName) -> Ga3Report {
    let views = PROPERTIES.iter().map(|of| Ga3View {
        business_unit: of.business_unit.to_owned(),
        view: of.view.to_owned(),
    });
    Ga3Report {
        name,
        views: views.collect(),
        dimensions: texts(&["ga:source", "ga:medium", "ga:campaign"]),
        metrics: texts(&["ga:sessions", "ga:users", "ga:goalCompletionsAll"]),
        segments: Vec::new(),
        filters_expression: None,
        sampling_level: SamplingLevel::Large,
    }
}

/// The profile led to the simulator. Nobody's quota is spent on loopback, so nothing is held back.
pub fn led_to(base_url: &str, profile: &Profile) -> Profile {
    const REQUESTS_PER_SECOND: f64 = 1000.0;
    let hurry = |first: &mut u64, longest: &mut u64| {
        *first = (*first).min(50);
        *longest = (*longest).min(500);
    };
    let mut profile = profile.clone();
    let affise = &mut profile.affise;
    affise.base_url = base_url.to_owned();
    affise.requests_per_second = REQUESTS_PER_SECOND;
    affise.concurrency = affise.concurrency.max(4);
    hurry(
        &mut affise.first_retry_wait_ms,
        &mut affise.max_retry_wait_ms,
    );
    if let Some(marketo) = &mut profile.marketo {
        marketo.base_url = base_url.to_owned();
        marketo.calls_per_20_seconds = marketo.calls_per_20_seconds.max(2_000);
        hurry(
            &mut marketo.first_retry_wait_ms,
            &mut marketo.max_retry_wait_ms,
        );
    }
    if let Some(ga4) = &mut profile.ga4 {
        ga4.base_url = base_url.to_owned();
        ga4.requests_per_second = REQUESTS_PER_SECOND;
        hurry(&mut ga4.first_retry_wait_ms, &mut ga4.max_retry_wait_ms);
    }
    if let Some(ga3) = &mut profile.ga3 {
        ga3.base_url = base_url.to_owned();
        ga3.requests_per_second = REQUESTS_PER_SECOND;
        hurry(&mut ga3.first_retry_wait_ms, &mut ga3.max_retry_wait_ms);
    }
    profile
}

/// The simulator's credentials, by the paths of the profile.
pub fn credentials(profile: &Profile, simulator: &RunningSimulator) -> Vec<(String, SecretString)> {
    let plain = |text: &str| SecretString::from(text);
    let affise = &profile.affise.api_key_parameter;
    let mut all = vec![(affise.clone(), plain(simulator::DEMO_API_KEY))];
    if let Some(marketo) = &profile.marketo {
        all.extend([
            (
                marketo.munchkin_id_parameter.clone(),
                plain(simulator::marketo::DEMO_MUNCHKIN_ID),
            ),
            (
                marketo.client_id_parameter.clone(),
                plain(simulator::marketo::DEMO_CLIENT_ID),
            ),
            (
                marketo.client_secret_parameter.clone(),
                plain(simulator::marketo::DEMO_CLIENT_SECRET),
            ),
        ]);
    }
    let ga4 = profile.ga4.as_ref().map(|ga4| &ga4.key_parameter);
    let ga3 = profile.ga3.as_ref().map(|ga3| &ga3.key_parameter);
    let keys = ga4.into_iter().chain(ga3);
    all.extend(keys.map(|path| (path.clone(), simulator.service_account_key())));
    all
}
