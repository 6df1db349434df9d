#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use proptest::prelude::*;
use serde_json::{Map, json};

/// An environment in which there is nothing to see.
struct Nothing(Value);

impl Environment for Nothing {
    fn context(&self) -> &Value {
        &self.0
    }

    fn variable(&self, _: &str) -> Option<&Value> {
        None
    }

    fn random(&self) -> f64 {
        0.5
    }
}

fn fill(template: &Value, input: &Value) -> Result<Value, EvaluationError> {
    let (template, problems) = Template::compile(template);
    assert!(problems.is_empty(), "{problems:?}");
    template.evaluate(input, &Nothing(json!({"Execution": {"Id": "arn"}})))
}

#[test]
fn a_template_replaces_fields_that_end_in_a_dollar() {
    let template = json!({
        "fixed": {"a": [1, {"b": null}]},
        "id.$": "$.order.id",
        "deep": [{"run.$": "$$.Execution.Id"}, "$.order"],
        "text.$": "States.Format('{}!', $.order.id)",
    });
    assert_eq!(
        fill(&template, &json!({"order": {"id": 7}})).unwrap(),
        json!({"fixed": {"a": [1, {"b": null}]}, "id": 7, "deep": [{"run": "arn"}, "$.order"], "text": "7!"})
    );
}

#[test]
fn a_missing_path_is_reported_with_field_and_input_as_the_service_does() {
    let error = fill(&json!({"a": {"x.$": "$.no"}}), &json!({"flagged": false})).unwrap_err();
    assert_eq!(
        error.to_string(),
        "The JSONPath '$.no' specified for the field 'x.$' could not be found in the input '{\"flagged\":false}'"
    );
    assert_eq!(
        fill(&json!({"x.$": "$"}), &Value::Null).unwrap_err(),
        EvaluationError::NullInput
    );
}

#[test]
fn template_problems_name_their_place() {
    let (_, problems) = Template::compile(
        &json!({"a": [{"x.$": 1}, {"y.$": "nope"}], "z/~": {"q.$": "$["}, "d": 1, "d.$": "$"}),
    );
    let places: Vec<&str> = problems
        .iter()
        .map(|problem| problem.pointer.as_str())
        .collect();
    assert_eq!(places, ["/a/0/x.$", "/a/1/y.$", "/z~1~0/q.$", "/d.$"]);
}

#[test]
fn a_result_goes_where_its_path_says() {
    let at = |path: &str, input: Value| put(input, &Path::parse(path).unwrap(), json!("R"));
    assert_eq!(at("$", json!({"a": 1})).unwrap(), json!("R"));
    assert_eq!(
        at("$.a", json!({"a": 1, "b": 2})).unwrap(),
        json!({"a": "R", "b": 2})
    );
    assert_eq!(
        at("$.x.y.z", json!({"b": 2})).unwrap(),
        json!({"b": 2, "x": {"y": {"z": "R"}}})
    );
    assert_eq!(
        at("$.l[1]", json!({"l": [1, 2]})).unwrap(),
        json!({"l": [1, "R"]})
    );
    for (path, input) in [
        ("$.a", json!("text")),
        ("$.a.b", json!({"a": 1})),
        ("$.l[2]", json!({"l": [1, 2]})),
        ("$.a", json!([1])),
    ] {
        let error = at(path, input.clone()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("Unable to apply ReferencePath {path} to input {input}")
        );
    }
}

#[test]
fn the_data_limit_is_256_kib_of_json() {
    let text = |length: usize| Value::String("x".repeat(length));
    assert!(!exceeds_data_limit(&text(DATA_LIMIT_BYTES)));
    assert!(exceeds_data_limit(&text(DATA_LIMIT_BYTES + 1)));
    // {"a":"…"} has eight characters more than its text.
    assert!(!exceeds_data_limit(
        &json!({"a": "x".repeat(DATA_LIMIT_BYTES - 8)})
    ));
    assert!(exceeds_data_limit(
        &json!({"a": "x".repeat(DATA_LIMIT_BYTES - 7)})
    ));
    assert!(exceeds_data_limit(
        &json!({"a": "ü".repeat(DATA_LIMIT_BYTES / 2)})
    ));
}

#[test]
fn time_stamps_need_an_upper_case_t_and_a_zone() {
    for text in [
        "2016-03-14T01:59:00Z",
        "2016-03-14T01:59:00.123456Z",
        "2016-03-14T01:59:00+01:00",
        "2016-03-14T01:59:00-11:30",
    ] {
        assert!(parse_timestamp(text).is_some(), "{text}");
    }
    for text in [
        "",
        "2016-03-14",
        "2016-03-14 01:59:00Z",
        "2016-03-14t01:59:00Z",
        "2016-03-14T01:59:00z",
        "2016-03-14T01:59:00",
        "2016-13-14T01:59:00Z",
        "2016-03-14T25:59:00Z",
        "2016-03-14T01:60:00Z",
        "14-03-2016T01:59:00Z",
        "2016/03/14T01:59:00Z",
        "2016-03-14T01:59:00Z[UTC]",
        "2016-03-14T01:59:00+0100",
        "2016-03-14Töööööö",
        "20160314T015900Z",
    ] {
        assert!(parse_timestamp(text).is_none(), "{text}");
    }
    let instant = parse_timestamp("2016-03-14T01:59:00+01:00").unwrap();
    assert_eq!(
        instant,
        parse_timestamp("2016-03-14T00:59:00.000Z").unwrap()
    );
    assert_eq!(format_timestamp(instant), "2016-03-14T00:59:00.000Z");
}

/// Writes by rebuilding the value from the outside in, where [`put`] walks inward.
fn naive_put(input: &Value, names: &[String], result: &Value) -> Option<Value> {
    let Some((first, rest)) = names.split_first() else {
        return Some(result.clone());
    };
    let Value::Object(members) = input else {
        return None;
    };
    let inner = members.get(first).cloned().unwrap_or_else(|| json!({}));
    let mut rebuilt: Map<String, Value> = members.clone();
    rebuilt.insert(first.clone(), naive_put(&inner, rest, result)?);
    Some(Value::Object(rebuilt))
}

proptest! {
    #[test]
    fn putting_agrees_with_rebuilding(
        names in prop::collection::vec("[ab]", 0..4),
        depth in 0_usize..4,
        leaf in prop_oneof![Just(json!(1)), Just(json!({})), Just(json!({"b": {"a": 2}}))],
    ) {
        let input = (0..depth).fold(leaf, |inner, level| json!({(if level % 2 == 0 { "a" } else { "b" }): inner, "k": level}));
        let path: String = names.iter().map(|name| format!(".{name}")).collect();
        let found = put(input.clone(), &Path::parse(&format!("${path}")).unwrap(), json!("R"));
        prop_assert_eq!(found.ok(), naive_put(&input, &names, &json!("R")));
    }
}
