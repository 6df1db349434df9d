//! The Amazon States Language: definitions, data flow, interpreter, histories.
//!
//! Why a language of AWS's runs inside Lakehand: one workflow definition is what Step Functions runs, what
//! the embedded platform interprets and what the console draws. This room is pure. It has no clock, no
//! randomness and does no I/O: time and random numbers come in with each [`interpreter::Signal`], and what
//! is to be done goes out as [`interpreter::Command`]s.
//!
//! - [`definition`]: text to a checked, typed definition, or every problem with its place;
//! - [`data_flow`]: JSONPath, payload templates, intrinsic functions;
//! - [`interpreter`]: one signal in, events and commands out; the whole state serialises;
//! - [`fail_execution`]: the function that ends an execution as failed;
//! - [`history`]: AWS's event shapes, and events folded into the state of each stage;
//! - [`mock`]: runs a definition against mocked tasks in the format of AWS Step Functions Local.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod data_flow;
pub mod definition;
pub mod fail_execution;
pub mod history;
pub mod interpreter;
pub mod mock;

pub use definition::{Definition, InvalidDefinition};
pub use history::{ExecutionStatus, HistoryEvent, Timeline};
pub use interpreter::{Command, Execution, ExecutionContext, Outcome, Signal, Step};
