//! The embedded platform: files, DataFusion with Delta Lake, SQLite; no account and no server.

pub mod engine;
pub mod lake;
pub mod logs;
pub mod parameters;
pub mod state;
pub mod workflows;
