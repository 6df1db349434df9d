//! Definitions that our parser does not take, reduced to their shape.
//!
//! A state machine that was not made by our stacks may use what Lakehand does not know (fields newer than this version). It is operated all the same: drawn, watched, redriven. For that its states and
//! transitions are enough.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use lakehand_ops::{OpsError, OpsErrorKind, OpsResult};
use lakehand_workflow::definition::{Definition, EdgeKind};

/// The definition as written, or its shape with a comment that says so, or a stand-in when it has not even that.
///
/// # Errors
/// Never in practice: the stand-in always parses.
pub(super) fn definition(text: &str) -> OpsResult<Arc<Definition>> {
    let why = match Definition::parse(text) {
        Ok(definition) => return Ok(Arc::new(definition)),
        Err(error) => error.problems.first().map(ToString::to_string),
    };
    let note = format!(
        "its definition holds what Lakehand does not know ({}); drawn from its states and transitions",
        why.unwrap_or_else(|| "no reason given".to_owned())
    );
    let shape = serde_json::from_str::<Value>(text)
        .ok()
        .and_then(|value| Definition::parse_shape(&shape_of(&value, &note).to_string()).ok());
    match shape {
        Some(shape) => Ok(Arc::new(shape)),
        None => unreadable(&note).map(Arc::new),
    }
}

/// A definition of one state that nobody enters.
fn unreadable(note: &str) -> OpsResult<Definition> {
    let state = "(definition not readable)";
    let text =
        json!({ "Comment": note, "StartAt": state, "States": { state: { "Type": "Succeed" } } });
    Definition::parse(&text.to_string()).map_err(|error| {
        OpsError::new(
            OpsErrorKind::Platform,
            format!("{note}; its stand-in failed: {error}"),
            "look at the state machine in the AWS console",
        )
    })
}

fn shape_of(machine: &Value, note: &str) -> Value {
    let mut shape = states_of(machine);
    shape.insert("Comment".to_owned(), note.into());
    Value::Object(shape)
}

fn states_of(machine: &Value) -> Map<String, Value> {
    let states: Map<String, Value> = machine["States"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, state)| (name.clone(), state_of(state)))
        .collect();
    let mut shape = Map::new();
    shape.insert("StartAt".to_owned(), machine["StartAt"].clone());
    shape.insert("States".to_owned(), Value::Object(states));
    shape
}

/// Type and transitions, and whatever the type cannot be without.
fn state_of(state: &Value) -> Value {
    let kind = state["Type"].as_str().unwrap_or("Pass");
    let mut shape = Map::new();
    let mut keep = |name: &str, value: Value| {
        shape.insert(name.to_owned(), value);
    };
    keep("Type", kind.into());
    match kind {
        "Succeed" | "Fail" => return Value::Object(shape),
        "Choice" => {
            let rules = state["Choices"].as_array().into_iter().flatten();
            let rules: Vec<Value> = rules
                .map(|rule| json!({ "Condition": words_of(rule), "Next": rule["Next"] }))
                .collect();
            keep("QueryLanguage", "JSONata".into());
            keep("Choices", rules.into());
            if let Some(default) = state.get("Default") {
                keep("Default", default.clone());
            }
            return Value::Object(shape);
        }
        "Task" => keep(
            "Resource",
            state["Resource"]
                .as_str()
                .unwrap_or("arn:aws:states:::lambda:invoke")
                .into(),
        ),
        "Wait" => keep("Seconds", 1.into()),
        "Parallel" => {
            let branches = state["Branches"].as_array().into_iter().flatten();
            keep(
                "Branches",
                branches
                    .map(|branch| Value::Object(states_of(branch)))
                    .collect(),
            );
        }
        "Map" => {
            let inner = state.get("ItemProcessor").or_else(|| state.get("Iterator"));
            let inner = inner.map(states_of).unwrap_or_default();
            keep("ItemProcessor", Value::Object(inner));
        }
        _ => {}
    }
    match state.get("Next") {
        Some(next) => keep("Next", next.clone()),
        None => keep("End", true.into()),
    }
    if let (Some(catchers), "Task" | "Parallel" | "Map") = (state["Catch"].as_array(), kind) {
        let catchers: Vec<Value> = catchers
            .iter()
            .map(
                |catcher| json!({ "ErrorEquals": catcher["ErrorEquals"], "Next": catcher["Next"] }),
            )
            .collect();
        keep("Catch", catchers.into());
    }
    Value::Object(shape)
}

/// A Choice rule in words as the graph has them, or as it is written when it cannot be read.
fn words_of(rule: &Value) -> String {
    let mut rule = rule.clone();
    if let Some(fields) = rule.as_object_mut() {
        for beside in ["Assign", "Output", "Comment", "Next"] {
            fields.remove(beside);
        }
    }
    let written = rule.to_string();
    if let Some(fields) = rule.as_object_mut() {
        fields.insert("Next".to_owned(), "Then".into());
    }
    ["JSONPath", "JSONata"]
        .iter()
        .find_map(|language| {
            let choice = json!({ "Type": "Choice", "Choices": [rule] });
            let machine = json!({ "QueryLanguage": language, "StartAt": "If",
                "States": { "If": choice, "Then": { "Type": "Succeed" } } });
            let graph = Definition::parse(&machine.to_string()).ok()?.graph();
            graph.edges.into_iter().find_map(|edge| match edge.kind {
                EdgeKind::Choice(words) => Some(words),
                _ => None,
            })
        })
        .unwrap_or(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_of_ours_stays_as_it_is() {
        let text = r#"{"Comment": "mine", "StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}"#;
        assert_eq!(definition(text).unwrap().comment.as_deref(), Some("mine"));
    }

    #[test]
    fn a_foreign_one_keeps_its_states_and_transitions() {
        let text = r#"{"QueryLanguage": "JSONata", "StartAt": "Each", "States": {
            "Each": {"Type": "Map", "Newer": 1, "Items": "{% $states.input.days %}", "ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2"},
                "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "Call", "States": {"Call": {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync",
                    "Arguments": {"JobName": "x"}, "End": true}}},
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Sorry", "Assign": {"a": 1}}], "Next": "Enough"},
            "Enough": {"Type": "Choice", "Choices": [{"Condition": "{% $rows > 0 %}", "Next": "Done"}], "Default": "Sorry"},
            "Done": {"Type": "Succeed"}, "Sorry": {"Type": "Fail"}}}"#;
        let definition = definition(text).unwrap();
        assert!(
            definition
                .comment
                .as_ref()
                .unwrap()
                .contains("a Map state has no field Newer")
        );
        let graph = definition.graph();
        let names: Vec<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["Each", "Enough", "Done", "Sorry", "Call"]);
        let edges: Vec<(&str, &str)> = graph
            .edges
            .iter()
            .map(|edge| (names[edge.from], names[edge.to]))
            .collect();
        for edge in [
            ("Each", "Enough"),
            ("Each", "Sorry"),
            ("Enough", "Done"),
            ("Enough", "Sorry"),
        ] {
            assert!(edges.contains(&edge), "{edge:?} in {edges:?}");
        }
    }

    #[test]
    fn rules_of_a_foreign_one_are_drawn_in_their_own_words() {
        let text = r#"{"StartAt": "If", "Newer": true, "States": {
            "If": {"Type": "Choice", "Choices": [
                {"Variable": "$.rows", "NumericEquals": 0, "Next": "Done"},
                {"Variable": "$.rows", "NumericRoundly": 9, "Next": "Done"}], "Default": "More"},
            "More": {"Type": "Choice", "QueryLanguage": "JSONata", "Choices": [
                {"Condition": "{% $count($states.input.rows) > 3 %}", "Next": "Done", "Assign": {"a": 1}}], "Default": "Done"},
            "Done": {"Type": "Succeed"}}}"#;
        let graph = definition(text).unwrap().graph();
        let rules: Vec<&str> = graph
            .edges
            .iter()
            .filter_map(|edge| match &edge.kind {
                EdgeKind::Choice(words) => Some(words.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(
            rules,
            [
                "$.rows = 0",
                r#"{"Variable":"$.rows","NumericRoundly":9}"#,
                "$count($states.input.rows) > 3"
            ]
        );
    }

    #[test]
    fn what_is_no_definition_at_all_is_still_listed() {
        let definition = definition("not JSON").unwrap();
        assert!(
            definition
                .comment
                .as_ref()
                .unwrap()
                .contains("does not know")
        );
        assert_eq!(definition.root().states.len(), 1);
    }
}
