//! The command line: one file a verb, text and JSON output.
