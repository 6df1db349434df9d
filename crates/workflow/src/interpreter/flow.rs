//! What a thread does in a state, and where it goes afterwards.

use super::Outcome;
use super::failure::Failure;
use super::run::Run;
use super::state::{Phase, Position, Purpose, ThreadId};
use crate::data_flow::{
    Environment, EvaluationError, Path, PathRoot, Template, exceeds_data_limit, parse_timestamp,
    put, select,
};
use crate::definition::{
    FailText, PassState, ResultPath, Selection, State, StateKind, Transition, WaitState, WaitUntil,
    WorkFields,
};
use crate::history::{DataDetails, EventDetails, EventType};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Variables that a state assigned, by name.
pub(super) type Assigned = BTreeMap<String, Value>;

impl<'a> Run<'a> {
    /// Does what the thread's state says; a failure goes to whoever handles it.
    pub(super) fn perform(&mut self, id: ThreadId) {
        let result = self.runnable_state(id).and_then(|state| match &state.kind {
            StateKind::Pass(pass) => self.pass(id, state, pass),
            StateKind::Succeed => self.succeed(id, state),
            StateKind::Fail(fail) => {
                let error = self.fail_text(id, fail.error.as_ref(), "ErrorPath")?;
                let cause = self.fail_text(id, fail.cause.as_ref(), "CausePath")?;
                Err(Failure::named(error, cause))
            }
            StateKind::Choice(choice) => self.choose(id, state, choice),
            StateKind::Wait(wait) => self.wait(id, state, wait),
            StateKind::Task(task) => self.start_task(id, state, task),
            StateKind::Parallel(parallel) => self.start_parallel(id, state, parallel),
            StateKind::Map(map) => self.start_map(id, state, map),
        });
        if let Err(failure) = result {
            self.fail(id, failure);
        }
    }

    /// The thread's state, unless it is one that Lakehand does not run.
    fn runnable_state(&self, id: ThreadId) -> Result<&'a State, Failure> {
        let state = self.state_of(id)?;
        match &state.refused {
            Some(why) => Err(Failure::refused(&state.name, why)),
            None => Ok(state),
        }
    }

    fn pass(&mut self, id: ThreadId, state: &State, pass: &PassState) -> Result<(), Failure> {
        let effective = self.effective_input(id, state)?;
        let result = match (&pass.result, &pass.parameters) {
            (Some(result), _) => result.clone(),
            (None, Some(template)) => self.fill(id, template, &effective)?,
            (None, None) => effective,
        };
        let assigned = self.evaluate_assign(id, state.assign.as_ref(), &result)?;
        let output = self.apply_result_path(id, &pass.result_path, result)?;
        let output = self.checked_output(id, state, output)?;
        self.exit(id, output, assigned, &pass.transition);
        Ok(())
    }

    fn succeed(&mut self, id: ThreadId, state: &State) -> Result<(), Failure> {
        let effective = self.effective_input(id, state)?;
        let output = self.checked_output(id, state, effective)?;
        self.exit(id, output, Assigned::new(), &Transition::End);
        Ok(())
    }

    fn fail_text(
        &self,
        id: ThreadId,
        text: Option<&FailText>,
        field: &str,
    ) -> Result<Option<String>, Failure> {
        let expression = match text {
            None => return Ok(None),
            Some(FailText::Fixed(text)) => return Ok(Some(text.clone())),
            Some(FailText::Computed(expression)) => expression,
        };
        let value = expression
            .evaluate(self.raw_input(id), &self.environment(id))
            .map_err(|error| self.evaluation_failure(id, &error))?;
        match value {
            Value::String(text) => Ok(Some(text)),
            other => Err(self.runtime_failure(
                id,
                &format!(
                    "The {field} field must be a string, but {} is {other}",
                    expression.text()
                ),
            )),
        }
    }

    fn wait(&mut self, id: ThreadId, state: &State, wait: &WaitState) -> Result<(), Failure> {
        let effective = self.effective_input(id, state)?;
        let now = self.now;
        let timer = match &wait.until {
            WaitUntil::Seconds(0) => None,
            WaitUntil::Jsonata(text) => {
                let error = EvaluationError::NotInterpreted(text.clone());
                return Err(self.evaluation_failure(id, &error));
            }
            WaitUntil::Seconds(seconds) => {
                Some(self.start_timer(*seconds as f64, Purpose::Wait(id)))
            }
            WaitUntil::SecondsPath(path) => match self.wait_seconds(id, path, &effective)? {
                0 => None,
                seconds => Some(self.start_timer(seconds as f64, Purpose::Wait(id))),
            },
            WaitUntil::Timestamp(until) if *until <= now => None,
            WaitUntil::Timestamp(until) => Some(self.start_timer_until(*until, Purpose::Wait(id))),
            WaitUntil::TimestampPath(path) => {
                let value = self.wait_value(id, path, &effective, "TimestampPath")?;
                let until = value.as_str().and_then(parse_timestamp).ok_or_else(|| {
                    self.runtime_failure(id, &format!(
                        "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: {path} == {}",
                        plain(&value)
                    ))
                })?;
                (until > now).then(|| self.start_timer_until(until, Purpose::Wait(id)))
            }
        };
        match timer {
            Some(timer) => {
                self.set_phase(id, Phase::Wait(timer));
                Ok(())
            }
            None => self.leave_wait(id),
        }
    }

    fn wait_value(
        &self,
        id: ThreadId,
        path: &Path,
        effective: &Value,
        field: &str,
    ) -> Result<Value, Failure> {
        select(path, effective, &self.environment(id))
            .map(std::borrow::Cow::into_owned)
            .map_err(|error| match error {
                EvaluationError::NotFound { .. } => self.runtime_failure(
                    id,
                    &format!("The {field} parameter does not reference an input value: {path}"),
                ),
                other => self.evaluation_failure(id, &other),
            })
    }

    fn wait_seconds(&self, id: ThreadId, path: &Path, effective: &Value) -> Result<u64, Failure> {
        let value = self.wait_value(id, path, effective, "SecondsPath")?;
        let whole = match &value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let problem = match whole {
            None => "cannot be parsed as a long value",
            Some(seconds) => match u64::try_from(seconds) {
                Ok(seconds) => return Ok(seconds),
                Err(_) => "references a negative value",
            },
        };
        Err(self.runtime_failure(
            id,
            &format!(
                "The SecondsPath parameter {problem}: {path} == {}",
                plain(&value)
            ),
        ))
    }

    pub(super) fn wait_over(&mut self, id: ThreadId) {
        if let Err(failure) = self.leave_wait(id) {
            self.fail(id, failure);
        }
    }

    fn leave_wait(&mut self, id: ThreadId) -> Result<(), Failure> {
        let state = self.state_of(id)?;
        let StateKind::Wait(wait) = &state.kind else {
            return Ok(());
        };
        let effective = self.effective_input(id, state)?;
        let assigned = self.evaluate_assign(id, state.assign.as_ref(), &effective)?;
        let output = self.checked_output(id, state, effective)?;
        self.exit(id, output, assigned, &wait.transition);
        Ok(())
    }

    /// The input after `InputPath`.
    pub(super) fn effective_input(&self, id: ThreadId, state: &State) -> Result<Value, Failure> {
        self.selected(id, &state.input_path, self.raw_input(id).clone())
    }

    fn selected(
        &self,
        id: ThreadId,
        selection: &Selection,
        value: Value,
    ) -> Result<Value, Failure> {
        match selection {
            Selection::Nothing => Ok(Value::Object(Map::new())),
            Selection::Path(path) if path.is_whole() && *path.root() == PathRoot::Input => {
                Ok(value)
            }
            Selection::Path(path) => {
                if value.is_null() && *path.root() == PathRoot::Input {
                    return Err(self.evaluation_failure(id, &EvaluationError::NullInput));
                }
                select(path, &value, &self.environment(id))
                    .map(std::borrow::Cow::into_owned)
                    .map_err(|error| self.evaluation_failure(id, &error))
            }
        }
    }

    pub(super) fn fill(
        &self,
        id: ThreadId,
        template: &Template,
        input: &Value,
    ) -> Result<Value, Failure> {
        template
            .evaluate(input, &self.environment(id))
            .map_err(|error| self.evaluation_failure(id, &error))
    }

    /// The values of `Assign`; nothing is assigned yet, so all of them see the old variables.
    pub(super) fn evaluate_assign(
        &self,
        id: ThreadId,
        template: Option<&Template>,
        input: &Value,
    ) -> Result<Assigned, Failure> {
        let Some(template) = template else {
            return Ok(Assigned::new());
        };
        match self.fill(id, template, input)? {
            Value::Object(values) => Ok(values.into_iter().collect()),
            _ => Ok(Assigned::new()),
        }
    }

    fn apply_result_path(
        &self,
        id: ThreadId,
        result_path: &ResultPath,
        result: Value,
    ) -> Result<Value, Failure> {
        match result_path {
            ResultPath::Discard => Ok(self.raw_input(id).clone()),
            ResultPath::Place(path) if path.is_whole() => Ok(result),
            ResultPath::Place(path) => put(self.raw_input(id).clone(), path, result)
                .map_err(|error| self.evaluation_failure(id, &error)),
        }
    }

    /// Checks the size and applies `OutputPath`.
    pub(super) fn checked_output(
        &self,
        id: ThreadId,
        state: &State,
        output: Value,
    ) -> Result<Value, Failure> {
        let output = state.output.clone().unwrap_or(output);
        if exceeds_data_limit(&output) {
            return Err(Failure::data_limit(&state.name));
        }
        self.selected(id, &state.output_path, output)
    }

    /// The way of a result of Task, Parallel or Map: Assign, ResultSelector, ResultPath, OutputPath.
    pub(super) fn complete(&mut self, id: ThreadId, result: Value) -> Result<(), Failure> {
        let state = self.state_of(id)?;
        let default = WorkFields::default();
        let work = state.work().unwrap_or(&default);
        let assigned = self.evaluate_assign(id, state.assign.as_ref(), &result)?;
        let result = match &work.result_selector {
            Some(template) => self.fill(id, template, &result)?,
            None => result,
        };
        let output = self.apply_result_path(id, &work.result_path, result)?;
        let output = self.checked_output(id, state, output)?;
        let end = Transition::End;
        let transition = work.transition.as_ref().unwrap_or(&end);
        self.exit(id, output, assigned, transition);
        Ok(())
    }

    /// Leaves the state.
    pub(super) fn exit(
        &mut self,
        id: ThreadId,
        output: Value,
        assigned: Assigned,
        transition: &Transition,
    ) {
        let name = self.active_name(id);
        let kind = self
            .state_of(id)
            .map_or("Pass", |state| state.state_type().name());
        let mut details = EventDetails::named(&name).with_output(output.to_string());
        if !assigned.is_empty() {
            details.assigned_variables = Some(
                assigned
                    .iter()
                    .map(|(name, value)| (name.clone(), value.to_string()))
                    .collect(),
            );
            details.assigned_variables_details = Some(DataDetails::default());
        }
        self.emit(id, EventType::named(&format!("{kind}StateExited")), details);
        let Some(thread) = self.execution.threads.get_mut(&id) else {
            return;
        };
        thread.variables.extend(assigned);
        match transition {
            Transition::Next(next) => {
                thread.at = Position::Before {
                    state: next.clone(),
                    input: output,
                };
                self.execution.runnable.push_back(id);
            }
            Transition::End => self.thread_done(id, output),
        }
    }

    fn thread_done(&mut self, id: ThreadId, output: Value) {
        match self.execution.thread(id).and_then(|thread| thread.parent) {
            Some(parent) => self.child_done(id, parent, output),
            None => {
                let details = EventDetails::default().with_output(output.to_string());
                self.emit(id, EventType::ExecutionSucceeded, details);
                self.finish(Outcome::Succeeded { output });
                self.execution.threads.clear();
            }
        }
    }

    /// A random UUID.
    pub(super) fn uuid(&self, id: ThreadId) -> String {
        let environment = self.environment(id);
        crate::data_flow::intrinsic::uuid_from(&environment as &dyn Environment)
    }
}

/// A value in a message: texts without quotes.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
