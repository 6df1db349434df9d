//! What a deployment consists of: templates, tables, definitions, packaged functions, settings.
//!
//! Everything here is made from the profile and the program alone, so that the same input gives the same bytes and the
//! same keys: a repeated deployment changes nothing. Nothing here calls AWS.

mod artifacts;
pub mod export;
mod package;
mod parts;
mod program;
pub mod tables;
mod templates;

pub use artifacts::{Artifact, Deployment, declared};
pub use package::{Package, PackageError, Wanted, sha256};
pub use program::{Architecture, GlibcVersion, Linkage, Program};
pub use tables::GA_REPORT;
pub use templates::Stack;
