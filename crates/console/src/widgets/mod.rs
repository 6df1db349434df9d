//! Parts of screens. Each draws only what is visible, straight into the buffer.

pub(crate) mod dialog;
pub(crate) mod footer;
pub(crate) mod graph;
pub(crate) mod grid;
pub(crate) mod input;
pub(crate) mod list;
pub(crate) mod logpane;
pub(crate) mod passage;
pub(crate) mod secret;
pub(crate) mod text;
pub(crate) mod timeline;
pub(crate) mod toast;
pub(crate) mod wrap;
