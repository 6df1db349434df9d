//! Which texts are keys: those that stay inside the folder and are the same on every machine.

use lakehand_pipeline::ports::StoreError;

/// Folder of a local store that is no part of its keys, so no key may begin with it anywhere.
pub const STAGING: &str = ".staging";

/// Longest key, in bytes; S3's limit.
const LONGEST_KEY: usize = 1024;
/// Longest part between two slashes, in bytes; the limit of common file systems.
const LONGEST_PART: usize = 255;

/// Checks a whole key.
pub fn check(key: &str) -> Result<(), StoreError> {
    let why = if key.is_empty() {
        Some("it is empty")
    } else if key.split('/').any(str::is_empty) {
        Some("it has an empty part: a slash at its start or end, or two in a row")
    } else {
        flaw(key)
    };
    refuse(key, why)
}

/// Checks the start of a key: it may be empty and may end anywhere.
pub fn check_prefix(prefix: &str) -> Result<(), StoreError> {
    let inner = prefix.strip_suffix('/').unwrap_or(prefix);
    let why = if !prefix.is_empty() && inner.split('/').any(str::is_empty) {
        Some("it has an empty part: a slash at its start, or two in a row")
    } else {
        flaw(prefix)
    };
    refuse(prefix, why)
}

fn refuse(key: &str, why: Option<&'static str>) -> Result<(), StoreError> {
    match why {
        None => Ok(()),
        // The key itself may hold what steers a terminal; it is shown escaped.
        Some(why) => Err(StoreError::BadKey {
            key: key.escape_debug().to_string(),
            why,
        }),
    }
}

fn flaw(key: &str) -> Option<&'static str> {
    if key.len() > LONGEST_KEY {
        return Some("it is longer than 1024 bytes");
    }
    if key.chars().any(char::is_control) {
        return Some("it holds a control character");
    }
    if key.contains('\\') {
        return Some("it holds a backslash");
    }
    let mut parts = key.split('/');
    if key.split('/').any(|part| part == "." || part == "..") {
        return Some("a part of it is '.' or '..', which would leave the store");
    }
    if key.split('/').any(|part| part.len() > LONGEST_PART) {
        return Some("a part of it is longer than 255 bytes");
    }
    (parts.next() == Some(STAGING)).then_some("'.staging' belongs to the store itself")
}
