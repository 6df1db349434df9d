#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod language;

use super::*;
use serde_json::{Value, json};

fn problems(text: &str) -> Vec<(usize, usize, String, String)> {
    match Definition::parse(text) {
        Ok(_) => Vec::new(),
        Err(invalid) => invalid
            .problems
            .into_iter()
            .map(|problem| {
                (
                    problem.place.line,
                    problem.place.column,
                    problem.place.pointer,
                    problem.message,
                )
            })
            .collect(),
    }
}

/// A machine with the given states, `A` first. Every other state must be led to by the test itself.
fn machine(states: Value) -> String {
    json!({"StartAt": "A", "States": states}).to_string()
}

fn messages(states: Value) -> Vec<String> {
    problems(&machine(states))
        .into_iter()
        .map(|problem| problem.3)
        .collect()
}

/// One problem, and it says `words`.
fn one(states: Value, words: &str) {
    let found = messages(states);
    assert_eq!(found.len(), 1, "{words}: {found:?}");
    assert!(found[0].contains(words), "{words}: {found:?}");
}

#[test]
fn all_problems_are_named_with_line_column_and_pointer() {
    let text = "{\n  \"StartAt\": \"A\",\n  \"States\": {\n    \"A\": {\"Type\": \"Pass\", \"Next\": \"B\", \"Foo\": 1},\n    \"C\": {\"Type\": \"Wait\",\n      \"Seconds\": -1, \"Next\": \"A\"}\n  }\n}";
    let found = problems(text);
    let places: Vec<(usize, usize, &str)> = found
        .iter()
        .map(|(line, column, pointer, _)| (*line, *column, pointer.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            (4, 35, "/States/A/Next"),
            (4, 40, "/States/A/Foo"),
            (5, 5, "/States/C"),
            (6, 18, "/States/C/Seconds")
        ]
    );
    assert_eq!(found[0].3, "there is no state \"B\" here to go to");
    assert_eq!(found[2].3, "nothing leads to the state \"C\"");
}

#[test]
fn columns_count_characters_and_pointers_are_escaped() {
    let text = "{\"StartAt\": \"ä/~\", \"States\": {\"ä/~\": {\"Type\": \"Pass\", \"End\": true, \"ResultPath\": \"$.ü[*]\"}}}";
    let found = problems(text);
    assert_eq!((found[0].0, found[0].1), (1, 82));
    assert_eq!(found[0].2, "/States/ä~1~0/ResultPath");
}

#[test]
fn syntax_errors_have_a_place_too() {
    let found = problems("{\n  \"StartAt\": \"A\",,\n}");
    assert_eq!((found[0].0, found[0].1), (2, 18));
    assert!(found[0].3.contains("not JSON"), "{found:?}");
}

#[test]
fn transitions_must_lead_somewhere_and_states_be_led_to() {
    one(
        json!({"A": {"Type": "Pass", "Next": "X"}}),
        "no state \"X\"",
    );
    one(
        json!({"A": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": true, "Next": "B"}], "Default": "X"}, "B": {"Type": "Succeed"}}),
        "no state \"X\"",
    );
    one(
        json!({"A": {"Type": "Pass", "End": true}, "B": {"Type": "Pass", "End": true}}),
        "nothing leads to the state \"B\"",
    );
    assert!(
        problems(r#"{"StartAt": "X", "States": {"A": {"Type": "Pass", "End": true}}}"#)[0]
            .3
            .contains("no state \"X\"")
    );
    // A branch cannot be left.
    one(
        json!({"A": {"Type": "Parallel", "End": true, "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Pass", "Next": "A"}}}]}}),
        "no state \"A\"",
    );
}

#[test]
fn next_and_end_exclude_each_other() {
    one(
        json!({"A": {"Type": "Pass", "Next": "A", "End": true}}),
        "both Next and End",
    );
    one(json!({"A": {"Type": "Pass"}}), "Next is missing");
    one(
        json!({"A": {"Type": "Pass", "End": false}}),
        "Next is missing",
    );
    one(
        json!({"A": {"Type": "Succeed", "End": true}}),
        "no field End",
    );
    one(
        json!({"A": {"Type": "Fail", "InputPath": "$"}}),
        "no field InputPath",
    );
}

#[test]
fn required_fields_unknown_fields_and_wrong_types_are_told() {
    one(json!({"A": {"End": true}}), "Type is missing");
    one(
        json!({"A": {"Type": "Nap", "End": true}}),
        "no state type \"Nap\"",
    );
    one(
        json!({"A": {"Type": "Task", "End": true}}),
        "Resource is missing",
    );
    one(
        json!({"A": {"Type": "Task", "Resource": "lambda", "End": true}}),
        "is not the ARN",
    );
    one(
        json!({"A": {"Type": "Pass", "End": "yes"}}),
        "End must be true or false, not a string",
    );
    one(
        json!({"A": {"Type": "Pass", "End": true, "InputPath": 5}}),
        "InputPath must be a string",
    );
    one(
        json!({"A": {"Type": "Pass", "End": true, "Parameters": {"x.$": 5}}}),
        "must be a path or an intrinsic function",
    );
    one(
        json!({"A": {"Type": "Pass", "End": true, "ResultPath": "$$.x"}}),
        "state input",
    );
    one(
        json!({"A": {"Type": "Map", "End": true}}),
        "ItemProcessor is missing",
    );
    one(
        json!({"A": {"Type": "Parallel", "End": true, "Branches": []}}),
        "at least one branch",
    );
    one(
        json!({"A": {"Type": "Wait", "End": true}}),
        "exactly one of Seconds",
    );
    one(
        json!({"A": {"Type": "Wait", "End": true, "Timestamp": "2026-11-21 09:00"}}),
        "is not a time stamp",
    );
    one(
        json!({"A": {"Type": "Fail", "Error": "x", "ErrorPath": "$.x"}}),
        "exclude each other",
    );
    one(
        json!({"A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true, "TimeoutSeconds": 5, "HeartbeatSeconds": 5}}),
        "smaller than TimeoutSeconds",
    );
    assert!(problems("[]")[0].3.contains("an object was expected"));
    assert!(
        problems(r#"{"States": {}}"#)
            .iter()
            .any(|problem| problem.3.contains("StartAt is missing"))
    );
}

#[test]
fn retriers_and_catchers_are_checked() {
    let task = |extra: Value| {
        let mut state =
            json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true});
        state
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        json!({"A": state})
    };
    one(
        task(json!({"Retry": [{"ErrorEquals": ["States.ALL", "X"]}]})),
        "must stand alone",
    );
    one(
        task(json!({"Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["X"]}]})),
        "last element",
    );
    one(
        task(json!({"Retry": [{"ErrorEquals": []}]})),
        "non-empty array",
    );
    one(
        task(json!({"Retry": [{"ErrorEquals": ["X"], "BackoffRate": 0.5}]})),
        "BackoffRate must be",
    );
    one(
        task(json!({"Retry": [{"ErrorEquals": ["X"], "JitterStrategy": "HALF"}]})),
        "one of FULL, NONE",
    );
    one(
        task(json!({"Catch": [{"ErrorEquals": ["X"]}]})),
        "Next is missing",
    );
    one(
        task(json!({"Catch": [{"Next": "A"}]})),
        "ErrorEquals is missing",
    );
    assert!(messages(task(json!({"Retry": [], "Catch": []}))).is_empty());
}

#[test]
fn choices_are_checked() {
    let choice = |rule: Value| json!({"A": {"Type": "Choice", "Choices": [rule], "Default": "Z"}, "Z": {"Type": "Succeed"}});
    one(
        json!({"A": {"Type": "Choice", "Choices": []}}),
        "at least one rule",
    );
    one(json!({"A": {"Type": "Choice"}}), "Choices is missing");
    one(
        choice(json!({"Variable": "$.x", "Next": "A"})),
        "exactly one comparison operator, not 0",
    );
    one(
        choice(json!({"Variable": "$.x", "IsNull": true, "IsString": true, "Next": "A"})),
        "not 2",
    );
    one(
        choice(json!({"Variable": "$.x", "NumericEquals": "1", "Next": "A"})),
        "NumericEquals must be a number",
    );
    one(
        choice(json!({"Variable": "$.x", "TimestampEquals": "now", "Next": "A"})),
        "time stamp",
    );
    one(
        choice(json!({"Variable": "$.x", "BooleanEquals": true})),
        "Next is missing",
    );
    one(
        choice(json!({"NumericEquals": 1, "Next": "A"})),
        "Variable is missing",
    );
    one(
        choice(json!({"And": [{"Variable": "$.x", "IsNull": true, "Next": "A"}], "Next": "A"})),
        "only the outermost rule",
    );
    one(
        choice(json!({"Variable": "$.x", "IsPresnt": true, "IsNull": true, "Next": "A"})),
        "no field IsPresnt",
    );
}

#[test]
fn names_are_unique_in_the_whole_definition() {
    let branch = json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}});
    one(
        json!({"A": {"Type": "Parallel", "End": true, "Branches": [branch]}}),
        "taken already",
    );
    let twice = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}, "A": {"Type": "Succeed"}}}"#;
    assert!(problems(twice)[0].3.contains("given twice"));
}

#[test]
fn resources_are_told_apart() {
    let kind = |arn: &str| {
        let text = machine(json!({"A": {"Type": "Task", "Resource": arn, "End": true}}));
        let definition = Definition::parse(&text).unwrap();
        match &definition.state("A").unwrap().kind {
            StateKind::Task(task) => task.resource.kind.clone(),
            _ => panic!("not a task"),
        }
    };
    let service = |service: &str, action: &str| ResourceKind::Service {
        service: service.into(),
        action: action.into(),
    };
    assert_eq!(
        kind("arn:aws:lambda:eu-west-1:1:function:f"),
        ResourceKind::Lambda
    );
    assert_eq!(kind("${CollectFunctionArn}"), ResourceKind::Lambda);
    assert_eq!(
        kind("arn:aws:states:eu-west-1:1:activity:a"),
        ResourceKind::Activity
    );
    assert_eq!(
        kind("arn:aws:states:::athena:startQueryExecution.sync"),
        service("athena", "startQueryExecution.sync")
    );
    assert_eq!(
        kind("arn:aws:states:::states:startExecution.sync:2"),
        service("states", "startExecution.sync:2")
    );
    assert_eq!(
        kind("arn:aws-cn:states:::aws-sdk:glue:startCrawler"),
        service("aws-sdk:glue", "startCrawler")
    );
}

#[test]
fn the_graph_has_every_state_and_transition_in_rows() {
    let text = machine(json!({
        "A": {"Type": "Choice", "Choices": [{"Variable": "$.x", "NumericGreaterThan": 5, "Next": "B"}], "Default": "C"},
        "B": {"Type": "Pass", "Next": "D"},
        "C": {"Type": "Parallel", "Next": "D", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "F"}], "Branches": [
            {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}},
            {"StartAt": "Q", "States": {"Q": {"Type": "Wait", "Seconds": 1, "Next": "R"}, "R": {"Type": "Succeed"}}}]},
        "D": {"Type": "Wait", "Seconds": 1, "Next": "A"},
        "F": {"Type": "Fail"},
    }));
    let graph = Definition::parse(&text).unwrap().graph();
    let node = |name: &str| {
        graph
            .nodes
            .iter()
            .position(|node| node.name == name)
            .unwrap()
    };
    let rows: Vec<(&str, usize, usize, usize)> = graph
        .nodes
        .iter()
        .map(|node| (node.name.as_str(), node.branch, node.layer, node.column))
        .collect();
    assert_eq!(
        rows,
        [
            ("A", 0, 0, 0),
            ("B", 0, 1, 0),
            ("C", 0, 1, 1),
            ("D", 0, 2, 0),
            ("F", 0, 2, 1),
            ("P", 0, 0, 0),
            ("Q", 1, 0, 0),
            ("R", 1, 1, 0)
        ]
    );
    let kinds: Vec<(usize, usize, &EdgeKind)> = graph
        .edges
        .iter()
        .map(|edge| (edge.from, edge.to, &edge.kind))
        .collect();
    assert!(kinds.contains(&(node("A"), node("B"), &EdgeKind::Choice("$.x > 5".into()))));
    assert!(kinds.contains(&(node("A"), node("C"), &EdgeKind::Default)));
    assert!(kinds.contains(&(
        node("C"),
        node("F"),
        &EdgeKind::Catch(vec!["States.ALL".into()])
    )));
    assert!(kinds.contains(&(node("D"), node("A"), &EdgeKind::Next)));
    assert_eq!(graph.edges.len(), 7);
    assert_eq!(graph.nodes[node("R")].parent, Some(node("C")));
    assert!(graph.nodes[node("R")].is_end && graph.nodes[node("Q")].is_start);
    assert_eq!(graph.start, node("A"));
}
