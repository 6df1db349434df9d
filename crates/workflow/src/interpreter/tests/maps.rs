//! Map states: order, limits, tolerated failures, batches.

use super::*;

#[test]
fn a_map_runs_as_many_items_at_once_as_it_may_and_keeps_their_order() {
    let fields = json!({"MaxConcurrencyPath": "$.at_once", "ItemsPath": "$.items", "ItemSelector": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "all.$": "$.at_once"}});
    let mut bench = Bench::start(
        map(fields, task(json!({}))),
        json!({"at_once": 2, "items": ["a", "b", "c"]}),
    );
    assert_eq!(bench.tasks.len(), 2);
    let second = *bench.tasks.keys().nth(1).unwrap();
    assert_eq!(
        bench.tasks[&second].parameters,
        json!({"i": 1, "v": "b", "all": 2})
    );
    bench.tasks.remove(&second);
    bench.signal(Signal::TaskSucceeded {
        task: second,
        output: json!("B"),
    });
    assert_eq!(bench.tasks.len(), 2);
    bench.succeed("I", json!("A"));
    bench.succeed("I", json!("C"));
    assert_eq!(bench.output(), json!(["A", "B", "C"]));
}

#[test]
fn inline_maps_run_forty_items_at_once_at_most() {
    let items: Vec<u64> = (0..100).collect();
    let bench = Bench::start(map(json!({}), task(json!({}))), json!(items));
    assert_eq!(bench.tasks.len(), 40);
}

#[test]
fn an_empty_map_is_done_at_once_and_items_must_be_an_array() {
    let bench = Bench::start(map(json!({}), pass()), json!([]));
    assert_eq!(bench.output(), json!([]));
    let bench = Bench::start(map(json!({"ItemsPath": "$.x"}), pass()), json!({"x": {}}));
    assert_eq!(bench.error().0, "States.Runtime");
    assert!(
        bench
            .error()
            .1
            .ends_with("Reference path \"$.x\" must point to array.")
    );
}

#[test]
fn a_distributed_map_fails_when_more_items_fail_than_tolerated() {
    let config = json!({"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I", "States": {"I": {
        "Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 0, "Next": "Bad"}], "Default": "Good"},
        "Good": pass(), "Bad": {"Type": "Fail", "Error": "Bad"}}});
    let run = |fields: Value, items: Value| {
        let mut state = json!({"Type": "Map", "End": true, "ItemProcessor": config});
        state
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        Bench::start(json!({"A": state}), items)
    };
    let bench = run(json!({"ToleratedFailureCount": 1}), json!([1, 0, 2]));
    assert_eq!(bench.output(), json!([1, 2]));
    assert_eq!(
        bench.types(),
        [
            "ExecutionStarted",
            "MapStateEntered",
            "MapStateStarted",
            "MapRunStarted",
            "MapRunSucceeded",
            "MapStateSucceeded",
            "MapStateExited",
            "ExecutionSucceeded"
        ]
    );
    let bench = run(json!({"ToleratedFailurePercentage": 30}), json!([1, 0, 2]));
    assert_eq!(
        bench.error(),
        (
            "States.ExceedToleratedFailureThreshold".into(),
            "The specified tolerated failure threshold was exceeded".into()
        )
    );
    assert_eq!(
        bench.types()[3..],
        [
            "MapRunStarted",
            "MapRunFailed",
            "MapStateFailed",
            "ExecutionFailed"
        ]
    );
    let bench = run(json!({}), json!([0]));
    assert_eq!(bench.error().0, "States.ExceedToleratedFailureThreshold");
}

#[test]
fn batches_give_several_items_to_one_child() {
    let state = json!({"A": {"Type": "Map", "End": true, "ItemSelector": {"v.$": "$$.Map.Item.Value"},
        "ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"day.$": "$$.Execution.Name"}},
        "ItemsPath": "$.items", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I", "States": {"I": pass()}}}});
    let bench = Bench::start(state, json!({"items": [1, 2, 3]}));
    assert_eq!(
        bench.output(),
        json!([{"BatchInput": {"day": "run"}, "Items": [{"v": 1}, {"v": 2}]}, {"BatchInput": {"day": "run"}, "Items": [{"v": 3}]}])
    );
}

#[test]
fn nested_maps_see_their_own_item() {
    let inner = json!({"Type": "Map", "End": true, "ItemSelector": {"inner.$": "$$.Map.Item.Value", "outer.$": "$"},
        "ItemsPath": "$.list", "ItemProcessor": {"StartAt": "J", "States": {"J": pass()}}});
    let fields =
        json!({"ItemSelector": {"list.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index"}});
    let bench = Bench::start(map(fields, inner), json!([[1], [2, 3]]));
    assert_eq!(bench.output()[1][1]["inner"], json!(3));
    assert_eq!(bench.output()[1][1]["outer"]["i"], json!(1));
    bench.check_ids();
}
