//! What the operator does; used by the CLI and the console alike.
