//! Bronze rows to typed silver Parquet: contract-checked, de-duplicated, one file a partition.

pub mod contract;
