//! One file or folder a screen: its state, its update, its view, its tests. No screen reads another's state
//! but through `State`.

pub(crate) mod activity;
pub(crate) mod board;
pub(crate) mod credentials;
pub(crate) mod datamart;
pub(crate) mod dialogs;
pub(crate) mod help;
pub(crate) mod logs;
pub(crate) mod overlay;
pub(crate) mod palette;
pub(crate) mod prompt;
pub(crate) mod reports;
pub(crate) mod run;
pub(crate) mod sources;
pub(crate) mod start;
pub(crate) mod table;
