//! Runs a definition against mocked tasks, in the mock configuration format of AWS Step Functions Local.
//!
//! This is how a user tests a changed definition before deploying it. Still pure: the caller decides
//! whether time is virtual or real.

mod config;
mod driver;

pub use config::{MockConfig, MockError, Mocks, Response};
pub use driver::{Driver, Progress};

#[cfg(test)]
mod tests;
