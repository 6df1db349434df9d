//! Parallel and Map states.

use super::fields::{Fields, below};
use super::parse::Parser;
use super::types::{ItemBatcher, Limit, MachineId, MapMode, MapState, ParallelState, StateKind};
use crate::data_flow::Path;

/// A label may have this many characters.
const MAX_LABEL: usize = 40;

impl Parser<'_> {
    pub(super) fn parallel(&mut self, fields: &mut Fields<'_>) -> Option<StateKind> {
        let parameters = self.arguments(fields);
        let work = self.work(fields);
        let branches = match fields.array("Branches", &mut self.problems) {
            Some([]) => {
                self.problems.add(
                    fields.node.offset,
                    &fields.at("Branches"),
                    "Branches must hold at least one branch",
                );
                return None;
            }
            Some(items) => items,
            None => {
                if !fields.has("Branches") {
                    fields.missing("Branches", "an array of state machines", &mut self.problems);
                }
                return None;
            }
        };
        let pointer = fields.at("Branches");
        let mut machines: Vec<MachineId> = Vec::with_capacity(branches.len());
        for (index, branch) in branches.iter().enumerate() {
            let pointer = below(&pointer, &index.to_string());
            let mut branch = Fields::open(branch, &pointer, &mut self.problems)?;
            self.comment(&mut branch);
            let around = self.problems.jsonata;
            self.query_language(&mut branch);
            machines.push(self.machine(&mut branch));
            self.problems.jsonata = around;
            branch.finish("a branch", &mut self.problems);
        }
        Some(StateKind::Parallel(Box::new(ParallelState {
            branches: machines,
            parameters,
            work,
        })))
    }

    pub(super) fn map(&mut self, fields: &mut Fields<'_>) -> Option<StateKind> {
        let work = self.work(fields);
        let items_path = fields.path("ItemsPath", &mut self.problems);
        let items = self.items(fields);
        self.exclusive(fields, "ItemSelector", "Parameters");
        let selector = self.template(fields, "ItemSelector");
        let legacy = fields.template("Parameters", &mut self.problems);
        let max_concurrency = self.limit(
            fields,
            "MaxConcurrency",
            "MaxConcurrencyPath",
            f64::INFINITY,
            true,
        );
        let tolerated_count = self.limit(
            fields,
            "ToleratedFailureCount",
            "ToleratedFailureCountPath",
            f64::INFINITY,
            true,
        );
        let tolerated_percentage = self.limit(
            fields,
            "ToleratedFailurePercentage",
            "ToleratedFailurePercentagePath",
            100.0,
            false,
        );
        let label = self.label(fields);
        let batcher = self.batcher(fields);
        let reader = self.reader(fields);
        let writer = self.writer(fields);
        let (processor, mode) = self.processor(fields)?;
        for name in ["ItemBatcher", "ItemReader", "ResultWriter"] {
            if fields.has(name) && mode == MapMode::Inline {
                self.problems.add(
                    fields.node.offset,
                    &fields.at(name),
                    format!("{name} needs ProcessorConfig.Mode DISTRIBUTED"),
                );
            }
        }
        Some(StateKind::Map(Box::new(MapState {
            processor,
            mode,
            items_path: items_path.unwrap_or_else(Path::whole_input),
            items,
            reader,
            writer,
            item_selector: selector.or(legacy),
            batcher,
            max_concurrency: max_concurrency.unwrap_or(Limit::Fixed(0.0)),
            tolerated_count,
            tolerated_percentage,
            label,
            work,
        })))
    }

    /// A number or where it stands. An expression gives a stand-in: a state that has one is not run.
    pub(super) fn limit(
        &mut self,
        fields: &mut Fields<'_>,
        fixed: &'static str,
        path: &'static str,
        most: f64,
        whole: bool,
    ) -> Option<Limit> {
        self.exclusive(fields, fixed, path);
        if self.expression(fields, fixed).is_some() {
            return Some(Limit::Fixed(0.0));
        }
        let number = if whole {
            fields
                .integer(fixed, 0, &mut self.problems)
                .map(|number| number as f64)
        } else {
            fields.number(fixed, 0.0, most, &mut self.problems)
        };
        let from_input = fields.path(path, &mut self.problems);
        number.map(Limit::Fixed).or(from_input.map(Limit::Path))
    }

    fn label(&mut self, fields: &mut Fields<'_>) -> Option<String> {
        let (label, offset) = fields.string("Label", &mut self.problems)?;
        let length = label.chars().count();
        let forbidden = label.chars().find(|found| {
            found.is_whitespace()
                || found.is_control()
                || "?*<>{}[]:;,\\|^~$#%&`\"".contains(*found)
        });
        if length == 0 || length > MAX_LABEL || forbidden.is_some() {
            self.problems.add(
                offset,
                &fields.at("Label"),
                format!("a Label has 1 to {MAX_LABEL} characters and no white space or any of ?*<>{{}}[]:;,\\|^~$#%&`\""),
            );
        }
        Some(label.to_owned())
    }

    fn batcher(&mut self, fields: &mut Fields<'_>) -> Option<ItemBatcher> {
        let member = fields.take("ItemBatcher")?;
        let pointer = fields.at("ItemBatcher");
        let mut inner = Fields::open(&member.value, &pointer, &mut self.problems)?;
        self.comment(&mut inner);
        let max_items = self.limit(
            &mut inner,
            "MaxItemsPerBatch",
            "MaxItemsPerBatchPath",
            f64::INFINITY,
            true,
        );
        let max_bytes = self.limit(
            &mut inner,
            "MaxInputBytesPerBatch",
            "MaxInputBytesPerBatchPath",
            f64::INFINITY,
            true,
        );
        if max_items.is_none() && max_bytes.is_none() {
            inner.missing(
                "MaxItemsPerBatch",
                "give it, MaxInputBytesPerBatch, or both",
                &mut self.problems,
            );
        }
        let batch_input = self.object(&mut inner, "BatchInput");
        inner.finish("ItemBatcher", &mut self.problems);
        Some(ItemBatcher {
            max_items,
            max_bytes,
            batch_input,
        })
    }

    fn processor(&mut self, fields: &mut Fields<'_>) -> Option<(MachineId, MapMode)> {
        self.exclusive(fields, "ItemProcessor", "Iterator");
        let (name, member) = match fields.take("ItemProcessor") {
            Some(member) => {
                fields.take("Iterator");
                ("ItemProcessor", member)
            }
            None => match fields.take("Iterator") {
                Some(member) => ("Iterator", member),
                None => {
                    fields.missing(
                        "ItemProcessor",
                        "the state machine that runs for each item",
                        &mut self.problems,
                    );
                    return None;
                }
            },
        };
        let pointer = fields.at(name);
        let mut inner = Fields::open(&member.value, &pointer, &mut self.problems)?;
        self.comment(&mut inner);
        let around = self.problems.jsonata;
        self.query_language(&mut inner);
        let mut mode = MapMode::Inline;
        if let Some(member) = inner.take("ProcessorConfig") {
            let pointer = inner.at("ProcessorConfig");
            let mut config = Fields::open(&member.value, &pointer, &mut self.problems)?;
            if self.one_of(&mut config, "Mode", &["INLINE", "DISTRIBUTED"]) == Some("DISTRIBUTED") {
                mode = MapMode::Distributed;
            }
            self.one_of(&mut config, "ExecutionType", &["STANDARD", "EXPRESS"]);
            config.finish("ProcessorConfig", &mut self.problems);
        }
        let machine = self.machine(&mut inner);
        self.problems.jsonata = around;
        inner.finish("a Map processor", &mut self.problems);
        Some((machine, mode))
    }
}
