//! Payload templates: `Parameters`, `ResultSelector`, `ItemSelector`, `Assign`.
//!
//! An object member whose name ends in `.$` is replaced: `"id.$": "$.order.id"` becomes `"id": 7`.

use super::expression::Expression;
use super::{Environment, EvaluationError};
use serde_json::{Map, Value};

/// A compiled payload template.
#[derive(Debug, Clone, PartialEq)]
pub enum Template {
    /// A part without any expression.
    Constant(Value),
    /// An object with an expression somewhere below it.
    Object(Vec<TemplateMember>),
    /// An array with an expression somewhere below it.
    Array(Vec<Template>),
}

/// One member of a template object.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplateMember {
    /// `"name": …`.
    Plain(String, Template),
    /// `"name.$": "…"`; the name is kept without its `.$`.
    Computed(String, Expression),
}

/// An expression of a template that cannot be compiled, with the JSON pointer to it inside the template.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateProblem {
    /// Where, relative to the template: `/Payload/id.$`.
    pub pointer: String,
    /// What is wrong.
    pub reason: String,
}

impl Template {
    /// Compiles a template and reports every expression that cannot be compiled.
    pub fn compile(value: &Value) -> (Template, Vec<TemplateProblem>) {
        let mut problems = Vec::new();
        let template = compile(value, "", &mut problems);
        (template, problems)
    }

    /// Fills the template in. `input` is what `$` stands for.
    ///
    /// # Errors
    /// The first expression that has no value.
    pub fn evaluate(
        &self,
        input: &Value,
        environment: &dyn Environment,
    ) -> Result<Value, EvaluationError> {
        match self {
            Template::Constant(value) => Ok(value.clone()),
            Template::Array(items) => items
                .iter()
                .map(|item| item.evaluate(input, environment))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array),
            Template::Object(members) => {
                let mut filled = Map::with_capacity(members.len());
                for member in members {
                    match member {
                        TemplateMember::Plain(name, below) => {
                            filled.insert(name.clone(), below.evaluate(input, environment)?);
                        }
                        TemplateMember::Computed(name, expression) => {
                            let value = expression
                                .evaluate(input, environment)
                                .map_err(|error| in_field(error, name, input))?;
                            filled.insert(name.clone(), value);
                        }
                    }
                }
                Ok(Value::Object(filled))
            }
        }
    }

    /// Names assigned at the top level, for `Assign`.
    pub(crate) fn member_names(&self) -> Vec<String> {
        match self {
            Template::Constant(Value::Object(members)) => members.keys().cloned().collect(),
            Template::Object(members) => members
                .iter()
                .map(|member| match member {
                    TemplateMember::Plain(name, _) | TemplateMember::Computed(name, _) => {
                        name.clone()
                    }
                })
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// Inside a template a missing path is reported with the field it was meant for.
fn in_field(error: EvaluationError, name: &str, input: &Value) -> EvaluationError {
    match error {
        EvaluationError::NotFound { path, .. } => EvaluationError::FieldNotFound {
            path,
            field: format!("{name}.$"),
            input: input.to_string(),
        },
        other => other,
    }
}

fn compile(value: &Value, pointer: &str, problems: &mut Vec<TemplateProblem>) -> Template {
    match value {
        Value::Object(members) => compile_object(members, pointer, problems),
        Value::Array(items) => {
            let compiled: Vec<Template> = items
                .iter()
                .enumerate()
                .map(|(index, item)| compile(item, &format!("{pointer}/{index}"), problems))
                .collect();
            if compiled
                .iter()
                .all(|item| matches!(item, Template::Constant(_)))
            {
                Template::Constant(value.clone())
            } else {
                Template::Array(compiled)
            }
        }
        _ => Template::Constant(value.clone()),
    }
}

fn compile_object(
    members: &Map<String, Value>,
    pointer: &str,
    problems: &mut Vec<TemplateProblem>,
) -> Template {
    let mut compiled = Vec::with_capacity(members.len());
    let mut constant = true;
    for (name, value) in members {
        let below = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        let Some(plain) = name.strip_suffix(".$") else {
            let template = compile(value, &below, problems);
            constant &= matches!(template, Template::Constant(_));
            compiled.push(TemplateMember::Plain(name.clone(), template));
            continue;
        };
        constant = false;
        match compile_expression(value) {
            Ok(expression) => {
                compiled.push(TemplateMember::Computed(plain.to_owned(), expression));
            }
            Err(reason) => problems.push(TemplateProblem {
                pointer: below,
                reason,
            }),
        }
        if members.contains_key(plain) {
            problems.push(TemplateProblem {
                pointer: format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")),
                reason: format!("the field is given twice, as {plain:?} and as {name:?}; keep one"),
            });
        }
    }
    if constant {
        Template::Constant(Value::Object(members.clone()))
    } else {
        Template::Object(compiled)
    }
}

fn compile_expression(value: &Value) -> Result<Expression, String> {
    let Value::String(text) = value else {
        return Err(
            "the value of a field whose name ends in `.$` must be a path or an intrinsic function"
                .to_owned(),
        );
    };
    Expression::parse(text).map_err(|error| error.to_string())
}
