//! `lakehand deploy` and `destroy` as processes, against the emulator; what was made is looked at with boto3.
//!
//! What this proves: our change sets, our waiting, our uploads, our words, and that a second deployment finds nothing
//! to do. What it cannot prove: that the templates are right. moto leaves resources out in silence and says
//! CREATE_COMPLETE (all of Glue, Athena, Scheduler, alarms, bucket, topic and queue policies), checks no capability, and
//! its events hold the stack only. Templates are for cfn-lint and checkov (`tests/templates.rs`).

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use super::{
    emulator::{ENVIRONMENT, Emulator, REGION, interpreter},
    proxy::{Fault, Proxy},
    python,
};

const PARTS: [&str; 5] = [
    "data-storage",
    "glue",
    "common-resources",
    "transformation-resources",
    "orchestration",
];

/// A profile on the emulator, with a package to deploy.
pub(super) struct Site {
    pub(super) home: tempfile::TempDir,
    pub(super) emulator: std::sync::Arc<Emulator>,
    env: String,
}

impl Site {
    pub(super) fn new(env: &str, settings: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let config = format!(
            "profile = \"cloud\"\n[profiles.cloud]\nplatform = \"aws\"\nproject = \"adverts\"\nenv = \"{env}\"\ntime_zone = \"Europe/Berlin\"\n{settings}"
        );
        std::fs::write(home.path().join("config.toml"), config).unwrap();
        let site = Self {
            home,
            emulator: Emulator::shared(),
            env: env.to_owned(),
        };
        site.package("first");
        site
    }

    /// A zip whose program is no program but looks like one: the emulator does not start it here.
    fn package(&self, content: &str) {
        let mut program = b"\x7fELF\x02\x01\x01\x00".to_vec();
        program.resize(64, 0);
        (program[16], program[18], program[24]) = (2, 183, 64);
        program.extend(content.as_bytes());
        program.resize(4096, 0);
        let binary = self.home.path().join("program");
        std::fs::write(&binary, program).unwrap();
        let made = self.run(&["package", "--binary", "program", "--out", "functions.zip"]);
        assert!(made.status.success(), "{made:?}");
    }

    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.home.path()).envs(ENVIRONMENT);
        for name in [
            "AWS_PROFILE",
            "AWS_SESSION_TOKEN",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "LAKEHAND_PROFILE",
        ] {
            command.env_remove(name);
        }
        command
            .env("LAKEHAND_HOME", self.home.path())
            .env("AWS_ENDPOINT_URL", &self.emulator.url);
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        self.run_at(&self.emulator.url, arguments)
    }

    /// A verb whose calls go to `url`.
    fn run_at(&self, url: &str, arguments: &[&str]) -> Output {
        let binary = Path::new(env!("CARGO_BIN_EXE_lakehand"));
        let mut command = self.command(binary);
        command.env("AWS_ENDPOINT_URL", url);
        command.args(arguments).output().unwrap()
    }

    /// A verb that succeeds with JSON.
    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--output", "json"]].concat());
        assert!(
            output.status.success(),
            "{arguments:?}\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What a few lines of boto3 print, as JSON.
    pub(super) fn boto(&self, script: &str) -> Value {
        let script = format!(
            "import boto3, json\nfrom botocore.config import Config\nenv = '{}'\nregion = '{REGION}'\n\
             client = lambda name: boto3.client(name, config=Config(s3={{'addressing_style': 'path'}}))\n{script}",
            self.env
        );
        let mut command = self.command(&interpreter());
        command.args(["-c", &script]);
        serde_json::from_str(&python::output(&mut command, "boto3")).unwrap()
    }

    fn stacks(&self) -> Vec<String> {
        let stacks = self.boto(
            "print(json.dumps(sorted(s['StackName'] for s in client('cloudformation').describe_stacks()['Stacks'] if f'-{env}-' in s['StackName'])))",
        );
        serde_json::from_value(stacks).unwrap()
    }
}

fn kinds(plan: &Value) -> Vec<&str> {
    plan["stacks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stack| stack["prepared"]["kind"].as_str().unwrap())
        .collect()
}

#[test]
fn a_deployment_is_planned_made_repeated_changed_and_taken_away() {
    let site = Site::new("whole", "");
    let package = ["--package", "functions.zip"];

    // A plan shows five new stacks and leaves nothing behind.
    let plan = site.json(&["deploy", "--plan", package[0], package[1]]);
    assert_eq!(kinds(&plan), ["change_set"; 5]);
    assert_eq!(plan["account"], "123456789012");
    assert!(site.stacks().is_empty(), "{:?}", site.stacks());

    // Without an answer nothing happens.
    let silent = site.run(&["deploy", package[0], package[1]]);
    assert_eq!(silent.status.code(), Some(2), "{silent:?}");
    assert!(site.stacks().is_empty());

    let deployed = site.json(&["deploy", "--yes", package[0], package[1]]);
    let outputs = &deployed["outputs"];
    assert_eq!(
        outputs["data-storage"]["RawBucketName"],
        "adverts-whole-raw"
    );
    assert!(outputs["orchestration"]["CollectMachineArn"].is_string());
    let wanted: Vec<String> = PARTS
        .iter()
        .map(|part| format!("adverts-whole-{part}"))
        .collect();
    let mut sorted = wanted.clone();
    sorted.sort();
    assert_eq!(site.stacks(), sorted);
    looks_as_deployed(&site);

    // Again, twice: no change, with the package and without it.
    for arguments in [
        &["deploy", "--plan", package[0], package[1]][..],
        &["deploy", "--plan"],
    ] {
        assert_eq!(
            kinds(&site.json(arguments)),
            ["no_change"; 5],
            "{arguments:?}"
        );
    }
    let again = site.run(&["deploy", "--yes"]);
    assert!(again.status.success(), "{again:?}");
    let told = String::from_utf8(again.stdout).unwrap();
    assert!(told.contains("no change"), "{told}");

    // Another program: the functions change, and nothing else.
    site.package("second");
    let plan = site.json(&["deploy", "--plan", package[0], package[1]]);
    assert_eq!(
        kinds(&plan),
        [
            "no_change",
            "no_change",
            "no_change",
            "change_set",
            "no_change"
        ]
    );
    let changes = plan["stacks"][3]["prepared"]["changes"].as_array().unwrap();
    assert!(!changes.is_empty());
    for change in changes {
        assert_eq!(change["action"], "modify", "{change}");
        assert_eq!(change["resource_type"], "AWS::Lambda::Function", "{change}");
    }

    // A destruction wants the profile's name, and keeps the data.
    let refused = site.run(&["destroy", "--confirm", "another"]);
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    let some = site.run(&[
        "destroy",
        "--confirm",
        "cloud",
        "--delete-bucket",
        "adverts-whole-raw",
    ]);
    assert_eq!(some.status.code(), Some(2), "{some:?}");
    assert_eq!(site.stacks().len(), 5);
    let gone = site.json(&["destroy", "--confirm", "cloud"]);
    assert_eq!(gone["deleted_stacks"].as_array().unwrap().len(), 4);
    assert_eq!(site.stacks(), ["adverts-whole-data-storage"]);

    let buckets =
        ["raw", "std", "results", "artifacts"].map(|part| format!("adverts-whole-{part}"));
    let mut all = vec!["destroy", "--confirm", "cloud"];
    for bucket in &buckets {
        all.extend(["--delete-bucket", bucket]);
    }
    site.json(&all);
    assert!(site.stacks().is_empty());
    let left = site.boto("print(json.dumps([b['Name'] for b in client('s3').list_buckets()['Buckets'] if f'-{env}-' in b['Name']]))");
    assert_eq!(left, serde_json::json!([]));

    // Whoever was interrupted says it once more: what is gone already counts as deleted.
    let again = site.json(&all);
    for bucket in &buckets {
        assert_eq!(again["deleted_buckets"][bucket], 0, "{again}");
    }
}

/// A stack that only a change set would have made may name parameters of it, and none of them was ever used.
#[test]
fn a_stack_that_was_only_planned_keeps_no_values() {
    let site = Site::new("planned", "");
    let proxy = Proxy::before(&site.emulator.url);
    let stack = "adverts-planned-common-resources";
    let planned = xml(
        "DescribeStacks",
        "<Stacks><member><StackName>adverts-planned-common-resources</StackName><StackStatus>REVIEW_IN_PROGRESS</StackStatus>\
         <CreationTime>2026-01-31T03:00:00Z</CreationTime><Parameters><member><ParameterKey>NotificationEmail</ParameterKey>\
         <ParameterValue>on-call@example.com</ParameterValue></member></Parameters></member></Stacks>",
    );
    let planned = Fault::Answer(200, planned);
    proxy.fault_of("Action=DescribeStacks&", stack, 2, planned);
    let plan = ["deploy", "--plan", "--package", "functions.zip"];
    let output = site.run_at(&proxy.url, &plan);
    assert!(output.status.success(), "{output:?}");
    let named = format!("StackName={stack}&");
    let mut asked = proxy.seen("Action=CreateChangeSet&");
    asked.retain(|call| call.contains(&named));
    assert_eq!(asked.len(), 1);
    assert!(asked[0].contains("ChangeSetType=CREATE"), "{}", asked[0]);
    assert!(!asked[0].contains("UsePreviousValue"), "{}", asked[0]);
}

/// HEAD is answered without a body, so only its status tells what is wrong.
#[test]
fn an_uploader_who_may_not_look_puts_all_the_same() {
    let site = Site::new("blind", "");
    let proxy = Proxy::before(&site.emulator.url);
    let deploy = ["deploy", "--yes", "--package", "functions.zip"];
    let (head, slow) = ("HEAD /adverts-blind-", Fault::Refuse(503, "SlowDown"));
    proxy.fault(head, 1, slow);
    let output = site.run_at(&proxy.url, &deploy);
    assert!(!output.status.success(), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("AWS limits calls"), "{told}");

    proxy.fault(head, 100, Fault::Refuse(403, "AccessDenied"));
    let output = site.run_at(&proxy.url, &deploy);
    assert!(output.status.success(), "{output:?}");
    looks_as_uploaded(&site, &proxy);
}

/// Objects lie in both buckets, and each was looked for before it was put.
fn looks_as_uploaded(site: &Site, proxy: &Proxy) {
    let heads = proxy.seen("HEAD /adverts-blind-");
    let there = site.boto(
        r"
s3 = client('s3')
print(json.dumps([f'HEAD /adverts-{env}-{bucket}/' + o['Key'] for bucket in ['artifacts', 'std'] for o in s3.list_objects_v2(Bucket=f'adverts-{env}-{bucket}')['Contents']]))
",
    );
    let there: Vec<String> = serde_json::from_value(there).unwrap();
    assert!(!there.is_empty());
    for object in &there {
        assert!(heads.contains(object), "{object}: {heads:?}");
    }
}

/// What moto does make, as another client sees it.
fn looks_as_deployed(site: &Site) {
    let seen = site.boto(
        r"
functions = client('lambda').list_functions()['Functions']
mine = {f['FunctionName'].split(f'-{env}-')[1]: f for f in functions if f'-{env}-' in f['FunctionName']}
s3 = client('s3')
keys = lambda bucket: [o['Key'] for o in s3.list_objects_v2(Bucket=f'adverts-{env}-{bucket}').get('Contents', [])]
groups = [g for g in client('logs').describe_log_groups()['logGroups'] if f'-{env}-' in g['logGroupName']]
collect = mine['collect']
uri = collect['Environment']['Variables']['LAKEHAND_CONFIG_URI']
bucket, key = uri.removeprefix('s3://').split('/', 1)
print(json.dumps({
    'functions': sorted(mine), 'handlers': sorted(f['Handler'] for f in mine.values()),
    'parameters': {p['ParameterKey']: p['ParameterValue'] for p in client('cloudformation').describe_stacks(StackName=f'adverts-{env}-transformation-resources')['Stacks'][0]['Parameters']},
    'variables': collect['Environment']['Variables'],
    'settings': s3.get_object(Bucket=bucket, Key=key)['Body'].read().decode(),
    'artifacts': keys('artifacts'), 'std': keys('std'),
    'retention': sorted({g.get('retentionInDays') for g in groups}),
    'topics': [t['TopicArn'] for t in client('sns').list_topics()['Topics'] if f'-{env}-' in t['TopicArn']],
}))
",
    );
    let names: Vec<String> = serde_json::from_value(seen["functions"].clone()).unwrap();
    let mut wanted: Vec<String> = lakehand::pipeline::jobs::NAMES
        .iter()
        .copied()
        .chain(["fail-execution", "start-crawler"])
        .map(str::to_owned)
        .collect();
    wanted.sort();
    assert_eq!(names, wanted);
    assert_eq!(
        seen["handlers"], seen["functions"],
        "the handler's name is the job"
    );
    // moto forgets a template's Architectures; what it was given is there.
    assert_eq!(seen["parameters"]["Architecture"], "arm64");
    assert_eq!(seen["parameters"]["ClientID"], "/marketo/ClientId");
    assert_eq!(seen["variables"]["LAKEHAND_PROFILE"], "cloud");
    let settings = seen["settings"].as_str().unwrap();
    let home = lakehand::config::Home::below(site.home.path());
    let config = lakehand::config::Config::parse(settings, &home).unwrap();
    let profile = config.profile(Some("cloud")).unwrap();
    assert_eq!(
        (profile.env.as_str(), profile.raw_bucket()),
        ("whole", "adverts-whole-raw".to_owned())
    );
    let artifacts: Vec<String> = serde_json::from_value(seen["artifacts"].clone()).unwrap();
    for start in ["functions/", "settings/", "definitions/"] {
        assert!(
            artifacts.iter().any(|key| key.starts_with(start)),
            "{artifacts:?}"
        );
    }
    assert_eq!(
        seen["std"],
        serde_json::json!(["reference/country_region/country_region.csv"])
    );
    assert_eq!(seen["retention"], serde_json::json!([30]));
    assert_eq!(seen["topics"].as_array().unwrap().len(), 1);
}

#[test]
fn profiles_that_must_not_change_anything_are_refused() {
    let site = Site::new("guarded", "read_only = true\n");
    for verb in [
        &["deploy", "--plan"][..],
        &["deploy", "--yes"],
        &["destroy", "--confirm", "cloud"],
    ] {
        let output = site.run(verb);
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("read-only"));
    }
    let site = Site::new(
        "elsewhere",
        "[profiles.cloud.aws]\naccount = \"999999999999\"\n",
    );
    let output = site.run(&["deploy", "--plan", "--package", "functions.zip"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let site = Site::new("empty", "");
    let output = site.run(&["deploy", "--plan"]);
    assert_eq!(
        output.status.code(),
        Some(2),
        "a first deployment needs a package: {output:?}"
    );
}

#[test]
fn a_protected_profile_wants_its_name() {
    let site = Site::new("careful", "protected = true\n");
    let output = site.run(&["deploy", "--yes", "--package", "functions.zip"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(site.stacks().is_empty(), "{:?}", site.stacks());
}

/// Fifteen reports of Google Analytics make the template of `glue` larger than a call may be.
#[test]
fn a_large_template_goes_through_the_bucket_that_the_first_stack_makes() {
    let reports: String = (1..=15)
        .map(|number| {
            format!(
                "[[profiles.cloud.ga4.reports]]\nname = \"report_{number}\"\nproperties = [{{ business_unit = \"de\", property = \"1\" }}]\n\
                 dimensions = [\"sessionSource\", \"sessionMedium\"]\nmetrics = [\"sessions\"]\n"
            )
        })
        .collect();
    let site = Site::new("large", &format!("[profiles.cloud.ga4]\n{reports}"));
    let package = ["--package", "functions.zip"];
    let plan = site.json(&["deploy", "--plan", package[0], package[1]]);
    assert_eq!(
        kinds(&plan),
        [
            "change_set",
            "later",
            "change_set",
            "change_set",
            "change_set"
        ]
    );
    assert_eq!(
        plan["stacks"][1]["prepared"]["bucket"],
        "adverts-large-artifacts"
    );
    assert!(site.stacks().is_empty(), "{:?}", site.stacks());

    let deployed = site.run(&["deploy", "--yes", package[0], package[1]]);
    assert!(deployed.status.success(), "{deployed:?}");
    let told = String::from_utf8(deployed.stdout).unwrap();
    assert!(
        told.contains("goes through adverts-large-artifacts"),
        "{told}"
    );
    assert_eq!(kinds(&site.json(&["deploy", "--plan"])), ["no_change"; 5]);
    let seen = site.boto(
        r"
keys = [o['Key'] for o in client('s3').list_objects_v2(Bucket='adverts-large-artifacts', Prefix='templates/')['Contents']]
tables = [t['Name'] for t in client('glue').get_tables(DatabaseName='adverts_large')['TableList']]
print(json.dumps({'templates': keys, 'reports': sorted(t for t in tables if t.startswith('ga_report_'))}))
",
    );
    let templates = seen["templates"].as_array().unwrap();
    assert!(
        templates
            .iter()
            .all(|key| key.as_str().unwrap().ends_with("adverts-large-glue.yaml")),
        "{seen}"
    );
    assert_eq!(seen["reports"].as_array().unwrap().len(), 15);
}

fn xml(operation: &str, result: &str) -> &'static str {
    let text = format!(
        "<{operation}Response xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><{operation}Result>{result}</{operation}Result></{operation}Response>"
    );
    Box::leak(text.into_boxed_str())
}

/// moto detects no drift: the answers are AWS's shapes, written by hand. Two stacks drifted, one could not be compared.
#[test]
fn drift_is_told_by_stack_and_resource() {
    let site = Site::new("drift", "");
    let deployed = site.run(&["deploy", "--yes", "--package", "functions.zip"]);
    assert!(deployed.status.success(), "{deployed:?}");
    let proxy = Proxy::before(&site.emulator.url);
    let status = |status: &str, more: &str| {
        let more = format!(
            "<StackId>s</StackId><StackDriftDetectionId>d</StackDriftDetectionId><DetectionStatus>{status}</DetectionStatus>{more}<Timestamp>2026-01-31T03:00:00Z</Timestamp>"
        );
        Fault::Answer(200, xml("DescribeStackDriftDetectionStatus", &more))
    };
    let drift = |id: &str, kind: &str, status: &str, path: &str| {
        format!(
            "<member><StackId>s</StackId><LogicalResourceId>{id}</LogicalResourceId><ResourceType>{kind}</ResourceType>\
             <StackResourceDriftStatus>{status}</StackResourceDriftStatus><PropertyDifferences>{path}</PropertyDifferences><Timestamp>2026-01-31T03:00:00Z</Timestamp></member>"
        )
    };
    let path = "<member><PropertyPath>/Timeout</PropertyPath><ExpectedValue>900</ExpectedValue><ActualValue>3</ActualValue><DifferenceType>NOT_EQUAL</DifferenceType></member>";
    let page = |drifts: &str, next: &str| {
        let body = format!("<StackResourceDrifts>{drifts}</StackResourceDrifts>{next}");
        Fault::Answer(200, xml("DescribeStackResourceDrifts", &body))
    };
    let detect = xml(
        "DetectStackDrift",
        "<StackDriftDetectionId>d</StackDriftDetectionId>",
    );
    proxy.fault("Action=DetectStackDrift&", 5, Fault::Answer(200, detect));
    proxy.fault(
        "Action=DescribeStackDriftDetectionStatus",
        1,
        status("DETECTION_IN_PROGRESS", ""),
    );
    proxy.fault(
        "Action=DescribeStackDriftDetectionStatus",
        4,
        status("DETECTION_COMPLETE", ""),
    );
    let failed = "<DetectionStatusReason>Rate exceeded on [Machine]</DetectionStatusReason>";
    proxy.fault(
        "Action=DescribeStackDriftDetectionStatus",
        1,
        status("DETECTION_FAILED", failed),
    );
    let function = drift("CollectFunction", "AWS::Lambda::Function", "MODIFIED", path);
    let bucket = drift("RawBucket", "AWS::S3::Bucket", "DELETED", "");
    for stack in ["data-storage", "glue", "common-resources", "orchestration"] {
        let none = if stack == "data-storage" {
            bucket.as_str()
        } else {
            ""
        };
        proxy.fault_of(
            "Action=DescribeStackResourceDrifts",
            &format!("adverts-drift-{stack}"),
            1,
            page(none, ""),
        );
    }
    proxy.fault_of(
        "Action=DescribeStackResourceDrifts",
        "NextToken",
        1,
        page(&function, ""),
    );
    proxy.fault(
        "Action=DescribeStackResourceDrifts",
        1,
        page("", "<NextToken>2</NextToken>"),
    );

    let output = site.run_at(&proxy.url, &["deploy", "--drift", "--output", "json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |part: &str| &told[format!("adverts-drift-{part}")];
    assert_eq!(of("data-storage")[0]["status"], "DELETED", "{told}");
    assert_eq!(of("glue"), &serde_json::json!([]));
    let function = &of("transformation-resources")[0];
    assert_eq!(function["logical_id"], "CollectFunction");
    assert_eq!(function["properties"], serde_json::json!(["/Timeout"]));
    let unchecked = &of("orchestration")[0];
    assert_eq!(unchecked["status"], "NOT_CHECKED", "{told}");
    assert_eq!(unchecked["properties"][0], "Rate exceeded on [Machine]");
}
