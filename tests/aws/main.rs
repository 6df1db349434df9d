//! The deployed platform against an emulator: our calls, and our reactions to what comes back.
//!
//! What stands behind is moto with the launcher in this folder. It enforces no policy, throttles nothing and leaves
//! resources of templates out in silence, so a green test here says nothing about IAM, quotas or templates.

#![cfg(feature = "aws")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod deploy;
mod desk;
mod emulator;
#[cfg(feature = "lambda")]
#[path = "../support/functions.rs"]
mod functions;
mod proxy;
#[path = "../support/python.rs"]
mod python;
#[path = "../support/script.rs"]
mod script;

mod athena;
mod console;
mod crawlers;
mod credentials;
mod identity;
mod logs;
mod program;
mod quiet;
mod readers;
mod s3;
mod statements;
mod whole;
mod whole_by_keys;
mod workflows;

use emulator::Emulator;

#[test]
fn the_emulator_answers() {
    assert!(Emulator::shared().url.starts_with("http://127.0.0.1:"));
}
