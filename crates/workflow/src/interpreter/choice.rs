//! Choice states.

use super::failure::Failure;
use super::run::Run;
use super::state::ThreadId;
use crate::data_flow::{Environment, EvaluationError, Path, parse_timestamp, select};
use crate::definition::{
    ChoiceState, Condition, Family, Operand, Relation, State, Test, Transition, TypeTest,
};
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

impl Run<'_> {
    pub(super) fn choose(
        &mut self,
        id: ThreadId,
        state: &State,
        choice: &ChoiceState,
    ) -> Result<(), Failure> {
        let effective = self.effective_input(id, state)?;
        let mut chosen = None;
        {
            let environment = self.environment(id);
            for rule in &choice.rules {
                let matched = holds(&rule.condition, &effective, &environment)
                    .map_err(|error| self.condition_failure(id, error))?;
                if matched {
                    chosen = Some((&rule.next, rule.assign.as_ref()));
                    break;
                }
            }
        }
        let chosen = chosen.or_else(|| {
            choice
                .default
                .as_ref()
                .map(|default| (default, state.assign.as_ref()))
        });
        let Some((next, assign)) = chosen else {
            return Err(self.runtime_failure(
                id,
                "Failed to transition out of the state. The state does not point to a next state.",
            ));
        };
        let assigned = self.evaluate_assign(id, assign, &effective)?;
        let output = self.checked_output(id, state, effective)?;
        self.exit(id, output, assigned, &Transition::Next(next.clone()));
        Ok(())
    }

    fn condition_failure(&self, id: ThreadId, error: EvaluationError) -> Failure {
        match error {
            EvaluationError::NotFound { path, .. } => self.runtime_failure(
                id,
                &format!(
                    "Invalid path '{path}': The choice state's condition path references an invalid value."
                ),
            ),
            other => self.evaluation_failure(id, &other),
        }
    }
}

/// Whether a condition holds. Only `IsPresent` may look at what is not there.
fn holds(
    condition: &Condition,
    input: &Value,
    environment: &dyn Environment,
) -> Result<bool, EvaluationError> {
    match condition {
        Condition::All(all) => {
            for one in all {
                if !holds(one, input, environment)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Condition::Any(any) => {
            for one in any {
                if holds(one, input, environment)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::Not(inner) => holds(inner, input, environment).map(|holds| !holds),
        Condition::Jsonata(text) => Err(EvaluationError::NotInterpreted(text.clone())),
        Condition::Test { variable, test } => test_holds(variable, test, input, environment),
    }
}

fn test_holds(
    variable: &Path,
    test: &Test,
    input: &Value,
    environment: &dyn Environment,
) -> Result<bool, EvaluationError> {
    let value = select(variable, input, environment);
    if let Test::Is(TypeTest::Present, wanted) = test {
        return Ok(value.is_ok() == *wanted);
    }
    let value = value?;
    Ok(match test {
        Test::Is(what, wanted) => is(*what, &value) == *wanted,
        Test::Matches(pattern) => value.as_str().is_some_and(|text| matches(pattern, text)),
        Test::Compare {
            family,
            relation,
            operand,
        } => {
            let operand = match operand {
                Operand::Literal(literal) => Cow::Borrowed(literal),
                Operand::Path(path) => select(path, input, environment)?,
            };
            compare(*family, *relation, &value, &operand)
        }
    })
}

fn is(what: TypeTest, value: &Value) -> bool {
    match what {
        TypeTest::Null => value.is_null(),
        TypeTest::Present => true,
        TypeTest::Numeric => value.is_number(),
        TypeTest::String => value.is_string(),
        TypeTest::Boolean => value.is_boolean(),
        TypeTest::Timestamp => value.as_str().and_then(parse_timestamp).is_some(),
    }
}

/// Values of another type than the operator's never match.
fn compare(family: Family, relation: Relation, left: &Value, right: &Value) -> bool {
    let order = match family {
        Family::String => left
            .as_str()
            .zip(right.as_str())
            // Java compares UTF-16 code units.
            .map(|(left, right)| left.encode_utf16().cmp(right.encode_utf16())),
        Family::Numeric => compare_numbers(left, right),
        Family::Boolean => left
            .as_bool()
            .zip(right.as_bool())
            .map(|(left, right)| left.cmp(&right)),
        Family::Timestamp => {
            let instant = |value: &Value| value.as_str().and_then(parse_timestamp);
            instant(left)
                .zip(instant(right))
                .map(|(left, right)| left.cmp(&right))
        }
    };
    match relation {
        Relation::Equals => order == Some(Ordering::Equal),
        Relation::LessThan => order == Some(Ordering::Less),
        Relation::GreaterThan => order == Some(Ordering::Greater),
        Relation::LessThanEquals => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Relation::GreaterThanEquals => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// Exact for integers, which do not all fit a float.
fn compare_numbers(left: &Value, right: &Value) -> Option<Ordering> {
    let (Value::Number(left), Value::Number(right)) = (left, right) else {
        return None;
    };
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn integer(number: &serde_json::Number) -> Option<i128> {
    number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from))
}

/// `StringMatches`: `*` stands for any text, `\*` for a star, `\\` for a backslash.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = vec![String::new()];
    let mut characters = pattern.chars();
    while let Some(found) = characters.next() {
        match found {
            '*' => parts.push(String::new()),
            '\\' => {
                let escaped = characters.next().unwrap_or('\\');
                if let Some(part) = parts.last_mut() {
                    part.push(escaped);
                }
            }
            _ => {
                if let Some(part) = parts.last_mut() {
                    part.push(found);
                }
            }
        }
    }
    let [first, middle @ .., last] = parts.as_slice() else {
        // No star: the whole text.
        return parts.concat() == text;
    };
    let Some(rest) = text.strip_prefix(first.as_str()) else {
        return false;
    };
    let Some(mut rest) = rest.strip_suffix(last.as_str()) else {
        return false;
    };
    for part in middle {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}
