//! Athena's SQL on DataFusion: what a statement means, whoever keeps the tables.
//!
//! A statement is parsed with Trino's grammar ([`command`], [`dialect`]), its functions are rewritten to DataFusion's
//! where names or meanings differ ([`rewrite`]), what depends on types is changed in the plan, and functions that
//! DataFusion lacks or means otherwise are registered in the session. An answer is Trino's or an error that says what is
//! not supported; tables, files and commits are the platform's matter.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod again;
mod aliases;
mod called;
pub mod command;
mod decorrelate;
mod dependencies;
pub mod dialect;
pub mod differences;
pub mod error;
mod fields;
mod foreign;
mod functions;
mod json_calls;
mod kind;
mod like;
mod literals;
pub mod membership;
mod mixed;
pub mod names;
mod operators;
mod pushed;
mod refusals;
pub mod rewrite;
pub mod rows;
mod selected;
mod session;
mod shapes;
mod sql_types;
mod stars;
mod statements;
mod strictness;
mod tokens;
mod trinos;
mod types;
mod unions;
mod unnest;
mod values;
mod windows;
mod words;
mod written;

pub use error::SqlError;
pub use kind::{StatementKind, kind};
pub use session::{answer, answer_as, session_state};
pub use strictness::Strictness;
