//! Variables, limits of results, runtime errors, comparisons.

use super::*;

#[test]
fn variables_are_assigned_after_all_of_them_are_computed() {
    let states = json!({
        "A": {"Type": "Pass", "Result": {"n": 1}, "Assign": {"x.$": "$.n", "y": 2}, "Next": "B"},
        "B": {"Type": "Pass", "Assign": {"x.$": "$y", "y.$": "$x"}, "Next": "C"},
        "C": {"Type": "Map", "ItemsPath": "$$.Execution.Input", "Next": "D", "ItemProcessor": {"StartAt": "I", "States": {
            "I": {"Type": "Pass", "Assign": {"x": "inner"}, "Next": "J"},
            "J": {"Type": "Pass", "Parameters": {"seen.$": "States.Format('{}{}', $x, $y)"}, "End": true}}}},
        "D": {"Type": "Choice", "Choices": [{"Variable": "$x", "NumericEquals": 2, "Next": "E", "Assign": {"z.$": "$[0].seen"}}]},
        "E": {"Type": "Pass", "Parameters": {"x.$": "$x", "y.$": "$y", "z.$": "$z"}, "End": true},
    });
    let bench = Bench::start(states, json!([0]));
    assert_eq!(bench.output(), json!({"x": 2, "y": 1, "z": "inner1"}));
    let exited = bench
        .events
        .iter()
        .find(|event| event.event_type == EventType::PassStateExited)
        .unwrap();
    let assigned = exited.details.assigned_variables.clone().unwrap();
    assert_eq!(
        assigned,
        BTreeMap::from([
            ("x".to_owned(), "1".to_owned()),
            ("y".to_owned(), "2".to_owned())
        ])
    );
    let bench = Bench::start(
        json!({"A": {"Type": "Pass", "Parameters": {"x.$": "$none"}, "End": true}}),
        json!({}),
    );
    assert_eq!(bench.error().0, "States.Runtime");
}

#[test]
fn results_over_256_kib_end_in_data_limit_exceeded() {
    let big = json!("x".repeat(300_000));
    let mut bench = Bench::start(json!({"A": task(json!({}))}), json!({}));
    bench.succeed("A", big.clone());
    assert_eq!(
        bench.error(),
        ("States.DataLimitExceeded".into(), "The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit.".into())
    );
    assert!(bench.types().contains(&"TaskFailed"));
    let bench = Bench::start(
        json!({"A": {"Type": "Pass", "Result": big, "End": true}}),
        json!({}),
    );
    assert_eq!(bench.error().0, "States.DataLimitExceeded");
}

#[test]
fn runtime_errors_pass_every_catcher() {
    let states = json!({
        "A": {"Type": "Parallel", "End": true, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}],
            "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Pass", "InputPath": "$.none", "End": true}}}]},
        "Z": pass(),
    });
    let bench = Bench::start(states, json!({}));
    assert_eq!(
        bench.error(),
        ("States.Runtime".into(), "An error occurred while executing the state 'B' (entered at the event id #4). Invalid path '$.none' : No results for path: $['none']".into())
    );
}

#[test]
fn a_choice_without_match_and_a_missing_variable_are_runtime_errors() {
    let choice = |rule: Value, input: Value| {
        let mut rule = rule;
        rule["Next"] = json!("B");
        Bench::start(
            json!({"A": {"Type": "Choice", "Choices": [rule]}, "B": pass()}),
            input,
        )
    };
    let bench = choice(
        json!({"Variable": "$.x", "IsString": true}),
        json!({"x": 1}),
    );
    assert_eq!(bench.error().0, "States.Runtime");
    assert!(bench.error().1.ends_with(
        "Failed to transition out of the state. The state does not point to a next state."
    ));
    let bench = choice(json!({"Variable": "$.x", "IsString": true}), json!({}));
    assert!(bench.error().1.ends_with(
        "Invalid path '$.x': The choice state's condition path references an invalid value."
    ));
    // What is not evaluated does no harm.
    let guarded = json!({"Or": [{"Variable": "$.x", "IsPresent": false}, {"Variable": "$.x", "NumericEquals": 1}]});
    assert_eq!(
        choice(guarded, json!({})).execution.status(),
        ExecutionStatus::Succeeded
    );
}

#[test]
fn comparison_operators_compare_values_of_their_own_type_only() {
    let holds = |test: Value, input: Value| {
        let mut rule = test;
        rule["Variable"] = json!("$.v");
        rule["Next"] = json!("B");
        let bench = Bench::start(
            json!({"A": {"Type": "Choice", "Choices": [rule], "Default": "C"}, "B": pass(), "C": {"Type": "Fail"}}),
            input,
        );
        bench.execution.status() == ExecutionStatus::Succeeded
    };
    assert!(holds(json!({"StringLessThan": "b"}), json!({"v": "a"})));
    assert!(!holds(json!({"StringLessThan": "b"}), json!({"v": 1})));
    // UTF-16: a surrogate pair sorts before U+FF5E.
    assert!(holds(json!({"StringLessThan": "～"}), json!({"v": "😀"})));
    assert!(holds(
        json!({"StringGreaterThanEqualsPath": "$.w"}),
        json!({"v": "b", "w": "b"})
    ));
    assert!(holds(
        json!({"NumericEquals": 9_007_199_254_740_993_u64}),
        json!({"v": 9_007_199_254_740_993_u64})
    ));
    assert!(!holds(
        json!({"NumericEquals": 9_007_199_254_740_993_u64}),
        json!({"v": 9_007_199_254_740_992_u64})
    ));
    assert!(holds(
        json!({"BooleanEqualsPath": "$.w"}),
        json!({"v": false, "w": false})
    ));
    assert!(!holds(json!({"BooleanEquals": false}), json!({"v": null})));
    assert!(holds(
        json!({"TimestampLessThan": "2026-01-01T00:00:00Z"}),
        json!({"v": "2026-01-01T00:30:00+01:00"})
    ));
    assert!(!holds(
        json!({"TimestampEquals": "2026-01-01T00:00:00Z"}),
        json!({"v": "2026-01-01"})
    ));
    assert!(holds(
        json!({"IsTimestamp": true}),
        json!({"v": "2026-01-01T00:00:00.5Z"})
    ));
    assert!(
        holds(json!({"IsNull": true}), json!({"v": null}))
            && holds(json!({"IsNumeric": false}), json!({"v": "1"}))
    );
}

#[test]
fn string_patterns_agree_with_a_naive_matcher() {
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|cut| naive(rest, &text[cut..])),
            ['\\', escaped, rest @ ..] => text.first() == Some(escaped) && naive(rest, &text[1..]),
            [found, rest @ ..] => text.first() == Some(found) && naive(rest, &text[1..]),
        }
    }
    use proptest::prelude::*;
    let mut runner = proptest::test_runner::TestRunner::default();
    runner
        .run(
            &("(a|b|\\*|\\\\\\*|\\\\\\\\){0,6}", "[ab*\\\\]{0,8}"),
            |(pattern, text)| {
                let (p, t): (Vec<char>, Vec<char>) =
                    (pattern.chars().collect(), text.chars().collect());
                prop_assert_eq!(
                    choice::matches(&pattern, &text),
                    naive(&p, &t),
                    "{} on {}",
                    pattern,
                    text
                );
                Ok(())
            },
        )
        .unwrap();
}
