//! The source APIs, one file a source.
