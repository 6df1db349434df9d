//! What expressions of a thread can see: the Context object, variables, random numbers.

use super::state::{Execution, ThreadId};
use crate::data_flow::{Environment, format_timestamp};
use serde_json::{Map, Value, json};
use std::cell::{OnceCell, RefCell};

/// The environment of one thread. The Context object is only made when something reads it.
pub(super) struct ThreadEnvironment<'e, 'r> {
    execution: &'e Execution,
    thread: ThreadId,
    context: OnceCell<Value>,
    random: &'e RefCell<&'r mut dyn FnMut() -> f64>,
}

impl<'e, 'r> ThreadEnvironment<'e, 'r> {
    pub(super) fn new(
        execution: &'e Execution,
        thread: ThreadId,
        random: &'e RefCell<&'r mut dyn FnMut() -> f64>,
    ) -> Self {
        ThreadEnvironment {
            execution,
            thread,
            context: OnceCell::new(),
            random,
        }
    }
}

impl Environment for ThreadEnvironment<'_, '_> {
    fn context(&self) -> &Value {
        self.context
            .get_or_init(|| context_object(self.execution, self.thread))
    }

    fn variable(&self, name: &str) -> Option<&Value> {
        let mut at = Some(self.thread);
        while let Some(thread) = at.and_then(|id| self.execution.thread(id)) {
            if let Some(value) = thread.variables.get(name) {
                return Some(value);
            }
            // A child execution of a distributed Map does not see its parent's variables.
            if thread.child.is_some() {
                return None;
            }
            at = thread.parent.map(|parent| parent.thread);
        }
        None
    }

    fn random(&self) -> f64 {
        (self.random.borrow_mut())().clamp(0.0, 1.0 - f64::EPSILON)
    }
}

/// The Context object of a thread, `$$`.
fn context_object(execution: &Execution, thread: ThreadId) -> Value {
    let own = &execution.context;
    let mut run = Map::new();
    let (mut item, mut child) = (None, None);
    let mut at = Some(thread);
    while let Some(thread) = at.and_then(|id| execution.thread(id)) {
        item = item.or(thread.item.as_ref());
        if thread.child.is_some() {
            child = thread.child.as_ref();
            break;
        }
        at = thread.parent.map(|parent| parent.thread);
    }
    let (id, name, input, start) = match child {
        Some(child) => (
            format!("{}/{}", own.id, child.name),
            child.name.as_str(),
            &child.input,
            child.start_time,
        ),
        None => (
            own.id.clone(),
            own.name.as_str(),
            &execution.input,
            own.start_time,
        ),
    };
    run.insert("Id".to_owned(), id.into());
    run.insert("Input".to_owned(), input.clone());
    run.insert("StartTime".to_owned(), format_timestamp(start).into());
    run.insert("Name".to_owned(), name.into());
    run.insert("RoleArn".to_owned(), own.role_arn.clone().into());
    // Only a redriven execution has these two.
    if let (1.., Some(at)) = (execution.redrives, execution.redriven_at) {
        run.insert("RedriveCount".to_owned(), execution.redrives.into());
        run.insert("RedriveTime".to_owned(), format_timestamp(at).into());
    }
    let mut context = Map::new();
    context.insert("Execution".to_owned(), Value::Object(run));
    context.insert(
        "StateMachine".to_owned(),
        json!({"Id": own.state_machine_id, "Name": own.state_machine_name}),
    );
    if let Some(active) = execution.thread(thread).and_then(|thread| thread.active()) {
        context.insert(
            "State".to_owned(),
            json!({
                "Name": active.name,
                "EnteredTime": format_timestamp(active.entered_at),
                "RetryCount": active.retry_count,
            }),
        );
        if let Some(token) = &active.token {
            context.insert("Task".to_owned(), json!({"Token": token}));
        }
    }
    if let Some(item) = item {
        context.insert(
            "Map".to_owned(),
            json!({"Item": {"Index": item.index, "Value": item.value}}),
        );
    }
    Value::Object(context)
}
