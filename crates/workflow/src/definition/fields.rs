//! Reading the fields of a JSON object while collecting every problem.

use super::Problem;
use super::source::{Kind, Lines, Member, Node};
use super::types::{ResultPath, Selection};
use crate::data_flow::{Path, PathRoot, Template};
use serde_json::Value;

/// All problems found so far.
pub(super) struct Problems<'t> {
    lines: Lines<'t>,
    pub(super) list: Vec<Problem>,
    /// What is no fault, but hardly meant.
    pub(super) warnings: Vec<Problem>,
    /// Whether what is read now is written in JSONata: it decides which fields there are.
    pub(super) jsonata: bool,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Problems {
            lines: Lines::new(text),
            list: Vec::new(),
            warnings: Vec::new(),
            jsonata: false,
        }
    }

    pub(super) fn at(&self, offset: usize, pointer: &str, message: impl Into<String>) -> Problem {
        Problem {
            place: self.lines.place(offset, pointer.to_owned()),
            message: message.into(),
        }
    }

    pub(super) fn add(&mut self, offset: usize, pointer: &str, message: impl Into<String>) {
        let problem = self.at(offset, pointer, message);
        self.list.push(problem);
    }
}

/// Fields that belong to JSONata states only.
const JSONATA_FIELDS: [&str; 4] = ["Arguments", "Output", "Items", "Condition"];

/// Fields that belong to JSONPath only, besides those whose name ends in `Path`.
const JSONPATH_FIELDS: [&str; 6] = [
    "Parameters",
    "ResultSelector",
    "Variable",
    "And",
    "Or",
    "Not",
];

fn is_jsonpath_field(name: &str) -> bool {
    name.ends_with("Path") || JSONPATH_FIELDS.contains(&name)
}

/// The fields of one object. What nobody takes is an unknown field.
pub(super) struct Fields<'n> {
    pub(super) node: &'n Node,
    pub(super) pointer: String,
    members: &'n [Member],
    taken: Vec<&'n str>,
    /// Whether the object is written in JSONata: what belongs to the other language is as if it were not there,
    /// and told at the end.
    pub(super) jsonata: bool,
}

/// A pointer to a member.
pub(super) fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

impl<'n> Fields<'n> {
    /// Opens an object; anything else is a problem.
    pub(super) fn open(
        node: &'n Node,
        pointer: &str,
        problems: &mut Problems<'_>,
    ) -> Option<Fields<'n>> {
        let Kind::Object(members) = &node.kind else {
            problems.add(
                node.offset,
                pointer,
                format!("an object was expected, not {}", node.type_name()),
            );
            return None;
        };
        for (index, member) in members.iter().enumerate() {
            if members[..index]
                .iter()
                .any(|other| other.name == member.name)
            {
                problems.add(
                    member.name_offset,
                    &below(pointer, &member.name),
                    format!("{:?} is given twice in the same object", member.name),
                );
            }
        }
        Some(Fields {
            node,
            pointer: pointer.to_owned(),
            members,
            taken: Vec::new(),
            jsonata: problems.jsonata,
        })
    }

    pub(super) fn at(&self, name: &str) -> String {
        below(&self.pointer, name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.belongs(name) && self.members.iter().any(|member| member.name == name)
    }

    fn belongs(&self, name: &str) -> bool {
        if self.jsonata {
            !is_jsonpath_field(name)
        } else {
            !JSONATA_FIELDS.contains(&name)
        }
    }

    pub(super) fn take(&mut self, name: &'static str) -> Option<&'n Member> {
        if !self.belongs(name) {
            return None;
        }
        let member = self.members.iter().find(|member| member.name == name)?;
        self.taken.push(name);
        Some(member)
    }

    /// The value of a field that stays to be taken.
    pub(super) fn peek(&self, name: &str) -> Option<&'n Node> {
        let there = |member: &&'n Member| member.name == name;
        let member = self.members.iter().find(there)?;
        self.belongs(name).then_some(&member.value)
    }

    pub(super) fn missing(&self, name: &str, what: &str, problems: &mut Problems<'_>) {
        problems.add(
            self.node.offset,
            &self.pointer,
            format!("the field {name} is missing: {what}"),
        );
    }

    pub(super) fn wrong(&self, name: &str, node: &Node, wanted: &str, problems: &mut Problems<'_>) {
        problems.add(
            node.offset,
            &self.at(name),
            format!("{name} must be {wanted}, not {}", node.type_name()),
        );
    }

    pub(super) fn string(
        &mut self,
        name: &'static str,
        problems: &mut Problems<'_>,
    ) -> Option<(&'n str, usize)> {
        let member = self.take(name)?;
        if let Kind::Scalar(Value::String(text)) = &member.value.kind {
            return Some((text, member.value.offset));
        }
        self.wrong(name, &member.value, "a string", problems);
        None
    }

    pub(super) fn boolean(
        &mut self,
        name: &'static str,
        problems: &mut Problems<'_>,
    ) -> Option<bool> {
        let member = self.take(name)?;
        if let Kind::Scalar(Value::Bool(flag)) = &member.value.kind {
            return Some(*flag);
        }
        self.wrong(name, &member.value, "true or false", problems);
        None
    }

    /// An integer of at least `least`.
    pub(super) fn integer(
        &mut self,
        name: &'static str,
        least: u64,
        problems: &mut Problems<'_>,
    ) -> Option<u64> {
        let member = self.take(name)?;
        if let Kind::Scalar(Value::Number(number)) = &member.value.kind
            && let Some(value) = number.as_u64()
            && value >= least
        {
            return Some(value);
        }
        let found = match &member.value.kind {
            Kind::Scalar(Value::Number(number)) => number.to_string(),
            _ => member.value.type_name().to_owned(),
        };
        problems.add(
            member.value.offset,
            &self.at(name),
            format!("{name} must be an integer of at least {least}, not {found}"),
        );
        None
    }

    /// A number from `least` to `most`.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        least: f64,
        most: f64,
        problems: &mut Problems<'_>,
    ) -> Option<f64> {
        let member = self.take(name)?;
        if let Kind::Scalar(Value::Number(number)) = &member.value.kind
            && let Some(value) = number.as_f64()
            && (least..=most).contains(&value)
        {
            return Some(value);
        }
        let range = if most.is_finite() {
            format!("a number from {least} to {most}")
        } else {
            format!("a number of at least {least}")
        };
        problems.add(
            member.value.offset,
            &self.at(name),
            format!("{name} must be {range}"),
        );
        None
    }

    pub(super) fn array(
        &mut self,
        name: &'static str,
        problems: &mut Problems<'_>,
    ) -> Option<&'n [Node]> {
        let member = self.take(name)?;
        if let Kind::Array(items) = &member.value.kind {
            return Some(items);
        }
        self.wrong(name, &member.value, "an array", problems);
        None
    }

    /// A path of any kind.
    pub(super) fn path(&mut self, name: &'static str, problems: &mut Problems<'_>) -> Option<Path> {
        let (text, offset) = self.string(name, problems)?;
        match Path::parse(text) {
            Ok(path) => Some(path),
            Err(error) => {
                problems.add(offset, &self.at(name), error.to_string());
                None
            }
        }
    }

    /// `InputPath`, `OutputPath`.
    pub(super) fn selection(
        &mut self,
        name: &'static str,
        problems: &mut Problems<'_>,
    ) -> Selection {
        if self.is_null(name) {
            return Selection::Nothing;
        }
        self.path(name, problems)
            .map(Selection::Path)
            .unwrap_or_default()
    }

    pub(super) fn result_path(&mut self, problems: &mut Problems<'_>) -> ResultPath {
        const NAME: &str = "ResultPath";
        if self.is_null(NAME) {
            return ResultPath::Discard;
        }
        let Some((text, offset)) = self.string(NAME, problems) else {
            return ResultPath::default();
        };
        let problem = match Path::parse(text) {
            Err(error) => error.to_string(),
            Ok(path) if *path.root() != PathRoot::Input => {
                "ResultPath writes into the state input: it must start with `$` alone".to_owned()
            }
            Ok(path) if !path.is_reference() => {
                "ResultPath must be a reference path: only names and indexes, as in $.a.b[0]"
                    .to_owned()
            }
            Ok(path) => return ResultPath::Place(path),
        };
        problems.add(offset, &self.at(NAME), problem);
        ResultPath::default()
    }

    fn is_null(&mut self, name: &'static str) -> bool {
        let null = self.has(name)
            && self.members.iter().any(|member| {
                member.name == name && matches!(member.value.kind, Kind::Scalar(Value::Null))
            });
        if null {
            self.taken.push(name);
        }
        null
    }

    /// A payload template.
    pub(super) fn template(
        &mut self,
        name: &'static str,
        problems: &mut Problems<'_>,
    ) -> Option<Template> {
        let member = self.take(name)?;
        let (template, found) = Template::compile(&member.value.to_value());
        for problem in found {
            let offset = offset_of(&member.value, &problem.pointer).unwrap_or(member.value.offset);
            let pointer = format!("{}{}", self.at(name), problem.pointer);
            problems.add(offset, &pointer, problem.reason);
        }
        Some(template)
    }

    /// A template that must be an object.
    pub(super) fn object_template(
        &mut self,
        name: &'static str,
        problems: &mut Problems<'_>,
    ) -> Option<Template> {
        if !self.has(name) {
            return None;
        }
        let node = &self
            .members
            .iter()
            .find(|member| member.name == name)?
            .value;
        if !matches!(node.kind, Kind::Object(_)) {
            self.taken.push(name);
            self.wrong(name, node, "an object", problems);
            return None;
        }
        self.template(name, problems)
    }

    /// Reports what nobody took.
    pub(super) fn finish(self, of: &str, problems: &mut Problems<'_>) {
        for member in self.members {
            if self.taken.contains(&member.name.as_str()) {
                continue;
            }
            let name = &member.name;
            let message = if !self.jsonata && JSONATA_FIELDS.contains(&name.as_str()) {
                format!(
                    "{name} belongs to JSONata, and this is written in JSONPath; give \"QueryLanguage\": \"JSONata\" to the state or the state machine"
                )
            } else if self.jsonata && is_jsonpath_field(name) {
                format!("{name} belongs to JSONPath, and this is written in JSONata")
            } else {
                format!("{of} has no field {name}")
            };
            problems.add(member.name_offset, &self.at(name), message);
        }
    }
}

/// The offset of a value below a node.
fn offset_of(node: &Node, pointer: &str) -> Option<usize> {
    let mut at = node;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        at = match &at.kind {
            Kind::Object(members) => &members.iter().find(|member| member.name == step)?.value,
            Kind::Array(items) => items.get(step.parse::<usize>().ok()?)?,
            Kind::Scalar(_) => return None,
        };
    }
    Some(at.offset)
}
