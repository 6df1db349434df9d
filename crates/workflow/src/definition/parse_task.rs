//! Task states, and what Task, Parallel and Map share: Retry, Catch, results.

use super::fields::{Fields, below};
use super::parse::{Parser, strings};
use super::resource::{classify, wrong_pattern};
use super::source::Node;
use super::types::{Catcher, Resource, Retrier, Seconds, StateKind, TaskState, WorkFields};
use crate::data_flow::Template;

/// A retry may wait this long at most: a year.
const MAX_DELAY: u64 = 31_622_400;
/// The largest `MaxAttempts`.
const MAX_ATTEMPTS: u64 = 99_999_999;

impl Parser<'_> {
    pub(super) fn task(&mut self, fields: &mut Fields<'_>) -> Option<StateKind> {
        let resource = self.resource(fields);
        let parameters = self.arguments(fields);
        let credentials = self.object(fields, "Credentials");
        if let Some(resource) = &resource {
            self.warn_of_qualifiers(fields, resource);
        }
        let timeout = self.seconds(fields, "TimeoutSeconds", "TimeoutSecondsPath");
        let heartbeat = self.seconds(fields, "HeartbeatSeconds", "HeartbeatSecondsPath");
        if let (Some(Seconds::Fixed(limit)), Some(Seconds::Fixed(beat))) = (&timeout, &heartbeat)
            && beat >= limit
        {
            self.problems.add(
                fields.node.offset,
                &fields.at("HeartbeatSeconds"),
                format!("HeartbeatSeconds ({beat}) must be smaller than TimeoutSeconds ({limit})"),
            );
        }
        let work = self.work(fields);
        Some(StateKind::Task(Box::new(TaskState {
            resource: resource?,
            parameters,
            credentials,
            timeout,
            heartbeat,
            work,
        })))
    }

    fn resource(&mut self, fields: &mut Fields<'_>) -> Option<Resource> {
        let Some((arn, offset)) = fields.string("Resource", &mut self.problems) else {
            if !fields.has("Resource") {
                fields.missing(
                    "Resource",
                    "the ARN of what the task calls",
                    &mut self.problems,
                );
            }
            return None;
        };
        let resource = classify(arn);
        if let Some(wrong) = resource.as_ref().and_then(wrong_pattern) {
            self.problems.add(offset, &fields.at("Resource"), wrong);
        }
        if resource.is_none() {
            self.problems.add(
                offset,
                &fields.at("Resource"),
                format!("{arn:?} is not the ARN of something a task can call, such as arn:aws:states:::lambda:invoke"),
            );
        }
        resource
    }

    fn seconds(
        &mut self,
        fields: &mut Fields<'_>,
        fixed: &'static str,
        path: &'static str,
    ) -> Option<Seconds> {
        self.exclusive(fields, fixed, path);
        if self.expression(fields, fixed).is_some() {
            return None;
        }
        let seconds = fields.integer(fixed, 1, &mut self.problems);
        let from_input = fields.path(path, &mut self.problems);
        seconds
            .map(Seconds::Fixed)
            .or(from_input.map(Seconds::Path))
    }

    /// Results, Retry, Catch and the transition.
    pub(super) fn work(&mut self, fields: &mut Fields<'_>) -> WorkFields {
        WorkFields {
            result_selector: fields.object_template("ResultSelector", &mut self.problems),
            result_path: fields.result_path(&mut self.problems),
            retry: self.each(fields, "Retry", Self::retrier),
            catch: self.each(fields, "Catch", Self::catcher),
            transition: self.transition(fields),
        }
    }

    fn each<T>(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
        read: fn(&mut Self, &Node, &str, bool) -> Option<T>,
    ) -> Vec<T> {
        let Some(items) = fields.array(name, &mut self.problems) else {
            return Vec::new();
        };
        let pointer = fields.at(name);
        let last = items.len().saturating_sub(1);
        items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                read(
                    self,
                    item,
                    &below(&pointer, &index.to_string()),
                    index == last,
                )
            })
            .collect()
    }

    fn retrier(&mut self, node: &Node, pointer: &str, last: bool) -> Option<Retrier> {
        let mut fields = Fields::open(node, pointer, &mut self.problems)?;
        self.comment(&mut fields);
        let error_equals = self.error_equals(&mut fields, last);
        let interval = fields.integer("IntervalSeconds", 1, &mut self.problems);
        let backoff = fields.number("BackoffRate", 1.0, f64::INFINITY, &mut self.problems);
        let attempts = fields.integer("MaxAttempts", 0, &mut self.problems);
        if attempts.is_some_and(|attempts| attempts > MAX_ATTEMPTS) {
            self.problems.add(
                node.offset,
                &fields.at("MaxAttempts"),
                format!("MaxAttempts must be at most {MAX_ATTEMPTS}"),
            );
        }
        let max_delay = fields.integer("MaxDelaySeconds", 1, &mut self.problems);
        if max_delay.is_some_and(|delay| delay >= MAX_DELAY) {
            self.problems.add(
                node.offset,
                &fields.at("MaxDelaySeconds"),
                format!("MaxDelaySeconds must be less than {MAX_DELAY}"),
            );
        }
        let jitter = self.one_of(&mut fields, "JitterStrategy", &["FULL", "NONE"]);
        fields.finish("a retrier", &mut self.problems);
        Some(Retrier {
            error_equals: error_equals?,
            interval_seconds: interval.unwrap_or(1) as f64,
            backoff_rate: backoff.unwrap_or(2.0),
            max_attempts: attempts.unwrap_or(3),
            max_delay_seconds: max_delay,
            full_jitter: jitter == Some("FULL"),
        })
    }

    fn catcher(&mut self, node: &Node, pointer: &str, last: bool) -> Option<Catcher> {
        let mut fields = Fields::open(node, pointer, &mut self.problems)?;
        self.comment(&mut fields);
        let error_equals = self.error_equals(&mut fields, last);
        let next = match fields.string("Next", &mut self.problems) {
            Some((next, offset)) => {
                let from = Some(self.state.clone());
                self.target(from, next, offset, fields.at("Next"));
                Some(next.to_owned())
            }
            None => {
                if !fields.has("Next") {
                    fields.missing("Next", "the state to go to", &mut self.problems);
                }
                None
            }
        };
        let result_path = fields.result_path(&mut self.problems);
        let assign = self.assign(&mut fields);
        let output = self.payload(&mut fields, "Output");
        fields.finish("a catcher", &mut self.problems);
        Some(Catcher {
            error_equals: error_equals?,
            next: next?,
            result_path,
            assign,
            output,
        })
    }

    fn error_equals(&mut self, fields: &mut Fields<'_>, last: bool) -> Option<Vec<String>> {
        const NAME: &str = "ErrorEquals";
        let Some(items) = fields.array(NAME, &mut self.problems) else {
            if !fields.has(NAME) {
                fields.missing(NAME, "an array of error names", &mut self.problems);
            }
            return None;
        };
        let offset = items.first().map_or(fields.node.offset, |item| item.offset);
        let pointer = fields.at(NAME);
        let Some(names) = strings(items) else {
            self.problems.add(
                offset,
                &pointer,
                "ErrorEquals must be a non-empty array of strings",
            );
            return None;
        };
        if names.iter().any(|name| name == "States.ALL") {
            if names.len() > 1 {
                self.problems
                    .add(offset, &pointer, "States.ALL must stand alone");
            }
            if !last {
                self.problems.add(
                    offset,
                    &pointer,
                    "States.ALL must be in the last element: nothing after it could match",
                );
            }
        }
        Some(names)
    }

    /// `Assign`.
    pub(super) fn assign(&mut self, fields: &mut Fields<'_>) -> Option<Template> {
        let template = self.object(fields, "Assign")?;
        for name in template.member_names() {
            let mut characters = name.chars();
            let starts = characters
                .next()
                .is_some_and(|first| first == '_' || first.is_alphabetic());
            let fits = starts
                && characters.all(|other| other == '_' || other.is_alphanumeric())
                && name.chars().count() <= 80
                && name != "states";
            if !fits {
                let pointer = fields.at("Assign");
                self.problems.add(
                    fields.node.offset,
                    &below(&pointer, &name),
                    format!("{name:?} cannot be a variable: use letters, digits and _, at most 80, not starting with a digit, and not \"states\""),
                );
            }
        }
        Some(template)
    }
}
