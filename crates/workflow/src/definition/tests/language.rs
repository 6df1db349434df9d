//! Everything the language has besides JSONPath: JSONata, variables, distributed Maps, every way to call.

use super::*;

fn parsed(text: &str) -> Definition {
    Definition::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// A JSONata machine that starts at `A`.
fn jsonata(states: Value) -> String {
    json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": states}).to_string()
}

fn jsonata_fault(states: Value, pointer: &str, words: &str) {
    let found = problems(&jsonata(states));
    assert_eq!(found.len(), 1, "{words}: {found:?}");
    assert_eq!(found[0].2, pointer);
    assert!(found[0].3.contains(words), "{words}: {found:?}");
}

const ORDERS: &str = include_str!("orders.asl.json");

#[test]
fn a_jsonata_machine_with_everything_is_right_and_drawn() {
    let definition = parsed(ORDERS);
    assert!(definition.warnings.is_empty());
    let graph = definition.graph();
    let label = |from: &str, to: &str| {
        let at = |name: &str| graph.nodes.iter().position(|n| n.name == name).unwrap();
        let edge = graph
            .edges
            .iter()
            .find(|e| e.from == at(from) && e.to == at(to));
        edge.unwrap().kind.clone()
    };
    assert_eq!(
        label("Enough?", "Each"),
        EdgeKind::Choice("$count($orders) > 10 and $states.input.force".into())
    );
    assert_eq!(label("Enough?", "Settle"), EdgeKind::Default);
    let note = |name: &str| {
        let node = graph.nodes.iter().find(|node| node.name == name);
        node.unwrap().note.as_str()
    };
    assert_eq!(
        note("Each"),
        "distributed, items from s3:getObject, in batches, results to s3:putObject"
    );
    assert_eq!(note("Approve"), "waits for its token");
    let refused = definition.state("Settle").unwrap().refused.clone().unwrap();
    assert_eq!(refused.place.pointer, "/States/Settle/Seconds");
    assert!(definition.state("Stay").unwrap().refused.is_none());
}

#[test]
fn one_state_of_a_jsonpath_machine_may_be_jsonata() {
    let text = machine(json!({
        "A": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"n": "{% $states.input.n + 1 %}"}, "Next": "B"},
        "B": {"Type": "Pass", "InputPath": "$.n", "Parameters": {"m.$": "$"}, "End": true}}));
    let definition = parsed(&text);
    assert!(definition.state("A").unwrap().refused.is_some());
    assert!(definition.state("B").unwrap().refused.is_none());
}

#[test]
fn faults_in_jsonata_are_named_with_their_place() {
    let pass = |output: Value| json!({"A": {"Type": "Pass", "End": true, "Output": output}});
    jsonata_fault(
        pass(json!({"a": ["{% $sum((1, 2) %}"]})),
        "/States/A/Output/a/0",
        "`(` is not closed",
    );
    jsonata_fault(pass(json!("{% 1 ")), "/States/A/Output", "starts with {%");
    jsonata_fault(
        pass(json!(" {% 1 %}")),
        "/States/A/Output",
        "nothing before",
    );
    jsonata_fault(
        pass(json!("{% $states.unput %}")),
        "/States/A/Output",
        "$states has no unput",
    );
    jsonata_fault(
        json!({"A": {"Type": "Pass", "End": true, "InputPath": "$.a"}}),
        "/States/A/InputPath",
        "InputPath belongs to JSONPath",
    );
    jsonata_fault(
        json!({"A": {"Type": "Choice", "Choices": [{"Next": "B"}], "Default": "B"}, "B": {"Type": "Succeed"}}),
        "/States/A/Choices/0",
        "the field Condition is missing",
    );
    jsonata_fault(
        json!({"A": {"Type": "Wait", "Seconds": "soon", "End": true}}),
        "/States/A/Seconds",
        "Seconds must be an integer",
    );
    one(
        json!({"A": {"Type": "Pass", "End": true, "Output": {"a": 1}}}),
        "Output belongs to JSONata",
    );
    assert!(
        problems(r#"{"QueryLanguage": "JSONLogic", "StartAt": "A", "States": {"A": {"Type": "Succeed"}}}"#)[0]
            .3
            .contains("no query language \"JSONLogic\"")
    );
}

#[test]
fn the_parts_of_a_distributed_map_are_checked() {
    let map = |mode: &str, extra: Value| {
        let mut state = json!({"Type": "Map", "End": true, "ItemProcessor": {
            "ProcessorConfig": {"Mode": mode}, "StartAt": "B", "States": {"B": {"Type": "Pass", "End": true}}}});
        let fields = state.as_object_mut().unwrap();
        fields.extend(extra.as_object().unwrap().clone());
        json!({"A": state})
    };
    let reader = json!({"ItemReader": {"Resource": "arn:aws-us-gov:states:::s3:listObjectsV2",
        "Parameters": {"Bucket.$": "$.bucket"}, "ReaderConfig": {"MaxItemsPath": "$.most"}}});
    assert!(messages(map("DISTRIBUTED", reader.clone())).is_empty());
    one(
        map("INLINE", reader),
        "ItemReader needs ProcessorConfig.Mode DISTRIBUTED",
    );
    one(
        map("DISTRIBUTED", json!({"ItemReader": {}})),
        "the field Resource is missing",
    );
    one(
        map(
            "DISTRIBUTED",
            json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "XML"}}}),
        ),
        "InputType is one of CSV",
    );
    one(
        map(
            "DISTRIBUTED",
            json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "GIVEN"}}}),
        ),
        "CSVHeaders is missing",
    );
    one(
        map("DISTRIBUTED", json!({"ResultWriter": {"Resource": "s3"}})),
        "not the ARN of a service call",
    );
    assert!(messages(map("DISTRIBUTED", json!({"ResultWriter": {"WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSONL"}}}))).is_empty());
}

#[test]
fn a_machine_that_never_ends_is_refused() {
    let text = machine(
        json!({"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Wait", "Seconds": 60, "Next": "A"}}),
    );
    let found = problems(&text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].2, "/StartAt");
    assert!(found[0].3.contains("no state ends this machine"));
    // A Choice ends nothing, and each branch counts for itself.
    let branch = json!({"StartAt": "C", "States": {"C": {"Type": "Choice", "Default": "C", "Choices": [
        {"Variable": "$.x", "IsPresent": true, "Next": "C"}]}}});
    let found = problems(&machine(
        json!({"A": {"Type": "Parallel", "End": true, "Branches": [branch]}}),
    ));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].2, "/States/A/Branches/0/StartAt");
    // A catcher may lead out of a loop.
    let out = json!({"A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "A",
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]}, "B": {"Type": "Fail"}});
    assert!(messages(out).is_empty());
}

#[test]
fn every_way_to_call_is_taken_and_none_invented() {
    for arn in [
        "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "arn:aws:states:::http:invoke",
        "arn:aws:states:::apigateway:invoke",
        "arn:aws:states:::sagemaker:createTrainingJob.sync",
        "arn:aws:states:::batch:submitJob.sync",
        "arn:aws:states:::ecs:runTask.waitForTaskToken",
        "arn:aws:states:::emr-serverless:startJobRun.sync",
        "arn:aws:states:::bedrock:invokeModel",
        "arn:aws:states:::aws-sdk:dynamodb:getItem",
        "arn:aws-cn:states:::sns:publish",
        "arn:aws-us-gov:lambda:us-gov-west-1:1:function:f:live",
        "arn:${AWS::Partition}:states:::states:startExecution.sync:2",
        "arn:aws:states:${AWS::Region}:${AWS::AccountId}:activity:approve",
        "${Function}:$LATEST",
    ] {
        let text = machine(json!({"A": {"Type": "Task", "Resource": arn, "End": true}}));
        let definition = parsed(&text);
        assert!(
            definition.warnings.is_empty(),
            "{arn}: {:?}",
            definition.warnings
        );
    }
    one(
        json!({"A": {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.snyc", "End": true}}),
        "no way to call a service named .snyc",
    );
}

#[test]
fn a_malformed_alias_is_a_warning() {
    let text = machine(json!({
        "A": {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:1:function:f:my alias", "Next": "B"},
        "B": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f:a:b"}, "End": true}}));
    let warnings = parsed(&text).warnings;
    let pointers: Vec<&str> = warnings
        .iter()
        .map(|warning| warning.place.pointer.as_str())
        .collect();
    assert_eq!(
        pointers,
        ["/States/A/Resource", "/States/B/Parameters/FunctionName"]
    );
    assert!(warnings[1].message.contains("more than one alias"));
}

/// Shaped after AWS's published samples.
#[test]
fn published_shapes_are_right_and_drawn_whole() {
    let samples: Value = serde_json::from_str(include_str!("samples.json")).unwrap();
    for (name, sample) in samples.as_object().unwrap() {
        let definition = Definition::parse(&sample.to_string())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(definition.warnings.is_empty(), "{name}");
        let text = sample.to_string();
        let count = |words: &str| text.matches(words).count();
        let graph = definition.graph();
        assert_eq!(graph.nodes.len(), count("\"Type\":"), "states of {name}");
        let leads = count("\"Next\":") + count("\"Default\":");
        assert_eq!(graph.edges.len(), leads, "transitions of {name}");
    }
}
