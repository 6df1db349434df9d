//! Gold, quality and export on the embedded engine: the pipeline's own tests that need SQL to be answered.

mod build;
mod datamart;
mod export;
pub(crate) mod fixture;
mod quality;
