#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::cell::Cell;

/// An environment with a few fixed things to see.
struct Fixed {
    context: Value,
    variable: Value,
    random: Cell<f64>,
}

impl Fixed {
    fn new() -> Self {
        Fixed {
            context: json!({"Execution": {"Name": "run-1"}}),
            variable: json!({"x": 5}),
            random: Cell::new(0.0),
        }
    }
}

impl Environment for Fixed {
    fn context(&self) -> &Value {
        &self.context
    }

    fn variable(&self, name: &str) -> Option<&Value> {
        (name == "var").then_some(&self.variable)
    }

    fn random(&self) -> f64 {
        let next = (self.random.get() + 0.37).fract();
        self.random.set(next);
        next
    }
}

fn call(text: &str, input: &Value) -> Result<Value, String> {
    Call::parse(text)
        .map_err(|error| error.to_string())?
        .evaluate(input, &Fixed::new())
        .map_err(|error| error.to_string())
}

/// Input, call and result as AWS's developer guide has them ("Intrinsic functions").
#[test]
fn the_examples_of_the_developer_guide_give_what_it_says() {
    let cases = [
        (
            json!({"Id": 123_456}),
            "States.Array($.Id)",
            json!([123_456]),
        ),
        (
            json!({"a": [1, 2, 3, 4, 5, 6, 7, 8, 9]}),
            "States.ArrayPartition($.a,4)",
            json!([[1, 2, 3, 4], [5, 6, 7, 8], [9]]),
        ),
        (
            json!({"a": [1, 2, 3], "v": 3}),
            "States.ArrayContains($.a, $.v)",
            json!(true),
        ),
        (
            json!({}),
            "States.ArrayRange(1, 9, 2)",
            json!([1, 3, 5, 7, 9]),
        ),
        (
            json!({"a": [1, 2, 3, 4, 5], "i": 2}),
            "States.ArrayGetItem($.a, $.i)",
            json!(3),
        ),
        (json!({"a": [1, 2, 3]}), "States.ArrayLength($.a)", json!(3)),
        (
            json!({"a": [1, 2, 3, 3, 3, 4, 2]}),
            "States.ArrayUnique($.a)",
            json!([1, 2, 3, 4]),
        ),
        (
            json!({"input": "Data to encode"}),
            "States.Base64Encode($.input)",
            json!("RGF0YSB0byBlbmNvZGU="),
        ),
        (
            json!({"base64": "RGF0YSB0byBlbmNvZGU="}),
            "States.Base64Decode($.base64)",
            json!("Data to encode"),
        ),
        (
            json!({"Data": "input data", "Algorithm": "SHA-1"}),
            "States.Hash($.Data, $.Algorithm)",
            json!("aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ),
        (
            json!({"json1": {"a": {"a1": 1, "a2": 2}, "b": 2}, "json2": {"a": {"a3": 1, "a4": 2}, "c": 3}}),
            "States.JsonMerge($.json1, $.json2, false)",
            json!({"a": {"a3": 1, "a4": 2}, "b": 2, "c": 3}),
        ),
        (
            json!({"escapedJsonString": "{\"foo\": \"bar\"}"}),
            "States.StringToJson($.escapedJsonString)",
            json!({"foo": "bar"}),
        ),
        (
            json!({"unescapedJson": {"foo": "bar"}}),
            "States.JsonToString($.unescapedJson)",
            json!("{\"foo\":\"bar\"}"),
        ),
        (
            json!({"value1": 111, "step": -1}),
            "States.MathAdd($.value1, $.step)",
            json!(110),
        ),
        (
            json!({"inputString": "1,2,3,4,5", "splitter": ","}),
            "States.StringSplit($.inputString, $.splitter)",
            json!(["1", "2", "3", "4", "5"]),
        ),
        (
            json!({"inputString": "This.is+a,test=string", "splitter": ".+,="}),
            "States.StringSplit($.inputString, $.splitter)",
            json!(["This", "is", "a", "test", "string"]),
        ),
        (
            json!({"name": "Arnav"}),
            "States.Format('Hello, my name is {}.', $.name)",
            json!("Hello, my name is Arnav."),
        ),
        (
            json!({"name": "Arnav", "template": "Hello, my name is {}."}),
            "States.Format($.template, $.name)",
            json!("Hello, my name is Arnav."),
        ),
    ];
    for (input, text, expected) in cases {
        assert_eq!(call(text, &input).unwrap(), expected, "{text}");
    }
}

#[test]
fn digests_are_those_of_the_standards() {
    // RFC 1321, FIPS 180-4 examples for "abc", and a text of more than one block.
    for (algorithm, digest) in [
        ("MD5", "900150983cd24fb0d6963f7d28e17f72"),
        ("SHA-1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "SHA-256",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
    ] {
        assert_eq!(
            call(&format!("States.Hash('abc', '{algorithm}')"), &json!({})).unwrap(),
            json!(digest)
        );
    }
    let long = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    assert_eq!(
        call(&format!("States.Hash('{long}', 'SHA-1')"), &json!({})).unwrap(),
        json!("84983e441c3bd26ebaae4aa1f95129e5e54670f1")
    );
}

#[test]
fn arguments_may_be_literals_paths_variables_and_calls() {
    let input = json!({"a": "x, y", "l": [1, 2]});
    assert_eq!(
        call("States.Array('it\\'s', 1, -2.5, true, null, $.a, $$.Execution.Name, $var.x, States.ArrayLength($.l))", &input).unwrap(),
        json!(["it's", 1, -2.5, true, null, "x, y", "run-1", 5, 2])
    );
    assert_eq!(
        call("States.Array( $['a'] , $.l[0] )", &input).unwrap(),
        json!(["x, y", 1])
    );
    assert_eq!(
        call("States.ArrayLength($.l[?(@ in [1,2])])", &input).unwrap(),
        json!(2)
    );
}

#[test]
fn format_knows_escapes_and_prints_collections_as_java_does() {
    let input = json!({"o": {"Arg1": 1, "Arg2": ["x", null]}, "t": "{}"});
    assert_eq!(
        call(r"States.Format('\{{}\} \\ \'{}\'', 1, $.t)", &input).unwrap(),
        json!(r"{1} \ '{}'")
    );
    assert_eq!(
        call("States.Format('{} {} {}', $.o, 1.5, null)", &input).unwrap(),
        json!("{Arg1=1, Arg2=[x, null]} 1.5 null")
    );
    assert!(call("States.Format('{} {}', 1)", &input).is_err());
    assert!(call("States.Format('{}', 1, 2)", &input).is_err());
    assert!(call(r"States.Format('\n')", &input).is_err());
}

#[test]
fn numbers_are_rounded_half_up_as_java_does() {
    for (sum, expected) in [
        ("0.5, 0", 1),
        ("-0.5, 0", 0),
        ("-1.5, 0", -1),
        ("1.4, 2.5", 4),
        ("-1.6, 0", -2),
    ] {
        assert_eq!(
            call(&format!("States.MathAdd({sum})"), &json!({})).unwrap(),
            json!(expected),
            "{sum}"
        );
    }
    assert_eq!(
        call("States.ArrayRange(9, 1, -4)", &json!({})).unwrap(),
        json!([9, 5, 1])
    );
}

#[test]
fn blank_texts_are_null_and_escaped_quotes_stay_in_their_name() {
    let input = json!({"empty": "", "it's, (odd)": 7});
    for text in [
        "States.StringToJson('')",
        "States.StringToJson(' \t\n')",
        "States.StringToJson($.empty)",
    ] {
        assert_eq!(call(text, &input).unwrap(), Value::Null, "{text}");
    }
    assert_eq!(
        call(
            r"States.Format('{}-{}', $['it\'s, (odd)'], $.['empty'])",
            &input
        )
        .unwrap(),
        json!("7-")
    );
}

#[test]
fn refusals_name_the_call_and_the_reason() {
    let input = json!({"l": [1], "s": "x"});
    for (text, reason) in [
        ("States.ArrayGetItem($.l, 1)", "out of range"),
        ("States.ArrayGetItem($.l, -1)", "out of range"),
        ("States.ArrayPartition($.l, 0)", "positive"),
        ("States.ArrayRange(1, 2, 0)", "zero"),
        ("States.ArrayRange(1, 1000, 1)", ""),
        ("States.ArrayRange(0, 1000, 1)", "more than 1000"),
        ("States.ArrayLength($.s)", "array was expected"),
        ("States.StringToJson('{')", "not JSON"),
        ("States.StringToJson($.l)", "string was expected"),
        ("States.JsonMerge($.l, $.l, false)", "objects"),
        ("States.Hash('a', 'SHA-2')", "not one of"),
        ("States.Base64Decode('%')", "not Base64"),
        ("States.MathAdd('1', 2)", "number was expected"),
        ("States.MathRandom(5, 5)", "greater"),
    ] {
        match call(text, &input) {
            Ok(_) => assert!(reason.is_empty(), "{text}"),
            Err(error) => {
                assert!(
                    error.contains(reason) && !reason.is_empty(),
                    "{text}: {error}"
                );
                assert!(error.contains(&format!("The function '{text}'")), "{error}");
            }
        }
    }
}

#[test]
fn what_is_no_call_is_refused() {
    for text in [
        "",
        "States",
        "States.Nope()",
        "States.Array(",
        "States.Array(a)",
        "States.Array() x",
        "States.UUID(1)",
        "States.Hash('a')",
        "States.MathRandom(1)",
        "States.Format()",
        "States.Array('a)",
    ] {
        assert!(Call::parse(text).is_err(), "{text}");
    }
    let deep = format!("{}1{}", "States.Array(".repeat(11), ")".repeat(11));
    assert!(Call::parse(&deep).is_err());
}

#[test]
fn uuids_are_version_4_and_random_numbers_stay_in_range() {
    let text = call("States.UUID()", &json!({})).unwrap();
    let id = uuid::Uuid::parse_str(text.as_str().unwrap()).unwrap();
    assert_eq!(id.get_version_num(), 4);
    let seeded = call("States.MathRandom(1, 999, 7)", &json!({})).unwrap();
    assert_eq!(
        seeded,
        call("States.MathRandom(1, 999, 7)", &json!({})).unwrap()
    );
}

proptest! {
    #[test]
    fn partitions_hold_all_items_in_order(items in prop::collection::vec(0..9_i64, 0..20), size in 1_usize..6) {
        let found = call(&format!("States.ArrayPartition($, {size})"), &json!(items)).unwrap();
        let mut expected: Vec<Vec<i64>> = Vec::new();
        for item in &items {
            if expected.last().is_none_or(|chunk| chunk.len() == size) {
                expected.push(Vec::new());
            }
            expected.last_mut().unwrap().push(*item);
        }
        prop_assert_eq!(found, json!(expected));
    }

    #[test]
    fn splits_agree_with_a_loop_over_characters(text in "[ab,;]{0,12}", separators in "[,;]{1,2}") {
        let mut expected = Vec::new();
        let mut part = String::new();
        for found in text.chars().chain(separators.chars().take(1)) {
            if separators.contains(found) {
                if !part.is_empty() {
                    expected.push(std::mem::take(&mut part));
                }
            } else {
                part.push(found);
            }
        }
        let found = call(&format!("States.StringSplit('{text}', '{separators}')"), &json!({})).unwrap();
        prop_assert_eq!(found, json!(expected));
    }

    #[test]
    fn base64_and_json_go_there_and_back(text in "\\PC{0,40}") {
        let input = json!({"t": text});
        let back = call("States.Base64Decode(States.Base64Encode($.t))", &input).unwrap();
        prop_assert_eq!(&back, &input["t"]);
        let back = call("States.StringToJson(States.JsonToString($))", &input).unwrap();
        prop_assert_eq!(back, input);
    }

    #[test]
    fn random_numbers_are_in_their_range(from in -50_i64..50, span in 1_i64..50) {
        let to = from + span;
        let found = call(&format!("States.MathRandom({from}, {to})"), &json!({})).unwrap();
        prop_assert!((from..to).contains(&found.as_i64().unwrap()));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[SA-Za-z.()', $\\\\{}0-9\\[\\]]{0,30}") {
        let _ = Call::parse(&text);
        let _ = Call::parse(&format!("States.Array({text})"));
    }
}
