//! What is written in JSONata: `Arguments`, `Output`, `Condition`, `Items` and any text in `{% %}`.
//!
//! Expressions are checked as far as that can be done without evaluating them (how they open and close, brackets,
//! quotes, what `$states` has) and drawn; the state that holds one is not run.

use super::fields::{Fields, below};
use super::parse::Parser;
use super::source::{Kind, Node};
use super::types::Condition;
use crate::data_flow::Template;
use serde_json::Value;

/// What `$states` has.
const STATES_FIELDS: [&str; 4] = ["input", "result", "errorOutput", "context"];

impl Parser<'_> {
    /// Notes the first thing in the state that is not run.
    pub(super) fn refuse(&mut self, offset: usize, pointer: &str, what: &str) {
        if self.refused.is_none() {
            self.refused = Some(self.problems.at(
                offset,
                pointer,
                format!("{what} is checked and drawn but not run by Lakehand"),
            ));
        }
    }

    /// A value in which any text may be an expression: `Output`, `Arguments`, … of a state in JSONata.
    pub(super) fn payload(&mut self, fields: &mut Fields<'_>, name: &'static str) -> Option<Value> {
        if !fields.jsonata {
            return None;
        }
        let member = fields.take(name)?;
        self.walk(&member.value, &fields.at(name));
        Some(member.value.to_value())
    }

    fn walk(&mut self, node: &Node, pointer: &str) {
        match &node.kind {
            Kind::Scalar(Value::String(text)) => {
                self.read(text, node.offset, pointer);
            }
            Kind::Scalar(_) => {}
            Kind::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.walk(item, &below(pointer, &index.to_string()));
                }
            }
            Kind::Object(members) => {
                for member in members {
                    self.walk(&member.value, &below(pointer, &member.name));
                }
            }
        }
    }

    /// The expression in a text, if it holds one. What is wrong with it is reported.
    fn read(&mut self, text: &str, offset: usize, pointer: &str) -> Option<String> {
        let trimmed = text.trim();
        let opens = trimmed.starts_with("{%");
        let closes = trimmed.ends_with("%}") && trimmed.len() >= 4;
        if !opens && !trimmed.ends_with("%}") {
            return None;
        }
        self.refuse(offset, pointer, "a JSONata expression");
        let inner = trimmed
            .trim_start_matches("{%")
            .trim_end_matches("%}")
            .trim();
        if self.lenient {
            return Some(inner.to_owned());
        }
        let fault = if !opens || !closes || trimmed != text {
            Some("a JSONata expression starts with {% and ends with %}, with nothing before or after".to_owned())
        } else {
            fault(inner).map(|fault| format!("this is no JSONata expression: {fault}"))
        };
        if let Some(fault) = fault {
            self.problems.add(offset, pointer, fault);
        }
        Some(inner.to_owned())
    }

    /// The expression of a field that may hold one instead of a number or a fixed text. Leaves anything else.
    pub(super) fn expression(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
    ) -> Option<String> {
        if !fields.jsonata {
            return None;
        }
        let node = fields.peek(name)?;
        let Kind::Scalar(Value::String(text)) = &node.kind else {
            return None;
        };
        let found = self.read(text, node.offset, &fields.at(name))?;
        fields.take(name);
        Some(found)
    }

    /// `Arguments`, or `Parameters` in JSONPath.
    pub(super) fn arguments(&mut self, fields: &mut Fields<'_>) -> Option<Template> {
        if fields.jsonata {
            return self.payload(fields, "Arguments").map(Template::Constant);
        }
        fields.template("Parameters", &mut self.problems)
    }

    /// A template in the language of the state.
    pub(super) fn template(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
    ) -> Option<Template> {
        if fields.jsonata {
            return self.payload(fields, name).map(Template::Constant);
        }
        fields.template(name, &mut self.problems)
    }

    /// A template that must be an object, in the language of the state.
    pub(super) fn object(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
    ) -> Option<Template> {
        if !fields.jsonata {
            return fields.object_template(name, &mut self.problems);
        }
        let node = fields.peek(name)?;
        if !matches!(node.kind, Kind::Object(_)) {
            fields.take(name);
            fields.wrong(name, node, "an object", &mut self.problems);
            return None;
        }
        self.payload(fields, name).map(Template::Constant)
    }

    /// `Items`.
    pub(super) fn items(&mut self, fields: &mut Fields<'_>) -> Option<Vec<Value>> {
        const NAME: &str = "Items";
        if !fields.jsonata || self.expression(fields, NAME).is_some() {
            return None;
        }
        let node = fields.peek(NAME)?;
        match self.payload(fields, NAME)? {
            Value::Array(items) => Some(items),
            Value::Object(_) => {
                self.refuse(node.offset, &fields.at(NAME), "a Map over an object");
                None
            }
            _ => {
                let wanted = "an array, an object or a JSONata expression";
                fields.wrong(NAME, node, wanted, &mut self.problems);
                None
            }
        }
    }

    /// `Condition` of a Choice rule.
    pub(super) fn jsonata_condition(&mut self, fields: &mut Fields<'_>) -> Option<Condition> {
        const NAME: &str = "Condition";
        if let Some(text) = self.expression(fields, NAME) {
            return Some(Condition::Jsonata(text));
        }
        let Some(member) = fields.take(NAME) else {
            let what = "a JSONata expression that is true or false";
            fields.missing(NAME, what, &mut self.problems);
            return None;
        };
        let offset = member.value.offset;
        match &member.value.kind {
            Kind::Scalar(Value::Bool(flag)) => {
                self.refuse(offset, &fields.at(NAME), "a condition in JSONata");
                Some(Condition::Jsonata(flag.to_string()))
            }
            Kind::Scalar(Value::String(text)) if self.lenient => {
                self.refuse(offset, &fields.at(NAME), "a condition");
                Some(Condition::Jsonata(text.clone()))
            }
            _ => {
                let wanted = "a JSONata expression in {% %}, or true or false";
                self.problems
                    .add(offset, &fields.at(NAME), format!("{NAME} must be {wanted}"));
                None
            }
        }
    }
}

/// What can be told to be wrong with an expression without evaluating it.
fn fault(expression: &str) -> Option<String> {
    if expression.is_empty() {
        return Some("it is empty".to_owned());
    }
    let characters: Vec<char> = expression.chars().collect();
    let mut open: Vec<char> = Vec::new();
    let mut before = '(';
    let mut at = 0;
    while let Some(found) = characters.get(at).copied() {
        let rest = &characters[at..];
        let length = match found {
            '"' | '\'' | '`' => match quoted(rest) {
                Some(length) => length,
                None => return Some(format!("a text that starts with {found} is not closed")),
            },
            '/' if rest.get(1) == Some(&'*') => match comment(rest) {
                Some(length) => length,
                None => return Some("a comment is not closed".to_owned()),
            },
            // A slash where a value begins opens a regular expression; one that does not end is left alone,
            // because only a full parser can tell.
            '/' if "([{,:?=<>~;&|!".contains(before) => regular_expression(rest)?,
            '(' | '[' | '{' => {
                open.push(found);
                1
            }
            ')' | ']' | '}' => match open.pop() {
                Some(opened) if closing(opened) == found => 1,
                Some(opened) => return Some(format!("`{opened}` is closed by `{found}`")),
                None => return Some(format!("`{found}` closes nothing")),
            },
            '$' => {
                let name = word(&rest[1..]);
                if let Some(fault) = reference_fault(&name, &rest[1 + name.chars().count()..]) {
                    return Some(fault);
                }
                1 + name.chars().count()
            }
            _ => 1,
        };
        let last = characters[at + length - 1];
        let comment = found == '/' && last == '/' && length > 1 && rest[1] == '*';
        if !last.is_whitespace() && !comment {
            before = last;
        }
        at += length;
    }
    open.pop().map(|opened| format!("`{opened}` is not closed"))
}

/// `$states.unput`, `$eval`.
fn reference_fault(name: &str, rest: &[char]) -> Option<String> {
    match (name, rest) {
        ("eval", ['(', ..]) => Some("AWS has no $eval; it has $parse".to_owned()),
        ("states", ['.', rest @ ..]) => {
            let field = word(rest);
            (!field.is_empty() && !STATES_FIELDS.contains(&field.as_str())).then(|| {
                format!(
                    "$states has no {field}; it has {}",
                    STATES_FIELDS.join(", ")
                )
            })
        }
        _ => None,
    }
}

fn word(characters: &[char]) -> String {
    characters
        .iter()
        .take_while(|found| found.is_alphanumeric() || **found == '_')
        .collect()
}

fn closing(opened: char) -> char {
    match opened {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

/// The length of a quoted text with its quotes. Names in backticks know no escapes.
fn quoted(characters: &[char]) -> Option<usize> {
    let quote = characters.first()?;
    let mut at = 1;
    loop {
        match characters.get(at)? {
            '\\' if *quote != '`' => at += 2,
            found if found == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

fn comment(characters: &[char]) -> Option<usize> {
    let ends = characters
        .windows(2)
        .skip(2)
        .position(|two| two == ['*', '/']);
    ends.map(|ends| ends + 4)
}

fn regular_expression(characters: &[char]) -> Option<usize> {
    let (mut at, mut depth) = (1, 0_i32);
    loop {
        match characters.get(at)? {
            '\\' => at += 1,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '/' if depth <= 0 => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn good_expressions_are_left_alone() {
        for text in [
            "$states.input.orders[status = 'open'].(price * qty)",
            "$states.context.Execution.Id & \"-\" & $uuid()",
            "$replace($states.input.name, /[)(\"]+/, '')",
            "$match(a, /a\\/b/)",
            "a / b / (c)",
            "/* a ) comment */ $map([1..3], function($v) { $v / 2 })",
            "`odd ( name`.b",
            "$states",
            "{ 'a': $count($states.result) }",
            "$states.errorOutput.Cause ~> $parse",
        ] {
            assert_eq!(fault(text), None, "{text}");
        }
    }

    #[test]
    fn faults_are_named() {
        for (text, words) in [
            ("", "empty"),
            ("$sum((1, 2)", "`(` is not closed"),
            ("a]", "`]` closes nothing"),
            ("(a]", "`(` is closed by `]`"),
            ("'it''s", "not closed"),
            ("$states.unput.x", "$states has no unput"),
            ("$eval('1')", "no $eval"),
            ("1 /* two", "comment"),
        ] {
            let found = fault(text).unwrap_or_default();
            assert!(found.contains(words), "{text}: {found}");
        }
    }
}
