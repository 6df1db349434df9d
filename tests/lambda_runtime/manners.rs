//! How the function meets its runtime: several events, failures by name, batches, its start and its end.

use std::{net::TcpListener, time::Duration};

use serde_json::{Value, json};

use super::{
    functions,
    runtime_api::{Function, window},
};

const TIME: Duration = Duration::from_secs(60);
const CONFIG: (&str, &str) = (
    "LAKEHAND_CONFIG",
    "profile = 'x'\n[profiles.x]\nplatform = 'aws'\n",
);

fn chunks(output: &Value) -> usize {
    output["chunks"].as_array().unwrap().len()
}

#[test]
fn one_process_answers_many_events_and_outlives_failures() {
    let mut function = Function::start("plan-backfill", &[CONFIG]);
    let plan = |from: &str, days: u32| json!({ "window": window(from, "2026-01-10"), "chunk_days": days, "execution": "arn:x" });
    assert_eq!(
        chunks(&function.invoke(&plan("2026-01-01", 5), TIME).output()),
        2
    );
    let (name, message) = function.invoke(&plan("2026-01-01", 0), TIME).failure();
    assert_eq!(name, "InvalidInput");
    assert!(message.contains("chunk_days is 0"), "{message}");
    let (name, _) = function
        .invoke(&json!({ "window": "yesterday" }), TIME)
        .failure();
    assert_eq!(name, "InvalidInput");
    // An event that is no JSON never reaches the function, and does not end it.
    let broken = function.send("{\"window\":", TIME);
    function.answer(&broken).failure();
    assert_eq!(
        chunks(&function.invoke(&plan("2026-01-10", 1), TIME).output()),
        1
    );
    let said: Vec<Value> = function
        .said()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let errors: Vec<&Value> = said
        .iter()
        .filter(|line| line["level"] == "ERROR")
        .collect();
    assert_eq!(errors.len(), 2, "each failure is logged once: {said:?}");
    assert_eq!(
        (&errors[0]["requestId"], &errors[0]["execution"]),
        (&json!("request-2"), &json!("arn:x"))
    );
    assert_eq!(errors[0]["stage"], "plan-backfill");
    assert!(
        errors[0]["message"]
            .as_str()
            .unwrap()
            .starts_with("InvalidInput: ")
    );
}

#[test]
fn an_execution_ends_with_the_error_that_was_caught() {
    let mut function = Function::start("fail-execution", &[]);
    let cause =
        json!({ "errorMessage": "the key expired", "errorType": "BadCredentials" }).to_string();
    let event = |now: Value| json!({ "error": "BadCredentials", "cause": cause, "failed_in": { "Id": "x" }, "now_in": now });
    let ended = function
        .invoke(&event(json!({ "Id": "x" })), TIME)
        .failure();
    assert_eq!(
        ended,
        ("BadCredentials".to_owned(), "the key expired".to_owned())
    );
    let again = function.invoke(&event(json!({ "Id": "x", "RedriveCount": 1 })), TIME);
    assert_eq!(again.output(), json!({ "redriven": true }));
}

#[test]
fn of_a_batch_only_what_failed_comes_again() {
    let mut function = Function::start("plan-backfill", &[CONFIG]);
    let good = json!({ "window": window("2026-01-01", "2026-01-02"), "chunk_days": 1 }).to_string();
    let record =
        |id: &str, body: &str| json!({ "eventSource": "aws:sqs", "messageId": id, "body": body });
    let event = json!({ "Records": [record("good", &good), record("bad", "{}"), record("torn", "{\"win"), record("fine", &good)] });
    assert_eq!(
        function.invoke(&event, TIME).output(),
        json!({ "batchItemFailures": [{ "itemIdentifier": "bad" }, { "itemIdentifier": "torn" }] })
    );
}

#[test]
fn a_function_that_is_none_says_so_at_the_start() {
    let mut function = Function::start("bootstrap", &[CONFIG]);
    let told = function.init_error();
    assert_eq!(told["errorType"], "Runtime.UnknownHandler");
    assert!(
        told["errorMessage"]
            .as_str()
            .unwrap()
            .contains("there is no function 'bootstrap'"),
        "{told}"
    );
    assert_eq!(function.exit_code(), Some(1));
}

#[test]
fn settings_that_cannot_be_used_are_a_failure_with_a_name() {
    let event = json!({ "window": window("2026-01-01", "2026-01-02"), "chunk_days": 1 });
    let cases: [(&[(&str, &str)], &str); 4] = [
        (
            &[],
            "neither LAKEHAND_CONFIG_URI nor LAKEHAND_CONFIG is set",
        ),
        (
            &[("LAKEHAND_CONFIG", "[profiles.x]\nplatfrom = 'aws'\n")],
            "unknown field",
        ),
        (
            &[CONFIG, ("LAKEHAND_PROFILE", "prod")],
            "there is no profile 'prod'",
        ),
        (
            &[("LAKEHAND_CONFIG_URI", "bucket/key")],
            "should be s3://bucket/key",
        ),
    ];
    for (environment, words) in cases {
        let mut function = Function::start("plan-backfill", environment);
        for _ in 0..2 {
            let (name, message) = function.invoke(&event, TIME).failure();
            assert_eq!(name, "InvalidInput");
            assert!(message.contains(words), "{message}");
        }
    }
}

#[test]
fn settings_that_cannot_be_reached_are_worth_a_repetition() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let url = format!("http://{}", closed.unwrap());
    let environment = [
        ("LAKEHAND_CONFIG_URI", "s3://bucket/key"),
        ("AWS_ENDPOINT_URL", url.as_str()),
    ];
    let mut function = Function::start("plan-backfill", &environment);
    let (name, message) = function.invoke(&json!({}), TIME).failure();
    assert_eq!(name, "TransientPlatformError", "{message}");
}

#[test]
fn sigterm_ends_an_idle_function_at_once() {
    let mut function = Function::start("plan-backfill", &[CONFIG]);
    let cold = function.time_to_first_next();
    eprintln!(
        "start to first `next`: {} ms, memory then {} MB",
        cold.as_millis(),
        function.peak_memory()
    );
    function.terminate();
    assert_eq!(function.exit_code(), Some(0));
    assert!(function.said().is_empty(), "{:?}", function.said());
}

#[test]
fn outside_of_lambda_it_says_what_it_is() {
    let mut command = std::process::Command::new(functions::program());
    let output = command.env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        said["message"]
            .as_str()
            .unwrap()
            .contains("on a machine use `lakehand`"),
        "{said}"
    );
}
