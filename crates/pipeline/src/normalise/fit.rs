//! Whether files hold what a stream's rows look like, told before anything is stored.
//!
//! Nearly every row decodes as nearly every stream: an id and a time are all that many of them require. So a
//! file of clicks would become conversions without any value. The share of fields that a contract knows tells.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{contract, feed, plan::Plan, plan::Target};
use crate::dataset::Stream;
use crate::jobs::{ErrorType, JobError};

/// Rows of a file that are looked at.
const ROWS: usize = 1_000;
/// Bytes of a file that are looked at.
const BYTES: u64 = 16 << 20;
/// A stream that knows fewer of the fields, in percent, is the wrong one.
const LEAST: u64 = 50;
/// A stream that knows more of the fields by so many percent is the right one.
const BETTER: u64 = 3;

/// How well files fit a stream, and which one they fit best.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// The file that fits worst.
    pub file: String,
    /// The stream that was asked about.
    pub stream: Stream,
    /// Percent of the file's fields, row by row, that it knows.
    pub known_percent: u64,
    /// The stream that knows most of them, if that is another one.
    pub best: Option<(Stream, u64)>,
}

impl Fit {
    /// Why a file should not be imported as rows of the stream; `None` when it may be.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let (file, stream, known) = (&self.file, self.stream, self.known_percent);
        let told = format!("{stream} knows {known} % of the fields of {file}");
        match self.best {
            Some((best, share)) if share >= known + BETTER => {
                Some(format!("{told}, {best} knows {share} %"))
            }
            _ if known < LEAST => Some(format!("{told}, fewer than {LEAST} %")),
            _ => None,
        }
    }
}

/// Looks at the beginning of each file and says how the worst one fits. `None` when there is nothing to
/// compare: no row, or a stream whose fields follow from configuration.
///
/// # Errors
/// `InvalidInput` for a file that cannot be read.
pub fn fit(stream: Stream, files: &[PathBuf]) -> Result<Option<Fit>, JobError> {
    if contract::columns(stream.silver()).is_empty() {
        return Ok(None);
    }
    let mut worst: Option<Fit> = None;
    for file in files {
        let rows = first_rows(file)?;
        let Some(known_percent) = share(stream, &rows) else {
            continue;
        };
        let others = Stream::ALL.into_iter().chain(Stream::MARKETO);
        let best = others
            .filter(|other| *other != stream)
            .filter_map(|other| Some((other, share(other, &rows)?)))
            .max_by_key(|(_, share)| *share)
            .filter(|(_, share)| *share > known_percent);
        let fit = Fit {
            file: file.display().to_string(),
            stream,
            known_percent,
            best,
        };
        let is_worse = |than: &Fit| match (than.refusal(), fit.refusal()) {
            (None, Some(_)) => true,
            (Some(_), None) => false,
            _ => fit.known_percent < than.known_percent,
        };
        if worst.as_ref().is_none_or(is_worse) {
            worst = Some(fit);
        }
    }
    Ok(worst)
}

fn first_rows(path: &Path) -> Result<Vec<Map<String, Value>>, JobError> {
    let unreadable = |why: std::io::Error| {
        JobError::new(
            ErrorType::InvalidInput,
            format!(
                "could not read {}: {why}; check the name and the permissions",
                path.display()
            ),
        )
    };
    let input = feed::open(path).map_err(unreadable)?;
    let mut input = BufReader::new(input.take(BYTES));
    let mut rows = Vec::new();
    let mut line = Vec::new();
    for _ in 0..ROWS {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        // Lines that are none are put aside later, with their reason.
        rows.extend(serde_json::from_slice(&line).ok());
    }
    Ok(rows)
}

/// Percent of the rows' fields that a stream knows.
fn share(stream: Stream, rows: &[Map<String, Value>]) -> Option<u64> {
    let plan = Plan::new(contract::columns(stream.silver()), None, true);
    let mut count = Count::default();
    for row in rows {
        count.object(&plan, 0, row);
    }
    (count.known * 100).checked_div(count.all)
}

#[derive(Default)]
struct Count {
    known: u64,
    all: u64,
}

impl Count {
    fn object(&mut self, plan: &Plan, node: usize, object: &Map<String, Value>) {
        let node = &plan.nodes[node];
        for (key, value) in object {
            let known = node.lookup.get(key.as_bytes());
            match (known.map(|&key| node.keys[key as usize].target), value) {
                (Some(Target::Node(child)), Value::Object(members)) => {
                    self.object(plan, child as usize, members);
                }
                (found, _) => {
                    self.all += 1;
                    self.known += u64::from(found.is_some() || node.keeps_rest);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLICK: &str = r#"{"id":"1","created_at":"2026-01-06 03:08:29","ip":"203.0.113.1","ua":"x","uniq":1,"has_conversions":false,"cbid":"c","offer":{"id":5,"title":"t"},"region_id":"9","landing":{"id":1}}"#;
    const CONVERSION: &str = r#"{"id":"1","created_at":"2026-01-06 03:08:29","status":"confirmed","currency":"EUR","revenue":10,"payouts":7,"earnings":3,"offer_id":41,"partner_id":7,"own":1}"#;
    const STRANGE: &str = r#"{"id":"1","created_at":"2026-01-06 03:08:29","a":1,"b":2,"c":3}"#;

    fn of(stream: Stream, lines: &[&str]) -> Option<Fit> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.ndjson");
        std::fs::write(&path, lines.join("\n")).unwrap();
        fit(stream, &[path]).unwrap()
    }

    #[test]
    fn a_file_that_fits_another_stream_better_is_refused_with_both_shares() {
        let fit = of(Stream::AffiseConversions, &[CLICK, CLICK]).unwrap();
        // Of eleven fields conversions know id, created_at, ip, ua, cbid and the offer's two.
        assert_eq!(fit.known_percent, 700 / 11);
        assert_eq!(fit.best, Some((Stream::AffiseClicks, 100)));
        let why = fit.refusal().unwrap();
        assert!(
            why.starts_with("affise.conversions knows 63 % of the fields of"),
            "{why}"
        );
        assert!(why.ends_with("affise.clicks knows 100 %"), "{why}");
        assert!(
            of(Stream::AffiseClicks, &[CONVERSION])
                .unwrap()
                .refusal()
                .is_some()
        );
    }

    #[test]
    fn a_file_of_no_stream_is_refused_and_the_right_one_is_not() {
        // Two of five.
        let why = of(Stream::AffiseClicks, &[STRANGE])
            .unwrap()
            .refusal()
            .unwrap();
        assert!(
            why.contains("knows 40 %") && why.ends_with("fewer than 50 %"),
            "{why}"
        );
        for (stream, line) in [
            (Stream::AffiseClicks, CLICK),
            (Stream::AffiseConversions, CONVERSION),
        ] {
            assert_eq!(of(stream, &[line, "not a row"]).unwrap().refusal(), None);
        }
        assert_eq!(of(Stream::AffiseClicks, &["", "nothing"]), None);
    }
}
