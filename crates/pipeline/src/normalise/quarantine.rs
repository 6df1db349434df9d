//! Lines put aside: one compressed file a collection, every line with its place and the reason.

use std::{fs::File, io::Write, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    json::{Cursor, Seen},
    part::broken,
    segment::SetAside,
};
use crate::dataset::Stream;
use crate::jobs::JobError;
use crate::secrets::{redact, without_secrets};

/// A line put aside, as it stands in the quarantine file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedLine {
    /// The file it came in.
    pub file: String,
    /// Its line number there, from 1.
    pub line: u64,
    /// Why it did not become a row.
    pub reason: String,
    /// The byte of the line at which it stops being JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<usize>,
    /// The line, when it is UTF-8. Secrets are removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The line in Base64, when it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

impl QuarantinedLine {
    /// The record of a line of `file`.
    pub(super) fn new(file: &str, aside: SetAside) -> Self {
        let kept = cleaned(aside.text);
        let (text, base64) = match String::from_utf8(kept) {
            Ok(text) => (Some(text), None),
            Err(bytes) => (None, Some(STANDARD.encode(bytes.as_bytes()))),
        };
        Self {
            file: file.to_owned(),
            line: aside.line,
            reason: aside.reason,
            at: aside.place,
            text,
            base64,
        }
    }
}

/// The line without secrets, whether it is JSON or not.
pub(super) fn cleaned(line: Vec<u8>) -> Vec<u8> {
    let mut cursor = Cursor::new(&line);
    let mut seen = Seen::default();
    cursor.space();
    let json = cursor.value(&mut seen).is_ok() && cursor.end().is_ok();
    match (json, seen.secret) {
        (true, false) => line,
        (true, true) => without_secrets(&line).into_owned(),
        (false, _) => redact(&line),
    }
}

/// Key of a collection's quarantine file in the std store.
#[must_use]
pub fn quarantine_key(stream: Stream, day: Date, collection: &str) -> String {
    format!(
        "quarantine/{}/{}/date={day}/{collection}.ndjson.zst",
        stream.source(),
        stream.short()
    )
}

/// The quarantine file of one collection, under way.
pub(super) struct QuarantineWriter {
    encoder: zstd::stream::write::Encoder<'static, File>,
}

impl QuarantineWriter {
    /// Starts the file at `path`.
    ///
    /// # Errors
    /// A storage error.
    pub fn create(path: &Path) -> Result<Self, JobError> {
        let file = File::create(path).map_err(|why| broken("write", path, why))?;
        let encoder =
            zstd::stream::write::Encoder::new(file, 3).map_err(|why| broken("write", path, why))?;
        Ok(Self { encoder })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// The system's.
    pub fn push(&mut self, line: &QuarantinedLine) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.encoder.write_all(&text)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// The system's.
    pub fn finish(self) -> std::io::Result<()> {
        self.encoder.finish()?.sync_data()
    }
}
