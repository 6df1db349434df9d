#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn find(path: &str, value: &Value) -> Result<Value, String> {
    Path::parse(path)
        .unwrap()
        .select(value)
        .map(Cow::into_owned)
        .map_err(|missing| missing.0)
}

/// The example of Goessner's article, on which Jayway's documentation works too.
fn store() -> Value {
    json!({
        "store": {
            "book": [
                {"category": "reference", "author": "Nigel Rees", "title": "Sayings", "price": 8.95},
                {"category": "fiction", "author": "Evelyn Waugh", "title": "Sword", "price": 12.99},
                {"category": "fiction", "author": "Herman Melville", "title": "Moby Dick", "isbn": "0-553-21311-3", "price": 8.99},
                {"category": "fiction", "author": "J. R. R. Tolkien", "title": "The Lord", "isbn": "0-395-19395-8", "price": 22.99}
            ],
            "bicycle": {"color": "red", "price": 19.95}
        },
        "expensive": 10
    })
}

#[test]
fn the_paths_of_jayways_documentation_find_what_it_says() {
    let store = store();
    let titles = |path: &str| find(path, &store).unwrap();
    assert_eq!(
        titles("$.store.book[*].author"),
        json!([
            "Nigel Rees",
            "Evelyn Waugh",
            "Herman Melville",
            "J. R. R. Tolkien"
        ])
    );
    assert_eq!(titles("$..author").as_array().unwrap().len(), 4);
    assert_eq!(
        titles("$.store..price"),
        json!([8.95, 12.99, 8.99, 22.99, 19.95])
    );
    assert_eq!(titles("$..book[2].title"), json!(["Moby Dick"]));
    assert_eq!(titles("$.store.book[-1].title"), json!("The Lord"));
    assert_eq!(
        titles("$.store.book[0,1].title"),
        json!(["Sayings", "Sword"])
    );
    assert_eq!(
        titles("$.store.book[:2].title"),
        json!(["Sayings", "Sword"])
    );
    assert_eq!(titles("$.store.book[1:2].title"), json!(["Sword"]));
    assert_eq!(
        titles("$.store.book[-2:].title"),
        json!(["Moby Dick", "The Lord"])
    );
    assert_eq!(
        titles("$.store.book[2:].title"),
        json!(["Moby Dick", "The Lord"])
    );
    assert_eq!(
        titles("$..book[?(@.isbn)].title"),
        json!(["Moby Dick", "The Lord"])
    );
    assert_eq!(
        titles("$.store.book[?(@.price < 10)].title"),
        json!(["Sayings", "Moby Dick"])
    );
    assert_eq!(
        titles("$..book[?(@.price <= $['expensive'])].title"),
        json!(["Sayings", "Moby Dick"])
    );
    assert_eq!(
        titles("$..book[?(@.author =~ /.*REES/i)].title"),
        json!(["Sayings"])
    );
    assert_eq!(
        titles("$..book[?(@.category == 'fiction' && !(@.price > 10 || @.price == 1))].title"),
        json!(["Moby Dick"])
    );
    assert_eq!(
        titles("$..book[?(@.category in ['x', 'reference'])].title"),
        json!(["Sayings"])
    );
    assert_eq!(titles("$.store.*").as_array().unwrap().len(), 2);
    assert_eq!(titles("$['store']['bicycle'].color"), json!("red"));
    assert_eq!(titles("$.store.book.length()"), json!(4));
    assert_eq!(titles("$..book.length()"), json!([4]));
    assert_eq!(titles("$.store.book[*].title.length()"), json!([]));
}

#[test]
fn a_definite_path_that_finds_nothing_is_an_error_in_jayways_words() {
    let data = json!({"a": {"b": [1]}, "n": 1});
    for (path, words) in [
        ("$.x", "No results for path: $['x']"),
        ("$.a.x", "No results for path: $['a']['x']"),
        ("$.a.b[3]", "No results for path: $['a']['b'][3]"),
        ("$.no.such.path", "Missing property in path $['no']"),
        ("$.a.x.y", "Missing property in path $['a']['x']"),
    ] {
        assert_eq!(find(path, &data).unwrap_err(), words, "{path}");
    }
    assert!(
        find("$.n.x", &data)
            .unwrap_err()
            .starts_with("Expected to find an object")
    );
}

#[test]
fn an_indefinite_path_that_finds_nothing_is_an_empty_array() {
    let data = json!({"a": 1});
    for path in [
        "$[*]",
        "$.x[*]",
        "$.x.y[1:]",
        "$..x",
        "$.a[?(@.b == 1)]",
        "$.x[0,1]",
        "$.x.*",
    ] {
        let expected = if path == "$[*]" {
            json!([1])
        } else {
            json!([])
        };
        assert_eq!(find(path, &data).unwrap(), expected, "{path}");
    }
}

#[test]
fn the_old_functions_exist_and_the_newer_ones_do_not() {
    let data = json!({"n": [2, 4.0, 4, 4, 5, 5, 7, 9], "none": []});
    assert_eq!(find("$.n.length()", &data).unwrap(), json!(8));
    assert_eq!(find("$.n.min()", &data).unwrap(), json!(2.0));
    assert_eq!(find("$.n.max()", &data).unwrap(), json!(9.0));
    assert_eq!(find("$.n.avg()", &data).unwrap(), json!(5.0));
    assert_eq!(find("$.n.stddev()", &data).unwrap(), json!(2.0));
    assert!(find("$.none.avg()", &data).is_err());
    // An engineer's question at repost.aws: sum() is looked up as a member.
    assert!(find("$.n.sum()", &data).is_err());
}

#[test]
fn names_with_odd_characters_can_be_reached() {
    let data = json!({"input-value": 1, "a.b": 2, "it's": 3, "ключ": 4, "@timestamp": 5});
    assert_eq!(find("$.input-value", &data).unwrap(), json!(1));
    assert_eq!(find("$['a.b']", &data).unwrap(), json!(2));
    assert_eq!(find(r"$.a\.b", &data).unwrap(), json!(2));
    assert_eq!(find(r"$['it\'s']", &data).unwrap(), json!(3));
    assert_eq!(find("$.ключ", &data).unwrap(), json!(4));
    assert_eq!(find("$.@timestamp", &data).unwrap(), json!(5));
    assert_eq!(
        find("$['input-value','a.b','none']", &data).unwrap(),
        json!({"input-value": 1, "a.b": 2})
    );
}

/// Spellings that look wrong and that Jayway takes.
#[test]
fn paths_are_taken_as_the_reference_implementation_takes_them() {
    let data = json!([{"a": 1, "it's \"odd\"": 7, "é\t": 8}, {"a": -1}]);
    assert_eq!(find("$.[0].a", &data).unwrap(), json!(1));
    assert_eq!(find("$.[1].['a']", &data).unwrap(), json!(-1));
    assert_eq!(find("$.[?(@.a > 0)].a", &data).unwrap(), json!([1]));
    assert_eq!(find("$.[*].a", &data).unwrap(), json!([1, -1]));
    assert_eq!(find("$[0].a  ", &data).unwrap(), json!(1));
    assert_eq!(find(r#"$[0]['it\'s "odd"']"#, &data).unwrap(), json!(7));
    assert_eq!(find(r#"$[0]["it's \"odd\""]"#, &data).unwrap(), json!(7));
    assert_eq!(find(r"$[0]['\u00e9\t']", &data).unwrap(), json!(8));
    let context = Path::parse("$$.Execution.Name ").unwrap();
    assert_eq!(*context.root(), PathRoot::Context);
    let execution = json!({"Execution": {"Name": "run-1"}});
    assert_eq!(
        context.select(&execution).unwrap().as_ref(),
        &json!("run-1")
    );
}

#[test]
fn roots_are_told_apart() {
    assert_eq!(*Path::parse("$.a").unwrap().root(), PathRoot::Input);
    assert_eq!(*Path::parse("$$.a").unwrap().root(), PathRoot::Context);
    let variable = Path::parse("$käse_1.a[0]").unwrap();
    assert_eq!(*variable.root(), PathRoot::Variable("käse_1".to_owned()));
    assert!(variable.is_reference() && variable.is_definite());
    assert!(!Path::parse("$.a[*]").unwrap().is_definite());
}

#[test]
fn what_is_no_path_is_refused_with_the_reason() {
    for text in [
        "",
        "a",
        "$.",
        "$..",
        "$[",
        "$[abc]",
        "$['a]",
        "$[?(@.a ==)]",
        "$.a b",
        "$[:]",
        "$[?(1)]",
    ] {
        assert!(Path::parse(text).is_err(), "{text}");
    }
}

/// A second, slower idea of the same thing: list every node with its location, then keep those whose
/// location fits the segments, for paths of names, indexes and wildcards.
fn naive(segments: &[Option<&str>], value: &Value) -> Vec<Value> {
    fn walk(value: &Value, at: Vec<String>, all: &mut Vec<(Vec<String>, Value)>) {
        all.push((at.clone(), value.clone()));
        let below: Vec<(String, &Value)> = match value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(i, v)| (i.to_string(), v))
                .collect(),
            Value::Object(members) => members.iter().map(|(k, v)| (k.clone(), v)).collect(),
            _ => Vec::new(),
        };
        for (name, inner) in below {
            let mut location = at.clone();
            location.push(name);
            walk(inner, location, all);
        }
    }
    let mut all = Vec::new();
    walk(value, Vec::new(), &mut all);
    all.into_iter()
        .filter(|(location, _)| {
            location.len() == segments.len()
                && location
                    .iter()
                    .zip(segments)
                    .all(|(name, segment)| segment.is_none_or(|segment| segment == name))
        })
        .map(|(_, value)| value)
        .collect()
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec(("[a-c]", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn member_paths_agree_with_a_naive_search(
        value in any_value(),
        names in prop::collection::vec(prop_oneof![Just(None), "[a-c]".prop_map(Some)], 0..4),
    ) {
        // Names only, so that a number in the location is an array index and fits a wildcard alone.
        let text: String = names.iter().map(|name| match name {
            Some(name) => format!("['{name}']"),
            None => "[*]".to_owned(),
        }).collect();
        let segments: Vec<Option<&str>> = names.iter().map(Option::as_deref).collect();
        let expected = naive(&segments, &value);
        let found = find(&format!("${text}"), &value);
        if names.iter().all(Option::is_some) {
            match found {
                Ok(found) => prop_assert_eq!(vec![found], expected),
                Err(_) => prop_assert!(expected.is_empty()),
            }
        } else {
            prop_assert_eq!(found.unwrap(), Value::Array(expected));
        }
    }

    #[test]
    fn slices_agree_with_a_loop(items in prop::collection::vec(0..9_i64, 0..7), from in -9_i64..9, to in -9_i64..9) {
        let length = items.len() as i64;
        let place = |bound: i64| if bound < 0 { (bound + length).max(0) } else { bound };
        let mut expected = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if (index as i64) >= place(from) && (index as i64) < place(to) {
                expected.push(*item);
            }
        }
        prop_assert_eq!(find(&format!("$[{from}:{to}]"), &json!(items)).unwrap(), json!(expected));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[$@.\\[\\]()?*'\"a-z0-9:,=<>&|!/\\\\ -]{0,24}") {
        let _ = Path::parse(&text);
        let _ = Path::parse(&format!("$[?({text})]"));
    }
}
