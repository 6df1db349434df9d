//! Where it runs: a profile becomes a bundle of ports.

#[cfg(feature = "local")]
pub mod local;
