//! What the data does: collect, normalise, check, build, export.
//!
//! This room knows no AWS, no terminal and no workflow engine. Whatever it needs from outside comes
//! through the [`ports`]; the deployed functions and the embedded platform call the same [`jobs`].

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
