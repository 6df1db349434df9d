//! Lakehand: a marketing data lakehouse and the console that operates it.
//!
//! The rooms, and who may use whom (an arrow down only):
//!
//! ```text
//! main -> cli -> console -> ops -> pipeline, workflow
//!              \-> simulator      platform -> pipeline, workflow, ops::ports
//! ```
//!
//! [`pipeline`] is what the data does, [`workflow`] is the Amazon States Language, [`platform`] is
//! where things run, [`ops`] is what an operator does, `console` and [`cli`] are its two faces and
//! `simulator` plays the source APIs on loopback.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[cfg(feature = "local")]
pub mod cli;
#[cfg(feature = "console")]
pub use lakehand_console as console;
pub mod platform;
pub use lakehand_config as config;
pub use lakehand_ops as ops;
pub use lakehand_pipeline as pipeline;
#[cfg(feature = "simulator")]
pub use lakehand_simulator as simulator;
pub use lakehand_workflow as workflow;
