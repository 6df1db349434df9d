//! Signing in to Google for real, and asking which of the configured properties may be read.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use secrecy::SecretString;

use super::{compatibility, login::ServiceAccount};
use crate::{
    jobs::JobContext,
    sources::{
        SignIn, SignedIn, SourceError,
        http::{Auth, HttpClient, HttpRequest, HttpSettings, Verdict},
    },
};
use lakehand_config::{Ga3Settings, Ga4Report, Ga4Settings};

/// Tries of a request whose answer somebody waits for.
const TRIES: u32 = 2;

/// The service account of a profile, with what it should be able to read.
#[derive(Debug)]
pub(crate) struct GoogleSignIn {
    client: HttpClient,
    email: String,
    address: String,
    /// Properties of GA4, each with what it stands for; none for GA3, whose views nobody can be asked about any
    /// more.
    properties: Vec<(String, String)>,
    /// The reports that are asked of them.
    reports: Vec<Ga4Report>,
}

impl GoogleSignIn {
    /// For the Data API: the account, and every configured property.
    ///
    /// # Errors
    /// [`SourceError::BadCredentials`] when the key cannot work, [`SourceError::BadSettings`] for the address.
    pub(crate) fn ga4(
        ctx: &JobContext,
        settings: &Ga4Settings,
        key: &SecretString,
    ) -> Result<Self, SourceError> {
        let mut properties: Vec<(String, String)> = settings
            .reports
            .iter()
            .flat_map(|report| &report.properties)
            .map(|unit| (unit.property.clone(), unit.business_unit.clone()))
            .collect();
        properties.sort();
        properties.dedup_by(|one, other| one.0 == other.0);
        let timeout = settings.request_timeout_seconds;
        let reports = settings.reports.clone();
        Self::new(ctx, &settings.base_url, timeout, (properties, reports), key)
    }

    /// For a stand-in of the Reporting API: the account alone.
    ///
    /// # Errors
    /// As [`GoogleSignIn::ga4`].
    pub(crate) fn ga3(
        ctx: &JobContext,
        settings: &Ga3Settings,
        key: &SecretString,
    ) -> Result<Self, SourceError> {
        let timeout = settings.request_timeout_seconds;
        Self::new(ctx, &settings.base_url, timeout, <_>::default(), key)
    }

    fn new(
        ctx: &JobContext,
        base_url: &str,
        timeout_seconds: u64,
        (properties, reports): (Vec<(String, String)>, Vec<Ga4Report>),
        key: &SecretString,
    ) -> Result<Self, SourceError> {
        let account = ServiceAccount::read(key)?;
        let email = account.email().to_owned();
        let timeout = Duration::from_secs(timeout_seconds);
        let http = HttpSettings {
            base_url: base_url.to_owned(),
            requests_per_second: 10.0,
            concurrency: 2,
            window: None,
            request_timeout: timeout,
            deadline: timeout.saturating_mul(2),
            attempts: TRIES,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(5),
        };
        let auth = Auth::Bearer(Arc::new(account));
        Ok(Self {
            client: HttpClient::new(http, auth, ctx.cancel.clone(), ctx.log.clone())?,
            email,
            address: base_url.to_owned(),
            properties,
            reports,
        })
    }

    /// What the reports ask for that cannot be answered, each by the first of its properties that may be read.
    async fn complaints(&self, denied: &[&str]) -> Result<Vec<String>, SourceError> {
        let mut all = Vec::new();
        for report in &self.reports {
            let own = report.properties.iter().map(|unit| unit.property.as_str());
            let Some(property) = own.clone().find(|property| !denied.contains(property)) else {
                continue;
            };
            let complaints = compatibility::complaints(&self.client, property, report).await?;
            all.extend(
                complaints
                    .into_iter()
                    .map(|complaint| format!("the report {}: {complaint}", report.name)),
            );
        }
        Ok(all)
    }

    /// Whether the account may read a property: its list of fields costs nothing of its quota.
    async fn may_read(&self, property: &str) -> Result<bool, SourceError> {
        let path = format!("/v1beta/properties/{property}/metadata");
        let request = HttpRequest::get(path, format!("looking at property {property}"));
        let read = |answer: &crate::sources::http::Answer| match answer.status {
            200..=299 => Verdict::Good(true),
            403 | 404 => Verdict::Good(false),
            _ => Verdict::ByStatus,
        };
        self.client.ask(&request, read).await
    }
}

#[async_trait]
impl SignIn for GoogleSignIn {
    async fn sign_in(&self) -> Result<SignedIn, SourceError> {
        self.client.sign_in().await?;
        let mut denied = Vec::new();
        for (property, unit) in &self.properties {
            if !self.may_read(property).await? {
                denied.push((property.as_str(), unit.as_str()));
            }
        }
        let ids: Vec<&str> = denied.iter().map(|(property, _)| *property).collect();
        let mut warnings = Vec::new();
        if !denied.is_empty() {
            let named: Vec<String> = denied
                .iter()
                .map(|(property, unit)| format!("{property} ({unit})"))
                .collect();
            warnings.push(format!(
                "it may not read {}; add it as a viewer in Google Analytics, and check the ids",
                named.join(", ")
            ));
        }
        warnings.extend(self.complaints(&ids).await?);
        let warning = (!warnings.is_empty()).then(|| warnings.join("; "));
        Ok(SignedIn {
            account: self.email.clone(),
            at: self.address.clone(),
            warning,
        })
    }
}
