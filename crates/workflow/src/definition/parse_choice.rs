//! Choice states.

use super::fields::{Fields, below};
use super::parse::Parser;
use super::source::{Kind, Node};
use super::types::{
    ChoiceRule, ChoiceState, Condition, Family, Operand, Relation, StateKind, Test, TypeTest,
};
use crate::data_flow::{Path, parse_timestamp};
use serde_json::Value;

const TYPE_TESTS: [(&str, TypeTest); 6] = [
    ("IsNull", TypeTest::Null),
    ("IsPresent", TypeTest::Present),
    ("IsNumeric", TypeTest::Numeric),
    ("IsString", TypeTest::String),
    ("IsBoolean", TypeTest::Boolean),
    ("IsTimestamp", TypeTest::Timestamp),
];

/// Every comparison operator; each has a `…Path` sibling.
const COMPARISONS: [(&str, &str, Family, Relation); 16] = [
    (
        "StringEquals",
        "StringEqualsPath",
        Family::String,
        Relation::Equals,
    ),
    (
        "StringLessThan",
        "StringLessThanPath",
        Family::String,
        Relation::LessThan,
    ),
    (
        "StringLessThanEquals",
        "StringLessThanEqualsPath",
        Family::String,
        Relation::LessThanEquals,
    ),
    (
        "StringGreaterThan",
        "StringGreaterThanPath",
        Family::String,
        Relation::GreaterThan,
    ),
    (
        "StringGreaterThanEquals",
        "StringGreaterThanEqualsPath",
        Family::String,
        Relation::GreaterThanEquals,
    ),
    (
        "NumericEquals",
        "NumericEqualsPath",
        Family::Numeric,
        Relation::Equals,
    ),
    (
        "NumericLessThan",
        "NumericLessThanPath",
        Family::Numeric,
        Relation::LessThan,
    ),
    (
        "NumericLessThanEquals",
        "NumericLessThanEqualsPath",
        Family::Numeric,
        Relation::LessThanEquals,
    ),
    (
        "NumericGreaterThan",
        "NumericGreaterThanPath",
        Family::Numeric,
        Relation::GreaterThan,
    ),
    (
        "NumericGreaterThanEquals",
        "NumericGreaterThanEqualsPath",
        Family::Numeric,
        Relation::GreaterThanEquals,
    ),
    (
        "BooleanEquals",
        "BooleanEqualsPath",
        Family::Boolean,
        Relation::Equals,
    ),
    (
        "TimestampEquals",
        "TimestampEqualsPath",
        Family::Timestamp,
        Relation::Equals,
    ),
    (
        "TimestampLessThan",
        "TimestampLessThanPath",
        Family::Timestamp,
        Relation::LessThan,
    ),
    (
        "TimestampLessThanEquals",
        "TimestampLessThanEqualsPath",
        Family::Timestamp,
        Relation::LessThanEquals,
    ),
    (
        "TimestampGreaterThan",
        "TimestampGreaterThanPath",
        Family::Timestamp,
        Relation::GreaterThan,
    ),
    (
        "TimestampGreaterThanEquals",
        "TimestampGreaterThanEqualsPath",
        Family::Timestamp,
        Relation::GreaterThanEquals,
    ),
];

impl Parser<'_> {
    pub(super) fn choice(&mut self, fields: &mut Fields<'_>) -> Option<StateKind> {
        for forbidden in ["Next", "End"] {
            if let Some(member) = fields.take(forbidden) {
                self.problems.add(
                    member.name_offset,
                    &fields.at(forbidden),
                    format!("a Choice state has no {forbidden}; its rules and Default lead on"),
                );
            }
        }
        let default = fields.string("Default", &mut self.problems);
        if let Some((name, offset)) = default {
            let from = Some(self.state.clone());
            self.target(from, name, offset, fields.at("Default"));
        }
        let rules = match fields.array("Choices", &mut self.problems) {
            Some(items) if !items.is_empty() => items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    let pointer = below(&fields.at("Choices"), &index.to_string());
                    self.rule(item, &pointer)
                })
                .collect::<Vec<_>>(),
            Some(_) => {
                self.problems.add(
                    fields.node.offset,
                    &fields.at("Choices"),
                    "Choices must hold at least one rule",
                );
                return None;
            }
            None => {
                if !fields.has("Choices") {
                    fields.missing("Choices", "an array of rules", &mut self.problems);
                }
                return None;
            }
        };
        Some(StateKind::Choice(ChoiceState {
            rules: rules.into_iter().collect::<Option<Vec<_>>>()?,
            default: default.map(|(name, _)| name.to_owned()),
        }))
    }

    fn rule(&mut self, node: &Node, pointer: &str) -> Option<ChoiceRule> {
        let mut fields = Fields::open(node, pointer, &mut self.problems)?;
        self.comment(&mut fields);
        let assign = self.assign(&mut fields);
        self.payload(&mut fields, "Output");
        let next = fields.string("Next", &mut self.problems);
        match next {
            Some((name, offset)) => {
                let from = Some(self.state.clone());
                self.target(from, name, offset, fields.at("Next"));
            }
            None if !fields.has("Next") => {
                fields.missing("Next", "the state the rule leads to", &mut self.problems);
            }
            None => {}
        }
        let condition = if fields.jsonata {
            self.jsonata_condition(&mut fields)
        } else {
            self.condition(&mut fields)
        };
        fields.finish("a choice rule", &mut self.problems);
        Some(ChoiceRule {
            condition: condition?,
            next: next?.0.to_owned(),
            assign,
        })
    }

    fn nested(&mut self, node: &Node, pointer: &str) -> Option<Condition> {
        let mut fields = Fields::open(node, pointer, &mut self.problems)?;
        self.comment(&mut fields);
        let condition = self.condition(&mut fields);
        if let Some(member) = fields.take("Next") {
            self.problems.add(
                member.name_offset,
                &fields.at("Next"),
                "only the outermost rule has Next",
            );
        }
        fields.finish("a condition", &mut self.problems);
        condition
    }

    fn condition(&mut self, fields: &mut Fields<'_>) -> Option<Condition> {
        for (name, any) in [("And", false), ("Or", true)] {
            if !fields.has(name) {
                continue;
            }
            let items = fields.array(name, &mut self.problems)?;
            if items.is_empty() {
                self.problems.add(
                    fields.node.offset,
                    &fields.at(name),
                    format!("{name} must hold at least one condition"),
                );
                return None;
            }
            let pointer = fields.at(name);
            let conditions: Vec<Option<Condition>> = items
                .iter()
                .enumerate()
                .map(|(index, item)| self.nested(item, &below(&pointer, &index.to_string())))
                .collect();
            let conditions = conditions.into_iter().collect::<Option<Vec<_>>>()?;
            return Some(if any {
                Condition::Any(conditions)
            } else {
                Condition::All(conditions)
            });
        }
        if let Some(member) = fields.take("Not") {
            let inner = self.nested(&member.value, &fields.at("Not"))?;
            return Some(Condition::Not(Box::new(inner)));
        }
        self.test(fields)
    }

    fn test(&mut self, fields: &mut Fields<'_>) -> Option<Condition> {
        let variable = fields.path("Variable", &mut self.problems);
        if !fields.has("Variable") {
            fields.missing(
                "Variable",
                "what the operator compares (or give And, Or, Not)",
                &mut self.problems,
            );
        }
        let mut tests = Vec::new();
        for (name, what) in TYPE_TESTS {
            if fields.has(name) {
                let flag = fields.boolean(name, &mut self.problems);
                tests.push(flag.map(|flag| Test::Is(what, flag)));
            }
        }
        if fields.has("StringMatches") {
            let pattern = fields.string("StringMatches", &mut self.problems);
            tests.push(pattern.map(|(pattern, _)| Test::Matches(pattern.to_owned())));
        }
        for (name, path_name, family, relation) in COMPARISONS {
            if fields.has(name) {
                let operand = self.literal(fields, name, family);
                tests.push(operand.map(|operand| compare(family, relation, operand)));
            }
            if fields.has(path_name) {
                let path: Option<Path> = fields.path(path_name, &mut self.problems);
                tests.push(path.map(|path| compare(family, relation, Operand::Path(path))));
            }
        }
        if tests.len() != 1 {
            self.problems.add(
                fields.node.offset,
                &fields.pointer,
                format!(
                    "a condition has exactly one comparison operator, not {}",
                    tests.len()
                ),
            );
            return None;
        }
        Some(Condition::Test {
            variable: variable?,
            test: tests.remove(0)?,
        })
    }

    fn literal(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
        family: Family,
    ) -> Option<Operand> {
        let member = fields.take(name)?;
        let (fits, wanted) = match (&member.value.kind, family) {
            (Kind::Scalar(Value::String(_)), Family::String) => (true, ""),
            (_, Family::String) => (false, "a string"),
            (Kind::Scalar(Value::Number(_)), Family::Numeric) => (true, ""),
            (_, Family::Numeric) => (false, "a number"),
            (Kind::Scalar(Value::Bool(_)), Family::Boolean) => (true, ""),
            (_, Family::Boolean) => (false, "true or false"),
            (Kind::Scalar(Value::String(text)), Family::Timestamp) => (
                parse_timestamp(text).is_some(),
                "a time stamp such as 2026-11-21T09:00:00Z",
            ),
            (_, Family::Timestamp) => (false, "a time stamp such as 2026-11-21T09:00:00Z"),
        };
        if !fits {
            self.problems.add(
                member.value.offset,
                &fields.at(name),
                format!("{name} must be {wanted}"),
            );
            return None;
        }
        Some(Operand::Literal(member.value.to_value()))
    }
}

fn compare(family: Family, relation: Relation, operand: Operand) -> Test {
    Test::Compare {
        family,
        relation,
        operand,
    }
}
