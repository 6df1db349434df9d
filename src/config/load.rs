//! Reading `config.toml`: unknown keys and bad values are errors with line and column.
/// Placeholder until the loader lands.
#[derive(Debug, Clone)]
pub struct Config;
/// Placeholder until the loader lands.
#[derive(Debug, Clone)]
pub struct Home;
/// Placeholder until the loader lands.
#[derive(Debug, Clone, thiserror::Error)]
#[error("configuration")]
pub struct ConfigError;
