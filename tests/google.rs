//! Google Analytics end to end on this machine: simulator, adaptor, bronze, silver, SQL, whatever goes
//! wrong.
//!
//! Silver is read with SQL and compared with the simulator's own truth, which is computed without
//! JSON, pages or the pipeline; where real files are served, with the files themselves.

#![cfg(all(feature = "simulator", feature = "local"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "google/endings.rs"]
mod endings;
#[path = "google/ga3.rs"]
mod ga3;
#[path = "google/house.rs"]
mod house;
#[path = "google/real_files.rs"]
mod real_files;
#[path = "google/rows.rs"]
mod rows;
mod support;
