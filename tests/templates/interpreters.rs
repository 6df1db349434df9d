//! Our interpreter against others on the definitions that are deployed: `aws-local-stepfunctions` (npm) and moto's, a
//! fork of LocalStack's, with the mends that the emulator has too (`tests/aws/states_language.py`).
//!
//! All get the same rendered definition, input and answers of tasks, and must come to the same end with the same
//! calls. Where one differs, the documentation is on our side: [`DIFFERENCES`] and [`EXECUTION`]. Two things more the
//! definitions avoid: a filter that finds nothing (an empty list for AWS and us, a path that leads nowhere for others:
//! they ask `States.ArrayContains` first), and `"IsPresent": false` of a path that leads nowhere (AWS and we say yes,
//! `aws-local-stepfunctions` no: they say `Not` and `"IsPresent": true`).

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use lakehand::{
    platform::definitions::{Target, definitions},
    workflow::{
        Definition, ExecutionContext, Outcome,
        mock::{Driver, MockConfig, Progress},
    },
};
use serde_json::{Value, json};

/// A definition, an input, and what each state's task answers, call by call; the last answer repeats.
struct Case {
    name: &'static str,
    workflow: &'static str,
    input: Value,
    answers: Vec<(&'static str, Vec<Value>)>,
}

fn gives(value: Value) -> Value {
    json!({ "return": value })
}

fn payload(value: Value) -> Value {
    gives(json!({ "ExecutedVersion": "$LATEST", "StatusCode": 200, "Payload": value }))
}

fn throws(error: &str, cause: &str) -> Value {
    json!({ "throw": { "error": error, "cause": cause } })
}

fn query() -> Value {
    gives(
        json!({ "QueryExecution": { "QueryExecutionId": "q", "Statistics": { "DataScannedInBytes": 5 } } }),
    )
}

/// Athena's answer to a table over files that a build left behind.
fn not_empty() -> Value {
    let reason = "ICEBERG_FILESYSTEM_ERROR: Cannot create a table on a non-empty location: s3://std/staging/a/1";
    let cause = json!({ "Status": { "State": "FAILED", "StateChangeReason": reason } });
    throws("States.TaskFailed", &cause.to_string())
}

fn window() -> Value {
    json!({ "window": { "from": "2026-01-01", "to": "2026-01-03" } })
}

/// What the tasks of every workflow answer when nothing goes wrong.
fn usual() -> BTreeMap<&'static str, Vec<Value>> {
    let chunk = |day: &str| json!({ "from": day, "to": day });
    let plan = json!({
        "mode": "table", "ga_table": "ga_s", "ga_source": "a", "ga_medium": "b", "ga_campaign": "c", "ga_sessions": "d",
        "ga_users": "e", "ga_conversions": "f", "zone": "UTC", "business_unit": "de",
    });
    let done = || payload(json!({ "done": true }));
    BTreeMap::from([
        (
            "Collect",
            vec![payload(json!({ "rows": 3, "manifest_key": "k" }))],
        ),
        ("Normalise", vec![payload(json!({ "rows": 3 }))]),
        ("StartCrawler", vec![gives(json!({}))]),
        ("Notify", vec![gives(json!({ "MessageId": "m" }))]),
        ("NotifyFailure", vec![gives(json!({ "MessageId": "m" }))]),
        ("NotifyParked", vec![gives(json!({ "MessageId": "m" }))]),
        ("AcquireLease", vec![done()]),
        ("UpdateDimensions", vec![done()]),
        ("ExtractOfferCaps", vec![done()]),
        ("CreateTable", vec![query()]),
        ("DropOldStaging", vec![query()]),
        ("BuildWindow", vec![query()]),
        ("CheckQuality", vec![done()]),
        ("ReplaceWindow", vec![query()]),
        ("DropStaging", vec![query()]),
        (
            "ExportReport",
            vec![payload(
                json!({ "name": "sub5-20260131-0900.csv", "rows": 3 }),
            )],
        ),
        ("ReleaseLease", vec![done()]),
        ("ReleaseLeaseWithoutReport", vec![done()]),
        ("DropStagingAfterFailure", vec![query()]),
        ("ReleaseLeaseAfterFailure", vec![done()]),
        ("PlanDatamart", vec![payload(plan)]),
        ("BuildDatamart", vec![query()]),
        ("ReplaceDatamart", vec![query()]),
        ("CreateView", vec![query()]),
        ("CheckView", vec![done()]),
        (
            "PlanBackfill",
            vec![payload(
                json!({ "chunks": [chunk("2026-01-03"), chunk("2026-01-02")] }),
            )],
        ),
        (
            "CollectChunk",
            vec![gives(
                json!({ "ExecutionArn": "arn:c", "Status": "SUCCEEDED" }),
            )],
        ),
        (
            "BuildChunk",
            vec![gives(
                json!({ "ExecutionArn": "arn:b", "Status": "SUCCEEDED" }),
            )],
        ),
        ("EndAsFailed", vec![throws("Ended", "as failed")]),
    ])
}

fn cases() -> Vec<Case> {
    let case = |name, workflow, input, answers| Case {
        name,
        workflow,
        input,
        answers,
    };
    let with = |more: Value| {
        let mut input = window();
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        input
    };
    let one = || with(json!({ "streams": ["affise.clicks"] }));
    let refused = || throws("BadCredentials", "{\"errorMessage\":\"the key is wrong\"}");
    vec![
        case("every stream", "collect", window(), vec![]),
        case(
            "a stream that fails",
            "collect",
            one(),
            vec![("Collect", vec![refused()])],
        ),
        case(
            "a lease that comes free",
            "collect",
            one(),
            vec![(
                "Collect",
                vec![
                    throws("LeaseHeld", "held"),
                    throws("LeaseHeld", "held"),
                    payload(json!({ "rows": 1 })),
                ],
            )],
        ),
        case(
            "a quota that is used up",
            "collect",
            one(),
            vec![(
                "Collect",
                vec![payload(json!({
                    "rows": 3, "manifest_key": "k",
                    "failure": { "error": "QuotaExhausted", "cause": "used up", "parked_until": "2026-01-02T00:00:00Z" },
                }))],
            )],
        ),
        case(
            "a transient failure that stays",
            "collect",
            one(),
            vec![("Normalise", vec![throws("Lambda.Unknown", "gone")])],
        ),
        case(
            "no stream at all",
            "collect",
            with(json!({ "streams": [] })),
            vec![],
        ),
        case("the report", "daily-report", window(), vec![]),
        case(
            "the table without a report",
            "daily-report",
            with(json!({ "export": false })),
            vec![],
        ),
        case(
            "dimensions that are there",
            "daily-report",
            with(json!({ "dimensions": {}, "offer_caps": {} })),
            vec![],
        ),
        case(
            "a staging table left behind",
            "daily-report",
            window(),
            vec![(
                "BuildWindow",
                vec![
                    throws("Athena.Failed", "TABLE_ALREADY_EXISTS: staging"),
                    query(),
                ],
            )],
        ),
        case(
            "files that no table names",
            "daily-report",
            window(),
            vec![("BuildWindow", vec![not_empty(), not_empty(), query()])],
        ),
        case(
            "a check that fails",
            "daily-report",
            window(),
            vec![(
                "CheckQuality",
                vec![throws("QualityCheckFailed", "2 checks")],
            )],
        ),
        case(
            "cleaning up that fails too",
            "daily-report",
            window(),
            vec![
                (
                    "ReplaceWindow",
                    vec![throws("Athena.InvalidRequestException", "no")],
                ),
                (
                    "DropStagingAfterFailure",
                    vec![throws("Athena.InvalidRequestException", "no")],
                ),
                (
                    "NotifyFailure",
                    vec![throws("SNS.NotFoundException", "no topic")],
                ),
            ],
        ),
        case("the datamart", "datamart", window(), vec![]),
        case(
            "the datamart as a view",
            "datamart",
            window(),
            vec![(
                "PlanDatamart",
                vec![payload(json!({
                    "mode": "view", "ga_table": "ga_s", "ga_source": "a", "ga_medium": "b", "ga_campaign": "c", "ga_sessions": "d",
                    "ga_users": "e", "ga_conversions": "f", "zone": "UTC", "business_unit": "it''s",
                }))],
            )],
        ),
        case(
            "files that no table of the datamart names",
            "datamart",
            window(),
            vec![("BuildDatamart", vec![not_empty(), query()])],
        ),
        case(
            "no folder that is empty",
            "datamart",
            window(),
            vec![("BuildDatamart", vec![not_empty()])],
        ),
        case("every chunk", "backfill", window(), vec![]),
        case(
            "children that tell their errors, and one that has none",
            "backfill",
            window(),
            vec![
                (
                    "CollectChunk",
                    vec![
                        throws(
                            "States.TaskFailed",
                            r#"{"Status":"FAILED","Error":"SourceRetired","Cause":"gone"}"#,
                        ),
                        gives(json!({ "ExecutionArn": "arn:c" })),
                    ],
                ),
                (
                    "BuildChunk",
                    vec![throws("States.TaskFailed", r#"{"Status":"ABORTED"}"#)],
                ),
            ],
        ),
        case(
            "a chunk that fails",
            "backfill",
            with(json!({ "chunk_days": 7 })),
            vec![(
                "BuildChunk",
                vec![
                    gives(json!({ "ExecutionArn": "arn:b" })),
                    throws("StepFunctions.ExecutionFailed", "why"),
                ],
            )],
        ),
        case(
            "a plan that fails",
            "backfill",
            window(),
            vec![("PlanBackfill", vec![throws("InvalidInput", "chunk_days")])],
        ),
    ]
}

fn answers_of(case: &Case) -> BTreeMap<&'static str, Vec<Value>> {
    let mut all = usual();
    all.extend(case.answers.iter().cloned());
    all
}

/// `$$.Execution` holds when it started, which is never the same.
fn without_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("StartTime");
            map.values_mut().for_each(without_times);
        }
        Value::Array(items) => items.iter_mut().for_each(without_times),
        _ => {}
    }
}

/// Iterations of a Map run side by side, so calls are compared without their order.
fn sorted(mut end: Value) -> Value {
    without_times(&mut end);
    let mut calls: Vec<Value> = end["calls"].as_array().unwrap().clone();
    calls.sort_by_key(Value::to_string);
    end["calls"] = Value::Array(calls);
    end
}

/// Shorter than 56 bytes: the MD5 (`States.Hash`) of `aws-local-stepfunctions` is wrong for longer texts, where a second
/// block begins.
const EXECUTION: &str = "arn:aws:states:eu-west-1:210987654321:execution:m:one";

fn ours(case: &Case, text: &str) -> Value {
    let definition = Definition::parse(text).unwrap();
    let (mut states, mut responses) = (serde_json::Map::new(), serde_json::Map::new());
    for (state, answers) in answers_of(case) {
        let last = answers.len() - 1;
        let each = answers.iter().enumerate().map(|(number, answer)| {
            let calls = if number == last {
                format!("{number}-999")
            } else {
                number.to_string()
            };
            let mocked = match answer.get("throw") {
                Some(thrown) => {
                    json!({ "Throw": { "Error": thrown["error"], "Cause": thrown["cause"] } })
                }
                None => json!({ "Return": answer["return"] }),
            };
            (calls, mocked)
        });
        responses.insert(state.to_owned(), Value::Object(each.collect()));
        states.insert(state.to_owned(), json!(state));
    }
    let config = json!({ "StateMachines": { "m": { "TestCases": { "t": states } } }, "MockedResponses": responses });
    let config = MockConfig::parse(&config.to_string()).unwrap();
    let mocks = config.test_case("m", Some("t")).unwrap();
    let context = ExecutionContext {
        id: EXECUTION.to_owned(),
        name: "one".to_owned(),
        role_arn: "role".to_owned(),
        start_time: "2026-11-21T09:00:00Z".parse().unwrap(),
        state_machine_id: "arn:aws:states:eu-central-1:210987654321:stateMachine:m".to_owned(),
        state_machine_name: "m".to_owned(),
    };
    let mut driver = Driver::start(
        &definition,
        &mocks,
        case.input.clone(),
        context,
        Box::new(|| 0.5),
    );
    let Progress::Finished(outcome) = driver.run_fast() else {
        panic!("{} does not end", case.name);
    };
    let calls: Vec<Value> = driver
        .scheduled()
        .iter()
        .map(|call| json!([call.state, call.parameters]))
        .collect();
    match outcome {
        Outcome::Succeeded { output } => {
            json!({ "status": "SUCCEEDED", "output": output, "calls": calls })
        }
        Outcome::Failed { error, cause } => {
            json!({ "status": "FAILED", "error": error, "cause": cause, "calls": calls })
        }
        other => panic!("{}: {other:?}", case.name),
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/templates")
        .join(name)
}

const AWS_LOCAL_STEPFUNCTIONS: &str = "aws-local-stepfunctions";
const MOTO: &str = "moto";

fn aws_local_stepfunctions() -> Command {
    let bin = super::node::bin("asl", &super::ASL_PACKAGES);
    let mut command = Command::new("node");
    command
        .arg(script("other_interpreter.cjs"))
        .arg(bin.parent().unwrap().join(AWS_LOCAL_STEPFUNCTIONS));
    command
}

fn moto() -> Command {
    let mut command = Command::new(super::python::emulator());
    // It imports from tests/aws, where Python would leave its compiled files.
    command.arg("-B").arg(script("moto_interpreter.py"));
    command
}

/// What another interpreter makes of the cases, which it reads from its standard input.
fn theirs(command: &mut Command, cases: &[Case], texts: &BTreeMap<&str, String>) -> Vec<Value> {
    let all: Vec<Value> = cases
        .iter()
        .map(|case| {
            let definition: Value = serde_json::from_str(&texts[case.workflow]).unwrap();
            json!({
                "definition": definition, "input": case.input, "responses": answers_of(case),
                "execution": { "Id": EXECUTION, "Name": "one", "RoleArn": "role" },
            })
        })
        .collect();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = serde_json::to_vec(&all).unwrap();
    // One that gives up early says why on its standard error, so a closed pipe is not what fails.
    let writer = std::thread::spawn(move || input.write_all(&text));
    let output = child.wait_with_output().unwrap();
    let written = writer.join().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    written.unwrap();
    let ends: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(ends.len(), cases.len());
    ends
}

/// Who leaves the documentation where: the interpreter, the case, and the error it ends with where AWS and we succeed.
///
/// `$.results[*].status` over an empty list is an empty list for AWS, moto and us, and a path that leads nowhere for
/// `aws-local-stepfunctions`.
const DIFFERENCES: [(&str, &str, &str); 1] = [(
    AWS_LOCAL_STEPFUNCTIONS,
    "no stream at all",
    "States.Runtime",
)];

/// The error with which an interpreter is known to end a case that succeeds.
fn known_difference(other: &str, case: &str) -> Option<&'static str> {
    let mut known = DIFFERENCES.iter();
    known.find_map(|(name, which, error)| (*name == other && *which == case).then_some(*error))
}

fn compare_with(other: &str, command: &mut Command) {
    let profile = super::profile();
    let target = Target::on_aws(&profile, "210987654321", "eu-central-1");
    let texts: BTreeMap<&str, String> = definitions(&target).unwrap().into_iter().collect();
    let cases = cases();
    let mut differences = Vec::new();
    for (case, theirs) in cases.iter().zip(theirs(command, &cases, &texts)) {
        let (ours, theirs) = (sorted(ours(case, &texts[case.workflow])), sorted(theirs));
        if let Some(error) = known_difference(other, case.name) {
            assert_eq!(ours["status"], "SUCCEEDED", "{ours}");
            assert_eq!(theirs["error"], error, "{theirs}");
        } else if ours != theirs {
            differences.push(format!(
                "{} ({}):\n  ours   {ours}\n  theirs {theirs}",
                case.name, case.workflow
            ));
        }
    }
    assert!(
        differences.is_empty(),
        "{other}:\n{}",
        differences.join("\n")
    );
}

#[test]
fn aws_local_stepfunctions_comes_to_the_same_end_by_the_same_calls() {
    compare_with(AWS_LOCAL_STEPFUNCTIONS, &mut aws_local_stepfunctions());
}

#[test]
fn moto_comes_to_the_same_end_by_the_same_calls() {
    compare_with(MOTO, &mut moto());
}
