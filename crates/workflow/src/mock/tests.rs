#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::interpreter::Outcome;
use crate::{Definition, ExecutionContext};
use serde_json::{Value, json};

/// The example of AWS's guide "Using mocked service integrations", cut to two cases.
fn guide() -> Value {
    json!({
        "StateMachines": {"LambdaSQSIntegration": {"TestCases": {
            "HappyPath": {"LambdaState": "MockedLambdaSuccess", "SQSState": "MockedSQSSuccess"},
            "RetryPath": {"LambdaState": "MockedLambdaRetry", "SQSState": "MockedSQSSuccess"}
        }}},
        "MockedResponses": {
            "MockedLambdaSuccess": {"0": {"Return": {"StatusCode": 200, "Payload": {"StatusCode": 200, "body": "Hello from Lambda!"}}}},
            "MockedSQSSuccess": {"0": {"Return": {"MD5OfMessageBody": "3bcb6e8e-7h85-4375-b0bc-1a59812c6e51", "MessageId": "1"}}},
            "MockedLambdaRetry": {
                "0": {"Throw": {"Error": "Lambda.ResourceNotReadyException", "Cause": "Lambda resource is not ready."}},
                "1-2": {"Throw": {"Error": "Lambda.TimeoutException", "Cause": "Lambda timed out."}},
                "3": {"Return": {"StatusCode": 200, "Payload": {"StatusCode": 200, "body": "Hello from Lambda!"}}}
            }
        }
    })
}

fn run(definition: &Value, mocks: &Mocks, input: Value) -> (Outcome, usize) {
    let definition =
        Definition::parse(&definition.to_string()).unwrap_or_else(|error| panic!("{error}"));
    let context = ExecutionContext {
        id: "arn:aws:states:us-east-1:1:execution:m:r".into(),
        name: "r".into(),
        role_arn: "role".into(),
        start_time: "2026-11-21T09:00:00Z".parse().unwrap(),
        state_machine_id: "arn:aws:states:us-east-1:1:stateMachine:m".into(),
        state_machine_name: "m".into(),
    };
    let mut driver = Driver::start(&definition, mocks, input, context, Box::new(|| 0.5));
    match driver.run_fast() {
        Progress::Finished(outcome) => (outcome, driver.scheduled().len()),
        other => panic!("{other:?}"),
    }
}

fn guide_definition() -> Value {
    json!({"StartAt": "LambdaState", "States": {
        "LambdaState": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "SQSState", "OutputPath": "$.Payload",
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 3, "BackoffRate": 2}]},
        "SQSState": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": true, "ResultPath": "$.sent"}
    }})
}

#[test]
fn the_example_of_the_guide_runs_through_both_paths() {
    let config = MockConfig::parse(&guide().to_string()).unwrap();
    for (case, calls) in [("HappyPath", 2), ("RetryPath", 5)] {
        let mocks = config
            .test_case("LambdaSQSIntegration", Some(case))
            .unwrap();
        let (outcome, called) = run(&guide_definition(), &mocks, json!({}));
        let Outcome::Succeeded { output } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(
            (
                output["body"].as_str(),
                output["sent"]["MessageId"].as_str()
            ),
            (Some("Hello from Lambda!"), Some("1"))
        );
        assert_eq!(called, calls, "{case}");
    }
}

#[test]
fn what_is_ambiguous_or_missing_is_told() {
    let config = MockConfig::parse(&guide().to_string()).unwrap();
    // The only state machine stands in for a file of another name; of two test cases one must be named.
    let error = config.test_case("other", None).unwrap_err().to_string();
    assert!(
        error.contains("HappyPath, RetryPath") && error.contains("#TESTCASE"),
        "{error}"
    );
    let error = config
        .test_case("other", Some("Nope"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("no test case \"Nope\""), "{error}");
    let two =
        json!({"StateMachines": {"a": {"TestCases": {"t": {}}}, "b": {"TestCases": {"t": {}}}}});
    let two = MockConfig::parse(&two.to_string()).unwrap();
    assert!(two.test_case("a", None).is_ok());
    assert!(
        two.test_case("c", None)
            .unwrap_err()
            .to_string()
            .contains("a, b")
    );
}

#[test]
fn bad_configurations_are_refused() {
    let one = |responses: Value| {
        json!({"StateMachines": {"a": {"TestCases": {"t": {"S": "R"}}}}, "MockedResponses": responses}).to_string()
    };
    for (text, words) in [
        ("{".to_owned(), "not usable"),
        (one(json!({})), "which MockedResponses does not have"),
        (
            one(json!({"R": {"x": {"Return": 1}}})),
            "neither an attempt",
        ),
        (
            one(json!({"R": {"2-1": {"Return": 1}}})),
            "neither an attempt",
        ),
        (one(json!({"R": {"0": {}}})), "either Return or Throw"),
        (
            one(json!({"R": {"0": {"Return": 1, "Throw": {"Error": "E"}}}})),
            "either Return or Throw",
        ),
        (one(json!({"R": {"0": {"Give": 1}}})), "Give"),
    ] {
        let error = MockConfig::parse(&text).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
    assert!(MockConfig::parse(&one(json!({"R": {"0": {"Return": null}}}))).is_ok());
}

#[test]
fn a_call_without_a_mock_fails_and_nothing_catches_it() {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
            "Retry": [{"ErrorEquals": ["E"]}], "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]},
        "B": {"Type": "Succeed"}}});
    let (outcome, _) = run(&definition, &Mocks::default(), json!({}));
    assert!(
        matches!(&outcome, Outcome::Failed { cause: Some(cause), .. } if cause.contains("'A' has no mock")),
        "{outcome:?}"
    );
    let config = json!({"StateMachines": {"m": {"TestCases": {"t": {"A": "R"}}}}, "MockedResponses": {"R": {"0": {"Throw": {"Error": "E"}}}}});
    let mocks = MockConfig::parse(&config.to_string())
        .unwrap()
        .test_case("m", None)
        .unwrap();
    let (outcome, calls) = run(&definition, &mocks, json!({}));
    assert!(
        matches!(&outcome, Outcome::Failed { cause: Some(cause), .. } if cause.contains("attempt 1")),
        "{outcome:?}"
    );
    assert_eq!(calls, 2);
}

#[test]
fn a_function_called_by_its_own_arn_gives_its_payload() {
    let definition = json!({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:1:function:f", "End": true}}});
    for (given, expected) in [
        (
            json!({"StatusCode": 200, "Payload": {"x": 1}}),
            json!({"x": 1}),
        ),
        (json!({"x": 1}), json!({"x": 1})),
        (
            json!({"StatusCode": 200, "Payload": 1, "own": 2}),
            json!({"StatusCode": 200, "Payload": 1, "own": 2}),
        ),
    ] {
        let config = json!({"StateMachines": {"m": {"TestCases": {"t": {"A": "R"}}}}, "MockedResponses": {"R": {"0": {"Return": given}}}});
        let mocks = MockConfig::parse(&config.to_string())
            .unwrap()
            .test_case("m", None)
            .unwrap();
        assert_eq!(
            run(&definition, &mocks, json!({})).0,
            Outcome::Succeeded { output: expected }
        );
    }
}
