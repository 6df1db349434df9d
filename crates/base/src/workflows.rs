//! The workflows that the program brings, by name: their definitions lie in `assets/workflows/`.

/// Names, in the order of the Board.
pub const WORKFLOWS: [&str; 4] = ["collect", "daily-report", "datamart", "backfill"];
