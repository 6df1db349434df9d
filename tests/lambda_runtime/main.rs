//! The real binary of the functions as a process, against a stand-in of the Lambda Runtime API over HTTP. Where a
//! function needs AWS, the emulator of `tests/aws` is behind it, and the simulator is the source.
//!
//! The stand-in gives events and takes answers as AWS describes its API. It does not freeze the process between two
//! events and takes no memory away, as Lambda does.

#![cfg(all(feature = "lambda", feature = "simulator"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../aws/account.rs"]
mod account;
#[path = "../aws/emulator.rs"]
mod emulator;
#[path = "../support/functions.rs"]
mod functions;
#[path = "../aws/proxy.rs"]
mod proxy;
#[path = "../support/python.rs"]
mod python;
mod runtime_api;

mod collecting;
mod crawling;
mod manners;
