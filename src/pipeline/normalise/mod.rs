//! Bronze rows to typed silver Parquet: contract-checked, de-duplicated, one file a partition.

pub mod contract;
mod decode;
mod feed;
mod json;
mod part;
mod plan;
mod rows;
mod secrets;
mod segment;
mod stage;
mod tally;
mod values;
