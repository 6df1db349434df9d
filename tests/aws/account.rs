//! A corner of the emulator for one test: a profile with names of its own, its ports, and calls that do not go
//! through our code, so that what we write is read by somebody else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::{path::Path, sync::Arc};

use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_sdk_s3::config::Credentials;
use lakehand::{
    config::{Config, Home, Profile},
    pipeline::ports::{Lake, ParameterStore, QueryEngine},
    platform::aws::functions::Functions,
};
use serde_json::{Value, json};

use super::{
    emulator::{Emulator, REGION},
    proxy::Proxy,
};

/// A test's own corner. The emulator lives as long as this.
pub struct Account {
    pub emulator: Arc<Emulator>,
    /// Between our ports and the emulator.
    pub proxy: Proxy,
    pub profile: Arc<Profile>,
    pub functions: Functions,
    /// The `config.toml` that the profile was read from.
    pub text: String,
    name: String,
    http: reqwest::Client,
}

/// Credentials that every emulator takes, and no file of the developer's.
pub fn sdk() -> ConfigLoader {
    let keys = Credentials::new("testing", "testing", None, None, "tests");
    aws_config::defaults(BehaviorVersion::latest())
        .credentials_provider(keys)
        .region(Region::new(REGION))
}

/// A signature that says the region and the service, and nothing else.
fn signature(service: &str) -> String {
    // Buckets of this region are made without saying where.
    let region = if service == "s3" { "us-east-1" } else { REGION };
    format!(
        "AWS4-HMAC-SHA256 Credential=testing/20261121/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

impl Account {
    /// A corner called `name`, with lines of its own in `[profiles.<name>.aws]`. Calls are not repeated by the SDK
    /// unless these lines say so.
    pub async fn new(name: &str, aws: &str) -> Self {
        let emulator = Emulator::shared();
        let proxy = Proxy::before(&emulator.url);
        let attempts = if aws.contains("attempts") {
            ""
        } else {
            "attempts = 1\n"
        };
        let text = format!(
            "[profiles.{name}]\nplatform = \"aws\"\nproject = \"{name}\"\nenv = \"test\"\n\
             [profiles.{name}.aws]\nregion = \"{REGION}\"\nendpoint_url = \"{}\"\n{attempts}{aws}",
            proxy.url
        );
        let config =
            Config::parse(&text, &Home::below(Path::new(env!("CARGO_TARGET_TMPDIR")))).unwrap();
        let profile = Arc::new(config.profile(Some(name)).unwrap().clone());
        let functions = Functions::open_with(Arc::clone(&profile), sdk())
            .await
            .unwrap();
        let account = Self {
            emulator,
            proxy,
            profile,
            functions,
            text,
            name: name.to_owned(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        for bucket in [
            account.profile.raw_bucket(),
            account.profile.std_bucket(),
            account.bucket("results"),
        ] {
            account.put(&bucket, "", Vec::new()).await;
        }
        account
    }

    pub fn bucket(&self, part: &str) -> String {
        format!("{}-test-{part}", self.name)
    }

    pub fn lake(&self) -> &Lake {
        self.functions.lake()
    }

    pub fn engine(&self) -> &dyn QueryEngine {
        &**self.functions.engine()
    }

    pub fn parameters(&self) -> &dyn ParameterStore {
        &**self.functions.parameters()
    }

    /// A workgroup named as the profile's, whose results lie in the corner's own bucket.
    pub async fn workgroup(&self) {
        let location = format!("s3://{}/athena/", self.bucket("results"));
        let configuration = json!({ "ResultConfiguration": { "OutputLocation": location } });
        let group = json!({ "Name": self.profile.workgroup(), "Configuration": configuration });
        self.call("athena", "AmazonAthena.CreateWorkGroup", group)
            .await;
    }

    /// A call that speaks JSON, straight to the emulator; so nothing of ours is between.
    pub async fn call(&self, service: &str, target: &str, body: Value) -> Value {
        let request = self.http.post(&self.emulator.url);
        let request = request
            .header("x-amz-target", target)
            .header("authorization", signature(service));
        let request = request.header("content-type", "application/x-amz-json-1.1");
        let answer = request.body(body.to_string()).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{target}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Puts an object, or with an empty key makes a bucket, straight in the emulator.
    pub async fn put(&self, bucket: &str, key: &str, body: Vec<u8>) {
        let url = format!("{}/{bucket}/{key}", self.emulator.url);
        let request = self.http.put(url).header("authorization", signature("s3"));
        let answer = request.body(body).send().await.unwrap();
        assert!(
            answer.status().is_success(),
            "{bucket}/{key}: {}",
            answer.status()
        );
    }

    /// What the emulator has under a path of S3: `bucket/key` or `bucket/?uploads`.
    pub async fn object(&self, path: &str) -> Option<Vec<u8>> {
        let url = format!("{}/{path}", self.emulator.url);
        let request = self.http.get(url).header("authorization", signature("s3"));
        let answer = request.send().await.unwrap();
        if !answer.status().is_success() {
            return None;
        }
        Some(answer.bytes().await.unwrap().to_vec())
    }
}
