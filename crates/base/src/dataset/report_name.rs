//! Names of Google Analytics reports: from configuration, parts of folder and table names.

use std::{
    collections::BTreeSet,
    fmt,
    str::FromStr,
    sync::{LazyLock, Mutex, PoisonError},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Longest name, in characters: with its prefix it is still a table name everywhere.
const LONGEST: usize = 48;
/// Names one process keeps. They come from configuration, so this is a bound and no limit.
const MOST: usize = 4096;

static NAMES: LazyLock<Mutex<BTreeSet<&'static str>>> = LazyLock::new(Mutex::default);

/// The name of a configured report: lower-case letters, digits and underscores, a letter first.
///
/// Streams are copied everywhere, so the text is kept once for the life of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReportName(&'static str);

/// A text that is no report name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{given}' is no report name; use up to {LONGEST} lower-case letters, digits and underscores, a letter first, and not day_quality"
)]
pub struct BadReportName {
    /// What was given.
    pub given: String,
}

impl ReportName {
    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl FromStr for ReportName {
    type Err = BadReportName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || BadReportName {
            given: text.to_owned(),
        };
        let fits = text.len() <= LONGEST
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            // `ga_day_quality` is a table of its own.
            && text != "day_quality";
        if !fits {
            return Err(refused());
        }
        // A set of texts; a panic elsewhere leaves it usable.
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get(text) {
            return Ok(Self(known));
        }
        if names.len() >= MOST {
            return Err(refused());
        }
        let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
        names.insert(kept);
        Ok(Self(kept))
    }
}

impl Serialize for ReportName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

/// By hand: a derived one would want the text to live for ever before it is read.
impl<'de> Deserialize<'de> for ReportName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for ReportName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once_and_strange_ones_are_refused() {
        let one: ReportName = "sessions_2".parse().unwrap();
        let two: ReportName = String::from("sessions_2").as_str().parse().unwrap();
        assert!(std::ptr::eq(one.as_str(), two.as_str()));
        let long = "a".repeat(LONGEST + 1);
        for bad in [
            "",
            "2x",
            "Sessions",
            "a-b",
            "a b",
            "é",
            "../x",
            "day_quality",
            &long,
        ] {
            assert!(bad.parse::<ReportName>().is_err(), "{bad}");
        }
    }
}
