//! Nodes to types: machines and what all states share.

use super::check::{NamePlace, Target, check_names, check_transitions};
use super::fields::{Fields, Problems, below};
use super::graph::ends;
use super::source::{self, Kind, Node};
use super::types::{
    Definition, FailState, FailText, Machine, MachineId, PassState, Selection, State, StateKind,
    Transition, WaitState, WaitUntil,
};
use super::{Place, Problem};
use crate::data_flow::{Expression, parse_timestamp};
use serde_json::Value;
use std::collections::BTreeSet;

/// Names of states may have this many characters.
const MAX_NAME: usize = 80;

/// What parsing gathers besides the definition.
pub(super) struct Parser<'t> {
    pub(super) problems: Problems<'t>,
    pub(super) machines: Vec<Machine>,
    names: Vec<NamePlace>,
    /// Transitions of the machine being read.
    pub(super) targets: Vec<Target>,
    /// The state being read.
    pub(super) state: String,
    /// The first thing in the state being read that Lakehand does not run.
    pub(super) refused: Option<Problem>,
    /// Whether only the shape counts: expressions are taken as they stand.
    pub(super) lenient: bool,
}

pub(super) fn parse(text: &str, lenient: bool) -> Result<Definition, Vec<Problem>> {
    let root = source::parse(text).map_err(|error| {
        vec![Problem {
            place: Place {
                line: error.line,
                column: error.column,
                pointer: String::new(),
            },
            message: format!("the file is not JSON: {}", error.reason),
        }]
    })?;
    let mut parser = Parser {
        problems: Problems::new(text),
        machines: Vec::new(),
        names: Vec::new(),
        targets: Vec::new(),
        state: String::new(),
        refused: None,
        lenient,
    };
    let definition = parser.definition(&root);
    check_names(&parser.names, &mut parser.problems);
    match definition {
        Some(mut definition) if parser.problems.list.is_empty() => {
            definition.machines = parser.machines;
            definition.warnings = parser.problems.warnings;
            Ok(definition)
        }
        _ => Err(parser.problems.list),
    }
}

impl Parser<'_> {
    fn definition(&mut self, root: &Node) -> Option<Definition> {
        let mut fields = Fields::open(root, "", &mut self.problems)?;
        let comment = self.comment(&mut fields);
        if let Some((version, offset)) = fields.string("Version", &mut self.problems)
            && version != "1.0"
        {
            self.problems.add(
                offset,
                "/Version",
                format!("the language version is \"1.0\", not {version:?}"),
            );
        }
        self.query_language(&mut fields);
        let timeout_seconds = fields.integer("TimeoutSeconds", 1, &mut self.problems);
        self.machine(&mut fields);
        fields.finish("a state machine", &mut self.problems);
        Some(Definition {
            comment,
            timeout_seconds,
            warnings: Vec::new(),
            expressions: BTreeSet::new(),
            machines: Vec::new(),
        })
    }

    /// `StartAt` and `States` of an object whose other fields the caller takes.
    pub(super) fn machine(&mut self, fields: &mut Fields<'_>) -> MachineId {
        let id = MachineId(self.machines.len());
        self.machines.push(Machine::default());
        let outer = std::mem::take(&mut self.targets);
        let outer_state = std::mem::take(&mut self.state);
        let outer_refused = self.refused.take();
        let mut machine = Machine::default();
        match fields.string("StartAt", &mut self.problems) {
            Some((start, offset)) => {
                machine.start_at = start.to_owned();
                self.target(None, start, offset, fields.at("StartAt"));
            }
            None if !fields.has("StartAt") => {
                fields.missing("StartAt", "the name of the first state", &mut self.problems);
            }
            None => {}
        }
        let mut names = Vec::new();
        match fields.take("States") {
            None => fields.missing("States", "an object of states by name", &mut self.problems),
            Some(member) => {
                let pointer = fields.at("States");
                self.states(&member.value, &pointer, &mut machine, &mut names);
                if names.is_empty() {
                    self.problems.add(
                        member.value.offset,
                        &pointer,
                        "States must be an object with at least one state",
                    );
                }
                let targets = std::mem::take(&mut self.targets);
                let ends = machine.states.values().filter(|state| ends(state));
                let ends: Vec<&str> = ends.map(|state| state.name.as_str()).collect();
                // A state that could not be read might be the one that ends the machine.
                let known = !self.lenient && machine.states.len() == names.len();
                let ends = known.then_some(ends.as_slice());
                check_transitions(&names, &targets, ends, &mut self.problems);
            }
        }
        self.names.extend(names);
        self.targets = outer;
        self.state = outer_state;
        self.refused = outer_refused;
        self.machines[id.0] = machine;
        id
    }

    fn states(
        &mut self,
        node: &Node,
        pointer: &str,
        machine: &mut Machine,
        names: &mut Vec<NamePlace>,
    ) {
        let Kind::Object(members) = &node.kind else {
            return;
        };
        // For the check that no name is given twice.
        Fields::open(node, pointer, &mut self.problems);
        for member in members {
            let pointer = below(pointer, &member.name);
            let length = member.name.chars().count();
            if length == 0 || length > MAX_NAME {
                self.problems.add(
                    member.name_offset,
                    &pointer,
                    format!("a state name has 1 to {MAX_NAME} characters, not {length}"),
                );
            }
            names.push(NamePlace {
                name: member.name.clone(),
                offset: member.name_offset,
                pointer: pointer.clone(),
            });
            if let Some(state) = self.one_state(&member.name, &member.value, &pointer) {
                machine.states.insert(member.name.clone(), state);
            }
        }
    }

    /// One state, in its own query language or the one around it.
    fn one_state(&mut self, name: &str, node: &Node, pointer: &str) -> Option<State> {
        let around = self.problems.jsonata;
        self.refused = None;
        let state = self.state_here(name, node, pointer);
        self.problems.jsonata = around;
        state
    }

    fn state_here(&mut self, name: &str, node: &Node, pointer: &str) -> Option<State> {
        let mut fields = Fields::open(node, pointer, &mut self.problems)?;
        self.state = name.to_owned();
        let comment = self.comment(&mut fields);
        self.query_language(&mut fields);
        let Some((kind, offset)) = fields.string("Type", &mut self.problems) else {
            if !fields.has("Type") {
                fields.missing(
                    "Type",
                    "Task, Pass, Choice, Wait, Succeed, Fail, Parallel or Map",
                    &mut self.problems,
                );
            }
            return None;
        };
        let (mut input_path, mut output_path) = (Selection::default(), Selection::default());
        if kind != "Fail" {
            input_path = fields.selection("InputPath", &mut self.problems);
            output_path = fields.selection("OutputPath", &mut self.problems);
        }
        let assign = match kind {
            "Fail" | "Succeed" => None,
            _ => self.assign(&mut fields),
        };
        let output = match kind {
            "Fail" => None,
            _ => self.payload(&mut fields, "Output"),
        };
        let kind = match kind {
            "Task" => self.task(&mut fields),
            "Pass" => self.pass(&mut fields),
            "Choice" => self.choice(&mut fields),
            "Wait" => self.wait(&mut fields),
            "Succeed" => Some(StateKind::Succeed),
            "Fail" => self.fail(&mut fields),
            "Parallel" => self.parallel(&mut fields),
            "Map" => self.map(&mut fields),
            other => {
                self.problems.add(
                    offset,
                    &fields.at("Type"),
                    format!("there is no state type {other:?}; it is one of Task, Pass, Choice, Wait, Succeed, Fail, Parallel and Map"),
                );
                return None;
            }
        };
        let of = kind.as_ref().map_or_else(
            || "this state".to_owned(),
            |kind| format!("a {} state", type_word(kind)),
        );
        fields.finish(&of, &mut self.problems);
        Some(State {
            name: name.to_owned(),
            comment,
            input_path,
            output_path,
            assign,
            output,
            refused: self.refused.take(),
            kind: kind?,
        })
    }

    fn pass(&mut self, fields: &mut Fields<'_>) -> Option<StateKind> {
        let result = (!fields.jsonata).then(|| fields.take("Result")).flatten();
        let result = result.map(|member| member.value.to_value());
        let parameters = fields.template("Parameters", &mut self.problems);
        let result_path = fields.result_path(&mut self.problems);
        let transition = self.transition(fields);
        Some(StateKind::Pass(PassState {
            result,
            parameters,
            result_path,
            transition: transition?,
        }))
    }

    fn wait(&mut self, fields: &mut Fields<'_>) -> Option<StateKind> {
        const KINDS: [&str; 4] = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
        let given = KINDS.iter().filter(|kind| fields.has(kind)).count();
        if given != 1 {
            self.problems.add(
                fields.node.offset,
                &fields.pointer,
                format!("a Wait state has exactly one of Seconds, SecondsPath, Timestamp and TimestampPath, not {given}"),
            );
        }
        let expression = match self.expression(fields, "Seconds") {
            Some(text) => Some(text),
            None => self.expression(fields, "Timestamp"),
        };
        if let Some(text) = expression {
            let transition = self.transition(fields)?;
            let until = WaitUntil::Jsonata(text);
            return Some(StateKind::Wait(WaitState { until, transition }));
        }
        let seconds = fields.integer("Seconds", 0, &mut self.problems);
        let seconds_path = fields.path("SecondsPath", &mut self.problems);
        let timestamp_path = fields.path("TimestampPath", &mut self.problems);
        let timestamp =
            fields
                .string("Timestamp", &mut self.problems)
                .and_then(|(text, offset)| {
                    let parsed = parse_timestamp(text);
                    if parsed.is_none() {
                        self.problems.add(
                            offset,
                            &fields.at("Timestamp"),
                            format!("{text:?} is not a time stamp such as 2026-11-21T09:00:00Z"),
                        );
                    }
                    parsed
                });
        let transition = self.transition(fields);
        let until = seconds
            .map(WaitUntil::Seconds)
            .or(seconds_path.map(WaitUntil::SecondsPath))
            .or(timestamp.map(WaitUntil::Timestamp))
            .or(timestamp_path.map(WaitUntil::TimestampPath))?;
        Some(StateKind::Wait(WaitState {
            until,
            transition: transition?,
        }))
    }

    fn fail(&mut self, fields: &mut Fields<'_>) -> Option<StateKind> {
        let error = self.fail_text(fields, "Error", "ErrorPath");
        let cause = self.fail_text(fields, "Cause", "CausePath");
        Some(StateKind::Fail(FailState { error, cause }))
    }

    fn fail_text(
        &mut self,
        fields: &mut Fields<'_>,
        fixed: &'static str,
        path: &'static str,
    ) -> Option<FailText> {
        self.exclusive(fields, fixed, path);
        if let Some(text) = self.expression(fields, fixed) {
            return Some(FailText::Fixed(text));
        }
        let text = fields.string(fixed, &mut self.problems);
        let computed = fields
            .string(path, &mut self.problems)
            .and_then(|(text, offset)| match Expression::parse(text) {
                Ok(expression) => Some(FailText::Computed(expression)),
                Err(error) => {
                    self.problems
                        .add(offset, &fields.at(path), error.to_string());
                    None
                }
            });
        text.map(|(text, _)| FailText::Fixed(text.to_owned()))
            .or(computed)
    }

    /// `Next` or `End`.
    pub(super) fn transition(&mut self, fields: &mut Fields<'_>) -> Option<Transition> {
        let next = fields.string("Next", &mut self.problems);
        let end = fields.boolean("End", &mut self.problems);
        match (next, end) {
            (Some((next, offset)), None | Some(false)) => {
                let from = Some(self.state.clone());
                self.target(from, next, offset, fields.at("Next"));
                Some(Transition::Next(next.to_owned()))
            }
            (None, Some(true)) => Some(Transition::End),
            (Some(_), Some(true)) => {
                self.problems.add(
                    fields.node.offset,
                    &fields.pointer,
                    "the state has both Next and End; keep one",
                );
                None
            }
            (None, _) => {
                if !fields.has("Next") && (end == Some(false) || !fields.has("End")) {
                    fields.missing("Next", "give Next, or \"End\": true", &mut self.problems);
                }
                None
            }
        }
    }

    pub(super) fn target(
        &mut self,
        from: Option<String>,
        to: &str,
        offset: usize,
        pointer: String,
    ) {
        self.targets.push(Target {
            from,
            to: to.to_owned(),
            offset,
            pointer,
        });
    }

    pub(super) fn comment(&mut self, fields: &mut Fields<'_>) -> Option<String> {
        fields
            .string("Comment", &mut self.problems)
            .map(|(text, _)| text.to_owned())
    }

    /// `QueryLanguage`, which holds from here on for what is inside too.
    pub(super) fn query_language(&mut self, fields: &mut Fields<'_>) {
        let Some((language, offset)) = fields.string("QueryLanguage", &mut self.problems) else {
            return;
        };
        let jsonata = match language {
            "JSONPath" => false,
            "JSONata" => true,
            other => {
                let message = format!(
                    "there is no query language {other:?}; it is \"JSONPath\" or \"JSONata\""
                );
                let pointer = fields.at("QueryLanguage");
                return self.problems.add(offset, &pointer, message);
            }
        };
        self.problems.jsonata = jsonata;
        fields.jsonata = jsonata;
    }

    /// Two fields of which at most one may be given.
    pub(super) fn exclusive(&mut self, fields: &Fields<'_>, one: &str, other: &str) {
        if fields.has(one) && fields.has(other) {
            self.problems.add(
                fields.node.offset,
                &fields.pointer,
                format!("{one} and {other} exclude each other; keep one"),
            );
        }
    }

    /// A string of a fixed set.
    pub(super) fn one_of<'n>(
        &mut self,
        fields: &mut Fields<'n>,
        name: &'static str,
        allowed: &[&str],
    ) -> Option<&'n str> {
        let (text, offset) = fields.string(name, &mut self.problems)?;
        if !allowed.contains(&text) {
            self.problems.add(
                offset,
                &fields.at(name),
                format!("{name} is one of {}, not {text:?}", allowed.join(", ")),
            );
            return None;
        }
        Some(text)
    }
}

fn type_word(kind: &StateKind) -> &'static str {
    match kind {
        StateKind::Task(_) => "Task",
        StateKind::Pass(_) => "Pass",
        StateKind::Choice(_) => "Choice",
        StateKind::Wait(_) => "Wait",
        StateKind::Succeed => "Succeed",
        StateKind::Fail(_) => "Fail",
        StateKind::Parallel(_) => "Parallel",
        StateKind::Map(_) => "Map",
    }
}

/// A string array with at least one item.
pub(super) fn strings(items: &[Node]) -> Option<Vec<String>> {
    let texts: Option<Vec<String>> = items
        .iter()
        .map(|item| match &item.kind {
            Kind::Scalar(Value::String(text)) => Some(text.clone()),
            _ => None,
        })
        .collect();
    texts.filter(|texts| !texts.is_empty())
}
