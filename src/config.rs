//! Profiles, names and paths: what the operator configured.
