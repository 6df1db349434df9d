//! Threads inside threads: Parallel, and what Parallel and Map have in common.

use super::failure::Failure;
use super::run::Run;
use super::state::{ChildResult, Children, Parent, Phase, Position, Thread, ThreadId};
use super::{TaskId, TimerId};
use crate::definition::{MachineId, ParallelState, State, StateType};
use crate::history::{EventDetails, EventType};
use serde_json::Value;
use std::collections::BTreeMap;

impl Run<'_> {
    pub(super) fn start_parallel(
        &mut self,
        id: ThreadId,
        state: &State,
        parallel: &ParallelState,
    ) -> Result<(), Failure> {
        let effective = self.effective_input(id, state)?;
        let input = match &parallel.parameters {
            Some(template) => self.fill(id, template, &effective)?,
            None => effective,
        };
        self.emit(id, EventType::ParallelStateStarted, EventDetails::default());
        let count = parallel.branches.len();
        let children = Children {
            results: vec![ChildResult::Waiting; count],
            running: 0,
            next: count,
            limit: count,
            map: None,
        };
        self.set_phase(id, Phase::Children(Box::new(children)));
        for (index, machine) in parallel.branches.iter().enumerate() {
            self.start_child(id, index, *machine, input.clone());
        }
        Ok(())
    }

    /// Starts a branch or iteration at the first state of its machine.
    pub(super) fn start_child(
        &mut self,
        parent: ThreadId,
        index: usize,
        machine: MachineId,
        input: Value,
    ) -> ThreadId {
        let child = ThreadId(self.execution.number());
        let (previous_event, quiet) = self
            .execution
            .thread(parent)
            .map_or((0, false), |thread| (thread.previous_event, thread.quiet));
        self.execution.threads.insert(
            child,
            Thread {
                parent: Some(Parent {
                    thread: parent,
                    index,
                }),
                machine,
                previous_event,
                variables: BTreeMap::new(),
                item: None,
                child: None,
                quiet,
                stopped: false,
                at: Position::Before {
                    state: self.definition.machine(machine).start_at.clone(),
                    input,
                },
            },
        );
        if let Some(children) = self.children_mut(parent) {
            children.results[index] = ChildResult::Running(child);
            children.running += 1;
        }
        self.execution.runnable.push_back(child);
        child
    }

    pub(super) fn children_mut(&mut self, id: ThreadId) -> Option<&mut Children> {
        self.execution.threads.get_mut(&id)?.children_mut()
    }

    /// A branch or iteration has an output.
    pub(super) fn child_done(&mut self, child: ThreadId, parent: Parent, output: Value) {
        let Some(children) = self.children_mut(parent.thread) else {
            return;
        };
        children.results[parent.index] = ChildResult::Done(output);
        children.running -= 1;
        if children.map.is_some() {
            let previous = self.iteration_succeeded(child, parent);
            self.execution.threads.remove(&child);
            self.iteration_over(parent.thread, previous);
            return;
        }
        let all_done = children.running == 0;
        if all_done {
            self.inherit_previous(child, parent.thread);
        }
        self.execution.threads.remove(&child);
        if all_done {
            self.children_done(parent.thread);
        }
    }

    /// All branches or iterations are over.
    pub(super) fn children_done(&mut self, id: ThreadId) {
        let Some(children) = self.children_mut(id) else {
            return;
        };
        let outputs: Vec<Value> = children
            .results
            .iter()
            .filter_map(|result| match result {
                ChildResult::Done(output) => Some(output.clone()),
                _ => None,
            })
            .collect();
        let event = if children.map.is_some() {
            EventType::MapStateSucceeded
        } else {
            EventType::ParallelStateSucceeded
        };
        self.emit_beside(id, event, EventDetails::default());
        if let Err(failure) = self.complete(id, Value::Array(outputs)) {
            self.fail(id, failure);
        }
    }

    /// Stops the branches or iterations that still run.
    pub(super) fn stop_children(&mut self, id: ThreadId) {
        let Some(children) = self.children_mut(id) else {
            return;
        };
        let threads = children.threads();
        let map_name = children.map.is_some().then(|| self.active_name(id));
        for child in threads {
            let Some(thread) = self.execution.thread(child).filter(|child| !child.stopped) else {
                continue;
            };
            let index = thread.parent.map_or(0, |parent| parent.index as u64);
            self.stop_thread(child);
            if let Some(name) = &map_name {
                let details = EventDetails {
                    index: Some(index),
                    ..EventDetails::named(name)
                };
                self.emit_beside(child, EventType::MapIterationAborted, details);
            }
        }
    }

    /// Stops a thread and tells of it; it stays for a redrive.
    pub(super) fn stop_thread(&mut self, id: ThreadId) {
        let Some(thread) = self.execution.thread(id).filter(|thread| !thread.stopped) else {
            return;
        };
        let state_type = self.state_of(id).map(State::state_type).ok();
        let phase = thread.active().map(|active| active.phase.clone());
        self.release(id);
        if matches!(phase, Some(Phase::Children(_))) {
            self.stop_children(id);
        }
        let event = match (phase, state_type) {
            (None | Some(Phase::Idle), _) => None,
            (_, Some(StateType::Task)) => Some(EventType::TaskStateAborted),
            (_, Some(StateType::Wait)) => Some(EventType::WaitStateAborted),
            (_, Some(StateType::Map)) => Some(EventType::MapStateAborted),
            (_, Some(StateType::Parallel)) => Some(EventType::ParallelStateAborted),
            _ => None,
        };
        if let Some(event) = event {
            self.emit_beside(id, event, EventDetails::default());
        }
        if let Some(thread) = self.execution.threads.get_mut(&id) {
            thread.stopped = true;
        }
        self.execution.runnable.retain(|runnable| *runnable != id);
    }

    /// Stops everything, for the end of the execution from outside.
    pub(super) fn stop_threads(&mut self) {
        self.stop_thread(ThreadId::ROOT);
    }

    /// Cancels the task or timer that a thread's state waits for.
    fn release(&mut self, id: ThreadId) {
        let waiting: (Option<TaskId>, Option<TimerId>) =
            match self.execution.thread(id).and_then(Thread::active) {
                Some(active) => match active.phase {
                    Phase::Task(task) => (Some(task), None),
                    Phase::Wait(timer) | Phase::Retry(timer) => (None, Some(timer)),
                    _ => return,
                },
                None => return,
            };
        if let Some(task) = waiting.0 {
            self.cancel_task(task);
        }
        self.cancel_timer(waiting.1);
    }

    /// Forgets everything inside a state, for another attempt or a catcher.
    pub(super) fn drop_children(&mut self, id: ThreadId) {
        let Some(children) = self.children_mut(id) else {
            return;
        };
        for child in children.threads() {
            self.drop_thread(child);
        }
        self.set_phase(id, Phase::Idle);
    }

    pub(super) fn drop_thread(&mut self, id: ThreadId) {
        self.release(id);
        self.drop_children(id);
        self.execution.threads.remove(&id);
        self.execution.runnable.retain(|runnable| *runnable != id);
    }
}
