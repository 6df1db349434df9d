//! Which program the functions are in a test: cargo's, or the one that is going to be deployed.

use std::path::PathBuf;

/// Names another build of the functions' program, say the static one:
/// `LAKEHAND_TEST_FUNCTIONS=$PWD/target/x86_64-unknown-linux-musl/lambda/lakehand-lambda cargo test --test aws`.
const OVERRIDE: &str = "LAKEHAND_TEST_FUNCTIONS";

/// The functions' program.
pub fn program() -> PathBuf {
    std::env::var_os(OVERRIDE).map_or_else(
        || env!("CARGO_BIN_EXE_lakehand-lambda").into(),
        PathBuf::from,
    )
}
