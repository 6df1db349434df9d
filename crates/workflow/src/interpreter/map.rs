//! Map states.

use super::failure::Failure;
use super::flow::plain;
use super::run::Run;
use super::state::{
    ChildExecution, ChildResult, Children, MapItem, MapRun, Parent, Phase, ThreadId,
};
use crate::data_flow::select;
use crate::definition::{ItemBatcher, Limit, MapMode, MapState, State, StateKind};
use crate::history::{EventDetails, EventType};
use serde_json::{Map, Value, json};

/// An inline Map runs this many iterations at once at most.
const INLINE_CONCURRENCY: usize = 40;
/// A distributed Map without `MaxConcurrency` runs this many children at once.
const DISTRIBUTED_CONCURRENCY: usize = 1_000;

impl Run<'_> {
    pub(super) fn start_map(
        &mut self,
        id: ThreadId,
        state: &State,
        map: &MapState,
    ) -> Result<(), Failure> {
        let effective = self.effective_input(id, state)?;
        let limit = self.concurrency(id, map, &effective)?;
        let items = self.items(id, map, &effective)?;
        let details = EventDetails {
            length: Some(items.len() as u64),
            ..EventDetails::default()
        };
        self.emit(id, EventType::MapStateStarted, details);
        // The service looks at the thresholds only after the start event.
        let tolerated_count = self.tolerated_count(id, map, &effective)?;
        let tolerated_percentage = self.tolerated_percentage(id, map, &effective)?;
        let arn = (map.mode == MapMode::Distributed).then(|| self.map_run_arn(id, map));
        if let Some(arn) = &arn {
            let details = EventDetails {
                map_run_arn: Some(arn.clone()),
                ..EventDetails::default()
            };
            self.emit(id, EventType::MapRunStarted, details);
        }
        let (items, batched) = match &map.batcher {
            Some(batcher) => (self.batches(id, map, batcher, items, &effective)?, true),
            None => (items, false),
        };
        let children = Children {
            results: vec![ChildResult::Waiting; items.len()],
            running: 0,
            next: 0,
            limit,
            map: Some(MapRun {
                mode: map.mode,
                items,
                effective,
                failed: 0,
                tolerated_count,
                tolerated_percentage,
                arn,
                batched,
            }),
        };
        self.set_phase(id, Phase::Children(Box::new(children)));
        self.iteration_over(id, None);
        Ok(())
    }

    fn items(
        &self,
        id: ThreadId,
        map: &MapState,
        effective: &Value,
    ) -> Result<Vec<Value>, Failure> {
        if let Some(items) = &map.items {
            return Ok(items.clone());
        }
        let found = select(&map.items_path, effective, &self.environment(id))
            .map_err(|error| self.evaluation_failure(id, &error))?
            .into_owned();
        match found {
            Value::Array(items) => Ok(items),
            _ => Err(self.runtime_failure(
                id,
                &format!("Reference path \"{}\" must point to array.", map.items_path),
            )),
        }
    }

    fn concurrency(
        &self,
        id: ThreadId,
        map: &MapState,
        effective: &Value,
    ) -> Result<usize, Failure> {
        const FIELD: &str = "MaxConcurrency";
        let wanted = match self.limit(id, &map.max_concurrency, effective)? {
            Ok(number) => number,
            Err(value) => {
                return Err(self.limit_failure(id, FIELD, "integer", &map.max_concurrency, &value));
            }
        };
        if wanted < 0.0 {
            return Err(self.runtime_failure(id, "MaxConcurrency cannot be negative."));
        }
        let most = match map.mode {
            MapMode::Inline => INLINE_CONCURRENCY,
            MapMode::Distributed => DISTRIBUTED_CONCURRENCY,
        };
        Ok(match wanted as usize {
            0 => most,
            some => some.min(most),
        })
    }

    fn tolerated_count(
        &self,
        id: ThreadId,
        map: &MapState,
        effective: &Value,
    ) -> Result<Option<f64>, Failure> {
        const FIELD: &str = "ToleratedFailureCount";
        let Some(limit) = &map.tolerated_count else {
            return Ok(None);
        };
        match self.limit(id, limit, effective)? {
            Ok(count) if count < 0.0 => {
                Err(self.runtime_failure(id, "ToleratedFailureCount cannot be negative."))
            }
            Ok(count) if count.fract() == 0.0 => Ok(Some(count)),
            Ok(count) => Err(self.limit_failure(id, FIELD, "integer", limit, &json!(count))),
            Err(value) => Err(self.limit_failure(id, FIELD, "integer", limit, &value)),
        }
    }

    fn tolerated_percentage(
        &self,
        id: ThreadId,
        map: &MapState,
        effective: &Value,
    ) -> Result<Option<f64>, Failure> {
        const FIELD: &str = "ToleratedFailurePercentage";
        let Some(limit) = &map.tolerated_percentage else {
            return Ok(None);
        };
        match self.limit(id, limit, effective)? {
            Ok(percentage) if (0.0..=100.0).contains(&percentage) => Ok(Some(percentage)),
            Ok(_) => {
                Err(self
                    .runtime_failure(id, "ToleratedFailurePercentage must be between 0 and 100."))
            }
            Err(value) => Err(self.limit_failure(id, FIELD, "float", limit, &value)),
        }
    }

    /// The number of a limit, or the value found that is no number.
    fn limit(
        &self,
        id: ThreadId,
        limit: &Limit,
        effective: &Value,
    ) -> Result<Result<f64, Value>, Failure> {
        let path = match limit {
            Limit::Fixed(number) => return Ok(Ok(*number)),
            Limit::Path(path) => path,
        };
        let value = select(path, effective, &self.environment(id))
            .map_err(|error| self.evaluation_failure(id, &error))?
            .into_owned();
        let number = match &value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        Ok(number.ok_or(value))
    }

    fn limit_failure(
        &self,
        id: ThreadId,
        field: &str,
        wanted: &str,
        limit: &Limit,
        value: &Value,
    ) -> Failure {
        let path = match limit {
            Limit::Path(path) => path.text(),
            Limit::Fixed(_) => "",
        };
        self.runtime_failure(
            id,
            &format!(
                "The {field}Path field refers to value \"{}\" which is not a valid {wanted}: {path}",
                plain(value)
            ),
        )
    }

    fn map_run_arn(&self, id: ThreadId, map: &MapState) -> String {
        let context = &self.execution.context;
        let machine = context
            .state_machine_id
            .replacen(":stateMachine:", ":mapRun:", 1);
        let label = map.label.clone().unwrap_or_else(|| self.uuid(id));
        format!("{machine}/{label}:{}", self.uuid(id))
    }

    /// Groups items for one child each.
    fn batches(
        &self,
        id: ThreadId,
        map: &MapState,
        batcher: &ItemBatcher,
        items: Vec<Value>,
        effective: &Value,
    ) -> Result<Vec<Value>, Failure> {
        let number = |limit: &Option<Limit>, field| match limit {
            None => Ok(usize::MAX),
            Some(limit) => match self.limit(id, limit, effective)? {
                Ok(number) if number >= 1.0 => Ok(number as usize),
                Ok(number) => Err(self.limit_failure(id, field, "integer", limit, &json!(number))),
                Err(value) => Err(self.limit_failure(id, field, "integer", limit, &value)),
            },
        };
        let most_items = number(&batcher.max_items, "MaxItemsPerBatch")?;
        let most_bytes = number(&batcher.max_bytes, "MaxInputBytesPerBatch")?;
        let batch_input = match &batcher.batch_input {
            Some(template) => Some(self.fill(id, template, effective)?),
            None => None,
        };
        let mut batches: Vec<Vec<Value>> = Vec::new();
        let mut bytes = 0;
        for (index, item) in items.into_iter().enumerate() {
            let item = self.selected_item(id, map, index, item, effective)?;
            let size = item.to_string().len();
            match batches.last_mut() {
                Some(batch) if batch.len() < most_items && bytes + size <= most_bytes => {
                    bytes += size;
                    batch.push(item);
                }
                _ => {
                    bytes = size;
                    batches.push(vec![item]);
                }
            }
        }
        let whole = |batch: Vec<Value>| {
            let mut input = Map::new();
            if let Some(batch_input) = &batch_input {
                input.insert("BatchInput".to_owned(), batch_input.clone());
            }
            input.insert("Items".to_owned(), Value::Array(batch));
            Value::Object(input)
        };
        Ok(batches.into_iter().map(whole).collect())
    }

    /// Applies `ItemSelector` to one item outside of an iteration.
    fn selected_item(
        &self,
        id: ThreadId,
        map: &MapState,
        index: usize,
        item: Value,
        effective: &Value,
    ) -> Result<Value, Failure> {
        let Some(template) = &map.item_selector else {
            return Ok(item);
        };
        let environment = self.environment(id);
        let with_item = ItemEnvironment::new(&environment, index, item);
        template
            .evaluate(effective, &with_item)
            .map_err(|error| self.evaluation_failure(id, &error))
    }

    /// An iteration is over (or the Map has just begun): starts further ones, or ends the Map.
    ///
    /// `previous` is the event that the iteration's end follows, and the id of its end event.
    pub(super) fn iteration_over(&mut self, id: ThreadId, previous: Option<(u64, u64)>) {
        loop {
            let outer = self
                .execution
                .thread(id)
                .map_or(0, |thread| thread.previous_event);
            let Some(children) = self.children_mut(id) else {
                return;
            };
            if children.next < children.results.len() && children.running < children.limit {
                let index = children.next;
                children.next += 1;
                if !matches!(children.results[index], ChildResult::Waiting) {
                    continue;
                }
                let follows = previous.map_or(outer, |(before_end, _)| before_end);
                if let Err(failure) = self.start_iteration(id, index, follows) {
                    return self.fail(id, failure);
                }
                continue;
            }
            if children.running > 0 {
                return;
            }
            if let Some((_, end)) = previous
                && let Some(thread) = self.execution.threads.get_mut(&id)
            {
                thread.previous_event = end;
            }
            let distributed = self
                .children_mut(id)
                .and_then(|children| children.map.as_ref())
                .is_some_and(|map| map.mode == MapMode::Distributed);
            if distributed {
                self.emit(id, EventType::MapRunSucceeded, EventDetails::default());
            }
            return self.children_done(id);
        }
    }

    fn start_iteration(&mut self, id: ThreadId, index: usize, follows: u64) -> Result<(), Failure> {
        let state = self.state_of(id)?;
        let StateKind::Map(map) = &state.kind else {
            return Ok(());
        };
        let Some(run) = self
            .children_mut(id)
            .and_then(|children| children.map.as_ref())
        else {
            return Ok(());
        };
        let item = run.items.get(index).cloned().unwrap_or_default();
        let effective = map.item_selector.as_ref().map(|_| run.effective.clone());
        let (inline, batched) = (run.mode == MapMode::Inline, run.batched);
        let outer = self
            .execution
            .thread(id)
            .map_or(0, |thread| thread.previous_event);
        if inline {
            let details = EventDetails {
                index: Some(index as u64),
                ..EventDetails::named(&state.name)
            };
            let quiet = self.execution.thread(id).is_some_and(|thread| thread.quiet);
            let started = if quiet {
                outer
            } else {
                self.append(follows, EventType::MapIterationStarted, details)
            };
            self.set_previous(id, started);
        }
        let input = match effective {
            Some(effective) if !batched => {
                self.selected_item(id, map, index, item.clone(), &effective)
            }
            _ => Ok(item.clone()),
        };
        // When ItemSelector fails, the failure follows the start of the iteration.
        let input = input?;
        let child = self.start_child(id, index, map.processor, input.clone());
        self.set_previous(id, outer);
        let name = (!inline).then(|| self.uuid(id));
        let now = self.now;
        if let Some(thread) = self.execution.threads.get_mut(&child) {
            if let Some(name) = name {
                thread.quiet = true;
                thread.previous_event = 1;
                thread.child = Some(ChildExecution {
                    name,
                    input,
                    start_time: now,
                });
            } else {
                thread.item = Some(MapItem {
                    index: index as u64,
                    value: item,
                });
            }
        }
        Ok(())
    }

    fn set_previous(&mut self, id: ThreadId, event: u64) {
        if let Some(thread) = self.execution.threads.get_mut(&id) {
            thread.previous_event = event;
        }
    }

    /// Tells of a successful iteration. Gives what [`Run::iteration_over`] needs; `None` for a child
    /// execution, which has no events here.
    pub(super) fn iteration_succeeded(
        &mut self,
        child: ThreadId,
        parent: Parent,
    ) -> Option<(u64, u64)> {
        let thread = self.execution.thread(child)?;
        let before_end = thread.previous_event;
        if thread.child.is_some() {
            return None;
        }
        let details = EventDetails {
            index: Some(parent.index as u64),
            ..EventDetails::named(&self.active_name(parent.thread))
        };
        let end = self.emit_beside(child, EventType::MapIterationSucceeded, details);
        Some((before_end, end))
    }
}

/// The environment of a thread with one more thing: the item that `ItemSelector` is applied to.
struct ItemEnvironment<'e> {
    inner: &'e dyn crate::data_flow::Environment,
    context: std::cell::OnceCell<Value>,
    index: usize,
    item: Value,
}

impl<'e> ItemEnvironment<'e> {
    fn new(inner: &'e dyn crate::data_flow::Environment, index: usize, item: Value) -> Self {
        ItemEnvironment {
            inner,
            context: std::cell::OnceCell::new(),
            index,
            item,
        }
    }
}

impl crate::data_flow::Environment for ItemEnvironment<'_> {
    fn context(&self) -> &Value {
        self.context.get_or_init(|| {
            let mut context = self.inner.context().clone();
            if let Value::Object(fields) = &mut context {
                fields.insert(
                    "Map".to_owned(),
                    json!({"Item": {"Index": self.index, "Value": self.item}}),
                );
            }
            context
        })
    }

    fn variable(&self, name: &str) -> Option<&Value> {
        self.inner.variable(name)
    }

    fn random(&self) -> f64 {
        self.inner.random()
    }
}
