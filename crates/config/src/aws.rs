//! Settings of the deployed platform: where it runs, and the names of what was not made by our stacks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Profile;

/// The deployed platform. `[profiles.<name>.aws]`; every name that is absent follows
/// `<project>-<env>-<part>`, as the stacks make it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AwsSettings {
    /// AWS region; absent: what the SDK's chain finds (`AWS_REGION`, the profile of `~/.aws/config`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Profile of `~/.aws/config`; absent: the SDK's chain (`AWS_PROFILE`, environment, role, …).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdk_profile: Option<String>,
    /// What `L` runs in the console when credentials have expired; absent: `aws sso login` for the SDK's profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_command: Option<String>,
    /// Address of every service, for emulators and proxies. `LAKEHAND_ENDPOINT_URL` goes before it, and
    /// `AWS_ENDPOINT_URL` counts where both are absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    /// The only account, twelve digits, in which this profile may act; absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Bucket of bronze.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_bucket: Option<String>,
    /// Bucket of silver, gold, reports and state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std_bucket: Option<String>,
    /// Bucket of packaged functions and definitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_bucket: Option<String>,
    /// Prefix put before every key in both buckets; empty: none. Ends without a slash.
    pub prefix: String,
    /// Glue database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Athena workgroup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workgroup: Option<String>,
    /// `s3://bucket/prefix/` of query results, for workgroups that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_results: Option<String>,
    /// Key id, alias or ARN that encrypts credentials; absent: the account's `alias/aws/ssm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Put before the path of every parameter: `/lakehand/prod`; empty: none.
    pub parameter_prefix: String,
    /// State machines by the name the console shows: a name or an ARN. Those that are not listed follow the pattern.
    pub state_machines: BTreeMap<String, String>,
    /// Crawlers beside ours, by name. Absent: those that the pattern's prefix finds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crawlers: Option<Vec<String>>,
    /// Glue jobs to list and start, by name. Absent: those that the pattern's prefix finds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub glue_jobs: Option<Vec<String>>,
    /// Tries of one call, the first included.
    pub attempts: u32,
    /// Seconds one try of a call may take; streams of data are only limited between two pieces.
    pub attempt_timeout_seconds: u64,
    /// Seconds a call may take with all its tries.
    pub operation_timeout_seconds: u64,
}

impl Default for AwsSettings {
    fn default() -> Self {
        Self {
            region: None,
            sdk_profile: None,
            login_command: None,
            endpoint_url: None,
            account: None,
            raw_bucket: None,
            std_bucket: None,
            artifact_bucket: None,
            prefix: String::new(),
            database: None,
            workgroup: None,
            query_results: None,
            kms_key: None,
            parameter_prefix: String::new(),
            state_machines: BTreeMap::new(),
            crawlers: None,
            glue_jobs: None,
            attempts: 4,
            attempt_timeout_seconds: 20,
            operation_timeout_seconds: 60,
        }
    }
}

impl AwsSettings {
    /// What is wrong with these settings, if anything.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let digits = |text: &String| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        if self
            .account
            .as_ref()
            .is_some_and(|account| !digits(account))
        {
            return Some(
                "account must be the twelve digits of an AWS account, in quotes".to_owned(),
            );
        }
        let address = |text: &String| {
            url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        };
        if let Some(text) = self.endpoint_url.as_ref().filter(|text| !address(text)) {
            return Some(format!("endpoint_url '{text}' is not an http(s) address"));
        }
        if self
            .query_results
            .as_ref()
            .is_some_and(|text| !text.starts_with("s3://"))
        {
            return Some("query_results must be an address such as s3://bucket/prefix/".to_owned());
        }
        if self.prefix.starts_with('/') || self.prefix.ends_with('/') {
            return Some("prefix must begin and end without a slash".to_owned());
        }
        let path = &self.parameter_prefix;
        if !path.is_empty() && (!path.starts_with('/') || path.ends_with('/')) {
            return Some("parameter_prefix must begin with a slash and end without one".to_owned());
        }
        if self.attempts == 0
            || self.attempt_timeout_seconds == 0
            || self.operation_timeout_seconds < self.attempt_timeout_seconds
        {
            return Some(
                "attempts and attempt_timeout_seconds must be at least 1, operation_timeout_seconds not below the latter"
                    .to_owned(),
            );
        }
        None
    }
}

impl Profile {
    /// Bucket of bronze.
    #[must_use]
    pub fn raw_bucket(&self) -> String {
        self.named(&self.aws.raw_bucket, "raw")
    }

    /// Bucket of silver, gold, reports and state.
    #[must_use]
    pub fn std_bucket(&self) -> String {
        self.named(&self.aws.std_bucket, "std")
    }

    /// Bucket of packaged functions and definitions.
    #[must_use]
    pub fn artifact_bucket(&self) -> String {
        self.named(&self.aws.artifact_bucket, "artifacts")
    }

    /// Glue database; its name may hold no hyphen in SQL without quotes.
    #[must_use]
    pub fn database(&self) -> String {
        let pattern = || {
            format!("{}_{}", self.project, self.env)
                .replace('-', "_")
                .to_lowercase()
        };
        self.aws.database.clone().unwrap_or_else(pattern)
    }

    /// Athena workgroup: `<project>-<env>`.
    #[must_use]
    pub fn workgroup(&self) -> String {
        let pattern = || format!("{}-{}", self.project, self.env);
        self.aws.workgroup.clone().unwrap_or_else(pattern)
    }

    fn named(&self, given: &Option<String>, part: &str) -> String {
        given
            .clone()
            .unwrap_or_else(|| self.resource_name(part).to_lowercase())
    }
}
