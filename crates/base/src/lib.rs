//! The words that every other crate speaks: windows, names of datasets, texts and the records of a CSV file.
//!
//! It stands at the bottom, so that the configuration, the pipeline, the workflows and the console can mean the
//! same by a day, a stream or a secret without knowing each other.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod dataset;
pub mod records;
pub mod references;
pub mod secrets;
pub mod text;
pub mod window;
pub mod workflows;
