//! CloudFormation: change sets, events, outputs, drift; and the bucket of what templates refer to.

mod buckets;
mod shape;

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_cloudformation::types::{
    Capability, ChangeSetStatus, ChangeSetType, Parameter, StackDriftDetectionStatus,
    StackResourceDriftStatus, Tag,
};
use aws_sdk_s3::primitives::ByteStream;

use self::shape::{change_of, clean, event_of, holds_nothing, reason_of};
use super::{
    Clients,
    call::{Api, CallError, CallFailure},
    s3::without_total_limit,
};
use lakehand_config::Profile;
use lakehand_ops::{
    OpsError, OpsErrorKind, OpsResult,
    deploy::{Change, Drifted, Prepared, StackEvent, StackRequest, StackState},
    ports::Stacks,
};
use lakehand_pipeline::text::for_terminal;

/// Bytes of a template that fit into a call; larger ones are read from S3.
const INLINE_TEMPLATE: usize = 51_200;
/// Pauses between two looks at a change set or a drift detection.
const LOOK_AGAIN: Duration = Duration::from_millis(1500);
/// Looks before it is given up: an hour for drift, far less for a change set.
const LOOKS: usize = 400;
/// Metadata of an object that says what is in it.
const CONTENT_HASH: &str = "sha256";

/// Whether a template does not fit into a call.
fn is_large(request: &StackRequest) -> bool {
    request.template.len() > INLINE_TEMPLATE
}

/// CloudFormation's share of an account is small: 2 calls a second in the long run.
const fn api(operation: &'static str) -> Api {
    Api::paced("cloudformation", operation, 10.0, 2.0)
}

const fn s3(operation: &'static str) -> Api {
    Api::free("s3", operation)
}

/// The stacks of a profile's account and region.
#[derive(Debug, Clone)]
pub struct CloudFormation {
    clients: Clients,
    tags: Vec<(String, String)>,
}

impl CloudFormation {
    /// Opens the clients; nobody is called.
    pub async fn open(profile: &Profile) -> Self {
        let clients = Clients::open(profile).await;
        let tags = vec![
            ("lakehand:project".to_owned(), profile.project.clone()),
            ("lakehand:env".to_owned(), profile.env.clone()),
        ];
        Self { clients, tags }
    }

    async fn describe(
        &self,
        stack: &str,
    ) -> Result<Option<aws_sdk_cloudformation::types::Stack>, CallError> {
        let call = self
            .clients
            .cloudformation
            .describe_stacks()
            .stack_name(stack);
        match self
            .clients
            .call(api("DescribeStacks"), stack, call.send())
            .await
        {
            Ok(answer) => Ok(answer.stacks.unwrap_or_default().into_iter().next()),
            Err(error) if error.message.contains("does not exist") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Values that are given, then those that stay as they are.
    fn parameters(request: &StackRequest, there: &[Parameter]) -> Vec<Parameter> {
        let given = request.parameters.iter().map(|(name, value)| {
            Parameter::builder()
                .parameter_key(name)
                .parameter_value(value)
                .build()
        });
        let kept = there
            .iter()
            .filter_map(Parameter::parameter_key)
            .filter(|name| {
                !request.parameters.contains_key(*name)
                    && request.declared.iter().any(|declared| declared == name)
            })
            .map(|name| {
                Parameter::builder()
                    .parameter_key(name)
                    .use_previous_value(true)
                    .build()
            });
        given.chain(kept).collect()
    }

    /// The template's address, where it is too large to be sent along.
    async fn template_url(&self, request: &StackRequest) -> OpsResult<Option<String>> {
        if !is_large(request) {
            return Ok(None);
        }
        let hash = crate::deployment::sha256(request.template.as_bytes());
        let (bucket, key) = (
            &request.template_bucket,
            format!("templates/{}/{}.yaml", &hash[..16], request.name),
        );
        self.upload(bucket, &key, request.template.clone().into_bytes(), &hash)
            .await?;
        let region = &self.clients.region;
        let suffix = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        Ok(Some(format!("https://{bucket}.s3.{region}.{suffix}/{key}")))
    }

    async fn has_bucket(&self, bucket: &str) -> OpsResult<bool> {
        let head = self.clients.s3.head_bucket().bucket(bucket);
        match self
            .clients
            .call(s3("HeadBucket"), bucket, head.send())
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if error.failure == CallFailure::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// What CloudFormation's checks before a change set found, each with its resource: the set itself says only that
    /// there are some. Nothing where they cannot be asked for.
    async fn reasons(&self, stack: &str, change_set: &str) -> Vec<String> {
        let call = self.clients.cloudformation.describe_events();
        let call = call.change_set_name(change_set).stack_name(stack);
        let asked = self.clients.call(api("DescribeEvents"), stack, call.send());
        let events = asked.await.map(|answer| answer.operation_events);
        let events = events.ok().flatten().unwrap_or_default();
        events.iter().filter_map(reason_of).collect()
    }

    /// Waits for a change set; `None` when it holds nothing.
    async fn finished(&self, stack: &str, id: &str) -> OpsResult<Option<Vec<Change>>> {
        for _ in 0..LOOKS {
            let (mut changes, mut token) = (Vec::new(), None);
            loop {
                let call = self
                    .clients
                    .cloudformation
                    .describe_change_set()
                    .change_set_name(id)
                    .stack_name(stack)
                    .set_next_token(token);
                let answer = self
                    .clients
                    .call(api("DescribeChangeSet"), stack, call.send())
                    .await?;
                match answer.status() {
                    Some(ChangeSetStatus::CreateComplete) => {}
                    Some(ChangeSetStatus::Failed) => {
                        let why = answer.status_reason().unwrap_or_default();
                        if holds_nothing(why) {
                            return Ok(None);
                        }
                        let reasons = self.reasons(stack, id).await;
                        return Err(not_planned(stack, why, &reasons));
                    }
                    _ => break,
                }
                changes.extend(answer.changes().iter().filter_map(change_of));
                token = answer.next_token;
                if token.is_none() {
                    return Ok(Some(changes));
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(OpsError::new(
            OpsErrorKind::Platform,
            format!("the change set of {stack} did not come"),
            "look at it in CloudFormation, then deploy again",
        ))
    }
}

/// The error of a change set that CloudFormation refuses to make, with the resources that its checks before it name.
fn not_planned(stack: &str, why: &str, reasons: &[String]) -> OpsError {
    let why = match reasons {
        [] => why.to_owned(),
        reasons => reasons.join("; "),
    };
    OpsError::new(
        OpsErrorKind::InvalidInput,
        format!("CloudFormation cannot plan {stack}: {}", for_terminal(&why)),
        match reasons {
            [] => "correct the profile or the parameter it names, then deploy again",
            _ => {
                "delete or rename what is there already, or choose another project or env in the profile, then deploy again"
            }
        },
    )
}

#[async_trait]
impl Stacks for CloudFormation {
    async fn place(&self) -> OpsResult<(String, String)> {
        let call = self.clients.sts.get_caller_identity();
        let answer = self
            .clients
            .call(
                Api::free("sts", "GetCallerIdentity"),
                "this account",
                call.send(),
            )
            .await?;
        Ok((
            answer.account.unwrap_or_default(),
            self.clients.region.clone(),
        ))
    }

    async fn state(&self, stack: &str) -> OpsResult<Option<StackState>> {
        Ok(self.describe(stack).await?.map(|found| StackState {
            status: found
                .stack_status
                .as_ref()
                .map_or_else(String::new, |status| status.as_str().to_owned()),
            reason: found.stack_status_reason().map(clean),
            outputs: found
                .outputs()
                .iter()
                .filter_map(|output| {
                    Some((
                        output.output_key()?.to_owned(),
                        output.output_value()?.to_owned(),
                    ))
                })
                .collect(),
        }))
    }

    async fn prepare(&self, request: &StackRequest) -> OpsResult<Prepared> {
        let there = self.describe(&request.name).await?;
        let new = |stack: &aws_sdk_cloudformation::types::Stack| {
            stack
                .stack_status
                .as_ref()
                .is_some_and(|status| status.as_str() == "REVIEW_IN_PROGRESS")
        };
        let creates = there.as_ref().is_none_or(new);
        // A stack that was never made has no values that could stay.
        let made = there.as_ref().filter(|stack| !new(stack));
        let kept = made.map_or(&[][..], |stack| stack.parameters());
        if creates && is_large(request) && !self.has_bucket(&request.template_bucket).await? {
            return Ok(Prepared::Later {
                bucket: request.template_bucket.clone(),
            });
        }
        let url = self.template_url(request).await?;
        let body = url.is_none().then(|| request.template.clone());
        let tags = self
            .tags
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build());
        let name = format!("lakehand-{}", uuid::Uuid::now_v7().simple());
        let call = self
            .clients
            .cloudformation
            .create_change_set()
            .stack_name(&request.name)
            .change_set_name(&name)
            .change_set_type(if creates {
                ChangeSetType::Create
            } else {
                ChangeSetType::Update
            })
            .set_template_body(body)
            .set_template_url(url)
            .set_parameters(Some(Self::parameters(request, kept)))
            .set_tags(Some(tags.collect()))
            .capabilities(Capability::CapabilityNamedIam);
        let made = self
            .clients
            .call(api("CreateChangeSet"), &request.name, call.send())
            .await;
        let id = match made {
            Ok(answer) => answer.id.unwrap_or(name),
            Err(error) if holds_nothing(&error.message) => return Ok(Prepared::NoChange),
            Err(error) => return Err(error.into()),
        };
        match self.finished(&request.name, &id).await {
            Ok(Some(changes)) => Ok(Prepared::ChangeSet {
                id,
                creates,
                changes,
            }),
            other => {
                // One that holds nothing, or cannot be used, is nothing to leave behind.
                let _ = self.discard(&request.name, &id, creates).await;
                other.map(|_| Prepared::NoChange)
            }
        }
    }

    async fn discard(&self, stack: &str, change_set: &str, creates: bool) -> OpsResult<()> {
        let call = self
            .clients
            .cloudformation
            .delete_change_set()
            .stack_name(stack)
            .change_set_name(change_set);
        self.clients
            .call(api("DeleteChangeSet"), stack, call.send())
            .await?;
        if creates {
            self.delete(stack).await?;
        }
        Ok(())
    }

    async fn execute(&self, stack: &str, change_set: &str) -> OpsResult<()> {
        let call = self
            .clients
            .cloudformation
            .execute_change_set()
            .stack_name(stack)
            .change_set_name(change_set);
        self.clients
            .call(api("ExecuteChangeSet"), stack, call.send())
            .await?;
        Ok(())
    }

    async fn delete(&self, stack: &str) -> OpsResult<()> {
        let call = self.clients.cloudformation.delete_stack().stack_name(stack);
        self.clients
            .call(api("DeleteStack"), stack, call.send())
            .await?;
        Ok(())
    }

    async fn events(&self, stack: &str, after: Option<&str>) -> OpsResult<Vec<StackEvent>> {
        let (mut events, mut token) = (Vec::new(), None);
        'pages: loop {
            let call = self
                .clients
                .cloudformation
                .describe_stack_events()
                .stack_name(stack)
                .set_next_token(token);
            let answer = match self
                .clients
                .call(api("DescribeStackEvents"), stack, call.send())
                .await
            {
                Ok(answer) => answer,
                Err(error) if error.message.contains("does not exist") => break,
                Err(error) => return Err(error.into()),
            };
            for event in answer.stack_events() {
                let Some(event) = event_of(event) else {
                    continue;
                };
                if Some(event.id.as_str()) == after {
                    break 'pages;
                }
                events.push(event);
            }
            token = answer.next_token;
            if token.is_none() {
                break;
            }
        }
        events.reverse();
        Ok(events)
    }

    async fn drift(&self, stack: &str) -> OpsResult<Vec<Drifted>> {
        let call = self
            .clients
            .cloudformation
            .detect_stack_drift()
            .stack_name(stack);
        let id = self
            .clients
            .call(api("DetectStackDrift"), stack, call.send())
            .await?
            .stack_drift_detection_id
            .unwrap_or_default();
        let mut why = Some("it was not finished in time".to_owned());
        for _ in 0..LOOKS {
            let call = self
                .clients
                .cloudformation
                .describe_stack_drift_detection_status()
                .stack_drift_detection_id(&id);
            let answer = self
                .clients
                .call(api("DescribeStackDriftDetectionStatus"), stack, call.send())
                .await?;
            match answer.detection_status() {
                Some(StackDriftDetectionStatus::DetectionInProgress) => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Some(StackDriftDetectionStatus::DetectionFailed) => {
                    let reason = answer.detection_status_reason();
                    why = Some(reason.map_or_else(|| "no reason was given".to_owned(), clean));
                    break;
                }
                _ => {
                    why = None;
                    break;
                }
            }
        }
        // Some resources cannot be compared; those that can are told all the same.
        let mut drifted = self.drifted(stack).await?;
        drifted.extend(why.map(|why| Drifted {
            logical_id: stack.to_owned(),
            resource_type: "AWS::CloudFormation::Stack".to_owned(),
            status: "NOT_CHECKED".to_owned(),
            properties: vec![why],
        }));
        Ok(drifted)
    }

    async fn upload(
        &self,
        bucket: &str,
        key: &str,
        bytes: Vec<u8>,
        sha256: &str,
    ) -> OpsResult<bool> {
        let on = format!("s3://{bucket}/{key}");
        let head = self.clients.s3.head_object().bucket(bucket).key(key);
        match self.clients.call(s3("HeadObject"), &on, head.send()).await {
            Ok(there) => {
                let hash = there.metadata().and_then(|all| all.get(CONTENT_HASH));
                if hash.is_some_and(|hash| hash == sha256) {
                    return Ok(false);
                }
            }
            // Without the right to list, S3 calls what is not there forbidden.
            Err(error) if matches!(error.failure, CallFailure::NotFound | CallFailure::Denied) => {}
            Err(error) => return Err(error.into()),
        }
        let put = self
            .clients
            .s3
            .put_object()
            .bucket(bucket)
            .key(key)
            .metadata(CONTENT_HASH, sha256)
            .body(ByteStream::from(bytes));
        // The functions' program has 14 MB: on a slow line that takes longer than any other call may.
        let put = put.customize().config_override(without_total_limit());
        self.clients.call(s3("PutObject"), &on, put.send()).await?;
        Ok(true)
    }

    async fn delete_bucket(&self, bucket: &str) -> OpsResult<u64> {
        let deleted = self.versions_deleted(bucket).await?;
        let call = self.clients.s3.delete_bucket().bucket(bucket);
        match self
            .clients
            .call(s3("DeleteBucket"), bucket, call.send())
            .await
        {
            Err(error) if error.failure != CallFailure::NotFound => Err(error.into()),
            // A destruction that is repeated finds some of them gone.
            _ => Ok(deleted),
        }
    }
}

impl CloudFormation {
    async fn drifted(&self, stack: &str) -> OpsResult<Vec<Drifted>> {
        let (mut drifted, mut token) = (Vec::new(), None);
        loop {
            let call = self
                .clients
                .cloudformation
                .describe_stack_resource_drifts()
                .stack_name(stack)
                .stack_resource_drift_status_filters(StackResourceDriftStatus::Modified)
                .stack_resource_drift_status_filters(StackResourceDriftStatus::Deleted)
                .set_next_token(token);
            let answer = self
                .clients
                .call(api("DescribeStackResourceDrifts"), stack, call.send())
                .await?;
            drifted.extend(answer.stack_resource_drifts().iter().map(|one| {
                Drifted {
                    logical_id: one.logical_resource_id().map(clean).unwrap_or_default(),
                    resource_type: one.resource_type().map(clean).unwrap_or_default(),
                    status: one
                        .stack_resource_drift_status()
                        .map_or_else(String::new, |status| status.as_str().to_owned()),
                    properties: one
                        .property_differences()
                        .iter()
                        .filter_map(|difference| difference.property_path().map(clean))
                        .collect(),
                }
            }));
            token = answer.next_token;
            if token.is_none() {
                return Ok(drifted);
            }
        }
    }
}
