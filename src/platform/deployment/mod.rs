//! What a deployment consists of: templates, tables, definitions, packaged functions, settings.
//!
//! Everything here is made from the profile and the program alone, so that the same input gives the same bytes and the
//! same keys: a repeated deployment changes nothing. Nothing here calls AWS.

pub mod tables;
pub mod templates;

pub use templates::Stack;
