//! The history of an execution: AWS's event types and shapes, and what they say about each stage.
//!
//! [`HistoryEvent`] reads and writes the JSON of `GetExecutionHistory` as the service sends it: inputs and
//! outputs are JSON *texts*, time stamps are seconds since 1970. [`Timeline`] folds events, as they come,
//! into the state of every stage. Both work alike for our own executions and for those on AWS.

mod events;
mod fold;
mod item;
mod root_cause;

pub use events::{DataDetails, EventDetails, EventType, HistoryEvent};
pub use fold::{
    ExecutionStatus, FailureRecord, INTERRUPTED, MapProgress, Stage, StageStatus, Timeline,
    TimelineHead,
};
pub use root_cause::{RootCause, unwrap_cause};

#[cfg(test)]
mod tests;
