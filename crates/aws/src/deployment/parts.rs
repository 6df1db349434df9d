//! A deployment as the deployer wants it: its parts in order, and what stands in for values that are not known yet.

use std::collections::BTreeMap;

use super::{Deployment, Stack, artifacts::declared};
use lakehand_ops::{
    OpsResult,
    deploy::{Parts, StackRequest},
};

impl Parts for Deployment {
    fn parts(&self) -> Vec<&'static str> {
        Stack::ALL.map(Stack::part).to_vec()
    }

    fn request(&self, part: &str, outputs: &BTreeMap<String, String>) -> OpsResult<StackRequest> {
        let stack = Stack::ALL
            .into_iter()
            .find(|stack| stack.part() == part)
            .unwrap_or(Stack::DataStorage);
        let template = stack.template(self.profile());
        Ok(StackRequest {
            name: self.stack_name(stack),
            declared: declared(&template).map(str::to_owned).collect(),
            template,
            template_bucket: self.profile().artifact_bucket(),
            parameters: self.parameters(stack, outputs)?,
        })
    }

    /// Of the right shape, so that CloudFormation can plan with it.
    fn stand_in(&self, parameter: &str) -> String {
        let target = self.target();
        let (partition, region, account) = (&target.partition, &target.region, &target.account);
        let arn = |service: &str, rest: &str| {
            format!("arn:{partition}:{service}:{region}:{account}:{rest}")
        };
        let name = |part: &str| self.profile().resource_name(part);
        match parameter {
            "DataKeyArn" | "NotificationKeyArn" => {
                arn("kms", "key/00000000-0000-0000-0000-000000000000")
            }
            "NotificationsArn" => arn("sns", &name("notifications")),
            "DeadLettersArn" => arn("sqs", &name("dead-letters")),
            "StartCrawlerArn" => arn("lambda", &format!("function:{}", name("start-crawler"))),
            "QueriesPolicyArn" => {
                format!("arn:{partition}:iam::{account}:policy/{}", name("queries"))
            }
            _ => String::new(),
        }
    }

    fn objects(&self) -> Vec<(String, String, Vec<u8>, String)> {
        self.artifacts()
            .into_iter()
            .map(|one| (one.bucket, one.key, one.bytes, one.sha256))
            .collect()
    }
}
