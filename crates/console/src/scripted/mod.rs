//! The console without a terminal and without a platform: scripted operations and a driver that presses keys and
//! reads the screen. Scripts, snapshots, benches and the picture in the README use it; nothing here runs in the
//! shipped console.

mod driver;
mod world;

pub use driver::Driver;
#[cfg(test)]
pub(crate) use driver::text_of;
pub use world::{Scenario, ScriptedOperations};
