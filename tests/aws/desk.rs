//! An operator's desk at the emulator: the whole platform of a profile, state machines and functions made beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::{process::Command, sync::Arc, time::Duration};

use lakehand::{
    ops::{ExecutionDetail, ExecutionId, Operations, OpsError, StartRequest},
    platform::aws::Platform,
};
use serde_json::{Value, json};

use super::{
    account::{Account, sdk},
    emulator::{ENVIRONMENT, interpreter},
    python,
};

/// The role that state machines and functions of the emulator are made with.
pub const ROLE: &str = "arn:aws:iam::123456789012:role/anybody";

pub struct Desk {
    pub account: Account,
    pub platform: Platform,
}

impl Desk {
    /// A desk for the profile `name`, whose `[profiles.<name>.aws]` has these lines too.
    pub async fn new(name: &str, aws: &str) -> Self {
        let account = Account::new(name, aws).await;
        let platform = Platform::open_with(Arc::clone(&account.profile), sdk())
            .await
            .unwrap();
        Self { account, platform }
    }

    /// The same desk under another profile: `change` may make it read-only, protected or another account's.
    pub async fn as_profile(
        &self,
        change: impl FnOnce(&mut lakehand::config::Profile),
    ) -> Arc<dyn Operations> {
        let mut profile = self.account.profile.as_ref().clone();
        change(&mut profile);
        let platform = Platform::open_with(Arc::new(profile), sdk()).await.unwrap();
        platform.operations()
    }

    pub fn operations(&self) -> Arc<dyn Operations> {
        self.platform.operations()
    }

    /// Makes a state machine, named by the profile's pattern; returns its ARN.
    pub async fn machine(&self, part: &str, definition: &Value) -> String {
        let name = self.account.profile.resource_name(part);
        self.machine_named(&name, definition).await
    }

    /// Makes a state machine of any name.
    pub async fn machine_named(&self, name: &str, definition: &Value) -> String {
        let answer = self
            .states(
                "CreateStateMachine",
                json!({ "name": name, "definition": definition.to_string(), "roleArn": ROLE }),
            )
            .await;
        answer["stateMachineArn"].as_str().unwrap().to_owned()
    }

    pub async fn states(&self, operation: &str, body: Value) -> Value {
        let target = format!("AWSStepFunctions.{operation}");
        self.account.call("states", &target, body).await
    }

    pub async fn glue(&self, operation: &str, body: Value) -> Value {
        let target = format!("AWSGlue.{operation}");
        self.account.call("glue", &target, body).await
    }

    /// Makes a parameter, so that a task which reads it succeeds.
    pub async fn parameter(&self, name: &str) {
        self.account
            .call(
                "ssm",
                "AmazonSSM.PutParameter",
                json!({ "Name": name, "Value": "there", "Type": "String", "Overwrite": true }),
            )
            .await;
    }

    /// Makes a Lambda function of a program in Python, run as the zip's `bootstrap`.
    pub fn function(&self, part: &str, program: &str) -> String {
        let name = self.account.profile.resource_name(part);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aws/make_function.py");
        python::output(
            Command::new(interpreter())
                .args([script, &self.account.emulator.url, &name, program])
                .envs(ENVIRONMENT),
            "making a function in the emulator",
        );
        name
    }

    /// Waits until an execution has ended.
    pub async fn ended(&self, id: &ExecutionId) -> ExecutionDetail {
        for _ in 0..200 {
            let detail = self.operations().execution(id, 0).await.unwrap();
            if detail.summary.status.is_ended() {
                return detail;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{id} did not end");
    }
}

/// A start of a workflow over 31 January, under this name or under none.
pub fn start(workflow: &str, name: Option<&str>) -> StartRequest {
    StartRequest {
        workflow: workflow.into(),
        window: Some(
            lakehand::pipeline::window::Window::parse("2026-01-24", "2026-01-31").unwrap(),
        ),
        input: json!({}),
        name: name.map(str::to_owned),
    }
}

/// A machine of one state that waits for so long.
pub fn waits(seconds: u64) -> Value {
    json!({ "StartAt": "Wait", "States": { "Wait": { "Type": "Wait", "Seconds": seconds, "End": true } } })
}

/// A machine that reads a parameter, and fails as long as it is not there.
pub fn reads_parameter(name: &str) -> Value {
    json!({ "Comment": "reads a parameter", "StartAt": "Begin", "States": {
        "Begin": { "Type": "Pass", "Next": "Read" },
        "Read": { "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ssm:getParameter",
            "Parameters": { "Name": name }, "ResultSelector": { "value.$": "$.Parameter.Value" }, "End": true } } })
}

/// The kind and the words of a refusal.
pub fn refusal<T: std::fmt::Debug>(result: Result<T, OpsError>) -> OpsError {
    result.expect_err("this should have been refused")
}
