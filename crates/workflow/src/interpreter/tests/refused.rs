//! What Lakehand does not run is refused at its state, never invented and never caught.

use super::*;

const NAME: &str = "Lakehand.NotInterpreted";

#[test]
fn a_jsonata_expression_is_refused_at_its_state_and_not_before() {
    let states = json!({
        "A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "B"},
        "B": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"n": "{% $states.input.n + 1 %}"}, "Next": "C"},
        "C": {"Type": "Succeed"},
    });
    let mut bench = Bench::start(states, json!({}));
    bench.succeed("A", json!({"n": 1}));
    let (error, cause) = bench.error();
    assert_eq!(error, NAME);
    assert!(
        cause.starts_with("The state \"B\" cannot be run here. 1:"),
        "{cause}"
    );
    assert!(cause.contains("(at /States/B/Output/n)"), "{cause}");
    assert!(bench.types().contains(&"PassStateEntered"));
    bench.check_ids();
}

#[test]
fn a_way_around_the_refused_state_is_run() {
    let states = json!({
        "A": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsPresent": true, "Next": "B"}], "Default": "C"},
        "B": {"Type": "Wait", "QueryLanguage": "JSONata", "Seconds": "{% 1 %}", "Next": "C"},
        "C": {"Type": "Succeed"},
    });
    let bench = Bench::start(states.clone(), json!({"y": 1}));
    assert_eq!(bench.output(), json!({"y": 1}));
    assert_eq!(Bench::start(states, json!({"x": 1})).error().0, NAME);
}

#[test]
fn nothing_catches_retries_or_tolerates_a_refusal() {
    let all = json!([{"ErrorEquals": ["States.ALL"], "Next": "Z"}]);
    let inner =
        json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% 1 %}", "End": true});
    for mode in ["INLINE", "DISTRIBUTED"] {
        let states = json!({
            "A": {"Type": "Map", "ToleratedFailurePercentage": 100, "Catch": all, "Retry": [{"ErrorEquals": ["States.ALL"]}],
                "ItemProcessor": {"ProcessorConfig": {"Mode": mode}, "StartAt": "I", "States": {"I": inner}}, "End": true},
            "Z": pass(),
        });
        let bench = Bench::start(states, json!([1, 2]));
        assert_eq!(bench.error().0, NAME, "{mode}");
        bench.check_ids();
    }
    let states = json!({
        "A": {"Type": "Map", "Catch": all, "End": true,
            "ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "b"}},
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "I", "States": {"I": pass()}}},
        "Z": pass(),
    });
    let (error, cause) = Bench::start(states, json!([1])).error();
    assert_eq!(error, NAME);
    assert!(cause.contains("ItemReader"), "{cause}");
}

#[test]
fn jsonata_without_expressions_is_run() {
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "B"},
        "B": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": {"a.$": "$.b"}, "Next": "C",
            "Catch": [{"ErrorEquals": ["States.ALL"], "Output": {"caught": true}, "Next": "C"}]},
        "C": {"Type": "Map", "Items": [1, 2], "ItemProcessor": {"StartAt": "I", "States": {
            "I": {"Type": "Succeed", "Output": "one"}}}, "Next": "D"},
        "D": {"Type": "Succeed"}}});
    let mut bench = Bench::of(definition, json!({"in": 1}));
    bench.signal(Signal::Start);
    assert_eq!(bench.task("B").parameters, json!({"a.$": "$.b"}));
    bench.fail("B", "E");
    assert_eq!(bench.output(), json!(["one", "one"]));
    let entered = bench
        .events
        .iter()
        .find(|event| event.event_type == EventType::MapStateEntered);
    assert_eq!(
        entered.unwrap().details.input.as_deref(),
        Some("{\"caught\":true}")
    );
}

#[test]
fn states_all_catches_a_result_over_the_size_limit() {
    let states = json!({"A": task(json!({"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}]})), "Z": pass()});
    let mut bench = Bench::start(states, json!({}));
    bench.succeed("A", json!("x".repeat(300_000)));
    assert_eq!(bench.output()["Error"], json!("States.DataLimitExceeded"));
}
