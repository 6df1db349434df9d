//! What the data does: collect, normalise, check, build, export.
//!
//! This crate knows no AWS, no terminal and no workflow engine. Whatever it needs from outside comes
//! through the [`ports`]; the deployed functions and the embedded platform call the same [`jobs`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod collect;
pub mod export;
pub mod gold;
pub mod jobs;
pub mod normalise;
pub mod ports;
pub mod quality;
pub mod sources;
pub mod state;

pub use lakehand_base::{dataset, records, secrets, text, window};
